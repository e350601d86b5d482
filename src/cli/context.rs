//! What the commands that only talk to the journal are given, and how they end.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use crate::clock::Clock;
use crate::journal::{Event, Journal, JournalError, Subject};
use crate::moment::Moment;

/// Where the journal is, what time it is, and who asks.
#[derive(Clone, Debug)]
pub struct Context {
    /// The file of the journal.
    pub journal_path: PathBuf,
    /// The time.
    pub clock: Clock,
    /// Who gives approvals and suspends: the name of the user.
    pub user: String,
}

/// How a command ended that did what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All is as it should be.
    Good,
    /// It worked, and what it found asks for a person.
    NeedsAttention,
    /// The fleet has errors, which were written.
    Findings,
    /// A plan has changes.
    Changes,
}

impl Ending {
    /// The exit code of the process.
    pub fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::NeedsAttention => 3,
            Self::Findings => 1,
            Self::Changes => 2,
        }
    }
}

/// Why a command could not do what it was asked. The exit code is 1.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no journal yet.
    #[error(
        "nothing is known yet, there is no {}: start `driftless run` or `driftless apply` first",
        .0.display()
    )]
    NothingKnown(PathBuf),
    /// What was named does not exist or is not unique; the text says what there is.
    #[error("{0}")]
    NotFound(String),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The answer could not be written.
    #[error("cannot write the answer")]
    Output(#[from] io::Error),
}

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one object with a `version`, whose fields are only ever added.
    Json,
}

impl Context {
    /// The time now.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// The journal that a controller has made; an error when there is none.
    pub fn known_journal(&self) -> Result<Journal, CommandError> {
        Journal::open_existing(&self.journal_path, self.now())?
            .ok_or_else(|| CommandError::NothingKnown(self.journal_path.clone()))
    }

    /// The journal, made when there is none: what a person says must be kept even before the
    /// first run.
    pub fn journal(&self) -> Result<Journal, CommandError> {
        match Journal::open_existing(&self.journal_path, self.now())? {
            Some(journal) => Ok(journal),
            None => Ok(Journal::open(&self.journal_path, self.now(), None)?.0),
        }
    }

    /// An event about the whole fleet that happens now.
    pub fn event(&self, kind: &str, text: String) -> Event {
        Event { at: self.now(), about: Subject::Fleet, kind: kind.to_owned(), text }
    }
}

/// The longest that an approval may count: what was looked at a month ago is forgotten.
const MAX_LENGTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A length of time such as `30m`, `24h` or `7d`.
pub fn length(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a length of time: write one such as 30m, 24h or 7d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number = text.strip_suffix(unit).and_then(|number| number.parse::<u32>().ok());
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let length = Duration::from_secs(u64::from(number.ok_or_else(wrong)?) * seconds);
    if length.is_zero() || length > MAX_LENGTH {
        return Err(format!("`{text}` is not between a second and 30 days"));
    }
    Ok(length)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::plan::StackRecord;
    use crate::report::sample::NOW;

    /// A context with a fresh journal in a folder that lives as long as the first part.
    pub(in crate::cli) fn context(
        records: &[StackRecord],
    ) -> (tempfile::TempDir, Context, Journal) {
        let folder = tempfile::tempdir().expect("a folder");
        let context = Context {
            journal_path: folder.path().join("state.db"),
            clock: Clock::starting_at(NOW),
            user: "anna".to_owned(),
        };
        let (journal, _) = Journal::open(&context.journal_path, NOW, Some(1)).expect("a journal");
        for record in records {
            journal.begin_attempt(record).expect("written");
        }
        (folder, context, journal)
    }

    /// A context whose journal does not exist.
    pub(in crate::cli) fn without_journal() -> (tempfile::TempDir, Context) {
        let folder = tempfile::tempdir().expect("a folder");
        let journal_path = folder.path().join(".driftless/state.db");
        let clock = Clock::starting_at(NOW);
        (folder, Context { journal_path, clock, user: "anna".to_owned() })
    }

    #[test]
    fn lengths_of_time_have_a_unit_and_a_bound() {
        assert_eq!(length("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(length("30m"), Ok(Duration::from_secs(1_800)));
        for bad in ["", "h", "24", "0h", "-1h", "31d", "1.5h", "24 h", "1w"] {
            assert!(length(bad).is_err(), "{bad}");
        }
    }
}
