//! The first line of a message: what, how many, how bad.

use std::time::Duration;

use crate::fleet::{Channel, Topic};
use crate::ids::Digest;
use crate::moment::Moment;
use crate::report::announcements::{Item, Message, Severity, Transition};
use crate::report::words::counted;

/// The first line of a message with these items, the worst of each transition first.
pub(super) fn headline(items: &[Item]) -> String {
    if let [only] = items {
        return alone(only);
    }
    let mut parts: Vec<String> = Vec::new();
    for transition in Transition::ALL {
        let all: Vec<&Item> = items.iter().filter(|item| item.transition == transition).collect();
        // What happened is the least of it.
        if !all.is_empty() && (transition != Transition::Happened || parts.is_empty()) {
            parts.push(together(transition, &all, parts.is_empty()));
        }
    }
    let worst = items.iter().find(|item| {
        matches!(item.transition, Transition::New | Transition::Worse | Transition::Still)
    });
    let worst = worst.map(|item| format!(": {}", item.title)).unwrap_or_default();
    format!("{}{worst}", parts.join(", "))
}

fn alone(item: &Item) -> String {
    let title = &item.title;
    match (item.transition, item.severity) {
        (Transition::New, Severity::Critical) => format!("Critical: {title}"),
        (Transition::New, Severity::Warning) => format!("Warning: {title}"),
        (Transition::New, Severity::Info) | (Transition::Happened, _) => title.clone(),
        (Transition::Worse, Severity::Critical) => format!("Worse, critical now: {title}"),
        (Transition::Worse, Severity::Warning | Severity::Info) => format!("Worse: {title}"),
        (Transition::Still, _) => format!("Still so: {title}"),
        // A question that is open no more was answered, or is none any more.
        (Transition::Resolved, _) if item.topic == Topic::Approval => format!("Settled: {title}"),
        (Transition::Resolved, _) => format!("Resolved: {title}"),
    }
}

/// `3 new problems (1 critical)`; only the first part says what they are.
fn together(transition: Transition, items: &[&Item], is_first: bool) -> String {
    let count = items.len();
    let critical = items.iter().filter(|item| item.severity == Severity::Critical).count();
    let critical = match critical {
        0 => String::new(),
        all if all == count => " (critical)".to_owned(),
        some => format!(" ({some} critical)"),
    };
    let things = if is_first { format!(" {}", things(items)) } else { String::new() };
    match transition {
        Transition::New => format!("{count} new{things}{critical}"),
        Transition::Worse => format!("{count}{things} got worse{critical}"),
        Transition::Still => format!("{count}{things} still there{critical}"),
        Transition::Resolved => format!("{count}{things} resolved"),
        Transition::Happened => {
            let newest = items.first().map_or("", |item| item.title.as_str());
            format!("{} went on: {newest}", counted(count, "rollout"))
        }
    }
}

/// What the items are called together.
fn things(items: &[&Item]) -> &'static str {
    let topic = items.first().map(|item| item.topic);
    let topic = topic.filter(|topic| items.iter().all(|item| item.topic == *topic));
    let (one, many) = match topic {
        Some(Topic::Drift) => ("kind of drift", "kinds of drift"),
        Some(Topic::Rollout) => ("halted rollout", "halted rollouts"),
        Some(Topic::Failure) => ("kind of failure", "kinds of failure"),
        Some(Topic::Revision) => ("problem with git", "problems with git"),
        Some(Topic::Approval) => ("question for you", "questions for you"),
        None => ("problem", "problems"),
    };
    if items.len() == 1 { one } else { many }
}

/// What `driftless notify test` sends.
pub fn test_message(fleet: &str, channel: &Channel, by: &str, now: Moment) -> Message {
    let topics: Vec<&str> = channel.on.iter().map(|topic| topic.word()).collect();
    let minutes = channel.digest.max(Duration::from_secs(60)).as_secs() / 60;
    let minutes = usize::try_from(minutes).unwrap_or(usize::MAX);
    let digest = counted(minutes, "minute");
    let key = Digest::of_parts([fleet.as_bytes(), channel.name.as_str().as_bytes(), by.as_bytes()]);
    let item = Item {
        key: "test".to_owned(),
        transition: Transition::Happened,
        topic: *channel.on.first().unwrap_or(&Topic::Failure),
        severity: Severity::Info,
        title: format!("This is a test that {by} asked for: this channel can be reached"),
        details: vec![
            format!("it is called `{}` and is told of: {}", channel.name, topics.join(", ")),
            format!("what is not urgent comes in one message every {digest}"),
        ],
        count: 1,
        see: "driftless notify test".to_owned(),
        since: now,
    };
    Message {
        key: format!("test-{}-{}", key.short(), now.as_millis()),
        fleet: fleet.to_owned(),
        severity: Severity::Info,
        title: item.title.clone(),
        items: vec![item],
        more: 0,
        dropped: 0,
        is_urgent: true,
        at: now,
    }
}
