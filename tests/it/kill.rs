//! The real program, killed with SIGKILL again and again in the middle of its work.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use driftless::clock::Clock;
use driftless::sim::{Cloud, CloudSettings, Status};

use crate::world::{World, key};

const TENANTS: usize = 6;

fn driftless(world: &World) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_driftless"));
    command.arg("--fleet").arg(world.repository());
    command.arg("--state").arg(world.journal_path());
    command.args(["--cloud-speed", "400", "apply", "--yes"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Runs until `lines` lines have been said, and kills it there. Returns how many were said.
fn killed_after(world: &World, lines: usize) -> usize {
    let mut child = driftless(world).spawn().expect("started");
    let said = BufReader::new(child.stderr.take().expect("piped"));
    let count = said.lines().take(lines).map_while(Result::ok).count();
    child.kill().expect("killed");
    child.wait().expect("gone");
    count
}

fn events_of(folder: &Path, status: &Status) -> Vec<usize> {
    let clock = Clock::of_this_machine();
    let cloud = Cloud::in_folder(folder, CloudSettings::default(), clock).expect("a cloud");
    let names = (1..=TENANTS).flat_map(|tenant| ["network", "api"].map(|name| key(tenant, name)));
    names
        .map(|key| {
            let events = cloud.console().events(&key).expect("events");
            let own = events.iter().filter(|event| event.resource.is_none());
            own.filter(|event| event.status == *status).count()
        })
        .collect()
}

#[tokio::test]
async fn killed_twenty_times_it_still_makes_nothing_twice_and_deletes_nothing() {
    let world = World::with_tenants(TENANTS);
    let state = world.journal_path();
    let state = state.parent().expect("a folder");
    let mut said = 0;
    for round in 0..20 {
        said += killed_after(&world, 1 + round * 7 % 13);
        if round % 4 == 3 {
            for file in ["state.db", "state.db-wal", "state.db-shm"] {
                // A file that is not there is lost already.
                let _ = std::fs::remove_file(state.join(file));
            }
        }
    }
    assert!(said > 20, "it was killed in the middle of its work, not before");
    let output = driftless(&world).output().expect("ended");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let cloud = state.join("cloud");
    assert_eq!(events_of(&cloud, &Status::CREATE_IN_PROGRESS), vec![1; 2 * TENANTS]);
    assert_eq!(events_of(&cloud, &Status::DELETE_IN_PROGRESS), vec![0; 2 * TENANTS]);
    let again = driftless(&world).output().expect("ended");
    let text = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success() && !text.contains("create:"), "{text}");
}
