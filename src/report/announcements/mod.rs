//! What people are told who do not ask: what holds now, compared with what each channel was told.
//! Nothing here is an event that could be missed, but what happened in a rollout.

pub mod conditions;
mod due;
mod headline;
mod told;

#[cfg(test)]
pub(crate) mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::moment::Moment;

pub use crate::fleet::Topic;
pub use due::{Facts, due};
pub use headline::test_message;
pub use told::Told;

/// How bad it is; the order is that of urgency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look at it today.
    Warning,
    /// Somebody should look at it now.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        })
    }
}

/// Something that holds now and that people should know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The same for as long as it is the same thing. What follows a `#` tells apart what takes the
    /// place of one another: two refused revisions, or two sets of deletions.
    pub key: String,
    /// What it is about.
    pub topic: Topic,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it is told at once instead of with the next digest.
    pub is_urgent: bool,
    /// One line for somebody who knows nothing of driftless: what, how many, how bad.
    pub title: String,
    /// More of it, a line each: cause, examples, what to do.
    pub details: Vec<String>,
    /// How many stacks, accounts or whatever it is about.
    pub count: usize,
    /// A command that shows more.
    pub see: String,
    /// Since when it holds.
    pub since: Moment,
}

/// Something that happened once and is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// Different for everything that happens, and the same whoever tells it.
    pub key: String,
    /// What it is about.
    pub topic: Topic,
    /// One line.
    pub title: String,
    /// More of it, a line each.
    pub details: Vec<String>,
    /// A command that shows more.
    pub see: String,
    /// When.
    pub at: Moment,
}

/// What became of a condition; the order is that in which people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transition {
    /// It holds, and was not told before.
    New,
    /// It is more severe than it was told, or about twice as many.
    Worse,
    /// It still holds, long after it was told.
    Still,
    /// It was told, and holds no more.
    Resolved,
    /// It happened.
    Happened,
}

impl Transition {
    /// All of them, in their order.
    pub const ALL: [Self; 5] =
        [Self::New, Self::Worse, Self::Still, Self::Resolved, Self::Happened];

    /// Its word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Worse => "worse",
            Self::Still => "still",
            Self::Resolved => "resolved",
            Self::Happened => "happened",
        }
    }
}

/// One thing in a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// That of the condition or happening.
    pub key: String,
    /// What became of it.
    pub transition: Transition,
    /// What it is about.
    pub topic: Topic,
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// More of it, a line each.
    pub details: Vec<String>,
    /// How many.
    pub count: usize,
    /// A command that shows more.
    pub see: String,
    /// Since when it holds or held, or when it happened.
    pub since: Moment,
}

/// What one channel is told at once, before it is drawn for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The same for the same news, whichever process tells them: a receiver drops what it has.
    pub key: String,
    /// The fleet's name.
    pub fleet: String,
    /// That of its worst item that is not resolved.
    pub severity: Severity,
    /// One line: what, how many, how bad.
    pub title: String,
    /// By transition, then the worst first.
    pub items: Vec<Item>,
    /// Further items that are not among them.
    pub more: usize,
    /// So many earlier messages never reached the channel and were dropped.
    pub dropped: usize,
    /// Whether it could not wait for a digest.
    pub is_urgent: bool,
    /// When it was decided.
    pub at: Moment,
}
