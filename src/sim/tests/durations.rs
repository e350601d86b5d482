//! How long operations take: what was measured at AWS comes out here.

use std::collections::BTreeSet;

use aws_sdk_cloudformation::types::{DeploymentConfig, DeploymentConfigMode};

use crate::sim::CloudSettings;
use crate::sim::tests::{World, world, world_with};

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
