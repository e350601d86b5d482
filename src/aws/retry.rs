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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::error::Answer;
    use crate::aws::pace::Api;

    const START: Moment = Moment::from_millis(1_000_000);

    fn key(account: &str) -> BucketKey {
        BucketKey {
            account: Some(account.parse().unwrap()),
            region: "eu-central-1".parse().unwrap(),
            api: Api::DescribeStacks,
        }
    }

    fn throttled(retry_after: Option<Duration>) -> AwsError {
        let answer = Answer::new(Api::DescribeStacks, "Throttling", "Rate exceeded");
        AwsError::Throttled(Answer { retry_after, ..answer })
    }

    fn delays(account: &str, patience: Patience, error: &AwsError) -> Vec<Duration> {
        let (mut now, mut list) = (START, Vec::new());
        let mut delays = Delays::of(&key(account), patience, now);
        while let Some(delay) = delays.after(error, now) {
            now = now + delay;
            list.push(delay);
        }
        list
    }

    #[test]
    fn delays_grow_end_and_are_the_same_every_time_but_not_for_every_account() {
        let patience = Patience::default();
        let list = delays("111122223333", patience, &throttled(None));
        assert_eq!(list, delays("111122223333", patience, &throttled(None)));
        assert_ne!(list, delays("444455556666", patience, &throttled(None)));
        assert_eq!(list.len(), 7);
        for (number, delay) in list.iter().enumerate() {
            let whole = (FIRST_DELAY * (1 << number)).min(LONGEST_DELAY);
            assert!(*delay >= whole / 2 && *delay <= whole, "{number}: {delay:?} of {whole:?}");
        }
    }

    #[test]
    fn patience_ends_by_time_too() {
        let patience = Patience { tries: 1_000, length: Duration::from_secs(30) };
        let list = delays("111122223333", patience, &throttled(None));
        assert!(list.iter().sum::<Duration>() <= patience.length, "{list:?}");
        assert!(list.len() < 20, "{list:?}");
    }

    #[test]
    fn a_pause_that_the_server_asks_for_is_kept_or_not_waited_for() {
        let asked = Duration::from_secs(20);
        let list = delays("111122223333", Patience::default(), &throttled(Some(asked)));
        assert_eq!(list, [asked; 3]);
        let too_long = throttled(Some(Duration::from_secs(61)));
        assert!(delays("111122223333", Patience::default(), &too_long).is_empty());
    }

    #[test]
    fn final_answers_are_not_asked_for_again() {
        let answer = Answer::new(Api::DescribeStacks, "ValidationError", "no");
        for error in [
            AwsError::Refused(answer.clone()),
            AwsError::Denied(answer.clone()),
            AwsError::WrongAccount(answer.clone()),
            AwsError::Stopped(answer),
        ] {
            assert!(delays("111122223333", Patience::default(), &error).is_empty(), "{error}");
        }
    }
}
