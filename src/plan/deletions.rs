//! The limit on deletions: everything that waits to be deleted is weighed as one set, so that half
//! of a fleet never goes in daily portions.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::fleet::DeleteLimits;
use crate::ids::{StackId, StackKey, TenantName};
use crate::moment::Moment;
use crate::plan::{Approval, ApprovalKind, ApprovalRequest, Hold};

/// The limits are per rolling day.
pub const WINDOW: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
/// More tenants than this are counted, not named, in one line.
const NAMED_TENANTS: usize = 5;

/// One deletion that was started.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Deletion {
    /// The stack's ARN.
    pub stack: StackId,
    /// Where it stood.
    pub key: StackKey,
    /// The tenant that it was made for.
    pub tenant: TenantName,
    /// When it was started.
    pub at: Moment,
}

/// What a deletion is judged by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeletionBook {
    /// The deletions of the last 24 hours, oldest first. The stack that is asked about is never
    /// among them: deleting it again counts once.
    pub last_day: Vec<Deletion>,
    /// The approvals that have not expired.
    pub approvals: Vec<Approval>,
    /// The book was begun within the last day, and an earlier one may have been lost: what went in a
    /// day is not known before this moment.
    pub gap_until: Option<Moment>,
}

/// The stacks of the whole fleet that wait to be deleted now, and whose they are.
pub type Waiting = BTreeMap<StackId, TenantName>;

/// Whether `stack` may be deleted now.
///
/// `waiting` are all stacks that wait to be deleted (`stack` among them), `fleet_size` is the number
/// of stacks that are there.
pub fn allow(
    stack: &StackId,
    book: &DeletionBook,
    waiting: &Waiting,
    limits: &DeleteLimits,
    fleet_size: usize,
    now: Moment,
) -> Result<(), Hold> {
    let DeletionBook { last_day, approvals, gap_until } = book;
    let approved: BTreeSet<&str> = live(approvals, now).collect();
    if approved.contains(stack.as_str()) || last_day.iter().any(|deletion| &deletion.stack == stack)
    {
        return Ok(());
    }
    // What a person approved does not use up what may go without asking; what went unasked does,
    // though somebody said yes to it afterwards.
    let went_unasked = |deletion: &&Deletion| {
        let before = approvals.iter().filter(|approval| approval.at <= deletion.at);
        !live(before, now).any(|id| id == deletion.stack.as_str())
    };
    let gone = last_day.iter().filter(went_unasked);
    let gone = gone.map(|deletion| (&deletion.stack, &deletion.tenant));
    let waits = waiting.iter().filter(|(id, _)| !approved.contains(id.as_str()));
    let all: BTreeMap<&StackId, &TenantName> = gone.chain(waits).collect();
    let tenants: BTreeSet<&TenantName> = all.values().copied().collect();
    let share = fleet_size * limits.percent as usize / 100;
    let (stacks, owners) = ((limits.stacks as usize).min(share.max(1)), limits.tenants as usize);
    let why = if let Some(until) = gap_until {
        format!(
            "and the journal is new here: not before {until} does it know all that went in a day"
        )
    } else if all.len() <= stacks && tenants.len() <= owners {
        return Ok(());
    } else {
        format!("more than may go in a day unasked (stacks: {stacks}, tenants: {owners})")
    };
    Err(Hold::DeletionLimit(Box::new(request(waiting, approvals, &why, now))))
}

/// The ids of all stacks whose deletion is approved and has not expired.
fn live<'a>(
    approvals: impl IntoIterator<Item = &'a Approval>,
    now: Moment,
) -> impl Iterator<Item = &'a str> {
    let live = approvals.into_iter().filter(move |approval| {
        approval.kind == ApprovalKind::Deletions && now < approval.expires_at
    });
    live.flat_map(|approval| approval.members.iter().map(String::as_str))
}

/// The request to delete exactly the stacks that wait and are not approved yet.
fn request(waiting: &Waiting, approvals: &[Approval], why: &str, now: Moment) -> ApprovalRequest {
    let approved: BTreeSet<&str> = live(approvals, now).collect();
    let open: BTreeMap<&StackId, &TenantName> =
        waiting.iter().filter(|(id, _)| !approved.contains(id.as_str())).collect();
    let names: BTreeSet<&TenantName> = open.values().copied().collect();
    let mut words: Vec<&str> = names.iter().take(NAMED_TENANTS).map(|name| name.as_str()).collect();
    if names.len() > NAMED_TENANTS {
        words.push("...");
    }
    let summary = format!(
        "{} of {} ({}) {} to be deleted, {why}",
        counted(open.len(), "stack"),
        counted(names.len(), "tenant"),
        words.join(", "),
        if open.len() == 1 { "waits" } else { "wait" }
    );
    let members = open.keys().map(ToString::to_string).collect();
    ApprovalRequest::of(ApprovalKind::Deletions, members, summary)
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LIMITS: DeleteLimits = DeleteLimits { tenants: 1, stacks: 25, percent: 1 };
    const NOW: Moment = Moment::from_millis(1_000_000_000);

    fn waiting(tenants: usize, stacks: usize) -> Waiting {
        let stack = |tenant, stack| StackId::of(&format!("arn:{tenant}:{stack}"));
        (0..tenants)
            .flat_map(|t| (0..stacks).map(move |s| (t, s)))
            .map(|(t, s)| (stack(t, s), format!("t{t}").parse().expect("a name")))
            .collect()
    }

    fn book(last_day: &[Deletion], approvals: &[Approval]) -> DeletionBook {
        let (last_day, approvals) = (last_day.to_vec(), approvals.to_vec());
        DeletionBook { last_day, approvals, gap_until: None }
    }

    fn ask(stack: &str, waiting: &Waiting, approvals: &[Approval]) -> Result<(), Hold> {
        allow(&StackId::of(stack), &book(&[], approvals), waiting, &LIMITS, 10_000, NOW)
    }

    #[test]
    fn one_tenant_may_go_and_half_of_the_fleet_may_not() {
        assert_eq!(ask("arn:0:0", &waiting(1, 20), &[]), Ok(()));
        assert!(ask("arn:0:0", &waiting(2, 1), &[]).is_err(), "not even the first of them");
        assert!(ask("arn:0:0", &waiting(1, 26), &[]).is_err());
    }

    #[test]
    fn an_approval_lets_exactly_its_set_through() {
        let both = waiting(2, 10);
        let Err(Hold::DeletionLimit(request)) = ask("arn:0:0", &both, &[]) else {
            panic!("held");
        };
        let approval = Approval {
            id: request.id,
            kind: request.kind,
            members: request.members,
            by: "ann".into(),
            reason: "they left".into(),
            at: NOW,
            expires_at: NOW + Duration::from_secs(60),
        };
        let approvals = [approval];
        assert!(both.keys().all(|id| ask(id.as_str(), &both, &approvals).is_ok()));
        let more = waiting(4, 10);
        assert!(ask("arn:3:0", &more, &approvals).is_err());
        let later = NOW + Duration::from_secs(61);
        let id = StackId::of("arn:0:0");
        assert!(allow(&id, &book(&[], &approvals), &both, &LIMITS, 10_000, later).is_err());
    }

    #[test]
    fn what_went_today_counts() {
        let today = [Deletion {
            stack: StackId::of("arn:old"),
            key: "111122223333/eu-central-1/a".parse().expect("a key"),
            tenant: "gone".parse().expect("a name"),
            at: NOW,
        }];
        let one = waiting(1, 1);
        let id = StackId::of("arn:0:0");
        assert!(allow(&id, &book(&today, &[]), &one, &LIMITS, 10_000, NOW).is_err());
        assert!(allow(&id, &book(&[], &[]), &one, &LIMITS, 10_000, NOW).is_ok());
    }

    #[test]
    fn a_yes_that_comes_after_a_deletion_does_not_free_its_place() {
        let second = Duration::from_secs(1);
        let went = |at| Deletion {
            stack: StackId::of("arn:old"),
            key: "111122223333/eu-central-1/a".parse().expect("a key"),
            tenant: "gone".parse().expect("a name"),
            at,
        };
        let approval = Approval {
            id: "id".into(),
            kind: ApprovalKind::Deletions,
            members: ["arn:old".to_owned()].into(),
            by: "ann".into(),
            reason: "it went".into(),
            at: NOW,
            expires_at: NOW + 60 * second,
        };
        let (one, id) = (waiting(1, 1), StackId::of("arn:0:0"));
        let allowed = |at| {
            let book = book(&[went(at)], std::slice::from_ref(&approval));
            allow(&id, &book, &one, &LIMITS, 10_000, NOW + second).is_ok()
        };
        assert!(allowed(NOW + second), "it was asked for");
        assert!(!allowed(NOW - second));
    }

    #[test]
    fn what_a_lost_journal_knew_counts_as_the_whole_limit() {
        let mut young = DeletionBook { gap_until: Some(NOW), ..DeletionBook::default() };
        let one = waiting(1, 1);
        let id = StackId::of("arn:0:0");
        let Err(Hold::DeletionLimit(request)) = allow(&id, &young, &one, &LIMITS, 10_000, NOW)
        else {
            panic!("held");
        };
        assert_eq!(
            request.summary,
            "1 stack of 1 tenant (t0) waits to be deleted, and the journal is new here: not before \
             1970-01-12T13:46:40.000Z does it know all that went in a day"
        );
        young.approvals = vec![Approval {
            id: request.id,
            kind: request.kind,
            members: request.members,
            by: "ann".into(),
            reason: "it is right".into(),
            at: NOW,
            expires_at: NOW + Duration::from_secs(60),
        }];
        assert!(allow(&id, &young, &one, &LIMITS, 10_000, NOW).is_ok());
    }

    #[test]
    fn percent_only_lowers_and_always_leaves_one() {
        let small = |count| {
            let id = StackId::of("arn:0:0");
            allow(&id, &book(&[], &[]), &waiting(1, count), &LIMITS, 60, NOW)
        };
        assert!(small(1).is_ok());
        assert!(small(2).is_err());
    }
}
