//! `AWS::Serverless::Function`: the function, its role, versions, aliases, address and deployments.

use serde_json::{Map, Value, json};

use crate::template::transform::sam::role::{self, SERVICE_ROLE};
use crate::template::transform::sam::source::{Source, location};
use crate::template::transform::sam::{Making, compact, deployment, events, hashed};

/// SAM's own tag on functions and their roles.
const TAG: &str = "lambda:createdBy";
/// What is called the same in Lambda.
const SAME: [&str; 23] = [
    "Architectures",
    "CodeSigningConfigArn",
    "Description",
    "DurableConfig",
    "Environment",
    "EphemeralStorage",
    "FileSystemConfigs",
    "FunctionName",
    "Handler",
    "ImageConfig",
    "KmsKeyArn",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "PackageType",
    "RecursiveLoop",
    "ReservedConcurrentExecutions",
    "Runtime",
    "RuntimeManagementConfig",
    "SnapStart",
    "TenancyConfig",
    "Timeout",
    "VpcConfig",
];

/// Makes all of it.
pub(super) fn make(source: &Source, making: &mut Making<'_>) {
    let id = &source.id;
    let mut properties = source.taken(&SAME);
    let code = code(source);
    properties.insert("Code".to_owned(), code.clone());
    properties.insert("Tags".to_owned(), source.tags(Some(TAG)));
    if let Some(mode) = source.get("Tracing").filter(|mode| *mode != "Disabled") {
        properties.insert("TracingConfig".to_owned(), json!({ "Mode": mode }));
    }
    if let Some(target) = source.get("DeadLetterQueue").and_then(|queue| queue.get("TargetArn")) {
        properties.insert("DeadLetterConfig".to_owned(), json!({ "TargetArn": target }));
    }
    let own_role = source.get("Role").is_none();
    let role = source.get("Role").cloned();
    let role = role.unwrap_or_else(|| json!({ "Fn::GetAtt": [format!("{id}Role"), "Arn"] }));
    properties.insert("Role".to_owned(), role);
    making.add_main(source, id, "AWS::Lambda::Function", properties);
    let alias = published(source, &code, making);
    let target = Target::of(source, alias.as_ref().map(|(alias, _)| alias.as_str()));
    url(source, &target, making);
    invoke_config(source, alias.as_ref(), making);
    let mut policies = policies(source);
    events::make(source, &target, &mut policies, making);
    if own_role {
        role::own(source, "lambda.amazonaws.com", policies, TAG, making);
    }
}

/// What calls of a function name: the function or its alias.
pub(super) struct Target {
    /// What `FunctionName` refers to.
    pub(super) name: Value,
    /// Its ARN.
    pub(super) arn: Value,
    /// The ARN inside a text.
    pub(super) placeholder: String,
}

impl Target {
    fn of(source: &Source, alias: Option<&str>) -> Self {
        let function = &source.id;
        match alias {
            Some(alias) => Self {
                name: json!({ "Ref": alias }),
                arn: json!({ "Ref": alias }),
                placeholder: format!("${{{alias}}}"),
            },
            None => Self {
                name: json!({ "Ref": function }),
                arn: json!({ "Fn::GetAtt": [function, "Arn"] }),
                placeholder: format!("${{{function}.Arn}}"),
            },
        }
    }
}

fn code(source: &Source) -> Value {
    let names = ["S3Bucket", "S3Key", "S3ObjectVersion"];
    match (source.get("InlineCode"), source.get("ImageUri"), source.get("CodeUri")) {
        (Some(text), _, _) => json!({ "ZipFile": text }),
        (None, Some(image), _) => json!({ "ImageUri": image }),
        (None, None, Some(place)) => location(place, names),
        (None, None, None) => json!({}),
    }
}

/// The managed policies and the others that the role has without being asked.
fn policies(source: &Source) -> (Vec<Value>, Vec<Value>) {
    let mut managed = vec![format!("{SERVICE_ROLE}AWSLambdaBasicExecutionRole")];
    if source.get("Tracing").is_some_and(|mode| *mode != "Disabled") {
        managed.push("arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess".to_owned());
    }
    if source.get("VpcConfig").is_some() {
        managed.push(format!("{SERVICE_ROLE}AWSLambdaVPCAccessExecutionRole"));
    }
    let queue = source.get("DeadLetterQueue");
    let letters =
        queue.and_then(|queue| Some((queue.get("Type")?.as_str()?, queue.get("TargetArn")?)));
    let letters = letters.map(|(kind, target)| {
        let action = if kind == "SNS" { "sns:Publish" } else { "sqs:SendMessage" };
        let statement = json!({ "Action": action, "Effect": "Allow", "Resource": target });
        json!({
            "PolicyName": "DeadLetterQueuePolicy",
            "PolicyDocument": { "Version": "2012-10-17", "Statement": [statement] },
        })
    });
    (managed.into_iter().map(Value::from).collect(), letters.into_iter().collect())
}

/// Version and alias, where there are any: the alias' logical id and name.
fn published(source: &Source, code: &Value, making: &mut Making<'_>) -> Option<(String, String)> {
    let id = &source.id;
    let Some(name) = making.known.text(source.get("AutoPublishAlias")?) else {
        making.say(source, format!("The name of the alias of `{id}` is not known here."));
        return None;
    };
    let version = hashed(&format!("{id}Version"), &hash_text(source, code, making));
    let mut entry = source.beside("AWS::Lambda::Version", json!({ "FunctionName": { "Ref": id } }));
    let policy = source.get("VersionDeletionPolicy").cloned();
    entry.insert("DeletionPolicy".to_owned(), policy.unwrap_or_else(|| "Retain".into()));
    if let Some(text) = source.get("VersionDescription") {
        entry["Properties"]["Description"] = text.clone();
    }
    making.add_entry(source, &version, entry);
    making.made.approximate.insert(version.clone());
    let mut properties = json!({
        "Name": name,
        "FunctionName": { "Ref": id },
        "FunctionVersion": { "Fn::GetAtt": [version, "Version"] },
    });
    if let Some(config) = source.get("ProvisionedConcurrencyConfig") {
        properties["ProvisionedConcurrencyConfig"] = config.clone();
    }
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let alias = format!("{id}Alias{plain}");
    let mut entry = source.beside("AWS::Lambda::Alias", properties);
    deployment::make(source, &mut entry, making);
    making.add_entry(source, &alias, entry);
    making.name(source, "Version", &version);
    making.name(source, "Alias", &alias);
    Some((alias, name))
}

/// What a new version is published for.
fn hash_text(source: &Source, code: &Value, making: &Making<'_>) -> String {
    let sha = source.get("AutoPublishCodeSha256").and_then(|sha| making.known.text(sha));
    match sha {
        Some(sha) => sha,
        None if source.get("AutoPublishAliasAllProperties") == Some(&Value::Bool(true)) => {
            compact(&Value::Object(source.properties.clone()))
        }
        None => compact(code),
    }
}

fn url(source: &Source, target: &Target, making: &mut Making<'_>) {
    let Some(Value::Object(config)) = source.get("FunctionUrlConfig") else { return };
    let mut properties: Map<String, Value> = config.clone();
    properties.insert("TargetFunctionArn".to_owned(), target.name.clone());
    let id = format!("{}Url", source.id);
    making.add(source, &id, "AWS::Lambda::Url", Value::Object(properties));
    if config.get("AuthType").is_none_or(|kind| kind != "NONE") {
        return;
    }
    let name = &target.name;
    let open = json!({
        "Action": "lambda:InvokeFunctionUrl", "FunctionName": name, "FunctionUrlAuthType": "NONE",
        "Principal": "*",
    });
    let permission = "AWS::Lambda::Permission";
    making.add(source, &format!("{id}PublicPermissions"), permission, open);
    let open = json!({
        "Action": "lambda:InvokeFunction", "FunctionName": name, "InvokedViaFunctionUrl": true,
        "Principal": "*",
    });
    let id = format!("{}URLInvokeAllowPublicAccess", source.id);
    making.add(source, &id, permission, open);
}

fn invoke_config(source: &Source, alias: Option<&(String, String)>, making: &mut Making<'_>) {
    let Some(Value::Object(config)) = source.get("EventInvokeConfig") else { return };
    let id = format!("{}EventInvokeConfig", source.id);
    let mut properties = config.clone();
    let mut destinations = Map::new();
    for way in ["OnSuccess", "OnFailure"] {
        let Some(to) = config.get("DestinationConfig").and_then(|all| all.get(way)) else {
            continue;
        };
        let place = match (to.get("Destination"), to.get("Type").and_then(Value::as_str)) {
            (Some(place), _) => place.clone(),
            (None, Some("SNS")) => {
                let topic = format!("{id}{way}Topic");
                making.add(source, &topic, "AWS::SNS::Topic", json!({}));
                json!({ "Ref": topic })
            }
            (None, _) => {
                let queue = format!("{id}{way}Queue");
                making.add(source, &queue, "AWS::SQS::Queue", json!({}));
                json!({ "Fn::GetAtt": [queue, "Arn"] })
            }
        };
        destinations.insert(way.to_owned(), json!({ "Destination": place }));
    }
    let function = json!({ "Ref": source.id });
    properties.insert("DestinationConfig".to_owned(), Value::Object(destinations));
    properties.insert("FunctionName".to_owned(), function);
    let qualifier = alias.map_or("$LATEST", |(_, name)| name);
    properties.insert("Qualifier".to_owned(), qualifier.into());
    let mut entry = source.beside("AWS::Lambda::EventInvokeConfig", Value::Object(properties));
    entry.extend(alias.map(|(alias, _)| ("DependsOn".to_owned(), json!([alias]))));
    making.add_entry(source, &id, entry);
}
