//! Which revision is converged while a controller runs: the newest good one, and no other.

use std::time::Duration;

use driftless::board::Progress;
use driftless::controller::{ControllerError, Until, run};
use driftless::plan::{Scope, Suspension};
use driftless::reconcile::Only;
use driftless::sim::Status;

use crate::world::{World, key};

/// Long enough for git to be polled and for everything to settle.
const A_WHILE: Duration = Duration::from_secs(600);

async fn a_while() {
    tokio::time::sleep(A_WHILE).await;
}

#[tokio::test(start_paused = true)]
async fn a_new_tenant_is_deployed_while_the_controller_runs_and_nobody_else_is_touched() {
    let world = World::with_tenants(2);
    let ended = world
        .run_until(async {
            a_while().await;
            world.mutating_calls();
            world.write_tenant(3, "");
            world.commit();
            a_while().await;
        })
        .await;
    ended.assert_converged(6);
    let calls = world.mutating_calls();
    assert_eq!(calls, ["CreateStack 100000000003", "CreateStack 100000000003"]);
    let woken: Vec<usize> = ended
        .news
        .iter()
        .filter_map(|news| match news {
            Progress::Accepted { changed, .. } => Some(changed.len()),
            _ => None,
        })
        .collect();
    assert_eq!(woken[1..], [1], "a commit that touches one tenant wakes one tenant");
}

#[tokio::test(start_paused = true)]
async fn a_commit_with_an_error_is_refused_and_the_fleet_stays_converged() {
    let world = World::with_tenants(2);
    let ended = world
        .run_until(async {
            a_while().await;
            world.mutating_calls();
            world.edit("api/service.yaml", "Size:", "Sice:");
            world.commit();
            a_while().await;
            world.cloud.console().delete_stack(&key(1, "api")).expect("deleted");
            tokio::time::sleep(Duration::from_secs(4 * 3600)).await;
        })
        .await;
    ended.assert_converged(4);
    assert_eq!(world.mutating_calls(), ["CreateStack 100000000001"], "the last good one heals");
    let refused = ended.news.iter().find_map(|news| match news {
        Progress::Refused { findings, .. } => Some(findings.clone()),
        _ => None,
    });
    let refused = refused.expect("refused");
    assert!(refused.iter().any(|finding| finding.message.contains("Sice")), "{refused:#?}");
    let kept = world.journal().refused_revision().expect("read").expect("kept");
    assert!(kept.findings.contains("Sice"), "{}", kept.findings);
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_starts_on_a_bad_revision_goes_on_with_the_last_good_one() {
    let world = World::with_tenants(1);
    world.apply().await.assert_converged(2);
    world.write("tenants/t1.yaml", "apiVersion: driftless.dev/v1\nkind: Tenant\n");
    world.commit();
    world.cloud.console().delete_stack(&key(1, "api")).expect("deleted");
    let ended = world.run_until(a_while()).await;
    ended.assert_converged(2);
    assert_eq!(world.stacks(1).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn applying_an_older_or_a_bad_revision_is_refused_and_changes_nothing() {
    let world = World::with_tenants(1);
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    world.apply().await.assert_converged(2);
    world.mutating_calls();
    let repository = git2::Repository::open(world.repository()).expect("a repository");
    let first = repository.revparse_single("HEAD~1").expect("a commit");
    repository.reset(&first, git2::ResetType::Hard, None).expect("reset");
    let error = world.try_apply().await.err().expect("refused");
    assert!(error.to_string().contains("does not descend from"), "{error}");
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    let (request, _) = world.journal().requests().expect("read").pop().expect("asked");
    let now = world.clock.now();
    world.journal().approve(&request.id, "ann", "back", now, now + A_WHILE).expect("approved");
    world.apply().await.assert_converged(2);
    assert_eq!(world.stack(1, "api").expect("there").parameters["Size"], "1");
}

#[tokio::test(start_paused = true)]
async fn without_any_good_revision_nothing_is_done() {
    let world = World::with_tenants(1);
    world.write("fleet.yaml", "apiVersion: driftless.dev/v1\nkind: Flet\n");
    world.commit();
    let error = world.try_apply().await.err().expect("refused");
    assert!(matches!(error, ControllerError::Refused(_)), "{error}");
    assert_eq!(world.cloud.calls().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn rewritten_history_is_held_until_it_is_approved() {
    let world = World::with_tenants(1);
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    let ended = world
        .run_until(async {
            a_while().await;
            let repository = git2::Repository::open(world.repository()).expect("a repository");
            let first = repository.revparse_single("HEAD~1").expect("a commit");
            repository.reset(&first, git2::ResetType::Hard, None).expect("reset");
            a_while().await;
            assert_eq!(world.stack(1, "api").expect("there").parameters["Size"], "2");
            let journal = world.journal();
            let (request, _) = journal.requests().expect("read").pop().expect("asked");
            let now = world.clock.now();
            journal.approve(&request.id, "ann", "back", now, now + A_WHILE).expect("approved");
            a_while().await;
        })
        .await;
    ended.assert_converged(2);
    assert_eq!(world.stack(1, "api").expect("there").parameters["Size"], "1");
}

#[tokio::test(start_paused = true)]
async fn a_suspension_stops_new_steps_within_a_second_and_running_operations_finish() {
    let world = World::with_tenants(1);
    world
        .run_until(async {
            while world.stacks(1).is_empty() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            let (scope, now) = (Scope::Fleet, world.clock.now());
            let (by, reason) = ("ann".to_owned(), "stop".to_owned());
            let suspension = Suspension { scope, by, reason, at: now };
            world.journal().suspend(&suspension).expect("suspended");
            a_while().await;
            assert_eq!(world.stacks(1), ["network CREATE_COMPLETE"]);
            world.journal().resume(&Scope::Fleet).expect("resumed");
            a_while().await;
        })
        .await
        .assert_converged(2);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_at_once_and_what_runs_in_aws_is_found_again() {
    let world = World::with_tenants(1);
    let ended = world
        .run_until(async {
            while world.stacks(1).is_empty() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
        .await;
    assert_eq!(ended.standing.in_flight, 1);
    let network = world.stack(1, "network").expect("there");
    assert_eq!(network.status, Status::CREATE_IN_PROGRESS);
    world.apply().await.assert_converged(2);
    assert_eq!(world.stack(1, "network").expect("there").id, network.id);
}

#[tokio::test(start_paused = true)]
async fn a_controller_killed_at_any_moment_makes_nothing_twice_and_deletes_nothing() {
    for moment in 0..24_u64 {
        let world = World::with_tenants(2);
        for _ in 0..2 {
            let (settings, _news) = world.settings();
            let until = Until::AtRest { only: Only::default() };
            let running = run(settings, until, std::future::pending());
            let killed = tokio::time::timeout(Duration::from_millis(700 * moment), running).await;
            drop(killed);
            if moment % 3 == 0 {
                world.lose_journal();
            }
        }
        world.apply().await.assert_converged(4);
        for (tenant, name) in [(1, "network"), (1, "api"), (2, "network"), (2, "api")] {
            let events = world.cloud.console().events(&key(tenant, name)).expect("events");
            let of = |status: Status| {
                let own = events.iter().filter(|event| event.resource.is_none());
                own.filter(|event| event.status == status).count()
            };
            assert_eq!(of(Status::CREATE_IN_PROGRESS), 1, "killed at {moment}: {name}");
            assert_eq!(of(Status::DELETE_IN_PROGRESS), 0, "killed at {moment}: {name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_commit_while_change_sets_are_prepared_is_deployed_all_the_same() {
    let world = World::with_tenants(2);
    world
        .run_until(async {
            a_while().await;
            world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
            world.commit();
            world.mutating_calls();
            while world.mutating_calls().is_empty() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            world.edit("api/service.yaml", "Size: \"2\"", "Size: \"3\"");
            world.commit();
            a_while().await;
        })
        .await
        .assert_converged(4);
    assert_eq!(world.stack(1, "api").expect("there").parameters["Size"], "3");
}

#[tokio::test(start_paused = true)]
async fn a_fleet_without_tenants_is_at_rest_at_once() {
    let world = World::with_tenants(0);
    world.apply().await.assert_converged(0);
}
