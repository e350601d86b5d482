//! What differs between two templates, and what of it touches protected resources.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::fleet::{Protection, Service};
use crate::package::Package;
use crate::plan::preview::{Line, Part};
use crate::template::{Action, Change, Effect, Replaces, Template, compare};

/// Sections that are compared entry by entry.
const BY_ENTRY: [&str; 3] = ["Resources", "Outputs", "Parameters"];
/// Where nested stacks have the address of their template, which says nothing to people.
const ADDRESSES: [&str; 2] = ["/Properties/TemplateURL", "/Properties/Location"];
/// More resources than this are counted, not named, in one note.
const NAMED_RESOURCES: usize = 5;

/// Lines about all that differs, in nested stacks too; never empty for templates with different
/// digests.
pub(super) fn differences(old: &Package, new: &Package) -> Vec<Line> {
    let mut lines = of_package(old, new);
    if lines.is_empty() {
        lines.push(Line::of(Part::Template, "", Some(String::new()), Some(String::new())));
    }
    lines
}

/// The address of a nested template is another whenever something in it is: what that is, is said.
fn of_package(old: &Package, new: &Package) -> Vec<Line> {
    let mut lines = of_template(&old.template, &new.template);
    let both = |name: &str| old.nested.contains_key(name) && new.nested.contains_key(name);
    for line in lines.iter_mut().filter(|line| line.part == Part::Resource && both(&line.name)) {
        line.paths.retain(|path| !ADDRESSES.contains(&path.as_str()));
    }
    let says_nothing = |line: &Line| {
        line.part == Part::Resource
            && line.old.is_some()
            && line.new.is_some()
            && line.paths.is_empty()
            && both(&line.name)
    };
    lines.retain(|line| !says_nothing(line));
    let names: BTreeSet<&String> = old.nested.keys().chain(new.nested.keys()).collect();
    for name in names {
        let below = match (old.nested.get(name), new.nested.get(name)) {
            (Some(old), Some(new)) if old.template.digest() == new.template.digest() => continue,
            (Some(old), Some(new)) => of_package(old, new),
            (Some(gone), None) => all_of(gone, |kind| (Some(kind), None)),
            (None, Some(new)) => all_of(new, |kind| (None, Some(kind))),
            (None, None) => continue,
        };
        lines.extend(below.into_iter().map(|line| line.within(name)));
    }
    lines
}

/// A line for each resource of a nested stack that comes or goes.
fn all_of(package: &Package, sides: fn(String) -> (Option<String>, Option<String>)) -> Vec<Line> {
    let all = package.all().into_iter().flat_map(|(way, package)| {
        package.template.resources().iter().map(move |(name, resource)| {
            let (old, new) = sides(resource.kind.clone());
            Line::of(Part::Resource, &[way.as_slice(), &[name]].concat().join("/"), old, new)
        })
    });
    all.collect()
}

fn of_template(old: &Template, new: &Template) -> Vec<Line> {
    let mut lines: Vec<Line> = compare(old, new)
        .into_iter()
        .map(|resource| {
            let kind = || Some(resource.kind.clone());
            let (old, new, paths) = match resource.change {
                Change::Added => (None, kind(), Vec::new()),
                Change::Removed => (kind(), None, Vec::new()),
                Change::Modified { paths } => (kind(), kind(), paths),
            };
            Line { part: Part::Resource, name: resource.logical_id, old, new, paths }
        })
        .collect();
    let none = Value::Null;
    let section = |template: &'_ Template, name: &str| {
        template.value().get(name).cloned().unwrap_or_else(|| none.clone())
    };
    // What macros are going to make of these entries cannot be compared by resource.
    let generated = |name: &str| name.starts_with("Fn::");
    let all = |_: &str| true;
    let (before, after) = (section(old, "Resources"), section(new, "Resources"));
    lines.extend(entries(Part::Section, &before, &after, &generated));
    let (before, after) = (section(old, "Outputs"), section(new, "Outputs"));
    lines.extend(entries(Part::Output, &before, &after, &all));
    let (before, after) = (section(old, "Parameters"), section(new, "Parameters"));
    lines.extend(entries(Part::Declaration, &before, &after, &all));
    let others = |name: &str| !BY_ENTRY.contains(&name);
    lines.extend(entries(Part::Section, old.value(), new.value(), &others));
    lines
}

/// Entries of two maps that differ, without their values.
fn entries(part: Part, old: &Value, new: &Value, of: &dyn Fn(&str) -> bool) -> Vec<Line> {
    let keys = |value: &Value| -> Vec<String> {
        value.as_object().into_iter().flat_map(|map| map.keys().cloned()).collect()
    };
    let names: BTreeSet<String> = keys(old).into_iter().chain(keys(new)).collect();
    names
        .into_iter()
        .filter(|name| of(name) && old.get(name) != new.get(name))
        .map(|name| {
            let there = |value: &Value| value.get(&name).map(|_| String::new());
            Line::of(part, &name, there(old), there(new))
        })
        .collect()
}

/// Warnings about protected resources that an update removes, or replaces, or may, and about nested
/// stacks that hide what happens inside.
pub(super) fn protected_notes(
    effects: &[Effect],
    unseen: &BTreeSet<String>,
    protection: &Protection,
) -> Vec<String> {
    let lost = |effect: &&Effect| {
        let goes = effect.action == Action::Remove
            || (effect.action == Action::Modify && effect.replaces != Replaces::Never);
        goes && effect.certain && protection.covers(&effect.kind)
    };
    let word = |effect: &Effect| format!("{} ({})", effect.logical_id, effect.kind);
    let lost: Vec<String> = effects.iter().filter(lost).map(word).collect();
    let hidden: Vec<String> = unseen.iter().cloned().collect();
    let lost = named(&lost)
        .map(|named| format!("{named} is protected: it is not touched until a person approves"));
    let hidden = named(&hidden).map(|named| {
        format!("nested stacks ({named}) hide what happens inside: held until a person approves")
    });
    lost.into_iter().chain(hidden).collect()
}

/// A warning about protected resources that go when a stack of this service is deleted.
pub(super) fn lost_note(service: &Service) -> Option<String> {
    let kept = |policy: Option<&str>| policy.is_some_and(|policy| policy.starts_with("Retain"));
    let is_kept = |package: &Package, name: &str| {
        let made = package.template.processed_by_default();
        let resource = made.template().resources().get(name);
        resource.is_some_and(|resource| kept(resource.deletion_policy.as_deref()))
    };
    // What is in a nested stack that is kept is kept with it.
    let is_on_its_way = |way: &[&str]| {
        let mut package = service.package.as_ref();
        way.iter().all(|name| {
            let goes = !is_kept(package, name);
            package = package.nested.get(*name).map_or(package, AsRef::as_ref);
            goes
        })
    };
    let all = service.package.all();
    let lost = all.iter().filter(|(way, _)| is_on_its_way(way)).flat_map(|(way, package)| {
        let made = package.template.processed_by_default();
        let resources = made.template().resources().iter();
        resources
            .filter(|(_, resource)| {
                service.protected.covers(&resource.kind)
                    && !kept(resource.deletion_policy.as_deref())
            })
            .map(|(name, resource)| {
                let place = [way.as_slice(), &[name.as_str()]].concat().join("/");
                format!("{place} ({})", resource.kind)
            })
            .collect::<Vec<String>>()
    });
    let words: Vec<String> = lost.collect();
    Some(format!("takes with it {}", named(&words)?))
}

fn named(words: &[String]) -> Option<String> {
    if words.is_empty() {
        return None;
    }
    let mut text = words.iter().take(NAMED_RESOURCES).cloned().collect::<Vec<_>>().join(", ");
    if words.len() > NAMED_RESOURCES {
        text.push_str(&format!(" and {} more", words.len() - NAMED_RESOURCES));
    }
    Some(text)
}
