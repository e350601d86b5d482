//! What drifts in a fleet is said once, the worst first, and again when it is brought back.

use driftless::drift::{DriftRecord, Finding, What};
use driftless::ids::StackKey;
use driftless::sim::Drifted;
use serde_json::json;

use super::*;
use crate::world::key;

const KIT: &str = "apiVersion: driftless.dev/v1
kind: Service
metadata: { name: kit }
spec: { template: kit.yaml, capabilities: [CAPABILITY_IAM] }
";

const TEMPLATE: &str = "Resources:
  Jobs: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: 60 } }
  Files: { Type: AWS::S3::Bucket }
  Access:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Files
      PolicyDocument:
        Statement:
          - { Effect: Allow, Action: \"s3:GetObject\", Resource: \"*\", Principal: { AWS: \"111122223333\" } }
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - { Effect: Allow, Action: \"sts:AssumeRole\", Principal: { Service: lambda.amazonaws.com } }
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      MemorySize: 512
      Role: !GetAtt Role.Arn
      Code: { ZipFile: \"def handler(event, context): return 1\" }
  Inner:
    Type: AWS::CloudFormation::Stack
    Properties: { TemplateURL: \"https://templates.s3.eu-central-1.amazonaws.com/inner.yaml\" }
";

const INNER: &str = "Resources:
  Reader:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - { Effect: Allow, Action: \"sts:AssumeRole\", Principal: { Service: ec2.amazonaws.com } }
";

/// A digest that waits until every stack was looked into.
const NOTIFY: &str = "  notify: [{ slack: { url: { env: HOOK_SLACK } }, digest: 3h }]
  drift: { every: 1h, ignore: [{ property: /Tags, reason: the cost tool tags what it counts }] }
";

async fn fleet(tenants: usize) -> (World, StandIn) {
    let (world, receivers) = world(tenants, NOTIFY);
    world.cloud.console().put_object("templates", "inner.yaml", INNER.as_bytes()).expect("taken");
    for file in ["network/service.yaml", "network/network.yaml", "api/service.yaml", "api/api.yaml"]
    {
        world.remove(file);
    }
    world.write("kit/service.yaml", KIT);
    world.write("kit/kit.yaml", TEMPLATE);
    world.commit();
    run(&world, HOUR).await;
    (world, receivers)
}

/// A queue is deleted, the memory of a function changed in nearly all accounts, a bucket opened, the
/// role of a nested stack changed, and a tag added by a tool.
fn happens(world: &World, tenants: usize) {
    let console = world.cloud.console();
    let kit = |tenant| key(tenant, "kit");
    console.delete_resource(&kit(1), "Jobs").expect("deleted");
    for tenant in 3..=tenants {
        let done = console.change_property(&kit(tenant), "Function", "/MemorySize", json!(1024));
        done.expect("changed");
    }
    let principal = "/PolicyDocument/Statement/0/Principal";
    console.change_property(&kit(2), "Access", principal, json!("*")).expect("opened");
    let target = kit(1).target;
    let stacks = console.stacks(target.account, &target.region).expect("the cloud");
    let inner = stacks.into_iter().find(|stack| stack.parent.is_some()).expect("a nested stack");
    let inner = StackKey { target, name: inner.name.as_str().parse().expect("a name") };
    let service = "/AssumeRolePolicyDocument/Statement/0/Principal/Service";
    console.change_property(&inner, "Reader", service, json!("evil.example")).expect("changed");
    console.add_tag(&kit(2), "Jobs", "cost", "1").expect("tagged");
}

#[tokio::test(start_paused = true)]
async fn one_digest_says_what_drifted_the_worst_first_and_another_that_it_is_back() {
    const TENANTS: usize = 302;
    let (world, receivers) = fleet(TENANTS).await;
    happens(&world, TENANTS);
    run(&world, 5 * HOUR).await;
    let got = receivers.got();
    assert_eq!(got.len(), 1, "{:#?}", receivers.titles("slack"));
    insta::assert_snapshot!(blocks(&got[0].body));

    let ordered = world.driftless(&["drift", "revert", "--yes", "--reason", "not ours"]);
    assert!(ordered.contains("ordered: "), "{ordered}");
    run(&world, 8 * HOUR).await;
    let left = world.cloud.console().drifted().expect("the cloud answers");
    let left: Vec<&str> = left.iter().map(|one: &Drifted| one.logical_id.as_str()).collect();
    assert_eq!(left, ["Jobs"], "only the tag is left, which a rule ignores");
    let titles = receivers.titles("slack");
    assert_eq!(titles.len(), 2, "{titles:#?}");
    assert!(titles[1].contains("4 kinds of drift resolved"), "{titles:#?}");
}

/// The texts of a Slack message, one a line.
fn blocks(body: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let blocks = value["blocks"].as_array().expect("blocks").iter();
    let text = |block: &serde_json::Value| {
        let elements = block["elements"].as_array().into_iter().flatten();
        let texts = std::iter::once(block).chain(elements).filter_map(|part| {
            part["text"].as_str().or_else(|| part["text"]["text"].as_str()).map(str::to_owned)
        });
        texts.collect::<Vec<_>>().join("\n")
    };
    blocks.map(text).collect::<Vec<_>>().join("\n")
}

#[tokio::test(start_paused = true)]
async fn two_thousand_drifts_at_once_are_three_messages_at_most() {
    let (world, receivers) = world(2, ALL_KINDS);
    run(&world, 10 * MINUTE).await;
    let now = world.clock.now();
    let record = |number: usize| {
        let mut record = DriftRecord::due(&key(number, "api"), now + 9_000 * HOUR);
        record.service = Some("api".parse().expect("a name"));
        let finding = Finding {
            within: String::new(),
            logical_id: format!("Queue{}", number % 1_000),
            kind: "AWS::SQS::Queue".to_owned(),
            physical_id: None,
            what: What::Deleted,
        };
        record.since.insert(finding.subject(), now);
        record.findings.push(finding);
        record
    };
    let records: Vec<DriftRecord> = (1_000..3_000).map(record).collect();
    world.journal().put_drifts(&records).expect("written");
    run(&world, 2 * HOUR).await;
    for receiver in ["slack", "teams", "events"] {
        let titles = receivers.titles(receiver);
        assert!((1..=3).contains(&titles.len()), "{receiver}: {titles:#?}");
        assert!(titles[0].contains("1000 new kinds of drift"), "{titles:#?}");
    }
}
