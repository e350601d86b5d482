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

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(old: &str, new: &str) -> Vec<(String, String, Change)> {
        let template = |resources: &str| {
            Template::parse(&format!("Resources: {resources}")).expect("a template")
        };
        compare(&template(old), &template(new))
            .into_iter()
            .map(|change| (change.logical_id, change.kind, change.change))
            .collect()
    }

    fn row(id: &str, kind: &str, change: Change) -> (String, String, Change) {
        (id.to_owned(), kind.to_owned(), change)
    }

    #[test]
    fn added_removed_and_modified_are_told_apart() {
        let old = "{A: {Type: t}, C: {Type: t, Properties: {x/y: 1, l: [1, 2], m: [1]}}}";
        let new = "{B: {Type: t}, C: {Type: t, Properties: {x/y: 2, l: [1, 3], m: [1, 2], n: 1}}}";
        let paths = ["/Properties/l/1", "/Properties/m", "/Properties/n", "/Properties/x~1y"];
        let paths = paths.map(str::to_owned).to_vec();
        assert_eq!(
            changes(old, new),
            [
                row("A", "t", Change::Removed),
                row("B", "t", Change::Added),
                row("C", "t", Change::Modified { paths }),
            ]
        );
    }

    #[test]
    fn another_type_is_another_resource() {
        assert_eq!(
            changes("{A: {Type: table}}", "{A: {Type: queue}}"),
            [row("A", "table", Change::Removed), row("A", "queue", Change::Added)]
        );
    }

    #[test]
    fn short_and_long_forms_do_not_differ() {
        let short = "{A: {Type: t, Properties: {x: !GetAtt B.C.D}}}";
        let long = "{A: {Properties: {x: {'Fn::GetAtt': [B, C.D]}}, Type: t}}";
        assert_eq!(changes(short, long), []);
    }

    #[test]
    fn attributes_of_a_resource_are_read() {
        let text = "Resources: {A: {Type: t, DependsOn: B, Condition: C, DeletionPolicy: Retain, \
                    UpdateReplacePolicy: Snapshot}, B: {Type: t, DependsOn: [C, D]}}";
        let template = Template::parse(text).expect("a template");
        let a = &template.resources()["A"];
        assert_eq!(
            (a.depends_on.as_slice(), a.condition.as_deref()),
            (&["B".to_owned()][..], Some("C"))
        );
        assert_eq!(a.deletion_policy.as_deref(), Some("Retain"));
        assert_eq!(a.update_replace_policy.as_deref(), Some("Snapshot"));
        assert!(a.properties().is_null());
        assert_eq!(template.resources()["B"].depends_on, ["C", "D"]);
    }
}
