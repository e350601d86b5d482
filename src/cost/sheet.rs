//! The properties of one resource as far as they are known: what is not written is told apart from
//! what nobody can say.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::fleet::Quantity;
use crate::template::FilledResource;

/// The resources that a reference may lead to.
pub(super) type Resources<'a> = BTreeMap<&'a str, FilledResource<'a>>;

/// One resource, or one map inside it.
#[derive(Clone, Copy)]
pub(super) struct Sheet<'a> {
    properties: &'a Value,
    resources: &'a Resources<'a>,
}

/// What a property says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said<T> {
    /// Nothing: AWS's default holds.
    Nothing,
    /// This.
    This(T),
    /// Something that is not known now.
    Unknown,
}

impl<T> Said<T> {
    pub(super) fn or(self, default: T) -> Self {
        match self {
            Self::Nothing => Self::This(default),
            Self::This(_) | Self::Unknown => self,
        }
    }

    pub(super) fn or_else(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Nothing => other(),
            Self::This(_) | Self::Unknown => self,
        }
    }

    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Said<U> {
        match self {
            Self::Nothing => Said::Nothing,
            Self::This(value) => Said::This(change(value)),
            Self::Unknown => Said::Unknown,
        }
    }

    /// The value; what is not known is `least`, and the second value says so.
    pub(super) fn at_least(self, default: T, least: T) -> (T, bool) {
        match self {
            Self::Nothing => (default, false),
            Self::This(value) => (value, false),
            Self::Unknown => (least, true),
        }
    }
}

impl<'a> Sheet<'a> {
    pub(super) fn of(properties: &'a Value, resources: &'a Resources<'a>) -> Self {
        Self { properties, resources }
    }

    fn find(&self, path: &[&str]) -> Said<&'a Value> {
        let mut value = self.properties;
        for key in path {
            match value {
                Value::Object(entries) => match entries.get(*key) {
                    Some(below) => value = below,
                    None if is_function(value) => return Said::Unknown,
                    None => return Said::Nothing,
                },
                Value::Null => return Said::Nothing,
                Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                    return Said::Unknown;
                }
            }
        }
        Said::This(value)
    }

    /// Whether the property is written, whatever it says.
    pub(super) fn has(&self, path: &[&str]) -> bool {
        !matches!(self.find(path), Said::Nothing)
    }

    pub(super) fn text(&self, path: &[&str]) -> Said<&'a str> {
        match self.find(path) {
            Said::This(Value::String(text)) => Said::This(text),
            Said::Nothing => Said::Nothing,
            Said::This(_) | Said::Unknown => Said::Unknown,
        }
    }

    /// A number, or a text that is one.
    pub(super) fn number(&self, path: &[&str]) -> Said<Quantity> {
        let parsed = match self.find(path) {
            Said::This(Value::String(text)) => Quantity::parse(text.trim()),
            Said::This(Value::Number(number)) => Quantity::parse(&number.to_string()),
            Said::Nothing => return Said::Nothing,
            Said::This(_) | Said::Unknown => None,
        };
        parsed.map_or(Said::Unknown, Said::This)
    }

    pub(super) fn flag(&self, path: &[&str]) -> Said<bool> {
        match self.find(path) {
            Said::This(Value::Bool(flag)) => Said::This(*flag),
            Said::This(Value::String(text)) if text.eq_ignore_ascii_case("true") => {
                Said::This(true)
            }
            Said::This(Value::String(text)) if text.eq_ignore_ascii_case("false") => {
                Said::This(false)
            }
            Said::Nothing => Said::Nothing,
            Said::This(_) | Said::Unknown => Said::Unknown,
        }
    }

    /// The maps of a list; other items are empty ones.
    pub(super) fn items(&self, path: &[&str]) -> Said<Vec<Sheet<'a>>> {
        match self.find(path) {
            Said::This(Value::Array(items)) => {
                Said::This(items.iter().map(|item| Self::of(item, self.resources)).collect())
            }
            Said::Nothing => Said::Nothing,
            Said::This(_) | Said::Unknown => Said::Unknown,
        }
    }

    /// The first text of a list.
    pub(super) fn first_text(&self, path: &[&str]) -> Said<&'a str> {
        match self.find(path) {
            Said::This(Value::Array(items)) => match items.first() {
                Some(Value::String(text)) => Said::This(text),
                Some(_) => Said::Unknown,
                None => Said::Nothing,
            },
            Said::Nothing => Said::Nothing,
            Said::This(_) | Said::Unknown => Said::Unknown,
        }
    }

    /// How many items a list has.
    pub(super) fn count(&self, path: &[&str]) -> Said<Quantity> {
        self.items(path).map(|items| Quantity::whole(items.len()))
    }

    /// The map at a property.
    pub(super) fn below(&self, path: &[&str]) -> Said<Sheet<'a>> {
        self.find(path).map(|value| Self::of(value, self.resources))
    }

    /// The resource of this template that the property refers to.
    pub(super) fn resource(&self, path: &[&str]) -> Option<Sheet<'a>> {
        let Said::This(Value::Object(entries)) = self.find(path) else { return None };
        let reference = entries.get("Ref").and_then(Value::as_str);
        let attribute = entries.get("Fn::GetAtt").and_then(|parts| parts.get(0)?.as_str());
        let resource = self.resources.get(reference.or(attribute)?)?;
        Some(Self::of(resource.properties(), self.resources))
    }
}

/// Whether a map stands for a value that AWS computes, or that is not known.
fn is_function(value: &Value) -> bool {
    let Some(entries) = value.as_object().filter(|entries| entries.len() == 1) else {
        return false;
    };
    entries.keys().all(|key| key == "Ref" || key.starts_with("Fn::"))
        || crate::template::symbol(value).is_some()
}
