//! `driftless import`: documents from stacks that exist already, for the pull request that takes them
//! over.

mod accounts;
mod desk;
mod stack_set;
mod stacks;

use std::io::Write;

use clap::Subcommand;

use crate::cli::Failure;
use crate::cli::context::{Ending, Format};
use crate::clock::Clock;
use crate::report::output::Imported;
use crate::settings::Settings;

/// What documents are written from.
#[derive(Subcommand, Clone, Debug)]
pub(super) enum ImportCommand {
    #[command(name = "stackset")]
    StackSet(stack_set::StackSetArgs),
    Stacks(stacks::StacksArgs),
}

/// Writes into the files as they lie; nothing is committed, nothing in AWS is changed, and nothing is
/// written that has an error.
pub(super) fn run(
    command: &ImportCommand,
    settings: &Settings,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    let how = match command {
        ImportCommand::StackSet(args) => &args.how,
        ImportCommand::Stacks(args) => &args.how,
    };
    // What is wrong with flags is told before anybody is asked.
    how.references()?;
    let (imported, format) = match command {
        ImportCommand::StackSet(args) => (stack_set::run(args, settings, clock)?, args.how.format),
        ImportCommand::Stacks(args) => (stacks::run(args, settings, clock)?, args.how.format),
    };
    tell(&imported, format, out)?;
    Ok(if imported.left_out.is_empty() { Ending::Good } else { Ending::NeedsAttention })
}

fn tell(imported: &Imported, format: Format, out: &mut dyn Write) -> Result<(), Failure> {
    match format {
        Format::Text => write!(out, "{}", imported.text())?,
        Format::Json => writeln!(out, "{:#}", imported.json())?,
    }
    Ok(())
}
