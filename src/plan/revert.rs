//! Bringing back what drifted, one look at a time: make a drift-aware change set, check that it
//! touches nothing but what our own detection listed, execute the very set that was checked.

use std::collections::BTreeSet;

use crate::desired::{Desired, Wanted};
use crate::drift::{DriftRecord, Finding, What, fights};
use crate::fleet::{DriftPolicy, DriftRules, Protection};
use crate::ids::{Digest, StackId};
use crate::moment::Moment;
use crate::observed::{ChangeAction, ChangeSetStatus, PlannedChange, Replacement, Seen};
use crate::outcome::{CauseClass, OwnChangeSet, StepKind};
use crate::plan::decide::{Case, Decision};
use crate::plan::protection::NESTED_STACK;
use crate::plan::table::unless_approved;
use crate::plan::{ApprovalKind, ApprovalRequest, Hold, Rendered, RevertHold, Steering, cooldown};
use crate::template::{Template, references};

/// What an approval of reverting one finding of one stack is of.
pub fn revert_member(stack: &StackId, finding: &Finding) -> String {
    format!("{stack} {}", finding.subject())
}

/// What is to be brought back of a stack that is as git says; `None` when there is nothing.
pub(super) fn decide(
    case: &Case<'_>,
    wanted: &Wanted,
    seen: &Seen,
    rendered: &Rendered,
    step: &dyn Fn(StepKind, String, Digest) -> Decision,
) -> Option<Decision> {
    let own = case.memory.change_set.as_ref().filter(|set| set.reverts);
    let record = case.scene.drifts.get(&case.key.name);
    let record = record.filter(|record| record.version.as_ref() == Some(&seen.version()));
    let scene = case.scene;
    let todo =
        |record| to_revert(scene.desired, scene.steering, wanted, &seen.id, record, scene.now);
    let todo: Vec<&Finding> = record.map(todo).unwrap_or_default();
    let drop = |set: &OwnChangeSet, why: &str| {
        let kind = StepKind::DeleteChangeSet { name: set.name.clone() };
        Some(step(kind, why.to_owned(), set.digest))
    };
    let Some(record) = record.filter(|_| !todo.is_empty()) else {
        return own.and_then(|set| drop(set, "nothing is left to revert"));
    };
    let digest = digest(rendered, record, &todo);
    if let Some(set) = own {
        let wish = Wish { wanted, seen, rendered, todo, digest };
        return carry_on(case, &wish, set, step);
    }
    if let Some(hold) = held(case, &digest) {
        return Some(Decision::Hold(Hold::Revert(Box::new(hold))));
    }
    let is_known = |(version, of, _): &&(_, Digest, _)| *version == seen.version() && *of == digest;
    if case.memory.irreversible.as_ref().filter(is_known).is_some() {
        return None;
    }
    let subjects: Vec<String> = todo.iter().map(|finding| finding.subject()).collect();
    let why = format!("drifted: {}", subjects.join(", "));
    // Without looking into nested stacks CloudFormation lists them all as changed.
    let mut resources = rendered.template.resources().values();
    let nested = todo.iter().any(|finding| !finding.within.is_empty())
        || resources.any(|resource| resource.kind == NESTED_STACK);
    Some(step(StepKind::PrepareRevert { name: String::new(), nested }, why, digest))
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
    let ordered = |finding: &Finding| {
        steering.approves(ApprovalKind::Revert, &revert_member(stack, finding), now)
    };
    let is_wanted = |finding: &&Finding| {
        let reverted = record.reverted.get(&finding.subject());
        let may = reverted.is_none_or(|one| one.in_vain.is_none());
        let by_policy =
            rules.policy(&finding.kind) == DriftPolicy::Revert && !reverted.is_some_and(fights);
        may && (by_policy || ordered(finding))
    };
    record.findings.iter().filter(is_wanted).collect()
}

/// Whether a person asked for exactly this.
fn ordered(case: &Case<'_>, seen: &Seen, finding: &Finding) -> bool {
    let member = revert_member(&seen.id, finding);
    case.scene.steering.approves(ApprovalKind::Revert, &member, case.scene.now)
}

/// Another after each detection: what could not be brought back is tried again once in a while.
fn digest(rendered: &Rendered, record: &DriftRecord, todo: &[&Finding]) -> Digest {
    let checked = record.checked_at.map_or_else(String::new, |at| at.to_string());
    let subjects: Vec<String> = todo.iter().map(|finding| finding.subject()).collect();
    let first = [b"revert".as_slice(), rendered.digest.as_bytes(), checked.as_bytes()];
    Digest::of_parts(first.into_iter().chain(subjects.iter().map(String::as_bytes)))
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
    let Wish { wanted, seen, rendered, todo, digest } = wish;
    let drop = |why: &str| {
        let kind = StepKind::DeleteChangeSet { name: set.name.clone() };
        Some(step(kind, why.to_owned(), set.digest))
    };
    let hold = |hold: RevertHold| Some(Decision::Hold(Hold::Revert(Box::new(hold))));
    let found = case.insight.change_set.as_ref();
    let is_behind = set.version.id == seen.id && seen.updated_at < set.version.updated_at;
    if is_behind || found.is_some_and(|found| found.status == ChangeSetStatus::Pending) {
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
            let phantoms = phantoms(&found.changes, todo, &rendered.template);
            if !phantoms.is_empty() {
                return hold(RevertHold::Phantom(phantoms));
            }
            let is_ordered = |finding: &Finding| ordered(case, seen, finding);
            let protected = &wanted.service.protected;
            if let Some(request) = objection(case, seen, todo, protected, &is_ordered) {
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

/// Resources that the set would touch though our own detection did not list them, or in a way that
/// bringing back does not need.
fn phantoms(changes: &[PlannedChange], todo: &[&Finding], template: &Template) -> Vec<String> {
    let gone = todo.iter().filter(|one| one.what == What::Deleted);
    let anew: BTreeSet<String> = gone.map(|one| one.place()).collect();
    let within = |path: &str| {
        let below = format!("{path}/");
        todo.iter().any(|one| one.within == path || one.within.starts_with(&below))
    };
    // Of a nested template nobody here knows who follows whom.
    let nested = todo.iter().filter_map(|one| one.within.split('/').next());
    let moved = anew.iter().map(String::as_str).chain(nested.filter(|name| !name.is_empty()));
    let followers = followers(&moved.collect(), template);
    let is_listed = |change: &&PlannedChange| {
        let place = change.place();
        if change.kind == NESTED_STACK && change.action == ChangeAction::Modify {
            return within(&place) && change.replacement == Replacement::Never;
        }
        let is_gone = anew.contains(&place);
        let follows = change.within.is_empty() && followers.contains(change.logical_id.as_str());
        let is_known = todo.iter().any(|one| one.place() == place) || follows;
        match (&change.action, change.replacement) {
            (ChangeAction::Add, _) => is_gone,
            (ChangeAction::Modify, Replacement::Never) | (ChangeAction::SyncWithActual, _) => {
                is_known
            }
            // One that is gone is made anew, and so replaced in a way.
            (ChangeAction::Modify, Replacement::Always | Replacement::Conditional) => is_gone,
            (
                ChangeAction::Remove
                | ChangeAction::Import
                | ChangeAction::Dynamic
                | ChangeAction::Unknown(_),
                _,
            ) => false,
        }
    };
    let name = |change: &PlannedChange| format!("{} ({})", change.place(), change.kind);
    let names: BTreeSet<String> =
        changes.iter().filter(|change| !is_listed(change)).map(name).collect();
    names.into_iter().collect()
}

/// Resources that use one that is made anew, and so get its new name.
fn followers<'a>(anew: &BTreeSet<&str>, template: &'a Template) -> BTreeSet<&'a str> {
    let mut found: BTreeSet<&str> = BTreeSet::new();
    loop {
        let uses = |id: &String| anew.contains(id.as_str()) || found.contains(id.as_str());
        let next = template.resources().iter().filter(|(id, resource)| {
            !found.contains(id.as_str()) && references(&resource.section).iter().any(uses)
        });
        let next: Vec<&str> = next.map(|(id, _)| id.as_str()).collect();
        if next.is_empty() {
            return found;
        }
        found.extend(next);
    }
}

/// What a person has to approve before what is protected is touched. Who ordered it said yes.
fn objection(
    case: &Case<'_>,
    seen: &Seen,
    todo: &[&Finding],
    protected: &Protection,
    is_ordered: &dyn Fn(&Finding) -> bool,
) -> Option<ApprovalRequest> {
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
            Self::Pending | Self::Cooldown { .. } => false,
            Self::Failed(cause) => cause.class != CauseClass::Transient,
            Self::Phantom(_) | Self::Protected(_) => true,
        }
    }
}
