//! `driftless render`: the wanted stacks as they would be given to CloudFormation.

use std::collections::BTreeMap;
use std::io::Write;

use clap::{Args, ValueEnum};

use crate::cli::Failure;
use crate::cli::context::Ending;
use crate::cli::opening::open;
use crate::clock::Clock;
use crate::desired::{Desired, Wanted};
use crate::fleet::Deployment;
use crate::ids::{ServiceName, TenantName};
use crate::plan::{Missing, Rendered, render};
use crate::report::output::{self, FORMAT_VERSION, RenderedStack, RenderedStacks};
use crate::settings::Settings;

#[derive(Args, Clone, Debug)]
pub(super) struct RenderArgs {
    /// Only this tenant's stacks
    #[arg(long, value_name = "NAME")]
    tenant: Option<TenantName>,
    /// Only this service's stacks
    #[arg(long, value_name = "NAME")]
    service: Option<ServiceName>,
    /// How the stacks are written
    #[arg(long, value_enum, default_value_t)]
    format: RenderFormat,
}

/// How stacks are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum RenderFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON document with a version.
    Json,
    /// A YAML document for each stack.
    Yaml,
}

/// Writes the stacks that the filters leave. A value that another stack gives stands as its
/// variable, since only AWS knows it.
pub(super) fn run(
    args: &RenderArgs,
    settings: &Settings,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    let opened = open(settings, clock)?;
    let desired = opened.wanted(settings)?;
    known_names(args, desired)?;
    let of = |wanted: &&Wanted| {
        args.tenant.as_ref().is_none_or(|name| *name == wanted.tenant.name)
            && args.service.as_ref().is_none_or(|name| *name == wanted.service.name)
    };
    let wanted: Vec<&Wanted> = desired.all_wanted().filter(of).collect();
    let mut stacks = Vec::new();
    for wanted in wanted {
        let rendered = render(&desired.fleet, wanted, &variable).map_err(without_value)?;
        stacks.push((wanted, rendered));
    }
    match args.format {
        RenderFormat::Text => {
            stacks.iter().try_for_each(|(wanted, it)| write_text(wanted, it, out))?
        }
        RenderFormat::Json => {
            let all = RenderedStacks {
                version: FORMAT_VERSION,
                revision: desired.revision.as_str().to_owned(),
                stacks: stacks.iter().map(|(wanted, it)| output_of(wanted, it)).collect(),
            };
            out.write_all(output::text(&all).as_bytes())?;
        }
        RenderFormat::Yaml => {
            for (wanted, it) in &stacks {
                let value = output::value(&output_of(wanted, it));
                let text = serde_yaml::to_string(&value).map_err(std::io::Error::other)?;
                write!(out, "---\n{text}")?;
            }
        }
    }
    Ok(Ending::Good)
}

/// An output as the document names it.
#[allow(clippy::unnecessary_wraps, reason = "the shape that `render` asks for")]
fn variable(service: &ServiceName, output: &str) -> Option<String> {
    Some(format!("${{services.{service}.outputs.{output}}}"))
}

fn without_value(missing: Missing) -> Failure {
    Failure::new(missing.to_string(), "`driftless validate` shows where")
}

fn known_names(args: &RenderArgs, desired: &Desired) -> Result<(), Failure> {
    if let Some(name) = args.tenant.as_ref().filter(|name| !desired.tenants.contains_key(*name)) {
        return Err(unknown("tenant", name, desired.tenants.keys()));
    }
    match args.service.as_ref().filter(|name| !desired.services.contains_key(*name)) {
        Some(name) => Err(unknown("service", name, desired.services.keys())),
        None => Ok(()),
    }
}

/// A name that the fleet does not have, with some that it has.
pub(super) fn unknown<'a>(
    kind: &str,
    name: &TenantName,
    known: impl Iterator<Item = &'a TenantName>,
) -> Failure {
    /// More names than these are not read.
    const SHOWN: usize = 12;
    let mut names: Vec<&str> = known.map(TenantName::as_str).collect();
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    names.truncate(SHOWN);
    let help = format!("it has {}{more}", names.join(", "));
    Failure::new(format!("the fleet has no {kind} `{name}`"), help)
}

fn write_text(wanted: &Wanted, rendered: &Rendered, out: &mut dyn Write) -> Result<(), Failure> {
    let Wanted { key, tenant, service, .. } = wanted;
    let going = if wanted.asked_to_go { "  asked to go: it is deleted" } else { "" };
    writeln!(out, "{} {} {key}{going}", tenant.name, service.name)?;
    writeln!(out, "  template {}", service.template_path)?;
    for waits in waits_for(wanted) {
        writeln!(out, "  after {waits}")?;
    }
    if !rendered.capabilities.is_empty() {
        writeln!(out, "  capabilities {}", rendered.capabilities.join(", "))?;
    }
    if rendered.termination_protection {
        writeln!(out, "  termination protection on")?;
    }
    if rendered.stack_policy.is_some() {
        writeln!(out, "  with a stack policy")?;
    }
    if rendered.deployment == Deployment::Express {
        writeln!(out, "  express deployment")?;
    }
    write_pairs("parameters", &parameters(rendered), out)?;
    write_pairs("tags", &rendered.tags, out)?;
    writeln!(out)?;
    Ok(())
}

fn write_pairs(
    title: &str,
    pairs: &BTreeMap<String, String>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if !pairs.is_empty() {
        writeln!(out, "  {title}")?;
    }
    for (name, value) in pairs {
        let waits =
            if value.contains("${services.") { "  (known once that stack stands)" } else { "" };
        writeln!(out, "    {name}: {value}{waits}")?;
    }
    Ok(())
}

fn waits_for(wanted: &Wanted) -> Vec<String> {
    let home = wanted.depends_on_home.iter().map(|name| format!("{name} (home)"));
    wanted.depends_on.iter().map(ServiceName::to_string).chain(home).collect()
}

/// The parameters; a value that the template calls secret is not shown.
fn parameters(rendered: &Rendered) -> BTreeMap<String, String> {
    let declared = rendered.template.parameters();
    let shown = |(name, value): (&String, &String)| {
        let secret = declared.get(name).is_some_and(|parameter| parameter.no_echo);
        (name.clone(), if secret { "****".to_owned() } else { value.clone() })
    };
    rendered.parameters.iter().map(shown).collect()
}

fn output_of(wanted: &Wanted, rendered: &Rendered) -> RenderedStack {
    let Wanted { key, tenant, service, .. } = wanted;
    RenderedStack {
        tenant: tenant.name.to_string(),
        service: service.name.to_string(),
        account: key.target.account.to_string(),
        region: key.target.region.to_string(),
        stack: key.name.to_string(),
        asked_to_go: wanted.asked_to_go,
        suspended_by: wanted.suspended.clone(),
        template: service.template_path.clone(),
        depends_on: waits_for(wanted),
        parameters: parameters(rendered),
        tags: rendered.tags.clone(),
        capabilities: rendered.capabilities.clone(),
        termination_protection: rendered.termination_protection,
        stack_policy: rendered.stack_policy.as_ref().map(|policy| policy.body.clone()),
        deployment: rendered.deployment,
    }
}
