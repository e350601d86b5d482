//! driftless

pub mod ids;
pub mod moment;
pub mod snapshot;
pub mod template;
pub mod observed;
pub mod outcome;
pub mod fleet;
pub mod desired;
pub mod check;
pub mod plan;
pub mod report;

pub mod clock;
pub mod git;
pub mod aws;
pub mod journal;
pub mod observe;
pub mod act;

pub mod board;
pub mod reconcile;
pub mod controller;

pub mod sim;
pub mod settings;
pub mod cli;
