//! A revision comes in while a pass that began under the last one ends, on another thread.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Barrier};

use driftless::board::{Board, View};
use driftless::controller::checked;
use driftless::desired::Desired;
use driftless::ids::{StackId, Target};
use driftless::moment::Moment;
use driftless::outcome::LastWords;
use driftless::plan::Steering;

use crate::world::{World, key};

const ROUNDS: usize = 3_000;

fn desired(world: &World) -> Desired {
    let snapshot = world.settings().0.source.read().expect("a snapshot");
    checked(&snapshot).desired.expect("a fleet without errors")
}

/// A board on which `pass` and a new revision meet, `ROUNDS` times.
fn each_round(pass: impl Fn(&Board, &View, &Target) + Sync, check: impl Fn(&Board)) {
    let wanted = desired(&World::with_tenants(1));
    let target = key(1, "x").target;
    let meet = Barrier::new(2);
    for _ in 0..ROUNDS {
        let (desired, steering) = (Arc::new(wanted.clone()), Arc::new(Steering::default()));
        let last_words = Arc::new(LastWords::default());
        let basis = View { desired, steering, last_words: Arc::clone(&last_words) };
        let (news, _heard) = tokio::sync::mpsc::unbounded_channel();
        let board = Board::new(basis.clone(), BTreeSet::new(), false, news);
        let newer = Arc::new(wanted.clone());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                meet.wait();
                pass(&board, &basis, &target);
            });
            meet.wait();
            board.want(newer, last_words, &BTreeSet::from([target.clone()]));
            board.recall(&target, &[], &wanted);
        });
        check(&board);
    }
}

#[tokio::test]
async fn a_pass_that_ends_meanwhile_does_not_hide_that_its_target_changed() {
    each_round(
        |board, basis, target| board.passed(basis, target),
        |board| assert_eq!(board.standing(Moment::default()).unseen, 1),
    );
}

#[tokio::test]
async fn a_pass_that_ends_meanwhile_does_not_say_what_waits_to_be_deleted() {
    let waits = BTreeMap::from([(StackId::of("arn:a"), "t1".parse().expect("a name"))]);
    each_round(
        |board, basis, target| board.replace_waiting(basis, target, waits.clone()),
        |board| assert_eq!(board.waiting(), BTreeMap::new()),
    );
}
