//! Where the fleet is read from: commits, or files as they lie.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::Clock;
use crate::git::committed::{Committed, HEAD};
use crate::git::error::GitError;
use crate::git::fetch_error::FetchError;
use crate::git::fetching::{Fetching, fetched};
use crate::git::folder::Folder;
use crate::git::program::Leash;
use crate::git::remote::{Remote, RemoteSettings};
use crate::git::signers::{Signers, SignersSettings};
use crate::git::watch::Watch;
use crate::ids::Revision;
use crate::report::Origin;
use crate::snapshot::{ContentId, Snapshot};

/// What fingerprints of files as they lie begin with, in a repository and outside one.
const WORKTREE: &str = "worktree";
const FOLDER: &str = "folder";

/// What `--fleet PATH[@REV]` and `--worktree` mean.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// The fleet folder: in a git work tree, in a bare repository, or outside git.
    pub path: PathBuf,
    /// The commit to read: anything that `git rev-parse` takes. A branch is followed. Default: `HEAD`.
    pub revision: Option<String>,
    /// Read the files as they lie, also in a git work tree.
    pub worktree: bool,
    /// Look once a second only, without asking the system for events: those come at the machine's
    /// time, which is not that of a simulation.
    pub polled: bool,
}

/// What `--fleet` means: a folder of this machine, or a repository that has to be fetched.
#[derive(Clone, Debug)]
pub enum Place {
    /// Read where it lies.
    Here(SourceSettings),
    /// Read from a clone of our own.
    Remote(Box<RemoteSettings>),
}

/// Where the fleet is read from. Every question opens what it needs and can be asked from any thread.
#[derive(Clone, Debug)]
pub struct Source {
    /// The repository around the folder, if there is one: earlier commits can be read also where the
    /// files as they lie are followed.
    committed: Option<Committed>,
    follows: Follows,
    polled: bool,
    remote: Option<Remote>,
    signers: Option<Signers>,
}

#[derive(Clone, Debug)]
enum Follows {
    /// What this name means in the repository.
    Name(Committed, String),
    /// The files as they lie.
    Files(Folder),
}

impl Source {
    /// Finds the repository around the folder. Nothing is read yet, so that `run` can start before
    /// the first commit; but a path that is neither a folder nor in a repository is an error, and so
    /// is a repository that cannot be opened.
    pub fn open(settings: SourceSettings) -> Result<Self, GitError> {
        let SourceSettings { path, revision, worktree, polled } = settings;
        let (existing, missing) = existing_part(&path)?;
        let committed = Committed::around(&existing, &missing)?;
        let on_disk = missing.as_os_str().is_empty();
        let follows = match (&committed, revision) {
            (_, Some(revision)) if worktree => {
                return Err(GitError::WorktreeWithRevision { revision });
            }
            (Some(repository), revision) if !worktree => {
                Follows::Name(repository.clone(), revision.unwrap_or_else(|| HEAD.to_owned()))
            }
            _ if !on_disk => return Err(GitError::NotAFolder { path }),
            (None, Some(revision)) => return Err(GitError::OutsideGit { path, revision }),
            (Some(_), _) => Follows::Files(Folder::of(existing, WORKTREE)),
            (None, None) => Follows::Files(Folder::of(existing, FOLDER)),
        };
        Ok(Self { committed, follows, polled, remote: None, signers: None })
    }

    /// A branch of a remote repository, as it was fetched last. Nothing is fetched yet.
    pub fn remote(settings: RemoteSettings) -> Result<Self, GitError> {
        let remote = Remote::of(settings)?;
        let committed = remote.committed();
        let follows = Follows::Name(committed.clone(), HEAD.to_owned());
        let committed = Some(committed);
        // The clone may be replaced as a whole, which no hint tells.
        Ok(Self { committed, follows, polled: true, remote: Some(remote), signers: None })
    }

    /// The place that `--fleet` names.
    pub fn at(place: Place) -> Result<Self, GitError> {
        match place {
            Place::Here(settings) => Self::open(settings),
            Place::Remote(settings) => Self::remote(*settings),
        }
    }

    /// The same source, of whose commits only those are read that somebody signed who may.
    pub fn signed_by(self, settings: SignersSettings) -> Result<Self, GitError> {
        if !self.follows_git() {
            return Err(GitError::NothingSigned);
        }
        Ok(Self { signers: Some(Signers::of(settings)?), ..self })
    }

    /// Fetches a remote repository; what lies here is always new. Blocks until it is done, within
    /// limits, and leaves what was fetched before when it fails.
    pub fn fetch(&self, clock: &Clock) -> Result<(), FetchError> {
        self.remote.as_ref().map_or(Ok(()), |remote| fetched(remote, clock, &Leash::default()))
    }

    /// Reads like [`read`](Self::read), after a fetch. A damaged clone is made anew.
    pub fn fetch_and_read(&self, clock: &Clock) -> Result<Snapshot, GitError> {
        self.fetch(clock)?;
        let read = self.read();
        if read.is_err() && self.remote.as_ref().is_some_and(Remote::is_suspect) {
            self.fetch(clock)?;
            return self.read();
        }
        read
    }

    /// Fetches a remote repository again and again, beside whoever reads it, until the answer is
    /// dropped; `None` when nothing has to be fetched. `seed` spreads controllers over time.
    pub fn keep_fetching(&self, clock: Clock, seed: &str) -> Option<Fetching> {
        Some(Fetching::begin(self.remote.clone()?, clock, seed))
    }

    /// Has whoever keeps fetching fetch at once.
    pub fn fetch_soon(&self) {
        if let Some(remote) = &self.remote {
            remote.demand().notify_one();
        }
    }

    /// Where a fleet is fetched from and how that gets on; `None` where nothing is fetched.
    pub fn origin(&self) -> Option<Origin> {
        self.remote.as_ref().map(Remote::origin)
    }

    /// Keeps a commit that was accepted, also when its history is rewritten.
    pub fn keep(&self, revision: &Revision) {
        let Some(remote) = &self.remote else { return };
        // Until garbage is collected it is there anyway.
        if let Err(error) = remote.keep(revision) {
            tracing::debug!(%error, revision = revision.short(), "the commit is not kept");
        }
    }

    /// All files of the fleet folder at what is followed, if those who may have signed it.
    pub fn read(&self) -> Result<Snapshot, GitError> {
        let read = match &self.follows {
            Follows::Name(committed, name) => self.read_vouched(committed, name),
            Follows::Files(folder) => folder.read(),
        };
        if let (Err(GitError::Damaged { .. }), Some(remote)) = (&read, &self.remote) {
            remote.suspect();
        }
        read
    }

    fn read_vouched(&self, committed: &Committed, name: &str) -> Result<Snapshot, GitError> {
        let Some(signers) = &self.signers else { return committed.read(name) };
        // The name may point elsewhere by the time it is read.
        let revision = committed.head(name)?;
        signers.vouch(&committed.repository()?, &revision)?;
        committed.read(revision.as_str())
    }

    /// All files at a commit that somebody names, if those who may have signed it, or what is followed
    /// and comes from it.
    pub fn read_named(&self, name: &str) -> Result<Snapshot, GitError> {
        let (Some(signers), Follows::Name(committed, followed)) = (&self.signers, &self.follows)
        else {
            return self.read_at(name);
        };
        let (revision, repository) = (committed.head(name)?, committed.repository()?);
        if let Err(error) = signers.vouch(&repository, &revision) {
            let head = committed.head(followed)?;
            if !committed.is_descendant(&head, &revision)? {
                return Err(error);
            }
            signers.vouch(&repository, &head)?;
        }
        committed.read(revision.as_str())
    }

    /// The same source, which stays at one commit whatever becomes of the name that it followed.
    pub fn staying_at(self, revision: &Revision) -> Self {
        let follows = match self.follows {
            Follows::Name(committed, _) => Follows::Name(committed, revision.as_str().to_owned()),
            files @ Follows::Files(_) => files,
        };
        Self { follows, ..self }
    }

    /// All files of the fleet folder at a commit, named as `git rev-parse` takes it.
    pub fn read_at(&self, revision: &str) -> Result<Snapshot, GitError> {
        match (&self.committed, &self.follows) {
            (Some(committed), _) => committed.read(revision),
            (None, Follows::Name(committed, _)) => committed.read(revision),
            (None, Follows::Files(folder)) => Err(GitError::OutsideGit {
                path: folder.root().to_owned(),
                revision: revision.to_owned(),
            }),
        }
    }

    /// What a file of a snapshot holds, by the path and the content that the snapshot has of it. Of
    /// files as they lie, only as long as they are the same; of commits, as long as the repository has
    /// it, also when no commit does any more.
    pub fn content(&self, path: &str, id: &ContentId) -> Result<Arc<[u8]>, GitError> {
        match (&self.follows, &self.committed) {
            (Follows::Name(committed, _), _) => committed.content(path, id),
            (Follows::Files(folder), None) => folder.content(path, id),
            // An earlier commit may have it where the file was changed since.
            (Follows::Files(folder), Some(committed)) => folder
                .content(path, id)
                .or_else(|error| committed.content(path, id).map_err(|_| error)),
        }
    }

    /// Where the fleet folder lies on this machine; `None` for one that is fetched.
    pub fn on_disk(&self) -> Option<PathBuf> {
        match &self.follows {
            _ if self.remote.is_some() => None,
            Follows::Name(committed, _) => Some(committed.root().join(committed.folder())),
            Follows::Files(folder) => Some(folder.root().to_owned()),
        }
    }

    /// What the followed name points at now: a commit id, or for files as they lie a fingerprint of
    /// their paths, sizes and times. The same revision as of a snapshot read now.
    pub fn head(&self) -> Result<Revision, GitError> {
        match &self.follows {
            Follows::Name(committed, name) => committed.head(name),
            Follows::Files(folder) => folder.head(),
        }
    }

    /// Whether the fleet folder is the same at both revisions, so that nothing needs to be read again.
    pub fn tree_unchanged(&self, a: &Revision, b: &Revision) -> Result<bool, GitError> {
        match &self.follows {
            _ if a == b => Ok(true),
            Follows::Name(committed, _) => committed.tree_unchanged(a, b),
            Follows::Files(_) => Ok(false),
        }
    }

    /// Whether `newer` has `older` in its history. Commits of a rewritten history do not, and neither
    /// does a commit after files that never were committed. Files as they lie have no history, and
    /// whoever points at them means them: they follow everything.
    pub fn is_descendant(&self, newer: &Revision, older: &Revision) -> Result<bool, GitError> {
        match &self.follows {
            Follows::Name(committed, _) => committed.is_descendant(newer, older),
            Follows::Files(_) => Ok(true),
        }
    }

    /// The commit that a name means now, as `git rev-parse` takes it.
    pub fn revision_of(&self, name: &str) -> Result<Revision, GitError> {
        match (&self.committed, &self.follows) {
            (Some(committed), _) => committed.head(name),
            (None, Follows::Name(committed, _)) => committed.head(name),
            (None, Follows::Files(folder)) => Err(GitError::OutsideGit {
                path: folder.root().to_owned(),
                revision: name.to_owned(),
            }),
        }
    }

    /// The newest commit that both have in their history: `older` itself where `newer` comes from it.
    /// Files as they lie come from whatever they are compared with.
    pub fn common(&self, newer: &Revision, older: &Revision) -> Result<Revision, GitError> {
        match &self.committed {
            Some(committed) if !is_of_files(newer) => {
                committed.common(newer.as_str(), older.as_str())
            }
            Some(_) | None => Ok(older.clone()),
        }
    }

    /// So many commits before one, the newest first. Files as they lie have none.
    pub fn before(&self, revision: &Revision, count: usize) -> Result<Vec<Revision>, GitError> {
        match &self.follows {
            Follows::Name(committed, _) => committed.before(revision, count),
            Follows::Files(_) => Ok(Vec::new()),
        }
    }

    /// Starts to notice changes of what is followed.
    pub fn watch(&self) -> Result<Watch, GitError> {
        match &self.follows {
            _ if self.polled => Ok(Watch::by_polling()),
            Follows::Name(committed, _) => Ok(Watch::of_refs(&committed.repository()?)),
            Follows::Files(folder) => Ok(Watch::of_files(folder.root())),
        }
    }

    /// Whether commits are followed rather than files as they lie.
    pub fn follows_git(&self) -> bool {
        matches!(self.follows, Follows::Name(..))
    }

    /// The fleet folder from the top of its repository, empty for all of it; `None` outside of one.
    pub fn folder_in_repository(&self) -> Option<&Path> {
        self.committed.as_ref().map(Committed::folder)
    }

    /// What is read from where, for people: ``the folder `fleet` of the repository `/x` at `HEAD` ``.
    pub fn describe(&self) -> String {
        match &self.follows {
            _ if self.remote.is_some() => {
                self.remote.as_ref().map(Remote::describe).unwrap_or_default()
            }
            Follows::Name(committed, name) => {
                let root = committed.root().display();
                let folder = committed.folder();
                if folder.as_os_str().is_empty() {
                    return format!("the repository `{root}` at `{name}`");
                }
                format!("the folder `{}` of the repository `{root}` at `{name}`", folder.display())
            }
            Follows::Files(folder) => {
                format!("the files in `{}` as they lie", folder.root().display())
            }
        }
    }
}

/// Whether a revision is the fingerprint of files as they lie.
fn is_of_files(revision: &Revision) -> bool {
    [WORKTREE, FOLDER].iter().any(|kind| revision.as_str().starts_with(&format!("{kind}-")))
}

/// The nearest part of `path` that is a folder on disk, without links in it, and the rest: a folder
/// of a commit need not be checked out.
fn existing_part(path: &Path) -> Result<(PathBuf, PathBuf), GitError> {
    let absolute = std::path::absolute(path).map_err(GitError::unreadable(path))?;
    for existing in absolute.ancestors() {
        if existing.is_dir() {
            let missing = absolute.strip_prefix(existing).unwrap_or(Path::new(""));
            let canonical = existing.canonicalize().map_err(GitError::unreadable(existing))?;
            return Ok((canonical, missing.to_owned()));
        }
        if existing.exists() {
            break;
        }
    }
    Err(GitError::NotAFolder { path: path.to_owned() })
}

#[cfg(test)]
mod tests;
