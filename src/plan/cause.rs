//! Why an operation failed: the first thing in its events that failed by itself.

use std::collections::BTreeSet;

use crate::ids::StackId;
use crate::moment::Moment;
use crate::observed::StackEvent;
use crate::outcome::{Attempt, Cause};
use crate::plan::protection::NESTED_STACK;

/// Texts by which AWS says that a resource failed only because another one did.
const FOLLOWERS: &[&str] = &["Resource creation cancelled", "Resource update cancelled"];

/// Whether a failed event is only the consequence of another.
pub fn is_follower(reason: &str) -> bool {
    FOLLOWERS.iter().any(|text| reason.starts_with(text))
}

/// What events tell of the last operation on a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operation {
    /// The token of the call that started it, where it brought one.
    pub token: Option<String>,
    /// What failed first, if anything did.
    pub failure: Option<Cause>,
}

impl Operation {
    /// Whether it is what the attempt asked for. All calls of ours bring a token.
    pub(super) fn is_of(&self, attempt: &Attempt) -> bool {
        self.token.as_ref().map_or(!attempt.doubtful, |token| *token == attempt.token)
    }
}

/// The stack's last operation, from events with the oldest first. Its failure is the first failed
/// event that does not only follow from another.
///
/// An operation that failed without a failed resource is explained by the stack's own events.
pub fn last_operation(events: &[StackEvent], stack: &StackId) -> Operation {
    let operation = last_of(events, stack);
    let is_own = |event: &&StackEvent| is_of(event, stack);
    let failed = |event: &&StackEvent| event.status.ends_with("_FAILED");
    let resource = first_failed(operation, stack);
    let rollback =
        |event: &&StackEvent| is_own(event) && event.status.contains("ROLLBACK_IN_PROGRESS");
    let stack = || operation.iter().filter(is_own).find(|event| failed(event) || rollback(event));
    let failure = resource.or_else(stack).map(|event| cause_of(event, &event.logical_id));
    let token = operation.iter().filter(is_own).find_map(|event| event.token.clone());
    Operation { token, failure }
}

/// A nested stack in which an operation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    /// Its ARN.
    pub stack: StackId,
    /// Its logical id, below those of the nested stacks that it stands in: `Child/Inner`.
    pub path: String,
    /// When its root's operation began.
    pub from: Moment,
    /// When it failed; what happens later is how it was taken back.
    pub until: Moment,
}

impl Inside {
    /// How many levels below its root it stands.
    pub fn depth(&self) -> usize {
        self.path.split('/').count()
    }
}

/// The nested stack whose events tell why the last operation of a stack failed, if what failed first
/// is one.
pub fn failed_inside(events: &[StackEvent], stack: &StackId) -> Option<Inside> {
    let operation = last_of(events, stack);
    let from = operation.first()?.at;
    inside(first_failed(operation, stack)?, "", from)
}

/// What failed first in a nested stack, and where to look further if that is one again.
pub fn cause_inside(events: &[StackEvent], within: &Inside) -> (Option<Cause>, Option<Inside>) {
    let Inside { stack, path, from, until } = within;
    let begin = events.partition_point(|event| event.at < *from);
    let end = events.partition_point(|event| event.at <= *until);
    let during = events.get(begin..end).unwrap_or_default();
    let Some(event) = first_failed(during, stack) else { return (None, None) };
    let cause = cause_of(event, &format!("{path}/{}", event.logical_id));
    (Some(cause), inside(event, path, *from))
}

/// Logical ids of what failed by itself since the last rollback of an update of the stack began:
/// what failed before that, and was not tried again, cannot be skipped.
pub fn failed_to_go_back(events: &[StackEvent], stack: &StackId) -> BTreeSet<String> {
    let begins =
        |event: &StackEvent| is_of(event, stack) && event.status == "UPDATE_ROLLBACK_IN_PROGRESS";
    let Some(start) = events.iter().rposition(begins) else { return BTreeSet::new() };
    let failed = events[start..].iter().filter(|event| event.status == "UPDATE_FAILED");
    let by_itself = |event: &&StackEvent| {
        !is_of(event, stack) && !is_follower(event.reason.as_deref().unwrap_or_default())
    };
    failed.filter(by_itself).map(|event| event.logical_id.clone()).collect()
}

fn inside(event: &StackEvent, above: &str, from: Moment) -> Option<Inside> {
    let id = event.physical_id.as_deref().filter(|id| id.starts_with("arn:"))?;
    let path = [above, &event.logical_id].join("/");
    (event.kind == NESTED_STACK).then(|| Inside {
        stack: StackId::of(id),
        path: path.trim_start_matches('/').to_owned(),
        from,
        until: event.at,
    })
}

/// The events of the stack's last operation.
fn last_of<'a>(events: &'a [StackEvent], stack: &StackId) -> &'a [StackEvent] {
    let begins = |event: &StackEvent| {
        let starts = ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"];
        is_of(event, stack) && starts.contains(&event.status.as_str())
    };
    &events[events.iter().rposition(begins).unwrap_or(0)..]
}

/// The first resource that failed by itself.
fn first_failed<'a>(events: &'a [StackEvent], stack: &StackId) -> Option<&'a StackEvent> {
    let failed = events.iter().filter(|event| event.status.ends_with("_FAILED"));
    let follows = |event: &StackEvent| is_follower(event.reason.as_deref().unwrap_or_default());
    failed.into_iter().find(|event| !is_of(event, stack) && !follows(event))
}

fn is_of(event: &StackEvent, stack: &StackId) -> bool {
    event.physical_id.as_deref() == Some(stack.as_str())
}

fn cause_of(event: &StackEvent, path: &str) -> Cause {
    let reason = event.reason.as_deref().unwrap_or("AWS gave no reason");
    Cause::of_event(&event.status, reason, path, &event.kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::Moment;

    fn event(id: &str, status: &str, reason: &str) -> StackEvent {
        StackEvent {
            at: Moment::from_millis(0),
            logical_id: id.into(),
            physical_id: Some(format!("arn:{id}")),
            kind: if id == "stack" { "AWS::CloudFormation::Stack" } else { "AWS::SQS::Queue" }
                .into(),
            status: status.into(),
            reason: (!reason.is_empty()).then(|| reason.into()),
            token: None,
        }
    }

    #[test]
    fn the_cause_is_the_first_resource_that_failed_by_itself_in_the_last_operation() {
        let mut events = [
            event("stack", "UPDATE_ROLLBACK_COMPLETE", ""),
            event("B", "UPDATE_FAILED", "Resource update cancelled"),
            event("A", "UPDATE_FAILED", "no such thing"),
            event("stack", "UPDATE_IN_PROGRESS", "User Initiated"),
            event("Old", "CREATE_FAILED", "long ago"),
        ];
        events.reverse();
        let operation = last_operation(&events, &StackId::of("arn:stack"));
        let cause = operation.failure.expect("a cause");
        assert_eq!(cause.to_string(), "A (AWS::SQS::Queue): UPDATE_FAILED: no such thing");
    }

    #[test]
    fn only_what_failed_since_the_rollback_began_can_be_skipped() {
        let events = [
            event("stack", "UPDATE_IN_PROGRESS", "User Initiated"),
            event("A", "UPDATE_FAILED", "no such thing"),
            event("stack", "UPDATE_ROLLBACK_IN_PROGRESS", ""),
            event("B", "UPDATE_FAILED", "it is locked"),
            event("C", "UPDATE_FAILED", "Resource update cancelled"),
            event("stack", "UPDATE_ROLLBACK_FAILED", ""),
        ];
        let stack = StackId::of("arn:stack");
        assert_eq!(failed_to_go_back(&events, &stack), ["B".to_owned()].into());
        assert!(failed_to_go_back(&events[..2], &stack).is_empty());
    }

    #[test]
    fn what_failed_in_a_nested_stack_is_looked_for_there_up_to_when_it_failed() {
        let at = |seconds: u64, event: StackEvent| StackEvent {
            at: Moment::from_millis(seconds * 1_000),
            ..event
        };
        let nested = |id: &str, status: &str, reason: &str| StackEvent {
            kind: NESTED_STACK.into(),
            ..event(id, status, reason)
        };
        let root = [
            at(10, event("stack", "UPDATE_IN_PROGRESS", "User Initiated")),
            at(30, nested("Child", "UPDATE_FAILED", "Embedded stack arn:Child was not")),
            at(50, event("stack", "UPDATE_ROLLBACK_COMPLETE", "")),
        ];
        let child = [
            at(5, event("Old", "CREATE_FAILED", "long ago")),
            at(12, nested("Child", "UPDATE_IN_PROGRESS", "")),
            at(20, nested("Inner", "UPDATE_FAILED", "Embedded stack arn:Inner was not")),
            at(40, event("Jobs", "UPDATE_FAILED", "it cannot go back")),
        ];
        let inner = [at(18, event("Jobs", "UPDATE_FAILED", "no such thing"))];
        let found = failed_inside(&root, &StackId::of("arn:stack")).expect("a nested stack");
        assert_eq!((found.path.as_str(), found.stack.as_str()), ("Child", "arn:Child"));
        let (cause, found) = cause_inside(&child, &found);
        assert_eq!(cause.expect("a cause").text, "Embedded stack arn:Inner was not");
        let (cause, found) = cause_inside(&inner, &found.expect("a nested stack in it"));
        let text = "Child/Inner/Jobs (AWS::SQS::Queue): UPDATE_FAILED: no such thing";
        assert_eq!((cause.expect("a cause").to_string().as_str(), found), (text, None));
    }

    #[test]
    fn an_operation_without_a_failed_resource_is_explained_by_the_stack() {
        let events = [
            event("stack", "CREATE_IN_PROGRESS", "User Initiated"),
            event("stack", "ROLLBACK_IN_PROGRESS", "Internal Failure"),
            event("stack", "ROLLBACK_COMPLETE", ""),
        ];
        let operation = last_operation(&events, &StackId::of("arn:stack"));
        let cause = operation.failure.expect("a cause");
        assert_eq!(cause.text, "Internal Failure");
    }

    #[test]
    fn what_was_cancelled_is_no_cause_even_when_it_is_told_first() {
        let events = [
            event("stack", "CREATE_IN_PROGRESS", "User Initiated"),
            event("B", "CREATE_FAILED", "Resource creation cancelled"),
            event("A", "CREATE_FAILED", "no such thing"),
            event("stack", "ROLLBACK_IN_PROGRESS", "these failed: A, B"),
        ];
        let operation = last_operation(&events, &StackId::of("arn:stack"));
        let cause = operation.failure.expect("a cause");
        assert_eq!(cause.text, "no such thing");
    }
}
