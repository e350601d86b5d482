//! Whether a value is what a JSON Schema says, strictly: a field that the schema does not name is wrong
//! too. It knows the words that our schemas use, and fails on any other.

use serde_json::{Map, Value};

/// Words that say nothing about a value.
const SILENT: [&str; 6] = ["$schema", "$defs", "title", "description", "format", "minimum"];

/// What does not fit, each with its place.
pub(super) fn misfits(value: &Value, schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    fit(value, schema, schema, "", &mut found);
    found
}

fn fit(value: &Value, schema: &Value, root: &Value, place: &str, found: &mut Vec<String>) {
    let Value::Object(words) = schema else { panic!("{place}: no schema: {schema}") };
    for (word, rule) in words {
        match word.as_str() {
            "type" if !is_type(value, rule) => found.push(format!("{place}: {value} is no {rule}")),
            "type" => {}
            "const" if value != rule => found.push(format!("{place}: {value} is not {rule}")),
            "const" => {}
            "pattern" => {
                let pattern = regex::Regex::new(rule.as_str().unwrap()).unwrap();
                if value.as_str().is_some_and(|text| !pattern.is_match(text)) {
                    found.push(format!("{place}: {value} is not like {rule}"));
                }
            }
            "$ref" => {
                let pointer = rule.as_str().unwrap().trim_start_matches('#');
                fit(value, root.pointer(pointer).unwrap(), root, place, found);
            }
            "anyOf" | "oneOf" => choose(value, rule, root, place, found),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    fit(item, rule, root, &format!("{place}/{index}"), found);
                }
            }
            "prefixItems" => {
                for (item, rule) in value.as_array().unwrap().iter().zip(rule.as_array().unwrap()) {
                    fit(item, rule, root, place, found);
                }
            }
            "properties" | "additionalProperties" => {
                fields(value, words, root, place, found);
            }
            "required" => {
                for field in rule.as_array().unwrap().iter().filter_map(Value::as_str) {
                    if value.as_object().is_some_and(|fields| !fields.contains_key(field)) {
                        found.push(format!("{place}: `{field}` is missing"));
                    }
                }
            }
            "minItems" | "maxItems" | "uniqueItems" => {}
            word if SILENT.contains(&word) => {}
            word => panic!("{place}: teach this test the word `{word}`"),
        }
    }
}

fn is_type(value: &Value, rule: &Value) -> bool {
    let is = |name: &Value| match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        name => panic!("there is no type {name}"),
    };
    rule.as_array().map_or_else(|| is(rule), |names| names.iter().any(is))
}

fn choose(value: &Value, rule: &Value, root: &Value, place: &str, found: &mut Vec<String>) {
    let mut tried = Vec::new();
    for choice in rule.as_array().unwrap() {
        let mut misfits = Vec::new();
        fit(value, choice, root, place, &mut misfits);
        if misfits.is_empty() {
            return;
        }
        tried.extend(misfits);
    }
    found.extend(tried);
}

fn fields(
    value: &Value,
    words: &Map<String, Value>,
    root: &Value,
    place: &str,
    found: &mut Vec<String>,
) {
    for (name, field) in value.as_object().into_iter().flatten() {
        let place = format!("{place}/{name}");
        let named = words.get("properties").and_then(|named| named.get(name));
        match named.or(words.get("additionalProperties")) {
            Some(rule) => fit(field, rule, root, &place, found),
            None => found.push(format!("{place}: the schema does not name it")),
        }
    }
}

#[test]
fn what_does_not_fit_is_found() {
    let schema = serde_json::json!({
        "$defs": { "One": { "type": "object", "properties": { "a": { "type": "integer" } },
            "required": ["a"] } },
        "type": "object",
        "properties": {
            "version": { "const": 1 },
            "ones": { "type": ["array", "null"], "items": { "$ref": "#/$defs/One" } },
            "word": { "anyOf": [{ "const": "x" }, { "type": "null" }] },
        },
        "required": ["version"],
    });
    let found = |value: Value| misfits(&value, &schema).len();
    assert_eq!(found(serde_json::json!({ "version": 1, "ones": [{ "a": 1 }], "word": "x" })), 0);
    assert_eq!(found(serde_json::json!({ "version": 1, "ones": null, "word": null })), 0);
    assert_eq!(found(serde_json::json!({ "version": 2 })), 1);
    assert_eq!(found(serde_json::json!({ "ones": [] })), 1);
    assert_eq!(found(serde_json::json!({ "version": 1, "ones": [{ "a": "1" }, {}] })), 2);
    assert_eq!(found(serde_json::json!({ "version": 1, "more": 1 })), 1);
    assert_eq!(found(serde_json::json!({ "version": 1, "word": "y" })), 2);
}
