//! What a template asks for, without a stack: ValidateTemplate and GetTemplateSummary.

use std::collections::{BTreeMap, BTreeSet};

use crate::sim::cloudformation::context::Context;
use crate::sim::cloudformation::requested::Requested;
use crate::sim::cloudformation::update::existing;
use crate::sim::inspection::{IN_NEED_OF_CAPABILITY, missing_capability};
use crate::sim::library::Body;
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::wire::Form;
use crate::sim::xml::Xml;
use crate::template::{Parameter, Processed, Template};

pub(crate) fn validate_template(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let requested = Requested::take(&mut form)?;
    form.finish("ValidateTemplate")?;
    let body = requested.template(context, None)?;
    let processed = processed(context, &body)?;
    let template = &body.template;
    let mut xml = Xml::default();
    xml.members("Parameters", template.parameters(), |xml, (name, parameter)| {
        write_parameter(xml, template, (name, parameter));
    });
    write_needs(&mut xml, template, processed.template());
    Ok(xml)
}

pub(crate) fn get_template_summary(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    let name = form.optional("StackName");
    let requested = Requested::take(&mut form)?;
    form.finish("GetTemplateSummary")?;
    let body = match name {
        None => requested.template(context, None)?,
        Some(_) if requested.has_template() => {
            let text = "StackName and a template cannot be specified together.";
            return Err(Refusal::validation(text));
        }
        Some(name) => context.library.find(&existing(context, &name)?.definition.template)?,
    };
    let processed = processed(context, &body)?;
    let (template, value) = (&body.template, body.template.value());
    let mut xml = Xml::default();
    xml.members("Parameters", template.parameters(), |xml, (name, parameter)| {
        write_parameter(xml, template, (name, parameter));
        xml.text("ParameterType", &parameter.kind);
        xml.element("ParameterConstraints", |xml| {
            if !parameter.allowed_values.is_empty() {
                xml.texts("AllowedValues", &parameter.allowed_values);
            }
        });
    });
    write_needs(&mut xml, template, processed.template());
    xml.texts("ResourceTypes", types(template));
    xml.optional("Version", value["AWSTemplateFormatVersion"].as_str());
    if let Some(metadata) = value.get("Metadata") {
        xml.text("Metadata", &metadata.to_string());
    }
    Ok(xml)
}

fn write_parameter(xml: &mut Xml, template: &Template, (name, parameter): (&str, &Parameter)) {
    xml.text("ParameterKey", name);
    xml.optional("DefaultValue", parameter.default.as_deref());
    xml.boolean("NoEcho", parameter.no_echo);
    let description = template.value()["Parameters"][name]["Description"].as_str();
    xml.optional("Description", description);
}

/// What macros make of a template whose parameters have their defaults.
fn processed<'b>(context: &Context<'_>, body: &'b Body) -> Answer<Processed<'b>> {
    let defaults = BTreeMap::new();
    body.inspect(&defaults, &context.settings.opaque_types)?;
    Ok(body.processed(&defaults))
}

fn write_needs(xml: &mut Xml, template: &Template, processed: &Template) {
    xml.optional("Description", template.description());
    let macros = template.transforms();
    if !macros.is_empty() {
        xml.texts("DeclaredTransforms", macros);
    }
    let expands = (!macros.is_empty()).then_some("CAPABILITY_AUTO_EXPAND");
    let capability = missing_capability(processed.value(), &[]);
    if capability.is_some() || expands.is_some() {
        xml.texts("Capabilities", capability.into_iter().chain(expands));
    }
    if capability.is_some() {
        let needy =
            types(processed).into_iter().filter(|kind| IN_NEED_OF_CAPABILITY.contains(kind));
        let needy: Vec<&str> = needy.collect();
        let text =
            format!("The following resource(s) require capabilities: [{}]", needy.join(", "));
        xml.text("CapabilitiesReason", &text);
    }
}

fn types(template: &Template) -> BTreeSet<&str> {
    template.resources().values().map(|resource| resource.kind.as_str()).collect()
}
