//! Where the fleet requires plans, what was reviewed is what is executed.

use std::time::Duration;

use driftless::sim::{Phase, ResourceFault};

use crate::world::{FLEET, World, account};

/// A world that requires plans, at rest; its first release was planned and approved.
async fn reviewed(tenants: usize) -> World {
    let world = World::with_tenants(tenants);
    world.write("fleet.yaml", &FLEET.replace("spec:\n", "spec:\n  requirePlan: true\n"));
    world.commit();
    approve_plan_from(&world, "HEAD~1");
    world.apply().await.assert_converged(2 * tenants);
    world
}

/// Writes the plan from a revision to a file.
fn plan_from(world: &World, from: &str) -> String {
    let path = world.journal_path().with_file_name("plan.json");
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(&path, world.driftless(&["plan", "--from", from, "--format", "json"]))
        .expect("written");
    path.to_str().expect("text").to_owned()
}

fn approve_plan_from(world: &World, from: &str) -> String {
    let plan = plan_from(world, from);
    world.driftless(&["approve", "--plan", &plan, "--reason", "reviewed"])
}

fn size(world: &World, tenant: usize) -> String {
    world.stack(tenant, "api").expect("a stack").parameters["Size"].clone()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_or_changed_that_no_approved_plan_allows() {
    let world = World::with_tenants(1);
    world.write("fleet.yaml", &FLEET.replace("spec:\n", "spec:\n  requirePlan: true\n"));
    world.commit();
    world.apply().await;
    let held = world.verdict(1, "network");
    assert!(held.starts_with("unplanned: stacks of network would be made, and"), "{held}");
    assert!(held.ends_with("no plan of its release was approved"), "{held}");
    assert_eq!(world.mutating_calls(), Vec::<String>::new());

    let said = approve_plan_from(&world, "HEAD~1");
    assert!(said.contains("it allows exactly this:\n  - api at "), "{said}");
    world.apply().await.assert_converged(2);

    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    world.apply().await;
    let held = world.verdict(1, "api");
    assert!(held.starts_with("unplanned: updates of api would"), "{held}");
    assert!(held.contains("would modify Setting (AWS::SSM::Parameter), which no"), "{held}");
    assert_eq!(size(&world, 1), "1");
    approve_plan_from(&world, "HEAD~1");
    world.apply().await.assert_converged(2);
    assert_eq!(size(&world, 1), "2");
}

#[tokio::test(start_paused = true)]
async fn a_plan_of_a_release_allows_its_actions_and_no_others() {
    let world = reviewed(1).await;
    // What was reviewed changes one resource; what is merged at last removes another.
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    let reviewed = world.commit();
    approve_plan_from(&world, "HEAD~1");
    world.edit("api/api.yaml", "  Setting: {", "  Other: {");
    world.commit();
    world.apply().await;
    let held = world.verdict(1, "api");
    let actions =
        "would add Other (AWS::SSM::Parameter), remove Setting (AWS::SSM::Parameter), which";
    assert!(held.contains(actions), "{held}");
    assert_eq!(size(&world, 1), "1");

    world.edit("api/api.yaml", "  Other: {", "  Setting: {");
    world.commit();
    world.apply().await.assert_converged(2);
    assert_eq!(size(&world, 1), "2", "as it was reviewed at {reviewed}");
}

#[tokio::test(start_paused = true)]
async fn new_tenants_and_other_merges_need_no_new_plan() {
    let world = reviewed(1).await;
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    approve_plan_from(&world, "HEAD~1");
    world.edit("fleet.yaml", "stacks: 25", "stacks: 24");
    world.write_tenant(2, "");
    world.write("unrelated.txt", "another merge");
    world.commit();
    world.apply().await.assert_converged(4);
    assert_eq!((size(&world, 1), size(&world, 2)), ("2".into(), "2".into()));
}

#[tokio::test(start_paused = true)]
async fn what_a_stack_lost_is_made_again_at_the_release_that_was_approved() {
    let world = reviewed(1).await;
    let key = crate::world::key(1, "api");
    world.cloud.console().delete_stack(&key).expect("deleted");
    world.apply().await.assert_converged(2);
    assert!(world.stack(1, "api").is_some());
}

#[tokio::test(start_paused = true)]
async fn what_no_plan_foresaw_can_be_approved_by_its_id() {
    let world = reviewed(2).await;
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    world.apply().await;
    let requests = world.journal().requests().expect("the journal answers");
    assert_eq!(requests.len(), 1, "one question, however many stacks ask it: {requests:?}");
    let said = world.driftless(&["approve", &requests[0].0.id]);
    assert!(said.contains("it holds as long as its release is wanted"), "{said}");
    world.apply().await.assert_converged(4);
    assert_eq!((size(&world, 1), size(&world, 2)), ("2".into(), "2".into()));
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_was_edited_is_refused_and_so_is_what_is_no_plan() {
    let world = reviewed(1).await;
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    let path = plan_from(&world, "HEAD~1");
    let plan = std::fs::read_to_string(&path).expect("a plan");
    assert!(plan.contains("\"modify\""), "{plan}");
    std::fs::write(&path, plan.replace("\"modify\"", "\"remove\"")).expect("written");
    let said = world.driftless(&["approve", "--plan", &path]);
    assert!(said.contains("somebody edited it"), "{said}");
    std::fs::write(&path, world.driftless(&["status", "--format", "json"])).expect("written");
    let said = world.driftless(&["approve", "--plan", &path]);
    assert!(said.contains("is no plan that can be approved"), "{said}");
    world.apply().await;
    assert!(world.verdict(1, "api").starts_with("unplanned"), "{}", account(1));
}

#[tokio::test(start_paused = true)]
async fn apply_with_a_plan_of_other_releases_does_nothing() {
    let world = World::with_tenants(1);
    world.apply().await.assert_converged(2);
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    let path = plan_from(&world, "HEAD~1");
    world.edit("api/service.yaml", "Size: \"2\"", "Size: \"3\"");
    world.commit();
    let said = world.driftless(&["apply", "--yes", "--plan", &path]);
    assert!(said.contains("is of other releases than") && said.contains(": api"), "{said}");
}

fn failing(tenant: usize, logical_id: &str) -> ResourceFault {
    ResourceFault {
        account: Some(format!("{:012}", account(tenant)).parse().expect("an id")),
        region: None,
        stack: Some("api".parse().expect("a name")),
        logical_id: logical_id.to_owned(),
        phase: Phase::Change,
        text: "value not allowed".to_owned(),
        times: None,
    }
}

async fn run(world: &World, length: Duration) {
    let clock = world.clock.clone();
    let until = clock.now() + length;
    world.run_until(async move { clock.sleep_until(until).await }).await;
}

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(start_paused = true)]
async fn a_bad_release_goes_back_to_the_good_one_without_a_further_question() {
    let world = World::with_tenants(4);
    world.write("fleet.yaml", &FLEET.replace("spec:\n", "spec:\n  requirePlan: true\n"));
    let waves = "  template: api.yaml\n  rollout: { onHalt: revert }\n";
    world.edit("api/service.yaml", "  template: api.yaml\n", waves);
    world.commit();
    approve_plan_from(&world, "HEAD~1");
    world.apply().await.assert_converged(8);
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    approve_plan_from(&world, "HEAD~1");
    for tenant in [2, 3] {
        world.cloud.script().resource(failing(tenant, "Setting"));
    }
    run(&world, HOUR).await;
    let sizes: Vec<String> = (1..=4).map(|tenant| size(&world, tenant)).collect();
    let said: Vec<String> = (1..=4).map(|tenant| world.verdict(tenant, "api")).collect();
    assert_eq!(sizes, ["1"; 4], "{said:#?}");
}

#[tokio::test(start_paused = true)]
async fn the_fix_of_a_release_that_failed_is_what_its_plan_allows() {
    let world = reviewed(2).await;
    let table = "  Setting: {";
    let more = "  More: { Type: AWS::SQS::Queue, Properties: { QueueName: more } }\n  Setting: {";
    world.edit("api/api.yaml", table, more);
    world.commit();
    approve_plan_from(&world, "HEAD~1");
    for tenant in [1, 2] {
        world.cloud.script().resource(failing(tenant, "More"));
    }
    world.apply().await;
    assert!(!world.verdict(1, "api").contains("in sync"), "{}", world.verdict(1, "api"));
    // It was rolled back everywhere; the fix is reviewed as well.
    world.cloud.script().clear();
    world.edit("api/api.yaml", "QueueName: more", "QueueName: others");
    world.commit();
    let said = approve_plan_from(&world, "HEAD~1");
    world.apply().await;
    let verdicts = [1, 2].map(|tenant| world.verdict(tenant, "api"));
    assert!(verdicts.iter().all(|one| one.starts_with("in-sync")), "{verdicts:#?}\n{said}");
}

#[tokio::test(start_paused = true)]
async fn a_plan_allows_the_updates_that_it_announces_of_those_that_read_outputs() {
    let world = reviewed(1).await;
    world.edit("network/network.yaml", "VpcName: { Value: !Ref Vpc }", "VpcName: { Value: other }");
    world.commit();
    let plan = world.driftless(&["plan", "--from", "HEAD~1"]);
    assert!(plan.contains("api reads outputs of network: where these change, it is updated too"));
    approve_plan_from(&world, "HEAD~1");
    world.apply().await;
    let said = world.verdict(1, "api");
    assert!(said.starts_with("in-sync"), "{said}\n{plan}");
}

#[tokio::test(start_paused = true)]
async fn no_stack_is_deleted_without_a_plan() {
    let world = reviewed(3).await;
    world.write_tenant(2, "  lifecycle: offboarded\n");
    world.commit();
    world.apply().await;
    assert_eq!(world.stacks(2).len(), 2, "no plan says so: {:?}", world.stacks(2));
    let held = world.verdict(2, "api");
    assert!(held.contains("would be deleted") && held.contains("in no approved plan"), "{held}");
    let said = approve_plan_from(&world, "HEAD~1");
    assert!(said.contains("delete 100000000002/eu-central-1/api"), "{said}");
    world.apply().await;
    assert_eq!(world.stacks(2), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn the_command_that_a_plan_names_allows_what_it_shows_also_after_the_merge() {
    let world = reviewed(1).await;
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    let shown = world.driftless(&["plan", "--from", "HEAD~1"]);
    let (_, command) = shown.split_once("`driftless plan ").expect("a command");
    let (arguments, _) = command.split_once(" > plan.json`").expect("a command");
    // The controller saw the merge before anybody approved.
    world.apply().await;
    let path = world.journal_path().with_file_name("plan.json");
    let arguments: Vec<&str> = std::iter::once("plan").chain(arguments.split(' ')).collect();
    std::fs::write(&path, world.driftless(&arguments)).expect("written");
    let said = world.driftless(&["approve", "--plan", path.to_str().expect("text")]);
    world.apply().await;
    assert_eq!(size(&world, 1), "2", "{said}\n{}", world.verdict(1, "api"));
}

#[tokio::test(start_paused = true)]
async fn editing_a_tenant_shows_no_secret_that_was_there() {
    let world = World::with_tenants(1);
    world.edit(
        "api/api.yaml",
        "  Size: { Type: String }",
        "  Size: { Type: String, NoEcho: true }",
    );
    world.write_tenant(1, "  parameters: { Size: \"hunter-two\" }\n");
    world.commit();
    let plan = world.driftless(&["plan", "--from", "HEAD~1"]);
    assert!(!plan.contains("hunter-two"), "{plan}");
    let said = world.driftless(&["tenant", "set", "t1", "--parameter", "Size-"]);
    assert!(said.contains("wrote "), "{said}");
    assert!(!said.contains("hunter-two"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_fleet_may_begin_to_require_plans_while_its_tenants_come_and_go() {
    // The fleet runs; then it requires plans, and the pull request that says so is planned and approved.
    let world = World::with_tenants(2);
    world.apply().await.assert_converged(4);
    world.write("fleet.yaml", &FLEET.replace("spec:\n", "spec:\n  requirePlan: true\n"));
    world.commit();
    approve_plan_from(&world, "HEAD~1");
    world.apply().await.assert_converged(4);
    // A new tenant on the approved release.
    world.write_tenant(3, "");
    world.commit();
    world.apply().await.assert_converged(6);
    // What somebody changed by hand is brought back by an update that no plan foresaw: it is held.
    let mut parameters = world.stack(1, "api").expect("a stack").parameters;
    parameters.insert("Size".to_owned(), "7".to_owned());
    world
        .cloud
        .console()
        .update_parameters(&crate::world::key(1, "api"), &parameters)
        .expect("updated");
    world.apply().await;
    let said = world.verdict(1, "api");
    assert!(said.starts_with("unplanned: updates of api would modify Setting"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_release_that_goes_forward_is_not_taken_for_one_that_goes_back() {
    let world = World::with_tenants(4);
    world.write("fleet.yaml", &FLEET.replace("spec:\n", "spec:\n  requirePlan: true\n"));
    let waves = "  template: api.yaml\n  rollout: { waves: [{ name: first, percent: 50 }, { name: all }] }\n";
    world.edit("api/service.yaml", "  template: api.yaml\n", waves);
    world.commit();
    approve_plan_from(&world, "HEAD~1");
    world.apply().await.assert_converged(8);
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    approve_plan_from(&world, "HEAD~1");
    world.apply().await.assert_converged(8);
    // Nobody reviews this one, and it is held.
    world.edit("api/service.yaml", "Size: \"2\"", "Size: \"3\"");
    world.commit();
    run(&world, HOUR).await;
    assert!((1..=4).any(|one| world.verdict(one, "api").starts_with("unplanned")));
    // A pull request that has nothing to do with it is reviewed.
    world.edit("fleet.yaml", "stacks: 25", "stacks: 24");
    world.commit();
    approve_plan_from(&world, "HEAD~1");
    run(&world, HOUR).await;
    assert!((1..=4).any(|one| world.verdict(one, "api").starts_with("unplanned")));
    // The next change of the service waits behind the one that is held.
    world.edit("api/service.yaml", "Size: \"3\"", "Size: \"4\"");
    world.commit();
    run(&world, HOUR).await;
    let sizes: Vec<String> = (1..=4).map(|tenant| size(&world, tenant)).collect();
    assert_eq!(
        sizes,
        ["2"; 4],
        "{:#?}",
        (1..=4).map(|one| world.verdict(one, "api")).collect::<Vec<_>>()
    );
}
