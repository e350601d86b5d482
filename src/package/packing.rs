//! Packages one template: each local path is looked up, named by its content, and written as a place.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::package::blob::{Blob, BlobName};
use crate::package::packages::{MAX_RESOURCES, Package, Packages, Problem};
use crate::package::place::{given, is_local, longest, place};
use crate::package::row::{Form, GLOBALS, Global, INCLUDE, METADATA, ROWS, Row, STACK_SET};
use crate::snapshot::join;
use crate::template::{MAX_TEXT_BYTES, Template};

/// What Lambda takes of a function or layer, unzipped, in bytes.
pub const MAX_CODE_BYTES: u64 = 262_144_000;
/// What makes no code that a template lacks.
const KNOWN_TRANSFORMS: [&str; 2] = ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"];

/// One template on its way.
pub(super) struct Packing<'p, 's> {
    packages: &'p mut Packages<'s>,
    path: &'p str,
    template: &'p Arc<Template>,
    blobs: BTreeMap<BlobName, Blob>,
    nested: BTreeMap<String, Arc<Package>>,
    /// The local paths that the section `Globals` gives to resources.
    globals: Vec<(&'static Global, String)>,
    is_changed: bool,
    is_broken: bool,
}

/// A message and how to mend what it tells.
type Wrong = (String, String);

impl<'p, 's> Packing<'p, 's> {
    pub(super) fn of(
        packages: &'p mut Packages<'s>,
        path: &'p str,
        template: &'p Arc<Template>,
    ) -> Self {
        let (blobs, nested, globals) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self {
            packages,
            path,
            template,
            blobs,
            nested,
            globals,
            is_changed: false,
            is_broken: false,
        }
    }

    pub(super) fn package(mut self) -> Option<Package> {
        let mut value = self.template.value().clone();
        self.includes(&mut value, "");
        for row in METADATA {
            if let Some(section) =
                value.pointer_mut("/Metadata").and_then(|all| all.get_mut(row.kind))
            {
                let pointer = format!("/Metadata/{}", escaped(row.kind));
                self.property(row, row.kind, row.property, (section, &pointer));
            }
        }
        self.globals(&mut value);
        if let Some(Value::Object(resources)) = value.get_mut("Resources") {
            self.resources(resources, "/Resources");
        }
        let template =
            if self.is_changed { self.rewritten(&value)? } else { Arc::clone(self.template) };
        let pointed = (std::mem::take(&mut self.blobs), std::mem::take(&mut self.nested));
        let package = Package::of(self.path, (Arc::clone(self.template), template), pointed);
        if let Some((stacks, resources)) = package.too_many() {
            let message = format!(
                "`{}` and its nested stacks are {stacks} stacks and have {resources} resources; \
                 {MAX_RESOURCES} is CloudFormation's limit for one operation",
                self.path
            );
            self.problem("/Resources", message, "split it into two services".to_owned());
        }
        (!self.is_broken).then_some(package)
    }

    /// The template with its new text. JSON, as no reader of YAML can take a text for a number in it.
    fn rewritten(&mut self, value: &Value) -> Option<Arc<Template>> {
        let body = value.to_string();
        let bytes = longest(&body);
        let refused = match Template::parse(&body) {
            Ok(template) if bytes <= MAX_TEXT_BYTES => return Some(Arc::new(template)),
            Ok(_) => format!("it can have {bytes} bytes with the names of buckets"),
            Err(error) => error.message,
        };
        let help =
            format!("split it: {MAX_TEXT_BYTES} bytes are the most that CloudFormation takes");
        self.problem("", format!("packaged, the template is refused: {refused}"), help);
        None
    }

    /// Takes local paths out of the section `Globals`, as each resource gets its own place.
    fn globals(&mut self, value: &mut Value) {
        for global in &GLOBALS {
            let section = value.get_mut("Globals").and_then(|all| all.get_mut(global.section));
            let Some(Value::Object(section)) = section else { continue };
            let Some(Value::String(text)) = section.get(global.property) else { continue };
            if !is_local(text) {
                continue;
            }
            self.globals.push((global, text.clone()));
            section.remove(global.property);
            self.is_changed = true;
        }
    }

    fn resources(&mut self, resources: &mut Map<String, Value>, at: &str) {
        for (name, resource) in resources {
            let pointer = format!("{at}/{}", escaped(name));
            if name.starts_with("Fn::ForEach::") {
                // The loop's variable, what it goes over, and the resources of each round.
                if let Some(Value::Object(inner)) = resource.get_mut(2) {
                    self.resources(inner, &format!("{pointer}/2"));
                }
                continue;
            }
            self.resource(name, resource, &pointer);
        }
    }

    fn resource(&mut self, name: &str, resource: &mut Value, at: &str) {
        let kind = resource.get("Type").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.own_path(&kind, resource);
        if self.lacks_code(&kind, resource) {
            let (message, help) = no_code(name, &kind);
            self.problem(at, message, help);
        }
        let Some(properties) = resource.get_mut("Properties") else { return };
        let at = format!("{at}/Properties");
        if kind == STACK_SET.kind
            && let Some(Value::String(text)) = properties.get("TemplateURL")
            && is_local(text)
        {
            let message =
                format!("`{text}` is a local path, and no template of a StackSet is packaged");
            let help = "upload it and write its address over https, or write it as `TemplateBody`";
            self.problem(&format!("{at}/TemplateURL"), message, help.to_owned());
        }
        for row in ROWS.iter().filter(|row| row.kind == kind) {
            self.property(row, name, row.property, (properties, &at));
        }
    }

    /// What the section `Globals` says for a resource that says nothing itself.
    fn own_path(&self, kind: &str, resource: &mut Value) {
        let Value::Object(resource) = resource else { return };
        for (global, text) in self.globals.iter().filter(|(global, _)| global.kind == kind) {
            let properties = resource.entry("Properties").or_insert_with(|| Map::new().into());
            let Value::Object(properties) = properties else { continue };
            let says = |name: &&str| properties.contains_key(*name);
            if !global.own.iter().any(says) && !is_image(properties) {
                properties.insert(global.property.to_owned(), text.as_str().into());
            }
        }
    }

    /// Whether nobody says what a function runs. What other people's macros add nobody can know.
    fn lacks_code(&self, kind: &str, resource: &Value) -> bool {
        let own: &[&str] = match kind {
            "AWS::Lambda::Function" => &["Code"],
            "AWS::Serverless::Function" => GLOBALS[0].own,
            _ => return false,
        };
        let value = self.template.value();
        let is_known = |name: &String| KNOWN_TRANSFORMS.contains(&name.as_str());
        let macros = value.get("Transform").is_some_and(|said| match said {
            Value::Array(all) => all.iter().any(|one| !one.is_string()),
            Value::Object(_) => true,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        });
        let is_plain = |map: &Map<String, Value>| !map.keys().any(|name| name.starts_with("Fn::"));
        let nothing = Map::new();
        let properties = match resource.get("Properties") {
            None => &nothing,
            Some(Value::Object(properties)) => properties,
            Some(_) => return false,
        };
        let globals = value.pointer("/Globals/Function").and_then(Value::as_object);
        let says = |map: &Map<String, Value>| {
            is_image(map) || own.iter().any(|name| map.contains_key(*name))
        };
        !macros
            && self.template.transforms().iter().all(is_known)
            && resource.as_object().is_some_and(is_plain)
            && is_plain(properties)
            && !says(properties)
            && (kind == "AWS::Lambda::Function" || !globals.is_some_and(says))
    }

    /// All values at a property, below the value with its pointer.
    fn property(
        &mut self,
        row: &Row,
        name: &str,
        property: &[&str],
        (value, at): (&mut Value, &str),
    ) {
        let Some((part, rest)) = property.split_first() else {
            let Value::String(text) = value else { return };
            return match self.placed(row, name, text) {
                Ok(Some(placed)) => {
                    *value = placed;
                    self.is_changed = true;
                }
                Ok(None) => {}
                Err((message, help)) => self.problem(at, message, help),
            };
        };
        match value {
            Value::Object(map) if *part == "*" => {
                for (key, value) in map {
                    let pointer = format!("{at}/{}", escaped(key));
                    self.property(row, name, rest, (value, &pointer));
                }
            }
            Value::Object(map) => {
                if let Some(value) = map.get_mut(*part) {
                    self.property(row, name, rest, (value, &format!("{at}/{part}")));
                }
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {}
        }
    }

    /// What stands instead of a text; `None` where it is a place already.
    fn placed(&mut self, row: &Row, name: &str, text: &str) -> Result<Option<Value>, Wrong> {
        if text.starts_with("s3://") {
            return given(row.form, text);
        }
        if !is_local(text) && row.form == Form::Template {
            return Ok(None);
        }
        if !is_local(text) {
            let help = "write s3://BUCKET/KEY, or a path below the fleet folder";
            return Err((format!("`{text}` is no place in S3"), help.to_owned()));
        }
        if text.is_empty() && !row.is_needed() {
            return Ok(None);
        }
        if text.is_empty() {
            let help = "write a path below the fleet folder, `.` for the folder of the template";
            return Err(("this names no file or folder".to_owned(), help.to_owned()));
        }
        let path = join(self.path, text).ok_or_else(|| {
            let message = format!("`{text}` leaves the fleet folder");
            (message, "only files of the fleet folder are packaged: move it there".to_owned())
        })?;
        let (blob_name, blob) = match row.form {
            Form::Template => {
                let package = self.packages.nested(&path)?;
                let is_known = |known: &Arc<Package>| Arc::ptr_eq(known, &package);
                if !self.nested.values().any(is_known) {
                    let blobs = package.blobs.iter().map(|(name, blob)| (*name, blob.clone()));
                    self.blobs.extend(blobs);
                }
                self.nested.insert(name.to_owned(), Arc::clone(&package));
                let blob = Blob::Template(Arc::clone(&package.template));
                (blob.name(), blob)
            }
            Form::Url | Form::Parts { .. } => self.content(row, &path)?,
        };
        self.blobs.insert(blob_name, blob);
        Ok(Some(place(row.form, &blob_name.to_string())))
    }

    /// The file or folder at a path, zipped where the row wants that.
    fn content(&mut self, row: &Row, path: &str) -> Result<(BlobName, Blob), Wrong> {
        let mend = |message| {
            let help = "correct the path, commit what it means, or name what a build makes of it in \
                        `artifacts` of the Service";
            (message, help.to_owned())
        };
        let (name, blob) = self.packages.content(path, row.is_zipped).map_err(mend)?;
        if let Blob::Zip(files) = &blob
            && files.is_empty()
        {
            let help = "commit what belongs there; see what its .driftlessignore leaves out";
            return Err((format!("nothing of `{path}` is left to be zipped"), help.to_owned()));
        }
        if row.kind == INCLUDE.kind && matches!(blob, Blob::Zip(_)) {
            let help = "write the path of a file in it";
            return Err((
                format!("`{path}` is a folder; {} takes a file", row.kind),
                help.to_owned(),
            ));
        }
        if row.is_code() && blob.bytes() > MAX_CODE_BYTES {
            let message = format!(
                "`{path}` has {} bytes; {MAX_CODE_BYTES} unzipped are the most that Lambda takes",
                blob.bytes()
            );
            let help = "leave out what is not needed with a .driftlessignore, or use an image";
            return Err((message, help.to_owned()));
        }
        Ok((name, blob))
    }

    /// `AWS::Include` anywhere.
    fn includes(&mut self, value: &mut Value, at: &str) {
        match value {
            Value::Array(items) => {
                for (number, item) in items.iter_mut().enumerate() {
                    self.includes(item, &format!("{at}/{number}"));
                }
            }
            Value::Object(map) => {
                for (key, value) in map {
                    let pointer = format!("{at}/{}", escaped(key));
                    match (key.as_str(), value) {
                        ("Fn::Transform" | "Transform", Value::Array(items)) => {
                            for (number, item) in items.iter_mut().enumerate() {
                                self.transform(item, &format!("{pointer}/{number}"));
                            }
                        }
                        ("Fn::Transform" | "Transform", value) => self.transform(value, &pointer),
                        (_, value) => self.includes(value, &pointer),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn transform(&mut self, value: &mut Value, at: &str) {
        if value.get("Name").is_some_and(|name| name == INCLUDE.kind) {
            self.property(&INCLUDE, INCLUDE.kind, INCLUDE.property, (value, at));
        } else {
            self.includes(value, at);
        }
    }

    fn problem(&mut self, pointer: &str, message: String, help: String) {
        self.is_broken = true;
        let (path, pointer) = (self.path.to_owned(), pointer.to_owned());
        self.packages.tell(Problem { path, pointer, position: None, message, help });
    }
}

/// Whether a function runs an image.
fn is_image(properties: &Map<String, Value>) -> bool {
    properties.get("PackageType").and_then(Value::as_str) == Some("Image")
}

fn no_code(name: &str, kind: &str) -> Wrong {
    let help = match kind {
        "AWS::Lambda::Function" => "write `Code: FOLDER`, a path from the template's folder",
        _ => "write `CodeUri: FOLDER`, a path from the template's folder, or `InlineCode`",
    };
    (format!("function `{name}` has no code"), help.to_owned())
}

/// A part of a JSON pointer.
fn escaped(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
