//! What conditions and mappings choose: true, false, or nobody can say.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::ids::Digest;
use crate::template::canonical::digest;
use crate::template::fill::{SYMBOL, Scope, symbol_of};
use crate::template::parameter::scalar_text;

/// Functions of conditions that use each other may be nested this deep; real templates stay below
/// twenty.
const CONDITION_DEPTH: usize = 200;

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    Known(bool),
    /// Nobody can say; the digest is that of what it depends on, so that equal ones hold together.
    Unknown(Digest),
}

impl Truth {
    fn unknown<'a>(word: &'a str, parts: impl IntoIterator<Item = &'a Digest>) -> Self {
        let parts = parts.into_iter().map(Digest::as_bytes);
        Self::Unknown(Digest::of_parts([word.as_bytes()].into_iter().chain(parts)))
    }
}

impl<'t> Scope<'t, '_> {
    /// A named condition.
    pub(super) fn condition(&self, name: &str) -> Truth {
        let known = self.truths.borrow().get(name).copied();
        if let Some(truth) = known {
            return truth;
        }
        match self.template.conditions().get_key_value(name) {
            Some((name, body)) if self.depth.get() < CONDITION_DEPTH => {
                let truth = self.holds(body);
                self.truths.borrow_mut().insert(name, truth);
                truth
            }
            // Loops make names that are not there yet; CloudFormation refuses all other names without
            // a condition, and conditions that need themselves.
            Some(_) | None => {
                let all = self.template.value().get("Conditions").unwrap_or(&Value::Null);
                Truth::unknown(name, [&digest(all)])
            }
        }
    }

    fn holds(&self, value: &'t Value) -> Truth {
        let depth = self.depth.get();
        self.depth.set(depth + 1);
        let truth = self.holds_below(value);
        self.depth.set(depth);
        truth
    }

    fn holds_below(&self, value: &'t Value) -> Truth {
        let call = value.as_object().filter(|entries| entries.len() == 1);
        let Some((name, argument)) = call.and_then(|entries| entries.iter().next()) else {
            return match scalar_text(value).as_deref() {
                Some("true") => Truth::Known(true),
                Some("false") => Truth::Known(false),
                Some(_) | None => Truth::unknown("value", [&digest(value)]),
            };
        };
        match (name.as_str(), argument) {
            ("Condition", Value::String(name)) => self.condition(name),
            ("Fn::Equals", Value::Array(sides)) => match sides.as_slice() {
                [one, other] => self.equal(one, other),
                _ => Truth::unknown("value", [&digest(value)]),
            },
            ("Fn::Not", Value::Array(items)) if items.len() == 1 => match self.holds(&items[0]) {
                Truth::Known(holds) => Truth::Known(!holds),
                Truth::Unknown(depends) => Truth::unknown("not", [&depends]),
            },
            ("Fn::And", Value::Array(items)) => self.all(items, false),
            ("Fn::Or", Value::Array(items)) => self.all(items, true),
            _ => match self.value(value) {
                Some(filled) => Truth::unknown("value", [&digest(&filled)]),
                None => Truth::unknown("none", []),
            },
        }
    }

    fn equal(&self, one: &'t Value, other: &'t Value) -> Truth {
        let none = || Cow::Owned(Value::Null);
        let one = self.value(one).unwrap_or_else(none);
        let other = self.value(other).unwrap_or_else(none);
        // `true` and "true" are equal to CloudFormation.
        match (scalar_text(&one), scalar_text(&other)) {
            (Some(one), Some(other)) => Truth::Known(one == other),
            _ if one == other => Truth::Known(true),
            _ if is_known(&one) && is_known(&other) => Truth::Known(false),
            _ => Truth::unknown("equals", [&digest(&one), &digest(&other)]),
        }
    }

    /// One item of the value `decides` decides; without one, those that nobody can say do.
    fn all(&self, items: &'t [Value], decides: bool) -> Truth {
        let mut open = Vec::new();
        for item in items {
            match self.holds(item) {
                Truth::Known(holds) if holds == decides => return Truth::Known(decides),
                Truth::Known(_) => {}
                Truth::Unknown(depends) => open.push(depends),
            }
        }
        match open.as_slice() {
            [] => Truth::Known(!decides),
            [one] => Truth::Unknown(*one),
            several => Truth::unknown(if decides { "or" } else { "and" }, several),
        }
    }

    /// `Fn::If`. Where nobody can say, both values are filled in, and what it depends on stands in
    /// place of the condition's name: an equal name may mean something else in another template.
    pub(super) fn choose(&self, whole: &'t Value, argument: &'t Value) -> Option<Cow<'t, Value>> {
        let Some([Value::String(name), yes, no]) = argument.as_array().map(Vec::as_slice) else {
            return Some(Cow::Borrowed(whole));
        };
        match self.condition(name) {
            Truth::Known(true) => self.value(yes),
            Truth::Known(false) => self.value(no),
            Truth::Unknown(depends) => {
                let none = || Cow::Owned(json!({ "Ref": "AWS::NoValue" }));
                let side = |value| self.value(value).unwrap_or_else(none).into_owned();
                let (yes, no) = (side(yes), side(no));
                if yes == no {
                    return Some(Cow::Owned(yes)).filter(|value| **value != *none());
                }
                Some(Cow::Owned(json!({ "Fn::If": [symbol_of(&depends.to_string()), yes, no] })))
            }
        }
    }

    pub(super) fn find_in_map(&self, whole: &'t Value, argument: &'t Value) -> Cow<'t, Value> {
        let Some(keys) = argument.as_array() else { return Cow::Borrowed(whole) };
        let filled: Vec<Cow<'_, Value>> = keys.iter().filter_map(|key| self.value(key)).collect();
        let texts: Vec<String> = filled.iter().take(3).filter_map(|key| scalar_text(key)).collect();
        if let [map, first, second] = texts.as_slice() {
            let found = self.template.mappings().get(map);
            if let Some(found) = found.and_then(|map| map.get(first)?.get(second)) {
                return Cow::Owned(self.bounded(found));
            }
            // With AWS::LanguageExtensions a fourth part says what to take otherwise.
            if let Some(default) = filled.get(3).and_then(|options| options.get("DefaultValue")) {
                return Cow::Owned(default.clone());
            }
        }
        // Where the keys are not known, what is chosen depends on the mapping as well.
        let map = filled.first().and_then(|name| self.template.mappings().get(name.as_str()?));
        let all = map.map_or_else(|| digest(&json!(self.template.mappings())), digest);
        let keys: Vec<Value> = filled.into_iter().map(Cow::into_owned).collect();
        Cow::Owned(json!({ "Fn::FindInMap": [symbol_of(&all.to_string()), keys] }))
    }
}

/// Whether nothing in a value is still to be filled in.
pub(in crate::template) fn is_known(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        Value::Array(items) => items.iter().all(is_known),
        Value::Object(entries) => entries.iter().all(|(key, value)| {
            let call = entries.len() == 1 && (key == SYMBOL || key == "Ref");
            !call && !key.starts_with("Fn::") && is_known(value)
        }),
    }
}
