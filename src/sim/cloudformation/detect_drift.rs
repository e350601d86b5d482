//! DetectStackDrift and DetectStackResourceDrift. A detection changes nothing in the stack.

use crate::sim::cloudformation::context::Context;
use crate::sim::cloudformation::describe_drift::write_resource_drift;
use crate::sim::cloudformation::update::existing;
use crate::sim::drift::{Finding, Lens};
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::resources::is_read;
use crate::sim::state::Stack;
use crate::sim::status::Status;
use crate::sim::wire::Form;
use crate::sim::xml::Xml;

/// How long AWS takes over a detection and over each resource in it, in seconds. It publishes
/// neither; users report half a minute for a few resources, and minutes for hundreds.
const DETECTING_SECONDS: f64 = 5.0;
const RESOURCE_SECONDS: f64 = 1.0;
/// AWS's limit for the resources that a detection names.
const MAX_NAMES: usize = 200;

pub(crate) fn detect_stack_drift(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let name = form.required("StackName")?;
    let wanted = form.list("LogicalResourceIds").unwrap_or_default();
    form.finish("DetectStackDrift")?;
    if wanted.len() > MAX_NAMES {
        let rule = format!("Member must have length less than or equal to {MAX_NAMES}");
        return Err(Refusal::constraint("", "logicalResourceIds", &rule));
    }
    let stack = existing(context, &name)?;
    may_be_examined(&stack)?;
    if let Some(missing) = wanted.iter().find(|id| !stack.resources.contains_key(*id)) {
        return Err(missing_resource(missing, &stack));
    }
    let lens = lens(context, &stack);
    let id = context.account.next_uuid();
    let of_it = |logical_id: &String| wanted.is_empty() || wanted.contains(logical_id);
    let resources = stack.resources.iter().filter(|(id, one)| of_it(id) && one.is_checked());
    let count = u32::try_from(resources.count()).unwrap_or(u32::MAX);
    let seconds = DETECTING_SECONDS + f64::from(count) * RESOURCE_SECONDS;
    let now = context.now;
    let ends_at = (!lens.is_endless()).then(|| now + context.steady_pace().of(seconds));
    let detection = lens.detection(id.clone(), &stack, &wanted, (now, ends_at));
    let stack = context.live(&stack.name)?;
    stack.begin_detection(detection);
    stack.end_detections(now);
    let mut xml = Xml::default();
    xml.text("StackDriftDetectionId", &id);
    Ok(xml)
}

pub(crate) fn detect_stack_resource_drift(
    context: &mut Context<'_>,
    mut form: Form,
) -> Answer<Xml> {
    let name = form.required("StackName")?;
    let logical_id = form.required("LogicalResourceId")?;
    form.finish("DetectStackResourceDrift")?;
    let stack = existing(context, &name)?;
    may_be_examined(&stack)?;
    let missing = || missing_resource(&logical_id, &stack);
    let resource = stack.resources.get(&logical_id).ok_or_else(missing)?;
    if !is_read(&resource.kind) {
        return Err(Refusal::validation(format!(
            "Drift detection is not supported for the resource type {}",
            resource.kind
        )));
    }
    let lens = lens(context, &stack);
    let finding = Finding { at: context.now, found: lens.find(&logical_id, resource) };
    let mut xml = Xml::default();
    xml.element("StackResourceDrift", |xml| {
        let found = (finding.at, &finding.found);
        write_resource_drift(xml, &stack, (&logical_id, resource), found);
    });
    context.live(&stack.name)?.note_finding(&logical_id, finding);
    Ok(xml)
}

/// How detections see a stack now.
fn lens(context: &Context<'_>, stack: &Stack) -> Lens {
    let place = (context.account.id, context.region);
    let troubles = context.script.drift_troubles(place, &stack.name, |one| !one.is_phantom());
    Lens::of(&stack.definition, troubles)
}

fn missing_resource(logical_id: &str, stack: &Stack) -> Refusal {
    let name = &stack.name;
    Refusal::validation(format!("Resource {logical_id} does not exist for stack {name}"))
}

/// The user guide lists the statuses in which a stack can be examined.
fn may_be_examined(stack: &Stack) -> Answer<()> {
    let resting = [
        Status::CREATE_COMPLETE,
        Status::UPDATE_COMPLETE,
        Status::UPDATE_ROLLBACK_COMPLETE,
        Status::UPDATE_ROLLBACK_FAILED,
        Status::IMPORT_COMPLETE,
        Status::IMPORT_ROLLBACK_COMPLETE,
    ];
    if stack.is_being_examined() {
        let text = format!("Drift detection is already in progress for stack [{}]", stack.id);
        return Err(Refusal::validation(text));
    }
    if !resting.contains(&stack.status) {
        return Err(Refusal::validation(format!(
            "Drift detection cannot be performed on stack [{}] while it is in [{}] state",
            stack.id, stack.status
        )));
    }
    Ok(())
}
