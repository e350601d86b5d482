//! When a call is made again: delays that grow, a bounded number of tries within a bounded time.
//! The SDK's own retries are off, because its quota is one per process and region.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;

use crate::aws::error::AwsError;
use crate::aws::pace::BucketKey;
use crate::ids::Digest;
use crate::moment::Moment;

/// The first pause: about a refill of one token.
const FIRST_DELAY: Duration = Duration::from_millis(400);
/// The pauses stop growing here; longer trouble is the controller's to wait for.
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// How long a call is tried before its trouble is handed to the caller.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Tries in all, the first one counted.
    pub tries: u32,
    /// No try begins later than this after the first.
    pub length: Duration,
}

impl Default for Patience {
    /// Eight tries within a minute: a worker is not held longer by one bad account.
    fn default() -> Self {
        Self { tries: 8, length: Duration::from_secs(60) }
    }
}

/// The delays of one call. They depend on the bucket and the number of the try only, so that equal
/// runs are equal while the calls of a thousand accounts do not come back at the same time.
#[derive(Debug)]
pub(super) struct Delays {
    patience: Patience,
    began_at: Moment,
    tries: u32,
    backoff: ExponentialBackoff,
    seed: Digest,
}

impl Delays {
    pub(super) fn of(key: &BucketKey, patience: Patience, now: Moment) -> Self {
        let mut backoff = ExponentialBackoff {
            initial_interval: FIRST_DELAY,
            max_interval: LONGEST_DELAY,
            multiplier: 2.0,
            // Its randomness is not ours to seed, and its clock is not ours to stop.
            randomization_factor: 0.0,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        backoff.reset();
        let seed = Digest::of(format!("{key:?}").as_bytes());
        Self { patience, began_at: now, tries: 1, backoff, seed }
    }

    /// How long to wait before the call is made again; `None` when it is not worth it, or when
    /// patience has ended.
    pub(super) fn after(&mut self, error: &AwsError, now: Moment) -> Option<Duration> {
        if !error.is_worth_repeating() || self.tries >= self.patience.tries {
            return None;
        }
        let whole = u64::try_from(self.backoff.next_backoff()?.as_millis()).unwrap_or(u64::MAX);
        let share = share_of(self.seed, self.tries);
        let jittered = Duration::from_millis(whole).mul_f64(0.5 + share / 2.0);
        let delay = jittered.max(error.answer().retry_after.unwrap_or_default());
        self.tries += 1;
        (now.since(self.began_at) + delay <= self.patience.length).then_some(delay)
    }
}

/// A number from 0 up to 1 that looks random and is not.
pub(super) fn share_of(seed: Digest, number: u32) -> f64 {
    let digest = Digest::of_parts([seed.as_bytes(), &number.to_be_bytes()]);
    let leading = digest.as_bytes().iter().take(4);
    leading.fold(0.0, |share, byte| share * 256.0 + f64::from(*byte)) / f64::from(u32::MAX)
}
