//! ministack as a process of its own, on a free port of this machine only, ended with the value.

use std::path::PathBuf;

use serde_json::Value;

use crate::python::{Serving, clean, free_port, python, run, start};

const SERVE: &str = include_str!("serve.py");
const CONSOLE: &str = include_str!("console.py");
/// What ministack says once it takes calls.
const READY: &str = "Running on";

/// The region of all that the test does.
pub(super) const REGION: &str = "eu-central-1";
/// The account that driftless runs in. ministack takes an account's id for its root user's key.
pub(crate) const HOME: &str = "999999999999";
pub(super) const SECRET: &str = "test";

/// A running ministack.
pub(crate) struct Ministack {
    python: PathBuf,
    endpoint: String,
    _server: Serving,
}

impl Ministack {
    /// Installs it if need be and starts it. An error says why that cannot be done here.
    pub(crate) fn start() -> Result<Self, String> {
        let python = python()?;
        let port = free_port();
        let mut command = clean(&python);
        let command = command
            .args(["-c", SERVE])
            .env("GATEWAY_PORT", port.to_string())
            .env("BIND_HOST", "127.0.0.1")
            .env("MINISTACK_HOST", "127.0.0.1")
            // Trust policies, external ids and capabilities count.
            .env("AUTH", "true")
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            // Every call is written down, so that the test can ask which ones were made.
            .env("CLOUDTRAIL_RECORDING", "1")
            .env("SFTP_ENABLED", "0");
        let server = start(command, READY);
        Ok(Self { python, endpoint: format!("http://127.0.0.1:{port}"), _server: server })
    }

    pub(crate) fn endpoint(&self) -> &str {
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
