//! What templates point to: whether it is in the bucket of this target's region, and ordered where not.

use std::collections::BTreeMap;

use crate::board::Order;
use crate::fleet::Service;
use crate::ids::StackName;
use crate::plan::{Decided, Decision, Hold, Lack, Rendered};
use crate::reconcile::Pass;

impl Pass<'_> {
    /// What the bucket of the region lacks for a stack of a service. Of a service that was not asked
    /// for, nothing is given to anybody anyway.
    pub(super) fn lack(&self, service: &Service, rendered: &Rendered) -> Option<Lack> {
        if !self.means.only.has(Some(&service.name)) {
            return None;
        }
        self.means.board.stock().lack(&Order::of(rendered)?)
    }

    /// Orders what held stacks wait for: a release that is not the newest, or the newest in a region
    /// where it was not wanted before.
    pub(super) fn order_artifacts(&self, decided: &BTreeMap<StackName, Decided>) {
        let waits = |decided: &&Decided| {
            // What drifted may not be brought back for want of them either.
            matches!(&decided.decision, Decision::Hold(Hold::Artifacts(_) | Hold::Revert(_)))
        };
        for rendered in decided.values().filter(waits).filter_map(|one| one.rendered.as_ref()) {
            let Some(order) = Order::of(rendered) else { continue };
            let board = &self.means.board;
            if board.stock().lack(&order).is_some() {
                board.order(order, self.target, self.means.clock.now());
            }
        }
    }
}
