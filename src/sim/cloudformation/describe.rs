//! Looking at stacks, their resources and their templates.

use crate::sim::cloudformation::change_set::find;
use crate::sim::cloudformation::context::Context;
use crate::sim::cloudformation::describe_drift::{
    write_resource_information, write_stack_information,
};
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::secrets::MASK;
use crate::sim::state::{ParameterValue, Resource, Stack};
use crate::sim::status::Status;
use crate::sim::wire::Form;
use crate::sim::xml::Xml;
use crate::template::mangle;

pub(crate) fn describe_stacks(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let name = form.optional("StackName").filter(|name| !name.is_empty());
    let token = form.optional("NextToken");
    form.finish("DescribeStacks")?;
    let mut xml = Xml::default();
    if let Some(name) = name {
        let missing = || Refusal::validation(format!("Stack with id {name} does not exist"));
        let stack = context.stack(&name).ok_or_else(missing)?;
        xml.members("Stacks", [stack], write_stack);
        return Ok(xml);
    }
    let listed = context.listed();
    let stacks = listed.iter().flat_map(|place| place.stacks.values());
    page(&mut xml, "Stacks", stacks, context, token, write_stack);
    Ok(xml)
}

pub(crate) fn list_stacks(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let token = form.optional("NextToken");
    let statuses = form.list("StackStatusFilter").unwrap_or_default();
    form.finish("ListStacks")?;
    let listed = context.listed();
    let stacks =
        listed.iter().flat_map(|place| place.stacks.values().chain(place.deleted.values()));
    let wanted = |stack: &&Stack| {
        statuses.is_empty() || statuses.iter().any(|word| word == stack.status.as_str())
    };
    let mut stacks: Vec<&Stack> = stacks.filter(wanted).collect();
    stacks.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    let mut xml = Xml::default();
    page(&mut xml, "StackSummaries", stacks.into_iter(), context, token, |xml, stack| {
        xml.text("StackId", &stack.id);
        xml.text("StackName", &stack.name);
        xml.optional("TemplateDescription", stack.definition.description.as_deref());
        write_life(xml, stack);
        write_descent(xml, stack);
    });
    Ok(xml)
}

fn write_descent(xml: &mut Xml, stack: &Stack) {
    if let Some(nested) = &stack.nested {
        xml.text("ParentId", &nested.parent);
        xml.text("RootId", &nested.root);
    }
}

/// One page of stacks: the token is the ARN of the last one before it, so that stacks that come and
/// go between two pages shift nothing.
fn page<'a>(
    xml: &mut Xml,
    list: &str,
    stacks: impl Iterator<Item = &'a Stack>,
    context: &Context<'_>,
    token: Option<String>,
    write: impl FnMut(&mut Xml, &'a Stack),
) {
    let size = context.settings.stacks_per_page;
    let key = |stack: &Stack| format!("{}/{}", stack.name, stack.id);
    let mut rest: Vec<&Stack> =
        stacks.filter(|stack| token.as_ref().is_none_or(|token| key(stack) > *token)).collect();
    let more = rest.len() > size;
    rest.truncate(size);
    if context.light.shifted && token.is_some() {
        rest.drain(..1.min(rest.len()));
    }
    let next = rest.last().map(|stack| key(stack));
    xml.members(list, rest, write);
    if more {
        xml.optional("NextToken", next.as_deref());
    }
}

fn write_stack(xml: &mut Xml, stack: &Stack) {
    let definition = &stack.definition;
    xml.text("StackId", &stack.id);
    xml.text("StackName", &stack.name);
    xml.optional("Description", definition.description.as_deref());
    write_parameters(xml, definition.parameters.iter());
    write_life(xml, stack);
    xml.boolean("DisableRollback", stack.disable_rollback);
    xml.texts("NotificationARNs", std::iter::empty::<&str>());
    xml.texts("Capabilities", &definition.capabilities);
    xml.members("Outputs", &stack.outputs, |xml, (name, output)| {
        xml.text("OutputKey", name);
        xml.text("OutputValue", &output.value);
        xml.optional("Description", output.description.as_deref());
        xml.optional("ExportName", output.export.as_deref());
    });
    write_tags(xml, definition.tags.iter());
    xml.boolean("EnableTerminationProtection", stack.protected);
    write_descent(xml, stack);
}

/// Times, status and drift: the same in every way of looking at a stack.
fn write_life(xml: &mut Xml, stack: &Stack) {
    xml.text("CreationTime", &stack.created_at.to_string());
    xml.optional("DeletionTime", stack.deleted_at.map(|at| at.to_string()).as_deref());
    xml.optional("LastUpdatedTime", stack.updated_at.map(|at| at.to_string()).as_deref());
    xml.text("StackStatus", stack.status.as_str());
    xml.optional("StackStatusReason", stack.reason.as_deref());
    write_stack_information(xml, stack);
}

/// Parameters as they may be shown.
pub(crate) fn write_parameters<'a>(
    xml: &mut Xml,
    parameters: impl Iterator<Item = (&'a String, &'a ParameterValue)>,
) {
    xml.members("Parameters", parameters, |xml, (name, parameter)| {
        xml.text("ParameterKey", name);
        xml.text("ParameterValue", if parameter.no_echo { MASK } else { &parameter.value });
        let resolved = parameter.resolved.as_deref();
        xml.optional(
            "ResolvedValue",
            resolved.map(|value| if parameter.no_echo { MASK } else { value }),
        );
    });
}

/// Tags in the order of their keys.
pub(crate) fn write_tags<'a>(xml: &mut Xml, tags: impl Iterator<Item = (&'a String, &'a String)>) {
    xml.members("Tags", tags, |xml, (key, value)| {
        xml.text("Key", key);
        xml.text("Value", value);
    });
}

pub(crate) fn get_template(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let name = form.optional("StackName");
    let change_set = form.optional("ChangeSetName");
    let stage = form.optional("TemplateStage");
    form.finish("GetTemplate")?;
    let is_processed = stage.as_deref() == Some("Processed");
    if let Some(stage) = stage.filter(|stage| stage != "Original" && !is_processed) {
        return Err(Refusal::validation(format!("`{stage}` is no template stage")));
    }
    let definition = match (&name, &change_set) {
        (Some(name), None) => {
            let missing = || Refusal::validation(format!("Stack with id {name} does not exist"));
            let stack = context.stack(name).ok_or_else(missing)?;
            if stack.status == Status::REVIEW_IN_PROGRESS {
                return Err(Refusal::validation(format!(
                    "Stack:{} is in REVIEW_IN_PROGRESS state and has no template",
                    stack.id
                )));
            }
            &stack.definition
        }
        (name, Some(change_set)) => &find(context, name.as_deref(), change_set)?.1.definition,
        (None, None) => {
            return Err(Refusal::validation("Either StackName or ChangeSetName must be specified"));
        }
    };
    let body = context.library.find(&definition.template)?;
    let processed = body.processed(&definition.parameters);
    let template = if is_processed { processed.template() } else { &body.template };
    let mut xml = Xml::default();
    xml.text("TemplateBody", &mangle(template.body()));
    xml.texts("StagesAvailable", ["Original", "Processed"]);
    Ok(xml)
}

pub(crate) fn describe_stack_resources(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let name = form.required("StackName")?;
    let logical_id = form.optional("LogicalResourceId");
    form.finish("DescribeStackResources")?;
    let stack = existing(context, &name)?;
    let wanted =
        stack.resources.iter().filter(|(id, _)| logical_id.as_ref().is_none_or(|one| one == *id));
    let mut xml = Xml::default();
    xml.members("StackResources", wanted, |xml, (logical_id, resource)| {
        write_owner(xml, stack);
        write_resource(xml, stack, (logical_id, resource), "Timestamp");
    });
    Ok(xml)
}

pub(crate) fn describe_stack_resource(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let name = form.required("StackName")?;
    let logical_id = form.required("LogicalResourceId")?;
    form.finish("DescribeStackResource")?;
    let stack = existing(context, &name)?;
    let resource = stack.resources.get(&logical_id).ok_or_else(|| {
        Refusal::validation(format!("Resource {logical_id} does not exist for stack {name}"))
    })?;
    let mut xml = Xml::default();
    xml.element("StackResourceDetail", |xml| {
        write_owner(xml, stack);
        write_resource(xml, stack, (&logical_id, resource), "LastUpdatedTimestamp");
        if &*resource.metadata != "null" {
            xml.text("Metadata", &resource.metadata);
        }
    });
    Ok(xml)
}

pub(crate) fn list_stack_resources(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let name = form.required("StackName")?;
    let after = form.optional("NextToken");
    form.finish("ListStackResources")?;
    let stack = existing(context, &name)?;
    let size = context.settings.events_per_page;
    let mut rest: Vec<_> = stack
        .resources
        .iter()
        .filter(|(id, _)| after.as_ref().is_none_or(|after| *id > after))
        .collect();
    let more = rest.len() > size;
    rest.truncate(size);
    let next = rest.last().map(|(id, _)| (*id).clone());
    let mut xml = Xml::default();
    xml.members("StackResourceSummaries", rest, |xml, (logical_id, resource)| {
        write_resource(xml, stack, (logical_id, resource), "LastUpdatedTimestamp");
    });
    if more {
        xml.optional("NextToken", next.as_deref());
    }
    Ok(xml)
}

fn existing<'a>(context: &'a Context<'_>, name: &str) -> Answer<&'a Stack> {
    let missing = || Refusal::validation(format!("Stack with id {name} does not exist"));
    context.stack(name).ok_or_else(missing)
}

fn write_owner(xml: &mut Xml, stack: &Stack) {
    xml.text("StackName", &stack.name);
    xml.text("StackId", &stack.id);
}

fn write_resource(
    xml: &mut Xml,
    stack: &Stack,
    (logical_id, resource): (&str, &Resource),
    time: &str,
) {
    xml.text("LogicalResourceId", logical_id);
    xml.text("PhysicalResourceId", &resource.physical_id);
    xml.text("ResourceType", &resource.kind);
    xml.text(time, &resource.changed_at.to_string());
    xml.text("ResourceStatus", resource.status.as_str());
    xml.optional("ResourceStatusReason", resource.reason.as_deref());
    write_resource_information(xml, stack, (logical_id, resource));
}
