//! What drifted, for people and programs: signatures with counts and examples, the worst first, and
//! what could not be looked into.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::time::Duration;

use serde_json::Value;

use crate::drift::{DriftRecord, Severity, Signature, signatures};
use crate::ids::StackKey;
use crate::moment::Moment;
use crate::report::output::{DriftOutput, DriftSignature, DriftTrouble, FORMAT_VERSION, value};
use crate::report::words::{ago, counted, cut, indented, lasting};

/// Stacks named for each signature.
const EXAMPLES: usize = 3;
/// Reasons or types named in one line.
const NAMED: usize = 5;
/// Characters of a value or a cause in a line.
const WIDTH: usize = 160;

/// What a report is made from.
#[derive(Clone, Debug)]
pub struct DriftReport {
    /// When it was made.
    pub at: Moment,
    /// All drift, the worst first.
    pub signatures: Vec<Signature>,
    /// How many stacks are looked into.
    pub stacks: usize,
    /// How many of them were not looked into yet.
    pub never: usize,
    /// When the one was looked into that waits longest.
    pub oldest: Option<Moment>,
    /// Why stacks could not be looked into, each with the stacks.
    pub troubles: BTreeMap<String, Vec<StackKey>>,
    /// Resources that nobody can look into, by type.
    pub unchecked: BTreeMap<String, usize>,
    /// What does not count, by its reason.
    pub ignored: BTreeMap<String, usize>,
    /// Stacks that should have been looked into more than an hour ago.
    pub overdue: usize,
    drifted: usize,
}

/// Looks come every half an hour or so: what waits for longer waits for calls.
const OVERDUE: Duration = Duration::from_secs(60 * 60);

impl DriftReport {
    /// A report about these records.
    pub fn of(records: &[DriftRecord], at: Moment) -> Self {
        let mut troubles: BTreeMap<String, Vec<StackKey>> = BTreeMap::new();
        let mut unchecked: BTreeMap<String, usize> = BTreeMap::new();
        let mut ignored: BTreeMap<String, usize> = BTreeMap::new();
        for record in records {
            if let Some(trouble) = &record.trouble {
                troubles.entry(cut(trouble, WIDTH)).or_default().push(record.key.clone());
            }
            for one in record.unchecked.iter().filter(|one| one.reason.is_none()) {
                *unchecked.entry(one.kind.clone()).or_default() += 1;
            }
            for one in &record.ignored {
                *ignored.entry(one.reason.clone()).or_default() += 1;
            }
        }
        Self {
            at,
            signatures: signatures(records.iter()),
            stacks: records.len(),
            never: records.iter().filter(|record| record.checked_at.is_none()).count(),
            oldest: records.iter().filter_map(|record| record.checked_at).min(),
            troubles,
            unchecked,
            ignored,
            overdue: records.iter().filter(|one| at.since(one.due_at) > OVERDUE).count(),
            drifted: records.iter().filter(|record| record.says_something()).count(),
        }
    }

    /// Whether anything drifted.
    pub fn has_drift(&self) -> bool {
        !self.signatures.is_empty()
    }

    /// `303 of 40,000 stacks drifted, in 4 ways: 2 security, 1 data loss, 1 behaviour`
    pub fn headline(&self) -> String {
        if self.stacks == 0 {
            return "no stack is looked into for drift yet".to_owned();
        }
        if !self.has_drift() {
            let seen = self.stacks - self.never;
            return match self.never {
                0 => format!("no drift in {}", counted(seen, "stack")),
                never => {
                    format!("no drift in {}; {never} not looked into yet", counted(seen, "stack"))
                }
            };
        }
        let ways = match self.signatures.len() {
            1 => "in one way".to_owned(),
            count => format!("in {count} ways"),
        };
        format!(
            "{} of {} drifted, {ways}: {}",
            self.drifted,
            counted(self.stacks, "stack"),
            self.by_severity()
        )
    }

    fn by_severity(&self) -> String {
        let all = [Severity::Security, Severity::DataLoss, Severity::Behaviour, Severity::Cosmetic];
        let count =
            |severity| self.signatures.iter().filter(|one| one.severity == severity).count();
        let counts = all.map(|severity| (count(severity), severity));
        let parts = counts.iter().filter(|(count, _)| *count > 0);
        parts.map(|(count, severity)| format!("{count} {severity}")).collect::<Vec<_>>().join(", ")
    }

    /// The report for people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "{}", self.headline())?;
        let mut last = None;
        for signature in &self.signatures {
            if last != Some(signature.severity) {
                writeln!(out, "\n{}", title(signature.severity))?;
                last = Some(signature.severity);
            }
            self.write_signature(signature, out)?;
        }
        for line in self.rest() {
            writeln!(out, "\n{}", indented(&line, 2))?;
        }
        Ok(())
    }

    fn write_signature(&self, signature: &Signature, out: &mut String) -> fmt::Result {
        let count = counted(signature.stacks.len(), "stack");
        writeln!(out, "  {}: {count}: {}", service(signature), cut(&signature.line(), WIDTH))?;
        let (since, examples) = (lasting(self.at, signature.since), examples(signature));
        let first = if signature.stacks.len() > 1 { "the first " } else { "" };
        writeln!(out, "    {first}{since}: {examples}")?;
        for note in &signature.notes {
            writeln!(out, "    {}", indented(note, 4))?;
        }
        Ok(())
    }

    /// What else there is to know: sentences, some of several lines.
    fn rest(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.troubles.is_empty() {
            let of = |(why, stacks): (&String, &Vec<StackKey>)| {
                let named = some(stacks.iter().map(ToString::to_string));
                format!("{}: {why}\n  {named}", counted(stacks.len(), "stack"))
            };
            let all: Vec<String> = self.troubles.iter().take(NAMED).map(of).collect();
            lines.push(format!("Not seen whole, and tried again\n{}", all.join("\n")));
        }
        if !self.unchecked.is_empty() {
            let count: usize = self.unchecked.values().sum();
            let kinds = self.unchecked.iter().map(|(kind, count)| format!("{kind} ({count})"));
            lines.push(format!(
                "{} of types that CloudFormation does not look into: {}",
                counted(count, "resource"),
                some(kinds)
            ));
        }
        if !self.ignored.is_empty() {
            let count: usize = self.ignored.values().sum();
            let reasons = self.ignored.iter().map(|(reason, count)| format!("{reason} ({count})"));
            let differences = counted(count, "difference");
            lines.push(format!("{differences} left out as no drift: {}", some(reasons)));
        }
        if self.overdue > 0 {
            lines.push(format!(
                "{} overdue: nobody runs, or the calls of `limits.driftCalls` are used up",
                counted(self.overdue, "stack")
            ));
        }
        if let Some(oldest) = self.oldest {
            let never = match self.never {
                0 => String::new(),
                never => format!("; {} never", counted(never, "stack")),
            };
            let since = ago(self.at, oldest);
            lines.push(format!("The stack that waits longest was looked into {since}{never}"));
        }
        lines
    }

    /// The report as Markdown, for a comment or an issue.
    pub fn markdown(&self) -> String {
        let mut text = format!("### Drift\n\n**{}**\n", plain(&self.headline()));
        if self.has_drift() {
            text.push_str("\n| severity | service | what | stacks | since | examples |\n");
            text.push_str("|---|---|---|---:|---|---|\n");
        }
        for signature in &self.signatures {
            let notes: Vec<String> = signature.notes.iter().map(|note| plain(note)).collect();
            let notes = if notes.is_empty() {
                String::new()
            } else {
                format!("<br>{}", notes.join("<br>"))
            };
            text.push_str(&format!(
                "| {} | {} | {}{notes} | {} | {} | {} |\n",
                signature.severity,
                plain(&service(signature)),
                plain(&cut(&signature.line(), WIDTH)),
                signature.stacks.len(),
                ago(self.at, signature.since),
                plain(&examples(signature)),
            ));
        }
        for line in self.rest() {
            text.push_str(&format!(
                "\n{}\n",
                plain(&line.replace("\n  ", " ").replace('\n', "; "))
            ));
        }
        text
    }

    /// The report for programs.
    pub fn json(&self) -> Value {
        let trouble = |(why, stacks): (&String, &Vec<StackKey>)| DriftTrouble {
            why: why.clone(),
            stacks: stacks.iter().map(ToString::to_string).collect(),
        };
        value(&DriftOutput {
            version: FORMAT_VERSION,
            at: self.at.to_string(),
            stacks: self.stacks,
            drifted: self.drifted,
            never_seen: self.never,
            oldest: self.oldest.map(|at| at.to_string()),
            signatures: self.signatures.iter().map(DriftSignature::of).collect(),
            troubles: self.troubles.iter().map(trouble).collect(),
            unchecked: self.unchecked.clone(),
            ignored: self.ignored.clone(),
        })
    }
}

fn title(severity: Severity) -> &'static str {
    match severity {
        Severity::Security => "Security: who may do what, who can reach it, what is encrypted",
        Severity::DataLoss => "Data: gone, or gone sooner than it should be",
        Severity::Behaviour => "Behaviour",
        Severity::Cosmetic => "Cosmetic",
    }
}

fn service(signature: &Signature) -> String {
    signature.service.as_ref().map_or_else(|| "(unknown)".to_owned(), ToString::to_string)
}

/// The first stacks of a signature, by tenant where there is one.
fn examples(signature: &Signature) -> String {
    let names = signature.stacks.iter().take(EXAMPLES).map(|(key, tenant)| match tenant {
        Some(tenant) => format!("{tenant} ({})", key.target),
        None => key.to_string(),
    });
    let names: Vec<String> = names.collect();
    match signature.stacks.len() - names.len() {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// The first of many.
fn some(all: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = all.collect::<BTreeSet<_>>().into_iter().collect();
    let named = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Text that Markdown takes for nothing but text.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in indented(text, 0).chars() {
        match character {
            '|' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '#' | '\\' => {
                plain.push('\\');
                plain.push(character);
            }
            '\n' => plain.push(' '),
            other => plain.push(other),
        }
    }
    plain
}

/// A line for each signature, with examples.
pub fn drift_lines(signatures: &[Signature]) -> String {
    let mut text = String::new();
    for signature in signatures {
        let count = counted(signature.stacks.len(), "stack");
        let line = cut(&signature.line(), WIDTH);
        let examples = examples(signature);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {}: {count}: {line}\n    {examples}", service(signature));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::{Finding, Ignored, Unchecked, What};
    use crate::observed::Direction;
    use crate::report::sample::{NOW, minutes_ago, target};

    fn record(tenant: &str, service: &str, findings: Vec<Finding>, age: u64) -> DriftRecord {
        let key = StackKey { target: target(tenant), name: service.parse().expect("a name") };
        let mut record = DriftRecord::due(&key, NOW);
        record.tenant = Some(tenant.parse().expect("a name"));
        record.service = Some(service.parse().expect("a name"));
        record.checked_at = Some(minutes_ago(age));
        record.since =
            findings.iter().map(|finding| (finding.subject(), minutes_ago(age + 60))).collect();
        record.findings = findings;
        record
    }

    fn finding(logical_id: &str, kind: &str, what: What) -> Finding {
        Finding {
            within: String::new(),
            logical_id: logical_id.to_owned(),
            kind: kind.to_owned(),
            physical_id: None,
            what,
        }
    }

    fn property(path: &str, expected: Option<&str>, actual: Option<&str>) -> What {
        What::Property {
            path: path.to_owned(),
            direction: Direction::Changed,
            expected: expected.map(str::to_owned),
            actual: actual.map(str::to_owned),
        }
    }

    fn sample() -> DriftReport {
        let memory = || {
            let what = property("/MemorySize", Some("512"), Some("1024"));
            finding("Function", "AWS::Lambda::Function", what)
        };
        let mut records: Vec<DriftRecord> = (0..30)
            .map(|number| record(&format!("tenant-{number:02}"), "scan-api", vec![memory()], 90))
            .collect();
        let what = property("/PolicyDocument/Statement/0/Principal", None, None);
        let policy = finding("Access", "AWS::S3::BucketPolicy", what);
        let mut opened = record("acme", "files", vec![policy], 30);
        let subject = opened.findings[0].subject();
        opened.cannot_revert([subject.as_str()].into_iter(), "this endpoint knows no REVERT_DRIFT");
        opened.ignored.push(Ignored {
            subject: "Bucket /Tags/* added".to_owned(),
            reason: "the cost tool tags what it counts".to_owned(),
            harmless: false,
        });
        records.push(opened);
        let queue = finding("Jobs", "AWS::SQS::Queue", What::Deleted);
        records.push(record("bolt", "queues", vec![queue], 600));
        let mut unseen = record("crow", "queues", Vec::new(), 700);
        unseen.trouble = Some("Rate exceeded".to_owned());
        unseen.unchecked.insert(Unchecked {
            place: "Flow".to_owned(),
            kind: "Custom::Thing".to_owned(),
            reason: None,
        });
        records.push(unseen);
        let mut fresh = record("dune", "queues", Vec::new(), 0);
        fresh.checked_at = None;
        records.push(fresh);
        DriftReport::of(&records, NOW)
    }

    #[test]
    fn the_first_line_says_what_how_many_and_how_bad() {
        insta::assert_snapshot!(sample().text());
    }

    #[test]
    fn markdown_is_a_table_that_nothing_breaks() {
        insta::assert_snapshot!(sample().markdown());
    }

    #[test]
    fn json_has_a_version_and_every_stack() {
        let json = sample().json();
        assert_eq!(json["version"], 1);
        assert_eq!(json["drifted"], 32);
        assert_eq!(json["signatures"][2]["stacks"].as_array().map(Vec::len), Some(30));
        assert_eq!(json["signatures"][0]["severity"], "security");
    }

    #[test]
    fn without_drift_it_says_so_and_what_was_not_seen() {
        let whole = DriftReport::of(&[record("acme", "files", Vec::new(), 30)], NOW);
        assert_eq!(whole.headline(), "no drift in 1 stack");
        let mut unseen = record("acme", "files", Vec::new(), 30);
        unseen.checked_at = None;
        let report = DriftReport::of(&[unseen], NOW);
        assert_eq!(report.headline(), "no drift in 0 stacks; 1 not looked into yet");
        assert_eq!(DriftReport::of(&[], NOW).headline(), "no stack is looked into for drift yet");
    }
}
