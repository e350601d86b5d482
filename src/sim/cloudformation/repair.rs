//! Ways out of an update that does not end well.

use std::collections::BTreeMap;

use crate::moment::Moment;
use crate::sim::cloudformation::context::Context;
use crate::sim::cloudformation::create::stack_id;
use crate::sim::cloudformation::start::{Launch, install};
use crate::sim::cloudformation::update::existing;
use crate::sim::family::NESTED_STACK;
use crate::sim::phase::UPDATE_CANCELLED;
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::state::{Event, Stack};
use crate::sim::status::Status;
use crate::sim::timeline::{Fate, rollback_of_creation, rollback_of_update};
use crate::sim::wire::Form;
use crate::sim::works::Skips;
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
    if stack.nested.is_some() {
        let text = "RollbackUpdatedStack cannot be invoked on child stacks";
        return Err(Refusal::validation(text));
    }
    if stack.status != Status::UPDATE_ROLLBACK_FAILED {
        return Err(Refusal::validation(format!(
            "Stack:{} is in {} state and can not continue rolling back.",
            stack.id, stack.status
        )));
    }
    context.family_rests(&stack)?;
    let skips = skips(context, &stack, &skipped)?;
    roll_back_update(context, &stack, &skips, &launch)?;
    Ok(Xml::default())
}

/// `LogicalId`, or `NestedStackName.LogicalId` with the name and not the logical id of the nested
/// stack.
fn skips(context: &Context<'_>, stack: &Stack, names: &[String]) -> Answer<Skips> {
    let mut skips = Skips::new();
    for name in names {
        let (owner, logical_id) = match name.split_once('.') {
            None => (stack, name.as_str()),
            Some((nested, logical_id)) => {
                let is_below = |one: &&Stack| {
                    one.nested.as_ref().is_some_and(|nested| nested.root == stack.id)
                };
                let found = context.stack(nested).filter(is_below);
                let missing = || Refusal::validation(format!("Stack [{nested}] does not exist"));
                (found.ok_or_else(missing)?, logical_id)
            }
        };
        if !may_be_skipped(context, owner, logical_id) {
            return Err(Refusal::validation(format!(
                "ResourcesToSkip [{name}] must be in UPDATE_FAILED state because its rollback \
                 failed"
            )));
        }
        skips.entry(owner.name.to_string()).or_default().insert(logical_id.to_owned());
    }
    Ok(skips)
}

/// Only what failed to roll back by itself may be skipped, not what was cancelled meanwhile or failed
/// before the rollback and was not tried again. A nested stack may be skipped as a whole only when somebody has deleted it, or tried to.
fn may_be_skipped(context: &Context<'_>, stack: &Stack, logical_id: &str) -> bool {
    let gone = [Status::DELETE_IN_PROGRESS, Status::DELETE_COMPLETE, Status::DELETE_FAILED];
    stack.resources.get(logical_id).is_some_and(|resource| {
        let is_nested = &*resource.kind == NESTED_STACK;
        let inside = context.stack(&resource.physical_id).filter(|_| is_nested);
        resource.status == Status::UPDATE_FAILED
            && resource.reason.as_deref() != Some(UPDATE_CANCELLED)
            && resource.changed_at >= rollback_began(stack)
            && inside.is_none_or(|inside| gone.contains(&inside.status))
    })
}

/// When the last rollback of an update began.
fn rollback_began(stack: &Stack) -> Moment {
    let begins = |event: &&Event| {
        event.resource.is_none() && event.status == Status::UPDATE_ROLLBACK_IN_PROGRESS
    };
    stack.events.iter().rev().find(begins).map_or(Moment::default(), |event| event.at)
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
    refuse_nested(&stack, "RollbackStack")?;
    context.family_rests(&stack)?;
    if stack.status == Status::UPDATE_FAILED {
        roll_back_update(context, &stack, &Skips::new(), &launch)?;
    } else if stack.status == Status::CREATE_FAILED {
        let mut decide = context.fate(BTreeMap::new());
        let draft = context.draft(&stack, launch.express);
        let steps = rollback_of_creation(draft, &mut Fate { of: &mut decide });
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
    refuse_nested(&stack, "CancelUpdateStack")?;
    if stack.status != Status::UPDATE_IN_PROGRESS {
        return Err(Refusal::validation(format!(
            "CancelUpdateStack cannot be called from current stack status {}",
            stack.status
        )));
    }
    roll_back_update(context, &stack, &Skips::new(), &launch)?;
    Ok(Xml::default())
}

/// What AWS answers to these for a nested stack, nobody has told.
fn refuse_nested(stack: &Stack, action: &str) -> Answer<()> {
    if stack.nested.is_none() {
        return Ok(());
    }
    Err(Refusal::not_simulated(format!("{action} on a nested stack")))
}

fn roll_back_update(
    context: &mut Context<'_>,
    stack: &Stack,
    skips: &Skips,
    launch: &Launch,
) -> Answer<()> {
    let previous = stack.previous.as_ref().ok_or_else(|| {
        Refusal::validation(format!("Stack:{} has nothing to roll back to.", stack.id))
    })?;
    let draft = context.draft(stack, launch.express);
    let mut decide = context.fate(BTreeMap::new());
    let mut fate = Fate { of: &mut decide };
    let steps = rollback_of_update(draft, &previous.resources, skips, &mut fate);
    install(context.live(&stack.name)?, launch, steps);
    Ok(())
}
