//! A journal is new, and nobody knows whether there was another one before.

use std::collections::BTreeSet;
use std::time::Duration;

use driftless::board::Progress;
use driftless::reconcile::Only;
use driftless::sim::{CallFault, Calls};

use crate::world::{World, key};

/// Three tenants whose services delete what is dropped, in a cloud that remembers.
fn world() -> World {
    let world = World::with_tenants(3);
    for service in ["api", "network"] {
        let path = format!("{service}/service.yaml");
        world.edit(&path, "spec:", "spec:\n  onRemoval: delete");
    }
    world.commit();
    world
}

fn of_tenant(number: usize) -> Calls {
    Calls { account: Some(key(number, "x").target.account), ..Calls::default() }
}

#[tokio::test(start_paused = true)]
async fn while_an_account_was_never_seen_nothing_is_deleted_unasked() {
    let world = world();
    world.apply().await.assert_converged(6);
    world.lose_journal();
    world.cloud.script().deny_role(key(3, "x").target.account);
    world.write_tenant(1, "  lifecycle: offboarded\n");
    world.commit();
    world.try_apply().await.expect("the rest converges");
    assert_eq!(world.stacks(1).len(), 2, "both stand");
    assert!(
        world.verdict(1, "api").contains("the journal is new here"),
        "{}",
        world.verdict(1, "api")
    );
    world.cloud.script().clear();
    world.try_apply().await.expect("all are seen");
    assert_eq!(world.stacks(1).len(), 2, "an earlier journal was lost");
    world.clock.sleep(Duration::from_secs(25 * 3_600)).await;
    world.try_apply().await.expect("a day later");
    assert_eq!(world.stacks(1), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_was_converged_in_parts_was_made_by_this_journal() {
    let world = world();
    let tenants = BTreeSet::from(["t1".parse().expect("a name")]);
    world.apply_only(Only { tenants, ..Only::default() }).await.expect("one tenant converges");
    world.apply().await.assert_converged(6);
    world.remove("tenants/t1.yaml");
    world.commit();
    world.apply().await;
    assert_eq!(world.stacks(1), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_was_throttled_is_made_again_before_the_fleet_is_known() {
    let world = world();
    let region = Some("us-east-1".parse().expect("a region"));
    let swept = Calls { region, ..of_tenant(2) };
    world.cloud.script().calls(swept.clone(), CallFault::Throttled, None);
    let (clock, knows) = (world.clock.clone(), |world: &World| {
        world.journal().knows_fleet(world.clock.now()).expect("the journal answers")
    });
    let story = async {
        clock.sleep(Duration::from_secs(1_800)).await;
        assert!(!knows(&world), "nobody has seen that place");
        world.cloud.script().restore(&swept);
        clock.sleep(Duration::from_secs(3_600)).await;
        assert!(knows(&world));
    };
    world.run_until(story).await;
}

#[tokio::test(start_paused = true)]
async fn what_others_do_in_an_account_takes_no_place_of_ours() {
    let world = world();
    world.edit("fleet.yaml", "limits: {", "limits: { perTarget: 1,");
    world.commit();
    let theirs = "Resources:\n  Table:\n    Type: AWS::DynamoDB::Table\n    Properties:\n      \
                  BillingMode: PAY_PER_REQUEST\n      AttributeDefinitions: [{ AttributeName: id, \
                  AttributeType: S }]\n      KeySchema: [{ AttributeName: id, KeyType: HASH }]\n";
    for number in 0..20 {
        let name = format!("theirs-{number}");
        world.cloud.console().create_stack(&key(1, &name), theirs, &[].into()).expect("made");
    }
    let ended = world.apply().await;
    ended.assert_converged(6);
    let waited = ended.news.iter().any(|news| match news {
        Progress::Verdict { record, .. } => record.verdict.code == "target-busy",
        _ => false,
    });
    assert!(!waited, "theirs were counted");
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_shows_late_is_not_forgotten_though_its_tenant_left_meanwhile() {
    let world = world();
    world.apply().await;
    world.write_tenant(4, "");
    world.commit();
    let clock = world.clock.clone();
    let began = clock.now();
    let story = async {
        while world.stacks(4).is_empty() {
            clock.sleep(Duration::from_secs(1)).await;
        }
        let stale = CallFault::AsOf(began);
        world.cloud.script().calls(of_tenant(4), stale, None);
        world.remove("tenants/t4.yaml");
        world.commit();
        clock.sleep(Duration::from_secs(60)).await;
        world.cloud.script().restore(&of_tenant(4));
        clock.sleep(Duration::from_secs(1_800)).await;
    };
    world.run_until(story).await;
    assert_eq!(world.stacks(4), Vec::<String>::new(), "git dropped it, and says `delete`");
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_changes_after_the_journal_was_lost_reaches_its_stacks() {
    let world = world();
    let template = "Parameters:
  Secret: { Type: String, NoEcho: true }
Resources:
  Pass: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref Secret } }
";
    world.write("network/network.yaml", template);
    world.edit("network/service.yaml", "Cidr: \"10.0.0.0/16\"", "Secret: first");
    world.remove("api/service.yaml");
    world.commit();
    world.apply().await.assert_converged(3);
    world.lose_journal();
    world.apply().await.assert_converged(3);
    world.mutating_calls();
    world.edit("network/service.yaml", "Secret: first", "Secret: second");
    world.commit();
    world.apply().await.assert_converged(3);
    assert_eq!(world.stack(1, "network").expect("it stands").parameters["Secret"], "second");
    world.mutating_calls();
    world.apply().await.assert_converged(3);
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn that_a_journal_was_lost_is_said_once() {
    let said = |ended: &crate::world::Ended| {
        ended.news.iter().filter(|news| matches!(news, Progress::Inherited { .. })).count()
    };
    let world = world();
    assert_eq!(said(&world.apply().await), 0, "nothing was lost");
    world.lose_journal();
    assert_eq!(said(&world.apply().await), 1);
    assert_eq!(said(&world.apply().await), 0);
}
