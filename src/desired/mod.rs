//! Who gets what and where: tenants joined with services.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::fleet::{Documents, Exception, Finding, Fleet, Service, Tenant};
use crate::ids::{AccountId, Revision, ServiceName, StackKey, StackName, Target, TenantName};

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
}

impl Desired {
    /// Joins the documents of one revision.
    pub fn of(revision: Revision, documents: Documents) -> (Self, Vec<Finding>) {
        let Documents { fleet, tenants, services, .. } = documents;
        let fleet = Arc::new(fleet);
        (Self { revision, fleet, tenants, services, stacks: BTreeMap::new() }, Vec::new())
    }

    /// The tenant that owns an account.
    pub fn tenant_of(&self, account: &AccountId) -> Option<&Arc<Tenant>> {
        self.tenants.values().find(|tenant| tenant.account == *account)
    }

    /// The role to assume in a target; the target may be one that nobody wants any more.
    pub fn role_arn(&self, target: &Target) -> String {
        target.to_string()
    }

    /// The external id to assume it with.
    pub fn external_id(&self) -> Option<&str> {
        self.fleet.access.external_id.as_deref()
    }

    /// The wanted stack of this key.
    pub fn wanted(&self, key: &StackKey) -> Option<&Wanted> {
        self.stacks.get(&key.target)?.get(&key.name)
    }

    /// All targets that tenants have, sorted.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.stacks.keys()
    }

    /// How many stacks there are, those asked to go too.
    pub fn stack_count(&self) -> usize {
        self.stacks.values().map(BTreeMap::len).sum()
    }
}
