//! Rollbacks and deletes that fail in ministack: a custom resource of its own Lambda refuses to go
//! back or to go, as people know them from AWS.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Scene, account, line, mutation_by_driftless};
use crate::ministack::server::{Ministack, REGION};

/// What a person made in each account: a function that answers for custom resources, and refuses
/// what its environment says.
const LATCH: &str = "import json, os, urllib.request

def handler(event, context):
    level = lambda properties: int(event.get(properties, {}).get('Level', 0))
    is_back = level('ResourceProperties') < level('OldResourceProperties')
    refuses = os.environ.get('REFUSES', 'nothing')
    refused = {
        'going-back': event['RequestType'] == 'Update' and is_back,
        'going': event['RequestType'] == 'Delete',
    }.get(refuses, False)
    answer = {key: event[key] for key in ('StackId', 'RequestId', 'LogicalResourceId')}
    answer |= {'Status': 'FAILED' if refused else 'SUCCESS', 'Reason': 'the latch is shut'}
    answer |= {'PhysicalResourceId': 'latch'}
    body = json.dumps(answer).encode()
    urllib.request.urlopen(urllib.request.Request(event['ResponseURL'], body, method='PUT'))
";

/// The latch moves first, so that it has to go back when the note fails.
const VAULT: &str = "Parameters:
  Level: { Type: String }
  NoteName: { Type: String, Default: /vault/note }
Resources:
  Latch:
    Type: Custom::Latch
    Properties:
      ServiceToken: !Sub arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:latch
      ServiceTimeout: 60
      Level: !Ref Level
  Note:
    Type: AWS::SSM::Parameter
    DependsOn: Latch
    Properties: { Name: !Ref NoteName, Type: String, Value: !Ref Level }
";

const VAULT_SERVICE: &str = "apiVersion: driftless.dev/v1
kind: Service
metadata: { name: vault }
spec:
  template: template.yaml
  parameters: { Level: \"1\" }
";

/// Looks that a status may take to come: each starts a python, and the slowest status needs two.
const LOOKS: usize = 60;

/// Its own update cannot be rolled back, and a person has to see to it.
const SHUT: usize = 1;
/// Somebody's update could not be rolled back, and could be now.
const OPENED: usize = 2;
/// Somebody tried to delete what git wants.
const HALF_DELETED: usize = 3;
/// Git says that it shall go, and a part of it refuses.
const GOING: usize = 4;

impl Scene {
    fn vault(&self, tenant: usize) -> String {
        self.stacks()[tenant - 1].get("vault").cloned().unwrap_or_default()
    }

    fn await_vault(&self, tenant: usize, status: &str) {
        let mut seen = String::new();
        for _ in 0..LOOKS {
            seen = self.vault(tenant);
            if seen == status {
                return;
            }
        }
        panic!("the vault of t{tenant} is {seen}, and was to become {status}");
    }

    fn shut(&self, tenant: usize, refuses: &str) {
        let environment = json!({ "Variables": { "REFUSES": refuses } });
        let asked = json!({ "FunctionName": "latch", "Environment": environment });
        self.ask(tenant, "lambda", "update_function_configuration", asked);
    }

    /// What driftless changed in one account, with the parameters of each call as ministack wrote
    /// them down. It shows the newest fifty, and has no pages.
    fn calls(&self, tenant: usize) -> Vec<Value> {
        let only = json!([{ "AttributeKey": "EventSource",
            "AttributeValue": "cloudformation.amazonaws.com" }]);
        let mut asked = json!({ "MaxResults": 50, "LookupAttributes": only });
        let (mut read, mut changing) = (BTreeSet::new(), Vec::new());
        loop {
            let answer = self.ask(tenant, "cloudtrail", "lookup_events", asked.clone());
            let mut fresh = answer["Events"].as_array().unwrap().clone();
            fresh.retain(|one| read.insert(one["EventId"].as_str().unwrap().to_owned()));
            let Some(oldest) = fresh.last() else { break };
            asked["EndTime"] = oldest["EventTime"].clone();
            changing
                .extend(fresh.iter().filter(|one| mutation_by_driftless(one).is_some()).cloned());
        }
        let parameters = |one: &Value| {
            let event: Value =
                serde_json::from_str(one["CloudTrailEvent"].as_str().unwrap()).unwrap();
            event["requestParameters"].clone()
        };
        changing.iter().rev().map(parameters).collect()
    }

    fn verdict(&self, tenant: usize) -> Value {
        line(&self.status(3), tenant, "vault").clone()
    }
}

/// Takes two minutes, nearly all of them of waiting: so long a rollback that fails again is not told
/// from one that has not begun.
pub(super) fn rollbacks_and_deletes_that_fail_are_mended_or_held(cloud: Ministack) {
    let scene = Scene::of(cloud, 4, &[("vault", VAULT_SERVICE, VAULT)]);
    people_make_latches_and_driftless_the_vaults(&scene);
    things_break_and_people_meddle(&scene);
    scene.expect(&["apply", "--yes"], 3);
    an_update_that_cannot_go_back_is_tried_once_and_then_waits_for_a_person(&scene);
    a_rollback_that_failed_is_continued(&scene);
    what_somebody_tried_to_delete_is_held(&scene);
    what_shall_go_goes_without_the_part_that_refuses(&scene);
    people_do_what_they_were_told_and_all_converges(&scene);
}

fn people_make_latches_and_driftless_the_vaults(scene: &Scene) {
    let function = |tenant| {
        let role = format!("arn:aws:iam::{}:role/driftless-execution", account(tenant));
        json!({ "Resources": { "Latch": { "Type": "AWS::Lambda::Function", "Properties": {
            "FunctionName": "latch", "Runtime": "python3.12", "Handler": "index.handler",
            "Role": role, "Code": { "ZipFile": LATCH },
        } } } })
    };
    for tenant in 1..=scene.tenants {
        let template = function(tenant).to_string();
        let stack = json!({ "StackName": "locksmith", "TemplateBody": template });
        scene.ask(tenant, "cloudformation", "create_stack", stack);
    }
    scene.expect(&["apply", "--yes"], 0);
    for stacks in scene.stacks() {
        assert_eq!(stacks["vault"], "CREATE_COMPLETE");
        assert_eq!(stacks["locksmith"], "CREATE_COMPLETE", "what others made is left alone");
    }
}

fn things_break_and_people_meddle(scene: &Scene) {
    for tenant in [SHUT, OPENED] {
        scene.shut(tenant, "going-back");
        let taken = json!({ "Name": "/taken", "Value": "mine", "Type": "String" });
        scene.ask(tenant, "ssm", "put_parameter", taken);
    }
    for tenant in [HALF_DELETED, GOING] {
        scene.shut(tenant, "going");
    }
    let theirs = json!({ "StackName": "vault", "UsePreviousTemplate": true, "Parameters": [
        { "ParameterKey": "Level", "ParameterValue": "2" },
        { "ParameterKey": "NoteName", "ParameterValue": "/taken" },
    ] });
    scene.ask(OPENED, "cloudformation", "update_stack", theirs);
    scene.await_vault(OPENED, "UPDATE_ROLLBACK_FAILED");
    scene.shut(OPENED, "nothing");
    scene.ask(HALF_DELETED, "cloudformation", "delete_stack", json!({ "StackName": "vault" }));
    scene.await_vault(HALF_DELETED, "DELETE_FAILED");

    let values = "{ Level: \"2\", NoteName: /taken }";
    let bad = format!("  services: {{ vault: {{ parameters: {values} }} }}\n");
    scene.write_tenant(SHUT, &bad);
    scene.write_tenant(GOING, "  services: { vault: { absent: true } }\n");
    scene.commit();
}

/// ministack shows what failed to go back in its events and in the stack's reason only: its list of
/// resources has it as it was before the update. What is not listed as failed is not skipped.
fn an_update_that_cannot_go_back_is_tried_once_and_then_waits_for_a_person(scene: &Scene) {
    assert_eq!(scene.vault(SHUT), "UPDATE_ROLLBACK_FAILED");
    let listed = scene.ask(SHUT, "cloudformation", "list_stack_resources", named());
    let status = |resource: &Value| resource["ResourceStatus"].as_str().unwrap().to_owned();
    let listed: Vec<String> =
        listed["StackResourceSummaries"].as_array().unwrap().iter().map(status).collect();
    assert_eq!(listed, ["CREATE_COMPLETE", "UPDATE_COMPLETE"], "AWS lists UPDATE_FAILED");
    let made = actions(&scene.calls(SHUT));
    let update = ["CreateStack", "CreateChangeSet", "ExecuteChangeSet"];
    assert_eq!(made, [&update[..], &["ContinueUpdateRollback"]].concat());
    let verdict = scene.verdict(SHUT);
    assert_eq!(
        verdict["text"],
        "UPDATE_ROLLBACK_FAILED needs a person: vault (AWS::CloudFormation::Stack): \
         UPDATE_ROLLBACK_FAILED: The following resource(s) failed to update: [Latch]"
    );
    let help = verdict["help"].as_str().unwrap();
    let told = "aws cloudformation continue-update-rollback --stack-name arn:aws:cloudformation:";
    assert!(help.starts_with(told) && help.ends_with(&format!(" --region {REGION}")), "{help}");
    let told = scene.expect(&["explain", "t1/vault"], 0).out;
    assert!(told.contains("already exists"), "why the update failed is told too: {told}");
}

fn a_rollback_that_failed_is_continued(scene: &Scene) {
    assert_eq!(scene.vault(OPENED), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(scene.verdict(OPENED)["weight"], "settled", "and it is as git says");
    let made = scene.calls(OPENED);
    assert!(actions(&made).contains(&"ContinueUpdateRollback".to_owned()), "{made:?}");
    let note = json!({ "Name": "/vault/note" });
    assert_eq!(scene.ask(OPENED, "ssm", "get_parameter", note)["Parameter"]["Value"], "1");
}

fn what_somebody_tried_to_delete_is_held(scene: &Scene) {
    assert_eq!(scene.vault(HALF_DELETED), "DELETE_FAILED");
    let text = scene.verdict(HALF_DELETED)["text"].as_str().unwrap().to_owned();
    assert!(text.contains("somebody tried to delete"), "{text}");
    assert_eq!(actions(&scene.calls(HALF_DELETED)), ["CreateStack"]);
}

fn what_shall_go_goes_without_the_part_that_refuses(scene: &Scene) {
    assert_eq!(scene.vault(GOING), "", "it is gone");
    let made = scene.calls(GOING);
    assert_eq!(actions(&made), ["CreateStack", "DeleteStack", "DeleteStack"]);
    let retained = |call: &Value| call["RetainResources.member.1"].clone();
    assert_eq!((retained(&made[1]), retained(&made[2])), (Value::Null, json!("Latch")));
}

fn people_do_what_they_were_told_and_all_converges(scene: &Scene) {
    let skipped = json!({ "StackName": "vault", "ResourcesToSkip": ["Latch"] });
    scene.ask(SHUT, "cloudformation", "continue_update_rollback", skipped);
    scene.await_vault(SHUT, "UPDATE_ROLLBACK_COMPLETE");
    scene.write_tenant(SHUT, "  services: { vault: { parameters: { Level: \"3\" } } }\n");
    scene.commit();
    scene.shut(HALF_DELETED, "nothing");
    scene.ask(HALF_DELETED, "cloudformation", "delete_stack", named());
    scene.await_vault(HALF_DELETED, "");
    scene.expect(&["apply", "--yes"], 0);
    let vaults: Vec<String> = (1..=scene.tenants).map(|tenant| scene.vault(tenant)).collect();
    assert_eq!(vaults, ["UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "CREATE_COMPLETE", ""]);
    let note = json!({ "Name": "/vault/note" });
    assert_eq!(scene.ask(SHUT, "ssm", "get_parameter", note)["Parameter"]["Value"], "3");
}

fn named() -> Value {
    json!({ "StackName": "vault" })
}

fn actions(calls: &[Value]) -> Vec<String> {
    calls.iter().map(|call| call["Action"].as_str().unwrap().to_owned()).collect()
}
