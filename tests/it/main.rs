//! One binary for all integration tests: linking it once is what takes time. One file a behaviour.

mod converge;
mod decisions;
mod failures;
mod removal;
mod revisions;
mod tidy;
mod world;
