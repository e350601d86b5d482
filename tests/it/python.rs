//! Programs of other people from PyPI: an environment below `target/`, made on first use and shared
//! by all tests, and processes in it that see nothing of ours.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

const REQUIREMENTS: &str = include_str!("python/requirements.txt");
/// Installing takes half a minute and everything else seconds: what takes longer hangs.
const LONGEST: Duration = Duration::from_secs(180);

/// How a program ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A server that takes calls, ended with the value.
pub(crate) struct Serving {
    process: Child,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The python of the environment. An error says why there is none here.
pub(crate) fn python() -> Result<PathBuf, String> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    MADE.get_or_init(|| install(&folder)).clone()
}

/// Says that a test was left out for want of python; where it must run, fails.
pub(crate) fn not_run(what: &str, why: &str) {
    left_out(&format!("{what}, which needs python3: {why}"));
}

/// Says that a test was left out, past the capture of the test harness; where it must run, fails.
pub(crate) fn left_out(what: &str) {
    let text = format!("NOT RUN: {what}");
    #[allow(clippy::disallowed_methods, reason = "where it must run is what the environment says")]
    let must_run = std::env::var_os("CI").is_some();
    assert!(!must_run, "{text}");
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A port that is free now, to be taken at once.
pub(crate) fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    free.expect("a free port").port()
}

/// Starts a server and waits until it has said `ready` on stderr.
pub(crate) fn start(command: &mut Command, ready: &str) -> Serving {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("started");
    let log = process.stderr.take().expect("a pipe");
    // From here on, whatever panics ends the process.
    let server = Serving { process };
    let (is_ready, log) = follow(log, ready.to_owned());
    if is_ready.recv_timeout(LONGEST).is_err() {
        panic!("{command:?} did not start:\n{}", log.recv_timeout(LONGEST).unwrap_or_default());
    }
    server
}

/// Sends once when the server is ready, and once all that it said when it has ended.
fn follow(log: impl Read + Send + 'static, word: String) -> (Receiver<()>, Receiver<String>) {
    let ((ready, is_ready), (ended, whole)) = (channel(), channel());
    thread::spawn(move || {
        let mut said = String::new();
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if line.contains(&word) {
                let _ = ready.send(());
            }
            said.push_str(&line);
            said.push('\n');
        }
        drop(ready);
        let _ = ended.send(said);
    });
    (is_ready, whole)
}

/// The python of an environment that has the requirements, made if it is not there.
fn install(folder: &Path) -> Result<PathBuf, String> {
    let python = folder.join("bin/python");
    // Written last: an installation that was broken off is made again.
    let installed = folder.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == REQUIREMENTS) {
        return Ok(python);
    }
    let tried = |command: &mut Command, what: &str| {
        let failed = |why: String| format!("{what}: {}", why.trim());
        match command.stdin(Stdio::null()).output() {
            Err(error) => Err(failed(error.to_string())),
            Ok(ran) if ran.status.success() => Ok(()),
            // Python says on stdout that the module venv lacks its half.
            Ok(ran) => Err(failed(
                String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned(),
            )),
        }
    };
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(folder);
    tried(&mut make, "`python3 -m venv` does not work")?;
    let requirements = folder.join("requirements.txt");
    std::fs::write(&requirements, REQUIREMENTS).expect("written");
    let mut fill = Command::new(&python);
    fill.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
    // The list is whole, and some name far more than what is used of them.
    fill.args(["--no-deps", "-r"]).arg(&requirements);
    tried(&mut fill, "`pip install` does not work")?;
    std::fs::write(&installed, REQUIREMENTS).expect("written");
    Ok(python)
}

/// A command that sees nothing of the environment in which the tests run.
pub(crate) fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", env!("CARGO_TARGET_TMPDIR"));
    command.current_dir(env!("CARGO_TARGET_TMPDIR"));
    command
}

/// Runs a command to its end, or to the end of everybody's patience.
pub(crate) fn run(command: &mut Command, input: &str) -> Ran {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("started");
    let mut stdin = process.stdin.take().expect("a pipe");
    let out = gather(process.stdout.take().expect("a pipe"));
    let err = gather(process.stderr.take().expect("a pipe"));
    stdin.write_all(input.as_bytes()).expect("written");
    drop(stdin);
    let said = out.recv_timeout(LONGEST);
    if said.is_err() {
        let _ = process.kill();
    }
    let err = err.recv().expect("a reader");
    let out = said.unwrap_or_else(|_| panic!("{command:?} does not end; it said:\n{err}"));
    Ran { code: process.wait().expect("an end").code(), out, err }
}

fn gather(mut pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (whole, gathered) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        let _ = whole.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    gathered
}
