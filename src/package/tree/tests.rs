//! What happens inside nested stacks, and what is known of it.

use super::*;

/// A nested stack of this name with these parameters.
fn child(name: &str, parameters: &str) -> String {
    format!(
        "  {name}: {{ Type: AWS::CloudFormation::Stack, Properties: {{ TemplateURL: {name}, \
         Parameters: {{ {parameters} }} }} }}\n"
    )
}

fn tree(text: &str, nested: &[(&str, Tree)]) -> Tree {
    let template = Template::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    let nested = nested.iter().map(|(name, tree)| ((*name).to_owned(), tree.clone()));
    Tree { template: Arc::new(template), nested: nested.collect() }
}

/// The parameters P and Q, these resources, and the output O of this value.
fn text(resources: &str, output: &str) -> String {
    let declared =
        "Parameters: { P: { Type: String, Default: p }, Q: { Type: String, Default: q } }";
    format!("{declared}\nResources:\n{resources}Outputs: {{ O: {{ Value: {output} }} }}\n")
}

fn inputs(given: Given) -> Inputs {
    Inputs {
        parameters: BTreeMap::from([("P".to_owned(), given)]),
        account: "111122223333".parse().expect("an account"),
        region: "eu-central-1".parse().expect("a region"),
        stack_name: "api".parse().expect("a stack name"),
    }
}

/// One line an effect: `?` where it is not certain; then what cannot be seen.
fn lines(all: &InsideAll) -> Vec<String> {
    let effects = all.effects.iter().map(|effect| {
        let (id, action, replaces) = (&effect.logical_id, effect.action, effect.replaces);
        format!("{id} {action:?} {replaces:?}{}", if effect.certain { "" } else { " ?" })
    });
    effects.chain(all.unseen.iter().map(|place| format!("{place} unseen"))).collect()
}

fn between(old: &Tree, new: &Tree) -> Vec<String> {
    let given = inputs(Given::Text("one".to_owned()));
    lines(&inside((old, &given), (new, &given), false))
}

const TABLE: &str = "  T: { Type: AWS::DynamoDB::Table, Properties: { TableName: !Ref P, \
                     BillingMode: !Ref Q } }\n";
const TOPIC: &str = "  N: { Type: AWS::SNS::Topic, Properties: { DisplayName: a } }\n";

#[test]
fn a_value_goes_down_to_what_uses_it() {
    let leaf = tree(&text(TABLE, "x"), &[]);
    let middle = text(&child("Leaf", "P: !Ref Q, Q: !Ref P"), "x");
    let middle = tree(&middle, &[("Leaf", leaf)]);
    let root = tree(&text(&child("Middle", "P: !Ref P, Q: fixed"), "x"), &[("Middle", middle)]);
    let of = |old: Given, new: Given| {
        lines(&inside((&root, &inputs(old)), (&root, &inputs(new)), false))
    };
    let text = |text: &str| Given::Text(text.to_owned());
    let symbol = |name: &str| Given::Symbol(name.to_owned());
    assert_eq!(of(text("one"), text("one")), Vec::<String>::new());
    assert_eq!(of(symbol("a"), symbol("a")), Vec::<String>::new());
    let table = |rest: &str| {
        vec![format!("Middle/Leaf Modify Never"), format!("Middle/Leaf/T Modify Never{rest}")]
    };
    assert_eq!(of(text("one"), text("two")), table(""));
    let unsure = of(symbol("a"), symbol("b"));
    assert_eq!(unsure[1], "Middle/Leaf/T Modify Never ?");
}

#[test]
fn only_an_output_that_may_be_another_goes_on_to_the_next() {
    let root = child("A", "P: x")
        + &child("B", "P: !GetAtt A.Outputs.O")
        + &child("C", "P: !Sub '${B.Outputs.O}'");
    let root = text(&root, "x");
    let middle = tree(&text("", "!Ref P").replace("Resources:\n", "Resources: {}\n"), &[]);
    let last = tree(&text(TABLE, "x"), &[]);
    let of = |first: &str| {
        let first = tree(first, &[]);
        tree(&root, &[("A", first), ("B", middle.clone()), ("C", last.clone())])
    };
    let before = of(&text(TOPIC, "!Ref N"));
    // The topic is changed in place: what it is called stays.
    let changed = of(&text(&TOPIC.replace("DisplayName: a", "DisplayName: b"), "!Ref N"));
    assert_eq!(between(&before, &changed), ["A/N Modify Never"]);
    let renamed = of(&text(&TOPIC.replace("DisplayName: a", "TopicName: b"), "!Ref N"));
    assert_eq!(between(&before, &renamed), ["A/N Modify Always", "C/T Modify Perhaps ?"]);
    let other = of(&text(TOPIC, "other"));
    assert_eq!(between(&before, &other), ["C/T Modify Perhaps ?"]);
}

#[test]
fn an_attribute_of_a_resource_that_changes_may_be_another_value() {
    let root = |word: &str| {
        let key =
            format!("  K: {{ Type: AWS::KMS::Key, Properties: {{ Description: {word} }} }}\n");
        let root = text(&(key + &child("Leaf", "P: !GetAtt K.Arn, Q: !Ref K")), "x");
        tree(&root, &[("Leaf", tree(&text(TABLE, "x"), &[]))])
    };
    assert_eq!(between(&root("a"), &root("a")), Vec::<String>::new());
    assert_eq!(between(&root("a"), &root("b")), ["Leaf/T Modify Perhaps ?"]);
}

#[test]
fn what_is_looked_up_anew_may_be_another_value_and_nothing_else_with_it() {
    let of = |given: &str| {
        let other = "  N: { Type: AWS::SNS::Topic, Properties: { TopicName: !Ref Q } }\n";
        let leaf =
            tree(&text(&format!("{TABLE}{other}").replace(", BillingMode: !Ref Q", ""), "x"), &[]);
        let key = "  K: { Type: AWS::KMS::Key }\n";
        let root = text(&(key.to_owned() + &child("Leaf", &format!("P: {given}, Q: !Ref K"))), "x");
        let root = tree(&root, &[("Leaf", leaf)]);
        between(&root, &root)
    };
    assert_eq!(of("'{{resolve:ssm:/name}}'"), ["Leaf/T Modify Perhaps ?"]);
    assert_eq!(of("!Sub 'x-${K}-{{resolve:ssm:/name}}'"), ["Leaf/T Modify Perhaps ?"]);
    assert_eq!(of("'{{resolve:secretsmanager:name}}'"), Vec::<String>::new());
}

#[test]
fn a_nested_stack_comes_and_goes_with_all_that_is_in_it() {
    let leaf = tree(&text(TABLE, "x"), &[]);
    let middle = tree(&text(&(child("Leaf", "P: x") + TOPIC), "x"), &[("Leaf", leaf)]);
    let with = tree(&text(&(child("Middle", "P: x") + TOPIC), "x"), &[("Middle", middle)]);
    let without = tree(&text(TOPIC, "x"), &[]);
    let all = |action: &str| {
        ["Middle/Leaf", "Middle/Leaf/T", "Middle/N"].map(|place| format!("{place} {action} Never"))
    };
    assert_eq!(between(&with, &without), all("Remove"));
    assert_eq!(between(&without, &with), all("Add"));
}

#[test]
fn what_cannot_be_seen_is_said() {
    let root = text(&child("Leaf", "P: x"), "x");
    let unseen = tree(&root, &[]);
    let seen = tree(&root, &[("Leaf", tree(&text(TABLE, "x"), &[]))]);
    for (old, new) in [(&unseen, &unseen), (&unseen, &seen), (&seen, &unseen)] {
        assert_eq!(between(old, new), ["Leaf unseen"]);
    }
    let gone = tree(&text(TOPIC, "x"), &[]);
    assert_eq!(between(&unseen, &gone), ["Leaf unseen"]);
    // A macro may make anything of a template that differs.
    let of = |head: &str, word: &str| {
        let leaf = format!("{head}\n{}", text(&TOPIC.replace("DisplayName: a", word), "x"));
        let address = word.replace(['{', '}', '\''], "");
        let root = root.replace("TemplateURL: Leaf", &format!("TemplateURL: '{address}'"));
        tree(&root, &[("Leaf", tree(&leaf, &[]))])
    };
    let (a, b) = ("DisplayName: a", "DisplayName: b");
    assert_eq!(between(&of("Transform: Own", a), &of("Transform: Own", a)), Vec::<String>::new());
    let topic = "Leaf/N Modify Never";
    assert_eq!(between(&of("Transform: Own", a), &of("Transform: Own", b)), [topic, "Leaf unseen"]);
    let part = "'Fn::Transform': { Name: 'AWS::Include', Parameters: { Location: s3://a/b } }";
    let (one, other) = (format!("{a}, {part}"), format!("{b}, {part}"));
    assert_eq!(between(&of("", &one), &of("", &other)), [topic, "Leaf unseen"]);
    let sam = "Transform: AWS::Serverless-2016-10-31";
    assert_eq!(between(&of(sam, a), &of(sam, b)), [topic]);
}

#[test]
fn tags_of_the_stack_go_down_to_all_resources() {
    let root = tree(&text(&child("Leaf", "P: x"), "x"), &[("Leaf", tree(&text(TABLE, "x"), &[]))]);
    let given = inputs(Given::Text("one".to_owned()));
    let all = inside((&root, &given), (&root, &given), true);
    assert_eq!(lines(&all), ["Leaf/T Modify Never ?"]);
    assert!(all.effects[0].only_tags);
}

#[test]
fn what_aws_cannot_write_is_compared_as_aws_gives_it_back() {
    let root = |word: &str| {
        let topic = TOPIC.replace("DisplayName: a", &format!("DisplayName: {word}"));
        tree(&text(&child("Leaf", "P: x"), "x"), &[("Leaf", tree(&text(&topic, "x"), &[]))])
    };
    assert_eq!(
        between(&root("gr??n"), &root("gr\u{fc}\u{fc}n").as_returned()),
        Vec::<String>::new()
    );
}

#[test]
fn a_sam_child_is_seen_through_unless_a_part_of_it_is_known_to_nobody() {
    let sam = |resources: &str| format!("Transform: AWS::Serverless-2016-10-31\n{resources}");
    let table =
        "Resources:\n  T: { Type: AWS::Serverless::SimpleTable, Properties: { TableName: one } }\n";
    let other = "  G: { Type: AWS::Serverless::GraphQLApi, Properties: { SchemaInline: x } }\n";
    let of = |old: &str, new: &str| {
        let around = |text: &str| {
            let child_tree = tree(&sam(text), &[]);
            tree(&text_of_root(), &[("Child", child_tree)])
        };
        between(&around(old), &around(new))
    };
    let renamed = table.replace("one", "two");
    assert_eq!(of(table, table), Vec::<String>::new());
    assert_eq!(of(table, &renamed), ["Child/T Modify Always"]);
    let hidden = of(&format!("{table}{other}"), &format!("{renamed}{other}"));
    assert!(hidden.contains(&"Child unseen".to_owned()), "{hidden:?}");
}

fn text_of_root() -> String {
    text(&child("Child", ""), "x")
}
