//! Parses, runs and turns the ending into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    driftless::cli::main(std::env::args_os())
}
