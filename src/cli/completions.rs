//! `driftless completions`: what a shell needs to complete commands, flags and their values.

use std::io::Write;

use clap::{Args, Command};
use clap_complete::Shell;

use crate::cli::Failure;
use crate::cli::context::Ending;

#[derive(Args, Clone, Debug)]
pub(super) struct CompletionsArgs {
    /// The shell that shall complete
    shell: Shell,
}

/// Prints the script, which the shell reads when it starts.
pub(super) fn run(
    args: &CompletionsArgs,
    mut program: Command,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    // The generator panics where it cannot write, and a reader may go.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "driftless", &mut script);
    out.write_all(&script)?;
    Ok(Ending::Good)
}
