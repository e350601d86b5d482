//! What each service shows against its template, the tenants and AWS's limits.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::check::{error, listed};
use crate::desired::Desired;
use crate::fleet::{Complaint, Exception, Gathering, Service, Severity, Tenant};
use crate::ids::{Region, ServiceName, Target};
use crate::template::Resource;

/// CloudFormation's limit on the tags of a stack.
const MAX_TAGS: usize = 50;
/// The ownership tags that every stack gets.
const OWNERSHIP_TAGS: usize = 3;
/// CloudFormation's limit on the stacks of one account and region.
const MAX_STACKS: usize = 2_000;

/// The checks, one line each.
pub(super) fn check(desired: &Desired, findings: &mut Gathering) {
    for service in desired.services.values() {
        undeclared_parameters(service, findings);
        selects_nobody(service, desired, findings);
        capabilities(service, findings);
        too_many_tags(service, desired, findings);
    }
    for tenant in desired.tenants.values() {
        for (service, exception) in &tenant.services {
            exception_for(service, exception, tenant, desired, findings);
        }
    }
    too_many_stacks(desired, findings);
}

fn undeclared_parameters(service: &Service, findings: &mut Gathering) {
    for name in service.parameters.keys() {
        let pointer = ["spec", "parameters", name];
        let complaint = error(&service.source, &pointer, "undeclared-parameter");
        undeclared(name, service, complaint, findings);
    }
}

fn undeclared(
    name: &str,
    service: &Service,
    mut complaint: Complaint<'_>,
    findings: &mut Gathering,
) {
    let declared = service.template.parameters();
    if declared.contains_key(name) {
        return;
    }
    complaint.at_key = true;
    complaint.help = Some(listed(declared.keys().map(String::as_str)));
    let message = format!("`{}` declares no parameter `{name}`", service.template_path);
    findings.add(complaint, None, message);
}

fn selects_nobody(service: &Service, desired: &Desired, findings: &mut Gathering) {
    let nobody = !desired.tenants.values().any(|tenant| service.selector.matches(&tenant.labels));
    if nobody && !desired.gaps.tenants {
        let mut complaint = error(&service.source, &["spec", "selector"], "selects-nobody");
        complaint.severity = Severity::Warning;
        complaint.help = Some("correct the selector, or the labels of tenants".into());
        let message = format!("no tenant gets the service `{}`", service.name);
        findings.add(complaint, None, message);
    }
}

/// The IAM resources that CloudFormation wants acknowledged, with the property that names one.
const IAM: [(&str, Option<&str>); 8] = [
    ("AWS::IAM::AccessKey", None),
    ("AWS::IAM::Group", Some("GroupName")),
    ("AWS::IAM::InstanceProfile", Some("InstanceProfileName")),
    ("AWS::IAM::ManagedPolicy", Some("ManagedPolicyName")),
    ("AWS::IAM::Policy", None),
    ("AWS::IAM::Role", Some("RoleName")),
    ("AWS::IAM::User", Some("UserName")),
    ("AWS::IAM::UserToGroupAddition", None),
];

fn capabilities(service: &Service, findings: &mut Gathering) {
    let has = |word: &str| service.capabilities.iter().any(|capability| capability == word);
    let mut needs = |word: &'static str, why: String| {
        let mut complaint = error(&service.source, &["spec", "capabilities"], "missing-capability");
        complaint.subject = word;
        complaint.help = Some(format!("add `{word}` to `capabilities`"));
        findings.add(complaint, None, why);
    };
    let named = has("CAPABILITY_NAMED_IAM");
    // What nested stacks make is acknowledged for all of them at their root.
    let all = service.package.all().into_iter();
    let all: Vec<_> =
        all.map(|(way, package)| (way, package, package.template.processed_by_default())).collect();
    let resources = || {
        all.iter().flat_map(|(way, _, made)| {
            let resources = made.template().resources().iter();
            resources
                .map(move |(name, resource)| (named_as(way, name, made.origin(name)), resource))
        })
    };
    if let Some((id, resource)) =
        resources().find(|(_, resource)| iam_name(resource)).filter(|_| !named)
    {
        needs(
            "CAPABILITY_NAMED_IAM",
            format!("{id} is an {} with a name of its own", resource.kind),
        );
    } else if let Some((id, resource)) = resources()
        .find(|(_, resource)| IAM.iter().any(|(kind, _)| *kind == resource.kind))
        .filter(|_| !named && !has("CAPABILITY_IAM"))
    {
        needs("CAPABILITY_IAM", format!("{id} is an {}", resource.kind));
    }
    let macros = all.iter().find_map(|(_, package, _)| package.template.transforms().first());
    if let Some(name) = macros.filter(|_| !has("CAPABILITY_AUTO_EXPAND")) {
        needs("CAPABILITY_AUTO_EXPAND", format!("the template uses the macro `{name}`"));
    }
}

/// A resource for people, with what a macro makes it of.
fn named_as(way: &[&str], name: &str, origin: &str) -> String {
    let place = [way, &[name]].concat().join("/");
    if name == origin {
        format!("`{place}`")
    } else {
        format!("`{place}`, which a macro makes of `{origin}`,")
    }
}

/// Whether this is an IAM resource with a name of its own.
fn iam_name(resource: &Resource) -> bool {
    let name = IAM.iter().find(|(kind, _)| *kind == resource.kind).and_then(|(_, name)| *name);
    name.is_some_and(|name| {
        resource.properties().get(name).is_some_and(|value| *value != Value::Null)
    })
}

fn too_many_tags(service: &Service, desired: &Desired, findings: &mut Gathering) {
    let keys: BTreeSet<&String> = desired.fleet.tags.keys().chain(service.tags.keys()).collect();
    let count = keys.len() + OWNERSHIP_TAGS;
    if count > MAX_TAGS {
        let message = format!(
            "the stacks get {count} tags, {OWNERSHIP_TAGS} of ownership among them; {MAX_TAGS} is \
             CloudFormation's limit"
        );
        let mut complaint = error(&service.source, &["spec", "tags"], "too-many-tags");
        complaint.help = Some("remove tags of the service or of the fleet".into());
        findings.add(complaint, None, message);
    }
}

fn exception_for(
    name: &ServiceName,
    exception: &Exception,
    tenant: &Tenant,
    desired: &Desired,
    findings: &mut Gathering,
) {
    let pointer = ["spec", "services", name.as_str()];
    let Some(service) = desired.services.get(name) else {
        if !desired.gaps.may_have(name) {
            let mut complaint = error(&tenant.source, &pointer, "unknown-service");
            complaint.help = Some(listed(desired.services.keys().map(ServiceName::as_str)));
            findings.add(complaint, None, format!("there is no service `{name}`"));
        }
        return;
    };
    if !service.selector.matches(&tenant.labels) {
        let mut complaint = error(&tenant.source, &pointer, "idle-exception");
        complaint.severity = Severity::Warning;
        complaint.help = Some("remove the exception, or change labels or selector".into());
        let message = format!("the tenant does not get the service `{name}`: its selector says no");
        findings.add(complaint, None, message);
    } else {
        let idle = exception.per_region.keys().filter(|region| !has(name, region, tenant, desired));
        for region in idle {
            let pointer = [&pointer[..], &["perRegion", region.as_str()]].concat();
            let mut complaint = error(&tenant.source, &pointer, "idle-exception");
            complaint.severity = Severity::Warning;
            complaint.at_key = true;
            complaint.help = Some("remove it, or correct the region".into());
            let message = format!("the tenant does not get the service `{name}` in `{region}`");
            findings.add(complaint, None, message);
        }
    }
    for (region, parameter, _) in exception.all_parameters() {
        let pointer = Exception::pointer_to(name, region, parameter);
        let complaint = error(&tenant.source, &pointer, "undeclared-parameter");
        undeclared(parameter, service, complaint, findings);
    }
}

/// Whether a tenant gets a service in a region.
fn has(name: &ServiceName, region: &Region, tenant: &Tenant, desired: &Desired) -> bool {
    let target = Target { account: tenant.account, region: region.clone() };
    let stacks = desired.stacks.get(&target);
    stacks.is_some_and(|stacks| stacks.values().any(|wanted| wanted.service.name == *name))
}

fn too_many_stacks(desired: &Desired, findings: &mut Gathering) {
    for (target, stacks) in &desired.stacks {
        let tenant = desired.tenant_of(&target.account).filter(|_| stacks.len() > MAX_STACKS);
        if let Some(tenant) = tenant {
            let message = format!(
                "the tenant gets {} stacks in {}; {MAX_STACKS} is CloudFormation's limit",
                stacks.len(),
                target.region
            );
            let pointer = ["spec", "regions"];
            let mut complaint = error(&tenant.source, &pointer, "too-many-stacks");
            complaint.help = Some("use more regions, or fewer and larger services".into());
            findings.add(complaint, None, message);
        }
    }
}
