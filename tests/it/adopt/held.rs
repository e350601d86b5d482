//! What is not taken over, and what a person has to say first.

use std::collections::BTreeMap;
use std::time::Duration;

use driftless::board::Progress;
use driftless::plan::ApprovalRequest;
use driftless::sim::{Phase, ResourceFault, Status};

use super::{AWHILE, adopt, inherited, instance, instance_key, seen};
use crate::world::{Ended, FLEET, World, key};

fn asked(ended: &Ended) -> ApprovalRequest {
    let request = ended.news.iter().rev().find_map(|news| match news {
        Progress::Asked(request) => Some(request.clone()),
        _ => None,
    });
    request.expect("something is asked")
}

fn approve(world: &World, request: &ApprovalRequest) {
    let (journal, now) = (world.journal(), world.clock.now());
    let until = now + Duration::from_secs(3_600);
    journal.replace_requests(std::slice::from_ref(request), now).expect("written");
    journal.approve(&request.id, "ann", "looked at", now, until).expect("approved");
}

/// Another stack of nobody's beside those that are there.
async fn make(world: &World, name: &str, tags: &BTreeMap<String, String>) {
    let template = "Resources:\n  Queue: { Type: AWS::SQS::Queue }\n";
    world.cloud.console().create_stack(&key(1, name), template, tags).expect("made");
    world.clock.sleep(AWHILE).await;
}

#[tokio::test(start_paused = true)]
async fn of_two_that_fit_none_is_taken_over_until_one_is_named() {
    let world = inherited(1).await;
    make(&world, "StackSet-network-other", &BTreeMap::new()).await;
    adopt(&world, "");
    world.apply().await;
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    let held = world.verdict(1, "network");
    let both = format!("{}, StackSet-network-other", instance(1, "network"));
    assert_eq!(held, format!("several-to-adopt: 2 stacks could be the one to take over: {both}"));
    let help = world.record(1, "network").verdict.help.expect("help");
    assert!(help.contains("`stackName`"), "{help}");

    let named = format!("  services: {{ network: {{ stackName: {} }} }}\n", instance(1, "network"));
    world.write_tenant(1, &named);
    world.commit();
    world.apply().await.assert_converged(2);
    assert!(!seen(&world, 1, "network").tags.is_empty());
    let other = world.stack(1, "StackSet-network-other").expect("it stands");
    assert!(other.tags.is_empty(), "{:?}", other.tags);

    // Without the exception it goes on as what it is, under the service's name.
    world.write_tenant(1, "");
    world.commit();
    world.mutating_calls();
    world.apply().await.assert_converged(2);
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn one_that_fits_beside_one_of_the_wanted_name_is_not_taken_over() {
    let world = inherited(1).await;
    make(&world, "network", &BTreeMap::new()).await;
    adopt(&world, "");
    world.apply().await;
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    let held = world.verdict(1, "network");
    assert!(held.ends_with(&format!("network, {}", instance(1, "network"))), "{held}");
}

#[tokio::test(start_paused = true)]
async fn stacks_of_another_fleet_are_never_taken_over() {
    let world = inherited(1).await;
    let theirs = BTreeMap::from([("driftless:fleet".to_owned(), "theirs".to_owned())]);
    world.cloud.console().update_tags(&instance_key(1, "network"), &theirs).expect("updated");
    world.clock.sleep(AWHILE).await;
    adopt(&world, "");
    world.apply().await;
    let held = world.verdict(1, "network");
    assert!(held.starts_with("nothing-to-adopt: no stack fits `StackSet-network-*`"), "{held}");
    assert_eq!(seen(&world, 1, "network").tags, theirs);
    assert_eq!(world.stacks(1).len(), 2, "and no twin is made");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_whole_is_not_taken_over_and_says_why() {
    let world = inherited(1).await;
    let console = world.cloud.console();
    console.set_status(&instance_key(1, "network"), Status::UPDATE_ROLLBACK_FAILED).expect("set");
    adopt(&world, "");
    world.apply().await;
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    let name = instance(1, "network");
    assert_eq!(
        world.verdict(1, "network"),
        format!(
            "not-adoptable: {name} is to be taken over, which cannot be done in UPDATE_ROLLBACK_FAILED"
        )
    );
    console.set_status(&instance_key(1, "network"), Status::UPDATE_ROLLBACK_COMPLETE).expect("set");
    world.apply().await.assert_converged(2);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_fits_nothing_is_made_unless_git_says_so() {
    let world = World::with_tenants(1);
    adopt(&world, "");
    world.apply().await;
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    let held = world.verdict(1, "network");
    assert!(held.starts_with("nothing-to-adopt: no stack fits `StackSet-network-*`"), "{held}");
    for service in ["network", "api"] {
        let path = format!("{service}/service.yaml");
        world.edit(&path, "-*\" }", "-*\", orCreate: true }");
    }
    world.commit();
    world.apply().await.assert_converged(2);
    assert_eq!(world.stacks(1), ["api CREATE_COMPLETE", "network CREATE_COMPLETE"]);
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_two_services_would_take_over_is_taken_by_the_narrower_pattern_or_by_none() {
    let world = inherited(1).await;
    let narrow = "spec:\n  adopt: { match: \"StackSet-api-100000000001\" }\n";
    let wide = "spec:\n  adopt: { match: \"StackSet-*-100000000001\" }\n";
    world.edit("api/service.yaml", "spec:\n", narrow);
    world.edit("network/service.yaml", "spec:\n", wide);
    world.commit();
    world.apply().await.assert_converged(2);
    assert_eq!(seen(&world, 1, "network").tags["driftless:service"], "network");
    assert_eq!(seen(&world, 1, "api").tags["driftless:service"], "api");

    let world = inherited(1).await;
    world.edit("network/service.yaml", "spec:\n", wide);
    world.edit("api/service.yaml", "spec:\n", "spec:\n  adopt: { match: \"*api-100000000001\" }\n");
    world.commit();
    world.apply().await;
    let held = world.verdict(1, "api");
    assert_eq!(
        held,
        "contested-adoption: StackSet-api-100000000001 fits what network would take over too"
    );
    let held = world.verdict(1, "network");
    assert!(held.starts_with("several-to-adopt: 2 stacks"), "{held}");
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_would_change_more_than_tags_waits_until_that_is_approved() {
    let world = inherited(1).await;
    world.edit("network/service.yaml", "10.0.0.0/16", "10.9.0.0/16");
    world.edit("network/network.yaml", "Outputs:", "  More: { Type: AWS::SQS::Queue }\nOutputs:");
    adopt(&world, "");
    let before = seen(&world, 1, "network");
    let ended = world.apply().await;
    let held = world.verdict(1, "network");
    let name = instance(1, "network");
    assert_eq!(
        held,
        format!(
            "adoption-changes: taking over 100000000001/eu-central-1/{name} would change template, \
             parameter Cidr and modify Vpc (AWS::SSM::Parameter), add More (AWS::SQS::Queue)"
        )
    );
    let after = seen(&world, 1, "network");
    assert_eq!((after.tags, after.updated_at), (before.tags, before.updated_at));
    assert_eq!(ended.standing.total().stuck, 1, "{:#?}", ended.standing);
    approve(&world, &asked(&ended));
    world.apply().await.assert_converged(2);
    let after = seen(&world, 1, "network");
    assert_eq!((after.id, after.parameters["Cidr"].as_str()), (before.id, "10.9.0.0/16"));
    assert!(after.resources.contains_key("More"));
}

#[tokio::test(start_paused = true)]
async fn what_happens_in_a_nested_stack_cannot_be_seen_and_waits_for_one_approval() {
    let world = World::with_tenants(1);
    let child = "Resources:\n  Jobs: { Type: AWS::SQS::Queue }\n";
    world.cloud.console().put_object("templates", "child.yaml", child.as_bytes()).expect("put");
    let url = "https://templates.s3.eu-central-1.amazonaws.com/child.yaml";
    let nested = format!(
        "Resources:\n  Child: {{ Type: AWS::CloudFormation::Stack, Properties: {{ TemplateURL: \"{url}\" }} }}"
    );
    world.edit("network/network.yaml", "Resources:", &nested);
    super::inherit(&world, 1).await;
    adopt(&world, "");
    let before = seen(&world, 1, "network");
    let ended = world.apply().await;
    let held = world.verdict(1, "network");
    assert!(held.ends_with("would modify Child (AWS::CloudFormation::Stack)"), "{held}");
    assert_eq!(seen(&world, 1, "network").tags, before.tags);
    approve(&world, &asked(&ended));
    world.apply().await.assert_converged(2);
    let after = seen(&world, 1, "network");
    assert_eq!(super::resources(&after), super::resources(&before));
}

#[tokio::test(start_paused = true)]
async fn an_approval_of_one_adoption_is_none_of_another_that_changes_more() {
    let world = inherited(1).await;
    world.edit("network/service.yaml", "10.0.0.0/16", "10.9.0.0/16");
    adopt(&world, "");
    let ended = world.apply().await;
    approve(&world, &asked(&ended));
    world.edit("network/service.yaml", "10.9.0.0/16", "10.8.0.0/16");
    world.commit();
    world.apply().await;
    assert!(world.verdict(1, "network").starts_with("adoption-changes: "));
    assert_eq!(seen(&world, 1, "network").parameters["Cidr"], "10.0.0.0/16");
}

#[tokio::test(start_paused = true)]
async fn what_is_only_meant_to_be_taken_over_is_never_deleted() {
    let world = inherited(1).await;
    adopt(&world, "");
    world.edit("network/service.yaml", "spec:\n", "spec:\n  onRemoval: delete\n");
    world.write_tenant(1, "  lifecycle: offboarded\n");
    world.commit();
    world.apply().await;
    // Held, then dropped by a service that deletes what it drops.
    let wider = "  adopt: { match: \"StackSet-network-*\" }";
    world.edit("network/service.yaml", wider, "  adopt: { match: \"StackSet-net*\" }");
    world.write_tenant(1, "  services: { network: { suspend: true } }\n");
    world.commit();
    world.apply().await;
    assert!(world.verdict(1, "network").ends_with("it is to be taken over"));
    world.remove("tenants/t1.yaml");
    world.write_tenant(2, "");
    world.commit();
    world.apply().await;
    assert_eq!(world.stacks(1).len(), 2);
    let calls = world.mutating_calls();
    assert!(!calls.iter().any(|call| call.contains("Delete")), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hidden_value_that_git_gives_is_vouched_for_by_a_person_and_one_that_it_does_not_is_kept()
{
    let world = World::with_tenants(2);
    world.edit(
        "network/network.yaml",
        "Resources:",
        "  Given: { Type: String, NoEcho: true }\n  Own: { Type: String, NoEcho: true }\nResources:\n  \
         Door: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Sub '${Given}${Own}' } }",
    );
    world.edit("network/service.yaml", "Cidr:", "Own: mine, Given: same, Cidr:");
    super::inherit(&world, 2).await;
    world.edit("network/service.yaml", "Own: mine, ", "");
    adopt(&world, "");
    let ended = world.apply().await;
    let held = world.verdict(1, "network");
    assert_eq!(
        held,
        "adoption-changes: network is taken over with values of NoEcho parameters that git gives and \
         nobody can compare: Given"
    );
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    let request = asked(&ended);
    assert_eq!(world.verdict(2, "network"), held, "one question for all");
    approve(&world, &request);
    world.apply().await.assert_converged(4);
    assert_eq!(seen(&world, 2, "network").parameters["Own"], "mine");
    // The next release keeps it too.
    world.edit("network/service.yaml", "10.0.0.0/16", "10.1.0.0/16");
    world.commit();
    world.apply().await.assert_converged(4);
    let parameters = seen(&world, 2, "network").parameters;
    assert_eq!((&*parameters["Own"], &*parameters["Cidr"]), ("mine", "10.1.0.0/16"));
}

#[tokio::test(start_paused = true)]
async fn taking_over_needs_no_reviewed_plan_and_anything_more_does() {
    let world = inherited(1).await;
    world.write("fleet.yaml", &FLEET.replace("spec:\n", "spec:\n  requirePlan: true\n"));
    world.edit("network/service.yaml", "10.0.0.0/16", "10.9.0.0/16");
    adopt(&world, "");
    let ended = world.apply().await;
    approve(&world, &asked(&ended));
    world.apply().await;
    let held = world.verdict(1, "network");
    assert!(held.starts_with("unplanned: updates of network would modify Vpc"), "{held}");
    world.edit("network/service.yaml", "10.9.0.0/16", "10.0.0.0/16");
    world.commit();
    world.apply().await.assert_converged(2);
}

#[tokio::test(start_paused = true)]
async fn an_adoption_that_fails_is_rolled_back_and_tried_again() {
    let world = inherited(1).await;
    adopt(&world, "");
    world.cloud.script().resource(ResourceFault {
        account: None,
        region: None,
        stack: Some(instance(1, "network").parse().expect("a name")),
        logical_id: "Vpc".to_owned(),
        phase: Phase::Change,
        text: "Rate exceeded".to_owned(),
        times: Some(1),
    });
    let before = seen(&world, 1, "network");
    world.apply().await.assert_converged(2);
    let after = seen(&world, 1, "network");
    assert_eq!(after.id, before.id);
    assert!(!after.tags.is_empty());
}
