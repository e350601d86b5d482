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
