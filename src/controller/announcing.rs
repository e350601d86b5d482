//! Tells people what holds: gathers it every few seconds, has the rules of each channel decide what
//! of it is news, and has that delivered. Nothing that converges the fleet waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::warn;

use crate::announce::{Means, Postman};
use crate::board::Board;
use crate::clock::Clock;
use crate::controller::commit_statuses::CommitStatuses;
use crate::desired::Desired;
use crate::drift::signatures;
use crate::fleet::Channel;
use crate::ids::DocumentName;
use crate::journal::{Filter, Journal, JournalError};
use crate::moment::Moment;
use crate::report::HaltedRollout;
use crate::report::announcements::conditions::{self, Stuck};
use crate::report::announcements::{Condition, Facts, due};

/// How often what holds is gathered, at most.
const GATHER: Duration = Duration::from_secs(10);
/// Gathering takes at most one part in so many of the time: much trouble takes long to gather.
const SHARE: u32 = 20;
/// What time alone changes, such as an approval that expires, is noticed after so long.
const LATEST: Duration = Duration::from_secs(5 * 60);
/// After trouble with the journal; the controller itself cannot go on without it.
const AFTER_TROUBLE: Duration = Duration::from_secs(60);
/// How long a call under way is waited for at the end.
const GOODBYE: Duration = Duration::from_secs(5);

/// The announcements of a running controller, and what its git host is told; they end when this is
/// dropped.
pub(super) struct Announcements {
    task: JoinSet<()>,
    stop: watch::Sender<bool>,
    clock: Clock,
}

impl Announcements {
    /// Begins to announce.
    pub(super) fn begin(means: Means, board: Board, journal: Journal, clock: Clock) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut task = JoinSet::new();
        let (told, time) = (journal.clone(), clock.clone());
        let statuses = CommitStatuses::new(board.clone(), told, means.clone(), time);
        task.spawn(statuses.run(stopped.clone()));
        let postman = Postman { means, journal, clock: clock.clone() };
        task.spawn(Announcer::new(board, postman).run(stopped));
        Self { task, stop, clock }
    }

    /// Lets a message that is under way arrive and be noted, and ends.
    pub(super) async fn end(mut self) {
        // Nobody listens when it has ended.
        let _ = self.stop.send(true);
        tokio::select! {
            biased;
            () = async { while self.task.join_next().await.is_some() {} } => {}
            () = self.clock.sleep(GOODBYE) => {}
        }
    }
}

struct Announcer {
    board: Board,
    postman: Postman,
    /// What git says, as it was followed last.
    followed: Option<Arc<Desired>>,
    stacks: usize,
    accounts: usize,
    /// What holds, as it was gathered last.
    conditions: Vec<Condition>,
    /// What had been counted then, and when it was.
    gathered: Option<((u64, u64), Moment)>,
    gather_at: Moment,
    /// When there is something to send, by channel.
    send_at: BTreeMap<DocumentName, Moment>,
    /// Channels that are being told.
    busy: BTreeSet<DocumentName>,
    sending: JoinSet<(DocumentName, Result<Option<Moment>, JournalError>)>,
    /// The trouble that was said last.
    trouble: Option<String>,
}

impl Announcer {
    fn new(board: Board, postman: Postman) -> Self {
        Self {
            board,
            postman,
            followed: None,
            stacks: 0,
            accounts: 0,
            conditions: Vec::new(),
            gathered: None,
            gather_at: Moment::default(),
            send_at: BTreeMap::new(),
            busy: BTreeSet::new(),
            sending: JoinSet::new(),
            trouble: None,
        }
    }

    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let clock = self.postman.clock.clone();
        loop {
            let worked = self.work();
            self.after(worked);
            let next = self.next();
            tokio::select! {
                biased;
                // An error means that the controller is gone.
                _ = stop.changed() => break,
                Some(done) = self.sending.join_next() => self.sent(done),
                () = clock.sleep_until(next) => {}
            }
        }
        while self.sending.join_next().await.is_some() {}
    }

    /// Everything that is due now, but for the sending itself.
    fn work(&mut self) -> Result<(), JournalError> {
        let desired = self.board.view().desired;
        if self.followed.as_ref().is_none_or(|followed| !Arc::ptr_eq(followed, &desired)) {
            self.follow(&desired)?;
        }
        let now = self.postman.clock.now();
        if now >= self.gather_at {
            self.say(&desired, now)?;
            let took = self.postman.clock.now().since(now);
            self.gather_at = now + GATHER.max(took * SHARE);
        }
        for channel in &desired.fleet.notify {
            let is_due = self.send_at.get(&channel.name).is_some_and(|at| *at <= now);
            if is_due && self.busy.insert(channel.name.clone()) {
                self.send_at.remove(&channel.name);
                let (postman, channel) = (self.postman.clone(), channel.clone());
                self.sending.spawn(async move {
                    let next = postman.deliver(&channel).await;
                    (channel.name, next)
                });
            }
        }
        Ok(())
    }

    fn follow(&mut self, desired: &Arc<Desired>) -> Result<(), JournalError> {
        let channels = &desired.fleet.notify;
        let before = self.followed.as_ref().map(|followed| &followed.fleet.notify);
        if before != Some(channels) {
            let names: Vec<&str> = channels.iter().map(|channel| channel.name.as_str()).collect();
            self.postman.journal.keep_channels(&names)?;
            self.postman.check(channels)?;
            // What an earlier run left is sent.
            let now = self.postman.clock.now();
            self.send_at = channels.iter().map(|channel| (channel.name.clone(), now)).collect();
        }
        self.stacks = desired.all_standing().count();
        let accounts: BTreeSet<_> = desired.targets().map(|target| target.account).collect();
        self.accounts = accounts.len();
        self.followed = Some(Arc::clone(desired));
        Ok(())
    }

    /// Puts what is news for each channel into the outbox.
    fn say(&mut self, desired: &Desired, now: Moment) -> Result<(), JournalError> {
        if desired.fleet.notify.is_empty() {
            return Ok(());
        }
        let counted = (self.board.moves(), self.postman.journal.changes()?);
        let is_fresh =
            self.gathered.is_some_and(|(then, at)| then == counted && now.since(at) < LATEST);
        if !is_fresh {
            let said = self.gathered.is_none_or(|((_, changes), _)| changes != counted.1);
            if said {
                // A person may have mended a channel.
                let names = desired.fleet.notify.iter().map(|channel| channel.name.clone());
                self.send_at.extend(names.map(|name| (name, now)));
            }
            self.conditions = self.gather(now)?;
            self.gathered = Some((counted, now));
        }
        for channel in &desired.fleet.notify {
            if self.tell(channel, desired, now)? > 0 {
                self.send_at.insert(channel.name.clone(), now);
            }
        }
        Ok(())
    }

    fn tell(
        &self,
        channel: &Channel,
        desired: &Desired,
        now: Moment,
    ) -> Result<usize, JournalError> {
        let (fleet, conditions) = (desired.fleet.name.as_str(), self.conditions.as_slice());
        self.postman.journal.announce(channel.name.as_str(), |told, happenings| {
            due(channel, told, &Facts { fleet, conditions, happenings, now })
        })
    }

    /// All that holds, from what survives a restart.
    fn gather(&self, now: Moment) -> Result<Vec<Condition>, JournalError> {
        let journal = &self.postman.journal;
        let mut all = conditions::of_rollouts(&self.halted());
        let mut stuck = Vec::new();
        journal.for_each_stuck(|record| stuck.extend(Stuck::of(&record)))?;
        all.extend(conditions::of_failures(&stuck, self.stacks));
        all.extend(conditions::of_blind(&journal.blind_targets()?, self.accounts));
        all.extend(conditions::of_revision(journal.refused_revision()?.as_ref()));
        all.extend(conditions::of_origin(journal.origin()?.as_ref()));
        let steering = journal.steering(now)?;
        all.extend(conditions::of_requests(&journal.requests()?, &steering, now));
        let drifted = journal.drifts(&Filter::default(), true)?;
        all.extend(conditions::of_drift(&signatures(drifted.iter()), self.stacks));
        Ok(all)
    }

    fn halted(&self) -> Vec<HaltedRollout> {
        let rollouts = self.board.rollouts();
        let halted = rollouts.courses().filter_map(|(service, course)| {
            let run = course.state().running.as_ref()?;
            let halt = run.halt.as_ref()?;
            // Where all stacks take a release at once nothing is held back: what failed is told.
            if course.waves().len() == 1 && halt.by.is_none() && !halt.reverting {
                return None;
            }
            let (service, release) = (service.clone(), run.release);
            Some(HaltedRollout { service, release, halt: halt.clone() })
        });
        halted.collect()
    }

    fn sent(
        &mut self,
        done: Result<(DocumentName, Result<Option<Moment>, JournalError>), tokio::task::JoinError>,
    ) {
        let (name, next) = match done {
            Ok(done) => done,
            // A task that panicked must not leave its channel untold for ever.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        self.busy.remove(&name);
        let next = match next {
            Ok(next) => next,
            Err(error) => {
                self.after(Err(error));
                Some(self.postman.clock.now() + AFTER_TROUBLE)
            }
        };
        if let Some(at) = next {
            let sooner = self.send_at.get(&name).map_or(at, |known| (*known).min(at));
            self.send_at.insert(name, sooner);
        }
    }

    /// Trouble with the journal is said once and stops nobody here.
    fn after(&mut self, worked: Result<(), JournalError>) {
        let Err(error) = worked else { return };
        let text = error.to_string();
        if self.trouble.as_ref() != Some(&text) {
            warn!("announcements wait: {text}");
            self.trouble = Some(text);
        }
        self.gather_at = self.postman.clock.now() + AFTER_TROUBLE;
    }

    fn next(&self) -> Moment {
        let waiting = self.send_at.iter().filter(|(name, _)| !self.busy.contains(*name));
        let next = waiting.map(|(_, at)| *at).chain([self.gather_at]).min();
        // A clock that stands still must not make this turn in place.
        let soon = self.postman.clock.now() + Duration::from_millis(50);
        next.unwrap_or(soon).max(soon)
    }
}
