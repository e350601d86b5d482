//! The places that operations take, and the limits that hold a step.

use std::collections::BTreeMap;

use crate::ids::StackName;
use crate::journal::JournalError;
use crate::moment::Moment;
use crate::observed::{Look, Seen};
use crate::outcome::Memory;
use crate::plan::deletions::{self, Deletion};
use crate::plan::{Hold, Step, may_run, ownership};
use crate::reconcile::Pass;

impl Pass<'_> {
    /// Tells the ledger what runs here: what moves, and what we asked for and have not seen yet.
    pub(super) fn count_in_flight(&self, look: &Look, memories: &BTreeMap<StackName, Memory>) {
        let runs = memories
            .iter()
            .filter(|(name, memory)| self.takes_place(look.stacks.get(*name), memory, look.at))
            .map(|(name, _)| name.clone());
        self.means.board.ledger().replace(self.target, runs.collect());
    }

    /// Whether an operation may run on a stack that is ours, or that we asked for: others' do not
    /// count against our limits.
    pub(super) fn takes_place(&self, seen: Option<&Seen>, memory: &Memory, at: Moment) -> bool {
        let is_ours = memory.awaited().is_some() || seen.is_some_and(|seen| self.is_ours(seen));
        is_ours && may_run(seen, memory, at)
    }

    /// Takes the places that the step needs, or says which limit holds it.
    pub(super) fn reserve(
        &self,
        step: &Step,
        memory: &Memory,
    ) -> Result<Result<(), Hold>, JournalError> {
        let (means, limits) = (self.means, &self.view.desired.fleet.limits);
        if means.board.is_stopped() {
            return Ok(Err(Hold::ShuttingDown));
        }
        let wanted = self.view.desired.wanted(&step.key);
        let service = wanted.map(|wanted| wanted.service.name.clone());
        let service = service.or_else(|| step.seen.as_ref().and_then(ownership::service_of));
        if !means.only.has(service.as_ref()) {
            return Ok(Err(Hold::NotAskedFor));
        }
        if means.board.is_blindfolded(step.is_deletion) {
            return Ok(Err(Hold::FleetNotSeenYet));
        }
        if step.kind.starts_operation() {
            let place = means.board.reserve(&step.key, service.as_ref(), limits);
            if let Err(hold) = place {
                return Ok(Err(hold));
            }
        }
        if step.is_deletion
            && let Err(hold) = self.reserve_deletion(step)?
        {
            self.give_back(step, memory);
            return Ok(Err(hold));
        }
        Ok(Ok(()))
    }

    /// Gives the place of a step back that starts nothing, unless an earlier one may run.
    pub(super) fn give_back(&self, step: &Step, memory: &Memory) {
        if !may_run(step.seen.as_ref(), memory, self.means.clock.now()) {
            self.means.board.ledger().release(&step.key);
        }
    }

    fn reserve_deletion(&self, step: &Step) -> Result<Result<(), Hold>, JournalError> {
        let Some(seen) = &step.seen else { return Ok(Ok(())) };
        let Some(tenant) = ownership::tenant_of(seen) else {
            // Ours without a tenant tag: somebody changed the tags, and nobody counts it.
            return Ok(Err(Hold::NotOurs { fleet: ownership::owner_of(seen) }));
        };
        let now = self.means.clock.now();
        let deletion = Deletion { stack: seen.id.clone(), key: step.key.clone(), tenant, at: now };
        // A stack that is wanted, and deleted only to be made again, is not among those that wait.
        let mut waiting = self.means.board.waiting();
        waiting.insert(deletion.stack.clone(), deletion.tenant.clone());
        let desired = &self.view.desired;
        self.means.journal.reserve_deletion(&deletion, |book| {
            deletions::allow(
                &deletion.stack,
                book,
                &waiting,
                &desired.fleet.limits.deletes,
                desired.stack_count(),
                now,
            )
        })
    }
}
