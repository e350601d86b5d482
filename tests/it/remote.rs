//! A fleet in a remote repository: what is pushed is converged, and whatever becomes of the other side,
//! the last good revision stays.

mod command;
mod signed;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use driftless::board::Progress;
use driftless::clock::Clock;
use driftless::controller::{Settings, Until, run};
use driftless::git::{Address, FetchError, FetchLimits, GitProgram, RemoteSettings, Source};
use driftless::report::Origin;
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

pub(crate) use command::Running;

use crate::world::{Ended, START, World, key};

/// Long enough for a fetch and for everything to settle.
const A_WHILE: Duration = Duration::from_secs(600);

async fn a_while() {
    tokio::time::sleep(A_WHILE).await;
}

/// A world whose fleet is read from a bare repository that is pushed to.
pub(crate) struct Hub {
    pub(crate) world: World,
    folder: TempDir,
}

/// Runs git for the person who pushes, whatever this machine's git is configured to do.
fn git(folder: &Path, arguments: &[&str]) -> String {
    let ran = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("the README asks for git");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(ran.status.success(), "git {arguments:?}: {}", text(&ran.stderr));
    text(&ran.stdout)
}

/// A program of a test.
fn script(path: &Path, text: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{text}\n")).expect("a file");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("executable");
}

/// Whether a process has ended, asked after or not.
fn is_gone(pid: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    state.map_or(true, |state| state.contains(") Z"))
}

impl Hub {
    pub(crate) fn with_tenants(tenants: usize) -> Self {
        let hub = Self {
            world: World::with_tenants(tenants),
            folder: tempfile::tempdir().expect("a folder"),
        };
        git(hub.folder.path(), &["init", "--quiet", "--bare", "bare.git"]);
        hub.push();
        git(&hub.bare(), &["symbolic-ref", "HEAD", "refs/heads/main"]);
        hub
    }

    fn bare(&self) -> PathBuf {
        self.folder.path().join("bare.git")
    }

    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.bare().display())
    }

    fn push(&self) {
        let to = self.bare().display().to_string();
        git(&self.world.repository(), &["push", "--quiet", "--force", &to, "HEAD:refs/heads/main"]);
    }

    pub(crate) fn commit_and_push(&self) -> String {
        let id = self.world.commit();
        self.push();
        id
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        let at = |name: &str| self.folder.path().join(name);
        std::fs::rename(at(from), at(to)).expect("renamed");
    }

    fn clones(&self) -> PathBuf {
        self.world.journal_path().with_file_name("git")
    }

    /// The one clone.
    fn clone(&self) -> PathBuf {
        let entries = std::fs::read_dir(self.clones()).expect("clones").flatten();
        let clones: Vec<_> =
            entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        assert_eq!(clones.len(), 1, "{clones:?}");
        clones[0].clone()
    }

    fn remote(&self, url: &str) -> RemoteSettings {
        RemoteSettings {
            address: Address::parse(url).expect("an address").expect("a sound one"),
            branch: Some("main".to_owned()),
            folder: PathBuf::new(),
            clones: self.clones(),
            program: GitProgram::default(),
            limits: FetchLimits::default(),
        }
    }

    fn source(&self) -> Source {
        Source::remote(self.remote(&self.url())).expect("a source")
    }

    fn settings(&self, source: Source) -> (Settings, UnboundedReceiver<Progress>) {
        let (settings, heard) = self.world.settings();
        (Settings { source, ..settings }, heard)
    }

    /// Converges as `driftless run` does, until `shutdown` resolves.
    pub(crate) async fn run_until(&self, shutdown: impl Future<Output = ()>) -> Ended {
        let source = self.source();
        // Whether it works is for the controller to say.
        let _ = source.fetch(&self.world.clock);
        let (settings, mut heard) = self.settings(source);
        let standing = run(settings, Until::Stopped, shutdown).await.expect("runs");
        let mut news = Vec::new();
        while let Ok(piece) = heard.try_recv() {
            news.push(piece);
        }
        Ended { standing, news }
    }

    fn origin(&self) -> Origin {
        self.world.journal().origin().expect("read").expect("fetched from somewhere")
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_pushed_is_fetched_and_deployed() {
    let hub = Hub::with_tenants(1);
    hub.run_until(async {
        a_while().await;
        let first = hub.origin();
        assert_eq!(first.from, format!("{} at the branch `main`", hub.url()));
        let fetched_at = first.fetched_at.expect("fetched");
        assert!(hub.world.clock.now().since(fetched_at) <= Duration::from_secs(36));
        hub.world.mutating_calls();
        hub.world.write_tenant(2, "");
        hub.commit_and_push();
        a_while().await;
        assert!(hub.origin().fetched_at > first.fetched_at);
    })
    .await
    .assert_converged(4);
    assert_eq!(hub.world.mutating_calls(), ["CreateStack 100000000002"; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_rewritten_history_is_held_and_the_commit_that_it_dropped_is_kept() {
    let hub = Hub::with_tenants(1);
    let refused = |ended: &Ended| {
        let mut whys = ended.news.iter().filter_map(|news| match news {
            Progress::Refused { why, .. } => Some(why.clone()),
            _ => None,
        });
        whys.next().expect("refused")
    };
    let ended = hub
        .run_until(async {
            a_while().await;
            hub.world.write_tenant(2, "");
            hub.commit_and_push();
            a_while().await;
            let repository = hub.world.repository();
            git(&repository, &["reset", "--quiet", "--hard", "HEAD~1"]);
            hub.world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
            hub.commit_and_push();
            a_while().await;
        })
        .await;
    ended.assert_converged(4);
    assert!(refused(&ended).contains("does not descend from"), "{}", refused(&ended));
    git(&hub.clone(), &["gc", "--quiet", "--prune=now"]);
    hub.world.mutating_calls();
    let ended = hub
        .run_until(async {
            hub.world.cloud.console().delete_stack(&key(2, "api")).expect("deleted");
            a_while().await;
        })
        .await;
    ended.assert_converged(4);
    assert_eq!(hub.world.mutating_calls(), ["CreateStack 100000000002"], "the last good one heals");
}

#[tokio::test(start_paused = true)]
async fn a_repository_that_goes_away_changes_nothing_and_one_that_comes_back_is_followed() {
    let hub = Hub::with_tenants(1);
    let ended = hub
        .run_until(async {
            a_while().await;
            hub.rename("bare.git", "elsewhere.git");
            hub.world.mutating_calls();
            hub.world.cloud.console().delete_stack(&key(1, "api")).expect("deleted");
            tokio::time::sleep(Duration::from_secs(4 * 3600)).await;
            assert_eq!(hub.world.mutating_calls(), ["CreateStack 100000000001"], "it is healed");
            let trouble = hub.origin().trouble.expect("trouble");
            assert!(trouble.text.contains("is no repository"), "{}", trouble.text);
            assert!((20..40).contains(&trouble.attempts), "{trouble:?}");
            let status = hub.world.driftless(&["status"]);
            assert!(status.contains("; the fleet cannot be fetched\n"), "{status}");
            assert!(status.contains(&trouble.text), "{status}");
            hub.rename("elsewhere.git", "bare.git");
            hub.world.write_tenant(2, "");
            hub.commit_and_push();
            a_while().await;
            a_while().await;
            assert_eq!(hub.origin().trouble, None);
        })
        .await;
    ended.assert_converged(4);
    let is_refusal = |news: &&Progress| matches!(news, Progress::Refused { .. });
    assert_eq!(ended.news.iter().filter(is_refusal).count(), 0, "no revision is at fault");
}

#[tokio::test(start_paused = true)]
async fn a_branch_that_is_deleted_leaves_its_last_commit() {
    let hub = Hub::with_tenants(1);
    hub.run_until(async {
        a_while().await;
        git(&hub.bare(), &["update-ref", "-d", "refs/heads/main"]);
        a_while().await;
        let trouble = hub.origin().trouble.expect("trouble");
        assert!(trouble.text.contains("has no branch `main`"), "{}", trouble.text);
    })
    .await
    .assert_converged(2);
    // And so it does after a restart.
    hub.run_until(a_while()).await.assert_converged(2);
}

#[tokio::test(start_paused = true)]
async fn a_push_is_followed_at_once_when_somebody_asks() {
    let hub = Hub::with_tenants(1);
    let source = hub.source();
    source.fetch(&hub.world.clock).expect("fetched");
    let (settings, _heard) = hub.settings(source.clone());
    let shutdown = async {
        a_while().await;
        hub.world.write_tenant(2, "");
        hub.commit_and_push();
        source.fetch_soon();
        let asked_at = hub.world.clock.now();
        while hub.world.stacks(2).is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let took = hub.world.clock.now().since(asked_at);
        assert!(took < Duration::from_secs(2), "{took:?}");
    };
    run(settings, Until::Stopped, shutdown).await.expect("runs");
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_has_no_fleet_in_it_is_read_once() {
    let hub = Hub::with_tenants(1);
    let ended = hub
        .run_until(async {
            a_while().await;
            let bare = git2::Repository::open(hub.bare()).unwrap();
            let blob = bare.blob(b"x").unwrap();
            let mut tree = bare.treebuilder(None).unwrap();
            tree.insert(b"caf\xe9.yaml".as_slice(), blob, 0o100_644).unwrap();
            let tree = tree.write().unwrap().to_string();
            let commit = ["-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", &tree];
            let commit = git(&hub.bare(), &[&commit[..], &["-p", "main", "-m", "x"]].concat());
            git(&hub.bare(), &["update-ref", "refs/heads/main", &commit]);
            a_while().await;
            // Whoever reads it again misses this.
            let object = hub.clone().join("objects").join(&tree[..2]).join(&tree[2..]);
            std::fs::remove_file(object).expect("it was fetched");
            a_while().await;
        })
        .await;
    let refusals: Vec<_> = ended
        .news
        .iter()
        .filter_map(|news| match news {
            Progress::Refused { why, .. } => Some(why.as_str()),
            _ => None,
        })
        .collect();
    assert!(refusals.len() == 1 && refusals[0].contains("is not UTF-8"), "{refusals:?}");
}

/// A clock of this machine's time, for what is not in simulated time.
fn clock() -> Clock {
    Clock::starting_at(START)
}

fn hub_at_rest() -> Hub {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { Hub::with_tenants(1) })
}

#[test]
fn a_transport_that_hangs_is_ended_and_what_was_fetched_stays() {
    let hub = hub_at_rest();
    let source = hub.source();
    let fetched = source.fetch_and_read(&clock()).expect("fetched");
    let ssh = hub.folder.path().join("hang");
    let (pid, late) = (hub.folder.path().join("pid"), hub.folder.path().join("late"));
    script(&ssh, &format!("echo $$ > {}; sleep 60; echo > {}", pid.display(), late.display()));
    let mut settings = hub.remote("ssh://git@host.invalid/fleet.git");
    settings.program.ssh_command = Some(ssh.display().to_string());
    settings.limits.clone = Duration::from_millis(500);
    let hanging = Source::remote(settings).expect("a source");
    let error = hanging.fetch(&clock()).expect_err("it hangs");
    assert!(matches!(error, FetchError::TooSlow { .. }), "{error}");
    // On a busy machine it may be ended before it says who it is.
    if let Ok(pid) = std::fs::read_to_string(pid) {
        while !is_gone(&pid) {
            std::thread::yield_now();
        }
        assert!(!late.exists(), "it was ended, and did not end by itself");
    }
    let trouble = hanging.origin().and_then(|origin| origin.trouble).expect("trouble");
    assert!(trouble.text.contains("git was ended"), "{}", trouble.text);
    assert_eq!(source.read().expect("still there").revision, fetched.revision);
}

#[test]
fn a_clone_that_was_left_half_done_or_was_damaged_is_made_anew() {
    let hub = hub_at_rest();
    let source = hub.source();
    let revision = source.fetch_and_read(&clock()).expect("fetched").revision;
    let clone = hub.clone();
    let pack = || {
        let packs = std::fs::read_dir(clone.join("objects/pack")).expect("packs").flatten();
        packs.map(|entry| entry.path()).find(|path| path.extension().unwrap() == "pack")
    };
    git(&clone, &["gc", "--quiet"]);
    let break_pack = || {
        let pack = pack().expect("a pack");
        std::fs::set_permissions(&pack, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::fs::write(pack, "x").unwrap();
    };
    let breaks: [(&str, &dyn Fn()); 5] = [
        ("its objects", &break_pack),
        ("its HEAD", &|| std::fs::write(clone.join("HEAD"), "").unwrap()),
        ("its ref", &|| std::fs::write(clone.join("refs/heads/main"), "01").unwrap()),
        ("its lock", &|| {
            // What a process leaves that was killed while it fetched something new.
            hub.world.write_tenant(2, "");
            hub.commit_and_push();
            std::fs::write(clone.join("refs/heads/main.lock"), "").unwrap();
        }),
        ("its place", &|| {
            std::fs::remove_dir_all(&clone).unwrap();
            let new = clone.with_extension("new");
            std::fs::create_dir_all(new.join("objects")).unwrap();
            std::fs::write(new.join("HEAD"), "ref: refs").unwrap();
        }),
    ];
    for (what, damage) in breaks {
        damage();
        // A source of another process, which has nothing of it in memory.
        let read = hub.source().fetch_and_read(&clock());
        let read = read.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert!(read.entries().count() >= 5, "{what}");
        assert_eq!(hub.clone(), clone, "{what}: nothing is left beside it");
    }
    let first = hub.source().read_at(revision.as_str()).expect("the whole history");
    assert_eq!(first.revision, revision);
}

#[test]
fn a_source_of_a_running_controller_follows_a_clone_that_another_process_made_anew() {
    let hub = hub_at_rest();
    let source = hub.source();
    let first = source.fetch_and_read(&clock()).expect("fetched").revision;
    assert_eq!(source.head().expect("read"), first);
    std::fs::write(hub.clone().join("refs/heads/main"), "01").unwrap();
    std::fs::remove_dir_all(hub.clone().join("objects")).unwrap();
    assert!(source.read().is_err());
    hub.world.write_tenant(2, "");
    let second = hub.commit_and_push();
    hub.source().fetch_and_read(&clock()).expect("made anew");
    assert_eq!(source.head().expect("read").as_str(), second);
    assert_eq!(source.read().expect("read").revision.as_str(), second);
}

#[test]
fn a_clone_that_is_made_anew_keeps_the_accepted_commit_of_a_history_that_was_rewritten() {
    let hub = hub_at_rest();
    let source = hub.source();
    let first = source.fetch_and_read(&clock()).expect("fetched").revision;
    source.keep(&first);
    let amend = ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--amend"];
    let amend = [&amend[..], &["--allow-empty", "--message", "another"]].concat();
    git(&hub.world.repository(), &amend);
    hub.push();
    let lock = hub.clone().join("refs/heads/main.lock");
    std::fs::write(&lock, "").unwrap();
    let second = hub.source().fetch_and_read(&clock()).expect("fetched").revision;
    assert!(second != first && !lock.exists(), "it was made anew");
    git(&hub.clone(), &["gc", "--quiet", "--prune=now"]);
    let kept = hub.source().read_at(first.as_str()).expect("there to go on with");
    assert_eq!(kept.revision, first);
}

#[test]
fn a_commit_that_cannot_be_read_is_not_fetched_again_and_again() {
    let hub = hub_at_rest();
    let tree = git(&hub.bare(), &["rev-parse", "main^{tree}"]);
    let odd = hub.folder.path().join("odd");
    // git takes it; who wrote it when cannot be read.
    std::fs::write(&odd, format!("tree {tree}\nauthor a\ncommitter a\n\nx\n")).unwrap();
    let write = ["hash-object", "--literally", "-t", "commit", "-w", odd.to_str().unwrap()];
    let commit = git(&hub.bare(), &write);
    git(&hub.bare(), &["update-ref", "refs/heads/main", &commit]);
    let source = hub.source();
    source.fetch_and_read(&clock()).expect_err("it cannot be read");
    let mark = hub.clone().join("mark");
    std::fs::write(&mark, "").unwrap();
    source.fetch_and_read(&clock()).expect_err("it still cannot");
    assert!(mark.exists(), "no other clone would help");
    hub.push();
    source.fetch_and_read(&clock()).expect("what comes after it is read");
}

#[test]
fn a_repository_that_is_damaged_on_the_other_side_is_not_taken_for_our_own_disk() {
    let hub = hub_at_rest();
    let blob = git(&hub.bare(), &["rev-parse", "main:fleet.yaml"]);
    let object = hub.bare().join("objects").join(&blob[..2]).join(&blob[2..]);
    std::fs::remove_file(&object).unwrap();
    std::fs::write(&object, "junk").unwrap();
    let error = hub.source().fetch(&clock()).expect_err("damaged");
    assert!(matches!(error, FetchError::Other { .. }), "{error:?}");
}

#[test]
fn a_process_that_holds_the_clone_for_ever_is_named_and_not_waited_for() {
    let hub = hub_at_rest();
    hub.source().fetch(&clock()).expect("fetched");
    let lock = hub.clone().with_extension("lock");
    let held = std::fs::File::open(&lock).expect("a lock");
    held.lock().expect("taken");
    let mut settings = hub.remote(&hub.url());
    settings.limits.clone = Duration::from_millis(200);
    let error = Source::remote(settings).unwrap().fetch(&clock()).expect_err("held").to_string();
    assert!(error.contains(&format!("`{}` is held by another process", lock.display())), "{error}");
    drop(held);
    hub.source().fetch(&clock()).expect("let go");
}

#[test]
fn many_that_fetch_at_once_make_one_clone() {
    let hub = hub_at_rest();
    let clock = clock();
    std::thread::scope(|scope| {
        let fetch = || hub.source().fetch_and_read(&clock).map(|read| read.revision);
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(fetch)).collect();
        for thread in threads {
            let revision = thread.join().expect("no panic").expect("fetched");
            assert_eq!(revision, hub.source().head().expect("read"));
        }
    });
    git(&hub.clone(), &["fsck", "--strict"]);
}

#[test]
fn the_default_branch_is_followed_where_none_is_named_and_head_means_it() {
    let hub = hub_at_rest();
    hub.world.write_tenant(2, "");
    let second = hub.commit_and_push();
    let settings = RemoteSettings { branch: None, ..hub.remote(&hub.url()) };
    let source = Source::remote(settings).expect("a source");
    assert_eq!(source.fetch_and_read(&clock()).expect("fetched").revision.as_str(), second);
    let before = source.read_at("HEAD~1").expect("the commit before").revision;
    assert!(source.is_descendant(&source.head().unwrap(), &before).unwrap());
    assert_eq!(source.describe(), format!("{} at its default branch", hub.url()));
    let empty = hub.folder.path().join("empty.git");
    git(hub.folder.path(), &["init", "--quiet", "--bare", "empty.git"]);
    let url = format!("file://{}", empty.display());
    let settings = RemoteSettings { branch: None, ..hub.remote(&url) };
    let error = Source::remote(settings).unwrap().fetch(&clock()).expect_err("no commit");
    assert!(error.to_string().contains("has no commit on its default branch"), "{error}");
}

#[test]
fn a_folder_of_the_repository_is_the_fleet_and_one_that_is_missing_is_named() {
    let hub = hub_at_rest();
    let of = |folder: &str| {
        let settings = RemoteSettings { folder: folder.into(), ..hub.remote(&hub.url()) };
        Source::remote(settings)
    };
    let snapshot = of("./api/").unwrap().fetch_and_read(&clock()).expect("fetched");
    let paths: Vec<_> = snapshot.entries().map(|(path, _)| path).collect();
    assert_eq!(paths, ["api.yaml", "service.yaml"]);
    let error = of("nowhere").unwrap().fetch_and_read(&clock()).expect_err("missing").to_string();
    assert!(error.starts_with(&format!("`{}` has no folder `nowhere` at ", hub.url())), "{error}");
    assert!(error.ends_with("name the fleet's folder with --path"), "{error}");
    for folder in ["../x", "/etc", "a/../../b"] {
        assert!(of(folder).expect_err("refused").to_string().contains("is no folder"), "{folder}");
    }
    let settings = RemoteSettings { branch: Some("-x y".into()), ..hub.remote(&hub.url()) };
    let error = Source::remote(settings).expect_err("refused").to_string();
    assert!(error.contains("is no name of a branch"), "{error}");
}

#[test]
fn a_shallow_clone_becomes_whole_and_one_on_the_other_side_is_named() {
    let hub = hub_at_rest();
    hub.world.write_tenant(2, "");
    hub.commit_and_push();
    hub.source().fetch(&clock()).expect("fetched");
    let clone = hub.clone();
    std::fs::remove_dir_all(&clone).unwrap();
    let depth = ["clone", "--quiet", "--bare", "--depth", "1", &hub.url()];
    git(hub.folder.path(), &[depth.as_slice(), &[clone.to_str().unwrap()]].concat());
    assert!(clone.join("shallow").exists());
    hub.source().fetch(&clock()).expect("fetched");
    hub.source().read_at("HEAD~1").expect("the whole history");

    git(hub.folder.path(), &[depth.as_slice(), &["shallow.git"]].concat());
    let url = format!("file://{}", hub.folder.path().join("shallow.git").display());
    let error = Source::remote(hub.remote(&url)).unwrap().fetch(&clock()).expect_err("shallow");
    assert!(matches!(error, FetchError::Shallow { .. }), "{error:?}");
}

#[test]
fn a_repository_that_is_too_large_is_given_up() {
    let hub = hub_at_rest();
    let program = hub.folder.path().join("git");
    // Writes into the clone what a fetch would, and goes on for ever.
    script(&program, "head -c 1000000 /dev/zero > \"$2/large\"; exec sleep 600");
    let mut settings = hub.remote(&hub.url());
    settings.program.name = program;
    settings.limits.bytes = 1_000;
    let error = Source::remote(settings).unwrap().fetch(&clock()).expect_err("too large");
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error:?}");
}
