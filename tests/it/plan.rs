//! `driftless plan` as people and pipelines call it: between which revisions, against what AWS shows,
//! and with real change sets.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::world::commit_all;

/// A fleet made by `driftless init`, converged in its simulated cloud.
struct Repository {
    _folder: tempfile::TempDir,
    root: PathBuf,
}

const SCAN: &str = "fleet/services/scan-api/template.yaml";

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("repo");
        let made = driftless(folder.path(), &["init", "repo", "--tenants", "3"]);
        assert!(made.status.success(), "{}", text(&made));
        Self { _folder: folder, root }
    }

    fn converged() -> Self {
        let repository = Self::new();
        repository.ok(&["--cloud-speed", "2000", "apply", "--yes"]);
        repository
    }

    fn run(&self, arguments: &[&str]) -> Output {
        driftless(&self.root, arguments)
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", text(&output));
        text(&output)
    }

    /// The plan with its exit code.
    fn plan(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(&[&["--cloud-speed", "2000", "plan"], arguments].concat());
        (output.status.code().expect("it exits"), text(&output))
    }

    fn edit(&self, path: &str, from: &str, to: &str) {
        let path = self.root.join(path);
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(text.contains(from), "{from}");
        std::fs::write(path, text.replace(from, to)).expect("written");
    }

    fn git(&self) -> git2::Repository {
        git2::Repository::open(&self.root).expect("a repository")
    }

    /// Makes a branch at a revision and checks it out.
    fn branch(&self, name: &str, at: &str) {
        let git = self.git();
        let commit = git.revparse_single(at).expect("known").peel_to_commit().expect("a commit");
        git.branch(name, &commit, true).expect("a branch");
        git.set_head(&format!("refs/heads/{name}")).expect("a branch");
        let mut forced = git2::build::CheckoutBuilder::new();
        git.checkout_head(Some(forced.force())).expect("checked out");
    }
}

fn driftless(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_driftless"));
    command.env_clear().current_dir(folder).args(arguments).output().expect("it runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn what_others_merged_since_a_branch_was_made_is_not_shown_as_undone() {
    let repository = Repository::new();
    repository.branch("ours", "HEAD");
    repository.edit(SCAN, "MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 600");
    commit_all(&repository.root);
    repository.branch("theirs", "HEAD~1");
    repository.edit("fleet/services/baseline/template.yaml", "Description: ", "Description: A. ");
    commit_all(&repository.root);

    let (code, plan) = repository.plan(&["--from", "theirs", "--to", "ours"]);
    assert_eq!(code, 2, "{plan}");
    assert!(plan.contains("theirs has commits that") && plan.contains("in common"), "{plan}");
    assert!(plan.contains("update scan-api") && !plan.contains("baseline"), "{plan}");
    let (code, back) = repository.plan(&["--from", "ours", "--to", "ours~1"]);
    assert!(code == 2 && back.contains("this goes back"), "{back}");
    let (code, none) = repository.plan(&["--from", "ours", "--to", "ours"]);
    assert!(code == 0 && none.contains("No changes"), "{none}");
}

#[test]
fn a_shallow_clone_fails_and_says_how_deep_to_fetch() {
    let repository = Repository::new();
    repository.edit(SCAN, "MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 600");
    let head = commit_all(&repository.root);
    std::fs::write(repository.root.join(".git/shallow"), format!("{head}\n")).expect("written");
    for arguments in [&["--from", "HEAD~1"][..], &[]] {
        let (code, said) = repository.plan(arguments);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("is shallow") && said.contains("fetch-depth: 0"), "{said}");
    }
}

#[test]
fn a_refused_fleet_is_exit_1_and_shows_its_findings() {
    let repository = Repository::new();
    repository.edit("fleet/services/scan-api/service.yaml", "template: ", "tmplate: ");
    commit_all(&repository.root);
    let (code, said) = repository.plan(&["--from", "HEAD~1"]);
    assert!(code == 1 && said.contains("tmplate") && said.contains("is refused"), "{said}");
}

#[test]
fn a_change_beside_aws_says_what_will_not_take_it_and_what_drifted() {
    let repository = Repository::converged();
    let stack = "220000000001/eu-central-1/scan-api";
    repository.ok(&["cloud", "drift", stack, "ScanFunction", "--set", "/Timeout=3"]);
    assert_eq!(
        repository.run(&["drift", "detect", "--service", "scan-api"]).status.code(),
        Some(3)
    );
    repository.ok(&["suspend", "tenant/tenant-0002", "--reason", "migration"]);
    repository.edit(SCAN, "Accepts a scan if", "Takes a scan if");
    commit_all(&repository.root);
    let (code, plan) = repository.plan(&["--from", "HEAD~1", "--live"]);
    assert_eq!(code, 2, "{plan}");
    assert!(plan.contains("looked at 3 targets"), "{plan}");
    assert!(plan.contains("touches a resource that drifted"), "{plan}");
    assert!(
        plan.contains("ScanFunction (AWS::Lambda::Function) /Timeout changed: 10, now 3"),
        "{plan}"
    );
    assert!(
        plan.contains("left alone scan-api: 1 stack") && plan.contains("suspended by"),
        "{plan}"
    );
    // Whoever has no journal asks AWS what it found last.
    std::fs::remove_file(repository.root.join(".driftless/state.db")).expect("removed");
    let (_, plan) = repository.plan(&["--from", "HEAD~1", "--live"]);
    assert!(plan.contains("/Timeout changed: 10, now 3"), "{plan}");
}

#[test]
fn real_change_sets_of_a_few_targets_are_shown_and_removed() {
    let repository = Repository::converged();
    repository.edit(SCAN, "MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 600");
    commit_all(&repository.root);
    let (code, plan) = repository.plan(&["--from", "HEAD~1", "--preview", "2"]);
    assert_eq!(code, 2, "{plan}");
    assert!(plan.contains("2 real change sets made to look at, and removed"), "{plan}");
    assert!(plan.contains("modify Scans (AWS::SQS::Queue): MessageRetentionPeriod"), "{plan}");
    let cloud = everything_in(&repository.root.join(".driftless/cloud"));
    assert!(cloud.contains("scan-api") && !cloud.contains("plan-preview"), "it is left behind");
    // Again, as whoever looks twice does.
    let (_, again) = repository.plan(&["--from", "HEAD~1", "--preview", "2"]);
    assert!(again.contains("2 real change sets made to look at, and removed"), "{again}");
}

#[test]
fn what_real_change_sets_point_to_is_uploaded_before() {
    let repository = Repository::converged();
    let fleet = std::fs::read_to_string(repository.root.join("fleet/fleet.yaml")).expect("a file");
    if !fleet.contains("\n  artifacts:") {
        let buckets = "  artifacts: { bucket: \"demo-${region}\" }\n  limits:\n";
        repository.edit("fleet/fleet.yaml", "  limits:\n", buckets);
    }
    let large = format!("MessageRetentionPeriod: 600 # {}", "x".repeat(60_000));
    repository.edit(SCAN, "MessageRetentionPeriod: 1209600", &large);
    commit_all(&repository.root);
    let (code, plan) = repository.plan(&["--from", "HEAD~1", "--preview", "2"]);
    assert_eq!(code, 2, "{plan}");
    assert!(plan.contains("2 real change sets made to look at, and removed"), "{plan}");
    assert!(plan.contains("modify Scans (AWS::SQS::Queue): MessageRetentionPeriod"), "{plan}");
}

/// The simulated cloud's files, as far as they are text.
fn everything_in(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            text.push_str(&everything_in(&path));
        } else {
            let bytes = std::fs::read(&path).expect("a file");
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    text
}
