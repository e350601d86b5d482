//! `driftless drift detect`: look into stacks now, as fast as AWS lets us, and say what drifted.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinSet;

use crate::aws::{Access, Aws, TargetApi};
use crate::cli::Failure;
use crate::cli::context::Ending;
use crate::cli::converge::runtime;
use crate::cli::drift::Which;
use crate::cli::drift::report::{ReportFormat, write};
use crate::cli::opening::{cloud, open};
use crate::clock::Clock;
use crate::desired::{Desired, Wanted};
use crate::drift::{DriftRecord, Hidden};
use crate::fleet::DriftRules;
use crate::ids::{StackName, Target};
use crate::journal::{Filter, Journal};
use crate::observe::{Looked, Looking, asked_again};
use crate::observed::Seen;
use crate::plan::{StackRecord, presented};
use crate::report::{DriftReport, counted};
use crate::settings::Settings;

/// Targets looked into at once: AWS is paced elsewhere, for each account of its own.
const TARGETS: usize = 64;
/// Stacks of one target looked into at once: more exceed the rates of an account.
const STACKS: usize = 3;
/// How long one stack is waited for.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Look into stacks for drift now, and report what drifted
///
/// Changes nothing. What is found is kept in the journal, where a running controller reads it. A
/// person's order is not counted against `limits.driftCalls`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Exit codes: 0 nothing drifted; 3 something did, or could not be seen; 1 an \
                        error"
)]
pub(crate) struct DetectArgs {
    #[command(flatten)]
    which: Which,
    /// How the report is written
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// What came of one target: records, and why stacks could not be looked into.
type Found = (Vec<DriftRecord>, BTreeSet<String>);

/// Looks into the stacks and writes the report.
pub(super) fn run(
    args: &DetectArgs,
    settings: &Settings,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    let opened = open(settings, clock)?;
    let desired = Arc::new(opened.wanted(settings)?.clone());
    let journal = match Journal::open_existing(&settings.state, clock.now())? {
        Some(journal) => journal,
        None => Journal::open(&settings.state, clock.now(), None)?.0,
    };
    let wanted = wanted(&desired, &args.which);
    if wanted.is_empty() {
        return Err(Failure::new(
            "no stack of the fleet is meant",
            "check the names with `driftless status`",
        ));
    }
    let (records, troubles) = runtime()?.block_on(async {
        let aws = cloud(&desired.fleet, settings, clock, journal.controller_id()).await?;
        let bar = bar(settings, wanted.values().map(Vec::len).sum());
        let found = look(&desired, &aws, &journal, clock, wanted, &bar).await;
        bar.finish_and_clear();
        found
    })?;
    journal.note_drifts()?;
    let report = DriftReport::of(&records, clock.now());
    write(&report, args.format, out)?;
    if args.format == ReportFormat::Text && !troubles.is_empty() {
        writeln!(out, "\nCould not be looked into")?;
        troubles.iter().try_for_each(|trouble| writeln!(out, "  {trouble}"))?;
    }
    let is_well = !report.has_drift() && troubles.is_empty() && report.troubles.is_empty();
    Ok(if is_well { Ending::Good } else { Ending::NeedsAttention })
}

/// How far it has come, for people at a terminal.
fn bar(settings: &Settings, stacks: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(
        Some(stacks as u64),
        if settings.terminal.bars {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        },
    );
    let style = ProgressStyle::with_template("looking for drift [{bar:40}] {pos}/{len} stacks");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

type Meant = BTreeMap<Target, Vec<StackName>>;

/// The stacks that are meant and that drift is looked for in.
fn wanted(desired: &Desired, which: &Which) -> Meant {
    let mut meant = Meant::new();
    for (target, stacks) in &desired.stacks {
        let is_meant = |wanted: &&Wanted| {
            which.tenant.as_ref().is_none_or(|tenant| *tenant == wanted.tenant.name)
                && which.service.as_ref().is_none_or(|service| *service == wanted.service.name)
                && !wanted.asked_to_go
                && rules(desired, wanted).looks()
        };
        let names: Vec<StackName> =
            stacks.values().filter(is_meant).map(|wanted| wanted.key.name.clone()).collect();
        if !names.is_empty() {
            meant.insert(target.clone(), names);
        }
    }
    meant
}

fn rules<'a>(desired: &'a Desired, wanted: &'a Wanted) -> DriftRules<'a> {
    let exception = wanted.tenant.services.get(&wanted.service.name);
    DriftRules::of(&desired.fleet, &wanted.service, exception, &wanted.tenant.labels)
}

async fn look(
    desired: &Arc<Desired>,
    aws: &Aws,
    journal: &Journal,
    clock: &Clock,
    meant: Meant,
    bar: &ProgressBar,
) -> Result<Found, Failure> {
    let mut known: BTreeMap<Target, BTreeMap<StackName, DriftRecord>> = BTreeMap::new();
    for record in journal.drifts(&Filter::default(), false)? {
        let place = known.entry(record.key.target.clone()).or_default();
        place.insert(record.key.name.clone(), record);
    }
    let mut found = Found::default();
    let mut looks = JoinSet::new();
    for (target, names) in meant {
        if looks.len() >= TARGETS {
            keep(looks.join_next().await, journal, &mut found)?;
        }
        let access = Access {
            role_arn: desired.role_arn(&target),
            external_id: desired.external_id().map(str::to_owned),
        };
        let api = aws.target(&target, &access).while_allowed(Arc::new(|| false));
        let drifts = known.remove(&target).unwrap_or_default();
        let known = Known { drifts, records: journal.stacks_in(&target)? };
        let (desired, clock, bar) = (Arc::clone(desired), clock.clone(), bar.clone());
        looks.spawn(async move { look_in(&desired, &api, &clock, names, known, &bar).await });
    }
    while let Some(looked) = looks.join_next().await {
        keep(Some(looked), journal, &mut found)?;
    }
    found.0.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(found)
}

/// Keeps what was found in one target, in the journal at once: looking may take long, and be ended.
fn keep(
    looked: Option<Result<Found, tokio::task::JoinError>>,
    journal: &Journal,
    found: &mut Found,
) -> Result<(), Failure> {
    match looked {
        Some(Ok((records, troubles))) => {
            journal.merge_drifts(&records)?;
            found.0.extend(records);
            found.1.extend(troubles);
        }
        // A look that panicked is a bug; a report without its target would be wrong.
        Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        None => {}
    }
    Ok(())
}

/// What is known of one target.
struct Known {
    drifts: BTreeMap<StackName, DriftRecord>,
    records: BTreeMap<StackName, StackRecord>,
}

/// Looks into the stacks of one target, a few at once.
async fn look_in(
    desired: &Desired,
    api: &TargetApi,
    clock: &Clock,
    names: Vec<StackName>,
    Known { mut drifts, records }: Known,
    bar: &ProgressBar,
) -> Found {
    let target = api.target().clone();
    let listing = match api.list().await {
        Ok(listing) => listing.into_iter().map(|seen| (seen.key.name.clone(), seen)).collect(),
        Err(error) => return (Vec::new(), [format!("{target}: {error}")].into()),
    };
    let listing = presented(desired, &target, listing, &records);
    let mut found = Found::default();
    let mut waiting: Vec<(&Wanted, Seen, DriftRecord)> = Vec::new();
    for name in names {
        let key = crate::ids::StackKey { target: target.clone(), name: name.clone() };
        let seen = listing.get(&name).cloned();
        let ours = seen.filter(|seen| crate::plan::ownership::is_ours(seen, &desired.fleet.name));
        let (Some(wanted), Some(seen)) = (desired.wanted(&key), ours) else {
            found.1.insert(format!("{key}: it is not there, or not ours"));
            continue;
        };
        let now = clock.now();
        let every = rules(desired, wanted).every();
        let mut record = drifts.remove(&name).unwrap_or_else(|| DriftRecord::new(&key, now, every));
        record.tenant = Some(wanted.tenant.name.clone());
        record.service = Some(wanted.service.name.clone());
        waiting.push((wanted, seen, record));
    }
    waiting.reverse();
    let mut running = Vec::new();
    while !waiting.is_empty() || !running.is_empty() {
        while let Some(mut next) = waiting.pop_if(|_| running.len() < STACKS) {
            next.2.begin(&next.1.id, next.1.version(), clock.now());
            running.push(next);
        }
        let mut still = Vec::new();
        for (wanted, seen, mut record) in running {
            match turn(desired, api, clock, wanted, &seen, &mut record).await {
                Turn::Runs => still.push((wanted, seen, record)),
                Turn::Ended(trouble) => {
                    bar.inc(1);
                    found.1.extend(trouble.map(|why| format!("{}: {why}", record.key)));
                    found.0.push(record);
                }
            }
        }
        running = still;
        let pause = running.iter().filter_map(|(_, _, record)| record.detection.as_ref());
        if let Some(pause) = pause.map(|one| asked_again(one, PAUSE)).min() {
            clock.sleep(pause).await;
        }
    }
    found
}

/// The shortest pause between two questions.
const PAUSE: Duration = Duration::from_millis(300);

enum Turn {
    Runs,
    /// With why nothing was seen.
    Ended(Option<String>),
}

async fn turn(
    desired: &Desired,
    api: &TargetApi,
    clock: &Clock,
    wanted: &Wanted,
    seen: &Seen,
    record: &mut DriftRecord,
) -> Turn {
    let hidden = Hidden::of(&wanted.service.template);
    let rules = rules(desired, wanted);
    let looking = Looking { api, clock, rules, hidden: &hidden, spend: &|_| true };
    let begun_at = record.detection.as_ref().map_or_else(|| clock.now(), |one| one.begun_at);
    match looking.go_on(record, seen).await {
        Looked::Runs | Looked::NoCalls if clock.now().since(begun_at) > PATIENCE => {
            let why = format!("AWS did not end within {}", counted(15, "minute"));
            record.give_up(&why, clock.now(), rules.every());
            Turn::Ended(Some(why))
        }
        Looked::Runs | Looked::NoCalls => Turn::Runs,
        Looked::Done(_) => Turn::Ended(record.trouble.clone()),
        Looked::InVain => {
            let moved = "the stack moved while AWS looked into it".to_owned();
            Turn::Ended(Some(record.trouble.clone().unwrap_or(moved)))
        }
    }
}
