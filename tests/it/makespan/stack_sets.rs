//! How long StackSets takes over the same operations, as its documentation describes the concurrency
//! of one stack set operation. What it needs beside the operations is in no source, and left out.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// The preferences of an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Preferences {
    /// MaxConcurrentCount.
    pub(crate) max_concurrent: usize,
    /// FailureToleranceCount.
    pub(crate) failure_tolerance: usize,
    /// STRICT_FAILURE_TOLERANCE, the default: no more run at once than may fail, and one.
    pub(crate) is_strict: bool,
}

impl Preferences {
    fn at_once(self) -> usize {
        let may_fail = self.failure_tolerance + 1;
        let most = if self.is_strict { may_fail } else { usize::MAX };
        self.max_concurrent.min(most).max(1)
    }
}

/// How long an operation over all instances takes, of which none fails: one region after the other,
/// and in each the next instance begins when one has ended.
pub(crate) fn makespan(regions: &[Vec<Duration>], preferences: Preferences) -> Duration {
    regions.iter().map(|lengths| of_region(lengths, preferences.at_once())).sum()
}

fn of_region(lengths: &[Duration], at_once: usize) -> Duration {
    let mut running = BinaryHeap::new();
    for length in lengths {
        let begins = if running.len() < at_once { None } else { running.pop() };
        let begins = begins.map_or(Duration::ZERO, |Reverse(end)| end);
        running.push(Reverse(begins + *length));
    }
    running.into_iter().map(|Reverse(end)| end).max().unwrap_or_default()
}
