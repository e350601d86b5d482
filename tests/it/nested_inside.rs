//! An update is held for what it would do inside nested stacks, and for nothing else that AWS lists.

use std::time::Duration;

use driftless::check;
use driftless::git::{Source, SourceSettings};
use driftless::package::{Blob, filled};

use crate::world::{FLEET, World, account, key};

/// Three deep: the root, what keeps data, and what works on it.
const ROOT: &str = "Parameters:
  Word: { Type: String }
Resources:
  Network:
    Type: AWS::CloudFormation::Stack
    Properties: { TemplateURL: network.yaml }
  Storage:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: storage.yaml
      Parameters: { Word: !Ref Word, Net: !GetAtt Network.Outputs.Name }
  Last:
    Type: AWS::SSM::Parameter
    Properties: { Type: String, Value: !GetAtt Storage.Outputs.Name }
";

const NETWORK: &str = "Resources:
  Net: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: one } }
Outputs:
  Name: { Value: !Ref Net }
";

const STORAGE: &str = "Parameters:
  Word: { Type: String }
  Net: { Type: String }
Resources:
  Note: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Sub \"${Word} first\" } }
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Sub \"${Net}-things\"
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
  Work:
    Type: AWS::CloudFormation::Stack
    Properties: { TemplateURL: work.yaml, Parameters: { Word: !Ref Word } }
Outputs:
  Name: { Value: !Ref Note }
";

const WORK: &str = "Parameters:
  Word: { Type: String }
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties: { QueueName: jobs, Tags: [{ Key: word, Value: !Ref Word }] }
";

const SERVICE: &str = "apiVersion: driftless.dev/v1
kind: Service
metadata: { name: shop }
spec:
  template: shop.yaml
  parameters: { Word: one }
";

fn bare() -> World {
    let world = World::with_tenants(1);
    let artifacts = "spec:\n  artifacts: { bucket: \"test-${region}\" }\n";
    world.write("fleet.yaml", &FLEET.replace("spec:\n", artifacts));
    world.write("shop/service.yaml", SERVICE);
    for (path, text) in [("shop", ROOT), ("network", NETWORK), ("storage", STORAGE), ("work", WORK)]
    {
        world.write(&format!("shop/{path}.yaml"), text);
    }
    world
}

async fn standing() -> World {
    let world = bare();
    world.commit();
    apply(&world).await;
    assert_eq!(world.verdict(1, "shop"), "in-sync: in sync");
    world.mutating_calls();
    world
}

/// Puts the templates of nested stacks into the bucket.
fn upload(world: &World) {
    let settings =
        SourceSettings { path: world.repository(), revision: None, worktree: false, polled: false };
    let snapshot = Source::open(settings).expect("a source").read().expect("a snapshot");
    let (desired, _) = check::read(&snapshot).expect("no errors");
    let region = key(1, "x").target.region;
    let (bucket, console) = (format!("test-{region}"), world.cloud.console());
    for blob in desired.services.values().flat_map(|service| service.package.blobs.values()) {
        let Blob::Template(template) = blob else { panic!("templates alone") };
        let text = filled(template.body(), &bucket, &region);
        let name = format!("driftless/{}", blob.name());
        console.put_object(&bucket, &name, text.as_bytes()).expect("the cloud takes it");
    }
}

async fn apply(world: &World) {
    upload(world);
    world.apply().await;
}

/// Changes a file, commits and converges.
async fn change(world: &World, path: &str, from: &str, to: &str) -> String {
    world.edit(&format!("shop/{path}.yaml"), from, to);
    world.commit();
    apply(world).await;
    world.verdict(1, "shop")
}

/// When each nested stack was updated last, by the middle of its name.
fn updated(world: &World, logical_id: &str) -> Option<driftless::moment::Moment> {
    let target = key(1, "x").target;
    let stacks = world.cloud.console().stacks(target.account, &target.region).expect("the cloud");
    let is_it = |name: &str| name.rsplit('-').nth(1) == Some(logical_id);
    let found = stacks.into_iter().filter(|stack| is_it(stack.name.as_str()));
    found.last().expect("a nested stack").updated_at
}

/// How often an API was called in the account.
fn calls(world: &World, api: &str) -> usize {
    let calls = world.cloud.calls();
    let account = format!("{:012}", account(1));
    calls.iter().filter(|call| call.api == api && call.account.to_string() == account).count()
}

fn approve_all(world: &World) {
    let (journal, now) = (world.journal(), world.clock.now());
    for (request, _) in journal.requests().expect("requests") {
        let until = now + Duration::from_secs(3_600);
        journal.approve(&request.id, "ann", "looked at it", now, until).expect("approved");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_one_nested_file_is_held_for_nothing() {
    let world = standing().await;
    let (network, storage) = (updated(&world, "Network"), updated(&world, "Storage"));
    assert_eq!(change(&world, "storage", "first", "second").await, "in-sync: in sync");
    assert_eq!(updated(&world, "Network"), network, "nothing of it changed");
    assert_ne!(updated(&world, "Storage"), storage);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_goes_through_all_of_them_is_held_for_nothing_that_stays() {
    let world = standing().await;
    // AWS lists the table as conditional, as the other nested stack might have another output.
    assert_eq!(change(&world, "service", "Word: one", "Word: two").await, "in-sync: in sync");
    assert_eq!(calls(&world, "GetTemplate"), 1, "only the version that is new");
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_replaced_inside_is_held_and_named_until_a_person_approves() {
    let world = standing().await;
    let verdict = change(&world, "storage", "-things", "-others").await;
    let text = "the update of 100000000001/eu-central-1/shop would replace Storage/Table \
                (AWS::DynamoDB::Table)";
    assert!(verdict.contains(text), "{verdict}");
    assert!(!verdict.contains("cannot be seen"), "{verdict}");
    // Later looks ask nothing more, and for the same.
    let requests = world.journal().requests().expect("requests");
    world.cloud.clear_calls();
    world.clock.sleep(Duration::from_secs(3_600)).await;
    world.apply().await;
    assert_eq!(calls(&world, "GetTemplate"), 0);
    let ids = |all: &[(driftless::plan::ApprovalRequest, driftless::moment::Moment)]| {
        all.iter().map(|(request, _)| request.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&world.journal().requests().expect("requests")), ids(&requests));
    approve_all(&world);
    apply(&world).await;
    assert_eq!(world.verdict(1, "shop"), "in-sync: in sync");
}

#[tokio::test(start_paused = true)]
async fn what_another_nested_stack_gives_may_replace_a_table() {
    let world = standing().await;
    let verdict =
        change(&world, "network", "Name: { Value: !Ref Net }", "Name: { Value: x }").await;
    assert!(verdict.contains("would perhaps replace Storage/Table (AWS::Dyn"), "{verdict}");
}

#[tokio::test(start_paused = true)]
async fn a_queue_three_deep_is_named_with_the_way_to_it() {
    let world = standing().await;
    let verdict = change(&world, "work", "QueueName: jobs", "QueueName: other").await;
    assert!(verdict.contains("would replace Storage/Work/Jobs (AWS::SQS::Queue)"), "{verdict}");
    assert!(!verdict.contains("Table"), "{verdict}");
}

#[tokio::test(start_paused = true)]
async fn a_nested_stack_that_goes_takes_its_tables_and_queues_with_it() {
    let world = standing().await;
    world.edit("shop/shop.yaml", "!GetAtt Storage.Outputs.Name", "none");
    let end = ROOT.find("  Storage:").expect("there")..ROOT.find("  Last:").expect("there");
    let verdict = change(&world, "shop", &ROOT[end], "").await;
    let text = "would remove Storage/Table (AWS::DynamoDB::Table), remove Storage/Work/Jobs \
                (AWS::SQS::Queue)";
    assert!(verdict.contains(text), "{verdict}");
}

/// The rows of a plan that say what is otherwise.
fn planned(world: &World) -> Vec<String> {
    let text = world.driftless(&["plan", "--from", "HEAD~1"]);
    let rows = text
        .lines()
        .map(str::trim)
        .filter(|line| ["+ ", "- ", "~ ", "! "].iter().any(|sign| line.starts_with(sign)));
    rows.map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn a_plan_tells_what_becomes_of_resources_in_nested_stacks() {
    let world = standing().await;
    world.edit("shop/storage.yaml", "first", "second");
    world.edit("shop/work.yaml", "QueueName: jobs", "QueueName: other");
    world.edit("shop/network.yaml", "Outputs:", "  New: { Type: AWS::SNS::Topic }\nOutputs:");
    world.commit();
    let rows = planned(&world).join("\n");
    for part in [
        "REPLACES Storage/Work/Jobs (AWS::SQS::Queue)",
        "~ resource Storage/Note (AWS::SSM::Parameter): /Properties/Value/Fn::Sub",
        "+ resource Network/New (AWS::SNS::Topic)",
        "Storage/Work/Jobs (AWS::SQS::Queue) is protected: it is not touched until a person",
    ] {
        assert!(rows.contains(part), "{part}:\n{rows}");
    }
    for part in ["TemplateURL", "hide what happens", "Storage (AWS", "Table"] {
        assert!(!rows.contains(part), "{part}:\n{rows}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_explanation_shows_nested_stacks_as_a_tree_with_what_waits_in_them() {
    let world = standing().await;
    change(&world, "storage", "-things", "-others").await;
    let text = world.driftless(&["explain", "t1/shop"]);
    let tree = "nested          Network: 1 resource
                Storage: 2 resources; keeps Table (AWS::DynamoDB::Table)
                  ! prepared: replace Storage/Table (AWS::DynamoDB::Table): TableName
                  Work: 1 resource; keeps Jobs (AWS::SQS::Queue)
";
    assert!(text.contains(tree), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_reviewed_plan_names_what_is_inside_nested_stacks() {
    let world = bare();
    let fleet = "spec:\n  requirePlan: true\n  artifacts: { bucket: \"test-${region}\" }\n";
    world.write("fleet.yaml", &FLEET.replace("spec:\n", fleet));
    world.commit();
    let approve = |from: &str| {
        let plan = world.driftless(&["plan", "--from", from, "--format", "json"]);
        let path = world.journal_path().with_file_name("plan.json");
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, plan).expect("written");
        let path = path.to_str().expect("text");
        world.driftless(&["approve", "--plan", path, "--reason", "reviewed"])
    };
    approve("HEAD~1");
    apply(&world).await;
    assert_eq!(world.verdict(1, "shop"), "in-sync: in sync");

    let verdict = change(&world, "storage", "first", "second").await;
    assert!(verdict.contains("modify Storage/Note (AWS::SSM::Parameter)"), "{verdict}");
    let said = approve("HEAD~1");
    assert!(said.contains("modify Storage/Note (AWS::SSM::Parameter)"), "{said}");
    apply(&world).await;
    assert_eq!(world.verdict(1, "shop"), "in-sync: in sync");

    // The name of the note stays, so that nothing outside is touched.
    let verdict = change(&world, "work", "QueueName: jobs", "QueueName: other").await;
    assert!(verdict.contains("replace Storage/Work/Jobs"), "{verdict}");
}
