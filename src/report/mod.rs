//! Values in, text out: what people and programs read.

mod event;
pub mod findings;

pub use event::{AcceptedRevision, Event, RefusedRevision, Subject};
