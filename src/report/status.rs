//! Where the stacks of the fleet stand: counted, and put together by what holds them up.

use std::collections::{BTreeMap, BTreeSet};

use crate::drift::Signature;
use crate::ids::{Digest, ServiceName, StackKey, Target, TenantName};
use crate::moment::Moment;
use crate::observed::{BlindReason, StackStatus};
use crate::plan::{ApprovalRequest, StackRecord, Steering, TargetRecord, Verdict, Weight};
use crate::report::grouping::{Group, Grouping};
use crate::report::{AcceptedRevision, Origin, RefusedRevision, SilentChannel};
use crate::rollout::Halt;

/// With this many stacks or fewer each gets a line of its own without being asked for.
pub const FEW: usize = 20;

/// How much of each stack is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Groups only, and every stack when they are few.
    Groups,
    /// Every stack.
    EveryStack,
}

/// One stack in a status: of its record what people read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackLine {
    /// Which stack.
    pub key: StackKey,
    /// The tenant it was last wanted for.
    pub tenant: Option<TenantName>,
    /// The service it was last wanted for.
    pub service: Option<ServiceName>,
    /// Its status in AWS at the last look; `None` when it was not there.
    pub status: Option<StackStatus>,
    /// Whether git gives it.
    pub wanted: bool,
    /// What was decided last.
    pub verdict: Verdict,
    /// Since when.
    pub since: Moment,
}

/// What there is to know besides the stacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The targets that belong to what is shown.
    pub targets: Vec<TargetRecord>,
    /// The revision that is followed.
    pub accepted: Option<AcceptedRevision>,
    /// Where revisions are fetched from; `None` where nothing is fetched.
    pub origin: Option<Origin>,
    /// The newest one, when it is not followed.
    pub refused: Option<RefusedRevision>,
    /// What waits for approval, and since when.
    pub requests: Vec<(ApprovalRequest, Moment)>,
    /// What people have said.
    pub steering: Steering,
    /// Releases that no further stack takes.
    pub halted: Vec<HaltedRollout>,
    /// Channels that cannot be told.
    pub silent: Vec<SilentChannel>,
    /// What drifted, the worst first.
    pub drifted: Vec<Signature>,
}

/// A release that no further stack takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HaltedRollout {
    /// Of which service.
    pub service: ServiceName,
    /// Which release.
    pub release: Digest,
    /// Why, since when, and by whom.
    pub halt: Halt,
}

/// Targets that cannot be seen for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlindGroup {
    /// The kind of obstacle.
    pub reason: BlindReason,
    /// What AWS said about the first of them.
    pub message: String,
    /// Which targets.
    pub targets: Vec<Target>,
    /// Since when the first of them.
    pub since: Moment,
}

/// Counts stacks as they come from the journal, so that a whole fleet need not be held.
#[derive(Clone, Debug)]
pub struct Counting {
    detail: Detail,
    counts: BTreeMap<Weight, usize>,
    total: usize,
    /// How many stacks of each target are in sync.
    settled: BTreeMap<Target, usize>,
    tenants: BTreeSet<TenantName>,
    grouping: Grouping,
    stacks: Vec<StackLine>,
}

/// Where everything stands at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// When this was so.
    pub now: Moment,
    /// How many stacks of each weight; only weights that occur.
    pub counts: BTreeMap<Weight, usize>,
    /// How many of the settled ones stand where nobody can look now: they were in sync at the last
    /// look that worked.
    pub out_of_sight: usize,
    /// How many stacks in all.
    pub total: usize,
    /// How many tenants they belong to.
    pub tenants: usize,
    /// All that are not settled, by their reason.
    pub groups: Vec<Group>,
    /// Targets that cannot be seen.
    pub blind: Vec<BlindGroup>,
    /// Each stack, in the order of their keys; `None` when they are many and were not asked for.
    pub stacks: Option<Vec<StackLine>>,
    /// What there is to know besides.
    pub around: Surroundings,
}

impl StackLine {
    fn of(record: StackRecord) -> Self {
        Self {
            key: record.key,
            tenant: record.memory.tenant,
            service: record.memory.service,
            status: record.seen.map(|seen| seen.status),
            wanted: record.wanted,
            verdict: record.verdict,
            since: record.verdict_since,
        }
    }
}

impl Counting {
    /// Nothing counted yet.
    pub fn new(detail: Detail) -> Self {
        Self {
            detail,
            counts: BTreeMap::new(),
            total: 0,
            settled: BTreeMap::new(),
            tenants: BTreeSet::new(),
            grouping: Grouping::default(),
            stacks: Vec::new(),
        }
    }

    /// Counts one stack. Stacks must come in the order of their keys.
    pub fn add(&mut self, record: StackRecord) {
        *self.counts.entry(record.verdict.weight).or_default() += 1;
        self.total += 1;
        if let Some(tenant) = &record.memory.tenant
            && !self.tenants.contains(tenant)
        {
            self.tenants.insert(tenant.clone());
        }
        if record.verdict.weight != Weight::Settled {
            self.grouping.add(&record);
        } else if let Some(count) = self.settled.get_mut(&record.key.target) {
            *count += 1;
        } else {
            self.settled.insert(record.key.target.clone(), 1);
        }
        match self.detail {
            Detail::Groups if self.total > FEW => self.stacks.clear(),
            Detail::Groups | Detail::EveryStack => self.stacks.push(StackLine::of(record)),
        }
    }

    /// The status, once all stacks have been counted.
    pub fn status(self, around: Surroundings, now: Moment) -> Status {
        let every = self.stacks.len() == self.total;
        let blind = blind(&around.targets);
        let unseen = blind.iter().flat_map(|group| &group.targets);
        let out_of_sight = unseen.filter_map(|target| self.settled.get(target)).sum();
        Status {
            now,
            counts: self.counts,
            out_of_sight,
            total: self.total,
            tenants: self.tenants.len(),
            groups: self.grouping.groups(),
            blind,
            stacks: every.then_some(self.stacks),
            around,
        }
    }
}

impl Status {
    /// How many stacks have this weight.
    pub fn count(&self, weight: Weight) -> usize {
        self.counts.get(&weight).copied().unwrap_or(0)
    }

    /// Whether a person has to do something: a stack is stuck, a target cannot be seen, a release is
    /// halted, a channel cannot be told for a lasting reason, the newest revision was refused, or no
    /// newer one can be fetched.
    pub fn needs_attention(&self) -> bool {
        self.count(Weight::Stuck) > 0
            || !self.blind.is_empty()
            || !self.around.halted.is_empty()
            || self.around.silent.iter().any(|channel| channel.trouble.needs_person)
            || self.around.refused.is_some()
            || self.around.origin.as_ref().is_some_and(Origin::is_lost)
    }
}

/// Targets that cannot be seen, by reason.
pub(super) fn blind(targets: &[TargetRecord]) -> Vec<BlindGroup> {
    let mut groups: BTreeMap<BlindReason, BlindGroup> = BTreeMap::new();
    for record in targets {
        let Some((blind, since)) = &record.blind else { continue };
        let group = groups.entry(blind.reason).or_insert_with(|| BlindGroup {
            reason: blind.reason,
            message: blind.message.clone(),
            targets: Vec::new(),
            since: *since,
        });
        group.targets.push(record.target.clone());
        group.since = group.since.min(*since);
    }
    groups.into_values().collect()
}
