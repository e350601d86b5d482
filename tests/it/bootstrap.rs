//! Accounts get their execution role, and only those that lack it; whatever stands in the way is
//! named, and changes nothing there.

mod rights;
mod trouble;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use driftless::aws::{Access, Aws};
use driftless::cli::bootstrap::{CannotPrepare, Preparing};
use driftless::controller::checked;
use driftless::desired::Desired;
use driftless::git::{Source, SourceSettings};
use driftless::ids::AccountId;
use driftless::plan::bootstrap::ROLE_STACK;
use driftless::report::bootstrap::{Preparation, Prepared, Tense};
use driftless::sim::StackView;

use crate::world::{FLEET, World, account, key};

const BOOTSTRAP: &str =
    "roleArn: \"arn:aws:iam::${account.id}:role/OrganizationAccountAccessRole\"";

fn id(tenant: usize) -> AccountId {
    format!("{:012}", account(tenant)).parse().expect("an account")
}

/// A world whose accounts have nothing but the role of `bootstrap`, which has these further fields.
pub(crate) fn world(tenants: usize, more: &str) -> World {
    let world = World::with_settings(tenants, |settings| {
        settings.bootstrap_role = Some("OrganizationAccountAccessRole".to_owned());
    });
    say(&world, "driftless-execution", "shared", more);
    world
}

/// Writes how accounts are entered.
fn say(world: &World, role: &str, external_id: &str, more: &str) {
    let (before, after) = FLEET.split_once("  access: ").expect("access");
    let (_, after) = after.split_once('\n').expect("a line");
    let access = format!(
        "  access:\n    roleArn: \"arn:aws:iam::${{account.id}}:role/{role}\"\n    externalId: \
         {external_id}\n    bootstrap: {{ {BOOTSTRAP}{more} }}\n"
    );
    world.write("fleet.yaml", &format!("{before}{access}{after}"));
    world.commit();
}

fn desired(world: &World) -> Arc<Desired> {
    let source =
        SourceSettings { path: world.repository(), revision: None, worktree: false, polled: false };
    let snapshot = Source::open(source).expect("a source").read().expect("a snapshot");
    let checked = checked(&snapshot);
    Arc::new(checked.desired.unwrap_or_else(|| panic!("{:#?}", checked.findings)))
}

fn aws(world: &World) -> Aws {
    Aws::simulated(
        world.cloud.http_client(),
        world.cloud.credentials(),
        world.clock.clone(),
        "bootstrap",
        "eu-central-1".parse().expect("a region"),
    )
}

async fn preparing(world: &World) -> Result<Preparing, CannotPrepare> {
    let every = Duration::from_secs(5);
    Preparing::of(desired(world), aws(world), world.clock.clone(), every).await
}

/// What would be done, and what was done then.
pub(crate) async fn bootstrap(world: &World) -> (Preparation, Preparation) {
    let preparing = preparing(world).await.expect("credentials");
    let tenants = desired(world).tenants.keys().cloned().collect::<BTreeSet<_>>();
    let survey = preparing.survey(&tenants, &|| false, &|| ()).await;
    let ahead = survey.ahead();
    let done = preparing.carry_out(survey, &|| false, &|| ()).await;
    assert_eq!(world.cloud.refused(), Vec::<String>::new(), "what the cloud does not know");
    (ahead, done)
}

fn counts(of: &Preparation) -> String {
    of.counts(Tense::Done)
}

fn role_stack(world: &World, tenant: usize) -> Option<StackView> {
    world.stack(tenant, ROLE_STACK)
}

fn why(of: &Preparation, index: usize) -> &str {
    match &of.0[index].prepared {
        Prepared::Failed(why) => why,
        other => panic!("{other:?}"),
    }
}

/// Whether the execution role lets us in with this external id.
async fn opens(world: &World, tenant: usize, external_id: Option<&str>) -> bool {
    let target = key(tenant, "x").target;
    let access = Access {
        role_arn: desired(world).role_arn(&target),
        external_id: external_id.map(str::to_owned),
    };
    aws(world).target(&target, &access).check_account().await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn of_two_hundred_accounts_those_that_let_us_in_get_the_role_once() {
    let world = world(200, "");
    for tenant in [7, 33, 101, 150, 200] {
        world.cloud.script().deny_role(id(tenant));
    }
    let began = world.clock.now();
    let (ahead, done) = bootstrap(&world).await;
    assert_eq!(ahead.counts(Tense::Ahead), "200 accounts: 195 to make, 5 out of reach");
    insta::assert_snapshot!(done.text(Tense::Done));
    let took = world.clock.now().since(began);
    assert!(took < Duration::from_secs(300), "50 at once, half a minute each: {took:?}");
    assert_eq!(world.mutating_calls().len(), 195, "one create for each");
    assert!(role_stack(&world, 7).is_none());
    let stack = role_stack(&world, 1).expect("it is made");
    assert!(stack.protected && !stack.tags.contains_key("driftless:fleet"), "{stack:?}");
    assert!(opens(&world, 1, Some("shared")).await);
    assert!(!opens(&world, 1, None).await, "the external id is asked for");
    assert!(!opens(&world, 1, Some("guessed")).await);

    let (_, again) = bootstrap(&world).await;
    assert_eq!(counts(&again), "200 accounts: 195 ready, 5 failed");
    assert_eq!(world.mutating_calls(), Vec::<String>::new(), "nothing to do");
    world.cloud.script().clear();
    let (_, last) = bootstrap(&world).await;
    assert_eq!(counts(&last), "200 accounts: 195 ready, 5 made");
}

#[tokio::test(start_paused = true)]
async fn the_role_is_ready_when_it_really_can_be_assumed() {
    let world = World::with_settings(2, |settings| {
        settings.bootstrap_role = Some("OrganizationAccountAccessRole".to_owned());
        settings.role_seconds = 25;
    });
    say(&world, "driftless-execution", "shared", "");
    let (_, done) = bootstrap(&world).await;
    assert_eq!(counts(&done), "2 accounts: 2 made");
    assert!(opens(&world, 1, Some("shared")).await);
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_narrowed_is_seen_before_and_updated() {
    let world = world(2, "");
    bootstrap(&world).await;
    say(&world, "driftless-execution", "another", ", parameters: { Actions: [sqs:*, ssm:*] }");
    world.mutating_calls();
    let (ahead, done) = bootstrap(&world).await;
    insta::assert_snapshot!(ahead.text(Tense::Ahead));
    assert_eq!(counts(&done), "2 accounts: 2 updated");
    let calls = world.mutating_calls();
    assert!(calls.iter().all(|call| call.contains("ChangeSet")), "never made anew: {calls:?}");
    assert!(opens(&world, 1, Some("another")).await && !opens(&world, 1, Some("shared")).await);
    let (_, again) = bootstrap(&world).await;
    assert_eq!(counts(&again), "2 accounts: 2 ready");
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_role_with_a_path_and_a_principal_of_its_own_is_made_as_written() {
    let principal = ", principal: \"arn:aws:iam::999999999999:user/drift*\", region: us-east-1";
    let world = world(1, principal);
    say(&world, "ci/driftless", "shared", principal);
    let (_, done) = bootstrap(&world).await;
    assert_eq!(counts(&done), "1 account: 1 made");
    let stack = format!("{}/us-east-1/{ROLE_STACK}", id(1)).parse().expect("a key");
    let stack = world.cloud.console().stack(&stack).expect("the cloud answers").expect("made");
    assert_eq!(stack.parameters["RolePath"], "/ci/");
    assert!(opens(&world, 1, Some("shared")).await);
    // Who is trusted then is not we: that the stack is made is all that can be told.
    say(&world, "ci/driftless", "shared", &principal.replace("drift", "ann"));
    assert_eq!(counts(&bootstrap(&world).await.1), "1 account: 1 updated");
    assert!(!opens(&world, 1, Some("shared")).await);
    assert_eq!(counts(&bootstrap(&world).await.1), "1 account: 1 ready");
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_gets_an_earlier_region_keeps_the_stack_where_it_is() {
    let world = world(1, "");
    bootstrap(&world).await;
    world.mutating_calls();
    say(&world, "driftless-execution", "another", ", parameters: { Actions: [sqs:*, ssm:*] }");
    world.edit("fleet.yaml", "regions: [", "regions: [ap-south-1, ");
    world.commit();
    assert_eq!(counts(&bootstrap(&world).await.1), "1 account: 1 updated");
    let calls = world.mutating_calls();
    assert!(calls.iter().all(|call| call.contains("ChangeSet")), "never made anew: {calls:?}");
    assert!(opens(&world, 1, Some("another")).await && !opens(&world, 1, Some("shared")).await);
    assert_eq!(counts(&bootstrap(&world).await.1), "1 account: 1 ready");
}

#[tokio::test(start_paused = true)]
async fn told_to_stop_it_ends_what_it_began_and_begins_nothing() {
    let world = world(120, "");
    let preparing = preparing(&world).await.expect("credentials");
    let tenants = desired(&world).tenants.keys().cloned().collect();
    let survey = preparing.survey(&tenants, &|| false, &|| ()).await;
    let ended = AtomicUsize::new(0);
    let stopped = || ended.load(Ordering::SeqCst) > 0;
    let tick = || {
        ended.fetch_add(1, Ordering::SeqCst);
    };
    let done = preparing.carry_out(survey, &stopped, &tick).await;
    assert_eq!(counts(&done), "120 accounts: 50 made, 70 not begun");
    assert!(!done.is_complete());
    let (_, rest) = bootstrap(&world).await;
    assert_eq!(counts(&rest), "120 accounts: 50 ready, 70 made");
}
