//! The commands, one file each, and what is common to them: flags, exit codes, errors.

mod apply;
pub mod approve;
pub mod bootstrap;
mod cloud;
pub mod context;
mod converge;
pub mod doctor;
mod drift;
pub mod explain;
mod failure;
mod init;
mod log;
mod narrator;
mod notify_test;
mod opening;
mod plan;
mod plan_file;
mod progress;
mod render;
pub mod resume;
pub mod rollout;
mod run;
mod sample;
mod schema;
pub mod status;
pub mod suspend;
mod tenant;
mod validate;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cli::context::{Context, Ending};
use crate::cli::failure::ERROR_CODE;
use crate::clock::Clock;
use crate::settings::{Flags, Settings};

pub use failure::Failure;

/// GitOps for a fleet of AWS accounts: one git repository of tenants, thousands of CloudFormation
/// stacks, no drift.
#[derive(Parser)]
#[command(
    name = "driftless",
    version,
    disable_help_flag = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "Exit codes: 0 done; 1 error or findings; 2 a plan has changes; 3 some stacks failed, are held \
                  or cannot be seen.\nAWS settings are the SDK's own: AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL, ..."
)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a new fleet repository
    Init(init::InitArgs),
    /// Check the fleet: all findings, without AWS
    Validate(validate::ValidateArgs),
    /// Print the JSON Schemas of documents and of --format json, or write them to a folder
    Schema(schema::SchemaArgs),
    /// Show the wanted stacks: parameters, tags, template
    Render(render::RenderArgs),
    Plan(plan::PlanArgs),
    /// Converge once, show how it goes, and exit
    Apply(apply::ApplyArgs),
    /// Watch git and keep the fleet converged until told to stop
    Run,
    Bootstrap(bootstrap::BootstrapArgs),
    /// Show where every stack stands and why
    Status(status::StatusArgs),
    /// Show one stack: wanted, seen, decision, why it waits, what failed
    Explain(explain::ExplainArgs),
    /// List what waits for approval, or approve one of them
    Approve(approve::ApproveArgs),
    /// Stop new steps in the fleet, a service or a tenant
    Suspend(suspend::SuspendArgs),
    /// End a suspension
    Resume(resume::ResumeArgs),
    /// Show how releases go out, and halt, resume or take back one
    #[command(subcommand)]
    Rollout(rollout::RolloutCommand),
    /// Look into stacks for drift, say what drifted, accept it in git, or bring it back
    #[command(subcommand)]
    Drift(drift::DriftCommand),
    Doctor(doctor::DoctorArgs),
    /// Edit a tenant's document in place, for pull requests: add, set, offboard
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Test the channels that are told what happens
    #[command(subcommand)]
    Notify(notify_test::NotifyCommand),
    /// Look into the simulated cloud, change a stack behind driftless's back, or serve it to others
    #[command(subcommand)]
    Cloud(cloud::CloudCommand),
}

/// The whole program: parses `arguments`, does what they ask, and says how it ended.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let Cli { flags, command } = cli;
    let settings = match Settings::of(flags) {
        Ok(settings) => settings,
        Err(wrong) => {
            let (what, help) = wrong.split_once(": ").unwrap_or((&wrong, "see --help"));
            return failed(&Failure::new(what, help), false);
        }
    };
    match dispatch(command, &settings, &mut io::stdout().lock()) {
        Ok(ending) => ExitCode::from(ending.code()),
        Err(failure) => failed(&failure, settings.terminal.colour_err),
    }
}

/// What clap says: help and version go to stdout, the rest is an error of usage.
fn usage(error: &clap::Error) -> ExitCode {
    // Nobody is left to tell when this fails.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(ERROR_CODE) } else { ExitCode::SUCCESS }
}

fn failed(failure: &Failure, colour: bool) -> ExitCode {
    if failure.is_silent {
        return ExitCode::SUCCESS;
    }
    // Nobody is left to tell when this fails.
    let _ = io::stderr().write_all(failure.text(colour).as_bytes());
    ExitCode::from(ERROR_CODE)
}

fn dispatch(command: Command, settings: &Settings, out: &mut dyn Write) -> Result<Ending, Failure> {
    let clock = Clock::of_this_machine();
    let context = Context {
        journal_path: settings.state.clone(),
        clock: clock.clone(),
        user: settings.user.clone(),
    };
    let ending = match command {
        Command::Init(args) => init::run(&args, out)?,
        Command::Validate(args) => validate::run(&args, settings, &clock, out)?,
        Command::Schema(args) => schema::run(&args, out)?,
        Command::Render(args) => render::run(&args, settings, &clock, out)?,
        Command::Plan(args) => plan::run(&args, settings, &clock, out)?,
        Command::Apply(args) => apply::run(&args, settings, &clock, &context, out)?,
        Command::Run => run::run(settings, &clock)?,
        Command::Bootstrap(args) => bootstrap::run(&args, settings, &clock, out)?,
        Command::Status(args) => status::run(&args, &context, out)?,
        Command::Explain(args) => {
            let wave =
                |record: &_, journal: &_| rollout::wave_of(record, settings, &context, journal);
            explain::run(&args, &context, &wave, out)?
        }
        Command::Approve(args) => approve::run(&args, &context, out)?,
        Command::Suspend(args) => suspend::run(&args, &context, out)?,
        Command::Resume(args) => resume::run(&args, &context, out)?,
        Command::Rollout(command) => rollout::run(&command, settings, &context, out)?,
        Command::Drift(command) => drift::run(&command, settings, &clock, &context, out)?,
        Command::Doctor(args) => doctor::run(&args, settings, &clock, out)?,
        Command::Tenant(command) => tenant::run(&command, settings, out)?,
        Command::Notify(command) => notify_test::run(&command, settings, &clock, out)?,
        Command::Cloud(command) => cloud::run(&command, settings, &clock, out)?,
    };
    out.flush()?;
    Ok(ending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }
}
