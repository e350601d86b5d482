//! The values of parameters that a macro may look at, and whether it did.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::template::fill::{is_known, value_of};
use crate::template::parameter::scalar_text;
use crate::template::{Given, Template};

/// Parameters and mappings of one template.
pub(super) struct Known<'a> {
    template: &'a Template,
    given: &'a BTreeMap<String, Given>,
    mattered: Cell<bool>,
}

impl<'a> Known<'a> {
    pub(super) fn of(template: &'a Template, given: &'a BTreeMap<String, Given>) -> Self {
        Self { template, given, mattered: Cell::new(false) }
    }

    /// Whether the value of any parameter was asked for.
    pub(super) fn mattered(&self) -> bool {
        self.mattered.get()
    }

    /// The value of a parameter, if it is known now; a list of one of a list type.
    pub(super) fn parameter(&self, name: &str) -> Option<Value> {
        let parameter = self.template.parameters().get(name)?;
        self.mattered.set(true);
        value_of(parameter, self.given.get(name)).filter(is_known)
    }

    /// A value made of texts, parameters, mappings and `Fn::Split`, if it is known now.
    pub(super) fn value(&self, value: &Value) -> Option<Value> {
        let call = value.as_object().filter(|entries| entries.len() == 1);
        match call.and_then(|entries| entries.iter().next()) {
            Some((name, argument)) => match (name.as_str(), argument) {
                ("Ref", Value::String(name)) => self.parameter(name),
                ("Fn::FindInMap", Value::Array(keys)) => self.find_in_map(keys),
                ("Fn::Split", Value::Array(parts)) => {
                    let [separator, text] = parts.as_slice() else { return None };
                    let (separator, text) = (self.text(separator)?, self.text(text)?);
                    let parts = text.split(separator.as_str()).map(Value::from);
                    (!separator.is_empty()).then(|| parts.collect())
                }
                _ => None,
            },
            None => match value {
                Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
                Value::Object(_) => None,
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                    Some(value.clone())
                }
            },
        }
    }

    /// The text of a scalar, if it is known now.
    pub(super) fn text(&self, value: &Value) -> Option<String> {
        scalar_text(&self.value(value)?)
    }

    fn find_in_map(&self, keys: &[Value]) -> Option<Value> {
        let [map, first, second, options @ ..] = keys else { return None };
        let (map, first, second) = (self.text(map)?, self.text(first)?, self.text(second)?);
        let found = self.template.mappings().get(&map);
        if let Some(found) = found.and_then(|map| map.get(&first)?.get(&second)) {
            return Some(found.clone());
        }
        self.value(options.first()?.get("DefaultValue")?)
    }
}
