//! What targets of one tenant know of each other: what stands in the home region, and what needs it
//! in the others.

use std::collections::{BTreeMap, BTreeSet};

use crate::board::{Board, View, lock};
use crate::ids::{StackId, StackName, Target};
use crate::plan::{AtHome, Elsewhere, StackRecord};

impl Board {
    /// What is known of the other regions of a target's tenant.
    pub fn elsewhere(&self, basis: &View, target: &Target) -> Elsewhere {
        let desired = &basis.desired;
        if desired.needed_at_home.is_empty() {
            return Elsewhere::default();
        }
        let home = desired.home_of(&target.account).filter(|home| home != target);
        let at_home = home.filter(|home| !self.is_outdated(home)).and_then(|home| {
            let places = lock(&self.0.places);
            places.get(&home).and_then(|place| place.at_home.clone())
        });
        Elsewhere { at_home, others: self.others(target) }
    }

    /// Whether a target has not been looked at since the start, or since other things are wanted in it.
    fn is_outdated(&self, target: &Target) -> bool {
        lock(&self.0.unseen).contains(target) || lock(&self.0.stale).contains(target)
    }

    /// The stacks of those who have some in `target` that stand in other regions of its account.
    fn others(&self, target: &Target) -> Vec<(Target, crate::ids::ServiceName)> {
        let homes = lock(&self.0.homes);
        let tenants = homes.tenants_in.get(target).into_iter().flatten();
        let places = tenants.filter_map(|tenant| homes.of.get(tenant)).flatten();
        let others =
            places.filter(|(other, _)| other.account == target.account && *other != target);
        let named = |(other, stacks): (&Target, &BTreeSet<crate::plan::FormerStack>)| {
            let named = stacks.iter().map(|stack| (other.clone(), stack.service.clone()));
            named.collect::<Vec<_>>()
        };
        others.flat_map(named).collect()
    }

    /// Notes what a look at `target` says to the other regions, and which of them must be looked at
    /// because of it. Before [`Board::saw`] notes anything else of that look.
    pub(super) fn tell_regions(
        &self,
        basis: &View,
        target: &Target,
        rows: &BTreeMap<StackName, StackRecord>,
    ) {
        let desired = &basis.desired;
        if desired.needed_at_home.is_empty() {
            return;
        }
        let home = desired.home_of(&target.account);
        let mut woken = BTreeSet::new();
        if home.as_ref() == Some(target) {
            let at_home: BTreeMap<_, _> =
                rows.values().filter_map(|row| AtHome::of_record(desired, row)).collect();
            let outdated = self.is_outdated(target);
            let mut places = lock(&self.0.places);
            let place = places.entry(target.clone()).or_default();
            if outdated || place.at_home.as_ref() != Some(&at_home) {
                let needs = |other: &&Target| {
                    let stacks = desired.stacks.get(*other).into_iter().flatten();
                    stacks.into_iter().any(|(_, wanted)| !wanted.depends_on_home.is_empty())
                };
                let regions = desired.targets().filter(|other| other.account == target.account);
                woken.extend(regions.filter(needs).cloned());
            }
            place.at_home = Some(at_home);
        } else if self.has_lost(target, rows) {
            // What waits to be deleted until its users are gone; without a document, anywhere.
            let others = self.others(target).into_iter().map(|(other, _)| other);
            woken.extend(others.filter(|other| home.as_ref().is_none_or(|home| home == other)));
        }
        lock(&self.0.woken).extend(woken);
    }

    /// Whether a stack that stood in `target` is not there any more.
    fn has_lost(&self, target: &Target, rows: &BTreeMap<StackName, StackRecord>) -> bool {
        let stand: BTreeSet<&StackId> =
            rows.values().filter_map(|row| row.seen.as_ref()).map(|seen| &seen.id).collect();
        let homes = lock(&self.0.homes);
        let tenants = homes.tenants_in.get(target).into_iter().flatten();
        let mut stood = tenants.filter_map(|tenant| homes.of.get(tenant)?.get(target)).flatten();
        stood.any(|stack| !stand.contains(&stack.id))
    }

    /// The targets to be looked at because of what was seen in others, once.
    pub fn take_woken(&self) -> BTreeSet<Target> {
        std::mem::take(&mut lock(&self.0.woken))
    }
}
