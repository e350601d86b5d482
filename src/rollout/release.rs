//! A release: everything that a service is made of, and that is not in a Tenant document.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::desired::{Desired, Wanted};
use crate::fleet::{Fleet, Service, StackPolicy, Tenant, Text};
use crate::ids::{Digest, ServiceName};
use crate::package::PackageBody;
use crate::rollout::inputs::{Overlay, gives};

/// What a release is made of, as the journal keeps it: git history may be rewritten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseBody {
    /// The template as it is in git, but for what it points to.
    pub template: String,
    /// What it points to, and the templates of nested stacks.
    #[serde(default, skip_serializing_if = "PackageBody::is_empty")]
    pub package: PackageBody,
    /// Parameters of the service, without those that are hidden.
    pub parameters: BTreeMap<String, Text>,
    /// Tags of the service.
    pub tags: BTreeMap<String, Text>,
    /// Acknowledged capabilities.
    pub capabilities: Vec<String>,
    /// Whether the stacks refuse to be deleted.
    pub termination_protection: bool,
    /// The stack policy in canonical form.
    pub stack_policy: Option<String>,
    /// Parameters of the fleet that the template declares and the service does not give.
    pub fleet_parameters: BTreeMap<String, Text>,
    /// Tags of the fleet that the service does not replace.
    pub fleet_tags: BTreeMap<String, Text>,
    /// Services whose outputs are those of the home region: it changes what parameters mean.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub depends_on_home: BTreeSet<ServiceName>,
    /// The names of stacks that exist already and are taken over with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<Text>,
    /// Which inputs of tenants go with it, where many changed theirs together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenants: Option<Digest>,
    /// Parameters that the template declares as NoEcho: their values are in no journal.
    pub hidden: BTreeSet<String>,
    /// The hidden values, as long as the process lives.
    #[serde(skip)]
    secrets: Secrets,
}

/// Values of NoEcho parameters: of the service, and of the fleet.
#[derive(Clone, Default, PartialEq, Eq)]
struct Secrets {
    of_service: BTreeMap<String, Text>,
    of_fleet: BTreeMap<String, Text>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

/// A release joined with the documents of today, ready to be given to stacks.
#[derive(Clone, Debug)]
pub struct Release {
    /// The hash of its body.
    pub id: Digest,
    /// Today's service with the inputs of the release.
    service: Arc<Service>,
    /// Today's fleet with the parameters and tags of the release.
    fleet: Arc<Fleet>,
    /// NoEcho parameters whose values at this release nobody knows any more: today's stand for them,
    /// and count as those that the stacks have.
    guessed: BTreeSet<String>,
    /// What tenants gave otherwise.
    former: Arc<Overlay>,
    /// Services whose outputs its inputs use.
    uses: BTreeSet<ServiceName>,
    /// Whether it is what git says now.
    is_head: bool,
}

impl ReleaseBody {
    /// What git says of a service, with these inputs of its tenants.
    pub fn of(fleet: &Fleet, service: &Service, tenants: Option<Digest>) -> Self {
        let declared = service.template.parameters();
        let given = |name: &String| declared.contains_key(name);
        let fleet_parameters = fleet
            .parameters
            .iter()
            .filter(|(name, _)| given(name) && !service.parameters.contains_key(*name));
        let fleet_tags = fleet.tags.iter().filter(|(key, _)| !service.tags.contains_key(*key));
        let owned = |(name, text): (&String, &Text)| (name.clone(), text.clone());
        let is_hidden = |name: &String| declared.get(name).is_some_and(|one| one.no_echo);
        let split = |values: BTreeMap<String, Text>| -> (BTreeMap<_, _>, BTreeMap<_, _>) {
            values.into_iter().partition(|(name, _)| !is_hidden(name))
        };
        let (parameters, of_service) = split(service.parameters.clone());
        let (fleet_parameters, of_fleet) = split(fleet_parameters.map(owned).collect());
        let hidden = of_service.keys().chain(of_fleet.keys()).cloned().collect();
        Self {
            template: service.template.body().to_owned(),
            package: PackageBody::of(&service.package),
            parameters,
            hidden,
            secrets: Secrets { of_service, of_fleet },
            tags: service.tags.clone(),
            capabilities: service.capabilities.clone(),
            termination_protection: service.termination_protection,
            stack_policy: service.stack_policy.as_ref().map(|policy| policy.body.clone()),
            fleet_parameters,
            fleet_tags: fleet_tags.map(owned).collect(),
            depends_on_home: BTreeSet::clone(&service.depends_on_home),
            adopt: service.adopt.as_ref().map(|adoption| adoption.pattern.clone()),
            tenants,
        }
    }

    /// Whether something is hidden that this process does not know.
    pub(super) fn misses_secrets(&self) -> bool {
        self.hidden.iter().any(|name| !self.knows(name))
    }

    /// Whether this process knows what a hidden parameter is.
    fn knows(&self, name: &str) -> bool {
        let Secrets { of_service, of_fleet } = &self.secrets;
        of_service.contains_key(name) || of_fleet.contains_key(name)
    }

    /// Values with the hidden ones: those that are known, or today's.
    fn with_hidden(
        &self,
        values: &BTreeMap<String, Text>,
        secrets: &BTreeMap<String, Text>,
        today: &BTreeMap<String, Text>,
    ) -> BTreeMap<String, Text> {
        let mut values = values.clone();
        for name in &self.hidden {
            let value = secrets.get(name).or_else(|| today.get(name));
            values.extend(value.map(|value| (name.clone(), value.clone())));
        }
        values
    }
}

/// The hash of what git says of a service. Comments and the order of a template do not matter.
fn id(fleet: &Fleet, service: &Service, tenants: Option<Digest>) -> Digest {
    let template = service.template.digest();
    // The digest of the template has the contents of all that it points to in it.
    let (template_text, package) = (String::new(), PackageBody::default());
    let body = ReleaseBody::of(fleet, service, tenants);
    let body = ReleaseBody { template: template_text, package, ..body };
    // Maps of text with text for keys always serialise.
    let rest = serde_json::to_vec(&body).unwrap_or_default();
    let Secrets { of_service, of_fleet } = &body.secrets;
    let secrets = serde_json::to_vec(&[of_service, of_fleet]).unwrap_or_default();
    Digest::of_parts([template.as_bytes() as &[u8], &rest, &secrets])
}

/// The hash that a reviewed plan names a release by: of what its stacks are made of, without what
/// tenants give and without secrets, so that it is the same after a restart.
pub fn reviewed_as(fleet: &Fleet, service: &Service) -> Digest {
    let body = ReleaseBody {
        template: String::new(),
        package: PackageBody::default(),
        termination_protection: false,
        adopt: None,
        ..ReleaseBody::of(fleet, service, None)
    };
    // Maps of text with text for keys always serialise.
    let rest = serde_json::to_vec(&body).unwrap_or_default();
    // A plan of one fleet says nothing about another.
    let (fleet, template) = (fleet.name.as_str().as_bytes(), service.template.digest());
    Digest::of_parts([fleet, template.as_bytes() as &[u8], &rest])
}

impl Release {
    /// What git says of a service now, with these inputs of its tenants.
    pub fn head(desired: &Desired, service: &Arc<Service>, tenants: Option<Digest>) -> Self {
        Self {
            id: id(&desired.fleet, service, tenants),
            service: Arc::clone(service),
            fleet: Arc::clone(&desired.fleet),
            guessed: BTreeSet::new(),
            former: Arc::default(),
            uses: BTreeSet::new(),
            is_head: true,
        }
    }

    /// An earlier release on top of what git says now, with what tenants gave otherwise; `None` when
    /// its body cannot be read any more.
    pub(super) fn earlier(
        id: Digest,
        body: &ReleaseBody,
        desired: &Desired,
        today: &Service,
        former: Arc<Overlay>,
    ) -> Option<Self> {
        let package = Arc::new(body.package.with(&body.template)?);
        let policy = match &body.stack_policy {
            Some(text) => Some(Arc::new(StackPolicy::parse(text).ok()?)),
            None => None,
        };
        let texts = body.parameters.values().chain(body.tags.values());
        let texts = texts.chain(body.fleet_parameters.values());
        let service = Service {
            template: Arc::clone(&package.template),
            package,
            parameters: body.with_hidden(
                &body.parameters,
                &body.secrets.of_service,
                &today.parameters,
            ),
            tags: body.tags.clone(),
            capabilities: body.capabilities.clone(),
            // Whoever protects a stack now does not want it unprotected by what it had before.
            termination_protection: body.termination_protection || today.termination_protection,
            stack_policy: policy,
            depends_on_home: Arc::new(body.depends_on_home.clone()),
            ..today.clone()
        };
        let fleet = Fleet {
            parameters: body.with_hidden(
                &body.fleet_parameters,
                &body.secrets.of_fleet,
                &desired.fleet.parameters,
            ),
            tags: body.fleet_tags.clone(),
            ..Fleet::clone(&desired.fleet)
        };
        let guessed = body.hidden.iter().filter(|name| !body.knows(name)).cloned();
        Some(Self {
            id,
            guessed: guessed.collect(),
            former,
            uses: texts.flat_map(Text::services_used).cloned().collect(),
            service: Arc::new(service),
            fleet: Arc::new(fleet),
            is_head: false,
        })
    }

    /// Whether nobody knows any more what this parameter of a tenant was at this release.
    pub fn is_guessed(&self, tenant: &Tenant, parameter: &str) -> bool {
        let former = self.former.get(&tenant.name);
        let is_own = || gives(tenant, &self.service.name, parameter);
        former.is_some_and(|former| former.is_guessed(parameter))
            || (self.guessed.contains(parameter) && !is_own())
    }

    /// Whether nobody knows any more what a parameter was that its template does not hide: nothing
    /// new is made with a secret in its place.
    pub fn lacks_something(&self, tenant: &Tenant) -> bool {
        let mut declared = self.service.template.parameters().iter();
        declared.any(|(name, one)| !one.no_echo && self.is_guessed(tenant, name))
    }

    /// The service as this release has it.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// The fleet as this release has it.
    pub fn fleet(&self) -> &Arc<Fleet> {
        &self.fleet
    }

    /// The stack as this release wants it.
    pub fn wanted<'a>(&self, wanted: &'a Wanted) -> Cow<'a, Wanted> {
        if self.is_head {
            return Cow::Borrowed(wanted);
        }
        let service = &self.service.name;
        let former = self.former.get(&wanted.tenant.name);
        let then = former.map(|former| Arc::new(former.on(&wanted.tenant, service)));
        let is_home = wanted.tenant.home().as_ref() == Some(&wanted.key.target);
        let home = &self.service.depends_on_home;
        let depends_on = wanted.depends_on.union(&self.uses);
        let depends_on = depends_on.filter(|name| is_home || !home.contains(*name)).cloned();
        Cow::Owned(Wanted {
            service: Arc::clone(&self.service),
            tenant: then.unwrap_or_else(|| Arc::clone(&wanted.tenant)),
            depends_on: Arc::new(depends_on.collect()),
            depends_on_home: if is_home { Arc::default() } else { Arc::clone(home) },
            ..wanted.clone()
        })
    }
}
