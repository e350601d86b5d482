//! Whether the stacks of a wave are well at the release that goes out, and when too many failed.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{StackKey, TenantName, WaveName};
use crate::outcome::{CauseClass, Mark, Trouble};
use crate::rollout::{Course, Halt, Run, Trait, WaveIndex, shared_by_all};

/// One cause in so many tenants is the release's, whoever it seems to count against.
const SAME_CAUSE: usize = 3;
/// A wave is well when so much of it is: `fleet` refuses budgets that allow for more failures.
const MUST_SETTLE_PERCENT: usize = crate::fleet::MUST_SETTLE_PERCENT as usize;

/// Why a rollout must halt.
pub(super) struct OverBudget {
    /// In words.
    pub(super) why: String,
    /// What all that failed have and nothing healthy; `None` too while nothing is healthy.
    pub(super) shared: Option<String>,
    /// Whether there was anything healthy to compare with.
    pub(super) is_compared: bool,
}

impl Halt {
    /// The halt in the words of now, where something else is common to all that failed than was when
    /// it began: the first that fail often have nothing healthy beside them yet.
    pub(super) fn named_anew(&self, failed: OverBudget) -> Option<Self> {
        let OverBudget { why, shared, is_compared } = failed;
        (is_compared && shared != self.shared).then(|| Self { why, shared, ..self.clone() })
    }
}

impl Course {
    /// What fails at the running release, with its wave: each stack that counts alone, and those
    /// that share their cause with so many others that it is the release's.
    pub(super) fn failed<'a>(
        &'a self,
        run: &'a Run,
    ) -> impl Iterator<Item = (WaveIndex, &'a StackKey, &'a Trouble)> {
        let troubled = || {
            let waves = self.tallies.iter().enumerate();
            waves.flat_map(|(wave, tally)| {
                tally.troubled.iter().map(move |(key, trouble)| (wave, key, trouble))
            })
        };
        let mut tenants: BTreeMap<&str, BTreeSet<&TenantName>> = BTreeMap::new();
        for (_, key, trouble) in troubled().filter(|(.., trouble)| trouble.is_repeated()) {
            let tenant = self.members.get(key).map(|member| &member.tenant.name);
            tenants.entry(&trouble.cause).or_default().extend(tenant);
        }
        troubled().filter(move |(_, key, trouble)| {
            let is_shared =
                tenants.get(trouble.cause.as_str()).is_some_and(|all| all.len() >= SAME_CAUSE);
            (trouble.counts() || (is_shared && trouble.is_repeated()))
                && !run.pardoned.contains(*key)
        })
    }

    /// Why the rollout must halt, if it must: more stacks of a wave failed than may, or so many that
    /// the next wave can never begin.
    pub(super) fn over_budget(&self, run: &Run) -> Option<OverBudget> {
        let mut failed: BTreeMap<WaveIndex, Vec<(&StackKey, &Trouble)>> = BTreeMap::new();
        for (wave, key, trouble) in self.failed(run) {
            failed.entry(wave).or_default().push((key, trouble));
        }
        for (wave, failed) in &failed {
            let (plan, tally) = (&self.plan.waves[*wave], &self.tallies[*wave]);
            let budget = plan.failures.of(tally.total);
            let judged = tally.total - tally.left_out(true);
            let is_over = failed.len() > budget;
            let lost = failed.iter().filter(|(_, trouble)| !trouble.may_heal()).count();
            let is_hopeless = (judged - lost.min(judged)) * 100 < MUST_SETTLE_PERCENT * judged;
            if is_over || is_hopeless {
                return Some(self.why_halted(&plan.name, tally.total, failed));
            }
        }
        None
    }

    fn why_halted(
        &self,
        wave: &WaveName,
        total: usize,
        failed: &[(&StackKey, &Trouble)],
    ) -> OverBudget {
        let mut causes: BTreeMap<&str, usize> = BTreeMap::new();
        failed.iter().for_each(|(_, trouble)| *causes.entry(&trouble.cause).or_default() += 1);
        let commonest =
            causes.iter().max_by_key(|(cause, count)| (**count, std::cmp::Reverse(*cause)));
        let (cause, count) = commonest.map_or(("", 0), |(cause, count)| (*cause, *count));
        let more = match causes.len() {
            0 | 1 => String::new(),
            _ => format!(", and {} for other causes", failed.len() - count),
        };
        let (shared, is_compared) = self.shared(failed);
        let where_ = shared.as_ref().map(|one| format!(", all {one}")).unwrap_or_default();
        let of = format!("{} of {total} failed in wave {wave}{where_}", failed.len());
        OverBudget { why: format!("{of}: {cause}{more}"), shared, is_compared }
    }

    /// What the failed stacks share and no healthy one has, and whether any is healthy.
    fn shared(&self, failed: &[(&StackKey, &Trouble)]) -> (Option<String>, bool) {
        let failed: Vec<_> = failed.iter().map(|(key, _)| self.traits(key)).collect();
        let healthy = self.members.iter().filter(|(_, one)| match &one.mark {
            Mark::Settled(at) => Some(*at) == self.judged(),
            Mark::Open | Mark::LeftOut(_) | Mark::Troubled { .. } => false,
        });
        let healthy: Vec<_> = healthy.map(|(key, _)| self.traits(key)).collect();
        let shared = shared_by_all(&failed, &healthy).map(|one| one.to_string());
        (shared, !healthy.is_empty())
    }

    fn traits<'a>(&'a self, key: &'a StackKey) -> Vec<Trait<'a>> {
        let labels = self.members.get(key).into_iter().flat_map(|one| &one.tenant.labels);
        let labels = labels.map(|(label, value)| Trait::Label(label, value));
        std::iter::once(Trait::Region(&key.target.region)).chain(labels).collect()
    }

    /// Whether all stacks of a wave were seen well at the release, but for those that may fail and
    /// those that do not count.
    pub(super) fn is_well(&self, run: &Run, wave: WaveIndex) -> bool {
        let tally = &self.tallies[wave];
        let pardoned = tally.troubled.keys().filter(|key| run.pardoned.contains(*key)).count();
        let judged = tally.total - tally.left_out(true) - pardoned;
        let failed: BTreeSet<&StackKey> =
            self.failed(run).filter(|(at, ..)| *at == wave).map(|(_, key, _)| key).collect();
        // What one account alone refuses says nothing of the release.
        let refused = tally.troubled.iter().filter(|(key, trouble)| {
            trouble.class == CauseClass::Account
                && !failed.contains(*key)
                && !run.pardoned.contains(*key)
        });
        let open = judged - tally.settled - tally.left_out(false) - failed.len() - refused.count();
        let shows = tally.total == 0 || tally.settled > 0;
        shows && open == 0 && tally.settled * 100 >= MUST_SETTLE_PERCENT * judged
    }

    /// Whether a stack of a wave failed at the release, or too many are not well any more.
    pub(super) fn is_broken(&self, wave: WaveIndex) -> bool {
        let tally = &self.tallies[wave];
        let judged = tally.total - tally.left_out(true);
        let troubled = tally.troubled.values().any(|trouble| !trouble.counts());
        troubled || tally.settled * 100 < MUST_SETTLE_PERCENT * judged
    }
}
