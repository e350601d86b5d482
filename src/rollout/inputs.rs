//! What tenants give of their own, and how it was before many of them changed it at once: such a
//! change goes through the waves, so that each stack keeps the old inputs until its wave.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::desired::{Desired, Scope, Wanted};
use crate::fleet::{Exception, Service, Tenant, Text};
use crate::ids::{Digest, Region, ServiceName, TenantName};
use crate::rollout::Release;
use crate::template::Template;

/// So many tenants of a service may change their own inputs with one revision without waves.
const AT_ONCE: usize = 10;
/// Or this share of them, where that is more.
const AT_ONCE_PERCENT: usize = 1;

/// The tenants' own inputs of one service through its releases.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantInputs {
    /// Which inputs are those of today; none where tenants never changed them together.
    today: Option<Digest>,
    /// What was otherwise in earlier ones.
    before: BTreeMap<String, Arc<Overlay>>,
}

/// What some tenants gave before.
pub(super) type Overlay = BTreeMap<TenantName, Former>;

/// What one tenant gave otherwise; nothing is said of what it gives today as well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Former {
    parameters: BTreeMap<String, Option<Text>>,
    exception: BTreeMap<String, Option<Text>>,
    /// What the exception gave in single regions; nothing is said where it gave and gives none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    regions: BTreeMap<String, BTreeMap<Region, Text>>,
    labels: BTreeMap<String, Option<String>>,
    /// Parameters that a template declares as NoEcho: no journal knows what they were.
    hidden: BTreeSet<String>,
    #[serde(skip)]
    secrets: Secrets,
}

/// Former values of hidden parameters.
#[derive(Clone, Default, PartialEq, Eq)]
struct Secrets(BTreeMap<String, Own>);

/// What a tenant itself gives for a parameter of a service.
#[derive(Clone, Default, PartialEq, Eq)]
struct Own {
    tenant: Option<Text>,
    exception: Option<Text>,
    regions: BTreeMap<Region, Text>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

/// A tenant that gives a service something else than before.
pub(super) struct Changed {
    old: Arc<Tenant>,
    /// One of its stacks as it is wanted now.
    now: Wanted,
}

/// The tenants that give one of these releases of a service something else than they gave before.
pub(super) fn changed<'a>(
    pairs: impl Iterator<Item = (&'a Arc<Tenant>, &'a Wanted)>,
    releases: &[Arc<Release>],
) -> BTreeMap<TenantName, Changed> {
    let mut found = BTreeMap::new();
    // Of a whole fleet most say the same in the same words, which is quickly seen.
    for (old, now) in pairs.filter(|(old, now)| !says_the_same(old, now)) {
        if !found.contains_key(&old.name) && !gives_the_same(old, now, releases) {
            found.insert(old.name.clone(), Changed { old: Arc::clone(old), now: now.clone() });
        }
    }
    found
}

/// Whether a stack of each release is the same with that document of its tenant.
fn gives_the_same(then: &Arc<Tenant>, now: &Wanted, releases: &[Arc<Release>]) -> bool {
    releases.iter().all(|one| given(one, now, then) == given(one, now, &now.tenant))
}

/// Whether a tenant's document says the same to a service as before.
fn says_the_same(old: &Tenant, now: &Wanted) -> bool {
    let says_nothing = |one: &Exception| {
        one.parameters.is_empty() && one.per_region.values().all(BTreeMap::is_empty)
    };
    let is_own_same = match (old.services.get(&now.service.name), now.exception()) {
        (Some(then), Some(now)) => {
            then.parameters == now.parameters && then.per_region == now.per_region
        }
        (Some(one), None) | (None, Some(one)) => says_nothing(one),
        (None, None) => true,
    };
    is_own_same && old.parameters == now.tenant.parameters && old.labels == now.tenant.labels
}

/// How many of so many tenants may change what they give a service without waves.
fn few(tenants: usize) -> usize {
    AT_ONCE.max(tenants * AT_ONCE_PERCENT / 100)
}

/// Whether so many tenants give a service something else than at an earlier revision that it makes a
/// release.
pub fn change_together(old: &Desired, new: &Desired, service: &Arc<Service>) -> bool {
    let stacks = || new.all_standing().filter(|wanted| wanted.service.name == service.name);
    let pairs = stacks().filter_map(|wanted| {
        let before = old.wanted(&wanted.key)?;
        let is_same = before.service.name == service.name
            && before.tenant.name == wanted.tenant.name
            && !before.asked_to_go;
        is_same.then_some((&before.tenant, wanted))
    });
    let tenants: BTreeSet<&TenantName> = stacks().map(|wanted| &wanted.tenant.name).collect();
    let before = old.services.get(&service.name).map(|before| (old, before));
    let heads = before.into_iter().chain([(new, service)]);
    let heads: Vec<_> =
        heads.map(|(said, service)| Arc::new(Release::head(said, service, None))).collect();
    changed(pairs, &heads).len() > few(tenants.len())
}

/// Parameters and tags of a stack at a release with this tenant's document; an output stays as it is
/// written.
fn given(release: &Release, now: &Wanted, tenant: &Arc<Tenant>) -> Vec<(String, Option<String>)> {
    let (fleet, service) = (release.fleet(), Arc::clone(release.service()));
    let wanted = Wanted { tenant: Arc::clone(tenant), service, ..now.clone() };
    let target = &wanted.key.target;
    let service = Some(&wanted.service.name);
    let scope = Scope { fleet, target, tenant: Some(tenant), service };
    let output = |service: &ServiceName, output: &str| Some(format!("{service}.{output}"));
    let parameters = wanted.parameters(fleet).map(|(name, _, text)| (name, text));
    let resolved =
        |(name, text): (&str, &Text)| (name.to_owned(), scope.resolve(text, &output).ok());
    parameters.chain(wanted.tags(fleet)).map(resolved).collect()
}

impl TenantInputs {
    /// Whether there is nothing to remember.
    pub(super) fn is_empty(&self) -> bool {
        self.today.is_none() && self.before.is_empty()
    }

    /// Which inputs are those of today.
    pub(super) fn today(&self) -> Option<Digest> {
        self.today
    }

    /// What tenants gave otherwise at the time of a release.
    pub(super) fn at(&self, then: Option<Digest>) -> Arc<Overlay> {
        let is_today = then == self.today;
        let before = self.before.get(&key(then)).filter(|_| !is_today);
        before.cloned().unwrap_or_default()
    }

    /// These tenants changed their inputs with one revision, in which each has this stack among
    /// others; `releases` are those that stacks may have. More than a few make a release; returns
    /// whether they do. A few take what they changed at once, whatever release they have.
    pub(super) fn follow(
        &mut self,
        changed: &BTreeMap<TenantName, Changed>,
        stacks: &BTreeMap<&TenantName, &Wanted>,
        releases: &[Arc<Release>],
    ) -> bool {
        let few = few(stacks.len());
        let templates: Vec<&Template> =
            releases.iter().map(|one| &*one.service().template).collect();
        let former = |(who, Changed { old, now }): (&TenantName, &Changed)| {
            (who.clone(), Former::of(old, &now.tenant, &now.service.name, &templates))
        };
        let former: Overlay = changed.iter().map(former).collect();
        if changed.len() <= few {
            for overlay in self.before.values_mut() {
                forget(overlay, &former);
            }
            return false;
        }
        self.before.entry(key(self.today)).or_default();
        for overlay in self.before.values_mut() {
            let overlay = Arc::make_mut(overlay);
            for (who, former) in &former {
                overlay.entry(who.clone()).or_default().add(former);
            }
        }
        // Going back, but for a few, is no new release.
        let differs = |(who, former): (&TenantName, &Former)| {
            stacks.get(who).is_some_and(|now| !former.is_given_by(now, releases))
        };
        let is_again = |(then, overlay): &(&String, &Arc<Overlay>)| {
            **then != key(self.today) && overlay.iter().filter(|one| differs(*one)).count() <= few
        };
        let again = self.before.iter().find(is_again).map(|(then, _)| then.clone());
        self.today = match again {
            Some(then) => then.parse().ok(),
            None => Some(self.next(&former, changed)),
        };
        self.before.remove(&key(self.today));
        true
    }

    /// Whether there is something that none of these releases needs.
    pub(super) fn has_more_than(&self, used: &BTreeSet<Option<Digest>>) -> bool {
        self.before.keys().any(|then| !used.iter().any(|one| key(*one) == *then))
    }

    /// Forgets what none of these releases needs.
    pub(super) fn forget_all_but(&mut self, used: &BTreeSet<Option<Digest>>) {
        self.before.retain(|then, _| used.iter().any(|one| key(*one) == *then));
    }

    /// What the inputs of today are called: by what changed, and what was before.
    fn next(&self, former: &Overlay, changed: &BTreeMap<TenantName, Changed>) -> Digest {
        let mut parts = vec![key(self.today).into_bytes()];
        for (who, Changed { now, .. }) in changed {
            let today = former.get(who).map(|former| former.today(&now.tenant, &now.service.name));
            parts.push(who.as_str().as_bytes().to_vec());
            // Maps of text with text for keys always serialise.
            let (both, labels, regions) = today.unwrap_or_default();
            parts.push(serde_json::to_vec(&Some((both, labels))).unwrap_or_default());
            if !regions.is_empty() {
                parts.push(serde_json::to_vec(&regions).unwrap_or_default());
            }
        }
        Digest::of_parts(parts.iter().map(Vec::as_slice))
    }
}

/// These tenants changed something alone: they have it at every release.
fn forget(overlay: &mut Arc<Overlay>, changed: &Overlay) {
    if !changed.keys().any(|who| overlay.contains_key(who)) {
        return;
    }
    Arc::make_mut(overlay).retain(|who, former| {
        changed.get(who).into_iter().for_each(|changed| former.forget(changed));
        *former != Former::default()
    });
}

/// The name of inputs in a map whose keys are text.
fn key(inputs: Option<Digest>) -> String {
    inputs.map_or_else(|| "first".to_owned(), |digest| digest.to_string())
}

type Values = [BTreeMap<String, Option<Text>>; 2];
type RegionalValues = BTreeMap<String, BTreeMap<Region, Text>>;

impl Former {
    /// What `old` gave otherwise than `new` for the parameters that one of the templates declares.
    fn of(old: &Tenant, new: &Tenant, service: &ServiceName, templates: &[&Template]) -> Self {
        let declared: BTreeSet<&String> =
            templates.iter().flat_map(|one| one.parameters().keys()).collect();
        let hides = |template: &&Template, name: &String| {
            template.parameters().get(name).is_some_and(|parameter| parameter.no_echo)
        };
        let mut former = Self::default();
        for name in declared {
            let [then, now] = [old, new].map(|tenant| values(tenant, service, name));
            if then == now {
                continue;
            }
            if templates.iter().any(|template| hides(template, name)) {
                former.hidden.insert(name.clone());
                former.secrets.0.insert(name.clone(), then);
                continue;
            }
            former.parameters.insert(name.clone(), then.tenant);
            former.exception.insert(name.clone(), then.exception);
            if !then.regions.is_empty() || !now.regions.is_empty() {
                former.regions.insert(name.clone(), then.regions);
            }
        }
        let labels = old.labels.keys().chain(new.labels.keys());
        let differs = |label: &&String| old.labels.get(*label) != new.labels.get(*label);
        let then = |label: &String| (label.clone(), old.labels.get(label).cloned());
        former.labels = labels.filter(differs).map(then).collect();
        former
    }

    /// Something changed once more: what it was still earlier stays.
    fn add(&mut self, later: &Self) {
        let Self { parameters, exception, regions, labels, hidden, secrets } = later;
        for (name, secret) in hidden.iter().map(|name| (name, secrets.0.get(name))) {
            if !self.parameters.contains_key(name) && self.hidden.insert(name.clone()) {
                self.secrets.0.extend(secret.map(|secret| (name.clone(), secret.clone())));
            }
        }
        for (name, of_tenant) in parameters {
            if !self.hidden.contains(name) && !self.parameters.contains_key(name) {
                self.parameters.insert(name.clone(), of_tenant.clone());
                let own = exception.get(name).cloned().flatten();
                self.exception.insert(name.clone(), own);
            }
        }
        // Where nothing was said of regions before, they gave then what they gave later.
        for (name, then) in regions.iter().filter(|(name, _)| !self.hidden.contains(*name)) {
            self.regions.entry(name.clone()).or_insert_with(|| then.clone());
        }
        for (label, text) in labels {
            self.labels.entry(label.clone()).or_insert_with(|| text.clone());
        }
    }

    /// What changed alone is no longer otherwise.
    fn forget(&mut self, changed: &Self) {
        for name in changed.parameters.keys().chain(&changed.hidden) {
            self.parameters.remove(name);
            self.exception.remove(name);
            self.regions.remove(name);
            self.hidden.remove(name);
            self.secrets.0.remove(name);
        }
        self.labels.retain(|label, _| !changed.labels.contains_key(label));
    }

    /// The same names with what a tenant gives today.
    fn today(
        &self,
        tenant: &Tenant,
        service: &ServiceName,
    ) -> (Values, Vec<Option<String>>, RegionalValues) {
        let names = self.parameters.keys().chain(&self.hidden);
        let (mut both, mut regional) = (Values::default(), RegionalValues::new());
        for name in names {
            let own = values(tenant, service, name);
            both[0].insert(name.clone(), own.tenant);
            both[1].insert(name.clone(), own.exception);
            if !own.regions.is_empty() {
                regional.insert(name.clone(), own.regions);
            }
        }
        let labels = self.labels.keys().map(|label| tenant.labels.get(label).cloned());
        (both, labels.collect(), regional)
    }

    /// Whether a tenant gives the same again, wherever it is written. The stack is one of several,
    /// so that what is given in single regions must be written alike.
    fn is_given_by(&self, now: &Wanted, releases: &[Arc<Release>]) -> bool {
        let then = Arc::new(self.on(&now.tenant, &now.service.name));
        let is_known = |name: &String| !self.is_guessed(name);
        let is_same_in_regions = |(name, then): (&String, &BTreeMap<Region, Text>)| {
            values(&now.tenant, &now.service.name, name).regions == *then
        };
        self.hidden.iter().all(is_known)
            && self.regions.iter().all(is_same_in_regions)
            && gives_the_same(&then, now, releases)
    }

    /// Whether nobody knows any more what this parameter was.
    pub(super) fn is_guessed(&self, parameter: &str) -> bool {
        self.hidden.contains(parameter) && !self.secrets.0.contains_key(parameter)
    }

    /// The tenant as it was. A secret that nobody knows any more is that of today.
    pub(super) fn on(&self, tenant: &Tenant, service: &ServiceName) -> Tenant {
        let mut then = tenant.clone();
        let exception = then.services.entry(service.clone()).or_default();
        for (name, text) in &self.parameters {
            put(&mut then.parameters, name, text.as_ref());
        }
        for (name, text) in &self.exception {
            put(&mut exception.parameters, name, text.as_ref());
        }
        for (name, values) in &self.regions {
            put_regional(exception, name, values);
        }
        for (name, own) in &self.secrets.0 {
            put(&mut then.parameters, name, own.tenant.as_ref());
            put(&mut exception.parameters, name, own.exception.as_ref());
            put_regional(exception, name, &own.regions);
        }
        for (label, text) in &self.labels {
            put(&mut then.labels, label, text.as_ref());
        }
        then
    }
}

/// Whether a tenant gives a parameter itself.
pub(super) fn gives(tenant: &Tenant, service: &ServiceName, name: &str) -> bool {
    values(tenant, service, name) != Own::default()
}

/// What a tenant gives for a parameter: to all services, to this one, and to this one in regions.
fn values(tenant: &Tenant, service: &ServiceName, name: &str) -> Own {
    let exception = tenant.services.get(service);
    let regional = exception.into_iter().flat_map(|exception| &exception.per_region);
    let regional = regional.filter_map(|(region, values)| Some((region, values.get(name)?)));
    Own {
        tenant: tenant.parameters.get(name).cloned(),
        exception: exception.and_then(|exception| exception.parameters.get(name)).cloned(),
        regions: regional.map(|(region, text)| (region.clone(), text.clone())).collect(),
    }
}

/// Gives a parameter in exactly these regions.
fn put_regional(exception: &mut Exception, name: &str, values: &BTreeMap<Region, Text>) {
    for in_region in exception.per_region.values_mut() {
        in_region.remove(name);
    }
    for (region, text) in values {
        let in_region = exception.per_region.entry(region.clone()).or_default();
        in_region.insert(name.to_owned(), text.clone());
    }
}

fn put<V: Clone>(values: &mut BTreeMap<String, V>, name: &str, value: Option<&V>) {
    match value {
        Some(value) => drop(values.insert(name.to_owned(), value.clone())),
        None => drop(values.remove(name)),
    }
}

#[cfg(test)]
mod tests;
