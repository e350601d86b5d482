//! Change sets of nested stacks: they come, are executed and go with the one of the stack above
//! them all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::sim::blueprint::Blueprint;
use crate::sim::cloudformation::change_set::find;
use crate::sim::cloudformation::context::Context;
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::state::{Change, ChangeSet, Definition, SetDescent};
use crate::sim::status::Status;

/// AWS's limit for the name of a change set, in characters.
const MAX_NAME: usize = 128;

/// Makes the change sets of the nested stacks in which something changes, to every depth, and names
/// them in the set above. One that fails lets that set fail.
pub(crate) fn add_below(
    context: &mut Context<'_>,
    blueprint: &Blueprint,
    set: &mut ChangeSet,
) -> Answer<()> {
    for planned in &blueprint.resources {
        let Some(nested) = &planned.nested else { continue };
        let plan = nested.plan.as_deref();
        let shows = match plan {
            Ok(plan) if plan.shows.is_none() => continue,
            Ok(plan) => plan.shows.clone(),
            Err(_) => None,
        };
        let stack = context.stack(&nested.id).filter(|one| one.status != Status::DELETE_COMPLETE);
        let Some(stack) = stack else {
            set.failure = set.failure.take().or(plan.err().cloned());
            continue;
        };
        let definition = plan.map_or(&stack.definition, |plan| &plan.definition).clone();
        let mut child = below(context, set, &planned.logical_id, definition);
        child.failure = plan.err().cloned();
        if let Some(shows) = shows {
            (child.changes, child.reverts) = (shows.changes, shows.verdict);
        }
        if let Ok(plan) = plan {
            add_below(context, &plan.blueprint, &mut child)?;
        }
        if child.failure.is_some() && set.failure.is_none() {
            let text = format!(
                "Nested change set {} was not successfully created: Currently in FAILED.",
                child.id
            );
            set.failure = Some(text);
        }
        let change = set.changes.iter_mut().find(|one| one.logical_id == planned.logical_id);
        if let Some(change) = change {
            change.change_set = Some(child.id.clone());
        }
        context.live(&nested.id)?.change_sets.insert(child.name.clone(), child);
    }
    Ok(())
}

/// An empty change set of a nested stack, with a name made of the one above.
fn below(
    context: &mut Context<'_>,
    set: &ChangeSet,
    logical_id: &str,
    definition: Definition,
) -> ChangeSet {
    let suffix = context.account.next_suffix();
    let mut name = format!("{}-{logical_id}", set.name);
    name.truncate(MAX_NAME - suffix.len() - 1);
    let name = format!("{name}-{suffix}");
    let root = set.above.as_ref().map_or(&set.id, |above| &above.root).clone();
    ChangeSet {
        id: context.arn("changeSet", &name),
        name,
        description: None,
        definition,
        changes: Vec::new(),
        token: None,
        failure: None,
        above: Some(SetDescent { parent: set.id.clone(), root }),
        ..set.clone()
    }
}

/// What a change set lists of the nested stacks below, by ARN. Refused when one of their sets does
/// not hold any more.
pub(crate) fn listed_below(
    context: &Context<'_>,
    set: &ChangeSet,
) -> Answer<BTreeMap<Arc<str>, Vec<Change>>> {
    let mut listed = BTreeMap::new();
    let mut named: Vec<&String> = names(set).collect();
    while let Some(id) = named.pop() {
        let (stack, child) = find(context, None, id).map_err(|_| not_executable(id))?;
        if child.obsolete {
            return Err(not_executable(id));
        }
        named.extend(names(child));
        listed.insert(stack.id.clone(), child.changes.clone());
    }
    Ok(listed)
}

/// ARNs of the sets directly below.
fn names(set: &ChangeSet) -> impl Iterator<Item = &String> {
    set.changes.iter().filter_map(|change| change.change_set.as_ref())
}

fn not_executable(id: &str) -> Refusal {
    let status = "cannot be executed in its current execution status of [OBSOLETE]";
    Refusal::new("InvalidChangeSetStatus", format!("ChangeSet [{id}] {status}"))
}

/// Only with the set above them all.
pub(crate) fn may_be_deleted(set: &ChangeSet) -> Answer<()> {
    let Some(above) = &set.above else { return Ok(()) };
    // Nobody has told AWS's words.
    let text = format!(
        "ChangeSet [{}] can only be deleted from its root change set [{}]",
        set.id, above.root
    );
    Err(Refusal::new("InvalidChangeSetStatus", text))
}

/// The sets of nested stacks after one above has been executed or has gone: those below it are
/// executed with it, and those go whose root is not there any more.
pub(crate) fn settle_below(context: &mut Context<'_>, executed: Option<&str>) {
    let stacks = &mut context.place().stacks;
    let sets = stacks.values().flat_map(|stack| stack.change_sets.values());
    let ids: BTreeSet<String> =
        sets.filter(|set| set.nested && set.above.is_none()).map(|set| set.id.clone()).collect();
    for stack in stacks.values_mut().filter(|stack| stack.nested.is_some()) {
        let has_root =
            |set: &ChangeSet| set.above.as_ref().is_none_or(|one| ids.contains(&one.root));
        stack.change_sets.retain(|_, set| has_root(set));
        for set in stack.change_sets.values_mut() {
            let root = set.above.as_ref().map(|above| above.root.as_str());
            set.executed |= root.is_some() && root == executed;
        }
    }
}
