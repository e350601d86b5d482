//! Values in, text out: what people and programs read.

pub mod announcements;
pub mod bootstrap;
#[cfg(test)]
mod broken_documents;
mod channels;
pub mod chat;
mod commit_status;
pub mod doctor;
mod doctor_text;
mod drift;
mod edited;
mod event;
mod explain;
mod explain_text;
pub mod findings;
pub mod plan;
mod grouping;
mod nested;
pub mod output;
mod origin;
pub mod rollouts;
#[cfg(test)]
pub(crate) mod sample;
mod sarif;
mod status;
mod status_text;
mod words;

pub use channels::{ChannelRecord, SilentChannel, Trouble};
pub use commit_status::{CommitState, CommitStatus, FleetCounts, ToldCommit, due_at};
pub use drift::{DriftReport, drift_lines};
pub use edited::{Edited, FieldChange};
pub use event::{AcceptedRevision, Event, RefusedRevision, Subject};
pub use explain::{Explanation, InWave};
pub use grouping::{EXAMPLES, Group};
pub use nested::NestedStack;
pub use origin::{FetchTrouble, Origin};
pub use output::FORMAT_VERSION;
pub use sarif::sarif;
pub use status::{
    BlindGroup, Counting, Detail, FEW, HaltedRollout, StackLine, Status, Surroundings,
};
pub use words::{ago, ahead, brief, counted, indented, number};
