//! Change sets and what guards updates.

use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{Capability, ChangeSetType};

use super::*;

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
    world.aws.set_stack_policy().stack_name("jobs").stack_policy_body(policy).send().await.expect("set");
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
