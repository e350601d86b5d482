//! Stacks that exist already: which are shown as what, and that nothing happens to strangers.

use std::collections::BTreeMap;

use crate::ids::{StackId, StackName};
use crate::observed::{Seen, StackStatus};
use crate::outcome::Memory;
use crate::plan::tests::{NOW, World, key};
use crate::plan::{Decision, StackRecord, ownership, presented};

const ADOPTS: &[(&str, &str)] = &[
    (
        "  template: network.yaml\n",
        "  template: network.yaml\n  adopt: { match: 'StackSet-network-*' }\n",
    ),
    ("  template: api.yaml\n", "  template: api.yaml\n  adopt: { match: 'StackSet-*' }\n"),
];
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
    let verdict = Decision::InSync.verdict(&key);
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
    put(&mut world, "StackSet-network-1", "nobody", StackStatus::UpdateComplete);
    let row = row("network", "StackSet-network-1");
    assert_eq!(named(&shown(&world, std::slice::from_ref(&row))), ["network = StackSet-network-1"]);
    assert_eq!(named(&shown(&world, &[])), ["StackSet-network-1 = StackSet-network-1"]);
    // What is ours by the wanted name is not hidden by it.
    put(&mut world, "network", "network", StackStatus::CreateComplete);
    let both = ["StackSet-network-1 = StackSet-network-1", "network = network"];
    assert_eq!(named(&shown(&world, &[row])), both);
}

#[test]
fn a_stack_that_fits_two_patterns_belongs_to_the_narrower_one() {
    let mut world = World::of(ADOPTS);
    for name in ["StackSet-network-1", "StackSet-api-1"] {
        put(&mut world, name, "nobody", StackStatus::CreateComplete);
    }
    assert_eq!(
        named(&shown(&world, &[])),
        ["api = StackSet-api-1", "network = StackSet-network-1"]
    );
}
