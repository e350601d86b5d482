//! Bringing back what drifted, one look at a time: make a drift-aware change set, check that it
//! touches nothing but what our own detection listed, execute the very set that was checked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::desired::{Desired, Wanted};
use crate::drift::{DriftRecord, Finding, fights, is_ignored};
use crate::fleet::{DriftPolicy, DriftRules, Protection};
use crate::ids::{Digest, StackId};
use crate::moment::Moment;
use crate::observed::{ChangeSetStatus, Seen};
use crate::outcome::{BringBack, CauseClass, Irreversible, OwnChangeSet, StepKind};
use crate::plan::decide::{Case, Decision};
use crate::plan::phantoms::phantoms;
use crate::plan::protection::NESTED_STACK;
use crate::plan::table::unless_approved;
use crate::plan::{ApprovalKind, ApprovalRequest, Hold, Rendered, RevertHold, Steering, cooldown};

/// A set that is held for what it would touch besides is made anew after so long.
const ANEW: Duration = Duration::from_secs(24 * 60 * 60);

/// What a person's yes to reverting one finding of one stack is to: the resource, the property, and
/// the values as far as they may be shown.
pub fn revert_member(stack: &StackId, finding: &Finding) -> String {
    let physical = finding.physical_id.as_deref().unwrap_or_default();
    format!("{stack} {} {physical} {}", finding.place(), finding.what)
}

/// What a person's order to revert it is.
pub fn order_member(stack: &StackId, finding: &Finding) -> String {
    format!("order {}", revert_member(stack, finding))
}

/// What is to be brought back of a stack that is as git says; `None` when there is nothing.
pub(super) fn decide(
    case: &Case<'_>,
    wanted: &Wanted,
    seen: &Seen,
    rendered: &Rendered,
    step: &dyn Fn(StepKind, String, Digest) -> Decision,
) -> Option<Decision> {
    let own = case.memory.change_set.as_ref();
    // One that was made for an update is cleared away first.
    if own.is_some_and(|set| !set.reverts) {
        return None;
    }
    let record = case.scene.drifts.get(&case.key.name);
    let record = record.filter(|record| record.version.as_ref() == Some(&seen.version()));
    let scene = case.scene;
    let todo =
        |record| to_revert(scene.desired, scene.steering, wanted, &seen.id, record, scene.now);
    let todo: Vec<&Finding> = record.map(todo).unwrap_or_default();
    let Some(record) = record.filter(|_| !todo.is_empty()) else {
        let set = own?;
        if is_pending(case) {
            return Some(Decision::Hold(Hold::Revert(Box::new(RevertHold::Pending))));
        }
        let kind = StepKind::DeleteChangeSet { name: set.name.clone() };
        return Some(step(kind, "nothing is left to revert".to_owned(), set.digest));
    };
    let digest = digest(rendered, &todo);
    if let Some(set) = own {
        let wish = Wish { wanted, seen, rendered, record, todo, digest };
        return carry_on(case, &wish, set, step);
    }
    if let Some(hold) = held(case, &digest) {
        return Some(Decision::Hold(Hold::Revert(Box::new(hold))));
    }
    let is_known =
        |known: &&Irreversible| known.version == seen.version() && known.digest == digest;
    if case.memory.irreversible.as_ref().filter(is_known).is_some() {
        return None;
    }
    let subjects: Vec<String> = todo.iter().map(|finding| finding.subject()).collect();
    let why = format!("drifted: {}", subjects.join(", "));
    // Without looking into nested stacks CloudFormation lists them all as changed.
    let made = rendered.template.processed(&BTreeMap::new());
    let mut resources = made.template().resources().values();
    let nested = todo.iter().any(|finding| !finding.within.is_empty())
        || resources.any(|resource| resource.kind == NESTED_STACK);
    let what = Box::new(BringBack { nested, subjects });
    Some(step(StepKind::PrepareRevert { name: String::new(), what }, why, digest))
}

/// AWS removes no set that it is still computing.
fn is_pending(case: &Case<'_>) -> bool {
    let found = case.insight.change_set.as_ref();
    found.is_some_and(|found| found.status == ChangeSetStatus::Pending)
}

/// What the policy or a person wants brought back of a stack, and can be as far as is known.
pub fn to_revert<'a>(
    desired: &Desired,
    steering: &Steering,
    wanted: &Wanted,
    stack: &StackId,
    record: &'a DriftRecord,
    now: Moment,
) -> Vec<&'a Finding> {
    // What documents say today, whatever release the stack has: it is no part of one.
    let service = desired.services.get(&wanted.service.name).unwrap_or(&wanted.service);
    let exception = wanted.tenant.services.get(&wanted.service.name);
    let rules = DriftRules::of(&desired.fleet, service, exception, &wanted.tenant.labels);
    let is_wanted = |finding: &&Finding| {
        let reverted = record.reverted.get(&finding.subject());
        let ordered_at =
            steering.approved_at(ApprovalKind::Revert, &order_member(stack, finding), now);
        // An order is for once: what comes back after it is another drift.
        let last = reverted.and_then(|one| one.times.last());
        let is_ordered = ordered_at.is_some_and(|at| last.is_none_or(|last| *last < at));
        let by_policy = rules.policy(&finding.kind) == DriftPolicy::Revert
            && reverted.is_none_or(|one| one.in_vain.is_none() && !fights(one));
        is_ignored(&rules, finding).is_none() && (by_policy || is_ordered)
    };
    record.findings.iter().filter(is_wanted).collect()
}

/// The same for the same wish, so that what a person looks at is not made anew.
fn digest(rendered: &Rendered, todo: &[&Finding]) -> Digest {
    let findings: Vec<String> =
        todo.iter().map(|finding| format!("{} {}", finding.place(), finding.what)).collect();
    let first = [b"revert".as_slice(), rendered.digest.as_bytes()];
    Digest::of_parts(first.into_iter().chain(findings.iter().map(String::as_bytes)))
}

/// What the last failure says about trying again.
fn held(case: &Case<'_>, digest: &Digest) -> Option<RevertHold> {
    let failure = case.memory.failure.as_ref()?;
    if failure.digest.as_ref() != Some(digest) {
        return None;
    }
    let cause = failure.cause.clone();
    match cooldown::retry_at(&case.key, failure) {
        None => Some(RevertHold::Failed(cause)),
        Some(until) if case.scene.now < until => Some(RevertHold::Cooldown { until, cause }),
        Some(_) => None,
    }
}

/// What is to be brought back.
struct Wish<'a> {
    wanted: &'a Wanted,
    seen: &'a Seen,
    rendered: &'a Rendered,
    record: &'a DriftRecord,
    todo: Vec<&'a Finding>,
    digest: Digest,
}

/// The next step with a set that we made.
fn carry_on(
    case: &Case<'_>,
    wish: &Wish<'_>,
    set: &OwnChangeSet,
    step: &dyn Fn(StepKind, String, Digest) -> Decision,
) -> Option<Decision> {
    let Wish { wanted, seen, rendered, record, todo, digest } = wish;
    let drop = |why: &str| {
        let kind = StepKind::DeleteChangeSet { name: set.name.clone() };
        Some(step(kind, why.to_owned(), set.digest))
    };
    let hold = |hold: RevertHold| Some(Decision::Hold(Hold::Revert(Box::new(hold))));
    let found = case.insight.change_set.as_ref();
    let is_behind = set.version.id == seen.id && seen.updated_at < set.version.updated_at;
    if is_behind || is_pending(case) {
        return hold(RevertHold::Pending);
    }
    if set.version != seen.version() {
        return drop("somebody updated the stack since it was prepared");
    }
    if set.digest != *digest {
        return drop("something else is to be reverted now");
    }
    let Some(found) = found else { return drop("it is not there any more") };
    match &found.status {
        ChangeSetStatus::Pending => hold(RevertHold::Pending),
        ChangeSetStatus::Empty => drop("it holds nothing to revert"),
        ChangeSetStatus::Failed(_) => drop("it could not be prepared"),
        ChangeSetStatus::Obsolete => drop("it is obsolete"),
        ChangeSetStatus::Unknown(word) => drop(&format!("its status is {word}")),
        ChangeSetStatus::Ready if !found.reverts_drift => drop("it does not revert drift"),
        ChangeSetStatus::Ready if found.changes.is_empty() => drop("it holds nothing to revert"),
        ChangeSetStatus::Ready => {
            if let Some(waits) = held(case, digest) {
                return hold(waits);
            }
            let protected = &wanted.service.protected;
            let phantoms = phantoms(&found.changes, record, todo, &rendered.template, protected);
            if !phantoms.is_empty() {
                let age = found.created_at.map(|at| case.scene.now.since(at));
                // What CloudFormation saw wrongly it may see rightly a day later.
                if age.is_some_and(|age| age >= ANEW) {
                    return drop("it is a day old, and is made anew");
                }
                return hold(RevertHold::Phantom(phantoms));
            }
            if let Some(request) = objection(case, seen, todo, protected) {
                return hold(RevertHold::Protected(request));
            }
            let count = match found.changes.len() {
                1 => "1 resource".to_owned(),
                count => format!("{count} resources"),
            };
            let why = format!("its change set of {count} was checked against what drifted");
            Some(step(StepKind::Revert { name: set.name.clone() }, why, *digest))
        }
    }
}

/// What a person has to approve before what is protected is touched. Who ordered it said yes.
fn objection(
    case: &Case<'_>,
    seen: &Seen,
    todo: &[&Finding],
    protected: &Protection,
) -> Option<ApprovalRequest> {
    let (steering, now) = (case.scene.steering, case.scene.now);
    let is_ordered = |finding: &Finding| {
        steering.approves(ApprovalKind::Revert, &order_member(&seen.id, finding), now)
    };
    let kept = todo.iter().filter(|one| protected.covers(&one.kind) && !is_ordered(one));
    let members: BTreeSet<String> =
        kept.clone().map(|finding| revert_member(&seen.id, finding)).collect();
    if members.is_empty() {
        return None;
    }
    let harms: Vec<String> = kept.map(|finding| harm(finding)).collect();
    let summary = format!("reverting drift of {} would {}", case.key, harms.join(" and "));
    unless_approved(case, ApprovalRequest::of(ApprovalKind::Revert, members, summary))
}

fn harm(finding: &Finding) -> String {
    let (id, kind) = (finding.place(), &finding.kind);
    match finding.property() {
        None => format!("make {id} ({kind}) anew, empty"),
        Some(property) => format!("change {property} of {id} ({kind}) back"),
    }
}

/// Whether the cause of a failed revert leaves hope that it goes by itself.
impl RevertHold {
    /// Whether somebody has to act.
    pub fn needs_person(&self) -> bool {
        match self {
            Self::Pending | Self::Cooldown { .. } | Self::Stopped { .. } => false,
            Self::Failed(cause) => cause.class != CauseClass::Transient,
            Self::Phantom(_) | Self::Protected(_) => true,
        }
    }
}
