//! All findings on a fleet, for programs.

use schemars::JsonSchema;
use serde::Serialize;

use crate::fleet::Severity;

/// All findings, sorted by place.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Validated {
    /// Moves when a field changes its meaning or goes; fields may come.
    pub version: u32,
    /// How many are errors: a fleet that has any is refused.
    pub errors: usize,
    /// How many are warnings.
    pub warnings: usize,
    /// All of them.
    pub findings: Vec<Found>,
}

/// What is wrong in one place.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Found {
    /// A stable word for the kind of finding.
    pub code: String,
    /// Whether it refuses the fleet.
    pub severity: Severity,
    /// The file, as it is seen from where the command ran.
    pub path: String,
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// The column, from 1; 0 for the line as a whole.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// How to fix it.
    pub help: Option<String>,
}
