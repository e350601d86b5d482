//! Look at one target: one paged listing, and what else has to be asked about single stacks.

mod drift;
mod nested;

pub use crate::plan::looking::swept_targets;
pub use drift::{Looked, Looking, asked_again};

use std::collections::BTreeMap;

use crate::aws::{AwsError, TargetApi};
use crate::clock::Clock;
use crate::desired::Desired;
use crate::fleet::StackPolicy;
use crate::ids::StackName;
use crate::moment::Moment;
use crate::observed::{Blind, BlindReason, KnownTemplate, Look, Seen, StackStatus, Standing};
use crate::outcome::{Cause, Memory, StepKind};
use crate::package::digest_of_seen;
use crate::plan::{
    CLOCK_SKEW, Insight, Operation, StackRecord, has_failed, is_candidate, last_operation,
    ownership, presented, token, wants_events,
};

/// This many known stacks missing at once are a sign that the listing is wrong.
const SUSPICIOUSLY_MISSING: usize = 2;

/// What one look at a target found.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The listing.
    pub look: Look,
    /// What was asked about single stacks.
    pub insights: BTreeMap<StackName, Insight>,
    /// The last operations of stacks that failed, or that may have been changed by another.
    pub operations: BTreeMap<StackName, Operation>,
    /// Templates and policies of versions that were new to us.
    pub learnt: BTreeMap<StackName, KnownTemplate>,
    /// Id of another controller that is at work here.
    pub another_controller: Option<String>,
}

/// Looks at the target that `api` calls. `records` are its rows in the journal, `controller` is
/// our own id.
pub async fn observe(
    api: &TargetApi,
    clock: &Clock,
    desired: &Desired,
    records: &BTreeMap<StackName, StackRecord>,
    controller: &str,
) -> Result<Sight, Blind> {
    // What the first page shows is not younger than this.
    let at = clock.now();
    let listed = api.list().await.map_err(|error| blind(api, &error))?;
    let mut stacks: BTreeMap<StackName, Seen> =
        listed.into_iter().map(|seen| (seen.key.name.clone(), seen)).collect();
    confirm_older(api, &mut stacks, records).await?;
    confirm_missing(api, &mut stacks, records).await?;
    find_working(api, &mut stacks, records).await?;
    let stacks = presented(desired, api.target(), stacks, records);
    let look = Look { target: api.target().clone(), at, stacks: BTreeMap::new() };
    let mut sight = Sight {
        insights: BTreeMap::new(),
        operations: BTreeMap::new(),
        learnt: BTreeMap::new(),
        another_controller: None,
        look,
    };
    let none = Memory::default();
    for (name, seen) in &stacks {
        if ownership::is_ours(seen, &desired.fleet.name) || is_candidate(desired, seen) {
            let memory = records.get(name).map_or(&none, |record| &record.memory);
            ask_about(api, desired, seen, memory, controller, &mut sight)
                .await
                .map_err(|error| blind(api, &error))?;
        }
    }
    sight.look.stacks = stacks;
    Ok(sight)
}

fn blind(api: &TargetApi, error: &AwsError) -> Blind {
    Blind { reason: error.blind_reason(&api.target().region), message: error.to_string() }
}

/// Stacks that the listing shows as they were before we saw them last are asked for one by one:
/// listings lag, and what is long over must not be taken for news.
async fn confirm_older(
    api: &TargetApi,
    stacks: &mut BTreeMap<StackName, Seen>,
    records: &BTreeMap<StackName, StackRecord>,
) -> Result<(), Blind> {
    let known = records.values().filter_map(|record| record.seen.as_ref());
    for known in known {
        // Listed under its own name, whatever it is called here.
        let name = known.own_name();
        let Some(listed) = stacks.get_mut(&name) else { continue };
        if listed.id != known.id || listed.updated_at >= known.updated_at {
            continue;
        }
        let found = api.describe(known.id.as_str()).await.map_err(|error| blind(api, &error))?;
        match found.filter(|found| found.status.standing() != Standing::Gone) {
            Some(found) => *listed = found,
            None => drop(stacks.remove(&name)),
        }
    }
    Ok(())
}

/// Known stacks that are missing from the listing are asked for one by one. One that is there is
/// taken as it was found: pages shift while they are read. Of several, AWS must say of each that it
/// was deleted, or the listing is not believed.
async fn confirm_missing(
    api: &TargetApi,
    stacks: &mut BTreeMap<StackName, Seen>,
    records: &BTreeMap<StackName, StackRecord>,
) -> Result<(), Blind> {
    let missing: Vec<&Seen> = records
        .values()
        .filter(|record| !is_being_deleted(&record.memory))
        .filter_map(|record| record.seen.as_ref())
        .filter(|known| stacks.get(&known.own_name()).is_none_or(|seen| seen.id != known.id))
        .collect();
    let is_suspicious = missing.len() >= SUSPICIOUSLY_MISSING;
    for known in missing {
        let found = api.describe(known.id.as_str()).await.map_err(|error| blind(api, &error))?;
        match found {
            Some(found) if found.status.standing() == Standing::Gone => {}
            Some(found) if !is_suspicious || found.status == StackStatus::DeleteInProgress => {
                put(stacks, found);
            }
            None if !is_suspicious => {}
            found => {
                let word =
                    found.map_or("unknown to AWS".to_owned(), |found| found.status.to_string());
                return Err(Blind {
                    reason: BlindReason::StacksMissing,
                    message: format!("{} is not listed, and {word} when asked for", known.id),
                });
            }
        }
    }
    Ok(())
}

/// Adds a stack that was found by its id, unless a younger one of its name is listed.
fn put(stacks: &mut BTreeMap<StackName, Seen>, found: Seen) {
    let name = found.key.name.clone();
    if stacks.get(&name).is_none_or(|listed| listed.created_at < found.created_at) {
        stacks.insert(name, found);
    }
}

/// A stack on which an operation of ours may run, and which the listing lacks, is asked for too: what
/// works is not gone because a page does not show it.
async fn find_working(
    api: &TargetApi,
    stacks: &mut BTreeMap<StackName, Seen>,
    records: &BTreeMap<StackName, StackRecord>,
) -> Result<(), Blind> {
    for (name, record) in records {
        let attempt = record.memory.attempt.as_ref();
        let works = attempt.filter(|last| !last.settled && last.kind.starts_operation());
        let version = attempt.and_then(|attempt| attempt.version.as_ref());
        let own = version.and_then(|version| version.id.stack_name());
        let is_listed = stacks.contains_key(own.as_ref().unwrap_or(name));
        let Some(attempt) = works.filter(|_| !is_listed) else { continue };
        // One that is being made has no id that we know.
        let which = attempt.version.as_ref().map_or(name.as_str(), |version| version.id.as_str());
        let found = api.describe(which).await.map_err(|error| blind(api, &error))?;
        if let Some(found) = found.filter(|found| found.status.standing() != Standing::Gone) {
            stacks.insert(found.key.name.clone(), found);
        }
    }
    Ok(())
}

/// What we asked to delete and have not seen go is asked for anyway.
fn is_being_deleted(memory: &Memory) -> bool {
    let last = memory.attempt.as_ref().filter(|last| !last.settled);
    last.is_some_and(|last| matches!(last.kind, StepKind::Delete { .. }))
}

async fn ask_about(
    api: &TargetApi,
    desired: &Desired,
    seen: &Seen,
    memory: &Memory,
    controller: &str,
    sight: &mut Sight,
) -> Result<(), AwsError> {
    let name = &seen.key.name;
    let mut insight = Insight::default();
    if let Some(own) = &memory.change_set {
        insight.change_set = match own.reverts {
            true => api.change_set_through(&seen.id, &own.name).await?,
            false => api.change_set(&seen.id, &own.name).await?,
        };
    }
    insight.live = nested::live(api, desired, seen, memory, insight.change_set.as_ref()).await?;
    let standing = seen.status.standing();
    if standing == Standing::DeleteFailed {
        insight.left_behind = nested::left_by_delete(api, &seen.id).await?;
    } else if standing == Standing::RollbackFailed {
        insight.left_behind = {
            let begun = seen.updated_at.unwrap_or(seen.created_at) - CLOCK_SKEW;
            nested::left_by_rollback(api, &seen.id, begun).await?
        };
    }
    sight.insights.insert(name.clone(), insight);
    if wants_events(memory, seen) {
        let events = api.events_since(&seen.id, since(memory)).await?;
        let mut operation = last_operation(&events, &seen.id);
        if has_failed(&seen.status) {
            let inside = nested::cause(api, &events, &seen.id, since(memory)).await?;
            operation.failure = inside.or(operation.failure);
            // Without a cause the failure would not count, and be repeated at each look.
            operation.failure = operation.failure.or_else(|| Some(unexplained(seen)));
        }
        sight.operations.insert(name.clone(), operation);
    }
    if let Some(known) = learn(api, desired, seen, memory).await? {
        sight.learnt.insert(name.clone(), known);
    }
    if seen.status.is_moving() && memory.attempt.as_ref().is_none_or(|attempt| attempt.settled) {
        let other = mover(api, seen, controller).await?;
        sight.another_controller = sight.another_controller.take().or(other);
    }
    Ok(())
}

fn unexplained(seen: &Seen) -> Cause {
    let reason = seen.status_reason.as_deref().unwrap_or("AWS gave no reason");
    let name = seen.key.name.as_str();
    Cause::of_event(seen.status.as_str(), reason, name, "AWS::CloudFormation::Stack")
}

/// From when on events tell about the last operation.
fn since(memory: &Memory) -> Moment {
    memory.awaited().map_or(Moment::default(), |attempt| attempt.at - CLOCK_SKEW)
}

/// Template and policy of a settled version that is new to us. A version that was rolled back
/// into tells nothing of its template: its time is new and its template is not.
async fn learn(
    api: &TargetApi,
    desired: &Desired,
    seen: &Seen,
    memory: &Memory,
) -> Result<Option<KnownTemplate>, AwsError> {
    let wanted = desired.wanted(&seen.key).filter(|wanted| !wanted.asked_to_go);
    let (Some(wanted), Standing::Complete) = (wanted, seen.status.standing()) else {
        return Ok(None);
    };
    let rolled_back = seen.status == StackStatus::UpdateRollbackComplete
        || seen.status == StackStatus::ImportRollbackComplete;
    let is_known = memory.known.as_ref().is_some_and(|known| known.version == seen.version());
    if is_known {
        return Ok(None);
    }
    let template = if rolled_back { None } else { Some(api.template(&seen.id).await?) };
    let policy = match &wanted.service.stack_policy {
        Some(_) => api.stack_policy(&seen.id).await?,
        None => None,
    };
    Ok(Some(KnownTemplate {
        version: seen.version(),
        // A template that we cannot read is another one than ours.
        template: template.map(|body| digest_of_seen(&body)),
        policy: policy.and_then(|text| StackPolicy::parse(&text).ok()).map(|found| found.digest),
    }))
}

/// The other controller whose token is on the latest event of a stack that moves.
async fn mover(api: &TargetApi, seen: &Seen, controller: &str) -> Result<Option<String>, AwsError> {
    let begun = seen.updated_at.unwrap_or(seen.created_at) - CLOCK_SKEW;
    let events = api.events_since(&seen.id, begun).await?;
    let latest = events.iter().rev().find_map(|event| event.token.as_deref());
    let other = latest.and_then(token::controller_of).filter(|id| *id != controller);
    Ok(other.map(str::to_owned))
}
