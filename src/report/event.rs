//! What has happened, as it is kept and told: events, and the revisions that were accepted or
//! refused.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{Revision, StackKey, Target};
use crate::moment::Moment;

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// The fleet as a whole: revisions, suspensions, approvals.
    Fleet,
    /// One target.
    Target(Target),
    /// One stack.
    Stack(StackKey),
}

/// `fleet`, `111122223333/eu-central-1` or `111122223333/eu-central-1/scan-api`
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fleet => f.write_str("fleet"),
            Self::Target(target) => target.fmt(f),
            Self::Stack(key) => key.fmt(f),
        }
    }
}

/// Something that happened and that somebody may ask about later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Moment,
    /// What it is about.
    pub about: Subject,
    /// A stable word for programs: `created`, `failed`, `suspended`, ...
    pub kind: String,
    /// A sentence for people; never a parameter value or a credential.
    pub text: String,
}

/// The revision that the fleet is being brought to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedRevision {
    /// Which one.
    pub revision: Revision,
    /// When it was committed; unknown outside git.
    pub committed_at: Option<Moment>,
    /// When it was accepted.
    pub at: Moment,
}

/// The newest revision, when it has errors and is therefore not followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRevision {
    /// Which one.
    pub revision: Revision,
    /// Its findings, drawn as text.
    pub findings: String,
    /// How many of them are errors.
    pub count: usize,
    /// When it was refused.
    pub at: Moment,
}
