//! How long a stack that failed is left alone.

use std::time::Duration;

use crate::ids::{Digest, StackKey};
use crate::moment::Moment;
use crate::outcome::{CauseClass, Failure};

/// AWS's own trouble is often over in half a minute.
const TRANSIENT_FIRST: Duration = Duration::from_secs(30);
/// Half an hour between tries costs two operations an hour in the worst case.
const TRANSIENT_LAST: Duration = Duration::from_secs(30 * 60);
/// Access and quotas are mended by people or by AWS's account teams.
const ACCOUNT_FIRST: Duration = Duration::from_secs(60);
/// An account that cannot be reached for days is asked once an hour.
const ACCOUNT_LAST: Duration = Duration::from_secs(60 * 60);

/// When a failed step may be tried again; `None` when only a change in git makes it worth trying.
pub fn retry_at(key: &StackKey, failure: &Failure) -> Option<Moment> {
    let (first, last) = match failure.cause.class {
        CauseClass::Transient => (TRANSIENT_FIRST, TRANSIENT_LAST),
        CauseClass::Account => (ACCOUNT_FIRST, ACCOUNT_LAST),
        CauseClass::Release => return None,
    };
    let doublings = failure.count.saturating_sub(1).min(10);
    let length = first.saturating_mul(1 << doublings).min(last);
    Some(failure.at + spread(&format!("{key}#{}", failure.count), length))
}

/// `length` made up to a fifth longer, by a share that follows from `seed` alone: what failed
/// together is not tried again together.
pub fn spread(seed: &str, length: Duration) -> Duration {
    let share = u32::from(Digest::of(seed.as_bytes()).as_bytes()[0]);
    length + length * share / (5 * 255)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Cause;

    fn failure(code: &str, count: u32) -> Failure {
        Failure {
            cause: Cause::of_call(code, "text"),
            step: "update".into(),
            digest: None,
            version: None,
            count,
            at: Moment::from_millis(0),
        }
    }

    #[test]
    fn cooldowns_grow_up_to_a_limit() {
        let key = "111122223333/eu-central-1/a".parse().expect("a key");
        let wait = |count| {
            let at = retry_at(&key, &failure("Throttling", count)).expect("tried again");
            at.since(Moment::from_millis(0))
        };
        assert!(wait(1) >= TRANSIENT_FIRST && wait(1) <= TRANSIENT_FIRST * 6 / 5);
        assert!(wait(2) > wait(1));
        assert!(wait(50) >= TRANSIENT_LAST && wait(50) <= TRANSIENT_LAST * 6 / 5);
    }

    #[test]
    fn what_git_has_to_mend_is_not_tried_again() {
        let key = "111122223333/eu-central-1/a".parse().expect("a key");
        assert_eq!(retry_at(&key, &failure("ValidationError", 1)), None);
    }
}
