//! All that is known of one stack, for programs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::ids::{ServiceName, TenantName};
use crate::observed::Seen;
use crate::outcome::{CauseClass, OnRemoval};
use crate::plan::{StackRecord, Weight};
use crate::report::output::steering::{Requested, Suspended};
use crate::report::output::{FORMAT_VERSION, list, time, value};
use crate::report::{Event, Explanation, InWave, NestedStack};

/// The whole explanation. Times are RFC 3339 in UTC, but those of `wave`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    /// Moves when a field changes its meaning or goes; fields may come.
    pub version: u32,
    /// When it was so.
    pub at: String,
    /// In one line.
    pub headline: String,
    /// ACCOUNT/REGION/NAME.
    pub stack: String,
    /// The tenant it was last wanted for.
    pub tenant: Option<TenantName>,
    /// The service it was last wanted for.
    pub service: Option<ServiceName>,
    /// Whether git gives it.
    pub wanted: bool,
    /// What becomes of it when git no longer gives it.
    pub on_removal: OnRemoval,
    /// The id of the revision that is followed.
    pub revision: Option<String>,
    /// What was decided last.
    pub verdict: Decided,
    /// When it was looked at last.
    pub looked_at: String,
    /// Why it cannot be seen.
    pub blind: Option<BlindTarget>,
    /// What it was at the last look; null when it was not there.
    pub seen: Option<SeenStack>,
    /// The last call that was made for it.
    pub last_step: Option<LastStep>,
    /// The last failure that counts.
    pub last_failure: Option<LastFailure>,
    /// The name of our pending change set.
    pub change_set: Option<String>,
    /// The suspension that stops it.
    pub suspension: Option<Suspended>,
    /// The request that holds it.
    pub request: Option<Requested>,
    /// How it goes with the releases of its service.
    pub wave: Option<InWave>,
    /// The stacks that are nested in it by the release that it has, each before those nested in it.
    pub nested: Vec<NestedStack>,
    /// What happened to it, newest first.
    pub history: Vec<Happened>,
}

/// A decision.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Decided {
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
    /// Since when it has had this code.
    pub since: String,
}

/// Why a target cannot be observed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BlindTarget {
    /// The kind of obstacle.
    pub reason: String,
    /// What AWS said.
    pub message: String,
    /// What a person can do; null where only waiting helps.
    pub help: Option<&'static str>,
    /// Since when.
    pub since: String,
}

/// A stack as AWS described it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeenStack {
    /// Its ARN.
    pub id: String,
    /// Its status.
    pub status: String,
    /// AWS's words about the status.
    pub status_reason: Option<String>,
    /// When it was created.
    pub created_at: String,
    /// When it was last updated by anybody.
    pub updated_at: Option<String>,
    /// Values of all parameters; `****` where AWS hides one.
    pub parameters: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// Whether it refuses to be deleted.
    pub termination_protection: bool,
}

/// A call that was made, or may have been.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LastStep {
    /// What was asked for.
    pub step: String,
    /// How many times it has been tried.
    pub attempt: u32,
    /// When.
    pub at: String,
    /// Whether its effect was seen, or is no longer to be expected.
    pub settled: bool,
}

/// What failed last.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LastFailure {
    /// What was tried.
    pub step: String,
    /// Who it counts against.
    pub class: CauseClass,
    /// AWS's error code, or the status of the failed event.
    pub code: String,
    /// AWS's text.
    pub text: String,
    /// The resource that failed first.
    pub resource: Option<FailedResource>,
    /// How many times in a row.
    pub count: u32,
    /// When.
    pub at: String,
}

/// A resource that failed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailedResource {
    /// Its name in the template.
    pub logical_id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Happened {
    /// When.
    pub at: String,
    /// `fleet`, ACCOUNT/REGION or ACCOUNT/REGION/NAME.
    pub about: String,
    /// A stable word.
    pub kind: String,
    /// A sentence.
    pub text: String,
}

impl Explanation {
    /// The whole explanation for programs.
    pub fn json(&self) -> serde_json::Value {
        value(&Explained::of(self))
    }
}

impl Explained {
    /// Of an explanation.
    pub fn of(explanation: &Explanation) -> Self {
        let record = &explanation.record;
        let blind = explanation.blind().map(|(blind, since)| BlindTarget {
            reason: blind.reason.to_string(),
            message: blind.message.clone(),
            help: blind.reason.help(),
            since: time(*since),
        });
        Self {
            version: FORMAT_VERSION,
            at: time(explanation.now),
            headline: explanation.headline(),
            stack: record.key.to_string(),
            tenant: record.memory.tenant.clone(),
            service: record.memory.service.clone(),
            wanted: record.wanted,
            on_removal: record.memory.on_removal,
            revision: explanation.accepted.as_ref().map(|one| one.revision.as_str().to_owned()),
            verdict: Decided::of(record),
            looked_at: time(explanation.looked_at()),
            blind,
            seen: record.seen.as_ref().map(SeenStack::of),
            last_step: LastStep::of(record),
            last_failure: LastFailure::of(record),
            change_set: record.memory.change_set.as_ref().map(|set| set.name.clone()),
            suspension: explanation.suspension.as_ref().map(Suspended::of),
            request: explanation.request.as_ref().map(|asked| Requested::of(asked, None)),
            wave: explanation.wave.clone(),
            nested: explanation.nested.clone(),
            history: list(&explanation.history, Happened::of),
        }
    }
}

impl Decided {
    fn of(record: &StackRecord) -> Self {
        let verdict = &record.verdict;
        Self {
            weight: verdict.weight,
            code: verdict.code.clone(),
            text: verdict.text.clone(),
            help: verdict.help.clone(),
            approval: verdict.approval.clone(),
            since: time(record.verdict_since),
        }
    }
}

impl SeenStack {
    fn of(seen: &Seen) -> Self {
        Self {
            id: seen.id.as_str().to_owned(),
            status: seen.status.as_str().to_owned(),
            status_reason: seen.status_reason.clone(),
            created_at: time(seen.created_at),
            updated_at: seen.updated_at.map(time),
            parameters: seen.parameters.clone(),
            tags: seen.tags.clone(),
            outputs: seen.outputs.clone(),
            termination_protection: seen.termination_protection,
        }
    }
}

impl LastStep {
    fn of(record: &StackRecord) -> Option<Self> {
        let attempt = record.memory.attempt.as_ref()?;
        Some(Self {
            step: attempt.kind.word().to_owned(),
            attempt: attempt.number,
            at: time(attempt.at),
            settled: attempt.settled,
        })
    }
}

impl LastFailure {
    fn of(record: &StackRecord) -> Option<Self> {
        let failure = record.memory.failure.as_ref()?;
        let resource = failure.cause.resource.as_ref();
        Some(Self {
            step: failure.step.clone(),
            class: failure.cause.class,
            code: failure.cause.code.clone(),
            text: failure.cause.text.clone(),
            resource: resource
                .map(|(id, kind)| FailedResource { logical_id: id.clone(), kind: kind.clone() }),
            count: failure.count,
            at: time(failure.at),
        })
    }
}

impl Happened {
    fn of(event: &Event) -> Self {
        Self {
            at: time(event.at),
            about: event.about.to_string(),
            kind: event.kind.clone(),
            text: event.text.clone(),
        }
    }
}
