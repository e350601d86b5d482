//! The same drift in many accounts as one line.

use std::collections::{BTreeMap, BTreeSet};

use crate::drift::{DriftRecord, Finding, Severity, What, severity};
use crate::ids::{ServiceName, StackKey, TenantName};
use crate::moment::Moment;

/// The same drift, wherever it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The service; `None` where it is not known.
    pub service: Option<ServiceName>,
    /// The resource: `Queue` or `Child/Queue`; empty for the stack as a whole.
    pub place: String,
    /// Its type.
    pub kind: String,
    /// What is the same everywhere; with values where these are the same too.
    pub what: String,
    /// How bad it is.
    pub severity: Severity,
    /// When the first of them was found.
    pub since: Moment,
    /// Where: stacks in order, each with its tenant.
    pub stacks: Vec<(StackKey, Option<TenantName>)>,
    /// Why it is not reverted, or is said only, in as many words as there are reasons.
    pub notes: BTreeSet<String>,
}

impl Signature {
    /// What stays the same while the signature is there, in any process.
    pub fn key(&self) -> String {
        let service = self.service.as_ref().map_or("?", |service| service.as_str());
        format!("{service} {} {}", self.kind, self.what_without_values())
    }

    fn what_without_values(&self) -> String {
        let what = self.what.split(':').next().unwrap_or_default();
        format!("{} {what}", self.place)
    }

    /// `Function MemorySize changed: 512, now 1024`
    pub fn line(&self) -> String {
        match self.place.as_str() {
            "" => self.what.clone(),
            place => format!("{place} ({}) {}", self.kind, self.what),
        }
    }
}

type Group<'a> = Vec<(&'a DriftRecord, Option<&'a Finding>)>;

/// All drift of these records, the worst first, then what is found most often.
pub fn signatures<'a>(records: impl Iterator<Item = &'a DriftRecord>) -> Vec<Signature> {
    let mut groups: BTreeMap<(Option<&ServiceName>, String, &str), Group<'a>> = BTreeMap::new();
    for record in records {
        for finding in &record.findings {
            let key = (record.service.as_ref(), finding.subject(), finding.kind.as_str());
            groups.entry(key).or_default().push((record, Some(finding)));
        }
        if record.foreign_at.is_some() {
            let key = (record.service.as_ref(), String::new(), "");
            groups.entry(key).or_default().push((record, None));
        }
    }
    let mut found: Vec<Signature> = groups.into_values().filter_map(signature).collect();
    found.sort_by(|one, other| {
        let order = |one: &Signature| (one.severity, one.stacks.len());
        order(other).cmp(&order(one)).then_with(|| one.key().cmp(&other.key()))
    });
    found
}

fn signature(group: Group<'_>) -> Option<Signature> {
    let (first, finding) = group.first()?;
    let service = first.service.clone();
    let stacks = group.iter().map(|(record, _)| (record.key.clone(), record.tenant.clone()));
    let stacks: Vec<(StackKey, Option<TenantName>)> = stacks.collect();
    let Some(finding) = finding else {
        return Some(Signature {
            service,
            place: String::new(),
            kind: String::new(),
            what: "the stack was updated by somebody else".to_owned(),
            severity: Severity::Behaviour,
            since: group.iter().filter_map(|(record, _)| record.foreign_at).min()?,
            stacks,
            notes: BTreeSet::new(),
        });
    };
    let subject = finding.subject();
    let since = group.iter().filter_map(|(record, _)| record.since.get(&subject)).min();
    let notes = group.iter().filter_map(|(record, one)| record.note(&(*one)?.subject())).collect();
    Some(Signature {
        service,
        place: finding.place(),
        kind: finding.kind.clone(),
        what: common(&group, finding),
        severity: severity(finding),
        since: since.copied().unwrap_or_default(),
        stacks,
        notes,
    })
}

/// What all of them say: with values only if these are the same everywhere.
fn common(group: &Group<'_>, finding: &Finding) -> String {
    let whole = finding.what.to_string();
    let same = group
        .iter()
        .all(|(_, other)| other.is_some_and(|other| values(&other.what) == values(&finding.what)));
    match (&finding.what, finding.property()) {
        (What::Property { path, .. }, Some(property)) => {
            let whole = whole.replacen(path.as_str(), &property, 1);
            if same { whole } else { whole.split(':').next().unwrap_or_default().to_owned() }
        }
        (What::Property { .. }, None) | (What::Deleted, _) => whole,
    }
}

fn values(what: &What) -> Option<(&Option<String>, &Option<String>)> {
    if let What::Property { expected, actual, .. } = what { Some((expected, actual)) } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::observed::Direction;

    fn record(account: u64, findings: Vec<Finding>) -> DriftRecord {
        let key = format!("{account:012}/eu-central-1/scan-api").parse().expect("a key");
        let mut record = DriftRecord::due(&key, Moment::default());
        record.service = Some("scan-api".parse().expect("a name"));
        record.since = findings.iter().map(|one| (one.subject(), Moment::default())).collect();
        record.findings = findings;
        record
    }

    fn memory(actual: &str) -> Finding {
        Finding {
            within: String::new(),
            logical_id: "Function".to_owned(),
            kind: "AWS::Lambda::Function".to_owned(),
            physical_id: None,
            what: What::Property {
                path: "/MemorySize".to_owned(),
                direction: Direction::Changed,
                expected: Some("512".to_owned()),
                actual: Some(actual.to_owned()),
            },
        }
    }

    fn deleted(kind: &str) -> Finding {
        Finding { kind: kind.to_owned(), what: What::Deleted, ..memory("") }
    }

    #[test]
    fn the_same_drift_in_many_accounts_is_one_line() {
        let all = [record(1, vec![memory("1024")]), record(2, vec![memory("1024")])];
        let found = signatures(all.iter());
        let lines: Vec<String> = found.iter().map(Signature::line).collect();
        assert_eq!(lines, ["Function (AWS::Lambda::Function) /MemorySize changed: 512, now 1024"]);
        assert_eq!(found[0].stacks.len(), 2);
        let all = [record(1, vec![memory("1024")]), record(2, vec![memory("2048")])];
        let mixed = signatures(all.iter());
        assert_eq!(mixed[0].what, "/MemorySize changed");
        assert_eq!(mixed[0].key(), found[0].key());
    }

    #[test]
    fn the_worst_comes_first_and_then_what_is_found_most_often() {
        let all = [
            record(1, vec![memory("1"), deleted("AWS::SQS::Queue"), deleted("AWS::Events::Rule")]),
            record(2, vec![memory("1"), deleted("AWS::IAM::Role")]),
        ];
        let order: Vec<(Severity, usize)> = signatures(all.iter())
            .iter()
            .map(|found| (found.severity, found.stacks.len()))
            .collect();
        assert_eq!(
            order,
            [
                (Severity::Security, 1),
                (Severity::DataLoss, 1),
                (Severity::Behaviour, 2),
                (Severity::Behaviour, 1),
            ]
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_counted_twice(found in prop::collection::vec(0_usize..4, 0..40)) {
            let kinds = ["AWS::SQS::Queue", "AWS::IAM::Role", "AWS::Events::Rule", "AWS::SNS::Topic"];
            let records: Vec<DriftRecord> = found
                .iter()
                .enumerate()
                .map(|(account, kind)| record(account as u64 + 1, vec![deleted(kinds[*kind])]))
                .collect();
            let all = signatures(records.iter());
            prop_assert_eq!(all.iter().map(|one| one.stacks.len()).sum::<usize>(), records.len());
            prop_assert!(all.windows(2).all(|pair| pair[0].severity >= pair[1].severity));
        }
    }
}
