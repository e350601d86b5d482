//! What one phase of a stack's operation does inside a nested stack: from its first event to the
//! status in which it waits for its root.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::moment::Moment;
use crate::sim::blueprint::NestedPlan;
use crate::sim::family::{Cleanup, Member};
use crate::sim::phase::{CREATION_CANCELLED, Draft, Failed, UPDATE_CANCELLED, View, Work};
use crate::sim::reality::{standing, without_reality};
use crate::sim::state::{Effect, Stack};
use crate::sim::status::Status;
use crate::sim::timeline::{ENDING_SECONDS, STARTING_SECONDS, TURNING_SECONDS};
use crate::sim::works::skip;

/// What is done to a nested stack.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    /// Its ARN.
    pub(crate) id: Arc<str>,
    pub(crate) act: Act,
    /// What is done to its resources.
    pub(crate) works: Vec<Work>,
}

/// The kinds of deeds.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Create(Box<NestedPlan>),
    /// It goes back by itself when it fails, unless that is switched off.
    Update {
        plan: Box<NestedPlan>,
        disable_rollback: bool,
    },
    Undo,
    Delete {
        /// Logical ids of what is left behind.
        skipped: Vec<String>,
    },
}

impl Deed {
    /// Carries it out from `start` on, cut off at `limit`. Returns when it ends and, if it failed,
    /// what its parent says about it.
    pub(crate) fn enact(
        &self,
        parent: &mut Draft,
        start: Moment,
        limit: Option<Moment>,
    ) -> (Moment, Option<String>) {
        if let Act::Create(plan) = &self.act {
            parent.family.insert(self.id.clone(), member(plan));
        }
        let done = parent.within(&self.id, start, |child| match &self.act {
            Act::Create(plan) => create(child, plan, &self.works, limit),
            Act::Update { plan, disable_rollback } => {
                update(child, plan, &self.works, *disable_rollback, limit)
            }
            Act::Undo => undo(child, &self.works, limit),
            Act::Delete { skipped } => delete(child, skipped, &self.works),
        });
        let is_gone = |member: &Member| member.status == Status::DELETE_COMPLETE;
        if parent.family.get(&self.id).is_some_and(is_gone) {
            parent.family.remove(&self.id);
        }
        done.map_or((start, None), |(failure, end)| (end, failure))
    }

    /// How long it will take when nothing cuts it off, and why it will fail.
    pub(crate) fn forecast(&self, view: View<'_>) -> (Duration, Option<String>) {
        let start = Moment::default();
        let mut scratch = Draft {
            steps: Vec::new(),
            records: view.records.clone(),
            at: start,
            pace: view.pace,
            name: view.name.into(),
            id: "".into(),
            family: view.family.clone(),
        };
        let (end, failure) = self.enact(&mut scratch, start, None);
        (end.since(start), failure)
    }
}

fn member(plan: &NestedPlan) -> Member {
    Member {
        name: plan.name.clone(),
        status: Status::CREATE_IN_PROGRESS,
        records: [].into(),
        previous: None,
        cleanup: None,
    }
}

fn create(
    child: &mut Draft,
    plan: &NestedPlan,
    works: &[Work],
    limit: Option<Moment>,
) -> Option<String> {
    let mut shell = Stack::new(plan.id.clone(), plan.name.clone(), child.at);
    shell.definition = plan.definition.clone();
    shell.nested = Some(plan.nested.clone());
    child.push(Effect::Begin(Box::new(shell)));
    child.stack(Status::CREATE_IN_PROGRESS, Some("User Initiated".to_owned()));
    child.wait(STARTING_SECONDS);
    let failed = child.run_until(works, limit);
    let went_well = failed.is_empty() && plan.failure.is_none();
    child.wait(if went_well { ENDING_SECONDS } else { TURNING_SECONDS });
    match reason(child, &failed, plan.failure.as_deref(), limit, CREATION_CANCELLED) {
        None => {
            child.succeed(plan.blueprint.outputs.clone(), plan.blueprint.imports.clone());
            child.stack(Status::CREATE_COMPLETE, None);
            None
        }
        Some(reason) => {
            child.stack(Status::CREATE_FAILED, Some(reason.clone()));
            Some(format!("Embedded stack {} was not successfully created: {reason}", child.id))
        }
    }
}

fn update(
    child: &mut Draft,
    plan: &NestedPlan,
    works: &[Work],
    disable_rollback: bool,
    limit: Option<Moment>,
) -> Option<String> {
    let is_plain = plan.reverts.is_empty();
    let was = if is_plain { without_reality(&child.records) } else { child.records.clone() };
    if let Some(member) = child.member() {
        member.previous.get_or_insert(was);
    }
    if !is_plain {
        child.records = standing(&child.records, &plan.reverts);
        child.push(Effect::Remember);
    }
    let before = child.records.clone();
    child.push(Effect::Redefine(Box::new(plan.definition.clone())));
    child.stack(Status::UPDATE_IN_PROGRESS, Some("User Initiated".to_owned()));
    child.wait(STARTING_SECONDS);
    let failed = child.run_until(works, limit);
    child.wait(TURNING_SECONDS);
    match reason(child, &failed, plan.failure.as_deref(), limit, UPDATE_CANCELLED) {
        None => {
            let (outputs, imports) = (&plan.blueprint.outputs, &plan.blueprint.imports);
            let (outputs, imports) = (outputs.clone(), imports.clone());
            child.push(Effect::Settle { outputs, imports });
            child.stack(Status::UPDATE_COMPLETE_CLEANUP_IN_PROGRESS, None);
            let wanted = plan.blueprint.resources.iter().map(|one| one.logical_id.clone());
            owe(child, Cleanup { before, wanted: wanted.collect() });
            None
        }
        Some(reason) => {
            let status = if disable_rollback {
                Status::UPDATE_FAILED
            } else {
                Status::UPDATE_ROLLBACK_IN_PROGRESS
            };
            child.stack(status.clone(), Some(reason.clone()));
            Some(not_updated(child, &status, &reason))
        }
    }
}

fn undo(child: &mut Draft, works: &[Work], limit: Option<Moment>) -> Option<String> {
    let before = child.records.clone();
    let member = child.member()?;
    let wanted: BTreeSet<String> =
        member.previous.iter().flatten().map(|(id, _)| id).cloned().collect();
    if member.status != Status::UPDATE_ROLLBACK_IN_PROGRESS {
        child.stack(Status::UPDATE_ROLLBACK_IN_PROGRESS, None);
    }
    child.push(Effect::Restore);
    child.wait(TURNING_SECONDS);
    let failed = child.run_until(works, limit);
    child.wait(TURNING_SECONDS);
    match reason(child, &failed, None, limit, UPDATE_CANCELLED) {
        None => {
            child.stack(Status::UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS, None);
            owe(child, Cleanup { before, wanted });
            None
        }
        Some(reason) => {
            let status = Status::UPDATE_ROLLBACK_FAILED;
            child.stack(status.clone(), Some(reason.clone()));
            Some(not_updated(child, &status, &reason))
        }
    }
}

fn delete(child: &mut Draft, skipped: &[String], works: &[Work]) -> Option<String> {
    child.stack(Status::DELETE_IN_PROGRESS, Some("User Initiated".to_owned()));
    child.wait(STARTING_SECONDS);
    skipped.iter().for_each(|logical_id| skip(child, logical_id));
    let failed = child.run_all(works);
    child.wait(ENDING_SECONDS);
    if failed.is_empty() {
        child.stack(Status::DELETE_COMPLETE, None);
        return None;
    }
    let reason = failed.sentence();
    child.stack(Status::DELETE_FAILED, Some(reason.clone()));
    Some(format!("Embedded stack {} was not successfully deleted: {reason}", child.id))
}

/// Why it failed, if it did; one that reached its limit stops there.
fn reason(
    child: &mut Draft,
    failed: &Failed,
    failure: Option<&str>,
    limit: Option<Moment>,
    cancelled: &str,
) -> Option<String> {
    let is_cut = limit.is_some_and(|limit| child.at >= limit);
    if let Some(limit) = limit.filter(|_| is_cut) {
        child.at = limit;
    }
    let reason = failed.sentence() + failure.unwrap_or_default();
    if reason.is_empty() { is_cut.then(|| cancelled.to_owned()) } else { Some(reason) }
}

fn not_updated(child: &Draft, status: &Status, reason: &str) -> String {
    let (id, reason) = (&child.id, reason.trim_end());
    format!(
        "Embedded stack {id} was not successfully updated. Currently in {status} with reason: {reason}"
    )
}

fn owe(child: &mut Draft, cleanup: Cleanup) {
    if let Some(member) = child.member() {
        member.cleanup = Some(cleanup);
    }
}
