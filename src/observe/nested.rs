//! Looking into nested stacks, where what failed or is still there hides. Every look is bounded in
//! depth and calls; what could not be looked into is said to be so.

mod live;

use std::collections::BTreeSet;

use crate::aws::{AwsError, TargetApi};
use crate::ids::StackId;
use crate::moment::Moment;
use crate::observed::{ResourceSeen, StackEvent};
use crate::outcome::Cause;
use crate::plan::{
    Inside, LeftBehind, NESTED_STACK, Within, cause_inside, failed_inside, failed_to_go_back,
};

pub(super) use live::live;

/// Nested stacks stand up to so deep below their root in every fleet that was asked.
const DEEPEST: usize = 5;
/// Nested stacks that one look at a stack reads; each costs a call for each hundred resources.
const MOST_STACKS: usize = 20;

/// What failed first inside the nested stack that the last operation of `stack` failed in.
pub(super) async fn cause(
    api: &TargetApi,
    events: &[StackEvent],
    stack: &StackId,
    since: Moment,
) -> Result<Option<Cause>, AwsError> {
    let mut next = failed_inside(events, stack);
    let mut found = None;
    for _ in 0..DEEPEST {
        let Some(inside) = next else { break };
        let Some(events) = known(api.events_since(&inside.stack, since).await)? else { break };
        let (cause, deeper) = cause_inside(&events, &inside);
        found = cause.or(found);
        next = deeper;
    }
    Ok(found)
}

/// What a rollback that failed could not take back: in the nested stacks that failed, and else the
/// nested stacks themselves. `since` is before the rollback began.
pub(super) async fn left_by_rollback(
    api: &TargetApi,
    stack: &StackId,
    since: Moment,
) -> Result<Vec<LeftBehind>, AwsError> {
    let mut left = Vec::new();
    let mut waiting = stuck(api, stack, since).await?.unwrap_or_default();
    let mut looks = 0;
    while let Some((resource, physical_id)) = waiting.pop() {
        let may_look = |inside: &Inside| looks < MOST_STACKS && inside.depth() <= DEEPEST;
        let inside = nested(&resource, physical_id.as_deref()).filter(may_look);
        let within = inside.as_ref().and_then(Within::of);
        let mut found = Vec::new();
        if let Some((inside, within)) = inside.zip(within) {
            looks += 1;
            found = stuck(api, &inside.stack, since).await?.unwrap_or_default();
            found.iter_mut().for_each(|(one, _)| one.within = Some(within.clone()));
        }
        if found.is_empty() {
            left.push(resource);
        }
        waiting.extend(found);
    }
    left.sort();
    Ok(left)
}

/// What could not be taken back in one stack, with physical ids.
async fn stuck(
    api: &TargetApi,
    stack: &StackId,
    since: Moment,
) -> Result<Option<Vec<(LeftBehind, Option<String>)>>, AwsError> {
    let Some(mut resources) = known(api.resources(stack).await)? else { return Ok(None) };
    resources.retain(|resource| resource.status == "UPDATE_FAILED");
    if resources.is_empty() {
        return Ok(None);
    }
    let events = known(api.events_since(stack, since).await)?.unwrap_or_default();
    let failed = failed_to_go_back(&events, stack);
    resources.retain(|resource| failed.contains(&resource.logical_id));
    let with_id = |one: ResourceSeen| (left_behind(one.clone(), true), one.physical_id);
    Ok(Some(resources.into_iter().map(with_id).collect()))
}

/// What a delete that failed left, each nested stack with the types of what is in it.
pub(super) async fn left_by_delete(
    api: &TargetApi,
    stack: &StackId,
) -> Result<Vec<LeftBehind>, AwsError> {
    let mut left = Vec::new();
    let mut looks = 0;
    for resource in api.resources(stack).await?.into_iter().filter(is_there) {
        let (failed, physical_id) =
            (resource.status == "DELETE_FAILED", resource.physical_id.clone());
        let resource = left_behind(resource, failed);
        let holds = match nested(&resource, physical_id.as_deref()) {
            Some(inside) => contents(api, inside.stack, &mut looks).await?,
            None => None,
        };
        left.push(LeftBehind { holds, ..resource });
    }
    Ok(left)
}

/// The types of all resources in a nested stack and those below it; `None` when they cannot all be
/// known.
async fn contents(
    api: &TargetApi,
    stack: StackId,
    looks: &mut usize,
) -> Result<Option<BTreeSet<String>>, AwsError> {
    let mut kinds = BTreeSet::new();
    let mut waiting = vec![(stack, 1)];
    while let Some((stack, depth)) = waiting.pop() {
        *looks += 1;
        if *looks > MOST_STACKS || depth > DEEPEST {
            return Ok(None);
        }
        let Some(resources) = known(api.resources(&stack).await)? else { return Ok(None) };
        for resource in resources.into_iter().filter(is_there) {
            if resource.kind != NESTED_STACK {
                kinds.insert(resource.kind);
            } else if let Some(id) = resource.physical_id {
                waiting.push((StackId::of(&id), depth + 1));
            }
        }
    }
    Ok(Some(kinds))
}

fn is_there(resource: &ResourceSeen) -> bool {
    !["DELETE_COMPLETE", "DELETE_SKIPPED"].contains(&resource.status.as_str())
}

/// The nested stack that a resource is.
fn nested(resource: &LeftBehind, physical_id: Option<&str>) -> Option<Inside> {
    let id = physical_id.filter(|_| resource.kind == NESTED_STACK)?;
    Some(Inside {
        stack: StackId::of(id),
        path: resource.path(),
        from: Moment::default(),
        until: Moment::default(),
    })
}

fn left_behind(resource: ResourceSeen, failed: bool) -> LeftBehind {
    let ResourceSeen { logical_id, kind, reason, .. } = resource;
    let reason = reason.unwrap_or_else(|| "AWS gave no reason".to_owned());
    LeftBehind { logical_id, kind, failed, reason, within: None, holds: None }
}

/// A stack that is not there holds nothing that could be known.
fn known<T>(result: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.does_not_exist() => Ok(None),
        Err(error) => Err(error),
    }
}
