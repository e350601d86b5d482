//! One binary for all integration tests: linking it once is what takes time. One file a behaviour.

#![allow(clippy::unwrap_used, reason = "all of this is tests")]

mod converge;
mod decisions;
mod failures;
mod kill;
mod removal;
mod revisions;
mod sample;
mod schemas;
mod scripts;
mod tidy;
mod world;
