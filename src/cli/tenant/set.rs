//! `driftless tenant set`: single values of a tenant's document, given or removed.

use clap::{ArgGroup, Args, ValueEnum};

use crate::cli::Failure;
use crate::cli::context::Format;
use crate::cli::tenant::desk::Desk;
use crate::cli::tenant::setting::{ServiceSetting, Setting, once};
use crate::fleet::edit::{Document, remove, set, written};
use crate::fleet::{Exception, Tenant, Text};
use crate::ids::{Region, TenantName};
use crate::plan::preview::HIDDEN;
use crate::report::{Edited, FieldChange};
use crate::settings::Settings;

/// Give or remove values of a tenant's document
///
/// Everything else in the file stays as it is written, comments and order too. KEY- removes a key.
/// Nothing is committed, and nothing is written if the fleet would have an error, or if the document
/// says all of it already.
#[derive(Args, Clone, Debug)]
#[command(
    group = ArgGroup::new("what").required(true).multiple(true),
    after_help = "Example: driftless tenant set acme --label ring=broad --service scan-api.MemorySize-"
)]
pub(crate) struct SetArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    name: TenantName,
    /// A label
    #[arg(long = "label", value_name = "KEY=VALUE|KEY-", group = "what")]
    labels: Vec<Setting>,
    /// A value for every service that declares the parameter
    #[arg(long = "parameter", value_name = "KEY=VALUE|KEY-", group = "what")]
    parameters: Vec<Setting>,
    /// A value of a parameter for one service, an exception; for its stack in one region alone as
    /// SERVICE@REGION.KEY=VALUE
    #[arg(long = "service", value_name = "SERVICE.KEY=VALUE|SERVICE.KEY-", group = "what")]
    services: Vec<ServiceSetting>,
    /// In use, or not: a label for cost and reports. `tenant offboard` lets it go
    #[arg(long, value_enum, value_name = "STATE", group = "what")]
    lifecycle: Option<Stage>,
    /// Whether nothing new is started for it
    #[arg(long, value_name = "true|false", group = "what")]
    suspend: Option<bool>,
    /// How the answer is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(super) format: Format,
}

/// Where a tenant that stays is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stage {
    Active,
    Inactive,
}

/// One value of a document.
pub(super) struct Wish {
    /// The keys that lead to it.
    path: Vec<String>,
    before: Option<String>,
    after: Option<String>,
    /// The new value as YAML.
    value: String,
}

impl Wish {
    fn of(path: &[&str], before: Option<String>, setting: &Setting) -> Self {
        let after = setting.value.clone();
        let value = written(after.as_deref().unwrap_or_default());
        let mut path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
        path.push(setting.key.clone());
        Self { path, before, after, value }
    }

    /// A field of `spec` whose value is a word of YAML.
    pub(super) fn word(field: &str, before: &str, after: &str) -> Self {
        let path = vec!["spec".to_owned(), field.to_owned()];
        let (before, after) = (Some(before.to_owned()), Some(after.to_owned()));
        Self { path, before, value: after.clone().unwrap_or_default(), after }
    }
}

/// Writes the document anew where it says something else.
pub(super) fn run(args: &SetArgs, settings: &Settings) -> Result<Edited, Failure> {
    once("--label", args.labels.iter().map(|one| one.key.as_str()))?;
    once("--parameter", args.parameters.iter().map(|one| one.key.as_str()))?;
    let place = |one: &ServiceSetting| {
        Exception::pointer_to(&one.service, one.region.as_ref(), &one.setting.key).join(".")
    };
    let services: Vec<String> = args.services.iter().map(place).collect();
    once("--service", services.iter().map(String::as_str))?;
    let desk = Desk::open(settings)?;
    let tenant = desk.tenant(&args.name)?;
    let mut edited = apply(&desk, &tenant, &wishes(args, &tenant))?;
    if edited.written {
        let next =
            "`driftless --worktree plan` shows what it would do; commit it and open a pull request";
        edited.next.push(next.to_owned());
    }
    Ok(edited)
}

fn wishes(args: &SetArgs, tenant: &Tenant) -> Vec<Wish> {
    let mut wishes = Vec::new();
    for label in &args.labels {
        let before = tenant.labels.get(&label.key).cloned();
        wishes.push(Wish::of(&["metadata", "labels"], before, label));
    }
    for parameter in &args.parameters {
        let before = tenant.parameters.get(&parameter.key).map(ToString::to_string);
        wishes.push(Wish::of(&["spec", "parameters"], before, parameter));
    }
    for ServiceSetting { service, region, setting } in &args.services {
        let given = tenant.services.get(service).into_iter().flat_map(Exception::all_parameters);
        let is_this = |(of, name, _): &(Option<&Region>, &str, &Text)| {
            *of == region.as_ref() && *name == setting.key
        };
        let before = given.into_iter().find(is_this).map(|(_, _, text)| text.to_string());
        let path = Exception::pointer_to(service, region.as_ref(), &setting.key);
        wishes.push(Wish::of(&path[..path.len() - 1], before, setting));
    }
    if let Some(stage) = args.lifecycle {
        let after = match stage {
            Stage::Active => "active",
            Stage::Inactive => "inactive",
        };
        wishes.push(Wish::word("lifecycle", &tenant.lifecycle.to_string(), after));
    }
    if let Some(suspend) = args.suspend {
        wishes.push(Wish::word("suspend", &tenant.suspend.to_string(), &suspend.to_string()));
    }
    wishes
}

/// Fulfils what is not so yet, all of it or nothing.
pub(super) fn apply(desk: &Desk<'_>, tenant: &Tenant, wishes: &[Wish]) -> Result<Edited, Failure> {
    let path = &*tenant.source.path;
    let document = Document { kind: "Tenant", name: tenant.name.as_str() };
    let mut edited = Edited::nothing(tenant.name.clone(), desk.shown(path));
    let mut text = desk.text(path)?;
    for wish in wishes.iter().filter(|wish| wish.before != wish.after) {
        let keys: Vec<&str> = wish.path.iter().map(String::as_str).collect();
        text = match &wish.after {
            Some(_) => set(&text, document, &keys, &wish.value),
            None => remove(&text, document, &keys),
        }
        .map_err(|refusal| desk.refused(path, &refusal))?;
        let veil = |value: &Option<String>| match desk.hides(&wish.path) {
            true => value.as_ref().map(|_| HIDDEN.to_owned()),
            false => value.clone(),
        };
        edited.changes.push(FieldChange {
            field: wish.path.join("."),
            before: veil(&wish.before),
            after: veil(&wish.after),
        });
    }
    if edited.changes.is_empty() {
        return Ok(Edited { stack_count: desk.stacks_now(&tenant.name), ..edited });
    }
    let checked = desk.write(path, &text)?;
    let stack_count = Desk::stack_count(&checked, &tenant.name);
    Ok(Edited { written: true, stack_count, ..edited })
}
