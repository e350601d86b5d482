//! The nested stacks of one stack, as far as the journal knows them: what its release nests, and what
//! failed, drifted or waits there.

use schemars::JsonSchema;
use serde::Serialize;

use crate::drift::DriftRecord;
use crate::fleet::Protection;
use crate::package::{Package, is_nested};
use crate::plan::StackRecord;
use crate::plan::preview::words;
use crate::report::counted;

/// One nested stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NestedStack {
    /// Its logical id behind those of the nested stacks that it is in: `Storage/Work`.
    pub path: String,
    /// How many resources its template declares, without stacks that are nested in it.
    pub resources: usize,
    /// Its resources of types that keep data, with their types.
    pub keeps: Vec<String>,
    /// What failed, drifted or waits in it, a sentence each.
    pub notes: Vec<String>,
}

impl NestedStack {
    /// All of a stack whose release is this package, each before those nested in it.
    pub fn all_of(
        package: &Package,
        record: &StackRecord,
        drift: Option<&DriftRecord>,
    ) -> Vec<Self> {
        let protection = Protection::default();
        let mut all: Vec<Self> = package
            .all()
            .into_iter()
            .filter(|(way, _)| !way.is_empty())
            .map(|(way, package)| {
                let path = way.join("/");
                let made = package.template.processed_by_default();
                let resources = made.template().resources();
                let keeps = resources.iter().filter(|(_, one)| protection.covers(&one.kind));
                Self {
                    resources: resources.values().filter(|one| !is_nested(&one.kind)).count(),
                    keeps: keeps.map(|(name, one)| format!("{name} ({})", one.kind)).collect(),
                    notes: notes(&path, record, drift),
                    path,
                }
            })
            .collect();
        all.sort_by(|one, other| one.path.split('/').cmp(other.path.split('/')));
        all
    }

    /// `  Work: 1 resource; keeps Jobs (AWS::SQS::Queue)`, indented by its depth, then its notes.
    pub fn lines(&self) -> String {
        let (within, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let depth = if within.is_empty() { 0 } else { within.split('/').count() };
        let indent = "  ".repeat(depth);
        let keeps = match self.keeps.as_slice() {
            [] => String::new(),
            keeps => format!("; keeps {}", keeps.join(", ")),
        };
        let resources = counted(self.resources, "resource");
        let mut text = format!("{indent}{name}: {resources}{keeps}");
        for note in &self.notes {
            text.push_str(&format!("\n{indent}  ! {note}"));
        }
        text
    }
}

fn notes(path: &str, record: &StackRecord, drift: Option<&DriftRecord>) -> Vec<String> {
    let failure = record.memory.failure.as_ref().map(|failure| &failure.cause);
    let failed = failure.filter(|cause| {
        let resource = cause.resource.as_ref().and_then(|(place, _)| place.rsplit_once('/'));
        resource.is_some_and(|(within, _)| within == path)
    });
    let failed = failed.map(|cause| format!("failed: {cause}"));
    let set = record.memory.change_set.as_ref().and_then(|set| set.inside.as_ref());
    let changes = set.map(|inside| {
        let here = inside.changes.iter().filter(|change| change.within == path);
        words(&here.cloned().collect::<Vec<_>>())
    });
    let changes = changes.unwrap_or_default().into_iter().map(|what| format!("prepared: {what}"));
    let is_hidden = set.is_some_and(|inside| inside.unseen.contains(path));
    let hidden = is_hidden.then(|| "what is prepared in it cannot be seen".to_owned());
    let drifted = drift.into_iter().flat_map(|drift| &drift.findings);
    let drifted = drifted
        .filter(|finding| finding.within == path)
        .map(|finding| format!("drifted: {} ({})", finding.logical_id, finding.kind));
    failed.into_iter().chain(hidden).chain(changes).chain(drifted).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::ids::Digest;
    use crate::observed::{ChangeAction, ChangesInside, PlannedChange, Replacement};
    use crate::outcome::OwnChangeSet;
    use crate::plan::Weight;
    use crate::report::sample::record;
    use crate::template::Template;

    fn package(text: &str, nested: &[(&str, Package)]) -> Package {
        let mut package = Package::plain(Arc::new(Template::parse(text).expect("a template")));
        let nested = nested.iter().map(|(name, one)| ((*name).to_owned(), Arc::new(one.clone())));
        package.nested = nested.collect();
        package
    }

    #[test]
    fn nested_stacks_are_a_tree_with_what_they_keep_and_what_waits_in_them() {
        let stack = "Type: AWS::CloudFormation::Stack";
        let work = package("Resources:\n  Jobs: { Type: AWS::SQS::Queue }\n", &[]);
        let table =
            format!("Resources:\n  T: {{ Type: AWS::DynamoDB::Table }}\n  W: {{ {stack} }}\n");
        let storage = package(&table, &[("W", work)]);
        let net = package("Resources:\n  N: { Type: AWS::SNS::Topic }\n", &[]);
        let root = format!("Resources:\n  S: {{ {stack} }}\n  A: {{ {stack} }}\n");
        let root = package(&root, &[("S", storage), ("A", net)]);
        let mut record = record("acme", "scan-api", Weight::Stuck, "protected", "held");
        let version = record.seen.as_ref().expect("it is there").version();
        let change = PlannedChange {
            within: "S".to_owned(),
            logical_id: "T".to_owned(),
            physical_id: None,
            kind: "AWS::DynamoDB::Table".to_owned(),
            action: ChangeAction::Modify,
            replacement: Replacement::Always,
            touches: BTreeSet::from(["TableName".to_owned()]),
            only_tags: false,
        };
        record.memory.change_set = Some(OwnChangeSet {
            name: "driftless-0123".to_owned(),
            version,
            digest: Digest::of(b"wanted"),
            pays: BTreeSet::new(),
            reverts: false,
            subjects: Vec::new(),
            inside: Some(ChangesInside {
                changes: vec![change],
                unseen: BTreeSet::from(["S/W".to_owned()]),
            }),
        });
        let all = NestedStack::all_of(&root, &record, None);
        let text: Vec<String> = all.iter().map(NestedStack::lines).collect();
        assert_eq!(
            text.join("\n"),
            "A: 1 resource\n\
             S: 1 resource; keeps T (AWS::DynamoDB::Table)\n  \
             ! prepared: replace S/T (AWS::DynamoDB::Table): TableName\n  \
             W: 1 resource; keeps Jobs (AWS::SQS::Queue)\n    \
             ! what is prepared in it cannot be seen"
        );
    }
}
