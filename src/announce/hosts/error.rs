//! What a git host would not do, in words: what was asked, what it answered, what to do about it.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::announce::hosts::{GitHost, Place};
use crate::announce::http::Answer;
use crate::report::brief;

/// What is shown of an answer.
const MAX_TEXT: usize = 300;

/// Why a call came to nothing, and so what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The token is none, or may not do it: a person has to give it the rights.
    Rights,
    /// What it is about is not there, or is hidden from the token.
    Missing,
    /// The host does not take what was sent, and never will.
    Invalid,
    /// The host did not answer well for as long as it was asked: again later.
    Busy,
    /// The answer is none of this API: something else answers there.
    Odd,
}

/// A git host did not do what it was asked for. No text holds the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} ({said})")]
pub struct HostError {
    /// What kind of trouble.
    pub trouble: Trouble,
    /// What happened, a sentence.
    pub what: String,
    /// What the host said.
    pub said: String,
    /// What to do about it.
    pub help: String,
}

/// What is asked of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Introduce,
    FindHead,
    ListComments,
    WriteComment,
    RemoveComment,
    SetStatus,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Introduce => "say whose token this is",
            Self::FindHead => "say which commit the pull request is at",
            Self::ListComments => "list the comments",
            Self::WriteComment => "write the comment",
            Self::RemoveComment => "remove a comment",
            Self::SetStatus => "set the status of the commit",
        })
    }
}

impl Task {
    /// The right that it takes.
    fn right(self, host: GitHost) -> &'static str {
        match (host, self) {
            (GitHost::GitHub, Self::Introduce) => {
                "use the token of GitHub Actions, of an app or of a person"
            }
            (GitHost::GitHub, Self::FindHead | Self::ListComments) => {
                "give the token `pull-requests: read` (in GitHub Actions below `permissions`)"
            }
            (GitHost::GitHub, Self::WriteComment | Self::RemoveComment) => {
                "give the token `pull-requests: write` (in GitHub Actions below `permissions`)"
            }
            (GitHost::GitHub, Self::SetStatus) => {
                "give the token `statuses: write` (in GitHub Actions below `permissions`)"
            }
            (GitHost::GitLab, Self::SetStatus) => {
                "give GITLAB_TOKEN the scope `api` and the role Developer in the project"
            }
            (
                GitHost::GitLab,
                Self::Introduce
                | Self::FindHead
                | Self::ListComments
                | Self::WriteComment
                | Self::RemoveComment,
            ) => {
                "give GITLAB_TOKEN the scope `api` and at least the role Reporter in the project; the \
                 token of a job (CI_JOB_TOKEN) cannot write notes"
            }
        }
    }
}

impl HostError {
    /// An answer that will not be another one if it is asked for again.
    pub(super) fn of_answer(place: &Place, task: Task, answer: &Answer) -> Self {
        let host = place.host.name();
        let (trouble, what, help) = match answer.status {
            401 => (
                Trouble::Rights,
                format!("{host} does not accept the token"),
                "make a new one; it may have expired, or be of another host".to_owned(),
            ),
            403 => (
                Trouble::Rights,
                format!("{host} does not let this token {task}"),
                task.right(place.host).to_owned(),
            ),
            404 => (
                Trouble::Missing,
                format!(
                    "{host} cannot {task} in {place}: it is not there, or hidden from the token"
                ),
                format!("see that {place} is right, and {}", task.right(place.host)),
            ),
            400 | 409 | 413 | 422 => (
                Trouble::Invalid,
                format!("{host} refused to {task} in {place}"),
                "its answer says what it does not take".to_owned(),
            ),
            _ => return Self::odd(place, task, &said(answer, place)),
        };
        Self { trouble, what, said: said(answer, place), help }
    }

    /// Something that is none of this API answered.
    pub(super) fn odd(place: &Place, task: Task, said: &str) -> Self {
        let host = place.host.name();
        Self {
            trouble: Trouble::Odd,
            what: format!("{} was asked to {task} and gave no answer of {host}", place.api),
            said: said.to_owned(),
            help: format!("see that it is the address of the API ({})", place.host.api_variable()),
        }
    }

    /// The host was asked for as long as it is reasonable, and asks for a further pause.
    pub(super) fn busy(place: &Place, task: Task, said: String, pause: Duration) -> Self {
        Self {
            trouble: Trouble::Busy,
            what: format!("{} could not be asked to {task}", place.host.name()),
            said,
            help: format!("try again in {} or later", brief(pause)),
        }
    }
}

/// `403: Resource not accessible by integration`
pub(super) fn said(answer: &Answer, place: &Place) -> String {
    let text = message(&answer.body).map(|text| tame(&text, place));
    match text.filter(|text| !text.is_empty()) {
        Some(text) => format!("{}: {text}", answer.status),
        None => answer.status.to_string(),
    }
}

/// What a host says in its answer; `None` when it is not JSON: pages of proxies say nothing.
fn message(body: &str) -> Option<String> {
    let value: Value = serde_json::from_str(body).ok()?;
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Some(value.to_string())
        }
    };
    let first = ["message", "error_description", "error"].iter().find_map(|key| text(&value[key]));
    let errors = value["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let more = errors.iter().filter_map(|error| text(&error["message"]).or_else(|| text(error)));
    let all: Vec<String> = first.into_iter().chain(more).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// One line without the token or what could control a terminal.
pub(super) fn tame(text: &str, place: &Place) -> String {
    let text = text.replace(place.token.reveal(), "(the token)");
    let tame = |letter: char| if letter.is_control() { ' ' } else { letter };
    text.trim().chars().map(tame).take(MAX_TEXT).collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::announce::secrets::Hidden;

    fn place(host: GitHost) -> Place {
        Place {
            host,
            api: "https://host.example".to_owned(),
            project: "acme/fleet".to_owned(),
            token: Hidden::of("ghp_secret"),
        }
    }

    fn refused(host: GitHost, task: Task, status: u16, body: &str) -> HostError {
        let answer = Answer { status, body: body.to_owned(), ..Answer::default() };
        HostError::of_answer(&place(host), task, &answer)
    }

    #[test]
    fn who_lacks_a_right_is_told_which() {
        let body = r#"{"message":"Resource not accessible by integration"}"#;
        let error = refused(GitHost::GitHub, Task::WriteComment, 403, body);
        assert_eq!(
            error.to_string(),
            "GitHub does not let this token write the comment (403: Resource not accessible by \
             integration)"
        );
        assert!(error.help.contains("`pull-requests: write`"));
        let error = refused(GitHost::GitHub, Task::SetStatus, 403, body);
        assert!(error.help.contains("`statuses: write`"));
        let error = refused(GitHost::GitLab, Task::WriteComment, 403, "{}");
        assert!(error.help.contains("CI_JOB_TOKEN") && error.trouble == Trouble::Rights);
    }

    #[test]
    fn what_the_host_says_is_shown_whatever_form_it_has() {
        for (body, text) in [
            (
                r#"{"message":"Validation Failed","errors":[{"message":"body is too long"}]}"#,
                "422: Validation Failed; body is too long",
            ),
            (r#"{"message":{"note":["is too long"]}}"#, r#"422: {"note":["is too long"]}"#),
            (r#"{"error":"insufficient_scope"}"#, "422: insufficient_scope"),
            (r#"{"message":"x","errors":["y"]}"#, "422: x; y"),
            ("<html>proxy</html>", "422"),
            ("", "422"),
            (r#"{"message":"a\u001b[2Jb ghp_secret"}"#, "422: a [2Jb (the token)"),
        ] {
            let error = refused(GitHost::GitHub, Task::WriteComment, 422, body);
            assert_eq!((error.trouble, error.said.as_str()), (Trouble::Invalid, text));
        }
    }
}
