//! Looking into the stacks of a target for drift, beside everything else that a pass does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::desired::Wanted;
use crate::drift::{AT_ONCE, DriftRecord, Due, Hidden, due, is_foreign, slack};
use crate::fleet::{DriftRules, StackPolicy};
use crate::ids::StackName;
use crate::moment::Moment;
use crate::observe::{Looked, Looking, Sight, asked_again};
use crate::observed::Seen;
use crate::outcome::Memory;
use crate::plan::may_run;
use crate::reconcile::Pass;

/// What looking for drift in a target came to.
#[derive(Default)]
pub(super) struct Drifting {
    pub(super) drifts: Drifts,
    /// Stacks that could be looked into now.
    pub(super) ready: BTreeSet<StackName>,
    /// Whether some of them were not, as no more calls may be made.
    pub(super) lacks_calls: bool,
}

/// What is known of drift in one target.
pub(super) type Drifts = BTreeMap<StackName, DriftRecord>;

/// A set that waits for so long waits for a person.
const WAITING: Duration = Duration::from_secs(60 * 60);

/// Whether nothing is about to happen to the stack that would make a detection useless.
fn is_at_rest(record: &DriftRecord, seen: &Seen, memory: &Memory, now: Moment) -> bool {
    let is_prepared = memory.change_set.as_ref().is_some_and(|set| !set.reverts);
    !may_run(Some(seen), memory, now) && (!is_prepared || now.since(record.due_at) > WAITING)
}

/// What a change set said that cannot be brought back is said in reports.
fn note_irreversible(record: &mut DriftRecord, seen: &Seen, memory: &mut Memory) {
    let Some(known) = &memory.irreversible else { return };
    if known.version == seen.version() && record.version.as_ref() == Some(&known.version) {
        record.cannot_revert(known.subjects.iter().map(String::as_str), &known.why);
    }
}

impl Pass<'_> {
    /// Looks into stacks that are due, and goes on where it began before. What it learns is in
    /// `memories` and in what it returns.
    pub(super) async fn look_for_drift(
        &self,
        sight: &Sight,
        memories: &mut BTreeMap<StackName, Memory>,
    ) -> Drifting {
        let now = self.means.clock.now();
        let mut found = Drifting::default();
        let mut running = self.drifts.values().filter(|one| one.detection.is_some()).count();
        // Calls for what moves come first.
        let is_busy = sight.look.stacks.values().any(|seen| seen.status.is_moving());
        for (name, wanted) in self.in_order_of_need() {
            let seen = sight.look.stacks.get(name).filter(|seen| self.is_ours(seen));
            let Some(seen) = seen.filter(|_| !wanted.asked_to_go) else { continue };
            let rules = self.rules(wanted);
            if !rules.looks() {
                continue;
            }
            let known = self.drifts.get(name).cloned();
            let mut record =
                known.unwrap_or_else(|| DriftRecord::new(&seen.key, now, rules.every()));
            record.tenant = Some(wanted.tenant.name.clone());
            record.service = Some(wanted.service.name.clone());
            record.heed(&rules);
            self.notice_change(&mut record, seen, now);
            if let Some(memory) = memories.get_mut(name) {
                let back = std::mem::take(&mut memory.brought_back);
                if !back.is_empty() {
                    record.reverts(back.iter().map(String::as_str), now);
                }
                let is_quiet = !is_busy && is_at_rest(&record, seen, memory, now);
                let is_due = self.is_due(&record, seen, &rules, now);
                let begins = record.detection.is_none() && is_due && is_quiet && running < AT_ONCE;
                let may = self.budget_wait(now).is_zero();
                found.lacks_calls |= begins && !may;
                if begins && may {
                    record.begin(&seen.id, seen.version(), now);
                    running += 1;
                }
                if record.detection.is_some() {
                    let looked = self.go_on(&mut record, wanted, seen, rules, memory).await;
                    found.lacks_calls |= looked == Looked::NoCalls;
                    running -= usize::from(record.detection.is_none());
                }
                note_irreversible(&mut record, seen, memory);
                let is_open = due(&record, seen, rules.every()) != Due::NotNow;
                if is_open && is_quiet {
                    found.ready.insert(name.clone());
                }
            }
            found.drifts.insert(name.clone(), record);
        }
        found
    }

    /// The wanted stacks, those that have waited longest first: calls are scarce.
    fn in_order_of_need(&self) -> Vec<(&StackName, &Wanted)> {
        let wanted = self.view.desired.stacks.get(self.target);
        let mut wanted: Vec<(&StackName, &Wanted)> = wanted.into_iter().flatten().collect();
        wanted.sort_by_key(|(name, _)| {
            let record = self.drifts.get(*name);
            let begun = record.and_then(|record| Some(record.detection.as_ref()?.begun_at));
            (begun.is_none(), begun.or(record.map(|record| record.due_at)))
        });
        wanted
    }

    fn rules<'a>(&'a self, wanted: &'a Wanted) -> DriftRules<'a> {
        let exception = wanted.tenant.services.get(&wanted.service.name);
        DriftRules::of(&self.view.desired.fleet, &wanted.service, exception, &wanted.tenant.labels)
    }

    /// Whether somebody else updated the stack since the last look, or what was found is of another
    /// version than the one that stands.
    fn notice_change(&self, record: &mut DriftRecord, seen: &Seen, now: Moment) {
        let earlier = self.records.get(&seen.key.name);
        let before = earlier.and_then(|row| Some((row.seen.as_ref()?, &row.memory)));
        if before.is_some_and(|(before, memory)| is_foreign(before, memory, seen)) {
            record.was_changed(now);
        }
        let is_of_another = record.version.as_ref().is_some_and(|of| *of != seen.version());
        if is_of_another && !record.findings.is_empty() {
            record.is_wanted(now);
        }
    }

    /// Whether it is looked into at this look: what falls due before the next one is, so that nobody
    /// looks for its sake alone.
    fn is_due(
        &self,
        record: &DriftRecord,
        seen: &Seen,
        rules: &DriftRules<'_>,
        now: Moment,
    ) -> bool {
        let slack = slack(self.view.desired.fleet.resync, rules.every());
        matches!(due(record, seen, rules.every()), Due::At(at) if at <= now + slack)
    }

    async fn go_on(
        &self,
        record: &mut DriftRecord,
        wanted: &Wanted,
        seen: &Seen,
        rules: DriftRules<'_>,
        memory: &mut Memory,
    ) -> Looked {
        let (board, clock, account) = (&self.means.board, &self.means.clock, self.target.account);
        let spend = |calls: u32| board.drift_budget().spend(&account, calls, clock.now());
        let hidden = Hidden::of(&wanted.service.template);
        let looking = Looking { api: &self.api, clock, rules, hidden: &hidden, spend: &spend };
        let looked = looking.go_on(record, seen).await;
        if let Looked::Done(in_sync) = &looked {
            memory.debts.retain(|place, _| !in_sync.contains(place));
            self.compare_policy(wanted, seen, memory, &spend).await;
        }
        looked
    }

    /// Looks at the stack policy, which no look at the listing shows and no update moves.
    async fn compare_policy(
        &self,
        wanted: &Wanted,
        seen: &Seen,
        memory: &mut Memory,
        spend: &(dyn Fn(u32) -> bool + Send + Sync),
    ) {
        let known = memory.known.as_mut().filter(|known| known.version == seen.version());
        let Some(known) = known.filter(|_| wanted.service.stack_policy.is_some() && spend(1))
        else {
            return;
        };
        // What cannot be read or understood says nothing: it is looked at again with the next.
        if let Ok(policy) = self.api.stack_policy(&seen.id).await {
            match policy.as_deref().map(StackPolicy::parse) {
                None => known.policy = None,
                Some(Ok(policy)) => known.policy = Some(policy.digest),
                Some(Err(_)) => {}
            }
        }
    }

    /// Rows that are others than before; `None` for those of stacks that are not looked into any more.
    pub(super) fn changed_drifts(&self, drifts: Drifts) -> Vec<(StackName, Option<DriftRecord>)> {
        let gone = self.drifts.keys().filter(|name| !drifts.contains_key(*name));
        let gone: Vec<(StackName, Option<DriftRecord>)> =
            gone.map(|name| (name.clone(), None)).collect();
        let is_new = |name: &StackName, record: &DriftRecord| self.drifts.get(name) != Some(record);
        let changed = drifts.into_iter().filter(|(name, record)| is_new(name, record));
        changed.map(|(name, record)| (name, Some(record))).chain(gone).collect()
    }

    /// When the target is looked at again because of drift; `None` when the next regular look does.
    /// What moves, or cannot be looked into, is not waited for: it is looked at anyway.
    pub(super) fn drift_at(&self, found: &Drifting, now: Moment) -> Option<Moment> {
        let (shortest, longest) = (self.means.look_every, self.view.desired.fleet.resync);
        let mut budget = self.means.board.drift_budget();
        if found.lacks_calls {
            return budget.book(&self.target.account, now, longest);
        }
        let is_awaited =
            |record: &&DriftRecord| record.hurries && found.ready.contains(&record.key.name);
        let at = |record: &DriftRecord| match &record.detection {
            Some(detection) => now + asked_again(detection, shortest).min(longest),
            None => record.due_at.max(now + shortest),
        };
        found.drifts.values().filter(is_awaited).map(at).min()
    }

    fn budget_wait(&self, now: Moment) -> Duration {
        self.means.board.drift_budget().wait(&self.target.account, now)
    }
}
