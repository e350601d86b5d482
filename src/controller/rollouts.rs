//! Keeps the rollouts going: lets gates open, does what people order, writes down how far each has
//! come, and wakes the targets that may go on.

use std::collections::{BTreeMap, BTreeSet};

use crate::board::Progress;
use crate::controller::{Controller, ControllerError, Until, checked};
use crate::desired::Desired;
use crate::ids::{ServiceName, StackKey, Target};
use crate::moment::Moment;
use crate::outcome::Mark;
use crate::plan::{ApprovalKind, ApprovalRequest};
use crate::report::announcements::{Happening, conditions};
use crate::report::{Event, Subject};
use crate::rollout::{Change, ChangeKind, Rollouts};

/// So many commits are asked which releases there were, after a journal was lost for instance.
const RECENT: usize = 20;

impl Controller {
    /// Takes the rollouts up where the journal left them. `marks` is how stacks stood when they were
    /// seen last.
    pub(super) fn recall_rollouts(
        &mut self,
        desired: &Desired,
        marks: &BTreeMap<StackKey, Mark>,
    ) -> Result<(), ControllerError> {
        let (kept, bodies) = self.settings.journal.rollouts()?;
        let now = self.settings.clock.now();
        let mark = |key: &StackKey| marks.get(key).cloned().unwrap_or_default();
        let mut rollouts = Rollouts::recall(kept, bodies);
        if rollouts.miss_something() {
            self.learn_history(desired, &mut rollouts);
        }
        let mut changes = Vec::new();
        if let Some(before) = self.rolled_out_before(desired)? {
            // What tenants gave then shows what they changed meanwhile.
            changes.extend(rollouts.want(&before, now, &mark));
        }
        changes.extend(rollouts.want(desired, now, &mark));
        *self.board.rollouts() = rollouts;
        self.happened(changes, &[])?;
        self.advance_rollouts()
    }

    /// Tells the rollouts what recent commits said. What cannot be read any more stays unknown.
    fn learn_history(&self, desired: &Desired, rollouts: &mut Rollouts) {
        let source = &self.settings.source;
        let before = source.before(&desired.revision, RECENT).unwrap_or_else(|error| {
            tracing::warn!(%error, "earlier commits cannot be read: releases may stay unknown");
            Vec::new()
        });
        for revision in before {
            if !rollouts.miss_something() {
                break;
            }
            let snapshot = source.read_at(revision.as_str()).ok();
            let earlier = snapshot.and_then(|snapshot| checked(&snapshot).desired);
            earlier.iter().for_each(|earlier| rollouts.learn(earlier));
        }
    }

    /// What git said when the rollouts were written down last, if it said something else and says it
    /// still to whoever asks for that revision.
    fn rolled_out_before(&self, desired: &Desired) -> Result<Option<Desired>, ControllerError> {
        let before = self.settings.journal.rolled_out_revision()?;
        let before = before.filter(|before| *before != desired.revision);
        let Some(before) = before else { return Ok(None) };
        let unknown = |why: &dyn std::fmt::Display| {
            let revision = before.short();
            tracing::warn!(%why, revision, "what tenants changed since then goes out at once");
        };
        let snapshot = match self.settings.source.read_at(before.as_str()) {
            Ok(snapshot) => snapshot,
            Err(error) => {
                unknown(&error);
                return Ok(None);
            }
        };
        let said = checked(&snapshot).desired;
        if said.is_none() {
            unknown(&"it has errors");
        }
        Ok(said)
    }

    /// From now on git says this.
    pub(super) fn want_rollouts(&mut self, desired: &Desired) -> Result<(), ControllerError> {
        let now = self.settings.clock.now();
        let changes = self.board.rollouts().want(desired, now, &|_| Mark::Open);
        self.happened(changes, &[])
    }

    /// Does what people ordered, and lets gates open.
    pub(super) fn advance_rollouts(&mut self) -> Result<(), ControllerError> {
        let now = self.settings.clock.now();
        let steering = self.board.view().steering;
        let approves = |member: &str| steering.approves(ApprovalKind::Wave, member, now);
        // What a journal remembers of the waves before must not open a gate: they are looked at first.
        let sees_all = self.until.only().tenants.is_empty();
        let is_ready = sees_all && self.board.has_seen_all();
        let changes = self.board.rollouts().advance(now, is_ready, &approves);
        self.happened(changes, &[])
    }

    /// Does what people said about rollouts since this was asked last.
    pub(super) fn obey_orders(&mut self) -> Result<(), ControllerError> {
        let orders = self.settings.journal.orders()?;
        let now = self.settings.clock.now();
        let mut changes = Vec::new();
        for (_, order) in &orders {
            let done = self.board.rollouts().obey(order, now);
            match done {
                Ok(change) => changes.push((order.service.clone(), change)),
                Err(why) => self.board.tell(Progress::Disobeyed { order: order.clone(), why }),
            }
        }
        let numbers: Vec<i64> = orders.iter().map(|(number, _)| *number).collect();
        self.happened(changes, &numbers)
    }

    /// Writes changes down, says them, and wakes who may go on.
    fn happened(
        &mut self,
        changes: Vec<(ServiceName, Change)>,
        obeyed: &[i64],
    ) -> Result<(), ControllerError> {
        let is_told = self.is_told();
        let rollouts = self.board.rollouts();
        let moved = rollouts.moved(&self.kept_rollouts);
        let revision = rollouts.revision().cloned();
        if moved.is_empty() && obeyed.is_empty() && revision == self.rolled_out {
            return Ok(());
        }
        if is_told {
            // Written before: what is decided anew after a crash in between is the same happening.
            let now = self.settings.clock.now();
            self.settings.journal.note_happenings(&happenings(&rollouts, &changes, now))?;
        }
        let kept = rollouts.kept().filter(|(name, ..)| moved.contains_key(*name));
        self.settings.journal.write_rollouts(kept, revision.as_ref(), obeyed)?;
        let woken: BTreeSet<Target> = changes
            .iter()
            .flat_map(|(service, change)| rollouts.woken(service, change))
            .map(|key| key.target)
            .collect();
        drop(rollouts);
        let stands = |name: &ServiceName| {
            let run = self.kept_rollouts.get(name).and_then(|kept| kept.running.as_ref());
            run.is_some_and(|run| run.halt.is_some())
        };
        // A halt that is only told in other words stops nobody once more.
        let stops = changes.iter().any(|(name, change)| match change.kind {
            ChangeKind::Halted => !stands(name),
            ChangeKind::Reverting | ChangeKind::Superseded => true,
            ChangeKind::Began
            | ChangeKind::Opened(_)
            | ChangeKind::Completed
            | ChangeKind::Resumed => false,
        });
        self.kept_rollouts.extend(moved);
        self.rolled_out = revision;
        let known = self.queue.targets();
        self.wake(&woken.intersection(&known).cloned().collect());
        if stops {
            self.board.halt();
        }
        self.board.note_moved();
        for (service, change) in changes {
            let text = format!("{service}: release {}: {}", change.release.short(), change.text);
            let (at, kind) = (self.settings.clock.now(), word(change.kind).to_owned());
            self.settings.journal.note(&Event { at, about: Subject::Fleet, kind, text })?;
            self.board.tell(Progress::Rollout { service, change });
        }
        Ok(())
    }

    /// Whether channels are told what happens here.
    fn is_told(&self) -> bool {
        let announces = self.settings.announcing.is_some() && self.until == Until::Stopped;
        announces && !self.board.view().desired.fleet.notify.is_empty()
    }

    /// Whether a rollout goes on without a person and without a look: a wave soaks.
    pub(super) fn rollouts_go_on(&self) -> bool {
        // Whoever looks at some tenants opens no gate, and waits for none.
        let only = self.until.only();
        if !only.tenants.is_empty() {
            return false;
        }
        let now = self.settings.clock.now();
        let steering = self.board.view().steering;
        let approves = |member: &str| steering.approves(ApprovalKind::Wave, member, now);
        self.board.rollouts().goes_on(&only.services, now, &approves)
    }

    /// Asks people about waves that wait for them; returns whether that is another question than before.
    pub(super) fn ask_for_waves(&mut self) -> bool {
        let asks = self.wave_requests();
        let ids: BTreeSet<String> = asks.iter().map(|request| request.id.clone()).collect();
        if ids == self.asked_waves {
            return false;
        }
        for request in asks.into_iter().filter(|one| !self.asked_waves.contains(&one.id)) {
            self.board.tell(Progress::Asked(request));
        }
        self.asked_waves = ids;
        true
    }

    /// What waits for a person's word that a wave may begin.
    pub(super) fn wave_requests(&self) -> Vec<ApprovalRequest> {
        let now = self.settings.clock.now();
        let steering = self.board.view().steering;
        let approves = |member: &str| steering.approves(ApprovalKind::Wave, member, now);
        let awaiting = self.board.rollouts().awaiting(now, &approves);
        let request = |(service, wave, member): (ServiceName, _, String)| {
            let summary = format!("wave {wave} of {service} may begin");
            ApprovalRequest::of(ApprovalKind::Wave, [member].into(), summary)
        };
        awaiting.into_iter().map(request).collect()
    }
}

/// What channels are told of these changes.
fn happenings(
    rollouts: &Rollouts,
    changes: &[(ServiceName, Change)],
    now: Moment,
) -> Vec<Happening> {
    let told = changes.iter().filter_map(|(service, change)| {
        let last = rollouts.course(service)?.waves().len().checked_sub(1)?;
        conditions::of_change(service, change, rollouts.revision(), last, now)
    });
    told.collect()
}

/// The word of a change in the history.
fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Began => "rollout-began",
        ChangeKind::Opened(_) => "wave-began",
        ChangeKind::Completed => "rollout-completed",
        ChangeKind::Halted => "rollout-halted",
        ChangeKind::Resumed => "rollout-resumed",
        ChangeKind::Reverting => "rollout-reverted",
        ChangeKind::Superseded => "rollout-superseded",
    }
}
