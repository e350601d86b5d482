//! Where the stacks of the fleet stand, for programs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::drift::{Severity, Signature};
use crate::ids::{ServiceName, TenantName};
use crate::plan::Weight;
use crate::report::output::steering::{Requested, Suspended};
use crate::report::output::{FORMAT_VERSION, list, texts, time, value};
use crate::report::status::{HaltedRollout, StackLine};
use crate::report::{
    AcceptedRevision, BlindGroup, Group, Origin, RefusedRevision, SilentChannel, Status,
};

/// All weights, so that a program finds a count for each.
const WEIGHTS: [Weight; 4] = [Weight::Settled, Weight::LeftAlone, Weight::Waiting, Weight::Stuck];

/// The whole status. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusOutput {
    /// Moves when a field changes its meaning or goes; fields may come.
    pub version: u32,
    /// When it was so.
    pub at: String,
    /// In one line.
    pub headline: String,
    /// Whether something is stuck: the exit code is 3 then.
    pub needs_attention: bool,
    /// How many stacks there are.
    pub stack_count: usize,
    /// How many tenants they belong to.
    pub tenant_count: usize,
    /// How many stacks there are of each weight, all weights named.
    pub counts: BTreeMap<Weight, usize>,
    /// How many of the settled ones stand where nobody can look now: they were in sync at the last
    /// look that worked.
    pub out_of_sight: usize,
    /// The revision that is followed.
    pub revision: Option<Followed>,
    /// Where the fleet is fetched from; null where it is read on the machine itself.
    pub origin: Option<FetchedFrom>,
    /// The newest revision, when it has errors and is not followed.
    pub refused: Option<Refused>,
    /// Stacks that do not move, together by the reason.
    pub groups: Vec<HeldGroup>,
    /// Targets that cannot be observed.
    pub blind: Vec<Unseen>,
    /// What is suspended by commands.
    pub suspensions: Vec<Suspended>,
    /// What waits for a person.
    pub requests: Vec<Requested>,
    /// Releases that no further stack takes.
    pub halted: Vec<HaltedRelease>,
    /// What drifted, the worst first.
    pub drifted: Vec<Drifted>,
    /// Channels that cannot be told.
    pub silent_channels: Vec<SilentOne>,
    /// Every stack; null when they are too many and nobody asked for them.
    pub stacks: Option<Vec<StackOutput>>,
}

/// A revision that is followed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Followed {
    /// Its id.
    pub revision: String,
    /// When it was committed; null outside git.
    pub committed_at: Option<String>,
    /// When it was accepted.
    pub accepted_at: String,
}

/// Where the fleet is fetched from.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FetchedFrom {
    /// The address without credentials, the branch and the folder, in words.
    pub from: String,
    /// When it was fetched last.
    pub fetched_at: Option<String>,
    /// Why it cannot be fetched now; null when it can.
    pub trouble: Option<Unfetched>,
}

/// Why the fleet cannot be fetched.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unfetched {
    /// What happened, what others say about it, and what to do.
    pub text: String,
    /// Since when.
    pub since: String,
    /// How often it was tried since then.
    pub attempts: u32,
    /// When it is tried next.
    pub next_at: String,
}

/// A revision that is not followed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Refused {
    /// Its id.
    pub revision: String,
    /// How many errors it has.
    pub errors: usize,
    /// Its findings as text.
    pub findings: String,
    /// When it was refused.
    pub at: String,
}

/// Stacks that do not move for the same reason.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HeldGroup {
    /// How much it matters.
    pub weight: Weight,
    /// A stable word: `in-sync`, `update`, `not-ours`, ...
    pub code: String,
    /// A sentence.
    pub text: String,
    /// How many stacks.
    pub count: usize,
    /// A few of them.
    pub examples: Vec<String>,
    /// What a person can do about it.
    pub help: Option<String>,
    /// The id of the approval that would let them go on.
    pub approval: Option<String>,
    /// Since when the first of them.
    pub since: String,
}

/// Targets that cannot be observed for the same reason.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Unseen {
    /// The kind of obstacle.
    pub reason: String,
    /// What AWS said about the first of them.
    pub message: String,
    /// What a person can do; null where only waiting helps.
    pub help: Option<&'static str>,
    /// Which: ACCOUNT/REGION.
    pub targets: Vec<String>,
    /// Since when the first of them.
    pub since: String,
}

/// A release that no further stack takes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HaltedRelease {
    /// Of which service.
    pub service: ServiceName,
    /// Which.
    pub release: String,
    /// Since when.
    pub since: String,
    /// The reason.
    pub why: String,
    /// What all stacks that failed have and no healthy one.
    pub shared: Option<String>,
    /// The person who said so; null where too many stacks failed.
    pub by: Option<String>,
    /// Whether the stacks that have it go back.
    pub reverting: bool,
}

/// The same drift, wherever it was found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Drifted {
    /// How bad it is.
    pub severity: Severity,
    /// The service.
    pub service: Option<ServiceName>,
    /// The resource: `Queue` or `Child/Queue`.
    pub resource: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// What is not as it was made.
    pub what: String,
    /// In how many stacks.
    pub count: usize,
    /// When the first was found.
    pub since: String,
}

/// A channel that cannot be told.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SilentOne {
    /// Its name.
    pub name: String,
    /// What the other side said.
    pub why: String,
    /// Since when.
    pub since: String,
    /// Whether it is given up until a person mends it.
    pub needs_person: bool,
    /// How many messages wait for it.
    pub waiting: usize,
}

/// One stack.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StackOutput {
    /// ACCOUNT/REGION/NAME.
    pub stack: String,
    /// The tenant it was last wanted for.
    pub tenant: Option<TenantName>,
    /// The service it was last wanted for.
    pub service: Option<ServiceName>,
    /// Its status in AWS at the last look; null when it was not there.
    pub status: Option<String>,
    /// Whether git gives it.
    pub wanted: bool,
    /// How much it matters.
    pub weight: Weight,
    /// A stable word: `in-sync`, `update`, `not-ours`, ...
    pub code: String,
    /// A sentence.
    pub text: String,
    /// What a person can do about it.
    pub help: Option<String>,
    /// The id of the approval that would let it go on.
    pub approval: Option<String>,
    /// Since when.
    pub since: String,
}

impl Status {
    /// The whole status for programs.
    pub fn json(&self) -> serde_json::Value {
        value(&StatusOutput::of(self))
    }
}

impl StatusOutput {
    /// Of a status.
    pub fn of(status: &Status) -> Self {
        let around = &status.around;
        Self {
            version: FORMAT_VERSION,
            at: time(status.now),
            headline: status.headline(),
            needs_attention: status.needs_attention(),
            stack_count: status.total,
            tenant_count: status.tenants,
            counts: WEIGHTS.into_iter().map(|weight| (weight, status.count(weight))).collect(),
            out_of_sight: status.out_of_sight,
            revision: around.accepted.as_ref().map(Followed::of),
            origin: around.origin.as_ref().map(FetchedFrom::of),
            refused: around.refused.as_ref().map(Refused::of),
            groups: list(&status.groups, HeldGroup::of),
            blind: list(&status.blind, Unseen::of),
            suspensions: list(&around.steering.suspensions, Suspended::of),
            requests: list(&around.requests, |(asked, since)| Requested::of(asked, Some(*since))),
            halted: list(&around.halted, HaltedRelease::of),
            drifted: list(&around.drifted, Drifted::of),
            silent_channels: list(&around.silent, SilentOne::of),
            stacks: status.stacks.as_ref().map(|stacks| list(stacks, StackOutput::of)),
        }
    }
}

impl Followed {
    fn of(accepted: &AcceptedRevision) -> Self {
        Self {
            revision: accepted.revision.as_str().to_owned(),
            committed_at: accepted.committed_at.map(time),
            accepted_at: time(accepted.at),
        }
    }
}

impl FetchedFrom {
    fn of(origin: &Origin) -> Self {
        Self {
            from: origin.from.clone(),
            fetched_at: origin.fetched_at.map(time),
            trouble: origin.trouble.as_ref().map(|trouble| Unfetched {
                text: trouble.text.clone(),
                since: time(trouble.since),
                attempts: trouble.attempts,
                next_at: time(trouble.next_at),
            }),
        }
    }
}

impl Refused {
    fn of(refused: &RefusedRevision) -> Self {
        Self {
            revision: refused.revision.as_str().to_owned(),
            errors: refused.count,
            findings: refused.findings.clone(),
            at: time(refused.at),
        }
    }
}

impl HeldGroup {
    fn of(group: &Group) -> Self {
        Self {
            weight: group.weight,
            code: group.code.clone(),
            text: group.text.clone(),
            count: group.count,
            examples: texts(&group.examples),
            help: group.help.clone(),
            approval: group.approval.clone(),
            since: time(group.since),
        }
    }
}

impl Unseen {
    fn of(group: &BlindGroup) -> Self {
        Self {
            reason: group.reason.to_string(),
            message: group.message.clone(),
            help: group.reason.help(),
            targets: texts(&group.targets),
            since: time(group.since),
        }
    }
}

impl HaltedRelease {
    fn of(HaltedRollout { service, release, halt }: &HaltedRollout) -> Self {
        Self {
            service: service.clone(),
            release: release.short(),
            since: time(halt.at),
            why: halt.why.clone(),
            shared: halt.shared.clone(),
            by: halt.by.clone(),
            reverting: halt.reverting,
        }
    }
}

impl Drifted {
    fn of(one: &Signature) -> Self {
        Self {
            severity: one.severity,
            service: one.service.clone(),
            resource: one.place.clone(),
            kind: one.kind.clone(),
            what: one.what.clone(),
            count: one.stacks.len(),
            since: time(one.since),
        }
    }
}

impl SilentOne {
    fn of(SilentChannel { name, trouble, waiting }: &SilentChannel) -> Self {
        Self {
            name: name.clone(),
            why: trouble.text.clone(),
            since: time(trouble.since),
            needs_person: trouble.needs_person,
            waiting: *waiting,
        }
    }
}

impl StackOutput {
    fn of(line: &StackLine) -> Self {
        Self {
            stack: line.key.to_string(),
            tenant: line.tenant.clone(),
            service: line.service.clone(),
            status: line.status.as_ref().map(|status| status.as_str().to_owned()),
            wanted: line.wanted,
            weight: line.verdict.weight,
            code: line.verdict.code.clone(),
            text: line.verdict.text.clone(),
            help: line.verdict.help.clone(),
            approval: line.verdict.approval.clone(),
            since: time(line.since),
        }
    }
}
