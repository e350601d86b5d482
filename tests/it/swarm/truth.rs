//! What the tests know, and the product has to find out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use driftless::ids::StackKey;
use driftless::journal::Journal;
use driftless::moment::Moment;
use driftless::plan::{Approval, Scope};

use crate::swarm::model::{Kind, Model, Want};

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
    /// Those that may be followed: not the ones of a rewritten history, unless approved.
    legitimate: BTreeSet<String>,
    /// The last words of each service on what is dropped.
    last_words: BTreeMap<Kind, Vec<bool>>,
    /// The journals of the process that runs and of its twin, and whether each is new and trusts
    /// what it finds.
    journal: Option<(Journal, bool)>,
    twin: Option<(Journal, bool)>,
    is_lost: bool,
    /// Whether a journal was ever lost: nobody knows then of accounts that git no longer names.
    pub(crate) was_lost: bool,
}

impl Truth {
    /// A commit that validates; `rewritten`: of a history that nobody may follow unasked.
    pub(crate) fn committed(&mut self, id: &str, model: &Arc<Model>, rewritten: bool) {
        self.models.insert(id.to_owned(), model.clone());
        if rewritten {
            return;
        }
        self.legitimate.insert(id.to_owned());
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
    pub(crate) fn approved(&mut self, id: &str) -> Option<Arc<Model>> {
        self.legitimate.insert(id.to_owned());
        self.models.get(id).cloned()
    }

    /// Whether a service that is gone said, when it was there, that dropped stacks are deleted.
    pub(crate) fn said_delete(&self, kind: Kind) -> bool {
        self.last_words.get(&kind).is_some_and(|words| words.contains(&true))
    }

    pub(crate) fn born(&mut self, journal: &Journal) {
        let is_new = std::mem::take(&mut self.is_lost);
        self.journal = Some((journal.clone(), is_new));
    }

    pub(crate) fn twin(&mut self, journal: &Journal) {
        self.twin = Some((journal.clone(), true));
    }

    /// Whether a journal that can be read says that the call with this token is made.
    pub(crate) fn is_written(&self, key: &StackKey, token: &str) -> bool {
        let mut journals = self.journal.iter().chain(&self.twin);
        journals.any(|(journal, _)| match journal.stack(key) {
            Ok(row) => row.and_then(|row| row.memory.attempt).is_some_and(|one| one.token == token),
            Err(_) => true,
        })
    }

    pub(crate) fn has_twin(&self) -> bool {
        self.twin.is_some()
    }

    pub(crate) fn twin_gone(&mut self) {
        self.twin = None;
    }

    pub(crate) fn died(&mut self) {
        self.shutdown = None;
        // Nobody may have asked it yet what it found.
        self.is_lost |= self.journal.take().is_some_and(|(_, is_new)| is_new);
    }

    /// What was said and remembered is gone with the journal.
    pub(crate) fn journal_lost(&mut self) {
        (self.is_lost, self.was_lost) = (true, true);
        self.suspended.clear();
        self.protected_approved.clear();
    }

    /// Reads what the controllers follow and were told; who follows what nobody may is noted.
    pub(crate) fn learn(&mut self, now: Moment, broken: &mut Vec<String>) {
        let mut followed = Vec::new();
        let mut approvals = Vec::new();
        for (journal, is_new) in self.journal.iter_mut().chain(&mut self.twin) {
            let Ok(Some(accepted)) = journal.accepted_revision() else { continue };
            let id = accepted.revision.to_string();
            if std::mem::take(is_new) {
                // Nobody remembers what came before: what is found is what there is.
                self.legitimate.insert(id.clone());
            }
            if !self.legitimate.contains(&id) {
                broken.push(format!("{id} is followed, which nobody approved"));
            }
            followed.extend(self.models.get(&id).cloned());
            approvals.extend(journal.steering(now).map(|said| said.approvals).unwrap_or_default());
        }
        // A journal that cannot be read just now says what it said before.
        if !followed.is_empty() {
            (self.followed, self.approvals) = (followed, approvals);
        }
    }
}
