//! `driftless plan`: what would change, between revisions or against what AWS shows. It only
//! reads, also with --live.

mod base;
mod looks;

use std::io::{self, Write};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::aws::Aws;
use crate::clock::Clock;
use crate::controller::{Checked, checked};
use crate::desired::Desired;
use crate::fleet::{Finding, Fleet};
use crate::git::{GitError, Source};
use crate::ids::Digest;
use crate::journal::{Journal, JournalError};
use crate::plan::Steering;
use crate::plan::preview::{LiveScene, Preview, preview, preview_live};
use crate::report::findings::{self, Drawing};
use crate::report::plan as report;
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
pub struct PlanArgs {
    /// Compare with this revision: anything that `git rev-parse` takes, such as origin/main
    #[arg(long, value_name = "REV", conflicts_with = "live")]
    pub from: Option<String>,
    /// Compare with what AWS shows now: looks at every target, with read-only calls
    #[arg(long)]
    pub live: bool,
    /// How the plan is written
    #[arg(long, value_enum, default_value_t)]
    pub format: PlanFormat,
}

/// How a plan is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people
    #[default]
    Text,
    /// For programs: one object with a `version`, whose fields are only ever added
    Json,
    /// For a comment on a pull request, never longer than 65,536 characters
    Markdown,
}

/// How a plan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanEnding {
    /// Nothing would change.
    NoChanges,
    /// Something would change.
    Changes,
    /// The revision has errors, which were written.
    Refused,
}

impl PlanEnding {
    /// The exit code of the process.
    pub fn code(self) -> u8 {
        match self {
            Self::NoChanges => 0,
            Self::Changes => 2,
            Self::Refused => 1,
        }
    }
}

/// What the plan is made from.
#[derive(Clone, Copy)]
pub struct PlanMeans<'a> {
    /// The fleet.
    pub source: &'a Source,
    /// The journal, if there is one: it is only read, and the lock for acting is not taken.
    pub journal: Option<&'a Journal>,
    /// The time.
    pub clock: &'a Clock,
    /// The fleet folder as people see it, to put before the paths of findings.
    pub folder: &'a str,
    /// Whether `out` is a terminal that shows colours.
    pub colour: bool,
}

/// Writes the plan. `connect` is asked for the cloud of the fleet with `--live` only.
pub async fn run<E>(
    args: &PlanArgs,
    means: PlanMeans<'_>,
    connect: impl AsyncFnOnce(&Fleet) -> Result<Aws, E>,
    out: &mut dyn Write,
) -> Result<PlanEnding, E>
where
    E: From<GitError> + From<JournalError> + From<io::Error>,
{
    let snapshot = means.source.read()?;
    let Checked { desired, findings } = checked(&snapshot);
    let Some(desired) = desired else {
        out.write_all(refused(args.format, &snapshot, &findings, means).as_bytes())?;
        return Ok(PlanEnding::Refused);
    };
    let preview = if args.live {
        let aws = connect(&desired.fleet).await?;
        live(Arc::new(desired), &aws, means).await?
    } else {
        let from = args.from.as_deref();
        let base = base::choose::<E>(means.source, means.journal, from, &snapshot)?;
        let mut preview = preview(base.desired.as_ref(), &desired);
        preview.notices.splice(0..0, base.notices);
        preview
    };
    let text = match args.format {
        PlanFormat::Text => report::text(&preview, means.colour),
        PlanFormat::Json => format!("{:#}\n", report::json(&preview)),
        PlanFormat::Markdown => report::markdown(&preview),
    };
    out.write_all(text.as_bytes())?;
    Ok(if preview.has_changes() { PlanEnding::Changes } else { PlanEnding::NoChanges })
}

fn refused(
    format: PlanFormat,
    snapshot: &Snapshot,
    found: &[Finding],
    means: PlanMeans<'_>,
) -> String {
    let drawing = Drawing { folder: means.folder, colour: means.colour };
    match format {
        PlanFormat::Text => {
            let drawn = findings::text(found, snapshot, drawing);
            format!("{drawn}{} is refused: nothing of it is applied\n", snapshot.revision.short())
        }
        PlanFormat::Json => format!("{:#}\n", report::refused_json(&snapshot.revision, found)),
        PlanFormat::Markdown => report::refused_markdown(&snapshot.revision, found),
    }
}

async fn live(
    desired: Arc<Desired>,
    aws: &Aws,
    means: PlanMeans<'_>,
) -> Result<Preview, JournalError> {
    let PlanMeans { journal, clock, .. } = means;
    let places = looks::look_at_all(&desired, aws, journal, clock).await?;
    let now = clock.now();
    let (steering, book) = match journal {
        Some(journal) => (journal.steering(now)?, Some(journal.deletion_book(now)?)),
        None => (Steering::default(), None),
    };
    // Without a journal no value is remembered, so none is compared.
    let keyed_hash =
        |text: &str| journal.map_or_else(|| Digest::of(b""), |journal| journal.keyed_hash(text));
    Ok(preview_live(&LiveScene {
        desired: &desired,
        steering: &steering,
        places: &places,
        last_day: book.as_ref().map_or(&[], |book| &book.last_day),
        keyed_hash: &keyed_hash,
        now,
    }))
}
