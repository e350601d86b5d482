//! `driftless drift`: look into stacks, say what drifted, accept it in git, or bring it back.

mod accept;
mod detect;
mod report;
mod revert;

use std::io::Write;

use clap::{Args, Subcommand};

use crate::cli::Failure;
use crate::cli::context::{Context, Ending};
use crate::clock::Clock;
use crate::drift::{DriftRecord, Finding};
use crate::ids::{ServiceName, TenantName};
use crate::journal::Filter;
use crate::settings::Settings;

/// What to do about drift.
#[derive(Subcommand, Clone, Debug)]
pub(super) enum DriftCommand {
    Detect(detect::DetectArgs),
    Report(report::ReportArgs),
    Accept(accept::AcceptArgs),
    Revert(revert::RevertArgs),
}

/// Which stacks.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Which {
    /// Only this tenant
    #[arg(long, value_name = "NAME")]
    tenant: Option<TenantName>,
    /// Only this service
    #[arg(long, value_name = "NAME")]
    service: Option<ServiceName>,
}

/// Which findings.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct WhichFindings {
    #[command(flatten)]
    which: Which,
    /// Only this resource: its name in the template, below those of nested stacks (Child/Queue)
    #[arg(long, value_name = "LOGICAL_ID")]
    resource: Option<String>,
    /// Only this property and what is in it, a JSON pointer such as /MemorySize
    #[arg(long, value_name = "POINTER")]
    property: Option<String>,
}

impl Which {
    fn filter(&self) -> Filter {
        Filter { tenant: self.tenant.clone(), service: self.service.clone(), name: None }
    }
}

impl WhichFindings {
    fn fits(&self, finding: &Finding) -> bool {
        let property = finding.property().unwrap_or_default();
        let is_property =
            |wanted: &String| property == *wanted || property.starts_with(&format!("{wanted}/"));
        self.resource.as_ref().is_none_or(|resource| finding.place() == *resource)
            && self.property.as_ref().is_none_or(is_property)
    }

    /// The records that have such findings, with those alone.
    fn among(&self, records: Vec<DriftRecord>) -> Vec<DriftRecord> {
        let keep = |mut record: DriftRecord| {
            record.findings.retain(|finding| self.fits(finding));
            record.foreign_at = None;
            (!record.findings.is_empty()).then_some(record)
        };
        records.into_iter().filter_map(keep).collect()
    }
}

/// Does it.
pub(super) fn run(
    command: &DriftCommand,
    settings: &Settings,
    clock: &Clock,
    context: &Context,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    match command {
        DriftCommand::Detect(args) => detect::run(args, settings, clock, out),
        DriftCommand::Report(args) => Ok(report::run(args, context, out)?),
        DriftCommand::Accept(args) => accept::run(args, settings, context, out),
        DriftCommand::Revert(args) => revert::run(args, settings, context, out),
    }
}
