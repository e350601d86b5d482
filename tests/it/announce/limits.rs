//! Whatever a message holds, each provider takes it.

use driftless::moment::Moment;
use driftless::report::announcements::{Item, Message, Severity, Topic, Transition};
use driftless::report::chat::{cloudevent, slack, teams};
use proptest::prelude::*;

use crate::announce::shapes;
use crate::world::START;

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "\\PC{0,60}",
        2 => ".{0,200}",
        1 => "[<>&*`~_\"\\\\\u{1}-\u{1f}]{0,400}",
        1 => (1_usize..100_000, prop::char::any()).prop_map(|(many, one)| one.to_string().repeat(many)),
    ]
}

fn any_item() -> impl Strategy<Value = Item> {
    let topics = prop::sample::select(Topic::ALL.map(|(_, topic)| topic).to_vec());
    let severities = vec![Severity::Info, Severity::Warning, Severity::Critical];
    let details = prop_oneof![
        9 => prop::collection::vec(any_text(), 0..5),
        1 => (0_usize..3_000, "[a-z&\"]{0,40}").prop_map(|(many, one)| vec![one; many]),
    ];
    let texts = (any_text(), any_text(), any_text());
    let kinds =
        (prop::sample::select(Transition::ALL.to_vec()), topics, prop::sample::select(severities));
    (texts, kinds, details, any::<usize>(), any::<u32>()).prop_map(
        |((key, title, see), (transition, topic, severity), details, count, at)| Item {
            key,
            transition,
            topic,
            severity,
            title,
            details,
            count,
            see,
            since: Moment::from_millis(u64::from(at) * 1_000),
        },
    )
}

fn any_message() -> impl Strategy<Value = Message> {
    let items = prop_oneof![
        prop::collection::vec(any_item(), 0..4),
        (any_item(), 0_usize..150).prop_map(|(item, many)| vec![item; many]),
    ];
    let texts = ("[0-9a-f]{32}", any_text(), any_text());
    (texts, items, any::<u32>(), any::<u16>()).prop_map(
        |((key, fleet, title), items, more, dropped)| Message {
            key,
            fleet,
            severity: items.iter().map(|item| item.severity).max().unwrap_or(Severity::Info),
            title,
            items,
            more: more as usize,
            dropped: usize::from(dropped),
            is_urgent: false,
            at: START,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_message_is_within_the_limits_of_each_provider(message in any_message()) {
        let payload = slack(&message);
        if let Err(why) = shapes::block_kit(&payload) {
            prop_assert!(false, "{why}: {payload}");
        }
        let payload = teams(&message);
        if let Err(why) = shapes::adaptive_card(&payload) {
            prop_assert!(false, "{why}: {payload}");
        }
        let payload = cloudevent(&message);
        if let Err(why) = shapes::cloud_event(&payload) {
            prop_assert!(false, "{why}: {payload}");
        }
    }
}
