//! A status as text. Its first line says it all; what asks for a person comes next.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use comfy_table::{Table, presets};

use crate::ids::StackKey;
use crate::plan::Weight;
use crate::report::Origin;
use crate::report::channels;
use crate::report::grouping::Group;
use crate::report::status::{HaltedRollout, StackLine, Status};
use crate::report::words::{ago, counted, cut, indented, lasting, number, word};

/// Targets named where several cannot be seen.
const BLIND_EXAMPLES: usize = 3;
/// Kinds of drift that are listed.
const SIGNATURES: usize = 5;
/// Characters of a verdict in the table; the groups above it have all of it.
const VERDICT_WIDTH: usize = 70;

impl Status {
    /// The whole status for people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    /// `60 stacks in 12 tenants: 58 in sync, 1 waiting, 1 stuck`
    pub fn headline(&self) -> String {
        let mut line = if self.total == 0 {
            "no stack is known yet".to_owned()
        } else {
            format!(
                "{} in {}: {}",
                counted(self.total, "stack"),
                counted(self.tenants, "tenant"),
                self.standings()
            )
        };
        let blind: usize = self.blind.iter().map(|group| group.targets.len()).sum();
        if blind > 0 {
            let _ = write!(line, "; {} cannot be seen", counted(blind, "target"));
        }
        let drifted: BTreeSet<&StackKey> = self
            .around
            .drifted
            .iter()
            .flat_map(|one| one.stacks.iter().map(|(key, _)| key))
            .collect();
        if !drifted.is_empty() {
            let _ = write!(line, "; {} drifted", counted(drifted.len(), "stack"));
        }
        if self.around.refused.is_some() {
            line.push_str("; the newest revision was refused");
        }
        if self.around.origin.as_ref().is_some_and(Origin::is_lost) {
            line.push_str("; the fleet cannot be fetched");
        }
        line
    }

    fn standings(&self) -> String {
        let unseen = self.out_of_sight;
        if self.count(Weight::Settled) == self.total && unseen == 0 {
            return "all in sync".to_owned();
        }
        let parts = self.counts.iter().flat_map(|(weight, count)| {
            // What nobody can look at is not said to be in sync.
            let unseen = if *weight == Weight::Settled { unseen } else { 0 };
            let seen =
                (*count > unseen).then(|| format!("{} {}", number(count - unseen), word(*weight)));
            let unseen = (unseen > 0)
                .then(|| format!("{} out of sight (last seen in sync)", number(unseen)));
            seen.into_iter().chain(unseen)
        });
        parts.collect::<Vec<_>>().join(", ")
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "{}", self.headline())?;
        self.write_revisions(out)?;
        self.write_groups(out, Weight::Stuck, "Stuck: each waits for a person or a change in git")?;
        self.write_halted(out)?;
        self.write_requests(out)?;
        self.write_blind(out)?;
        out.write_str(&channels::text(&self.around.silent, self.now))?;
        self.write_drift(out)?;
        self.write_groups(out, Weight::Waiting, "Waiting")?;
        self.write_groups(out, Weight::LeftAlone, "Left alone on purpose")?;
        self.write_suspensions(out)?;
        self.write_stacks(out)
    }

    fn write_revisions(&self, out: &mut String) -> fmt::Result {
        if let Some(accepted) = &self.around.accepted {
            let (revision, when) = (accepted.revision.short(), ago(self.now, accepted.at));
            writeln!(out, "Following revision {revision}, accepted {when}")?;
        }
        if let Some(origin) = &self.around.origin {
            out.write_str(&origin.text(self.now))?;
        }
        let Some(refused) = &self.around.refused else { return Ok(()) };
        let (revision, when) = (refused.revision.short(), ago(self.now, refused.at));
        let why = match refused.count {
            0 => String::new(),
            count => format!("it has {}, ", counted(count, "error")),
        };
        writeln!(out, "\nRevision {revision} was refused {when}: {why}nothing of it is applied")?;
        writeln!(out, "  {}", indented(&refused.findings, 2))
    }

    fn write_groups(&self, out: &mut String, weight: Weight, title: &str) -> fmt::Result {
        let groups: Vec<&Group> =
            self.groups.iter().filter(|group| group.weight == weight).collect();
        if groups.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{title}")?;
        groups.into_iter().try_for_each(|group| self.write_group(out, group))
    }

    fn write_group(&self, out: &mut String, group: &Group) -> fmt::Result {
        writeln!(out, "  {}: {}", counted(group.count, "stack"), indented(&group.text, 4))?;
        if let Some(help) = &group.help {
            writeln!(out, "    what to do: {}", indented(help, 6))?;
        }
        let examples: Vec<String> = group.examples.iter().map(ToString::to_string).collect();
        let more = match group.count - group.examples.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (first, since) = (first(group.count), lasting(self.now, group.since));
        writeln!(out, "    {first}{since}: {}{more}", examples.join(", "))
    }

    fn write_halted(&self, out: &mut String) -> fmt::Result {
        if self.around.halted.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nHalted releases (`driftless rollout show SERVICE` says what to do)")?;
        for HaltedRollout { service, release, halt } in &self.around.halted {
            let back = if halt.reverting { ", going back" } else { "" };
            let by = halt.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
            let why = indented(&halt.why, 4);
            let (release, since) = (release.short(), lasting(self.now, halt.at));
            writeln!(out, "  {service} {release} ({since}{by}{back}): {why}")?;
        }
        Ok(())
    }

    fn write_drift(&self, out: &mut String) -> fmt::Result {
        let drifted = &self.around.drifted;
        if drifted.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nDrifted (`driftless drift report` says where)")?;
        for signature in drifted.iter().take(SIGNATURES) {
            let count = counted(signature.stacks.len(), "stack");
            let service = signature.service.as_ref().map_or("", |service| service.as_str());
            let line = cut(&signature.line(), VERDICT_WIDTH);
            writeln!(out, "  {count} ({}): {service}: {line}", signature.severity)?;
        }
        match drifted.len().saturating_sub(SIGNATURES) {
            0 => Ok(()),
            more => writeln!(out, "  and {more} more"),
        }
    }

    fn write_requests(&self, out: &mut String) -> fmt::Result {
        if self.around.requests.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "\nWaiting for approval (`driftless approve ID`; without an id it lists what each means)"
        )?;
        for (request, since) in &self.around.requests {
            writeln!(
                out,
                "  {}  {}: {} ({})",
                request.id,
                request.kind,
                indented(&request.summary, 4),
                lasting(self.now, *since)
            )?;
        }
        Ok(())
    }

    fn write_blind(&self, out: &mut String) -> fmt::Result {
        if self.blind.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nCannot be seen: nothing is done there until AWS answers again")?;
        for group in &self.blind {
            let named: Vec<String> =
                group.targets.iter().take(BLIND_EXAMPLES).map(ToString::to_string).collect();
            let more = match group.targets.len() - named.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let count = counted(group.targets.len(), "target");
            writeln!(out, "  {count}: {}: {}", group.reason, indented(&group.message, 4))?;
            let (first, since) = (first(group.targets.len()), lasting(self.now, group.since));
            writeln!(out, "    {first}{since}: {}{more}", named.join(", "))?;
            if let Some(help) = group.reason.help() {
                writeln!(out, "    what to do: {help}")?;
            }
        }
        Ok(())
    }

    fn write_suspensions(&self, out: &mut String) -> fmt::Result {
        let suspensions = &self.around.steering.suspensions;
        if suspensions.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nSuspended (`driftless resume SCOPE` ends it)")?;
        for suspension in suspensions {
            let when = ago(self.now, suspension.at);
            write!(out, "  {} by {} {when}", suspension.scope, suspension.by)?;
            match suspension.reason.as_str() {
                "" => writeln!(out)?,
                reason => writeln!(out, ": {}", indented(reason, 4))?,
            }
        }
        Ok(())
    }

    fn write_stacks(&self, out: &mut String) -> fmt::Result {
        let stacks = match &self.stacks {
            Some(stacks) if !stacks.is_empty() => stacks,
            Some(_) | None => return Ok(()),
        };
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["TENANT", "SERVICE", "STACK", "SINCE", "STATE"]);
        for line in stacks {
            table.add_row(self.row(line));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        writeln!(out)?;
        table.lines().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
    }

    fn row(&self, line: &StackLine) -> [String; 5] {
        let state = match line.verdict.weight {
            Weight::Settled => word(Weight::Settled).to_owned(),
            weight @ (Weight::LeftAlone | Weight::Waiting | Weight::Stuck) => {
                format!("{}: {}", word(weight), cut(&line.verdict.text, VERDICT_WIDTH))
            }
        };
        [
            line.tenant.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
            line.service.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
            line.key.to_string(),
            ago(self.now, line.since),
            state,
        ]
    }
}

/// What goes before the age of a group: that of its oldest member.
fn first(count: usize) -> &'static str {
    if count == 1 { "" } else { "the first " }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::{Severity, Signature};
    use crate::ids::Revision;
    use crate::observed::{Blind, BlindReason};
    use crate::plan::{ApprovalKind, ApprovalRequest, Scope, Suspension, TargetRecord};
    use crate::report::sample::{NOW, minutes_ago, record, target};
    use crate::report::{AcceptedRevision, Counting, Detail, RefusedRevision, Surroundings};

    const CAUSE: &str =
        "failed: Queue (AWS::SQS::Queue): CREATE_FAILED: scans already exists in stack x";

    fn accepted() -> AcceptedRevision {
        AcceptedRevision {
            revision: Revision::of("0123456789abcdef0123456789abcdef01234567"),
            committed_at: Some(minutes_ago(40)),
            at: minutes_ago(39),
        }
    }

    fn fleet(tenants: usize, detail: Detail) -> Counting {
        let mut counting = Counting::new(detail);
        for tenant in 0..tenants {
            for service in ["network", "scan-api", "device-registry"] {
                let tenant = format!("tenant-{tenant:02}");
                counting.add(record(&tenant, service, Weight::Settled, "in-sync", "as git says"));
            }
        }
        counting
    }

    fn in_trouble() -> Status {
        let mut counting = fleet(12, Detail::Groups);
        for tenant in ["acme", "bolt", "crow", "dune"] {
            let mut record = record(tenant, "queues", Weight::Stuck, "failed", CAUSE);
            record.verdict.help = Some("change the template or a parameter in git".to_owned());
            counting.add(record);
        }
        let text = "an operation runs: UPDATE_IN_PROGRESS";
        counting.add(record("acme", "scan-api", Weight::Waiting, "moving", text));
        counting.add(record(
            "bolt",
            "scan-api",
            Weight::LeftAlone,
            "suspended",
            "suspended by anna",
        ));
        counting.status(trouble_around(), NOW)
    }

    fn trouble_around() -> Surroundings {
        let request = ApprovalRequest::of(
            ApprovalKind::Deletions,
            ["a".to_owned(), "b".to_owned()].into(),
            "2 stacks of 2 tenants would be deleted; 1 tenant a day may be".to_owned(),
        );
        let blind = Blind {
            reason: BlindReason::AccessDenied,
            message: "not authorized to perform sts:AssumeRole".to_owned(),
        };
        let mut around = Surroundings {
            targets: vec![TargetRecord {
                target: target("dune"),
                looked_at: None,
                blind: Some((blind, minutes_ago(300))),
                blind_looks: 4,
            }],
            accepted: Some(accepted()),
            refused: Some(RefusedRevision {
                revision: Revision::of("fedcba9876543210fedcba9876543210fedcba98"),
                findings: "fleet/tenants/acme.yaml:3:9\n`acmé` is not a name\n".to_owned(),
                count: 1,
                at: minutes_ago(2),
            }),
            requests: vec![(request, minutes_ago(7))],
            ..Surroundings::default()
        };
        around.steering.suspensions = vec![Suspension {
            scope: Scope::Tenant("bolt".parse().expect("a name")),
            by: "anna".to_owned(),
            reason: "audit".to_owned(),
            at: minutes_ago(90),
        }];
        around
    }

    #[test]
    fn trouble_comes_before_everything_else() {
        insta::assert_snapshot!(in_trouble().text());
        assert!(in_trouble().needs_attention());
    }

    #[test]
    fn a_fleet_in_sync_is_two_lines() {
        let around = Surroundings { accepted: Some(accepted()), ..Surroundings::default() };
        let status = fleet(20, Detail::Groups).status(around, NOW);
        assert!(!status.needs_attention());
        insta::assert_snapshot!(status.text(), @r"
        60 stacks in 20 tenants: all in sync
        Following revision 0123456789, accepted 39 minutes ago
        ");
    }

    #[test]
    fn where_it_is_fetched_from_is_a_line_and_what_is_wrong_a_paragraph() {
        let trouble = crate::report::FetchTrouble {
            text: "`https://host/fleet` cannot be reached (no route to host): see that it is up"
                .to_owned(),
            since: minutes_ago(12),
            attempts: 4,
            next_at: NOW + std::time::Duration::from_secs(125),
        };
        let mut origin = Origin {
            from: "https://host/fleet at the branch `main`".to_owned(),
            fetched_at: Some(minutes_ago(13)),
            trouble: None,
        };
        let status = |origin: &Origin| {
            let around = Surroundings {
                accepted: Some(accepted()),
                origin: Some(origin.clone()),
                ..Surroundings::default()
            };
            fleet(20, Detail::Groups).status(around, NOW)
        };
        assert!(!status(&origin).needs_attention());
        insta::assert_snapshot!(status(&origin).text(), @r"
        60 stacks in 20 tenants: all in sync
        Following revision 0123456789, accepted 39 minutes ago
        From https://host/fleet at the branch `main`, fetched 13 minutes ago
        ");
        origin.trouble = Some(trouble);
        assert!(status(&origin).needs_attention());
        insta::assert_snapshot!(status(&origin).text(), @r"
        60 stacks in 20 tenants: all in sync; the fleet cannot be fetched
        Following revision 0123456789, accepted 39 minutes ago
        From https://host/fleet at the branch `main`, fetched 13 minutes ago

        The fleet cannot be fetched (for 12 minutes, tried 4 times, again in 2 minutes): it stays at what was fetched before
          `https://host/fleet` cannot be reached (no route to host): see that it is up
        ");
        let trouble = origin.trouble.as_mut().expect("trouble");
        trouble.attempts = 2;
        assert!(!status(&origin).needs_attention(), "two failures may be a blip");
    }

    #[test]
    fn what_nobody_can_look_at_is_not_said_to_be_in_sync() {
        let mut counting = fleet(2, Detail::Groups);
        counting.add(record("dune", "queues", Weight::Settled, "in-sync", "as git says"));
        let mut around = trouble_around();
        around.refused = None;
        let status = counting.status(around, NOW);
        assert_eq!(status.out_of_sight, 1);
        let line = status.headline();
        let wanted = "6 in sync, 1 out of sight (last seen in sync); 1 target cannot be seen";
        assert!(line.ends_with(wanted), "{line}");
    }

    #[test]
    fn what_a_window_freezes_is_one_line() {
        let mut counting = fleet(20, Detail::Groups);
        let until = NOW + std::time::Duration::from_secs(3_600);
        let window = "0 18 * * FRI in Europe/Berlin for 62h (weekend)".to_owned();
        let hold = crate::plan::Hold::Frozen { window, until };
        for tenant in ["acme", "bolt", "crow", "dune"] {
            let mut record = record(tenant, "queues", Weight::Waiting, "frozen", "");
            record.verdict = hold.verdict();
            counting.add(record);
        }
        insta::assert_snapshot!(counting.status(Surroundings::default(), NOW).text());
    }

    #[test]
    fn what_drifted_is_listed_the_worst_first() {
        let signature = |severity, place: &str, what: &str, stacks: usize| Signature {
            service: Some("scan-api".parse().expect("a name")),
            place: place.to_owned(),
            kind: "AWS::Lambda::Function".to_owned(),
            what: what.to_owned(),
            severity,
            since: minutes_ago(7),
            stacks: vec![(record("acme", "x", Weight::Settled, "a", "b").key, None); stacks],
            notes: Default::default(),
        };
        let mut drifted = vec![signature(Severity::DataLoss, "Jobs", "deleted", 1)];
        drifted.extend((0..6).map(|number| {
            let what = format!("/P{number} changed: 512, now 1024");
            signature(Severity::Behaviour, "Function", &what, 30)
        }));
        let around = Surroundings { drifted, ..Surroundings::default() };
        insta::assert_snapshot!(fleet(20, Detail::Groups).status(around, NOW).text());
    }

    #[test]
    fn halted_releases_say_why_and_by_whom() {
        let halt = |why: &str, by: Option<&str>, reverting| HaltedRollout {
            service: if reverting { "queues" } else { "scan-api" }.parse().expect("a name"),
            release: crate::ids::Digest::of(why.as_bytes()),
            halt: crate::rollout::Halt {
                at: minutes_ago(7),
                why: why.to_owned(),
                shared: None,
                by: by.map(str::to_owned),
                reverting,
            },
        };
        let why = "4 of 20 failed in wave all, all in us-east-1: Queue (AWS::SQS::Queue): no";
        let halted = vec![halt(why, None, true), halt("tickets", Some("anna"), false)];
        let around = Surroundings { halted, ..Surroundings::default() };
        insta::assert_snapshot!(fleet(20, Detail::Groups).status(around, NOW).text());
    }

    #[test]
    fn a_few_stacks_are_listed_one_by_one() {
        let mut counting = fleet(1, Detail::Groups);
        counting.add(record("tenant-00", "queues", Weight::Stuck, "failed", CAUSE));
        insta::assert_snapshot!(counting.status(Surroundings::default(), NOW).text());
    }

    #[test]
    fn many_stacks_are_listed_only_when_asked_for() {
        let around = Surroundings::default;
        assert!(fleet(7, Detail::Groups).status(around(), NOW).stacks.is_none());
        let every = fleet(7, Detail::EveryStack).status(around(), NOW);
        assert_eq!(every.stacks.map(|stacks| stacks.len()), Some(21));
    }

    #[test]
    fn an_empty_journal_says_so() {
        let status = Counting::new(Detail::Groups).status(Surroundings::default(), NOW);
        assert_eq!(status.text(), "no stack is known yet\n");
    }
}
