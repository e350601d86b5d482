//! How times, numbers and weights are said to people.

use std::time::Duration;

use crate::moment::Moment;
use crate::plan::Weight;

/// `4 minutes ago`, as seen at `now`.
pub fn ago(now: Moment, then: Moment) -> String {
    match length(now.since(then)) {
        None => "just now".to_owned(),
        Some(length) => format!("{length} ago"),
    }
}

/// `for 4 minutes`, as seen at `now`.
pub(super) fn lasting(now: Moment, then: Moment) -> String {
    length(now.since(then)).map_or_else(|| "just now".to_owned(), |length| format!("for {length}"))
}

/// `in 4 minutes`, as seen at `now`; `now` when it has passed.
pub fn ahead(now: Moment, then: Moment) -> String {
    match length(then.since(now)) {
        None => "now".to_owned(),
        Some(length) => format!("in {length}"),
    }
}

/// `4 minutes`; `a moment` below a second.
pub(super) fn span(of: Duration) -> String {
    length(of).unwrap_or_else(|| "a moment".to_owned())
}

/// The length in its largest unit, rounded down; `None` below a second.
fn length(length: Duration) -> Option<String> {
    let seconds = usize::try_from(length.as_secs()).unwrap_or(usize::MAX);
    let (count, unit) = match seconds {
        0 => return None,
        1..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    Some(counted(count, unit))
}

/// `9 s`, `4 min` or `3 h`, rounded up: what is left of a wait.
pub fn brief(length: Duration) -> String {
    let seconds = length.as_millis().div_ceil(1_000);
    match seconds {
        0..=90 => format!("{seconds} s"),
        91..=5_400 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3_600)),
    }
}

/// `1 stack`, `2 stacks`, `1,990 stacks`
pub fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", number(count))
}

/// `1,990`
pub fn number(of: usize) -> String {
    let digits = of.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What a weight is called.
pub(super) fn word(weight: Weight) -> &'static str {
    match weight {
        Weight::Settled => "in sync",
        Weight::LeftAlone => "left alone",
        Weight::Waiting => "waiting",
        Weight::Stuck => "stuck",
    }
}

/// `text` with every line after the first moved to `column`, and without what could control the
/// terminal: AWS and git are not asked what they put there.
pub fn indented(text: &str, column: usize) -> String {
    let lines: Vec<String> = text.trim_end().split('\n').map(tame).collect();
    lines.join(&format!("\n{:column$}", ""))
}

fn tame(line: &str) -> String {
    let tame = |character: char| if character.is_control() { '\u{fffd}' } else { character };
    line.chars().map(tame).collect()
}

/// The first line of `text`, cut to `width` characters.
pub(super) fn cut(text: &str, width: usize) -> String {
    let text = indented(text, 0);
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= width && line.len() == text.trim_end().len() {
        return line.to_owned();
    }
    let kept: String = line.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_their_largest_unit() {
        let now = Moment::from_millis(1_000_000_000);
        let before = |seconds| ago(now, now - Duration::from_secs(seconds));
        for (seconds, words) in [
            (0, "just now"),
            (1, "1 second ago"),
            (59, "59 seconds ago"),
            (60, "1 minute ago"),
            (3_599, "59 minutes ago"),
            (7_200, "2 hours ago"),
            (172_800, "2 days ago"),
        ] {
            assert_eq!(before(seconds), words);
        }
        assert_eq!(ahead(now, now + Duration::from_secs(90)), "in 1 minute");
        assert_eq!(ahead(now, now - Duration::from_secs(90)), "now");
    }

    #[test]
    fn a_text_of_aws_cannot_control_the_terminal() {
        assert_eq!(indented("a\u{1b}[31m\nb\n", 2), "a\u{fffd}[31m\n  b");
        assert_eq!(cut("a\u{1b}", 9), "a\u{fffd}");
    }

    #[test]
    fn long_texts_are_cut_at_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
        assert_eq!(cut("one\ntwo", 10), "one…");
    }
}
