//! Keeps in the journal what is learned of how long operations take.

use std::time::Duration;

use crate::controller::{Controller, ControllerError};
use crate::moment::Moment;

/// What is lost when the process dies costs a few looks, and a write for each pass would cost more.
const PERIOD: Duration = Duration::from_secs(10 * 60);

/// What the journal has of it.
#[derive(Debug)]
pub(super) struct Written {
    at: Moment,
    /// How many operations were noted then.
    noted: u64,
}

impl Written {
    /// The journal has all that is known at `now`.
    pub(super) fn at(now: Moment) -> Self {
        Self { at: now, noted: 0 }
    }
}

impl Controller {
    /// Begins with what the journal knows.
    pub(super) fn recall_lengths(&mut self) -> Result<(), ControllerError> {
        *self.board.learned() = self.settings.journal.lengths()?;
        Ok(())
    }

    /// Writes what was learned, if the last time is long ago.
    pub(super) fn note_lengths(&mut self) -> Result<(), ControllerError> {
        let is_due = self.settings.clock.now().since(self.lengths.at) >= PERIOD;
        if is_due { self.write_lengths() } else { Ok(()) }
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
        self.lengths = Written { at: self.settings.clock.now(), noted: learned.noted() };
        Ok(())
    }
}
