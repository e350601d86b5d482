//! What happened, newest last, as far back as its bound allows.

use rusqlite::{Connection, params};

use crate::ids::{StackKey, Target};
use crate::journal::{Journal, JournalError, from_row, stored, to_row};
use crate::report::Event;

/// Events kept; the oldest go first. A release that every stack of 6,000 tenants x 20 takes makes
/// about 240,000: enough to explain the last one, in about 100 MB.
pub const MAX_EVENTS: u32 = 250_000;
/// Bytes kept of the text of one event: AWS's longest status reasons have about 1,000 characters.
const MAX_TEXT: usize = 4_000;

/// Which events are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum About {
    /// All of them.
    #[default]
    Everything,
    /// Those of the fleet as a whole.
    Fleet,
    /// Those of one target itself, without those of its stacks.
    Target(Target),
    /// Those of one stack.
    Stack(StackKey),
}

impl Journal {
    /// Keeps one event.
    pub fn note(&self, event: &Event) -> Result<(), JournalError> {
        self.writing(|transaction| append(transaction, std::slice::from_ref(event)))
    }

    /// The newest `limit` events of those asked for, newest first.
    pub fn history(&self, limit: u32, about: &About) -> Result<Vec<Event>, JournalError> {
        let subject = match about {
            About::Everything => None,
            About::Fleet => Some("fleet".to_owned()),
            About::Target(target) => Some(target.to_string()),
            About::Stack(key) => Some(key.to_string()),
        };
        self.reading(|connection| match subject {
            None => connection
                .prepare_cached("SELECT record FROM events ORDER BY id DESC LIMIT ?")?
                .query_map([limit], |row| from_row(row, 0))?
                .collect(),
            Some(subject) => connection
                .prepare_cached(
                    "SELECT record FROM events WHERE about = ? ORDER BY id DESC LIMIT ?",
                )?
                .query_map(params![subject, limit], |row| from_row(row, 0))?
                .collect(),
        })
    }
}

/// Writes events and drops the oldest beyond the bound.
pub(super) fn append(connection: &Connection, events: &[Event]) -> rusqlite::Result<()> {
    append_within(connection, events, MAX_EVENTS)
}

fn append_within(connection: &Connection, events: &[Event], bound: u32) -> rusqlite::Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO events (at, about, kind, record) VALUES (?, ?, ?, ?)";
    for event in events {
        let row = to_row(&Event { text: shortened(&event.text), ..event.clone() })?;
        connection.prepare_cached(sql)?.execute(params![
            stored(event.at),
            event.about.to_string(),
            event.kind,
            row
        ])?;
    }
    connection
        .prepare_cached("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?")?
        .execute([bound])?;
    Ok(())
}

fn shortened(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let dots = if end < text.len() { " ..." } else { "" };
    format!("{}{dots}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Subject;
    use crate::report::sample::NOW;

    fn event(text: &str) -> Event {
        Event { at: NOW, about: Subject::Fleet, kind: "note".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn the_oldest_events_go_first() {
        let journal = Journal::in_memory().expect("a journal");
        for number in 0..5 {
            journal
                .writing(|transaction| append_within(transaction, &[event(&number.to_string())], 3))
                .expect("written");
        }
        let texts = |about: &About, limit| -> Vec<String> {
            let events = journal.history(limit, about).expect("read");
            events.into_iter().map(|event| event.text).collect()
        };
        assert_eq!(texts(&About::Everything, 10), ["4", "3", "2"]);
        assert_eq!(texts(&About::Fleet, 1), ["4"]);
        let target = "111122223333/eu-central-1".parse().expect("a target");
        assert!(texts(&About::Target(target), 10).is_empty());
    }

    #[test]
    fn an_endless_text_is_cut_at_a_character() {
        let journal = Journal::in_memory().expect("a journal");
        journal.note(&event(&"ä".repeat(MAX_TEXT))).expect("written");
        let text = journal.history(1, &About::Everything).expect("read").remove(0).text;
        assert!(text.len() <= MAX_TEXT + 4 && text.ends_with("ä ..."), "{}", text.len());
    }
}
