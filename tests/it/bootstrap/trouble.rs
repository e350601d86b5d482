//! Whatever keeps an account from being prepared is named, and nothing is changed there.

use std::time::Duration;

use driftless::cli::bootstrap::CannotPrepare;
use driftless::plan::bootstrap::ROLE_STACK;
use driftless::sim::{CallFault, Calls, Phase, ResourceFault, Status};

use crate::bootstrap::{bootstrap, counts, id, opens, preparing, role_stack, say, why, world};
use crate::world::{World, key};

const THEIRS: &str = "Resources:
  Mine:
    Type: AWS::IAM::Role
    Properties:
      RoleName: driftless-execution
      AssumeRolePolicyDocument:
        Statement: [{ Effect: Allow, Action: sts:AssumeRole, Principal: { Service: lambda.amazonaws.com } }]
";

fn call(world: &World, tenant: usize, api: &str, code: &str, times: Option<u32>) {
    let calls = Calls { account: Some(id(tenant)), region: None, api: Some(api.to_owned()) };
    let fault = CallFault::Refused { code: code.to_owned(), message: "so it is".to_owned() };
    world.cloud.script().calls(calls, fault, times);
}

fn breaks(tenant: usize, logical_id: &str, text: &str) -> ResourceFault {
    ResourceFault {
        account: Some(id(tenant)),
        region: None,
        stack: Some(ROLE_STACK.parse().expect("a name")),
        logical_id: logical_id.to_owned(),
        phase: Phase::Change,
        text: text.to_owned(),
        times: Some(1),
    }
}

#[tokio::test(start_paused = true)]
async fn accounts_that_let_nobody_in_are_named_and_nothing_is_changed() {
    let world = world(4, "");
    world.cloud.script().suspend_account(id(1));
    world.cloud.console().require_external_id(id(2), "theirs").expect("required");
    call(&world, 3, "AssumeRole", "RegionDisabledException", None);
    call(&world, 4, "DescribeStacks", "OptInRequired", None);
    let (ahead, done) = bootstrap(&world).await;
    assert_eq!(ahead, done, "there is nothing to do");
    assert_eq!(counts(&done), "4 accounts: 4 failed");
    for index in [0, 1] {
        let why = why(&done, index);
        assert!(why.starts_with("the execution role cannot be assumed, and the boot"), "{why}");
        assert!(why.contains("role/OrganizationAccountAccessRole"), "{why}");
    }
    assert_eq!(why(&done, 2), "AssumeRole: RegionDisabledException: so it is");
    assert_eq!(why(&done, 3), "DescribeStacks: OptInRequired: so it is");
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn credentials_that_have_expired_are_one_error_and_not_one_in_each_account() {
    let world = world(3, "");
    let calls = Calls { api: Some("GetCallerIdentity".to_owned()), ..Calls::default() };
    let (code, message) = ("ExpiredToken".to_owned(), "they have ended".to_owned());
    world.cloud.script().calls(calls, CallFault::Refused { code, message }, None);
    let error = preparing(&world).await.expect_err("expired");
    assert!(matches!(&error, CannotPrepare::Unknown(why) if why.code() == "ExpiredToken"));
    assert!(error.to_string().starts_with("the credentials of this machine were not accepted: "));
    assert_eq!(world.cloud.calls().len(), 1, "nobody else is asked");
}

#[tokio::test(start_paused = true)]
async fn a_role_of_another_account_is_none_to_make() {
    let world = world(2, "");
    let theirs = format!("arn:aws:iam::{}:role/driftless-execution", id(2));
    let ours = "\"arn:aws:iam::${account.id}:role/driftless-execution\"";
    world.edit("fleet.yaml", ours, &theirs);
    world.commit();
    let (_, done) = bootstrap(&world).await;
    assert_eq!(counts(&done), "2 accounts: 1 made, 1 failed");
    assert!(why(&done, 0).ends_with("which is no role of this account"), "{}", why(&done, 0));
}

#[tokio::test(start_paused = true)]
async fn a_stack_of_that_name_which_somebody_else_made_is_left_alone() {
    let world = world(1, "");
    let console = world.cloud.console();
    let theirs = THEIRS.replace("driftless-execution", "other");
    console.create_stack(&key(1, ROLE_STACK), &theirs, &[].into()).expect("created");
    let (_, done) = bootstrap(&world).await;
    assert_eq!(why(&done, 0), format!("a stack {ROLE_STACK} is there that driftless did not make"));
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_role_of_that_name_which_somebody_else_made_is_named_and_nothing_stays_of_ours() {
    let world = world(1, "");
    let console = world.cloud.console();
    console.create_stack(&key(1, "theirs"), THEIRS, &[].into()).expect("created");
    world.clock.sleep(Duration::from_secs(60)).await;
    let (_, done) = bootstrap(&world).await;
    let why = why(&done, 0);
    assert!(why.starts_with("a role of that name is there that driftless did not make"), "{why}");
    assert!(role_stack(&world, 1).is_none(), "what could not be made is gone");
    let theirs = world.stack(1, "theirs").expect("theirs stands");
    assert_eq!(theirs.status, Status::CREATE_COMPLETE);
}

#[tokio::test(start_paused = true)]
async fn what_was_left_half_made_is_made_anew() {
    let world = world(1, "");
    world.cloud.script().resource(breaks(1, "Role", "Internal Failure"));
    call(&world, 1, "DeleteStack", "ValidationError", Some(1));
    let (_, done) = bootstrap(&world).await;
    let why = why(&done, 0);
    assert!(why.starts_with("AWS::IAM::Role failed: Internal Failure; and its stack"), "{why}");
    assert_eq!(role_stack(&world, 1).expect("it stays").status, Status::ROLLBACK_COMPLETE);
    let (ahead, done) = bootstrap(&world).await;
    assert_eq!(ahead.touched(), 1);
    assert_eq!(counts(&done), "1 account: 1 made");
    assert!(opens(&world, 1, Some("shared")).await);
}

#[tokio::test(start_paused = true)]
async fn an_update_that_fails_leaves_the_role_as_it_was() {
    let world = world(1, "");
    bootstrap(&world).await;
    say(&world, "driftless-execution", "another", "");
    world.cloud.script().resource(breaks(1, "Role", "Trust policy is too long"));
    let (_, done) = bootstrap(&world).await;
    assert_eq!(why(&done, 0), "AWS::IAM::Role failed: Trust policy is too long");
    assert!(opens(&world, 1, Some("shared")).await, "the old one still holds");
    let (_, done) = bootstrap(&world).await;
    assert_eq!(counts(&done), "1 account: 1 updated");
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_answer_was_lost_is_found_again() {
    let world = world(1, "");
    let calls = Calls { api: Some("CreateStack".to_owned()), ..Calls::default() };
    world.cloud.script().calls(calls, CallFault::AnswerLost, Some(20));
    let (_, done) = bootstrap(&world).await;
    assert_eq!(counts(&done), "1 account: 1 made");
}

#[tokio::test(start_paused = true)]
async fn a_role_that_somebody_deleted_by_hand_is_told_of() {
    let world = world(1, "");
    bootstrap(&world).await;
    world.cloud.console().delete_resource(&key(1, ROLE_STACK), "Role").expect("deleted");
    world.mutating_calls();
    let (_, done) = bootstrap(&world).await;
    let why = why(&done, 0);
    assert!(why.contains("see whether somebody changed or deleted the role"), "{why}");
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}
