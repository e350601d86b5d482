//! How long operations take, as far as it is learned: a few rows, written now and then.

use rusqlite::params;

use crate::ids::ServiceName;
use crate::journal::stacks::name;
use crate::journal::{Journal, JournalError, from_row, to_row};
use crate::plan::Learned;

impl Journal {
    /// What was learned of operations.
    pub fn lengths(&self) -> Result<Learned, JournalError> {
        self.reading(|connection| {
            connection
                .prepare_cached("SELECT service, step, record FROM lengths")?
                .query_map([], |row| {
                    let service: ServiceName = name(row, 0)?;
                    Ok((service, row.get(1)?, from_row(row, 2)?))
                })?
                .collect()
        })
    }

    /// From now on exactly this is learned.
    pub fn replace_lengths(&self, learned: &Learned) -> Result<(), JournalError> {
        self.writing(|transaction| {
            transaction.execute("DELETE FROM lengths", [])?;
            let sql = "INSERT INTO lengths (service, step, record) VALUES (?, ?, ?)";
            let mut insert = transaction.prepare_cached(sql)?;
            for (service, step, lengths) in learned.parts() {
                insert.execute(params![service.as_str(), step, to_row(lengths)?])?;
            }
            Ok(())
        })
    }
}
