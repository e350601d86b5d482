//! The published shapes of what chats take, as rules on fields: Block Kit, Adaptive Card 1.5 in the
//! envelope of Workflows, CloudEvents 1.0. Written from their documentation, not from our code.

use serde_json::{Map, Value};

type Checked = Result<(), String>;

/// Slack: 50 blocks, headers of 150 characters, sections of 3,000, some 13,000 in all blocks.
pub(crate) fn block_kit(payload: &str) -> Checked {
    let payload = object(payload)?;
    only(&payload, &["text", "blocks"])?;
    let fallback = text(&payload, "text")?;
    length("text", fallback, 1, 40_000)?;
    escaped(fallback)?;
    let blocks = list(&payload, "blocks")?;
    if blocks.is_empty() || blocks.len() > 50 {
        return Err(format!("{} blocks", blocks.len()));
    }
    let mut all = 0;
    for block in blocks {
        let block = block.as_object().ok_or("a block is an object")?;
        match text(block, "type")? {
            "header" => {
                only(block, &["type", "text", "block_id"])?;
                all += text_object(block.get("text"), 150, true)?;
            }
            "section" => {
                only(block, &["type", "text", "block_id", "expand"])?;
                all += text_object(block.get("text"), 3_000, false)?;
            }
            "context" => {
                only(block, &["type", "elements", "block_id"])?;
                let elements = list(block, "elements")?;
                if elements.is_empty() || elements.len() > 10 {
                    return Err(format!("{} elements in a context", elements.len()));
                }
                for element in elements {
                    all += text_object(Some(element), 2_000, false)?;
                }
            }
            "divider" => only(block, &["type", "block_id"])?,
            other => return Err(format!("there is no block `{other}`")),
        }
    }
    if all > 13_000 { Err(format!("{all} characters in all blocks")) } else { Ok(()) }
}

fn text_object(value: Option<&Value>, most: usize, plain_only: bool) -> Result<usize, String> {
    let object = value.and_then(Value::as_object).ok_or("a text is an object")?;
    let words = text(object, "text")?;
    match text(object, "type")? {
        "plain_text" => {
            only(object, &["type", "text", "emoji"])?;
            boolean(object, "emoji")?;
            if words.contains(['<', '>']) {
                return Err(format!("a control character in plain text: {words}"));
            }
        }
        "mrkdwn" if !plain_only => {
            only(object, &["type", "text", "verbatim"])?;
            boolean(object, "verbatim")?;
            escaped(words)?;
        }
        other => return Err(format!("a text cannot be `{other}` here")),
    }
    length("a text", words, 1, most)?;
    Ok(words.encode_utf16().count())
}

/// No `<`, `>` or `&` but as an entity: else it may call people or make links.
fn escaped(text: &str) -> Checked {
    if text.contains(['<', '>']) {
        return Err(format!("not escaped: {text}"));
    }
    let entity = |rest: &str| ["amp;", "lt;", "gt;"].iter().any(|one| rest.starts_with(one));
    match text.split('&').skip(1).all(entity) {
        true => Ok(()),
        false => Err(format!("a bare ampersand: {text}")),
    }
}

/// Teams: one adaptive card in a message of Workflows, 28 KB as sent.
pub(crate) fn adaptive_card(payload: &str) -> Checked {
    if payload.len() > 28_000 {
        return Err(format!("{} bytes", payload.len()));
    }
    let payload = object(payload)?;
    only(&payload, &["type", "attachments"])?;
    is(&payload, "type", "message")?;
    let [attachment] = list(&payload, "attachments")?.as_slice() else {
        return Err("one attachment".into());
    };
    let attachment = attachment.as_object().ok_or("an attachment is an object")?;
    only(attachment, &["contentType", "contentUrl", "content"])?;
    is(attachment, "contentType", "application/vnd.microsoft.card.adaptive")?;
    let card = attachment.get("content").and_then(Value::as_object).ok_or("a card")?;
    only(card, &["$schema", "type", "version", "fallbackText", "msteams", "body"])?;
    is(card, "type", "AdaptiveCard")?;
    is(card, "version", "1.5")?;
    is(card, "$schema", "http://adaptivecards.io/schemas/adaptive-card.json")?;
    text(card, "fallbackText")?;
    let body = list(card, "body")?;
    if body.is_empty() {
        return Err("an empty card".into());
    }
    body.iter().try_for_each(element)
}

const SPACING: &[&str] = &["default", "none", "small", "medium", "large", "extraLarge", "padding"];

fn element(value: &Value) -> Checked {
    let element = value.as_object().ok_or("an element is an object")?;
    one_of(element, "spacing", SPACING)?;
    boolean(element, "separator")?;
    match text(element, "type")? {
        "RichTextBlock" => {
            only(element, &["type", "inlines", "spacing", "separator", "horizontalAlignment"])?;
            list(element, "inlines")?.iter().try_for_each(text_run)
        }
        "Container" => {
            only(element, &["type", "items", "style", "spacing", "separator", "bleed"])?;
            let styles = ["default", "emphasis", "good", "attention", "warning", "accent"];
            one_of(element, "style", &styles)?;
            list(element, "items")?.iter().try_for_each(self::element)
        }
        other => Err(format!("an unexpected element `{other}`")),
    }
}

fn text_run(value: &Value) -> Checked {
    let run = value.as_object().ok_or("a run is an object")?;
    let known = ["type", "text", "weight", "size", "color", "isSubtle", "fontType", "italic"];
    only(run, &known)?;
    is(run, "type", "TextRun")?;
    length("a run", text(run, "text")?, 1, usize::MAX)?;
    one_of(run, "weight", &["default", "lighter", "bolder"])?;
    one_of(run, "size", &["default", "small", "medium", "large", "extraLarge"])?;
    let colours = ["default", "dark", "light", "accent", "good", "warning", "attention"];
    one_of(run, "color", &colours)?;
    boolean(run, "isSubtle")
}

/// CloudEvents 1.0 in structured JSON, of a size that every intermediary hands on.
pub(crate) fn cloud_event(payload: &str) -> Checked {
    if payload.len() > 64 * 1_024 {
        return Err(format!("{} bytes", payload.len()));
    }
    let event = object(payload)?;
    is(&event, "specversion", "1.0")?;
    for attribute in ["id", "source", "type"] {
        length(attribute, text(&event, attribute)?, 1, 1_000)?;
    }
    let lower =
        |name: &String| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if let Some(name) = event.keys().find(|name| !lower(name)) {
        return Err(format!("`{name}` is not the name of an attribute"));
    }
    let source = text(&event, "source")?;
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    if !source.bytes().all(plain) {
        return Err(format!("`{source}` is not a URI"));
    }
    let time = regex::Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$").unwrap();
    if !time.is_match(text(&event, "time")?) {
        return Err("the time is not RFC 3339".into());
    }
    is(&event, "datacontenttype", "application/json")?;
    event.get("data").and_then(Value::as_object).map(drop).ok_or_else(|| "no data".into())
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("not an object".into()),
        Err(error) => Err(format!("not JSON: {error}")),
    }
}

fn only(object: &Map<String, Value>, known: &[&str]) -> Checked {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("unknown field `{key}`")),
        None => Ok(()),
    }
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Result<&'a str, String> {
    object.get(key).and_then(Value::as_str).ok_or_else(|| format!("`{key}` is not text"))
}

fn list<'a>(object: &'a Map<String, Value>, key: &str) -> Result<&'a Vec<Value>, String> {
    object.get(key).and_then(Value::as_array).ok_or_else(|| format!("`{key}` is not a list"))
}

fn is(object: &Map<String, Value>, key: &str, value: &str) -> Checked {
    match text(object, key)? {
        found if found == value => Ok(()),
        found => Err(format!("`{key}` is `{found}`")),
    }
}

fn boolean(object: &Map<String, Value>, key: &str) -> Checked {
    match object.get(key) {
        None | Some(Value::Bool(_)) => Ok(()),
        Some(other) => Err(format!("`{key}` is {other}")),
    }
}

/// One of a few words, in whatever case, as Adaptive Cards has them.
fn one_of(object: &Map<String, Value>, key: &str, words: &[&str]) -> Checked {
    let Some(value) = object.get(key) else { return Ok(()) };
    let found = value.as_str().unwrap_or_default();
    match words.iter().any(|word| word.eq_ignore_ascii_case(found)) {
        true => Ok(()),
        false => Err(format!("`{key}` is `{found}`")),
    }
}

fn length(what: &str, text: &str, least: usize, most: usize) -> Checked {
    let count = text.encode_utf16().count();
    match count >= least && count <= most {
        true => Ok(()),
        false => Err(format!("{what} has {count} characters")),
    }
}
