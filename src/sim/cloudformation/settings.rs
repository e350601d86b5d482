//! Stack policy and termination protection: changed at once, in any status.

use crate::sim::cloudformation::context::Context;
use crate::sim::cloudformation::create::stack_id;
use crate::sim::cloudformation::policy;
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::wire::Form;
use crate::sim::xml::Xml;

pub(crate) fn set_stack_policy(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let name = form.required("StackName")?;
    let body = form.required("StackPolicyBody")?;
    form.finish("SetStackPolicy")?;
    policy::check(&body)?;
    context.live(&name)?.policy = Some(body);
    Ok(Xml::default())
}

pub(crate) fn get_stack_policy(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let name = form.required("StackName")?;
    form.finish("GetStackPolicy")?;
    let missing = || Refusal::validation(format!("Stack [{name}] does not exist"));
    let stack = context.stack(&name).ok_or_else(missing)?;
    let mut xml = Xml::default();
    xml.optional("StackPolicyBody", stack.policy.as_deref());
    Ok(xml)
}

pub(crate) fn update_termination_protection(
    context: &mut Context<'_>,
    mut form: Form,
) -> Answer<Xml> {
    let name = form.required("StackName")?;
    let enabled = form.boolean("EnableTerminationProtection")?;
    form.finish("UpdateTerminationProtection")?;
    let enabled = enabled.ok_or_else(|| {
        Refusal::validation("Value null at 'enableTerminationProtection' must not be null")
    })?;
    let stack = context.live(&name)?;
    if stack.nested.is_some() {
        let text = "Termination protection is set on the root stack, not on a nested one";
        return Err(Refusal::validation(text));
    }
    stack.protected = enabled;
    Ok(stack_id(&stack.id.clone()))
}
