//! `driftless doctor`: what it says is wrong is wrong, what it costs is what is counted, and it changes
//! nothing.

mod toll;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use driftless::cli::doctor::examine;
use driftless::controller::{Checked, checked};
use driftless::desired::Desired;
use driftless::ids::AccountId;
use driftless::report::doctor::{DoctorReport, Gravity};
use driftless::report::output::Doctored;
use driftless::sim::{Asked, CallFault, Calls, Ending, Witness};
use indicatif::ProgressBar;

use crate::world::{World, account, key};

/// What the newest commit of a world wants.
fn desired(world: &World) -> Arc<Desired> {
    let source = world.settings().0.source;
    let snapshot = source.fetch_and_read(&world.clock).expect("a snapshot");
    let Checked { desired, findings } = checked(&snapshot);
    Arc::new(desired.unwrap_or_else(|| panic!("{findings:#?}")))
}

/// No stack of AWS has this id.
const NO_ID: &str = "stack/driftless-doctor/00000000-0000-0000-0000-000000000000";

/// Notes every call that asks for a change: of which stack.
#[derive(Debug, Default)]
struct Changes(Mutex<Vec<String>>);

impl Witness for Changes {
    fn comes(&self, asked: Asked<'_>) -> bool {
        if asked.call.mutating {
            let stack = asked.fields.get("StackName").cloned().unwrap_or_default();
            self.0.lock().unwrap().push(format!("{} {stack}", asked.call.api));
        }
        true
    }

    fn ended(&self, _: Asked<'_>, _: Ending<'_>) -> bool {
        true
    }
}

/// Has the world examined, and fails if anything was changed or asked for that could be.
async fn doctor(world: &World) -> DoctorReport {
    let changes = Arc::new(Changes::default());
    world.cloud.set_witness(Some(Arc::clone(&changes) as Arc<dyn Witness>));
    let aws = world.settings().0.aws;
    let bar = ProgressBar::hidden();
    let report = examine(&desired(world), &aws, &[], true, &bar).await;
    world.cloud.set_witness(None);
    for asked in changes.0.lock().unwrap().iter() {
        assert!(asked.ends_with(NO_ID), "{asked}");
        assert!(!asked.starts_with("CreateStack"), "{asked}");
    }
    assert_eq!(world.cloud.refused(), Vec::<String>::new(), "calls that nobody should make");
    report
}

/// `code targets` of each complaint.
fn complaints(report: &DoctorReport) -> Vec<String> {
    let complaints = report.complaints.iter();
    complaints.map(|one| format!("{} {}", one.complaint.code, one.targets.len())).collect()
}

fn id(tenant: usize) -> AccountId {
    format!("{:012}", account(tenant)).parse().expect("an account")
}

fn refuse(world: &World, tenant: Option<usize>, api: &str, code: &str, message: &str) {
    let calls = Calls { account: tenant.map(id), region: None, api: Some(api.to_owned()) };
    let fault = CallFault::Refused { code: code.to_owned(), message: message.to_owned() };
    world.cloud.script().calls(calls, fault, None);
}

fn deny(world: &World, tenant: usize, api: &str) {
    let user = format!("arn:aws:sts::{:012}:assumed-role/driftless-execution/x", account(tenant));
    let text = format!(
        "User: {user} is not authorized to perform: cloudformation:{api} because no identity-based \
         policy allows the cloudformation:{api} action"
    );
    refuse(world, Some(tenant), api, "AccessDenied", &text);
}

/// Nothing stands yet, and most of ten tenants have trouble of their own.
fn fleet_in_trouble() -> World {
    let world = World::with_tenants(10);
    world.edit("fleet.yaml", "[eu-central-1, us-east-1]", "[eu-central-1, eu-central-2]");
    for number in [1, 4] {
        let path = format!("tenants/t{number}.yaml");
        world.edit(&path, "[eu-central-1]", "[eu-central-1, eu-central-2]");
    }
    world.commit();
    let script = world.cloud.script();
    script.deny_role(id(2));
    world.cloud.console().require_external_id(id(3), "another").expect("required");
    script.switch_region_off(id(4), "eu-central-2".parse().expect("a region"));
    let blocked = "This account is currently blocked and not recognized as a valid account.";
    refuse(&world, Some(5), "DescribeStacks", "Blocked", blocked);
    for tenant in [6, 7] {
        deny(&world, tenant, "DeleteStack");
        deny(&world, tenant, "SetStackPolicy");
    }
    deny(&world, 8, "DescribeStacks");
    let young = "The AWS Access Key Id needs a subscription for the service";
    refuse(&world, Some(9), "AssumeRole", "OptInRequired", young);
    deny(&world, 10, "DescribeAccountLimits");
    world
}

#[tokio::test(start_paused = true)]
async fn a_region_whose_bucket_is_missing_or_elsewhere_is_named_with_what_to_do() {
    let world = World::with_tenants(1);
    world.edit("fleet.yaml", "  limits:", "  artifacts: { bucket: \"test-${region}\" }\n  limits:");
    world.commit();
    let complaints = |report: &DoctorReport| -> Vec<String> {
        let all = report.complaints.iter().map(|one| &one.complaint);
        all.map(|one| format!("{}: {}", one.code, one.cause)).collect()
    };
    let found = complaints(&doctor(&world).await);
    assert_eq!(
        found,
        ["bucket-missing: there is no bucket `test-eu-central-1`: make it in eu-central-1, or \
             correct `artifacts.bucket` of the Fleet"]
    );
    let console = world.cloud.console();
    let name = "test-eu-central-1";
    console.make_bucket(name, &"us-east-1".parse().expect("a region")).expect("a bucket");
    let found = complaints(&doctor(&world).await);
    assert!(found[0].contains("`test-eu-central-1` is in us-east-1"), "{found:?}");
    world.edit("fleet.yaml", "test-${region}", "good-${region}");
    world.commit();
    let name = "good-eu-central-1";
    console.make_bucket(name, &"eu-central-1".parse().expect("a region")).expect("a bucket");
    assert_eq!(complaints(&doctor(&world).await), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_fleet_with_all_kinds_of_trouble_is_told_in_groups() {
    let world = fleet_in_trouble();
    let report = doctor(&world).await;
    insta::assert_snapshot!(report.text());
    assert!(!report.is_well());
    assert_eq!((report.targets, report.accounts, report.well), (12, 10, 4));
    assert!(world.stacks(1).is_empty() && world.stacks(6).is_empty());
    let told = driftless::report::output::value(&Doctored::of(&report));
    assert_eq!(told["well"], false);
    assert_eq!(told["examined"]["wellTargets"], 4);
    let rights = told["complaints"].as_array().expect("complaints").iter();
    let rights = rights.clone().find(|one| one["code"] == "rights-missing").expect("told");
    assert_eq!(rights["targets"][1], "100000000007/eu-central-1");
    assert_eq!(rights["accounts"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_healthy_fleet_takes_few_calls_and_is_well() {
    let world = World::with_tenants(3);
    world.apply().await.assert_converged(6);
    world.cloud.clear_calls();
    let report = doctor(&world).await;
    assert_eq!(complaints(&report), Vec::<String>::new());
    assert!(report.is_well() && report.well == 3);
    let calls: u64 = world.cloud.call_counts().values().sum();
    // A session, whose it is, the stacks, the quota and 16 rights.
    assert_eq!(calls, 3 * 20);
    assert_eq!(world.stacks(1).len(), 2, "all stands as before");
    assert!(world.driftless(&["doctor", "--offline"]).starts_with("What the settings"));
}

#[tokio::test(start_paused = true)]
async fn where_each_region_has_a_role_of_its_own_the_rights_of_each_are_probed() {
    let probes = async |role: &str| {
        let world = World::with_tenants(1);
        world.edit("fleet.yaml", "role/driftless-execution", role);
        world.edit("tenants/t1.yaml", "[eu-central-1]", "[eu-central-1, us-east-1]");
        world.commit();
        doctor(&world).await;
        let counts = world.cloud.call_counts();
        let of_it = counts.iter().filter(|((_, _, api), _)| *api == "DetectStackDrift");
        of_it.map(|(_, count)| *count).sum::<u64>()
    };
    assert_eq!(probes("role/driftless").await, 1);
    assert_eq!(probes("role/driftless-${region}").await, 2);
}

#[tokio::test(start_paused = true)]
async fn the_role_that_bootstrap_makes_has_every_right_that_is_probed() {
    let world = crate::bootstrap::world(2, "");
    assert_eq!(complaints(&doctor(&world).await), ["role-cannot-be-assumed 2"]);
    crate::bootstrap::bootstrap(&world).await;
    assert_eq!(complaints(&doctor(&world).await), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_not_there_and_one_of_another_account_are_named() {
    let world =
        World::with_settings(2, |cloud| cloud.role_name = Some("driftless-other".to_owned()));
    let report = doctor(&world).await;
    assert_eq!(complaints(&report), ["role-cannot-be-assumed 2"]);
    let help = report.complaints[0].complaint.help.clone().expect("help");
    assert!(help.contains("access.roleArn") && help.contains("access.externalId"), "{help}");

    let world = World::with_tenants(2);
    world.edit("fleet.yaml", "${account.id}", &format!("{:012}", account(1)));
    world.commit();
    let report = doctor(&world).await;
    assert_eq!(complaints(&report), ["wrong-account 1"]);
    assert_eq!(report.well, 1, "the account that the role is of");
}

#[tokio::test(start_paused = true)]
async fn an_account_that_left_and_lets_nobody_in_is_nothing_wrong() {
    let world = World::with_tenants(2);
    world.write_tenant(2, "  lifecycle: offboarded\n");
    world.commit();
    world.cloud.script().deny_role(id(2));
    let report = doctor(&world).await;
    assert_eq!(complaints(&report), ["offboarded-and-shut 1"]);
    assert!(report.is_well(), "the others are");
    world.cloud.script().deny_role(id(1));
    let report = doctor(&world).await;
    assert_eq!(complaints(&report), ["role-cannot-be-assumed 1", "offboarded-and-shut 1"]);
    assert!(!report.is_well());
}

#[tokio::test(start_paused = true)]
async fn credentials_that_have_ended_are_one_complaint_of_the_whole_fleet() {
    let world = World::with_tenants(20);
    let text = "The security token included in the request is expired";
    refuse(&world, None, "AssumeRole", "ExpiredToken", text);
    let report = doctor(&world).await;
    assert_eq!(complaints(&report), ["no-credentials-of-our-own 20"]);
    assert_eq!(report.well, 0);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_off_is_told_before_aws_refuses_it() {
    for (ahead_s, told, well) in [
        (30, vec![], true),
        (-90, vec!["clock 0"], true),
        (250, vec!["clock 0"], false),
        (-400, vec!["clock 0", "clock-skew 2"], false),
    ] {
        let world = World::with_tenants(2);
        world.cloud.script().skew_clock(ahead_s);
        let report = doctor(&world).await;
        assert_eq!(complaints(&report), told, "{ahead_s} s");
        assert_eq!(report.is_well(), well, "{ahead_s} s");
        let examined = report.examined.expect("it was examined");
        assert_eq!(examined.clock_ahead_s, Some(-ahead_s));
    }
}

#[tokio::test(start_paused = true)]
async fn stacks_that_are_wanted_count_against_the_quota_as_those_that_are_there() {
    for (limit, code, gravity) in [
        (1, "quota-exceeded 1", Gravity::Wrong),
        (2, "quota-near 1", Gravity::Warning),
        (3, "", Gravity::Warning),
    ] {
        let world = World::with_settings(1, |cloud| cloud.stack_limit = limit);
        let report = doctor(&world).await;
        assert_eq!(complaints(&report).concat(), code, "{limit}");
        assert_eq!(report.is_well(), gravity == Gravity::Warning, "{limit}");
    }
}

#[tokio::test(start_paused = true)]
async fn stacks_that_are_taken_over_are_not_counted_twice() {
    for more in ["", ", orCreate: true"] {
        let world = World::with_settings(1, |cloud| cloud.stack_limit = 3);
        let body = "Resources: { Q: { Type: AWS::SQS::Queue } }";
        for service in ["network", "api"] {
            let stack = key(1, &format!("StackSet-{service}-1"));
            world.cloud.console().create_stack(&stack, body, &Default::default()).expect("created");
            let field = format!("spec:\n  adopt: {{ match: \"StackSet-{service}-*\"{more} }}\n");
            world.edit(&format!("{service}/service.yaml"), "spec:\n", &field);
        }
        world.commit();
        assert_eq!(complaints(&doctor(&world).await), Vec::<String>::new(), "{more}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_has_the_name_of_a_probe_is_not_probed_at() {
    let world = World::with_tenants(1);
    let body = "Resources: { Q: { Type: AWS::SQS::Queue } }";
    let stack = key(1, "driftless-doctor");
    world.cloud.console().create_stack(&stack, body, &Default::default()).expect("created");
    world.clock.sleep(Duration::from_secs(3_600)).await;
    world.mutating_calls();
    let report = doctor(&world).await;
    assert_eq!(complaints(&report), ["rights-unproven 1"]);
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    assert_eq!(world.stacks(1), ["driftless-doctor CREATE_COMPLETE"]);
}
