//! Stacks that exist already: which are shown as what, and that nothing happens to strangers.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::ids::{StackId, StackName};
use crate::observed::{Seen, StackStatus, Standing};
use crate::outcome::{Memory, StepKind};
use crate::plan::tests::{NOW, World, key};
use crate::plan::{Decision, StackRecord, ownership, presented};

const ADOPTS: &[(&str, &str)] = &[
    (
        "  template: network.yaml\n",
        "  template: network.yaml\n  adopt: { match: 'StackSet-x-network-*' }\n",
    ),
    ("  template: api.yaml\n", "  template: api.yaml\n  adopt: { match: 'StackSet-x-*' }\n"),
];
const NAMES: [&str; 6] =
    ["StackSet-x-network-1", "StackSet-x-network-2", "StackSet-x-api-1", "network", "api", "other"];

/// A stack with the tags of `owner`: nobody, another fleet, or one of our services.
fn put(world: &mut World, name: &str, owner: &str, status: StackStatus) {
    world.put(name, owner, status);
    let seen = world.seen(name);
    seen.id = id(name);
    match owner {
        "nobody" => seen.tags.clear(),
        "theirs" => drop(seen.tags.insert(ownership::FLEET_TAG.to_owned(), "theirs".to_owned())),
        _ => {}
    }
}

fn id(name: &str) -> StackId {
    StackId::of(&format!("arn:aws:cloudformation:eu-central-1:111122223333:stack/{name}/1"))
}

/// The row of a stack that was taken over as `name` and is called `own` in AWS.
fn row(name: &str, own: &str) -> (StackName, StackRecord) {
    let key = key(name);
    let memory = Memory { adopted: Some(id(own)), ..Memory::default() };
    let verdict = Decision::InSync.verdict();
    let (looked_at, verdict_since) = (NOW, NOW);
    let seen = None;
    let name = key.name.clone();
    (name, StackRecord { key, seen, looked_at, wanted: true, verdict, verdict_since, memory })
}

fn named(stacks: &BTreeMap<StackName, Seen>) -> Vec<String> {
    stacks.iter().map(|(name, seen)| format!("{name} = {}", seen.own_name())).collect()
}

fn shown(world: &World, rows: &[(StackName, StackRecord)]) -> BTreeMap<StackName, Seen> {
    let records = rows.iter().cloned().collect();
    presented(&world.desired, &key("x").target, world.stacks.clone(), &records)
}

#[test]
fn the_journal_knows_what_was_taken_over_whatever_git_or_its_tags_say_now() {
    let mut world = World::of(&[]);
    put(&mut world, "StackSet-x-network-1", "nobody", StackStatus::UpdateComplete);
    let row = row("network", "StackSet-x-network-1");
    assert_eq!(
        named(&shown(&world, std::slice::from_ref(&row))),
        ["network = StackSet-x-network-1"]
    );
    assert_eq!(named(&shown(&world, &[])), ["StackSet-x-network-1 = StackSet-x-network-1"]);
    // What is ours by the wanted name is not hidden by it.
    put(&mut world, "network", "network", StackStatus::CreateComplete);
    let both = ["StackSet-x-network-1 = StackSet-x-network-1", "network = network"];
    assert_eq!(named(&shown(&world, &[row])), both);
}

#[test]
fn a_stack_that_fits_two_patterns_belongs_to_the_narrower_one() {
    let mut world = World::of(ADOPTS);
    for name in ["StackSet-x-network-1", "StackSet-x-api-1"] {
        put(&mut world, name, "nobody", StackStatus::CreateComplete);
    }
    assert_eq!(
        named(&shown(&world, &[])),
        ["api = StackSet-x-api-1", "network = StackSet-x-network-1"]
    );
}

fn stacks() -> impl Strategy<Value = Vec<(&'static str, &'static str, StackStatus)>> {
    let owner = prop::sample::select(vec!["nobody", "nobody", "theirs", "network", "api"]);
    let status = prop::sample::select(StackStatus::KNOWN.to_vec());
    let stands = status.prop_filter("it is there", |one| one.standing() != Standing::Gone);
    let status = prop_oneof![Just(StackStatus::CreateComplete), stands];
    let stack = (prop::sample::select(NAMES.to_vec()), owner, status);
    prop::collection::vec(stack, 0..6)
}

proptest! {
    #[test]
    fn whatever_stands_there_nothing_is_lost_made_twice_or_deleted(
        stacks in stacks(),
        taken in prop::option::of((0..NAMES.len(), 0..2_usize)),
        is_going in any::<bool>(),
    ) {
        let account = "  account: \"111122223333\"\n";
        let going = format!("{account}  lifecycle: offboarded\n");
        let edits: Vec<(&str, &str)> =
            ADOPTS.iter().copied().chain(is_going.then_some((account, going.as_str()))).collect();
        let mut world = World::of(&edits);
        for (name, owner, status) in &stacks {
            put(&mut world, name, owner, status.clone());
        }
        let rows: Vec<_> = taken.map(|(own, name)| row(["network", "api"][name], NAMES[own]))
            .into_iter().collect();
        let before = world.stacks.clone();
        let after = shown(&world, &rows);
        world.stacks = after.clone();
        prop_assert_eq!(&shown(&world, &rows), &after, "once is enough");
        for seen in before.values() {
            let found: Vec<&Seen> = after.values().filter(|one| one.id == seen.id).collect();
            prop_assert!(found.len() <= 1);
            // Only a stranger's stack gives way to what was taken over under its name.
            let is_ours = ownership::is_ours(seen, &world.desired.fleet.name);
            prop_assert!(!found.is_empty() || !is_ours, "{:?} is lost", seen.key);
            // Another fleet's stack that the journal knows as ours stands in the way of a twin.
            let was_ours = rows.iter().any(|(_, row)| row.memory.adopted.as_ref() == Some(&seen.id));
            let is_theirs = !is_ours && !ownership::is_nobody_s(seen) && !was_ours;
            prop_assert!(!is_theirs || found.iter().all(|one| one.key == seen.key));
        }
        for (name, decided) in world.decide() {
            let Decision::Step(step) = decided.decision else { continue };
            prop_assert!(step.kind != StepKind::Create, "{name} would be a twin");
            let is_prepared = matches!(step.kind, StepKind::CreateChangeSet { .. });
            let seen = step.seen.expect("it stands");
            prop_assert!(
                ownership::is_ours(&seen, &world.desired.fleet.name)
                    || (is_prepared && ownership::is_nobody_s(&seen) && !is_going),
                "{:?} of {:?}", step.kind, seen
            );
        }
    }
}
