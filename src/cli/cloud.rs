//! `driftless cloud`: a person at the console of the simulated cloud, whom driftless does not know
//! about, and its port for other clients. It works on the same folder as a running controller.

mod drift;
mod serve;
mod show;

use std::collections::BTreeMap;
use std::io::Write;

use clap::{Args, Subcommand};

use crate::cli::Failure;
use crate::cli::context::{Ending, Format};
use crate::cli::opening::{open, simulated_cloud};
use crate::clock::Clock;
use crate::ids::{AccountId, Region, StackKey};
use crate::settings::Settings;
use crate::sim::{Console, StackView};

#[derive(Subcommand, Clone, Debug)]
pub(super) enum CloudCommand {
    /// List stacks: of the whole cloud, of an account, or of one region of it
    Stacks(Place),
    /// Show one stack: status, parameters, tags, outputs, resources
    Stack(ShownStack),
    /// Show what happened to one stack
    Events(ShownStack),
    /// Delete a stack
    DeleteStack(OneStack),
    /// Give a stack another tag, or another value for one
    SetTag(Pair),
    /// Give a parameter of a stack another value
    SetParameter(Pair),
    /// Change or delete one resource of a stack, so that CloudFormation does not know
    Drift(drift::DriftArgs),
    /// Switch the termination protection of a stack
    Protect {
        /// ACCOUNT/REGION/NAME
        stack: StackKey,
        /// Off instead of on
        #[arg(long)]
        off: bool,
    },
    /// Serve the simulated cloud to any AWS client, until told to stop
    Serve(serve::ServeArgs),
    /// Print keys of an account of the simulated cloud
    Keys(serve::KeysArgs),
}

#[derive(Args, Clone, Debug)]
pub(super) struct Place {
    /// Which account; without it, all of them
    account: Option<AccountId>,
    /// Which region; without it, those in which anything stands
    region: Option<Region>,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Args, Clone, Debug)]
pub(super) struct OneStack {
    /// ACCOUNT/REGION/NAME
    stack: StackKey,
}

#[derive(Args, Clone, Debug)]
pub(super) struct ShownStack {
    /// ACCOUNT/REGION/NAME
    stack: StackKey,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Args, Clone, Debug)]
pub(super) struct Pair {
    /// ACCOUNT/REGION/NAME
    stack: StackKey,
    /// NAME=VALUE
    #[arg(value_parser = pair)]
    pair: (String, String),
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| "write NAME=VALUE".to_owned())?;
    if name.is_empty() { Err("write NAME=VALUE".into()) } else { Ok((name.into(), value.into())) }
}

/// Does what the person asks, in the cloud beside the journal.
pub(super) fn run(
    command: &CloudCommand,
    settings: &Settings,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    let folder = settings.cloud_folder();
    // Clients out there may well be the first to make something.
    let may_be_new = matches!(command, CloudCommand::Serve(_));
    if !may_be_new && !folder.is_dir() {
        return Err(Failure::new(
            format!("there is no simulated cloud in `{}` yet", folder.display()),
            "start `driftless run` or `driftless apply` on a fleet with `cloud: simulated` first",
        ));
    }
    // Only calls of others meet roles: whoever is at the console here may do everything.
    let desired =
        if may_be_new { open(settings, clock).ok().and_then(|one| one.desired) } else { None };
    let fleet = desired.as_ref().map(|desired| &*desired.fleet);
    let cloud = simulated_cloud(fleet, settings, clock)?;
    let console = cloud.console();
    match command {
        CloudCommand::Serve(args) => serve::serve(args, &cloud, (fleet, settings), clock, out)?,
        CloudCommand::Keys(args) => serve::keys(args, &cloud, out)?,
        CloudCommand::Stacks(place) => show::stacks(place, &console, out)?,
        CloudCommand::Stack(one) => show::stack(one, &console, out)?,
        CloudCommand::Events(one) => show::events(one, &console, out)?,
        CloudCommand::DeleteStack(one) => {
            the_stack(&one.stack, &console)?;
            console.delete_stack(&one.stack)?;
            writeln!(out, "{} is being deleted", one.stack)?;
        }
        CloudCommand::SetTag(Pair { stack, pair: (name, value) }) => {
            let mut tags = the_stack(stack, &console)?.tags;
            tags.insert(name.clone(), value.clone());
            console.update_tags(stack, &tags)?;
            writeln!(out, "{stack} is being updated: the tag {name} becomes {value}")?;
        }
        CloudCommand::SetParameter(Pair { stack, pair: (name, value) }) => {
            the_stack(stack, &console)?;
            console.update_parameters(stack, &BTreeMap::from([(name.clone(), value.clone())]))?;
            writeln!(out, "{stack} is being updated: the parameter {name} gets another value")?;
        }
        CloudCommand::Drift(args) => {
            drift::drift(args, &the_stack(&args.stack, &console)?, &console, out)?;
        }
        CloudCommand::Protect { stack, off } => {
            the_stack(stack, &console)?;
            console.protect(stack, !off)?;
            let word = if *off { "off" } else { "on" };
            writeln!(out, "{stack}: termination protection is {word}")?;
        }
    }
    Ok(Ending::Good)
}

fn the_stack(key: &StackKey, console: &Console) -> Result<StackView, Failure> {
    let help = "`driftless cloud stacks` lists what there is";
    let missing = || Failure::new(format!("there is no stack {key} in the simulated cloud"), help);
    console.stack(key)?.ok_or_else(missing)
}
