//! Why a fleet could not be read. Each message says what, where and what to do about it; libgit2's or
//! the system's own words follow as the source.

use std::path::{Path, PathBuf};

use crate::git::fetch_error::{FetchError, Said};
use crate::ids::Revision;
use crate::snapshot::{ContentId, MAX_FILES, MAX_TOTAL_BYTES};

/// Why a revision could not be read. Whoever has a last good revision keeps it.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// Nothing, or a file, lies at the path.
    #[error(
        "there is no folder `{path}`: name the fleet's folder with --fleet, or make one with \
         `driftless init`"
    )]
    NotAFolder {
        /// What was asked for.
        path: PathBuf,
    },
    /// A commit was named where there are no commits.
    #[error(
        "`{path}` is not in a git repository, so it has no revision `{revision}`: leave it out"
    )]
    OutsideGit {
        /// The plain folder.
        path: PathBuf,
        /// The revision asked for.
        revision: String,
    },
    /// Both a commit and the files as they lie were asked for.
    #[error(
        "--worktree reads the files as they lie and @{revision} a commit: leave one of them out"
    )]
    WorktreeWithRevision {
        /// The revision asked for.
        revision: String,
    },
    /// A repository at a URL could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A repository at a URL was never fetched.
    #[error("`{url}` was not fetched yet: see that it can be reached")]
    NeverFetched {
        /// Where it is.
        url: String,
    },
    /// No branch may be called so.
    #[error("`{branch}` is no name of a branch: write it as `git branch` lists it")]
    BadBranch {
        /// What was asked for.
        branch: String,
    },
    /// No folder of a commit may be called so.
    #[error("`{folder}` is no folder of a repository: write --path as seen from its top")]
    BadFolder {
        /// What was asked for.
        folder: PathBuf,
    },
    /// The followed branch has no folder at the fleet's path.
    #[error("`{url}` has no folder `{folder}` at {revision}: name the fleet's folder with --path")]
    RemoteFolderMissing {
        /// Where the repository is.
        url: String,
        /// The fleet folder in it.
        folder: PathBuf,
        /// The commit that was read.
        revision: String,
    },
    /// Signatures are of commits.
    #[error(
        "--verify-signers is for commits, and the files are read as they lie: leave it out, or          name a git repository without --worktree"
    )]
    NothingSigned,
    /// Nobody signed the commit.
    #[error(
        "the commit {} is not signed: sign it (`git commit --amend --gpg-sign`, with          `gpg.format` set to `ssh`), or put a signed commit on top", revision.short()
    )]
    Unsigned {
        /// The commit.
        revision: Revision,
    },
    /// It is signed in a way that is not verified.
    #[error(
        "the commit {} is signed, but not with an SSH key: put a commit on top that is signed          with a key of `{signers}`", revision.short()
    )]
    OtherSignature {
        /// The commit.
        revision: Revision,
        /// The file of those who may sign.
        signers: PathBuf,
    },
    /// It is signed by somebody else, or changed since.
    #[error(
        "no key of `{signers}` signed the commit {}: put a commit on top that is signed with one          of them, or add the key to the file", revision.short()
    )]
    UnknownSigner {
        /// The commit.
        revision: Revision,
        /// The file of those who may sign.
        signers: PathBuf,
        /// What git says.
        source: Said,
    },
    /// Nothing can be verified.
    #[error("no signature can be verified: {why}")]
    CannotVerify {
        /// Why, and what to do.
        why: String,
    },
    /// A content is in no object of the repository.
    #[error(
        "the repository `{repository}` no longer has `{path}` as {id}: its history was rewritten or \
         cut, so deploy a later commit"
    )]
    ContentMissing {
        /// Where it lay in the fleet folder.
        path: String,
        /// What was in it.
        id: ContentId,
        /// The repository.
        repository: PathBuf,
        /// libgit2's words.
        source: git2::Error,
    },
    /// A file that is read as it lies is another than when the fleet was read.
    #[error("`{path}` was changed on disk since the fleet was read: it is read again soon")]
    ChangedSince {
        /// Where it lies.
        path: PathBuf,
    },
    /// The branch of `HEAD` has no commit.
    #[error(
        "the repository `{path}` has no commit yet: commit the fleet first, or use --worktree to \
         read the files as they lie"
    )]
    NoCommit {
        /// The repository.
        path: PathBuf,
    },
    /// No commit goes by that name.
    #[error(
        "the repository `{path}` knows no commit `{revision}`: check the name, or fetch it first"
    )]
    UnknownRevision {
        /// The repository.
        path: PathBuf,
        /// The name that was looked up.
        revision: String,
        /// What libgit2 says.
        source: git2::Error,
    },
    /// No commit goes by that name, and the clone does not have the whole history.
    #[error(
        "the clone `{path}` is shallow and has no commit `{revision}`: fetch the whole history, with \
         `git fetch --unshallow`, `fetch-depth: 0` of actions/checkout or `GIT_DEPTH: 0` in GitLab CI"
    )]
    TooShallow {
        /// The repository.
        path: PathBuf,
        /// The name that was looked up.
        revision: String,
        /// What libgit2 says.
        source: git2::Error,
    },
    /// Two commits have no commit in common in what was cloned.
    #[error(
        "the clone `{path}` is shallow: it ends before the commit that {newer} and {older} have in \
         common: fetch the whole history, with `git fetch --unshallow`, `fetch-depth: 0` of \
         actions/checkout or `GIT_DEPTH: 0` in GitLab CI"
    )]
    CutOff {
        /// The repository.
        path: PathBuf,
        /// The later commit.
        newer: String,
        /// The commit that is compared with.
        older: String,
    },
    /// Two commits have no history in common at all.
    #[error(
        "{newer} and {older} of the repository `{path}` have no history in common: name a revision \
         that {newer} comes from"
    )]
    Unrelated {
        /// The repository.
        path: PathBuf,
        /// The later commit.
        newer: String,
        /// The commit that is compared with.
        older: String,
    },
    /// The folder lies in a work tree, but the commit that is followed does not have it.
    #[error(
        "the folder `{folder}` lies in the repository `{path}` but is not committed at {revision}: \
         commit it, or use --worktree to read the files as they lie"
    )]
    NotCommitted {
        /// The repository.
        path: PathBuf,
        /// The fleet folder in it.
        folder: PathBuf,
        /// The commit that was read.
        revision: String,
    },
    /// The commit has something else than a folder at the fleet's path, or nothing.
    #[error(
        "the repository `{path}` has no folder `{folder}` at {revision}: name another revision or \
         folder with --fleet PATH@REV"
    )]
    FolderMissing {
        /// The repository.
        path: PathBuf,
        /// The fleet folder in it.
        folder: PathBuf,
        /// The commit that was read.
        revision: String,
    },
    /// The fleet folder holds no file at all.
    #[error(
        "the fleet folder `{folder}` is empty at {revision}: put the fleet's documents into it"
    )]
    Empty {
        /// The fleet folder.
        folder: PathBuf,
        /// What was read.
        revision: String,
    },
    /// A path that no document could name.
    #[error("the path `{path}` is not UTF-8: rename it")]
    PathNotUtf8 {
        /// The path, with the odd bytes replaced.
        path: String,
    },
    /// A name in a tree that means another folder.
    #[error(
        "the path `{path}` has a name in it that leads elsewhere: no checkout could have it, remove it"
    )]
    BadName {
        /// The path.
        path: String,
    },
    /// A repository whose objects have other names than the content ids that we know.
    #[error("`{path}` does not name its objects by SHA-1: repositories of SHA-256 are not read")]
    OtherHash {
        /// The repository.
        path: PathBuf,
    },
    /// More files than a fleet has.
    #[error(
        "`{folder}` has more than {MAX_FILES} files or folders, the most that is read: point --fleet at the \
         folder that holds only the fleet"
    )]
    TooManyFiles {
        /// The fleet folder.
        folder: PathBuf,
    },
    /// Folders in folders in folders.
    #[error(
        "`{folder}` has more than {most} folders in each other, the most that is read: move what is \
         below them up"
    )]
    TooDeep {
        /// The uppermost of them.
        folder: PathBuf,
        /// How deep they may lie.
        most: usize,
    },
    /// More bytes than a fleet has.
    #[error(
        "the files of `{folder}` have more than {MAX_TOTAL_BYTES} bytes, the most that is read: \
         point --fleet at the folder that holds only the fleet"
    )]
    TooManyBytes {
        /// The fleet folder.
        folder: PathBuf,
    },
    /// git would not trust this repository either.
    #[error(
        "the repository at `{path}` belongs to another user, who could make us run anything: if \
         you trust it, `git config --global --add safe.directory {path}`"
    )]
    ForeignOwner {
        /// The repository, as `safe.directory` wants it.
        path: PathBuf,
        /// What libgit2 says.
        source: git2::Error,
    },
    /// A ref is half written, or an object is missing or corrupt.
    #[error(
        "cannot read {what} of the repository `{path}`: try again, and if it stays, run `git fsck` \
         there"
    )]
    Damaged {
        /// The repository.
        path: PathBuf,
        /// Which ref or object.
        what: String,
        /// What libgit2 says.
        source: git2::Error,
    },
    /// A file or folder could not be read.
    #[error("cannot read `{path}`: see that it exists and that this user may read it")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A pipe, socket or device.
    #[error("`{path}` is neither a file nor a folder nor a link: remove it from the fleet folder")]
    NotAFile {
        /// What lies there.
        path: PathBuf,
    },
    /// The files changed each time while they were read.
    #[error(
        "the files of `{folder}` keep changing while they are read: try again once they are all \
         written"
    )]
    Unsettled {
        /// The fleet folder.
        folder: PathBuf,
    },
    /// A new repository was to be made where one is.
    #[error("`{path}` is a git repository already: commit the files there yourself")]
    AlreadyRepository {
        /// The folder.
        path: PathBuf,
    },
    /// A new repository could not be made.
    #[error("cannot make a git repository in `{path}`: see that this user may write there")]
    NotMade {
        /// The folder.
        path: PathBuf,
        /// What libgit2 says.
        source: git2::Error,
    },
}

impl GitError {
    /// The commit that is refused for its signature; it may be accepted later, when the file of those
    /// who may sign was changed.
    pub fn refused(&self) -> Option<&Revision> {
        let (Self::Unsigned { revision }
        | Self::OtherSignature { revision, .. }
        | Self::UnknownSigner { revision, .. }) = self
        else {
            return None;
        };
        Some(revision)
    }

    /// Whether the commit itself is at fault: reading it once more would say the same.
    pub fn is_of_the_commit(&self) -> bool {
        matches!(
            self,
            Self::RemoteFolderMissing { .. }
                | Self::FolderMissing { .. }
                | Self::NotCommitted { .. }
                | Self::Empty { .. }
                | Self::PathNotUtf8 { .. }
                | Self::BadName { .. }
                | Self::TooManyFiles { .. }
                | Self::TooManyBytes { .. }
                | Self::TooDeep { .. }
        )
    }

    /// What libgit2 said while `what` of the repository at `path` was read.
    pub(crate) fn damaged(
        path: &Path,
        what: impl Into<String>,
    ) -> impl FnOnce(git2::Error) -> Self {
        let (path, what) = (path.to_owned(), what.into());
        move |source| {
            if source.code() == git2::ErrorCode::Owner {
                return Self::ForeignOwner { path, source };
            }
            Self::Damaged { path, what, source }
        }
    }

    /// What the system said about `path`.
    pub(crate) fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Unreadable { path, source }
    }
}
