//! The roles that SAM makes for functions, state machines and what starts them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::template::transform::sam::Making;
use crate::template::transform::sam::source::Source;

/// Where AWS keeps the policies of services.
pub(super) const SERVICE_ROLE: &str = "arn:aws:iam::aws:policy/service-role/";

/// Who may take on a role.
pub(super) fn trust(service: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Action": ["sts:AssumeRole"],
            "Effect": "Allow",
            "Principal": { "Service": [service] },
        }],
    })
}

/// The role `<Id>Role` of a function or state machine, with the policies of `Policies` behind those
/// that SAM gives by itself.
pub(super) fn own(
    source: &Source,
    service: &str,
    (mut managed, mut policies): (Vec<Value>, Vec<Value>),
    tag: &str,
    making: &mut Making<'_>,
) {
    let id = format!("{}Role", source.id);
    let written = match source.get("Policies") {
        Some(Value::Array(all)) => all.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    for (index, policy) in written.iter().enumerate() {
        match policy {
            Value::String(name) => managed.push(named(name)),
            Value::Object(entries) if is_reference(entries) => managed.push(policy.clone()),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => {
                let name = format!("{id}Policy{index}");
                policies.push(json!({ "PolicyName": name, "PolicyDocument": document(policy) }));
            }
        }
    }
    let mut seen = BTreeSet::new();
    managed.retain(|policy| seen.insert(policy.to_string()));
    let mut properties = Map::new();
    let assumed = source.get("AssumeRolePolicyDocument").cloned();
    let mut put = |key: &str, value: Value| properties.insert(key.to_owned(), value);
    put("AssumeRolePolicyDocument", assumed.unwrap_or_else(|| trust(service)));
    put("ManagedPolicyArns", Value::Array(managed));
    if !policies.is_empty() {
        put("Policies", Value::Array(policies));
    }
    for (name, of_role) in [("RolePath", "Path"), ("PermissionsBoundary", "PermissionsBoundary")] {
        if let Some(value) = source.get(name) {
            put(of_role, value.clone());
        }
    }
    put("Tags", source.tags(Some(tag)));
    making.add(source, &id, "AWS::IAM::Role", Value::Object(properties));
}

/// A role of something that starts a function or a state machine.
pub(super) fn of_caller(
    source: &Source,
    (id, service): (&str, &str),
    (policy, action): (&str, &str),
    target: &Value,
    making: &mut Making<'_>,
) -> Value {
    let properties = json!({
        "AssumeRolePolicyDocument": trust(service),
        "Policies": [{
            "PolicyName": policy,
            "PolicyDocument": {
                "Statement": [{ "Action": action, "Effect": "Allow", "Resource": target }],
            },
        }],
    });
    making.add(source, id, "AWS::IAM::Role", properties);
    json!({ "Fn::GetAtt": [id, "Arn"] })
}

/// AWS's managed policies go by their names in SAM.
fn named(name: &str) -> Value {
    let arn = if name.starts_with("arn:") {
        name.to_owned()
    } else if name.starts_with("AWSLambda") && name.ends_with("Role") {
        format!("{SERVICE_ROLE}{name}")
    } else {
        format!("arn:aws:iam::aws:policy/{name}")
    };
    Value::String(arn)
}

fn is_reference(entries: &Map<String, Value>) -> bool {
    entries.len() == 1 && entries.keys().any(|key| key == "Ref" || key.starts_with("Fn::"))
}

/// A policy document; in place of what SAM's policy template says stand its name and parameters.
fn document(policy: &Value) -> Value {
    if policy.get("Statement").is_some() {
        policy.clone()
    } else {
        json!({ "Statement": [policy] })
    }
}
