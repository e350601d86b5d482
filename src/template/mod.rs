//! CloudFormation templates as values: parsed once into canonical form, compared by digest. The
//! text itself is kept as it is: that is what AWS gets.

mod canonical;
mod create_only;
mod effects;
mod fill;
mod json;
mod limits;
mod parameter;
mod references;
mod resource;
mod transform;
mod tree;
mod yaml;

pub use create_only::{Replaces, is_deleted_first, replacement};
pub use effects::{Action, Effect, Effects, Inside, effects, effects_around};
pub use fill::{Filled, FilledResource, Given, Inputs, fill, symbol};
pub use limits::{Flaw, MAX_INLINE_BYTES, limits};
pub use parameter::{MAX_PARAMETER_BYTES, Parameter};
pub use references::references;
pub use resource::{Change, Resource, ResourceChange, compare};
pub use transform::{Processed, Unknown};
pub use tree::{MAX_TEXT_BYTES, Position, TemplateError, line_starts};

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use crate::ids::Digest;
use crate::template::json::JsonError;
use crate::template::tree::Node;

/// One template. It is read-only and may be large: share it as `Arc<Template>`.
#[derive(Clone, Debug)]
pub struct Template {
    body: String,
    value: Value,
    digest: Digest,
    returned_digest: Digest,
    transforms: Vec<String>,
    parameters: BTreeMap<String, Parameter>,
    resources: BTreeMap<String, Resource>,
    outputs: BTreeMap<String, Value>,
    conditions: BTreeMap<String, Value>,
    mappings: BTreeMap<String, Value>,
    /// Whether macros left something out that nobody knows.
    is_partial: bool,
    processed: transform::Cache,
}

impl Template {
    /// Reads YAML or JSON. Only the form is looked at here: what CloudFormation would refuse in a
    /// well-formed text is told by [`limits`].
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let root = read(text)?;
        let value = root.to_value();
        if !value.is_object() {
            return Err(TemplateError::at(root.position, "A template is a map of sections.")
                .with_help("Start with `Resources:`."));
        }
        let digest = canonical::digest(&value);
        let returned_digest = if text.is_ascii() { digest } else { digest_of_mangled(text) };
        Ok(Self { returned_digest, ..Self::of(value, text.to_owned(), digest) })
    }

    /// What macros made of a template: its text is JSON.
    fn made(value: Value, is_partial: bool) -> Self {
        let (text, digest) = (value.to_string(), canonical::digest(&value));
        Self { is_partial, ..Self::of(value, text, digest) }
    }

    fn of(value: Value, body: String, digest: Digest) -> Self {
        let section = |name: &str| value.get(name).and_then(Value::as_object).into_iter().flatten();
        let values = |name: &str| section(name).map(|(key, value)| (key.clone(), value.clone()));
        Self {
            returned_digest: digest,
            transforms: value.get("Transform").map(resource::texts).unwrap_or_default(),
            parameters: section("Parameters")
                .map(|(name, value)| (name.clone(), Parameter::of(value)))
                .collect(),
            // `Fn::ForEach::Name` and `Fn::Transform` make resources and are none.
            resources: section("Resources")
                .filter(|(name, _)| !name.starts_with("Fn::"))
                .map(|(name, value)| (name.clone(), Resource::of(value)))
                .collect(),
            outputs: values("Outputs").collect(),
            conditions: values("Conditions").collect(),
            mappings: values("Mappings").collect(),
            is_partial: false,
            processed: transform::Cache::new(),
            body,
            digest,
            value,
        }
    }

    /// The text as given.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The canonical form: long forms of all functions, `Fn::GetAtt` as a list.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The digest of the canonical form. Comments, the order of keys, YAML or JSON, short or long
    /// forms do not matter; everything else does.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The digest of what GetTemplate gives back for this template, see [`mangle`]. Where that is
    /// no template any more (two keys that differ in such characters only) it equals no other
    /// digest.
    pub fn returned_digest(&self) -> Digest {
        self.returned_digest
    }

    /// The section `Description`.
    pub fn description(&self) -> Option<&str> {
        self.value.get("Description")?.as_str()
    }

    /// The macros that AWS applies to the whole template, in their order.
    pub fn transforms(&self) -> &[String] {
        &self.transforms
    }

    /// The section `Parameters` by name.
    pub fn parameters(&self) -> &BTreeMap<String, Parameter> {
        &self.parameters
    }

    /// The section `Resources` by logical id, without what macros are going to add.
    pub fn resources(&self) -> &BTreeMap<String, Resource> {
        &self.resources
    }

    /// The section `Outputs` by name.
    pub fn outputs(&self) -> &BTreeMap<String, Value> {
        &self.outputs
    }

    /// The section `Conditions` by name.
    pub fn conditions(&self) -> &BTreeMap<String, Value> {
        &self.conditions
    }

    /// The section `Mappings` by name.
    pub fn mappings(&self) -> &BTreeMap<String, Value> {
        &self.mappings
    }

    /// Where a value stands in the text, by its JSON pointer in the canonical form: a scalar at
    /// itself, a map or list at its key. The text is read again for it, which is meant for findings;
    /// for many of them see [`Self::positions`].
    pub fn position(&self, pointer: &str) -> Option<Position> {
        self.positions().of(pointer)
    }

    /// Where all values stand in the text, which is read again for it once.
    pub fn positions(&self) -> Positions {
        Positions(read(&self.body).ok())
    }
}

/// Where the values of one template stand in its text.
#[derive(Debug)]
pub struct Positions(Option<Rc<Node>>);

impl Positions {
    /// See [`Template::position`].
    pub fn of(&self, pointer: &str) -> Option<Position> {
        self.0.as_ref()?.find(pointer)
    }
}

/// What AWS makes of a text that it gives back: each character outside ASCII becomes `?`.
pub fn mangle(text: &str) -> String {
    text.chars().map(|character| if character.is_ascii() { character } else { '?' }).collect()
}

/// The digest of any document in canonical form, such as a stack policy.
pub fn canonical_digest(text: &str) -> Result<Digest, TemplateError> {
    Ok(canonical::digest(&read(text)?.to_value()))
}

fn digest_of_mangled(text: &str) -> Digest {
    let mangled = mangle(text);
    canonical_digest(&mangled)
        .unwrap_or_else(|_| Digest::of_parts([b"no template".as_slice(), mangled.as_bytes()]))
}

/// Reads JSON or YAML, whichever it is.
fn read(text: &str) -> Result<Rc<Node>, TemplateError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(TemplateError {
            message: format!("The text has {} bytes.", text.len()),
            position: None,
            help: Some(format!("{MAX_TEXT_BYTES} bytes are the most that is read.")),
        });
    }
    // The YAML parser takes a zero byte for the end and would silently drop the rest.
    if let Some((line, before)) = line_before(text, '\0') {
        let position = Position { line, column: before.chars().count() + 1 };
        return Err(TemplateError::at(position, "There is a zero byte in the text.")
            .with_help("Save the file as UTF-8 text."));
    }
    if text.starts_with('\u{feff}') {
        let start = Position { line: 1, column: 1 };
        return Err(TemplateError::at(start, "The text starts with a byte order mark.")
            .with_help("Save the file as UTF-8 without a byte order mark."));
    }
    let start = text.trim_start();
    if !start.starts_with(['{', '[']) {
        return yaml::read(text);
    }
    match json::read(text) {
        Ok(root) => Ok(root),
        Err(JsonError::Content(error)) => Err(error),
        // YAML in braces looks much like JSON; who starts with a quoted key means JSON, and AWS
        // would not take a comma too many either.
        Err(JsonError::Syntax(error)) if start[1..].trim_start().starts_with('"') => Err(error),
        Err(JsonError::Syntax(_)) => yaml::read(text),
    }
}

/// The line (from 1) in which a character first stands, and what is before it in that line.
fn line_before(text: &str, character: char) -> Option<(usize, &str)> {
    let (before, _) = text.split_once(character)?;
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    Some((line, before.rsplit('\n').next().unwrap_or(before)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn value(text: &str) -> Value {
        Template::parse(text).expect(text).value().clone()
    }

    /// The message of a refused text, with its place in front.
    fn refused(text: &str) -> String {
        let error = Template::parse(text).expect_err(text);
        let place = error.position.map(|at| format!("{}:{}: ", at.line, at.column));
        format!("{}{}", place.unwrap_or_default(), error.message)
    }

    #[test]
    fn short_forms_become_long_forms() {
        let text = "
A: !Ref B
B: !GetAtt C.D.E
C: !GetAtt [F, G]
D: {Fn::GetAtt: H.I}
E: !Join [',', [!Ref J, !Sub '${K}']]
F: !If
  - L
  - !Select [0, !GetAZs '']
  - !Ref AWS::NoValue
G: !Not [!Condition M]
H: !Base64
  Fn::Sub: 12
I: !Sub 007
";
        let expected = json!({
            "A": { "Ref": "B" },
            "B": { "Fn::GetAtt": ["C", "D.E"] },
            "C": { "Fn::GetAtt": ["F", "G"] },
            "D": { "Fn::GetAtt": ["H", "I"] },
            "E": { "Fn::Join": [",", [{ "Ref": "J" }, { "Fn::Sub": "${K}" }]] },
            "F": { "Fn::If": [
                "L", { "Fn::Select": [0, { "Fn::GetAZs": "" }] }, { "Ref": "AWS::NoValue" }
            ] },
            "G": { "Fn::Not": [{ "Condition": "M" }] },
            "H": { "Fn::Base64": { "Fn::Sub": "12" } },
            "I": { "Fn::Sub": "007" },
        });
        assert_eq!(value(text), expected);
    }

    #[test]
    fn scalars_keep_their_meaning() {
        let text = "
Date: 2012-10-17
Account: 007123456789
Int: 42
Negative: -1
Float: 1.5
Version: 1.10
Large: 123456789012345678901234567890
Time: 22:22
Hex: 0x1F
Yes: yes
Off: 'off'
Tagged: !!str 5
Block: |
  two
  lines
1: one
";
        let expected = json!({
            "Date": "2012-10-17", "Account": "007123456789", "Int": 42, "Negative": -1,
            "Float": 1.5, "Version": "1.10", "Large": "123456789012345678901234567890",
            "Time": "22:22", "Hex": "0x1F", "Yes": true, "Off": "off", "Tagged": "5",
            "Block": "two\nlines\n", "1": "one",
        });
        assert_eq!(value(text), expected);
    }

    #[test]
    fn json_is_read_with_tabs_escapes_and_large_numbers() {
        let text =
            "{\n\t\"A\": \"\\ud83d\\ude00\\/\",\r\n\t\"B\": [1, -2.5, true, {}, [], 1e999]\n}\n";
        assert_eq!(
            value(text),
            json!({ "A": "\u{1f600}/", "B": [1, -2.5, true, {}, [], "1e999"] })
        );
        assert_eq!(value("{A: [b, !Ref C]}"), json!({ "A": ["b", { "Ref": "C" }] }));
    }

    #[test]
    fn broken_texts_are_refused_with_the_place() {
        for (text, expected) in [
            ("", "1:1: The text is empty."),
            ("# nothing\n", "2:1: The text is empty."),
            ("- a", "1:1: A template is a map of sections."),
            ("a: 1\nb: 2\na: 3", "3:1: The key `a` comes twice in one map."),
            ("a: {b: 1, 'b': 2}", "1:11: The key `b` comes twice in one map."),
            ("{\"a\": 1,\n \"a\": 2}", "2:2: The key `a` comes twice in one map."),
            ("a:\n  b:\n  c: 1", "2:4: Null values are not allowed in templates."),
            ("a: ~", "1:4: Null values are not allowed in templates."),
            ("{\"a\": null}", "1:7: Null values are not allowed in templates."),
            ("a: !Reff b", "1:10: The tag `!Reff` is unknown to CloudFormation."),
            ("a: !!binary b", "1:13: The tag `!!binary` is unknown to CloudFormation."),
            ("a: 1\n---\nb: 2", "2:1: There is text after the first YAML document."),
            ("{\"a\": 1} x", "1:10: There is text after the end of the JSON value."),
            ("{\"a\": 1,}", "1:9: A key in double quotes is missing here."),
            ("{\"a\" 1}", "1:6: A colon is missing after the key `a`."),
            ("{\"a\": \"b}", "1:7: This string has no closing quote."),
            ("a: &x {b: 1}\nc:\n  <<: *x", "3:3: CloudFormation does not merge maps with `<<`."),
            ("a: &x [*x]", "1:8: This alias is part of what it stands for."),
            ("? [a]\n: b", "1:3: A key must be a plain text."),
            ("? ? ? a", "1:3: A key must be a plain text."),
            ("a: b\0c", "1:5: There is a zero byte in the text."),
            ("\u{feff}a: b", "1:1: The text starts with a byte order mark."),
        ] {
            assert_eq!(refused(text), expected, "{text:?}");
        }
        assert!(refused("a: [b").contains("This is not YAML"), "{}", refused("a: [b"));
        assert!(refused(&" ".repeat(MAX_TEXT_BYTES + 1)).contains("1000001 bytes"));
    }

    #[test]
    fn depth_and_aliases_are_bounded() {
        for text in [
            "[".repeat(500_000),
            format!("a: {}", "{a: ".repeat(200_000)),
            "- ".repeat(400_000),
            format!("{{\"a\": {}", "[".repeat(500_000)),
            (0..400).map(|n| format!("{}a:\n", " ".repeat(n))).collect(),
        ] {
            let message = refused(&text);
            let bounded = message.contains("levels deep") || message.contains("recursion limit");
            assert!(bounded, "{message}");
        }
        let mut laughs = "a0: &a0 [lol]\n".to_owned();
        for n in 1..30 {
            let alias = format!("*a{}", n - 1);
            laughs += &format!("a{n}: &a{n} [{}]\n", vec![alias; 9].join(", "));
        }
        assert!(refused(&laughs).contains("Aliases make this text larger"), "{}", refused(&laughs));
        let long = format!("a: &a {}\nb: [{}]", "x".repeat(100_000), vec!["*a"; 1_000].join(","));
        assert!(refused(&long).contains("Aliases make this text larger"), "{}", refused(&long));
        assert_eq!(value("a: &x {b: 1}\nc: *x"), json!({ "a": { "b": 1 }, "c": { "b": 1 } }));
    }

    #[test]
    fn positions_are_those_of_the_text() {
        let text = "Resources:\n  A:\n    Type: t\n    Properties:\n      P: !Ref X\n      L:\n        - ä: b\n";
        let template = Template::parse(text).expect("a template");
        for (pointer, line, column) in [
            ("", 1, 1),
            ("/Resources/A", 2, 3),
            ("/Resources/A/Type", 3, 11),
            ("/Resources/A/Properties/P", 5, 7),
            ("/Resources/A/Properties/P/Ref", 5, 15),
            ("/Resources/A/Properties/L/0/ä", 7, 14),
        ] {
            assert_eq!(template.position(pointer), Some(Position { line, column }), "{pointer}");
        }
        assert_eq!(template.position("/Resources/B"), None);
        let json = Template::parse("{\"ä\": {\n\t\"b\": 1}}").expect("a template");
        assert_eq!(json.position("/ä/b"), Some(Position { line: 2, column: 7 }));
    }

    #[test]
    fn what_aws_gives_back_has_the_returned_digest() {
        let ascii = Template::parse("Description: a").expect("a template");
        assert_eq!(ascii.returned_digest(), ascii.digest());
        let text = "Description: Größe €😀 # ü\n";
        let template = Template::parse(text).expect("a template");
        assert_eq!(mangle(text), "Description: Gr??e ?? # ?\n");
        let returned = Template::parse(&mangle(text)).expect("what AWS gives back");
        assert_eq!(template.returned_digest(), returned.digest());
        assert_ne!(template.returned_digest(), template.digest());
        assert!(Template::parse("ä: 1\nö: 2").is_ok(), "its mangled form has a key twice");
    }

    #[test]
    fn sections_can_be_asked_for() {
        let text = "Description: d\nTransform: [A, B]\nParameters: {P: {Type: String}}\n\
                    Resources: {R: {Type: t}, 'Fn::ForEach::X': [a]}\nOutputs: {O: {Value: v}}\n\
                    Conditions: {C: !Equals [a, b]}\nMappings: {M: {a: {b: c}}}";
        let template = Template::parse(text).expect("a template");
        assert_eq!(template.body(), text);
        assert_eq!(template.description(), Some("d"));
        assert_eq!(template.transforms(), ["A", "B"]);
        assert!(template.parameters().keys().eq(["P"]));
        assert!(template.resources().keys().eq(["R"]));
        assert!(template.outputs().keys().eq(["O"]));
        assert!(template.conditions().keys().eq(["C"]));
        assert!(template.mappings().keys().eq(["M"]));
    }

    /// Values in canonical form, functions among them.
    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            "[ -~äß€\n\t]{0,12}".prop_map(Value::from),
            "(true|no|null|~|1.10|007|2012-10-17|-|!Ref x|a: b|)".prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            "[A-Z][a-z]{0,5}".prop_map(|name| json!({ "Ref": name })),
            ("[A-Z][a-z]{0,5}", "[A-Z][a-z.]{0,5}")
                .prop_map(|(name, attribute)| json!({ "Fn::GetAtt": [name, attribute] })),
            "[ -~]{0,12}".prop_map(|text| json!({ "Fn::Sub": text })),
        ];
        leaf.prop_recursive(5, 60, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                maps(inner.clone()),
                proptest::collection::vec(inner.clone(), 0..4)
                    .prop_map(|items| json!({ "Fn::Join": [",", items] })),
                inner.prop_map(|value| match value {
                    Value::Number(_) | Value::Bool(_) => json!({ "Fn::Base64": value.to_string() }),
                    Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                        json!({ "Fn::Base64": value })
                    }
                }),
            ]
        })
    }

    fn maps(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
        proptest::collection::btree_map("[ -~ä]{1,8}", inner, 0..5)
            .prop_map(|entries| Value::Object(entries.into_iter().collect()))
    }

    /// JSON with the keys in the reverse of their sorted order.
    fn as_json(value: &Value) -> String {
        match value {
            Value::Array(items) => {
                format!("[{}]", items.iter().map(as_json).collect::<Vec<_>>().join(",\t"))
            }
            Value::Object(entries) => {
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by(|a, b| b.0.cmp(a.0));
                let line = |(key, value): (&String, &Value)| {
                    format!("{}:{}", Value::from(key.as_str()), as_json(value))
                };
                format!("{{{}}}", entries.into_iter().map(line).collect::<Vec<_>>().join(",\n"))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
        }
    }

    /// Block YAML that goes behind a key or dash; `short` asks for tags and sorted keys, else the
    /// keys come in reverse. One node cannot have two tags, so a function in a tagged function is
    /// written long.
    fn as_yaml(value: &Value, depth: usize, short: bool, tagged: bool) -> String {
        let indent = format!("\n{}", "  ".repeat(depth));
        match value {
            Value::Array(items) if !items.is_empty() => items
                .iter()
                .map(|item| format!("{indent}-{}", as_yaml(item, depth + 1, short, false)))
                .collect(),
            Value::Object(entries) if !entries.is_empty() => {
                let tag = entries.iter().next().filter(|_| entries.len() == 1 && short && !tagged);
                match tag {
                    Some((key, Value::Array(parts))) if key == "Fn::GetAtt" => {
                        let text = |part: &Value| part.as_str().unwrap_or_default().to_owned();
                        return format!(" !GetAtt {}.{}", text(&parts[0]), text(&parts[1]));
                    }
                    Some((key, value)) if key == "Ref" || key.starts_with("Fn::") => {
                        let name = key.trim_start_matches("Fn::");
                        return format!(" !{name}{}", as_yaml(value, depth, short, true));
                    }
                    Some(_) | None => {}
                }
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by(|a, b| if short { a.0.cmp(b.0) } else { b.0.cmp(a.0) });
                let line = |(key, value): (&String, &Value)| {
                    let value = as_yaml(value, depth + 1, short, false);
                    format!("{indent}{}:{value} # note", Value::from(key.as_str()))
                };
                entries.into_iter().map(line).collect()
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => format!(" {value}"),
        }
    }

    /// The leaves of a value, to be changed one at a time.
    fn leaves<'a>(value: &'a mut Value, found: &mut Vec<&'a mut Value>) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| leaves(item, found)),
            Value::Object(entries) => entries.values_mut().for_each(|item| leaves(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => found.push(value),
        }
    }

    const SAMPLE: &str = "Parameters:\n  P: {Type: String, Default: &d a}\nResources:\n  A:\n    \
        Type: 'AWS::SQS::Queue' # a queue\n    Properties:\n      Name: !Sub \"${P}-ä\"\n      \
        Tags:\n        - {Key: k, Value: *d}\n        - Key: !GetAtt B.Arn\n          Value: |\n            \
        text\n  B:\n    Type: >-\n      folded\n";

    proptest! {
        #[test]
        fn the_digest_ignores_form(value in maps(values())) {
            let digest = canonical::digest(&value);
            for text in [
                as_json(&value),
                as_yaml(&value, 0, true, true),
                as_yaml(&value, 0, false, true),
            ] {
                let template = Template::parse(&text);
                let template = template.map_err(|error| TestCaseError::fail(format!("{error:?}\n{text}")))?;
                prop_assert_eq!(template.value(), &value, "{}", text);
                prop_assert_eq!(template.digest(), digest, "{}", text);
            }
        }

        #[test]
        fn the_digest_sees_every_leaf(value in maps(values()), which in any::<prop::sample::Index>()) {
            let mut other = value.clone();
            let mut found = Vec::new();
            leaves(&mut other, &mut found);
            prop_assume!(!found.is_empty());
            let index = which.index(found.len());
            let leaf = &mut *found[index];
            *leaf = match leaf {
                Value::String(text) => format!("{text}x").into(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    leaf.to_string().into()
                }
            };
            prop_assert_ne!(canonical::digest(&value), canonical::digest(&other));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(\\PC|[\\[\\]{}:,&*!?|>'\"#%\n\t -]){0,200}") {
            if let Ok(template) = Template::parse(&text) {
                limits(&template);
            }
        }

        #[test]
        fn a_mutated_template_is_read_or_refused(
            edits in proptest::collection::vec(
                (any::<prop::sample::Index>(), 0..4_usize, "[\\[\\]{}:,&*!?|>'\"#%\n\t -ä~]{0,3}"),
                1..6,
            )
        ) {
            let mut text: Vec<char> = SAMPLE.chars().collect();
            for (at, removed, added) in edits {
                let start = at.index(text.len() + 1);
                let end = (start + removed).min(text.len());
                text.splice(start..end, added.chars());
            }
            let text: String = text.into_iter().collect();
            if let Ok(template) = Template::parse(&text) {
                limits(&template);
                prop_assert_eq!(compare(&template, &template), Vec::new());
                prop_assert!(template.position("").is_some());
            }
        }

        #[test]
        fn a_template_does_not_differ_from_itself(resources in maps(values())) {
            let text = json!({ "Resources": resources }).to_string();
            let template = Template::parse(&text).expect("a template");
            prop_assert_eq!(compare(&template, &template), Vec::new());
        }
    }
}
