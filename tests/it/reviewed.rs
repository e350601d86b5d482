//! Where the fleet requires plans, what was reviewed is what is executed.

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
