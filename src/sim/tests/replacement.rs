//! What a change of a property does to its resource, and how a change set tells it.

use aws_sdk_cloudformation::types::{ChangeSetType, ResourceChange};

use crate::sim::tests::{World, error, key, world};

/// Updates a stack of one resource `R` and returns its change, after the change set was executed.
async fn changed(world: &World, name: &str, before: &str, after: &str) -> ResourceChange {
    world.created(name, before).await;
    world.change_set(name, "one", ChangeSetType::Update, after).await;
    world.pass(5).await;
    let set = world.described(name, "one").await;
    let change = set.changes().iter().find_map(|change| change.resource_change().cloned());
    world.execute(name, "one").await.expect("executed");
    world.pass(900).await;
    change.expect("R changes")
}

fn recreation(change: &ResourceChange) -> (&str, Vec<(&str, &str)>) {
    let replacement = change.replacement().map(|one| one.as_str()).unwrap_or_default();
    let details = change.details().iter().filter_map(|detail| detail.target());
    let details = details.map(|target| {
        let recreation = target.requires_recreation().map(|one| one.as_str());
        (target.name().unwrap_or_default(), recreation.unwrap_or_default())
    });
    (replacement, details.collect())
}

fn physical_id(world: &World, stack: &str) -> String {
    let stack = world.cloud.console().stack(&key(stack)).expect("cloud").expect("stack");
    stack.resources["R"].physical_id.clone()
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_replaced_by_its_notifications_and_not_by_its_limit() {
    let world = world().await;
    let budget = |amount: u32, threshold: u32| {
        format!(
            "{{Resources: {{R: {{Type: 'AWS::Budgets::Budget', Properties: {{Budget: {{BudgetType: \
             COST, BudgetLimit: {{Amount: {amount}}}}}, NotificationsWithSubscribers: [{{Notification: \
             {{Threshold: {threshold}}}}}]}}}}}}}}"
        )
    };
    let change = changed(&world, "one", &budget(10, 100), &budget(20, 100)).await;
    assert_eq!(recreation(&change), ("False", vec![("Budget", "Never")]));
    let change = changed(&world, "two", &budget(10, 100), &budget(10, 80)).await;
    assert_eq!(recreation(&change), ("True", vec![("NotificationsWithSubscribers", "Always")]));
    assert_eq!(change.policy_action().map(|one| one.as_str()), Some("ReplaceAndDelete"));
}

#[tokio::test(start_paused = true)]
async fn a_name_inside_a_property_replaces_as_well() {
    let world = world().await;
    let budget = |name: &str, rest: &str| {
        format!(
            "{{Resources: {{R: {{Type: 'AWS::Budgets::Budget', Properties: {{Budget: {{BudgetName: \
             {name}, BudgetType: COST}}{rest}}}}}}}}}"
        )
    };
    let change = changed(&world, "one", &budget("a", ""), &budget("b", "")).await;
    assert_eq!(recreation(&change), ("True", vec![("Budget", "Always")]));
    assert_eq!(physical_id(&world, "one"), "b");
    let notified = budget("b", ", NotificationsWithSubscribers: []");
    world.aws.update_stack().stack_name("one").template_body(notified).send().await.expect("taken");
    world.pass(300).await;
    assert_eq!(world.status("one").await, "UPDATE_ROLLBACK_COMPLETE");
    let events = world.events("one").await;
    let text = "R UPDATE_FAILED CloudFormation cannot update a stack when a custom-named resource \
                requires replacing. Rename b and update the stack again.";
    assert!(events.iter().any(|line| line.starts_with(text)), "{events:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_conditional_replacement_is_told_as_one() {
    let world = world().await;
    let table = |key: &str| {
        format!(
            "{{Resources: {{R: {{Type: 'AWS::DynamoDB::Table', Properties: {{KeySchema: \
             [{{AttributeName: {key}}}]}}}}}}}}"
        )
    };
    let change = changed(&world, "table", &table("a"), &table("b")).await;
    assert_eq!(recreation(&change), ("Conditional", vec![("KeySchema", "Conditionally")]));
    let events = world.events("table").await;
    let text = "R UPDATE_IN_PROGRESS Requested update requires the creation of a new physical \
                resource; hence creating one.";
    assert!(events.iter().any(|line| line == text), "{events:#?}");
    let tenancy = |word: &str| {
        format!(
            "{{Resources: {{R: {{Type: 'AWS::EC2::VPC', Properties: {{CidrBlock: 10.0.0.0/16, \
             InstanceTenancy: {word}}}}}}}}}"
        )
    };
    let change = changed(&world, "vpc", &tenancy("dedicated"), &tenancy("default")).await;
    assert_eq!(recreation(&change), ("Conditional", vec![("InstanceTenancy", "Conditionally")]));
    let events = world.events("vpc").await;
    assert!(!events.iter().any(|line| line.contains("new physical resource")), "{events:#?}");
}

#[tokio::test(start_paused = true)]
async fn some_properties_let_the_update_fail() {
    let world = world().await;
    let kms = |spec: &str| {
        format!("{{Resources: {{R: {{Type: 'AWS::KMS::Key', Properties: {{KeySpec: {spec}}}}}}}}}")
    };
    let change = changed(&world, "keys", &kms("RSA_2048"), &kms("RSA_4096")).await;
    assert_eq!(recreation(&change), ("False", vec![("KeySpec", "Never")]));
    assert_eq!(world.status("keys").await, "UPDATE_ROLLBACK_COMPLETE");
    let events = world.events("keys").await;
    let text = "R UPDATE_FAILED Updates are not allowed for property - KeySpec.";
    assert!(events.iter().any(|line| line == text), "{events:#?}");
}

#[tokio::test(start_paused = true)]
async fn get_att_gives_what_the_type_has_and_nothing_else() {
    let world = world().await;
    let template = |attribute: &str| {
        format!(
            "{{Resources: {{R: {{Type: 'AWS::SSM::Parameter', Properties: {{Type: String, Value: x}}}}, \
             T: {{Type: 'AWS::IAM::Role'}}}}, Outputs: {{O: {{Value: {{'Fn::GetAtt': [{attribute}]}}}}}}}}"
        )
    };
    world.created("value", &template("R, Value")).await;
    assert_eq!(world.describe("value").await.outputs()[0].output_value(), Some("x"));
    let call = world.aws.create_stack().stack_name("none").template_body(template("T, RoleName"));
    let call = call.capabilities("CAPABILITY_IAM".into());
    let (code, message) = error(call.send().await.expect_err("a role has no such attribute"));
    assert_eq!(code, "ValidationError");
    let text = "Template error: resource T does not support attribute type RoleName in Fn::GetAtt";
    assert_eq!(message, text);
}
