//! What will happen in an operation on a stack, from its first event to its last status.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::moment::Moment;
use crate::sim::blueprint::{Blueprint, Planned};
use crate::sim::phase::{Draft, Pace, Verb, Work};
use crate::sim::resources::{kind, named_by_template};
use crate::sim::state::{Becomes, DeletionPolicy, Effect, EventResource, Resource, Step};
use crate::sim::status::Status;

/// How long an operation takes before its first resource and after its last, in seconds: measured at
/// AWS as about 13 beside the resources. How they are divided is an estimate.
const STARTING_SECONDS: f64 = 5.0;
const ENDING_SECONDS: f64 = 8.0;
/// How long an operation takes from one of its phases to the next, in seconds; an estimate.
const TURNING_SECONDS: f64 = 1.0;
/// How often AWS tries to delete a resource after an update, as its troubleshooting guide says.
const CLEANUP_ATTEMPTS: u32 = 3;
/// How long a resource takes that fails at once, in seconds.
const REFUSED_SECONDS: f64 = 1.0;

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
    /// Why a resource fails in a phase, if it does.
    pub(crate) of: &'a mut dyn FnMut(Phase, &str, &Resource) -> Option<String>,
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
    now: Moment,
    pace: Pace,
    fate: &mut Fate<'_>,
) -> Vec<Step> {
    let mut draft = Draft::new(now, BTreeMap::new(), pace);
    draft.stack(Status::CREATE_IN_PROGRESS, Some("User Initiated".to_owned()));
    draft.wait(STARTING_SECONDS);
    let works = change_works(&draft, creation.blueprint, false, fate);
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
pub(crate) fn rollback_of_creation(
    records: BTreeMap<String, Resource>,
    now: Moment,
    pace: Pace,
    fate: &mut Fate<'_>,
) -> Vec<Step> {
    let mut draft = Draft::new(now, records, pace);
    undo_creation(&mut draft, "User Initiated".to_owned(), false, fate);
    draft.steps
}

fn undo_creation(draft: &mut Draft, reason: String, everything: bool, fate: &mut Fate<'_>) {
    draft.stack(Status::ROLLBACK_IN_PROGRESS, Some(reason));
    draft.wait(TURNING_SECONDS);
    let kept = |resource: &Resource| !everything && resource.deletion == DeletionPolicy::Retain;
    let works = deletion_works(draft, kept, fate);
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
}

/// The steps of an update.
pub(crate) fn update(update: &Update<'_>, mut draft: Draft, fate: &mut Fate<'_>) -> Vec<Step> {
    let blueprint = update.blueprint;
    let before = draft.records.clone();
    draft.stack(Status::UPDATE_IN_PROGRESS, Some("User Initiated".to_owned()));
    draft.wait(STARTING_SECONDS);
    let works = change_works(&draft, blueprint, update.tags_changed, fate);
    let failed = draft.run_until_failure(&works);
    draft.wait(TURNING_SECONDS);
    if !failed.is_empty() || update.failure.is_some() {
        let reason = failed.sentence() + update.failure.as_deref().unwrap_or_default();
        if update.disable_rollback {
            draft.stack(Status::UPDATE_FAILED, Some(reason));
        } else {
            undo_update(&mut draft, Some(reason), update.previous, &BTreeSet::new(), fate);
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
    skipped: &BTreeSet<String>,
    fate: &mut Fate<'_>,
) -> Vec<Step> {
    undo_update(&mut draft, Some("User Initiated".to_owned()), previous, skipped, fate);
    draft.steps
}

fn undo_update(
    draft: &mut Draft,
    reason: Option<String>,
    previous: &BTreeMap<String, Resource>,
    skipped: &BTreeSet<String>,
    fate: &mut Fate<'_>,
) {
    draft.stack(Status::UPDATE_ROLLBACK_IN_PROGRESS, reason);
    draft.push(Effect::Restore);
    draft.wait(TURNING_SECONDS);
    let before = draft.records.clone();
    let mut works = Vec::new();
    for (logical_id, old) in previous {
        let Some(now) = before.get(logical_id) else { continue };
        let same = now.physical_id == old.physical_id && now.properties == old.properties;
        let unfinished = [Status::UPDATE_FAILED, Status::UPDATE_IN_PROGRESS];
        if same && !unfinished.contains(&now.status) {
            continue;
        }
        let is_skipped = skipped.contains(logical_id);
        works.push(Work {
            logical_id: logical_id.clone(),
            verb: Verb::Update,
            record: old.clone(),
            old_physical_id: Some(now.physical_id.clone()),
            after: old.depends_on.clone(),
            seconds: if is_skipped { REFUSED_SECONDS } else { draft.pace.seconds_of(&old.kind) },
            failure: (!is_skipped).then(|| (fate.of)(Phase::Rollback, logical_id, old)).flatten(),
        });
    }
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
    let mut works = deletion_works(draft, kept, fate);
    if deletion.forced {
        works.iter_mut().for_each(|work| work.failure = None);
    }
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
                works.push(deletion_work(draft.pace, logical_id, old, verb, before, fate));
            }
        }
    }
    for attempt in 1..=CLEANUP_ATTEMPTS {
        if attempt == CLEANUP_ATTEMPTS {
            let deletions = works.iter_mut().filter(|work| work.verb == Verb::Delete);
            deletions.for_each(|work| work.verb = Verb::DeleteOrLeave);
        }
        draft.run_each(&works);
        works.retain(|work| work.failure.is_some());
        if attempt < CLEANUP_ATTEMPTS {
            for work in &mut works {
                work.failure = (fate.of)(Phase::Delete, &work.logical_id, &work.record);
            }
        }
    }
    works.is_empty()
}

/// A resource leaves the stack and goes on existing.
fn skip(draft: &mut Draft, logical_id: &str) {
    let Some(record) = draft.records.remove(logical_id) else { return };
    let resource = EventResource {
        logical_id: logical_id.into(),
        kind: record.kind,
        physical_id: Some(record.physical_id),
    };
    let status = Status::DELETE_SKIPPED;
    draft.push(Effect::Resource { resource, status, reason: None, becomes: Becomes::Gone });
}

fn change_works(
    draft: &Draft,
    blueprint: &Blueprint,
    tags_changed: bool,
    fate: &mut Fate<'_>,
) -> Vec<Work> {
    let planned = blueprint.resources.iter();
    planned.filter_map(|planned| change_work(draft, planned, tags_changed, fate)).collect()
}

fn change_work(
    draft: &Draft,
    planned: &Planned,
    tags_changed: bool,
    fate: &mut Fate<'_>,
) -> Option<Work> {
    let existing = draft.records.get(&planned.logical_id);
    let record = record_of(planned, draft.at);
    let verb = match existing {
        None => Verb::Create,
        Some(_) if !planned.replaced_by.is_empty() => Verb::Replace,
        Some(old) if touched(planned, old, &record, tags_changed) => Verb::Update,
        Some(_) => return None,
    };
    let failure = (fate.of)(Phase::Change, &planned.logical_id, &record)
        .or_else(|| {
            existing.filter(|_| verb == Verb::Replace).and_then(|old| same_name(planned, old))
        })
        .or_else(|| {
            let property = planned.refused.as_ref()?;
            Some(format!("Updates are not allowed for property - {property}."))
        });
    Some(Work {
        logical_id: planned.logical_id.clone(),
        verb,
        old_physical_id: existing.map(|old| old.physical_id.clone()),
        after: planned.depends_on.clone(),
        seconds: draft.pace.seconds_of(&planned.kind),
        failure,
        record,
    })
}

/// Whether an update does anything to a resource that it does not replace.
pub(crate) fn touched(
    planned: &Planned,
    old: &Resource,
    new: &Resource,
    tags_changed: bool,
) -> bool {
    let taggable = kind(&planned.kind).is_none_or(|kind| kind.taggable);
    !planned.changed.is_empty()
        || old.metadata != new.metadata
        || old.deletion != new.deletion
        || old.keep_replaced != new.keep_replaced
        || (tags_changed && taggable)
        || old.status == Status::UPDATE_FAILED
        || old.status == Status::CREATE_FAILED
}

fn same_name(planned: &Planned, old: &Resource) -> Option<String> {
    let kind = kind(&planned.kind)?;
    let name = named_by_template(kind, &planned.properties)?;
    let before: serde_json::Map<_, _> = serde_json::from_str(&old.properties).unwrap_or_default();
    let unchanged = named_by_template(kind, &before).is_some_and(|before| before == name);
    unchanged.then(|| {
        format!(
            "CloudFormation cannot update a stack when a custom-named resource requires \
             replacing. Rename {name} and update the stack again. ({})",
            old.physical_id
        )
    })
}

/// The record that a wanted resource will have.
pub(crate) fn record_of(planned: &Planned, at: Moment) -> Resource {
    Resource {
        kind: planned.kind.as_str().into(),
        physical_id: planned.physical_id.as_str().into(),
        properties: as_json(&planned.properties),
        metadata: as_json(&planned.metadata),
        depends_on: planned.depends_on.clone(),
        deletion: planned.deletion,
        keep_replaced: planned.keep_replaced,
        status: Status::CREATE_IN_PROGRESS,
        reason: None,
        changed_at: at,
    }
}

fn as_json(value: &impl serde::Serialize) -> Arc<str> {
    serde_json::to_string(value).unwrap_or_default().into()
}

fn deletion_works(
    draft: &mut Draft,
    kept: impl Fn(&Resource) -> bool,
    fate: &mut Fate<'_>,
) -> Vec<Work> {
    let skipped: Vec<String> =
        draft.records.iter().filter(|(_, old)| kept(old)).map(|(name, _)| name.clone()).collect();
    skipped.iter().for_each(|logical_id| skip(draft, logical_id));
    let (pace, all) = (draft.pace, &draft.records);
    all.iter()
        .map(|(logical_id, old)| deletion_work(pace, logical_id, old, Verb::Delete, all, fate))
        .collect()
}

/// A deletion waits for those that depend on the resource.
fn deletion_work(
    pace: Pace,
    logical_id: &str,
    old: &Resource,
    verb: Verb,
    all: &BTreeMap<String, Resource>,
    fate: &mut Fate<'_>,
) -> Work {
    let dependents =
        all.iter().filter(|(_, other)| other.depends_on.iter().any(|id| id == logical_id));
    Work {
        logical_id: logical_id.to_owned(),
        verb,
        record: old.clone(),
        old_physical_id: Some(old.physical_id.clone()),
        after: dependents.map(|(name, _)| name.clone()).collect(),
        seconds: if old.status == Status::CREATE_FAILED {
            REFUSED_SECONDS
        } else {
            pace.seconds_of(&old.kind)
        },
        failure: (fate.of)(Phase::Delete, logical_id, old),
    }
}
