//! Finds the documents among the files of a snapshot and reads them all, whatever is wrong with
//! some.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::rc::Rc;
use std::sync::Arc;

use crate::fleet::build::{self, Begun};
use crate::fleet::document::{API_GROUP, API_VERSION};
use crate::fleet::files::Files;
use crate::fleet::finding::{MAX_FINDINGS, more_findings};
use crate::fleet::reader::{Reader, nearest};
use crate::fleet::stray;
use crate::fleet::yaml::{self, Node, YamlDocument, YamlError};
use crate::fleet::{Documents, Finding, Fleet, Gaps, Service, Severity, Source, Tenant};
use crate::ids::{AccountId, DocumentName};
use crate::package::Packaged;
use crate::snapshot::{
    Entry, MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES, Snapshot, Unread, is_hidden, join,
};
use crate::template::line_starts;

/// The kinds of documents.
const KINDS: [&str; 3] = ["Fleet", "Tenant", "Service"];

/// Reads all documents of a snapshot. Findings are sorted and all reported at once; the documents
/// are those that could be read, and none at all when there is no readable Fleet document.
pub fn load(snapshot: &Snapshot) -> (Option<Documents>, Vec<Finding>) {
    load_after(&Packaged::default(), snapshot)
}

/// The same after an earlier snapshot: templates of which nothing changed, nor of what they point to,
/// are not packaged again.
pub fn load_after(before: &Packaged, snapshot: &Snapshot) -> (Option<Documents>, Vec<Finding>) {
    let mut loading = Loading::after(before, snapshot);
    if let Some(finding) = too_much(snapshot) {
        return (None, vec![finding]);
    }
    for (path, entry) in snapshot.entries() {
        loading.entry(path, entry);
    }
    loading.services();
    loading.finish()
}

/// The snapshot's own limits, for snapshots that were not read from git.
fn too_much(snapshot: &Snapshot) -> Option<Finding> {
    let (files, bytes) = snapshot.entries().fold((0, 0), |(files, bytes), (_, entry)| {
        let size = match entry {
            Entry::File(content) => content.len(),
            Entry::Unread(_) | Entry::Link(_) | Entry::Submodule => 0,
        };
        (files + 1, bytes + size)
    });
    let message = if files > MAX_FILES {
        format!("the fleet folder has {files} files; {MAX_FILES} is the most that is read")
    } else if bytes > MAX_TOTAL_BYTES {
        format!("the fleet folder has {bytes} bytes; {MAX_TOTAL_BYTES} is the most that is read")
    } else {
        return None;
    };
    Some(about("", "too-large", message, "keep other things out of the fleet folder"))
}

/// A finding about a whole file.
fn about(path: &str, code: &'static str, message: impl Into<String>, help: &str) -> Finding {
    Finding {
        code,
        severity: Severity::Error,
        path: path.to_owned(),
        line: 0,
        column: 0,
        message: message.into(),
        help: Some(help.to_owned()),
    }
}

fn is_yaml(path: &str) -> bool {
    path.ends_with(".yaml") || path.ends_with(".yml")
}

struct Loading<'s> {
    files: Files<'s>,
    snapshot: &'s Snapshot,
    findings: Vec<Finding>,
    fleet: Option<Fleet>,
    /// Where each name was first given, by kind and name.
    names: BTreeMap<(&'static str, DocumentName), Source>,
    tenants: BTreeMap<DocumentName, Arc<Tenant>>,
    services: BTreeMap<DocumentName, Arc<Service>>,
    /// Services whose files are not read yet.
    begun: Vec<Begun>,
    accounts: BTreeMap<AccountId, Arc<Tenant>>,
    gaps: Gaps,
    documents: usize,
    fleets: usize,
    /// Findings beyond the limit.
    left_out: usize,
}

impl<'s> Loading<'s> {
    fn after(before: &'s Packaged, snapshot: &'s Snapshot) -> Self {
        Self {
            files: Files::after(before, snapshot),
            snapshot,
            findings: Vec::new(),
            fleet: None,
            names: BTreeMap::new(),
            tenants: BTreeMap::new(),
            services: BTreeMap::new(),
            begun: Vec::new(),
            accounts: BTreeMap::new(),
            gaps: Gaps::default(),
            documents: 0,
            fleets: 0,
            left_out: 0,
        }
    }

    /// How many findings are kept of the next document.
    fn room(&self) -> usize {
        MAX_FINDINGS.saturating_sub(self.findings.len())
    }

    fn keep(&mut self, mut reader: Reader<'_>) {
        self.left_out += reader.errors - reader.findings.len();
        self.findings.append(&mut reader.findings);
    }

    fn entry(&mut self, path: &str, entry: &Entry) {
        if is_hidden(path) {
            return;
        }
        match entry {
            Entry::File(bytes) if is_yaml(path) => self.file(path, bytes),
            Entry::File(_) => {}
            Entry::Unread(Unread { bytes, .. }) if is_yaml(path) => {
                let message = format!(
                    "the file has {bytes} bytes; {MAX_FILE_BYTES} is the most that is read"
                );
                self.unread(about(path, "too-large", message, "split it, or move it elsewhere"));
            }
            Entry::Unread(_) => {}
            Entry::Link(to) => self.link(path, to),
            Entry::Submodule => {
                let message = "this is a git submodule, whose files are not read";
                let help = "copy them into the fleet folder, or move the submodule out of it";
                self.unread(about(path, "submodule", message, help));
            }
        }
    }

    /// A file that may hold documents of any kind could not be read.
    fn unread(&mut self, finding: Finding) {
        self.gaps.any_service = true;
        self.gaps.tenants = true;
        self.findings.push(finding);
    }

    /// What a link leads to inside the fleet is read where it lies; a link out of it may hide a
    /// whole folder of documents.
    fn link(&mut self, path: &str, to: &str) {
        let name = path.rsplit('/').next().unwrap_or(path);
        let leaves = join(path, to).is_none() && !name.contains('.');
        let broken = is_yaml(path).then(|| self.snapshot.read(path).err()).flatten();
        let message = match broken {
            Some(unreadable) => unreadable.to_string(),
            None if leaves => format!("this links to `{to}`, outside the fleet folder"),
            None => return,
        };
        let help = "documents are read from the fleet folder only: copy them into it";
        self.unread(about(path, "bad-link", message, help));
    }

    fn file(&mut self, path: &str, bytes: &Arc<[u8]>) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            let before = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
            let mut finding =
                about(path, "not-utf-8", "the file is not UTF-8 text", "save it as UTF-8");
            finding.line = before.matches('\n').count() + 1;
            finding.column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
            return self.unread(finding);
        };
        if let Some(finding) = stray::of_text(path, text) {
            return self.unread(finding);
        }
        if !text.contains(API_GROUP) {
            return;
        }
        let (documents, error) = yaml::parse(text);
        let ours = documents.iter().any(|document| api_version(&document.root).is_some());
        let shared_path: Arc<str> = path.into();
        let (mut line, mut offset) = (1, 0);
        for document in documents {
            offset += offset_of_line(&text[offset..], document.line.saturating_sub(line));
            line = document.line;
            let source = Source::new(Arc::clone(&shared_path), Arc::clone(bytes), line, offset);
            self.document(document, source, ours);
        }
        if let Some(error) = error {
            let mut reader = Reader::new(path, self.room());
            record(&mut reader, error);
            self.keep(reader);
            self.gaps.any_service = true;
            self.gaps.tenants = true;
        }
    }

    fn document(&mut self, document: YamlDocument, source: Source, among_ours: bool) {
        let path = Arc::clone(&source.path);
        let mut reader = Reader::new(&path, self.room());
        let root = Rc::clone(&document.root);
        let kind = root.child("kind").and_then(|kind| kind.value.text()).unwrap_or("").to_owned();
        let Some(version) = api_version(&root) else {
            if let Some((place, message)) = stray::of_document(&root) {
                let help = format!("write `apiVersion: {API_VERSION}` at the start of a line");
                reader.error(place, "stray-document", message, Some(help));
                self.unreadable_kind(&kind, &root);
            } else if among_ours && KINDS.contains(&kind.as_str()) {
                let message = format!("this {kind} has no `apiVersion`");
                let help = format!("write `apiVersion: {API_VERSION}`");
                reader.error(root.place, "missing-field", message, Some(help));
                self.unreadable_kind(&kind, &root);
            }
            return self.keep(reader);
        };
        self.documents += 1;
        if version != API_VERSION {
            let message = format!("`{version}` is not known to this program");
            let help = format!("write `apiVersion: {API_VERSION}`");
            reader.error(root.find(&["apiVersion"]), "wrong-api-version", message, Some(help));
            self.fleets += usize::from(kind == "Fleet");
            self.unreadable_kind(&kind, &root);
            return self.keep(reader);
        }
        let flawed = !document.flaws.is_empty();
        document.flaws.into_iter().for_each(|flaw| record(&mut reader, flaw));
        let read = match kind.as_str() {
            "Fleet" => self.fleet(&root, source, &mut reader),
            "Tenant" => self.tenant(&root, source, &mut reader),
            "Service" => self.begin_service(&root, source, &mut reader),
            _ => unknown_kind(&kind, &root, &mut reader),
        };
        if read.is_none() || flawed {
            self.unreadable_kind(&kind, &root);
        }
        self.keep(reader);
    }

    /// Remembers what is missing because its document has errors.
    fn unreadable_kind(&mut self, kind: &str, root: &Node) {
        let name = root.child("metadata").and_then(|metadata| metadata.value.child("name"));
        let name: Option<DocumentName> =
            name.and_then(|name| name.value.text()).and_then(|name| name.parse().ok());
        match (kind, name) {
            ("Fleet", _) => {}
            ("Tenant", _) => self.gaps.tenants = true,
            ("Service", Some(name)) => {
                self.gaps.services.insert(name);
            }
            _ => (self.gaps.any_service, self.gaps.tenants) = (true, true),
        }
    }

    fn fleet(&mut self, root: &Rc<Node>, source: Source, reader: &mut Reader<'_>) -> Option<()> {
        self.fleets += 1;
        if let (2.., Some(first)) = (self.fleets, &self.fleet) {
            let message = "there is a second Fleet document";
            let help =
                format!("the first is in {}:{}; keep one", first.source.path, first.source.line);
            reader.error(root.find(&["kind"]), "duplicate-fleet", message, Some(help));
            return None;
        }
        self.fleet = Some(build::fleet(root, source, &mut self.files, reader)?);
        Some(())
    }

    fn tenant(&mut self, root: &Rc<Node>, source: Source, reader: &mut Reader<'_>) -> Option<()> {
        let tenant = Arc::new(build::tenant(root, source, reader)?);
        self.claim("Tenant", &tenant.name, &tenant.source, root, reader)?;
        match self.accounts.entry(tenant.account) {
            Slot::Vacant(slot) => {
                slot.insert(Arc::clone(&tenant));
            }
            Slot::Occupied(slot) => {
                let (account, first) = (tenant.account, slot.get());
                let message =
                    format!("account {account} belongs to tenant `{}` already", first.name);
                let help = format!("see {}:{}", first.source.path, first.source.line);
                let place = root.find(&["spec", "account"]);
                reader.error(place, "duplicate-account", message, Some(help));
                return None;
            }
        }
        self.tenants.insert(tenant.name.clone(), tenant);
        Some(())
    }

    fn begin_service(
        &mut self,
        root: &Rc<Node>,
        source: Source,
        reader: &mut Reader<'_>,
    ) -> Option<()> {
        self.begun.push(build::begin_service(root, source, &mut self.files, reader)?);
        Some(())
    }

    /// Reads what the services point to, when all that builds made for them is known.
    fn services(&mut self) {
        self.files.begin();
        for begun in std::mem::take(&mut self.begun) {
            let (root, path) = (Rc::clone(&begun.node), Arc::clone(&begun.source.path));
            let mut reader = Reader::new(&path, self.room());
            if self.service(begun, &root, &mut reader).is_none() {
                self.unreadable_kind("Service", &root);
            }
            self.keep(reader);
        }
    }

    fn service(&mut self, begun: Begun, root: &Node, reader: &mut Reader<'_>) -> Option<()> {
        let service = Arc::new(build::service(begun, &mut self.files, reader)?);
        self.claim("Service", &service.name, &service.source, root, reader)?;
        self.services.insert(service.name.clone(), service);
        Some(())
    }

    /// Records that a name is given; `None` when it was given before.
    fn claim(
        &mut self,
        kind: &'static str,
        name: &DocumentName,
        source: &Source,
        root: &Node,
        reader: &mut Reader<'_>,
    ) -> Option<()> {
        match self.names.entry((kind, name.clone())) {
            Slot::Vacant(slot) => {
                slot.insert(source.clone());
                Some(())
            }
            Slot::Occupied(first) => {
                let message = format!("there is another {kind} `{name}`");
                let help = format!("see {}:{}; rename one", first.get().path, first.get().line);
                let place = root.find(&["metadata", "name"]);
                reader.error(place, "duplicate-name", message, Some(help));
                None
            }
        }
    }

    fn finish(mut self) -> (Option<Documents>, Vec<Finding>) {
        let nothing_wrong = self.findings.iter().all(|finding| !finding.is_error());
        if self.documents == 0 && nothing_wrong {
            let message = "there is no document in the fleet folder";
            let help = "an empty fleet is never acted on: check the folder, or start with \
                        `driftless init`";
            self.findings.push(about("", "empty-fleet", message, help));
        } else if self.fleets == 0 && (nothing_wrong || !self.gaps.any_service) {
            let message = "there is no Fleet document";
            let help = format!("write one with `apiVersion: {API_VERSION}` and `kind: Fleet`");
            self.findings.push(about("", "no-fleet", message, &help));
        }
        self.findings.append(&mut self.files.findings);
        self.findings.sort();
        self.left_out += self.findings.len().saturating_sub(MAX_FINDINGS);
        self.findings.truncate(MAX_FINDINGS);
        if self.left_out > 0 {
            self.findings.insert(0, more_findings(self.left_out, Severity::Error));
        }
        let packaged = Arc::new(self.files.packaged());
        let documents = self.fleet.map(|fleet| Documents {
            packaged,
            fleet,
            tenants: self.tenants,
            services: self.services,
            gaps: self.gaps,
        });
        (documents, self.findings)
    }
}

/// The `apiVersion`, when it is one of ours of whatever version.
fn api_version(root: &Node) -> Option<&str> {
    let version = root.child("apiVersion")?.value.text()?;
    version.starts_with(API_GROUP).then_some(version)
}

fn record(reader: &mut Reader<'_>, error: YamlError) {
    reader.error(error.place, error.code, error.message, Some(error.help));
}

fn unknown_kind(kind: &str, root: &Node, reader: &mut Reader<'_>) -> Option<()> {
    let message = match kind {
        "" => "the field `kind` is missing".to_owned(),
        kind => format!("there is no kind `{kind}`"),
    };
    let help = match nearest(kind, KINDS.into_iter()) {
        Some(kind) => format!("did you mean `{kind}`?"),
        None => format!("there are: {}", KINDS.join(", ")),
    };
    reader.error(root.find(&["kind"]), "unknown-kind", message, Some(help));
    None
}

/// Where a line starts, counted from this one.
fn offset_of_line(text: &str, lines: usize) -> usize {
    match lines {
        0 => 0,
        lines => line_starts(text).nth(lines - 1).unwrap_or(text.len()),
    }
}
