//! What people have said: suspensions, and approvals of exactly what they were shown.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
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
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
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
    /// Bringing back what drifted. A member names a stack by its id, and one finding.
    Revert,
    /// What a plan allows to be done to the resources of a release, a member each.
    Plan,
    /// A wave of a rollout. The one member names service, wave and release.
    Wave,
    /// Taking over a stack that this changes otherwise than in its tags, or nobody can tell. A member
    /// is the digest of stack id, wanted digest and changes, or names a parameter of a release.
    Adoption,
}

/// An ordinary approval is about how things stand; a day later they stand otherwise.
const LASTS: Duration = Duration::from_secs(24 * 60 * 60);
/// What a plan names is of one release, and does not change: it counts for as long as anybody wants
/// that release.
const PLAN_LASTS: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl ApprovalKind {
    /// When an approval that is given now counts no more, unless somebody says otherwise.
    pub fn expires_at(self, now: Moment) -> Moment {
        match self {
            Self::Plan => now + PLAN_LASTS,
            Self::Deletions
            | Self::Protected
            | Self::Rename
            | Self::Revision
            | Self::Revert
            | Self::Wave
            | Self::Adoption => now + LASTS,
        }
    }
}

impl fmt::Display for ApprovalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deletions => "deletions",
            Self::Protected => "protected resources",
            Self::Rename => "rename",
            Self::Revision => "rewritten history",
            Self::Revert => "revert drift",
            Self::Plan => "plan",
            Self::Wave => "wave",
            Self::Adoption => "adoption",
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
    pub fn approved_at(&self, kind: ApprovalKind, member: &str, now: Moment) -> Option<Moment> {
        let counts = self.approvals.iter().filter(|approval| {
            approval.kind == kind && now < approval.expires_at && approval.members.contains(member)
        });
        counts.map(|approval| approval.at).max()
    }

    /// Whether a person said yes to this, and it still counts at `now`.
    pub fn approves(&self, kind: ApprovalKind, member: &str, now: Moment) -> bool {
        self.approvals.iter().any(|approval| {
            approval.kind == kind && now < approval.expires_at && approval.members.contains(member)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_millis(1_000_000_000);

    fn suspension(scope: &str) -> Suspension {
        let scope = scope.parse().expect("a scope");
        Suspension { scope, by: "ann".to_owned(), reason: "wait".to_owned(), at: NOW }
    }

    #[test]
    fn a_scope_is_read_as_it_is_written_and_nothing_else_is_one() {
        for text in ["fleet", "service/api", "tenant/acme"] {
            let scope: Scope = text.parse().expect("a scope");
            assert_eq!((scope.to_string().as_str(), String::from(scope).as_str()), (text, text));
        }
        for text in ["api", "service/", "account/acme", ""] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_suspension_stops_what_is_in_its_scope_and_the_widest_is_named() {
        let mut steering = Steering {
            suspensions: vec![suspension("tenant/acme"), suspension("service/api")],
            ..Steering::default()
        };
        let stops = |steering: &Steering, tenant: &str, service: &str| {
            let tenant = tenant.parse().expect("a name");
            let service = service.parse().expect("a name");
            steering.suspended(&tenant, &service).map(|one| one.scope.to_string())
        };
        assert_eq!(stops(&steering, "globex", "web"), None);
        assert_eq!(stops(&steering, "acme", "web").as_deref(), Some("tenant/acme"));
        assert_eq!(stops(&steering, "globex", "api").as_deref(), Some("service/api"));
        assert_eq!(stops(&steering, "acme", "api").as_deref(), Some("service/api"));
        steering.suspensions.push(suspension("fleet"));
        assert_eq!(stops(&steering, "acme", "api").as_deref(), Some("fleet"));
    }

    #[test]
    fn an_approval_is_of_one_kind_of_its_members_until_it_expires() {
        let expires_at = NOW + Duration::from_secs(60);
        let approval = Approval {
            id: "id".to_owned(),
            kind: ApprovalKind::Rename,
            members: ["a".to_owned(), "b".to_owned()].into(),
            by: "ann".to_owned(),
            reason: "it is right".to_owned(),
            at: NOW,
            expires_at,
        };
        let steering = Steering { approvals: vec![approval], ..Steering::default() };
        let before = expires_at - Duration::from_millis(1);
        assert!(steering.approves(ApprovalKind::Rename, "b", before));
        assert!(!steering.approves(ApprovalKind::Rename, "b", expires_at));
        assert!(!steering.approves(ApprovalKind::Rename, "c", before));
        assert!(!steering.approves(ApprovalKind::Protected, "b", before));
    }

    #[test]
    fn requests_of_the_same_members_of_two_kinds_have_two_ids() {
        let kinds = [
            ApprovalKind::Deletions,
            ApprovalKind::Protected,
            ApprovalKind::Rename,
            ApprovalKind::Revision,
            ApprovalKind::Plan,
            ApprovalKind::Wave,
        ];
        let id = |kind| ApprovalRequest::of(kind, ["a".to_owned()].into(), String::new()).id;
        let ids: BTreeSet<String> = kinds.map(id).into();
        assert_eq!(ids.len(), kinds.len());
    }
}
