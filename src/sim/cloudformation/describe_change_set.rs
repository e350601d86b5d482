//! Looking at change sets.

use crate::sim::cloudformation::change_set::{find, state};
use crate::sim::cloudformation::context::Context;
use crate::sim::cloudformation::describe::{write_parameters, write_tags};
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::state::{Change, ChangeDetail, ChangeSet, ChangeValues, Stack};
use crate::sim::wire::Form;
use crate::sim::xml::Xml;

pub(crate) fn describe_change_set(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let name = form.required("ChangeSetName")?;
    let stack_name = form.optional("StackName");
    let token = form.optional("NextToken");
    let values = form.boolean("IncludePropertyValues")?.unwrap_or(false);
    form.finish("DescribeChangeSet")?;
    let (stack, set) = find(context, stack_name.as_deref(), &name)?;
    let first: usize = match token {
        Some(token) => token.parse().map_err(|_| Refusal::validation("Invalid NextToken"))?,
        None => 0,
    };
    let computed = context.now >= set.ready_at;
    let changes = if computed { set.changes.get(first..).unwrap_or_default() } else { &[] };
    let size = context.settings.events_per_page;
    let mut xml = Xml::default();
    write_head(&mut xml, context, stack, set);
    xml.texts("NotificationARNs", std::iter::empty::<&str>());
    write_parameters(&mut xml, set.definition.parameters.iter());
    write_tags(&mut xml, set.definition.tags.iter());
    xml.texts("Capabilities", &set.definition.capabilities);
    xml.members("Changes", changes.iter().take(size), |xml, change| {
        xml.text("Type", "Resource");
        xml.element("ResourceChange", |xml| {
            write_change(xml, change);
            xml.members("Details", &change.details, |xml, detail| {
                write_detail(xml, set, detail, values);
            });
        });
    });
    if let Some(verdict) = set.reverts.filter(|_| computed) {
        xml.text("StackDriftStatus", verdict.as_str());
        xml.text("DeploymentMode", "REVERT_DRIFT");
    }
    xml.optional("OnStackFailure", set.on_failure.as_deref());
    if set.express || set.disable_rollback.is_some() {
        xml.element("DeploymentConfig", |xml| {
            xml.text("Mode", if set.express { "EXPRESS" } else { "STANDARD" });
            xml.boolean("DisableRollback", set.disable_rollback.unwrap_or(set.express));
        });
    }
    if changes.len() > size {
        xml.text("NextToken", &(first + size).to_string());
    }
    Ok(xml)
}

pub(crate) fn list_change_sets(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let name = form.required("StackName")?;
    let after = form.optional("NextToken");
    form.finish("ListChangeSets")?;
    let missing = || Refusal::validation(format!("Stack [{name}] does not exist"));
    let stack = context.stack(&name).ok_or_else(missing)?;
    let size = context.settings.events_per_page;
    let mut rest: Vec<&ChangeSet> = stack
        .change_sets
        .values()
        .filter(|set| after.as_ref().is_none_or(|after| set.name > *after))
        .collect();
    let more = rest.len() > size;
    rest.truncate(size);
    let next = rest.last().map(|set| set.name.clone());
    let mut xml = Xml::default();
    xml.members("Summaries", rest, |xml, set| write_head(xml, context, stack, set));
    if more {
        xml.optional("NextToken", next.as_deref());
    }
    Ok(xml)
}

fn write_head(xml: &mut Xml, context: &Context<'_>, stack: &Stack, set: &ChangeSet) {
    let (status, execution, reason) = state(context, stack, set);
    xml.text("ChangeSetId", &set.id);
    xml.text("ChangeSetName", &set.name);
    xml.text("StackId", &stack.id);
    xml.text("StackName", &stack.name);
    xml.optional("Description", set.description.as_deref());
    xml.text("CreationTime", &set.created_at.to_string());
    xml.text("Status", status);
    xml.text("ExecutionStatus", execution);
    xml.optional("StatusReason", reason);
    xml.boolean("IncludeNestedStacks", set.nested);
    if let Some(above) = &set.above {
        xml.text("ParentChangeSetId", &above.parent);
        xml.text("RootChangeSetId", &above.root);
    }
}

fn write_change(xml: &mut Xml, change: &Change) {
    xml.optional("PolicyAction", change.policy_action.as_deref());
    xml.text("Action", &change.action);
    xml.text("LogicalResourceId", &change.logical_id);
    xml.optional("PhysicalResourceId", change.physical_id.as_deref());
    xml.text("ResourceType", &change.kind);
    xml.optional("Replacement", change.replacement.as_deref());
    xml.optional("ChangeSetId", change.change_set.as_deref());
    xml.texts("Scope", &change.scope);
    if let Some(drift) = &change.drift {
        xml.text("ResourceDriftStatus", &drift.status);
        xml.members("ResourceDriftIgnoredAttributes", &drift.ignored, |xml, (path, reason)| {
            xml.text("Path", path);
            xml.text("Reason", reason);
        });
    }
}

fn write_detail(xml: &mut Xml, set: &ChangeSet, detail: &ChangeDetail, with_values: bool) {
    xml.element("Target", |xml| {
        xml.text("Attribute", &detail.attribute);
        xml.optional("Name", detail.name.as_deref());
        xml.text("RequiresRecreation", &detail.recreation);
        if let Some(values) = detail.values.as_ref().filter(|_| with_values) {
            write_values(xml, set, values);
        }
    });
    xml.text("Evaluation", &detail.evaluation);
    xml.text("ChangeSource", &detail.source);
    xml.optional("CausingEntity", detail.cause.as_deref());
}

fn write_values(xml: &mut Xml, set: &ChangeSet, values: &ChangeValues) {
    let ChangeValues { path, before, after, follows, drift } = values;
    xml.text("Path", path);
    xml.optional("BeforeValue", before.as_deref());
    xml.optional("AfterValue", after.as_deref());
    let word = match (before, after) {
        _ if *follows => "SyncWithActual",
        (None, _) => "Add",
        (Some(_), None) => "Remove",
        (Some(_), Some(_)) => "Modify",
    };
    xml.text("AttributeChangeType", word);
    if set.reverts.is_none() {
        return;
    }
    let is_actual = drift.is_some();
    let source = if is_actual { "ACTUAL_STATE" } else { "PREVIOUS_DEPLOYMENT_STATE" };
    xml.text("BeforeValueFrom", source);
    xml.text("AfterValueFrom", "TEMPLATE");
    if let Some((previous, actual)) = drift {
        xml.element("Drift", |xml| {
            xml.optional("PreviousValue", previous.as_deref());
            xml.optional("ActualValue", actual.as_deref());
            xml.text("DriftDetectionTimestamp", &set.created_at.to_string());
        });
    }
}
