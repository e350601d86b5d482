//! Parses, runs and turns the ending into an exit code.

use std::process::ExitCode;

/// A look makes thousands of small values from XML and JSON: a third of its time went to the
/// system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    driftless::cli::main(std::env::args_os())
}
