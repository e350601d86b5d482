//! What a test orders to go wrong.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::ids::{AccountId, Region, StackName};
use crate::sim::timeline::Phase;

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
    /// Any error code with HTTP status 400 and its text, without effect.
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
}

/// A resource that fails.
#[derive(Clone, Debug)]
pub struct ResourceFault {
    /// In this account, or in any.
    pub account: Option<AccountId>,
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
    denied: BTreeSet<AccountId>,
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

    /// Nothing goes wrong any more.
    pub fn clear(&self) {
        self.with(|orders| *orders = Orders::default());
    }

    /// The fault that the next call meets; used up by asking.
    pub(crate) fn fault_of(
        &self,
        account: AccountId,
        region: &Region,
        api: &str,
    ) -> Option<CallFault> {
        self.with(|orders| {
            let fits = |calls: &Calls| {
                calls.account.is_none_or(|wanted| wanted == account)
                    && calls.region.as_ref().is_none_or(|wanted| wanted == region)
                    && calls.api.as_ref().is_none_or(|wanted| wanted == api)
            };
            let index = orders
                .calls
                .iter()
                .position(|(calls, _, left)| left.is_none_or(|left| left > 0) && fits(calls))?;
            let (_, fault, left) = &mut orders.calls[index];
            *left = left.map(|left| left - 1);
            Some(fault.clone())
        })
    }

    /// Why a resource fails; used up by asking.
    pub(crate) fn failure_of(
        &self,
        account: AccountId,
        stack: &str,
        phase: Phase,
        logical_id: &str,
    ) -> Option<String> {
        self.with(|orders| {
            let fault = orders.resources.iter_mut().find(|fault| {
                fault.phase == phase
                    && fault.logical_id == logical_id
                    && fault.account.is_none_or(|wanted| wanted == account)
                    && fault.stack.as_ref().is_none_or(|wanted| wanted.as_str() == stack)
                    && fault.times.is_none_or(|times| times > 0)
            })?;
            fault.times = fault.times.map(|times| times - 1);
            Some(fault.text.clone())
        })
    }

    /// Whether roles of the account cannot be assumed.
    pub(crate) fn denies_role(&self, account: AccountId) -> bool {
        self.with(|orders| orders.denied.contains(&account))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Orders) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
