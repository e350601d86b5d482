//! What a change does to the resources of a stack, and what they cost while idle, known without AWS.
//! Stacks that differ in nothing that decides about it are looked at once.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::Value;

use crate::cost::{Prices, Standing, charges_in_all, decides};
use crate::desired::{Desired, Wanted};
use crate::ids::{AccountId, Digest, Region, ServiceName};
use crate::package::{Package, Tree, inside, is_nested};
use crate::plan::preview::compare::Side;
use crate::plan::preview::{Line, Part};
use crate::template::{Action, Effect, Given, Inputs, Replaces, effects, fill};

/// Functions whose result may be the same or another for any value of what they are given.
const CHOOSING: [&str; 3] = ["Fn::FindInMap", "Fn::Select", "Fn::Split"];

/// What a change comes to in one stack.
#[derive(Debug, Default)]
pub(super) struct Consequence {
    /// What happens to its resources, those of nested stacks too; of a stack that comes or goes nothing
    /// is said here.
    pub(super) effects: Vec<Effect>,
    /// Nested stacks of which nobody can say what happens inside.
    pub(super) unseen: BTreeSet<String>,
    /// Whether macros make resources of which nothing is known.
    pub(super) is_partial: bool,
    /// What it costs while idle, before and after.
    pub(super) before: Option<Standing>,
    pub(super) after: Option<Standing>,
}

/// What two stacks have in common that share a consequence.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Alike {
    templates: (Option<Digest>, Option<Digest>),
    lines: Vec<Line>,
    region: Region,
    /// Of the account only where a template asks for it.
    account: Option<AccountId>,
    /// The values that decide what is there and what it costs, before and after.
    values: Vec<(bool, String, String)>,
}

/// What stacks have in common of which other outputs make the same: service, region and the values that
/// decide.
type Reader = (ServiceName, Region, Vec<(String, String)>);

/// The consequences that were found so far.
pub(super) struct Consequences<'a> {
    old: Option<&'a Desired>,
    new: &'a Desired,
    prices: Prices,
    deciding: BTreeMap<Digest, Rc<BTreeSet<String>>>,
    found: BTreeMap<Alike, Rc<Consequence>>,
    followed: BTreeMap<Reader, Rc<Vec<Effect>>>,
}

impl<'a> Consequences<'a> {
    pub(super) fn of(old: Option<&'a Desired>, new: &'a Desired) -> Self {
        let prices = Prices::of(&new.fleet.idle_cost);
        Self {
            old,
            new,
            prices,
            deciding: BTreeMap::new(),
            found: BTreeMap::new(),
            followed: BTreeMap::new(),
        }
    }

    /// What becomes of one stack; `lines` are what differs between the two besides the template, in
    /// words that are the same for stacks that differ in the same way.
    pub(super) fn find(
        &mut self,
        old: Option<&'a Wanted>,
        new: Option<&'a Wanted>,
        lines: &[Line],
    ) -> Rc<Consequence> {
        let (before, after) = (self.side(self.old, old), self.side(Some(self.new), new));
        let Some(any) = new.or(old) else { return Rc::default() };
        let mut values = Vec::new();
        let mut asks_account = false;
        for (is_new, side) in [(false, before), (true, after)] {
            let Some(side) = side else { continue };
            let deciding = self.deciding(&side.wanted.service.package);
            asks_account |= deciding.contains("AWS::AccountId");
            let of_side = side.given(&|name| deciding.contains(name));
            values.extend(of_side.into_iter().map(|(name, given)| (is_new, name, text(given))));
        }
        let digest = |wanted: Option<&Wanted>| wanted.map(|one| one.service.template.digest());
        let alike = Alike {
            templates: (digest(old), digest(new)),
            lines: lines.to_vec(),
            region: any.key.target.region.clone(),
            account: asks_account.then_some(any.key.target.account),
            values,
        };
        if let Some(found) = self.found.get(&alike) {
            return Rc::clone(found);
        }
        let found = Rc::new(self.work_out(before, after, lines));
        self.found.insert(alike, Rc::clone(&found));
        found
    }

    /// What happens to the resources of a stack when outputs of these services have other values.
    pub(super) fn with_other_outputs(
        &mut self,
        wanted: &'a Wanted,
        used: &BTreeSet<ServiceName>,
    ) -> Rc<Vec<Effect>> {
        let side = Side { desired: self.new, wanted };
        let package = &wanted.service.package;
        let deciding = self.deciding(package);
        let values = side.given(&|name| deciding.contains(name)).into_iter();
        let values = values.map(|(name, given)| (name, text(given))).collect();
        let service = wanted.service.name.clone();
        let key = (service, wanted.key.target.region.clone(), values);
        if let Some(found) = self.followed.get(&key) {
            return Rc::clone(found);
        }
        let before = side.inputs();
        let mut after = before.clone();
        for given in after.parameters.values_mut() {
            if let Given::Symbol(symbol) = given
                && used.iter().any(|name| symbol.contains(&format!("${{services.{name}.outputs.")))
            {
                symbol.push('\'');
            }
        }
        let tree = package.tree();
        let (effects, _) = all_effects((&tree, &before), (&tree, &after), false);
        let found = Rc::new(effects);
        self.followed.insert(key, Rc::clone(&found));
        found
    }

    fn side(&self, desired: Option<&'a Desired>, wanted: Option<&'a Wanted>) -> Option<Side<'a>> {
        Some(Side { desired: desired?, wanted: wanted? })
    }

    fn deciding(&mut self, package: &Package) -> Rc<BTreeSet<String>> {
        let known = self.deciding.entry(package.template.digest());
        Rc::clone(known.or_insert_with(|| Rc::new(deciding(package))))
    }

    fn work_out(
        &self,
        before: Option<Side<'a>>,
        after: Option<Side<'a>>,
        lines: &[Line],
    ) -> Consequence {
        let inputs = (before.map(|side| side.inputs()), after.map(|side| side.inputs()));
        let tags_differ = lines.iter().any(|line| line.part == Part::Tag);
        let tree = |side: Option<Side<'a>>| Some(side?.wanted.service.package.tree());
        let (old_tree, new_tree) = (tree(before), tree(after));
        let old_side = old_tree.as_ref().zip(inputs.0.as_ref());
        let new_side = new_tree.as_ref().zip(inputs.1.as_ref());
        let (effects, unseen) = match (old_side, new_side) {
            (Some(old), Some(new)) => all_effects(old, new, tags_differ),
            _ => (Vec::new(), BTreeSet::new()),
        };
        let standing = |side: Option<(&Tree, &Inputs)>| {
            let (tree, inputs) = side?;
            Some(charges_in_all(tree, inputs, &self.prices))
        };
        // What is replaced and kept goes on costing beside what takes its place.
        let is_kept = |effect: &&Effect| {
            effect.replaces == Replaces::Always
                && effect.certain
                && old_side.is_some_and(|(tree, _)| outlives(tree, &effect.logical_id))
        };
        let kept: BTreeSet<&str> =
            effects.iter().filter(is_kept).map(|effect| effect.logical_id.as_str()).collect();
        let before = standing(old_side).map(|standing| standing.without(&kept));
        Consequence {
            is_partial: [old_side, new_side].into_iter().flatten().any(is_partial),
            before,
            after: standing(new_side),
            effects,
            unseen,
        }
    }
}

/// Whether macros make resources of the root of which nothing is known.
fn is_partial((tree, inputs): (&Tree, &Inputs)) -> bool {
    let made = tree.template.processed(&inputs.parameters);
    fill(made.template(), inputs).is_partial
}

/// What an update does to all resources: to those of the root all that a change set may list, but for
/// the nested stacks that were looked into, and to those inside. With the nested stacks of which nobody
/// can say what happens inside.
fn all_effects(
    (old, before): (&Tree, &Inputs),
    (new, after): (&Tree, &Inputs),
    tags_differ: bool,
) -> (Vec<Effect>, BTreeSet<String>) {
    let was = old.template.processed(&before.parameters);
    let is = new.template.processed(&after.parameters);
    let (filled_before, filled_after) = (fill(was.template(), before), fill(is.template(), after));
    let here = effects(&filled_before, &filled_after, tags_differ);
    if !here.iter().any(|effect| is_nested(&effect.kind)) {
        return (here, BTreeSet::new());
    }
    let found = inside((old, before), (new, after), tags_differ);
    let is_said = |effect: &Effect| {
        !is_nested(&effect.kind)
            || effect.action != Action::Modify
            || found.unseen.contains(&effect.logical_id)
    };
    let all = here.into_iter().chain(found.effects.clone()).filter(is_said).collect();
    (all, found.unseen)
}

/// Whether a resource that is replaced is kept beside what takes its place. No function may stand in
/// a policy.
fn outlives(tree: &Tree, place: &str) -> bool {
    match place.split_once('/') {
        Some((name, rest)) => tree.nested.get(name).is_some_and(|nested| outlives(nested, rest)),
        None => {
            let made = tree.template.processed_by_default();
            let entry = made.template().resources().get(place);
            let policy = entry.and_then(|entry| entry.section.get("UpdateReplacePolicy"));
            policy.and_then(Value::as_str) == Some("Retain")
        }
    }
}

impl Side<'_> {
    /// The values of the parameters that `asked` names, as AWS would get them.
    fn given(&self, asked: &dyn Fn(&str) -> bool) -> Vec<(String, Given)> {
        let values = self.parameters().into_iter().filter(|(name, ..)| asked(name));
        values
            .map(|(name, _, value)| {
                let text = self.resolved(&value);
                // An output of another stack is marked so.
                let given = if text.contains('\0') {
                    Given::Symbol(text.replace('\0', ""))
                } else {
                    Given::Text(text)
                };
                (name.to_owned(), given)
            })
            .collect()
    }

    fn inputs(&self) -> Inputs {
        let key = &self.wanted.key;
        Inputs {
            parameters: self.given(&|_| true).into_iter().collect(),
            account: key.target.account,
            region: key.target.region.clone(),
            stack_name: key.name.clone(),
        }
    }
}

fn text(given: Given) -> String {
    match given {
        Given::Text(text) => text,
        Given::Symbol(symbol) => format!("\0{symbol}"),
    }
}

/// The parameters on whose values it depends which resources are there, which properties change, and
/// what they cost, in nested stacks too.
fn deciding(package: &Package) -> BTreeSet<String> {
    let made = package.template.processed_by_default();
    // Other values make other resources.
    if made.hangs_on_parameters() {
        let asked = ["AWS::AccountId".to_owned(), "AWS::Region".to_owned()];
        return package.template.parameters().keys().cloned().chain(asked).collect();
    }
    let template = made.template();
    let mut names = BTreeSet::new();
    for (name, nested) in &package.nested {
        let entry = template.resources().get(name);
        let given = entry.and_then(|entry| entry.properties().get("Parameters"));
        let below = deciding(nested);
        // AWS's own names are the same in all of them.
        names.extend(below.iter().filter(|name| name.starts_with("AWS::")).cloned());
        let given = given.and_then(Value::as_object).into_iter().flatten();
        for (_, value) in given.filter(|(name, _)| below.contains(*name)) {
            referred(value, &mut names);
        }
    }
    for condition in template.conditions().values() {
        referred(condition, &mut names);
    }
    for resource in template.resources().values() {
        if decides(&resource.kind) {
            let properties = resource.properties().as_object().into_iter().flatten();
            for (_, value) in properties.filter(|(name, _)| may_cost(name)) {
                referred(value, &mut names);
            }
        }
        chosen(&resource.section, &mut names);
    }
    names
}

/// Whether a property may decide what its resource costs. What it is called, who may use it and how it is
/// tagged does not, and is another text in every account.
fn may_cost(property: &str) -> bool {
    let idle = ["Name", "Policy", "PolicyDocument", "Description", "Tags", "Arn", "Identifier"];
    !idle.iter().any(|end| property.ends_with(end))
}

/// What `Ref` and `Fn::Sub` anywhere in a value name, AWS's own names too.
fn referred(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                match (key.as_str(), value) {
                    ("Ref", Value::String(name)) => {
                        names.insert(name.clone());
                    }
                    ("Fn::Sub", Value::String(text)) => substituted(text, names),
                    ("Fn::Sub", Value::Array(items)) => {
                        if let Some(Value::String(text)) = items.first() {
                            substituted(text, names);
                        }
                        items.iter().for_each(|item| referred(item, names));
                    }
                    _ => referred(value, names),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| referred(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn substituted(text: &str, names: &mut BTreeSet<String>) {
    let parts = text.split("${").skip(1).filter_map(|part| part.split('}').next());
    names.extend(parts.map(|name| name.trim().to_owned()));
}

/// What the arguments of choosing functions name.
fn chosen(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                if CHOOSING.contains(&key.as_str()) {
                    referred(value, names);
                } else {
                    chosen(value, names);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| chosen(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
