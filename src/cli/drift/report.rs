//! `driftless drift report`: what drifted, from the journal alone.

use std::io::Write;

use clap::{Args, ValueEnum};

use crate::cli::context::{CommandError, Context, Ending};
use crate::cli::drift::Which;
use crate::report::DriftReport;

/// Say what drifted, equal drift together, the worst first
///
/// This is what the journal knows: `driftless run` looks into each stack once in `drift.every`, and
/// `driftless drift detect` does it now.
#[derive(Args, Clone, Debug, Default)]
#[command(
    after_help = "Exit codes: 0 nothing drifted; 3 something did, or could not be seen; 1 an error"
)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(super) which: Which,
    /// How the report is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: ReportFormat,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    #[default]
    Text,
    /// For programs: one object with a `version`, whose fields are only ever added
    Json,
    /// For a comment or an issue
    Markdown,
}

/// Writes the report.
pub(super) fn run(
    args: &ReportArgs,
    context: &Context,
    out: &mut dyn Write,
) -> Result<Ending, CommandError> {
    let journal = context.known_journal()?;
    let records = journal.drifts(&args.which.filter(), false)?;
    let report = DriftReport::of(&records, context.now());
    write(&report, args.format, out)?;
    let is_well = !report.has_drift() && report.troubles.is_empty();
    Ok(if !is_well { Ending::NeedsAttention } else { Ending::Good })
}

pub(super) fn write(
    report: &DriftReport,
    format: ReportFormat,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let text = match format {
        ReportFormat::Text => report.text(),
        ReportFormat::Json => format!("{:#}\n", report.json()),
        ReportFormat::Markdown => report.markdown(),
    };
    Ok(out.write_all(text.as_bytes())?)
}
