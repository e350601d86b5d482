//! When two values mean the same though they are written otherwise: AWS gives back policies, numbers
//! and sets in a form of its own.

use serde_json::Value;

/// Lists of these properties are sets: AWS gives them back in any order.
const SETS: &[&str] = &[
    "ManagedPolicyArns",
    "SecurityGroupIds",
    "SubnetIds",
    "Architectures",
    "AllowedMethods",
    "AllowedOrigins",
    "AllowedHeaders",
    "AttributeDefinitions",
    "Tags",
    "Users",
    "Roles",
    "Groups",
];

/// Whether two values mean the same. `path` is the JSON pointer of both.
pub(super) fn means_the_same(path: &str, one: &Value, other: &Value) -> bool {
    let name = path.split('/').rfind(|part| !part.bytes().all(|byte| byte.is_ascii_digit()));
    let name = name.unwrap_or_default();
    normal(name, one, 0) == normal(name, other, 0)
}

/// Deeper than this nothing is normalised: policies are a handful of levels deep.
const DEEPEST: usize = 32;

/// A value in one form of the many that mean the same.
fn normal(name: &str, value: &Value, depth: usize) -> Value {
    if depth > DEEPEST {
        return value.clone();
    }
    match value {
        Value::Null => Value::Null,
        Value::Bool(flag) => Value::String(flag.to_string()),
        Value::Number(number) => Value::String(number.to_string()),
        Value::String(text) => in_text(name, text, depth),
        Value::Array(items) => {
            let mut items: Vec<Value> =
                items.iter().map(|item| normal(name, item, depth + 1)).collect();
            if SETS.contains(&name) {
                items.sort_by_cached_key(Value::to_string);
            }
            Value::Array(items)
        }
        Value::Object(fields) if is_policy(fields) => policy(fields, depth),
        Value::Object(fields) => {
            let fields = fields.iter();
            Value::Object(
                fields.map(|(key, value)| (key.clone(), normal(key, value, depth + 1))).collect(),
            )
        }
    }
}

/// Text that is JSON stands for what it says; numbers and flags are text.
fn in_text(name: &str, text: &str, depth: usize) -> Value {
    let trimmed = text.trim();
    if trimmed.starts_with(['{', '['])
        && let Ok(value) = serde_json::from_str::<Value>(trimmed)
    {
        return normal(name, &value, depth + 1);
    }
    let number = trimmed.parse::<f64>().ok().filter(|number| number.is_finite());
    if let Some(number) = number.filter(|_| !trimmed.starts_with('0') || trimmed.len() == 1)
        && number.fract() == 0.0
        && trimmed.ends_with(".0")
    {
        return Value::String(trimmed.trim_end_matches(".0").to_owned());
    }
    let lower = trimmed.to_ascii_lowercase();
    let is_flag = ["true", "false"].contains(&lower.as_str());
    Value::String(if is_flag { lower } else { trimmed.to_owned() })
}

fn is_policy(fields: &serde_json::Map<String, Value>) -> bool {
    fields.contains_key("Statement")
}

/// A policy: its statements are a set, and one entry is a list of one.
fn policy(fields: &serde_json::Map<String, Value>, depth: usize) -> Value {
    let mut normalised = serde_json::Map::new();
    for (key, value) in fields {
        let value = if key == "Statement" {
            Value::Array(sorted(listed(value).iter().map(|one| statement(one, depth + 1))))
        } else {
            normal(key, value, depth + 1)
        };
        normalised.insert(key.clone(), value);
    }
    Value::Object(normalised)
}

fn statement(value: &Value, depth: usize) -> Value {
    let Value::Object(fields) = value else { return normal("", value, depth) };
    let field = |(key, value): (&String, &Value)| (key.clone(), entries(key, value, depth + 1));
    Value::Object(fields.iter().map(field).collect())
}

/// Whatever stands in a statement: each list is a set, and one entry is a list of one.
fn entries(key: &str, value: &Value, depth: usize) -> Value {
    match value {
        Value::Object(fields) => {
            let field =
                |(key, value): (&String, &Value)| (key.clone(), entries(key, value, depth + 1));
            Value::Object(fields.iter().map(field).collect())
        }
        Value::Array(items) => sorted_list(items.iter().map(|item| entry(key, item, depth + 1))),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {
            sorted_list([entry(key, value, depth)].into_iter())
        }
    }
}

/// One entry of a list in a statement; an account stands for its root.
fn entry(key: &str, value: &Value, depth: usize) -> Value {
    let Value::String(text) = value else { return normal(key, value, depth) };
    let root = text.strip_suffix(":root").and_then(|arn| arn.rsplit("::").next());
    in_text(key, root.filter(|_| text.starts_with("arn:")).unwrap_or(text), depth)
}

fn listed(value: &Value) -> Vec<Value> {
    if let Value::Array(items) = value { items.clone() } else { vec![value.clone()] }
}

fn sorted_list(items: impl Iterator<Item = Value>) -> Value {
    Value::Array(sorted(items))
}

fn sorted(items: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut items: Vec<Value> = items.collect();
    items.sort_by_cached_key(Value::to_string);
    items.dedup();
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn the_same_is_the_same_however_aws_writes_it() {
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"},
            {"Effect": "Deny", "Action": ["b", "a"], "Principal": {"AWS": "111122223333"}},
        ]});
        let other = json!({"Statement": [
            {"Effect": "Deny", "Action": ["a", "b"],
             "Principal": {"AWS": ["arn:aws:iam::111122223333:root"]}},
            {"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": ["*"]},
        ], "Version": "2012-10-17"});
        for (path, one, other, same) in [
            ("/PolicyDocument", policy.clone(), other.clone(), true),
            ("/PolicyDocument", policy.clone(), Value::String(other.to_string()), true),
            ("/VisibilityTimeout", json!(60), json!("60"), true),
            ("/VisibilityTimeout", json!("60.0"), json!(60), true),
            ("/VisibilityTimeout", json!(60), json!(61), false),
            ("/Enabled", json!(true), json!("True"), true),
            ("/Code", json!("007"), json!("7"), false),
            ("/ManagedPolicyArns", json!(["a", "b"]), json!(["b", "a"]), true),
            ("/Layers", json!(["a", "b"]), json!(["b", "a"]), false),
            (
                "/Tags",
                json!([{"Key": "a"}, {"Key": "b"}]),
                json!([{"Key": "b"}, {"Key": "a"}]),
                true,
            ),
        ] {
            assert_eq!(means_the_same(path, &one, &other), same, "{path}: {one} {other}");
        }
        let open = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"},
            {"Effect": "Deny", "Action": ["b", "a"], "Principal": {"AWS": "111122223333"}},
        ]});
        assert!(!means_the_same("/PolicyDocument", &policy, &open));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            (0_i64..100).prop_map(Value::from),
            "[a-z0-9*:{}\\[\\]\"]{0,6}".prop_map(Value::String),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::btree_map("[A-Z][a-z]{0,3}|Statement", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_means_what_its_normal_form_means(value in value()) {
            prop_assert!(means_the_same("/X", &value, &value));
            let once = normal("X", &value, 0);
            prop_assert!(means_the_same("/X", &value, &once), "{value} {once}");
        }

        #[test]
        fn another_number_is_another_value(one in 0_i64..1000, other in 0_i64..1000) {
            prop_assert_eq!(means_the_same("/X", &Value::from(one), &Value::from(other.to_string())), one == other);
        }
    }
}
