//! What exists in AWS: the stacks of a target at one look, when that was, where we are blind.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

mod blind;
mod drift;

pub use blind::{Blind, BlindReason};
pub use drift::{DetectionSeen, Direction, DriftStatus, PropertyDifference, ResourceDrift};

use crate::ids::{Digest, StackId, StackKey, StackName, Target};
use crate::moment::Moment;

/// What AWS shows instead of the value of a NoEcho parameter.
pub const NO_ECHO_MASK: &str = "****";

macro_rules! statuses {
    ($($variant:ident $text:literal,)*) => {
        /// A stack status, matched exactly and never by a part of its name.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        #[allow(missing_docs, reason = "the names are AWS's own")]
        pub enum StackStatus {
            $($variant,)*
            /// A status that this program does not know; a stack in it is held.
            Unknown(String),
        }

        impl StackStatus {
            /// Every status that this program knows.
            pub const KNOWN: &[Self] = &[$(Self::$variant,)*];

            /// AWS's own word.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Unknown(text) => text,
                }
            }
        }

        impl From<String> for StackStatus {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$variant,)*
                    _ => Self::Unknown(text),
                }
            }
        }
    };
}

statuses! {
    CreateInProgress "CREATE_IN_PROGRESS",
    CreateFailed "CREATE_FAILED",
    CreateComplete "CREATE_COMPLETE",
    RollbackInProgress "ROLLBACK_IN_PROGRESS",
    RollbackFailed "ROLLBACK_FAILED",
    RollbackComplete "ROLLBACK_COMPLETE",
    DeleteInProgress "DELETE_IN_PROGRESS",
    DeleteFailed "DELETE_FAILED",
    DeleteComplete "DELETE_COMPLETE",
    UpdateInProgress "UPDATE_IN_PROGRESS",
    UpdateCompleteCleanupInProgress "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateComplete "UPDATE_COMPLETE",
    UpdateFailed "UPDATE_FAILED",
    UpdateRollbackInProgress "UPDATE_ROLLBACK_IN_PROGRESS",
    UpdateRollbackFailed "UPDATE_ROLLBACK_FAILED",
    UpdateRollbackCompleteCleanupInProgress "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateRollbackComplete "UPDATE_ROLLBACK_COMPLETE",
    ReviewInProgress "REVIEW_IN_PROGRESS",
    ImportInProgress "IMPORT_IN_PROGRESS",
    ImportComplete "IMPORT_COMPLETE",
    ImportRollbackInProgress "IMPORT_ROLLBACK_IN_PROGRESS",
    ImportRollbackFailed "IMPORT_ROLLBACK_FAILED",
    ImportRollbackComplete "IMPORT_ROLLBACK_COMPLETE",
}

/// What a status means for what may be done next: one row of the decision table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Whole and at rest: it may be updated.
    Complete,
    /// Something is at work on it, whoever asked.
    Moving,
    /// A shell that holds nothing but change sets.
    InReview,
    /// It never was complete, and holds nothing that anybody used.
    NeverComplete,
    /// An update failed and was left as it is.
    UpdateFailed,
    /// Rolling an update back failed.
    RollbackFailed,
    /// A delete failed.
    DeleteFailed,
    /// It is gone.
    Gone,
    /// Nothing that this program may touch.
    Unclear,
}

impl StackStatus {
    /// Which row of the decision table this status belongs to.
    pub fn standing(&self) -> Standing {
        match self {
            Self::CreateComplete
            | Self::UpdateComplete
            | Self::ImportComplete
            | Self::UpdateRollbackComplete
            | Self::ImportRollbackComplete => Standing::Complete,
            Self::CreateInProgress
            | Self::RollbackInProgress
            | Self::DeleteInProgress
            | Self::UpdateInProgress
            | Self::UpdateCompleteCleanupInProgress
            | Self::UpdateRollbackInProgress
            | Self::UpdateRollbackCompleteCleanupInProgress
            | Self::ImportInProgress
            | Self::ImportRollbackInProgress => Standing::Moving,
            Self::ReviewInProgress => Standing::InReview,
            Self::RollbackComplete | Self::CreateFailed | Self::RollbackFailed => {
                Standing::NeverComplete
            }
            Self::UpdateFailed => Standing::UpdateFailed,
            Self::UpdateRollbackFailed => Standing::RollbackFailed,
            Self::DeleteFailed => Standing::DeleteFailed,
            Self::DeleteComplete => Standing::Gone,
            Self::ImportRollbackFailed | Self::Unknown(_) => Standing::Unclear,
        }
    }

    /// Whether an operation runs on a stack in this status.
    pub fn is_moving(&self) -> bool {
        self.standing() == Standing::Moving
    }
}

impl From<StackStatus> for String {
    fn from(status: StackStatus) -> Self {
        status.as_str().to_owned()
    }
}

impl fmt::Display for StackStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One stack as AWS describes it. Nested stacks are not among these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its ARN.
    pub id: StackId,
    /// Where it stands and what it is called here; [`Seen::own_name`] is what AWS calls it.
    pub key: StackKey,
    /// Its status.
    pub status: StackStatus,
    /// AWS's words about the status.
    pub status_reason: Option<String>,
    /// When it was created.
    pub created_at: Moment,
    /// When it was last updated by anybody; moves with every update, failed ones too.
    pub updated_at: Option<Moment>,
    /// Values of all parameters, defaults included; [`NO_ECHO_MASK`] where AWS hides one. For
    /// parameters of an SSM type this is the name that was given, not the resolved value.
    pub parameters: BTreeMap<String, String>,
    /// Tags of the stack, without those that AWS sets itself (`aws:`).
    pub tags: BTreeMap<String, String>,
    /// Outputs by their logical id, as AWS mangles them.
    pub outputs: BTreeMap<String, String>,
    /// Whether the stack refuses to be deleted.
    pub termination_protection: bool,
}

impl Seen {
    /// What AWS calls it: another name than that of its key where it was taken over.
    pub fn own_name(&self) -> StackName {
        self.id.stack_name().unwrap_or_else(|| self.key.name.clone())
    }

    /// What tells whether anybody updated the stack in between: the id and the last-updated time.
    pub fn version(&self) -> StackVersion {
        StackVersion { id: self.id.clone(), updated_at: self.updated_at }
    }
}

/// One state of one stack. Every update by anybody makes a new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackVersion {
    /// The stack's ARN.
    pub id: StackId,
    /// When it was last updated; `None` until the first update.
    pub updated_at: Option<Moment>,
}

/// The stacks of one target, all from one paged listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// Where we looked.
    pub target: Target,
    /// When the first page was asked for: nothing of it is older.
    pub at: Moment,
    /// Every root stack in the target, ours or not, by the name of its key.
    pub stacks: BTreeMap<StackName, Seen>,
}

/// The template and stack policy that a version of a stack is known to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownTemplate {
    /// The version that this is known of.
    pub version: StackVersion,
    /// Digest of the template as AWS gives it back (non-ASCII characters mangled); `None` where
    /// an update was rolled back, which leaves nobody sure.
    pub template: Option<Digest>,
    /// Digest of the canonical stack policy; `None` when it has none.
    pub policy: Option<Digest>,
}

/// A change set of a stack, as far as it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSetSeen {
    /// How far it has come, and so what may be done with it.
    pub status: ChangeSetStatus,
    /// When AWS began to compute it.
    pub created_at: Option<Moment>,
    /// Whether it compares with how resources really are, and brings them back.
    pub reverts_drift: bool,
    /// What executing it would do to resources, from all pages, in AWS's order. A set without
    /// any may still be executable: it changes outputs only.
    pub changes: Vec<PlannedChange>,
}

/// How far a change set has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeSetStatus {
    /// AWS still computes it.
    Pending,
    /// AWS found nothing to do: the stack is what was asked for.
    Empty,
    /// AWS could not compute it, with its reason.
    Failed(String),
    /// It may be executed.
    Ready,
    /// It can no longer be executed: it was, or the stack changed since, or it is being deleted.
    Obsolete,
    /// A status that this program does not know; such a set is never executed.
    Unknown(String),
}

/// What one change set would do to one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedChange {
    /// The nested stacks that it is in, by their logical ids: `Child/Inner`; empty in the stack itself.
    #[serde(default)]
    pub within: String,
    /// The resource's name in the template.
    pub logical_id: String,
    /// The resource itself; `None` for one that does not exist yet.
    pub physical_id: Option<String>,
    /// Its type, such as `AWS::SQS::Queue`.
    pub kind: String,
    /// What happens to it.
    pub action: ChangeAction,
    /// Whether another one takes its place.
    pub replacement: Replacement,
    /// Names of the properties that are changed, as far as AWS says.
    #[serde(default)]
    pub touches: BTreeSet<String>,
    /// Whether nothing but its tags is changed, in place.
    #[serde(default)]
    pub only_tags: bool,
}

/// What one change set would do inside nested stacks, worked out by comparing their templates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesInside {
    /// To resources of nested stacks, by place.
    pub changes: Vec<PlannedChange>,
    /// Places of nested stacks of which nobody can say what happens inside.
    pub unseen: BTreeSet<String>,
}

/// What a change set does to a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeAction {
    /// It is created.
    Add,
    /// It is updated or replaced.
    Modify,
    /// It leaves the stack, and is deleted unless its policy says otherwise.
    Remove,
    /// It exists and enters the stack.
    Import,
    /// AWS cannot tell before it executes the set.
    Dynamic,
    /// Drift of it is taken over or reverted without another change.
    SyncWithActual,
    /// A word of AWS's that this program does not know.
    Unknown(String),
}

/// Whether a modified resource is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Replacement {
    /// It is updated in place, or not modified at all.
    Never,
    /// AWS cannot tell before it executes the set, or says it in a word that is unknown here.
    Conditional,
    /// A new one is made and the old one goes.
    Always,
}

/// One event of a stack, as AWS tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackEvent {
    /// When it happened.
    pub at: Moment,
    /// The resource's name in the template; the stack's own name for the stack.
    pub logical_id: String,
    /// The resource itself; the ARN for a stack. `None` before it exists.
    pub physical_id: Option<String>,
    /// Its type, such as `AWS::SQS::Queue`.
    pub kind: String,
    /// AWS's word, such as `CREATE_FAILED`.
    pub status: String,
    /// AWS's text.
    pub reason: Option<String>,
    /// The ClientRequestToken of the call that led to it.
    pub token: Option<String>,
}

/// One resource of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceSeen {
    /// Its name in the template.
    pub logical_id: String,
    /// The resource itself; `None` before it exists.
    pub physical_id: Option<String>,
    /// Its type, such as `AWS::SQS::Queue`.
    pub kind: String,
    /// AWS's word, such as `DELETE_FAILED`.
    pub status: String,
    /// Why it is in this status.
    pub reason: Option<String>,
    /// How it was when drift detection looked last.
    pub drift: DriftStatus,
}

impl PlannedChange {
    /// The resource within the stack: `Queue` or `Child/Queue`.
    pub fn place(&self) -> String {
        match self.within.as_str() {
            "" => self.logical_id.clone(),
            within => format!("{within}/{}", self.logical_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_matched_exactly() {
        for status in StackStatus::KNOWN {
            assert_eq!(&StackStatus::from(status.to_string()), status);
        }
        let longer = StackStatus::from("UPDATE_ROLLBACK_COMPLETE_".to_owned());
        assert_eq!(longer.standing(), Standing::Unclear);
        assert_eq!(StackStatus::RollbackComplete.standing(), Standing::NeverComplete);
        assert_eq!(StackStatus::UpdateRollbackComplete.standing(), Standing::Complete);
    }
}
