//! The loop: keeps every target converged on the newest good revision until it is told to stop.

mod announcing;
mod commit_statuses;
mod lengths;
mod queue;
mod revisions;
mod rollouts;
mod uploads;
mod wake;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::announce::Means;
use crate::aws::Aws;
use crate::board::{Board, Progress, Standing, View};
use crate::clock::Clock;
use crate::controller::announcing::Announcements;
use crate::controller::uploads::Uploads;
use crate::controller::workers::Workers;
use crate::desired::Desired;
use crate::git::{Fetching, GitError, Source};
use crate::ids::{Revision, ServiceName, Target};
use crate::journal::{Journal, JournalError};
use crate::moment::Moment;
use crate::plan::ApprovalRequest;
use crate::reconcile::{Class, Next, Only, Reconciler};
use crate::rollout::Rollout;

pub use queue::Queue;
pub use revisions::{Checked, changed_targets, checked, checked_after};
pub use wake::Refusal;

/// How often the journal is asked whether people said something: within a second, in time.
const STEERING_PERIOD: Duration = Duration::from_millis(500);

/// What a controller works with.
pub struct Settings {
    /// Where the fleet is read from.
    pub source: Source,
    /// The cloud.
    pub aws: Aws,
    /// What survives. Its lock for acting is held by the caller.
    pub journal: Journal,
    /// The time.
    pub clock: Clock,
    /// The shortest pause between two looks at a target while something moves.
    pub look_every: Duration,
    /// Where news go.
    pub news: UnboundedSender<Progress>,
    /// How channels of the Fleet document are told; `None`: they are not. Whoever converges once
    /// tells a person anyway, and nobody else.
    pub announcing: Option<Means>,
}

/// When the loop ends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Until {
    /// Never: it watches git for new revisions.
    Stopped,
    /// When nothing is left to do, in these tenants or in all.
    AtRest {
        /// What is converged.
        only: Only,
    },
}

/// Why the loop could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// The journal cannot be written: nothing may be started that would be forgotten.
    #[error("the journal cannot be used")]
    Journal(#[from] JournalError),
    /// The fleet cannot be read, and there is no earlier revision to go on with.
    #[error("the fleet cannot be read")]
    Git(#[from] GitError),
    /// The revision has errors, and there is no earlier one to go on with.
    #[error("{}", .0.why)]
    Refused(Box<Refusal>),
}

/// The running loop.
struct Controller {
    settings: Settings,
    board: Board,
    reconciler: Reconciler,
    queue: Queue,
    workers: Workers,
    tasks: JoinSet<(Target, Result<Next, JournalError>)>,
    uploads: Uploads,
    until: Until,
    /// Counts what people said, so that a change of it is noticed.
    steered: u64,
    /// The revision that was looked at last, good or not.
    considered: Option<crate::ids::Revision>,
    had_seen_all: bool,
    /// Whether the journal has seen every target.
    knows_fleet: bool,
    /// What people are asked, as it was written down last; `None` before the first time, when the
    /// journal may hold what an earlier run asked.
    asked: Option<Vec<ApprovalRequest>>,
    /// The refused revision, where it may be approved.
    revision_request: Option<ApprovalRequest>,
    /// Why the newest revision was refused, as it was said last.
    refused: Option<String>,
    told: Standing,
    /// Waves that people were asked about.
    asked_waves: BTreeSet<String>,
    /// The rollouts as they were written down last.
    kept_rollouts: BTreeMap<ServiceName, Rollout>,
    /// The revision whose releases the journal knows.
    rolled_out: Option<Revision>,
    lengths: lengths::Written,
}

/// Converges the fleet until `until`, or until `shutdown` resolves and running calls have ended.
pub async fn run(
    settings: Settings,
    until: Until,
    shutdown: impl Future<Output = ()>,
) -> Result<Standing, ControllerError> {
    let mut controller = Controller::start(settings, until)?;
    let announcements = controller.announcements();
    tokio::pin!(shutdown);
    let mut hints = controller.settings.source.watch()?;
    let follows = controller.until == Until::Stopped;
    controller.note_origin()?;
    let mut fetching = follows.then(|| controller.keep_fetching()).flatten();
    let mut listening = tokio::time::interval(STEERING_PERIOD);
    listening.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        controller.start_what_is_due();
        if controller.is_done() {
            break;
        }
        let clock = controller.settings.clock.clone();
        let due = [controller.next_start(), controller.next_upload()].into_iter().flatten().min();
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            // What people and git say goes before work that is done, or a busy fleet would not hear.
            _ = listening.tick() => controller.listen()?,
            () = hints.changed(), if follows => controller.consider_newest()?,
            () = fetched(&mut fetching) => {
                controller.note_origin()?;
                controller.consider_newest()?;
            }
            Some(done) = controller.tasks.join_next() => controller.finished(done)?,
            ended = controller.uploads.ended() => controller.uploaded(&ended),
            () = until_due(&clock, due), if due.is_some() => {}
        }
    }
    drop(fetching);
    let ended = controller.drain().await;
    if let Some(announcements) = announcements {
        announcements.end().await;
    }
    ended
}

/// Returns after a fetch; never where nothing is fetched.
async fn fetched(fetching: &mut Option<Fetching>) {
    match fetching {
        Some(fetching) => drop(fetching.ended().await),
        None => std::future::pending().await,
    }
}

/// Returns when the moment comes.
async fn until_due(clock: &Clock, due: Option<Moment>) {
    if let Some(due) = due {
        clock.sleep_until(due).await;
    }
}

impl Controller {
    fn start(settings: Settings, until: Until) -> Result<Self, ControllerError> {
        let (good, refused) = wake::first_revision(&settings, &until)?;
        // What was read, not what the ref points at by now: a commit in between is not lost.
        let considered = match &refused {
            Some(refusal) => refusal.revision.clone().filter(|_| !refusal.may_pass),
            None => Some(good.desired.revision.clone()),
        };
        let now = settings.clock.now();
        let view = View {
            desired: Arc::new(good.desired),
            steering: Arc::new(settings.journal.steering(now)?),
            last_words: Arc::new(settings.journal.last_words()?),
        };
        let mut targets: BTreeSet<Target> = settings.journal.targets_with_stacks()?;
        let is_fresh = !settings.journal.knows_fleet(now)?;
        targets.extend(view.desired.targets().cloned());
        let swept = crate::observe::swept_targets(&view.desired);
        if is_fresh {
            // Nobody remembers which stacks stand where, so all places are looked at first.
            targets.extend(swept.iter().cloned());
        }
        targets.retain(|target| until.includes(&view.desired, target));
        let board = Board::new(view.clone(), targets.clone(), is_fresh, settings.news.clone());
        let reconciler = Reconciler {
            aws: settings.aws.clone(),
            journal: settings.journal.clone(),
            clock: settings.clock.clone(),
            board: board.clone(),
            look_every: settings.look_every,
            only: until.only(),
        };
        let mut controller = Self {
            steered: settings.journal.changes()?,
            considered,
            had_seen_all: board.has_seen_all(),
            knows_fleet: !is_fresh,
            asked: None,
            revision_request: None,
            refused: None,
            told: Standing::default(),
            asked_waves: BTreeSet::new(),
            kept_rollouts: BTreeMap::new(),
            rolled_out: None,
            lengths: lengths::Written::at(now),
            tasks: JoinSet::new(),
            uploads: Uploads::of(&settings),
            queue: Queue::default(),
            workers: Workers::default(),
            settings,
            board,
            reconciler,
            until,
        };
        let marks = controller.recall(&view.desired)?;
        controller.recall_lengths()?;
        for target in &targets {
            controller.queue.add(target, Next { at: now, class: Class::Changed });
        }
        controller.plan_sweeps(&swept);
        controller.announce_start(&view.desired, good.warnings, targets, refused);
        controller.order_uploads(&view.desired);
        controller.recall_rollouts(&view.desired, &marks)?;
        controller.obey_orders()?;
        Ok(controller)
    }

    /// Whoever goes on for ever announces, if it has the means.
    fn announcements(&self) -> Option<Announcements> {
        let means = self.settings.announcing.clone().filter(|_| self.until == Until::Stopped)?;
        let (journal, clock) = (self.settings.journal.clone(), self.settings.clock.clone());
        Some(Announcements::begin(means, self.board.clone(), journal, clock))
    }

    fn start_what_is_due(&mut self) {
        self.start_uploads();
        let now = self.settings.clock.now();
        for target in self.board.next_in_line() {
            self.queue.add(&target, Next { at: now, class: Class::InFlight });
        }
        while self.workers.free_at(now) == Some(now) && !self.board.is_stopped() {
            let Some(target) = self.queue.take(now) else { break };
            self.workers.begin(&target, now);
            let reconciler = self.reconciler.clone();
            self.tasks.spawn(async move {
                let next = reconciler.reconcile(&target).await;
                (target, next)
            });
        }
    }

    /// When the next target can be handled if nothing else happens before.
    fn next_start(&mut self) -> Option<Moment> {
        let free_at = self.workers.free_at(self.settings.clock.now())?;
        Some(self.queue.next_due()?.max(free_at))
    }

    fn finished(
        &mut self,
        done: Result<(Target, Result<Next, JournalError>), tokio::task::JoinError>,
    ) -> Result<(), ControllerError> {
        let (target, next) = match done {
            Ok(done) => done,
            // A worker that panicked must not leave its target unattended for ever.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        self.workers.end(&target);
        self.queue.finish(&target, next?);
        let woken = self.board.take_woken();
        self.wake(&woken);
        if !self.had_seen_all && self.board.has_seen_all() {
            self.had_seen_all = true;
            if self.until.only().tenants.is_empty() {
                self.settings.journal.note_round(self.settings.clock.now())?;
            }
            self.wake_everything();
        }
        self.note_known()?;
        self.advance_rollouts()
    }

    /// Writes down once that every target has been seen; a blind one may be the last.
    fn note_known(&mut self) -> Result<(), ControllerError> {
        if self.knows_fleet || !self.until.only().tenants.is_empty() || !self.board.knows_all() {
            return Ok(());
        }
        self.settings.journal.note_fleet_known(self.settings.clock.now())?;
        self.knows_fleet = true;
        // What was held because it was not known is decided anew.
        self.wake_everything();
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.until != Until::Stopped
            && self.had_seen_all
            && self.queue.is_at_rest()
            && self.board.stock().is_at_rest()
            && !self.rollouts_go_on()
    }

    fn tell_standing(&mut self) {
        let now = self.settings.clock.now();
        let standing = self.board.standing(now);
        let same = Standing { at: self.told.at, ..standing.clone() } == self.told;
        if !same {
            self.told = standing.clone();
            self.board.tell(Progress::Standing(standing));
        }
    }

    /// Starts nothing more and waits for the calls that are under way. What runs in AWS goes on,
    /// and is found again by looking.
    async fn drain(mut self) -> Result<Standing, ControllerError> {
        self.board.stop();
        // What is half sent is nowhere: S3 shows an object when all of it has arrived.
        self.uploads.break_off();
        if !self.tasks.is_empty() {
            self.board.tell(Progress::Stopping { busy: self.tasks.len() });
        }
        while let Some(done) = self.tasks.join_next().await {
            if let Ok((_, next)) = done {
                next?;
            }
        }
        self.note_known()?;
        self.write_requests()?;
        self.write_lengths()?;
        self.write_spent()?;
        let standing = self.board.standing(self.settings.clock.now());
        self.board.tell(Progress::Standing(standing.clone()));
        Ok(standing)
    }
}

impl Until {
    fn only(&self) -> Only {
        match self {
            Self::Stopped => Only::default(),
            Self::AtRest { only } => only.clone(),
        }
    }

    /// Whether a target is handled at all.
    fn includes(&self, desired: &Desired, target: &Target) -> bool {
        let Self::AtRest { only } = self else { return true };
        only.tenants.is_empty()
            || desired
                .tenant_of(&target.account)
                .is_some_and(|tenant| only.tenants.contains(&tenant.name))
    }
}
