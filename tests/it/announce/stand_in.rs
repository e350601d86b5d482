//! Receivers that answer from memory, so that a test owns all of time. Each checks what it gets
//! against the published shape of its kind.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use driftless::announce::{Answer, Means, Posting, Request, Unsent};
use driftless::clock::Clock;
use driftless::moment::Moment;
use serde_json::Value;

use crate::announce::shapes;

/// What a receiver does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Behaviour {
    /// Takes it.
    Takes,
    /// Answers this.
    Answers(u16, Option<&'static str>),
    /// Takes it, and the answer is lost.
    Loses,
    /// Takes it, and never answers.
    Hangs,
}

/// One request that came.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) at: Moment,
    /// The last part of the URL: which receiver it is.
    pub(crate) receiver: String,
    pub(crate) headers: BTreeMap<&'static str, String>,
    pub(crate) body: String,
    /// Whether it was answered with a 2xx.
    pub(crate) taken: bool,
}

impl Got {
    /// The first line that people read.
    pub(crate) fn title(&self) -> String {
        let value: Value = serde_json::from_str(&self.body).expect("JSON");
        let found = match self.receiver.as_str() {
            "slack" => value.pointer("/blocks/0/text/text"),
            "teams" => value.pointer("/attachments/0/content/fallbackText"),
            _ => value.pointer("/data/title"),
        };
        found.and_then(Value::as_str).expect("a title").to_owned()
    }
}

struct Shared {
    clock: Clock,
    got: Mutex<Vec<Got>>,
    /// What the next requests get, by receiver; then the last of these for ever.
    behaviour: Mutex<BTreeMap<String, VecDeque<Behaviour>>>,
}

/// All receivers of a test.
#[derive(Clone)]
pub(crate) struct StandIn(Arc<Shared>);

impl StandIn {
    pub(crate) fn new(clock: &Clock) -> Self {
        let clock = clock.clone();
        Self(Arc::new(Shared { clock, got: Mutex::default(), behaviour: Mutex::default() }))
    }

    /// What a receiver does with the next requests; with all after them what it does with the last.
    pub(crate) fn script(&self, receiver: &str, behaviour: &[Behaviour]) {
        let behaviour = behaviour.iter().cloned().collect();
        self.0.behaviour.lock().unwrap().insert(receiver.to_owned(), behaviour);
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.0.got.lock().unwrap().clone()
    }

    /// The titles that a receiver took.
    pub(crate) fn titles(&self, receiver: &str) -> Vec<String> {
        let got = self.got().into_iter().filter(|got| got.taken && got.receiver == receiver);
        got.map(|got| got.title()).collect()
    }

    /// A world in which every variable `HOOK_x` is the URL of the receiver `x`, and `KEY` a key.
    pub(crate) fn means(&self) -> Means {
        let receivers = self.clone();
        Means {
            post: Arc::new(move |request| receivers.answer(request)),
            environment: Arc::new(|name| match name.strip_prefix("HOOK_") {
                Some(receiver) => {
                    Some(format!("https://receiver.example/secret/{}", receiver.to_lowercase()))
                }
                None => (name == "KEY").then(|| "a key".to_owned()),
            }),
        }
    }

    fn answer(&self, request: Request) -> Posting {
        let url = request.url.reveal();
        let receiver = url.rsplit('/').next().expect("a part").to_owned();
        check(&receiver, &request.body);
        let behaviour = self.next(&receiver);
        let taken = matches!(behaviour, Behaviour::Takes | Behaviour::Loses | Behaviour::Hangs);
        let url = request.url.reveal().to_owned();
        let headers = request.headers.into_iter();
        self.0.got.lock().unwrap().push(Got {
            at: self.0.clock.now(),
            receiver,
            headers: headers.map(|(name, value)| (name, value.reveal().to_owned())).collect(),
            body: request.body,
            taken,
        });
        Box::pin(async move {
            match behaviour {
                Behaviour::Takes => Ok(Answer { status: 200, ..Answer::default() }),
                Behaviour::Answers(status, retry_after) => {
                    let pause = retry_after.map(|it| ("retry-after".to_owned(), it.to_owned()));
                    let (headers, body) = (pause.into_iter().collect(), format!("no {url} here"));
                    Ok(Answer { status, headers, body, is_cut: false })
                }
                Behaviour::Loses => Err(Unsent(format!("connection to {url} was lost"))),
                Behaviour::Hangs => std::future::pending().await,
            }
        })
    }

    fn next(&self, receiver: &str) -> Behaviour {
        let mut all = self.0.behaviour.lock().unwrap();
        let Some(next) = all.get_mut(receiver) else { return Behaviour::Takes };
        match next.len() {
            0 => Behaviour::Takes,
            1 => next[0].clone(),
            _ => next.pop_front().expect("more than one"),
        }
    }
}

fn check(receiver: &str, body: &str) {
    let checked = match receiver {
        "slack" => shapes::block_kit(body),
        "teams" => shapes::adaptive_card(body),
        _ => shapes::cloud_event(body),
    };
    if let Err(why) = checked {
        panic!("{receiver} does not take this: {why}\n{body}");
    }
}
