//! A pass that could not see its target: nothing is decided, and it is tried again.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::board::Progress;
use crate::fleet::Lifecycle;
use crate::ids::{StackName, Target};
use crate::journal::JournalError;
use crate::moment::Moment;
use crate::observed::Blind;
use crate::plan::looking::SWEEP;
use crate::plan::{TargetRecord, cooldown};
use crate::reconcile::again::LASTING;
use crate::reconcile::{Class, Next, Pass};

/// How soon a target is looked at again whose last look was in vain; doubles up to the resync.
const BLIND_FIRST: Duration = Duration::from_secs(15);
/// What runs unseen in a blind target counts against the limits for so long after the last look: an operation of CloudFormation takes minutes, and hardly ever hours.
const UNSEEN_PLACES_KEPT_FOR: Duration = Duration::from_secs(2 * 60 * 60);

impl Pass<'_> {
    pub(super) fn without_sight(&self, blind: Blind) -> Result<Next, JournalError> {
        let now = self.means.clock.now();
        self.count_unseen(now);
        let was_seen = self.account_was_seen()?;
        let blind = if was_seen { blind } else { blind.of_new_account() };
        let is_lasting = blind.reason.needs_person();
        let resync = self.view.desired.fleet.resync.max(BLIND_FIRST);
        if !was_seen && self.records.is_empty() && self.leaves() && blind.reason.shuts_account() {
            return self.never_entered(now + cooldown::spread(&self.target.to_string(), resync));
        }
        if self.records.is_empty() && !self.view.desired.stacks.contains_key(self.target) {
            // A sweep that found no way in: nothing of ours is known there, and nobody waits.
            let pause = if is_lasting {
                self.means.board.passed(&self.view, self.target);
                SWEEP
            } else {
                self.means.board.tried(&self.view, self.target);
                cooldown::spread(&self.target.to_string(), resync)
            };
            return Ok(Next { at: now + pause, class: Class::Resync });
        }
        let earlier = self.earlier.as_ref();
        let known = earlier
            .and_then(|record| record.blind.as_ref())
            .filter(|(before, _)| before.reason == blind.reason)
            .map(|(_, since)| *since);
        let looks = earlier.map_or(0, |record| record.blind_looks).saturating_add(1);
        if known.is_none() {
            self.tell(Progress::Blind { target: self.target.clone(), blind: blind.clone() });
        }
        let record = TargetRecord {
            target: self.target.clone(),
            looked_at: earlier.and_then(|record| record.looked_at),
            blind: Some((blind, known.unwrap_or(now))),
            blind_looks: looks,
        };
        self.means.journal.record_pass(&record, &[], &[], &[], &[])?;
        self.means.board.saw_nothing(&self.view, self.target);
        if record.looked_at.is_none() {
            self.means.board.tried(&self.view, self.target);
        }
        let pause = BLIND_FIRST.saturating_mul(1 << (looks - 1).min(10));
        let pause = pause.min(resync);
        let seed = format!("{}#{looks}", self.target);
        let class = if is_lasting || looks >= LASTING { Class::Resync } else { Class::Failed };
        Ok(Next { at: now + cooldown::spread(&seed, pause), class })
    }

    /// Whether the tenant of this account is offboarded.
    fn leaves(&self) -> bool {
        let tenant = self.view.desired.tenant_of(&self.target.account);
        tenant.is_some_and(|tenant| tenant.lifecycle == Lifecycle::Offboarded)
    }

    /// The account is shut, its tenant leaves, and nothing of ours was ever known there: nobody waits
    /// for it. It is said all the same, since nothing known is not nothing there.
    fn never_entered(&self, again_at: Moment) -> Result<Next, JournalError> {
        self.tell(Progress::NeverEntered { target: self.target.clone() });
        if self.earlier.as_ref().is_some_and(|record| record.blind.is_some()) {
            let target = self.target.clone();
            let record = TargetRecord { target, looked_at: None, blind: None, blind_looks: 0 };
            self.means.journal.record_pass(&record, &[], &[], &[], &[])?;
        }
        self.means.board.passed(&self.view, self.target);
        Ok(Next { at: again_at, class: Class::Resync })
    }

    /// Whether any look at the account has worked so far.
    fn account_was_seen(&self) -> Result<bool, JournalError> {
        for region in self.view.desired.fleet.regions.keys() {
            let place = Target { account: self.target.account, region: region.clone() };
            let known = self.means.journal.target(&place)?;
            if known.is_some_and(|known| known.looked_at.is_some()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tells the ledger what may still run here, as far as the last look that saw anything tells.
    fn count_unseen(&self, now: Moment) {
        // A row that a look did not change is not written again.
        let last = self.earlier.as_ref().and_then(|record| record.looked_at).unwrap_or_default();
        let runs = self.records.values().filter(|row| {
            let at = row.looked_at.max(last);
            self.takes_place(row.seen.as_ref(), &row.memory, at)
                && now.since(at) < UNSEEN_PLACES_KEPT_FOR
        });
        let names: BTreeSet<StackName> = runs.map(|row| row.key.name.clone()).collect();
        self.means.board.ledger().replace(self.target, names);
    }
}
