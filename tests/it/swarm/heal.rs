//! The end of a run: faults stop, people do what they are asked to, and then all must be as git says
//! and stay so.

use std::collections::BTreeMap;
use std::time::Duration;

use driftless::ids::StackKey;
use driftless::sim::{StackView, Status};

use crate::swarm::happening::is_ours;
use crate::swarm::model::{KINDS, Kind, Model, Value, Want};
use crate::swarm::play::Play;

/// Cooldowns grow up to an hour and a fifth, and a stack may need several of them.
const ROUNDS: u32 = 72;
const ROUND: Duration = Duration::from_secs(10 * 60);

impl Play {
    /// Mends the world, and expects the product to do the rest.
    pub(crate) async fn heal(&mut self) {
        self.watch.note(self.clock.now(), "== healing");
        self.cloud.script().clear();
        self.twin = None;
        self.repository.mend();
        self.pass(Duration::from_secs(30)).await;
        self.resume_all();
        let next = self.model().renewed();
        self.commit(next);
        let mut left = Vec::new();
        for _ in 0..ROUNDS {
            self.pass(ROUND).await;
            self.approve_all();
            left = self.unconverged();
            if left.is_empty() || !self.watch.violations().is_empty() {
                break;
            }
            self.people_mend();
        }
        if !left.is_empty() {
            let verdicts = self.verdicts();
            self.watch.violate(format!("not converged: {left:#?}; {verdicts:#?}"));
            return;
        }
        self.stays_silent().await;
    }

    async fn stays_silent(&mut self) {
        let resync = Duration::from_secs(u64::from(self.model().resync_s));
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

    /// People say yes to all that they are asked; returns how much that is.
    pub(crate) fn approve_all(&mut self) -> usize {
        let Some(life) = &self.life else { return 0 };
        let requests = life.journal.requests().expect("requests");
        for (request, _) in &requests {
            self.approve(&request.id, request.kind, &request.summary);
        }
        requests.len()
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

    /// What people do who are told that a stack needs them.
    fn people_mend(&mut self) {
        let wanted = self.model().wanted();
        for (key, stack) in self.stacks() {
            let console = self.cloud.console();
            let want = wanted.get(&key);
            let status = stack.status.clone();
            let now = self.clock.now();
            let touch = || self.watch.truth(|truth| truth.touched.insert(key.clone(), now));
            let done = if !is_ours(&stack.tags) && status != Status::REVIEW_IN_PROGRESS {
                touch();
                let _ = console.protect(&key, false);
                console.delete_stack(&key)
            } else if status == Status::REVIEW_IN_PROGRESS {
                touch();
                console.delete_stack(&key)
            } else if status == Status::UPDATE_ROLLBACK_FAILED {
                touch();
                console.continue_update_rollback(&key)
            } else if status == Status::UPDATE_FAILED {
                touch();
                console.rollback_stack(&key)
            } else if status == Status::DELETE_FAILED {
                touch();
                let _ = console.protect(&key, false);
                console.delete_stack(&key)
            } else if is_odd(&status) {
                touch();
                console.set_status(&key, Status::UPDATE_COMPLETE)
            } else {
                let _ = want;
                Ok(())
            };
            if done.is_err() {
                // A status that was only made up has no way back but this.
                let _ = console.set_status(&key, Status::UPDATE_COMPLETE);
            }
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
                (Some(stack), true) => left.push(format!("{key} is still there: {}", stack.status)),
                (Some(stack), false) => {
                    left.extend(
                        difference(stack, want, &stacks, key).map(|why| format!("{key}: {why}")),
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

    fn verdicts(&self) -> Vec<String> {
        let Some(life) = &self.life else { return vec!["no process".to_owned()] };
        let mut found = Vec::new();
        let filter = driftless::journal::Filter::default();
        let listed = life.journal.for_each_stack(&filter, |row| {
            found.push(format!("{}: {}: {}", row.key, row.verdict.code, row.verdict.text));
        });
        listed.expect("rows");
        found
    }
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
        if stack.parameters.get(name) != expected {
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
