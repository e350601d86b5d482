//! Where an entry of a map is written, in bytes: its key, its value beside the key and below it.

use std::ops::Range;

use crate::fleet::yaml::{Content, Entry, Place};
use crate::template::line_starts;

/// An entry as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Where the key begins.
    pub(super) key: usize,
    /// The value as far as it stands beside the key; empty when it does not.
    pub(super) beside: Range<usize>,
    /// The lines below that belong to the value, with their line breaks; empty for most.
    pub(super) below: Range<usize>,
}

impl Extent {
    /// Of an entry between the brackets of a map.
    pub(super) fn in_flow(text: &str, entry: &Entry) -> Option<Self> {
        let key = offset(text, entry.key_place)?;
        let colon = behind_colon(text, key, &entry.key)?;
        let start = colon + blanks(&text[colon..], &[' ', '\t', '\n', '\r']);
        let beside = match text[start..].chars().next()? {
            ',' => colon..start,
            '}' | ']' => colon..colon,
            '#' => return None,
            _ => start..flow_end(text, start)?,
        };
        Some(Self { key, below: beside.end..beside.end, beside })
    }

    /// Of an entry that has lines of its own.
    pub(super) fn in_lines(text: &str, entry: &Entry) -> Option<Self> {
        let key = offset(text, entry.key_place)?;
        let indent = entry.key_place.1 - 1;
        let first = line_start(text, key);
        if !text[first..key].chars().all(|letter| letter == ' ') {
            return None;
        }
        let colon = behind_colon(text, key, &entry.key)?;
        let start = colon + blanks(&text[colon..], &[' ', '\t']);
        let end = beside_end(text, start)?;
        let beside = if end == start { colon..colon } else { start..end };
        let value = text[beside.clone()].rsplit([' ', '\t']).next().unwrap_or_default();
        let is_literal = value.starts_with(['|', '>']);
        let is_list = matches!(entry.value.content, Content::List(_));
        let from = line_end(text, end);
        let below = from..lines_below(text, from, indent, is_literal, is_list);
        Some(Self { key, beside, below })
    }

    /// The text with another value.
    pub(super) fn replace(&self, text: &str, value: &str) -> String {
        let before = &text[..self.beside.start];
        let gap = if before.ends_with(':') { " " } else { "" };
        let rest = &text[self.beside.end..self.below.start.max(self.beside.end)];
        format!("{before}{gap}{value}{rest}{}", &text[self.below.end..])
    }
}

/// Where a line and column is.
pub(super) fn offset(text: &str, (line, column): Place) -> Option<usize> {
    let start = if line == 1 { 0 } else { line_starts(text).nth(line - 2)? };
    let rest = &text[start..];
    let within = rest.char_indices().map(|(at, _)| at).chain([rest.len()]).nth(column - 1)?;
    Some(start + within)
}

/// Where the line begins in which `at` is.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

/// Where the line after the one of `at` begins.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}

/// How deep a line is indented.
pub(super) fn depth(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Where a map or list that is written with brackets ends, which begins at `start`.
pub(super) fn bracket_end(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut is_fresh) = (start, 0_usize, true);
    while let Some(byte) = bytes.get(at) {
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let is_apart = before.is_none_or(|before| before.is_ascii_whitespace());
        match byte {
            b'"' | b'\'' if is_fresh => {
                at = quote_end(text, at)?;
                is_fresh = false;
                continue;
            }
            b'#' if is_apart => {
                at = line_end(text, at);
                continue;
            }
            b'{' | b'[' => (depth, is_fresh) = (depth + 1, true),
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                is_fresh = false;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            b',' => is_fresh = true,
            b':' => {
                let is_end = bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace);
                is_fresh = is_end || matches!(before, Some(b'"' | b'\''));
            }
            byte if byte.is_ascii_whitespace() => {}
            _ => is_fresh = false,
        }
        at += 1;
    }
    None
}

fn quote_end(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let quote = *bytes.get(start)?;
    let mut at = start + 1;
    loop {
        match *bytes.get(at)? {
            b'\\' if quote == b'"' => at += 2,
            byte if byte == quote => match bytes.get(at + 1) {
                // Two of them in a row stand for one.
                Some(b'\'') if quote == b'\'' => at += 2,
                _ => return Some(at + 1),
            },
            _ => at += 1,
        }
    }
}

fn blanks(text: &str, which: &[char]) -> usize {
    text.len() - text.trim_start_matches(which).len()
}

/// Behind the colon of a key that begins at `at`; `None` for keys that are written with `?`.
fn behind_colon(text: &str, at: usize, key: &str) -> Option<usize> {
    let end = match text[at..].chars().next()? {
        '"' | '\'' => quote_end(text, at)?,
        _ => text[at..].starts_with(key).then_some(at + key.len())?,
    };
    let colon = end + blanks(&text[end..], &[' ', '\t']);
    text[colon..].starts_with(':').then_some(colon + 1)
}

/// Where a value that begins with an anchor or a tag begins without it.
fn behind_property(text: &str, at: usize) -> usize {
    let word = text[at..].find([' ', '\t', '\n', '\r', ',', '}', ']']);
    let end = word.map_or(text.len(), |word| at + word);
    end + blanks(&text[end..], &[' ', '\t'])
}

fn flow_end(text: &str, start: usize) -> Option<usize> {
    match text[start..].chars().next()? {
        '"' | '\'' => quote_end(text, start),
        '{' | '[' => bracket_end(text, start),
        '&' | '!' => flow_end(text, behind_property(text, start)),
        _ => {
            let end = text[start..].find([',', '}', ']'])?;
            let value = &text[start..start + end];
            let value = value.split(" #").next().unwrap_or(value);
            Some(start + value.trim_end().len())
        }
    }
}

/// Where what begins in a line at `start` ends, without a comment behind it.
fn beside_end(text: &str, start: usize) -> Option<usize> {
    let end = match text[start..].chars().next() {
        None | Some('\n' | '\r' | '#') => start,
        Some('"' | '\'') => quote_end(text, start)?,
        Some('{' | '[') => bracket_end(text, start)?,
        Some('&' | '!') => {
            let value = behind_property(text, start);
            let end = beside_end(text, value)?;
            if end == value { start + text[start..value].trim_end().len() } else { end }
        }
        Some(_) => {
            let line = &text[start..line_end(text, start)];
            let comment = line.match_indices('#').map(|(at, _)| at);
            let comment = comment.filter(|at| line[..*at].ends_with([' ', '\t'])).min();
            start + line[..comment.unwrap_or(line.len())].trim_end().len()
        }
    };
    Some(end)
}

/// Where the lines end that belong to the value of a key at this indentation. Comments behind its
/// last line are not part of it, and those within are.
fn lines_below(text: &str, from: usize, indent: usize, is_literal: bool, is_list: bool) -> usize {
    let (mut at, mut end) = (from, from);
    while at < text.len() {
        let next = line_end(text, at);
        let line = text[at..next].trim_end();
        let is_comment = line.trim_start().starts_with('#');
        let deeper = depth(line) > indent;
        let is_item = is_list && depth(line) == indent && line.trim_start().starts_with('-');
        let is_content = !line.is_empty() && (is_literal && deeper || !is_comment);
        if is_content && !deeper && !is_item {
            break;
        }
        if is_content {
            end = next;
        }
        at = next;
    }
    end
}
