//! Fetches a remote repository again and again: every half minute, ever more seldom while it fails.
//! Trouble is said when it comes, when it becomes another, and when it is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::clock::Clock;
use crate::git::fetch_error::FetchError;
use crate::git::program::Leash;
use crate::git::remote::Remote;
use crate::moment::Moment;
use crate::plan::cooldown::spread;
use crate::report::{FetchTrouble, ago};

/// A merge starts within half a minute; git hosts bear two calls a minute of everybody.
const PERIOD: Duration = Duration::from_secs(30);
/// With the fifth that spreads them, no two tries are more than ten minutes apart.
const LONGEST_PERIOD: Duration = Duration::from_secs(500);

/// How fetching got on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fetches {
    /// When it worked last.
    pub(crate) fetched_at: Option<Moment>,
    /// Why it does not work now.
    pub(crate) trouble: Option<FetchTrouble>,
    /// What the trouble was called when it was said.
    said: Option<String>,
    count: u64,
}

impl Fetches {
    /// Notes how a fetch ended; the answer is what people have to hear.
    fn note(&mut self, ended: &Result<(), FetchError>, url: &str, now: Moment) -> Option<Word> {
        self.count += 1;
        let error = match ended {
            Ok(()) => {
                self.fetched_at = Some(now);
                self.said = None;
                let since = self.trouble.take()?.since;
                return Some(Word::Over(format!(
                    "{url} can be fetched again; the trouble began {}",
                    ago(now, since)
                )));
            }
            Err(FetchError::Stopped { .. }) => return None,
            Err(error) => error,
        };
        let what = error.to_string();
        let before = self.trouble.take();
        let trouble = FetchTrouble {
            text: with_sources(error),
            since: before.as_ref().map_or(now, |before| before.since),
            attempts: before.map_or(0, |before| before.attempts) + 1,
            next_at: now,
        };
        let pause = PERIOD.saturating_mul(1 << trouble.attempts.min(8).saturating_sub(1));
        let next_at = now + spread(&format!("{url}#{}", self.count), pause.min(LONGEST_PERIOD));
        let text = trouble.text.clone();
        self.trouble = Some(FetchTrouble { next_at, ..trouble });
        if self.said.as_ref() == Some(&what) {
            return None;
        }
        self.said = Some(what);
        Some(Word::Trouble(format!("{text}; what was fetched before stays, and it is tried again")))
    }

    /// When it is fetched next.
    fn next_at(&self, seed: &str, now: Moment) -> Moment {
        match (&self.trouble, self.fetched_at) {
            (Some(trouble), _) => trouble.next_at,
            (None, Some(at)) => at + spread(&format!("{seed}#{}", self.count), PERIOD),
            (None, None) => now,
        }
    }
}

/// What is said of fetching.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Trouble(String),
    Over(String),
}

/// An error and what others say about it, in one line: what, what they say, and what to do.
fn with_sources(error: &FetchError) -> String {
    let text = error.to_string();
    let Some(said) = std::error::Error::source(error) else { return text };
    match text.split_once(": ") {
        Some((what, help)) => format!("{what} ({said}): {help}"),
        None => format!("{text} ({said})"),
    }
}

/// Fetches once, and notes and says how it ended.
pub(crate) fn fetched(remote: &Remote, clock: &Clock, leash: &Leash) -> Result<(), FetchError> {
    let ended = remote.fetch(leash);
    let word = remote.fetches().note(&ended, remote.url(), clock.now());
    match word {
        Some(Word::Trouble(text)) => tracing::warn!("{text}"),
        Some(Word::Over(text)) => tracing::info!("{text}"),
        None => {}
    }
    ended
}

/// Fetches until it is dropped.
#[derive(Debug)]
pub struct Fetching {
    ended: watch::Receiver<Option<Arc<FetchError>>>,
    task: JoinHandle<()>,
    leash: Leash,
}

impl Fetching {
    pub(crate) fn begin(remote: Remote, clock: Clock, seed: &str) -> Self {
        let (sender, ended) = watch::channel(None);
        let leash = Leash::default();
        let (held, seed) = (leash.clone(), seed.to_owned());
        let task = tokio::spawn(async move {
            loop {
                let next_at = remote.fetches().next_at(&seed, clock.now());
                tokio::select! {
                    biased;
                    () = remote.demand().notified() => {}
                    () = clock.sleep_until(next_at) => {}
                }
                let (remote, clock, leash) = (remote.clone(), clock.clone(), held.clone());
                let fetch = spawn_blocking(move || fetched(&remote, &clock, &leash));
                // A runtime that ends takes this task with it.
                let Ok(ended) = fetch.await else { break };
                sender.send_replace(ended.err().map(Arc::new));
            }
        });
        Self { ended, task, leash }
    }

    /// Returns after a fetch, whether or not it brought anything, with what went wrong.
    pub async fn ended(&mut self) -> Option<Arc<FetchError>> {
        if self.ended.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.ended.borrow_and_update().clone()
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        // What runs in a thread is not ended with the task.
        self.leash.cut();
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_millis(seconds * 1000)
    }

    fn unreachable(said: &str) -> Result<(), FetchError> {
        let said = format!("fatal: could not resolve host ({said})");
        Err(FetchError::of_words("https://host/x", None, &said, &said))
    }

    #[test]
    fn trouble_is_said_once_and_so_is_its_end() {
        let mut fetches = Fetches::default();
        let mut note = |ended: Result<(), FetchError>, seconds| {
            fetches.note(&ended, "https://host/x", at(seconds))
        };
        assert_eq!(note(Ok(()), 0), None);
        let Some(Word::Trouble(text)) = note(unreachable("1 ms"), 30) else { panic!("said") };
        assert!(
            text.contains("cannot be reached (fatal: could not resolve host (1 ms))"),
            "{text}"
        );
        assert_eq!(note(unreachable("2 ms"), 60), None, "the same is not said again");
        let said = "Authentication failed";
        let refused = FetchError::of_words("https://host/x", None, said, said);
        assert!(matches!(note(Err(refused), 120), Some(Word::Trouble(_))), "another is");
        let Some(Word::Over(text)) = note(Ok(()), 630) else { panic!("said") };
        assert_eq!(text, "https://host/x can be fetched again; the trouble began 10 minutes ago");
        assert_eq!(note(Ok(()), 660), None);
    }

    #[test]
    fn what_fails_is_tried_ever_more_seldom_and_never_more_than_ten_minutes_apart() {
        let mut fetches = Fetches::default();
        let mut now = at(0);
        let mut pauses = Vec::new();
        for _ in 0..40 {
            fetches.note(&unreachable(""), "https://host/x", now);
            let next_at = fetches.next_at("", now);
            pauses.push(next_at.since(now).as_secs());
            now = next_at;
        }
        assert!((30..=36).contains(&pauses[0]) && (60..=72).contains(&pauses[1]), "{pauses:?}");
        assert!(pauses[5..].iter().all(|pause| (500..=600).contains(pause)), "{pauses:?}");
        let trouble = fetches.trouble.expect("trouble");
        assert_eq!((trouble.attempts, trouble.since), (40, at(0)));
    }

    #[test]
    fn what_works_is_fetched_every_half_minute_and_not_by_everybody_at_once() {
        let mut fetches = Fetches::default();
        fetches.note(&Ok(()), "https://host/x", at(0));
        let pause = |seed: &str| fetches.next_at(seed, at(0)).since(at(0)).as_millis();
        let pauses: std::collections::BTreeSet<_> =
            ["a", "b", "c", "d", "e"].map(pause).into_iter().collect();
        assert!(pauses.len() > 3, "{pauses:?}");
        assert!(pauses.iter().all(|pause| (30_000..=36_000).contains(pause)), "{pauses:?}");
    }
}
