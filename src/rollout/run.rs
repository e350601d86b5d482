//! What is kept of the rollouts of one service: which release is good, and how far the running one
//! has come.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{Digest, Revision, ServiceName, StackKey, WaveName};
use crate::moment::Moment;
use crate::rollout::TenantInputs;

/// The releases of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// The last release that went through all waves.
    pub good: Option<Digest>,
    /// The one that goes out.
    pub running: Option<Run>,
    /// Releases that were taken back since the good one: no stack is kept at one of them.
    #[serde(default)]
    pub taken_back: BTreeSet<Digest>,
    /// What tenants gave of their own, where many changed it together.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub inputs: Arc<TenantInputs>,
}

fn is_empty(inputs: &TenantInputs) -> bool {
    inputs.is_empty()
}

/// A release that goes out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Which.
    pub release: Digest,
    /// The revision that brought it.
    pub revision: Revision,
    /// When it began.
    pub began_at: Moment,
    /// The waves that may take it, and since when.
    pub opened: BTreeMap<WaveName, Moment>,
    /// Since when all stacks of these waves have been seen well without a break.
    pub well_since: Option<Moment>,
    /// Why nothing more takes it.
    pub halt: Option<Halt>,
    /// Stacks that had failed when a person resumed the rollout: they count no more.
    pub pardoned: BTreeSet<StackKey>,
}

/// Why a rollout stands still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// Since when.
    pub at: Moment,
    /// The reason, a sentence without its full stop.
    pub why: String,
    /// What all stacks that failed have and no healthy one, such as `in us-east-1`.
    #[serde(default)]
    pub shared: Option<String>,
    /// The person who said so; `None` where too many stacks failed.
    pub by: Option<String>,
    /// Whether the stacks that have the release go back to the last good one.
    pub reverting: bool,
}

/// What a person says about the rollout of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Which service.
    pub service: ServiceName,
    /// The release that went out when it was said: of another nothing was said.
    #[serde(default)]
    pub release: Option<Digest>,
    /// What.
    pub word: OrderWord,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Moment,
}

/// What can be said about a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderWord {
    /// No more stacks take the release.
    Halt,
    /// A halted rollout goes on; what has failed so far counts no more.
    Resume,
    /// The stacks that have the release go back to the last good one.
    Revert,
    /// The waiting release goes out at once instead of the running one.
    Supersede,
}

impl fmt::Display for OrderWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Halt => "halt",
            Self::Resume => "resume",
            Self::Revert => "revert",
            Self::Supersede => "supersede",
        })
    }
}

impl Run {
    /// A release that has just begun to go out.
    pub(super) fn new(release: Digest, revision: Revision, now: Moment) -> Self {
        Self {
            release,
            revision,
            began_at: now,
            opened: BTreeMap::new(),
            well_since: None,
            halt: None,
            pardoned: BTreeSet::new(),
        }
    }
}
