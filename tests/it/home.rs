//! Stacks that need a service of the tenant's home region: they wait for it, use its outputs, and it
//! stays while they do.

use std::time::Duration;

use driftless::ids::StackKey;
use driftless::plan::{Scope, Suspension};
use driftless::sim::{CallFault, Calls, StackView};

use crate::world::{World, account, key};

const HOME: &str = "eu-central-1";
const AWAY: &str = "us-east-1";

const IDENTITY: &str = "apiVersion: driftless.dev/v1
kind: Service
metadata: { name: identity }
spec:
  template: identity.yaml
  regions: home
  onRemoval: delete
  parameters: { Pool: first }
";

const IDENTITY_TEMPLATE: &str = "Parameters:
  Pool: { Type: String }
Resources:
  Users: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref Pool } }
Outputs:
  Pool: { Value: !Ref Pool }
";

const EDGE: &str = "apiVersion: driftless.dev/v1
kind: Service
metadata: { name: edge }
spec:
  template: edge.yaml
  dependsOn: [{ service: identity, region: home }]
  parameters: { Pool: \"${services.identity.outputs.Pool}\" }
";

const EDGE_TEMPLATE: &str = "Parameters:
  Pool: { Type: String }
Resources:
  Setting: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref Pool } }
";

/// Tenants with a home and another region: `identity` at home, `edge` in both.
fn world(tenants: usize) -> World {
    let world = World::with_tenants(tenants);
    for folder in ["network", "api"] {
        world.remove(&format!("{folder}/service.yaml"));
    }
    for (path, text) in [
        ("identity/service.yaml", IDENTITY),
        ("identity/identity.yaml", IDENTITY_TEMPLATE),
        ("edge/service.yaml", EDGE),
        ("edge/edge.yaml", EDGE_TEMPLATE),
    ] {
        world.write(path, text);
    }
    for tenant in 1..=tenants {
        let path = format!("tenants/t{tenant}.yaml");
        world.edit(&path, "[eu-central-1]", &format!("[{HOME}, {AWAY}]"));
    }
    world.commit();
    world
}

fn away(tenant: usize, name: &str) -> StackKey {
    format!("{:012}/{AWAY}/{name}", account(tenant)).parse().expect("a key")
}

fn stack(world: &World, key: &StackKey) -> Option<StackView> {
    world.cloud.console().stack(key).expect("the cloud answers")
}

fn pool(world: &World, key: &StackKey) -> String {
    stack(world, key).unwrap_or_else(|| panic!("no {key}")).parameters["Pool"].clone()
}

fn verdict(world: &World, key: &StackKey) -> String {
    let record = world.journal().stack(key).expect("the journal answers").expect("known");
    format!("{}: {}", record.verdict.code, record.verdict.text)
}

/// What becomes of the next looks at home.
fn at_home(world: &World, fault: CallFault, times: Option<u32>) {
    let api = Some("DescribeStacks".to_owned());
    let calls = Calls { account: None, region: HOME.parse().ok(), api };
    world.cloud.script().calls(calls, fault, times);
}

#[tokio::test(start_paused = true)]
async fn a_stack_in_another_region_waits_for_home_and_uses_its_outputs() {
    let world = world(2);
    world.apply().await.assert_converged(6);
    for tenant in 1..=2 {
        let identity = world.stack(tenant, "identity").expect("there");
        for edge in [key(tenant, "edge"), away(tenant, "edge")] {
            assert_eq!(pool(&world, &edge), "first");
            let begun = stack(&world, &edge).expect("there").created_at;
            assert!(begun > identity.created_at + Duration::from_secs(5), "{edge} did not wait");
        }
    }
    world.mutating_calls();
    world.apply().await.assert_converged(6);
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_output_that_changes_at_home_changes_those_who_use_it() {
    let world = world(1);
    world.apply().await.assert_converged(3);
    world
        .run_until(async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            world.edit("identity/service.yaml", "Pool: first", "Pool: second");
            world.commit();
            tokio::time::sleep(Duration::from_secs(300)).await;
            assert_eq!(pool(&world, &away(1, "edge")), "second", "long before the next resync");
        })
        .await
        .assert_converged(3);
}

#[tokio::test(start_paused = true)]
async fn one_commit_that_changes_home_and_its_users_goes_home_first() {
    let world = world(1);
    world.apply().await.assert_converged(3);
    world
        .run_until(async {
            // All has been looked at, and nobody has to: what is known of home is of the old commit.
            tokio::time::sleep(Duration::from_secs(60)).await;
            world.edit("identity/service.yaml", "Pool: first", "Pool: second");
            world.edit("edge/edge.yaml", "Resources:\n", "Description: new\nResources:\n");
            world.commit();
            world.cloud.clear_calls();
            // The other region is looked at before home is.
            at_home(&world, CallFault::Throttled, Some(2));
            tokio::time::sleep(Duration::from_secs(300)).await;
        })
        .await
        .assert_converged(3);
    let calls = world.cloud.calls();
    let executed: Vec<_> = calls.iter().filter(|call| call.api == "ExecuteChangeSet").collect();
    assert_eq!(executed.len(), 3, "nobody is updated twice: {executed:#?}");
    assert_eq!(executed[0].region.as_str(), HOME);
    let mut away = calls.iter().filter(|call| call.mutating && call.region.as_str() == AWAY);
    let first = away.next().expect("updated");
    assert!(first.at > executed[0].at + Duration::from_secs(5), "prepared too early: {first:?}");
}

#[tokio::test(start_paused = true)]
async fn while_home_cannot_be_seen_the_other_region_waits_and_says_so() {
    let world = world(1);
    at_home(&world, CallFault::ServerError(503), None);
    let ended = world.apply().await;
    assert_eq!((ended.standing.blind, ended.standing.total().waiting), (1, 1));
    assert_eq!(
        verdict(&world, &away(1, "edge")),
        "waits-for-home: waits for a look at the home region eu-central-1, where it needs identity"
    );
    assert_eq!(stack(&world, &away(1, "edge")), None);
    world.cloud.script().clear();
    world.apply().await.assert_converged(3);
}

#[tokio::test(start_paused = true)]
async fn while_home_does_not_stand_the_other_region_waits_and_says_so() {
    let world = world(1);
    let identity = "parameters: { Pool: first }";
    world.edit("identity/service.yaml", identity, &format!("suspend: true\n  {identity}"));
    world.commit();
    world.apply().await;
    assert_eq!(
        verdict(&world, &away(1, "edge")),
        "waits-for-home: waits until identity is complete in the home region eu-central-1"
    );
    assert_eq!(stack(&world, &away(1, "edge")), None);
}

#[tokio::test(start_paused = true)]
async fn an_offboarded_tenant_loses_its_home_last() {
    let world = world(1);
    world.apply().await.assert_converged(3);
    world.edit("tenants/t1.yaml", "spec:\n", "spec:\n  lifecycle: offboarded\n");
    world.commit();
    world.cloud.clear_calls();
    world
        .run_until(async {
            tokio::time::sleep(Duration::from_secs(600)).await;
            assert_eq!((world.stack(1, "identity"), stack(&world, &away(1, "edge"))), (None, None));
        })
        .await;
    let calls = world.cloud.calls();
    let deleted: Vec<_> = calls.iter().filter(|call| call.api == "DeleteStack").collect();
    assert_eq!(deleted.len(), 3);
    let last = deleted.last().expect("three").at;
    let edge = deleted.iter().find(|call| call.region.as_str() == AWAY).expect("deleted").at;
    assert!(last > edge + Duration::from_secs(5), "{deleted:#?}");
}

#[tokio::test(start_paused = true)]
async fn home_is_kept_for_a_stack_in_another_region_that_stays() {
    let world = world(1);
    world.edit("edge/service.yaml", "spec:\n", &format!("spec:\n  regions: [{AWAY}]\n"));
    world.commit();
    world.apply().await.assert_converged(2);
    let nobody = "spec:\n  selector: { matchLabels: { for: nobody } }\n";
    for path in ["edge/service.yaml", "identity/service.yaml"] {
        world.edit(path, "spec:\n", nobody);
    }
    world.commit();
    world.mutating_calls();
    world.apply().await;
    let verdict = world.verdict(1, "identity");
    assert_eq!(verdict, "kept-for-dependents: kept while edge, which uses it, stays");
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_drifted_at_home_and_is_not_brought_back_keeps_nobody_waiting() {
    let world = world(1);
    world.edit("fleet.yaml", "spec:\n", "spec:\n  drift: { every: 1h, policy: revert }\n");
    world.commit();
    world.apply().await;
    let home = key(1, "identity");
    let console = world.cloud.console();
    console.change_property(&home, "Users", "/Value", serde_json::json!("other")).expect("changed");
    let stops = Suspension {
        scope: Scope::Service(home.name.as_str().parse().expect("a name")),
        by: "ann".to_owned(),
        reason: "hands off".to_owned(),
        at: world.clock.now(),
    };
    world.journal().suspend(&stops).expect("written");
    world.run_until(tokio::time::sleep(Duration::from_secs(3 * 3_600))).await;
    let said = world.verdict(1, "identity");
    assert!(said.starts_with("revert-stopped: in sync; reverting its drift waits: "), "{said}");
    world.edit(
        "edge/edge.yaml",
        "Type: String, Value: !Ref Pool",
        "Type: String, Value: !Sub \"x ${Pool}\"",
    );
    world.commit();
    world.run_until(tokio::time::sleep(Duration::from_secs(1_200))).await;
    assert_eq!(world.verdict(1, "edge"), "in-sync: in sync");
    assert_eq!(verdict(&world, &away(1, "edge")), "in-sync: in sync");
}
