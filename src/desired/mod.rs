//! Who gets what and where: tenants joined with services.

mod join;
mod scope;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::fleet::{Adoption, Exception, Fleet, Freeze, Gaps, Glob, Service, Tenant, Text};
use crate::ids::{AccountId, Revision, ServiceName, StackKey, StackName, Target, TenantName};
use crate::moment::Moment;
use crate::package::Packaged;

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
    /// Services that stacks in other regions need in the home region.
    pub needed_at_home: BTreeSet<ServiceName>,
    /// What is missing because of errors; empty in a revision that is acted on.
    pub gaps: Gaps,
    /// What was packaged, so that the next revision packages only what changed.
    pub packaged: Arc<Packaged>,
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
    /// What must be complete before in the tenant's home region, whose outputs are then meant;
    /// empty for a stack that stands there itself.
    pub depends_on_home: Arc<BTreeSet<ServiceName>>,
}

impl Wanted {
    /// What the tenant has otherwise.
    pub fn exception(&self) -> Option<&Exception> {
        self.tenant.services.get(&self.service.name)
    }

    /// The parameters that are given explicitly, with where each value comes from: those that the
    /// template declares, from the first of exception in the region, exception, tenant, service and
    /// fleet that has them.
    pub fn parameters<'a>(
        &'a self,
        fleet: &'a Fleet,
    ) -> impl Iterator<Item = (&'a str, Origin, &'a Text)> {
        scope::parameters(fleet, &self.tenant, &self.service, &self.key.target.region)
    }

    /// The names of the stacks that may be taken over as this one, and what else is said of it;
    /// `None` where none is to be.
    pub fn adoption<'a>(&'a self, fleet: &'a Fleet) -> Option<(Glob, &'a Adoption)> {
        let adoption = self.service.adopt.as_deref()?;
        let (tenant, service) = (Some(&*self.tenant), Some(&self.service.name));
        let scope = Scope { fleet, target: &self.key.target, tenant, service };
        // A pattern that cannot be filled in is refused by `check`.
        let pattern = scope.resolve(&adoption.pattern, &|_, _| None).ok()?;
        Some((Glob::of(&pattern), adoption))
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

    /// The home of the tenant that owns an account.
    pub fn home_of(&self, account: &AccountId) -> Option<Target> {
        self.tenant_of(account)?.home()
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

    /// The role that makes the other one in the account of a target, if the fleet names one.
    pub fn bootstrap_role_arn(&self, target: &Target) -> Option<String> {
        let scope = Scope { fleet: &self.fleet, target, tenant: None, service: None };
        let role = &self.fleet.access.bootstrap.as_ref()?.role_arn;
        Some(scope.resolve(role, &|_, _| None).unwrap_or_else(|_| role.to_string()))
    }

    /// The freeze window that holds what stands in an account, and until when: of those that are
    /// open the one that closes last. What labels the owner of an account had that no document names
    /// any more nobody knows: every window holds it.
    pub fn frozen(&self, account: &AccountId, now: Moment) -> Option<(&Freeze, Moment)> {
        let tenant = self.by_account.get(account);
        let holds =
            |window: &&Freeze| tenant.is_none_or(|owner| window.selector.matches(&owner.labels));
        let windows = self.fleet.freeze.iter().filter(holds);
        let open = windows.filter_map(|window| Some((window, window.open_until(now)?)));
        open.max_by_key(|(_, closes_at)| *closes_at)
    }

    /// The wanted stack of this key.
    pub fn wanted(&self, key: &StackKey) -> Option<&Wanted> {
        self.stacks.get(&key.target)?.get(&key.name)
    }

    /// All wanted stacks, sorted by target and name.
    pub fn all_wanted(&self) -> impl Iterator<Item = &Wanted> {
        self.stacks.values().flat_map(BTreeMap::values)
    }

    /// The wanted stacks that are to stand: those asked to go are left out.
    pub fn all_standing(&self) -> impl Iterator<Item = &Wanted> {
        self.all_wanted().filter(|wanted| !wanted.asked_to_go)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;
    use crate::snapshot::{Entry, Snapshot};

    const FLEET: &str = "apiVersion: driftless.dev/v1\nkind: Fleet\nmetadata: { name: gloves }\n\
        spec:\n  cloud: simulated\n  regions: [eu-central-1, us-east-1, { name: eu-west-1, retired: true }]\n  \
        access: { roleArn: 'arn:${partition}:iam::${account.id}:role/${fleet.name}-${region}', externalId: x }\n  \
        parameters: { A: fleet, B: fleet, C: fleet, D: fleet, Unknown: fleet }\n  tags: { owner: platform, of: fleet }\n";
    const TEMPLATE: &str = "Parameters:\n  A: { Type: String }\n  B: { Type: String }\n  \
        C: { Type: String }\n  D: { Type: String }\n  E: { Type: String, Default: e }\n\
        Resources:\n  Queue: { Type: AWS::SQS::Queue }\nOutputs:\n  Url: { Value: !Ref Queue }\n";

    fn tenant(name: &str, account: u64, rest: &str) -> (String, String) {
        let text = format!(
            "apiVersion: driftless.dev/v1\nkind: Tenant\nmetadata: {{ name: {name}, labels: {{ ring: {name} }} }}\n\
             spec:\n  account: \"{account:012}\"\n  regions: [us-east-1, eu-central-1]\n{rest}"
        );
        (format!("{name}.yaml"), text)
    }

    fn service(name: &str, rest: &str) -> (String, String) {
        let text = format!(
            "apiVersion: driftless.dev/v1\nkind: Service\nmetadata: {{ name: {name} }}\nspec:\n  template: t.yaml\n{rest}"
        );
        (format!("{name}-service.yaml"), text)
    }

    fn snapshot(documents: Vec<(String, String)>) -> Snapshot {
        let fixed = [("fleet.yaml", FLEET), ("t.yaml", TEMPLATE)]
            .map(|(path, text)| (path.into(), text.into()));
        let files = documents.into_iter().chain(fixed);
        let entries =
            files.map(|(path, text): (String, String)| (path, Entry::File(text.as_bytes().into())));
        Snapshot::of(Revision::of("folder"), None, entries.collect())
    }

    fn desired(documents: Vec<(String, String)>) -> Desired {
        let snapshot = snapshot(documents);
        check::read(&snapshot).unwrap_or_else(|findings| panic!("{findings:#?}")).0
    }

    #[test]
    fn a_fleet_of_too_many_stacks_is_refused() {
        let snapshot = snapshot(vec![tenant("acme", 1, ""), service("api", "")]);
        let joined = |limit| {
            let documents = crate::fleet::load(&snapshot).0.expect("documents");
            Desired::within(limit, Revision::of("folder"), documents).1
        };
        assert!(joined(3).is_empty(), "there are two");
        let found = joined(2).remove(0);
        assert_eq!((found.code, found.is_error()), ("too-many-stacks", true));
        assert_eq!(
            found.message,
            "the services give 2 stacks or more; fewer is what a fleet may have"
        );
    }

    fn stacks(desired: &Desired) -> Vec<String> {
        desired
            .all_wanted()
            .map(|wanted| {
                let going = if wanted.asked_to_go { " going" } else { "" };
                format!("{} {}{going}", wanted.key.target.region, wanted.key.name)
            })
            .collect()
    }

    #[test]
    fn a_parameter_comes_from_the_first_of_exception_tenant_service_and_fleet() {
        let desired = desired(vec![
            tenant(
                "acme",
                1,
                "  parameters: { A: tenant, B: tenant, Other: x }\n  services: { api: { parameters: { A: exception } } }\n",
            ),
            service(
                "api",
                "  regions: home\n  parameters: { A: service, B: service, C: service }\n",
            ),
        ]);
        let wanted = desired.all_wanted().next().expect("a stack");
        let given =
            wanted.parameters(&desired.fleet).map(|(name, _, text)| format!("{name}={text}"));
        assert_eq!(given.collect::<Vec<_>>(), ["A=exception", "B=tenant", "C=service", "D=fleet"]);
    }

    #[test]
    fn a_parameter_of_one_region_wins_over_all_others_there_and_only_there() {
        let exception = "  services:\n    api:\n      parameters: { A: exception }\n      perRegion:\n        \
                         us-east-1: { parameters: { A: here, B: '${services.net.outputs.Url}' } }\n";
        let desired = desired(vec![
            tenant("acme", 1, exception),
            service("net", ""),
            service("api", "  parameters: { A: service, B: service, C: service }\n"),
        ]);
        let given = |region: &str| {
            let key = format!("000000000001/{region}/api").parse().expect("a key");
            let wanted = desired.wanted(&key).expect("wanted");
            let given = wanted.parameters(&desired.fleet).filter(|(name, ..)| *name < "D");
            let given = given.map(|(_, origin, text)| format!("{origin:?} {text}"));
            (given.collect::<Vec<_>>().join(", "), wanted.depends_on.len())
        };
        let here = "Regional here, Regional ${services.net.outputs.Url}, Service service";
        assert_eq!(given("us-east-1"), (here.to_owned(), 1));
        let elsewhere = "Exception exception, Service service, Service service";
        assert_eq!(given("eu-central-1"), (elsewhere.to_owned(), 0));
    }

    #[test]
    fn an_exception_for_a_region_without_the_service_is_warned_of() {
        let exception = "  services: { api: { perRegion: { us-east-1: { parameters: { A: x } }, \
                         eu-west-1: { parameters: { A: y, Z: z } } } } }\n";
        let found = |rest: &str| {
            let all = [tenant("acme", 1, exception), service("api", rest)].to_vec();
            check::read(&snapshot(all)).expect_err("an undeclared parameter")
        };
        let said: Vec<String> = found("  parameters: { A: a, B: b, C: c, D: d }\n")
            .into_iter()
            .filter(|one| one.path == "acme.yaml")
            .map(|one| format!("{}: {}", one.code, one.message))
            .collect();
        assert_eq!(
            said,
            [
                "idle-exception: the tenant does not get the service `api` in `eu-west-1`",
                "undeclared-parameter: `t.yaml` declares no parameter `Z`",
            ]
        );
    }

    #[test]
    fn regions_are_the_tenants_the_home_region_a_list_or_the_exceptions() {
        let desired = desired(vec![
            tenant("acme", 1, "  services: { listed: { regions: [us-east-1] } }\n"),
            tenant("beta", 2, ""),
            service("all", ""),
            service("home", "  regions: home\n"),
            service("listed", "  regions: [eu-central-1]\n"),
        ]);
        assert_eq!(
            stacks(&desired),
            [
                "eu-central-1 all",
                "us-east-1 all",
                "us-east-1 home",
                "us-east-1 listed",
                "eu-central-1 all",
                "eu-central-1 listed",
                "us-east-1 all",
                "us-east-1 home",
            ]
        );
    }

    #[test]
    fn offboarded_tenants_and_absent_services_are_asked_to_go_retired_regions_too() {
        let going = tenant("gone", 1, "  lifecycle: offboarded\n");
        let desired = desired(vec![
            (going.0, going.1.replace("us-east-1, ", "eu-west-1, ")),
            tenant(
                "acme",
                2,
                "  services: { api: { absent: true, stackName: old } }\n  lifecycle: inactive\n",
            ),
            service("api", ""),
            service("network", "  regions: home\n"),
        ]);
        assert_eq!(
            stacks(&desired),
            [
                "eu-central-1 api going",
                "eu-west-1 api going",
                "eu-west-1 network going",
                "eu-central-1 old going",
                "us-east-1 network",
                "us-east-1 old going",
            ]
        );
    }

    #[test]
    fn a_tenant_without_services_still_has_targets() {
        let desired = desired(vec![tenant("acme", 1, "")]);
        assert_eq!((desired.targets().count(), desired.stack_count()), (2, 0));
    }

    #[test]
    fn suspending_names_the_document_that_says_so() {
        let desired = desired(vec![
            tenant("acme", 1, "  suspend: true\n"),
            tenant("beta", 2, "  services: { api: { suspend: true } }\n"),
            service("api", "  regions: home\n"),
            service("net", "  regions: home\n  suspend: true\n"),
        ]);
        let why: Vec<_> =
            desired.all_wanted().filter_map(|wanted| wanted.suspended.as_deref()).collect();
        assert_eq!(why, ["Tenant acme", "Service net", "Tenant beta", "Service net"]);
    }

    #[test]
    fn outputs_imply_dependencies_wherever_they_are_used() {
        let output = "'${services.net.outputs.Url}'";
        let desired = desired(vec![
            tenant(
                "acme",
                1,
                &format!("  services: {{ api: {{ parameters: {{ A: {output} }} }} }}\n"),
            ),
            service("net", ""),
            service("api", ""),
            service("web", &format!("  parameters: {{ A: {output} }}\n  dependsOn: [api]\n")),
        ]);
        let needs = |name: &str| {
            let wanted =
                desired.all_wanted().find(|wanted| wanted.key.name.as_str() == name).expect(name);
            wanted.depends_on.iter().map(|name| name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            (needs("net"), needs("api"), needs("web")),
            (vec![], vec!["net".into()], vec!["api".into(), "net".into()])
        );
    }

    #[test]
    fn what_is_needed_at_home_is_an_ordinary_dependency_there() {
        let home = "  parameters: { A: '${services.net.outputs.Url}' }\n  \
                    dependsOn: [api, { service: net, region: home }]\n";
        let desired = desired(vec![
            tenant(
                "acme",
                1,
                "  services: { web: { parameters: { B: '${services.net.outputs.Url}' } } }\n",
            ),
            service("net", "  regions: home\n"),
            service("api", ""),
            service("web", home),
        ]);
        let names = |set: &BTreeSet<ServiceName>| {
            set.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        let needs = |region: &str| {
            let key = format!("000000000001/{region}/web").parse().expect("a key");
            let wanted = desired.wanted(&key).expect("wanted");
            (names(&wanted.depends_on), names(&wanted.depends_on_home))
        };
        assert_eq!(needs("us-east-1"), ("api net".to_owned(), String::new()), "the first region");
        assert_eq!(needs("eu-central-1"), ("api".to_owned(), "net".to_owned()));
        assert_eq!(names(&desired.needed_at_home), "net");
    }

    #[test]
    fn the_role_is_known_for_targets_that_nobody_has_any_more() {
        let desired = desired(vec![]);
        let target = "000000000042/cn-north-1".parse().expect("a target");
        assert_eq!(
            desired.role_arn(&target),
            "arn:aws-cn:iam::000000000042:role/gloves-cn-north-1"
        );
        assert_eq!(desired.external_id(), Some("x"));
    }
}
