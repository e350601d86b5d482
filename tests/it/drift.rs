//! Resources that somebody changed behind our back are found, said, and brought back where the
//! policy says so; nothing else is touched.

use std::collections::BTreeSet;
use std::time::Duration;

use driftless::drift::{DriftRecord, signatures};
use driftless::journal::Filter;
use driftless::sim::{DriftFault, DriftTrouble, Drifted, Shown};
use serde_json::json;

use crate::world::{World, key};

mod budget;
mod nested;
mod edges;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// A converged world whose services say this about drift.
async fn world(tenants: usize, drift: &str) -> World {
    let world = World::with_tenants(tenants);
    world.edit("fleet.yaml", "spec:\n", &format!("spec:\n  drift: {drift}\n"));
    world.commit();
    world.apply().await.assert_converged(2 * tenants);
    world.mutating_calls();
    world
}

async fn run_for(world: &World, seconds: u64) {
    world.run_until(tokio::time::sleep(Duration::from_secs(seconds))).await;
    assert_eq!(world.cloud.refused(), Vec::<String>::new(), "calls that nobody should make");
}

fn records(world: &World) -> Vec<DriftRecord> {
    world.journal().drifts(&Filter::default(), false).expect("the journal answers")
}

/// The drift that a report would list.
fn said(world: &World) -> Vec<String> {
    let records = records(world);
    let lines = signatures(records.iter()).into_iter().map(|one| {
        let notes: Vec<String> = one.notes.iter().map(|note| format!(" ({note})")).collect();
        format!("{} x{}{}", one.line(), one.stacks.len(), notes.concat())
    });
    lines.collect()
}

fn drifted(world: &World) -> Vec<String> {
    let found = world.cloud.console().drifted().expect("the cloud answers");
    let name = |one: &Drifted| format!("{}/{}", one.key.name, one.logical_id);
    found.iter().map(name).collect()
}

/// Somebody gives the parameter of a tenant's api another value.
fn touch(world: &World, tenant: usize, value: &str) {
    let console = world.cloud.console();
    let done = console.change_property(&key(tenant, "api"), "Setting", "/Value", json!(value));
    done.expect("changed");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_changed_is_found_and_left_alone_where_it_is_only_reported() {
    let world = world(3, "{ every: 4h }").await;
    for tenant in [1, 3] {
        touch(&world, tenant, "other");
    }
    world.cloud.console().delete_resource(&key(2, "api"), "Jobs").expect("deleted");
    run_for(&world, 5 * HOUR).await;
    assert_eq!(
        said(&world),
        ["Jobs (AWS::SQS::Queue) deleted x1", "Setting (AWS::SSM::Parameter) /Value changed x2",]
    );
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    assert!(world.verdict(2, "api").starts_with("drifted: in sync; drifted: Jobs deleted"));
    // What is mended by hand is said no longer.
    world.cloud.console().restore_resource(&key(2, "api"), "Jobs").expect("restored");
    run_for(&world, 5 * HOUR).await;
    assert_eq!(said(&world), ["Setting (AWS::SSM::Parameter) /Value changed x2"]);
}

#[tokio::test(start_paused = true)]
async fn what_drifted_is_brought_back_where_the_policy_says_so() {
    let world = world(2, "{ every: 1h, policy: revert }").await;
    touch(&world, 1, "other");
    run_for(&world, 3 * HOUR).await;
    assert_eq!(drifted(&world), [""; 0]);
    assert_eq!(said(&world), [""; 0]);
    assert_eq!(
        world.mutating_calls(),
        ["CreateChangeSet 100000000001", "ExecuteChangeSet 100000000001"]
    );
    assert_eq!(world.verdict(1, "api"), "in-sync: in sync");
}

#[tokio::test(start_paused = true)]
async fn a_protected_resource_is_made_anew_only_when_a_person_says_so() {
    let world = world(1, "{ every: 1h, policy: revert }").await;
    world.cloud.console().delete_resource(&key(1, "api"), "Jobs").expect("deleted");
    run_for(&world, 3 * HOUR).await;
    assert_eq!(drifted(&world), ["api/Jobs"]);
    let summary = "reverting drift of 100000000001/eu-central-1/api would make Jobs \
                   (AWS::SQS::Queue) anew, empty";
    let requests = world.journal().requests().expect("requests");
    assert_eq!(requests.iter().map(|(one, _)| one.summary.as_str()).collect::<Vec<_>>(), [summary]);
    let (journal, now) = (world.journal(), world.clock.now());
    let day = now + Duration::from_secs(24 * HOUR);
    journal.approve(&requests[0].0.id, "ann", "", now, day).expect("approved");
    run_for(&world, 3 * HOUR).await;
    assert_eq!(drifted(&world), [""; 0]);
    assert_eq!(said(&world), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_change_set_that_touches_more_than_what_drifted_is_held() {
    let world = world(1, "{ every: 1h, policy: revert }").await;
    touch(&world, 1, "other");
    world.cloud.script().drift(DriftFault {
        account: None,
        region: None,
        stack: None,
        trouble: DriftTrouble::Phantom { logical_ids: ["Table".to_owned()].into() },
        times: None,
    });
    run_for(&world, 150 * MINUTE).await;
    assert_eq!(drifted(&world), ["api/Setting"]);
    let verdict = world.verdict(1, "api");
    let held = "revert-phantom: drifted, and not reverted: CloudFormation would also touch Table \
                (AWS::DynamoDB::Table), which is not to be reverted";
    assert!(verdict.starts_with(held), "{verdict}");
    assert!(!world.mutating_calls().iter().any(|call| call.starts_with("Execute")));
    world.cloud.script().clear();
    // The same set is kept for a day, so that a person can look at it.
    run_for(&world, 26 * HOUR).await;
    assert_eq!(drifted(&world), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_after_each_revert_becomes_a_report() {
    let world = world(1, "{ every: 1h, policy: revert }").await;
    for round in 0..6 {
        touch(&world, 1, &format!("other {round}"));
        run_for(&world, 3 * HOUR).await;
    }
    assert_eq!(drifted(&world), ["api/Setting"]);
    assert_eq!(
        said(&world),
        ["Setting (AWS::SSM::Parameter) /Value changed x1 (reverted 3 times and back each time: \
          somebody wants it)"]
    );
    let reverts = world.mutating_calls();
    assert_eq!(reverts.iter().filter(|call| call.starts_with("Execute")).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_aws_could_not_look_into_is_not_in_sync_and_is_tried_again() {
    let world = world(1, "{ every: 4h }").await;
    touch(&world, 1, "other");
    run_for(&world, 5 * HOUR).await;
    world.cloud.script().drift(DriftFault {
        account: None,
        region: None,
        stack: Some("api".parse().expect("a name")),
        trouble: DriftTrouble::Unreadable {
            logical_ids: ["Setting".to_owned()].into(),
            text: "Rate exceeded".to_owned(),
        },
        times: Some(2),
    });
    world.cloud.console().restore_resource(&key(1, "api"), "Setting").expect("restored");
    run_for(&world, 5 * HOUR).await;
    assert_eq!(said(&world), [""; 0], "seen once AWS could");
    // One more time, and looked at while AWS cannot: what was found stays.
    touch(&world, 1, "other");
    run_for(&world, 5 * HOUR).await;
    world.cloud.script().drift(DriftFault {
        account: None,
        region: None,
        stack: None,
        trouble: DriftTrouble::Unreadable {
            logical_ids: BTreeSet::new(),
            text: "Rate exceeded".to_owned(),
        },
        times: None,
    });
    world.cloud.console().restore_resource(&key(1, "api"), "Setting").expect("restored");
    run_for(&world, 5 * HOUR).await;
    assert_eq!(said(&world), ["Setting (AWS::SSM::Parameter) /Value changed x1"]);
    let record = records(&world).into_iter().find(|one| one.key == key(1, "api"));
    let trouble = record.and_then(|record| record.trouble).expect("trouble");
    assert!(trouble.contains("Rate exceeded"), "{trouble}");
}

#[tokio::test(start_paused = true)]
async fn a_detection_that_never_ends_is_given_up_and_never_taken_for_in_sync() {
    let world = world(1, "{ every: 4h }").await;
    touch(&world, 1, "other");
    world.cloud.script().drift(DriftFault {
        account: None,
        region: None,
        stack: None,
        trouble: DriftTrouble::Endless,
        times: None,
    });
    run_for(&world, 12 * HOUR).await;
    let troubles: Vec<_> =
        records(&world).into_iter().map(|one| (one.checked_at, one.trouble)).collect();
    let trouble = (None, Some("AWS did not end within two hours".to_owned()));
    assert_eq!(troubles, [trouble.clone(), trouble]);
}

#[tokio::test(start_paused = true)]
async fn what_aws_only_writes_otherwise_is_no_drift() {
    let world = world(1, "{ every: 1h, policy: revert }").await;
    let misread = |kind: &str, path: &str, shown| DriftFault {
        account: None,
        region: None,
        stack: None,
        trouble: DriftTrouble::Misread { kind: kind.to_owned(), path: path.to_owned(), shown },
        times: None,
    };
    let script = world.cloud.script();
    script.drift(misread("AWS::DynamoDB::Table", "/AttributeDefinitions", Shown::Reordered));
    script.drift(misread("AWS::SSM::Parameter", "/Value", Shown::Retyped));
    run_for(&world, 3 * HOUR).await;
    assert_eq!(said(&world), [""; 0]);
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    assert!(records(&world).iter().all(|record| record.checked_at.is_some()));
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_knows_no_drift_aware_change_sets_is_named() {
    let world = World::with_settings(1, |settings| settings.ignores_deployment_mode = true);
    world.edit("fleet.yaml", "spec:\n", "spec:\n  drift: { every: 4h, policy: revert }\n");
    world.commit();
    world.apply().await.assert_converged(2);
    touch(&world, 1, "other");
    run_for(&world, 6 * HOUR).await;
    assert_eq!(drifted(&world), ["api/Setting"]);
    let said = said(&world);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("a service that knows no REVERT_DRIFT"), "{said:?}");
    world.mutating_calls();
    run_for(&world, 20 * HOUR).await;
    assert_eq!(world.mutating_calls(), Vec::<String>::new(), "it is not tried for ever");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_updated_is_brought_back_said_and_looked_into_soon() {
    let world = world(1, "{ every: 24h }").await;
    run_for(&world, 25 * HOUR).await;
    let parameters = [("Cidr".to_owned(), "10.9.0.0/16".to_owned())].into();
    let console = world.cloud.console();
    console.update_parameters(&key(1, "network"), &parameters).expect("updated");
    tokio::time::sleep(Duration::from_secs(5 * MINUTE)).await;
    // A process that was just started has saved up no calls.
    run_for(&world, 30 * MINUTE).await;
    assert_eq!(world.verdict(1, "network"), "in-sync: in sync");
    let checked = records(&world).into_iter().find(|one| one.key == key(1, "network"));
    let checked = checked.and_then(|record| record.checked_at).expect("looked into");
    assert!(world.clock.now().since(checked) < Duration::from_secs(35 * MINUTE));
}

#[tokio::test(start_paused = true)]
async fn exceptions_and_rules_say_what_is_left_alone() {
    let drift = "{ every: 1h, policy: revert, ignore: [{ type: \"AWS::SQS::*\", property: /Tags }], \
                 exceptions: [{ selector: { matchLabels: { ring: hands-off } }, policy: report }] }";
    let world = World::with_tenants(3);
    world.edit("fleet.yaml", "spec:\n", &format!("spec:\n  drift: {drift}\n"));
    world.write_tenant(3, "  services: { api: { drift: { policy: ignore } } }\n");
    let tenant = "metadata: { name: t2 }";
    world.edit("tenants/t2.yaml", tenant, "metadata: { name: t2, labels: { ring: hands-off } }");
    world.commit();
    world.apply().await.assert_converged(6);
    for tenant in 1..=3 {
        touch(&world, tenant, "other");
        world.cloud.console().add_tag(&key(tenant, "api"), "Jobs", "cost", "1").expect("tagged");
    }
    run_for(&world, 3 * HOUR).await;
    assert_eq!(said(&world), ["Setting (AWS::SSM::Parameter) /Value changed x1"]);
    assert_eq!(
        drifted(&world),
        ["api/Jobs", "api/Jobs", "api/Setting", "api/Jobs", "api/Setting"],
        "only the first tenant's was brought back"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stack_policy_that_somebody_took_away_is_set_again() {
    let world = world(1, "{ every: 1h }").await;
    let line = "  template: network.yaml\n";
    world.write("network/policy.json", "{\"Statement\": [{\"Effect\": \"Deny\", \"Action\": \"Update:Replace\", \"Principal\": \"*\", \"Resource\": \"*\"}]}");
    world.edit("network/service.yaml", line, &format!("{line}  stackPolicy: policy.json\n"));
    world.commit();
    world.apply().await.assert_converged(2);
    world.mutating_calls();
    let open = "{\"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"Update:*\", \"Principal\": \"*\", \"Resource\": \"*\"}]}";
    world.cloud.console().set_policy(&key(1, "network"), open).expect("set");
    run_for(&world, 3 * HOUR).await;
    assert_eq!(world.mutating_calls(), ["SetStackPolicy 100000000001"]);
}
