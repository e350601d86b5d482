//! Tables, layers and applications: one resource of SAM's becomes one of CloudFormation's.

use serde_json::{Map, Value, json};

use crate::template::transform::sam::source::{Source, location};
use crate::template::transform::sam::{Making, compact, hashed};

/// A table with one key.
pub(super) fn table(source: &Source, making: &mut Making<'_>) {
    let same = [
        "PointInTimeRecoverySpecification",
        "ProvisionedThroughput",
        "SSESpecification",
        "TableName",
    ];
    let mut properties = source.taken(&same);
    let key = source.get("PrimaryKey");
    let said = |name: &str| key.and_then(|key| key.get(name)).cloned();
    let name = said("Name").unwrap_or_else(|| "id".into());
    let kind = match said("Type") {
        Some(Value::String(kind)) => match kind.as_str() {
            "Number" => "N".into(),
            "Binary" => "B".into(),
            "String" => "S".into(),
            _ => Value::String(kind),
        },
        Some(other) => other,
        None => "S".into(),
    };
    let attributes = json!([{ "AttributeName": name, "AttributeType": kind }]);
    let keys = json!([{ "AttributeName": name, "KeyType": "HASH" }]);
    properties.insert("AttributeDefinitions".to_owned(), attributes);
    properties.insert("KeySchema".to_owned(), keys);
    if source.get("ProvisionedThroughput").is_none() {
        properties.insert("BillingMode".to_owned(), "PAY_PER_REQUEST".into());
    }
    if source.get("Tags").is_some() {
        properties.insert("Tags".to_owned(), source.tags(None));
    }
    making.add_main(source, &source.id, "AWS::DynamoDB::Table", properties);
}

/// A layer, whose logical id changes with all that it is.
pub(super) fn layer(source: &Source, making: &mut Making<'_>) {
    let same = [
        "CompatibleArchitectures",
        "CompatibleRuntimes",
        "Description",
        "LayerName",
        "LicenseInfo",
    ];
    let mut properties = source.taken(&same);
    properties.entry("LayerName").or_insert_with(|| source.id.clone().into());
    if let Some(place) = source.get("ContentUri") {
        let place = location(place, ["S3Bucket", "S3Key", "S3ObjectVersion"]);
        properties.insert("Content".to_owned(), place);
    }
    let written = Value::Object(source.properties.clone());
    let hash =
        json!({ &source.id: { "Type": "AWS::Serverless::LayerVersion", "Properties": written } });
    let id = hashed(&source.id, &compact(&hash));
    let mut entry = source.main("AWS::Lambda::LayerVersion", properties);
    let policy = source.get("RetentionPolicy").and_then(|policy| making.known.text(policy));
    let policy = policy
        .map(|policy| if policy.eq_ignore_ascii_case("delete") { "Delete" } else { "Retain" });
    match policy {
        Some(policy) => {
            entry.insert("DeletionPolicy".to_owned(), policy.into());
        }
        None => {
            entry.entry("DeletionPolicy").or_insert_with(|| "Retain".into());
        }
    }
    making.add_entry(source, &id, entry);
    making.made.approximate.insert(id.clone());
    making.renamed.insert(source.id.clone(), id);
}

/// A nested stack.
pub(super) fn application(source: &Source, making: &mut Making<'_>) {
    let mut properties: Map<String, Value> =
        source.taken(&["NotificationARNs", "Parameters", "TimeoutInMinutes"]);
    let Some(place) = source.get("Location") else {
        making.say(source, format!("The application `{}` has no Location.", source.id));
        return;
    };
    properties.insert("TemplateURL".to_owned(), place.clone());
    properties.insert("Tags".to_owned(), source.tags(Some("lambda:createdBy")));
    making.add_main(source, &source.id, "AWS::CloudFormation::Stack", properties);
    if place.is_object() {
        // The serverless repository makes a template of it that only AWS has.
        let id = &source.id;
        making.say(source, format!("What the application `{id}` holds is not known here."));
    }
}
