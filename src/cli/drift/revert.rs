//! `driftless drift revert`: a person orders that what drifted is brought back; whoever acts on the
//! journal does it.

use std::collections::BTreeSet;
use std::io::{BufRead as _, Write};

use clap::Args;

use crate::cli::Failure;
use crate::cli::context::{Context, Ending, Format};
use crate::cli::drift::WhichFindings;
use crate::drift::{DriftRecord, Finding, What, signatures};
use crate::fleet::Protection;
use crate::plan::{ApprovalKind, ApprovalRequest, order_member};
use crate::report::output::{self, FORMAT_VERSION, Ordered};
use crate::report::{counted, drift_lines};
use crate::settings::Settings;

/// Bring back what drifted, whatever the policy says
///
/// The order is for exactly what is listed, protected resources too, once, within a day. A running
/// controller obeys within a second; without one, `driftless apply` does. Where CloudFormation would
/// touch anything else too, nothing is done, and `driftless status` says so.
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
    /// How the answer is written; a program cannot be asked, so it says --yes
    #[arg(long, value_enum, default_value_t, requires_if("json", "yes"))]
    format: Format,
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
    let records = args.which.among(records);
    let members = members(&records);
    if members.is_empty() {
        return Err(Failure::new(
            "no drift of this kind is known",
            "`driftless drift report` shows what drifted, `driftless drift detect` looks now",
        ));
    }
    let signatures = signatures(records.iter());
    let what =
        format!("{} in {}", counted(members.len(), "finding"), counted(records.len(), "stack"));
    if args.format == Format::Text {
        writeln!(out, "would bring back {what}:\n{}", drift_lines(&signatures))?;
        for warning in warnings(&records) {
            writeln!(out, "note: {warning}")?;
        }
    }
    if !args.yes && !agrees(settings, out)? {
        writeln!(out, "nothing is reverted")?;
        return Ok(Ending::Good);
    }
    let request = ApprovalRequest::of(ApprovalKind::Revert, members, format!("revert {what}"));
    let now = context.now();
    journal.put_request(&request, now)?;
    journal.approve(&request.id, &context.user, &args.reason, now, request.kind.expires_at(now))?;
    journal.withdraw_request(&request.id)?;
    let reason = if args.reason.is_empty() { String::new() } else { format!(": {}", args.reason) };
    let text = format!("{} ordered to revert {what}{reason}", context.user);
    journal.note(&context.event("revert-ordered", text.clone()))?;
    if args.format == Format::Json {
        let service = args.which.which.service.as_ref().map(ToString::to_string);
        let (by, reason) = (context.user.clone(), args.reason.clone());
        let (version, order) = (FORMAT_VERSION, "revert-drift".to_owned());
        let ordered = Ordered { version, order, service, release: None, by, reason, text };
        out.write_all(output::text(&ordered).as_bytes())?;
        return Ok(Ending::Good);
    }
    writeln!(
        out,
        "ordered: a running controller begins within a second, else `driftless apply` does it; \
         `driftless drift detect` shows what came of it"
    )?;
    Ok(Ending::Good)
}

/// What a person has to know before saying yes.
fn warnings(records: &[DriftRecord]) -> BTreeSet<String> {
    let kept = Protection::default();
    let of = |record: &DriftRecord, finding: &Finding| {
        let place = finding.place();
        let lost = finding.what == What::Deleted && kept.covers(&finding.kind);
        let anew = lost.then(|| {
            format!("{place} ({}) is made anew, empty: what it held is gone", finding.kind)
        });
        let vain = record.note(&finding.subject()).map(|note| format!("{place}: {note}"));
        anew.into_iter().chain(vain).collect::<Vec<_>>()
    };
    let all = records.iter().flat_map(|record| {
        record.findings.iter().flat_map(move |finding| of(record, finding)).collect::<Vec<_>>()
    });
    all.collect()
}

fn members(records: &[DriftRecord]) -> BTreeSet<String> {
    let of = |record: &DriftRecord| {
        let version = record.version.clone();
        let member = |finding| Some(order_member(&version.as_ref()?.id, finding));
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
