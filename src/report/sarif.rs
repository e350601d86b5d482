//! Findings as SARIF 2.1.0, for code scanning: what GitHub wants of it besides what the format does.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::fleet::{Finding, Severity};
use crate::report::findings::{in_folder, width};
use crate::snapshot::Snapshot;

/// GitHub's hash of a line is over so many characters from its start on, blanks left out.
const HASHED: usize = 100;
/// What each character multiplies the hash by.
const FACTOR: u64 = 37;
/// What stands for the end of a file in it.
const END: u16 = u16::MAX;

/// One run with a result for each finding. `folder` is the fleet folder as seen from the top of its
/// repository, since that is where code scanning looks for files.
pub fn sarif(findings: &[Finding], snapshot: &Snapshot, folder: &str) -> String {
    let mut worst: BTreeMap<&str, Severity> = BTreeMap::new();
    for finding in findings {
        let severity = worst.entry(finding.code).or_insert(finding.severity);
        *severity = finding.severity.min(*severity);
    }
    let places: BTreeMap<&str, usize> =
        worst.keys().enumerate().map(|(place, code)| (*code, place)).collect();
    let rules: Vec<Value> = worst.iter().map(|(code, severity)| rule(code, *severity)).collect();
    let mut prints = Prints { snapshot, of_files: BTreeMap::new() };
    let mut results = Vec::new();
    for finding in findings {
        let mut result = result(finding, snapshot, folder);
        result["ruleIndex"] = json!(places.get(finding.code));
        if let Some(print) = prints.of(finding) {
            result["partialFingerprints"] = json!({ "primaryLocationLineHash": print });
        }
        results.push(result);
    }
    let driver = json!({
        "name": "driftless",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": rules,
    });
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver },
            // Two fleets of one repository are two scans, of which none replaces the other.
            "automationDetails": { "id": format!("driftless/{}/", in_folder("", folder)) },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

/// What is said of a kind of finding; GitHub wants all of it.
fn rule(code: &str, severity: Severity) -> Value {
    let words = code.replace('-', " ");
    let (first, rest) = words.split_at(words.chars().next().map_or(0, char::len_utf8));
    let refuses = match severity {
        Severity::Error => "an error: the revision that has it is refused as a whole",
        Severity::Warning => "a warning: it refuses nothing",
    };
    json!({
        "id": code,
        "shortDescription": { "text": format!("{}{rest}", first.to_uppercase()) },
        "fullDescription": { "text": format!("A finding of the kind `{code}` in the documents of a fleet") },
        "help": { "text": format!(
            "It is {refuses}. The message of each says what is wrong and how to mend it; \
             `driftless validate` shows the line as well."
        ) },
        "defaultConfiguration": { "level": severity },
    })
}

fn result(finding: &Finding, snapshot: &Snapshot, folder: &str) -> Value {
    let message = match &finding.help {
        Some(help) => format!("{}; {help}", finding.message),
        None => finding.message.clone(),
    };
    // A document must not put links of its own among the words of a scanner.
    let message = message.replace("](", "] (");
    // What is about a whole file is shown at its first line: without one it is shown nowhere.
    let (line, column) = (finding.line.max(1), finding.column.max(1));
    let region = json!({
        "startLine": line,
        "startColumn": column,
        "endLine": line,
        "endColumn": column + width(finding, snapshot),
    });
    json!({
        "ruleId": finding.code,
        "level": finding.severity,
        "message": { "text": message },
        "locations": [{ "physicalLocation": {
            "artifactLocation": artifact(&in_folder(&finding.path, folder)),
            "region": region,
        } }],
    })
}

/// A file by its path from the top of the repository, or from that of the machine outside of one.
fn artifact(path: &str) -> Value {
    let mut uri = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    if uri.starts_with('/') {
        return json!({ "uri": format!("file://{uri}") });
    }
    json!({ "uri": uri, "uriBaseId": "%SRCROOT%" })
}

/// The hashes by which GitHub finds an alert again when lines above it come and go.
struct Prints<'a> {
    snapshot: &'a Snapshot,
    of_files: BTreeMap<&'a str, Vec<String>>,
}

impl<'a> Prints<'a> {
    /// `None` where there is no such line to be read.
    fn of(&mut self, finding: &'a Finding) -> Option<&str> {
        let snapshot = self.snapshot;
        let prints = self.of_files.entry(&finding.path).or_insert_with(|| {
            let bytes = snapshot.read(&finding.path).map(|bytes| String::from_utf8_lossy(bytes));
            bytes.map(|text| line_hashes(&text)).unwrap_or_default()
        });
        prints.get(finding.line.saturating_sub(1)).map(String::as_str)
    }
}

/// For each line its hash, and which of the lines with that hash it is. This is what GitHub's own
/// uploading action computes: it warns of a scan that says something else.
fn line_hashes(text: &str) -> Vec<String> {
    let (mut kept, mut starts) = (Vec::new(), Vec::new());
    let (mut begins, mut after_return) = (true, false);
    for unit in text.encode_utf16().chain([END]) {
        let is_blank = unit == u16::from(b' ') || unit == u16::from(b'\t');
        let is_break = unit == u16::from(b'\n') || unit == u16::from(b'\r');
        if is_blank || (after_return && unit == u16::from(b'\n')) {
            after_return = false;
            continue;
        }
        after_return = unit == u16::from(b'\r');
        if begins {
            starts.push(kept.len());
        }
        begins = is_break;
        kept.push(if is_break { u16::from(b'\n') } else { unit });
    }
    let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
    let print = |start: usize| {
        let units = kept[start..].iter().copied().chain(std::iter::repeat(0)).take(HASHED);
        let hash = units
            .fold(0, |hash: u64, unit| hash.wrapping_mul(FACTOR).wrapping_add(u64::from(unit)));
        let count = seen.entry(hash).or_default();
        *count += 1;
        format!("{hash:x}:{count}")
    };
    starts.into_iter().map(print).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Revision;
    use crate::snapshot::Entry;

    const TEXT: &str = "kind: Tenant\nspec:\n  regoins: [a]\n  regoins: [a]\n";

    fn snapshot(path: &str) -> Snapshot {
        let entry = Entry::File(TEXT.as_bytes().into());
        Snapshot::of(Revision::of("folder"), None, BTreeMap::from([(path.to_owned(), entry)]))
    }

    fn finding(code: &'static str, path: &str, line: usize, column: usize) -> Finding {
        Finding {
            code,
            severity: Severity::Error,
            path: path.into(),
            line,
            column,
            message: "unknown field `regoins`".into(),
            help: Some("did you mean `regions`?".into()),
        }
    }

    fn run(findings: &[Finding], path: &str, folder: &str) -> Value {
        let text = sarif(findings, &snapshot(path), folder);
        let log: Value = serde_json::from_str(&text).expect("json");
        log["runs"][0].clone()
    }

    #[test]
    fn every_result_has_what_github_asks_for() {
        let path = "tenants/acme.yaml";
        let mut findings = vec![
            finding("unknown-field", path, 3, 3),
            finding("unknown-field", path, 4, 3),
            finding("whole-file", path, 0, 0),
            finding("no-fleet", "", 0, 0),
        ];
        findings[1].severity = Severity::Warning;
        let run = run(&findings, path, "fleet");
        let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
        assert_eq!(rules.len(), 3);
        for rule in rules {
            for field in ["shortDescription", "fullDescription", "help"] {
                let text = rule[field]["text"].as_str().expect("a text");
                assert!(!text.is_empty() && text.chars().count() <= 1_024, "{rule}");
            }
        }
        assert_eq!(rules[1]["shortDescription"]["text"], "Unknown field");
        assert_eq!(rules[1]["defaultConfiguration"]["level"], "error", "the worst of them");
        assert_eq!(run["automationDetails"]["id"], "driftless/fleet/");
        for (result, finding) in run["results"].as_array().expect("results").iter().zip(&findings) {
            assert_eq!(result["ruleId"], finding.code);
            let index = result["ruleIndex"].as_u64().expect("a place");
            assert_eq!(rules[usize::try_from(index).expect("small")]["id"], finding.code);
            let location = &result["locations"][0]["physicalLocation"];
            for place in ["startLine", "startColumn", "endLine", "endColumn"] {
                assert!(location["region"][place].as_u64() >= Some(1), "{location}");
            }
            let uri = location["artifactLocation"]["uri"].as_str().expect("a URI");
            assert!(uri.starts_with("fleet"), "{uri}");
        }
        let region = &run["results"][0]["locations"][0]["physicalLocation"]["region"];
        assert_eq!(
            *region,
            json!({ "startLine": 3, "startColumn": 3, "endLine": 3, "endColumn": 10 })
        );
        assert_eq!(run["results"][1]["level"], "warning");
        assert!(run["results"][3]["partialFingerprints"].is_null(), "there is no file");
    }

    #[test]
    fn an_alert_is_found_again_when_lines_come_above_it_and_two_alike_are_two() {
        let path = "a.yaml";
        let findings = [finding("x", path, 3, 3), finding("x", path, 4, 3)];
        let prints = |run: &Value| -> Vec<String> {
            let results = run["results"].as_array().expect("results");
            let print = |result: &Value| {
                let print = &result["partialFingerprints"]["primaryLocationLineHash"];
                print.as_str().expect("a hash").to_owned()
            };
            results.iter().map(print).collect()
        };
        let before = prints(&run(&findings, path, ""));
        assert_ne!(before[0], before[1]);
        let moved = format!("# a comment\n\n{TEXT}");
        let entry = Entry::File(moved.as_bytes().into());
        let entries = BTreeMap::from([(path.to_owned(), entry)]);
        let below = [finding("x", path, 5, 3), finding("x", path, 6, 3)];
        let snapshot = Snapshot::of(Revision::of("folder"), None, entries);
        let log: Value = serde_json::from_str(&sarif(&below, &snapshot, "")).expect("json");
        assert_eq!(prints(&log["runs"][0]), before);
    }

    #[test]
    fn lines_are_hashed_as_github_does() {
        assert_eq!(line_hashes(""), ["c129715d7a2bc9a3:1"]);
        let plain = ["271789c17abda88f:1", "54703d4cd895b18:1", "180aee12dab6264:1"];
        let plain = [&plain[..], &["a23a3dc5e078b07b:1"]].concat();
        assert_eq!(line_hashes(" a\nb\n  \t\tc\n d"), plain, "blanks do not count");
        assert_eq!(line_hashes("a\r\nb\rc\nd"), plain, "nor does how lines are broken");
        assert_eq!(line_hashes(&"x\n".repeat(200))[..2], {
            let hash = line_hashes(&"x\n".repeat(200))[0].replace(":1", "");
            [format!("{hash}:1"), format!("{hash}:2")]
        });
    }

    #[test]
    fn no_text_of_a_document_becomes_anything_but_text() {
        let path = "a b/100%:x\u{1b}\n\"ä#?.yaml";
        let mut hostile = finding("bad-name", path, 1, 1);
        hostile.message = "see [here](https://evil.example) {0} \u{1b}[2J\n\"".into();
        let run = run(&[hostile], path, "my fleet");
        let result = &run["results"][0];
        let text = result["message"]["text"].as_str().expect("a text");
        assert!(text.starts_with("see [here] (https://evil.example) {0} "), "{text}");
        let artifact = &result["locations"][0]["physicalLocation"]["artifactLocation"];
        assert_eq!(artifact["uri"], "my%20fleet/a%20b/100%25%3Ax%1B%0A%22%C3%A4%23%3F.yaml");
        assert_eq!(artifact["uriBaseId"], "%SRCROOT%");
    }

    #[test]
    fn outside_a_repository_a_file_is_named_as_the_machine_names_it() {
        let path = "a.yaml";
        let of = |folder| {
            let run = run(&[finding("x", path, 1, 1)], path, folder);
            run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"].clone()
        };
        assert_eq!(of("/srv/fleet"), json!({ "uri": "file:///srv/fleet/a.yaml" }));
        assert_eq!(of("."), json!({ "uri": "a.yaml", "uriBaseId": "%SRCROOT%" }));
    }
}
