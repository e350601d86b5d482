//! A message as a Workflows webhook of Microsoft Teams takes it: an Adaptive Card in its envelope.

use serde_json::{Value, json};

use crate::report::announcements::{Message, Severity, Transition};
use crate::report::chat::page::{Part, items_in, line, more_of, parts, signature};

/// Teams takes 28 KB, envelope and all; what a proxy adds must fit as well.
pub const MAX_BYTES: usize = 27_000;
/// Bytes that are kept for the envelope and for what ends a card.
const END: usize = 3_000;
/// Characters of a title and of a line: in bytes of JSON six times as much at worst.
const TITLE: usize = 300;
const LINE: usize = 400;

/// The whole payload. Texts stand in rich text blocks, in which no Markdown is read.
pub fn teams(message: &Message) -> String {
    let title = format!("{}: {}", message.fleet, message.title);
    let mut body = vec![text(
        &line(&title, TITLE),
        json!({
            "weight": "Bolder", "size": "Large", "color": colour(message),
        }),
    )];
    let mut bytes = size(&body[0]) + END;
    let parts = parts(message, title.encode_utf16().count() <= TITLE);
    for (index, part) in parts.iter().enumerate() {
        let element = match part {
            Part::Heading(heading) => {
                let mut element = text(&line(heading, TITLE), json!({ "weight": "Bolder" }));
                element["spacing"] = json!("Medium");
                element["separator"] = json!(true);
                element
            }
            Part::Item { item, title, lines } => {
                container(title, lines, item.transition, item.severity)
            }
            Part::More(more) => text(&line(more, LINE), json!({ "isSubtle": true })),
        };
        let size = size(&element) + 1;
        if bytes + size > MAX_BYTES {
            let left = items_in(&parts[index..]) + message.more;
            let more = more_of(left, "driftless status");
            body.push(text(&line(&more, LINE), json!({ "isSubtle": true })));
            break;
        }
        bytes += size;
        body.push(element);
    }
    let end = json!({ "isSubtle": true, "size": "Small" });
    body.push(text(&line(&signature(message), LINE), end));
    envelope(body, &line(&title, TITLE))
}

fn envelope(body: Vec<Value>, fallback: &str) -> String {
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.5",
                "fallbackText": fallback,
                "msteams": { "width": "Full" },
                "body": body,
            },
        }],
    })
    .to_string()
}

/// Bytes of an element as it is sent.
fn size(element: &Value) -> usize {
    element.to_string().len()
}

/// One run of text; `style` is the run's.
fn text(text: &str, style: Value) -> Value {
    json!({ "type": "RichTextBlock", "inlines": [run(text, style)] })
}

fn run(text: &str, mut style: Value) -> Value {
    style["type"] = json!("TextRun");
    // An empty run is an error in some clients.
    style["text"] = json!(if text.is_empty() { " " } else { text });
    style
}

fn container(title: &str, lines: &[String], transition: Transition, severity: Severity) -> Value {
    let mut items = Vec::new();
    if !title.is_empty() {
        items.push(text(&line(title, TITLE), json!({ "weight": "Bolder" })));
    }
    for one in lines {
        let mut element = text(&line(one, LINE), json!({ "size": "Small" }));
        element["spacing"] = json!("None");
        items.push(element);
    }
    let style = match (transition, severity) {
        (Transition::Resolved, _) => "good",
        (Transition::Happened, _) | (_, Severity::Info) => "default",
        (_, Severity::Warning) => "warning",
        (_, Severity::Critical) => "attention",
    };
    json!({ "type": "Container", "style": style, "spacing": "Small", "items": items })
}

fn colour(message: &Message) -> &'static str {
    let is_over = message.items.iter().all(|item| item.transition == Transition::Resolved);
    match message.severity {
        Severity::Critical => "Attention",
        Severity::Warning => "Warning",
        Severity::Info if is_over => "Good",
        Severity::Info => "Default",
    }
}
