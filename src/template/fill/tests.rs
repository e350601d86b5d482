//! What is filled in, what stays, and that it ends.

use proptest::prelude::*;

use super::*;
use crate::template::compare;

fn template(text: &str) -> Template {
    Template::parse(text).expect("a template")
}

fn inputs(parameters: &[(&str, Given)]) -> Inputs {
    Inputs {
        parameters: parameters
            .iter()
            .map(|(name, given)| ((*name).to_owned(), given.clone()))
            .collect(),
        account: "111122223333".parse().expect("an account"),
        region: "eu-central-1".parse().expect("a region"),
        stack_name: "api".parse().expect("a stack name"),
    }
}

fn text(text: &str) -> Given {
    Given::Text(text.to_owned())
}

fn unknown(name: &str) -> Given {
    Given::Symbol(name.to_owned())
}

const HEAD: &str = "
Parameters:
  Env: { Type: String, Default: test }
  Size: { Type: Number, Default: 5 }
  Zones: { Type: CommaDelimitedList, Default: 'a, b' }
  Vpc: { Type: String }
  Image: { Type: 'AWS::SSM::Parameter::Value<String>', Default: /image }
Mappings:
  Sizes: { test: { memory: 128, list: [x, y] }, prod: { memory: 1024, list: [z] } }
Conditions:
  IsProd: !Equals [!Ref Env, prod]
  IsTest: !Not [!Condition IsProd]
  InVpc: !Not [!Equals [!Ref Vpc, none]]
";

/// The filled value of one property.
fn property(value: &str, given: &[(&str, Given)]) -> Value {
    let text = format!("{HEAD}\nResources: {{ R: {{ Type: t, Properties: {{ P: {value} }} }} }}");
    let template = template(&text);
    let filled = fill(&template, &inputs(given));
    filled.resources["R"].properties().get("P").cloned().unwrap_or(Value::Null)
}

#[test]
fn what_is_known_is_filled_in() {
    for (value, expected) in [
        ("!Ref Env", json!("test")),
        ("!Ref Size", json!("5")),
        ("!Ref Zones", json!(["a", "b"])),
        ("!Ref AWS::NoValue", Value::Null),
        ("[a, !Ref AWS::NoValue, !If [IsProd, b, !Ref AWS::NoValue]]", json!(["a"])),
        (
            "!Sub '${AWS::Partition}:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}'",
            json!("aws:eu-central-1:111122223333:api"),
        ),
        ("!Sub 'a.${AWS::URLSuffix}'", json!("a.amazonaws.com")),
        ("!Sub ['${A}-${ Env }-${!Env}', { A: !Ref Size }]", json!("5-test-${Env}")),
        ("!Join ['-', [!Ref Env, 1, !Ref Size]]", json!("test-1-5")),
        ("!Join ['', !Ref Zones]", json!("ab")),
        ("!Select [1, !Ref Zones]", json!("b")),
        (
            "!Select [!Select [0, ['1']], [{ Ref: Other }, !GetAtt Other.Arn]]",
            json!({ "Fn::GetAtt": ["Other", "Arn"] }),
        ),
        ("!Split [e, !Ref Env]", json!(["t", "st"])),
        ("!FindInMap [Sizes, !Ref Env, memory]", json!(128)),
        ("!FindInMap [Sizes, !Ref Env, none, DefaultValue: !Ref Size]", json!("5")),
        ("!If [IsProd, a, !If [IsTest, b, c]]", json!("b")),
        ("!Base64 { 'Fn::Sub': 'x${Env}' }", json!({ "Fn::Base64": "xtest" })),
        (
            "{ a: [1, true, { b: !Ref Env }], c: d }",
            json!({ "a": [1, true, { "b": "test" }], "c": "d" }),
        ),
    ] {
        assert_eq!(property(value, &[]), expected, "{value}");
    }
    assert_eq!(property("!Ref Env", &[("Env", text("x"))]), json!("x"));
    assert_eq!(property("!Ref Zones", &[("Zones", text("x,y"))]), json!(["x", "y"]));
}

#[test]
fn what_is_not_known_stays_and_has_what_is_known_inside() {
    let given = [("Vpc", unknown("network.VpcId"))];
    let vpc = json!({ SYMBOL: "network.VpcId" });
    for (value, expected) in [
        ("!Ref Vpc", vpc.clone()),
        ("!Ref Other", json!({ "Ref": "Other" })),
        ("!GetAtt Other.Arn", json!({ "Fn::GetAtt": ["Other", "Arn"] })),
        ("!Ref AWS::StackId", json!({ "Ref": "AWS::StackId" })),
        ("!ImportValue { 'Fn::Sub': '${Env}-x' }", json!({ "Fn::ImportValue": "test-x" })),
        ("!Sub '${Env}/${Other.Arn}/${!a}'", json!({ "Fn::Sub": "test/${Other.Arn}/${!a}" })),
        ("!Sub '${Env}/${Vpc}'", json!({ "Fn::Sub": ["test/${Vpc}", { "Vpc": vpc }] })),
        ("!Join ['-', [!Ref Env, !Ref Vpc]]", json!({ "Fn::Join": ["-", ["test", vpc]] })),
        ("!Select [0, !GetAZs '']", json!({ "Fn::Select": [0, { "Fn::GetAZs": "" }] })),
        ("!Split [',', !Ref Vpc]", json!({ "Fn::Split": [",", vpc] })),
        ("!If [InVpc, !Ref Env, !Ref Env]", json!("test")),
    ] {
        assert_eq!(property(value, &given), expected, "{value}");
    }
    assert_eq!(symbol(&property("!Ref Vpc", &given)), Some("network.VpcId"));
    assert_eq!(symbol(&property("!Ref Env", &given)), None);
    // A missing value without a default is as unknown.
    assert_eq!(property("!Ref Vpc", &[]), json!({ "Ref": "Vpc" }));
}

#[test]
fn an_ssm_parameter_is_unknown_and_equal_to_one_of_the_same_name() {
    let one = property("!Ref Image", &[]);
    assert!(symbol(&one).is_some_and(|symbol| symbol.contains("/image")), "{one}");
    assert_eq!(property("!Ref Image", &[("Image", text("/image"))]), one);
    assert_ne!(property("!Ref Image", &[("Image", text("/other"))]), one);
}

#[test]
fn equal_functions_over_different_unknowns_differ() {
    for value in [
        "!Ref Vpc",
        "!Sub 'a${Vpc}'",
        "!Sub ['a${V}', { V: !Ref Vpc }]",
        "!Join ['', [a, !Ref Vpc]]",
        "!If [InVpc, a, b]",
        "!FindInMap [Sizes, !Ref Vpc, memory]",
    ] {
        let one = property(value, &[("Vpc", unknown("one"))]);
        assert_eq!(one, property(value, &[("Vpc", unknown("one"))]), "{value}");
        assert_ne!(one, property(value, &[("Vpc", unknown("other"))]), "{value}");
    }
}

/// Whether a condition holds.
fn truth(condition: &str, given: &[(&str, Given)]) -> Option<bool> {
    let template = template(&format!(
        "{HEAD}  C: {condition}\nResources: {{ R: {{ Type: t, Condition: C }} }}"
    ));
    let filled = fill(&template, &inputs(given));
    assert_eq!(filled.conditions["C"], filled.resources["R"].is_there);
    filled.conditions["C"]
}

#[test]
fn conditions_are_true_false_or_unknown() {
    let given = [("Vpc", unknown("v"))];
    let (yes, no, open) = ("!Equals [a, a]", "!Equals [a, b]", "!Equals [!Ref Vpc, b]");
    for (condition, expected) in [
        (yes.to_owned(), Some(true)),
        (no.to_owned(), Some(false)),
        (open.to_owned(), None),
        ("!Equals ['true', true]".to_owned(), Some(true)),
        ("!Equals [!Ref Zones, [a, b]]".to_owned(), Some(true)),
        ("!Equals [!Ref Zones, [a]]".to_owned(), Some(false)),
        ("!Equals [!Ref Vpc, !Ref Vpc]".to_owned(), Some(true)),
        ("!Equals [!Sub '${Vpc}-a', !Sub '${Vpc}-a']".to_owned(), Some(true)),
        ("!Condition IsTest".to_owned(), Some(true)),
        ("!Condition InVpc".to_owned(), None),
        ("!Condition Missing".to_owned(), None),
        (format!("!Not [{open}]"), None),
        (format!("!And [{yes}, {yes}]"), Some(true)),
        (format!("!And [{open}, {no}]"), Some(false)),
        (format!("!And [{open}, {yes}]"), None),
        (format!("!Or [{open}, {yes}]"), Some(true)),
        (format!("!Or [{open}, {no}]"), None),
        (format!("!Or [{no}, {no}]"), Some(false)),
    ] {
        assert_eq!(truth(&condition, &given), expected, "{condition}");
    }
    assert_eq!(truth("!Equals [!Ref Env, prod]", &[("Env", text("prod"))]), Some(true));
}

#[test]
fn an_unknown_condition_is_known_by_what_it_depends_on() {
    let depends = |condition: &str| {
        let template = template(&format!(
            "{HEAD}  C: {condition}\nResources: {{ R: {{ Type: t, Condition: C }} }}"
        ));
        let given = inputs(&[("Vpc", unknown("v"))]);
        fill(&template, &given).resources["R"].depends
    };
    let one = depends("!Equals [!Ref Vpc, a]");
    assert!(one.is_some());
    assert_eq!(depends("!And [!Equals [!Ref Vpc, a], !Equals [x, x]]"), one);
    assert_ne!(depends("!Equals [!Ref Vpc, b]"), one);
    assert_ne!(depends("!Not [!Equals [!Ref Vpc, a]]"), one);
    assert_eq!(depends("!Equals [a, a]"), None);
}

#[test]
fn conditions_that_need_themselves_end() {
    let deep: String = (0..5_000).map(|n| format!("  D{n}: !Condition D{}\n", n + 1)).collect();
    let text = format!(
        "Conditions:\n  A: !And [!Condition A, !Condition B, !Condition A]\n  B: !Or [!Condition A, \
         !Condition B]\n  C: !Equals [!If [C, a, b], !If [C, b, a]]\n{deep}Resources: {{ R: {{ \
         Type: t, Condition: A, Properties: {{ P: !If [D0, a, b] }} }} }}"
    );
    let template = template(&text);
    let filled = fill(&template, &inputs(&[]));
    assert_eq!(filled.resources["R"].is_there, None);
    assert_eq!(filled.conditions["C"], None);
}

#[test]
fn a_small_text_does_not_become_a_large_one() {
    let mut nested = "!Ref Long".to_owned();
    for _ in 0..20 {
        nested = format!("{{ 'Fn::Sub': ['${{A}}${{A}}${{A}}', {{ A: {nested} }}] }}");
    }
    let refs = "!Ref Long, ".repeat(5_000);
    let text = format!(
        "Parameters: {{ Long: {{ Type: String }} }}\nResources: {{ R: {{ Type: t, Properties: {{ \
         A: {nested}, B: [{refs}] }} }} }}"
    );
    let template = template(&text);
    let section = |text: &str| {
        let given = inputs(&[("Long", Given::Text(text.repeat(4_000)))]);
        fill(&template, &given).resources["R"].section.clone().into_owned()
    };
    assert!(section("a").to_string().len() < 2 * MAX_FILLED_BYTES);
    assert_eq!(section("a"), section("a"));
    for property in ["A", "B"] {
        assert_ne!(section("a")["Properties"][property], section("b")["Properties"][property]);
    }
}

#[test]
fn what_macros_modules_and_loops_make_is_told() {
    for (text, expected) in [
        ("Resources: { A: { Type: t } }", false),
        ("Transform: AWS::LanguageExtensions\nResources: { A: { Type: t } }", false),
        ("Transform: AWS::Serverless-2016-10-31\nResources: { A: { Type: t } }", true),
        ("Resources: { A: { Type: Own::Some::Thing::MODULE } }", true),
        ("Resources: { 'Fn::ForEach::X': [N, [a], {}] }", true),
        ("Resources: { A: { Type: t, Properties: { 'Fn::Transform': { Name: N } } } }", true),
        (
            "Resources: { A: { Type: t, Properties: { P: { 'Fn::ForEach::X': [N, [a], {}], Q: r } } } }",
            true,
        ),
    ] {
        assert_eq!(fill(&template(text), &inputs(&[])).is_partial, expected, "{text}");
    }
}

#[test]
fn a_resource_without_anything_to_fill_in_is_not_copied() {
    let text = "Parameters: { P: { Type: String, Default: a } }\nResources:\n  A: { Type: t, \
                Properties: { B: !Sub '${B.Arn}', C: [1, { D: !Ref B }] } }\n  B: { Type: t, \
                Properties: { B: !Ref P } }";
    let template = template(text);
    let filled = fill(&template, &inputs(&[]));
    assert!(matches!(filled.resources["A"].section, Cow::Borrowed(_)));
    assert!(matches!(filled.resources["B"].section, Cow::Owned(_)));
}

#[test]
fn no_value_is_in_the_debug_text() {
    let text = "Parameters: { P: { Type: String, NoEcho: true } }\nResources: { A: { Type: t, \
                Properties: { B: !Ref P } } }";
    let template = template(text);
    let given = inputs(&[("P", Given::Text("hunter2".to_owned()))]);
    let filled = fill(&template, &given);
    assert_eq!(filled.resources["A"].properties()["B"], "hunter2");
    let shown = format!("{given:?} {filled:?}");
    assert!(!shown.contains("hunter2") && shown.contains("111122223333"), "{shown}");
}

/// Anything at all behind the names of functions.
fn garbage() -> impl Strategy<Value = Value> {
    let name = "(Ref|Condition|Fn::(Sub|Join|Select|Split|FindInMap|If|Equals|And|Or|Not|Base64|Get\
                Att|ImportValue|ForEach::A|Transform)|[A-C])";
    let leaf = prop_oneof![
        "([A-C]|AWS::Region|AWS::NoValue|\\$\\{[!A-C. ]{0,3}\\}?|[0-3]|,)".prop_map(Value::from),
        (0..3_u8).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 80, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(name, inner, 1..3)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_template_is_filled(
        sections in proptest::collection::vec(garbage(), 4),
        given in prop_oneof![Just(text("A")), Just(unknown("A"))],
    ) {
        let body = json!({
            "Parameters": { "A": { "Type": "String" }, "B": { "Type": "CommaDelimitedList" } },
            "Conditions": { "A": sections[0], "B": sections[1] },
            "Mappings": { "A": sections[2] },
            "Resources": { "C": { "Type": "t", "Condition": "A", "Properties": sections[3] } },
        });
        let template = template(&body.to_string());
        let given = inputs(&[("A", given.clone()), ("B", given)]);
        let filled = fill(&template, &given);
        let again = fill(&template, &given);
        prop_assert_eq!(&filled.resources["C"].section, &again.resources["C"].section);
        prop_assert_eq!(compare(&template, &template), Vec::new());
    }
}
