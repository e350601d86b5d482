//! When a stack is looked into: once in `every`, each at its own time, sooner when somebody else
//! changed it.

use std::time::Duration;

use crate::drift::DriftRecord;
use crate::ids::{Digest, StackKey};
use crate::moment::Moment;
use crate::observed::{Seen, StackStatus, Standing};
use crate::outcome::{Attempt, Memory};

/// A stack that somebody else changed is looked into so soon: he may not be done yet.
pub(super) const AFTER_CHANGE: Duration = Duration::from_secs(60);
/// What could not be looked into is tried again after this, then twice that, and so on.
const FIRST_RETRY: Duration = Duration::from_secs(10 * 60);

/// Stacks of one target that are looked into at once: AWS makes calls of its own for each resource,
/// and too many at once exceed the rates of the account.
pub const AT_ONCE: usize = 3;

/// Whether a stack is to be looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Not as it stands: it moves, or CloudFormation does not look into it.
    NotNow,
    /// At this time.
    At(Moment),
}

/// When this stack is looked into next.
pub fn due(record: &DriftRecord, seen: &Seen, every: Duration) -> Due {
    let may = matches!(seen.status.standing(), Standing::Complete)
        || seen.status == StackStatus::UpdateRollbackFailed;
    if !may {
        return Due::NotNow;
    }
    // Whoever wants it more often than before does not wait for the time that was set then.
    let latest = record.checked_at.filter(|_| record.failed == 0).map(|checked| checked + every);
    Due::At(latest.map_or(record.due_at, |latest| latest.min(record.due_at)))
}

/// When a stack that nobody looked into yet is due: its own part of `every` from now on.
pub(super) fn first(key: &StackKey, now: Moment, every: Duration) -> Moment {
    now + every.mul_f64(share(key, "first"))
}

/// When a stack that was looked into is due again.
pub(super) fn next(key: &StackKey, now: Moment, every: Duration) -> Moment {
    now + period(key, every)
}

/// After what time a stack that was looked into is due again: about `every`, a little less for some.
pub fn period(key: &StackKey, every: Duration) -> Duration {
    every.mul_f64(0.95 + 0.05 * share(key, "next"))
}

/// How much earlier than it is due a stack may be looked into, where its target is looked at once in
/// `resync`: what falls due before the next look is looked into at this one.
pub fn slack(resync: Duration, every: Duration) -> Duration {
    (resync / 2).min(every / 4)
}

/// When what could not be looked into is tried again.
pub(super) fn retry(now: Moment, failed: u32, every: Duration) -> Moment {
    now + FIRST_RETRY.saturating_mul(1 << failed.saturating_sub(1).min(10)).min(every)
}

/// A number from 0 to 1 that is the stack's own.
fn share(key: &StackKey, salt: &str) -> f64 {
    let digest = Digest::of_parts([key.to_string().as_bytes(), salt.as_bytes()]);
    let bytes = digest.as_bytes();
    f64::from(u16::from_be_bytes([bytes[0], bytes[1]])) / f64::from(u16::MAX)
}

/// Whether somebody else updated the stack between two looks. `memory` is from before the second one.
pub fn is_foreign(before: &Seen, memory: &Memory, seen: &Seen) -> bool {
    let moved = before.id == seen.id && seen.updated_at > before.updated_at;
    let is_of = |attempt: &Attempt| {
        attempt.kind.starts_operation() && attempt.version.as_ref() == Some(&before.version())
    };
    let is_ours = memory.awaited().is_some()
        || memory.asked.is_some()
        || memory.attempt.as_ref().is_some_and(is_of);
    moved && !is_ours
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_stacks_are_spread_over_the_day() {
        let day = Duration::from_secs(24 * 60 * 60);
        let mut hours = [0_u32; 24];
        for number in 0..2_400_u64 {
            let key = format!("{number:012}/eu-central-1/scan-api").parse().expect("a key");
            let at = first(&key, Moment::default(), day).since(Moment::default());
            hours[(at.as_secs() / 3_600).min(23) as usize] += 1;
            let again = next(&key, Moment::default(), day).since(Moment::default());
            assert!(again <= day && again >= day.mul_f64(0.95));
        }
        assert!(hours.iter().all(|count| (60..=140).contains(count)), "{hours:?}");
    }

    #[test]
    fn what_cannot_be_looked_into_is_tried_at_growing_distance_and_within_its_time() {
        let every = Duration::from_secs(4 * 60 * 60);
        let minutes: Vec<u64> = (1..=7)
            .map(|failed| retry(Moment::default(), failed, every))
            .map(|at| at.since(Moment::default()).as_secs() / 60)
            .collect();
        assert_eq!(minutes, [10, 20, 40, 80, 160, 240, 240]);
    }
}
