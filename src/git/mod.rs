//! Reads a revision of the fleet into a [`Snapshot`](crate::snapshot::Snapshot), straight from git's
//! object database, and notices that a ref moved. An error is never an empty snapshot.

mod committed;
mod error;
mod folder;
mod init;
mod source;
mod tally;
mod watch;

pub use crate::git::error::GitError;
pub use crate::git::init::init_repository;
pub use crate::git::source::{Source, SourceSettings};
pub use crate::git::watch::{POLL_PERIOD, Watch};
