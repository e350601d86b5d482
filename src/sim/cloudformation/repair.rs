//! Ways out of an update that does not end well.

use std::collections::{BTreeMap, BTreeSet};

use crate::sim::cloudformation::context::Context;
use crate::sim::cloudformation::create::stack_id;
use crate::sim::cloudformation::start::{Launch, install};
use crate::sim::cloudformation::update::existing;
use crate::sim::phase::{Draft, UPDATE_CANCELLED};
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::state::Stack;
use crate::sim::status::Status;
use crate::sim::timeline::{Fate, rollback_of_creation, rollback_of_update};
use crate::sim::wire::Form;
use crate::sim::xml::Xml;

pub(crate) fn continue_update_rollback(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let fingerprint = form.fingerprint();
    let name = form.required("StackName")?;
    let skipped = form.list("ResourcesToSkip").unwrap_or_default();
    let launch = Launch::take("ContinueUpdateRollback", &fingerprint, &mut form)?;
    form.finish("ContinueUpdateRollback")?;
    let stack = existing(context, &name)?;
    if launch.repeats(&stack)? {
        return Ok(Xml::default());
    }
    if stack.status != Status::UPDATE_ROLLBACK_FAILED {
        return Err(Refusal::validation(format!(
            "Stack:{} is in {} state and can not continue rolling back.",
            stack.id, stack.status
        )));
    }
    if let Some(name) = skipped.iter().find(|name| !may_be_skipped(&stack, name)) {
        return Err(Refusal::validation(format!(
            "ResourcesToSkip [{name}] must be in UPDATE_FAILED state because its rollback failed"
        )));
    }
    roll_back_update(context, &stack, &skipped.into_iter().collect(), &launch)?;
    Ok(Xml::default())
}

/// Only what failed to roll back by itself may be skipped, not what was cancelled meanwhile.
fn may_be_skipped(stack: &Stack, logical_id: &str) -> bool {
    stack.resources.get(logical_id).is_some_and(|resource| {
        resource.status == Status::UPDATE_FAILED
            && resource.reason.as_deref() != Some(UPDATE_CANCELLED)
    })
}

pub(crate) fn rollback_stack(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let fingerprint = form.fingerprint();
    let name = form.required("StackName")?;
    let launch = Launch::take("RollbackStack", &fingerprint, &mut form)?;
    form.finish("RollbackStack")?;
    let stack = existing(context, &name)?;
    if launch.repeats(&stack)? {
        return Ok(stack_id(&stack.id));
    }
    if stack.status == Status::UPDATE_FAILED {
        roll_back_update(context, &stack, &BTreeSet::new(), &launch)?;
    } else if stack.status == Status::CREATE_FAILED {
        let mut decide = context.fate(&stack, BTreeMap::new());
        let (now, pace) = (context.now, context.pace(launch.express));
        let mut fate = Fate { of: &mut decide };
        let steps = rollback_of_creation(stack.resources.clone(), now, pace, &mut fate);
        install(context.live(&stack.name)?, &launch, steps);
    } else {
        return Err(Refusal::validation(format!(
            "Stack:{} is in {} state and can not be rolled back.",
            stack.id, stack.status
        )));
    }
    Ok(stack_id(&stack.id))
}

pub(crate) fn cancel_update_stack(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let fingerprint = form.fingerprint();
    let name = form.required("StackName")?;
    let launch = Launch::take("CancelUpdateStack", &fingerprint, &mut form)?;
    form.finish("CancelUpdateStack")?;
    let stack = existing(context, &name)?;
    if launch.repeats(&stack)? {
        return Ok(Xml::default());
    }
    if stack.status != Status::UPDATE_IN_PROGRESS {
        return Err(Refusal::validation(format!(
            "CancelUpdateStack cannot be called from current stack status {}",
            stack.status
        )));
    }
    roll_back_update(context, &stack, &BTreeSet::new(), &launch)?;
    Ok(Xml::default())
}

fn roll_back_update(
    context: &mut Context<'_>,
    stack: &Stack,
    skipped: &BTreeSet<String>,
    launch: &Launch,
) -> Answer<()> {
    let previous = stack.previous.as_ref().ok_or_else(|| {
        Refusal::validation(format!("Stack:{} has nothing to roll back to.", stack.id))
    })?;
    let draft = Draft::new(context.now, stack.resources.clone(), context.pace(launch.express));
    let mut decide = context.fate(stack, BTreeMap::new());
    let mut fate = Fate { of: &mut decide };
    let steps = rollback_of_update(draft, &previous.resources, skipped, &mut fate);
    install(context.live(&stack.name)?, launch, steps);
    Ok(())
}
