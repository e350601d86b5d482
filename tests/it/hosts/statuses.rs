//! `run` tells the git host how the commit fares that it converges: seldom, and once at the end.

use std::time::Duration;

use driftless::announce::hosts::GitHost;
use driftless::moment::Moment;
use driftless::sim::{Phase, ResourceFault};
use serde_json::Value;

use crate::hosts::stand_in::{Fault, Forge, TOKEN};
use crate::world::{World, account};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

const GITHUB: &str = "  commitStatus: { github: { repository: acme/fleet, \
    api: https://api.github.example/, token: { env: HOST_TOKEN } } }\n";
const GITLAB: &str = "  commitStatus: { gitlab: { project: acme/fleet, \
    api: https://gitlab.example/api/v4, token: { env: HOST_TOKEN } } }\n";

fn world(tenants: usize, host: GitHost) -> (World, Forge) {
    let mut world = World::with_tenants(tenants);
    let fleet = std::fs::read_to_string(world.repository().join("fleet.yaml")).expect("a file");
    let more = if host == GitHost::GitHub { GITHUB } else { GITLAB };
    world.write("fleet.yaml", &format!("{fleet}{more}"));
    world.commit();
    let forge = Forge::new(host, &world.clock);
    world.announcing = Some(forge.means());
    (world, forge)
}

async fn run(world: &World, length: Duration) {
    let clock = world.clock.clone();
    let until = clock.now() + length;
    world.run_until(async move { clock.sleep_until(until).await }).await;
}

fn failing(tenant: usize) -> ResourceFault {
    ResourceFault {
        account: Some(format!("{:012}", account(tenant)).parse().expect("an id")),
        region: None,
        stack: None,
        logical_id: "Jobs".to_owned(),
        phase: Phase::Change,
        text: "Queue jobs already exists".to_owned(),
        times: None,
    }
}

/// `state: text` of all statuses of a commit.
fn said(forge: &Forge, commit: &str) -> Vec<String> {
    let statuses = forge.statuses().into_iter().filter(|(_, status)| status["sha"] == commit);
    let line = |status: &Value| {
        let text = |name: &str| status[name].as_str().expect("a text").to_owned();
        format!("{}: {}", text("state"), text("description"))
    };
    statuses.map(|(_, status)| line(&status)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_converges_is_pending_and_then_a_success() {
    let (world, forge) = world(3, GitHost::GitHub);
    let commit = world.commit();
    run(&world, HOUR).await;
    assert_eq!(said(&forge, &commit), ["pending: 0 of 6 in sync", "success: 6 of 6 in sync"]);
    assert!(forge.statuses().iter().all(|(_, status)| status["context"] == "driftless/test"));
}

#[tokio::test(start_paused = true)]
async fn a_restart_repeats_nothing_and_the_next_commit_begins_anew() {
    let (world, forge) = world(2, GitHost::GitHub);
    run(&world, HOUR).await;
    let before = forge.statuses().len();
    run(&world, HOUR).await;
    assert_eq!(forge.statuses().len(), before, "{:#?}", forge.statuses());
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    let commit = world.commit();
    run(&world, HOUR).await;
    let said = said(&forge, &commit);
    assert_eq!(said.last().map(String::as_str), Some("success: 4 of 4 in sync"), "{said:#?}");
    assert!(said[0].starts_with("pending: "), "{said:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_failed_and_what_waits_for_it_is_counted() {
    let (world, forge) = world(5, GitHost::GitHub);
    let commit = world.commit();
    world.cloud.script().resource(failing(2));
    run(&world, 3 * HOUR).await;
    let said = said(&forge, &commit);
    assert_eq!(
        said.last().map(String::as_str),
        Some("failure: 9 of 10 in sync, 1 failed"),
        "{said:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_is_refused_gets_an_error_with_its_first_finding_once() {
    let (world, forge) = world(2, GitHost::GitHub);
    run(&world, HOUR).await;
    world.edit("api/service.yaml", "Size:", "Sice:");
    let commit = world.commit();
    run(&world, 2 * HOUR).await;
    run(&world, 2 * HOUR).await;
    let said = said(&forge, &commit);
    let [only] = said.as_slice() else { panic!("once, not {said:#?}") };
    assert!(only.starts_with("error: Refused, 2 errors: api/service.yaml:"), "{only}");
}

#[tokio::test(start_paused = true)]
async fn while_the_counts_move_they_are_told_every_five_minutes_at_most() {
    let (world, forge) = world(6, GitHost::GitHub);
    // One tenant after the other fails and is mended, for half a day.
    for round in 0..12 {
        world.cloud.script().clear();
        world.cloud.script().resource(failing(round % 6 + 1));
        world.edit("api/service.yaml", "Size: \"", "Size: \"1");
        world.commit();
        run(&world, HOUR).await;
    }
    let statuses = forge.statuses();
    let mut commits: Vec<&Value> = statuses.iter().map(|(_, status)| &status["sha"]).collect();
    commits.dedup();
    for commit in commits {
        let of_it: Vec<&(Moment, Value)> =
            statuses.iter().filter(|(_, status)| status["sha"] == *commit).collect();
        assert!(of_it.len() <= 14, "{of_it:#?}");
        for two in of_it.windows(2) {
            let is_end = two[0].1["state"] == "pending" && two[1].1["state"] != "pending";
            let apart = two[1].0.since(two[0].0);
            assert!(is_end || apart >= 5 * MINUTE, "{apart:?}: {two:#?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_fails_stops_nothing_and_is_told_when_it_is_mended() {
    let (world, forge) = world(2, GitHost::GitHub);
    let commit = world.commit();
    forge.fails("statuses", &vec![Fault::Answers(401, vec![], "{}"); 3]);
    run(&world, 30 * MINUTE).await;
    assert_eq!(world.stacks(2).len(), 2);
    assert_eq!(forge.statuses().len(), 0);
    let asked = forge.calls().len();
    assert!((2..=4).contains(&asked), "it is left alone between: {asked}");
    run(&world, 2 * HOUR).await;
    let said = said(&forge, &commit);
    assert_eq!(said.last().map(String::as_str), Some("success: 4 of 4 in sync"), "{said:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_missing_is_said_and_neither_asked_for_nor_written_down() {
    let (mut world, forge) = world(1, GitHost::GitHub);
    let means = forge.means();
    world.announcing =
        Some(driftless::announce::Means { environment: std::sync::Arc::new(|_| None), ..means });
    run(&world, HOUR).await;
    assert_eq!((world.stacks(1).len(), forge.calls().len()), (2, 0));
    world.announcing = Some(forge.means());
    run(&world, HOUR).await;
    assert_eq!(forge.statuses().len(), 2);
    for file in std::fs::read_dir(world.journal_path().parent().expect("a folder")).expect("one") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("its bytes");
        let holds = bytes.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes());
        assert!(!holds, "the token is in the journal");
    }
}

#[tokio::test(start_paused = true)]
async fn gitlab_keeps_the_text_of_what_runs_and_gets_the_end() {
    let (world, forge) = world(4, GitHost::GitLab);
    let commit = world.commit();
    world.cloud.script().resource(failing(3));
    run(&world, 3 * HOUR).await;
    let said = said(&forge, &commit);
    assert_eq!(said[0], "running: 0 of 8 in sync");
    assert_eq!(
        said.last().map(String::as_str),
        Some("failed: 7 of 8 in sync, 1 failed"),
        "{said:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_names_no_host_asks_none() {
    let (mut world, forge) = world(1, GitHost::GitHub);
    let fleet = std::fs::read_to_string(world.repository().join("fleet.yaml")).expect("a file");
    world.write("fleet.yaml", &fleet.replace(GITHUB, ""));
    world.commit();
    world.announcing = Some(forge.means());
    run(&world, HOUR).await;
    assert_eq!(forge.calls().len(), 0);
}

/// How many statuses come after a commit was refused, while a stack gets into trouble.
async fn told_after_a_refusal(host_lacks_it: bool) -> usize {
    let (world, forge) = world(2, GitHost::GitHub);
    run(&world, HOUR).await;
    world.edit("api/service.yaml", "Size:", "Sice:");
    let refused = world.commit();
    if host_lacks_it {
        // It was pushed away by force, or stands in a clone only.
        let path: &'static str = format!("statuses/{refused}").leak();
        let body = r#"{"message":"No commit found for SHA"}"#;
        forge.fails(path, &vec![Fault::Answers(422, vec![], body); 1_000]);
    }
    run(&world, HOUR).await;
    let settled = forge.statuses().len();
    // The fleet goes on at the good commit, and one of its stacks gets into trouble.
    world.cloud.script().resource(failing(2));
    world.cloud.console().delete_stack(&crate::world::key(2, "api")).expect("deleted");
    run(&world, 12 * HOUR).await;
    forge.statuses().len() - settled
}

#[tokio::test(start_paused = true)]
async fn a_refused_commit_that_the_host_does_not_have_does_not_silence_the_others() {
    assert!(told_after_a_refusal(false).await > 0, "otherwise this shows nothing");
    assert!(told_after_a_refusal(true).await > 0);
}
