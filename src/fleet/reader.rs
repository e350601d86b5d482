//! Reads values out of a YAML tree and goes on after an error, so that all of them are reported.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::str::FromStr;

use crate::fleet::finding::shortened;
use crate::fleet::yaml::{Content, Entry, Node, Place};
use crate::fleet::{Finding, Severity};
use crate::ids::{DocumentName, InvalidName, Region};

/// Collects the findings of one file.
pub(super) struct Reader<'a> {
    path: &'a str,
    /// The keys that lead to what is being read, for messages.
    trail: Vec<String>,
    pub(super) findings: Vec<Finding>,
    /// How many findings may be kept; the others are counted.
    room: usize,
    /// How many errors there were.
    pub(super) errors: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(path: &'a str, room: usize) -> Self {
        Self { path, trail: Vec::new(), findings: Vec::new(), room, errors: 0 }
    }

    /// The file that is being read.
    pub(super) fn path(&self) -> &'a str {
        self.path
    }

    /// Records an error.
    pub(super) fn error(
        &mut self,
        place: Place,
        code: &'static str,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.errors += 1;
        if self.errors > self.room {
            return;
        }
        self.findings.push(Finding {
            code,
            severity: Severity::Error,
            path: self.path.to_owned(),
            line: place.0,
            column: place.1,
            message: shortened(message.into()),
            help: help.map(shortened),
        });
    }

    /// Reads below a key; `None` after an error, which is then recorded.
    pub(super) fn below<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.trail.push(key.to_owned());
        let value = read(self);
        self.trail.pop();
        value
    }

    fn here(&self) -> String {
        if self.trail.is_empty() {
            "the document".into()
        } else {
            format!("`{}`", self.trail.join("."))
        }
    }

    /// Records that something else was expected, and returns `None`.
    pub(super) fn expected<T>(
        &mut self,
        node: &Node,
        what: &str,
        help: Option<String>,
    ) -> Option<T> {
        let message = format!("{}: expected {what}, found {}", self.here(), describe(node));
        let help = Some(help.unwrap_or_else(|| how_to_write(what)));
        self.error(node.place, "wrong-type", message, help);
        None
    }

    /// The fields of a map, of which only `known` ones may be there.
    pub(super) fn fields<'n>(
        &mut self,
        node: &'n Node,
        known: &'static [&str],
    ) -> Option<Fields<'n>> {
        let Content::Map(entries) = &node.content else {
            return self.expected(node, "a map", None);
        };
        for entry in entries {
            if !known.contains(&entry.key.as_str()) {
                let help = match nearest(&entry.key, known.iter().copied()) {
                    Some(field) => format!("did you mean `{field}`?"),
                    None => format!("there are: {}", known.join(", ")),
                };
                let message = format!("unknown field `{}` in {}", entry.key, self.here());
                self.error(entry.key_place, "unknown-field", message, Some(help));
            }
        }
        Some(Fields { place: node.place, entries })
    }
}

/// The fields of one map.
pub(super) struct Fields<'n> {
    place: Place,
    entries: &'n [Entry],
}

impl Fields<'_> {
    /// Reads one field; `None` after an error, which is then recorded.
    pub(super) fn take<T: Read>(&self, reader: &mut Reader<'_>, key: &str) -> Option<T> {
        if let Some(entry) = self.entries.iter().find(|entry| entry.key == key) {
            return reader.below(key, |reader| T::read(&entry.value, reader));
        }
        T::absent().or_else(|| {
            let message = format!("the field `{key}` is missing in {}", reader.here());
            let help = format!("add `{key}:` with its value");
            reader.error(self.place, "missing-field", message, Some(help));
            None
        })
    }
}

/// What can be read out of a YAML tree.
pub(super) trait Read: Sized {
    /// The value; `None` after an error, which is then recorded.
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self>;

    /// The value of a field that is not there; `None` when it must be.
    fn absent() -> Option<Self> {
        None
    }
}

impl<T: Read> Read for Option<T> {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        T::read(node, reader).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let Content::List(items) = &node.content else {
            let help = node.text().map(|text| format!("write `[{text}]`"));
            return reader.expected(node, "a list", help);
        };
        // All items are read before the first failure counts.
        let read: Vec<Option<T>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| reader.below(&index.to_string(), |reader| T::read(item, reader)))
            .collect();
        read.into_iter().collect()
    }
}

impl<K: Key, T: Read> Read for BTreeMap<K, T> {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let Content::Map(entries) = &node.content else {
            return reader.expected(node, "a map", None);
        };
        let mut read = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = K::of(&entry.key).map_err(|error| {
                let (message, help) = error.parts();
                reader.error(entry.key_place, "bad-name", message, Some(help.to_owned()));
            });
            let value = reader.below(&entry.key, |reader| T::read(&entry.value, reader));
            read.push(key.ok().zip(value));
        }
        read.into_iter().collect()
    }
}

/// What may be the key of a map.
pub(super) trait Key: Ord + Sized {
    fn of(text: &str) -> Result<Self, InvalidName>;
}

impl Key for String {
    fn of(text: &str) -> Result<Self, InvalidName> {
        Ok(text.to_owned())
    }
}

impl Key for DocumentName {
    fn of(text: &str) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl Key for Region {
    fn of(text: &str) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl Read for String {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        match scalar(node) {
            Some(Scalar::Text(text)) => Some(text.to_owned()),
            Some(Scalar::Number(text) | Scalar::Boolean(text)) => {
                reader.expected(node, "text", Some(format!("quote it: `\"{text}\"`")))
            }
            Some(Scalar::Nothing) | None => reader.expected(node, "text", None),
        }
    }
}

impl Read for bool {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        match scalar(node) {
            Some(Scalar::Boolean(text)) => Some(text.eq_ignore_ascii_case("true")),
            Some(Scalar::Text(_) | Scalar::Number(_) | Scalar::Nothing) | None => {
                reader.expected(node, "`true` or `false`", None)
            }
        }
    }
}

impl Read for u32 {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let number = match scalar(node) {
            Some(Scalar::Number(text)) => text.parse().ok(),
            Some(Scalar::Text(_) | Scalar::Boolean(_) | Scalar::Nothing) | None => None,
        };
        number.or_else(|| reader.expected(node, "a whole number", None))
    }
}

/// Reads text and parses it; its error is recorded as `code`.
pub(super) fn parse<T: FromStr<Err = InvalidName>>(
    node: &Rc<Node>,
    reader: &mut Reader<'_>,
    code: &'static str,
) -> Option<T> {
    let text = String::read(node, reader)?;
    text.parse()
        .map_err(|error: InvalidName| {
            let (message, help) = error.parts();
            reader.error(node.place, code, message, Some(help.to_owned()));
        })
        .ok()
}

/// Reads one of a few words.
pub(super) fn one_of<T: Copy>(
    node: &Rc<Node>,
    reader: &mut Reader<'_>,
    words: &[(&str, T)],
) -> Option<T> {
    let text = String::read(node, reader)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Some(*value);
    }
    let all = words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let help = nearest(&text, words.iter().map(|(word, _)| *word))
        .map_or_else(|| format!("write one of {all}"), |word| format!("did you mean `{word}`?"));
    let message = format!("{}: there is no `{text}`", reader.here());
    reader.error(node.place, "unknown-word", message, Some(help));
    None
}

/// What a scalar is by YAML's core schema; its text is kept as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar<'n> {
    Text(&'n str),
    Number(&'n str),
    Boolean(&'n str),
    Nothing,
}

/// What a scalar is; `None` for maps and lists.
pub(super) fn scalar(node: &Node) -> Option<Scalar<'_>> {
    let Content::Scalar { text, plain } = &node.content else { return None };
    if !plain {
        return Some(Scalar::Text(text));
    }
    Some(match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Nothing,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Scalar::Boolean(text),
        number if is_number(number) => Scalar::Number(number),
        text => Scalar::Text(text),
    })
}

fn is_number(text: &str) -> bool {
    let unsigned = text.trim_start_matches(['-', '+']);
    let infinite = unsigned.eq_ignore_ascii_case(".inf") || text.eq_ignore_ascii_case(".nan");
    let radix = |prefix, radix| {
        text.strip_prefix(prefix)
            .is_some_and(|digits: &str| i128::from_str_radix(digits, radix).is_ok())
    };
    let decimal = unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && text.len() - unsigned.len() <= 1
        && text.parse::<f64>().is_ok();
    infinite || decimal || radix("0x", 16) || radix("0o", 8)
}

fn how_to_write(what: &str) -> String {
    match what {
        "a map" => "write `name: value` in lines of their own below it".to_owned(),
        "a list" => "write a list such as `[a, b]`".to_owned(),
        "text" => "write one text".to_owned(),
        what => format!("write {what}"),
    }
}

fn describe(node: &Node) -> String {
    match &node.content {
        Content::List(_) => "a list".into(),
        Content::Map(_) => "a map".into(),
        Content::Scalar { .. } => match scalar(node) {
            Some(Scalar::Text(text)) => format!("the text `{text}`"),
            Some(Scalar::Number(text)) => format!("the number `{text}`"),
            Some(Scalar::Boolean(text)) => format!("`{text}`"),
            Some(Scalar::Nothing) | None => "nothing".into(),
        },
    }
}

/// The word that was probably meant: at most a third of its letters differ.
pub(crate) fn nearest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let (length, lower) = (word.chars().count(), word.to_lowercase());
    let close = |candidate: &str| {
        let letters = candidate.chars().count();
        let most = letters.div_ceil(3);
        // Each letter more or less is a difference, and a word may be as long as a file.
        if length.abs_diff(letters) > most {
            return None;
        }
        let distance = distance(&lower, &candidate.to_lowercase());
        (distance <= most).then_some(distance)
    };
    known
        .filter_map(|candidate| Some((close(candidate)?, candidate)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's: how many letters to insert, remove or replace.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, candidate) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *candidate);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_typed_as_in_yaml_1_2() {
        for number in ["1", "-1.5", "1e3", "0x1F", ".5", "007", "-.inf", ".nan"] {
            assert!(is_number(number), "{number}");
        }
        for text in ["1.2.3", "12ab", "yes", "-", "--1", "inf", "nan", "0xg", "1_000"] {
            assert!(!is_number(text), "{text}");
        }
    }

    #[test]
    fn a_slip_of_the_fingers_is_recognised() {
        let known = ["stackName", "selector", "regions"];
        assert_eq!(nearest("stackname", known.into_iter()), Some("stackName"));
        assert_eq!(nearest("selecter", known.into_iter()), Some("selector"));
        assert_eq!(nearest("rollout", known.into_iter()), None);
    }
}
