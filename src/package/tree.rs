//! A template with those of its nested stacks, and what an update does inside these: each child is
//! compared with what it was, filled in with what its parent gives.

mod comparing;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::ids::{Digest, StackName};
use crate::package::Package;
use crate::template::{FilledResource, Given, Inputs, Template, mangle, symbol};

pub use comparing::{InsideAll, inside};

/// The types that are nested stacks, with the property that says which template they have.
const NESTED: [(&str, &str); 2] =
    [("AWS::CloudFormation::Stack", "TemplateURL"), ("AWS::Serverless::Application", "Location")];
/// How the symbol of the value of an SSM parameter starts.
const LOOKED_UP: &str = "AWS::SSM::Parameter::Value<";
/// CloudFormation's limit for the name of a stack, in characters.
const MAX_NAME_CHARS: usize = 128;

/// A template with those of its nested stacks, as far as they can be seen.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The template, with placeholders for the bucket.
    pub template: Arc<Template>,
    /// By logical id; one that is missing cannot be seen.
    pub nested: BTreeMap<String, Tree>,
}

impl Package {
    /// Its templates alone.
    pub fn tree(&self) -> Tree {
        let nested = self.nested.iter().map(|(name, nested)| (name.clone(), nested.tree()));
        Tree { template: Arc::clone(&self.template), nested: nested.collect() }
    }
}

impl Tree {
    /// The same as AWS gives it back, with non-ASCII characters mangled.
    pub fn as_returned(&self) -> Self {
        let body = self.template.body();
        let mangled = (!body.is_ascii()).then(|| Template::parse(&mangle(body)).ok());
        let template = mangled.flatten().map_or_else(|| Arc::clone(&self.template), Arc::new);
        let nested = self.nested.iter().map(|(name, nested)| (name.clone(), nested.as_returned()));
        Self { template, nested: nested.collect() }
    }

    /// Whether all templates are the same.
    fn is_same(&self, other: &Self) -> bool {
        self.template.digest() == other.template.digest()
            && self.nested.len() == other.nested.len()
            && self
                .nested
                .iter()
                .zip(&other.nested)
                .all(|((name, one), (same, other))| name == same && one.is_same(other))
    }
}

/// Whether a resource of this type is a nested stack.
pub fn is_nested(kind: &str) -> bool {
    NESTED.iter().any(|(nested, _)| *nested == kind)
}

/// Where the template of a nested stack is, where that is a text.
pub fn template_url<'v>(kind: &str, properties: &'v Value) -> Option<&'v str> {
    let (_, property) = NESTED.iter().find(|(nested, _)| *nested == kind)?;
    properties.get(*property)?.as_str()
}

/// What a nested stack gets from its parent, whose entry for it is filled in. What is not known there
/// is a symbol: the same for the same expression.
pub fn below(logical_id: &str, nested: &FilledResource<'_>, parent: &Inputs) -> Inputs {
    let parameters = nested.properties().get("Parameters").and_then(Value::as_object);
    let given = parameters.into_iter().flatten().map(|(name, value)| (name.clone(), given(value)));
    Inputs {
        parameters: given.collect(),
        account: parent.account,
        region: parent.region.clone(),
        stack_name: name_below(logical_id, &parent.stack_name),
    }
}

/// AWS adds characters that nobody knows before; the same on both sides is all that counts.
fn name_below(logical_id: &str, parent: &StackName) -> StackName {
    let name: String = format!("{parent}-{logical_id}").chars().take(MAX_NAME_CHARS).collect();
    name.parse().unwrap_or_else(|_| parent.clone())
}

fn given(value: &Value) -> Given {
    let items = |items: &[Value]| {
        let texts: Option<Vec<String>> = items.iter().map(plain).collect();
        texts.map(|texts| texts.join(","))
    };
    let text = match value {
        Value::Array(list) => items(list),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            plain(value)
        }
    };
    text.map_or_else(|| Given::Symbol(unknown(value)), Given::Text)
}

/// A value that is a text to CloudFormation; one that it looks up is known to nobody.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.contains("{{resolve:") => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The same for the same value, and nothing that could be a secret. What CloudFormation looks up anew in
/// every update stays known as such.
fn unknown(value: &Value) -> String {
    if let Some(symbol) = symbol(value) {
        return symbol.to_owned();
    }
    let text = value.to_string();
    let is_looked_up = text.contains(LOOKED_UP) || text.contains("{{resolve:ssm:");
    let head = if is_looked_up { LOOKED_UP } else { "" };
    format!("{head}{}", Digest::of(text.as_bytes()))
}

/// Whether a symbol stands for a value that may be another at the next update.
fn is_looked_up(symbol: &str) -> bool {
    symbol.starts_with(LOOKED_UP)
}

#[cfg(test)]
mod tests;
