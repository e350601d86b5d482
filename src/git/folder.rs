//! The files of a folder as they lie. Its revision is a fingerprint of paths, sizes and times, so that
//! looking whether anything changed does not read the files.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use git2::{ObjectType, Oid};

use crate::git::error::GitError;
use crate::git::tally::{Tally, is_left_out};
use crate::ids::{Digest, Revision};
use crate::snapshot::{ContentId, Entry, MAX_FILES, Snapshot};

/// How often files that change while they are read are read again: saving a file takes less than the
/// first two, and a checkout of thousands of files must say so instead of keeping us busy.
const ATTEMPTS: usize = 3;

/// The file that marks a folder of build results, such as cargo's `target`:
/// <https://bford.info/cachedir/>. What is committed is read all the same.
const CACHE_MARK: &str = "CACHEDIR.TAG";

/// A plain folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    /// `folder` or `worktree`: what its revisions start with.
    kind: &'static str,
    /// What is in files that are not read, as long as they do not change.
    known: Arc<Mutex<BTreeMap<PathBuf, (ContentId, State)>>>,
}

/// What tells whether a file was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    bytes: u64,
    /// Nanoseconds since 1970; unknown where the system keeps no times.
    modified: Option<u128>,
    /// Inode, and seconds and nanoseconds of the last change, which nobody can set: a tool that gives
    /// its files fixed times is noticed too.
    changed: Option<(u64, i64, i64)>,
}

impl State {
    fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok();
        let since_epoch = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = since_epoch.map(|time| time.as_nanos());
        #[cfg(unix)]
        let changed = {
            use std::os::unix::fs::MetadataExt;
            Some((metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
        };
        #[cfg(not(unix))]
        let changed = None;
        Self { bytes: metadata.len(), modified, changed }
    }

    /// Whether two of them that are equal mean one content.
    fn tells(&self) -> bool {
        self.modified.is_some() || self.changed.is_some()
    }
}

impl Folder {
    /// The folder `root`, an absolute path, whose revisions start with `kind`.
    pub(crate) fn of(root: PathBuf, kind: &'static str) -> Self {
        Self { root, kind, known: Arc::default() }
    }

    /// Where it is.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A fingerprint of the paths, sizes and times of the files now.
    pub(crate) fn head(&self) -> Result<Revision, GitError> {
        Ok(self.revision(&self.listing()?))
    }

    /// All files, as they were at one fingerprint.
    pub(crate) fn read(&self) -> Result<Snapshot, GitError> {
        for _ in 0..ATTEMPTS {
            let listing = self.listing()?;
            let revision = self.revision(&listing);
            let entries = self.entries(listing);
            // A file that is gone or cut short while it is read is no error if the folder changed.
            if self.head()? == revision {
                return Ok(Snapshot::of(revision, None, entries?));
            }
        }
        Err(GitError::Unsettled { folder: self.root.clone() })
    }

    /// What lies at a path, which must be this still.
    pub(crate) fn content(&self, path: &str, id: &ContentId) -> Result<Arc<[u8]>, GitError> {
        let at = self.root.join(path);
        let bytes = fs::read(&at).map_err(GitError::unreadable(&at))?;
        if ContentId::of(&bytes) != *id {
            return Err(GitError::ChangedSince { path: at });
        }
        Ok(bytes.into())
    }

    fn revision(&self, listing: &BTreeMap<String, Metadata>) -> Revision {
        let mut text = String::new();
        for (path, metadata) in listing {
            let State { bytes, modified, changed } = State::of(metadata);
            let (_, seconds, nanos) = changed.unwrap_or_default();
            let modified = modified.unwrap_or_default();
            text.push_str(&format!("{path}\0{bytes} {modified} {seconds}.{nanos}\n"));
        }
        let digest = Digest::of(text.as_bytes()).to_string();
        Revision::of(&format!("{}-{}", self.kind, digest.get(..16).unwrap_or(&digest)))
    }

    fn entries(
        &self,
        listing: BTreeMap<String, Metadata>,
    ) -> Result<BTreeMap<String, Entry>, GitError> {
        let mut tally = Tally::of(&self.root);
        let is_there = |at: &PathBuf| {
            let path = at.strip_prefix(&self.root).ok().and_then(Path::to_str);
            path.is_some_and(|path| listing.contains_key(path))
        };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).retain(|at, _| is_there(at));
        for (path, metadata) in listing {
            let at = self.root.join(&path);
            if metadata.is_symlink() {
                let to = fs::read_link(&at).map_err(GitError::unreadable(&at))?;
                tally.add(path, Entry::Link(utf8(&to)?))?;
                continue;
            }
            let read = || fs::read(&at).map_err(GitError::unreadable(&at));
            let identify = || self.identified(&at, &metadata);
            tally.add_file(path, metadata.len(), identify, || read().map(Arc::from))?;
        }
        tally.finish(self.kind)
    }

    /// What is in a file that is not read: known, unless the file changed since it was looked into.
    fn identified(&self, at: &Path, metadata: &Metadata) -> Result<ContentId, GitError> {
        let state = State::of(metadata);
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known().get(at).copied();
        if let Some((id, _)) = before.filter(|(_, before)| *before == state && state.tells()) {
            return Ok(id);
        }
        let id = Oid::hash_file(ObjectType::Blob, at).map_err(|error| GitError::Unreadable {
            path: at.to_owned(),
            source: std::io::Error::other(error),
        })?;
        let id = ContentId::try_from(id.as_bytes())
            .map_err(|()| GitError::OtherHash { path: at.to_owned() })?;
        known().insert(at.to_owned(), (id, state));
        Ok(id)
    }

    fn listing(&self) -> Result<BTreeMap<String, Metadata>, GitError> {
        let mut listing = BTreeMap::new();
        if !self.root.is_dir() {
            return Err(GitError::NotAFolder { path: self.root.clone() });
        }
        self.list(&self.root, "", &mut listing)?;
        Ok(listing)
    }

    /// Links are not followed here, so folders cannot be circular.
    fn list(
        &self,
        folder: &Path,
        prefix: &str,
        listing: &mut BTreeMap<String, Metadata>,
    ) -> Result<(), GitError> {
        for entry in fs::read_dir(folder).map_err(GitError::unreadable(folder))? {
            let entry = entry.map_err(GitError::unreadable(folder))?;
            let (name, at) = (entry.file_name(), entry.path());
            let name = utf8(Path::new(&name))
                .map_err(|_| GitError::PathNotUtf8 { path: at.to_string_lossy().into_owned() })?;
            let metadata = entry.metadata().map_err(GitError::unreadable(&at))?;
            if metadata.is_dir() {
                let path = format!("{prefix}{name}");
                if !is_left_out(&path) && !at.join(CACHE_MARK).exists() {
                    self.list(&at, &format!("{path}/"), listing)?;
                }
                continue;
            }
            if !metadata.is_file() && !metadata.is_symlink() {
                return Err(GitError::NotAFile { path: at });
            }
            if listing.len() >= MAX_FILES {
                return Err(GitError::TooManyFiles { folder: self.root.clone() });
            }
            listing.insert(format!("{prefix}{name}"), metadata);
        }
        Ok(())
    }
}

fn utf8(path: &Path) -> Result<String, GitError> {
    match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(GitError::PathNotUtf8 { path: path.to_string_lossy().into_owned() }),
    }
}
