//! The rollouts of one service: which stacks take part, how they stand, and which gates open.

mod gating;
mod judging;
mod showing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::fleet::{Deployment, OnHalt, Tenant, Wave, WavePlan};
use crate::ids::{Digest, Revision, StackKey, TenantName};
use crate::moment::Moment;
use crate::outcome::{LeftOut, Mark, Trouble};
use crate::rollout::rollouts::{Change, ChangeKind};
use crate::rollout::run::OrderWord;
use crate::rollout::{Halt, Membership, Order, Release, Rollout, Run, WaveIndex};

pub use showing::{Stage, Upcoming, WaveView};

/// What is called complete in express mode may not be stable yet: its next wave waits so long at
/// least.
const EXPRESS_SOAK: Duration = Duration::from_secs(5 * 60);

/// A stack that takes part.
#[derive(Clone, Debug)]
struct Member {
    tenant: Arc<Tenant>,
    wave: WaveIndex,
    mark: Mark,
}

/// The rollouts of one service.
#[derive(Clone, Debug)]
pub struct Course {
    plan: Arc<WavePlan>,
    deployment: Deployment,
    head: Arc<Release>,
    revision: Revision,
    state: Rollout,
    /// Releases that can be given to stacks, the head among them.
    known: BTreeMap<Digest, Arc<Release>>,
    members: BTreeMap<StackKey, Member>,
    /// Of the running release, or of the good one when none runs.
    tallies: Vec<WaveTally>,
}

/// How the stacks of one wave stand at one release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct WaveTally {
    total: usize,
    settled: usize,
    left_out: BTreeMap<LeftOut, usize>,
    troubled: BTreeMap<StackKey, Trouble>,
}

impl WaveTally {
    fn left_out(&self, is_wanted: bool) -> usize {
        let counts = self.left_out.iter().filter(|(why, _)| why.is_wanted() == is_wanted);
        counts.map(|(_, count)| count).sum()
    }

    fn add(&mut self, key: &StackKey, mark: &Mark, release: &Digest) {
        match mark {
            Mark::Settled(at) if at == release => self.settled += 1,
            Mark::LeftOut(why) => *self.left_out.entry(*why).or_default() += 1,
            Mark::Troubled { release: at, trouble } if at == release => {
                self.troubled.insert(key.clone(), trouble.clone());
            }
            Mark::Open | Mark::Settled(_) | Mark::Troubled { .. } => {}
        }
    }

    fn remove(&mut self, key: &StackKey, mark: &Mark, release: &Digest) {
        match mark {
            Mark::Settled(at) if at == release => self.settled -= 1,
            Mark::LeftOut(why) => {
                if let Some(count) = self.left_out.get_mut(why) {
                    *count -= 1;
                }
                self.left_out.retain(|_, count| *count > 0);
            }
            Mark::Troubled { .. } => drop(self.troubled.remove(key)),
            Mark::Open | Mark::Settled(_) => {}
        }
    }
}

/// What a course is made of.
pub(super) struct Parts {
    pub(super) plan: Arc<WavePlan>,
    pub(super) deployment: Deployment,
    pub(super) head: Release,
    pub(super) revision: Revision,
    pub(super) earlier: BTreeMap<Digest, Arc<Release>>,
    pub(super) members: Vec<(StackKey, Arc<Tenant>)>,
}

impl Course {
    pub(super) fn of(parts: Parts, state: Rollout, marks: &dyn Fn(&StackKey) -> Mark) -> Self {
        let Parts { plan, deployment, head, revision, earlier, members } = parts;
        let head = Arc::new(head);
        let mut known = earlier;
        known.insert(head.id, Arc::clone(&head));
        let tenants: BTreeMap<&TenantName, &Tenant> =
            members.iter().map(|(_, tenant)| (&tenant.name, &**tenant)).collect();
        // Whoever leads is chosen by the release that goes out, not by one that waits.
        let leading = state.running.as_ref().map_or(head.id, |run| run.release);
        let membership = Membership::of(&plan, &leading, tenants.into_values());
        let last = plan.waves.len() - 1;
        let members = members.into_iter().map(|(key, tenant)| {
            let wave = membership.wave_of(&tenant.name).unwrap_or(last);
            let mark = marks(&key);
            (key, Member { tenant, wave, mark })
        });
        let mut course = Self {
            members: members.collect(),
            plan,
            deployment,
            head,
            revision,
            state,
            known,
            tallies: Vec::new(),
        };
        course.count();
        course
    }

    /// What is kept of it.
    pub fn state(&self) -> &Rollout {
        &self.state
    }

    /// What git says now.
    pub fn head(&self) -> &Digest {
        &self.head.id
    }

    /// The release that waits until the running one ends.
    pub fn waiting(&self) -> Option<&Digest> {
        let run = self.state.running.as_ref()?;
        (run.release != self.head.id).then_some(&self.head.id)
    }

    /// The tenants of its stacks, with their documents.
    pub(super) fn tenants(&self) -> impl Iterator<Item = (&StackKey, &Arc<Tenant>)> {
        self.members.iter().map(|(key, member)| (key, &member.tenant))
    }

    /// The releases that its stacks may have, with those that git gives it now.
    pub(super) fn releases(&self, head: Release) -> Vec<Arc<Release>> {
        self.known.values().cloned().chain([Arc::new(head)]).collect()
    }

    pub(super) fn mark(&self, key: &StackKey) -> Option<&Mark> {
        self.members.get(key).map(|member| &member.mark)
    }

    pub(super) fn members_of(&self, are: &dyn Fn(WaveIndex, &Mark) -> bool) -> Vec<StackKey> {
        let members = self.members.iter().filter(|(_, one)| are(one.wave, &one.mark));
        members.map(|(key, _)| key.clone()).collect()
    }

    fn judged(&self) -> Option<Digest> {
        let run = self.state.running.as_ref().map(|run| run.release);
        run.or(self.state.good)
    }

    /// Counts all marks anew.
    fn count(&mut self) {
        self.tallies = vec![WaveTally::default(); self.plan.waves.len()];
        let release = self.judged().unwrap_or(self.head.id);
        for (key, member) in &self.members {
            let tally = &mut self.tallies[member.wave];
            tally.total += 1;
            tally.add(key, &member.mark, &release);
        }
    }

    /// A look showed how a stack stands.
    pub(super) fn note(&mut self, key: &StackKey, mark: Mark) {
        let release = self.judged().unwrap_or(self.head.id);
        let Some(member) = self.members.get_mut(key) else { return };
        let is_failed =
            matches!(&member.mark, Mark::Troubled { release: at, .. } if *at == release);
        if is_failed && matches!(mark, Mark::LeftOut(why) if !why.is_wanted()) {
            // That it cannot be seen or tried now heals nothing.
            return;
        }
        let tally = &mut self.tallies[member.wave];
        tally.remove(key, &member.mark, &release);
        tally.add(key, &mark, &release);
        member.mark = mark;
    }

    fn is_opened(&self, run: &Run, wave: WaveIndex) -> bool {
        run.opened.contains_key(&self.plan.waves[wave].name)
    }

    /// How long the stacks of a wave must have been well before the next begins.
    fn soak(&self, wave: WaveIndex) -> Duration {
        soak(&self.plan, self.deployment, wave)
    }

    /// The wave in which a stack takes the running release, with its limit on operations.
    pub fn limit(&self, key: &StackKey) -> Option<(WaveIndex, u32)> {
        self.state.running.as_ref()?;
        let wave = self.members.get(key)?.wave;
        Some((wave, self.plan.waves[wave].max_in_flight?))
    }

    /// How many operations may run for the running release in a wave.
    pub fn limit_of(&self, wave: WaveIndex) -> Option<u32> {
        self.state.running.as_ref()?;
        self.plan.waves.get(wave)?.max_in_flight
    }

    /// The wave that a stack goes with.
    pub fn wave_of(&self, key: &StackKey) -> Option<WaveIndex> {
        self.members.get(key).map(|member| member.wave)
    }

    /// Takes part in what happened since: budgets, gates, the end. `is_ready`: every target has been
    /// looked at. `approves`: whether a person let a wave begin.
    pub(super) fn advance(
        &mut self,
        now: Moment,
        is_ready: bool,
        approves: &dyn Fn(&str) -> bool,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        // Each turn opens a wave, halts, resumes or ends a rollout: there are only so many.
        while let Some(change) = self.step(now, is_ready, approves) {
            changes.push(change);
        }
        changes
    }

    fn step(
        &mut self,
        now: Moment,
        is_ready: bool,
        approves: &dyn Fn(&str) -> bool,
    ) -> Option<Change> {
        let run = self.state.running.clone()?;
        let failed = self.over_budget(&run);
        if let Some(halt) = run.halt.as_ref().filter(|halt| halt.by.is_none()) {
            if run.release != self.head.id {
                let change =
                    self.change(ChangeKind::Superseded, "another release waited".to_owned());
                self.begin(now);
                return Some(change);
            }
            return match failed {
                _ if halt.reverting => None,
                Some(failed) => halt.named_anew(failed).map(|halt| self.halt(halt)),
                None => Some(self.set_halt(None, ChangeKind::Resumed, "it healed".to_owned())),
            };
        }
        if run.halt.is_some() {
            return None;
        }
        if let Some(failed) = failed {
            let can_revert = self.state.good.is_some_and(|good| self.known.contains_key(&good));
            let reverts = can_revert && self.plan.on_halt == OnHalt::Revert;
            let (why, shared) = (failed.why, failed.shared);
            return Some(self.halt(Halt { at: now, why, shared, by: None, reverting: reverts }));
        }
        let opened = |wave: &WaveIndex| self.is_opened(&run, *wave);
        let all = 0..self.plan.waves.len();
        let is_well = all.clone().filter(opened).all(|wave| self.is_well(&run, wave));
        let next = all.clone().find(|wave| !opened(wave));
        // One that is mended, or new, does not make the others less tried.
        let is_broken = all.clone().filter(opened).any(|wave| self.is_broken(wave));
        let since = if is_well { Some(run.well_since.unwrap_or(now)) } else { run.well_since };
        let well_since = since.filter(|_| !is_broken);
        if let Some(running) = &mut self.state.running {
            running.well_since = well_since;
        }
        let before = next.map_or(self.plan.waves.len() - 1, |next| next.saturating_sub(1));
        let has_begun = next != Some(0);
        let soak = self.soak(before);
        let has_soaked = well_since.is_some_and(|since| now.since(since) >= soak);
        // The first wave asks for nothing that was seen before.
        if has_begun && !(is_well && has_soaked && is_ready) {
            return None;
        }
        match next {
            None => Some(self.complete(run, now)),
            Some(next) if self.needs_approval(&run, next, approves) => None,
            Some(next) => Some(self.open(next, now)),
        }
    }

    /// Whether a person has to say first that a wave may begin.
    fn needs_approval(&self, run: &Run, wave: WaveIndex, approves: &dyn Fn(&str) -> bool) -> bool {
        self.plan.waves[wave].needs_approval && !approves(&self.approval(run, wave))
    }

    /// What is approved when a wave is.
    fn approval(&self, run: &Run, wave: WaveIndex) -> String {
        format!("{} of {}", self.plan.waves[wave].name, run.release)
    }

    fn open(&mut self, wave: WaveIndex, now: Moment) -> Change {
        let Wave { name, .. } = &self.plan.waves[wave];
        let count = self.tallies[wave].total;
        let text = format!("wave {name} begins: {}", stacks(count));
        if let Some(run) = &mut self.state.running {
            run.opened.insert(name.clone(), now);
            run.well_since = None;
        }
        self.change(ChangeKind::Opened(wave), text)
    }

    fn complete(&mut self, run: Run, now: Moment) -> Change {
        let well: usize = self.tallies.iter().map(|tally| tally.settled).sum();
        let text = format!("all waves took it: {} well", stacks(well));
        let change = self.change(ChangeKind::Completed, text);
        let inputs = std::mem::take(&mut self.state.inputs);
        self.state = Rollout { good: Some(run.release), inputs, ..Rollout::default() };
        if run.release != self.head.id {
            self.begin(now);
        }
        change
    }

    /// What git says now goes out at once where nothing does, where what does is halted or lost, and
    /// where it is the good release again; else it waits.
    pub(super) fn follow_head(&mut self, now: Moment) -> Option<Change> {
        let (head, good) = (Some(&self.head.id), self.state.good.as_ref());
        match &self.state.running {
            None if good == head => return None,
            Some(run) if Some(&run.release) == head => return None,
            Some(run) if good == head => {
                let text =
                    format!("release {} is taken back: git says this again", run.release.short());
                self.state.taken_back.insert(run.release);
                self.state.running = None;
                self.count();
                return Some(self.change(ChangeKind::Superseded, text));
            }
            Some(run) if self.waits(run) => return None,
            None | Some(_) => {}
        }
        self.begin(now);
        Some(self.change(ChangeKind::Began, format!("{} get it", stacks(self.members.len()))))
    }

    /// Whether another release waits until this one ends, or until the person goes on who halted it.
    /// Where all stacks take it at once no later wave could be kept waiting by frequent commits, and the
    /// newest is what people want.
    fn waits(&self, run: &Run) -> bool {
        let is_said = run.halt.as_ref().is_some_and(|halt| halt.by.is_some());
        let goes_on = self.plan.waves.len() > 1 && run.halt.is_none();
        (goes_on || is_said) && self.known.contains_key(&run.release)
    }

    /// The head goes out from now on.
    pub(super) fn begin(&mut self, now: Moment) {
        self.state.taken_back.remove(&self.head.id);
        self.state.running = Some(Run::new(self.head.id, self.revision.clone(), now));
        self.choose_leaders();
        self.count();
    }

    /// Who goes with which wave depends on the release where the plan shuffles.
    fn choose_leaders(&mut self) {
        let tenants: BTreeMap<&TenantName, &Tenant> =
            self.members.values().map(|one| (&one.tenant.name, &*one.tenant)).collect();
        let membership = Membership::of(&self.plan, &self.head.id, tenants.into_values());
        let last = self.plan.waves.len() - 1;
        for member in self.members.values_mut() {
            member.wave = membership.wave_of(&member.tenant.name).unwrap_or(last);
        }
    }

    fn halt(&mut self, halt: Halt) -> Change {
        let kind = if halt.reverting { ChangeKind::Reverting } else { ChangeKind::Halted };
        let why = halt.why.clone();
        self.set_halt(Some(halt), kind, why)
    }

    fn set_halt(&mut self, halt: Option<Halt>, kind: ChangeKind, text: String) -> Change {
        if let Some(run) = &mut self.state.running {
            match &halt {
                Some(halt) if halt.reverting => drop(self.state.taken_back.insert(run.release)),
                Some(_) | None => drop(self.state.taken_back.remove(&run.release)),
            }
            run.halt = halt;
            run.well_since = None;
        }
        self.change(kind, text)
    }

    fn change(&self, kind: ChangeKind, text: String) -> Change {
        let release = self.judged().unwrap_or(self.head.id);
        Change { kind, release, text, is_quiet: self.plan.waves.len() == 1 }
    }

    /// Does what a person said; the error is a sentence.
    pub(super) fn obey(&mut self, order: &Order, now: Moment) -> Result<Change, String> {
        let Some(run) = self.state.running.clone() else {
            return Err("no release goes out".to_owned());
        };
        if let Some(meant) = order.release.filter(|meant| *meant != run.release) {
            return Err(format!("release {} does not go out any more", meant.short()));
        }
        let why = match order.reason.as_str() {
            "" => "a person said so".to_owned(),
            reason => reason.to_owned(),
        };
        let said = |reverting| {
            let (why, by) = (why.clone(), Some(order.by.clone()));
            Halt { at: now, why, shared: None, by, reverting }
        };
        match order.word {
            OrderWord::Halt => Ok(self.halt(said(false))),
            OrderWord::Revert if self.state.good.is_none() => {
                Err("there is no good release to go back to".to_owned())
            }
            OrderWord::Revert => Ok(self.halt(said(true))),
            OrderWord::Resume if run.halt.is_none() => Err("it is not halted".to_owned()),
            OrderWord::Resume => {
                let failed: Vec<StackKey> =
                    self.failed(&run).map(|(_, key, _)| key.clone()).collect();
                if let Some(run) = &mut self.state.running {
                    run.pardoned.extend(failed);
                }
                Ok(self.set_halt(None, ChangeKind::Resumed, format!("{}: {why}", order.by)))
            }
            OrderWord::Supersede if self.waiting().is_none() => {
                Err("no other release waits".to_owned())
            }
            OrderWord::Supersede => {
                let change = self.change(ChangeKind::Superseded, format!("{}: {why}", order.by));
                self.begin(now);
                Ok(change)
            }
        }
    }
}

/// How long the stacks of a wave must have been well before the next begins; `deployment` is what the
/// service says.
pub fn soak(plan: &WavePlan, deployment: Deployment, wave: WaveIndex) -> Duration {
    let Wave { soak, deployment: own, .. } = plan.waves[wave];
    let deployment = own.unwrap_or(deployment);
    let is_express = deployment == Deployment::Express && plan.waves.len() > 1;
    if is_express { soak.max(EXPRESS_SOAK) } else { soak }
}

fn stacks(count: usize) -> String {
    if count == 1 { "1 stack".to_owned() } else { format!("{count} stacks") }
}
