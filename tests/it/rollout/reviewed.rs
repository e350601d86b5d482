//! Where the fleet requires plans, a bad release that was reviewed is taken back without another plan.

use super::{MINUTE, WAVES, failing, run, settled, sizes};
use crate::world::{World, key};

fn approve_plan_of_the_last_commit(world: &World) {
    let path = world.journal_path().with_file_name("plan.json");
    let plan = world.driftless(&["plan", "--from", "HEAD~1", "--format", "json"]);
    std::fs::write(&path, plan).expect("written");
    let said = world.driftless(&["approve", "--plan", path.to_str().expect("text")]);
    assert!(said.contains("it allows exactly this"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn going_back_takes_back_what_the_plan_of_the_bad_release_did() {
    let world = settled(8, &format!("{WAVES}    onHalt: revert\n")).await;
    world.edit("fleet.yaml", "spec:\n", "spec:\n  requirePlan: true\n");
    world.commit();
    approve_plan_of_the_last_commit(&world);
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    let extra = "Resources:\n  Extra: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: x } }\n";
    world.edit("api/api.yaml", "Resources:\n", extra);
    world.commit();
    approve_plan_of_the_last_commit(&world);
    // One of the two canaries takes it.
    world.cloud.script().resource(failing(Some(2), "value not allowed"));
    run(&world, 60 * MINUTE).await;
    assert_eq!(sizes(&world, 8), ["1"; 8], "{}", world.verdict(1, "api"));
    let events = world.cloud.console().events(&key(1, "api")).expect("events");
    let had = events.iter().any(|event| event.resource.as_deref() == Some("Extra"));
    assert!(had, "it had the release");
    assert_eq!(world.stack(1, "api").expect("a stack").resources.len(), 3, "without the other one");
    assert!(world.journal().requests().expect("the journal answers").is_empty());
}
