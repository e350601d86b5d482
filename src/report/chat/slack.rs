//! A message as Slack's incoming webhooks take it: Block Kit.

use serde_json::{Value, json};

use crate::report::announcements::{Message, Severity, Transition};
use crate::report::chat::page::{Part, items_in, line, more_of, parts, signature};

/// Slack's limits: blocks of a message, characters of a header and of a section.
const BLOCKS: usize = 50;
const HEADER: usize = 150;
const SECTION: usize = 3_000;
/// Slack refuses a message somewhere above 13,000 characters in all blocks.
const ALL: usize = 12_500;
/// Blocks and characters that are kept for what ends a message: how much is not shown, and who
/// speaks.
const END_BLOCKS: usize = 2;
const END: usize = 700;
/// Characters of one line of an item.
const LINE: usize = 700;

/// The whole payload.
pub fn slack(message: &Message) -> String {
    let mut page = Page::default();
    let title = format!("{}{}: {}", sign(message), message.fleet, message.title);
    page.add(json!({
        "type": "header",
        "text": { "type": "plain_text", "text": plain(&title, HEADER), "emoji": true },
    }));
    let parts = parts(message, title.encode_utf16().count() <= HEADER);
    for (index, part) in parts.iter().enumerate() {
        let block = match part {
            Part::Heading(text) => section(&format!("*{}*", quiet(text, LINE))),
            Part::Item { title, lines, .. } => section(&item(title, lines)),
            Part::More(text) => section(&escaped(text, LINE)),
        };
        if !page.has_room(&block) {
            let left = items_in(&parts[index..]) + message.more;
            page.add(section(&escaped(&more_of(left, "driftless status"), LINE)));
            break;
        }
        page.add(block);
    }
    page.add(json!({
        "type": "context",
        "elements": [{ "type": "plain_text", "text": plain(&signature(message), 300) }],
    }));
    json!({ "text": escaped(&line(&title, LINE), SECTION), "blocks": page.blocks }).to_string()
}

/// Blocks in the making.
#[derive(Default)]
struct Page {
    blocks: Vec<Value>,
    characters: usize,
}

impl Page {
    fn has_room(&self, block: &Value) -> bool {
        self.blocks.len() + 1 + END_BLOCKS <= BLOCKS && self.characters + size(block) + END <= ALL
    }

    fn add(&mut self, block: Value) {
        self.characters += size(&block);
        self.blocks.push(block);
    }
}

/// The characters of the texts in a block, as Slack counts them.
fn size(block: &Value) -> usize {
    match block {
        Value::String(text) => text.encode_utf16().count(),
        Value::Array(all) => all.iter().map(size).sum(),
        Value::Object(fields) => fields.values().map(size).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// A section whose text is not searched for channels, people and links.
fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } })
}

/// The title in bold, the lines below it as they are: code, in which nothing means anything else.
fn item(title: &str, lines: &[String]) -> String {
    let mut text = String::new();
    if !title.is_empty() {
        text = format!("*{}*\n", quiet(title, LINE));
    }
    text.push_str("```");
    let mut room = SECTION - 40 - text.encode_utf16().count() - 6;
    for (index, one) in lines.iter().enumerate() {
        let one = escaped(&line(one, LINE), LINE).replace('`', "'");
        let units = one.encode_utf16().count() + 1;
        if units > room {
            text.push_str(&format!("\nand {} more lines", lines.len() - index));
            break;
        }
        room -= units;
        if index > 0 {
            text.push('\n');
        }
        text.push_str(&one);
    }
    text.push_str("```");
    text
}

/// `&`, `<` and `>` as Slack wants them: without them nobody is called and nothing is linked. At
/// most `most` characters, cut between characters of the text.
fn escaped(text: &str, most: usize) -> String {
    let mut kept = String::new();
    let mut units = 0;
    for letter in text.chars() {
        let mut buffer = [0; 4];
        let one = match letter {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            other => other.encode_utf8(&mut buffer),
        };
        units += one.encode_utf16().count();
        if units + 1 > most {
            kept.push('…');
            return kept;
        }
        kept.push_str(one);
    }
    kept
}

/// Plain text, which has no entities: other marks stand for those that could call somebody.
fn plain(text: &str, most: usize) -> String {
    line(text, most).replace('<', "‹").replace('>', "›")
}

/// Escaped text in which nothing is bold, struck out or code by itself.
fn quiet(text: &str, most: usize) -> String {
    let plain = |letter| match letter {
        '*' => '∗',
        '`' => '\'',
        '~' => '∼',
        other => other,
    };
    escaped(&line(&text.chars().map(plain).collect::<String>(), most), most)
}

fn sign(message: &Message) -> &'static str {
    let is_over = |item: &crate::report::announcements::Item| {
        matches!(item.transition, Transition::Resolved | Transition::Happened)
    };
    match message.severity {
        Severity::Critical => ":red_circle: ",
        Severity::Warning => ":large_yellow_circle: ",
        Severity::Info if message.items.iter().all(is_over) => ":large_green_circle: ",
        Severity::Info => ":large_blue_circle: ",
    }
}
