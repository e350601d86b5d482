//! What people have said and what waits for them, for programs.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::moment::Moment;
use crate::plan::{Approval, ApprovalKind, ApprovalRequest, Suspension};
use crate::report::output::{FORMAT_VERSION, list, time};

/// What waits for a person, or what one just approved.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Approvals {
    /// Moves when a field changes its meaning or goes; fields may come.
    pub version: u32,
    /// When it was so.
    pub at: String,
    /// All that waits; after an approval, the one that it is for.
    pub requests: Vec<Requested>,
}

/// Something that waits until a person says yes to exactly this.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Requested {
    /// What `driftless approve` is given.
    pub id: String,
    /// What kind of thing it is.
    pub kind: ApprovalKind,
    /// Exactly what would be approved.
    pub members: BTreeSet<String>,
    /// In words.
    pub summary: String,
    /// Since when it waits; null where that is not known.
    pub since: Option<String>,
    /// The approval that counts, of `driftless approve` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<Given>,
}

/// A person's yes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Given {
    /// Who said yes.
    pub by: String,
    /// Why; may be empty.
    pub reason: String,
    /// When.
    pub at: String,
    /// From when on it counts no more.
    pub expires_at: String,
}

impl Approvals {
    /// What waits since when, with the approvals that count.
    pub fn of(requests: &[(ApprovalRequest, Moment)], given: &[Approval], now: Moment) -> Self {
        let requested = |(request, since): &(ApprovalRequest, Moment)| Requested {
            approved: given.iter().find(|approval| approval.id == request.id).map(Given::of),
            ..Requested::of(request, Some(*since))
        };
        let requests = list(requests, requested);
        Self { version: FORMAT_VERSION, at: time(now), requests }
    }

    /// What was approved just now.
    pub fn given(approval: &Approval, summary: &str, since: Option<Moment>) -> Self {
        let request = Requested {
            id: approval.id.clone(),
            kind: approval.kind,
            members: approval.members.clone(),
            summary: summary.to_owned(),
            since: since.map(time),
            approved: Some(Given::of(approval)),
        };
        Self { version: FORMAT_VERSION, at: time(approval.at), requests: vec![request] }
    }
}

impl Requested {
    pub(super) fn of(request: &ApprovalRequest, since: Option<Moment>) -> Self {
        Self {
            id: request.id.clone(),
            kind: request.kind,
            members: request.members.clone(),
            summary: request.summary.clone(),
            since: since.map(time),
            approved: None,
        }
    }
}

impl Given {
    fn of(approval: &Approval) -> Self {
        Self {
            by: approval.by.clone(),
            reason: approval.reason.clone(),
            at: time(approval.at),
            expires_at: time(approval.expires_at),
        }
    }
}

/// What is suspended by commands.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Suspensions {
    /// Moves when a field changes its meaning or goes; fields may come.
    pub version: u32,
    /// When it was so.
    pub at: String,
    /// Everything that is suspended, after what was asked for.
    pub suspensions: Vec<Suspended>,
}

/// A person's word that nothing new may be started in a scope.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Suspended {
    /// `fleet`, `service/NAME` or `tenant/NAME`.
    pub scope: String,
    /// Who said it.
    pub by: String,
    /// Why; may be empty.
    pub reason: String,
    /// When.
    pub at: String,
}

impl Suspensions {
    /// All suspensions at one moment.
    pub fn of(suspensions: &[Suspension], now: Moment) -> Self {
        let suspensions = list(suspensions, Suspended::of);
        Self { version: FORMAT_VERSION, at: time(now), suspensions }
    }
}

impl Suspended {
    pub(super) fn of(suspension: &Suspension) -> Self {
        Self {
            scope: suspension.scope.to_string(),
            by: suspension.by.clone(),
            reason: suspension.reason.clone(),
            at: time(suspension.at),
        }
    }
}
