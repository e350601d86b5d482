//! `driftless validate`: everything that is wrong with the fleet, without AWS.

use std::io::Write;

use clap::{Args, ValueEnum};

use crate::cli::Failure;
use crate::cli::context::Ending;
use crate::cli::opening::{Opened, drawn, open};
use crate::clock::Clock;
use crate::desired::Desired;
use crate::report::{counted, findings, sarif};
use crate::settings::Settings;

#[derive(Args, Clone, Debug)]
pub(super) struct ValidateArgs {
    /// How the findings are written
    #[arg(long, value_enum, default_value_t)]
    format: FindingsFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum FindingsFormat {
    /// For people, with the lines themselves
    #[default]
    Text,
    /// One object with a `version`
    Json,
    /// Annotations of a pull request in GitHub Actions
    Github,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

/// Writes all findings. Warnings alone are a clean ending: they refuse nothing.
pub(super) fn run(
    args: &ValidateArgs,
    settings: &Settings,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    let opened = open(settings, clock)?.with_build_outputs(&settings.source()?);
    let folder = settings.fleet_folder().display().to_string();
    let text = match args.format {
        FindingsFormat::Text => text(&opened, settings),
        FindingsFormat::Json => findings::json(&opened.findings, &folder),
        FindingsFormat::Github => findings::github(&opened.findings, &from_top(settings)?),
        FindingsFormat::Sarif => sarif(&opened.findings, &opened.snapshot, &from_top(settings)?),
    };
    out.write_all(text.as_bytes())?;
    Ok(if opened.desired.is_some() { Ending::Good } else { Ending::Findings })
}

/// The fleet folder from the top of its repository: there a git host looks for files, wherever this was
/// run. Outside of one it is as people wrote it.
fn from_top(settings: &Settings) -> Result<String, Failure> {
    let source = settings.source()?;
    let folder = source.folder_in_repository().unwrap_or_else(|| settings.fleet_folder());
    Ok(folder.display().to_string())
}

fn text(opened: &Opened, settings: &Settings) -> String {
    let findings = &opened.findings;
    let drawn = drawn(findings, &opened.snapshot, settings, settings.terminal.colour_out);
    let drawn = if findings.is_empty() { String::new() } else { drawn };
    match &opened.desired {
        Some(desired) => format!("{drawn}good: {} {}\n", opened.has(), size(desired)),
        None => format!("{drawn}refused: {} would not be acted on\n", opened.name()),
    }
}

/// `51 stacks of 4 services for 12 tenants, and 5 stacks asked to go`
fn size(desired: &Desired) -> String {
    let standing = desired.all_standing().count();
    let going = match desired.stack_count() - standing {
        0 => String::new(),
        count => format!(", and {} asked to go", counted(count, "stack")),
    };
    format!(
        "{} of {} for {}{going}",
        counted(standing, "stack"),
        counted(desired.services.len(), "service"),
        counted(desired.tenants.len(), "tenant"),
    )
}
