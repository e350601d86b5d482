//! What follows from a change by references: `Ref` of a resource that is replaced, `Fn::GetAtt` of one
//! that changes at all.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::template::create_only::is_function;
use crate::template::effects::difference::uses_all;
use crate::template::effects::{Fate, gives};
use crate::template::fill::FilledResource;
use crate::template::references::{Pointer, asked, each_call};

/// Which resources refer to a resource, and whether some of their references ask for an attribute.
type Referring<'a> = BTreeMap<&'a str, BTreeMap<&'a str, bool>>;

/// A place in a resource that refers to another one.
struct Place {
    /// The JSON pointer below its entry.
    path: String,
    /// Whether an attribute is asked for.
    attribute: bool,
    /// Whether the value that is made of it may not depend on it.
    chosen: bool,
}

/// Adds what follows, over any number of resources. It ends: each turn makes some change of one resource
/// worse, and there are few degrees.
pub(super) fn follow(fates: &mut BTreeMap<&str, Fate<'_>>) {
    let mut waiting: BTreeSet<&str> =
        fates.iter().filter(|(_, fate)| is_source(fate)).map(|(id, _)| *id).collect();
    if waiting.is_empty() {
        return;
    }
    let referring = referring(fates);
    while let Some(source) = waiting.pop_first() {
        let (is_another, outputs) = (fates[source].is_another(), fates[source].outputs);
        for (from, attribute) in referring.get(source).into_iter().flatten() {
            // The id stays that of the resource.
            if !is_another.0 && !attribute {
                continue;
            }
            let Some(fate) = fates.get_mut(from) else { continue };
            let before = degree(fate);
            add(fate, source, is_another, outputs);
            if degree(fate) > before {
                waiting.insert(from);
            }
        }
    }
}

/// Adds what a resource changes with another one that may be, or surely is, another one afterwards.
fn add(
    fate: &mut Fate<'_>,
    source: &str,
    (is_another, surely): (bool, bool),
    outputs: Option<&BTreeSet<String>>,
) {
    let (Some(new), Some(changes)) = (fate.new, fate.stays.as_mut()) else { return };
    for place in places(&new.section, source, outputs) {
        if !is_another && !place.attribute {
            continue;
        }
        changes.follows.insert(source.to_owned());
        if !changes.paths.contains(&place.path) {
            changes.followed.insert(place.path.clone());
        }
        // Even where the reference surely changes, CloudFormation says "Conditional".
        let certain = changes.certain;
        changes.add(new.kind, place.path, false);
        // An attribute of another resource may be equal; its id is not.
        changes.certain = certain || (surely && !place.attribute && !place.chosen);
    }
}

fn is_source(fate: &Fate<'_>) -> bool {
    fate.changes().is_some() || fate.is_another().0
}

/// How much follows from what becomes of a resource.
fn degree(fate: &Fate<'_>) -> (bool, (bool, bool)) {
    (fate.changes().is_some(), fate.is_another())
}

/// Who refers to whom. Where exactly is looked for when something follows from it: most of the time
/// nothing does.
fn referring<'a>(fates: &BTreeMap<&'a str, Fate<'_>>) -> Referring<'a> {
    let mut found = Referring::new();
    for (from, fate) in fates {
        let Some(new) = fate.new.filter(|_| fate.stays.is_some()) else { continue };
        each_call(&new.section, &Pointer::ROOT, &mut |function, argument, _| {
            for (name, attribute) in asked(function, argument) {
                let source = fates.get_key_value(name.as_str());
                if let Some((name, _)) = source.filter(|(_, fate)| fate.gives(&attribute)) {
                    let asks = found.entry(name).or_default().entry(from).or_default();
                    *asks |= attribute.is_some();
                }
            }
        });
    }
    found
}

/// Which of these outputs may be others when what they are made of is.
pub(super) fn outputs_after(
    outputs: &BTreeMap<&str, FilledResource<'_>>,
    fates: &BTreeMap<&str, Fate<'_>>,
) -> BTreeSet<String> {
    let is_other = |name: &str, attribute: &Option<String>| {
        fates.get(name).is_some_and(|fate| {
            let moves = if attribute.is_some() { is_source(fate) } else { fate.is_another().0 };
            moves && fate.gives(attribute)
        })
    };
    let follows = |output: &FilledResource<'_>| {
        let mut found = false;
        each_call(&output.section, &Pointer::ROOT, &mut |function, argument, _| {
            found |= asked(function, argument).any(|(name, asked)| is_other(&name, &asked));
        });
        found
    };
    let after = outputs.iter().filter(|(_, output)| follows(output));
    after.map(|(name, _)| (*name).to_owned()).collect()
}

/// The places in a section that refer to a resource, and not only to outputs that stay.
fn places(section: &Value, source: &str, outputs: Option<&BTreeSet<String>>) -> Vec<Place> {
    let mut found = Vec::new();
    each_call(section, &Pointer::ROOT, &mut |function, argument, pointer| {
        let asked = asked(function, argument).filter(|(name, _)| name == source);
        for (_, attribute) in asked.filter(|(_, attribute)| gives(outputs, attribute)) {
            let pointer = pointer.to_string();
            let parts = || pointer.split('/').skip(1);
            let path = parts().take_while(|part| !is_function(part));
            let path = path.fold(String::new(), |path, part| path + "/" + part);
            let chosen = parts().any(|part| is_function(part) && !uses_all(part));
            found.push(Place { path, attribute: attribute.is_some(), chosen });
        }
    });
    found
}
