//! A stack that needs a service of its tenant's home region, which is another one.

use crate::observed::StackStatus;
use crate::plan::tests::{World, key};
use crate::plan::{AtHome, Decision};

/// `us-east-1` is home; `network` stands there only, and `api` in the region that is looked at.
const AWAY: [(&str, &str); 3] = [
    ("regions: [eu-central-1]", "regions: [us-east-1, eu-central-1]"),
    ("  template: network.yaml\n", "  template: network.yaml\n  regions: home\n"),
    (
        "  template: api.yaml\n",
        "  template: api.yaml\n  dependsOn: [{ service: network, region: home }]\n",
    ),
];

/// What the home region shows: `network` in this status, as wanted or not.
fn at_home(world: &mut World, status: StackStatus, is_in_sync: bool, edits: &[(&str, &str)]) {
    world.put("network", "network", status);
    let mut seen = world.stacks.remove(&key("network").name).expect("it was put there");
    seen.key.target.region = "us-east-1".parse().expect("a region");
    for (name, value) in edits {
        seen.outputs.insert((*name).to_owned(), (*value).to_owned());
        seen.parameters.insert((*name).to_owned(), (*value).to_owned());
    }
    let known = AtHome::of(&world.desired, &seen, is_in_sync);
    let service = "network".parse().expect("a name");
    world.elsewhere.at_home = Some([(service, known)].into());
}

#[test]
fn it_waits_while_home_is_not_seen_not_there_or_not_as_wanted() {
    let mut world = World::of(&AWAY);
    let text = "waits for a look at the home region us-east-1, where it needs network";
    assert_eq!((world.code("api").as_str(), world.text("api").as_str()), ("waits-for-home", text));
    world.elsewhere.at_home = Some([].into());
    assert_eq!(world.text("api"), "waits until network is complete in the home region us-east-1");
    for (status, is_in_sync) in
        [(StackStatus::CreateInProgress, false), (StackStatus::UpdateComplete, false)]
    {
        at_home(&mut world, status, is_in_sync, &[]);
        assert_eq!(world.code("api"), "waits-for-home");
    }
}

#[test]
fn it_is_made_with_the_outputs_of_home() {
    let mut world = World::of(&AWAY);
    at_home(&mut world, StackStatus::CreateComplete, true, &[("VpcName", "vpc-home")]);
    let decided = world.decided("api");
    assert_eq!(decided.rendered.expect("the output is there").parameters["Vpc"], "vpc-home");
    assert_eq!(world.code("api"), "create");
}

#[test]
fn it_stays_in_sync_while_home_is_updated_and_differs_when_the_output_does() {
    let mut world = World::of(&AWAY);
    world.deploy("api");
    at_home(&mut world, StackStatus::UpdateInProgress, false, &[]);
    assert_eq!(world.decided("api").decision, Decision::InSync);
    at_home(&mut world, StackStatus::UpdateInProgress, false, &[("VpcName", "vpc-2")]);
    assert_eq!(world.code("api"), "waits-for-home");
    at_home(&mut world, StackStatus::UpdateComplete, true, &[("VpcName", "vpc-2")]);
    assert_eq!(world.code("api"), "prepare-update");
}

#[test]
fn an_output_that_home_lacks_or_that_was_mangled_is_not_waited_for() {
    let mut world = World::of(&AWAY);
    at_home(&mut world, StackStatus::CreateComplete, true, &[("VpcName", "vpc-?")]);
    assert_eq!(world.code("api"), "mangled-output");
    let no_output = ("services.network.outputs.VpcName", "services.network.outputs.Other");
    let output = ("Outputs:\n", "Outputs:\n  Other: { Value: !Ref Vpc }\n");
    let mut world = World::of(&[&AWAY[..], &[no_output, output]].concat());
    at_home(&mut world, StackStatus::CreateComplete, true, &[]);
    assert_eq!(world.code("api"), "no-such-output");
}

#[test]
fn a_stack_of_somebody_else_at_home_is_no_service_of_ours() {
    let mut world = World::of(&AWAY);
    world.put("network", "network", StackStatus::CreateComplete);
    let mut seen = world.stacks.remove(&key("network").name).expect("it was put there");
    seen.tags.insert("driftless:fleet".to_owned(), "another".to_owned());
    assert_eq!(AtHome::of(&world.desired, &seen, true), AtHome::default());
}
