//! CloudFormation's query API over the state of one account and region.

mod change_set;
mod context;
mod create;
mod delete;
mod describe;
mod describe_change_set;
mod describe_drift;
mod detect_drift;
mod differences;
mod events;
mod limits;
mod nested;
mod nested_sets;
mod policy;
mod repair;
mod requested;
mod reversal;
mod settings;
mod start;
mod summary;
mod update;

pub(crate) use context::Context;

use crate::sim::refusal::{Answer, Refusal};
use crate::sim::wire::Form;
use crate::sim::xml::Xml;

/// The version of the API that clients send along.
const VERSION: &str = "2010-05-15";

/// The actions whose answer is empty by AWS's model: it has no element for a result, not even an
/// empty one.
const WITHOUT_RESULT: [&str; 3] = ["CancelUpdateStack", "DeleteStack", "SetStackPolicy"];

/// One action of the API.
pub(crate) struct Action {
    pub(crate) name: &'static str,
    pub(crate) mutating: bool,
    answer: fn(&mut Context<'_>, Form) -> Answer<Xml>,
}

macro_rules! actions {
    ($($name:literal $mutating:literal $answer:path;)*) => {
        const ACTIONS: &[Action] =
            &[$(Action { name: $name, mutating: $mutating, answer: $answer }),*];
    };
}

actions! {
    "CancelUpdateStack" true repair::cancel_update_stack;
    "ContinueUpdateRollback" true repair::continue_update_rollback;
    "CreateChangeSet" true change_set::create_change_set;
    "CreateStack" true create::create_stack;
    "DeleteChangeSet" true change_set::delete_change_set;
    "DeleteStack" true delete::delete_stack;
    "DescribeAccountLimits" false limits::describe_account_limits;
    "DescribeChangeSet" false describe_change_set::describe_change_set;
    "DescribeStackDriftDetectionStatus" false describe_drift::describe_stack_drift_detection_status;
    "DescribeStackEvents" false events::describe_stack_events;
    "DescribeStackResource" false describe::describe_stack_resource;
    "DescribeStackResourceDrifts" false describe_drift::describe_stack_resource_drifts;
    "DescribeStackResources" false describe::describe_stack_resources;
    "DescribeStacks" false describe::describe_stacks;
    "DetectStackDrift" false detect_drift::detect_stack_drift;
    "DetectStackResourceDrift" false detect_drift::detect_stack_resource_drift;
    "ExecuteChangeSet" true change_set::execute_change_set;
    "GetStackPolicy" false settings::get_stack_policy;
    "GetTemplate" false describe::get_template;
    "GetTemplateSummary" false summary::get_template_summary;
    "ListChangeSets" false describe_change_set::list_change_sets;
    "ListStackResources" false describe::list_stack_resources;
    "ListStacks" false describe::list_stacks;
    "RollbackStack" true repair::rollback_stack;
    "SetStackPolicy" true settings::set_stack_policy;
    "UpdateStack" true update::update_stack;
    "UpdateTerminationProtection" true settings::update_termination_protection;
    "ValidateTemplate" false summary::validate_template;
}

/// The names of all actions.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ACTIONS.iter().map(|action| action.name)
}

/// The action that a request asks for.
pub(crate) fn action(form: &mut Form) -> Answer<&'static Action> {
    let name = form.required("Action")?;
    let version = form.required("Version")?;
    if version != VERSION {
        return Err(Refusal::not_simulated(format!("version {version} of CloudFormation")));
    }
    action_named(&name)
}

/// The action of this name.
pub(crate) fn action_named(name: &str) -> Answer<&'static Action> {
    let known = ACTIONS.iter().find(|action| action.name == name);
    known.ok_or_else(|| Refusal::not_simulated(format!("the CloudFormation action `{name}`")))
}

/// Carries an action out and wraps its answer as the protocol wants it.
pub(crate) fn answer(
    context: &mut Context<'_>,
    action: &Action,
    form: Form,
    request_id: &str,
) -> Answer<String> {
    let result = (action.answer)(context, form)?.into_string();
    let name = action.name;
    let result = match WITHOUT_RESULT.contains(&name) {
        true => result,
        false => format!("<{name}Result>{result}</{name}Result>"),
    };
    Ok(format!(
        "<{name}Response xmlns=\"http://cloudformation.amazonaws.com/doc/{VERSION}/\">{result}\
         <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
    ))
}
