//! Drift detections: what they find of the resources of a stack, and what is remembered of it. What
//! one finds is decided when it begins, and shows when it ends.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::moment::Moment;
use crate::sim::comparison::{Difference, differences};
use crate::sim::drift_faults::{DriftTrouble, Shown};
use crate::sim::family::NESTED_STACK;
use crate::sim::reality::{object, set_at};
use crate::sim::resources::is_write_only;
use crate::sim::secrets::{MASK, Secrets};
use crate::sim::state::{Definition, Resource, Stack};

/// How many detections of a stack are remembered; AWS says only that it may vary.
const DETECTIONS_KEPT: usize = 3;

/// What drift detections found of a stack.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Drift {
    /// Oldest first.
    pub(crate) detections: VecDeque<Detection>,
    /// By logical id; what a detection of the whole stack found in sync is not among them.
    pub(crate) findings: BTreeMap<String, Finding>,
    /// When the last detection of the whole stack began, of those that ended.
    pub(crate) whole_at: Option<Moment>,
    /// How the stack stands as a whole, and since when.
    pub(crate) verdict: Option<(Verdict, Moment)>,
}

/// How a stack stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    InSync,
    Drifted,
    Unknown,
}

impl Verdict {
    /// AWS's word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::InSync => "IN_SYNC",
            Self::Drifted => "DRIFTED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// One detection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Detection {
    pub(crate) id: String,
    pub(crate) started_at: Moment,
    /// `None`: never.
    pub(crate) ends_at: Option<Moment>,
    pub(crate) ended: bool,
    /// Whether it is of all resources.
    pub(crate) whole: bool,
    pub(crate) verdict: Verdict,
    pub(crate) drifted: usize,
    /// Why it fails.
    pub(crate) failure: Option<String>,
    /// By logical id, until it ends.
    pub(crate) findings: BTreeMap<String, Finding>,
}

/// What was found of one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Finding {
    pub(crate) at: Moment,
    pub(crate) found: Found,
}

/// What can be found of a resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Found {
    InSync,
    Modified(Box<Modified>),
    Deleted,
    /// It could not be read, for this reason.
    Unknown(String),
}

static IN_SYNC: Found = Found::InSync;

/// How a resource was modified, as it may be shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Modified {
    /// Properties as JSON.
    pub(crate) expected: String,
    pub(crate) actual: String,
    pub(crate) differences: Vec<PropertyDifference>,
}

/// One property that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PropertyDifference {
    pub(crate) path: String,
    pub(crate) expected: String,
    pub(crate) actual: String,
    /// `ADD`, `REMOVE` or `NOT_EQUAL`.
    pub(crate) word: String,
}

impl Found {
    /// AWS's word.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::InSync => "IN_SYNC",
            Self::Modified(_) => "MODIFIED",
            Self::Deleted => "DELETED",
            Self::Unknown(_) => "UNKNOWN",
        }
    }

    fn is_drift(&self) -> bool {
        matches!(self, Self::Modified(_) | Self::Deleted)
    }
}

impl Stack {
    /// What was found of a resource since it was last changed, and when.
    pub(crate) fn found(&self, logical_id: &str, resource: &Resource) -> Option<(Moment, &Found)> {
        let drift = self.drift.as_ref()?;
        let is_fresh = |at: Moment| at >= resource.changed_at;
        if let Some(finding) = drift.findings.get(logical_id) {
            return is_fresh(finding.at).then_some((finding.at, &finding.found));
        }
        let at = drift.whole_at.filter(|at| is_fresh(*at) && resource.is_checked())?;
        Some((at, &IN_SYNC))
    }

    /// Whether a detection runs.
    pub(crate) fn is_being_examined(&self) -> bool {
        let detections = self.drift.iter().flat_map(|drift| &drift.detections);
        detections.into_iter().any(|detection| !detection.ended)
    }

    /// Begins a detection.
    pub(crate) fn begin_detection(&mut self, detection: Detection) {
        let drift = self.drift.get_or_insert_default();
        drift.detections.push_back(detection);
        if drift.detections.len() > DETECTIONS_KEPT {
            drift.detections.pop_front();
        }
    }

    /// Ends the detections that have come to their end; says whether there were any.
    pub(crate) fn end_detections(&mut self, now: Moment) -> bool {
        let Some(drift) = &mut self.drift else { return false };
        let Drift { detections, findings, whole_at, verdict } = &mut **drift;
        let mut changed = false;
        for one in detections.iter_mut().filter(|one| !one.ended) {
            let Some(at) = one.ends_at.filter(|at| *at <= now) else { continue };
            changed = true;
            one.ended = true;
            if one.whole {
                findings.clear();
                *whole_at = Some(one.started_at);
            }
            findings.append(&mut one.findings);
            // An update that began meanwhile has made it a matter of the past.
            if self.updated_at.is_none_or(|updated| updated <= one.started_at) {
                let drifted = findings.values().any(|finding| finding.found.is_drift());
                *verdict = Some((if drifted { Verdict::Drifted } else { one.verdict }, at));
            }
        }
        changed
    }

    /// Remembers what was found of one resource alone.
    pub(crate) fn note_finding(&mut self, logical_id: &str, finding: Finding) {
        let drift = self.drift.get_or_insert_default();
        if finding.found.is_drift() {
            drift.verdict = Some((Verdict::Drifted, finding.at));
        }
        drift.findings.insert(logical_id.to_owned(), finding);
    }

    /// What was found is no longer so: an update begins.
    pub(crate) fn forget_verdict(&mut self) {
        if let Some(drift) = &mut self.drift {
            drift.verdict = None;
        }
    }

    /// The same for one resource, which is changed.
    pub(crate) fn forget_finding(&mut self, logical_id: &str) {
        if let Some(drift) = &mut self.drift {
            drift.findings.remove(logical_id);
        }
    }
}

/// How detections see the resources of one stack.
#[derive(Debug)]
pub(crate) struct Lens {
    secrets: Secrets,
    troubles: Vec<DriftTrouble>,
}

impl Lens {
    pub(crate) fn of(definition: &Definition, troubles: Vec<DriftTrouble>) -> Self {
        Self { secrets: Secrets::of([definition]), troubles }
    }

    /// Whether a detection with it never ends.
    pub(crate) fn is_endless(&self) -> bool {
        self.troubles.contains(&DriftTrouble::Endless)
    }

    /// What a detection will find of a stack's resources that it may read.
    pub(crate) fn detection(
        &self,
        id: String,
        stack: &Stack,
        wanted: &[String],
        (started_at, ends_at): (Moment, Option<Moment>),
    ) -> Detection {
        let whole = wanted.is_empty();
        let mut findings = BTreeMap::new();
        for (logical_id, resource) in &stack.resources {
            if resource.is_checked() && (whole || wanted.contains(logical_id)) {
                let found = self.find(logical_id, resource);
                if !whole || found != Found::InSync {
                    findings.insert(logical_id.clone(), Finding { at: started_at, found });
                }
            }
        }
        let drifted = findings.values().filter(|finding| finding.found.is_drift()).count();
        let failure = failure_of(&findings);
        let verdict = match (drifted, &failure) {
            (1.., _) => Verdict::Drifted,
            (0, Some(_)) => Verdict::Unknown,
            (0, None) => Verdict::InSync,
        };
        let ended = false;
        Detection { id, started_at, ends_at, ended, whole, verdict, drifted, failure, findings }
    }

    /// What is found of one resource.
    pub(crate) fn find(&self, logical_id: &str, resource: &Resource) -> Found {
        for trouble in &self.troubles {
            if let DriftTrouble::Unreadable { logical_ids, text } = trouble
                && (logical_ids.is_empty() || logical_ids.contains(logical_id))
            {
                return Found::Unknown(text.clone());
            }
        }
        let Some(actual) = resource.actual() else { return Found::Deleted };
        let misread = self.misread(&resource.kind);
        // What is inside a nested stack shows in that stack alone.
        if &*resource.kind == NESTED_STACK || (resource.live.is_none() && misread.is_empty()) {
            return Found::InSync;
        }
        let expected = object(&resource.properties);
        let mut actual = readable(&resource.kind, object(actual));
        let mut found = differences(&expected, &actual);
        found.retain(|one| !is_write_only(&resource.kind, one.property()));
        for (path, shown) in misread {
            misreport(&expected, &mut actual, &mut found, path, shown);
        }
        if found.is_empty() {
            return Found::InSync;
        }
        Found::Modified(Box::new(Modified {
            expected: self.secrets.json(&expected, &expected),
            actual: self.secrets.json(&actual, &expected),
            differences: found.iter().map(|one| self.shown(one)).collect(),
        }))
    }

    /// Expected and actual properties of a resource in sync.
    pub(crate) fn in_sync(&self, resource: &Resource) -> (String, String) {
        let expected = object(&resource.properties);
        let actual = readable(&resource.kind, expected.clone());
        (self.secrets.json(&expected, &expected), self.secrets.json(&actual, &expected))
    }

    fn misread(&self, kind_name: &str) -> Vec<(&str, &Shown)> {
        let mut misread = Vec::new();
        for trouble in &self.troubles {
            if let DriftTrouble::Misread { kind, path, shown } = trouble
                && kind == kind_name
            {
                misread.push((path.as_str(), shown));
            }
        }
        misread
    }

    fn shown(&self, difference: &Difference) -> PropertyDifference {
        let Difference { path, expected, actual } = difference;
        let is_secret = expected.as_ref().is_some_and(|value| self.secrets.hides(value));
        let actual = match actual {
            Some(_) if is_secret => MASK.to_owned(),
            actual => self.secrets.shown(actual.as_ref()),
        };
        let expected = self.secrets.shown(expected.as_ref());
        PropertyDifference { path: path.clone(), expected, actual, word: difference.word().into() }
    }
}

/// What a reader gets back of the properties.
fn readable(kind: &str, mut properties: Map<String, Value>) -> Map<String, Value> {
    properties.retain(|name, _| !is_write_only(kind, name));
    properties
}

/// AWS's reason for a detection that fails.
fn failure_of(findings: &BTreeMap<String, Finding>) -> Option<String> {
    let failed = findings.iter().filter_map(|(logical_id, finding)| match &finding.found {
        Found::Unknown(text) => Some((logical_id.as_str(), text.as_str())),
        Found::InSync | Found::Modified(_) | Found::Deleted => None,
    });
    let failed: Vec<(&str, &str)> = failed.collect();
    if failed.is_empty() {
        return None;
    }
    let names: Vec<&str> = failed.iter().map(|(logical_id, _)| *logical_id).collect();
    let failures = failed.iter().map(|(logical_id, text)| {
        let (logical_id, text) = (Value::from(*logical_id), Value::from(*text));
        format!("{{\"Resource\":{logical_id},\"FailureReason\":{text}}}")
    });
    let failures: Vec<String> = failures.collect();
    Some(format!(
        "{{\"Summary\":\"Failed to detect drift on resources [{}]\",\"Failures\":[{}]}}",
        names.join(", "),
        failures.join(",")
    ))
}

/// Makes a property look as it is not.
fn misreport(
    expected: &Map<String, Value>,
    actual: &mut Map<String, Value>,
    found: &mut Vec<Difference>,
    path: &str,
    shown: &Shown,
) {
    let wanted = Value::Object(expected.clone()).pointer(path).cloned();
    let seen = match (shown, &wanted) {
        (Shown::Reordered, Some(value @ (Value::Array(_) | Value::Object(_)))) => {
            Some(reordered(value))
        }
        (Shown::Retyped, Some(value)) => Some(retyped(value)),
        (Shown::Missing, Some(_)) => None,
        (Shown::Value(json), _) => serde_json::from_str(json).ok(),
        (Shown::Reordered | Shown::Retyped | Shown::Missing, _) => return,
    };
    set_at(actual, path, seen.clone());
    if seen != wanted {
        found.retain(|one| one.path != path && !one.path.starts_with(&format!("{path}/")));
        found.push(Difference { path: path.to_owned(), expected: wanted, actual: seen });
    }
}

fn reordered(value: &Value) -> Value {
    let other = reversed(value);
    if other == *value { Value::String(value.to_string()) } else { other }
}

fn reversed(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().rev().map(reversed).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(name, one)| (name.clone(), reversed(one))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn retyped(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::String(number.to_string()),
        Value::Bool(flag) => Value::String(flag.to_string()),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(other @ (Value::Number(_) | Value::Bool(_))) => other,
            Ok(_) | Err(_) => value.clone(),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => value.clone(),
    }
}
