//! What GitHub is asked and how its answers read: its REST API of 2022-11-28.

use serde_json::{Value, json};

use crate::announce::hosts::calls::Call;
use crate::announce::hosts::error::Task;
use crate::announce::hosts::{Comment, Place, SentStatus};
use crate::announce::http::{Answer, Method};
use crate::announce::secrets::Hidden;
use crate::report::CommitState;

/// Comments of a page: the most that GitHub gives.
const PER_PAGE: u32 = 100;

pub(super) fn headers(token: &Hidden) -> Vec<(&'static str, Hidden)> {
    vec![
        ("accept", Hidden::of("application/vnd.github+json")),
        ("x-github-api-version", Hidden::of("2022-11-28")),
        ("authorization", Hidden::of(format!("Bearer {}", token.reveal()))),
    ]
}

fn call(place: &Place, task: Task, method: Method, path: &str, body: Option<Value>) -> Call {
    Call { task, method, url: format!("{}/repos/{}/{path}", place.api, place.project), body }
}

/// Who we are, asked in GraphQL.
pub(super) fn viewer(place: &Place) -> Call {
    // Enterprise servers have it beside the REST API.
    let url = match place.api.strip_suffix("/api/v3") {
        Some(server) => format!("{server}/api/graphql"),
        None => format!("{}/graphql", place.api),
    };
    let body = json!({ "query": "query { viewer { login } }" });
    Call { task: Task::Introduce, method: Method::Post, url, body: Some(body) }
}

pub(super) fn viewer_of(answer: &Answer) -> Option<String> {
    let value: Value = serde_json::from_str(&answer.body).ok()?;
    Some(value.pointer("/data/viewer/login")?.as_str()?.to_owned())
}

/// Who we are, as people may ask.
pub(super) fn user(place: &Place) -> Call {
    let url = format!("{}/user", place.api);
    Call { task: Task::Introduce, method: Method::Get, url, body: None }
}

pub(super) fn login_of(answer: &Answer) -> Option<String> {
    let value: Value = serde_json::from_str(&answer.body).ok()?;
    Some(value["login"].as_str()?.to_owned())
}

pub(super) fn pull_request(place: &Place, number: u64) -> Call {
    call(place, Task::FindHead, Method::Get, &format!("pulls/{number}"), None)
}

pub(super) fn head_of(answer: &Answer) -> Option<String> {
    let value: Value = serde_json::from_str(&answer.body).ok()?;
    Some(value.pointer("/head/sha")?.as_str()?.to_owned())
}

pub(super) fn comments(place: &Place, number: u64, page: u32) -> Call {
    let path = format!("issues/{number}/comments?per_page={PER_PAGE}&page={page}");
    call(place, Task::ListComments, Method::Get, &path, None)
}

pub(super) fn comments_of(answer: &Answer) -> Option<Vec<Comment>> {
    let values: Vec<Value> = serde_json::from_str(&answer.body).ok()?;
    let comment = |value: &Value| {
        Some(Comment {
            id: value["id"].as_u64()?,
            // Accounts that were deleted have none.
            author: value["user"]["login"].as_str().unwrap_or_default().to_owned(),
            body: value["body"].as_str().unwrap_or_default().to_owned(),
        })
    };
    values.iter().map(comment).collect()
}

/// Whether there is a further page. Only that is taken from the link, which could lead anywhere.
pub(super) fn has_more(answer: &Answer) -> bool {
    answer.header("link").is_some_and(|link| link.contains("rel=\"next\""))
}

pub(super) fn create(place: &Place, number: u64, body: &str) -> Call {
    let path = format!("issues/{number}/comments");
    call(place, Task::WriteComment, Method::Post, &path, Some(json!({ "body": body })))
}

pub(super) fn update(place: &Place, id: u64, body: &str) -> Call {
    let path = format!("issues/comments/{id}");
    call(place, Task::WriteComment, Method::Patch, &path, Some(json!({ "body": body })))
}

pub(super) fn remove(place: &Place, id: u64) -> Call {
    call(place, Task::RemoveComment, Method::Delete, &format!("issues/comments/{id}"), None)
}

pub(super) fn status(place: &Place, sent: &SentStatus<'_>) -> Call {
    let state = match sent.status.state {
        CommitState::Pending => "pending",
        CommitState::Success => "success",
        CommitState::Failure => "failure",
        CommitState::Error => "error",
    };
    let mut body = json!({
        "state": state,
        "context": sent.status.context,
        "description": sent.status.text,
    });
    if let Some(link) = sent.link {
        body["target_url"] = link.into();
    }
    call(place, Task::SetStatus, Method::Post, &format!("statuses/{}", sent.revision), Some(body))
}
