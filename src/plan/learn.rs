//! What a look at a stack means for what is remembered of it: attempts end, failures are noticed.

use std::time::Duration;

use crate::ids::Digest;
use crate::moment::Moment;
use crate::observed::{ChangeSetSeen, ChangeSetStatus, Seen, StackStatus, Standing};
use crate::outcome::{
    Attempt, Cause, CauseClass, Failure, Irreversible, Memory, Outcome, OwnChangeSet, StepKind,
};
use crate::plan::Operation;

/// A stack that we acted on is not decided again before its effect is seen, or this long:
/// listings are eventually consistent, and answers get lost.
pub const EFFECT_PATIENCE: Duration = Duration::from_secs(120);
/// What is up to this much older than our clock says may be new: AWS's clock is another one.
pub const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// Whether the events of a stack have to be read, to know why it failed or whose doing it is.
pub fn wants_events(memory: &Memory, seen: &Seen) -> bool {
    let awaited = memory.awaited().filter(|attempt| shows_effect(attempt, seen, memory));
    if !has_failed(&seen.status) {
        let is_doubtful = awaited.is_some_and(|attempt| attempt.doubtful);
        return is_doubtful && seen.status.standing() == Standing::Complete;
    }
    let known = memory.failure.as_ref().and_then(|failure| failure.version.as_ref());
    let version = seen.version();
    let taught = memory.taught.as_ref().is_some_and(|(taught, _)| *taught == version);
    let awaited = awaited.filter(|attempt| !attempt.kind.is_repair());
    awaited.is_some() || !(taught || known == Some(&version))
}

/// Whether the last operation on the stack failed, by its status.
pub fn has_failed(status: &StackStatus) -> bool {
    match status.standing() {
        Standing::NeverComplete
        | Standing::UpdateFailed
        | Standing::RollbackFailed
        | Standing::DeleteFailed => true,
        Standing::Complete => rolled_back(status),
        Standing::Moving | Standing::InReview | Standing::Gone | Standing::Unclear => false,
    }
}

fn rolled_back(status: &StackStatus) -> bool {
    matches!(status, StackStatus::UpdateRollbackComplete | StackStatus::ImportRollbackComplete)
}

/// Memory after a look. `operation` is the stack's last operation, where [`wants_events`] asked for
/// it.
pub fn after_look(
    known: &Memory,
    seen: Option<&Seen>,
    change_set: Option<&ChangeSetSeen>,
    operation: Option<Operation>,
    now: Moment,
) -> Memory {
    let mut memory = known.clone();
    // A clock that was set back must not make anything wait for a day that has not come.
    memory.attempt.iter_mut().for_each(|attempt| attempt.at = attempt.at.min(now));
    memory.failure.iter_mut().for_each(|failure| failure.at = failure.at.min(now));
    let effect = |attempt: &Attempt| seen.is_some_and(|seen| shows_effect(attempt, seen, known));
    let is_late = |attempt: &Attempt| known.awaited().is_some() && effect(attempt);
    let attempt = memory.attempt.clone().filter(|one| !one.settled || is_late(one));
    let is_ours = |attempt: &Attempt| {
        operation.as_ref().map_or(!attempt.doubtful, |operation| operation.is_of(attempt))
    };
    if let Some(seen) = seen {
        learn_history(&mut memory, seen);
        learn_change_set(&mut memory, seen, change_set, now);
        let ours = attempt.as_ref().filter(|attempt| is_ours(attempt));
        learn_failure(&mut memory, seen, ours, operation.as_ref(), now);
    }
    let Some(mut attempt) = attempt else { return memory };
    let effect = effect(&attempt);
    let was_settled = attempt.settled;
    attempt.settled = is_settled(&attempt, seen, effect, change_set, now);
    if attempt.settled {
        // What shows is the answer, whosever doing it is.
        attempt.answered |= effect;
        let is_shown = effect && is_ours(&attempt);
        memory.asked = memory.asked.take().filter(|one| !is_shown || one.token != attempt.token);
        settle(&mut memory, &attempt, seen, is_shown, change_set);
        learn_vanished(&mut memory, &attempt, change_set, now);
    }
    attempt.settled |= was_settled;
    memory.attempt = Some(attempt);
    memory
}

/// Whether the stack ever was complete, as its status alone tells.
fn learn_history(memory: &mut Memory, seen: &Seen) {
    match seen.status.standing() {
        Standing::NeverComplete => memory.never_complete = Some(seen.id.clone()),
        Standing::Complete | Standing::UpdateFailed | Standing::RollbackFailed => {
            memory.ever_complete = Some(seen.id.clone());
        }
        Standing::Moving => {
            if seen.updated_at.is_some() && seen.status == StackStatus::UpdateInProgress {
                memory.ever_complete = Some(seen.id.clone());
            }
        }
        Standing::InReview | Standing::DeleteFailed | Standing::Gone | Standing::Unclear => {}
    }
}

fn learn_change_set(
    memory: &mut Memory,
    seen: &Seen,
    change_set: Option<&ChangeSetSeen>,
    now: Moment,
) {
    let Some((own, found)) = memory.change_set.clone().zip(change_set) else { return };
    match &found.status {
        ChangeSetStatus::Empty if own.reverts => {
            let why = "CloudFormation finds nothing that it could bring back: a property that \
                       cannot be changed in place, or a service that knows no REVERT_DRIFT";
            memory.irreversible = Some(irreversible(own, why));
        }
        ChangeSetStatus::Ready if own.reverts && !found.reverts_drift => {
            let why = "this endpoint knows no REVERT_DRIFT";
            memory.irreversible = Some(irreversible(own, why));
        }
        ChangeSetStatus::Ready if own.reverts && found.changes.is_empty() => {
            let why = "CloudFormation would change nothing";
            memory.irreversible = Some(irreversible(own, why));
        }
        ChangeSetStatus::Empty if own.version == seen.version() => {
            memory.taught = Some((own.version, own.digest));
        }
        // A status that nobody knows leads nowhere, and must not be prepared again at each look.
        ChangeSetStatus::Failed(reason) | ChangeSetStatus::Unknown(reason) => {
            let cause =
                Cause { resource: None, ..Cause::of_event("CHANGE_SET_FAILED", reason, "", "") };
            let step = if own.reverts { "prepare-revert" } else { "prepare-update" };
            let count = count_of(memory, step, Some(own.digest));
            // The same failed set is seen until it is removed; it is one failure.
            let noted = memory.failure.as_ref().is_some_and(|failure| {
                failure.digest == Some(own.digest) && failure.cause == cause
            });
            if !noted || memory.attempt.as_ref().is_some_and(|attempt| !attempt.settled) {
                memory.failure = Some(Failure {
                    cause,
                    step: step.to_owned(),
                    digest: Some(own.digest),
                    version: Some(seen.version()),
                    count,
                    at: now,
                });
            }
        }
        ChangeSetStatus::Ready => {
            let here = found.changes.iter().filter(|change| change.within.is_empty());
            let changed = here.map(|change| &change.logical_id);
            let pays = changed.filter(|id| memory.debts.contains_key(*id)).cloned().collect();
            memory.change_set = Some(OwnChangeSet { pays, ..own });
        }
        ChangeSetStatus::Empty | ChangeSetStatus::Pending | ChangeSetStatus::Obsolete => {}
    }
}

fn irreversible(own: OwnChangeSet, why: &str) -> Irreversible {
    let OwnChangeSet { version, digest, subjects, .. } = own;
    Irreversible { version, digest, subjects, why: why.to_owned() }
}

fn learn_failure(
    memory: &mut Memory,
    seen: &Seen,
    attempt: Option<&Attempt>,
    operation: Option<&Operation>,
    now: Moment,
) {
    let Some(Operation { token, failure: Some(cause) }) = operation else { return };
    if attempt.is_some_and(|attempt| attempt.kind.is_repair()) && memory.failure.is_some() {
        // How a repair ends says nothing new of why there was something to repair.
        memory.failure.iter_mut().for_each(|failure| failure.version = Some(seen.version()));
        return;
    }
    let ours = attempt.filter(|attempt| attempt.kind.starts_operation());
    let ours = ours.map(|attempt| (attempt.kind.word().to_owned(), attempt.digest));
    let late = memory.asked.take_if(|asked| token.as_ref() == Some(&asked.token));
    let ours = ours.or(late.map(|asked| (asked.step, asked.digest)));
    let own = memory.failure.as_mut().filter(|failure| failure.digest.is_some());
    if let (None, Some(own)) = (&ours, own) {
        // What another broke says nothing of how long to leave alone what we tried.
        own.version = Some(seen.version());
        return;
    }
    let (step, digest) = ours.unzip();
    let step = step.unwrap_or_else(|| "observed".to_owned());
    memory.failure = Some(Failure {
        cause: cause.clone(),
        count: count_of(memory, &step, digest),
        step,
        digest,
        version: Some(seen.version()),
        at: now,
    });
}

/// How many times in a row the way to this digest has failed, the new one included, whichever step it
/// was: steps that fail in turn would else never be left alone for longer. What is for no digest is
/// counted by its step.
pub fn count_of(memory: &Memory, step: &str, digest: Option<Digest>) -> u32 {
    let last = memory.failure.as_ref();
    let same = last
        .filter(|failure| failure.digest == digest && (digest.is_some() || failure.step == step));
    same.map_or(1, |failure| failure.count.saturating_add(1))
}

/// Whether the stack as seen can be the work of the attempt. `known` is what was remembered before
/// this look: a listing may lie behind, and show what was there before the call.
fn shows_effect(attempt: &Attempt, seen: &Seen, known: &Memory) -> bool {
    match &attempt.kind {
        StepKind::Create => {
            let earlier = [&known.ever_complete, &known.never_complete];
            let is_earlier = earlier.into_iter().flatten().any(|id| *id == seen.id);
            !is_earlier && seen.created_at >= attempt.at - CLOCK_SKEW
        }
        StepKind::ExecuteChangeSet { .. } | StepKind::Revert { .. } => attempt
            .version
            .as_ref()
            .is_none_or(|version| version.id != seen.id || seen.updated_at > version.updated_at),
        // Whether a repeated delete failed again or has not begun cannot be told apart at once.
        StepKind::Delete { retain } => {
            retain.is_empty() && seen.status == StackStatus::DeleteFailed
        }
        // A rollback that fails again cannot be told at once from one that has not begun.
        StepKind::ContinueRollback { .. } => {
            is_not_before(attempt, seen) && seen.status != StackStatus::UpdateRollbackFailed
        }
        StepKind::RollBack => {
            is_not_before(attempt, seen) && seen.status != StackStatus::UpdateFailed
        }
        StepKind::CreateChangeSet { .. }
        | StepKind::PrepareRevert { .. }
        | StepKind::DeleteChangeSet { .. }
        | StepKind::SetTerminationProtection(_)
        | StepKind::SetStackPolicy => false,
    }
}

/// Whether the stack as seen is not an older version than the one that the attempt was based on.
fn is_not_before(attempt: &Attempt, seen: &Seen) -> bool {
    let version = attempt.version.as_ref();
    version.is_none_or(|version| version.id != seen.id || seen.updated_at >= version.updated_at)
}

/// Memory after a call of ours.
pub fn after_outcome(memory: &Memory, outcome: &Outcome, now: Moment) -> Memory {
    let mut memory = memory.clone();
    let Some(attempt) = memory.attempt.clone() else { return memory };
    let settled = match outcome {
        Outcome::Started | Outcome::Unknown(_) => false,
        // Perhaps an earlier try of ours came before; what starts nothing is found by looking.
        Outcome::Overtaken(_) => !attempt.kind.starts_operation(),
        Outcome::Done | Outcome::LookAgain(_) | Outcome::Failed(_) => true,
    };
    match (outcome, &attempt.kind) {
        (Outcome::Done, StepKind::DeleteChangeSet { .. }) => memory.change_set = None,
        (Outcome::Failed(cause), kind) if kind.is_repair() => {
            return after_refused_repair(memory, attempt, cause);
        }
        // What the repair is for is still what failed.
        (Outcome::Unknown(_) | Outcome::Overtaken(_), kind) if kind.is_repair() => {}
        // Clearing away changes nothing about why something else failed.
        (Outcome::Failed(_), StepKind::DeleteChangeSet { .. }) if memory.failure.is_some() => {}
        (Outcome::Failed(cause), kind) => {
            if kind.prepares() {
                memory.change_set = None;
            }
            memory.failure = Some(Failure {
                cause: cause.clone(),
                step: kind.word().to_owned(),
                digest: blamed(&attempt),
                version: attempt.version.clone(),
                count: count_of(&memory, kind.word(), blamed(&attempt)),
                at: now,
            });
        }
        // No answer is a failure of AWS's: tried again, with growing distance. So is a place that
        // somebody else took.
        (Outcome::Unknown(cause) | Outcome::Overtaken(cause), kind)
            if matches!(outcome, Outcome::Unknown(_)) || kind.starts_operation() =>
        {
            memory.failure = Some(Failure {
                cause: Cause { class: CauseClass::Transient, ..cause.clone() },
                step: kind.word().to_owned(),
                digest: blamed(&attempt),
                version: attempt.version.clone(),
                count: count_of(&memory, kind.word(), blamed(&attempt)),
                at: now,
            });
        }
        (
            Outcome::Started
            | Outcome::Done
            | Outcome::LookAgain(_)
            | Outcome::Overtaken(_)
            | Outcome::Unknown(_),
            _,
        ) => {}
    }
    let (answered, doubtful) = match outcome {
        Outcome::Started | Outcome::Done | Outcome::LookAgain(_) => (true, false),
        Outcome::Overtaken(_) => (true, true),
        // That this try was refused does not say what became of an earlier one.
        Outcome::Failed(_) => (!attempt.doubtful, attempt.doubtful),
        Outcome::Unknown(_) => (false, true),
    };
    memory.attempt = Some(Attempt { answered, settled, doubtful, ..attempt });
    memory
}

/// Memory after AWS refused a repair. What the repair is for is still what failed.
fn after_refused_repair(mut memory: Memory, attempt: Attempt, cause: &Cause) -> Memory {
    // That this try was refused does not say what became of an earlier one.
    let answered = !attempt.doubtful;
    if let StepKind::ContinueRollback { skip } = &attempt.kind
        && answered
    {
        memory.debts.retain(|id, _| !skip.contains_key(id));
    }
    let refused = Some(cause.clone());
    memory.attempt = Some(Attempt { answered, settled: true, refused, ..attempt });
    memory
}

/// What a failed call counts against. Clearing away a change set counts against nothing.
fn blamed(attempt: &Attempt) -> Option<Digest> {
    let clears = matches!(attempt.kind, StepKind::DeleteChangeSet { .. });
    (!clears).then_some(attempt.digest)
}

fn is_settled(
    attempt: &Attempt,
    seen: Option<&Seen>,
    effect: bool,
    change_set: Option<&ChangeSetSeen>,
    now: Moment,
) -> bool {
    if seen.is_some_and(|seen| seen.status.is_moving()) {
        return false;
    }
    // Without an answer the call is repeated with the same token, which AWS takes for the same.
    if !attempt.answered || now.since(attempt.at) >= EFFECT_PATIENCE {
        return true;
    }
    match (&attempt.kind, seen) {
        (StepKind::Create, None) => false,
        (StepKind::Delete { .. }, None) => true,
        (StepKind::Delete { .. }, Some(seen)) => {
            let same = attempt.version.as_ref().is_some_and(|version| version.id == seen.id);
            !same || seen.status.standing() == Standing::Gone || effect
        }
        (StepKind::CreateChangeSet { .. } | StepKind::PrepareRevert { .. }, Some(_)) => {
            change_set.is_some()
        }
        (StepKind::DeleteChangeSet { .. }, Some(_)) => change_set.is_none(),
        (StepKind::SetTerminationProtection(on), Some(seen)) => seen.termination_protection == *on,
        (StepKind::SetStackPolicy, Some(_)) => false,
        (
            StepKind::Create
            | StepKind::ExecuteChangeSet { .. }
            | StepKind::Revert { .. }
            | StepKind::ContinueRollback { .. }
            | StepKind::RollBack,
            Some(_),
        ) => effect,
        // The stack is gone: there is nothing left that the effect could show on.
        (
            StepKind::ExecuteChangeSet { .. }
            | StepKind::Revert { .. }
            | StepKind::ContinueRollback { .. }
            | StepKind::RollBack
            | StepKind::CreateChangeSet { .. }
            | StepKind::PrepareRevert { .. }
            | StepKind::DeleteChangeSet { .. }
            | StepKind::SetTerminationProtection(_)
            | StepKind::SetStackPolicy,
            None,
        ) => true,
    }
}

/// Whether an operation may run on the stack after a look at `now`: it moves, or one was asked for
/// whose effect does not show. A lost answer says nothing, and listings lag.
pub fn may_run(seen: Option<&Seen>, memory: &Memory, now: Moment) -> bool {
    if seen.is_some_and(|seen| seen.status.is_moving()) {
        return true;
    }
    let last = memory.attempt.as_ref().filter(|last| last.kind.starts_operation());
    last.is_some_and(|last| {
        let is_gone = seen.is_none() && matches!(last.kind, StepKind::Delete { .. });
        let shows = is_gone || seen.is_some_and(|seen| shows_effect(last, seen, memory));
        let is_recent = now.since(last.at) < EFFECT_PATIENCE;
        !last.settled || (!last.answered && !shows && is_recent)
    })
}

/// Our operation that a look shows to be over, where `known` was remembered before the look. One that
/// may be another's doing is not taken for it.
pub fn ended<'a>(known: &'a Memory, seen: Option<&Seen>) -> Option<&'a Attempt> {
    let last = known.awaited().filter(|last| last.answered && !last.doubtful);
    last.filter(|last| match seen {
        Some(seen) => !seen.status.is_moving() && shows_effect(last, seen, known),
        None => matches!(last.kind, StepKind::Delete { .. }),
    })
}

/// A change set that AWS took and never shows would be prepared again for ever.
fn learn_vanished(
    memory: &mut Memory,
    attempt: &Attempt,
    change_set: Option<&ChangeSetSeen>,
    now: Moment,
) {
    let (StepKind::CreateChangeSet { name } | StepKind::PrepareRevert { name, .. }) = &attempt.kind
    else {
        return;
    };
    if change_set.is_some() || !attempt.answered {
        return;
    }
    let text = format!("AWS took the change set {name} and does not show it");
    let (step, digest) = (attempt.kind.word(), Some(attempt.digest));
    memory.failure = Some(Failure {
        cause: Cause { class: CauseClass::Transient, ..Cause::of_call("ChangeSetNotFound", &text) },
        step: step.to_owned(),
        digest,
        version: attempt.version.clone(),
        count: count_of(memory, step, digest),
        at: now,
    });
}

fn settle(
    memory: &mut Memory,
    attempt: &Attempt,
    seen: Option<&Seen>,
    effect: bool,
    change_set: Option<&ChangeSetSeen>,
) {
    let complete = seen.is_some_and(|seen| {
        seen.status.standing() == Standing::Complete && !rolled_back(&seen.status)
    });
    match &attempt.kind {
        StepKind::Create | StepKind::ExecuteChangeSet { .. } | StepKind::Revert { .. }
            if effect =>
        {
            let set = memory.change_set.take();
            if complete {
                if let Some(set) = set.as_ref().filter(|set| set.reverts) {
                    memory.brought_back.clone_from(&set.subjects);
                }
                for id in set.into_iter().flat_map(|set| set.pays) {
                    memory.debts.remove(&id);
                }
                memory.no_echo.clone_from(&attempt.no_echo);
                memory.failure = None;
            }
        }
        StepKind::CreateChangeSet { .. }
        | StepKind::PrepareRevert { .. }
        | StepKind::DeleteChangeSet { .. }
            if change_set.is_none() =>
        {
            memory.change_set = None;
        }
        StepKind::Delete { .. } if seen.is_none() => {
            memory.debts.clear();
            memory.failure = memory.failure.take().filter(|failure| failure.step != "delete");
        }
        StepKind::Create
        | StepKind::ExecuteChangeSet { .. }
        | StepKind::Revert { .. }
        | StepKind::CreateChangeSet { .. }
        | StepKind::PrepareRevert { .. }
        | StepKind::DeleteChangeSet { .. }
        | StepKind::Delete { .. }
        | StepKind::ContinueRollback { .. }
        | StepKind::RollBack
        | StepKind::SetTerminationProtection(_)
        | StepKind::SetStackPolicy => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::StackId;

    const NOW: Moment = Moment::from_millis(1_000_000_000);

    fn seen(id: &str, status: StackStatus, created_at: Moment, updated_at: Option<Moment>) -> Seen {
        Seen {
            id: StackId::of(id),
            key: "111122223333/eu-central-1/api".parse().expect("a key"),
            status,
            status_reason: None,
            created_at,
            updated_at,
            parameters: Default::default(),
            tags: Default::default(),
            outputs: Default::default(),
            termination_protection: false,
        }
    }

    fn asked(kind: StepKind, basis: Option<&Seen>) -> Attempt {
        Attempt {
            kind,
            version: basis.map(Seen::version),
            digest: Digest::of(b"wanted"),
            number: 1,
            token: "driftless-one-0".into(),
            at: NOW,
            answered: true,
            settled: false,
            doubtful: false,
            no_echo: Default::default(),
            tries: 1,
            refused: None,
        }
    }

    /// Whether an attempt is settled by a look half a minute later.
    fn settles(memory: Memory, attempt: Attempt, look: &Seen) -> bool {
        let memory = Memory { attempt: Some(attempt), ..memory };
        let after = after_look(&memory, Some(look), None, None, NOW + Duration::from_secs(30));
        after.attempt.expect("remembered").settled
    }

    #[test]
    fn the_stack_that_was_there_before_does_not_pass_for_the_one_that_was_made() {
        let before = NOW - Duration::from_secs(60);
        let old = seen("arn:old", StackStatus::CreateComplete, before, None);
        let remembers = Memory { ever_complete: Some(old.id.clone()), ..Memory::default() };
        assert!(!settles(remembers.clone(), asked(StepKind::Create, None), &old));
        let ancient = seen("arn:old", StackStatus::CreateComplete, NOW - CLOCK_SKEW * 2, None);
        assert!(!settles(Memory::default(), asked(StepKind::Create, None), &ancient));
        // Our clock may be ahead of AWS's.
        let new = seen("arn:new", StackStatus::CreateComplete, before, None);
        assert!(settles(remembers, asked(StepKind::Create, None), &new));
    }

    #[test]
    fn an_earlier_version_does_not_pass_for_the_one_after_an_update() {
        let at = |seconds| Some(NOW - Duration::from_secs(seconds));
        let version = |updated_at| seen("arn:one", StackStatus::UpdateComplete, NOW, updated_at);
        let basis = version(at(60));
        let execute = || asked(StepKind::ExecuteChangeSet { name: "set".into() }, Some(&basis));
        assert!(!settles(Memory::default(), execute(), &version(None)));
        assert!(!settles(Memory::default(), execute(), &version(at(90))));
        assert!(!settles(Memory::default(), execute(), &basis));
        assert!(settles(Memory::default(), execute(), &version(at(1))));
    }

    /// An update was asked for of the version that was never updated.
    fn updates(settled: bool, answered: bool) -> Memory {
        let kind = StepKind::ExecuteChangeSet { name: "driftless-0123".to_owned() };
        let attempt = asked(kind, Some(&rests(None)));
        let attempt = Attempt { settled, answered, ..attempt };
        Memory { attempt: Some(attempt), ..Memory::default() }
    }

    fn rests(updated_at: Option<Moment>) -> Seen {
        seen("arn:one", StackStatus::UpdateComplete, Moment::default(), updated_at)
    }

    #[test]
    fn an_operation_may_run_until_its_effect_shows() {
        let rests = rests(None);
        let moves = Seen { status: StackStatus::UpdateInProgress, ..rests.clone() };
        assert!(!may_run(Some(&rests), &Memory::default(), NOW));
        assert!(may_run(Some(&moves), &Memory::default(), NOW));
        assert!(may_run(Some(&rests), &updates(false, true), NOW));
        assert!(!may_run(Some(&rests), &updates(true, true), NOW));
    }

    #[test]
    fn a_call_whose_answer_was_lost_may_have_started_what_a_lagging_listing_does_not_show() {
        let lost = updates(true, false);
        assert!(may_run(Some(&rests(None)), &lost, NOW + Duration::from_secs(5)));
        assert!(!may_run(Some(&rests(None)), &lost, NOW + EFFECT_PATIENCE), "not for ever");
        assert!(!may_run(Some(&rests(Some(NOW))), &lost, NOW), "it shows");
    }

    /// A create whose answer was lost and whose effect no look has shown, given a secret.
    fn lost_create() -> Memory {
        let given = [("Secret".to_owned(), Digest::of(b"given"))].into();
        let create = Attempt { no_echo: given, ..asked(StepKind::Create, None) };
        let attempt = Attempt { answered: false, settled: true, doubtful: true, ..create };
        Memory { attempt: Some(attempt), ..Memory::default() }
    }

    /// An operation that failed, started by the call with this token.
    fn failed(token: &str) -> Option<Operation> {
        let cause = Cause::of_event("CREATE_FAILED", "no", "Jobs", "AWS::SQS::Queue");
        Some(Operation { token: Some(token.to_owned()), failure: Some(cause) })
    }

    fn went_well(token: &str) -> Option<Operation> {
        Some(Operation { token: Some(token.to_owned()), failure: None })
    }

    const OURS: &str = "driftless-one-0";
    const THEIRS: &str = "Console-UpdateStack-1";

    #[test]
    fn what_a_lost_call_gave_is_known_once_its_stack_shows() {
        let made = seen("arn:new", StackStatus::CreateComplete, NOW, None);
        let later = NOW + Duration::from_secs(300);
        assert!(wants_events(&lost_create(), &made), "whose doing is it?");
        let after = after_look(&lost_create(), Some(&made), None, went_well(THEIRS), later);
        assert!(after.no_echo.is_empty(), "it is another's");
        assert!(after.attempt.is_some_and(|attempt| attempt.answered));
        let after = after_look(&lost_create(), Some(&made), None, went_well(OURS), later);
        assert_eq!(after.no_echo, lost_create().attempt.expect("an attempt").no_echo);
        assert!(after.attempt.as_ref().is_some_and(|attempt| attempt.answered));
        let moves = Seen { status: StackStatus::CreateInProgress, ..made };
        let after = after_look(&lost_create(), Some(&moves), None, None, later);
        assert!(after.no_echo.is_empty(), "it may still fail");
        assert!(after.attempt.is_some_and(|attempt| !attempt.answered));
    }

    #[test]
    fn what_a_lost_call_broke_is_its_failure() {
        let broken = seen("arn:new", StackStatus::RollbackComplete, NOW, None);
        let memory = lost_create();
        assert!(wants_events(&memory, &broken));
        let later = NOW + Duration::from_secs(300);
        let after = after_look(&memory, Some(&broken), None, failed(OURS), later);
        let noted = after.failure.clone().expect("it failed");
        assert_eq!((noted.step.as_str(), noted.digest), ("create", Some(Digest::of(b"wanted"))));
        assert!(!wants_events(&after, &broken), "it is noted once");
    }

    #[test]
    fn what_somebody_else_broke_meanwhile_is_not_the_failure_of_our_call() {
        let basis = rests(None);
        let kind = StepKind::ExecuteChangeSet { name: "driftless-0123".to_owned() };
        let memory = Memory { attempt: Some(asked(kind, Some(&basis))), ..Memory::default() };
        let status = StackStatus::UpdateRollbackComplete;
        let broken = Seen { status, updated_at: Some(NOW), ..basis };
        let of = |token| {
            let after = after_look(&memory, Some(&broken), None, failed(token), NOW);
            after.failure.expect("noted").step
        };
        assert_eq!(of(OURS), "update");
        assert_eq!(of(THEIRS), "observed");
    }

    #[test]
    fn what_our_update_broke_is_its_failure_however_late_it_shows() {
        let basis = rests(None);
        let mut memory = Memory::default();
        let set = "driftless-0123".to_owned();
        memory.begin(asked(StepKind::ExecuteChangeSet { name: set.clone() }, Some(&basis)));
        // Listings lag for longer than anybody waits, and the set that was executed is cleared away.
        let late = NOW + EFFECT_PATIENCE;
        let mut memory = after_look(&memory, Some(&basis), None, None, late);
        let clear = asked(StepKind::DeleteChangeSet { name: set }, Some(&basis));
        memory.begin(Attempt { token: "driftless-one-1".into(), ..clear });
        let memory = after_outcome(&memory, &Outcome::Done, late);
        let status = StackStatus::UpdateRollbackComplete;
        let broken = Seen { status, updated_at: Some(NOW), ..basis };
        assert!(wants_events(&memory, &broken));
        let of = |token| {
            let after = after_look(&memory, Some(&broken), None, failed(token), late);
            let failure = after.failure.expect("noted");
            (failure.step, failure.digest)
        };
        assert_eq!(of(OURS), ("update".to_owned(), Some(Digest::of(b"wanted"))));
        assert_eq!(of(THEIRS), ("observed".to_owned(), None));
    }

    #[test]
    fn what_somebody_else_broke_does_not_make_us_forget_how_our_own_tries_failed() {
        let own = Failure {
            cause: Cause::of_call("Throttling", "Rate exceeded"),
            step: "update".to_owned(),
            digest: Some(Digest::of(b"wanted")),
            version: None,
            count: 9,
            at: NOW,
        };
        let memory = Memory { failure: Some(own.clone()), ..Memory::default() };
        let status = StackStatus::UpdateRollbackComplete;
        let broken = Seen { status, ..rests(Some(NOW)) };
        let later = NOW + Duration::from_secs(60);
        let after = after_look(&memory, Some(&broken), None, failed(THEIRS), later);
        assert_eq!(after.failure, Some(Failure { version: Some(broken.version()), ..own }));
        assert!(!wants_events(&after, &broken), "it is read once");
    }

    #[test]
    fn a_call_that_was_overtaken_may_have_been_overtaken_by_itself() {
        let memory = Memory { attempt: Some(asked(StepKind::Create, None)), ..Memory::default() };
        let exists = Cause::of_call("AlreadyExistsException", "it exists");
        let after = after_outcome(&memory, &Outcome::Overtaken(exists), NOW);
        assert!(may_run(None, &after, NOW), "it keeps its place");
        let attempt = after.attempt.as_ref().expect("remembered");
        assert!(attempt.answered, "never repeated under the same token");
        let later = NOW + EFFECT_PATIENCE;
        let after = after_look(&after, None, None, None, later);
        assert!(!may_run(None, &after, later), "not for ever");
    }

    #[test]
    fn anothers_update_is_not_taken_for_ours_that_it_overtook() {
        let basis = rests(None);
        let kind = StepKind::ExecuteChangeSet { name: "driftless-0123".to_owned() };
        let given = [("Secret".to_owned(), Digest::of(b"new"))].into();
        let attempt = Attempt { no_echo: given, ..asked(kind, Some(&basis)) };
        let memory = Memory { attempt: Some(attempt), ..Memory::default() };
        let busy = Cause::of_call("ValidationError", "is in UPDATE_IN_PROGRESS state");
        let overtaken = after_outcome(&memory, &Outcome::Overtaken(busy), NOW);
        let theirs = rests(Some(NOW + Duration::from_secs(10)));
        assert!(wants_events(&overtaken, &theirs));
        let later = NOW + Duration::from_secs(60);
        let after = after_look(&overtaken, Some(&theirs), None, went_well(THEIRS), later);
        assert!(after.no_echo.is_empty(), "nobody gave that secret");
        assert!(!may_run(Some(&theirs), &after, later), "and nothing of ours runs");
        let after = after_look(&overtaken, Some(&theirs), None, went_well(OURS), later);
        assert!(!after.no_echo.is_empty(), "an earlier try of ours had arrived");
    }

    #[test]
    fn a_refusal_of_the_second_try_says_nothing_of_the_first() {
        let basis = rests(None);
        let kind = StepKind::ExecuteChangeSet { name: "driftless-0123".to_owned() };
        let again = Attempt { doubtful: true, ..asked(kind, Some(&basis)) };
        let memory = Memory { attempt: Some(again), ..Memory::default() };
        let refused = Outcome::Failed(Cause::of_call("Throttling", "Rate exceeded"));
        let after = after_outcome(&memory, &refused, NOW);
        assert!(may_run(Some(&basis), &after, NOW), "the first may run");
        let sure = Attempt { doubtful: false, ..memory.attempt.expect("an attempt") };
        let sure = Memory { attempt: Some(sure), ..Memory::default() };
        assert!(!may_run(Some(&basis), &after_outcome(&sure, &refused, NOW), NOW));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_wait_for_the_day_that_it_had() {
        let kind = StepKind::ExecuteChangeSet { name: "driftless-0123".to_owned() };
        let memory = Memory { attempt: Some(asked(kind, Some(&rests(None)))), ..Memory::default() };
        let before = NOW - Duration::from_secs(86_400);
        let after = after_look(&memory, Some(&rests(None)), None, None, before);
        assert!(may_run(Some(&rests(None)), &after, before));
        let later = before + EFFECT_PATIENCE;
        let after = after_look(&after, Some(&rests(None)), None, None, later);
        assert!(!may_run(Some(&rests(None)), &after, later));
    }

    #[test]
    fn an_update_that_was_rolled_back_is_no_success() {
        let basis = rests(Some(NOW - Duration::from_secs(60)));
        let kind = StepKind::ExecuteChangeSet { name: "driftless-0123".to_owned() };
        let given = [("Secret".to_owned(), Digest::of(b"new"))].into();
        let attempt = Attempt { no_echo: given, ..asked(kind, Some(&basis)) };
        let memory = Memory { attempt: Some(attempt), ..Memory::default() };
        let back = Seen {
            status: StackStatus::UpdateRollbackComplete,
            updated_at: Some(NOW),
            ..basis.clone()
        };
        let cause = Cause::of_event("UPDATE_FAILED", "no", "Jobs", "AWS::SQS::Queue");
        let cause = Operation { token: None, failure: Some(cause) };
        let later = NOW + Duration::from_secs(30);
        let after = after_look(&memory, Some(&back), None, Some(cause), later);
        let failure = after.failure.expect("it failed");
        assert_eq!((failure.step.as_str(), failure.count), ("update", 1));
        assert_eq!(failure.digest, Some(Digest::of(b"wanted")), "not tried again for this");
        assert!(after.no_echo.is_empty(), "the old value is back");
        assert!(after.attempt.is_some_and(|attempt| attempt.settled));
    }
}
