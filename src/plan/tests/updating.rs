//! From a difference to an update: what counts as one, and the way of a change set.

use crate::ids::Digest;
use crate::moment::Moment;
use crate::observed::{ChangeAction, ChangeSetSeen, ChangeSetStatus, PlannedChange, Replacement};
use crate::outcome::OwnChangeSet;
use crate::plan::Insight;
use crate::plan::tests::{ALONE, DROPPED, MINUTE, World, key};

/// `api` differs, and a change set for it has come this far.
fn prepared(status: ChangeSetStatus, changes: &[PlannedChange]) -> World {
    let mut world = World::at_rest(&[]);
    world.seen("api").tags.insert("more".to_owned(), "tags".to_owned());
    let (version, digest) = (world.seen("api").version(), world.digest("api"));
    let set = OwnChangeSet {
        name: "driftless-one-0".to_owned(),
        version,
        digest,
        pays: [].into(),
        reverts: false,
        subjects: Vec::new(),
        inside: None,
    };
    world.memory("api").change_set = Some(set);
    let found =
        ChangeSetSeen { status, created_at: None, reverts_drift: false, changes: changes.to_vec() };
    let insight = Insight { change_set: Some(found), ..Insight::default() };
    world.insights.insert(key("api").name, insight);
    world
}

fn own_set(world: &mut World) -> &mut OwnChangeSet {
    world.memory("api").change_set.as_mut().expect("prepared")
}

fn removal(kind: &str) -> PlannedChange {
    PlannedChange {
        within: String::new(),
        touches: Default::default(),
        only_tags: false,
        action: ChangeAction::Remove,
        logical_id: "Table".to_owned(),
        physical_id: None,
        kind: kind.to_owned(),
        replacement: Replacement::Never,
    }
}

#[test]
fn a_change_set_is_executed_for_what_it_was_made_for_and_nothing_else() {
    let queue = [removal("AWS::SSM::Parameter")];
    let mut world = prepared(ChangeSetStatus::Ready, &queue);
    assert_eq!(world.text("api"), "update: its change set of 1 resource was checked");
    own_set(&mut world).digest = Digest::of(b"before");
    assert_eq!(world.text("api"), "drop-change-set: something else is wanted now");

    let mut world = prepared(ChangeSetStatus::Ready, &queue);
    own_set(&mut world).version.updated_at = Some(Moment::default());
    let text = "drop-change-set: somebody updated the stack since it was prepared";
    assert_eq!(world.text("api"), text);
}

#[test]
fn a_change_set_that_is_being_made_is_waited_for_even_when_it_is_of_no_use() {
    let mut world = prepared(ChangeSetStatus::Pending, &[]);
    assert_eq!(world.code("api"), "change-set-pending");
    own_set(&mut world).digest = Digest::of(b"before");
    assert_eq!(world.code("api"), "change-set-pending", "AWS would refuse to remove it");
}

#[test]
fn a_change_set_that_removes_what_is_protected_waits_for_a_person() {
    let mut world = prepared(ChangeSetStatus::Ready, &[removal("AWS::DynamoDB::Table")]);
    assert_eq!(world.code("api"), "protected");
    world.approve("api");
    assert_eq!(world.code("api"), "update");
}

#[test]
fn an_update_waits_for_what_it_uses_where_that_is_wanted() {
    let mut world = World::at_rest(&[]);
    for name in ["network", "api"] {
        world.seen(name).tags.insert("more".to_owned(), "tags".to_owned());
    }
    assert_eq!(world.code("network"), "prepare-update");
    assert_eq!(world.code("api"), "waits-for-service");
    let mut unused = World::at_rest(&[ALONE]);
    for name in ["network", "api"] {
        unused.seen(name).tags.insert("more".to_owned(), "tags".to_owned());
    }
    assert_eq!(unused.code("api"), "prepare-update");
}

#[test]
fn a_service_that_is_not_wanted_here_is_not_waited_for() {
    let depends = ("  template: api.yaml\n", "  template: api.yaml\n  dependsOn: [network]\n");
    let world = World::of(&[DROPPED, ALONE, depends]);
    assert_eq!(world.code("api"), "create");
}

#[test]
fn a_stack_policy_that_is_not_the_wanted_one_is_set() {
    let policy = "  template: network.yaml\n  stackPolicy: policy.json\n";
    let mut world = World::at_rest(&[("  template: network.yaml\n", policy)]);
    assert_eq!(world.code("network"), "in-sync");
    let known = world.memory("network").known.as_mut().expect("known");
    known.policy = None;
    assert_eq!(world.code("network"), "set-policy");
}

#[test]
fn a_template_is_known_of_one_version_only() {
    let mut world = World::at_rest(&[]);
    world.seen("api").updated_at = Some(world.now);
    assert_eq!(world.text("api"), "prepare-update: template unknown after a rollback");
}

#[test]
fn a_hidden_value_differs_when_it_is_not_what_was_given_last() {
    let mut world = World::at_rest(&[]);
    assert_eq!(world.code("api"), "in-sync", "nobody knows what was given");
    let given = |text: &str| [("Secret".to_owned(), Digest::of(text.as_bytes()))].into();
    world.memory("api").no_echo = given("hush");
    assert_eq!(world.code("api"), "in-sync");
    world.memory("api").no_echo = given("before");
    assert_eq!(world.text("api"), "prepare-update: parameter Secret");
}

#[test]
fn a_value_that_only_looks_hidden_is_compared() {
    let mut world = World::at_rest(&[]);
    world.seen("api").parameters.insert("Vpc".to_owned(), "****".to_owned());
    assert_eq!(world.text("api"), "prepare-update: parameter Vpc");
    let mut world = World::at_rest(&[]);
    world.seen("api").parameters.insert("Secret".to_owned(), "seen".to_owned());
    assert_eq!(world.text("api"), "prepare-update: parameter Secret");
}

#[test]
fn a_value_is_compared_as_aws_gives_it_back() {
    let mut world = World::at_rest(&[("Default: none", "Default: café")]);
    world.seen("network").parameters.insert("Note".to_owned(), "caf?".to_owned());
    assert_eq!(world.code("network"), "in-sync");
    world.seen("network").parameters.insert("Note".to_owned(), "tea".to_owned());
    assert_eq!(world.text("network"), "prepare-update: parameter Note");
}

#[test]
fn a_service_that_is_asked_to_go_is_not_waited_for() {
    let account = "  account: \"111122223333\"\n";
    let absent = format!("{account}  services: {{ network: {{ absent: true }} }}\n");
    let depends = "  template: api.yaml\n  dependsOn: [network]\n";
    let edits = [(account, absent.as_str()), ALONE, ("  template: api.yaml\n", depends)];
    let mut world = World::of(&edits);
    assert_eq!(world.code("api"), "create");
    world.deploy("api");
    world.seen("api").tags.insert("more".to_owned(), "tags".to_owned());
    assert_eq!(world.code("api"), "prepare-update");
}

#[test]
fn a_listing_that_lags_does_not_drop_the_set_that_was_made_for_what_is_there() {
    let mut world = prepared(ChangeSetStatus::Ready, &[removal("AWS::SSM::Parameter")]);
    let version = world.seen("api").version();
    own_set(&mut world).version.updated_at = version.updated_at.map(|at| at + MINUTE);
    assert_eq!(world.code("api"), "change-set-pending");
    world.seen("api").updated_at = version.updated_at.map(|at| at + MINUTE * 2);
    assert_eq!(world.code("api"), "drop-change-set");
}
