//! The rules of the code that no compiler knows: which module may import which, where the outside
//! world may be touched, how long things may be. A rule says why in its message.

mod text;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use regex::Regex;

use text::{body_end, line_of, masked, without_tests};

/// The first module with effects: those declared above it in `lib.rs` are pure.
const FIRST_EFFECT: &str = "clock";

const LONGEST_FUNCTION: usize = 70;
const LONGEST_FILE: usize = 500;
const LONGEST_HEADER: usize = 3;

/// What a pure module never names, as regular expressions.
const IMPURE: &[&str] = &[
    r"\btokio\b",
    r"\btracing\b",
    r"\bstd::fs\b",
    r"\bstd::net\b",
    r"\bstd::env\b",
    r"\bstd::process\b",
    r"\bstd::thread\b",
    r"\bfs::[a-z]",
    r"\bSystemTime::now\b",
    r"\bInstant::now\b",
    r"\brand::",
    r"\basync\b",
    r"\bprintln!",
    r"\beprintln!",
];

/// Which modules may use an outside crate; `aws_*` stands for every crate of that prefix.
const OWNERS: &[(&str, &[&str])] = &[
    ("git2", &["git"]),
    ("notify", &["git"]),
    ("aws_*", &["aws", "sim"]),
    ("rusqlite", &["journal"]),
    ("serde_yaml", &["cli"]),
    ("saphyr_parser", &["fleet", "template"]),
    ("clap", &["settings", "cli", "main"]),
    ("miette", &["report", "cli"]),
    ("indicatif", &["report", "cli"]),
    ("comfy_table", &["report", "cli"]),
    ("backoff", &["aws", "announce"]),
    ("cronexpr", &["fleet"]),
    ("hmac", &["announce", "sim"]),
    ("hyper", &["announce", "sim"]),
    ("hyper_*", &["announce", "sim"]),
    ("rustix", &["git"]),
    ("rustls", &["announce"]),
    ("jiff", &["fleet", "announce"]),
];

/// One file as the rules see it.
struct File<'a> {
    /// From the project's root, such as `src/git/mod.rs`.
    path: &'a str,
    /// As it was written.
    text: &'a str,
    /// Comments and literals blanked, the lines kept.
    masked: String,
}

impl<'a> File<'a> {
    fn of(path: &'a str, text: &'a str) -> Self {
        Self { path, text, masked: masked(text) }
    }

    /// The module of `lib.rs` that the file belongs to; `None` outside `src`.
    fn module(&self) -> Option<&'a str> {
        let below = self.path.strip_prefix("src/")?;
        Some(below.split('/').next().unwrap_or(below).trim_end_matches(".rs"))
    }

    /// Tests may break the rules about imports, purity, owners and length.
    fn production(&self) -> &str {
        let is_test = self.module().is_none() || self.path.ends_with("/tests.rs");
        if is_test { "" } else { without_tests(&self.masked) }
    }

    fn finding(&self, offset: usize, rule: &str) -> String {
        format!("{}:{}: {rule}", self.path, line_of(&self.masked, offset))
    }
}

/// The modules in the order in which `lib.rs` declares them.
fn modules(lib: &str) -> Vec<String> {
    let declaration = Regex::new(r"(?m)^pub mod ([a-z_0-9]+);").unwrap();
    declaration.captures_iter(&masked(lib)).map(|found| found[1].to_owned()).collect()
}

fn import_order(file: &File<'_>, order: &[String]) -> Vec<String> {
    let Some(module) = file.module().filter(|module| !["lib", "main"].contains(module)) else {
        return Vec::new();
    };
    let place = |name: &str| order.iter().position(|other| other == name);
    let Some(own_place) = place(module) else {
        return vec![format!("{}:1: lib.rs does not declare the module `{module}`", file.path)];
    };
    let mut findings = Vec::new();
    let import = Regex::new(r"\bcrate::(\{|[a-z_0-9]+)").unwrap();
    for found in import.captures_iter(file.production()) {
        let offset = found.get(0).unwrap().start();
        let rule = match &found[1] {
            "{" => "write `crate::module::Name`, one module a line".to_owned(),
            name if place(name).is_some_and(|place| place <= own_place) => continue,
            name => format!(
                "`{module}` may not import `{name}`, which lib.rs does not declare above it"
            ),
        };
        findings.push(file.finding(offset, &rule));
    }
    findings
}

fn purity(file: &File<'_>, order: &[String]) -> Vec<String> {
    let pure: Vec<_> = order.iter().take_while(|name| *name != FIRST_EFFECT).collect();
    if !file.module().is_some_and(|module| pure.iter().any(|name| *name == module)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for found in Regex::new(&IMPURE.join("|")).unwrap().find_iter(file.production()) {
        let rule = format!(
            "`{}` has no place in a value module: no I/O, clock, randomness or logs here",
            found.as_str()
        );
        findings.push(file.finding(found.start(), &rule));
    }
    findings
}

fn owners(file: &File<'_>) -> Vec<String> {
    let Some(module) = file.module() else { return Vec::new() };
    let mut findings = Vec::new();
    for (name, allowed) in OWNERS {
        // Most files name none of the crates, and a search for a text is cheaper than a pattern's.
        let named = file.production().contains(name.trim_end_matches('*'));
        if !named || allowed.contains(&module) {
            continue;
        }
        let name = name.replace('*', "[a-z0-9_]+");
        let pattern = format!(r"(?m)(?:^|[^:\w])({name})::|\buse ({name})\b");
        for found in Regex::new(&pattern).unwrap().captures_iter(file.production()) {
            let name = found.get(1).or(found.get(2)).unwrap();
            let rule = format!("`{}` belongs to {}", name.as_str(), allowed.join(", "));
            findings.push(file.finding(name.start(), &rule));
        }
    }
    findings
}

fn header(file: &File<'_>) -> Vec<String> {
    let lines = file.text.lines().take_while(|line| line.starts_with("//!")).count();
    if lines == 0 {
        return vec![format!("{}:1: start with a `//!` that says what the file is for", file.path)];
    }
    if lines > LONGEST_HEADER && file.path != "src/lib.rs" {
        return vec![format!(
            "{}:1: a `//!` of {lines} lines; {LONGEST_HEADER} at most: the essay is lib.rs",
            file.path
        )];
    }
    Vec::new()
}

fn file_length(file: &File<'_>) -> Vec<String> {
    let lines = file.production().lines().count();
    if lines <= LONGEST_FILE {
        return Vec::new();
    }
    let path = file.path;
    vec![format!("{path}:1: {lines} lines without tests; {LONGEST_FILE} at most: split it")]
}

fn function_length(file: &File<'_>) -> Vec<String> {
    let masked = file.production();
    let mut findings = Vec::new();
    for found in Regex::new(r"\bfn ([a-z_0-9]+)").unwrap().captures_iter(masked) {
        let start = found.get(0).unwrap().start();
        let Some(end) = body_end(masked, start) else { continue };
        let lines = line_of(masked, end) - line_of(masked, start) + 1;
        if lines > LONGEST_FUNCTION {
            let rule = format!(
                "`{}` has {lines} lines; {LONGEST_FUNCTION} at most: a function fits on a screen",
                &found[1]
            );
            findings.push(file.finding(start, &rule));
        }
    }
    findings
}

fn no_super(file: &File<'_>) -> Vec<String> {
    let import = Regex::new(r"\buse super::").unwrap();
    let found = import.find_iter(file.production());
    found.map(|found| file.finding(found.start(), "import as `crate::module::Name`")).collect()
}

fn reasons(file: &File<'_>) -> Vec<String> {
    let attribute = Regex::new(r"#!?\[(?:allow|expect)\(([^\]]*)\]").unwrap();
    let found = attribute.captures_iter(&file.masked);
    let bare = found.filter(|found| !found[1].contains("reason ="));
    let rule = "an exception from a lint says why: add `reason = \"...\"`";
    bare.map(|found| file.finding(found.get(0).unwrap().start(), rule)).collect()
}

fn all_rules(file: &File<'_>, order: &[String]) -> Vec<String> {
    let mut findings = import_order(file, order);
    findings.extend(purity(file, order));
    findings.extend(owners(file));
    findings.extend(header(file));
    findings.extend(file_length(file));
    findings.extend(function_length(file));
    findings.extend(no_super(file));
    findings.extend(reasons(file));
    findings
}

/// Every Rust file of the project by its path.
fn project() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = BTreeMap::new();
    let mut folders = vec![root.join("src"), root.join("tests"), root.join("benches")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

#[test]
fn the_code_follows_its_rules() {
    let files = project();
    let order = modules(&files["src/lib.rs"]);
    assert!(order.iter().any(|name| name == FIRST_EFFECT), "lib.rs declares no `{FIRST_EFFECT}`");
    let mut findings = String::new();
    for (path, text) in &files {
        for finding in all_rules(&File::of(path, text), &order) {
            writeln!(findings, "{finding}").unwrap();
        }
    }
    assert!(findings.is_empty(), "the code breaks rules of tests/it/tidy.rs:\n{findings}");
}

mod on_small_texts {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let order = modules("pub mod ids;\npub mod plan;\npub mod clock;\npub mod git;\n");
        all_rules(&File::of(path, &format!("//! About.\n{text}")), &order)
    }

    #[track_caller]
    fn breaks(path: &str, text: &str, line: usize, rule: &str) {
        let findings = findings(path, text);
        let [finding] = findings.as_slice() else { panic!("one finding, not {findings:#?}") };
        assert!(finding.starts_with(&format!("{path}:{line}: ")), "{finding}");
        assert!(finding.contains(rule), "{finding}");
    }

    #[track_caller]
    fn keeps(path: &str, text: &str) {
        assert_eq!(findings(path, text), [""; 0]);
    }

    #[test]
    fn modules_are_listed_in_the_order_of_lib() {
        let lib = "//! pub mod comment;\npub mod b;\n// pub mod no;\npub mod a;\nmod private;\n";
        assert_eq!(modules(lib), ["b", "a"]);
    }

    #[test]
    fn imports_point_up_the_list() {
        keeps("src/plan/cause.rs", "use crate::ids::Region;\nuse crate::plan::hold::Hold;\n");
        keeps("src/plan.rs", "//! [`crate::git`]\n// crate::git\nconst A: &str = \"crate::git\";");
        breaks("src/plan.rs", "use crate::git::Source;\n", 2, "`plan` may not import `git`");
        breaks("src/ids.rs", "\nfn a() -> crate::plan::Plan {}\n", 3, "may not import `plan`");
        breaks("src/git.rs", "use crate::{ids, plan};\n", 2, "one module a line");
        breaks("src/new.rs", "", 1, "does not declare the module `new`");
    }

    #[test]
    fn tests_may_import_what_they_like() {
        let tests =
            "#[cfg(test)]\nmod tests {\n    use super::*;\n    use crate::git::Source;\n}\n";
        keeps("src/plan.rs", tests);
        keeps("src/plan/tests.rs", "use crate::git::Source;\n");
        breaks("src/plan.rs", &format!("use super::a::B;\n{tests}"), 2, "crate::module::Name");
    }

    #[test]
    fn value_modules_are_pure() {
        for (text, word) in [
            ("use tokio::sync::Mutex;", "`tokio`"),
            ("fn a() { tracing::info!(b); }", "`tracing`"),
            ("use std::fs;", "`std::fs`"),
            ("fn a() { std::time::SystemTime::now(); }", "`SystemTime::now`"),
            ("use std::net::IpAddr;", "`std::net`"),
            ("fn a() { rand::random(); }", "`rand::`"),
            ("pub async fn a() {}", "`async`"),
        ] {
            breaks("src/plan.rs", text, 2, word);
            keeps("src/git.rs", text);
        }
        keeps("src/plan.rs", "use std::time::SystemTime;\nfn operand() {}\n");
    }

    #[test]
    fn outside_crates_have_owners() {
        breaks("src/plan.rs", "use git2::Repository;", 2, "`git2` belongs to git");
        breaks("src/clock.rs", "use aws_types::region::Region;", 2, "`aws_types` belongs to aws");
        breaks("src/main.rs", "fn main() { let a = rusqlite::open(); }", 2, "belongs to journal");
        breaks("src/git.rs", "#[derive(clap::Args)]\nstruct A;", 2, "`clap` belongs to settings");
        breaks("src/clock.rs", "use notify;", 2, "`notify` belongs to git");
        keeps("src/git.rs", "use git2::Repository;\nuse notify::Event;\n");
        keeps("src/clock.rs", "fn a(notify: Notify) { notify.notify(); tokio::notify::a(); }");
    }

    #[test]
    fn files_start_with_a_short_header() {
        let file = |text| header(&File::of("src/ids.rs", text));
        assert!(file("//! One.\n//! Two.\n//! Three.\n").is_empty());
        assert!(file("use a;\n")[0].starts_with("src/ids.rs:1: start with a `//!`"));
        assert!(file("//!\n//!\n//!\n//!\n")[0].contains("a `//!` of 4 lines"));
        assert!(header(&File::of("src/lib.rs", &"//!\n".repeat(90))).is_empty());
        assert_eq!(header(&File::of("tests/it/a.rs", "")).len(), 1);
    }

    #[test]
    fn functions_and_files_are_short_and_tests_do_not_count() {
        let function = |lines| format!("fn long(\n) {{\n{}}}\n", "// {{{ \" '\n".repeat(lines));
        keeps("src/ids.rs", &function(67));
        breaks("src/ids.rs", &function(68), 2, "`long` has 71 lines");
        let in_tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function(600));
        keeps("src/ids.rs", &in_tests);
        keeps("tests/it/a.rs", &function(600));
        keeps("src/ids.rs", &format!("trait A {{ fn long();\n }}{}", "\n".repeat(490)));
        breaks("src/ids.rs", &"\n".repeat(500), 1, "501 lines without tests");
        keeps("src/ids.rs", &format!("{}{in_tests}", "\n".repeat(490)));
    }

    #[test]
    fn exceptions_from_lints_have_a_reason() {
        keeps("src/ids.rs", "#[allow(dead_code, reason = \"because ] of it\")]\nstruct A;");
        keeps("src/ids.rs", "#[expect(\n    dead_code,\n    reason = \"it\"\n)]\nstruct A;");
        breaks("src/ids.rs", "#[allow(dead_code)]\nstruct A;", 2, "add `reason");
        breaks("tests/it/a.rs", "#![allow(dead_code)]\n", 2, "add `reason");
    }
}
