//! Queue and ledger under many workers whose steps interleave in every order: no wake is lost, no
//! target is handled twice at once, no limit is passed, and no place is kept for ever.

mod stage;

use std::collections::BTreeMap;

use stage::{Act, Random, Stage};

/// How many random schedules are carried out one by one; `DRIFTLESS_INTERLEAVINGS` says another
/// number. A million take about five minutes.
const SCHEDULES: u64 = 10_000;
/// Small programs of which every schedule is looked at.
const PROGRAMS: u64 = 12;

#[allow(clippy::disallowed_methods, reason = "a test has no settings")]
fn schedules() -> u64 {
    let wanted = std::env::var("DRIFTLESS_INTERLEAVINGS").ok();
    wanted.map_or(SCHEDULES, |number| number.parse().expect("a number"))
}

/// All schedules of a small program. Two that lead to the same state go on alike: each state is
/// visited once, and the schedules that lead through it are counted.
#[derive(Default)]
struct Exploration {
    below: BTreeMap<String, u64>,
    path: Vec<Act>,
}

impl Exploration {
    /// How many ways there are to go on from here.
    fn explore(&mut self, stage: &Stage) -> u64 {
        let state = format!("{stage:?}");
        if let Some(count) = self.below.get(&state) {
            return *count;
        }
        let acts = stage.possible();
        let count = if acts.is_empty() {
            stage.clone().wind_up().unwrap_or_else(|error| panic!("{error}: {:?}", self.path));
            1
        } else {
            acts.into_iter().map(|act| self.try_out(stage, act)).fold(0, u64::saturating_add)
        };
        self.below.insert(state, count);
        count
    }

    fn try_out(&mut self, stage: &Stage, act: Act) -> u64 {
        let mut stage = stage.clone();
        self.path.push(act);
        stage.act(act).unwrap_or_else(|error| panic!("{error}: {:?}", self.path));
        let count = self.explore(&stage);
        self.path.pop();
        count
    }
}

#[test]
fn every_schedule_of_small_programs_keeps_the_limits_and_loses_no_wake() {
    let mut count = 0_u64;
    for seed in 0..PROGRAMS {
        let stage = Stage::small(seed);
        count = count.saturating_add(Exploration::default().explore(&stage));
    }

    assert!(count >= 1_000_000, "{count} schedules");
}

#[test]
fn random_schedules_of_many_workers_keep_the_limits_and_lose_no_wake() {
    let mut done = 0;
    for seed in 0..schedules() {
        let (mut random, mut stage) = (Random::of(seed), Stage::large(seed));
        let mut path = Vec::new();
        for _ in 0..60 {
            let acts = stage.possible();
            let act = acts[random.below(acts.len())];
            path.push(act);
            stage.act(act).unwrap_or_else(|error| panic!("seed {seed}: {error}: {path:?}"));
        }
        stage.wind_up().unwrap_or_else(|error| panic!("seed {seed}: {error}: {path:?}"));
        done += 1;
    }
    assert_eq!(done, schedules());
}
