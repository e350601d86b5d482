//! Intrinsic functions: a template value with everything known filled in.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::sim::refusal::Refusal;
use crate::sim::resources::{Surroundings, attribute, kind};

/// Conditions may use each other this deep; real templates stay below five.
const CONDITION_DEPTH: usize = 50;

/// The functions that are known; `Ref` and `Condition` are besides.
pub(crate) const FUNCTIONS: &[&str] = &[
    "Fn::And",
    "Fn::Base64",
    "Fn::Equals",
    "Fn::FindInMap",
    "Fn::GetAZs",
    "Fn::GetAtt",
    "Fn::If",
    "Fn::ImportValue",
    "Fn::Join",
    "Fn::Not",
    "Fn::Or",
    "Fn::Select",
    "Fn::Split",
    "Fn::Sub",
];

/// Those that come with `AWS::LanguageExtensions`.
pub(crate) const EXTENDED_FUNCTIONS: &[&str] = &["Fn::Length", "Fn::ToJsonString"];

/// Why a template cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The request is refused.
    Refused(Refusal),
    /// An export does not exist: a creation starts and rolls back, an update is refused.
    NoExport(String),
    /// An output of a nested stack does not exist: the resource that needs it fails.
    NoOutput(String),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A resource that others may refer to.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    pub(crate) kind: String,
    pub(crate) physical_id: String,
    pub(crate) properties: Map<String, Value>,
    /// Of a nested stack; `Some(None)` when nobody can know them, since it will fail.
    pub(crate) outputs: Option<Option<BTreeMap<String, String>>>,
}

/// Everything that an expression may mention.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) at: &'a Surroundings,
    pub(crate) stack_name: &'a str,
    pub(crate) stack_id: &'a str,
    pub(crate) parameters: BTreeMap<String, Value>,
    pub(crate) mappings: Option<&'a Value>,
    pub(crate) conditions: Option<&'a Map<String, Value>>,
    pub(crate) exports: &'a BTreeMap<String, (Arc<str>, String)>,
    pub(crate) resources: BTreeMap<String, Settled>,
    /// Filled while evaluating.
    pub(crate) imports: RefCell<BTreeSet<String>>,
    /// `Conditions`, `Resources` or `Outputs`, for the error text.
    pub(crate) block: &'static str,
}

/// `None` is `AWS::NoValue`.
type Evaluated = Result<Option<Value>, Trouble>;

impl Scope<'_> {
    /// The value without any function left in it.
    pub(crate) fn evaluate(&self, value: &Value) -> Evaluated {
        match value {
            Value::Object(map) => match single_function(map) {
                Some((name, argument)) => self.function(name, argument),
                None => Ok(Some(Value::Object(self.members(map)?))),
            },
            Value::Array(items) => {
                let mut evaluated = Vec::with_capacity(items.len());
                for item in items {
                    evaluated.extend(self.evaluate(item)?);
                }
                Ok(Some(Value::Array(evaluated)))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Ok(Some(value.clone()))
            }
        }
    }

    /// Every member of an object, those without a value left out.
    pub(crate) fn members(&self, map: &Map<String, Value>) -> Result<Map<String, Value>, Trouble> {
        let mut members = Map::new();
        for (key, member) in map {
            if let Some(member) = self.evaluate(member)? {
                members.insert(key.clone(), member);
            }
        }
        Ok(members)
    }

    /// A named condition.
    pub(crate) fn condition(&self, name: &str) -> Result<bool, Trouble> {
        self.condition_at(name, 0)
    }

    /// A value that must be a text.
    pub(crate) fn text(&self, value: &Value) -> Result<String, Trouble> {
        self.evaluate(value)?
            .as_ref()
            .and_then(as_text)
            .ok_or_else(|| invalid(format!("Template error: a text is needed instead of {value}")))
    }

    fn function(&self, name: &str, argument: &Value) -> Evaluated {
        match name {
            "Ref" => self.reference(argument.as_str().unwrap_or_default()),
            "Fn::GetAtt" => self.get_att(argument),
            "Fn::Sub" => self.substitute(argument),
            "Fn::Join" => self.join(argument),
            "Fn::Select" => self.select(argument),
            "Fn::Split" => self.split(argument),
            "Fn::If" => self.choose(argument),
            "Fn::FindInMap" => self.find_in_map(argument),
            "Fn::ImportValue" => self.import(argument),
            "Fn::Base64" => Ok(Some(Value::String(base_64(self.text(argument)?.as_bytes())))),
            "Fn::GetAZs" => self.zones(argument),
            "Fn::Length" => {
                let items = self.list(argument, name)?;
                Ok(Some(Value::String(items.len().to_string())))
            }
            "Fn::ToJsonString" => {
                let value = self.evaluate(argument)?.ok_or_else(|| malformed(name))?;
                Ok(Some(Value::String(value.to_string())))
            }
            "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" | "Condition" => {
                Ok(Some(Value::Bool(self.holds(name, argument, 0)?)))
            }
            other => Err(Refusal::not_simulated(format!("the function `{other}`")).into()),
        }
    }

    fn reference(&self, name: &str) -> Evaluated {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some(value) = self.parameters.get(name) {
            return Ok(Some(value.clone()));
        }
        let text = match name {
            "AWS::AccountId" => self.at.account.to_string(),
            "AWS::Region" => self.at.region.to_string(),
            "AWS::Partition" => self.at.region.partition().to_owned(),
            "AWS::StackName" => self.stack_name.to_owned(),
            "AWS::StackId" => self.stack_id.to_owned(),
            "AWS::URLSuffix" if self.at.region.partition() == "aws-cn" => {
                "amazonaws.com.cn".to_owned()
            }
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::NotificationARNs" => return Ok(Some(Value::Array(Vec::new()))),
            other => self.settled(other)?.physical_id.clone(),
        };
        Ok(Some(Value::String(text)))
    }

    fn settled(&self, name: &str) -> Result<&Settled, Trouble> {
        self.resources.get(name).ok_or_else(|| {
            invalid(format!(
                "Template format error: Unresolved resource dependencies [{name}] in the {} \
                 block of the template",
                self.block
            ))
        })
    }

    fn get_att(&self, argument: &Value) -> Evaluated {
        // The canonical form is a list of two; a text with a dot is what people write in JSON.
        if let Some((resource, attribute)) = argument.as_str().and_then(|text| text.split_once('.'))
        {
            return self.attribute_of(resource, attribute).map(Some);
        }
        let [resource, attribute] = pair(argument, "Fn::GetAtt")?;
        let (resource, attribute) = (self.text(resource)?, self.text(attribute)?);
        self.attribute_of(&resource, &attribute).map(Some)
    }

    fn attribute_of(&self, resource: &str, name: &str) -> Result<Value, Trouble> {
        let settled = self.settled(resource)?;
        if let (Some(outputs), Some(output)) = (&settled.outputs, name.strip_prefix("Outputs.")) {
            let known = outputs.as_ref().map(|outputs| outputs.get(output).cloned());
            let text = known.unwrap_or_else(|| Some("unknown".to_owned()));
            let id = &settled.physical_id;
            let missing = || format!("Output '{output}' not found in stack '{id}'");
            return text.map(Value::String).ok_or_else(|| Trouble::NoOutput(missing()));
        }
        let Some(text) = attribute(&settled.kind, name, &settled.physical_id, self.at) else {
            return Err(invalid(format!(
                "Template error: resource {resource} does not support attribute type {name} in \
                 Fn::GetAtt"
            )));
        };
        // Types without a form of their own for a property give the property.
        let formed = kind(&settled.kind).is_some_and(|kind| {
            kind.attributes.iter().any(|(known, form)| *known == name && !form.is_empty())
        });
        let given = settled.properties.get(name).filter(|_| !formed);
        Ok(given.cloned().unwrap_or(Value::String(text)))
    }

    fn substitute(&self, argument: &Value) -> Evaluated {
        let (text, own) = match argument.as_str() {
            Some(text) => (text, None),
            None => {
                let [text, own] = pair(argument, "Fn::Sub")?;
                (text.as_str().ok_or_else(|| malformed("Fn::Sub"))?, own.as_object())
            }
        };
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            filled.push_str(&rest[..start]);
            let length = rest[start..].find('}').ok_or_else(|| malformed("Fn::Sub"))?;
            let name = rest[start + 2..start + length].trim();
            match name.strip_prefix('!') {
                Some(literal) => filled.push_str(&format!("${{{literal}}}")),
                None => filled.push_str(&self.substitution(name, own)?),
            }
            rest = &rest[start + length + 1..];
        }
        filled.push_str(rest);
        Ok(Some(Value::String(filled)))
    }

    fn substitution(
        &self,
        name: &str,
        own: Option<&Map<String, Value>>,
    ) -> Result<String, Trouble> {
        if let Some(value) = own.and_then(|own| own.get(name)) {
            return self.text(value);
        }
        let value = match name.split_once('.') {
            Some((resource, attribute)) => Some(self.attribute_of(resource, attribute)?),
            None => self.reference(name)?,
        };
        value.as_ref().and_then(as_text).ok_or_else(|| malformed("Fn::Sub"))
    }

    fn join(&self, argument: &Value) -> Evaluated {
        let [separator, items] = pair(argument, "Fn::Join")?;
        let separator = separator.as_str().unwrap_or_default();
        let items = self.list(items, "Fn::Join")?;
        let texts: Option<Vec<String>> = items.iter().map(as_text).collect();
        let texts = texts.ok_or_else(|| malformed("Fn::Join"))?;
        Ok(Some(Value::String(texts.join(separator))))
    }

    fn select(&self, argument: &Value) -> Evaluated {
        let [index, items] = pair(argument, "Fn::Select")?;
        let index: Option<usize> = self.text(index)?.parse().ok();
        let items = self.list(items, "Fn::Select")?;
        let item = index.and_then(|index| items.into_iter().nth(index));
        item.map(Some).ok_or_else(|| {
            let text = "Template error: Fn::Select cannot select nonexistent value at index";
            invalid(format!("{text} {}", index.map_or_else(String::new, |index| index.to_string())))
        })
    }

    fn split(&self, argument: &Value) -> Evaluated {
        let [separator, text] = pair(argument, "Fn::Split")?;
        let separator = separator.as_str().unwrap_or_default();
        let text = self.text(text)?;
        let parts = text.split(separator).map(|part| Value::String(part.to_owned()));
        Ok(Some(Value::Array(parts.collect())))
    }

    fn choose(&self, argument: &Value) -> Evaluated {
        match argument.as_array().map(Vec::as_slice) {
            Some([Value::String(condition), yes, no]) => {
                self.evaluate(if self.condition(condition)? { yes } else { no })
            }
            Some(_) | None => Err(malformed("Fn::If")),
        }
    }

    fn find_in_map(&self, argument: &Value) -> Evaluated {
        let keys = argument.as_array().ok_or_else(|| malformed("Fn::FindInMap"))?;
        let [map, first, second, ..] = keys.as_slice() else {
            return Err(malformed("Fn::FindInMap"));
        };
        let (map, first, second) = (self.text(map)?, self.text(first)?, self.text(second)?);
        let found = self.mappings.and_then(|maps| maps.get(&map)?.get(&first)?.get(&second));
        let default = keys.get(3).and_then(|options| options.get("DefaultValue"));
        match (found, default) {
            (Some(value), _) => Ok(Some(value.clone())),
            (None, Some(default)) => self.evaluate(default),
            (None, None) => Err(invalid(format!(
                "Template error: Unable to get mapping for {map}::{first}::{second}"
            ))),
        }
    }

    fn import(&self, argument: &Value) -> Evaluated {
        let name = self.text(argument)?;
        let Some((_, value)) = self.exports.get(&name) else {
            return Err(Trouble::NoExport(format!("No export named {name} found.")));
        };
        self.imports.borrow_mut().insert(name);
        Ok(Some(Value::String(value.clone())))
    }

    fn zones(&self, argument: &Value) -> Evaluated {
        let region = self.text(argument)?;
        let region = if region.is_empty() { self.at.region.to_string() } else { region };
        let zones = ["a", "b", "c"].map(|letter| Value::String(format!("{region}{letter}")));
        Ok(Some(Value::Array(zones.to_vec())))
    }

    fn list(&self, value: &Value, function: &str) -> Result<Vec<Value>, Trouble> {
        match self.evaluate(value)? {
            Some(Value::Array(items)) => Ok(items),
            Some(_) | None => Err(malformed(function)),
        }
    }

    fn condition_at(&self, name: &str, depth: usize) -> Result<bool, Trouble> {
        let body = self.conditions.and_then(|conditions| conditions.get(name));
        let body = body.and_then(Value::as_object).and_then(single_function);
        match body {
            Some((function, argument)) if depth < CONDITION_DEPTH => {
                self.holds(function, argument, depth + 1)
            }
            Some(_) => Err(invalid(format!(
                "Template format error: Circular dependency in condition {name}"
            ))),
            None => Err(invalid(format!(
                "Template format error: Unresolved condition dependency {name} in the {} block \
                 of the template",
                self.block
            ))),
        }
    }

    fn holds(&self, function: &str, argument: &Value, depth: usize) -> Result<bool, Trouble> {
        let items = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        let holds = |item: &Value| match item.as_object().and_then(single_function) {
            Some((function, argument)) => self.holds(function, argument, depth),
            None => Err(malformed(function)),
        };
        match (function, items) {
            ("Condition", _) => self.condition_at(argument.as_str().unwrap_or_default(), depth),
            ("Fn::Equals", [left, right]) => {
                let (left, right) = (self.evaluate(left)?, self.evaluate(right)?);
                Ok(left.as_ref().and_then(as_text) == right.as_ref().and_then(as_text))
            }
            ("Fn::Not", [item]) => Ok(!holds(item)?),
            ("Fn::And", items) => items.iter().try_fold(true, |all, item| Ok(holds(item)? && all)),
            ("Fn::Or", items) => items.iter().try_fold(false, |any, item| Ok(holds(item)? || any)),
            (other, _) => Err(malformed(other)),
        }
    }
}

/// Names that a value mentions by `Ref`, `GetAtt` and `Sub`.
pub(crate) fn mentions(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| mentions(item, into)),
        Value::Object(map) => {
            match single_function(map) {
                Some(("Ref", Value::String(name))) => into.extend([name.clone()]),
                Some(("Fn::GetAtt", Value::String(path))) => {
                    into.extend(path.split('.').next().map(str::to_owned));
                }
                Some(("Fn::GetAtt", Value::Array(parts))) => {
                    into.extend(parts.first().and_then(Value::as_str).map(str::to_owned));
                }
                Some(("Fn::Sub", Value::String(text))) => substituted(text, into),
                Some(("Fn::Sub", Value::Array(parts))) => {
                    let mut names = BTreeSet::new();
                    let text = parts.first().and_then(Value::as_str).unwrap_or_default();
                    substituted(text, &mut names);
                    let own = parts.get(1).and_then(Value::as_object);
                    names.retain(|name| own.is_none_or(|own| !own.contains_key(name)));
                    into.extend(names);
                }
                Some(_) | None => {}
            }
            map.values().for_each(|member| mentions(member, into));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn substituted(text: &str, into: &mut BTreeSet<String>) {
    let names = text.split("${").skip(1).filter_map(|rest| rest.split('}').next());
    // `${!Name}` is the text `${Name}`.
    let names = names.map(str::trim).filter(|name| !name.starts_with('!'));
    into.extend(names.filter_map(|name| name.split('.').next()).map(str::to_owned));
}

/// `{"Fn::X": …}`, `{"Ref": …}` or `{"Condition": "name"}`: an object that is one function.
fn single_function(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = map.iter().next().filter(|_| map.len() == 1)?;
    let condition = name == "Condition" && argument.is_string();
    (name == "Ref" || name.starts_with("Fn::") || condition).then_some((name, argument))
}

/// The text of a scalar.
pub(crate) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn pair<'v>(argument: &'v Value, function: &str) -> Result<[&'v Value; 2], Trouble> {
    match argument.as_array().map(Vec::as_slice) {
        Some([first, second]) => Ok([first, second]),
        Some(_) | None => Err(malformed(function)),
    }
}

fn malformed(function: &str) -> Trouble {
    invalid(format!("Template error: every {function} object must have the form AWS documents"))
}

fn invalid(message: String) -> Trouble {
    Refusal::validation(message).into()
}

fn base_64(bytes: &[u8]) -> String {
    aws_smithy_types::base64::encode(bytes)
}
