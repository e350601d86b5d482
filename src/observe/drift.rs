//! Look into stacks for drift, call by call: what AWS works on is asked about at a later look.

use crate::aws::{AwsError, TargetApi};
use crate::clock::Clock;
use crate::drift::{Detection, DriftRecord, Ended, Hidden, Part, Unchecked, sift};
use crate::fleet::DriftRules;
use crate::ids::{StackId, StackName};
use crate::observed::{DetectionSeen, DriftStatus, ResourceSeen, Seen};
use crate::plan::NESTED_STACK;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A detection that has not ended by then never will: AWS needs minutes for the largest stacks.
const LONGEST: Duration = Duration::from_secs(2 * 60 * 60);
/// More nested stacks than CloudFormation's 2,500 resources of one operation can hold sensibly.
const MOST_PARTS: usize = 200;
/// Resources of one page.
const PAGE: usize = 100;

/// What looking into a stack needs.
pub struct Looking<'a> {
    /// The calls of its target.
    pub api: &'a TargetApi,
    /// The time.
    pub clock: &'a Clock,
    /// What documents say about it.
    pub rules: DriftRules<'a>,
    /// Which values of the stack itself may not be shown.
    pub hidden: &'a Hidden,
    /// Takes so many calls from what looking may cost; `false` when they are spent.
    pub spend: &'a (dyn Fn(u32) -> bool + Send + Sync),
}

/// How far one stack has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// AWS works on it.
    Runs,
    /// No more calls may be made now.
    NoCalls,
    /// It was seen, as far as AWS could: places of resources that are as they were made.
    Done(BTreeSet<String>),
    /// It was in vain, and is tried again.
    InVain,
}

/// What came of one call.
enum Came {
    On,
    Waits,
    NoCalls,
    /// AWS has worked on it for longer than it ever needs.
    Endless,
}

impl Looking<'_> {
    /// Goes on with the detection of `record` as far as it goes without waiting.
    pub async fn go_on(&self, record: &mut DriftRecord, seen: &Seen) -> Looked {
        let every = self.rules.every();
        loop {
            let now = self.clock.now();
            let Some(detection) = &mut record.detection else { return Looked::InVain };
            if detection.version != seen.version() || seen.status.is_moving() {
                record.overtaken(now);
                return Looked::InVain;
            }
            if detection.parts.is_empty() {
                return Looked::Done(record.finish(now, every));
            }
            match self.one(detection).await {
                Ok(Came::On) => {}
                Ok(Came::Waits) => return Looked::Runs,
                Ok(Came::NoCalls) => return Looked::NoCalls,
                Ok(Came::Endless) => {
                    record.give_up("AWS did not end within two hours", self.clock.now(), every);
                    return Looked::InVain;
                }
                Err(error) => {
                    record.give_up(&error.cause().to_string(), self.clock.now(), every);
                    return Looked::InVain;
                }
            }
        }
    }

    /// The next call about the first stack that is left.
    async fn one(&self, detection: &mut Detection) -> Result<Came, AwsError> {
        let Some(part) = detection.parts.first_mut() else { return Ok(Came::On) };
        if let Some(ended) = part.ended.clone() {
            return self.read(detection, ended).await;
        }
        if !(self.spend)(1) {
            return Ok(Came::NoCalls);
        }
        let Some(id) = part.id.clone() else { return self.begin(detection).await };
        match self.api.drift_detection(&id).await? {
            DetectionSeen::Running => {
                part.polls = part.polls.saturating_add(1);
                return Ok(self.waits_for(part));
            }
            DetectionSeen::Gone => part.id = None,
            DetectionSeen::Complete { drifted } => {
                part.ended = Some(Ended { drifted: drifted > 0, failed: None });
            }
            DetectionSeen::Failed(reason) => {
                part.ended = Some(Ended { drifted: true, failed: Some(reason) });
            }
        }
        Ok(Came::On)
    }

    fn waits_for(&self, part: &Part) -> Came {
        let age = part.begun_at.map(|begun_at| self.clock.now().since(begun_at));
        if age.is_some_and(|age| age > LONGEST) { Came::Endless } else { Came::Waits }
    }

    async fn begin(&self, detection: &mut Detection) -> Result<Came, AwsError> {
        let part = &mut detection.parts[0];
        match self.api.detect_drift(&part.stack).await {
            Ok(id) => {
                (part.id, part.begun_at) = (Some(id), Some(self.clock.now()));
                Ok(Came::Waits)
            }
            // Somebody else looks into it: ours comes after his.
            Err(error) if error.text().contains("already in progress") => {
                part.begun_at.get_or_insert(self.clock.now());
                part.polls = part.polls.saturating_add(1);
                Ok(self.waits_for(part))
            }
            Err(error) if error.does_not_exist() && !part.path.is_empty() => {
                let reason = Some("the nested stack is not there".to_owned());
                let (place, kind) = (part.path.clone(), NESTED_STACK.to_owned());
                detection.unchecked.insert(Unchecked { place, kind, reason });
                detection.trouble.get_or_insert("a nested stack is not there".to_owned());
                detection.parts.remove(0);
                Ok(Came::On)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads what was found about the first stack that is left.
    async fn read(&self, detection: &mut Detection, ended: Ended) -> Result<Came, AwsError> {
        if !(self.spend)(1 + u32::from(ended.drifted)) {
            return Ok(Came::NoCalls);
        }
        let part = detection.parts[0].clone();
        let resources = self.api.resources(&part.stack).await?;
        (self.spend)(u32::try_from(resources.len() / PAGE).unwrap_or(u32::MAX));
        let drifted = match ended.drifted {
            true => self.api.drifted_resources(&part.stack).await?,
            false => Vec::new(),
        };
        let unknown = Hidden::unknown();
        let hidden = if part.path.is_empty() { self.hidden } else { &unknown };
        for drift in &drifted {
            let passed = sift(&self.rules, drift, &part.path, hidden);
            if passed.findings.is_empty() && passed.ignored.iter().all(|one| one.harmless) {
                detection.in_sync.extend(names(&part, &drift.logical_id));
            }
            detection.findings.extend(passed.findings);
            detection.ignored.extend(passed.ignored);
        }
        let told: BTreeSet<&str> = drifted.iter().map(|drift| drift.logical_id.as_str()).collect();
        note(detection, &part, &resources, &told, ended.failed);
        detection.parts.remove(0);
        Ok(Came::On)
    }
}

/// Notes what is as it was made, what nobody can tell, and the stacks nested in this one.
fn note(
    detection: &mut Detection,
    part: &Part,
    resources: &[ResourceSeen],
    told: &BTreeSet<&str>,
    failed: Option<String>,
) {
    let reasons = failed.as_deref().map(reasons).unwrap_or_default();
    let is_there = |resource: &&ResourceSeen| {
        !["DELETE_COMPLETE", "DELETE_SKIPPED"].contains(&resource.status.as_str())
    };
    for resource in resources.iter().filter(is_there) {
        let place = place(part, &resource.logical_id);
        if let Some(id) = resource.physical_id.as_ref().filter(|_| resource.kind == NESTED_STACK) {
            if detection.parts.len() < MOST_PARTS {
                detection.parts.push(Part::new(StackId::of(id), place));
            } else {
                let reason = Some("too many nested stacks".to_owned());
                let kind = resource.kind.clone();
                detection.unchecked.insert(Unchecked { place, kind, reason });
            }
            continue;
        }
        let reason = reasons.get(&resource.logical_id).cloned();
        let unchecked =
            |reason| Unchecked { place: place.clone(), kind: resource.kind.clone(), reason };
        match (&resource.drift, reason) {
            (_, Some(reason)) => drop(detection.unchecked.insert(unchecked(Some(reason)))),
            // When AWS does not say which it could not get, this may be of an earlier time.
            (DriftStatus::InSync, None) if failed.is_some() && reasons.is_empty() => {
                detection.unchecked.insert(unchecked(failed.clone()));
            }
            (DriftStatus::InSync, None) => {
                detection.in_sync.extend(names(part, &resource.logical_id));
            }
            (DriftStatus::NotChecked, None) => {
                // When AWS does not say which it could not get, it may be any that it did not check.
                let reason = failed.clone().filter(|_| reasons.is_empty());
                detection.unchecked.insert(unchecked(reason));
            }
            (DriftStatus::Unknown(word), None) => {
                detection.unchecked.insert(unchecked(Some(format!("AWS says {word}"))));
            }
            (DriftStatus::Modified | DriftStatus::Deleted, None)
                if !told.contains(resource.logical_id.as_str()) =>
            {
                let reason = "AWS says that it drifted, and not how".to_owned();
                detection.unchecked.insert(unchecked(Some(reason)));
            }
            (DriftStatus::Modified | DriftStatus::Deleted, None) => {}
        }
    }
    let unclear = detection.unchecked.iter().find_map(|one| one.reason.clone());
    if let Some(why) = failed.or(unclear) {
        detection.trouble.get_or_insert(summary(&why));
    }
}

/// The place of a resource below the root, and what a rollback that skips it calls it.
fn names(part: &Part, logical_id: &str) -> [String; 2] {
    let name = part.stack.as_str().split(":stack/").nth(1).and_then(|rest| rest.split('/').next());
    let name: Option<StackName> = name.and_then(|name| name.parse().ok());
    let place = place(part, logical_id);
    let skipped = match name.filter(|_| !part.path.is_empty()) {
        Some(name) => format!("{name}.{logical_id}"),
        None => place.clone(),
    };
    [place, skipped]
}

fn place(part: &Part, logical_id: &str) -> String {
    if part.path.is_empty() { logical_id.to_owned() } else { format!("{}/{logical_id}", part.path) }
}

/// Which resources AWS could not get, and why, where it says so.
fn reasons(text: &str) -> BTreeMap<String, String> {
    let whole: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let failures = whole["Failures"].as_array().into_iter().flatten();
    let reason = |failure: &serde_json::Value| {
        let (resource, why) = (failure["Resource"].as_str()?, failure["FailureReason"].as_str()?);
        Some((resource.to_owned(), why.to_owned()))
    };
    failures.filter_map(reason).collect()
}

/// Why not all could be seen, in a line.
fn summary(text: &str) -> String {
    let whole: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    match (whole["Summary"].as_str(), reasons(text).into_values().next()) {
        (Some(summary), Some(why)) => format!("{summary}: {why}"),
        (Some(summary), None) => summary.to_owned(),
        (None, _) => text.to_owned(),
    }
}

/// When a detection that runs is asked about, where somebody waits for it: the largest stacks take
/// minutes, most take seconds.
pub fn asked_again(detection: &Detection, shortest: Duration) -> Duration {
    let polls = detection.parts.first().map_or(0, |part| part.polls);
    (shortest * 3).saturating_mul(1 << polls.min(6)).max(Duration::from_millis(100))
}
