//! What a request asks a stack to be: template, parameters, tags and capabilities, checked as AWS does.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sim::cloudformation::context::Context;
use crate::sim::inspection::missing_capability;
use crate::sim::library::Body;
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::state::{Definition, ParameterValue};
use crate::sim::wire::Form;
use crate::template::{Parameter, Template};

/// CloudFormation's limit for a template inside a request.
const MAX_INLINE_BYTES: usize = 51_200;
/// CloudFormation's limit for tags of a stack.
const MAX_TAGS: usize = 50;
/// CloudFormation's limits for the key and the value of a tag, in characters.
const MAX_TAG_KEY: usize = 128;
const MAX_TAG_VALUE: usize = 256;
/// The capabilities that there are.
const CAPABILITIES: &[&str] = &["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"];

/// The fields of a request that define a stack, as they came.
pub(crate) struct Requested {
    body: Option<String>,
    url: Option<String>,
    use_previous: bool,
    parameters: Vec<BTreeMap<String, String>>,
    tags: Option<Vec<BTreeMap<String, String>>>,
    capabilities: Vec<String>,
    shown_first: bool,
}

fn insufficient(capability: &str) -> Refusal {
    let text = format!("Requires capabilities : [{capability}]");
    Refusal::new("InsufficientCapabilitiesException", text)
}

impl Requested {
    /// Takes the fields out of a form.
    pub(crate) fn take(form: &mut Form) -> Answer<Self> {
        let capabilities = form.list("Capabilities").unwrap_or_default();
        if let Some(word) = capabilities.iter().find(|word| !CAPABILITIES.contains(&word.as_str()))
        {
            let rule = format!("Member must satisfy enum value set: [{}]", CAPABILITIES.join(", "));
            return Err(Refusal::constraint(word, "capabilities", &rule));
        }
        Ok(Self {
            body: form.optional("TemplateBody"),
            url: form.optional("TemplateURL"),
            use_previous: form.boolean("UsePreviousTemplate")?.unwrap_or(false),
            parameters: form.structures("Parameters").unwrap_or_default(),
            tags: form.structures("Tags"),
            capabilities,
            shown_first: false,
        })
    }

    /// What a template asks of a nested stack.
    pub(crate) fn of(
        url: &str,
        parameters: Vec<BTreeMap<String, String>>,
        tags: &BTreeMap<String, String>,
        capabilities: Vec<String>,
    ) -> Self {
        let field = |name: &str, value: &String| (name.to_owned(), value.clone());
        let tags =
            tags.iter().map(|(key, value)| [field("Key", key), field("Value", value)].into());
        Self {
            body: None,
            url: Some(url.to_owned()),
            use_previous: false,
            parameters,
            tags: Some(tags.collect()),
            capabilities,
            shown_first: false,
        }
    }

    /// The definition that they make, over the one that the stack has.
    pub(crate) fn definition(
        self,
        context: &Context<'_>,
        previous: Option<&Definition>,
    ) -> Answer<(Definition, Arc<Body>)> {
        let body = self.template(context, previous)?;
        let template = &body.template;
        let opaque = &context.settings.opaque_types;
        let macros = !template.transforms().is_empty();
        if !macros {
            body.inspect(&BTreeMap::new(), opaque)?;
        }
        let parameters = parameters(context, template, &self.parameters, previous)?;
        if macros {
            body.inspect(&parameters, opaque)?;
            self.may_expand()?;
        }
        let tags = match self.tags {
            Some(tags) => checked_tags(tags)?,
            None => previous.map(|previous| previous.tags.clone()).unwrap_or_default(),
        };
        let processed = body.processed(&parameters);
        let needed = missing_capability(processed.template().value(), &self.capabilities);
        if let Some(capability) = needed {
            return Err(insufficient(capability));
        }
        let definition = Definition {
            template: body.key.clone(),
            description: template.description().map(crate::template::mangle),
            parameters,
            tags,
            capabilities: self.capabilities,
        };
        Ok((definition, body))
    }

    /// The same in a change set, which shows what macros make before anybody says yes to it: AWS wants
    /// no capability for them there.
    pub(crate) fn shown_first(mut self) -> Self {
        self.shown_first = true;
        self
    }

    fn may_expand(&self) -> Answer<()> {
        let capability = "CAPABILITY_AUTO_EXPAND";
        let given = self.capabilities.iter().any(|one| one == capability);
        if given || self.shown_first { Ok(()) } else { Err(insufficient(capability)) }
    }

    /// Whether a template came along.
    pub(crate) fn has_template(&self) -> bool {
        self.body.is_some() || self.url.is_some()
    }

    /// The template that is meant.
    pub(crate) fn template(
        &self,
        context: &Context<'_>,
        previous: Option<&Definition>,
    ) -> Answer<Arc<Body>> {
        let twice = |what| Err(Refusal::validation(format!("You cannot specify both {what}.")));
        match (&self.body, &self.url, previous) {
            (Some(_), _, _) | (_, Some(_), _) if self.use_previous => {
                twice("usePreviousTemplate and Template Body/Template URL")
            }
            (Some(_), Some(_), _) => twice("Template Body and Template URL"),
            (Some(text), None, _) if text.len() > MAX_INLINE_BYTES => {
                let rule =
                    format!("Member must have length less than or equal to {MAX_INLINE_BYTES}");
                Err(Refusal::validation(format!(
                    "1 validation error detected: Value at 'templateBody' failed to satisfy \
                     constraint: {rule}"
                )))
            }
            (Some(text), None, _) => context.library.add(text),
            (None, Some(url), _) => context.library.add(&context.buckets.template(url)?),
            (None, None, Some(previous)) if self.use_previous => {
                context.library.find(&previous.template)
            }
            (None, None, _) => {
                Err(Refusal::validation("Either Template URL or Template Body must be specified."))
            }
        }
    }
}

fn parameters(
    context: &Context<'_>,
    template: &Template,
    given: &[BTreeMap<String, String>],
    previous: Option<&Definition>,
) -> Answer<BTreeMap<String, ParameterValue>> {
    let declared = template.parameters();
    let given = given_values(given, previous)?;
    let names = |names: Vec<&str>| names.join(", ");
    let undeclared: Vec<&str> =
        given.keys().filter(|name| !declared.contains_key(**name)).copied().collect();
    if !undeclared.is_empty() {
        let names = names(undeclared);
        return Err(Refusal::validation(format!(
            "Parameters: [{names}] do not exist in the template"
        )));
    }
    let missing: Vec<&str> = declared
        .iter()
        .filter(|(name, parameter)| {
            !given.contains_key(name.as_str()) && parameter.default.is_none()
        })
        .map(|(name, _)| name.as_str())
        .collect();
    if !missing.is_empty() {
        let names = names(missing);
        return Err(Refusal::validation(format!("Parameters: [{names}] must have values")));
    }
    let mut values = BTreeMap::new();
    for (name, parameter) in declared {
        let value = given.get(name.as_str()).cloned().or_else(|| parameter.default.clone());
        let value = value.unwrap_or_default();
        parameter.check(&value).map_err(|broken| {
            Refusal::validation(format!("Parameter '{name}' {}", rule_of(parameter, &broken)))
        })?;
        let resolved = resolve(context, parameter, &value)?;
        let value = ParameterValue { value, resolved, no_echo: parameter.no_echo };
        values.insert(name.clone(), value);
    }
    Ok(values)
}

/// What a value that breaks a constraint must be, in AWS's words.
fn rule_of(parameter: &Parameter, broken: &str) -> String {
    if let Some(description) = &parameter.constraint_description {
        return format!("failed to satisfy constraint: {description}");
    }
    let text = |value: Option<String>| value.unwrap_or_default();
    let length = |length: Option<u64>| text(length.map(|length| length.to_string()));
    let number = |number: Option<f64>| text(number.map(|number| number.to_string()));
    let rules = [
        ("is not a number", "must be a number".to_owned()),
        ("AllowedValues", "must be one of AllowedValues".to_owned()),
        (
            "AllowedPattern",
            format!("must match pattern {}", text(parameter.allowed_pattern.clone())),
        ),
        ("MinLength", format!("must contain at least {} characters", length(parameter.min_length))),
        ("MaxLength", format!("must contain at most {} characters", length(parameter.max_length))),
        ("MinValue", format!("must be a number not less than {}", number(parameter.min_value))),
        ("MaxValue", format!("must be a number not greater than {}", number(parameter.max_value))),
    ];
    let rule = rules.into_iter().find(|(mark, _)| broken.contains(mark));
    rule.map_or_else(|| format!("failed to satisfy constraint: {broken}"), |(_, rule)| rule)
}

fn given_values<'a>(
    given: &'a [BTreeMap<String, String>],
    previous: Option<&Definition>,
) -> Answer<BTreeMap<&'a str, String>> {
    let mut values = BTreeMap::new();
    for fields in given {
        let known = ["ParameterKey", "ParameterValue", "UsePreviousValue"];
        if let Some(field) = fields.keys().find(|field| !known.contains(&field.as_str())) {
            return Err(Refusal::not_simulated(format!("the field `{field}` of a parameter")));
        }
        let Some(name) = fields.get("ParameterKey") else {
            return Err(Refusal::validation("Parameter keys must not be empty"));
        };
        let keep = fields.get("UsePreviousValue").is_some_and(|flag| flag == "true");
        let value = match (fields.get("ParameterValue"), keep) {
            (Some(_), true) => Err(Refusal::validation(format!(
                "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true \
                 and non empty value for a parameter"
            ))),
            (Some(value), false) => Ok(value.clone()),
            (None, true) => {
                let old = previous.and_then(|previous| previous.parameters.get(name));
                old.map(|old| old.value.clone()).ok_or_else(|| {
                    Refusal::validation(format!(
                        "Invalid input for parameter key {name}. Cannot specify usePreviousValue \
                         as true for a parameter key not in the previous template"
                    ))
                })
            }
            (None, false) => Err(Refusal::validation(format!(
                "Parameter value for parameter name {name} does not exist"
            ))),
        }?;
        if values.insert(name.as_str(), value).is_some() {
            return Err(Refusal::validation(format!("Duplicate parameter key: {name}")));
        }
    }
    Ok(values)
}

/// What an SSM parameter holds: AWS's own public ones hold something, others must be in a stack.
fn resolve(context: &Context<'_>, parameter: &Parameter, name: &str) -> Answer<Option<String>> {
    if !parameter.is_ssm() {
        return Ok(None);
    }
    if name.starts_with("/aws/service/") {
        return Ok(Some(format!("value-of{}", name.replace('/', "-"))));
    }
    let value = context.ssm_parameters().find(|(known, _)| known == name);
    let value = value.map(|(_, held)| held.value);
    value.map(Some).ok_or_else(|| {
        Refusal::validation(format!(
            "Unable to fetch parameters [{name}] from parameter store for this account."
        ))
    })
}

fn checked_tags(given: Vec<BTreeMap<String, String>>) -> Answer<BTreeMap<String, String>> {
    if given.len() > MAX_TAGS {
        return Err(Refusal::validation(format!(
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member \
             must have length less than or equal to {MAX_TAGS}"
        )));
    }
    let mut tags = BTreeMap::new();
    for mut fields in given {
        let (Some(key), Some(value)) = (fields.remove("Key"), fields.remove("Value")) else {
            return Err(Refusal::validation("Every tag must have a Key and a Value"));
        };
        if let Some(field) = fields.into_keys().next() {
            return Err(Refusal::not_simulated(format!("the field `{field}` of a tag")));
        }
        let length = |text: &str| text.chars().count();
        if key.is_empty() || length(&key) > MAX_TAG_KEY || length(&value) > MAX_TAG_VALUE {
            let rule = format!(
                "Member must have length less than or equal to {MAX_TAG_KEY} (keys) or \
                 {MAX_TAG_VALUE} (values), and keys at least 1"
            );
            return Err(Refusal::constraint(&key, "tags", &rule));
        }
        if key.to_lowercase().starts_with("aws:") {
            let text = "aws: prefixed tag key names are not allowed for external use.";
            return Err(Refusal::validation(text));
        }
        if tags.insert(key.clone(), value).is_some() {
            return Err(Refusal::validation(format!("Duplicate tag keys found: {key}")));
        }
    }
    Ok(tags)
}
