//! What will happen in an operation on a stack, from its first event to its last status.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::moment::Moment;
use crate::sim::blueprint::Blueprint;
use crate::sim::family::{Cleanup, NESTED_STACK};
use crate::sim::phase::{Draft, Verb, View};
use crate::sim::state::{DeletionPolicy, Effect, Resource, Step};
use crate::sim::status::Status;
use crate::sim::works::{
    Changes, NOTHING, Skips, change_works, deletion_work, deletion_works, skip, skipped_by_policy,
    undo_works,
};

/// How long an operation takes before its first resource and after its last, in seconds: measured at
/// AWS as about 13 beside the resources. How they are divided is an estimate.
pub(crate) const STARTING_SECONDS: f64 = 5.0;
pub(crate) const ENDING_SECONDS: f64 = 8.0;
/// How long an operation takes from one of its phases to the next, in seconds; an estimate.
pub(crate) const TURNING_SECONDS: f64 = 1.0;
/// How often AWS tries to delete a resource after an update, as its troubleshooting guide says.
const CLEANUP_ATTEMPTS: u32 = 3;

/// What a resource is doing when it is asked whether it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It is made or changed.
    Change,
    /// An update of it is taken back.
    Rollback,
    /// It is deleted: with its stack, after an update, or when a creation is taken back.
    Delete,
}

impl Phase {
    /// A failure in this phase in words, for counting.
    pub(crate) fn failure_word(self) -> &'static str {
        match self {
            Self::Change => "resource failed",
            Self::Rollback => "rollback failed",
            Self::Delete => "delete failed",
        }
    }
}

/// What becomes of a creation that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFailure {
    Rollback,
    Delete,
    DoNothing,
}

/// What decides about failures.
pub(crate) struct Fate<'a> {
    /// Why a resource of the stack of this name fails in a phase, if it does.
    pub(crate) of: &'a mut dyn FnMut(&str, Phase, &str, &Resource) -> Option<String>,
}

/// An operation that makes a stack.
#[derive(Debug)]
pub(crate) struct Creation<'a> {
    pub(crate) blueprint: &'a Blueprint,
    /// Why the operation fails after all resources were made, or before (`NoExport`).
    pub(crate) failure: Option<String>,
    pub(crate) on_failure: OnFailure,
    /// Whether resources with `DeletionPolicy: Retain` go when the creation is taken back.
    pub(crate) retain_except_on_create: bool,
}

/// The steps of a creation.
pub(crate) fn creation(
    creation: &Creation<'_>,
    mut draft: Draft,
    fate: &mut Fate<'_>,
) -> Vec<Step> {
    draft.stack(Status::CREATE_IN_PROGRESS, Some("User Initiated".to_owned()));
    draft.wait(STARTING_SECONDS);
    let changes = Changes {
        blueprint: creation.blueprint,
        tags_changed: false,
        disable_rollback: creation.on_failure == OnFailure::DoNothing,
        reverts: &NOTHING,
    };
    let works = change_works(draft.view(), changes, fate);
    let failed = draft.run_until_failure(&works);
    let reason = match &creation.failure {
        _ if !failed.is_empty() => failed.sentence(),
        Some(text) => format!("{text} "),
        None => {
            draft.wait(ENDING_SECONDS);
            draft.succeed(creation.blueprint.outputs.clone(), creation.blueprint.imports.clone());
            draft.stack(Status::CREATE_COMPLETE, None);
            return draft.steps;
        }
    };
    draft.wait(TURNING_SECONDS);
    match creation.on_failure {
        OnFailure::DoNothing => draft.stack(Status::CREATE_FAILED, Some(reason)),
        OnFailure::Rollback => {
            let reason = format!("{reason}Rollback requested by user.");
            undo_creation(&mut draft, reason, creation.retain_except_on_create, fate);
        }
        OnFailure::Delete => {
            let reason = format!("{reason}Delete requested by user.");
            delete_all(&mut draft, Some(reason), &Deletion::default(), fate);
        }
    }
    draft.steps
}

/// The steps of taking back a creation that has failed.
pub(crate) fn rollback_of_creation(mut draft: Draft, fate: &mut Fate<'_>) -> Vec<Step> {
    undo_creation(&mut draft, "User Initiated".to_owned(), false, fate);
    draft.steps
}

fn undo_creation(draft: &mut Draft, reason: String, everything: bool, fate: &mut Fate<'_>) {
    draft.stack(Status::ROLLBACK_IN_PROGRESS, Some(reason));
    draft.wait(TURNING_SECONDS);
    let kept = |resource: &Resource| !everything && resource.deletion == DeletionPolicy::Retain;
    skipped_by_policy(draft.view(), kept).iter().for_each(|logical_id| skip(draft, logical_id));
    let works = deletion_works(draft.view(), false, fate);
    let failed = draft.run_all(&works);
    draft.wait(TURNING_SECONDS);
    if failed.is_empty() {
        draft.stack(Status::ROLLBACK_COMPLETE, None);
    } else {
        draft.stack(Status::ROLLBACK_FAILED, Some(failed.sentence()));
    }
}

/// An operation that changes a stack.
#[derive(Debug)]
pub(crate) struct Update<'a> {
    pub(crate) blueprint: &'a Blueprint,
    pub(crate) tags_changed: bool,
    /// Why the operation fails although no resource does.
    pub(crate) failure: Option<String>,
    pub(crate) disable_rollback: bool,
    /// What it goes back to when it fails.
    pub(crate) previous: &'a BTreeMap<String, Resource>,
    /// Logical ids of what it brings back to what the template says.
    pub(crate) reverts: &'a BTreeSet<String>,
}

/// The steps of an update.
pub(crate) fn update(update: &Update<'_>, mut draft: Draft, fate: &mut Fate<'_>) -> Vec<Step> {
    let blueprint = update.blueprint;
    let before = draft.records.clone();
    draft.stack(Status::UPDATE_IN_PROGRESS, Some("User Initiated".to_owned()));
    draft.wait(STARTING_SECONDS);
    let (tags_changed, disable_rollback) = (update.tags_changed, update.disable_rollback);
    let reverts = update.reverts;
    let changes = Changes { blueprint, tags_changed, disable_rollback, reverts };
    let works = change_works(draft.view(), changes, fate);
    let failed = draft.run_until_failure(&works);
    draft.wait(TURNING_SECONDS);
    if !failed.is_empty() || update.failure.is_some() {
        let reason = failed.sentence() + update.failure.as_deref().unwrap_or_default();
        if update.disable_rollback {
            draft.stack(Status::UPDATE_FAILED, Some(reason));
        } else {
            undo_update(&mut draft, Some(reason), update.previous, &Skips::new(), fate);
        }
        return draft.steps;
    }
    draft.succeed(blueprint.outputs.clone(), blueprint.imports.clone());
    draft.stack(Status::UPDATE_COMPLETE_CLEANUP_IN_PROGRESS, None);
    draft.wait(TURNING_SECONDS);
    let wanted = |logical_id: &str| {
        blueprint.resources.iter().any(|planned| planned.logical_id == logical_id)
    };
    let clean = clean_up(&mut draft, &before, wanted, fate);
    draft.wait(ENDING_SECONDS - 2.0 * TURNING_SECONDS);
    let left = "Update successful. One or more resources could not be deleted.";
    draft.stack(Status::UPDATE_COMPLETE, (!clean).then(|| left.to_owned()));
    draft.steps
}

/// The steps of taking back an update, as `RollbackStack` and `ContinueUpdateRollback` do.
pub(crate) fn rollback_of_update(
    mut draft: Draft,
    previous: &BTreeMap<String, Resource>,
    skips: &Skips,
    fate: &mut Fate<'_>,
) -> Vec<Step> {
    undo_update(&mut draft, Some("User Initiated".to_owned()), previous, skips, fate);
    draft.steps
}

fn undo_update(
    draft: &mut Draft,
    reason: Option<String>,
    previous: &BTreeMap<String, Resource>,
    skips: &Skips,
    fate: &mut Fate<'_>,
) {
    draft.stack(Status::UPDATE_ROLLBACK_IN_PROGRESS, reason);
    draft.push(Effect::Restore);
    draft.wait(TURNING_SECONDS);
    let before = draft.records.clone();
    let works = undo_works(draft.view(), previous, skips, fate);
    let failed = draft.run_until_failure(&works);
    draft.wait(TURNING_SECONDS);
    if !failed.is_empty() {
        draft.stack(Status::UPDATE_ROLLBACK_FAILED, Some(failed.sentence()));
        return;
    }
    draft.stack(Status::UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS, None);
    draft.wait(TURNING_SECONDS);
    let clean = clean_up(draft, &before, |logical_id| previous.contains_key(logical_id), fate);
    draft.wait(TURNING_SECONDS);
    draft.push(Effect::Forget);
    // The text after an update is AWS's; this one is made after it.
    let left = "Update rollback successful. One or more resources could not be deleted.";
    draft.stack(Status::UPDATE_ROLLBACK_COMPLETE, (!clean).then(|| left.to_owned()));
}

/// Which parts of a stack a deletion leaves.
#[derive(Debug, Default)]
pub(crate) struct Deletion {
    /// Logical ids.
    pub(crate) retained: BTreeSet<String>,
    /// Whatever cannot be deleted is left behind.
    pub(crate) forced: bool,
}

/// The steps of a deletion.
pub(crate) fn deletion(mut draft: Draft, deletion: &Deletion, fate: &mut Fate<'_>) -> Vec<Step> {
    delete_all(&mut draft, Some("User Initiated".to_owned()), deletion, fate);
    draft.steps
}

fn delete_all(draft: &mut Draft, reason: Option<String>, deletion: &Deletion, fate: &mut Fate<'_>) {
    draft.stack(Status::DELETE_IN_PROGRESS, reason);
    draft.wait(STARTING_SECONDS);
    let retained: Vec<String> = deletion
        .retained
        .iter()
        .filter(|name| draft.records.contains_key(*name))
        .cloned()
        .collect();
    retained.iter().for_each(|logical_id| skip(draft, logical_id));
    let kept = |resource: &Resource| resource.deletion != DeletionPolicy::Delete;
    skipped_by_policy(draft.view(), kept).iter().for_each(|logical_id| skip(draft, logical_id));
    let works = deletion_works(draft.view(), deletion.forced, fate);
    let failed = draft.run_all(&works);
    draft.wait(ENDING_SECONDS);
    if failed.is_empty() {
        draft.stack(Status::DELETE_COMPLETE, None);
    } else {
        draft.stack(Status::DELETE_FAILED, Some(failed.sentence()));
    }
}

/// Deletes what is no longer wanted, and the old ones of what was replaced; says whether all went
/// well. What cannot be deleted is left behind: the update is a success all the same.
fn clean_up(
    draft: &mut Draft,
    before: &BTreeMap<String, Resource>,
    wanted: impl Fn(&str) -> bool,
    fate: &mut Fate<'_>,
) -> bool {
    let (first, start) = (draft.steps.len(), draft.at);
    let children_end = clean_up_children(draft, fate);
    let mut works = Vec::new();
    for (logical_id, old) in before {
        let replaced =
            draft.records.get(logical_id).is_some_and(|now| now.physical_id != old.physical_id);
        let removed = !wanted(logical_id);
        let keep = if removed { old.deletion != DeletionPolicy::Delete } else { old.keep_replaced };
        match (removed || replaced, keep) {
            (false, _) => {}
            (true, true) if removed => skip(draft, logical_id),
            (true, true) => {}
            (true, false) => {
                let verb = if removed { Verb::Delete } else { Verb::DeleteReplaced };
                let view = View { records: before, ..draft.view() };
                works.push(deletion_work(view, (logical_id, old), verb, false, fate));
            }
        }
    }
    draft.at = start;
    for attempt in 1..=CLEANUP_ATTEMPTS {
        if attempt == CLEANUP_ATTEMPTS {
            let deletions = works.iter_mut().filter(|work| work.verb == Verb::Delete);
            deletions.for_each(|work| work.verb = Verb::DeleteOrLeave);
        }
        draft.run_each(&works);
        works.retain(|work| work.failure.is_some());
        if attempt < CLEANUP_ATTEMPTS {
            for work in &mut works {
                let view = View { records: before, ..draft.view() };
                let resource = (work.logical_id.as_str(), &work.record);
                *work = deletion_work(view, resource, work.verb, false, fate);
            }
        }
    }
    draft.at = draft.at.max(children_end);
    draft.sort(first);
    works.is_empty()
}

/// Nested stacks clean up when all have succeeded; returns when the last one has.
fn clean_up_children(draft: &mut Draft, fate: &mut Fate<'_>) -> Moment {
    let start = draft.at;
    let nested = draft.records.values().filter(|record| &*record.kind == NESTED_STACK);
    let ids: Vec<Arc<str>> = nested.map(|record| record.physical_id.clone()).collect();
    let ends = ids.iter().filter_map(|id| {
        let cleanup = draft.family.get_mut(id)?.cleanup.take()?;
        let ((), end) = draft.within(id, start, |child| clean_up_child(child, &cleanup, fate))?;
        Some(end)
    });
    ends.max().unwrap_or(start)
}

fn clean_up_child(child: &mut Draft, cleanup: &Cleanup, fate: &mut Fate<'_>) {
    let updated = Status::UPDATE_COMPLETE_CLEANUP_IN_PROGRESS;
    let status = match child.member().filter(|member| member.status == updated) {
        Some(_) => Status::UPDATE_COMPLETE,
        None => Status::UPDATE_ROLLBACK_COMPLETE,
    };
    child.wait(TURNING_SECONDS);
    clean_up(child, &cleanup.before, |logical_id| cleanup.wanted.contains(logical_id), fate);
    child.wait(TURNING_SECONDS);
    child.push(Effect::Forget);
    if let Some(member) = child.member() {
        member.previous = None;
    }
    child.stack(status, None);
}
