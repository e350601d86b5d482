//! What an update does to the resources of nested stacks, to every depth.

use std::collections::{BTreeMap, BTreeSet};

use crate::package::tree::{Tree, below, is_looked_up, is_nested};
use crate::template::{
    Action, Effect, Effects, Filled, Given, Inputs, Inside, Replaces, effects_around, fill,
};

/// What an update does inside the nested stacks of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InsideAll {
    /// What happens to resources, with the logical ids of the nested stacks that they are in before
    /// their own: `Storage/Table`.
    pub effects: Vec<Effect>,
    /// Nested stacks of which it is not known what happens inside, in the same way.
    pub unseen: BTreeSet<String>,
}

/// One side of a comparison.
#[derive(Clone, Copy)]
struct Side<'a> {
    tree: &'a Tree,
    inputs: &'a Inputs,
}

/// What becomes of one stack.
#[derive(Clone, Debug, Default)]
struct Found {
    /// Of the stack itself.
    own: Effects,
    below: InsideAll,
    /// Whether something makes resources of which nobody knows.
    is_partial: bool,
}

/// What an update does inside the nested stacks of a stack that gives `old` and then `new` to its
/// template.
pub fn inside(
    (old, old_inputs): (&Tree, &Inputs),
    (new, new_inputs): (&Tree, &Inputs),
    tags_differ: bool,
) -> InsideAll {
    let old = Side { tree: old, inputs: old_inputs };
    let new = Side { tree: new, inputs: new_inputs };
    let mut below = compare(old, new, tags_differ).below;
    below.effects.sort_by(|one, other| one.logical_id.cmp(&other.logical_id));
    below
}

/// What is given to a nested stack before and afterwards, and what came of it.
struct Child {
    given: (Inputs, Inputs),
    found: Found,
}

fn compare(old: Side<'_>, new: Side<'_>, tags_differ: bool) -> Found {
    let made = [old, new].map(|side| side.tree.template.processed(&side.inputs.parameters));
    let [was, is] = &made;
    let (before, after) = (fill(was.template(), old.inputs), fill(is.template(), new.inputs));
    let seen: Vec<&String> =
        old.tree.nested.keys().filter(|name| new.tree.nested.contains_key(*name)).collect();
    let mut known: BTreeMap<String, Inside> =
        seen.iter().map(|name| ((*name).clone(), Inside::default())).collect();
    let mut children: BTreeMap<&str, Child> = BTreeMap::new();
    let mut own = effects_around(&before, &after, tags_differ, &known);
    // What one child gives out goes into the next: each turn settles one of them at least.
    for _ in 0..=seen.len() {
        for name in &seen {
            let (Some(was), Some(is)) =
                (before.resources.get(name.as_str()), after.resources.get(name.as_str()))
            else {
                continue;
            };
            let from = below(name, was, old.inputs);
            let mut to = below(name, is, new.inputs);
            unsettle(&mut to, &from, own.resources.iter().find(|one| one.logical_id == **name));
            let given = (from, to);
            if children.get(name.as_str()).is_some_and(|child| is_given(&child.given, &given)) {
                continue;
            }
            let (one, other) = (&old.tree.nested[*name], &new.tree.nested[*name]);
            let (one, other) =
                (Side { tree: one, inputs: &given.0 }, Side { tree: other, inputs: &given.1 });
            let found = child(one, other, tags_differ);
            children.insert(name, Child { given, found });
        }
        let now: BTreeMap<String, Inside> = seen
            .iter()
            .map(|name| ((*name).clone(), as_seen_above(children.get(name.as_str()))))
            .collect();
        if now == known {
            break;
        }
        known = now;
        own = effects_around(&before, &after, tags_differ, &known);
    }
    let below =
        gather(&own, &children, (old.tree, &before), (new.tree, &after), (old.inputs, new.inputs));
    Found { own, below, is_partial: before.is_partial || after.is_partial }
}

fn is_given(known: &(Inputs, Inputs), now: &(Inputs, Inputs)) -> bool {
    known.0.parameters == now.0.parameters && known.1.parameters == now.1.parameters
}

/// A nested stack with the same templates and inputs is what it was.
fn child(old: Side<'_>, new: Side<'_>, tags_differ: bool) -> Found {
    if !tags_differ && old.inputs.parameters == new.inputs.parameters && old.tree.is_same(new.tree)
    {
        return Found::default();
    }
    let mut found = compare(old, new, tags_differ);
    // Somebody's own macros make what they like.
    if found.is_partial {
        found.below.unseen.insert(String::new());
    }
    found
}

fn as_seen_above(child: Option<&Child>) -> Inside {
    let Some(Child { found, .. }) = child else { return Inside::default() };
    let below = &found.below;
    Inside {
        changes: !found.own.resources.is_empty()
            || !found.own.outputs.is_empty()
            || !below.unseen.is_empty(),
        outputs: found.own.outputs.clone(),
    }
}

/// Marks what a nested stack gets as another value where the expression for it is the same, and what
/// it stands for may not be.
fn unsettle(to: &mut Inputs, from: &Inputs, effect: Option<&Effect>) {
    let paths = effect.into_iter().flat_map(|effect| &effect.paths);
    for path in paths {
        let Some(rest) = path.strip_prefix("/Properties/Parameters") else { continue };
        let named = rest.split('/').nth(1).map(|name| name.replace("~1", "/").replace("~0", "~"));
        for (name, given) in &mut to.parameters {
            let is_same = from.parameters.get(name) == Some(given);
            let Given::Symbol(symbol) = given else { continue };
            // All of them are meant only for what is looked up.
            let is_meant = match &named {
                Some(named) => named == name,
                None => is_looked_up(symbol),
            };
            if is_meant && is_same {
                symbol.push('\'');
            }
        }
    }
}

/// All that happens below a stack: inside children that stay, and with those that come and go.
fn gather(
    own: &Effects,
    children: &BTreeMap<&str, Child>,
    (old, before): (&Tree, &Filled<'_>),
    (new, after): (&Tree, &Filled<'_>),
    (old_inputs, new_inputs): (&Inputs, &Inputs),
) -> InsideAll {
    let mut all = InsideAll::default();
    for effect in own.resources.iter().filter(|effect| is_nested(&effect.kind)) {
        let name = effect.logical_id.as_str();
        let is_another = effect.replaces == Replaces::Always;
        let goes = effect.action == Action::Remove || is_another;
        let comes = effect.action == Action::Add || is_another;
        if goes {
            let was = (old.nested.get(name), before, old_inputs);
            all.add(name, whole(name, was, Action::Remove, effect.certain));
        }
        if comes {
            let is = (new.nested.get(name), after, new_inputs);
            all.add(name, whole(name, is, Action::Add, effect.certain));
        }
        if goes || comes {
            continue;
        }
        match children.get(name) {
            Some(child) => {
                all.add(name, with_own(&child.found));
            }
            None => {
                all.unseen.insert(name.to_owned());
            }
        }
    }
    all
}

fn with_own(found: &Found) -> InsideAll {
    let mut all = found.below.clone();
    all.effects.extend(found.own.resources.iter().cloned());
    all
}

/// All resources of a nested stack that comes or goes with those below it.
fn whole(
    name: &str,
    (tree, filled, inputs): (Option<&Tree>, &Filled<'_>, &Inputs),
    action: Action,
    certain: bool,
) -> InsideAll {
    let mut all = InsideAll::default();
    let (Some(tree), Some(entry)) = (tree, filled.resources.get(name)) else {
        all.unseen.insert(String::new());
        return all;
    };
    let given = below(name, entry, inputs);
    let made = tree.template.processed(&given.parameters);
    let filled = fill(made.template(), &given);
    for (logical_id, resource) in &filled.resources {
        if resource.is_there == Some(false) {
            continue;
        }
        let certain = certain && resource.is_there == Some(true);
        all.effects.push(Effect {
            logical_id: (*logical_id).to_owned(),
            kind: resource.kind.to_owned(),
            action,
            replaces: Replaces::Never,
            certain,
            paths: Vec::new(),
            follows: Vec::new(),
            followed: Vec::new(),
            only_tags: false,
        });
        if is_nested(resource.kind) {
            let inner = (tree.nested.get(*logical_id), &filled, &given);
            all.add(logical_id, whole(logical_id, inner, action, certain));
        }
    }
    all
}

impl InsideAll {
    /// Adds what happens inside one nested stack.
    fn add(&mut self, name: &str, below: Self) {
        let place = |inner: &str| match inner {
            "" => name.to_owned(),
            inner => format!("{name}/{inner}"),
        };
        self.unseen.extend(below.unseen.iter().map(|inner| place(inner)));
        self.effects.extend(below.effects.into_iter().map(|effect| Effect {
            logical_id: place(&effect.logical_id),
            follows: effect.follows.iter().map(|inner| place(inner)).collect(),
            ..effect
        }));
    }
}
