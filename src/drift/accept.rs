//! What in git would make a drift wanted: another value of a parameter, another value in the
//! template, or a rule that says that it is none.

use serde_json::Value;

use crate::drift::{Finding, What};
use crate::observed::Direction;
use crate::template::Template;

/// A change to the fleet after which a finding is none any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The property is the value of this parameter, which becomes the value that is there.
    Parameter {
        /// Its name.
        name: String,
        /// The value that is there.
        value: String,
    },
    /// The template says the value itself.
    Template {
        /// A JSON pointer to it in the template.
        pointer: String,
        /// The value that is there.
        value: String,
    },
    /// A rule says that it is no drift.
    Rule,
}

/// What would make this finding wanted. `template` is that of the stack itself; for a resource of a
/// nested stack only a rule helps.
pub fn remedy(finding: &Finding, template: &Template) -> Remedy {
    let What::Property { path, direction: Direction::Changed, actual: Some(actual), .. } =
        &finding.what
    else {
        return Remedy::Rule;
    };
    let resource = template.resources().get(&finding.logical_id);
    let Some(resource) = resource.filter(|_| finding.within.is_empty()) else {
        return Remedy::Rule;
    };
    match resource.properties().pointer(path) {
        Some(Value::Object(call)) => match call.get("Ref").and_then(Value::as_str) {
            Some(name) if template.parameters().contains_key(name) => {
                Remedy::Parameter { name: name.to_owned(), value: actual.clone() }
            }
            Some(_) | None => Remedy::Rule,
        },
        Some(Value::String(_) | Value::Number(_) | Value::Bool(_)) => Remedy::Template {
            pointer: format!("/Resources/{}/Properties{path}", finding.logical_id),
            value: actual.clone(),
        },
        Some(Value::Array(_) | Value::Null) | None => Remedy::Rule,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_accepted_where_it_is_written() {
        let template = Template::parse(
            "Parameters: {Memory: {Type: Number}}\nResources:\n  F:\n    Type: \
             AWS::Lambda::Function\n    Properties: {MemorySize: !Ref Memory, Timeout: 3, \
             Handler: !Sub '${AWS::Region}.x'}\n",
        )
        .expect("a template");
        let remedy = |path: &str, direction, actual: Option<&str>| {
            let finding = Finding {
                within: String::new(),
                logical_id: "F".to_owned(),
                kind: "AWS::Lambda::Function".to_owned(),
                physical_id: None,
                what: What::Property {
                    path: path.to_owned(),
                    direction,
                    expected: None,
                    actual: actual.map(str::to_owned),
                },
            };
            super::remedy(&finding, &template)
        };
        let value = || "1024".to_owned();
        assert_eq!(
            remedy("/MemorySize", Direction::Changed, Some("1024")),
            Remedy::Parameter { name: "Memory".to_owned(), value: value() }
        );
        let pointer = "/Resources/F/Properties/Timeout".to_owned();
        assert_eq!(
            remedy("/Timeout", Direction::Changed, Some("1024")),
            Remedy::Template { pointer, value: value() }
        );
        assert_eq!(remedy("/Handler", Direction::Changed, Some("x")), Remedy::Rule);
        assert_eq!(remedy("/MemorySize", Direction::Changed, None), Remedy::Rule);
        assert_eq!(remedy("/Tags/0", Direction::Added, Some("x")), Remedy::Rule);
    }
}
