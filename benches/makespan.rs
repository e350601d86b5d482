//! How long a rollout without waves takes, beside StackSets over the very same operations, in
//! virtual time. `cargo bench -- makespan`, or `cargo bench -- makespan 200` for fewer tenants.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use driftless::clock::Clock;
use driftless::moment::Moment;
use driftless::sim::{Cloud, CloudSettings};

use crate::day::{commit, key};
use crate::{Usage, converge, files, write_fleet};

#[path = "../tests/it/makespan/measured.rs"]
mod measured;
#[path = "../tests/it/makespan/stack_sets.rs"]
mod stack_sets;

use measured::{Measured, operations};
use stack_sets::{Preferences, makespan as of_stack_sets};

pub(crate) const TENANTS: usize = 2_000;
const RELEASES: u32 = 3;
/// What StackSets lets run at once is observed to be about a hundred, whatever was asked for.
const AT_ONCE: usize = 100;
/// AWS computes a change set for some seconds, and it is looked at after five.
const PREPARING: Duration = Duration::from_secs(5);
/// Sessions are begun at no more than 400 a second: STS takes 600.
const SESSIONS_PER_SECOND: f64 = 400.0;

/// The service of the sample fleet with its queues, role, function and API.
const TEMPLATE: &str = include_str!("../fleet/services/scan-api/template.yaml");

/// Converges a fleet of one service, and rolls some releases out to all of it.
pub(crate) fn makespan(tenants: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let fleet = folder.path().join("fleet");
    write_fleet(&fleet, &documents(tenants));
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let clock = Clock::starting_at(Moment::from_millis(1_795_000_000_000));
        // The slowest of equal operations takes twice as long as the quickest.
        let settings =
            CloudSettings { quotas: Some(true), spread: 1.0, ..CloudSettings::default() };
        let cloud = Cloud::in_memory(settings, clock.clone());
        println!("a release of one service to {tenants} accounts, no waves");
        println!("              took  slowest   bound   looks each  late, in time      StackSets        CPU");
        for release in 0..=RELEASES {
            let name = if release == 0 { "create" } else { "update" };
            release_to_all(&fleet, release);
            cloud.clear_calls();
            let (began_at, before) = (clock.now(), Usage::now());
            let settled = converge(folder.path(), &cloud, &clock).await;
            assert_eq!(settled, tenants, "all converged");
            let cpu = Usage::now().cpu - before.cpu;
            let took = clock.now().since(began_at);
            let measured = operations(&cloud, (0..tenants).map(|tenant| key(tenant, 0)));
            print_row(&format!("{name} {release}"), took, &measured, cpu);
        }
        assert_eq!(cloud.refused(), [""; 0], "the simulation knows all that was asked of it");
    });
}

/// Tenants and the one service; its name is that of the first of the bench's services.
fn documents(tenants: usize) -> BTreeMap<String, String> {
    let mut documents = files(tenants);
    documents.retain(|path, _| path == "fleet.yaml" || path.starts_with("tenants/"));
    let service = "apiVersion: driftless.dev/v1
kind: Service
metadata: { name: s0 }
spec:
  template: template.yaml
  parameters: { TableName: devices }
  capabilities: [CAPABILITY_IAM]
  tags: { release: r0 }
";
    let fleet = documents.get_mut("fleet.yaml").expect("a fleet");
    *fleet = fleet.replace("LogLevel: info", "LogLevel: INFO");
    documents.insert("s0/service.yaml".to_owned(), service.to_owned());
    documents.insert("s0/template.yaml".to_owned(), TEMPLATE.to_owned());
    documents
}

/// Writes and commits the next release. Its tag reaches all resources of the stack that can have one.
fn release_to_all(fleet: &Path, release: u32) {
    let path = fleet.join("s0/service.yaml");
    let text = std::fs::read_to_string(&path).expect("a service");
    let last = format!("release: r{}", release.saturating_sub(1));
    std::fs::write(&path, text.replace(&last, &format!("release: r{release}"))).expect("written");
    if release > 0 {
        commit(fleet);
    }
}

fn print_row(name: &str, took: Duration, measured: &[Measured], cpu: f64) {
    let lengths: Vec<Duration> = measured.iter().map(Measured::length).collect();
    let count = measured.len() as f64;
    let slowest = lengths.iter().max().copied().unwrap_or_default();
    let prepares = if name.starts_with("create") { Duration::ZERO } else { PREPARING };
    let bound = slowest + prepares + Duration::from_secs_f64(count / SESSIONS_PER_SECOND);
    let looks: usize = measured.iter().map(|one| one.looks).sum();
    let most = measured.iter().map(|one| one.looks).max().unwrap_or_default();
    let late: Duration = measured.iter().map(|one| one.late).sum();
    let timely = measured.iter().filter(|one| one.is_in_time()).count() as f64;
    let strict =
        Preferences { max_concurrent: AT_ONCE, failure_tolerance: AT_ONCE - 1, is_strict: true };
    let theirs = of_stack_sets(&[lengths], strict);
    println!(
        "  {name}    {:>4.0} s  {:>4.0} s  {:.2} x    {:>4.1} ({most:>2})    {:.1} s, {:>5.1}%    \
         {:>5.0} s  {:>4.1} x  {cpu:>5.1} s",
        took.as_secs_f64(),
        slowest.as_secs_f64(),
        took.as_secs_f64() / bound.as_secs_f64(),
        looks as f64 / count,
        late.as_secs_f64() / count,
        100.0 * timely / count,
        theirs.as_secs_f64(),
        theirs.as_secs_f64() / took.as_secs_f64(),
    );
}
