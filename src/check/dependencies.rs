//! Services that need others: those must exist, have the outputs, and not need each other in a
//! circle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::check::{error, listed};
use crate::desired::{Desired, Wanted};
use crate::fleet::{Exception, Gathering, Service, Source, Text, Variable};
use crate::ids::ServiceName;

/// The checks, one line each.
pub(super) fn check(desired: &Desired, findings: &mut Gathering) {
    for service in desired.services.values() {
        unknown_dependencies(service, desired, findings);
        outputs_of_texts(service, desired, findings);
    }
    outputs_elsewhere(desired, findings);
    homeless(desired, findings);
    let graph = desired.services.iter().map(|(name, service)| (name, &*service.depends_on));
    let cyclic = report_cycles(&graph.collect(), desired, findings);
    if !cyclic {
        cycles_of_tenants(desired, findings);
    }
}

fn unknown_dependencies(service: &Service, desired: &Desired, findings: &mut Gathering) {
    let used: BTreeSet<&ServiceName> = service
        .parameters
        .values()
        .chain(service.tags.values())
        .flat_map(Text::services_used)
        .collect();
    for other in service.home_depends_on.iter().filter(|other| !used.contains(other)) {
        unknown_service(other, &service.source, &["spec", "dependsOn"], desired, findings);
    }
}

fn unknown_service(
    name: &ServiceName,
    source: &Source,
    pointer: &[&str],
    desired: &Desired,
    findings: &mut Gathering,
) {
    if !desired.services.contains_key(name) && !desired.gaps.may_have(name) {
        let mut complaint = error(source, pointer, "unknown-service");
        complaint.subject = name.as_str();
        complaint.help = Some(listed(desired.services.keys().map(ServiceName::as_str)));
        findings.add(complaint, None, format!("there is no service `{name}`"));
    }
}

fn outputs_of_texts(service: &Service, desired: &Desired, findings: &mut Gathering) {
    for (field, texts) in [("parameters", &service.parameters), ("tags", &service.tags)] {
        for (name, text) in texts {
            outputs(text, &service.source, &["spec", field, name], desired, findings);
        }
    }
}

/// The outputs that fleet, tenants and exceptions use.
fn outputs_elsewhere(desired: &Desired, findings: &mut Gathering) {
    for (name, text) in &desired.fleet.parameters {
        outputs(text, &desired.fleet.source, &["spec", "parameters", name], desired, findings);
    }
    for tenant in desired.tenants.values() {
        for (name, text) in &tenant.parameters {
            outputs(text, &tenant.source, &["spec", "parameters", name], desired, findings);
        }
        for (service, exception) in &tenant.services {
            for (region, name, text) in exception.all_parameters() {
                let pointer = Exception::pointer_to(service, region, name);
                outputs(text, &tenant.source, &pointer, desired, findings);
            }
        }
    }
}

/// Every output that a text uses must be in a template.
fn outputs(
    text: &Text,
    source: &Source,
    pointer: &[&str],
    desired: &Desired,
    findings: &mut Gathering,
) {
    for variable in text.variables() {
        let Variable::Output { service: name, output } = variable else { continue };
        let Some(service) = desired.services.get(name) else {
            unknown_service(name, source, pointer, desired, findings);
            continue;
        };
        let known = service.template.outputs();
        if known.contains_key(output) || outputs_are_made(service) {
            continue;
        }
        let mut complaint = error(source, pointer, "unknown-output");
        complaint.subject = output;
        complaint.help = Some(listed(known.keys().map(String::as_str)));
        let message = format!("`{}` has no output `{output}`", service.template_path);
        findings.add(complaint, None, message);
    }
}

/// Whether macros may add outputs that the template does not show.
fn outputs_are_made(service: &Service) -> bool {
    let template = &service.template;
    template.outputs().keys().any(|name| name.starts_with("Fn::"))
        || template.transforms().iter().any(|name| !name.starts_with("AWS::"))
}

/// What is needed at home must stand there, or whoever needs it waits for ever.
fn homeless(desired: &Desired, findings: &mut Gathering) {
    for wanted in desired.all_standing().filter(|wanted| !wanted.depends_on_home.is_empty()) {
        let home = wanted.tenant.home();
        let there = home.as_ref().and_then(|home| desired.stacks.get(home));
        let stands = |service: &ServiceName| {
            let mut there = there.into_iter().flat_map(BTreeMap::values);
            there.any(|other| &other.service.name == service && !other.asked_to_go)
        };
        // A service that is not there at all is reported as such.
        let known = |service: &&ServiceName| desired.services.contains_key(*service);
        for other in wanted.depends_on_home.iter().filter(known) {
            if stands(other) {
                continue;
            }
            let source = &wanted.service.source;
            let mut complaint = error(source, &["spec", "dependsOn"], "not-at-home");
            complaint.subject = other.as_str();
            complaint.help = Some(format!(
                "select the same tenants for both, and let `{other}` stand in the home region"
            ));
            let region = home.as_ref().map_or("", |home| home.region.as_str());
            let message =
                format!("`{other}` is needed in the home region {region}, and not deployed there");
            let whom = format!("tenant `{}`", wanted.tenant.name);
            findings.add(complaint, Some(&whom), message);
        }
    }
}

type Graph<'g> = BTreeMap<&'g ServiceName, &'g BTreeSet<ServiceName>>;

/// Cycles that exist only where tenants make services depend on others.
fn cycles_of_tenants(desired: &Desired, findings: &mut Gathering) {
    for stacks in desired.stacks.values() {
        let adds = |wanted: &Wanted| !Arc::ptr_eq(&wanted.depends_on, &wanted.service.depends_on);
        if stacks.values().any(adds) {
            let graph = stacks.values().map(|wanted| (&wanted.service.name, &*wanted.depends_on));
            report_cycles(&graph.collect(), desired, findings);
        }
    }
}

/// Whether there was a cycle.
fn report_cycles(graph: &Graph<'_>, desired: &Desired, findings: &mut Gathering) -> bool {
    let mut walk = Walk { graph, done: BTreeSet::new(), path: Vec::new(), cycles: Vec::new() };
    graph.keys().for_each(|name| walk.visit(name));
    for cycle in &walk.cycles {
        let Some(service) = cycle.first().and_then(|name| desired.services.get(*name)) else {
            continue;
        };
        let names: Vec<&str> =
            cycle.iter().chain(cycle.first()).map(|name| name.as_str()).collect();
        let mut complaint = error(&service.source, &["spec", "dependsOn"], "dependency-cycle");
        let text = names.join(" -> ");
        complaint.subject = &text;
        complaint.help = Some("each waits for the next: remove one `dependsOn` or output".into());
        findings.add(complaint, None, format!("the services depend on each other: {text}"));
    }
    !walk.cycles.is_empty()
}

struct Walk<'g> {
    graph: &'g Graph<'g>,
    done: BTreeSet<&'g ServiceName>,
    path: Vec<&'g ServiceName>,
    cycles: Vec<Vec<&'g ServiceName>>,
}

impl<'g> Walk<'g> {
    fn visit(&mut self, name: &'g ServiceName) {
        if let Some(at) = self.path.iter().position(|visited| *visited == name) {
            return self.cycles.push(self.path[at..].to_vec());
        }
        if self.done.contains(name) {
            return;
        }
        self.path.push(name);
        let graph = self.graph;
        for next in graph.get(name).copied().into_iter().flatten() {
            self.visit(next);
        }
        self.path.pop();
        self.done.insert(name);
    }
}
