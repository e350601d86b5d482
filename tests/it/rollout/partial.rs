//! Releases that fail only in one region, or only for one label: what stops them, and what people are
//! told of where they fail.

use driftless::rollout::ChangeKind;
use driftless::sim::ResourceFault;

use super::{MINUTE, failing, happened, run, world};
use crate::world::{Ended, World, key};

/// Both canaries first, then all that are left.
const WAVES: &str = "  rollout:
    waves:
      - { name: canary, selector: { matchLabels: { ring: canary } } }
      - { name: all, failures: { count: 2 } }
";

const CAUSE: &str = "Setting (AWS::SSM::Parameter): UPDATE_FAILED: value not allowed";

/// Twelve tenants with both services in two regions.
async fn in_two_regions(waves: &str) -> World {
    let world = world(12, waves);
    for tenant in 1..=12 {
        let path = format!("tenants/t{tenant}.yaml");
        world.edit(&path, "[eu-central-1]", "[eu-central-1, us-east-1]");
    }
    world.commit();
    world.apply().await.assert_converged(48);
    world.cloud.clear_calls();
    world
}

/// The texts of the halts while a release that fails there had an hour to go out.
async fn halts_of(world: &World, faults: impl IntoIterator<Item = ResourceFault>) -> Vec<String> {
    faults.into_iter().for_each(|fault| world.cloud.script().resource(fault));
    super::resize(world, "1", "2");
    let ended: Ended = run(world, 60 * MINUTE).await;
    let halts = happened(&ended).into_iter().filter(|(kind, _)| *kind == ChangeKind::Halted);
    halts.map(|(_, text)| text).collect()
}

fn everywhere_in_virginia() -> ResourceFault {
    let region = Some("us-east-1".parse().expect("a region"));
    ResourceFault { region, ..failing(None, "value not allowed") }
}

/// How many stacks of the service have the new size, in each region.
fn taken(world: &World) -> [usize; 2] {
    ["eu-central-1", "us-east-1"].map(|region| {
        let has = |tenant: &usize| {
            let mut key = key(*tenant, "api");
            key.target.region = region.parse().expect("a region");
            let stack = world.cloud.console().stack(&key).expect("the cloud answers");
            stack.expect("it stands").parameters["Size"] == "2"
        };
        (1..=12).filter(has).count()
    })
}

/// `rollout show` and `status` both tell this.
fn assert_told(world: &World, why: &str) {
    for arguments in [&["rollout", "show", "api"][..], &["status"]] {
        let told = world.driftless(arguments);
        assert!(told.contains(&format!(": {why}\n")), "{why}\n{arguments:?}\n{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_that_fails_in_one_region_stops_at_its_canaries_and_names_the_region() {
    let world = in_two_regions(WAVES).await;
    let halts = halts_of(&world, [everywhere_in_virginia()]).await;
    assert_eq!(taken(&world), [2, 0], "nobody but the canaries");
    let why = format!("2 of 4 failed in wave canary, all in us-east-1: {CAUSE}");
    assert_eq!(halts.last(), Some(&why), "{halts:#?}");
    assert_told(&world, &why);
    let shown = world.driftless(&["rollout", "show", "api"]);
    assert!(shown.contains("\n  canary  2 of 4 stacks well, 2 failed; began "), "{shown}");
    assert!(shown.contains("\n  all     0 of 20 stacks well; not begun\n"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_release_that_goes_out_at_once_and_fails_in_one_region_names_it_too() {
    let world = in_two_regions("").await;
    let halts = halts_of(&world, [everywhere_in_virginia()]).await;
    assert_eq!(taken(&world), [12, 0]);
    let why = format!("12 of 24 failed in wave all, all in us-east-1: {CAUSE}");
    assert_eq!(halts, [why.as_str()]);
    assert_told(&world, &why);
}

#[tokio::test(start_paused = true)]
async fn a_release_that_fails_for_one_label_value_halts_and_names_the_label() {
    let world = in_two_regions(WAVES).await;
    let free = [3, 4].map(|tenant| failing(Some(tenant), "value not allowed"));
    let halts = halts_of(&world, free).await;
    let last = halts.last().expect("it halts");
    assert!(
        last.ends_with(&format!(" of 20 failed in wave all, all with tier=free: {CAUSE}")),
        "{last}"
    );
    assert_told(&world, last);
}

#[tokio::test(start_paused = true)]
async fn where_a_release_fails_here_and_there_no_place_is_named() {
    let world = in_two_regions(WAVES).await;
    let some = [3, 5, 8].map(|tenant| failing(Some(tenant), "value not allowed"));
    let halts = halts_of(&world, some).await;
    let last = halts.last().expect("it halts");
    assert!(last.ends_with(&format!(" failed in wave all: {CAUSE}")), "{halts:#?}");
    assert_told(&world, last);
}
