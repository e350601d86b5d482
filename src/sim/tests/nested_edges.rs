//! Nested stacks at the edges: depth, missing outputs, people who change them, what is not simulated.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::Capability;

use crate::clock::Clock;
use crate::ids::StackKey;
use crate::sim::tests::nested::{CHILD, PARENT, breaks, nesting, put, target};
use crate::sim::tests::{ACCOUNT, World, client, clock, error, fault, key, world};
use crate::sim::{Cloud, CloudSettings, Phase, ResourceFault};

const CHILD_URL: &str = "https://templates.s3.eu-central-1.amazonaws.com/child.yaml";

/// A stack of stacks of the one above.
const GRANDPARENT: &str = r#"
Parameters:
  Visibility: { Type: String, Default: "30" }
Resources:
  Middle:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: https://s3.amazonaws.com/templates/parent.yaml
      Parameters: { Visibility: !Ref Visibility }
"#;

#[tokio::test(start_paused = true)]
async fn nested_stacks_stand_in_nested_stacks() {
    let world = nesting().await;
    world.created("top", GRANDPARENT).await;
    let inner = world.all().into_iter().find(|stack| stack.resources.contains_key("Jobs"));
    let inner = inner.expect("the innermost");
    let (top, middle) = (world.nested("top").id, 3);
    assert_eq!(world.all().len(), middle);
    let described = world.describe(&inner.id).await;
    assert_eq!(described.root_id(), Some(top.as_str()));
    assert_ne!(described.parent_id(), Some(top.as_str()));
    breaks(&world, "Jobs", Phase::Change, Some(1));
    breaks(&world, "Notes", Phase::Rollback, Some(1));
    world.update("top", &[("Visibility", "60")]).await;
    assert_eq!(world.statuses("top").await.last().expect("one"), "UPDATE_ROLLBACK_FAILED");
    let failure = world.events("top").await;
    let failure = failure.iter().rfind(|line| line.starts_with("Middle UPDATE_FAILED"));
    assert!(failure.expect("it failed").ends_with("failed to update: [Child]."));
    world.aws.continue_update_rollback().stack_name("top").send().await.expect("continued");
    assert_eq!(world.statuses("top").await.last().expect("one"), "UPDATE_ROLLBACK_COMPLETE");
    for stack in world.all() {
        assert_eq!(stack.status.as_str(), "UPDATE_ROLLBACK_COMPLETE", "{}", stack.name);
    }
    world.aws.delete_stack().stack_name("top").send().await.expect("taken");
    world.pass(300).await;
    assert_eq!(world.all(), []);
}

#[tokio::test(start_paused = true)]
async fn a_nested_stack_without_end_is_refused_by_name() {
    let world = world().await;
    let itself = "{Resources: {Again: {Type: 'AWS::CloudFormation::Stack', Properties: \
                  {TemplateURL: 'https://s3.amazonaws.com/templates/again.yaml'}}}}";
    put(&world.cloud, "again.yaml", itself);
    let call = world.aws.create_stack().stack_name("root").template_body(itself).send().await;
    let (code, message) = error(call.expect_err("without end"));
    assert_eq!(code, "NotSimulated");
    assert!(message.contains("levels below their root"), "{message}");
    let timed = PARENT.replace("      Tags:", "      TimeoutInMinutes: 5\n      Tags:");
    let call = world.aws.create_stack().stack_name("root").template_body(timed).send().await;
    let (_, message) = error(call.expect_err("not known"));
    assert!(message.contains("`TimeoutInMinutes` of nested stack Child"), "{message}");
    assert_eq!(world.cloud.refused().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_output_that_a_nested_stack_lacks_fails_what_needs_it() {
    let world = nesting().await;
    let template = PARENT.replace("JobsArn }", "Nothing }");
    world.create("root", &template).await;
    assert_eq!(world.statuses("root").await.last().expect("one"), "ROLLBACK_COMPLETE");
    let failure = world.failure("root", "Address CREATE_FAILED").await;
    let text = "Address CREATE_FAILED Output 'Nothing' not found in stack 'arn:";
    assert!(failure.starts_with(text), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn people_may_change_a_nested_stack_but_not_while_its_root_is_at_work() {
    let world = nesting().await;
    world.created("root", PARENT).await;
    let child = StackKey { target: target(), name: world.nested("root-Child-").name };
    let console = world.cloud.console();
    let given = BTreeMap::from([("Visibility".to_owned(), "90".to_owned())]);
    console.update_parameters(&child, &given).expect("updated");
    world.pass(120).await;
    assert_eq!(world.nested("root-Child-").parameters["Visibility"], "90");
    world.update("root", &[("Word", "two")]).await;
    let refused = console.update_parameters(&child, &BTreeMap::new());
    assert!(refused.expect_err("at work").to_string().contains("NotSimulated"));
    world.pass(120).await;
    assert_eq!(world.nested("root-Child-").parameters["Visibility"], "30", "the root says so");
    console.protect(&key("root"), true).expect("protected");
    let refused = console.delete_stack(&child).expect_err("as protected as its root");
    assert!(refused.to_string().contains("TerminationProtection"), "{refused}");
    console.protect(&key("root"), false).expect("unprotected");
    console.delete_stack(&child).expect("deleted");
    world.pass(120).await;
    world.update("root", &[("Word", "three")]).await;
    world.pass(120).await;
    let failure = world.failure("root", "Child UPDATE_FAILED").await;
    assert!(failure.contains("does not exist"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn nested_stacks_and_objects_survive_the_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock: Clock = clock();
    let open =
        || Cloud::in_folder(folder.path(), CloudSettings::default(), clock.clone()).expect("opens");
    let cloud = open();
    put(&cloud, "child.yaml", CHILD);
    let aws = client(&cloud, &clock, ACCOUNT).await;
    let call = aws.create_stack().stack_name("root").template_body(PARENT);
    call.capabilities(Capability::CapabilityIam).send().await.expect("created");
    clock.sleep(std::time::Duration::from_secs(20)).await;
    drop((cloud, aws));
    let cloud = open();
    let aws = client(&cloud, &clock, ACCOUNT).await;
    let world = World { cloud, clock: clock.clone(), aws };
    assert_eq!(world.nested("root-Child-").status.as_str(), "CREATE_IN_PROGRESS");
    assert_eq!(world.statuses("root").await, ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]);
    put(&world.cloud, "child.yaml", &CHILD.replace("Notes:", "Other:"));
    let call = world.aws.update_stack().stack_name("root").template_url(CHILD_URL).send().await;
    call.expect("the new text is read");
}

#[tokio::test(start_paused = true)]
async fn a_resource_of_a_nested_stack_may_be_told_to_fail_by_the_name_of_its_stack() {
    let world = nesting().await;
    world.created("root", PARENT).await;
    let name = world.nested("root-Child-").name;
    let fault = ResourceFault { stack: Some(name), ..fault("Notes", Phase::Change, None) };
    world.cloud.script().resource(fault);
    world.update("root", &[("Visibility", "60")]).await;
    assert_eq!(world.statuses("root").await.last().expect("one"), "UPDATE_ROLLBACK_COMPLETE");
}
