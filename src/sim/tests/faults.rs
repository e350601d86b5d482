//! What goes wrong on order.

use super::*;
use crate::sim::{CallFault, Calls};

const TOPIC: &str = "{Resources: {T: {Type: 'AWS::SNS::Topic'}}}";

fn describes() -> Calls {
    Calls { api: Some("DescribeStacks".to_owned()), ..Calls::default() }
}

#[tokio::test(start_paused = true)]
async fn calls_are_throttled_as_often_as_ordered() {
    let world = world().await;
    world.cloud.script().calls(describes(), CallFault::Throttled, Some(2));
    for _ in 0..2 {
        let (code, message) = error(world.aws.describe_stacks().send().await.expect_err("throttled"));
        assert_eq!((code.as_str(), message.as_str()), ("Throttling", "Rate exceeded"));
    }
    world.aws.describe_stacks().send().await.expect("the order is used up");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_has_had_its_effect() {
    let world = world().await;
    let creates = Calls { api: Some("CreateStack".to_owned()), ..Calls::default() };
    world.cloud.script().calls(creates, CallFault::AnswerLost, Some(1));
    let call = world.aws.create_stack().stack_name("one").template_body(TOPIC);
    let call = call.client_request_token("t");
    let lost = call.clone().send().await.expect_err("the answer is lost");
    assert!(lost.as_service_error().is_none(), "{lost:?}");
    assert_eq!(world.status("one").await, "CREATE_IN_PROGRESS");
    call.send().await.expect("the same token gives the answer again");
}

#[tokio::test(start_paused = true)]
async fn broken_answers_are_broken_and_late_ones_late() {
    let world = world().await;
    let script = world.cloud.script();
    world.create("one", TOPIC).await;
    for fault in [CallFault::Malformed, CallFault::Truncated] {
        script.calls(describes(), fault.clone(), Some(1));
        assert!(world.aws.describe_stacks().send().await.is_err(), "{fault:?}");
    }
    script.calls(describes(), CallFault::ServerError(503), Some(1));
    let failed = world.aws.describe_stacks().send().await.expect_err("503");
    assert_eq!(failed.raw_response().map(|raw| raw.status().as_u16()), Some(503));
    script.calls(describes(), CallFault::Delayed(Duration::from_secs(30)), Some(1));
    let before = world.clock.now();
    world.aws.describe_stacks().send().await.expect("late, but there");
    assert_eq!(world.clock.now().since(before), Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn a_denied_account_and_a_wrong_external_id_cannot_be_assumed() {
    let world = world().await;
    let account = ACCOUNT.parse().expect("an account");
    world.cloud.script().deny_role(account);
    let assume = || {
        let sts = sts(&world.cloud, &world.clock);
        let arn = format!("arn:aws:iam::{ACCOUNT}:role/driftless");
        sts.assume_role().role_arn(arn).role_session_name("test")
    };
    assert_eq!(error(assume().send().await.expect_err("denied")).0, "AccessDenied");
    world.cloud.script().allow_role(account);
    world.cloud.console().require_external_id(account, "gloves").expect("required");
    assert_eq!(error(assume().send().await.expect_err("no id")).0, "AccessDenied");
    assume().external_id("gloves").send().await.expect("the right id");
}

#[tokio::test(start_paused = true)]
async fn a_session_ends() {
    let world = world().await;
    world.pass(43_200).await;
    let (code, _) = error(world.aws.describe_stacks().send().await.expect_err("it has ended"));
    assert_eq!(code, "ExpiredToken");
}

#[tokio::test(start_paused = true)]
async fn quotas_hold_when_they_are_on() {
    let settings = CloudSettings { quotas: Some(true), ..CloudSettings::default() };
    let world = world_with(settings).await;
    let mut throttled = 0;
    for _ in 0..25 {
        throttled += u32::from(world.aws.describe_stacks().send().await.is_err());
    }
    assert_eq!(throttled, 5, "the burst is 20");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_simulated_is_refused_by_name() {
    let world = world().await;
    let (code, message) = error(world.aws.list_types().send().await.expect_err("unknown action"));
    assert_eq!(code, "NotSimulated");
    assert!(message.contains("`ListTypes`"), "{message}");
    let call = world.aws.create_stack().stack_name("one").template_body(TOPIC);
    let (_, message) = error(call.role_arn("x").send().await.expect_err("unknown field"));
    assert!(message.contains("`RoleARN` of CreateStack"), "{message}");
    assert_eq!(world.cloud.refused().len(), 2);
}
