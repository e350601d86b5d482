//! Parameters of tenants and of the fleet that no template declares: they are ignored, which is how a
//! typing mistake goes unnoticed.

use std::collections::BTreeSet;

use crate::check::{error, listed};
use crate::desired::Desired;
use crate::fleet::{Complaint, Gathering, Severity, Source};

pub(super) fn check(desired: &Desired, findings: &mut Gathering) {
    let templates = desired.services.values().map(|service| &service.template);
    let declared: BTreeSet<&str> =
        templates.flat_map(|template| template.parameters().keys()).map(String::as_str).collect();
    // Without any, or with services that could not be read, nobody can tell.
    if declared.is_empty() || desired.gaps.any_service || !desired.gaps.services.is_empty() {
        return;
    }
    let mut look = |source: &Source, name: &str| {
        if declared.contains(name) {
            return;
        }
        let pointer = ["spec", "parameters", name];
        let complaint = Complaint {
            at_key: true,
            severity: Severity::Warning,
            help: Some(format!(
                "correct the name, or remove it; {}",
                listed(declared.iter().copied())
            )),
            ..error(source, &pointer, "unused-parameter")
        };
        findings.add(complaint, None, format!("no template declares the parameter `{name}`"));
    };
    for name in desired.fleet.parameters.keys() {
        look(&desired.fleet.source, name);
    }
    for tenant in desired.tenants.values() {
        for name in tenant.parameters.keys() {
            look(&tenant.source, name);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::read;
    use crate::ids::Revision;
    use crate::snapshot::{Entry, Snapshot};

    #[test]
    fn a_parameter_that_no_template_declares_is_warned_of_with_those_that_there_are() {
        let head = |kind: &str, name: &str| {
            format!(
                "apiVersion: driftless.dev/v1\nkind: {kind}\nmetadata: {{ name: {name} }}\nspec:\n"
            )
        };
        let fleet = head("Fleet", "f")
            + "  cloud: simulated\n  regions: [eu-central-1]\n  parameters: { Level: x }\n";
        let tenant = head("Tenant", "acme")
            + "  account: \"111122223333\"\n  regions: [eu-central-1]\n  parameters: { Seats: \"1\", Seatz: \"2\" }\n";
        let service = head("Service", "api") + "  template: t.yaml\n";
        let template = "Parameters: { Seats: { Type: String } }\n\
                        Resources: { Q: { Type: AWS::SQS::Queue } }\n"
            .to_owned();
        let files =
            [("f.yaml", fleet), ("acme.yaml", tenant), ("api.yaml", service), ("t.yaml", template)];
        let entries = files
            .map(|(path, text)| (path.to_owned(), Entry::File(text.into_bytes().into())))
            .into();
        let snapshot = Snapshot::of(Revision::of("folder"), None, entries);
        let (_, findings) = read(&snapshot).expect("warnings refuse nothing");
        let said: Vec<String> = findings
            .iter()
            .map(|one| format!("{}:{}:{}: {}", one.path, one.line, one.column, one.message))
            .collect();
        assert_eq!(
            said,
            [
                "acme.yaml:7:29: no template declares the parameter `Seatz`",
                "f.yaml:7:17: no template declares the parameter `Level`",
            ]
        );
    }
}
