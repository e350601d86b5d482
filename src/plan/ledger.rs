//! How many operations may run at once. One ledger serves all workers, so that two of them never
//! both take the last place.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{ServiceName, StackKey, StackName, Target};
use crate::plan::Hold;
use crate::plan::line::Line;

/// Which operations run, as far as is known. A reservation is made before a call, and ends when a
/// look shows that the operation has settled.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    in_flight: BTreeMap<Target, BTreeSet<StackName>>,
    total: usize,
    line: Line,
    waves: BTreeMap<Wave, Line>,
}

/// A wave of a service, by its number.
pub type Wave = (ServiceName, usize);

impl Ledger {
    /// Takes a place for an operation on `key`, or says which limit stands in the way. A target that
    /// finds no place in the fleet, or others before it, stands in line from then on.
    pub fn reserve(&mut self, key: &StackKey, fleet: usize, per_target: usize) -> Result<(), Hold> {
        if self.holds(key) {
            return Ok(());
        }
        if !self.has_room(&key.target, per_target) {
            return Err(Hold::TargetBusy(per_target));
        }
        if !self.line.has_turn(&key.target, fleet.saturating_sub(self.total)) {
            self.line.refuse(&key.target);
            return Err(Hold::FleetBusy(fleet));
        }
        self.in_flight.entry(key.target.clone()).or_default().insert(key.name.clone());
        self.total += 1;
        self.line.take(&key.target);
        Ok(())
    }

    /// Whether the limit of a target lets one more operation run in it.
    pub fn has_room(&self, target: &Target, per_target: usize) -> bool {
        self.in_flight.get(target).map_or(0, BTreeSet::len) < per_target
    }

    /// The targets whose turn it is since places are free: each is to be handled now. Asked after
    /// whatever may have given a place back; it says each target once until a pass over it ends.
    pub fn call(&mut self, fleet: usize) -> Vec<Target> {
        self.line.call(fleet.saturating_sub(self.total))
    }

    /// Whether it is the turn of `target` to take one of `free` places of a wave; it stands in line
    /// for them if not.
    pub fn has_turn_in(&mut self, wave: &Wave, target: &Target, free: usize) -> bool {
        let has_turn = match self.waves.get(wave) {
            Some(line) => line.has_turn(target, free),
            None => free > 0,
        };
        if !has_turn {
            self.waves.entry(wave.clone()).or_default().refuse(target);
        }
        has_turn
    }

    /// `target` took a place of a wave.
    pub fn take_in(&mut self, wave: &Wave, target: &Target) {
        if let Some(line) = self.waves.get_mut(wave) {
            line.take(target);
        }
    }

    /// The waves for whose places somebody waits.
    pub fn waves_waited_for(&self) -> Vec<Wave> {
        self.waves.keys().cloned().collect()
    }

    /// As [`Ledger::call`], for the places of a wave.
    pub fn call_in(&mut self, wave: &Wave, free: usize) -> Vec<Target> {
        self.waves.get_mut(wave).map_or_else(Vec::new, |line| line.call(free))
    }

    /// A pass over `target` ended, whatever came of it.
    pub fn passed(&mut self, target: &Target) {
        self.line.passed(target);
        self.waves.values_mut().for_each(|line| line.passed(target));
        self.waves.retain(|_, line| !line.is_empty());
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

    #[test]
    fn a_place_that_is_free_again_goes_to_the_target_that_waits_longest() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.reserve(&key(1, 1), 1, 5), Ok(()));
        for target in [3, 2, 4] {
            assert_eq!(ledger.reserve(&key(target, 1), 1, 5), Err(Hold::FleetBusy(1)));
            ledger.passed(&key(target, 1).target);
        }
        assert_eq!(ledger.call(1), []);
        // The pass that sees the operation end does not take the place for another stack of its own.
        ledger.replace(&key(1, 1).target, BTreeSet::new());
        assert_eq!(ledger.reserve(&key(1, 2), 1, 5), Err(Hold::FleetBusy(1)));
        ledger.passed(&key(1, 1).target);
        assert_eq!(ledger.call(1), [key(3, 1).target], "one place, one target");
        assert_eq!(ledger.call(1), [], "once");
        assert_eq!(ledger.reserve(&key(2, 1), 1, 5), Err(Hold::FleetBusy(1)), "not its turn");
        assert_eq!(ledger.reserve(&key(3, 1), 1, 5), Ok(()));
        ledger.passed(&key(3, 1).target);
        assert_eq!(ledger.call(1), []);
        assert_eq!(ledger.call(3), [key(2, 1).target, key(4, 1).target], "the limit was raised");
    }

    #[test]
    fn a_target_that_does_not_need_its_turn_leaves_it_to_the_next() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.reserve(&key(1, 1), 1, 5), Ok(()));
        for target in [2, 3] {
            assert_eq!(ledger.reserve(&key(target, 1), 1, 5), Err(Hold::FleetBusy(1)));
            ledger.passed(&key(target, 1).target);
        }
        ledger.replace(&key(1, 1).target, BTreeSet::new());
        assert_eq!(ledger.call(1), [key(2, 1).target]);
        ledger.passed(&key(2, 1).target);
        assert_eq!(ledger.call(1), [key(3, 1).target]);
    }

    #[test]
    fn a_target_that_was_called_while_its_pass_ran_is_not_forgotten() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.reserve(&key(1, 1), 1, 5), Ok(()));
        assert_eq!(ledger.reserve(&key(2, 1), 1, 5), Err(Hold::FleetBusy(1)));
        ledger.replace(&key(1, 1).target, BTreeSet::new());
        assert_eq!(ledger.call(1), [key(2, 1).target]);
        ledger.passed(&key(2, 1).target);
        assert_eq!(ledger.reserve(&key(3, 1), 1, 5), Err(Hold::FleetBusy(1)), "the place is kept");
        assert_eq!(ledger.reserve(&key(2, 1), 1, 5), Ok(()));
    }

    #[test]
    fn whoever_waits_for_a_place_of_a_wave_stands_in_a_line_of_its_own() {
        let mut ledger = Ledger::default();
        let wave: Wave = ("api".parse().expect("a name"), 1);
        for number in [3, 2] {
            assert!(!ledger.has_turn_in(&wave, &key(number, 1).target, 0));
            ledger.passed(&key(number, 1).target);
        }
        assert_eq!(ledger.call(9), [], "places of the fleet are no places of the wave");
        assert_eq!(ledger.call_in(&wave, 1), [key(3, 1).target]);
        assert!(!ledger.has_turn_in(&wave, &key(4, 1).target, 1), "it came last");
        assert!(ledger.has_turn_in(&wave, &key(3, 1).target, 1));
        ledger.take_in(&wave, &key(3, 1).target);
        for number in [3, 4] {
            ledger.passed(&key(number, 1).target);
        }
        assert_eq!(ledger.call_in(&wave, usize::MAX), [key(2, 1).target, key(4, 1).target]);
        for number in [2, 4] {
            ledger.passed(&key(number, 1).target);
        }
        assert_eq!(ledger.waves_waited_for(), []);
    }

    #[test]
    fn a_thousand_places_for_six_thousand_targets_cost_one_call_a_place() {
        let mut ledger = Ledger::default();
        let key = |number: usize| -> StackKey {
            format!("{number:012}/eu-central-1/a").parse().expect("a key")
        };
        for number in 0..6_000 {
            assert_eq!(ledger.reserve(&key(number), 1_000, 5).is_ok(), number < 1_000);
            ledger.passed(&key(number).target);
        }
        for number in 0..5_000 {
            ledger.replace(&key(number).target, BTreeSet::new());
            ledger.passed(&key(number).target);
            assert_eq!(ledger.call(1_000), [key(number + 1_000).target]);
            assert_eq!(ledger.reserve(&key(number + 1_000), 1_000, 5), Ok(()));
            ledger.passed(&key(number + 1_000).target);
        }
        assert_eq!((ledger.total(), ledger.call(1_000)), (1_000, vec![]));
    }

    /// What the ledger shall be: lists of the places that are taken, and of the targets that wait.
    #[derive(Debug, Default)]
    struct Model {
        taken: Vec<StackKey>,
        /// In the order in which they came, with what was said to each.
        waiting: Vec<Waiting>,
    }

    #[derive(Debug)]
    struct Waiting {
        target: Target,
        is_called: bool,
        is_refused: bool,
    }

    impl Model {
        fn reserve(&mut self, key: &StackKey, fleet: usize, per_target: usize) -> Result<(), Hold> {
            let here = self.taken.iter().filter(|taken| taken.target == key.target).count();
            if self.taken.contains(key) {
                return Ok(());
            } else if here >= per_target {
                return Err(Hold::TargetBusy(per_target));
            }
            let place = self.waiting.iter().position(|one| one.target == key.target);
            let before = place.unwrap_or(self.waiting.len());
            if self.taken.len() + before >= fleet {
                match place {
                    Some(index) => {
                        self.waiting[index].is_called = false;
                        self.waiting[index].is_refused = true;
                    }
                    None => self.stand(&key.target),
                }
                return Err(Hold::FleetBusy(fleet));
            }
            self.taken.push(key.clone());
            if place.is_some_and(|index| self.waiting.remove(index).is_refused) {
                self.stand(&key.target);
            }
            Ok(())
        }

        fn stand(&mut self, target: &Target) {
            let target = target.clone();
            self.waiting.push(Waiting { target, is_called: false, is_refused: true });
        }

        fn passed(&mut self, target: &Target) {
            self.waiting.retain(|one| &one.target != target || one.is_refused);
            let still = self.waiting.iter_mut().find(|one| &one.target == target);
            still.into_iter().for_each(|one| one.is_refused = false);
        }

        fn call(&mut self, fleet: usize) -> Vec<Target> {
            let free = fleet.saturating_sub(self.taken.len());
            if self.waiting.iter().filter(|one| one.is_called).count() >= free {
                return Vec::new();
            }
            let oldest = self.waiting.iter_mut().take(free).filter(|one| !one.is_called);
            oldest
                .map(|one| {
                    one.is_called = true;
                    one.target.clone()
                })
                .collect()
        }
    }

    #[derive(Clone, Debug)]
    enum Move {
        Reserve(StackKey),
        Release(StackKey),
        Replace(Target, BTreeSet<StackName>),
        Limit(usize, usize),
        Passed(Target),
        Call,
    }

    fn moves() -> impl Strategy<Value = Move> {
        let keys = (0_u8..4, 0_u8..6).prop_map(|(target, name)| key(target, name));
        let names = prop::collection::btree_set((0_u8..6).prop_map(|name| key(0, name).name), 0..4);
        prop_oneof![
            6 => keys.clone().prop_map(Move::Reserve),
            2 => keys.clone().prop_map(Move::Release),
            3 => keys.clone().prop_map(|key| Move::Passed(key.target)),
            3 => Just(Move::Call),
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
                        model.taken.retain(|taken| taken != &key);
                    }
                    Move::Replace(target, names) => {
                        ledger.replace(&target, names.clone());
                        model.taken.retain(|taken| taken.target != target);
                        let key = |name| StackKey { target: target.clone(), name };
                        model.taken.extend(names.into_iter().map(key));
                    }
                    Move::Passed(target) => {
                        ledger.passed(&target);
                        model.passed(&target);
                    }
                    Move::Call => prop_assert_eq!(ledger.call(fleet), model.call(fleet)),
                }
                prop_assert_eq!(ledger.total(), model.taken.len());
                prop_assert!(model.taken.iter().all(|key| ledger.holds(key)));
                let counted: usize = ledger.in_flight.values().map(BTreeSet::len).sum();
                prop_assert_eq!(counted, ledger.total());
                prop_assert!(ledger.in_flight.values().all(|names| !names.is_empty()), "litter");
            }
        }
    }
}
