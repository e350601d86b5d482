//! From documents as they are written to the values that everything else works with, with the
//! findings that one document shows alone.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::fleet::adoption::adoption;
use crate::fleet::artifacts;
use crate::fleet::bootstrap;
use crate::fleet::channel;
use crate::fleet::commit_status;
use crate::fleet::document::{
    Dependency, ExceptionSpec, FleetDocument, FleetRegion, FreezeSpec, LimitsSpec, ParameterValue,
    ProtectedTypes, RegionChoice, SelectorSpec, ServiceDocument, ServiceSpec, TenantDocument,
};
use crate::fleet::files::Files;
use crate::fleet::freeze::never_close;
use crate::fleet::reader::{Read, Reader};
use crate::fleet::yaml::Node;
use crate::fleet::{
    BuildOutput, Exception, Fleet, Freeze, Limits, Operator, PROTECTED_BY_DEFAULT, Protection,
    Requirement, Selector, Service, ServiceRegions, Source, Tenant, Text,
};
use crate::fleet::{drift, idle_cost, waves};
use crate::ids::{Region, ServiceName};

/// Each target is looked at at least this often unless the fleet says otherwise.
const RESYNC: Duration = Duration::from_secs(30 * 60);

/// Reads a Fleet document; `None` after errors, which are then recorded.
pub(super) fn fleet(
    node: &Rc<Node>,
    source: Source,
    files: &mut Files<'_>,
    reader: &mut Reader<'_>,
) -> Option<Fleet> {
    let FleetDocument { metadata, spec, .. } = FleetDocument::read(node, reader)?;
    let errors = reader.errors;
    let regions = fleet_regions(&spec.regions, node, reader);
    let access = bootstrap::access(spec.access, spec.cloud, &regions, (files, node), reader);
    let limits = limits(spec.limits.as_ref(), node, reader);
    let freeze = spec.freeze.unwrap_or_default().into_iter().enumerate();
    let freeze = freeze.map(|(index, spec)| self::freeze(spec, index, node, reader));
    let freeze = freeze.collect();
    let notify = channel::channels(spec.notify.unwrap_or_default(), node, reader);
    let commit_status =
        spec.commit_status.and_then(|spec| commit_status::project(spec, node, reader));
    let artifacts = spec
        .artifacts
        .map(|spec| artifacts::bucket(spec, (&metadata.name, &regions), node, reader));
    let tags = spec.tags.unwrap_or_default();
    for (key, text) in &tags {
        check_tag_key(key, &["spec", "tags", key], node, reader);
        no_outputs(text, "a tag of the whole fleet", &["spec", "tags", key], node, reader);
    }
    let fleet = Fleet {
        name: metadata.name,
        cloud: spec.cloud,
        access: access?,
        regions,
        parameters: texts(spec.parameters),
        tags,
        limits,
        resync: spec.resync.map_or(RESYNC, |length| length.0),
        rollout: spec.rollout.map(|rollout| Arc::new(waves::plan(rollout, node, reader))),
        drift: Arc::new(drift::settings(spec.drift, node, reader)),
        suspend: spec.suspend.unwrap_or(false),
        requires_plan: spec.require_plan.unwrap_or(false),
        freeze,
        notify,
        commit_status,
        idle_cost: idle_cost::settings(spec.idle_cost, node, reader),
        artifacts,
        source,
    };
    (reader.errors == errors).then_some(fleet)
}

fn freeze(spec: FreezeSpec, index: usize, node: &Node, reader: &mut Reader<'_>) -> Freeze {
    let index = index.to_string();
    let here = ["spec", "freeze", index.as_str()];
    let selector = spec.selector.map(|spec| {
        let pointer = [&here[..], &["selector"]].concat();
        selector(spec, &pointer, node, reader)
    });
    let mut complain = |field: &str, code, message: &str, help: &str| {
        let place = node.find(&[&here[..], &[field]].concat());
        reader.error(place, code, message, Some(help.to_owned()));
    };
    let (zone, duration) = (spec.timezone.unwrap_or_default(), spec.duration.0);
    let window = Freeze {
        selector: selector.unwrap_or_default(),
        duration,
        reason: spec.reason,
        pattern: spec.cron,
        zone,
    };
    if !window.opens() {
        let help = "correct day and month, or remove the window";
        complain("cron", "never-opens", "that day never comes", help);
    } else if window.is_too_dense() {
        let help = "name the first time of each window only";
        let message = "it comes over and over while the window is open";
        complain("cron", "dense-cron", message, help);
    } else if never_close(&[&window]) {
        let help = "shorten `duration`, or write `suspend: true` for what has no end";
        let message = "the window opens again before it closes: it never does";
        complain("duration", "never-closes", message, help);
    }
    window
}

fn fleet_regions(
    regions: &[FleetRegion],
    node: &Node,
    reader: &mut Reader<'_>,
) -> BTreeMap<Region, bool> {
    let names: Vec<Region> = regions.iter().map(|region| region.name.clone()).collect();
    check_regions(&names, &["spec", "regions"], node, reader);
    regions.iter().map(|region| (region.name.clone(), region.retired)).collect()
}

/// At least one region, and none twice.
fn check_regions(regions: &[Region], pointer: &[&str], node: &Node, reader: &mut Reader<'_>) {
    if regions.is_empty() {
        let help = "name at least one, such as `[eu-central-1]`".to_owned();
        reader.error(node.find(pointer), "no-regions", "there is no region", Some(help));
    }
    for (index, region) in regions.iter().enumerate() {
        if regions[..index].contains(region) {
            let index = index.to_string();
            let place = node.find(&[pointer, &[index.as_str()]].concat());
            let message = format!("the region `{region}` stands here twice");
            reader.error(place, "duplicate-region", message, Some("remove one of them".into()));
        }
    }
}

fn limits(spec: Option<&LimitsSpec>, node: &Node, reader: &mut Reader<'_>) -> Limits {
    let mut limits = Limits::default();
    let Some(spec) = spec else { return limits };
    let mut set = |limit: &mut u32, value: Option<u32>, path: &[&str], range: (u32, u32)| {
        let Some(value) = value else { return };
        if value < range.0 || value > range.1 {
            let place = node.find(&[&["spec", "limits"], path].concat());
            let message = format!("`{}` is {value}: out of range", path.join("."));
            let help =
                format!("write {} to {}; there is no way to switch it off", range.0, range.1);
            reader.error(place, "bad-limit", message, Some(help));
        }
        *limit = value;
    };
    set(&mut limits.stacks_in_flight, spec.stacks_in_flight, &["stacksInFlight"], (1, 1_000_000));
    set(&mut limits.per_target, spec.per_target, &["perTarget"], (1, 2_000));
    if let Some(deletes) = &spec.deletes {
        let all = (0, 1_000_000);
        set(&mut limits.deletes.tenants, deletes.tenants, &["deletes", "tenants"], all);
        set(&mut limits.deletes.stacks, deletes.stacks, &["deletes", "stacks"], all);
        set(&mut limits.deletes.percent, deletes.percent, &["deletes", "percent"], (0, 100));
    }
    if let Some(calls) = &spec.drift_calls {
        let limit = &mut limits.drift_calls;
        set(&mut limit.per_account, calls.per_account, &["driftCalls", "perAccount"], (1, 100_000));
        set(&mut limit.per_second, calls.per_second, &["driftCalls", "perSecond"], (1, 1_000));
    }
    limits
}

/// Reads a Tenant document; `None` after errors, which are then recorded.
pub(super) fn tenant(node: &Rc<Node>, source: Source, reader: &mut Reader<'_>) -> Option<Tenant> {
    let TenantDocument { metadata, spec, .. } = TenantDocument::read(node, reader)?;
    let errors = reader.errors;
    check_regions(&spec.regions, &["spec", "regions"], node, reader);
    let exceptions = spec.services.unwrap_or_default().into_iter();
    let services = exceptions.map(|(service, exception)| {
        let exception = self::exception(exception, &service, node, reader);
        (service, exception)
    });
    let tenant = Tenant {
        name: metadata.name,
        labels: metadata.labels.unwrap_or_default(),
        account: spec.account,
        regions: spec.regions,
        lifecycle: spec.lifecycle.unwrap_or_default(),
        parameters: texts(spec.parameters),
        services: services.collect(),
        suspend: spec.suspend.unwrap_or(false),
        source,
    };
    (reader.errors == errors).then_some(tenant)
}

fn exception(
    spec: ExceptionSpec,
    service: &ServiceName,
    node: &Node,
    reader: &mut Reader<'_>,
) -> Exception {
    let pointer = ["spec", "services", service.as_str()];
    if let Some(regions) = &spec.regions {
        check_regions(regions, &[&pointer[..], &["regions"]].concat(), node, reader);
    }
    if let Some(name) = &spec.stack_name {
        let pointer = [&pointer[..], &["stackName"]].concat();
        no_outputs(name, "a stack name", &pointer, node, reader);
    }
    let per_region = spec.per_region.unwrap_or_default().into_iter();
    Exception {
        parameters: texts(spec.parameters),
        per_region: per_region.map(|(region, one)| (region, texts(one.parameters))).collect(),
        regions: spec.regions,
        suspend: spec.suspend.unwrap_or(false),
        stack_name: spec.stack_name,
        absent: spec.absent.unwrap_or(false),
        drift: spec.drift.map(|drift| drift.policy),
    }
}

/// A Service document whose files are not read yet: some may be build outputs of other services.
pub(super) struct Begun {
    document: ServiceDocument,
    build_outputs: Vec<BuildOutput>,
    pub(super) node: Rc<Node>,
    pub(super) source: Source,
}

/// Reads a Service document without the files that it names; `None` after errors, which are then
/// recorded.
pub(super) fn begin_service(
    node: &Rc<Node>,
    source: Source,
    files: &mut Files<'_>,
    reader: &mut Reader<'_>,
) -> Option<Begun> {
    let mut document = ServiceDocument::read(node, reader)?;
    let errors = reader.errors;
    let specs = document.spec.artifacts.take().unwrap_or_default();
    let build_outputs = files.build_outputs(specs, (&source.path, node), reader);
    let node = Rc::clone(node);
    (reader.errors == errors).then_some(Begun { document, build_outputs, node, source })
}

/// Reads the files that a Service document names; `None` after errors, which are then recorded.
pub(super) fn service(
    begun: Begun,
    files: &mut Files<'_>,
    reader: &mut Reader<'_>,
) -> Option<Service> {
    let Begun { document: ServiceDocument { metadata, spec, .. }, build_outputs, node, source } =
        begun;
    let (node, errors) = (&node, reader.errors);
    let (template_path, package) = files.package(&spec.template, node, reader).unzip();
    let policy = spec.stack_policy.as_ref().map(|path| files.stack_policy(path, node, reader));
    check_service(&spec, node, reader);
    let parameters = texts(spec.parameters);
    let tags = spec.tags.unwrap_or_default();
    let (here, home) = dependencies(spec.depends_on.unwrap_or_default(), node, reader);
    let used = parameters.values().chain(tags.values()).flat_map(Text::services_used);
    let implied = used.filter(|name| !home.contains(*name)).cloned();
    let depends_on: Arc<BTreeSet<ServiceName>> =
        Arc::new(here.into_iter().chain(implied).collect());
    let home_depends_on = if home.is_empty() {
        Arc::clone(&depends_on)
    } else {
        Arc::new(depends_on.union(&home).cloned().collect())
    };
    let capabilities = spec.capabilities.unwrap_or_default().into_iter();
    let capabilities: BTreeSet<String> = capabilities.map(|capability| capability.0).collect();
    let package = package?;
    let service = Service {
        template: Arc::clone(&package.template),
        package,
        template_path: template_path?,
        stack_name: spec.stack_name.unwrap_or_else(|| Text::literal(metadata.name.as_str())),
        selector: spec
            .selector
            .map(|selector| self::selector(selector, &["spec", "selector"], node, reader))
            .unwrap_or_default(),
        regions: match spec.regions {
            None | Some(RegionChoice::Tenant) => ServiceRegions::Tenant,
            Some(RegionChoice::Home) => ServiceRegions::Home,
            Some(RegionChoice::Listed(regions)) => ServiceRegions::Listed(regions),
        },
        depends_on,
        depends_on_home: Arc::new(home),
        home_depends_on,
        parameters,
        capabilities: capabilities.into_iter().collect(),
        tags,
        termination_protection: spec.termination_protection.unwrap_or(false),
        stack_policy: policy.flatten(),
        deployment: spec.deployment.unwrap_or_default(),
        protected: protection(spec.protect, node, reader),
        on_removal: spec.on_removal.unwrap_or_default(),
        adopt: spec.adopt.map(|spec| Arc::new(adoption(spec, node, reader))),
        rollout: spec.rollout.map(|rollout| Arc::new(waves::plan(rollout, node, reader))),
        drift: Arc::new(drift::settings(spec.drift, node, reader)),
        build_outputs,
        suspend: spec.suspend.unwrap_or(false),
        name: metadata.name,
        source,
    };
    (reader.errors == errors).then_some(service)
}

/// The services that must be complete beside, and those that must be at home.
fn dependencies(
    named: Vec<Dependency>,
    node: &Node,
    reader: &mut Reader<'_>,
) -> (BTreeSet<ServiceName>, BTreeSet<ServiceName>) {
    let (mut here, mut home) = (BTreeSet::new(), BTreeSet::new());
    for (index, Dependency { service, at_home }) in named.into_iter().enumerate() {
        let (set, other) = if at_home { (&mut home, &here) } else { (&mut here, &home) };
        if other.contains(&service) {
            let place = node.find(&["spec", "dependsOn", &index.to_string()]);
            let message = format!("`{service}` stands here twice, once with `region: home`");
            let help = "keep one: its outputs are those of one region";
            reader.error(place, "duplicate-dependency", message, Some(help.into()));
        }
        set.insert(service);
    }
    (here, home)
}

fn check_service(spec: &ServiceSpec, node: &Node, reader: &mut Reader<'_>) {
    if let Some(RegionChoice::Listed(regions)) = &spec.regions {
        check_regions(regions, &["spec", "regions"], node, reader);
    }
    if let Some(name) = &spec.stack_name {
        no_outputs(name, "a stack name", &["spec", "stackName"], node, reader);
    }
    for key in spec.tags.iter().flat_map(BTreeMap::keys) {
        check_tag_key(key, &["spec", "tags", key], node, reader);
    }
}

/// The selector that is written at `pointer`.
pub(super) fn selector(
    spec: SelectorSpec,
    pointer: &[&str],
    node: &Node,
    reader: &mut Reader<'_>,
) -> Selector {
    let mut match_expressions = Vec::new();
    for (index, spec) in spec.match_expressions.unwrap_or_default().into_iter().enumerate() {
        let values = spec.values.unwrap_or_default();
        let wrong = match (spec.operator, values.is_empty()) {
            (Operator::In | Operator::NotIn, true) => Some("needs `values`"),
            (Operator::Exists | Operator::DoesNotExist, false) => Some("takes no `values`"),
            (Operator::In | Operator::NotIn, false)
            | (Operator::Exists | Operator::DoesNotExist, true) => None,
        };
        if let Some(wrong) = wrong {
            let index = index.to_string();
            let pointer = [pointer, &["matchExpressions", &index, "operator"]].concat();
            let message = format!("the operator {wrong}");
            let help = "add or remove `values`, or use another operator".to_owned();
            reader.error(node.find(&pointer), "bad-selector", message, Some(help));
        }
        match_expressions.push(Requirement { key: spec.key, operator: spec.operator, values });
    }
    Selector { match_labels: spec.match_labels.unwrap_or_default(), match_expressions }
}

fn protection(spec: Option<ProtectedTypes>, node: &Node, reader: &mut Reader<'_>) -> Protection {
    let Some(ProtectedTypes::Listed(listed)) = spec else { return Protection::default() };
    let mut types = BTreeSet::new();
    for (index, kind) in listed.into_iter().enumerate() {
        if kind == "default" {
            types.extend(PROTECTED_BY_DEFAULT.iter().map(|(kind, _)| (*kind).to_owned()));
            continue;
        }
        let parts: Vec<&str> = kind.split("::").collect();
        if parts.len() < 2 || parts.iter().any(|part| part.is_empty()) {
            let place = node.find(&["spec", "protect", &index.to_string()]);
            let help = "write `default` or one such as `AWS::DynamoDB::Table`".to_owned();
            let message = format!("`{kind}` is not a resource type");
            reader.error(place, "bad-resource-type", message, Some(help));
        }
        types.insert(kind);
    }
    Protection::of(types)
}

fn no_outputs(text: &Text, what: &str, pointer: &[&str], node: &Node, reader: &mut Reader<'_>) {
    if text.services_used().next().is_some() {
        let message = format!("{what} cannot use outputs of stacks");
        let help = "outputs are known only after a deployment: use them in parameters and in tags \
                    of services";
        reader.error(node.find(pointer), "bad-variable", message, Some(help.into()));
    }
}

fn check_tag_key(key: &str, pointer: &[&str], node: &Node, reader: &mut Reader<'_>) {
    let lower = key.to_lowercase();
    let reserved = ["aws:", "driftless:"].into_iter().find(|prefix| lower.starts_with(prefix));
    if let Some(prefix) = reserved {
        let message = format!("tags that start with `{prefix}` are reserved");
        reader.error(node.find_key(pointer), "reserved-tag", message, Some("rename it".into()));
    }
    if key.is_empty() || key.chars().count() > 128 {
        let message = "the key of a tag has 1 to 128 characters";
        reader.error(node.find_key(pointer), "bad-tag", message, Some("rename it".into()));
    }
}

fn texts(values: Option<BTreeMap<String, ParameterValue>>) -> BTreeMap<String, Text> {
    values.unwrap_or_default().into_iter().map(|(name, value)| (name, value.0)).collect()
}
