//! What CloudFormation's drift detection finds: how resources really are, beside how the template
//! made them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a resource is, beside how the template made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DriftStatus {
    /// As the template made it.
    InSync,
    /// Some of its properties are others.
    Modified,
    /// It is not there any more.
    Deleted,
    /// It was not looked into, as drift detection does not know its type.
    NotChecked,
    /// AWS could not tell, or says it in a word that is unknown here.
    Unknown(String),
}

/// A run of drift detection on one stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DetectionSeen {
    /// It runs.
    Running,
    /// It ended, and so many resources differ.
    Complete {
        /// How many.
        drifted: u32,
    },
    /// It ended without having seen all, for this reason.
    Failed(String),
    /// AWS does not know of it any more.
    Gone,
}

/// One resource that is not as the template made it.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceDrift {
    /// Its name in the template.
    pub logical_id: String,
    /// The resource itself.
    pub physical_id: Option<String>,
    /// Its type, such as `AWS::SQS::Queue`.
    pub kind: String,
    /// How it is.
    pub status: DriftStatus,
    /// The properties that the template gives, whole; null where AWS did not say.
    pub expected: Value,
    /// The same properties as they are; null where AWS did not say.
    pub actual: Value,
    /// Where the two differ.
    pub differences: Vec<PropertyDifference>,
}

/// One place where a resource differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyDifference {
    /// A JSON pointer, such as `/MemorySize` or `/Tags/0`.
    pub path: String,
    /// In which direction.
    pub direction: Direction,
    /// What the template gives, as text.
    pub expected: String,
    /// What is there, as text.
    pub actual: String,
}

/// In which direction a property differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Somebody added it.
    Added,
    /// Somebody removed it.
    Removed,
    /// Somebody changed it.
    Changed,
}
