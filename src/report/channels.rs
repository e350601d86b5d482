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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{NOW, minutes_ago};

    #[test]
    fn a_channel_that_cannot_be_told_is_a_line() {
        let channel = |name: &str, text: &str, waiting| SilentChannel {
            name: name.to_owned(),
            trouble: Trouble {
                text: text.to_owned(),
                since: minutes_ago(200),
                needs_person: true,
                is_here: false,
            },
            waiting,
        };
        let channels = [
            channel("slack-1", "it answered 410 (channel_is_archived)", 12),
            channel("office", "the variable TEAMS is not set where driftless runs", 1),
        ];
        insta::assert_snapshot!(text(&channels, NOW), @r"

        Cannot be told (`driftless notify test` tries again)
          slack-1 (for 3 hours; 12 messages waiting): it answered 410 (channel_is_archived)
          office (for 3 hours; 1 message waiting): the variable TEAMS is not set where driftless runs
        ");
        assert_eq!(text(&[], NOW), "");
    }
}
