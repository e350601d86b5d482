//! The commands, one file each.

pub mod approve;
pub mod context;
pub mod explain;
pub mod plan;
pub mod resume;
pub mod status;
pub mod suspend;
