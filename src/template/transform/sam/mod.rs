//! `AWS::Serverless-2016-10-31`: what SAM makes of its resources, as far as types, logical ids, costs,
//! replacement and protection go. Of policy templates only names and parameters are kept.

mod api;
mod deployment;
mod events;
mod function;
mod globals;
mod machine;
mod others;
mod references;
mod role;
mod routes;
mod source;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sha1::{Digest as _, Sha1};

use crate::template::resource::below;
use crate::template::transform::Unknown;
use crate::template::transform::known::Known;
use crate::template::transform::sam::globals::Globals;
use crate::template::transform::sam::routes::Route;
use crate::template::transform::sam::source::Source;

/// How the types of SAM start.
pub(in crate::template) const PREFIX: &str = "AWS::Serverless::";
/// How many characters of a SHA-1 hash SAM puts behind a logical id.
const HASH_LENGTH: usize = 10;

/// What SAM makes beside the template itself.
#[derive(Default)]
pub(super) struct Made {
    pub(super) unknown: Vec<Unknown>,
    /// Of each resource that is made: the key of the one that it was made of.
    pub(super) origins: BTreeMap<String, String>,
    /// Logical ids with a hash of something that AWS may know better.
    pub(super) approximate: BTreeSet<String>,
}

/// Expands a template in place.
pub(super) fn expand(template: &mut Value, known: &Known<'_>) -> Made {
    let globals = Globals::taken(template);
    let Some(Value::Object(entries)) = template.get_mut("Resources").map(Value::take) else {
        return Made::default();
    };
    let mut making = Making {
        known,
        resources: Map::new(),
        conditions: Map::new(),
        names: BTreeMap::new(),
        renamed: BTreeMap::new(),
        apis: BTreeMap::new(),
        routes: BTreeMap::new(),
        made: Made::default(),
    };
    let mut sources = Vec::new();
    for (id, entry) in entries {
        match Source::of(&id, &entry, &globals) {
            Some(source) if api::is_api(&source.kind) => {
                making.apis.insert(id, source);
            }
            Some(source) => sources.push((source, entry)),
            None => making.keep(id, entry),
        }
    }
    // Functions say what the bodies of APIs hold: these come last.
    for (source, entry) in sources {
        if !making.one(&source) {
            making.keep(source.id, entry);
        }
    }
    api::make_all(&mut making, &globals);
    let Making { resources, conditions, names, renamed, made, .. } = making;
    template["Resources"] = Value::Object(resources);
    if !conditions.is_empty()
        && let Some(sections) = template.as_object_mut()
    {
        let section = sections.entry("Conditions").or_insert_with(|| json!({}));
        section.as_object_mut().into_iter().for_each(|all| all.extend(conditions.clone()));
    }
    references::resolve(template, &names, &renamed);
    strip(template);
    made
}

/// Takes out what SAM's resource lacks: there is nothing null in a template.
fn strip(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            entries.retain(|_, value| !value.is_null());
            entries.values_mut().for_each(strip);
        }
        Value::Array(items) => {
            items.retain(|item| !item.is_null());
            items.iter_mut().for_each(strip);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A template on its way.
struct Making<'a> {
    known: &'a Known<'a>,
    resources: Map<String, Value>,
    /// Conditions of SAM's own.
    conditions: Map<String, Value>,
    /// What `Resource.Property` refers to: the logical id that SAM made.
    names: BTreeMap<(String, String), String>,
    /// Logical ids that SAM changed.
    renamed: BTreeMap<String, String>,
    apis: BTreeMap<String, Source>,
    /// Of each API what functions and state machines put into it.
    routes: BTreeMap<String, Vec<Route>>,
    made: Made,
}

impl Making<'_> {
    /// Makes one resource; false where SAM's type is not known here.
    fn one(&mut self, source: &Source) -> bool {
        match source.kind.as_str() {
            "Function" => function::make(source, self),
            "StateMachine" => machine::make(source, self),
            "SimpleTable" => others::table(source, self),
            "LayerVersion" => others::layer(source, self),
            "Application" => others::application(source, self),
            _ => return false,
        }
        true
    }

    /// Leaves an entry as it is; one of SAM's is not known here.
    fn keep(&mut self, id: String, entry: Value) {
        if let Some(kind) = entry["Type"].as_str().filter(|kind| kind.starts_with(PREFIX)) {
            let message = format!("What SAM makes of `{id}`, an {kind}, is not known here.");
            self.made.unknown.push(Unknown { pointer: below("/Resources", &id), message });
        }
        self.resources.insert(id, entry);
    }

    /// Says what of a resource is not known.
    fn say(&mut self, source: &Source, message: String) {
        self.made.unknown.push(Unknown { pointer: below("/Resources", &source.origin), message });
    }

    /// Adds the resource that stands in place of SAM's, with all that is written beside properties.
    fn add_main(&mut self, source: &Source, id: &str, kind: &str, properties: Map<String, Value>) {
        self.add_entry(source, id, source.main(kind, properties));
    }

    /// Adds a resource beside it.
    fn add(&mut self, source: &Source, id: &str, kind: &str, properties: Value) {
        self.add_entry(source, id, source.beside(kind, properties));
    }

    fn add_entry(&mut self, source: &Source, id: &str, entry: Map<String, Value>) {
        if id != source.origin {
            self.made.origins.insert(id.to_owned(), source.origin.clone());
        }
        self.resources.insert(id.to_owned(), Value::Object(entry));
    }

    /// Says what `Resource.Property` refers to.
    fn name(&mut self, source: &Source, property: &str, id: &str) {
        self.names.insert((source.id.clone(), property.to_owned()), id.to_owned());
    }
}

/// A logical id with a hash behind it.
fn hashed(prefix: &str, text: &str) -> String {
    let hash = hex::encode(Sha1::digest(text.as_bytes()));
    format!("{prefix}{}", &hash[..HASH_LENGTH])
}

/// A logical id with a word and a name behind it; a name that no logical id may hold goes in as hash.
fn suffixed(prefix: &str, word: &str, name: &str) -> String {
    match name {
        "" => format!("{prefix}{word}"),
        name if is_plain(name) => format!("{prefix}{word}{name}"),
        name => hashed(&format!("{prefix}{word}"), name),
    }
}

/// Whether a logical id may hold a text.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The text that SAM hashes: keys sorted, no spaces.
fn compact(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(compact).collect::<Vec<_>>().join(","))
        }
        Value::Object(entries) => {
            let sorted: BTreeMap<&String, &Value> = entries.iter().collect();
            let entry =
                |(key, value)| format!("{}:{}", Value::from(String::clone(key)), compact(value));
            format!("{{{}}}", sorted.into_iter().map(entry).collect::<Vec<_>>().join(","))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}
