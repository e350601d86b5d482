//! Drift as values: what detection found and what of it counts, how bad it is, what is the same in
//! many accounts, when each stack is looked into, and what that may cost.

mod accept;
mod budget;
mod due;
mod equal;
mod filter;
mod finding;
mod record;
mod secret;
mod severity;
mod signature;

pub use accept::{Remedy, remedy};
pub use budget::{Budget, Spent};
pub use due::{AT_ONCE, Due, due, is_foreign, period, slack};
pub use filter::{Passed, is_ignored, sift};
pub use finding::{Finding, What};
pub use record::{Detection, DriftRecord, Ended, Ignored, Part, Reverted, Unchecked, fights};
pub use secret::Hidden;
pub use severity::{Severity, severity};
pub use signature::{Signature, signatures};
