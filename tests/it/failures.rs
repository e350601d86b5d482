//! What fails is named, tried again when that can help, and never stops the others.

use std::time::Duration;

use driftless::board::Progress;
use driftless::ids::AccountId;
use driftless::observed::BlindReason;
use driftless::sim::{CallFault, Calls, Phase, ResourceFault, Status};

use crate::world::{World, account, key};

fn id(tenant: usize) -> AccountId {
    format!("{:012}", account(tenant)).parse().expect("an account")
}

fn calls(tenant: usize, api: &str) -> Calls {
    Calls { account: Some(id(tenant)), region: None, api: Some(api.to_owned()) }
}

fn resource(tenant: usize, logical_id: &str, phase: Phase, text: &str) -> ResourceFault {
    ResourceFault {
        account: Some(id(tenant)),
        region: None,
        stack: None,
        logical_id: logical_id.to_owned(),
        phase,
        text: text.to_owned(),
        times: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_create_is_named_and_made_again_when_git_changes() {
    let world = World::with_tenants(2);
    world.cloud.script().resource(resource(1, "Jobs", Phase::Change, "Queue jobs already exists"));
    let ended = world.apply().await;
    assert_eq!(ended.standing.total().stuck, 1, "{:#?}", ended.standing);
    assert_eq!(
        world.verdict(1, "api"),
        "failed: failed: Jobs (AWS::SQS::Queue): CREATE_FAILED: Queue jobs already exists"
    );
    assert_eq!(world.stack(1, "api").expect("there").status, Status::ROLLBACK_COMPLETE);
    assert_eq!(world.stacks(2).len(), 2, "the others go on");
    world.mutating_calls();
    world.apply().await;
    assert_eq!(world.mutating_calls(), Vec::<String>::new(), "not tried again in vain");
    world.cloud.script().clear();
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    world.apply().await.assert_converged(4);
}

#[tokio::test(start_paused = true)]
async fn a_failing_update_rolls_back_is_named_and_heals_when_git_goes_back() {
    let world = World::with_tenants(1);
    world.apply().await.assert_converged(2);
    world.cloud.script().resource(resource(1, "Setting", Phase::Change, "value not allowed"));
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    let ended = world.apply().await;
    assert_eq!(ended.standing.total().stuck, 1);
    assert!(world.verdict(1, "api").contains("value not allowed"), "{}", world.verdict(1, "api"));
    let api = world.stack(1, "api").expect("there");
    assert_eq!(api.status, Status::UPDATE_ROLLBACK_COMPLETE);
    world.cloud.script().clear();
    world.edit("api/service.yaml", "Size: \"2\"", "Size: \"1\"");
    world.commit();
    world.apply().await.assert_converged(2);
    world.mutating_calls();
    world.apply().await.assert_converged(2);
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_aws_broke_heals_by_itself() {
    let world = World::with_tenants(1);
    let fault = resource(1, "Jobs", Phase::Change, "Internal Failure");
    world.cloud.script().resource(ResourceFault { times: Some(1), ..fault });
    world.apply().await.assert_converged(2);
}

#[tokio::test(start_paused = true)]
async fn a_denied_account_is_blind_and_the_others_go_on() {
    let world = World::with_tenants(3);
    world.cloud.script().deny_role(id(2));
    let ended = world.apply().await;
    assert_eq!((ended.standing.blind, ended.standing.total().settled), (1, 4));
    let blind = ended.news.iter().filter_map(|news| match news {
        Progress::Blind { blind, .. } => Some(blind),
        _ => None,
    });
    let blind: Vec<_> = blind.collect();
    assert_eq!(blind.len(), 1, "said once");
    assert_eq!(blind[0].reason, BlindReason::AccessNotReady, "nobody has seen the account yet");
    world.cloud.script().allow_role(id(2));
    world.apply().await.assert_converged(6);
}

#[tokio::test(start_paused = true)]
async fn malformed_and_truncated_answers_make_a_target_blind_not_empty() {
    for fault in [CallFault::Malformed, CallFault::Truncated, CallFault::ServerError(503)] {
        let world = World::with_tenants(2);
        world.apply().await.assert_converged(4);
        world.mutating_calls();
        world.cloud.script().calls(calls(1, "DescribeStacks"), fault.clone(), None);
        let ended = world.apply().await;
        assert_eq!(ended.standing.blind, 1, "{fault:?}");
        assert_eq!(world.mutating_calls(), Vec::<String>::new(), "{fault:?}");
        world.cloud.script().clear();
        world.apply().await.assert_converged(4);
        assert_eq!(world.mutating_calls(), Vec::<String>::new(), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_that_nobody_knows_is_held() {
    let world = World::with_tenants(1);
    world.apply().await.assert_converged(2);
    world.mutating_calls();
    world.cloud.console().set_status(&key(1, "api"), Status::of("UPDATE_WARPED")).expect("set");
    let ended = world.apply().await;
    assert_eq!(ended.standing.total().stuck, 1);
    assert!(world.verdict(1, "api").starts_with("needs-person: UPDATE_WARPED"));
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_half_deleted_stack_of_ours_is_held_when_it_is_wanted() {
    let world = World::with_tenants(1);
    world.apply().await.assert_converged(2);
    world.cloud.console().set_status(&key(1, "api"), Status::DELETE_FAILED).expect("set");
    world.mutating_calls();
    world.apply().await;
    assert!(world.verdict(1, "api").starts_with("delete-failed"), "{}", world.verdict(1, "api"));
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn lost_answers_make_no_stack_twice() {
    let world = World::with_tenants(1);
    for api in ["CreateStack", "CreateChangeSet", "ExecuteChangeSet"] {
        world.cloud.script().calls(calls(1, api), CallFault::AnswerLost, Some(1));
    }
    world.apply().await.assert_converged(2);
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    world.apply().await.assert_converged(2);
    let events = world.cloud.console().events(&key(1, "network")).expect("events");
    let begun = events
        .iter()
        .filter(|event| event.resource.is_none() && event.status == Status::CREATE_IN_PROGRESS);
    assert_eq!(begun.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn throttling_slows_and_does_not_fail() {
    let world = World::with_tenants(2);
    world.cloud.script().calls(calls(1, "CreateStack"), CallFault::Throttled, Some(4));
    world.cloud.script().calls(calls(2, "DescribeStacks"), CallFault::Throttled, Some(4));
    world.apply().await.assert_converged(4);
}

#[tokio::test(start_paused = true)]
async fn a_suspended_tenant_is_left_alone_until_it_is_resumed() {
    use driftless::plan::{Scope, Suspension};
    let world = World::with_tenants(2);
    let scope = Scope::Tenant("t1".parse().expect("a name"));
    let suspension = Suspension {
        scope: scope.clone(),
        by: "ann".into(),
        reason: "migration".into(),
        at: world.clock.now(),
    };
    world.journal().suspend(&suspension).expect("suspended");
    let ended = world.apply().await;
    assert_eq!(world.stacks(1), Vec::<String>::new());
    assert_eq!(ended.standing.total().settled, 2);
    assert_eq!(world.verdict(1, "network"), "suspended: suspended by ann (tenant/t1: migration)");
    world.journal().resume(&scope).expect("resumed");
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.apply().await.assert_converged(4);
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_went_back_costs_one_call_a_look_and_still_gets_its_policy() {
    let world = World::with_tenants(1);
    world.apply().await.assert_converged(2);
    world.cloud.script().resource(resource(1, "Setting", Phase::Change, "value not allowed"));
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    world.apply().await;
    world.cloud.script().clear();
    world.edit("api/service.yaml", "Size: \"2\"", "Size: \"1\"");
    world.commit();
    world.apply().await.assert_converged(2);
    world.apply().await.assert_converged(2);
    world.cloud.clear_calls();
    world.apply().await.assert_converged(2);
    let apis: Vec<_> = world.cloud.calls().iter().map(|call| call.api).collect();
    assert!(apis.iter().all(|api| ["AssumeRole", "DescribeStacks"].contains(api)), "{apis:?}");
    world.write(
        "api/policy.json",
        r#"{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}]}"#,
    );
    let line = "  template: api.yaml";
    world.edit("api/service.yaml", line, &format!("{line}\n  stackPolicy: policy.json"));
    world.commit();
    world.apply().await.assert_converged(2);
    let api = world.stack(1, "api").expect("there");
    assert_eq!(api.status, Status::UPDATE_ROLLBACK_COMPLETE);
    assert!(api.policy.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_refused_delete_is_tried_again_later_and_not_at_each_look() {
    let world = World::with_tenants(1);
    world.apply().await.assert_converged(2);
    world.write_tenant(1, "  lifecycle: offboarded\n");
    world.commit();
    let refused = CallFault::Refused { code: "AccessDenied".into(), message: "no".into() };
    world.cloud.script().calls(calls(1, "DeleteStack"), refused, None);
    world.mutating_calls();
    world
        .run_until(async {
            tokio::time::sleep(Duration::from_secs(3_000)).await;
            let tries = world.mutating_calls().len();
            assert!((1..10).contains(&tries), "{tries} tries in 50 minutes");
            world.cloud.script().clear();
            tokio::time::sleep(Duration::from_secs(3 * 3_600)).await;
        })
        .await;
    assert_eq!(world.stacks(1), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_account_that_was_lost_while_it_worked_does_not_keep_the_last_place_for_ever() {
    let world = World::with_tenants(2);
    world.edit("fleet.yaml", "limits: {", "limits: { stacksInFlight: 1,");
    world.commit();
    world
        .run_until(async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let working = world.cloud.console().running().expect("the cloud answers");
            assert_eq!(working.len(), 1, "{working:?}");
            world.cloud.script().suspend_account(working[0].key.target.account);
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            let others = (1..=2).map(|tenant| world.stacks(tenant).len()).sum::<usize>();
            assert_eq!(others, 1, "it may still run");
            tokio::time::sleep(Duration::from_secs(3 * 3_600)).await;
            let others = (1..=2).map(|tenant| world.stacks(tenant).len()).sum::<usize>();
            assert_eq!(others, 3, "the other account is complete");
        })
        .await;
}

/// How many times the stack `api` of tenant 1 was made in two hours in which `Jobs` always fails.
/// Whoever makes it without end is stopped: time may not pass meanwhile.
async fn creates_in_two_hours(text: &str) -> usize {
    const TOO_MANY: u64 = 50;
    let world = World::with_tenants(1);
    world.cloud.script().resource(resource(1, "Jobs", Phase::Change, text));
    let mut two_hours = Box::pin(tokio::time::sleep(Duration::from_secs(2 * 3_600)));
    let over = std::future::poll_fn(|context| {
        let counts = world.cloud.call_counts();
        let made = counts.iter().filter(|((_, _, api), _)| *api == "CreateStack");
        if made.map(|(_, count)| count).sum::<u64>() > TOO_MANY {
            return std::task::Poll::Ready(());
        }
        two_hours.as_mut().poll(context)
    });
    world.run_until(over).await;
    let made = world.mutating_calls();
    // The network beside it is made once.
    made.iter().filter(|call| call.starts_with("CreateStack")).count() - 1
}

#[tokio::test(start_paused = true)]
async fn what_aws_breaks_is_tried_again_at_a_growing_distance() {
    let made = creates_in_two_hours("Internal Failure").await;
    assert!((4..12).contains(&made), "{made} times");
}

#[tokio::test(start_paused = true)]
async fn what_git_has_to_mend_is_made_once() {
    assert_eq!(creates_in_two_hours("Queue jobs already exists").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_listing_from_before_a_failure_does_not_have_it_tried_again() {
    let world = World::with_tenants(1);
    world.apply().await.assert_converged(2);
    world.cloud.script().resource(resource(1, "Setting", Phase::Change, "value not allowed"));
    let mut before = world.clock.now();
    for (from, to) in [("1", "2"), ("2", "3")] {
        before = world.clock.now();
        let size = |number: &str| format!("Size: \"{number}\"");
        world.edit("api/service.yaml", &size(from), &size(to));
        world.commit();
        assert_eq!(world.apply().await.standing.total().stuck, 1);
    }
    world.mutating_calls();
    world.cloud.script().calls(calls(1, "DescribeStacks"), CallFault::AsOf(before), Some(1));
    for _ in 0..2 {
        assert_eq!(world.apply().await.standing.total().stuck, 1);
    }
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_output_that_a_complete_stack_does_not_have_is_not_waited_for() {
    let world = World::with_tenants(1);
    let conditional = "Outputs:\n  VpcName: { Condition: Public, Value: !Ref Vpc }\n\
                       Conditions: { Public: !Equals [!Ref Note, public] }\n";
    world.edit("network/network.yaml", "Outputs:\n  VpcName: { Value: !Ref Vpc }\n", conditional);
    world.commit();
    let ended = world.apply().await;
    assert_eq!((ended.standing.total().stuck, ended.standing.total().settled), (1, 1));
    let verdict = "no-such-output: network is complete and has no output VpcName here";
    assert_eq!(world.verdict(1, "api"), verdict);
}
