//! What there is in the simulated cloud, for people and for programs.

use std::io::Write;

use crate::cli::Failure;
use crate::cli::cloud::{Place, ShownStack, the_stack};
use crate::cli::context::Format;
use crate::ids::{StackKey, Target};
use crate::report::counted;
use crate::report::output::{
    self, CloudEvent, CloudEvents, CloudResource, CloudStack, CloudStacks, FORMAT_VERSION,
    OneCloudStack,
};
use crate::sim::{Console, Reality, ResourceView, StackView};

/// A line for each stack, and how many they are.
pub(super) fn stacks(place: &Place, console: &Console, out: &mut dyn Write) -> Result<(), Failure> {
    let accounts = match place.account {
        Some(account) => vec![account],
        None => console.accounts()?,
    };
    let mut found: Vec<(StackKey, StackView)> = Vec::new();
    for account in accounts {
        let regions = match &place.region {
            Some(region) => vec![region.clone()],
            None => console.regions(account)?,
        };
        for region in regions {
            let target = Target { account, region: region.clone() };
            let key =
                |stack: &StackView| StackKey { target: target.clone(), name: stack.name.clone() };
            let stacks = console.stacks(account, &region)?;
            found.extend(stacks.into_iter().map(|stack| (key(&stack), stack)));
        }
    }
    match place.format {
        Format::Text => {
            for (key, stack) in &found {
                let changed = stack.updated_at.unwrap_or(stack.created_at);
                writeln!(out, "{key}  {}  {changed}", stack.status)?;
            }
            writeln!(out, "{}", counted(found.len(), "stack"))?;
        }
        Format::Json => {
            let stacks = found.iter().map(|(key, stack)| CloudStack {
                stack: key.to_string(),
                id: stack.id.clone(),
                status: stack.status.to_string(),
                created_at: stack.created_at.to_string(),
                updated_at: stack.updated_at.map(|at| at.to_string()),
            });
            let all = CloudStacks { version: FORMAT_VERSION, stacks: stacks.collect() };
            out.write_all(output::text(&all).as_bytes())?;
        }
    }
    Ok(())
}

/// One stack, whole.
pub(super) fn stack(
    shown: &ShownStack,
    console: &Console,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let stack = the_stack(&shown.stack, console)?;
    match shown.format {
        Format::Text => in_words(&stack, out),
        Format::Json => {
            let all = whole(&shown.stack, stack);
            Ok(out.write_all(output::text(&all).as_bytes())?)
        }
    }
}

fn in_words(stack: &StackView, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "{}\n  {}", stack.id, stack.status)?;
    if let Some(reason) = &stack.reason {
        writeln!(out, "  {reason}")?;
    }
    let sections =
        [("parameters", &stack.parameters), ("tags", &stack.tags), ("outputs", &stack.outputs)];
    for (title, pairs) in sections.into_iter().filter(|(_, pairs)| !pairs.is_empty()) {
        writeln!(out, "  {title}")?;
        for (name, value) in pairs {
            writeln!(out, "    {name}: {value}")?;
        }
    }
    writeln!(out, "  resources")?;
    for (id, resource) in &stack.resources {
        let really = match &resource.reality {
            Reality::AsRecorded => String::new(),
            Reality::Changed(properties) => format!("\n      is really {properties}"),
            Reality::Deleted => "\n      is really deleted".to_owned(),
        };
        let ResourceView { kind, status, physical_id, .. } = resource;
        writeln!(out, "    {id} ({kind}): {status}, {physical_id}{really}")?;
    }
    Ok(())
}

fn whole(key: &StackKey, stack: StackView) -> OneCloudStack {
    let resource = |(id, resource): (String, ResourceView)| {
        let (really_deleted, really) = match resource.reality {
            Reality::AsRecorded => (false, None),
            Reality::Changed(properties) => (false, Some(properties)),
            Reality::Deleted => (true, None),
        };
        let ResourceView { kind, physical_id, status, .. } = resource;
        let status = status.to_string();
        (id, CloudResource { kind, physical_id, status, really_deleted, really })
    };
    OneCloudStack {
        version: FORMAT_VERSION,
        stack: key.to_string(),
        id: stack.id,
        status: stack.status.to_string(),
        reason: stack.reason,
        created_at: stack.created_at.to_string(),
        updated_at: stack.updated_at.map(|at| at.to_string()),
        parameters: stack.parameters,
        tags: stack.tags,
        outputs: stack.outputs,
        protected: stack.protected,
        resources: stack.resources.into_iter().map(resource).collect(),
    }
}

/// What happened to one stack.
pub(super) fn events(
    shown: &ShownStack,
    console: &Console,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let key = &shown.stack;
    the_stack(key, console)?;
    let events = console.events(key)?;
    if shown.format == Format::Json {
        let events = events.into_iter().map(|event| CloudEvent {
            at: event.at.to_string(),
            resource: event.resource,
            status: event.status.to_string(),
            reason: event.reason,
        });
        let (version, stack) = (FORMAT_VERSION, key.to_string());
        let all = CloudEvents { version, stack, events: events.collect() };
        return Ok(out.write_all(output::text(&all).as_bytes())?);
    }
    for event in events {
        let about = event.resource.unwrap_or_else(|| key.name.to_string());
        let reason = event.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        writeln!(out, "{}  {about}  {}{reason}", event.at, event.status)?;
    }
    Ok(())
}
