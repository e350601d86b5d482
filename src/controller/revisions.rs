//! Which revision is converged: the newest good one. One with an error is refused as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::check;
use crate::desired::{Desired, Wanted};
use crate::fleet::Finding;
use crate::ids::{ServiceName, Target, TenantName};
use crate::package::Packaged;
use crate::snapshot::Snapshot;

/// A snapshot after all checks.
pub struct Checked {
    /// What it wants; `None` when an error refuses it.
    pub desired: Option<Desired>,
    /// All that is wrong with it, warnings too.
    pub findings: Vec<Finding>,
}

/// Loads, joins and checks a snapshot. Pure.
pub fn checked(snapshot: &Snapshot) -> Checked {
    checked_after(&Packaged::default(), snapshot)
}

/// The same after an earlier snapshot: what did not change is not packaged again. Pure.
pub fn checked_after(before: &Packaged, snapshot: &Snapshot) -> Checked {
    match check::read_after(before, snapshot) {
        Ok((desired, findings)) => Checked { desired: Some(desired), findings },
        Err(findings) => Checked { desired: None, findings },
    }
}

/// The targets in which something is wanted otherwise than before: a commit that touches one
/// tenant wakes one tenant.
pub fn changed_targets(old: &Desired, new: &Desired) -> BTreeSet<Target> {
    let all = || old.stacks.keys().chain(new.stacks.keys()).cloned();
    // What a look at a home region has to find out depends on who needs something there.
    let is_same_home = old.needed_at_home == new.needed_at_home;
    if !is_same_home || !old.fleet.source.is_same(&new.fleet.source) {
        return all().collect();
    }
    let changes = Changes {
        tenants: differing(&old.tenants, &new.tenants, |a, b| a.source.is_same(&b.source)),
        services: differing(&old.services, &new.services, |a, b| {
            a.source.is_same(&b.source)
                && a.template.body() == b.template.body()
                && a.stack_policy == b.stack_policy
        }),
    };
    let none = BTreeMap::new();
    all()
        .filter(|target| {
            let before = old.stacks.get(target).unwrap_or(&none);
            let after = new.stacks.get(target).unwrap_or(&none);
            before.len() != after.len()
                || before.keys().ne(after.keys())
                || after.values().any(|wanted| changes.touch(wanted))
        })
        .collect()
}

struct Changes {
    tenants: BTreeSet<TenantName>,
    services: BTreeSet<ServiceName>,
}

impl Changes {
    fn touch(&self, wanted: &Wanted) -> bool {
        self.tenants.contains(&wanted.tenant.name) || self.services.contains(&wanted.service.name)
    }
}

fn differing<K: Ord + Clone, V>(
    old: &BTreeMap<K, Arc<V>>,
    new: &BTreeMap<K, Arc<V>>,
    same: impl Fn(&V, &V) -> bool,
) -> BTreeSet<K> {
    let names = old.keys().chain(new.keys());
    let differs = |name: &&K| match (old.get(*name), new.get(*name)) {
        (Some(old), Some(new)) => !same(old, new),
        (_, _) => true,
    };
    names.filter(differs).cloned().collect()
}
