//! What to do with each stack, decided from values alone.

mod adoption;
pub mod bootstrap;
mod cause;
pub mod cooldown;
pub mod deletions;
mod decide;
mod elsewhere;
mod gated;
mod hold;
mod inside;
mod lack;
mod learn;
mod ledger;
mod lengths;
mod line;
pub mod looking;
mod marking;
mod obstacle;
pub mod ownership;
pub mod preview;
mod phantoms;
mod protection;
mod record;
mod removal;
mod render;
pub mod repair;
mod revert;
mod reviewed;
mod steering;
mod sync;
mod table;
pub mod token;
pub mod toll;
mod update;

pub use adoption::{is_candidate, note_adopted, presented};
pub use cause::{
    Inside, Operation, cause_inside, failed_inside, failed_to_go_back, is_follower, last_operation,
};
pub use decide::{
    Decided, Decision, FormerStack, Insight, LeftBehind, Scene, Step, Within, decide,
};
pub use elsewhere::{AtHome, Elsewhere};
pub use hold::{Hold, RevertHold, Weight};
pub use inside::note_inside;
pub use lack::{Lack, Lacks, size};
pub use learn::{
    CLOCK_SKEW, EFFECT_PATIENCE, after_look, after_outcome, count_of, ended, has_failed, may_run,
    wants_events,
};
pub use ledger::{Ledger, Wave};
pub use lengths::{Learned, Lengths};
pub use marking::note_mark;
pub use obstacle::Obstacle;
pub use protection::NESTED_STACK;
pub use record::{DRIFTED, StackRecord, TargetRecord, Verdict};
pub use render::{Missing, Rendered, render};
pub use revert::{order_member, revert_member, to_revert};
pub use reviewed::{ResourceAction, ReviewedPlan, ReviewedService, action_member, release_member};
pub use steering::{Approval, ApprovalKind, ApprovalRequest, Scope, Steering, Suspension};
pub use sync::{Difference, differences};
pub use table::is_waiting_to_go;

#[cfg(test)]
mod tests;
