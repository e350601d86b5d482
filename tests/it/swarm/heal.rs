//! The end of a run: faults stop, people do what they are asked to, and then all must be as git says
//! and stay so.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use driftless::ids::StackKey;
use driftless::journal::Filter;
use driftless::plan::{StackRecord, Weight};
use driftless::sim::{StackView, Status};

use crate::swarm::happening::is_ours;
use crate::swarm::model::{KINDS, Kind, Model, Value, Want};
use crate::swarm::play::Play;

/// The longest cooldown is an hour and a fifth, and that of a stack that another waits for comes
/// first; a target that cannot be seen is looked at again after a quarter of an hour. Then people
/// are asked, one thing after the other: a rename, a deletion, a status that has no other way out,
/// a change in git.
const ROUNDS: u32 = 24;
const ROUND: Duration = Duration::from_secs(10 * 60);
/// An approval counts so long.
const DAY: Duration = Duration::from_secs(24 * 3_600);

impl Play {
    /// Mends the world, and expects the product to do the rest.
    pub(crate) async fn heal(&mut self) {
        self.watch.note(self.clock.now(), "== healing");
        self.cloud.script().clear();
        self.twin = None;
        self.repository.mend();
        self.pass(Duration::from_secs(30)).await;
        self.resume_all();
        let next = self.model().resumed();
        self.commit(next);
        let mut left = Vec::new();
        let mut mended = BTreeSet::new();
        for round in 0..ROUNDS {
            self.pass(ROUND).await;
            self.hear();
            self.approve_all();
            left = self.unconverged();
            if left.is_empty() || !self.watch.violations().is_empty() {
                self.happened.insert("round of healing", u64::from(round));
                break;
            }
            self.people_mend(&mut mended);
        }
        if !left.is_empty() {
            let verdicts = self.verdicts().into_iter();
            let verdicts: Vec<_> = verdicts
                .map(|row| format!("{}: {}: {}", row.key, row.verdict.code, row.verdict.text))
                .collect();
            self.watch.violate(format!("not converged: {left:#?}; {verdicts:#?}"));
            return;
        }
        self.stays_silent().await;
    }

    async fn stays_silent(&mut self) {
        let resync = Duration::from_secs(u64::from(self.model().resync_s));
        if self.model().freezes() {
            // What a window held, such as a deletion, goes when it closes.
            self.pass(Duration::from_secs(3_600)).await;
        }
        // What is on its way may still arrive.
        self.pass(resync * 2).await;
        let before = self.watch.mutating();
        self.pass(resync * 2 + resync / 2).await;
        let after = self.watch.mutating();
        if after != before {
            self.watch
                .violate(format!("{} calls change something though all is well", after - before));
        }
        let left = self.unconverged();
        if !left.is_empty() {
            self.watch.violate(format!("no longer converged: {left:#?}"));
        }
    }

    fn resume_all(&mut self) {
        let Some(life) = &self.life else { return };
        let scopes = self.watch.truth(|truth| std::mem::take(&mut truth.suspended));
        for scope in scopes.keys() {
            life.journal.resume(scope).expect("resumed");
        }
    }

    /// People say yes to all that they are asked, once; returns how much that is.
    pub(crate) fn approve_all(&mut self) -> usize {
        let Some(life) = &self.life else { return 0 };
        let requests = life.journal.requests().expect("requests");
        let now = self.clock.now();
        let mut count = 0;
        for (request, _) in &requests {
            if self.answered.get(&request.id).is_some_and(|at| now.since(*at) < DAY) {
                continue;
            }
            self.answered.insert(request.id.clone(), now);
            self.approve(&request.id, request.kind, &request.summary);
            count += 1;
        }
        count
    }

    pub(crate) fn stacks(&self) -> BTreeMap<StackKey, StackView> {
        let console = self.cloud.console();
        let mut stacks = BTreeMap::new();
        for account in console.accounts().expect("accounts") {
            for region in console.regions(account).expect("regions") {
                for stack in console.stacks(account, &region).expect("stacks") {
                    let target = driftless::ids::Target { account, region: region.clone() };
                    stacks.insert(StackKey { target, name: stack.name.clone() }, stack);
                }
            }
        }
        stacks
    }

    /// What people do who are told that a stack needs them, and only then. What only git can mend
    /// they change there, once for each service.
    fn people_mend(&mut self, mended: &mut BTreeSet<Kind>) {
        let mut failed = self.halted();
        let stacks = self.stacks();
        for row in self.verdicts() {
            if row.verdict.weight != Weight::Stuck {
                continue;
            }
            let Some(stack) = stacks.get(&row.key) else {
                failed.extend(failed_kind(&row));
                continue;
            };
            if ["not-ours", "in-review", "needs-person", "delete-failed"]
                .contains(&row.verdict.code.as_str())
            {
                self.person_mends(&row.key, stack, &row.verdict.code);
            }
            failed.extend(failed_kind(&row));
        }
        let next = self.model().renewed(failed.difference(mended));
        if next != *self.model() {
            self.commit(next);
        }
        mended.extend(failed);
    }

    /// The services whose release failed too often to go on.
    fn halted(&self) -> BTreeSet<Kind> {
        let Some(life) = &self.life else { return BTreeSet::new() };
        let (kept, _) = life.journal.rollouts().expect("the journal answers");
        let is_halted = |kind: &Kind| {
            kept.iter().any(|(service, rollout)| {
                let run = rollout.running.as_ref();
                service.as_str() == kind.name() && run.is_some_and(|run| run.halt.is_some())
            })
        };
        KINDS.into_iter().filter(is_halted).collect()
    }

    fn person_mends(&mut self, key: &StackKey, stack: &StackView, code: &str) {
        let now = self.clock.now();
        self.watch.note(now, &format!("   mended: {key} {}: {code}", stack.status));
        self.watch.truth(|truth| truth.touched.insert(key.clone(), now));
        let console = self.cloud.console();
        let status = &stack.status;
        let done = if code == "not-ours" || *status == Status::DELETE_FAILED {
            let _ = console.protect(key, false);
            console.delete_stack(key)
        } else if code == "in-review" {
            console.delete_stack(key)
        } else if *status == Status::UPDATE_ROLLBACK_FAILED {
            console.continue_update_rollback(key)
        } else if *status == Status::UPDATE_FAILED {
            console.rollback_stack(key)
        } else if is_odd(status) {
            console.set_status(key, Status::UPDATE_COMPLETE)
        } else {
            // The look may lie a moment behind; it is asked for again if not.
            Ok(())
        };
        if done.is_err() {
            // A status that was only made up has no way back but this.
            let _ = console.set_status(key, Status::UPDATE_COMPLETE);
        }
    }

    /// Everything in which the cloud is not as git says.
    pub(crate) fn unconverged(&self) -> Vec<String> {
        let model = self.model();
        let wanted = model.wanted();
        let stacks = self.stacks();
        let was_lost = self.watch.truth(|truth| truth.was_lost);
        let mut left = Vec::new();
        for (key, want) in &wanted {
            match (stacks.get(key), want.gone) {
                (None, true) => {}
                (None, false) => left.push(format!("{key} is not there")),
                (Some(_), true) if is_used(&wanted, key, &stacks) => {}
                // A person made it another's.
                (Some(stack), true) if !is_ours(&stack.tags) => {}
                (Some(stack), true) => left.push(format!("{key} is still there: {}", stack.status)),
                (Some(stack), false) => {
                    left.extend(
                        difference(stack, want, &stacks, key, was_lost)
                            .map(|why| format!("{key}: {why}")),
                    );
                }
            }
        }
        for (key, stack) in &stacks {
            // A new journal finds such a place when it sweeps, within a day.
            let is_unknown = was_lost && !wanted.keys().any(|other| other.target == key.target);
            if !is_unknown && !wanted.contains_key(key) && must_go(&model, key, stack, &stacks) {
                left.push(format!("{key} was dropped, and is still there: {}", stack.status));
            }
        }
        left
    }

    fn verdicts(&self) -> Vec<StackRecord> {
        let Some(life) = &self.life else { return Vec::new() };
        life.journal.all_stacks(&Filter::default()).expect("rows")
    }
}

/// The service of a stack that fails for a reason that git has to mend.
fn failed_kind(row: &StackRecord) -> Option<Kind> {
    let name = row.key.name.as_str();
    KINDS.into_iter().find(|kind| row.verdict.code == "failed" && kind.name() == name)
}

fn is_odd(status: &Status) -> bool {
    ["IMPORT_ROLLBACK_FAILED", "SOMETHING_NEW"].contains(&status.as_str())
}

/// Whether a stack that is asked to go is kept for one that stays.
fn is_used(
    wanted: &BTreeMap<StackKey, Want>,
    key: &StackKey,
    stacks: &BTreeMap<StackKey, StackView>,
) -> bool {
    let api = StackKey { name: Kind::Api.name().parse().expect("a name"), ..key.clone() };
    let stays = stacks.contains_key(&api) && wanted.get(&api).is_none_or(|want| !want.gone);
    key.name.as_str() == Kind::Base.name() && stays
}

/// Whether a dropped stack must be gone: its service says so, and nothing that stays uses it.
fn must_go(
    model: &Model,
    key: &StackKey,
    stack: &StackView,
    stacks: &BTreeMap<StackKey, StackView>,
) -> bool {
    let Some(kind) = KINDS.into_iter().find(|kind| kind.name() == key.name.as_str()) else {
        return false;
    };
    let api = StackKey { name: Kind::Api.name().parse().expect("a name"), ..key.clone() };
    let is_used = kind == Kind::Base && stacks.contains_key(&api);
    is_ours(&stack.tags) && model.deletes_dropped(kind) == Some(true) && !is_used
}

fn difference(
    stack: &StackView,
    want: &Want,
    stacks: &BTreeMap<StackKey, StackView>,
    key: &StackKey,
    was_lost: bool,
) -> Option<String> {
    let base = StackKey { name: Kind::Base.name().parse().expect("a name"), ..key.clone() };
    let output = stacks.get(&base).and_then(|base| base.outputs.get("Where"));
    let complete =
        [Status::CREATE_COMPLETE, Status::UPDATE_COMPLETE, Status::UPDATE_ROLLBACK_COMPLETE];
    if !complete.contains(&stack.status) {
        return Some(format!("{} ({:?})", stack.status, stack.reason));
    }
    for (name, value) in &want.parameters {
        let expected = match value {
            Value::Text(text) => Some(text),
            Value::OutputOfBase => output,
        };
        // A new journal does not know which secret AWS has.
        let is_unknown = was_lost && name == "Secret";
        if stack.parameters.get(name) != expected && !is_unknown {
            return Some(format!(
                "{name} is {:?} instead of {expected:?}",
                stack.parameters.get(name)
            ));
        }
    }
    if stack.template != want.template {
        return Some("another template".to_owned());
    }
    if stack.tags != want.tags {
        return Some(format!("tags {:?}", stack.tags));
    }
    if stack.protected != want.protected {
        return Some(format!("protected: {}", stack.protected));
    }
    if want.policy.is_some() && stack.policy.as_deref() != want.policy {
        return Some(format!("policy {:?}", stack.policy));
    }
    None
}
