//! Trouble by chance: what any call and any resource may meet, the same in every run of one seed.

use std::time::Duration;

use crate::ids::Digest;
use crate::moment::Moment;
use crate::sim::faults::CallFault;
use crate::sim::timeline::Phase;

/// The longest that an answer is late: longer than the SDK waits by itself.
const LATEST: Duration = Duration::from_secs(40);
/// The farthest that a listing lies behind. AWS says "eventually"; seconds are common, and nobody
/// has seen minutes.
const STALEST: Duration = Duration::from_secs(60);

/// How likely what is, from 0 to 1. The chances of one call are added up: their sum is at most 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weather {
    /// The same seed gives the same trouble to the same calls in the same order.
    pub seed: u64,
    /// [`CallFault::Throttled`].
    pub throttled: f64,
    /// [`CallFault::ServerError`].
    pub server_error: f64,
    /// [`CallFault::Unreachable`].
    pub unreachable: f64,
    /// [`CallFault::AnswerLost`].
    pub answer_lost: f64,
    /// [`CallFault::Truncated`].
    pub truncated: f64,
    /// [`CallFault::Malformed`].
    pub malformed: f64,
    /// [`CallFault::Delayed`], by up to 40 seconds.
    pub delayed: f64,
    /// A session that AWS does not accept any more.
    pub expired: f64,
    /// [`CallFault::AsOf`], up to a minute ago.
    pub stale: f64,
    /// [`CallFault::PageShifted`].
    pub page_shifted: f64,
    /// [`CallFault::LastPageMissing`].
    pub last_page_missing: f64,
    /// A resource that cannot be made or changed, for a reason of AWS's own.
    pub failing: f64,
    /// A resource that cannot be made or changed, for a reason that git has to mend.
    pub refusing: f64,
    /// A resource that cannot be taken back.
    pub failing_rollbacks: f64,
    /// A resource that cannot be deleted.
    pub failing_deletes: f64,
}

impl Weather {
    /// What the call meets that asks as the `roll`th.
    pub(crate) fn fault(&self, roll: u64, api: &str, now: Moment) -> Option<CallFault> {
        let far = self.share(roll, "how far");
        let lists = api == "DescribeStacks" || api == "ListStacks";
        let listing = |chance: f64| if lists { chance } else { 0.0 };
        // STS answers an expired session of the hub only, which never ends here.
        let expired = if api == "AssumeRole" { 0.0 } else { self.expired };
        let chances = [
            (self.throttled, CallFault::Throttled),
            (self.server_error, CallFault::ServerError(if far < 0.5 { 500 } else { 503 })),
            (self.unreachable, CallFault::Unreachable),
            (self.answer_lost, CallFault::AnswerLost),
            (self.truncated, CallFault::Truncated),
            (self.malformed, CallFault::Malformed),
            (self.delayed, CallFault::Delayed(LATEST.mul_f64(far))),
            (expired, expired_session()),
            (listing(self.stale), CallFault::AsOf(now - STALEST.mul_f64(far))),
            (listing(self.page_shifted), CallFault::PageShifted),
            (listing(self.last_page_missing), CallFault::LastPageMissing),
        ];
        let mut left = self.share(roll, "which fault");
        for (chance, fault) in chances {
            if left < chance {
                return Some(fault);
            }
            left -= chance;
        }
        None
    }

    /// Why the resource fails that asks as the `roll`th.
    pub(crate) fn failure(&self, roll: u64, phase: Phase) -> Option<String> {
        let share = self.share(roll, "which failure");
        let text = match phase {
            Phase::Change if share < self.failing => "Internal Failure",
            Phase::Change if share < self.failing + self.refusing => {
                "The value is not allowed here"
            }
            Phase::Rollback if share < self.failing_rollbacks => "Internal Failure",
            Phase::Delete if share < self.failing_deletes => "It is still in use",
            Phase::Change | Phase::Rollback | Phase::Delete => return None,
        };
        Some(text.to_owned())
    }

    /// A number from 0 up to 1 that follows from seed, roll and purpose.
    fn share(&self, roll: u64, purpose: &str) -> f64 {
        let digest = Digest::of(format!("{}/{roll}/{purpose}", self.seed).as_bytes());
        let leading = digest.as_bytes().iter().take(6);
        leading.rev().fold(0.0, |share, byte| (share + f64::from(*byte)) / 256.0)
    }
}

fn expired_session() -> CallFault {
    CallFault::Refused {
        code: "ExpiredToken".to_owned(),
        message: "The security token included in the request is expired".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_kept_and_the_same_seed_gives_the_same_trouble() {
        let weather =
            Weather { seed: 7, throttled: 0.1, stale: 0.2, failing: 0.25, ..Weather::default() };
        let now = Moment::from_millis(1_000_000);
        let of = |api: &str| -> Vec<_> {
            (0..4_000).filter_map(|roll| weather.fault(roll, api, now)).collect()
        };
        let describes = of("DescribeStacks");
        assert_eq!(describes, of("DescribeStacks"));
        assert!((1_100..1_300).contains(&describes.len()), "{}", describes.len());
        assert!((340..460).contains(&of("CreateStack").len()));
        let failures = (0..4_000).filter_map(|roll| weather.failure(roll, Phase::Change)).count();
        assert!((900..1_100).contains(&failures), "{failures}");
        assert_eq!(weather.failure(1, Phase::Delete), None);
    }
}
