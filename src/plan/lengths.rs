//! How long operations take, learned from how long they took: by service and kind of step, as weights
//! of ranges. Losing it costs looks, never correctness.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::ServiceName;

/// Where each range begins, in milliseconds: each is a tenth wider than the one before, so that one
/// look at the end of a range notices whatever ended in it within a tenth of its length. From a tenth
/// of a second, which only a simulated cloud needs, to 23 hours.
const EDGES: [u64; 144] = edges();
/// What one operation weighs; it is divided among the ranges in which it may have ended.
const WEIGHT: u64 = 256;
/// After so many operations the next one lies beyond the longest of them once in seventeen times.
const LEARNED: u64 = 16 * WEIGHT;
/// What lies beyond makes the past weigh half: about a rollout through the largest fleets. Fewer
/// would forget the quick ones of a rollout while the slow ones end.
const MOST: u64 = 2_048 * WEIGHT;
/// A range with less than this part of all is not waited for: a few strange ones, or the traces of an
/// operation whose end nobody watched.
const RARE: u64 = 128;

const fn edges() -> [u64; 144] {
    let mut edges = [100; 144];
    let mut index = 1;
    while index < edges.len() {
        edges[index] = edges[index - 1] + edges[index - 1] / 10;
        index += 1;
    }
    edges
}

/// Which range a length lies in. What is shorter or longer than all lies in the first or last.
fn range_of(length: Duration) -> usize {
    let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    EDGES.partition_point(|edge| *edge <= millis).saturating_sub(1)
}

/// How long operations of one service and kind took: weights by the number of the range.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lengths(BTreeMap<usize, u64>);

impl Lengths {
    /// An operation still ran when it was `ran_for` old, and was over when it was `over_by` old.
    pub fn note(&mut self, ran_for: Duration, over_by: Duration) {
        let first = range_of(ran_for);
        let last = range_of(over_by.saturating_sub(Duration::from_millis(1))).max(first);
        let share = WEIGHT / (last - first + 1) as u64;
        for range in first..=last {
            *self.0.entry(range).or_default() += share;
        }
        if self.total() > MOST {
            self.0.values_mut().for_each(|weight| *weight /= 2);
            self.0.retain(|_, weight| *weight > 0);
        }
    }

    /// Whether enough have been seen to leave out looks.
    pub fn is_learned(&self) -> bool {
        // What was divided among ranges lost up to a part of each share.
        self.total() >= LEARNED - LEARNED / 8
    }

    /// The shortest usual length that is not less than `age`; `age` itself while it lies in a usual
    /// range, `None` for what takes longer than usual.
    pub fn usual_from(&self, age: Duration) -> Option<Duration> {
        let (total, here) = (self.total(), range_of(age));
        let usual = |weight: u64| weight * RARE >= total;
        let (range, _) = self.0.range(here..).find(|(_, weight)| usual(**weight))?;
        let edge = EDGES.get(*range)?;
        Some(Duration::from_millis(*edge).max(age))
    }

    fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// What is learned of all services. A part of it is a service and the word of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    parts: BTreeMap<ServiceName, BTreeMap<String, Lengths>>,
    noted: u64,
}

impl Learned {
    /// What is known of one part.
    pub fn of(&self, service: &ServiceName, step: &str) -> Option<&Lengths> {
        self.parts.get(service)?.get(step)
    }

    /// One more operation of a part; see [`Lengths::note`].
    pub fn note(
        &mut self,
        service: &ServiceName,
        step: &str,
        ran_for: Duration,
        over_by: Duration,
    ) {
        self.noted += 1;
        let steps = self.parts.entry(service.clone()).or_default();
        match steps.get_mut(step) {
            Some(lengths) => lengths.note(ran_for, over_by),
            None => steps.entry(step.to_owned()).or_default().note(ran_for, over_by),
        }
    }

    /// How many operations were noted by this process.
    pub fn noted(&self) -> u64 {
        self.noted
    }

    /// Every part, sorted.
    pub fn parts(&self) -> impl Iterator<Item = (&ServiceName, &str, &Lengths)> {
        self.parts.iter().flat_map(|(service, steps)| {
            steps.iter().map(move |(step, lengths)| (service, step.as_str(), lengths))
        })
    }

    /// Forgets services that are not among these.
    pub fn keep_only(&mut self, is_there: impl Fn(&ServiceName) -> bool) {
        self.parts.retain(|service, _| is_there(service));
    }
}

impl FromIterator<(ServiceName, String, Lengths)> for Learned {
    fn from_iter<T: IntoIterator<Item = (ServiceName, String, Lengths)>>(parts: T) -> Self {
        let mut learned = Self::default();
        for (service, step, lengths) in parts {
            learned.parts.entry(service).or_default().insert(step, lengths);
        }
        learned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn learned(lengths: &[(u64, u64)], times: usize) -> Lengths {
        let mut all = Lengths::default();
        for _ in 0..times {
            lengths.iter().for_each(|(from, to)| all.note(seconds(*from), seconds(*to)));
        }
        all
    }

    #[test]
    fn the_ranges_reach_from_a_moment_to_a_day() {
        assert_eq!(EDGES[0], 100);
        assert!(EDGES.windows(2).all(|pair| pair[1] > pair[0] && pair[1] * 10 <= pair[0] * 11));
        assert!(EDGES[143] > 22 * 3_600_000 && EDGES[143] < 25 * 3_600_000, "{}", EDGES[143]);
    }

    #[test]
    fn a_few_operations_are_no_rule() {
        assert!(!learned(&[(80, 85)], 8).is_learned());
        assert!(learned(&[(80, 85)], 16).is_learned());
    }

    #[test]
    fn what_is_usual_is_told_from_what_happened_once() {
        let mut lengths = learned(&[(60, 64), (300, 320)], 100);
        lengths.note(seconds(10), seconds(11));
        lengths.note(seconds(3_000), seconds(3_200));
        let from = |age| lengths.usual_from(seconds(age)).map(|length| length.as_secs());
        assert!(from(0).is_some_and(|length| (54..=60).contains(&length)), "{:?}", from(0));
        assert_eq!(from(62), Some(62), "in the middle of the usual");
        assert!(from(80).is_some_and(|length| (270..=300).contains(&length)), "{:?}", from(80));
        assert_eq!(from(400), None, "longer than usual");
    }

    #[test]
    fn an_operation_whose_end_nobody_watched_says_little() {
        let mut lengths = learned(&[(60, 64)], 100);
        let before = lengths.usual_from(Duration::ZERO);
        lengths.note(seconds(1), seconds(80_000));
        assert_eq!(lengths.usual_from(Duration::ZERO), before);
    }

    #[test]
    fn what_takes_less_time_than_before_is_learned_in_spite_of_few_looks() {
        let mut lengths = learned(&[(300, 320)], 100);
        // They end long before the next look is due.
        (0..10).for_each(|_| lengths.note(seconds(75), seconds(150)));
        assert!(lengths.usual_from(seconds(40)).is_some_and(|length| length <= seconds(75)));
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut lengths = learned(&[(300, 320)], 2_000);
        (0..20_000).for_each(|_| lengths.note(seconds(60), seconds(64)));
        assert_eq!(lengths.usual_from(seconds(100)), None);
    }

    proptest! {
        #[test]
        fn it_stays_small_and_survives_being_written(
            noted in prop::collection::vec((0_u64..200_000_000, 0_u64..200_000_000), 0..300),
        ) {
            let mut lengths = Lengths::default();
            for (ran_for, more) in noted {
                let ran_for = Duration::from_millis(ran_for);
                lengths.note(ran_for, ran_for + Duration::from_millis(more));
                prop_assert!(lengths.total() <= MOST && lengths.0.len() <= EDGES.len());
            }
            let text = serde_json::to_string(&lengths).expect("written");
            prop_assert_eq!(serde_json::from_str::<Lengths>(&text).expect("read"), lengths);
        }

        #[test]
        fn the_usual_is_never_before_the_age(age in 0_u64..100_000, ends in 1_u64..100_000) {
            let lengths = learned(&[(ends, ends + ends / 10 + 1)], 20);
            let usual = lengths.usual_from(seconds(age));
            prop_assert!(usual.is_none_or(|usual| usual >= seconds(age)));
            prop_assert!(usual.is_some() || age > ends, "it may still end");
        }
    }
}
