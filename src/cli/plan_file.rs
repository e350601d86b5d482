//! A plan that somebody reviewed, in a file: read, and approved as a whole.

use std::path::Path;
use std::time::Duration;

use crate::cli::Failure;
use crate::cli::context::Context;
use crate::desired::Desired;
use crate::ids::{Revision, ServiceName};
use crate::journal::Journal;
use crate::plan::{Approval, ApprovalKind, ApprovalRequest, ReviewedPlan, ReviewedService};
use crate::report::counted;
use crate::report::plan::read_reviewed;
use crate::rollout::reviewed_as;

/// What the plan in a file allows, and the revision that it is of.
pub(super) fn read(path: &Path) -> Result<(ReviewedPlan, Revision), Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| Failure {
        causes: vec![error.to_string()],
        ..Failure::new(
            format!("cannot read the plan `{shown}`"),
            "write one with `driftless plan --from REV --format json > FILE`",
        )
    })?;
    let (plan, to) = read_reviewed(&text).map_err(|why| {
        Failure::new(
            format!("`{shown}` is no plan that can be approved: {why}"),
            "write one with `driftless plan --from REV --format json > FILE`",
        )
    })?;
    Ok((plan, Revision::of(&to)))
}

/// Refuses a plan that is of other releases than those that are wanted now.
pub(super) fn see_that_it_fits(
    plan: &ReviewedPlan,
    of: &Revision,
    desired: &Desired,
) -> Result<(), Failure> {
    let differs = |(name, reviewed): (&ServiceName, &ReviewedService)| {
        let service = desired.services.get(name);
        let now = service.map(|service| reviewed_as(&desired.fleet, service));
        (now != Some(reviewed.release)).then(|| name.to_string())
    };
    let others: Vec<String> = plan.services.iter().filter_map(differs).collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        format!(
            "the plan of {} is of other releases than {} has: {}",
            of.short(),
            desired.revision.short(),
            others.join(", ")
        ),
        "make a new one with `driftless plan --from REV --format json`, and have it reviewed",
    ))
}

/// A name may be given to another stack later, and a yes to its deletion is not meant for that one.
const DELETIONS_LAST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Says yes to all that a plan allows. It counts as long as its releases are wanted, as what it is of
/// does not change; deletions for a week. Returns the approvals, that of the releases first.
pub(super) fn approve(
    plan: &ReviewedPlan,
    of: &Revision,
    journal: &Journal,
    context: &Context,
    reason: &str,
) -> Result<Vec<Approval>, Failure> {
    let what = format!(
        "plan {} of {}, {}",
        plan.digest().short(),
        of.short(),
        counted(plan.services.len(), "service")
    );
    let now = context.now();
    let mut approvals = Vec::new();
    let parts = [
        (plan.members(), ApprovalKind::Plan.expires_at(now)),
        (plan.deleted_members(), now + DELETIONS_LAST),
    ];
    for (members, expires_at) in parts.into_iter().filter(|(members, _)| !members.is_empty()) {
        let request = ApprovalRequest::of(ApprovalKind::Plan, members, what.clone());
        journal.put_request(&request, now)?;
        approvals.push(journal.approve(&request.id, &context.user, reason, now, expires_at)?);
        journal.withdraw_request(&request.id)?;
    }
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let text = format!("{what} approved by {}{reason}", context.user);
    journal.note(&context.event("approved", text))?;
    Ok(approvals)
}
