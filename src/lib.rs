//! driftless

pub mod ids;
pub mod moment;
pub mod snapshot;
pub mod observed;
pub mod outcome;
pub mod plan;
pub mod report;
pub mod clock;
pub mod journal;
pub mod cli;
