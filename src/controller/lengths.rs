//! Keeps in the journal what is learned of how long operations take, and what looking for drift has
//! spent.

use std::time::Duration;

use crate::controller::{Controller, ControllerError};
use crate::drift::Spent;
use crate::moment::Moment;

/// What is lost when the process dies costs a few looks, and a write for each pass would cost more.
const PERIOD: Duration = Duration::from_secs(10 * 60);

/// So much of what looking for drift has spent may be forgotten when the process dies.
const SPENT_PERIOD: Duration = Duration::from_secs(60);

/// What the journal has of it.
#[derive(Debug)]
pub(super) struct Written {
    at: Moment,
    /// How many operations were noted then.
    noted: u64,
    spent: Spent,
}

impl Written {
    /// The journal has all that is known at `now`.
    pub(super) fn at(now: Moment) -> Self {
        Self { at: now, noted: 0, spent: Spent { at: now, ..Spent::default() } }
    }
}

impl Controller {
    /// Begins with what the journal knows.
    pub(super) fn recall_lengths(&mut self) -> Result<(), ControllerError> {
        *self.board.learned() = self.settings.journal.lengths()?;
        self.board.drift_budget().recall(self.settings.journal.drift_spent()?);
        Ok(())
    }

    /// Writes what was learned, if the last time is long ago.
    pub(super) fn note_lengths(&mut self) -> Result<(), ControllerError> {
        let now = self.settings.clock.now();
        if now.since(self.lengths.spent.at) >= SPENT_PERIOD {
            self.write_spent()?;
        }
        if now.since(self.lengths.at) >= PERIOD { self.write_lengths() } else { Ok(()) }
    }

    /// Writes what was learned, if anything was.
    pub(super) fn write_lengths(&mut self) -> Result<(), ControllerError> {
        let desired = self.board.view().desired;
        let mut learned = self.board.learned();
        if learned.noted() == self.lengths.noted {
            return Ok(());
        }
        learned.keep_only(|service| desired.services.contains_key(service));
        self.settings.journal.replace_lengths(&learned)?;
        (self.lengths.at, self.lengths.noted) = (self.settings.clock.now(), learned.noted());
        Ok(())
    }

    /// Writes what looking for drift has spent, if it is anything else than before.
    pub(super) fn write_spent(&mut self) -> Result<(), ControllerError> {
        let spent = self.board.drift_budget().spent(self.settings.clock.now());
        if !spent.left.is_empty() || !self.lengths.spent.left.is_empty() {
            self.settings.journal.put_drift_spent(&spent)?;
        }
        self.lengths.spent = spent;
        Ok(())
    }
}
