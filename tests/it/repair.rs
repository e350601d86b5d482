//! Updates that did not end well are taken back, rung by rung; what cannot be mended waits for a
//! person, who is told once what to run.

use driftless::board::Progress;
use driftless::outcome::StepKind;
use driftless::sim::{CallFault, Calls, Phase, ResourceFault, Status};

use crate::world::{Ended, World, key};

fn fault(stack: &str, logical_id: &str, phase: Phase, text: &str) -> ResourceFault {
    ResourceFault {
        account: None,
        region: None,
        stack: Some(stack.parse().expect("a name")),
        logical_id: logical_id.to_owned(),
        phase,
        text: text.to_owned(),
        times: None,
    }
}

/// A network whose update of both resources fails at the second one.
async fn world(rollback: ResourceFault) -> World {
    let world = World::with_tenants(1);
    world.apply().await.assert_converged(2);
    let script = world.cloud.script();
    script.resource(fault("network", "Notes", Phase::Change, "value not allowed"));
    script.resource(rollback);
    let values = "{ Cidr: \"10.1.0.0/16\", Note: \"x\" }";
    world.edit("network/service.yaml", "{ Cidr: \"10.0.0.0/16\" }", values);
    world.commit();
    world.mutating_calls();
    world
}

fn status(world: &World) -> Status {
    world.stack(1, "network").expect("it stands").status
}

/// The steps that were made, by their words, and what was skipped.
fn repairs(ended: &Ended) -> Vec<String> {
    let step = |news: &Progress| match news {
        Progress::Step { step, .. } if step.kind.is_repair() => Some(match &step.kind {
            StepKind::ContinueRollback { skip } => format!("continue {skip:?}"),
            kind => kind.word().to_owned(),
        }),
        _ => None,
    };
    ended.news.iter().filter_map(step).collect()
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_aws_broke_is_continued_and_the_failed_update_is_not_made_again() {
    let broken = fault("network", "Vpc", Phase::Rollback, "Internal Failure");
    let world = world(ResourceFault { times: Some(2), ..broken }).await;
    let ended = world.apply().await;
    assert_eq!(repairs(&ended), ["continue {}", "continue {}"]);
    assert_eq!(status(&world), Status::UPDATE_ROLLBACK_COMPLETE);
    assert!(world.verdict(1, "network").contains("value not allowed"), "the cause is git's");
    assert_eq!(ended.standing.total().stuck, 1);
    world.mutating_calls();
    world.apply().await;
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_rolled_back_is_skipped_and_owed_until_an_update_changes_it() {
    let world = world(fault("network", "Vpc", Phase::Rollback, "it is locked")).await;
    let ended = world.apply().await;
    let skips = "continue {\"Vpc\": \"AWS::SSM::Parameter\"}";
    assert_eq!(repairs(&ended), ["continue {}", skips]);
    assert_eq!(status(&world), Status::UPDATE_ROLLBACK_COMPLETE);
    let debts = world.record(1, "network").memory.debts;
    assert_eq!(debts.keys().collect::<Vec<_>>(), ["Vpc"]);
    world.cloud.script().clear();
    world.edit("network/service.yaml", "10.1.0.0/16", "10.2.0.0/16");
    world.commit();
    world.apply().await;
    assert_eq!(
        world.verdict(1, "network"),
        "protected: the update of 100000000001/eu-central-1/network would touch Vpc \
         (AWS::SSM::Parameter), which a rollback skipped; not as AWS believes since a rollback \
         skipped it: Vpc (AWS::SSM::Parameter)"
    );
    let (journal, now) = (world.journal(), world.clock.now());
    for (request, _) in journal.requests().expect("requests") {
        let until = now + std::time::Duration::from_secs(3_600);
        journal.approve(&request.id, "ann", "looked at it", now, until).expect("approved");
    }
    world.apply().await.assert_converged(2);
    assert_eq!(world.verdict(1, "network"), "in-sync: in sync");
}

#[tokio::test(start_paused = true)]
async fn what_is_protected_is_never_skipped_but_a_person_is_told_once_what_to_run() {
    let world = World::with_tenants(1);
    world.edit("network/service.yaml", "spec:", "spec:\n  protect: [AWS::SSM::Parameter]");
    world.commit();
    world.apply().await.assert_converged(2);
    let script = world.cloud.script();
    script.resource(fault("network", "Notes", Phase::Change, "value not allowed"));
    script.resource(fault("network", "Vpc", Phase::Rollback, "it is locked"));
    let values = "{ Cidr: \"10.1.0.0/16\", Note: \"x\" }";
    world.edit("network/service.yaml", "{ Cidr: \"10.0.0.0/16\" }", values);
    world.commit();
    let ended = world.apply().await;
    assert_eq!(repairs(&ended), ["continue {}"]);
    let record = world.record(1, "network");
    assert_eq!(
        record.verdict.text,
        "UPDATE_ROLLBACK_FAILED needs a person: Vpc (AWS::SSM::Parameter): UPDATE_FAILED: it is locked"
    );
    let help = record.verdict.help.expect("help");
    assert!(
        help.starts_with("aws cloudformation continue-update-rollback --stack-name arn:"),
        "{help}"
    );
    assert!(help.ends_with(" --resources-to-skip Vpc --region eu-central-1"), "{help}");
    let ended = world.apply().await;
    let told = ended.news.iter().any(|news| matches!(news, Progress::Verdict { .. }));
    assert!(!told, "said once: {:?}", repairs(&ended));
}

#[tokio::test(start_paused = true)]
async fn an_update_that_somebody_left_failed_is_rolled_back_and_made_as_git_says() {
    let world = World::with_tenants(1);
    world.apply().await.assert_converged(2);
    let network = key(1, "network");
    let theirs = [("Note", "theirs"), ("Cidr", "10.9.0.0/16")];
    let theirs = theirs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    world.cloud.script().resource(fault("network", "Notes", Phase::Change, "value not allowed"));
    world.cloud.console().update_without_rollback(&network, &theirs).expect("updated");
    world.clock.sleep(std::time::Duration::from_secs(600)).await;
    assert_eq!(status(&world), Status::UPDATE_FAILED);
    let ended = world.apply().await;
    assert_eq!(repairs(&ended), ["roll-back"]);
    ended.assert_converged(2);
    let network = world.stack(1, "network").expect("it stands");
    assert_eq!(network.parameters["Cidr"], "10.0.0.0/16");
}

#[tokio::test(start_paused = true)]
async fn a_repair_that_is_refused_is_asked_for_again_when_somebody_may_have_given_the_right() {
    let world = world(fault("network", "Vpc", Phase::Rollback, "Internal Failure")).await;
    let calls = Calls { api: Some("ContinueUpdateRollback".to_owned()), ..Calls::default() };
    let denied = CallFault::Refused {
        code: "AccessDenied".to_owned(),
        message: "not authorized to perform: cloudformation:ContinueUpdateRollback".to_owned(),
    };
    world.cloud.script().calls(calls, denied, Some(2));
    let clock = world.clock.clone();
    let ended = world.run_until(clock.sleep(std::time::Duration::from_secs(4 * 3_600))).await;
    let made = repairs(&ended);
    assert_eq!(made[..3], ["continue {}", "continue {}", "continue {}"], "{made:?}");
    assert_eq!(status(&world), Status::UPDATE_ROLLBACK_COMPLETE);
    assert!(made.len() <= 6, "{made:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_skipped_by_a_call_without_an_answer_is_owed_all_the_same() {
    let world = world(fault("network", "Vpc", Phase::Rollback, "it is locked")).await;
    let calls = Calls { api: Some("ContinueUpdateRollback".to_owned()), ..Calls::default() };
    world.cloud.script().calls(calls, CallFault::AnswerLost, None);
    let clock = world.clock.clone();
    world.run_until(clock.sleep(std::time::Duration::from_secs(3_600))).await;
    assert_eq!(status(&world), Status::UPDATE_ROLLBACK_COMPLETE);
    assert!(world.record(1, "network").memory.debts.contains_key("Vpc"));
}

#[tokio::test(start_paused = true)]
async fn an_ignored_drift_pays_no_debt() {
    let world = world(fault("network", "Vpc", Phase::Rollback, "it is locked")).await;
    world.apply().await;
    assert!(world.record(1, "network").memory.debts.contains_key("Vpc"));
    world.cloud.script().clear();
    world.edit(
        "fleet.yaml",
        "spec:\n",
        "spec:\n  drift: { every: 1h, ignore: [{ type: \"AWS::SSM::Parameter\" }] }\n",
    );
    world.commit();
    world.run_until(tokio::time::sleep(std::time::Duration::from_secs(27 * 3_600))).await;
    assert!(world.record(1, "network").memory.debts.contains_key("Vpc"));
}
