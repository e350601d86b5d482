//! What is said when, over hours and days of one channel.

use std::time::Duration;

use super::*;
use crate::fleet::{Channel, Receiver, Secret};

const START: Moment = Moment::from_millis(1_795_465_260_000);
const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

pub(crate) fn channel() -> Channel {
    Channel {
        name: "slack-1".parse().expect("a name"),
        receiver: Receiver::Slack { url: Secret::Environment("HOOK".to_owned()) },
        on: Topic::ALL.into_iter().map(|(_, topic)| topic).collect(),
        digest: Duration::from_secs(15 * MINUTE),
    }
}

fn after(seconds: u64) -> Moment {
    START + Duration::from_secs(seconds)
}

/// Stacks that are stuck for one cause, from some second on.
fn failing(key: &str, count: usize, from: u64) -> Condition {
    Condition {
        key: key.to_owned(),
        topic: Topic::Failure,
        severity: Severity::Warning,
        is_urgent: false,
        title: format!("{count} stacks fail for {key}"),
        details: vec!["cause: x".to_owned()],
        count,
        see: "driftless status".to_owned(),
        since: after(from),
    }
}

fn urgent(key: &str, from: u64) -> Condition {
    Condition { severity: Severity::Critical, is_urgent: true, ..failing(key, 1, from) }
}

/// What a channel hears from second 0 to `until`, looked at every ten seconds: `second: title`.
fn heard(until: u64, holding: impl Fn(u64) -> Vec<Condition>) -> Vec<String> {
    let mut told = Told::default();
    hear(&mut told, until, holding)
        .iter()
        .map(|(at, said)| format!("{at}: {}", said.title))
        .collect()
}

fn hear(
    told: &mut Told,
    until: u64,
    holding: impl Fn(u64) -> Vec<Condition>,
) -> Vec<(u64, Message)> {
    let mut said = Vec::new();
    for second in (0..=until).step_by(10) {
        let conditions = holding(second);
        let facts =
            Facts { fleet: "gloves", conditions: &conditions, happenings: &[], now: after(second) };
        said.extend(due(&channel(), told, &facts).into_iter().map(|message| (second, message)));
    }
    said
}

fn while_within(second: u64, from: u64, to: u64, condition: Condition) -> Vec<Condition> {
    if (from..to).contains(&second) { vec![condition] } else { Vec::new() }
}

#[test]
fn what_holds_is_said_once_and_said_to_be_over() {
    let said =
        heard(4 * HOUR - 10, |second| while_within(second, 60, 2 * HOUR, failing("a", 3, 60)));
    assert_eq!(said, ["960: Warning: 3 stacks fail for a", "8100: Resolved: 3 stacks fail for a"]);
}

#[test]
fn what_came_and_went_within_a_digest_is_not_said() {
    let said = heard(DAY, |second| {
        // Over and over, and never for a whole digest.
        let from = second / 1_800 * 1_800;
        while_within(second, from, from + 890, failing("a", 3, from))
    });
    assert_eq!(said, [""; 0]);
}

#[test]
fn what_is_urgent_is_said_at_once_and_so_is_its_end() {
    let said = heard(HOUR, |second| while_within(second, 100, 600, urgent("a", 100)));
    assert_eq!(said, ["100: Critical: 1 stacks fail for a", "660: Resolved: 1 stacks fail for a"]);
}

#[test]
fn what_is_urgent_again_and_again_does_not_ring_each_time() {
    let said = heard(6 * HOUR, |second| {
        let from = second / 240 * 240;
        while_within(second, from, from + 120, urgent("a", from))
    });
    let an_hour = said.len().div_ceil(6);
    assert!(an_hour <= 8, "{said:#?}");
}

#[test]
fn two_thousand_at_once_are_a_few_messages() {
    let many = |is_urgent| {
        move |second: u64| {
            let all = (0..if second < 100 { 0 } else { 2_000 }).map(move |number| {
                let condition = failing(&format!("cause-{number:04}"), 1 + number % 40, 100);
                Condition { is_urgent, ..condition }
            });
            all.collect::<Vec<_>>()
        }
    };
    for is_urgent in [false, true] {
        let said = heard(50 * MINUTE, many(is_urgent));
        assert_eq!(said.len(), 1, "{said:#?}");
        assert!(said[0].contains("2000 new kinds of failure"), "{said:#?}");
    }
}

#[test]
fn what_trickles_in_is_a_few_messages_as_well() {
    let mut told = Told::default();
    let said = hear(&mut told, 15 * MINUTE, |second| {
        let so_far = 2_000 * second / 900;
        (0..so_far).map(|number| urgent(&format!("cause-{number}"), number * 900 / 2_000)).collect()
    });
    assert!(said.len() <= 3, "{:#?}", said.iter().map(|(at, _)| at).collect::<Vec<_>>());
}

#[test]
fn only_twice_as_many_or_more_severe_is_worse() {
    let grown = |severity, count| Condition { severity, ..failing("a", count, 0) };
    let said = heard(3 * HOUR, |second| {
        vec![match second {
            ..3_600 => grown(Severity::Warning, 10),
            3_600..5_400 => grown(Severity::Warning, 19),
            5_400..7_200 => grown(Severity::Warning, 20),
            _ => grown(Severity::Critical, 20),
        }]
    });
    assert_eq!(
        said,
        [
            "900: Warning: 10 stacks fail for a",
            "6300: Worse: 20 stacks fail for a",
            "8100: Worse, critical now: 20 stacks fail for a"
        ]
    );
}

#[test]
fn what_still_holds_is_said_again_at_growing_distance() {
    let said = heard(11 * DAY, |_| vec![failing("a", 2, 0)]);
    let hours = |line: &String| {
        let second: u64 = line.split(':').next().expect("a second").parse().expect("a number");
        second as f64 / HOUR as f64
    };
    let at: Vec<f64> = said.iter().map(hours).collect();
    assert_eq!(at, [0.25, 4.25, 12.25, 24.25, 48.25, 144.25, 240.25], "{said:#?}");
    assert_eq!(said[1], "15300: Still so: 2 stacks fail for a");
}

#[test]
fn a_second_bad_revision_takes_the_place_of_the_first() {
    let refused = |revision: &str, from| Condition {
        topic: Topic::Revision,
        ..urgent(&format!("revision#{revision}"), from)
    };
    let said = heard(3 * HOUR, |second| match second {
        ..3_600 => vec![refused("aaa", 0)],
        3_600..7_200 => vec![refused("bbb", 3_600)],
        _ => Vec::new(),
    });
    assert_eq!(
        said,
        [
            "0: Critical: 1 stacks fail for revision#aaa",
            "3600: Critical: 1 stacks fail for revision#bbb",
            "7260: Resolved: 1 stacks fail for revision#bbb"
        ]
    );
}

#[test]
fn the_same_news_have_the_same_key_in_every_process_and_others_another() {
    let holding = |second| match second {
        ..3_600 => vec![failing("a", 3, 0), urgent("b", 0)],
        3_600..9_000 => vec![failing("a", 7, 0)],
        _ => Vec::new(),
    };
    let keys = |told: &mut Told| -> Vec<String> {
        hear(told, 5 * HOUR, holding).into_iter().map(|(_, message)| message.key).collect()
    };
    let (one, other) = (keys(&mut Told::default()), keys(&mut Told::default()));
    assert_eq!(one, other);
    assert_eq!(one.len(), 5, "new, urgent, resolved, worse, resolved");
    let distinct: std::collections::BTreeSet<_> = one.iter().collect();
    assert_eq!(distinct.len(), one.len());
}

#[test]
fn a_channel_hears_only_of_its_topics_and_nothing_is_resolved_by_leaving_one_out() {
    let mut told = Told::default();
    let conditions = [failing("a", 3, 0)];
    let at = |second| Facts {
        fleet: "gloves",
        conditions: &conditions,
        happenings: &[],
        now: after(second),
    };
    let deaf = Channel { on: [Topic::Drift].into(), ..channel() };
    assert_eq!(due(&deaf, &mut told, &at(2_000)), []);
    assert_eq!(due(&channel(), &mut told, &at(4_000)).len(), 1);
    for second in [6_000, 8_000, 10_000] {
        assert_eq!(due(&deaf, &mut told, &at(second)), []);
    }
}

#[test]
fn what_happened_is_said_once_with_the_next_digest() {
    let happening = |number: i64, at| {
        (
            number,
            Happening {
                key: format!("rollout/api-{}/step-{number}", number % 2),
                topic: Topic::Rollout,
                title: format!("step {number}"),
                details: Vec::new(),
                see: "driftless rollout show api".to_owned(),
                at: after(at),
            },
        )
    };
    let happenings = [happening(3, 0), happening(4, 100), happening(5, 200), happening(6, 900)];
    let mut told = Told::from_now_on(3);
    let mut said = Vec::new();
    for second in (0..7_200).step_by(10) {
        let so_far: Vec<_> =
            happenings.iter().filter(|(_, one)| one.at <= after(second)).cloned().collect();
        let facts =
            Facts { fleet: "gloves", conditions: &[], happenings: &so_far, now: after(second) };
        let messages = due(&channel(), &mut told, &facts);
        said.extend(messages.into_iter().map(|one| (second, one.title, one.items.len())));
    }
    assert_eq!(said, [(1_000, "2 rollouts went on: step 6".to_owned(), 2)]);
}

#[test]
fn what_a_dropped_message_said_is_said_again_if_it_still_holds() {
    let mut told = Told::default();
    let said = hear(&mut told, 1_000, |_| vec![failing("a", 3, 0)]);
    told.forget(&said[0].1);
    let conditions = [failing("a", 3, 0)];
    let mut again = Vec::new();
    for second in (1_010..3_600).step_by(10) {
        let now = after(second);
        let facts = Facts { fleet: "gloves", conditions: &conditions, happenings: &[], now };
        let said = due(&channel(), &mut told, &facts);
        again.extend(said.into_iter().map(|message| (second, message.dropped)));
    }
    assert_eq!(again, [(1_800, 1)]);
}

#[test]
fn a_stop_of_a_week_is_not_made_up_for_with_reminders() {
    let mut told = Told::default();
    hear(&mut told, 1_000, |_| vec![failing("a", 3, 0)]);
    let (mut said, conditions) = (0, [failing("a", 3, 0)]);
    for second in (8 * DAY..9 * DAY).step_by(10) {
        let now = after(second);
        let facts = Facts { fleet: "gloves", conditions: &conditions, happenings: &[], now };
        said += due(&channel(), &mut told, &facts).len();
    }
    assert_eq!(said, 1);
}

#[test]
fn a_clock_that_was_wrong_for_a_while_silences_nothing() {
    let mut told = Told::default();
    let year = 365 * DAY;
    let conditions = [failing("a", 3, year), urgent("b", year)];
    for second in [year, year + HOUR] {
        let now = after(second);
        let facts = Facts { fleet: "gloves", conditions: &conditions, happenings: &[], now };
        assert_eq!(due(&channel(), &mut told, &facts).len(), 1);
    }
    let said = hear(&mut told, 2 * HOUR, |second| match second {
        ..3_600 => vec![failing("a", 3, 0), failing("c", 3, 0), urgent("d", 100)],
        _ => Vec::new(),
    });
    let titles: Vec<&str> = said.iter().map(|(_, message)| message.title.as_str()).collect();
    assert_eq!(titles.len(), 5, "{titles:#?}");
}
