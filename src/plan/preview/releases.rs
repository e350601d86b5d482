//! How the releases of a revision would go out: which wave takes how many stacks.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::desired::Desired;
use crate::fleet::{Service, Tenant, WavePlan};
use crate::ids::TenantName;
use crate::plan::preview::{WaveAhead, Waves};
use crate::rollout::{Membership, Release, soak};

/// The releases that are new in a revision and have more than one wave, by service.
pub(super) fn releases(old: Option<&Desired>, new: &Desired) -> Vec<Waves> {
    let found = new.services.values().filter_map(|service| {
        let plan = service.rollout.as_ref().or(new.fleet.rollout.as_ref())?;
        if plan.waves.len() < 2 {
            return None;
        }
        let head = Release::head(new, service);
        let before = old.and_then(|old| Some(Release::head(old, old.services.get(&service.name)?)));
        let is_new = before.is_none_or(|before| before.id != head.id);
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
    let mut counts = vec![0_usize; plan.waves.len()];
    for wanted in stacks() {
        let last = plan.waves.len() - 1;
        counts[membership.wave_of(&wanted.tenant.name).unwrap_or(last)] += 1;
    }
    let waves = plan.waves.iter().zip(counts).enumerate();
    waves
        .map(|(index, (wave, stacks))| WaveAhead {
            name: wave.name.clone(),
            stacks,
            soak: soak(plan, service.deployment, index),
            needs_approval: wave.needs_approval,
        })
        .collect()
}
