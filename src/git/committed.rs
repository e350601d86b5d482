//! Commits of a local repository, read without a checkout. A name is resolved to one commit id first
//! and everything is read from that commit's tree, so that a ref may move meanwhile.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use git2::{Commit, ErrorCode, Odb, Oid, Repository, Tree, TreeEntry};

use crate::git::error::GitError;
use crate::git::tally::{Tally, is_left_out};
use crate::ids::Revision;
use crate::moment::Moment;
use crate::snapshot::{ContentId, Entry, Snapshot, Unread, is_text};

/// What git calls the commit that is checked out.
pub(crate) const HEAD: &str = "HEAD";

// Modes of tree entries, as git defines them; every other mode is a file.
const MODE_TREE: i32 = 0o040_000;
const MODE_LINK: i32 = 0o120_000;
const MODE_SUBMODULE: i32 = 0o160_000;
/// The longest path that a link can name on Linux; git takes any file for one.
const MAX_LINK_BYTES: usize = 4_096;

/// What is known of a file's content.
#[derive(Clone, Debug)]
enum Known {
    /// A text.
    Text(Arc<[u8]>),
    /// The size of what is not read.
    Size(u64),
}

/// Contents by the id that git gives to exactly them.
type Blobs = BTreeMap<Oid, Known>;

/// A folder of a repository. The repository is opened for each question but where a name points, which
/// is asked every second: that sees what other processes wrote, and can be asked from any thread.
#[derive(Clone, Debug)]
pub(crate) struct Committed {
    /// The work tree, or the bare repository.
    root: PathBuf,
    /// The fleet folder below it; empty for the whole repository.
    folder: PathBuf,
    /// The files of the last snapshot: the next one shares nearly all of them, and opening thousands
    /// of loose objects again is what takes time.
    last: Arc<Mutex<Blobs>>,
    opened: Opened,
    clone_of: Option<CloneOf>,
}

/// What a clone of ours stands for.
#[derive(Clone, Debug)]
struct CloneOf {
    /// Where it was fetched from.
    url: String,
    /// The ref that was fetched: its `HEAD`.
    followed: String,
}

/// A repository that stays open between two questions.
#[derive(Clone, Default)]
struct Opened(Arc<Mutex<Option<Repository>>>);

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened")
    }
}

impl Committed {
    /// The repository around `path`, an existing folder; `None` outside git. `missing` is a part of
    /// the path below it that does not exist on disk, and may in a commit.
    pub(crate) fn around(path: &Path, missing: &Path) -> Result<Option<Self>, GitError> {
        let repository = match Repository::discover(path) {
            Ok(repository) => repository,
            // A damaged repository is "not found" as well, and must not be read as a plain folder.
            Err(error) if error.code() == ErrorCode::NotFound => {
                return match path.ancestors().find(|folder| folder.join(".git").exists()) {
                    None => Ok(None),
                    Some(root) => Err(GitError::damaged(root, "`.git`")(error)),
                };
            }
            Err(error) => return Err(GitError::damaged(path, "`.git`")(error)),
        };
        let root = repository.workdir().unwrap_or_else(|| repository.path());
        let root = root.canonicalize().map_err(GitError::unreadable(root))?;
        let folder = match path.strip_prefix(&root) {
            Ok(below) => below.join(missing),
            Err(_) => return Err(GitError::NotAFolder { path: path.join(missing) }),
        };
        // Joining nothing leaves a slash at the end, which git's trees do not know.
        let folder = folder.components().collect();
        Ok(Some(Self::at(root, folder, None)))
    }

    /// A folder of a bare clone, which need not be there yet. In it `HEAD` is the ref that was
    /// fetched, and errors name the address that it was fetched from.
    pub(crate) fn of_clone(root: &Path, folder: &Path, url: &str, followed: &str) -> Self {
        let clone_of = CloneOf { url: url.to_owned(), followed: followed.to_owned() };
        Self::at(root.to_owned(), folder.to_owned(), Some(clone_of))
    }

    fn at(root: PathBuf, folder: PathBuf, clone_of: Option<CloneOf>) -> Self {
        Self { root, folder, last: Arc::default(), opened: Opened::default(), clone_of }
    }

    /// The work tree, or the bare repository.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The fleet folder below the root; empty for the whole repository.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The repository, as it is now.
    pub(crate) fn repository(&self) -> Result<Repository, GitError> {
        match &self.clone_of {
            Some(CloneOf { url, .. }) if !self.root.exists() => {
                Err(GitError::NeverFetched { url: url.clone() })
            }
            Some(_) | None => {
                Repository::open(&self.root).map_err(GitError::damaged(&self.root, "`.git`"))
            }
        }
    }

    /// What messages call the repository.
    fn called(&self) -> PathBuf {
        self.clone_of.as_ref().map_or_else(|| self.root.clone(), |clone| (&clone.url).into())
    }

    /// The commit that `name` means now.
    pub(crate) fn head(&self, name: &str) -> Result<Revision, GitError> {
        let mut opened = self.opened.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Files of refs are read again each time; only the repository around them is not.
        if let Some(repository) = opened.as_ref()
            && let Ok(commit) = self.commit(repository, name)
        {
            return Ok(Revision::of(&commit.id().to_string()));
        }
        // What is wrong is said of the repository as it is now.
        let repository = opened.insert(self.repository()?);
        let commit = self.commit(repository, name)?;
        Ok(Revision::of(&commit.id().to_string()))
    }

    /// The fleet folder in the commit that `name` means now.
    pub(crate) fn read(&self, name: &str) -> Result<Snapshot, GitError> {
        let repository = self.repository()?;
        let commit = self.commit(&repository, name)?;
        let id = commit.id().to_string();
        let tree = self.tree(&repository, &commit, name)?;
        let odb = repository.odb().map_err(self.damaged("the object database"))?;
        let folder = self.called().join(&self.folder);
        let mut reading = Reading {
            committed: self,
            repository: &repository,
            odb,
            tally: Tally::of(&folder),
            before: self.last.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            now: Blobs::new(),
        };
        reading.tree(&tree, "")?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = reading.now;
        let entries = reading.tally.finish(&id)?;
        let seconds = u64::try_from(commit.time().seconds()).unwrap_or_default();
        let committed_at = Moment::default() + Duration::from_secs(seconds);
        Ok(Snapshot::of(Revision::of(&id), Some(committed_at), entries))
    }

    /// A content of the object database, of whatever commit; `path` is where it is said to lie.
    pub(crate) fn content(&self, path: &str, id: &ContentId) -> Result<Arc<[u8]>, GitError> {
        let what = || format!("the file `{path}`");
        let repository = self.repository()?;
        let odb = repository.odb().map_err(self.damaged("the object database"))?;
        let oid = Oid::from_bytes(id.as_bytes()).map_err(self.damaged(&what()))?;
        match odb.read(oid) {
            Ok(object) => Ok(object.data().into()),
            Err(error) if error.code() == ErrorCode::NotFound => Err(GitError::ContentMissing {
                path: path.to_owned(),
                id: *id,
                repository: self.called(),
                source: error,
            }),
            Err(error) => Err(self.damaged(&what())(error)),
        }
    }

    /// Whether both commits have the very same files in the fleet folder.
    pub(crate) fn tree_unchanged(&self, a: &Revision, b: &Revision) -> Result<bool, GitError> {
        let repository = self.repository()?;
        let tree_id = |revision: &Revision| {
            let commit = self.commit(&repository, revision.as_str())?;
            self.tree(&repository, &commit, revision.as_str()).map(|tree| tree.id())
        };
        Ok(tree_id(a)? == tree_id(b)?)
    }

    /// Whether `newer` is `older` or has it in its history.
    pub(crate) fn is_descendant(
        &self,
        newer: &Revision,
        older: &Revision,
    ) -> Result<bool, GitError> {
        if newer == older {
            return Ok(true);
        }
        let repository = self.repository()?;
        let newer = self.commit(&repository, newer.as_str())?.id();
        // A commit that is gone was rewritten and then collected; the files of a work tree never
        // were in any history.
        let Ok(older) = Oid::from_str(older.as_str()) else { return Ok(false) };
        if repository.find_commit(older).is_err_and(|error| error.code() == ErrorCode::NotFound) {
            return Ok(false);
        }
        repository.graph_descendant_of(newer, older).map_err(self.damaged("the history"))
    }

    /// The newest commit that both have in their history: `older` itself where `newer` comes from it.
    pub(crate) fn common(&self, newer: &str, older: &str) -> Result<Revision, GitError> {
        let repository = self.repository()?;
        let (newer, older) =
            (self.commit(&repository, newer)?.id(), self.commit(&repository, older)?.id());
        let found = repository.merge_base(newer, older);
        let (path, short) =
            (self.called(), |id: Oid| Revision::of(&id.to_string()).short().to_owned());
        match found {
            Ok(id) => Ok(Revision::of(&id.to_string())),
            Err(error) if error.code() == ErrorCode::NotFound => {
                let (newer, older) = (short(newer), short(older));
                Err(if repository.is_shallow() {
                    GitError::CutOff { path, newer, older }
                } else {
                    GitError::Unrelated { path, newer, older }
                })
            }
            Err(error) => Err(self.damaged("the history")(error)),
        }
    }

    /// So many commits before one, the newest first, each the first parent of the one after it.
    pub(crate) fn before(
        &self,
        revision: &Revision,
        count: usize,
    ) -> Result<Vec<Revision>, GitError> {
        let repository = self.repository()?;
        let commit = self.commit(&repository, revision.as_str())?;
        let parents = std::iter::successors(commit.parent(0).ok(), |commit| commit.parent(0).ok());
        Ok(parents.take(count).map(|commit| Revision::of(&commit.id().to_string())).collect())
    }

    fn commit<'r>(&self, repository: &'r Repository, name: &str) -> Result<Commit<'r>, GitError> {
        let head = self.clone_of.as_ref().map(|clone| clone.followed.as_str());
        let fetched = match (head, name.strip_prefix(HEAD)) {
            (Some(followed), Some(rest)) if rest.is_empty() || rest.starts_with(['~', '^']) => {
                Some(format!("{followed}{rest}"))
            }
            (None, Some("")) => return self.commit_of_head(repository),
            (_, _) => None,
        };
        let name = fetched.as_deref().unwrap_or(name);
        let named = |source: git2::Error| {
            let lookup = [ErrorCode::NotFound, ErrorCode::Peel, ErrorCode::InvalidSpec];
            if lookup.contains(&source.code()) || source.code() == ErrorCode::Ambiguous {
                let (path, revision) = (self.called(), name.to_owned());
                if repository.is_shallow() {
                    return GitError::TooShallow { path, revision, source };
                }
                return GitError::UnknownRevision { path, revision, source };
            }
            self.damaged(&format!("`{name}`"))(source)
        };
        let object = repository.revparse_single(name).map_err(named)?;
        object.peel_to_commit().map_err(named)
    }

    fn commit_of_head<'r>(&self, repository: &'r Repository) -> Result<Commit<'r>, GitError> {
        let head = match repository.head() {
            Ok(head) => head,
            Err(error) if error.code() == ErrorCode::UnbornBranch => {
                return Err(GitError::NoCommit { path: self.root.clone() });
            }
            Err(error) => return Err(self.damaged("`HEAD`")(error)),
        };
        head.peel_to_commit().map_err(self.damaged("the commit of `HEAD`"))
    }

    fn tree<'r>(
        &self,
        repository: &'r Repository,
        commit: &Commit<'r>,
        name: &str,
    ) -> Result<Tree<'r>, GitError> {
        let tree = commit.tree().map_err(self.damaged("the files of the commit"))?;
        if self.folder.as_os_str().is_empty() {
            return Ok(tree);
        }
        match tree.get_path(&self.folder) {
            Ok(entry) if entry.filemode() == MODE_TREE => {
                let what = format!("the folder `{}`", self.folder.display());
                repository.find_tree(entry.id()).map_err(self.damaged(&what))
            }
            Ok(_) => Err(self.folder_missing(commit, name)),
            Err(error) if error.code() == ErrorCode::NotFound => {
                Err(self.folder_missing(commit, name))
            }
            Err(error) => Err(self.damaged("the files of the commit")(error)),
        }
    }

    fn folder_missing(&self, commit: &Commit<'_>, name: &str) -> GitError {
        let (path, folder) = (self.root.clone(), self.folder.clone());
        let revision = Revision::of(&commit.id().to_string()).short().to_owned();
        if let Some(CloneOf { url, .. }) = &self.clone_of {
            return GitError::RemoteFolderMissing { url: url.clone(), folder, revision };
        }
        if name == HEAD && self.root.join(&self.folder).is_dir() {
            return GitError::NotCommitted { path, folder, revision };
        }
        GitError::FolderMissing { path, folder, revision }
    }

    fn damaged(&self, what: &str) -> impl FnOnce(git2::Error) -> GitError {
        GitError::damaged(&self.root, what)
    }
}

struct Reading<'a> {
    committed: &'a Committed,
    repository: &'a Repository,
    odb: Odb<'a>,
    tally: Tally<'a>,
    before: Blobs,
    now: Blobs,
}

impl Reading<'_> {
    /// Everything below `tree`, whose paths start with `prefix`. git's own trees cannot be circular,
    /// and the tally bounds how deep and how many they are.
    fn tree(&mut self, tree: &Tree<'_>, prefix: &str) -> Result<(), GitError> {
        for entry in tree {
            let Ok(name) = std::str::from_utf8(entry.name_bytes()) else {
                let name = String::from_utf8_lossy(entry.name_bytes());
                return Err(GitError::PathNotUtf8 { path: format!("{prefix}{name}") });
            };
            // git makes no such names; whoever does means to leave the folder.
            if name.contains('/') || matches!(name, "" | "." | "..") {
                return Err(GitError::BadName { path: format!("{prefix}{name}") });
            }
            self.entry(&entry, format!("{prefix}{name}"))?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &TreeEntry<'_>, path: String) -> Result<(), GitError> {
        match entry.filemode() {
            MODE_TREE if is_left_out(&path) => Ok(()),
            MODE_TREE => {
                self.tally.enter(&path)?;
                let what = format!("the folder `{path}`");
                let tree = self.repository.find_tree(entry.id());
                self.tree(&tree.map_err(self.committed.damaged(&what))?, &format!("{path}/"))
            }
            MODE_SUBMODULE => self.tally.add(path, Entry::Submodule),
            MODE_LINK => {
                let what = format!("the link `{path}`");
                let header = self.odb.read_header(entry.id());
                let (size, _) = header.map_err(self.committed.damaged(&what))?;
                if size > MAX_LINK_BYTES {
                    // It leads out of every folder, so that nobody takes its text for a file.
                    let nowhere = format!("/ ({size} bytes)");
                    return self.tally.add(path, Entry::Link(nowhere));
                }
                let link = self.odb.read(entry.id()).map_err(self.committed.damaged(&what))?;
                match std::str::from_utf8(link.data()) {
                    Ok(to) => self.tally.add(path, Entry::Link(to.to_owned())),
                    Err(_) => Err(GitError::PathNotUtf8 {
                        path: format!("{path} -> {}", String::from_utf8_lossy(link.data())),
                    }),
                }
            }
            _ => self.file(entry.id(), path),
        }
    }

    fn content_id(&self, id: Oid) -> Result<ContentId, GitError> {
        let path = || self.committed.called();
        ContentId::try_from(id.as_bytes()).map_err(|()| GitError::OtherHash { path: path() })
    }

    fn file(&mut self, id: Oid, path: String) -> Result<(), GitError> {
        let content = self.content_id(id);
        match self.before.get(&id).cloned() {
            Some(Known::Text(bytes)) if is_text(&path) => {
                self.now.insert(id, Known::Text(bytes.clone()));
                return self.tally.add_file(path, bytes.len() as u64, || content, || Ok(bytes));
            }
            Some(Known::Size(bytes)) if !is_text(&path) => {
                self.now.insert(id, Known::Size(bytes));
                return self.tally.add(path, Entry::Unread(Unread { id: content?, bytes }));
            }
            Some(_) | None => {}
        }
        let what = format!("the file `{path}`");
        let header = self.odb.read_header(id);
        let (size, _) = header.map_err(self.committed.damaged(&what))?;
        self.now.insert(id, Known::Size(size as u64));
        let (odb, committed, now) = (&self.odb, self.committed, &mut self.now);
        self.tally.add_file(
            path,
            size as u64,
            || content,
            || {
                let object = odb.read(id).map_err(committed.damaged(&what))?;
                let bytes: Arc<[u8]> = object.data().into();
                now.insert(id, Known::Text(bytes.clone()));
                Ok(bytes)
            },
        )
    }
}
