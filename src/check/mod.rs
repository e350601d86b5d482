//! Findings on the joined fleet: what no single document shows.

mod adoption;
mod dependencies;
mod freeze;
mod idle_cost;
mod packages;
mod rollouts;
mod services;
mod unused;
mod values;

use crate::desired::Desired;
use crate::fleet::{Complaint, Finding, Gathering, Severity, Source, load_after};
use crate::package::Packaged;
use crate::snapshot::Snapshot;

pub use packages::missing_build_outputs;

/// Names in a list for people: there may be thousands, and as many findings.
const MAX_LISTED: usize = 20;

/// Everything that can be known without AWS, sorted.
pub fn check(desired: &Desired) -> Vec<Finding> {
    let mut findings = Gathering::default();
    services::check(desired, &mut findings);
    packages::check(desired, &mut findings);
    adoption::check(desired, &mut findings);
    dependencies::check(desired, &mut findings);
    rollouts::check(desired, &mut findings);
    values::check(desired, &mut findings);
    freeze::check(desired, &mut findings);
    idle_cost::check(desired, &mut findings);
    // Last: there may be many, and errors are not to be crowded out.
    unused::check(desired, &mut findings);
    let mut findings = findings.into_findings();
    findings.extend(idle_cost::forbidden(desired));
    findings.sort();
    findings
}

/// Reads a snapshot through all checks: what it wants, with warnings only; or all findings, errors
/// among them, when it must not be acted on.
pub fn read(snapshot: &Snapshot) -> Result<(Desired, Vec<Finding>), Vec<Finding>> {
    read_after(&Packaged::default(), snapshot)
}

/// The same after an earlier snapshot: what did not change is not packaged again.
pub fn read_after(
    before: &Packaged,
    snapshot: &Snapshot,
) -> Result<(Desired, Vec<Finding>), Vec<Finding>> {
    let (documents, mut findings) = load_after(before, snapshot);
    let Some(documents) = documents else { return Err(findings) };
    let (desired, joined) = Desired::of(snapshot.revision.clone(), documents);
    findings.extend(joined);
    findings.extend(check(&desired));
    findings.sort();
    if findings.iter().any(Finding::is_error) {
        return Err(findings);
    }
    Ok((desired, findings))
}

/// An error at one place of a document.
fn error<'a>(source: &'a Source, pointer: &'a [&'a str], code: &'static str) -> Complaint<'a> {
    Complaint {
        source,
        pointer,
        at_key: false,
        code,
        subject: "",
        severity: Severity::Error,
        help: None,
    }
}

/// A list of names for people.
fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut names = names.map(|name| format!("`{name}`"));
    let shown: Vec<String> = names.by_ref().take(MAX_LISTED).collect();
    match (shown.as_slice(), names.count()) {
        ([], _) => "there are none".into(),
        ([only], 0) => format!("there is {only} only"),
        (shown, 0) => format!("there are {}", shown.join(", ")),
        (shown, more) => format!("there are {} and {more} more", shown.join(", ")),
    }
}
