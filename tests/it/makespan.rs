//! A rollout takes as long as its slowest stack, and a place that is free is taken at once.

mod measured;
mod stack_sets;

use std::time::Duration;

use driftless::moment::Moment;
use driftless::sim::{Cloud, CloudSettings};

use crate::makespan::measured::{Measured, operations};
use crate::makespan::stack_sets::{Preferences, makespan};
use crate::world::{FLEET, World, key};

const STACKS: usize = 300;
/// A release takes StackSets twenty rounds over 2,000 stacks at 100 at once, and over these at 15.
const STACK_SETS: Preferences =
    Preferences { max_concurrent: 15, failure_tolerance: 14, is_strict: true };
/// Before an update begins its change set is made, and looked at after five seconds.
const PREPARING: Duration = Duration::from_secs(10);
/// Targets where few operations may run.
const LIMITED: usize = 60;

const SCAN: &str = "apiVersion: driftless.dev/v1
kind: Service
metadata: { name: scan }
spec:
  template: scan.yaml
  tags: { release: r1 }
";

/// A queue after another one: an update of both takes about a minute.
const SCAN_TEMPLATE: &str = "Resources:
  Dead: { Type: AWS::SQS::Queue, Properties: { QueueName: dead } }
  Jobs:
    Type: AWS::SQS::Queue
    DependsOn: Dead
    Properties: { QueueName: jobs }
  Rule:
    Type: AWS::Events::Rule
    DependsOn: Jobs
    Properties: { ScheduleExpression: rate(1 day) }
";

/// Tenants with the service `scan`, whose operations take up to twice as long as others of them.
fn world(tenants: usize) -> World {
    let mut world = World::with_tenants(tenants);
    let settings = CloudSettings { spread: 1.0, ..CloudSettings::default() };
    world.cloud = Cloud::in_memory(settings, world.clock.clone());
    for path in ["network/service.yaml", "network/network.yaml", "api/service.yaml", "api/api.yaml"]
    {
        world.remove(path);
    }
    world.write("scan/service.yaml", SCAN);
    world.write("scan/scan.yaml", SCAN_TEMPLATE);
    world.commit();
    world
}

fn measured(world: &World, tenants: usize) -> Vec<Measured> {
    operations(&world.cloud, (1..=tenants).map(|tenant| key(tenant, "scan")))
}

/// Converges, and says how long that took.
async fn apply(world: &World, stacks: usize) -> Duration {
    world.cloud.clear_calls();
    let began_at = world.clock.now();
    world.apply().await.assert_converged(stacks);
    world.clock.now().since(began_at)
}

#[tokio::test(start_paused = true)]
async fn a_rollout_over_300_stacks_takes_hardly_longer_than_the_slowest_of_them() {
    let world = world(STACKS);
    apply(&world, STACKS).await;
    for (number, (from, to)) in [("r1", "r2"), ("r2", "r3")].into_iter().enumerate() {
        world.edit("scan/service.yaml", from, to);
        world.commit();
        let took = apply(&world, STACKS).await;
        let measured = measured(&world, STACKS);
        let lengths: Vec<Duration> = measured.iter().map(Measured::length).collect();
        let slowest = lengths.iter().max().copied().unwrap_or_default();
        assert!(took <= slowest * 11 / 10 + PREPARING, "{took:?} {slowest:?}");
        let timely = measured.iter().filter(|one| one.is_in_time()).count();
        assert!(timely * 100 >= STACKS * 99, "{timely} of {STACKS}");
        let most = measured.iter().map(|one| one.looks).max().unwrap_or_default();
        // The lengths of creates, which the journal knows by now, say nothing of those of updates.
        let is_learned = number > 0;
        assert!(most <= if is_learned { 12 } else { 24 }, "{most} looks in {from} to {to}");
        let theirs = makespan(&[lengths], STACK_SETS);
        assert!(theirs >= took * 10, "{took:?}, and StackSets {theirs:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_stack_starts_the_moment_that_a_place_of_the_fleet_is_free() {
    let world = world(LIMITED);
    world.write("fleet.yaml", &FLEET.replace("limits: {", "limits: { stacksInFlight: 6,"));
    world.commit();
    the_next_starts_at_once(&world).await;
}

#[tokio::test(start_paused = true)]
async fn the_next_stack_starts_the_moment_that_a_place_of_its_wave_is_free() {
    let world = world(LIMITED);
    let waves = "spec:\n  rollout: { waves: [{ name: all, maxInFlight: 6 }] }\n";
    world.write("scan/service.yaml", &SCAN.replace("spec:\n", waves));
    world.commit();
    the_next_starts_at_once(&world).await;
}

async fn the_next_starts_at_once(world: &World) {
    let took = apply(world, LIMITED).await;
    let measured = measured(world, LIMITED);
    assert_eq!(at_once(&measured), 6, "the limit, all the time");
    let lengths: Vec<Duration> = measured.iter().map(Measured::length).collect();
    let ideal = makespan(&[lengths], Preferences { max_concurrent: 6, ..STACK_SETS });
    // Ends are noticed some seconds late, and once more all are looked at when all were seen.
    assert!(took <= ideal * 107 / 100, "{took:?} {ideal:?}");
    let looks = world.cloud.calls().iter().filter(|call| call.api == "DescribeStacks").count();
    assert!(looks <= LIMITED * 20, "{looks} looks at {LIMITED} targets, most of which waited");
}

#[tokio::test(start_paused = true)]
async fn the_pass_that_sees_a_place_of_its_target_free_takes_it() {
    let world = world(1);
    world.write("fleet.yaml", &FLEET.replace("limits: {", "limits: { perTarget: 1,"));
    world.write("scan/more.yaml", &SCAN.replace("name: scan ", "name: more "));
    world.edit("scan/scan.yaml", "{ QueueName: dead }", "{}");
    world.edit("scan/scan.yaml", "{ QueueName: jobs }", "{}");
    world.commit();
    apply(&world, 2).await;
    let [first, second] =
        operations(&world.cloud, ["more", "scan"].map(|name| key(1, name)).into_iter())[..]
    else {
        panic!("two operations");
    };
    let noticed_at = first.ended + first.late;
    assert!(second.began >= first.ended, "one at once");
    assert!(second.began.since(noticed_at) < Duration::from_secs(1), "{first:?} {second:?}");
}

/// The most that ran at once.
fn at_once(operations: &[Measured]) -> usize {
    let runs =
        |at: Moment| operations.iter().filter(|one| one.began <= at && at < one.ended).count();
    operations.iter().map(|one| runs(one.began)).max().unwrap_or_default()
}
