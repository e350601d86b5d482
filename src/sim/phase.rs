//! One phase of an operation: resources are made, changed or deleted side by side, each after those
//! that it waits for. What will happen is worked out at the start, as steps with their times.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use crate::moment::Moment;
use crate::sim::deed::Deed;
use crate::sim::family::{Family, Member};
use crate::sim::resources::kind;
use crate::sim::state::{Becomes, Effect, EventResource, Output, Resource, Step};
use crate::sim::status::Status;

/// An express deployment does not wait for resources to settle; measured once: 10 s instead of 64.
const EXPRESS_FACTOR: f64 = 6.0;

/// What happens to a resource that is still being made when another one fails.
pub(crate) const CREATION_CANCELLED: &str = "Resource creation cancelled";
/// What happens to a resource that is still being changed when another one fails.
pub(crate) const UPDATE_CANCELLED: &str = "Resource update cancelled";

/// How fast operations run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) speed: f64,
    pub(crate) express: bool,
    /// How long a type takes that is taken without knowing it, in seconds.
    pub(crate) opaque_seconds: u32,
}

impl Pace {
    /// `seconds` of AWS's time in ours.
    pub(crate) fn of(self, seconds: f64) -> Duration {
        let factor = if self.express { EXPRESS_FACTOR } else { 1.0 };
        Duration::try_from_secs_f64(seconds / (self.speed * factor)).unwrap_or_default()
    }

    /// How long a resource of this type takes at AWS's own speed, in seconds.
    pub(crate) fn seconds_of(self, kind_name: &str) -> f64 {
        f64::from(kind(kind_name).map_or(self.opaque_seconds, |kind| kind.seconds))
    }
}

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Update,
    /// An update that makes a new resource; the old one is deleted later.
    Replace,
    Delete,
    /// The last attempt at a deletion: the resource leaves its stack in any case.
    DeleteOrLeave,
    /// The deletion of a resource that another one has replaced.
    DeleteReplaced,
}

/// One resource's part in a phase.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) logical_id: String,
    pub(crate) verb: Verb,
    /// As it will be; for a deletion as it is.
    pub(crate) record: Resource,
    /// The physical id that it has before.
    pub(crate) old_physical_id: Option<Arc<str>>,
    /// Logical ids of the same phase.
    pub(crate) after: Vec<String>,
    pub(crate) length: Duration,
    pub(crate) failure: Option<String>,
    /// Whether it makes real what the record says of reality, instead of writing what changes.
    pub(crate) real: bool,
    /// What happens inside, for a nested stack.
    pub(crate) deed: Option<Box<Deed>>,
}

/// An operation being worked out: the steps so far, the time they have reached, and what the
/// resources will be then.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) steps: Vec<Step>,
    pub(crate) records: BTreeMap<String, Resource>,
    pub(crate) at: Moment,
    pub(crate) pace: Pace,
    /// The stack's name.
    pub(crate) name: Arc<str>,
    /// The stack's ARN.
    pub(crate) id: Arc<str>,
    /// The nested stacks below it; itself too, if it is one and its ancestor is at work.
    pub(crate) family: Family,
}

/// A stack at some point of an operation.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) name: &'a str,
    pub(crate) records: &'a BTreeMap<String, Resource>,
    pub(crate) family: &'a Family,
    pub(crate) at: Moment,
    pub(crate) pace: Pace,
}

impl<'a> View<'a> {
    /// The same moment in a nested stack.
    pub(crate) fn of(self, member: &'a Member) -> Self {
        Self { name: &member.name, records: &member.records, ..self }
    }
}

/// Logical ids of what failed or was cancelled, by what was to be done to it.
#[derive(Debug, Default)]
pub(crate) struct Failed {
    pub(crate) created: Vec<String>,
    pub(crate) updated: Vec<String>,
    pub(crate) deleted: Vec<String>,
}

impl Failed {
    /// Whether everything went well.
    pub(crate) fn is_empty(&self) -> bool {
        self.created.is_empty() && self.updated.is_empty() && self.deleted.is_empty()
    }

    /// `The following resource(s) failed to create: [A, B]. `
    pub(crate) fn sentence(&self) -> String {
        let part = |verb: &str, names: &[String]| match names {
            [] => String::new(),
            names => {
                format!("The following resource(s) failed to {verb}: [{}]. ", names.join(", "))
            }
        };
        [
            part("create", &self.created),
            part("update", &self.updated),
            part("delete", &self.deleted),
        ]
        .concat()
    }
}

/// When one work starts and ends; `None` for one that never starts.
type Times = BTreeMap<String, (Moment, Moment)>;

impl Draft {
    /// What the draft has come to.
    pub(crate) fn view(&self) -> View<'_> {
        let Self { records, at, pace, name, family, .. } = self;
        View { name, records, family, at: *at, pace: *pace }
    }

    /// Itself among the nested stacks; `None` for the stack that the operation is on.
    pub(crate) fn member(&mut self) -> Option<&mut Member> {
        self.family.get_mut(&self.id)
    }

    /// Works out from `at` on what happens in a nested stack. Returns when that ends, and nothing for
    /// a nested stack that does not exist.
    pub(crate) fn within<T>(
        &mut self,
        id: &Arc<str>,
        at: Moment,
        act: impl FnOnce(&mut Self) -> T,
    ) -> Option<(T, Moment)> {
        let mut family = mem::take(&mut self.family);
        let (name, records) = match family.get_mut(id) {
            Some(member) => (member.name.clone(), mem::take(&mut member.records)),
            None => {
                self.family = family;
                return None;
            }
        };
        let (steps, pace) = (Vec::new(), self.pace);
        let mut child = Self { steps, records, at, pace, name, id: id.clone(), family };
        let done = act(&mut child);
        let Self { steps, records, at, name, family, .. } = child;
        self.family = family;
        if let Some(member) = self.family.get_mut(id) {
            member.records = records;
        }
        self.steps.extend(steps.into_iter().map(|step| step.of(&name)));
        Some((done, at))
    }

    /// Lets CloudFormation itself take its time.
    pub(crate) fn wait(&mut self, seconds: f64) {
        self.at = self.at + self.pace.of(seconds);
    }

    /// The stack takes a status.
    pub(crate) fn stack(&mut self, status: Status, reason: Option<String>) {
        if let Some(member) = self.member() {
            member.status = status.clone();
        }
        self.push(Effect::Stack { status, reason });
    }

    /// The operation has reached what it was for.
    pub(crate) fn succeed(&mut self, outputs: BTreeMap<String, Output>, imports: Vec<String>) {
        self.push(Effect::Succeed { outputs, imports });
    }

    /// Anything else that happens now.
    pub(crate) fn push(&mut self, effect: Effect) {
        self.steps.push(Step { at: self.at, effect });
    }

    /// Runs works that stop as soon as one of them fails.
    pub(crate) fn run_until_failure(&mut self, works: &[Work]) -> Failed {
        self.run_until(works, None)
    }

    /// Runs works that stop as soon as one of them fails, or else at a limit.
    pub(crate) fn run_until(&mut self, works: &[Work], limit: Option<Moment>) -> Failed {
        let times = self.times(works, false);
        let ends = works.iter().filter(|work| work.failure.is_some());
        let ends = ends.filter_map(|work| Some(times.get(&work.logical_id)?.1));
        let cutoff = ends.chain(limit).min();
        self.run(works, &times, cutoff)
    }

    /// Runs works that go on when others fail, also those that waited for a failed one.
    pub(crate) fn run_each(&mut self, works: &[Work]) {
        let times = self.times(works, false);
        self.run(works, &times, None);
    }

    /// Runs works that go on when others fail; what waits for a failed one is left alone.
    pub(crate) fn run_all(&mut self, works: &[Work]) -> Failed {
        let times = self.times(works, true);
        self.run(works, &times, None)
    }

    fn times(&self, works: &[Work], failures_block: bool) -> Times {
        let mut times = Times::new();
        let mut waiting: Vec<&Work> = works.iter().collect();
        let names: BTreeSet<&str> = works.iter().map(|work| work.logical_id.as_str()).collect();
        let mut stuck: BTreeSet<&str> = BTreeSet::new();
        while !waiting.is_empty() {
            let before = waiting.len();
            waiting.retain(|work| {
                let mut needs = work.after.iter().filter(|name| names.contains(name.as_str()));
                if needs.clone().any(|name| stuck.contains(name.as_str())) {
                    stuck.insert(&work.logical_id);
                    return false;
                }
                if !needs.clone().all(|name| times.contains_key(name.as_str())) {
                    return true;
                }
                let start = needs.try_fold(self.at, |at, name| {
                    times.get(name.as_str()).map(|(_, end)| at.max(*end))
                });
                let start = start.unwrap_or(self.at);
                let end = start + work.length;
                times.insert(work.logical_id.clone(), (start, end));
                if failures_block && work.failure.is_some() {
                    stuck.insert(&work.logical_id);
                }
                false
            });
            // A circle cannot be in a checked template; without this a broken state would hang.
            if waiting.len() == before {
                break;
            }
        }
        times
    }

    fn run(&mut self, works: &[Work], times: &Times, cutoff: Option<Moment>) -> Failed {
        let mut failed = Failed::default();
        let first = self.steps.len();
        let mut last = self.at;
        let mut stopped: BTreeSet<&str> = BTreeSet::new();
        for work in works {
            let Some(&(start, end)) = times.get(&work.logical_id) else { continue };
            // What takes no time is done at the cutoff too, unless it waited for what failed there.
            let waits = || work.after.iter().any(|name| stopped.contains(name.as_str()));
            if cutoff.is_some_and(|cutoff| start >= cutoff && (end > cutoff || waits())) {
                stopped.insert(&work.logical_id);
                continue;
            }
            let stop = cutoff.map_or(end, |cutoff| end.min(cutoff));
            last = last.max(stop);
            self.start(work, start, end);
            let cancelled = end > stop;
            if let Some(deed) = &work.deed {
                deed.enact(self, start, cancelled.then_some(stop));
            }
            match (&work.failure, cancelled) {
                (None, false) => self.complete(work, end),
                (Some(text), false) => {
                    self.fail(work, stop, text.clone());
                    failed.note(work);
                    stopped.insert(&work.logical_id);
                }
                (_, true) => {
                    let text = if work.verb == Verb::Create {
                        CREATION_CANCELLED
                    } else {
                        UPDATE_CANCELLED
                    };
                    self.fail(work, stop, text.to_owned());
                    failed.note(work);
                }
            }
        }
        self.sort(first);
        self.at = last;
        failed
    }

    /// Brings the steps from the one of this number on into the order of time.
    pub(crate) fn sort(&mut self, first: usize) {
        self.steps[first..].sort_by_key(|step| step.at);
    }

    fn start(&mut self, work: &Work, start: Moment, end: Moment) {
        let initiated = start + end.since(start) / 5;
        let new_id = Some(work.record.physical_id.clone());
        match work.verb {
            Verb::Create => {
                let begun = record(work, Status::CREATE_IN_PROGRESS, start);
                self.records.insert(work.logical_id.clone(), begun.clone());
                let becomes = Becomes::Real(Box::new(begun));
                self.event(work, start, None, Status::CREATE_IN_PROGRESS, None, becomes);
                let text = Some("Resource creation Initiated".to_owned());
                self.event(
                    work,
                    initiated,
                    new_id,
                    Status::CREATE_IN_PROGRESS,
                    text,
                    Becomes::Same,
                );
            }
            Verb::Update => {
                let id = work.old_physical_id.clone();
                self.event(work, start, id, Status::UPDATE_IN_PROGRESS, None, Becomes::Same);
            }
            Verb::Replace => {
                let text = "Requested update requires the creation of a new physical resource; \
                            hence creating one.";
                let (id, text) = (work.old_physical_id.clone(), Some(text.to_owned()));
                self.event(work, start, id, Status::UPDATE_IN_PROGRESS, text, Becomes::Same);
                let text = Some("Resource creation Initiated".to_owned());
                self.event(
                    work,
                    initiated,
                    new_id,
                    Status::UPDATE_IN_PROGRESS,
                    text,
                    Becomes::Other,
                );
            }
            Verb::Delete | Verb::DeleteOrLeave => {
                self.event(work, start, new_id, Status::DELETE_IN_PROGRESS, None, Becomes::Same);
            }
            Verb::DeleteReplaced => {
                self.event(work, start, new_id, Status::DELETE_IN_PROGRESS, None, Becomes::Other);
            }
        }
    }

    fn complete(&mut self, work: &Work, end: Moment) {
        let id = Some(work.record.physical_id.clone());
        let (status, becomes) = match work.verb {
            Verb::Create | Verb::Update | Verb::Replace => {
                let status = if work.verb == Verb::Create {
                    Status::CREATE_COMPLETE
                } else {
                    Status::UPDATE_COMPLETE
                };
                let done = record(work, status.clone(), end);
                self.records.insert(work.logical_id.clone(), done.clone());
                let done = Box::new(done);
                let writes = work.verb == Verb::Update && !work.real;
                let becomes = if writes { Becomes::Record(done) } else { Becomes::Real(done) };
                (status, becomes)
            }
            Verb::Delete | Verb::DeleteOrLeave => {
                self.records.remove(&work.logical_id);
                (Status::DELETE_COMPLETE, Becomes::Gone)
            }
            Verb::DeleteReplaced => (Status::DELETE_COMPLETE, Becomes::Other),
        };
        self.event(work, end, id, status, None, becomes);
    }

    fn fail(&mut self, work: &Work, at: Moment, text: String) {
        let (status, id) = match work.verb {
            Verb::Create => (Status::CREATE_FAILED, Some(work.record.physical_id.clone())),
            Verb::Update | Verb::Replace => (Status::UPDATE_FAILED, work.old_physical_id.clone()),
            Verb::Delete | Verb::DeleteOrLeave | Verb::DeleteReplaced => {
                (Status::DELETE_FAILED, Some(work.record.physical_id.clone()))
            }
        };
        let becomes = match work.verb {
            Verb::DeleteReplaced => Becomes::Other,
            Verb::DeleteOrLeave => Becomes::Gone,
            Verb::Create | Verb::Update | Verb::Replace | Verb::Delete => Becomes::Same,
        };
        if matches!(becomes, Becomes::Gone) {
            self.records.remove(&work.logical_id);
        } else if matches!(becomes, Becomes::Same)
            && let Some(record) = self.records.get_mut(&work.logical_id)
        {
            record.status = status.clone();
        }
        self.event(work, at, id, status, Some(text), becomes);
    }

    fn event(
        &mut self,
        work: &Work,
        at: Moment,
        physical_id: Option<Arc<str>>,
        status: Status,
        reason: Option<String>,
        becomes: Becomes,
    ) {
        let resource = EventResource {
            logical_id: work.logical_id.as_str().into(),
            kind: work.record.kind.clone(),
            physical_id,
        };
        self.steps
            .push(Step { at, effect: Effect::Resource { resource, status, reason, becomes } });
    }
}

impl Failed {
    fn note(&mut self, work: &Work) {
        let list = match work.verb {
            Verb::Create => &mut self.created,
            Verb::Update | Verb::Replace => &mut self.updated,
            Verb::Delete | Verb::DeleteOrLeave | Verb::DeleteReplaced => &mut self.deleted,
        };
        list.push(work.logical_id.clone());
    }
}

fn record(work: &Work, status: Status, changed_at: Moment) -> Resource {
    Resource { status, reason: None, changed_at, ..work.record.clone() }
}

impl Step {
    /// The step as one of the operation on an ancestor.
    fn of(self, stack: &Arc<str>) -> Self {
        match self.effect {
            Effect::Of { .. } => self,
            Effect::Stack { .. }
            | Effect::Resource { .. }
            | Effect::Succeed { .. }
            | Effect::Settle { .. }
            | Effect::Begin(_)
            | Effect::Redefine(_)
            | Effect::Remember
            | Effect::Restore
            | Effect::Forget => {
                let effect = Effect::Of { stack: stack.clone(), effect: Box::new(self.effect) };
                Self { effect, ..self }
            }
        }
    }
}
