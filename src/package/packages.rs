//! The package of each template of a snapshot, each made once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ids::Digest;
use crate::package::blob::{Blob, BlobName};
use crate::package::built::Built;
use crate::package::contents::Contents;
use crate::package::files::Files;
use crate::package::kept::{Kept, Packaged, unchanged};
use crate::package::packing::Packing;
use crate::package::place::{longest, returned_digest};
use crate::snapshot::Snapshot;
use crate::template::{MAX_INLINE_BYTES, Template, limits};

/// Nested deeper than this is no service that anybody understands, and recursion must end somewhere.
const MAX_NESTED: usize = 10;
/// CloudFormation's limit on one operation with nested stacks.
pub(super) const MAX_RESOURCES: usize = 2_500;

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
    size: Size,
    returned_digest: Digest,
}

/// What one operation on a stack and all that are nested in it comes to.
#[derive(Clone, Copy, Debug)]
struct Size {
    stacks: usize,
    resources: usize,
    /// How many levels of nested stacks there are.
    depth: usize,
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
        Self::of("", (Arc::clone(&template), template), Default::default())
    }

    /// The template as it is in git and as it is packaged, with what it points to.
    pub(super) fn of(
        path: &str,
        (source, template): (Arc<Template>, Arc<Template>),
        (mut blobs, nested): (BTreeMap<BlobName, Blob>, BTreeMap<String, Arc<Self>>),
    ) -> Self {
        let root = is_large(&template).then(|| Blob::Template(Arc::clone(&template)));
        blobs.extend(root.map(|root| (root.name(), root)));
        let resources = template.processed_by_default().template().resources().len();
        let mut size = Size { stacks: 1, resources, depth: 0 };
        for Size { stacks, resources, depth } in nested.values().map(|nested| nested.size) {
            size.stacks = size.stacks.saturating_add(stacks);
            size.resources = size.resources.saturating_add(resources);
            size.depth = size.depth.max(depth + 1);
        }
        let returned_digest = returned_digest(&template);
        let path = path.to_owned();
        Self { path, source, template, blobs, nested, size, returned_digest }
    }

    /// What [`digest_of_seen`](crate::package::digest_of_seen) makes of the template when AWS gives it
    /// back.
    pub fn returned_digest(&self) -> Digest {
        self.returned_digest
    }

    /// How many stacks and resources there are with those of nested stacks, if CloudFormation does not
    /// take so many in one operation.
    pub(super) fn too_many(&self) -> Option<(usize, usize)> {
        let Size { stacks, resources, .. } = self.size;
        let is_large = !self.nested.is_empty() && stacks.max(resources) > MAX_RESOURCES;
        is_large.then_some((stacks, resources))
    }

    /// What the template is called in the bucket, where it is too large for a call.
    pub fn stored(&self) -> Option<BlobName> {
        is_large(&self.template).then(|| Blob::Template(Arc::clone(&self.template)).name())
    }

    /// The package itself and those of all stacks that are nested in it, each with the logical ids on
    /// the way to it. There are at most as many as CloudFormation takes in one operation: more are
    /// refused when they are packaged.
    pub fn all(&self) -> Vec<(Vec<&str>, &Self)> {
        let mut all = vec![(Vec::new(), self)];
        let mut next = 0;
        while let Some((way, package)) = all.get(next).cloned() {
            let nested = package.nested.iter().take(MAX_RESOURCES.saturating_sub(all.len()));
            all.extend(nested.map(|(name, nested)| {
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
    contents: Contents,
    /// Packages of an earlier revision of which nothing changed.
    before: BTreeMap<String, Kept>,
    /// `None` for one that has problems, which were told.
    done: BTreeMap<String, Option<Kept>>,
    /// Packages as nested stacks have them, by the paths of their templates.
    as_nested: BTreeMap<String, Arc<Package>>,
    /// The templates that are being packaged, the outermost first.
    open: Vec<String>,
    problems: Vec<Problem>,
}

impl<'s> Packages<'s> {
    /// Nothing packaged yet.
    pub fn of(snapshot: &'s Snapshot) -> Self {
        Self {
            files: Files::of(snapshot),
            contents: Contents::default(),
            before: BTreeMap::new(),
            done: BTreeMap::new(),
            as_nested: BTreeMap::new(),
            open: Vec::new(),
            problems: Vec::new(),
        }
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

    /// Tells one more problem.
    pub(super) fn tell(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// The file or folder at a path, zipped where that is wanted. An error is a whole sentence.
    pub(super) fn content(
        &mut self,
        path: &str,
        is_zipped: bool,
    ) -> Result<(BlobName, Blob), String> {
        self.contents.content(&self.files, path, is_zipped)
    }

    /// The template of a nested stack.
    pub(super) fn nested(&mut self, path: &str) -> Result<Arc<Package>, (String, String)> {
        if self.open.iter().any(|open| open == path) {
            let ring = format!("{} -> {path}", self.open.join(" -> "));
            return Err((
                format!("the template nests itself: {ring}"),
                "remove one of these nested stacks".to_owned(),
            ));
        }
        let too_deep = || {
            (
                format!("stacks are nested more than {MAX_NESTED} deep"),
                "nest fewer of them".to_owned(),
            )
        };
        // Before it is read, as reading it reads what is nested in it.
        if self.open.len() > MAX_NESTED {
            return Err(too_deep());
        }
        let package = match self.known(path) {
            Some(known) => known.map(|kept| kept.package),
            None => match self.parsed(path)? {
                Some(template) => self.package(path, &template),
                None => {
                    self.done.insert(path.to_owned(), None);
                    None
                }
            },
        };
        let package = package.ok_or_else(|| {
            (
                format!("the template `{path}` has errors"),
                format!("correct what is found in `{path}`"),
            )
        })?;
        if self.open.len() + package.size.depth > MAX_NESTED {
            return Err(too_deep());
        }
        Ok(self.with_canonical_text(path, package))
    }

    /// The package with the canonical text, where its template is as it is in git: a comment in a nested
    /// template is no reason to update the stack around it.
    fn with_canonical_text(&mut self, path: &str, package: Arc<Package>) -> Arc<Package> {
        if !Arc::ptr_eq(&package.source, &package.template) {
            return package;
        }
        if let Some(known) = self.as_nested.get(path) {
            return Arc::clone(known);
        }
        // A text that is too long for us in this form only stays as it is.
        let canonical = match Template::parse(&package.source.value().to_string()) {
            Ok(template) => {
                let templates = (Arc::clone(&package.source), Arc::new(template));
                Arc::new(Package::of(path, templates, Default::default()))
            }
            Err(_) => package,
        };
        self.as_nested.insert(path.to_owned(), Arc::clone(&canonical));
        canonical
    }

    /// The template of a nested stack; `None` after problems in it, which were told.
    fn parsed(&mut self, path: &str) -> Result<Option<Arc<Template>>, (String, String)> {
        let mend = |message| (message, "correct the path, or add the file".to_owned());
        let bytes = self.files.read(path).map_err(mend)?;
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
