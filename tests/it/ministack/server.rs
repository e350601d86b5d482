//! ministack as a process of its own: installed below `target/` on first use, started on a free
//! port of this machine only, ended with the value.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

const REQUIREMENTS: &str = include_str!("requirements.txt");
const SERVE: &str = include_str!("serve.py");
const CONSOLE: &str = include_str!("console.py");
/// What ministack says once it takes calls.
const READY: &str = "Running on";
/// Installing takes half a minute and everything else seconds: what takes longer hangs.
const LONGEST: Duration = Duration::from_secs(180);

/// The region of all that the test does.
pub(super) const REGION: &str = "eu-central-1";
/// The account that driftless runs in. ministack takes an account's id for its root user's key.
pub(super) const HOME: &str = "999999999999";
pub(super) const SECRET: &str = "test";

/// A running ministack.
pub(super) struct Ministack {
    process: Child,
    python: PathBuf,
    endpoint: String,
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

impl Ministack {
    /// Installs it if need be and starts it. An error says why that cannot be done here.
    pub(super) fn start() -> Result<Self, String> {
        let python = install(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("ministack"))?;
        // Free now, and taken again at once.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        let mut process = clean(&python)
            .args(["-c", SERVE])
            .env("GATEWAY_PORT", port.to_string())
            .env("BIND_HOST", "127.0.0.1")
            .env("MINISTACK_HOST", "127.0.0.1")
            // Trust policies, external ids and capabilities count.
            .env("AUTH", "true")
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            // Every call is written down, so that the test can ask which ones were made.
            .env("CLOUDTRAIL_RECORDING", "1")
            .env("SFTP_ENABLED", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("python");
        let log = process.stderr.take().expect("a pipe");
        // From here on, whatever panics ends the process.
        let server = Self { process, python, endpoint: format!("http://127.0.0.1:{port}") };
        let (ready, log) = follow(log);
        if ready.recv_timeout(LONGEST).is_err() {
            panic!("ministack did not start:\n{}", log.recv_timeout(LONGEST).unwrap_or_default());
        }
        Ok(server)
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Calls as the root users of accounts, each `[account, service, operation, arguments]`, and
    /// their answers; what is refused answers with an `error`.
    pub(super) fn ask_all(&self, calls: &[Value]) -> Vec<Value> {
        let mut command = clean(&self.python);
        command.args(["-c", CONSOLE, &self.endpoint, REGION]);
        let ran = run(&mut command, &serde_json::to_string(calls).expect("json"));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        serde_json::from_str(&ran.out).expect("answers")
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends once when ministack is ready, and once all that it said when it has ended.
fn follow(log: impl Read + Send + 'static) -> (Receiver<()>, Receiver<String>) {
    let ((ready, is_ready), (ended, whole)) = (channel(), channel());
    thread::spawn(move || {
        let mut said = String::new();
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if line.contains(READY) {
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
    fill.arg("-r").arg(&requirements);
    tried(&mut fill, "`pip install` of ministack does not work")?;
    std::fs::write(&installed, REQUIREMENTS).expect("written");
    Ok(python)
}

/// A command that sees nothing of the environment in which the tests run.
pub(super) fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", env!("CARGO_TARGET_TMPDIR"));
    command.current_dir(env!("CARGO_TARGET_TMPDIR"));
    command
}

/// Runs a command to its end, or to the end of everybody's patience.
pub(super) fn run(command: &mut Command, input: &str) -> Ran {
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
