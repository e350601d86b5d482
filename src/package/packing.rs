//! Packages templates: each local path is looked up, named by its content, and written as a place.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::package::blob::{Blob, BlobName};
use crate::package::built::Built;
use crate::package::files::{Files, Found};
use crate::package::kept::{Kept, Packaged, unchanged};
use crate::package::place::{longest, place};
use crate::package::row::{Form, INCLUDE, METADATA, ROWS, Row};
use crate::snapshot::{Snapshot, join};
use crate::template::{MAX_INLINE_BYTES, MAX_TEXT_BYTES, Template, limits};

/// What Lambda takes of a function or layer, unzipped, in bytes.
pub const MAX_CODE_BYTES: u64 = 262_144_000;
/// Nested deeper than this is no service that anybody understands, and recursion must end somewhere.
const MAX_NESTED: usize = 10;

/// A template and all that it points to.
#[derive(Clone, Debug)]
pub struct Package {
    /// Where the template lies in the fleet folder; empty where nobody knows any more.
    pub path: String,
    /// The template as it is in git.
    pub source: Arc<Template>,
    /// The template as CloudFormation gets it, but for the buckets; as it is in git where it points
    /// to nothing local.
    pub template: Arc<Template>,
    /// What must be in the bucket, with all that nested stacks point to.
    pub blobs: BTreeMap<BlobName, Blob>,
    /// The packages of nested stacks by their logical ids.
    pub nested: BTreeMap<String, Arc<Package>>,
}

/// What is wrong in a template that is packaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The template in which it is written.
    pub path: String,
    /// Where in it, as a JSON pointer.
    pub pointer: String,
    /// Line and column of what cannot be parsed, which no pointer names; both count from 1.
    pub position: Option<(usize, usize)>,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: String,
}

/// Whether CloudFormation takes a template from a bucket only, however long the bucket's name is.
fn is_large(template: &Template) -> bool {
    longest(template.body()) > MAX_INLINE_BYTES
}

impl Package {
    /// A template that points to nothing.
    pub fn plain(template: Arc<Template>) -> Self {
        let root = is_large(&template).then(|| Blob::Template(Arc::clone(&template)));
        let blobs = root.map(|root| (root.name(), root)).into_iter().collect();
        let (path, source, nested) = (String::new(), Arc::clone(&template), BTreeMap::new());
        Self { path, source, template, blobs, nested }
    }

    /// What the template is called in the bucket, where it is too large for a call.
    pub fn stored(&self) -> Option<BlobName> {
        is_large(&self.template).then(|| Blob::Template(Arc::clone(&self.template)).name())
    }

    /// The package itself and those of all stacks that are nested in it, each with the logical ids on
    /// the way to it.
    pub fn all(&self) -> Vec<(Vec<&str>, &Self)> {
        let mut all = vec![(Vec::new(), self)];
        let mut next = 0;
        while let Some((way, package)) = all.get(next).cloned() {
            all.extend(package.nested.iter().map(|(name, nested)| {
                ([way.as_slice(), &[name.as_str()]].concat(), nested.as_ref())
            }));
            next += 1;
        }
        all
    }
}

/// Packages the templates of one snapshot, each once.
pub struct Packages<'s> {
    files: Files<'s>,
    /// Packages of an earlier revision of which nothing changed.
    before: BTreeMap<String, Kept>,
    /// `None` for one that has problems, which were told.
    done: BTreeMap<String, Option<Kept>>,
    /// The templates that are being packaged, the outermost first.
    open: Vec<String>,
    problems: Vec<Problem>,
}

impl<'s> Packages<'s> {
    /// Nothing packaged yet.
    pub fn of(snapshot: &'s Snapshot) -> Self {
        let files = Files { snapshot, built: BTreeMap::new(), trail: RefCell::default() };
        let (before, done) = (BTreeMap::new(), BTreeMap::new());
        Self { files, before, done, open: Vec::new(), problems: Vec::new() }
    }

    /// The same with build outputs by their paths in the fleet folder. They are found like files that
    /// were committed there; call it first.
    pub fn with_built(mut self, built: BTreeMap<String, Built>) -> Self {
        self.files.built = built;
        self
    }

    /// The same after an earlier revision: templates of which nothing changed are not packaged again.
    /// Call it after [`with_built`](Self::with_built).
    pub fn after(mut self, before: &Packaged) -> Self {
        self.before = unchanged(before, self.files.snapshot, &self.files.built);
        self
    }

    /// What was packaged, for the next revision.
    pub fn finish(self) -> Packaged {
        let sound = self.done.into_iter().filter_map(|(path, kept)| Some((path, kept?)));
        let Files { snapshot, built, .. } = self.files;
        // Nobody asked for a nested template whose parent did not change either.
        let packages = self.before.into_iter().chain(sound).collect();
        Packaged { snapshot: Some(snapshot.clone()), built, packages }
    }

    /// The template at a path as it is in git, where nothing of its package changed.
    pub fn unchanged(&self, path: &str) -> Option<Arc<Template>> {
        self.before.get(path).map(|kept| Arc::clone(&kept.package.source))
    }

    /// Packages the template at a path of the snapshot; `None` where it has problems.
    pub fn package(&mut self, path: &str, template: &Arc<Template>) -> Option<Arc<Package>> {
        if let Some(known) = self.known(path) {
            return known.map(|kept| kept.package);
        }
        self.open.push(path.to_owned());
        let around = self.files.trail.take();
        // Where a nested template lies behind links.
        let _ = self.files.find(path);
        let package = Packing::of(self, path, template).package().map(Arc::new);
        let trail = Arc::new(self.files.trail.replace(around));
        self.open.pop();
        let kept = package.map(|package| Kept { package, trail: Arc::clone(&trail) });
        self.looked(&trail);
        self.done.insert(path.to_owned(), kept.clone());
        kept.map(|kept| kept.package)
    }

    /// What came of a template that was packaged already, in this revision or in an earlier one.
    fn known(&mut self, path: &str) -> Option<Option<Kept>> {
        if let Some(kept) = self.before.remove(path) {
            self.done.insert(path.to_owned(), Some(kept));
        }
        let known = self.done.get(path)?.clone();
        if let Some(kept) = &known {
            self.looked(&kept.trail);
        }
        Some(known)
    }

    /// Whatever a nested template depends on, the one around it depends on as well.
    fn looked(&self, trail: &BTreeSet<String>) {
        if !self.open.is_empty() {
            self.files.trail.borrow_mut().extend(trail.iter().cloned());
        }
    }

    /// What was found so far, and not yet taken.
    pub fn problems(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    /// The template of a nested stack.
    fn nested(&mut self, path: &str) -> Result<Arc<Package>, (String, String)> {
        if self.open.iter().any(|open| open == path) {
            let ring = format!("{} -> {path}", self.open.join(" -> "));
            return Err((
                format!("the template nests itself: {ring}"),
                "remove one of these nested stacks".to_owned(),
            ));
        }
        if self.open.len() > MAX_NESTED {
            return Err((
                format!("stacks are nested more than {MAX_NESTED} deep"),
                "nest fewer of them".to_owned(),
            ));
        }
        let has_errors = || {
            (
                format!("the template `{path}` has errors"),
                format!("correct what is found in `{path}`"),
            )
        };
        if let Some(known) = self.known(path) {
            return known.map(|kept| kept.package).ok_or_else(has_errors);
        }
        let Some(template) = self.parsed(path)? else {
            self.done.insert(path.to_owned(), None);
            return Err(has_errors());
        };
        self.package(path, &template).ok_or_else(has_errors)
    }

    /// The template of a nested stack; `None` after problems in it, which were told.
    fn parsed(&mut self, path: &str) -> Result<Option<Arc<Template>>, (String, String)> {
        let bytes = self.files.snapshot.read(path).map_err(|unreadable| {
            (unreadable.to_string(), "correct the path, or add the file".to_owned())
        })?;
        let text = std::str::from_utf8(bytes)
            .map_err(|_| (format!("`{path}` is not UTF-8 text"), "save it as UTF-8".to_owned()))?;
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(error) => {
                let position = error.position.map(|at| (at.line, at.column));
                let (path, pointer) = (path.to_owned(), String::new());
                let help = error.help.unwrap_or_else(|| "Correct the template here.".to_owned());
                let message = error.message;
                self.problems.push(Problem { path, pointer, position, message, help });
                return Ok(None);
            }
        };
        let flaws = limits(&template);
        let is_sound = flaws.is_empty();
        self.problems.extend(flaws.into_iter().map(|flaw| Problem {
            path: path.to_owned(),
            pointer: flaw.pointer,
            position: None,
            message: flaw.message,
            help: flaw.help,
        }));
        Ok(is_sound.then(|| Arc::new(template)))
    }
}

/// One template on its way.
struct Packing<'p, 's> {
    packages: &'p mut Packages<'s>,
    path: &'p str,
    template: &'p Arc<Template>,
    blobs: BTreeMap<BlobName, Blob>,
    nested: BTreeMap<String, Arc<Package>>,
    is_changed: bool,
    is_broken: bool,
}

impl<'p, 's> Packing<'p, 's> {
    fn of(packages: &'p mut Packages<'s>, path: &'p str, template: &'p Arc<Template>) -> Self {
        let (blobs, nested) = (BTreeMap::new(), BTreeMap::new());
        Self { packages, path, template, blobs, nested, is_changed: false, is_broken: false }
    }

    fn package(mut self) -> Option<Package> {
        let mut value = self.template.value().clone();
        self.includes(&mut value, "");
        for row in METADATA {
            if let Some(section) =
                value.pointer_mut("/Metadata").and_then(|all| all.get_mut(row.kind))
            {
                let pointer = format!("/Metadata/{}", escaped(row.kind));
                self.property(row, row.kind, section, &pointer);
            }
        }
        let code = value.pointer("/Globals/Function/CodeUri").cloned();
        if let Some(Value::Object(resources)) = value.get_mut("Resources") {
            self.resources(resources, "/Resources", code.as_ref());
        }
        if self.is_broken {
            return None;
        }
        let template =
            if self.is_changed { self.rewritten(&value)? } else { Arc::clone(self.template) };
        let source = Arc::clone(self.template);
        let root = is_large(&template).then(|| Blob::Template(Arc::clone(&template)));
        self.blobs.extend(root.map(|root| (root.name(), root)));
        let path = self.path.to_owned();
        Some(Package { path, source, template, blobs: self.blobs, nested: self.nested })
    }

    /// The template with its new text. JSON, as no reader of YAML can take a text for a number in it.
    fn rewritten(&mut self, value: &Value) -> Option<Arc<Template>> {
        // Maps with texts for keys always serialise.
        let body = serde_json::to_string_pretty(value).unwrap_or_default();
        match Template::parse(&body) {
            Ok(template) => Some(Arc::new(template)),
            Err(error) => {
                let message = format!("packaged, the template is refused: {}", error.message);
                let help = format!(
                    "split it: {MAX_TEXT_BYTES} bytes are the most that CloudFormation takes"
                );
                self.problem("", message, help);
                None
            }
        }
    }

    fn resources(&mut self, resources: &mut Map<String, Value>, at: &str, code: Option<&Value>) {
        for (name, resource) in resources {
            let pointer = format!("{at}/{}", escaped(name));
            if name.starts_with("Fn::ForEach::") {
                // The loop's variable, what it goes over, and the resources of each round.
                if let Some(Value::Object(inner)) = resource.get_mut(2) {
                    self.resources(inner, &format!("{pointer}/2"), code);
                }
                continue;
            }
            self.resource(name, resource, &pointer, code);
        }
    }

    fn resource(&mut self, name: &str, resource: &mut Value, at: &str, code: Option<&Value>) {
        let kind = resource.get("Type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(Value::Object(properties)) = resource.get_mut("Properties") else { return };
        if kind == "AWS::Serverless::Function" && needs_code(properties) {
            // SAM's own way of saying it once for all functions.
            properties.extend(code.map(|code| ("CodeUri".to_owned(), code.clone())));
        }
        let mut properties_value = Value::Object(std::mem::take(properties));
        for row in ROWS.iter().filter(|row| row.kind == kind) {
            self.property(row, name, &mut properties_value, &format!("{at}/Properties"));
        }
        if let Value::Object(map) = properties_value {
            *properties = map;
        }
    }

    fn property(&mut self, row: &Row, name: &str, properties: &mut Value, at: &str) {
        let mut pointer = at.to_owned();
        let mut found = Some(properties);
        for part in row.property {
            pointer = format!("{pointer}/{part}");
            found = found.and_then(|value| value.get_mut(*part));
        }
        let Some(value) = found else { return };
        let Value::String(text) = value else { return };
        let text = text.clone();
        match self.placed(row, name, &text) {
            Ok(Some(placed)) => {
                *value = placed;
                self.is_changed = true;
            }
            Ok(None) => {}
            Err((message, help)) => self.problem(&pointer, message, help),
        }
    }

    /// What stands instead of a text; `None` where it is a place already.
    fn placed(
        &mut self,
        row: &Row,
        name: &str,
        text: &str,
    ) -> Result<Option<Value>, (String, String)> {
        if let Some(url) = text.strip_prefix("s3://") {
            return Ok(of_url(row.form, url));
        }
        let is_web = text.starts_with("https://") || text.starts_with("http://");
        if is_web && row.form == Form::Template {
            return Ok(None);
        }
        if is_web {
            let message = format!("`{text}` is no place in S3");
            return Err((
                message,
                "write s3://BUCKET/KEY, or a path below the fleet folder".to_owned(),
            ));
        }
        let path = join(self.path, text).ok_or_else(|| {
            let message = format!("`{text}` leaves the fleet folder");
            (message, "only files of the fleet folder are packaged: move it there".to_owned())
        })?;
        let blob = match row.form {
            Form::Template => {
                let package = self.packages.nested(&path)?;
                self.blobs.extend(package.blobs.iter().map(|(name, blob)| (*name, blob.clone())));
                self.nested.insert(name.to_owned(), Arc::clone(&package));
                Blob::Template(Arc::clone(&package.template))
            }
            Form::Url | Form::Parts { .. } => self.content(row, &path)?,
        };
        let name = blob.name();
        self.blobs.insert(name, blob);
        Ok(Some(place(row.form, &name.to_string())))
    }

    /// The file or folder at a path, zipped where the row wants that.
    fn content(&self, row: &Row, path: &str) -> Result<Blob, (String, String)> {
        let mend = |message| {
            let help = "correct the path, commit what it means, or name what a build makes of it in \
                        `artifacts` of the Service";
            (message, help.to_owned())
        };
        let files = &self.packages.files;
        let blob = match files.find(path).map_err(mend)? {
            Found::File(file) if row.is_zipped && !is_zip(&file.path) => {
                let name = path.rsplit('/').next().unwrap_or(path).to_owned();
                Blob::Zip(BTreeMap::from([(name, file)]))
            }
            Found::File(file) => Blob::File(file),
            Found::Folder(folder) => Blob::Zip(files.folder(&folder).map_err(mend)?),
        };
        if let Blob::Zip(files) = &blob
            && files.is_empty()
        {
            let help = "commit what belongs there; see what its .driftlessignore leaves out";
            return Err((format!("nothing of `{path}` is left to be zipped"), help.to_owned()));
        }
        if row.is_code() && blob.bytes() > MAX_CODE_BYTES {
            let message = format!(
                "`{path}` has {} bytes; {MAX_CODE_BYTES} unzipped are the most that Lambda takes",
                blob.bytes()
            );
            let help = "leave out what is not needed with a .driftlessignore, or use an image";
            return Err((message, help.to_owned()));
        }
        Ok(blob)
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
                    if matches!(key.as_str(), "Fn::Transform" | "Transform")
                        && value["Name"] == INCLUDE.kind
                    {
                        self.property(&INCLUDE, INCLUDE.kind, value, &pointer);
                    } else {
                        self.includes(value, &pointer);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn problem(&mut self, pointer: &str, message: String, help: String) {
        self.is_broken = true;
        let (path, pointer) = (self.path.to_owned(), pointer.to_owned());
        self.packages.problems.push(Problem { path, pointer, position: None, message, help });
    }
}

/// A place in S3 that the template gives itself.
fn of_url(form: Form, url: &str) -> Option<Value> {
    let Form::Parts { bucket, key, version } = form else { return None };
    let (named, rest) = url.split_once('/')?;
    let (object, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut parts = Map::from_iter([
        (bucket.to_owned(), named.into()),
        (key.to_owned(), object.trim_start_matches('/').into()),
    ]);
    if let (Some(name), Some(id)) = (version, query.strip_prefix("versionId=")) {
        parts.insert(name.to_owned(), id.into());
    }
    Some(Value::Object(parts))
}

/// Whether a function has no code of its own yet.
fn needs_code(properties: &Map<String, Value>) -> bool {
    let own = ["CodeUri", "InlineCode", "ImageUri"];
    !own.iter().any(|name| properties.contains_key(*name))
        && properties.get("PackageType").and_then(Value::as_str) != Some("Image")
}

/// Whether a file is an archive already. Its name says so: what is in it is not read.
fn is_zip(path: &str) -> bool {
    [".zip", ".jar", ".war", ".whl"].iter().any(|ending| path.ends_with(ending))
}

/// A part of a JSON pointer.
fn escaped(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
