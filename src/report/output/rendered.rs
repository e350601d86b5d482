//! Wanted stacks as they would be given to CloudFormation, for programs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::fleet::Deployment;

/// The wanted stacks of a revision.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RenderedStacks {
    /// Moves when a field changes its meaning or goes; fields may come.
    pub version: u32,
    /// The id of the revision.
    pub revision: String,
    /// The stacks that were asked for.
    pub stacks: Vec<RenderedStack>,
}

/// One wanted stack.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenderedStack {
    /// Whose it is.
    pub tenant: String,
    /// What it is.
    pub service: String,
    /// The twelve digits of its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Its name.
    pub stack: String,
    /// Whether it is to be deleted.
    pub asked_to_go: bool,
    /// Who or what stops new steps of it.
    pub suspended_by: Option<String>,
    /// The template, relative to the fleet folder.
    pub template: String,
    /// The services that must be complete before.
    pub depends_on: Vec<String>,
    /// The parameters that are given; `****` for secrets, and variables for what another stack gives.
    pub parameters: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The capabilities that are acknowledged.
    pub capabilities: Vec<String>,
    /// Whether it refuses to be deleted.
    pub termination_protection: bool,
    /// Its stack policy, as JSON text.
    pub stack_policy: Option<String>,
    /// How it is made or updated.
    pub deployment: Deployment,
}
