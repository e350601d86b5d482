//! A template as one stack sees it: parameters, mappings and conditions filled in as far as they are
//! known. What is not known stays, so that equal functions stand for equal values.

mod choose;
mod texts;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value, json};

use crate::ids::{AccountId, Digest, Region, StackName};
use crate::template::canonical::digest;
use crate::template::create_only::is_function;
use crate::template::fill::choose::Truth;
pub(super) use crate::template::fill::choose::is_known;
use crate::template::transform::{EXTENSIONS, json_text, length};
use crate::template::{Parameter, Template};

/// The key of the map that stands where a value is not known. No text of a template has it: a zero
/// byte is refused in YAML, and nobody writes one in JSON.
const SYMBOL: &str = "\0symbol";
/// How the type of an SSM parameter starts, and so the symbol of its value.
const SSM: &str = "AWS::SSM::Parameter::Value<";
/// How many bytes parameters, mappings and functions may put into one template, so that a small
/// text cannot become a large one; what comes after stands as the digest of its value. Real
/// templates are below a tenth of it.
const MAX_FILLED_BYTES: usize = 4_000_000;

/// What a stack gives to its template.
#[derive(Clone)]
pub struct Inputs {
    /// By name; those that are missing have the template's default.
    pub parameters: BTreeMap<String, Given>,
    /// `AWS::AccountId`.
    pub account: AccountId,
    /// `AWS::Region`, which the partition follows from.
    pub region: Region,
    /// `AWS::StackName`.
    pub stack_name: StackName,
}

/// The value of one parameter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Given {
    /// The text that AWS gets; a list has commas between its items.
    Text(String),
    /// It is not known now: equal symbols stand for equal values, different ones for any.
    Symbol(String),
}

/// A template with everything that is known filled in.
pub struct Filled<'t> {
    /// By logical id; without what macros are going to add.
    pub resources: BTreeMap<&'t str, FilledResource<'t>>,
    /// The outputs by their logical ids, with an empty type.
    pub outputs: BTreeMap<&'t str, FilledResource<'t>>,
    /// Which conditions hold; `None` where nobody can say.
    pub conditions: BTreeMap<&'t str, Option<bool>>,
    /// Whether macros, modules or loops make resources, or parts of them, that cannot be seen here.
    pub is_partial: bool,
}

/// One entry of the section `Resources` with everything that is known filled in.
pub struct FilledResource<'t> {
    /// AWS's `Type`; empty where it is missing.
    pub kind: &'t str,
    /// Whether its condition holds; `None` where nobody can say.
    pub is_there: Option<bool>,
    /// The whole entry in canonical form, borrowed from the template where nothing was to be filled
    /// in. It may hold secrets.
    pub section: Cow<'t, Value>,
    /// What `is_there` depends on, where nobody can say: the same for the same condition.
    pub(super) depends: Option<Digest>,
}

impl FilledResource<'_> {
    /// `Properties`; null where there are none.
    pub fn properties(&self) -> &Value {
        self.section.get("Properties").unwrap_or(&Value::Null)
    }

    /// `DeletionPolicy`: `Delete`, `Retain`, `RetainExceptOnCreate` or `Snapshot`.
    pub fn deletion_policy(&self) -> Option<&str> {
        self.section.get("DeletionPolicy")?.as_str()
    }

    /// `UpdateReplacePolicy`: `Delete`, `Retain` or `Snapshot`.
    pub fn update_replace_policy(&self) -> Option<&str> {
        self.section.get("UpdateReplacePolicy")?.as_str()
    }
}

/// Sections may hold secrets, so only names and types are shown.
impl fmt::Debug for Filled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filled")
            .field("resources", &self.resources)
            .field("conditions", &self.conditions)
            .field("is_partial", &self.is_partial)
            .finish()
    }
}

impl fmt::Debug for FilledResource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilledResource")
            .field("kind", &self.kind)
            .field("is_there", &self.is_there)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inputs")
            .field("parameters", &self.parameters)
            .field("account", &self.account)
            .field("region", &self.region)
            .field("stack_name", &self.stack_name)
            .finish()
    }
}

/// A text may be a secret.
impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(..)"),
            Self::Symbol(symbol) => f.debug_tuple("Symbol").field(symbol).finish(),
        }
    }
}

/// The symbol that stands in place of a value that is not known.
pub fn symbol(value: &Value) -> Option<&str> {
    value.as_object().filter(|entries| entries.len() == 1)?.get(SYMBOL)?.as_str()
}

/// Whether a symbol stands for what AWS finds in an SSM parameter.
pub(super) fn is_ssm(symbol: &str) -> bool {
    symbol.starts_with(SSM)
}

fn symbol_of(name: &str) -> Value {
    json!({ SYMBOL: name })
}

/// Fills in what is known; of a template with macros, give what they make of it
/// ([`Template::processed`]). `Ref` and `Fn::GetAtt` of resources, exports and zones stay as they are;
/// so does what CloudFormation would refuse. An SSM parameter counts as unknown: equal names stand for
/// equal values.
///
/// It takes some 40 us and, since all that differs from the template is a copy, some 80 kB for 30
/// resources (6,000 stacks: 0.2 s of CPU): fill in one stack after the other instead of keeping them.
pub fn fill<'t>(template: &'t Template, inputs: &Inputs) -> Filled<'t> {
    let declared = template.parameters().iter();
    let parameters = declared.filter_map(|(name, parameter)| {
        Some((name.as_str(), value_of(parameter, inputs.parameters.get(name))?))
    });
    let scope = Scope {
        template,
        inputs,
        parameters: parameters.collect(),
        truths: RefCell::default(),
        depth: Cell::new(0),
        left: Cell::new(MAX_FILLED_BYTES),
        // The extensions of the language alone make no resources; their loops are seen by name.
        is_partial: Cell::new(
            template.is_partial || template.transforms().iter().any(|name| name != EXTENSIONS),
        ),
    };
    let resources = template.resources().iter().map(|(logical_id, resource)| {
        let condition = resource.condition.as_deref();
        (logical_id.as_str(), scope.entry(&resource.kind, condition, &resource.section))
    });
    let resources = resources.collect();
    let outputs = template.outputs().iter().map(|(name, output)| {
        let condition = output.get("Condition").and_then(Value::as_str);
        (name.as_str(), scope.entry("", condition, output))
    });
    let outputs = outputs.collect();
    let declared = template.conditions().keys().filter(|name| !name.starts_with("Fn::"));
    let conditions = declared.map(|name| {
        let known = match scope.condition(name) {
            Truth::Known(holds) => Some(holds),
            Truth::Unknown(_) => None,
        };
        (name.as_str(), known)
    });
    let conditions = conditions.collect();
    let entries = template.value().get("Resources").and_then(Value::as_object);
    let generated = entries.into_iter().flat_map(Map::keys).any(|name| name.starts_with("Fn::"));
    // A module stands for resources of its own.
    let modules = template.resources().values().any(|one| one.kind.ends_with("::MODULE"));
    let is_partial = generated || modules || scope.is_partial.get();
    Filled { resources, outputs, conditions, is_partial }
}

/// The value of a parameter as a template sees it; none where it has neither value nor default.
pub(super) fn value_of(parameter: &Parameter, given: Option<&Given>) -> Option<Value> {
    let text = match given {
        Some(Given::Symbol(symbol)) if parameter.is_ssm() => {
            return Some(symbol_of(&format!("{} {symbol}", parameter.kind)));
        }
        Some(Given::Symbol(symbol)) => return Some(symbol_of(symbol)),
        Some(Given::Text(text)) => text,
        None => parameter.default.as_ref()?,
    };
    if parameter.is_ssm() {
        return Some(symbol_of(&format!("{} {text}", parameter.kind)));
    }
    if !parameter.is_list() {
        return Some(Value::String(text.clone()));
    }
    Some(text.split(',').map(|item| Value::from(item.trim())).collect())
}

/// Everything that a value of the template may mention. A value that comes back borrowed is as it
/// stands in the template; none is `AWS::NoValue`.
struct Scope<'t, 'i> {
    template: &'t Template,
    inputs: &'i Inputs,
    parameters: BTreeMap<&'t str, Value>,
    /// The conditions that were asked for.
    truths: RefCell<BTreeMap<&'t str, Truth>>,
    /// How deep conditions use each other at this point.
    depth: Cell<usize>,
    /// How many bytes may still be filled in.
    left: Cell<usize>,
    is_partial: Cell<bool>,
}

impl<'t> Scope<'t, '_> {
    /// An entry of a section, if its condition holds.
    fn entry(
        &self,
        kind: &'t str,
        condition: Option<&'t str>,
        section: &'t Value,
    ) -> FilledResource<'t> {
        let (is_there, depends) = match condition.map(|name| self.condition(name)) {
            None => (Some(true), None),
            Some(Truth::Known(holds)) => (Some(holds), None),
            Some(Truth::Unknown(depends)) => (None, Some(depends)),
        };
        let section = self.value(section).unwrap_or(Cow::Borrowed(&Value::Null));
        FilledResource { kind, is_there, section, depends }
    }

    fn value(&self, value: &'t Value) -> Option<Cow<'t, Value>> {
        match value {
            Value::Object(entries) => match entries.iter().next() {
                Some((name, argument)) if entries.len() == 1 && is_function(name) => {
                    self.function(value, name, argument)
                }
                Some(_) | None => Some(self.map(value, entries)),
            },
            Value::Array(items) => Some(self.list(value, items)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Some(Cow::Borrowed(value))
            }
        }
    }

    fn map(&self, whole: &'t Value, entries: &'t Map<String, Value>) -> Cow<'t, Value> {
        let mut changed: Option<Map<String, Value>> = None;
        for (index, (key, entry)) in entries.iter().enumerate() {
            if makes_more(key) {
                self.is_partial.set(true);
            }
            let filled = self.value(entry);
            if changed.is_none() && is_same(&filled, entry) {
                continue;
            }
            let copied = || entries.iter().take(index).map(|(key, one)| (key.clone(), one.clone()));
            let changed = changed.get_or_insert_with(|| copied().collect());
            changed.extend(filled.map(|filled| (key.clone(), filled.into_owned())));
        }
        changed.map_or(Cow::Borrowed(whole), |entries| Cow::Owned(Value::Object(entries)))
    }

    fn list(&self, whole: &'t Value, items: &'t [Value]) -> Cow<'t, Value> {
        let mut changed: Option<Vec<Value>> = None;
        for (index, item) in items.iter().enumerate() {
            let filled = self.value(item);
            if changed.is_none() && is_same(&filled, item) {
                continue;
            }
            let changed = changed.get_or_insert_with(|| items[..index].to_vec());
            changed.extend(filled.map(Cow::into_owned));
        }
        changed.map_or(Cow::Borrowed(whole), |items| Cow::Owned(Value::Array(items)))
    }

    fn function(
        &self,
        whole: &'t Value,
        name: &'t str,
        argument: &'t Value,
    ) -> Option<Cow<'t, Value>> {
        match name {
            "Ref" => match argument.as_str() {
                Some("AWS::NoValue") => None,
                Some(name) => Some(match self.reference(name) {
                    Some(value) => Cow::Owned(self.bounded(&value)),
                    None => Cow::Borrowed(whole),
                }),
                None => Some(Cow::Borrowed(whole)),
            },
            "Fn::GetAtt" => Some(Cow::Borrowed(whole)),
            "Fn::Sub" => Some(self.substitute(whole, argument)),
            "Fn::If" => self.choose(whole, argument),
            "Fn::FindInMap" => Some(self.find_in_map(whole, argument)),
            _ => Some(self.simple(whole, name, argument)),
        }
    }

    /// A function that needs nothing but its argument, which is filled in whether it is known or not.
    fn simple(&self, whole: &'t Value, name: &str, argument: &'t Value) -> Cow<'t, Value> {
        if makes_more(name) {
            self.is_partial.set(true);
        }
        let Some(argument_filled) = self.value(argument) else { return Cow::Borrowed(whole) };
        let known = match name {
            "Fn::Join" => self.join(&argument_filled),
            "Fn::Select" => texts::select(&argument_filled),
            "Fn::Split" => self.split(&argument_filled),
            "Fn::Length" => length(&argument_filled),
            "Fn::ToJsonString" => json_text(&argument_filled),
            _ => None,
        };
        match (known, Some(argument_filled)) {
            (Some(known), _) => Cow::Owned(known),
            (None, filled) if is_same(&filled, argument) => Cow::Borrowed(whole),
            (None, filled) => Cow::Owned(json!({ name: filled.map(Cow::into_owned) })),
        }
    }

    /// What `Ref` gives, if it is known: a parameter or one of AWS's own.
    fn reference(&self, name: &str) -> Option<Cow<'_, Value>> {
        if let Some(value) = self.parameters.get(name) {
            return Some(Cow::Borrowed(value));
        }
        let region = &self.inputs.region;
        Some(Cow::Owned(Value::String(match name {
            "AWS::AccountId" => self.inputs.account.to_string(),
            "AWS::Region" => region.to_string(),
            "AWS::Partition" => region.partition().to_owned(),
            "AWS::StackName" => self.inputs.stack_name.to_string(),
            "AWS::URLSuffix" if region.partition() == "aws-cn" => "amazonaws.com.cn".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            _ => return None,
        })))
    }

    /// A copy of a value, or a symbol for it when too much was filled in already.
    fn bounded(&self, value: &Value) -> Value {
        if self.spend(size(value)) { value.clone() } else { digest_symbol(value) }
    }

    /// Whether so many more bytes may be filled in.
    fn spend(&self, bytes: usize) -> bool {
        let left = self.left.get().checked_sub(bytes);
        left.inspect(|left| self.left.set(*left)).is_some()
    }
}

/// A symbol for a value that is known and too long.
fn digest_symbol(value: &Value) -> Value {
    symbol_of(&digest(value).to_string())
}

/// Bytes that a value takes beside its text.
const EACH: usize = 16;

/// Whether nothing was filled in.
fn is_same(filled: &Option<Cow<'_, Value>>, value: &Value) -> bool {
    matches!(filled, Some(Cow::Borrowed(same)) if std::ptr::eq(*same, value))
}

/// Whether a macro or a loop puts something else in place of an entry.
fn makes_more(key: &str) -> bool {
    key.starts_with("Fn::ForEach") || key == "Fn::Transform"
}

/// Roughly the bytes that a copy takes.
fn size(value: &Value) -> usize {
    EACH + match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(entries) => entries.iter().map(|(key, value)| key.len() + size(value)).sum(),
    }
}

#[cfg(test)]
mod tests;
