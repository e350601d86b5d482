//! How many operations may run at once. One ledger serves all workers, so that two of them never
//! both take the last place.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{StackKey, StackName, Target};
use crate::plan::Hold;

/// Which operations run, as far as is known. A reservation is made before a call, and ends when a
/// look shows that the operation has settled.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    in_flight: BTreeMap<Target, BTreeSet<StackName>>,
    total: usize,
}

impl Ledger {
    /// Takes a place for an operation on `key`, or says which limit stands in the way.
    pub fn reserve(&mut self, key: &StackKey, fleet: usize, per_target: usize) -> Result<(), Hold> {
        let here = self.in_flight.get(&key.target).map_or(0, BTreeSet::len);
        if self.holds(key) {
            return Ok(());
        }
        if self.total >= fleet {
            return Err(Hold::FleetBusy(fleet));
        }
        if here >= per_target {
            return Err(Hold::TargetBusy(per_target));
        }
        self.in_flight.entry(key.target.clone()).or_default().insert(key.name.clone());
        self.total += 1;
        Ok(())
    }

    /// Whether a place is taken for `key`.
    pub fn holds(&self, key: &StackKey) -> bool {
        self.in_flight.get(&key.target).is_some_and(|names| names.contains(&key.name))
    }

    /// Gives the place of `key` back, because its operation was never started.
    pub fn release(&mut self, key: &StackKey) {
        let Some(names) = self.in_flight.get_mut(&key.target) else { return };
        self.total -= usize::from(names.remove(&key.name));
        if names.is_empty() {
            self.in_flight.remove(&key.target);
        }
    }

    /// What a look at `target` shows takes the place of all that was thought of it.
    pub fn replace(&mut self, target: &Target, moving: BTreeSet<StackName>) {
        self.total -= self.in_flight.remove(target).map_or(0, |names| names.len());
        self.total += moving.len();
        if !moving.is_empty() {
            self.in_flight.insert(target.clone(), moving);
        }
    }

    /// How many operations run in the fleet.
    pub fn total(&self) -> usize {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(target: u8, name: u8) -> StackKey {
        format!("{target:012}/eu-central-1/s{name}").parse().expect("a key")
    }

    #[test]
    fn the_last_place_is_taken_once() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.reserve(&key(1, 1), 2, 5), Ok(()));
        assert_eq!(ledger.reserve(&key(2, 1), 2, 5), Ok(()));
        assert_eq!(ledger.reserve(&key(3, 1), 2, 5), Err(Hold::FleetBusy(2)));
        ledger.replace(&key(1, 1).target, BTreeSet::new());
        assert_eq!(ledger.reserve(&key(3, 1), 2, 5), Ok(()));
    }

    proptest! {
        #[test]
        fn no_limit_is_ever_passed(
            moves in prop::collection::vec((0u8..4, 0u8..6, 0u8..3), 0..200),
        ) {
            let mut ledger = Ledger::default();
            for (target, name, what) in moves {
                let key = key(target, name);
                match what {
                    0 | 1 => {
                        let before = ledger.clone();
                        let granted = ledger.reserve(&key, 7, 3).is_ok();
                        prop_assert_eq!(granted, ledger.holds(&key));
                        prop_assert!(granted || before.total() == ledger.total());
                    }
                    _ => ledger.release(&key),
                }
                let counted: usize = ledger.in_flight.values().map(BTreeSet::len).sum();
                prop_assert_eq!(counted, ledger.total());
                prop_assert!(ledger.total() <= 7);
                prop_assert!(ledger.in_flight.values().all(|names| names.len() <= 3));
            }
        }
    }
}
