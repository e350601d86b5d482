//! Lets time pass: does everything that was due. Nothing runs in the background.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::Region;
use crate::moment::Moment;
use crate::sim::reality::{without_reality, written};
use crate::sim::state::{
    Account, Becomes, Effect, EventResource, Place, Previous, Resource, Stack, Step,
};
use crate::sim::status::Status;

/// How long AWS answers for a deleted stack.
const DELETED_KEPT_FOR: Duration = Duration::from_secs(90 * 24 * 3_600);

/// How far back listings can show the past.
const PAST_KEPT_FOR: Duration = Duration::from_secs(10 * 60);

/// Brings every region of an account to `now`; says whether anything changed.
pub(crate) fn advance(account: &mut Account, now: Moment) -> bool {
    let mut changed = false;
    for place in account.regions.values_mut() {
        changed |= advance_place(place, now);
    }
    changed
}

/// The region of an account, made when it is used for the first time.
pub(crate) fn place<'a>(account: &'a mut Account, region: &Region) -> &'a mut Place {
    account.regions.entry(region.clone()).or_default()
}

/// Keeps what a place looks like at `now`, after it was changed.
pub(crate) fn remember(place: &mut Place, now: Moment) {
    let kept_since = now - PAST_KEPT_FOR;
    // What was so at the beginning of the time that is kept is kept as well.
    while place.past.get(1).is_some_and(|(at, _)| *at <= kept_since) {
        place.past.pop_front();
    }
    if place.past.is_empty() {
        place.past.push_back((Moment::default(), BTreeMap::new()));
    }
    place.past.push_back((now, place.stacks.clone()));
}

/// What a place looked like at `moment`, as far back as is kept.
pub(crate) fn as_it_was(place: &Place, moment: Moment) -> Place {
    let known = place.past.iter().rev().find(|(at, _)| *at <= moment).or(place.past.front());
    let Some((_, stacks)) = known else { return place.clone() };
    let mut past = Place { stacks: stacks.clone(), ..Place::default() };
    advance_place(&mut past, moment);
    past
}

fn advance_place(place: &mut Place, now: Moment) -> bool {
    let is_due = |stack: &Stack| {
        let steps = stack.operation.as_ref().map(|operation| &operation.steps);
        steps.is_some_and(|steps| steps.front().is_none_or(|step| step.at <= now))
    };
    let due = place.stacks.iter().filter(|(_, stack)| is_due(stack));
    let due: Vec<String> = due.map(|(name, _)| name.clone()).collect();
    let mut changed = !due.is_empty();
    for stack in place.stacks.values_mut() {
        changed |= stack.end_detections(now);
    }
    due.iter().for_each(|name| advance_stack(place, name, now));
    let gone = place.stacks.iter().filter(|(_, one)| one.status == Status::DELETE_COMPLETE);
    let gone: Vec<String> = gone.map(|(name, _)| name.clone()).collect();
    if !gone.is_empty() {
        let kept_since = now - DELETED_KEPT_FOR;
        place.deleted.retain(|_, stack| stack.deleted_at.is_none_or(|at| at > kept_since));
    }
    for name in gone {
        if let Some(stack) = place.stacks.remove(&name) {
            place.deleted.insert(stack.id.to_string(), stack);
        }
    }
    changed
}

fn advance_stack(place: &mut Place, name: &str, now: Moment) {
    while let Some(step) = next_due(place, name, now) {
        carry_out(place, name, step.at, step.effect);
    }
    if let Some(stack) = place.stacks.get_mut(name)
        && stack.operation.as_ref().is_some_and(|operation| operation.steps.is_empty())
    {
        stack.operation = None;
    }
}

fn next_due(place: &mut Place, name: &str, now: Moment) -> Option<Step> {
    let steps = &mut place.stacks.get_mut(name)?.operation.as_mut()?.steps;
    if steps.front()?.at > now {
        return None;
    }
    steps.pop_front()
}

fn carry_out(place: &mut Place, name: &str, at: Moment, effect: Effect) {
    match effect {
        Effect::Of { stack, effect } => carry_out(place, &stack, at, *effect),
        Effect::Begin(mut stack) => {
            stack.created_at = at;
            place.stacks.insert(name.to_owned(), *stack);
        }
        Effect::Stack { .. }
        | Effect::Resource { .. }
        | Effect::Succeed { .. }
        | Effect::Settle { .. }
        | Effect::Redefine(_)
        | Effect::Remember
        | Effect::Restore
        | Effect::Forget => {
            if let Some(stack) = place.stacks.get_mut(name) {
                happen(stack, at, effect);
            }
        }
    }
}

fn happen(stack: &mut Stack, at: Moment, effect: Effect) {
    match effect {
        Effect::Stack { status, reason } => {
            if status == Status::DELETE_COMPLETE {
                stack.deleted_at = Some(at);
                stack.outputs.clear();
                stack.imports.clear();
                stack.change_sets.clear();
            }
            stack.enter(at, status, reason);
        }
        Effect::Resource { resource, status, reason, becomes } => {
            turn(stack, at, resource, (status, reason), becomes);
        }
        Effect::Succeed { outputs, imports } => {
            stack.outputs = outputs;
            stack.imports = imports;
            stack.previous = None;
        }
        Effect::Settle { outputs, imports } => {
            stack.outputs = outputs;
            stack.imports = imports;
        }
        Effect::Remember => {
            let previous = previous(stack, stack.resources.clone());
            stack.previous.get_or_insert_with(|| Box::new(previous));
        }
        Effect::Redefine(definition) => {
            let previous = previous(stack, without_reality(&stack.resources));
            stack.previous.get_or_insert_with(|| Box::new(previous));
            stack.definition = *definition;
            stack.updated_at = Some(at);
            stack.forget_verdict();
        }
        Effect::Restore => {
            if let Some(previous) = &stack.previous {
                stack.definition = previous.definition.clone();
                if let Some((outputs, imports)) = previous.outputs.clone() {
                    stack.outputs = outputs;
                    stack.imports = imports;
                }
            }
        }
        Effect::Forget => stack.previous = None,
        // Both are about more than one stack.
        Effect::Of { .. } | Effect::Begin(_) => {}
    }
}

/// What an update of a nested stack goes back to.
fn previous(stack: &Stack, resources: BTreeMap<String, Resource>) -> Previous {
    let outputs = Some((stack.outputs.clone(), stack.imports.clone()));
    Previous { definition: stack.definition.clone(), resources, outputs }
}

fn turn(
    stack: &mut Stack,
    at: Moment,
    resource: EventResource,
    (status, reason): (Status, Option<String>),
    becomes: Becomes,
) {
    let logical_id = resource.logical_id.to_string();
    match becomes {
        Becomes::Record(mut record) => {
            let before = stack.resources.get(&logical_id);
            let before = before.filter(|old| old.physical_id == record.physical_id);
            record.live = before.and_then(|old| written(old, &record.properties));
            stack.forget_finding(&logical_id);
            stack.resources.insert(logical_id.clone(), *record);
        }
        Becomes::Real(record) => {
            stack.forget_finding(&logical_id);
            stack.resources.insert(logical_id.clone(), *record);
        }
        Becomes::Gone => {
            stack.forget_finding(&logical_id);
            stack.resources.remove(&logical_id);
        }
        Becomes::Same | Becomes::Other => {}
    }
    if let Some(record) = stack.resources.get_mut(&logical_id)
        && resource.physical_id.as_ref().is_none_or(|id| *id == record.physical_id)
    {
        record.status = status.clone();
        record.reason = reason.clone();
        record.changed_at = at;
    }
    stack.record(at, Some(resource), status, reason);
}
