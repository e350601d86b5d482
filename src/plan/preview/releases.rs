//! How the releases of a revision would go out: which wave takes how many stacks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::desired::Desired;
use crate::fleet::{Service, Tenant, WavePlan};
use crate::ids::TenantName;
use crate::plan::preview::{WaveAhead, Waves};
use crate::rollout::{Membership, Release, change_together, soak};

/// The releases that are new in a revision and have more than one wave, by service; what many tenants
/// change together is one.
pub(super) fn releases(old: Option<&Desired>, new: &Desired) -> Vec<Waves> {
    let found = new.services.values().filter_map(|service| {
        let plan = service.rollout.as_ref().or(new.fleet.rollout.as_ref())?;
        if plan.waves.len() < 2 {
            return None;
        }
        let head = Release::head(new, service, None);
        let of = |desired: &Desired| {
            Some(Release::head(desired, desired.services.get(&service.name)?, None).id)
        };
        let is_new = old.and_then(of) != Some(head.id)
            || old.is_some_and(|old| change_together(old, new, service));
        let waves = is_new.then(|| ahead(plan, service, &head, new))?;
        let takes_any = waves.iter().any(|wave| wave.stacks > 0);
        takes_any.then(|| Waves { service: service.name.clone(), waves })
    });
    found.collect()
}

fn ahead(
    plan: &WavePlan,
    service: &Arc<Service>,
    head: &Release,
    desired: &Desired,
) -> Vec<WaveAhead> {
    let stacks = || desired.all_standing().filter(|wanted| wanted.service.name == service.name);
    let tenants: BTreeMap<&TenantName, &Tenant> =
        stacks().map(|wanted| (&wanted.tenant.name, &*wanted.tenant)).collect();
    let membership = Membership::of(plan, &head.id, tenants.into_values());
    let mut counts = vec![(0_usize, BTreeSet::new()); plan.waves.len()];
    for wanted in stacks() {
        let last = plan.waves.len() - 1;
        let wave = &mut counts[membership.wave_of(&wanted.tenant.name).unwrap_or(last)];
        wave.0 += 1;
        wave.1.insert(wanted.key.target.account);
    }
    let waves = plan.waves.iter().zip(counts).enumerate();
    waves
        .map(|(index, (wave, (stacks, accounts)))| WaveAhead {
            name: wave.name.clone(),
            stacks,
            accounts: accounts.len(),
            soak: soak(plan, service.deployment, index),
            needs_approval: wave.needs_approval,
        })
        .collect()
}
