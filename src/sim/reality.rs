//! What resources really are, beside what their templates gave: people change things behind
//! CloudFormation's back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::sim::resources::{is_fixed, is_read, managed_by_aws};
use crate::sim::state::Resource;

/// The property that people add things of their own to, which CloudFormation leaves alone.
pub(crate) const TAGS: &str = "Tags";

/// What a resource really is, where that is not what its template gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Live {
    /// It has these properties, as JSON.
    Changed(Arc<str>),
    /// Somebody has deleted it.
    Deleted,
}

impl Resource {
    /// Whether detections look at it.
    pub(crate) fn is_checked(&self) -> bool {
        is_read(&self.kind) && !self.skipped
    }

    /// Whether somebody has deleted it.
    pub(crate) fn is_gone(&self) -> bool {
        self.live.as_deref() == Some(&Live::Deleted)
    }

    /// The properties that it really has, as JSON; `None` when it is gone.
    pub(crate) fn actual(&self) -> Option<&Arc<str>> {
        match self.live.as_deref() {
            None => Some(&self.properties),
            Some(Live::Changed(actual)) => Some(actual),
            Some(Live::Deleted) => None,
        }
    }

    /// Gives it these properties in reality.
    pub(crate) fn set_actual(&mut self, actual: Map<String, Value>) {
        self.live = live(actual, &object(&self.properties));
    }
}

/// A JSON text as an object.
pub(crate) fn object(json: &str) -> Map<String, Value> {
    serde_json::from_str(json).unwrap_or_default()
}

fn live(actual: Map<String, Value>, recorded: &Map<String, Value>) -> Option<Box<Live>> {
    let text = || Live::Changed(Value::Object(actual.clone()).to_string().into());
    (actual != *recorded).then(|| Box::new(text()))
}

/// What really is after an update from one record to the other: it writes only the properties that
/// differ between the two, and cannot write what is gone.
pub(crate) fn written(before: &Resource, after: &str) -> Option<Box<Live>> {
    let Live::Changed(actual) = before.live.as_deref()? else { return before.live.clone() };
    let (old, new, mut actual) = (object(&before.properties), object(after), object(actual));
    for name in old.keys().chain(new.keys()) {
        if old.get(name) != new.get(name) {
            write(&mut actual, name, new.get(name));
        }
    }
    live(actual, &new)
}

/// What really is of a resource that a rollback skips: what it was, whatever the record says.
pub(crate) fn left(now: &Resource, after: &str) -> Option<Box<Live>> {
    match now.actual() {
        Some(actual) => live(object(actual), &object(after)),
        None => now.live.clone(),
    }
}

/// What a plain update goes back to: it writes what the records say, whatever really was.
pub(crate) fn without_reality(records: &BTreeMap<String, Resource>) -> BTreeMap<String, Resource> {
    let mut records = records.clone();
    records.values_mut().for_each(|record| record.live = None);
    records
}

/// What is there for a drift-aware update: what is gone and comes back is made anew.
pub(crate) fn standing(
    records: &BTreeMap<String, Resource>,
    reverts: &BTreeSet<String>,
) -> BTreeMap<String, Resource> {
    let mut records = records.clone();
    records.retain(|logical_id, old| !(old.is_gone() && reverts.contains(logical_id)));
    records
}

/// What really is after a drift-aware update: what the template says, but for properties that cannot
/// be changed in place, those that AWS changes by itself, and tags of others.
pub(crate) fn reverted(before: &Resource, after: &str) -> Option<Box<Live>> {
    let Live::Changed(actual) = before.live.as_deref()? else { return None };
    let (old, new, mut actual) = (object(&before.properties), object(after), object(actual));
    for name in old.keys().chain(new.keys()) {
        let stays = old.get(name) == new.get(name)
            && (is_fixed(&before.kind, name) || managed_by_aws(&before.kind, name));
        if stays {
            continue;
        }
        let foreign = foreign_tags(name, &actual, &old, &new);
        write(&mut actual, name, new.get(name));
        if let Some(tags) = actual.get_mut(name).and_then(Value::as_array_mut) {
            tags.extend(foreign);
        }
    }
    live(actual, &new)
}

fn write(actual: &mut Map<String, Value>, name: &str, value: Option<&Value>) {
    match value {
        Some(value) => actual.insert(name.to_owned(), value.clone()),
        None => actual.remove(name),
    };
}

/// Tags that are there and that neither template knows by their keys.
fn foreign_tags(
    name: &str,
    actual: &Map<String, Value>,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
) -> Vec<Value> {
    let tags = |map: &Map<String, Value>| -> Vec<Value> {
        map.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    if name != TAGS {
        return Vec::new();
    }
    let known: Vec<Value> = [tags(old), tags(new)].concat();
    let mut foreign = tags(actual);
    foreign.retain(|tag| known.iter().all(|other| other["Key"] != tag["Key"]));
    foreign
}

/// Sets the value at a JSON pointer, `None` to remove it. `-` appends to a list. Returns whether
/// there is such a place.
pub(crate) fn set_at(
    properties: &mut Map<String, Value>,
    pointer: &str,
    value: Option<Value>,
) -> bool {
    let Some(path) = pointer.strip_prefix('/').filter(|path| !path.is_empty()) else {
        return false;
    };
    let names: Vec<String> =
        path.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect();
    let mut root = Value::Object(std::mem::take(properties));
    let found = set_below(&mut root, &names, value);
    if let Value::Object(map) = root {
        *properties = map;
    }
    found
}

fn set_below(place: &mut Value, names: &[String], value: Option<Value>) -> bool {
    let Some((name, below)) = names.split_first() else { return false };
    match place {
        Value::Object(map) if below.is_empty() => match value {
            Some(value) => {
                map.insert(name.clone(), value);
                true
            }
            None => map.remove(name).is_some(),
        },
        Value::Object(map) if value.is_some() => {
            let inner = map.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
            set_below(inner, below, value)
        }
        Value::Object(map) => map.get_mut(name).is_some_and(|inner| set_below(inner, below, value)),
        Value::Array(items) => set_in_list(items, name, below, value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn set_in_list(items: &mut Vec<Value>, name: &str, below: &[String], value: Option<Value>) -> bool {
    let index = if name == "-" { Some(items.len()) } else { name.parse::<usize>().ok() };
    let Some(index) = index.filter(|index| *index <= items.len()) else { return false };
    match (items.get_mut(index), value) {
        (Some(item), value) if !below.is_empty() => set_below(item, below, value),
        (Some(item), Some(value)) => {
            *item = value;
            true
        }
        (Some(_), None) => {
            items.remove(index);
            true
        }
        (None, Some(value)) if below.is_empty() => {
            items.push(value);
            true
        }
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pointer_sets_adds_and_removes() {
        let mut map = object(r#"{"A": {"b": [1, {"c": 2}]}}"#);
        assert!(set_at(&mut map, "/A/b/1/c", Some(json!(3))));
        assert!(set_at(&mut map, "/A/b/-", Some(json!("new"))));
        assert!(set_at(&mut map, "/New/deep", Some(json!(true))));
        assert!(set_at(&mut map, "/A/b/0", None));
        let wanted = json!({"A": {"b": [{"c": 3}, "new"]}, "New": {"deep": true}});
        assert_eq!(Value::Object(map.clone()), wanted);
        for (pointer, value) in [
            ("", Some(json!(1))),
            ("/", Some(json!(1))),
            ("A", Some(json!(1))),
            ("/A/b/7", Some(json!(1))),
            ("/A/b/x", Some(json!(1))),
            ("/None", None),
            ("/A/none/deep", None),
        ] {
            assert!(!set_at(&mut map, pointer, value), "{pointer}");
            assert_eq!(Value::Object(map.clone()), wanted, "{pointer}");
        }
    }
}
