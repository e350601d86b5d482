//! What drifted, for programs.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use crate::drift::{Severity, Signature};
use crate::ids::{ServiceName, StackKey, TenantName};

/// What drifted, and what could not be looked into. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftOutput {
    /// Moves when a field changes its meaning or goes; fields may come.
    pub version: u32,
    /// When it was so.
    pub at: String,
    /// How many stacks are looked into.
    pub stacks: usize,
    /// How many of them drifted.
    pub drifted: usize,
    /// How many of them were not looked into yet.
    pub never_seen: usize,
    /// When the one was looked into that waits longest.
    pub oldest: Option<String>,
    /// All drift, the worst first.
    pub signatures: Vec<DriftSignature>,
    /// Why stacks were not seen whole.
    pub troubles: Vec<DriftTrouble>,
    /// Resources that nobody can look into, by type.
    pub unchecked: BTreeMap<String, usize>,
    /// What does not count, by its reason.
    pub ignored: BTreeMap<String, usize>,
}

/// The same drift, wherever it was found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DriftSignature {
    /// Stays the same while the drift is there.
    pub key: String,
    /// How bad it is.
    pub severity: Severity,
    /// The service.
    pub service: Option<ServiceName>,
    /// The resource: `Queue` or `Child/Queue`.
    pub resource: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// What is not as it was made.
    pub what: String,
    /// In how many stacks.
    pub count: usize,
    /// When the first was found.
    pub since: String,
    /// Why it is not reverted, or is said only.
    pub notes: BTreeSet<String>,
    /// Where.
    pub stacks: Vec<DriftedStack>,
}

/// A stack that drifted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DriftedStack {
    /// ACCOUNT/REGION/NAME.
    pub stack: String,
    /// Whose it is.
    pub tenant: Option<TenantName>,
}

/// Why stacks were not seen whole.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DriftTrouble {
    /// The reason.
    pub why: String,
    /// Which: ACCOUNT/REGION/NAME.
    pub stacks: Vec<String>,
}

impl DriftSignature {
    /// Of a signature.
    pub fn of(signature: &Signature) -> Self {
        let stack = |(key, tenant): &(StackKey, Option<TenantName>)| DriftedStack {
            stack: key.to_string(),
            tenant: tenant.clone(),
        };
        Self {
            key: signature.key(),
            severity: signature.severity,
            service: signature.service.clone(),
            resource: signature.place.clone(),
            kind: signature.kind.clone(),
            what: signature.what.clone(),
            count: signature.stacks.len(),
            since: signature.since.to_string(),
            notes: signature.notes.clone(),
            stacks: signature.stacks.iter().map(stack).collect(),
        }
    }
}
