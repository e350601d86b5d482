//! DescribeStackEvents: newest first.

use crate::sim::cloudformation::context::Context;
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::state::{Event, Stack};
use crate::sim::wire::Form;
use crate::sim::xml::Xml;

pub(crate) fn describe_stack_events(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let name = form.required("StackName")?;
    let token = form.optional("NextToken");
    form.finish("DescribeStackEvents")?;
    let missing = || Refusal::validation(format!("Stack [{name}] does not exist"));
    let stack = context.stack(&name).ok_or_else(missing)?;
    let before: u64 = match token {
        Some(token) => token.parse().map_err(|_| Refusal::validation("Invalid NextToken"))?,
        None => u64::MAX,
    };
    let size = context.settings.events_per_page;
    let older: Vec<&Event> =
        stack.events.iter().rev().filter(|event| event.number < before).take(size + 1).collect();
    let page = &older[..older.len().min(size)];
    let mut xml = Xml::default();
    xml.members("StackEvents", page, |xml, event| write_event(xml, stack, event));
    if older.len() > size {
        xml.optional("NextToken", page.last().map(|event| event.number.to_string()).as_deref());
    }
    Ok(xml)
}

fn write_event(xml: &mut Xml, stack: &Stack, event: &Event) {
    xml.text("StackId", &stack.id);
    xml.text("EventId", &event_id(stack, event));
    xml.text("StackName", &stack.name);
    match &event.resource {
        Some(resource) => {
            xml.text("LogicalResourceId", &resource.logical_id);
            xml.text("PhysicalResourceId", resource.physical_id.as_deref().unwrap_or_default());
            xml.text("ResourceType", &resource.kind);
        }
        None => {
            xml.text("LogicalResourceId", &stack.name);
            xml.text("PhysicalResourceId", &stack.id);
            xml.text("ResourceType", "AWS::CloudFormation::Stack");
        }
    }
    xml.text("Timestamp", &event.at.to_string());
    xml.text("ResourceStatus", event.status.as_str());
    xml.optional("ResourceStatusReason", event.reason.as_deref());
    xml.optional("ClientRequestToken", event.token.as_deref());
}

fn event_id(stack: &Stack, event: &Event) -> String {
    let uuid = stack.id.rsplit('/').next().unwrap_or_default();
    match &event.resource {
        Some(resource) => format!("{}-{}-{}", resource.logical_id, event.status, event.number),
        None => format!("{uuid}-{}", event.number),
    }
}
