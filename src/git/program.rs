//! Runs the `git` program, which knows every transport and how people prove who they are. It is
//! bounded in time, bytes and words, asks nobody, sees no shell, and is ended with its children.

use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// What a program says last is what matters, and a few lines of it.
const MOST_SAID: usize = 16_384;
/// How often it is seen whether a program that runs has to be ended.
pub(crate) const SLICE: Duration = Duration::from_millis(100);
/// git removes its lock files when it is told to end; what does not end within this is killed.
const GRACE: Duration = Duration::from_secs(2);
/// A child that stays behind, such as ssh's shared connection, may keep the pipe open for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// A name server and a firewall that answer nothing are noticed before the limit of a fetch is up.
const SSH_OPTIONS: &str = " -oBatchMode=yes -oConnectTimeout=20 -oServerAliveInterval=15 \
                           -oServerAliveCountMax=3";

/// Variables that would point git at another repository, or make it write down what is secret.
const CLEARED: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_SHALLOW_FILE",
    "GIT_TRACE",
    "GIT_TRACE_CURL",
    "GIT_TRACE_PACKET",
    "GIT_TRACE2",
    "GIT_TRACE2_EVENT",
    "GIT_TRACE2_PERF",
    "GIT_TRACE2_CONFIG_PARAMS",
    "GIT_TRACE2_ENV_VARS",
    "GIT_CURL_VERBOSE",
];

/// The program, and what the environment says of how it proves who we are.
#[derive(Clone, Debug)]
pub struct GitProgram {
    /// Its file, or its name in `PATH`.
    pub name: PathBuf,
    /// `GIT_SSH_COMMAND`, else [`core.sshCommand`](Self::with_configured_ssh).
    pub ssh_command: Option<String>,
    /// Whether `GIT_SSH` names a program instead.
    pub has_ssh_program: bool,
    /// Whether `GIT_ASKPASS` names a program that answers without a person.
    pub has_askpass: bool,
}

impl Default for GitProgram {
    fn default() -> Self {
        let name = PathBuf::from("git");
        Self { name, ssh_command: None, has_ssh_program: false, has_askpass: false }
    }
}

/// What ends a program that does not end.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) time: Duration,
    /// The folder that may not become larger than so many bytes.
    pub(crate) folder: Option<(PathBuf, u64)>,
    /// In the hand of whoever wants the answer.
    pub(crate) leash: Leash,
}

/// What ends a program when nobody wants its answer any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leash(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    is_cut: bool,
    /// The program that runs, with its children.
    group: Option<Pid>,
}

impl Leash {
    /// Ends the program that runs, and lets none begin.
    pub(crate) fn cut(&self) {
        let mut held = self.held();
        held.is_cut = true;
        if let Some(group) = held.group {
            // A group that is gone already is what was wanted.
            let _ = kill_process_group(group, Signal::TERM);
        }
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.held().is_cut
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// It did what it was asked, and may have warned.
    Well(String),
    /// It failed, and said why.
    Badly(String),
    /// It was ended because it took too long.
    TooLong,
    /// It was ended because its folder became too large.
    TooLarge,
    /// It was ended because nobody waits any more.
    Cut,
}

impl GitProgram {
    /// With `core.sshCommand` of this user or machine where the environment names nothing: what is
    /// said in the environment, as it is here, goes before it.
    pub fn with_configured_ssh(self) -> Self {
        if self.ssh_command.is_some() || self.has_ssh_program {
            return self;
        }
        let mut command = Command::new(&self.name);
        command.args(["config", "--get", "core.sshCommand"]);
        for variable in CLEARED {
            command.env_remove(variable);
        }
        // Not what the repository around us says: it is another one.
        command.current_dir("/").stdin(Stdio::null());
        // Without git, fetching says so.
        let asked = command.output().ok().filter(|asked| asked.status.success());
        let found = asked.and_then(|asked| String::from_utf8(asked.stdout).ok());
        let found = found.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        Self { ssh_command: found, ..self }
    }

    /// Runs it on a repository. `secrets` are settings whose values only its environment carries.
    pub(crate) fn run(
        &self,
        repository: &Path,
        arguments: &[&str],
        secrets: &[(String, String)],
        bounds: &Bounds,
    ) -> io::Result<Ran> {
        let mut command = Command::new(&self.name);
        command.arg("--git-dir").arg(repository);
        for (number, (setting, value)) in secrets.iter().enumerate() {
            let variable = format!("DRIFTLESS_GIT_SETTING_{number}");
            command.arg(format!("--config-env={setting}={variable}")).env(variable, value);
        }
        command.args(arguments);
        self.set_environment(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // A group of its own, so that what it starts is ended with it.
        command.process_group(0);
        bounded(command, bounds)
    }

    fn set_environment(&self, command: &mut Command) {
        for variable in CLEARED {
            command.env_remove(variable);
        }
        // Errors are told apart by their words.
        command.env("LC_ALL", "C").env("LANGUAGE", "C");
        command.env("GIT_TERMINAL_PROMPT", "0").env("GCM_INTERACTIVE", "never");
        command.env("SSH_ASKPASS_REQUIRE", "never");
        if !self.has_askpass {
            // git would open a window for want of a terminal.
            command.env_remove("SSH_ASKPASS");
        }
        command.env("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh");
        command.env("GIT_NO_REPLACE_OBJECTS", "1");
        if let Some(ssh) = self.batch_ssh() {
            command.env("GIT_SSH_COMMAND", ssh);
        }
    }

    /// The command for ssh, such that it asks nobody; `None` leaves what the environment says.
    fn batch_ssh(&self) -> Option<String> {
        let base = match &self.ssh_command {
            Some(command) => command,
            None if self.has_ssh_program => return None,
            None => "ssh",
        };
        let program = base.split_whitespace().next().unwrap_or_default();
        let is_ssh = Path::new(program).file_name().is_some_and(|name| name == "ssh");
        // Who knows what another program takes for options.
        Some(if is_ssh { format!("{base}{SSH_OPTIONS}") } else { base.to_owned() })
    }
}

/// Runs a command within its bounds.
fn bounded(mut command: Command, bounds: &Bounds) -> io::Result<Ran> {
    if bounds.leash.is_cut() {
        return Ok(Ran::Cut);
    }
    let child = command.spawn()?;
    let group = Pid::from_child(&child);
    bounds.leash.held().group = Some(group);
    let ran = watched(child, group, bounds);
    bounds.leash.held().group = None;
    ran
}

fn watched(mut child: Child, group: Pid, bounds: &Bounds) -> io::Result<Ran> {
    let words = Words::of(child.stderr.take());
    let (sender, ends) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait()));
    let mut slices = 0_u32;
    loop {
        match ends.recv_timeout(SLICE) {
            // Children of one that heeded may not have.
            Ok(_) if bounds.leash.is_cut() => {
                let _ = kill_process_group(group, Signal::KILL);
                return Ok(Ran::Cut);
            }
            Ok(status) => return ended(status?, &words),
            Err(RecvTimeoutError::Timeout) => slices += 1,
            // The thread always sends; without it nothing can be known.
            Err(RecvTimeoutError::Disconnected) => return Err(io::ErrorKind::BrokenPipe.into()),
        }
        let over = if bounds.leash.is_cut() {
            Some(Ran::Cut)
        } else if SLICE * slices >= bounds.time {
            Some(Ran::TooLong)
        } else if slices.is_multiple_of(10) && bounds.is_too_large() {
            Some(Ran::TooLarge)
        } else {
            None
        };
        if let Some(over) = over {
            end(group, &ends);
            return Ok(over);
        }
    }
}

fn ended(status: ExitStatus, words: &Words) -> io::Result<Ran> {
    if status.success() {
        return Ok(Ran::Well(words.said()));
    }
    Ok(Ran::Badly(match words.said() {
        said if said.is_empty() => format!("it ended with {status} and said nothing"),
        said => said,
    }))
}

/// Asks the whole group to end, and kills what does not.
fn end(group: Pid, ends: &Receiver<io::Result<ExitStatus>>) {
    // A group that is gone already is what was wanted.
    let _ = kill_process_group(group, Signal::TERM);
    let _ = ends.recv_timeout(GRACE);
    let _ = kill_process_group(group, Signal::KILL);
}

impl Bounds {
    fn is_too_large(&self) -> bool {
        self.folder.as_ref().is_some_and(|(folder, most)| size(folder) > *most)
    }
}

/// Bytes of all files below a folder; what comes and goes meanwhile does not matter.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let size_of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.map(size_of).sum()
}

/// The last that a program says.
struct Words {
    kept: Arc<Mutex<Vec<u8>>>,
    over: Receiver<()>,
}

impl Words {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (sender, over) = mpsc::channel();
        if let Some(mut pipe) = pipe {
            let kept = Arc::clone(&kept);
            thread::spawn(move || {
                let mut bytes = [0; 4_096];
                while let Ok(count @ 1..) = pipe.read(&mut bytes) {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.extend_from_slice(&bytes[..count]);
                    let surplus = kept.len().saturating_sub(MOST_SAID);
                    kept.drain(..surplus);
                }
                // Whoever waited may have given up.
                let _ = sender.send(());
            });
        }
        Self { kept, over }
    }

    fn said(&self) -> String {
        let _ = self.over.recv_timeout(LAST_WORDS);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(time: Duration) -> Bounds {
        Bounds { time, folder: None, leash: Leash::default() }
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::piped()).process_group(0);
        command
    }

    #[test]
    fn what_does_not_end_is_ended_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let child = folder.path().join("child");
        // Neither heeds a request to end.
        let script = format!(
            "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > {0}.new; mv {0}.new {0}; \
             while :; do sleep 60; done' & wait; sleep 60",
            child.display()
        );
        let bounds = bounds(Duration::from_secs(600));
        let ran = thread::scope(|scope| {
            let running = scope.spawn(|| bounded(shell(&script), &bounds));
            while !child.exists() {
                thread::yield_now();
            }
            bounds.leash.cut();
            running.join().unwrap()
        });
        assert_eq!(ran.unwrap(), Ran::Cut);
        let id = std::fs::read_to_string(&child).unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", id.trim()));
        // Killed, it may wait for somebody to ask after it. It would go on for ever otherwise.
        while state().is_ok_and(|state| !state.contains(") Z")) {
            thread::yield_now();
        }
    }

    #[test]
    fn the_last_words_are_kept_and_no_more() {
        let script = "i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done; exit 3";
        let ran = bounded(shell(script), &bounds(Duration::from_secs(60))).unwrap();
        let Ran::Badly(said) = ran else { panic!("{ran:?}") };
        assert!(said.ends_with("line 2999") && said.len() <= MOST_SAID, "{said}");
    }

    #[test]
    fn a_child_that_keeps_the_pipe_open_is_not_waited_for() {
        let script = "sleep 20 & echo done >&2; exit 1";
        let ran = bounded(shell(script), &bounds(Duration::from_secs(60))).unwrap();
        assert_eq!(ran, Ran::Badly("done".into()));
    }

    #[test]
    fn what_takes_too_long_or_grows_too_large_is_ended() {
        let short = bounds(Duration::from_millis(200));
        assert_eq!(bounded(shell("sleep 300"), &short).unwrap(), Ran::TooLong);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pack"), [0; 100]).unwrap();
        let large = Bounds {
            folder: Some((folder.path().to_owned(), 99)),
            ..bounds(Duration::from_secs(600))
        };
        assert_eq!(bounded(shell("sleep 300"), &large).unwrap(), Ran::TooLarge);
    }

    #[test]
    fn ssh_asks_nobody_and_another_program_is_left_as_it_is() {
        let of = |ssh_command: Option<&str>, has_ssh_program| {
            let ssh_command = ssh_command.map(str::to_owned);
            GitProgram { ssh_command, has_ssh_program, ..GitProgram::default() }.batch_ssh()
        };
        assert!(of(None, false).unwrap().starts_with("ssh -oBatchMode=yes "));
        assert!(
            of(Some("/usr/bin/ssh -i key"), true).unwrap().starts_with("/usr/bin/ssh -i key -o")
        );
        assert_eq!(of(Some("./wrapper"), false).as_deref(), Some("./wrapper"));
        assert_eq!(of(None, true), None);
    }
}
