//! What a plan says as the status of a commit.

use crate::fleet::{Finding, Severity};
use crate::report::CommitState;
use crate::report::plan::golden::{Files, half, plan};
use crate::report::plan::{refused_status, status};

#[test]
fn a_plan_that_can_be_made_goes_well_and_says_what_it_changes() {
    let status = status(&plan(&Files::of(2), &Files::of(3)), "./fleet/");
    assert_eq!(status.context, "driftless/plan");
    assert_eq!(status.state, CommitState::Success);
    assert_eq!(status.text, "1 to create, 2 unchanged; in 1 tenant");
}

#[test]
fn held_deletions_come_first_and_another_fleet_has_a_status_of_its_own() {
    let status = status(&half("delete"), "staging/fleet");
    assert_eq!(status.context, "driftless/plan/staging/fleet");
    assert_eq!(
        status.text,
        "deletions held until approved; 5 to delete, 5 unchanged; in 5 tenants"
    );
}

#[test]
fn what_the_policy_of_the_fleet_refuses_fails() {
    let mut preview = plan(&Files::of(2), &Files::of(3));
    preview.judged = Some((Severity::Warning, "it costs much".to_owned()));
    assert_eq!(status(&preview, "fleet").state, CommitState::Success);
    preview.judged = Some((Severity::Error, "it costs too much".to_owned()));
    let status = status(&preview, "fleet");
    assert_eq!((status.state, status.text.as_str()), (CommitState::Failure, "it costs too much"));
}

#[test]
fn a_refused_revision_fails_with_its_first_error() {
    let finding = |severity, message: &str| Finding {
        code: "x",
        severity,
        path: "fleet.yaml".to_owned(),
        line: 3,
        column: 1,
        message: message.to_owned(),
        help: Some("mend it".to_owned()),
    };
    let findings = [finding(Severity::Warning, "odd"), finding(Severity::Error, "wrong")];
    let status = refused_status(&findings, "fleet");
    assert_eq!(status.state, CommitState::Failure);
    assert_eq!(status.text, "1 error: fleet/fleet.yaml:3:1: wrong (mend it)");
}
