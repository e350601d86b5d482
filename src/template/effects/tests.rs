//! What is added, modified, removed and replaced, and what follows from it.

use std::collections::BTreeMap;

use super::*;
use crate::template::{Given, Inputs, Template, fill};

fn inputs(parameters: &[(&str, Given)]) -> Inputs {
    let parameters =
        parameters.iter().map(|(name, given)| ((*name).to_owned(), given.clone())).collect();
    Inputs {
        parameters,
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

type Side<'a> = (&'a str, &'a [(&'a str, Given)]);

fn between_sides(old: Side<'_>, new: Side<'_>, tags_differ: bool) -> Vec<Effect> {
    let template = |side: Side<'_>| Template::parse(side.0).expect("a template");
    let (before, after) = (template(old), template(new));
    let old = fill(&before, &inputs(old.1));
    let new = fill(&after, &inputs(new.1));
    effects(&old, &new, tags_differ)
}

/// One line an effect: `?` where it is not certain.
fn lines(effects: &[Effect]) -> Vec<String> {
    let line = |effect: &Effect| {
        let Effect { logical_id, action, replaces, certain, paths, follows, only_tags, .. } =
            effect;
        let mut line = format!("{logical_id} {action:?}");
        if *action == Action::Modify {
            line += &format!(" {replaces:?} {}", paths.join(" "));
        }
        if !follows.is_empty() {
            line += &format!(" after {}", follows.join(" "));
        }
        line + if *only_tags { " tags" } else { "" } + if *certain { "" } else { " ?" }
    };
    effects.iter().map(line).collect()
}

fn between(old: &str, new: &str) -> Vec<String> {
    let whole = |resources: &str| format!("Resources:\n{resources}");
    lines(&between_sides((&whole(old), &[]), (&whole(new), &[]), false))
}

/// The effects of a parameter that changes.
fn of_given(template: &str, old: Given, new: Given) -> Vec<String> {
    lines(&between_sides((template, &[("P", old)]), (template, &[("P", new)]), false))
}

#[test]
fn what_differs_is_added_modified_or_removed() {
    let old = "
  Gone: { Type: AWS::SQS::Queue }
  Other: { Type: AWS::SQS::Queue }
  Same: { Type: AWS::SNS::Topic, DependsOn: Gone, Metadata: { a: 1 } }
  Table: { Type: AWS::DynamoDB::Table, Properties: { TableName: a, KeySchema: [{ AttributeName: a }] } }
  Made: { Type: Own::Made::Up, Properties: { A: 1 } }
";
    let new = "
  New: { Type: AWS::SQS::Queue }
  Other: { Type: AWS::SNS::Topic }
  Same: { Type: AWS::SNS::Topic, Metadata: { a: 2 }, DeletionPolicy: Retain }
  Table: { Type: AWS::DynamoDB::Table, Properties: { BillingMode: b, KeySchema: [{ AttributeName: b }] } }
  Made: { Type: Own::Made::Up, Properties: { A: 2 } }
";
    assert_eq!(
        between(old, new),
        [
            "Gone Remove",
            "Made Modify Unknown /Properties/A",
            "New Add",
            "Other Remove",
            "Other Add",
            "Same Modify Never /DeletionPolicy /Metadata/a",
            "Table Modify Always /Properties/BillingMode /Properties/KeySchema/0/AttributeName \
             /Properties/TableName",
        ]
    );
    assert_eq!(between(old, old), [""; 0]);
}

#[test]
fn what_functions_make_may_be_the_same() {
    for (old, new, certain) in [
        ("a", "b", true),
        ("a", "!Ref Q", false),
        ("!GetAtt Q.Arn", "a", false),
        ("!Ref Q", "!Ref R", true),
        ("!GetAtt Q.Arn", "!GetAtt R.Arn", false),
        ("!Sub 'a${Q}'", "!Sub 'b${Q}'", true),
        ("!Sub 'a${Q}'", "!Join ['', [a, !Ref Q]]", false),
        ("!Join ['-', [a, !Ref Q]]", "!Join ['-', [b, !Ref Q]]", true),
        ("!Select [0, [a, !Ref Q]]", "!Select [0, !GetAZs '']", false),
        ("!ImportValue a", "!ImportValue b", false),
        ("[!Ref Q]", "[!Ref Q, a]", true),
        ("{ A: !Ref Q }", "{ B: !Ref Q }", true),
    ] {
        let resources = |value: &str| {
            format!("  R: {{ Type: AWS::EC2::EIP, Properties: {{ Domain: {value} }} }}\n")
        };
        let found = between(&resources(old), &resources(new));
        assert_eq!(!found[0].ends_with('?'), certain, "{old} {new}: {found:?}");
    }
}

#[test]
fn order_alone_changes_nothing() {
    let old = "  A: { Type: AWS::SQS::Queue, DependsOn: B }\n  B: { Type: AWS::SQS::Queue }";
    let new = "  A: { Type: AWS::SQS::Queue }\n  B: { Type: AWS::SQS::Queue, DependsOn: [A] }";
    assert_eq!(between(old, new), [""; 0]);
}

const CHAIN: &str = "
  Table: { Type: AWS::DynamoDB::Table, Properties: { TableName: NAME, BillingMode: MODE } }
  ById: { Type: AWS::SSM::Parameter, Properties: { Value: !Sub 'x-${Table}' } }
  ByArn: { Type: AWS::Lambda::Function, Properties: { Environment: { Variables: { A: !GetAtt Table.Arn } } } }
  Allowed: { Type: AWS::Lambda::Permission, Properties: { FunctionName: !GetAtt ByArn.Arn, Action: a } }
  ById2: { Type: AWS::SSM::Parameter, Properties: { Value: !Ref ById } }
  Chosen: { Type: AWS::SSM::Parameter, Properties: { Value: !Select [0, [!Ref Table]] } }
  Last: { Type: AWS::SSM::Parameter, Properties: { Value: !Ref Allowed } }
  Open: { Type: AWS::SSM::Parameter, Properties: { Value: !Select [!GetAtt Apart.X, [!Ref Table]] } }
  Apart: { Type: AWS::SQS::Queue }
";

#[test]
fn what_refers_to_a_replaced_resource_follows() {
    let old = CHAIN.replace("NAME", "one").replace("MODE", "a");
    let new = CHAIN.replace("NAME", "two").replace("MODE", "a");
    assert_eq!(
        between(&old, &new),
        [
            "Allowed Modify Perhaps /Properties/FunctionName after ByArn ?",
            "ByArn Modify Never /Properties/Environment/Variables/A after Table ?",
            "ById Modify Never /Properties/Value after Table",
            "Chosen Modify Never /Properties/Value after Table",
            "Last Modify Never /Properties/Value after Allowed ?",
            "Open Modify Never /Properties/Value after Table ?",
            "Table Modify Always /Properties/TableName",
        ]
    );
}

#[test]
fn what_asks_for_an_attribute_of_a_changed_resource_follows_perhaps() {
    let old = CHAIN.replace("NAME", "one").replace("MODE", "a");
    let new = CHAIN.replace("NAME", "one").replace("MODE", "b");
    assert_eq!(
        between(&old, &new),
        [
            "Allowed Modify Perhaps /Properties/FunctionName after ByArn ?",
            "ByArn Modify Never /Properties/Environment/Variables/A after Table ?",
            "Last Modify Never /Properties/Value after Allowed ?",
            "Table Modify Never /Properties/BillingMode",
        ]
    );
}

#[test]
fn resources_that_refer_to_each_other_end() {
    let old = "
  A: { Type: Own::Made::Up, Properties: { P: 1, Q: !GetAtt B.Arn } }
  B: { Type: Own::Made::Up, Properties: { Q: !Ref A } }
  C: { Type: Own::Made::Up, Properties: { Q: !Ref C } }
";
    let expected = [
        "A Modify Unknown /Properties/P /Properties/Q after B",
        "B Modify Unknown /Properties/Q after A ?",
    ];
    assert_eq!(between(old, &old.replace("P: 1", "P: 2")), expected);
}

#[test]
fn parameters_change_what_uses_them() {
    let template = "
Parameters: { P: { Type: String }, Q: { Type: String, Default: q } }
Conditions: { IsA: !Equals [!Ref P, a] }
Resources:
  Queue: { Type: AWS::SQS::Queue, Properties: { QueueName: !Sub 'x-${P}' } }
  Setting: { Type: AWS::SSM::Parameter, Properties: { Value: !If [IsA, 1, !Ref Q], Tier: !Ref P } }
  Apart: { Type: AWS::SQS::Queue, Properties: { QueueName: !Ref Q } }
  OnlyA: { Type: AWS::SQS::Queue, Condition: IsA, Properties: { DelaySeconds: !Ref Q } }
";
    assert_eq!(
        of_given(template, text("b"), text("a")),
        [
            "OnlyA Add",
            "Queue Modify Always /Properties/QueueName",
            "Setting Modify Never /Properties/Tier /Properties/Value",
        ]
    );
    assert_eq!(of_given(template, text("b"), text("b")), [""; 0]);
    let unused = template.replace("OnlyA", "Renamed").replace("Condition: IsA,", "");
    assert_eq!(of_given(&unused, text("b"), text("b")), [""; 0]);
}

#[test]
fn what_is_not_known_may_be_equal() {
    let template = "
Parameters: { P: { Type: String } }
Conditions: { IsA: !Equals [!Ref P, a] }
Resources:
  Queue: { Type: AWS::SQS::Queue, Properties: { QueueName: !Ref P } }
  Setting: { Type: AWS::SSM::Parameter, Properties: { Value: !If [IsA, x, y] } }
  OnlyA: { Type: AWS::SQS::Queue, Condition: IsA, Properties: { DelaySeconds: D } }
";
    assert_eq!(
        of_given(template, text("b"), unknown("v")),
        [
            "OnlyA Add ?",
            "Queue Modify Perhaps /Properties/QueueName ?",
            "Setting Modify Never /Properties/Value ?",
        ]
    );
    assert_eq!(of_given(template, unknown("v"), unknown("v")), [""; 0]);
    assert_eq!(
        of_given(template, unknown("v"), unknown("w")),
        [
            "OnlyA Remove ?",
            "OnlyA Add ?",
            "Queue Modify Perhaps /Properties/QueueName ?",
            "Setting Modify Never /Properties/Value ?",
        ]
    );
    // One condition on both sides: it is there before and afterwards, or at neither time.
    let changed = template.replace("DelaySeconds: D", "DelaySeconds: E");
    let given = [("P", unknown("v"))];
    let found = between_sides((template, &given), (&changed, &given), false);
    assert_eq!(lines(&found), ["OnlyA Modify Never /Properties/DelaySeconds ?"]);
    // Another condition of the same name: all may happen.
    let changed = changed.replace("[!Ref P, a]", "[!Ref P, b]");
    let found = between_sides((template, &given), (&changed, &given), false);
    assert_eq!(
        lines(&found),
        [
            "OnlyA Remove ?",
            "OnlyA Add ?",
            "OnlyA Modify Never /Properties/DelaySeconds ?",
            "Setting Modify Never /Properties/Value ?",
        ]
    );
}

#[test]
fn tags_of_the_stack_may_reach_every_type_that_takes_them() {
    let resources = "Resources:
  Queue: { Type: AWS::SQS::Queue }
  Pool: { Type: AWS::Cognito::UserPool }
  Policy: { Type: AWS::SQS::QueuePolicy }
  Own: { Type: Custom::Thing }
  Nested: { Type: AWS::CloudFormation::Stack, Properties: { TemplateURL: u } }
";
    let found = between_sides((resources, &[]), (resources, &[]), true);
    assert_eq!(
        lines(&found),
        [
            "Nested Modify Never /Properties /Properties/Tags ?",
            "Pool Modify Never /Properties/UserPoolTags tags ?",
            "Queue Modify Never /Properties/Tags tags ?",
        ]
    );
    let tagged =
        resources.replace("SQS::Queue }", "SQS::Queue, Properties: { Tags: [{ Key: a }] } }");
    let found = between_sides((resources, &[]), (&tagged, &[]), false);
    assert_eq!(lines(&found)[1], "Queue Modify Never /Properties/Tags tags");
}

#[test]
fn a_nested_stack_and_what_is_looked_up_may_change_with_every_update() {
    let resources = "
Parameters: { P: { Type: 'AWS::SSM::Parameter::Value<String>', Default: /a } }
Resources:
  Nested: { Type: AWS::CloudFormation::Stack, Properties: { TemplateURL: u } }
  Uses: { Type: AWS::SSM::Parameter, Properties: { Value: !GetAtt Nested.Outputs.A } }
  Image: { Type: AWS::Lambda::Function, Properties: { Code: { ImageUri: !Ref P } } }
  Text: { Type: AWS::SSM::Parameter, Properties: { Value: 'a{{resolve:ssm:/b}}' } }
";
    let found = between_sides((resources, &[]), (resources, &[]), false);
    assert_eq!(
        lines(&found),
        [
            "Image Modify Never /Properties/Code ?",
            "Nested Modify Never /Properties ?",
            "Text Modify Never /Properties/Value ?",
            "Uses Modify Never /Properties/Value after Nested ?",
        ]
    );
    let moved = resources.replace("TemplateURL: u", "TemplateURL: v");
    let found = between_sides((resources, &[]), (&moved, &[]), false);
    assert_eq!(lines(&found)[1], "Nested Modify Never /Properties/TemplateURL");
}

#[test]
fn a_long_chain_of_references_ends() {
    let chain = |first: &str| {
        let links = (1..3_000).map(|n| {
            let before = n - 1;
            format!("  R{n}: {{ Type: Own::Made::Up, Properties: {{ P: !GetAtt R{before}.A }} }}\n")
        });
        format!(
            "  R0: {{ Type: Own::Made::Up, Properties: {{ P: {first} }} }}\n{}",
            links.collect::<String>()
        )
    };
    assert_eq!(between(&chain("1"), &chain("2")).len(), 3_000);
}

#[test]
fn the_effects_of_an_update_are_each_named_once() {
    let found = between(&CHAIN.replace("NAME", "a"), &CHAIN.replace("NAME", "b"));
    let ids: BTreeMap<&str, usize> =
        found.iter().map(|line| (line.split(' ').next().unwrap_or_default(), 1)).collect();
    assert_eq!(ids.len(), found.len());
}
