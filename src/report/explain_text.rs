//! One stack explained in words.

use std::fmt::{self, Write as _};

use crate::drift::Finding;
use crate::ids::Digest;
use crate::moment::Moment;
use crate::outcome::{CauseClass, OnRemoval};
use crate::plan::ownership;
use crate::report::words::{ago, ahead, counted, indented, lasting, word};
use crate::report::{Explanation, InWave, NestedStack};

/// Where the values of the list begin.
const COLUMN: usize = 16;

impl Explanation {
    /// The whole explanation for people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    /// `acme/scan-api is stuck (for 4 minutes): failed: ...`
    pub fn headline(&self) -> String {
        let record = &self.record;
        let who = match (&record.memory.tenant, &record.memory.service) {
            (Some(tenant), Some(service)) => format!("{tenant}/{service}"),
            (Some(_), None) | (None, Some(_)) | (None, None) => record.key.to_string(),
        };
        let state = word(record.verdict.weight);
        let since = lasting(self.now, record.verdict_since);
        let unseen = if self.blind().is_some() { ", but cannot be seen now" } else { "" };
        let text = indented(&record.verdict.text, 2);
        format!("{who} is {state} ({since}){unseen}: {text}")
    }

    fn ago(&self, then: Moment) -> String {
        ago(self.now, then)
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "{}", self.headline())?;
        if let Some(help) = &self.record.verdict.help {
            writeln!(out, "What to do: {}", indented(help, 2))?;
        }
        writeln!(out)?;
        for (name, value) in self.lines() {
            let value = indented(&value, COLUMN);
            writeln!(out, "{name:<COLUMN$}{value}")?;
        }
        self.write_history(out)
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let lines = [
            ("stack", Some(self.record.key.to_string())),
            ("in AWS", self.own_name()),
            ("wanted", Some(self.wanted())),
            ("release", self.release()),
            ("wave", self.wave()),
            ("seen in AWS", Some(self.seen())),
            ("AWS says", self.record.seen.as_ref().and_then(|seen| seen.status_reason.clone())),
            ("looked at", Some(self.looked())),
            ("cannot be seen", self.unseen()),
            ("last step", self.last_step()),
            ("last failure", self.last_failure()),
            ("change set", self.change_set()),
            ("nested", self.nested()),
            ("owed", self.owed()),
            ("drifted", self.drifted()),
            ("looked into", self.looked_into()),
            ("suspended", self.suspended()),
            ("frozen", self.frozen()),
            ("approval", self.approval()),
        ];
        lines.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// What AWS calls it, where that is another name, and how that came.
    fn own_name(&self) -> Option<String> {
        let seen = self.record.seen.as_ref()?;
        let own = seen.own_name();
        let how = match (ownership::is_nobody_s(seen), own != self.record.key.name) {
            (true, true) => "is to be taken over",
            (false, true) => "was taken over",
            (_, false) => return None,
        };
        Some(format!("{own}, which {how}"))
    }

    fn wanted(&self) -> String {
        let revision = self.accepted.as_ref().map(|accepted| accepted.revision.short());
        let at = revision.map(|revision| format!(" at revision {revision}")).unwrap_or_default();
        match (self.record.wanted, self.record.memory.on_removal) {
            (true, _) => format!("yes, git gives it{at}"),
            (false, OnRemoval::Retain) => {
                format!("no, git does not give it{at}; its service says onRemoval: retain")
            }
            (false, OnRemoval::Delete) => {
                format!("no, git does not give it{at}; its service says onRemoval: delete")
            }
        }
    }

    fn drifted(&self) -> Option<String> {
        let drift = self.drift.as_ref()?;
        let foreign = drift
            .foreign_at
            .map(|at| format!("somebody else updated the stack {}", ago(self.now, at)));
        let finding = |finding: &Finding| {
            let subject = finding.subject();
            let note = drift.note(&subject).map(|note| format!("; {note}")).unwrap_or_default();
            let since = drift.since.get(&subject).map(|at| lasting(self.now, *at));
            let since = since.map(|since| format!(" ({since})")).unwrap_or_default();
            format!("{} ({}) {}{since}{note}", finding.place(), finding.kind, finding.what)
        };
        let lines: Vec<String> =
            foreign.into_iter().chain(drift.findings.iter().map(finding)).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    fn looked_into(&self) -> Option<String> {
        let drift = self.drift.as_ref()?;
        let when = match drift.checked_at {
            Some(at) => format!("for drift {}", ago(self.now, at)),
            None => "for drift never yet".to_owned(),
        };
        let next = match &drift.detection {
            Some(_) => "AWS looks now".to_owned(),
            None => format!("next {}", ahead(self.now, drift.due_at)),
        };
        let trouble = drift.trouble.as_ref().map(|why| format!("; not seen whole: {why}"));
        Some(format!("{when}; {next}{}", trouble.unwrap_or_default()))
    }

    fn release(&self) -> Option<String> {
        let memory = &self.record.memory;
        let short = |release: &Digest| release.short();
        let given =
            memory.taking.as_ref().filter(|taking| memory.release.as_ref() != Some(*taking));
        match (memory.release.as_ref().map(short), given.map(short)) {
            (Some(has), None) => Some(has),
            (Some(has), Some(given)) => Some(format!("{has}; {given} was given last")),
            (None, Some(given)) => Some(format!("{given} was given, and not seen to be well")),
            (None, None) => None,
        }
    }

    fn wave(&self) -> Option<String> {
        let InWave { wave, number, of, release, began_at, halted, waits_for } =
            self.wave.as_ref()?;
        // Where all stacks take a release at once there is no wave to speak of.
        if *of == 1 && release.is_none() {
            return None;
        }
        let place = format!("{wave}, {number} of {of}");
        let Some(release) = release else { return Some(format!("{place}; no release goes out")) };
        let begun = match began_at {
            Some(at) => format!("began {} to take release {release}", self.ago(*at)),
            None => format!("has not begun to take release {release}"),
        };
        let now = match (halted, waits_for) {
            (Some(why), _) => format!("\nhalted: {}", indented(why, 0)),
            (None, Some(what)) => format!("\nnow: {what}"),
            (None, None) => String::new(),
        };
        Some(format!("{place}: {begun}{now}"))
    }

    fn seen(&self) -> String {
        let Some(seen) = &self.record.seen else { return "no such stack".to_owned() };
        let updated = match seen.updated_at {
            Some(at) => format!(", last updated {}", self.ago(at)),
            None => ", never updated".to_owned(),
        };
        let protection = if seen.termination_protection { "on" } else { "off" };
        format!(
            "{}, created {}{updated}; termination protection is {protection}\n{}",
            seen.status,
            self.ago(seen.created_at),
            seen.id
        )
    }

    fn looked(&self) -> String {
        let at = self.looked_at();
        format!("{} ({at})", self.ago(at))
    }

    fn unseen(&self) -> Option<String> {
        let (blind, since) = self.blind()?;
        let looks = self.target.as_ref().map_or(0, |target| target.blind_looks);
        let help = blind.reason.help().map(|help| format!("what to do: {help}\n"));
        let help = help.unwrap_or_default();
        Some(format!(
            "{}: {}\n{help}{}, {} in a row failed; all of this is as of the last look that worked",
            blind.reason,
            blind.message,
            lasting(self.now, *since),
            counted(looks as usize, "look")
        ))
    }

    fn last_step(&self) -> Option<String> {
        let attempt = self.record.memory.attempt.as_ref()?;
        let state = if attempt.settled { "done" } else { "its effect has not been seen to end" };
        let (step, when) = (attempt.kind.word(), self.ago(attempt.at));
        Some(format!("{step}, attempt {}, {when}; {state}", attempt.number))
    }

    fn last_failure(&self) -> Option<String> {
        let failure = self.record.memory.failure.as_ref()?;
        let means = match failure.cause.class {
            CauseClass::Transient => "AWS's own trouble: tried again by itself after a while",
            CauseClass::Account => "trouble with this account or our access to it",
            CauseClass::Release => {
                "what git says cannot be deployed: not tried again until git changes"
            }
        };
        let times = match failure.count {
            0 | 1 => String::new(),
            count => format!("{count} times in a row, last "),
        };
        let when = self.ago(failure.at);
        Some(format!("{} failed {times}{when}\n{}\n({means})", failure.step, failure.cause))
    }

    fn change_set(&self) -> Option<String> {
        let set = self.record.memory.change_set.as_ref()?;
        Some(format!("{} is prepared or being prepared by us", set.name))
    }

    fn nested(&self) -> Option<String> {
        let lines: Vec<String> = self.nested.iter().map(NestedStack::lines).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    fn owed(&self) -> Option<String> {
        let debts = &self.record.memory.debts;
        let lines = debts.iter().map(|(id, debt)| {
            format!("{id} ({}), skipped in a rollback {}", debt.kind, self.ago(debt.since))
        });
        let lines: Vec<String> = lines.collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    fn suspended(&self) -> Option<String> {
        let suspension = self.suspension.as_ref()?;
        let reason = match suspension.reason.as_str() {
            "" => String::new(),
            reason => format!(": {reason}"),
        };
        Some(format!(
            "{} by {} {}{reason}; `driftless resume {}` ends it",
            suspension.scope,
            suspension.by,
            self.ago(suspension.at),
            suspension.scope
        ))
    }

    fn frozen(&self) -> Option<String> {
        let verdict = &self.record.verdict;
        let until = verdict.until.filter(|_| verdict.code == "frozen")?;
        Some(format!("the window closes {} ({until})", ahead(self.now, until)))
    }

    fn approval(&self) -> Option<String> {
        let request = self.request.as_ref()?;
        let members: String =
            request.members.iter().map(|member| format!("\n- {member}")).collect();
        Some(format!(
            "{}: {}; `driftless approve {}` allows exactly this:{members}",
            request.kind, request.summary, request.id
        ))
    }

    fn write_history(&self, out: &mut String) -> fmt::Result {
        if self.history.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nHistory, newest first")?;
        for event in &self.history {
            let when = self.ago(event.at);
            writeln!(out, "  {when:<16}{:<17}{}", event.kind, indented(&event.text, 35))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Digest, Revision, WaveName};
    use crate::observed::{Blind, BlindReason};
    use crate::outcome::{Attempt, Cause, Debt, Failure, OwnChangeSet, StepKind};
    use crate::plan::{ApprovalKind, ApprovalRequest, Scope, Suspension, TargetRecord, Weight};
    use crate::report::sample::{NOW, minutes_ago, record};
    use crate::report::{AcceptedRevision, Event, Subject};

    const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);

    fn plain() -> Explanation {
        Explanation {
            now: NOW,
            record: record("acme", "scan-api", Weight::Settled, "in-sync", "as git says"),
            target: None,
            accepted: None,
            request: None,
            suspension: None,
            drift: None,
            wave: None,
            nested: Vec::new(),
            history: Vec::new(),
        }
    }

    fn failed() -> Explanation {
        let mut explanation = plain();
        let record = &mut explanation.record;
        let cause =
            Cause::of_event("CREATE_FAILED", "scans already exists", "Queue", "AWS::SQS::Queue");
        record.verdict.weight = Weight::Stuck;
        record.verdict.code = "failed".to_owned();
        record.verdict.text = format!("failed: {cause}");
        record.verdict.help = Some("change the template or a parameter in git".to_owned());
        let version = record.seen.as_ref().expect("it is there").version();
        record.memory.attempt = Some(Attempt {
            kind: StepKind::ExecuteChangeSet { name: "driftless-0123".to_owned() },
            version: Some(version.clone()),
            digest: Digest::of(b"wanted"),
            number: 2,
            token: "token".to_owned(),
            at: minutes_ago(6),
            settled: true,
            answered: true,
            doubtful: false,
            no_echo: std::collections::BTreeMap::new(),
            tries: 1,
            refused: None,
        });
        record.memory.failure = Some(Failure {
            cause,
            step: "update".to_owned(),
            digest: None,
            version: None,
            count: 1,
            at: minutes_ago(4),
        });
        record.memory.change_set = Some(OwnChangeSet {
            name: "driftless-0123".to_owned(),
            version,
            digest: Digest::of(b"wanted"),
            pays: std::collections::BTreeSet::new(),
            reverts: false,
            subjects: Vec::new(),
            inside: None,
        });
        record.memory.release = Some(Digest::of(b"good"));
        record.memory.taking = Some(Digest::of(b"newer"));
        let debt = Debt { kind: "AWS::SNS::Topic".to_owned(), since: minutes_ago(90) };
        record.memory.debts.insert("Alarm".to_owned(), debt);
        let event = |minutes, kind: &str, text: &str| Event {
            at: minutes_ago(minutes),
            about: Subject::Stack(explanation.record.key.clone()),
            kind: kind.to_owned(),
            text: text.to_owned(),
        };
        explanation.history = vec![
            event(4, "failed", "update failed: Queue (AWS::SQS::Queue): scans already exists"),
            event(6, "update", "update started"),
            event(7, "drop-change-set", "it is obsolete"),
        ];
        explanation
    }

    #[test]
    fn a_failed_stack_says_why_and_what_to_do() {
        insta::assert_snapshot!(failed().text());
    }

    #[test]
    fn a_stack_says_its_wave_whether_it_has_begun_and_what_it_waits_for() {
        let shown = |number: usize, began_at, halted: Option<&str>, waits_for: Option<&str>| {
            let wave: WaveName = ["canary", "all"][number - 1].parse().expect("a name");
            let release = Some("3f2a9c01".to_owned());
            let (halted, waits_for) = (halted.map(str::to_owned), waits_for.map(str::to_owned));
            let wave = InWave { wave, number, of: 2, release, began_at, halted, waits_for };
            Explanation { wave: Some(wave), ..plain() }.wave().expect("a line")
        };
        let mut at_rest = plain();
        at_rest.wave = Some(InWave {
            wave: "all".parse().expect("a name"),
            number: 2,
            of: 2,
            release: None,
            began_at: None,
            halted: None,
            waits_for: None,
        });
        let lines = [
            at_rest.wave().expect("a line"),
            shown(1, Some(minutes_ago(4)), None, Some("1 of 2 well in wave canary")),
            shown(2, None, None, Some("wave canary soaks until 2026-11-23T20:30:00.000Z")),
            shown(2, None, None, Some("wave all waits for approval")),
            shown(2, None, Some("2 of 2 failed in wave canary: no"), None),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r"
        all, 2 of 2; no release goes out
        canary, 1 of 2: began 4 minutes ago to take release 3f2a9c01
        now: 1 of 2 well in wave canary
        all, 2 of 2: has not begun to take release 3f2a9c01
        now: wave canary soaks until 2026-11-23T20:30:00.000Z
        all, 2 of 2: has not begun to take release 3f2a9c01
        now: wave all waits for approval
        all, 2 of 2: has not begun to take release 3f2a9c01
        halted: 2 of 2 failed in wave canary: no
        ");
    }

    #[test]
    fn a_frozen_stack_says_by_which_window_and_until_when() {
        let mut explanation = plain();
        let (window, until) = ("0 18 * * FRI in UTC for 62h (weekend)", NOW + HOUR * 5);
        let hold = crate::plan::Hold::Frozen { window: window.to_owned(), until };
        explanation.record.verdict = hold.verdict();
        insta::assert_snapshot!(explanation.text());
    }

    #[test]
    fn a_stack_nobody_can_see_says_since_when() {
        let mut explanation = plain();
        explanation.accepted = Some(AcceptedRevision {
            revision: Revision::of("0123456789abcdef"),
            committed_at: None,
            at: minutes_ago(10),
        });
        explanation.target = Some(TargetRecord {
            target: explanation.record.key.target.clone(),
            looked_at: Some(minutes_ago(50)),
            blind: Some((
                Blind { reason: BlindReason::Throttled, message: "Rate exceeded".to_owned() },
                minutes_ago(20),
            )),
            blind_looks: 3,
        });
        insta::assert_snapshot!(explanation.text());
    }

    #[test]
    fn a_held_deletion_shows_what_its_approval_allows() {
        let mut explanation = plain();
        explanation.record.wanted = false;
        explanation.record.memory.on_removal = OnRemoval::Delete;
        let request = ApprovalRequest::of(
            ApprovalKind::Deletions,
            ["arn:aws:cloudformation:x:stack/a/1".to_owned()].into(),
            "1 stack would be deleted".to_owned(),
        );
        explanation.record.verdict.weight = Weight::Stuck;
        explanation.record.verdict.text = request.summary.clone();
        explanation.record.verdict.help = Some(format!("driftless approve {}", request.id));
        explanation.request = Some(request);
        explanation.suspension = Some(Suspension {
            scope: Scope::Fleet,
            by: "anna".to_owned(),
            reason: "audit".to_owned(),
            at: minutes_ago(1),
        });
        insta::assert_snapshot!(explanation.text());
    }
}
