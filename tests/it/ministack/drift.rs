//! Resources that were changed in ministack through the services' own calls are found and named; and
//! since it knows no drift-aware change sets, that is said.

use serde_json::{Value, json};

use super::{Scene, account};
use crate::ministack::server::Ministack;

const KIT: &str = "Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties: { QueueName: kit-jobs, VisibilityTimeout: 60 }
  Lost: { Type: AWS::SQS::Queue, Properties: { QueueName: kit-lost } }
  Level:
    Type: AWS::SSM::Parameter
    Properties: { Name: /kit/level, Type: String, Value: one }
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: kit-role
      Description: what the function may do
      AssumeRolePolicyDocument:
        Version: \"2012-10-17\"
        Statement:
          - { Effect: Allow, Action: \"sts:AssumeRole\", Principal: { Service: lambda.amazonaws.com } }
  Function:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: kit-function
      Runtime: python3.12
      Handler: index.handler
      MemorySize: 128
      Role: !GetAtt Role.Arn
      Code: { ZipFile: \"def handler(event, context): return 1\" }
";

const KIT_SERVICE: &str = "apiVersion: driftless.dev/v1
kind: Service
metadata: { name: kit }
spec:
  template: template.yaml
  capabilities: [CAPABILITY_NAMED_IAM]
";

/// Looks, reports, and tries to bring it back.
pub(super) fn what_others_changed_is_found_and_said(cloud: Ministack) {
    let scene = Scene::of(cloud, 2, &[("kit", KIT_SERVICE, KIT)]);
    scene.expect(&["apply", "--yes"], 0);
    let clean = scene.expect(&["drift", "detect"], 0).out;
    assert!(clean.starts_with("no drift in 2 stacks\n"), "{clean}");

    change(&scene);
    let found = drift(&scene, &["drift", "detect", "--format", "json"]);
    let what: Vec<String> = found.iter().map(|one| one["what"].as_str().unwrap().into()).collect();
    let place = |one: &Value| one["resource"].as_str().unwrap().to_owned();
    let places: Vec<String> = found.iter().map(place).collect();
    for resource in ["Jobs", "Lost", "Level", "Role", "Function"] {
        assert!(places.contains(&resource.to_owned()), "{resource}: {found:#?}");
    }
    assert!(what.contains(&"deleted".to_owned()), "{what:?}");
    assert!(what.contains(&"/MemorySize changed: 128, now 256".to_owned()), "{what:?}");
    // Who may take the role comes first, a queue that is gone next.
    assert_eq!((found[0]["severity"].as_str(), places[0].as_str()), (Some("security"), "Role"));
    let changed = found.iter().find(|one| place(one) == "Function").expect("it was found");
    assert_eq!(changed["count"], 2, "the same in two accounts is one line");

    let ordered = scene.expect(&["drift", "revert", "--service", "kit", "--yes"], 0).out;
    assert!(ordered.contains("ordered: "), "{ordered}");
    scene.expect(&["apply", "--yes"], 0);
    let told = scene.expect(&["drift", "report"], 3).out;
    assert!(told.contains("cannot be reverted: "), "{told}");
    assert!(told.contains("knows no REVERT_DRIFT"), "{told}");
    // A person may try again, and is told what came of it before.
    let again = scene.expect(&["drift", "revert", "--service", "kit", "--yes"], 0).out;
    assert!(again.contains("note: Function: cannot be reverted: "), "{again}");
}

/// What somebody does at the services themselves.
fn change(scene: &Scene) {
    let url = |name: &str| {
        let url = scene.ask(1, "sqs", "get_queue_url", json!({ "QueueName": name }));
        url["QueueUrl"].as_str().unwrap().to_owned()
    };
    let timeout =
        json!({ "QueueUrl": url("kit-jobs"), "Attributes": { "VisibilityTimeout": "5" } });
    let level =
        json!({ "Name": "/kit/level", "Value": "two", "Type": "String", "Overwrite": true });
    let open = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "AWS": "*" },
    }] });
    let trust = json!({ "RoleName": "kit-role", "PolicyDocument": open.to_string() });
    let memory = json!({ "FunctionName": "kit-function", "MemorySize": 256 });
    scene.ask_every(&[
        json!([account(1), "sqs", "set_queue_attributes", timeout]),
        json!([account(1), "sqs", "delete_queue", { "QueueUrl": url("kit-lost") }]),
        json!([account(1), "ssm", "put_parameter", level]),
        json!([account(1), "iam", "update_assume_role_policy", trust]),
        json!([account(1), "lambda", "update_function_configuration", memory]),
        json!([account(2), "lambda", "update_function_configuration", memory]),
    ]);
}

fn drift(scene: &Scene, arguments: &[&str]) -> Vec<Value> {
    let report: Value = serde_json::from_str(&scene.expect(arguments, 3).out).expect("json");
    report["signatures"].as_array().expect("a list").clone()
}
