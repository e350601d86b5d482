//! How long operations take: what was measured at AWS comes out here.

use std::collections::BTreeSet;

use aws_sdk_cloudformation::types::{DeploymentConfig, DeploymentConfigMode};

use crate::sim::CloudSettings;
use crate::sim::Phase;
use crate::sim::tests::{World, fault, key, world, world_with};

const QUEUES: &str = r#"
Resources:
  Dead: { Type: AWS::SQS::Queue }
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5 }
"#;

/// Seconds until a stack that was just created rests.
async fn seconds(world: &World, name: &str) -> u64 {
    let before = world.clock.now();
    assert_eq!(world.statuses(name).await, ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]);
    world.clock.now().since(before).as_secs()
}

#[tokio::test(start_paused = true)]
async fn a_queue_with_its_dead_letter_queue_takes_the_time_that_was_measured() {
    let world = world().await;
    world.create("standard", QUEUES).await;
    assert_eq!(seconds(&world, "standard").await, 63, "64 at AWS");
    let express = DeploymentConfig::builder().mode(DeploymentConfigMode::Express).build();
    let call = world.aws.create_stack().stack_name("express").template_body(QUEUES);
    call.deployment_config(express).send().await.expect("created");
    assert_eq!(seconds(&world, "express").await, 11, "10 at AWS");
}

fn express(disable_rollback: bool) -> DeploymentConfig {
    let mode = DeploymentConfig::builder().mode(DeploymentConfigMode::Express);
    mode.disable_rollback(disable_rollback).build()
}

#[tokio::test(start_paused = true)]
async fn every_operation_that_takes_a_mode_is_as_fast_and_rolls_back_when_asked_to() {
    let world = world().await;
    world.created("queues", QUEUES).await;
    let rest = |name: &'static str| {
        let (world, before) = (&world, world.clock.now());
        async move {
            let last = world.statuses(name).await.pop().expect("a status");
            (last, world.clock.now().since(before).as_secs())
        }
    };
    let broken = QUEUES.replace("5 }", "6 }");
    let change = |times| {
        world.cloud.script().resource(fault("Jobs", Phase::Change, times));
        world.aws.update_stack().stack_name("queues").template_body(&broken)
    };
    change(Some(1)).deployment_config(express(false)).send().await.expect("taken");
    assert_eq!(rest("queues").await, ("UPDATE_ROLLBACK_COMPLETE".to_owned(), 10));
    change(Some(1)).deployment_config(express(true)).send().await.expect("taken");
    assert_eq!(rest("queues").await, ("UPDATE_FAILED".to_owned(), 6));
    let back = world.aws.rollback_stack().stack_name("queues");
    back.deployment_config(express(false)).send().await.expect("taken");
    assert_eq!(rest("queues").await, ("UPDATE_ROLLBACK_COMPLETE".to_owned(), 5));
    let set = world.aws.create_change_set().stack_name("queues").change_set_name("set");
    let set = set.template_body(&broken).deployment_config(express(false));
    set.send().await.expect("taken");
    world.pass(10).await;
    let call = world.aws.execute_change_set().stack_name("queues").change_set_name("set");
    call.send().await.expect("taken");
    assert_eq!(rest("queues").await, ("UPDATE_COMPLETE".to_owned(), 7));
    let gone = world.aws.delete_stack().stack_name("queues");
    gone.deployment_config(express(false)).send().await.expect("taken");
    world.pass(11).await;
    assert!(world.cloud.console().stack(&key("queues")).expect("the cloud").is_none());
}

#[tokio::test(start_paused = true)]
async fn what_does_not_wait_for_each_other_is_made_side_by_side() {
    let world = world().await;
    let many: String =
        (0..20).map(|index| format!("  Q{index}: {{ Type: AWS::SQS::Queue }}\n")).collect();
    world.create("many", &format!("Resources:\n{many}")).await;
    assert_eq!(seconds(&world, "many").await, 38, "the time of one queue");
}

#[tokio::test(start_paused = true)]
async fn an_opaque_type_is_taken_without_knowing_it_and_takes_the_time_that_was_set() {
    let settings = CloudSettings {
        opaque_types: BTreeSet::from(["Our::Own::Thing".to_owned()]),
        opaque_seconds: 100,
        ..CloudSettings::default()
    };
    let world = world_with(settings).await;
    let template = "{Resources: {T: {Type: 'Our::Own::Thing', Properties: {A: 1}}}, \
                    Outputs: {O: {Value: {'Fn::GetAtt': [T, Any]}}}}";
    world.create("opaque", template).await;
    assert_eq!(seconds(&world, "opaque").await, 113);
    assert!(world.cloud.refused().is_empty());
}
