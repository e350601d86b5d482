//! What to do with each stack, decided from values alone.

mod hold;
mod record;
mod steering;
pub mod render;

pub use hold::{Hold, Weight};
pub use record::{StackRecord, TargetRecord, Verdict};
pub use steering::{Approval, ApprovalKind, ApprovalRequest, Scope, Steering, Suspension};
