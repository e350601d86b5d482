//! Freeze windows: while one is open nothing new is started for whom it holds, and what runs ends.

use std::collections::BTreeMap;
use std::time::Duration;

use driftless::ids::Digest;
use driftless::moment::Moment;
use driftless::observed::Look;
use driftless::plan::Steering;
use driftless::plan::deletions::DeletionBook;
use driftless::plan::preview::{Kind, LiveScene, Sighted, preview_live};
use driftless::sim::{CallFault, Calls, Status};

use crate::world::{START, World, key};

/// Every test begins on Wednesday 2026-11-18 at 12:06:40 in Berlin.
const WINDOW: &str = "{ cron: 0 15 * * WED, duration: 2h, timezone: Europe/Berlin, reason: audit }";
const FROZEN: &str = "frozen: frozen until 2026-11-18T16:00:00.000Z: \
                      0 15 * * WED in Europe/Berlin for 2h (audit)";
const UNTIL_OPEN: Duration = Duration::from_secs(2 * 3_600 + 53 * 60 + 20);
const LENGTH: Duration = Duration::from_secs(2 * 3_600);

fn opens_at() -> Moment {
    START + UNTIL_OPEN
}

fn closes_at() -> Moment {
    opens_at() + LENGTH
}

/// A converged world that has this window, before it opens.
async fn world(tenants: usize, window: &str) -> World {
    let world = World::with_tenants(tenants);
    world.edit("fleet.yaml", "spec:\n", &format!("spec:\n  freeze: [{window}]\n"));
    world.commit();
    world.apply().await.assert_converged(2 * tenants);
    assert!(world.clock.now() < opens_at());
    world.mutating_calls();
    world
}

/// A commit that changes every stack `api`.
fn change_api(world: &World) {
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
}

fn none() -> Vec<String> {
    Vec::new()
}

#[tokio::test(start_paused = true)]
async fn a_window_that_opens_in_a_rollout_lets_what_runs_end_and_starts_nothing_new() {
    let world = world(6, WINDOW).await;
    world.edit("fleet.yaml", "limits: {", "limits: { stacksInFlight: 1,");
    world.commit();
    let running = || world.cloud.console().running().expect("the cloud answers");
    world
        .run_until(async {
            world.clock.sleep_until(opens_at() - Duration::from_secs(30)).await;
            change_api(&world);
            world.clock.sleep_until(opens_at()).await;
            let last = running();
            assert_eq!(last.len(), 1, "one update runs");
            world.mutating_calls();
            world.clock.sleep_until(closes_at() - Duration::from_millis(1)).await;
            assert_eq!((world.mutating_calls(), running().len()), (none(), 0));
            let stack = world.cloud.console().stack(&last[0].key).expect("the cloud answers");
            assert_eq!(stack.expect("there").status, Status::UPDATE_COMPLETE, "it ended");
            let verdicts: Vec<_> = (1..=6).map(|tenant| world.verdict(tenant, "api")).collect();
            let frozen = verdicts.iter().filter(|verdict| *verdict == FROZEN).count();
            assert!(frozen >= 4, "{verdicts:#?}");
            world.clock.sleep_until(closes_at() + Duration::from_secs(1)).await;
            assert!(!world.mutating_calls().is_empty(), "it goes on within a second");
            tokio::time::sleep(Duration::from_secs(1_800)).await;
        })
        .await
        .assert_converged(12);
}

#[tokio::test(start_paused = true)]
async fn a_restart_in_a_window_starts_nothing_and_ends_at_once() {
    let world = world(2, WINDOW).await;
    change_api(&world);
    for _ in 0..2 {
        let looked_at = opens_at() + Duration::from_secs(60);
        world.clock.sleep_until(looked_at).await;
        let ended = world.apply().await;
        assert!(world.clock.now() < closes_at(), "nobody waits for the window to close");
        let total = ended.standing.total();
        assert_eq!((total.settled, total.waiting), (2, 2), "{:#?}", ended.standing);
        assert_eq!((world.mutating_calls(), world.verdict(1, "api")), (none(), FROZEN.into()));
        world.lose_journal();
    }
    world.clock.sleep_until(closes_at()).await;
    world.apply().await.assert_converged(4);
}

#[tokio::test(start_paused = true)]
async fn deletions_and_repairs_wait_as_well() {
    let world = world(2, WINDOW).await;
    world.clock.sleep_until(opens_at()).await;
    world.cloud.console().delete_stack(&key(1, "api")).expect("deleted");
    world.write_tenant(2, "  lifecycle: offboarded\n");
    world.commit();
    world
        .run_until(async {
            world.clock.sleep_until(closes_at() - Duration::from_secs(1)).await;
            assert_eq!(world.mutating_calls(), none());
            assert_eq!((world.stacks(1).len(), world.stacks(2).len()), (1, 2));
            tokio::time::sleep(Duration::from_secs(1_800)).await;
            assert_eq!((world.stacks(1).len(), world.stacks(2).len()), (2, 0));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_tenant_whom_the_window_does_not_select_goes_on() {
    let selecting = WINDOW.replace("reason", "selector: { matchLabels: { ring: broad } }, reason");
    let world = World::with_tenants(2);
    world.edit("tenants/t2.yaml", "{ name: t2 }", "{ name: t2, labels: { ring: broad } }");
    world.edit("fleet.yaml", "spec:\n", &format!("spec:\n  freeze: [{selecting}]\n"));
    world.commit();
    world.apply().await.assert_converged(4);
    world.clock.sleep_until(opens_at()).await;
    world.mutating_calls();
    change_api(&world);
    world.apply().await;
    let calls = world.mutating_calls();
    assert!(!calls.is_empty() && calls.iter().all(|call| call.ends_with("001")), "{calls:?}");
    let verdicts = (world.verdict(1, "api"), world.verdict(2, "api"));
    assert_eq!(verdicts, ("in-sync: in sync".to_owned(), FROZEN.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_decided_before_the_window_opened_is_not_made_in_it() {
    let world = world(1, WINDOW).await;
    let calls = Calls { account: None, region: None, api: Some("CreateChangeSet".to_owned()) };
    world.cloud.script().calls(calls, CallFault::Throttled, Some(4));
    world
        .run_until(async {
            world.clock.sleep_until(opens_at() - Duration::from_millis(1_500)).await;
            change_api(&world);
            world.clock.sleep_until(opens_at()).await;
            let tried = world.mutating_calls().len();
            assert!((1..4).contains(&tried), "it is being tried: {tried}");
            world.clock.sleep_until(closes_at() - Duration::from_secs(1)).await;
            assert_eq!(world.mutating_calls(), none());
            assert_eq!(world.verdict(1, "api"), FROZEN);
            tokio::time::sleep(Duration::from_secs(1_800)).await;
        })
        .await
        .assert_converged(2);
}

#[tokio::test(start_paused = true)]
async fn a_live_plan_shows_what_the_window_holds() {
    let world = world(2, WINDOW).await;
    world.write_tenant(2, "  lifecycle: offboarded\n");
    world.commit();
    let snapshot = world.settings().0.source.read().expect("a snapshot");
    let desired = driftless::controller::checked(&snapshot).desired.expect("no errors");
    let place = |tenant: usize, stacks: &[&str]| {
        let seen = stacks.iter().filter_map(|name| world.record(tenant, name).seen);
        let stacks = seen.map(|seen| (seen.key.name.clone(), seen)).collect();
        let target = key(tenant, "x").target;
        let look = Look { target: target.clone(), at: opens_at(), stacks };
        let (memories, insights) = (BTreeMap::new(), BTreeMap::new());
        (
            target,
            Ok(Sighted {
                look,
                memories,
                insights,
                drifts: BTreeMap::new(),
                another_controller: None,
            }),
        )
    };
    let preview = preview_live(&LiveScene {
        desired: &desired,
        steering: &Steering::default(),
        places: &BTreeMap::from([place(1, &[]), place(2, &["network"])]),
        book: &DeletionBook::default(),
        keyed_hash: &|text| Digest::of(text.as_bytes()),
        now: opens_at(),
    });
    let frozen = FROZEN.trim_start_matches("frozen: ");
    let held = preview.groups.iter().filter(|group| group.notes == [frozen]);
    let held: Vec<_> = held.map(|group| (group.kind, group.service.clone())).collect();
    let network = "network".parse().ok();
    assert_eq!(held, [(Kind::Delete, network.clone()), (Kind::Create, network)]);
}
