//! The limit on deletions beside a plain list: whoever asks, whenever, and whatever was approved.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use driftless::fleet::DeleteLimits;
use driftless::ids::{StackId, TenantName};
use driftless::journal::Journal;
use driftless::moment::Moment;
use driftless::plan::Hold;
use driftless::plan::deletions::{Deletion, Waiting, allow};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const STACKS: usize = 12;

/// Stack `number` belongs to tenant `number / 4`.
fn stack(number: usize) -> StackId {
    StackId::of(&format!("arn:{number:02}"))
}

fn tenant(number: usize) -> TenantName {
    format!("t{}", number / 4).parse().expect("a name")
}

#[derive(Clone, Debug)]
enum Move {
    /// These wait from now on.
    Wait(BTreeSet<usize>),
    /// Somebody wants to delete this stack.
    Delete(usize),
    /// A person says yes to what was asked last, for so many hours.
    Approve(u32),
    Limit(DeleteLimits),
    Pass(Duration),
}

fn moves() -> impl Strategy<Value = Move> {
    let limits = (0_u32..3, 0_u32..7, 0_u32..120);
    let limits =
        limits.prop_map(|(tenants, stacks, percent)| DeleteLimits { tenants, stacks, percent });
    let lengths = [Duration::ZERO, HOUR, HOUR * 8, DAY - Duration::from_millis(1), DAY];
    prop_oneof![
        2 => prop::collection::btree_set(0..STACKS, 0..7).prop_map(Move::Wait),
        9 => (0..STACKS).prop_map(Move::Delete),
        1 => (1_u32..40).prop_map(Move::Approve),
        1 => limits.prop_map(Move::Limit),
        2 => prop::sample::select(lengths.to_vec()).prop_map(Move::Pass),
    ]
}

/// One approval.
struct Yes {
    members: BTreeSet<String>,
    at: Moment,
    until: Moment,
}

/// What was said and done, as lists.
struct Book {
    journal: Journal,
    now: Moment,
    limits: DeleteLimits,
    waiting: BTreeSet<usize>,
    /// The id of what was asked last.
    asked: Option<String>,
    /// What was approved.
    approved: Vec<Yes>,
    /// What went, and when it was told so last: what is told again had not gone.
    gone: BTreeMap<usize, Moment>,
}

impl Book {
    fn open() -> Self {
        let (journal, now) =
            (Journal::in_memory().expect("a journal"), Moment::from_millis(1_795_000_000_000));
        journal.note_fleet_known(now).expect("written");
        Self {
            journal,
            now,
            limits: DeleteLimits { tenants: 1, stacks: 4, percent: 100 },
            waiting: BTreeSet::new(),
            asked: None,
            approved: Vec::new(),
            gone: BTreeMap::new(),
        }
    }

    fn is_approved(&self, number: usize) -> bool {
        self.was_approved(number, self.now)
    }

    /// Whether an approval that holds now was there at that moment.
    fn was_approved(&self, number: usize, at: Moment) -> bool {
        let id = stack(number).to_string();
        let given = |yes: &Yes| yes.at <= at && self.now < yes.until;
        self.approved.iter().any(|yes| given(yes) && yes.members.contains(&id))
    }

    /// How many may go in a day without asking.
    fn most(&self) -> usize {
        let share = STACKS * self.limits.percent as usize / 100;
        share.max(1).min(self.limits.stacks as usize)
    }

    /// Whether these are no more than may go in a day without asking.
    fn is_within_limits(&self, stacks: &BTreeSet<usize>) -> bool {
        let tenants: BTreeSet<usize> = stacks.iter().map(|number| number / 4).collect();
        stacks.len() <= self.most() && tenants.len() <= self.limits.tenants as usize
    }

    /// What went within a day without an approval: one that came afterwards frees no place.
    fn gone_unasked(&self) -> BTreeSet<usize> {
        let lately = self.gone.iter().filter(|(_, at)| self.now.since(**at) < DAY);
        let unasked = lately.filter(|(number, at)| !self.was_approved(**number, **at));
        unasked.map(|(number, _)| *number).collect()
    }

    /// What the rule says: approved, or all that went and all that waits is within the limits.
    fn may_go(&self, number: usize) -> bool {
        let waits = self.waiting.iter().copied().filter(|number| !self.is_approved(*number));
        let all: BTreeSet<usize> = self.gone_unasked().into_iter().chain(waits).collect();
        self.is_approved(number) || self.is_within_limits(&all)
    }

    fn delete(&mut self, number: usize) -> TestCaseResult {
        self.waiting.insert(number);
        let waiting: Waiting =
            self.waiting.iter().map(|number| (stack(*number), tenant(*number))).collect();
        let key = format!("111122223333/eu-central-1/s{number}").parse().expect("a key");
        let (now, limits) = (self.now, self.limits);
        let deletion = Deletion { stack: stack(number), key, tenant: tenant(number), at: now };
        let granted = self.journal.reserve_deletion(&deletion, |book| {
            allow(&deletion.stack, book, &waiting, &limits, STACKS, now)
        });
        let granted = granted.expect("the journal answers");
        prop_assert_eq!(granted.is_ok(), self.may_go(number), "{}", number);
        match granted {
            Ok(()) => {
                self.gone.insert(number, now);
                self.waiting.remove(&number);
                let unasked = self.gone_unasked();
                let fits = self.is_within_limits(&unasked);
                prop_assert!(self.is_approved(number) || fits, "{unasked:?}, {limits:?}");
            }
            Err(Hold::DeletionLimit(request)) => {
                let open = self.waiting.iter().filter(|number| !self.is_approved(**number));
                let open: BTreeSet<String> =
                    open.map(|number| stack(*number).to_string()).collect();
                prop_assert_eq!(&request.members, &open, "asked for exactly what waits");
                self.journal.put_request(&request, now).expect("the journal answers");
                self.asked = Some(request.id);
            }
            Err(hold) => prop_assert!(false, "{hold:?}"),
        }
        Ok(())
    }

    fn approve(&mut self, hours: u32) {
        let Some(id) = self.asked.take() else { return };
        let until = self.now + HOUR * hours;
        let approval = self.journal.approve(&id, "ann", "they left", self.now, until);
        let members = approval.expect("approved").members;
        self.approved.push(Yes { members, at: self.now, until });
    }
}

proptest! {
    /// `PROPTEST_CASES` says how many sequences.
    #[test]
    fn no_day_sees_more_unapproved_deletions_than_the_limit_and_an_approval_is_of_its_members(
        moves in prop::collection::vec(moves(), 0..60),
    ) {
        let mut book = Book::open();
        for one in moves {
            match one {
                Move::Wait(stacks) => book.waiting = stacks,
                Move::Delete(number) => book.delete(number)?,
                Move::Approve(hours) => book.approve(hours),
                Move::Limit(limits) => book.limits = limits,
                Move::Pass(length) => book.now = book.now + length,
            }
        }
    }
}
