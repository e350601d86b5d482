//! Which part of the fleet is converged, when it is not all of it.

use std::collections::BTreeSet;

use crate::ids::{ServiceName, TenantName};

/// A part of the fleet. An empty set is no bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    /// Only the accounts of these tenants are looked at.
    pub tenants: BTreeSet<TenantName>,
    /// Only stacks of these services are changed.
    pub services: BTreeSet<ServiceName>,
    /// Resources are touched as approved plans allow only, whether the fleet requires that or not.
    pub planned: bool,
}

impl Only {
    /// Whether stacks of this service are changed; one of no known service only without a bound.
    pub fn has(&self, service: Option<&ServiceName>) -> bool {
        self.services.is_empty() || service.is_some_and(|name| self.services.contains(name))
    }
}
