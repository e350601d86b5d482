//! `driftless tenant`: edits of Tenant documents in place, for people and scripts that write pull
//! requests.

mod add;
pub(super) mod desk;
mod offboard;
mod set;
mod setting;

use std::io::Write;

use clap::Subcommand;

use crate::cli::Failure;
use crate::cli::context::{Ending, Format};
use crate::report::Edited;
use crate::settings::Settings;

/// What to do with a tenant's document.
#[derive(Subcommand, Clone, Debug)]
pub(super) enum TenantCommand {
    Add(add::AddArgs),
    Set(set::SetArgs),
    Offboard(offboard::OffboardArgs),
}

/// Edits the files as they lie; nothing is committed, and nothing is written that has an error.
pub(super) fn run(
    command: &TenantCommand,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    let (edited, format) = match command {
        TenantCommand::Add(args) => (add::run(args, settings)?, args.format),
        TenantCommand::Set(args) => (set::run(args, settings)?, args.format),
        TenantCommand::Offboard(args) => (offboard::run(args, settings)?, args.format),
    };
    tell(&edited, format, out)?;
    Ok(Ending::Good)
}

fn tell(edited: &Edited, format: Format, out: &mut dyn Write) -> Result<(), Failure> {
    match format {
        Format::Text => write!(out, "{}", edited.text())?,
        Format::Json => writeln!(out, "{:#}", edited.json())?,
    }
    Ok(())
}
