//! Says in words what the controller does: news in, lines out. What is the same as before is not
//! said again.

use std::collections::{BTreeMap, BTreeSet};

use crate::board::{Progress, Standing, Stocked};
use crate::ids::{Revision, ServiceName, Target};
use crate::moment::Moment;
use crate::observed::{Blind, BlindReason};
use crate::outcome::Outcome;
use crate::plan::{ApprovalRequest, DRIFTED, StackRecord, Step, Weight, size};
use crate::report::{counted, findings, rollouts};
use crate::rollout::{Change, ChangeKind, Upcoming};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Importance {
    /// Only with `-v`.
    Detail,
    /// One stack made a step or reached its end. There may be thousands of these at once.
    Step,
    /// One stack failed or is held, or a target is blind.
    Trouble,
    /// About the fleet as a whole.
    Fleet,
    /// About the fleet as a whole, and bad.
    Alarm,
}

/// One line for people, and what it is about for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) importance: Importance,
    pub(super) text: String,
    pub(super) tenant: Option<String>,
    pub(super) target: Option<Target>,
    pub(super) stack: Option<String>,
    pub(super) revision: Option<Revision>,
}

impl Line {
    fn new(importance: Importance, text: String) -> Self {
        Self { importance, text, tenant: None, target: None, stack: None, revision: None }
    }

    fn of(target: &Target, importance: Importance, text: String) -> Self {
        Self { target: Some(target.clone()), ..Self::new(importance, text) }
    }

    fn about(importance: Importance, record: &StackRecord, text: &str) -> Self {
        let tenant = record.memory.tenant.as_ref().map(ToString::to_string);
        Self {
            text: format!("{}: {text}", whose(record)),
            target: Some(record.key.target.clone()),
            stack: Some(record.key.name.to_string()),
            tenant,
            ..Self::new(importance, String::new())
        }
    }

    fn at(importance: Importance, revision: Option<&Revision>, text: String) -> Self {
        Self { revision: revision.cloned(), ..Self::new(importance, text) }
    }
}

/// Why nothing can be looked at anywhere.
fn of_all(blind: &Blind) -> String {
    let help = blind.reason.help().unwrap_or("it is tried again by itself");
    format!("no target can be looked at: {}: {}; what to do: {help}", blind.reason, blind.message)
}

/// `acme scan-api 111122223333/eu-central-1`
fn whose(record: &StackRecord) -> String {
    let memory = &record.memory;
    let target = &record.key.target;
    match (&memory.tenant, &memory.service) {
        (Some(tenant), Some(service)) => format!("{tenant} {service} {target}"),
        (_, _) => record.key.to_string(),
    }
}

/// What was said so far, as far as it decides what is said next.
#[derive(Debug, Default)]
pub(super) struct Narrator {
    revision: Option<Revision>,
    /// How many stacks and tenants git gives.
    stacks: usize,
    tenants: usize,
    pub(super) standing: Standing,
    said: Option<String>,
    /// The waves that were said to soak, by service, and until when.
    soaking: BTreeMap<String, Moment>,
    /// What keeps us from looking anywhere and was said: once, not for each of thousands of targets.
    of_all: BTreeSet<BlindReason>,
    /// Accounts of tenants that left and let nobody in: each is said once.
    never_entered: BTreeSet<Target>,
}

impl Narrator {
    /// What to say after [`Narrator::line`]: a revision that changes nothing is in sync at once, and
    /// no other news are going to say so.
    pub(super) fn afterthought(&mut self, news: &Progress) -> Option<Line> {
        match news {
            Progress::Accepted { changed, .. } if changed.is_empty() => {
                let standing = self.standing.clone();
                if standing.total().total() == 0 { None } else { self.standing(&standing) }
            }
            Progress::Accepted { .. }
            | Progress::Refused { .. }
            | Progress::Step { .. }
            | Progress::Verdict { .. }
            | Progress::Gone { .. }
            | Progress::Blind { .. }
            | Progress::NeverEntered { .. }
            | Progress::Inherited { .. }
            | Progress::Rollout { .. }
            | Progress::Disobeyed { .. }
            | Progress::Artifacts(_)
            | Progress::Asked(_)
            | Progress::Steered { .. }
            | Progress::Standing(_)
            | Progress::Stopping { .. } => None,
        }
    }

    /// Waves that are well and soak from now on: what waits for time alone looks like a standstill.
    pub(super) fn soaks(&mut self, news: &Progress) -> Vec<Line> {
        let Progress::Standing(standing) = news else { return Vec::new() };
        let mut lines = Vec::new();
        let before = std::mem::take(&mut self.soaking);
        for (service, stage) in &standing.stages {
            let Upcoming::Soak(until) = stage.next else { continue };
            if before.get(service) != Some(&until) {
                let text = format!("{service}: {}", rollouts::stage(stage, standing.at));
                lines.push(Line::new(Importance::Fleet, text));
            }
            self.soaking.insert(service.clone(), until);
        }
        lines
    }

    /// What a piece of news is in words; nothing when it is nothing new. Findings that come with it
    /// are drawn by the caller.
    pub(super) fn line(&mut self, news: &Progress) -> Option<Line> {
        match news {
            Progress::Accepted { revision, stacks, tenants, changed, .. } => {
                Some(self.accepted(revision, *stacks, *tenants, changed.len()))
            }
            Progress::Refused { revision, findings, why } => {
                let refused = revision.as_ref().map_or("the newest revision", Revision::short);
                let why = match findings.as_slice() {
                    [] => why.clone(),
                    findings => findings::counts(findings),
                };
                let text = format!("{refused} is refused: {why}; {}", self.stays());
                Some(Line::at(Importance::Alarm, revision.as_ref(), text))
            }
            Progress::Step { record, step, outcome } => Some(step_line(record, step, outcome)),
            // One set waits, and is said as one request.
            Progress::Verdict { record, .. } if record.verdict.code == "deletion-limit" => None,
            Progress::Verdict { record, earlier } => verdict(record, *earlier),
            Progress::Gone { target, name } => {
                Some(Line::of(target, Importance::Step, format!("{target}/{name}: gone")))
            }
            Progress::Blind { blind, .. } if blind.reason.is_of_all() => {
                let is_new = self.of_all.insert(blind.reason);
                is_new.then(|| Line::new(Importance::Alarm, of_all(blind)))
            }
            Progress::Blind { target, blind } => {
                let text = format!("{target}: cannot be looked at: {}", blind.message);
                Some(Line::of(target, Importance::Trouble, text))
            }
            Progress::NeverEntered { target } => {
                let text = format!(
                    "{target}: offboarded, and cannot be entered: nothing of ours is known there"
                );
                let is_new = self.never_entered.insert(target.clone());
                is_new.then(|| Line::of(target, Importance::Step, text))
            }
            Progress::Inherited { target } => {
                let text = format!(
                    "the journal is new, and stacks of this fleet stand already (first seen in \
                     {target}): suspensions and approvals of an earlier journal are lost, and \
                     deletions need an approval for a day"
                );
                Some(Line::new(Importance::Alarm, text))
            }
            Progress::Rollout { service, change } => Some(rollout_line(service, change)),
            Progress::Disobeyed { order, why } => Some(Line::new(
                Importance::Alarm,
                format!("{}: {} asked to {}: {why}", order.service, order.by, order.word),
            )),
            Progress::Artifacts(news) => Some(artifacts_line(news)),
            Progress::Asked(request) => Some(asked(request)),
            Progress::Steered { suspensions, approvals } => Some(Line::new(
                Importance::Fleet,
                format!(
                    "heard: {} and {} are in force now",
                    counted(*suspensions, "suspension"),
                    counted(*approvals, "approval")
                ),
            )),
            Progress::Standing(standing) => self.standing(standing),
            Progress::Stopping { busy } => Some(Line::new(
                Importance::Fleet,
                format!(
                    "stopping: waiting for the calls in {}; what runs in AWS goes on there",
                    counted(*busy, "target")
                ),
            )),
        }
    }

    fn accepted(
        &mut self,
        revision: &Revision,
        stacks: usize,
        tenants: usize,
        changed: usize,
    ) -> Line {
        (self.revision, self.said) = (Some(revision.clone()), None);
        (self.stacks, self.tenants) = (stacks, tenants);
        let text = format!(
            "following {}: {} of {}, {} to look at",
            revision.short(),
            counted(stacks, "stack"),
            counted(tenants, "tenant"),
            counted(changed, "target"),
        );
        Line::at(Importance::Fleet, Some(revision), text)
    }

    fn stays(&self) -> String {
        match &self.revision {
            Some(revision) => format!("the fleet stays at {}", revision.short()),
            None => "nothing is changed".to_owned(),
        }
    }

    fn standing(&mut self, standing: &Standing) -> Option<Line> {
        self.standing = standing.clone();
        if standing.blind == 0 {
            self.of_all.clear();
        }
        let total = standing.total();
        let moves = standing.unseen > 0 || standing.in_flight > 0 || total.waiting > 0;
        if moves {
            self.said = None;
            return None;
        }
        let is_good = total.stuck == 0 && standing.blind == 0;
        let importance = if is_good { Importance::Fleet } else { Importance::Alarm };
        let text = self.at_rest(standing);
        if self.said.as_ref() == Some(&text) {
            return None;
        }
        self.said = Some(text.clone());
        Some(Line::at(importance, self.revision.as_ref(), text))
    }

    fn at_rest(&self, standing: &Standing) -> String {
        let total = standing.total();
        let at = self.revision.as_ref().map_or("no revision", Revision::short);
        let left_alone = match total.left_alone {
            0 => String::new(),
            count => format!("; {count} left alone on purpose"),
        };
        if total.stuck == 0 && standing.blind == 0 {
            let stacks = counted(total.settled, "stack");
            let tenants = counted(self.tenants, "tenant");
            return format!("in sync: {stacks} of {tenants} at {at}{left_alone}");
        }
        let mut troubles = Vec::new();
        if total.stuck > 0 {
            troubles.push(format!("{} failed or held", total.stuck));
        }
        if standing.blind > 0 {
            troubles.push(format!("{} cannot be looked at", counted(standing.blind, "target")));
        }
        // What stands where nobody could look was not counted, and is wanted all the same.
        let all = if standing.blind > 0 { self.stacks.max(total.total()) } else { total.total() };
        format!(
            "at rest, but not in sync at {at}: {} of {} are{left_alone}; {}: `driftless status` says why",
            total.settled,
            counted(all, "stack"),
            troubles.join(", "),
        )
    }
}

fn step_line(record: &StackRecord, step: &Step, outcome: &Outcome) -> Line {
    let word = step.kind.word();
    match outcome {
        Outcome::Started | Outcome::Done => {
            Line::about(Importance::Step, record, &format!("{word}: {}", step.why))
        }
        Outcome::Overtaken(cause) => {
            Line::about(Importance::Detail, record, &format!("{word}: overtaken: {cause}"))
        }
        Outcome::LookAgain(why) => {
            Line::about(Importance::Detail, record, &format!("{word}: looking again: {why}"))
        }
        Outcome::Failed(cause) => {
            Line::about(Importance::Trouble, record, &format!("{word} was refused: {cause}"))
        }
        Outcome::Unknown(cause) => Line::about(
            Importance::Trouble,
            record,
            &format!("{word}: no answer came, looking what became of it: {cause}"),
        ),
    }
}

fn verdict(record: &StackRecord, earlier: Option<Weight>) -> Option<Line> {
    let verdict = &record.verdict;
    let help = verdict.help.as_ref().map(|help| format!(": {help}")).unwrap_or_default();
    let line = |importance, text: &str| Some(Line::about(importance, record, text));
    match (verdict.weight, earlier) {
        // What nobody wants any more is not in sync: it is gone, which is news of its own.
        (Weight::Settled, _) if record.seen.is_none() && !record.wanted => None,
        // What is brought back is said by the steps; what is only said is said here.
        (Weight::Settled, _) if verdict.code == DRIFTED => line(Importance::Trouble, &verdict.text),
        (Weight::Settled, Some(Weight::Waiting | Weight::Stuck | Weight::LeftAlone)) => {
            line(Importance::Step, "in sync")
        }
        (Weight::Settled, Some(Weight::Settled) | None) => line(Importance::Detail, &verdict.text),
        (Weight::LeftAlone, _) => line(Importance::Step, &format!("{}{help}", verdict.text)),
        (Weight::Stuck, _) => line(Importance::Trouble, &format!("{}{help}", verdict.text)),
        (Weight::Waiting, _) if verdict.code == "cooldown" => {
            line(Importance::Trouble, &verdict.text)
        }
        (Weight::Waiting, _) => line(Importance::Detail, &verdict.text),
    }
}

fn rollout_line(service: &ServiceName, change: &Change) -> Line {
    let importance = match change.kind {
        ChangeKind::Halted | ChangeKind::Reverting => Importance::Alarm,
        // What has one wave goes out at once, and the steps are said anyway.
        ChangeKind::Began | ChangeKind::Opened(_) | ChangeKind::Completed if change.is_quiet => {
            Importance::Detail
        }
        ChangeKind::Began
        | ChangeKind::Opened(_)
        | ChangeKind::Completed
        | ChangeKind::Resumed
        | ChangeKind::Superseded => Importance::Fleet,
    };
    let word = match change.kind {
        ChangeKind::Halted => "halted: ",
        ChangeKind::Reverting => "halted, going back: ",
        ChangeKind::Resumed => "goes on: ",
        ChangeKind::Superseded => "superseded: ",
        ChangeKind::Began | ChangeKind::Opened(_) | ChangeKind::Completed => "",
    };
    let text = format!("{service}: release {}: {word}{}", change.release.short(), change.text);
    Line::new(importance, text)
}

fn artifacts_line(news: &Stocked) -> Line {
    let (importance, text) = match news {
        Stocked::Begun { bucket, count, bytes } => {
            let artifacts = counted(*count, "artifact");
            (Importance::Fleet, format!("looking for {artifacts} ({}) in {bucket}", size(*bytes)))
        }
        Stocked::Ended { bucket, count, bytes } => {
            let artifacts = counted(*count, "artifact");
            (Importance::Fleet, format!("uploaded {artifacts} ({}) to {bucket}", size(*bytes)))
        }
        Stocked::Failed { why } => {
            (Importance::Alarm, format!("artifacts are missing, and what needs them waits: {why}"))
        }
    };
    Line::new(importance, text)
}

fn asked(request: &ApprovalRequest) -> Line {
    let ApprovalRequest { id, summary, .. } = request;
    let text = format!("a person has to say yes: {summary}: `driftless approve {id}`");
    Line::new(Importance::Alarm, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Tally;
    use crate::report::sample;
    use crate::rollout::Stage;
    use std::collections::BTreeSet;

    fn accepted(revision: &str) -> Progress {
        Progress::Accepted {
            revision: Revision::of(revision),
            stacks: 3,
            tenants: 2,
            changed: BTreeSet::new(),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn an_account_that_left_and_lets_nobody_in_is_said_once() {
        let news = |target: &str| Progress::NeverEntered { target: target.parse().expect(target) };
        let (one, two) = (news("111122223333/eu-central-1"), news("444455556666/eu-central-1"));
        let mut narrator = Narrator::default();
        let said = [&one, &one, &two, &one].map(|news| narrator.line(news).is_some());
        assert_eq!(said, [true, false, true, false]);
    }

    #[test]
    fn what_is_uploaded_is_said_in_one_line_a_bucket() {
        let bucket = "gloves-eu-central-1".to_owned();
        let said = [
            Stocked::Begun { bucket: bucket.clone(), count: 14, bytes: 12_000_000 },
            Stocked::Ended { bucket, count: 1, bytes: 700 },
        ]
        .map(|news| artifacts_line(&news).text);
        let expected = [
            "looking for 14 artifacts (12 MB) in gloves-eu-central-1",
            "uploaded 1 artifact (700 bytes) to gloves-eu-central-1",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn a_wave_that_soaks_is_said_once_with_the_time_that_is_left() {
        let stage = |settled, next| Stage {
            wave: "canary".parse().expect("a name"),
            total: 3,
            settled,
            failed: 0,
            next,
        };
        let standing = |seconds: u64, stage: Stage| {
            let at = sample::NOW + std::time::Duration::from_secs(seconds);
            let stages = [("scan-api".to_owned(), stage)].into();
            Progress::Standing(Standing { at, stages, ..Standing::default() })
        };
        let soak = || Upcoming::Soak(sample::NOW + std::time::Duration::from_secs(600));
        let mut narrator = Narrator::default();
        let mut said = |news| -> Vec<String> {
            narrator.soaks(&news).into_iter().map(|line| line.text).collect()
        };
        assert_eq!(said(standing(0, stage(2, Upcoming::Stacks))), [""; 0]);
        let text = "scan-api: wave canary 3/3 settled, soaking 10 min";
        assert_eq!(said(standing(5, stage(3, soak()))), [text]);
        assert_eq!(said(standing(60, stage(3, soak()))), [""; 0], "once");
    }

    fn standing(settled: usize, waiting: usize, stuck: usize) -> Progress {
        let tally = Tally { settled, waiting, stuck, left_alone: 0 };
        Progress::Standing(Standing {
            services: [("scan-api".to_owned(), tally)].into(),
            ..Standing::default()
        })
    }

    fn texts(news: &[Progress]) -> Vec<String> {
        let mut narrator = Narrator::default();
        let lines = news.iter().flat_map(|news| {
            let line = narrator.line(news);
            line.into_iter().chain(narrator.afterthought(news)).collect::<Vec<_>>()
        });
        lines.map(|line| line.text).collect()
    }

    #[test]
    fn what_keeps_us_from_looking_anywhere_is_said_once_until_it_is_over() {
        let blind = |number: usize| Progress::Blind {
            target: format!("{number:012}/eu-central-1").parse().expect("a target"),
            blind: Blind { reason: BlindReason::ClockSkew, message: "too late".to_owned() },
        };
        let news = [blind(1), blind(2), standing(3, 0, 0), blind(3)];
        let said = texts(&news);
        assert_eq!(said.len(), 3, "{said:#?}");
        assert!(
            said[0].starts_with("no target can be looked at: clock skew: too late; what to do")
        );
    }

    #[test]
    fn the_fleet_is_said_to_be_in_sync_when_it_becomes_so() {
        let news = [
            accepted("aaa"),
            standing(1, 2, 0),
            standing(3, 0, 0),
            standing(3, 0, 0),
            standing(2, 1, 0),
            standing(3, 0, 0),
            standing(2, 0, 1),
        ];
        assert_eq!(
            texts(&news),
            [
                "following aaa: 3 stacks of 2 tenants, 0 targets to look at",
                "in sync: 3 stacks of 2 tenants at aaa",
                "in sync: 3 stacks of 2 tenants at aaa",
                "at rest, but not in sync at aaa: 2 of 3 stacks are; 1 failed or held: `driftless \
                 status` says why",
            ]
        );
    }

    #[test]
    fn stacks_where_nobody_can_look_are_not_left_out_of_what_is_wanted() {
        let Progress::Standing(seen) = standing(2, 0, 0) else { panic!("a standing") };
        let said = texts(&[accepted("aaa"), Progress::Standing(Standing { blind: 1, ..seen })]);
        assert!(said[1].contains("2 of 3 stacks are; 1 target cannot be looked at"), "{said:#?}");
    }

    #[test]
    fn a_deleted_stack_is_gone_and_not_in_sync() {
        let mut record = sample::record("acme", "api", Weight::Settled, "nothing", "not wanted");
        let verdict = |record: &StackRecord| Progress::Verdict {
            record: record.clone(),
            earlier: Some(Weight::Waiting),
        };
        assert_eq!(texts(&[verdict(&record)]).len(), 1, "it is there and wanted");
        (record.seen, record.wanted) = (None, false);
        let gone =
            Progress::Gone { target: record.key.target.clone(), name: record.key.name.clone() };
        assert_eq!(texts(&[verdict(&record), gone]), [format!("{}: gone", record.key)]);
    }

    #[test]
    fn a_revision_that_changes_nothing_is_in_sync_at_once() {
        let said = texts(&[accepted("aaa"), standing(3, 0, 0), accepted("bbb")]);
        assert_eq!(said[3], "in sync: 3 stacks of 2 tenants at bbb");
    }

    #[test]
    fn a_refused_revision_is_named_with_the_one_that_stays() {
        let refused = Progress::Refused {
            revision: Some(Revision::of("bbb")),
            findings: Vec::new(),
            why: "it does not descend from aaa".into(),
        };
        let said = texts(&[accepted("aaa"), refused]);
        assert_eq!(said[1], "bbb is refused: it does not descend from aaa; the fleet stays at aaa");
    }

    #[test]
    fn a_held_stack_is_trouble_and_a_waiting_one_a_detail() {
        let record = |weight| sample::record("acme", "scan-api", weight, "held", "not ours");
        let of = |weight| verdict(&record(weight), None).map(|line| line.importance);
        assert_eq!(of(Weight::Stuck), Some(Importance::Trouble));
        assert_eq!(of(Weight::Waiting), Some(Importance::Detail));
    }
}
