//! DeleteStack.

use crate::sim::cloudformation::context::Context;
use crate::sim::cloudformation::start::{Launch, start_deletion};
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::status::Status;
use crate::sim::timeline::Deletion;
use crate::sim::wire::Form;
use crate::sim::xml::Xml;

pub(crate) fn delete_stack(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let fingerprint = form.fingerprint();
    let name_or_id = form.required("StackName")?;
    let retained = form.list("RetainResources").unwrap_or_default();
    let mode = form.optional("DeletionMode");
    let launch = Launch::take("DeleteStack", &fingerprint, &mut form)?;
    form.finish("DeleteStack")?;
    let forced = match mode.as_deref() {
        None | Some("STANDARD") => false,
        Some("FORCE_DELETE_STACK") => true,
        Some(other) => return Err(Refusal::validation(format!("`{other}` is no deletion mode"))),
    };
    // AWS answers success for a stack that is not there: the wish is fulfilled.
    let Some(stack) = context.stack(&name_or_id) else { return Ok(Xml::default()) };
    let going = [Status::DELETE_COMPLETE, Status::DELETE_IN_PROGRESS];
    if launch.repeats(stack)? || going.contains(&stack.status) {
        return Ok(Xml::default());
    }
    let name = stack.name.clone();
    // A nested stack is as protected as its root.
    let root = stack.nested.as_ref().and_then(|nested| context.stack(&nested.root));
    if let Some(kept) = [Some(stack), root].into_iter().flatten().find(|stack| stack.protected) {
        return Err(Refusal::validation(format!(
            "Stack [{}] cannot be deleted while TerminationProtection is enabled",
            kept.name
        )));
    }
    context.family_rests(stack)?;
    may_be_deleted(stack.status.as_str(), &stack.id)?;
    let failed = stack.status == Status::DELETE_FAILED;
    if (forced || !retained.is_empty()) && !failed {
        return Err(Refusal::validation(format!(
            "Invalid operation on stack [{}]. RetainResources and FORCE_DELETE_STACK can be \
             specified only when the stack is in the DELETE_FAILED state",
            stack.id
        )));
    }
    if let Some(name) = retained.iter().find(|name| !stack.resources.contains_key(*name)) {
        return Err(Refusal::validation(format!(
            "The specified resources to retain must be in a valid state: resource {name} does \
             not exist in the stack"
        )));
    }
    let deletion = Deletion { retained: retained.into_iter().collect(), forced };
    start_deletion(context, &name, &deletion, &launch)?;
    Ok(Xml::default())
}

/// A running creation may be deleted, any other running operation must end first.
fn may_be_deleted(status: &str, id: &str) -> Answer<()> {
    let running = status.ends_with("_IN_PROGRESS");
    if running && !["CREATE_IN_PROGRESS", "REVIEW_IN_PROGRESS"].contains(&status) {
        return Err(Refusal::validation(format!(
            "Stack [{id}] cannot be deleted while in status {status}"
        )));
    }
    Ok(())
}
