//! What a fleet of 6,000 tenants x 20 services costs: `cargo bench`. CPU time of the process, peak
//! memory and counted calls; wall clocks would measure the machine's other users.

#![allow(missing_docs, clippy::print_stdout, reason = "a program that prints its figures")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use driftless::aws::Aws;
use driftless::clock::Clock;
use driftless::controller::{Settings, Until, checked, run};
use driftless::desired::Desired;
use driftless::git::{Source, SourceSettings, init_repository};
use driftless::ids::Revision;
use driftless::journal::Journal;
use driftless::moment::Moment;
use driftless::plan::render;
use driftless::reconcile::Only;
use driftless::sim::{Cloud, CloudSettings};
use driftless::snapshot::{Entry, Snapshot};
use tokio::sync::mpsc;

/// As in the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod access;
mod day;
mod makespan;
mod package;
mod plan;

const TENANTS: usize = 6_000;
const SERVICES: usize = 20;
/// `/proc/self/stat` counts in hundredths of a second on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

fn main() {
    // Cargo passes `--bench`; a number makes the fleet smaller, for a quick look.
    let number = std::env::args().find_map(|word| word.parse().ok());
    if std::env::args().any(|word| word == "makespan") {
        return makespan::makespan(number.unwrap_or(makespan::TENANTS));
    }
    if std::env::args().any(|word| word == "access") {
        return access::access(number.unwrap_or(access::ACCOUNTS));
    }
    if std::env::args().any(|word| word == "package") {
        return package::packages();
    }
    let tenants = number.unwrap_or(TENANTS);
    // A day of the whole fleet takes many minutes: it is run when asked for.
    if std::env::args().any(|word| word == "day") {
        return day::day(tenants);
    }
    let files = files(tenants);
    if std::env::args().any(|word| word == "plan") {
        return plan::plans(&files);
    }
    load_and_render(&files, tenants);
    plan::plans(&files);
    package::packages();
    steady_pass(&files, tenants);
}

/// The documents of the fleet by path.
fn files(tenants: usize) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    files.insert(
        "fleet.yaml".to_owned(),
        "apiVersion: driftless.dev/v1
kind: Fleet
metadata: { name: bench }
spec:
  cloud: simulated
  access: { roleArn: \"arn:aws:iam::${account.id}:role/driftless-execution\" }
  regions: [eu-central-1]
  parameters: { LogLevel: info }
  tags: { owner: platform }
"
        .to_owned(),
    );
    for number in 0..SERVICES {
        let needs = if number % 5 == 1 { number - 1 } else { number };
        let upstream = if needs == number {
            String::new()
        } else {
            format!("    Upstream: \"${{services.s{needs}.outputs.Name}}\"\n")
        };
        files.insert(
            format!("s{number}/service.yaml"),
            format!(
                "apiVersion: driftless.dev/v1
kind: Service
metadata: {{ name: s{number} }}
spec:
  template: template.yaml
  parameters:
    Bucket: \"data-${{tenant.name}}-${{region}}\"
    Tier: \"${{labels.tier}}\"
{upstream}"
            ),
        );
        files.insert(format!("s{number}/template.yaml"), template(number));
    }
    for number in 0..tenants {
        files.insert(
            format!("tenants/t{number}.yaml"),
            format!(
                "apiVersion: driftless.dev/v1
kind: Tenant
metadata: {{ name: t{number}, labels: {{ tier: paid, ring: r{} }} }}
spec:
  account: \"{:012}\"
  regions: [eu-central-1]
  parameters: {{ Seats: \"{number}\" }}
",
                number % 10,
                100_000_000_000_u64 + number as u64
            ),
        );
    }
    files
}

fn template(number: usize) -> String {
    format!(
        "Parameters:
  Bucket: {{ Type: String }}
  Tier: {{ Type: String, AllowedValues: [paid, free] }}
  LogLevel: {{ Type: String, Default: warn }}
  Seats: {{ Type: Number, Default: 1 }}
  Upstream: {{ Type: String, Default: none }}
Resources:
  Setting{number}:
    Type: AWS::SSM::Parameter
    Properties: {{ Type: String, Value: !Sub \"${{Bucket}} ${{Tier}} ${{Seats}}\" }}
  Other:
    Type: AWS::SSM::Parameter
    Properties: {{ Type: String, Value: !Ref Upstream }}
Outputs:
  Name: {{ Value: !Ref Setting{number} }}
"
    )
}

fn load_and_render(files: &BTreeMap<String, String>, tenants: usize) {
    let entries = files.iter();
    let entries =
        entries.map(|(path, text)| (path.clone(), Entry::File(text.as_bytes().into()))).collect();
    let snapshot = Snapshot::of(Revision::of("folder"), None, entries);
    let before = Usage::now();
    let desired = checked(&snapshot).desired.expect("a clean fleet");
    let loaded = Usage::now();
    let rendered = render_all(&desired);
    let after = Usage::now();
    println!("load + check + render, {tenants} tenants x {SERVICES} services = {rendered} stacks");
    println!("  load + check     {:.2} s CPU", loaded.cpu - before.cpu);
    println!("  render           {:.2} s CPU", after.cpu - loaded.cpu);
    println!("  together         {:.2} s CPU (goal < 1)", after.cpu - before.cpu);
    println!("  peak memory      {:.0} MB (goal < 400)", after.peak_mb);
}

fn render_all(desired: &Desired) -> usize {
    let wanted = desired.stacks.values().flat_map(BTreeMap::values);
    let output = |_: &_, _: &str| Some("a-name".to_owned());
    wanted.filter(|wanted| render(&desired.fleet, wanted, &output).is_ok()).count()
}

/// Makes a repository of the documents.
fn write_fleet(folder: &Path, files: &BTreeMap<String, String>) {
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    init_repository(folder, "bench").expect("a repository");
}

/// Deploys the fleet in the simulated cloud, then measures what looking at all of it costs.
fn steady_pass(files: &BTreeMap<String, String>, tenants: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    write_fleet(&folder.path().join("fleet"), files);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let clock = Clock::starting_at(Moment::from_millis(1_795_000_000_000));
        let cloud = Cloud::in_memory(CloudSettings::default(), clock.clone());
        let before = Usage::now();
        let started = clock.now();
        let stacks = converge(folder.path(), &cloud, &clock).await;
        let deployed = Usage::now();
        let makespan = clock.now().since(started);
        let calls: u64 = cloud.call_counts().values().sum();
        println!("deploy everything, {stacks} stacks in sync");
        println!("  makespan         {} s virtual", makespan.as_secs());
        println!("  calls            {calls}");
        println!("  CPU              {:.1} s", deployed.cpu - before.cpu);
        println!("  journal          {:.0} MB", megabytes(&folder.path().join("state.db")));
        converge(folder.path(), &cloud, &clock).await;
        stay(folder.path(), &cloud, &clock, Duration::from_secs(60)).await;
        cloud.clear_calls();
        let before = Usage::now();
        stay(folder.path(), &cloud, &clock, Duration::from_secs(3 * 3_600)).await;
        let after = Usage::now();
        let counts = cloud.call_counts();
        let of = |api: &str| {
            let of = counts.iter().filter(|((_, _, name), _)| *name == api);
            of.map(|(_, count)| *count).sum::<u64>() as f64
        };
        let (looks, all) = (of("DescribeStacks"), counts.values().sum::<u64>() as f64);
        let cpu = after.cpu - before.cpu;
        let half_hours = looks / tenants as f64 / 6.0;
        println!("three quiet hours of `run`, {tenants} targets, {stacks} stacks");
        println!("  DescribeStacks   {looks} ({half_hours:.2} a target and half hour)");
        println!("  other calls      {} (AssumeRole {})", all - looks, of("AssumeRole"));
        println!("  CPU              {:.2} ms a look (goal < 1)", cpu * 1_000.0 / looks);
        println!("  peak memory      {:.0} MB, the simulated cloud included", after.peak_mb);
    });
}

/// The size of a file, with what SQLite keeps beside it.
fn megabytes(path: &Path) -> f64 {
    let beside = ["", "-wal"].map(|end| format!("{}{end}", path.display()));
    let sizes = beside.iter().filter_map(|path| Some(std::fs::metadata(path).ok()?.len()));
    sizes.sum::<u64>() as f64 / 1_000_000.0
}

async fn converge(folder: &Path, cloud: &Cloud, clock: &Clock) -> usize {
    let until = Until::AtRest { only: Only::default() };
    control(folder, cloud, clock, until, std::future::pending()).await
}

/// Runs for `length` of virtual time, as `driftless run` does.
async fn stay(folder: &Path, cloud: &Cloud, clock: &Clock, length: Duration) {
    control(folder, cloud, clock, Until::Stopped, clock.sleep(length)).await;
}

async fn control(
    folder: &Path,
    cloud: &Cloud,
    clock: &Clock,
    until: Until,
    shutdown: impl Future<Output = ()>,
) -> usize {
    let path = folder.join("state.db");
    let (journal, _) = Journal::open(&path, clock.now(), Some(1)).expect("a journal");
    let region = "eu-central-1".parse().expect("a region");
    let (http, credentials) = (cloud.http_client(), cloud.credentials());
    let aws = Aws::simulated(http, credentials, clock.clone(), journal.controller_id(), region);
    let source = folder.join("fleet");
    let source = SourceSettings { path: source, revision: None, worktree: false, polled: false };
    let (news, mut heard) = mpsc::unbounded_channel();
    let drain = tokio::spawn(async move { while heard.recv().await.is_some() {} });
    let settings = Settings {
        source: Source::open(source).expect("a source"),
        aws,
        journal,
        clock: clock.clone(),
        look_every: Duration::from_secs(5),
        news,
        announcing: None,
    };
    let standing = run(settings, until, shutdown).await.expect("converges");
    drain.await.expect("all news were heard");
    standing.total().settled
}

/// What this process has used so far.
struct Usage {
    /// Seconds of CPU, user and system.
    cpu: f64,
    /// The most memory it ever held.
    peak_mb: f64,
    /// The memory that it holds now.
    resident_mb: f64,
}

impl Usage {
    fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
        let ticks = |index: usize| fields[index].parse::<f64>().expect("a number");
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let megabytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|text| text.trim().split(' ').next()?.parse::<f64>().ok());
            number.expect("a number") / 1_024.0
        };
        Self {
            cpu: (ticks(12) + ticks(13)) / TICKS_PER_SECOND,
            peak_mb: megabytes("VmHWM:"),
            resident_mb: megabytes("VmRSS:"),
        }
    }

    /// Makes the peak begin anew; where the kernel does not allow it, it is that of all so far.
    fn reset_peak() {
        let _ = std::fs::write("/proc/self/clear_refs", "5");
    }
}
