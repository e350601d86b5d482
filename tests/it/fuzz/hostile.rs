//! Files within all limits of size that would cost hours or gigabytes if any step looked at each
//! value once for each other value. Without such a step all of them take a few seconds.

use std::collections::BTreeMap;

use crate::fuzz::bounds::assert_bounds;

const FLEET: &str = "apiVersion: driftless.dev/v1\nkind: Fleet\nmetadata: { name: gloves }\n\
    spec: { cloud: simulated, regions: [eu-central-1] }\n";
const TENANT: &str = "apiVersion: driftless.dev/v1\nkind: Tenant\nmetadata: { name: acme }\n\
    spec:\n  account: \"111122223333\"\n  regions: [eu-central-1]\n";
const SERVICE: &str = "apiVersion: driftless.dev/v1\nkind: Service\nmetadata: { name: api }\n\
    spec:\n  template: template.yaml\n";
const TEMPLATE: &str = "Resources: { Queue: { Type: AWS::SQS::Queue } }\n";
/// Nearly the largest file that is read.
const LARGE: usize = 900_000;

/// The codes of the findings on a fleet in which these files stand instead of the sound ones.
#[track_caller]
fn codes(files: &[(&str, String)]) -> BTreeMap<&'static str, usize> {
    let sound = [
        ("fleet.yaml", FLEET),
        ("acme.yaml", TENANT),
        ("api.yaml", SERVICE),
        ("template.yaml", TEMPLATE),
    ];
    let sound = sound.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    let mut all: BTreeMap<String, Vec<u8>> = sound.into();
    for (path, text) in files {
        assert!(text.len() < 1_000_000, "{path} has {} bytes", text.len());
        all.insert((*path).to_owned(), text.as_bytes().to_vec());
    }
    let mut codes = BTreeMap::new();
    for finding in assert_bounds(&all).expect_err("broken") {
        *codes.entry(finding.code).or_default() += 1;
    }
    codes
}

#[track_caller]
fn tenant(more: &str) -> BTreeMap<&'static str, usize> {
    codes(&[("acme.yaml", format!("{TENANT}{more}"))])
}

fn many(what: impl Fn(usize) -> String, bytes: usize) -> String {
    let mut text = String::new();
    for number in 0.. {
        text.push_str(&what(number));
        if text.len() > bytes {
            break;
        }
    }
    text
}

#[test]
fn a_long_text_that_is_repeated_by_aliases_is_refused() {
    let aliases = many(|number| format!(", a{number}: *x"), 90_000);
    let labels = format!("  parameters: {{ x: &x \"{}\"{aliases} }}\n", "y".repeat(800_000));
    assert_eq!(tenant(&labels).get("too-many-aliases"), Some(&1));
}

#[test]
fn a_long_key_above_many_errors_is_refused() {
    let lists = "[[]],".repeat(50_000);
    let codes = tenant(&format!("  parameters: {{ \"{}\": [{lists}] }}\n", "k".repeat(LARGE / 2)));
    assert_eq!(codes.get("too-large").or(codes.get("too-long")), Some(&1), "{codes:?}");
    let codes = tenant(&format!("  {}: 1\n", "k".repeat(LARGE)));
    assert_eq!(codes.get("too-long").or(codes.get("yaml-syntax")), Some(&1), "{codes:?}");
}

#[test]
fn endless_lists_and_maps_are_refused() {
    for list in [
        format!("  parameters: {{ A: [{}] }}\n", many(|_| "a,".into(), LARGE)),
        format!("  {}: {{ {} }}\n", "parameters", many(|number| format!("a{number}: 1,"), LARGE)),
        format!("  services: {{ x: {{ regions: [{}] }} }}\n", many(|_| "a-b-1,".into(), LARGE)),
    ] {
        assert_eq!(tenant(&list).get("too-large"), Some(&1));
    }
}

#[test]
fn thousands_of_findings_in_one_document_look_it_up_once() {
    let parameters = many(|number| format!("    parameter-{number}: x\n"), 200_000);
    let codes_found = codes(&[("api.yaml", format!("{SERVICE}  parameters:\n{parameters}"))]);
    assert!(codes_found["undeclared-parameter"] > 8_000, "{codes_found:?}");
    let codes_found = codes(&[(
        "fleet.yaml",
        FLEET.to_owned() + &many(|number| format!("a{number}: 1\n"), 80_000),
    )]);
    assert!(codes_found["unknown-field"] > 8_000, "{codes_found:?}");
}

#[test]
fn more_findings_than_anybody_reads_are_counted() {
    let document =
        |number| format!("---\napiVersion: driftless.dev/v1\nkind: Tenant\nx{number}: 1\n");
    let file = many(document, 400_000);
    let codes = codes(&[("many.yaml", file.clone()), ("more.yaml", file)]);
    assert_eq!(codes["more-findings"], 1, "{codes:?}");
    assert!(codes.values().sum::<usize>() <= 10_001, "{codes:?}");
}

#[test]
fn a_template_full_of_flaws_is_looked_at_once() {
    let references = many(|number| format!("{{ Ref: N{number} }}, "), LARGE / 4);
    let key = "k".repeat(LARGE / 6);
    let long_path = format!(
        "Resources:\n  A:\n    Type: AWS::SQS::Queue\n    Properties:\n      ? \"{key}\"\n      : [{references}]\n"
    );
    let resources = many(|number| format!("  r-{number}: {{ }}\n"), LARGE / 2);
    let uses =
        many(|number| format!("  A{number}: {{ Type: T, Condition: C{number} }}\n"), LARGE / 2);
    for sections in [long_path, format!("Resources:\n{resources}"), format!("Resources:\n{uses}")] {
        let codes = codes(&[("template.yaml", sections)]);
        assert_eq!(codes["template-limit"], 100, "{codes:?}");
    }
}

#[test]
fn resources_that_wait_in_a_row_and_patterns_without_end_are_bounded() {
    let queue = |number: usize| {
        let all: Vec<String> = (number + 1..300).map(|other| format!("R{other}")).collect();
        format!("  R{number}: {{ Type: AWS::SQS::Queue, DependsOn: [{}] }}\n", all.join(","))
    };
    let resources: String = (0..300).map(queue).collect();
    let codes_found = codes(&[("template.yaml", format!("Resources:\n{resources}"))]);
    assert_eq!(codes_found["no-bucket"], 1, "too long for a call: {codes_found:?}");
    let pattern = |number| {
        format!(
            "  P{number}: {{ Type: String, AllowedPattern: \"(\\\\w{{90}}){{90}}\", Default: x }}\n"
        )
    };
    let parameters: String = (0..40).map(pattern).collect();
    let text = format!("Parameters:\n{parameters}Unknown: x\n{TEMPLATE}");
    assert_eq!(codes(&[("template.yaml", text)])["template-limit"], 1);
}

#[test]
fn a_path_that_is_not_there_is_compared_with_thousands() {
    let mut files: Vec<(String, String)> =
        (0..4_000).map(|number| (format!("folder/file-{number}.txt"), String::new())).collect();
    let named = "n".repeat(LARGE);
    files.push(("api.yaml".into(), SERVICE.replace("template.yaml", &format!("\"{named}\""))));
    let files: Vec<(&str, String)> =
        files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    assert_eq!(codes(&files)["file-unreadable"], 1);
}

#[test]
fn depth_without_end_is_refused() {
    for open in ["[", "{a: ", "- ", "? "] {
        let deep = open.repeat(LARGE / 8);
        assert!(!tenant(&format!("  parameters: {deep}\n")).is_empty());
        assert!(!codes(&[("template.yaml", deep)]).is_empty());
    }
}
