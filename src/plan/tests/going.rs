//! Stacks that go: what they wait for, what is left behind, how often it is tried.

use crate::ids::{Digest, StackId};
use crate::observed::StackStatus;
use crate::outcome::{Attempt, Failure, StepKind};
use crate::plan::tests::{ALONE, DROPPED, HOUR, MINUTE, NOW, World, attempt, failure, key};
use crate::plan::{Hold, Insight, LeftBehind, NESTED_STACK};

const ACCOUNT: &str = "  account: \"111122223333\"\n";
const ABSENT: &str = "  account: \"111122223333\"\n  services: { network: { absent: true } }\n";

/// `old-network` is what `network` was called before.
fn renamed(edits: &[(&str, &str)]) -> World {
    let mut world = World::of(edits);
    world.put("old-network", "network", StackStatus::CreateComplete);
    world
}

/// `network` is dropped, and deleting it failed: `Vpc` could not be deleted, the others were not
/// tried.
fn half_gone() -> World {
    let mut world = World::of(&[DROPPED, ALONE]);
    world.put("network", "network", StackStatus::DeleteFailed);
    let left = |logical_id: &str, kind: &str, failed| LeftBehind {
        logical_id: logical_id.to_owned(),
        kind: kind.to_owned(),
        failed,
        reason: "it is in use".to_owned(),
        ..LeftBehind::default()
    };
    let left_behind = vec![
        left("Note", "AWS::SSM::Parameter", false),
        left("Table", "AWS::DynamoDB::Table", false),
        left("Vpc", "AWS::EC2::VPC", true),
    ];
    let insight = Insight { left_behind, ..Insight::default() };
    world.insights.insert(key("network").name, insight);
    world
}

fn retained(world: &World) -> Vec<String> {
    let kind = world.step("network").kind;
    let StepKind::Delete { retain } = kind else { panic!("no delete: {kind:?}") };
    retain
}

#[test]
fn a_stack_that_another_replaces_goes_when_a_person_said_so() {
    let mut world = renamed(&[ALONE]);
    assert_eq!(world.code("old-network"), "renamed");
    world.deploy("network");
    assert_eq!(world.code("old-network"), "renamed");
    world.approve("old-network");
    assert_eq!(world.code("old-network"), "delete");
}

#[test]
fn a_stack_whose_move_was_approved_stays_until_its_successor_is_complete() {
    let mut world = renamed(&[ALONE]);
    world.approve("old-network");
    assert_eq!(world.code("old-network"), "waits-for-service", "there is no other yet");
    world.put("network", "network", StackStatus::CreateInProgress);
    assert_eq!(world.code("old-network"), "waits-for-service", "it is being made");
    world.seen("network").status = StackStatus::CreateComplete;
    assert_eq!(world.code("old-network"), "delete");
}

#[test]
fn a_stack_in_an_account_that_its_tenant_left_goes_when_a_person_said_so() {
    let moved = "  account: \"777777777777\"\n";
    let mut world = World::of(&[(ACCOUNT, moved), ALONE]);
    world.put("network", "network", StackStatus::CreateComplete);
    assert_eq!(world.code("network"), "renamed");
    world.approve("network");
    assert_eq!(world.code("network"), "delete");
}

#[test]
fn only_a_stack_that_is_to_stand_for_the_same_tenant_and_service_replaces_one() {
    // `api` is wanted for the same tenant.
    assert_eq!(renamed(&[DROPPED, ALONE]).code("old-network"), "delete");
    let asked_to_go = renamed(&[(ACCOUNT, ABSENT), ALONE]);
    assert_eq!(asked_to_go.code("old-network"), "delete");
}

#[test]
fn a_stack_in_use_goes_once_the_one_that_replaces_it_is_complete() {
    let mut world = renamed(&[]);
    world.deploy("api");
    world.approve("old-network");
    assert_eq!(world.code("old-network"), "kept-for-dependents", "there is no other yet");
    world.put("network", "network", StackStatus::CreateInProgress);
    assert_eq!(world.code("old-network"), "kept-for-dependents", "it is being made");
    world.seen("network").status = StackStatus::CreateComplete;
    assert_eq!(world.code("old-network"), "delete");
}

#[test]
fn a_stack_waits_for_those_that_go_and_use_it() {
    let api = "  template: api.yaml\n";
    let unselected = format!("{api}  selector: {{ matchLabels: {{ group: b }} }}\n");
    let mut world = World::at_rest(&[DROPPED, (api, &unselected)]);
    assert_eq!(
        (world.code("network"), world.code("api")),
        ("waits-for-dependents".into(), "delete".into())
    );
    world.stacks.remove(&key("api").name);
    assert_eq!(world.code("network"), "delete");
}

#[test]
fn a_stack_is_kept_by_those_that_stay_and_use_it() {
    let retained = ("  onRemoval: delete\n  parameters", "  parameters");
    let api = "  template: api.yaml\n";
    let unselected = format!("{api}  selector: {{ matchLabels: {{ group: b }} }}\n");
    let world = World::at_rest(&[DROPPED, (api, &unselected), retained]);
    assert_eq!(world.code("network"), "kept-for-dependents");
}

#[test]
fn a_stack_that_nobody_uses_goes_beside_those_that_stay() {
    let world = World::at_rest(&[DROPPED, ALONE]);
    assert_eq!((world.code("network"), world.code("api")), ("delete".into(), "in-sync".into()));
}

#[test]
fn a_refused_delete_is_tried_again_after_an_hour_though_git_did_not_change() {
    let mut world = World::of(&[DROPPED, ALONE]);
    world.deploy("network");
    world.memory("network").failure = Some(failure("ValidationError", Digest::of(b"")));
    let Hold::Cooldown { until, .. } = world.hold("network") else { panic!("a cooldown") };
    assert_eq!(until, NOW + HOUR);
    world.now = until - MINUTE;
    assert_eq!(world.code("network"), "cooldown");
    world.now = until;
    assert_eq!(world.code("network"), "delete");
}

#[test]
fn a_failure_of_something_else_does_not_hold_a_delete() {
    let mut world = World::of(&[DROPPED, ALONE]);
    world.deploy("network");
    world.memory("network").failure = Some(failure("ValidationError", Digest::of(b"update")));
    assert_eq!(world.code("network"), "delete");
}

#[test]
fn a_nested_stack_stays_when_it_holds_what_is_protected_or_hides_what_it_holds() {
    let nested = |kinds: Option<&[&str]>| LeftBehind {
        logical_id: "Child".to_owned(),
        kind: NESTED_STACK.to_owned(),
        holds: kinds.map(|kinds| kinds.iter().map(|kind| (*kind).to_owned()).collect()),
        ..LeftBehind::default()
    };
    for (kinds, kept) in [
        (None, vec!["Child", "Table", "Vpc"]),
        (Some(&["AWS::SSM::Parameter"][..]), vec!["Table", "Vpc"]),
        (Some(&["AWS::SSM::Parameter", "AWS::S3::Bucket"][..]), vec!["Child", "Table", "Vpc"]),
    ] {
        let mut world = half_gone();
        let insight = world.insights.get_mut(&key("network").name).expect("it was looked at");
        insight.left_behind.insert(0, nested(kinds));
        assert_eq!(retained(&world), kept, "{kinds:?}");
        world.memory("network").never_complete = Some(StackId::of("arn:network"));
        assert_eq!(retained(&world), ["Vpc"], "nobody ever used it");
    }
}

#[test]
fn what_failed_to_go_and_what_is_protected_is_left_behind() {
    let mut world = half_gone();
    assert_eq!(retained(&world), ["Table", "Vpc"]);
    world.memory("network").never_complete = Some(StackId::of("arn:network"));
    assert_eq!(retained(&world), ["Vpc"], "nobody ever used the table");
    world.insights.clear();
    assert_eq!(world.code("network"), "needs-person", "nothing could be left behind");
}

#[test]
fn a_delete_that_fails_twice_is_left_alone_for_a_while_and_three_times_for_a_person() {
    let mut world = half_gone();
    let once = failure("Throttling", Digest::of(b""));
    world.memory("network").failure = Some(once.clone());
    assert_eq!(world.code("network"), "delete", "at once, and with what is left behind");
    world.memory("network").failure = Some(Failure { count: 2, ..once.clone() });
    let Hold::Cooldown { until, .. } = world.hold("network") else { panic!("a cooldown") };
    world.now = until - MINUTE;
    assert_eq!(world.code("network"), "cooldown");
    world.now = until;
    assert_eq!(world.code("network"), "delete");
    world.memory("network").failure = Some(Failure { count: 3, ..once });
    assert_eq!(world.code("network"), "needs-person");
}

#[test]
fn failures_of_updates_are_no_tries_of_a_delete() {
    let mut world = half_gone();
    let update = Failure { count: 3, ..failure("Throttling", Digest::of(b"update")) };
    world.memory("network").failure = Some(update);
    assert_eq!(world.code("network"), "delete");
}

#[test]
fn tries_that_left_no_other_trace_are_counted_by_their_number() {
    let mut world = half_gone();
    world.memory("network").failure = Some(failure("Throttling", Digest::of(b"")));
    let version = Some(world.seen("network").version());
    let again = StepKind::Delete { retain: vec!["Vpc".to_owned()] };
    let third = Attempt { number: 3, version, ..attempt(again, true) };
    world.memory("network").attempt = Some(third.clone());
    assert_eq!(world.code("network"), "needs-person");
    let mut other = third.clone();
    other.kind = StepKind::SetTerminationProtection(false);
    world.memory("network").attempt = Some(other);
    assert_eq!(world.code("network"), "delete", "another step");
    let other = Attempt { version: None, ..third };
    world.memory("network").attempt = Some(other);
    assert_eq!(world.code("network"), "delete", "another stack");
}
