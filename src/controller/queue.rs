//! Which target is handled next. An entry is only a name; the same target is never handled twice
//! at once, and nothing starves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ids::Target;
use crate::moment::Moment;
use crate::reconcile::{Class, Next};

/// By age, a target that has waited this long comes before a fresh one of the next class.
const AGEING: Duration = Duration::from_secs(60);
/// Every fourth take goes by age, whatever the class: nothing starves. The others go by class,
/// whatever the age: after an outage thousands are late, and what was merged must not wait for them.
const BY_AGE_EVERY: u64 = 4;
const CLASSES: [Class; 4] = [Class::Changed, Class::InFlight, Class::Failed, Class::Resync];

/// Targets by class and by when they are due. Time is passed in.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    entries: BTreeMap<Target, Next>,
    due: BTreeMap<Class, BTreeSet<(Moment, Target)>>,
    /// Targets that are being handled, with what was asked for meanwhile.
    running: BTreeMap<Target, Option<Next>>,
    /// How many were taken so far.
    taken: u64,
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

    /// The most urgent target that is due, which is now being handled. While it waits, at most
    /// `4n + 3` others are taken, where `n` of them are before it by age.
    pub fn take(&mut self, now: Moment) -> Option<Target> {
        let by_age = (self.taken + 1).is_multiple_of(BY_AGE_EVERY);
        let heads = CLASSES.into_iter().filter_map(|class| {
            let (at, target) = self.due.get(&class)?.first()?;
            let deadline = if by_age { deadline(class, *at) } else { Moment::default() };
            (*at <= now).then(|| (deadline, class, target.clone()))
        });
        let (_, _, target) = heads.min()?;
        self.taken += 1;
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

/// Each class has a head start of [`AGEING`] over the next.
fn deadline(class: Class, at: Moment) -> Moment {
    at + AGEING * class as u32
}

#[cfg(test)]
mod tests;
