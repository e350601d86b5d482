//! The program against moto's server, from PyPI, where that is nearer to AWS than ministack: it
//! answers DescribeStacks in pages of 50.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::python::{Ran, Serving, clean, free_port, not_run, python, run, start};
use crate::world::World;

const SERVE: &str = include_str!("moto/serve.py");
const FILL: &str = include_str!("moto/fill.py");
const STACK_SET: &str = include_str!("moto/stack_set.py");
const REGION: &str = "eu-central-1";
/// More than two pages, all of them before those of the fleet.
const STRANGERS: usize = 120;

/// A running moto.
pub(crate) struct Moto {
    python: PathBuf,
    endpoint: String,
    _server: Serving,
}

impl Moto {
    pub(crate) fn start() -> Result<Self, String> {
        let python = python()?;
        let port = free_port();
        let server = start(clean(&python).args(["-c", SERVE, &port.to_string()]), "Running on");
        Ok(Self { python, endpoint: format!("http://127.0.0.1:{port}"), _server: server })
    }

    /// Where it listens.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Makes stacks of somebody else in an account, and says how many stacks it has now and how many
    /// of them the first page shows.
    pub(crate) fn filled(&self, account: &str, count: usize) -> Value {
        let wish = json!({ "account": account, "count": count });
        let mut command = clean(&self.python);
        let ran = run(command.args(["-c", FILL, &self.endpoint, REGION]), &wish.to_string());
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        serde_json::from_str(&ran.out).expect("json")
    }

    /// Makes a stack set, and says which parameters the stack of each instance has.
    pub(crate) fn stack_set(&self, wish: &Value) -> BTreeMap<String, BTreeMap<String, String>> {
        let mut command = clean(&self.python);
        let ran = run(command.args(["-c", STACK_SET, &self.endpoint, REGION]), &wish.to_string());
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        serde_json::from_str(&ran.out).expect("json")
    }

    pub(crate) fn driftless(&self, world: &World, arguments: &[&str]) -> Ran {
        let mut command = clean(Path::new(env!("CARGO_BIN_EXE_driftless")));
        command.arg("--fleet").arg(world.repository()).arg("--state").arg(world.journal_path());
        command
            .args(arguments)
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", REGION);
        run(&mut command, "")
    }
}

#[test]
fn stacks_beyond_the_second_page_are_seen() {
    let moto = match Moto::start() {
        Ok(moto) => moto,
        Err(why) => return not_run("the test against moto", &why),
    };
    let world = World::with_tenants(1);
    world.edit("fleet.yaml", "cloud: simulated", "cloud: aws");
    world.remove("api/service.yaml");
    // moto's SSM wants a name of every parameter.
    world.edit("network/network.yaml", "Value: !Ref Cidr", "Value: !Ref Cidr, Name: /cidr");
    world.edit("network/network.yaml", "Value: !Ref Note", "Value: !Ref Note, Name: /note");
    world.commit();
    let account = format!("{:012}", crate::world::account(1));
    let before = moto.filled(&account, STRANGERS);
    assert_eq!((&before["all"], &before["firstPage"]), (&json!(STRANGERS), &json!(50)));
    let ran = moto.driftless(&world, &["apply", "--yes"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(moto.filled(&account, 0)["all"], json!(STRANGERS + 1));
    // Whoever does not turn the page takes the stack for missing and makes it again.
    let plan = moto.driftless(&world, &["plan", "--live"]);
    assert_eq!(plan.code, Some(0), "{}\n{}", plan.out, plan.err);
    let again = moto.driftless(&world, &["apply", "--yes"]);
    assert!(again.code == Some(0) && !again.err.contains("create:"), "{}", again.err);
    let status = moto.driftless(&world, &["status", "--format", "json"]);
    let status: Value = serde_json::from_str(&status.out).expect("json");
    assert_eq!(status["counts"]["settled"], json!(1), "{status:#}");
}
