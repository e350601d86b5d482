//! CloudFormation templates, sound ones in every spelling and broken ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use driftless::template::{MAX_TEXT_BYTES, Template, TemplateError, canonical_digest, limits};
use driftless::template::{compare, mangle, references};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Map, Value, json};

use crate::fuzz::bounds::damage;
use crate::fuzz::cases;
use crate::fuzz::tree::{Tree, any_break, list, map, plain, quoted, written_key};

const IDS: [&str; 4] = ["Alpha", "Beta", "Gamma", "Delta"];

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1_000_i32..1_000).prop_map(|number| Value::from(f64::from(number) / 4.0)),
        any::<String>().prop_map(Value::from),
        select(vec!["yes", "null", "~", "007", "1.10", "-", "!Ref x", "a: b", "# c", "${A}", "<<"])
            .prop_map(Value::from),
    ]
}

/// A value with functions in it, in canonical form.
fn value() -> impl Strategy<Value = Value> {
    let text = || "[a-zA-Z$.{}!: ]{0,10}".prop_map(Value::from);
    scalar().prop_recursive(4, 24, 4, move |inner| {
        let function = |name: &'static str| move |argument: Value| json!({ name: argument });
        let list =
            |least: usize, inner| proptest::collection::vec(inner, least..4).prop_map(Value::from);
        prop_oneof![
            2 => list(0, inner.clone()),
            2 => proptest::collection::btree_map("[^<]{1,6}", inner.clone(), 0..4).prop_map(object),
            1 => select(IDS.to_vec()).prop_map(|id| json!({ "Ref": id })),
            1 => (select(IDS.to_vec()), "[A-Z][a-z]{0,3}(\\.[a-z]{1,3})?")
                .prop_map(|(id, attribute)| json!({ "Fn::GetAtt": [id, attribute] })),
            1 => text().prop_map(function("Fn::Sub")),
            1 => (text(), proptest::collection::btree_map("[a-z]{1,3}", inner.clone(), 0..3))
                .prop_map(|(text, map)| json!({ "Fn::Sub": [text, object(map)] })),
            1 => list(2, inner.clone()).prop_map(function("Fn::Join")),
            1 => list(1, inner.clone()).prop_map(function("Fn::If")),
            1 => inner.clone().prop_filter("text", is_no_number).prop_map(function("Fn::Base64")),
            1 => inner.prop_filter("text", is_no_number).prop_map(function("Fn::ToJsonString")),
            1 => text().prop_map(function("Condition")),
        ]
    })
}

/// A scalar that a function is called with is a text in canonical form.
fn is_no_number(value: &Value) -> bool {
    !value.is_number() && !value.is_boolean()
}

fn object(entries: BTreeMap<String, Value>) -> Value {
    Value::Object(entries.into_iter().collect::<Map<_, _>>())
}

fn template() -> impl Strategy<Value = Value> {
    let resource = (value(), proptest::option::of(select(IDS.to_vec())));
    let resources = proptest::collection::btree_map(select(IDS.to_vec()), resource, 0..4);
    (resources, value(), value()).prop_map(|(resources, output, metadata)| {
        let section = |(value, needs): (Value, Option<&str>)| {
            let mut section = json!({ "Type": "AWS::SQS::Queue", "Properties": { "a": value } });
            section["DependsOn"] = needs.map_or(json!([]), Value::from);
            section
        };
        let resources = resources.into_iter().map(|(id, one)| (id.to_owned(), section(one)));
        json!({
            "Resources": object(resources.collect()),
            "Outputs": { "Out": { "Value": output } },
            "Metadata": { "m": metadata },
        })
    })
}

/// How a value is spelt.
struct Spelling {
    rng: TestRng,
    json: bool,
}

impl Spelling {
    fn of(seed: u64, json: bool) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self { rng: TestRng::from_seed(RngAlgorithm::ChaCha, &bytes), json }
    }

    fn coin(&mut self) -> bool {
        self.rng.random_bool(0.5)
    }

    fn blank(&mut self, to: &mut String) {
        to.push_str(if self.coin() { " " } else { "\n  " });
    }

    fn write(&mut self, value: &Value, short: bool, to: &mut String) {
        match value {
            Value::String(text) if self.json => {
                let _ = write!(to, "{}", Value::from(text.as_str()));
            }
            Value::String(text) => to.push_str(&quoted(text)),
            Value::Array(items) => {
                to.push('[');
                for (index, item) in items.iter().enumerate() {
                    to.push_str(if index > 0 { "," } else { "" });
                    self.blank(to);
                    self.write(item, true, to);
                }
                to.push(']');
            }
            Value::Object(entries) => self.map(entries, short, to),
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                let _ = write!(to, "{value}");
            }
        }
    }

    fn map(&mut self, entries: &Map<String, Value>, short: bool, to: &mut String) {
        if short && !self.json && entries.len() == 1 && self.coin() {
            let (key, argument) = entries.iter().next().unwrap();
            let name = key.strip_prefix("Fn::").unwrap_or(key);
            if ["Ref", "Condition"].contains(&key.as_str()) || key.starts_with("Fn::") {
                let _ = write!(to, "!{name} ");
                return self.argument(key, argument, to);
            }
        }
        let mut order: Vec<_> = entries.iter().collect();
        if self.coin() {
            order.reverse();
        }
        to.push('{');
        for (index, (key, value)) in order.into_iter().enumerate() {
            to.push_str(if index > 0 { "," } else { "" });
            self.blank(to);
            let written =
                if self.json { Value::from(key.as_str()).to_string() } else { written_key(key) };
            to.push_str(&written);
            to.push_str(": ");
            if self.coin() { self.argument(key, value, to) } else { self.write(value, true, to) }
        }
        to.push('}');
    }

    /// The argument of a function may be spelt in its own way; no tag may follow a tag.
    fn argument(&mut self, key: &str, argument: &Value, to: &mut String) {
        if let ("Fn::GetAtt", Some([Value::String(id), Value::String(attribute)])) =
            (key, argument.as_array().map(Vec::as_slice))
        {
            let joined = Value::from(format!("{id}.{attribute}"));
            return self.write(&joined, false, to);
        }
        self.write(argument, false, to);
    }

    fn text(mut self, value: &Value) -> String {
        let mut text = String::new();
        self.write(value, false, &mut text);
        text
    }
}

fn parse(text: &str) -> Template {
    Template::parse(text).unwrap_or_else(|error| panic!("{error:?}\n{text}"))
}

/// Whether resources wait for each other, by asking each for all that it waits for.
fn has_circle(template: &Template) -> bool {
    let waits = |id: &String| -> BTreeSet<String> {
        let resource = &template.resources()[id];
        let named = references(&resource.section).into_iter().chain(resource.depends_on.clone());
        named.filter(|name| template.resources().contains_key(name)).collect()
    };
    template.resources().keys().any(|id| {
        let mut reached = waits(id);
        for _ in 0..template.resources().len() {
            let more: BTreeSet<String> = reached.iter().flat_map(waits).collect();
            reached.extend(more);
        }
        reached.contains(id)
    })
}

#[track_caller]
fn assert_bounds(text: &str) {
    let parsed = match Template::parse(text) {
        Ok(parsed) => parsed,
        Err(error) => return assert_told(text, &error),
    };
    assert_eq!(parsed.digest(), parse(text).digest());
    assert_eq!(canonical_digest(text), Ok(parsed.digest()));
    if let Ok(returned) = Template::parse(&mangle(text)) {
        assert_eq!(returned.digest(), parsed.returned_digest());
    }
    assert!(compare(&parsed, &parsed).is_empty());
    let flaws = limits(&parsed);
    assert_eq!(flaws, limits(&parsed));
    assert!(flaws.len() <= 200, "{} flaws", flaws.len());
    for flaw in &flaws {
        let position = parsed.position(&flaw.pointer);
        let position = position.unwrap_or_else(|| panic!("{flaw:?} is nowhere\n{text}"));
        assert_inside(text, position.line, position.column);
        assert!(!flaw.message.is_empty() && !flaw.help.is_empty(), "{flaw:?}");
    }
}

#[track_caller]
fn assert_told(text: &str, error: &TemplateError) {
    assert!(!error.message.is_empty());
    match error.position {
        Some(position) => assert_inside(text, position.line, position.column),
        None => assert!(text.len() > MAX_TEXT_BYTES, "{error:?}"),
    }
}

#[track_caller]
fn assert_inside(text: &str, line: usize, column: usize) {
    let fits = |text: &str| {
        let found = text.split('\n').nth(line - 1);
        found.is_some_and(|found| (1..=found.chars().count() + 1).contains(&column))
    };
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    assert!(fits(text) || fits(&unified), "{line}:{column} is outside of {text:?}");
}

/// A template with every section, to be broken.
fn sound() -> Tree {
    let reference = |name: &str| Tree::Marked("!Ref".into(), Some(Box::new(plain(name))));
    let parameter = map([
        ("Type", plain("Number")),
        ("Default", plain("1")),
        ("MinValue", plain("0")),
        ("AllowedValues", list([plain("1"), plain("2")])),
        ("AllowedPattern", Tree::Quoted("[0-9]+".into())),
        ("MaxLength", plain("4")),
    ]);
    let queue = map([
        ("Type", plain("AWS::SQS::Queue")),
        ("Condition", plain("Big")),
        ("DependsOn", list([plain("Topic")])),
        ("Properties", map([("QueueName", reference("Size"))])),
        ("DeletionPolicy", plain("Retain")),
    ]);
    let topic = map([("Type", plain("AWS::SNS::Topic"))]);
    let sub =
        Tree::Marked("!Sub".into(), Some(Box::new(Tree::Quoted("${Queue.Arn}-${!x}".into()))));
    let equals =
        Tree::Marked("!Equals".into(), Some(Box::new(list([reference("Size"), plain("2")]))));
    map([
        ("AWSTemplateFormatVersion", Tree::Quoted("2010-09-09".into())),
        ("Description", plain("a template")),
        ("Parameters", map([("Size", parameter)])),
        ("Mappings", map([("M", map([("a", map([("b", plain("c"))]))]))])),
        ("Conditions", map([("Big", equals)])),
        ("Resources", map([("Queue", queue), ("Topic", topic)])),
        ("Outputs", map([("Arn", map([("Value", sub), ("Condition", plain("Big"))]))])),
    ])
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_template_has_one_digest_however_it_is_spelt(
        value in template(),
        other in template(),
        seeds in any::<[u64; 4]>(),
    ) {
        let plain = parse(&value.to_string());
        prop_assert_eq!(plain.value(), &value);
        for (index, seed) in seeds.into_iter().enumerate() {
            let text = Spelling::of(seed, index % 2 == 0).text(&value);
            let spelt = parse(&text);
            prop_assert_eq!(spelt.value(), &value, "{}", text);
            prop_assert_eq!(spelt.digest(), plain.digest(), "{}", text);
            prop_assert!(compare(&plain, &spelt).is_empty());
            prop_assert_eq!(limits(&spelt).len(), limits(&plain).len(), "{}", text);
        }
        let differs = parse(&other.to_string()).digest() != plain.digest();
        prop_assert_eq!(differs, other != value);
    }

    #[test]
    fn resources_that_wait_for_each_other_are_found_and_no_others(value in template()) {
        let template = parse(&value.to_string());
        let flaws = limits(&template);
        let told = flaws.iter().any(|flaw| flaw.message.contains("wait for each other"));
        prop_assert_eq!(told, has_circle(&template), "{:#?}\n{}", flaws, value);
        for id in IDS {
            let named = references(&value).contains(id);
            let missing = !template.resources().contains_key(id);
            let text = format!("`{id}` is no ");
            let told = flaws.iter().any(|flaw| flaw.message.contains(&text));
            let in_metadata = references(&value["Metadata"]).contains(id);
            prop_assert!(in_metadata || told == (named && missing), "{} {:#?}\n{}", id, flaws, value);
        }
    }

    #[test]
    fn a_template_broken_in_its_structure_is_read_or_told_about(
        breaks in proptest::collection::vec(any_break(), 1..5),
    ) {
        let broken = breaks.into_iter().fold(sound(), Tree::broken);
        assert_bounds(&broken.write());
        let mut flow = String::new();
        broken.flow(&mut flow);
        assert_bounds(&flow);
    }

    #[test]
    fn a_template_damaged_in_its_bytes_is_read_or_told_about(
        value in template(),
        damages in proptest::collection::vec(damage(), 1..5),
        seed in any::<u64>(),
        json in any::<bool>(),
    ) {
        let mut bytes = Spelling::of(seed, json).text(&value).into_bytes();
        damages.iter().for_each(|damage| damage.apply(&mut bytes));
        assert_bounds(&String::from_utf8_lossy(&bytes));
        let mut bytes = sound().write().into_bytes();
        damages.iter().for_each(|damage| damage.apply(&mut bytes));
        assert_bounds(&String::from_utf8_lossy(&bytes));
    }
}
