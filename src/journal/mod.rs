//! What survives a restart, in SQLite. Losing it costs calls and approvals, never a stack: what a
//! process wrote survives its death; a loss of power may take the last writes, never the file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ids::Digest;
use crate::moment::Moment;

mod commit_status;
mod deletions;
mod drift;
mod error;
mod file;
mod history;
mod lengths;
mod lock;
mod outbox;
mod revisions;
mod rollouts;
mod schema;
mod stacks;
mod steering;

pub use crate::report::{AcceptedRevision, Event, RefusedRevision, Subject};
pub use commit_status::Told;
pub use error::JournalError;
pub use file::SetAside;
pub use history::{About, MAX_EVENTS};
pub use lock::ActingLock;
pub use outbox::{Claimed, MAX_WAITING, Next, Retry};
pub use rollouts::KeptRollout;
pub use stacks::Filter;

/// An open journal. Clones share it; every call is short and blocks the thread while it lasts.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connection: Mutex<Connection>,
    /// `None` for a journal in memory.
    path: Option<PathBuf>,
    /// Device and number of the file, by which another one in its place is told.
    identity: Option<(u64, u64)>,
    opened_at: Moment,
    controller_id: String,
    secret: [u8; 32],
}

impl Journal {
    /// Opens the journal at `path` to act with it; folder and file are made when missing. A damaged
    /// file is set aside and a new one started; a file of a newer format is an error. A new file
    /// gets its id and its key from the operating system's randomness, or from `seed` in
    /// simulations, which must give the same bytes again and never wait for another process: in one
    /// thread nobody would give the file free meanwhile.
    pub fn open(
        path: &Path,
        now: Moment,
        seed: Option<u64>,
    ) -> Result<(Self, Option<SetAside>), JournalError> {
        let (connection, aside) = file::open(path, now)?;
        if seed.is_some() {
            connection
                .busy_timeout(Duration::ZERO)
                .map_err(|source| JournalError::of_sqlite(path, source))?;
        }
        Ok((Self::over(connection, Some(path.to_owned()), now, seed)?, aside))
    }

    /// Opens the journal at `path` beside a controller that may be running; `None` when there is
    /// none yet. A damaged file is an error: only a process that acts may set it aside.
    pub fn open_existing(path: &Path, now: Moment) -> Result<Option<Self>, JournalError> {
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(source) => return Err(JournalError::of_io(path, source)),
        }
        let connection = file::connect(path)?;
        Self::over(connection, Some(path.to_owned()), now, None).map(Some)
    }

    /// A journal that ends with the process.
    pub fn in_memory() -> Result<Self, JournalError> {
        let failed = |source| JournalError::of_sqlite(Path::new(MEMORY), source);
        let mut connection = Connection::open_in_memory().map_err(failed)?;
        file::prepare(&mut connection).map_err(failed)?;
        Self::over(connection, None, Moment::default(), Some(0))
    }

    fn over(
        mut connection: Connection,
        path: Option<PathBuf>,
        opened_at: Moment,
        seed: Option<u64>,
    ) -> Result<Self, JournalError> {
        let failed =
            |source| JournalError::of_sqlite(path.as_deref().unwrap_or(Path::new(MEMORY)), source);
        let secret = revisions::key(&mut connection, seed).map_err(failed)?;
        let controller_id = hex::encode(&Digest::of(&secret).as_bytes()[..4]);
        let connection = Mutex::new(connection);
        let identity = path.as_deref().and_then(file::identity);
        Ok(Self(Arc::new(Shared { connection, path, identity, opened_at, controller_id, secret })))
    }

    /// Fails when somebody removed or replaced the file.
    pub fn still_there(&self) -> Result<(), JournalError> {
        match &self.0.path {
            Some(path) if file::identity(path) != self.0.identity => {
                Err(JournalError::Gone { path: path.clone() })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Who we are in the tokens of our calls: eight hexadecimal characters, made once per file.
    pub fn controller_id(&self) -> &str {
        &self.0.controller_id
    }

    /// The key of the hashes of NoEcho values, made once per file.
    pub fn secret(&self) -> [u8; 32] {
        self.0.secret
    }

    /// The hash under this journal's key of a value that itself must not be kept.
    pub fn keyed_hash(&self, text: &str) -> Digest {
        Digest::of_parts([self.0.secret.as_slice(), text.as_bytes()])
    }

    /// Lets the file grow to no more than this many pages of 4 KB: a disk that is full, for those
    /// who want to see what happens then.
    pub fn limit_pages(&self, pages: u32) -> Result<(), JournalError> {
        self.reading(|connection| connection.pragma_update(None, "max_page_count", pages))
    }

    /// The right to act, until it is dropped. Fails with `AnotherActs` while another has it.
    pub fn lock_for_acting(&self) -> Result<ActingLock, JournalError> {
        match &self.0.path {
            Some(path) => ActingLock::take(path, self.0.opened_at),
            None => Ok(ActingLock::of_memory()),
        }
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A thread that panicked inside a transaction has rolled it back: the connection is good.
        self.0.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self) -> &Path {
        self.0.path.as_deref().unwrap_or(Path::new(MEMORY))
    }

    /// Does `work` on the connection, outside a transaction.
    fn reading<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        work(&self.connection()).map_err(|error| self.failed(error))
    }

    /// Does `work` in one transaction that excludes other writers from its first read on.
    fn writing<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        let mut connection = self.connection();
        let done = (|| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })();
        done.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: rusqlite::Error) -> JournalError {
        JournalError::of_sqlite(self.path(), error)
    }
}

/// What errors call a journal that has no file.
const MEMORY: &str = "the journal in memory";

/// A value as the JSON text of a row.
fn to_row<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// A value from the JSON text in column `index` of a row.
fn from_row<T: DeserializeOwned>(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(index)?.as_str()?;
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            index,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}

/// Moments are stored as SQLite's signed integers, which hold them until the year 292278994.
fn stored(moment: Moment) -> i64 {
    i64::try_from(moment.as_millis()).unwrap_or(i64::MAX)
}

fn moment(stored: i64) -> Moment {
    Moment::from_millis(u64::try_from(stored).unwrap_or(0))
}

#[cfg(test)]
mod tests;
