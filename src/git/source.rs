//! Where the fleet is read from: commits, or files as they lie.

use std::path::{Path, PathBuf};

use crate::git::committed::{Committed, HEAD};
use crate::git::error::GitError;
use crate::git::folder::Folder;
use crate::git::watch::Watch;
use crate::ids::Revision;
use crate::snapshot::Snapshot;

/// What `--fleet PATH[@REV]` and `--worktree` mean.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// The fleet folder: in a git work tree, in a bare repository, or outside git.
    pub path: PathBuf,
    /// The commit to read: anything that `git rev-parse` takes. A branch is followed. Default: `HEAD`.
    pub revision: Option<String>,
    /// Read the files as they lie, also in a git work tree.
    pub worktree: bool,
}

/// Where the fleet is read from. Every question opens what it needs and can be asked from any thread.
#[derive(Clone, Debug)]
pub struct Source {
    /// The repository around the folder, if there is one: earlier commits can be read also where the
    /// files as they lie are followed.
    committed: Option<Committed>,
    follows: Follows,
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
        let SourceSettings { path, revision, worktree } = settings;
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
            (Some(_), _) => Follows::Files(Folder::of(existing, "worktree")),
            (None, None) => Follows::Files(Folder::of(existing, "folder")),
        };
        Ok(Self { committed, follows })
    }

    /// All files of the fleet folder at what is followed.
    pub fn read(&self) -> Result<Snapshot, GitError> {
        match &self.follows {
            Follows::Name(committed, name) => committed.read(name),
            Follows::Files(folder) => folder.read(),
        }
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

    /// Starts to notice changes of what is followed.
    pub fn watch(&self) -> Result<Watch, GitError> {
        match &self.follows {
            Follows::Name(committed, _) => Ok(Watch::of_refs(&committed.repository()?)),
            Follows::Files(folder) => Ok(Watch::of_files(folder.root())),
        }
    }

    /// Whether commits are followed rather than files as they lie.
    pub fn follows_git(&self) -> bool {
        matches!(self.follows, Follows::Name(..))
    }

    /// What is read from where, for people: ``the folder `fleet` of the repository `/x` at `HEAD` ``.
    pub fn describe(&self) -> String {
        match &self.follows {
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
