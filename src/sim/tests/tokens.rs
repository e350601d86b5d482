//! Tokens: the same request again is the same success, another one under its token is refused.

use aws_sdk_cloudformation::types::ChangeSetType;

use crate::sim::tests::{TOPIC, error, parameter, world};

/// A stack with one parameter.
const NAMED: &str = "{Parameters: {Name: {Type: String, Default: a}}, Resources: {T: {Type: \
                     'AWS::SNS::Topic', Properties: {DisplayName: {Ref: Name}}}}}";

#[tokio::test(start_paused = true)]
async fn a_creation_repeated_with_its_token_is_the_same_stack() {
    let world = world().await;
    let call = || world.aws.create_stack().stack_name("one").client_request_token("t");
    let first = call().template_body(NAMED).send().await.expect("created");
    let again = call().template_body(NAMED).send().await.expect("the same success");
    assert_eq!(first.stack_id(), again.stack_id());
    let other = call().template_body(TOPIC).send().await;
    let (code, message) = error(other.expect_err("another request"));
    assert_eq!(code, "TokenAlreadyExistsException");
    assert!(message.starts_with("The client request token t has already been used"), "{message}");
    world.pass(60).await;
    call().template_body(NAMED).send().await.expect("also after its end");
    let without = world.aws.create_stack().stack_name("one").template_body(NAMED).send().await;
    assert_eq!(error(without.expect_err("no token")).0, "AlreadyExistsException");
    call().stack_name("two").template_body(NAMED).send().await.expect("tokens are a stack's own");
}

#[tokio::test(start_paused = true)]
async fn an_update_to_something_else_needs_another_token() {
    let world = world().await;
    let id = world.created("one", NAMED).await;
    let update = |stack: &str, name: &str| {
        let call = world.aws.update_stack().stack_name(stack).use_previous_template(true);
        call.parameters(parameter("Name", name)).client_request_token("t").send()
    };
    update("one", "b").await.expect("updated");
    update(&id, "b").await.expect("the ARN is the same stack");
    let (code, _) = error(update("one", "c").await.expect_err("other parameters"));
    assert_eq!(code, "TokenAlreadyExistsException");
    world.pass(60).await;
    update("one", "b").await.expect("also after its end");
    assert_eq!(world.status("one").await, "UPDATE_COMPLETE", "nothing was started");
    let delete = world.aws.delete_stack().stack_name("one").client_request_token("t").send().await;
    assert_eq!(error(delete.expect_err("another action")).0, "TokenAlreadyExistsException");
}

#[tokio::test(start_paused = true)]
async fn the_token_of_an_execution_belongs_to_one_change_set() {
    let world = world().await;
    world.created("one", NAMED).await;
    let execute = |set: &str| {
        let call = world.aws.execute_change_set().stack_name("one").change_set_name(set);
        call.client_request_token("t").send()
    };
    world.change_set("one", "first", ChangeSetType::Update, TOPIC).await;
    world.pass(5).await;
    execute("first").await.expect("executed");
    execute("first").await.expect("the same again");
    world.pass(60).await;
    assert_eq!(world.status("one").await, "UPDATE_COMPLETE");
    execute("first").await.expect("also after its end");
    let (code, _) = world.execute("one", "first").await.expect_err("it was executed");
    assert_eq!(code, "InvalidChangeSetStatus", "without a token it is no repetition");
    world.change_set("one", "second", ChangeSetType::Update, NAMED).await;
    world.pass(5).await;
    let (code, _) = error(execute("second").await.expect_err("another change set"));
    assert_eq!(code, "TokenAlreadyExistsException");
    let events = world.events("one").await;
    assert_eq!(events.iter().filter(|line| line.starts_with("one UPDATE_IN_PROGRESS")).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_set_repeated_with_its_token_is_the_same_and_otherwise_its_name_is_taken() {
    let world = world().await;
    world.created("one", NAMED).await;
    let create = |token: &str, template: &str| {
        let call = world.aws.create_change_set().stack_name("one").change_set_name("set");
        call.client_token(token).template_body(template).send()
    };
    let first = create("t", TOPIC).await.expect("a change set");
    assert_eq!(create("t", TOPIC).await.expect("the same").id(), first.id());
    for (token, template) in [("t", NAMED), ("u", TOPIC)] {
        let (code, _) = error(create(token, template).await.expect_err("the name is taken"));
        assert_eq!(code, "AlreadyExistsException");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_set_of_a_stack_that_moves_or_moved_cannot_be_executed() {
    let world = world().await;
    world.created("one", NAMED).await;
    world.change_set("one", "set", ChangeSetType::Update, TOPIC).await;
    world.pass(5).await;
    let update = world.aws.update_stack().stack_name("one").use_previous_template(true);
    update.parameters(parameter("Name", "b")).send().await.expect("updated");
    let (code, message) = world.execute("one", "set").await.expect_err("the stack moves");
    assert_eq!(code, "InvalidChangeSetStatus");
    assert!(message.contains("[OBSOLETE]"), "{message}");
    let during = world.aws.create_change_set().stack_name("one").change_set_name("other");
    let (_, message) = error(during.template_body(TOPIC).send().await.expect_err("it moves"));
    assert!(
        message.ends_with("is in UPDATE_IN_PROGRESS state and can not be updated."),
        "{message}"
    );
    world.pass(60).await;
    let set = world.described("one", "set").await;
    assert_eq!(set.execution_status().map(|status| status.as_str()), Some("OBSOLETE"));
}
