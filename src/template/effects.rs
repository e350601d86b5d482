//! What an update does to every resource of a stack, by the rules of CloudFormation's change sets: what
//! differs, what refers to that, and what nobody can say before AWS has looked.

mod difference;
mod follow;

use std::collections::{BTreeMap, BTreeSet};

use crate::template::create_only::{Replaces, Tags, is_custom, replacement, tags_of};
use crate::template::effects::difference::{differences, looked_up_paths};
use crate::template::effects::follow::{follow, outputs_after};
use crate::template::fill::{Filled, FilledResource};

/// AWS looks into a nested stack whenever its parent is updated.
const NESTED_STACK: &str = "AWS::CloudFormation::Stack";
/// Changes of these alone change no resource.
const IDLE: [&str; 2] = ["/DependsOn", "/Condition"];

/// What an update does inside a nested stack that was looked into, as far as it matters to its parent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    /// Whether anything in it changes, or may.
    pub changes: bool,
    /// Its outputs that may have other values.
    pub outputs: BTreeSet<String>,
}

/// What an update does to a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// To its resources, as [`effects`] has it.
    pub resources: Vec<Effect>,
    /// Its outputs that may have other values, or come, or go.
    pub outputs: BTreeSet<String>,
}

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It is deleted, or kept without a stack where its policy says so.
    Remove,
    /// It is made.
    Add,
    /// It is changed, or another one takes its place.
    Modify,
}

/// What happens, or may happen, to one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Its logical id.
    pub logical_id: String,
    /// AWS's type; of `Remove` the old one.
    pub kind: String,
    /// What happens.
    pub action: Action,
    /// Whether `Modify` replaces it; of the other actions `Never`.
    pub replaces: Replaces,
    /// Whether this surely happens when the stack is updated. Otherwise it hangs on a condition or a
    /// value that is not known, on an attribute of a resource that changes, on what a nested stack
    /// holds, or on whether the type takes the stack's tags.
    pub certain: bool,
    /// JSON pointers below the resource's entry, sorted: the smallest values that differ, a value made
    /// by a function as a whole. Of `Add` and `Remove` none.
    pub paths: Vec<String>,
    /// Logical ids of the changed resources that `paths` refer to, sorted.
    pub follows: Vec<String>,
    /// Those of `paths` that differ for these references alone: what they give may be the same.
    pub followed: Vec<String>,
    /// Whether nothing but its tags changes.
    pub only_tags: bool,
}

/// What an update of a stack does to its resources, sorted by logical id, then by action. No change
/// set lists anything that is not here; what is not certain is here because a change set may list it,
/// so ask only about a stack that is going to be updated.
///
/// A resource whose type changes is removed and added, which CloudFormation refuses under the same
/// logical id. Where a condition may hold on either side, several actions of one resource are possible.
/// What macros make of a template is not seen ([`Filled::is_partial`]).
pub fn effects(old: &Filled<'_>, new: &Filled<'_>, tags_differ: bool) -> Vec<Effect> {
    effects_around(old, new, tags_differ, &BTreeMap::new()).resources
}

/// The same where it is known what happens inside some nested stacks, by their logical ids: one in
/// which nothing changes is not listed for that, as AWS would list it, and nothing follows from
/// outputs that stay.
pub fn effects_around(
    old: &Filled<'_>,
    new: &Filled<'_>,
    tags_differ: bool,
    inside: &BTreeMap<String, Inside>,
) -> Effects {
    let ids: BTreeSet<&str> = old.resources.keys().chain(new.resources.keys()).copied().collect();
    let fate = |id: &str| {
        let known = inside.get(id);
        Fate::of(old.resources.get(id), new.resources.get(id), tags_differ, known)
    };
    let mut fates: BTreeMap<&str, Fate<'_>> = BTreeMap::new();
    fates.extend(ids.into_iter().map(|id| (id, fate(id))));
    follow(&mut fates);
    let names: BTreeSet<&str> = old.outputs.keys().chain(new.outputs.keys()).copied().collect();
    let differ = |name: &&str| differ(old.outputs.get(name), new.outputs.get(name));
    let mut outputs: BTreeSet<String> =
        names.into_iter().filter(differ).map(str::to_owned).collect();
    outputs.extend(outputs_after(&new.outputs, &fates));
    let resources = fates.into_iter().flat_map(|(id, fate)| fate.effects(id)).collect();
    Effects { resources, outputs }
}

/// Whether two sides of an output may be different by themselves.
fn differ(old: Option<&FilledResource<'_>>, new: Option<&FilledResource<'_>>) -> bool {
    let (Some(old), Some(new)) = (old, new) else { return true };
    old.is_there != new.is_there
        || old.depends != new.depends
        || old.section != new.section
        || !looked_up_paths(&new.section).is_empty()
}

/// Whether a nested stack may give something else for an attribute, where it is known which of its
/// outputs may be others.
fn gives(outputs: Option<&BTreeSet<String>>, attribute: &Option<String>) -> bool {
    let output = attribute.as_deref().and_then(|name| name.strip_prefix("Outputs."));
    outputs.zip(output).is_none_or(|(others, output)| others.contains(output))
}

/// All that can become of one logical id.
struct Fate<'a> {
    new: Option<&'a FilledResource<'a>>,
    /// Its type before, if it may go.
    goes: Option<&'a str>,
    /// Its type afterwards, if it may come.
    comes: Option<&'a str>,
    /// Whether there is no other possibility than what is found here.
    is_settled: bool,
    /// What changes if it is there before and afterwards; `None` if it cannot be.
    stays: Option<Changes>,
    /// Of a nested stack that was looked into, the outputs that may be others.
    outputs: Option<&'a BTreeSet<String>>,
}

/// What changes in a resource that is there before and afterwards.
#[derive(Default)]
struct Changes {
    /// Whether some change is certain.
    certain: bool,
    replaces: Replaces,
    paths: BTreeSet<String>,
    follows: BTreeSet<String>,
    followed: BTreeSet<String>,
}

impl<'a> Fate<'a> {
    fn of(
        old: Option<&'a FilledResource<'a>>,
        new: Option<&'a FilledResource<'a>>,
        tags_differ: bool,
        inside: Option<&'a Inside>,
    ) -> Self {
        let possible = possibilities(old, new);
        let can = |was: bool, is: bool| possible.clone().any(|pair| pair == (was, is));
        let kind = |resource: Option<&'a FilledResource<'a>>| resource.map(|one| one.kind);
        let both = old.zip(new).filter(|_| can(true, true));
        let other_kind = both.is_some_and(|(old, new)| old.kind != new.kind);
        let stays = both.filter(|_| !other_kind);
        Self {
            new,
            goes: kind(old).filter(|_| other_kind || can(true, false)),
            comes: kind(new).filter(|_| other_kind || can(false, true)),
            is_settled: possible.clone().count() == 1,
            stays: stays.map(|(old, new)| changes(old, new, tags_differ, inside)),
            outputs: inside.map(|inside| &inside.outputs),
        }
    }

    /// Whether an attribute may be another when something changes.
    fn gives(&self, attribute: &Option<String>) -> bool {
        gives(self.outputs, attribute)
    }

    /// Whether `Ref` may give something else afterwards, and whether it surely does.
    fn is_another(&self) -> (bool, bool) {
        let (come, replaces) = (self.comes.is_some() && self.goes.is_some(), self.replaces());
        let surely = self.is_settled
            && (come
                || (replaces == Replaces::Always && self.changes().is_some_and(|it| it.certain)));
        (come || replaces != Replaces::Never, surely)
    }

    fn replaces(&self) -> Replaces {
        self.changes().map_or(Replaces::Never, |changes| changes.replaces)
    }

    /// What changes, if anything does.
    fn changes(&self) -> Option<&Changes> {
        self.stays.as_ref().filter(|changes| !changes.paths.is_empty())
    }

    fn effects(self, logical_id: &str) -> Vec<Effect> {
        let plain = |kind: &str, action: Action| Effect {
            logical_id: logical_id.to_owned(),
            kind: kind.to_owned(),
            action,
            replaces: Replaces::Never,
            certain: self.is_settled,
            paths: Vec::new(),
            follows: Vec::new(),
            followed: Vec::new(),
            only_tags: false,
        };
        let goes = self.goes.map(|kind| plain(kind, Action::Remove));
        let comes = self.comes.map(|kind| plain(kind, Action::Add));
        let mut effects: Vec<Effect> = goes.into_iter().chain(comes).collect();
        let changes = self.stays.filter(|changes| !changes.paths.is_empty());
        if let (Some(changes), Some(new)) = (changes, self.new) {
            effects.push(Effect {
                certain: self.is_settled && changes.certain,
                replaces: changes.replaces,
                only_tags: changes.paths.iter().all(|path| is_tags(new.kind, path)),
                paths: changes.paths.into_iter().collect(),
                follows: changes.follows.into_iter().collect(),
                followed: changes.followed.into_iter().collect(),
                ..plain(new.kind, Action::Modify)
            });
        }
        effects
    }
}

/// Whether a resource can be there before and afterwards, all that is possible. One unknown condition
/// on both sides holds on both or on neither.
fn possibilities(
    old: Option<&FilledResource<'_>>,
    new: Option<&FilledResource<'_>>,
) -> impl Iterator<Item = (bool, bool)> + Clone {
    let can = |resource: Option<&FilledResource<'_>>, there: bool| {
        resource.map_or(Some(false), |resource| resource.is_there).is_none_or(|is| is == there)
    };
    let depends = |resource: Option<&FilledResource<'_>>| resource.and_then(|one| one.depends);
    let together = depends(old).is_some() && depends(old) == depends(new);
    let is_possible =
        move |was: bool, is: bool| can(old, was) && can(new, is) && (!together || was == is);
    let all = [(false, false), (false, true), (true, false), (true, true)];
    all.map(|(was, is)| ((was, is), is_possible(was, is)))
        .into_iter()
        .filter_map(|(pair, possible)| possible.then_some(pair))
}

impl Changes {
    fn add(&mut self, kind: &str, path: String, certain: bool) {
        let most = if certain { Replaces::Always } else { Replaces::Perhaps };
        self.replaces = self.replaces.max(replacement(kind, &path).min(most));
        self.certain |= certain;
        self.paths.insert(path);
    }
}

/// What changes without regard to other resources.
fn changes(
    old: &FilledResource<'_>,
    new: &FilledResource<'_>,
    tags_differ: bool,
    inside: Option<&Inside>,
) -> Changes {
    let mut changes = Changes::default();
    let kind = new.kind;
    for (path, certain) in differences(&old.section, &new.section) {
        if !IDLE.iter().any(|idle| is_below(&path, idle)) {
            changes.add(kind, path, certain);
        }
    }
    if tags_differ && let Some(path) = stack_tags(kind) {
        changes.add(kind, path, false);
    }
    for path in looked_up_paths(new.properties()) {
        changes.add(kind, path, false);
    }
    let hides = inside.is_none_or(|inside| inside.changes);
    if kind == NESTED_STACK && !changes.certain && hides {
        changes.add(kind, "/Properties".to_owned(), false);
    }
    changes
}

/// Where the stack's tags go in a resource; `None` where they do not.
fn stack_tags(kind: &str) -> Option<String> {
    match tags_of(kind) {
        Tags::In(property) => Some(format!("/Properties/{property}")),
        Tags::Unknown if !is_custom(kind) => Some("/Properties/Tags".to_owned()),
        Tags::Nowhere | Tags::Unknown => None,
    }
}

/// Whether a path is that of a type's tags.
fn is_tags(kind: &str, path: &str) -> bool {
    stack_tags(kind).is_some_and(|tags| is_below(path, &tags))
}

/// Whether a JSON pointer is another one or below it.
fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;
