//! What people change behind CloudFormation's back, what detections find of it, and what operations
//! make of it.

use std::collections::BTreeSet;

use aws_sdk_cloudformation::operation::describe_stack_drift_detection_status::DescribeStackDriftDetectionStatusOutput as Status;
use aws_sdk_cloudformation::types::{
    Capability, PropertyDifference, StackResourceDrift, StackResourceDriftStatus as Drifts,
};
use serde_json::json;

use crate::sim::tests::nested::{nesting, target};
use crate::sim::tests::{
    ACCOUNT, World, clock, error, fault, key, parameter, tag, world, world_with,
};
use crate::sim::{Cloud, CloudSettings, DriftFault, DriftTrouble, Phase, Reality, Shown};

/// Types of which drift can be detected, and one of which it cannot.
pub(super) const APP: &str = r#"
Parameters:
  Visibility: { Type: String, Default: "30" }
  Secret: { Type: String, Default: hush-hush, NoEcho: true }
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: jobs
      VisibilityTimeout: !Ref Visibility
      DelaySeconds: 5
      Tags: [{ Key: part, Value: queue }]
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - { Effect: Allow, Action: [a, b], Principal: { Service: lambda.amazonaws.com } }
  Worker:
    Type: AWS::Lambda::Function
    Properties:
      Role: !GetAtt Role.Arn
      MemorySize: 256
      Environment: { Variables: { QUEUE: !Ref Jobs, KEY: !Ref Secret } }
      Code: { ZipFile: "x" }
  Rights:
    Type: AWS::SQS::QueuePolicy
    Properties: { Queues: [!Ref Jobs], PolicyDocument: {} }
"#;

/// One with the stack `app`.
pub(super) async fn app() -> World {
    let world = world().await;
    world.created("app", APP).await;
    world
}

pub(super) fn ids(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl World {
    pub(super) fn change(&self, logical_id: &str, pointer: &str, value: serde_json::Value) {
        let done = self.cloud.console().change_property(&key("app"), logical_id, pointer, value);
        done.expect("the property is changed");
    }

    pub(super) fn lose(&self, logical_id: &str) {
        let done = self.cloud.console().delete_resource(&key("app"), logical_id);
        done.expect("the resource is deleted");
    }

    pub(super) fn order(&self, trouble: DriftTrouble, times: Option<u32>) {
        let (account, region) = (None, None);
        let fault = DriftFault { account, region, stack: None, trouble, times };
        self.cloud.script().drift(fault);
    }

    pub(super) fn reality(&self, logical_id: &str) -> Reality {
        let stack = self.cloud.console().stack(&key("app")).expect("a console").expect("a stack");
        stack.resources[logical_id].reality.clone()
    }

    async fn begin(&self, stack: &str) -> String {
        let answer = self.aws.detect_stack_drift().stack_name(stack).send().await;
        answer.expect("it begins").stack_drift_detection_id().expect("an id").to_owned()
    }

    async fn progress(&self, id: &str) -> Status {
        let call = self.aws.describe_stack_drift_detection_status().stack_drift_detection_id(id);
        call.send().await.expect("a status")
    }

    /// Detects the drift of a stack, as `status drift-status count reason`.
    pub(super) async fn detect(&self, stack: &str) -> String {
        let id = self.begin(stack).await;
        self.pass(600).await;
        let status = self.progress(&id).await;
        format!(
            "{} {} {:?} {}",
            status.detection_status().expect("a status").as_str(),
            status.stack_drift_status().expect("a status").as_str(),
            status.drifted_stack_resource_count(),
            status.detection_status_reason().unwrap_or_default()
        )
    }

    async fn drifts(&self, stack: &str) -> Vec<StackResourceDrift> {
        let answer = self.aws.describe_stack_resource_drifts().stack_name(stack).send().await;
        answer.expect("drifts").stack_resource_drifts().to_vec()
    }

    /// What was found, as `logical-id status`, with `path type expected actual` below.
    pub(super) async fn findings(&self, stack: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for drift in self.drifts(stack).await {
            let status = drift.stack_resource_drift_status().expect("a status").as_str();
            let reason = drift.drift_status_reason().unwrap_or_default();
            lines.push(format!("{} {status} {reason}", drift.logical_resource_id().expect("one")));
            lines.extend(drift.property_differences().iter().map(line));
        }
        lines
    }

    async fn drift_word(&self) -> String {
        let described = self.describe("app").await;
        let drift = described.drift_information().expect("drift information");
        drift.stack_drift_status().expect("a status").as_str().to_owned()
    }
}

fn line(difference: &PropertyDifference) -> String {
    format!(
        "  {} {} {} {}",
        difference.property_path().expect("a path"),
        difference.difference_type().expect("a type").as_str(),
        difference.expected_value().expect("a value"),
        difference.actual_value().expect("a value")
    )
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_nobody_touched_is_in_sync_once_somebody_has_looked() {
    let world = app().await;
    assert_eq!(world.drift_word().await, "NOT_CHECKED");
    assert!(world.drifts("app").await.is_empty(), "nobody has looked");
    let id = world.begin("app").await;
    let running = world.progress(&id).await;
    assert_eq!(running.detection_status().expect("one").as_str(), "DETECTION_IN_PROGRESS");
    assert_eq!(running.drifted_stack_resource_count(), None);
    world.pass(7).await;
    let running = world.progress(&id).await;
    assert_eq!(running.detection_status().expect("one").as_str(), "DETECTION_IN_PROGRESS");
    world.pass(1).await;
    let done = world.progress(&id).await;
    assert_eq!(done.detection_status().expect("one").as_str(), "DETECTION_COMPLETE");
    assert_eq!(done.stack_drift_status().expect("one").as_str(), "IN_SYNC");
    assert_eq!(done.drifted_stack_resource_count(), Some(0));
    assert_eq!(world.drift_word().await, "IN_SYNC");
    let found = world.findings("app").await;
    assert_eq!(found, ["Jobs IN_SYNC ", "Role IN_SYNC ", "Worker IN_SYNC "]);
    let rights = world.aws.describe_stack_resource().stack_name("app");
    let rights = rights.logical_resource_id("Rights").send().await.expect("the policy");
    let drift = rights.stack_resource_detail().and_then(|one| one.drift_information());
    assert_eq!(
        drift.expect("one").stack_resource_drift_status().map(Drifts::as_str),
        Some("NOT_CHECKED")
    );
    assert!(
        world.cloud.calls().iter().all(|call| { !call.api.contains("Drift") || !call.mutating })
    );
    assert!(world.cloud.refused().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_differs_is_told_property_by_property_and_only_where_the_template_says_anything() {
    let world = app().await;
    world.change("Worker", "/MemorySize", json!(512));
    world.change("Worker", "/Timeout", json!(30));
    world.change("Worker", "/Environment/Variables/DEBUG", json!("1"));
    world.change("Jobs", "/Tags/0/Value", json!("other"));
    world.cloud.console().add_tag(&key("app"), "Jobs", "owner", "me").expect("tagged");
    world.cloud.console().remove_property(&key("app"), "Jobs", "/DelaySeconds").expect("removed");
    world.lose("Role");
    assert_eq!(world.detect("app").await, "DETECTION_COMPLETE DRIFTED Some(3) ");
    assert_eq!(
        world.findings("app").await,
        [
            "Jobs MODIFIED ",
            "  /DelaySeconds REMOVE 5 null",
            "  /Tags/0/Value NOT_EQUAL queue other",
            r#"  /Tags/1 ADD null {"Key":"owner","Value":"me"}"#,
            "Role DELETED ",
            "Worker MODIFIED ",
            "  /Environment/Variables/DEBUG ADD null 1",
            "  /MemorySize NOT_EQUAL 256 512",
        ]
    );
    assert_eq!(world.drift_word().await, "DRIFTED");
    let drifts = world.drifts("app").await;
    let worker = drifts[2].actual_properties().expect("properties");
    assert!(worker.contains("\"MemorySize\":512") && worker.contains("\"Timeout\":30"), "{worker}");
    assert!(!worker.contains("ZipFile"), "code cannot be read back: {worker}");
    assert!(drifts[2].expected_properties().expect("some").contains("\"MemorySize\":256"));
    assert_eq!(drifts[1].actual_properties(), None);
    let only = world.aws.describe_stack_resource_drifts().stack_name("app");
    let only = only.stack_resource_drift_status_filters(Drifts::Deleted).send().await;
    assert_eq!(only.expect("drifts").stack_resource_drifts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_person_puts_back_is_in_sync_again() {
    let world = app().await;
    world.change("Worker", "/MemorySize", json!(512));
    world.lose("Role");
    assert_eq!(world.cloud.console().drifted().expect("a list").len(), 2);
    world.change("Worker", "/MemorySize", json!(256));
    world.cloud.console().restore_resource(&key("app"), "Role").expect("restored");
    assert_eq!(world.cloud.console().drifted().expect("a list"), []);
    assert_eq!(world.detect("app").await, "DETECTION_COMPLETE IN_SYNC Some(0) ");
}

#[tokio::test(start_paused = true)]
async fn secrets_never_show() {
    let world = app().await;
    world.change("Worker", "/Environment/Variables/KEY", json!("changed-secret"));
    world.detect("app").await;
    let found = world.findings("app").await;
    let masked = "  /Environment/Variables/KEY NOT_EQUAL **** ****".to_owned();
    assert!(found.contains(&masked), "{found:#?}");
    let all = format!("{:?}", world.drifts("app").await);
    assert!(!all.contains("hush-hush") && !all.contains("changed-secret"), "{all}");
}

#[tokio::test(start_paused = true)]
async fn a_stack_is_examined_once_at_a_time_and_only_at_rest() {
    let world = app().await;
    world.begin("app").await;
    let refused = world.aws.detect_stack_drift().stack_name("app").send().await;
    let (code, text) = error(refused.expect_err("one runs"));
    assert_eq!(code, "ValidationError");
    assert!(text.starts_with("Drift detection is already in progress for stack"), "{text}");
    world.create("other", APP).await;
    let refused = world.aws.detect_stack_drift().stack_name("other").send().await;
    let (_, text) = error(refused.expect_err("it is being made"));
    assert!(text.contains("CREATE_IN_PROGRESS"), "{text}");
    let refused = world.aws.detect_stack_drift().stack_name("none").send().await;
    assert!(error(refused.expect_err("no stack")).1.ends_with("does not exist"));
}

#[tokio::test(start_paused = true)]
async fn a_detection_of_some_resources_leaves_the_others_unchecked() {
    let world = app().await;
    world.change("Worker", "/MemorySize", json!(512));
    let call = world.aws.detect_stack_drift().stack_name("app").logical_resource_ids("Jobs");
    call.send().await.expect("it begins");
    world.pass(60).await;
    assert_eq!(world.findings("app").await, ["Jobs IN_SYNC "]);
    let call = world.aws.detect_stack_resource_drift().stack_name("app");
    let answer = call.logical_resource_id("Worker").send().await.expect("drift");
    let drift = answer.stack_resource_drift().expect("drift");
    assert_eq!(drift.property_differences().len(), 1);
    assert_eq!(world.findings("app").await.len(), 3);
    assert_eq!(world.drift_word().await, "DRIFTED");
    let call = world.aws.detect_stack_resource_drift().stack_name("app");
    let refused = call.logical_resource_id("Rights").send().await;
    assert!(error(refused.expect_err("not supported")).1.contains("AWS::SQS::QueuePolicy"));
}

#[tokio::test(start_paused = true)]
async fn drifts_come_in_pages() {
    let settings = CloudSettings { events_per_page: 2, ..CloudSettings::default() };
    let world = world_with(settings).await;
    world.created("app", APP).await;
    world.detect("app").await;
    let first = world.aws.describe_stack_resource_drifts().stack_name("app").send().await;
    let first = first.expect("drifts");
    assert_eq!(first.stack_resource_drifts().len(), 2);
    let call = world.aws.describe_stack_resource_drifts().stack_name("app");
    let second = call.set_next_token(first.next_token().map(str::to_owned)).max_results(1);
    let second = second.send().await.expect("drifts");
    assert_eq!(second.stack_resource_drifts()[0].logical_resource_id(), Some("Worker"));
    assert_eq!(second.next_token(), None);
}

#[tokio::test(start_paused = true)]
async fn resources_that_cannot_be_read_fail_the_detection_and_the_others_are_known() {
    let world = app().await;
    world.change("Worker", "/MemorySize", json!(512));
    let (logical_ids, text) = (ids(&["Jobs", "Role"]), "Rate exceeded".to_owned());
    world.order(DriftTrouble::Unreadable { logical_ids, text }, Some(1));
    assert_eq!(
        world.detect("app").await,
        "DETECTION_FAILED DRIFTED Some(1) {\"Summary\":\"Failed to detect drift on resources \
         [Jobs, Role]\",\"Failures\":[{\"Resource\":\"Jobs\",\"FailureReason\":\"Rate \
         exceeded\"},{\"Resource\":\"Role\",\"FailureReason\":\"Rate exceeded\"}]}"
    );
    let found = world.findings("app").await;
    assert_eq!(found[..2], ["Jobs UNKNOWN Rate exceeded", "Role UNKNOWN Rate exceeded"]);
    assert_eq!(found[2], "Worker MODIFIED ");
    assert_eq!(world.detect("app").await, "DETECTION_COMPLETE DRIFTED Some(1) ");
}

#[tokio::test(start_paused = true)]
async fn a_detection_may_never_end() {
    let world = app().await;
    world.order(DriftTrouble::Endless, None);
    let id = world.begin("app").await;
    world.pass(30_000).await;
    let running = world.progress(&id).await;
    assert_eq!(running.detection_status().expect("one").as_str(), "DETECTION_IN_PROGRESS");
    world.aws.delete_stack().stack_name("app").send().await.expect("deleted");
    world.pass(600).await;
    let over = world.progress(&id).await;
    assert_eq!(over.detection_status().expect("one").as_str(), "DETECTION_FAILED");
}

#[tokio::test(start_paused = true)]
async fn aws_may_misread_what_is_in_sync() {
    let world = app().await;
    let misread = |kind: &str, path: &str, shown| DriftTrouble::Misread {
        kind: kind.to_owned(),
        path: path.to_owned(),
        shown,
    };
    let policy = "/AssumeRolePolicyDocument";
    world.order(misread("AWS::IAM::Role", policy, Shown::Reordered), None);
    world.order(misread("AWS::SQS::Queue", "/DelaySeconds", Shown::Retyped), None);
    world.order(misread("AWS::SQS::Queue", "/Tags", Shown::Missing), None);
    let default = Shown::Value("\"alias/aws/sqs\"".to_owned());
    world.order(misread("AWS::SQS::Queue", "/KmsMasterKeyId", default), None);
    assert_eq!(world.detect("app").await, "DETECTION_COMPLETE DRIFTED Some(2) ");
    let found = world.findings("app").await;
    assert_eq!(
        found[..4],
        [
            "Jobs MODIFIED ",
            "  /DelaySeconds NOT_EQUAL 5 5",
            r#"  /Tags REMOVE [{"Key":"part","Value":"queue"}] null"#,
            "  /KmsMasterKeyId ADD null alias/aws/sqs",
        ]
    );
    assert!(found[5].starts_with("  /AssumeRolePolicyDocument NOT_EQUAL {"), "{found:#?}");
    assert!(found[5].ends_with(r#""Version":"2012-10-17"}"#) && found[5].contains(r#"["b","a"]"#));
    assert_eq!(world.cloud.console().drifted().expect("a list"), [], "nothing really drifted");
}

#[tokio::test(start_paused = true)]
async fn nested_stacks_are_examined_by_themselves() {
    let world = nesting().await;
    let call = world.aws.create_stack().stack_name("root");
    call.template_body(super::nested::PARENT).send().await.expect("created");
    world.pass(600).await;
    let child = world.nested("root-Child-");
    let child_key = crate::ids::StackKey { target: target(), name: child.name.clone() };
    let console = world.cloud.console();
    console.change_property(&child_key, "Jobs", "/VisibilityTimeout", json!(99)).expect("changed");
    assert_eq!(world.detect("root").await, "DETECTION_COMPLETE IN_SYNC Some(0) ");
    assert_eq!(world.findings("root").await[1], "Child IN_SYNC ");
    assert_eq!(world.detect(&child.id).await, "DETECTION_COMPLETE DRIFTED Some(1) ");
    let root_key = key("root");
    let refused = console.delete_resource(&root_key, "Child").expect_err("it is a stack");
    assert!(refused.to_string().contains("nested stack"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn an_update_writes_only_what_its_template_changes() {
    let world = app().await;
    world.change("Jobs", "/VisibilityTimeout", json!(77));
    world.change("Jobs", "/DelaySeconds", json!(9));
    world.detect("app").await;
    world.update("app", &[("Visibility", "60")]).await;
    assert_eq!(world.drift_word().await, "NOT_CHECKED", "it is another stack now");
    world.pass(600).await;
    assert_eq!(world.status("app").await, "UPDATE_COMPLETE");
    let unchecked = world.findings("app").await;
    assert_eq!(unchecked, ["Role IN_SYNC ", "Worker IN_SYNC "], "the queue was changed");
    assert_eq!(world.detect("app").await, "DETECTION_COMPLETE DRIFTED Some(1) ");
    assert_eq!(world.findings("app").await[1], "  /DelaySeconds NOT_EQUAL 5 9");
}

#[tokio::test(start_paused = true)]
async fn an_update_of_what_is_gone_fails_as_aws_says_and_rolls_back() {
    let world = app().await;
    world.lose("Jobs");
    world.update("app", &[("Visibility", "60")]).await;
    assert_eq!(world.statuses("app").await.last().expect("one"), "UPDATE_ROLLBACK_COMPLETE");
    let failure = world.failure("app", "Jobs UPDATE_FAILED").await;
    assert_eq!(
        failure,
        "Jobs UPDATE_FAILED Resource of type 'AWS::SQS::Queue' with identifier \
         'https://sqs.eu-central-1.amazonaws.com/111122223333/jobs' was not found. \
         (HandlerErrorCode: NotFound)"
    );
    assert_eq!(world.reality("Jobs"), Reality::Deleted, "nothing has made it again");
    world.aws.delete_stack().stack_name("app").send().await.expect("deleted");
    world.pass(600).await;
    assert_eq!(world.cloud.console().stack(&key("app")).expect("an answer"), None);
}

#[tokio::test(start_paused = true)]
async fn a_replacement_is_real_again() {
    let world = app().await;
    world.lose("Jobs");
    world.change("Role", "/Description", json!("mine"));
    let template = APP.replace("QueueName: jobs", "QueueName: other");
    let call = world.aws.update_stack().stack_name("app").template_body(template);
    let call = call.capabilities(Capability::CapabilityIam);
    call.tags(tag("a", "b")).send().await.expect("updated");
    assert_eq!(world.statuses("app").await.last().expect("one"), "UPDATE_COMPLETE");
    assert_eq!(world.reality("Jobs"), Reality::AsRecorded);
    assert!(matches!(world.reality("Role"), Reality::Changed(_)), "the tags alone were written");
    world.update("app", &[("Visibility", "60")]).await;
    let parameters = [parameter("Visibility", "60")];
    assert_eq!(world.statuses("app").await.last().expect("one"), "UPDATE_COMPLETE");
    assert_eq!(world.describe("app").await.parameters()[1], parameters[0]);
}

#[tokio::test(start_paused = true)]
async fn an_update_reaches_into_a_nested_stack_that_has_drifted() {
    let world = nesting().await;
    let call = world.aws.create_stack().stack_name("root");
    call.template_body(super::nested::PARENT).send().await.expect("created");
    world.pass(600).await;
    let child = world.nested("root-Child-");
    let child_key = crate::ids::StackKey { target: target(), name: child.name.clone() };
    let console = world.cloud.console();
    console.change_property(&child_key, "Jobs", "/VisibilityTimeout", json!(99)).expect("changed");
    console.change_property(&child_key, "Notes", "/Type", json!("StringList")).expect("changed");
    world.update("root", &[("Visibility", "60")]).await;
    assert_eq!(world.statuses("root").await.last().expect("one"), "UPDATE_COMPLETE");
    let drifted = console.drifted().expect("a list");
    assert_eq!(drifted.len(), 1, "{drifted:#?}");
    assert_eq!((drifted[0].key.clone(), &*drifted[0].logical_id), (child_key.clone(), "Notes"));
    console.delete_resource(&child_key, "Jobs").expect("deleted");
    world.update("root", &[("Visibility", "90")]).await;
    assert_eq!(world.statuses("root").await.last().expect("one"), "UPDATE_ROLLBACK_COMPLETE");
    let failure = world.failure("root", "Child UPDATE_FAILED").await;
    assert!(failure.contains("The following resource(s) failed to update: [Jobs]"), "{failure}");
    assert_eq!(console.drifted().expect("a list").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_rollback_skips_is_really_what_the_update_made() {
    let world = app().await;
    let script = world.cloud.script();
    script.resource(fault("Worker", Phase::Change, Some(1)));
    script.resource(fault("Jobs", Phase::Rollback, Some(1)));
    let template = APP.replace("MemorySize: 256", "MemorySize: 300");
    let call = world.aws.update_stack().stack_name("app").template_body(template);
    let call = call.capabilities(Capability::CapabilityIam);
    call.parameters(parameter("Visibility", "60")).send().await.expect("updated");
    assert_eq!(world.statuses("app").await.last().expect("one"), "UPDATE_ROLLBACK_FAILED");
    assert_eq!(world.detect("app").await, "DETECTION_COMPLETE IN_SYNC Some(0) ");
    let call = world.aws.continue_update_rollback().stack_name("app");
    call.resources_to_skip("Jobs").send().await.expect("it goes on");
    assert_eq!(world.statuses("app").await.last().expect("one"), "UPDATE_ROLLBACK_COMPLETE");
    let Reality::Changed(jobs) = world.reality("Jobs") else { panic!("it was left as it was") };
    assert!(jobs.contains("\"VisibilityTimeout\":\"60\""), "{jobs}");
    assert_eq!(world.detect("app").await, "DETECTION_COMPLETE IN_SYNC Some(0) ", "not looked at");
    assert_eq!(world.findings("app").await, ["Role IN_SYNC ", "Worker IN_SYNC "]);
    world.update("app", &[("Visibility", "90")]).await;
    world.pass(600).await;
    assert_eq!(world.detect("app").await, "DETECTION_COMPLETE IN_SYNC Some(0) ");
    assert_eq!(world.findings("app").await.len(), 3);
}

#[test]
fn drift_survives_the_process_and_a_folder_without_any_is_as_it_always_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = clock();
    let cloud = || {
        let settings = CloudSettings { speed: f64::INFINITY, ..CloudSettings::default() };
        Cloud::in_folder(folder.path(), settings, clock.clone()).expect("a cloud")
    };
    cloud().console().create_stack(&key("app"), APP, &[].into()).expect("created");
    let file = folder.path().join("accounts").join(format!("{ACCOUNT}.json"));
    let text = std::fs::read_to_string(&file).expect("a file");
    for word in ["\"live\"", "\"drift\"", "\"skipped\""] {
        assert!(!text.contains(word), "{word}");
    }
    cloud().console().delete_resource(&key("app"), "Jobs").expect("deleted");
    let stack = cloud().console().stack(&key("app")).expect("an answer").expect("a stack");
    assert_eq!(stack.resources["Jobs"].reality, Reality::Deleted);
}
