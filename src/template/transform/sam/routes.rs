//! What functions and state machines put into the body of an API.

use serde_json::{Map, Value, json};

use crate::template::transform::sam::source::Source;

/// One path and method.
pub(super) struct Route {
    pub(super) path: String,
    /// In lower case, as OpenAPI has it.
    pub(super) method: String,
    pub(super) operation: Value,
    /// The resource that it leads to.
    pub(super) from: String,
    /// The condition of that resource.
    pub(super) condition: Option<String>,
    /// Its `DeletionPolicy` and `UpdateReplacePolicy`.
    pub(super) policies: [Option<String>; 2],
}

impl Route {
    pub(super) fn of(source: &Source, path: String, method: String, operation: Value) -> Self {
        let text = |key: &str| source.beside.get(key).and_then(Value::as_str).map(str::to_owned);
        Self {
            path,
            method,
            operation,
            from: source.origin.clone(),
            condition: text("Condition"),
            policies: ["DeletionPolicy", "UpdateReplacePolicy"].map(text),
        }
    }
}

/// The word of OpenAPI for a method; any of them has one of AWS's.
pub(super) fn method_word(method: &str) -> String {
    let lower = method.to_lowercase();
    if lower == "any" || lower == "*" { ANY.to_owned() } else { lower }
}

/// Any method.
pub(super) const ANY: &str = "x-amazon-apigateway-any-method";

/// A body with these routes in it.
pub(super) fn with_routes(mut body: Value, routes: &[Route]) -> Value {
    for route in routes {
        let Some(paths) = body.as_object_mut().map(|body| entry(body, "paths")) else { continue };
        let Some(paths) = paths.as_object_mut() else { continue };
        let Some(methods) = entry(paths, &route.path).as_object_mut() else { continue };
        let operation = match &route.condition {
            Some(name) => json!({
                "Fn::If": [name, route.operation, { "Ref": "AWS::NoValue" }]
            }),
            None => route.operation.clone(),
        };
        methods.insert(route.method.clone(), operation);
    }
    body
}

fn entry<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Value {
    map.entry(key.to_owned()).or_insert_with(|| json!({}))
}
