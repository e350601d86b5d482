//! The simulated cloud seen through the real SDK, under a paused clock.

mod drift;
mod durations;
mod lifecycle;
mod limits;
mod macros;
mod nested;
mod nested_edges;
mod quotas;
mod replacement;
mod reversal;
mod reversal_nested;
mod s3;
mod tokens;
mod values;

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudformation::config::{
    BehaviorVersion, Region as SdkRegion, StalledStreamProtectionConfig,
};
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{
    Capability, ChangeSetType, DeploymentConfig, DeploymentConfigMode, OnFailure, Parameter, Stack,
    Tag,
};
use aws_sdk_cloudformation::{Client, Config};
use aws_smithy_async::time::TimeSource;
use aws_smithy_types::retry::RetryConfig;

use crate::clock::Clock;
use crate::ids::StackKey;
use crate::moment::Moment;
use crate::sim::{
    CallFault, Calls, Cloud, CloudError, CloudSettings, Phase, ResourceFault, StackView, Status,
};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-central-1";

const TOPIC: &str = "{Resources: {T: {Type: 'AWS::SNS::Topic'}}}";

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

// A stack's life: creation, updates, rollbacks.
fn fault(logical_id: &str, phase: Phase, times: Option<u32>) -> ResourceFault {
    ResourceFault {
        account: None,
        region: None,
        stack: None,
        logical_id: logical_id.to_owned(),
        phase,
        text: "Internal Failure".to_owned(),
        times,
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_knows_its_account_and_role() {
    let world = world().await;
    let identity = sts(&world.cloud, &world.clock).get_caller_identity().send().await;
    assert_eq!(identity.expect("an identity").account(), Some(crate::sim::HUB_ACCOUNT));
    assert!(world.cloud.refused().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stack_takes_the_time_of_its_resources_and_ends_complete() {
    let world = world().await;
    let id = world.create("jobs", TEMPLATE).await;
    assert_eq!(world.status("jobs").await, "CREATE_IN_PROGRESS");
    world.pass(46).await;
    assert_eq!(world.status("jobs").await, "CREATE_IN_PROGRESS", "a queue, then a function");
    world.pass(2).await;
    let stack = world.describe("jobs").await;
    assert_eq!(stack.stack_status().map(|status| status.as_str()), Some("CREATE_COMPLETE"));
    assert_eq!(stack.stack_id(), Some(id.as_str()));
    assert_eq!(stack.parameters()[0].parameter_value(), Some("30"), "defaults are shown");
    let output = &stack.outputs()[0];
    let queue = "arn:aws:sqs:eu-central-1:111122223333:jobs-Jobs-";
    assert!(output.output_value().is_some_and(|value| value.starts_with(queue)), "{output:?}");
    assert_eq!(output.export_name(), Some("jobs-jobs"));
    assert!(world.cloud.refused().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failing_resource_rolls_the_creation_back_and_names_the_cause() {
    let world = world().await;
    world.cloud.script().resource(fault("Worker", Phase::Change, None));
    world.create("jobs", TEMPLATE).await;
    let statuses = world.statuses("jobs").await;
    assert_eq!(statuses, ["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"]);
    let events = world.events("jobs").await;
    let failed = events.iter().find(|line| line.contains("CREATE_FAILED")).expect("a cause");
    assert_eq!(failed, "Worker CREATE_FAILED Internal Failure");
    let text = "jobs ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Worker]. \
                Rollback requested by user.";
    assert!(events.iter().any(|line| line == text), "{events:#?}");
    assert!(events.iter().any(|line| line == "Jobs DELETE_COMPLETE "), "{events:#?}");
    let refused = world.aws.update_stack().stack_name("jobs").template_body(TEMPLATE).send().await;
    let (code, message) = error(refused.expect_err("it can only be deleted"));
    assert_eq!(code, "ValidationError");
    assert!(
        message.ends_with("is in ROLLBACK_COMPLETE state and can not be updated."),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_takes_no_time_fails_all_the_same() {
    let settings = CloudSettings { speed: f64::INFINITY, ..CloudSettings::default() };
    let world = world_with(settings).await;
    world.cloud.script().resource(fault("Role", Phase::Change, None));
    world.create("jobs", TEMPLATE).await;
    assert_eq!(world.status("jobs").await, "ROLLBACK_COMPLETE");
    let events = world.events("jobs").await;
    assert!(events.iter().any(|line| line == "Role CREATE_FAILED Internal Failure"), "{events:#?}");
    assert!(!events.iter().any(|line| line.starts_with("Worker ")), "it waits: {events:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_creation_may_stay_as_it_failed() {
    let world = world().await;
    world.cloud.script().resource(fault("Worker", Phase::Change, Some(1)));
    let call = world.aws.create_stack().stack_name("jobs").template_body(TEMPLATE);
    let call = call.capabilities(Capability::CapabilityIam).on_failure(OnFailure::DoNothing);
    call.send().await.expect("created");
    assert_eq!(world.statuses("jobs").await, ["CREATE_IN_PROGRESS", "CREATE_FAILED"]);
    let rollback = world.aws.rollback_stack().stack_name("jobs").send().await;
    rollback.expect("a failed creation can be rolled back");
    assert_eq!(world.statuses("jobs").await, ["ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"]);
}

#[tokio::test(start_paused = true)]
async fn an_update_cleans_up_after_itself_and_moves_the_time() {
    let world = world().await;
    world.created("jobs", TEMPLATE).await;
    assert_eq!(world.describe("jobs").await.last_updated_time(), None);
    let update = world.aws.update_stack().stack_name("jobs").use_previous_template(true);
    let update = update.parameters(parameter("Visibility", "60"));
    let update = update.capabilities(Capability::CapabilityIam).client_request_token("one");
    update.clone().send().await.expect("updated");
    update.send().await.expect("the same token again is the same success");
    let other = world.aws.delete_stack().stack_name("jobs").client_request_token("one");
    let (code, _) = error(other.send().await.expect_err("the token was used otherwise"));
    assert_eq!(code, "TokenAlreadyExistsException");
    let statuses = world.statuses("jobs").await;
    let cleanup = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS";
    assert_eq!(statuses, ["UPDATE_IN_PROGRESS", cleanup, "UPDATE_COMPLETE"]);
    let stack = world.describe("jobs").await;
    assert!(stack.last_updated_time().is_some());
    assert_eq!(stack.parameters()[0].parameter_value(), Some("60"));
    let again = world.aws.update_stack().stack_name("jobs").use_previous_template(true);
    let again = again.parameters(parameter("Visibility", "60"));
    let again = again.capabilities(Capability::CapabilityIam).send().await;
    let expected = ("ValidationError".to_owned(), "No updates are to be performed.".to_owned());
    assert_eq!(error(again.expect_err("nothing to do")), expected);
}

#[tokio::test(start_paused = true)]
async fn a_failed_update_goes_back_to_the_old_template() {
    let world = world().await;
    world.created("jobs", TEMPLATE).await;
    let before = world.cloud.console().stack(&key("jobs")).expect("cloud").expect("stack");
    world.cloud.script().resource(fault("Jobs", Phase::Change, Some(1)));
    let update = world.aws.update_stack().stack_name("jobs").use_previous_template(true);
    let update = update.parameters(parameter("Visibility", "60"));
    update.capabilities(Capability::CapabilityIam).send().await.expect("updated");
    let statuses = world.statuses("jobs").await;
    let cleanup = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS";
    let rollback = ["UPDATE_ROLLBACK_IN_PROGRESS", cleanup, "UPDATE_ROLLBACK_COMPLETE"];
    assert_eq!(statuses[1..], rollback, "{statuses:?}");
    let after = world.cloud.console().stack(&key("jobs")).expect("cloud").expect("stack");
    assert_eq!(after.parameters["Visibility"], "30");
    let properties = |view: &StackView| view.resources["Jobs"].properties.clone();
    assert_eq!(properties(&after), properties(&before));
    assert!(after.updated_at.is_some(), "a failed update moves the time as well");
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_fails_can_be_continued_with_the_resource_skipped() {
    let world = world().await;
    world.created("jobs", TEMPLATE).await;
    world.cloud.script().resource(fault("Jobs", Phase::Change, Some(1)));
    world.cloud.script().resource(fault("Jobs", Phase::Rollback, None));
    let update = world.aws.update_stack().stack_name("jobs").use_previous_template(true);
    let update = update.parameters(parameter("Visibility", "60"));
    update.capabilities(Capability::CapabilityIam).send().await.expect("updated");
    world.pass(300).await;
    assert_eq!(world.status("jobs").await, "UPDATE_ROLLBACK_FAILED");
    world.aws.continue_update_rollback().stack_name("jobs").send().await.expect("continued");
    world.pass(300).await;
    assert_eq!(world.status("jobs").await, "UPDATE_ROLLBACK_FAILED", "the cause is still there");
    let skipping = world.aws.continue_update_rollback().stack_name("jobs");
    skipping.resources_to_skip("Jobs").send().await.expect("continued");
    world.pass(300).await;
    assert_eq!(world.status("jobs").await, "UPDATE_ROLLBACK_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn a_taken_name_fails_the_second_stack() {
    let world = world().await;
    let template = "{Resources: {P: {Type: 'AWS::SSM::Parameter', Properties: {Name: /one, \
                    Type: String, Value: x}}}}";
    world.created("first", template).await;
    let second = template.replace("P:", "Q:");
    world.created("second", &second).await;
    assert_eq!(world.status("second").await, "ROLLBACK_COMPLETE");
    let events = world.events("second").await;
    assert!(events.iter().any(|line| line.contains("/one already exists in stack")), "{events:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_aws_refuses_is_refused_in_its_words() {
    let world = world().await;
    let create = |template: &str| world.aws.create_stack().stack_name("s").template_body(template);
    let refusal = error(create(TEMPLATE).send().await.expect_err("no capability"));
    assert_eq!(refusal.0, "InsufficientCapabilitiesException");
    assert_eq!(refusal.1, "Requires capabilities : [CAPABILITY_IAM]");
    let needs = "{Parameters: {A: {Type: String}}, Resources: {T: {Type: 'AWS::SNS::Topic'}}}";
    let refusal = error(create(needs).send().await.expect_err("no value"));
    assert_eq!(refusal.1, "Parameters: [A] must have values");
    let call = create(needs).parameters(parameter("A", "x")).parameters(parameter("B", "y"));
    let refusal = error(call.send().await.expect_err("undeclared"));
    assert_eq!(refusal.1, "Parameters: [B] do not exist in the template");
    let dangling = "{Resources: {T: {Type: 'AWS::SNS::Topic', Properties: {TopicName: {Ref: X}}}}}";
    let refusal = error(create(dangling).send().await.expect_err("dangling"));
    assert!(refusal.1.contains("Unresolved resource dependencies [X] in the Resources block"));
    assert!(world.cloud.refused().is_empty());
    let refusal =
        error(create("{Resources: {T: {Type: 'AWS::No::Such'}}}").send().await.expect_err("type"));
    assert_eq!(refusal.1, "Template format error: Unrecognized resource types: [AWS::No::Such]");
    assert_eq!(world.cloud.refused().len(), 1);
    world.create("s", "{Resources: {T: {Type: 'AWS::SNS::Topic'}}}").await;
    let refusal = error(create(needs).send().await.expect_err("it exists"));
    assert_eq!(
        refusal,
        ("AlreadyExistsException".to_owned(), "Stack [s] already exists".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn an_export_cannot_go_while_it_is_imported() {
    let world = world().await;
    world.created("jobs", TEMPLATE).await;
    let importing = "{Resources: {P: {Type: 'AWS::SSM::Parameter', Properties: {Type: String, \
                     Value: {'Fn::ImportValue': jobs-jobs}}}}}";
    world.created("reader", importing).await;
    assert_eq!(world.status("reader").await, "CREATE_COMPLETE");
    world.aws.delete_stack().stack_name("jobs").send().await.expect("AWS takes the call");
    world.pass(300).await;
    let stack = world.describe("jobs").await;
    assert_eq!(stack.stack_status().map(|status| status.as_str()), Some("CREATE_COMPLETE"));
    let reason = "Delete canceled. Cannot delete export jobs-jobs as it is in use by reader.";
    assert_eq!(stack.stack_status_reason(), Some(reason));
}

#[tokio::test(start_paused = true)]
async fn an_express_deployment_is_fast_and_does_not_roll_back() {
    let world = world().await;
    let express = DeploymentConfig::builder().mode(DeploymentConfigMode::Express).build();
    world.cloud.script().resource(fault("Worker", Phase::Change, Some(1)));
    let call = world.aws.create_stack().stack_name("jobs").template_body(TEMPLATE);
    let call = call.capabilities(Capability::CapabilityIam).deployment_config(express);
    call.send().await.expect("created");
    world.pass(20).await;
    assert_eq!(world.status("jobs").await, "CREATE_FAILED");
}

// Change sets and what guards updates.
impl World {
    async fn change_set(&self, stack: &str, name: &str, kind: ChangeSetType, template: &str) {
        let call = self.aws.create_change_set().stack_name(stack).change_set_name(name);
        let call = call.change_set_type(kind).template_body(template).client_token(name);
        call.capabilities(Capability::CapabilityIam).send().await.expect("a change set");
    }

    async fn described(&self, stack: &str, name: &str) -> DescribeChangeSetOutput {
        let call = self.aws.describe_change_set().stack_name(stack).change_set_name(name);
        call.send().await.expect("the change set exists")
    }

    async fn execute(&self, stack: &str, name: &str) -> Result<(), (String, String)> {
        let call = self.aws.execute_change_set().stack_name(stack).change_set_name(name);
        call.send().await.map(drop).map_err(error)
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_set_says_what_it_would_do_and_does_it() {
    let world = world().await;
    world.created("jobs", TEMPLATE).await;
    let changed = TEMPLATE
        .replace("VisibilityTimeout: !Ref Visibility", "QueueName: other-name")
        .replace("Default: \"30\"", "Default: \"30\", Description: x");
    world.change_set("jobs", "one", ChangeSetType::Update, &changed).await;
    let pending = world.described("jobs", "one").await;
    assert_eq!(pending.status().map(|status| status.as_str()), Some("CREATE_PENDING"));
    let (code, message) = world.execute("jobs", "one").await.expect_err("not ready");
    assert_eq!(code, "InvalidChangeSetStatus");
    assert!(message.ends_with("cannot be executed in its current status of [CREATE_PENDING]"));
    world.pass(5).await;
    let ready = world.described("jobs", "one").await;
    assert_eq!(ready.execution_status().map(|status| status.as_str()), Some("AVAILABLE"));
    let line = |change: &aws_sdk_cloudformation::types::Change| {
        let change = change.resource_change().expect("a resource change");
        format!(
            "{} {} {}",
            change.action().map(|action| action.as_str()).unwrap_or_default(),
            change.logical_resource_id().unwrap_or_default(),
            change.replacement().map(|replacement| replacement.as_str()).unwrap_or_default()
        )
    };
    let changes: Vec<String> = ready.changes().iter().map(line).collect();
    assert_eq!(changes, ["Modify Jobs True", "Modify Worker False"]);
    world.change_set("jobs", "two", ChangeSetType::Update, &changed).await;
    world.execute("jobs", "one").await.expect("executed");
    let gone = world.aws.describe_change_set().stack_name("jobs").change_set_name("two").send();
    assert_eq!(error(gone.await.expect_err("the others go")).0, "ChangeSetNotFound");
    world.pass(300).await;
    assert_eq!(world.status("jobs").await, "UPDATE_COMPLETE");
    let stack = world.cloud.console().stack(&key("jobs")).expect("cloud").expect("stack");
    assert!(stack.resources["Jobs"].physical_id.ends_with("/other-name"));
    assert!(stack.resources["Worker"].properties.contains("/other-name"));
}

#[tokio::test(start_paused = true)]
async fn a_change_set_without_changes_fails_in_the_known_words() {
    let world = world().await;
    world.created("jobs", TEMPLATE).await;
    let commented = format!("# another comment\n{TEMPLATE}");
    world.change_set("jobs", "empty", ChangeSetType::Update, &commented).await;
    world.pass(5).await;
    let set = world.described("jobs", "empty").await;
    assert_eq!(set.status().map(|status| status.as_str()), Some("FAILED"));
    let reason = set.status_reason().unwrap_or_default();
    assert!(reason.starts_with("The submitted information didn't contain changes."), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_change_set_that_creates_leaves_a_shell_until_it_is_executed() {
    let world = world().await;
    world.change_set("jobs", "first", ChangeSetType::Create, TEMPLATE).await;
    assert_eq!(world.status("jobs").await, "REVIEW_IN_PROGRESS");
    assert!(world.describe("jobs").await.parameters().is_empty(), "a shell shows nothing");
    world.pass(5).await;
    assert_eq!(world.described("jobs", "first").await.changes().len(), 3);
    world.execute("jobs", "first").await.expect("executed");
    assert_eq!(world.statuses("jobs").await, ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]);
    let call = world.aws.list_change_sets().stack_name("jobs").send().await.expect("a list");
    let status = call.summaries()[0].execution_status().map(|status| status.as_str());
    assert_eq!(status, Some("EXECUTE_COMPLETE"));
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_moved_on_makes_its_change_sets_obsolete() {
    let world = world().await;
    world.created("jobs", TEMPLATE).await;
    let changed = TEMPLATE.replace("ZipFile: \"x\"", "ZipFile: \"y\"");
    world.change_set("jobs", "one", ChangeSetType::Update, &changed).await;
    world.pass(5).await;
    let tags = [("by".to_owned(), "hand".to_owned())].into();
    world.cloud.console().update_tags(&key("jobs"), &tags).expect("tags are changed");
    world.pass(300).await;
    let (code, message) = world.execute("jobs", "one").await.expect_err("obsolete");
    assert_eq!(code, "InvalidChangeSetStatus");
    assert!(message.contains("[OBSOLETE]"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_stack_policy_denies_a_replacement_and_the_update_goes_back() {
    let world = world().await;
    world.created("jobs", TEMPLATE).await;
    let policy = r#"{"Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": ["Update:Replace", "Update:Delete"],
         "Resource": "LogicalResourceId/Jobs"}]}"#;
    world
        .aws
        .set_stack_policy()
        .stack_name("jobs")
        .stack_policy_body(policy)
        .send()
        .await
        .expect("set");
    let changed = TEMPLATE.replace("VisibilityTimeout: !Ref Visibility", "QueueName: other");
    let call = world.aws.update_stack().stack_name("jobs").template_body(changed);
    call.capabilities(Capability::CapabilityIam).send().await.expect("AWS takes the call");
    world.pass(300).await;
    assert_eq!(world.status("jobs").await, "UPDATE_ROLLBACK_COMPLETE");
    let events = world.events("jobs").await;
    let text = "Jobs UPDATE_FAILED Action denied by stack policy: Statement [#2] does not allow \
                [Update:Replace] for resource [LogicalResourceId/Jobs]";
    assert!(events.iter().any(|line| line == text), "{events:#?}");
}

// Deleting stacks.
#[tokio::test(start_paused = true)]
async fn a_deleted_stack_is_known_by_its_arn_only() {
    let world = world().await;
    let id = world.created("jobs", TEMPLATE).await;
    world.aws.delete_stack().stack_name(&id).send().await.expect("deleted");
    assert_eq!(world.status("jobs").await, "DELETE_IN_PROGRESS");
    world.pass(300).await;
    let missing = world.aws.describe_stacks().stack_name("jobs").send().await;
    let (code, message) = error(missing.expect_err("it has gone"));
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("ValidationError", "Stack with id jobs does not exist")
    );
    assert_eq!(world.status(&id).await, "DELETE_COMPLETE");
    let second = world.created("jobs", TEMPLATE).await;
    assert_ne!(second, id, "a stack made again is another one");
    world.aws.delete_stack().stack_name("never-was").send().await.expect("AWS says yes");
}

#[tokio::test(start_paused = true)]
async fn termination_protection_refuses_the_call() {
    let world = world().await;
    world.created("jobs", TEMPLATE).await;
    world.cloud.console().protect(&key("jobs"), true).expect("protected");
    let refused = world.aws.delete_stack().stack_name("jobs").send().await;
    let (_, message) = error(refused.expect_err("protected"));
    assert_eq!(message, "Stack [jobs] cannot be deleted while TerminationProtection is enabled");
    assert_eq!(world.status("jobs").await, "CREATE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_deleted_can_be_retained_the_second_time() {
    let world = world().await;
    world.created("jobs", TEMPLATE).await;
    let early = world.aws.delete_stack().stack_name("jobs").retain_resources("Jobs").send().await;
    assert_eq!(error(early.expect_err("only on DELETE_FAILED")).0, "ValidationError");
    world.cloud.script().resource(ResourceFault {
        account: Some(ACCOUNT.parse().expect("an account")),
        region: None,
        stack: None,
        logical_id: "Jobs".to_owned(),
        phase: Phase::Delete,
        text: "The queue is in use".to_owned(),
        times: Some(1),
    });
    world.aws.delete_stack().stack_name("jobs").send().await.expect("deleted");
    world.pass(300).await;
    let stack = world.describe("jobs").await;
    assert_eq!(stack.stack_status().map(|status| status.as_str()), Some("DELETE_FAILED"));
    let reason = "The following resource(s) failed to delete: [Jobs]. ";
    assert_eq!(stack.stack_status_reason(), Some(reason));
    let retry = world.aws.delete_stack().stack_name("jobs").retain_resources("Jobs").send();
    retry.await.expect("deleted");
    world.pass(300).await;
    assert!(world.cloud.console().stack(&key("jobs")).expect("cloud").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_retained_resource_stays_and_a_running_creation_can_be_deleted() {
    let world = world().await;
    let template = "{Resources: {T: {Type: 'AWS::DynamoDB::Table', DeletionPolicy: Retain}}}";
    let id = world.created("table", template).await;
    world.aws.delete_stack().stack_name("table").send().await.expect("deleted");
    world.pass(60).await;
    assert_eq!(world.status(&id).await, "DELETE_COMPLETE");
    let events = world.events(&id).await;
    assert!(events.iter().any(|line| line == "T DELETE_SKIPPED "), "{events:#?}");
    let running = world.create("jobs", TEMPLATE).await;
    world.pass(5).await;
    world.aws.delete_stack().stack_name("jobs").send().await.expect("deleted");
    world.pass(300).await;
    assert_eq!(world.status(&running).await, "DELETE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn a_person_can_force_any_status() {
    let world = world().await;
    world.created("jobs", TEMPLATE).await;
    let status = Status::of("QUANTUM_SUPERPOSITION");
    world.cloud.console().set_status(&key("jobs"), status).expect("forced");
    assert_eq!(world.status("jobs").await, "QUANTUM_SUPERPOSITION");
}

// Lists and templates: pages, secrets, mangled text.
#[tokio::test(start_paused = true)]
async fn stacks_come_in_pages_and_none_is_lost() {
    let settings = CloudSettings { stacks_per_page: 3, ..CloudSettings::default() };
    let world = world_with(settings).await;
    for index in 0..8 {
        world.create(&format!("stack-{index}"), TOPIC).await;
    }
    world.cloud.clear_calls();
    let pages = world.aws.describe_stacks().into_paginator().items().send();
    let stacks = pages.collect::<Result<Vec<_>, _>>().await.expect("stacks");
    let names: Vec<&str> = stacks.iter().filter_map(Stack::stack_name).collect();
    assert_eq!(names.len(), 8);
    assert!(names.is_sorted());
    assert_eq!(world.cloud.calls().len(), 3);
    assert!(world.cloud.calls().iter().all(|call| call.api == "DescribeStacks" && !call.mutating));
}

#[tokio::test(start_paused = true)]
async fn events_come_newest_first_in_pages_and_carry_the_token() {
    let settings = CloudSettings { events_per_page: 4, ..CloudSettings::default() };
    let world = world_with(settings).await;
    let call = world.aws.create_stack().stack_name("one").template_body(TOPIC);
    call.client_request_token("mine").send().await.expect("created");
    world.pass(60).await;
    let first = world.aws.describe_stack_events().stack_name("one").send().await.expect("events");
    assert_eq!(first.stack_events().len(), 4);
    let newest = &first.stack_events()[0];
    assert_eq!(newest.resource_status().map(|status| status.as_str()), Some("CREATE_COMPLETE"));
    assert_eq!(newest.logical_resource_id(), Some("one"));
    assert!(first.stack_events().iter().all(|event| event.client_request_token() == Some("mine")));
    let events = world.events("one").await;
    assert_eq!(events.first().map(String::as_str), Some("one CREATE_IN_PROGRESS User Initiated"));
    assert_eq!(events.len(), 5, "{events:#?}");
}

#[tokio::test(start_paused = true)]
async fn secrets_are_masked_and_foreign_letters_become_question_marks() {
    let world = world().await;
    let template = "Parameters: { Key: { Type: String, NoEcho: true } }\n\
                    Resources: { T: { Type: 'AWS::SNS::Topic' } }\n\
                    Outputs: { Name: { Value: 'grün' } }\n";
    let call = world.aws.create_stack().stack_name("one").template_body(template);
    call.parameters(parameter("Key", "secret"))
        .tags(tag("owner", ""))
        .send()
        .await
        .expect("created");
    world.pass(60).await;
    let stack = world.describe("one").await;
    assert_eq!(stack.parameters()[0].parameter_value(), Some("****"));
    assert_eq!(stack.outputs()[0].output_value(), Some("gr?n"));
    assert_eq!(stack.tags()[0].value(), Some(""));
    let answer = world.aws.get_template().stack_name("one").send().await.expect("a template");
    assert_eq!(answer.template_body(), Some(template.replace('ü', "?").as_str()));
}

#[tokio::test(start_paused = true)]
async fn accounts_and_regions_are_apart() {
    let world = world().await;
    world.create("one", TOPIC).await;
    let other = client(&world.cloud, &world.clock, "444455556666").await;
    let answer = other.describe_stacks().send().await.expect("a list");
    assert!(answer.stacks().is_empty());
}

// What goes wrong on order.
fn describes() -> Calls {
    Calls { api: Some("DescribeStacks".to_owned()), ..Calls::default() }
}

#[tokio::test(start_paused = true)]
async fn calls_are_throttled_as_often_as_ordered() {
    let world = world().await;
    world.cloud.script().calls(describes(), CallFault::Throttled, Some(2));
    for _ in 0..2 {
        let (code, message) =
            error(world.aws.describe_stacks().send().await.expect_err("throttled"));
        assert_eq!((code.as_str(), message.as_str()), ("Throttling", "Rate exceeded"));
    }
    world.aws.describe_stacks().send().await.expect("the order is used up");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_has_had_its_effect() {
    let world = world().await;
    let creates = Calls { api: Some("CreateStack".to_owned()), ..Calls::default() };
    world.cloud.script().calls(creates, CallFault::AnswerLost, Some(1));
    let call = world.aws.create_stack().stack_name("one").template_body(TOPIC);
    let call = call.client_request_token("t");
    let lost = call.clone().send().await.expect_err("the answer is lost");
    assert!(lost.as_service_error().is_none(), "{lost:?}");
    assert_eq!(world.status("one").await, "CREATE_IN_PROGRESS");
    call.send().await.expect("the same token gives the answer again");
}

#[tokio::test(start_paused = true)]
async fn broken_answers_are_broken_and_late_ones_late() {
    let world = world().await;
    let script = world.cloud.script();
    world.create("one", TOPIC).await;
    script.calls(describes(), CallFault::Malformed, Some(1));
    assert!(world.aws.describe_stacks().send().await.is_err());
    script.calls(describes(), CallFault::ServerError(503), Some(1));
    let failed = world.aws.describe_stacks().send().await.expect_err("503");
    assert_eq!(failed.raw_response().map(|raw| raw.status().as_u16()), Some(503));
    script.calls(describes(), CallFault::Delayed(Duration::from_secs(30)), Some(1));
    let before = world.clock.now();
    world.aws.describe_stacks().send().await.expect("late, but there");
    assert_eq!(world.clock.now().since(before), Duration::from_secs(30));
}

/// A trap of the SDK: whoever does not compare `content-length` takes the rest as missing.
#[tokio::test(start_paused = true)]
async fn the_sdk_takes_half_an_answer_for_a_whole_one() {
    let world = world().await;
    world.create("one", TOPIC).await;
    world.create("two", TOPIC).await;
    world.cloud.script().calls(describes(), CallFault::Truncated, Some(1));
    let half = world.aws.describe_stacks().send().await.expect("no error");
    let whole = world.aws.describe_stacks().send().await.expect("a list");
    assert_ne!(half.stacks(), whole.stacks());
}

#[tokio::test(start_paused = true)]
async fn a_list_can_lose_its_next_token_and_a_region_its_endpoint() {
    let settings = CloudSettings { stacks_per_page: 1, ..CloudSettings::default() };
    let world = world_with(settings).await;
    world.create("one", TOPIC).await;
    world.create("two", TOPIC).await;
    world.cloud.script().calls(describes(), CallFault::LastPageMissing, Some(1));
    let page = world.aws.describe_stacks().send().await.expect("a page");
    assert_eq!((page.stacks().len(), page.next_token()), (1, None));
    let region = Calls { region: Some(REGION.parse().expect("a region")), ..Calls::default() };
    world.cloud.script().calls(region, CallFault::Unreachable, None);
    let broken = world.aws.describe_stacks().send().await.expect_err("no endpoint");
    assert!(broken.as_service_error().is_none(), "{broken:?}");
    world.cloud.script().clear();
    world.aws.describe_stacks().send().await.expect("it is back");
}

#[tokio::test(start_paused = true)]
async fn a_denied_account_and_a_wrong_external_id_cannot_be_assumed() {
    let world = world().await;
    let account = ACCOUNT.parse().expect("an account");
    world.cloud.script().deny_role(account);
    let assume = || {
        let sts = sts(&world.cloud, &world.clock);
        let arn = format!("arn:aws:iam::{ACCOUNT}:role/driftless");
        sts.assume_role().role_arn(arn).role_session_name("test")
    };
    assert_eq!(error(assume().send().await.expect_err("denied")).0, "AccessDenied");
    world.cloud.script().allow_role(account);
    world.cloud.console().require_external_id(account, "gloves").expect("required");
    assert_eq!(error(assume().send().await.expect_err("no id")).0, "AccessDenied");
    assume().external_id("gloves").send().await.expect("the right id");
}

#[tokio::test(start_paused = true)]
async fn a_session_ends() {
    let world = world().await;
    world.pass(43_200).await;
    let (code, _) = error(world.aws.describe_stacks().send().await.expect_err("it has ended"));
    assert_eq!(code, "ExpiredToken");
}

#[tokio::test(start_paused = true)]
async fn quotas_hold_when_they_are_on() {
    let settings = CloudSettings { quotas: Some(true), ..CloudSettings::default() };
    let world = world_with(settings).await;
    let mut throttled = 0;
    for _ in 0..25 {
        throttled += u32::from(world.aws.describe_stacks().send().await.is_err());
    }
    assert_eq!(throttled, 5, "the burst is 20");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_simulated_is_refused_by_name() {
    let world = world().await;
    let (code, message) = error(world.aws.list_types().send().await.expect_err("unknown action"));
    assert_eq!(code, "NotSimulated");
    assert!(message.contains("`ListTypes`"), "{message}");
    let call = world.aws.create_stack().stack_name("one").template_body(TOPIC);
    let (_, message) = error(call.role_arn("x").send().await.expect_err("unknown field"));
    assert!(message.contains("`RoleARN` of CreateStack"), "{message}");
    assert_eq!(world.cloud.refused().len(), 2);
}

// A cloud in a folder survives its process and is shared by several.
fn open(path: &Path, clock: &Clock) -> Cloud {
    let settings = CloudSettings { quotas: Some(false), ..CloudSettings::default() };
    Cloud::in_folder(path, settings, clock.clone()).expect("a cloud")
}

async fn world_in(path: &Path) -> World {
    let clock = clock();
    let cloud = open(path, &clock);
    let aws = client(&cloud, &clock, ACCOUNT).await;
    World { cloud, clock, aws }
}

#[tokio::test(start_paused = true)]
async fn a_second_process_finds_what_the_first_began_and_its_sessions() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = world_in(folder.path()).await;
    let id = first.create("jobs", TEMPLATE).await;
    let second = open(folder.path(), &first.clock);
    first.pass(300).await;
    let seen = second.console().stack(&key("jobs")).expect("cloud").expect("stack");
    assert_eq!((seen.id.as_str(), seen.status.as_str()), (id.as_str(), "CREATE_COMPLETE"));
    assert_eq!(seen.template, TEMPLATE);
    second.console().delete_stack(&key("jobs")).expect("deleted by somebody else");
    assert_eq!(first.status("jobs").await, "DELETE_IN_PROGRESS");
}

#[tokio::test(start_paused = true)]
async fn two_clouds_over_one_folder_never_lose_a_write_of_the_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = world_in(folder.path()).await;
    let cloud = open(folder.path(), &first.clock);
    let aws = client(&cloud, &first.clock, ACCOUNT).await;
    let second = World { cloud, clock: first.clock.clone(), aws };
    for index in 0..10 {
        first.create(&format!("one-{index}"), TOPIC).await;
        second.create(&format!("two-{index}"), TOPIC).await;
    }
    for world in [&first, &second] {
        let answer = world.aws.describe_stacks().send().await.expect("a list");
        assert_eq!(answer.stacks().len(), 20);
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_file_is_an_error_and_never_an_empty_cloud() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = world_in(folder.path()).await;
    first.create("jobs", TEMPLATE).await;
    let file = folder.path().join("accounts").join(format!("{ACCOUNT}.json"));
    let text = fs::read_to_string(&file).expect("the account's file");
    fs::write(&file, &text[..text.len() / 2]).expect("broken");
    let settings = CloudSettings::default();
    let opened = Cloud::in_folder(folder.path(), settings, first.clock.clone());
    let refused = opened.expect_err("a broken file");
    assert!(matches!(refused, CloudError::Corrupt { .. }), "{refused}");
    let answer = first.aws.describe_stacks().send().await.expect_err("not an empty list");
    assert_eq!(answer.raw_response().map(|raw| raw.status().as_u16()), Some(500));
}
