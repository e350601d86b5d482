//! Notices that a ref or a file changed. Events are hints, which may be lost or come for nothing;
//! looking at every [`POLL_PERIOD`] is the truth, also where no events come at all.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::Repository;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};

use crate::git::tally::is_left_out;

/// How often the ref is looked at without a hint: a merge starts within a second also on file
/// systems that send no events. A look at a ref takes less than a millisecond.
pub const POLL_PERIOD: Duration = Duration::from_secs(1);

/// A hint is passed on once no other followed for this long: git moves a ref in several steps.
const QUIET: Duration = Duration::from_millis(50);

/// A hint waits no longer than this for quiet.
const LONGEST_DEBOUNCE: Duration = Duration::from_millis(300);

/// Tells when to ask [`Source::head`](crate::git::Source::head) again. Dropping it ends the watching.
#[derive(Debug)]
pub struct Watch {
    hints: mpsc::Receiver<()>,
    /// A hint that was taken from the channel and not yet passed on: `changed` may be dropped half
    /// way, by a `select!` for instance.
    hinted: bool,
    /// `None` until first used, because it needs tokio's timer.
    polls: Option<Interval>,
    /// Kept for its thread; `None` where watching is not possible.
    _watcher: Option<RecommendedWatcher>,
    trouble: Option<String>,
}

impl Watch {
    /// Notices that a ref of the repository moved.
    pub(crate) fn of_refs(repository: &Repository) -> Self {
        // `HEAD` and `packed-refs` are replaced, not written, so their folders are watched: the one
        // of this work tree and the one that all work trees share. `git status` writes the index and
        // `gc` the objects: neither moves a ref.
        let shared = repository.commondir().to_owned();
        let refs = shared.join("refs");
        let mut places = vec![
            (repository.path().to_owned(), RecursiveMode::NonRecursive),
            (refs.clone(), RecursiveMode::Recursive),
        ];
        if shared != repository.path() {
            places.push((shared, RecursiveMode::NonRecursive));
        }
        Self::of(&places, move |path| {
            let name = path.file_name().and_then(OsStr::to_str);
            let is_lock = path.extension() == Some(OsStr::new("lock"));
            (path.starts_with(&refs) && !is_lock) || matches!(name, Some("HEAD" | "packed-refs"))
        })
    }

    /// Notices that a file below `folder` changed.
    pub(crate) fn of_files(folder: &Path) -> Self {
        let root = folder.to_owned();
        Self::of(&[(root.clone(), RecursiveMode::Recursive)], move |path| {
            // Our own journal may lie in a hidden folder here, and must not wake us.
            let below = path.strip_prefix(&root).unwrap_or(path);
            let mut folders = below.parent().into_iter().flat_map(Path::components);
            !folders.any(|part| part.as_os_str().to_str().is_some_and(is_left_out))
        })
    }

    /// Notices changes at each [`POLL_PERIOD`] only.
    pub(crate) fn by_polling() -> Self {
        let (_, hints) = mpsc::channel(1);
        Self { hints, hinted: false, polls: None, _watcher: None, trouble: None }
    }

    fn of(
        places: &[(PathBuf, RecursiveMode)],
        matters: impl Fn(&Path) -> bool + Send + 'static,
    ) -> Self {
        // One place is enough: a hint that waits says it all.
        let (sender, hints) = mpsc::channel(1);
        let on_event = move |event: notify::Result<Event>| {
            if event.map_or(true, |event| is_hint(&event, &matters)) {
                // Full means that a hint waits already, closed that nobody does.
                let _ = sender.try_send(());
            }
        };
        let watching = notify::recommended_watcher(on_event).and_then(|mut watcher| {
            for (place, mode) in places {
                watcher.watch(place, *mode)?;
            }
            Ok(watcher)
        });
        let (watcher, trouble) = match watching {
            Ok(watcher) => (Some(watcher), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self { hints, hinted: false, polls: None, _watcher: watcher, trouble }
    }

    /// Why changes are noticed by polling only, if so.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Returns after a hint, once it is quiet, or after [`POLL_PERIOD`]. It may be dropped and called
    /// again: no hint is lost and the period goes on.
    pub async fn changed(&mut self) {
        let polls = self.polls.get_or_insert_with(|| {
            let mut polls = interval(POLL_PERIOD);
            // Whoever takes longer than this to look has time for other things in between.
            polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
            polls.reset();
            polls
        });
        if !self.hinted {
            tokio::select! {
                biased;
                // A closed channel disables this branch: then only the poll is left.
                Some(()) = self.hints.recv() => self.hinted = true,
                _ = polls.tick() => return,
            }
        }
        tokio::select! {
            biased;
            () = quiet(&mut self.hints) => {}
            () = sleep(LONGEST_DEBOUNCE) => {}
        }
        self.hinted = false;
        polls.reset();
    }
}

async fn quiet(hints: &mut mpsc::Receiver<()>) {
    while let Ok(Some(())) = timeout(QUIET, hints.recv()).await {}
}

/// Reading files causes events as well; those about nothing in particular may mean anything.
fn is_hint(event: &Event, matters: &impl Fn(&Path) -> bool) -> bool {
    if matches!(event.kind, EventKind::Access(_)) {
        return false;
    }
    event.paths.is_empty() || event.need_rescan() || event.paths.iter().any(|path| matters(path))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// As long as anybody waits for a hint that comes, on a machine that has other things to do.
    const LONGEST: Duration = Duration::from_secs(60);
    /// As long as it is seen that none comes: many times longer than one takes.
    const SOON: Duration = Duration::from_millis(800);

    /// Without polls, so that only a hint can have come.
    fn of_hints(watch: Watch) -> Watch {
        let mut polls = interval(Duration::from_secs(3_600));
        polls.reset();
        Watch { polls: Some(polls), ..watch }
    }

    fn repository() -> (tempfile::TempDir, Repository) {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init(folder.path()).unwrap();
        (folder, repository)
    }

    fn commit(repository: &Repository) -> git2::Oid {
        let tree = repository.treebuilder(None).unwrap().write().unwrap();
        let tree = repository.find_tree(tree).unwrap();
        let author = git2::Signature::now("a", "a@b").unwrap();
        repository.commit(Some("HEAD"), &author, &author, "x", &tree, &[]).unwrap()
    }

    #[tokio::test]
    async fn a_commit_is_noticed_before_the_next_poll() {
        let (_folder, repository) = repository();
        let mut watch = of_hints(Watch::of_refs(&repository));
        assert_eq!(watch.trouble(), None);
        commit(&repository);
        timeout(LONGEST, watch.changed()).await.expect("a hint");
    }

    #[tokio::test]
    async fn a_checkout_of_another_branch_is_noticed_before_the_next_poll() {
        let (_folder, repository) = repository();
        let id = commit(&repository);
        repository.branch("other", &repository.find_commit(id).unwrap(), false).unwrap();
        let mut watch = of_hints(Watch::of_refs(&repository));
        repository.set_head("refs/heads/other").unwrap();
        timeout(LONGEST, watch.changed()).await.expect("a hint");
    }

    #[tokio::test]
    async fn the_index_and_objects_give_no_hint() {
        let (folder, repository) = repository();
        commit(&repository);
        let mut watch = of_hints(Watch::of_refs(&repository));
        fs::write(folder.path().join("a"), "x").unwrap();
        let mut index = repository.index().unwrap();
        index.add_path(Path::new("a")).unwrap();
        index.write().unwrap();
        timeout(SOON, watch.changed()).await.expect_err("no hint");
    }

    #[tokio::test]
    async fn files_below_a_folder_are_noticed_and_our_own_journal_is_not() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("tenants")).unwrap();
        fs::create_dir_all(folder.path().join(".driftless")).unwrap();
        let mut watch = of_hints(Watch::of_files(folder.path()));
        fs::write(folder.path().join(".driftless/state.db"), "x").unwrap();
        timeout(SOON, watch.changed()).await.expect_err("no hint");
        fs::write(folder.path().join("tenants/acme.yaml"), "x").unwrap();
        timeout(LONGEST, watch.changed()).await.expect("a hint");
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_watched_is_polled() {
        let mut watch = Watch::of_files(Path::new("/nothing/is/here"));
        assert!(watch.trouble().is_some());
        for _ in 0..3 {
            timeout(POLL_PERIOD * 2, watch.changed()).await.expect("a poll");
            timeout(POLL_PERIOD / 2, watch.changed()).await.expect_err("it does not spin");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn polls_that_were_missed_are_not_made_up_for() {
        let mut watch = Watch::by_polling();
        watch.changed().await;
        // A look that takes long, during which nobody waits.
        tokio::time::advance(POLL_PERIOD * 10).await;
        watch.changed().await;
        timeout(POLL_PERIOD / 2, watch.changed()).await.expect_err("others have their turn");
    }

    #[tokio::test(start_paused = true)]
    async fn a_poll_comes_also_when_waiting_is_given_up_more_often_than_it_polls() {
        let (sender, hints) = mpsc::channel(1);
        let mut watch = Watch { hints, hinted: false, polls: None, _watcher: None, trouble: None };
        let mut polls = 0;
        for _ in 0..40 {
            polls += usize::from(timeout(POLL_PERIOD / 10, watch.changed()).await.is_ok());
        }
        assert_eq!(polls, 4);
        sender.send(()).await.unwrap();
        // Given up in the middle of the debounce, the hint is kept.
        timeout(QUIET / 2, watch.changed()).await.expect_err("not quiet yet");
        timeout(QUIET * 2, watch.changed()).await.expect("the hint");
    }
}
