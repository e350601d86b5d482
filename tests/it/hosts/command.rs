//! `driftless plan --post` as a job in CI runs it, over real TCP.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::Duration;

use driftless::announce::hosts::GitHost;
use driftless::clock::Clock;
use serde_json::json;

use crate::announce::wire;
use crate::hosts::stand_in::{Fault, Forge, TOKEN};
use crate::world::{START, World};

/// A fleet in which a commit changed a parameter, a git host, and a job for the pull request.
struct Job {
    world: World,
    forge: Forge,
    api: String,
    is_fork: bool,
}

impl Job {
    fn new(host: GitHost) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (world, forge) = runtime.block_on(async {
            let clock = Clock::starting_at(START);
            (World::with_tenants(2), Forge::with_latency(host, &clock, Duration::ZERO))
        });
        world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
        world.commit();
        let api = served(&forge);
        Self { world, forge, api, is_fork: false }
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let event = self.world.journal_path().with_file_name("event.json");
        std::fs::create_dir_all(event.parent().expect("a folder")).expect("made");
        let head = if self.is_fork { "anna/fleet" } else { "acme/fleet" };
        let text = json!({ "pull_request": {
            "number": 7,
            "head": { "sha": "a".repeat(40), "repo": { "full_name": head } },
            "base": { "sha": "b".repeat(40), "repo": { "full_name": "acme/fleet" } },
        } });
        std::fs::write(&event, text.to_string()).expect("a file");
        vec![
            ("GITHUB_API_URL", self.api.clone()),
            ("GITHUB_REPOSITORY", "acme/fleet".to_owned()),
            ("GITHUB_EVENT_PATH", event.display().to_string()),
            ("CI_API_V4_URL", self.api.clone()),
            ("CI_PROJECT_ID", "acme/fleet".to_owned()),
            ("CI_MERGE_REQUEST_IID", "7".to_owned()),
            ("CI_COMMIT_SHA", "a".repeat(40)),
        ]
    }

    /// Exit code, stdout and stderr of `plan --post HOST`.
    fn plan(&self, host: &str, token: Option<&str>) -> (i32, String, String) {
        let tokens = ["GITHUB_TOKEN", "GITLAB_TOKEN"].map(|name| token.map(|token| (name, token)));
        // Its log and its waits are in real time, but for nothing that is written only once.
        let ran = Command::new(env!("CARGO_BIN_EXE_driftless"))
            .env_clear()
            .envs(self.variables())
            .envs(tokens.into_iter().flatten())
            .current_dir(self.world.repository().parent().expect("a folder"))
            .args(["--fleet", "fleet", "plan", "--from", "HEAD~1", "--post", host])
            .output()
            .expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        let (out, err) = (text(ran.stdout), text(ran.stderr));
        assert!(!out.contains(TOKEN) && !err.contains(TOKEN), "the token is a secret");
        (ran.status.code().expect("a code"), out, err)
    }
}

/// Serves a host on the loopback; where it is.
fn served(forge: &Forge) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let api = format!("http://{}", listener.local_addr().expect("an address"));
    let forge = forge.clone();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let (head, body) = wire::read(&stream);
            let mut lines = head.lines();
            let mut words = lines.next().unwrap_or_default().split(' ');
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or("/"));
            let headers: BTreeMap<&str, String> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name, value.to_owned()))
                .collect();
            let Some(answer) = forge.answer(method, path, &headers, &body) else { continue };
            let mut text = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", answer.status);
            for (name, value) in &answer.headers {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            text.push_str(&format!("Content-Length: {}\r\n\r\n{}", answer.body.len(), answer.body));
            // The program may have ended.
            let _ = stream.write_all(text.as_bytes());
        }
    });
    api
}

#[test]
fn a_plan_is_posted_and_printed_all_the_same() {
    for (host, word) in [(GitHost::GitHub, "github"), (GitHost::GitLab, "gitlab")] {
        let job = Job::new(host);
        let (code, out, err) = job.plan(word, Some(TOKEN));
        assert_eq!(
            (code, err.as_str()),
            (2, "posted to acme/fleet number 7: 1 comment created; status `driftless/plan`\n")
        );
        assert!(out.contains("update api: ") && !out.contains("<!--"), "{out}");
        let bodies = job.forge.bodies();
        assert!(
            bodies[0].starts_with("<!-- driftless plan -->\n### Plan for test: "),
            "{bodies:?}"
        );
        let statuses = job.forge.statuses();
        assert_eq!(statuses[0].1["description"], "2 to update, 2 unchanged; in 2 tenants");
        assert_eq!(statuses[0].1["state"], "success");
        let (_, _, err) = job.plan(word, Some(TOKEN));
        assert!(err.contains(": 1 comment unchanged; "), "{err}");
    }
}

#[test]
fn a_revision_with_errors_is_posted_as_refused_and_fails() {
    let job = Job::new(GitHost::GitHub);
    job.world.edit("api/service.yaml", "Size:", "Sice:");
    job.world.commit();
    let (code, out, err) = job.plan("github", Some(TOKEN));
    assert_eq!(code, 1, "{err}");
    assert!(out.contains("is refused") && err.starts_with("posted to acme/fleet"), "{err}");
    assert!(job.forge.bodies()[0].contains("is refused"));
    let (_, status) = &job.forge.statuses()[0];
    assert_eq!(status["state"], "failure");
    let text = status["description"].as_str().expect("a text");
    assert!(text.starts_with("2 errors: fleet/api/service.yaml:"), "{text}");
}

#[test]
fn without_a_token_the_comment_is_printed() {
    let job = Job::new(GitHost::GitHub);
    for (host, word) in [("github", "GITHUB_TOKEN"), ("gitlab", "GITLAB_TOKEN")] {
        let (code, out, err) = job.plan(host, None);
        assert_eq!(code, 2, "{err}");
        assert!(out.starts_with("<!-- driftless plan -->\n### Plan for test: "), "{out}");
        assert!(
            err.starts_with(&format!("not posted, printed instead: {word} is not set")),
            "{err}"
        );
    }
    assert_eq!(job.forge.calls().len(), 0);
}

const FORBIDDEN: &str = r#"{"message":"Resource not accessible by integration"}"#;

#[test]
fn a_token_of_a_fork_that_may_only_read_is_none() {
    let job = Job { is_fork: true, ..Job::new(GitHost::GitHub) };
    job.forge.fails("POST /repos", &[Fault::Answers(403, vec![], FORBIDDEN)]);
    let (code, out, err) = job.plan("github", Some(TOKEN));
    assert_eq!(code, 2, "{err}");
    assert!(out.starts_with("<!-- driftless plan -->"), "{out}");
    assert!(err.contains("printed instead: the change comes from a fork"), "{err}");
}

#[test]
fn a_token_without_the_right_is_an_error_that_names_it() {
    let job = Job::new(GitHost::GitHub);
    job.forge.fails("POST /repos", &[Fault::Answers(403, vec![], FORBIDDEN)]);
    let (code, out, err) = job.plan("github", Some(TOKEN));
    assert_eq!(code, 1);
    assert!(out.contains("update api: "), "the plan is there all the same: {out}");
    assert_eq!(
        err,
        "error: GitHub does not let this token write the comment\n  cause: 403: Resource not \
         accessible by integration\n  cause: until then: no comment written\n  help: give the token \
         `pull-requests: write` (in GitHub Actions below `permissions`)\n"
    );
}
