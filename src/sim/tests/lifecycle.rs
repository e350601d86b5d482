//! Statuses and transitions that only failures lead to, and the ways out of them.

use aws_sdk_cloudformation::types::{Capability, DeletionMode, OnFailure};

use crate::sim::tests::{TEMPLATE, TOPIC, World, error, fault, key, parameter, world};
use crate::sim::{Phase, ResourceFault};

/// A quick resource, a slow one and one that needs both; the parameter changes all of them.
const THREE: &str = r#"
Parameters:
  Word: { Type: String, Default: one }
Resources:
  Quick:
    Type: AWS::SSM::Parameter
    Properties: { Type: String, Value: !Ref Word }
  Slow:
    Type: AWS::SQS::Queue
    Properties: { VisibilityTimeout: !Ref Word }
  Last:
    Type: AWS::SSM::Parameter
    Properties: { Type: String, Value: !Sub "${Word} ${Quick} ${Slow}" }
"#;

impl World {
    fn breaks(&self, logical_id: &str, phase: Phase, times: Option<u32>) {
        self.cloud.script().resource(fault(logical_id, phase, times));
    }

    async fn reason(&self, name: &str) -> String {
        self.describe(name).await.stack_status_reason().unwrap_or_default().to_owned()
    }

    /// Starts an update of [`THREE`].
    async fn say(&self, name: &str, word: &str, disable_rollback: bool) {
        let call = self.aws.update_stack().stack_name(name).use_previous_template(true);
        let call = call.parameters(parameter("Word", word)).disable_rollback(disable_rollback);
        call.send().await.expect("AWS takes the call");
    }

    async fn update_to(&self, name: &str, template: &str) -> Vec<String> {
        let call = self.aws.update_stack().stack_name(name).template_body(template);
        call.send().await.expect("AWS takes the call");
        self.statuses(name).await
    }

    fn resources(&self, name: &str) -> Vec<String> {
        let stack = self.cloud.console().stack(&key(name)).expect("cloud").expect("stack");
        stack.resources.into_keys().collect()
    }
}

fn count(events: &[String], line: &str) -> usize {
    events.iter().filter(|event| *event == line).count()
}

#[tokio::test(start_paused = true)]
async fn a_name_is_taken_until_its_failed_stack_is_deleted() {
    let world = world().await;
    world.breaks("T", Phase::Change, Some(1));
    let id = world.create("one", TOPIC).await;
    assert_eq!(world.statuses("one").await.last().expect("one"), "ROLLBACK_COMPLETE");
    let again = world.aws.create_stack().stack_name("one").template_body(TOPIC).send().await;
    let (code, message) = error(again.expect_err("the name is taken"));
    assert_eq!((&*code, &*message), ("AlreadyExistsException", "Stack [one] already exists"));
    world.aws.delete_stack().stack_name(&id).send().await.expect("deleted");
    world.pass(60).await;
    world.created("one", TOPIC).await;
    assert_eq!(world.status("one").await, "CREATE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_cannot_be_taken_back_can_only_be_deleted() {
    let world = world().await;
    world.breaks("Last", Phase::Change, Some(1));
    world.breaks("Slow", Phase::Delete, None);
    let id = world.create("three", THREE).await;
    let statuses = world.statuses("three").await;
    assert_eq!(statuses, ["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_FAILED"]);
    let reason = "The following resource(s) failed to delete: [Slow]. ";
    assert_eq!(world.reason("three").await, reason);
    let update = world.aws.update_stack().stack_name("three").template_body(TOPIC).send().await;
    let (_, message) = error(update.expect_err("it never was complete"));
    assert!(message.ends_with("is in ROLLBACK_FAILED state and can not be updated."), "{message}");
    let delete = || world.aws.delete_stack().stack_name(&id);
    let early = delete().retain_resources("Slow").send().await;
    assert_eq!(error(early.expect_err("only on DELETE_FAILED")).0, "ValidationError");
    delete().send().await.expect("AWS takes the call");
    assert_eq!(world.statuses(&id).await, ["DELETE_IN_PROGRESS", "DELETE_FAILED"]);
    delete().retain_resources("Slow").send().await.expect("AWS takes the call");
    assert_eq!(world.statuses(&id).await, ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"]);
    let events = world.events(&id).await;
    assert_eq!(count(&events, "Slow DELETE_SKIPPED "), 1, "{events:#?}");
}

#[tokio::test(start_paused = true)]
async fn only_a_failed_deletion_can_be_forced() {
    let world = world().await;
    let id = world.created("three", THREE).await;
    world.breaks("Quick", Phase::Delete, None);
    let force = || {
        let call = world.aws.delete_stack().stack_name(&id);
        call.deletion_mode(DeletionMode::ForceDeleteStack).send()
    };
    assert_eq!(error(force().await.expect_err("only on DELETE_FAILED")).0, "ValidationError");
    world.aws.delete_stack().stack_name(&id).send().await.expect("AWS takes the call");
    assert_eq!(world.statuses(&id).await, ["DELETE_IN_PROGRESS", "DELETE_FAILED"]);
    let update = world.aws.update_stack().stack_name(&id).template_body(TOPIC).send().await;
    let (_, message) = error(update.expect_err("half of it is gone"));
    assert!(message.ends_with("is in DELETE_FAILED state and can not be updated."), "{message}");
    force().await.expect("AWS takes the call");
    assert_eq!(world.statuses(&id).await, ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_creation_can_delete_itself() {
    let world = world().await;
    world.breaks("T", Phase::Change, None);
    let call = world.aws.create_stack().stack_name("one").template_body(TOPIC);
    let created = call.on_failure(OnFailure::Delete).send().await.expect("AWS takes the call");
    let id = created.stack_id().expect("an id").to_owned();
    let statuses = ["CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"];
    assert_eq!(world.statuses(&id).await, statuses);
}

#[tokio::test(start_paused = true)]
async fn what_is_retained_goes_with_a_failed_creation_only_if_asked() {
    let world = world().await;
    let template = THREE.replace(
        "    Type: AWS::SQS::Queue\n",
        "    Type: AWS::SQS::Queue\n    DeletionPolicy: Retain\n",
    );
    world.breaks("Last", Phase::Change, None);
    world.created("kept", &template).await;
    assert_eq!(count(&world.events("kept").await, "Slow DELETE_SKIPPED "), 1);
    let call = world.aws.create_stack().stack_name("gone").template_body(&template);
    call.retain_except_on_create(true).send().await.expect("AWS takes the call");
    world.pass(300).await;
    assert_eq!(world.status("gone").await, "ROLLBACK_COMPLETE");
    assert_eq!(count(&world.events("gone").await, "Slow DELETE_COMPLETE "), 1);
}

#[tokio::test(start_paused = true)]
async fn what_an_update_cannot_delete_is_left_behind_after_three_attempts() {
    let world = world().await;
    world.created("three", THREE).await;
    world.breaks("Last", Phase::Delete, None);
    let smaller = THREE.split("  Last:").next().expect("a template");
    let statuses = world.update_to("three", smaller).await;
    let cleanup = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS";
    assert_eq!(statuses, ["UPDATE_IN_PROGRESS", cleanup, "UPDATE_COMPLETE"]);
    let reason = "Update successful. One or more resources could not be deleted.";
    assert_eq!(world.reason("three").await, reason);
    let events = world.events("three").await;
    assert_eq!(count(&events, "Last DELETE_FAILED Internal Failure"), 3, "{events:#?}");
    assert_eq!(count(&events, &format!("three UPDATE_COMPLETE {reason}")), 1);
    assert_eq!(world.resources("three"), ["Quick", "Slow"], "CloudFormation forgets it");
}

#[tokio::test(start_paused = true)]
async fn what_can_be_deleted_at_the_second_attempt_is_deleted() {
    let world = world().await;
    world.created("three", THREE).await;
    world.breaks("Slow", Phase::Delete, Some(1));
    let renamed = THREE.replace("VisibilityTimeout: !Ref Word", "QueueName: another");
    world.update_to("three", &renamed).await;
    assert_eq!(world.reason("three").await, "");
    let events = world.events("three").await;
    assert_eq!(count(&events, "Slow DELETE_FAILED Internal Failure"), 1, "{events:#?}");
    assert_eq!(count(&events, "Slow DELETE_COMPLETE "), 1, "the old queue");
    assert_eq!(world.resources("three"), ["Last", "Quick", "Slow"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_rollback_cannot_delete_is_left_behind_as_well() {
    let world = world().await;
    world.created("three", THREE).await;
    world.breaks("New", Phase::Delete, None);
    world.breaks("Zero", Phase::Change, None);
    let larger = format!(
        "{THREE}  New: {{ Type: AWS::SNS::Topic }}\n  Zero: {{ Type: AWS::SNS::Topic, DependsOn: New }}\n"
    );
    let statuses = world.update_to("three", &larger).await;
    let cleanup = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS";
    assert_eq!(statuses[1..], ["UPDATE_ROLLBACK_IN_PROGRESS", cleanup, "UPDATE_ROLLBACK_COMPLETE"]);
    assert!(world.reason("three").await.contains("could not be deleted"));
    assert_eq!(world.resources("three"), ["Last", "Quick", "Slow"]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_resource_is_among_the_failed_and_says_that_it_was_cancelled() {
    let world = world().await;
    world.breaks("Quick", Phase::Change, None);
    world.create("three", THREE).await;
    world.pass(300).await;
    let events = world.events("three").await;
    assert_eq!(count(&events, "Quick CREATE_FAILED Internal Failure"), 1, "{events:#?}");
    assert_eq!(count(&events, "Slow CREATE_FAILED Resource creation cancelled"), 1, "{events:#?}");
    let text = "three ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Quick, \
                Slow]. Rollback requested by user.";
    assert_eq!(count(&events, text), 1, "{events:#?}");
}

#[tokio::test(start_paused = true)]
async fn only_what_failed_to_roll_back_by_itself_can_be_skipped() {
    let world = world().await;
    world.created("three", THREE).await;
    world.breaks("Last", Phase::Change, Some(1));
    world.breaks("Quick", Phase::Rollback, None);
    world.say("three", "two", false).await;
    let statuses = world.statuses("three").await;
    let expected = ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"];
    assert_eq!(statuses, expected);
    let reason = "The following resource(s) failed to update: [Quick, Slow]. ";
    assert_eq!(world.reason("three").await, reason);
    let skip = |name: &str| {
        world.aws.continue_update_rollback().stack_name("three").resources_to_skip(name).send()
    };
    for name in ["Slow", "Nothing"] {
        assert_eq!(error(skip(name).await.expect_err(name)).0, "ValidationError");
    }
    skip("Quick").await.expect("AWS takes the call");
    let cleanup = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS";
    let statuses = world.statuses("three").await;
    assert_eq!(statuses, ["UPDATE_ROLLBACK_IN_PROGRESS", cleanup, "UPDATE_ROLLBACK_COMPLETE"]);
    let again = world.aws.continue_update_rollback().stack_name("three").send().await;
    let (_, message) = error(again.expect_err("nothing is left to continue"));
    assert!(message.contains("is in UPDATE_ROLLBACK_COMPLETE state"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn an_update_that_stays_as_it_failed_is_rolled_back_or_updated_without_rollback() {
    let world = world().await;
    world.created("three", THREE).await;
    world.breaks("Last", Phase::Change, Some(2));
    world.say("three", "two", true).await;
    assert_eq!(world.statuses("three").await, ["UPDATE_IN_PROGRESS", "UPDATE_FAILED"]);
    let plain = world.aws.update_stack().stack_name("three").template_body(THREE).send().await;
    let (_, message) = error(plain.expect_err("rollback would lead to a half of an update"));
    assert!(message.contains("please use the disable-rollback parameter"), "{message}");
    world.say("three", "three", true).await;
    assert_eq!(world.statuses("three").await, ["UPDATE_IN_PROGRESS", "UPDATE_FAILED"]);
    world.aws.rollback_stack().stack_name("three").send().await.expect("AWS takes the call");
    assert_eq!(world.statuses("three").await.last().expect("one"), "UPDATE_ROLLBACK_COMPLETE");
    let value = world.cloud.console().stack(&key("three")).expect("cloud").expect("stack");
    assert_eq!(value.parameters["Word"], "one", "the last that was complete, two updates ago");
    assert!(value.resources["Quick"].properties.contains("one"));
}

#[tokio::test(start_paused = true)]
async fn an_update_can_be_cancelled_while_it_runs_and_not_later() {
    let world = world().await;
    world.created("three", THREE).await;
    world.say("three", "two", false).await;
    world.pass(10).await;
    let delete = world.aws.delete_stack().stack_name("three").send().await;
    let (_, message) = error(delete.expect_err("it is being updated"));
    assert!(message.ends_with("cannot be deleted while in status UPDATE_IN_PROGRESS"), "{message}");
    let cancel = || world.aws.cancel_update_stack().stack_name("three").send();
    cancel().await.expect("AWS takes the call");
    assert_eq!(world.statuses("three").await.last().expect("one"), "UPDATE_ROLLBACK_COMPLETE");
    let value = world.cloud.console().stack(&key("three")).expect("cloud").expect("stack");
    assert!(value.resources["Quick"].properties.contains("one"));
    let (_, message) = error(cancel().await.expect_err("nothing runs"));
    let text = "CancelUpdateStack cannot be called from current stack status \
                UPDATE_ROLLBACK_COMPLETE";
    assert_eq!(message, text);
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_moves_takes_no_second_operation() {
    let world = world().await;
    world.create("jobs", TEMPLATE).await;
    let update = world.aws.update_stack().stack_name("jobs").template_body(TEMPLATE);
    let update = update.capabilities(Capability::CapabilityIam).send().await;
    let (code, message) = error(update.expect_err("it is being created"));
    assert_eq!(code, "ValidationError");
    assert!(message.ends_with("is in CREATE_IN_PROGRESS state and can not be updated."));
    let rollback = world.aws.rollback_stack().stack_name("jobs").send().await;
    assert_eq!(error(rollback.expect_err("nothing failed")).0, "ValidationError");
}

#[tokio::test(start_paused = true)]
async fn a_failure_can_be_ordered_for_one_stack_alone() {
    let world = world().await;
    let stack = Some("second".parse().expect("a name"));
    world.cloud.script().resource(ResourceFault { stack, ..fault("T", Phase::Change, None) });
    world.created("first", TOPIC).await;
    world.created("second", TOPIC).await;
    assert_eq!(world.status("first").await, "CREATE_COMPLETE");
    assert_eq!(world.status("second").await, "ROLLBACK_COMPLETE");
}
