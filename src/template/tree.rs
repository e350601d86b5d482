//! A document as it was read: values in CloudFormation's long form, each with its place in the text.

use std::rc::Rc;

use serde_json::{Map, Number, Value};

/// Deeper than this is no template: real ones stay below 30, and recursion must end somewhere.
pub(super) const MAX_DEPTH: usize = 100;
/// CloudFormation takes 1 MB through S3; no longer text is read.
pub const MAX_TEXT_BYTES: usize = 1_000_000;
/// How much YAML aliases may add to a document, in nodes and bytes of text: as much as the longest
/// text that is read at all.
pub(super) const MAX_ALIASED: usize = MAX_TEXT_BYTES;

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Counted from 1.
    pub line: usize,
    /// Characters from the start of the line, counted from 1.
    pub column: usize,
}

impl Position {
    /// Behind the last character of a text, by YAML's line breaks: a carriage return alone is one.
    pub fn end_of(text: &str) -> Self {
        let (mut line, mut start) = (1, 0);
        for at in line_starts(text) {
            (line, start) = (line + 1, at);
        }
        Self { line, column: text[start..].chars().count() + 1 }
    }
}

/// The byte offsets at which lines start, but for the first.
pub fn line_starts(text: &str) -> impl Iterator<Item = usize> {
    let bytes = text.as_bytes();
    let is_break = |at: &usize| match bytes[*at] {
        b'\n' => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    };
    (0..bytes.len()).filter(is_break).map(|at| at + 1)
}

/// Why a text is not a template; message and help are whole sentences.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong.
    pub message: String,
    /// Where, if it is in one place.
    pub position: Option<Position>,
    /// How to fix it, where the message does not say so.
    pub help: Option<String>,
}

impl TemplateError {
    pub(super) fn at(position: Position, message: impl Into<String>) -> Self {
        Self { message: message.into(), position: Some(position), help: None }
    }

    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// One value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) position: Position,
    /// Nodes and bytes of text, aliases expanded.
    pub(super) weight: usize,
    /// Levels below this one, aliases expanded.
    pub(super) height: usize,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    /// A string, number or boolean.
    Scalar(Value),
    List(Vec<Rc<Node>>),
    Map(Vec<Entry>),
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) position: Position,
    pub(super) value: Rc<Node>,
}

impl Node {
    pub(super) fn scalar(position: Position, value: Value) -> Rc<Self> {
        let weight = 1 + value.as_str().map_or(0, str::len);
        Rc::new(Self { position, weight, height: 0, content: Content::Scalar(value) })
    }

    pub(super) fn list(position: Position, items: Vec<Rc<Self>>) -> Rc<Self> {
        let weight = items.iter().fold(1, |sum: usize, item| sum.saturating_add(item.weight));
        let height = items.iter().map(|item| item.height + 1).max().unwrap_or(0);
        Rc::new(Self { position, weight, height, content: Content::List(items) })
    }

    /// A map of these entries; a key that comes twice is an error at its second place.
    pub(super) fn map(position: Position, entries: Vec<Entry>) -> Result<Rc<Self>, TemplateError> {
        let mut by_key: Vec<&Entry> = entries.iter().collect();
        by_key.sort_by(|a, b| (&a.key, a.position).cmp(&(&b.key, b.position)));
        for pair in by_key.windows(2) {
            if pair[0].key == pair[1].key {
                return Err(TemplateError::at(
                    pair[1].position,
                    format!("The key `{}` comes twice in one map.", pair[1].key),
                )
                .with_help(format!(
                    "Remove one of them; the first is in line {}.",
                    pair[0].position.line
                )));
            }
        }
        let weigh = |entry: &Entry| entry.value.weight.saturating_add(entry.key.len());
        let weight = entries.iter().fold(1, |sum: usize, entry| sum.saturating_add(weigh(entry)));
        let height = entries.iter().map(|entry| entry.value.height + 1).max().unwrap_or(0);
        Ok(Rc::new(Self { position, weight, height, content: Content::Map(entries) }))
    }

    /// A map entry in canonical form: `Fn::GetAtt: a.b.c` means `[a, b.c]`, and a scalar that a
    /// function is called with is a text, as it is behind a short-form tag.
    pub(super) fn entry(key: String, position: Position, value: Rc<Self>) -> Entry {
        let Content::Scalar(scalar) = &value.content else {
            return Entry { key, position, value };
        };
        let part = |text: &str| Self::scalar(value.position, text.into());
        let canonical = match scalar {
            Value::String(text) if key == "Fn::GetAtt" => text
                .split_once('.')
                .map(|(id, name)| Self::list(value.position, vec![part(id), part(name)])),
            Value::Number(_) | Value::Bool(_) if key == "Ref" || key.starts_with("Fn::") => {
                Some(part(&scalar.to_string()))
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => None,
        };
        Entry { key, position, value: canonical.unwrap_or(value) }
    }

    /// The value without its places.
    pub(super) fn to_value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(|item| item.to_value()).collect(),
            Content::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// Where the value at a JSON pointer stands: a scalar at itself, the others at their key.
    pub(super) fn find(&self, pointer: &str) -> Option<Position> {
        if pointer.is_empty() {
            return Some(self.position);
        }
        let (mut node, mut position) = (self, self.position);
        for part in pointer.strip_prefix('/')?.split('/') {
            let part = part.replace("~1", "/").replace("~0", "~");
            (node, position) = match &node.content {
                Content::Scalar(_) => return None,
                Content::List(items) => {
                    let item = items.get(part.parse::<usize>().ok()?)?;
                    (&**item, item.position)
                }
                Content::Map(entries) => {
                    let entry = entries.iter().find(|entry| entry.key == part)?;
                    match entry.value.content {
                        Content::Scalar(_) => (&*entry.value, entry.value.position),
                        Content::List(_) | Content::Map(_) => (&*entry.value, entry.position),
                    }
                }
            };
        }
        Some(position)
    }
}

/// The number that a text means, or the text itself where a number would lose some of it (`007`,
/// `1.10`, thirty digits). Two texts that differ thus stay two values: what is compared too
/// strictly costs an update, what is compared too loosely misses one.
pub(super) fn number_or_text(text: &str) -> Value {
    match text.parse::<Number>() {
        Ok(number) if number.to_string() == text => Value::Number(number),
        Ok(_) | Err(_) => Value::String(text.to_owned()),
    }
}

pub(super) fn null_error(position: Position) -> TemplateError {
    TemplateError::at(position, "Null values are not allowed in templates.")
        .with_help("Write a value, remove the key, or use `!Ref AWS::NoValue`.")
}

pub(super) fn depth_error(position: Position) -> TemplateError {
    TemplateError::at(position, format!("The values are nested more than {MAX_DEPTH} levels deep."))
        .with_help("Flatten the structure.")
}
