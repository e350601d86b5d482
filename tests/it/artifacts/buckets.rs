//! Buckets that are missing, closed or elsewhere: what needs them is held, says why, and goes on by itself.

use std::time::Duration;

use driftless::board::{Progress, Stocked};

use crate::artifacts::{CLOSED, HOME, calls, objects, region, world};
use crate::world::World;

fn failures(news: &[Progress]) -> Vec<String> {
    let said = news.iter().filter_map(|news| match news {
        Progress::Artifacts(Stocked::Failed { why }) => Some(why.clone()),
        _ => None,
    });
    said.collect()
}

async fn held(world: &World) -> (String, Vec<String>) {
    let ended = world.apply().await;
    let total = ended.standing.total();
    assert_eq!((total.settled, total.waiting, total.stuck), (4, 0, 2), "{:#?}", ended.standing);
    assert!(calls(world, "PutObject") <= 1, "one content shows it");
    let made = calls(world, "CreateStack");
    assert_eq!(made, 4, "network and api of both tenants");
    (world.verdict(1, "scan"), failures(&ended.news))
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_missing_holds_what_needs_it() {
    let world = world(2);
    world.edit("fleet.yaml", "test-${region}", "gone-${region}");
    world.commit();
    let (verdict, said) = held(&world).await;
    assert_eq!(
        verdict,
        "artifacts: its artifacts are not there: there is no bucket `gone-eu-central-1`: make it in \
         eu-central-1, or correct `artifacts.bucket` of the Fleet"
    );
    assert_eq!(said.len(), 1, "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn a_bucket_of_another_region_holds_what_needs_it() {
    let world = world(2);
    world.edit("fleet.yaml", "test-${region}", "far-${region}");
    world.commit();
    let us = region("us-east-1");
    world.cloud.console().make_bucket("far-eu-central-1", &us).expect("a bucket");
    let (verdict, said) = held(&world).await;
    assert!(verdict.contains("the bucket `far-eu-central-1` is in us-east-1"), "{verdict}");
    assert_eq!(said.len(), 1, "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_closed_holds_its_service_until_it_is_open_and_then_it_goes_on_by_itself()
{
    let world = world(2);
    let console = world.cloud.console();
    console.restrict_bucket(HOME, CLOSED).expect("restricted");
    let clock = world.clock.clone();
    let ended = world
        .run_until(async {
            clock.sleep(Duration::from_secs(20 * 60)).await;
            let verdict = world.verdict(1, "scan");
            assert!(verdict.contains("denies s3:PutObject"), "{verdict}");
            assert_eq!(world.stacks(1), ["api CREATE_COMPLETE", "network CREATE_COMPLETE"]);
            assert_eq!(objects(&world, HOME), 0);
            assert!(calls(&world, "PutObject") < 10, "it is tried now and then");
            console.restrict_bucket(HOME, Default::default()).expect("opened");
            clock.sleep(Duration::from_secs(10 * 60)).await;
        })
        .await;
    ended.assert_converged(6);
    assert_eq!(failures(&ended.news).len(), 1, "it was said once");
    assert_eq!(objects(&world, HOME), 2);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_was_broken_off_goes_on_at_the_next_start() {
    let world = world(1);
    for stop_after in 0..40 {
        let calls_until_stop = std::future::poll_fn(|_| {
            let seen = world.cloud.calls().len();
            if seen >= stop_after { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        });
        world.run_until(calls_until_stop).await;
    }
    world.apply().await.assert_converged(3);
    assert_eq!(objects(&world, HOME), 2);
}
