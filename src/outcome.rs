//! What became of the steps: causes of failures with their class, attempts, and the memory of one
//! stack that the next decision is based on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{Digest, ServiceName, StackId, TenantName};
use crate::moment::Moment;
use crate::observed::{ChangesInside, KnownTemplate, StackVersion};

mod class;
mod mark;
mod normal;

pub use class::is_throttling;
pub use mark::{LeftOut, Mark, Trouble};
pub use normal::{normalised, without_own};

/// What is done to one stack in one step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum StepKind {
    /// CreateStack.
    Create,
    /// Prepare an update as a change set of this name.
    CreateChangeSet {
        /// Derived from the token of the attempt.
        name: String,
    },
    /// Prepare to bring back what drifted, as a change set of this name.
    PrepareRevert {
        /// Derived from the token of the attempt.
        name: String,
        /// What of it.
        what: Box<BringBack>,
    },
    /// Execute the very change set that was checked to bring back what drifted.
    Revert {
        /// Its name.
        name: String,
    },
    /// Execute the very change set that was checked.
    ExecuteChangeSet {
        /// Its name.
        name: String,
    },
    /// Remove a change set that is not going to be executed.
    DeleteChangeSet {
        /// Its name.
        name: String,
    },
    /// DeleteStack.
    Delete {
        /// Logical ids to leave behind; legal only on DELETE_FAILED.
        retain: Vec<String>,
    },
    /// Continue a rollback that failed.
    ContinueRollback {
        /// Logical ids and types of resources that are left as they are.
        skip: BTreeMap<String, String>,
    },
    /// Roll back an update that failed.
    RollBack,
    /// Switch termination protection.
    SetTerminationProtection(bool),
    /// Set the stack policy.
    SetStackPolicy,
}

/// What is to be brought back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BringBack {
    /// Whether nested stacks are looked into.
    pub nested: bool,
    /// Findings, by their subject.
    pub subjects: Vec<String>,
}

impl StepKind {
    /// Whether AWS works on the stack after this call, so that it counts as in flight.
    pub fn starts_operation(&self) -> bool {
        matches!(
            self,
            Self::Create
                | Self::ExecuteChangeSet { .. }
                | Self::Revert { .. }
                | Self::Delete { .. }
        ) || self.is_repair()
    }

    /// Whether it brings back what drifted: the stack has its release before and after.
    pub fn reverts(&self) -> bool {
        matches!(self, Self::PrepareRevert { .. } | Self::Revert { .. })
    }

    /// Whether CloudFormation is given the template, and reads what it points to.
    pub fn gives_template(&self) -> bool {
        matches!(self, Self::Create) || self.prepares()
    }

    /// Whether it asks for a change set, which is named after the token.
    pub fn prepares(&self) -> bool {
        matches!(self, Self::CreateChangeSet { .. } | Self::PrepareRevert { .. })
    }

    /// Whether the stack has something of the release that it is made for afterwards.
    pub fn gives_release(&self) -> bool {
        match self {
            Self::Create
            | Self::ExecuteChangeSet { .. }
            | Self::SetTerminationProtection(_)
            | Self::SetStackPolicy => true,
            Self::CreateChangeSet { .. }
            | Self::PrepareRevert { .. }
            | Self::Revert { .. }
            | Self::DeleteChangeSet { .. }
            | Self::Delete { .. }
            | Self::ContinueRollback { .. }
            | Self::RollBack => false,
        }
    }

    /// Whether it mends what an earlier operation left: how that ended says nothing of what is wanted.
    pub fn is_repair(&self) -> bool {
        matches!(self, Self::ContinueRollback { .. } | Self::RollBack)
    }

    /// The name of the step in reports and tokens.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::CreateChangeSet { .. } => "prepare-update",
            Self::PrepareRevert { .. } => "prepare-revert",
            Self::Revert { .. } => "revert",
            Self::ExecuteChangeSet { .. } => "update",
            Self::DeleteChangeSet { .. } => "drop-change-set",
            Self::Delete { .. } => "delete",
            Self::ContinueRollback { .. } => "continue-rollback",
            Self::RollBack => "roll-back",
            Self::SetTerminationProtection(true) => "protect",
            Self::SetTerminationProtection(false) => "unprotect",
            Self::SetStackPolicy => "set-policy",
        }
    }
}

/// Who a failure counts against, and so who has to act.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum CauseClass {
    /// AWS's own trouble: tried again after a growing cooldown.
    Transient,
    /// This account or our access to it; only failures of our own calls.
    Account,
    /// What git says cannot be deployed: not tried again until git changes.
    Release,
}

impl fmt::Display for CauseClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transient => "transient",
            Self::Account => "account",
            Self::Release => "release",
        })
    }
}

/// Why something failed, as the first thing that failed says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Who it counts against.
    pub class: CauseClass,
    /// AWS's error code, or the status of the failed event.
    pub code: String,
    /// AWS's text, whole.
    pub text: String,
    /// Logical id and type of the resource that failed first.
    pub resource: Option<(String, String)>,
}

impl Cause {
    /// The cause of a call of ours that AWS refused.
    pub fn of_call(code: &str, text: &str) -> Self {
        let class = class::of_call(code, text);
        Self { class, code: code.to_owned(), text: text.to_owned(), resource: None }
    }

    /// The cause that the first failed event of an operation names.
    pub fn of_event(status: &str, text: &str, logical_id: &str, kind: &str) -> Self {
        Self {
            class: class::of_event(text),
            code: status.to_owned(),
            text: text.to_owned(),
            resource: Some((logical_id.to_owned(), kind.to_owned())),
        }
    }
}

/// `Queue (AWS::SQS::Queue): CREATE_FAILED: already exists`
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((logical_id, kind)) = &self.resource {
            write!(f, "{logical_id} ({kind}): ")?;
        }
        write!(f, "{}: {}", self.code, self.text)
    }
}

/// One call that was made, or may have been: it is written before the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What was asked for.
    pub kind: StepKind,
    /// The version of the stack that the decision was based on; `None` for a create.
    pub version: Option<StackVersion>,
    /// Digest of what was wanted; of nothing for a delete.
    pub digest: Digest,
    /// How many times this has been tried from this version; part of the token.
    pub number: u32,
    /// ClientRequestToken of the call.
    pub token: String,
    /// When it was written, just before the call.
    pub at: Moment,
    /// Whether AWS's answer came. One without an answer may be repeated with the same token.
    pub answered: bool,
    /// Whether its effect was seen, or is no longer to be expected.
    pub settled: bool,
    /// Whether what shows may be another's doing: an earlier try had no answer, or AWS said that
    /// something came before.
    #[serde(default)]
    pub doubtful: bool,
    /// Keyed hashes of the NoEcho values that it gave, by parameter.
    #[serde(default)]
    pub no_echo: BTreeMap<String, Digest>,
    /// How many times in a row this kind of step has been made from this version, repeated calls not
    /// counted.
    #[serde(default)]
    pub tries: u32,
    /// Why AWS refused it, where it is a repair.
    #[serde(default)]
    pub refused: Option<Cause>,
}

/// An operation that we asked for, as its events tell it apart from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// ClientRequestToken of the call.
    pub token: String,
    /// The step, by its word.
    pub step: String,
    /// Digest of what was wanted; of nothing for a delete.
    pub digest: Digest,
}

/// What became of the call that carries a step out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// AWS works on it; a later look shows how it ends.
    Started,
    /// It is done.
    Done,
    /// Nothing was started: what was seen is no longer so.
    LookAgain(String),
    /// AWS said no because something else came before: perhaps an earlier try of this very call.
    Overtaken(Cause),
    /// AWS said no.
    Failed(Cause),
    /// No answer came: it may have happened or not.
    Unknown(Cause),
}

/// The last failure that still matters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// Which step failed, by its word; `observed` for one that we did not start.
    pub step: String,
    /// What was wanted then; `None` when another's operation failed.
    pub digest: Option<Digest>,
    /// The version of the stack after the failure.
    pub version: Option<StackVersion>,
    /// How many times in a row.
    pub count: u32,
    /// When it was noticed.
    pub at: Moment,
}

/// A change set of ours that waits to be ready, executed or removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnChangeSet {
    /// Its name.
    pub name: String,
    /// The version of the stack it was made for.
    pub version: StackVersion,
    /// Digest of what was wanted then.
    pub digest: Digest,
    /// Logical ids of resources with a debt that it changes, as it was last seen.
    #[serde(default)]
    pub pays: BTreeSet<String>,
    /// Whether it brings back what drifted.
    #[serde(default)]
    pub reverts: bool,
    /// What it brings back.
    #[serde(default)]
    pub subjects: Vec<String>,
    /// What it does inside nested stacks, once that was looked into: it stays the same, so that a set
    /// that waits for a person costs no further calls.
    #[serde(default)]
    pub inside: Option<ChangesInside>,
}

/// What a change set said that cannot be brought back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Irreversible {
    /// The version of the stack.
    pub version: StackVersion,
    /// Digest of what was to be brought back.
    pub digest: Digest,
    /// What that was.
    pub subjects: Vec<String>,
    /// Why it cannot be.
    pub why: String,
}

/// A resource that was skipped when a rollback was continued: AWS believes that it was rolled back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debt {
    /// Its type.
    pub kind: String,
    /// When it was skipped.
    pub since: Moment,
}

/// What happens to a stack that git no longer gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnRemoval {
    /// It stays as it is, and is reported.
    #[default]
    Retain,
    /// It is deleted, within the limit on deletions.
    Delete,
}

/// What each service said last of what becomes of its stacks when it no longer gives them; of services
/// that are gone too.
pub type LastWords = BTreeMap<ServiceName, OnRemoval>;

/// What past outcomes mean for the next decision about one stack. Losing it costs calls, never a
/// stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The tenant it was last wanted for.
    pub tenant: Option<TenantName>,
    /// The service it was last wanted for.
    pub service: Option<ServiceName>,
    /// What its service said about removal last.
    pub on_removal: OnRemoval,
    /// The stack of this name that was seen complete; a stack that ever was complete is never
    /// deleted to be made again.
    pub ever_complete: Option<StackId>,
    /// The stack of this name that was seen to have failed before it ever was complete.
    pub never_complete: Option<StackId>,
    /// Template and policy of the version last looked into.
    pub known: Option<KnownTemplate>,
    /// A version that is in sync with a wanted digest though it does not look so: an empty change
    /// set said it.
    pub taught: Option<(StackVersion, Digest)>,
    /// What a change set said last that cannot be brought back.
    pub irreversible: Option<Irreversible>,
    /// What was brought back by a change set that was seen to have ended well, until that is noted.
    pub brought_back: Vec<String>,
    /// Keyed hashes of the NoEcho values last given, by parameter.
    pub no_echo: BTreeMap<String, Digest>,
    /// How many stacks of this name we have tried to create: part of the token of a create.
    pub creation_round: u32,
    /// The last step.
    pub attempt: Option<Attempt>,
    /// The last operation that we asked for and whose end no look has shown: that may come when
    /// nobody waits for it any more, and other steps were made.
    pub asked: Option<Asked>,
    /// The last failure.
    pub failure: Option<Failure>,
    /// Our pending change set.
    pub change_set: Option<OwnChangeSet>,
    /// Resources that are not as AWS believes, by logical id. One is paid when an update that changes
    /// it was executed.
    pub debts: BTreeMap<String, Debt>,
    /// The release that it was last seen in sync with.
    pub release: Option<Digest>,
    /// The release that it was last given, whatever became of it.
    pub taking: Option<Digest>,
    /// Where it stands in the rollout of its service.
    pub mark: Mark,
    /// The stack that was made by another and is looked after as this one: it keeps its own name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopted: Option<StackId>,
}

impl Memory {
    /// Notes the call that is about to be made. A repair goes on with the operation that it mends.
    pub fn begin(&mut self, attempt: Attempt) {
        let Attempt { kind, token, digest, .. } = &attempt;
        if kind.starts_operation() && !kind.is_repair() {
            let (token, step) = (token.clone(), kind.word().to_owned());
            self.asked = Some(Asked { token, step, digest: *digest });
        }
        self.attempt = Some(attempt);
    }

    /// The operation that we asked for and whose effect may still show: nobody has seen it yet, or
    /// its answer was lost, and listings lag.
    pub fn awaited(&self) -> Option<&Attempt> {
        let last = self.attempt.as_ref().filter(|last| last.kind.starts_operation());
        last.filter(|last| !last.settled || !last.answered)
    }

    /// Notes what its service said last: a target that nobody could see did not hear it.
    pub fn hear(&mut self, words: &LastWords) {
        if let Some(word) = self.service.as_ref().and_then(|service| words.get(service)) {
            self.on_removal = *word;
        }
    }
}
