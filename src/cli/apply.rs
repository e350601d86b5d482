//! `driftless apply`: converges once, shows how it goes, and exits.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, Write};
use std::path::PathBuf;

use clap::Args;
use tracing::warn;

use crate::cli::context::{Context, Ending, Format};
use crate::cli::converge::Acting;
use crate::cli::opening::{Opened, opened};
use crate::cli::render::unknown;
use crate::cli::{Failure, plan_file};
use crate::clock::Clock;
use crate::controller::Until;
use crate::desired::{Desired, Wanted};
use crate::ids::{ServiceName, TenantName};
use crate::reconcile::Only;
use crate::report::counted;
use crate::report::output::{self, Applied, FORMAT_VERSION};
use crate::settings::Settings;

/// What to do where nobody can be asked.
const HELP: &str = "look at `driftless plan`, then use `driftless apply --yes`";

#[derive(Args, Clone, Debug)]
pub(super) struct ApplyArgs {
    /// Only this tenant's account; may be given several times
    #[arg(long, value_name = "NAME")]
    tenant: Vec<TenantName>,
    /// Only stacks of this service are changed; may be given several times
    #[arg(long, value_name = "NAME")]
    service: Vec<ServiceName>,
    /// Touch resources only as this plan says, as `driftless plan --from REV --format json` wrote it;
    /// this approves it
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// How the end is told
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Ends well when all is as git says; some stacks that failed, are held or cannot be seen ask for
/// attention.
pub(super) fn run(
    args: &ApplyArgs,
    settings: &Settings,
    clock: &Clock,
    context: &Context,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    let source = settings.source()?;
    let opened = opened(source.fetch_and_read(clock)?);
    let desired = opened.wanted(settings)?;
    let only = Only {
        tenants: args.tenant.iter().cloned().collect(),
        services: args.service.iter().cloned().collect(),
        planned: args.plan.is_some(),
    };
    if let Some(name) = only.tenants.iter().find(|name| !desired.tenants.contains_key(*name)) {
        return Err(unknown("tenant", name, desired.tenants.keys()));
    }
    if let Some(name) = only.services.iter().find(|name| !desired.services.contains_key(*name)) {
        return Err(unknown("service", name, desired.services.keys()));
    }
    let plan = args.plan.as_deref().map(plan_file::read).transpose()?;
    if let Some((plan, of)) = &plan {
        plan_file::see_that_it_fits(plan, of, desired)?;
    }
    if !args.yes && !is_confirmed(&summary(&opened, desired, &only), HELP, settings)? {
        return Err(Failure::new("nothing was done", "answer y to go on, or use --yes"));
    }
    // The branch may move while a person thinks about the question, and this is what they said yes to.
    let source = source.staying_at(&opened.snapshot.revision);
    let acting = Acting::begin(settings, clock)?;
    if let Some((plan, of)) = &plan {
        plan_file::approve(plan, of, acting.journal(), context, "")?;
    }
    let ended = acting.converge(Until::AtRest { only }, source, settings, clock)?;
    if ended.told_to {
        let help = "start it again: it goes on where it was";
        return Err(Failure::new("stopped before the fleet was converged", help));
    }
    let standing = ended.standing;
    let total = standing.total();
    let troubled = total.stuck > 0 || total.waiting > 0 || standing.blind > 0;
    if args.format == Format::Json {
        let applied = Applied {
            version: FORMAT_VERSION,
            revision: desired.revision.as_str().to_owned(),
            converged: !troubled,
            settled: total.settled,
            left_alone: total.left_alone,
            waiting: total.waiting,
            stuck: total.stuck,
            blind_targets: standing.blind,
        };
        out.write_all(output::text(&applied).as_bytes())?;
    }
    if !troubled {
        return Ok(Ending::Good);
    }
    let counts = [
        (total.stuck, format!("{} stuck", total.stuck)),
        (total.waiting, format!("{} waiting", total.waiting)),
        (standing.blind, format!("{} out of sight", counted(standing.blind, "target"))),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(_, words)| words).collect();
    warn!("not all is converged: {}; `driftless status` says why", counts.join(", "));
    Ok(Ending::NeedsAttention)
}

/// What would be brought to what, in one line.
fn summary(opened: &Opened, desired: &Desired, only: &Only) -> String {
    let in_scope = |wanted: &&Wanted| {
        let (tenant, service) = (&wanted.tenant.name, &wanted.service.name);
        (only.tenants.is_empty() || only.tenants.contains(tenant))
            && (only.services.is_empty() || only.services.contains(service))
    };
    let wanted: Vec<&Wanted> = desired.all_wanted().filter(in_scope).collect();
    let going = wanted.iter().filter(|wanted| wanted.asked_to_go).count();
    let tenants: BTreeSet<&TenantName> = wanted.iter().map(|wanted| &wanted.tenant.name).collect();
    let going = match going {
        0 => String::new(),
        count => format!(" ({count} of them asked to go)"),
    };
    format!(
        "{} of {}{going} in the cloud `{}` will be brought to {}",
        counted(wanted.len(), "stack"),
        counted(tenants.len(), "tenant"),
        desired.fleet.cloud,
        opened.name(),
    )
}

/// Asks the person at the terminal; without one, nobody can say yes, and `help` says what to do.
pub(super) fn is_confirmed(
    summary: &str,
    help: &str,
    settings: &Settings,
) -> Result<bool, Failure> {
    if !settings.terminal.can_ask {
        return Err(Failure::new(format!("{summary}, and nobody is here to be asked"), help));
    }
    let mut err = io::stderr();
    write!(err, "{summary}. Go on? [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
