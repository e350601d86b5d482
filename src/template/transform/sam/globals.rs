//! The section `Globals`: what all resources of a kind have unless they say otherwise.

use serde_json::{Map, Value};

/// The section, as it was.
pub(super) struct Globals(Map<String, Value>);

impl Globals {
    /// Takes the section out of a template.
    pub(super) fn taken(template: &mut Value) -> Self {
        let section = template.as_object_mut().and_then(|sections| sections.remove("Globals"));
        match section {
            Some(Value::Object(section)) => Self(section),
            Some(_) | None => Self(Map::new()),
        }
    }

    /// The properties of a resource of this kind.
    pub(super) fn merged(&self, kind: &str, own: Map<String, Value>) -> Map<String, Value> {
        match self.0.get(kind) {
            Some(Value::Object(all)) => maps(all, own),
            Some(_) | None => own,
        }
    }
}

/// Maps are merged, lists come one behind the other, and of all else the own value counts.
fn maps(all: &Map<String, Value>, own: Map<String, Value>) -> Map<String, Value> {
    let mut merged = all.clone();
    for (key, value) in own {
        let value = match (merged.remove(&key), value) {
            (Some(Value::Object(all)), Value::Object(own)) if !is_call(&all) && !is_call(&own) => {
                Value::Object(maps(&all, own))
            }
            (Some(Value::Array(all)), Value::Array(own)) => all.into_iter().chain(own).collect(),
            (_, own) => own,
        };
        merged.insert(key, value);
    }
    merged
}

/// A function is one value.
fn is_call(entries: &Map<String, Value>) -> bool {
    let name = entries.keys().next().filter(|_| entries.len() == 1);
    name.is_some_and(|name| name == "Ref" || name == "Condition" || name.starts_with("Fn::"))
}
