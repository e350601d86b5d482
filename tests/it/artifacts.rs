//! What templates point to is in the bucket of its region before the first stack that needs it starts.

mod buckets;

use std::collections::BTreeSet;

use driftless::ids::Region;
use driftless::sim::BucketAccess;

use crate::world::{FLEET, World, key};

const BUCKET: &str = "  artifacts: { bucket: \"test-${region}\" }\n";
const HOME: &str = "test-eu-central-1";
const CLOSED: BucketAccess = BucketAccess { readable: true, writable: false };

const SCAN: &str = "apiVersion: driftless.dev/v1
kind: Service
metadata: { name: scan }
spec:
  template: scan.yaml
  capabilities: [CAPABILITY_IAM]
";

const SCAN_TEMPLATE: &str = "Resources:
  Jobs:
    Type: AWS::CloudFormation::Stack
    Properties: { TemplateURL: jobs.yaml }
  Function:
    Type: AWS::Lambda::Function
    Properties: { Runtime: python3.13, Handler: scan.main, Role: 'arn:aws:iam::100000000001:role/scan', Code: code }
";

const ONLY_CODE: &str = "Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties: { Runtime: python3.13, Handler: scan.main, Role: 'arn:aws:iam::100000000001:role/scan', Code: code }
";

const JOBS_TEMPLATE: &str = "Resources:
  Queue: { Type: AWS::SQS::Queue }
";

/// Tenants with one service more, which has code and a nested stack; its bucket is there.
fn world(tenants: usize) -> World {
    let world = World::with_tenants(tenants);
    world.write("fleet.yaml", &format!("{FLEET}{BUCKET}"));
    world.write("scan/service.yaml", SCAN);
    world.write("scan/scan.yaml", SCAN_TEMPLATE);
    world.write("scan/jobs.yaml", JOBS_TEMPLATE);
    world.write("scan/code/scan.py", "def main(event, context): return 1\n");
    world.commit();
    world.cloud.console().make_bucket(HOME, &region("eu-central-1")).expect("a bucket");
    world
}

fn region(name: &str) -> Region {
    name.parse().expect("a region")
}

/// How many calls there were of an API.
fn calls(world: &World, api: &str) -> usize {
    world.cloud.calls().iter().filter(|call| call.api == api).count()
}

fn objects(world: &World, bucket: &str) -> usize {
    world.cloud.console().keys(bucket).expect("a bucket").len()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_before_all_that_it_points_to_is_there() {
    let world = world(2);
    world.apply().await.assert_converged(6);
    assert_eq!(objects(&world, HOME), 2, "the code and the nested template");
    let calls = world.cloud.calls();
    let last_put = calls.iter().rposition(|call| call.api == "PutObject").expect("uploads");
    // Network needs nothing, and api waits for network.
    let scans = calls.iter().enumerate().filter(|(_, call)| call.api == "CreateStack").skip(2);
    assert!(scans.map(|(at, _)| at).all(|at| at > last_put), "{calls:#?}");
}

#[tokio::test(start_paused = true)]
async fn it_is_uploaded_once_for_all_tenants_of_a_region_and_never_again() {
    let world = world(9);
    world.apply().await.assert_converged(27);
    assert_eq!(calls(&world, "PutObject"), 2);
    world.cloud.clear_calls();
    world.apply().await.assert_converged(27);
    assert_eq!(calls(&world, "PutObject"), 0, "all of it is there");
    assert_eq!(calls(&world, "HeadObject"), 2, "a new process asks once");
    world.write_tenant(10, "");
    world.commit();
    world.apply().await.assert_converged(30);
    assert_eq!(calls(&world, "PutObject"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_code_is_uploaded_and_updates_the_stack() {
    let world = world(1);
    world.write("scan/scan.yaml", ONLY_CODE);
    world.commit();
    world.apply().await.assert_converged(3);
    world.write("scan/code/scan.py", "def main(event, context): return 2\n");
    world.commit();
    world.cloud.clear_calls();
    world.apply().await.assert_converged(3);
    assert_eq!(calls(&world, "PutObject"), 1);
    assert_eq!(calls(&world, "ExecuteChangeSet"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_template_that_is_too_large_for_a_call_goes_through_the_bucket() {
    let world = world(2);
    let large = format!("{JOBS_TEMPLATE}# {}\n", "x".repeat(60_000));
    world.write("scan/scan.yaml", &large);
    world.commit();
    world.apply().await.assert_converged(6);
    assert_eq!(objects(&world, HOME), 1);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_joins_in_another_region_gets_its_own_copy() {
    let world = world(1);
    world.apply().await.assert_converged(3);
    let us = region("us-east-1");
    world.cloud.console().make_bucket("test-us-east-1", &us).expect("a bucket");
    world.write_tenant(2, "");
    world.edit("tenants/t2.yaml", "eu-central-1", "us-east-1");
    world.commit();
    world.apply().await.assert_converged(6);
    let keys = |bucket: &str| world.cloud.console().keys(bucket).expect("a bucket");
    assert_eq!(keys("test-us-east-1"), keys(HOME));
}

#[tokio::test(start_paused = true)]
async fn another_name_of_the_bucket_is_no_release_and_is_filled_before_it_is_needed() {
    let world = world(2);
    world.apply().await.assert_converged(6);
    let before = world.record(1, "scan").memory.release;
    world.edit("fleet.yaml", "test-${region}", "other-${region}");
    world.commit();
    world.cloud.console().make_bucket("other-eu-central-1", &region("eu-central-1")).expect("made");
    world.mutating_calls();
    world.apply().await.assert_converged(6);
    assert_eq!(world.record(1, "scan").memory.release, before);
    let changed: BTreeSet<String> = world.mutating_calls().into_iter().collect();
    assert!(changed.iter().all(|call| call.starts_with("PutObject ")), "{changed:?}");
    assert_eq!(objects(&world, "other-eu-central-1"), 2);
}

/// A first release that is everywhere, a second one that waits after its first wave, and a tenant that
/// joins in a region where there was nobody: it gets the first one.
async fn joined_late(before_it_joins: impl FnOnce(&World)) -> World {
    let world = world(1);
    world.write("scan/scan.yaml", ONLY_CODE);
    world.edit("tenants/t1.yaml", "name: t1 }", "name: t1, labels: { ring: canary } }");
    world.commit();
    world.apply().await.assert_converged(3);
    let waves = "  rollout:\n    waves:\n      - { name: first, selector: { matchLabels: { ring: canary } } }\n      \
                 - { name: all }\n    approval: [all]\n";
    world.write("scan/service.yaml", &format!("{SCAN}{waves}"));
    world.write("scan/code/scan.py", "def main(event, context): return 2\n");
    world.commit();
    world.apply().await;
    before_it_joins(&world);
    world.cloud.console().make_bucket("test-us-east-1", &region("us-east-1")).expect("a bucket");
    world.write_tenant(2, "");
    world.edit("tenants/t2.yaml", "eu-central-1", "us-east-1");
    world.commit();
    world.apply().await;
    world
}

fn at_the_late_one(world: &World) -> driftless::plan::StackRecord {
    let mut key = key(2, "scan");
    key.target.region = region("us-east-1");
    world.journal().stack(&key).expect("the journal answers").expect("a row")
}

#[tokio::test(start_paused = true)]
async fn an_earlier_release_is_uploaded_where_it_is_needed() {
    let world = joined_late(|_| {}).await;
    let record = at_the_late_one(&world);
    assert!(record.seen.is_some(), "{:?}", record.verdict);
    assert_eq!(objects(&world, "test-us-east-1"), 2, "the newest and the last good release");
}

#[tokio::test(start_paused = true)]
async fn an_earlier_release_that_git_has_lost_holds_what_needs_it_and_nothing_else() {
    let world = joined_late(|world| {
        // As if history had been rewritten and cleaned up.
        let code = b"def main(event, context): return 1\n";
        let id = git2::Oid::hash_object(git2::ObjectType::Blob, code).expect("an id").to_string();
        let object = world.repository().join(".git/objects").join(&id[..2]).join(&id[2..]);
        std::fs::remove_file(object).expect("a loose object");
    })
    .await;
    let record = at_the_late_one(&world);
    let text = &record.verdict.text;
    assert!(text.starts_with("its artifacts are not there: "), "{text}");
    assert!(text.contains("no longer has `scan/code/scan.py`"), "{text}");
    assert_eq!(record.seen, None);
    assert_eq!(objects(&world, "test-us-east-1"), 1, "the newest release");
}
