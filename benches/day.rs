//! An ordinary day of `driftless run` in virtual time: what it costs AWS accounts, and what it costs
//! us. `cargo bench -- day`, or `cargo bench -- day 200` for fewer tenants.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use driftless::clock::Clock;
use driftless::controller::Until;
use driftless::fleet::Limits;
use driftless::ids::{AccountId, Region, StackKey, Target};
use driftless::moment::Moment;
use driftless::sim::{
    Asked, CallFault, Calls, Cloud, CloudSettings, Ending, Phase, ResourceFault, Witness,
};

use crate::{SERVICES, Usage, control, converge, files, template, write_fleet};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY_HOURS: usize = 24;
/// Stacks that people change at the console.
const CONSOLE_CHANGES: usize = 20;
/// The service that is changed for all tenants.
const CHANGED_SERVICE: usize = 7;
const NEW_TENANTS: usize = 5;
/// Stacks that are made to find out what the simulated cloud itself takes.
const SAMPLE_ACCOUNTS: usize = 300;

/// Converges a fleet, lets a day pass and prints its figures.
pub(crate) fn day(tenants: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let fleet = folder.path().join("fleet");
    write_fleet(&fleet, &files(tenants));
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let clock = Clock::starting_at(Moment::from_millis(1_795_000_000_000));
        let cloud_kb = kilobytes_of_a_simulated_stack(&clock).await;
        let settings = CloudSettings { quotas: Some(true), ..CloudSettings::default() };
        let cloud = Cloud::in_memory(settings, clock.clone());
        let stacks = converge(folder.path(), &cloud, &clock).await;
        converge(folder.path(), &cloud, &clock).await;
        cloud.clear_calls();
        let drift = Arc::new(DriftCalls::default());
        cloud.set_witness(Some(Arc::clone(&drift) as Arc<dyn Witness>));
        let events_before = stack_events(&cloud, tenants + NEW_TENANTS);
        order_trouble(&cloud);
        Usage::reset_peak();
        let before = Usage::now();
        let began_at = clock.now();
        let passes = happenings(&fleet, &cloud, &clock, tenants);
        control(folder.path(), &cloud, &clock, Until::Stopped, passes).await;
        let after = Usage::now();
        println!("a day of `run`, {tenants} targets x {SERVICES} services = {stacks} stacks");
        println!("  virtual time     {} h", clock.now().since(began_at).as_secs() / 3_600);
        let looks = print_calls(&cloud);
        drift.print();
        print_stack_events(&cloud, &events_before, tenants + NEW_TENANTS);
        let cpu = after.cpu - before.cpu;
        println!("  CPU              {cpu:.0} s, the simulated cloud included");
        println!("                   {:.2} ms a look", cpu * 1_000.0 / looks);
        println!("                   {:.1} ms a target and day", cpu * 1_000.0 / tenants as f64);
        let cloud_mb = cloud_kb * stacks as f64 / 1_024.0;
        println!("  peak memory      {:.0} MB (VmHWM of the day)", after.peak_mb);
        println!(
            "                   {cloud_mb:.0} MB of it the simulated cloud: {cloud_kb:.1} KB a"
        );
        println!("                   stack, by the growth of a cloud without a controller");
        println!("                   {:.0} MB ours (goal < 1024)", after.peak_mb - cloud_mb);
        assert_eq!(cloud.refused(), [""; 0], "the simulation knows all that was asked of it");
    });
}

/// Resident memory per stack of a simulated cloud that only a person at the console uses.
async fn kilobytes_of_a_simulated_stack(clock: &Clock) -> f64 {
    let cloud = Cloud::in_memory(CloudSettings::default(), clock.clone());
    let before = Usage::now();
    for number in 0..SAMPLE_ACCOUNTS * SERVICES {
        let (tenant, service) = (number / SERVICES, number % SERVICES);
        // The console gives no parameters, so the template has defaults.
        let body = template(service)
            .replace("Bucket: { Type: String }", "Bucket: { Type: String, Default: data }")
            .replace(
                "{ Type: String, AllowedValues",
                "{ Type: String, Default: paid, AllowedValues",
            );
        let tags = ["fleet", "tenant", "service", "owner"].map(|tag| (tag.into(), "value".into()));
        cloud.console().create_stack(&key(tenant, service), &body, &tags.into()).expect("created");
    }
    clock.sleep(HOUR).await;
    stack_events(&cloud, SAMPLE_ACCOUNTS);
    let grown = Usage::now().resident_mb - before.resident_mb;
    grown * 1_024.0 / (SAMPLE_ACCOUNTS * SERVICES) as f64
}

fn account(tenant: usize) -> AccountId {
    format!("{:012}", 100_000_000_000_u64 + tenant as u64).parse().expect("an account")
}

pub(crate) fn key(tenant: usize, service: usize) -> StackKey {
    let region: Region = "eu-central-1".parse().expect("a region");
    let target = Target { account: account(tenant), region };
    StackKey { target, name: format!("s{service}").parse().expect("a name") }
}

/// Throttling, failures of AWS's own, and resources that fail when the service is changed: three
/// once, two for as long as nobody does anything about it.
fn order_trouble(cloud: &Cloud) {
    let script = cloud.script();
    let calls = |api: &str| Calls { api: Some(api.to_owned()), ..Calls::default() };
    script.calls(calls("DescribeStacks"), CallFault::Throttled, Some(500));
    script.calls(calls("CreateChangeSet"), CallFault::Throttled, Some(200));
    script.calls(calls("DescribeStacks"), CallFault::ServerError(503), Some(50));
    script.calls(calls("DescribeStacks"), CallFault::Truncated, Some(10));
    script.calls(calls("ExecuteChangeSet"), CallFault::AnswerLost, Some(10));
    for number in 0..5 {
        script.resource(ResourceFault {
            account: Some(account(10 + number)),
            region: None,
            stack: Some(key(0, CHANGED_SERVICE).name),
            logical_id: "Fresh".to_owned(),
            phase: Phase::Change,
            text: "Resource handler returned message: Internal failure".to_owned(),
            times: (number < 3).then_some(1),
        });
    }
}

/// What people do in a day, each thing in its hour.
async fn happenings(fleet: &Path, cloud: &Cloud, clock: &Clock, tenants: usize) {
    for hour in 0..DAY_HOURS {
        // Somewhere between two resyncs.
        clock.sleep(HOUR / 3).await;
        match hour {
            1 | 3 | 5 | 7 | 11 | 13 | 15 | 17 => {
                let tenant = (hour * 31) % tenants;
                let path = fleet.join(format!("tenants/t{tenant}.yaml"));
                let text = std::fs::read_to_string(&path).expect("a tenant");
                let text = text.replace("Seats: \"", "Seats: \"9");
                std::fs::write(&path, text).expect("written");
                commit(fleet);
            }
            9 => {
                let path = fleet.join(format!("s{CHANGED_SERVICE}/template.yaml"));
                let fresh = "Resources:\n  Fresh:\n    Type: AWS::SSM::Parameter\n    \
                             Properties: { Type: String, Value: new }\n";
                let text = template(CHANGED_SERVICE).replace("Resources:\n", fresh);
                std::fs::write(path, text).expect("written");
                commit(fleet);
            }
            19 => {
                write_fleet_files(fleet, tenants..tenants + NEW_TENANTS);
                commit(fleet);
            }
            4 | 8 | 14 | 20 => {
                for number in 0..CONSOLE_CHANGES / 4 {
                    let tenant = (hour * 17 + number * 5) % tenants;
                    let changed = BTreeMap::from([("Seats".to_owned(), "77777".to_owned())]);
                    let stack = key(tenant, (hour + number) % SERVICES);
                    cloud.console().update_parameters(&stack, &changed).expect("changed");
                }
            }
            _ => {}
        }
        clock.sleep(HOUR - HOUR / 3).await;
    }
}

fn write_fleet_files(fleet: &Path, numbers: std::ops::Range<usize>) {
    let all = files(numbers.end);
    for number in numbers {
        let path = format!("tenants/t{number}.yaml");
        std::fs::write(fleet.join(&path), &all[&path]).expect("written");
    }
}

pub(crate) fn commit(fleet: &Path) {
    let repository = git2::Repository::open(fleet).expect("a repository");
    let mut index = repository.index().expect("an index");
    index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).expect("added");
    index.write().expect("written");
    let tree = index.write_tree().and_then(|tree| repository.find_tree(tree)).expect("a tree");
    let author = git2::Signature::now("bench", "bench@localhost").expect("an author");
    let head = repository.head().and_then(|head| head.peel_to_commit()).expect("a head");
    repository
        .commit(Some("HEAD"), &author, &author, "a change", &tree, &[&head])
        .expect("a commit");
}

/// Calls by API: all, and those that one account gets; returns the looks.
fn print_calls(cloud: &Cloud) -> f64 {
    let mut by_api: BTreeMap<&str, (u64, BTreeMap<AccountId, u64>)> = BTreeMap::new();
    for ((account, _, api), count) in cloud.call_counts() {
        let (all, accounts) = by_api.entry(api).or_default();
        *all += count;
        *accounts.entry(account).or_default() += count;
    }
    println!("  calls a day      all      median, mean and most of the accounts that got any");
    let (mut reads, mut writes): (BTreeMap<_, u64>, BTreeMap<_, u64>) = Default::default();
    for (api, (all, accounts)) in &by_api {
        println!("    {api:<22} {all:>9}   {}", spread(accounts));
        let reading = ["Describe", "Detect", "List", "Get", "Assume"];
        let reads_only = reading.iter().any(|word| api.starts_with(word));
        let sum = if reads_only { &mut reads } else { &mut writes };
        for (account, count) in accounts {
            *sum.entry(*account).or_default() += count;
        }
    }
    println!("  management events (calls; AssumeRole is counted where the caller is)");
    println!("    read                   {:>9}   {}", reads.values().sum::<u64>(), spread(&reads));
    println!(
        "    write                  {:>9}   {}",
        writes.values().sum::<u64>(),
        spread(&writes)
    );
    by_api.get("DescribeStacks").map_or(1.0, |(all, _)| *all as f64)
}

fn spread(accounts: &BTreeMap<AccountId, u64>) -> String {
    let mut counts: Vec<u64> = accounts.values().copied().collect();
    counts.sort_unstable();
    let sum: u64 = counts.iter().sum();
    let median = counts.get(counts.len() / 2).copied().unwrap_or(0);
    let mean = sum as f64 / counts.len().max(1) as f64;
    let most = counts.last().copied().unwrap_or(0);
    format!("{median:>5} {mean:>8.1} {most:>6}   in {} accounts", counts.len())
}

/// Calls that looking for drift makes: in each second, and in each account.
#[derive(Debug, Default)]
struct DriftCalls(Mutex<(BTreeMap<u64, u64>, BTreeMap<AccountId, u64>)>);

impl DriftCalls {
    /// What of its budget looking for drift has used.
    fn print(&self) {
        let counts = self.0.lock().expect("nobody panicked");
        let limits = Limits::default().drift_calls;
        let most = |counts: &mut dyn Iterator<Item = u64>| counts.max().unwrap_or(0);
        println!(
            "  looking for drift        {:>9}   {}",
            counts.1.values().sum::<u64>(),
            spread(&counts.1)
        );
        println!(
            "    most in an account     {:>9}   of {} in 24 h",
            most(&mut counts.1.values().copied()),
            limits.per_account
        );
        println!(
            "    most in a second       {:>9}   of {}",
            most(&mut counts.0.values().copied()),
            limits.per_second
        );
    }
}

impl Witness for DriftCalls {
    fn comes(&self, asked: Asked<'_>) -> bool {
        // Nothing of this day makes a look at resources but drift.
        let is_drift = asked.call.api.contains("Drift") || asked.call.api == "ListStackResources";
        if is_drift {
            let mut counts = self.0.lock().expect("nobody panicked");
            *counts.0.entry(asked.call.at.as_millis() / 1_000).or_default() += 1;
            *counts.1.entry(asked.call.account).or_default() += 1;
        }
        true
    }

    fn ended(&self, _: Asked<'_>, _: Ending<'_>) -> bool {
        true
    }
}

/// How many events the stacks of each account have.
fn stack_events(cloud: &Cloud, tenants: usize) -> BTreeMap<AccountId, u64> {
    let console = cloud.console();
    let of = |tenant: usize| {
        let events = |service| console.events(&key(tenant, service)).expect("a history").len();
        (account(tenant), (0..SERVICES).map(events).sum::<usize>() as u64)
    };
    (0..tenants).map(of).collect()
}

fn print_stack_events(cloud: &Cloud, before: &BTreeMap<AccountId, u64>, tenants: usize) {
    let after = stack_events(cloud, tenants).into_iter();
    let added: BTreeMap<AccountId, u64> = after
        .map(|(account, count)| (account, count - before.get(&account).copied().unwrap_or(0)))
        .collect();
    let sum: u64 = added.values().sum();
    println!("  stack events             {sum:>9}   {}", spread(&added));
}
