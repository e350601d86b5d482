//! A fleet becomes what git says, stays so without a call, and comes back when somebody changes it.

use std::collections::BTreeMap;

use driftless::board::Progress;
use driftless::reconcile::Only;
use driftless::sim::Status;

use crate::world::{World, key};

#[tokio::test(start_paused = true)]
async fn a_fleet_converges_and_then_nothing_is_called_that_changes_anything() {
    let world = World::with_tenants(3);
    world.apply().await.assert_converged(6);
    assert_eq!(world.stacks(2), ["api CREATE_COMPLETE", "network CREATE_COMPLETE"]);
    let api = world.stack(2, "api").expect("there");
    assert_eq!(api.parameters["Vpc"], world.stack(2, "network").expect("there").outputs["VpcName"]);
    assert_eq!(api.tags["driftless:tenant"], "t2");
    assert_eq!(world.mutating_calls().len(), 6, "one call a stack");
    world.apply().await.assert_converged(6);
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_steady_pass_costs_one_call_a_target() {
    let world = World::with_tenants(3);
    world.apply().await.assert_converged(6);
    world.apply().await.assert_converged(6);
    world.cloud.clear_calls();
    world.apply().await.assert_converged(6);
    let cloudformation = world.cloud.calls();
    let calls: Vec<_> = cloudformation.iter().map(|call| call.api).collect();
    let looks = calls.iter().filter(|api| **api == "DescribeStacks").count();
    assert_eq!(looks, 3 * 2, "each target is looked at once, and again when all were: {calls:?}");
    assert!(calls.iter().all(|api| ["AssumeRole", "DescribeStacks"].contains(api)), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_changed_parameter_goes_out_as_a_change_set_that_was_checked() {
    let world = World::with_tenants(2);
    world.apply().await.assert_converged(4);
    world.mutating_calls();
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    world.apply().await.assert_converged(4);
    let api = world.stack(1, "api").expect("there");
    assert_eq!((api.status, api.parameters["Size"].as_str()), (Status::UPDATE_COMPLETE, "2"));
    let mut calls = world.mutating_calls();
    calls.sort();
    calls.dedup_by_key(|call| call.split(' ').next().map(str::to_owned));
    let apis: Vec<_> = calls.iter().filter_map(|call| call.split(' ').next()).collect();
    assert_eq!(apis, ["CreateChangeSet", "ExecuteChangeSet"]);
}

#[tokio::test(start_paused = true)]
async fn going_from_a_to_b_and_back_to_a_really_goes_back() {
    let world = World::with_tenants(1);
    world.apply().await.assert_converged(2);
    for size in ["2", "1", "2", "1"] {
        let (from, to) = if size == "2" { ("1", "2") } else { ("2", "1") };
        world.edit("api/service.yaml", &format!("Size: \"{from}\""), &format!("Size: \"{to}\""));
        world.commit();
        world.apply().await.assert_converged(2);
        assert_eq!(world.stack(1, "api").expect("there").parameters["Size"], size);
    }
}

#[tokio::test(start_paused = true)]
async fn a_comment_or_another_form_of_a_template_is_no_change() {
    let world = World::with_tenants(1);
    world.apply().await.assert_converged(2);
    world.mutating_calls();
    world.edit("network/network.yaml", "!Ref Cidr", "{ Ref: Cidr }");
    world.edit("network/network.yaml", "Resources:", "# As before.\nResources:");
    world.commit();
    world.apply().await.assert_converged(2);
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_stack_deleted_behind_our_back_is_created_again() {
    let world = World::with_tenants(2);
    world.apply().await.assert_converged(4);
    let before = world.stack(1, "api").expect("there").id;
    world.cloud.console().delete_stack(&key(1, "api")).expect("deleted");
    world.apply().await.assert_converged(4);
    assert_ne!(world.stack(1, "api").expect("there").id, before);
}

#[tokio::test(start_paused = true)]
async fn parameters_and_tags_changed_by_a_person_are_set_back() {
    let world = World::with_tenants(1);
    world.apply().await.assert_converged(2);
    let console = world.cloud.console();
    let note = BTreeMap::from([("Note".to_owned(), "by hand".to_owned())]);
    console.update_parameters(&key(1, "network"), &note).expect("updated");
    world.apply().await.assert_converged(2);
    assert_eq!(world.stack(1, "network").expect("there").parameters["Note"], "none");
}

#[tokio::test(start_paused = true)]
async fn a_template_changed_by_a_person_is_set_back() {
    let world = World::with_tenants(1);
    world.apply().await.assert_converged(2);
    let before = world.stack(1, "network").expect("there").template;
    let changed = before.replace("Outputs:", "  More:\n    Type: AWS::SNS::Topic\nOutputs:");
    assert_ne!(before, changed);
    world.cloud.console().update_template(&key(1, "network"), &changed).expect("updated");
    world.apply().await.assert_converged(2);
    assert_eq!(world.stack(1, "network").expect("there").template, before);
}

#[tokio::test(start_paused = true)]
async fn a_stack_of_somebody_else_is_left_alone_and_said_to_be_so() {
    let world = World::with_tenants(1);
    let template = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n";
    let console = world.cloud.console();
    console.create_stack(&key(1, "network"), template, &BTreeMap::new()).expect("created");
    let ended = world.apply().await;
    assert_eq!(ended.standing.total().stuck, 1);
    assert_eq!(
        world.verdict(1, "network"),
        "not-ours: a stack of this name exists and belongs to nobody"
    );
    assert!(world.verdict(1, "api").starts_with("waits-for"), "{}", world.verdict(1, "api"));
    assert_eq!(world.stack(1, "network").expect("there").template, template);
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_persons_change_set_for_a_new_stack_is_waited_for() {
    let world = World::with_tenants(1);
    let template = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n";
    let console = world.cloud.console();
    console.create_change_set(&key(1, "network"), "mine", template).expect("created");
    let ended = world.apply().await;
    assert_eq!(ended.standing.total().stuck, 1);
    assert!(
        world.verdict(1, "network").starts_with("in-review"),
        "{}",
        world.verdict(1, "network")
    );
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_update_that_would_replace_a_table_waits_for_exactly_its_approval() {
    let world = World::with_tenants(1);
    world.apply().await.assert_converged(2);
    world.edit("api/api.yaml", "TableName: things", "TableName: others");
    world.commit();
    let ended = world.apply().await;
    assert_eq!(ended.standing.total().stuck, 1);
    let request = ended.news.iter().find_map(|news| match news {
        Progress::Asked(request) => Some(request.clone()),
        _ => None,
    });
    let request = request.expect("something is asked");
    assert!(
        request.summary.contains("replace Table (AWS::DynamoDB::Table)"),
        "{}",
        request.summary
    );
    let table = world.stack(1, "api").expect("there").resources["Table"].physical_id.clone();
    assert_eq!(table, "things");
    world.apply().await;
    let journal = world.journal();
    let now = world.clock.now();
    let later = now + std::time::Duration::from_secs(3_600);
    journal.approve(&request.id, "ann", "it is empty", now, later).expect("approved");
    drop(journal);
    world.apply().await.assert_converged(2);
    assert_eq!(world.stack(1, "api").expect("there").resources["Table"].physical_id, "others");
}

#[tokio::test(start_paused = true)]
async fn termination_protection_and_a_stack_policy_are_steps_of_their_own() {
    let world = World::with_tenants(1);
    world.apply().await.assert_converged(2);
    world.mutating_calls();
    world.write(
        "network/policy.json",
        r#"{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}]}"#,
    );
    world.edit(
        "network/service.yaml",
        "  template: network.yaml",
        "  template: network.yaml\n  terminationProtection: true\n  stackPolicy: policy.json",
    );
    world.commit();
    world.apply().await.assert_converged(2);
    let network = world.stack(1, "network").expect("there");
    assert!(network.protected);
    assert!(network.policy.expect("a policy").contains("Update:*"));
    let calls = world.mutating_calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    world.apply().await.assert_converged(2);
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_lost_journal_costs_looks_and_changes_nothing() {
    let world = World::with_tenants(2);
    world.apply().await.assert_converged(4);
    world.mutating_calls();
    world.lose_journal();
    world.apply().await.assert_converged(4);
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_part_of_the_fleet_is_converged_and_the_rest_is_left_alone() {
    let world = World::with_tenants(2);
    let one = Only { tenants: ["t1".parse().expect("a name")].into(), ..Only::default() };
    world.apply_only(one).await.expect("converges").assert_converged(2);
    assert_eq!((world.stacks(1).len(), world.stacks(2).len()), (2, 0));
    world.apply().await.assert_converged(4);
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.edit("network/service.yaml", "10.0.0.0/16", "10.1.0.0/16");
    world.commit();
    let network = Only { services: ["network".parse().expect("a name")].into(), ..Only::default() };
    let ended = world.apply_only(network).await.expect("converges");
    assert_eq!(world.stack(1, "network").expect("there").parameters["Cidr"], "10.1.0.0/16");
    assert_eq!(world.stack(1, "api").expect("there").parameters["Size"], "1");
    assert_eq!(ended.standing.total().left_alone, 2, "{:#?}", ended.standing);
    assert!(world.verdict(2, "api").starts_with("not-asked-for"), "{}", world.verdict(2, "api"));
}
