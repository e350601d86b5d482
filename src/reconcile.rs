//! One target, once: observe, decide, reserve, act, record, say when to look again.

mod again;
mod artifacts;
mod blind;
mod drift;
mod history;
mod only;
mod places;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::act::act;
use crate::aws::{Access, Aws, TargetApi};
use crate::board::{Board, Progress, View};
use crate::clock::Clock;
use crate::desired::Wanted;
use crate::fleet::Service;
use crate::ids::{StackKey, StackName, Target};
use crate::journal::{Journal, JournalError};
use crate::moment::Moment;
use crate::observe::{Sight, observe};
use crate::observed::{Look, Seen};
use crate::outcome::{Memory, Outcome};
use crate::plan::{
    ApprovalRequest, DRIFTED, Decided, Decision, FormerStack, Hold, Rendered, Scene, StackRecord,
    Step, TargetRecord, Verdict, after_look, decide, may_run, note_adopted, note_inside, note_mark,
    ownership,
};
use crate::reconcile::drift::{Drifting, Drifts};
use crate::reconcile::history::{drifted, event_of_step, event_of_verdict, failed, is_same, owed};
use crate::report::{Event, Subject};
use crate::rollout::Gate;

pub use only::Only;

/// How urgent a target is, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Git or a person changed what is wanted here.
    Changed,
    /// Something moves.
    InFlight,
    /// Something failed and is tried again.
    Failed,
    /// Nothing is known to be wrong.
    Resync,
}

/// When to look again, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// The moment.
    pub at: Moment,
    /// How urgent it is then.
    pub class: Class,
}

/// What reconciling needs; shared by all workers.
#[derive(Clone)]
pub struct Reconciler {
    /// The cloud.
    pub aws: Aws,
    /// What survives.
    pub journal: Journal,
    /// The time.
    pub clock: Clock,
    /// What the whole controller knows.
    pub board: Board,
    /// The shortest pause between two looks while something moves.
    pub look_every: Duration,
    /// What is converged; the rest is looked at only.
    pub only: Only,
}

/// One pass over one target.
struct Pass<'a> {
    means: &'a Reconciler,
    view: View,
    target: &'a Target,
    api: TargetApi,
    records: BTreeMap<StackName, StackRecord>,
    drifts: Drifts,
    earlier: Option<TargetRecord>,
}

/// What a pass has come to so far.
#[derive(Default)]
struct Done {
    rows: BTreeMap<StackName, StackRecord>,
    requests: Vec<ApprovalRequest>,
    events: Vec<Event>,
    found: Drifting,
}

impl Reconciler {
    /// Looks at one target, does what may be done now, and says when to look again.
    pub async fn reconcile(&self, target: &Target) -> Result<Next, JournalError> {
        let view = self.board.view();
        let access = Access {
            role_arn: view.desired.role_arn(target),
            external_id: view.desired.external_id().map(str::to_owned),
        };
        // Whoever suspends or takes back something must not wait for what was decided before, nor
        // may a window that has opened since.
        let (board, basis) = (self.board.clone(), view.clone());
        let (clock, account) = (self.clock.clone(), target.account);
        let halts = board.halts();
        let permission = Arc::new(move || {
            let now = board.view();
            !board.is_stopped()
                && now.steering.suspensions == basis.steering.suspensions
                && Arc::ptr_eq(&now.desired, &basis.desired)
                && basis.desired.frozen(&account, clock.now()).is_none()
                && board.halts() == halts
        });
        let board = &self.board;
        let basis = view.clone();
        let pass = Pass {
            means: self,
            api: self.aws.target(target, &access).while_allowed(permission),
            records: self.journal.stacks_in(target)?,
            drifts: self.journal.drift_in(target)?,
            earlier: self.journal.target(target)?,
            target,
            view,
        };
        let controller = self.journal.controller_id();
        let desired = &pass.view.desired;
        let next = match observe(&pass.api, &self.clock, desired, &pass.records, controller).await {
            Ok(sight) => pass.with_sight(sight).await?,
            Err(blind) => pass.without_sight(blind)?,
        };
        self.board.ledger().passed(target);
        if board.is_current(&basis) {
            return Ok(next);
        }
        // What a newer revision means here is not known yet.
        Ok(Next { at: self.clock.now(), class: Class::Changed })
    }
}

impl Pass<'_> {
    async fn with_sight(self, sight: Sight) -> Result<Next, JournalError> {
        // At the first look, what stands here and has no row was made before this journal began.
        let is_first = self.earlier.as_ref().is_none_or(|earlier| earlier.looked_at.is_none());
        let is_new = |seen: &Seen| self.is_ours(seen) && !self.records.contains_key(&seen.key.name);
        if is_first
            && sight.look.stacks.values().any(is_new)
            && self.means.journal.note_inherited(sight.look.at)?
        {
            self.tell(Progress::Inherited { target: self.target.clone() });
        }
        self.learn_lengths(&sight.look);
        let now = self.means.clock.now();
        // Patience is counted to the listing: nothing was seen since, however long that took.
        let mut memories = self.memories(&sight, sight.look.at);
        let found = self.look_for_drift(&sight, &mut memories).await;
        self.count_in_flight(&sight.look, &memories);
        let former = self.former_stacks()?;
        let gates = self.gates(&sight.look, &memories);
        let elsewhere = self.means.board.elsewhere(&self.view, self.target);
        let decided = {
            let keyed_hash = |text: &str| self.means.journal.keyed_hash(text);
            let lacks = |service: &Service, rendered: &Rendered| self.lack(service, rendered);
            decide(&Scene {
                desired: &self.view.desired,
                steering: &self.view.steering,
                look: &sight.look,
                memories: &memories,
                insights: &sight.insights,
                former: &former,
                gates: &gates,
                requires_plan: self.view.desired.fleet.requires_plan || self.means.only.planned,
                elsewhere: &elsewhere,
                drifts: &found.drifts,
                another_controller: sight.another_controller.as_deref(),
                lacks: &lacks,
                keyed_hash: &keyed_hash,
                now,
            })
        };
        self.note_waiting(&sight.look, &memories, &decided);
        self.order_artifacts(&decided);
        let mut done = Done { found, ..Done::default() };
        for (name, decided) in decided {
            let mut memory = memories.get(&name).cloned().unwrap_or_default();
            note_inside(&mut memory, &decided);
            self.carry_out(&sight, &name, decided, memory, &mut done).await?;
        }
        self.keep_pending(&sight.look, &memories, &mut done.rows);
        self.record(&sight.look, done)
    }

    /// What is remembered of each stack after this look.
    fn memories(&self, sight: &Sight, now: Moment) -> BTreeMap<StackName, Memory> {
        let none = BTreeMap::new();
        let wanted = self.view.desired.stacks.get(self.target).unwrap_or(&none);
        let names: BTreeSet<&StackName> =
            wanted.keys().chain(self.records.keys()).chain(sight.look.stacks.keys()).collect();
        let mut memories = BTreeMap::new();
        for name in names {
            let seen = sight.look.stacks.get(name);
            let known = self.records.get(name).map(|record| &record.memory);
            let change_set =
                sight.insights.get(name).and_then(|insight| insight.change_set.as_ref());
            let operation = sight.operations.get(name).cloned();
            let known = known.cloned().unwrap_or_default();
            let mut memory = after_look(&known, seen, change_set, operation, now);
            if let Some(learnt) = sight.learnt.get(name) {
                memory.known = Some(learnt.clone());
            }
            if let Some(seen) = seen {
                let before = self.records.get(name).and_then(|record| record.seen.as_ref());
                note_adopted(&self.view.desired, &mut memory, before, seen);
            }
            if let Some(wanted) = wanted.get(name) {
                memory.tenant = Some(wanted.tenant.name.clone());
                memory.service = Some(wanted.service.name.clone());
            } else if let Some(seen) = seen.filter(|seen| self.is_ours(seen)) {
                // Whose a dropped stack is, its tags say to a journal that never saw it wanted.
                memory.tenant = memory.tenant.or_else(|| ownership::tenant_of(seen));
                memory.service = memory.service.or_else(|| ownership::service_of(seen));
            }
            memory.hear(&self.view.last_words);
            memories.insert(name.clone(), memory);
        }
        memories
    }

    fn is_ours(&self, seen: &Seen) -> bool {
        ownership::is_ours(seen, &self.view.desired.fleet.name)
    }

    /// Tells the board which stacks here wait to be deleted.
    fn note_waiting(
        &self,
        look: &Look,
        memories: &BTreeMap<StackName, Memory>,
        decided: &BTreeMap<StackName, Decided>,
    ) {
        let none = Memory::default();
        let stays =
            |name: &StackName| decided.get(name).is_some_and(|one| one.decision.lets_stand());
        let waiting = look.stacks.values().filter(|seen| {
            let memory = memories.get(&seen.key.name).unwrap_or(&none);
            crate::plan::is_waiting_to_go(&self.view.desired, seen, memory)
                && !stays(&seen.key.name)
        });
        let waiting = waiting
            .filter_map(|seen| Some((seen.id.clone(), ownership::tenant_of(seen)?)))
            .collect();
        self.means.board.replace_waiting(&self.view, self.target, waiting);
    }

    /// Which release each wanted stack may have now.
    fn gates(
        &self,
        look: &Look,
        memories: &BTreeMap<StackName, Memory>,
    ) -> BTreeMap<StackName, Gate> {
        let none = Memory::default();
        let rollouts = self.means.board.rollouts();
        let wanted = self.view.desired.stacks.get(self.target).into_iter().flatten();
        // Between two revisions nobody knows what may be taken.
        let is_known = rollouts.are_of(&self.view.desired.revision);
        let gate = |(name, wanted): (&StackName, &Wanted)| {
            let Memory { release, taking, .. } = memories.get(name).unwrap_or(&none);
            let is_there = look.stacks.contains_key(name);
            let (service, key) = (&wanted.service.name, &wanted.key);
            let gate = match is_known {
                true => rollouts.gate(service, key, release.as_ref(), taking.as_ref(), is_there),
                false => Gate::unknown(),
            };
            (name.clone(), gate)
        };
        wanted.map(gate).collect()
    }

    /// Stacks of this target's tenant in accounts that it had before.
    fn former_stacks(&self) -> Result<Vec<FormerStack>, JournalError> {
        let Some(tenant) = self.view.desired.tenant_of(&self.target.account) else {
            return Ok(Vec::new());
        };
        Ok(self.means.board.former_stacks(&tenant.name, &self.target.account))
    }

    /// Does what was decided about one stack, if the limits let it, and writes its row.
    async fn carry_out(
        &self,
        sight: &Sight,
        name: &StackName,
        decided: Decided,
        memory: Memory,
        done: &mut Done,
    ) -> Result<(), JournalError> {
        let look = &sight.look;
        let earlier = self.records.get(name);
        let seen = look.stacks.get(name).cloned();
        let key = StackKey { target: self.target.clone(), name: name.clone() };
        let mut record = StackRecord {
            verdict: decided.decision.verdict(),
            verdict_since: look.at,
            wanted: decided.wanted,
            looked_at: look.at,
            key,
            seen,
            memory,
        };
        let hold = match &decided.decision {
            Decision::Step(step) => match self.reserve(step, &record.memory)? {
                Ok(()) => {
                    let before = record.memory.taking;
                    if step.kind.gives_release() {
                        record.memory.taking = decided.release;
                    }
                    let outcome = self.take(step, &decided, &mut record).await?;
                    if matches!(outcome, Outcome::Failed(_) | Outcome::LookAgain(_)) {
                        record.memory.taking = before;
                    }
                    done.events.push(event_of_step(&record, step, &outcome, look.at));
                    None
                }
                Err(hold) => Some(hold),
            },
            Decision::Hold(hold) => Some(hold.clone()),
            Decision::InSync | Decision::Nothing => None,
        };
        if decided.decision == Decision::InSync {
            record.memory.failure = None;
        }
        if decided.decision.is_in_sync() {
            record.memory.release = decided.release.or(record.memory.release);
            // A secret that no journal remembers counts as the wanted one; the next is another.
            for (name, hash) in &decided.no_echo {
                record.memory.no_echo.entry(name.clone()).or_insert(*hash);
            }
        }
        if let Some(hold) = &hold {
            record.verdict = hold.verdict();
        }
        note_mark(&mut record.memory, &decided, hold.as_ref());
        record.verdict.text.push_str(&owed(&record, hold.as_ref()));
        let drifted = drifted(done.found.drifts.get(name));
        if decided.decision == Decision::InSync && !drifted.is_empty() {
            record.verdict.code = DRIFTED.to_owned();
        }
        record.verdict.text.push_str(&drifted);
        if let Some(earlier) = earlier.filter(|row| row.verdict.code == record.verdict.code) {
            record.verdict_since = earlier.verdict_since;
        }
        if self.report(earlier.map(|row| &row.verdict), &record) {
            done.events.extend(event_of_verdict(&record, look.at));
        }
        done.requests.extend(hold.as_ref().and_then(Hold::request).cloned());
        done.rows.insert(name.clone(), record);
        Ok(())
    }

    /// Keeps the rows of stacks that nobody wants any more and no look shows, while something that we
    /// asked for may still make them.
    fn keep_pending(
        &self,
        look: &Look,
        memories: &BTreeMap<StackName, Memory>,
        rows: &mut BTreeMap<StackName, StackRecord>,
    ) {
        for (name, earlier) in &self.records {
            let Some(memory) = memories.get(name).filter(|_| !rows.contains_key(name)) else {
                continue;
            };
            let seen = look.stacks.get(name);
            let Some(attempt) = memory.attempt.as_ref().filter(|_| may_run(seen, memory, look.at))
            else {
                continue;
            };
            let verdict = Hold::EffectPending { step: attempt.kind.word() }.verdict();
            let is_same = verdict.code == earlier.verdict.code;
            let row = StackRecord {
                key: earlier.key.clone(),
                seen: seen.cloned(),
                looked_at: look.at,
                wanted: false,
                verdict_since: if is_same { earlier.verdict_since } else { look.at },
                verdict,
                memory: memory.clone(),
            };
            rows.insert(name.clone(), row);
        }
    }

    async fn take(
        &self,
        step: &Step,
        decided: &Decided,
        record: &mut StackRecord,
    ) -> Result<Outcome, JournalError> {
        let means = self.means;
        let (memory, outcome) =
            act(&self.api, &means.journal, &means.clock, record, step, decided).await?;
        let runs =
            matches!(outcome, Outcome::Started | Outcome::Unknown(_) | Outcome::Overtaken(_));
        if step.kind.starts_operation() && !runs {
            self.give_back(step, &record.memory);
        }
        record.memory = memory;
        match &outcome {
            Outcome::Started | Outcome::Done => {}
            Outcome::Overtaken(cause) => {
                record.verdict.text = format!("{}; overtaken: {cause}", record.verdict.text);
            }
            Outcome::LookAgain(why) => {
                record.verdict.text = format!("{}; looking again: {why}", record.verdict.text);
            }
            Outcome::Failed(cause) | Outcome::Unknown(cause) => {
                record.verdict = failed(record, step, cause);
            }
        }
        let told = outcome.clone();
        self.tell(Progress::Step { record: record.clone(), step: step.clone(), outcome: told });
        Ok(outcome)
    }

    /// Says what changed about one stack since the last pass, and whether anything did.
    fn report(&self, earlier: Option<&Verdict>, record: &StackRecord) -> bool {
        let changed = earlier.is_none_or(|before| {
            before.code != record.verdict.code || before.weight != record.verdict.weight
        });
        if changed {
            self.tell(Progress::Verdict {
                record: record.clone(),
                earlier: earlier.map(|verdict| verdict.weight),
            });
        }
        changed
    }

    fn tell(&self, progress: Progress) {
        self.means.board.tell(progress);
    }

    /// Writes the pass down and says when to look again.
    fn record(&self, look: &Look, done: Done) -> Result<Next, JournalError> {
        let Done { mut rows, requests, mut events, found } = done;
        rows.retain(|_, row| row.may_stand() || row.wanted || row.verdict.code != "nothing");
        let mut next = self.next(look, &rows);
        if let Some(at) = self.drift_at(&found, self.means.clock.now()) {
            next.at = next.at.min(at);
        }
        let drifts = self.changed_drifts(found.drifts);
        let gone: Vec<StackName> =
            self.records.keys().filter(|name| !rows.contains_key(*name)).cloned().collect();
        for name in &gone {
            let known = self.records.get(name).and_then(|record| record.seen.as_ref());
            // What was only to be taken over stands on under its own name.
            let stands = known.is_some_and(|known| look.stacks.contains_key(&known.own_name()));
            let is_another = stands || look.stacks.contains_key(name);
            if !is_another {
                self.tell(Progress::Gone { target: self.target.clone(), name: name.clone() });
            }
            let key = StackKey { target: self.target.clone(), name: name.clone() };
            events.push(Event {
                at: look.at,
                about: Subject::Stack(key),
                kind: "gone".to_owned(),
                text: if stands && known.is_some_and(ownership::is_nobody_s) {
                    "nobody wants it any more, and it was never taken over".to_owned()
                } else if is_another {
                    "a stack of this name that is not ours stands in its place".to_owned()
                } else {
                    "it is not there any more, and nobody wants it".to_owned()
                },
            });
        }
        self.means.board.saw(&self.view, self.target, &rows, requests);
        let changed: Vec<StackRecord> = rows
            .into_values()
            .filter(|row| self.records.get(&row.key.name).is_none_or(|old| !is_same(old, row)))
            .collect();
        let record = TargetRecord {
            target: self.target.clone(),
            looked_at: Some(look.at),
            blind: None,
            blind_looks: 0,
        };
        self.means.journal.record_pass(&record, &changed, &gone, &drifts, &events)?;
        Ok(next)
    }
}
