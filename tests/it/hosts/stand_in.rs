//! A git host that answers from memory, in the published shapes of GitHub and GitLab. It refuses what
//! they refuse, and remembers who asked what when.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use driftless::announce::hosts::{Change, GitHost, Place};
use driftless::announce::{Answer, Hidden, Means, Posting, Request, Unsent};
use driftless::clock::Clock;
use driftless::ids::Revision;
use driftless::moment::Moment;
use serde_json::{Value, json};

/// How long each answer takes, so that two who write at once are interleaved.
const LATENCY: Duration = Duration::from_millis(100);
pub(crate) const TOKEN: &str = "token-that-nobody-may-see";
pub(crate) const NUMBER: u64 = 7;

/// What one request gets instead of its answer.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// This answer, and nothing is done.
    Answers(u16, Vec<(&'static str, String)>, &'static str),
    /// It is done, and the answer is lost.
    Loses,
}

/// A comment that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) id: u64,
    pub(crate) author: &'static str,
    pub(crate) body: String,
}

#[derive(Default)]
struct State {
    comments: Vec<Stored>,
    statuses: Vec<(Moment, Value)>,
    calls: Vec<(Moment, String)>,
    /// Faults of the next requests whose `METHOD path` has this text in it.
    faults: Vec<(&'static str, VecDeque<Fault>)>,
    last_id: u64,
}

struct Shared {
    kind: GitHost,
    clock: Clock,
    latency: Duration,
    state: Mutex<State>,
}

/// One repository of a git host with one pull request.
#[derive(Clone)]
pub(crate) struct Forge(Arc<Shared>);

impl Forge {
    pub(crate) fn new(kind: GitHost, clock: &Clock) -> Self {
        Self::with_latency(kind, clock, LATENCY)
    }

    pub(crate) fn with_latency(kind: GitHost, clock: &Clock, latency: Duration) -> Self {
        let clock = clock.clone();
        Self(Arc::new(Shared { kind, clock, latency, state: Mutex::default() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// The next requests whose `METHOD path` has `text` in it get these faults, one each.
    pub(crate) fn fails(&self, text: &'static str, faults: &[Fault]) {
        self.state().faults.push((text, faults.iter().cloned().collect()));
    }

    /// Somebody writes a comment.
    pub(crate) fn writes(&self, author: &'static str, body: &str) -> u64 {
        let mut state = self.state();
        state.last_id += 1;
        let id = state.last_id;
        state.comments.push(Stored { id, author, body: body.to_owned() });
        id
    }

    pub(crate) fn comments(&self) -> Vec<Stored> {
        self.state().comments.clone()
    }

    /// The texts of our comments, as they stand below each other.
    pub(crate) fn bodies(&self) -> Vec<String> {
        let ours = self.comments().into_iter().filter(|comment| comment.author == self.me());
        ours.map(|comment| comment.body).collect()
    }

    pub(crate) fn statuses(&self) -> Vec<(Moment, Value)> {
        self.state().statuses.clone()
    }

    /// `METHOD path` of all requests since the last call of this.
    pub(crate) fn calls(&self) -> Vec<(Moment, String)> {
        std::mem::take(&mut self.state().calls)
    }

    /// The calls that change a comment or a status.
    pub(crate) fn writing_calls(&self) -> Vec<(Moment, String)> {
        let writes =
            |call: &(Moment, String)| !call.1.starts_with("GET ") && call.1 != "POST /graphql";
        self.calls().into_iter().filter(writes).collect()
    }

    /// Who the token is of.
    pub(crate) fn me(&self) -> &'static str {
        match self.0.kind {
            GitHost::GitHub => "github-actions[bot]",
            GitHost::GitLab => "4211",
        }
    }

    pub(crate) fn place(&self) -> Place {
        let (api, project) = match self.0.kind {
            GitHost::GitHub => ("https://api.github.example", "acme/fleet"),
            GitHost::GitLab => ("https://gitlab.example/api/v4", "acme/fleet"),
        };
        Place {
            host: self.0.kind,
            api: api.to_owned(),
            project: project.to_owned(),
            token: Hidden::of(TOKEN),
        }
    }

    pub(crate) fn change(&self) -> Change {
        Change {
            place: self.place(),
            number: NUMBER,
            head: Some(Revision::of(&"c0ffee".repeat(7)[..40])),
            status_place: self.place(),
            link: Some("https://ci.example/run/1".to_owned()),
            pipeline: None,
            is_fork: false,
        }
    }

    pub(crate) fn means(&self) -> Means {
        let forge = self.clone();
        Means {
            post: Arc::new(move |request| forge.take(request)),
            environment: Arc::new(|name| (name == "HOST_TOKEN").then(|| TOKEN.to_owned())),
        }
    }

    fn take(&self, request: Request) -> Posting {
        let forge = self.clone();
        Box::pin(async move {
            forge.0.clock.sleep(forge.0.latency).await;
            let url = request.url.reveal().to_owned();
            let base = forge.place().api;
            let path = url.strip_prefix(&base).unwrap_or_else(|| panic!("{url} is elsewhere"));
            let headers = request.headers.iter();
            let headers = headers.map(|(name, value)| (*name, value.reveal().to_owned())).collect();
            let answer = forge.answer(request.method.word(), path, &headers, &request.body);
            answer.ok_or_else(|| Unsent(format!("connection to {url} was lost {TOKEN}")))
        })
    }

    /// What a request gets; `None`: the answer is lost.
    pub(crate) fn answer(
        &self,
        method: &str,
        path: &str,
        headers: &BTreeMap<&str, String>,
        body: &str,
    ) -> Option<Answer> {
        let call = format!("{method} {path}");
        let fault = {
            let mut state = self.state();
            state.calls.push((self.0.clock.now(), call.clone()));
            let mut fitting = state.faults.iter_mut().filter(|(text, _)| call.contains(text));
            fitting.find_map(|(_, faults)| faults.pop_front())
        };
        if let Some(Fault::Answers(status, headers, body)) = fault {
            let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value));
            let (headers, body) = (headers.collect(), body.to_owned());
            return Some(Answer { status, headers, body, is_cut: false });
        }
        let sent: Value = serde_json::from_str(body).unwrap_or_default();
        let answer = match self.0.kind {
            GitHost::GitHub => self.github(method, path, headers, &sent),
            GitHost::GitLab => self.gitlab(method, path, headers, &sent),
        };
        fault.is_none().then_some(answer)
    }

    fn github(
        &self,
        method: &str,
        path: &str,
        headers: &BTreeMap<&str, String>,
        sent: &Value,
    ) -> Answer {
        if headers.get("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return answer(401, &json!({ "message": "Bad credentials", "status": "401" }));
        }
        assert_eq!(headers["accept"], "application/vnd.github+json");
        assert_eq!(headers["x-github-api-version"], "2022-11-28");
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let text = sent["body"].as_str().unwrap_or_default();
        let comments = format!("/repos/acme/fleet/issues/{NUMBER}/comments");
        let one = path.strip_prefix("/repos/acme/fleet/issues/comments/");
        match (method, path) {
            ("POST", "/graphql") => {
                answer(200, &json!({ "data": { "viewer": { "login": self.me() } } }))
            }
            ("GET", "/user") => answer(
                403,
                &json!({
                    "message": "Resource not accessible by integration",
                    "documentation_url": "https://docs.github.com/rest/users/users",
                    "status": "403",
                }),
            ),
            ("GET", path) if path == comments => self.github_page(query),
            ("POST", path) if path == comments => match too_long(text, 65_536) {
                true => answer(
                    422,
                    &json!({
                        "message": "Validation Failed",
                        "errors": [{
                            "resource": "IssueComment", "code": "unprocessable", "field": "data",
                            "message": "Body is too long (maximum is 65536 characters)",
                        }],
                    }),
                ),
                false => {
                    let id = self.writes(self.me(), text);
                    answer(201, &github_comment(id, self.me(), text))
                }
            },
            ("PATCH", _) if one.is_some() => self.changed(one, Some(text), 200),
            ("DELETE", _) if one.is_some() => self.changed(one, None, 204),
            ("GET", "/repos/acme/fleet/pulls/7") => answer(
                200,
                &json!({
                    "number": NUMBER, "head": { "ref": "topic", "sha": "d".repeat(40) },
                }),
            ),
            ("POST", path) if path.starts_with("/repos/acme/fleet/statuses/") => {
                self.status(path, sent)
            }
            _ => answer(404, &json!({ "message": "Not Found", "status": "404" })),
        }
    }

    fn github_page(&self, query: &str) -> Answer {
        let (from, to, page) = page_of(query);
        let state = self.state();
        let all = &state.comments;
        let here = all.iter().take(to).skip(from);
        let here: Vec<Value> =
            here.map(|comment| github_comment(comment.id, comment.author, &comment.body)).collect();
        let mut answer = answer(200, &Value::Array(here));
        if to < all.len() {
            // It may lead anywhere: nobody should follow it with a token.
            let link = format!(
                "<https://elsewhere.example/?page={}>; rel=\"next\", <https://x.example>; rel=\"last\"",
                page + 1
            );
            answer.headers.insert("link".to_owned(), link);
        }
        answer
    }

    fn gitlab(
        &self,
        method: &str,
        path: &str,
        headers: &BTreeMap<&str, String>,
        sent: &Value,
    ) -> Answer {
        if headers.get("private-token").map(String::as_str) != Some(TOKEN) {
            return answer(401, &json!({ "message": "401 Unauthorized" }));
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let text = sent["body"].as_str().unwrap_or_default();
        let notes = format!("/projects/acme%2Ffleet/merge_requests/{NUMBER}/notes");
        let one = path.strip_prefix(&notes).and_then(|rest| rest.strip_prefix('/'));
        match (method, path) {
            ("GET", "/user") => answer(200, &json!({ "id": 4211, "username": "project_1_bot" })),
            ("GET", path) if path == notes => self.gitlab_page(query),
            ("POST", path) if path == notes => match too_long(text, 1_000_000) {
                true => answer(
                    400,
                    &json!({ "message": { "note": ["is too long (maximum is 1000000 characters)"] } }),
                ),
                false => {
                    let id = self.writes(self.me(), text);
                    answer(201, &gitlab_note(id, self.me(), text))
                }
            },
            ("PUT", _) if one.is_some() => self.changed(one, Some(text), 200),
            ("DELETE", _) if one.is_some() => self.changed(one, None, 204),
            ("POST", path) if path.starts_with("/projects/acme%2Ffleet/statuses/") => {
                self.status(path, sent)
            }
            _ => answer(404, &json!({ "message": "404 Not found" })),
        }
    }

    fn gitlab_page(&self, query: &str) -> Answer {
        let (from, to, page) = page_of(query);
        let state = self.state();
        let all = &state.comments;
        let here = all.iter().take(to).skip(from);
        let here: Vec<Value> =
            here.map(|comment| gitlab_note(comment.id, comment.author, &comment.body)).collect();
        let mut answer = answer(200, &Value::Array(here));
        let next = if to < all.len() { (page + 1).to_string() } else { String::new() };
        answer.headers.insert("x-next-page".to_owned(), next);
        answer
    }

    /// A comment gets another text or goes; anybody's, as for a token that may do it.
    fn changed(&self, id: Option<&str>, text: Option<&str>, status: u16) -> Answer {
        let id: u64 = id.and_then(|id| id.parse().ok()).expect("a number");
        let mut state = self.state();
        let Some(index) = state.comments.iter().position(|comment| comment.id == id) else {
            return answer(404, &json!({ "message": "Not Found", "status": "404" }));
        };
        let Some(text) = text else {
            state.comments.remove(index);
            return Answer { status, ..Answer::default() };
        };
        state.comments[index].body = text.to_owned();
        let comment = &state.comments[index];
        answer(status, &github_comment(comment.id, comment.author, &comment.body))
    }

    fn status(&self, path: &str, sent: &Value) -> Answer {
        let commit = path.rsplit('/').next().expect("a commit");
        assert!(commit.len() == 40, "{path}");
        let (states, most): (&[&str], _) = match self.0.kind {
            GitHost::GitHub => (&["pending", "success", "failure", "error"], 140),
            GitHost::GitLab => (&["pending", "running", "success", "failed", "canceled"], 255),
        };
        let state = sent["state"].as_str().expect("a state");
        assert!(states.contains(&state), "{sent}");
        let text = sent["description"].as_str().expect("a text");
        if too_long(text, most) {
            return answer(422, &json!({ "message": "description is too long" }));
        }
        let name = if self.0.kind == GitHost::GitHub { "context" } else { "name" };
        let mut last = self.statuses().into_iter().rev().map(|(_, status)| status);
        let last = last.find(|old| old[name] == sent[name] && old["sha"] == commit);
        let runs = last.is_some_and(|old| old["state"] == "running");
        if self.0.kind == GitHost::GitLab && state == "running" && runs {
            return answer(
                400,
                &json!({ "message": "Cannot transition status via :run from :running \
                (Reason(s): Status cannot transition via \"run\")" }),
            );
        }
        let mut status = sent.clone();
        status["sha"] = commit.into();
        self.state().statuses.push((self.0.clock.now(), status.clone()));
        answer(201, &status)
    }
}

fn answer(status: u16, body: &Value) -> Answer {
    Answer { status, body: body.to_string(), ..Answer::default() }
}

fn too_long(text: &str, most: usize) -> bool {
    text.chars().count() > most
}

/// The first and the last of a page, and its number.
fn page_of(query: &str) -> (usize, usize, usize) {
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(key, _)| *key == name).expect("a parameter");
        found.1.parse::<usize>().expect("a number")
    };
    let (size, page) = (value("per_page"), value("page"));
    assert!(size <= 100, "hosts give a hundred at most");
    ((page - 1) * size, page * size, page)
}

fn github_comment(id: u64, author: &str, body: &str) -> Value {
    let kind = if author.ends_with("[bot]") { "Bot" } else { "User" };
    json!({
        "id": id,
        "node_id": format!("IC_{id}"),
        "url": format!("https://api.github.example/repos/acme/fleet/issues/comments/{id}"),
        "html_url": format!("https://github.example/acme/fleet/pull/{NUMBER}#issuecomment-{id}"),
        "user": { "login": author, "id": 41_898_282, "type": kind, "site_admin": false },
        "created_at": "2026-11-18T11:06:40Z",
        "updated_at": "2026-11-18T11:06:40Z",
        "author_association": "NONE",
        "body": body,
        "performed_via_github_app": null,
    })
}

fn gitlab_note(id: u64, author: &str, body: &str) -> Value {
    json!({
        "id": id,
        "type": null,
        "body": body,
        "attachment": null,
        "author": { "id": author.parse::<u64>().unwrap_or(1), "username": author, "state": "active" },
        "created_at": "2026-11-18T11:06:40.000Z",
        "updated_at": "2026-11-18T11:06:40.000Z",
        "system": false,
        "noteable_id": 377,
        "noteable_type": "MergeRequest",
        "noteable_iid": NUMBER,
        "resolvable": false,
        "internal": false,
    })
}
