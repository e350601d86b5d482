//! A stack's life: creation, updates, rollbacks.

use aws_sdk_cloudformation::types::{Capability, OnFailure};

use super::*;
use crate::sim::{Phase, ResourceFault};

fn fault(logical_id: &str, phase: Phase, times: Option<u32>) -> ResourceFault {
    ResourceFault {
        account: None,
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
    world.pass(60).await;
    assert_eq!(world.status("jobs").await, "CREATE_IN_PROGRESS", "a queue takes a minute");
    world.pass(20).await;
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
    assert!(message.ends_with("is in ROLLBACK_COMPLETE state and can not be updated."), "{message}");
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
    let properties = |view: &crate::sim::StackView| view.resources["Jobs"].properties.clone();
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
    let refusal = error(create("{Resources: {T: {Type: 'AWS::No::Such'}}}").send().await.expect_err("type"));
    assert_eq!(refusal.1, "Template format error: Unrecognized resource types: [AWS::No::Such]");
    assert_eq!(world.cloud.refused().len(), 1);
    world.create("s", "{Resources: {T: {Type: 'AWS::SNS::Topic'}}}").await;
    let refusal = error(create(needs).send().await.expect_err("it exists"));
    assert_eq!(refusal, ("AlreadyExistsException".to_owned(), "Stack [s] already exists".to_owned()));
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
    use aws_sdk_cloudformation::types::{DeploymentConfig, DeploymentConfigMode};
    let world = world().await;
    let express = DeploymentConfig::builder().mode(DeploymentConfigMode::Express).build();
    world.cloud.script().resource(fault("Worker", Phase::Change, Some(1)));
    let call = world.aws.create_stack().stack_name("jobs").template_body(TEMPLATE);
    let call = call.capabilities(Capability::CapabilityIam).deployment_config(express);
    call.send().await.expect("created");
    world.pass(20).await;
    assert_eq!(world.status("jobs").await, "CREATE_FAILED");
}
