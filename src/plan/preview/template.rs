//! What differs between two templates, and what of it touches protected resources.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::fleet::{Protection, Service};
use crate::plan::preview::{Line, Part};
use crate::template::{Action, Change, Effect, Replaces, Template, compare};

/// Sections that are compared entry by entry.
const BY_ENTRY: [&str; 3] = ["Resources", "Outputs", "Parameters"];
/// A nested stack hides what happens inside.
const NESTED_STACK: &str = "AWS::CloudFormation::Stack";
/// More resources than this are counted, not named, in one note.
const NAMED_RESOURCES: usize = 5;

/// Lines about all that differs; never empty for templates with different digests.
pub(super) fn differences(old: &Template, new: &Template) -> Vec<Line> {
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
    if lines.is_empty() {
        lines.push(Line::of(Part::Template, "", Some(String::new()), Some(String::new())));
    }
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

/// Warnings about protected resources that an update removes, or replaces, or may.
pub(super) fn protected_notes(effects: &[Effect], protection: &Protection) -> Vec<String> {
    let lost = |effect: &&Effect| {
        let goes = effect.action == Action::Remove
            || (effect.action == Action::Modify && effect.replaces != Replaces::Never);
        goes && effect.certain && protection.covers(&effect.kind)
    };
    let hides = |effect: &&Effect| effect.kind == NESTED_STACK && effect.action != Action::Add;
    let word = |effect: &Effect| format!("{} ({})", effect.logical_id, effect.kind);
    let lost: Vec<String> = effects.iter().filter(lost).map(word).collect();
    let hidden: Vec<String> =
        effects.iter().filter(hides).map(|effect| effect.logical_id.clone()).collect();
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
    let made = service.template.processed(&BTreeMap::new());
    let lost = made.template().resources().iter().filter(|(_, resource)| {
        service.protected.covers(&resource.kind) && !kept(resource.deletion_policy.as_deref())
    });
    let words: Vec<String> =
        lost.map(|(name, resource)| format!("{name} ({})", resource.kind)).collect();
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
