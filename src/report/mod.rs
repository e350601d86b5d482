//! What people and programs read: values in, text or JSON out.

mod event;

pub use event::{AcceptedRevision, Event, RefusedRevision, Subject};
