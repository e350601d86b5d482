//! What an operation does to each resource of a stack, and inside its nested stacks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::moment::Moment;
use crate::sim::blueprint::{Blueprint, Nested, Planned};
use crate::sim::deed::{Act, Deed};
use crate::sim::family::{Member, NESTED_STACK};
use crate::sim::phase::{Draft, Verb, View, Work};
use crate::sim::reality::{left, reverted, standing, written};
use crate::sim::resources::{kind, named_by_template};
use crate::sim::state::{Becomes, DeletionPolicy, Effect, EventResource, Resource};
use crate::sim::status::Status;
use crate::sim::timeline::{Fate, Phase, TURNING_SECONDS};

/// How long a resource takes that fails at once, in seconds.
const REFUSED_SECONDS: f64 = 1.0;

/// Logical ids of what a rollback leaves as it is, by the name of the stack.
pub(crate) type Skips = BTreeMap<String, BTreeSet<String>>;

/// What a creation or an update wants of a stack.
#[derive(Clone, Copy)]
pub(crate) struct Changes<'a> {
    pub(crate) blueprint: &'a Blueprint,
    pub(crate) tags_changed: bool,
    pub(crate) disable_rollback: bool,
    /// Logical ids of what a drift-aware change set brings back to what the template says.
    pub(crate) reverts: &'a BTreeSet<String>,
}

/// What no drift-aware change set is about.
pub(crate) static NOTHING: BTreeSet<String> = BTreeSet::new();

/// How long something inside a nested stack takes, and why it fails.
type Course = (Option<Box<Deed>>, Duration, Option<String>);

/// A resource leaves the stack and goes on existing.
pub(crate) fn skip(draft: &mut Draft, logical_id: &str) {
    let Some(record) = draft.records.remove(logical_id) else { return };
    let resource = EventResource {
        logical_id: logical_id.into(),
        kind: record.kind,
        physical_id: Some(record.physical_id),
    };
    let status = Status::DELETE_SKIPPED;
    draft.push(Effect::Resource { resource, status, reason: None, becomes: Becomes::Gone });
}

/// What is made and changed.
pub(crate) fn change_works(view: View<'_>, changes: Changes<'_>, fate: &mut Fate<'_>) -> Vec<Work> {
    let planned = changes.blueprint.resources.iter();
    planned.filter_map(|planned| change_work(view, planned, changes, fate)).collect()
}

fn change_work(
    view: View<'_>,
    planned: &Planned,
    changes: Changes<'_>,
    fate: &mut Fate<'_>,
) -> Option<Work> {
    let existing = view.records.get(&planned.logical_id);
    let mut record = record_of(planned, view.at);
    let real = changes.reverts.contains(&planned.logical_id);
    let verb = match existing {
        None => Verb::Create,
        Some(_) if !planned.replaced_by.is_empty() => Verb::Replace,
        Some(old) if real || touched(planned, old, &record, changes.tags_changed) => Verb::Update,
        Some(_) => return None,
    };
    if let Some(old) = existing.filter(|_| verb == Verb::Update) {
        let after = &record.properties;
        record.live = if real { reverted(old, after) } else { written(old, after) };
    }
    let failure = (fate.of)(view.name, Phase::Change, &planned.logical_id, &record)
        .or_else(|| {
            existing.filter(|_| verb == Verb::Replace).and_then(|old| same_name(planned, old))
        })
        .or_else(|| {
            let property = planned.refused.as_ref()?;
            Some(format!("Updates are not allowed for property - {property}."))
        })
        .or_else(|| planned.broken.clone())
        .or_else(|| planned.unfetched.clone())
        .or_else(|| existing.filter(|old| verb == Verb::Update && old.is_gone()).map(not_there));
    let (deed, length, failure) = match &planned.nested {
        Some(nested) if failure.is_none() => nested_change(view, nested, changes, fate),
        Some(_) | None => (None, view.pace.of(view.pace.seconds_of(&planned.kind)), failure),
    };
    Some(Work {
        logical_id: planned.logical_id.clone(),
        verb,
        old_physical_id: existing.map(|old| old.physical_id.clone()),
        after: planned.depends_on.clone(),
        length,
        failure,
        record,
        real,
        deed,
    })
}

/// What AWS says of a resource that it is to update and that somebody has deleted.
fn not_there(old: &Resource) -> String {
    format!(
        "Resource of type '{}' with identifier '{}' was not found. (HandlerErrorCode: NotFound)",
        old.kind, old.physical_id
    )
}

fn nested_change(
    view: View<'_>,
    nested: &Nested,
    changes: Changes<'_>,
    fate: &mut Fate<'_>,
) -> Course {
    let plan = match &nested.plan {
        Ok(plan) => plan,
        Err(text) => return (None, view.pace.of(REFUSED_SECONDS), Some(text.clone())),
    };
    let existing = view.family.get(&nested.id);
    if !plan.creates && !plan.changed {
        return (None, view.pace.of(TURNING_SECONDS), None);
    }
    let records = existing.map(|member| standing(&member.records, &plan.reverts));
    let inside = View { name: &plan.name, records: &records.unwrap_or_default(), ..view };
    let disable_rollback = changes.disable_rollback;
    let (blueprint, reverts) = (&plan.blueprint, &plan.reverts);
    let wanted = Changes { blueprint, tags_changed: plan.tags_changed, disable_rollback, reverts };
    let works = change_works(inside, wanted, fate);
    let plan = plan.clone();
    let act = if plan.creates { Act::Create(plan) } else { Act::Update { plan, disable_rollback } };
    course(view, Deed { id: nested.id.clone(), act, works })
}

fn course(view: View<'_>, deed: Deed) -> Course {
    let (length, failure) = deed.forecast(view);
    (Some(Box::new(deed)), length, failure)
}

/// Whether an update does anything to a resource that it does not replace. Whether a nested stack's
/// template is another one shows only when it is read, so nested ones are always looked at.
pub(crate) fn touched(
    planned: &Planned,
    old: &Resource,
    new: &Resource,
    tags_changed: bool,
) -> bool {
    let taggable = kind(&planned.kind).is_none_or(|kind| kind.taggable);
    !planned.changed.is_empty()
        || planned.nested.is_some()
        || planned.broken.is_some()
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

/// What is taken back of an update.
pub(crate) fn undo_works(
    view: View<'_>,
    previous: &BTreeMap<String, Resource>,
    skips: &Skips,
    fate: &mut Fate<'_>,
) -> Vec<Work> {
    let mut works = Vec::new();
    for (logical_id, old) in previous {
        let Some(now) = view.records.get(logical_id) else { continue };
        let same = now.physical_id == old.physical_id && now.properties == old.properties;
        // Only a drift-aware update knows what really was, and goes back to that.
        let real = old.live.is_some();
        let same = same && (!real || now.live == old.live);
        let unfinished = [Status::UPDATE_FAILED, Status::UPDATE_IN_PROGRESS];
        let member = view.family.get(&now.physical_id).filter(|member| is_on_its_way(member));
        if same && member.is_none() && !unfinished.contains(&now.status) {
            continue;
        }
        let is_skipped = skips.get(view.name).is_some_and(|ids| ids.contains(logical_id));
        let failure =
            (!is_skipped).then(|| (fate.of)(view.name, Phase::Rollback, logical_id, old)).flatten();
        // What was refused because it was gone has nothing to take back.
        let is_missing = !real && now.is_gone() && now.properties != old.properties;
        let failure = failure.or_else(|| (is_missing && !is_skipped).then(|| not_there(now)));
        let mut record = old.clone();
        if is_skipped && now.physical_id == old.physical_id && &*old.kind != NESTED_STACK {
            record.live = left(now, &old.properties);
            record.skipped = true;
        } else if !real {
            record.live = written(now, &old.properties);
        }
        let (deed, length, failure) = match member {
            Some(member) if !is_skipped && failure.is_none() => {
                nested_undo(view, &now.physical_id, member, skips, fate)
            }
            Some(_) | None => {
                let whole = view.pace.seconds_of(&old.kind);
                let seconds = if is_skipped { REFUSED_SECONDS } else { whole };
                (None, view.pace.of(seconds), failure)
            }
        };
        works.push(Work {
            logical_id: logical_id.clone(),
            verb: Verb::Update,
            real: real || record.skipped,
            record,
            old_physical_id: Some(now.physical_id.clone()),
            after: old.depends_on.clone(),
            length,
            failure,
            deed,
        });
    }
    works
}

/// Whether an update of a nested stack has begun, and has not been taken back.
fn is_on_its_way(member: &Member) -> bool {
    member.previous.is_some()
        && member.status != Status::UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS
}

fn nested_undo(
    view: View<'_>,
    id: &Arc<str>,
    member: &Member,
    skips: &Skips,
    fate: &mut Fate<'_>,
) -> Course {
    let none = BTreeMap::new();
    let previous = member.previous.as_ref().unwrap_or(&none);
    let works = undo_works(view.of(member), previous, skips, fate);
    course(view, Deed { id: id.clone(), act: Act::Undo, works })
}

/// Logical ids of what a deletion leaves because of its policy.
pub(crate) fn skipped_by_policy(view: View<'_>, kept: impl Fn(&Resource) -> bool) -> Vec<String> {
    view.records.iter().filter(|(_, old)| kept(old)).map(|(name, _)| name.clone()).collect()
}

/// What is deleted: all that there is. What is `forced` does not fail.
pub(crate) fn deletion_works(view: View<'_>, forced: bool, fate: &mut Fate<'_>) -> Vec<Work> {
    let works = view.records.iter().map(|(logical_id, old)| {
        deletion_work(view, (logical_id, old), Verb::Delete, forced, fate)
    });
    works.collect()
}

/// A deletion waits for those that depend on the resource.
pub(crate) fn deletion_work(
    view: View<'_>,
    (logical_id, old): (&str, &Resource),
    verb: Verb,
    forced: bool,
    fate: &mut Fate<'_>,
) -> Work {
    let depends = |other: &Resource| other.depends_on.iter().any(|id| id == logical_id);
    let dependents = view.records.iter().filter(|(_, other)| depends(other));
    let after = dependents.map(|(name, _)| name.clone()).collect();
    let failure = (fate.of)(view.name, Phase::Delete, logical_id, old);
    let failure = failure.filter(|_| !forced && !old.is_gone());
    let whole = view.pace.seconds_of(&old.kind);
    let quick = old.status == Status::CREATE_FAILED || old.is_gone();
    let seconds = if quick { REFUSED_SECONDS } else { whole };
    let (deed, length, failure) = match view.family.get(&old.physical_id) {
        Some(member) if &*old.kind == NESTED_STACK && failure.is_none() => {
            nested_deletion(view, &old.physical_id, member, forced, fate)
        }
        Some(_) | None => (None, view.pace.of(seconds), failure),
    };
    Work {
        logical_id: logical_id.to_owned(),
        verb,
        record: old.clone(),
        real: false,
        old_physical_id: Some(old.physical_id.clone()),
        after,
        length,
        failure,
        deed,
    }
}

fn nested_deletion(
    view: View<'_>,
    id: &Arc<str>,
    member: &Member,
    forced: bool,
    fate: &mut Fate<'_>,
) -> Course {
    let kept = |resource: &Resource| resource.deletion != DeletionPolicy::Delete;
    let skipped = skipped_by_policy(view.of(member), kept);
    let mut records = member.records.clone();
    records.retain(|logical_id, _| !skipped.contains(logical_id));
    let inside = View { records: &records, ..view.of(member) };
    let works = deletion_works(inside, forced, fate);
    course(view, Deed { id: id.clone(), act: Act::Delete { skipped }, works })
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
        live: None,
        skipped: false,
    }
}

fn as_json(value: &impl serde::Serialize) -> Arc<str> {
    serde_json::to_string(value).unwrap_or_default().into()
}
