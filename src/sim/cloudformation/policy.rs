//! Stack policies: which updates of which resources a stack allows.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::sim::cloudformation::differences::Difference;
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::state::Change;

/// AWS's limit for the text of a policy inside a request.
const MAX_BYTES: usize = 16_384;

/// Refuses a text that is no policy, or one with parts that this simulation does not know.
pub(crate) fn check(text: &str) -> Answer<()> {
    if text.len() > MAX_BYTES {
        let rule = format!("Member must have length less than or equal to {MAX_BYTES}");
        return Err(Refusal::constraint("", "stackPolicyBody", &rule));
    }
    statements(text).map(drop)
}

/// What a policy denies of a change: a text for each resource that fails by itself, and one for a
/// removal, which fails the update as a whole.
pub(crate) fn denials(
    text: &str,
    difference: &Difference,
) -> Answer<(BTreeMap<String, String>, Option<String>)> {
    let statements = statements(text)?;
    let mut denied = BTreeMap::new();
    let mut removal = None;
    for change in &difference.changes {
        let action = match (change.action.as_str(), change.replacement.as_deref()) {
            ("Add", _) => continue,
            ("Remove", _) => "Update:Delete",
            (_, Some("False")) => "Update:Modify",
            (_, _) => "Update:Replace",
        };
        if let Some(text) = denial(&statements, action, change) {
            if action == "Update:Delete" {
                removal = Some(text);
            } else {
                denied.insert(change.logical_id.clone(), text);
            }
        }
    }
    Ok((denied, removal))
}

fn statements(text: &str) -> Answer<Vec<Value>> {
    let invalid = |why: &str| Refusal::validation(format!("Error validating stack policy: {why}"));
    let policy: Value = serde_json::from_str(text).map_err(|_| invalid("Invalid JSON"))?;
    let statements = match &policy["Statement"] {
        Value::Array(list) => list.clone(),
        single @ Value::Object(_) => vec![single.clone()],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(invalid("Statement is missing"));
        }
    };
    let known = [
        "Sid",
        "Effect",
        "Principal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    ];
    for statement in &statements {
        let fields = statement.as_object().ok_or_else(|| invalid("a statement is an object"))?;
        if let Some(field) = fields.keys().find(|field| !known.contains(&field.as_str())) {
            return Err(Refusal::not_simulated(format!("`{field}` of a stack policy")));
        }
        if statement["Principal"] != "*" {
            return Err(invalid("Principal must be *"));
        }
        if statement["Effect"] != "Allow" && statement["Effect"] != "Deny" {
            return Err(invalid("Effect must be Allow or Deny"));
        }
        for operator in statement["Condition"].as_object().into_iter().flat_map(Map::keys) {
            if operator != "StringEquals" && operator != "StringLike" {
                let what = format!("the condition `{operator}` of a stack policy");
                return Err(Refusal::not_simulated(what));
            }
        }
    }
    Ok(statements)
}

fn denial(statements: &[Value], action: &str, change: &Change) -> Option<String> {
    let fits = |statement: &&Value| {
        let resource = format!("LogicalResourceId/{}", change.logical_id);
        names(statement, "Action", "NotAction", action)
            && names(statement, "Resource", "NotResource", &resource)
            && condition_fits(&statement["Condition"], &change.kind)
    };
    let denying = statements.iter().position(|one| one["Effect"] == "Deny" && fits(&one));
    let allowed = statements.iter().any(|one| one["Effect"] == "Allow" && fits(&one));
    match (denying, allowed) {
        (Some(index), _) => Some(format!(
            "Action denied by stack policy: Statement [#{}] does not allow [{action}] for \
             resource [LogicalResourceId/{}]",
            index + 1,
            change.logical_id
        )),
        (None, false) => Some(format!(
            "Action denied by stack policy: no statement allows [{action}] for resource \
             [LogicalResourceId/{}]",
            change.logical_id
        )),
        (None, true) => None,
    }
}

/// Whether a statement is about something: `positive` names it, or `negative` does not.
fn names(statement: &Value, positive: &str, negative: &str, text: &str) -> bool {
    let named = |field: &str| texts(&statement[field]).any(|pattern| matches(pattern, text));
    named(positive) || (!statement[negative].is_null() && !named(negative))
}

/// `StringEquals` and `StringLike` on `ResourceType`, the only condition that AWS knows here.
fn condition_fits(condition: &Value, kind: &str) -> bool {
    let operators = condition.as_object().into_iter().flatten();
    operators
        .into_iter()
        .all(|(_, test)| texts(&test["ResourceType"]).any(|pattern| matches(pattern, kind)))
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let single = value.as_str();
    let list = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    single.into_iter().chain(list)
}

/// A pattern in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        assert!(matches("Update:*", "Update:Replace"));
        assert!(matches("*", ""));
        assert!(matches("LogicalResourceId/*Table", "LogicalResourceId/ScansTable"));
        assert!(!matches("Update:Delete", "Update:Replace"));
        assert!(!matches("a*b", "a"));
    }
}
