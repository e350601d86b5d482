//! What is known and decided about one stack: the row that the journal keeps and reports read.

use serde::{Deserialize, Serialize};

use crate::ids::{StackKey, Target};
use crate::moment::Moment;
use crate::observed::{Blind, Seen};
use crate::outcome::Memory;
use crate::plan::{Weight, may_run};

/// The word for a stack that is as git says, of which something drifted.
pub const DRIFTED: &str = "drifted";

/// A decision in words, as it is shown to people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// How much it matters.
    pub weight: Weight,
    /// A stable word for programs: `in-sync`, `update`, `not-ours`, ...
    pub code: String,
    /// A sentence for people.
    pub text: String,
    /// What a person can do about it, if anything.
    pub help: Option<String>,
    /// Id of the approval that would let it go on.
    pub approval: Option<String>,
    /// When it is decided anew though nothing else happens.
    #[serde(default)]
    pub until: Option<Moment>,
}

/// All that is kept of one stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackRecord {
    /// Which stack.
    pub key: StackKey,
    /// What it was at the last look; `None` when it was not there.
    pub seen: Option<Seen>,
    /// When that look was.
    pub looked_at: Moment,
    /// Whether git gives it, at the revision of the last look.
    pub wanted: bool,
    /// What was decided last.
    pub verdict: Verdict,
    /// Since when the verdict has had this code.
    pub verdict_since: Moment,
    /// What the next decision is based on.
    pub memory: Memory,
}

impl StackRecord {
    /// Whether the stack stands, or may stand since it was asked for and no look could show it yet.
    pub fn may_stand(&self) -> bool {
        self.seen.is_some() || may_run(None, &self.memory, self.looked_at)
    }
}

/// All that is kept of one target as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetRecord {
    /// Which target.
    pub target: Target,
    /// When it was last seen.
    pub looked_at: Option<Moment>,
    /// Why it cannot be seen now, and since when.
    pub blind: Option<(Blind, Moment)>,
    /// How many looks in a row have failed.
    pub blind_looks: u32,
}
