//! The record of calls and of what was refused for not being simulated.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::ids::{AccountId, Region};
use crate::moment::Moment;

/// How many calls are remembered one by one; counts go on. A day of `run` must not fill memory.
const CALLS_KEPT: usize = 200_000;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// When it came.
    pub at: Moment,
    /// Whose keys signed it.
    pub account: AccountId,
    /// Where it went.
    pub region: Region,
    /// Such as `DescribeStacks`.
    pub api: &'static str,
    /// Whether it is of a kind that changes something.
    pub mutating: bool,
}

/// Account, region and API.
pub type CallKey = (AccountId, Region, &'static str);

/// What was called.
#[derive(Debug, Default)]
pub(crate) struct CallLog {
    calls: VecDeque<Call>,
    counts: BTreeMap<CallKey, u64>,
    refused: BTreeSet<String>,
}

impl CallLog {
    pub(crate) fn record(&mut self, call: Call) {
        *self.counts.entry((call.account, call.region.clone(), call.api)).or_default() += 1;
        self.calls.push_back(call);
        if self.calls.len() > CALLS_KEPT {
            self.calls.pop_front();
        }
    }

    pub(crate) fn refuse(&mut self, text: String) {
        self.refused.insert(text);
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.iter().cloned().collect()
    }

    pub(crate) fn counts(&self) -> BTreeMap<CallKey, u64> {
        self.counts.clone()
    }

    pub(crate) fn refused(&self) -> Vec<String> {
        self.refused.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.calls.clear();
        self.counts.clear();
    }
}
