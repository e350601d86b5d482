//! `driftless plan`: what would change, between revisions or against what AWS shows. It only
//! reads, also with --live.

mod base;
mod looks;

use std::io::Write;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::cli::Failure;
use crate::cli::context::Ending;
use crate::cli::converge::runtime;
use crate::cli::opening::{cloud, drawn};
use crate::clock::Clock;
use crate::controller::{Checked, checked};
use crate::desired::Desired;
use crate::fleet::Finding;
use crate::git::Source;
use crate::ids::Digest;
use crate::journal::Journal;
use crate::plan::Steering;
use crate::plan::deletions::{self, DeletionBook};
use crate::plan::preview::{LiveScene, Preview, preview, preview_live};
use crate::report::plan as report;
use crate::settings::Settings;
use crate::snapshot::Snapshot;

/// Show what would change: which stacks in which accounts, equal changes together
///
/// Without --from and --live the fleet is compared with the revision that `run` or `apply` accepted
/// last, as the journal knows it. Without a journal it is compared with the first parent of the
/// commit that is read (in a pull request: with the branch it goes to), and with --worktree the
/// files are compared with HEAD. A revision with errors was never applied, so the nearest good one
/// before it takes its place. Where there is nothing to compare with, everything is new.
///
/// Nothing is changed, in AWS or here.
#[derive(Args, Clone, Debug, Default)]
#[command(
    after_help = "Exit codes: 0 nothing would change; 2 something would; 1 an error, or the \
                        revision has errors"
)]
pub(super) struct PlanArgs {
    /// Compare with this revision: anything that `git rev-parse` takes, such as origin/main. Where it
    /// has commits that the other one does not come from, their last common commit is compared with
    #[arg(long, value_name = "REV", conflicts_with = "live")]
    from: Option<String>,
    /// Read the fleet at this revision instead of the one that --fleet names
    #[arg(long, value_name = "REV")]
    to: Option<String>,
    /// Compare with what AWS shows now: looks at every target, with read-only calls
    #[arg(long)]
    live: bool,
    /// How the plan is written
    #[arg(long, value_enum, default_value_t)]
    format: PlanFormat,
}

/// How a plan is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum PlanFormat {
    /// For people
    #[default]
    Text,
    /// For programs: one object with a `version`, whose fields are only ever added
    Json,
    /// For a comment on a pull request, never longer than 65,536 characters
    Markdown,
}

/// What the plan is made from.
#[derive(Clone, Copy)]
struct Means<'a> {
    settings: &'a Settings,
    clock: &'a Clock,
    /// If there is one: it is only read, and the lock for acting is not taken.
    journal: Option<&'a Journal>,
}

/// Writes the plan.
pub(super) fn run(
    args: &PlanArgs,
    settings: &Settings,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    let journal = Journal::open_existing(&settings.state, clock.now())?;
    let means = Means { settings, clock, journal: journal.as_ref() };
    let source = Source::open(settings.source.clone())?;
    let snapshot = match &args.to {
        Some(to) => source.read_at(to)?,
        None => source.read()?,
    };
    let Checked { desired, findings } = checked(&snapshot);
    let Some(desired) = desired else {
        out.write_all(refused(args.format, &snapshot, &findings, settings).as_bytes())?;
        return Ok(Ending::Findings);
    };
    let preview = if args.live {
        runtime()?.block_on(live(Arc::new(desired), means))?
    } else {
        let from = args.from.as_deref();
        let base = base::choose(&source, means.journal, from, &snapshot)?;
        let mut preview = preview(base.desired.as_ref(), &desired);
        preview.notices.splice(0..0, base.notices);
        preview
    };
    let text = match args.format {
        PlanFormat::Text => report::text(&preview, settings.terminal.colour_out),
        PlanFormat::Json => format!("{:#}\n", report::json(&preview)),
        PlanFormat::Markdown => report::markdown(&preview),
    };
    out.write_all(text.as_bytes())?;
    Ok(if preview.has_changes() { Ending::Changes } else { Ending::Good })
}

fn refused(
    format: PlanFormat,
    snapshot: &Snapshot,
    found: &[Finding],
    settings: &Settings,
) -> String {
    let revision = &snapshot.revision;
    match format {
        PlanFormat::Text => {
            let drawn = drawn(found, snapshot, settings, settings.terminal.colour_out);
            format!("{drawn}{} is refused: nothing of it is applied\n", revision.short())
        }
        PlanFormat::Json => format!("{:#}\n", report::refused_json(revision, found)),
        PlanFormat::Markdown => report::refused_markdown(revision, found),
    }
}

async fn live(desired: Arc<Desired>, means: Means<'_>) -> Result<Preview, Failure> {
    let Means { settings, clock, journal } = means;
    let controller = journal.map_or(looks::NOBODY, Journal::controller_id);
    let aws = cloud(&desired.fleet, settings, clock, controller).await?;
    let places = looks::look_at_all(&desired, &aws, journal, clock).await?;
    let now = clock.now();
    let (steering, book) = match journal {
        Some(journal) => (journal.steering(now)?, journal.deletion_book(now)?),
        // Whoever acts will begin a journal, beside the stacks that are there.
        None => {
            let gap_until = Some(now + deletions::WINDOW);
            (Steering::default(), DeletionBook { gap_until, ..DeletionBook::default() })
        }
    };
    // Without a journal no value is remembered, so none is compared.
    let keyed_hash =
        |text: &str| journal.map_or_else(|| Digest::of(b""), |journal| journal.keyed_hash(text));
    Ok(preview_live(&LiveScene {
        desired: &desired,
        steering: &steering,
        places: &places,
        book: &book,
        keyed_hash: &keyed_hash,
        now,
    }))
}
