//! When a target that was seen is looked at again.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::StackName;
use crate::moment::Moment;
use crate::observed::Look;
use crate::plan::looking::SWEEP;
use crate::plan::{StackRecord, Weight, ended, looking};
use crate::reconcile::{Class, Next, Pass};

/// What has failed so many times in a row is no longer waited for, though it is tried again.
pub(super) const LASTING: u32 = 3;
/// While something is uploaded, its targets are woken at the end; until then their rows say how far it is.
const UPLOADING: Duration = Duration::from_secs(30);
/// The word of a stack that a freeze window holds.
const FROZEN: &str = "frozen";

impl Pass<'_> {
    /// Learns how long the operations took that this look shows to be over.
    pub(super) fn learn_lengths(&self, look: &Look) {
        let last_look = self.earlier.as_ref().and_then(|earlier| earlier.looked_at);
        for (name, row) in &self.records {
            let Some(attempt) = ended(&row.memory, look.stacks.get(name)) else { continue };
            let Some(service) = row.memory.service.as_ref() else { continue };
            let ran_for = last_look.unwrap_or_default().since(attempt.at);
            let (step, over_by) = (attempt.kind.word(), look.at.since(attempt.at));
            self.means.board.learned().note(service, step, ran_for, over_by);
        }
    }

    pub(super) fn next(&self, look: &Look, rows: &BTreeMap<StackName, StackRecord>) -> Next {
        let now = self.means.clock.now();
        let resync = if rows.is_empty() && !self.view.desired.stacks.contains_key(self.target) {
            SWEEP
        } else {
            self.view.desired.fleet.resync
        };
        let regular = looking::regular(self.target, resync);
        let mut next = Next { at: look.at + regular, class: Class::Resync };
        // What a freeze holds goes on when the window closes, and is at rest until then.
        let frozen = rows.values().filter(|row| row.verdict.code == FROZEN);
        next.at = frozen.filter_map(|row| row.verdict.until).fold(next.at, Moment::min);
        for row in rows.values() {
            let Some((pause, class)) = self.pause(row, now) else { continue };
            next.at = next.at.min(now + pause);
            next.class = next.class.min(class);
        }
        next
    }

    /// How long nothing needs to be looked at because of this stack.
    fn pause(&self, row: &StackRecord, now: Moment) -> Option<(Duration, Class)> {
        // What may run is looked at, whatever is said of its stack: others wait for its place.
        let runs = self.means.board.ledger().holds(&row.key);
        // What waits for another stack of this target moves when that one does. If none does, only
        // git or a person sets it going, and that wakes the target.
        let is_frozen = row.verdict.code == FROZEN;
        let waits = row.verdict.weight == Weight::Waiting
            && !row.verdict.code.starts_with("waits-for-")
            && !is_frozen;
        if !runs && !waits {
            return None;
        }
        if let Some(until) = row.verdict.until.filter(|_| !is_frozen) {
            let count = row.memory.failure.as_ref().map_or(1, |failure| failure.count);
            // A repair for which somebody has to give a right is nothing to wait for.
            let is_refused = row.memory.attempt.as_ref().is_some_and(|last| last.refused.is_some());
            let is_lasting = count >= LASTING || is_refused;
            let class = if is_lasting { Class::Resync } else { Class::Failed };
            return Some((until.since(now).max(self.means.look_every), class));
        }
        let (shortest, longest) = (self.means.look_every, self.view.desired.fleet.resync);
        // Whoever stands in line for a place of the fleet or a wave is called.
        if ["fleet-busy", "wave-busy"].contains(&row.verdict.code.as_str()) {
            return Some((longest, Class::InFlight));
        }
        if row.verdict.code == "artifacts" {
            let age = now.since(row.verdict_since);
            let pause = looking::pause(age, None, shortest.max(UPLOADING), longest);
            return Some((pause, Class::InFlight));
        }
        // The places of this target are free when a look shows so, or when a call just failed.
        if row.verdict.code == "target-busy" {
            let per_target = self.view.desired.fleet.limits.per_target as usize;
            let has_room = self.means.board.ledger().has_room(self.target, per_target);
            return Some((if has_room { shortest } else { longest }, Class::InFlight));
        }
        let begun = row.memory.attempt.as_ref().filter(|attempt| !attempt.settled);
        let age = now.since(begun.map_or(row.verdict_since, |attempt| attempt.at));
        let learned = self.means.board.learned();
        // What may not have begun is no operation that takes its usual time.
        let sure = begun
            .filter(|attempt| attempt.kind.starts_operation())
            .filter(|attempt| attempt.answered && !attempt.doubtful);
        let part = row.memory.service.as_ref().zip(sure);
        let lengths = part.and_then(|(service, last)| learned.of(service, last.kind.word()));
        Some((looking::pause(age, lengths, shortest, longest), Class::InFlight))
    }
}
