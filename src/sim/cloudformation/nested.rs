//! What becomes of the nested stacks of a template: planned with their parent, to every depth.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::sim::blueprint::{Blueprint, Maker, Nested, NestedPlan, NestedWish};
use crate::sim::cloudformation::context::Context;
use crate::sim::cloudformation::differences::differences;
use crate::sim::cloudformation::policy;
use crate::sim::cloudformation::requested::Requested;
use crate::sim::cloudformation::reversal::{Reach, begun, reach_into};
use crate::sim::cloudformation::start::{export_conflict, export_in_use};
use crate::sim::cloudformation::update::may_be_updated;
use crate::sim::evaluate::{Trouble, as_text};
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::state::{Definition, Descent, Resource, Stack};
use crate::sim::status::Status;

/// Nested stacks may stand this deep below their root here; AWS publishes no limit, and real ones stay
/// below four.
const DEEPEST: usize = 8;
/// AWS's limit for the name of a stack, in characters.
const MAX_NAME: usize = 128;
/// The properties of a nested stack that this simulation understands.
const PROPERTIES: &[&str] = &["TemplateURL", "Parameters", "Tags"];

/// Plans the nested stacks of one stack.
pub(crate) struct Planner<'p, 'c> {
    pub(crate) context: &'p mut Context<'c>,
    /// What the parent is to become.
    pub(crate) definition: &'p Definition,
    pub(crate) name: &'p str,
    pub(crate) id: &'p str,
    /// The ARN of the root above them all.
    pub(crate) root: Arc<str>,
    pub(crate) depth: usize,
}

impl Maker for Planner<'_, '_> {
    fn suffix(&mut self) -> String {
        self.context.account.next_suffix()
    }

    fn code_trouble(&self, kind: &str, properties: &Map<String, Value>) -> Answer<Option<String>> {
        self.context.buckets.code_trouble(kind, properties, self.context.region)
    }

    fn nested(&mut self, wish: &NestedWish<'_>) -> Result<Nested, Trouble> {
        if self.depth >= DEEPEST {
            let what = format!("nested stacks more than {DEEPEST} levels below their root");
            return Err(Refusal::not_simulated(what).into());
        }
        if let Some(name) = wish.properties.keys().find(|name| !PROPERTIES.contains(&name.as_str()))
        {
            let what = format!("the property `{name}` of nested stack {}", wish.logical_id);
            return Err(Refusal::not_simulated(what).into());
        }
        let existing = wish.existing.filter(|old| !self.never_began(old));
        let (plan, id) = match existing {
            Some(old) => (self.update(wish, old), old.physical_id.clone()),
            None => {
                let name = self.new_name(wish.logical_id);
                let id: Arc<str> = self.context.arn("stack", &name).into();
                (self.creation(wish, &name, &id), id)
            }
        };
        match plan {
            Ok(plan) => Ok(Nested { id, plan: Ok(Box::new(plan)) }),
            Err(Trouble::NoExport(text) | Trouble::NoOutput(text)) => {
                Ok(Nested { id, plan: Err(text) })
            }
            // What is not simulated is not a failure of AWS's.
            Err(Trouble::Refused(refusal)) if is_loud(&refusal) => Err(refusal.into()),
            Err(Trouble::Refused(refusal)) => Ok(Nested { id, plan: Err(refusal.message) }),
        }
    }
}

fn is_loud(refusal: &Refusal) -> bool {
    refusal.code != "ValidationError" && refusal.code != "InsufficientCapabilitiesException"
        || refusal.message.contains("Unrecognized resource types")
}

impl Planner<'_, '_> {
    /// Whether the creation of a nested stack failed before there was a stack.
    fn never_began(&self, old: &Resource) -> bool {
        old.status == Status::CREATE_FAILED && self.context.stack(&old.physical_id).is_none()
    }

    fn new_name(&mut self, logical_id: &str) -> String {
        let suffix = self.context.account.next_suffix();
        let mut name = format!("{}-{logical_id}", self.name);
        name.truncate(MAX_NAME - suffix.len() - 1);
        format!("{name}-{suffix}")
    }

    fn descent(&self) -> Descent {
        Descent { parent: self.id.into(), root: self.root.clone() }
    }

    fn definition_of(&self, properties: &Map<String, Value>) -> Answer<Definition> {
        let requested = requested(properties, self.definition)?;
        Ok(requested.definition(self.context, None)?.0)
    }

    fn blueprint(
        &mut self,
        definition: &Definition,
        stack: (&str, &str),
        existing: &BTreeMap<String, Resource>,
    ) -> Result<Blueprint, Trouble> {
        let body = self.context.library.find(&definition.template)?;
        let (root, depth) = (self.root.clone(), self.depth + 1);
        let blueprint =
            self.context.blueprint_below(&body, definition, stack, existing, (root, depth))?;
        // Those beside it may import what it exports.
        for output in blueprint.outputs.values() {
            if let Some(export) = &output.export {
                let held = (stack.0.into(), output.value.clone());
                self.context.upcoming.insert(export.clone(), held);
            }
        }
        Ok(blueprint)
    }

    fn creation(
        &mut self,
        wish: &NestedWish<'_>,
        name: &str,
        id: &Arc<str>,
    ) -> Result<NestedPlan, Trouble> {
        let definition = self.definition_of(wish.properties)?;
        if matches!(self.context.reach, Some(Reach::Looks { .. })) {
            let what = format!("change sets of nested stacks that are new, as {}", wish.logical_id);
            return Err(Refusal::not_simulated(what).into());
        }
        if self.context.place().stacks.len() >= self.context.settings.stack_limit {
            return Err(Refusal::validation("Limit for stack has been exceeded").into());
        }
        let blueprint = self.blueprint(&definition, (name, id), &BTreeMap::new())?;
        let failure = blueprint.broken.clone();
        let failure = failure.or_else(|| export_conflict(self.context, name, &blueprint));
        Ok(NestedPlan {
            id: id.clone(),
            name: name.into(),
            nested: self.descent(),
            definition,
            blueprint,
            creates: true,
            changed: true,
            tags_changed: false,
            denied: BTreeMap::new(),
            failure,
            reverts: BTreeSet::new(),
            shows: None,
        })
    }

    fn update(&mut self, wish: &NestedWish<'_>, old: &Resource) -> Result<NestedPlan, Trouble> {
        let missing = || Refusal::validation(format!("Stack [{}] does not exist", old.physical_id));
        let stack = self.context.stack(&old.physical_id).cloned();
        let stack =
            stack.filter(|one| one.status != Status::DELETE_COMPLETE).ok_or_else(missing)?;
        may_be_updated(&stack, true)?;
        let definition = self.definition_of(wish.properties)?;
        let names = (&*stack.name, &*stack.id);
        let begun = begun(self.context.reach.as_ref(), &stack);
        let blueprint = self.blueprint(&definition, names, &begun.resources)?;
        let templates = &self.context.library;
        let body = templates.find(&definition.template)?;
        let was = templates.find(&stack.definition.template)?;
        let was = was.processed(&stack.definition.parameters);
        let is = body.processed(&definition.parameters);
        let mut difference =
            differences(&begun, was.template(), is.template(), &definition, &blueprint)?;
        let (reverts, shows) =
            reach_into(self.context, &stack, &definition, &blueprint, &mut difference);
        let (denied, denied_removal) = match &stack.policy {
            Some(text) => policy::denials(text, &difference)?,
            None => (BTreeMap::new(), None),
        };
        let failure = denied_removal
            .or_else(|| blueprint.broken.clone())
            .or_else(|| export_conflict(self.context, &stack.name, &blueprint))
            .or_else(|| export_in_use(self.context, &stack, &blueprint));
        let changed = !difference.is_only_a_look()
            || !is_complete(&stack)
            || is_moved(&blueprint)
            || !reverts.is_empty();
        let tags_changed = difference.tags_changed;
        Ok(NestedPlan {
            id: stack.id.clone(),
            name: stack.name.clone(),
            nested: self.descent(),
            definition,
            blueprint,
            creates: false,
            changed,
            tags_changed,
            denied,
            failure,
            reverts,
            shows,
        })
    }
}

fn is_complete(stack: &Stack) -> bool {
    ![Status::CREATE_FAILED, Status::UPDATE_FAILED].contains(&stack.status)
}

/// Whether anything happens in a nested stack of the blueprint.
fn is_moved(blueprint: &Blueprint) -> bool {
    let nested = blueprint.resources.iter().filter_map(|planned| planned.nested.as_ref());
    nested.into_iter().any(|nested| nested.plan.as_ref().map_or(true, |plan| plan.changed))
}

/// A nested stack's properties as a request to make it.
fn requested(properties: &Map<String, Value>, parent: &Definition) -> Answer<Requested> {
    let Some(url) = properties.get("TemplateURL").and_then(Value::as_str) else {
        return Err(Refusal::validation("TemplateURL must be a supported URL."));
    };
    let mut parameters = Vec::new();
    for (name, value) in
        properties.get("Parameters").and_then(Value::as_object).into_iter().flatten()
    {
        let text = as_text(value).ok_or_else(|| {
            let rule = "must be an object with String (or simple type) properties";
            Refusal::validation(format!("Value of property Parameters {rule}"))
        })?;
        let name = ("ParameterKey".to_owned(), name.clone());
        parameters.push(BTreeMap::from([name, ("ParameterValue".to_owned(), text)]));
    }
    let own = properties.get("Tags").and_then(Value::as_array).into_iter().flatten();
    let own = own.filter_map(|tag| {
        let text = |field: &str| tag.get(field).and_then(as_text);
        Some((text("Key")?, text("Value")?))
    });
    // The tags of the parent come along, and those of the template count more.
    let tags: BTreeMap<String, String> = parent.tags.clone().into_iter().chain(own).collect();
    Ok(Requested::of(url, parameters, &tags, parent.capabilities.clone()))
}

/// What stack policies deny in the nested stacks of a blueprint, by the name of the stack.
pub(crate) fn denials_inside(
    blueprint: &Blueprint,
    into: &mut BTreeMap<String, BTreeMap<String, String>>,
) {
    let nested = blueprint.resources.iter().filter_map(|planned| planned.nested.as_ref());
    for plan in nested.filter_map(|nested| nested.plan.as_ref().ok()) {
        into.insert(plan.name.to_string(), plan.denied.clone());
        denials_inside(&plan.blueprint, into);
    }
}
