//! What follows from a change by references: `Ref` of a resource that is replaced, `Fn::GetAtt` of one
//! that changes at all.

use std::collections::{BTreeMap, BTreeSet};

use crate::template::create_only::is_function;
use crate::template::effects::Fate;
use crate::template::effects::difference::uses_all;
use crate::template::references::{Pointer, each_call, named};

/// A place in a resource that refers to another one.
struct Reference<'a> {
    /// The logical id of the resource that refers.
    from: &'a str,
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
    let references = references(fates);
    while let Some(source) = waiting.pop_first() {
        let (is_another, surely) = fates[source].is_another();
        for reference in references.get(source).into_iter().flatten() {
            if !is_another && !reference.attribute {
                continue;
            }
            // An attribute of another resource may be equal; its id is not.
            let certain = surely && !reference.attribute && !reference.chosen;
            let Some(fate) = fates.get_mut(reference.from) else { continue };
            let (kind, before) = (fate.new.map_or("", |new| new.kind), degree(fate));
            let Some(changes) = fate.stays.as_mut() else { continue };
            changes.follows.insert(source.to_owned());
            let certain_before = changes.certain;
            // Even where the reference surely changes, CloudFormation says "Conditional".
            changes.add(kind, reference.path.clone(), false);
            changes.certain = certain_before || certain;
            if degree(fate) > before {
                waiting.insert(reference.from);
            }
        }
    }
}

fn is_source(fate: &Fate<'_>) -> bool {
    fate.changes().is_some() || fate.is_another().0
}

/// How much follows from what becomes of a resource.
fn degree(fate: &Fate<'_>) -> (bool, (bool, bool)) {
    (fate.changes().is_some(), fate.is_another())
}

/// All references between resources, by what they refer to.
fn references<'a>(fates: &BTreeMap<&'a str, Fate<'_>>) -> BTreeMap<&'a str, Vec<Reference<'a>>> {
    let mut found: BTreeMap<&str, Vec<Reference<'_>>> = BTreeMap::new();
    for (from, fate) in fates {
        let Some(new) = fate.new.filter(|_| fate.stays.is_some()) else { continue };
        each_call(&new.section, &Pointer::ROOT, &mut |function, argument, pointer| {
            for (name, attribute) in named(function, argument) {
                if let Some((name, _)) = fates.get_key_value(name.as_str()) {
                    let pointer = pointer.to_string();
                    let path = without_functions(&pointer);
                    let chosen =
                        pointer.split('/').any(|part| is_function(part) && !uses_all(part));
                    let reference = Reference { from, path, attribute, chosen };
                    found.entry(name).or_default().push(reference);
                }
            }
        });
    }
    found
}

/// A JSON pointer up to the first function in it.
fn without_functions(pointer: &str) -> String {
    let parts = pointer.split('/').skip(1).take_while(|part| !is_function(part));
    parts.fold(String::new(), |path, part| path + "/" + part)
}
