//! What in git would make a drift wanted: another value of a parameter, another value in the
//! template, or a rule that says that it is none.

use serde_json::Value;

use crate::drift::{Finding, What};
use crate::observed::Direction;
use crate::package::Package;

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
        /// Where the template lies; empty for that of the stack itself.
        path: String,
        /// A JSON pointer to it in the template.
        pointer: String,
        /// The value that is there.
        value: String,
    },
    /// A rule says that it is no drift.
    Rule,
}

/// What would make this finding wanted; `package` is that of the stack itself. A parameter of a nested
/// stack is followed to what its parent gives.
pub fn remedy(finding: &Finding, package: &Package) -> Remedy {
    let What::Property { path, direction: Direction::Changed, actual: Some(actual), .. } =
        &finding.what
    else {
        return Remedy::Rule;
    };
    let names = finding.within.split('/').filter(|name| !name.is_empty());
    // The stacks on the way down, each with its name in the one above.
    let mut way = vec![("", package)];
    for name in names {
        let Some(nested) = way.last().and_then(|(_, above)| above.nested.get(name)) else {
            return Remedy::Rule;
        };
        way.push((name, nested));
    }
    let (mut logical_id, mut path) = (finding.logical_id.clone(), path.clone());
    while let Some((own_name, package)) = way.pop() {
        let resource = package.template.resources().get(&logical_id);
        match resource.and_then(|resource| resource.properties().pointer(&path)) {
            Some(Value::Object(call)) => {
                let name = call.get("Ref").and_then(Value::as_str);
                let name = name.filter(|name| package.template.parameters().contains_key(*name));
                let Some(name) = name else { return Remedy::Rule };
                if way.is_empty() {
                    return Remedy::Parameter { name: name.to_owned(), value: actual.clone() };
                }
                (logical_id, path) = (own_name.to_owned(), format!("/Parameters/{name}"));
            }
            Some(Value::String(_) | Value::Number(_) | Value::Bool(_)) => {
                return Remedy::Template {
                    path: if way.is_empty() { String::new() } else { package.path.clone() },
                    pointer: format!("/Resources/{logical_id}/Properties{path}"),
                    value: actual.clone(),
                };
            }
            Some(Value::Array(_) | Value::Null) | None => return Remedy::Rule,
        }
    }
    Remedy::Rule
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::template::Template;

    fn changed(within: &str, path: &str, actual: &str) -> Finding {
        Finding {
            within: within.to_owned(),
            logical_id: "F".to_owned(),
            kind: "AWS::Lambda::Function".to_owned(),
            physical_id: None,
            what: What::Property {
                path: path.to_owned(),
                direction: Direction::Changed,
                expected: None,
                actual: Some(actual.to_owned()),
            },
        }
    }

    #[test]
    fn a_value_in_a_nested_stack_is_accepted_where_its_value_comes_from() {
        let plain =
            |text: &str| Package::plain(Arc::new(Template::parse(text).expect("a template")));
        let function = "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties: \
                        {MemorySize: !Ref Memory, Timeout: !Ref Time, ReservedConcurrency: 3}\n";
        let declared = "Parameters: {Memory: {Type: Number}, Time: {Type: Number}}\n";
        let mut child = plain(&format!("{declared}{function}"));
        child.path = "api/child.yaml".to_owned();
        let mut root = plain(
            "Parameters: {Size: {Type: Number}}\nResources:\n  Child:\n    Type: \
             AWS::CloudFormation::Stack\n    Properties: {TemplateURL: x, Parameters: {Memory: \
             !Ref Size, Time: 5}}\n",
        );
        root.nested.insert("Child".to_owned(), Arc::new(child));
        let remedy = |path: &str| remedy(&changed("Child", path, "9"), &root);
        let value = || "9".to_owned();
        let at = |path: &str, pointer: &str| Remedy::Template {
            path: path.to_owned(),
            pointer: pointer.to_owned(),
            value: value(),
        };
        assert_eq!(
            remedy("/MemorySize"),
            Remedy::Parameter { name: "Size".to_owned(), value: value() }
        );
        assert_eq!(remedy("/Timeout"), at("", "/Resources/Child/Properties/Parameters/Time"));
        let here = "/Resources/F/Properties/ReservedConcurrency";
        assert_eq!(remedy("/ReservedConcurrency"), at("api/child.yaml", here));
        assert_eq!(super::remedy(&changed("Other", "/Timeout", "9"), &root), Remedy::Rule);
    }

    #[test]
    fn a_value_is_accepted_where_it_is_written() {
        let template = Template::parse(
            "Parameters: {Memory: {Type: Number}}\nResources:\n  F:\n    Type: \
             AWS::Lambda::Function\n    Properties: {MemorySize: !Ref Memory, Timeout: 3, \
             Handler: !Sub '${AWS::Region}.x'}\n",
        )
        .expect("a template");
        let package = Package::plain(Arc::new(template));
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
            super::remedy(&finding, &package)
        };
        let value = || "1024".to_owned();
        assert_eq!(
            remedy("/MemorySize", Direction::Changed, Some("1024")),
            Remedy::Parameter { name: "Memory".to_owned(), value: value() }
        );
        let pointer = "/Resources/F/Properties/Timeout".to_owned();
        assert_eq!(
            remedy("/Timeout", Direction::Changed, Some("1024")),
            Remedy::Template { path: String::new(), pointer, value: value() }
        );
        assert_eq!(remedy("/Handler", Direction::Changed, Some("x")), Remedy::Rule);
        assert_eq!(remedy("/MemorySize", Direction::Changed, None), Remedy::Rule);
        assert_eq!(remedy("/Tags/0", Direction::Added, Some("x")), Remedy::Rule);
    }
}
