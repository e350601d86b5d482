//! Deleting stacks.

use super::*;
use crate::sim::{Phase, ResourceFault, Status};

#[tokio::test(start_paused = true)]
async fn a_deleted_stack_is_known_by_its_arn_only() {
    let world = world().await;
    let id = world.created("jobs", TEMPLATE).await;
    world.aws.delete_stack().stack_name(&id).send().await.expect("deleted");
    assert_eq!(world.status("jobs").await, "DELETE_IN_PROGRESS");
    world.pass(300).await;
    let missing = world.aws.describe_stacks().stack_name("jobs").send().await;
    let (code, message) = error(missing.expect_err("it has gone"));
    assert_eq!((code.as_str(), message.as_str()), ("ValidationError", "Stack with id jobs does not exist"));
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
