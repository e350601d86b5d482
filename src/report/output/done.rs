//! What commands did, for programs that started them.

use schemars::JsonSchema;
use serde::Serialize;

/// How `apply` ended.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// Moves when a field changes its meaning or goes; fields may come.
    pub version: u32,
    /// The id of the revision that was applied.
    pub revision: String,
    /// Whether all is as git says: the exit code is 3 otherwise.
    pub converged: bool,
    /// Stacks that are as git says.
    pub settled: usize,
    /// Stacks that are left alone on purpose.
    pub left_alone: usize,
    /// Stacks that wait for something that comes by itself.
    pub waiting: usize,
    /// Stacks that wait for a person or for a change in git.
    pub stuck: usize,
    /// Targets that cannot be observed.
    pub blind_targets: usize,
}

/// A new fleet repository.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Made {
    /// Moves when a field changes its meaning or goes; fields may come.
    pub version: u32,
    /// Its folder, as it was named.
    pub folder: String,
    /// How many tenants it has.
    pub tenants: usize,
    /// How many files.
    pub files: usize,
    /// The id of its commit.
    pub revision: String,
}

/// What a person ordered, which a running controller obeys within a second, or the next when it starts.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Ordered {
    /// Moves when a field changes its meaning or goes; fields may come.
    pub version: u32,
    /// `halt`, `resume`, `revert`, `supersede`, or `revert-drift`.
    pub order: String,
    /// Which service; null where it is about several.
    pub service: Option<String>,
    /// The release that it is about; null where it is about none.
    pub release: Option<String>,
    /// Who ordered it.
    pub by: String,
    /// Why; may be empty.
    pub reason: String,
    /// The same in words.
    pub text: String,
}

/// Which channels can be told.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TestedChannels {
    /// Moves when a field changes its meaning or goes; fields may come.
    pub version: u32,
    /// Every channel that was tried.
    pub channels: Vec<TestedChannel>,
}

/// Whether one channel can be told.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TestedChannel {
    /// Its name.
    pub name: String,
    /// `slack`, `teams` or `webhook`.
    pub kind: String,
    /// Whether the message arrived.
    pub arrived: bool,
    /// What came back, in words.
    pub text: String,
}
