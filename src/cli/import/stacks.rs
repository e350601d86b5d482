//! `driftless import stacks`: stacks that lie in the accounts of tenants.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clap::Args;
use tokio::task::JoinSet;

use crate::aws::{Access, Aws, AwsError, TargetApi};
use crate::cli::Failure;
use crate::cli::converge::runtime;
use crate::cli::import::desk::{HowArgs, write};
use crate::cli::opening::cloud;
use crate::cli::tenant::desk::Desk;
use crate::clock::Clock;
use crate::desired::Desired;
use crate::fleet::{Adoption, Glob, Lifecycle};
use crate::ids::{AccountId, Region, ServiceName, Target, TenantName};
use crate::import::{Found, Search, Sighted, gather, stack_trouble};
use crate::report::output::Imported;
use crate::settings::Settings;

/// Targets looked at at once. AWS is paced elsewhere.
const AT_ONCE: usize = 64;
/// So many accounts that cannot be seen are named.
const MAX_NAMED: usize = 20;
const NOBODY: &str = "import";

/// Write documents from stacks that exist in the accounts of tenants: a service and exceptions
///
/// Looks into all regions of the fleet that are not retired, with the role of the Fleet document. Stacks of the commonest
/// template make the service. Nothing in AWS is changed, nothing is committed, and nothing is written
/// if the fleet would have an error or would not say of each stack what it is made from.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Exit codes: 0 all is written; 3 something was left out of what is written; 1 an error, and \
                  nothing is written\nExample: driftless import stacks --match 'scan-api*' --service \
                  scan-api"
)]
pub(in crate::cli) struct StacksArgs {
    /// The pattern of their names, in which * stands for anything
    #[arg(long = "match", value_name = "PATTERN")]
    pattern: String,
    /// The name of the service
    #[arg(long, value_name = "NAME")]
    service: ServiceName,
    /// Only the stacks of this tenant; of several if given more than once
    #[arg(long = "tenant", value_name = "NAME")]
    tenants: Vec<TenantName>,
    #[command(flatten)]
    pub(super) how: HowArgs,
}

/// Reads all of it, then writes.
pub(super) fn run(
    args: &StacksArgs,
    settings: &Settings,
    clock: &Clock,
) -> Result<Imported, Failure> {
    if let Err((message, help)) = Adoption::check(&args.pattern) {
        return Err(Failure::new(message, help));
    }
    let desk = Desk::open(settings)?;
    for name in &args.tenants {
        desk.tenant(name)?;
    }
    let Some(desired) = desk.wanted() else {
        return Err(Failure::new(
            "the fleet has errors as it lies, so that nobody knows where its tenants are",
            "`driftless --worktree validate` shows them",
        ));
    };
    let targets = targets(args, &desired);
    let (search, sighted, capabilities) = runtime()?.block_on(async {
        let aws = cloud(&desired.fleet, settings, clock, NOBODY).await?;
        let (search, sighted) = look(args, &aws, &desired, targets).await?;
        let capabilities = capabilities(&aws, &desired, &sighted).await?;
        Ok::<_, Failure>((search, sighted, capabilities))
    })?;
    let found: Found = gather(&search, sighted, capabilities);
    let next = "review it with `driftless --worktree validate` and `driftless --worktree plan --live`; \
                commit it, open a pull request";
    write(&desk, &found, args.service.clone(), None, &args.how, vec![next.to_owned()])
}

/// All places of the tenants that stay, each with whether its tenant lists the region. Stacks may stand
/// in regions of the fleet that it does not list.
fn targets(args: &StacksArgs, desired: &Desired) -> BTreeMap<Target, bool> {
    let tenants = desired.tenants.values().filter(|tenant| {
        let is_meant = args.tenants.is_empty() || args.tenants.contains(&tenant.name);
        is_meant && tenant.lifecycle != Lifecycle::Offboarded
    });
    let all = tenants.flat_map(|tenant| {
        let used = desired.fleet.regions.iter().filter(|(_, is_retired)| !**is_retired);
        let regions: BTreeSet<&Region> =
            tenant.regions.iter().chain(used.map(|(region, _)| region)).collect();
        regions.into_iter().map(|region| {
            let target = Target { account: tenant.account, region: region.clone() };
            (target, tenant.regions.contains(region))
        })
    });
    all.collect()
}

fn api(aws: &Aws, desired: &Desired, target: &Target) -> TargetApi {
    let access = Access {
        role_arn: desired.role_arn(target),
        external_id: desired.external_id().map(str::to_owned),
    };
    aws.target(target, &access)
}

/// The stacks that fit, everywhere; a place that cannot be seen is no empty one. Where a tenant does
/// not list the region its account may not have it either: that is told and stops nothing.
async fn look(
    args: &StacksArgs,
    aws: &Aws,
    desired: &Desired,
    targets: BTreeMap<Target, bool>,
) -> Result<(Search, Vec<Sighted>), Failure> {
    let mut looks = JoinSet::new();
    let accounts: BTreeSet<AccountId> = targets.keys().map(|target| target.account).collect();
    let mut search =
        Search { pattern: args.pattern.clone(), tenants: accounts.len(), ..Search::default() };
    let mut waiting = targets.into_iter();
    let (mut sighted, mut blind) = (Vec::new(), Vec::new());
    let mut templates = BTreeSet::new();
    loop {
        while looks.len() < AT_ONCE
            && let Some((target, is_listed)) = waiting.next()
        {
            let (api, pattern) = (api(aws, desired, &target), Glob::of(&args.pattern));
            looks.spawn(async move { (target, is_listed, fitting(&api, &pattern).await) });
        }
        let Some(looked) = looks.join_next().await else { break };
        match looked.map_err(std::io::Error::other)? {
            (target, is_listed, Ok(found)) => {
                search.targets += 1;
                if !is_listed {
                    search.outside.insert(target);
                }
                sighted.extend(found.into_iter().map(|one| shared(one, &mut templates)));
            }
            (target, false, Err(AwsError::Denied(_) | AwsError::Refused(_))) => {
                search.unseen.insert(target);
            }
            (target, _, Err(error)) => blind.push(format!("{target}: {error}")),
        }
    }
    if !blind.is_empty() {
        blind.sort();
        let count = blind.len();
        blind.truncate(MAX_NAMED);
        return Err(Failure::new(
            format!("{count} places cannot be seen, so nothing is written\n{}", blind.join("\n")),
            "give driftless its role there, or name the tenants that it can see with --tenant",
        ));
    }
    sighted.sort_by(|one: &Sighted, other| one.seen.key.cmp(&other.seen.key));
    Ok((search, sighted))
}

/// The same stack; stacks of one template share its text, which there may be thousands of.
fn shared(one: Sighted, templates: &mut BTreeSet<Arc<str>>) -> Sighted {
    let template = one.template.map(|body| match templates.get(&body) {
        Some(known) => Arc::clone(known),
        None => {
            templates.insert(Arc::clone(&body));
            body
        }
    });
    Sighted { template, ..one }
}

async fn fitting(api: &TargetApi, pattern: &Glob) -> Result<Vec<Sighted>, AwsError> {
    let mut sighted = Vec::new();
    for seen in api.list().await? {
        if !pattern.fits(seen.key.name.as_str()) {
            continue;
        }
        let template = match stack_trouble(&seen) {
            None => Some(api.template(&seen.id).await?.into()),
            Some(_) => None,
        };
        sighted.push(Sighted { seen, template });
    }
    Ok(sighted)
}

/// The capabilities of the first stack that is taken over: those of one template need the same.
async fn capabilities(
    aws: &Aws,
    desired: &Desired,
    sighted: &[Sighted],
) -> Result<Vec<String>, Failure> {
    let found: Found = gather(&Search::default(), sighted.to_vec(), Vec::new());
    let Some(first) = found.instances.iter().position(|one| one.trouble.is_none()) else {
        return Ok(Vec::new());
    };
    let Some(Sighted { seen, .. }) = sighted.get(first) else { return Ok(Vec::new()) };
    let read = api(aws, desired, &seen.key.target).capabilities(&seen.id).await;
    read.map_err(|error| Failure {
        causes: vec![error.to_string()],
        ..Failure::new(
            format!("the capabilities of {} cannot be read", seen.key),
            "nothing was written: run it again",
        )
    })
}
