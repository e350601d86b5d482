//! JSON with places. YAML parsers do not read all of it: pairs of `\u` escapes, tabs between values.

use std::rc::Rc;

use serde_json::Value;

use crate::template::tree::{
    MAX_DEPTH, Node, Position, TemplateError, depth_error, null_error, number_or_text,
};

/// Why a text was not read.
pub(super) enum JsonError {
    /// It is not JSON: it may still be YAML in braces.
    Syntax(TemplateError),
    /// It is JSON, but no template.
    Content(TemplateError),
}

/// Reads the one value of a text.
pub(super) fn read(text: &str) -> Result<Rc<Node>, JsonError> {
    let mut reader = Reader { text, at: 0, counted: 0, place: Position { line: 1, column: 1 } };
    let node = reader.value(0)?;
    reader.skip_blanks();
    match reader.peek() {
        None => Ok(node),
        Some(_) => Err(reader.syntax("There is text after the end of the JSON value.")),
    }
}

struct Reader<'text> {
    text: &'text str,
    /// Byte offset of the next character; always between two characters.
    at: usize,
    /// Byte offset up to which `place` has counted; it only moves on, so that a text of one long
    /// line is counted once.
    counted: usize,
    place: Position,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Where the next character stands.
    fn position(&mut self) -> Position {
        for character in self.text[self.counted..self.at].chars() {
            self.place = match character {
                '\n' => Position { line: self.place.line + 1, column: 1 },
                _ => Position { line: self.place.line, column: self.place.column + 1 },
            };
        }
        self.counted = self.at;
        self.place
    }

    fn syntax(&mut self, message: impl Into<String>) -> JsonError {
        JsonError::Syntax(TemplateError::at(self.position(), message))
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Rc<Node>, JsonError> {
        self.skip_blanks();
        let position = self.position();
        if depth > MAX_DEPTH {
            return Err(JsonError::Content(depth_error(position)));
        }
        match self.peek() {
            Some(b'{') => self.map(position, depth),
            Some(b'[') => self.list(position, depth),
            Some(b'"') => Ok(Node::scalar(position, self.string()?.into())),
            Some(_) => self.word(position),
            None => Err(self.syntax("The JSON text ends where a value should be.")),
        }
    }

    fn map(&mut self, position: Position, depth: usize) -> Result<Rc<Node>, JsonError> {
        let mut entries = Vec::new();
        self.at += 1;
        self.skip_blanks();
        if self.peek() != Some(b'}') {
            loop {
                self.skip_blanks();
                let key_position = self.position();
                if self.peek() != Some(b'"') {
                    return Err(self.syntax("A key in double quotes is missing here."));
                }
                let key = self.string()?;
                self.skip_blanks();
                if self.peek() != Some(b':') {
                    return Err(self.syntax(format!("A colon is missing after the key `{key}`.")));
                }
                self.at += 1;
                let value = self.value(depth + 1)?;
                entries.push(Node::entry(key, key_position, value));
                if !self.comma_before(b'}')? {
                    break;
                }
            }
        }
        self.at += 1;
        Node::map(position, entries).map_err(JsonError::Content)
    }

    fn list(&mut self, position: Position, depth: usize) -> Result<Rc<Node>, JsonError> {
        let mut items = Vec::new();
        self.at += 1;
        self.skip_blanks();
        if self.peek() != Some(b']') {
            loop {
                items.push(self.value(depth + 1)?);
                if !self.comma_before(b']')? {
                    break;
                }
            }
        }
        self.at += 1;
        Ok(Node::list(position, items))
    }

    /// Steps over a comma; `false` in front of the closing bracket.
    fn comma_before(&mut self, close: u8) -> Result<bool, JsonError> {
        self.skip_blanks();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => Ok(false),
            Some(_) | None => {
                Err(self.syntax(format!("A comma or `{}` is missing here.", char::from(close))))
            }
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        while let Some(byte) = bytes.get(end) {
            match byte {
                b'"' => {
                    let quoted = &self.text[self.at..=end];
                    let text = serde_json::from_str(quoted)
                        .map_err(|error| self.syntax(format!("This string is broken: {error}.")))?;
                    self.at = end + 1;
                    return Ok(text);
                }
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        Err(self.syntax("This string has no closing quote."))
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self, position: Position) -> Result<Rc<Node>, JsonError> {
        let rest = &self.text[self.at..];
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let length = rest.bytes().position(|byte| !legal(byte)).unwrap_or(rest.len());
        let word = &rest[..length];
        let value = match serde_json::from_str::<Value>(word) {
            Ok(Value::Null) => return Err(JsonError::Content(null_error(position))),
            Ok(Value::Bool(value)) => Value::Bool(value),
            Ok(Value::Number(_)) => number_or_text(word),
            // Numbers beyond the range of a float are JSON too.
            Err(error) if error.to_string().starts_with("number out of range") => word.into(),
            Ok(Value::String(_) | Value::Array(_) | Value::Object(_)) | Err(_) => {
                return Err(self.syntax("A JSON value is missing here."));
            }
        };
        self.at += length;
        Ok(Node::scalar(position, value))
    }
}
