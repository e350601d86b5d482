//! driftless

pub mod ids;
pub mod moment;
pub mod observed;
pub mod outcome;
pub mod snapshot;
pub mod clock;
pub mod git;
