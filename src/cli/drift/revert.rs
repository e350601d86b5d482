//! `driftless drift revert`: a person orders that what drifted is brought back; whoever acts on the
//! journal does it.

use std::collections::BTreeSet;
use std::io::{BufRead as _, Write};

use clap::Args;

use crate::cli::Failure;
use crate::cli::approve::LASTS;
use crate::cli::context::{Context, Ending};
use crate::cli::drift::WhichFindings;
use crate::drift::{DriftRecord, signatures};
use crate::plan::{ApprovalKind, ApprovalRequest, revert_member};
use crate::report::{counted, drift_lines};
use crate::settings::Settings;

/// Bring back what drifted, whatever the policy says
///
/// The order is for exactly what is listed, protected resources too, and counts for a day. A running
/// controller obeys within a second; without one, `driftless apply` does. What else CloudFormation
/// would touch is never touched.
#[derive(Args, Clone, Debug)]
pub(crate) struct RevertArgs {
    #[command(flatten)]
    which: WhichFindings,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Why, for those who read the history
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// Leaves the order.
pub(super) fn run(
    args: &RevertArgs,
    settings: &Settings,
    context: &Context,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    let journal = context.known_journal()?;
    let records = journal.drifts(&args.which.which.filter(), true)?;
    let mut records = args.which.among(records);
    let mut hopeless = BTreeSet::new();
    for record in &mut records {
        let vain: Vec<(String, String)> = record
            .findings
            .iter()
            .filter_map(|finding| Some((finding.subject(), why_not(record, finding)?)))
            .collect();
        record.findings.retain(|finding| !vain.iter().any(|(of, _)| *of == finding.subject()));
        hopeless.extend(vain.into_iter().map(|(subject, why)| format!("{subject}: {why}")));
    }
    records.retain(|record| !record.findings.is_empty());
    for why in &hopeless {
        writeln!(out, "not reverted: {why}")?;
    }
    let members = members(&records);
    if members.is_empty() {
        writeln!(out, "nothing that drifted can be reverted here")?;
        return Ok(if hopeless.is_empty() { Ending::Good } else { Ending::NeedsAttention });
    }
    let signatures = signatures(records.iter());
    let what =
        format!("{} in {}", counted(members.len(), "finding"), counted(records.len(), "stack"));
    writeln!(out, "would bring back {what}:\n{}", drift_lines(&signatures))?;
    if !args.yes && !agrees(settings, out)? {
        writeln!(out, "nothing is reverted")?;
        return Ok(Ending::Good);
    }
    let request = ApprovalRequest::of(ApprovalKind::Revert, members, format!("revert {what}"));
    let now = context.now();
    journal.put_request(&request, now)?;
    journal.approve(&request.id, &context.user, &args.reason, now, now + LASTS)?;
    journal.withdraw_request(&request.id)?;
    let reason = if args.reason.is_empty() { String::new() } else { format!(": {}", args.reason) };
    let text = format!("{} ordered to revert {what}{reason}", context.user);
    journal.note(&context.event("revert-ordered", text))?;
    writeln!(
        out,
        "ordered: a running controller begins within a second, else `driftless apply` does it; \
         `driftless drift detect` shows what came of it"
    )?;
    Ok(Ending::Good)
}

/// Why a finding cannot be brought back.
fn why_not(record: &DriftRecord, finding: &crate::drift::Finding) -> Option<String> {
    record.reverted.get(&finding.subject())?.in_vain.clone()
}

fn members(records: &[DriftRecord]) -> BTreeSet<String> {
    let of = |record: &DriftRecord| {
        let version = record.version.clone();
        let member = |finding| Some(revert_member(&version.as_ref()?.id, finding));
        record.findings.iter().filter_map(member).collect::<Vec<_>>()
    };
    records.iter().flat_map(of).collect()
}

fn agrees(settings: &Settings, out: &mut dyn Write) -> Result<bool, Failure> {
    if !settings.terminal.can_ask {
        return Err(Failure::new(
            "nobody can be asked whether to revert this",
            "say --yes to order it without being asked",
        ));
    }
    write!(out, "revert this? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}
