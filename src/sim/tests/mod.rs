//! The simulated cloud seen through the real SDK, under a paused clock.

mod changes;
mod deletion;
mod faults;
mod folder;
mod lifecycle;
mod lists;

use std::time::{Duration, SystemTime};

use aws_sdk_cloudformation::config::{
    BehaviorVersion, Region as SdkRegion, StalledStreamProtectionConfig,
};
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::types::{Capability, Parameter, Stack, Tag};
use aws_sdk_cloudformation::{Client, Config};
use aws_smithy_async::time::TimeSource;
use aws_smithy_types::retry::RetryConfig;

use crate::clock::Clock;
use crate::ids::StackKey;
use crate::moment::Moment;
use crate::sim::{Cloud, CloudSettings};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-central-1";

/// A queue, a role and a function that needs both; the queue's length of visibility is a parameter.
const TEMPLATE: &str = r#"
Parameters:
  Visibility: { Type: String, Default: "30" }
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties: { VisibilityTimeout: !Ref Visibility }
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: { Version: "2012-10-17", Statement: [] }
  Worker:
    Type: AWS::Lambda::Function
    Properties:
      Role: !GetAtt Role.Arn
      Environment: { Variables: { QUEUE: !Sub "${Jobs}" } }
      Code: { ZipFile: "x" }
Outputs:
  JobsArn:
    Value: !GetAtt Jobs.Arn
    Export: { Name: !Sub "${AWS::StackName}-jobs" }
"#;

#[derive(Debug)]
struct ClockTime(Clock);

impl TimeSource for ClockTime {
    fn now(&self) -> SystemTime {
        self.0.now().as_system_time()
    }
}

/// A cloud, its clock, and a client in one account that came through AssumeRole.
struct World {
    cloud: Cloud,
    clock: Clock,
    aws: Client,
}

fn clock() -> Clock {
    Clock::starting_at(Moment::from_millis(1_795_465_260_000))
}

async fn world() -> World {
    world_with(CloudSettings::default()).await
}

async fn world_with(settings: CloudSettings) -> World {
    let clock = clock();
    let cloud = Cloud::in_memory(settings, clock.clone());
    let aws = client(&cloud, &clock, ACCOUNT).await;
    World { cloud, clock, aws }
}

fn sts(cloud: &Cloud, clock: &Clock) -> aws_sdk_sts::Client {
    aws_sdk_sts::Client::from_conf(
        aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(SdkRegion::new(REGION))
            .credentials_provider(cloud.credentials())
            .http_client(cloud.http_client())
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .time_source(ClockTime(clock.clone()))
            .build(),
    )
}

async fn client(cloud: &Cloud, clock: &Clock, account: &str) -> Client {
    let answer = sts(cloud, clock)
        .assume_role()
        .role_arn(format!("arn:aws:iam::{account}:role/deploy/driftless"))
        .role_session_name("test")
        .duration_seconds(43_200)
        .send()
        .await
        .expect("the role is assumed");
    let keys = answer.credentials().expect("credentials");
    let credentials = aws_credential_types::Credentials::new(
        keys.access_key_id(),
        keys.secret_access_key(),
        Some(keys.session_token().to_owned()),
        None,
        "test",
    );
    Client::from_conf(
        Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(SdkRegion::new(REGION))
            .credentials_provider(credentials)
            .http_client(cloud.http_client())
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .time_source(ClockTime(clock.clone()))
            .build(),
    )
}

fn key(name: &str) -> StackKey {
    format!("{ACCOUNT}/{REGION}/{name}").parse().expect("a stack key")
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

fn parameter(key: &str, value: &str) -> Parameter {
    Parameter::builder().parameter_key(key).parameter_value(value).build()
}

/// Code and message of an error answer.
fn error<E, R>(error: SdkError<E, R>) -> (String, String)
where
    E: ProvideErrorMetadata + std::fmt::Debug,
    R: std::fmt::Debug,
{
    let service = error.as_service_error().expect("an error that AWS answered");
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    (text(service.code()), text(service.message()))
}

impl World {
    /// Creates a stack and returns its ARN.
    async fn create(&self, name: &str, template: &str) -> String {
        let answer = self.aws.create_stack().stack_name(name).template_body(template);
        let answer = answer.capabilities(Capability::CapabilityNamedIam).send().await;
        answer.expect("the stack is created").stack_id().expect("an id").to_owned()
    }

    /// Creates a stack and waits for its end.
    async fn created(&self, name: &str, template: &str) -> String {
        let id = self.create(name, template).await;
        self.pass(600).await;
        id
    }

    async fn describe(&self, name: &str) -> Stack {
        let answer = self.aws.describe_stacks().stack_name(name).send().await;
        answer.expect("the stack exists").stacks().first().expect("one stack").clone()
    }

    async fn status(&self, name: &str) -> String {
        self.describe(name).await.stack_status().expect("a status").as_str().to_owned()
    }

    async fn pass(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
    }

    /// The statuses that a stack goes through, looked at every second until it rests.
    async fn statuses(&self, name: &str) -> Vec<String> {
        let mut seen: Vec<String> = Vec::new();
        for _ in 0..3_600 {
            let status = self.status(name).await;
            if seen.last() != Some(&status) {
                seen.push(status.clone());
            }
            if !status.ends_with("_IN_PROGRESS") {
                return seen;
            }
            self.pass(1).await;
        }
        panic!("{name} never rests: {seen:?}");
    }

    /// Every event of a stack as `resource status reason`, oldest first.
    async fn events(&self, name: &str) -> Vec<String> {
        let pages = self.aws.describe_stack_events().stack_name(name).into_paginator().items();
        let events = pages.send().collect::<Result<Vec<_>, _>>().await.expect("events");
        let line = |event: &aws_sdk_cloudformation::types::StackEvent| {
            format!(
                "{} {} {}",
                event.logical_resource_id().unwrap_or_default(),
                event.resource_status().map(|status| status.as_str()).unwrap_or_default(),
                event.resource_status_reason().unwrap_or_default()
            )
        };
        events.iter().rev().map(line).collect()
    }
}
