//! What the calls cost: how many of which kind, how they ended, how long they waited.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::aws::error::AwsError;
use crate::aws::pace::Api;

/// How one try of a call ended. The set is bounded, so it may label a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallEnd {
    /// Answered.
    Done,
    /// Asked to slow down.
    Throttled,
    /// No answer, or a failure of AWS's own.
    Unreachable,
    /// Not allowed.
    Denied,
    /// Not what the protocol says.
    Malformed,
    /// Understood and refused.
    Refused,
}

impl CallEnd {
    fn of(error: &AwsError) -> Option<Self> {
        match error {
            AwsError::Throttled(_) => Some(Self::Throttled),
            AwsError::Unreachable(_) => Some(Self::Unreachable),
            AwsError::Denied(_) | AwsError::WrongAccount(_) => Some(Self::Denied),
            AwsError::Malformed(_) => Some(Self::Malformed),
            AwsError::Refused(_) => Some(Self::Refused),
            AwsError::Stopped(_) => None,
        }
    }

    /// The word in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Throttled => "throttled",
            Self::Unreachable => "unreachable",
            Self::Denied => "denied",
            Self::Malformed => "malformed",
            Self::Refused => "refused",
        }
    }
}

/// Totals since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Tries by call and end; each is one request to AWS.
    pub calls: BTreeMap<(Api, CallEnd), u64>,
    /// Time spent waiting for a turn, by call.
    pub waited_for: BTreeMap<Api, Duration>,
}

#[derive(Debug, Default)]
pub(super) struct Counting(Mutex<Counters>);

impl Counting {
    pub(super) fn ended<T>(&self, api: Api, result: Result<&T, &AwsError>) {
        let end = result.map_or_else(CallEnd::of, |_| Some(CallEnd::Done));
        if let Some(end) = end {
            *self.lock().calls.entry((api, end)).or_default() += 1;
        }
    }

    pub(super) fn waited(&self, api: Api, length: Duration) {
        *self.lock().waited_for.entry(api).or_default() += length;
    }

    pub(super) fn totals(&self) -> Counters {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
