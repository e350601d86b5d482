//! UpdateStack, and what must hold before any update.

use std::collections::BTreeSet;

use crate::sim::cloudformation::context::Context;
use crate::sim::cloudformation::create::stack_id;
use crate::sim::cloudformation::differences::differences;
use crate::sim::cloudformation::policy;
use crate::sim::cloudformation::requested::Requested;
use crate::sim::cloudformation::start::{Launch, Update, start_update};
use crate::sim::evaluate::Trouble;
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::state::{Definition, Stack};
use crate::sim::status::Status;
use crate::sim::wire::Form;
use crate::sim::xml::Xml;

pub(crate) fn update_stack(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let fingerprint = form.fingerprint();
    let name_or_id = form.required("StackName")?;
    let policy = form.optional("StackPolicyBody");
    let requested = Requested::take(&mut form)?;
    let launch = Launch::take("UpdateStack", &fingerprint, &mut form)?;
    form.finish("UpdateStack")?;
    policy.as_deref().map(policy::check).transpose()?;
    let stack = existing(context, &name_or_id)?;
    if launch.repeats(&stack)? {
        return Ok(stack_id(&stack.id));
    }
    may_be_updated(&stack, launch.disable_rollback)?;
    context.family_rests(&stack)?;
    let (definition, _) = requested.definition(context, Some(&stack.definition))?;
    let update = plan(context, &stack, definition).map_err(|trouble| match trouble {
        Trouble::Refused(refusal) => refusal,
        Trouble::NoExport(text) | Trouble::NoOutput(text) => Refusal::validation(text),
    })?;
    if update.difference.is_empty() {
        return Err(Refusal::validation("No updates are to be performed."));
    }
    start_update(context, &stack.name, update, &launch)?;
    if policy.is_some() {
        context.live(&stack.name)?.policy = policy;
    }
    Ok(stack_id(&stack.id))
}

/// The stack that is to be changed; a copy, since much is looked up while it is changed.
pub(crate) fn existing(context: &Context<'_>, name_or_id: &str) -> Answer<Stack> {
    let live = |stack: &&Stack| stack.status != Status::DELETE_COMPLETE;
    context
        .stack(name_or_id)
        .filter(live)
        .cloned()
        .ok_or_else(|| Refusal::validation(format!("Stack [{name_or_id}] does not exist")))
}

/// Whether the stack's status lets an update begin.
pub(crate) fn may_be_updated(stack: &Stack, disable_rollback: bool) -> Answer<()> {
    let complete = [
        Status::CREATE_COMPLETE,
        Status::UPDATE_COMPLETE,
        Status::UPDATE_ROLLBACK_COMPLETE,
        Status::IMPORT_COMPLETE,
        Status::IMPORT_ROLLBACK_COMPLETE,
    ];
    let preserved = [Status::CREATE_FAILED, Status::UPDATE_FAILED];
    if complete.contains(&stack.status) || (disable_rollback && preserved.contains(&stack.status)) {
        return Ok(());
    }
    if preserved.contains(&stack.status) {
        return Err(Refusal::validation(format!(
            "This stack is currently in a non-terminal [{}] state. To update the stack from this \
             state, please use the disable-rollback parameter with update-stack command. To \
             rollback to the last known good state, use the rollback-stack command",
            stack.status
        )));
    }
    Err(Refusal::validation(format!(
        "Stack:{} is in {} state and can not be updated.",
        stack.id, stack.status
    )))
}

/// What a definition would change in a stack.
pub(crate) fn plan(
    context: &mut Context<'_>,
    stack: &Stack,
    definition: Definition,
) -> Result<Update, Trouble> {
    let body = context.library.find(&definition.template)?;
    let old = context.library.find(&stack.definition.template)?;
    let names = (&*stack.name, &*stack.id);
    let blueprint = context.blueprint(&body, &definition, names, &stack.resources)?;
    let was = old.processed(&stack.definition.parameters);
    let is = body.processed(&definition.parameters);
    let difference = differences(stack, was.template(), is.template(), &definition, &blueprint)?;
    Ok(Update { definition, blueprint, difference, reverts: BTreeSet::new() })
}
