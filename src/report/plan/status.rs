//! A plan as the status of a commit.

use crate::fleet::{Finding, Severity};
use crate::plan::preview::Preview;
use crate::report::plan::parts::label;
use crate::report::plan::{complaint, counts};
use crate::report::{CommitState, CommitStatus, counted};

/// The status of a commit whose plan this is. It goes well whatever it changes, unless the fleet's
/// own policy refuses it: merging is what people decide. `folder` is that of the fleet, which tells
/// several fleets of a repository apart.
pub fn status(preview: &Preview, folder: &str) -> CommitStatus {
    if let Some((Severity::Error, why)) = &preview.judged {
        return CommitStatus::new(&context(folder), CommitState::Failure, why);
    }
    let counts = counts(preview);
    let counts = counts.strip_prefix("Stacks: ").unwrap_or(&counts);
    let is_held = preview.deletions.as_ref().is_some_and(|deletions| deletions.held.is_some());
    let held = if is_held { "deletions held until approved; " } else { "" };
    CommitStatus::new(&context(folder), CommitState::Success, &format!("{held}{counts}"))
}

/// The status of a commit that is refused.
pub fn refused_status(findings: &[Finding], folder: &str) -> CommitStatus {
    let errors: Vec<&Finding> = findings.iter().filter(|finding| finding.is_error()).collect();
    let first = errors.first().map(|finding| complaint(finding, folder)).unwrap_or_default();
    let text =
        format!("{}: {}", counted(errors.len(), "error"), first.trim_start_matches("error: "));
    CommitStatus::new(&context(folder), CommitState::Failure, &text)
}

/// `driftless/plan`, which branch protection may require.
fn context(folder: &str) -> String {
    match label(folder) {
        None => "driftless/plan".to_owned(),
        Some(label) => format!("driftless/plan/{label}"),
    }
}
