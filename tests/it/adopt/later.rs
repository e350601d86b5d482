//! A stack that was taken over stays what it is: without the journal, without the field, and whatever
//! else is asked.

use super::{AWHILE, adopt, disown, inherited, instance, instance_key, seen};
use crate::world::{World, key};

/// Both stacks of one tenant, taken over, and nothing left to do.
async fn adopted() -> World {
    let world = inherited(1).await;
    adopt(&world, "");
    world.apply().await.assert_converged(2);
    world.mutating_calls();
    world
}

fn forget_adopt(world: &World) {
    for service in ["network", "api"] {
        let field = format!("  adopt: {{ match: \"StackSet-{service}-*\" }}\n");
        world.edit(&format!("{service}/service.yaml"), &field, "");
    }
    world.commit();
}

#[tokio::test(start_paused = true)]
async fn a_lost_journal_finds_what_was_taken_over_by_its_tags() {
    let world = adopted().await;
    world.lose_journal();
    world.apply().await.assert_converged(2);
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    assert_eq!(world.stacks(1).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_no_longer_says_adopt_keeps_what_it_took_over() {
    let world = adopted().await;
    forget_adopt(&world);
    world.apply().await.assert_converged(2);
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    world.edit("network/service.yaml", "10.0.0.0/16", "10.1.0.0/16");
    world.commit();
    world.apply().await.assert_converged(2);
    assert_eq!(seen(&world, 1, "network").parameters["Cidr"], "10.1.0.0/16");
    assert_eq!(world.stacks(1).len(), 2, "no twin is made");
}

#[tokio::test(start_paused = true)]
async fn without_adopt_and_without_the_journal_no_twin_is_made() {
    let world = adopted().await;
    forget_adopt(&world);
    world.lose_journal();
    world.apply().await;
    assert!(
        world.verdict(1, "network").starts_with("renamed: "),
        "{}",
        world.verdict(1, "network")
    );
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    assert_eq!(world.stacks(1).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_somebody_took_the_tags_from_is_no_twin_s_reason_either() {
    let world = adopted().await;
    forget_adopt(&world);
    world.apply().await;
    disown(&world, &instance_key(1, "network"));
    world.clock.sleep(AWHILE).await;
    world.mutating_calls();
    world.apply().await;
    assert!(
        world.verdict(1, "network").starts_with("not-ours: "),
        "{}",
        world.verdict(1, "network")
    );
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_goes_leaves_what_it_took_over() {
    let world = adopted().await;
    world.edit(
        "api/service.yaml",
        "spec:\n",
        "spec:\n  selector: { matchLabels: { tier: none } }\n",
    );
    world.commit();
    world.apply().await;
    assert_eq!(world.verdict(1, "api"), "retained: git no longer gives it; retained");
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    assert!(world.stack(1, &instance(1, "api")).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_was_taken_over_and_deleted_by_hand_is_not_made_under_another_name_unasked() {
    let world = adopted().await;
    world.cloud.console().delete_stack(&instance_key(1, "api")).expect("deleted");
    world.clock.sleep(AWHILE).await;
    world.mutating_calls();
    world.apply().await;
    assert!(
        world.verdict(1, "api").starts_with("nothing-to-adopt: "),
        "{}",
        world.verdict(1, "api")
    );
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_stack_policy_is_set_by_a_step_of_its_own_once_the_stack_is_ours() {
    let world = inherited(1).await;
    let policy =
        r#"{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}]}"#;
    world.write("network/policy.json", policy);
    let fields = "spec:\n  stackPolicy: policy.json\n  terminationProtection: true\n";
    world.edit("network/service.yaml", "spec:\n", fields);
    adopt(&world, "");
    world.apply().await.assert_converged(2);
    let stack = seen(&world, 1, "network");
    assert!(stack.protected);
    assert!(stack.policy.is_some_and(|policy| policy.contains("Update:*")));
    world.mutating_calls();
    world.apply().await.assert_converged(2);
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn drift_of_what_was_taken_over_is_found_and_brought_back() {
    let world = inherited(1).await;
    world.edit("fleet.yaml", "spec:\n", "spec:\n  drift: { policy: revert, every: 1h }\n");
    adopt(&world, "");
    world.apply().await.assert_converged(2);
    let console = world.cloud.console();
    let value = serde_json::json!("9");
    console.change_property(&instance_key(1, "api"), "Setting", "/Value", value).expect("changed");
    world.run_until(tokio::time::sleep(std::time::Duration::from_secs(3 * 3_600))).await;
    assert!(console.drifted().expect("the cloud answers").is_empty());
    assert_eq!(world.record(1, "api").key, key(1, "api"));
}
