//! What a change set does inside nested stacks, which AWS does not say: the templates that they have
//! are compared with those that they get.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::Digest;
use crate::observed::{
    ChangeAction, ChangesInside, NO_ECHO_MASK, PlannedChange, Replacement, Seen,
};
use crate::outcome::{Memory, OwnChangeSet};
use crate::package::{InsideAll, Tree, inside, is_nested};
use crate::plan::decide::{Case, Decided};
use crate::plan::{NESTED_STACK, Rendered};
use crate::template::{Action, Effect, Given, Inputs, Replaces, mangle};

/// Remembers what a change set does inside nested stacks, once that was worked out.
pub fn note_inside(memory: &mut Memory, decided: &Decided) {
    if let (Some(set), Some(inside)) = (&mut memory.change_set, &decided.inside) {
        set.inside = Some(inside.clone());
    }
}

/// Works out what a change set that is ready does inside the nested stacks of a stack, unless it touches
/// none, or nobody looked.
pub(super) fn work_out(
    case: &Case<'_>,
    own: &OwnChangeSet,
    rendered: &Rendered,
    no_echo: &BTreeMap<String, Digest>,
) {
    if let Some(inside) = changes_inside(case, own, rendered, no_echo) {
        // It is worked out once a decision.
        case.inside.get_or_init(|| inside);
    }
}

fn changes_inside(
    case: &Case<'_>,
    own: &OwnChangeSet,
    rendered: &Rendered,
    no_echo: &BTreeMap<String, Digest>,
) -> Option<ChangesInside> {
    let (seen, found) = (case.seen?, case.insight.change_set.as_ref()?);
    if let Some(known) = &own.inside {
        return Some(known.clone());
    }
    let live = case.insight.live.as_ref()?.as_returned();
    let new = rendered.package.tree().as_returned();
    let (before, after) = given(case, seen, rendered, no_echo);
    let tags_differ = seen.tags != rendered.tags;
    let all = inside((&live, &before), (&new, &after), tags_differ);
    Some(listed(all, &found.changes, &live, &new))
}

/// The changes of a set with those inside nested stacks in the place of these. Those of which nobody
/// can say what happens inside are left.
pub(super) fn all_changes(case: &Case<'_>, changes: &[PlannedChange]) -> Vec<PlannedChange> {
    let Some(inside) = case.inside.get() else { return changes.to_vec() };
    let stays = |change: &&PlannedChange| {
        change.kind != NESTED_STACK
            || change.action == ChangeAction::Add
            || inside.unseen.contains(&change.place())
    };
    let deeper = inside.unseen.iter().filter(|place| place.contains('/'));
    let here = changes.iter().filter(stays).chain(&inside.changes).cloned();
    here.chain(deeper.map(|place| hidden(place))).collect()
}

/// A nested stack in which anything may happen.
fn hidden(place: &str) -> PlannedChange {
    let (within, logical_id) = place.rsplit_once('/').unwrap_or(("", place));
    PlannedChange {
        within: within.to_owned(),
        logical_id: logical_id.to_owned(),
        physical_id: None,
        kind: NESTED_STACK.to_owned(),
        action: ChangeAction::Modify,
        replacement: Replacement::Never,
        touches: BTreeSet::new(),
        only_tags: false,
    }
}

/// What the stack gives to its template now and afterwards. What AWS hides is compared by what we gave.
fn given(
    case: &Case<'_>,
    seen: &Seen,
    rendered: &Rendered,
    no_echo: &BTreeMap<String, Digest>,
) -> (Inputs, Inputs) {
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    let names: BTreeSet<&String> =
        seen.parameters.keys().chain(rendered.template.parameters().keys()).collect();
    for name in names {
        let was = seen.parameters.get(name);
        let declared = rendered.template.parameters().get(name);
        let default = declared.and_then(|parameter| parameter.default.as_ref());
        let wanted = rendered.parameters.get(name).or(default).map(|text| mangle(text));
        let is_kept = rendered.kept.contains(name);
        let is_masked = was.is_some_and(|text| text == NO_ECHO_MASK);
        let is_same = is_kept
            || match (case.memory.no_echo.get(name), no_echo.get(name)) {
                (Some(given), Some(wanted)) => given == wanted,
                (Some(_) | None, None) | (None, Some(_)) => false,
            };
        if is_masked && is_same {
            before.insert(name.clone(), Given::Symbol(name.clone()));
            after.insert(name.clone(), Given::Symbol(name.clone()));
            continue;
        }
        let was = was.map(|text| match is_masked {
            true => Given::Symbol(name.clone()),
            false => Given::Text(text.clone()),
        });
        let is = if is_kept { was.clone() } else { wanted.map(Given::Text) };
        before.extend(was.map(|was| (name.clone(), was)));
        after.extend(is.map(|is| (name.clone(), is)));
    }
    let with = |parameters| Inputs {
        parameters,
        account: seen.key.target.account,
        region: seen.key.target.region.clone(),
        stack_name: seen.own_name(),
    };
    (with(before), with(after))
}

/// What is inside the nested stacks that the set touches, and only there.
fn listed(all: InsideAll, changes: &[PlannedChange], live: &Tree, new: &Tree) -> ChangesInside {
    let touched: BTreeSet<&str> = changes
        .iter()
        .filter(|change| change.kind == NESTED_STACK)
        .map(|change| change.logical_id.as_str())
        .collect();
    let is_touched =
        |place: &str| place.split('/').next().is_some_and(|first| touched.contains(first));
    // What macros make has no template that we know.
    let is_declared = |name: &str| {
        let declares = |tree: &Tree| tree.template.resources().contains_key(name);
        declares(live) || declares(new)
    };
    let made = changes.iter().filter(|change| {
        change.kind == NESTED_STACK
            && change.action != ChangeAction::Add
            && !is_declared(&change.logical_id)
    });
    let mut unseen: BTreeSet<String> = made.map(|change| change.logical_id.clone()).collect();
    unseen.extend(all.unseen.into_iter().filter(|place| is_touched(place)));
    let effects = all.effects.into_iter();
    let effects =
        effects.filter(|effect| is_touched(&effect.logical_id) && !is_nested(&effect.kind));
    ChangesInside { changes: effects.map(planned).collect(), unseen }
}

/// An effect as AWS would list it.
fn planned(effect: Effect) -> PlannedChange {
    let (within, logical_id) =
        effect.logical_id.rsplit_once('/').unwrap_or(("", &effect.logical_id));
    let touches = effect.paths.iter().filter_map(|path| path.split('/').nth(2));
    PlannedChange {
        within: within.to_owned(),
        logical_id: logical_id.to_owned(),
        physical_id: None,
        kind: effect.kind.clone(),
        action: match effect.action {
            Action::Add => ChangeAction::Add,
            Action::Modify => ChangeAction::Modify,
            Action::Remove => ChangeAction::Remove,
        },
        replacement: match effect.replaces {
            Replaces::Never => Replacement::Never,
            Replaces::Unknown | Replaces::Perhaps => Replacement::Conditional,
            Replaces::Always => Replacement::Always,
        },
        touches: touches.map(str::to_owned).collect(),
        only_tags: effect.only_tags,
    }
}
