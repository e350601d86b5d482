//! What goes wrong inside a nested stack is named, mended and left alone as if it were in the stack
//! itself.

use std::time::Duration;

use driftless::board::Progress;
use driftless::outcome::StepKind;
use driftless::sim::{Phase, ResourceFault, StackView, Status};

use crate::world::{Ended, World, key};

const SERVICE: &str = "apiVersion: driftless.dev/v1
kind: Service
metadata: { name: shop }
spec:
  template: shop.yaml
  parameters: { Word: one }
";

/// A nested stack, and a queue that uses it.
const SHOP: &str = "Parameters:
  Word: { Type: String }
Resources:
  Child:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: https://templates.s3.eu-central-1.amazonaws.com/child.yaml
      Parameters: { Word: !Ref Word }
  Last:
    Type: AWS::SSM::Parameter
    Properties: { Type: String, Value: !Sub \"${Word} ${Child.Outputs.Name}\" }
";

const CHILD: &str = "Parameters:
  Word: { Type: String }
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties: { Tags: [{ Key: word, Value: !Ref Word }] }
  Note: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref Word } }
Outputs:
  Name: { Value: !Ref Note }
";

fn world() -> World {
    let world = World::with_tenants(1);
    world.write("shop/service.yaml", SERVICE);
    world.write("shop/shop.yaml", SHOP);
    put(&world, CHILD);
    world.commit();
    world
}

fn put(world: &World, child: &str) {
    let console = world.cloud.console();
    console.put_object("templates", "child.yaml", child.as_bytes()).expect("the cloud takes it");
}

fn breaks(world: &World, logical_id: &str, phase: Phase, text: &str, times: Option<u32>) {
    world.cloud.script().resource(ResourceFault {
        account: None,
        region: None,
        stack: None,
        logical_id: logical_id.to_owned(),
        phase,
        text: text.to_owned(),
        times,
    });
}

fn child(world: &World) -> StackView {
    let target = key(1, "x").target;
    let stacks = world.cloud.console().stacks(target.account, &target.region).expect("the cloud");
    stacks.into_iter().find(|stack| stack.parent.is_some()).expect("a nested stack")
}

/// Approves whatever waits for a person: what an update does inside a nested stack nobody sees.
fn approve_all(world: &World) {
    let (journal, now) = (world.journal(), world.clock.now());
    for (request, _) in journal.requests().expect("requests") {
        let until = now + Duration::from_secs(3_600);
        journal.approve(&request.id, "ann", "looked at it", now, until).expect("approved");
    }
}

/// A world in which an update of the nested stack fails and cannot be taken back.
async fn stuck(fails_first: &str, cannot_go_back: &str) -> (World, Ended) {
    let world = world();
    world.apply().await.assert_converged(3);
    breaks(&world, fails_first, Phase::Change, "value not allowed", None);
    breaks(&world, cannot_go_back, Phase::Rollback, "it is locked", None);
    world.edit("shop/service.yaml", "Word: one", "Word: two");
    world.commit();
    world.apply().await;
    assert!(
        world.verdict(1, "shop").contains("change inside Child"),
        "{}",
        world.verdict(1, "shop")
    );
    approve_all(&world);
    let ended = world.apply().await;
    (world, ended)
}

fn status(world: &World) -> Status {
    world.stack(1, "shop").expect("it stands").status
}

fn skipped(ended: &Ended) -> Vec<Vec<String>> {
    let skip = |news: &Progress| match news {
        Progress::Step { step, .. } => match &step.kind {
            StepKind::ContinueRollback { skip } => Some(skip.keys().cloned().collect()),
            _ => None,
        },
        _ => None,
    };
    ended.news.iter().filter_map(skip).collect()
}

/// What the last delete of a stack left behind on purpose.
fn retained(ended: &Ended) -> Vec<String> {
    let retain = |news: &Progress| match news {
        Progress::Step { step, .. } => match &step.kind {
            StepKind::Delete { retain } => Some(retain.clone()),
            _ => None,
        },
        _ => None,
    };
    ended.news.iter().filter_map(retain).next_back().expect("a delete")
}

#[tokio::test(start_paused = true)]
async fn a_fleet_with_nested_stacks_converges_and_rests() {
    let world = world();
    world.apply().await.assert_converged(3);
    assert_eq!(child(&world).parameters["Word"], "one");
    world.mutating_calls();
    world.apply().await.assert_converged(3);
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn the_cause_of_a_failure_is_what_failed_first_inside() {
    let world = world();
    breaks(&world, "Note", Phase::Change, "value not allowed", None);
    world.apply().await;
    let cause =
        "failed: failed: Child/Note (AWS::SSM::Parameter): CREATE_FAILED: value not allowed";
    assert_eq!(world.verdict(1, "shop"), cause);
    world.mutating_calls();
    world.apply().await;
    assert_eq!(world.mutating_calls(), Vec::<String>::new(), "not tried again in vain");
}

#[tokio::test(start_paused = true)]
async fn what_aws_broke_inside_heals_by_itself() {
    let world = world();
    breaks(&world, "Jobs", Phase::Change, "Internal Failure", Some(1));
    world.apply().await.assert_converged(3);
}

#[tokio::test(start_paused = true)]
async fn a_nested_stack_whose_template_is_missing_is_named_itself() {
    let world = world();
    world.edit("shop/shop.yaml", "child.yaml", "none.yaml");
    world.commit();
    world.apply().await;
    let verdict = world.verdict(1, "shop");
    let cause = "failed: failed: Child (AWS::CloudFormation::Stack): CREATE_FAILED: S3 error: The \
                 specified key does not exist.";
    assert!(verdict.starts_with(cause), "{verdict}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_rolled_back_inside_is_skipped_by_the_name_of_its_stack() {
    let (world, ended) = stuck("Last", "Note").await;
    let name = format!("{}.Note", child(&world).name);
    assert_eq!(skipped(&ended), [vec![], vec![name.clone()]]);
    assert_eq!(status(&world), Status::UPDATE_ROLLBACK_COMPLETE);
    assert_eq!(child(&world).status, Status::UPDATE_ROLLBACK_COMPLETE);
    let debts = world.record(1, "shop").memory.debts;
    assert_eq!(debts.into_keys().collect::<Vec<_>>(), [name]);
    assert!(world.verdict(1, "shop").contains("Last (AWS::SSM::Parameter)"), "the cause is git's");
}

#[tokio::test(start_paused = true)]
async fn what_is_protected_inside_is_never_skipped() {
    let (world, ended) = stuck("Last", "Jobs").await;
    assert_eq!(skipped(&ended), [Vec::<String>::new()]);
    assert_eq!(status(&world), Status::UPDATE_ROLLBACK_FAILED);
    let verdict = world.record(1, "shop").verdict;
    let cause = "Child/Jobs (AWS::SQS::Queue): UPDATE_FAILED: it is locked";
    assert_eq!(verdict.text, format!("UPDATE_ROLLBACK_FAILED needs a person: {cause}"));
    let skip = format!(" --resources-to-skip {}.Jobs --region eu-central-1", child(&world).name);
    assert!(verdict.help.expect("help").ends_with(&skip));
}

#[tokio::test(start_paused = true)]
async fn a_nested_stack_that_somebody_deleted_is_left_to_a_person() {
    let (world, _) = stuck("Last", "Jobs").await;
    let gone = driftless::ids::StackKey { name: child(&world).name, ..key(1, "x") };
    world.cloud.script().clear();
    world.cloud.console().delete_stack(&gone).expect("deleted");
    world.clock.sleep(Duration::from_secs(3_600)).await;
    let ended = world.apply().await;
    assert_eq!(skipped(&ended).concat(), Vec::<String>::new());
    let verdict = world.verdict(1, "shop");
    assert!(verdict.starts_with("needs-person: UPDATE_ROLLBACK_FAILED"), "{verdict}");
    assert!(verdict.contains("Child (AWS::CloudFormation::Stack)"), "{verdict}");
}

/// Deletes the stack while one resource cannot go, and returns what is retained.
async fn deleted(child: &str, cannot_go: &str) -> (World, Vec<String>) {
    let world = world();
    put(&world, child);
    world.apply().await.assert_converged(3);
    breaks(&world, cannot_go, Phase::Delete, "it is in use", None);
    world.write_tenant(1, "  services: { shop: { absent: true } }\n");
    world.commit();
    let ended = world.apply().await;
    assert!(world.stack(1, "shop").is_none(), "{:?}", world.stacks(1));
    (world, retained(&ended))
}

#[tokio::test(start_paused = true)]
async fn a_nested_stack_that_keeps_data_outlives_the_stack_above_it() {
    let (world, retained) = deleted(CHILD, "Last").await;
    assert_eq!(retained, ["Child", "Last"], "a queue is in it");
    assert_eq!(child(&world).status, Status::CREATE_COMPLETE);
}

#[tokio::test(start_paused = true)]
async fn a_nested_stack_that_keeps_no_data_goes_with_the_stack_above_it() {
    let bare = CHILD.replace("AWS::SQS::Queue", "AWS::SNS::Topic");
    let (world, retained) = deleted(&bare, "Last").await;
    assert_eq!(retained, ["Last"]);
    assert_eq!(world.stacks(1).len(), 2, "{:?}", world.stacks(1));
}

#[tokio::test(start_paused = true)]
async fn a_nested_stack_that_cannot_be_deleted_is_left_behind_as_a_whole() {
    let (world, retained) = deleted(CHILD, "Note").await;
    assert_eq!(retained, ["Child"]);
    assert_eq!(child(&world).status, Status::DELETE_FAILED);
}
