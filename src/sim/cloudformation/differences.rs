//! What a definition would change in a stack: the content of a change set.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::moment::Moment;
use crate::sim::blueprint::{Blueprint, Planned};
use crate::sim::evaluate::mentions;
use crate::sim::reality::object;
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::resources::{Change as KindChange, kind};
use crate::sim::secrets::Secrets;
use crate::sim::state::{
    Change, ChangeDetail, ChangeValues, Definition, DeletionPolicy, ParameterValue, Resource, Stack,
};
use crate::sim::works::record_of;
use crate::template::Template;

/// What would change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Difference {
    pub(crate) changes: Vec<Change>,
    pub(crate) tags_changed: bool,
    pub(crate) outputs_changed: bool,
}

impl Difference {
    /// Whether AWS would say that there is nothing to do. Parameters that nothing uses, conditions
    /// and comments are nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && !self.tags_changed && !self.outputs_changed
    }

    /// Whether nothing changes but what nested stacks may turn out to change.
    pub(crate) fn is_only_a_look(&self) -> bool {
        !self.tags_changed && !self.outputs_changed && self.changes.iter().all(is_look)
    }

    /// Leaves out nested stacks in which nothing changes, and what might have followed from them.
    pub(crate) fn leave_out(&mut self, still: &BTreeSet<&str>) {
        let is_idle = |logical_id: &str, detail: &ChangeDetail| {
            let looks = detail.source == NESTED_LOOK && detail.name.is_none();
            let follows = detail.source == OF_AN_OUTPUT;
            (looks && still.contains(logical_id))
                || (follows && detail.cause.as_deref().is_some_and(|cause| still.contains(cause)))
        };
        self.changes.retain_mut(|change| {
            let before = change.details.len();
            change.details.retain(|detail| !is_idle(&change.logical_id, detail));
            change.scope = scope_of(&change.details);
            change.details.len() == before || !change.details.is_empty()
        });
    }
}

/// Whether a change may turn out to be none.
fn is_look(change: &Change) -> bool {
    let looks = |detail: &ChangeDetail| LOOKS.contains(&detail.source.as_str());
    change.action == "Modify" && change.details.iter().all(looks)
}

/// Whether a change is listed only because of what a nested stack may put out.
pub(crate) fn follows_an_output(change: &Change) -> bool {
    let follows = |detail: &ChangeDetail| detail.source == OF_AN_OUTPUT;
    !change.details.is_empty() && change.details.iter().all(follows)
}

/// The attributes that details are about.
pub(crate) fn scope_of(details: &[ChangeDetail]) -> Vec<String> {
    let scope: BTreeSet<&String> = details.iter().map(|detail| &detail.attribute).collect();
    scope.into_iter().cloned().collect()
}

/// Sources of changes that AWS cannot tell from none: a nested stack whose template may be another
/// one, and what is made of its outputs.
const LOOKS: [&str; 2] = [NESTED_LOOK, OF_AN_OUTPUT];
const NESTED_LOOK: &str = "Automatic";
const OF_AN_OUTPUT: &str = "ResourceAttribute";

/// Both sides of an update.
struct Sides<'a> {
    stack: &'a Stack,
    old: &'a Template,
    new: &'a Template,
    definition: &'a Definition,
    tags_changed: bool,
    /// Logical ids of resources that will be other ones.
    replaced: BTreeSet<String>,
    /// Logical ids of nested stacks that are there.
    nested: BTreeSet<String>,
}

/// Compares a stack with what a definition wants.
pub(crate) fn differences(
    stack: &Stack,
    old: &Template,
    new: &Template,
    definition: &Definition,
    blueprint: &Blueprint,
) -> Answer<Difference> {
    refuse_other_types(stack, blueprint)?;
    let tags_changed = stack.definition.tags != definition.tags;
    let replaced = blueprint.resources.iter().filter(|planned| !planned.replaced_by.is_empty());
    let replaced = replaced.map(|planned| planned.logical_id.clone()).collect();
    let nested = blueprint.resources.iter().filter(|planned| {
        planned.nested.is_some() && stack.resources.contains_key(&planned.logical_id)
    });
    let nested = nested.map(|planned| planned.logical_id.clone()).collect();
    let sides = Sides { stack, old, new, definition, tags_changed, replaced, nested };
    let mut changes: Vec<Change> =
        blueprint.resources.iter().filter_map(|planned| change(&sides, planned)).collect();
    let wanted: BTreeSet<&str> =
        blueprint.resources.iter().map(|planned| planned.logical_id.as_str()).collect();
    let gone = stack.resources.iter().filter(|(name, _)| !wanted.contains(name.as_str()));
    changes.extend(gone.map(|(logical_id, resource)| removal(logical_id, resource)));
    changes.sort_by(|one, other| one.logical_id.cmp(&other.logical_id));
    Ok(Difference { changes, tags_changed, outputs_changed: stack.outputs != blueprint.outputs })
}

fn refuse_other_types(stack: &Stack, blueprint: &Blueprint) -> Answer<()> {
    let other = blueprint.resources.iter().filter(|planned| {
        stack.resources.get(&planned.logical_id).is_some_and(|old| *old.kind != *planned.kind)
    });
    let names: Vec<&str> = other.map(|planned| planned.logical_id.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Refusal::validation(format!(
        "Update of resource type is not permitted. The new template modifies resource type of the \
         following resources: [{}]",
        names.join(", ")
    )))
}

/// The change of a resource that is not wanted any more.
pub(crate) fn removal(logical_id: &str, resource: &Resource) -> Change {
    let kept = resource.deletion != DeletionPolicy::Delete;
    Change {
        action: "Remove".to_owned(),
        logical_id: logical_id.to_owned(),
        physical_id: Some(resource.physical_id.to_string()),
        kind: resource.kind.to_string(),
        replacement: None,
        scope: Vec::new(),
        details: Vec::new(),
        policy_action: Some(if kept { "Retain" } else { "Delete" }.to_owned()),
        drift: None,
        change_set: None,
    }
}

fn change(sides: &Sides<'_>, planned: &Planned) -> Option<Change> {
    let existing = sides.stack.resources.get(&planned.logical_id);
    let mut change = Change {
        action: "Add".to_owned(),
        logical_id: planned.logical_id.clone(),
        physical_id: existing.map(|old| old.physical_id.to_string()),
        kind: planned.kind.clone(),
        replacement: None,
        scope: Vec::new(),
        details: Vec::new(),
        policy_action: None,
        drift: None,
        change_set: None,
    };
    let Some(existing) = existing else { return Some(change) };
    let details = details(sides, planned, existing);
    if details.is_empty() {
        return None;
    }
    change.action = "Modify".to_owned();
    change.scope = scope_of(&details);
    let certain =
        details.iter().any(|detail| detail.recreation == "Always" && detail.evaluation == "Static");
    let replaces = !planned.replaced_by.is_empty()
        || !planned.conditional.is_empty()
        || details.iter().any(|detail| detail.recreation != "Never");
    let replacement = match (replaces, certain) {
        (true, true) => "True",
        (true, false) => "Conditional",
        (false, _) => "False",
    };
    if replaces {
        let kept = existing.keep_replaced;
        let word = if kept { "ReplaceAndRetain" } else { "ReplaceAndDelete" };
        change.policy_action = Some(word.to_owned());
    }
    change.replacement = Some(replacement.to_owned());
    change.details = details;
    Some(change)
}

fn details(sides: &Sides<'_>, planned: &Planned, old: &Resource) -> Vec<ChangeDetail> {
    let changed = planned.changed.iter();
    let mut details: Vec<ChangeDetail> =
        changed.map(|property| property_detail(sides, planned, property)).collect();
    let new = record_of(planned, Moment::default());
    if old.metadata != new.metadata {
        details.push(attribute_detail("Metadata"));
    }
    if old.deletion != new.deletion {
        details.push(attribute_detail("DeletionPolicy"));
    }
    if old.keep_replaced != new.keep_replaced {
        details.push(attribute_detail("UpdateReplacePolicy"));
    }
    if sides.tags_changed && kind(&planned.kind).is_none_or(|kind| kind.taggable) {
        details.push(attribute_detail("Tags"));
    }
    if planned.nested.is_some() {
        let source = NESTED_LOOK.to_owned();
        let evaluation = "Dynamic".to_owned();
        details.push(ChangeDetail { source, evaluation, ..attribute_detail("Properties") });
    } else {
        details.extend(of_nested_outputs(sides, planned));
    }
    details
}

/// Properties that an output of a nested stack goes into: AWS does not know beforehand whether it will
/// be another one, and says so of each.
fn of_nested_outputs(sides: &Sides<'_>, planned: &Planned) -> Vec<ChangeDetail> {
    let Some(resource) = sides.new.resources().get(&planned.logical_id) else { return Vec::new() };
    let row = kind(&planned.kind);
    let properties = resource.properties().as_object().into_iter().flatten();
    let details = properties.filter_map(|(name, value)| {
        let mut mentioned = BTreeSet::new();
        mentions(value, &mut mentioned);
        let nested = mentioned.into_iter().find(|name| sides.nested.contains(name))?;
        let fixed = row.into_iter().flat_map(|row| row.fixed());
        let change = fixed.into_iter().find(|(path, _)| path.split('/').next() == Some(name));
        let recreation = match change {
            Some((_, KindChange::Replaces)) => "Always",
            Some((_, KindChange::MayReplace | KindChange::MightReplace)) => "Conditionally",
            Some((_, KindChange::Refused)) | None => "Never",
        };
        (!planned.changed.contains(name)).then(|| ChangeDetail {
            attribute: "Properties".to_owned(),
            name: Some(name.clone()),
            recreation: recreation.to_owned(),
            evaluation: "Dynamic".to_owned(),
            source: OF_AN_OUTPUT.to_owned(),
            cause: Some(nested),
            values: None,
        })
    });
    details.collect()
}

fn attribute_detail(attribute: &str) -> ChangeDetail {
    ChangeDetail {
        attribute: attribute.to_owned(),
        name: None,
        recreation: "Never".to_owned(),
        evaluation: "Static".to_owned(),
        source: "DirectModification".to_owned(),
        cause: None,
        values: None,
    }
}

fn property_detail(sides: &Sides<'_>, planned: &Planned, property: &str) -> ChangeDetail {
    let section = |template: &Template| -> Value {
        let resource = template.resources().get(&planned.logical_id);
        resource.map(|one| one.properties()[property].clone()).unwrap_or_default()
    };
    let (before, after) = (section(sides.old), section(sides.new));
    let mut mentioned = BTreeSet::new();
    mentions(&after, &mut mentioned);
    let value = |definition: &Definition, name: &String| -> Option<ParameterValue> {
        definition.parameters.get(name).cloned()
    };
    let parameter = mentioned
        .iter()
        .find(|name| value(&sides.stack.definition, name) != value(sides.definition, name));
    let resource = mentioned.iter().find(|name| sides.replaced.contains(*name));
    let (source, cause, evaluation) = match (before == after, parameter, resource) {
        (false, _, _) => ("DirectModification", None, "Static"),
        (true, Some(name), _) => ("ParameterReference", Some(name.clone()), "Static"),
        (true, None, Some(name)) => ("ResourceReference", Some(name.clone()), "Dynamic"),
        (true, None, None) => ("Automatic", None, "Dynamic"),
    };
    let of = |names: &[String]| names.iter().any(|name| name == property);
    let recreation = match (of(&planned.conditional), of(&planned.replaced_by)) {
        (true, _) => "Conditionally",
        (false, true) => "Always",
        (false, false) => "Never",
    };
    ChangeDetail {
        attribute: "Properties".to_owned(),
        name: Some(property.to_owned()),
        recreation: recreation.to_owned(),
        evaluation: evaluation.to_owned(),
        source: source.to_owned(),
        cause,
        values: values(sides, planned, property).map(Box::new),
    }
}

/// What a property is and will be.
fn values(sides: &Sides<'_>, planned: &Planned, property: &str) -> Option<ChangeValues> {
    let before = object(&sides.stack.resources.get(&planned.logical_id)?.properties);
    let secrets = Secrets::of([&sides.stack.definition, sides.definition]);
    let text = |value: Option<&Value>| value.map(|value| secrets.shown(Some(value)));
    Some(ChangeValues {
        path: format!("/{property}"),
        before: text(before.get(property)),
        after: text(planned.properties.get(property)),
        follows: false,
        drift: None,
    })
}
