//! Access that is not there is named once, asked for at growing distance, and used as soon as it is
//! there; nothing is changed meanwhile.

use std::time::Duration;

use driftless::board::Progress;
use driftless::ids::AccountId;
use driftless::observed::BlindReason;
use driftless::sim::{CallFault, Calls};

use crate::world::{Ended, World, account};

const HOUR: Duration = Duration::from_secs(3_600);

fn id(tenant: usize) -> AccountId {
    format!("{:012}", account(tenant)).parse().expect("an account")
}

fn calls(tenant: Option<usize>, api: &str) -> Calls {
    Calls { account: tenant.map(id), region: None, api: Some(api.to_owned()) }
}

fn refused(code: &str, message: &str) -> CallFault {
    CallFault::Refused { code: code.to_owned(), message: message.to_owned() }
}

/// The reasons that were told, one for each time.
fn told(ended: &Ended) -> Vec<BlindReason> {
    let reason = |news: &Progress| match news {
        Progress::Blind { blind, .. } => Some(blind.reason),
        _ => None,
    };
    ended.news.iter().filter_map(reason).collect()
}

/// Runs with a trouble for two hours and without it for another; returns what was told, and how often
/// `api` was tried in the account of the tenant, or by us, while the trouble lasted.
async fn run(world: &World, api: &str, mend: impl Fn(&World)) -> (Ended, u64) {
    let mut tries = 0;
    let shutdown = async {
        world.clock.sleep(2 * HOUR).await;
        let mutating = world.cloud.calls().into_iter().filter(|call| call.mutating);
        assert_eq!(mutating.count(), 0, "nothing is changed while nobody can look");
        tries = world
            .cloud
            .call_counts()
            .into_iter()
            .filter(|((.., called), _)| *called == api)
            .map(|(_, count)| count)
            .sum();
        mend(world);
        world.clock.sleep(HOUR).await;
    };
    let ended = world.run_until(shutdown).await;
    (ended, tries)
}

#[tokio::test(start_paused = true)]
async fn a_new_account_is_waited_for_at_growing_distance_and_converged_when_it_is_ready() {
    let codes = [
        ("OptInRequired", "The AWS Access Key Id needs a subscription for the service"),
        ("AccessDenied", "not authorized to perform: sts:AssumeRole"),
        ("RegionDisabledException", "STS is not activated in this region for account"),
    ];
    for (code, text) in codes {
        let world = World::with_tenants(1);
        let young = calls(Some(1), "AssumeRole");
        world.cloud.script().calls(young.clone(), refused(code, text), None);
        let (ended, tries) =
            run(&world, "AssumeRole", |world| world.cloud.script().restore(&young)).await;
        assert_eq!(told(&ended), [BlindReason::AccessNotReady], "{code}: told once");
        // 15 s, doubled up to half an hour; the target and its sweep elsewhere ask alike.
        assert!((8..=40).contains(&tries), "{code}: {tries} tries in two hours");
        assert_eq!(ended.standing.blind, 0, "{code}");
        assert_eq!(world.stacks(1).len(), 2, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_off_is_told_apart_from_the_others_of_its_account() {
    let world = World::with_tenants(1);
    world.edit("fleet.yaml", "[eu-central-1, us-east-1]", "[eu-central-1, eu-central-2]");
    world.edit("tenants/t1.yaml", "[eu-central-1]", "[eu-central-1, eu-central-2]");
    world.commit();
    let region = "eu-central-2".parse().expect("a region");
    world.cloud.script().switch_region_off(id(1), region);
    let ended = world.apply().await;
    assert_eq!(told(&ended), [BlindReason::RegionOff]);
    assert_eq!(world.stacks(1).len(), 2, "the other region goes on");
    let status = world.driftless(&["status"]);
    assert!(status.contains("1 target: region not enabled"), "{status}");
    assert!(status.contains("what to do: switch the region on"), "{status}");
    let region = "eu-central-2".parse().expect("a region");
    world.cloud.script().switch_region_on(id(1), region);
    world.apply().await.assert_converged(4);
}

#[tokio::test(start_paused = true)]
async fn a_known_account_whose_role_refuses_us_is_not_a_new_one() {
    let world = World::with_tenants(2);
    world.apply().await.assert_converged(4);
    world.cloud.script().deny_role(id(1));
    assert_eq!(told(&world.apply().await), [BlindReason::RoleRefused]);
    world.cloud.script().allow_role(id(1));
    world.apply().await.assert_converged(4);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_aws_suspends_is_named() {
    let world = World::with_tenants(2);
    let suspended = refused("AccessDenied", "The account 100000000001 is suspended");
    world.cloud.script().calls(calls(Some(1), "DescribeStacks"), suspended, None);
    let ended = world.apply().await;
    assert_eq!(told(&ended), [BlindReason::AccountSuspended]);
    assert_eq!((world.stacks(1).len(), world.stacks(2).len()), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn our_own_credentials_and_clock_are_no_fault_of_accounts_and_heal_by_themselves() {
    for (reason, is_clock) in
        [(BlindReason::BaseCredentials, false), (BlindReason::ClockSkew, true)]
    {
        let world = World::with_tenants(3);
        let script = world.cloud.script();
        let all = calls(None, "AssumeRole");
        match is_clock {
            true => script.skew_clock(600),
            false => {
                let text = "The security token included in the request is expired";
                script.calls(all.clone(), refused("ExpiredToken", text), None);
            }
        }
        let (ended, _) = run(&world, "AssumeRole", |world| {
            world.cloud.script().skew_clock(0);
            world.cloud.script().restore(&all);
        })
        .await;
        assert_eq!(told(&ended), [reason; 3]);
        assert_eq!((ended.standing.blind, ended.standing.total().settled), (0, 6));
    }
}
