//! The table of what replaces a resource is what its script makes of the schemas that it names.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/template/create_only");

/// The version of cfn-lint that the table was made from.
fn version(table: &str) -> &str {
    let (_, rest) = table.split_once(" in cfn-lint ").expect("a source");
    rest.split_whitespace().next().expect("a version")
}

/// What a program says; an error says why it does not work here.
fn said(command: &mut Command) -> Result<String, String> {
    let ran = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if ran.status.success() { Ok(text(ran.stdout)) } else { Err(text(ran.stderr)) }
}

/// The wheel of cfn-lint below `target/`, fetched on first use. Nothing is installed.
fn wheel(version: &str) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cfn-lint");
    let wheel = folder.join(format!("cfn_lint-{version}-py3-none-any.whl"));
    if !wheel.exists() {
        let mut fetch = Command::new("python3");
        fetch.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check"]);
        fetch.args(["--no-input", "--no-deps", "--only-binary", ":all:", "-d"]).arg(&folder);
        fetch.arg(format!("cfn-lint=={version}"));
        said(&mut fetch).map_err(|why| format!("`pip download` does not work: {}", why.trim()))?;
    }
    Ok(wheel)
}

/// Past the capture of the test harness: that it was left out must be seen.
fn not_run(why: &str) {
    let text = format!("NOT RUN: the test of the table of replacements, which needs pip: {why}");
    #[allow(clippy::disallowed_methods, reason = "where it must run is what the environment says")]
    let must_run = std::env::var_os("CI").is_some();
    assert!(!must_run, "{text}");
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[test]
fn the_table_of_replacements_is_made_from_the_schemas_that_it_names() {
    let table = std::fs::read_to_string(format!("{FOLDER}/table.txt")).expect("a table");
    let wheel = match wheel(version(&table)) {
        Ok(wheel) => wheel,
        Err(why) => return not_run(&why),
    };
    let mut generate = Command::new("python3");
    let made = said(generate.arg(format!("{FOLDER}/generate.py")).arg(&wheel)).expect("a table");
    let differs = made.lines().zip(table.lines()).find(|(made, there)| made != there);
    assert!(
        made == table,
        "table.txt is not what generate.py makes; the first lines that differ: {differs:#?}\nwrite it \
         with: python3 src/template/create_only/generate.py {} > src/template/create_only/table.txt",
        wheel.display()
    );
}
