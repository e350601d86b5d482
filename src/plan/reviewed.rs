//! What reviewed plans allow: where the fleet requires plans, no resource is touched otherwise than a
//! plan of the very release said that it would be.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::desired::Wanted;
use crate::ids::{Digest, ServiceName};
use crate::observed::{ChangeAction, PlannedChange, Replacement};
use crate::outcome::StepKind;
use crate::plan::decide::{Case, Decision, Step};
use crate::plan::{ApprovalKind, ApprovalRequest, Hold};
use crate::rollout::reviewed_as;

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

    /// What a change of a change set comes to. What AWS cannot tell beforehand may be anything, so
    /// that no plan of less allows it.
    fn of(change: &PlannedChange) -> Self {
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
    /// What may be done to each resource, by logical id and type, in one stack or another.
    pub actions: BTreeMap<(String, String), BTreeSet<ResourceAction>>,
}

/// What a plan allows: for each service, its release and what may be done to its resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReviewedPlan {
    /// By service.
    pub services: BTreeMap<ServiceName, ReviewedService>,
}

impl ReviewedPlan {
    /// Exactly what is allowed, a line each: what an approval of the plan names.
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
            std::iter::once(release).chain(actions).collect::<Vec<_>>()
        };
        self.services.iter().flat_map(of).collect()
    }

    /// The hash of what is allowed.
    pub fn digest(&self) -> Digest {
        Digest::of_parts(self.members().iter().map(String::as_bytes))
    }
}

/// Stacks of this release may be made.
pub fn release_member(service: &ServiceName, release: &Digest) -> String {
    format!("{service} at {release}")
}

/// This may be done to this resource, where a stack takes this release.
pub fn action_member(
    service: &ServiceName,
    release: &Digest,
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
    let Some(wanted) = case.wanted.as_deref() else { return decision };
    match request(case, wanted, step) {
        Some(request) => Decision::Hold(Hold::Unplanned(Box::new(request))),
        None => decision,
    }
}

/// What a person would have to approve before the step may be made.
fn request(case: &Case<'_>, wanted: &Wanted, step: &Step) -> Option<ApprovalRequest> {
    let service = &wanted.service.name;
    let changes = match &step.kind {
        StepKind::Create => &[][..],
        StepKind::ExecuteChangeSet { .. } => {
            case.insight.change_set.as_ref().map_or(&[][..], |set| set.changes.as_slice())
        }
        // These undo what did not end well, bring back what drifted, or touch no resource.
        StepKind::CreateChangeSet { .. }
        | StepKind::PrepareRevert { .. }
        | StepKind::Revert { .. }
        | StepKind::DeleteChangeSet { .. }
        | StepKind::Delete { .. }
        | StepKind::ContinueRollback { .. }
        | StepKind::RollBack
        | StepKind::SetTerminationProtection(_)
        | StepKind::SetStackPolicy => return None,
    };
    let release = reviewed_as(case.fleet, &wanted.service);
    let (steering, now) = (case.scene.steering, case.scene.now);
    let approves = |member: &str| steering.approves(ApprovalKind::Plan, member, now);
    if step.kind == StepKind::Create {
        let member = release_member(service, &release);
        let summary =
            format!("stacks of {service} would be made, and no plan of its release was approved");
        let is_allowed = approves(&member);
        return (!is_allowed)
            .then(|| ApprovalRequest::of(ApprovalKind::Plan, [member].into(), summary));
    }
    let goes_back = case.release.is_some_and(|release| !release.is_head())
        && approves(&release_member(service, &release));
    let asked: BTreeMap<String, String> = changes
        .iter()
        .filter(|change| !(goes_back && undoes(case, service, change)))
        .map(|change| {
            let action = ResourceAction::of(change);
            let (logical_id, kind) = (&change.logical_id, &change.kind);
            let member = action_member(service, &release, action, logical_id, kind);
            (member, format!("{} {logical_id} ({kind})", action.word()))
        })
        .filter(|(member, _)| !approves(member))
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

/// Whether a change only takes back what an approved plan of another release of the service did. Who
/// reviewed that release reviewed what its halt comes to.
fn undoes(case: &Case<'_>, service: &ServiceName, change: &PlannedChange) -> bool {
    let done = match ResourceAction::of(change) {
        ResourceAction::Add => ResourceAction::Remove,
        ResourceAction::Remove => ResourceAction::Add,
        same @ (ResourceAction::Modify | ResourceAction::Replace) => same,
    };
    let any_release = format!("{service} at ");
    let end = format!(": {} {} ({})", done.word(), change.logical_id, change.kind);
    let (steering, now) = (case.scene.steering, case.scene.now);
    let plans = steering
        .approvals
        .iter()
        .filter(|approval| approval.kind == ApprovalKind::Plan && now < approval.expires_at);
    plans
        .flat_map(|approval| &approval.members)
        .any(|member| member.starts_with(&any_release) && member.ends_with(&end))
}
