//! An open freeze window against every kind of step.

use crate::observed::StackStatus;
use crate::plan::tests::{DROPPED, HOUR, MINUTE, World};
use crate::plan::{Decision, Weight};

/// It is 11:06:40 in UTC: this window has been open for some minutes, and closes at noon.
const OPEN: (&str, &str) = (
    "  cloud: simulated\n",
    "  cloud: simulated\n  freeze: [{ cron: 0 11 * * *, duration: 1h, reason: lunch }]\n",
);
/// The same for the other tenant only.
const OF_OTHERS: (&str, &str) = (
    "  cloud: simulated\n",
    "  cloud: simulated\n  freeze: [{ cron: 0 11 * * *, duration: 1h, selector: { matchLabels: { \
     group: b } } }]\n",
);

#[test]
fn it_holds_creates_updates_deletes_and_repairs() {
    let world = World::of(&[OPEN]);
    assert_eq!(world.code("network"), "frozen", "a create");
    let mut world = World::at_rest(&[OPEN]);
    world.seen("network").tags.insert("extra".to_owned(), "tag".to_owned());
    assert_eq!(world.code("network"), "frozen", "an update");
    for status in [StackStatus::UpdateFailed, StackStatus::RollbackComplete] {
        world.put("network", "network", status);
        assert_eq!(world.code("network"), "frozen", "a repair");
    }
    let mut world = World::of(&[OPEN, DROPPED, crate::plan::tests::ALONE]);
    world.put("network", "network", StackStatus::CreateComplete);
    assert_eq!(world.code("network"), "frozen", "a delete");
}

#[test]
fn what_is_in_sync_or_moves_is_as_ever() {
    let mut world = World::at_rest(&[OPEN]);
    assert_eq!(world.decided("network").decision, Decision::InSync);
    world.seen("network").status = StackStatus::UpdateInProgress;
    assert_eq!(world.code("network"), "moving");
}

#[test]
fn it_says_which_window_and_until_when_and_ends_then() {
    let mut world = World::of(&[OPEN]);
    let verdict = world.decided("network").decision.verdict();
    let text = "frozen until 2026-11-18T12:00:00.000Z: 0 11 * * * in UTC for 1h (lunch)";
    assert_eq!((verdict.text.as_str(), verdict.weight), (text, Weight::Waiting));
    world.now = verdict.until.expect("it closes");
    assert_eq!(world.code("network"), "create");
    world.now = world.now - HOUR - MINUTE;
    assert_eq!(world.code("network"), "create", "before it opens");
}

#[test]
fn it_holds_whom_it_selects_and_those_of_whom_nothing_is_known() {
    let world = World::of(&[OF_OTHERS]);
    assert_eq!(world.code("network"), "create");
    let account = |text: &str| text.parse().expect("an account");
    let frozen = |of: &str| world.desired.frozen(&account(of), world.now).is_some();
    assert!(!frozen("111122223333") && frozen("444455556666"));
    assert!(frozen("999999999999"), "an account without a tenant");
}
