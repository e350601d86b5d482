//! What commands write with `--format json` is what `schema/output` says, field for field: run on a fleet
//! in the simulated cloud, and compared with the files that programs are given.

mod fitting;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use fitting::misfits;

/// A fleet in a folder, and the program.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// What a command writes that did not fail: 2 is a plan with changes, 3 asks for a person, and 1
    /// without a word is findings.
    fn run(&self, line: &str) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_driftless"))
            .args(line.split_whitespace())
            .args(["--cloud-speed", "20000"])
            .env_remove("DRIFTLESS_FLEET")
            .env_remove("DRIFTLESS_WORKTREE")
            .env("DRIFTLESS_USER", "anna")
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let code = output.status.code().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let is_good = code == 0 || code >= 2 || said.is_empty() && code == 1;
        assert!(is_good, "`{line}` ended with {code}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The value that a command writes, which fits the schema of this name.
    #[track_caller]
    fn value(&self, line: &str, schema: &str) -> Value {
        let text = self.run(&format!("{line} --format json"));
        let value: Value = serde_json::from_str(&text).unwrap();
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schema/output/{schema}.json"));
        let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let misfits = misfits(&value, &schema);
        assert!(misfits.is_empty(), "`{line}`: {misfits:#?}\n{text}");
        value
    }
}

#[test]
fn what_commands_write_for_programs_fits_its_schema() {
    let desk = Desk::new();
    let made = desk.value("init --tenants 2 .", "init");
    assert_eq!(made["tenants"], 2);
    assert_eq!(desk.value("validate", "validate")["errors"], 0);
    let everything = desk.value("plan", "plan");
    assert_eq!(everything["reviewed"]["services"].as_array().map(Vec::len), Some(4));
    let rendered = desk.value("render", "render");
    let applied = desk.value("apply --yes", "apply");
    assert_eq!(applied["converged"], true);
    assert_eq!(applied["settled"], rendered["stacks"].as_array().map(Vec::len).unwrap());

    let status = desk.value("status", "status");
    let stack = status["stacks"][0]["stack"].as_str().unwrap();
    let explained = desk.value(&format!("explain {stack}"), "explain");
    assert_eq!(explained["stack"], stack);
    desk.value("rollout list", "rollout");
    desk.value("rollout show scan-api", "rollout");

    assert_eq!(desk.value("approve", "approve")["requests"], Value::Array(Vec::new()));
    let suspended = desk.value("suspend service/scan-api --reason audit", "suspend");
    assert_eq!(suspended["suspensions"][0]["by"], "anna");
    assert_eq!(desk.value("suspend", "suspend")["suspensions"][0]["reason"], "audit");
    let rest = desk.value("resume service/scan-api", "suspend");
    assert_eq!(rest["suspensions"], Value::Array(Vec::new()));

    drifted(&desk);
    let edited = desk.value("tenant set tenant-0001 --label tier=gold", "tenant");
    assert_eq!(edited["changes"][0]["after"], "gold");
    asked(&desk);
    refused(&desk);
}

/// What the simulated cloud shows, and drift in it.
fn drifted(desk: &Desk) {
    let stacks = desk.value("cloud stacks", "cloud-stacks");
    let keys =
        stacks["stacks"].as_array().unwrap().iter().map(|one| one["stack"].as_str().unwrap());
    let key = keys.into_iter().find(|key| key.ends_with("/scan-api")).unwrap();
    let stack = desk.value(&format!("cloud stack {key}"), "cloud-stack");
    let events = desk.value(&format!("cloud events {key}"), "cloud-events");
    assert!(!events["events"].as_array().unwrap().is_empty());
    let resources = stack["resources"].as_object().unwrap();
    let function =
        resources.iter().find(|(_, one)| one["type"] == "AWS::Lambda::Function").unwrap().0;
    desk.run(&format!("cloud drift {key} {function} --set /Timeout=3"));
    let changed = desk.value(&format!("cloud stack {key}"), "cloud-stack");
    assert!(changed["resources"][function]["really"].is_string());
    let detected = desk.value("drift detect --service scan-api", "drift");
    assert_eq!(detected["drifted"], 1);
    assert_eq!(desk.value("drift report", "drift")["signatures"], detected["signatures"]);
    desk.value("status", "status");
    let ordered = desk.value("drift revert --yes --reason tickets", "order");
    assert_eq!(ordered["reason"], "tickets");
}

/// A fleet with an error and a warning: the exit code of `validate` is 1 then.
fn refused(desk: &Desk) {
    let tenant = desk.folder.path().join("fleet/tenants/tenant-0002.yaml");
    let text = fs::read_to_string(&tenant).unwrap();
    fs::write(&tenant, text.replace("account:", "acount:")).unwrap();
    let found = desk.value("--worktree validate", "validate");
    assert!(found["errors"].as_u64().unwrap() > 0, "{found}");
}

/// What waits for a person, and channels that nobody listens at.
fn asked(desk: &Desk) {
    let tenant = desk.folder.path().join("fleet/tenants/tenant-0001.yaml");
    let text = fs::read_to_string(&tenant).unwrap();
    fs::write(&tenant, text.replace("spec:\n", "spec:\n  lifecycle: offboarded\n")).unwrap();
    let fleet = desk.folder.path().join("fleet/fleet.yaml");
    let text = fs::read_to_string(&fleet).unwrap();
    let limited = text.replace("deletes: { tenants: 1,", "deletes: { tenants: 0,");
    let channel = "  notify:\n    - { name: hook, webhook: { url: \"http://127.0.0.1:9/\" } }\n";
    fs::write(&fleet, format!("{limited}{channel}")).unwrap();
    desk.value("--worktree apply --yes", "apply");
    let status = desk.value("status", "status");
    let asked = desk.value("approve", "approve");
    assert_eq!(status["requests"][0]["id"], asked["requests"][0]["id"]);
    let id = asked["requests"][0]["id"].as_str().unwrap();
    let given = desk.value(&format!("approve {id} --reason agreed"), "approve");
    assert_eq!(given["requests"][0]["approved"]["reason"], "agreed");
    assert_eq!(desk.value("approve", "approve")["requests"][0]["approved"]["by"], "anna");
    let tested = desk.value("--worktree notify test", "notify-test");
    assert_eq!(tested["channels"][0]["arrived"], false);
}
