//! Which tenants go with which wave.

use std::collections::BTreeMap;

use crate::fleet::{Share, Tenant, WavePlan};
use crate::ids::{Digest, TenantName};

/// The place of a wave in its plan, from 0.
pub type WaveIndex = usize;

/// Who goes with which wave of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    of: BTreeMap<TenantName, WaveIndex>,
    /// Tenants that no wave takes.
    pub left_over: Vec<TenantName>,
    /// Tenants that two selectors name, with both waves; they go with the first.
    pub twice: Vec<(TenantName, WaveIndex, WaveIndex)>,
}

impl Membership {
    /// Divides the tenants of a service among the waves of its plan. Labels choose first, wherever
    /// their waves stand; percentages are of all tenants and choose by a hash of the name, so that the
    /// same tenants lead at each release, or by one of name and `release` where the plan shuffles.
    pub fn of<'t>(
        plan: &WavePlan,
        release: &Digest,
        tenants: impl Iterator<Item = &'t Tenant>,
    ) -> Self {
        let mut found = Self::default();
        let mut left: Vec<(Digest, TenantName)> = Vec::new();
        let mut count = 0_usize;
        for tenant in tenants {
            count += 1;
            match found.selected(plan, tenant) {
                Some(wave) => drop(found.of.insert(tenant.name.clone(), wave)),
                None => left.push((rank(plan, release, &tenant.name), tenant.name.clone())),
            }
        }
        left.sort();
        let mut left = left.into_iter().map(|(_, name)| name);
        for (index, wave) in plan.waves.iter().enumerate() {
            let take = match &wave.share {
                Share::Selected(_) => 0,
                Share::Percent(percent) => (count * *percent as usize).div_ceil(100),
                Share::Rest => usize::MAX,
            };
            found.of.extend(left.by_ref().take(take).map(|name| (name, index)));
        }
        found.left_over = left.collect();
        found.left_over.sort();
        found
    }

    fn selected(&mut self, plan: &WavePlan, tenant: &Tenant) -> Option<WaveIndex> {
        let waves = plan.waves.iter().enumerate();
        let mut takes = waves.filter_map(|(index, wave)| match &wave.share {
            Share::Selected(selector) => selector.matches(&tenant.labels).then_some(index),
            Share::Percent(_) | Share::Rest => None,
        });
        let first = takes.next()?;
        if let Some(second) = takes.next() {
            self.twice.push((tenant.name.clone(), first, second));
        }
        Some(first)
    }

    /// The wave that takes a tenant.
    pub fn wave_of(&self, tenant: &TenantName) -> Option<WaveIndex> {
        self.of.get(tenant).copied()
    }

    /// How many tenants a wave takes.
    pub fn count(&self, wave: WaveIndex) -> usize {
        self.of.values().filter(|index| **index == wave).count()
    }
}

fn rank(plan: &WavePlan, release: &Digest, tenant: &TenantName) -> Digest {
    let salt: &[u8] = if plan.shuffle { release.as_bytes() } else { &[] };
    Digest::of_parts([salt, tenant.as_str().as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::tests::fleet;
    use proptest::prelude::*;

    fn plan_of(waves: &str, tenants: usize) -> (WavePlan, Vec<std::sync::Arc<Tenant>>) {
        let desired = fleet(waves, tenants, "1");
        let plan = desired.fleet.rollout.clone().expect("a plan");
        (WavePlan::clone(&plan), desired.tenants.values().cloned().collect())
    }

    fn divided(plan: &WavePlan, release: &str, tenants: &[std::sync::Arc<Tenant>]) -> Membership {
        Membership::of(plan, &Digest::of(release.as_bytes()), tenants.iter().map(|one| &**one))
    }

    const THREE: &str = "waves: [{ name: canary, selector: { matchLabels: { ring: canary } } }, \
                         { name: tenth, percent: 10 }, { name: all }]";

    proptest! {
        #[test]
        fn every_tenant_goes_with_one_wave_and_shares_are_of_all(count in 1_usize..60) {
            let (plan, tenants) = plan_of(THREE, count);
            let found = divided(&plan, "a", &tenants);
            let counts: Vec<usize> = (0..3).map(|wave| found.count(wave)).collect();
            prop_assert_eq!(counts.iter().sum::<usize>(), count);
            prop_assert_eq!(counts[0], count / 3);
            prop_assert_eq!(counts[1], count.div_ceil(10).min(count - counts[0]));
            prop_assert!(found.left_over.is_empty() && found.twice.is_empty());
        }

        #[test]
        fn the_same_tenants_lead_at_each_release_and_when_others_come(count in 2_usize..60) {
            let (plan, tenants) = plan_of("waves: [{ name: half, percent: 50 }, { name: all }]", count);
            let found = divided(&plan, "a", &tenants);
            prop_assert_eq!(&found, &divided(&plan, "b", &tenants));
            // One tenant less moves no more than one tenant to another wave.
            let fewer = divided(&plan, "a", &tenants[..count - 1]);
            let moved = tenants[..count - 1]
                .iter()
                .filter(|one| found.wave_of(&one.name) != fewer.wave_of(&one.name));
            prop_assert!(moved.count() <= 1);
        }
    }

    #[test]
    fn shuffled_waves_are_led_by_others_at_another_release() {
        let half = "shuffle: true, waves: [{ name: half, percent: 50 }, { name: all }]";
        let (plan, tenants) = plan_of(half, 40);
        let release = |name| divided(&plan, name, &tenants);
        assert_ne!(release("a"), release("b"));
        assert_eq!(release("a"), release("a"));
    }
}
