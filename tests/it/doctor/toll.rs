//! The calls that doctor says the settings mean are those that the simulated cloud counts.

use std::collections::BTreeMap;

use driftless::plan::toll::Toll;

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);
/// Days that are counted, after one and a bit in which everything gets its time.
const DAYS: u32 = 3;

/// A world whose cloud keeps no past, which is what takes time in days.
fn small(tenants: usize) -> World {
    World::with_settings(tenants, |cloud| cloud.remembers = false)
}

/// Calls a day by API, as the cloud counts them in a fleet at rest.
async fn counted(world: &World) -> BTreeMap<&'static str, f64> {
    let shutdown = async {
        world.clock.sleep(30 * HOUR).await;
        world.cloud.clear_calls();
        world.clock.sleep(24 * HOUR * DAYS).await;
    };
    let ended = world.run_until(shutdown).await;
    assert_eq!((ended.standing.total().stuck, ended.standing.blind), (0, 0), "it is at rest");
    let mut counted = BTreeMap::new();
    for ((.., api), count) in world.cloud.call_counts() {
        *counted.entry(api).or_default() += count as f64 / f64::from(DAYS);
    }
    counted
}

/// Fails unless what was said of each API is what was counted, within this part of it and a call or
/// two a day at the edges of the time that is counted.
fn assert_told(told: &Toll, counted: &BTreeMap<&'static str, f64>, part: f64) {
    let apis = |calls: &BTreeMap<&'static str, f64>| {
        calls.keys().map(|api| (*api).to_owned()).collect::<Vec<String>>()
    };
    assert_eq!(apis(&told.calls), apis(counted), "{:#?}\n{counted:#?}", told.calls);
    for (api, calls) in counted {
        let (said, edge) = (told.calls[api], 1.0);
        assert!(
            (said - calls).abs() <= calls * part + edge,
            "{api}: {said:.1} are said, {calls:.1} were made\n{:#?}\n{counted:#?}",
            told.calls
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_usual_fleet_costs_what_doctor_says() {
    let world = small(6);
    world.apply().await.assert_converged(12);
    let told = Toll::of(&desired(&world));
    assert_eq!((told.targets, told.swept, told.stacks, told.resources), (6, 6, 12, 30));
    assert_eq!(told.short, 0);
    assert_told(&told, &counted(&world).await, 0.03);
}

#[tokio::test(start_paused = true)]
async fn policies_regions_nested_stacks_and_other_distances_count() {
    let world = small(4);
    for number in 1..=2 {
        let path = format!("tenants/t{number}.yaml");
        world.edit(&path, "[eu-central-1]", "[eu-central-1, us-east-1]");
    }
    world.edit("fleet.yaml", "spec:\n", "spec:\n  resync: 50m\n  drift: { every: 7h }\n");
    let policy = "{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"Update:*\",\
                  \"Principal\":\"*\",\"Resource\":\"*\"}]}";
    world.write("network/policy.json", policy);
    world.edit("network/service.yaml", "spec:\n", "spec:\n  stackPolicy: policy.json\n");
    world.edit("api/service.yaml", "spec:\n", "spec:\n  drift: { policy: ignore }\n");
    world.commit();
    world.apply().await.assert_converged(12);
    let told = Toll::of(&desired(&world));
    assert_eq!((told.targets, told.swept), (6, 2));
    assert_told(&told, &counted(&world).await, 0.05);
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_short_are_told_and_not_exceeded() {
    let world = small(2);
    world.edit("fleet.yaml", "spec:\n", "spec:\n  drift: { every: 1h }\n");
    world.edit("fleet.yaml", "  limits: { ", "  limits: { driftCalls: { perAccount: 60 }, ");
    world.commit();
    world.apply().await.assert_converged(4);
    let told = Toll::of(&desired(&world));
    assert_eq!(told.short, 2);
    let counted = counted(&world).await;
    let looking = |calls: &BTreeMap<&'static str, f64>| {
        calls["DetectStackDrift"]
            + calls["DescribeStackDriftDetectionStatus"]
            + calls["ListStackResources"]
    };
    let (said, made) = (looking(&told.calls), looking(&counted));
    assert!((said - made).abs() <= made * 0.1, "{said} are said, {made} were made");
}
