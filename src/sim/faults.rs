//! What a test orders to go wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::ids::{AccountId, Region, StackName};
use crate::moment::Moment;
use crate::sim::drift_faults::{DriftFault, DriftTrouble};
use crate::sim::signature::outdated;
use crate::sim::sts::ACTIONS as STS;
use crate::sim::timeline::Phase;
use crate::sim::weather::Weather;

/// Which calls a fault meets; what is not said is any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Calls made as this account; for AssumeRole the account of the role.
    pub account: Option<AccountId>,
    /// Calls to this region.
    pub region: Option<Region>,
    /// Calls of this API, such as `DescribeStacks`.
    pub api: Option<String>,
}

/// What happens to a call instead of, or besides, its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallFault {
    /// `Throttling`: "Rate exceeded", without effect.
    Throttled,
    /// This HTTP status from 500 on, without effect.
    ServerError(u16),
    /// Any error code and its text, with status 403 if it is about access and else 400, without
    /// effect.
    Refused {
        /// Such as `OptInRequired`.
        code: String,
        /// The text.
        message: String,
    },
    /// The effect happens; the body is not XML.
    Malformed,
    /// The effect happens; the body ends in the middle.
    Truncated,
    /// The effect happens; of a paged answer only the first page comes, without a next token.
    LastPageMissing,
    /// The effect happens; the connection breaks before the answer.
    AnswerLost,
    /// The connection cannot be made.
    Unreachable,
    /// The effect happens; the answer comes this much later.
    Delayed(Duration),
    /// A listing of stacks shows what was there at this moment; other calls are as ever. Needs
    /// [`CloudSettings::remembers`](crate::sim::CloudSettings::remembers).
    AsOf(Moment),
    /// The page of a listing lacks its first stack, as if the pages had moved under the reader; the
    /// first page, and other calls, are as ever.
    PageShifted,
}

impl CallFault {
    /// The kind of fault in a word, for counting.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::ServerError(_) => "server error",
            Self::Refused { .. } => "refused",
            Self::Malformed => "malformed",
            Self::Truncated => "truncated",
            Self::LastPageMissing => "last page missing",
            Self::AnswerLost => "answer lost",
            Self::Unreachable => "unreachable",
            Self::Delayed(_) => "delayed",
            Self::AsOf(_) => "stale listing",
            Self::PageShifted => "page shifted",
        }
    }
}

/// A resource that fails.
#[derive(Clone, Debug)]
pub struct ResourceFault {
    /// In this account, or in any.
    pub account: Option<AccountId>,
    /// In this region, or in any.
    pub region: Option<Region>,
    /// In stacks of this name, or in any.
    pub stack: Option<StackName>,
    /// Its logical id.
    pub logical_id: String,
    /// What it fails at.
    pub phase: Phase,
    /// The reason in its event.
    pub text: String,
    /// How often; `None` is always.
    pub times: Option<u32>,
}

/// Orders what goes wrong. A clone speaks to the same cloud.
#[derive(Clone, Debug, Default)]
pub struct Script(Arc<Mutex<Orders>>);

#[derive(Debug, Default)]
struct Orders {
    calls: Vec<(Calls, CallFault, Option<u32>)>,
    resources: Vec<ResourceFault>,
    drift: Vec<DriftFault>,
    denied: BTreeSet<AccountId>,
    suspended: BTreeSet<AccountId>,
    /// Regions that accounts have not switched on.
    off: BTreeSet<(AccountId, Region)>,
    /// How far AWS's clock is ahead of the callers', in seconds.
    clock_ahead_s: i64,
    weather: Option<Weather>,
    /// How many times the weather was asked, so that each answer is another.
    rolls: u64,
    /// How often each kind of fault was met.
    met: BTreeMap<&'static str, u64>,
}

impl Script {
    /// The next `times` calls that fit (`None`: all from now on) meet the fault.
    pub fn calls(&self, calls: Calls, fault: CallFault, times: Option<u32>) {
        self.with(|orders| orders.calls.push((calls, fault, times)));
    }

    /// A resource fails.
    pub fn resource(&self, fault: ResourceFault) {
        self.with(|orders| orders.resources.push(fault));
    }

    /// Something goes wrong with the drift of stacks.
    pub fn drift(&self, fault: DriftFault) {
        self.with(|orders| orders.drift.push(fault));
    }

    /// Roles of the account cannot be assumed.
    pub fn deny_role(&self, account: AccountId) {
        self.with(|orders| {
            orders.denied.insert(account);
        });
    }

    /// Roles of the account can be assumed again.
    pub fn allow_role(&self, account: AccountId) {
        self.with(|orders| {
            orders.denied.remove(&account);
        });
    }

    /// Takes back what was ordered for exactly these calls.
    pub fn restore(&self, calls: &Calls) {
        self.with(|orders| orders.calls.retain(|(ordered, _, _)| ordered != calls));
    }

    /// AWS has suspended the account: roles cannot be assumed, and every call is refused.
    pub fn suspend_account(&self, account: AccountId) {
        self.with(|orders| {
            orders.suspended.insert(account);
        });
    }

    /// AWS has let the account back in.
    pub fn reinstate_account(&self, account: AccountId) {
        self.with(|orders| {
            orders.suspended.remove(&account);
        });
    }

    /// The account has not switched this region on: no keys of it are known there. STS elsewhere still
    /// gives sessions.
    pub fn switch_region_off(&self, account: AccountId, region: Region) {
        self.with(|orders| {
            orders.off.insert((account, region));
        });
    }

    /// The account has switched this region on.
    pub fn switch_region_on(&self, account: AccountId, region: Region) {
        self.with(|orders| {
            orders.off.remove(&(account, region));
        });
    }

    /// From now on AWS's clock is so many seconds ahead of the callers', or behind where negative: answers
    /// say so, and above five minutes every signature is of another time. On a port the callers' clocks
    /// are their own, and this is not looked at.
    pub fn skew_clock(&self, ahead_s: i64) {
        self.with(|orders| orders.clock_ahead_s = ahead_s);
    }

    /// What AWS's clock shows when the callers' shows `now`.
    pub(crate) fn clock_of_aws(&self, now: Moment) -> Moment {
        self.with(|orders| orders.clock_of_aws(now))
    }

    /// From now on any call and any resource may fail by chance; orders go before it.
    pub fn weather(&self, weather: Weather) {
        self.with(|orders| orders.weather = Some(weather));
    }

    /// Nothing goes wrong any more.
    pub fn clear(&self) {
        self.with(|orders| {
            *orders = Orders { met: std::mem::take(&mut orders.met), ..Orders::default() }
        });
    }

    /// How often each kind of fault was met so far.
    pub fn met(&self) -> BTreeMap<&'static str, u64> {
        self.with(|orders| orders.met.clone())
    }

    /// The fault that the next call meets; used up by asking.
    pub(crate) fn fault_of(
        &self,
        account: AccountId,
        region: &Region,
        api: &str,
        now: Moment,
    ) -> Option<CallFault> {
        self.with(|orders| {
            let fault = orders.fault_of(account, region, api, now)?;
            *orders.met.entry(fault.word()).or_default() += 1;
            Some(fault)
        })
    }

    /// Why a resource fails; used up by asking.
    pub(crate) fn failure_of(
        &self,
        (account, region): (AccountId, &Region),
        stack: &str,
        phase: Phase,
        logical_id: &str,
    ) -> Option<String> {
        self.with(|orders| {
            let text = orders.failure_of((account, region), stack, phase, logical_id)?;
            *orders.met.entry(phase.failure_word()).or_default() += 1;
            Some(text)
        })
    }

    /// The trouble of those kinds that a detection of a stack meets, or a drift-aware change set of
    /// it; used up by asking.
    pub(crate) fn drift_troubles(
        &self,
        place: (AccountId, &Region),
        stack: &str,
        kinds: impl Fn(&DriftTrouble) -> bool,
    ) -> Vec<DriftTrouble> {
        self.with(|orders| {
            let faults = orders.drift.iter_mut();
            let faults = faults.filter(|fault| kinds(&fault.trouble));
            let met =
                faults.filter_map(|fault| fault.meets(place, stack).then(|| fault.trouble.clone()));
            let met: Vec<DriftTrouble> = met.collect();
            for trouble in &met {
                *orders.met.entry(trouble.word()).or_default() += 1;
            }
            met
        })
    }

    /// Whether roles of the account cannot be assumed.
    pub(crate) fn denies_role(&self, account: AccountId) -> bool {
        self.with(|orders| orders.denied.contains(&account) || orders.suspended.contains(&account))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Orders) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Orders {
    fn fault_of(
        &mut self,
        account: AccountId,
        region: &Region,
        api: &str,
        now: Moment,
    ) -> Option<CallFault> {
        if let Some(refused) = self.no_way_in(account, region, api, now) {
            return Some(refused);
        }
        let fits = |calls: &Calls| {
            calls.account.is_none_or(|wanted| wanted == account)
                && calls.region.as_ref().is_none_or(|wanted| wanted == region)
                && calls.api.as_ref().is_none_or(|wanted| wanted == api)
        };
        let ordered = self
            .calls
            .iter_mut()
            .find(|(calls, _, left)| left.is_none_or(|left| left > 0) && fits(calls));
        if let Some((_, fault, left)) = ordered {
            *left = left.map(|left| left - 1);
            return Some(fault.clone());
        }
        self.rolls += 1;
        self.weather.as_ref()?.fault(self.rolls, api, now)
    }

    /// Why AWS does not let the caller in.
    fn no_way_in(
        &self,
        account: AccountId,
        region: &Region,
        api: &str,
        now: Moment,
    ) -> Option<CallFault> {
        let is_sts = STS.contains(&api);
        let (code, message) = if let Some(text) = outdated(now, self.clock_of_aws(now)) {
            ("SignatureDoesNotMatch", text)
        } else if self.suspended.contains(&account) && api != "AssumeRole" {
            ("AccessDenied", format!("The account {account} is suspended"))
        } else if !is_sts && self.off.contains(&(account, region.clone())) {
            let text = "The security token included in the request is invalid";
            ("InvalidClientTokenId", text.to_owned())
        } else {
            return None;
        };
        Some(CallFault::Refused { code: code.to_owned(), message })
    }

    fn clock_of_aws(&self, now: Moment) -> Moment {
        let length = Duration::from_secs(self.clock_ahead_s.unsigned_abs());
        if self.clock_ahead_s < 0 { now - length } else { now + length }
    }

    fn failure_of(
        &mut self,
        (account, region): (AccountId, &Region),
        stack: &str,
        phase: Phase,
        logical_id: &str,
    ) -> Option<String> {
        let ordered = self.resources.iter_mut().find(|fault| {
            fault.phase == phase
                && fault.logical_id == logical_id
                && fault.account.is_none_or(|wanted| wanted == account)
                && fault.region.as_ref().is_none_or(|wanted| wanted == region)
                && fault.stack.as_ref().is_none_or(|wanted| wanted.as_str() == stack)
                && fault.times.is_none_or(|times| times > 0)
        });
        if let Some(fault) = ordered {
            fault.times = fault.times.map(|times| times - 1);
            return Some(fault.text.clone());
        }
        self.rolls += 1;
        self.weather.as_ref()?.failure(self.rolls, phase)
    }
}
