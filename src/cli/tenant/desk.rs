//! The files of the fleet as they lie, and some of them written when the whole fleet is good with it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::Failure;
use crate::cli::opening::drawn;
use crate::cli::render::unknown;
use crate::controller::{Checked, checked};
use crate::desired::Desired;
use crate::fleet::edit::Uneditable;
use crate::fleet::{Documents, Finding, Tenant, load};
use crate::git::{Place, Source, SourceSettings};
use crate::ids::{Revision, TenantName};
use crate::settings::Settings;
use crate::snapshot::{Entry, Snapshot, Unreadable};

/// How editors find the schema of a document.
const SCHEMA_LINE: &str = "# yaml-language-server: $schema=";
/// Where tenants are when there is none yet.
const TENANTS: &str = "tenants";
/// Where services are when there is none yet.
const SERVICES: &str = "services";

/// The files as they lie, and the documents in them.
pub(in crate::cli) struct Desk<'a> {
    settings: &'a Settings,
    snapshot: Snapshot,
    pub(in crate::cli) documents: Documents,
    /// What was wrong before anything was edited.
    findings: Vec<Finding>,
}

impl<'a> Desk<'a> {
    /// Reads the files of the fleet's folder, whatever is committed.
    pub(in crate::cli) fn open(settings: &'a Settings) -> Result<Self, Failure> {
        let Place::Here(source) = &settings.place else {
            return Err(Failure::new(
                "a remote repository cannot be edited",
                "clone it, and name the fleet's folder in the clone with --fleet",
            ));
        };
        if let Some(revision) = &source.revision {
            return Err(Failure::new(
                format!("the commit `{revision}` cannot be edited"),
                "leave out @REV: the files as they lie are edited",
            ));
        }
        let source = SourceSettings { worktree: true, ..source.clone() };
        let snapshot = Source::open(source)?.read()?;
        let (documents, findings) = load(&snapshot);
        let Some(documents) = documents else {
            let drawn = drawn(&findings, &snapshot, settings, settings.terminal.colour_err);
            let what = format!("there are errors in the files as they lie\n{drawn}");
            return Err(Failure::new(what, "mend them first"));
        };
        Ok(Self { settings, snapshot, documents, findings })
    }

    /// A tenant by its name.
    pub(in crate::cli) fn tenant(&self, name: &TenantName) -> Result<Arc<Tenant>, Failure> {
        if let Some(tenant) = self.documents.tenants.get(name) {
            return Ok(Arc::clone(tenant));
        }
        // It may be there and not be read.
        let errors: Vec<Finding> =
            self.findings.iter().filter(|finding| finding.is_error()).cloned().collect();
        if self.documents.gaps.tenants {
            let what = format!("the fleet has no tenant `{name}` that can be read");
            let drawn = self.drawn(&errors, &self.snapshot);
            return Err(Failure::new(format!("{what}\n{drawn}"), "mend what is found first"));
        }
        Err(unknown("tenant", name, self.documents.tenants.keys()))
    }

    /// The text of a file.
    pub(in crate::cli) fn text(&self, path: &str) -> Result<String, Failure> {
        let unreadable =
            |error: Unreadable| Failure { what: error.to_string(), ..Failure::default() };
        let bytes = self.snapshot.read(path).map_err(unreadable)?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    /// Whether there is something at a path.
    pub(in crate::cli) fn has(&self, path: &str) -> bool {
        self.snapshot.entries().any(|(other, _)| other == path)
    }

    /// Whether a file holds one document only.
    pub(super) fn is_alone(&self, path: &str) -> bool {
        let Documents { fleet, tenants, services, .. } = &self.documents;
        let sources = [&fleet.source].into_iter();
        let sources = sources.chain(tenants.values().map(|tenant| &tenant.source));
        let sources = sources.chain(services.values().map(|service| &service.source));
        sources.filter(|source| &*source.path == path).count() == 1
    }

    /// A path as people see it from where they are.
    pub(in crate::cli) fn shown(&self, path: &str) -> String {
        self.at(path).display().to_string()
    }

    fn at(&self, path: &str) -> PathBuf {
        let folder = self.settings.fleet_folder();
        if folder == Path::new(".") { path.into() } else { folder.join(path) }
    }

    /// Whether the field with these keys is a value that a template declares as NoEcho.
    pub(super) fn hides(&self, path: &[String]) -> bool {
        let is_parameter = path.iter().rev().nth(1).is_some_and(|key| key == "parameters");
        let hides = |name: &String| {
            let mut services = self.documents.services.values();
            services.any(|service| {
                service.template.parameters().get(name).is_some_and(|declared| declared.no_echo)
            })
        };
        is_parameter && path.last().is_some_and(hides)
    }

    /// What a refused edit says.
    pub(super) fn refused(&self, path: &str, refusal: &Uneditable) -> Failure {
        let place = match refusal.place {
            (0, _) => self.shown(path),
            (line, column) => format!("{}:{line}:{column}", self.shown(path)),
        };
        Failure::new(format!("{place}: {refusal}"), "edit it by hand")
    }

    /// Writes a file, if the whole fleet has no error with it, and nobody changed it meanwhile.
    pub(super) fn write(&self, path: &str, text: &str) -> Result<Checked, Failure> {
        let files = BTreeMap::from([(path.to_owned(), text.to_owned())]);
        let help = "mend what the findings say: a parameter that lacks a value is given with `--parameter NAME=VALUE`";
        let tried = self.tried(&files, help)?;
        self.put(&files, &tried)?;
        Ok(tried.checked)
    }

    /// The fleet with these files, none of which is written yet; a failure when it has an error.
    pub(in crate::cli) fn tried(
        &self,
        files: &BTreeMap<String, String>,
        help: &str,
    ) -> Result<Tried, Failure> {
        let mut entries: BTreeMap<String, Entry> =
            self.snapshot.entries().map(|(path, entry)| (path.to_owned(), entry.clone())).collect();
        for (path, text) in files {
            entries.insert(path.clone(), Entry::File(text.as_bytes().into()));
        }
        let edited = Snapshot::of(Revision::of("edited"), None, entries);
        let checked = checked(&edited);
        if checked.desired.is_none() {
            let errors: Vec<Finding> =
                checked.findings.iter().filter(|finding| finding.is_error()).cloned().collect();
            let drawn = self.drawn(&errors, &edited);
            return Err(Failure::new(
                format!("the fleet would have errors, so nothing is written\n{drawn}"),
                help,
            ));
        }
        Ok(Tried { edited, checked })
    }

    /// Writes files that were tried, unless somebody changed one of them meanwhile: all, or none as
    /// far as the disk allows.
    pub(in crate::cli) fn put(
        &self,
        files: &BTreeMap<String, String>,
        tried: &Tried,
    ) -> Result<(), Failure> {
        for path in files.keys() {
            let at = self.at(path);
            if fs::read(&at).ok() != self.known(path) {
                let what =
                    format!("`{}` was changed meanwhile, so nothing is written", at.display());
                return Err(Failure::new(what, "run it again"));
            }
        }
        let files = files.iter().map(|(path, text)| (self.at(path), text.as_bytes())).collect();
        replace(&files).map_err(|(at, source)| Failure {
            causes: vec![source.to_string()],
            ..Failure::new(
                format!("cannot write `{}`", at.display()),
                "see that this user may write there and that the disk has room",
            )
        })?;
        self.tell_new_warnings(&tried.checked, &tried.edited)
    }

    /// What a file held when the fleet was read.
    fn known(&self, path: &str) -> Option<Vec<u8>> {
        let (_, entry) = self.snapshot.entries().find(|(other, _)| *other == path)?;
        match entry {
            Entry::File(bytes) => Some(bytes.to_vec()),
            Entry::Unread(_) | Entry::Link(_) | Entry::Submodule => None,
        }
    }

    /// What the fleet wants as it lies; `None` when it has errors.
    pub(in crate::cli) fn wanted(&self) -> Option<Desired> {
        checked(&self.snapshot).desired
    }

    /// The folder in which most tenants are.
    pub(in crate::cli) fn tenants_folder(&self) -> String {
        most(self.documents.tenants.values().map(|tenant| folder_of(&tenant.source.path)))
            .map_or_else(|| TENANTS.to_owned(), str::to_owned)
    }

    /// The folder in which most services have folders of their own.
    pub(in crate::cli) fn services_folder(&self) -> String {
        let services = self.documents.services.values();
        most(services.map(|service| folder_of(folder_of(&service.source.path))))
            .map_or_else(|| SERVICES.to_owned(), str::to_owned)
    }

    /// The first line by which most tenants of a folder name their schema.
    pub(in crate::cli) fn tenant_schema_line(&self, folder: &str) -> Option<String> {
        let paths = self.documents.tenants.values().map(|tenant| &*tenant.source.path);
        self.schema_line(paths.filter(|path| folder_of(path) == folder), "tenant", folder)
    }

    /// The first line by which most services name their schema whose own folders lie beside this one.
    pub(in crate::cli) fn service_schema_line(&self, folder: &str) -> Option<String> {
        let paths = self.documents.services.values().map(|service| &*service.source.path);
        let parent = folder_of(folder);
        let beside = paths.filter(|path| folder_of(folder_of(path)) == parent);
        self.schema_line(beside, "service", folder)
    }

    /// As these files have it; where there is none, as the Fleet document has its own.
    fn schema_line<'p>(
        &self,
        paths: impl Iterator<Item = &'p str>,
        kind: &str,
        folder: &str,
    ) -> Option<String> {
        let mut paths = paths.peekable();
        if paths.peek().is_none() {
            let path = &self.documents.fleet.source.path;
            let text = self.text(path).ok()?;
            let place = text.lines().next()?.strip_prefix(SCHEMA_LINE)?.trim();
            let beside = schema_beside(place, folder_of(path), kind, folder)?;
            return Some(format!("{SCHEMA_LINE}{beside}"));
        }
        let texts: Vec<String> = paths.filter_map(|path| self.text(path).ok()).collect();
        let lines = texts.iter().filter_map(|text| text.lines().next());
        most(lines.filter(|line| line.starts_with(SCHEMA_LINE)))
            .map(|line| line.trim_end().to_owned())
    }

    /// The stacks that a tenant has after an edit, going ones too.
    pub(super) fn stack_count(checked: &Checked, tenant: &TenantName) -> usize {
        let all = checked.desired.iter().flat_map(|desired| desired.all_wanted());
        all.filter(|wanted| &wanted.tenant.name == tenant).count()
    }

    /// The same before any edit.
    pub(super) fn stacks_now(&self, tenant: &TenantName) -> usize {
        Self::stack_count(&checked(&self.snapshot), tenant)
    }

    fn tell_new_warnings(&self, checked: &Checked, edited: &Snapshot) -> Result<(), Failure> {
        let before = self::checked(&self.snapshot).findings;
        let is_new = |finding: &&Finding| !before.iter().any(|old| old.message == finding.message);
        let new: Vec<Finding> = checked.findings.iter().filter(is_new).cloned().collect();
        if !new.is_empty() {
            write!(io::stderr(), "{}", self.drawn(&new, edited))?;
        }
        Ok(())
    }

    fn drawn(&self, findings: &[Finding], snapshot: &Snapshot) -> String {
        drawn(findings, snapshot, self.settings, self.settings.terminal.colour_err)
    }
}

/// The fleet with other files.
pub(in crate::cli) struct Tried {
    edited: Snapshot,
    pub(in crate::cli) checked: Checked,
}

/// The folder of a path below the fleet folder.
pub(in crate::cli) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Where the schema of a kind is, seen from a folder, if it lies beside that of the fleet. `place` is
/// where that is for the Fleet document in its own folder.
fn schema_beside(place: &str, fleet_folder: &str, kind: &str, folder: &str) -> Option<String> {
    let start = place.strip_suffix("fleet.json")?;
    if start.starts_with('/') || start.contains("://") {
        return Some(format!("{start}{kind}.json"));
    }
    let up = |folder: &str| "../".repeat(folder.split('/').filter(|part| !part.is_empty()).count());
    let down = if fleet_folder.is_empty() { String::new() } else { format!("{fleet_folder}/") };
    let start = start.strip_prefix("./").unwrap_or(start);
    Some(format!("{}{down}{start}{kind}.json", up(folder)))
}

/// What is there most often; of several the first in order.
fn most<'a>(items: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    let most = counts.values().max().copied()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(item, _)| item)
}

/// Puts whole files in the places of others, each at once: whoever follows the files reads the one or
/// the other. A full disk is noticed before the first of them, and leaves the old ones.
fn replace(files: &BTreeMap<PathBuf, &[u8]>) -> Result<(), (PathBuf, io::Error)> {
    let mut ready: Vec<(PathBuf, &PathBuf)> = Vec::new();
    let mut replaced = Ok(());
    for (path, bytes) in files {
        let new = beside(path);
        replaced = lay(path, &new, bytes).map_err(|error| (path.clone(), error));
        ready.push((new, path));
        if replaced.is_err() {
            break;
        }
    }
    for (new, path) in &ready {
        if replaced.is_ok() {
            replaced = fs::rename(new, path).map_err(|error| ((*path).clone(), error));
        }
        if replaced.is_err() {
            // The reason is told; what is left behind is no document.
            let _ = fs::remove_file(new);
        }
    }
    replaced
}

/// Where a file lies until it takes the place of another.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new"))
}

fn lay(path: &Path, new: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    fs::write(new, bytes)?;
    match fs::metadata(path) {
        Ok(old) => fs::set_permissions(new, old.permissions()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::settings::Flags;

    const FLEET: &str = "apiVersion: driftless.dev/v1\nkind: Fleet\nmetadata: { name: a }\n\
        spec: { cloud: simulated, regions: [eu-central-1] }\n";

    #[derive(clap::Parser)]
    #[command(disable_help_flag = true)]
    struct Line {
        #[command(flatten)]
        flags: Flags,
    }

    fn settings(folder: &Path) -> Settings {
        let folder = folder.display().to_string();
        let line = Line::try_parse_from(["driftless", "--fleet", &folder]).expect("parsed");
        Settings::of(line.flags).expect("settings")
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("readable");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<String> =
            entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_first_of_a_kind_finds_its_schema_beside_that_of_the_fleet() {
        let beside = |place, fleet, folder| schema_beside(place, fleet, "service", folder);
        let line = |text: &str| Some(text.to_owned());
        let path = "../schema/fleet.json";
        assert_eq!(beside(path, "", "services/a"), line("../../../schema/service.json"));
        assert_eq!(beside(path, "", ""), line("../schema/service.json"));
        assert_eq!(beside("./fleet.json", "f", "s"), line("../f/service.json"));
        let far = "https://a.example/fleet.json";
        assert_eq!(beside(far, "", "services/a"), line("https://a.example/service.json"));
        assert_eq!(beside("other.json", "", "services/a"), None);

        let folder = tempfile::tempdir().expect("a folder");
        let text = format!("{SCHEMA_LINE}{path}\n{FLEET}");
        fs::write(folder.path().join("fleet.yaml"), text).expect("written");
        let settings = settings(folder.path());
        let desk = Desk::open(&settings).expect("read");
        let said = line("# yaml-language-server: $schema=../../schema/tenant.json");
        assert_eq!(desk.tenant_schema_line("tenants"), said);
    }

    #[test]
    fn what_somebody_else_changed_meanwhile_is_not_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("fleet.yaml");
        fs::write(&file, FLEET).expect("written");
        let settings = settings(folder.path());
        let desk = Desk::open(&settings).expect("read");
        let theirs = format!("# theirs\n{FLEET}");
        fs::write(&file, &theirs).expect("written");
        let refused = desk.write("fleet.yaml", FLEET).err().expect("refused");
        assert!(refused.what.ends_with("was changed meanwhile, so nothing is written"));
        assert_eq!(fs::read_to_string(&file).expect("readable"), theirs);
        let desk = Desk::open(&settings).expect("read");
        desk.write("fleet.yaml", FLEET).expect("written");
        assert_eq!(fs::read_to_string(&file).expect("readable"), FLEET);
        assert_eq!(names(folder.path()), ["fleet.yaml"]);
    }

    #[test]
    fn a_file_that_cannot_be_written_stays_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("fleet.yaml"), FLEET).expect("written");
        let settings = settings(folder.path());
        let desk = Desk::open(&settings).expect("read");
        // A folder is in the way of the new file.
        fs::create_dir(folder.path().join("new.yaml")).expect("made");
        let refused = desk.write("new.yaml", "# nothing\n").err().expect("refused");
        assert!(refused.what.starts_with("cannot write `"), "{refused:?}");
        assert!(!refused.causes.is_empty());
        assert_eq!(names(folder.path()), ["fleet.yaml", "new.yaml"]);
    }
}
