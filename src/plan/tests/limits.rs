//! Numbers at their edges: the limit on deletions, approvals that end, cooldowns.

use std::time::Duration;

use crate::fleet::DeleteLimits;
use crate::ids::{Digest, StackId};
use crate::moment::Moment;
use crate::plan::cooldown::{retry_at, spread};
use crate::plan::deletions::{DeletionBook, WINDOW, Waiting, allow};
use crate::plan::tests::{HOUR, MINUTE, NOW, failure, key};
use crate::plan::{Approval, ApprovalKind, Hold};

const FEW: DeleteLimits = DeleteLimits { tenants: 1, stacks: 25, percent: 1 };

fn waiting(tenants: usize, stacks: usize) -> Waiting {
    let each = (0..tenants).flat_map(|tenant| (0..stacks).map(move |stack| (tenant, stack)));
    each.map(|(tenant, stack)| {
        let id = StackId::of(&format!("arn:{tenant}:{stack}"));
        (id, format!("t{tenant}").parse().expect("a name"))
    })
    .collect()
}

/// What is said to the first of those that wait.
fn ask(waiting: &Waiting, book: &DeletionBook, fleet_size: usize) -> Result<(), Hold> {
    allow(&StackId::of("arn:0:0"), book, waiting, &FEW, fleet_size, NOW)
}

#[test]
fn the_limits_are_of_a_whole_day() {
    assert_eq!(WINDOW, HOUR * 24);
}

#[test]
fn percent_is_of_all_stacks_that_are_there() {
    let book = DeletionBook::default();
    assert!(ask(&waiting(1, 20), &book, 2000).is_ok());
    assert!(ask(&waiting(1, 21), &book, 2000).is_err());
    let twice = DeleteLimits { percent: 2, ..FEW };
    let ask =
        |stacks| allow(&StackId::of("arn:0:0"), &book, &waiting(1, stacks), &twice, 1000, NOW);
    assert!(ask(20).is_ok() && ask(21).is_err());
}

#[test]
fn a_request_names_five_tenants_and_says_when_there_are_more() {
    let summary = |tenants| match ask(&waiting(tenants, 1), &DeletionBook::default(), 2000) {
        Err(Hold::DeletionLimit(request)) => request.summary,
        other => panic!("not held: {other:?}"),
    };
    assert!(summary(5).contains("(t0, t1, t2, t3, t4) wait"), "{}", summary(5));
    assert!(summary(6).contains("(t0, t1, t2, t3, t4, ...) wait"), "{}", summary(6));
    assert!(summary(7).contains("(t0, t1, t2, t3, t4, ...) wait"), "{}", summary(7));
}

#[test]
fn an_approval_of_deletions_counts_until_the_moment_it_expires() {
    let both = waiting(2, 1);
    let until = |expires_at: Moment| DeletionBook {
        approvals: vec![Approval {
            id: "id".to_owned(),
            kind: ApprovalKind::Deletions,
            members: both.keys().map(StackId::to_string).collect(),
            by: "ann".to_owned(),
            reason: "they left".to_owned(),
            at: NOW - HOUR,
            expires_at,
        }],
        ..DeletionBook::default()
    };
    assert!(ask(&both, &until(NOW + Duration::from_millis(1)), 2000).is_ok());
    assert!(ask(&both, &until(NOW), 2000).is_err());
}

#[test]
fn a_cooldown_is_at_most_a_fifth_longer_than_its_length() {
    let longer: Vec<Duration> =
        (0..1000).map(|number| spread(&format!("stack {number}"), HOUR) - HOUR).collect();
    assert!(longer.iter().all(|more| *more <= HOUR / 5));
    assert!(
        longer.iter().any(|more| *more < MINUTE) && longer.iter().any(|more| *more > MINUTE * 11)
    );
}

#[test]
fn the_longest_cooldown_is_half_an_hour_for_trouble_of_aws_and_an_hour_for_an_account() {
    for (code, first, last) in
        [("Throttling", MINUTE / 2, HOUR / 2), ("AccessDenied", MINUTE, HOUR)]
    {
        let wait = |count| {
            let failure = crate::outcome::Failure { count, ..failure(code, Digest::of(b"wanted")) };
            retry_at(&key("api"), &failure).expect("tried again").since(NOW)
        };
        assert!(wait(1) >= first && wait(1) <= first + first / 5, "{code}: {:?}", wait(1));
        assert!(wait(2) >= first * 2 && wait(2) <= first * 12 / 5, "{code}: {:?}", wait(2));
        assert!(wait(50) >= last && wait(50) <= last + last / 5, "{code}: {:?}", wait(50));
    }
}
