//! What is known of the drift of one stack: the last detection, what runs now, and what was reverted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::drift::{Finding, due, is_ignored};
use crate::fleet::DriftRules;
use crate::ids::{ServiceName, StackId, StackKey, TenantName};
use crate::moment::Moment;
use crate::observed::StackVersion;

/// What came back so many times within [`FIGHT_WINDOW`] after it was reverted is somebody's will.
const FIGHT_ROUNDS: usize = 3;
/// A week: whatever fights, such as a nightly job, does it within a few days.
const FIGHT_WINDOW: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What is known of the drift of one stack. Losing it costs calls and time, never a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftRecord {
    /// Where it stands and what it is called.
    pub key: StackKey,
    /// Whose it is.
    pub tenant: Option<TenantName>,
    /// What it is.
    pub service: Option<ServiceName>,
    /// When it is looked into next.
    pub due_at: Moment,
    /// The version that the findings are of.
    pub version: Option<StackVersion>,
    /// When they were found.
    pub checked_at: Option<Moment>,
    /// Whether somebody waits for it: what was touched, reverted or is not known any more.
    #[serde(default)]
    pub hurries: bool,
    /// How many detections in a row did not see all.
    #[serde(default)]
    pub failed: u32,
    /// Why the last one did not.
    #[serde(default)]
    pub trouble: Option<String>,
    /// What runs now.
    #[serde(default)]
    pub detection: Option<Detection>,
    /// What is not as it was made.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// What does not count, and why.
    #[serde(default)]
    pub ignored: Vec<Ignored>,
    /// What nobody can tell.
    #[serde(default)]
    pub unchecked: BTreeSet<Unchecked>,
    /// When each finding was first found, by its subject.
    #[serde(default)]
    pub since: BTreeMap<String, Moment>,
    /// When somebody else was seen to have updated the stack; until it is looked into again.
    #[serde(default)]
    pub foreign_at: Option<Moment>,
    /// What became of reverting, by the subject of the finding.
    #[serde(default)]
    pub reverted: BTreeMap<String, Reverted>,
}

/// A detection that runs, through the stack and those nested in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detection {
    /// The version that it is of.
    pub version: StackVersion,
    /// When it began.
    pub begun_at: Moment,
    /// The stacks that are still to be looked into, the first one now.
    pub parts: Vec<Part>,
    /// What was found so far.
    pub findings: Vec<Finding>,
    /// What does not count, so far.
    pub ignored: Vec<Ignored>,
    /// What could not be looked into, so far.
    pub unchecked: BTreeSet<Unchecked>,
    /// Places of resources that are as they were made.
    pub in_sync: BTreeSet<String>,
    /// Why not all could be seen.
    pub trouble: Option<String>,
}

/// One stack of a detection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its ARN.
    pub stack: StackId,
    /// Its path below the root: `Child/Inner`; empty for the root.
    pub path: String,
    /// The detection's id, once it has begun.
    pub id: Option<String>,
    /// When AWS began.
    pub begun_at: Option<Moment>,
    /// How many times it was asked about.
    pub polls: u32,
    /// How it ended, when it has.
    #[serde(default)]
    pub ended: Option<Ended>,
}

/// How a detection of one stack ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Whether there is drift to be read.
    pub drifted: bool,
    /// Why not all could be seen.
    pub failed: Option<String>,
}

impl Part {
    /// A stack at its path, of which AWS was not asked anything yet.
    pub fn new(stack: StackId, path: String) -> Self {
        Self { stack, path, id: None, begun_at: None, polls: 0, ended: None }
    }
}

/// A difference that does not count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ignored {
    /// See [`Finding::subject`].
    pub subject: String,
    /// Why.
    pub reason: String,
    /// Whether it means the same as what the template says, so that nothing is lost when it is written
    /// anew.
    #[serde(default)]
    pub harmless: bool,
}

/// A resource of which nobody can tell how it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unchecked {
    /// The resource within the stack.
    pub place: String,
    /// Its type.
    pub kind: String,
    /// Why; `None` where drift detection does not know the type.
    pub reason: Option<String>,
}

/// What became of reverting one finding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reverted {
    /// When it was reverted, the last times.
    pub times: Vec<Moment>,
    /// Why it is not tried again: it was in vain.
    pub in_vain: Option<String>,
}

impl DriftRecord {
    /// A stack that nobody looked into yet and that is due at this time.
    pub fn due(key: &StackKey, due_at: Moment) -> Self {
        Self {
            key: key.clone(),
            tenant: None,
            service: None,
            due_at,
            version: None,
            checked_at: None,
            hurries: false,
            failed: 0,
            trouble: None,
            detection: None,
            findings: Vec::new(),
            ignored: Vec::new(),
            unchecked: BTreeSet::new(),
            since: BTreeMap::new(),
            foreign_at: None,
            reverted: BTreeMap::new(),
        }
    }

    /// A stack that nobody looked into yet and that is looked into once in `every`.
    pub fn new(key: &StackKey, now: Moment, every: Duration) -> Self {
        Self::due(key, due::first(key, now, every))
    }

    /// Whether anything is to be said of it.
    pub fn says_something(&self) -> bool {
        !self.findings.is_empty() || self.foreign_at.is_some()
    }

    /// What documents say today is no drift counts no more, whenever it was found.
    pub fn heed(&mut self, rules: &DriftRules<'_>) {
        let ignored = &mut self.ignored;
        self.findings.retain(|finding| match is_ignored(rules, finding) {
            Some(reason) => {
                let subject = finding.subject();
                ignored.push(Ignored { subject, reason, harmless: false });
                false
            }
            None => true,
        });
    }

    /// Somebody else updated the stack.
    pub fn was_changed(&mut self, now: Moment) {
        self.foreign_at.get_or_insert(now);
        self.is_wanted(now + due::AFTER_CHANGE);
    }

    /// It is looked into at this time at the latest.
    pub fn is_wanted(&mut self, at: Moment) {
        self.due_at = self.due_at.min(at);
        self.hurries = true;
    }

    /// A detection begins.
    pub fn begin(&mut self, stack: &StackId, version: StackVersion, now: Moment) {
        let root = Part::new(stack.clone(), String::new());
        self.detection = Some(Detection {
            version,
            begun_at: now,
            parts: vec![root],
            findings: Vec::new(),
            ignored: Vec::new(),
            unchecked: BTreeSet::new(),
            in_sync: BTreeSet::new(),
            trouble: None,
        });
    }

    /// The detection that runs is of no use: the stack is another, or AWS does not answer.
    pub fn give_up(&mut self, why: &str, now: Moment, every: Duration) {
        (self.detection, self.hurries) = (None, false);
        self.failed = self.failed.saturating_add(1);
        self.trouble = Some(why.to_owned());
        self.due_at = due::retry(now, self.failed, every);
    }

    /// The stack moved while the detection ran: nobody's fault, and looked into again.
    pub fn overtaken(&mut self, now: Moment) {
        self.detection = None;
        self.is_wanted(now + due::AFTER_CHANGE);
    }

    /// The detection that runs has seen what it can. Says what of it is as it was made.
    pub fn finish(&mut self, now: Moment, every: Duration) -> BTreeSet<String> {
        let Some(detection) = self.detection.take() else { return BTreeSet::new() };
        let Detection { version, findings, ignored, unchecked, in_sync, trouble, .. } = detection;
        let earlier = std::mem::take(&mut self.findings);
        // What could not be seen this time is as it was seen last.
        let unseen = |finding: &Finding| {
            let place = finding.place();
            unchecked.iter().any(|one| one.place == place && one.reason.is_some())
        };
        self.findings = findings;
        self.findings.extend(earlier.into_iter().filter(unseen));
        self.findings.sort();
        self.findings.dedup();
        let subjects: BTreeSet<String> = self.findings.iter().map(Finding::subject).collect();
        self.since.retain(|subject, _| subjects.contains(subject));
        for subject in &subjects {
            self.since.entry(subject.clone()).or_insert(now);
        }
        let unseen: BTreeSet<&str> = unchecked
            .iter()
            .filter(|one| one.reason.is_some())
            .map(|one| one.place.as_str())
            .collect();
        self.judge_reverts(&subjects, &unseen, now);
        (self.ignored, self.unchecked) = (ignored, unchecked);
        (self.version, self.checked_at, self.foreign_at) = (Some(version), Some(now), None);
        self.hurries = false;
        match trouble {
            Some(why) => {
                self.failed = self.failed.saturating_add(1);
                self.trouble = Some(why);
                self.due_at = due::retry(now, self.failed, every);
            }
            None => {
                (self.failed, self.trouble) = (0, None);
                self.due_at = due::next(&self.key, now, every);
            }
        }
        in_sync
    }

    /// What was reverted since the last detection and is there still was reverted in vain.
    fn judge_reverts(&mut self, subjects: &BTreeSet<String>, unseen: &BTreeSet<&str>, now: Moment) {
        let checked_at = self.checked_at;
        for (subject, reverted) in &mut self.reverted {
            // What nobody could look at says nothing.
            if unseen.contains(subject.split(' ').next().unwrap_or_default()) {
                continue;
            }
            let is_new = reverted.times.last().is_some_and(|at| Some(*at) > checked_at);
            if is_new && subjects.contains(subject) {
                let text = "CloudFormation reverted it, and it is there again at once";
                reverted.in_vain.get_or_insert_with(|| text.to_owned());
            }
            if !subjects.contains(subject) {
                reverted.in_vain = None;
            }
            reverted.times.retain(|at| now.since(*at) < FIGHT_WINDOW);
        }
        let keeps = |reverted: &Reverted| !reverted.times.is_empty() || reverted.in_vain.is_some();
        self.reverted.retain(|_, reverted| keeps(reverted));
    }

    /// These findings were reverted, as far as the stack shows.
    pub fn reverts<'a>(&mut self, subjects: impl Iterator<Item = &'a str>, now: Moment) {
        for subject in subjects {
            self.reverted.entry(subject.to_owned()).or_default().times.push(now);
        }
        self.is_wanted(now);
    }

    /// Reverting these findings leads nowhere.
    pub fn cannot_revert<'a>(&mut self, subjects: impl Iterator<Item = &'a str>, why: &str) {
        // What is gone by now may come back as something else, and is tried then.
        let there: BTreeSet<String> = self.findings.iter().map(Finding::subject).collect();
        for subject in subjects.filter(|subject| there.contains(*subject)) {
            let reverted = self.reverted.entry(subject.to_owned()).or_default();
            reverted.in_vain = Some(why.to_owned());
        }
    }

    /// Why this finding is not reverted any more.
    pub fn note(&self, subject: &str) -> Option<String> {
        let reverted = self.reverted.get(subject)?;
        if let Some(why) = &reverted.in_vain {
            return Some(format!("cannot be reverted: {why}"));
        }
        if reverted.times.last().is_some_and(|at| Some(*at) > self.checked_at) {
            return Some("reverted; whether that helped is not looked at yet".to_owned());
        }
        fights(reverted).then(|| {
            format!("reverted {} times and back each time: somebody wants it", reverted.times.len())
        })
    }
}

/// Whether a finding that is there came back so often that reverting it is a fight with somebody.
pub fn fights(reverted: &Reverted) -> bool {
    reverted.times.len() >= FIGHT_ROUNDS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::What;

    const EVERY: Duration = Duration::from_secs(24 * 60 * 60);

    fn at(minutes: u64) -> Moment {
        Moment::default() + Duration::from_secs(minutes * 60)
    }

    fn record() -> DriftRecord {
        let key = "111122223333/eu-central-1/scan-api".parse().expect("a key");
        DriftRecord::new(&key, at(0), EVERY)
    }

    fn deleted() -> Finding {
        Finding {
            within: String::new(),
            logical_id: "Queue".to_owned(),
            kind: "AWS::SQS::Queue".to_owned(),
            physical_id: None,
            what: What::Deleted,
        }
    }

    fn detect(record: &mut DriftRecord, findings: &[Finding], now: Moment) {
        let version = StackVersion { id: StackId::of("arn"), updated_at: None };
        record.begin(&StackId::of("arn"), version, now);
        record.detection.as_mut().expect("it runs").findings = findings.to_vec();
        record.finish(now, EVERY);
    }

    #[test]
    fn what_could_not_be_seen_stays_as_it_was() {
        let mut record = record();
        detect(&mut record, &[deleted()], at(1));
        let version = StackVersion { id: StackId::of("arn"), updated_at: None };
        record.begin(&StackId::of("arn"), version, at(2));
        let running = record.detection.as_mut().expect("it runs");
        running.trouble = Some("Rate exceeded".to_owned());
        running.unchecked.insert(Unchecked {
            place: "Queue".to_owned(),
            kind: "AWS::SQS::Queue".to_owned(),
            reason: Some("Rate exceeded".to_owned()),
        });
        record.finish(at(2), EVERY);
        assert_eq!(record.findings, [deleted()]);
        assert_eq!(record.since["Queue deleted"], at(1));
        assert_eq!(record.due_at, at(12));
        detect(&mut record, &[], at(12));
        assert!(record.findings.is_empty() && record.trouble.is_none());
        assert!(record.due_at > at(12 + 22 * 60));
    }

    #[test]
    fn what_comes_back_three_times_is_a_fight() {
        let mut record = record();
        for round in 0..3 {
            detect(&mut record, &[deleted()], at(round * 60 + 1));
            assert_eq!(record.note("Queue deleted"), None, "round {round}");
            record.reverts(["Queue deleted"].into_iter(), at(round * 60 + 2));
            detect(&mut record, &[], at(round * 60 + 3));
        }
        detect(&mut record, &[deleted()], at(300));
        let note = record.note("Queue deleted").expect("a fight");
        assert_eq!(note, "reverted 3 times and back each time: somebody wants it");
        // A week later it is forgotten.
        detect(&mut record, &[deleted()], at(300 + 8 * 24 * 60));
        assert_eq!(record.note("Queue deleted"), None);
    }

    #[test]
    fn what_a_revert_did_not_change_was_reverted_in_vain() {
        let mut record = record();
        detect(&mut record, &[deleted()], at(1));
        record.reverts(["Queue deleted"].into_iter(), at(2));
        assert_eq!(record.due_at, at(2), "whether it helped is looked at soon");
        detect(&mut record, &[deleted()], at(3));
        let note = record.note("Queue deleted").expect("in vain");
        assert!(note.starts_with("cannot be reverted: "), "{note}");
        detect(&mut record, &[], at(4));
        assert_eq!(record.note("Queue deleted"), None);
    }

    #[test]
    fn what_cannot_be_reverted_is_noted_only_while_it_is_there() {
        let mut record = record();
        detect(&mut record, &[deleted()], at(1));
        record.cannot_revert(["Queue deleted", "Gone deleted"].into_iter(), "no");
        assert_eq!(record.reverted.keys().collect::<Vec<_>>(), ["Queue deleted"]);
    }

    #[test]
    fn somebody_elses_change_is_looked_into_soon() {
        let mut record = record();
        detect(&mut record, &[], at(1));
        record.was_changed(at(10));
        assert_eq!((record.due_at, record.says_something()), (at(11), true));
        detect(&mut record, &[], at(11));
        assert!(!record.says_something());
    }
}
