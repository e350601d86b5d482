//! Looking at what drift detections found.

use crate::moment::Moment;
use crate::sim::cloudformation::context::Context;
use crate::sim::drift::{Detection, Found, Lens, PropertyDifference, Verdict};
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::state::{Resource, Stack};
use crate::sim::status::Status;
use crate::sim::wire::Form;
use crate::sim::xml::Xml;

/// AWS's limit for the drifts of one page.
const MAX_RESULTS: usize = 100;
const FILTERS: [&str; 6] =
    ["IN_SYNC", "MODIFIED", "DELETED", "NOT_CHECKED", "UNKNOWN", "UNSUPPORTED"];

pub(crate) fn describe_stack_drift_detection_status(
    context: &mut Context<'_>,
    mut form: Form,
) -> Answer<Xml> {
    let id = form.required("StackDriftDetectionId")?;
    form.finish("DescribeStackDriftDetectionStatus")?;
    let place = context.look();
    let stacks =
        place.into_iter().flat_map(|place| place.stacks.values().chain(place.deleted.values()));
    let found = stacks.into_iter().find_map(|stack| {
        let mut detections = stack.drift.iter().flat_map(|drift| &drift.detections);
        Some((stack, detections.find(|detection| detection.id == id)?))
    });
    let (stack, detection) = found.ok_or_else(|| {
        Refusal::validation(format!("Drift detection operation with id [{id}] does not exist"))
    })?;
    let mut xml = Xml::default();
    xml.text("StackId", &stack.id);
    xml.text("StackDriftDetectionId", &id);
    write_detection(&mut xml, stack, detection);
    xml.text("Timestamp", &detection.started_at.to_string());
    Ok(xml)
}

fn write_detection(xml: &mut Xml, stack: &Stack, detection: &Detection) {
    let Detection { ended, verdict, drifted, failure, .. } = detection;
    match (ended, failure) {
        (true, failure) => {
            xml.text("StackDriftStatus", verdict.as_str());
            let word = if failure.is_none() { "DETECTION_COMPLETE" } else { "DETECTION_FAILED" };
            xml.text("DetectionStatus", word);
            xml.optional("DetectionStatusReason", failure.as_deref());
            xml.text("DriftedStackResourceCount", &drifted.to_string());
        }
        (false, _) if stack.status == Status::DELETE_COMPLETE => {
            xml.text("StackDriftStatus", Verdict::Unknown.as_str());
            xml.text("DetectionStatus", "DETECTION_FAILED");
            let reason = format!("Stack [{}] does not exist", stack.name);
            xml.text("DetectionStatusReason", &reason);
        }
        (false, _) => {
            xml.text("StackDriftStatus", "NOT_CHECKED");
            xml.text("DetectionStatus", "DETECTION_IN_PROGRESS");
        }
    }
}

pub(crate) fn describe_stack_resource_drifts(
    context: &mut Context<'_>,
    mut form: Form,
) -> Answer<Xml> {
    let name = form.required("StackName")?;
    let filters = form.list("StackResourceDriftStatusFilters").unwrap_or_default();
    let after = form.optional("NextToken");
    let most = form.optional("MaxResults");
    form.finish("DescribeStackResourceDrifts")?;
    if let Some(word) = filters.iter().find(|word| !FILTERS.contains(&word.as_str())) {
        let rule = format!("Member must satisfy enum value set: [{}]", FILTERS.join(", "));
        return Err(Refusal::constraint(word, "stackResourceDriftStatusFilters", &rule));
    }
    let size = page_size(most.as_deref(), context.settings.events_per_page)?;
    let missing = || Refusal::validation(format!("Stack with id {name} does not exist"));
    let stack = context.stack(&name).ok_or_else(missing)?;
    let wanted =
        |found: &Found| filters.is_empty() || filters.iter().any(|word| word == found.as_str());
    let rest = stack.resources.iter().filter(|(id, _)| after.as_ref().is_none_or(|one| *id > one));
    let found = rest.filter_map(|(id, one)| Some(((id, one), stack.found(id, one)?)));
    let mut page: Vec<_> = found.filter(|(_, (_, found))| wanted(found)).take(size + 1).collect();
    let more = page.len() > size;
    page.truncate(size);
    let next = page.last().map(|((id, _), _)| (*id).clone());
    let mut xml = Xml::default();
    xml.members("StackResourceDrifts", page, |xml, ((logical_id, resource), found)| {
        write_resource_drift(xml, stack, (logical_id, resource), found);
    });
    if more {
        xml.optional("NextToken", next.as_deref());
    }
    Ok(xml)
}

fn page_size(wanted: Option<&str>, most: usize) -> Answer<usize> {
    let Some(text) = wanted else { return Ok(most.min(MAX_RESULTS)) };
    let size = text.parse::<usize>().ok().filter(|size| (1..=MAX_RESULTS).contains(size));
    let rule = format!("Member must have value between 1 and {MAX_RESULTS}");
    let size = size.ok_or_else(|| Refusal::constraint(text, "maxResults", &rule))?;
    Ok(size.min(most))
}

/// What was found of one resource.
pub(crate) fn write_resource_drift(
    xml: &mut Xml,
    stack: &Stack,
    (logical_id, resource): (&str, &Resource),
    (at, found): (Moment, &Found),
) {
    xml.text("StackId", &stack.id);
    xml.text("LogicalResourceId", logical_id);
    xml.text("PhysicalResourceId", &resource.physical_id);
    xml.text("ResourceType", &resource.kind);
    match found {
        Found::InSync => {
            let (expected, actual) = Lens::of(&stack.definition, Vec::new()).in_sync(resource);
            xml.text("ExpectedProperties", &expected);
            xml.text("ActualProperties", &actual);
            xml.members("PropertyDifferences", std::iter::empty::<()>(), |_, ()| {});
        }
        Found::Modified(modified) => {
            xml.text("ExpectedProperties", &modified.expected);
            xml.text("ActualProperties", &modified.actual);
            xml.members("PropertyDifferences", &modified.differences, write_difference);
        }
        Found::Deleted | Found::Unknown(_) => {}
    }
    xml.text("StackResourceDriftStatus", found.as_str());
    if let Found::Unknown(reason) = found {
        xml.text("DriftStatusReason", reason);
    }
    xml.text("Timestamp", &at.to_string());
}

fn write_difference(xml: &mut Xml, difference: &PropertyDifference) {
    xml.text("PropertyPath", &difference.path);
    xml.text("ExpectedValue", &difference.expected);
    xml.text("ActualValue", &difference.actual);
    xml.text("DifferenceType", &difference.word);
}

/// How a stack stands, in any way of looking at it.
pub(crate) fn write_stack_information(xml: &mut Xml, stack: &Stack) {
    let verdict = stack.drift.as_ref().and_then(|drift| drift.verdict);
    xml.element("DriftInformation", |xml| {
        let word = verdict.map_or("NOT_CHECKED", |(verdict, _)| verdict.as_str());
        xml.text("StackDriftStatus", word);
        xml.optional("LastCheckTimestamp", verdict.map(|(_, at)| at.to_string()).as_deref());
    });
}

/// How a resource stands, in any way of looking at it.
pub(crate) fn write_resource_information(
    xml: &mut Xml,
    stack: &Stack,
    (logical_id, resource): (&str, &Resource),
) {
    let found = stack.found(logical_id, resource);
    xml.element("DriftInformation", |xml| {
        let word = found.map_or("NOT_CHECKED", |(_, found)| found.as_str());
        xml.text("StackResourceDriftStatus", word);
        xml.optional("LastCheckTimestamp", found.map(|(at, _)| at.to_string()).as_deref());
    });
}
