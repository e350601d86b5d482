//! Files that are not in git and that a build made: named by place and digest, packaged as if they were.

use driftless::ids::Digest;

use crate::artifacts::{HOME, ONLY_CODE, SCAN, objects, world};
use crate::world::World;

const OUTPUT: &[u8] = b"PK made by a build";

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", Digest::of(bytes))
}

/// A world whose code is a build output beside the repository.
fn with_output(artifacts: &str) -> World {
    let world = world(1);
    world.write("scan/scan.yaml", &ONLY_CODE.replace("Code: code", "Code: code.zip"));
    world.write("scan/service.yaml", &format!("{SCAN}  artifacts:\n{artifacts}"));
    world.commit();
    world
}

fn output(path: &str, from: &str, digest: &str) -> String {
    format!("    - {{ path: {path}, from: \"{from}\", digest: \"{digest}\" }}\n")
}

#[tokio::test(start_paused = true)]
async fn a_build_output_is_deployed_as_its_digest_says() {
    let world = with_output(&output("code.zip", "file:../out/code.zip", &digest(OUTPUT)));
    let ended = world.apply().await;
    assert_eq!(ended.standing.total().stuck, 1);
    let verdict = world.verdict(1, "scan");
    assert!(verdict.contains("there is no file at file:../out/code.zip"), "{verdict}");
    world.write("../out/code.zip", "something else");
    world.apply().await;
    let verdict = world.verdict(1, "scan");
    assert!(verdict.contains("has the digest sha256:"), "{verdict}");
    world.write("../out/code.zip", std::str::from_utf8(OUTPUT).expect("text"));
    world.apply().await.assert_converged(3);
    assert_eq!(objects(&world, HOME), 1);
}

#[test]
fn validate_says_which_build_output_is_missing_and_refuses_nothing() {
    let world = with_output(&output("code.zip", "file:../out/code.zip", &digest(OUTPUT)));
    let said = world.driftless(&["validate"]);
    assert!(said.contains("`scan/code.zip`: there is no file at file:../out/code.zip"), "{said}");
    assert!(said.contains("service.yaml:8:31"), "{said}");
    assert!(said.contains("good: "), "{said}");
    world.write("../out/code.zip", std::str::from_utf8(OUTPUT).expect("text"));
    let said = world.driftless(&["validate"]);
    assert!(!said.contains("code.zip"), "{said}");
}

#[test]
fn what_is_wrong_with_a_build_output_is_found_at_its_place() {
    let good = digest(OUTPUT);
    for (artifacts, expected) in [
        (output("../../x.zip", "file:x", &good), "`../../x.zip` leaves the fleet folder"),
        (output("code.zip", "dist/x", &good), "`dist/x` is no place of a build output"),
        (output("code.zip", "file:x", "sha1:12"), "`sha1:12` is no digest"),
        (output("code/scan.py", "file:x", &good), "`scan/code/scan.py` is in git too"),
        (output("other.zip", "file:x", &good), "no template points to `scan/other.zip`"),
        (output("other.zip", "file:x", &good), "name what a build makes of it in `artifacts`"),
        (
            output("code.zip", "file:x", &good) + &output("code.zip", "file:y", &good),
            "`scan/code.zip` is another file elsewhere",
        ),
    ] {
        let world = with_output(&artifacts);
        if expected.starts_with("no template") {
            world.write("scan/scan.yaml", ONLY_CODE);
            world.commit();
        }
        let said = world.driftless(&["validate", "--format", "json"]);
        assert!(said.contains(expected), "{artifacts}: {said}");
    }
}
