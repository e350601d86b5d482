//! One process acts on a fleet at a time: a lock on a file beside the journal, which the operating
//! system gives back when the process ends in whatever way.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::journal::JournalError;
use crate::moment::Moment;

/// The right to act on the fleet of a journal, until it is dropped.
#[derive(Debug)]
pub struct ActingLock {
    /// `None` for a journal in memory, which no other process can see.
    _file: Option<File>,
}

impl ActingLock {
    /// The lock of a journal that lives in memory.
    pub(super) fn of_memory() -> Self {
        Self { _file: None }
    }

    /// Takes the lock beside the journal at `path`, and writes down who holds it since when.
    pub(super) fn take(path: &Path, since: Moment) -> Result<Self, JournalError> {
        let lock_path = beside(path, ".lock");
        let failed = |source| JournalError::of_io(&lock_path, source);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::AnotherActs {
                    path: path.to_owned(),
                    holder: holder(file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        write!(file, "process {}, since {since}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: Some(file) })
    }
}

/// What the holder wrote; it may be writing it right now.
fn holder(mut file: File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        Ok(_) | Err(_) => "a process that has just started".to_owned(),
    }
}

/// The path of a file that goes with the journal: its own name with `ending`.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}
