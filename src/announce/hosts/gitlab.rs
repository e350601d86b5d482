//! What GitLab is asked and how its answers read: its REST API, version 4.

use serde_json::{Value, json};

use crate::announce::hosts::calls::Call;
use crate::announce::hosts::error::Task;
use crate::announce::hosts::{Comment, HostError, Place, SentStatus, Trouble};
use crate::announce::http::{Answer, Method};
use crate::announce::secrets::Hidden;
use crate::report::CommitState;

/// Notes of a page: they may be fifteen times as long as GitHub's.
const PER_PAGE: u32 = 50;

pub(super) fn headers(token: &Hidden) -> Vec<(&'static str, Hidden)> {
    vec![("private-token", token.clone())]
}

fn call(place: &Place, task: Task, method: Method, path: &str, body: Option<Value>) -> Call {
    let project: String = form_urlencoded::byte_serialize(place.project.as_bytes()).collect();
    Call { task, method, url: format!("{}/projects/{project}/{path}", place.api), body }
}

/// Who we are.
pub(super) fn user(place: &Place) -> Call {
    let url = format!("{}/user", place.api);
    Call { task: Task::Introduce, method: Method::Get, url, body: None }
}

pub(super) fn id_of(answer: &Answer) -> Option<String> {
    let value: Value = serde_json::from_str(&answer.body).ok()?;
    Some(value["id"].as_u64()?.to_string())
}

pub(super) fn merge_request(place: &Place, number: u64) -> Call {
    call(place, Task::FindHead, Method::Get, &format!("merge_requests/{number}"), None)
}

pub(super) fn head_of(answer: &Answer) -> Option<String> {
    let value: Value = serde_json::from_str(&answer.body).ok()?;
    Some(value["sha"].as_str()?.to_owned())
}

pub(super) fn comments(place: &Place, number: u64, page: u32) -> Call {
    let path = format!(
        "merge_requests/{number}/notes?sort=asc&order_by=created_at&per_page={PER_PAGE}&page={page}"
    );
    call(place, Task::ListComments, Method::Get, &path, None)
}

pub(super) fn comments_of(answer: &Answer) -> Option<Vec<Comment>> {
    let values: Vec<Value> = serde_json::from_str(&answer.body).ok()?;
    let comment = |value: &Value| {
        Some(Comment {
            id: value["id"].as_u64()?,
            author: value["author"]["id"].as_u64().map(|id| id.to_string()).unwrap_or_default(),
            body: value["body"].as_str().unwrap_or_default().to_owned(),
        })
    };
    values.iter().map(comment).collect()
}

/// Whether there is a further page.
pub(super) fn has_more(answer: &Answer) -> bool {
    answer.header("x-next-page").is_some_and(|page| !page.trim().is_empty())
}

pub(super) fn create(place: &Place, number: u64, body: &str) -> Call {
    let path = format!("merge_requests/{number}/notes");
    call(place, Task::WriteComment, Method::Post, &path, Some(json!({ "body": body })))
}

pub(super) fn update(place: &Place, number: u64, id: u64, body: &str) -> Call {
    let path = format!("merge_requests/{number}/notes/{id}");
    call(place, Task::WriteComment, Method::Put, &path, Some(json!({ "body": body })))
}

pub(super) fn remove(place: &Place, number: u64, id: u64) -> Call {
    let path = format!("merge_requests/{number}/notes/{id}");
    call(place, Task::RemoveComment, Method::Delete, &path, None)
}

pub(super) fn status(place: &Place, sent: &SentStatus<'_>) -> Call {
    let state = match sent.status.state {
        // From `pending` a status cannot become `success`; from this it can.
        CommitState::Pending => "running",
        CommitState::Success => "success",
        CommitState::Failure | CommitState::Error => "failed",
    };
    let mut body = json!({
        "state": state,
        "name": sent.status.context,
        "description": sent.status.text,
    });
    if let Some(link) = sent.link {
        body["target_url"] = link.into();
    }
    if let Some(pipeline) = sent.pipeline {
        body["pipeline_id"] = pipeline.into();
    }
    call(place, Task::SetStatus, Method::Post, &format!("statuses/{}", sent.revision), Some(body))
}

/// Whether the status is refused for being in that state already. GitLab then keeps the text that it
/// has, which the next state replaces.
pub(super) fn is_there(error: &HostError) -> bool {
    error.trouble == Trouble::Invalid && error.said.contains("Cannot transition status")
}
