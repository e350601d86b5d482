//! The pull request that a job in CI works on, from the variables that GitHub Actions and GitLab CI
//! set.

use std::path::Path;

use serde_json::Value;

use crate::announce::hosts::{GitHost, Place};
use crate::announce::secrets::{Environment, Hidden, read_file};
use crate::fleet::why_not_a_url;
use crate::ids::Revision;

/// GitHub's limit for what it tells a job of its event.
const MAX_EVENT_BYTES: u64 = 25 * 1_024 * 1_024;

/// A pull request, or a merge request as GitLab calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The repository that it wants to go into, and the token.
    pub place: Place,
    /// Its number there.
    pub number: u64,
    /// The commit that a status is of; `None`: the host has to be asked.
    pub head: Option<Revision>,
    /// The repository of that commit: the same, but for GitLab's forks.
    pub status_place: Place,
    /// Where the job's log is.
    pub link: Option<String>,
    /// GitLab's pipeline that the job belongs to.
    pub pipeline: Option<String>,
    /// It comes from a fork, whose jobs get no token that may write.
    pub is_fork: bool,
}

/// Why nothing can be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unposted {
    /// There is no token: as for forks, or on somebody's laptop. A sentence.
    NoToken(String),
    /// What the variables say is not enough.
    Unclear {
        /// What is wrong.
        what: String,
        /// What to do.
        help: String,
    },
}

fn unclear(what: impl Into<String>, help: impl Into<String>) -> Unposted {
    Unposted::Unclear { what: what.into(), help: help.into() }
}

impl Change {
    /// The change that this job works on.
    pub fn of(host: GitHost, environment: &Environment) -> Result<Self, Unposted> {
        match host {
            GitHost::GitHub => github(environment),
            GitHost::GitLab => gitlab(environment),
        }
    }
}

fn place(
    host: GitHost,
    project: String,
    token: &Hidden,
    environment: &Environment,
) -> Result<Place, Unposted> {
    let name = host.api_variable();
    // A token is not sent to a host that nobody named.
    let Some(api) = environment(name) else {
        let help = format!("jobs have it; elsewhere set it, such as to `{}`", host.usual_api());
        return Err(unclear(format!("{name} is not set"), help));
    };
    if let Some(why) = why_not_a_url(&api) {
        let help = format!("write one such as `{}`", host.usual_api());
        return Err(unclear(format!("{name} cannot be used: {why}"), help));
    }
    let api = api.trim_end_matches('/').to_owned();
    Ok(Place { host, api, project, token: token.clone() })
}

fn github(environment: &Environment) -> Result<Change, Unposted> {
    let Some(token) = environment("GITHUB_TOKEN").map(Hidden::of) else {
        let why = "GITHUB_TOKEN is not set: jobs of forks get no secrets, and others are given it as \
                   `env: { GITHUB_TOKEN: \"${{ github.token }}\" }`";
        return Err(Unposted::NoToken(why.to_owned()));
    };
    let Some(repository) = environment("GITHUB_REPOSITORY") else {
        let help = "GitHub Actions sets it; elsewhere set it to `owner/name`";
        return Err(unclear("GITHUB_REPOSITORY is not set", help));
    };
    let event = environment("GITHUB_EVENT_PATH").map(|path| event(&path)).transpose()?;
    let event = event.unwrap_or_default();
    let reference = environment("GITHUB_REF").unwrap_or_default();
    let by_ref = reference.strip_prefix("refs/pull/").and_then(|rest| rest.split('/').next());
    let number = event
        .pointer("/pull_request/number")
        // A comment on a pull request is one on an issue, as events tell it.
        .or_else(|| {
            event.pointer("/issue/pull_request").and_then(|_| event.pointer("/issue/number"))
        })
        .and_then(Value::as_u64)
        .or_else(|| by_ref.and_then(|number| number.parse().ok()));
    let Some(number) = number else {
        let help = "run it in a workflow `on: pull_request`; elsewhere set GITHUB_REF to \
                    `refs/pull/NUMBER/head`";
        return Err(unclear("this job belongs to no pull request", help));
    };
    let text = |path: &str| event.pointer(path).and_then(Value::as_str);
    let names =
        text("/pull_request/head/repo/full_name").zip(text("/pull_request/base/repo/full_name"));
    let run = environment("GITHUB_SERVER_URL").zip(environment("GITHUB_RUN_ID"));
    let link = run.map(|(server, run)| format!("{server}/{repository}/actions/runs/{run}"));
    let place = place(GitHost::GitHub, repository, &token, environment)?;
    Ok(Change {
        status_place: place.clone(),
        place,
        number,
        head: text("/pull_request/head/sha").map(Revision::of),
        link,
        pipeline: None,
        is_fork: names.is_some_and(|(head, base)| head != base),
    })
}

fn event(path: &str) -> Result<Value, Unposted> {
    let help = "GitHub Actions sets GITHUB_EVENT_PATH; elsewhere leave it out and set GITHUB_REF to \
                `refs/pull/NUMBER/head`";
    let text = read_file(Path::new(path), MAX_EVENT_BYTES);
    let text =
        text.map_err(|error| unclear(format!("cannot read the event `{path}`: {error}"), help))?;
    serde_json::from_str(&text)
        .map_err(|error| unclear(format!("the event `{path}` is not JSON: {error}"), help))
}

fn gitlab(environment: &Environment) -> Result<Change, Unposted> {
    let Some(token) = environment("GITLAB_TOKEN").map(Hidden::of) else {
        let why = "GITLAB_TOKEN is not set: jobs of forks get no secrets, and the token of a job \
                   (CI_JOB_TOKEN) cannot write notes; others get a project access token as a masked \
                   variable";
        return Err(Unposted::NoToken(why.to_owned()));
    };
    let set = |name: &str| {
        let help = "run it in a pipeline of merge requests \
                    (`rules: [{ if: $CI_PIPELINE_SOURCE == \"merge_request_event\" }]`); elsewhere set \
                    CI_PROJECT_ID, CI_MERGE_REQUEST_IID and CI_COMMIT_SHA";
        environment(name).ok_or_else(|| {
            unclear(format!("this job belongs to no merge request: {name} is not set"), help)
        })
    };
    let iid = set("CI_MERGE_REQUEST_IID")?;
    let Ok(number) = iid.parse() else {
        return Err(unclear(
            format!("CI_MERGE_REQUEST_IID is `{iid}`"),
            "write the number of the merge request",
        ));
    };
    let job_project = set("CI_PROJECT_ID")?;
    let into = environment("CI_MERGE_REQUEST_PROJECT_ID").unwrap_or_else(|| job_project.clone());
    let from = environment("CI_MERGE_REQUEST_SOURCE_PROJECT_ID").unwrap_or_else(|| into.clone());
    let pipeline = environment("CI_PIPELINE_ID");
    // A pipeline knows the commit that it runs for, which may be a merge that no branch has; without
    // one the status belongs to the branch.
    let branch = environment("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA").filter(|_| pipeline.is_none());
    let head = branch.or_else(|| environment("CI_COMMIT_SHA"));
    Ok(Change {
        is_fork: from != into,
        place: place(GitHost::GitLab, into, &token, environment)?,
        number,
        head: head.map(|head| Revision::of(&head)),
        status_place: place(GitHost::GitLab, job_project, &token, environment)?,
        link: environment("CI_JOB_URL"),
        pipeline,
    })
}
