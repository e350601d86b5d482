//! The files that run driftless: what they name exists, and those whom they are for take them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

use crate::python::{clean, left_out, not_run, python, run};

const SERVICE: &str = include_str!("../../fleet/run/driftless.service");
const TASK: &str = include_str!("../../fleet/run/ecs.yaml");
const README: &str = include_str!("../../README.md");
const PROGRAM: &str = env!("CARGO_BIN_EXE_driftless");
/// Where the unit says that the program is.
const INSTALLED: &str = "/usr/local/bin/driftless";
/// The most that AWS lets a task take to stop, and more than a call takes with all of its tries.
const STOPPING: &str = "120";

/// The variables that `--help` names.
fn variables() -> BTreeSet<String> {
    let ran = Command::new(PROGRAM).env_clear().arg("--help").output().expect("it runs");
    let help = String::from_utf8(ran.stdout).expect("text");
    named(&help)
}

fn named(text: &str) -> BTreeSet<String> {
    let variable = Regex::new(r"\bDRIFTLESS_[A-Z_]+\b").expect("a pattern");
    variable.find_iter(text).map(|found| found.as_str().to_owned()).collect()
}

#[test]
fn every_variable_that_the_files_and_the_readme_set_is_one_of_ours() {
    let mut known = variables();
    assert!(known.contains("DRIFTLESS_FLEET"), "{known:?}");
    // Of the tests, and who a person is.
    known.extend(["SEEDS", "INTERLEAVINGS", "USER"].map(|name| format!("DRIFTLESS_{name}")));
    for (file, text) in [("driftless.service", SERVICE), ("ecs.yaml", TASK), ("README", README)] {
        let unknown: Vec<String> = named(text).difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}");
        assert!(file == "README" || named(text).contains("DRIFTLESS_STATE"), "{file}");
    }
}

/// The unit with the program of this test, as it would be installed.
fn unit(folder: &Path) -> PathBuf {
    let path = folder.join("driftless.service");
    std::fs::write(&path, SERVICE.replace(INSTALLED, PROGRAM)).expect("a file");
    path
}

fn setting<'a>(name: &str) -> Vec<&'a str> {
    SERVICE.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect()
}

#[test]
fn the_unit_stops_and_reloads_as_the_program_understands_it() {
    assert_eq!(setting("ExecStart"), [format!("{INSTALLED} run")]);
    assert_eq!(setting("ExecReload"), ["/bin/kill -HUP $MAINPID"]);
    assert_eq!(setting("KillSignal"), ["SIGTERM"]);
    assert_eq!(setting("TimeoutStopSec"), [STOPPING]);
    assert_eq!(setting("Restart"), ["on-failure"]);
    let state = "DRIFTLESS_STATE=%S/driftless/state.db";
    assert!(setting("Environment").iter().any(|words| words.contains(state)), "{SERVICE}");
    assert_eq!(setting("StateDirectory"), ["driftless"], "and that is %S/driftless");
}

#[test]
fn systemd_takes_the_unit_and_calls_it_well_confined() {
    let analyze = Path::new("/usr/bin/systemd-analyze");
    if !analyze.exists() {
        return left_out("the unit with systemd-analyze, which is not installed");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let unit = unit(folder.path());
    let ran = run(clean(analyze).arg("verify").arg(&unit), "");
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    // From 0, which may do nothing, to 100, which may do everything.
    let offline = ["security", "--offline=true", "--threshold=20", "--no-pager"];
    let ran = run(clean(analyze).args(offline).arg(&unit), "");
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    // It does say when a unit is none.
    std::fs::write(&unit, SERVICE.replace("ExecStart", "ExecBegin")).expect("a file");
    let ran = run(clean(analyze).arg("verify").arg(&unit), "");
    assert!(ran.code != Some(0) && ran.err.contains("ExecBegin"), "{}", ran.err);
}

#[test]
fn ecs_takes_the_task_of_which_there_never_are_two() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => return not_run("the task with botocore's model of ECS", &why),
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/running/ecs.py");
    let ran = run(clean(&python).arg("-B").arg(&script), TASK);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "2 requests\n"), "{}{}", ran.out, ran.err);
    for (from, to, found) in [
        ("Essential: true", "Essential: often", "essential"),
        ("MaximumPercent: 100", "MaximumPercent: 200", "two at once"),
        ("StopTimeout: 120", "StopTimeout: 30", "stopTimeout"),
        ("Cpu: \"1024\"", "Cpus: \"1024\"", "cpus"),
    ] {
        assert!(TASK.contains(from), "{from}");
        let ran = run(clean(&python).arg("-B").arg(&script), &TASK.replace(from, to));
        assert!(ran.code == Some(1) && ran.out.contains(found), "{from}: {}{}", ran.out, ran.err);
    }
}
