//! What SAM and the loops make of whole templates, and that they take any JSON.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::template::{Given, Template};

fn template(text: &str) -> Template {
    Template::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// What becomes of a template of SAM's with these sections.
fn sam(text: &str) -> Value {
    let template = template(&format!("Transform: AWS::Serverless-2016-10-31\n{text}"));
    template.processed(&BTreeMap::new()).template().value().clone()
}

/// Types by logical id.
fn kinds(value: &Value) -> BTreeMap<&str, &str> {
    let resources = value["Resources"].as_object().expect("resources");
    resources.iter().map(|(id, one)| (id.as_str(), one["Type"].as_str().expect("a type"))).collect()
}

/// What becomes of a template with loops, and what of it is not known.
fn looped(text: &str, given: &[(&str, Given)]) -> (Value, Vec<String>) {
    let template = template(&format!("Transform: AWS::LanguageExtensions\n{text}"));
    let given = given.iter().map(|(name, given)| ((*name).to_owned(), given.clone())).collect();
    let made = template.processed(&given);
    let unknown = made.unknown().iter().map(|one| format!("{} {}", one.pointer, one.message));
    (made.template().value().clone(), unknown.collect())
}

#[test]
fn a_template_without_these_macros_is_itself() {
    for text in ["Resources: {}", "Transform: Own\nResources: {'Fn::ForEach::X': [A, [b], {}]}"] {
        let template = template(text);
        let made = template.processed(&BTreeMap::new());
        assert!(std::ptr::eq(made.template(), &template), "no copy is made");
        assert_eq!(made.origin("X"), "X");
    }
}

#[test]
fn what_hangs_on_no_parameter_is_made_once() {
    let template = template(
        "Transform: AWS::Serverless-2016-10-31\n\
         Resources: {T: {Type: AWS::Serverless::SimpleTable}}",
    );
    let (one, other) = (template.processed(&BTreeMap::new()), template.processed(&BTreeMap::new()));
    assert!(!one.hangs_on_parameters());
    assert!(std::ptr::eq(one.template(), other.template()));
}

#[test]
fn loops_repeat_what_is_in_them() {
    let (made, unknown) = looped(
        "
Conditions:
  Fn::ForEach::Conditions: [Name, [A, B], {'Is${Name}': !Equals [!Ref Name, A]}]
Resources:
  Fn::ForEach::Topics:
    - Name
    - [a.b, c]
    - 'Topic&{Name}':
        Type: AWS::SNS::Topic
        Properties:
          TopicName: !Ref Name
          DisplayName: !Sub 'The ${Name} of ${AWS::Region}'
          Fn::ForEach::Properties: [Key, [X, Y], {'${Key}${Name}': '${Key}'}]
  Fn::ForEach::Outer:
    - Outer
    - [P, Q]
    - Fn::ForEach::Inner:
        - Inner
        - [1, 2]
        - 'Queue${Outer}${Inner}': {Type: AWS::SQS::Queue, DependsOn: 'Topicc'}
Outputs:
  Fn::ForEach::Names: [Name, [c], {'Out${Name}': {Value: !GetAtt 'Topic${Name}.TopicName'}}]
",
        &[],
    );
    assert_eq!(unknown, Vec::<String>::new());
    let topic = |name: &str| {
        json!({
            "Type": "AWS::SNS::Topic",
            "Properties": {
                "TopicName": name,
                "DisplayName": { "Fn::Sub": format!("The {name} of ${{AWS::Region}}") },
                format!("X{name}"): "X",
                format!("Y{name}"): "Y",
            },
        })
    };
    let queue = json!({ "Type": "AWS::SQS::Queue", "DependsOn": "Topicc" });
    let resources = json!({
        "Topicab": topic("a.b"), "Topicc": topic("c"),
        "QueueP1": queue, "QueueP2": queue, "QueueQ1": queue, "QueueQ2": queue,
    });
    assert_eq!(made["Resources"], resources);
    let is = |name: &str| json!({ "Fn::Equals": [name, "A"] });
    assert_eq!(made["Conditions"], json!({ "IsA": is("A"), "IsB": is("B") }));
    let value = json!({ "Fn::GetAtt": ["Topicc", "TopicName"] });
    assert_eq!(made["Outputs"], json!({ "Outc": { "Value": value } }));
    assert_eq!(made.get("Transform"), None);
}

#[test]
fn a_loop_over_a_parameter_is_known_when_its_value_is() {
    let text = "
Parameters: {Names: {Type: CommaDelimitedList}}
Mappings: {Map: {a: {Names: [x]}}}
Resources:
  Fn::ForEach::Topics: [Name, !Ref Names, {'T${Name}': {Type: AWS::SNS::Topic}}]
  Fn::ForEach::More: [Name, !FindInMap [Map, a, Names], {'M${Name}': {Type: AWS::SNS::Topic}}]
";
    let (made, unknown) = looped(text, &[("Names", Given::Text("a, b".to_owned()))]);
    assert_eq!(unknown, Vec::<String>::new());
    assert_eq!(kinds(&made).into_keys().collect::<Vec<_>>(), ["Mx", "Ta", "Tb"]);
    let expected =
        ["/Resources/Fn::ForEach::Topics The items of the loop are not known here.".to_owned()];
    for given in [&[][..], &[("Names", Given::Symbol("other".to_owned()))]] {
        let (made, unknown) = looped(text, given);
        assert_eq!(unknown, expected);
        assert_eq!(made["Transform"], json!(["AWS::LanguageExtensions"]), "it is still to be done");
        assert!(made["Resources"].get("Mx").is_some());
    }
}

#[test]
fn lengths_and_texts_of_what_is_known_are_written_out() {
    let (made, _) = looped(
        "
Parameters: {Names: {Type: CommaDelimitedList, Default: 'a,b,c'}}
Resources:
  A:
    Type: AWS::SQS::Queue
    Properties:
      DelaySeconds: {Fn::Length: !Ref Names}
      Two: {Fn::Length: [1, 2]}
      Text: {Fn::ToJsonString: {a: [1, true]}}
      Open: {Fn::ToJsonString: {a: !Ref Other}}
",
        &[],
    );
    let expected = json!({
        "DelaySeconds": 3, "Two": 2, "Text": "{\"a\":[1,true]}",
        "Open": { "Fn::ToJsonString": { "a": { "Ref": "Other" } } },
    });
    assert_eq!(made["Resources"]["A"]["Properties"], expected);
}

#[test]
fn loops_in_loops_end_somewhere() {
    let items: Vec<String> = (0..30).map(|index| index.to_string()).collect();
    let mut body = json!({ "X${A0}${A1}${A2}${A3}${A4}": { "Type": "T" } });
    for level in 0..5 {
        body = json!({ format!("Fn::ForEach::L{level}"): [format!("A{level}"), items, body] });
    }
    let text = json!({ "Transform": "AWS::LanguageExtensions", "Resources": body }).to_string();
    let template = template(&text);
    let made = template.processed(&BTreeMap::new());
    assert!(made.unknown().iter().any(|one| one.message.contains("more than AWS takes")));
}

#[test]
fn a_loop_that_sam_has_no_use_for_is_not_waited_for() {
    let template = template(
        "Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]
Resources:
  F: {Type: AWS::Serverless::StateMachine, Properties: {Path: {'Fn::ForEach::L': A}}}",
    );
    let made = template.processed(&BTreeMap::new());
    assert_eq!(made.unknown().len(), 1);
    assert_eq!(made.template().transforms(), Vec::<String>::new());
}

#[test]
fn globals_are_merged() {
    let made = sam("
Globals:
  Function: {MemorySize: 256, Environment: {Variables: {A: a, B: b}}, Layers: [x], Timeout: !Ref T}
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties: {MemorySize: 512, Environment: {Variables: {B: c}}, Layers: [y], Role: r}
");
    assert_eq!(made.get("Globals"), None);
    let properties = &made["Resources"]["F"]["Properties"];
    assert_eq!(properties["MemorySize"], 512);
    assert_eq!(properties["Environment"]["Variables"], json!({ "A": "a", "B": "c" }));
    assert_eq!(properties["Layers"], json!(["x", "y"]));
    assert_eq!(properties["Timeout"], json!({ "Ref": "T" }));
}

#[test]
fn a_function_has_its_role_unless_it_names_one() {
    let made = sam("
Resources:
  F: {Type: AWS::Serverless::Function, Condition: C, Properties: {CodeUri: 's3://b/k'}}
  G: {Type: AWS::Serverless::Function, Properties: {CodeUri: {Bucket: b, Key: k}, Role: r}}
");
    let function = "AWS::Lambda::Function";
    let expected = [("F", function), ("FRole", "AWS::IAM::Role"), ("G", function)];
    assert_eq!(kinds(&made), BTreeMap::from(expected));
    for id in ["F", "G"] {
        let code = &made["Resources"][id]["Properties"]["Code"];
        assert_eq!(*code, json!({ "S3Bucket": "b", "S3Key": "k" }));
    }
    assert_eq!(made["Resources"]["FRole"]["Condition"], "C");
}

#[test]
fn a_table_costs_what_it_is_used_unless_it_says_otherwise() {
    let made = sam("
Resources:
  A: {Type: AWS::Serverless::SimpleTable, DeletionPolicy: Retain}
  B:
    Type: AWS::Serverless::SimpleTable
    Properties: {ProvisionedThroughput: {ReadCapacityUnits: 5}, PrimaryKey: {Name: n, Type: Number}}
");
    let (a, b) = (&made["Resources"]["A"], &made["Resources"]["B"]);
    assert_eq!(a["Type"], "AWS::DynamoDB::Table");
    assert_eq!(a["Properties"]["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(a["DeletionPolicy"], "Retain");
    assert_eq!(b["Properties"].get("BillingMode"), None);
    assert_eq!(b["Properties"]["AttributeDefinitions"][0]["AttributeType"], "N");
}

#[test]
fn references_to_what_sam_makes_lead_there() {
    let template = template("
Transform: AWS::Serverless-2016-10-31
Resources:
  L: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: 's3://b/l'}}
  F:
    Type: AWS::Serverless::Function
    DependsOn: L
    Properties: {CodeUri: 's3://b/k', Role: r, AutoPublishAlias: live, Layers: [!Ref L]}
  A: {Type: AWS::Serverless::Api, Properties: {StageName: v1}}
Outputs:
  Alias: {Value: !Ref F.Alias}
  Version: {Value: !GetAtt F.Version.Version}
  Stage: {Value: !Sub ['${A.Stage} ${F.Arn} ${L} ${!A.Stage} ${A.Stage.X} ${Own.Stage}', {Own.Stage: 1}]}
");
    let made = template.processed(&BTreeMap::new());
    let ids: BTreeSet<&String> = made.template().resources().keys().collect();
    let starting = |start: &str| -> &str {
        ids.iter().find(|id| id.starts_with(start) && id.len() > start.len()).expect(start)
    };
    let outputs = made.template().outputs();
    assert_eq!(outputs["Alias"]["Value"], json!({ "Ref": "FAliaslive" }));
    let (version, layer) = (starting("FVersion"), starting("L"));
    assert_eq!(outputs["Version"]["Value"], json!({ "Fn::GetAtt": [version, "Version"] }));
    let text = format!(
        "${{Av1Stage}} ${{F.Arn}} ${{{layer}}} ${{!A.Stage}} ${{Av1Stage.X}} ${{Own.Stage}}"
    );
    assert_eq!(outputs["Stage"]["Value"]["Fn::Sub"][0], text);
    let function = &made.template().resources()["F"];
    assert_eq!(function.depends_on, [layer]);
    assert_eq!(function.properties()["Layers"], json!([{ "Ref": layer }]));
    assert!(
        made.is_approximate(layer) && made.is_approximate(version) && !made.is_approximate("F")
    );
    assert_eq!(made.origin(layer), "L");
    assert_eq!(made.origin(version), "F");
}

#[test]
fn what_sam_makes_of_other_types_is_said_to_be_unknown() {
    let template = template("
Transform: AWS::Serverless-2016-10-31
Parameters: {Name: {Type: String}}
Resources:
  G: {Type: AWS::Serverless::GraphQLApi}
  C: {Type: AWS::Serverless::Connector}
  P: {Type: AWS::Serverless::Function, Properties: {Fn::Transform: {Name: AWS::Include}}}
  F: {Type: AWS::Serverless::Function, Properties: {Role: r, AutoPublishAlias: !Ref Name, Events: {E: {Type: New}}}}
  A: {Type: AWS::Serverless::Application, Properties: {Location: {ApplicationId: a, SemanticVersion: 1.0.0}}}
");
    let made = template.processed(&BTreeMap::new());
    let unknown: Vec<&str> = made.unknown().iter().map(|one| one.message.as_str()).collect();
    assert_eq!(
        unknown,
        [
            "What the application `A` holds is not known here.",
            "What SAM makes of `C`, an AWS::Serverless::Connector, is not known here.",
            "The name of the alias of `F` is not known here.",
            "What SAM makes of the event `E` of `F` is not known here.",
            "What SAM makes of `G`, an AWS::Serverless::GraphQLApi, is not known here.",
            "What SAM makes of `P`, an AWS::Serverless::Function, is not known here.",
        ]
    );
    assert_eq!(made.template().resources()["A"].kind, "AWS::CloudFormation::Stack");
    assert!(made.hangs_on_parameters());
}

#[test]
fn what_is_made_of_what_a_loop_made_leads_back_to_the_loop() {
    let template = template(
        "Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]
Resources:
  Fn::ForEach::Functions:
    - Name
    - [A, B]
    - 'F${Name}': {Type: AWS::Serverless::Function, Properties: {Events: {E: {Type: New}}}}
",
    );
    let made = template.processed(&BTreeMap::new());
    let kinds = made.template().resources().keys().collect::<Vec<_>>();
    assert_eq!(kinds, ["FA", "FARole", "FB", "FBRole"]);
    for id in ["FA", "FBRole"] {
        assert_eq!(made.origin(id), "Fn::ForEach::Functions");
    }
    let places: BTreeSet<&str> = made.unknown().iter().map(|one| one.pointer.as_str()).collect();
    assert_eq!(places, BTreeSet::from(["/Resources/Fn::ForEach::Functions"]));
}

#[test]
fn other_macros_stay() {
    let template = template(
        "Transform: [Own, AWS::LanguageExtensions, {Name: AWS::Include, Parameters: {Location: l}}]\n\
         Resources: {Fn::ForEach::X: [A, [b], {'${A}': {Type: AWS::SNS::Topic}}]}",
    );
    let made = template.processed(&BTreeMap::new());
    let include = json!({ "Name": "AWS::Include", "Parameters": { "Location": "l" } });
    assert_eq!(made.template().value()["Transform"], json!(["Own", include]));
    assert!(made.template().resources().contains_key("b"));
}

/// Words of both macros.
const WORDS: &str = "A ${A} &{A} Ref F s3://b/k Api HttpApi S3 SNS Schedule AWS::Serverless::Function \
    AWS::Serverless::Api AWS::Serverless::StateMachine AWS::Serverless::LayerVersion \
    AWS::Serverless::Application F.Version live";
/// Keys of both.
const KEYS: &str = "Type Properties Events E F Ref Fn::Sub Fn::GetAtt Fn::ForEach::L Fn::If Path Method \
    Queue Bucket Topic CodeUri AutoPublishAlias DefinitionBody paths StageName Domain DomainName Auth \
    UsagePlan CreateUsagePlan Condition DependsOn RestApiId Tags Policies Trigger FunctionUrlConfig \
    EventInvokeConfig DestinationConfig OnFailure Route53 SqsSubscription DeploymentPreference ${A} \
    Location PrimaryKey BasePath";

/// Values with these words in them.
fn any_value() -> impl Strategy<Value = Value> {
    let words: Vec<&str> = WORDS.split(' ').chain([""]).collect();
    let keys: Vec<&str> = KEYS.split(' ').collect();
    let leaf = prop_oneof![
        prop::sample::select(words).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
    ];
    let keys = prop::sample::select(keys);
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys.clone(), inner, 0..5).prop_map(|map| json!(map)),
        ]
    })
}

fn any_template() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(vec![
        "Function",
        "Api",
        "HttpApi",
        "StateMachine",
        "SimpleTable",
        "LayerVersion",
        "Application",
        "Connector",
    ]);
    let names = prop::sample::select(vec!["F", "G", "A", "Fn::ForEach::X", "ServerlessRestApi"]);
    let resource = (kind, any_value(), any_value()).prop_map(|(kind, properties, beside)| {
        let mut entry = json!({ "Type": format!("AWS::Serverless::{kind}") });
        entry["Properties"] = properties;
        entry["Condition"] = beside;
        entry
    });
    let resource = prop_oneof![resource, any_value()];
    let resources = prop::collection::btree_map(names, resource, 0..4);
    (resources, any_value(), any_value()).prop_map(|(resources, globals, outputs)| {
        json!({
            "Transform": ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"],
            "Parameters": { "A": { "Type": "String", "Default": "a" } },
            "Globals": { "Function": globals.clone(), "Api": globals },
            "Resources": resources,
            "Outputs": { "F": outputs },
        })
    })
}

proptest! {
    // What it finds gets a test of its own.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn expansion_never_panics_and_a_second_one_changes_nothing(value in any_template()) {
        if let Ok(template) = Template::parse(&value.to_string()) {
            let once = template.processed(&BTreeMap::new());
            let twice = once.template().processed(&BTreeMap::new());
            prop_assert_eq!(twice.template().value(), once.template().value());
            let parsed = Template::parse(once.template().body()).map(|again| again.digest());
            prop_assert_eq!(parsed, Ok(once.template().digest()));
        }
    }

    #[test]
    fn anything_at_all_is_expanded_without_panic(value in any_value()) {
        let whole = json!({
            "Transform": ["AWS::Serverless-2016-10-31", "AWS::LanguageExtensions"],
            "Resources": value.clone(), "Globals": value.clone(), "Conditions": value,
        });
        if let Ok(template) = Template::parse(&whole.to_string()) {
            template.processed(&BTreeMap::new());
        }
    }
}
