//! The files of a folder as they lie. Its revision is a fingerprint of paths, sizes and times, so that
//! looking whether anything changed does not read the files.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use git2::{ObjectType, Oid};

use crate::git::error::GitError;
use crate::git::tally::{Tally, is_left_out};
use crate::ids::{Digest, Revision};
use crate::snapshot::{ContentId, Entry, MAX_FILES, Snapshot};

/// How often files that change while they are read are read again: saving a file takes less than the
/// first two, and a checkout of thousands of files must say so instead of keeping us busy.
const ATTEMPTS: usize = 3;

/// The file that marks a folder of build results, such as cargo's `target`:
/// <https://bford.info/cachedir/>.
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
    modified: Option<SystemTime>,
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
            let modified = metadata.modified().ok();
            let since_epoch = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let nanos = since_epoch.unwrap_or_default().as_nanos();
            text.push_str(&format!("{path}\0{} {nanos}\n", metadata.len()));
        }
        let digest = Digest::of(text.as_bytes()).to_string();
        Revision::of(&format!("{}-{}", self.kind, digest.get(..16).unwrap_or(&digest)))
    }

    fn entries(
        &self,
        listing: BTreeMap<String, Metadata>,
    ) -> Result<BTreeMap<String, Entry>, GitError> {
        let mut tally = Tally::of(&self.root);
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
        let state = State { bytes: metadata.len(), modified: metadata.modified().ok() };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((id, _)) = known.get(at).filter(|(_, before)| *before == state) {
            return Ok(*id);
        }
        let id = Oid::hash_file(ObjectType::Blob, at).map_err(|error| GitError::Unreadable {
            path: at.to_owned(),
            source: std::io::Error::other(error),
        })?;
        let id = ContentId::try_from(id.as_bytes())
            .map_err(|()| GitError::OtherHash { path: at.to_owned() })?;
        known.insert(at.to_owned(), (id, state));
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
                if !is_left_out(&name) && !at.join(CACHE_MARK).exists() {
                    self.list(&at, &format!("{prefix}{name}/"), listing)?;
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
