//! How many targets are handled at once. A pass that lasts long waits for AWS, and gives its place
//! to another: accounts that answer nobody must not hold up the others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ids::Target;
use crate::moment::Moment;

/// Passes that began lately. They wait for AWS nearly all of the time; more would only wait for
/// the pacing of STS, which takes 600 calls a second.
const PLACES: usize = 512;
/// A healthy look takes less. Of passes that all wait, 256 a second give their places back: fewer
/// than STS has sessions for, so that no line grows there.
const LONG: Duration = Duration::from_secs(2);
/// Passes in all: two thirds of 6,000 targets may answer nobody. One that waits takes a few
/// kilobytes.
const MOST: usize = 4_096;

/// The passes that run.
#[derive(Debug, Default)]
pub(super) struct Workers {
    /// When each began.
    running: BTreeMap<Target, Moment>,
    /// Those that hold a place, in the order in which they began.
    placed: BTreeSet<(Moment, Target)>,
}

impl Workers {
    /// When one more pass may begin, `now` at the earliest; `None`: not before one ends.
    pub(super) fn free_at(&mut self, now: Moment) -> Option<Moment> {
        while let Some((began, _)) = self.placed.first()
            && now.since(*began) >= LONG
        {
            self.placed.pop_first();
        }
        if self.running.len() >= MOST {
            return None;
        }
        let oldest = self.placed.first().filter(|_| self.placed.len() >= PLACES);
        Some(oldest.map_or(now, |(began, _)| *began + LONG))
    }

    /// A pass over `target` begins.
    pub(super) fn begin(&mut self, target: &Target, now: Moment) {
        self.running.insert(target.clone(), now);
        self.placed.insert((now, target.clone()));
    }

    /// The pass over `target` ended.
    pub(super) fn end(&mut self, target: &Target) {
        if let Some(began) = self.running.remove(target) {
            self.placed.remove(&(began, target.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(number: usize) -> Target {
        format!("{number:012}/eu-central-1").parse().expect("a target")
    }

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    #[test]
    fn a_pass_that_lasts_long_gives_its_place_to_another() {
        let mut workers = Workers::default();
        for number in 0..PLACES {
            assert_eq!(workers.free_at(at(7)), Some(at(7)));
            workers.begin(&target(number), at(7));
        }
        assert_eq!(workers.free_at(at(8)), Some(at(7) + LONG));
        assert_eq!(workers.free_at(at(7) + LONG), Some(at(7) + LONG));
    }

    #[test]
    fn a_pass_that_ends_gives_one_place_back_whether_it_was_long_or_not() {
        let mut workers = Workers::default();
        workers.begin(&target(0), at(0));
        workers.free_at(at(0) + LONG).expect("free");
        for number in 1..=PLACES {
            workers.begin(&target(number), at(5_000));
        }
        workers.end(&target(0));
        assert_eq!(workers.free_at(at(5_000)), Some(at(5_000) + LONG), "it held no place");
        workers.end(&target(1));
        assert_eq!(workers.free_at(at(5_000)), Some(at(5_000)));
    }

    #[test]
    fn passes_are_bounded_however_long_they_last() {
        let mut workers = Workers::default();
        for number in 0..MOST {
            let now = at(100_000 * number as u64);
            assert_eq!(workers.free_at(now), Some(now));
            workers.begin(&target(number), now);
        }
        assert_eq!(workers.free_at(at(u64::MAX)), None);
        workers.end(&target(9));
        assert_eq!(workers.free_at(at(u64::MAX)), Some(at(u64::MAX)));
    }
}
