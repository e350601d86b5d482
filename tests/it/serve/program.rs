//! `driftless cloud serve` as people run it: driftless and the AWS CLI work in the cloud that it serves.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::python::{Ran, clean, not_run, python, run};
use crate::remote::Running;
use crate::world::World;

const TEMPLATE: &str = "Parameters:
  Word: { Type: String, Default: one }
Resources:
  Note: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref Word } }
Outputs:
  Word: { Value: !Ref Word }
";

/// The program, serving the cloud beside the journal of a world.
struct Program<'a> {
    world: &'a World,
    process: Child,
    out: BufReader<ChildStdout>,
    variables: BTreeMap<String, String>,
}

impl<'a> Program<'a> {
    fn start(world: &'a World) -> Self {
        let mut process = driftless(world)
            .args(["--cloud-speed", "100000", "cloud", "serve", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let mut out = BufReader::new(process.stdout.take().expect("piped"));
        let mut variables = BTreeMap::new();
        while !variables.contains_key("AWS_DEFAULT_REGION") {
            let mut line = String::new();
            assert_ne!(out.read_line(&mut line).expect("a line"), 0, "it said {variables:?}");
            read_exports(&line, &mut variables);
        }
        Self { world, process, out, variables }
    }

    /// Runs a command with the variables that the program printed.
    fn with_variables(&self, command: &mut Command) -> Ran {
        run(command.envs(&self.variables).current_dir(self.world.repository()), "")
    }

    fn aws(&self, python: &Path, arguments: &[&str]) -> Ran {
        let aws = python.with_file_name("aws");
        self.with_variables(clean(python).arg(aws).args(arguments))
    }

    /// Tells it to stop, as service managers do, and expects that it does.
    fn stop(mut self) {
        let id = self.process.id();
        let told = Command::new("sh").args(["-c", &format!("kill -TERM {id}")]).status();
        assert!(told.expect("a shell").success());
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).expect("the end");
        assert_eq!(rest, "");
        assert_eq!(self.process.wait().expect("an end").code(), Some(0));
    }
}

impl Drop for Program<'_> {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn driftless(world: &World) -> Command {
    let mut command = clean(Path::new(env!("CARGO_BIN_EXE_driftless")));
    command.arg("--fleet").arg(world.repository()).arg("--state").arg(world.journal_path());
    command
}

/// `export A=1 B=2` as a shell reads it.
fn read_exports(line: &str, variables: &mut BTreeMap<String, String>) {
    for word in line.trim().strip_prefix("export ").into_iter().flat_map(|rest| rest.split(' ')) {
        let (name, value) = word.split_once('=').expect("NAME=VALUE");
        variables.insert(name.to_owned(), value.to_owned());
    }
}

fn in_aws(tenants: usize) -> World {
    let world = World::with_tenants(tenants);
    world.edit("fleet.yaml", "cloud: simulated", "cloud: aws");
    world.commit();
    world
}

#[test]
fn driftless_converges_a_fleet_in_the_cloud_that_it_serves() {
    let world = in_aws(3);
    let program = Program::start(&world);
    assert_eq!(program.variables["AWS_REGION"], "eu-central-1", "that of the fleet");
    let ran = program.with_variables(driftless(&world).args(["apply", "--yes"]));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let ran = program.with_variables(driftless(&world).args(["plan", "--live"]));
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    let ran = run(driftless(&world).args(["cloud", "stacks", "--format", "json"]), "");
    let stacks: Value = serde_json::from_str(&ran.out).expect("json");
    let stacks = stacks["stacks"].as_array().expect("a list");
    assert_eq!(stacks.len(), 6);
    assert!(stacks.iter().all(|stack| stack["status"] == "CREATE_COMPLETE"), "{stacks:#?}");
    program.stop();
}

#[test]
fn run_converges_a_fleet_over_the_port_takes_a_change_and_drains_when_it_is_told_to() {
    let world = in_aws(2);
    let program = Program::start(&world);
    let mut command = driftless(&world);
    command.envs(&program.variables).arg("run").stdin(Stdio::null());
    let mut running = Running::start(&mut command);
    let said = running.until("in sync: 4 stacks");
    assert!(said.contains("its cloud is AWS"), "{said}");
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    let revision = world.commit();
    running.until(&revision[..10]);
    running.until("in sync: 4 stacks");
    // The next change has begun when it is told to stop.
    world.edit("network/service.yaml", "10.0.0.0/16", "10.1.0.0/16");
    let revision = world.commit();
    running.until(&revision[..10]);
    running.signal("TERM");
    let said = running.rest();
    assert!(said.contains("stopped; what runs in AWS goes on"), "{said}");
    let ran = run(driftless(&world).args(["cloud", "stacks", "--format", "json"]), "");
    let stacks: Value = serde_json::from_str(&ran.out).expect("json");
    let stacks = stacks["stacks"].as_array().expect("a list");
    assert_eq!(stacks.len(), 4, "{stacks:#?}");
    let is_api = |stack: &&Value| stack["stack"].as_str().is_some_and(|key| key.ends_with("/api"));
    let statuses: Vec<&Value> =
        stacks.iter().filter(is_api).map(|stack| &stack["status"]).collect();
    assert_eq!(statuses, ["UPDATE_COMPLETE"; 2], "the first change went out: {stacks:#?}");
    program.stop();
}

#[test]
fn the_aws_cli_deploys_and_looks() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => return not_run("the AWS CLI against the simulated cloud", &why),
    };
    let world = in_aws(1);
    let mut program = Program::start(&world);
    let keys = run(driftless(&world).args(["cloud", "keys", "210000000001"]), "");
    assert_eq!(keys.code, Some(0), "{}", keys.err);
    keys.out.lines().for_each(|line| read_exports(line, &mut program.variables));
    let who = program.aws(&python, &["sts", "get-caller-identity", "--query", "Account"]);
    assert_eq!((who.code, who.out.trim()), (Some(0), "\"210000000001\""), "{}", who.err);

    world.write("template.yaml", TEMPLATE);
    let deploy = ["cloudformation", "deploy", "--template-file", "template.yaml"];
    let deploy = [&deploy[..], &["--stack-name", "note", "--no-fail-on-empty-changeset"]].concat();
    for (word, said) in [
        ("Word=one", "Successfully created/updated stack - note"),
        ("Word=two", "Successfully created/updated stack - note"),
        ("Word=two", "No changes to deploy. Stack note is up to date"),
    ] {
        let deploy = [&deploy[..], &["--parameter-overrides", word]].concat();
        let mut ran = program.aws(&python, &deploy);
        // The CLI names change sets by the second, and this cloud is faster than that.
        for _ in 0..10 {
            if ran.err.contains("AlreadyExistsException") {
                ran = program.aws(&python, &deploy);
            }
        }
        assert!(ran.code == Some(0) && ran.out.contains(said), "{}\n{}", ran.out, ran.err);
    }
    let query = ["--query", "Stacks[0].[StackStatus, Outputs[0].OutputValue]", "--output", "text"];
    let look =
        [&["cloudformation", "describe-stacks", "--stack-name", "note"], &query[..]].concat();
    let ran = program.aws(&python, &look);
    assert_eq!((ran.code, ran.out.trim()), (Some(0), "UPDATE_COMPLETE\ttwo"), "{}", ran.err);
    let ran = program.aws(&python, &["cloudformation", "describe-stacks", "--stack-name", "none"]);
    assert!(ran.err.contains("(ValidationError)") && ran.err.contains("does not exist"), "{ran:?}");
    let ran = program.aws(&python, &["cloudformation", "delete-stack", "--stack-name", "note"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    program.stop();
}

#[test]
fn other_machines_are_let_in_only_when_that_is_said() {
    let world = in_aws(1);
    let ran = run(driftless(&world).args(["cloud", "serve", "--listen", "0.0.0.0:0"]), "");
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.contains("--allow-remote"), "{}", ran.err);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let world = in_aws(1);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let ran = run(driftless(&world).args(["cloud", "serve", "--listen", &address]), "");
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.contains(&format!("cannot listen on {address}")), "{}", ran.err);
}
