//! The bare clone of a remote repository: made, fetched and, when its disk damaged it, made anew. What
//! was fetched stays readable whatever becomes of the other side.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use git2::{Repository, RepositoryInitOptions};
use tokio::sync::Notify;

use crate::git::address::Address;
use crate::git::committed::{Committed, HEAD};
use crate::git::error::GitError;
use crate::git::fetch_error::{FetchError, Said};
use crate::git::fetching::Fetches;
use crate::git::program::{Bounds, GitProgram, Leash, Ran, SLICE};
use crate::ids::{Digest, Revision};
use crate::report::Origin;

/// Where the default branch of the other side is kept.
const DEFAULT_BRANCH: &str = "refs/remotes/origin/HEAD";
/// Keeps the last accepted commit from being collected after its history was rewritten.
const KEPT: &str = "refs/driftless/accepted";

/// Settings of git for every fetch. Collecting garbage has a time of its own, hooks have none, and a
/// server that sends less than a kilobyte a second for half a minute is not there.
const SETTINGS: &[&str] = &[
    "-c",
    "gc.auto=0",
    "-c",
    "maintenance.auto=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "http.lowSpeedLimit=1000",
    "-c",
    "http.lowSpeedTime=30",
];

/// Newer gits ask no program for a password then, not even the one of `GIT_ASKPASS`.
const NOBODY_TO_ASK: &[&str] = &["-c", "credential.interactive=false"];

/// Nothing but what is named is fetched.
const FETCH: &[&str] = &[
    "fetch",
    "--quiet",
    "--no-tags",
    "--no-prune",
    "--no-write-fetch-head",
    "--no-recurse-submodules",
    "--no-auto-maintenance",
];

/// What git warns of when the other side has no whole history, and leaves our ref as it was.
const SHALLOW: &str = "because shallow roots are not allowed";

/// How long and how large things may become.
#[derive(Clone, Debug)]
pub struct FetchLimits {
    /// How long a fetch may take; it brings the commits of half a minute.
    pub fetch: Duration,
    /// How long the first one may take.
    pub clone: Duration,
    /// How many bytes the clone may have.
    pub bytes: u64,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            fetch: Duration::from_secs(120),
            // At 2 MB a second all of it comes.
            clone: Duration::from_secs(20 * 60),
            // A fleet of 6,000 tenants has 20 MB with a year of history; this is a wrong repository.
            bytes: 2_000_000_000,
        }
    }
}

/// What `--fleet URL --branch B --path P` mean.
#[derive(Clone, Debug)]
pub struct RemoteSettings {
    /// Where the repository is.
    pub address: Address,
    /// The branch that is followed; `None`: the default branch of the repository, whichever it is.
    pub branch: Option<String>,
    /// The fleet folder in the repository; empty for all of it.
    pub folder: PathBuf,
    /// The folder of all clones: each is a folder in it, named by a hash of the address.
    pub clones: PathBuf,
    /// What fetches.
    pub program: GitProgram,
    /// What it may take.
    pub limits: FetchLimits,
}

/// A remote repository and our clone of it.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    settings: Arc<RemoteSettings>,
    clone: PathBuf,
    /// Whether something of the clone could not be read.
    is_suspect: Arc<AtomicBool>,
    /// The commit that could not be read in a clone that was just made: no other clone would help.
    odd: Arc<Mutex<Option<git2::Oid>>>,
    fetches: Arc<Mutex<Fetches>>,
    /// Somebody wants it fetched at once.
    demand: Arc<Notify>,
}

impl Remote {
    /// Nothing is read or fetched yet.
    pub(crate) fn of(mut settings: RemoteSettings) -> Result<Self, GitError> {
        if let Some(branch) = &settings.branch
            && !git2::Reference::is_valid_name(&format!("refs/heads/{branch}"))
        {
            return Err(GitError::BadBranch { branch: branch.clone() });
        }
        let folder = settings.folder.components().filter(|part| *part != Component::CurDir);
        let folder: PathBuf = folder.collect();
        if folder.components().any(|part| !matches!(part, Component::Normal(_))) {
            return Err(GitError::BadFolder { folder });
        }
        settings.folder = folder;
        settings.clones = std::path::absolute(&settings.clones)
            .map_err(GitError::unreadable(&settings.clones))?;
        let name = Digest::of(settings.address.as_str().as_bytes()).short();
        let clone = settings.clones.join(name);
        Ok(Self {
            settings: Arc::new(settings),
            clone,
            is_suspect: Arc::default(),
            odd: Arc::default(),
            fetches: Arc::default(),
            demand: Arc::default(),
        })
    }

    /// The fleet folder at what was fetched last.
    pub(crate) fn committed(&self) -> Committed {
        let RemoteSettings { address, folder, .. } = &*self.settings;
        Committed::of_clone(&self.clone, folder, address.as_str(), &self.fetched_ref())
    }

    /// Where the repository is.
    pub(crate) fn url(&self) -> &str {
        self.settings.address.as_str()
    }

    /// ``the folder `x` of URL at the branch `main` ``
    pub(crate) fn describe(&self) -> String {
        let RemoteSettings { address, branch, folder, .. } = &*self.settings;
        let branch = match branch {
            Some(branch) => format!("the branch `{branch}`"),
            None => "its default branch".to_owned(),
        };
        if folder.as_os_str().is_empty() {
            return format!("{address} at {branch}");
        }
        format!("the folder `{}` of {address} at {branch}", folder.display())
    }

    /// Notes that something of the clone could not be read, for the next fetch to look into.
    pub(crate) fn suspect(&self) {
        self.is_suspect.store(true, Ordering::SeqCst);
    }

    /// Whether something of the clone could not be read.
    pub(crate) fn is_suspect(&self) -> bool {
        self.is_suspect.load(Ordering::SeqCst)
    }

    /// How fetching got on.
    pub(crate) fn fetches(&self) -> MutexGuard<'_, Fetches> {
        self.fetches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Told when somebody wants it fetched at once.
    pub(crate) fn demand(&self) -> &Notify {
        &self.demand
    }

    /// What people are told of it.
    pub(crate) fn origin(&self) -> Origin {
        let Fetches { fetched_at, trouble, .. } = self.fetches().clone();
        Origin { from: self.describe(), fetched_at, trouble }
    }

    /// Keeps an accepted commit for as long as no other is accepted.
    pub(crate) fn keep(&self, revision: &Revision) -> Result<(), git2::Error> {
        let repository = Repository::open_bare(&self.clone)?;
        let id = git2::Oid::from_str(revision.as_str())?;
        repository.reference(KEPT, id, true, "accepted").map(drop)
    }

    /// Brings the clone to what the other side has; makes it when it is missing or damaged. Blocks
    /// for as long as the limits let it, also for another process that fetches the same, and ends
    /// early once the leash is cut.
    pub(crate) fn fetch(&self, leash: &Leash) -> Result<(), FetchError> {
        let _lock = self.lock(leash)?;
        if !self.clone.exists() {
            return self.make(leash);
        }
        let before = self.fetched_id();
        match self.bring(&self.clone, self.settings.limits.fetch, leash)? {
            Brought::All => {}
            Brought::OwnFault(said) => {
                tracing::warn!("the clone of {} is made anew: {said}", self.url());
                return self.make(leash);
            }
        }
        let is_suspect = self.is_suspect.swap(false, Ordering::SeqCst);
        if is_suspect && !self.is_odd() && !self.is_whole() {
            return self.make(leash);
        }
        if self.fetched_id() != before {
            self.tidy(leash);
        }
        Ok(())
    }

    fn fetched_ref(&self) -> String {
        match &self.settings.branch {
            Some(branch) => format!("refs/heads/{branch}"),
            None => DEFAULT_BRANCH.to_owned(),
        }
    }

    fn fetched_id(&self) -> Option<git2::Oid> {
        let repository = Repository::open_bare(&self.clone).ok()?;
        repository.refname_to_id(&self.fetched_ref()).ok()
    }

    fn odd(&self) -> MutexGuard<'_, Option<git2::Oid>> {
        self.odd.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what was fetched cannot be read though its clone was new.
    fn is_odd(&self) -> bool {
        let odd = *self.odd();
        odd.is_some() && odd == self.fetched_id()
    }

    /// Whether the fleet can be read, or is not there for another reason than damage.
    fn is_whole(&self) -> bool {
        !matches!(self.committed().read(HEAD), Err(GitError::Damaged { .. }))
    }

    /// Clones into a folder beside, and puts it in its place once it is whole.
    fn make(&self, leash: &Leash) -> Result<(), FetchError> {
        let beside = |ending: &str| self.clone.with_extension(ending);
        let (new, old) = (beside("new"), beside("old"));
        for left_behind in [&new, &old] {
            removed(left_behind)?;
        }
        let mut options = RepositoryInitOptions::new();
        // Templates of this machine may bring hooks.
        options.bare(true).external_template(false);
        let made = Repository::init_opts(&new, &options);
        made.map_err(|source| FetchError::NotMade { path: new.clone(), source })?;
        match self.bring(&new, self.settings.limits.clone, leash) {
            Ok(Brought::All) => {}
            Ok(Brought::OwnFault(said)) => {
                removed(&new)?;
                let source = io::Error::other(said);
                return Err(FetchError::Disk { path: new, source });
            }
            Err(error) => {
                removed(&new)?;
                return Err(error);
            }
        }
        if self.clone.exists() {
            self.carry_over(&new, leash);
            moved(&self.clone, &old)?;
        }
        moved(&new, &self.clone)?;
        self.is_suspect.store(false, Ordering::SeqCst);
        *self.odd() = self.fetched_id().filter(|_| !self.is_whole());
        removed(&old)
    }

    /// Takes the accepted commit along: the other side may have rewritten its history since, and then
    /// has it no more. What is damaged in the old clone is lost.
    fn carry_over(&self, new: &Path, leash: &Leash) {
        let (old, refspec) = (self.clone.display().to_string(), format!("+{KEPT}:{KEPT}"));
        let mut arguments = [SETTINGS, FETCH].concat();
        arguments.extend(["--", &old, &refspec]);
        let bounds = self.bounds(new, self.settings.limits.clone, leash);
        let ran = self.settings.program.run(new, &arguments, &[], &bounds);
        tracing::debug!(?ran, "took the accepted commit along");
    }

    /// Fetches the one branch into a repository.
    fn bring(
        &self,
        repository: &Path,
        time: Duration,
        leash: &Leash,
    ) -> Result<Brought, FetchError> {
        let RemoteSettings { address, branch, limits, program, .. } = &*self.settings;
        let url = address.as_str();
        let theirs = match branch {
            Some(branch) => format!("refs/heads/{branch}"),
            None => HEAD.to_owned(),
        };
        // A plus takes a history that was rewritten: whether it is followed is decided elsewhere.
        let refspec = format!("+{theirs}:{}", self.fetched_ref());
        let asking = if program.has_askpass { &[] } else { NOBODY_TO_ASK };
        let mut arguments = [SETTINGS, asking, FETCH].concat();
        if repository.join("shallow").exists() {
            arguments.push("--unshallow");
        }
        arguments.extend(["--", url, &refspec]);
        let bounds = self.bounds(repository, time, leash);
        let ran = program.run(repository, &arguments, &address.secret_settings(), &bounds);
        let no_git = |source| FetchError::NoGit { program: program.name.clone(), source };
        let url = url.to_owned();
        match ran.map_err(no_git)? {
            // What descends from what cannot be told without the whole history.
            Ran::Well(said) if said.contains(SHALLOW) => Err(FetchError::Shallow { url }),
            Ran::Well(_) => Ok(Brought::All),
            Ran::Badly(said) if FetchError::is_own_fault(&said, repository) => {
                Ok(Brought::OwnFault(Said::of(&address.redacted(&said))))
            }
            Ran::Badly(said) => {
                let shown = address.redacted(&said);
                Err(FetchError::of_words(&url, branch.as_deref(), &said, &shown))
            }
            Ran::TooLong => Err(FetchError::TooSlow { url, limit: time }),
            Ran::TooLarge => Err(FetchError::TooLarge { url, limit: limits.bytes }),
            Ran::Cut => Err(FetchError::Stopped { url }),
        }
    }

    fn bounds(&self, repository: &Path, time: Duration, leash: &Leash) -> Bounds {
        let folder = Some((repository.to_owned(), self.settings.limits.bytes));
        Bounds { time, folder, leash: leash.clone() }
    }

    /// Packs what many small fetches brought. That it failed shows only in the size of the clone.
    fn tidy(&self, leash: &Leash) {
        let arguments = ["-c", "gc.autoDetach=false", "-c", "core.hooksPath=/dev/null", "gc"];
        let arguments = [arguments.as_slice(), &["--auto", "--quiet"]].concat();
        let bounds = self.bounds(&self.clone, self.settings.limits.clone, leash);
        let ran = self.settings.program.run(&self.clone, &arguments, &[], &bounds);
        tracing::debug!(?ran, "collected the garbage of the clone");
    }

    /// One process fetches a clone at a time; the system gives the lock back when it ends.
    fn lock(&self, leash: &Leash) -> Result<File, FetchError> {
        let path = self.clone.with_extension("lock");
        let disk = |source| FetchError::Disk { path: path.clone(), source };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.settings.clones)
            .map_err(disk)?;
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(disk)?;
        let mut slices = 0_u32;
        while let Err(error) = file.try_lock() {
            match error {
                TryLockError::Error(source) => return Err(disk(source)),
                // Another process may clone.
                TryLockError::WouldBlock if SLICE * slices > self.settings.limits.clone => {
                    return Err(FetchError::Held { path });
                }
                TryLockError::WouldBlock if leash.is_cut() => {
                    return Err(FetchError::Stopped { url: self.url().to_owned() });
                }
                TryLockError::WouldBlock => thread::sleep(SLICE),
            }
            slices += 1;
        }
        Ok(file)
    }
}

/// What became of a fetch that ended.
enum Brought {
    All,
    /// The clone is damaged, or a process that was killed left a lock in it.
    OwnFault(Said),
}

fn removed(path: &Path) -> Result<(), FetchError> {
    match fs::remove_dir_all(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(FetchError::Disk { path: path.to_owned(), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn moved(from: &Path, to: &Path) -> Result<(), FetchError> {
    fs::rename(from, to).map_err(|source| FetchError::Disk { path: from.to_owned(), source })
}
