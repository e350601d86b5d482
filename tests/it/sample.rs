//! The sample fleet, which readers copy: it has no finding at all, and the shape that the README tells.

use std::path::Path;

use driftless::check;
use driftless::git::{Source, SourceSettings};

#[test]
fn the_sample_fleet_has_no_findings_and_stacks_in_both_regions() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fleet");
    let source =
        Source::open(SourceSettings { path, revision: None, worktree: true, polled: false });
    let snapshot = source.unwrap().read().unwrap();
    let (desired, findings) = check::read(&snapshot).unwrap_or_else(|findings| {
        panic!("the sample fleet is refused: {findings:#?}");
    });
    assert!(findings.is_empty(), "{findings:#?}");
    let regions: Vec<_> = desired.targets().map(|target| target.region.to_string()).collect();
    for region in ["eu-central-1", "us-east-1"] {
        assert!(regions.iter().any(|other| other == region), "no target in {region}");
    }
}
