//! What is made of SAM's resources here, beside what SAM itself makes of them: aws-sam-translator from
//! PyPI.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use driftless::template::{Processed, Template};
use serde_json::{Value, json};

use crate::python::{clean, not_run, python, run};

const THEIRS: &str = include_str!("transform/theirs.py");
const TEMPLATES: [&str; 5] = ["apis", "conditions", "events", "functions", "others"];
/// What SAM puts behind the logical id of something that changes with its content.
const HASH_LENGTH: usize = 10;

fn path(name: &str) -> String {
    format!("{}/tests/it/transform/{name}.yaml", env!("CARGO_MANIFEST_DIR"))
}

/// A logical id with a star in place of a hash that is ours.
fn masked(id: &str, approximate: &BTreeSet<String>) -> String {
    let starts = approximate.iter().map(|id| &id[..id.len() - HASH_LENGTH]);
    let hit =
        starts.filter(|start| id.len() == start.len() + HASH_LENGTH && id.starts_with(*start));
    let is_hash = |hash: &str| hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    match hit.max_by_key(|start| start.len()).filter(|start| is_hash(&id[start.len()..])) {
        Some(start) => format!("{start}*"),
        None => id.to_owned(),
    }
}

/// A value with all such ids masked.
fn all_masked(value: &Value, approximate: &BTreeSet<String>) -> Value {
    match value {
        Value::String(text) => {
            let parts = text.split_inclusive(|one: char| !one.is_ascii_alphanumeric());
            let parts = parts.map(|part| {
                let end = part.trim_end_matches(|one: char| !one.is_ascii_alphanumeric()).len();
                format!("{}{}", masked(&part[..end], approximate), &part[end..])
            });
            Value::String(parts.collect())
        }
        Value::Array(items) => items.iter().map(|item| all_masked(item, approximate)).collect(),
        Value::Object(entries) => Value::Object(
            entries
                .iter()
                .map(|(key, value)| (masked(key, approximate), all_masked(value, approximate)))
                .collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// What does not matter for cost, replacement and protection, and is not followed here: what SAM's
/// policy templates say, in which order policies and tags
/// come, the text of a deployment, and where in a body
/// conditions stand.
fn comparable(mut resource: Value) -> Value {
    let kind = resource["Type"].as_str().unwrap_or_default().to_owned();
    let Some(properties) = resource.get_mut("Properties").and_then(Value::as_object_mut) else {
        return resource;
    };
    if let Some(Value::Array(tags)) = properties.get_mut("Tags") {
        tags.sort_by_key(Value::to_string);
    }
    match kind.as_str() {
        "AWS::IAM::Role" => {
            if let Some(Value::Array(managed)) = properties.get_mut("ManagedPolicyArns") {
                managed.sort_by_key(Value::to_string);
            }
            for policy in
                properties.get_mut("Policies").and_then(Value::as_array_mut).into_iter().flatten()
            {
                let document = policy.as_object_mut().expect("a policy");
                if document["PolicyDocument"].get("Version").is_none() {
                    document.remove("PolicyDocument");
                }
            }
        }
        "AWS::ApiGateway::Deployment" => {
            properties.remove("Description");
        }
        "AWS::ApiGateway::RestApi" | "AWS::ApiGatewayV2::Api"
            if properties.get("Body").is_some_and(conditional) =>
        {
            properties.insert("Body".to_owned(), "with conditions".into());
        }
        "AWS::CodeDeploy::DeploymentGroup" => {
            properties.remove("AutoRollbackConfiguration");
        }
        "AWS::StepFunctions::StateMachine" => {
            let text = properties.remove("DefinitionString");
            let text = text.and_then(|text| {
                let lines = text["Fn::Join"][1].as_array().cloned().unwrap_or_default();
                let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
                serde_json::from_str::<Value>(&lines.join("\n")).ok()
            });
            properties.extend(text.map(|text| ("Definition".to_owned(), text)));
        }
        _ => {}
    }
    resource
}

fn conditional(body: &Value) -> bool {
    body.to_string().contains("Fn::If")
}

fn compare(name: &str, ours: &Processed<'_>, theirs: &Value) -> Vec<String> {
    let template = ours.template();
    let ids = template.resources().keys();
    let approximate: BTreeSet<String> = ids.filter(|id| ours.is_approximate(id)).cloned().collect();
    let theirs = Template::parse(&theirs.to_string()).expect("a template");
    let resources = |template: &Template| -> BTreeMap<String, Value> {
        let all = template.resources().iter();
        all.map(|(id, resource)| {
            let section = all_masked(&resource.section, &approximate);
            (masked(id, &approximate), comparable(section))
        })
        .collect()
    };
    let (ours, theirs) = (resources(template), (resources(&theirs), theirs));
    let mut different = Vec::new();
    for id in ours.keys().chain(theirs.0.keys()).collect::<BTreeSet<_>>() {
        let (ours, theirs) = (ours.get(id), theirs.0.get(id));
        if ours != theirs {
            different.push(format!(
                "{name} {id}:\n  ours   {}\n  theirs {}",
                json!(ours),
                json!(theirs)
            ));
        }
    }
    for (section, ours, theirs) in [
        ("Outputs", template.outputs(), theirs.1.outputs()),
        ("Conditions", template.conditions(), theirs.1.conditions()),
    ] {
        let (ours, theirs) =
            (all_masked(&json!(ours), &approximate), all_masked(&json!(theirs), &approximate));
        if ours != theirs {
            different.push(format!("{name} {section}:\n  ours   {ours}\n  theirs {theirs}"));
        }
    }
    different
}

#[test]
fn sam_makes_the_same_resources_of_templates() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => return not_run("the comparison with SAM", &why),
    };
    let mut command = clean(&python);
    command.arg("-c").arg(THEIRS).args(TEMPLATES.map(path));
    let ran = run(&mut command, "");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let theirs: BTreeMap<String, Value> = serde_json::from_str(&ran.out).expect("JSON");
    let mut different = Vec::new();
    for name in TEMPLATES {
        let text = std::fs::read_to_string(Path::new(&path(name))).expect("a template");
        let template = Template::parse(&text).expect("a template");
        let ours = template.processed(&BTreeMap::new());
        assert_eq!(ours.unknown(), [], "{name}");
        assert!(ours.template().resources().len() > 10, "{name}");
        different.extend(compare(name, &ours, &theirs[&path(name)]));
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
