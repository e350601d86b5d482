//! Why the journal could not do what it was asked; each variant says what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why a call of the journal failed. Nothing of it was written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process kept the file locked for longer than we wait. Trying again may help.
    #[error(
        "{} is locked by another process that writes to it: try again, or see which process has \
         it open",
        path.display()
    )]
    Locked {
        /// The journal.
        path: PathBuf,
    },
    /// The disk is full. Acting must stop: an attempt that is not written may not be made.
    #[error("the disk that holds {} is full: make room, then start again", path.display())]
    Full {
        /// The journal.
        path: PathBuf,
    },
    /// The file or its folder may not be written.
    #[error(
        "{} may not be written: give this user the right to write the file and its folder, or name \
         another file with --state",
        path.display()
    )]
    ReadOnly {
        /// The journal.
        path: PathBuf,
    },
    /// A newer driftless wrote the file; it is left as it is.
    #[error(
        "{} was written by a newer driftless (format {found}; this one knows {known}): use that \
         version, or name another file with --state",
        path.display()
    )]
    Newer {
        /// The journal.
        path: PathBuf,
        /// The format of the file.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// The file is a database, but no journal; it is left as it is.
    #[error("{} is the database of another program: name another file with --state", path.display())]
    NotAJournal {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged. The next `run` or `apply` sets it aside and starts a new one.
    #[error(
        "{} is damaged: start `driftless run` or `driftless apply`, which sets it aside and \
         rebuilds what is known from AWS",
        path.display()
    )]
    Corrupt {
        /// The journal.
        path: PathBuf,
        /// What SQLite says, or that its check of the file failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A row does not read as what it should be.
    #[error(
        "a row of {} does not read: move the file away; what is known is rebuilt from AWS",
        path.display()
    )]
    Row {
        /// The journal.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Somebody removed or replaced the file while it was in use.
    #[error(
        "{} was removed or replaced while driftless acted on it: nothing would remember what is \
         started now, and nobody would hear what is said in another file. Start again: what is known \
         is rebuilt from AWS",
        path.display()
    )]
    Gone {
        /// The journal.
        path: PathBuf,
    },
    /// Another process of this fleet is acting. Two of them would work against each other.
    #[error(
        "another driftless is acting on {} ({holder}): wait for it or stop it; `status`, `explain`, \
         `approve` and `suspend` work beside it",
        path.display()
    )]
    AnotherActs {
        /// The journal.
        path: PathBuf,
        /// `process 4711, since 2026-11-23T20:21:00.000Z`, as its lock file says.
        holder: String,
    },
    /// Nothing with this id waits for approval.
    #[error("{}", unknown_request(id, live))]
    UnknownRequest {
        /// What was asked for.
        id: String,
        /// What does wait: id and summary.
        live: Vec<(String, String)>,
    },
    /// The file system refused something.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// SQLite refused something else.
    #[error("the journal {} failed", path.display())]
    Sqlite {
        /// The journal.
        path: PathBuf,
        /// What it said.
        #[source]
        source: rusqlite::Error,
    },
}

impl JournalError {
    /// The variant that an error of SQLite means.
    pub(super) fn of_sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        if let rusqlite::Error::FromSqlConversionFailure(_, _, source) = source {
            return Self::Row { path, source };
        }
        let code = source.sqlite_error_code();
        let is = |codes: &[ErrorCode]| code.is_some_and(|code| codes.contains(&code));
        if is(&[ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked]) {
            Self::Locked { path }
        } else if is(&[ErrorCode::DiskFull]) {
            Self::Full { path }
        } else if is(&[ErrorCode::ReadOnly, ErrorCode::PermissionDenied, ErrorCode::CannotOpen]) {
            Self::ReadOnly { path }
        } else if is(&[ErrorCode::DatabaseCorrupt, ErrorCode::NotADatabase]) {
            Self::Corrupt { path, source: source.into() }
        } else {
            Self::Sqlite { path, source }
        }
    }

    /// The variant that an error of the file system means.
    pub(super) fn of_io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if matches!(
            source.kind(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
        ) {
            Self::ReadOnly { path }
        } else if source.kind() == io::ErrorKind::StorageFull {
            Self::Full { path }
        } else {
            Self::Io { path, source }
        }
    }
}

fn unknown_request(id: &str, live: &[(String, String)]) -> String {
    if live.is_empty() {
        return format!("nothing waits for approval, so `{id}` does not either");
    }
    let lines: String = live.iter().map(|(id, summary)| format!("\n  {id}  {summary}")).collect();
    format!(
        "nothing with the id `{id}` waits for approval (an id changes when its members do); what \
         waits:{lines}"
    )
}
