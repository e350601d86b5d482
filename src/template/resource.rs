//! Resources of a template, and what differs between those of two templates.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::template::Template;
use crate::template::parameter::scalar_text;

/// One entry of the section `Resources`.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// AWS's `Type`, such as `AWS::DynamoDB::Table`; empty where it is missing.
    pub kind: String,
    /// The whole entry in canonical form.
    pub section: Value,
    /// Logical ids of `DependsOn`, one or a list.
    pub depends_on: Vec<String>,
    /// The name of its condition.
    pub condition: Option<String>,
    /// `DeletionPolicy`: `Delete`, `Retain`, `RetainExceptOnCreate` or `Snapshot`.
    pub deletion_policy: Option<String>,
    /// `UpdateReplacePolicy`: `Delete`, `Retain` or `Snapshot`.
    pub update_replace_policy: Option<String>,
}

impl Resource {
    pub(super) fn of(section: &Value) -> Self {
        let text = |key: &str| section.get(key).and_then(Value::as_str).map(str::to_owned);
        Self {
            kind: text("Type").unwrap_or_default(),
            depends_on: section.get("DependsOn").map(texts).unwrap_or_default(),
            condition: text("Condition"),
            deletion_policy: text("DeletionPolicy"),
            update_replace_policy: text("UpdateReplacePolicy"),
            section: section.clone(),
        }
    }

    /// `Properties`; null where there are none.
    pub fn properties(&self) -> &Value {
        self.section.get("Properties").unwrap_or(&Value::Null)
    }
}

/// One text, or the texts of a list.
pub(super) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(scalar_text).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            scalar_text(value).into_iter().collect()
        }
    }
}

/// What happens to a resource between two templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its entry differs.
    Modified {
        /// JSON pointers below the resource's entry, sorted: the smallest values that differ, or
        /// the whole list where the number of items differs.
        paths: Vec<String>,
    },
}

/// One resource that differs between two templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceChange {
    /// Its logical id.
    pub logical_id: String,
    /// Its type, for `Removed` that of the old template.
    pub kind: String,
    /// What happens.
    pub change: Change,
}

/// The resources that differ, sorted by logical id. A resource whose type changes is another
/// resource: it is removed, then added. What a parameter, mapping or condition makes of an equal
/// entry is not looked into.
pub fn compare(old: &Template, new: &Template) -> Vec<ResourceChange> {
    let ids: BTreeSet<&String> = old.resources().keys().chain(new.resources().keys()).collect();
    ids.into_iter()
        .flat_map(|id| {
            let changes = changes(old.resources().get(id), new.resources().get(id));
            changes.into_iter().map(|(resource, change)| ResourceChange {
                logical_id: id.clone(),
                kind: resource.kind.clone(),
                change,
            })
        })
        .collect()
}

fn changes<'a>(
    old: Option<&'a Resource>,
    new: Option<&'a Resource>,
) -> Vec<(&'a Resource, Change)> {
    match (old, new) {
        (Some(old), Some(new)) if old.kind == new.kind => {
            let mut paths = Vec::new();
            differences(&old.section, &new.section, "", &mut paths);
            paths.sort();
            if paths.is_empty() { Vec::new() } else { vec![(new, Change::Modified { paths })] }
        }
        (old, new) => {
            let removed = old.map(|old| (old, Change::Removed));
            removed.into_iter().chain(new.map(|new| (new, Change::Added))).collect()
        }
    }
}

fn differences(old: &Value, new: &Value, at: &str, paths: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let at = below(at, key);
                match (old.get(key), new.get(key)) {
                    (Some(old), Some(new)) => differences(old, new, &at, paths),
                    (Some(_) | None, _) => paths.push(at),
                }
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                differences(old, new, &below(at, &index.to_string()), paths);
            }
        }
        (old, new) => {
            if old != new {
                paths.push(at.to_owned());
            }
        }
    }
}

/// The JSON pointer to a key or index below another pointer.
pub(super) fn below(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}
