//! CloudFormation templates as values: parsed once into canonical form, compared by digest. The
//! text itself is kept as it is: that is what AWS gets.

mod canonical;
mod json;
mod limits;
mod parameter;
mod references;
mod resource;
mod tree;
mod yaml;

pub use limits::{Flaw, MAX_INLINE_BYTES, limits};
pub use parameter::{MAX_PARAMETER_BYTES, Parameter};
pub use references::references;
pub use resource::{Change, Resource, ResourceChange, compare};
pub use tree::{MAX_TEXT_BYTES, Position, TemplateError};

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use crate::ids::Digest;
use crate::template::json::JsonError;
use crate::template::tree::Node;

/// One template. It is read-only and may be large: share it as `Arc<Template>`.
#[derive(Clone, Debug)]
pub struct Template {
    body: String,
    value: Value,
    digest: Digest,
    returned_digest: Digest,
    transforms: Vec<String>,
    parameters: BTreeMap<String, Parameter>,
    resources: BTreeMap<String, Resource>,
    outputs: BTreeMap<String, Value>,
    conditions: BTreeMap<String, Value>,
    mappings: BTreeMap<String, Value>,
}

impl Template {
    /// Reads YAML or JSON. Only the form is looked at here: what CloudFormation would refuse in a
    /// well-formed text is told by [`limits`].
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let root = read(text)?;
        let value = root.to_value();
        if !value.is_object() {
            return Err(TemplateError::at(root.position, "A template is a map of sections.")
                .with_help("Start with `Resources:`."));
        }
        let digest = canonical::digest(&value);
        let section = |name: &str| value.get(name).and_then(Value::as_object).into_iter().flatten();
        let values = |name: &str| section(name).map(|(key, value)| (key.clone(), value.clone()));
        Ok(Self {
            returned_digest: if text.is_ascii() { digest } else { digest_of_mangled(text) },
            transforms: value.get("Transform").map(resource::texts).unwrap_or_default(),
            parameters: section("Parameters")
                .map(|(name, value)| (name.clone(), Parameter::of(value)))
                .collect(),
            // `Fn::ForEach::Name` and `Fn::Transform` make resources and are none.
            resources: section("Resources")
                .filter(|(name, _)| !name.starts_with("Fn::"))
                .map(|(name, value)| (name.clone(), Resource::of(value)))
                .collect(),
            outputs: values("Outputs").collect(),
            conditions: values("Conditions").collect(),
            mappings: values("Mappings").collect(),
            body: text.to_owned(),
            digest,
            value,
        })
    }

    /// The text as given.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The canonical form: long forms of all functions, `Fn::GetAtt` as a list.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The digest of the canonical form. Comments, the order of keys, YAML or JSON, short or long
    /// forms do not matter; everything else does.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The digest of what GetTemplate gives back for this template, see [`mangle`]. Where that is
    /// no template any more (two keys that differ in such characters only) it equals no other
    /// digest.
    pub fn returned_digest(&self) -> Digest {
        self.returned_digest
    }

    /// The section `Description`.
    pub fn description(&self) -> Option<&str> {
        self.value.get("Description")?.as_str()
    }

    /// The macros that AWS applies to the whole template, in their order.
    pub fn transforms(&self) -> &[String] {
        &self.transforms
    }

    /// The section `Parameters` by name.
    pub fn parameters(&self) -> &BTreeMap<String, Parameter> {
        &self.parameters
    }

    /// The section `Resources` by logical id, without what macros are going to add.
    pub fn resources(&self) -> &BTreeMap<String, Resource> {
        &self.resources
    }

    /// The section `Outputs` by name.
    pub fn outputs(&self) -> &BTreeMap<String, Value> {
        &self.outputs
    }

    /// The section `Conditions` by name.
    pub fn conditions(&self) -> &BTreeMap<String, Value> {
        &self.conditions
    }

    /// The section `Mappings` by name.
    pub fn mappings(&self) -> &BTreeMap<String, Value> {
        &self.mappings
    }

    /// Where a value stands in the text, by its JSON pointer in the canonical form: a scalar at
    /// itself, a map or list at its key. The text is read again for it, which is meant for findings.
    pub fn position(&self, pointer: &str) -> Option<Position> {
        read(&self.body).ok()?.find(pointer)
    }
}

/// What AWS makes of a text that it gives back: each character outside ASCII becomes `?`.
pub fn mangle(text: &str) -> String {
    text.chars().map(|character| if character.is_ascii() { character } else { '?' }).collect()
}

/// The digest of any document in canonical form, such as a stack policy.
pub fn canonical_digest(text: &str) -> Result<Digest, TemplateError> {
    Ok(canonical::digest(&read(text)?.to_value()))
}

fn digest_of_mangled(text: &str) -> Digest {
    let mangled = mangle(text);
    canonical_digest(&mangled)
        .unwrap_or_else(|_| Digest::of_parts([b"no template".as_slice(), mangled.as_bytes()]))
}

/// Reads JSON or YAML, whichever it is.
fn read(text: &str) -> Result<Rc<Node>, TemplateError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(TemplateError {
            message: format!("The text has {} bytes.", text.len()),
            position: None,
            help: Some(format!("{MAX_TEXT_BYTES} bytes are the most that is read.")),
        });
    }
    // The YAML parser takes a zero byte for the end and would silently drop the rest.
    if let Some((line, before)) = line_before(text, '\0') {
        let position = Position { line, column: before.chars().count() + 1 };
        return Err(TemplateError::at(position, "There is a zero byte in the text.")
            .with_help("Save the file as UTF-8 text."));
    }
    if text.starts_with('\u{feff}') {
        let start = Position { line: 1, column: 1 };
        return Err(TemplateError::at(start, "The text starts with a byte order mark.")
            .with_help("Save the file as UTF-8 without a byte order mark."));
    }
    let start = text.trim_start();
    if !start.starts_with(['{', '[']) {
        return yaml::read(text);
    }
    match json::read(text) {
        Ok(root) => Ok(root),
        Err(JsonError::Content(error)) => Err(error),
        // YAML in braces looks much like JSON; who started with a quoted key meant JSON.
        Err(JsonError::Syntax(error)) => yaml::read(text).map_err(|yaml_error| {
            if start[1..].trim_start().starts_with('"') { error } else { yaml_error }
        }),
    }
}

/// The line (from 1) in which a character first stands, and what is before it in that line.
fn line_before(text: &str, character: char) -> Option<(usize, &str)> {
    let (before, _) = text.split_once(character)?;
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    Some((line, before.rsplit('\n').next().unwrap_or(before)))
}
