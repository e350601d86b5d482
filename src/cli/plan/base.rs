//! Which revision a plan compares with: what the fleet stands at, as well as it can be known.

use crate::cli::Failure;
use crate::controller::checked;
use crate::desired::Desired;
use crate::git::{GitError, Source};
use crate::journal::Journal;
use crate::report::counted;
use crate::snapshot::Snapshot;

/// How many revisions before a refused one are tried.
const ANCESTORS: usize = 20;

/// What is compared with, and what a reader has to know about it.
pub(super) struct Base {
    /// `None`: there is nothing, everything is new.
    pub(super) desired: Option<Desired>,
    /// One sentence each.
    pub(super) notices: Vec<String>,
}

/// Chooses the base for `head`: `from`, else what the journal accepted last, else the commit before.
pub(super) fn choose(
    source: &Source,
    journal: Option<&Journal>,
    from: Option<&str>,
    head: &Snapshot,
) -> Result<Base, Failure> {
    if let Some(from) = from {
        return Ok(named(source, from, head)?);
    }
    let mut notices = Vec::new();
    if let Some(accepted) = journal.map(Journal::accepted_revision).transpose()?.flatten() {
        match source.read_at(accepted.revision.as_str()) {
            Ok(snapshot) => {
                let mut base = good(source, &snapshot);
                let waiting =
                    journal.map(Journal::requests).transpose()?.map_or(0, |all| all.len());
                if waiting > 0 {
                    base.notices.push(format!(
                        "{} for a person (`driftless approve`): not all stacks are at the revision that \
                         is compared with",
                        if waiting == 1 { "1 question waits".to_owned() } else { format!("{waiting} questions wait") }
                    ));
                }
                return Ok(base);
            }
            Err(_) => notices.push(format!(
                "the revision that was accepted last, {}, cannot be read any more",
                accepted.revision.short()
            )),
        }
    }
    if journal.is_none() && source.follows_git() {
        notices.push(
            "nothing was converged from here yet, so this is the change of one commit (`--from REV` \
             compares with another, `--live` with AWS)"
                .to_owned(),
        );
    }
    let mut base = before(source, head)?;
    base.notices.splice(0..0, notices);
    Ok(base)
}

/// The revision that somebody named, or what `head` has in common with it where others went on there
/// since: their changes are not undone by a merge.
fn named(source: &Source, from: &str, head: &Snapshot) -> Result<Base, GitError> {
    let older = source.revision_of(from)?;
    let common = source.common(&head.revision, &older)?;
    let (name, notices) = if common == older {
        (from.to_owned(), Vec::new())
    } else if common == head.revision {
        let notice = format!("{from} is newer than {}: this goes back", head.revision.short());
        (from.to_owned(), vec![notice])
    } else {
        let notice = format!(
            "{from} has commits that {} does not come from: compared with {}, the last one that they \
             have in common (merge or rebase to see both together)",
            head.revision.short(),
            common.short(),
        );
        (common.as_str().to_owned(), vec![notice])
    };
    let mut base = match source.read_at(&name) {
        Ok(snapshot) => good(source, &snapshot),
        Err(error) if has_no_fleet(&error) => nothing(format!("{from} has no fleet yet")),
        Err(error) => return Err(error),
    };
    base.notices.splice(0..0, notices);
    Ok(base)
}

/// The commit before `head`; for files as they lie, the commit that they lie over.
fn before(source: &Source, head: &Snapshot) -> Result<Base, GitError> {
    let name = if source.follows_git() {
        format!("{}~1", head.revision.as_str())
    } else {
        "HEAD".to_owned()
    };
    match source.read_at(&name) {
        Ok(snapshot) => Ok(good(source, &snapshot)),
        Err(GitError::OutsideGit { .. }) => Ok(nothing(
            "there is no git repository, and so no earlier revision (`--live` compares with AWS)"
                .to_owned(),
        )),
        Err(GitError::NoCommit { .. }) => Ok(nothing("there is no commit yet".to_owned())),
        Err(GitError::UnknownRevision { .. }) => {
            Ok(nothing(format!("there is no commit before {}", head.revision.short())))
        }
        Err(error) if has_no_fleet(&error) => {
            Ok(nothing("the commit before has no fleet yet".to_owned()))
        }
        Err(error) => Err(error),
    }
}

/// Whether the commit is there, and the fleet in it is not: that of whoever adds the fleet.
fn has_no_fleet(error: &GitError) -> bool {
    matches!(
        error,
        GitError::NotCommitted { .. }
            | GitError::FolderMissing { .. }
            | GitError::RemoteFolderMissing { .. }
            | GitError::Empty { .. }
    )
}

fn nothing(why: String) -> Base {
    Base { desired: None, notices: vec![format!("{why}; everything is shown as new")] }
}

/// The snapshot, or the nearest one before it that has no errors: one with errors was never
/// applied, so the fleet does not stand there.
fn good(source: &Source, snapshot: &Snapshot) -> Base {
    let found = checked(snapshot);
    if found.desired.is_some() {
        return Base { desired: found.desired, notices: Vec::new() };
    }
    let errors = found.findings.iter().filter(|finding| finding.is_error()).count();
    let refused = snapshot.revision.short();
    let why = format!("{refused} has {} and so was never applied", counted(errors, "error"));
    for generation in 1..=ANCESTORS {
        let name = format!("{}~{generation}", snapshot.revision.as_str());
        let Ok(earlier) = source.read_at(&name) else { break };
        if let Some(desired) = checked(&earlier).desired {
            let revision = earlier.revision.short();
            let notice = format!("{why}: compared with {revision}, the nearest good one before it");
            return Base { desired: Some(desired), notices: vec![notice] };
        }
    }
    nothing(format!("{why}, and no revision before it is good"))
}
