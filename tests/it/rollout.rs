//! Releases go out in waves: gates open when the waves before were seen well, bad releases stop.

mod large;
mod partial;
mod reviewed;
mod together;

use std::collections::BTreeMap;
use std::time::Duration;

use driftless::board::Progress;
use driftless::ids::StackKey;
use driftless::moment::Moment;
use driftless::reconcile::Only;
use driftless::rollout::{ChangeKind, Order, OrderWord};
use driftless::sim::{Phase, ResourceFault, Status};

use crate::world::{Ended, World, account, key};

const MINUTE: Duration = Duration::from_secs(60);

/// Two canaries, two tenants of the free tier, the others; ten minutes between the first two waves.
const WAVES: &str = "  rollout:
    waves:
      - { name: canary, selector: { matchLabels: { ring: canary } }, soak: 10m }
      - { name: free, selector: { matchLabels: { tier: free } } }
      - { name: all }
";

/// So many tenants: the first two are canaries, the next two have the free tier.
fn world(tenants: usize, waves: &str) -> World {
    let world = World::with_tenants(tenants);
    for number in 1..=tenants {
        let labels = match number {
            1 | 2 => "{ ring: canary }",
            3 | 4 => "{ tier: free }",
            _ => "{ tier: paid }",
        };
        let path = format!("tenants/t{number}.yaml");
        world.edit(
            &path,
            &format!("name: t{number} }}"),
            &format!("name: t{number}, labels: {labels} }}"),
        );
    }
    world.edit(
        "api/service.yaml",
        "  template: api.yaml\n",
        &format!("  template: api.yaml\n{waves}"),
    );
    world.commit();
    world
}

/// All tenants have the first release, and it is the good one.
async fn settled(tenants: usize, waves: &str) -> World {
    let world = world(tenants, waves);
    world.apply().await.assert_converged(tenants * 2);
    world.cloud.clear_calls();
    world
}

fn resize(world: &World, from: &str, to: &str) {
    let size = |number: &str| format!("Size: \"{number}\"");
    world.edit("api/service.yaml", &size(from), &size(to));
    world.commit();
}

/// Lets the controller run for so long.
async fn run(world: &World, length: Duration) -> Ended {
    let clock = world.clock.clone();
    let until = clock.now() + length;
    world.run_until(async move { clock.sleep_until(until).await }).await
}

/// The size of each tenant's api.
fn sizes(world: &World, tenants: usize) -> Vec<String> {
    let size = |tenant| world.stack(tenant, "api").map(|stack| stack.parameters["Size"].clone());
    (1..=tenants).map(|tenant| size(tenant).unwrap_or_else(|| "-".to_owned())).collect()
}

fn failing(tenant: Option<usize>, text: &str) -> ResourceFault {
    ResourceFault {
        account: tenant.map(|tenant| format!("{:012}", account(tenant)).parse().expect("an id")),
        region: None,
        stack: Some("api".parse().expect("a name")),
        logical_id: "Setting".to_owned(),
        phase: Phase::Change,
        text: text.to_owned(),
        times: None,
    }
}

fn happened(ended: &Ended) -> Vec<(ChangeKind, String)> {
    let of_api = ended.news.iter().filter_map(|news| match news {
        Progress::Rollout { service, change } if service.as_str() == "api" => {
            Some((change.kind, change.text.clone()))
        }
        _ => None,
    });
    of_api.collect()
}

/// When each stack of the service began to be updated.
fn updates(world: &World) -> BTreeMap<StackKey, Moment> {
    let calls = world.cloud.calls();
    let executed = calls.into_iter().filter(|call| call.api == "ExecuteChangeSet");
    let of = |account: driftless::ids::AccountId| {
        format!("{account}/eu-central-1/api").parse().expect("a key")
    };
    executed.map(|call| (of(call.account), call.at)).collect()
}

fn order(world: &World, word: OrderWord) {
    let order = Order {
        service: "api".parse().expect("a name"),
        release: None,
        word,
        by: "ann".to_owned(),
        reason: "to see".to_owned(),
        at: world.clock.now(),
    };
    world.journal().give_order(&order).expect("given");
}

#[tokio::test(start_paused = true)]
async fn a_wave_begins_when_the_one_before_was_well_for_as_long_as_it_soaks() {
    let world = settled(8, WAVES).await;
    resize(&world, "1", "2");
    world.apply().await.assert_converged(16);
    assert_eq!(sizes(&world, 8), ["2"; 8]);
    let updates = updates(&world);
    let of = |tenants: std::ops::RangeInclusive<usize>| -> Vec<Moment> {
        tenants.map(|tenant| updates[&key(tenant, "api")]).collect()
    };
    let (canaries, free, others) = (of(1..=2), of(3..=4), of(5..=8));
    let last = |of: &[Moment]| *of.iter().max().expect("some");
    let first = |of: &[Moment]| *of.iter().min().expect("some");
    let soaked = first(&free).since(last(&canaries));
    assert!(soaked >= 10 * MINUTE && soaked < 12 * MINUTE, "{soaked:?}");
    let next = first(&others).since(last(&free));
    assert!(next > Duration::ZERO && next < 2 * MINUTE, "{next:?}");
}

#[tokio::test(start_paused = true)]
async fn the_very_first_release_goes_through_the_waves_as_well() {
    let world = world(8, WAVES);
    run(&world, 5 * MINUTE).await;
    assert_eq!(sizes(&world, 8), ["1", "1", "-", "-", "-", "-", "-", "-"]);
    let verdict = world.verdict(5, "api");
    assert!(verdict.starts_with("waits-for-wave: release "), "{verdict}");
    assert!(verdict.ends_with("waits for wave all"), "{verdict}");
    let tells = |tenant: &str, wave: &str| {
        let told = world.driftless(&["explain", tenant]);
        assert!(told.contains(&format!("\nwave            {wave}")), "{told}");
    };
    tells("t1/api", "canary, 1 of 3: began ");
    tells("t5/api", "all, 3 of 3: has not begun to take release ");
    world.apply().await.assert_converged(16);
}

#[tokio::test(start_paused = true)]
async fn a_release_that_fails_everywhere_touches_the_canaries_only() {
    let world = settled(8, WAVES).await;
    world.cloud.script().resource(failing(None, "value not allowed"));
    resize(&world, "1", "2");
    let ended = run(&world, 60 * MINUTE).await;
    let touched: Vec<StackKey> = updates(&world).into_keys().collect();
    assert_eq!(touched, [key(1, "api"), key(2, "api")]);
    let halts: Vec<_> =
        happened(&ended).into_iter().filter(|(kind, _)| *kind == ChangeKind::Halted).collect();
    let why = "2 of 2 failed in wave canary: Setting (AWS::SSM::Parameter): UPDATE_FAILED: value \
               not allowed";
    assert_eq!(halts, [(ChangeKind::Halted, why.to_owned())]);
    let verdict = world.verdict(5, "api");
    assert!(verdict.starts_with("waits-for-wave: in sync; release "), "{verdict}");
    assert!(verdict.contains(" is halted: 2 of 2 failed in wave canary"), "{verdict}");
}

#[tokio::test(start_paused = true)]
async fn a_release_that_lacks_a_permission_everywhere_is_one_cause_at_the_canaries() {
    let world = settled(8, &format!("{WAVES}    onHalt: revert\n")).await;
    for tenant in 1..=8 {
        let id = account(tenant);
        let text = format!(
            "User: arn:aws:sts::{id:012}:assumed-role/driftless-execution/driftless is not authorized \
             to perform: ssm:PutParameter on resource: \
             arn:aws:ssm:eu-central-1:{id:012}:parameter/api-Setting because no identity-based policy \
             allows the ssm:PutParameter action (Service: Ssm, Status Code: 400, Request ID: \
             {tenant}c6a1f9e-0d3b-4d55-a6a2-5d0c1f0e7a21) (HandlerErrorCode: AccessDenied)"
        );
        world.cloud.script().resource(failing(Some(tenant), &text));
    }
    resize(&world, "1", "2");
    let ended = run(&world, 60 * MINUTE).await;
    let touched: Vec<StackKey> = updates(&world).into_keys().collect();
    assert_eq!(touched, [key(1, "api"), key(2, "api")], "canaries only");
    assert_eq!(sizes(&world, 8), ["1"; 8]);
    let halts: Vec<_> = happened(&ended).into_iter().map(|(_, text)| text).collect();
    insta::assert_snapshot!(halts.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_bad_release_is_taken_back_where_the_service_says_so() {
    let waves = format!("{WAVES}    onHalt: revert\n");
    let world = settled(8, &waves).await;
    // One of the two canaries takes it.
    world.cloud.script().resource(failing(Some(2), "value not allowed"));
    resize(&world, "1", "2");
    run(&world, 60 * MINUTE).await;
    assert_eq!(sizes(&world, 8), ["1"; 8]);
    assert!(updates(&world).contains_key(&key(1, "api")), "it had it");
    world.cloud.script().clear();
    resize(&world, "2", "3");
    world.apply().await.assert_converged(16);
    assert_eq!(sizes(&world, 8), ["3"; 8]);
}

#[tokio::test(start_paused = true)]
async fn what_all_failed_stacks_have_in_common_is_named() {
    let world =
        settled(12, "  rollout: { waves: [{ name: all, failures: { count: 1 } }] }\n").await;
    for tenant in [3, 4] {
        world.cloud.script().resource(failing(Some(tenant), "value not allowed"));
    }
    resize(&world, "1", "2");
    let ended = run(&world, 60 * MINUTE).await;
    let halts = happened(&ended).into_iter().filter(|(kind, _)| *kind == ChangeKind::Halted);
    let halts: Vec<String> = halts.map(|(_, text)| text).collect();
    assert_eq!(halts.len(), 1);
    assert!(halts[0].starts_with("2 of 12 failed in wave all, all with tier=free: "), "{halts:?}");
}

#[tokio::test(start_paused = true)]
async fn what_aws_broke_heals_and_stops_no_wave() {
    let world = settled(8, WAVES).await;
    let fault = failing(Some(1), "Internal Failure");
    world.cloud.script().resource(ResourceFault { times: Some(2), ..fault });
    resize(&world, "1", "2");
    let ended = run(&world, 90 * MINUTE).await;
    assert_eq!(sizes(&world, 8), ["2"; 8]);
    assert!(happened(&ended).iter().all(|(kind, _)| *kind != ChangeKind::Halted));
}

#[tokio::test(start_paused = true)]
async fn frequent_commits_do_not_keep_the_last_wave_waiting() {
    let world = settled(8, WAVES).await;
    for size in 2..6 {
        resize(&world, &(size - 1).to_string(), &size.to_string());
        run(&world, 2 * MINUTE).await;
    }
    // The release of the first commit goes on while the others wait.
    run(&world, 5 * MINUTE).await;
    assert_eq!(sizes(&world, 8)[7], "2");
    world.apply().await.assert_converged(16);
    assert_eq!(sizes(&world, 8), ["5"; 8]);
    let touched = world.cloud.calls().into_iter().filter(|call| call.api == "ExecuteChangeSet");
    assert_eq!(touched.count(), 16, "those between went nowhere");
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_comes_while_a_rollout_is_halted_gets_the_good_release() {
    let world = settled(8, WAVES).await;
    world.cloud.script().resource(failing(Some(1), "value not allowed"));
    resize(&world, "1", "2");
    run(&world, 30 * MINUTE).await;
    world.write_tenant(9, "");
    world.commit();
    run(&world, 30 * MINUTE).await;
    assert_eq!(sizes(&world, 9)[8], "1");
    assert_eq!(world.stack(9, "api").expect("there").status, Status::CREATE_COMPLETE);
}

#[tokio::test(start_paused = true)]
async fn a_change_in_one_tenant_goes_out_at_once_on_the_release_that_it_has() {
    let world = settled(8, WAVES).await;
    resize(&world, "1", "2");
    run(&world, 3 * MINUTE).await;
    let more = "  services: { api: { parameters: { Size: \"7\" } } }\n";
    let path = "tenants/t6.yaml";
    world.edit(path, "  regions: [eu-central-1]\n", &format!("  regions: [eu-central-1]\n{more}"));
    world.commit();
    run(&world, 3 * MINUTE).await;
    assert_eq!(sizes(&world, 8), ["2", "2", "1", "1", "1", "7", "1", "1"]);
}

#[tokio::test(start_paused = true)]
async fn a_new_process_gives_nobody_the_secret_of_a_release_before_its_wave() {
    let world = world(8, WAVES);
    world.edit("api/api.yaml", "  Size:", "  Secret: { Type: String, NoEcho: true }\n  Size:");
    let pass = "  Pass: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref \
                Secret } }\n  Setting:";
    world.edit("api/api.yaml", "  Setting:", pass);
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"1\", Secret: first");
    world.commit();
    world.apply().await.assert_converged(16);
    world.edit("api/service.yaml", "Secret: first", "Secret: second");
    world.commit();
    run(&world, 3 * MINUTE).await;
    let more = "  services: { api: { parameters: { Size: \"7\" } } }\n";
    let regions = "  regions: [eu-central-1]\n";
    world.edit("tenants/t6.yaml", regions, &format!("{regions}{more}"));
    world.commit();
    // What the release before hid is in no journal, nor in a recent commit.
    for number in 0..21 {
        world.write("README", &format!("{number}\n"));
        world.commit();
    }
    run(&world, 3 * MINUTE).await;
    let of = |tenant| world.stack(tenant, "api").expect("it stands").parameters;
    assert_eq!((&*of(6)["Secret"], &*of(6)["Size"]), ("first", "7"));
    assert_eq!((&*of(5)["Secret"], &*of(1)["Secret"]), ("first", "second"));
    world.apply().await.assert_converged(16);
    assert_eq!((&*of(6)["Secret"], &*of(5)["Secret"]), ("second", "second"));
}

#[tokio::test(start_paused = true)]
async fn going_back_in_git_takes_a_running_release_back_at_once() {
    let world = settled(8, WAVES).await;
    resize(&world, "1", "2");
    run(&world, 3 * MINUTE).await;
    assert_eq!(sizes(&world, 8), ["2", "2", "1", "1", "1", "1", "1", "1"]);
    resize(&world, "2", "1");
    world.apply().await.assert_converged(16);
    assert_eq!(sizes(&world, 8), ["1"; 8]);
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_is_lost_skips_no_gate() {
    let world = settled(8, WAVES).await;
    resize(&world, "1", "2");
    run(&world, 3 * MINUTE).await;
    world.lose_journal();
    let lost_at = world.clock.now();
    run(&world, 9 * MINUTE).await;
    assert_eq!(sizes(&world, 8), ["2", "2", "1", "1", "1", "1", "1", "1"]);
    assert!(world.clock.now().since(lost_at) >= 9 * MINUTE);
    world.apply().await.assert_converged(16);
    assert_eq!(sizes(&world, 8), ["2"; 8]);
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_journal_recent_commits_tell_which_release_a_stack_has() {
    let world = settled(8, WAVES).await;
    resize(&world, "1", "2");
    run(&world, 3 * MINUTE).await;
    // A person made of one what no release is.
    let console = world.cloud.console();
    let other = BTreeMap::from([("Size".to_owned(), "9".to_owned())]);
    console.update_parameters(&key(7, "api"), &other).expect("a person may");
    world.lose_journal();
    let more = "  services: { api: { parameters: { Vpc: own } } }\n";
    run(&world, MINUTE).await;
    for tenant in [6, 7] {
        let path = format!("tenants/t{tenant}.yaml");
        let regions = "  regions: [eu-central-1]\n";
        world.edit(&path, regions, &format!("{regions}{more}"));
    }
    world.commit();
    run(&world, 3 * MINUTE).await;
    let vpc = |tenant| world.stack(tenant, "api").expect("it stands").parameters["Vpc"].clone();
    assert_eq!(vpc(6), "own", "its release is known");
    assert_ne!(vpc(7), "own", "what it has is no release: it waits for its wave");
    assert_eq!(sizes(&world, 8), ["2", "2", "1", "1", "1", "1", "9", "1"]);
    world.apply().await.assert_converged(16);
    assert_eq!(sizes(&world, 8), ["2"; 8]);
}

#[tokio::test(start_paused = true)]
async fn a_wave_that_needs_approval_waits_for_a_person() {
    let world = settled(8, WAVES).await;
    world.edit("api/service.yaml", WAVES, &format!("{WAVES}    approval: [all]\n"));
    resize(&world, "1", "2");
    assert_eq!(world.apply().await.standing.total().waiting, 4, "it does not wait for people");
    assert_eq!(sizes(&world, 8), ["2", "2", "2", "2", "1", "1", "1", "1"]);
    let requests = world.journal().requests().expect("read");
    let [(request, _)] = requests.as_slice() else { panic!("{requests:#?}") };
    assert_eq!(request.summary, "wave all of api may begin");
    let now = world.clock.now();
    let approved = world.journal().approve(&request.id, "ann", "", now, now + 60 * MINUTE);
    approved.expect("approved");
    world.apply().await.assert_converged(16);
}

#[tokio::test(start_paused = true)]
async fn people_halt_resume_and_take_back() {
    let world = settled(8, WAVES).await;
    resize(&world, "1", "2");
    run(&world, 3 * MINUTE).await;
    order(&world, OrderWord::Halt);
    run(&world, 60 * MINUTE).await;
    assert_eq!(sizes(&world, 8), ["2", "2", "1", "1", "1", "1", "1", "1"]);
    order(&world, OrderWord::Resume);
    run(&world, 5 * MINUTE).await;
    assert_eq!(sizes(&world, 8)[2], "1", "it soaks anew");
    order(&world, OrderWord::Revert);
    run(&world, 5 * MINUTE).await;
    assert_eq!(sizes(&world, 8), ["1"; 8]);
}

#[tokio::test(start_paused = true)]
async fn what_a_person_said_of_one_release_is_not_said_of_the_next() {
    let world = settled(8, WAVES).await;
    resize(&world, "1", "2");
    run(&world, 3 * MINUTE).await;
    let (kept, _) = world.journal().rollouts().expect("read");
    let release = kept.values().find_map(|one| Some(one.running.as_ref()?.release));
    resize(&world, "2", "3");
    order(&world, OrderWord::Supersede);
    run(&world, 3 * MINUTE).await;
    let service = "api".parse().expect("a name");
    let (by, reason) = ("ann".to_owned(), "to see".to_owned());
    let late =
        Order { service, release, word: OrderWord::Revert, by, reason, at: world.clock.now() };
    world.journal().give_order(&late).expect("given");
    let ended = run(&world, MINUTE).await;
    let disobeyed = ended.news.iter().find_map(|news| match news {
        Progress::Disobeyed { why, .. } => Some(why.clone()),
        _ => None,
    });
    let short = release.expect("one went out").short().to_owned();
    assert_eq!(disobeyed, Some(format!("release {short} does not go out any more")));
    assert_eq!(sizes(&world, 8)[..2], ["3", "3"]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_release_supersedes_the_running_one_when_a_person_says_so() {
    let world = settled(8, WAVES).await;
    resize(&world, "1", "2");
    run(&world, 3 * MINUTE).await;
    resize(&world, "2", "3");
    run(&world, 2 * MINUTE).await;
    assert_eq!(sizes(&world, 8)[0], "2", "it waits");
    order(&world, OrderWord::Supersede);
    run(&world, 5 * MINUTE).await;
    assert_eq!(sizes(&world, 8), ["3", "3", "1", "1", "1", "1", "1", "1"]);
}

#[tokio::test(start_paused = true)]
async fn no_more_operations_of_a_wave_run_than_it_allows() {
    let waves = "  rollout: { waves: [{ name: all, maxInFlight: 2 }] }\n";
    let world = settled(8, waves).await;
    resize(&world, "1", "2");
    let clock = world.clock.clone();
    let most = std::cell::Cell::new(0);
    let watched = async {
        loop {
            let running = world.cloud.console().running().expect("the cloud answers").len();
            most.set(most.get().max(running));
            if sizes(&world, 8).iter().all(|size| size == "2") && running == 0 {
                return;
            }
            clock.sleep_until(clock.now() + Duration::from_millis(500)).await;
        }
    };
    world.run_until(watched).await;
    assert_eq!(most.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_release_completes_though_aws_fails_at_random_and_two_accounts_for_good() {
    const TENANTS: usize = 200;
    let waves = "  rollout:
    waves:
      - { name: canary, percent: 2, soak: 10m }
      - { name: tenth, percent: 10 }
      - { name: all, failures: { count: 5, percent: 2 } }
";
    let world = settled(TENANTS, waves).await;
    // Neither leads: what leads is chosen by hash.
    let lost = [17, 171];
    for tenant in lost {
        world.cloud.script().resource(failing(Some(tenant), "Internal Failure"));
    }
    // Others fail once or twice: more than the thousandth part that AWS fails.
    for (tenant, times) in [(5, 1), (60, 2), (120, 1)] {
        let fault = failing(Some(tenant), "Internal Failure");
        world.cloud.script().resource(ResourceFault { times: Some(times), ..fault });
    }
    resize(&world, "1", "2");
    let ended = run(&world, 180 * MINUTE).await;
    let sizes = sizes(&world, TENANTS);
    let behind: Vec<usize> = (1..=TENANTS).filter(|one| sizes[one - 1] != "2").collect();
    assert_eq!(behind, lost);
    let kinds: Vec<ChangeKind> = happened(&ended).into_iter().map(|(kind, _)| kind).collect();
    assert!(kinds.contains(&ChangeKind::Completed), "{kinds:?}");
    assert!(!kinds.contains(&ChangeKind::Halted), "{kinds:?}");
    for tenant in lost {
        let verdict = world.verdict(tenant, "api");
        assert!(
            verdict.ends_with("Setting (AWS::SSM::Parameter): UPDATE_FAILED: Internal Failure")
        );
    }
    assert_eq!(ended.standing.total().settled, 2 * TENANTS - lost.len(), "the others are well");
}

#[tokio::test(start_paused = true)]
async fn a_wave_in_express_mode_soaks_five_minutes_at_least() {
    let waves = WAVES.replace(", soak: 10m", "");
    let world = settled(8, &format!("  deployment: express\n{waves}")).await;
    resize(&world, "1", "2");
    run(&world, 4 * MINUTE).await;
    assert_eq!(sizes(&world, 8), ["2", "2", "1", "1", "1", "1", "1", "1"]);
    run(&world, 4 * MINUTE).await;
    assert_eq!(sizes(&world, 8), ["2", "2", "2", "2", "1", "1", "1", "1"]);
}

#[tokio::test(start_paused = true)]
async fn canaries_that_are_all_suspended_show_nothing() {
    let world = settled(8, WAVES).await;
    for tenant in [1, 2] {
        world.edit(&format!("tenants/t{tenant}.yaml"), "spec:\n", "spec:\n  suspend: true\n");
    }
    resize(&world, "1", "2");
    run(&world, 60 * MINUTE).await;
    assert_eq!(sizes(&world, 8), ["1"; 8]);
}

#[tokio::test(start_paused = true)]
async fn a_look_at_one_tenant_opens_no_gate() {
    let world = settled(8, WAVES).await;
    resize(&world, "1", "2");
    // The canaries are well, and soak.
    run(&world, 3 * MINUTE).await;
    world.clock.sleep_until(world.clock.now() + 60 * MINUTE).await;
    let only = Only { tenants: ["t3".parse().expect("a name")].into(), ..Only::default() };
    world.apply_only(only).await.expect("it ends");
    assert_eq!(sizes(&world, 8), ["2", "2", "1", "1", "1", "1", "1", "1"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_stack_that_cannot_be_seen_has_not_healed() {
    let world =
        settled(12, "  rollout: { waves: [{ name: all, failures: { count: 1 } }] }\n").await;
    for tenant in [3, 4] {
        world.cloud.script().resource(failing(Some(tenant), "value not allowed"));
    }
    resize(&world, "1", "2");
    run(&world, 10 * MINUTE).await;
    world.cloud.script().deny_role(key(3, "api").target.account);
    let ended = run(&world, 60 * MINUTE).await;
    assert_eq!(happened(&ended), []);
}

#[tokio::test(start_paused = true)]
async fn an_output_that_comes_with_a_later_wave_is_waited_for() {
    let world = settled(8, "").await;
    world.edit(
        "network/service.yaml",
        "  template: network.yaml\n",
        &format!("  template: network.yaml\n{WAVES}"),
    );
    let output = "  VpcName: { Value: !Ref Vpc }\n";
    let more = format!("{output}  NotesName: {{ Value: !Ref Notes }}\n");
    world.edit("network/network.yaml", output, &more);
    world.edit("api/service.yaml", "outputs.VpcName", "outputs.NotesName");
    world.commit();
    run(&world, 5 * MINUTE).await;
    let verdict = world.verdict(8, "api");
    assert!(verdict.starts_with("waits-for-output: "), "{verdict}");
    world.apply().await.assert_converged(16);
}

#[tokio::test(start_paused = true)]
async fn a_revert_beside_two_releases_is_made_once() {
    let waves = "  rollout:
    waves:
      - { name: canary, selector: { matchLabels: { ring: canary } }, soak: 5h }
      - { name: free, selector: { matchLabels: { tier: free } } }
      - { name: all }
  drift: { every: 1h, policy: revert }
";
    let world = settled(5, waves).await;
    let hour = MINUTE * 60;
    world.cloud.script().resource(ResourceFault {
        account: Some(format!("{:012}", account(3)).parse().unwrap()),
        region: None,
        stack: None,
        logical_id: "Setting".to_owned(),
        phase: Phase::Change,
        text: "value not allowed".to_owned(),
        times: None,
    });
    resize(&world, "1", "2");
    run(&world, hour * 6).await;
    resize(&world, "2", "3");
    run(&world, MINUTE * 10).await;
    world.cloud.script().clear();
    world.mutating_calls();
    run(&world, hour).await;
    world
        .cloud
        .console()
        .change_property(&key(3, "api"), "Setting", "/Value", serde_json::json!("other"))
        .expect("changed");
    world.mutating_calls();
    run(&world, hour * 3).await;
    let calls: Vec<_> =
        world.mutating_calls().into_iter().filter(|call| call.ends_with("3")).collect();
    assert!(calls.len() <= 4, "{calls:?}");
}
