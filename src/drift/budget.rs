//! What looking for drift may cost: calls in a day in one account, and in a second in the fleet.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fleet::DriftCalls;
use crate::ids::AccountId;
use crate::moment::Moment;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Calls that may be made. In any 24 hours an account gets no more than its number, and in any second
/// the fleet no more than its: what may be saved up and what comes in that time add up to it.
#[derive(Clone, Debug)]
pub struct Budget {
    limits: DriftCalls,
    accounts: BTreeMap<AccountId, Bucket>,
    fleet: Bucket,
    /// Until when looks are promised calls of the fleet.
    booked: Moment,
}

/// Calls that a look at a target makes for drift, about: one of its stacks is begun, another is read.
const CALLS_OF_A_LOOK: f64 = 6.0;

/// What of it survives a restart: accounts that have spent something, with what they have left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// When that was so.
    pub at: Moment,
    /// Calls that may be made at once, by account.
    pub left: BTreeMap<AccountId, f64>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Moment,
}

/// How full a bucket can be, and what comes in a second.
#[derive(Clone, Copy)]
struct Flow {
    most: f64,
    per_second: f64,
}

impl Budget {
    /// What an account may save up is there at the beginning, unless it is known to be spent.
    pub fn new(limits: DriftCalls) -> Self {
        let fleet = Bucket { tokens: 0.0, at: Moment::default() };
        Self { limits, accounts: BTreeMap::new(), fleet, booked: Moment::default() }
    }

    /// What was spent before this process.
    pub fn recall(&mut self, spent: Spent) {
        let bucket = |(account, tokens)| (account, Bucket { tokens, at: spent.at });
        self.accounts = spent.left.into_iter().map(bucket).collect();
    }

    /// What the next process has to know.
    pub fn spent(&mut self, now: Moment) -> Spent {
        let flow = self.of_account();
        self.accounts.values_mut().for_each(|bucket| bucket.fill(flow, now));
        self.accounts.retain(|_, bucket| bucket.tokens < flow.most);
        let left = self.accounts.iter().map(|(account, bucket)| (*account, bucket.tokens));
        Spent { at: now, left: left.collect() }
    }

    /// From now on these limits hold.
    pub fn set(&mut self, limits: DriftCalls) {
        self.limits = limits;
    }

    /// Takes one call, if one may be made.
    fn take(&mut self, account: &AccountId, now: Moment) -> bool {
        if !self.wait(account, now).is_zero() {
            return false;
        }
        self.bucket(account, now).tokens -= 1.0;
        self.fleet.tokens -= 1.0;
        true
    }

    /// When a target that got no calls should come again, one after the other: those that are looked at
    /// at the same time would else take each other's calls for ever. `None`: not before so long.
    pub fn book(&mut self, account: &AccountId, now: Moment, within: Duration) -> Option<Moment> {
        let flow = self.of_account();
        let bucket = self.bucket(account, now);
        bucket.fill(flow, now);
        let free = now + bucket.wait(flow).unwrap_or_default();
        let spacing = Duration::from_secs_f64(CALLS_OF_A_LOOK / self.of_fleet().per_second);
        let at = free.max(self.booked + spacing);
        if at > now + within {
            return None;
        }
        // What the account alone makes late keeps nobody else waiting.
        self.booked = self.booked.max(now) + spacing;
        Some(at)
    }

    /// How long until one more call may be made.
    pub fn wait(&mut self, account: &AccountId, now: Moment) -> Duration {
        let (of_account, of_fleet) = (self.of_account(), self.of_fleet());
        let bucket = self.bucket(account, now);
        bucket.fill(of_account, now);
        let account = bucket.wait(of_account).unwrap_or_default();
        self.fleet.fill(of_fleet, now);
        account.max(self.fleet.wait(of_fleet).unwrap_or_default())
    }

    fn bucket(&mut self, account: &AccountId, now: Moment) -> &mut Bucket {
        let most = self.of_account().most;
        self.accounts.entry(*account).or_insert(Bucket { tokens: most, at: now })
    }

    /// Takes so many calls if there is at least one; what is more than there are is owed.
    pub fn spend(&mut self, account: &AccountId, calls: u32, now: Moment) -> bool {
        if calls == 0 {
            return true;
        }
        if !self.take(account, now) {
            return false;
        }
        let more = f64::from(calls - 1);
        if let Some(bucket) = self.accounts.get_mut(account) {
            bucket.tokens -= more;
        }
        self.fleet.tokens -= more;
        true
    }

    /// A fifth may be saved up, so that a stack that was touched is looked into soon.
    fn of_account(&self) -> Flow {
        let all = f64::from(self.limits.per_account);
        let most = (all / 5.0).floor().max(1.0);
        Flow { most, per_second: (all - most) / DAY.as_secs_f64() }
    }

    fn of_fleet(&self) -> Flow {
        let all = f64::from(self.limits.per_second);
        let most = (all / 2.0).max(1.0);
        // With one call a second nothing comes while one is saved up: half a call then.
        Flow { most, per_second: (all - most).max(0.5) }
    }
}

impl Bucket {
    fn fill(&mut self, flow: Flow, now: Moment) {
        let passed = now.since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * flow.per_second).min(flow.most);
        self.at = self.at.max(now);
    }

    fn wait(&self, flow: Flow) -> Option<Duration> {
        let lacking = 1.0 - self.tokens;
        // What floating point leaves is none.
        (lacking > 1e-9).then(|| Duration::from_secs_f64(lacking / flow.per_second))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn targets_that_come_together_are_served_one_after_the_other() {
        let mut budget = Budget::new(DriftCalls { per_account: 500, per_second: 20 });
        let now = Moment::from_millis(1_000_000_000);
        let within = Duration::from_secs(1_800);
        let account = |number: u64| format!("{number:012}").parse().expect("an id");
        let slots: Vec<Option<Moment>> =
            (1..=4_000).map(|number| budget.book(&account(number), now, within)).collect();
        let served: Vec<Moment> = slots.iter().flatten().copied().collect();
        assert!(served.windows(2).all(|pair| pair[0] < pair[1]));
        // Ten calls a second come in, and six are a look's.
        assert_eq!(served.len(), 3_000);
        assert!(slots[3_500].is_none(), "what comes too late waits for its regular look");
    }

    proptest! {
        #[test]
        fn no_day_of_an_account_and_no_second_of_the_fleet_costs_more(
            pauses in prop::collection::vec(0_u64..4_000, 1..400),
            per_account in 10_u32..60,
            per_second in 2_u32..10,
        ) {
            let limits = DriftCalls { per_account, per_second };
            let mut now = Moment::from_millis(1_000_000_000);
            let mut budget = Budget::new(limits);
            let accounts: Vec<AccountId> =
                (1..=5).map(|number| format!("{number:012}").parse().expect("an id")).collect();
            let mut spent: Vec<(Moment, AccountId)> = Vec::new();
            for (turn, pause) in pauses.iter().enumerate() {
                // Short pauses for the fleet's seconds, long ones for the accounts' days.
                let length = if turn % 2 == 0 { Duration::from_millis(*pause) } else { Duration::from_secs(*pause) };
                now = now + length;
                for _ in 0..20 {
                    for account in &accounts {
                        if budget.take(account, now) {
                            spent.push((now, *account));
                        }
                    }
                }
            }
            for (at, account) in &spent {
                let within = |other: &Moment, length: Duration| *other >= *at && other.since(*at) < length;
                let second = spent.iter().filter(|(other, _)| within(other, Duration::from_secs(1))).count();
                prop_assert!(second <= per_second as usize);
                let day = spent.iter().filter(|(other, of)| of == account && within(other, DAY)).count();
                prop_assert!(day <= per_account as usize);
            }
        }
    }
}
