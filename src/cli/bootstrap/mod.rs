//! `driftless bootstrap`: makes the execution role in accounts that lack it, through a role that every
//! account has already. Nothing else in this program uses that role.

mod making;
mod survey;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::apply::is_confirmed;
use crate::cli::context::{Ending, Format};
use crate::cli::converge::{runtime, stop_signals};
use crate::cli::opening::{cloud, open};
use crate::cli::render::unknown;
use crate::cli::{Failure, log};
use crate::clock::Clock;
use crate::desired::Desired;
use crate::fleet::{Cloud, Lifecycle};
use crate::ids::TenantName;
use crate::report::bootstrap::{Preparation, Tense};
use crate::report::counted;
use crate::report::output::{self, Bootstrapped};
use crate::settings::Settings;

pub use survey::{CannotPrepare, Preparing, Survey};

/// Becomes part of the name of sessions, which CloudTrail shows.
const SESSION: &str = "bootstrap";

/// Make the execution role in accounts that lack it
///
/// Looks into the account of every tenant that is not offboarded, says what it would do and asks. The
/// role is a CloudFormation stack, made through the role of `access.bootstrap` in the Fleet document.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Exit codes: 0 the role can be assumed in every account; 3 in some it cannot; 1 an error"
)]
pub(super) struct BootstrapArgs {
    /// Only this tenant's account; may be given several times
    #[arg(long, value_name = "NAME")]
    tenant: Vec<TenantName>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// How the end is told
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Ends well when the role can be assumed in every account that is meant.
pub(super) fn run(
    args: &BootstrapArgs,
    settings: &Settings,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    let opened = open(settings, clock)?;
    let desired = Arc::new(opened.wanted(settings)?.clone());
    let meant = meant(args, &desired)?;
    log::start(settings, clock);
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        let aws = cloud(&desired.fleet, settings, clock, SESSION).await?;
        let look_every = match desired.fleet.cloud {
            Cloud::Simulated => settings.look_every_simulated(),
            Cloud::Aws => settings.look_every_aws(),
        };
        let preparing = Preparing::of(Arc::clone(&desired), aws, clock.clone(), look_every).await?;
        let (told, at_once) = stop_signals()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&stopped);
        tokio::spawn(async move {
            told.await;
            noted.store(true, Ordering::SeqCst);
        });
        tokio::select! {
            biased;
            done = prepare(args, settings, &preparing, &meant, &stopped) => done,
            () = at_once => Err(Failure::new(
                "stopped at once, without waiting for stacks that are being made",
                "run it again: it looks what became of them",
            )),
        }
    });
    // A second signal means now: what is still blocked in a thread is not waited for.
    runtime.shutdown_background();
    let done = done?;
    match args.format {
        Format::Text => out.write_all(done.text(Tense::Done).as_bytes())?,
        Format::Json => out.write_all(output::text(&Bootstrapped::of(&done)).as_bytes())?,
    }
    Ok(if done.is_complete() { Ending::Good } else { Ending::NeedsAttention })
}

/// The tenants whose accounts are meant: those that are named, or all that are to stand. Who
/// leaves is meant when named: without the role their stacks cannot go.
fn meant(args: &BootstrapArgs, desired: &Desired) -> Result<BTreeSet<TenantName>, Failure> {
    let leaves = |name: &TenantName| {
        desired.tenants.get(name).is_some_and(|one| one.lifecycle == Lifecycle::Offboarded)
    };
    if let Some(name) = args.tenant.iter().find(|name| !desired.tenants.contains_key(*name)) {
        return Err(unknown("tenant", name, desired.tenants.keys()));
    }
    if args.tenant.is_empty() {
        return Ok(desired.tenants.keys().filter(|name| !leaves(name)).cloned().collect());
    }
    Ok(args.tenant.iter().cloned().collect())
}

/// Looks, asks, does.
async fn prepare(
    args: &BootstrapArgs,
    settings: &Settings,
    preparing: &Preparing,
    meant: &BTreeSet<TenantName>,
    stopped: &AtomicBool,
) -> Result<Preparation, Failure> {
    let is_stopped = || stopped.load(Ordering::SeqCst);
    let bar = bar(settings, "looking into accounts", meant.len());
    let survey = preparing.survey(meant, &is_stopped, &|| bar.inc(1)).await;
    bar.finish_and_clear();
    let ahead = survey.ahead();
    if ahead.touched() > 0 && !args.yes && !is_stopped() {
        let text = ahead.text(Tense::Ahead) + &preparing.gift().text();
        io::stderr().write_all(text.as_bytes())?;
        let accounts = counted(ahead.touched(), "account");
        let what = format!("the role will be made or changed in {accounts}");
        if !is_confirmed(&what, "use `driftless bootstrap --yes` if that is meant", settings)? {
            return Err(Failure::new("nothing was done", "answer y to go on, or use --yes"));
        }
    }
    let bar = self::bar(settings, "making roles", ahead.touched());
    let done = preparing.carry_out(survey, &is_stopped, &|| bar.inc(1)).await;
    bar.finish_and_clear();
    Ok(done)
}

/// How far it has come, for people at a terminal.
fn bar(settings: &Settings, what: &'static str, accounts: usize) -> ProgressBar {
    let target = match settings.terminal.bars {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(accounts as u64), target);
    let style = ProgressStyle::with_template("{prefix} [{bar:40}] {pos}/{len}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_prefix(what)
}
