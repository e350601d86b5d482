//! Where a fleet is fetched from, as `status` shows it.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::moment::Moment;
use crate::report::words::{ago, ahead, counted, indented, lasting};

/// So many failures in a row are no blip: they take more than a minute.
const LASTING: u32 = 3;

/// Where a fleet is fetched from, and how that gets on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The address without credentials, the branch and the folder, in words.
    pub from: String,
    /// When it was fetched last; `None` when it never was.
    pub fetched_at: Option<Moment>,
    /// Why it cannot be fetched now.
    pub trouble: Option<FetchTrouble>,
}

/// Why a fleet cannot be fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchTrouble {
    /// What happened, what others say about it, and what to do.
    pub text: String,
    /// Since when.
    pub since: Moment,
    /// How often it was tried since then.
    pub attempts: u32,
    /// When it is tried next.
    pub next_at: Moment,
}

impl Origin {
    /// Whether it cannot be fetched for longer than a moment.
    pub fn is_lost(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.attempts >= LASTING)
    }

    /// Its lines in a status.
    pub(super) fn text(&self, now: Moment) -> String {
        let fetched = match self.fetched_at {
            Some(at) => format!("fetched {}", ago(now, at)),
            None => "not fetched yet".to_owned(),
        };
        let mut text = format!("From {}, {fetched}\n", self.from);
        if let Some(trouble) = &self.trouble {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "\nThe fleet cannot be fetched ({}, tried {}, again {}): it stays at what was \
                 fetched before\n  {}",
                lasting(now, trouble.since),
                counted(trouble.attempts as usize, "time"),
                ahead(now, trouble.next_at),
                indented(&trouble.text, 2),
            );
        }
        text
    }
}
