//! Calls to a git host: writes a second apart, what goes away by itself tried again, for two
//! minutes in all.

use std::time::Duration;

use serde_json::Value;

use crate::announce::answer::retry_after;
use crate::announce::hosts::error::{Task, said, tame};
use crate::announce::hosts::{
    Comment, GitHost, HostError, Place, SentStatus, Trouble, github, gitlab,
};
use crate::announce::http::{Answer, Method, Post, Request};
use crate::announce::secrets::Hidden;
use crate::clock::Clock;
use crate::ids::Revision;
use crate::moment::Moment;

/// GitHub takes 80 writes a minute, and asks for a second between them.
const PACE: Duration = Duration::from_secs(1);
/// How long a host is asked in all: whoever waits is a job in CI.
const PATIENCE: Duration = Duration::from_secs(120);
/// Tries of one call.
const TRIES: u32 = 6;
/// The pause before the second try; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// Who asks to slow down and does not say for how long. GitHub's documentation says a minute.
const SLOWER: Duration = Duration::from_secs(60);
/// A page of a hundred comments of GitHub at their longest, escaped.
const MAX_ANSWER: usize = 64 * 1_024 * 1_024;
/// More comments than a pull request can have.
const MAX_PAGES: u32 = 100;

/// One call, before it is signed.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) task: Task,
    pub(super) method: Method,
    pub(super) url: String,
    /// JSON; `None` for calls that send nothing.
    pub(super) body: Option<Value>,
}

/// What an answer means.
enum Meaning {
    Good,
    Later { pause: Duration, why: String },
    Never(HostError),
}

/// Talks to one repository of a git host.
pub struct Client {
    post: Post,
    clock: Clock,
    place: Place,
    give_up_at: Moment,
    wrote_at: Option<Moment>,
}

impl Client {
    /// A client that gives up two minutes from now.
    pub fn new(post: Post, clock: Clock, place: Place) -> Self {
        let give_up_at = clock.now() + PATIENCE;
        Self { post, clock, place, give_up_at, wrote_at: None }
    }

    /// Talks to another repository of the host from now on, as patient as before.
    pub fn go_to(&mut self, place: Place) {
        self.place = place;
    }

    /// Who the token is of, as [`Comment::author`] says it.
    pub async fn introduce(&mut self) -> Result<String, HostError> {
        match self.place.host {
            GitHost::GitHub => {
                // No token of GitHub Actions or of an app may read /user; all may ask this.
                let asked = self.call(github::viewer(&self.place)).await;
                match asked.as_ref().map(github::viewer_of) {
                    Ok(Some(login)) => return Ok(login),
                    Err(error) if error.trouble == Trouble::Busy => return Err(error.clone()),
                    Ok(None) | Err(_) => {}
                }
                let answer = self.call(github::user(&self.place)).await?;
                github::login_of(&answer).ok_or_else(|| self.odd(Task::Introduce))
            }
            GitHost::GitLab => {
                let answer = self.call(gitlab::user(&self.place)).await?;
                gitlab::id_of(&answer).ok_or_else(|| self.odd(Task::Introduce))
            }
        }
    }

    /// The commit that a pull request is at.
    pub async fn head(&mut self, number: u64) -> Result<Revision, HostError> {
        let call = match self.place.host {
            GitHost::GitHub => github::pull_request(&self.place, number),
            GitHost::GitLab => gitlab::merge_request(&self.place, number),
        };
        let answer = self.call(call).await?;
        let head = match self.place.host {
            GitHost::GitHub => github::head_of(&answer),
            GitHost::GitLab => gitlab::head_of(&answer),
        };
        head.map(|head| Revision::of(&head)).ok_or_else(|| self.odd(Task::FindHead))
    }

    /// All comments of a pull request, the oldest first.
    pub async fn comments(&mut self, number: u64) -> Result<Vec<Comment>, HostError> {
        let mut all = Vec::new();
        for page in 1..=MAX_PAGES {
            let call = match self.place.host {
                GitHost::GitHub => github::comments(&self.place, number, page),
                GitHost::GitLab => gitlab::comments(&self.place, number, page),
            };
            let answer = self.call(call).await?;
            let (read, has_more) = match self.place.host {
                GitHost::GitHub => (github::comments_of(&answer), github::has_more(&answer)),
                GitHost::GitLab => (gitlab::comments_of(&answer), gitlab::has_more(&answer)),
            };
            all.extend(read.ok_or_else(|| self.odd(Task::ListComments))?);
            if !has_more {
                break;
            }
        }
        all.sort_by_key(|comment| comment.id);
        Ok(all)
    }

    /// Writes a new comment.
    pub async fn create(&mut self, number: u64, body: &str) -> Result<(), HostError> {
        let call = match self.place.host {
            GitHost::GitHub => github::create(&self.place, number, body),
            GitHost::GitLab => gitlab::create(&self.place, number, body),
        };
        self.call(call).await.map(drop)
    }

    /// Replaces the text of a comment.
    pub async fn update(&mut self, number: u64, id: u64, body: &str) -> Result<(), HostError> {
        let call = match self.place.host {
            GitHost::GitHub => github::update(&self.place, id, body),
            GitHost::GitLab => gitlab::update(&self.place, number, id, body),
        };
        self.call(call).await.map(drop)
    }

    /// Removes a comment; one that is gone already is removed.
    pub async fn remove(&mut self, number: u64, id: u64) -> Result<(), HostError> {
        let call = match self.place.host {
            GitHost::GitHub => github::remove(&self.place, id),
            GitHost::GitLab => gitlab::remove(&self.place, number, id),
        };
        match self.call(call).await {
            Err(error) if error.trouble == Trouble::Missing => Ok(()),
            done => done.map(drop),
        }
    }

    /// Sets a status of a commit.
    pub async fn set_status(&mut self, sent: &SentStatus<'_>) -> Result<(), HostError> {
        let call = match self.place.host {
            GitHost::GitHub => github::status(&self.place, sent),
            GitHost::GitLab => gitlab::status(&self.place, sent),
        };
        match self.call(call).await {
            Err(error) if self.place.host == GitHost::GitLab && gitlab::is_there(&error) => Ok(()),
            done => done.map(drop),
        }
    }

    async fn call(&mut self, call: Call) -> Result<Answer, HostError> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let writes = call.method != Method::Get && call.task != Task::Introduce;
            if let Some(at) = self.wrote_at.filter(|_| writes) {
                self.clock.sleep_until(at + PACE).await;
            }
            let answer = (self.post)(self.signed(&call)).await;
            let now = self.clock.now();
            if writes {
                self.wrote_at = Some(now);
            }
            let meaning = match &answer {
                Ok(answer) => self.meaning(&call, answer, pause, now),
                Err(why) => Meaning::Later { pause, why: tame(&why.0, &self.place) },
            };
            let (asked, why) = match (meaning, answer) {
                (Meaning::Good, Ok(answer)) => return Ok(answer),
                (Meaning::Never(error), _) => return Err(error),
                (Meaning::Later { pause, why }, _) => (pause, why),
                (Meaning::Good, Err(_)) => continue,
            };
            if attempt >= TRIES || now + asked > self.give_up_at {
                return Err(HostError::busy(&self.place, call.task, why, asked));
            }
            self.clock.sleep(asked).await;
            pause = pause.saturating_mul(2);
        }
        Err(self.odd(call.task))
    }

    fn signed(&self, call: &Call) -> Request {
        let mut headers = match self.place.host {
            GitHost::GitHub => github::headers(&self.place.token),
            GitHost::GitLab => gitlab::headers(&self.place.token),
        };
        if call.body.is_some() {
            headers.push(("content-type", Hidden::of("application/json")));
        }
        Request {
            method: call.method,
            url: Hidden::of(&call.url),
            headers,
            body: call.body.as_ref().map(Value::to_string).unwrap_or_default(),
            max_answer: MAX_ANSWER,
        }
    }

    fn meaning(&self, call: &Call, answer: &Answer, growing: Duration, now: Moment) -> Meaning {
        let later = |pause| Meaning::Later { pause, why: said(answer, &self.place) };
        let asked = asked_pause(answer, now);
        match answer.status {
            200..=299 if answer.is_cut => later(growing),
            200..=299 => Meaning::Good,
            403 if is_rate_limit(answer) => later(asked.unwrap_or(SLOWER)),
            429 => later(asked.unwrap_or(SLOWER)),
            408 | 500..=599 => later(asked.unwrap_or_default().max(growing)),
            _ => Meaning::Never(HostError::of_answer(&self.place, call.task, answer)),
        }
    }

    fn odd(&self, task: Task) -> HostError {
        HostError::odd(&self.place, task, "the answer cannot be read")
    }
}

/// GitHub answers 403 to who asks too often, as it does to who may not ask at all.
fn is_rate_limit(answer: &Answer) -> bool {
    answer.header("retry-after").is_some()
        || answer.header("x-ratelimit-remaining") == Some("0")
        || answer.body.contains("secondary rate limit")
}

/// How long the host asks to wait: by a pause, or by the time of its clock at which its limit begins
/// anew, in seconds since 1970.
fn asked_pause(answer: &Answer, now: Moment) -> Option<Duration> {
    if let Some(pause) = answer.header("retry-after").and_then(|value| retry_after(value, now)) {
        return Some(pause);
    }
    let reset =
        ["x-ratelimit-reset", "ratelimit-reset"].iter().find_map(|name| answer.header(name));
    let seconds: u64 = reset?.trim().parse().ok()?;
    // A second more, as their second may have begun before ours.
    Some(Moment::from_millis(seconds.saturating_mul(1_000)).since(now) + Duration::from_secs(1))
}
