//! Which stacks we deleted in the last day: what the limit on deletions is counted by.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::ids::StackId;
use crate::journal::{Journal, JournalError, from_row, revisions, steering, stored, to_row};
use crate::moment::Moment;
use crate::plan::deletions::{Deletion, DeletionBook, WINDOW};

/// Rows are kept for longer than they count: a clock that is set a day ahead, and back again, must
/// not take away what went today.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl Journal {
    /// Writes the deletion down if `allowed` says yes to the book as it is then; its `Err` is
    /// handed back and nothing is written. Reading, asking and writing are one transaction: two
    /// workers or two processes can never both take the last place.
    pub fn reserve_deletion<E>(
        &self,
        deletion: &Deletion,
        allowed: impl FnOnce(&DeletionBook) -> Result<(), E>,
    ) -> Result<Result<(), E>, JournalError> {
        self.writing(|transaction| {
            let mut book = book(transaction, deletion.at)?;
            book.last_day.retain(|earlier| earlier.stack != deletion.stack);
            if let Err(refusal) = allowed(&book) {
                return Ok(Err(refusal));
            }
            transaction
                .prepare_cached("DELETE FROM deletions WHERE at <= ?")?
                .execute([stored(deletion.at - KEPT)])?;
            transaction
                .prepare_cached(
                    "INSERT INTO deletions (stack_id, at, record) VALUES (?, ?, ?)
                     ON CONFLICT DO UPDATE SET at = excluded.at, record = excluded.record",
                )?
                .execute(params![
                    deletion.stack.as_str(),
                    stored(deletion.at),
                    to_row(deletion)?
                ])?;
            Ok(Ok(()))
        })
    }

    /// What a deletion would be judged by now.
    pub fn deletion_book(&self, now: Moment) -> Result<DeletionBook, JournalError> {
        self.reading(|connection| book(connection, now))
    }

    /// When this very stack was deleted, if that was within the last day.
    pub fn deleted_at(&self, stack: &StackId, now: Moment) -> Result<Option<Moment>, JournalError> {
        let found: Option<Deletion> = self.reading(|connection| {
            connection
                .prepare_cached("SELECT record FROM deletions WHERE stack_id = ? AND at > ?")?
                .query_row(params![stack.as_str(), stored(now - WINDOW)], |row| from_row(row, 0))
                .optional()
        })?;
        Ok(found.map(|deletion| deletion.at))
    }
}

fn book(connection: &Connection, now: Moment) -> rusqlite::Result<DeletionBook> {
    Ok(DeletionBook {
        last_day: last_day(connection, now)?,
        approvals: steering::approvals(connection, now)?,
        gap_until: revisions::gap_until(connection, now)?,
    })
}

fn last_day(connection: &Connection, now: Moment) -> rusqlite::Result<Vec<Deletion>> {
    connection
        .prepare_cached("SELECT record FROM deletions WHERE at > ? ORDER BY at, stack_id")?
        .query_map([stored(now - WINDOW)], |row| from_row(row, 0))?
        .collect()
}
