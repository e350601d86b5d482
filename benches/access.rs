//! What access to 6,000 accounts in two regions costs one process: memory, CPU, calls and connections,
//! over TCP against the simulated cloud in another process. `cargo bench -- access`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use driftless::aws::{Access, Aws};
use driftless::clock::Clock;
use driftless::ids::Target;
use driftless::sim::{Cloud, CloudSettings, ServeLimits};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::Usage;

pub(crate) const ACCOUNTS: usize = 6_000;
const REGIONS: [&str; 2] = ["eu-central-1", "us-east-1"];
/// Says to this program that it is the one of two that is measured.
const MEASURED: &str = "access-measured";

/// Serves a cloud, and has a second process look at all accounts in it.
pub(crate) fn access(accounts: usize) {
    if std::env::args().any(|word| word == MEASURED) {
        return measure(accounts);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let settings = CloudSettings { quotas: Some(true), ..CloudSettings::default() };
    let cloud = Cloud::in_memory(settings, Clock::of_this_machine());
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("an address");
    let (served, limits) =
        (cloud.clone(), ServeLimits { connections: 8_192, ..ServeLimits::default() });
    runtime.spawn(async move { served.serve(listener, limits, std::future::pending()).await });
    let (key, secret) = cloud.keys_of(None);
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe"));
    let mut process = Command::new(program)
        .args(["access", MEASURED, &accounts.to_string()])
        .env("AWS_ENDPOINT_URL", format!("http://{address}"))
        .env("AWS_ACCESS_KEY_ID", key)
        .env("AWS_SECRET_ACCESS_KEY", secret)
        .env("AWS_REGION", REGIONS[0])
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    for line in BufReader::new(process.stdout.take().expect("a pipe")).lines() {
        println!("{}", line.expect("a line"));
    }
    assert!(process.wait().expect("an end").success());
    let most = most_in_a_second(&cloud);
    println!("  the cloud saw    {most} AssumeRole within one second at most (STS takes 600)");
    // What is blocked in a thread is not waited for.
    runtime.shutdown_background();
}

fn most_in_a_second(cloud: &Cloud) -> usize {
    let calls = cloud.calls();
    let mut at: Vec<_> = calls.iter().filter(|call| call.api == "AssumeRole").collect();
    at.sort_by_key(|call| call.at);
    let second = Duration::from_secs(1);
    let within = |(place, first): (usize, &&driftless::sim::Call)| {
        at[place..].partition_point(|call| call.at.since(first.at) < second)
    };
    at.iter().enumerate().map(within).max().unwrap_or_default()
}

fn measure(accounts: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let region = REGIONS[0].parse().expect("a region");
        let aws = Aws::from_environment(Clock::of_this_machine(), "bench", region).await;
        println!("access to {accounts} accounts in {} regions, over TCP", REGIONS.len());
        let before = Usage::now();
        for round in ["first looks", "second looks", "third looks"] {
            let usage = Usage::now();
            let (took, sockets) = look(&aws, accounts).await;
            let after = Usage::now();
            let targets = (accounts * REGIONS.len()) as f64;
            println!(
                "  {round:<16} {took:.0} s, {:.2} ms CPU a target, {sockets} sockets at once, {:.0} MB resident",
                (after.cpu - usage.cpu) * 1_000.0 / targets,
                after.resident_mb
            );
        }
        let grown = Usage::now().resident_mb - before.resident_mb;
        println!("  memory           {grown:.0} MB more than before the first call, peak {:.0} MB", Usage::now().peak_mb);
        for ((api, end), count) in aws.counters().calls {
            println!("  {:<16} {count} {}", api.word(), end.word());
        }
        std::io::stdout().flush().expect("flushed");
    });
}

/// Looks at every target at once; how long it took, and how many sockets were open at most.
async fn look(aws: &Aws, accounts: usize) -> (f64, usize) {
    let clock = Clock::of_this_machine();
    let (began, most) = (clock.now(), Arc::new(AtomicUsize::new(0)));
    let (counted, done) = (Arc::clone(&most), Arc::new(AtomicBool::new(false)));
    let ended = Arc::clone(&done);
    let counting = std::thread::spawn(move || {
        while !ended.load(Ordering::Relaxed) {
            counted.fetch_max(sockets(), Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let mut looks = JoinSet::new();
    for number in 0..accounts {
        for region in REGIONS {
            let account = 100_000_000_000 + number;
            let target: Target = format!("{account}/{region}").parse().expect("a target");
            let role_arn = format!("arn:aws:iam::{account}:role/driftless-execution");
            let api = aws.target(&target, &Access { role_arn, external_id: None });
            looks.spawn(async move { api.list().await.expect("a listing") });
        }
    }
    while let Some(look) = looks.join_next().await {
        look.expect("no panic");
    }
    done.store(true, Ordering::Relaxed);
    counting.join().expect("counted");
    (clock.now().since(began).as_secs_f64(), most.load(Ordering::Relaxed))
}

/// Open sockets of this process.
fn sockets() -> usize {
    let files = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let target = |file: std::fs::DirEntry| std::fs::read_link(file.path()).ok();
    let is_socket = |path: &PathBuf| path.to_string_lossy().starts_with("socket:");
    files.filter_map(target).filter(is_socket).count()
}
