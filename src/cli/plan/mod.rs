//! `driftless plan`: what would change, between revisions or against what AWS shows. It only
//! reads, also with --live.

mod base;
mod change_sets;
mod live;
mod looks;
mod post;

use std::io::Write;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::cli::Failure;
use crate::cli::context::Ending;
use crate::cli::converge::runtime;
use crate::cli::opening::{drawn, missing_build_outputs};
use crate::cli::plan::live::Asked;
use crate::cli::plan::post::{Made, PostTo, Posted, to_host};
use crate::clock::Clock;
use crate::controller::{Checked, checked};
use crate::desired::Desired;
use crate::fleet::{Finding, Severity};
use crate::git::{GitError, Source};
use crate::journal::Journal;
use crate::plan::preview::{Preview, preview};
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
/// Nothing is changed, in AWS or here. --preview makes change sets in AWS and removes them.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "Exit codes: 0 nothing would change; 2 something would; 1 an error, the \
                        revision has errors, or it costs more than `idleCost.failAbove`")]
pub(super) struct PlanArgs {
    /// Compare with this revision: anything that `git rev-parse` takes, such as origin/main. Where it
    /// has commits that the other one does not come from, their last common commit is compared with
    #[arg(long, value_name = "REV")]
    from: Option<String>,
    /// Read the fleet at this revision instead of the one that --fleet names
    #[arg(long, value_name = "REV")]
    to: Option<String>,
    /// Compare with what AWS shows now, with read-only calls: looks at every target; with --from at
    /// those that the change touches, for stacks that will not take it and for drift
    #[arg(long)]
    live: bool,
    /// Make real change sets of what would be updated in so many targets, show what CloudFormation
    /// says, and remove them: targets of the first wave first, and one for each kind of change. What
    /// their templates point to is uploaded before
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    preview: Option<u16>,
    /// How the plan is written
    #[arg(long, value_enum, default_value_t)]
    format: PlanFormat,
    /// Keep the plan as a comment of the pull request that this CI job is for, and as a status of its
    /// commit; printed as markdown instead where the job has no token, as for forks
    #[arg(long, value_enum, value_name = "HOST")]
    post: Option<PostTo>,
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

impl PlanArgs {
    /// Posts the plan if that is asked for.
    fn posted(&self, made: Made<'_>, means: Means<'_>) -> Result<Option<Posted>, Failure> {
        let posted = self.post.map(|to| to_host(to, made, means.settings, means.clock));
        posted.transpose()
    }

    /// What nobody may post is printed as it would have been posted.
    fn format_after(&self, posted: &Result<Option<Posted>, Failure>) -> PlanFormat {
        match posted {
            Ok(Some(Posted::Nowhere)) => PlanFormat::Markdown,
            Ok(Some(Posted::There) | None) | Err(_) => self.format,
        }
    }
}

/// More warnings than this are counted.
const NAMED_WARNINGS: usize = 3;

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
    let source = settings.source()?;
    let snapshot = match &args.to {
        Some(to) if settings.names_a_revision() => {
            return Err(Failure::new(
                format!("--to {to} names a revision, and so does --fleet PATH@REV or --worktree"),
                "leave one of them out",
            ));
        }
        Some(to) => {
            source.fetch(clock).map_err(GitError::from)?;
            source.read_named(to)?
        }
        None => source.fetch_and_read(clock)?,
    };
    let Checked { desired, findings } = checked(&snapshot);
    let Some(desired) = desired else {
        let posted = args.posted(Made::Refusal(&snapshot.revision, &findings), means);
        let format = args.format_after(&posted);
        out.write_all(refused(format, &snapshot, &findings, settings).as_bytes())?;
        return posted.map(|_| Ending::Findings);
    };
    let missing = missing_build_outputs(&desired, &source);
    let mut preview = made(args, &source, &snapshot, desired, means)?;
    preview.notices.extend(warned(&[missing, findings].concat()));
    let posted = args.posted(Made::Plan(&preview), means);
    let text = match args.format_after(&posted) {
        PlanFormat::Text => report::text(&preview, settings.terminal.colour_out),
        PlanFormat::Json => format!("{:#}\n", report::json(&preview)),
        PlanFormat::Markdown => report::markdown(&preview),
    };
    out.write_all(text.as_bytes())?;
    posted?;
    let is_refused =
        preview.judged.as_ref().is_some_and(|(severity, _)| *severity == Severity::Error);
    Ok(match (is_refused, preview.has_changes()) {
        (true, _) => Ending::Findings,
        (false, true) => Ending::Changes,
        (false, false) => Ending::Good,
    })
}

/// What `validate` warns of, as far as a reader takes it in here.
fn warned(findings: &[Finding]) -> Vec<String> {
    let all: Vec<&Finding> = findings.iter().filter(|finding| !finding.is_error()).collect();
    let word = |finding: &&Finding| {
        format!("warning: {}:{}: {}", finding.path, finding.line, finding.message)
    };
    let mut notices: Vec<String> = all.iter().take(NAMED_WARNINGS).map(word).collect();
    if all.len() > NAMED_WARNINGS {
        notices.push(format!("and {} more: `driftless validate`", all.len() - NAMED_WARNINGS));
    }
    notices
}

fn made(
    args: &PlanArgs,
    source: &Source,
    snapshot: &Snapshot,
    desired: Desired,
    means: Means<'_>,
) -> Result<Preview, Failure> {
    let desired = Arc::new(desired);
    if args.live && args.from.is_none() && args.preview.is_none() {
        return runtime()?.block_on(live::everywhere(desired, means));
    }
    let base = base::choose(source, means.journal, args.from.as_deref(), snapshot)?;
    let mut preview = preview(base.desired.as_ref(), &desired);
    preview.notices.splice(0..0, base.notices);
    if !args.live && args.preview.is_none() {
        return Ok(preview);
    }
    let asked = Asked { all: args.live, samples: args.preview.unwrap_or(0).into() };
    runtime()?.block_on(live::of_change(preview, desired, means, asked))
}

fn refused(
    format: PlanFormat,
    snapshot: &Snapshot,
    found: &[Finding],
    settings: &Settings,
) -> String {
    let revision = &snapshot.revision;
    let folder = settings.fleet_folder().display().to_string();
    match format {
        PlanFormat::Text => {
            let drawn = drawn(found, snapshot, settings, settings.terminal.colour_out);
            format!("{drawn}{} is refused: nothing of it is applied\n", revision.short())
        }
        PlanFormat::Json => format!("{:#}\n", report::refused_json(revision, found, &folder)),
        PlanFormat::Markdown => report::refused_markdown(revision, found, &folder),
    }
}
