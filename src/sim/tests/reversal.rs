//! Drift-aware change sets: what they show, and what their execution makes real.

use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{ChangeSetType, DeploymentMode, ResourceChange};
use serde_json::json;

use crate::sim::tests::drift::{APP, app, ids};
use crate::sim::tests::{TOPIC, World, error, fault, key, parameter, world_with};
use crate::sim::{CloudSettings, DriftTrouble, Phase, Reality};

impl World {
    /// Creates a drift-aware change set with these parameters and looks at it.
    async fn reversal(&self, values: &[(&str, &str)]) -> DescribeChangeSetOutput {
        let call = self.aws.delete_change_set().stack_name("app").change_set_name("back");
        call.send().await.expect("there is none of this name");
        let call = self.aws.create_change_set().stack_name("app").change_set_name("back");
        let mut call = call
            .change_set_type(ChangeSetType::Update)
            .use_previous_template(true)
            .deployment_mode(DeploymentMode::RevertDrift)
            .capabilities(aws_sdk_cloudformation::types::Capability::CapabilityIam);
        for (name, value) in values {
            call = call.parameters(parameter(name, value));
        }
        call.send().await.expect("the set is created");
        self.pass(10).await;
        let call = self.aws.describe_change_set().stack_name("app").change_set_name("back");
        call.include_property_values(true).send().await.expect("the set")
    }

    async fn bring_back(&self) -> Vec<String> {
        let call = self.aws.execute_change_set().stack_name("app").change_set_name("back");
        call.send().await.expect("it is executed");
        self.statuses("app").await
    }
}

pub(super) fn changes(set: &DescribeChangeSetOutput) -> Vec<&ResourceChange> {
    set.changes().iter().filter_map(|change| change.resource_change()).collect()
}

/// `action logical-id drift-status`, with `path change before after previous` below.
pub(super) fn lines(set: &DescribeChangeSetOutput) -> Vec<String> {
    let mut lines = Vec::new();
    for change in changes(set) {
        let action = change.action().expect("an action").as_str();
        let status = change.resource_drift_status().map_or("-", |status| status.as_str());
        lines.push(format!("{action} {} {status}", change.logical_resource_id().expect("one")));
        for target in change.details().iter().filter_map(|detail| detail.target()) {
            let drift = target.drift();
            let word = target.attribute_change_type().map_or("-", |word| word.as_str());
            lines.push(format!(
                "  {} {word} {} {} {}",
                target.path().unwrap_or("-"),
                target.before_value().unwrap_or("-"),
                target.after_value().unwrap_or("-"),
                drift.and_then(|drift| drift.previous_value()).unwrap_or("-")
            ));
        }
    }
    lines
}

#[tokio::test(start_paused = true)]
async fn without_drift_there_is_nothing_to_bring_back() {
    let world = app().await;
    let set = world.reversal(&[]).await;
    assert_eq!(set.status().expect("a status").as_str(), "FAILED");
    let reason = set.status_reason().expect("a reason");
    assert!(reason.starts_with("The submitted information didn't contain changes."), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn drift_is_shown_and_brought_back() {
    let world = app().await;
    world.change("Worker", "/MemorySize", json!(512));
    world.change("Worker", "/Timeout", json!(30));
    world.change("Worker", "/Environment/Variables/DEBUG", json!("1"));
    world.change("Jobs", "/Tags/0/Value", json!("other"));
    world.cloud.console().add_tag(&key("app"), "Jobs", "owner", "me").expect("tagged");
    let before = world.describe("app").await.last_updated_time().copied();
    let set = world.reversal(&[]).await;
    assert_eq!(set.status().expect("a status").as_str(), "CREATE_COMPLETE");
    assert_eq!(set.deployment_mode(), Some(&DeploymentMode::RevertDrift));
    assert_eq!(set.stack_drift_status().expect("one").as_str(), "DRIFTED");
    assert_eq!(
        lines(&set),
        [
            "Modify Jobs MODIFIED",
            "  /Tags/0/Value Modify other queue queue",
            "Modify Worker MODIFIED",
            "  /Environment/Variables/DEBUG Remove 1 - -",
            "  /MemorySize Modify 512 256 256",
        ]
    );
    let worker = changes(&set)[1];
    let ignored = &worker.resource_drift_ignored_attributes()[0];
    assert_eq!(ignored.path(), Some("/Code"));
    assert_eq!(ignored.reason().expect("one").as_str(), "WRITE_ONLY_PROPERTY");
    let target = worker.details()[1].target().expect("a target");
    assert_eq!(target.before_value_from().expect("one").as_str(), "ACTUAL_STATE");
    assert_eq!(target.drift().expect("drift").actual_value(), Some("512"));
    assert!(target.drift().expect("drift").drift_detection_timestamp().is_some());
    assert_eq!(world.bring_back().await.last().expect("one"), "UPDATE_COMPLETE");
    assert_ne!(world.describe("app").await.last_updated_time().copied(), before);
    let events = world.events("app").await;
    assert!(events.contains(&"Worker UPDATE_COMPLETE ".to_owned()), "{events:#?}");
    assert!(!events.iter().any(|line| line.starts_with("Role UPDATE")), "{events:#?}");
    let Reality::Changed(worker) = world.reality("Worker") else { panic!("Timeout is foreign") };
    assert!(worker.contains("\"MemorySize\":256") && worker.contains("\"Timeout\":30"), "{worker}");
    let Reality::Changed(jobs) = world.reality("Jobs") else { panic!("a tag is foreign") };
    assert!(jobs.contains("owner") && jobs.contains("queue"), "{jobs}");
    assert_eq!(world.detect("app").await, "DETECTION_COMPLETE DRIFTED Some(1) ");
    let left = r#"  /Tags/1 ADD null {"Key":"owner","Value":"me"}"#;
    assert_eq!(world.findings("app").await[1], left, "detections count foreign tags");
    world.cloud.console().restore_resource(&key("app"), "Jobs").expect("restored");
    assert_eq!(world.detect("app").await, "DETECTION_COMPLETE IN_SYNC Some(0) ");
    assert!(world.cloud.refused().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_made_again() {
    let world = app().await;
    world.lose("Role");
    let old = world.cloud.console().stack(&key("app")).expect("one").expect("one");
    let set = world.reversal(&[]).await;
    let shown = lines(&set);
    assert_eq!(shown[..2], ["Add Role DELETED", "Modify Worker IN_SYNC"], "its ARN is another");
    assert_eq!(world.bring_back().await.last().expect("one"), "UPDATE_COMPLETE");
    let new = world.cloud.console().stack(&key("app")).expect("one").expect("one");
    assert_ne!(new.resources["Role"].physical_id, old.resources["Role"].physical_id);
    assert_eq!(world.cloud.console().drifted().expect("a list"), []);
    let events = world.events("app").await;
    assert!(events.contains(&"Role CREATE_COMPLETE ".to_owned()), "{events:#?}");
    world.lose("Jobs");
    world.reversal(&[]).await;
    assert_eq!(world.bring_back().await.last().expect("one"), "UPDATE_COMPLETE");
    assert_eq!(world.reality("Jobs"), Reality::AsRecorded, "also under its own name");
}

#[tokio::test(start_paused = true)]
async fn only_what_the_set_lists_is_brought_back() {
    let world = app().await;
    world.change("Worker", "/MemorySize", json!(512));
    world.reversal(&[]).await;
    world.change("Jobs", "/DelaySeconds", json!(9));
    world.lose("Role");
    assert_eq!(world.bring_back().await.last().expect("one"), "UPDATE_COMPLETE");
    assert_eq!(world.reality("Worker"), Reality::AsRecorded);
    assert!(matches!(world.reality("Jobs"), Reality::Changed(_)));
    assert_eq!(world.reality("Role"), Reality::Deleted);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_change_in_place_shows_and_stays() {
    let world = app().await;
    world.change("Jobs", "/QueueName", json!("renamed"));
    world.change("Jobs", "/DelaySeconds", json!(9));
    let set = world.reversal(&[]).await;
    assert_eq!(
        lines(&set),
        [
            "Modify Jobs MODIFIED",
            "  /DelaySeconds Modify 9 5 5",
            "  /QueueName Modify renamed renamed jobs",
        ]
    );
    assert_eq!(world.bring_back().await.last().expect("one"), "UPDATE_COMPLETE");
    world.detect("app").await;
    assert_eq!(world.findings("app").await[1], "  /QueueName NOT_EQUAL jobs renamed");
}

#[tokio::test(start_paused = true)]
async fn a_template_that_follows_reality_writes_nothing() {
    let world = app().await;
    world.change("Jobs", "/VisibilityTimeout", json!("60"));
    let set = world.reversal(&[("Visibility", "60")]).await;
    assert_eq!(
        lines(&set),
        ["SyncWithActual Jobs MODIFIED", "  /VisibilityTimeout SyncWithActual 60 60 30",]
    );
    assert_eq!(world.bring_back().await.last().expect("one"), "UPDATE_COMPLETE");
    assert_eq!(world.cloud.console().drifted().expect("a list"), []);
}

#[tokio::test(start_paused = true)]
async fn a_reversal_that_fails_goes_back_to_what_really_was() {
    let world = app().await;
    world.change("Jobs", "/DelaySeconds", json!(9));
    world.change("Worker", "/MemorySize", json!(512));
    world.lose("Role");
    let was = world.cloud.console().drifted().expect("a list");
    world.reversal(&[]).await;
    world.cloud.script().resource(fault("Worker", Phase::Change, Some(1)));
    assert_eq!(world.bring_back().await.last().expect("one"), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(world.cloud.console().drifted().expect("a list"), was);
}

#[tokio::test(start_paused = true)]
async fn a_set_may_list_changes_that_nothing_asks_for() {
    let world = app().await;
    world.change("Worker", "/MemorySize", json!(512));
    world.order(DriftTrouble::Phantom { logical_ids: ids(&["Jobs"]) }, Some(1));
    let set = world.reversal(&[]).await;
    assert_eq!(lines(&set)[..2], ["Modify Jobs MODIFIED", "  /DelaySeconds Add - 5 5"]);
    assert_eq!(world.cloud.script().met().get("phantom change"), Some(&1));
    assert_eq!(world.bring_back().await.last().expect("one"), "UPDATE_COMPLETE");
    assert_eq!(world.cloud.console().drifted().expect("a list"), []);
}

#[tokio::test(start_paused = true)]
async fn some_endpoints_ignore_the_mode() {
    let settings = CloudSettings { ignores_deployment_mode: true, ..CloudSettings::default() };
    let world = world_with(settings).await;
    world.created("app", APP).await;
    world.change("Jobs", "/DelaySeconds", json!(9));
    let set = world.reversal(&[]).await;
    assert_eq!(set.status().expect("a status").as_str(), "FAILED", "the templates are the same");
    assert_eq!((set.deployment_mode(), set.stack_drift_status()), (None, None));
    let call = world.aws.create_change_set().stack_name("new").change_set_name("first");
    let call = call.change_set_type(ChangeSetType::Create).template_body(TOPIC);
    call.deployment_mode(DeploymentMode::RevertDrift).send().await.expect("taken as a plain one");
    let set = world.reversal(&[("Visibility", "60")]).await;
    assert_eq!(lines(&set), ["Modify Jobs -", "  /VisibilityTimeout Modify 30 60 -"]);
    world.bring_back().await;
    assert!(matches!(world.reality("Jobs"), Reality::Changed(_)), "the drift stays");
}

#[tokio::test(start_paused = true)]
async fn what_aws_manages_is_left_to_it_and_a_removed_resource_tells_its_drift() {
    let world = world_with(CloudSettings::default()).await;
    let template = r#"
Resources:
  Db: { Type: AWS::RDS::DBInstance, Properties: { Engine: postgres, EngineVersion: "15.1", Port: "1" } }
  Old: { Type: AWS::SNS::Topic, Properties: { DisplayName: a } }
"#;
    world.created("app", template).await;
    world.change("Db", "/EngineVersion", json!("15.4"));
    let set = world.reversal(&[]).await;
    assert_eq!(set.status().expect("a status").as_str(), "FAILED", "nothing to bring back");
    world.change("Db", "/Port", json!("2"));
    world.lose("Old");
    let set = world.reversal(&[]).await;
    assert_eq!(lines(&set), ["Modify Db MODIFIED", "  /Port Modify 2 1 1", "Add Old DELETED"]);
    let ignored = &changes(&set)[0].resource_drift_ignored_attributes()[0];
    assert_eq!(
        (ignored.path(), ignored.reason().expect("one").as_str()),
        (Some("/EngineVersion"), "MANAGED_BY_AWS")
    );
    assert_eq!(world.bring_back().await.last().expect("one"), "UPDATE_COMPLETE");
    let Reality::Changed(db) = world.reality("Db") else { panic!("the version is AWS's") };
    assert!(db.contains("15.4") && db.contains("\"Port\":\"1\""), "{db}");
}

#[tokio::test(start_paused = true)]
async fn a_stack_policy_is_asked_about_what_is_brought_back() {
    let world = app().await;
    let policy = r#"{"Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": "Update:Modify",
         "Resource": "LogicalResourceId/Worker"}]}"#;
    let call = world.aws.set_stack_policy().stack_name("app").stack_policy_body(policy);
    call.send().await.expect("a policy");
    world.change("Worker", "/MemorySize", json!(512));
    let was = world.cloud.console().drifted().expect("a list");
    world.reversal(&[]).await;
    assert_eq!(world.bring_back().await.last().expect("one"), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(world.cloud.console().drifted().expect("a list"), was);
}

#[tokio::test(start_paused = true)]
async fn a_drift_aware_set_never_makes_a_stack() {
    let world = world_with(CloudSettings::default()).await;
    let call = world.aws.create_change_set().stack_name("new").change_set_name("first");
    let call = call.change_set_type(ChangeSetType::Create).template_body(TOPIC);
    let refused = call.deployment_mode(DeploymentMode::RevertDrift).send().await;
    assert_eq!(error(refused.expect_err("not known")).0, "NotSimulated");
}

#[tokio::test(start_paused = true)]
async fn secrets_do_not_show_in_change_sets() {
    let world = app().await;
    world.change("Worker", "/Environment/Variables/KEY", json!("changed-secret"));
    let set = world.reversal(&[]).await;
    let line = "  /Environment/Variables/KEY Modify **** **** ****".to_owned();
    assert!(lines(&set).contains(&line), "{:#?}", lines(&set));
    let set = world.reversal(&[("Secret", "another-one")]).await;
    let all = format!("{set:?}");
    for secret in ["hush-hush", "changed-secret", "another-one"] {
        assert!(!all.contains(secret), "{secret}: {:#?}", lines(&set));
    }
    assert_eq!(world.bring_back().await.last().expect("one"), "UPDATE_COMPLETE");
    assert_eq!(world.cloud.console().drifted().expect("a list"), []);
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_and_not_wanted_any_more_leaves_the_stack() {
    let world = app().await;
    world.lose("Rights");
    world.lose("Worker");
    let start = APP.find("  Worker:").expect("the function");
    let call = world.aws.create_change_set().stack_name("app").change_set_name("back");
    let call = call.change_set_type(ChangeSetType::Update).template_body(&APP[..start]);
    let call = call.capabilities(aws_sdk_cloudformation::types::Capability::CapabilityIam);
    call.deployment_mode(DeploymentMode::RevertDrift).send().await.expect("created");
    world.pass(10).await;
    let call = world.aws.describe_change_set().stack_name("app").change_set_name("back");
    let set = call.send().await.expect("the set");
    assert_eq!(lines(&set), ["Remove Rights UNSUPPORTED", "Remove Worker DELETED"]);
    assert_eq!(world.bring_back().await.last().expect("one"), "UPDATE_COMPLETE");
    let stack = world.cloud.console().stack(&key("app")).expect("one").expect("one");
    assert_eq!(stack.resources.keys().collect::<Vec<_>>(), ["Jobs", "Role"]);
}
