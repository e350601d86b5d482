//! `driftless tenant offboard`: asks for a tenant's stacks to be deleted, by the pull request's merge.

use clap::Args;

use crate::cli::Failure;
use crate::cli::context::Format;
use crate::cli::tenant::desk::Desk;
use crate::cli::tenant::set::{Wish, apply};
use crate::ids::TenantName;
use crate::report::{Edited, counted};
use crate::settings::Settings;

/// Ask for a tenant to go: lifecycle: offboarded
///
/// Merged, its stacks are deleted, within the limits of the Fleet document. Nothing is committed, and
/// nothing is written if the fleet would have an error.
#[derive(Args, Clone, Debug)]
pub(crate) struct OffboardArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    name: TenantName,
    /// How the answer is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(super) format: Format,
}

/// Writes it, and says what follows.
pub(super) fn run(args: &OffboardArgs, settings: &Settings) -> Result<Edited, Failure> {
    let desk = Desk::open(settings)?;
    let tenant = desk.tenant(&args.name)?;
    let lifecycle = tenant.lifecycle.to_string();
    let mut edited = apply(&desk, &tenant, &[Wish::word("lifecycle", &lifecycle, "offboarded")])?;
    let deletes = desk.documents.fleet.limits.deletes;
    let per_day = format!(
        "{}, {} or {} percent of the fleet's stacks a day",
        counted(deletes.tenants as usize, "tenant"),
        counted(deletes.stacks as usize, "stack"),
        deletes.percent,
    );
    if edited.written {
        let next = format!(
            "commit it and open a pull request; merged, its {} are deleted, and what is more than \
             {per_day} waits for an approval",
            counted(edited.stack_count, "stack"),
        );
        edited.next.push(next);
    }
    let what = match desk.is_alone(&tenant.source.path) {
        true => edited.path.clone(),
        false => format!("its document from {}", edited.path),
    };
    edited.next.push(format!(
        "remove {what} when `driftless status --tenant {}` shows no stack any more",
        edited.tenant,
    ));
    Ok(edited)
}
