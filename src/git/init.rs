//! Makes a repository of a folder, with everything in it as the first commit.

use std::path::Path;

use git2::{Config, IndexAddOption, Repository, RepositoryInitOptions, Signature};

use crate::git::error::GitError;
use crate::ids::Revision;

/// The branch where the user's configuration names none.
const BRANCH: &str = "main";

/// `git init`, `git add --all` and `git commit` in `folder`. The author is the one of git's
/// configuration, or else driftless itself. A folder that is a repository already is left alone.
pub fn init_repository(folder: &Path, message: &str) -> Result<Revision, GitError> {
    if folder.join(".git").exists() {
        return Err(GitError::AlreadyRepository { path: folder.to_owned() });
    }
    let id = commit_all(folder, message)
        .map_err(|source| GitError::NotMade { path: folder.to_owned(), source })?;
    Ok(Revision::of(&id.to_string()))
}

fn commit_all(folder: &Path, message: &str) -> Result<git2::Oid, git2::Error> {
    let configured = Config::open_default()?.get_string("init.defaultBranch");
    let branch = configured.ok().filter(|name| !name.is_empty());
    let mut options = RepositoryInitOptions::new();
    options.no_reinit(true).initial_head(branch.as_deref().unwrap_or(BRANCH));
    let repository = Repository::init_opts(folder, &options)?;
    let mut index = repository.index()?;
    index.add_all(["*"], IndexAddOption::DEFAULT, None)?;
    index.write()?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let author = match repository.signature() {
        Ok(configured) => configured,
        Err(_) => Signature::now("driftless", "driftless@localhost")?,
    };
    repository.commit(Some("HEAD"), &author, &author, message, &tree, &[])
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::git::source::{Source, SourceSettings};

    #[test]
    fn a_new_repository_has_everything_but_the_ignored_in_its_first_commit() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("fleet.yaml"), "x").unwrap();
        fs::write(folder.path().join(".gitignore"), "state.db\n").unwrap();
        fs::write(folder.path().join("state.db"), "x").unwrap();
        let revision = init_repository(folder.path(), "a new fleet").unwrap();
        let settings = SourceSettings {
            path: folder.path().to_owned(),
            revision: None,
            worktree: false,
            polled: false,
        };
        let snapshot = Source::open(settings).unwrap().read().unwrap();
        assert_eq!(snapshot.revision, revision);
        let paths: Vec<_> = snapshot.entries().map(|(path, _)| path).collect();
        assert_eq!(paths, [".gitignore", "fleet.yaml"]);
        let repository = Repository::open(folder.path()).unwrap();
        let commit = repository.head().unwrap().peel_to_commit().unwrap();
        assert_eq!(commit.message().unwrap(), "a new fleet");
        assert!(
            repository.statuses(None).unwrap().iter().all(|status| status.status().is_ignored())
        );
    }

    #[test]
    fn a_repository_that_exists_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        Repository::init(folder.path()).unwrap();
        let error = init_repository(folder.path(), "x").expect_err("it exists");
        assert!(error.to_string().contains("is a git repository already"), "{error}");
    }
}
