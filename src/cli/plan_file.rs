//! A plan that somebody reviewed, in a file: read, and approved as a whole.

use std::path::Path;

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

/// Says yes to all that a plan allows. It counts as long as its releases are wanted: what it is of
/// does not change.
pub(super) fn approve(
    plan: &ReviewedPlan,
    of: &Revision,
    journal: &Journal,
    context: &Context,
    reason: &str,
) -> Result<Approval, Failure> {
    let what = format!(
        "plan {} of {}, {}",
        plan.digest().short(),
        of.short(),
        counted(plan.services.len(), "service")
    );
    let request = ApprovalRequest::of(ApprovalKind::Plan, plan.members(), what.clone());
    let now = context.now();
    journal.put_request(&request, now)?;
    let expires_at = ApprovalKind::Plan.expires_at(now);
    let approval = journal.approve(&request.id, &context.user, reason, now, expires_at)?;
    journal.withdraw_request(&request.id)?;
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let text = format!("{what} approved by {}{reason}", context.user);
    journal.note(&context.event("approved", text))?;
    Ok(approval)
}
