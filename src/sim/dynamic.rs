//! Dynamic references: `{{resolve:ssm:NAME}}` becomes what the parameter holds. References to secrets
//! stay as they are, since CloudFormation never shows or compares what they stand for.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::sim::refusal::{Answer, Refusal};

const START: &str = "{{resolve:";

/// What an SSM parameter holds.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) value: String,
    /// Whether it never changed, so that it is its version 1; later versions are not kept here.
    pub(crate) first: bool,
}

/// SSM parameters by name.
pub(crate) type Parameters = BTreeMap<String, Held>;

/// Whether a text may have a dynamic reference in it, or a part of one.
pub(crate) fn may_refer(text: &str) -> bool {
    text.contains("resolve:")
}

/// Fills in the references in an object.
pub(crate) fn resolve_members(
    map: Map<String, Value>,
    parameters: &Parameters,
) -> Answer<Map<String, Value>> {
    map.into_iter().map(|(key, member)| Ok((key, resolve(member, parameters)?))).collect()
}

fn resolve(value: Value, parameters: &Parameters) -> Answer<Value> {
    match value {
        Value::String(text) => resolve_text(text, parameters).map(Value::String),
        Value::Array(items) => {
            let items = items.into_iter().map(|item| resolve(item, parameters));
            items.collect::<Answer<_>>().map(Value::Array)
        }
        Value::Object(map) => resolve_members(map, parameters).map(Value::Object),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => Ok(other),
    }
}

/// Fills in the references in a text.
pub(crate) fn resolve_text(text: String, parameters: &Parameters) -> Answer<String> {
    if !text.contains(START) {
        return Ok(text);
    }
    let mut filled = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find(START) {
        filled.push_str(&rest[..start]);
        let inside = &rest[start + START.len()..];
        let Some(end) = inside.find("}}") else {
            filled.push_str(&rest[start..]);
            return Ok(filled);
        };
        let reference = &rest[start..start + START.len() + end + 2];
        filled.push_str(&resolve_one(&inside[..end], reference, parameters)?);
        rest = &inside[end + 2..];
    }
    filled.push_str(rest);
    Ok(filled)
}

fn resolve_one(inside: &str, whole: &str, parameters: &Parameters) -> Answer<String> {
    let (service, key) = inside.split_once(':').unwrap_or((inside, ""));
    match service {
        "ssm" => parameter(key, whole, parameters),
        "ssm-secure" | "secretsmanager" if !key.is_empty() => Ok(whole.to_owned()),
        "ssm-secure" | "secretsmanager" => Err(malformed(whole)),
        other => Err(Refusal::not_simulated(format!("the dynamic reference to `{other}`"))),
    }
}

fn parameter(key: &str, whole: &str, parameters: &Parameters) -> Answer<String> {
    let (name, version) = match key.split_once(':') {
        Some((name, version)) => (name, Some(version)),
        None => (key, None),
    };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte);
    let number = version.is_none_or(|text| text.parse::<u64>().is_ok());
    if name.is_empty() || !name.bytes().all(legal) || !number {
        return Err(malformed(whole));
    }
    let missing = || Refusal::validation(format!("Parameters: [ssm:{key}] cannot be found."));
    let held = parameters.get(name).ok_or_else(missing)?;
    match version {
        Some(_) if !held.first => {
            Err(Refusal::not_simulated("the versions of an SSM parameter that was changed"))
        }
        Some(version) if version != "1" => Err(missing()),
        Some(_) | None => Ok(held.value.clone()),
    }
}

fn malformed(whole: &str) -> Refusal {
    let text = "Incorrect format is used in the following SSM reference";
    Refusal::validation(format!("{text}: [{whole}]"))
}
