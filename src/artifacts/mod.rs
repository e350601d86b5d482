//! Puts what templates point to into buckets: each content once, named by what is in it, and verified.
//! Nothing is decided here.

mod all;
mod contents;
mod error;
mod making;
mod on_disk;
mod store;

pub use all::{Progress, Uploads};
pub use contents::Contents;
pub use error::ArtifactError;
pub use on_disk::wrong_on_disk;
pub use store::{Artifacts, Put};
