//! Who is told what, when, and that it arrives.

mod drift;
mod limits;
mod origin;
mod outbox;
mod shapes;
mod stand_in;
pub(crate) mod wire;

use std::time::Duration;

use driftless::plan::ApprovalKind;
use driftless::sim::{Phase, ResourceFault};

use crate::world::{World, account};
use stand_in::{Behaviour, StandIn};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

const ALL_KINDS: &str = "  notify:
    - { slack: { url: { env: HOOK_SLACK } } }
    - { teams: { url: { env: HOOK_TEAMS } } }
    - { name: events, webhook: { url: { env: HOOK_EVENTS }, secret: { env: KEY } } }
";

const SLACK: &str = "  notify: [{ slack: { url: { env: HOOK_SLACK } } }]\n";

/// A fleet that tells the receivers of the test what happens.
fn world(tenants: usize, notify: &str) -> (World, StandIn) {
    let mut world = World::with_tenants(tenants);
    let fleet = std::fs::read_to_string(world.repository().join("fleet.yaml")).expect("a file");
    world.write("fleet.yaml", &format!("{fleet}{notify}"));
    world.commit();
    let receivers = StandIn::new(&world.clock);
    world.announcing = Some(receivers.means());
    (world, receivers)
}

async fn run(world: &World, length: Duration) {
    let clock = world.clock.clone();
    let until = clock.now() + length;
    world.run_until(async move { clock.sleep_until(until).await }).await;
}

fn failing(tenant: Option<usize>, text: &str) -> ResourceFault {
    ResourceFault {
        account: tenant.map(|tenant| format!("{:012}", account(tenant)).parse().expect("an id")),
        region: None,
        stack: None,
        logical_id: "Jobs".to_owned(),
        phase: Phase::Change,
        text: text.to_owned(),
        times: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_converges_tells_nobody_anything() {
    let (world, receivers) = world(3, ALL_KINDS);
    run(&world, HOUR).await;
    assert_eq!(receivers.got().len(), 0, "{:#?}", receivers.got());
}

#[tokio::test(start_paused = true)]
async fn one_cause_in_many_accounts_is_one_message_and_so_is_its_end() {
    let (world, receivers) = world(12, SLACK);
    let text = "Queue jobs already exists";
    (1..=8).for_each(|tenant| world.cloud.script().resource(failing(Some(tenant), text)));
    run(&world, HOUR).await;
    let titles = receivers.titles("slack");
    assert_eq!(titles.len(), 1, "{titles:#?}");
    assert_eq!(
        titles[0],
        ":large_yellow_circle: test: Warning: 8 of 24 stacks failed: Jobs (AWS::SQS::Queue): \
         CREATE_FAILED: Queue jobs already exists"
    );
    world.cloud.script().clear();
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    run(&world, HOUR).await;
    let titles = receivers.titles("slack");
    assert_eq!(titles.len(), 2, "{titles:#?}");
    assert!(titles[1].starts_with(":large_green_circle: test: Resolved: 8 of 24 stacks failed"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_revision_is_told_at_once_to_receivers_of_every_kind() {
    let (world, receivers) = world(1, ALL_KINDS);
    run(&world, 10 * MINUTE).await;
    world.edit("api/service.yaml", "Size:", "Sice:");
    let revision = world.commit();
    run(&world, 2 * MINUTE).await;
    for receiver in ["slack", "teams", "events"] {
        let titles = receivers.titles(receiver);
        assert_eq!(titles.len(), 1, "{receiver}: {titles:#?}");
        let what = format!("Critical: Revision {} is refused: it has 2 errors", &revision[..10]);
        assert!(titles[0].contains(&what), "{receiver}: {titles:#?}");
    }
    let event = receivers.got().into_iter().find(|got| got.receiver == "events").expect("one");
    assert!(event.body.contains("Sice"), "{}", event.body);
    let (timestamp, signature) =
        (&event.headers["x-driftless-timestamp"], &event.headers["x-driftless-signature"]);
    let signed = driftless::announce::signature(b"a key", timestamp, &event.body);
    assert_eq!(*signature, format!("sha256={signed}"));
    world.edit("api/service.yaml", "Sice:", "Size:");
    world.commit();
    run(&world, 10 * MINUTE).await;
    let titles = receivers.titles("teams");
    assert!(titles[1].contains("Resolved: Revision"), "{titles:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_restart_repeats_nothing_and_forgets_nothing() {
    let (world, receivers) = world(4, SLACK);
    world.cloud.script().resource(failing(Some(1), "no"));
    world.cloud.script().deny_role(format!("{:012}", account(2)).parse().expect("an account"));
    for _ in 0..12 {
        run(&world, 10 * MINUTE).await;
    }
    let titles = receivers.titles("slack");
    assert_eq!(titles.len(), 1, "{titles:#?}");
    let what = "2 new kinds of failure: 1 of 4 accounts cannot be looked at: access is not ready";
    assert!(titles[0].contains(what), "{titles:#?}");
    // Hours later people are reminded of both together.
    for _ in 0..6 {
        run(&world, HOUR).await;
    }
    let titles = receivers.titles("slack");
    assert_eq!(titles.len(), 2, "{titles:#?}");
    assert!(titles[1].contains("2 kinds of failure still there"), "{titles:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_rollout_in_waves_is_told_as_it_goes_and_its_halt_at_once() {
    let (world, receivers) = world(6, SLACK);
    world.edit(
        "api/service.yaml",
        "  template: api.yaml\n",
        "  template: api.yaml
  rollout:
    waves:
      - { name: first, percent: 20, soak: 40m }
      - { name: all }
    approval: [all]
",
    );
    world.commit();
    world.apply().await;
    let asked = |world: &World| {
        let requests = world.journal().requests().expect("read");
        requests.into_iter().find(|(request, _)| request.kind == ApprovalKind::Wave)
    };
    let approve = |world: &World| {
        let (request, _) = asked(world).expect("asked");
        let (journal, now) = (world.journal(), world.clock.now());
        journal.approve(&request.id, "ann", "", now, now + HOUR).expect("approved");
    };
    run(&world, HOUR).await;
    approve(&world);
    run(&world, 2 * HOUR).await;
    let titles = receivers.titles("slack");
    let expected = [
        "Warning: May the next wave begin? wave all of api may begin",
        "Settled: May the next wave begin?",
        "test: A new release of api is everywhere",
    ];
    assert_eq!(titles.len(), expected.len(), "{titles:#?}");
    for (title, expected) in titles.iter().zip(expected) {
        assert!(title.contains(expected), "{titles:#?}");
    }
    // The next release fails where it goes first.
    world.cloud.script().resource(ResourceFault {
        logical_id: "Setting".to_owned(),
        ..failing(None, "value not allowed")
    });
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    run(&world, 10 * MINUTE).await;
    let halted = receivers.titles("slack").split_off(titles.len());
    assert_eq!(halted.len(), 1, "{halted:#?}");
    assert!(halted[0].contains("Critical: The rollout of api is halted"), "{halted:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_channel_without_its_secret_is_in_the_status_and_is_told_all_when_it_comes() {
    let (mut world, receivers) = world(1, SLACK);
    let means = receivers.means();
    let without =
        driftless::announce::Means { environment: std::sync::Arc::new(|_| None), ..means.clone() };
    world.announcing = Some(without);
    world.cloud.script().resource(failing(None, "no"));
    run(&world, HOUR).await;
    assert_eq!(receivers.got().len(), 0);
    let status = world.driftless(&["status"]);
    assert!(
        status.contains("; 1 message waiting): the variable HOOK_SLACK is not set"),
        "{status}"
    );
    world.announcing = Some(means);
    run(&world, 10 * MINUTE).await;
    assert_eq!(receivers.titles("slack").len(), 1);
    assert!(!world.driftless(&["status"]).contains("slack-1"));
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_refuses_holds_up_neither_the_fleet_nor_the_others() {
    let (world, receivers) = world(2, ALL_KINDS);
    receivers.script("slack", &[Behaviour::Answers(410, None)]);
    receivers.script("teams", &[Behaviour::Hangs]);
    world.cloud.script().resource(failing(Some(1), "no"));
    run(&world, HOUR).await;
    assert_eq!(receivers.titles("events").len(), 1);
    assert_eq!(world.stacks(2).len(), 2);
    let status = world.driftless(&["status", "--format", "json"]);
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    let silent = &status["silentChannels"][0];
    assert_eq!(
        (silent["name"].as_str(), silent["needsPerson"].as_bool()),
        (Some("slack-1"), Some(true))
    );
    assert!(!status.to_string().contains("receiver.example"), "the URL is a secret");
}

#[tokio::test(start_paused = true)]
async fn converging_once_tells_nobody() {
    let (world, receivers) = world(1, ALL_KINDS);
    world.cloud.script().resource(failing(None, "no"));
    world.apply().await;
    world.clock.sleep(HOUR).await;
    world.apply().await;
    assert_eq!(receivers.got().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_stays_open_is_asked_once() {
    let (world, receivers) = world(
        1,
        "  notify: [{ slack: { url: { env: HOOK_SLACK } }, digest: 15m }]\n  drift: { every: 1h, policy: revert }\n",
    );
    run(&world, HOUR).await;
    world.cloud.console().delete_resource(&crate::world::key(1, "api"), "Jobs").expect("deleted");
    run(&world, 13 * HOUR).await;
    let got: Vec<_> = receivers.got().into_iter().map(|one| (one.at, one.title())).collect();
    let asked = got.iter().filter(|(_, title)| title.contains("May this be brought back")).count();
    assert!(asked <= 4, "{asked}");
}
