//! Where two filled entries differ, and whether they surely do.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::template::create_only::is_function;
use crate::template::fill::{is_ssm, symbol};
use crate::template::references::Pointer;
use crate::template::resource::below;

const PROPERTIES: &str = "Properties";

/// The smallest values that differ, by JSON pointer, and whether they surely do; a value made by a
/// function counts as a whole, and so does a list whose number of items differs.
pub(super) fn differences(old: &Value, new: &Value) -> BTreeMap<String, bool> {
    let mut found = BTreeMap::new();
    // Most entries are equal, and sections without anything to fill in are the template's own.
    if !std::ptr::eq(old, new) && old != new {
        compare(old, new, &Pointer::ROOT, &mut found);
    }
    found
}

fn compare(old: &Value, new: &Value, at: &Pointer<'_>, found: &mut BTreeMap<String, bool>) {
    match (old, new) {
        _ if is_call(old) || is_call(new) => {
            if old != new {
                found.insert(at.to_string(), differs_surely(old, new));
            }
        }
        (Value::Object(one), Value::Object(other)) => {
            let none = Value::Object(Map::new());
            for (key, old) in one {
                compare_entry(Some(old), other.get(key), &none, &Pointer::Key(at, key), found);
            }
            for (key, new) in other.iter().filter(|(key, _)| !one.contains_key(*key)) {
                compare_entry(None, Some(new), &none, &Pointer::Key(at, key), found);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare(old, new, &Pointer::Item(at, index), found);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            found.insert(at.to_string(), !old.iter().chain(new).any(is_choice));
        }
        (old, new) => {
            if old != new {
                found.insert(at.to_string(), true);
            }
        }
    }
}

fn compare_entry(
    old: Option<&Value>,
    new: Option<&Value>,
    none: &Value,
    at: &Pointer<'_>,
    found: &mut BTreeMap<String, bool>,
) {
    // An entry without properties has none of them, not others as a whole.
    let is_all = || matches!(at, Pointer::Key(Pointer::Root, key) if *key == PROPERTIES);
    match (old, new) {
        (Some(old), Some(new)) => compare(old, new, at, found),
        (None, Some(new)) if is_all() => compare(none, new, at, found),
        (Some(old), None) if is_all() => compare(old, none, at, found),
        (Some(one), None) | (None, Some(one)) => {
            found.insert(at.to_string(), !is_choice(one));
        }
        (None, None) => {}
    }
}

/// Whether two values, at least one of them made by a function, surely differ. Of one function that is
/// so where its arguments surely differ; what another function makes may be the same, and what is not
/// known may be anything.
fn differs_surely(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(one), Value::Object(other)) => {
            let same = |key: &String| !is_call(old) && !is_call(new) || uses_all(key);
            let common = one.iter().filter(|(key, _)| same(key));
            common.filter_map(|(key, one)| Some((one, other.get(key)?))).any(differ_surely)
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            one.iter().zip(other).any(differ_surely)
        }
        (Value::Array(one), Value::Array(other)) => !one.iter().chain(other).any(is_choice),
        _ if is_call(old) || is_call(new) => false,
        (old, new) => old != new,
    }
}

fn differ_surely((old, new): (&Value, &Value)) -> bool {
    differs_surely(old, new)
}

/// A function, or what is not known.
fn is_call(value: &Value) -> bool {
    let name = value.as_object().filter(|entries| entries.len() == 1);
    let name = name.and_then(|entries| entries.keys().next());
    name.is_some_and(|name| is_function(name)) || symbol(value).is_some()
}

/// Whether a function gives something else whenever one of its arguments is something else: one that
/// chooses does not, and an attribute of another resource may be the same.
pub(super) fn uses_all(function: &str) -> bool {
    ["Ref", "Fn::Base64", "Fn::Join", "Fn::Sub", "Fn::ToJsonString"].contains(&function)
}

/// Whether a value may turn out to be none.
fn is_choice(value: &Value) -> bool {
    value.as_object().is_some_and(|entries| entries.len() == 1 && entries.contains_key("Fn::If"))
}

/// The properties whose value CloudFormation looks up anew in every update: SSM parameters, by a
/// parameter or by a dynamic reference without a version.
pub(super) fn looked_up_paths(properties: &Value) -> Vec<String> {
    let all = properties.as_object().into_iter().flatten();
    let looked_up = all.filter(|(_, value)| is_looked_up(value));
    looked_up.map(|(name, _)| below("/Properties", name)).collect()
}

fn is_looked_up(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.contains("{{resolve:ssm:"),
        Value::Array(items) => items.iter().any(is_looked_up),
        Value::Object(entries) => {
            symbol(value).is_some_and(is_ssm) || entries.values().any(is_looked_up)
        }
    }
}
