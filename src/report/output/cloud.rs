//! What there is in the simulated cloud, for programs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// Stacks of the simulated cloud.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CloudStacks {
    /// Moves when a field changes its meaning or goes; fields may come.
    pub version: u32,
    /// All that were asked for.
    pub stacks: Vec<CloudStack>,
}

/// One of the stacks.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CloudStack {
    /// ACCOUNT/REGION/NAME.
    pub stack: String,
    /// Its ARN.
    pub id: String,
    /// Its status.
    pub status: String,
    /// When it was created.
    pub created_at: String,
    /// When its last update began.
    pub updated_at: Option<String>,
}

/// One stack, whole.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OneCloudStack {
    /// Moves when a field changes its meaning or goes; fields may come.
    pub version: u32,
    /// ACCOUNT/REGION/NAME.
    pub stack: String,
    /// Its ARN.
    pub id: String,
    /// Its status.
    pub status: String,
    /// Why it has this status.
    pub reason: Option<String>,
    /// When it was created.
    pub created_at: String,
    /// When its last update began.
    pub updated_at: Option<String>,
    /// The values of its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// Whether it is protected from deletion.
    pub protected: bool,
    /// Its resources, by their names in the template.
    pub resources: BTreeMap<String, CloudResource>,
}

/// One resource.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CloudResource {
    /// Such as `AWS::SQS::Queue`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is called outside its stack.
    pub physical_id: String,
    /// Its status.
    pub status: String,
    /// Whether somebody deleted it behind its stack's back.
    pub really_deleted: bool,
    /// Its real properties as JSON text, where somebody changed it behind its stack's back.
    pub really: Option<String>,
}

/// What happened to a stack.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CloudEvents {
    /// Moves when a field changes its meaning or goes; fields may come.
    pub version: u32,
    /// ACCOUNT/REGION/NAME.
    pub stack: String,
    /// In the order in which they are told.
    pub events: Vec<CloudEvent>,
}

/// One event.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CloudEvent {
    /// When.
    pub at: String,
    /// The resource; null for the stack itself.
    pub resource: Option<String>,
    /// The status taken.
    pub status: String,
    /// Why.
    pub reason: Option<String>,
}
