//! `driftless doctor`: can every target be worked in, and what do the settings cost. Nothing is changed,
//! and no journal is needed.

mod buckets;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinSet;

use crate::aws::{Access, Api, Aws, AwsError, Census, ClockSkew, PROBED, Probed, TargetApi};
use crate::cli::Failure;
use crate::cli::context::{Ending, Format};
use crate::cli::converge::runtime;
use crate::cli::opening::{cloud, open};
use crate::clock::Clock;
use crate::desired::{Desired, Wanted};
use crate::fleet::Lifecycle;
use crate::ids::{AccountId, Target, TenantName};
use crate::observed::BlindReason;
use crate::outcome::without_own;
use crate::plan::toll::Toll;
use crate::report::doctor::{Checkup, Complaint, DoctorReport, Examined, Gravity};
use crate::report::output::{self, Doctored};
use crate::settings::Settings;

/// Accounts that are looked at at once: they wait for AWS nearly all of the time, and AWS is paced
/// elsewhere.
const ACCOUNTS: usize = 256;
/// Who we are in CloudTrail; the tokens of a controller never hold this.
const NAME: &str = "doctor";
/// AWS refuses what was signed five minutes before or after its own time.
const SKEW_WRONG: Duration = Duration::from_secs(240);
/// A clock that is kept right is off by less than a second.
const SKEW_WARNING: Duration = Duration::from_secs(60);
/// From this part of a quota on there is a warning: AWS takes days to raise one.
const NEAR_PERCENT: usize = 80;

/// Find out whether every target can be worked in, and what the settings cost
///
/// Assumes the role, looks, reads quotas and compares clocks in every target, looks whether each region
/// has its bucket for artifacts, and in one region of
/// each account probes the rights of the role: with calls about a stack that cannot exist, so that
/// nothing can change. CloudTrail shows them as refused.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Exit codes: 0 nothing is wrong, warnings may be; 1 something is, or an error"
)]
pub(super) struct DoctorArgs {
    /// Only this tenant (may be repeated)
    #[arg(long = "tenant", value_name = "TENANT")]
    tenants: Vec<TenantName>,
    /// Do not ask AWS: only say what the settings cost
    #[arg(long, conflicts_with_all = ["tenants", "no_rights"])]
    offline: bool,
    /// Do not probe rights
    #[arg(long)]
    no_rights: bool,
    /// How the report is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Looks and writes the report.
pub(super) fn run(
    args: &DoctorArgs,
    settings: &Settings,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    let opened = open(settings, clock)?;
    let desired = Arc::new(opened.wanted(settings)?.clone());
    let report = if args.offline {
        DoctorReport::offline(Toll::of(&desired))
    } else {
        let unknown = args.tenants.iter().find(|name| !desired.tenants.contains_key(*name));
        if let Some(name) = unknown {
            let what = format!("the fleet has no tenant `{name}`");
            return Err(Failure::new(what, "check the name with `driftless validate`"));
        }
        runtime()?.block_on(async {
            let aws = cloud(&desired.fleet, settings, clock, NAME).await?;
            let bar = bar(settings);
            let report = examine(&desired, &aws, &args.tenants, !args.no_rights, &bar).await;
            bar.finish_and_clear();
            Ok::<_, Failure>(report)
        })?
    };
    let text = match args.format {
        Format::Text => report.text(),
        Format::Json => output::text(&Doctored::of(&report)),
    };
    out.write_all(text.as_bytes())?;
    Ok(if report.is_well() { Ending::Good } else { Ending::Findings })
}

/// How far it has come, for people at a terminal.
fn bar(settings: &Settings) -> ProgressBar {
    let draws = settings.terminal.bars;
    let target = if draws { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("looking at accounts [{bar:40}] {pos}/{len}");
    ProgressBar::with_draw_target(None, target)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Looks at all targets of these tenants, of all if none is named.
pub async fn examine(
    desired: &Arc<Desired>,
    aws: &Aws,
    tenants: &[TenantName],
    rights: bool,
    bar: &ProgressBar,
) -> DoctorReport {
    let mut accounts: BTreeMap<AccountId, Vec<Target>> = BTreeMap::new();
    for target in desired.targets() {
        let tenant = desired.tenant_of(&target.account).map(|tenant| &tenant.name);
        if tenants.is_empty() || tenant.is_some_and(|name| tenants.contains(name)) {
            accounts.entry(target.account).or_default().push(target.clone());
        }
    }
    let regions = accounts.values().flatten().map(|target| target.region.clone()).collect();
    let buckets = buckets::complaints(desired, aws, regions).await;
    bar.set_length(accounts.len() as u64);
    let mut checkups = BTreeMap::new();
    let mut looks = JoinSet::new();
    for targets in accounts.into_values() {
        if looks.len() >= ACCOUNTS {
            keep(looks.join_next().await, &mut checkups, bar);
        }
        let (desired, aws) = (Arc::clone(desired), aws.clone());
        looks.spawn(async move { account(&desired, &aws, targets, rights).await });
    }
    while let Some(looked) = looks.join_next().await {
        keep(Some(looked), &mut checkups, bar);
    }
    let checkups: Vec<Checkup> = checkups.into_values().collect();
    let skew = aws.clock_skew();
    let clock_ahead_s = skew.map(|skew| {
        let seconds = i64::try_from(skew.length().as_secs()).unwrap_or(i64::MAX);
        if matches!(skew, ClockSkew::Ahead(_)) { seconds } else { -seconds }
    });
    let examined = Examined { rights, clock_ahead_s };
    let general = skew.and_then(of_clock).into_iter().chain(buckets).collect();
    DoctorReport::of(examined, &checkups, general, Toll::of(desired))
}

type Looked = Result<Vec<Checkup>, tokio::task::JoinError>;

fn keep(looked: Option<Looked>, checkups: &mut BTreeMap<Target, Checkup>, bar: &ProgressBar) {
    bar.inc(1);
    match looked {
        Some(Ok(found)) => {
            checkups.extend(found.into_iter().map(|one| (one.target.clone(), one)));
        }
        // A look that panicked is a bug; a report without its targets would be wrong.
        Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        None => {}
    }
}

/// Looks at the targets of one account, and probes the rights of each role in the first of them that
/// can be looked at: nearly always the same role holds in all of them.
async fn account(desired: &Desired, aws: &Aws, targets: Vec<Target>, rights: bool) -> Vec<Checkup> {
    let (mut checkups, mut probed) = (Vec::new(), BTreeSet::new());
    for target in targets {
        let access = Access {
            role_arn: desired.role_arn(&target),
            external_id: desired.external_id().map(str::to_owned),
        };
        let api = aws.target(&target, &access);
        let tenant = desired.tenant_of(&target.account).map(|tenant| tenant.name.clone());
        let mut complaints = Vec::new();
        match look(&api).await {
            Ok(census) => {
                complaints.extend(of_quota(desired, &api, &census).await);
                if rights && probed.insert(access.role_arn) {
                    complaints.extend(of_rights(&api, &census).await);
                }
            }
            Err(error) => complaints.push(match of_leaving(desired, &target, &error) {
                Some(note) => note,
                None => of_blindness(&target, tenant.as_ref(), &error),
            }),
        }
        checkups.push(Checkup { target, tenant, complaints });
    }
    checkups
}

async fn look(api: &TargetApi) -> Result<Census, AwsError> {
    let census = api.census().await?;
    api.check_account().await?;
    Ok(census)
}

/// What is said of an account that nobody needs to enter any more, where it does not let us in.
fn of_leaving(desired: &Desired, target: &Target, error: &AwsError) -> Option<Complaint> {
    let tenant = desired.tenant_of(&target.account)?;
    let reason = error.blind_reason(&target.region);
    let is_shut = matches!(
        reason,
        BlindReason::RoleRefused | BlindReason::AccessNotReady | BlindReason::AccountSuspended
    );
    (is_shut && tenant.lifecycle == Lifecycle::Offboarded).then(|| Complaint {
        gravity: Gravity::Warning,
        code: "offboarded-and-shut".to_owned(),
        cause: format!("offboarded, and cannot be entered: {reason}"),
        detail: Some(format!("AWS says: {error}")),
        help: Some(
            "where nothing of ours ever stood, remove the document; else `driftless bootstrap \
             --tenant NAME` lets us in to delete what is left"
                .to_owned(),
        ),
    })
}

fn of_blindness(target: &Target, tenant: Option<&TenantName>, error: &AwsError) -> Complaint {
    let reason = error.blind_reason(&target.region);
    let common = without_own(&error.to_string(), tenant.map(|name| name.as_str()), None);
    // What AWS says to each is one cause where we know what it means; else its words are the cause.
    let cause = match reason {
        BlindReason::Unreachable | BlindReason::Malformed => format!("{reason}: {common}"),
        BlindReason::AccessDenied
        | BlindReason::WrongAccount
        | BlindReason::Throttled
        | BlindReason::StacksMissing
        | BlindReason::BaseCredentials
        | BlindReason::ClockSkew
        | BlindReason::RoleRefused
        | BlindReason::AccessNotReady
        | BlindReason::RegionOff
        | BlindReason::AccountSuspended => reason.to_string(),
    };
    Complaint {
        gravity: Gravity::Wrong,
        code: reason.to_string().replace(' ', "-"),
        cause,
        detail: Some(format!("AWS says: {error}")),
        help: if reason == BlindReason::AccessDenied {
            let right = error.answer().api;
            Some(format!(
                "allow cloudformation:{right} to the role, here or where AWS says; other rights were \
                 not probed there"
            ))
        } else {
            reason.help().map(str::to_owned)
        },
    }
}

/// How near the stacks that are there, and those that are wanted besides, come to AWS's limit.
async fn of_quota(desired: &Desired, api: &TargetApi, census: &Census) -> Option<Complaint> {
    let limit = match api.stack_limit().await {
        Ok(limit) => limit?,
        Err(error) => {
            return Some(Complaint {
                gravity: Gravity::Warning,
                code: "quota-unknown".to_owned(),
                cause: "the quota of stacks cannot be read".to_owned(),
                detail: Some(format!("AWS says: {error}")),
                help: Some("allow the role cloudformation:DescribeAccountLimits".to_owned()),
            });
        }
    };
    let wanted = desired.stacks.get(api.target()).into_iter().flatten();
    let missing = wanted.filter(|(name, wanted)| {
        !wanted.asked_to_go && !census.names.contains(*name) && is_made(desired, wanted, census)
    });
    let missing = missing.count();
    let stacks = census.stacks + missing;
    let (gravity, code, cause) = if stacks > limit {
        (Gravity::Wrong, "quota-exceeded", "AWS does not allow so many stacks as are wanted")
    } else if stacks * 100 >= limit * NEAR_PERCENT {
        (Gravity::Warning, "quota-near", "the stacks come near AWS's limit")
    } else {
        return None;
    };
    Some(Complaint {
        gravity,
        code: code.to_owned(),
        cause: cause.to_owned(),
        detail: Some(format!(
            "{} are there, {missing} more are wanted, {limit} may be",
            census.stacks
        )),
        help: Some(
            "have AWS raise the quota \"Stack count\" of CloudFormation in that account and region"
                .to_owned(),
        ),
    })
}

/// Whether a stack is made where none of its name stands: one that is there is taken over instead.
fn is_made(desired: &Desired, wanted: &Wanted, census: &Census) -> bool {
    let Some((pattern, adoption)) = wanted.adoption(&desired.fleet) else { return true };
    adoption.or_create && !census.names.iter().any(|name| pattern.fits(name.as_str()))
}

/// Rights that the role lacks, and those of which nobody knows.
async fn of_rights(api: &TargetApi, census: &Census) -> Vec<Complaint> {
    let (mut missing, mut unproven) = (Vec::new(), Vec::new());
    for right in PROBED {
        match api.probe(right, census).await {
            Probed::Allowed => {}
            Probed::Missing(error) => missing.push((right, format!("AWS says: {error}"))),
            Probed::Unproven(None) => {
                unproven.push((right, "a stack there has the name that is asked for".to_owned()));
            }
            Probed::Unproven(Some(error)) => unproven.push((right, format!("AWS says: {error}"))),
        }
    }
    let complaint = |gravity, code: &str, found: &[(Api, String)], what: &str, help: &str| {
        let (_, first) = found.first()?;
        let names: Vec<String> =
            found.iter().map(|(right, _)| format!("cloudformation:{right}")).collect();
        Some(Complaint {
            gravity,
            code: code.to_owned(),
            cause: format!("{what}: {}", names.join(", ")),
            detail: Some(first.clone()),
            help: Some(help.to_owned()),
        })
    };
    let (what, help) = (
        "the role lacks rights",
        "allow them to the role, for all stacks; where AWS names a service control policy or a \
         boundary, there",
    );
    let lacks = complaint(Gravity::Wrong, "rights-missing", &missing, what, help);
    let what = "it could not be found out whether the role has rights";
    let help = "run it again";
    let unknown = complaint(Gravity::Warning, "rights-unproven", &unproven, what, help);
    lacks.into_iter().chain(unknown).collect()
}

fn of_clock(skew: ClockSkew) -> Option<Complaint> {
    let length = skew.length();
    let gravity = match length {
        length if length > SKEW_WRONG => Gravity::Wrong,
        length if length > SKEW_WARNING => Gravity::Warning,
        _ => return None,
    };
    let side = match skew {
        ClockSkew::Ahead(_) => "ahead of",
        ClockSkew::Behind(_) => "behind",
    };
    Some(Complaint {
        gravity,
        code: "clock".to_owned(),
        cause: format!("the clock of this machine is {} s {side} AWS's", length.as_secs()),
        detail: Some("AWS refuses every call at more than 300 s".to_owned()),
        help: BlindReason::ClockSkew.help().map(str::to_owned),
    })
}
