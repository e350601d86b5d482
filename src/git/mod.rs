//! Reads a revision of the fleet into a [`Snapshot`](crate::snapshot::Snapshot), straight from git's
//! object database, fetches that of a remote one, and notices that a ref moved. An error is never an
//! empty snapshot.

mod address;
mod committed;
mod error;
mod fetch_error;
mod fetching;
mod folder;
mod init;
mod program;
mod remote;
mod signers;
mod source;
mod tally;
mod watch;

pub use crate::git::address::Address;
pub use crate::git::error::GitError;
pub use crate::git::fetch_error::{FetchError, Said};
pub use crate::git::fetching::Fetching;
pub use crate::git::init::init_repository;
pub use crate::git::program::GitProgram;
pub use crate::git::remote::{FetchLimits, RemoteSettings};
pub use crate::git::signers::SignersSettings;
pub use crate::git::source::{Place, Source, SourceSettings};
pub use crate::git::watch::{POLL_PERIOD, Watch};
