//! `plan --post`: the plan as the comment of its pull request, and a status of the commit.

use std::io::{self, Write as _};

use clap::ValueEnum;

use crate::announce::hosts::{Change, GitHost, Interrupted, PlanPost, Trouble, Unposted, post};
use crate::cli::Failure;
use crate::cli::converge::{means, runtime};
use crate::clock::Clock;
use crate::fleet::Finding;
use crate::ids::Revision;
use crate::plan::preview::Preview;
use crate::report::plan as report;
use crate::settings::Settings;

/// The git hosts that a plan can be posted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PostTo {
    /// A pull request of GitHub, or of an enterprise server of it
    Github,
    /// A merge request of GitLab, or of an own server of it
    Gitlab,
}

/// A plan as far as it could be made.
#[derive(Clone, Copy)]
pub(super) enum Made<'a> {
    /// What would change.
    Plan(&'a Preview),
    /// The revision has errors.
    Refusal(&'a Revision, &'a [Finding]),
}

/// What became of the comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Posted {
    /// It is there.
    There,
    /// Nothing may be written from here: it is to be printed instead.
    Nowhere,
}

/// Posts a plan, and says on stderr what came of it.
pub(super) fn to_host(
    to: PostTo,
    made: Made<'_>,
    settings: &Settings,
    clock: &Clock,
) -> Result<Posted, Failure> {
    let host = match to {
        PostTo::Github => GitHost::GitHub,
        PostTo::Gitlab => GitHost::GitLab,
    };
    let means = means();
    let change = match Change::of(host, &means.environment) {
        Ok(change) => change,
        Err(Unposted::NoToken(why)) => return Ok(nowhere(&why)),
        Err(Unposted::Unclear { what, help }) => return Err(Failure::new(what, help)),
    };
    let folder = settings.fleet_folder().display().to_string();
    let limit = host.comment_limit();
    let (parts, status) = match made {
        Made::Plan(preview) => {
            (report::comments(preview, &folder, limit), report::status(preview, &folder))
        }
        Made::Refusal(revision, findings) => (
            report::refused_comments(revision, findings, &folder, limit),
            report::refused_status(findings, &folder),
        ),
    };
    let part_of = |comment: &str| report::part_of(comment, &folder);
    let plan = PlanPost { parts: &parts, part_of: &part_of, status: &status };
    match runtime()?.block_on(post(&means, clock, &change, &plan)) {
        Ok(kept) => {
            let (number, place) = (change.number, &change.place);
            say(&format!("posted to {place} number {number}: {kept}; status `{}`", status.context));
            Ok(Posted::There)
        }
        Err(Interrupted { error, .. })
            if change.is_fork && matches!(error.trouble, Trouble::Rights | Trouble::Missing) =>
        {
            Ok(nowhere(&format!("the change comes from a fork, and {error}")))
        }
        Err(Interrupted { error, kept }) => {
            let mut failure = Failure::from(error);
            failure.causes.push(format!("until then: {kept}"));
            Err(failure)
        }
    }
}

fn nowhere(why: &str) -> Posted {
    say(&format!("not posted, printed instead: {why}"));
    Posted::Nowhere
}

fn say(text: &str) {
    // Nobody is left to tell when this fails.
    let _ = writeln!(io::stderr(), "{text}");
}
