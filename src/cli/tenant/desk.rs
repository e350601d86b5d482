//! The files of the fleet as they lie, and one of them written when the whole fleet is good with it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::Failure;
use crate::cli::opening::drawn;
use crate::cli::render::unknown;
use crate::controller::{Checked, checked};
use crate::fleet::edit::Uneditable;
use crate::fleet::{Documents, Finding, Tenant, load};
use crate::git::{Place, Source, SourceSettings};
use crate::ids::{Revision, TenantName};
use crate::settings::Settings;
use crate::snapshot::{Entry, Snapshot, Unreadable};

/// The files as they lie, and the documents in them.
pub(super) struct Desk<'a> {
    settings: &'a Settings,
    snapshot: Snapshot,
    pub(super) documents: Documents,
    /// What was wrong before anything was edited.
    findings: Vec<Finding>,
}

impl<'a> Desk<'a> {
    /// Reads the files of the fleet's folder, whatever is committed.
    pub(super) fn open(settings: &'a Settings) -> Result<Self, Failure> {
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
    pub(super) fn tenant(&self, name: &TenantName) -> Result<Arc<Tenant>, Failure> {
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
    pub(super) fn text(&self, path: &str) -> Result<String, Failure> {
        let unreadable =
            |error: Unreadable| Failure { what: error.to_string(), ..Failure::default() };
        let bytes = self.snapshot.read(path).map_err(unreadable)?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    /// Whether there is something at a path.
    pub(super) fn has(&self, path: &str) -> bool {
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
    pub(super) fn shown(&self, path: &str) -> String {
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
        let mut entries: BTreeMap<String, Entry> =
            self.snapshot.entries().map(|(path, entry)| (path.to_owned(), entry.clone())).collect();
        let before = entries.insert(path.to_owned(), Entry::File(text.as_bytes().into()));
        let edited = Snapshot::of(Revision::of("edited"), None, entries);
        let checked = checked(&edited);
        if checked.desired.is_none() {
            let errors: Vec<Finding> =
                checked.findings.iter().filter(|finding| finding.is_error()).cloned().collect();
            let drawn = self.drawn(&errors, &edited);
            return Err(Failure::new(
                format!("the fleet would have errors, so nothing is written\n{drawn}"),
                "mend what the findings say: a parameter that lacks a value is given with `--parameter NAME=VALUE`",
            ));
        }
        let at = self.at(path);
        let lies = fs::read(&at).ok();
        let known = match &before {
            Some(Entry::File(bytes)) => Some(bytes.to_vec()),
            Some(Entry::TooLarge(_) | Entry::Link(_) | Entry::Submodule) | None => None,
        };
        if lies != known {
            let what = format!("`{}` was changed meanwhile, so nothing is written", at.display());
            return Err(Failure::new(what, "run it again"));
        }
        replace(&at, text.as_bytes()).map_err(|source| Failure {
            causes: vec![source.to_string()],
            ..Failure::new(
                format!("cannot write `{}`", at.display()),
                "see that this user may write there and that the disk has room",
            )
        })?;
        self.tell_new_warnings(&checked, &edited)?;
        Ok(checked)
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

/// Puts a whole file in the place of another at once: whoever follows the files reads the one or the
/// other, and a full disk leaves the old one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.join(format!(".{name}.new"));
    let written = fs::write(&new, bytes)
        .and_then(|()| match fs::metadata(path) {
            Ok(old) => fs::set_permissions(&new, old.permissions()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        })
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // The reason is told; what is left behind is no document.
        let _ = fs::remove_file(&new);
    }
    written
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
