//! What the program writes for other programs: completions as a shell uses them, manual pages as a
//! reader shows them, findings as a git host takes them.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::world::World;

fn driftless() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_driftless"));
    command.env_clear();
    command
}

fn said(command: &mut Command) -> String {
    let ran = command.output().expect("it runs");
    assert!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("text")
}

/// Whether a tool of the machine is there; a test that needs it says so when it is not.
fn is_there(tool: &str) -> bool {
    let found = Path::new("/usr/bin").join(tool).exists() || Path::new("/bin").join(tool).exists();
    if !found {
        crate::python::left_out(&format!("what `{tool}` makes of it: it is not installed"));
    }
    found
}

/// What bash offers after these words, the last of which is being typed.
fn completed(words: &[&str]) -> Vec<String> {
    let script = "source /dev/stdin\nCOMP_WORDS=(\"$@\")\nCOMP_CWORD=$(($# - 1))\n\
                  _driftless driftless \"${COMP_WORDS[COMP_CWORD]}\" \
                  \"${COMP_WORDS[COMP_CWORD - 1]}\"\nprintf '%s\\n' \"${COMPREPLY[@]}\"";
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("completions");
    std::fs::write(&file, said(driftless().args(["completions", "bash"]))).expect("written");
    let mut bash = Command::new("bash");
    bash.env_clear().current_dir(folder.path());
    bash.args(["--norc", "--noprofile", "-c", script, "bash"]).args(words);
    bash.stdin(std::fs::File::open(&file).expect("a file"));
    said(&mut bash).lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_their_commands_flags_and_values() {
    if !is_there("bash") {
        return;
    }
    assert_eq!(completed(&["driftless", "rol"]), ["rollout"]);
    let of_rollout = completed(&["driftless", "rollout", ""]);
    for command in ["list", "show", "halt", "resume", "supersede"] {
        assert!(of_rollout.iter().any(|offered| offered == command), "{of_rollout:?}");
    }
    assert_eq!(completed(&["driftless", "validate", "--form"]), ["--format"]);
    let formats = completed(&["driftless", "validate", "--format", ""]);
    assert_eq!(formats, ["text", "json", "github", "sarif"]);
    assert_eq!(completed(&["driftless", "validate", "--fle"]), ["--fleet"], "flags of all");
    assert_eq!(completed(&["driftless", "run", "--state", "comp"]), ["completions"], "files");
    assert_eq!(completed(&["driftless", "nonsense"]), [""]);
}

#[test]
fn every_shell_gets_a_script_with_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = said(driftless().args(["completions", shell]));
        for word in ["validate", "supersede", "offboard", "verify-signers"] {
            assert!(script.contains(word), "{shell} does not know `{word}`");
        }
    }
    let ran = driftless().args(["completions", "tcsh"]).output().expect("it runs");
    assert_eq!(ran.status.code(), Some(1));
    let text = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(text.contains("[possible values: bash, elvish, fish, powershell, zsh]"), "{text}");
}

/// The commands that a help text lists.
fn listed(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    // What is indented more goes on with the line before it.
    let commands = lines.filter(|line| !line.starts_with("   "));
    commands.filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
}

#[test]
fn every_command_has_a_page_of_its_own_and_no_page_is_of_anything_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let man = folder.path().join("share/man/man1");
    let written = said(driftless().arg("man").arg("--out").arg(&man));
    let mut expected = vec!["driftless.1".to_owned()];
    let mut open = vec![Vec::<String>::new()];
    while let Some(words) = open.pop() {
        for command in listed(&said(driftless().args(&words).arg("--help"))) {
            let words = [&words[..], &[command]].concat();
            expected.push(format!("driftless-{}.1", words.join("-")));
            open.push(words);
        }
    }
    expected.sort();
    let mut pages: Vec<String> = std::fs::read_dir(&man)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    pages.sort();
    assert_eq!(pages, expected);
    assert_eq!(written.lines().count(), pages.len(), "{written}");
    for page in pages {
        let text = std::fs::read_to_string(man.join(&page)).expect("text");
        assert!(text.contains(".SH NAME") && text.contains(".SH DESCRIPTION"), "{page}: {text}");
        assert!(text.contains("\"driftless 0."), "{page} says of which version it is");
    }
}

#[test]
fn a_page_reads_as_manual_pages_do() {
    if !is_there("groff") {
        return;
    }
    let page = said(driftless().args(["man", "rollout", "halt"]));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("page.1");
    std::fs::write(&file, page).expect("written");
    let mut groff = Command::new("groff");
    let ran =
        groff.args(["-man", "-Tascii", "-P-cbou", "-ww"]).arg(&file).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&ran.stderr), "", "a well-formed page warns of nothing");
    let text = String::from_utf8(ran.stdout).expect("text");
    // Lines are filled, and words broken, as wide as the page is.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("driftless-rollout-halt(1)"), "{text}");
    assert!(text.contains("driftless rollout halt"), "{text}");
    assert!(text.contains("--reason <TEXT>"), "{text}");
    assert!(text.contains("the DRIFTLESS_FLEET environ"), "{text}");
}

#[test]
fn a_page_that_does_not_exist_is_named_with_those_that_do() {
    let ran = driftless().args(["man", "rollout", "shwo"]).output().expect("it runs");
    assert_eq!(ran.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&ran.stderr),
        "error: there is no command `driftless rollout shwo`\n  help: `driftless rollout --help` \
         lists what there is\n"
    );
}

/// A fleet in the folder `fleet` of its repository, with a finding.
fn broken() -> World {
    let world = World::with_tenants(1);
    world.edit("tenants/t1.yaml", "[eu-central-1]", "[eu-west-1]");
    let repository = world.repository();
    std::fs::create_dir(repository.join("fleet")).expect("made");
    for part in ["fleet.yaml", "tenants", "network", "api"] {
        std::fs::rename(repository.join(part), repository.join("fleet").join(part)).expect("moved");
    }
    world.commit();
    world
}

#[test]
fn files_are_named_from_the_top_of_the_repository_wherever_it_is_run() {
    let world = broken();
    let top = world.repository();
    let absolute = top.join("fleet").display().to_string();
    let from_elsewhere = [
        (top.clone(), "fleet".to_owned()),
        (top.join("fleet"), ".".to_owned()),
        (top.join("fleet/tenants"), "..".to_owned()),
        (std::env::temp_dir(), absolute),
    ];
    for (place, fleet) in from_elsewhere {
        let validate = |format: &str| {
            let mut command = driftless();
            command.current_dir(&place).args(["--fleet", &fleet, "validate", "--format", format]);
            let ran = command.output().expect("it runs");
            assert_eq!(ran.status.code(), Some(1), "{command:?}");
            String::from_utf8(ran.stdout).expect("text")
        };
        let annotation = validate("github");
        assert!(annotation.contains(" file=fleet/tenants/t1.yaml,line="), "{annotation}");
        let log: Value = serde_json::from_str(&validate("sarif")).expect("json");
        let location = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
        assert_eq!(location["artifactLocation"]["uri"], "fleet/tenants/t1.yaml", "{fleet}");
    }
}
