//! What the drawings of a message have in common: its parts in order, and how much of it is shown.

use crate::moment::Moment;
use crate::report::announcements::{Item, Message, Severity, Transition};

/// Items shown of each transition: what a person reads in a chat. The first ones are the worst.
const SHOWN: usize = 10;
/// Lines shown of an item.
const LINES: usize = 14;

/// One part of a page.
pub(super) enum Part<'a> {
    /// The heading of a transition, with how many items it has; left out for a message of one item.
    Heading(String),
    /// One item, and how many of its transition are left, with it.
    Item {
        /// The item.
        item: &'a Item,
        /// Its first line.
        title: String,
        /// Its other lines.
        lines: Vec<String>,
    },
    /// What is not shown, and where it is.
    More(String),
}

/// All parts of a message in order. Whoever draws them stops where no room is left, and says how
/// many items that leaves out. `is_said` tells that the first line of the message is whole: then
/// what it says of a single item is not said again.
pub(super) fn parts(message: &Message, is_said: bool) -> Vec<Part<'_>> {
    let is_alone = message.items.len() == 1 && message.more == 0;
    let mut parts = Vec::new();
    for transition in Transition::ALL {
        let all: Vec<&Item> =
            message.items.iter().filter(|item| item.transition == transition).collect();
        if all.is_empty() {
            continue;
        }
        if !is_alone {
            parts.push(Part::Heading(format!("{} ({})", heading(transition), all.len())));
        }
        for item in all.iter().take(SHOWN) {
            parts.push(part(item, is_alone && is_said));
        }
        if let Some(more) = all.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            parts.push(Part::More(more_of(more, &all[SHOWN].see)));
        }
    }
    if message.more > 0 {
        parts.push(Part::More(more_of(message.more, "driftless status")));
    }
    parts
}

/// How many items these parts show or count.
pub(super) fn items_in(parts: &[Part<'_>]) -> usize {
    parts.iter().filter(|part| matches!(part, Part::Item { .. })).count()
}

/// `and 12 more: driftless status`
pub(super) fn more_of(count: usize, see: &str) -> String {
    format!("and {count} more: {}", line(see, 200))
}

fn heading(transition: Transition) -> &'static str {
    match transition {
        Transition::New => "New",
        Transition::Worse => "Got worse",
        Transition::Still => "Still so",
        Transition::Resolved => "Resolved",
        Transition::Happened => "Rollouts",
    }
}

fn part(item: &Item, is_said: bool) -> Part<'_> {
    let severity = match (item.transition, item.severity) {
        (Transition::New | Transition::Worse | Transition::Still, Severity::Critical) => {
            "Critical: "
        }
        (Transition::New | Transition::Worse | Transition::Still, Severity::Warning) => "Warning: ",
        (_, _) => "",
    };
    let title = if is_said { String::new() } else { format!("{severity}{}", item.title) };
    let mut lines: Vec<String> = item.details.iter().take(LINES).cloned().collect();
    if let Some(more) = item.details.len().checked_sub(LINES).filter(|more| *more > 0) {
        lines.push(format!("and {more} more lines"));
    }
    let word = match item.transition {
        Transition::New | Transition::Worse | Transition::Still => "since",
        Transition::Resolved => "began",
        Transition::Happened => "at",
    };
    lines.push(format!("{word} {}; more: {}", minute(item.since), item.see));
    Part::Item { item, title, lines }
}

/// `2026-11-23 20:21 UTC`
pub(super) fn minute(moment: Moment) -> String {
    let text = moment.to_string();
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{date} {} UTC", time.get(..5).unwrap_or(time))
}

/// The last line of a message: who speaks, of what, and when.
pub(super) fn signature(message: &Message) -> String {
    let dropped = match message.dropped {
        0 => String::new(),
        1 => "; an earlier message could not be delivered and is lost".to_owned(),
        many => format!("; {many} earlier messages could not be delivered and are lost"),
    };
    format!("driftless, fleet {}, {}{dropped}", line(&message.fleet, 80), minute(message.at))
}

/// One line of at most `most` characters (UTF-16 units, as chats count them), without what could
/// control anything: neither AWS nor git is asked what they put there.
pub(super) fn line(text: &str, most: usize) -> String {
    let mut kept = String::new();
    let mut units = 0;
    for letter in text.chars() {
        let letter = if is_harmful(letter) { ' ' } else { letter };
        units += letter.len_utf16();
        if units > most {
            while units > most.saturating_sub(1) {
                let Some(last) = kept.pop() else { break };
                units = kept.encode_utf16().count().min(units - last.len_utf16());
            }
            kept.truncate(kept.trim_end().len());
            if most > 0 {
                kept.push('…');
            }
            return kept;
        }
        kept.push(letter);
    }
    kept
}

/// Control characters, and those that turn the direction of writing.
fn is_harmful(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(letter, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_a_character_and_has_no_control_in_it() {
        assert_eq!(line("äöü", 3), "äöü");
        assert_eq!(line("äöüß", 3), "äö…");
        assert_eq!(line("a\nb\u{1b}[31m\u{202e}", 99), "a b [31m ");
        assert_eq!(line("😀😀😀", 6), "😀😀😀");
        assert_eq!(line("😀😀😀😀", 6), "😀😀…");
        assert_eq!(line("abc", 0), "");
        for most in 0..12 {
            let cut = line("a😀b😀 c 😀😀😀", most);
            assert!(cut.encode_utf16().count() <= most, "{most}: {cut}");
        }
    }
}
