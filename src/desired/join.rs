//! Joins tenants with services into wanted stacks, with the findings that this shows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::desired::scope::parameters;
use crate::desired::{Desired, Hole, Scope, Wanted};
use crate::fleet::{
    Complaint, Documents, Exception, Finding, Fleet, Gathering, Lifecycle, Service, ServiceRegions,
    Severity, Source, Tenant, Text,
};
use crate::ids::{Region, Revision, ServiceName, StackKey, StackName, Target};

/// Stacks of a fleet: eight times what driftless is made for, in about 2 GB.
const MAX_STACKS: usize = 1_000_000;

impl Desired {
    /// Joins the documents of one revision. A stack that cannot stand, because of its region or its
    /// name, is left out and reported; findings are sorted.
    pub fn of(revision: Revision, documents: Documents) -> (Self, Vec<Finding>) {
        Self::within(MAX_STACKS, revision, documents)
    }

    pub(super) fn within(
        limit: usize,
        revision: Revision,
        documents: Documents,
    ) -> (Self, Vec<Finding>) {
        let Documents { fleet, tenants, services, gaps, packaged } = documents;
        let by_account = tenants.values().map(|tenant| (tenant.account, Arc::clone(tenant)));
        let mut joining = Joining {
            fleet: &fleet,
            nothing: Arc::default(),
            fleet_adds: fleet.parameters.values().any(uses_outputs),
            stacks: BTreeMap::new(),
            room: limit,
            findings: Gathering::default(),
        };
        for tenant in tenants.values() {
            joining.tenant(tenant, &services);
        }
        if joining.room == 0 {
            joining.too_many(limit);
        }
        let Joining { stacks, findings, .. } = joining;
        let by_account = by_account.collect();
        let fleet = Arc::new(fleet);
        let needed_at_home =
            services.values().flat_map(|service| service.depends_on_home.iter().cloned()).collect();
        let desired = Self {
            revision,
            fleet,
            tenants,
            services,
            stacks,
            needed_at_home,
            gaps,
            packaged,
            by_account,
        };
        (desired, findings.into_findings())
    }
}

struct Joining<'f> {
    fleet: &'f Fleet,
    /// Whether parameters of the fleet make services depend on others.
    fleet_adds: bool,
    /// Shared by all who need nothing.
    nothing: Arc<BTreeSet<ServiceName>>,
    stacks: BTreeMap<Target, BTreeMap<StackName, Wanted>>,
    /// How many more stacks there may be.
    room: usize,
    findings: Gathering,
}

/// What one tenant gets of one service.
struct Share<'a> {
    tenant: &'a Arc<Tenant>,
    service: &'a Arc<Service>,
    exception: Option<&'a Exception>,
    asked_to_go: bool,
}

/// Where something is written.
type Written<'a> = (&'a Source, Vec<&'a str>);

impl Joining<'_> {
    fn tenant(&mut self, tenant: &Arc<Tenant>, services: &BTreeMap<ServiceName, Arc<Service>>) {
        let going = tenant.lifecycle == Lifecycle::Offboarded;
        for (index, region) in tenant.regions.iter().enumerate() {
            let index = index.to_string();
            let written = (&tenant.source, vec!["spec", "regions", index.as_str()]);
            if self.may_use(region, going, &written) {
                self.stacks.entry(target(tenant, region)).or_default();
            }
        }
        for service in services.values().filter(|service| service.selector.matches(&tenant.labels))
        {
            let exception = tenant.services.get(&service.name);
            let absent = exception.is_some_and(|exception| exception.absent);
            self.share(&Share { tenant, service, exception, asked_to_go: going || absent });
        }
    }

    /// Whether stacks may stand in a region; a retired one holds only those that are going.
    fn may_use(&mut self, region: &Region, going: bool, written: &Written<'_>) -> bool {
        let (message, help) = match self.fleet.regions.get(region) {
            Some(false) => return true,
            Some(true) if going => return true,
            Some(true) => (
                format!("the region `{region}` is retired"),
                "remove it here: its stacks are then treated as `onRemoval` says".to_owned(),
            ),
            None => (
                format!("the fleet has no region `{region}`"),
                format!("use one of the Fleet document's, or add it there: {}", self.regions()),
            ),
        };
        self.complain(written, "unknown-region", Some(help), None, message);
        false
    }

    fn regions(&self) -> String {
        let usable = self.fleet.regions.iter().filter(|(_, retired)| !**retired);
        usable.map(|(region, _)| region.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn share(&mut self, share: &Share<'_>) {
        let Share { tenant, service, exception, asked_to_go } = *share;
        let listed = match (exception.and_then(|it| it.regions.as_ref()), &service.regions) {
            (Some(regions), _) => {
                let pointer = vec!["spec", "services", service.name.as_str(), "regions"];
                Some((regions, (&tenant.source, pointer)))
            }
            (None, ServiceRegions::Listed(regions)) => {
                Some((regions, (&service.source, vec!["spec", "regions"])))
            }
            (None, ServiceRegions::Tenant | ServiceRegions::Home) => None,
        };
        if let Some((regions, (source, pointer))) = listed {
            for (index, region) in regions.iter().enumerate() {
                let index = index.to_string();
                let written = (source, [&pointer[..], &[index.as_str()]].concat());
                if self.may_use(region, asked_to_go, &written) {
                    self.stack(share, region);
                }
            }
            return;
        }
        let count = if service.regions == ServiceRegions::Home { 1 } else { usize::MAX };
        for region in tenant.regions.iter().take(count) {
            // Where the tenant may not use a region, that was reported once at the tenant.
            let usable =
                self.fleet.regions.get(region).is_some_and(|retired| !retired || asked_to_go);
            if usable {
                self.stack(share, region);
            }
        }
    }

    fn too_many(&mut self, limit: usize) {
        let help = "divide the tenants among several fleets".to_owned();
        let message =
            format!("the services give {limit} stacks or more; fewer is what a fleet may have");
        let written: Written<'_> = (&self.fleet.source, vec!["spec"]);
        self.complain(&written, "too-many-stacks", Some(help), None, message);
    }

    fn stack(&mut self, share: &Share<'_>, region: &Region) {
        if self.room == 0 {
            return;
        }
        let target = target(share.tenant, region);
        let Some(name) = self.stack_name(share, &target) else { return };
        let Share { tenant, service, asked_to_go, .. } = *share;
        let is_home = tenant.home().as_ref() == Some(&target);
        let stacks = self.stacks.entry(target.clone()).or_default();
        if let Some(other) = stacks.get(&name) {
            let message = format!(
                "the services `{}` and `{}` both have the stack `{name}` in {target}",
                other.service.name, service.name
            );
            let (written, whom) = name_written(share);
            let help = Some("give one of them another `stackName`".to_owned());
            let whom = whom.then_some(tenant.name.as_str());
            return self.complain(&written, "duplicate-stack", help, whom, message);
        }
        let wanted = Wanted {
            key: StackKey { target, name: name.clone() },
            tenant: Arc::clone(tenant),
            service: Arc::clone(service),
            asked_to_go,
            suspended: suspended(self.fleet, share),
            depends_on: depends_on(self.fleet, self.fleet_adds, share, region, is_home),
            depends_on_home: Arc::clone(if is_home {
                &self.nothing
            } else {
                &service.depends_on_home
            }),
        };
        stacks.insert(name, wanted);
        self.room -= 1;
    }

    fn stack_name(&mut self, share: &Share<'_>, target: &Target) -> Option<StackName> {
        let text = stack_name_text(share);
        let tenant: &Tenant = share.tenant;
        let service = Some(&share.service.name);
        let scope = Scope { fleet: self.fleet, target, tenant: Some(tenant), service };
        let (message, help) = match scope.resolve(text, &|_, _| None) {
            Ok(name) => match name.parse::<StackName>() {
                Ok(name) => return Some(name),
                Err(error) => {
                    let (message, help) = error.parts();
                    (message.to_owned(), help.to_owned())
                }
            },
            Err(Hole::Label(label)) => (
                format!("the tenant has no label `{label}`"),
                format!("add the label `{label}` to the tenant, or use another variable"),
            ),
            Err(Hole::Output { .. } | Hole::OutOfScope(_)) => (
                "a stack name cannot use outputs of stacks".to_owned(),
                "use other variables".to_owned(),
            ),
        };
        let (written, whom) = name_written(share);
        let whom = whom.then_some(tenant.name.as_str());
        self.complain(&written, "bad-stack-name", Some(help), whom, message);
        None
    }

    fn complain(
        &mut self,
        (source, pointer): &Written<'_>,
        code: &'static str,
        help: Option<String>,
        tenant: Option<&str>,
        message: String,
    ) {
        let whom = tenant.map(|tenant| format!("tenant `{tenant}`"));
        let severity = Severity::Error;
        let complaint =
            Complaint { source, pointer, code, at_key: false, subject: "", severity, help };
        self.findings.add(complaint, whom.as_deref(), message);
    }
}

fn target(tenant: &Tenant, region: &Region) -> Target {
    Target { account: tenant.account, region: region.clone() }
}

fn stack_name_text<'a>(share: &Share<'a>) -> &'a Text {
    let own = share.exception.and_then(|exception| exception.stack_name.as_ref());
    own.unwrap_or(&share.service.stack_name)
}

/// Where the stack's name is written, and whether that place is shared by many tenants.
fn name_written<'a>(share: &Share<'a>) -> (Written<'a>, bool) {
    let service = share.service.name.as_str();
    if share.exception.is_some_and(|exception| exception.stack_name.is_some()) {
        let pointer = vec!["spec", "services", service, "stackName"];
        return ((&share.tenant.source, pointer), false);
    }
    ((&share.service.source, vec!["spec", "stackName"]), true)
}

fn suspended(fleet: &Fleet, share: &Share<'_>) -> Option<String> {
    let Share { tenant, service, exception, .. } = *share;
    if fleet.suspend {
        Some(format!("Fleet {}", fleet.name))
    } else if service.suspend {
        Some(format!("Service {}", service.name))
    } else if tenant.suspend || exception.is_some_and(|exception| exception.suspend) {
        Some(format!("Tenant {}", tenant.name))
    } else {
        None
    }
}

fn uses_outputs(text: &Text) -> bool {
    text.services_used().next().is_some()
}

/// The service's own dependencies in the same target, shared, unless other documents add some.
fn depends_on(
    fleet: &Fleet,
    fleet_adds: bool,
    share: &Share<'_>,
    region: &Region,
    is_home: bool,
) -> Arc<BTreeSet<ServiceName>> {
    let Share { tenant, service, exception, .. } = *share;
    let own = if is_home { &service.home_depends_on } else { &service.depends_on };
    let adds = fleet_adds
        || tenant.parameters.values().any(uses_outputs)
        || exception.is_some_and(|one| one.all_parameters().any(|(_, _, text)| uses_outputs(text)));
    if !adds {
        return Arc::clone(own);
    }
    let used =
        parameters(fleet, tenant, service, region).flat_map(|(_, _, text)| text.services_used());
    let used = used.filter(|name| is_home || !service.depends_on_home.contains(*name));
    let mut depends_on = (**own).clone();
    depends_on.extend(used.cloned());
    if depends_on == **own {
        return Arc::clone(own);
    }
    Arc::new(depends_on)
}
