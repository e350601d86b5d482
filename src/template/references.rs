//! What a value refers to: logical ids and names of parameters in `Ref`, `GetAtt` and `Sub`.

use std::collections::BTreeSet;

use serde_json::Value;

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

/// Adds all references in a value that stands at `pointer`.
pub(super) fn collect(value: &Value, pointer: &str, found: &mut Vec<Reference>) {
    each_call(value, pointer, &mut |function, argument, pointer| {
        for (name, attribute) in names(function, argument) {
            if !name.starts_with("AWS::") {
                found.push(Reference { name, attribute, pointer: pointer.to_owned() });
            }
        }
    });
}

/// Calls `visit` with the name, the argument and the argument's pointer of whatever may be a
/// function in a value: each map of one key.
pub(super) fn each_call(value: &Value, pointer: &str, visit: &mut impl FnMut(&str, &Value, &str)) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let pointer = below(pointer, key);
                if entries.len() == 1 {
                    visit(key, value, &pointer);
                }
                each_call(value, &pointer, visit);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                each_call(item, &below(pointer, &index.to_string()), visit);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
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
