//! What the settings cost while nothing changes: calls to AWS and the events that they leave, worked
//! out from the documents alone. `tests/it/doctor/toll.rs` holds it to the calls of a simulated day.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::desired::{Desired, Wanted};
use crate::drift::{self, AT_ONCE};
use crate::fleet::{DriftCalls, DriftRules};
use crate::ids::{AccountId, Target};
use crate::package::is_nested;
use crate::plan::looking::{SWEEP, regular, swept_targets};
use crate::template::Resource;

/// The days of a month, here.
pub const DAYS_A_MONTH: f64 = 30.0;
const DAY: f64 = 24.0 * 60.0 * 60.0;
/// Stacks, nested ones counted, of one page of DescribeStacks.
const STACKS_A_PAGE: usize = 100;
/// Resources of one page of ListStackResources.
const RESOURCES_A_PAGE: usize = 100;
/// A session of an hour is renewed so many seconds after it began, each at its own time between these:
/// see `aws/access.rs`.
const RENEWED_AFTER: (f64, f64) = (3_000.0, 3_300.0);
/// Points at which the time of renewal is tried out.
const POINTS: u32 = 32;
/// The part of a day's drift calls that flows in during the day: the rest is saved up, and is spent
/// once. See [`drift::Budget`].
const FLOWING: f64 = 0.8;

/// An account that is at rest shall see no more read events in a day than this, and one for each of its
/// resources.
pub const EVENTS_A_DAY: u32 = 100;

/// What the settings cost while nothing changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Toll {
    /// Each target is looked at at least once in this.
    pub resync: Duration,
    /// Targets in which something may stand, each looked at once in `resync`.
    pub targets: usize,
    /// Targets in which nothing is wanted, each swept once a day.
    pub swept: usize,
    /// Stacks that stand when all is converged; nested ones are not among them.
    pub stacks: usize,
    /// Stacks nested in these, to any depth where their templates are in git.
    pub nested: usize,
    /// Resources that the templates of the stacks declare. Conditions may leave some out.
    pub resources: usize,
    /// Calls a day of the whole fleet, by AWS's word for the API.
    pub calls: BTreeMap<&'static str, f64>,
    /// What each account sees of that.
    pub accounts: BTreeMap<AccountId, AccountToll>,
    /// Accounts in which `limits.driftCalls` is too little to look into each stack as often as `every`
    /// says.
    pub short: usize,
}

/// What one account sees in a day.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AccountToll {
    /// Read events of our own calls; AssumeRole leaves one here too.
    pub reads: f64,
    /// Read events that CloudFormation leaves while it looks into stacks: about one for each resource
    /// and look.
    pub by_cloudformation: f64,
    /// Resources of its stacks.
    pub resources: usize,
}

/// What looking into the stacks of one target costs in a day.
#[derive(Default)]
struct Looking {
    /// Detections begun, those of nested stacks too.
    detections: f64,
    lists: f64,
    policies: f64,
    resources: f64,
}

impl Looking {
    fn calls(&self) -> f64 {
        2.0 * self.detections + self.lists + self.policies
    }

    fn scaled(&self, by: f64) -> Self {
        Self {
            detections: self.detections * by,
            lists: self.lists * by,
            policies: self.policies * by,
            resources: self.resources * by,
        }
    }

    fn plus(self, other: &Self) -> Self {
        Self {
            detections: self.detections + other.detections,
            lists: self.lists + other.lists,
            policies: self.policies + other.policies,
            resources: self.resources + other.resources,
        }
    }
}

impl Toll {
    /// What a fleet costs that is as it is wanted. Waiting approvals, blind targets, drift that was
    /// found and other changes come on top.
    pub fn of(desired: &Desired) -> Self {
        let mut toll = Self { resync: desired.fleet.resync, ..Self::default() };
        let mut looking: BTreeMap<AccountId, Looking> = BTreeMap::new();
        let mut intervals: BTreeMap<AccountId, Vec<f64>> = BTreeMap::new();
        for (target, stacks) in &desired.stacks {
            let interval = regular(target, desired.fleet.resync).as_secs_f64();
            let standing: Vec<&Wanted> =
                stacks.values().filter(|wanted| !wanted.asked_to_go).collect();
            toll.targets += 1;
            toll.count(target, &standing, DAY / interval);
            intervals.entry(target.account).or_default().push(interval);
            let of_account = looking.entry(target.account).or_default();
            let of_target = looking_into(desired, &standing, interval);
            *of_account = std::mem::take(of_account).plus(&of_target);
        }
        let mut sweeps: BTreeMap<AccountId, f64> = BTreeMap::new();
        for target in swept_targets(desired) {
            let looks = DAY / regular(&target, SWEEP).as_secs_f64();
            toll.swept += 1;
            toll.note(target.account, "DescribeStacks", looks);
            *sweeps.entry(target.account).or_default() += looks;
        }
        for (account, sweeps) in &sweeps {
            // Where there is nothing else to look at, each sweep takes a session of its own.
            if !intervals.contains_key(account) {
                toll.note(*account, "AssumeRole", *sweeps);
            }
        }
        for (account, intervals) in &intervals {
            toll.note(*account, "AssumeRole", DAY / session(intervals));
        }
        toll.add_drift(&looking, desired.fleet.limits.drift_calls);
        toll
    }

    /// Calls a day of the whole fleet.
    pub fn a_day(&self) -> f64 {
        self.calls.values().sum()
    }

    /// Accounts in which our calls leave more read events in a day than they shall.
    pub fn busy_accounts(&self) -> usize {
        let is_busy = |account: &&AccountToll| {
            account.reads > f64::from(EVENTS_A_DAY) + count(account.resources)
        };
        self.accounts.values().filter(is_busy).count()
    }

    /// A number of accounts: the least, the one in the middle, the most.
    pub fn spread(&self, of: impl Fn(&AccountToll) -> f64) -> Option<(f64, f64, f64)> {
        let mut all: Vec<f64> = self.accounts.values().map(of).collect();
        all.sort_by(f64::total_cmp);
        Some((*all.first()?, *all.get(all.len() / 2)?, *all.last()?))
    }

    fn count(&mut self, target: &Target, standing: &[&Wanted], looks: f64) {
        let nested: usize = standing.iter().map(|wanted| nested_in(wanted)).sum();
        let resources: usize = standing.iter().map(|wanted| resources_of(wanted)).sum();
        self.stacks += standing.len();
        self.nested += nested;
        self.resources += resources;
        self.accounts.entry(target.account).or_default().resources += resources;
        let pages = (standing.len() + nested).div_ceil(STACKS_A_PAGE).max(1);
        self.note(target.account, "DescribeStacks", looks * count(pages));
    }

    fn note(&mut self, account: AccountId, api: &'static str, calls: f64) {
        if calls > 0.0 {
            *self.calls.entry(api).or_default() += calls;
        }
        self.accounts.entry(account).or_default().reads += calls;
    }

    /// Adds what looking for drift costs, within what it may cost.
    fn add_drift(&mut self, looking: &BTreeMap<AccountId, Looking>, limits: DriftCalls) {
        let of_account = f64::from(limits.per_account) * FLOWING;
        let wanted: f64 = looking.values().map(|one| one.calls().min(of_account)).sum();
        let of_fleet = f64::from(limits.per_second) / 2.0 * DAY;
        let of_fleet = if wanted > of_fleet { of_fleet / wanted } else { 1.0 };
        for (account, one) in looking {
            let part = if one.calls() > of_account { of_account / one.calls() } else { 1.0 };
            self.short += usize::from(part * of_fleet < 1.0);
            let Looking { detections, lists, policies, resources } = one.scaled(part * of_fleet);
            self.note(*account, "DetectStackDrift", detections);
            self.note(*account, "DescribeStackDriftDetectionStatus", detections);
            self.note(*account, "ListStackResources", lists);
            self.note(*account, "GetStackPolicy", policies);
            self.accounts.entry(*account).or_default().by_cloudformation += resources;
        }
    }
}

/// What looking into these stacks of one target costs, when it is looked at every `interval` seconds.
fn looking_into(desired: &Desired, standing: &[&Wanted], interval: f64) -> Looking {
    let mut all = Looking::default();
    for wanted in standing {
        let rules = DriftRules::of(
            &desired.fleet,
            &wanted.service,
            wanted.exception(),
            &wanted.tenant.labels,
        );
        if !rules.looks() {
            continue;
        }
        let nested = count(nested_in(wanted));
        let due = drift::period(&wanted.key, rules.every());
        let due = due.saturating_sub(drift::slack(desired.fleet.resync, rules.every()));
        // It is begun at the first look at which it is due, and each part is read at the next one.
        let looks = (due.as_secs_f64() / interval).ceil().max(1.0) + 1.0 + nested;
        let a_day = DAY / (looks * interval);
        let resources = resources_of(wanted);
        let pages = pages_of(wanted);
        all = all.plus(&Looking {
            detections: a_day * (1.0 + nested),
            lists: a_day * count(pages),
            policies: if wanted.service.stack_policy.is_some() { a_day } else { 0.0 },
            resources: a_day * count(resources),
        });
    }
    let most = count(AT_ONCE) * DAY / interval;
    if all.detections > most { all.scaled(most / all.detections) } else { all }
}

/// How long a session lasts, in seconds, in an account whose targets are looked at at these distances:
/// until the first look after the time of its renewal.
fn session(intervals: &[f64]) -> f64 {
    let interval = intervals.iter().sum::<f64>() / count(intervals.len());
    let others = count(intervals.len());
    let (first, last) = RENEWED_AFTER;
    let lasts = |point: u32| {
        let renewed = first + (last - first) * (f64::from(point) + 0.5) / f64::from(POINTS);
        // The target whose look began the session is looked at then at the latest; the others come
        // at any time.
        let own = (renewed / interval).ceil() * interval - renewed;
        renewed + interval / others * (1.0 - (1.0 - own / interval).powf(others))
    };
    (0..POINTS).map(lasts).sum::<f64>() / f64::from(POINTS)
}

/// How many resources there are with those of nested stacks that count.
fn resources(wanted: &Wanted, counts: impl Fn(&Resource) -> bool) -> usize {
    let all = wanted.service.package.all();
    let made = all.iter().map(|(_, package)| package.template.processed_by_default());
    made.map(|made| made.template().resources().values().filter(|one| counts(one)).count()).sum()
}

fn nested_in(wanted: &Wanted) -> usize {
    resources(wanted, |resource| is_nested(&resource.kind))
}

fn resources_of(wanted: &Wanted) -> usize {
    resources(wanted, |resource| !is_nested(&resource.kind))
}

/// Pages that list the resources of a stack and of each nested one; of what is not in git, one each.
fn pages_of(wanted: &Wanted) -> usize {
    let all = wanted.service.package.all();
    let made = all.iter().map(|(_, package)| package.template.processed_by_default());
    let pages =
        made.map(|made| made.template().resources().len().div_ceil(RESOURCES_A_PAGE).max(1));
    let elsewhere = nested_in(wanted) - (all.len() - 1).min(nested_in(wanted));
    pages.sum::<usize>() + elsewhere
}

/// No fleet has so many of anything that this loses some.
fn count(of: usize) -> f64 {
    u32::try_from(of).map_or(f64::MAX, f64::from)
}
