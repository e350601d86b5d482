//! Thousands of runs of the whole product against a hostile cloud, repository, disk and clock, each
//! made of one seed: nothing of what must never happen does, and after the faults all converges and
//! stays silent. `DRIFTLESS_SEEDS=1..1000 cargo test --release --test it swarm` plays any range.

mod dice;
mod finds;
mod happening;
mod heal;
mod hearing;
mod invariants;
mod life;
mod model;
mod play;
mod rates;
mod repository;
mod sieve;
mod truth;
mod walk;
mod wishes;
mod witness;

use std::collections::BTreeMap;
use std::ops::Range;

use crate::swarm::play::{Play, Report};

/// What `cargo test` plays.
const SEEDS: Range<u64> = 0..200;
/// Seeds that once failed, and what they showed. What a seed plays changes with the simulated cloud,
/// so each finding has a test of its own besides.
const CORPUS: &[(u64, &str)] = &[
    (11, "a lost journal forgot the deletions of the day"),
    (42, "the same, for another tenant's stacks"),
    (161, "a listing from before passed for a stack that was made, and a limit was passed"),
    (1_036, "a stack dropped with its service was kept though that had said `delete` last"),
    (1_354, "a lost answer gave its place away"),
    (1_414, "a dropped stack that a new journal found was out of sight after a restart"),
    (1_779, "as 1354, for the limit of the fleet"),
    (2_050, "a stack was forgotten whose tenant left while it was made and the process died"),
    (2_292, "two controllers made each other forget their cooldowns"),
    (2_955, "places of stacks that were being made were free again after a crash"),
    (3_071, "a new process gave the secret of a release to a stack that waited for its wave"),
    (4_085, "a failure that showed late counted as another's, and a release was tried again"),
    (4_087, "a cooldown was forgotten when a listing showed a failure from before"),
    (5_171, "as 3071, after a failure"),
    (5_693, "places of another journal's operations counted where nobody could look"),
    (7_221, "as 1036, after a lost journal"),
    (7_253, "as 8646, for three stacks"),
    (7_963, "as 2292, for a stack that is made and deleted in turn"),
    (8_146, "as 4087, for eighteen tries in an hour"),
    (8_646, "a listing from before a failure had a release tried again that git had to mend"),
    (9_710, "an approval that came after a deletion made room for another"),
];

/// Plays one seed in a runtime of its own, in which time moves when nothing else does.
fn play(seed: u64) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async { Play::of(seed).run().await })
}

fn seeds() -> Range<u64> {
    #[allow(clippy::disallowed_methods, reason = "a person chooses the seeds to play")]
    let Ok(text) = std::env::var("DRIFTLESS_SEEDS") else { return SEEDS };
    let (first, last) = text.split_once("..").expect("DRIFTLESS_SEEDS=FIRST..LAST");
    let number = |text: &str| text.parse().expect("a number");
    number(first)..number(last)
}

/// Plays many seeds on all cores; returns the sums, and what went wrong with how to see it again.
fn play_all(seeds: Range<u64>) -> (BTreeMap<String, u64>, Vec<String>) {
    let next = std::sync::atomic::AtomicU64::new(seeds.start);
    let sums = std::sync::Mutex::new((BTreeMap::new(), Vec::new()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    if seed >= seeds.end {
                        return;
                    }
                    let Ok(report) = std::panic::catch_unwind(|| play(seed)) else {
                        let mut sums = sums.lock().unwrap();
                        sums.1.push(format!("seed {seed} panicked, as said above"));
                        continue;
                    };
                    let mut sums = sums.lock().unwrap();
                    add(&mut sums.0, &report);
                    if !report.violations.is_empty() {
                        sums.1.push(failure(seed, &report));
                    }
                }
            });
        }
    });
    sums.into_inner().unwrap()
}

fn add(sums: &mut BTreeMap<String, u64>, report: &Report) {
    let mut count = |name: String, number: u64| *sums.entry(name).or_default() += number;
    count("seeds".into(), 1);
    count("virtual hours".into(), report.virtual_s / 3_600);
    count("calls".into(), report.calls);
    count("stacks at the end".into(), report.stacks as u64);
    count("processes".into(), report.lives);
    for (kind, number) in report.faults.iter() {
        count(format!("fault: {kind}"), *number);
    }
    for (kind, number) in report.happenings.iter() {
        count(format!("happening: {kind}"), *number);
    }
    for (kind, number) in report.counts.iter() {
        count(format!("done: {kind}"), *number);
    }
}

fn failure(seed: u64, report: &Report) -> String {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("swarm");
    let path = folder.join(format!("{seed}.trace"));
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(&path, report.trace.join("\n")).expect("written");
    format!(
        "seed {seed}: {}\nall calls are in {}\nplay it again: DRIFTLESS_SEEDS={seed}..{} cargo test \
         --test it swarm",
        report.violations.join("\n"),
        path.display(),
        seed + 1
    )
}

#[test]
fn no_seed_breaks_what_must_hold() {
    let (sums, failures) = play_all(seeds());
    #[allow(clippy::print_stdout, reason = "the figures of a long run are what it is for")]
    if seeds() != SEEDS {
        println!("{sums:#?}");
    }
    assert!(failures.is_empty(), "{} seeds fail\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn seeds_that_once_failed_hold() {
    let failures: Vec<String> = CORPUS
        .iter()
        .map(|(seed, what)| (seed, what, play(*seed)))
        .filter(|(_, _, report)| !report.violations.is_empty())
        .map(|(seed, what, report)| format!("once {what}\n{}", failure(*seed, &report)))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [3, 11] {
        assert_eq!(play(seed).trace, play(seed).trace);
    }
}
