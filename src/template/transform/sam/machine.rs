//! `AWS::Serverless::StateMachine`: the state machine, its role, and what starts it.

use serde_json::{Map, Value, json};

use crate::template::transform::sam::role;
use crate::template::transform::sam::routes::{Route, method_word};
use crate::template::transform::sam::source::{Source, location};
use crate::template::transform::sam::{Making, api, events};

/// SAM's own tag on state machines and their roles.
const TAG: &str = "stateMachine:createdBy";
/// What callers may do.
const START: &str = "states:StartExecution";

/// Makes all of it.
pub(super) fn make(source: &Source, making: &mut Making<'_>) {
    let id = &source.id;
    let mut properties = source.taken(&["DefinitionSubstitutions", "EncryptionConfiguration"]);
    let renamed = [
        ("Logging", "LoggingConfiguration"),
        ("Name", "StateMachineName"),
        ("Tracing", "TracingConfiguration"),
        ("Type", "StateMachineType"),
    ];
    for (written, name) in renamed {
        if let Some(value) = source.get(written) {
            properties.insert(name.to_owned(), value.clone());
        }
    }
    match (source.get("Definition"), source.get("DefinitionUri")) {
        (Some(written), _) => {
            properties.insert("Definition".to_owned(), written.clone());
        }
        (None, Some(at)) => {
            let at = location(at, ["Bucket", "Key", "Version"]);
            properties.insert("DefinitionS3Location".to_owned(), at);
        }
        (None, None) => {}
    }
    let role = source.get("Role").cloned();
    let own = role.is_none();
    let role = role.unwrap_or_else(|| json!({ "Fn::GetAtt": [format!("{id}Role"), "Arn"] }));
    properties.insert("RoleArn".to_owned(), role);
    properties.insert("Tags".to_owned(), source.tags(Some(TAG)));
    making.add_main(source, id, "AWS::StepFunctions::StateMachine", properties);
    if own {
        let xray = source.get("Tracing").and_then(|traces| traces.get("Enabled"));
        let xray = xray.filter(|enabled| **enabled == Value::Bool(true));
        let managed = xray.map(|_| "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess".into());
        let policies = (managed.into_iter().collect(), Vec::new());
        role::own(source, "states.amazonaws.com", policies, TAG, making);
    }
    alias(source, making);
    let written = source.get("Events").and_then(Value::as_object);
    for (name, event) in written.into_iter().flatten() {
        let properties = event.get("Properties").and_then(Value::as_object);
        let properties = properties.cloned().unwrap_or_default();
        let kind = event.get("Type").and_then(Value::as_str).unwrap_or_default();
        started(source, name, (kind, &properties), making);
    }
}

fn alias(source: &Source, making: &mut Making<'_>) {
    let id = &source.id;
    let Some(name) = source.get("AutoPublishAlias") else { return };
    let Some(name) = making.known.text(name) else {
        making.say(source, format!("The name of the alias of `{id}` is not known here."));
        return;
    };
    let version = format!("{id}Version");
    let properties = json!({
        "StateMachineArn": { "Ref": id },
        "StateMachineRevisionId": { "Fn::GetAtt": [id, "StateMachineRevisionId"] },
    });
    let mut entry = source.beside("AWS::StepFunctions::StateMachineVersion", properties);
    entry.insert("DeletionPolicy".to_owned(), "Retain".into());
    entry.insert("UpdateReplacePolicy".to_owned(), "Retain".into());
    making.add_entry(source, &version, entry);
    let preference = json!({ "StateMachineVersionArn": { "Ref": version }, "Type": "ALL_AT_ONCE" });
    let properties = json!({ "DeploymentPreference": preference, "Name": name });
    let alias = format!("{id}Alias{name}");
    making.add(source, &alias, "AWS::StepFunctions::StateMachineAlias", properties);
    making.name(source, "Alias", &alias);
    making.name(source, "Version", &version);
}

/// What one event makes.
fn started(
    source: &Source,
    name: &str,
    (kind, written): (&str, &Map<String, Value>),
    making: &mut Making<'_>,
) {
    let id = format!("{}{name}", source.id);
    let target = json!({ "Ref": source.id });
    match kind {
        "Schedule" | "EventBridgeRule" | "CloudWatchEvent" => {
            rule(source, (&id, kind), written, making);
        }
        "ScheduleV2" => {
            let policy = format!("{id}StartExecutionPolicy");
            events::scheduler(source, (&id, written), &target, (&policy, START), making);
        }
        "Api" => route(source, &id, written, making),
        _ => {
            let machine = &source.id;
            let what =
                format!("What SAM makes of the event `{name}` of `{machine}` is not known here.");
            making.say(source, what);
        }
    }
}

/// The role of a caller, unless the event names one.
fn caller(
    source: &Source,
    (id, service): (&str, &str),
    written: Option<&Value>,
    making: &mut Making<'_>,
) -> Value {
    if let Some(role) = written {
        return role.clone();
    }
    let role = format!("{id}Role");
    let policy = format!("{role}StartExecutionPolicy");
    let target = json!({ "Ref": source.id });
    role::of_caller(source, (&role, service), (&policy, START), &target, making)
}

fn rule(
    source: &Source,
    (id, kind): (&str, &str),
    written: &Map<String, Value>,
    making: &mut Making<'_>,
) {
    let role = caller(source, (id, "events.amazonaws.com"), written.get("RoleArn"), making);
    let mut properties = Map::new();
    let names = [
        ("Description", "Description"),
        ("EventBusName", "EventBusName"),
        ("Name", "Name"),
        ("Pattern", "EventPattern"),
        ("RuleName", "Name"),
        ("Schedule", "ScheduleExpression"),
        ("State", "State"),
    ];
    for (from, to) in names {
        properties.extend(written.get(from).map(|value| (to.to_owned(), value.clone())));
    }
    if let Some(enabled) =
        written.get("Enabled").and_then(Value::as_bool).filter(|_| kind == "Schedule")
    {
        let state = if enabled { "ENABLED" } else { "DISABLED" };
        properties.insert("State".to_owned(), state.into());
    }
    let named = written.get("Target").and_then(|target| target.get("Id")).cloned();
    let mut target = json!({
        "Arn": { "Ref": source.id },
        "Id": named.unwrap_or_else(|| format!("{id}StepFunctionsTarget").into()),
        "RoleArn": role,
    });
    for name in ["Input", "InputPath", "RetryPolicy", "DeadLetterConfig"] {
        if let Some(value) = written.get(name) {
            target[name] = value.clone();
        }
    }
    properties.insert("Targets".to_owned(), json!([target]));
    making.add(source, id, "AWS::Events::Rule", Value::Object(properties));
}

fn route(source: &Source, id: &str, written: &Map<String, Value>, making: &mut Making<'_>) {
    let role = caller(source, (id, "apigateway.amazonaws.com"), None, making);
    let text = |name: &str, default: &str| {
        written.get(name).and_then(Value::as_str).unwrap_or(default).to_owned()
    };
    let input = format!(
        "{{\"input\": \"$util.escapeJavaScript($input.json('$'))\", \"stateMachineArn\": \"${{{}}}\"}}",
        source.id
    );
    let uri = "arn:${AWS::Partition}:apigateway:${AWS::Region}:states:action/StartExecution";
    let answers = json!({ "200": { "statusCode": "200" }, "400": { "statusCode": "400" } });
    let integration = json!({
        "credentials": role,
        "httpMethod": "POST",
        "requestTemplates": { "application/json": { "Fn::Sub": input } },
        "responses": answers,
        "type": "aws",
        "uri": { "Fn::Sub": uri },
    });
    let operation = json!({
        "responses": { "200": { "description": "OK" }, "400": { "description": "Bad Request" } },
        "x-amazon-apigateway-integration": integration,
    });
    let api = api::referred(written.get("RestApiId"), api::REST, making);
    let method = method_word(&text("Method", "any"));
    let route = Route::of(source, text("Path", "/"), method, operation);
    making.routes.entry(api).or_default().push(route);
}
