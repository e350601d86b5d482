//! What a value refers to: logical ids and names of parameters in `Ref`, `GetAtt` and `Sub`.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::template::resource::below;

/// The logical ids and names of parameters that a value in canonical form refers to, without AWS's
/// own (`AWS::Region`). Names of conditions and mappings are not among them.
pub fn references(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    each_call(value, &Pointer::ROOT, &mut |function, argument, _| {
        found.extend(named(function, argument).map(|(name, _)| name));
    });
    found
}

/// A JSON pointer on the way down, written out only for what is found: keys may be long and there
/// may be many of them.
#[derive(Clone, Copy)]
pub(super) enum Pointer<'a> {
    Root,
    Key(&'a Pointer<'a>, &'a str),
    Item(&'a Pointer<'a>, usize),
}

impl Pointer<'_> {
    pub(super) const ROOT: Self = Self::Root;
}

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(parent, key) => write!(f, "{parent}{}", below("", key)),
            Self::Item(parent, index) => write!(f, "{parent}/{index}"),
        }
    }
}

/// Calls `visit` with the name, the argument and the argument's pointer of whatever may be a
/// function in a value: each map of one key.
pub(super) fn each_call(
    value: &Value,
    pointer: &Pointer<'_>,
    visit: &mut impl FnMut(&str, &Value, &Pointer<'_>),
) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let pointer = Pointer::Key(pointer, key);
                if entries.len() == 1 {
                    visit(key, value, &pointer);
                }
                each_call(value, &pointer, visit);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                each_call(item, &Pointer::Item(pointer, index), visit);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The names in one call of a function without AWS's own, and whether an attribute of them is asked
/// for, which only resources have: `GetAtt` and `${A.B}`.
pub(super) fn named(function: &str, argument: &Value) -> impl Iterator<Item = (String, bool)> {
    asked(function, argument).map(|(name, attribute)| (name, attribute.is_some()))
}

/// The same with the attribute that is asked for; an empty one where a function makes its name.
pub(super) fn asked(
    function: &str,
    argument: &Value,
) -> impl Iterator<Item = (String, Option<String>)> {
    names(function, argument).into_iter().filter(|(name, _)| !name.starts_with("AWS::"))
}

fn names(function: &str, argument: &Value) -> Vec<(String, Option<String>)> {
    match (function, argument) {
        ("Ref", Value::String(name)) => vec![(name.clone(), None)],
        ("Fn::GetAtt", Value::Array(items)) => items
            .first()
            .and_then(Value::as_str)
            .map(|name| (name.to_owned(), Some(attribute(items))))
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

/// The attribute that `Fn::GetAtt` asks for, whether its parts stand in one text or in several.
fn attribute(items: &[Value]) -> String {
    let parts: Option<Vec<&str>> = items.iter().skip(1).map(Value::as_str).collect();
    parts.unwrap_or_default().join(".")
}

/// The names in `${Name}` and `${Name.Attribute}`; `${!Name}` is the text `${Name}`.
fn placeholders(text: &str) -> Vec<(String, Option<String>)> {
    text.split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name.trim())
        .filter(|name| !name.starts_with('!') && !name.is_empty())
        .map(|name| match name.split_once('.') {
            Some((resource, attribute)) => (resource.to_owned(), Some(attribute.to_owned())),
            None => (name.to_owned(), None),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_are_found_in_every_form() {
        let value = json!({
            "A": { "Ref": "Plain" },
            "B": { "Fn::GetAtt": ["Owner", "Arn"] },
            "C": { "Fn::Sub": "${Direct}-${Dotted.Arn}-${!Literal}-${AWS::Region}" },
            "D": [{ "Fn::Sub": ["${Local}${Other}", { "Local": { "Ref": "Inside" } }] }],
            "E": { "Fn::If": ["Condition", { "Ref": "Branch" }, { "Ref": "AWS::NoValue" }] },
            "F": { "Fn::FindInMap": ["Mapping", { "Ref": "AWS::Region" }, "x"] },
        });
        let found: Vec<String> = references(&value).into_iter().collect();
        let expected = ["Branch", "Direct", "Dotted", "Inside", "Other", "Owner", "Plain"];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_map_with_a_second_key_is_no_function() {
        assert!(references(&json!({ "Ref": "X", "Other": 1 })).is_empty());
    }
}
