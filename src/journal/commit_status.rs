//! What commits were told of themselves at their git host, so that a restart repeats nothing.

use crate::journal::revisions::put;
use crate::journal::{Journal, JournalError};
use crate::report::ToldCommit;

const ACCEPTED: &str = "told_commit";
const REFUSED: &str = "told_refused_commit";

/// Which commit was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The one that is converged.
    Accepted,
    /// The newest one, which was refused.
    Refused,
}

impl Told {
    fn fact(self) -> &'static str {
        match self {
            Self::Accepted => ACCEPTED,
            Self::Refused => REFUSED,
        }
    }
}

impl Journal {
    /// What a commit was told last.
    pub fn told_commit(&self, which: Told) -> Result<Option<ToldCommit>, JournalError> {
        self.fact(which.fact())
    }

    /// Writes down what a commit was told.
    pub fn note_told_commit(&self, which: Told, told: &ToldCommit) -> Result<(), JournalError> {
        self.writing(|transaction| put(transaction, which.fact(), told))
    }
}
