//! Which values may be shown: reports, chat and the journal never hold a secret.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::template::{Template, references};

/// Longer values say little in a line.
const LONGEST: usize = 60;
/// Parts of names behind which secrets stand.
const TELLING: &[&str] = &[
    "apikey",
    "arguments",
    "auth",
    "connectionstring",
    "credential",
    "environment",
    "optionsettings",
    "passphrase",
    "password",
    "privatekey",
    "secret",
    "token",
    "userdata",
    "variables",
];
/// Properties whose values are never shown, whatever they are called inside.
const NEVER: &[(&str, &str)] = &[
    ("AWS::Lambda::Function", "/Environment"),
    ("AWS::SSM::Parameter", "/Value"),
    ("AWS::EC2::Instance", "/UserData"),
    ("AWS::EC2::LaunchTemplate", "/LaunchTemplateData/UserData"),
    ("AWS::ECS::TaskDefinition", "/ContainerDefinitions"),
    ("AWS::StepFunctions::StateMachine", "/DefinitionString"),
];

/// What a template hides: properties that are made from NoEcho parameters or dynamic references.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    /// Logical ids with the name of a property.
    properties: BTreeSet<(String, String)>,
    /// Nothing is known of the template: only numbers and flags are shown.
    unknown: bool,
}

impl Hidden {
    /// What this template hides.
    pub fn of(template: &Template) -> Self {
        let secrets: BTreeSet<&String> = template
            .parameters()
            .iter()
            .filter(|(_, parameter)| parameter.no_echo)
            .map(|(name, _)| name)
            .collect();
        let is_secret = |value: &Value| {
            references(value).iter().any(|name| secrets.contains(name)) || is_dynamic(value)
        };
        let mut properties = BTreeSet::new();
        // AWS knows the resources that macros make.
        let made = template.processed(&BTreeMap::new());
        for (logical_id, resource) in made.template().resources() {
            for (name, value) in resource.properties().as_object().into_iter().flatten() {
                if is_secret(value) {
                    properties.insert((logical_id.clone(), name.clone()));
                }
            }
        }
        Self { properties, unknown: made.hangs_on_parameters() || !made.unknown().is_empty() }
    }

    /// A nested stack, whose template nobody here has.
    pub fn unknown() -> Self {
        Self { properties: BTreeSet::new(), unknown: true }
    }

    /// The value of a property as it may be shown.
    pub(super) fn shown(
        &self,
        kind: &str,
        logical_id: &str,
        path: &str,
        text: &str,
    ) -> Option<String> {
        let is_plain = ["true", "false"].contains(&text) || text.parse::<f64>().is_ok();
        let lower = path.to_ascii_lowercase().replace(['_', '-'], "");
        let name = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let is_within = |of: &str| path == of || path.starts_with(&format!("{of}/"));
        let is_secret = TELLING.iter().any(|word| lower.contains(word))
            || NEVER.iter().any(|(of, never)| *of == kind && is_within(never))
            || self.properties.contains(&(logical_id.to_owned(), name.to_owned()))
            || text.contains("****")
            || (self.unknown && !is_plain);
        let is_short = text.chars().count() <= LONGEST && !text.contains(char::is_control);
        let is_scalar = !text.trim_start().starts_with(['{', '[']) && !text.is_empty();
        (!is_secret && is_short && is_scalar).then(|| text.to_owned())
    }
}

fn is_dynamic(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("{{resolve:"),
        Value::Array(items) => items.iter().any(is_dynamic),
        Value::Object(fields) => fields.values().any(is_dynamic),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_is_not_shown() {
        let template = Template::parse(
            "Parameters:\n  Key: {Type: String, NoEcho: true}\nResources:\n  Function:\n    Type: \
             AWS::Lambda::Function\n    Properties: {Description: !Sub 'k ${Key}', MemorySize: 1, \
             Role: '{{resolve:ssm:x}}'}\n",
        )
        .expect("a template");
        let hidden = Hidden::of(&template);
        let shown = |path: &str, text: &str| {
            hidden.shown("AWS::Lambda::Function", "Function", path, text).is_some()
        };
        assert!(shown("/MemorySize", "512"));
        assert!(shown("/Handler", "index.main"));
        assert!(!shown("/Description", "k hunter2"));
        assert!(!shown("/Role", "arn"));
        assert!(!shown("/Environment/Variables/MODE", "live"));
        assert!(!shown("/MasterUserPassword", "1"));
        assert!(!shown("/Handler", "{\"a\": 1}"));
        assert!(!shown("/Handler", &"x".repeat(61)));
        let nested = |text: &str| Hidden::unknown().shown("AWS::X::Y", "X", "/Name", text);
        assert_eq!(nested("512").as_deref(), Some("512"));
        assert_eq!(nested("hunter2"), None);
    }
}
