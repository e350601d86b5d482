//! Who gets what and where: tenants joined with services.

mod join;
mod scope;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::fleet::{Exception, Fleet, Gaps, Service, Tenant, Text};
use crate::ids::{AccountId, Revision, ServiceName, StackKey, StackName, Target, TenantName};

pub use scope::{Hole, Origin, Scope};

/// All that one revision wants.
#[derive(Clone, Debug)]
pub struct Desired {
    /// Where it was read from.
    pub revision: Revision,
    /// The Fleet document.
    pub fleet: Arc<Fleet>,
    /// All tenants, offboarded ones too.
    pub tenants: BTreeMap<TenantName, Arc<Tenant>>,
    /// All services.
    pub services: BTreeMap<ServiceName, Arc<Service>>,
    /// Wanted stacks by target. Every region of every tenant is a target, without stacks too.
    pub stacks: BTreeMap<Target, BTreeMap<StackName, Wanted>>,
    /// What is missing because of errors; empty in a revision that is acted on.
    pub gaps: Gaps,
    by_account: BTreeMap<AccountId, Arc<Tenant>>,
}

/// One wanted stack, with holes where another stack's output goes; `plan::render` fills them.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where it stands and what it is called.
    pub key: StackKey,
    /// Whose it is.
    pub tenant: Arc<Tenant>,
    /// What it is.
    pub service: Arc<Service>,
    /// The tenant is offboarded, or says `absent` of this service: the stack is deleted.
    pub asked_to_go: bool,
    /// The document that stops new steps here, such as `Tenant acme`.
    pub suspended: Option<String>,
    /// What must be complete before in the same target: the service's own and what fleet, tenant
    /// and exception add.
    pub depends_on: Arc<BTreeSet<ServiceName>>,
}

impl Wanted {
    /// What the tenant has otherwise.
    pub fn exception(&self) -> Option<&Exception> {
        self.tenant.services.get(&self.service.name)
    }

    /// The parameters that are given explicitly, with where each value comes from: those that the
    /// template declares, from the first of exception, tenant, service and fleet that has them.
    pub fn parameters<'a>(
        &'a self,
        fleet: &'a Fleet,
    ) -> impl Iterator<Item = (&'a str, Origin, &'a Text)> {
        scope::parameters(fleet, &self.tenant, &self.service)
    }

    /// Its tags without those of ownership: the fleet's, over them the service's.
    pub fn tags<'a>(&'a self, fleet: &'a Fleet) -> impl Iterator<Item = (&'a str, &'a Text)> {
        let own = &self.service.tags;
        let inherited = fleet.tags.iter().filter(|(key, _)| !own.contains_key(*key));
        inherited.chain(own).map(|(key, text)| (key.as_str(), text))
    }
}

impl Desired {
    /// The tenant that owns an account.
    pub fn tenant_of(&self, account: &AccountId) -> Option<&Arc<Tenant>> {
        self.by_account.get(account)
    }

    /// The role to assume in a target; the target may be one that nobody wants any more.
    pub fn role_arn(&self, target: &Target) -> String {
        let scope = Scope { fleet: &self.fleet, target, tenant: None, service: None };
        let role = &self.fleet.access.role_arn;
        // A role with other variables than these is refused when the document is read.
        scope.resolve(role, &|_, _| None).unwrap_or_else(|_| role.to_string())
    }

    /// The external id to assume it with.
    pub fn external_id(&self) -> Option<&str> {
        self.fleet.access.external_id.as_deref()
    }

    /// The wanted stack of this key.
    pub fn wanted(&self, key: &StackKey) -> Option<&Wanted> {
        self.stacks.get(&key.target)?.get(&key.name)
    }

    /// All wanted stacks, sorted by target and name.
    pub fn all_wanted(&self) -> impl Iterator<Item = &Wanted> {
        self.stacks.values().flat_map(BTreeMap::values)
    }

    /// All targets that tenants have, sorted.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.stacks.keys()
    }

    /// How many stacks there are, those asked to go too.
    pub fn stack_count(&self) -> usize {
        self.stacks.values().map(BTreeMap::len).sum()
    }

    /// What variables stand for in one wanted stack.
    pub fn scope<'a>(&'a self, wanted: &'a Wanted) -> Scope<'a> {
        Scope {
            fleet: &self.fleet,
            target: &wanted.key.target,
            tenant: Some(&wanted.tenant),
            service: Some(&wanted.service.name),
        }
    }
}
