//! Which pull request a job is for, from what GitHub Actions and GitLab CI tell it.

use std::collections::BTreeMap;
use std::sync::Arc;

use driftless::announce::Environment;
use driftless::announce::hosts::{Change, GitHost, Unposted};
use serde_json::{Value, json};

fn environment(variables: &[(&str, &str)]) -> Environment {
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Arc::new(move |name| variables.get(name).cloned())
}

/// A job of GitHub Actions for an event, with some variables more.
fn github(event: &Value, more: &[(&str, &str)]) -> Result<Change, Unposted> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("event.json");
    std::fs::write(&path, event.to_string()).expect("a file");
    let mut variables = vec![
        ("GITHUB_TOKEN", "t"),
        ("GITHUB_REPOSITORY", "acme/fleet"),
        ("GITHUB_EVENT_PATH", path.to_str().expect("text")),
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_RUN_ID", "55"),
        ("GITHUB_API_URL", "https://api.github.com"),
    ];
    variables.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    variables.extend(more);
    Change::of(GitHost::GitHub, &environment(&variables))
}

fn pull_request(head: &str) -> Value {
    json!({
        "action": "synchronize",
        "number": 7,
        "pull_request": {
            "number": 7,
            "head": { "sha": "abc", "repo": { "full_name": head } },
            "base": { "sha": "def", "repo": { "full_name": "acme/fleet" } },
        },
    })
}

#[test]
fn a_job_of_github_actions_knows_its_pull_request() {
    let change = github(&pull_request("acme/fleet"), &[]).expect("a change");
    assert_eq!((change.number, change.is_fork), (7, false));
    assert_eq!(change.head.as_ref().map(|head| head.as_str()), Some("abc"));
    assert_eq!(change.link.as_deref(), Some("https://github.com/acme/fleet/actions/runs/55"));
    assert_eq!(change.place.api, "https://api.github.com");
    assert!(!format!("{change:?}").contains("\"t\""), "the token is shown nowhere");
    let change = github(&pull_request("anna/fleet"), &[]).expect("a change");
    assert!(change.is_fork);
    let server = ("GITHUB_API_URL", "https://git.acme.example/api/v3/");
    let change = github(&pull_request("acme/fleet"), &[server]).expect("a change");
    assert_eq!(change.place.api, "https://git.acme.example/api/v3");
}

#[test]
fn a_comment_on_a_pull_request_and_a_ref_name_it_too() {
    let comment = json!({ "issue": { "number": 9, "pull_request": { "url": "x" } } });
    let change = github(&comment, &[]).expect("a change");
    assert_eq!((change.number, change.head), (9, None));
    let change = github(&json!({}), &[("GITHUB_REF", "refs/pull/11/merge")]).expect("a change");
    assert_eq!(change.number, 11);
}

fn unclear(change: Result<Change, Unposted>) -> (String, String) {
    match change {
        Err(Unposted::Unclear { what, help }) => (what, help),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_job_for_no_pull_request_is_told_how_to_be_one() {
    let issue = json!({ "issue": { "number": 9 } });
    for event in [&issue, &json!({ "ref": "refs/heads/main" })] {
        let (what, help) = unclear(github(event, &[("GITHUB_REF", "refs/heads/main")]));
        assert_eq!(what, "this job belongs to no pull request");
        assert!(help.contains("refs/pull/NUMBER/head"), "{help}");
    }
    let plain = ("GITHUB_API_URL", "http://git.acme.example");
    let (what, _) = unclear(github(&pull_request("acme/fleet"), &[plain]));
    assert!(what.contains("GITHUB_API_URL") && what.contains("http://"), "{what}");
    let path = ("GITHUB_EVENT_PATH", "/nonexistent/event.json");
    let (what, _) = unclear(github(&json!({}), &[path]));
    assert!(what.contains("/nonexistent/event.json"), "{what}");
    let variables = [("GITLAB_TOKEN", "t"), ("CI_PROJECT_ID", "5")];
    let (what, help) = unclear(Change::of(GitHost::GitLab, &environment(&variables)));
    assert!(what.contains("CI_MERGE_REQUEST_IID"), "{what}");
    assert!(help.contains("merge_request_event"), "{help}");
}

#[test]
fn without_a_token_there_is_nothing_to_post_with() {
    let none = environment(&[("CI_JOB_TOKEN", "t"), ("GITHUB_REPOSITORY", "acme/fleet")]);
    for (host, word) in [(GitHost::GitHub, "GITHUB_TOKEN"), (GitHost::GitLab, "CI_JOB_TOKEN")] {
        let Err(Unposted::NoToken(why)) = Change::of(host, &none) else { panic!("no token") };
        assert!(why.contains(word) && why.contains("forks"), "{why}");
    }
}

fn gitlab(more: &[(&str, &str)]) -> Change {
    let mut variables = vec![
        ("GITLAB_TOKEN", "t"),
        ("CI_API_V4_URL", "https://gitlab.acme.example/api/v4"),
        ("CI_PROJECT_ID", "5"),
        ("CI_MERGE_REQUEST_IID", "7"),
        ("CI_COMMIT_SHA", "merged"),
        ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "branch"),
        ("CI_JOB_URL", "https://gitlab.acme.example/jobs/1"),
    ];
    variables.extend(more);
    Change::of(GitHost::GitLab, &environment(&variables)).expect("a change")
}

#[test]
fn a_job_of_gitlab_knows_its_merge_request() {
    let change = gitlab(&[]);
    assert_eq!((change.number, change.place.project.as_str()), (7, "5"));
    assert_eq!(change.place.api, "https://gitlab.acme.example/api/v4");
    assert_eq!(change.head.as_ref().map(|head| head.as_str()), Some("branch"));
    assert!(!change.is_fork);
    // The status of a job's pipeline is of the commit that the pipeline is of.
    let change = gitlab(&[("CI_PIPELINE_ID", "99")]);
    assert_eq!(change.head.as_ref().map(|head| head.as_str()), Some("merged"));
    assert_eq!(change.pipeline.as_deref(), Some("99"));
}

#[test]
fn a_merge_request_of_a_fork_is_in_the_project_that_it_wants_to_go_into() {
    let change = gitlab(&[
        ("CI_PROJECT_ID", "6"),
        ("CI_MERGE_REQUEST_PROJECT_ID", "5"),
        ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "6"),
    ]);
    assert!(change.is_fork);
    assert_eq!((change.place.project.as_str(), change.status_place.project.as_str()), ("5", "6"));
}
