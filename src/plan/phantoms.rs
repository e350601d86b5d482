//! What a drift-aware change set would touch besides what is to be brought back.

use std::collections::{BTreeMap, BTreeSet};

use crate::drift::{DriftRecord, Finding, What};
use crate::fleet::Protection;
use crate::observed::{ChangeAction, PlannedChange, Replacement};
use crate::plan::protection::NESTED_STACK;
use crate::template::{Template, references};

/// Resources that the set would touch though they are not to be brought back, or in a way that bringing
/// back does not need.
pub(super) fn phantoms(
    changes: &[PlannedChange],
    record: &DriftRecord,
    todo: &[&Finding],
    template: &Template,
    protected: &Protection,
) -> Vec<String> {
    // AWS lists the resources that macros make.
    let made = template.processed(&BTreeMap::new());
    let view = View::of(record, todo, made.template(), protected);
    let name = |change: &PlannedChange| format!("{} ({})", change.place(), change.kind);
    let names: BTreeSet<String> =
        changes.iter().filter(|change| !view.expects(change)).map(name).collect();
    names.into_iter().collect()
}

/// What is known when a set is checked.
struct View<'a> {
    record: &'a DriftRecord,
    todo: &'a [&'a Finding],
    template: &'a Template,
    protected: &'a Protection,
    /// Places of resources that are gone and are made anew.
    anew: BTreeSet<String>,
    /// Resources of the root that get another name or other outputs with it.
    moved: BTreeSet<String>,
}

impl<'a> View<'a> {
    fn of(
        record: &'a DriftRecord,
        todo: &'a [&'a Finding],
        template: &'a Template,
        protected: &'a Protection,
    ) -> Self {
        let gone = || todo.iter().filter(|one| one.what == What::Deleted);
        let anew: BTreeSet<String> = gone().map(|one| one.place()).collect();
        // A nested stack in which something is made anew may have other outputs.
        let first = |one: &&Finding| match one.within.split('/').next() {
            Some("") | None => one.logical_id.clone(),
            Some(nested) => nested.to_owned(),
        };
        let moved = with_followers(gone().map(first).collect(), template);
        Self { record, todo, template, protected, anew, moved }
    }

    fn expects(&self, change: &PlannedChange) -> bool {
        let place = change.place();
        if change.kind == NESTED_STACK && change.action == ChangeAction::Modify {
            return self.has_todo_below(&place) && change.replacement == Replacement::Never;
        }
        let is_gone = self.anew.contains(&place);
        match (&change.action, change.replacement) {
            (ChangeAction::Add, _) => is_gone,
            (ChangeAction::Modify, Replacement::Never) | (ChangeAction::SyncWithActual, _) => {
                is_gone || self.expects_in_place(&place, change)
            }
            // One that is gone is made anew, and so replaced in a way; and with it what cannot do without
            // its old name, unless that keeps data.
            (ChangeAction::Modify, Replacement::Always | Replacement::Conditional) => {
                let follows =
                    !self.follows(&place).is_empty() && !self.protected.covers(&change.kind);
                is_gone || (follows && self.expects_in_place(&place, change))
            }
            (
                ChangeAction::Remove
                | ChangeAction::Import
                | ChangeAction::Dynamic
                | ChangeAction::Unknown(_),
                _,
            ) => false,
        }
    }

    /// Whether a resource is changed in nothing but what is to be brought back, or what follows from it.
    fn expects_in_place(&self, place: &str, change: &PlannedChange) -> bool {
        let mut allowed: BTreeSet<String> = self.follows(place);
        let todo = self.todo.iter().filter(|one| one.place() == place);
        allowed.extend(todo.filter_map(|one| top_level(one.property()?.as_str())));
        if allowed.is_empty() {
            return false;
        }
        let harmless = self.record.ignored.iter().filter(|one| one.harmless);
        allowed.extend(harmless.filter_map(|one| property_at(&one.subject, place)));
        if !change.touches.is_empty() {
            return change.touches.is_subset(&allowed);
        }
        // AWS does not say in what: then nothing else may have drifted there.
        let others = self.record.findings.iter().filter(|one| one.place() == place);
        let others = others.filter_map(|one| top_level(one.property()?.as_str()));
        let ignored = self.record.ignored.iter().filter_map(|one| property_at(&one.subject, place));
        others.chain(ignored).all(|property| allowed.contains(&property))
    }

    /// Properties of a resource of the root that are made from what is made anew.
    fn follows(&self, place: &str) -> BTreeSet<String> {
        let resource = self.template.resources().get(place);
        let properties = resource.and_then(|resource| resource.properties().as_object());
        let uses = |value| references(value).iter().any(|name| self.moved.contains(name));
        let used = properties.into_iter().flatten().filter(|(_, value)| uses(value));
        used.map(|(name, _)| name.clone()).collect()
    }

    fn has_todo_below(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.todo.iter().any(|one| one.within == path || one.within.starts_with(&below))
    }
}

/// These resources and all that use them, directly or not.
fn with_followers(mut moved: BTreeSet<String>, template: &Template) -> BTreeSet<String> {
    loop {
        let uses = |name: &String| moved.contains(name);
        let next = template.resources().iter().filter(|(id, resource)| {
            !moved.contains(*id) && references(resource.properties()).iter().any(uses)
        });
        let next: Vec<String> = next.map(|(id, _)| id.clone()).collect();
        if next.is_empty() {
            return moved;
        }
        moved.extend(next);
    }
}

/// `MemorySize` of `/MemorySize/0`
fn top_level(path: &str) -> Option<String> {
    let name = path.trim_start_matches('/').split('/').next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// The property of a subject such as `Queue /Tags/* added`, if it is about the resource at `place`.
fn property_at(subject: &str, place: &str) -> Option<String> {
    let rest = subject.strip_prefix(place)?.strip_prefix(' ')?;
    top_level(rest.split(' ').next().filter(|path| path.starts_with('/'))?)
}
