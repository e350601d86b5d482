//! Events of APIs: what may call the function, and its place in the API's body.

use serde_json::{Value, json};

use crate::template::transform::sam::events::Event;
use crate::template::transform::sam::routes::{Route, method_word};
use crate::template::transform::sam::{Making, api, suffixed};

/// The path of an HTTP API for what no other path takes.
const DEFAULT: &str = "$default";

impl Event<'_> {
    pub(super) fn rest(&self, making: &mut Making<'_>) {
        let method = self.method();
        let path = self.text("Path").unwrap_or("/").to_owned();
        let id = api::referred(self.get("RestApiId"), api::REST, making);
        let stage = api::stage_text(&id, making).unwrap_or_else(|| "Stage".to_owned());
        let verb = verb(&method);
        let from =
            "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${__ApiId__}/${__Stage__}/";
        let from = api::call_arn(&format!("{from}{verb}{}", starred(&path)), &id);
        let permission = suffixed(&self.id, "Permission", &stage);
        self.permission_as(&permission, "apigateway.amazonaws.com", Some(from), making);
        let uri = format!(
            "arn:aws:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/{}/invocations",
            self.target.placeholder
        );
        let integration =
            json!({ "httpMethod": "POST", "type": "aws_proxy", "uri": { "Fn::Sub": uri } });
        let operation = json!({ "responses": {}, "x-amazon-apigateway-integration": integration });
        self.route(id, (path, &method), operation, making);
    }

    pub(super) fn http(&self, making: &mut Making<'_>) {
        let id = api::referred(self.get("ApiId"), api::HTTP, making);
        let (path, method) = (self.text("Path").unwrap_or(DEFAULT).to_owned(), self.method());
        // Who may be called for everything needs no other permission.
        if self.takes_all() || !self.another_takes_all(&id, making) {
            let place = match (path.as_str(), verb(&method)) {
                (DEFAULT, verb) => verb,
                (path, verb) => format!("{verb}{}", starred(path)),
            };
            let from = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:\
                        ${__ApiId__}/${__Stage__}/";
            let from = api::call_arn(&format!("{from}{place}"), &id);
            self.permission("apigateway.amazonaws.com", Some(from), making);
        }
        let uri = format!(
            "arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/{}/invocations",
            self.target.placeholder
        );
        let version = self.get("PayloadFormatVersion").cloned();
        let integration = json!({
            "httpMethod": "POST", "type": "aws_proxy", "uri": { "Fn::Sub": uri },
            "payloadFormatVersion": version.unwrap_or_else(|| "2.0".into()),
        });
        let mut operation =
            json!({ "responses": {}, "x-amazon-apigateway-integration": integration });
        if self.get("Path").is_none() {
            operation["isDefaultRoute"] = Value::Bool(true);
        }
        self.route(id, (path, &method), operation, making);
    }

    fn method(&self) -> String {
        self.text("Method").unwrap_or("any").to_lowercase()
    }

    /// Whether an event of an HTTP API takes all calls that no other one takes.
    fn takes_all(&self) -> bool {
        self.text("Path").unwrap_or(DEFAULT) == DEFAULT && verb(&self.method()) == "*"
    }

    /// Whether another event of the function does so at the same API.
    fn another_takes_all(&self, id: &str, making: &Making<'_>) -> bool {
        let events = self.source.get("Events").and_then(Value::as_object).into_iter().flatten();
        let https =
            events.filter(|(_, event)| event.get("Type").is_some_and(|kind| kind == "HttpApi"));
        let mut others = https.map(|(_, event)| Event {
            source: self.source,
            target: self.target,
            id: String::new(),
            properties: event
                .get("Properties")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default(),
        });
        others
            .any(|one| one.takes_all() && api::referred(one.get("ApiId"), api::HTTP, making) == id)
    }

    fn route(
        &self,
        api: String,
        (path, method): (String, &str),
        operation: Value,
        making: &mut Making<'_>,
    ) {
        let route = Route::of(self.source, path, method_word(method), operation);
        making.routes.entry(api).or_default().push(route);
    }
}

/// A method as ARNs have it.
fn verb(method: &str) -> String {
    if matches!(method, "any" | "*") { "*".to_owned() } else { method.to_uppercase() }
}

/// A path with stars in place of its parameters.
fn starred(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "*" } else { part });
    parts.collect::<Vec<_>>().join("/")
}
