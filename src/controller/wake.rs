//! What wakes targets besides their own time: a new revision, a person's word, the daily sweep.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::board::Progress;
use crate::controller::{
    Controller, ControllerError, Settings, Until, changed_targets, checked, checked_after,
};
use crate::desired::Desired;
use crate::fleet::{Finding, Severity};
use crate::git::{Fetching, GitError};
use crate::ids::{Revision, StackKey, Target};
use crate::journal::{AcceptedRevision, RefusedRevision};
use crate::moment::Moment;
use crate::outcome::{Mark, OnRemoval};
use crate::package::Packaged;
use crate::plan::looking::SWEEP;
use crate::plan::{ApprovalKind, ApprovalRequest, StackRecord, cooldown};
use crate::reconcile::{Class, Next, Only};
use crate::snapshot::Snapshot;

/// Why a revision is not converged.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Which; unknown when nothing could be read.
    pub revision: Option<Revision>,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
    /// Why, in a sentence.
    pub why: String,
    /// What a person could approve.
    pub request: Option<ApprovalRequest>,
    /// Whether the same revision may be good later, though nothing moves in git.
    pub may_pass: bool,
}

impl Refusal {
    /// What people read: the findings, or why there are none.
    pub fn text(&self) -> String {
        if self.findings.is_empty() {
            return self.why.clone();
        }
        let line = |finding: &Finding| {
            let Finding { path, line, column, message, .. } = finding;
            format!("{path}:{line}:{column}: {message}\n")
        };
        self.findings.iter().map(line).collect()
    }
}

/// A revision that nothing speaks against.
pub(super) struct Good {
    pub(super) desired: Desired,
    pub(super) committed_at: Option<Moment>,
    pub(super) warnings: Vec<Finding>,
}

/// The revision to begin with: the newest, or for a controller that goes on for ever the last good
/// one when the newest is refused.
pub(super) fn first_revision(
    settings: &Settings,
    until: &Until,
) -> Result<(Good, Option<Refusal>), ControllerError> {
    let refusal = match acceptable(&Packaged::default(), settings) {
        Ok(good) => {
            accept(settings, &good)?;
            return Ok((good, None));
        }
        Err(refusal) => refusal,
    };
    refuse(settings, &refusal)?;
    if *until != Until::Stopped {
        return Err(ControllerError::Refused(Box::new(refusal)));
    }
    let last_good = settings.journal.accepted_revision()?;
    let last_good = last_good.and_then(|accepted| {
        let snapshot = settings.source.read_at(accepted.revision.as_str()).ok()?;
        let found = checked(&snapshot);
        let committed_at = snapshot.committed_at;
        Some(Good { desired: found.desired?, committed_at, warnings: found.findings })
    });
    match last_good {
        Some(good) => Ok((good, Some(refusal))),
        None => Err(ControllerError::Refused(Box::new(refusal))),
    }
}

/// An error with all that led to it, in one line.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

/// The newest revision, if nothing speaks against converging it.
fn acceptable(before: &Packaged, settings: &Settings) -> Result<Good, Refusal> {
    let unreadable = |error: &GitError| Refusal {
        revision: error.refused().cloned(),
        findings: Vec::new(),
        why: with_sources(error),
        request: None,
        may_pass: !error.is_of_the_commit(),
    };
    let snapshot = settings.source.read().map_err(|error| unreadable(&error))?;
    descent(settings, &snapshot)?;
    let found = checked_after(before, &snapshot);
    match found.desired {
        Some(desired) => {
            Ok(Good { desired, committed_at: snapshot.committed_at, warnings: found.findings })
        }
        None => {
            let errors = found.findings.iter().filter(|one| one.severity == Severity::Error);
            Err(Refusal {
                revision: Some(snapshot.revision.clone()),
                why: format!("{} has {} errors", snapshot.revision.short(), errors.count()),
                findings: found.findings,
                request: None,
                may_pass: false,
            })
        }
    }
}

/// A revision that does not descend from the last one was not made on top of it: somebody rewrote
/// history, or went back to an old state.
fn descent(settings: &Settings, snapshot: &Snapshot) -> Result<(), Refusal> {
    let refused = |why: String, request| Refusal {
        revision: Some(snapshot.revision.clone()),
        findings: Vec::new(),
        why,
        request,
        may_pass: false,
    };
    let accepted = settings.journal.accepted_revision();
    let accepted = accepted.map_err(|error| refused(error.to_string(), None))?;
    let Some(accepted) = accepted.filter(|_| settings.source.follows_git()) else { return Ok(()) };
    let (old, new) = (&accepted.revision, &snapshot.revision);
    match settings.source.is_descendant(new, old) {
        Ok(true) => return Ok(()),
        Ok(false) if old == new => return Ok(()),
        Ok(false) => {}
        // Not known, and asked again: nobody can approve an error.
        Err(error) => {
            let why = with_sources(&error);
            return Err(Refusal { revision: None, may_pass: true, ..refused(why, None) });
        }
    }
    let member = new.to_string();
    let now = settings.clock.now();
    let steering = settings.journal.steering(now);
    let steering = steering.map_err(|error| refused(error.to_string(), None))?;
    if steering.approves(ApprovalKind::Revision, &member, now) {
        return Ok(());
    }
    let why =
        format!("{} does not descend from {}, which was converged last", new.short(), old.short());
    let members = BTreeSet::from([member]);
    let request = ApprovalRequest::of(ApprovalKind::Revision, members, why.clone());
    Err(refused(why, Some(request)))
}

fn accept(settings: &Settings, good: &Good) -> Result<(), ControllerError> {
    let (desired, committed_at) = (&good.desired, good.committed_at);
    let accepted = AcceptedRevision {
        revision: desired.revision.clone(),
        committed_at,
        at: settings.clock.now(),
    };
    let services = desired.services.iter();
    let words = services.map(|(name, service)| (name.clone(), service.on_removal));
    settings.journal.accept_revision(&accepted, words.collect())?;
    settings.source.keep(&desired.revision);
    Ok(())
}

fn refuse(settings: &Settings, refusal: &Refusal) -> Result<(), ControllerError> {
    let revision = refusal.revision.clone().unwrap_or_else(|| Revision::of("unreadable"));
    settings.journal.refuse_revision(&RefusedRevision {
        revision,
        findings: refusal.text(),
        count: refusal.findings.iter().filter(|one| one.severity == Severity::Error).count(),
        at: settings.clock.now(),
    })?;
    if let Some(request) = &refusal.request {
        settings.journal.put_request(request, settings.clock.now())?;
    }
    Ok(())
}

fn accepted(desired: &Desired, changed: BTreeSet<Target>, warnings: Vec<Finding>) -> Progress {
    let tenants: BTreeSet<_> = desired.all_standing().map(|wanted| &wanted.tenant.name).collect();
    Progress::Accepted {
        revision: desired.revision.clone(),
        stacks: desired.all_standing().count(),
        tenants: tenants.len(),
        changed,
        warnings,
    }
}

/// Whether a service that retained what was dropped now has it deleted.
fn says_delete_anew(before: &Desired, after: &Desired) -> bool {
    after.services.iter().any(|(name, service)| {
        service.on_removal == OnRemoval::Delete
            && before.services.get(name).is_none_or(|old| old.on_removal != OnRemoval::Delete)
    })
}

impl Controller {
    /// Tells the board what the journal remembers, before anything is looked at.
    /// Returns how each stack stood in its rollout.
    pub(super) fn recall(
        &mut self,
        desired: &Desired,
    ) -> Result<BTreeMap<StackKey, Mark>, ControllerError> {
        let mut marks = BTreeMap::new();
        for target in self.settings.journal.targets_with_stacks()? {
            let rows = self.rows(&target)?;
            self.board.recall(&target, &rows, desired);
            self.board.recall_running(&target, &rows);
            marks.extend(rows.into_iter().map(|row| (row.key, row.memory.mark)));
        }
        Ok(marks)
    }

    /// What the journal remembers of a target, with what services said since it was looked at.
    fn rows(&self, target: &Target) -> Result<Vec<StackRecord>, ControllerError> {
        let words = self.board.view().last_words;
        let mut rows: Vec<_> = self.settings.journal.stacks_in(target)?.into_values().collect();
        rows.iter_mut().for_each(|row| row.memory.hear(&words));
        Ok(rows)
    }

    /// Spreads the sweeps over the day.
    pub(super) fn plan_sweeps(&mut self, swept: &BTreeSet<Target>) {
        if self.until != Until::Stopped {
            return;
        }
        let now = self.settings.clock.now();
        let known = self.queue.targets();
        for target in swept.difference(&known) {
            // A fifth of five days is spread evenly over one.
            let at = now + (cooldown::spread(&target.to_string(), SWEEP * 5) - SWEEP * 5);
            self.queue.add(target, Next { at, class: Class::Resync });
        }
    }

    pub(super) fn announce_start(
        &mut self,
        desired: &Desired,
        warnings: Vec<Finding>,
        changed: BTreeSet<Target>,
        refused: Option<Refusal>,
    ) {
        self.board.tell(accepted(desired, changed, warnings));
        if let Some(refusal) = refused {
            self.tell_refusal(refusal);
        }
    }

    fn tell_refusal(&mut self, refusal: Refusal) {
        let Refusal { revision, findings, why, request, .. } = refusal;
        self.refused = Some(why.clone());
        self.board.tell(Progress::Refused { revision, findings, why });
        self.revision_request.clone_from(&request);
        if let Some(request) = request {
            self.board.tell(Progress::Asked(request));
        }
    }

    /// Fetches beside the loop, where something has to be fetched.
    pub(super) fn keep_fetching(&self) -> Option<Fetching> {
        let Settings { source, clock, journal, .. } = &self.settings;
        source.keep_fetching(clock.clone(), journal.controller_id())
    }

    /// Writes down how fetching gets on, for whoever asks how the fleet stands.
    pub(super) fn note_origin(&self) -> Result<(), ControllerError> {
        Ok(self.settings.journal.note_origin(self.settings.source.origin().as_ref())?)
    }

    /// Looks whether git has something new, and takes it if it is good.
    pub(super) fn consider_newest(&mut self) -> Result<(), ControllerError> {
        let head = self.settings.source.head().ok();
        if head.is_some() && head == self.considered {
            return Ok(());
        }
        self.consider(head)
    }

    fn consider(&mut self, head: Option<Revision>) -> Result<(), ControllerError> {
        self.considered = head;
        let before = self.board.view().desired;
        match acceptable(&before.packaged, &self.settings) {
            Ok(good) => {
                accept(&self.settings, &good)?;
                self.take_over(good)
            }
            // A repository that stays unreadable is asked again at each poll, and said once.
            Err(refusal) if self.refused.as_ref() == Some(&refusal.why) => {
                self.forget_unread(&refusal);
                Ok(())
            }
            Err(refusal) => {
                self.forget_unread(&refusal);
                refuse(&self.settings, &refusal)?;
                self.tell_refusal(refusal);
                Ok(())
            }
        }
    }

    /// A revision that could not be read is read again at the next poll, though no ref moves, and so
    /// is one that nobody signed who may: more may, once they are written down.
    fn forget_unread(&mut self, refusal: &Refusal) {
        if refusal.may_pass {
            self.considered = None;
        }
    }

    fn take_over(&mut self, good: Good) -> Result<(), ControllerError> {
        let Good { desired, warnings, .. } = good;
        let before = self.board.view().desired;
        let mut changed = changed_targets(&before, &desired);
        if says_delete_anew(&before, &desired) {
            // Stacks that were dropped long ago may wait to be deleted from now on, in targets that
            // nobody wants any more.
            changed.extend(self.settings.journal.targets_with_stacks()?);
        }
        let desired = Arc::new(desired);
        // The gates first: nobody may take what is new before they are asked.
        self.want_rollouts(&desired)?;
        let last_words = Arc::new(self.settings.journal.last_words()?);
        self.board.want(Arc::clone(&desired), last_words, &changed);
        (self.revision_request, self.refused) = (None, None);
        for target in &changed {
            let rows = self.rows(target)?;
            self.board.recall(target, &rows, &desired);
        }
        self.board.tell(accepted(&desired, changed.clone(), warnings));
        self.order_uploads(&desired);
        self.wake(&changed);
        self.advance_rollouts()?;
        self.plan_sweeps(&crate::observe::swept_targets(&desired));
        Ok(())
    }

    /// Notices what people said through other processes, and refreshes what they are asked.
    pub(super) fn listen(&mut self) -> Result<(), ControllerError> {
        self.settings.journal.still_there()?;
        self.advance_rollouts()?;
        let changes = self.settings.journal.changes()?;
        let now = self.settings.clock.now();
        self.note_lengths()?;
        let asks_anew = self.ask_for_waves();
        if self.board.has_moved() || self.revision_request.is_some() || asks_anew {
            self.tell_standing();
            self.write_requests()?;
        }
        if changes == self.steered {
            return Ok(());
        }
        self.steered = changes;
        let steering = Arc::new(self.settings.journal.steering(now)?);
        self.board.tell(Progress::Steered {
            suspensions: steering.suspensions.len(),
            approvals: steering.approvals.len(),
        });
        self.board.steer(steering);
        self.obey_orders()?;
        self.wake_everything();
        // An approval may be of a revision that was refused.
        if self.until == Until::Stopped && self.revision_request.is_some() {
            let head = self.settings.source.head().ok();
            self.consider(head)?;
        }
        Ok(())
    }

    /// What waits for a person now, for `driftless approve` to find. A controller that handles a
    /// part of the fleet only knows nothing of the rest, and takes nothing back.
    pub(super) fn write_requests(&mut self) -> Result<(), ControllerError> {
        if self.asked.is_none() && !self.board.has_seen_all() {
            // What an earlier run asked stands until it is known what is still to be asked.
            return Ok(());
        }
        let mut open = self.board.requests();
        open.extend(self.revision_request.clone());
        open.extend(self.wave_requests());
        if self.asked.as_ref() == Some(&open) {
            return Ok(());
        }
        let (journal, now) = (&self.settings.journal, self.settings.clock.now());
        if self.until.only() != Only::default() {
            for request in &open {
                journal.put_request(request, now)?;
            }
        } else {
            journal.replace_requests(&open, now)?;
        }
        self.asked = Some(open);
        Ok(())
    }

    pub(super) fn wake_everything(&mut self) {
        let desired = self.board.view().desired;
        let all: BTreeSet<Target> = self.queue.targets();
        let all = all
            .into_iter()
            .filter(|target| desired.stacks.contains_key(target) || self.board.has_stacks(target));
        self.wake(&all.collect());
    }

    pub(super) fn wake(&mut self, targets: &BTreeSet<Target>) {
        let now = self.settings.clock.now();
        for target in targets {
            self.queue.add(target, Next { at: now, class: Class::Changed });
        }
    }
}
