//! Accounts that answer nobody hold up themselves, not the others.

use std::time::Duration;

use driftless::controller::{Until, run};
use driftless::moment::Moment;
use driftless::sim::{CallFault, Calls};

use crate::world::{World, account};

/// In two regions each: 600 targets, more than the controller begins at once.
const THROTTLED: usize = 300;

/// When somebody asked for the stacks of this tenant first.
fn first_look(world: &World, tenant: usize) -> Option<Moment> {
    let id = format!("{:012}", account(tenant)).parse().expect("an account");
    world.cloud.calls().iter().find(|call| call.account == id).map(|call| call.at)
}

#[tokio::test(start_paused = true)]
async fn a_merged_tenant_starts_within_five_seconds_while_600_targets_are_throttled() {
    let world = World::with_tenants(THROTTLED);
    let api = Some("DescribeStacks".to_owned());
    world.cloud.script().calls(Calls { api, ..Calls::default() }, CallFault::Throttled, None);
    let story = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.write_tenant(THROTTLED + 1, "");
        world.commit();
        let merged_at = world.clock.now();
        tokio::time::sleep(Duration::from_secs(5)).await;
        merged_at
    };
    let (settings, _news) = world.settings();
    let merged_at = tokio::select! {
        merged_at = story => merged_at,
        ended = run(settings, Until::Stopped, std::future::pending()) => panic!("{ended:?}"),
    };
    let looked_at = first_look(&world, THROTTLED + 1).expect("looked at within five seconds");
    assert!(looked_at.since(merged_at) <= Duration::from_secs(3), "{looked_at} {merged_at}");
}
