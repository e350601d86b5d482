//! Fills the holes of a wanted stack: template, parameters, tags and their digest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::desired::{Hole, Scope, Wanted};
use crate::fleet::{Deployment, Fleet, StackPolicy};
use crate::ids::{Digest, Region, ServiceName, TenantName};
use crate::package::Package;
use crate::plan::ownership::{FLEET_TAG, SERVICE_TAG, TENANT_TAG};
use crate::template::Template;

/// A stack as it is given to CloudFormation.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The template, with placeholders for the bucket.
    pub template: Arc<Template>,
    /// The same with all that it points to.
    pub package: Arc<Package>,
    /// Where what it points to is, in this region; none where the fleet has no buckets.
    pub bucket: Option<String>,
    /// The region of the stack.
    pub region: Region,
    /// The parameters that are given explicitly; the others take the template's defaults.
    pub parameters: BTreeMap<String, String>,
    /// Those that keep the value that the stack has: nobody knows it any more.
    pub kept: BTreeSet<String>,
    /// Tags of the fleet, over them those of the service, and the three of ownership.
    pub tags: BTreeMap<String, String>,
    /// Acknowledged capabilities, sorted.
    pub capabilities: Vec<String>,
    /// Whether the stack refuses to be deleted.
    pub termination_protection: bool,
    /// The stack policy.
    pub stack_policy: Option<Arc<StackPolicy>>,
    /// How it is made or updated.
    pub deployment: Deployment,
    /// Of canonical template, parameters and tags.
    pub digest: Digest,
}

/// Why a stack cannot be rendered yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// An output that its stack does not have (yet): wait for it.
    #[error("output `{output}` of service `{service}` is not known yet")]
    Output {
        /// Whose output.
        service: ServiceName,
        /// Which.
        output: String,
    },
    /// A variable without a value; `check` refuses a fleet that has one.
    #[error("`${{{variable}}}` has no value for tenant `{tenant}`")]
    Variable {
        /// Who lacks it.
        tenant: TenantName,
        /// Without its braces.
        variable: String,
    },
}

/// The wanted stack with its holes filled; `output` gives the outputs of stacks in the same target.
///
/// `fleet` is the fleet as the release of the stack has it.
pub fn render(
    fleet: &Fleet,
    wanted: &Wanted,
    output: &dyn Fn(&ServiceName, &str) -> Option<String>,
) -> Result<Rendered, Missing> {
    let scope = Scope {
        fleet,
        target: &wanted.key.target,
        tenant: Some(&wanted.tenant),
        service: Some(&wanted.service.name),
    };
    let missing = |hole| missing(hole, wanted);
    let mut parameters = BTreeMap::new();
    for (name, _, text) in wanted.parameters(fleet) {
        parameters.insert(name.to_owned(), scope.resolve(text, output).map_err(missing)?);
    }
    let mut tags = BTreeMap::new();
    for (key, text) in wanted.tags(fleet) {
        tags.insert(key.to_owned(), scope.resolve(text, output).map_err(missing)?);
    }
    tags.insert(FLEET_TAG.to_owned(), fleet.name.to_string());
    tags.insert(TENANT_TAG.to_owned(), wanted.tenant.name.to_string());
    tags.insert(SERVICE_TAG.to_owned(), wanted.service.name.to_string());
    let service = &wanted.service;
    Ok(Rendered {
        digest: digest(&service.template, &parameters, &tags),
        template: Arc::clone(&service.template),
        package: Arc::clone(&service.package),
        bucket: fleet.bucket(&wanted.key.target.region),
        region: wanted.key.target.region.clone(),
        parameters,
        kept: BTreeSet::new(),
        tags,
        capabilities: service.capabilities.clone(),
        termination_protection: service.termination_protection,
        stack_policy: service.stack_policy.clone(),
        deployment: service.deployment,
    })
}

impl Rendered {
    /// These parameters keep the values that the stack has.
    pub(super) fn keep(&mut self, kept: BTreeSet<String>) {
        if kept.is_empty() {
            return;
        }
        self.parameters.retain(|name, _| !kept.contains(name));
        let given = digest(&self.template, &self.parameters, &self.tags);
        let names = kept.iter().map(String::as_bytes);
        self.digest = Digest::of_parts([given.as_bytes() as &[u8]].into_iter().chain(names));
        self.kept = kept;
    }
}

fn missing(hole: Hole, wanted: &Wanted) -> Missing {
    let variable = match hole {
        Hole::Output { service, output } => return Missing::Output { service, output },
        Hole::Label(label) => format!("labels.{label}"),
        Hole::OutOfScope(variable) => variable.to_string(),
    };
    Missing::Variable { tenant: wanted.tenant.name.clone(), variable }
}

fn digest(
    template: &Template,
    parameters: &BTreeMap<String, String>,
    tags: &BTreeMap<String, String>,
) -> Digest {
    let template = template.digest();
    // The count keeps a parameter from being read as a tag.
    let count = (parameters.len() as u64).to_be_bytes();
    let pairs = parameters.iter().chain(tags);
    let texts = pairs.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    let head: [&[u8]; 2] = [template.as_bytes(), &count];
    Digest::of_parts(head.into_iter().chain(texts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;
    use crate::desired::Desired;
    use crate::ids::Revision;
    use crate::snapshot::{Entry, Snapshot};

    const FILES: [(&str, &str); 4] = [
        (
            "fleet.yaml",
            "apiVersion: driftless.dev/v1\nkind: Fleet\nmetadata: { name: gloves }\nspec:\n  \
            cloud: simulated\n  regions: [eu-central-1]\n  tags: { owner: platform, of: fleet }\n",
        ),
        (
            "acme.yaml",
            "apiVersion: driftless.dev/v1\nkind: Tenant\nmetadata: { name: acme, labels: { ring: one } }\n\
            spec:\n  account: \"000000000007\"\n  regions: [eu-central-1]\n  parameters: { B: [1, true, x] }\n",
        ),
        (
            "api.yaml",
            "apiVersion: driftless.dev/v1\nkind: Service\nmetadata: { name: api }\nspec:\n  \
            template: t.yaml\n  tags: { of: \"${service.name}\" }\n  parameters:\n    \
            A: \"${tenant.name}/${labels.ring}/${account.id}/${region}/${partition}/${fleet.name}/$${x}\"\n\
            ---\napiVersion: driftless.dev/v1\nkind: Service\nmetadata: { name: web }\nspec:\n  \
            template: t.yaml\n  parameters: { A: \"${services.api.outputs.Url}/x\" }\n",
        ),
        (
            "t.yaml",
            "Parameters:\n  A: { Type: String }\n  B: { Type: String, Default: b }\n\
            Resources:\n  Queue: { Type: AWS::SQS::Queue }\nOutputs:\n  Url: { Value: !Ref Queue }\n",
        ),
    ];

    fn desired(replace: (&str, &str)) -> Desired {
        let entries = FILES.map(|(path, text)| {
            (path.to_owned(), Entry::File(text.replace(replace.0, replace.1).as_bytes().into()))
        });
        let snapshot = Snapshot::of(Revision::of("folder"), None, entries.into());
        check::read(&snapshot).unwrap_or_else(|findings| panic!("{findings:#?}")).0
    }

    fn rendered(desired: &Desired, service: &str, url: Option<&str>) -> Result<Rendered, Missing> {
        let wanted = desired.all_wanted().find(|wanted| wanted.service.name.as_str() == service);
        render(&desired.fleet, wanted.expect(service), &|_, _| url.map(str::to_owned))
    }

    #[test]
    fn variables_lists_and_tags_are_filled_in() {
        let stack = rendered(&desired(("", "")), "api", None).expect("no holes");
        assert_eq!(stack.parameters["A"], "acme/one/000000000007/eu-central-1/aws/gloves/${x}");
        assert_eq!(stack.parameters["B"], "1,true,x");
        let tags: Vec<String> =
            stack.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(
            tags,
            [
                "driftless:fleet=gloves",
                "driftless:service=api",
                "driftless:tenant=acme",
                "of=api",
                "owner=platform",
            ]
        );
    }

    #[test]
    fn an_output_that_is_not_known_yet_is_waited_for() {
        let desired = desired(("", ""));
        let missing = rendered(&desired, "web", None).expect_err("no output yet");
        assert_eq!(missing.to_string(), "output `Url` of service `api` is not known yet");
        assert_eq!(rendered(&desired, "web", Some("u")).expect("known").parameters["A"], "u/x");
    }

    #[test]
    fn the_digest_depends_on_template_parameters_and_tags_and_on_nothing_else() {
        let digest =
            |old, new| rendered(&desired((old, new)), "api", None).expect("no holes").digest;
        let before = digest("", "");
        assert_eq!(digest("Resources:", "# a comment\nResources:"), before);
        assert_eq!(digest("  tags: { of", "  suspend: true\n  tags: { of"), before);
        for (old, new) in
            [("Default: b", "Default: c"), ("[1, true", "[2, true"), ("platform", "me")]
        {
            assert_ne!(digest(old, new), before, "{old} -> {new}");
        }
    }
}
