//! What the tests know, and the product has to find out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use driftless::ids::{Digest, StackKey};
use driftless::journal::Journal;
use driftless::moment::Moment;
use driftless::outcome::Memory;
use driftless::plan::{Approval, Scope};
use driftless::rollout::Run;

use crate::swarm::model::{Kind, Model, Want};

/// How long an approval counts, with the most by which two clocks of a machine differ.
const APPROVED_FOR: Duration = Duration::from_secs(24 * 3_600 + 240);

/// What is true at a moment.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// What each controller follows, by what its journal says.
    pub(crate) followed: Vec<Arc<Model>>,
    /// The approvals in the journals.
    pub(crate) approvals: Vec<Approval>,
    pub(crate) suspended: BTreeMap<Scope, Moment>,
    /// Stacks whose protected changes a person has approved, with what was wanted then.
    pub(crate) protected_approved: Vec<(StackKey, Want)>,
    /// Since when the program has been told to stop.
    pub(crate) shutdown: Option<Moment>,
    /// When people last changed a stack behind our back.
    pub(crate) touched: BTreeMap<StackKey, Moment>,
    /// Every commit that validates.
    models: BTreeMap<String, Arc<Model>>,
    /// The same, in the order in which they were made.
    said: Vec<Arc<Model>>,
    /// What each commit was made on.
    parents: BTreeMap<String, Option<String>>,
    /// Revisions that a person approved though they are not made on what was followed.
    revisions_approved: BTreeMap<String, Moment>,
    /// The last words of each service on what is dropped.
    last_words: BTreeMap<Kind, Vec<bool>>,
    /// The journals of the process that runs and of its twin.
    journal: Option<Journal>,
    twin: Option<Journal>,
    /// What each of the two journals said last that it follows; one that is new trusts what it
    /// finds.
    last: [Option<String>; 2],
    /// The ids of all twins there ever were.
    pub(crate) twins: BTreeSet<String>,
    /// The journal is being damaged or held just now, and may be unreadable.
    pub(crate) is_in_trouble: bool,
    /// Whether a journal was ever lost: nobody knows then of accounts that git no longer names.
    pub(crate) was_lost: bool,
}

impl Truth {
    /// A commit was made, good or not.
    pub(crate) fn pushed(&mut self, id: &str, parent: Option<String>) {
        self.parents.insert(id.to_owned(), parent);
    }

    /// A commit that validates; `rewritten`: of a history that nobody may follow unasked.
    pub(crate) fn committed(&mut self, id: &str, model: &Arc<Model>, rewritten: bool) {
        self.models.insert(id.to_owned(), model.clone());
        self.said.push(model.clone());
        if rewritten {
            return;
        }
        for (kind, service) in &model.services {
            let words = self.last_words.entry(*kind).or_default();
            words.push(service.deletes);
            // Whether a look came between two commits is not known here.
            if words.len() > 2 {
                words.remove(0);
            }
        }
    }

    /// A person approved this revision.
    pub(crate) fn approved(&mut self, id: &str, now: Moment) -> Option<Arc<Model>> {
        self.revisions_approved.insert(id.to_owned(), now);
        self.models.get(id).cloned()
    }

    /// How many commits there are that validate.
    pub(crate) fn commits(&self) -> usize {
        self.said.len()
    }

    /// Whether git said since then that the stack shall be another than it shall be now.
    pub(crate) fn said_otherwise(&self, key: &StackKey, since: usize) -> bool {
        let now = self.followed.first().and_then(|model| model.wanted().remove(key));
        let says = |model: &Arc<Model>| model.wanted().remove(key);
        self.said.iter().skip(since).map(says).any(|want| match (want, &now) {
            (Some(want), Some(now)) => !want.brings_the_same(now),
            (want, now) => want.is_some() != now.is_some(),
        })
    }

    /// The release of this service that goes out by the journal of the controller that calls, and
    /// the one that the stack has by it.
    pub(crate) fn going_out(
        &self,
        key: &StackKey,
        controller: &str,
    ) -> Option<(Run, Option<Digest>)> {
        let mut journals = self.journal.iter().chain(&self.twin);
        let own = journals.find(|one| one.controller_id() == controller)?;
        let kept = own.rollouts().map(|(kept, _)| kept).unwrap_or_default();
        let mut of = kept.into_iter().filter(|(service, _)| service.as_str() == key.name.as_str());
        let run = of.find_map(|(_, rollout)| rollout.running)?;
        let row = own.stack(key).ok().flatten();
        Some((run, row.and_then(|row| row.memory.release)))
    }

    /// What stacks of this service may also be, while a release of it goes out that not all have: as
    /// earlier commits said, with the tenants of today.
    pub(crate) fn kept_back(&self, key: &StackKey) -> Vec<Model> {
        let journals = self.journal.iter().chain(&self.twin);
        let goes_out = |journal: &Journal| {
            let kept = journal.rollouts().map(|(kept, _)| kept).unwrap_or_default();
            kept.iter().any(|(service, rollout)| {
                service.as_str() == key.name.as_str() && rollout.running.is_some()
            })
        };
        if !journals.into_iter().any(goes_out) {
            return Vec::new();
        }
        let earlier =
            self.followed.iter().flat_map(|now| self.said.iter().map(|then| now.at(then)));
        let is_now = |model: &Model| {
            let want = model.wanted().remove(key);
            self.followed.iter().any(|now| now.wanted().remove(key) == want)
        };
        earlier.filter(|model| !is_now(model)).collect()
    }

    /// What a commit says that validates.
    pub(crate) fn model(&self, id: Option<&str>) -> Option<Arc<Model>> {
        self.models.get(id?).cloned()
    }

    fn descends(&self, id: &str, from: &str) -> bool {
        let parent = |id: &&str| self.parents.get(*id)?.as_deref();
        std::iter::successors(Some(id), parent).any(|one| one == from)
    }

    /// Whether a controller that followed `last` may follow `id`, accepted at that moment: what was
    /// made on it, or what a person approved, and what was made on that.
    fn may_follow(&self, last: Option<&str>, id: &str, at: Moment) -> bool {
        let is_approved = |(one, when): (&String, &Moment)| {
            at.since(*when) < APPROVED_FOR && self.descends(id, one)
        };
        let continues = last.is_none_or(|last| self.descends(id, last));
        self.models.contains_key(id)
            && (continues || self.revisions_approved.iter().any(is_approved))
    }

    /// Whether a service that is gone said, when it was there, that dropped stacks are deleted.
    pub(crate) fn said_delete(&self, kind: Kind) -> bool {
        self.last_words.get(&kind).is_some_and(|words| words.contains(&true))
    }

    pub(crate) fn born(&mut self, journal: &Journal) {
        self.journal = Some(journal.clone());
    }

    pub(crate) fn twin(&mut self, journal: &Journal) {
        self.twins.insert(journal.controller_id().to_owned());
        self.twin = Some(journal.clone());
    }

    /// Whether a journal says that the call with this token is made.
    pub(crate) fn is_written(&self, key: &StackKey, token: &str) -> bool {
        let mut journals = self.journal.iter().chain(&self.twin);
        journals.any(|journal| match journal.stack(key) {
            Ok(row) => row.and_then(|row| row.memory.attempt).is_some_and(|one| one.token == token),
            Err(_) => self.is_in_trouble,
        })
    }

    /// What the journals remember of a stack.
    pub(crate) fn memories(&self, key: &StackKey) -> Vec<Memory> {
        let journals = self.journal.iter().chain(&self.twin);
        let row = |journal: &Journal| journal.stack(key).ok().flatten();
        journals.filter_map(row).map(|row| row.memory).collect()
    }

    pub(crate) fn has_twin(&self) -> bool {
        self.twin.is_some()
    }

    pub(crate) fn twin_gone(&mut self) {
        self.twin = None;
    }

    pub(crate) fn died(&mut self) {
        self.shutdown = None;
        self.journal = None;
    }

    /// What was said and remembered is gone with the journal.
    pub(crate) fn journal_lost(&mut self) {
        self.was_lost = true;
        self.last[0] = None;
        self.suspended.clear();
        self.protected_approved.clear();
        self.revisions_approved.clear();
    }

    /// Reads what the controllers follow and were told; who follows what nobody may is noted.
    pub(crate) fn learn(&mut self, now: Moment, broken: &mut Vec<String>) {
        let mut followed = Vec::new();
        let mut approvals = Vec::new();
        for (which, journal) in [&self.journal, &self.twin].into_iter().enumerate() {
            let Some(journal) = journal else { continue };
            let accepted = match journal.accepted_revision() {
                Ok(Some(accepted)) => accepted,
                Ok(None) => continue,
                Err(error) => {
                    if !self.is_in_trouble {
                        broken.push(format!("the journal cannot be read: {error}"));
                    }
                    continue;
                }
            };
            let id = accepted.revision.to_string();
            let last = self.last[which].as_deref();
            if !self.may_follow(last, &id, accepted.at) {
                broken.push(format!("{id} is followed after {last:?}, which nobody approved"));
            }
            self.last[which] = Some(id.clone());
            followed.extend(self.models.get(&id).cloned());
            approvals.extend(journal.steering(now).map(|said| said.approvals).unwrap_or_default());
        }
        // A journal that cannot be read just now says what it said before.
        if !followed.is_empty() {
            (self.followed, self.approvals) = (followed, approvals);
        }
    }
}
