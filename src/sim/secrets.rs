//! Values of NoEcho parameters, which AWS never shows.

use serde_json::{Map, Value};

use crate::sim::comparison::shown;
use crate::sim::state::Definition;

/// What AWS shows instead of a NoEcho value.
pub(crate) const MASK: &str = "****";

/// Shorter values are hidden only where they stand alone: nearly every text has them in it.
const LENGTH_INSIDE: usize = 4;

/// The values that some definitions hide.
#[derive(Debug)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// The values that these definitions hide.
    pub(crate) fn of<const N: usize>(definitions: [&Definition; N]) -> Self {
        let parameters = definitions.into_iter().flat_map(|one| one.parameters.values());
        let hidden = parameters.filter(|parameter| parameter.no_echo);
        let values = hidden.flat_map(|one| [Some(one.value.clone()), one.resolved.clone()]);
        Self(values.flatten().filter(|value| !value.is_empty()).collect())
    }

    /// Whether a value has a hidden one in it.
    pub(crate) fn hides(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.0.iter().any(|secret| {
                text == secret || (secret.len() >= LENGTH_INSIDE && text.contains(secret))
            }),
            Value::Array(items) => items.iter().any(|item| self.hides(item)),
            Value::Object(map) => map.values().any(|member| self.hides(member)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// A value as a text that may be shown.
    pub(crate) fn shown(&self, value: Option<&Value>) -> String {
        shown(value.map(|value| self.masked(value, None)).as_ref())
    }

    /// Properties as JSON that may be shown; what stands where `like` has a secret is hidden too.
    pub(crate) fn json(&self, map: &Map<String, Value>, like: &Map<String, Value>) -> String {
        let (value, like) = (Value::Object(map.clone()), Value::Object(like.clone()));
        if self.0.is_empty() {
            return value.to_string();
        }
        self.masked(&value, Some(&like)).to_string()
    }

    fn masked(&self, value: &Value, like: Option<&Value>) -> Value {
        let hidden = |like: &Value| like.is_string() && self.hides(like);
        match value {
            _ if like.is_some_and(hidden) => Value::String(MASK.to_owned()),
            Value::String(_) if self.hides(value) => Value::String(MASK.to_owned()),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                let item = |(index, item)| self.masked(item, like.and_then(|one| one.get(index)));
                items.map(item).collect()
            }
            Value::Object(map) => {
                let member = |(name, member): (&String, &Value)| {
                    (name.clone(), self.masked(member, like.and_then(|one| one.get(name))))
                };
                Value::Object(map.iter().map(member).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }
}
