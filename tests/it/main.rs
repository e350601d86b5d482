//! One binary for all integration tests: linking it once is what takes time. One file a behaviour.

mod tidy;
