//! Edits change what they shall and leave every other line as it was, however documents are written.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use similar::{ChangeTag, TextDiff};

use super::*;
use crate::fleet::load;
use crate::ids::Revision;
use crate::snapshot::{Entry as File, Snapshot};

const BLOCK: &str = "# the tenants
kind: Tenant
metadata:
  name: acme
spec:
  account: \"1\"  # quoted
  services:
    scan-api:
      parameters:
        Size: \"1\"

---
kind: Service
metadata: { name: scan-api }
spec:
  template: a.yaml
  drift: { every: 1h }
";

const TENANT: Document<'_> = Document { kind: "Tenant", name: "acme" };
const SERVICE: Document<'_> = Document { kind: "Service", name: "scan-api" };

/// Lines that went, as `-line`, and lines that came, as `+line`.
fn diff(before: &str, after: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(before, after);
    let changes = diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal);
    changes
        .map(|change| {
            let sign = if change.tag() == ChangeTag::Delete { '-' } else { '+' };
            format!("{sign}{}", change.value().trim_end_matches('\n'))
        })
        .collect()
}

fn given(document: Document<'_>, path: &[&str], value: &str) -> Vec<String> {
    diff(BLOCK, &set(BLOCK, document, path, value).expect("set"))
}

#[test]
fn a_value_is_set_where_it_is_or_belongs_and_nothing_else_changes() {
    let parameters = ["spec", "services", "scan-api", "parameters"];
    let path = [&parameters[..], &["Size"]].concat();
    let expected = ["-        Size: \"1\"", "+        Size: \"2\""];
    assert_eq!(given(TENANT, &path, "\"2\""), expected);
    let path = [&parameters[..], &["Memory"]].concat();
    assert_eq!(given(TENANT, &path, "\"2\""), ["+        Memory: \"2\""]);
    let text = set(BLOCK, TENANT, &path, "\"2\"").expect("set");
    assert!(text.contains("Size: \"1\"\n        Memory: \"2\"\n\n---"), "{text}");
    let path = ["spec", "services", "files", "parameters", "Size"];
    let expected = ["+    files:", "+      parameters:", "+        Size: x"];
    assert_eq!(given(TENANT, &path, "x"), expected);
    let every = ["spec", "drift", "every"];
    let expected = ["-  drift: { every: 1h }", "+  drift: { every: 2h }"];
    assert_eq!(given(SERVICE, &every, "2h"), expected);
    let policy = ["spec", "drift", "policy"];
    let expected = ["-  drift: { every: 1h }", "+  drift: { every: 1h, policy: report }"];
    assert_eq!(given(SERVICE, &policy, "report"), expected);
    let account = ["-  account: \"1\"  # quoted", "+  account: \"2\"  # quoted"];
    assert_eq!(given(TENANT, &["spec", "account"], "\"2\""), account);
}

/// A document whose `spec` is written so, without and with a value at `spec.a.b`.
#[track_caller]
fn becomes(spec: &str, edit: impl Fn(&str) -> Result<String, Uneditable>, expected: &str) {
    let head = "kind: Tenant\nmetadata: { name: acme }\nspec:";
    let edited = edit(&format!("{head}{spec}")).map_err(|error| error.to_string());
    let expected = match expected.strip_prefix("refused: ") {
        Some(why) => Err(why.to_owned()),
        None => Ok(format!("{head}{expected}")),
    };
    assert_eq!(edited, expected, "{spec}");
}

#[test]
fn a_value_is_replaced_however_it_is_written() {
    let edit = |text: &str| set(text, TENANT, &["spec", "a", "b"], "new");
    for (before, after) in [
        ("\n  a:\n    b: old # why\n    c: 1\n", "\n  a:\n    b: new # why\n    c: 1\n"),
        ("\n  a:\n    b: \"o # \\\"l\" # why\n", "\n  a:\n    b: new # why\n"),
        ("\n  a:\n    b: 'it''s'\n", "\n  a:\n    b: new\n"),
        (
            "\n  a:\n    b: |-\n      # text\n      x\n    # c\n    c: 1\n",
            "\n  a:\n    b: new\n    # c\n    c: 1\n",
        ),
        ("\n  a:\n    b: one\n      two\n  # d\n", "\n  a:\n    b: new\n  # d\n"),
        (
            "\n  a:\n    b: # list\n    - x\n    - y\n    c: 1\n",
            "\n  a:\n    b: new # list\n    c: 1\n",
        ),
        ("\n  a:\n    b: [x,\n      y]\n    c: 1\n", "\n  a:\n    b: new\n    c: 1\n"),
        ("\n  a:\n    b:\n    c: 1\n", "\n  a:\n    b: new\n    c: 1\n"),
        ("\n  a: { b: it's, c: 1 }\n", "\n  a: { b: new, c: 1 }\n"),
        ("\n  a: {\"b\":\"o, }\",\"c\":1}\n", "\n  a: {\"b\": new,\"c\":1}\n"),
        ("\n  a: { b: , c: 1 }\n", "\n  a: { b: new, c: 1 }\n"),
        ("\n  a: {\n    b: [x, y], # why\n  }\n", "\n  a: {\n    b: new, # why\n  }\n"),
        ("\n  a:\n    b: &x !!str old\n", "\n  a:\n    b: new\n"),
        ("\r\n  a:\r\n    b: old\r\n    c: 1\r\n", "\r\n  a:\r\n    b: new\r\n    c: 1\r\n"),
        ("\n  a:\n    b: old", "\n  a:\n    b: new"),
        // What was not there yet.
        ("\n  a:\n    c: 1\n  # d\n  d: 2\n", "\n  a:\n    c: 1\n    b: new\n  # d\n  d: 2\n"),
        ("\r\n  a:\r\n    c: 1\r\n", "\r\n  a:\r\n    c: 1\r\n    b: new\r\n"),
        ("\n  a:\n    c: 1", "\n  a:\n    c: 1\n    b: new"),
        (
            "\n  a:\n    c: |\n      x\n\n  d: 1\n",
            "\n  a:\n    c: |\n      x\n    b: new\n\n  d: 1\n",
        ),
        ("\n  a: {}\n", "\n  a: { b: new }\n"),
        ("\n  a: # none yet\n  c: 1\n", "\n  a: { b: new } # none yet\n  c: 1\n"),
        ("\n  a: {\n    c: 1, # why\n  }\n", "\n  a: {\n    c: 1, b: new, # why\n  }\n"),
        (" {c: 1}\n", " {c: 1, a: { b: new }}\n"),
        (
            "\n  c: 1\n...\n---\nkind: Other\n",
            "\n  c: 1\n  a:\n    b: new\n...\n---\nkind: Other\n",
        ),
    ] {
        becomes(before, edit, after);
    }
}

#[test]
fn an_entry_goes_with_what_held_nothing_else() {
    let edit = |text: &str| remove(text, TENANT, &["spec", "a", "b"]);
    for (before, after) in [
        ("\n  a:\n    # b\n    b: old # why\n    c: 1\n", "\n  a:\n    # b\n    c: 1\n"),
        ("\n  a: # about a\n    # b\n    b: old\n  # c\n  c: 1\n", "\n    # b\n  # c\n  c: 1\n"),
        (
            "\n  a:\n    b:\n      - x\n      # in it\n      - y\n    # c\n    c: 1\n",
            "\n  a:\n    # c\n    c: 1\n",
        ),
        ("\n  a: { b: old, c: 1 } # why\n", "\n  a: { c: 1 } # why\n"),
        ("\n  a: { c: 1, b: old }\n", "\n  a: { c: 1 }\n"),
        ("\n  a: { b: old }\n  c: 1\n", "\n  c: 1\n"),
        (
            "\n  a: {\n    # b\n    b: old, # why\n    c: 1\n  }\n",
            "\n  a: {\n    # b\n    c: 1\n  }\n",
        ),
        ("\n  a: {\n    c: 1, # c\n    b: old\n  }\n", "\n  a: {\n    c: 1 # c\n  }\n"),
        ("\n  a: {\n    b: old\n  }\n  c: 1\n", "\n  a: {}\n  c: 1\n"),
        ("\n  a: { c: &x 1, b: *x }\n", "\n  a: { c: &x 1 }\n"),
        (" { a: { b: old }, c: 1 }\n", " { c: 1 }\n"),
        ("\r\n  a:\r\n    b: old\r\n  c: 1\r\n", "\r\n  c: 1\r\n"),
        ("\n  c: 1\n  a:\n    b: old", "\n  c: 1\n"),
        ("\n  a: {}\n", "refused: there is no `spec.a.b`"),
    ] {
        becomes(before, edit, after);
    }
}

#[test]
fn what_only_a_person_can_change_is_refused_in_words() {
    let edit = |text: &str| set(text, TENANT, &["spec", "a", "b"], "new");
    for (spec, why) in [
        (
            "\n  c: &x { b: 1 }\n  a: *x\n",
            "refused: `a` is an alias: what it stands for is used elsewhere as well",
        ),
        (
            "\n  a: &x { b: 1 }\n  c: *x\n",
            "refused: an alias uses `spec.a.b` elsewhere, or what is around it",
        ),
        (
            "\n  a: { b: &x 1 }\n  c: *x\n",
            "refused: an alias uses `spec.a.b` elsewhere, or what is around it",
        ),
        (
            "\n  a:\n    ? b\n    : 1\n",
            "refused: `spec.a.b` is written in a way that only a person can change",
        ),
        ("\n  a: [1]\n", "refused: `spec.a.b` is written in a way that only a person can change"),
        (
            "\n  a: { b: 1\n",
            "refused: this is not YAML: while parsing a flow mapping, did not find expected ',' or '}'",
        ),
    ] {
        becomes(spec, edit, why);
    }
    let missing = set(BLOCK, Document { kind: "Tenant", name: "bolt" }, &["spec"], "1");
    assert_eq!(missing.expect_err("missing").why, "there is no Tenant `bolt` in this file");
}

#[test]
fn an_item_is_added_to_a_list_or_makes_one() {
    let path = ["spec", "drift", "ignore"];
    let one = push(BLOCK, SERVICE, &path, "{ type: a }").expect("made");
    assert!(one.contains("  drift: { every: 1h, ignore: [{ type: a }] }\n"), "{one}");
    let two = push(&one, SERVICE, &path, "{ type: b }").expect("added");
    assert!(two.contains("ignore: [{ type: b }, { type: a }]"), "{two}");
    let block = "kind: Service\nmetadata: { name: scan-api }\nspec:\n  drift:\n    ignore:\n      - { type: a }\n      - type: b\n        reason: c\n  suspend: true\n";
    let more = push(block, SERVICE, &path, "{ type: d }").expect("added");
    assert!(more.contains("        reason: c\n      - { type: d }\n  suspend: true\n"), "{more}");
}

#[test]
fn scalars_are_replaced_as_they_are_written() {
    let replaced = |text: &str, column, old: &str, new: &str| replace(text, (1, column), old, new);
    assert_eq!(replaced("a: 512 # x", 4, "512", "1024").as_deref(), Some("a: 1024 # x"));
    assert_eq!(replaced("{a: 512, b: 1}", 5, "512", "7").as_deref(), Some("{a: 7, b: 1}"));
    assert_eq!(replaced("a: 'x y'", 4, "x y", "\"z\"").as_deref(), Some("a: \"z\""));
    assert_eq!(replaced("a: x, y", 4, "x, y", "z").as_deref(), Some("a: z"));
    assert_eq!(replaced("a: |", 4, "", "z"), None);
}

const FLEET: &str = "apiVersion: driftless.dev/v1\nkind: Fleet\nmetadata: { name: a }\n\
    spec: { cloud: simulated, regions: [eu-central-1] }\n";

/// What a tenant says that edits are about.
type Values = BTreeMap<String, String>;

/// How a map of values is written.
#[derive(Clone, Copy, Debug)]
enum Style {
    Lines,
    OneLine,
    Brackets,
}

/// A tenant's file: a document before it, comments that are numbered, and how its lines end.
#[derive(Clone, Debug)]
struct Tenant {
    labels: (Values, Style),
    parameters: (Values, Style),
    exceptions: (Values, Style),
    among_others: bool,
    with_breaks: bool,
    with_last_break: bool,
}

/// Labels, parameters or exceptions: where they are.
fn path_of(which: usize) -> &'static [&'static str] {
    match which {
        0 => &["metadata", "labels"],
        1 => &["spec", "parameters"],
        _ => &["spec", "services", "scan-api", "parameters"],
    }
}

struct Writer {
    lines: Vec<String>,
    comments: usize,
}

impl Writer {
    fn comment(&mut self) -> String {
        self.comments += 1;
        format!("# note {}.", self.comments)
    }

    fn own_line(&mut self, indent: usize) {
        let comment = self.comment();
        self.lines.push(format!("{}{comment}", " ".repeat(indent)));
    }

    fn map(&mut self, key: &str, indent: usize, values: &Values, style: Style) {
        if values.is_empty() {
            return;
        }
        let pad = " ".repeat(indent);
        self.own_line(indent);
        let entries = values.iter().map(|(key, value)| (written(key), written(value)));
        let entries: Vec<(String, String)> = entries.collect();
        match style {
            Style::Lines => {
                self.lines.push(format!("{pad}{key}:"));
                for (key, value) in entries {
                    self.own_line(indent + 2);
                    let comment = self.comment();
                    self.lines.push(format!("{pad}  {key}: {value} {comment}"));
                }
            }
            Style::OneLine => {
                let entries = entries.iter().map(|(key, value)| format!("{key}: {value}"));
                let comment = self.comment();
                let entries = entries.collect::<Vec<_>>().join(", ");
                self.lines.push(format!("{pad}{key}: {{ {entries} }} {comment}"));
            }
            Style::Brackets => {
                self.lines.push(format!("{pad}{key}: {{"));
                for (key, value) in entries {
                    self.own_line(indent + 4);
                    let comment = self.comment();
                    self.lines.push(format!("{pad}    {key}: {value}, {comment}"));
                }
                self.lines.push(format!("{pad}  }}"));
            }
        }
    }
}

impl Tenant {
    fn text(&self) -> String {
        let mut writer = Writer { lines: Vec::new(), comments: 0 };
        if self.among_others {
            let other = "apiVersion: driftless.dev/v1\nkind: Tenant\nmetadata: { name: bolt }\n\
                         spec: { account: \"111122223334\", regions: [eu-central-1] }\n---";
            writer.lines.extend(other.lines().map(str::to_owned));
        }
        writer.own_line(0);
        for line in ["apiVersion: driftless.dev/v1", "kind: Tenant", "metadata:", "  name: acme"] {
            writer.lines.push(line.to_owned());
        }
        writer.map("labels", 2, &self.labels.0, self.labels.1);
        writer.lines.push("spec:".to_owned());
        writer.lines.push("  account: \"111122223333\"".to_owned());
        writer.map("parameters", 2, &self.parameters.0, self.parameters.1);
        if !self.exceptions.0.is_empty() {
            writer.lines.push("  services:".to_owned());
            writer.lines.push("    scan-api:".to_owned());
            writer.map("parameters", 6, &self.exceptions.0, self.exceptions.1);
        }
        writer.own_line(2);
        writer.lines.push("  regions:".to_owned());
        writer.lines.push("  - eu-central-1".to_owned());
        writer.own_line(0);
        let text = writer.lines.join(if self.with_breaks { "\r\n" } else { "\n" });
        if self.with_last_break {
            text + line_break(if self.with_breaks { "\r\n" } else { "" })
        } else {
            text
        }
    }
}

/// What the loader reads of the tenant.
fn read(text: &str) -> [Values; 3] {
    let file = |text: &str| File::File(text.as_bytes().into());
    let files = [("fleet.yaml", file(FLEET)), ("acme.yaml", file(text))];
    let files: BTreeMap<String, File> = files.map(|(path, file)| (path.into(), file)).into();
    let (documents, findings) = load(&Snapshot::of(Revision::of("folder"), None, files));
    assert!(findings.is_empty(), "{findings:#?}\n{text}");
    let documents = documents.expect("documents");
    let tenant = &documents.tenants[&"acme".parse().expect("a name")];
    let texts = |values: &BTreeMap<String, crate::fleet::Text>| -> Values {
        values.iter().map(|(key, value)| (key.clone(), value.to_string())).collect()
    };
    let service = "scan-api".parse().expect("a name");
    let exception = tenant.services.get(&service).map(|one| texts(&one.parameters));
    [tenant.labels.clone(), texts(&tenant.parameters), exception.unwrap_or_default()]
}

fn comments(text: &str) -> BTreeSet<String> {
    let pattern = regex::Regex::new(r"# note \d+\.").expect("a pattern");
    pattern.find_iter(text).map(|found| found.as_str().to_owned()).collect()
}

fn values() -> impl Strategy<Value = (Values, Style)> {
    let value = "[a-z]{0,4}|yes|[0-9]{1,4}|[ -#%-~]{1,6}|ü[:,{}#' \"]{1,3}";
    let values = proptest::collection::btree_map("[A-E]|[ab] [#:,]c", value, 0..4);
    let style = prop_oneof![Just(Style::Lines), Just(Style::OneLine), Just(Style::Brackets)];
    (values, style)
}

fn tenant() -> impl Strategy<Value = Tenant> {
    (values(), values(), values(), any::<[bool; 3]>()).prop_map(
        |(labels, parameters, exceptions, [among_others, with_breaks, with_last_break])| Tenant {
            labels,
            parameters,
            exceptions,
            among_others,
            with_breaks,
            with_last_break,
        },
    )
}

fn edits() -> impl Strategy<Value = Vec<(usize, String, Option<String>)>> {
    let value = proptest::option::of("[a-z]{0,4}|no|[0-9]{1,4}|[ -#%-~]{1,6}");
    proptest::collection::vec((0..3_usize, "[A-F]|[ab] [#:,]c", value), 1..8)
}

/// Whether a line that came or went has to do with a key: it names it, is that of a map with it, or
/// the last one, which gets a line break.
fn is_about(line: &str, key: &str, before: &str) -> bool {
    let bare = line[1..].trim();
    let is_parent = ["labels:", "parameters:", "scan-api:", "services:"].contains(&bare);
    let is_last = before.lines().last().is_some_and(|last| last.trim() == bare);
    let is_of_brackets = bare.contains(['{', '}']) || bare.contains(", # note");
    line.contains(key) || is_parent || is_last || is_of_brackets || bare.starts_with("# note")
}

proptest! {
    #[test]
    fn any_edits_say_what_was_asked_and_leave_every_other_line_and_comment(
        tenant in tenant(),
        edits in edits(),
    ) {
        let mut text = tenant.text();
        let mut expected = [tenant.labels.0, tenant.parameters.0, tenant.exceptions.0];
        prop_assert_eq!(&read(&text), &expected, "{}", text);
        for (which, key, value) in edits {
            let path = [path_of(which), &[key.as_str()]].concat();
            let before = text.clone();
            let had = expected[which].contains_key(&key);
            text = match &value {
                Some(value) => {
                    expected[which].insert(key.clone(), value.clone());
                    set(&before, TENANT, &path, &written(value))
                }
                None if !had => continue,
                None => {
                    expected[which].remove(&key);
                    remove(&before, TENANT, &path)
                }
            }
            .unwrap_or_else(|refusal| panic!("{refusal:?} {path:?}\n{before}"));
            prop_assert_eq!(&read(&text), &expected, "{:?} {:?}\n{}\n{}", path, value, before, text);
            let own = format!("{}:", written(&key));
            for line in diff(&before, &text) {
                prop_assert!(is_about(&line, &own, &before), "{}\n{}\n{}", line, before, text);
            }
            let on_its_line = before.lines().filter(|line| line.contains(&own));
            let may_go: BTreeSet<String> = match value {
                Some(_) => BTreeSet::new(),
                None => on_its_line.flat_map(comments).collect(),
            };
            let (had, has) = (comments(&before), comments(&text));
            let lost: Vec<_> = had.difference(&has).filter(|one| !may_go.contains(*one)).collect();
            prop_assert!(lost.is_empty(), "{:?}\n{}\n{}", lost, before, text);
        }
    }
}
