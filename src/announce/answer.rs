//! What an answer means for a message: delivered, later, or refused; and how much later.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;

use crate::announce::http::{Answer, Unsent};
use crate::ids::Digest;
use crate::journal::Retry;
use crate::moment::Moment;

/// The first pause after something that goes away by itself, and the longest: a chat that was down
/// for an hour gets its messages ten minutes after it is back, at most.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(10 * 60);
/// Who asks to slow down and does not say for how long.
const SLOWER: Duration = Duration::from_secs(30);
/// No server is obeyed for longer than this.
const MOST_OBEYED: Duration = Duration::from_secs(24 * 3_600);
/// When what was refused is tried again: a person may have mended the receiver.
const REFUSED: Duration = Duration::from_secs(3_600);
/// After so many different messages it is the channel that refuses, and each of them is not tried
/// any more.
const REFUSALS: u32 = 3;
/// What is shown of an answer.
const MAX_TEXT: usize = 200;

/// What became of one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It arrived.
    Delivered,
    /// It could not be sent for want of something here.
    Unready(String),
    /// It is tried again after this.
    Later {
        /// How long nothing is sent to the channel.
        pause: Duration,
        /// Why.
        text: String,
    },
    /// The receiver will not take it.
    Refused {
        /// Why.
        text: String,
    },
}

/// What an answer to the `attempt`th try of the message with this key means.
pub(super) fn verdict(
    answer: Result<Answer, Unsent>,
    attempt: u32,
    key: &str,
    url: &str,
    now: Moment,
) -> Verdict {
    let answer = match answer {
        Ok(answer) => answer,
        Err(Unsent(why)) => {
            let text = without(&why, url);
            return Verdict::Later { pause: growing(attempt, key), text };
        }
    };
    let said = match without(&answer.body, url).as_str() {
        "" => String::new(),
        said => format!(" ({said})"),
    };
    let text = format!("it answered {}{said}", answer.status);
    let asked = answer.header("retry-after").and_then(|value| retry_after(value, now));
    match answer.status {
        200..=299 => Verdict::Delivered,
        429 => {
            let pause = asked.unwrap_or_else(|| growing(attempt, key).max(SLOWER));
            Verdict::Later { pause, text }
        }
        408 | 500..=599 => {
            Verdict::Later { pause: asked.unwrap_or_default().max(growing(attempt, key)), text }
        }
        _ => Verdict::Refused { text },
    }
}

/// How long a `Retry-After` asks to wait: seconds, or a date.
pub fn retry_after(value: &str, now: Moment) -> Option<Duration> {
    let value = value.trim();
    let pause = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp().as_millisecond();
            Moment::from_millis(u64::try_from(at).ok()?).since(now)
        }
    };
    Some(pause.min(MOST_OBEYED))
}

/// When a refused message is tried again, and when others are. One bad message stops no other, and
/// a channel that refuses them all is asked once an hour.
pub(super) fn after_refusal(refusals_before: u32, text: String, now: Moment) -> Retry {
    let channel_at = if refusals_before + 1 >= REFUSALS { now + REFUSED } else { now };
    Retry { at: now + REFUSED, channel_at, is_refused: true, is_here: false, text }
}

/// A pause that grows with the tries. It is the same for the same try and other for other messages,
/// so that they do not all come back at once.
fn growing(attempt: u32, key: &str) -> Duration {
    let mut backoff = ExponentialBackoff {
        initial_interval: FIRST,
        max_interval: LONGEST,
        multiplier: 2.0,
        // Its randomness is not ours to seed, and its clock is not ours to stop.
        randomization_factor: 0.0,
        max_elapsed_time: None,
        ..ExponentialBackoff::default()
    };
    backoff.reset();
    let whole =
        (0..attempt.clamp(1, 20)).fold(FIRST, |_, _| backoff.next_backoff().unwrap_or(LONGEST));
    let digest = Digest::of_parts([key.as_bytes(), &attempt.to_be_bytes()]);
    let share = f64::from(digest.as_bytes()[0]) / 255.0;
    let whole = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(whole).mul_f64(0.5 + share / 2.0)
}

/// A part of a URL of so many characters may be its secret.
const SECRET_PART: usize = 12;

/// One line without the URL, its path or what could control a terminal.
fn without(text: &str, url: &str) -> String {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = path.find('/').map_or("", |at| &path[at..]);
    let mut text = text.replace(url, "(the URL)");
    // Some receivers repeat a part of it only.
    let parts = path.split(['/', '?', '&', '=']).filter(|part| part.len() >= SECRET_PART);
    for secret in [path, path.trim_matches('/')].into_iter().chain(parts) {
        // A path of a letter or two is no secret, and would take the text apart.
        if secret.len() > 3 {
            text = text.replace(secret, "(…)");
        }
    }
    let tame = |letter: char| if letter.is_control() { ' ' } else { letter };
    let text: String = text.trim().chars().map(tame).take(MAX_TEXT).collect();
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_millis(1_795_000_000_000);
    const URL: &str = "https://hooks.slack.com/services/T0/B0/secret";

    fn judged(status: u16, retry_after: Option<&str>, body: &str) -> Verdict {
        let pause = retry_after.map(|value| ("retry-after".to_owned(), value.to_owned()));
        let headers = pause.into_iter().collect();
        let answer = Answer { status, headers, body: body.to_owned(), is_cut: false };
        verdict(Ok(answer), 1, "k", URL, NOW)
    }

    #[test]
    fn a_pause_that_is_asked_for_is_obeyed_in_seconds_and_as_a_date() {
        let pause = |value: &str| {
            let Verdict::Later { pause, .. } = judged(429, Some(value), "") else {
                panic!("it is sent again")
            };
            pause.as_secs()
        };
        assert_eq!(pause("7"), 7);
        // The moment is 2026-11-18T11:06:40Z.
        assert_eq!(pause("Wed, 18 Nov 2026 11:07:40 GMT"), 60);
        assert_eq!(pause("Wed, 18 Nov 2026 11:00:00 GMT"), 0);
        assert_eq!(pause("999999999"), 86_400, "nobody waits for a year");
        assert!(pause("soon") >= 30);
    }

    #[test]
    fn only_an_answer_that_will_never_be_another_is_a_refusal() {
        for status in [400, 401, 403, 404, 410, 413, 301, 302] {
            assert!(matches!(judged(status, None, ""), Verdict::Refused { .. }), "{status}");
        }
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(matches!(judged(status, None, ""), Verdict::Later { .. }), "{status}");
        }
        for status in [200, 201, 202, 204] {
            assert_eq!(judged(status, None, "ok"), Verdict::Delivered);
        }
    }

    #[test]
    fn pauses_grow_to_a_bound_and_differ_between_messages() {
        for attempt in 1..40 {
            let whole = FIRST.saturating_mul(1 << (attempt - 1).min(10)).min(LONGEST);
            let pause = growing(attempt, "k");
            assert!(pause >= whole / 2 && pause <= whole, "{attempt}: {pause:?} of {whole:?}");
        }
        assert_ne!(growing(5, "one"), growing(5, "other"));
    }

    #[test]
    fn what_is_said_of_a_failure_does_not_hold_the_url() {
        for said in [URL, "no /services/T0/B0/secret here", "bad hook services/T0/B0/secret\u{1b}["]
        {
            let Verdict::Refused { text } = judged(404, None, said) else { panic!("refused") };
            assert!(!text.contains("secret") && !text.contains('\u{1b}'), "{text}");
            let unsent = verdict(Err(Unsent(said.to_owned())), 1, "k", URL, NOW);
            let Verdict::Later { text, .. } = unsent else { panic!("later") };
            assert!(!text.contains("secret"), "{text}");
        }
    }
}
