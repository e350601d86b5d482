//! Whoever watches calls as they meet the cloud: tests that check what must never happen, and that
//! let the calling process die between two effects.

use std::collections::BTreeMap;
use std::fmt;

use crate::sim::calls::Call;

/// One call with what it asks.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Who calls what, when and where.
    pub call: &'a Call,
    /// The fields of the request.
    pub fields: &'a BTreeMap<String, String>,
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending<'a> {
    /// It has had its effect, and this is the answer, whether or not it reaches the caller.
    Done(&'a str),
    /// It was refused with this error code and text, without effect.
    Refused(&'a str, &'a str),
    /// It met a fault before it could have any effect.
    Lost,
}

/// Sees every call.
pub trait Witness: fmt::Debug + Send + Sync {
    /// A call comes, and nothing has happened yet. `false`: the calling process is dead, so that
    /// the call was never made.
    fn comes(&self, asked: Asked<'_>) -> bool;

    /// A call has ended. `false`: the calling process died, and hears nothing of it.
    fn ended(&self, asked: Asked<'_>, ending: Ending<'_>) -> bool;
}
