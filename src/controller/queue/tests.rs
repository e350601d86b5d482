//! The queue beside a plain list that is obviously right, and what the list cannot show.

use super::*;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

fn target(number: u64) -> Target {
    format!("{number:012}/eu-central-1").parse().expect("a target")
}

fn at(millis: u64) -> Moment {
    Moment::from_millis(millis)
}

fn next(millis: u64, class: Class) -> Next {
    Next { at: at(millis), class }
}

/// How many takes from now on come before `wanted`.
fn takes_before(queue: &mut Queue, wanted: &Target, now: Moment) -> usize {
    let taken = std::iter::from_fn(|| queue.take(now));
    taken.take_while(|target| target != wanted).count()
}

#[test]
fn a_merged_tenant_overtakes_twenty_thousand_resyncs() {
    let mut queue = Queue::default();
    for number in 0..20_000 {
        queue.add(&target(number), next(1_000, Class::Resync));
    }
    queue.add(&target(30_000), next(2_000, Class::Changed));
    assert_eq!(queue.take(at(2_000)), Some(target(30_000)));
}

#[test]
fn a_merged_tenant_overtakes_resyncs_that_are_an_hour_late() {
    let mut queue = Queue::default();
    for number in 0..20_000 {
        queue.add(&target(number), next(0, Class::Resync));
    }
    let now = at(3_600_000);
    queue.add(&target(30_000), Next { at: now, class: Class::Changed });
    let before = takes_before(&mut queue, &target(30_000), now);
    assert!(before <= 1, "{before}");
}

/// The bound that `take` promises, where nothing that comes later is before it by age.
#[test]
fn no_class_starves_in_a_flood_that_grows_faster_than_it_is_handled() {
    for class in &CLASSES[1..] {
        let mut queue = Queue::default();
        queue.add(&target(0), next(0, *class));
        let head_start = AGEING.as_secs() * *class as u64;
        let before_it_by_age = 2 * head_start;
        let most = 4 * before_it_by_age + 3;
        let taken_at = (0..).find(|second| {
            let now = at(second * 1_000);
            for number in [2 * second + 1, 2 * second + 2] {
                queue.add(&target(number), Next { at: now, class: Class::Changed });
            }
            queue.take(now) == Some(target(0))
        });
        let taken_at = taken_at.expect("taken");
        assert!(taken_at >= head_start && taken_at <= most, "{class:?}: {taken_at}, {most}");
    }
}

#[test]
fn what_is_asked_for_while_a_target_is_handled_is_not_lost() {
    let mut queue = Queue::default();
    queue.add(&target(1), next(0, Class::Resync));
    let taken = queue.take(at(0)).expect("due");
    queue.add(&target(1), next(5, Class::Changed));
    assert_eq!(queue.take(at(9)), None, "never twice at once");
    queue.finish(&taken, next(1_000_000, Class::Resync));
    assert_eq!(queue.take(at(9)), Some(target(1)));
}

/// What a target was asked for, and how often others were taken while it was due.
#[derive(Clone, Debug)]
struct Asked {
    target: Target,
    next: Next,
    overtaken: usize,
    /// Of these, the ones that are before it by age.
    by_elders: usize,
}

impl Asked {
    fn age(&self) -> (Moment, Class, Target) {
        let head_start = [0, 60, 120, 180][self.next.class as usize];
        let deadline = self.next.at + Duration::from_secs(head_start);
        (deadline, self.next.class, self.target.clone())
    }
}

/// What the queue shall be: lists, and no thought of speed.
#[derive(Debug, Default)]
struct Model {
    waiting: Vec<Asked>,
    running: Vec<(Target, Vec<Next>)>,
    taken: usize,
}

impl Model {
    fn add(&mut self, target: &Target, next: Next) {
        if let Some((_, meanwhile)) = self.running.iter_mut().find(|(other, _)| other == target) {
            meanwhile.push(next);
            return;
        }
        match self.waiting.iter_mut().find(|asked| &asked.target == target) {
            Some(asked) => asked.next = soonest(&[asked.next, next]),
            None => self.waiting.push(Asked {
                target: target.clone(),
                next,
                overtaken: 0,
                by_elders: 0,
            }),
        }
    }

    fn take(&mut self, now: Moment) -> Option<Target> {
        let mut due: Vec<Asked> = self.waiting.clone();
        due.retain(|asked| asked.next.at <= now);
        if self.taken % 4 == 3 {
            due.sort_by_key(Asked::age);
        } else {
            due.sort_by_key(|asked| (asked.next.class, asked.next.at, asked.target.clone()));
        }
        let first = due.first()?.clone();
        self.taken += 1;
        self.waiting.retain(|asked| asked.target != first.target);
        for other in self.waiting.iter_mut().filter(|asked| asked.next.at <= now) {
            other.overtaken += 1;
            other.by_elders += usize::from(first.age() < other.age());
        }
        self.running.push((first.target.clone(), Vec::new()));
        Some(first.target)
    }

    fn finish(&mut self, target: &Target, next: Next) {
        let index = self.running.iter().position(|(other, _)| other == target).expect("runs");
        let (_, mut meanwhile) = self.running.remove(index);
        meanwhile.push(next);
        self.add(target, soonest(&meanwhile));
    }
}

fn soonest(asked: &[Next]) -> Next {
    let at = asked.iter().map(|next| next.at).min().expect("some");
    let class = asked.iter().map(|next| next.class).min().expect("some");
    Next { at, class }
}

/// A step of whoever uses the queue.
#[derive(Clone, Copy, Debug)]
enum Move {
    Add { target: u64, later: i64, class: usize },
    Take,
    Finish { nth: usize, later: i64, class: usize },
    Pass { millis: u64 },
}

fn moves() -> impl Strategy<Value = Move> {
    // At once, overdue, soon, at a resync, never.
    let later = prop::sample::select(vec![0, 0, -1_000, -90_000, 5_000, 60_000, 600_000, i64::MAX]);
    let millis = prop::sample::select(vec![1, 250, 5_000, 30_000, 60_000, 300_000]);
    let add = (0_u64..8, later.clone(), 0_usize..4);
    prop_oneof![
        4 => add.prop_map(|(target, later, class)| Move::Add { target, later, class }),
        4 => Just(Move::Take),
        3 => (0_usize..8, later, 0_usize..4)
            .prop_map(|(nth, later, class)| Move::Finish { nth, later, class }),
        1 => millis.prop_map(|millis| Move::Pass { millis }),
    ]
}

/// Does `step` to both, and compares all that can be seen of them.
fn step(queue: &mut Queue, model: &mut Model, now: &mut Moment, step: Move) -> TestCaseResult {
    let asked = |later: i64, class: usize| {
        let at = now.as_millis().saturating_add_signed(later);
        Next { at: Moment::from_millis(at), class: CLASSES[class] }
    };
    match step {
        Move::Add { target: number, later, class } => {
            queue.add(&target(number), asked(later, class));
            model.add(&target(number), asked(later, class));
        }
        Move::Take => {
            let runs: Vec<Target> =
                model.running.iter().map(|(target, _)| target.clone()).collect();
            let taken = queue.take(*now);
            prop_assert!(taken.iter().all(|target| !runs.contains(target)), "twice at once");
            prop_assert_eq!(taken, model.take(*now));
        }
        Move::Finish { nth, later, class } if nth < model.running.len() => {
            let target = model.running[nth].0.clone();
            queue.finish(&target, asked(later, class));
            model.finish(&target, asked(later, class));
        }
        Move::Finish { .. } => {}
        Move::Pass { millis } => *now = *now + Duration::from_millis(millis),
    }
    let (waiting, running) = (&model.waiting, &model.running);
    prop_assert_eq!(queue.next_due(), waiting.iter().map(|asked| asked.next.at).min());
    let quiet = waiting.iter().all(|asked| asked.next.class == Class::Resync);
    prop_assert_eq!(queue.is_at_rest(), running.is_empty() && quiet);
    let waits = waiting.iter().map(|asked| &asked.target);
    let all: BTreeSet<Target> = waits.chain(running.iter().map(|one| &one.0)).cloned().collect();
    prop_assert_eq!(queue.targets(), all);
    for Asked { overtaken, by_elders, target, .. } in waiting {
        prop_assert!(*overtaken <= 4 * by_elders + 3, "{target}: {overtaken}, {by_elders}");
    }
    Ok(())
}

proptest! {
    /// `PROPTEST_CASES` says how many sequences.
    #[test]
    fn the_queue_does_what_a_plain_list_does(moves in prop::collection::vec(moves(), 0..200)) {
        let (mut queue, mut model) = (Queue::default(), Model::default());
        let mut now = at(1_000_000);
        for one in moves {
            step(&mut queue, &mut model, &mut now, one)?;
        }
        // Whatever was asked for is handled in the end, each target once.
        while !model.running.is_empty() {
            let never = Move::Finish { nth: 0, later: i64::MAX, class: 3 };
            step(&mut queue, &mut model, &mut now, never)?;
        }
        let due = model.waiting.iter().filter(|asked| asked.next.at <= now).count();
        for _ in 0..=due {
            step(&mut queue, &mut model, &mut now, Move::Take)?;
        }
        prop_assert_eq!(model.running.len(), due);
    }
}
