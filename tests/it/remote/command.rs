//! The program itself with a URL: secrets, a first start, and a repository that comes later.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::announce::wire;
use crate::remote::{Hub, git, hub_at_rest, is_gone, script};

const TOKEN: &str = "gl-t0psecret";
/// `ann:gl-t0psecret`, as HTTP's Basic scheme has it.
const BASIC: &str = "YW5uOmdsLXQwcHNlY3JldA==";

pub(super) fn driftless(hub: &Hub, fleet: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_driftless"));
    command.env_clear().env("HOME", hub.folder.path());
    command.env("PATH", std::env::var_os("PATH").expect("a path"));
    command.args(["--fleet", fleet, "--branch", "main", "--cloud-speed", "1000", "--state"]);
    command.arg(hub.world.journal_path()).stdin(Stdio::null());
    command
}

/// Exit code, and what it wrote.
pub(super) fn ended(mut command: Command) -> (i32, String) {
    let ran = command.output().expect("it runs");
    let text = String::from_utf8([ran.stdout, ran.stderr].concat()).expect("text");
    (ran.status.code().expect("a code"), text)
}

/// A host that answers every request with 401; where it is, and the requests.
fn refusing_host() -> (String, Arc<Mutex<Vec<String>>>) {
    host("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"", "")
}

/// A host that answers every request so.
fn host(status_and_header: &str, body: &str) -> (String, Arc<Mutex<Vec<String>>>) {
    let answer = format!(
        "HTTP/1.1 {status_and_header}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    let requests: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&requests);
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let (head, _) = wire::read(&stream);
            heard.lock().unwrap().push(head);
            // The program may have ended.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (host, requests)
}

/// Every file below a folder that contains a secret.
fn holding(folder: &Path, secret: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let holds = |entry: std::fs::DirEntry| {
        let path = entry.path();
        if path.is_dir() {
            return holding(&path, secret);
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        if found { vec![path.display().to_string()] } else { Vec::new() }
    };
    entries.flat_map(holds).collect()
}

#[test]
fn a_token_in_the_url_reaches_the_host_and_is_never_seen_elsewhere() {
    let hub = hub_at_rest();
    let (host, requests) = refusing_host();
    let secret = format!("http://ann:{TOKEN}@{host}/fleet.git");
    // Notes what anybody on the machine can see of the processes.
    let (bin, seen) = (hub.folder.path().join("bin"), hub.folder.path().join("seen"));
    std::fs::create_dir(&bin).unwrap();
    let real = git(hub.folder.path(), &["--exec-path"]);
    let all = "for one in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $one; echo; done 2> /dev/null";
    let note = format!("{{ echo \"$0 $@\"; {all}; }} >> {}", seen.display());
    script(&bin.join("git"), &format!("{note}\nexec {real}/git \"$@\""));
    // git asks it while the program that speaks http runs.
    let askpass = hub.folder.path().join("askpass");
    script(&askpass, &format!("{note}\necho wrong"));
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display());
    // A journal that has accepted something, for `run` to go on and `status` to show.
    let (code, text) = ended({
        let mut command = driftless(&hub, &hub.url());
        command.args(["apply", "--yes"]);
        command
    });
    assert_eq!(code, 0, "{text}");

    let mut all = String::new();
    for arguments in [&["-vv", "plan"][..], &["--log-format", "json", "validate"], &["--help"]] {
        let mut command = driftless(&hub, &secret);
        command.env("PATH", &path).env("DRIFTLESS_FLEET", &secret).args(arguments);
        command
            .env("GIT_ASKPASS", &askpass)
            .env("GIT_TRACE", "1")
            .env("GIT_CURL_VERBOSE", "1")
            .env("GIT_TRACE_CURL", "1");
        all.push_str(&ended(command).1);
    }
    let mut command = driftless(&hub, &secret);
    let mut running = Running::start(command.env("PATH", &path).args(["-vv", "run"]));
    all.push_str(&running.until("refuses our credentials"));
    all.push_str(
        &ended({
            let mut command = driftless(&hub, &secret);
            command.arg("status");
            command
        })
        .1,
    );
    running.signal("TERM");
    all.push_str(&running.rest());

    assert!(all.contains(&format!("`http://{host}/fleet.git` refuses our credentials")), "{all}");
    let requests = requests.lock().unwrap().concat();
    assert!(requests.contains(BASIC), "the host is told who asks: {requests}");
    let seen = std::fs::read_to_string(&seen).expect("it was called");
    for process in [" fetch ", "driftless --fleet", "remote-http "] {
        assert!(seen.contains(process), "{process}: {seen}");
    }
    for secret in [TOKEN, BASIC] {
        assert!(!all.contains(secret), "{all}");
        // Its own command line is what the person wrote.
        let of_git = seen.lines().filter(|line| !line.contains("driftless --fleet"));
        assert_eq!(of_git.filter(|line| line.contains(secret)).count(), 0, "{seen}");
        assert_eq!(holding(hub.world.journal_path().parent().unwrap(), secret), [""; 0]);
    }
}

#[test]
fn a_password_is_asked_of_the_program_that_the_environment_names_for_it() {
    let hub = hub_at_rest();
    let (host, requests) = refusing_host();
    let askpass = hub.folder.path().join("askpass");
    script(&askpass, &format!("echo {TOKEN}"));
    let mut command = driftless(&hub, &format!("http://ann@{host}/fleet.git"));
    command.env("GIT_ASKPASS", &askpass).arg("validate");
    let (code, text) = ended(command);
    assert!(code == 1 && text.contains("refuses our credentials"), "{text}");
    let requests = requests.lock().unwrap().concat();
    assert!(requests.contains(BASIC), "{requests}");
}

#[test]
fn ssh_is_the_program_that_git_is_configured_with() {
    let hub = hub_at_rest();
    let (ssh, called) = (hub.folder.path().join("my-ssh"), hub.folder.path().join("called"));
    script(&ssh, &format!("echo \"$@\" > {}; exit 1", called.display()));
    let config = format!("[core]\n\tsshCommand = {}\n", ssh.display());
    std::fs::write(hub.folder.path().join(".gitconfig"), config).unwrap();
    let mut command = driftless(&hub, "git@host.invalid:fleet.git");
    command.arg("validate");
    assert_eq!(ended(command).0, 1);
    let called = std::fs::read_to_string(called).expect("it was called");
    assert!(called.contains("git@host.invalid"), "{called}");
}

#[test]
fn a_token_in_the_url_is_not_sent_to_whomever_the_host_sends_us_to() {
    let hub = hub_at_rest();
    let line = format!("{} HEAD\0agent=x\n", "1".repeat(40));
    let line = format!("001e# service=git-upload-pack\n0000{:04x}{line}0000", line.len() + 4);
    let advertised = "200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement";
    let (elsewhere, heard) = host(advertised, &line);
    let to = format!("http://{elsewhere}/fleet.git/info/refs?service=git-upload-pack");
    let (sender, asked) = host(&format!("302 Found\r\nLocation: {to}"), "");
    let mut command = driftless(&hub, &format!("http://ann:{TOKEN}@{sender}/fleet.git"));
    command.arg("validate");
    let (code, text) = ended(command);
    assert!(code == 1 && text.contains("name the address where the repository is now"), "{text}");
    assert!(asked.lock().unwrap().concat().contains(BASIC), "the host itself is told");
    let heard = heard.lock().unwrap().concat();
    assert!(!heard.contains(BASIC), "{heard}");
}

/// The program while it runs.
pub(crate) struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStderr>>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("started");
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        Self { child, lines }
    }

    /// What it says until it says this.
    pub(crate) fn until(&mut self, words: &str) -> String {
        let mut said = String::new();
        for line in self.lines.by_ref().map_while(Result::ok) {
            said.push_str(&format!("{line}\n"));
            if line.contains(words) {
                return said;
            }
            assert!(!line.contains(" WARN "), "not `{words}` but\n{said}");
        }
        panic!("it ended without `{words}`:\n{said}");
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status();
        assert!(sent.expect("it runs").success());
    }

    pub(crate) fn rest(mut self) -> String {
        let said = self.lines.by_ref().map_while(Result::ok).collect::<Vec<_>>().join("\n");
        assert!(self.child.wait().expect("ended").success(), "{said}");
        said
    }
}

#[test]
fn a_first_start_that_cannot_fetch_fails_and_a_later_one_waits() {
    let hub = hub_at_rest();
    hub.rename("bare.git", "elsewhere.git");
    for arguments in [&["run"][..], &["apply", "--yes"], &["plan"], &["validate"]] {
        let mut command = driftless(&hub, &hub.url());
        command.args(arguments);
        let (code, text) = ended(command);
        assert_eq!(code, 1, "{arguments:?}: {text}");
        assert!(text.contains("error: ") && text.contains("is no repository"), "{text}");
        assert!(text.contains("help: see that the address is right"), "{text}");
    }
    hub.rename("elsewhere.git", "bare.git");
    let apply = || {
        let mut command = driftless(&hub, &hub.url());
        command.args(["apply", "--yes"]);
        ended(command)
    };
    let (code, text) = apply();
    assert_eq!(code, 0, "{text}");

    // What is there to go on with is gone, and so is the other side.
    hub.rename("bare.git", "elsewhere.git");
    std::fs::remove_dir_all(hub.clone()).unwrap();
    let (code, text) = apply();
    assert!(code == 1 && text.contains("is no repository"), "{text}");
    let mut running = Running::start(driftless(&hub, &hub.url()).arg("run"));
    let said = running.until("is tried again");
    assert_eq!(said.lines().count(), 1, "{said}");
    hub.rename("elsewhere.git", "bare.git");
    running.signal("HUP");
    let said = running.until("in sync: 2 stacks");
    assert!(said.contains("can be fetched again; the trouble began"), "{said}");
    running.signal("TERM");
    running.rest();

    // With a clone it goes on at once, whether or not there is another side.
    hub.rename("bare.git", "elsewhere.git");
    let mut running = Running::start(driftless(&hub, &hub.url()).arg("run"));
    running.until("is tried again");
    running.until("in sync: 2 stacks");
    running.signal("TERM");
    running.rest();
}

#[test]
fn a_start_that_waits_for_its_repository_can_be_stopped() {
    let hub = hub_at_rest();
    let mut command = driftless(&hub, &hub.url());
    command.args(["apply", "--yes"]);
    assert_eq!(ended(command).0, 0);
    hub.rename("bare.git", "elsewhere.git");
    std::fs::remove_dir_all(hub.clone()).unwrap();
    let mut running = Running::start(driftless(&hub, &hub.url()).arg("run"));
    running.until("is tried again");
    running.signal("TERM");
    running.rest();
}

#[test]
fn a_stop_ends_a_fetch_that_hangs() {
    let hub = hub_at_rest();
    let mut command = driftless(&hub, &hub.url());
    command.args(["apply", "--yes"]);
    assert_eq!(ended(command).0, 0);
    let at = |name: &str| hub.folder.path().join(name);
    let (ssh, started, late) = (at("ssh"), at("started"), at("late"));
    let text = "echo $$ > {0}.new; mv {0}.new {0}; sleep 60; echo > {1}";
    let text = text.replace("{0}", &started.display().to_string());
    script(&ssh, &text.replace("{1}", &late.display().to_string()));
    let mut command = driftless(&hub, "git@host.invalid:fleet.git");
    command.env("GIT_SSH_COMMAND", &ssh).arg("run");
    let running = Running::start(&mut command);
    while !started.exists() {
        thread::yield_now();
    }
    running.signal("TERM");
    running.rest();
    let pid = std::fs::read_to_string(started).unwrap();
    while !is_gone(&pid) {
        thread::yield_now();
    }
    assert!(!late.exists(), "it was ended, and did not end by itself");
}
