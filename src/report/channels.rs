//! How the channels of announcements take what they are sent.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::moment::Moment;
use crate::report::words::{counted, indented, lasting};

/// What is known of one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelRecord {
    /// Nothing is sent before.
    pub next_at: Moment,
    /// Messages in a row that were refused.
    pub refusals: u32,
    /// Tries in a row that brought nothing there.
    pub failures: u32,
    /// Why messages do not arrive.
    pub trouble: Option<Trouble>,
    /// When one arrived last.
    pub delivered_at: Option<Moment>,
}

/// Why messages do not arrive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// In words; never the URL or a secret.
    pub text: String,
    /// Since when.
    pub since: Moment,
    /// Whether a person has to do something: it does not go away by itself.
    pub needs_person: bool,
    /// Whether it lies here: a secret that is missing, or a URL that is none.
    #[serde(default)]
    pub is_here: bool,
}

/// A channel that cannot be told, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilentChannel {
    /// Its name.
    pub name: String,
    /// Why.
    pub trouble: Trouble,
    /// How many messages wait for it.
    pub waiting: usize,
}

/// `slack-1 (2 messages wait, for 3 hours): ...`, a line each.
pub(super) fn text(channels: &[SilentChannel], now: Moment) -> String {
    let mut text = String::new();
    if channels.is_empty() {
        return text;
    }
    text.push_str("\nCannot be told (`driftless notify test` tries again)\n");
    for SilentChannel { name, trouble, waiting } in channels {
        let since = lasting(now, trouble.since);
        let waiting = counted(*waiting, "message");
        let why = indented(&trouble.text, 4);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name} ({since}; {waiting} waiting): {why}");
    }
    text
}
