//! CreateStack.

use crate::ids::StackName;
use crate::sim::cloudformation::context::Context;
use crate::sim::cloudformation::policy;
use crate::sim::cloudformation::requested::Requested;
use crate::sim::cloudformation::start::{Launch, start_creation};
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::state::Stack;
use crate::sim::timeline::OnFailure;
use crate::sim::wire::Form;
use crate::sim::xml::Xml;

/// AWS's limit for the names of stacks and change sets, in characters.
const MAX_NAME: usize = 128;

pub(crate) fn create_stack(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let fingerprint = form.fingerprint();
    let name = form.required("StackName")?;
    let on_failure = form.optional("OnFailure");
    let policy = form.optional("StackPolicyBody");
    let protected = form.boolean("EnableTerminationProtection")?.unwrap_or(false);
    let requested = Requested::take(&mut form)?;
    let launch = Launch::take("CreateStack", &fingerprint, &mut form)?;
    form.finish("CreateStack")?;
    policy.as_deref().map(policy::check).transpose()?;
    let on_failure = on_failure_of(on_failure.as_deref(), launch.disable_rollback)?;
    if let Some(existing) = context.stack(&name) {
        if launch.repeats(existing)? {
            return Ok(stack_id(&existing.id));
        }
        return Err(already_exists(&name));
    }
    let (definition, _) = requested.definition(context, None)?;
    let id = new_shell(context, &name)?;
    if let Err(refusal) = start_creation(context, &name, definition, on_failure, &launch) {
        context.place().stacks.remove(&name);
        return Err(refusal);
    }
    let stack = context.live(&name)?;
    stack.protected = protected;
    stack.policy = policy;
    Ok(stack_id(&id))
}

/// `OnFailure` and `DisableRollback` as one decision.
pub(crate) fn on_failure_of(word: Option<&str>, disable_rollback: bool) -> Answer<OnFailure> {
    match word {
        None if disable_rollback => Ok(OnFailure::DoNothing),
        None | Some("ROLLBACK") => Ok(OnFailure::Rollback),
        Some("DO_NOTHING") => Ok(OnFailure::DoNothing),
        Some("DELETE") => Ok(OnFailure::Delete),
        Some(other) => Err(Refusal::validation(format!(
            "1 validation error detected: Value '{other}' at 'onFailure' failed to satisfy \
             constraint: Member must satisfy enum value set: [ROLLBACK, DELETE, DO_NOTHING]"
        ))),
    }
}

/// Puts a stack without anything in it into the account.
pub(crate) fn new_shell(context: &mut Context<'_>, name: &str) -> Answer<String> {
    check_name(name, "stackName")?;
    if context.place().stacks.len() >= context.settings.stack_limit {
        let text = "Limit for stack has been exceeded";
        return Err(Refusal::new("LimitExceededException", text));
    }
    let id = context.arn("stack", name);
    let stack = Stack::new(id.as_str().into(), name.into(), context.now);
    context.place().stacks.insert(name.to_owned(), stack);
    context.changed = true;
    Ok(id)
}

/// The rule for the names of stacks and change sets.
pub(crate) fn check_name(name: &str, member: &str) -> Answer<()> {
    if name.parse::<StackName>().is_ok() {
        return Ok(());
    }
    let rule = if name.len() > MAX_NAME {
        format!("Member must have length less than or equal to {MAX_NAME}")
    } else {
        "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*".to_owned()
    };
    Err(Refusal::constraint(name, member, &rule))
}

/// AWS's answer to a second stack of one name.
pub(crate) fn already_exists(name: &str) -> Refusal {
    Refusal::new("AlreadyExistsException", format!("Stack [{name}] already exists"))
}

/// The answer that names the stack.
pub(crate) fn stack_id(id: &str) -> Xml {
    let mut xml = Xml::default();
    xml.text("StackId", id);
    xml
}
