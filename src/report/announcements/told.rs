//! What a channel was told and when, and what it is still to be told.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::moment::Moment;
use crate::report::announcements::{Condition, Item, Message, Severity, Topic, Transition};

/// What is remembered for one channel: more than this is not looked through by anybody.
const MAX_KNOWN: usize = 5_000;
/// When people hear again of what still holds: within the shift, in the next one, tomorrow, the day
/// after; by then it is known, and twice a week keeps it from being forgotten.
const REMINDERS: [Duration; 4] = [hours(4), hours(12), hours(24), hours(48)];
const LATER_REMINDERS: Duration = hours(96);
/// Reminders that would come soon anyway join one that is due: an eighth of their wait early.
const EARLY: u32 = 8;
/// The shortest pause between two urgent messages of one topic; each one that follows soon makes
/// the next pause four times as long, up to a digest's.
const URGENT_PAUSE: Duration = Duration::from_secs(60);
const URGENT_GROWTH: u32 = 4;

const fn hours(number: u64) -> Duration {
    Duration::from_secs(number * 3_600)
}

/// What one channel was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What holds, or was told and is not yet said to be over, by key.
    pub(super) known: BTreeMap<String, Known>,
    /// The number of the last happening that it was told.
    pub(super) heard: i64,
    /// When the last digest was made.
    pub(super) digest_at: Option<Moment>,
    urgent: BTreeMap<Topic, Pause>,
    /// When urgent news of a subject were told.
    recent: BTreeMap<String, Moment>,
    /// Messages that were dropped, and not yet said to have been.
    pub(super) dropped: usize,
}

/// What is known of one condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) topic: Topic,
    pub(super) severity: Severity,
    pub(super) title: String,
    pub(super) see: String,
    pub(super) count: usize,
    pub(super) is_urgent: bool,
    /// Since when it holds.
    pub(super) since: Moment,
    /// How it was told; `None` before it was.
    pub(super) telling: Option<Telling>,
    /// Since when it is clearly worse than it was told.
    worse_since: Option<Moment>,
    /// Since when it holds no more.
    gone_since: Option<Moment>,
}

/// How something was told last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Telling {
    at: Moment,
    severity: Severity,
    count: usize,
    pub(super) title: String,
    pub(super) reminders: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Pause {
    last: Moment,
    length: Duration,
}

impl Told {
    /// A channel that was told nothing, and of what happens from now on: `heard` is the number of
    /// the newest happening.
    pub fn from_now_on(heard: i64) -> Self {
        Self { heard, ..Self::default() }
    }

    /// The number of the last happening that it was told.
    pub fn heard(&self) -> i64 {
        self.heard
    }

    /// A message was dropped undelivered: what it said of things that hold is said again, and the
    /// next message says that one is missing.
    pub fn forget(&mut self, message: &Message) {
        self.dropped += 1 + message.dropped;
        for item in &message.items {
            match item.transition {
                Transition::New | Transition::Worse | Transition::Still => {
                    if let Some(known) = self.known.get_mut(&item.key) {
                        known.telling = None;
                    }
                }
                Transition::Resolved | Transition::Happened => {}
            }
        }
    }

    /// Notes what holds now.
    pub(super) fn look(&mut self, holding: &BTreeMap<&str, &Condition>, now: Moment) {
        self.forget_the_future(now);
        // Where there is no room for all, there is for the worst.
        let mut worst_first: Vec<_> = holding.iter().collect();
        worst_first.sort_by_key(|(_, condition)| Reverse(condition.severity));
        for (key, condition) in worst_first {
            let has_room = self.known.len() < MAX_KNOWN;
            match self.known.get_mut(*key) {
                Some(known) => known.update(condition, now),
                None if has_room => {
                    self.known.insert((*key).to_owned(), Known::of(condition, now));
                }
                None => {}
            }
        }
        // What came and went untold is nobody's business.
        self.known
            .retain(|key, known| holding.contains_key(key.as_str()) || known.telling.is_some());
        for (key, known) in &mut self.known {
            if !holding.contains_key(key.as_str()) {
                known.gone_since.get_or_insert(now);
            }
        }
    }

    /// A clock that was wrong may have written moments that are still to come: nothing waits for them.
    fn forget_the_future(&mut self, now: Moment) {
        self.digest_at = self.digest_at.filter(|at| *at <= now);
        self.urgent.retain(|_, pause| pause.last <= now);
        self.recent.retain(|_, at| *at <= now);
        for known in self.known.values_mut() {
            known.since = known.since.min(now);
            known.worse_since = known.worse_since.map(|at| at.min(now));
            known.gone_since = known.gone_since.map(|at| at.min(now));
            if let Some(telling) = &mut known.telling {
                telling.at = telling.at.min(now);
            }
        }
    }

    /// Forgets what was over and is replaced by another of its subject: a refused revision that
    /// gives way to the next is no good news.
    pub(super) fn replace(&mut self, holding: &BTreeMap<&str, &Condition>) {
        let subjects: Vec<&str> =
            holding.keys().filter(|key| key.contains('#')).map(|key| subject(key)).collect();
        self.known.retain(|key, known| {
            known.gone_since.is_none() || !key.contains('#') || !subjects.contains(&subject(key))
        });
    }

    /// Whether urgent news of this topic may go out now.
    pub(super) fn may_hurry(&self, topic: Topic, now: Moment) -> bool {
        self.urgent.get(&topic).is_none_or(|pause| now.since(pause.last) >= pause.length)
    }

    /// Whether urgent news of the subject of `key` were told within a digest's length.
    pub(super) fn is_recent(&self, key: &str, digest: Duration, now: Moment) -> bool {
        self.recent.get(subject(key)).is_some_and(|at| now.since(*at) < digest)
    }

    /// Urgent news of these keys were told.
    pub(super) fn hurried(&mut self, items: &[Item], digest: Duration, now: Moment) {
        self.recent.retain(|_, at| now.since(*at) < digest);
        for item in items {
            self.recent.insert(subject(&item.key).to_owned(), now);
            let pause = self
                .urgent
                .entry(item.topic)
                .or_insert(Pause { last: Moment::default(), length: Duration::ZERO });
            if pause.last == now {
                continue;
            }
            let is_soon = now.since(pause.last) < digest + pause.length;
            let longer = (pause.length * URGENT_GROWTH).min(digest);
            pause.length = if is_soon { longer.max(URGENT_PAUSE) } else { URGENT_PAUSE };
            pause.last = now;
        }
    }

    /// What was said counts as told.
    pub(super) fn mark(&mut self, item: &Item, now: Moment) {
        let Some(known) = self.known.get_mut(&item.key) else { return };
        match item.transition {
            Transition::New | Transition::Worse => {
                known.worse_since = None;
                known.telling = Some(Telling {
                    at: now,
                    severity: known.severity,
                    count: known.count,
                    title: known.title.clone(),
                    reminders: 0,
                });
            }
            Transition::Still => {
                if let Some(telling) = &mut known.telling {
                    telling.remind(now);
                }
            }
            Transition::Resolved => drop(self.known.remove(&item.key)),
            Transition::Happened => {}
        }
    }
}

/// What tells one thing apart from others that do not take its place.
fn subject(key: &str) -> &str {
    key.split_once('#').map_or(key, |(subject, _)| subject)
}

impl Known {
    fn of(condition: &Condition, now: Moment) -> Self {
        Self {
            topic: condition.topic,
            severity: condition.severity,
            title: condition.title.clone(),
            see: condition.see.clone(),
            count: condition.count,
            is_urgent: condition.is_urgent,
            since: condition.since.min(now),
            telling: None,
            worse_since: None,
            gone_since: None,
        }
    }

    fn update(&mut self, condition: &Condition, now: Moment) {
        self.severity = condition.severity;
        self.title.clone_from(&condition.title);
        self.see.clone_from(&condition.see);
        self.count = condition.count;
        self.is_urgent = condition.is_urgent;
        self.gone_since = None;
        let is_worse = self.telling.as_ref().is_some_and(|told| {
            condition.severity > told.severity || condition.count >= told.count.max(1) * 2
        });
        match is_worse {
            true => drop(self.worse_since.get_or_insert(now)),
            false => self.worse_since = None,
        }
    }

    /// What there is to tell of it, and since when.
    pub(super) fn news(&self) -> Option<(Transition, Moment)> {
        match (&self.telling, self.gone_since, self.worse_since) {
            (None, ..) => Some((Transition::New, self.since)),
            (Some(_), Some(gone), _) => Some((Transition::Resolved, gone)),
            (Some(_), None, Some(worse)) => Some((Transition::Worse, worse)),
            (Some(_), None, None) => None,
        }
    }

    /// Whether people are to be reminded of it: now, or together with others.
    pub(super) fn reminder(&self, now: Moment) -> Option<Reminder> {
        let telling = self.telling.as_ref().filter(|_| self.severity > Severity::Info)?;
        let (next, wait) = telling.next_reminder();
        if next <= now {
            Some(Reminder::Due)
        } else {
            (next.since(now) <= wait / EARLY).then_some(Reminder::Joins)
        }
    }
}

/// When people are reminded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reminder {
    /// Now.
    Due,
    /// Soon, and now if others are due.
    Joins,
}

impl Telling {
    /// When the next reminder is due, and how long that is after the last.
    fn next_reminder(&self) -> (Moment, Duration) {
        let after = |number: u32| match REMINDERS.get(number as usize) {
            Some(length) => *length,
            None => hours(48) + LATER_REMINDERS * (number.saturating_sub(3)),
        };
        let before = self.reminders.checked_sub(1).map_or(Duration::ZERO, after);
        let next = after(self.reminders);
        (self.at + next, next.saturating_sub(before))
    }

    fn remind(&mut self, now: Moment) {
        self.reminders += 1;
        // Those that a long stop left behind are not made up for.
        while self.next_reminder().0 <= now {
            self.reminders += 1;
        }
    }
}
