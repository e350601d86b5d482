//! Why an operation failed: the first thing in its events that failed by itself.

use crate::ids::StackId;
use crate::observed::StackEvent;
use crate::outcome::{Attempt, Cause};

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
    let is_own = |event: &&StackEvent| event.physical_id.as_deref() == Some(stack.as_str());
    let begins = |event: &StackEvent| {
        let starts = ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"];
        is_own(&event) && starts.contains(&event.status.as_str())
    };
    let operation = &events[events.iter().rposition(begins).unwrap_or(0)..];
    let failed = |event: &&StackEvent| event.status.ends_with("_FAILED");
    let follows = |event: &&StackEvent| is_follower(event.reason.as_deref().unwrap_or_default());
    let resource = operation.iter().filter(failed).find(|event| !is_own(event) && !follows(event));
    let rollback =
        |event: &&StackEvent| is_own(event) && event.status.contains("ROLLBACK_IN_PROGRESS");
    let stack = || operation.iter().filter(is_own).find(|event| failed(event) || rollback(event));
    let failure = resource.or_else(stack).map(|event| {
        let reason = event.reason.as_deref().unwrap_or("AWS gave no reason");
        Cause::of_event(&event.status, reason, &event.logical_id, &event.kind)
    });
    let token = operation.iter().filter(is_own).find_map(|event| event.token.clone());
    Operation { token, failure }
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
