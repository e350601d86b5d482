//! `AWS::LanguageExtensions`: loops become what they repeat, and lengths and JSON texts of what is
//! known are written out.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::template::parameter::scalar_text;
use crate::template::resource::below;
use crate::template::transform::Unknown;
use crate::template::transform::known::Known;

/// How a loop starts.
const LOOP: &str = "Fn::ForEach";
/// How many bytes loops may make in one template, as much as the longest text that is read: a small
/// text with loops in loops cannot become a large one.
const MAX_MADE_BYTES: usize = 4_000_000;
/// The pointer of the section in which loops make resources.
const RESOURCES: &str = "/Resources";
/// The sections in which loops stand.
const SECTIONS: [&str; 3] = ["Conditions", "Resources", "Outputs"];

/// What loops made.
pub(super) struct Repeated {
    /// What stays as it is.
    pub(super) unknown: Vec<Unknown>,
    /// Of each resource that a loop made: the key of the outermost loop.
    pub(super) origins: BTreeMap<String, String>,
}

/// Expands a template in place.
pub(super) fn expand(template: &mut Value, known: &Known<'_>) -> Repeated {
    let mut expander = Expander {
        known,
        left: Cell::new(MAX_MADE_BYTES),
        unknown: Vec::new(),
        origins: BTreeMap::new(),
    };
    for section in SECTIONS {
        if let Some(value) = template.get_mut(section) {
            let old = value.take();
            *value = expander.value(old, &below("", section));
        }
    }
    Repeated { unknown: expander.unknown, origins: expander.origins }
}

/// Whether there is a loop left.
pub(super) fn are_left(value: &Value) -> bool {
    match value {
        Value::Object(entries) => {
            entries.iter().any(|(key, value)| key.starts_with(LOOP) || are_left(value))
        }
        Value::Array(items) => items.iter().any(are_left),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

struct Expander<'a> {
    known: &'a Known<'a>,
    left: Cell<usize>,
    unknown: Vec<Unknown>,
    origins: BTreeMap<String, String>,
}

impl Expander<'_> {
    fn value(&mut self, value: Value, at: &str) -> Value {
        match value {
            Value::Object(entries) => {
                let entries = self.entries(entries, at);
                self.written(&entries).unwrap_or(Value::Object(entries))
            }
            Value::Array(items) => {
                let items = items.into_iter().enumerate();
                items
                    .map(|(index, item)| self.value(item, &below(at, &index.to_string())))
                    .collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
        }
    }

    /// The entries of a map, loops among them in place of what they repeat.
    fn entries(&mut self, entries: Map<String, Value>, at: &str) -> Map<String, Value> {
        let mut made = Map::new();
        for (key, value) in entries {
            let pointer = below(at, &key);
            if !key.starts_with(LOOP) {
                let value = self.value(value, &pointer);
                made.insert(key, value);
                continue;
            }
            match self.repeated(&value, &pointer) {
                Ok(all) => {
                    for (name, value) in all {
                        if at == RESOURCES {
                            self.origins.insert(name.clone(), key.clone());
                        }
                        if made.contains_key(&name) {
                            self.say(&pointer, format!("The loop makes `{name}`, which is there."));
                        }
                        made.insert(name, value);
                    }
                }
                Err(why) => {
                    self.say(&pointer, why);
                    made.insert(key, value);
                }
            }
        }
        made
    }

    fn say(&mut self, pointer: &str, message: String) {
        self.unknown.push(Unknown { pointer: pointer.to_owned(), message });
    }

    /// All that one loop makes.
    fn repeated(&mut self, body: &Value, at: &str) -> Result<Vec<(String, Value)>, String> {
        let Some([Value::String(name), collection, Value::Object(output)]) =
            body.as_array().map(Vec::as_slice)
        else {
            return Err("A loop is a list of a name, a collection and a map.".to_owned());
        };
        let unclear = || "The items of the loop are not known here.".to_owned();
        let items = self.known.value(collection).ok_or_else(unclear)?;
        let items = items.as_array().ok_or_else(unclear)?;
        let mut made = Vec::new();
        for item in items.iter().flat_map(flat) {
            let item = scalar_text(item).ok_or("The items of a loop are texts.")?;
            let mut one = Map::new();
            for (key, value) in output {
                let key = with(key, name, &item);
                let value = self.substituted(value, name, &item);
                one.insert(key, value.ok_or("The loops make more than AWS takes.")?);
            }
            made.extend(self.entries(one, at));
        }
        Ok(made)
    }

    /// A copy with the item in place of the loop's variable; none when there were too many.
    fn substituted(&self, value: &Value, name: &str, item: &str) -> Option<Value> {
        let is_variable = |entries: &Map<String, Value>| {
            entries.len() == 1 && entries.get("Ref").is_some_and(|named| named == name)
        };
        Some(match value {
            Value::String(text) => {
                let text = with(text, name, item);
                self.spend(text.len())?;
                Value::String(text)
            }
            Value::Object(entries) if is_variable(entries) => {
                self.spend(item.len())?;
                Value::String(item.to_owned())
            }
            Value::Object(entries) => {
                let mut copy = Map::new();
                for (key, value) in entries {
                    let key = with(key, name, item);
                    self.spend(key.len())?;
                    copy.insert(key, self.substituted(value, name, item)?);
                }
                Value::Object(copy)
            }
            Value::Array(items) => {
                let items = items.iter().map(|one| self.substituted(one, name, item));
                Value::Array(items.collect::<Option<_>>()?)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                self.spend(1)?;
                value.clone()
            }
        })
    }

    fn spend(&self, bytes: usize) -> Option<()> {
        // Each value takes room beside its text.
        self.left.set(self.left.get().checked_sub(bytes + 8)?);
        Some(())
    }

    /// `Fn::Length` of a known list and `Fn::ToJsonString` of something without functions.
    fn written(&self, entries: &Map<String, Value>) -> Option<Value> {
        let (name, argument) = entries.iter().next().filter(|_| entries.len() == 1)?;
        match name.as_str() {
            "Fn::Length" => length(&self.known.value(argument)?),
            "Fn::ToJsonString" => json_text(argument),
            _ => None,
        }
    }
}

/// A list inside the list of a loop counts with its items.
fn flat(item: &Value) -> Vec<&Value> {
    item.as_array().map_or_else(|| vec![item], |items| items.iter().collect())
}

/// `${Name}` is the item, `&{Name}` the item's letters and digits.
fn with(text: &str, name: &str, item: &str) -> String {
    if !text.contains('{') {
        return text.to_owned();
    }
    let plain: String = item.chars().filter(char::is_ascii_alphanumeric).collect();
    let text = text.replace(&format!("${{{name}}}"), item);
    text.replace(&format!("&{{{name}}}"), &plain)
}

/// `Fn::Length` of a list.
pub(in crate::template) fn length(list: &Value) -> Option<Value> {
    list.as_array().map(|items| Value::from(items.len()))
}

/// `Fn::ToJsonString` of something in which no function is left.
pub(in crate::template) fn json_text(value: &Value) -> Option<Value> {
    let has_form = value.is_object() || value.is_array();
    (has_form && crate::template::fill::is_known(value)).then(|| Value::String(value.to_string()))
}
