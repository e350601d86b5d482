//! All that is known of one stack, put together from the journal.

use crate::moment::Moment;
use crate::observed::Blind;
use crate::plan::{ApprovalRequest, StackRecord, Suspension, TargetRecord};
use crate::report::{AcceptedRevision, Event};

/// One stack at one moment, with what explains where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// When this was so.
    pub now: Moment,
    /// The stack itself.
    pub record: StackRecord,
    /// Its target, once that was looked at.
    pub target: Option<TargetRecord>,
    /// The revision that is followed.
    pub accepted: Option<AcceptedRevision>,
    /// The request that holds it.
    pub request: Option<ApprovalRequest>,
    /// The suspension that stops it.
    pub suspension: Option<Suspension>,
    /// What happened to it, newest first.
    pub history: Vec<Event>,
}

impl Explanation {
    /// When it was last looked at. Records that a look did not change keep their time; the
    /// target's is then the later one.
    pub fn looked_at(&self) -> Moment {
        let target = self.target.as_ref().and_then(|target| target.looked_at);
        target.map_or(self.record.looked_at, |at| at.max(self.record.looked_at))
    }

    /// Why its target cannot be seen now, and since when.
    pub fn blind(&self) -> Option<&(Blind, Moment)> {
        self.target.as_ref().and_then(|target| target.blind.as_ref())
    }
}
