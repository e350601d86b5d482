//! Tells the git host how the commit fares that is converged, seldom, and that one was refused.
//! Nothing that converges the fleet waits for it, and a host that fails stops nothing.

use std::time::Duration;

use tokio::sync::watch;
use tracing::{info, warn};

use crate::announce::Means;
use crate::announce::hosts::{Client, HostError, Place, SentStatus};
use crate::board::Board;
use crate::clock::Clock;
use crate::desired::Desired;
use crate::ids::Revision;
use crate::journal::{Journal, JournalError, Told};
use crate::moment::Moment;
use crate::report::{CommitStatus, FleetCounts, ToldCommit, due_at};

/// How often is looked at how the fleet stands.
const LOOK: Duration = Duration::from_secs(10);
/// The first pause after a host or the journal failed, and the longest: a person may have to mend it.
const AFTER_FAILURE: Duration = Duration::from_secs(5 * 60);
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// What a commit shall say, and since when it should.
#[derive(Clone, Debug)]
struct Held {
    revision: Revision,
    status: CommitStatus,
    since: Moment,
}

/// Why nothing was told, a sentence without any secret, and what to do about it.
struct Untold {
    why: String,
    help: Option<String>,
}

impl From<String> for Untold {
    fn from(why: String) -> Self {
        Self { why, help: None }
    }
}

impl From<JournalError> for Untold {
    fn from(error: JournalError) -> Self {
        error.to_string().into()
    }
}

impl From<HostError> for Untold {
    fn from(error: HostError) -> Self {
        Self { why: error.to_string(), help: Some(error.help) }
    }
}

/// Keeps the statuses of a running controller's commits.
pub(super) struct CommitStatuses {
    board: Board,
    journal: Journal,
    means: Means,
    clock: Clock,
    held: Option<Held>,
    /// What went wrong last, as it was said, and how long the host is left alone after it.
    trouble: Option<String>,
    pause: Duration,
    not_before: Moment,
}

impl CommitStatuses {
    pub(super) fn new(board: Board, journal: Journal, means: Means, clock: Clock) -> Self {
        Self {
            board,
            journal,
            means,
            clock,
            held: None,
            trouble: None,
            pause: AFTER_FAILURE,
            not_before: Moment::default(),
        }
    }

    /// Goes on until `stop` changes; a call that is under way is finished.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            if self.clock.now() >= self.not_before
                && let Err(untold) = self.pass().await
            {
                self.fail(untold);
            }
            let next = (self.clock.now() + LOOK).max(self.not_before);
            tokio::select! {
                biased;
                // An error means that the controller is gone.
                _ = stop.changed() => break,
                () = self.clock.sleep_until(next) => {}
            }
        }
    }

    /// Says what is due.
    async fn pass(&mut self) -> Result<(), Untold> {
        let desired = self.board.view().desired;
        let Some(project) = &desired.fleet.commit_status else { return Ok(()) };
        let context = format!("driftless/{}", desired.fleet.name);
        let mut due = Vec::new();
        let held = self.hold(&desired, &context);
        due.extend(self.due(Told::Accepted, held.revision, held.status, held.since)?);
        if let Some(refused) = self.journal.refused_revision()? {
            let status = CommitStatus::of_refusal(&context, &refused.findings, refused.count);
            due.extend(self.due(Told::Refused, refused.revision, status, refused.at)?);
        }
        let mut failed = None;
        for (which, told) in due {
            let place = Place::of(project, &self.means.environment)?;
            match self.send(place, &told).await {
                Ok(()) => self.journal.note_told_commit(which, &told)?,
                // A commit that the host does not have, or will not hear about, keeps no other waiting.
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// The status to send now, if it is due and the revision is a commit.
    fn due(
        &self,
        which: Told,
        revision: Revision,
        status: CommitStatus,
        since: Moment,
    ) -> Result<Option<(Told, ToldCommit)>, JournalError> {
        let told = self.journal.told_commit(which)?;
        let now = self.clock.now();
        let due = due_at(told.as_ref(), &revision, &status, since);
        if !is_commit(&revision) || due.is_none_or(|at| at > now) {
            return Ok(None);
        }
        let before = told.filter(|told| told.revision == revision).map_or(0, |told| told.count);
        // After a restart nothing is known to be well until it was looked at, which is no news.
        if which == Told::Accepted && before > 0 && !self.board.has_seen_all() {
            return Ok(None);
        }
        Ok(Some((which, ToldCommit { revision, status, at: now, count: before + 1 })))
    }

    /// What the commit shall say that is converged.
    fn hold(&mut self, desired: &Desired, context: &str) -> Held {
        let now = self.clock.now();
        let status = CommitStatus::of_fleet(context, &self.counts(desired, now));
        let revision = desired.revision.clone();
        let same = self.held.take().filter(|h| h.revision == revision && h.status == status);
        let held = same.unwrap_or(Held { revision, status, since: now });
        self.held = Some(held.clone());
        held
    }

    fn counts(&self, desired: &Desired, now: Moment) -> FleetCounts {
        let standing = self.board.standing(now);
        let total = standing.total();
        FleetCounts {
            wanted: desired.all_standing().count(),
            settled: total.settled,
            left_alone: total.left_alone,
            waiting: total.waiting,
            stuck: total.stuck,
            blind: standing.blind,
            unseen: standing.unseen,
            in_flight: standing.in_flight,
        }
    }

    async fn send(&mut self, place: Place, told: &ToldCommit) -> Result<(), HostError> {
        let (host, repository) = (place.host.name(), place.to_string());
        let mut client = Client::new(self.means.post.clone(), self.clock.clone(), place);
        let (revision, status) = (&told.revision, &told.status);
        let sent = SentStatus { revision, status, link: None, pipeline: None };
        client.set_status(&sent).await?;
        if self.trouble.take().is_some() {
            info!("{host} takes the statuses of commits of {repository} again");
        }
        self.pause = AFTER_FAILURE;
        Ok(())
    }

    /// Trouble is said once and stops nobody.
    fn fail(&mut self, untold: Untold) {
        let Untold { why, help } = untold;
        self.not_before = self.clock.now() + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        if self.trouble.as_ref() != Some(&why) {
            let help = help.map(|help| format!("; {help}")).unwrap_or_default();
            warn!("the git host is not told how the commit fares: {why}{help}");
            self.trouble = Some(why);
        }
    }
}

/// Whether a revision is the id of a commit, and not a folder outside git or files as they lie.
fn is_commit(revision: &Revision) -> bool {
    let id = revision.as_str();
    [40, 64].contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}
