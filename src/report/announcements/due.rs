//! What a channel is to be told now: what appeared, got clearly worse or was resolved, and what
//! still holds after a long time. Urgent news go at once, all others with a digest.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::fleet::Channel;
use crate::ids::Digest;
use crate::moment::Moment;
use crate::report::announcements::headline::headline;
use crate::report::announcements::told::{Known, Reminder};
use crate::report::announcements::{
    Condition, Happening, Item, Message, Severity, Told, Transition,
};
use crate::report::words::span;

/// Items that are kept in a message; further ones are counted. No chat shows so many.
const MAX_ITEMS: usize = 100;
/// Lines of an item, and characters of a line, that are kept.
const MAX_LINES: usize = 12;
const MAX_LINE: usize = 600;
/// What was urgent is over when it has been for so long.
const SETTLED: Duration = Duration::from_secs(60);

/// What is so, for all channels.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The fleet's name.
    pub fleet: &'a str,
    /// All that holds.
    pub conditions: &'a [Condition],
    /// What happened, by number, the oldest first: all that a channel may not have heard.
    pub happenings: &'a [(i64, Happening)],
    /// Now.
    pub now: Moment,
}

/// The messages that are due for a channel, which count as told from here on: two at most, and
/// however much is new.
pub fn due(channel: &Channel, told: &mut Told, facts: &Facts<'_>) -> Vec<Message> {
    told.known.retain(|_, known| channel.on.contains(&known.topic));
    let conditions = facts.conditions.iter().filter(|one| channel.on.contains(&one.topic));
    let holding: BTreeMap<&str, &Condition> =
        conditions.map(|condition| (condition.key.as_str(), condition)).collect();
    told.look(&holding, facts.now);
    told.replace(&holding);
    let mut messages = Vec::new();
    let urgent = urgent(channel, told, &holding, facts.now);
    if !urgent.is_empty() {
        told.hurried(&urgent, channel.digest, facts.now);
        messages.push(message(channel, told, facts, urgent, true));
    }
    let digest = digest(channel, told, &holding, facts);
    if !digest.is_empty() {
        told.digest_at = Some(facts.now);
        messages.push(message(channel, told, facts, digest, false));
    }
    messages
}

fn urgent(
    channel: &Channel,
    told: &Told,
    holding: &BTreeMap<&str, &Condition>,
    now: Moment,
) -> Vec<Item> {
    let mut items = Vec::new();
    for (key, known) in told.known.iter().filter(|(_, known)| known.is_urgent) {
        let Some((transition, since)) = known.news() else { continue };
        let is_ripe = match transition {
            Transition::New | Transition::Worse => !told.is_recent(key, channel.digest, now),
            Transition::Resolved => now.since(since) >= SETTLED,
            Transition::Still | Transition::Happened => false,
        };
        if is_ripe && told.may_hurry(known.topic, now) {
            items.push(item(key, known, transition, holding, now));
        }
    }
    items
}

/// What has been so for this part of a digest's length goes with a digest that is made anyway.
const JOINS: u32 = 4;

/// What has been so for a whole digest's length, if the last digest is as long ago.
fn digest(
    channel: &Channel,
    told: &mut Told,
    holding: &BTreeMap<&str, &Condition>,
    facts: &Facts<'_>,
) -> Vec<Item> {
    let (now, length) = (facts.now, channel.digest);
    if told.digest_at.is_some_and(|at| now.since(at) < length) {
        return Vec::new();
    }
    let (mut items, mut joining, mut nearly) = (Vec::new(), Vec::new(), Vec::new());
    for (key, known) in &told.known {
        match (known.news(), known.reminder(now)) {
            (Some((transition, since)), _) if now.since(since) >= length => {
                items.push(item(key, known, transition, holding, now));
            }
            // What comes with others need not have been so for as long.
            (Some((transition, since)), _) if now.since(since) >= length / JOINS => {
                nearly.push(item(key, known, transition, holding, now));
            }
            (Some(_), _) | (None, None) => {}
            (None, Some(Reminder::Due)) => {
                items.push(item(key, known, Transition::Still, holding, now));
            }
            (None, Some(Reminder::Joins)) => {
                joining.push(item(key, known, Transition::Still, holding, now));
            }
        }
    }
    if items.iter().any(|item| item.transition == Transition::Still) {
        items.append(&mut joining);
    }
    if items.iter().any(|item| item.transition != Transition::Still) {
        items.append(&mut nearly);
    }
    let unheard = facts.happenings.iter().filter(|(number, _)| *number > told.heard);
    let unheard: Vec<&(i64, Happening)> = unheard.collect();
    let wanted: Vec<&Happening> = unheard
        .iter()
        .map(|(_, happening)| happening)
        .filter(|happening| channel.on.contains(&happening.topic))
        .collect();
    if !items.is_empty() || wanted.iter().any(|one| now.since(one.at) >= length) {
        items.extend(latest(&wanted).into_iter().map(happened));
        told.heard = unheard.last().map_or(told.heard, |(number, _)| *number);
    }
    items
}

fn item(
    key: &str,
    known: &Known,
    transition: Transition,
    holding: &BTreeMap<&str, &Condition>,
    now: Moment,
) -> Item {
    let mut details = Vec::new();
    if transition == Transition::Resolved {
        details.push(format!("it was so for {}", span(now.since(known.since))));
    }
    if let (Transition::Worse, Some(before)) = (transition, &known.telling) {
        details.push(format!("before: {}", before.title));
    }
    if transition == Transition::Still {
        details.push(format!("it has been so for {}", span(now.since(known.since))));
    }
    details.extend(holding.get(key).into_iter().flat_map(|one| one.details.iter().cloned()));
    let title = match (transition, &known.telling) {
        // What is over is called as people know it.
        (Transition::Resolved, Some(telling)) => telling.title.clone(),
        (_, _) => known.title.clone(),
    };
    Item {
        key: key.to_owned(),
        transition,
        topic: known.topic,
        severity: known.severity,
        title,
        details,
        count: known.count,
        see: known.see.clone(),
        since: known.since,
    }
}

/// The last step of each rollout: what came before it within a digest is no news any more.
fn latest<'a>(happenings: &[&'a Happening]) -> Vec<&'a Happening> {
    let of = |one: &'a Happening| one.key.rsplit_once('/').map_or(one.key.as_str(), |(of, _)| of);
    let last: BTreeMap<&str, &Happening> = happenings.iter().map(|one| (of(one), *one)).collect();
    last.into_values().collect()
}

fn happened(happening: &Happening) -> Item {
    Item {
        key: happening.key.clone(),
        transition: Transition::Happened,
        topic: happening.topic,
        severity: Severity::Info,
        title: happening.title.clone(),
        details: happening.details.clone(),
        count: 1,
        see: happening.see.clone(),
        since: happening.at,
    }
}

fn message(
    channel: &Channel,
    told: &mut Told,
    facts: &Facts<'_>,
    mut items: Vec<Item>,
    is_urgent: bool,
) -> Message {
    items.sort_by(|a, b| {
        let order = |item: &Item| (item.transition, std::cmp::Reverse((item.severity, item.count)));
        let newest = match a.transition {
            Transition::Happened => b.since.cmp(&a.since),
            Transition::New | Transition::Worse | Transition::Still | Transition::Resolved => {
                Ordering::Equal
            }
        };
        order(a).cmp(&order(b)).then(newest).then_with(|| a.key.cmp(&b.key))
    });
    let key = key(channel, told, facts, &items);
    items.iter().for_each(|item| told.mark(item, facts.now));
    let open = items.iter().filter(|item| item.transition != Transition::Resolved);
    let severity = open.map(|item| item.severity).max().unwrap_or(Severity::Info);
    let title = shortened(&headline(&items));
    let more = items.len().saturating_sub(MAX_ITEMS);
    items.truncate(MAX_ITEMS);
    items.iter_mut().for_each(shorten);
    Message {
        key,
        fleet: facts.fleet.to_owned(),
        severity,
        title,
        items,
        more,
        dropped: std::mem::take(&mut told.dropped),
        is_urgent,
        at: facts.now,
    }
}

/// Made of what happened only, not of when it is told or by whom.
fn key(channel: &Channel, told: &Told, facts: &Facts<'_>, items: &[Item]) -> String {
    let mut parts = vec![facts.fleet.to_owned(), channel.name.to_string()];
    for item in items {
        let telling = told.known.get(&item.key).and_then(|known| known.telling.as_ref());
        let turn = match item.transition {
            Transition::Worse => item.count as u64,
            Transition::Still => telling.map_or(0, |told| u64::from(told.reminders)),
            Transition::New | Transition::Resolved | Transition::Happened => 0,
        };
        let (word, since) = (item.transition.word(), item.since.as_millis());
        parts.push(format!("{} {word} {since} {turn} {}", item.key, item.severity));
    }
    hex::encode(&Digest::of_parts(parts.iter().map(String::as_bytes)).as_bytes()[..16])
}

fn shorten(item: &mut Item) {
    item.title = shortened(&item.title);
    let more = item.details.len().saturating_sub(MAX_LINES);
    item.details.truncate(MAX_LINES);
    item.details.iter_mut().for_each(|line| *line = shortened(line));
    if more > 0 {
        item.details.push(format!("and {more} more lines"));
    }
}

fn shortened(line: &str) -> String {
    if line.chars().count() <= MAX_LINE {
        return line.to_owned();
    }
    let kept: String = line.chars().take(MAX_LINE - 1).collect();
    format!("{}…", kept.trim_end())
}
