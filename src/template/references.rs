//! What a value refers to: logical ids and names of parameters in `Ref`, `GetAtt` and `Sub`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::template::resource::below;

/// The logical ids and names of parameters that a value in canonical form refers to, without AWS's
/// own (`AWS::Region`). Names of conditions and mappings are not among them.
pub fn references(value: &Value) -> BTreeSet<String> {
    let mut found = Vec::new();
    collect(value, "", &mut found);
    found.into_iter().map(|reference| reference.name).collect()
}

/// One reference and where it stands.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) name: String,
    /// `GetAtt` and `${A.B}`: only resources have attributes.
    pub(super) attribute: bool,
    pub(super) pointer: String,
}

/// All references in a value, in the order of `serde_json`'s map.
pub(super) fn collect(value: &Value, pointer: &str, found: &mut Vec<Reference>) {
    match value {
        Value::Object(entries) => {
            if let Some((function, argument)) = function(entries) {
                let pointer = below(pointer, function);
                for (name, attribute) in names(function, argument) {
                    if !name.starts_with("AWS::") {
                        found.push(Reference { name, attribute, pointer: pointer.clone() });
                    }
                }
            }
            for (key, value) in entries {
                collect(value, &below(pointer, key), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, &below(pointer, &index.to_string()), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The one key of a map and its value: functions stand alone in their map.
pub(super) fn function(entries: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (key, value) = entries.iter().next().filter(|_| entries.len() == 1)?;
    Some((key.as_str(), value))
}

/// The names in one call of a function, and whether an attribute of them is asked for.
fn names(function: &str, argument: &Value) -> Vec<(String, bool)> {
    match (function, argument) {
        ("Ref", Value::String(name)) => vec![(name.clone(), false)],
        ("Fn::GetAtt", Value::Array(items)) => items
            .first()
            .and_then(Value::as_str)
            .map(|name| (name.to_owned(), true))
            .into_iter()
            .collect(),
        ("Fn::Sub", Value::String(text)) => placeholders(text),
        ("Fn::Sub", Value::Array(items)) => {
            let text = items.first().and_then(Value::as_str).unwrap_or_default();
            let local = |name: &str| items.get(1).is_some_and(|map| map.get(name).is_some());
            placeholders(text).into_iter().filter(|(name, _)| !local(name)).collect()
        }
        _ => Vec::new(),
    }
}

/// The names in `${Name}` and `${Name.Attribute}`; `${!Name}` is the text `${Name}`.
fn placeholders(text: &str) -> Vec<(String, bool)> {
    text.split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name.trim())
        .filter(|name| !name.starts_with('!') && !name.is_empty())
        .map(|name| match name.split_once('.') {
            Some((resource, _)) => (resource.to_owned(), true),
            None => (name.to_owned(), false),
        })
        .collect()
}
