//! A template with its parameters filled in: the resources it wants, in an order in which they can
//! be made, and its outputs.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::sim::drift::Verdict;
use crate::sim::dynamic::{Parameters, resolve_members, resolve_text};
use crate::sim::evaluate::{Scope, Settled, Trouble, as_text, mentions};
use crate::sim::family::NESTED_STACK;
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::resources::{
    Change as KindChange, Surroundings, at_path, kind, named_by_template, physical_id,
};
use crate::sim::s3::code_property;
use crate::sim::state::{
    Change, Definition, DeletionPolicy, Descent, Output, ParameterValue, Resource,
};
use crate::sim::status::Status;
use crate::template::mangle;

/// What is asked about a template.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    /// Canonical long form.
    pub(crate) template: &'a Value,
    pub(crate) parameters: &'a BTreeMap<String, ParameterValue>,
    pub(crate) at: &'a Surroundings,
    pub(crate) stack_name: &'a str,
    pub(crate) stack_id: &'a str,
    pub(crate) exports: &'a BTreeMap<String, (Arc<str>, String)>,
    /// What dynamic references find.
    pub(crate) ssm: &'a Parameters,
    /// What the stack has now.
    pub(crate) existing: &'a BTreeMap<String, Resource>,
}

/// What a template wants.
#[derive(Clone, Debug)]
pub(crate) struct Blueprint {
    /// In an order in which they can be made.
    pub(crate) resources: Vec<Planned>,
    pub(crate) outputs: BTreeMap<String, Output>,
    pub(crate) imports: Vec<String>,
    /// Why the outputs cannot be told.
    pub(crate) broken: Option<String>,
}

/// One wanted resource.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) logical_id: String,
    pub(crate) kind: String,
    pub(crate) properties: Map<String, Value>,
    pub(crate) metadata: Value,
    pub(crate) physical_id: String,
    pub(crate) depends_on: Vec<String>,
    pub(crate) deletion: DeletionPolicy,
    pub(crate) keep_replaced: bool,
    /// Properties that differ from those of the existing resource.
    pub(crate) changed: Vec<String>,
    /// Those of `changed` that make a new resource necessary.
    pub(crate) replaced_by: Vec<String>,
    /// Those of `changed` of which a change set does not know whether they do.
    pub(crate) conditional: Vec<String>,
    /// One of `changed` that lets the update fail.
    pub(crate) refused: Option<String>,
    /// Why Lambda cannot fetch the code that it names.
    pub(crate) unfetched: Option<String>,
    /// Why nothing is made of it: an output of a nested stack that it needs does not come.
    pub(crate) broken: Option<String>,
    pub(crate) nested: Option<Nested>,
}

/// A wanted nested stack.
#[derive(Clone, Debug)]
pub(crate) struct Nested {
    /// Its ARN.
    pub(crate) id: Arc<str>,
    /// `Err` with the reason for which AWS does not even begin.
    pub(crate) plan: Result<Box<NestedPlan>, String>,
}

/// What a nested stack is to become.
#[derive(Clone, Debug)]
pub(crate) struct NestedPlan {
    pub(crate) id: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) nested: Descent,
    pub(crate) definition: Definition,
    pub(crate) blueprint: Blueprint,
    pub(crate) creates: bool,
    /// Whether an update does anything inside.
    pub(crate) changed: bool,
    pub(crate) tags_changed: bool,
    /// What its stack policy denies, by logical id.
    pub(crate) denied: BTreeMap<String, String>,
    /// Why it fails although no resource does.
    pub(crate) failure: Option<String>,
    /// Logical ids of what is brought back in it.
    pub(crate) reverts: BTreeSet<String>,
    /// What its change set shows; `None` when nothing changes in it, or nobody asks.
    pub(crate) shows: Option<Shows>,
}

/// What the change set of a nested stack shows.
#[derive(Clone, Debug)]
pub(crate) struct Shows {
    pub(crate) changes: Vec<Change>,
    /// In a drift-aware change set: whether the nested stack has drifted.
    pub(crate) verdict: Option<Verdict>,
}

/// What a template with a nested stack says about it.
#[derive(Debug)]
pub(crate) struct NestedWish<'a> {
    pub(crate) logical_id: &'a str,
    pub(crate) properties: &'a Map<String, Value>,
    pub(crate) existing: Option<&'a Resource>,
}

/// What an evaluation needs to make things of its own.
pub(crate) trait Maker {
    /// The random part of the next generated name.
    fn suffix(&mut self) -> String;
    /// Why Lambda cannot fetch the code that a resource of a type names.
    fn code_trouble(&self, kind: &str, properties: &Map<String, Value>) -> Answer<Option<String>>;
    /// What becomes of a nested stack.
    fn nested(&mut self, wish: &NestedWish<'_>) -> Result<Nested, Trouble>;
}

/// Evaluates a template.
pub(crate) fn blueprint(
    question: &Question<'_>,
    maker: &mut dyn Maker,
) -> Result<Blueprint, Trouble> {
    let mut scope = scope(question);
    // AWS evaluates all of them before anything else, also those that nothing uses.
    for name in scope.conditions.into_iter().flat_map(Map::keys) {
        scope.condition(name)?;
    }
    scope.block = "Resources";
    let wanted = wanted(question, &scope)?;
    let mut resources = Vec::with_capacity(wanted.len());
    for logical_id in in_order(&wanted)? {
        let section = wanted[logical_id.as_str()];
        let planned = plan(question, &scope, &logical_id, section, &wanted, maker)?;
        let settled = Settled {
            kind: planned.kind.clone(),
            physical_id: planned.physical_id.clone(),
            properties: planned.properties.clone(),
            outputs: planned.nested.as_ref().map(outputs_of),
        };
        scope.resources.insert(logical_id, settled);
        resources.push(planned);
    }
    scope.block = "Outputs";
    let (outputs, broken) = match outputs(question, &scope) {
        Err(Trouble::NoOutput(text)) => (BTreeMap::new(), Some(text)),
        outputs => (outputs?, None),
    };
    let imports = scope.imports.take().into_iter().collect();
    Ok(Blueprint { resources, outputs, imports, broken })
}

/// The outputs that a nested stack will have; `None` when nobody can know.
fn outputs_of(nested: &Nested) -> Option<BTreeMap<String, String>> {
    let plan = nested.plan.as_ref().ok().filter(|plan| plan.blueprint.broken.is_none())?;
    let outputs = plan.blueprint.outputs.iter();
    Some(outputs.map(|(name, output)| (name.clone(), output.value.clone())).collect())
}

fn scope<'a>(question: &Question<'a>) -> Scope<'a> {
    let template = question.template;
    let parameters = question.parameters.iter().map(|(name, given)| {
        let kind = template["Parameters"][name]["Type"].as_str().unwrap_or_default();
        let text = given.resolved.as_ref().unwrap_or(&given.value);
        (name.clone(), typed(kind, text))
    });
    Scope {
        at: question.at,
        stack_name: question.stack_name,
        stack_id: question.stack_id,
        parameters: parameters.collect(),
        mappings: template.get("Mappings"),
        conditions: template.get("Conditions").and_then(Value::as_object),
        exports: question.exports,
        resources: BTreeMap::new(),
        imports: RefCell::default(),
        block: "Conditions",
    }
}

/// A parameter of a list type is a list to the template.
fn typed(kind: &str, text: &str) -> Value {
    let list = kind.contains("List<") || kind.contains("CommaDelimitedList");
    if !list {
        return Value::String(text.to_owned());
    }
    let items = text.split(',').map(|item| Value::String(item.trim().to_owned()));
    Value::Array(items.collect())
}

/// The resources whose condition holds, by logical id.
fn wanted<'a>(
    question: &Question<'a>,
    scope: &Scope<'_>,
) -> Result<BTreeMap<&'a str, &'a Value>, Trouble> {
    let Some(all) = question.template.get("Resources").and_then(Value::as_object) else {
        let text = "Template format error: At least one Resources member must be defined.";
        return Err(Refusal::validation(text).into());
    };
    let mut wanted = BTreeMap::new();
    for (logical_id, section) in all {
        let exists = match section.get("Condition").and_then(Value::as_str) {
            Some(condition) => scope.condition(condition)?,
            None => true,
        };
        if exists {
            wanted.insert(logical_id.as_str(), section);
        }
    }
    Ok(wanted)
}

/// Logical ids, each after those that it needs.
fn in_order(wanted: &BTreeMap<&str, &Value>) -> Answer<Vec<String>> {
    let mut waiting: BTreeMap<&str, BTreeSet<String>> =
        wanted.iter().map(|(name, section)| (*name, needs(section, wanted))).collect();
    let mut order = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready = |needs: &BTreeSet<String>| {
            needs.iter().all(|need| !waiting.contains_key(need.as_str()))
        };
        let next: Vec<&str> =
            waiting.iter().filter(|(_, needs)| ready(needs)).map(|(name, _)| *name).collect();
        if next.is_empty() {
            let names: Vec<&str> = waiting.into_keys().collect();
            let text = format!("Circular dependency between resources: [{}]", names.join(", "));
            return Err(Refusal::validation(text));
        }
        for name in next {
            waiting.remove(name);
            order.push(name.to_owned());
        }
    }
    Ok(order)
}

fn needs(section: &Value, wanted: &BTreeMap<&str, &Value>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    mentions(&section["Properties"], &mut names);
    match &section["DependsOn"] {
        Value::String(name) => names.extend([name.clone()]),
        Value::Array(list) => {
            names.extend(list.iter().filter_map(Value::as_str).map(str::to_owned))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
    }
    names.retain(|name| wanted.contains_key(name.as_str()));
    names
}

fn plan(
    question: &Question<'_>,
    scope: &Scope<'_>,
    logical_id: &str,
    section: &Value,
    wanted: &BTreeMap<&str, &Value>,
    maker: &mut dyn Maker,
) -> Result<Planned, Trouble> {
    let kind_name = section["Type"].as_str().unwrap_or_default();
    let (properties, broken) = match section["Properties"].as_object().map(|map| scope.members(map))
    {
        Some(Err(Trouble::NoOutput(text))) => (Map::new(), Some(text)),
        Some(members) => (resolve_members(members?, question.ssm)?, None),
        None => (Map::new(), None),
    };
    let metadata = match section.get("Metadata") {
        Some(metadata) => scope.evaluate(metadata)?.unwrap_or_default(),
        None => Value::Null,
    };
    let mut planned = Planned {
        logical_id: logical_id.to_owned(),
        kind: kind_name.to_owned(),
        physical_id: String::new(),
        depends_on: needs(section, wanted).into_iter().collect(),
        deletion: deletion_policy(&section["DeletionPolicy"]),
        keep_replaced: section["UpdateReplacePolicy"] == "Retain",
        changed: Vec::new(),
        replaced_by: Vec::new(),
        conditional: Vec::new(),
        refused: None,
        unfetched: None,
        broken,
        nested: None,
        properties,
        metadata,
    };
    let existing = question.existing.get(logical_id).filter(|old| *old.kind == *kind_name);
    if let Some(existing) = existing.filter(|_| planned.broken.is_none()) {
        compare(&mut planned, existing);
    }
    if kind_name == NESTED_STACK && planned.broken.is_none() {
        let properties = &planned.properties;
        let nested = maker.nested(&NestedWish { logical_id, properties, existing })?;
        planned.physical_id = nested.id.to_string();
        planned.nested = Some(nested);
        return Ok(planned);
    }
    if planned.broken.is_none() && fetches(&planned, existing) {
        planned.unfetched = maker.code_trouble(kind_name, &planned.properties)?;
    }
    planned.physical_id = match existing {
        Some(existing) if planned.replaced_by.is_empty() => existing.physical_id.to_string(),
        Some(_) | None => new_physical_id(question, &planned, maker),
    };
    Ok(planned)
}

/// Whether Lambda fetches code for a resource: for a new one, and when it names other code.
fn fetches(planned: &Planned, existing: Option<&Resource>) -> bool {
    let failed = [Status::CREATE_FAILED, Status::UPDATE_FAILED];
    let has_code = existing.is_some_and(|existing| !failed.contains(&existing.status));
    let names_other = |property| planned.changed.iter().any(|changed| changed == property);
    code_property(&planned.kind).is_some_and(|property| !has_code || names_other(property))
}

fn deletion_policy(value: &Value) -> DeletionPolicy {
    match value.as_str() {
        Some("Retain") => DeletionPolicy::Retain,
        Some("RetainExceptOnCreate") => DeletionPolicy::RetainExceptOnCreate,
        Some(_) | None => DeletionPolicy::Delete,
    }
}

/// Which properties differ, and what the change of those does that are not changed in place.
fn compare(planned: &mut Planned, existing: &Resource) {
    let old: Map<String, Value> = serde_json::from_str(&existing.properties).unwrap_or_default();
    let names: BTreeSet<&String> = old.keys().chain(planned.properties.keys()).collect();
    let changed = names.into_iter().filter(|name| old.get(*name) != planned.properties.get(*name));
    planned.changed = changed.cloned().collect();
    let Some(kind) = kind(&planned.kind) else { return };
    for (path, change) in kind.fixed() {
        if at_path(&old, path) == at_path(&planned.properties, path) {
            continue;
        }
        let property = path.split('/').next().unwrap_or(path).to_owned();
        match change {
            KindChange::Replaces => planned.replaced_by.push(property),
            KindChange::MayReplace => {
                planned.conditional.push(property.clone());
                planned.replaced_by.push(property);
            }
            KindChange::MightReplace => planned.conditional.push(property),
            KindChange::Refused => planned.refused = Some(property),
        }
    }
}

fn new_physical_id(question: &Question<'_>, planned: &Planned, maker: &mut dyn Maker) -> String {
    let row = kind(&planned.kind);
    let name = row.and_then(|row| named_by_template(row, &planned.properties));
    let made = |suffix| format!("{}-{}-{suffix}", question.stack_name, planned.logical_id);
    let name = name.unwrap_or_else(|| made(maker.suffix()));
    physical_id(row, &name, question.at)
}

fn outputs(
    question: &Question<'_>,
    scope: &Scope<'_>,
) -> Result<BTreeMap<String, Output>, Trouble> {
    let mut outputs = BTreeMap::new();
    for (name, section) in question.template["Outputs"].as_object().into_iter().flatten() {
        if let Some(condition) = section.get("Condition").and_then(Value::as_str)
            && !scope.condition(condition)?
        {
            continue;
        }
        let value = scope.evaluate(&section["Value"])?.as_ref().and_then(as_text);
        let Some(value) = value else {
            return Err(Refusal::validation(format!(
                "Template format error: Output {name} is malformed. The Value field of every \
                 Outputs member must evaluate to a String."
            ))
            .into());
        };
        let value = resolve_text(value, question.ssm)?;
        let export = match section.get("Export").and_then(|export| export.get("Name")) {
            Some(name) => Some(scope.text(name)?),
            None => None,
        };
        let description = section.get("Description").and_then(Value::as_str).map(mangle);
        outputs.insert(name.clone(), Output { value: mangle(&value), description, export });
    }
    Ok(outputs)
}
