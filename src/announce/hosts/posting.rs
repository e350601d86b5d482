//! A plan goes to its pull request: the comments first, then the status, which nobody sees green
//! before the comments are there.

use crate::announce::Means;
use crate::announce::hosts::{Change, Client, HostError, Kept, SentStatus, keep};
use crate::clock::Clock;
use crate::report::CommitStatus;

/// What is posted.
pub struct PlanPost<'a> {
    /// The comments, in order; one at least.
    pub parts: &'a [String],
    /// Which part of this plan a comment is, counted from 1.
    pub part_of: &'a (dyn Fn(&str) -> Option<usize> + Sync),
    /// How the commit fares.
    pub status: &'a CommitStatus,
}

/// A host that would not go on, and what it had taken until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// What it would not do.
    pub error: HostError,
    /// The comments that were written before.
    pub kept: Kept,
}

/// Posts a plan within about two minutes.
pub async fn post(
    means: &Means,
    clock: &Clock,
    change: &Change,
    plan: &PlanPost<'_>,
) -> Result<Kept, Interrupted> {
    let mut kept = Kept::default();
    let done = write(means, clock, change, plan, &mut kept).await;
    done.map(|()| kept).map_err(|error| Interrupted { error, kept })
}

async fn write(
    means: &Means,
    clock: &Clock,
    change: &Change,
    plan: &PlanPost<'_>,
    kept: &mut Kept,
) -> Result<(), HostError> {
    let mut client = Client::new(means.post.clone(), clock.clone(), change.place.clone());
    keep(&mut client, change.number, plan.parts, plan.part_of, kept).await?;
    let head = match &change.head {
        Some(head) => head.clone(),
        None => client.head(change.number).await?,
    };
    client.go_to(change.status_place.clone());
    let sent = SentStatus {
        revision: &head,
        status: plan.status,
        link: change.link.as_deref(),
        pipeline: change.pipeline.as_deref(),
    };
    client.set_status(&sent).await
}
