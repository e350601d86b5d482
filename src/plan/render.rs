//! Fills the holes of a wanted stack: template, parameters, tags and their digest.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::desired::{Desired, Hole, Wanted};
use crate::fleet::StackPolicy;
use crate::ids::{Digest, ServiceName, TenantName};
use crate::template::Template;

/// The ownership tag with the fleet's name.
pub const FLEET_TAG: &str = "driftless:fleet";
/// The ownership tag with the tenant's name.
pub const TENANT_TAG: &str = "driftless:tenant";
/// The ownership tag with the service's name.
pub const SERVICE_TAG: &str = "driftless:service";

/// A stack as it is given to CloudFormation.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The template.
    pub template: Arc<Template>,
    /// The parameters that are given explicitly; the others take the template's defaults.
    pub parameters: BTreeMap<String, String>,
    /// Tags of the fleet, over them those of the service, and the three of ownership.
    pub tags: BTreeMap<String, String>,
    /// Acknowledged capabilities, sorted.
    pub capabilities: Vec<String>,
    /// Whether the stack refuses to be deleted.
    pub termination_protection: bool,
    /// The stack policy.
    pub stack_policy: Option<Arc<StackPolicy>>,
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
pub fn render(
    desired: &Desired,
    wanted: &Wanted,
    output: &dyn Fn(&ServiceName, &str) -> Option<String>,
) -> Result<Rendered, Missing> {
    let scope = desired.scope(wanted);
    let missing = |hole| missing(hole, wanted);
    let mut parameters = BTreeMap::new();
    for (name, _, text) in wanted.parameters(&desired.fleet) {
        parameters.insert(name.to_owned(), scope.resolve(text, output).map_err(missing)?);
    }
    let mut tags = BTreeMap::new();
    for (key, text) in wanted.tags(&desired.fleet) {
        tags.insert(key.to_owned(), scope.resolve(text, output).map_err(missing)?);
    }
    tags.insert(FLEET_TAG.to_owned(), desired.fleet.name.to_string());
    tags.insert(TENANT_TAG.to_owned(), wanted.tenant.name.to_string());
    tags.insert(SERVICE_TAG.to_owned(), wanted.service.name.to_string());
    let service = &wanted.service;
    Ok(Rendered {
        digest: digest(&service.template, &parameters, &tags),
        template: Arc::clone(&service.template),
        parameters,
        tags,
        capabilities: service.capabilities.clone(),
        termination_protection: service.termination_protection,
        stack_policy: service.stack_policy.clone(),
    })
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
