//! Tenants that come: which services they get, in which order. Tenants that get the same are one row.

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::{Desired, Wanted};
use crate::ids::{AccountId, Region, ServiceName, TenantName};
use crate::plan::preview::Arrivals;

/// What tenants that come have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Alike {
    order: Vec<Vec<ServiceName>>,
    regions: Vec<Region>,
    stacks: usize,
}

/// The tenants that have stacks in `new` and that `old` does not know; the most alike first.
pub(super) fn arrivals(old: Option<&Desired>, new: &Desired) -> Vec<Arrivals> {
    let Some(old) = old else { return Vec::new() };
    let mut stacks: BTreeMap<&TenantName, Vec<&Wanted>> = BTreeMap::new();
    for wanted in new.all_standing() {
        if !old.tenants.contains_key(&wanted.tenant.name) {
            stacks.entry(&wanted.tenant.name).or_default().push(wanted);
        }
    }
    let mut alike: BTreeMap<Alike, Vec<(TenantName, AccountId)>> = BTreeMap::new();
    for (name, stacks) in stacks {
        let regions: BTreeSet<&Region> =
            stacks.iter().map(|wanted| &wanted.key.target.region).collect();
        let key = Alike {
            order: in_order(&stacks),
            regions: regions.into_iter().cloned().collect(),
            stacks: stacks.len(),
        };
        let account = stacks.first().map(|wanted| wanted.key.target.account);
        alike.entry(key).or_default().extend(account.map(|account| (name.clone(), account)));
    }
    let mut arrivals: Vec<Arrivals> = alike
        .into_iter()
        .map(|(Alike { order, regions, stacks }, tenants)| Arrivals {
            tenants,
            order,
            regions,
            stacks_each: stacks,
        })
        .collect();
    arrivals.sort_by_key(|row| std::cmp::Reverse(row.tenants.len()));
    arrivals
}

/// The services of one tenant, each after those that it waits for. What waits for nothing more begins
/// together.
fn in_order(stacks: &[&Wanted]) -> Vec<Vec<ServiceName>> {
    let mut needs: BTreeMap<&ServiceName, BTreeSet<&ServiceName>> = BTreeMap::new();
    for wanted in stacks {
        let needed = wanted.depends_on.iter().chain(wanted.depends_on_home.iter());
        needs.entry(&wanted.service.name).or_default().extend(needed);
    }
    let mut order = Vec::new();
    while !needs.is_empty() {
        let waits = |name: &&ServiceName| needs.contains_key(name);
        let ready: Vec<&ServiceName> = needs
            .iter()
            .filter(|(_, needed)| !needed.iter().any(waits))
            .map(|(name, _)| *name)
            .collect();
        // `check` refuses cycles; should there be one, its services come last, together.
        let ready = if ready.is_empty() { needs.keys().copied().collect() } else { ready };
        for name in &ready {
            needs.remove(name);
        }
        order.push(ready.into_iter().cloned().collect());
    }
    order
}
