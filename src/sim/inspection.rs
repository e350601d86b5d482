//! What AWS refuses in a template before it looks at parameters, and what this simulation does not
//! know in it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::sim::evaluate::{EXTENDED_FUNCTIONS, FUNCTIONS, mentions};
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::resources::kind;

/// Sections that this simulation understands.
const SECTIONS: &[&str] = &[
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Mappings",
    "Conditions",
    "Resources",
    "Outputs",
];

/// Attributes of a resource that this simulation understands.
const RESOURCE_ATTRIBUTES: &[&str] = &[
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "Metadata",
];

/// AWS's quotas for the entries of a section, and what it calls them.
const MAX_ENTRIES: [(&str, &str, usize); 4] = [
    ("Resources", "resources", 500),
    ("Parameters", "parameters", 200),
    ("Outputs", "outputs", 200),
    ("Mappings", "mappings", 200),
];
/// AWS's quota for the attributes of one mapping.
const MAX_MAPPING_ATTRIBUTES: usize = 200;
/// AWS's quota for the name of a resource, parameter, output or mapping, in characters.
const MAX_NAME: usize = 255;
/// AWS's quota for the description of a template, in bytes.
const MAX_DESCRIPTION: usize = 1_024;
/// AWS's quota for the dynamic references of a template.
const MAX_DYNAMIC_REFERENCES: usize = 60;

/// Types of parameters that need nothing outside the template.
const PARAMETER_TYPES: &[&str] =
    &["String", "Number", "List<Number>", "List<String>", "CommaDelimitedList"];

/// Resource types that need a capability.
pub(crate) const IN_NEED_OF_CAPABILITY: &[&str] = &[
    "AWS::IAM::AccessKey",
    "AWS::IAM::Group",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::IAM::User",
    "AWS::IAM::UserToGroupAddition",
];

/// Refuses what AWS refuses in any template, and what this simulation does not know. One that is
/// `extended` has the functions of `AWS::LanguageExtensions`.
pub(crate) fn inspect(template: &Value, extended: bool, opaque: &BTreeSet<String>) -> Answer<()> {
    if let Some(name) = texts(&template["Transform"]).first() {
        return Err(Refusal::not_simulated(format!("the macro `{name}`")));
    }
    for section in template.as_object().into_iter().flat_map(Map::keys) {
        if !SECTIONS.contains(&section.as_str()) {
            return Err(Refusal::not_simulated(format!("the template section `{section}`")));
        }
    }
    sizes(template)?;
    parameters(template)?;
    resources(template, opaque)?;
    for (section, value) in template.as_object().into_iter().flatten() {
        if section != "Metadata" {
            functions(value, extended)?;
        }
    }
    references(template, "Resources")?;
    references(template, "Outputs")
}

/// A text, or the texts of a list.
fn texts(value: &Value) -> Vec<&str> {
    let items = value.as_array().into_iter().flatten();
    value.as_str().into_iter().chain(items.filter_map(Value::as_str)).collect()
}

fn format_error(text: impl AsRef<str>) -> Refusal {
    Refusal::validation(format!("Template format error: {}", text.as_ref()))
}

fn entries<'a>(
    template: &'a Value,
    section: &str,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    template[section].as_object().into_iter().flatten()
}

fn sizes(template: &Value) -> Answer<()> {
    let too_many = |what: &str, count: usize, most: usize| {
        format_error(format!("Number of {what}, {count}, is greater than maximum allowed, {most}"))
    };
    for (section, what, most) in MAX_ENTRIES {
        let count = entries(template, section).count();
        if count > most {
            return Err(too_many(what, count, most));
        }
        for (name, _) in entries(template, section) {
            if name.chars().count() > MAX_NAME {
                return Err(format_error(format!("{section} name {name} is too long")));
            }
        }
    }
    for (_, mapping) in entries(template, "Mappings") {
        let count = mapping.as_object().map_or(0, Map::len);
        if count > MAX_MAPPING_ATTRIBUTES {
            return Err(too_many("mapping attributes", count, MAX_MAPPING_ATTRIBUTES));
        }
    }
    if template["Description"].as_str().is_some_and(|text| text.len() > MAX_DESCRIPTION) {
        let text = format!("'Description' length is greater than {MAX_DESCRIPTION}.");
        return Err(format_error(text));
    }
    let mut count = 0;
    each_text(template, &mut |text| count += text.matches("{{resolve:").count());
    if count > MAX_DYNAMIC_REFERENCES {
        return Err(too_many("dynamic references", count, MAX_DYNAMIC_REFERENCES));
    }
    Ok(())
}

fn each_text(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, visit)),
        Value::Object(map) => map.values().for_each(|member| each_text(member, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn alphanumeric(what: &str, name: &str) -> Answer<()> {
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(format_error(format!("{what} name {name} is non alphanumeric.")))
}

fn parameters(template: &Value) -> Answer<()> {
    for (name, section) in entries(template, "Parameters") {
        alphanumeric("Parameter", name)?;
        let Some(kind) = section["Type"].as_str() else {
            let text = format!("Every Parameters object must contain a Type member: {name}");
            return Err(format_error(text));
        };
        let of_ssm = kind.strip_prefix("AWS::SSM::Parameter::Value<");
        let inner = of_ssm.and_then(|rest| rest.strip_suffix('>')).unwrap_or(kind);
        // AWS looks the resources of the others up in the account.
        if !PARAMETER_TYPES.contains(&inner) && kind != "AWS::SSM::Parameter::Name" {
            let known = inner.starts_with("AWS::") || inner.starts_with("List<AWS::");
            return Err(if known {
                Refusal::not_simulated(format!("the parameter type `{kind}`"))
            } else {
                format_error(format!("Unrecognized parameter type: {kind}"))
            });
        }
    }
    Ok(())
}

fn resources(template: &Value, opaque: &BTreeSet<String>) -> Answer<()> {
    let mut unknown = BTreeSet::new();
    for (logical_id, section) in entries(template, "Resources") {
        if logical_id.starts_with("Fn::") {
            return Err(Refusal::not_simulated(format!("the function `{logical_id}`")));
        }
        alphanumeric("Resource", logical_id)?;
        let Some(name) = section["Type"].as_str() else {
            return Err(format_error(format!(
                "[/Resources/{logical_id}] Every Resources object must contain a Type member."
            )));
        };
        if kind(name).is_none() && !opaque.contains(name) {
            unknown.insert(name);
        }
        for (attribute, value) in section.as_object().into_iter().flatten() {
            if !RESOURCE_ATTRIBUTES.contains(&attribute.as_str()) {
                return Err(Refusal::not_simulated(format!(
                    "the attribute `{attribute}` of resource {logical_id}"
                )));
            }
            policy_word(logical_id, attribute, value)?;
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = unknown.into_iter().collect();
    Err(format_error(format!("Unrecognized resource types: [{}]", names.join(", "))))
}

/// The words of `DeletionPolicy` and `UpdateReplacePolicy`. What a snapshot would leave behind is
/// not simulated.
fn policy_word(logical_id: &str, attribute: &str, value: &Value) -> Answer<()> {
    let known: &[&str] = match attribute {
        "DeletionPolicy" => &["Delete", "Retain", "RetainExceptOnCreate"],
        "UpdateReplacePolicy" => &["Delete", "Retain"],
        _ => return Ok(()),
    };
    match value.as_str() {
        Some(word) if known.contains(&word) => Ok(()),
        Some(word @ "Snapshot") => {
            Err(Refusal::not_simulated(format!("{attribute} `{word}` of resource {logical_id}")))
        }
        Some(_) | None => {
            Err(format_error(format!("Unrecognized {attribute} {value} for resource {logical_id}")))
        }
    }
}

/// Refuses unknown functions by name, also where no evaluation ever comes.
fn functions(value: &Value, extended: bool) -> Answer<()> {
    let is_known =
        |name: &str| FUNCTIONS.contains(&name) || (extended && EXTENDED_FUNCTIONS.contains(&name));
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| functions(item, extended)),
        Value::Object(map) => map.iter().try_for_each(|(key, member)| {
            if key.starts_with("Fn::") && !is_known(key) {
                return Err(Refusal::not_simulated(format!("the function `{key}`")));
            }
            functions(member, extended)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// Refuses names that nothing in the template has, also in branches that are not taken.
fn references(template: &Value, section: &str) -> Answer<()> {
    let mut names = BTreeSet::new();
    for (_, entry) in entries(template, section) {
        mentions(entry, &mut names);
        match &entry["DependsOn"] {
            Value::String(name) => names.extend([name.clone()]),
            Value::Array(list) => {
                names.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
        }
    }
    names.retain(|name| {
        !name.starts_with("AWS::")
            && ["Parameters", "Resources"].iter().all(|part| template[part].get(name).is_none())
    });
    if names.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = names.into_iter().collect();
    Err(format_error(format!(
        "Unresolved resource dependencies [{}] in the {section} block of the template",
        names.join(", ")
    )))
}

/// The capability that the template's resources need beyond those given, if one is missing.
pub(crate) fn missing_capability(template: &Value, given: &[String]) -> Option<&'static str> {
    let given = |name: &str| given.iter().any(|capability| capability == name);
    let resources = || template["Resources"].as_object().into_iter().flat_map(Map::values);
    let iam = |section: &&Value| {
        IN_NEED_OF_CAPABILITY.contains(&section["Type"].as_str().unwrap_or_default())
    };
    let named = |section: &Value| {
        let row = section["Type"].as_str().and_then(kind);
        row.is_some_and(|row| section["Properties"].get(row.named_by).is_some())
    };
    if given("CAPABILITY_NAMED_IAM") || !resources().any(|section| iam(&section)) {
        return None;
    }
    if resources().filter(iam).any(named) {
        return Some("CAPABILITY_NAMED_IAM");
    }
    (!given("CAPABILITY_IAM")).then_some("CAPABILITY_IAM")
}
