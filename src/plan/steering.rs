//! What people have said: suspensions, and approvals of exactly what they were shown.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::{Digest, InvalidName, ServiceName, TenantName};
use crate::moment::Moment;

/// What a suspension stops.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// Everything.
    Fleet,
    /// All stacks of one service.
    Service(ServiceName),
    /// All stacks of one tenant.
    Tenant(TenantName),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fleet => f.write_str("fleet"),
            Self::Service(name) => write!(f, "service/{name}"),
            Self::Tenant(name) => write!(f, "tenant/{name}"),
        }
    }
}

impl FromStr for Scope {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.split_once('/') {
            None if text == "fleet" => Ok(Self::Fleet),
            Some(("service", name)) => Ok(Self::Service(name.parse()?)),
            Some(("tenant", name)) => Ok(Self::Tenant(name.parse()?)),
            _ => Err(InvalidName(format!(
                "`{text}` is not a scope: write fleet, service/NAME or tenant/NAME"
            ))),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

/// A person's word that nothing new may be started in a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// What it stops.
    pub scope: Scope,
    /// Who said it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Moment,
}

/// What kind of thing waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalKind {
    /// Deletions beyond the limit. Members are the ids of the stacks.
    Deletions,
    /// An update that removes or replaces protected resources. The one member is the digest of
    /// stack id, wanted digest, resources and actions.
    Protected,
    /// A stack that stands under another name, account or tenant. The one member names both.
    Rename,
    /// A revision that is not a descendant of the last one. The one member is the revision.
    Revision,
}

impl fmt::Display for ApprovalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deletions => "deletions",
            Self::Protected => "protected resources",
            Self::Rename => "rename",
            Self::Revision => "rewritten history",
        })
    }
}

/// Something that waits until a person says yes to exactly this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRequest {
    /// What people type: twelve hexadecimal characters that change with the members.
    pub id: String,
    /// What kind of thing it is.
    pub kind: ApprovalKind,
    /// Exactly what would be approved.
    pub members: BTreeSet<String>,
    /// In words, one line.
    pub summary: String,
}

impl ApprovalRequest {
    /// A request for these members; the id follows from kind and members alone.
    pub fn of(kind: ApprovalKind, members: BTreeSet<String>, summary: String) -> Self {
        let word = kind.to_string();
        let parts = std::iter::once(word.as_bytes()).chain(members.iter().map(String::as_bytes));
        Self { id: Digest::of_parts(parts).short(), kind, members, summary }
    }
}

/// A person's yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Id of the request.
    pub id: String,
    /// Its kind.
    pub kind: ApprovalKind,
    /// Exactly what was approved.
    pub members: BTreeSet<String>,
    /// Who said yes.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Moment,
    /// From when on it counts no more.
    pub expires_at: Moment,
}

/// All that people have said and that counts now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steering {
    /// What is stopped.
    pub suspensions: Vec<Suspension>,
    /// What is allowed.
    pub approvals: Vec<Approval>,
}

impl Steering {
    /// The suspension that stops this service in this tenant, the widest first.
    pub fn suspended(&self, tenant: &TenantName, service: &ServiceName) -> Option<&Suspension> {
        let stops = |suspension: &&Suspension| match &suspension.scope {
            Scope::Fleet => true,
            Scope::Service(name) => name == service,
            Scope::Tenant(name) => name == tenant,
        };
        self.suspensions.iter().filter(stops).min_by(|a, b| a.scope.cmp(&b.scope))
    }

    /// Whether `member` was approved and the approval has not expired.
    pub fn approves(&self, kind: ApprovalKind, member: &str, now: Moment) -> bool {
        self.approvals.iter().any(|approval| {
            approval.kind == kind && now < approval.expires_at && approval.members.contains(member)
        })
    }
}
