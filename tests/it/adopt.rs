//! Stacks that exist already, such as the instances of a stack set, are taken over under their own
//! names; nothing of them changes but tags, and nothing happens to those that could not be meant.

mod held;
mod later;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use driftless::ids::StackKey;
use driftless::sim::StackView;

use crate::world::{World, account, key};

/// Longer than any of these operations takes.
const AWHILE: Duration = Duration::from_secs(900);

/// What AWS calls the instance of a stack set in a tenant's account.
fn instance(tenant: usize, service: &str) -> String {
    format!("StackSet-{service}-{}", account(tenant))
}

fn instance_key(tenant: usize, service: &str) -> StackKey {
    key(tenant, &instance(tenant, service))
}

/// Both services stand in every tenant's account, made by another and owned by nobody; git wants
/// them, says nothing of adoption yet, and no journal remembers anything.
async fn inherited(tenants: usize) -> World {
    let world = World::with_tenants(tenants);
    inherit(&world, tenants).await;
    world
}

/// Deploys what git says under the names of instances, as somebody else did once.
async fn inherit(world: &World, tenants: usize) {
    let name = "  stackName: \"StackSet-${service.name}-${account.id}\"\n";
    for service in ["network", "api"] {
        let path = format!("{service}/service.yaml");
        world.edit(&path, "spec:\n", &format!("spec:\n{name}"));
    }
    world.commit();
    world.apply().await.assert_converged(2 * tenants);
    for tenant in 1..=tenants {
        for service in ["network", "api"] {
            disown(world, &instance_key(tenant, service));
        }
    }
    world.clock.sleep(AWHILE).await;
    world.lose_journal();
    for service in ["network", "api"] {
        world.edit(&format!("{service}/service.yaml"), name, "");
    }
    world.cloud.clear_calls();
}

/// Somebody takes all tags from a stack.
fn disown(world: &World, key: &StackKey) {
    world.cloud.console().update_tags(key, &BTreeMap::new()).expect("updated");
}

/// Git says that these stacks are taken over.
fn adopt(world: &World, more: &str) {
    for service in ["network", "api"] {
        adopt_service(world, service, more);
    }
}

fn adopt_service(world: &World, service: &str, more: &str) {
    let field = format!("spec:\n  adopt: {{ match: \"StackSet-{service}-*\"{more} }}\n");
    world.edit(&format!("{service}/service.yaml"), "spec:\n", &field);
    world.commit();
}

fn seen(world: &World, tenant: usize, service: &str) -> StackView {
    world.stack(tenant, &instance(tenant, service)).expect("it stands")
}

/// Resources by what they are: logical id, physical id and properties but tags.
fn resources(stack: &StackView) -> Vec<(String, String, serde_json::Value)> {
    let of = |(id, resource): (&String, &driftless::sim::ResourceView)| {
        let mut properties: serde_json::Value =
            serde_json::from_str(&resource.properties).expect("JSON");
        properties.as_object_mut().expect("an object").remove("Tags");
        (id.clone(), resource.physical_id.clone(), properties)
    };
    stack.resources.iter().map(of).collect()
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_exists_is_taken_over_with_no_resource_changed_and_a_second_look_is_silent() {
    let world = inherited(2).await;
    adopt(&world, "");
    let before = [1, 2].map(|tenant| ["network", "api"].map(|name| seen(&world, tenant, name)));
    world.apply().await.assert_converged(4);
    for (tenant, before) in [1, 2].into_iter().zip(&before) {
        assert_eq!(world.stacks(tenant).len(), 2, "no twins: {:?}", world.stacks(tenant));
        for (service, before) in ["network", "api"].into_iter().zip(before) {
            let after = seen(&world, tenant, service);
            assert_eq!(after.id, before.id);
            assert_eq!(resources(&after), resources(before));
            assert_eq!(
                (&after.template, &after.parameters),
                (&before.template, &before.parameters)
            );
            let tags: Vec<String> =
                after.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let (of_service, of_tenant) =
                (format!("driftless:service={service}"), format!("driftless:tenant=t{tenant}"));
            assert_eq!(tags, ["driftless:fleet=test".to_owned(), of_service, of_tenant]);
            assert_eq!(world.record(tenant, service).seen.expect("seen").id.as_str(), after.id);
        }
    }
    world.mutating_calls();
    world.apply().await.assert_converged(4);
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn adoption_goes_out_in_waves_and_what_waits_is_left_as_it_is() {
    let world = World::with_tenants(3);
    for (tenant, ring) in [(1, "canary"), (2, "rest"), (3, "rest")] {
        let (from, path) = (format!("name: t{tenant} }}"), format!("tenants/t{tenant}.yaml"));
        world.edit(&path, &from, &format!("name: t{tenant}, labels: {{ ring: {ring} }} }}"));
    }
    inherit(&world, 3).await;
    let waves = "  rollout:\n    approval: [all]\n    waves:\n      - { name: canary, selector: \
                 { matchLabels: { ring: canary } } }\n      - { name: all }\n";
    world.edit("network/service.yaml", "spec:\n", &format!("spec:\n{waves}"));
    adopt(&world, "");
    let before = [2, 3].map(|tenant| seen(&world, tenant, "network"));
    world.apply().await;
    assert!(!seen(&world, 1, "network").tags.is_empty(), "the canary is taken over");
    assert_eq!([2, 3].map(|tenant| seen(&world, tenant, "network")), before, "not a tag");
    let waits = world.verdict(2, "network");
    assert!(waits.ends_with("waits for wave all; it is to be taken over"), "{waits}");
    let rollouts = world.driftless(&["rollout", "show", "network"]);
    assert!(rollouts.contains("0 of 2"), "neither well nor failed: {rollouts}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_told_to_take_stacks_over_later_does_so_in_waves_too() {
    let world = World::with_tenants(2);
    inherit(&world, 2).await;
    let waves = "  rollout:\n    approval: [all]\n    waves: [{ name: half, percent: 50 }, { name: all }]\n";
    world.edit("network/service.yaml", "spec:\n", &format!("spec:\n{waves}"));
    // One tenant's stack is new, so that the release is a good one before anything is adopted.
    world.edit("network/service.yaml", "spec:\n", "spec:\n  suspend: true\n");
    world.commit();
    world.apply().await;
    world.edit("network/service.yaml", "  suspend: true\n", "");
    adopt_service(&world, "network", "");
    world.apply().await;
    let taken = [1, 2].map(|tenant| !seen(&world, tenant, "network").tags.is_empty());
    assert_eq!(taken.iter().filter(|taken| **taken).count(), 1, "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn an_adopted_stack_is_updated_drifts_and_is_deleted_like_any_other() {
    let world = inherited(1).await;
    adopt(&world, "");
    world.apply().await.assert_converged(2);
    world.edit("network/service.yaml", "10.0.0.0/16", "10.1.0.0/16");
    world.commit();
    world.apply().await.assert_converged(2);
    assert_eq!(seen(&world, 1, "network").parameters["Cidr"], "10.1.0.0/16");
    world.cloud.console().protect(&instance_key(1, "network"), true).expect("protected");
    world.apply().await.assert_converged(2);
    assert!(!seen(&world, 1, "network").protected, "git says that it is not");
    world.write_tenant(1, "  lifecycle: offboarded\n");
    world.commit();
    world.apply().await;
    assert_eq!(world.stacks(1), Vec::<String>::new());
}
