//! A bare repository that is written commit by commit, and that can be broken and mended.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid, Repository as Git, RepositoryInitOptions, Signature, Time};

const BRANCH: &str = "refs/heads/main";
/// No commit can be found under this.
const HALF_WRITTEN: &str = "0123";

/// What can be wrong with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// The folder is not there, as when a disk is.
    Unreachable,
    /// The ref was written half.
    HalfWritten,
    /// The ref names a commit whose objects have not come yet.
    ObjectsMissing,
}

/// A repository on disk.
pub(crate) struct Repository {
    path: PathBuf,
    git: Git,
    tip: Option<Oid>,
    /// Seconds; each commit is a minute after the one before.
    time: i64,
}

impl Repository {
    pub(crate) fn make(path: &Path) -> Self {
        let mut options = RepositoryInitOptions::new();
        options.bare(true).initial_head("main");
        let git = Git::init_opts(path, &options).expect("a repository");
        Self { path: path.to_owned(), git, tip: None, time: 1_795_000_000 }
    }

    /// Commits exactly these files on top of `parent`, or as a history of its own, and moves the
    /// branch there.
    pub(crate) fn commit(&mut self, files: &BTreeMap<String, String>, parent: Option<Oid>) -> Oid {
        // Who pushes finds the repository where it was, or waits until it is.
        self.mend();
        self.time += 60;
        let tree = self.tree(files);
        let tree = self.git.find_tree(tree).expect("a tree");
        let me = Signature::new("ann", "ann@localhost", &Time::new(self.time, 0)).expect("me");
        let parent = parent.map(|id| self.git.find_commit(id).expect("a commit"));
        let parents: Vec<_> = parent.iter().collect();
        let id = self.git.commit(None, &me, &me, "change", &tree, &parents).expect("committed");
        drop((tree, parent));
        self.point_to(id);
        id
    }

    fn tree(&self, files: &BTreeMap<String, String>) -> Oid {
        let mut folders: BTreeMap<&str, Vec<(&str, Oid)>> = BTreeMap::new();
        for (path, text) in files {
            let blob = self.git.odb().expect("objects").write(ObjectType::Blob, text.as_bytes());
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            folders.entry(folder).or_default().push((name, blob.expect("written")));
        }
        let mut root = self.git.treebuilder(None).expect("a tree");
        for (folder, files) in &folders {
            let mut below = self.git.treebuilder(None).expect("a tree");
            let builder = if folder.is_empty() { &mut root } else { &mut below };
            for (name, blob) in files {
                builder.insert(name, *blob, 0o100_644).expect("added");
            }
            if !folder.is_empty() {
                root.insert(folder, below.write().expect("written"), 0o040_000).expect("added");
            }
        }
        root.write().expect("written")
    }

    /// Moves the branch, by force if need be.
    pub(crate) fn point_to(&mut self, id: Oid) {
        self.tip = Some(id);
        self.mend();
    }

    fn branch_file(&self) -> PathBuf {
        self.path.join(BRANCH)
    }

    fn away(&self) -> PathBuf {
        self.path.with_extension("away")
    }

    pub(crate) fn damage(&mut self, damage: Damage) {
        self.mend();
        match damage {
            Damage::Unreachable => fs::rename(&self.path, self.away()).expect("moved"),
            Damage::HalfWritten => fs::write(self.branch_file(), HALF_WRITTEN).expect("written"),
            Damage::ObjectsMissing => {
                let missing = "00000000000000000000000000000000000000aa\n";
                fs::write(self.branch_file(), missing).expect("written");
            }
        }
    }

    /// Makes good whatever damage there is.
    pub(crate) fn mend(&mut self) {
        if self.away().exists() {
            fs::rename(self.away(), &self.path).expect("moved");
        }
        let Some(tip) = self.tip else { return };
        let branch = self.branch_file();
        fs::create_dir_all(branch.parent().expect("a folder")).expect("a folder");
        let temporary = branch.with_extension("lock");
        fs::write(&temporary, format!("{tip}\n")).expect("written");
        fs::rename(temporary, branch).expect("moved");
    }
}
