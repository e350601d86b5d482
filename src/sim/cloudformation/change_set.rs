//! Change sets: created, executed, deleted.

use std::time::Duration;

use crate::sim::cloudformation::context::Context;
use crate::sim::cloudformation::create::{check_name, new_shell, on_failure_of};
use crate::sim::cloudformation::nested_sets::{
    add_below, listed_below, may_be_deleted, settle_below,
};
use crate::sim::cloudformation::requested::Requested;
use crate::sim::cloudformation::reversal::{Sight, plan_reversal, plan_set};
use crate::sim::cloudformation::start::{Launch, deployment_config, start_creation, start_update};
use crate::sim::cloudformation::update::{existing, may_be_updated, plan};
use crate::sim::evaluate::Trouble;
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::state::{ChangeSet, Definition, Stack};
use crate::sim::status::Status;
use crate::sim::wire::Form;
use crate::sim::xml::Xml;

/// How long AWS computes a change set, in seconds.
const COMPUTING_SECONDS: f64 = 4.0;
/// What an empty change set says.
const NO_CHANGES: &str = "The submitted information didn't contain changes. Submit different \
                          information to create a change set.";

/// What AWS says of a complete set of a nested stack.
const OF_A_NESTED_STACK: &str = "Executable from root change set";

/// How many change sets AWS keeps of a stack, failed ones included; as users who met it report.
const MAX_CHANGE_SETS: usize = 1_000;
/// AWS's limit for the description of a change set, in characters.
const MAX_DESCRIPTION: usize = 1_024;

/// What is asked of a new change set, besides the definition.
struct Wish {
    name: String,
    description: Option<String>,
    /// The client's token with a fingerprint of the request.
    token: Option<String>,
    creates: bool,
    on_failure: Option<String>,
    express: bool,
    disable_rollback: Option<bool>,
    /// Whether it is drift-aware, and whether it looks into nested stacks.
    sight: Sight,
}

impl Wish {
    fn take(form: &mut Form) -> Answer<Self> {
        let fingerprint = form.fingerprint();
        let creates = match form.optional("ChangeSetType").as_deref() {
            None | Some("UPDATE") => false,
            Some("CREATE") => true,
            Some(other) => {
                return Err(Refusal::not_simulated(format!("change sets of type `{other}`")));
            }
        };
        let at_drift = match form.optional("DeploymentMode").as_deref() {
            None => false,
            Some("REVERT_DRIFT") => true,
            Some(other) => {
                let rule = "Member must satisfy enum value set: [REVERT_DRIFT]";
                return Err(Refusal::constraint(other, "deploymentMode", rule));
            }
        };
        if form.boolean("ImportExistingResources")? == Some(true) {
            return Err(Refusal::not_simulated("imports of existing resources"));
        }
        let nested = form.boolean("IncludeNestedStacks")? == Some(true);
        if nested && creates {
            return Err(Refusal::not_simulated("change sets that create nested stacks"));
        }
        let (express, disable_rollback) = deployment_config(form)?;
        let name = form.required("ChangeSetName")?;
        check_name(&name, "changeSetName")?;
        let description = form.optional("Description");
        if description.as_ref().is_some_and(|text| text.chars().count() > MAX_DESCRIPTION) {
            let rule = format!("Member must have length less than or equal to {MAX_DESCRIPTION}");
            return Err(Refusal::constraint("", "description", &rule));
        }
        let token = form.optional("ClientToken").map(|token| format!("{token} {fingerprint}"));
        Ok(Self {
            name,
            description,
            token,
            creates,
            on_failure: form.optional("OnStackFailure"),
            express,
            disable_rollback,
            sight: Sight { at_drift, nested },
        })
    }
}

pub(crate) fn create_change_set(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let stack_name = form.required("StackName")?;
    let mut wish = Wish::take(&mut form)?;
    wish.sight.at_drift &= !context.settings.ignores_deployment_mode;
    if wish.sight.at_drift && wish.creates {
        return Err(Refusal::not_simulated("drift-aware change sets that create a stack"));
    }
    let requested = Requested::take(&mut form)?.shown_first();
    form.finish("CreateChangeSet")?;
    let found = existing(context, &stack_name).ok();
    if let Some(answer) = found.as_ref().and_then(|stack| repeated(stack, &wish).transpose()) {
        return answer;
    }
    let previous = found.as_ref().filter(|stack| stack.status != Status::REVIEW_IN_PROGRESS);
    match (wish.creates, &found, previous) {
        (true, _, Some(_)) => {
            return Err(Refusal::validation(format!(
                "Stack [{stack_name}] already exists and cannot be created again with the \
                 changeSet [{}].",
                wish.name
            )));
        }
        (false, None, _) => {
            return Err(Refusal::validation(format!("Stack [{stack_name}] does not exist")));
        }
        (false, Some(stack), _) => {
            let disabled = wish.disable_rollback.unwrap_or(wish.express);
            may_be_updated(stack, disabled)?;
        }
        (true, _, None) => {}
    }
    if let Some(stack) = found.as_ref().filter(|stack| stack.change_sets.len() >= MAX_CHANGE_SETS) {
        let text = format!("ChangeSet limit exceeded for stack {}", stack.id);
        return Err(Refusal::new("LimitExceededException", text));
    }
    on_failure_of(wish.on_failure.as_deref(), false)?;
    let (definition, _) = requested.definition(context, previous.map(|stack| &stack.definition))?;
    if found.is_none() {
        new_shell(context, &stack_name)?;
        let now = context.now;
        let reason = Some("User Initiated".to_owned());
        context.live(&stack_name)?.enter(now, Status::REVIEW_IN_PROGRESS, reason);
    }
    add(context, &stack_name, wish, definition)
}

/// The answer to a request that was made before, by its token.
fn repeated(stack: &Stack, wish: &Wish) -> Answer<Option<Xml>> {
    match stack.change_sets.get(&wish.name) {
        None => Ok(None),
        Some(set) if set.token.is_some() && set.token == wish.token => {
            Ok(Some(names(&set.id, &stack.id)))
        }
        Some(set) => Err(Refusal::new(
            "AlreadyExistsException",
            format!("ChangeSet {} already exists", set.name),
        )),
    }
}

fn add(
    context: &mut Context<'_>,
    stack_name: &str,
    wish: Wish,
    definition: Definition,
) -> Answer<Xml> {
    let stack = existing(context, stack_name)?;
    let mut reverts = None;
    let mut blueprint = None;
    let planned = if stack.status == Status::REVIEW_IN_PROGRESS {
        context.plan_of_shell(&stack, &definition)
    } else {
        plan_set(context, &stack, definition.clone(), wish.sight).map(|(update, verdict)| {
            reverts = verdict;
            blueprint = Some(update.blueprint).filter(|_| wish.sight.nested);
            update.difference
        })
    };
    let (changes, failure) = match planned {
        Ok(difference) if difference.is_empty() => (Vec::new(), Some(NO_CHANGES.to_owned())),
        Ok(difference) => (difference.changes, None),
        Err(Trouble::NoExport(text) | Trouble::NoOutput(text)) => (Vec::new(), Some(text)),
        Err(Trouble::Refused(refusal)) if refusal.code == "ValidationError" => {
            (Vec::new(), Some(refusal.message))
        }
        Err(Trouble::Refused(refusal)) => return Err(refusal),
    };
    let id = context.arn("changeSet", &wish.name);
    let now = context.now;
    let mut set = ChangeSet {
        id: id.clone(),
        name: wish.name.clone(),
        description: wish.description,
        creates: wish.creates,
        created_at: now,
        ready_at: now + context.steady_pace().of(COMPUTING_SECONDS),
        failure,
        obsolete: false,
        executed: false,
        definition,
        changes,
        token: wish.token,
        on_failure: wish.on_failure,
        express: wish.express,
        disable_rollback: wish.disable_rollback,
        reverts,
        nested: wish.sight.nested,
        above: None,
    };
    if let Some(blueprint) = blueprint.filter(|_| set.failure.is_none()) {
        add_below(context, &blueprint, &mut set)?;
    }
    context.live(stack_name)?.change_sets.insert(wish.name, set);
    Ok(names(&id, &stack.id))
}

fn names(id: &str, stack_id: &str) -> Xml {
    let mut xml = Xml::default();
    xml.text("Id", id);
    xml.text("StackId", stack_id);
    xml
}

/// Status, execution status and reason of a change set at a moment.
pub(crate) fn state<'a>(
    context: &Context<'_>,
    stack: &Stack,
    set: &'a ChangeSet,
) -> (&'static str, &'static str, Option<&'a str>) {
    let now = context.now;
    let half: Duration = set.ready_at.since(set.created_at) / 2;
    if now < set.created_at + half {
        return ("CREATE_PENDING", "UNAVAILABLE", None);
    }
    if now < set.ready_at {
        return ("CREATE_IN_PROGRESS", "UNAVAILABLE", None);
    }
    match &set.failure {
        Some(text) => ("FAILED", "UNAVAILABLE", Some(text)),
        None if set.executed && at_work(context, stack, set) => {
            ("CREATE_COMPLETE", "EXECUTE_IN_PROGRESS", None)
        }
        None if set.executed => {
            let complete = [Status::CREATE_COMPLETE, Status::UPDATE_COMPLETE];
            let well = complete.contains(&stack.status);
            let word = if well { "EXECUTE_COMPLETE" } else { "EXECUTE_FAILED" };
            ("CREATE_COMPLETE", word, None)
        }
        None if set.obsolete => ("CREATE_COMPLETE", "OBSOLETE", None),
        None if set.above.is_some() => ("CREATE_COMPLETE", "UNAVAILABLE", Some(OF_A_NESTED_STACK)),
        None => ("CREATE_COMPLETE", "AVAILABLE", None),
    }
}

/// Whether the operation runs that the change set has started.
fn at_work(context: &Context<'_>, stack: &Stack, set: &ChangeSet) -> bool {
    let root = set.above.as_ref().and_then(|above| find(context, None, &above.root).ok());
    root.map_or(stack, |(stack, _)| stack).operation.is_some()
}

/// A change set by ARN, or by its name and its stack's name or ARN.
pub(crate) fn find<'a>(
    context: &'a Context<'_>,
    stack: Option<&str>,
    name_or_id: &str,
) -> Answer<(&'a Stack, &'a ChangeSet)> {
    let missing = || {
        Refusal::new("ChangeSetNotFound", format!("ChangeSet [{name_or_id}] does not exist"))
            .with_status(404)
    };
    if name_or_id.starts_with("arn:") {
        let stacks = context.look().into_iter().flat_map(|place| place.stacks.values());
        let sets = stacks.flat_map(|stack| stack.change_sets.values().map(move |set| (stack, set)));
        let found = sets.into_iter().find(|(_, set)| set.id == name_or_id);
        return found.ok_or_else(missing);
    }
    let Some(stack_name) = stack else {
        return Err(Refusal::validation(
            "StackName must be specified if ChangeSetName is not specified as an ARN.",
        ));
    };
    let no_stack = || Refusal::validation(format!("Stack [{stack_name}] does not exist"));
    let stack = context.stack(stack_name).ok_or_else(no_stack)?;
    stack.change_sets.get(name_or_id).map(|set| (stack, set)).ok_or_else(missing)
}

pub(crate) fn execute_change_set(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let fingerprint = form.fingerprint();
    let name = form.required("ChangeSetName")?;
    let stack_name = form.optional("StackName");
    let given_rollback = form.boolean("DisableRollback")?;
    let mut launch = Launch::take("ExecuteChangeSet", &fingerprint, &mut form)?;
    form.finish("ExecuteChangeSet")?;
    let (stack, set) = find(context, stack_name.as_deref(), &name)?;
    let (stack, set) = (stack.clone(), set.clone());
    if launch.repeats(&stack)? && set.executed {
        return Ok(Xml::default());
    }
    let (status, execution, _) = state(context, &stack, &set);
    if execution != "AVAILABLE" {
        let (what, word) = if status == "CREATE_COMPLETE" {
            ("execution status", execution)
        } else {
            ("status", status)
        };
        return Err(Refusal::new(
            "InvalidChangeSetStatus",
            format!("ChangeSet [{}] cannot be executed in its current {what} of [{word}]", set.id),
        ));
    }
    launch.express = set.express;
    launch.disable_rollback = given_rollback.or(set.disable_rollback).unwrap_or(set.express);
    if set.creates {
        let on_failure = on_failure_of(set.on_failure.as_deref(), launch.disable_rollback)?;
        start_creation(context, &stack.name, set.definition.clone(), on_failure, &launch)?;
    } else {
        may_be_updated(&stack, launch.disable_rollback)?;
        context.family_rests(&stack)?;
        let definition = set.definition.clone();
        let below = listed_below(context, &set)?;
        let update = match set.reverts {
            Some(_) => plan_reversal(context, &stack, definition, &set.changes, below),
            None => plan(context, &stack, definition),
        };
        let update = update.map_err(refused)?;
        start_update(context, &stack.name, update, &launch)?;
    }
    let stack = context.live(&stack.name)?;
    stack.change_sets.clear();
    let id = set.id.clone();
    stack.change_sets.insert(set.name.clone(), ChangeSet { executed: true, ..set });
    settle_below(context, Some(&id));
    Ok(Xml::default())
}

fn refused(trouble: Trouble) -> Refusal {
    match trouble {
        Trouble::Refused(refusal) => refusal,
        Trouble::NoExport(text) | Trouble::NoOutput(text) => Refusal::validation(text),
    }
}

pub(crate) fn delete_change_set(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let name = form.required("ChangeSetName")?;
    let stack_name = form.optional("StackName");
    form.finish("DeleteChangeSet")?;
    // AWS answers success for a set that is not there, and an error for a stack that is not.
    let (stack, set) = match find(context, stack_name.as_deref(), &name) {
        Ok((stack, set)) => {
            let (status, _, _) = state(context, stack, set);
            if status == "CREATE_PENDING" || status == "CREATE_IN_PROGRESS" {
                let text = format!("Cannot delete ChangeSet in status {status}");
                return Err(Refusal::new("InvalidChangeSetStatus", text));
            }
            may_be_deleted(set)?;
            (stack.name.clone(), set.name.clone())
        }
        Err(refusal) if refusal.code == "ChangeSetNotFound" => return Ok(Xml::default()),
        Err(refusal) => return Err(refusal),
    };
    context.live(&stack)?.change_sets.remove(&set);
    settle_below(context, None);
    Ok(Xml::default())
}
