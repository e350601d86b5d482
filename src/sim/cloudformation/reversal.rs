//! Drift-aware change sets: what is, what the last deployment made and what the template wants are
//! compared when the set is made, and what it lists is brought back when it is executed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::sim::blueprint::{Blueprint, Planned, Shows};
use crate::sim::cloudformation::context::Context;
use crate::sim::cloudformation::differences::{
    Difference as Changes, follows_an_output, removal, scope_of,
};
use crate::sim::cloudformation::start::Update;
use crate::sim::cloudformation::update::plan;
use crate::sim::comparison::{Difference, differences};
use crate::sim::drift::Verdict;
use crate::sim::drift_faults::DriftTrouble;
use crate::sim::evaluate::Trouble;
use crate::sim::family::NESTED_STACK;
use crate::sim::reality::{Live, TAGS, object, standing};
use crate::sim::resources::{is_fixed, is_read, is_write_only, managed_by_aws};
use crate::sim::secrets::{MASK, Secrets};
use crate::sim::state::{
    Change, ChangeDetail, ChangeDrift, ChangeValues, Definition, Resource, Stack,
};

/// What the call at hand does in nested stacks.
#[derive(Clone, Debug)]
pub(crate) enum Reach {
    /// A change set is made that looks into them, at their drift too or at the templates alone.
    Looks { at_drift: bool },
    /// One is executed: what it lists of them, by ARN.
    BringsBack(BTreeMap<Arc<str>, Vec<Change>>),
}

/// How a change set looks at a stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    pub(crate) at_drift: bool,
    pub(crate) nested: bool,
}

/// What a change set would change, and whether the stack has drifted if it looks at that.
pub(crate) fn plan_set(
    context: &mut Context<'_>,
    stack: &Stack,
    definition: Definition,
    Sight { at_drift, nested }: Sight,
) -> Result<(Update, Option<Verdict>), Trouble> {
    let renewed = if at_drift { lost(stack) } else { BTreeSet::new() };
    context.reach = nested.then_some(Reach::Looks { at_drift });
    let planned = plan(context, &standing_stack(stack, &renewed), definition);
    context.reach = None;
    let mut update = planned?;
    let Update { definition, blueprint, difference, .. } = &mut update;
    if nested {
        difference.leave_out(&idle(blueprint));
    }
    let verdict = at_drift.then(|| see_drift(context, stack, definition, blueprint, difference));
    Ok((update, verdict))
}

/// What a drift-aware change set changes when it is executed, of what it lists: what has drifted
/// since stays so.
pub(crate) fn plan_reversal(
    context: &mut Context<'_>,
    stack: &Stack,
    definition: Definition,
    listed: &[Change],
    below: BTreeMap<Arc<str>, Vec<Change>>,
) -> Result<Update, Trouble> {
    let reverts = brought_back(listed);
    context.reach = Some(Reach::BringsBack(below));
    let planned = plan(context, &standing_stack(stack, &reverts), definition);
    context.reach = None;
    let mut update = planned?;
    add_listed(&mut update.difference, listed, &reverts);
    Ok(Update { reverts, ..update })
}

/// A nested stack as the call at hand begins with it: what is gone and made anew is not there.
pub(crate) fn begun(reach: Option<&Reach>, stack: &Stack) -> Stack {
    let renewed = match reach {
        None | Some(Reach::Looks { at_drift: false }) => BTreeSet::new(),
        Some(Reach::Looks { at_drift: true }) => lost(stack),
        Some(Reach::BringsBack(listed)) => {
            listed.get(&stack.id).map(|listed| brought_back(listed)).unwrap_or_default()
        }
    };
    standing_stack(stack, &renewed)
}

/// What the call at hand brings back in a nested stack, and what a change set shows of it.
pub(crate) fn reach_into(
    context: &mut Context<'_>,
    stack: &Stack,
    definition: &Definition,
    blueprint: &Blueprint,
    difference: &mut Changes,
) -> (BTreeSet<String>, Option<Shows>) {
    match context.reach.clone() {
        None => (BTreeSet::new(), None),
        Some(Reach::Looks { at_drift }) => {
            difference.leave_out(&idle(blueprint));
            let see = || see_drift(context, stack, definition, blueprint, difference);
            let verdict = at_drift.then(see);
            let shows = || Shows { changes: difference.changes.clone(), verdict };
            (BTreeSet::new(), (!difference.is_empty()).then(shows))
        }
        Some(Reach::BringsBack(listed)) => {
            let Some(listed) = listed.get(&stack.id) else { return (BTreeSet::new(), None) };
            let reverts = brought_back(listed);
            add_listed(difference, listed, &reverts);
            (reverts, None)
        }
    }
}

/// Logical ids of nested stacks in which nothing changes.
fn idle(blueprint: &Blueprint) -> BTreeSet<&str> {
    let is_idle = |planned: &&Planned| match planned.nested.as_ref().map(|one| &one.plan) {
        Some(Ok(plan)) => !plan.creates && plan.shows.is_none(),
        Some(Err(_)) | None => false,
    };
    let idle = blueprint.resources.iter().filter(is_idle);
    idle.map(|planned| planned.logical_id.as_str()).collect()
}

/// Logical ids of what is gone.
fn lost(stack: &Stack) -> BTreeSet<String> {
    let lost = stack.resources.iter().filter(|(_, one)| one.is_gone() && is_read(&one.kind));
    lost.map(|(logical_id, _)| logical_id.clone()).collect()
}

/// The stack as if what is gone had never been there: it is made anew.
fn standing_stack(stack: &Stack, renewed: &BTreeSet<String>) -> Stack {
    Stack { resources: standing(&stack.resources, renewed), ..stack.clone() }
}

/// Logical ids of what a drift-aware change set with these changes makes real.
fn brought_back(listed: &[Change]) -> BTreeSet<String> {
    let is_made = |change: &&Change| {
        let drift = change.drift.as_ref();
        change.action != "Remove"
            && drift.is_some_and(|drift| drift.status != "UNSUPPORTED")
            && !follows_an_output(change)
    };
    listed.iter().filter(is_made).map(|change| change.logical_id.clone()).collect()
}

/// The stack's policy is asked about what is only brought back too.
fn add_listed(difference: &mut Changes, listed: &[Change], reverts: &BTreeSet<String>) {
    let changes = &mut difference.changes;
    let known: BTreeSet<String> = changes.iter().map(|one| one.logical_id.clone()).collect();
    let is_new =
        |one: &&Change| reverts.contains(&one.logical_id) && !known.contains(&one.logical_id);
    changes.extend(listed.iter().filter(is_new).cloned());
}

/// Adds to what the templates change what brings a stack back; says whether it has drifted.
fn see_drift(
    context: &Context<'_>,
    stack: &Stack,
    definition: &Definition,
    blueprint: &Blueprint,
    difference: &mut Changes,
) -> Verdict {
    let secrets = Secrets::of([&stack.definition, definition]);
    let changes = &mut difference.changes;
    let lost = lost(stack);
    let mut drifted = !lost.is_empty();
    for planned in &blueprint.resources {
        let Some(old) = stack.resources.get(&planned.logical_id) else { continue };
        let place = changes.iter().position(|one| one.logical_id == planned.logical_id);
        let mut change = match place {
            Some(place) => changes.remove(place),
            None => no_change(planned),
        };
        let is_listed = place.is_some();
        let status = status_of(old);
        drifted |= status == "MODIFIED";
        change.drift = Some(ChangeDrift { status, ignored: ignored(planned, old) });
        if matches!(old.live.as_deref(), Some(Live::Changed(_))) && is_read(&old.kind) {
            bring_back(&secrets, planned, old, &mut change);
        }
        if is_listed || !change.details.is_empty() {
            changes.push(change);
        }
    }
    let wanted = |id: &str| blueprint.resources.iter().any(|one| one.logical_id == id);
    for (logical_id, old) in stack.resources.iter().filter(|(id, _)| lost.contains(*id)) {
        if !wanted(logical_id) {
            changes.push(removal(logical_id, old));
        }
    }
    for change in changes.iter_mut().filter(|one| one.action == "Remove") {
        let removed = stack.resources.get(&change.logical_id);
        change.drift =
            removed.map(|old| ChangeDrift { status: status_of(old), ignored: [].into() });
    }
    add_phantoms(context, stack, &secrets, blueprint, changes);
    changes.sort_by(|one, other| one.logical_id.cmp(&other.logical_id));
    if drifted { Verdict::Drifted } else { Verdict::InSync }
}

fn no_change(planned: &Planned) -> Change {
    Change {
        action: "Modify".to_owned(),
        logical_id: planned.logical_id.clone(),
        physical_id: Some(planned.physical_id.clone()),
        kind: planned.kind.clone(),
        replacement: Some("False".to_owned()),
        scope: Vec::new(),
        details: Vec::new(),
        policy_action: None,
        drift: None,
        change_set: None,
    }
}

/// Whether a property that differs can be seen.
fn is_readable(kind: &str, one: &Difference) -> bool {
    !is_write_only(kind, one.property())
}

/// AWS's word for how a resource stands beside its last deployment.
fn status_of(old: &Resource) -> String {
    let word = match old.live.as_deref() {
        _ if !is_read(&old.kind) || &*old.kind == NESTED_STACK => "UNSUPPORTED",
        None => "IN_SYNC",
        Some(Live::Deleted) => "DELETED",
        Some(Live::Changed(actual)) => {
            let found = differences(&object(&old.properties), &object(actual));
            let drifted = found.iter().any(|one| is_readable(&old.kind, one));
            if drifted { "MODIFIED" } else { "IN_SYNC" }
        }
    };
    word.to_owned()
}

/// Properties whose drift the set leaves alone, with AWS's reasons.
fn ignored(planned: &Planned, old: &Resource) -> Vec<(String, String)> {
    let Some(actual) = old.actual().filter(|_| is_read(&old.kind)) else { return Vec::new() };
    let unread = planned.properties.keys().filter(|name| is_write_only(&old.kind, name));
    let unread = unread.map(|name| (format!("/{name}"), "WRITE_ONLY_PROPERTY".to_owned()));
    let found = differences(&planned.properties, &object(actual));
    let managed = found.iter().filter(|one| is_managed(planned, one));
    let managed = managed.map(|one| (one.path.clone(), "MANAGED_BY_AWS".to_owned()));
    unread.chain(managed).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Whether AWS has changed a property that the template leaves as it was.
fn is_managed(planned: &Planned, one: &Difference) -> bool {
    let is_changed = planned.changed.iter().any(|name| name == one.property());
    !is_changed && managed_by_aws(&planned.kind, one.property())
}

/// Adds to a change what brings a resource back.
fn bring_back(secrets: &Secrets, planned: &Planned, old: &Resource, change: &mut Change) {
    let Some(actual) = old.actual().map(|actual| object(actual)) else { return };
    let (before, after) = (object(&old.properties), &planned.properties);
    let sides = Sides { secrets, before: &before, actual: &actual };
    change.details.iter_mut().for_each(|detail| sides.see(detail, after));
    for one in differences(after, &actual).iter().filter(|one| is_readable(&old.kind, one)) {
        let is_changed = planned.changed.iter().any(|name| name == one.property());
        if !is_changed && !is_foreign_tag(one) && !is_managed(planned, one) {
            change.details.push(sides.detail(one, is_fixed(&old.kind, one.property())));
        }
    }
    let only_follows =
        |detail: &ChangeDetail| detail.values.as_ref().is_some_and(|values| values.follows);
    if !change.details.is_empty() && change.details.iter().all(only_follows) {
        change.action = "SyncWithActual".to_owned();
        change.replacement = None;
    }
    change.scope = scope_of(&change.details);
}

/// A tag whose key the template does not know.
fn is_foreign_tag(one: &Difference) -> bool {
    let is_tag = one.property() == TAGS && one.path.split('/').count() == 3;
    is_tag && one.expected.is_none()
}

/// What a resource was made and what it is.
struct Sides<'a> {
    secrets: &'a Secrets,
    before: &'a Map<String, Value>,
    actual: &'a Map<String, Value>,
}

impl Sides<'_> {
    /// Lets a change of the template start from what really is.
    fn see(&self, detail: &mut ChangeDetail, after: &Map<String, Value>) {
        let Some(name) = &detail.name else { return };
        let (before, actual) = (self.before.get(name), self.actual.get(name));
        let Some(values) = detail.values.as_deref_mut().filter(|_| before != actual) else {
            return;
        };
        let is_secret = before.is_some_and(|value| self.secrets.hides(value));
        let text = |value: Option<&Value>| match value {
            Some(_) if is_secret => Some(MASK.to_owned()),
            value => value.map(|value| self.secrets.shown(Some(value))),
        };
        values.before = text(actual);
        values.drift = Some((text(before), text(actual)));
        values.follows = actual == after.get(name);
        if values.follows {
            detail.source = "NoModification".to_owned();
            detail.recreation = "Never".to_owned();
        }
    }

    /// One property that is brought back, or that shows and stays because it never changes in place.
    fn detail(&self, one: &Difference, stays: bool) -> ChangeDetail {
        let is_secret = one.expected.as_ref().is_some_and(|value| self.secrets.hides(value));
        let text = |value: Option<&Value>| value.map(|value| self.secrets.shown(Some(value)));
        let actual = match &one.actual {
            Some(_) if is_secret => Some(MASK.to_owned()),
            actual => text(actual.as_ref()),
        };
        let before = Value::Object(self.before.clone());
        let previous = text(before.pointer(&one.path).filter(|_| one.expected.is_some()));
        let after = if stays { actual.clone() } else { text(one.expected.as_ref()) };
        let values = ChangeValues {
            path: one.path.clone(),
            before: actual.clone(),
            after,
            follows: false,
            drift: Some((previous, actual)),
        };
        ChangeDetail {
            attribute: "Properties".to_owned(),
            name: Some(one.property().to_owned()),
            recreation: "Never".to_owned(),
            evaluation: "Static".to_owned(),
            source: "DirectModification".to_owned(),
            cause: None,
            values: Some(Box::new(values)),
        }
    }
}

/// Changes of resources that are as they should be, as users report them.
fn add_phantoms(
    context: &Context<'_>,
    stack: &Stack,
    secrets: &Secrets,
    blueprint: &Blueprint,
    changes: &mut Vec<Change>,
) {
    let place = (context.account.id, context.region);
    let mut names = BTreeSet::new();
    // Of several stacks of one nesting, a phantom haunts the one that has the resource.
    let haunts = |trouble: &DriftTrouble| match trouble {
        DriftTrouble::Phantom { logical_ids } => {
            logical_ids.iter().any(|id| stack.resources.contains_key(id))
        }
        DriftTrouble::Unreadable { .. } | DriftTrouble::Endless | DriftTrouble::Misread { .. } => {
            false
        }
    };
    for trouble in context.script.drift_troubles(place, &stack.name, haunts) {
        if let DriftTrouble::Phantom { logical_ids } = trouble {
            names.extend(logical_ids);
        }
    }
    for planned in &blueprint.resources {
        let is_listed = changes.iter().any(|one| one.logical_id == planned.logical_id);
        let Some((name, wanted)) = planned.properties.iter().next() else { continue };
        let exists = stack.resources.contains_key(&planned.logical_id);
        if is_listed || !exists || !names.contains(&planned.logical_id) {
            continue;
        }
        let before = Map::from_iter([(name.clone(), wanted.clone())]);
        let sides = Sides { secrets, before: &before, actual: &Map::new() };
        let path = format!("/{name}");
        let seen = Difference { path, expected: Some(wanted.clone()), actual: None };
        let mut change = no_change(planned);
        change.details.push(sides.detail(&seen, false));
        change.scope.push("Properties".to_owned());
        change.drift = Some(ChangeDrift { status: "MODIFIED".into(), ignored: Vec::new() });
        changes.push(change);
    }
}
