//! The file of the journal: made with its folder, opened, brought to the newest format, and set
//! aside when it is damaged.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use crate::journal::JournalError;
use crate::journal::lock::{ActingLock, beside};
use crate::journal::schema::{self, FORMAT, Kind};
use crate::moment::Moment;

/// How long a call waits for another process that writes; a transaction takes milliseconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements kept; the journal has about thirty.
const STATEMENTS: usize = 64;

/// A damaged journal that was put out of the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Where it was; a new and empty one is there now.
    pub from: PathBuf,
    /// Where it is now.
    pub to: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

/// Opens the file for acting: makes it when it is missing, checks every page, and sets a damaged
/// one aside.
pub(super) fn open(
    path: &Path,
    now: Moment,
) -> Result<(Connection, Option<SetAside>), JournalError> {
    if path.is_dir() {
        return Err(JournalError::NotAJournal { path: path.to_owned() });
    }
    make(path)?;
    match connect(path).and_then(|connection| check(path, connection)) {
        Ok(connection) => Ok((connection, None)),
        Err(JournalError::Corrupt { source, .. }) => {
            let aside = set_aside(path, now, source.to_string())?;
            make(path)?;
            Ok((connect(path)?, Some(aside)))
        }
        Err(error) => Err(error),
    }
}

/// Opens the file as it is, without the check that reads all of it.
pub(super) fn connect(path: &Path) -> Result<Connection, JournalError> {
    if path.is_dir() || is_text(path) {
        return Err(JournalError::NotAJournal { path: path.to_owned() });
    }
    let failed = |source| JournalError::of_sqlite(path, source);
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    match schema::kind(&connection).map_err(failed)? {
        Kind::Ours => {}
        Kind::Newer(found) => {
            return Err(JournalError::Newer { path: path.to_owned(), found, known: FORMAT });
        }
        Kind::Foreign => return Err(JournalError::NotAJournal { path: path.to_owned() }),
    }
    // WAL lets `status` read while a controller writes. With NORMAL a transaction that was
    // committed survives the death of the process; a loss of power may take the last ones, never
    // the file. That is enough: an attempt that is forgotten is found again by looking at AWS.
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    prepare(&mut connection).map_err(failed)?;
    Ok(connection)
}

/// Settings and tables that a file and a journal in memory have in common.
pub(super) fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    schema::migrate(connection)
}

/// Fails with `Corrupt` when a page of the file is damaged: found now, it can be set aside; found
/// later, it would stop the controller again and again.
fn check(path: &Path, connection: Connection) -> Result<Connection, JournalError> {
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|source| JournalError::of_sqlite(path, source))?;
    if verdict == "ok" {
        return Ok(connection);
    }
    Err(JournalError::Corrupt { path: path.to_owned(), source: verdict.into() })
}

/// Device and number of the file that is there now.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// Makes the folder and an empty file that only this user may read: the journal holds the key of
/// the hashes of secret values.
fn make(path: &Path) -> Result<(), JournalError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| JournalError::of_io(folder, source))?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(JournalError::of_io(path, error)),
    }
}

/// Whether the file is somebody's text: a wrong `--state` must not move it away.
fn is_text(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(4_096).read_to_end(&mut start));
    // Every SQLite file has zero bytes in its header.
    read.is_ok() && !start.is_empty() && !start.contains(&0)
}

/// Renames the damaged file and what SQLite keeps beside it, unless another process acts on it.
fn set_aside(path: &Path, now: Moment, why: String) -> Result<SetAside, JournalError> {
    let _lock = ActingLock::take(path, now)?;
    let to = beside(path, &format!(".corrupt-{}", now.to_string().replace([':', '.'], "-")));
    for ending in ["", "-wal", "-shm"] {
        let from = beside(path, ending);
        match fs::rename(&from, beside(&to, ending)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(JournalError::of_io(&from, error)),
        }
    }
    Ok(SetAside { from: path.to_owned(), to, why })
}
