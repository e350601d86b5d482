//! Sees every call as it meets the cloud, checks what must never happen, and lets the program die
//! between two effects.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use driftless::ids::{Digest, StackKey, StackName, Target};
use driftless::moment::Moment;
use driftless::sim::{Asked, ChangeSetView, Cloud, Ending, EventView, StackView, Status, Witness};

use crate::swarm::invariants::{starts_operation, token};
use crate::swarm::model::Model;
use crate::swarm::rates::Rates;
use crate::swarm::truth::Truth;
use crate::swarm::wishes::Wishes;

/// When the program dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Death {
    /// Before or after the how manieth changing call from now.
    pub(crate) call: u32,
    pub(crate) before: bool,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) truth: Truth,
    pub(super) death: Option<Death>,
    pub(super) dead: bool,
    pub(super) violations: Vec<String>,
    pub(super) trace: Vec<String>,
    pub(super) ever_complete: BTreeSet<String>,
    /// Deletions that nobody approved, of stacks that ever were complete.
    pub(super) deletions: Vec<(Moment, String, String)>,
    pub(super) counts: BTreeMap<&'static str, u64>,
    pub(super) secrets: BTreeSet<String>,
    pub(super) mutating: u64,
    /// The operations that were started, by stack and call; a repeated call starts none.
    pub(super) started: BTreeMap<(StackKey, &'static str), BTreeSet<String>>,
    /// Changing calls that had an effect, in order.
    pub(super) deeds: Vec<Done>,
    /// When the first page of the last listing of a target was taken, for this journal.
    pub(super) listed: BTreeMap<Target, Moment>,
    /// Stacks that an answer showed at work, for this journal.
    pub(super) shown_at_work: BTreeSet<StackKey>,
    pub(super) rates: Rates,
    pub(super) wishes: Wishes,
    /// The stacks that took a release in its wave.
    pub(super) took: BTreeSet<(StackKey, Digest)>,
}

/// A changing call that had an effect.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) at: Moment,
    pub(crate) target: Target,
    pub(crate) api: &'static str,
}

/// The witness of one run.
#[derive(Debug)]
pub(crate) struct Watch {
    cloud: Cloud,
    state: Mutex<State>,
    pub(crate) died: tokio::sync::Notify,
}

/// What one changing call is about.
pub(super) struct Deed<'a> {
    pub(super) at: Moment,
    pub(super) api: &'static str,
    pub(super) fields: &'a BTreeMap<String, String>,
    pub(super) key: StackKey,
    pub(super) seen: Option<StackView>,
    /// Those of the stack that were not executed.
    pub(super) sets: Vec<ChangeSetView>,
    /// The last operation on the stack.
    pub(super) last: Option<Operation>,
}

/// An operation, as the events of its stack tell it.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) began_at: Moment,
    /// `None` when it has ended.
    pub(super) runs_since: Option<Moment>,
    pub(super) token: Option<String>,
    /// The token of whoever moved it last: a rollback that failed may be continued by another call.
    pub(super) moved_by: Option<String>,
    /// Why its first resource failed.
    pub(super) failure: Option<String>,
}

impl Operation {
    /// The last of a history, oldest first.
    fn last(events: &[EventView]) -> Option<Self> {
        let starts = ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"];
        let is_own = |event: &&EventView| event.resource.is_none();
        let begins = |event: &EventView| is_own(&event) && starts.contains(&event.status.as_str());
        let events = &events[events.iter().rposition(begins)?..];
        let moves = |event: &&EventView| event.status.as_str().ends_with("_IN_PROGRESS");
        let moving = events.iter().rev().filter(is_own).take_while(moves);
        let failed = |event: &&EventView| {
            let reason = event.reason.as_deref().unwrap_or_default();
            !is_own(event)
                && event.status.as_str().ends_with("_FAILED")
                && !reason.starts_with("Resource ")
        };
        Some(Self {
            began_at: events[0].at,
            runs_since: moving.last().map(|event| event.at),
            token: events[0].token.clone(),
            moved_by: events.iter().rev().find(is_own).and_then(|event| event.token.clone()),
            failure: events.iter().find(failed).and_then(|event| event.reason.clone()),
        })
    }
}

impl Watch {
    pub(crate) fn of(cloud: &Cloud) -> Arc<Self> {
        let watch = Self {
            cloud: cloud.clone(),
            state: Mutex::default(),
            died: tokio::sync::Notify::new(),
        };
        let watch = Arc::new(watch);
        cloud.set_witness(Some(watch.clone()));
        watch
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is true.
    pub(crate) fn truth<T>(&self, change: impl FnOnce(&mut Truth) -> T) -> T {
        change(&mut self.state().truth)
    }

    pub(crate) fn kill_at(&self, death: Death) {
        self.state().death = Some(death);
    }

    /// A new process: its calls arrive again.
    pub(crate) fn revive(&self) {
        let mut state = self.state();
        (state.dead, state.death) = (false, None);
    }

    /// Nothing of the process reaches the cloud any more.
    pub(crate) fn kill(&self) {
        self.state().dead = true;
    }

    /// A commit was made, good or not.
    pub(crate) fn pushed(&self, id: &str, parent: Option<String>) {
        let mut state = self.state();
        state.truth.pushed(id, parent);
        state.wishes.changed();
    }

    /// The journal of the process is gone.
    pub(crate) fn journal_lost(&self) {
        let mut state = self.state();
        state.truth.journal_lost();
        state.wishes.forget();
        state.listed.clear();
        state.shown_at_work.clear();
    }

    /// Reads what the controllers follow.
    pub(crate) fn learn(&self, now: Moment) {
        let mut state = self.state();
        let mut broken = Vec::new();
        state.truth.learn(now, &mut broken);
        state.violations.extend(broken.into_iter().map(|why| format!("{now}: {why}")));
    }

    pub(crate) fn violate(&self, text: String) {
        self.state().violations.push(text);
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    pub(crate) fn note(&self, at: Moment, text: &str) {
        self.state().trace.push(format!("{at} {text}"));
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        self.state().trace.clone()
    }

    /// How many changing calls have come so far.
    pub(crate) fn mutating(&self) -> u64 {
        self.state().mutating
    }

    /// How often each changing call had an effect.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.state().counts.clone()
    }

    /// How many operations each call has started on each stack.
    pub(crate) fn started(&self) -> BTreeMap<(StackKey, &'static str), usize> {
        let started = self.state().started.clone();
        started.into_iter().map(|(what, tokens)| (what, tokens.len())).collect()
    }

    /// The changing calls that had an effect, in order.
    pub(crate) fn deeds(&self) -> Vec<Done> {
        self.state().deeds.clone()
    }

    /// Every secret that AWS has given away so far.
    pub(crate) fn secrets(&self) -> BTreeSet<String> {
        self.state().secrets.clone()
    }

    fn deed<'a>(&self, asked: Asked<'a>) -> Option<Deed<'a>> {
        let call = asked.call;
        let key = key_of(asked)?;
        let console = self.cloud.console();
        let seen = console.stack(&key).expect("the cloud answers");
        let sets = console.change_sets(&key).expect("the cloud answers");
        let last = Operation::last(&console.events(&key).expect("the cloud answers"));
        Some(Deed { at: call.at, api: call.api, fields: asked.fields, key, seen, sets, last })
    }

    fn learn_history(&self, seen: &StackView, key: &StackKey) {
        let complete = |status: &Status| {
            *status == Status::CREATE_COMPLETE || *status == Status::UPDATE_COMPLETE
        };
        let events = self.cloud.console().events(key).expect("the cloud answers");
        let was = events.iter().any(|event| event.resource.is_none() && complete(&event.status));
        if was {
            self.state().ever_complete.insert(seen.id.clone());
        }
    }

    fn check(&self, deed: &Deed<'_>) {
        if let Some(seen) = &deed.seen {
            self.learn_history(seen, &deed.key);
        }
        let running = self.cloud.console().running().expect("the cloud answers");
        let mut state = self.state();
        let mut broken = Vec::new();
        state.truth.learn(deed.at, &mut broken);
        state.check_identity(deed, &mut broken);
        state.check_steering(deed, &mut broken);
        state.check_attempt(deed, &mut broken);
        if starts_operation(deed.api) {
            state.check_flight(deed, &running, &mut broken);
            state.check_wave(deed, &mut broken);
        }
        let well = state.truth.followed.iter().any(|model| state.is_wanted(deed, model).is_ok())
            || state.is_kept_back(deed);
        if !well {
            let why = state.truth.followed.first().map(|model| state.is_wanted(deed, model));
            broken.push(match why {
                Some(Err(why)) => why,
                Some(Ok(())) | None => "no revision is followed".to_owned(),
            });
        }
        if deed.api == "DeleteStack" {
            state.check_deletion_limit(deed, &mut broken);
        }
        state.check_wishes(deed, &mut broken);
        let at = deed.at;
        let what = format!("{at} {} {}", deed.api, deed.key);
        if !broken.is_empty() {
            state.show(deed, &self.cloud.console().events(&deed.key).expect("the cloud answers"));
        }
        state.violations.extend(broken.into_iter().map(|why| format!("{what}: {why}")));
    }
}

/// The stack that a call names, by name or id.
fn key_of(asked: Asked<'_>) -> Option<StackKey> {
    let named = asked.fields.get("StackName")?;
    let name = named.split(":stack/").nth(1).and_then(|rest| rest.split('/').next());
    let name: StackName = name.unwrap_or(named).parse().ok()?;
    let target = Target { account: asked.call.account, region: asked.call.region.clone() };
    Some(StackKey { target, name })
}

/// What stands between two marks of an answer.
fn between<'a>(body: &'a str, mark: &str) -> Option<&'a str> {
    let start = body.split_once(&format!("<{mark}>"))?.1;
    Some(start.split_once(&format!("</{mark}>"))?.0)
}

/// The stacks that an answer shows at work.
fn at_work(body: &str) -> impl Iterator<Item = StackName> {
    body.split("<StackName>").skip(1).filter_map(|part| {
        let (name, rest) = part.split_once("</StackName>")?;
        let works = between(rest, "StackStatus")?.ends_with("_IN_PROGRESS");
        works.then(|| name.parse().ok())?
    })
}

impl State {
    /// Writes into the trace what is known about a stack: what AWS did, and what we remember of it.
    fn show(&mut self, deed: &Deed<'_>, events: &[EventView]) {
        for EventView { at, resource, status, reason, token } in events {
            let resource = resource.as_deref().unwrap_or("-");
            let words = [reason.as_deref(), token.as_deref()].map(Option::unwrap_or_default);
            self.trace.push(format!("  {at} {resource} {status} {} {}", words[0], words[1]));
        }
        for memory in self.truth.memories(&deed.key) {
            self.trace.push(format!("  {memory:#?}"));
        }
        for model in &self.truth.followed {
            let (why, Model { services, owner, .. }) = (self.is_wanted(deed, model), &**model);
            self.trace.push(format!("  follows {services:?} of {owner}: {why:?}"));
        }
        for model in self.truth.kept_back(&deed.key) {
            let (why, Model { services, owner, .. }) = (self.is_wanted(deed, &model), &model);
            self.trace.push(format!("  or {services:?} of {owner}: {why:?}"));
        }
    }

    /// Whether the program dies at this call.
    fn dies(&mut self, before: bool, at: Moment) -> bool {
        let Some(death) = &mut self.death else { return false };
        if death.before != before {
            return false;
        }
        if death.call > 0 {
            death.call -= 1;
            return false;
        }
        self.dead = true;
        self.trace.push(format!("{at} dies {} a call", if before { "before" } else { "after" }));
        true
    }

    fn record(&mut self, asked: Asked<'_>, ending: Ending<'_>) {
        let call = asked.call;
        let word = match ending {
            Ending::Done(_) => "done",
            Ending::Refused(code, _) => code,
            Ending::Lost => "lost",
        };
        let mut line = format!("{} {} {} {}", call.at, call.account, call.region, call.api);
        for name in ["StackName", "ChangeSetName", "ClientRequestToken", "ClientToken"] {
            if let Some(value) = asked.fields.get(name) {
                let _ = write!(line, " {value}");
            }
        }
        let _ = write!(line, " {word}");
        self.trace.push(line);
        if let Some(token) = token(asked.fields) {
            self.wishes.ended(token, ending);
        }
        let Ending::Done(body) = ending else { return };
        let is_listing = call.api == "DescribeStacks"
            && ["StackName", "NextToken"].iter().all(|field| !asked.fields.contains_key(*field));
        let target = Target { account: call.account, region: call.region.clone() };
        if call.api == "DescribeStacks" {
            let key = |name| StackKey { target: target.clone(), name };
            self.shown_at_work.extend(at_work(body).map(key));
        }
        if is_listing {
            self.listed.insert(target.clone(), call.at);
        }
        if call.mutating {
            *self.counts.entry(call.api).or_default() += 1;
            if let (Some(token), Some(key)) = (token(asked.fields), key_of(asked)) {
                self.started.entry((key, call.api)).or_default().insert(token.to_owned());
            }
            self.deeds.push(Done { at: call.at, target, api: call.api });
        }
        for mark in ["SecretAccessKey", "SessionToken"] {
            self.secrets.extend(between(body, mark).map(str::to_owned));
        }
    }
}

impl Witness for Watch {
    fn comes(&self, asked: Asked<'_>) -> bool {
        if self.state().dead {
            return false;
        }
        self.state().check_rate(asked.call);
        if !asked.call.mutating {
            return true;
        }
        let dies = {
            let mut state = self.state();
            state.mutating += 1;
            state.dies(true, asked.call.at)
        };
        if dies {
            self.died.notify_one();
            return false;
        }
        match self.deed(asked) {
            Some(deed) => self.check(&deed),
            None => self.violate(format!("nobody can tell whose stack {asked:?} is about")),
        }
        true
    }

    fn ended(&self, asked: Asked<'_>, ending: Ending<'_>) -> bool {
        let mut state = self.state();
        state.record(asked, ending);
        let dies = asked.call.mutating && state.dies(false, asked.call.at);
        if dies {
            self.died.notify_one();
        }
        !dies
    }
}
