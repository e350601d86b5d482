//! Looking for drift stays within its budget of calls, whatever is asked of it.

use std::collections::BTreeMap;

use super::*;

const DETECTION: [&str; 3] =
    ["DetectStackDrift", "DescribeStackDriftDetectionStatus", "DescribeStackResourceDrifts"];

/// Calls that only looking for drift makes, by account.
fn spent(world: &World) -> BTreeMap<String, u64> {
    let mut spent = BTreeMap::new();
    for ((account, _, api), count) in world.cloud.call_counts() {
        if DETECTION.contains(&api) || api == "ListStackResources" {
            *spent.entry(account.to_string()).or_default() += count;
        }
    }
    spent
}

#[tokio::test(start_paused = true)]
async fn no_account_costs_more_calls_in_a_day_than_its_budget() {
    let world = World::with_tenants(4);
    let spec = "spec:\n  drift: { every: 15m }\n";
    world.edit("fleet.yaml", "spec:\n", spec);
    world.edit("fleet.yaml", "  limits: { ", "  limits: { driftCalls: { perAccount: 60 }, ");
    world.commit();
    world.apply().await.assert_converged(8);
    run_for(&world, 24 * HOUR).await;
    let spent = spent(&world);
    assert_eq!(spent.len(), 4);
    // At 15 minutes each, two stacks would cost 576.
    assert!(spent.values().all(|count| (30..=60).contains(count)), "{spent:?}");
    let all = records(&world);
    assert!(all.iter().all(|record| record.checked_at.is_some()), "nobody starves: {all:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_day_costs_three_calls_a_stack_and_no_look_more() {
    let world = world(4, "{ every: 24h }").await;
    world.cloud.clear_calls();
    let before = world.cloud.call_counts();
    run_for(&world, 48 * HOUR).await;
    let calls = |api: &str| -> u64 {
        let of = |counts: &BTreeMap<driftless::sim::CallKey, u64>| -> u64 {
            counts.iter().filter(|((.., called), _)| *called == api).map(|(_, count)| count).sum()
        };
        of(&world.cloud.call_counts()) - of(&before)
    };
    // 8 stacks, two days, and the turn of the second day may bring a third.
    assert!((16..=24).contains(&calls("DetectStackDrift")), "{}", calls("DetectStackDrift"));
    assert_eq!(calls("DescribeStackDriftDetectionStatus"), calls("DetectStackDrift"));
    assert_eq!(calls("ListStackResources"), calls("DetectStackDrift"));
    assert_eq!(calls("DescribeStackResourceDrifts"), 0);
    // Every half hour for each of 4 targets.
    assert!(calls("DescribeStacks") <= 4 * 2 * 56, "{}", calls("DescribeStacks"));
}
