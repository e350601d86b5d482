//! `driftless run`: watches git and keeps the fleet converged until it is told to stop.

use tracing::info;

use crate::cli::Failure;
use crate::cli::context::Ending;
use crate::cli::converge::Acting;
use crate::clock::Clock;
use crate::controller::Until;
use crate::settings::Settings;

/// Ends well when it was told to stop and running calls have ended.
pub(super) fn run(settings: &Settings, clock: &Clock) -> Result<Ending, Failure> {
    let acting = Acting::begin(settings, clock)?;
    acting.converge(Until::Stopped, settings.source()?, settings, clock)?;
    info!("stopped; what runs in AWS goes on, and the next start looks what became of it");
    Ok(Ending::Good)
}
