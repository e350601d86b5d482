//! How stacks are made and updated: `standard` or `express`, and rolled back in both.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use driftless::sim::{Asked, Ending, Phase, ResourceFault, Status, Witness};

use crate::world::{World, key};

/// Every call that changes something, with its fields.
#[derive(Debug, Default)]
struct Calls(Mutex<Vec<(String, BTreeMap<String, String>)>>);

impl Witness for Calls {
    fn comes(&self, asked: Asked<'_>) -> bool {
        if asked.call.mutating {
            let mut calls = self.0.lock().expect("no panic before");
            calls.push((asked.call.api.to_owned(), asked.fields.clone()));
        }
        true
    }

    fn ended(&self, _: Asked<'_>, _: Ending<'_>) -> bool {
        true
    }
}

/// `api deployment mode/rollback disabled by it/rollback disabled` of the calls for one stack.
fn modes(calls: &Calls, stack: &str) -> Vec<String> {
    let of_stack = |fields: &BTreeMap<String, String>| {
        fields["StackName"] == stack || fields["StackName"].contains(&format!("/{stack}/"))
    };
    let mut calls = calls.0.lock().expect("no panic before");
    let line = |(api, fields): (String, BTreeMap<String, String>)| {
        let field = |name: &str| fields.get(name).map_or("-", String::as_str).to_owned();
        let of_config = field("DeploymentConfig.DisableRollback");
        let (mode, plain) = (field("DeploymentConfig.Mode"), field("DisableRollback"));
        of_stack(&fields).then(|| format!("{api} {mode}/{of_config}/{plain}"))
    };
    std::mem::take(&mut *calls).into_iter().filter_map(line).collect()
}

fn watched(world: &World) -> Arc<Calls> {
    let calls = Arc::new(Calls::default());
    world.cloud.set_witness(Some(calls.clone()));
    calls
}

fn express(world: &World) {
    world.edit("api/service.yaml", "spec:", "spec:\n  deployment: express");
    world.commit();
}

fn breaks(world: &World, logical_id: &str, text: &str) {
    world.cloud.script().resource(ResourceFault {
        account: None,
        region: None,
        stack: None,
        logical_id: logical_id.to_owned(),
        phase: Phase::Change,
        text: text.to_owned(),
        times: Some(1),
    });
}

/// How long the operation of a stack took that began last.
fn length(world: &World, stack: &str) -> Duration {
    let events = world.cloud.console().events(&key(1, stack)).expect("events");
    let own: Vec<_> = events.iter().filter(|event| event.resource.is_none()).collect();
    let starts = [Status::CREATE_IN_PROGRESS, Status::UPDATE_IN_PROGRESS];
    let start = own.iter().rfind(|event| starts.contains(&event.status)).expect("it began");
    own.last().expect("it ended").at.since(start.at)
}

#[tokio::test(start_paused = true)]
async fn an_express_service_is_made_and_updated_several_times_as_fast() {
    let mut lengths = Vec::new();
    for is_express in [false, true] {
        let world = World::with_tenants(1);
        if is_express {
            express(&world);
        }
        world.apply().await.assert_converged(2);
        lengths.push(length(&world, "api"));
        world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
        world.commit();
        world.apply().await.assert_converged(2);
        lengths.push(length(&world, "api"));
    }
    let [made, updated, made_fast, updated_fast] = lengths[..] else { panic!("{lengths:?}") };
    assert!(made_fast * 5 < made, "{made_fast:?} instead of {made:?}");
    assert!(updated_fast * 5 < updated, "{updated_fast:?} instead of {updated:?}");
}

#[tokio::test(start_paused = true)]
async fn the_calls_say_the_mode_and_always_ask_for_the_rollback() {
    let world = World::with_tenants(1);
    express(&world);
    let calls = watched(&world);
    world.apply().await.assert_converged(2);
    assert_eq!(modes(&calls, "api"), ["CreateStack EXPRESS/false/-"]);
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.edit("network/service.yaml", "10.0.0.0/16", "10.1.0.0/16");
    world.commit();
    world.apply().await.assert_converged(2);
    let all = calls.0.lock().expect("no panic before").clone();
    let of_network = modes(&Calls(Mutex::new(all)), "network");
    assert_eq!(of_network, ["CreateChangeSet -/-/-", "ExecuteChangeSet -/-/false"]);
    let of_api = modes(&calls, "api");
    assert_eq!(of_api, ["CreateChangeSet EXPRESS/false/-", "ExecuteChangeSet -/-/false"]);
}

#[tokio::test(start_paused = true)]
async fn what_fails_in_express_mode_is_rolled_back() {
    let world = World::with_tenants(1);
    express(&world);
    world.apply().await.assert_converged(2);
    breaks(&world, "Setting", "value not allowed");
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    let ended = world.apply().await;
    assert_eq!(ended.standing.total().stuck, 1);
    let api = world.stack(1, "api").expect("there");
    assert_eq!(api.status, Status::UPDATE_ROLLBACK_COMPLETE);
    assert_eq!(api.parameters["Size"], "1");
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_has_to_be_made_again_is_made_in_standard_mode() {
    let world = World::with_tenants(1);
    express(&world);
    breaks(&world, "Jobs", "Internal Failure");
    let calls = watched(&world);
    world.apply().await.assert_converged(2);
    let made = ["CreateStack EXPRESS/false/-", "DeleteStack -/-/-", "CreateStack -/-/false"];
    assert_eq!(modes(&calls, "api"), made);
}

#[tokio::test(start_paused = true)]
async fn another_mode_alone_changes_no_stack() {
    let world = World::with_tenants(1);
    world.apply().await.assert_converged(2);
    world.mutating_calls();
    express(&world);
    world.apply().await.assert_converged(2);
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_wave_may_take_a_release_in_express_mode_and_the_others_as_the_service_says() {
    let world = World::with_tenants(2);
    let waves = "  rollout:\n    waves:\n      - { name: first, percent: 50, deployment: express }\n      \
                 - { name: rest }\n";
    world.edit("api/service.yaml", "spec:\n", &format!("spec:\n{waves}"));
    world.commit();
    let calls = watched(&world);
    let started = world.clock.now();
    world.apply().await.assert_converged(4);
    let creates = modes(&calls, "api");
    assert_eq!(creates, ["CreateStack EXPRESS/false/-", "CreateStack -/-/false"]);
    let soaked = world.clock.now().since(started);
    assert!(soaked >= Duration::from_secs(300), "{soaked:?}");
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    world.apply().await.assert_converged(4);
    let updates = modes(&calls, "api");
    let sets: Vec<_> = updates.iter().filter(|one| one.starts_with("CreateChangeSet")).collect();
    assert_eq!(sets, ["CreateChangeSet EXPRESS/false/-", "CreateChangeSet -/-/-"]);
}
