//! One commit's files below the fleet folder: texts in memory, all else by the id of its content.
//! Following symbolic links never leaves the snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha1::{Digest as _, Sha1};

use crate::ids::Revision;
use crate::moment::Moment;

/// More files than this is not a fleet: 6,000 tenants, and 50 services with 150 functions of 20
/// files each.
pub const MAX_FILES: usize = 200_000;
/// A template of 1 MB is CloudFormation's own limit; nothing that we read may be larger.
pub const MAX_FILE_BYTES: usize = 1_000_000;
/// All texts together; 20,000 documents of 10 KB.
pub const MAX_TOTAL_BYTES: usize = 200_000_000;
/// How many symbolic links may lead to one file, as in Linux's `ELOOP` but closer.
const MAX_LINKS: usize = 8;

/// Endings of the files that are read: documents, templates, and what templates include. All else is
/// code, of which only the content's id is wanted.
const TEXTS: [&str; 8] = [".yaml", ".yml", ".json", ".template", ".tmpl", ".tpl", ".txt", ".cfn"];
/// Endings of files that may be documents.
const DOCUMENTS: [&str; 2] = [".yaml", ".yml"];
/// Folders that other people's code is installed into: their data is not read. Documents are: nobody is
/// to be missed because of the name of a folder.
const INSTALLED: [&str; 2] = ["node_modules", "site-packages"];
/// Names what stays out of the zip of its folder, in the words of `.gitignore`.
pub const IGNORE_FILE: &str = ".driftlessignore";

/// Whether a file is read into the snapshot, by its path alone.
pub fn is_text(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name.to_ascii_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let is_installed = || folders(path).any(|folder| INSTALLED.contains(&folder));
    name == IGNORE_FILE
        || (!is_hidden(path) && (ends(&DOCUMENTS) || (ends(&TEXTS) && !is_installed())))
}

/// Whether a path is in a hidden folder, which belongs to a tool and holds no documents.
pub fn is_hidden(path: &str) -> bool {
    folders(path).any(|folder| folder.starts_with('.'))
}

fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.rsplit_once('/').map_or("", |(folders, _)| folders).split('/')
}

/// The id that git gives to a content: the same in every commit and in files as they lie.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentId([u8; 20]);

impl ContentId {
    /// That of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = Sha1::new();
        hash.update(format!("blob {}\0", bytes.len()));
        hash.update(bytes);
        Self(hash.finalize().into())
    }

    /// Its twenty bytes.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl TryFrom<&[u8]> for ContentId {
    type Error = ();

    /// From its bytes, if they are twenty.
    fn try_from(bytes: &[u8]) -> Result<Self, ()> {
        bytes.try_into().map(Self).map_err(drop)
    }
}

impl TryFrom<String> for ContentId {
    type Error = String;

    /// From the forty digits that git writes.
    fn try_from(text: String) -> Result<Self, String> {
        let mut bytes = [0; 20];
        hex::decode_to_slice(&text, &mut bytes).map_err(|error| format!("`{text}`: {error}"))?;
        Ok(Self(bytes))
    }
}

impl From<ContentId> for String {
    fn from(id: ContentId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A file that was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// What is in it.
    pub id: ContentId,
    /// Its size.
    pub bytes: u64,
}

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A text and its bytes.
    File(Arc<[u8]>),
    /// A file that is no text by its path, or is larger than [`MAX_FILE_BYTES`].
    Unread(Unread),
    /// A symbolic link and where it points, relative to its own folder.
    Link(String),
    /// A git submodule: its files are in another repository.
    Submodule,
}

/// Why a path of the snapshot could not be read; the message is a whole sentence with the fix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// The files of one revision. Paths are relative to the fleet folder, with `/` between parts.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What was read.
    pub revision: Revision,
    /// When it was committed; unknown outside git.
    pub committed_at: Option<Moment>,
    /// Shared: a snapshot is kept beside the next one, to compare.
    entries: Arc<BTreeMap<String, Entry>>,
}

impl Snapshot {
    /// A snapshot of these entries by path.
    pub fn of(
        revision: Revision,
        committed_at: Option<Moment>,
        entries: BTreeMap<String, Entry>,
    ) -> Self {
        Self { revision, committed_at, entries: Arc::new(entries) }
    }

    /// All entries in the order of their paths.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// The paths at which something else lies than in another snapshot, or in one of both nothing.
    pub fn differing(&self, other: &Self) -> BTreeSet<String> {
        let missing = |one: &Self, two: &Self| {
            let missing = one.entries.iter().filter(|(path, entry)| two.entry(path) != Some(entry));
            missing.map(|(path, _)| path.clone()).collect::<BTreeSet<_>>()
        };
        if Arc::ptr_eq(&self.entries, &other.entries) {
            return BTreeSet::new();
        }
        missing(self, other).into_iter().chain(missing(other, self)).collect()
    }

    /// What lies at a path itself.
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// All entries below a folder, in the order of their paths; the whole fleet is an empty one.
    pub fn below(&self, folder: &str) -> impl Iterator<Item = (&str, &Entry)> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let from = self.entries.range(prefix.clone()..);
        from.take_while(move |(path, _)| path.starts_with(&prefix))
            .map(|(path, entry)| (path.as_str(), entry))
    }

    /// The bytes at `path`, through links.
    pub fn read(&self, path: &str) -> Result<&Arc<[u8]>, Unreadable> {
        let mut at = path.to_owned();
        for _ in 0..=MAX_LINKS {
            match self.entries.get(&at) {
                Some(Entry::File(bytes)) => return Ok(bytes),
                Some(Entry::Link(to)) => {
                    at = join(&at, to).ok_or_else(|| {
                        Unreadable(format!(
                            "`{path}` links to `{to}`, outside the fleet folder: copy the file into it"
                        ))
                    })?;
                }
                Some(Entry::Unread(unread)) => return Err(not_read(&at, unread.bytes)),
                Some(Entry::Submodule) => return Err(in_submodule(&at)),
                None => return Err(self.missing(path, &at)),
            }
        }
        Err(Unreadable(format!(
            "`{path}` leads through more than {MAX_LINKS} links: remove a loop"
        )))
    }

    fn missing(&self, path: &str, at: &str) -> Unreadable {
        let submodule = self.entries.iter().find(|(folder, entry)| {
            **entry == Entry::Submodule && at.starts_with(&format!("{folder}/"))
        });
        match submodule {
            Some((folder, _)) => in_submodule(folder),
            None if path == at => Unreadable(format!("there is no file `{path}` in this revision")),
            None => Unreadable(format!("`{path}` links to `{at}`, which is not in this revision")),
        }
    }
}

fn not_read(at: &str, bytes: u64) -> Unreadable {
    if is_text(at) {
        return Unreadable(format!(
            "`{at}` has {bytes} bytes; {MAX_FILE_BYTES} is the most that is read"
        ));
    }
    Unreadable(format!(
        "`{at}` is taken for code by its name, and not read: call it `.yaml`, `.json` or `.template`, \
         in a folder that is not hidden"
    ))
}

fn in_submodule(folder: &str) -> Unreadable {
    Unreadable(format!(
        "`{folder}` is a git submodule, whose files are not read: copy them into the fleet folder"
    ))
}

/// The path `to`, seen from the folder that holds `from`; `None` where it leaves the snapshot.
pub fn join(from: &str, to: &str) -> Option<String> {
    if to.starts_with('/') {
        return None;
    }
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in to.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(entries: &[(&str, Entry)]) -> Snapshot {
        let entries = entries.iter().map(|(path, entry)| ((*path).to_owned(), entry.clone()));
        Snapshot::of(Revision::of("folder"), None, entries.collect())
    }

    fn file(text: &str) -> Entry {
        Entry::File(text.as_bytes().into())
    }

    #[test]
    fn links_are_followed_inside_the_snapshot_only() {
        let snapshot = snapshot(&[
            ("shared/t.yaml", file("x")),
            ("a/t.yaml", Entry::Link("../shared/t.yaml".into())),
            ("a/out.yaml", Entry::Link("../../etc/passwd".into())),
            ("a/absolute.yaml", Entry::Link("/etc/passwd".into())),
            ("a/loop.yaml", Entry::Link("loop.yaml".into())),
        ]);
        assert_eq!(snapshot.read("a/t.yaml").map(|bytes| bytes.to_vec()), Ok(b"x".to_vec()));
        for (path, why) in [
            ("a/out.yaml", "outside the fleet folder"),
            ("a/absolute.yaml", "outside the fleet folder"),
            ("a/loop.yaml", "remove a loop"),
            ("a/nothing.yaml", "no file"),
        ] {
            let error = snapshot.read(path).expect_err(path);
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn documents_are_read_wherever_they_lie_but_in_hidden_folders() {
        for (path, is_read) in [
            ("a/node_modules/x/tenant.yaml", true),
            ("a/site-packages/t.yml", true),
            ("a/node_modules/x/package.json", false),
            ("a/package.json", true),
            ("a/.b/tenant.yaml", false),
            ("a/.b/.driftlessignore", true),
            ("a/T.YAML", true),
            ("a/app.py", false),
        ] {
            assert_eq!(is_text(path), is_read, "{path}");
        }
    }

    #[test]
    fn a_submodule_is_named_where_its_files_are_missed() {
        let snapshot = snapshot(&[("vendor", Entry::Submodule)]);
        let error = snapshot.read("vendor/t.yaml").expect_err("not there");
        assert!(error.to_string().contains("`vendor` is a git submodule"), "{error}");
    }
}
