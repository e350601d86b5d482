//! Where the properties that a resource has differ from those that its template gave.

use serde_json::{Map, Value};

use crate::sim::evaluate::as_text;

/// One property that is not as expected.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    /// A JSON pointer, such as `/Tags/0/Value`.
    pub(crate) path: String,
    /// `None` for what was added.
    pub(crate) expected: Option<Value>,
    /// `None` for what was removed.
    pub(crate) actual: Option<Value>,
}

impl Difference {
    /// The name of the property that it is in.
    pub(crate) fn property(&self) -> &str {
        self.path.split('/').nth(1).unwrap_or_default()
    }

    /// AWS's word for the kind of difference.
    pub(crate) fn word(&self) -> &'static str {
        match (&self.expected, &self.actual) {
            (None, _) => "ADD",
            (Some(_), None) => "REMOVE",
            (Some(_), Some(_)) => "NOT_EQUAL",
        }
    }
}

/// A value as AWS shows it: a text as it is, anything else as JSON.
pub(crate) fn shown(value: Option<&Value>) -> String {
    match value {
        None => "null".to_owned(),
        Some(value) => as_text(value).unwrap_or_else(|| value.to_string()),
    }
}

/// Differences of the properties that are expected; others are nobody's business. Lists are taken as
/// sets, and a number is the same as its text.
pub(crate) fn differences(
    expected: &Map<String, Value>,
    actual: &Map<String, Value>,
) -> Vec<Difference> {
    let mut found = Vec::new();
    for (name, value) in expected {
        compare(&below("", name), Some(value), actual.get(name), &mut found);
    }
    found
}

fn below(path: &str, name: &str) -> String {
    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn compare(
    path: &str,
    expected: Option<&Value>,
    actual: Option<&Value>,
    found: &mut Vec<Difference>,
) {
    match (expected, actual) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            for (name, value) in old {
                compare(&below(path, name), Some(value), new.get(name), found);
            }
            for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
                compare(&below(path, name), None, Some(value), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => lists(path, old, new, found),
        (Some(old), Some(new))
            if old == new || as_text(old).is_some_and(|text| Some(text) == as_text(new)) => {}
        (expected, actual) => found.push(Difference {
            path: path.to_owned(),
            expected: expected.cloned(),
            actual: actual.cloned(),
        }),
    }
}

fn is_same(one: &Value, other: &Value) -> bool {
    let mut found = Vec::new();
    compare("", Some(one), Some(other), &mut found);
    found.is_empty()
}

fn lists(path: &str, expected: &[Value], actual: &[Value], found: &mut Vec<Difference>) {
    let mut left: Vec<(usize, &Value)> = actual.iter().enumerate().collect();
    let mut missing = Vec::new();
    for (index, value) in expected.iter().enumerate() {
        match left.iter().position(|(_, other)| is_same(value, other)) {
            Some(place) => drop(left.remove(place)),
            None => missing.push((index, value)),
        }
    }
    for (index, value) in missing {
        // Tags and the like belong together by their keys, anything else by its place.
        let place = match value.get("Key") {
            Some(key) => left.iter().position(|(_, other)| other.get("Key") == Some(key)),
            None => (!left.is_empty()).then_some(0),
        };
        let other = place.map(|place| left.remove(place).1);
        compare(&format!("{path}/{index}"), Some(value), other, found);
    }
    for (index, value) in left {
        compare(&format!("{path}/{index}"), None, Some(value), found);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(expected: Value, actual: Value) -> Vec<String> {
        let (Value::Object(expected), Value::Object(actual)) = (expected, actual) else {
            panic!("two objects")
        };
        let line = |one: &Difference| {
            let (old, new) = (shown(one.expected.as_ref()), shown(one.actual.as_ref()));
            format!("{} {} {old} {new}", one.path, one.word())
        };
        differences(&expected, &actual).iter().map(line).collect()
    }

    #[test]
    fn only_what_is_expected_is_compared_and_numbers_are_texts() {
        assert_eq!(lines(json!({"A": "30"}), json!({"A": 30, "B": 1})), [""; 0]);
        assert_eq!(
            lines(json!({"A": 1, "B": 2}), json!({"A": 3})),
            ["/A NOT_EQUAL 1 3", "/B REMOVE 2 null"]
        );
        let deep = lines(json!({"A": {"b": {"c/d": "x"}}}), json!({"A": {"b": {"e": true}}}));
        assert_eq!(deep, ["/A/b/c~1d REMOVE x null", "/A/b/e ADD null true"]);
    }

    #[test]
    fn lists_are_sets_and_tags_are_known_by_their_keys() {
        assert_eq!(lines(json!({"A": [1, 2, 2]}), json!({"A": [2, "1", 2]})), [""; 0]);
        assert_eq!(lines(json!({"A": [1, 2]}), json!({"A": [2, 3]})), ["/A/0 NOT_EQUAL 1 3"]);
        let tag = |key: &str, value: &str| json!({"Key": key, "Value": value});
        let expected = json!({"Tags": [tag("a", "1"), tag("b", "2")]});
        let actual = json!({"Tags": [tag("x", "9"), tag("b", "3")]});
        assert_eq!(
            lines(expected, actual),
            [
                r#"/Tags/0 REMOVE {"Key":"a","Value":"1"} null"#,
                "/Tags/1/Value NOT_EQUAL 2 3",
                r#"/Tags/0 ADD null {"Key":"x","Value":"9"}"#,
            ]
        );
    }
}
