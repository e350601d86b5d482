//! The SDK's types in our words. What AWS must give and did not makes an answer malformed; what it
//! gives and we do not know is kept as unknown.

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::operation::describe_stack_drift_detection_status::DescribeStackDriftDetectionStatusOutput;
use aws_sdk_cloudformation::types as sdk;
use aws_smithy_types::DateTime;

use crate::aws::error::{AwsError, says_no_updates};
use crate::aws::pace::Api;
use crate::ids::{StackId, StackKey, Target};
use crate::moment::Moment;
use crate::observed::{
    ChangeAction, ChangeSetSeen, ChangeSetStatus, DetectionSeen, Direction, DriftStatus,
    PlannedChange, PropertyDifference, Replacement, ResourceDrift, ResourceSeen, Seen, StackEvent,
    StackStatus,
};
use crate::plan::NESTED_STACK;

/// Whether a stack is part of another one.
pub(super) fn is_nested(stack: &sdk::Stack) -> bool {
    let is_root = |id: &str| id.is_empty() || stack.stack_id() == Some(id);
    let has_parent = stack.parent_id().is_some_and(|parent| !parent.is_empty());
    has_parent || stack.root_id().is_some_and(|root| !is_root(root))
}

/// A stack, which must be one of the target's.
pub(super) fn seen(target: &Target, stack: &sdk::Stack) -> Result<Seen, AwsError> {
    let api = Api::DescribeStacks;
    let id = needed(api, "StackId", stack.stack_id())?;
    must_be_in(target, id)?;
    let name = needed(api, "StackName", stack.stack_name())?;
    let name = name.parse().map_err(|error| AwsError::malformed(api, format!("{error}")))?;
    let status = needed(api, "StackStatus", stack.stack_status())?;
    let parameters = stack.parameters().iter();
    let outputs = stack.outputs().iter();
    let tags = stack.tags().iter().filter(|tag| !is_of_aws(tag));
    Ok(Seen {
        id: StackId::of(id),
        key: StackKey { target: target.clone(), name },
        status: StackStatus::from(status.as_str().to_owned()),
        status_reason: stack
            .stack_status_reason()
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
        created_at: moment(api, needed(api, "CreationTime", stack.creation_time())?)?,
        updated_at: stack.last_updated_time().map(|at| moment(api, at)).transpose()?,
        parameters: pairs(parameters.map(|one| (one.parameter_key(), one.parameter_value())))?,
        tags: pairs(tags.map(|tag| (tag.key(), tag.value())))?,
        outputs: pairs(outputs.map(|one| (one.output_key(), one.output_value())))?,
        termination_protection: stack.enable_termination_protection().unwrap_or(false),
    })
}

fn is_of_aws(tag: &sdk::Tag) -> bool {
    tag.key().is_some_and(|key| key.starts_with("aws:"))
}

/// `arn:aws:cloudformation:REGION:ACCOUNT:stack/...` of the target.
fn must_be_in(target: &Target, arn: &str) -> Result<(), AwsError> {
    let api = Api::DescribeStacks;
    let mut parts = arn.split(':').skip(3);
    let (region, account) = (parts.next(), parts.next());
    if account != Some(target.account.to_string().as_str()) {
        let text = format!("`{arn}` is not in account {}", target.account);
        return Err(AwsError::wrong_account(api, text));
    }
    if region != Some(target.region.as_str()) {
        return Err(AwsError::malformed(api, format!("`{arn}` is not in {}", target.region)));
    }
    Ok(())
}

fn pairs<'a>(
    list: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>,
) -> Result<BTreeMap<String, String>, AwsError> {
    let pair = |(key, value): (Option<&str>, Option<&str>)| {
        let key = needed(Api::DescribeStacks, "Key", key)?;
        // AWS leaves an empty value out.
        Ok((key.to_owned(), value.unwrap_or_default().to_owned()))
    };
    list.map(pair).collect()
}

/// A change set from its first page and the changes of all pages.
pub(super) fn change_set(
    output: &DescribeChangeSetOutput,
    changes: Vec<PlannedChange>,
) -> Result<ChangeSetSeen, AwsError> {
    let api = Api::DescribeChangeSet;
    let status = needed(api, "Status", output.status())?;
    let execution = output.execution_status().map_or("", |status| status.as_str());
    let reason = output.status_reason().unwrap_or_default();
    let created_at = output.creation_time().map(|at| moment(api, at)).transpose()?;
    let reverts_drift = output.deployment_mode() == Some(&sdk::DeploymentMode::RevertDrift);
    let status = status_of(status.as_str(), execution, reason);
    Ok(ChangeSetSeen { status, created_at, reverts_drift, changes })
}

fn status_of(status: &str, execution: &str, reason: &str) -> ChangeSetStatus {
    match (status, execution) {
        ("CREATE_PENDING" | "CREATE_IN_PROGRESS", _) => ChangeSetStatus::Pending,
        ("FAILED", _) if says_no_updates(reason) => ChangeSetStatus::Empty,
        ("FAILED", _) => ChangeSetStatus::Failed(reason.to_owned()),
        ("CREATE_COMPLETE", "AVAILABLE") => ChangeSetStatus::Ready,
        (
            "CREATE_COMPLETE",
            "OBSOLETE" | "EXECUTE_IN_PROGRESS" | "EXECUTE_COMPLETE" | "EXECUTE_FAILED",
        )
        | ("DELETE_PENDING" | "DELETE_IN_PROGRESS" | "DELETE_COMPLETE" | "DELETE_FAILED", _) => {
            ChangeSetStatus::Obsolete
        }
        _ => ChangeSetStatus::Unknown(format!("{status}, {execution}")),
    }
}

/// One planned change to a resource; `None` for a change of another type, a hook's. What tells of a
/// resource is a change to it whatever type it says: a change that is missed would pass unchecked.
pub(super) fn planned(change: &sdk::Change) -> Result<Option<PlannedChange>, AwsError> {
    let api = Api::DescribeChangeSet;
    let kind = change.r#type().filter(|kind| !kind.as_str().is_empty());
    let kind = needed(api, "Type", kind)?;
    if *kind != sdk::ChangeType::Resource && change.resource_change().is_none() {
        return Ok(None);
    }
    let change = needed(api, "ResourceChange", change.resource_change())?;
    let action = needed(api, "Action", change.action())?;
    let logical_id = needed(api, "LogicalResourceId", change.logical_resource_id())?;
    let physical_id = change.physical_resource_id().filter(|id| !id.is_empty());
    Ok(Some(PlannedChange {
        within: String::new(),
        logical_id: logical_id.to_owned(),
        physical_id: physical_id.map(str::to_owned),
        kind: needed(api, "ResourceType", change.resource_type())?.to_owned(),
        action: action_of(action.as_str()),
        replacement: replacement_of(change.replacement().map(sdk::Replacement::as_str)),
        touches: change.details().iter().filter_map(touched).collect(),
        only_tags: has_only_tags(change),
    }))
}

/// Whether a change is to tags alone. What says nothing about itself may be anything; and what a
/// nested stack's template is by now AWS reads only when it is updated, whatever is changed of it.
fn has_only_tags(change: &sdk::ResourceChange) -> bool {
    let is_tags = |detail: &sdk::ResourceChangeDetail| {
        let attribute = detail.target().and_then(|target| target.attribute());
        attribute == Some(&sdk::ResourceAttribute::Tags)
    };
    let (scope, details) = (change.scope(), change.details());
    let is_said = !scope.is_empty() || !details.is_empty();
    is_said
        && change.resource_type() != Some(NESTED_STACK)
        && change.action() == Some(&sdk::ChangeAction::Modify)
        && replacement_of(change.replacement().map(sdk::Replacement::as_str)) == Replacement::Never
        && scope.iter().all(|one| *one == sdk::ResourceAttribute::Tags)
        && details.iter().all(is_tags)
}

/// The property that a detail of a change is about.
fn touched(detail: &sdk::ResourceChangeDetail) -> Option<String> {
    let target = detail.target()?;
    let name = target.name().filter(|name| !name.is_empty());
    // Tags and other attributes have no name of their own.
    let attribute = target.attribute().map(sdk::ResourceAttribute::as_str);
    name.or(attribute.filter(|attribute| *attribute != "Properties")).map(str::to_owned)
}

/// The change set that a change to a nested stack has there: logical id and ARN.
pub(super) fn nested_set(change: &sdk::Change) -> Option<(String, String)> {
    let change = change.resource_change()?;
    let id = change.change_set_id().filter(|id| !id.is_empty())?;
    Some((change.logical_resource_id()?.to_owned(), id.to_owned()))
}

fn action_of(word: &str) -> ChangeAction {
    match word {
        "Add" => ChangeAction::Add,
        "Modify" => ChangeAction::Modify,
        "Remove" => ChangeAction::Remove,
        "Import" => ChangeAction::Import,
        "Dynamic" => ChangeAction::Dynamic,
        "SyncWithActual" => ChangeAction::SyncWithActual,
        _ => ChangeAction::Unknown(word.to_owned()),
    }
}

/// An unknown word is taken for the careful reading.
fn replacement_of(word: Option<&str>) -> Replacement {
    match word {
        None | Some("False") => Replacement::Never,
        Some("True") => Replacement::Always,
        Some(_) => Replacement::Conditional,
    }
}

/// One event of a stack.
pub(super) fn event(event: &sdk::StackEvent) -> Result<StackEvent, AwsError> {
    let api = Api::DescribeStackEvents;
    let physical_id = event.physical_resource_id().filter(|id| !id.is_empty());
    // A hook's event tells its own status instead of the resource's.
    let status = event.resource_status().map(sdk::ResourceStatus::as_str);
    let status = status.or_else(|| event.hook_status().map(sdk::HookStatus::as_str));
    let reason = event.resource_status_reason().or_else(|| event.hook_status_reason());
    Ok(StackEvent {
        at: moment(api, needed(api, "Timestamp", event.timestamp())?)?,
        logical_id: event.logical_resource_id().unwrap_or_default().to_owned(),
        physical_id: physical_id.map(str::to_owned),
        kind: event.resource_type().unwrap_or_default().to_owned(),
        status: status.unwrap_or_default().to_owned(),
        reason: reason.map(str::to_owned),
        token: event.client_request_token().map(str::to_owned),
    })
}

/// One resource of a stack.
pub(super) fn resource(summary: &sdk::StackResourceSummary) -> Result<ResourceSeen, AwsError> {
    let api = Api::ListStackResources;
    let physical_id = summary.physical_resource_id().filter(|id| !id.is_empty());
    let status = needed(api, "ResourceStatus", summary.resource_status())?;
    Ok(ResourceSeen {
        logical_id: needed(api, "LogicalResourceId", summary.logical_resource_id())?.to_owned(),
        physical_id: physical_id.map(str::to_owned),
        kind: needed(api, "ResourceType", summary.resource_type())?.to_owned(),
        status: status.as_str().to_owned(),
        reason: summary.resource_status_reason().map(str::to_owned),
        drift: summary.drift_information().map_or(DriftStatus::NotChecked, |drift| {
            let word = drift.stack_resource_drift_status();
            drift_status(word.map_or("NOT_CHECKED", sdk::StackResourceDriftStatus::as_str))
        }),
    })
}

/// How far drift detection has come. Whatever is not plainly a whole answer has not seen all.
pub(super) fn detection(
    output: &DescribeStackDriftDetectionStatusOutput,
) -> Result<DetectionSeen, AwsError> {
    let api = Api::DescribeStackDriftDetectionStatus;
    let status = needed(api, "DetectionStatus", output.detection_status())?;
    let found = output.stack_drift_status().map_or("", sdk::StackDriftStatus::as_str);
    let counted = output.drifted_stack_resource_count().unwrap_or(0);
    let drifted = if found == "DRIFTED" { counted.max(1) } else { counted };
    let reason = || match output.detection_status_reason() {
        Some(reason) if !reason.is_empty() => reason.to_owned(),
        Some(_) | None => format!("it ended as {} {found}", status.as_str()).trim().to_owned(),
    };
    Ok(match (status.as_str(), found) {
        ("DETECTION_IN_PROGRESS", _) => DetectionSeen::Running,
        ("DETECTION_COMPLETE", "IN_SYNC" | "DRIFTED") => {
            DetectionSeen::Complete { drifted: u32::try_from(drifted).unwrap_or(0) }
        }
        _ => DetectionSeen::Failed(reason()),
    })
}

/// One resource that is not as the template made it.
pub(super) fn resource_drift(drift: &sdk::StackResourceDrift) -> Result<ResourceDrift, AwsError> {
    let api = Api::DescribeStackResourceDrifts;
    let status = needed(api, "StackResourceDriftStatus", drift.stack_resource_drift_status())?;
    // AWS cuts what is too long; what is cut is no JSON, and nothing is compared in it.
    let whole = |text: Option<&str>| text.and_then(|text| serde_json::from_str(text).ok());
    let difference = |difference: &sdk::PropertyDifference| {
        let word = needed(api, "DifferenceType", difference.difference_type())?;
        let direction = match word.as_str() {
            "ADD" => Direction::Added,
            "REMOVE" => Direction::Removed,
            // Whatever it is, it is not equal.
            _ => Direction::Changed,
        };
        Ok(PropertyDifference {
            path: needed(api, "PropertyPath", difference.property_path())?.to_owned(),
            direction,
            expected: difference.expected_value().unwrap_or_default().to_owned(),
            actual: difference.actual_value().unwrap_or_default().to_owned(),
        })
    };
    Ok(ResourceDrift {
        logical_id: needed(api, "LogicalResourceId", drift.logical_resource_id())?.to_owned(),
        physical_id: drift.physical_resource_id().filter(|id| !id.is_empty()).map(str::to_owned),
        kind: needed(api, "ResourceType", drift.resource_type())?.to_owned(),
        status: drift_status(status.as_str()),
        expected: whole(drift.expected_properties()).unwrap_or_default(),
        actual: whole(drift.actual_properties()).unwrap_or_default(),
        differences: drift
            .property_differences()
            .iter()
            .map(difference)
            .collect::<Result<_, AwsError>>()?,
    })
}

fn drift_status(word: &str) -> DriftStatus {
    match word {
        "IN_SYNC" => DriftStatus::InSync,
        "MODIFIED" => DriftStatus::Modified,
        "DELETED" => DriftStatus::Deleted,
        "NOT_CHECKED" | "UNSUPPORTED" => DriftStatus::NotChecked,
        _ => DriftStatus::Unknown(word.to_owned()),
    }
}

fn needed<T>(api: Api, what: &str, value: Option<T>) -> Result<T, AwsError> {
    value.ok_or_else(|| AwsError::malformed(api, format!("no {what}")))
}

fn moment(api: Api, time: &DateTime) -> Result<Moment, AwsError> {
    SystemTime::try_from(*time)
        .map(Moment::from)
        .map_err(|_| AwsError::malformed(api, "a time before 1970 or after 9999"))
}
