//! A message for programs: CloudEvents 1.0 in structured JSON. Fields are only ever added; anything
//! else is another `type`.

use serde_json::{Value, json};

use crate::report::announcements::{Item, Message};
use crate::report::chat::page::line;

/// What receivers of events take in one, by the specification.
pub const MAX_BYTES: usize = 64 * 1_024;
/// Bytes that are kept for everything but the items.
const FRAME: usize = 6_000;
/// Characters of a title and a line, and lines of an item.
const TITLE: usize = 600;
const LINE: usize = 600;
const LINES: usize = 14;

/// The type of the event.
const TYPE: &str = "dev.driftless.announcement.v1";

/// The whole body.
pub fn cloudevent(message: &Message) -> String {
    let mut items: Vec<Value> = Vec::new();
    let mut bytes = FRAME;
    for item in &message.items {
        let value = self::item(item);
        let size = value.to_string().len() + 1;
        if bytes + size > MAX_BYTES {
            break;
        }
        bytes += size;
        items.push(value);
    }
    let omitted = message.items.len() - items.len() + message.more;
    let fleet = line(&message.fleet, 80);
    json!({
        "specversion": "1.0",
        "id": line(&message.key, 80),
        "source": format!("urn:driftless:fleet:{}", urn(&fleet)),
        "type": TYPE,
        "time": message.at.to_string(),
        "datacontenttype": "application/json",
        "data": {
            "version": 1,
            "fleet": fleet,
            "severity": message.severity,
            "title": line(&message.title, TITLE),
            "urgent": message.is_urgent,
            "items": items,
            "omitted": omitted,
            "dropped": message.dropped,
        },
    })
    .to_string()
}

fn item(item: &Item) -> Value {
    let details: Vec<String> = item.details.iter().take(LINES).map(|one| line(one, LINE)).collect();
    json!({
        "key": line(&item.key, 300),
        "transition": item.transition,
        "topic": item.topic,
        "severity": item.severity,
        "title": line(&item.title, TITLE),
        "details": details,
        "count": item.count,
        "see": line(&item.see, 300),
        "since": item.since.to_string(),
    })
}

/// The name with nothing in it that a URN may not have.
fn urn(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
    name.chars().map(|letter| if plain(letter) { letter } else { '-' }).collect()
}
