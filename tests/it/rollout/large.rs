//! A release for 2,000 tenants on a day on which AWS fails a few of them, as it does on every day.

use driftless::journal::Filter;
use driftless::plan::Weight;
use driftless::rollout::ChangeKind;
use driftless::sim::{Cloud, CloudSettings, Weather};

use super::{MINUTE, failing, happened, run};
use crate::world::{FLEET, World, key};

const TENANTS: usize = 2_000;
/// Of two accounts AWS never takes the change.
const LOST: [usize; 2] = [417, 1_571];

const SERVICE: &str = "apiVersion: driftless.dev/v1
kind: Service
metadata: { name: api }
spec:
  template: api.yaml
  parameters: { Size: \"1\" }
  rollout:
    waves:
      - { name: canary, percent: 1, soak: 10m }
      - { name: tenth, percent: 10, soak: 10m }
      - { name: all, failures: { percent: 1 } }
";

const TEMPLATE: &str = "Parameters: { Size: { Type: String } }
Resources:
  Setting: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref Size } }
";

/// One small service, so that what is simulated is the rollout and not the resources. Nothing is
/// deployed yet: the first release goes through the waves as every other does, and that it creates
/// takes half the time of updates that need a fleet first.
fn world() -> World {
    let mut world = World::with_tenants(TENANTS);
    let settings = CloudSettings { spread: 1.0, ..CloudSettings::default() };
    world.cloud = Cloud::in_memory(settings, world.clock.clone());
    world.remove("network/service.yaml");
    world.remove("network/network.yaml");
    world.write("api/service.yaml", SERVICE);
    world.write("api/api.yaml", TEMPLATE);
    // Looks at what is in sync are no part of a rollout.
    world.write("fleet.yaml", &FLEET.replace("spec:\n", "spec:\n  resync: 6h\n"));
    world.commit();
    world
}

/// AWS fails three of a thousand operations, and two accounts for good.
fn bad_day(world: &World) {
    let script = world.cloud.script();
    script.weather(Weather { seed: 1, failing: 0.003, ..Weather::default() });
    for tenant in LOST {
        script.resource(failing(Some(tenant), "Rate exceeded for this account"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_for_2000_tenants_completes_without_a_person_and_names_the_two_that_are_lost() {
    let world = world();
    bad_day(&world);
    let ended = run(&world, 60 * MINUTE).await;
    let kinds: Vec<ChangeKind> = happened(&ended).into_iter().map(|(kind, _)| kind).collect();
    let waves = [0, 1, 2].map(ChangeKind::Opened);
    assert_eq!(kinds, [&[ChangeKind::Began], &waves[..], &[ChangeKind::Completed]].concat());

    let total = ended.standing.total();
    let stands = (total.settled, total.waiting, total.stuck, ended.standing.blind);
    assert_eq!(stands, (TENANTS - LOST.len(), LOST.len(), 0, 0));
    let mut troubled = Vec::new();
    let every = world.journal().for_each_stack(&Filter::default(), |row| {
        if row.verdict.weight != Weight::Settled || row.memory.failure.is_some() {
            troubled.push(row.key);
        }
    });
    every.expect("read");
    assert_eq!(troubled, LOST.map(|tenant| key(tenant, "api")), "what healed is not red");
    let failed = world.cloud.script().met()["resource failed"];
    let count = |tenant| world.record(tenant, "api").memory.failure.map_or(0, |one| one.count);
    let healed = failed - LOST.map(count).into_iter().map(u64::from).sum::<u64>();
    assert!(healed >= 3, "AWS failed others too: {healed} of {failed}");

    let status = world.driftless(&["status"]);
    let cause = "Setting (AWS::SSM::Parameter): CREATE_FAILED: Rate exceeded for this account";
    let named = LOST.map(|tenant| key(tenant, "api").to_string()).join(", ");
    assert!(
        status.contains("2,000 stacks in 2,000 tenants: 1,998 in sync, 2 waiting\n"),
        "{status}"
    );
    assert!(status.contains(&format!("  2 stacks: tried again at …: {cause}\n")), "{status}");
    assert!(status.contains(&format!(": {named}\n")), "{status}");
}
