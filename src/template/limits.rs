//! What CloudFormation would refuse in a template that reads well. Names are left alone where a
//! macro may add what seems to be missing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::template::references::{Pointer, each_call, named, references};
use crate::template::resource::{below, texts};
use crate::template::{Parameter, Resource, Template};

/// The most that a call takes inline, in bytes (CloudFormation; through S3 it takes 1 MB).
pub const MAX_INLINE_BYTES: usize = 51_200;
/// CloudFormation's limits on the entries of a section.
const MAX_ENTRIES: [(&str, usize); 4] =
    [("Resources", 500), ("Parameters", 200), ("Outputs", 200), ("Mappings", 200)];
/// More than this is not read by anybody, and each is looked up in the text.
const MAX_FLAWS: usize = 100;
/// The sections that CloudFormation knows.
const SECTIONS: [&str; 10] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];
/// What may stand in a resource besides what its type defines.
const RESOURCE_KEYS: [&str; 9] = [
    "Condition",
    "CreationPolicy",
    "DeletionPolicy",
    "DependsOn",
    "Metadata",
    "Properties",
    "Type",
    "UpdatePolicy",
    "UpdateReplacePolicy",
];

/// One reason for which CloudFormation would refuse a template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flaw {
    /// JSON pointer into the canonical form; [`Template::position`] says where that is.
    pub pointer: String,
    /// What is wrong, a whole sentence.
    pub message: String,
    /// How to fix it, a whole sentence.
    pub help: String,
}

/// Everything that CloudFormation would refuse, as far as a template alone shows it, up to a hundred
/// flaws; sorted by pointer.
pub fn limits(template: &Template) -> Vec<Flaw> {
    let mut flaws = Flaws { template, found: Vec::new() };
    flaws.check_size();
    flaws.check_sections();
    for (name, parameter) in template.parameters() {
        flaws.check_parameter(name, parameter);
    }
    for (id, resource) in template.resources() {
        flaws.check_resource(id, resource);
    }
    for (name, output) in template.outputs() {
        if !name.starts_with("Fn::") && output.get("Value").is_none() {
            let help = "Add its `Value`, or remove the output.";
            flaws.add(below("/Outputs", name), format!("The output `{name}` has no Value."), help);
        }
    }
    if !has_macros(template) {
        flaws.check_names();
        flaws.check_conditions_and_mappings();
        flaws.check_cycles();
    }
    flaws.found.sort();
    flaws.found.dedup();
    flaws.found
}

/// Whether AWS changes the template before it looks at its names.
fn has_macros(template: &Template) -> bool {
    let mut found = !template.transforms().is_empty();
    each_call(template.value(), &Pointer::ROOT, &mut |function, _, _| {
        found |= function == "Fn::Transform"
    });
    found
}

struct Flaws<'template> {
    template: &'template Template,
    found: Vec<Flaw>,
}

impl Flaws<'_> {
    fn add(&mut self, pointer: String, message: String, help: impl Into<String>) {
        if !self.is_full() {
            self.found.push(Flaw { pointer, message, help: help.into() });
        }
    }

    fn is_full(&self) -> bool {
        self.found.len() >= MAX_FLAWS
    }

    fn check_size(&mut self) {
        let made = self.template.processed(&BTreeMap::new());
        for (section, most) in MAX_ENTRIES {
            let count_in = |template: &Template| {
                let entries = template.value().get(section).and_then(Value::as_object);
                entries.map_or(0, serde_json::Map::len)
            };
            let (written, count) = (count_in(self.template), count_in(made.template()));
            if count > most {
                let made = if written == count { "" } else { " after its macros" };
                let message = format!(
                    "The section `{section}` has {count} entries{made}; {most} is \
                     CloudFormation's limit."
                );
                self.add(below("", section), message, "Split the template into two services.");
            }
        }
    }

    fn check_sections(&mut self) {
        let sections = self.template.value().as_object().into_iter().flatten();
        for (name, value) in sections {
            let pointer = below("", name);
            if !SECTIONS.contains(&name.as_str()) {
                if self.template.transforms().is_empty() {
                    let message = format!("CloudFormation knows no section `{name}`.");
                    self.add(pointer, message, format!("Use one of {}.", SECTIONS.join(", ")));
                }
                continue;
            }
            let text = matches!(name.as_str(), "AWSTemplateFormatVersion" | "Description");
            if text && !value.is_string() {
                self.add(pointer, format!("`{name}` is not a text."), "Write one text.");
            } else if !text && name != "Transform" && !value.is_object() {
                let message = format!("The section `{name}` is not a map.");
                self.add(pointer, message, "Write its entries as `Name:` and what belongs to it.");
            }
        }
        match self.template.value().get("Resources") {
            None => self.add(
                String::new(),
                "The template has no section `Resources`.".to_owned(),
                "Add `Resources:` with one resource at least.",
            ),
            Some(Value::Object(entries)) if entries.is_empty() => self.add(
                "/Resources".to_owned(),
                "The section `Resources` is empty.".to_owned(),
                "Add one resource at least.",
            ),
            Some(_) => {}
        }
    }

    fn check_parameter(&mut self, name: &str, parameter: &Parameter) {
        let pointer = below("/Parameters", name);
        self.check_identifier(&pointer, "parameter", name);
        if parameter.kind.is_empty() {
            let message = format!("The parameter `{name}` has no Type.");
            self.add(pointer.clone(), message, "Add a `Type`, such as `String`.");
        }
        let written = self.template.value().pointer(&format!("{pointer}/Default"));
        match (&parameter.default, written) {
            (None, Some(_)) => {
                let message = format!("The Default of the parameter `{name}` is not a text.");
                let help = "Write a list as one text with commas.";
                self.add(format!("{pointer}/Default"), message, help);
            }
            (Some(default), _) => {
                if let Err(broken) = parameter.check(default) {
                    let message = format!("The Default of the parameter `{name}`: {broken}.");
                    let help = "Change the default or the constraint.";
                    self.add(format!("{pointer}/Default"), message, help);
                }
            }
            (None, None) => {}
        }
    }

    fn check_resource(&mut self, id: &str, resource: &Resource) {
        let pointer = below("/Resources", id);
        self.check_identifier(&pointer, "resource", id);
        let Some(entries) = resource.section.as_object() else {
            let message = format!("The resource `{id}` is not a map.");
            self.add(pointer, message, "Write its `Type` and `Properties`.");
            return;
        };
        if resource.kind.is_empty() {
            let message = format!("The resource `{id}` has no Type.");
            self.add(pointer.clone(), message, "Add a `Type`, such as `AWS::SQS::Queue`.");
        }
        for key in entries.keys() {
            let known = RESOURCE_KEYS.contains(&key.as_str()) || key.starts_with("Fn::");
            if !known && self.template.transforms().is_empty() {
                let message = format!("The resource `{id}` has the unknown attribute `{key}`.");
                let help = format!("Move it into `Properties`, or use one of {RESOURCE_KEYS:?}.");
                self.add(below(&pointer, key), message, help.replace(['[', ']', '"'], ""));
            }
        }
    }

    fn check_identifier(&mut self, pointer: &str, what: &str, name: &str) {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let message = format!("The {what} name `{name}` is not alphanumeric.");
            self.add(pointer.to_owned(), message, "Use letters and digits only.");
        }
    }

    /// `Ref`, `GetAtt`, `Sub` and `DependsOn`.
    fn check_names(&mut self) {
        let template = self.template;
        for section in ["Resources", "Outputs", "Conditions", "Rules"] {
            let Some(value) = template.value().get(section) else { continue };
            let with_resources = matches!(section, "Resources" | "Outputs");
            let pointer = Pointer::Key(&Pointer::ROOT, section);
            each_call(value, &pointer, &mut |function, argument, pointer| {
                if !self.is_full() {
                    for (name, attribute) in named(function, argument) {
                        self.check_reference(&name, attribute, pointer, with_resources);
                    }
                }
            });
        }
        for (id, resource) in template.resources() {
            for name in &resource.depends_on {
                let help = "Name another resource of this template.";
                let pointer = format!("{}/DependsOn", below("/Resources", id));
                if name == id {
                    self.add(pointer, format!("The resource `{id}` depends on itself."), help);
                } else if !template.resources().contains_key(name) {
                    let message = format!("`{id}` depends on `{name}`, which is no resource here.");
                    self.add(pointer, message, help);
                }
            }
        }
    }

    fn check_reference(
        &mut self,
        name: &str,
        attribute: bool,
        pointer: &Pointer<'_>,
        with_resources: bool,
    ) {
        let resource = self.template.resources().contains_key(name);
        let parameter = self.template.parameters().contains_key(name);
        let resolved = (resource && with_resources) || (parameter && !attribute);
        if resolved {
            return;
        }
        let message = match (attribute, resource) {
            (_, true) => format!("`{name}` is a resource; conditions know parameters only."),
            (true, false) => format!("`{name}` is no resource of this template."),
            (false, false) => format!("`{name}` is no parameter or resource of this template."),
        };
        let help = "Correct the name, or declare it; in a `Sub`, `${!Name}` is left as it is.";
        self.add(pointer.to_string(), message, help);
    }

    /// Names of conditions, names of mappings, and `GetAtt` without an attribute.
    fn check_conditions_and_mappings(&mut self) {
        let template = self.template;
        for section in ["Resources", "Outputs", "Conditions", "Rules"] {
            let Some(value) = template.value().get(section) else { continue };
            let pointer = Pointer::Key(&Pointer::ROOT, section);
            each_call(value, &pointer, &mut |function, argument, pointer| {
                let first = argument.get(0).and_then(Value::as_str);
                let named = match (function, argument) {
                    ("Fn::If", _) => first.map(|name| (name, "condition")),
                    ("Fn::FindInMap", _) => first.map(|name| (name, "mapping")),
                    ("Fn::GetAtt", Value::String(name)) => Some((name.as_str(), "attribute")),
                    ("Condition", Value::String(name)) if section == "Conditions" => {
                        Some((name.as_str(), "condition"))
                    }
                    _ => None,
                };
                if let Some((name, what)) = named {
                    self.check_use(name, what, pointer);
                }
            });
            for (name, entry) in value.as_object().into_iter().flatten() {
                if let Some(Value::String(condition)) = entry.get("Condition")
                    && matches!(section, "Resources" | "Outputs")
                {
                    let entry = Pointer::Key(&pointer, name);
                    self.check_use(condition, "condition", &Pointer::Key(&entry, "Condition"));
                }
            }
        }
    }

    fn check_use(&mut self, name: &str, what: &str, pointer: &Pointer<'_>) {
        if self.is_full() {
            return;
        }
        if what == "attribute" {
            let message = format!("`GetAtt` of `{name}` names no attribute.");
            return self.add(pointer.to_string(), message, "Write `Resource.Attribute`.");
        }
        let template = self.template;
        let known = if what == "condition" { template.conditions() } else { template.mappings() };
        if !known.contains_key(name) {
            let message = format!("`{name}` is no {what} of this template.");
            let help = format!("Correct the name, or declare the {what}.");
            self.add(pointer.to_string(), message, help);
        }
    }

    /// Resources that wait for each other. With conditions the circle may never close, so that
    /// such templates are left to AWS.
    fn check_cycles(&mut self) {
        let too_many = self.template.resources().len() > MAX_ENTRIES[0].1;
        if too_many || !self.template.conditions().is_empty() {
            return;
        }
        let circle = circle(self.template.resources());
        if let Some(first) = circle.first() {
            let message = format!("These resources wait for each other: {}.", circle.join(", "));
            let help = "Break the circle, for instance by a resource that joins two others.";
            self.add(below("/Resources", first), message, help);
        }
    }
}

/// The resources that are part of circles of references, or between two circles.
fn circle(resources: &BTreeMap<String, Resource>) -> Vec<String> {
    let mut waits: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (id, resource) in resources {
        let named = references(&resource.section).into_iter();
        let depends_on = resource.section.get("DependsOn").map(texts).unwrap_or_default();
        let names = named.chain(depends_on).filter(|name| resources.contains_key(name));
        waits.insert(id, names.collect());
    }
    let pairs = waits.iter().flat_map(|(id, names)| names.iter().map(|name| (*id, name.as_str())));
    let edges: Vec<(&str, &str)> = pairs.collect();
    let turned = edges.iter().map(|(from, to)| (*to, *from)).collect();
    // What waits for nothing that is left is in no circle, and neither is what nothing that is left
    // waits for.
    let waiting = without_ends(waits.keys().copied().collect(), edges);
    let left = without_ends(waiting, turned);
    left.into_iter().map(str::to_owned).collect()
}

/// The nodes from which one can go on for ever. Each edge is looked at once.
fn without_ends<'a>(
    mut nodes: BTreeSet<&'a str>,
    edges: Vec<(&'a str, &'a str)>,
) -> BTreeSet<&'a str> {
    let mut ways: BTreeMap<&str, usize> = nodes.iter().map(|node| (*node, 0)).collect();
    let mut into: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in
        edges.into_iter().filter(|(from, to)| nodes.contains(from) && nodes.contains(to))
    {
        *ways.entry(from).or_default() += 1;
        into.entry(to).or_default().push(from);
    }
    let mut ends: Vec<&str> =
        ways.iter().filter(|(_, count)| **count == 0).map(|(node, _)| *node).collect();
    while let Some(end) = ends.pop() {
        nodes.remove(end);
        for from in into.remove(end).unwrap_or_default() {
            let count = ways.entry(from).or_default();
            *count -= 1;
            if *count == 0 {
                ends.push(from);
            }
        }
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Stage: {Type: String, Default: prod, AllowedValues: [prod, test]}
Mappings:
  Sizes: {prod: {Memory: 512}, test: {Memory: 128}}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  Both: !And [!Condition IsProd, !Condition IsProd]
Resources:
  Role: {Type: 'AWS::IAM::Role', Properties: {Policy: {Condition: {StringEquals: {a: b}}}}}
  Function:
    Type: AWS::Lambda::Function
    Condition: Both
    DependsOn: [Role]
    Properties:
      Role: !GetAtt Role.Arn
      MemorySize: !FindInMap [Sizes, !Ref Stage, Memory]
      Description: !Sub '${Stage} in ${AWS::Region} by ${Role.Arn}, not ${!Name}'
      Timeout: !If [IsProd, 10, !Ref 'AWS::NoValue']
Outputs:
  Arn: {Condition: IsProd, Value: !GetAtt Function.Arn}
";

    fn flaws(text: &str) -> Vec<Flaw> {
        limits(&Template::parse(text).expect("a template"))
    }

    /// The one flaw of a text, as `pointer: message`.
    fn flaw(text: &str) -> String {
        let flaws = flaws(text);
        assert_eq!(flaws.len(), 1, "{text}: {flaws:?}");
        format!("{}: {}", flaws[0].pointer, flaws[0].message)
    }

    #[test]
    fn a_sound_template_has_no_flaws() {
        assert_eq!(flaws(SOUND), []);
    }

    #[test]
    fn names_that_lead_nowhere_are_told_with_their_place() {
        for (old, new, expected) in [
            (
                "!GetAtt Role.Arn",
                "!GetAtt Rule.Arn",
                "/Resources/Function/Properties/Role/Fn::GetAtt: `Rule` is no resource of this \
                 template.",
            ),
            (
                "${Stage} in",
                "${Stags} in",
                "/Resources/Function/Properties/Description/Fn::Sub: `Stags` is no parameter or \
                 resource of this template.",
            ),
            (
                "DependsOn: [Role]",
                "DependsOn: Rule",
                "/Resources/Function/DependsOn: `Function` depends on `Rule`, which is no \
                 resource here.",
            ),
            (
                "Condition: Both",
                "Condition: Bath",
                "/Resources/Function/Condition: `Bath` is no condition of this template.",
            ),
            (
                "!If [IsProd",
                "!If [IsPrad",
                "/Resources/Function/Properties/Timeout/Fn::If: `IsPrad` is no condition of this \
                 template.",
            ),
            (
                "[Sizes",
                "[Size",
                "/Resources/Function/Properties/MemorySize/Fn::FindInMap: `Size` is no mapping of \
                 this template.",
            ),
            (
                "[!Ref Stage, prod]",
                "[!Ref Role, prod]",
                "/Conditions/IsProd/Fn::Equals/0/Ref: `Role` is a resource; conditions know \
                 parameters only.",
            ),
            (
                "!GetAtt Function.Arn",
                "!GetAtt Function",
                "/Outputs/Arn/Value/Fn::GetAtt: `GetAtt` of `Function` names no attribute.",
            ),
            (
                "Default: prod",
                "Default: prd",
                "/Parameters/Stage/Default: The Default of the parameter `Stage`: `prd` is not \
                 one of its AllowedValues: prod, test.",
            ),
            (
                "    Type: AWS::Lambda::Function",
                "    Typ: AWS::Lambda::Function\n    Type: x",
                "/Resources/Function/Typ: The resource `Function` has the unknown attribute `Typ`.",
            ),
        ] {
            assert!(SOUND.contains(old), "{old}");
            assert_eq!(flaw(&SOUND.replace(old, new)), expected);
        }
    }

    #[test]
    fn sections_and_resources_must_have_their_form() {
        for (text, expected) in [
            ("Description: x", ": The template has no section `Resources`."),
            ("Resources: {}", "/Resources: The section `Resources` is empty."),
            ("Resources: []", "/Resources: The section `Resources` is not a map."),
            ("Resources: {A: {}}", "/Resources/A: The resource `A` has no Type."),
            ("Resources: {A: x}", "/Resources/A: The resource `A` is not a map."),
            (
                "Resources: {A-B: {Type: x}}",
                "/Resources/A-B: The resource name `A-B` is not alphanumeric.",
            ),
            (
                "Resources: {A: {Type: x}}\nOutput: {}",
                "/Output: CloudFormation knows no section `Output`.",
            ),
            (
                "Resources: {A: {Type: x}}\nOutputs: {O: {}}",
                "/Outputs/O: The output `O` has no Value.",
            ),
            (
                "Resources: {A: {Type: x, Properties: {P: !Ref B}}, B: {Type: x, DependsOn: A}, \
                 C: {Type: x, DependsOn: B}}",
                "/Resources/A: These resources wait for each other: A, B.",
            ),
        ] {
            assert_eq!(flaw(text), expected);
        }
    }

    #[test]
    fn counts_and_bytes_are_limited() {
        let many = |count: usize, entry: &str| {
            (0..count).map(|n| format!("  N{n}: {entry}\n")).collect::<String>()
        };
        let text = format!("Resources:\n{}", many(501, "{Type: x}"));
        let expected = "/Resources: The section `Resources` has 501 entries; 500 is \
                        CloudFormation's limit.";
        assert_eq!(flaw(&text), expected);
        let resource = "Resources: {A: {Type: x}}\n";
        assert_eq!(flaws(&format!("{resource}Parameters:\n{}", many(200, "{Type: String}"))), []);
        for (section, entry) in [
            ("Parameters", "{Type: String}"),
            ("Outputs", "{Value: x}"),
            ("Mappings", "{a: {b: c}}"),
        ] {
            let found = flaw(&format!("{resource}{section}:\n{}", many(201, entry)));
            assert!(found.contains("201 entries; 200"), "{found}");
        }
    }

    #[test]
    fn what_a_macro_may_add_is_not_missed() {
        let text = "Transform: AWS::Serverless-2016-10-31\nGlobals: {}\nResources: \
                    {A: {Type: 'AWS::Serverless::Function', Connectors: {}, \
                    Properties: {R: !GetAtt ARole.Arn}}}";
        assert_eq!(flaws(text), []);
    }
}
