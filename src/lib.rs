//! driftless

pub mod ids;
pub mod moment;
pub mod template;
pub mod snapshot;
pub mod observed;
pub mod outcome;
pub mod fleet;
pub mod desired;
pub mod check;
pub mod plan;
pub mod clock;
