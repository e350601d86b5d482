//! What waits to be sent survives everything, and no process sends what another has sent.

use std::collections::BTreeSet;
use std::time::Duration;

use driftless::announce::{LEASE, PACE, Postman};
use driftless::clock::Clock;
use driftless::fleet::{Channel, Receiver, Secret, Topic};
use driftless::journal::{Journal, MAX_WAITING, Next, Retry};
use driftless::moment::Moment;
use driftless::report::announcements::{Condition, Facts, Severity, due};

use crate::announce::stand_in::{Behaviour, StandIn};
use crate::world::START;

const HOUR: Duration = Duration::from_secs(3_600);

fn channel(name: &str) -> Channel {
    Channel {
        name: name.parse().expect("a name"),
        receiver: Receiver::Slack { url: Secret::Environment("HOOK_SLACK".to_owned()) },
        on: Topic::ALL.into_iter().map(|(_, topic)| topic).collect(),
        digest: Duration::from_secs(60),
    }
}

fn condition(number: usize, since: Moment) -> Condition {
    Condition {
        key: format!("failure/{number:05}"),
        topic: Topic::Failure,
        severity: Severity::Warning,
        is_urgent: true,
        title: format!("number {number} is wrong"),
        details: vec!["cause: x".to_owned()],
        count: 1,
        see: "driftless status".to_owned(),
        since,
    }
}

/// Sends all that may be sent without a long wait; returns when there is something again.
async fn deliver(postman: &Postman, channel: &Channel) -> Option<Moment> {
    loop {
        let next = postman.deliver(channel).await.expect("the journal answers")?;
        if next > postman.clock.now() + PACE {
            return Some(next);
        }
        postman.clock.sleep_until(next).await;
    }
}

struct Desk {
    folder: tempfile::TempDir,
    clock: Clock,
    receivers: StandIn,
}

impl Desk {
    fn new() -> Self {
        let clock = Clock::starting_at(START);
        let receivers = StandIn::new(&clock);
        Self { folder: tempfile::tempdir().expect("a folder"), clock, receivers }
    }

    /// A process of its own, as far as the journal can tell.
    fn process(&self) -> Postman {
        let path = self.folder.path().join("state.db");
        let (journal, _) = Journal::open(&path, self.clock.now(), Some(1)).expect("a journal");
        Postman { means: self.receivers.means(), journal, clock: self.clock.clone() }
    }

    /// So many messages, one for each condition that is new in turn.
    fn say(&self, postman: &Postman, channel: &Channel, messages: usize) {
        for number in 0..messages {
            self.say_one(postman, channel, number);
        }
    }

    /// What there is to say about the conditions up to this one.
    fn say_one(&self, postman: &Postman, channel: &Channel, number: usize) -> usize {
        // Each a digest's length after the one before, by the clock of who says it.
        let now = self.clock.now() + channel.digest * 2 * u32::try_from(number).expect("few");
        let conditions: Vec<_> = (0..=number).map(|one| condition(one, START)).collect();
        let say = |told: &mut _, happenings: &[_]| {
            due(channel, told, &Facts { fleet: "test", conditions: &conditions, happenings, now })
        };
        postman.journal.announce(channel.name.as_str(), say).expect("said")
    }

    fn keys(&self) -> Vec<String> {
        // The key is the id of events; in Slack's payload it is the text that tells them apart.
        self.receivers.got().into_iter().map(|got| got.body).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn two_thousand_new_failures_are_one_message_in_the_outbox() {
    let (desk, channel) = (Desk::new(), channel("slack-1"));
    let postman = desk.process();
    let conditions: Vec<_> = (0..2_000).map(|one| condition(one, START)).collect();
    for _ in 0..60 {
        let now = desk.clock.now();
        let say = |told: &mut _, happenings: &[_]| {
            due(&channel, told, &Facts { fleet: "test", conditions: &conditions, happenings, now })
        };
        postman.journal.announce("slack-1", say).expect("said");
        deliver(&postman, &channel).await;
        desk.clock.sleep(Duration::from_secs(30)).await;
    }
    let titles = desk.receivers.titles("slack");
    assert_eq!(titles.len(), 1, "{titles:#?}");
    assert!(titles[0].contains("2000 new kinds of failure"), "{titles:#?}");
}

#[tokio::test(start_paused = true)]
async fn killed_between_send_and_record_a_message_comes_twice_with_one_key_and_none_is_lost() {
    let (desk, mut channel) = (Desk::new(), channel("hook"));
    channel.receiver = Receiver::Webhook {
        url: driftless::fleet::Address::Secret(Secret::Environment("HOOK_EVENTS".to_owned())),
        secret: None,
    };
    let first = desk.process();
    desk.say(&first, &channel, 3);
    desk.receivers.script("events", &[Behaviour::Hangs, Behaviour::Takes]);
    let sending = deliver(&first, &channel);
    // It is killed while it waits for the answer.
    assert!(tokio::time::timeout(Duration::from_secs(30), sending).await.is_err());
    drop(first);

    let second = desk.process();
    let waiting = deliver(&second, &channel).await;
    let waiting = waiting.expect("one is still claimed by who is gone");
    assert!(waiting <= desk.clock.now() + LEASE);
    desk.clock.sleep_until(waiting).await;
    assert_eq!(deliver(&second, &channel).await, None);
    let got = desk.receivers.got();
    let keys: Vec<&String> = got.iter().map(|got| &got.headers["x-driftless-key"]).collect();
    let distinct: BTreeSet<_> = keys.iter().collect();
    assert_eq!((keys.len(), distinct.len()), (4, 3), "{keys:?}");
    assert_eq!(keys[0], keys[3], "the one whose answer nobody heard");
    for got in &got {
        let event: serde_json::Value = serde_json::from_str(&got.body).expect("JSON");
        assert_eq!(event["id"], got.headers["x-driftless-key"].as_str());
    }
}

#[tokio::test(start_paused = true)]
async fn two_processes_on_one_journal_send_each_message_once_and_one_a_second() {
    let (desk, channel) = (Desk::new(), channel("slack-1"));
    let (one, other) = (desk.process(), desk.process());
    desk.say(&one, &channel, 20);
    assert_eq!(desk.say_one(&other, &channel, 19), 0, "it was said");
    tokio::join!(deliver(&one, &channel), deliver(&other, &channel));
    let bodies = desk.keys();
    let distinct: BTreeSet<_> = bodies.iter().collect();
    assert_eq!((bodies.len(), distinct.len()), (20, 20));
    let at: Vec<Moment> = desk.receivers.got().iter().map(|got| got.at).collect();
    assert!(at.windows(2).all(|pair| pair[1].since(pair[0]) >= PACE), "{at:?}");
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed_in_seconds_and_as_a_date_and_others_wait_as_well() {
    let (desk, channel) = (Desk::new(), channel("slack-1"));
    let postman = desk.process();
    desk.say(&postman, &channel, 3);
    // The world begins on 2026-11-18 at 11:06:40.
    let date = "Wed, 18 Nov 2026 11:15:00 GMT";
    desk.receivers.script(
        "slack",
        &[
            Behaviour::Answers(429, Some("120")),
            Behaviour::Answers(503, Some(date)),
            Behaviour::Takes,
        ],
    );
    while let Some(at) = deliver(&postman, &channel).await {
        desk.clock.sleep_until(at).await;
    }
    let seconds: Vec<u64> =
        desk.receivers.got().iter().map(|got| got.at.since(START).as_secs()).collect();
    assert_eq!(seconds, [0, 120, 500, 501, 502]);
    assert_eq!(desk.receivers.titles("slack").len(), 3);
    assert_eq!(postman.journal.silent_channels().expect("read"), []);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_sent_again_later_and_later() {
    let (desk, channel) = (Desk::new(), channel("slack-1"));
    let postman = desk.process();
    desk.say(&postman, &channel, 1);
    desk.receivers.script("slack", &[Behaviour::Loses]);
    let until = START + HOUR;
    while let Some(at) = deliver(&postman, &channel).await {
        if at > until {
            break;
        }
        desk.clock.sleep_until(at).await;
    }
    let tries = desk.receivers.got().len();
    assert!((8..=20).contains(&tries), "{tries} in an hour");
    let silent = postman.journal.silent_channels().expect("read");
    assert_eq!((silent.len(), silent[0].waiting), (1, 1));
    let text = &silent[0].trouble.text;
    assert!(text.contains("was lost") && !text.contains("secret"), "{text}");
    assert!(!silent[0].trouble.needs_person, "it may come back by itself");
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_refuses_for_ever_is_tried_rarely_and_bounded_and_loses_nothing_that_holds()
{
    let (desk, channel) = (Desk::new(), channel("slack-1"));
    let postman = desk.process();
    desk.receivers.script("slack", &[Behaviour::Answers(404, None)]);
    let day = START + HOUR * 24;
    let mut holding = 0;
    while desk.clock.now() < day {
        holding += 1;
        let (now, conditions) =
            (desk.clock.now(), (0..holding).map(|one| condition(one, START)).collect::<Vec<_>>());
        let say = |told: &mut _, happenings: &[_]| {
            due(&channel, told, &Facts { fleet: "test", conditions: &conditions, happenings, now })
        };
        postman.journal.announce("slack-1", say).expect("said");
        deliver(&postman, &channel).await;
        desk.clock.sleep(Duration::from_secs(120)).await;
    }
    let waiting = postman.journal.waiting_messages("slack-1").expect("counted");
    assert!(waiting <= MAX_WAITING && waiting > MAX_WAITING / 2, "{waiting} wait");
    let tries = desk.receivers.got().len();
    assert!(tries <= 24 * 2, "{tries} tries in a day");
    let silent = postman.journal.silent_channels().expect("read");
    assert!(silent[0].trouble.needs_person && silent[0].trouble.text.contains("404"));

    // Somebody mends it, and says so; what holds is told, and that something is missing.
    desk.receivers.script("slack", &[Behaviour::Takes]);
    postman.journal.revive_channel("slack-1", desk.clock.now()).expect("written");
    let before = desk.receivers.got().len();
    for _ in 0..20 {
        let (now, conditions) =
            (desk.clock.now(), (0..holding).map(|one| condition(one, START)).collect::<Vec<_>>());
        let say = |told: &mut _, happenings: &[_]| {
            due(&channel, told, &Facts { fleet: "test", conditions: &conditions, happenings, now })
        };
        postman.journal.announce("slack-1", say).expect("said");
        deliver(&postman, &channel).await;
        desk.clock.sleep(Duration::from_secs(60)).await;
    }
    assert_eq!(postman.journal.waiting_messages("slack-1").expect("counted"), 0);
    assert_eq!(postman.journal.silent_channels().expect("read"), []);
    let told = &desk.receivers.got()[before..];
    let at: Vec<Moment> = told.iter().map(|got| got.at).collect();
    assert!(at.windows(2).all(|pair| pair[1].since(pair[0]) >= PACE), "one a second");
}

#[tokio::test(start_paused = true)]
async fn one_bad_message_holds_no_other_up() {
    let (desk, channel) = (Desk::new(), channel("slack-1"));
    let postman = desk.process();
    desk.say(&postman, &channel, 4);
    desk.receivers.script("slack", &[Behaviour::Answers(400, None), Behaviour::Takes]);
    let later = deliver(&postman, &channel).await.expect("the bad one waits");
    assert_eq!(desk.receivers.titles("slack").len(), 3);
    assert!(later.since(desk.clock.now()) > HOUR / 2, "and is not tried again and again");
}

#[tokio::test(start_paused = true)]
async fn what_git_does_not_name_any_more_is_forgotten() {
    let (desk, channel) = (Desk::new(), channel("slack-1"));
    let postman = desk.process();
    desk.say(&postman, &channel, 4);
    postman.journal.keep_channels(&["slack-2"]).expect("written");
    assert_eq!(postman.journal.waiting_messages("slack-1").expect("counted"), 0);
    assert_eq!(deliver(&postman, &channel).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_git_takes_out_while_it_is_told_stays_forgotten() {
    let (desk, channel) = (Desk::new(), channel("slack-1"));
    let postman = desk.process();
    desk.say(&postman, &channel, 1);
    let claimed = postman.journal.claim_message("slack-1", desk.clock.now(), PACE, LEASE);
    let Next::Now(claimed) = claimed.expect("claimed") else { panic!("one waits") };
    postman.journal.keep_channels(&[]).expect("written");
    let (now, later) = (desk.clock.now(), desk.clock.now() + HOUR);
    let text = "it answered 404".to_owned();
    let retry = Retry { at: later, channel_at: later, is_refused: true, is_here: false, text };
    postman.journal.note_undelivered("slack-1", claimed.number, &retry, now).expect("written");
    assert_eq!(postman.journal.silent_channels().expect("read"), []);
}
