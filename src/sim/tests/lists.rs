//! Lists and templates: pages, secrets, mangled text.

use super::*;

const TOPIC: &str = "{Resources: {T: {Type: 'AWS::SNS::Topic'}}}";

#[tokio::test(start_paused = true)]
async fn stacks_come_in_pages_and_none_is_lost() {
    let settings = CloudSettings { stacks_per_page: 3, ..CloudSettings::default() };
    let world = world_with(settings).await;
    for index in 0..8 {
        world.create(&format!("stack-{index}"), TOPIC).await;
    }
    world.cloud.clear_calls();
    let pages = world.aws.describe_stacks().into_paginator().items().send();
    let stacks = pages.collect::<Result<Vec<_>, _>>().await.expect("stacks");
    let names: Vec<&str> = stacks.iter().filter_map(Stack::stack_name).collect();
    assert_eq!(names.len(), 8);
    assert!(names.is_sorted());
    assert_eq!(world.cloud.calls().len(), 3);
    assert!(world.cloud.calls().iter().all(|call| call.api == "DescribeStacks" && !call.mutating));
}

#[tokio::test(start_paused = true)]
async fn events_come_newest_first_in_pages_and_carry_the_token() {
    let settings = CloudSettings { events_per_page: 4, ..CloudSettings::default() };
    let world = world_with(settings).await;
    let call = world.aws.create_stack().stack_name("one").template_body(TOPIC);
    call.client_request_token("mine").send().await.expect("created");
    world.pass(60).await;
    let first = world.aws.describe_stack_events().stack_name("one").send().await.expect("events");
    assert_eq!(first.stack_events().len(), 4);
    let newest = &first.stack_events()[0];
    assert_eq!(newest.resource_status().map(|status| status.as_str()), Some("CREATE_COMPLETE"));
    assert_eq!(newest.logical_resource_id(), Some("one"));
    assert!(first.stack_events().iter().all(|event| event.client_request_token() == Some("mine")));
    let events = world.events("one").await;
    assert_eq!(events.first().map(String::as_str), Some("one CREATE_IN_PROGRESS User Initiated"));
    assert_eq!(events.len(), 5, "{events:#?}");
}

#[tokio::test(start_paused = true)]
async fn secrets_are_masked_and_foreign_letters_become_question_marks() {
    let world = world().await;
    let template = "Parameters: { Key: { Type: String, NoEcho: true } }\n\
                    Resources: { T: { Type: 'AWS::SNS::Topic' } }\n\
                    Outputs: { Name: { Value: 'grün' } }\n";
    let call = world.aws.create_stack().stack_name("one").template_body(template);
    call.parameters(parameter("Key", "secret")).tags(tag("owner", "")).send().await.expect("created");
    world.pass(60).await;
    let stack = world.describe("one").await;
    assert_eq!(stack.parameters()[0].parameter_value(), Some("****"));
    assert_eq!(stack.outputs()[0].output_value(), Some("gr?n"));
    assert_eq!(stack.tags()[0].value(), Some(""));
    let answer = world.aws.get_template().stack_name("one").send().await.expect("a template");
    assert_eq!(answer.template_body(), Some(template.replace('ü', "?").as_str()));
}

#[tokio::test(start_paused = true)]
async fn accounts_and_regions_are_apart() {
    let world = world().await;
    world.create("one", TOPIC).await;
    let other = client(&world.cloud, &world.clock, "444455556666").await;
    let answer = other.describe_stacks().send().await.expect("a list");
    assert!(answer.stacks().is_empty());
}
