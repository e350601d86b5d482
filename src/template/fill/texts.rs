//! Functions that make texts and lists of texts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::template::fill::{EACH, Scope, digest_symbol, size};
use crate::template::parameter::scalar_text;

/// A part of a text with placeholders.
enum Part<'a> {
    Known(Cow<'a, str>),
    /// `${Name}`, with what stands for the name where the template's own map or a symbol does.
    Open(&'a str, Option<Cow<'a, Value>>),
}

impl<'t> Scope<'t, '_> {
    /// `Fn::Sub`. What is known goes into the text, the rest stays a placeholder.
    pub(super) fn substitute(&self, whole: &'t Value, argument: &'t Value) -> Cow<'t, Value> {
        let items = argument.as_array().map(Vec::as_slice);
        let (text, own) = match (argument, items) {
            (Value::String(text), _) => (text, None),
            (_, Some([Value::String(text), Value::Object(own)])) => (text, Some(own)),
            _ => return Cow::Borrowed(whole),
        };
        // Each value is filled in once, however often the text names it.
        let own = own
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.as_str(), self.value(value)?)));
        let own: BTreeMap<&str, Cow<'_, Value>> = own.collect();
        let parts = self.parts(text, &own);
        // Names are short, but a text may have very many of them.
        if !self.spend(parts.iter().map(Part::size).sum()) {
            let names: Vec<(&str, &Value)> =
                own.iter().map(|(name, value)| (*name, &**value)).collect();
            return Cow::Owned(digest_symbol(&json!([text, names, self.named(text)])));
        }
        if parts.iter().any(|part| matches!(part, Part::Open(..))) {
            let rebuilt = rebuilt(&parts);
            return if rebuilt == *whole { Cow::Borrowed(whole) } else { Cow::Owned(rebuilt) };
        }
        let texts = parts.iter().map(|part| match part {
            Part::Known(text) => &**text,
            Part::Open(..) => "",
        });
        Cow::Owned(Value::String(texts.collect()))
    }

    fn parts<'a>(
        &'a self,
        text: &'a str,
        own: &'a BTreeMap<&str, Cow<'_, Value>>,
    ) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, behind)) = after.split_once('}') else { break };
            parts.push(Part::Known(before.into()));
            parts.push(match name.trim().strip_prefix('!') {
                Some(literal) => Part::Known(format!("${{{literal}}}").into()),
                None => self.part(name.trim(), own),
            });
            rest = behind;
        }
        parts.push(Part::Known(rest.into()));
        parts
    }

    fn part<'a>(&'a self, name: &'a str, own: &'a BTreeMap<&str, Cow<'_, Value>>) -> Part<'a> {
        let value = match own.get(name) {
            Some(value) => Some(Cow::Borrowed(&**value)),
            None => self.reference(name),
        };
        match value {
            Some(Cow::Borrowed(Value::String(text))) => Part::Known(text.into()),
            Some(value) => match scalar_text(&value) {
                Some(text) => Part::Known(text.into()),
                None => Part::Open(name, Some(value)),
            },
            None => Part::Open(name, None),
        }
    }

    /// The digests of the parameters that a text names.
    fn named(&self, text: &str) -> Vec<String> {
        let named = self.parameters.iter().filter(|(name, _)| text.contains(**name));
        named.map(|(_, value)| digest_symbol(value).to_string()).collect()
    }

    /// `Fn::Join`, if all of it is known.
    pub(super) fn join(&self, argument: &Value) -> Option<Value> {
        let [Value::String(separator), Value::Array(items)] = argument.as_array()?.as_slice()
        else {
            return None;
        };
        let texts: Vec<String> = items.iter().map(scalar_text).collect::<Option<_>>()?;
        if !self.spend(texts.iter().map(|text| text.len() + separator.len()).sum()) {
            return Some(digest_symbol(argument));
        }
        Some(Value::String(texts.join(separator)))
    }

    /// `Fn::Split`, if the text is known. One that only begins with something known is not split:
    /// what is not known may hold the separator.
    pub(super) fn split(&self, argument: &Value) -> Option<Value> {
        let [Value::String(separator), text] = argument.as_array()?.as_slice() else { return None };
        let text = scalar_text(text).filter(|_| !separator.is_empty())?;
        let items = text.matches(separator.as_str()).count() + 1;
        if !self.spend(items * EACH + text.len()) {
            return Some(digest_symbol(argument));
        }
        Some(text.split(separator.as_str()).map(Value::from).collect())
    }
}

impl Part<'_> {
    fn size(&self) -> usize {
        match self {
            Self::Known(text) => text.len(),
            Self::Open(name, value) => name.len() + value.as_deref().map_or(0, size),
        }
    }
}

/// The call of `Fn::Sub` that is left.
fn rebuilt(parts: &[Part<'_>]) -> Value {
    let mut text = String::new();
    let mut own = Map::new();
    for part in parts {
        match part {
            Part::Known(known) => text.push_str(&known.replace("${", "${!")),
            Part::Open(name, value) => {
                text.push_str("${");
                text.push_str(name);
                text.push('}');
                if let Some(value) = value.as_deref().filter(|_| !own.contains_key(*name)) {
                    own.insert((*name).to_owned(), value.clone());
                }
            }
        }
    }
    if own.is_empty() { json!({ "Fn::Sub": text }) } else { json!({ "Fn::Sub": [text, own] }) }
}

/// `Fn::Select`, if index and list are known; the item need not be.
pub(super) fn select(argument: &Value) -> Option<Value> {
    let [index, Value::Array(items)] = argument.as_array()?.as_slice() else { return None };
    items.get(scalar_text(index)?.parse::<usize>().ok()?).cloned()
}
