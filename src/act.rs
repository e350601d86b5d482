//! Carry out one step on one stack. Nothing is chosen here: the step says all.

use std::collections::BTreeSet;

use crate::aws::{AwsError, StackInputs, TargetApi};
use crate::clock::Clock;
use crate::journal::{Journal, JournalError};
use crate::observed::{Seen, Standing};
use crate::outcome::{Attempt, Debt, Memory, Outcome, OwnChangeSet, StepKind};
use crate::plan::{Decided, StackRecord, Step, after_outcome, ownership, token};

/// Carries out `step` and returns what is remembered afterwards with what became of it.
///
/// The attempt is in the journal before the call is made, so that a crash in between repeats the
/// very same call: `record` is the stack's row with the memory that the decision was based on.
pub async fn act(
    api: &TargetApi,
    journal: &Journal,
    clock: &Clock,
    record: &StackRecord,
    step: &Step,
    decided: &Decided,
) -> Result<(Memory, Outcome), JournalError> {
    if let Some(why) = contradiction(api, step).await {
        return Ok((record.memory.clone(), why));
    }
    let mut memory = record.memory.clone();
    if step.kind == StepKind::Create && memory.attempt.as_ref().is_none_or(is_over) {
        memory.creation_round += 1;
    }
    let attempt = attempt(journal, clock, &memory, step, decided);
    if let (
        StepKind::CreateChangeSet { name } | StepKind::PrepareRevert { name, .. },
        Some(version),
    ) = (&attempt.kind, &attempt.version)
    {
        let (name, version, pays) = (name.clone(), version.clone(), BTreeSet::new());
        let subjects = if let StepKind::PrepareRevert { what, .. } = &attempt.kind {
            Some(what.subjects.clone())
        } else {
            None
        };
        let (digest, reverts) = (attempt.digest, subjects.is_some());
        let subjects = subjects.unwrap_or_default();
        let inside = None;
        memory.change_set =
            Some(OwnChangeSet { name, version, digest, pays, reverts, subjects, inside });
    }
    if let StepKind::ContinueRollback { skip } = &attempt.kind {
        // Owed from before the call on: its answer may be lost, and the next rung skips others.
        let debt = |kind: &String| Debt { kind: kind.clone(), since: attempt.at };
        memory.debts.extend(skip.iter().map(|(id, kind)| (id.clone(), debt(kind))));
    }
    memory.begin(attempt.clone());
    journal.begin_attempt(&StackRecord { memory: memory.clone(), ..record.clone() })?;
    let result = call(api, step, &attempt, decided).await;
    let outcome = outcome_of(&attempt.kind, result);
    if matches!(outcome, Outcome::LookAgain(_)) {
        // It is as if the attempt had not been made, and an earlier one may still show its effect.
        journal.begin_attempt(record)?;
        return Ok((record.memory.clone(), outcome));
    }
    let mut memory = after_outcome(&memory, &outcome, clock.now());
    if outcome == Outcome::Done && step.kind == StepKind::SetStackPolicy {
        // Setting a policy does not move the last-updated time, so no look would ask again.
        let policy = decided.rendered.as_ref().and_then(|rendered| rendered.stack_policy.as_ref());
        if let (Some(known), Some(policy)) = (&mut memory.known, policy) {
            known.policy = Some(policy.digest);
        }
    }
    Ok((memory, outcome))
}

/// Whether the last attempt to make this stack belongs to an earlier round.
fn is_over(attempt: &Attempt) -> bool {
    attempt.kind != StepKind::Create
}

/// What AWS says of this very stack, if it contradicts the listing: those are eventually
/// consistent, and a create or a delete cannot be taken back.
async fn contradiction(api: &TargetApi, step: &Step) -> Option<Outcome> {
    let again = |why: String| Some(Outcome::LookAgain(why));
    match (&step.kind, &step.seen) {
        (StepKind::Create, _) => match api.describe(step.key.name.as_str()).await {
            Ok(None) => None,
            Ok(Some(found)) if found.status.standing() == Standing::Gone => None,
            Ok(Some(found)) => again(format!("it is there, in {}", found.status)),
            Err(error) => Some(unconfirmed(&error)),
        },
        (
            StepKind::Delete { .. } | StepKind::ContinueRollback { .. } | StepKind::RollBack,
            Some(seen),
        ) => match api.describe(seen.id.as_str()).await {
            Ok(Some(found)) if is_same(&found, seen) => None,
            Ok(Some(found)) => again(format!("it has changed, to {}", found.status)),
            Ok(None) => again("it is gone".to_owned()),
            Err(error) => Some(unconfirmed(&error)),
        },
        (
            StepKind::CreateChangeSet { .. }
            | StepKind::PrepareRevert { .. }
            | StepKind::Revert { .. }
            | StepKind::ExecuteChangeSet { .. }
            | StepKind::DeleteChangeSet { .. }
            | StepKind::SetTerminationProtection(_)
            | StepKind::SetStackPolicy
            | StepKind::Delete { .. }
            | StepKind::ContinueRollback { .. }
            | StepKind::RollBack,
            _,
        ) => None,
    }
}

fn is_same(found: &Seen, seen: &Seen) -> bool {
    let owner = |stack: &Seen| stack.tags.get(ownership::FLEET_TAG).cloned();
    found.version() == seen.version() && found.status == seen.status && owner(found) == owner(seen)
}

fn unconfirmed(error: &AwsError) -> Outcome {
    Outcome::LookAgain(format!("it could not be confirmed: {}", error.cause()))
}

/// The attempt that is about to be made. Repeating one whose answer was lost keeps its number, and
/// so its token.
fn attempt(
    journal: &Journal,
    clock: &Clock,
    memory: &Memory,
    step: &Step,
    decided: &Decided,
) -> Attempt {
    let version = step.seen.as_ref().map(Seen::version);
    // Counted through all steps on one version: what was made and dropped is not made again under
    // the same token.
    let last = memory.attempt.as_ref().filter(|last| last.version == version);
    let is_repeated = |last: &Attempt| {
        !last.answered && last.kind.word() == step.kind.word() && last.digest == step.digest
    };
    let number = last.map_or(1, |last| last.number.saturating_add(u32::from(!is_repeated(last))));
    let tries = last.filter(|last| last.kind.word() == step.kind.word());
    let tries = tries.map_or(1, |last| last.tries.saturating_add(u32::from(!is_repeated(last))));
    let doubtful = last.is_some_and(is_repeated);
    let round = memory.creation_round;
    let controller = journal.controller_id();
    let token = token::token(
        controller,
        &step.key,
        version.as_ref(),
        round,
        &step.kind,
        &step.digest,
        number,
    );
    let name = token::change_set_name(&token);
    let kind = match &step.kind {
        StepKind::PrepareRevert { what, .. } => {
            StepKind::PrepareRevert { name, what: what.clone() }
        }
        StepKind::CreateChangeSet { .. } => StepKind::CreateChangeSet { name },
        StepKind::Create
        | StepKind::ExecuteChangeSet { .. }
        | StepKind::Revert { .. }
        | StepKind::DeleteChangeSet { .. }
        | StepKind::Delete { .. }
        | StepKind::ContinueRollback { .. }
        | StepKind::RollBack
        | StepKind::SetTerminationProtection(_)
        | StepKind::SetStackPolicy => step.kind.clone(),
    };
    let no_echo = decided.no_echo.clone();
    let (digest, at) = (step.digest, clock.now());
    Attempt {
        kind,
        version,
        digest,
        number,
        token,
        at,
        answered: false,
        settled: false,
        doubtful,
        no_echo,
        tries,
        refused: None,
    }
}

async fn call(
    api: &TargetApi,
    step: &Step,
    attempt: &Attempt,
    decided: &Decided,
) -> Result<(), AwsError> {
    let token = attempt.token.as_str();
    let inputs = decided.rendered.as_ref().map(StackInputs::of);
    let id = step.seen.as_ref().map(|seen| &seen.id);
    match (&attempt.kind, id, &inputs) {
        (StepKind::Create, _, Some(inputs)) => {
            api.create(&step.key.name, inputs, token).await.map(|_| ())
        }
        (StepKind::CreateChangeSet { name }, Some(id), Some(inputs)) => {
            api.create_change_set(id, name, inputs, token).await
        }
        (StepKind::PrepareRevert { name, what }, Some(id), Some(inputs)) => {
            api.create_reverting_change_set(id, name, inputs, token, what.nested).await
        }
        (StepKind::ExecuteChangeSet { name } | StepKind::Revert { name }, Some(id), _) => {
            api.execute_change_set(id, name, token).await
        }
        (StepKind::DeleteChangeSet { name }, Some(id), _) => api.delete_change_set(id, name).await,
        (StepKind::Delete { retain }, Some(id), _) => api.delete_stack(id, retain, token).await,
        (StepKind::ContinueRollback { skip }, Some(id), _) => {
            let skip: Vec<String> = skip.keys().cloned().collect();
            api.continue_rollback(id, &skip, token).await
        }
        (StepKind::RollBack, Some(id), _) => api.roll_back(id, token).await,
        (StepKind::SetTerminationProtection(on), Some(id), _) => {
            api.set_termination_protection(id, *on).await
        }
        (StepKind::SetStackPolicy, Some(id), Some(inputs)) => {
            let body = inputs.stack_policy.as_deref().unwrap_or_default();
            api.set_stack_policy(id, body).await
        }
        // A step without what it needs is not one that `plan` makes.
        (
            StepKind::Create
            | StepKind::CreateChangeSet { .. }
            | StepKind::PrepareRevert { .. }
            | StepKind::ExecuteChangeSet { .. }
            | StepKind::Revert { .. }
            | StepKind::DeleteChangeSet { .. }
            | StepKind::Delete { .. }
            | StepKind::ContinueRollback { .. }
            | StepKind::RollBack
            | StepKind::SetTerminationProtection(_)
            | StepKind::SetStackPolicy,
            _,
            _,
        ) => Ok(()),
    }
}

fn outcome_of(kind: &StepKind, result: Result<(), AwsError>) -> Outcome {
    let error = match result {
        Ok(()) => {
            return match kind {
                StepKind::DeleteChangeSet { .. } | StepKind::SetStackPolicy => Outcome::Done,
                StepKind::Create
                | StepKind::CreateChangeSet { .. }
                | StepKind::PrepareRevert { .. }
                | StepKind::ExecuteChangeSet { .. }
                | StepKind::Revert { .. }
                | StepKind::Delete { .. }
                | StepKind::ContinueRollback { .. }
                | StepKind::RollBack
                | StepKind::SetTerminationProtection(_) => Outcome::Started,
            };
        }
        Err(error) => error,
    };
    let gone = error.change_set_not_found() || error.does_not_exist();
    if gone && matches!(kind, StepKind::DeleteChangeSet { .. }) {
        return Outcome::Done;
    }
    // All of these mean that the world is not as it was seen, and none that we succeeded.
    let overtaken = gone
        || error.already_exists()
        || error.token_already_exists()
        || error.code() == "InvalidChangeSetStatus"
        || error.busy().is_some_and(|status| status.is_moving());
    if overtaken {
        return Outcome::Overtaken(error.cause());
    }
    if error.may_have_happened() {
        return Outcome::Unknown(error.cause());
    }
    if matches!(error, AwsError::Stopped(_)) {
        return Outcome::LookAgain("stopped before the call".to_owned());
    }
    if error.termination_protected() {
        return Outcome::LookAgain("somebody protects it from being deleted".to_owned());
    }
    Outcome::Failed(error.cause())
}
