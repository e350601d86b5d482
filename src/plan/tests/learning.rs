//! What looks and answers teach about a stack.

use std::time::Duration;

use crate::ids::{Digest, StackId};
use crate::moment::Moment;
use crate::observed::{ChangeSetSeen, ChangeSetStatus, Seen, StackStatus, StackVersion};
use crate::outcome::{
    Attempt, Cause, CauseClass, Failure, Memory, Outcome, OwnChangeSet, StepKind,
};
use crate::plan::tests::{MINUTE, NOW, World, attempt, failure, key};
use crate::plan::{
    EFFECT_PATIENCE, StackRecord, after_look, after_outcome, count_of, may_run, wants_events,
};

const SOON: Moment = Moment::from_millis(NOW.as_millis() + 1000);

fn seen(status: StackStatus) -> Seen {
    let mut world = World::of(&[]);
    world.put("network", "network", status);
    world.seen("network").clone()
}

fn tried(attempt: Attempt) -> Memory {
    Memory { attempt: Some(attempt), ..Memory::default() }
}

/// An attempt of this kind from the version that is seen.
fn from(seen: &Seen, kind: StepKind) -> Attempt {
    Attempt { version: Some(seen.version()), ..attempt(kind, false) }
}

fn execute() -> StepKind {
    StepKind::ExecuteChangeSet { name: "set".to_owned() }
}

fn prepare() -> StepKind {
    StepKind::CreateChangeSet { name: "set".to_owned() }
}

fn clear() -> StepKind {
    StepKind::DeleteChangeSet { name: "set".to_owned() }
}

fn delete(retain: &[&str]) -> StepKind {
    StepKind::Delete { retain: retain.iter().map(|&name| name.to_owned()).collect() }
}

fn found(status: ChangeSetStatus) -> ChangeSetSeen {
    ChangeSetSeen { status, created_at: None, reverts_drift: false, changes: Vec::new() }
}

fn own_set(version: StackVersion) -> OwnChangeSet {
    OwnChangeSet {
        name: "set".to_owned(),
        version,
        digest: Digest::of(b"wanted"),
        pays: [].into(),
        reverts: false,
        subjects: Vec::new(),
        inside: None,
    }
}

/// The memory after a look a second later.
fn look(memory: &Memory, seen: Option<&Seen>, set: Option<&ChangeSetSeen>) -> Memory {
    after_look(memory, seen, set, None, SOON)
}

fn settles(memory: &Memory, seen: Option<&Seen>, set: Option<&ChangeSetSeen>) -> bool {
    look(memory, seen, set).attempt.expect("remembered").settled
}

#[test]
fn events_are_read_once_for_each_failure() {
    let failed = seen(StackStatus::UpdateRollbackComplete);
    assert!(wants_events(&Memory::default(), &failed));
    assert!(wants_events(&Memory::default(), &seen(StackStatus::RollbackComplete)));
    assert!(!wants_events(&Memory::default(), &seen(StackStatus::UpdateComplete)));
    assert!(!wants_events(&Memory::default(), &seen(StackStatus::UpdateInProgress)));

    let version = Some(failed.version());
    let known = Failure { version, ..failure("ValidationError", Digest::of(b"wanted")) };
    let known = Memory { failure: Some(known), ..Memory::default() };
    assert!(!wants_events(&known, &failed), "it is known");
    let taught = Some((failed.version(), Digest::of(b"wanted")));
    let taught = Memory { taught, ..Memory::default() };
    assert!(!wants_events(&taught, &failed), "it is in sync all the same");
    let later = Seen { updated_at: Some(NOW), ..failed.clone() };
    assert!(wants_events(&known, &later) && wants_events(&taught, &later), "another version");
}

#[test]
fn events_are_read_again_when_an_operation_of_ours_ended_like_the_one_before() {
    let failed = seen(StackStatus::DeleteFailed);
    let version = Some(failed.version());
    let known = Failure { version, ..failure("ValidationError", Digest::of(b"")) };
    let known = |attempt| Memory {
        attempt: Some(attempt),
        failure: Some(known.clone()),
        ..Memory::default()
    };
    assert!(wants_events(&known(from(&failed, delete(&[]))), &failed));
    let settled = Attempt { settled: true, ..from(&failed, delete(&[])) };
    assert!(!wants_events(&known(settled), &failed));
    assert!(!wants_events(&known(from(&failed, execute())), &failed), "no effect to be seen");
    assert!(!wants_events(&known(from(&failed, prepare())), &failed), "no operation");
}

#[test]
fn a_stack_was_complete_once_by_what_its_status_says() {
    let learnt = |status, updated_at| {
        let stack = Seen { updated_at, ..seen(status) };
        let memory = look(&Memory::default(), Some(&stack), None);
        (memory.ever_complete.is_some(), memory.never_complete.is_some())
    };
    let updated = Some(NOW);
    assert_eq!(learnt(StackStatus::CreateComplete, None), (true, false));
    assert_eq!(learnt(StackStatus::UpdateFailed, updated), (true, false));
    assert_eq!(learnt(StackStatus::UpdateInProgress, updated), (true, false));
    assert_eq!(learnt(StackStatus::UpdateInProgress, None), (false, false));
    assert_eq!(learnt(StackStatus::DeleteInProgress, updated), (false, false));
    assert_eq!(learnt(StackStatus::RollbackComplete, None), (false, true));
    assert_eq!(learnt(StackStatus::DeleteFailed, updated), (false, false));
}

#[test]
fn an_empty_change_set_teaches_that_the_version_it_was_made_for_is_in_sync() {
    let stack = seen(StackStatus::UpdateComplete);
    let empty = found(ChangeSetStatus::Empty);
    let own = own_set(stack.version());
    let memory = Memory { change_set: Some(own.clone()), ..Memory::default() };
    let taught = look(&memory, Some(&stack), Some(&empty)).taught;
    assert_eq!(taught, Some((stack.version(), own.digest)));
    let later = Seen { updated_at: Some(NOW), ..stack };
    assert_eq!(look(&memory, Some(&later), Some(&empty)).taught, None);
}

#[test]
fn a_change_set_that_failed_is_one_failure_however_often_it_is_seen() {
    let stack = seen(StackStatus::UpdateComplete);
    let failed = found(ChangeSetStatus::Failed("no such thing".to_owned()));
    let own = own_set(stack.version());
    let memory = Memory { change_set: Some(own), ..Memory::default() };
    let once = look(&memory, Some(&stack), Some(&failed));
    let failure = once.failure.clone().expect("a failure");
    assert_eq!((failure.step.as_str(), failure.count), ("prepare-update", 1));
    assert_eq!(failure.cause.to_string(), "CHANGE_SET_FAILED: no such thing");
    let again = after_look(&once, Some(&stack), Some(&failed), None, SOON + MINUTE);
    assert_eq!(again, once, "nothing new");

    let other = found(ChangeSetStatus::Failed("another reason".to_owned()));
    let twice = look(&once, Some(&stack), Some(&other)).failure.expect("a failure");
    assert_eq!((twice.count, twice.cause.text.as_str()), (2, "another reason"));
    let mut wanted = once.clone();
    wanted.change_set.as_mut().expect("ours").digest = Digest::of(b"other");
    let other = look(&wanted, Some(&stack), Some(&failed)).failure.expect("a failure");
    assert_eq!((other.count, other.digest), (1, Some(Digest::of(b"other"))));
}

#[test]
fn a_change_set_prepared_again_that_failed_again_is_another_failure() {
    let stack = seen(StackStatus::UpdateComplete);
    let failed = found(ChangeSetStatus::Failed("no such thing".to_owned()));
    let memory = Memory { change_set: Some(own_set(stack.version())), ..Memory::default() };
    let once = look(&memory, Some(&stack), Some(&failed));
    let again = Memory { attempt: Some(from(&stack, prepare())), ..once.clone() };
    let twice = look(&again, Some(&stack), Some(&failed));
    assert_eq!(twice.failure.expect("a failure").count, 2);
    let settled = Attempt { settled: true, ..from(&stack, prepare()) };
    let seen_again = look(&Memory { attempt: Some(settled), ..once }, Some(&stack), Some(&failed));
    assert_eq!(seen_again.failure.expect("a failure").count, 1);
}

#[test]
fn failures_in_a_row_are_of_the_same_wish() {
    let wanted = Some(Digest::of(b"wanted"));
    let twice = Failure { count: 2, ..failure("Throttling", Digest::of(b"wanted")) };
    let memory = Memory { failure: Some(twice), ..Memory::default() };
    assert_eq!(count_of(&memory, "create", wanted), 3);
    assert_eq!(count_of(&memory, "update", wanted), 3, "steps that fail in turn are one story");
    assert_eq!(count_of(&memory, "create", None), 1);
    assert_eq!(count_of(&memory, "create", Some(Digest::of(b"other"))), 1);
    assert_eq!(count_of(&Memory::default(), "create", wanted), 1);
}

#[test]
fn an_answer_is_remembered_with_its_attempt() {
    let call = |kind| tried(Attempt { answered: false, ..attempt(kind, false) });
    let after = |kind, outcome: &Outcome| {
        let memory = after_outcome(&call(kind), outcome, SOON);
        let attempt = memory.attempt.expect("remembered");
        (attempt.answered, attempt.settled)
    };
    let no = Cause::of_call("ValidationError", "no");
    assert_eq!(after(execute(), &Outcome::Started), (true, false));
    assert_eq!(after(clear(), &Outcome::Done), (true, true));
    assert_eq!(after(execute(), &Outcome::LookAgain("gone".to_owned())), (true, true));
    assert_eq!(after(execute(), &Outcome::Failed(no.clone())), (true, true));
    assert_eq!(after(execute(), &Outcome::Unknown(no)), (false, false));
}

#[test]
fn a_lost_answer_is_trouble_of_aws_and_a_failed_call_counts_against_what_was_wanted() {
    let no = Cause::of_call("ValidationError", "no");
    let after = |kind, outcome: &Outcome| {
        after_outcome(&tried(attempt(kind, false)), outcome, SOON).failure.expect("a failure")
    };
    let lost = after(execute(), &Outcome::Unknown(no.clone()));
    assert_eq!((lost.cause.class, lost.cause.text.as_str()), (CauseClass::Transient, "no"));
    let refused = after(execute(), &Outcome::Failed(no.clone()));
    assert_eq!((refused.cause.class, refused.step.as_str()), (CauseClass::Release, "update"));
    assert_eq!(refused.digest, Some(Digest::of(b"wanted")));
    assert_eq!(after(clear(), &Outcome::Failed(no)).digest, None, "clearing away is no try");
}

#[test]
fn a_delete_settles_when_the_stack_is_gone_another_or_could_not_be_deleted() {
    let stack = seen(StackStatus::UpdateComplete);
    let memory = tried(from(&stack, delete(&[])));
    let settles = |seen: Option<&Seen>| settles(&memory, seen, None);
    assert!(settles(None));
    assert!(!settles(Some(&stack)), "the listing lags");
    let with = |status| Seen { status, ..stack.clone() };
    assert!(!settles(Some(&with(StackStatus::DeleteInProgress))));
    assert!(settles(Some(&with(StackStatus::DeleteComplete))));
    assert!(settles(Some(&with(StackStatus::DeleteFailed))));
    assert!(settles(Some(&Seen { id: StackId::of("arn:other"), ..stack.clone() })));
}

#[test]
fn a_delete_that_leaves_things_behind_cannot_be_told_from_the_failed_one_before() {
    let stack = seen(StackStatus::DeleteFailed);
    let memory = tried(from(&stack, delete(&["Vpc"])));
    assert!(!settles(&memory, Some(&stack), None));
}

#[test]
fn an_attempt_settles_for_want_of_an_answer_or_of_patience() {
    let stack = seen(StackStatus::UpdateComplete);
    let memory = tried(from(&stack, execute()));
    let settles = |memory: &Memory, now| {
        after_look(memory, Some(&stack), None, None, now).attempt.expect("remembered").settled
    };
    assert!(!settles(&memory, NOW + EFFECT_PATIENCE - Duration::from_millis(1)));
    assert!(settles(&memory, NOW + EFFECT_PATIENCE));
    let lost = tried(Attempt { answered: false, ..from(&stack, execute()) });
    assert!(settles(&lost, NOW), "the same call is made again");
}

#[test]
fn what_is_switched_settles_when_it_shows() {
    let stack = seen(StackStatus::UpdateComplete);
    let switch = |on| tried(from(&stack, StepKind::SetTerminationProtection(on)));
    assert!(settles(&switch(false), Some(&stack), None));
    assert!(!settles(&switch(true), Some(&stack), None));
}

#[test]
fn no_operation_runs_when_its_stack_is_gone_or_it_started_none() {
    let stack = seen(StackStatus::UpdateComplete);
    let memory = |kind| tried(Attempt { answered: false, settled: true, ..from(&stack, kind) });
    assert!(!may_run(None, &memory(delete(&[])), SOON));
    assert!(may_run(Some(&stack), &memory(delete(&[])), SOON), "a listing that lags");
    assert!(may_run(None, &memory(execute()), SOON));
    assert!(!may_run(Some(&stack), &memory(prepare()), SOON));
}

#[test]
fn a_stack_may_stand_that_was_seen_or_asked_for_and_could_not_be_seen_yet() {
    let world = World::of(&[]);
    let stands = |seen: Option<Seen>, memory: Memory| {
        let verdict = world.decided("network").decision.verdict();
        let record = StackRecord {
            key: key("network"),
            seen,
            looked_at: SOON,
            wanted: true,
            verdict,
            verdict_since: NOW,
            memory,
        };
        record.may_stand()
    };
    assert!(!stands(None, Memory::default()));
    assert!(stands(Some(seen(StackStatus::CreateComplete)), Memory::default()));
    assert!(stands(None, tried(attempt(StepKind::Create, false))));
}

#[test]
fn a_change_set_that_was_promised_and_never_shows_is_trouble_of_aws() {
    let stack = seen(StackStatus::UpdateComplete);
    let late = NOW + EFFECT_PATIENCE;
    let after = |attempt, set: Option<&ChangeSetSeen>| {
        after_look(&tried(attempt), Some(&stack), set, None, late).failure
    };
    let failure = after(from(&stack, prepare()), None).expect("a failure");
    assert_eq!(
        (failure.step.as_str(), failure.cause.class),
        ("prepare-update", CauseClass::Transient)
    );
    assert_eq!(after(from(&stack, prepare()), Some(&found(ChangeSetStatus::Ready))), None);
    assert_eq!(after(Attempt { answered: false, ..from(&stack, prepare()) }, None), None);
    assert_eq!(after(from(&stack, execute()), None), None);
}

#[test]
fn a_change_set_is_forgotten_when_it_was_executed_or_is_gone() {
    let stack = seen(StackStatus::UpdateComplete);
    let ready = found(ChangeSetStatus::Ready);
    let forgotten = |kind, seen: &Seen, set: Option<&ChangeSetSeen>| {
        let memory =
            Memory { change_set: Some(own_set(stack.version())), ..tried(from(&stack, kind)) };
        after_look(&memory, Some(seen), set, None, NOW + EFFECT_PATIENCE).change_set.is_none()
    };
    let updated = Seen { updated_at: Some(NOW), ..stack.clone() };
    assert!(forgotten(execute(), &updated, None));
    assert!(!forgotten(execute(), &stack, Some(&ready)), "no effect was seen");
    assert!(forgotten(prepare(), &stack, None));
    assert!(!forgotten(prepare(), &stack, Some(&ready)));
    assert!(forgotten(clear(), &stack, None));
    assert!(!forgotten(clear(), &stack, Some(&ready)));
}

#[test]
fn success_ends_the_count_of_failures_and_tells_which_hidden_values_hold() {
    let stack = seen(StackStatus::UpdateComplete);
    let given = [("Secret".to_owned(), Digest::of(b"new"))].into();
    let memory = Memory {
        failure: Some(failure("Throttling", Digest::of(b"wanted"))),
        ..tried(Attempt { no_echo: given, ..from(&stack, execute()) })
    };
    let done = look(&memory, Some(&Seen { updated_at: Some(NOW), ..stack.clone() }), None);
    assert_eq!((done.failure, done.no_echo.len()), (None, 1));
    let failed = Seen { status: StackStatus::UpdateFailed, updated_at: Some(NOW), ..stack };
    let failed = look(&memory, Some(&failed), None);
    assert_eq!((failed.failure.is_some(), failed.no_echo.len()), (true, 0));
}

#[test]
fn a_failed_delete_is_forgotten_once_the_stack_is_gone_and_other_failures_are_not() {
    let stack = seen(StackStatus::DeleteFailed);
    let after = |step: &str, seen: Option<&Seen>| {
        let failed = Failure { step: step.to_owned(), ..failure("Throttling", Digest::of(b"")) };
        let memory = Memory { failure: Some(failed), ..tried(from(&stack, delete(&[]))) };
        look(&memory, seen, None).failure.is_some()
    };
    assert!(!after("delete", None));
    assert!(after("create", None), "it would go on failing");
    assert!(after("delete", Some(&stack)));
}
