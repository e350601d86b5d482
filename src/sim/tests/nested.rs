//! Nested stacks: made, changed, taken back and deleted with the stack above them.

use aws_sdk_cloudformation::types::{Capability, ChangeSetType, DeletionMode};

use crate::ids::Target;
use crate::sim::tests::{ACCOUNT, REGION, TOPIC, World, error, fault, parameter, tag, world};
use crate::sim::{Cloud, Phase, StackView};

/// A queue with a parameter beside it; the queue's visibility is a parameter.
pub(super) const CHILD: &str = r#"
Parameters:
  Visibility: { Type: String, Default: "30" }
Resources:
  Jobs: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: !Ref Visibility } }
  Notes: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref Visibility } }
Outputs:
  JobsArn: { Value: !GetAtt Jobs.Arn }
"#;

/// A nested stack, something that needs its output, and something that takes a word.
pub(super) const PARENT: &str = r#"
Parameters:
  Visibility: { Type: String, Default: "30" }
  Word: { Type: String, Default: one }
Resources:
  Child:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: https://templates.s3.eu-central-1.amazonaws.com/child.yaml
      Parameters: { Visibility: !Ref Visibility }
      Tags: [{ Key: part, Value: child }]
  Address:
    Type: AWS::SSM::Parameter
    Properties: { Type: String, Value: !GetAtt Child.Outputs.JobsArn }
  Note: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref Word } }
Outputs:
  Address: { Value: !GetAtt Child.Outputs.JobsArn }
"#;

pub(super) async fn nesting() -> World {
    let world = world().await;
    put(&world.cloud, "child.yaml", CHILD);
    put(&world.cloud, "parent.yaml", PARENT);
    world
}

pub(super) fn put(cloud: &Cloud, key: &str, text: &str) {
    cloud.console().put_object("templates", key, text.as_bytes()).expect("the cloud takes it");
}

pub(super) fn target() -> Target {
    Target { account: ACCOUNT.parse().expect("an account"), region: REGION.parse().expect("one") }
}

impl World {
    pub(super) fn all(&self) -> Vec<StackView> {
        let Target { account, region } = target();
        self.cloud.console().stacks(account, &region).expect("the cloud answers")
    }

    /// The only stack whose name is this, or begins so with a dash at the end.
    pub(super) fn nested(&self, prefix: &str) -> StackView {
        let is_it = |name: &str| match prefix.ends_with('-') {
            true => name.starts_with(prefix),
            false => name == prefix,
        };
        let mut found = self.all();
        found.retain(|stack| is_it(stack.name.as_str()));
        assert_eq!(found.len(), 1, "{prefix}: {found:#?}");
        found.remove(0)
    }

    pub(super) async fn update(&self, name: &str, given: &[(&str, &str)]) {
        let mut call = self.aws.update_stack().stack_name(name).use_previous_template(true);
        for (name, value) in given {
            call = call.parameters(parameter(name, value));
        }
        call.capabilities(Capability::CapabilityIam).send().await.expect("AWS takes the call");
    }

    /// The failure of a resource in the history of a stack.
    pub(super) async fn failure(&self, stack: &str, start: &str) -> String {
        let events = self.events(stack).await;
        let found = events.iter().find(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("{start}: {events:#?}")).clone()
    }
}

pub(super) fn breaks(world: &World, logical_id: &str, phase: Phase, times: Option<u32>) {
    world.cloud.script().resource(fault(logical_id, phase, times));
}

#[tokio::test(start_paused = true)]
async fn a_nested_stack_is_a_stack_of_its_own_that_is_made_with_its_parent() {
    let world = nesting().await;
    let call = world.aws.create_stack().stack_name("root").template_body(PARENT);
    let id = call.tags(tag("fleet", "f")).send().await.expect("created");
    assert_eq!(world.statuses("root").await, ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]);
    let child = world.nested("root-Child-");
    let described = world.describe(&child.id).await;
    assert_eq!(described.parent_id(), id.stack_id());
    assert_eq!(described.root_id(), id.stack_id());
    assert_eq!(child.status.as_str(), "CREATE_COMPLETE");
    assert_eq!(
        child.tags,
        [("fleet", "f"), ("part", "child")].map(|(a, b)| (a.into(), b.into())).into()
    );
    let root = world.nested("root");
    assert_eq!(root.resources["Child"].physical_id, child.id);
    assert_eq!(root.outputs["Address"], child.outputs["JobsArn"]);
    assert!(root.resources["Address"].properties.contains(&child.outputs["JobsArn"]));
    let of_parent = world.events("root").await;
    let of_child = world.events(&child.id).await;
    assert!(of_parent.contains(&"Child CREATE_COMPLETE ".to_owned()), "{of_parent:#?}");
    assert!(!of_parent.iter().any(|line| line.starts_with("Jobs ")), "{of_parent:#?}");
    assert!(of_child.contains(&"Jobs CREATE_COMPLETE ".to_owned()), "{of_child:#?}");
    let listed = world.aws.describe_stacks().send().await.expect("listed");
    assert_eq!(listed.stacks().len(), 2);
    assert!(world.cloud.refused().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_template_that_is_not_there_fails_as_aws_says() {
    let world = world().await;
    put(&world.cloud, "other.yaml", TOPIC);
    let create = |url: &str| {
        let call = world.aws.create_stack().stack_name("one").template_url(url);
        async { error(call.send().await.expect_err("no template")).1 }
    };
    let missing = create("https://s3.eu-central-1.amazonaws.com/templates/none.yaml").await;
    assert!(missing.starts_with("S3 error: The specified key does not exist."), "{missing}");
    let foreign = create("https://example.com/child.yaml").await;
    assert_eq!(foreign, "TemplateURL must be a supported URL.");
    world.create("root", PARENT).await;
    let statuses = world.statuses("root").await;
    assert_eq!(statuses.last().expect("one"), "ROLLBACK_COMPLETE");
    let failure = world.failure("root", "Child CREATE_FAILED").await;
    assert!(failure.contains("S3 error: The specified key does not exist."), "{failure}");
    put(&world.cloud, "topic.json", TOPIC);
    let url = "https://templates.s3.amazonaws.com/topic.json";
    world.aws.create_stack().stack_name("one").template_url(url).send().await.expect("created");
    let set = world.aws.create_change_set().stack_name("two").change_set_name("set");
    let set = set.change_set_type(ChangeSetType::Create).template_url(url);
    set.send().await.expect("created");
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_fails_inside_is_taken_back_and_names_the_nested_stack() {
    let world = nesting().await;
    breaks(&world, "Jobs", Phase::Change, None);
    world.create("root", PARENT).await;
    world.pass(36).await;
    let child = world.nested("root-Child-");
    assert_eq!(world.statuses("root").await.last().expect("one"), "ROLLBACK_COMPLETE");
    let reason = "The following resource(s) failed to create: [Jobs]. ";
    assert_eq!(
        world.failure("root", "Child CREATE_FAILED").await,
        format!(
            "Child CREATE_FAILED Embedded stack {} was not successfully created: {reason}",
            child.id
        )
    );
    let events = world.events(&child.id).await;
    assert!(events.contains(&format!("{} CREATE_FAILED {reason}", child.name)), "{events:#?}");
    assert!(events.contains(&"Notes DELETE_COMPLETE ".to_owned()), "{events:#?}");
    assert_eq!(world.status(&child.id).await, "DELETE_COMPLETE");
    assert_eq!(world.all().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_update_reaches_inside_and_is_cleaned_up_with_its_root() {
    let world = nesting().await;
    world.created("root", PARENT).await;
    let before = world.nested("root-Child-");
    world.update("root", &[("Visibility", "60")]).await;
    let complete = ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"];
    world.pass(5).await;
    assert_eq!(world.statuses(&before.id).await, complete);
    assert_eq!(world.statuses("root").await.last().expect("one"), "UPDATE_COMPLETE");
    let child = world.nested("root-Child-");
    assert_eq!((&child.id, child.parameters["Visibility"].as_str()), (&before.id, "60"));
    assert!(child.resources["Jobs"].properties.contains("60"));
    // The same again looks into the nested stack and finds nothing to do there.
    world.update("root", &[("Visibility", "60")]).await;
    assert_eq!(world.statuses("root").await, complete);
    assert_eq!(world.nested("root-Child-"), child);
    put(&world.cloud, "child.yaml", &CHILD.replace("Notes:", "Other:"));
    world.update("root", &[("Visibility", "60")]).await;
    world.pass(300).await;
    let resources = world.nested("root-Child-").resources;
    assert_eq!(resources.keys().collect::<Vec<_>>(), ["Jobs", "Other"]);
    world.aws.update_stack().stack_name("root").template_body(TOPIC).send().await.expect("taken");
    world.pass(300).await;
    assert_eq!(world.all().len(), 1, "it goes with its resource");
    assert_eq!(world.status(&child.id).await, "DELETE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn an_update_that_fails_inside_or_beside_is_taken_back_in_both() {
    for broken in ["Jobs", "Address"] {
        let world = nesting().await;
        world.created("root", PARENT).await;
        let before = world.nested("root-Child-");
        breaks(&world, broken, Phase::Change, Some(1));
        put(
            &world.cloud,
            "child.yaml",
            &CHILD.replace("JobsArn:", "Unused: { Value: x }\n  JobsArn:"),
        );
        let template =
            PARENT.replace("Value: !GetAtt Child", "Description: new, Value: !GetAtt Child");
        let call = world.aws.update_stack().stack_name("root").template_body(&template);
        call.parameters(parameter("Visibility", "60")).send().await.expect("taken");
        assert_eq!(world.statuses("root").await.last().expect("one"), "UPDATE_ROLLBACK_COMPLETE");
        let after = world.nested("root-Child-");
        assert_eq!(after.status.as_str(), "UPDATE_ROLLBACK_COMPLETE", "{broken}");
        assert_eq!((&after.parameters, &after.outputs), (&before.parameters, &before.outputs));
        assert_eq!(after.template, before.template);
        assert_eq!(after.resources["Jobs"].properties, before.resources["Jobs"].properties);
        if broken == "Jobs" {
            assert_eq!(
                world.failure("root", "Child UPDATE_FAILED").await,
                format!(
                    "Child UPDATE_FAILED Embedded stack {} was not successfully updated. Currently \
                     in UPDATE_ROLLBACK_IN_PROGRESS with reason: The following resource(s) failed \
                     to update: [Jobs].",
                    before.id
                )
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_nested_stack_is_cut_short_when_something_beside_it_fails() {
    let world = nesting().await;
    breaks(&world, "Note", Phase::Change, None);
    world.create("root", PARENT).await;
    world.pass(9).await;
    let child = world.nested("root-Child-");
    assert_eq!(world.statuses("root").await.last().expect("one"), "ROLLBACK_COMPLETE");
    let failure = world.failure("root", "Child CREATE_FAILED").await;
    assert_eq!(failure, "Child CREATE_FAILED Resource creation cancelled");
    assert_eq!(world.status(&child.id).await, "DELETE_COMPLETE");
}

/// A root whose nested stack could not go back to how it was.
async fn stuck() -> (World, StackView) {
    let world = nesting().await;
    world.created("root", PARENT).await;
    breaks(&world, "Note", Phase::Change, Some(1));
    breaks(&world, "Jobs", Phase::Rollback, None);
    put(&world.cloud, "parent.yaml", PARENT);
    let word =
        PARENT.replace("Type: String, Value: !Ref Word", "Type: String, Value: !Sub \"${Word}!\"");
    let word = word.replace("  Note: { Type: AWS", "  Note: { DependsOn: Child, Type: AWS");
    let call = world.aws.update_stack().stack_name("root").template_body(word);
    call.parameters(parameter("Visibility", "60")).send().await.expect("taken");
    assert_eq!(world.statuses("root").await.last().expect("one"), "UPDATE_ROLLBACK_FAILED");
    let child = world.nested("root-Child-");
    assert_eq!(child.status.as_str(), "UPDATE_ROLLBACK_FAILED");
    (world, child)
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_fails_inside_is_continued_from_the_root() {
    let (world, child) = stuck().await;
    let events = world.events("root").await;
    let text = format!(
        "Child UPDATE_FAILED Embedded stack {} was not successfully updated. Currently in \
         UPDATE_ROLLBACK_FAILED with reason: The following resource(s) failed to update: [Jobs].",
        child.id
    );
    assert!(events.contains(&text), "{events:#?}");
    let refused = world.aws.continue_update_rollback().stack_name(&child.id).send().await;
    let (_, text) = error(refused.expect_err("a child"));
    assert_eq!(text, "RollbackUpdatedStack cannot be invoked on child stacks");
    world.cloud.script().clear();
    world.aws.continue_update_rollback().stack_name("root").send().await.expect("continued");
    assert_eq!(world.statuses("root").await.last().expect("one"), "UPDATE_ROLLBACK_COMPLETE");
    let child = world.nested("root-Child-");
    assert_eq!(child.status.as_str(), "UPDATE_ROLLBACK_COMPLETE");
    assert!(child.resources["Jobs"].properties.contains("30"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_go_back_inside_is_skipped_by_the_name_of_its_stack() {
    let (world, child) = stuck().await;
    let skip = |name: String| {
        let call = world.aws.continue_update_rollback().stack_name("root");
        call.resources_to_skip(name).send()
    };
    for (name, text) in [
        ("Child.Jobs".to_owned(), "Stack [Child] does not exist"),
        (format!("{}.Notes", child.name), "must be in UPDATE_FAILED state"),
        ("Child".to_owned(), "must be in UPDATE_FAILED state"),
        ("Address".to_owned(), "must be in UPDATE_FAILED state"),
    ] {
        let (code, message) = error(skip(name.clone()).await.expect_err("refused"));
        assert_eq!(code, "ValidationError");
        assert!(message.contains(text), "{name}: {message}");
    }
    skip(format!("{}.Jobs", child.name)).await.expect("continued");
    assert_eq!(world.statuses("root").await.last().expect("one"), "UPDATE_ROLLBACK_COMPLETE");
    let after = world.nested("root-Child-");
    assert_eq!(after.status.as_str(), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(after.parameters["Visibility"], "30");
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_fails_inside_fails_and_may_leave_the_nested_stack_behind() {
    let world = nesting().await;
    world.created("root", PARENT).await;
    let child = world.nested("root-Child-");
    breaks(&world, "Jobs", Phase::Delete, None);
    world.aws.delete_stack().stack_name("root").send().await.expect("taken");
    assert_eq!(world.statuses("root").await, ["DELETE_IN_PROGRESS", "DELETE_FAILED"]);
    let text = "was not successfully deleted: The following resource(s) failed to delete: [Jobs]. ";
    let failure = world.failure("root", "Child DELETE_FAILED").await;
    assert_eq!(failure, format!("Child DELETE_FAILED Embedded stack {} {text}", child.id));
    assert_eq!(world.status(&child.id).await, "DELETE_FAILED");
    let retained = world.aws.delete_stack().stack_name("root").retain_resources("Child");
    retained.send().await.expect("taken");
    world.pass(60).await;
    let names: Vec<_> = world.all().into_iter().map(|stack| stack.name).collect();
    assert_eq!(names, std::slice::from_ref(&child.name));
    let forced = world.aws.delete_stack().stack_name(&child.id);
    forced.deletion_mode(DeletionMode::ForceDeleteStack).send().await.expect("taken");
    world.pass(60).await;
    assert_eq!(world.all(), []);
}

#[tokio::test(start_paused = true)]
async fn a_root_that_is_deleted_by_force_takes_what_it_can_along() {
    let world = nesting().await;
    world.created("root", PARENT).await;
    breaks(&world, "Jobs", Phase::Delete, None);
    world.aws.delete_stack().stack_name("root").send().await.expect("taken");
    world.pass(120).await;
    let forced = world.aws.delete_stack().stack_name("root");
    forced.deletion_mode(DeletionMode::ForceDeleteStack).send().await.expect("taken");
    world.pass(120).await;
    assert_eq!(world.all(), []);
}

#[tokio::test(start_paused = true)]
async fn a_change_set_cannot_look_into_a_nested_stack() {
    let world = nesting().await;
    world.created("root", PARENT).await;
    let call = world.aws.create_change_set().stack_name("root").change_set_name("set");
    call.use_previous_template(true).send().await.expect("created");
    world.pass(10).await;
    let set = world.aws.describe_change_set().stack_name("root").change_set_name("set");
    let set = set.send().await.expect("described");
    let line = |change: &aws_sdk_cloudformation::types::Change| {
        let change = change.resource_change().expect("of a resource");
        let detail = &change.details()[0];
        format!(
            "{} {} {} {}",
            change.logical_resource_id().expect("an id"),
            change.replacement().expect("a word").as_str(),
            detail.evaluation().expect("a word").as_str(),
            detail.change_source().expect("a source").as_str()
        )
    };
    let lines: Vec<_> = set.changes().iter().map(line).collect();
    let expected = ["Address False Dynamic ResourceAttribute", "Child False Dynamic Automatic"];
    assert_eq!(lines, expected, "though nothing will change");
    let call = world.aws.execute_change_set().stack_name("root").change_set_name("set");
    call.send().await.expect("executed");
    assert_eq!(world.statuses("root").await.last().expect("one"), "UPDATE_COMPLETE");
    let child = world.nested("root-Child-");
    assert_eq!(child.status.as_str(), "CREATE_COMPLETE", "it was not touched");
}
