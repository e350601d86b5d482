//! What drifts inside a nested stack is found and brought back like anything else.

use driftless::ids::StackKey;

use super::*;

const SERVICE: &str = "apiVersion: driftless.dev/v1
kind: Service
metadata: { name: shop }
spec: { template: shop.yaml }
";

const SHOP: &str = "Resources:
  Child:
    Type: AWS::CloudFormation::Stack
    Properties: { TemplateURL: \"https://templates.s3.eu-central-1.amazonaws.com/child.yaml\" }
";

const CHILD: &str = "Resources:
  Note: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: x } }
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{ Effect: Allow, Action: \"sts:AssumeRole\", Principal: { Service: lambda.amazonaws.com } }]
";

pub(super) async fn world(drift: &str) -> (World, StackKey) {
    let world = World::with_tenants(1);
    let console = world.cloud.console();
    console.put_object("templates", "child.yaml", CHILD.as_bytes()).expect("taken");
    world.write("shop/service.yaml", SERVICE);
    world.write("shop/shop.yaml", SHOP);
    world.edit("shop/service.yaml", "shop.yaml }", "shop.yaml, capabilities: [CAPABILITY_IAM] }");
    world.edit("fleet.yaml", "spec:\n", &format!("spec:\n  drift: {drift}\n"));
    world.commit();
    world.apply().await.assert_converged(3);
    let target = key(1, "x").target;
    let stacks = console.stacks(target.account, &target.region).expect("the cloud");
    let child = stacks.into_iter().find(|stack| stack.parent.is_some()).expect("a nested stack");
    let child = key(1, child.name.as_str());
    let pointer = "/AssumeRolePolicyDocument/Statement/0/Principal/Service";
    console.change_property(&child, "Role", pointer, json!("ec2.amazonaws.com")).expect("changed");
    world.mutating_calls();
    (world, child)
}

#[tokio::test(start_paused = true)]
async fn the_role_of_a_nested_stack_is_looked_into_too() {
    let (world, _) = world("{ every: 4h }").await;
    run_for(&world, 8 * HOUR).await;
    let said = said(&world);
    assert_eq!(said.len(), 1, "{said:?}");
    let start = "Child/Role (AWS::IAM::Role) /AssumeRolePolicyDocument/Statement/*/Principal/Service \
                 changed";
    assert!(said[0].starts_with(start), "{said:?}");
    assert!(!said[0].contains("ec2"), "what a nested template hides is not known");
}

#[tokio::test(start_paused = true)]
async fn what_drifted_in_a_nested_stack_is_brought_back_through_its_root() {
    let (world, _) = world("{ every: 4h, policy: revert }").await;
    run_for(&world, 12 * HOUR).await;
    assert_eq!((drifted(&world), said(&world)), (Vec::new(), Vec::new()));
    let calls = ["CreateChangeSet 100000000001", "ExecuteChangeSet 100000000001"];
    assert_eq!(world.mutating_calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn a_phantom_in_a_nested_stack_is_held_too() {
    let (world, child) = world("{ every: 4h, policy: revert }").await;
    world.cloud.script().drift(DriftFault {
        account: None,
        region: None,
        stack: Some(child.name),
        trouble: DriftTrouble::Phantom { logical_ids: ["Note".to_owned()].into() },
        times: None,
    });
    run_for(&world, 10 * HOUR).await;
    let verdict = world.verdict(1, "shop");
    assert!(verdict.contains("would also touch Child/Note (AWS::SSM::Parameter)"), "{verdict}");
    assert!(!world.mutating_calls().iter().any(|call| call.starts_with("Execute")));
}
