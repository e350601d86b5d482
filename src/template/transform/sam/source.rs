//! One resource of SAM as written, with the globals merged in.

use serde_json::{Map, Value, json};

use crate::template::transform::sam::PREFIX;
use crate::template::transform::sam::globals::Globals;

/// What every resource that SAM makes has of the one that it is made of.
const PASSED: [&str; 3] = ["Condition", "DeletionPolicy", "UpdateReplacePolicy"];

/// One resource of SAM.
pub(super) struct Source {
    pub(super) id: String,
    /// The key in the section `Resources` to point to; another one for an API that nobody wrote.
    pub(super) origin: String,
    /// What comes behind `AWS::Serverless::`.
    pub(super) kind: String,
    pub(super) properties: Map<String, Value>,
    /// The entry without type and properties.
    pub(super) beside: Map<String, Value>,
}

impl Source {
    /// A resource of SAM whose properties can be read.
    pub(super) fn of(id: &str, entry: &Value, globals: &Globals) -> Option<Self> {
        let kind = entry["Type"].as_str()?.strip_prefix(PREFIX)?;
        let own = match entry.get("Properties") {
            None => Map::new(),
            Some(Value::Object(own)) if !own.keys().any(|key| key.starts_with("Fn::")) => {
                own.clone()
            }
            Some(_) => return None,
        };
        let mut beside = entry.as_object()?.clone();
        beside.retain(|key, _| key != "Type" && key != "Properties");
        Some(Self {
            id: id.to_owned(),
            origin: id.to_owned(),
            kind: kind.to_owned(),
            properties: globals.merged(kind, own),
            beside,
        })
    }

    /// The resource that stands in its place.
    pub(super) fn main(&self, kind: &str, properties: Map<String, Value>) -> Map<String, Value> {
        let mut entry = self.beside.clone();
        entry.insert("Type".to_owned(), kind.into());
        entry.insert("Properties".to_owned(), Value::Object(properties));
        entry
    }

    /// A resource beside that one.
    pub(super) fn beside(&self, kind: &str, properties: Value) -> Map<String, Value> {
        let passed = self.beside.iter().filter(|(key, _)| PASSED.contains(&key.as_str()));
        let mut entry: Map<String, Value> =
            passed.map(|(key, value)| (key.clone(), value.clone())).collect();
        entry.insert("Type".to_owned(), kind.into());
        entry.insert("Properties".to_owned(), properties);
        entry
    }

    /// A property as written.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.properties.get(name)
    }

    /// The properties of these names, as they are.
    pub(super) fn taken(&self, names: &[&str]) -> Map<String, Value> {
        let taken =
            names.iter().filter_map(|name| Some(((*name).to_owned(), self.get(name)?.clone())));
        taken.collect()
    }

    /// Tags as lists have them, SAM's own first.
    pub(super) fn tags(&self, own: Option<&str>) -> Value {
        let own = own.map(|key| json!({ "Key": key, "Value": "SAM" }));
        let written = self.get("Tags").and_then(Value::as_object).into_iter().flatten();
        let written = written.map(|(key, value)| json!({ "Key": key, "Value": value }));
        own.into_iter().chain(written).collect()
    }
}

/// A map with `Bucket`, `Key` and perhaps `Version`, or an `s3://` address, under the names that
/// another service has for these; anything else as it is.
pub(super) fn location(value: &Value, [bucket, key, version]: [&str; 3]) -> Value {
    if let Some((in_bucket, rest)) =
        value.as_str().and_then(|text| text.strip_prefix("s3://")?.split_once('/'))
    {
        let (path, of) = match rest.split_once("?versionId=") {
            Some((path, of)) => (path, Some(of)),
            None => (rest, None),
        };
        let mut made = Map::new();
        made.insert(bucket.to_owned(), in_bucket.into());
        made.insert(key.to_owned(), path.into());
        made.extend(of.map(|of| (version.to_owned(), of.into())));
        return Value::Object(made);
    }
    let Some(entries) = value.as_object().filter(|entries| entries.contains_key("Bucket")) else {
        return value.clone();
    };
    let names = [("Bucket", bucket), ("Key", key), ("Version", version)];
    let made =
        names.iter().filter_map(|(old, new)| Some(((*new).to_owned(), entries.get(*old)?.clone())));
    Value::Object(made.collect())
}
