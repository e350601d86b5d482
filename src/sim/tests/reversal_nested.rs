//! Drift-aware change sets that look into nested stacks.

use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{Capability, ChangeSetType, DeploymentMode};
use serde_json::json;

use crate::sim::tests::drift::ids;
use crate::sim::tests::nested::{breaks, put};
use crate::sim::tests::reversal::{changes, lines};
use crate::sim::tests::{World, error, key, parameter, tag, world_with};
use crate::sim::{CloudSettings, DriftTrouble, Phase, Reality};

/// A nested stack that has one itself, another one beside it, and a parameter.
const ROOT: &str = r#"
Parameters:
  Delay: { Type: Number, Default: 5 }
Resources:
  Middle:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: https://templates.s3.amazonaws.com/middle.yaml
      Parameters: { Delay: !Ref Delay }
  Beside:
    Type: AWS::CloudFormation::Stack
    Properties: { TemplateURL: https://templates.s3.amazonaws.com/beside.yaml }
  Note: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: a } }
  Address: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !GetAtt Beside.Outputs.Arn } }
"#;

const MIDDLE: &str = r#"
Parameters:
  Delay: { Type: Number }
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties: { AssumeRolePolicyDocument: { Version: "2012-10-17", Statement: [] }, MaxSessionDuration: 3600 }
  Inner:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: https://templates.s3.amazonaws.com/inner.yaml
      Parameters: { Delay: !Ref Delay }
"#;

const INNER: &str = r#"
Parameters:
  Delay: { Type: Number }
Resources:
  Jobs: { Type: AWS::SQS::Queue, Properties: { QueueName: jobs, DelaySeconds: !Ref Delay } }
  Later: { Type: AWS::SQS::Queue, Properties: { DelaySeconds: !Ref Delay } }
Outputs:
  Arn: { Value: !GetAtt Jobs.Arn }
"#;

const BESIDE: &str = r#"
Resources:
  Topic: { Type: AWS::SNS::Topic, Properties: { DisplayName: a } }
Outputs:
  Arn: { Value: !Ref Topic }
"#;

const NO_CHANGES: &str = "The submitted information didn't contain changes.";

async fn tree_with(settings: CloudSettings) -> World {
    let world = world_with(settings).await;
    put(&world.cloud, "middle.yaml", MIDDLE);
    put(&world.cloud, "inner.yaml", INNER);
    put(&world.cloud, "beside.yaml", BESIDE);
    world.created("root", ROOT).await;
    assert_eq!(world.status("root").await, "CREATE_COMPLETE");
    world
}

async fn tree() -> World {
    tree_with(CloudSettings::default()).await
}

/// Two changes in the stacks below, on two levels.
async fn drifted() -> World {
    let world = tree().await;
    world.change_in(MIDDLE_NAME, "Role", "/MaxSessionDuration", json!(7_200));
    world.lose_in(INNER_NAME, "Jobs");
    world
}

/// How the names of the stacks begin.
const MIDDLE_NAME: &str = "root-Middle-";
const INNER_NAME: &str = "root-Middle-*-Inner-";

impl World {
    /// The name of a stack below: the innermost one by the name of its parent.
    fn below(&self, prefix: &str) -> String {
        let mut found = self.all();
        found.retain(|stack| match prefix {
            INNER_NAME => stack.name.as_str().contains("-Inner-"),
            prefix => {
                stack.name.as_str().starts_with(prefix) && !stack.name.as_str().contains("-Inner-")
            }
        });
        assert_eq!(found.len(), 1, "{prefix}: {found:#?}");
        found.remove(0).name.to_string()
    }

    fn change_in(&self, prefix: &str, logical_id: &str, pointer: &str, value: serde_json::Value) {
        let key = key(&self.below(prefix));
        let done = self.cloud.console().change_property(&key, logical_id, pointer, value);
        done.expect("the property is changed");
    }

    fn lose_in(&self, prefix: &str, logical_id: &str) {
        let done = self.cloud.console().delete_resource(&key(&self.below(prefix)), logical_id);
        done.expect("the resource is deleted");
    }

    fn reality_in(&self, prefix: &str, logical_id: &str) -> Reality {
        let key = key(&self.below(prefix));
        let stack = self.cloud.console().stack(&key).expect("a console").expect("a stack");
        stack.resources[logical_id].reality.clone()
    }

    /// A new change set of the root, drift-aware or not, and what it shows.
    async fn set(&self, at_drift: bool, nested: bool) -> DescribeChangeSetOutput {
        let call = self.aws.delete_change_set().stack_name("root").change_set_name("back");
        call.send().await.expect("there is none of this name");
        let mut call = self.aws.create_change_set().stack_name("root").change_set_name("back");
        call = call.change_set_type(ChangeSetType::Update).use_previous_template(true);
        call = call.include_nested_stacks(nested).capabilities(Capability::CapabilityIam);
        if at_drift {
            call = call.deployment_mode(DeploymentMode::RevertDrift);
        }
        call.send().await.expect("the set is created");
        self.pass(10).await;
        let call = self.aws.describe_change_set().stack_name("root").change_set_name("back");
        call.include_property_values(true).send().await.expect("the set")
    }

    /// The set of a nested stack, by its ARN in the set above.
    async fn set_below(
        &self,
        above: &DescribeChangeSetOutput,
        logical_id: &str,
    ) -> DescribeChangeSetOutput {
        let is_it = |id: Option<&str>| id == Some(logical_id);
        let change = changes(above).into_iter().find(|one| is_it(one.logical_resource_id()));
        let id = change.expect("it is listed").change_set_id().expect("it has a set").to_owned();
        let call = self.aws.describe_change_set().change_set_name(id);
        call.include_property_values(true).send().await.expect("the set")
    }

    async fn bring_all_back(&self) -> Vec<String> {
        let call = self.aws.execute_change_set().stack_name("root").change_set_name("back");
        call.send().await.expect("it is executed");
        self.statuses("root").await
    }

    /// All change sets of the stacks below.
    fn sets_below(&self) -> Vec<String> {
        let stacks = self.all().into_iter().filter(|stack| stack.parent.is_some());
        stacks.flat_map(|stack| stack.change_sets).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn drift_two_levels_deep_is_listed_in_sets_of_the_nested_stacks_and_brought_back() {
    let world = drifted().await;
    let set = world.set(true, true).await;
    assert_eq!(set.execution_status().expect("one").as_str(), "AVAILABLE");
    assert_eq!(set.include_nested_stacks(), Some(true));
    assert_eq!((set.parent_change_set_id(), set.root_change_set_id()), (None, None));
    assert_eq!(set.stack_drift_status().expect("one").as_str(), "IN_SYNC", "it is inside");
    assert_eq!(lines(&set), ["Modify Middle UNSUPPORTED", "  - - - - -"]);
    let middle = world.set_below(&set, "Middle").await;
    let name = middle.change_set_name().expect("a name");
    assert!(name.starts_with("back-Middle-"), "{name}");
    assert_eq!(middle.stack_name(), Some(world.below(MIDDLE_NAME).as_str()));
    assert_eq!(middle.parent_change_set_id(), set.change_set_id());
    assert_eq!(middle.root_change_set_id(), set.change_set_id());
    assert_eq!(middle.deployment_mode(), Some(&DeploymentMode::RevertDrift));
    assert_eq!(middle.stack_drift_status().expect("one").as_str(), "DRIFTED");
    assert_eq!(middle.status().expect("one").as_str(), "CREATE_COMPLETE");
    assert_eq!(middle.execution_status().expect("one").as_str(), "UNAVAILABLE");
    assert_eq!(middle.status_reason(), Some("Executable from root change set"));
    assert_eq!(
        lines(&middle),
        [
            "Modify Inner UNSUPPORTED",
            "  - - - - -",
            "Modify Role MODIFIED",
            "  /MaxSessionDuration Modify 7200 3600 3600",
        ]
    );
    let inner = world.set_below(&middle, "Inner").await;
    assert_eq!(inner.parent_change_set_id(), middle.change_set_id());
    assert_eq!(inner.root_change_set_id(), set.change_set_id());
    assert_eq!(lines(&inner), ["Add Jobs DELETED"]);
    let call = world.aws.list_change_sets().stack_name(world.below(INNER_NAME));
    let listed = call.send().await.expect("listed");
    assert_eq!(listed.summaries()[0].root_change_set_id(), set.change_set_id());
    assert_eq!(world.bring_all_back().await.last().expect("one"), "UPDATE_COMPLETE");
    assert_eq!(world.cloud.console().drifted().expect("a list"), []);
    for prefix in [MIDDLE_NAME, INNER_NAME] {
        let stack = world.describe(&world.below(prefix)).await;
        assert_eq!(stack.stack_status().expect("one").as_str(), "UPDATE_COMPLETE");
        assert!(stack.last_updated_time().is_some());
    }
    let events = world.events(&world.below(INNER_NAME)).await;
    assert!(events.contains(&"Jobs CREATE_COMPLETE ".to_owned()), "{events:#?}");
    assert!(!events.iter().any(|line| line.starts_with("Later UPDATE")), "{events:#?}");
    assert!(world.describe("root").await.last_updated_time().is_some());
    assert_eq!(world.status(&world.below("root-Beside-")).await, "CREATE_COMPLETE");
    let done = world.set_below(&set, "Middle").await;
    assert_eq!(done.execution_status().expect("one").as_str(), "EXECUTE_COMPLETE");
    assert!(world.cloud.refused().is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_drift_anywhere_there_is_nothing_to_bring_back() {
    let world = tree().await;
    for at_drift in [true, false] {
        let set = world.set(at_drift, true).await;
        assert_eq!(set.status().expect("a status").as_str(), "FAILED");
        assert!(set.status_reason().expect("a reason").starts_with(NO_CHANGES));
        assert_eq!(lines(&set), Vec::<String>::new());
    }
    assert!(world.sets_below().is_empty());
    let note = key("root");
    let done = world.cloud.console().change_property(&note, "Note", "/Value", json!("b"));
    done.expect("changed");
    let set = world.set(true, true).await;
    assert_eq!(lines(&set), ["Modify Note MODIFIED", "  /Value Modify b a a"]);
}

#[tokio::test(start_paused = true)]
async fn a_set_that_does_not_look_into_nested_stacks_leaves_them_as_they_are() {
    let world = drifted().await;
    let was = world.cloud.console().drifted().expect("a list");
    let set = world.set(true, false).await;
    let ids = changes(&set).iter().map(|one| one.change_set_id()).collect::<Vec<_>>();
    assert_eq!(ids, [None, None, None], "each might change");
    assert!(world.sets_below().is_empty());
    assert_eq!(world.bring_all_back().await.last().expect("one"), "UPDATE_COMPLETE");
    assert_eq!(world.cloud.console().drifted().expect("a list"), was);
}

#[tokio::test(start_paused = true)]
async fn only_what_the_sets_of_nested_stacks_list_is_brought_back() {
    let world = drifted().await;
    world.set(true, true).await;
    world.change_in(INNER_NAME, "Later", "/DelaySeconds", json!(9));
    world.change_in("root-Beside-", "Topic", "/DisplayName", json!("b"));
    assert_eq!(world.bring_all_back().await.last().expect("one"), "UPDATE_COMPLETE");
    assert_eq!(world.reality_in(INNER_NAME, "Jobs"), Reality::AsRecorded);
    assert_eq!(world.reality_in(MIDDLE_NAME, "Role"), Reality::AsRecorded);
    assert!(matches!(world.reality_in(INNER_NAME, "Later"), Reality::Changed(_)));
    assert!(matches!(world.reality_in("root-Beside-", "Topic"), Reality::Changed(_)));
}

#[tokio::test(start_paused = true)]
async fn what_a_nested_stack_puts_out_may_change_what_takes_it_and_does_not() {
    let world = tree().await;
    world.change_in("root-Beside-", "Topic", "/DisplayName", json!("b"));
    let set = world.set(true, true).await;
    let heads: Vec<_> = lines(&set).into_iter().filter(|line| line.starts_with("Modify")).collect();
    assert_eq!(heads, ["Modify Address IN_SYNC", "Modify Beside UNSUPPORTED"]);
    assert_eq!(world.bring_all_back().await.last().expect("one"), "UPDATE_COMPLETE");
    assert_eq!(world.cloud.console().drifted().expect("a list"), []);
    let events = world.events("root").await;
    assert!(!events.iter().any(|line| line.starts_with("Address UPDATE")), "{events:#?}");
}

#[tokio::test(start_paused = true)]
async fn the_set_of_a_nested_stack_is_executed_and_deleted_with_the_one_of_the_root_only() {
    let world = drifted().await;
    let set = world.set(true, true).await;
    let middle = world.set_below(&set, "Middle").await;
    let id = middle.change_set_id().expect("an id");
    let refused = world.aws.execute_change_set().change_set_name(id).send().await;
    let (code, text) = error(refused.expect_err("a child's"));
    assert_eq!(code, "InvalidChangeSetStatus");
    let end = "cannot be executed in its current execution status of [UNAVAILABLE]";
    assert!(text.ends_with(end), "{text}");
    let refused = world.aws.delete_change_set().change_set_name(id).send().await;
    assert_eq!(error(refused.expect_err("a child's")).0, "InvalidChangeSetStatus");
    assert_eq!(world.sets_below().len(), 2);
    let call = world.aws.delete_change_set().stack_name("root").change_set_name("back");
    call.send().await.expect("deleted");
    assert!(world.sets_below().is_empty());
    let gone = world.aws.describe_change_set().change_set_name(id).send().await;
    assert_eq!(error(gone.expect_err("it is gone")).0, "ChangeSetNotFound");
}

#[tokio::test(start_paused = true)]
async fn a_set_of_the_root_falls_with_one_below_that_holds_no_more() {
    let world = drifted().await;
    world.set(true, true).await;
    let name = world.below(INNER_NAME);
    let call = world.aws.update_stack().stack_name(&name).use_previous_template(true);
    call.parameters(parameter("Delay", "5")).tags(tag("a", "b")).send().await.expect("taken");
    world.statuses(&name).await;
    let call = world.aws.execute_change_set().stack_name("root").change_set_name("back");
    let (code, text) = error(call.send().await.expect_err("it does not hold"));
    assert_eq!(code, "InvalidChangeSetStatus");
    assert!(text.ends_with("[OBSOLETE]"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_reversal_that_fails_inside_goes_back_everywhere() {
    for broken in ["Later", "Role", "Note"] {
        let world = drifted().await;
        world.change_in(INNER_NAME, "Later", "/DelaySeconds", json!(9));
        let note = key("root");
        let done = world.cloud.console().change_property(&note, "Note", "/Value", json!("b"));
        done.expect("changed");
        let was = world.cloud.console().drifted().expect("a list");
        world.set(true, true).await;
        breaks(&world, broken, Phase::Change, Some(1));
        assert_eq!(world.bring_all_back().await.last().expect("one"), "UPDATE_ROLLBACK_COMPLETE");
        assert_eq!(world.cloud.console().drifted().expect("a list"), was, "{broken}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reversal_that_cannot_go_back_inside_is_continued_to_what_really_was() {
    let world = drifted().await;
    world.change_in(INNER_NAME, "Later", "/DelaySeconds", json!(9));
    let was = world.cloud.console().drifted().expect("a list");
    let set = world.set(true, true).await;
    breaks(&world, "Role", Phase::Change, Some(1));
    breaks(&world, "Later", Phase::Rollback, Some(1));
    assert_eq!(world.bring_all_back().await.last().expect("one"), "UPDATE_ROLLBACK_FAILED");
    let middle = world.set_below(&set, "Middle").await;
    assert_eq!(middle.execution_status().expect("one").as_str(), "EXECUTE_FAILED");
    world.aws.continue_update_rollback().stack_name("root").send().await.expect("continued");
    assert_eq!(world.statuses("root").await.last().expect("one"), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(world.cloud.console().drifted().expect("a list"), was);
}

#[tokio::test(start_paused = true)]
async fn sets_of_nested_stacks_may_list_changes_that_nothing_asks_for() {
    let world = tree().await;
    world.order(DriftTrouble::Phantom { logical_ids: ids(&["Later"]) }, Some(1));
    let set = world.set(true, true).await;
    let middle = world.set_below(&set, "Middle").await;
    let inner = world.set_below(&middle, "Inner").await;
    assert_eq!(lines(&inner), ["Modify Later MODIFIED", "  /DelaySeconds Add - 5 5"]);
    assert_eq!(world.bring_all_back().await.last().expect("one"), "UPDATE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_ignores_the_mode_finds_nothing_inside() {
    let settings = CloudSettings { ignores_deployment_mode: true, ..CloudSettings::default() };
    let world = tree_with(settings).await;
    world.lose_in(INNER_NAME, "Jobs");
    let set = world.set(true, true).await;
    assert_eq!(set.status().expect("a status").as_str(), "FAILED");
    assert!(set.status_reason().expect("a reason").starts_with(NO_CHANGES));
    assert_eq!((set.deployment_mode(), set.stack_drift_status()), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_set_below_that_fails_lets_the_one_above_fail() {
    let world = drifted().await;
    put(&world.cloud, "inner.yaml", "{Resources: {A: {Type: 'AWS::SNS::Topic'}}}");
    let set = world.set(true, true).await;
    let middle = world.set_below(&set, "Middle").await;
    let inner = world.set_below(&middle, "Inner").await;
    for (above, below) in [(&set, &middle), (&middle, &inner)] {
        let id = below.change_set_id().expect("an id");
        let text =
            format!("Nested change set {id} was not successfully created: Currently in FAILED.");
        assert_eq!(above.status_reason(), Some(text.as_str()));
        assert_eq!(below.status().expect("one").as_str(), "FAILED");
    }
    let reason = inner.status_reason().expect("a reason");
    assert!(reason.contains("Parameters: [Delay] do not exist in the template"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_plain_set_looks_into_nested_stacks_too() {
    let world = drifted().await;
    let call = world.aws.create_change_set().stack_name("root").change_set_name("back");
    let call = call.change_set_type(ChangeSetType::Update).use_previous_template(true);
    let call = call.include_nested_stacks(true).capabilities(Capability::CapabilityIam);
    call.parameters(parameter("Delay", "7")).send().await.expect("the set is created");
    world.pass(10).await;
    let call = world.aws.describe_change_set().stack_name("root").change_set_name("back");
    let set = call.send().await.expect("the set");
    let middle = world.set_below(&set, "Middle").await;
    let inner = world.set_below(&middle, "Inner").await;
    assert_eq!(inner.deployment_mode(), None);
    let shown = lines(&inner);
    assert_eq!(shown[2..], ["Modify Later -", "  /DelaySeconds Modify 5 7 -"]);
    world.cloud.console().restore_resource(&key(&world.below(INNER_NAME)), "Jobs").expect("there");
    assert_eq!(world.bring_all_back().await.last().expect("one"), "UPDATE_COMPLETE");
    assert!(matches!(world.reality_in(MIDDLE_NAME, "Role"), Reality::Changed(_)));
    let template = format!("{ROOT}  New: {}", ROOT_NEW);
    let call = world.aws.create_change_set().stack_name("root").change_set_name("new");
    let call = call.template_body(template).include_nested_stacks(true);
    let refused = call.capabilities(Capability::CapabilityIam).send().await;
    assert_eq!(error(refused.expect_err("not known")).0, "NotSimulated");
}

const ROOT_NEW: &str = "{ Type: AWS::CloudFormation::Stack, Properties: { TemplateURL: \
                        https://templates.s3.amazonaws.com/beside.yaml } }\n";
