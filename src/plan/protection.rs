//! Which changes of a change set need a person: those that remove or replace what keeps data.

use std::collections::{BTreeMap, BTreeSet};

use crate::fleet::Protection;
use crate::ids::{Digest, StackId, StackKey};
use crate::observed::{ChangeAction, PlannedChange, Replacement};
use crate::outcome::Debt;
use crate::plan::{ApprovalKind, ApprovalRequest};

/// A nested stack hides what happens inside: where nobody could look into it, a change to one is treated
/// like a replacement.
pub const NESTED_STACK: &str = "AWS::CloudFormation::Stack";
/// More resources than this are counted, not named, in one line.
const NAMED_RESOURCES: usize = 5;

/// What a person would have to approve before this change set may be executed.
pub(super) fn objection(
    key: &StackKey,
    stack: &StackId,
    digest: &Digest,
    changes: &[PlannedChange],
    protection: &Protection,
    debts: &BTreeMap<String, Debt>,
) -> Option<ApprovalRequest> {
    let owed = |change: &PlannedChange| {
        let (place, kind) = (change.place(), &change.kind);
        is_owed(change, debts).then(|| format!("touch {place} ({kind}), which a rollback skipped"))
    };
    let harms =
        changes.iter().filter_map(|change| harm(change, protection).or_else(|| owed(change)));
    let mut harms: Vec<String> = harms.collect();
    if harms.is_empty() {
        return None;
    }
    harms.sort();
    let parts = [stack.as_str().as_bytes(), digest.as_bytes()];
    let subject = parts.into_iter().chain(harms.iter().map(String::as_bytes));
    let member = Digest::of_parts(subject).to_string();
    let more = harms.len().saturating_sub(NAMED_RESOURCES);
    harms.truncate(NAMED_RESOURCES);
    let mut summary = format!("the update of {key} would {}", harms.join(", "));
    if more > 0 {
        summary.push_str(&format!(" and touch {more} more protected resources"));
    }
    Some(ApprovalRequest::of(ApprovalKind::Protected, BTreeSet::from([member]), summary))
}

/// Whether a rollback skipped a resource. Of one in a nested stack the debt has the name of that stack,
/// which nobody compares here: what is called the same and of the same type counts.
fn is_owed(change: &PlannedChange, debts: &BTreeMap<String, Debt>) -> bool {
    if change.within.is_empty() {
        return debts.contains_key(&change.logical_id);
    }
    debts.iter().any(|(skipped, debt)| {
        let inside = skipped.split_once('.').map(|(_, logical_id)| logical_id);
        inside == Some(change.logical_id.as_str()) && debt.kind == change.kind
    })
}

/// What a change does to a protected resource, as a verb with its object.
fn harm(change: &PlannedChange, protection: &Protection) -> Option<String> {
    let (place, kind) = (change.place(), &change.kind);
    if kind == NESTED_STACK && change.action != ChangeAction::Add {
        return Some(format!("change inside {place} ({kind}) what cannot be seen"));
    }
    if !protection.covers(kind) {
        return None;
    }
    match (&change.action, &change.replacement) {
        (ChangeAction::Add | ChangeAction::Import, _)
        | (ChangeAction::Modify, Replacement::Never) => None,
        (ChangeAction::Remove, _) => Some(format!("remove {place} ({kind})")),
        (ChangeAction::Modify, Replacement::Always) => Some(format!("replace {place} ({kind})")),
        (ChangeAction::Modify, Replacement::Conditional) => {
            Some(format!("perhaps replace {place} ({kind})"))
        }
        (ChangeAction::Dynamic | ChangeAction::SyncWithActual | ChangeAction::Unknown(_), _) => {
            Some(format!("do something to {place} ({kind}) that cannot be known beforehand"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(stack: &str, wanted: &[u8], logical_id: &str) -> ApprovalRequest {
        let change = PlannedChange {
            within: String::new(),
            touches: Default::default(),
            only_tags: false,
            action: ChangeAction::Modify,
            logical_id: logical_id.to_owned(),
            physical_id: None,
            kind: "AWS::DynamoDB::Table".to_owned(),
            replacement: Replacement::Always,
        };
        let key = "111122223333/eu-central-1/db".parse().expect("a key");
        let (id, digest) = (StackId::of(stack), Digest::of(wanted));
        objection(&key, &id, &digest, &[change], &Protection::default(), &BTreeMap::new())
            .expect("a table is kept")
    }

    #[test]
    fn an_approval_is_of_one_stack_one_wish_and_these_resources() {
        let asked = request("arn:a", b"one", "Table");
        assert_eq!(asked, request("arn:a", b"one", "Table"));
        for other in [
            request("arn:b", b"one", "Table"),
            request("arn:a", b"two", "Table"),
            request("arn:a", b"one", "Other"),
        ] {
            assert_ne!(asked.id, other.id);
            assert!(asked.members.is_disjoint(&other.members));
        }
    }

    fn changed(logical_id: &str, kind: &str, action: ChangeAction) -> PlannedChange {
        PlannedChange {
            within: String::new(),
            touches: Default::default(),
            only_tags: false,
            action,
            logical_id: logical_id.to_owned(),
            physical_id: None,
            kind: kind.to_owned(),
            replacement: Replacement::Never,
        }
    }

    fn summary(changes: &[PlannedChange]) -> Option<String> {
        let key = "111122223333/eu-central-1/db".parse().expect("a key");
        let (id, digest) = (StackId::of("arn:a"), Digest::of(b"one"));
        let (kept, debts) = (Protection::default(), BTreeMap::new());
        let request = objection(&key, &id, &digest, changes, &kept, &debts);
        request.map(|request| request.summary)
    }

    #[test]
    fn five_resources_are_named_and_more_are_counted() {
        let tables = |count: usize| {
            let table = |number| {
                changed(&format!("T{number}"), "AWS::DynamoDB::Table", ChangeAction::Remove)
            };
            summary(&(1..=count).map(table).collect::<Vec<_>>()).expect("tables are kept")
        };
        let ends =
            |text: &str| text.split("remove T5 (AWS::DynamoDB::Table)").last().map(str::to_owned);
        assert_eq!(ends(&tables(5)).as_deref(), Some(""));
        assert_eq!(ends(&tables(6)).as_deref(), Some(" and touch 1 more protected resources"));
        assert_eq!(ends(&tables(7)).as_deref(), Some(" and touch 2 more protected resources"));
    }

    #[test]
    fn a_nested_stack_is_protected_unless_it_is_new() {
        let nested = |action| summary(&[changed("Inner", NESTED_STACK, action)]);
        let text = "the update of 111122223333/eu-central-1/db would change inside Inner \
                    (AWS::CloudFormation::Stack) what cannot be seen";
        assert_eq!(nested(ChangeAction::Modify).as_deref(), Some(text));
        assert_eq!(nested(ChangeAction::Add), None);
    }

    #[test]
    fn what_keeps_no_data_may_go() {
        assert_eq!(summary(&[changed("A", "AWS::SSM::Parameter", ChangeAction::Remove)]), None);
    }
}
