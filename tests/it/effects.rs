//! What the effects of an update are said to be, against the change sets that the simulated cloud makes
//! of the same update.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use driftless::aws::{Access, Aws, GivenTemplate, StackInputs, TargetApi};
use driftless::clock::Clock;
use driftless::fleet::Deployment;
use driftless::ids::{StackName, Target};
use driftless::observed::{ChangeAction, ChangeSetSeen, ChangeSetStatus, Replacement};
use driftless::sim::{Cloud, CloudSettings};
use driftless::template::{Action, Effect, Given, Inputs, Replaces, Template, effects, fill};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};

use crate::world::START;

const UPDATES: u64 = 250;
/// What the simulated cloud makes of a new stack is there by then.
const AWHILE: Duration = Duration::from_secs(1_200);

const CHILD: &str = "Parameters: { A: { Type: String } }
Resources: { Inner: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref A } } }
Outputs: { Value: { Value: !Ref A }, Name: { Value: !Ref Inner } }
";

/// A template, values for its parameters, and tags.
#[derive(Clone, Debug)]
struct Side {
    template: String,
    parameters: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
}

/// Texts to choose from for each property; an empty one leaves the property out.
type Choices = &'static [(&'static str, &'static [&'static str])];

/// Resources by logical id: type, what stands beside the properties, properties.
const POOL: &[(&str, &str, &[&str], Choices)] = &[
    (
        "Queue",
        "AWS::SQS::Queue",
        &["", "", "DeletionPolicy: Retain", "Metadata: { A: !Ref Env }"],
        &[
            ("QueueName", &["", "", "!Sub 'q-${Env}'", "one", "!Join ['-', [a, !Ref Count]]"]),
            (
                "VisibilityTimeout",
                &["", "30", "!Ref Count", "!FindInMap [Sizes, !Ref Env, number]"],
            ),
            ("Tags", &["", "[{ Key: a, Value: !Ref Env }]", "[{ Key: a, Value: b }]"]),
        ],
    ),
    (
        "Table",
        "AWS::DynamoDB::Table",
        &["", "DependsOn: Queue", "UpdateReplacePolicy: Retain"],
        &[
            ("TableName", &["", "", "", "!Sub '${AWS::StackName}-${Env}'"]),
            (
                "KeySchema",
                &[
                    "[{ AttributeName: id }]",
                    "[{ AttributeName: id }]",
                    "[{ AttributeName: other }]",
                ],
            ),
            ("BillingMode", &["", "PAY_PER_REQUEST", "!If [IsA, PROVISIONED, !Ref AWS::NoValue]"]),
        ],
    ),
    (
        "Role",
        "AWS::IAM::Role",
        &[""],
        &[
            ("AssumeRolePolicyDocument", &["{ Version: '2012-10-17', Statement: [] }"]),
            ("Path", &["", "", "/a/", "!Sub '/${Env}/'"]),
            ("Description", &["", "a", "!Ref Secret"]),
        ],
    ),
    (
        "Function",
        "AWS::Lambda::Function",
        &["", "Condition: IsA", "Condition: NotA", "Condition: Some"],
        &[
            ("Role", &["!GetAtt Role.Arn"]),
            ("Code", &["{ ZipFile: x }", "{ ZipFile: y }"]),
            ("MemorySize", &["", "128", "!Ref Count"]),
            (
                "Environment",
                &[
                    "",
                    "{ Variables: { A: !Ref Table } }",
                    "{ Variables: { A: !GetAtt Table.Arn, B: !Sub '${Queue}' } }",
                    "{ Variables: { A: !Ref Secret, B: !Sub ['${x}', { x: !GetAtt Queue.Arn }] } }",
                ],
            ),
        ],
    ),
    (
        "Allowed",
        "AWS::Lambda::Permission",
        &[""],
        &[
            ("Action", &["lambda:InvokeFunction"]),
            ("Principal", &["a", "!Ref Env"]),
            ("FunctionName", &["!GetAtt Queue.Arn", "!Ref Table", "fixed"]),
        ],
    ),
    (
        "Setting",
        "AWS::SSM::Parameter",
        &["", "Condition: NotA"],
        &[
            ("Type", &["String"]),
            (
                "Value",
                &[
                    "a",
                    "!Ref Allowed",
                    "!Join [',', !Ref Names]",
                    "!Select [0, !Ref Names]",
                    "!If [Some, !Ref Queue, !Ref Table]",
                    "!Sub '${Env}-${Count}-${!x}'",
                    "!Select [1, !Split ['-', 'a-b-c']]",
                ],
            ),
        ],
    ),
    (
        "Topic",
        "AWS::SNS::Topic",
        &["", "Condition: IsA"],
        &[("TopicName", &["", "!Sub 't-${Env}'"]), ("DisplayName", &["", "a", "!Ref Secret"])],
    ),
    (
        "Child",
        "AWS::CloudFormation::Stack",
        &[""],
        &[
            (
                "TemplateURL",
                &[
                    "https://templates.s3.eu-central-1.amazonaws.com/one.yaml",
                    "https://templates.s3.eu-central-1.amazonaws.com/two.yaml",
                ],
            ),
            ("Parameters", &["{ A: a }", "{ A: !Ref Env }", "{ A: !Ref Queue }"]),
        ],
    ),
    (
        "OfChild",
        "AWS::SSM::Parameter",
        &[""],
        &[
            ("Type", &["String"]),
            ("Name", &["", "", "!Sub 'n-${Child.Outputs.Value}'"]),
            ("Value", &["!GetAtt Child.Outputs.Value", "b"]),
        ],
    ),
];

/// These are always there, since others refer to them.
const ALWAYS: [&str; 5] = ["Queue", "Table", "Role", "Allowed", "Child"];

const HEAD: &str = "Parameters:
  Env: { Type: String, Default: a }
  Count: { Type: Number, Default: 30 }
  Names: { Type: CommaDelimitedList, Default: 'x, y' }
  Secret: { Type: String, NoEcho: true, Default: hidden }
Mappings: { Sizes: { a: { number: 10 }, b: { number: 30 }, c: { number: 10 } } }
Conditions:
  IsA: !Equals [!Ref Env, a]
  NotA: !Not [!Condition IsA]
  Some: !Or [!Condition IsA, !And [!Equals [!Ref Count, 30], !Equals [!Select [0, !Ref Names], x]]]
Resources:
";

/// What a side chooses, by resource and property.
type Chosen = BTreeMap<(&'static str, &'static str), usize>;

/// All choices made by dice, a few of them anew for the second side.
fn choose(dice: &mut ChaCha8Rng, before: Option<&Chosen>) -> Chosen {
    let mut chosen = Chosen::new();
    let mut pick = |key: (&'static str, &'static str), number: usize| {
        let same = before.and_then(|before| before.get(&key)).filter(|_| dice.random_bool(0.85));
        chosen.insert(key, same.copied().unwrap_or_else(|| dice.random_range(0..number)));
    };
    for (id, _, beside, properties) in POOL {
        pick((*id, ""), beside.len());
        pick((*id, "there"), 3);
        for (property, values) in *properties {
            pick((*id, *property), values.len());
        }
    }
    for (name, values) in VALUES {
        pick(("", *name), values.len());
    }
    chosen
}

const VALUES: &[(&str, &[&str])] = &[
    ("Env", &["a", "a", "b", "c"]),
    ("Count", &["30", "10"]),
    ("Names", &["x, y", "x,z", "y"]),
    ("Secret", &["hunter1", "hunter2"]),
    ("tags", &["one", "one", "one", "two"]),
];

fn side(chosen: &Chosen) -> Side {
    let mut template = HEAD.to_owned();
    for (id, kind, beside, properties) in POOL {
        if chosen[&(*id, "there")] == 0 && !ALWAYS.contains(id) {
            continue;
        }
        writeln!(template, "  {id}:\n    Type: {kind}").expect("a text");
        writeln!(template, "    {}", beside[chosen[&(*id, "")]]).expect("a text");
        writeln!(template, "    Properties:").expect("a text");
        for (property, values) in *properties {
            let value = values[chosen[&(*id, *property)]];
            if !value.is_empty() {
                writeln!(template, "      {property}: {value}").expect("a text");
            }
        }
        if properties.iter().all(|(property, values)| values[chosen[&(*id, *property)]].is_empty())
        {
            template = template.strip_suffix("    Properties:\n").expect("it ends so").to_owned();
        }
    }
    let value = |name: &str| {
        let (name, values) = VALUES.iter().find(|(known, _)| *known == name).expect("a value");
        values[chosen[&("", *name)]].to_owned()
    };
    let names = ["Env", "Count", "Names", "Secret"];
    Side {
        template,
        parameters: names.iter().map(|name| ((*name).to_owned(), value(name))).collect(),
        tags: BTreeMap::from([("owner".to_owned(), value("tags"))]),
    }
}

/// The change set that the cloud makes of an update.
async fn change_set(
    api: &TargetApi,
    clock: &Clock,
    name: &str,
    old: &Side,
    new: &Side,
) -> ChangeSetSeen {
    let name: StackName = name.parse().expect("a stack name");
    let id = api.create(&name, &inputs(old), "token").await.expect("created");
    clock.sleep(AWHILE).await;
    api.create_change_set(&id, "set", &inputs(new), "other").await.expect("a change set");
    clock.sleep(AWHILE).await;
    api.change_set(&id, "set").await.expect("an answer").expect("a change set")
}

fn inputs(side: &Side) -> StackInputs {
    StackInputs {
        template: GivenTemplate::Body(Arc::from(side.template.as_str())),
        parameters: side.parameters.clone(),
        kept_parameters: BTreeSet::new(),
        tags: side.tags.clone(),
        capabilities: vec!["CAPABILITY_NAMED_IAM".to_owned()],
        termination_protection: false,
        stack_policy: None,
        deployment: Deployment::Standard,
    }
}

/// What is said about the update, with some parameters not known.
fn said(target: &Target, name: &str, old: &Side, new: &Side, hidden: &[&str]) -> Vec<Effect> {
    let given = |side: &Side| Inputs {
        parameters: side
            .parameters
            .iter()
            .map(|(name, value)| {
                let given = match hidden.contains(&name.as_str()) {
                    true => Given::Symbol(format!("{name}={value}")),
                    false => Given::Text(value.clone()),
                };
                (name.clone(), given)
            })
            .collect(),
        account: target.account,
        region: target.region.clone(),
        stack_name: name.parse().expect("a stack name"),
    };
    let template = |side: &Side| Template::parse(&side.template).expect("a template");
    let (before, after) = (template(old), template(new));
    let (old_filled, new_filled) = (fill(&before, &given(old)), fill(&after, &given(new)));
    effects(&old_filled, &new_filled, old.tags != new.tags)
}

/// How often each kind of change was compared.
type Compared = BTreeMap<String, usize>;

/// Everything in the change set is among the effects, and not worse than they say.
fn covers(effects: &[Effect], set: &ChangeSetSeen, compared: &mut Compared) -> Result<(), String> {
    for change in &set.changes {
        let action = match change.action {
            ChangeAction::Add => Action::Add,
            ChangeAction::Modify => Action::Modify,
            ChangeAction::Remove => Action::Remove,
            ref other => return Err(format!("an action that nobody asked for: {other:?}")),
        };
        let is_it =
            |effect: &&Effect| effect.logical_id == change.logical_id && effect.action == action;
        let effect = effects.iter().find(is_it).ok_or(format!("not foreseen: {change:?}"))?;
        let fits = match change.replacement {
            Replacement::Never => true,
            Replacement::Conditional | Replacement::Always => effect.replaces >= Replaces::Perhaps,
        };
        if !fits || effect.kind != change.kind {
            return Err(format!("{change:?} is not {effect:?}"));
        }
        let word = format!("{action:?} {:?}", change.replacement);
        *compared.entry(word).or_default() += 1;
    }
    Ok(())
}

/// Everything that is certain is in the change set.
fn is_covered(effects: &[Effect], set: &ChangeSetSeen) -> Result<(), String> {
    for effect in effects.iter().filter(|effect| effect.certain) {
        let listed = set.changes.iter().any(|change| change.logical_id == effect.logical_id);
        if !listed {
            return Err(format!("certain and not in the set: {effect:?}"));
        }
        let replaced = effect.action == Action::Modify && effect.replaces == Replaces::Always;
        let is_it = |replacement| {
            set.changes.iter().any(|change| {
                change.logical_id == effect.logical_id && change.replacement == replacement
            })
        };
        if replaced && !is_it(Replacement::Always) {
            return Err(format!("replaced and not so in the set: {effect:?}"));
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn no_change_set_holds_what_was_not_foreseen() {
    let clock = Clock::starting_at(START);
    let cloud = Cloud::in_memory(CloudSettings::default(), clock.clone());
    for key in ["one.yaml", "two.yaml"] {
        cloud.console().put_object("templates", key, CHILD.as_bytes()).expect("taken");
    }
    let home = "eu-central-1".parse().expect("a region");
    let aws = Aws::simulated(cloud.http_client(), cloud.credentials(), clock.clone(), "c", home);
    let mut compared = Compared::new();
    for seed in 0..UPDATES {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let before = choose(&mut dice, None);
        let after = choose(&mut dice, Some(&before));
        let (old, new) = (side(&before), side(&after));
        // Names such as a queue's are given once in an account.
        let target: Target =
            format!("{:012}/eu-central-1", 500_000_000_000 + seed).parse().expect("a target");
        let role_arn = format!("arn:aws:iam::{}:role/driftless-execution", target.account);
        let api = aws.target(&target, &Access { role_arn, external_id: None });
        let set = change_set(&api, &clock, "api", &old, &new).await;
        assert!(
            matches!(set.status, ChangeSetStatus::Ready | ChangeSetStatus::Empty),
            "seed {seed}: {:?}\n{}\n{}",
            set.status,
            old.template,
            new.template
        );
        let all = said(&target, "api", &old, &new, &[]);
        let mut checked = covers(&all, &set, &mut compared).and(is_covered(&all, &set));
        for hidden in [["Env"].as_slice(), &["Count", "Names"], &["Env", "Count", "Secret"]] {
            let unsure = said(&target, "api", &old, &new, hidden);
            checked = checked.and(covers(&unsure, &set, &mut BTreeMap::new()));
            checked = checked.and(is_covered(&unsure, &set));
        }
        if let Err(why) = checked {
            panic!(
                "seed {seed}: {why}\n{}\n{:?}\n{}\n{:?}\n{set:#?}",
                old.template, old.parameters, new.template, new.parameters
            );
        }
    }
    for word in ["Add Never", "Remove Never", "Modify Never", "Modify Conditional", "Modify Always"]
    {
        assert!(compared.get(word).is_some_and(|count| *count >= 20), "{compared:?}");
    }
}
