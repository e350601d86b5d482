//! Who waits for a place of the fleet or of a wave: the oldest goes first, and as many are called as places are
//! free. Whoever was called and does not need the place any more leaves it to the next.

use std::collections::BTreeMap;

use crate::ids::Target;

/// The targets that were refused a place, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    standing: BTreeMap<u64, Target>,
    tickets: BTreeMap<Target, Ticket>,
    called: usize,
    /// The number of the next ticket.
    next: u64,
}

#[derive(Clone, Copy, Debug)]
struct Ticket {
    number: u64,
    /// A pass was asked for because of it, and has not ended.
    is_called: bool,
    /// The pass that runs was refused a place.
    is_refused: bool,
}

impl Line {
    /// Whether one of `free` places is left for `target` when all who came before it have theirs.
    pub(super) fn has_turn(&self, target: &Target, free: usize) -> bool {
        let own = self.tickets.get(target).map_or(u64::MAX, |ticket| ticket.number);
        let before = self.standing.range(..own).take(free).count();
        before < free
    }

    /// `target` was refused a place: it stands in line, where it stood before if it did.
    pub(super) fn refuse(&mut self, target: &Target) {
        let number = self.tickets.get(target).map_or(self.next, |ticket| ticket.number);
        self.next = self.next.max(number + 1);
        self.standing.insert(number, target.clone());
        let ticket = Ticket { number, is_called: false, is_refused: true };
        let before = self.tickets.insert(target.clone(), ticket);
        self.called -= usize::from(before.is_some_and(|ticket| ticket.is_called));
    }

    /// `target` took a place. For another one it stands in line anew.
    pub(super) fn take(&mut self, target: &Target) {
        let Some(ticket) = self.tickets.get(target).copied() else { return };
        self.leave(target);
        if ticket.is_refused {
            self.refuse(target);
        }
    }

    /// A pass over `target` ended. What was not refused a place does not wait for one.
    pub(super) fn passed(&mut self, target: &Target) {
        match self.tickets.get_mut(target) {
            Some(ticket) if ticket.is_refused => ticket.is_refused = false,
            Some(_) | None => self.leave(target),
        }
    }

    /// Calls the oldest, until as many are called as places are free, and returns those that were not
    /// called before.
    pub(super) fn call(&mut self, free: usize) -> Vec<Target> {
        let mut called = Vec::new();
        if self.called >= free {
            return called;
        }
        for target in self.standing.values().take(free) {
            let Some(ticket) = self.tickets.get_mut(target).filter(|one| !one.is_called) else {
                continue;
            };
            ticket.is_called = true;
            called.push(target.clone());
        }
        self.called += called.len();
        called
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.standing.is_empty()
    }

    fn leave(&mut self, target: &Target) {
        if let Some(ticket) = self.tickets.remove(target) {
            self.standing.remove(&ticket.number);
            self.called -= usize::from(ticket.is_called);
        }
    }
}
