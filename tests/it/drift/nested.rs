//! What drifts inside a nested stack is found like anything else.

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
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{ Effect: Allow, Action: \"sts:AssumeRole\", Principal: { Service: lambda.amazonaws.com } }]
";

#[tokio::test(start_paused = true)]
async fn the_role_of_a_nested_stack_is_looked_into_too() {
    let world = World::with_tenants(1);
    let console = world.cloud.console();
    console.put_object("templates", "child.yaml", CHILD.as_bytes()).expect("taken");
    world.write("shop/service.yaml", SERVICE);
    world.write("shop/shop.yaml", SHOP);
    world.edit("shop/service.yaml", "shop.yaml }", "shop.yaml, capabilities: [CAPABILITY_IAM] }");
    world.edit("fleet.yaml", "spec:\n", "spec:\n  drift: { every: 4h }\n");
    world.commit();
    world.apply().await.assert_converged(3);
    let target = key(1, "x").target;
    let stacks = console.stacks(target.account, &target.region).expect("the cloud");
    let child = stacks.into_iter().find(|stack| stack.parent.is_some()).expect("a nested stack");
    let child = key(1, child.name.as_str());
    let pointer = "/AssumeRolePolicyDocument/Statement/0/Principal/Service";
    console.change_property(&child, "Role", pointer, json!("ec2.amazonaws.com")).expect("changed");
    run_for(&world, 8 * HOUR).await;
    let said = said(&world);
    assert_eq!(said.len(), 1, "{said:?}");
    let start = "Child/Role (AWS::IAM::Role) /AssumeRolePolicyDocument/Statement/*/Principal/Service \
                 changed";
    assert!(said[0].starts_with(start), "{said:?}");
    assert!(!said[0].contains("ec2"), "what a nested template hides is not known");
}
