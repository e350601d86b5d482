//! `driftless import stackset`: a stack set with all of its instances.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tokio::task::JoinSet;

use crate::aws::{AwsError, StackSets};
use crate::cli::Failure;
use crate::cli::converge::runtime;
use crate::cli::import::desk::{HowArgs, service_name, write};
use crate::cli::opening::cloud;
use crate::cli::tenant::desk::Desk;
use crate::clock::Clock;
use crate::fleet::{Adoption, Cloud, Glob};
use crate::ids::{Region, ServiceName, Target};
use crate::import::{Found, Instance, InstanceSeen, Origin, StackSet, stack_name, trouble};
use crate::report::output::Imported;
use crate::settings::Settings;

/// Instances asked at once. AWS is paced elsewhere; this bounds what waits for a turn.
const AT_ONCE: usize = 32;
/// The name by which calls are known in the administrator's account.
const NOBODY: &str = "import";

/// Write documents from a stack set: a service, exceptions of tenants, new tenants
///
/// Asks AWS with the credentials of this process, those of the stack set's administrator. Nothing in
/// AWS is changed, nothing is committed, and nothing is written if the fleet would have an error or
/// would not say of each stack what it is made from.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Exit codes: 0 all is written; 3 something was left out of what is written; 1 an error, and \
                  nothing is written\nExample: driftless import stackset scan-api --region \
                  eu-central-1 --names accounts.csv"
)]
pub(in crate::cli) struct StackSetArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    /// Whose credentials these are, for a stack set of an organization
    #[arg(long, value_enum, value_name = "WHO", default_value_t)]
    call_as: CallAs,
    /// The region in which it is administered; unless given, AWS_REGION or the fleet's first
    #[arg(long, value_name = "REGION")]
    region: Option<Region>,
    /// The name of the service; the stack set's unless given
    #[arg(long, value_name = "NAME")]
    service: Option<ServiceName>,
    /// The pattern of its stacks' names; StackSet-NAME-* unless given
    #[arg(long = "match", value_name = "PATTERN")]
    pattern: Option<String>,
    /// Names of new tenants, a line for each account: 111122223333,acme; account-111122223333 unless
    /// given
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    #[command(flatten)]
    pub(super) how: HowArgs,
}

/// Whose credentials these are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum CallAs {
    /// The account that the stack set is in
    #[default]
    #[value(name = "self")]
    Own,
    /// A delegated administrator of the organization
    DelegatedAdmin,
}

/// Reads all of it, then writes.
pub(super) fn run(
    args: &StackSetArgs,
    settings: &Settings,
    clock: &Clock,
) -> Result<Imported, Failure> {
    if let Some(pattern) = &args.pattern {
        Adoption::check(pattern).map_err(|(message, help)| Failure::new(message, help))?;
    }
    let desk = Desk::open(settings)?;
    let fleet = &desk.documents.fleet;
    if fleet.cloud == Cloud::Simulated {
        return Err(Failure::new(
            "this fleet lives in the simulated cloud, which has no stack sets",
            "say `cloud: aws` in the Fleet document",
        ));
    }
    let service = match &args.service {
        Some(service) => service.clone(),
        None => service_name(&args.name)?,
    };
    let is_delegated = args.call_as == CallAs::DelegatedAdmin;
    let found = runtime()?.block_on(async {
        let aws = cloud(fleet, settings, clock, NOBODY).await?;
        let sets = aws.stack_sets(args.region.as_ref(), is_delegated);
        found(args, &sets, settings.terminal.bars).await
    })?;
    let next = next(args, &found);
    write(&desk, &found, service, args.names.as_ref(), &args.how, next)
}

async fn found(
    args: &StackSetArgs,
    sets: &StackSets,
    shows_progress: bool,
) -> Result<Found, Failure> {
    let name = &args.name;
    let failed = |error| not_read(name, sets, &error);
    let set = sets.describe(name).await.map_err(failed)?.ok_or_else(|| {
        Failure::new(
            format!("there is no stack set `{name}` in {} for these credentials", sets.region()),
            "name its region with --region; a delegated administrator says --call-as delegated-admin",
        )
    })?;
    let seen = sets.instances(name).await.map_err(failed)?;
    let instances = with_overrides(seen, name, sets, shows_progress).await?;
    let pattern = args.pattern.clone().unwrap_or_else(|| format!("StackSet-{}-*", set.name));
    let notes = others_that_fit(&pattern, &set, sets).await.map_err(failed)?;
    Ok(Found {
        pattern,
        template_body: set.template_body.clone(),
        parameters: set.parameters.clone(),
        capabilities: set.capabilities.clone(),
        tags: set.tags.clone(),
        termination_protection: false,
        instances,
        notes,
        origin: Origin::StackSet(set),
    })
}

fn not_read(name: &str, sets: &StackSets, error: &AwsError) -> Failure {
    let what = format!("the stack set `{name}` cannot be read in {}", sets.region());
    let help = match error {
        AwsError::Denied(_) | AwsError::WrongAccount(_) => {
            "use credentials of its administrator that allow cloudformation:DescribeStackSet, \
             ListStackSets, ListStackInstances and DescribeStackInstance"
        }
        AwsError::Throttled(_)
        | AwsError::Unreachable(_)
        | AwsError::Malformed(_)
        | AwsError::Refused(_)
        | AwsError::Stopped(_) => "nothing was written: run it again",
    };
    Failure { causes: vec![error.to_string()], ..Failure::new(what, help) }
}

/// No listing shows what an instance has otherwise, so that each of them is asked for.
async fn with_overrides(
    seen: Vec<InstanceSeen>,
    name: &str,
    sets: &StackSets,
    shows_progress: bool,
) -> Result<Vec<Instance>, Failure> {
    let mut asking = JoinSet::new();
    let mut overrides: BTreeMap<Target, BTreeMap<String, String>> = BTreeMap::new();
    let all = seen.len();
    let mut waiting = seen.iter().filter(|one| trouble(one).is_none());
    loop {
        while asking.len() < AT_ONCE
            && let Some(one) = waiting.next()
        {
            let (sets, name, target) = (sets.clone(), name.to_owned(), one.target.clone());
            asking.spawn(async move {
                let result = sets.overrides(&name, &target).await;
                (target, result)
            });
        }
        let Some(asked) = asking.join_next().await else { break };
        let (target, result) = asked.map_err(std::io::Error::other)?;
        let values = result.map_err(|error| not_read(name, sets, &error))?;
        overrides.insert(target, values);
        if shows_progress {
            write!(std::io::stderr(), "\r{} of {all} instances read", overrides.len())?;
        }
    }
    if shows_progress && all > 0 {
        writeln!(std::io::stderr())?;
    }
    let instance = |one: InstanceSeen| Instance {
        stack: one.stack_id.as_deref().and_then(stack_name).map(str::to_owned),
        values: overrides.remove(&one.target).unwrap_or_default(),
        trouble: trouble(&one),
        target: one.target,
    };
    Ok(seen.into_iter().map(instance).collect())
}

/// Other stack sets whose stacks fit the pattern too: two that fit are held, until the narrower pattern
/// is a service as well.
async fn others_that_fit(
    pattern: &str,
    set: &StackSet,
    sets: &StackSets,
) -> Result<Vec<String>, AwsError> {
    let pattern = Glob::of(pattern);
    let fits = |name: &String| *name != set.name && pattern.fits(&format!("StackSet-{name}-0"));
    let others: Vec<String> =
        sets.names().await?.into_iter().filter(fits).map(|name| format!("`{name}`")).collect();
    Ok(match others.as_slice() {
        [] => Vec::new(),
        others => vec![format!(
            "The pattern also fits stacks of {}: where both stand nothing is taken over until that is \
             imported too, or its stacks are gone.",
            others.join(", ")
        )],
    })
}

/// What people do next, with the very command that lets go of the stacks.
fn next(args: &StackSetArgs, found: &Found) -> Vec<String> {
    let region = args.region.as_ref().map(|region| format!(" --region {region}"));
    let region = region.unwrap_or_default();
    let is_delegated = args.call_as == CallAs::DelegatedAdmin;
    let call_as = if is_delegated { " --call-as DELEGATED_ADMIN" } else { "" };
    let is_service_managed =
        matches!(&found.origin, Origin::StackSet(set) if set.is_service_managed);
    let targets = if is_service_managed {
        "--deployment-targets OrganizationalUnitIds=..."
    } else {
        "--accounts ..."
    };
    vec![
        "review it with `driftless --worktree validate` and `driftless --worktree plan --live`; commit \
         it, open a pull request"
            .to_owned(),
        format!(
            "before it is merged let the stack set go of its stacks: `aws cloudformation \
             delete-stack-instances --stack-set-name {} {targets} --regions ... --retain-stacks\
             {call_as}{region}`",
            args.name
        ),
    ]
}
