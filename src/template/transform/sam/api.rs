//! `AWS::Serverless::Api` and `AWS::Serverless::HttpApi`, and those that SAM makes for events that
//! name none.

mod domain;
mod keys;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::template::transform::sam::globals::Globals;
use crate::template::transform::sam::routes::{Route, with_routes};
use crate::template::transform::sam::source::{Source, location};
use crate::template::transform::sam::{Making, compact, hashed, is_plain};

/// The kind of REST APIs, behind `AWS::Serverless::`.
pub(super) const REST: &str = "Api";
/// The kind of HTTP APIs.
pub(super) const HTTP: &str = "HttpApi";
/// The REST API that nobody wrote, and its stage.
const REST_ID: &str = "ServerlessRestApi";
const REST_STAGE: &str = "Prod";
/// The HTTP API that nobody wrote.
const HTTP_ID: &str = "ServerlessHttpApi";
/// `Fn::Or` takes so many conditions.
const MAX_OR: usize = 10;

/// Whether a kind is made after all functions.
pub(super) fn is_api(kind: &str) -> bool {
    kind == REST || kind == HTTP
}

/// The logical id of the API that an event names.
pub(super) fn referred(named: Option<&Value>, kind: &str, making: &Making<'_>) -> String {
    let name = match named {
        Some(Value::String(name)) => Some(name.as_str()),
        Some(reference) => reference.get("Ref").and_then(Value::as_str),
        None => return if kind == REST { REST_ID } else { HTTP_ID }.to_owned(),
    };
    let name = name.unwrap_or_default();
    // Parameters may name one; what they say is no logical id here.
    match making.apis.contains_key(name) {
        true => name.to_owned(),
        false => making
            .known
            .parameter(name)
            .and_then(|id| Some(id.as_str()?.to_owned()))
            .unwrap_or_else(|| name.to_owned()),
    }
}

/// The name of the stage of a REST API as far as logical ids hold it.
pub(super) fn stage_text(id: &str, making: &Making<'_>) -> Option<String> {
    match making.apis.get(id) {
        Some(api) => api.get("StageName").and_then(Value::as_str).map(str::to_owned),
        None => Some(REST_STAGE.to_owned()),
    }
}

/// The ARN of calls of an API.
pub(super) fn call_arn(text: &str, api: &str) -> Value {
    json!({ "Fn::Sub": [text, { "__ApiId__": { "Ref": api }, "__Stage__": "*" }] })
}

/// Makes all APIs.
pub(super) fn make_all(making: &mut Making<'_>, globals: &Globals) {
    for (id, kind) in [(REST_ID, REST), (HTTP_ID, HTTP)] {
        if let Some(routes) = making.routes.get(id).filter(|_| !making.apis.contains_key(id)) {
            let (source, conditions) = implicit(id, kind, routes, globals);
            making.conditions.extend(conditions);
            making.apis.insert(id.to_owned(), source);
        }
    }
    for (id, source) in std::mem::take(&mut making.apis) {
        let routes = making.routes.remove(&id).unwrap_or_default();
        match source.kind.as_str() {
            REST => rest(&source, &routes, making),
            _ => http(&source, &routes, making),
        }
    }
}

/// An API that nobody wrote, with the conditions and policies of what it leads to.
fn implicit(
    id: &str,
    kind: &str,
    routes: &[Route],
    globals: &Globals,
) -> (Source, Map<String, Value>) {
    let mut properties = globals.merged(kind, Map::new());
    if kind == REST {
        properties.insert("StageName".to_owned(), REST_STAGE.into());
    }
    let mut beside = Map::new();
    for (index, name) in ["DeletionPolicy", "UpdateReplacePolicy"].into_iter().enumerate() {
        let said: BTreeSet<&str> =
            routes.iter().filter_map(|route| route.policies[index].as_deref()).collect();
        let policy = if said.contains("Retain") { Some("Retain") } else { said.first().copied() };
        beside.extend(policy.map(|policy| (name.to_owned(), policy.into())));
    }
    let all: Option<BTreeSet<&str>> =
        routes.iter().map(|route| route.condition.as_deref()).collect();
    let all: Vec<&str> = all.into_iter().flatten().collect();
    let mut conditions = Map::new();
    match all.as_slice() {
        [] => {}
        [one] => {
            beside.insert("Condition".to_owned(), (*one).into());
        }
        several => {
            let name = format!("{id}Condition");
            conditions = combined(&name, several);
            beside.insert("Condition".to_owned(), name.into());
        }
    }
    let origin = routes.first().map_or(id, |route| &route.from).to_owned();
    (Source { id: id.to_owned(), origin, kind: kind.to_owned(), properties, beside }, conditions)
}

/// A condition that holds where one of several does.
fn combined(name: &str, all: &[&str]) -> Map<String, Value> {
    let call = |name: &str| json!({ "Condition": name });
    let or = |names: &[&str]| -> Value {
        match names {
            [one] => call(one),
            several => json!({ "Fn::Or": several.iter().map(|one| call(one)).collect::<Vec<_>>() }),
        }
    };
    if all.len() <= MAX_OR {
        return Map::from_iter([(name.to_owned(), or(all))]);
    }
    let parts: Vec<(String, Value)> = all
        .chunks(MAX_OR)
        .enumerate()
        .map(|(index, part)| (format!("{name}{index}"), or(part)))
        .collect();
    let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
    let mut made = combined(name, &names);
    made.extend(parts);
    made
}

fn rest(source: &Source, routes: &[Route], making: &mut Making<'_>) {
    const SAME: [&str; 9] = [
        "ApiKeySourceType",
        "BinaryMediaTypes",
        "Description",
        "DisableExecuteApiEndpoint",
        "FailOnWarnings",
        "MinimumCompressionSize",
        "Mode",
        "Name",
        "Policy",
    ];
    let id = &source.id;
    let mut properties = source.taken(&SAME);
    let open = source.get("OpenApiVersion").is_some();
    let empty = || {
        let version = if open { ("openapi", "3.0.1") } else { ("swagger", "2.0") };
        let title = json!({ "title": { "Ref": "AWS::StackName" }, "version": "1.0" });
        json!({ version.0: version.1, "info": title, "paths": {} })
    };
    body(source, ("BodyS3Location", empty), routes, &mut properties);
    if let Some(config) = source.get("EndpointConfiguration") {
        properties.extend(endpoint(config));
    }
    let shown = json!([properties.get("Body"), properties.get("BodyS3Location"), routes.len()]);
    making.add_main(source, id, "AWS::ApiGateway::RestApi", properties);
    let deployment = hashed(&format!("{id}Deployment"), &compact(&shown));
    making.made.approximate.insert(deployment.clone());
    let mut of_deployment = json!({ "RestApiId": { "Ref": id } });
    if !open {
        of_deployment["StageName"] = "Stage".into();
    }
    making.add(source, &deployment, "AWS::ApiGateway::Deployment", of_deployment);
    let stage = stage_id(source, source.get("StageName"));
    rest_stage(source, (&stage, &deployment), making);
    making.name(source, "Stage", &stage);
    making.name(source, "Deployment", &deployment);
    domain::of_rest(source, &stage, making);
    keys::make(source, &stage, making);
}

fn rest_stage(source: &Source, (stage, deployment): (&str, &str), making: &mut Making<'_>) {
    const SAME: [&str; 9] = [
        "AccessLogSetting",
        "CacheClusterEnabled",
        "CacheClusterSize",
        "CanarySetting",
        "DocumentationVersion",
        "MethodSettings",
        "StageName",
        "TracingEnabled",
        "Variables",
    ];
    let mut properties = source.taken(&SAME);
    properties.insert("DeploymentId".to_owned(), json!({ "Ref": deployment }));
    properties.insert("RestApiId".to_owned(), json!({ "Ref": source.id }));
    if source.get("Tags").is_some() {
        properties.insert("Tags".to_owned(), source.tags(None));
    }
    making.add(source, stage, "AWS::ApiGateway::Stage", Value::Object(properties));
}

/// The body that a template says, or the place where it lies; an empty one otherwise, with the routes.
fn body(
    source: &Source,
    (place, empty): (&str, impl FnOnce() -> Value),
    routes: &[Route],
    properties: &mut Map<String, Value>,
) {
    match (source.get("DefinitionBody"), source.get("DefinitionUri")) {
        (None, Some(at)) => {
            let at = location(at, ["Bucket", "Key", "Version"]);
            properties.insert(place.to_owned(), at);
        }
        (written, _) => {
            let written = written.cloned().unwrap_or_else(empty);
            properties.insert("Body".to_owned(), with_routes(written, routes));
        }
    }
}

/// Where a REST API is called.
fn endpoint(config: &Value) -> Map<String, Value> {
    let kind = config.get("Type").unwrap_or(config);
    let mut made = json!({ "Types": [kind] });
    for name in ["VPCEndpointIds", "IpAddressType"] {
        if let Some(value) = config.get(name) {
            let name = if name.starts_with("VPC") { "VpcEndpointIds" } else { name };
            made[name] = value.clone();
        }
    }
    Map::from_iter([
        ("EndpointConfiguration".to_owned(), made),
        ("Parameters".to_owned(), json!({ "endpointConfigurationTypes": kind })),
    ])
}

fn stage_id(source: &Source, name: Option<&Value>) -> String {
    let id = &source.id;
    match name.and_then(Value::as_str).unwrap_or_default() {
        "" => format!("{id}Stage"),
        name if is_plain(name) => format!("{id}{name}Stage"),
        name => hashed(&format!("{id}Stage"), name),
    }
}

fn http(source: &Source, routes: &[Route], making: &mut Making<'_>) {
    const TAG: &str = "httpapi:createdBy";
    let id = &source.id;
    let mut tags: Map<String, Value> =
        source.get("Tags").and_then(Value::as_object).cloned().unwrap_or_default();
    tags.insert(TAG.to_owned(), "SAM".into());
    let mut properties = source.taken(&["FailOnWarnings", "DisableExecuteApiEndpoint"]);
    let name = source.get("Name").cloned().unwrap_or_else(|| json!({ "Ref": "AWS::StackName" }));
    let empty = || {
        json!({
            "openapi": "3.0.1", "info": { "title": name, "version": "1.0" }, "paths": {},
        })
    };
    body(source, ("BodyS3Location", empty), routes, &mut properties);
    let in_body = tags
        .iter()
        .map(|(name, value)| json!({ "name": name, "x-amazon-apigateway-tag-value": value }));
    if let Some(body) = properties.get_mut("Body").and_then(Value::as_object_mut) {
        body.insert("tags".to_owned(), in_body.collect());
    }
    making.add_main(source, id, "AWS::ApiGatewayV2::Api", properties);
    let name = source.get("StageName").cloned().unwrap_or_else(|| "$default".into());
    let stage = match name.as_str() {
        Some("$default") => format!("{id}ApiGatewayDefaultStage"),
        _ => stage_id(source, Some(&name)),
    };
    let mut properties = json!({
        "ApiId": { "Ref": id }, "AutoDeploy": true, "StageName": name, "Tags": tags,
    });
    let others = [
        ("AccessLogSettings", "AccessLogSettings"),
        ("DefaultRouteSettings", "DefaultRouteSettings"),
        ("RouteSettings", "RouteSettings"),
        ("StageVariables", "StageVariables"),
    ];
    for (written, name) in others {
        if let Some(value) = source.get(written) {
            properties[name] = value.clone();
        }
    }
    making.add(source, &stage, "AWS::ApiGatewayV2::Stage", properties);
    making.name(source, "Stage", &stage);
    domain::of_http(source, (&stage, &tags), making);
}
