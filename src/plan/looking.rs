//! When to look next, and where: at what is at rest now and then, at an operation that runs when what
//! past ones took says that it may have ended.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::desired::Desired;
use crate::ids::Target;
use crate::plan::{Lengths, cooldown};

/// A target where nothing is wanted and nothing of ours was found is swept once a day.
pub const SWEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// The end of an operation is noticed within a tenth of its length.
const SHARE: u32 = 10;
/// Before the first usual end there are two looks, at a ninth and a third of it: what fails, fails
/// early, and may take long to be taken back.
const FIRST: u32 = 9;
const EACH: u32 = 3;

/// How long after a look at a target that is at rest the next one comes, where each is looked at once
/// in `resync`: up to a tenth sooner, each at its own distance, so that they do not come together.
pub fn regular(target: &Target, resync: Duration) -> Duration {
    resync - resync / 10 + cooldown::spread(&target.to_string(), resync / 20)
}

/// The targets that need a look although nobody wants anything there: each known account in all
/// regions of the fleet.
pub fn swept_targets(desired: &Desired) -> BTreeSet<Target> {
    let accounts: BTreeSet<_> = desired.tenants.values().map(|tenant| tenant.account).collect();
    let regions = desired.fleet.regions.keys();
    regions
        .flat_map(|region| {
            let of = |account: &_| Target { account: *account, region: region.clone() };
            accounts.iter().map(of).collect::<Vec<_>>()
        })
        .filter(|target| !desired.stacks.contains_key(target))
        .collect()
}

/// How long not to look, at `age`. With `lengths` that are learned, an operation of a usual length is
/// noticed within `shortest` or a tenth of its length, whichever is more, by a look for each usual
/// range and a few more.
///
/// Of what is not learned any length is as likely as any other, as nothing tells a stack of three
/// parameters from one of three databases: then that bound holds for every length, which takes 10
/// looks for the first 50 seconds and 7 for each doubling.
pub fn pause(
    age: Duration,
    lengths: Option<&Lengths>,
    shortest: Duration,
    longest: Duration,
) -> Duration {
    let step = shortest.max(age / SHARE);
    let learned = lengths.filter(|lengths| lengths.is_learned());
    let usual = learned.and_then(|lengths| lengths.usual_from(age));
    let wait = usual.map(|usual| before(age, usual).saturating_sub(age));
    step.max(wait.unwrap_or_default()).min(longest.max(shortest))
}

/// At what age to look, where nothing is likely to end before the age of `usual`.
fn before(age: Duration, usual: Duration) -> Duration {
    // A look that lies near the usual end would tell little.
    let is_near = usual <= (EACH + 1) * age;
    if is_near { usual } else { (EACH * age).max(usual / FIRST) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHORTEST: Duration = Duration::from_secs(5);
    const RESYNC: Duration = Duration::from_secs(30 * 60);

    /// What became of one operation: how many looks it took, and how late its end was noticed.
    #[derive(Clone, Copy, Debug)]
    struct Watched {
        looks: u32,
        /// The last look at which it still ran.
        ran_for: Duration,
        over_by: Duration,
        late: Duration,
    }

    fn watch(length: Duration, lengths: &Lengths) -> Watched {
        let (mut age, mut looks) = (Duration::ZERO, 0);
        loop {
            let ran_for = age;
            age += pause(age, Some(lengths), SHORTEST, RESYNC);
            looks += 1;
            if age >= length {
                return Watched { looks, ran_for, over_by: age, late: age - length };
            }
        }
    }

    /// How late the end of an operation of this length may be noticed.
    fn bound(length: Duration) -> Duration {
        SHORTEST.max(length / SHARE)
    }

    /// Numbers from 0 to 999 that look random and are the same every time.
    fn drawn(seed: u64) -> impl Iterator<Item = u64> {
        (1..).map(move |number: u64| {
            let mixed = (seed + number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (mixed >> 33) % 1_000
        })
    }

    /// How long operations take that a name stands for; `share` is a number from 0 to 999.
    fn length(shape: &str, scale: Duration, share: u64) -> Duration {
        let share = u32::try_from(share).expect("small");
        match shape {
            "constant" => scale,
            "uniform 1:2" => scale + scale * share / 1_000,
            "bimodal" if share < 700 => scale + scale * share / 10_000,
            "bimodal" => scale * 4 + scale * share / 5_000,
            other => unreachable!("{other}"),
        }
    }

    /// The figures of operations of which all were noted.
    fn figures(shape: &str, scale: Duration, count: usize) -> (Vec<Watched>, Lengths) {
        let mut lengths = Lengths::default();
        let mut all = Vec::new();
        for share in drawn(scale.as_secs()).take(count) {
            let one = watch(length(shape, scale, share), &lengths);
            lengths.note(one.ran_for, one.over_by);
            all.push(one);
        }
        (all, lengths)
    }

    #[test]
    fn what_is_learned_takes_few_looks_and_is_noticed_in_time() {
        let mut table = String::new();
        for shape in ["constant", "uniform 1:2", "bimodal"] {
            for scale in [30, 80, 300, 900] {
                let (all, _) = figures(shape, Duration::from_secs(scale), 600);
                let mean = |of: &[Watched], what: fn(&Watched) -> u64| {
                    of.iter().map(what).sum::<u64>() / of.len() as u64
                };
                let (first, learned) = (&all[..16], &all[100..]);
                let most = learned.iter().map(|one| one.looks).max().unwrap_or_default();
                let percent: fn(&Watched) -> u64 =
                    |one| one.late.as_secs() * 100 / (one.over_by - one.late).as_secs();
                let late = learned.iter().map(percent).max().unwrap_or_default();
                table.push_str(&format!(
                    "{shape:>11} from {scale:>3} s: {:>2} looks before, then {:>2}, at most {most:>2}; \
                     {:>2}% late, at most {late:>2}%\n",
                    mean(first, |one| one.looks.into()),
                    mean(learned, |one| one.looks.into()),
                    mean(learned, percent),
                ));
                assert!(most <= 12, "{table}");
                let in_time = |one: &&Watched| one.late <= bound(one.over_by - one.late);
                let timely = learned.iter().filter(in_time).count();
                assert!(timely * 100 >= learned.len() * 97, "{timely} of {}", learned.len());
            }
        }
    }

    /// Looks at one target in which these operations begin at once: the earliest look that is due
    /// serves all.
    fn watch_together(all: &[(Duration, &Lengths)]) -> Vec<Duration> {
        let (mut at, mut looks) = (Duration::ZERO, Vec::new());
        while all.iter().any(|(length, _)| *length > at) {
            let moving = all.iter().filter(|(length, _)| *length > at);
            let pauses = moving.map(|(_, lengths)| pause(at, Some(lengths), SHORTEST, RESYNC));
            at += pauses.min().unwrap_or_default();
            looks.push(at);
        }
        looks
    }

    #[test]
    fn stacks_that_move_in_one_target_share_looks() {
        let scales = [30, 45, 60, 80, 120].map(Duration::from_secs);
        let known = scales.map(|scale| figures("uniform 1:2", scale, 600).1);
        for (first, second) in drawn(1).zip(drawn(2)).take(200) {
            let share = |scale: Duration| (first + second * scale.as_secs()) % 1_000;
            let lengths = scales.map(|scale| length("uniform 1:2", scale, share(scale)));
            let all: Vec<_> = lengths.into_iter().zip(&known).collect();
            let together = watch_together(&all);
            let apart: u32 = all.iter().map(|(length, known)| watch(*length, known).looks).sum();
            assert!(together.len() <= 24 && together.len() < apart as usize, "{together:?}");
            assert!(together.windows(2).all(|pair| pair[1] - pair[0] >= SHORTEST), "{together:?}");
            for length in lengths {
                let noticed = together.iter().find(|at| **at >= length).expect("noticed");
                assert!(*noticed - length <= bound(length), "{length:?}: {together:?}");
            }
        }
    }

    proptest! {
        /// Whatever was learned, an operation of a usual length is noticed in time; one of an
        /// unusual length at the latest when it is four times as old, or a ninth of the usual.
        #[test]
        fn what_lies_within_what_was_learned_is_noticed_in_time(
            ends in prop::collection::vec((5_000_u64..4_000_000, 1_u64..30), 1..6),
            length in 1_000_u64..10_000_000,
        ) {
            let mut lengths = Lengths::default();
            for (end, times) in ends {
                let end = Duration::from_millis(end);
                (0..times).for_each(|_| lengths.note(end, end + end / 20));
            }
            let length = Duration::from_millis(length);
            let usual = lengths.usual_from(length).is_none_or(|usual| usual == length);
            let watched = watch(length, &lengths);
            if usual || !lengths.is_learned() {
                prop_assert!(watched.late <= bound(length), "{watched:?}");
            }
            let first = lengths.usual_from(Duration::ZERO).unwrap_or_default() / FIRST;
            let most = bound(length).max(length * EACH).max(first);
            prop_assert!(watched.late <= most, "{watched:?}");
        }

        #[test]
        fn a_pause_lies_between_the_shortest_and_the_resync(
            age in 0_u64..200_000_000, end in 1_u64..100_000_000, times in 0_usize..40,
        ) {
            let mut lengths = Lengths::default();
            let end = Duration::from_millis(end);
            (0..times).for_each(|_| lengths.note(end, end + end / 20));
            let pause = pause(Duration::from_millis(age), Some(&lengths), SHORTEST, RESYNC);
            prop_assert!(pause >= SHORTEST && pause <= RESYNC, "{pause:?}");
        }
    }
}
