//! No credential is ever written down: the whole program at its most talkative, against a cloud and
//! receivers that repeat every secret that they are told, and everything that it leaves is searched.

mod spy;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use driftless::ids::AccountId;
use driftless::sim::{CallFault, Calls, CloudSettings};

use crate::python::{clean, run};
use crate::secrets::spy::{Plan, Seen, Spy, rude};
use crate::serve::Served;
use crate::world::World;

/// Secrets of the environment and of the repository.
const HOOK_PATH: &str = "T0-h00k-path/+secret=";
const HOOK_KEY: &str = "k3y-of-the-hook/+=";
const HOST_TOKEN: &str = "ghp_t0kenOfTheHost";
const GIT_TOKEN: &str = "gl-t0kenInTheUrl";
const NO_ECHO: &str = "n0-3cho-value/+=";

const NOTIFY: &str = "  notify:
    - { name: team, slack: { url: { env: TEAM_HOOK } } }
    - { name: events, webhook: { url: { env: EVENTS_HOOK }, secret: { env: EVENTS_KEY } } }
  commitStatus: { github: { repository: acme/fleet, api: \"http://HOST\", token: { env: HOST_TOKEN } } }
";

/// A service with a secret that AWS shows to nobody.
const VAULT: &str = "apiVersion: driftless.dev/v1
kind: Service
metadata: { name: vault }
spec:
  template: vault.yaml
  parameters: { Password: \"SECRET\" }
";
const VAULT_TEMPLATE: &str = "Parameters:
  Password: { Type: String, NoEcho: true }
Resources:
  Kept: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref Password } }
";

const TENANTS: usize = 8;

fn account(tenant: usize) -> AccountId {
    format!("{:012}", crate::world::account(tenant)).parse().expect("an account")
}

/// A fleet in AWS with channels, and accounts whose calls fail in every way.
struct Stage {
    world: World,
    spy: Spy,
    got: Arc<Mutex<Vec<String>>>,
    receiver: String,
    served: Served,
}

impl Stage {
    fn set() -> Self {
        let world = World::with_tenants(TENANTS);
        let (receiver, got) = rude();
        let receiver = receiver.to_string();
        let fleet = std::fs::read_to_string(world.repository().join("fleet.yaml")).expect("a file");
        let fleet = fleet.replace("cloud: simulated", "cloud: aws");
        world.write(
            "fleet.yaml",
            &format!("{fleet}{}", NOTIFY.replace("HOST\"", &format!("{receiver}\""))),
        );
        world.write("vault/service.yaml", &VAULT.replace("SECRET", NO_ECHO));
        world.write("vault/vault.yaml", VAULT_TEMPLATE);
        world.commit();
        let served = Served::with(CloudSettings { speed: 100_000.0, ..CloudSettings::default() });
        let script = served.cloud.script();
        script.deny_role(account(2));
        let of = |tenant| Calls { account: Some(account(tenant)), ..Calls::default() };
        let looks = |tenant| Calls { api: Some("DescribeStacks".to_owned()), ..of(tenant) };
        let ended = ("ExpiredToken".to_owned(), "The security token is expired".to_owned());
        let (code, message) = ended;
        script.calls(looks(3), CallFault::Refused { code, message }, None);
        script.calls(looks(4), CallFault::Malformed, Some(2));
        let plan = Plan {
            refused: account(5).to_string(),
            cut: account(6).to_string(),
            garbled: account(7).to_string(),
        };
        let spy = Spy::before(served.address, plan);
        Self { world, spy, got, receiver, served }
    }

    /// The program in an environment full of secrets, whose variables ask for all that can be logged.
    fn driftless(&self, arguments: &[&str]) -> Command {
        let mut command = clean(Path::new(env!("CARGO_BIN_EXE_driftless")));
        let (key, secret) = self.served.cloud.keys_of(None);
        let hook = format!("http://{}/{HOOK_PATH}", self.receiver);
        command
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.spy.address))
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", key)
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("TEAM_HOOK", &hook)
            .env("EVENTS_HOOK", &hook)
            .env("EVENTS_KEY", HOOK_KEY)
            .env("HOST_TOKEN", HOST_TOKEN)
            .env("PATH", std::env::var_os("PATH").expect("a path"))
            .envs(["RUST_LOG", "DRIFTLESS_LOG"].map(|name| (name, "trace")))
            .arg("--fleet")
            .arg(self.world.repository())
            .arg("--state")
            .arg(self.world.journal_path())
            .args(["-vvvvv"])
            .args(arguments);
        command
    }

    /// What one command says in all.
    fn said(&self, arguments: &[&str]) -> String {
        said(&mut self.driftless(arguments))
    }

    /// What `run` says until every kind of failure was met, and after it was told to stop.
    fn said_by_run(&self, log_format: &str) -> String {
        let mut command = self.driftless(&["--log-format", log_format, "run"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("started");
        let mut lines = BufReader::new(process.stderr.take().expect("a pipe"));
        let (mut said, before) = (String::new(), self.got.lock().unwrap().len());
        let is_met = || {
            let told = self.spy.seen.lock().unwrap().told.len() == 3;
            told && self.got.lock().unwrap().len() > before
        };
        while !is_met() {
            assert_ne!(lines.read_line(&mut said).expect("a line"), 0, "it ended: {said}");
        }
        let told =
            Command::new("sh").args(["-c", &format!("kill -TERM {}", process.id())]).status();
        assert!(told.expect("a shell").success());
        lines.read_to_string(&mut said).expect("the rest");
        process.stdout.take().expect("a pipe").read_to_string(&mut said).expect("text");
        assert_eq!(process.wait().expect("an end").code(), Some(0), "{said}");
        said
    }
}

/// What a command says; it ends as one that was understood.
fn said(command: &mut Command) -> String {
    let ran = run(command, "");
    assert!(matches!(ran.code, Some(0..=3)), "{command:?}: {ran:?}");
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    assert!(!ran.err.contains("Usage:"), "{}", ran.err);
    format!("{}{}", ran.out, ran.err)
}

/// A text as it may be written: plain, percent-encoded, in base64 wherever it begins, in JSON.
fn forms(secret: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::from([secret.to_owned()]);
    for case in [|byte: u8| format!("%{byte:02X}"), |byte: u8| format!("%{byte:02x}")] {
        let encoded = |byte: u8| match byte {
            _ if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                char::from(byte).to_string()
            }
            _ => case(byte),
        };
        forms.insert(secret.bytes().map(encoded).collect());
    }
    for before in 0..3 {
        let bytes = [&vec![b' '; before][..], secret.as_bytes()].concat();
        let text = base64(&bytes);
        // The ends depend on what stands beside it.
        let (first, last) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        forms.insert(text[first..last].to_owned());
    }
    forms
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String = bytes.iter().fold(String::new(), |mut bits, byte| {
        write!(bits, "{byte:08b}").unwrap();
        bits
    });
    let letters = bits.as_bytes().chunks(6).map(|bits| {
        let bits = format!("{:0<6}", std::str::from_utf8(bits).unwrap());
        char::from(LETTERS[usize::from_str_radix(&bits, 2).unwrap()])
    });
    letters.collect()
}

/// Every form of a secret that a text has, with what stands around it.
fn found(text: &str, secrets: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for form in secrets.iter().flat_map(|secret| forms(secret)) {
        if let Some(at) = text.find(&form) {
            let start = (0..=at.saturating_sub(200)).rev().find(|at| text.is_char_boundary(*at));
            let end = (at + form.len() + 40).min(text.len());
            let end = (end..=text.len()).find(|end| text.is_char_boundary(*end));
            let (start, end) = (start.unwrap_or(0), end.unwrap_or(text.len()));
            found.push(format!("`{form}` in ...{}...", &text[start..end]));
        }
    }
    found
}

fn files_of(folder: &Path, all: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_of(&path, all);
        } else {
            let bytes = std::fs::read(&path).unwrap_or_default();
            all.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}

/// All that must be seen by nobody, once everything has happened.
fn secrets(stage: &Stage) -> BTreeSet<String> {
    let given = [HOOK_PATH, HOOK_KEY, HOST_TOKEN, GIT_TOKEN, NO_ECHO].map(str::to_owned);
    let seen = stage.spy.seen.lock().unwrap();
    let mut all: BTreeSet<String> = seen.secrets.iter().cloned().chain(given).collect();
    all.insert(stage.served.cloud.keys_of(None).1);
    all
}

/// That every secret was in use, or finding none of them would mean nothing.
fn all_were_used(stage: &Stage) {
    let Seen { secrets, bodies, told, .. } = &*stage.spy.seen.lock().unwrap();
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), ["cut", "garbled", "refused"]);
    assert!(secrets.len() > 3 * TENANTS, "{secrets:?}");
    let encoded = forms(NO_ECHO);
    assert!(bodies.iter().any(|body| encoded.iter().any(|form| body.contains(form))));
    let got = stage.got.lock().unwrap().concat();
    for secret in [HOOK_PATH, HOST_TOKEN, base64(format!("ann:{GIT_TOKEN}").as_bytes()).trim()] {
        assert!(got.contains(secret), "{secret} was not sent:\n{got}");
    }
    assert!(got.to_lowercase().contains("x-driftless-signature"), "{got}");
}

#[test]
fn nothing_that_is_said_or_kept_holds_a_secret() {
    let stage = Stage::set();
    let mut texts = vec![("run".to_owned(), stage.said_by_run("text"))];
    for arguments in [
        &["validate"][..],
        &["validate", "--format", "json"],
        &["render"],
        &["render", "--format", "json"],
        &["--log-format", "json", "apply", "--yes", "--tenant", "t8"],
        &["plan", "--live"],
        &["--log-format", "json", "plan", "--live", "--format", "json"],
        &["status"],
        &["status", "--format", "json"],
        &["explain", "t1/vault"],
        &["explain", "t5/vault", "--format", "json"],
        &["drift", "detect", "--tenant", "t1"],
        &["approve", "--format", "json"],
        &["notify", "test"],
    ] {
        texts.push((arguments.join(" "), stage.said(arguments)));
    }
    let url = format!("http://ann:{GIT_TOKEN}@{}/fleet.git", stage.receiver);
    let mut remote = stage.driftless(&["validate"]);
    let remote = remote.env("DRIFTLESS_FLEET", &url).args(["--fleet", &url]);
    texts.push(("a remote fleet".to_owned(), said(remote.env("GIT_TRACE_CURL", "1"))));
    texts.push(("run again".to_owned(), stage.said_by_run("json")));
    let mut journal = Vec::new();
    files_of(stage.world.journal_path().parent().expect("a folder"), &mut journal);
    assert!(journal.iter().any(|(_, text)| text.contains("SignatureDoesNotMatch")));
    texts.extend(journal);

    all_were_used(&stage);
    let secrets = secrets(&stage);
    let mut leaks = String::new();
    for (what, text) in &texts {
        for leak in found(text, &secrets) {
            writeln!(leaks, "{what}: {leak}").unwrap();
        }
    }
    assert!(leaks.is_empty(), "{leaks}");
}

#[test]
fn credentials_of_files_and_of_other_programs_are_as_safe_as_those_of_the_environment() {
    let stage = Stage::set();
    let (key, secret) = stage.served.cloud.keys_of(None);
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("config");
    let printed = format!(
        "{{\"Version\": 1, \"AccessKeyId\": \"{key}\", \"SecretAccessKey\": \"{secret}\"}}"
    );
    let script = home.path().join("keys");
    std::fs::write(&script, format!("cat <<'end'\n{printed}\nend\n")).expect("a file");
    let text = format!(
        "[profile inline]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n\
         [profile program]\ncredential_process = sh {} --password {HOOK_KEY}\n",
        script.display()
    );
    std::fs::write(&file, text).expect("a file");
    let mut all = BTreeSet::from([secret, HOOK_KEY.to_owned()]);
    let mut said_of = Vec::new();
    for profile in ["inline", "program"] {
        let mut command =
            stage.driftless(&["--log-format", "json", "apply", "--yes", "--tenant", "t1"]);
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        command.env("AWS_CONFIG_FILE", &file).env("AWS_PROFILE", profile);
        let ran = run(&mut command, "");
        assert_eq!(ran.code, Some(0), "{profile}: {}", ran.err);
        said_of.push(ran.out + &ran.err);
    }
    all.extend(stage.spy.seen.lock().unwrap().secrets.iter().cloned());
    let leaks: Vec<String> = said_of.iter().flat_map(|said| found(said, &all)).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}

#[test]
fn a_secret_is_found_in_whatever_form_it_is_written() {
    let secrets = BTreeSet::from([HOOK_KEY.to_owned()]);
    let percent = HOOK_KEY.replace('/', "%2f").replace('+', "%2b").replace('=', "%3d");
    for text in [HOOK_KEY.to_owned(), percent] {
        assert!(!found(&format!("x {text} y"), &secrets).is_empty(), "{text}");
    }
    for before in ["", "a", "ab", "abc"] {
        let text = base64(format!("{before}{HOOK_KEY}:more").as_bytes());
        assert!(!found(&text, &secrets).is_empty(), "{before}: {text}");
    }
    assert_eq!(found("nothing of it", &secrets), [""; 0]);
    assert_eq!(base64(b"ann:gl-t0psecret"), "YW5uOmdsLXQwcHNlY3JldA");
}
