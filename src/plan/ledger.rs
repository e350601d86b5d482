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

    /// How many operations run on stacks that `are` such.
    pub fn count(&self, are: &dyn Fn(&StackKey) -> bool) -> usize {
        let of = |target: &Target, name: &StackName| {
            are(&StackKey { target: target.clone(), name: name.clone() })
        };
        let places = self.in_flight.iter();
        places.map(|(target, names)| names.iter().filter(|name| of(target, name)).count()).sum()
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

    /// What the ledger shall be: a list of the places that are taken.
    #[derive(Debug, Default)]
    struct Model(Vec<StackKey>);

    impl Model {
        fn reserve(&mut self, key: &StackKey, fleet: usize, per_target: usize) -> Result<(), Hold> {
            let here = self.0.iter().filter(|taken| taken.target == key.target).count();
            if self.0.contains(key) {
                Ok(())
            } else if self.0.len() >= fleet {
                Err(Hold::FleetBusy(fleet))
            } else if here >= per_target {
                Err(Hold::TargetBusy(per_target))
            } else {
                self.0.push(key.clone());
                Ok(())
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Move {
        Reserve(StackKey),
        Release(StackKey),
        Replace(Target, BTreeSet<StackName>),
        Limit(usize, usize),
    }

    fn moves() -> impl Strategy<Value = Move> {
        let keys = (0_u8..4, 0_u8..6).prop_map(|(target, name)| key(target, name));
        let names = prop::collection::btree_set((0_u8..6).prop_map(|name| key(0, name).name), 0..4);
        prop_oneof![
            6 => keys.clone().prop_map(Move::Reserve),
            2 => keys.clone().prop_map(Move::Release),
            1 => (keys, names).prop_map(|(key, names)| Move::Replace(key.target, names)),
            1 => (0_usize..12, 0_usize..6).prop_map(|(fleet, here)| Move::Limit(fleet, here)),
        ]
    }

    proptest! {
        /// `PROPTEST_CASES` says how many sequences.
        #[test]
        fn the_ledger_does_what_a_plain_list_does(moves in prop::collection::vec(moves(), 0..200)) {
            let (mut ledger, mut model) = (Ledger::default(), Model::default());
            let (mut fleet, mut per_target) = (7, 3);
            for one in moves {
                match one {
                    Move::Limit(all, here) => (fleet, per_target) = (all, here),
                    Move::Reserve(key) => {
                        let (held, before) = (ledger.holds(&key), ledger.total());
                        let granted = ledger.reserve(&key, fleet, per_target);
                        prop_assert_eq!(&granted, &model.reserve(&key, fleet, per_target));
                        let grew = usize::from(granted.is_ok() && !held);
                        prop_assert_eq!(ledger.total(), before + grew);
                        prop_assert!(grew == 0 || ledger.total() <= fleet, "over the limit");
                    }
                    Move::Release(key) => {
                        ledger.release(&key);
                        model.0.retain(|taken| taken != &key);
                    }
                    Move::Replace(target, names) => {
                        ledger.replace(&target, names.clone());
                        model.0.retain(|taken| taken.target != target);
                        let key = |name| StackKey { target: target.clone(), name };
                        model.0.extend(names.into_iter().map(key));
                    }
                }
                prop_assert_eq!(ledger.total(), model.0.len());
                prop_assert!(model.0.iter().all(|key| ledger.holds(key)));
                let counted: usize = ledger.in_flight.values().map(BTreeSet::len).sum();
                prop_assert_eq!(counted, ledger.total());
                prop_assert!(ledger.in_flight.values().all(|names| !names.is_empty()), "litter");
            }
        }
    }
}
