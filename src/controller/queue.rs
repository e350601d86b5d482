//! Which target is handled next. An entry is only a name; the same target is never handled twice
//! at once, and nothing starves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ids::Target;
use crate::moment::Moment;
use crate::reconcile::{Class, Next};

/// A target that has waited this long is as urgent as a fresh one of the next class.
const AGEING: Duration = Duration::from_secs(60);
const CLASSES: [Class; 4] = [Class::Changed, Class::InFlight, Class::Failed, Class::Resync];

/// Targets by class and by when they are due. Time is passed in.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    entries: BTreeMap<Target, Next>,
    due: BTreeMap<Class, BTreeSet<(Moment, Target)>>,
    /// Targets that are being handled, with what was asked for meanwhile.
    running: BTreeMap<Target, Option<Next>>,
}

impl Queue {
    /// Asks for `target` to be handled. Of two entries for one target the sooner moment and the
    /// more urgent class count.
    pub fn add(&mut self, target: &Target, next: Next) {
        if let Some(again) = self.running.get_mut(target) {
            *again = Some(again.map_or(next, |before| merged(before, next)));
            return;
        }
        let before = self.remove(target);
        let next = before.map_or(next, |before| merged(before, next));
        self.due.entry(next.class).or_default().insert((next.at, target.clone()));
        self.entries.insert(target.clone(), next);
    }

    /// The most urgent target that is due, which is now being handled.
    pub fn take(&mut self, now: Moment) -> Option<Target> {
        let heads = CLASSES.into_iter().filter_map(|class| {
            let (at, target) = self.due.get(&class)?.first()?;
            (*at <= now).then(|| (urgency(class, *at, now), class, target.clone()))
        });
        let (_, _, target) = heads.min()?;
        self.remove(&target);
        self.running.insert(target.clone(), None);
        Some(target)
    }

    /// `target` has been handled and wants to be handled again at `next`; sooner if that was asked
    /// for meanwhile.
    pub fn finish(&mut self, target: &Target, next: Next) {
        let asked = self.running.remove(target).flatten();
        self.add(target, asked.map_or(next, |asked| merged(asked, next)));
    }

    /// When the next target is due.
    pub fn next_due(&self) -> Option<Moment> {
        self.due.values().filter_map(|due| Some(due.first()?.0)).min()
    }

    /// Whether nothing is handled or waits but targets of which nothing wrong is known.
    pub fn is_at_rest(&self) -> bool {
        let busy = |class: &Class| self.due.get(class).is_some_and(|due| !due.is_empty());
        self.running.is_empty() && !CLASSES[..3].iter().any(busy)
    }

    /// All targets that wait or are being handled.
    pub fn targets(&self) -> BTreeSet<Target> {
        self.entries.keys().chain(self.running.keys()).cloned().collect()
    }

    fn remove(&mut self, target: &Target) -> Option<Next> {
        let next = self.entries.remove(target)?;
        if let Some(due) = self.due.get_mut(&next.class) {
            due.remove(&(next.at, target.clone()));
        }
        Some(next)
    }
}

fn merged(a: Next, b: Next) -> Next {
    Next { at: a.at.min(b.at), class: a.class.min(b.class) }
}

/// Smaller is more urgent: each class has a head start of [`AGEING`] over the next.
fn urgency(class: Class, at: Moment, now: Moment) -> i128 {
    let start = AGEING.as_millis() * class as u128;
    let waited = now.since(at).as_millis();
    i128::try_from(start).unwrap_or(i128::MAX) - i128::try_from(waited).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(number: u64) -> Target {
        format!("{number:012}/eu-central-1").parse().expect("a target")
    }

    fn next(millis: u64, class: Class) -> Next {
        Next { at: Moment::from_millis(millis), class }
    }

    #[test]
    fn a_merged_tenant_overtakes_twenty_thousand_resyncs() {
        let mut queue = Queue::default();
        for number in 0..20_000 {
            queue.add(&target(number), next(1_000, Class::Resync));
        }
        queue.add(&target(30_000), next(2_000, Class::Changed));
        assert_eq!(queue.take(Moment::from_millis(2_000)), Some(target(30_000)));
    }

    #[test]
    fn no_class_starves() {
        let mut queue = Queue::default();
        queue.add(&target(1), next(0, Class::Resync));
        let mut now = 0;
        let resync_at = loop {
            queue.add(&target(2), next(now, Class::Changed));
            let taken = queue.take(Moment::from_millis(now)).expect("something is due");
            queue.finish(&taken, next(u64::MAX, Class::Resync));
            if taken == target(1) {
                break now;
            }
            now += 1_000;
        };
        assert!(resync_at <= 181_000, "{resync_at}");
    }

    #[test]
    fn what_is_asked_for_while_a_target_is_handled_is_not_lost() {
        let mut queue = Queue::default();
        queue.add(&target(1), next(0, Class::Resync));
        let taken = queue.take(Moment::from_millis(0)).expect("due");
        queue.add(&target(1), next(5, Class::Changed));
        assert_eq!(queue.take(Moment::from_millis(9)), None, "never twice at once");
        queue.finish(&taken, next(1_000_000, Class::Resync));
        assert_eq!(queue.take(Moment::from_millis(9)), Some(target(1)));
    }

    proptest! {
        #[test]
        fn no_wake_is_lost_and_no_target_runs_twice(
            moves in prop::collection::vec((0u64..5, 0u64..4, 0usize..4), 0..300),
        ) {
            let mut queue = Queue::default();
            let mut running = BTreeSet::new();
            let mut asked = BTreeSet::new();
            for (step, (number, what, class)) in moves.into_iter().enumerate() {
                let now = Moment::from_millis(step as u64);
                let target = target(number);
                match what {
                    0 | 1 => {
                        queue.add(&target, Next { at: now, class: CLASSES[class] });
                        asked.insert(target);
                    }
                    2 => {
                        if let Some(taken) = queue.take(now) {
                            prop_assert!(running.insert(taken.clone()), "twice at once");
                            asked.remove(&taken);
                        }
                    }
                    _ => {
                        if running.remove(&target) {
                            queue.finish(&target, next(u64::MAX, Class::Resync));
                        }
                    }
                }
            }
            for target in running {
                queue.finish(&target, next(u64::MAX, Class::Resync));
            }
            let end = Moment::from_millis(1_000_000);
            let mut due = BTreeSet::new();
            while let Some(taken) = queue.take(end) {
                due.insert(taken);
            }
            prop_assert_eq!(due, asked);
        }
    }
}
