//! Why a repository could not be fetched, told apart by what git says, with what a person can do.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Characters of what git said; the rest is its advice.
const MOST_SHOWN: usize = 500;

/// What git says below every error, and to a person at a terminal.
const ADVICE: &[&str] = &[
    "hint:",
    "fatal: Could not read from remote repository.",
    "Please make sure you have the correct access rights",
    "and the repository exists.",
];

/// Why nothing was fetched. What was fetched before stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is no program to fetch with.
    #[error(
        "the program `{program}` cannot be started: install git (2.31 or newer), which fetches \
         what --fleet names by a URL"
    )]
    NoGit {
        /// What was to be started.
        program: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The network, or whoever should answer.
    #[error(
        "`{url}` cannot be reached: see that the address is right and the network lets it through"
    )]
    Unreachable {
        /// Where.
        url: String,
        /// What git says.
        source: Said,
    },
    /// Nobody proved who we are, or whoever we are may not read it.
    #[error(
        "`{url}` refuses our credentials, or there are none: give git a credential helper, or the \
         ssh agent a key, that may read it"
    )]
    Refused {
        /// Where.
        url: String,
        /// What git says.
        source: Said,
    },
    /// ssh does not know the host, or knows another key of it.
    #[error(
        "ssh does not know the host of `{url}`, or knows it by another key: put its key into \
         known_hosts once you have compared it"
    )]
    UnknownHost {
        /// Where.
        url: String,
        /// What git says.
        source: Said,
    },
    /// It has moved, and whoever names the new place may read a token of ours.
    #[error(
        "`{url}` sends us elsewhere, where a token of an address is not taken: name the address \
         where the repository is now"
    )]
    Moved {
        /// Where.
        url: String,
        /// What git says.
        source: Said,
    },
    /// There is no repository, or none that these credentials may see.
    #[error(
        "`{url}` is no repository, or none that our credentials may see: see that the address is \
         right"
    )]
    NoRepository {
        /// Where.
        url: String,
        /// What git says.
        source: Said,
    },
    /// The branch is not there.
    #[error("`{url}` has no branch `{branch}`: push it, or name another with --branch")]
    NoBranch {
        /// Where.
        url: String,
        /// The branch that is followed.
        branch: String,
    },
    /// The repository has no default branch with a commit.
    #[error(
        "`{url}` has no commit on its default branch: push one, or name a branch with --branch"
    )]
    NoCommit {
        /// Where.
        url: String,
    },
    /// The other side is a shallow clone itself.
    #[error(
        "`{url}` is a shallow clone, which has no whole history: name the repository that it was \
         cloned from, or run `git fetch --unshallow` there"
    )]
    Shallow {
        /// Where.
        url: String,
    },
    /// It was ended.
    #[error(
        "`{url}` was not fetched within {} seconds, and git was ended: see what hangs with \
         `git ls-remote`",
        limit.as_secs()
    )]
    TooSlow {
        /// Where.
        url: String,
        /// How long it may take.
        limit: Duration,
    },
    /// It was ended.
    #[error(
        "`{url}` is larger than {limit} bytes, and git was ended: keep the fleet in a repository of \
         its own"
    )]
    TooLarge {
        /// Where.
        url: String,
        /// How large the clone may be.
        limit: u64,
    },
    /// Another process fetches the same, and does not end.
    #[error(
        "the clone `{path}` is held by another process for longer than a fetch may take: see which \
         driftless does not end"
    )]
    Held {
        /// The file that it has locked.
        path: PathBuf,
    },
    /// The controller stops.
    #[error("`{url}` was not fetched because driftless stops: start it again")]
    Stopped {
        /// Where.
        url: String,
    },
    /// Our own clone cannot be written.
    #[error(
        "cannot write the clone `{path}`: see that this user may write there and the disk has room"
    )]
    Disk {
        /// The clone, or what lies beside it.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Our own clone cannot be made.
    #[error(
        "cannot make the clone `{path}`: see that this user may write there and the disk has room"
    )]
    NotMade {
        /// The clone.
        path: PathBuf,
        /// What libgit2 says.
        source: git2::Error,
    },
    /// Something else.
    #[error("`{url}` cannot be fetched: see what `git ls-remote` says of it")]
    Other {
        /// Where.
        url: String,
        /// What git says.
        source: Said,
    },
}

/// What git said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Said(String);

/// What git says of each kind of failure, in lower case; the first that fits counts.
const WORDS: &[(Kind, &[&str])] = &[
    (Kind::Branch, &["couldn't find remote ref"]),
    (Kind::Shallow, &["shallow update not allowed"]),
    (Kind::UnknownHost, &["host key verification failed", "host identification has changed"]),
    (
        Kind::Refused,
        &[
            "permission denied (",
            "authentication failed",
            "could not read username",
            "could not read password",
            "unable to get password",
            "terminal prompts disabled",
            "invalid username or",
            "http basic: access denied",
            "returned error: 401",
            "returned error: 403",
            "too many authentication failures",
        ],
    ),
    (Kind::Moved, &["returned error: 3"]),
    (
        Kind::Unreachable,
        &[
            "could not resolve host",
            "could not connect",
            "couldn't connect",
            "failed to connect",
            "unable to connect",
            "unable to look up",
            "connection refused",
            "connection timed out",
            "connection reset",
            "connection closed",
            "operation timed out",
            "operation too slow",
            "network is unreachable",
            "no route to host",
            "name or service not known",
            "temporary failure in name resolution",
            "early eof",
            "unexpected disconnect",
            "hung up unexpectedly",
            "empty reply from server",
            "returned error: 5",
            "ssl_",
            "ssl certificate",
            "certificate problem",
            "gnutls",
            "tls connect",
        ],
    ),
    (
        Kind::NoRepository,
        &[
            "repository not found",
            "' not found",
            "not valid: is this a git repository",
            "project you were looking for could not be found",
            "does not appear to be a git repository",
            "returned error: 404",
            "not found: did you run git update-server-info",
            "no such file or directory",
            "not exported",
        ],
    ),
];

/// What git says when its own clone is at fault: fetching once more would not help.
const OWN: &[&str] = &[
    "not a git repository: '",
    "corrupt",
    "bad object",
    "bad tree object",
    "missing blob",
    "missing tree",
    "missing commit",
    "loose object",
    "unable to resolve reference",
    "cannot lock ref",
    ".lock'",
    "inflate: ",
    "bad config",
    "invalid index-pack",
    "revision walk setup failed",
    "did not send all necessary objects",
];

/// What stands in a line of the other side.
const THEIRS: &[&str] = &["remote: ", "remote error: ", "upload-pack: "];

#[derive(Clone, Copy, Debug)]
enum Kind {
    Branch,
    Shallow,
    UnknownHost,
    Refused,
    Moved,
    Unreachable,
    NoRepository,
}

impl FetchError {
    /// What git said when it failed, and what of it is shown: without secrets, one of which may be a
    /// word that tells failures apart. `branch` is the followed one, if one was named.
    pub(crate) fn of_words(url: &str, branch: Option<&str>, said: &str, shown: &str) -> Self {
        let lower = said.to_ascii_lowercase();
        let fits = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let (url, source) = (url.to_owned(), Said::of(shown));
        let kind = WORDS.iter().find(|(_, words)| fits(words)).map(|(kind, _)| kind);
        match (kind, branch) {
            (Some(Kind::Branch), Some(branch)) => Self::NoBranch { url, branch: branch.to_owned() },
            (Some(Kind::Branch), None) => Self::NoCommit { url },
            (Some(Kind::Shallow), _) => Self::Shallow { url },
            (Some(Kind::UnknownHost), _) => Self::UnknownHost { url, source },
            (Some(Kind::Refused), _) => Self::Refused { url, source },
            (Some(Kind::Moved), _) => Self::Moved { url, source },
            (Some(Kind::Unreachable), _) => Self::Unreachable { url, source },
            (Some(Kind::NoRepository), _) => Self::NoRepository { url, source },
            (None, _) => Self::Other { url, source },
        }
    }

    /// Whether our own clone is at fault, by what git said: it names files of it, or what it misses.
    /// The other side may be damaged as well, and says so in the same words.
    pub(crate) fn is_own_fault(said: &str, clone: &Path) -> bool {
        let clone = clone.display().to_string();
        said.lines().filter(|line| !THEIRS.iter().any(|word| line.contains(word))).any(|line| {
            let lower = line.to_ascii_lowercase();
            line.contains(&clone) || OWN.iter().any(|word| lower.contains(word))
        })
    }
}

impl Said {
    /// What matters of it, in one line.
    pub(crate) fn of(said: &str) -> Self {
        let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
        let is_advice = |line: &str| ADVICE.iter().any(|advice| line.starts_with(advice));
        let lines: Vec<&str> = lines.filter(|line| !is_advice(line)).collect();
        let text = lines.join("; ");
        let skipped = text.chars().count().saturating_sub(MOST_SHOWN);
        Self(match skipped {
            0 => text,
            _ => format!("... {}", text.chars().skip(skipped).collect::<String>()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_is_told_apart() {
        let of = |said: &str| FetchError::of_words("https://host/x", Some("main"), said, said);
        for (said, is) in [
            ("fatal: couldn't find remote ref refs/heads/main", "has no branch `main`"),
            (
                "git@host: Permission denied (publickey).\nfatal: Could not read from remote repository.",
                "refuses our credentials",
            ),
            (
                "fatal: could not read Username for 'https://host': terminal prompts disabled",
                "refuses our",
            ),
            (
                "fatal: unable to access 'https://host/x/': The requested URL returned error: 403",
                "refuses our",
            ),
            (
                "fatal: unable to access 'https://host/x/': Could not resolve host: host",
                "cannot be reached",
            ),
            ("ssh: connect to host h port 22: Connection timed out", "cannot be reached"),
            (
                "Host key verification failed.\nfatal: Could not read from remote repository.",
                "does not know the host",
            ),
            (
                "remote: Repository not found.\nfatal: repository 'https://host/x/' not found",
                "is no repository",
            ),
            ("fatal: repository 'https://host/x/' not found", "is no repository"),
            (
                "fatal: https://host/x/info/refs not valid: is this a git repository?",
                "is no repository",
            ),
            (
                "fatal: unable to access 'https://host/x/': The requested URL returned error: 301",
                "sends us elsewhere",
            ),
            ("fatal: '/x' does not appear to be a git repository", "is no repository"),
            ("! [rejected] main -> main (shallow update not allowed)", "is a shallow clone"),
            ("fatal: the moon is full", "cannot be fetched"),
        ] {
            let error = of(said).to_string();
            assert!(error.contains(is), "{said}: {error}");
        }
        let said = "fatal: 'x' does not appear to be a git repository";
        let user = FetchError::of_words("x", None, said, &said.replace("git", "***"));
        let FetchError::NoRepository { source, .. } = user else { panic!("{user}") };
        assert_eq!(source.to_string(), "fatal: 'x' does not appear to be a *** repository");
        let said = "fatal: couldn't find remote ref HEAD";
        let empty = FetchError::of_words("x", None, said, said);
        assert!(empty.to_string().contains("no commit on its default branch"), "{empty}");
    }

    #[test]
    fn a_fault_of_our_own_clone_is_told_from_one_of_the_other_side() {
        for own in [
            "fatal: not a git repository: '/state/git/0123'",
            "error: cannot lock ref 'refs/heads/main': Unable to create '/x/main.lock': File exists.",
            "error: file /state/git/0123/objects/pack/x.pack is far too short to be a packfile",
            "error: object file objects/ab/cd is empty\nfatal: loose object abcd is corrupt",
        ] {
            assert!(FetchError::is_own_fault(own, Path::new("/state/git/0123")), "{own}");
        }
        for other in [
            "fatal: repository 'https://host/x/' not found",
            "remote: fatal: loose object 45b9 is corrupt\nfatal: protocol error: bad pack header",
            "fatal: git upload-pack: aborting due to possible repository corruption on the remote side.",
            "fatal: remote error: not a git repository: '/srv/x'",
        ] {
            assert!(!FetchError::is_own_fault(other, Path::new("/state/git/0123")), "{other}");
        }
    }

    #[test]
    fn what_is_shown_is_one_line_without_advice() {
        let said = "hint: do this\nfatal: no\n\n  remote: never\nand the repository exists.\n";
        let said = Said::of(said);
        assert_eq!(said.to_string(), "fatal: no; remote: never");
        assert!(Said::of(&"x".repeat(9_999)).to_string().chars().count() < 510);
    }
}
