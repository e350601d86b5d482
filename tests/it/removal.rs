//! What happens to stacks that git no longer gives: nothing by accident.

use std::time::Duration;

use driftless::board::Progress;
use driftless::ids::Target;
use driftless::plan::ApprovalRequest;

use crate::world::{Ended, World, key};

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
    journal.approve(&request.id, "ann", "they left", now, until).expect("approved");
}

fn say_delete(world: &World) {
    for service in ["network", "api"] {
        let path = format!("{service}/service.yaml");
        let template = format!("  template: {service}.yaml");
        world.edit(&path, &template, &format!("{template}\n  onRemoval: delete"));
    }
}

#[tokio::test(start_paused = true)]
async fn removing_half_of_the_tenants_deletes_nothing() {
    let world = World::with_tenants(4);
    world.apply().await.assert_converged(8);
    world.mutating_calls();
    world.remove("tenants/t1.yaml");
    world.remove("tenants/t2.yaml");
    world.commit();
    let ended = world.apply().await;
    assert_eq!(ended.standing.total().left_alone, 4, "{:#?}", ended.standing);
    assert_eq!(world.verdict(1, "api"), "retained: git no longer gives it; retained");
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn removing_half_of_the_tenants_with_delete_waits_for_an_approval_of_exactly_that_set() {
    let world = World::with_tenants(4);
    say_delete(&world);
    world.commit();
    world.apply().await.assert_converged(8);
    world.mutating_calls();
    world.remove("tenants/t1.yaml");
    world.remove("tenants/t2.yaml");
    world.commit();
    let ended = world.apply().await;
    assert_eq!(world.mutating_calls(), Vec::<String>::new(), "not even the first of them");
    let request = asked(&ended);
    assert!(request.summary.starts_with("4 stacks of 2 tenants (t1, t2)"), "{}", request.summary);
    assert_eq!(request.members.len(), 4);
    approve(&world, &request);
    world.apply().await.assert_converged(4);
    assert_eq!(world.journal().requests().expect("read"), vec![], "nothing waits any more");
    assert_eq!((world.stacks(1), world.stacks(2)), (vec![], vec![]));
    assert_eq!(world.stacks(3).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_offboarded_tenant_goes_in_reverse_order_and_its_protection_is_lifted_first() {
    let world = World::with_tenants(2);
    world.edit(
        "network/service.yaml",
        "  template: network.yaml",
        "  template: network.yaml\n  terminationProtection: true",
    );
    world.commit();
    world.apply().await.assert_converged(4);
    world.mutating_calls();
    world.write_tenant(1, "  lifecycle: offboarded\n");
    world.commit();
    world.apply().await.assert_converged(2);
    assert_eq!(world.stacks(1), Vec::<String>::new());
    let calls = world.mutating_calls();
    let apis: Vec<_> = calls.iter().filter_map(|call| call.split(' ').next()).collect();
    assert_eq!(apis, ["DeleteStack", "UpdateTerminationProtection", "DeleteStack"]);
    assert_eq!(world.stacks(2).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stack_name_that_changes_is_held_as_renamed_and_never_makes_twins() {
    let world = World::with_tenants(1);
    world.apply().await.assert_converged(2);
    world.mutating_calls();
    world.edit(
        "network/service.yaml",
        "  template: network.yaml",
        "  template: network.yaml\n  stackName: net",
    );
    world.commit();
    let ended = world.apply().await;
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    assert!(world.verdict(1, "net").starts_with("renamed: network of t1 would be made again"));
    approve(&world, &asked(&ended));
    world.apply().await;
    assert!(world.stack(1, "net").is_some());
    assert!(world.verdict(1, "network").starts_with("retained"), "{}", world.verdict(1, "network"));
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_moves_to_another_account_is_held_while_the_old_one_has_stacks() {
    let world = World::with_tenants(2);
    world.apply().await.assert_converged(4);
    world.mutating_calls();
    world.edit("tenants/t1.yaml", "100000000001", "100000000009");
    world.commit();
    let ended = world.apply().await;
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    assert_eq!(ended.standing.total().stuck, 2, "{:#?}", ended.standing);
    assert!(world.verdict(9, "network").starts_with("renamed"), "{}", world.verdict(9, "network"));
}

#[tokio::test(start_paused = true)]
async fn a_removed_service_document_keeps_its_last_word_about_removal() {
    let world = World::with_tenants(1);
    say_delete(&world);
    world.commit();
    world.apply().await.assert_converged(2);
    for file in ["service.yaml", "api.yaml"] {
        world.remove(&format!("api/{file}"));
    }
    world.commit();
    world.apply().await.assert_converged(1);
    assert_eq!(world.stacks(1), ["network CREATE_COMPLETE"]);
}

#[tokio::test(start_paused = true)]
async fn a_rename_with_delete_is_held_on_both_sides_until_each_is_approved() {
    let world = World::with_tenants(1);
    say_delete(&world);
    world.commit();
    world.apply().await.assert_converged(2);
    world.mutating_calls();
    let template = "  template: network.yaml";
    world.edit("network/service.yaml", template, &format!("{template}\n  stackName: xnet"));
    world.commit();
    world.apply().await;
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    assert!(world.verdict(1, "network").starts_with("renamed"), "{}", world.verdict(1, "network"));
    assert!(world.verdict(1, "xnet").starts_with("renamed"), "{}", world.verdict(1, "xnet"));
    let create = world.record(1, "xnet").verdict.approval.expect("asked");
    let now = world.clock.now();
    let until = now + Duration::from_secs(3_600);
    world.journal().approve(&create, "ann", "new name", now, until).expect("approved");
    world.apply().await;
    let value = world.stack(1, "xnet").expect("made").outputs["VpcName"].clone();
    assert_eq!(world.stack(1, "api").expect("there").parameters["Vpc"], value, "the new one's");
    assert!(world.stack(1, "network").is_some(), "not approved yet");
    let delete = world.record(1, "network").verdict.approval.expect("asked");
    world.journal().approve(&delete, "ann", "old name", now, until).expect("approved");
    world.apply().await.assert_converged(2);
    assert!(world.stack(1, "network").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_moved_account_with_delete_keeps_the_old_stacks_until_it_is_approved() {
    let world = World::with_tenants(2);
    say_delete(&world);
    world.commit();
    world.apply().await.assert_converged(4);
    world.mutating_calls();
    world.edit("tenants/t1.yaml", "100000000001", "100000000009");
    world.commit();
    world.apply().await;
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    assert_eq!(world.stacks(1).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn saying_delete_later_weighs_all_that_was_dropped_before_as_one_set() {
    let world = World::with_tenants(4);
    world.apply().await.assert_converged(8);
    world.remove("tenants/t1.yaml");
    world.remove("tenants/t2.yaml");
    world.commit();
    let ended = world
        .run_until(async {
            tokio::time::sleep(Duration::from_secs(600)).await;
            world.mutating_calls();
            say_delete(&world);
            world.commit();
            tokio::time::sleep(Duration::from_secs(7_200)).await;
        })
        .await;
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    assert_eq!(asked(&ended).members.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_suspended_service_keeps_even_what_it_no_longer_selects() {
    let world = World::with_tenants(1);
    say_delete(&world);
    world.commit();
    world.apply().await.assert_converged(2);
    world.mutating_calls();
    let line = "  template: api.yaml";
    let more = "\n  suspend: true\n  selector: { matchLabels: { nobody: here } }";
    world.edit("api/service.yaml", line, &format!("{line}{more}"));
    world.commit();
    world.apply().await;
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    assert!(world.verdict(1, "api").starts_with("suspended"), "{}", world.verdict(1, "api"));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_stack_that_a_new_journal_finds_stays_in_sight() {
    let world = World::with_tenants(1);
    let both = "regions: [eu-central-1, us-east-1]";
    world.edit("tenants/t1.yaml", "regions: [eu-central-1]", both);
    world.commit();
    world.apply().await.assert_converged(4);
    world.edit("tenants/t1.yaml", both, "regions: [eu-central-1]");
    world.commit();
    world.lose_journal();
    world.apply().await;
    let region = "us-east-1".parse().expect("a region");
    let target = Target { region, ..key(1, "api").target };
    let watched = world.journal().targets_with_stacks().expect("the journal answers");
    assert!(watched.contains(&target), "{watched:?}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_goes_is_heard_as_it_spoke_last_and_not_as_it_spoke_when_the_stack_was_wanted()
 {
    let world = World::with_tenants(2);
    say_delete(&world);
    world.commit();
    world.apply().await.assert_converged(4);
    // The stack is dropped by one who says now that it stays.
    let tier = "  onRemoval: retain\n  selector: { matchLabels: { tier: paid } }";
    world.edit("api/service.yaml", "  onRemoval: delete", tier);
    world.commit();
    world.apply().await;
    assert_eq!(world.verdict(1, "api"), "retained: git no longer gives it; retained");
    world.mutating_calls();
    for file in ["api/service.yaml", "api/api.yaml"] {
        world.remove(file);
    }
    world.commit();
    world.apply().await;
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    assert_eq!(world.verdict(1, "api"), "retained: git no longer gives it; retained");
}

#[tokio::test(start_paused = true)]
async fn what_a_service_said_last_counts_where_nobody_could_look_meanwhile() {
    let world = World::with_tenants(2);
    say_delete(&world);
    world.commit();
    world.apply().await.assert_converged(4);
    world.cloud.script().deny_role(key(1, "x").target.account);
    world.edit("api/service.yaml", "  onRemoval: delete", "  onRemoval: retain");
    world.commit();
    world.apply().await;
    for file in ["api/service.yaml", "api/api.yaml"] {
        world.remove(file);
    }
    world.commit();
    world.apply().await;
    world.mutating_calls();
    world.cloud.script().clear();
    world.apply().await;
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    assert_eq!(world.stacks(1).len(), 2, "both stand");
}
