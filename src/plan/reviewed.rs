//! What reviewed plans allow: where the fleet requires plans, no resource is touched otherwise than a
//! plan of the very release said that it would be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::desired::Wanted;
use crate::ids::{Digest, ServiceName, StackKey};
use crate::observed::{ChangeAction, PlannedChange, Replacement};
use crate::outcome::StepKind;
use crate::plan::decide::{Case, Decision, Step};
use crate::plan::{ApprovalKind, ApprovalRequest, Hold, ownership};
use crate::rollout::reviewed_as;

/// Between two releases, the later one first.
const AFTER: &str = " after ";
/// More actions than this are counted, not named, in one line.
const NAMED_ACTIONS: usize = 5;

/// What is done to one resource.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ResourceAction {
    /// It is made, or taken into the stack.
    Add,
    /// It is changed in place.
    Modify,
    /// Another one takes its place, or may take it.
    Replace,
    /// It leaves the stack.
    Remove,
}

impl ResourceAction {
    /// What it is called.
    pub fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Modify => "modify",
            Self::Replace => "replace",
            Self::Remove => "remove",
        }
    }

    /// What takes it back.
    fn undone(self) -> Self {
        match self {
            Self::Add => Self::Remove,
            Self::Remove => Self::Add,
            Self::Modify | Self::Replace => self,
        }
    }

    /// What a change of a change set comes to. What AWS cannot tell beforehand may be anything, so
    /// that no plan of less allows it.
    pub(super) fn of(change: &PlannedChange) -> Self {
        match (&change.action, &change.replacement) {
            (ChangeAction::Add | ChangeAction::Import, _) => Self::Add,
            (ChangeAction::Remove, _) => Self::Remove,
            (ChangeAction::Modify, Replacement::Never) => Self::Modify,
            (ChangeAction::Modify, Replacement::Always | Replacement::Conditional)
            | (
                ChangeAction::Dynamic | ChangeAction::SyncWithActual | ChangeAction::Unknown(_),
                _,
            ) => Self::Replace,
        }
    }
}

/// What a plan says about one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewedService {
    /// The release that it was made for, as [`reviewed_as`] gives it.
    pub release: Digest,
    /// The release that it changes, where that is another one.
    pub after: Option<Digest>,
    /// What may be done to each resource, by its place (`Table`, or `Storage/Table` in a nested stack)
    /// and type, in one stack or another.
    pub actions: BTreeMap<(String, String), BTreeSet<ResourceAction>>,
}

/// What a plan allows: for each service, its release and what may be done to its resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReviewedPlan {
    /// By service.
    pub services: BTreeMap<ServiceName, ReviewedService>,
    /// Stacks that are deleted.
    pub deletions: BTreeSet<StackKey>,
}

impl ReviewedPlan {
    /// Exactly what is allowed, a line each, without deletions: what an approval of the plan names.
    pub fn members(&self) -> BTreeSet<String> {
        let of = |(name, service): (&ServiceName, &ReviewedService)| {
            let release = release_member(name, &service.release);
            let action = |((logical_id, kind), actions): (&(String, String), &BTreeSet<_>)| {
                let member = |action: &ResourceAction| {
                    action_member(name, &service.release, *action, logical_id, kind)
                };
                actions.iter().map(member).collect::<Vec<_>>()
            };
            let actions = service.actions.iter().flat_map(action);
            let after = service.after.map(|after| format!("{release}{AFTER}{after}"));
            std::iter::once(release).chain(after).chain(actions).collect::<Vec<_>>()
        };
        self.services.iter().flat_map(of).collect()
    }

    /// The stacks that may be deleted, a line each. They may come again under the same names, so a yes
    /// to these does not hold for ever.
    pub fn deleted_members(&self) -> BTreeSet<String> {
        self.deletions.iter().map(deletion_member).collect()
    }

    /// The hash of what is allowed.
    pub fn digest(&self) -> Digest {
        let members = self.members();
        let deleted = self.deleted_members();
        Digest::of_parts(members.iter().chain(&deleted).map(String::as_bytes))
    }
}

/// Stacks of this release may be made.
pub fn release_member(service: &ServiceName, release: &impl fmt::Display) -> String {
    format!("{service} at {release}")
}

/// This stack may be deleted.
fn deletion_member(key: &StackKey) -> String {
    format!("delete {key}")
}

/// This may be done to this resource, where a stack takes this release.
pub fn action_member(
    service: &ServiceName,
    release: &impl fmt::Display,
    action: ResourceAction,
    logical_id: &str,
    kind: &str,
) -> String {
    let release = release_member(service, release);
    format!("{release}: {} {logical_id} ({kind})", action.word())
}

/// Holds a step that touches resources otherwise than an approved plan of its release allows.
pub(super) fn unless_unplanned(case: &Case<'_>, decision: Decision) -> Decision {
    let Decision::Step(step) = &decision else { return decision };
    if !case.scene.requires_plan {
        return decision;
    }
    let wanted = case.wanted.as_deref().filter(|wanted| !wanted.asked_to_go);
    let asked = match (wanted, &step.kind) {
        (Some(wanted), StepKind::Create) => creation(case, wanted),
        (Some(wanted), StepKind::ExecuteChangeSet { .. }) => update(case, wanted),
        (None, StepKind::Delete { .. } | StepKind::SetTerminationProtection(_)) => {
            deletion(case, step)
        }
        // These undo what did not end well, bring back what drifted, or touch no resource.
        (
            _,
            StepKind::Create
            | StepKind::ExecuteChangeSet { .. }
            | StepKind::CreateChangeSet { .. }
            | StepKind::PrepareRevert { .. }
            | StepKind::Revert { .. }
            | StepKind::DeleteChangeSet { .. }
            | StepKind::Delete { .. }
            | StepKind::ContinueRollback { .. }
            | StepKind::RollBack
            | StepKind::SetTerminationProtection(_)
            | StepKind::SetStackPolicy,
        ) => None,
    };
    match asked {
        Some(request) => Decision::Hold(Hold::Unplanned(Box::new(request))),
        None => decision,
    }
}

fn approves(case: &Case<'_>, member: &str) -> bool {
    case.scene.steering.approves(ApprovalKind::Plan, member, case.scene.now)
}

/// What a person would have to approve before the stack may be made.
fn creation(case: &Case<'_>, wanted: &Wanted) -> Option<ApprovalRequest> {
    let service = &wanted.service.name;
    let member = release_member(service, &reviewed_as(case.fleet, &wanted.service));
    let summary =
        format!("stacks of {service} would be made, and no plan of its release was approved");
    let is_allowed = approves(case, &member);
    (!is_allowed).then(|| ApprovalRequest::of(ApprovalKind::Plan, [member].into(), summary))
}

/// What a person would have to approve before the stack may be deleted.
fn deletion(case: &Case<'_>, step: &Step) -> Option<ApprovalRequest> {
    let member = deletion_member(&case.key);
    if approves(case, &member) {
        return None;
    }
    let summary =
        format!("{} would be deleted ({}), which is in no approved plan", case.key, step.why);
    Some(ApprovalRequest::of(ApprovalKind::Plan, [member].into(), summary))
}

/// What a person would have to approve before the change set may be executed.
fn update(case: &Case<'_>, wanted: &Wanted) -> Option<ApprovalRequest> {
    let service = &wanted.service.name;
    let found = case.insight.change_set.as_ref().map_or(&[][..], |set| set.changes.as_slice());
    let inside = case.inside.get().map_or(&[][..], |inside| inside.changes.as_slice());
    let changes = found.iter().chain(inside);
    let release = reviewed_as(case.fleet, &wanted.service);
    // A stack that did not take the releases before this one takes what they did with it.
    let releases = leading_to(case, service, &release);
    let undone = if case.goes_back { leading_away(case, service, &release) } else { Vec::new() };
    // No plan foresees which stacks are taken over, and that touches nothing.
    let is_adopted = case.seen.is_some_and(ownership::is_nobody_s);
    let is_allowed = |change: &PlannedChange| {
        if is_adopted && change.only_tags {
            return true;
        }
        let action = ResourceAction::of(change);
        let at = |release: &String, action: ResourceAction| {
            approves(case, &action_member(service, release, action, &change.place(), &change.kind))
        };
        releases.iter().any(|release| at(release, action))
            || undone.iter().any(|release| at(release, action.undone()))
    };
    let asked: BTreeMap<String, String> = changes
        .filter(|change| !is_allowed(change))
        .map(|change| {
            let action = ResourceAction::of(change);
            let (place, kind) = (change.place(), &change.kind);
            let member = action_member(service, &release, action, &place, kind);
            (member, format!("{} {place} ({kind})", action.word()))
        })
        .collect();
    if asked.is_empty() {
        return None;
    }
    let named: Vec<&str> = asked.values().take(NAMED_ACTIONS).map(String::as_str).collect();
    let more = match asked.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let summary = format!(
        "updates of {service} would {}{more}, which no approved plan of its release allows",
        named.join(", ")
    );
    Some(ApprovalRequest::of(ApprovalKind::Plan, asked.into_keys().collect(), summary))
}

/// All that plans say which count now.
fn planned<'a>(case: &'a Case<'_>) -> impl Iterator<Item = &'a str> {
    let (steering, now) = (case.scene.steering, case.scene.now);
    let plans = steering.approvals.iter();
    let plans = plans
        .filter(move |approval| approval.kind == ApprovalKind::Plan && now < approval.expires_at);
    plans.flat_map(|approval| &approval.members).map(String::as_str)
}

/// A release and those before it that approved plans led to it from, one after the other.
fn leading_to(case: &Case<'_>, service: &ServiceName, release: &Digest) -> Vec<String> {
    let mut found = vec![release.to_string()];
    let mut next = 0;
    while let Some(release) = found.get(next).cloned() {
        next += 1;
        let edge = format!("{service} at {release}{AFTER}");
        for before in planned(case).filter_map(|member| member.strip_prefix(&edge)) {
            if !found.iter().any(|known| known == before) {
                found.push(before.to_owned());
            }
        }
    }
    found
}

/// The releases that approved plans made of a release.
fn leading_away(case: &Case<'_>, service: &ServiceName, release: &Digest) -> Vec<String> {
    let (start, end) = (format!("{service} at "), format!("{AFTER}{release}"));
    let of = |member: &str| Some(member.strip_prefix(&start)?.strip_suffix(&end)?.to_owned());
    planned(case).filter_map(of).collect()
}
