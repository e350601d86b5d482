//! `driftless tenant add`: a new document beside those of the other tenants.

use clap::Args;

use crate::cli::Failure;
use crate::cli::context::Format;
use crate::cli::tenant::desk::Desk;
use crate::cli::tenant::setting::{Given, once};
use crate::fleet::edit::{quoted, written};
use crate::ids::{AccountId, Region, TenantName};
use crate::report::{Edited, FieldChange, counted};
use crate::settings::Settings;

/// Write a document for a new tenant
///
/// It lies beside those of the other tenants, in the files as they lie (the folder of --fleet). Nothing
/// is committed, and nothing is written if the fleet would have an error.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Example: driftless tenant add newco --account 210000000099 --region eu-central-1 \
                  --label ring=broad"
)]
pub(crate) struct AddArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    name: TenantName,
    /// The twelve digits of the account that it owns
    #[arg(long, value_name = "ID")]
    account: AccountId,
    /// Where its stacks are; the first one given is its home region
    #[arg(long = "region", value_name = "REGION", required = true)]
    regions: Vec<Region>,
    /// A label that selectors see
    #[arg(long = "label", value_name = "KEY=VALUE")]
    labels: Vec<Given>,
    /// A value for every service that declares the parameter
    #[arg(long = "parameter", value_name = "KEY=VALUE")]
    parameters: Vec<Given>,
    /// How the answer is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(super) format: Format,
}

/// Writes the document; a name or an account that another tenant has is refused.
pub(super) fn run(args: &AddArgs, settings: &Settings) -> Result<Edited, Failure> {
    once("--label", args.labels.iter().map(|label| label.key.as_str()))?;
    once("--parameter", args.parameters.iter().map(|parameter| parameter.key.as_str()))?;
    once("--region", args.regions.iter().map(Region::as_str))?;
    let desk = Desk::open(settings)?;
    refuse_known(args, &desk)?;
    refuse_regions(args, &desk)?;
    let folder = desk.tenants_folder();
    let path = if folder.is_empty() {
        format!("{}.yaml", args.name)
    } else {
        format!("{folder}/{}.yaml", args.name)
    };
    if desk.has(&path) {
        let what = format!("there is a file `{}` already", desk.shown(&path));
        return Err(Failure::new(what, "rename it, or choose another name"));
    }
    let text = document(args, desk.tenant_schema_line(&folder).as_deref());
    let checked = desk.write(&path, &text)?;
    let stack_count = Desk::stack_count(&checked, &args.name);
    let next = format!(
        "commit it and open a pull request; merged, {} begin in {}",
        counted(stack_count, "stack"),
        args.account,
    );
    Ok(Edited {
        written: true,
        changes: changes(args),
        stack_count,
        next: vec!["`driftless --worktree plan` shows what it would do".to_owned(), next],
        ..Edited::nothing(args.name.clone(), desk.shown(&path))
    })
}

fn refuse_known(args: &AddArgs, desk: &Desk<'_>) -> Result<(), Failure> {
    let tenants = &desk.documents.tenants;
    if let Some(known) = tenants.get(&args.name) {
        let path = desk.shown(&known.source.path);
        let (line, _) = known.source.position(&["metadata", "name"]);
        return Err(Failure::new(
            format!("there is a tenant `{}` already, in {path}:{line}", args.name),
            format!("choose another name, or change it with `driftless tenant set {}`", args.name),
        ));
    }
    if let Some(owner) = tenants.values().find(|tenant| tenant.account == args.account) {
        let path = desk.shown(&owner.source.path);
        let (line, _) = owner.source.position(&["spec", "account"]);
        return Err(Failure::new(
            format!(
                "account {} belongs to tenant `{}`, in {path}:{line}",
                args.account, owner.name
            ),
            "give the new tenant an account of its own",
        ));
    }
    Ok(())
}

fn refuse_regions(args: &AddArgs, desk: &Desk<'_>) -> Result<(), Failure> {
    let regions = &desk.documents.fleet.regions;
    let usable = regions.iter().filter(|(_, retired)| !**retired);
    let usable: Vec<&str> = usable.map(|(region, _)| region.as_str()).collect();
    let help = format!("use one of the Fleet document's, or add it there: {}", usable.join(", "));
    for region in &args.regions {
        match regions.get(region) {
            Some(false) => {}
            Some(true) => {
                return Err(Failure::new(format!("the region `{region}` is retired"), help));
            }
            None => return Err(Failure::new(format!("the fleet has no region `{region}`"), help)),
        }
    }
    Ok(())
}

/// The document as it is written.
fn document(args: &AddArgs, schema_line: Option<&str>) -> String {
    let mut lines: Vec<String> = schema_line.map(str::to_owned).into_iter().collect();
    lines.push("apiVersion: driftless.dev/v1".to_owned());
    lines.push("kind: Tenant".to_owned());
    lines.push("metadata:".to_owned());
    lines.push(format!("  name: {}", written(args.name.as_str())));
    let entry = |one: &Given| format!("{}: {}", written(&one.key), written(&one.value));
    if !args.labels.is_empty() {
        let labels: Vec<String> = args.labels.iter().map(entry).collect();
        lines.push(format!("  labels: {{ {} }}", labels.join(", ")));
    }
    lines.push("spec:".to_owned());
    lines.push(format!("  account: {}", quoted(&args.account.to_string())));
    lines.push(format!("  regions: [{}]", regions(args)));
    if !args.parameters.is_empty() {
        lines.push("  parameters:".to_owned());
        lines.extend(args.parameters.iter().map(|one| format!("    {}", entry(one))));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn regions(args: &AddArgs) -> String {
    args.regions.iter().map(Region::as_str).collect::<Vec<_>>().join(", ")
}

fn changes(args: &AddArgs) -> Vec<FieldChange> {
    let made = |field: String, after: &str| FieldChange {
        field,
        before: None,
        after: Some(after.to_owned()),
    };
    let labels =
        args.labels.iter().map(|one| made(format!("metadata.labels.{}", one.key), &one.value));
    let parameters =
        args.parameters.iter().map(|one| made(format!("spec.parameters.{}", one.key), &one.value));
    let mut changes = vec![made("metadata.name".to_owned(), args.name.as_str())];
    changes.extend(labels);
    changes.push(made("spec.account".to_owned(), &args.account.to_string()));
    changes.push(made("spec.regions".to_owned(), &regions(args)));
    changes.extend(parameters);
    changes
}
