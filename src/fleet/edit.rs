//! Changes to documents as text: one value or list item at a time, everything else stays as it was
//! written, comments and order too. What cannot be changed so is left to a person.

mod extent;
mod meaning;
mod written;

use crate::fleet::edit::extent::{Extent, bracket_end, depth, line_end, line_start, offset};
use crate::fleet::edit::meaning::Meaning;
use crate::fleet::reader::{Scalar, scalar};
use crate::fleet::yaml::{self, Content, Entry, Node, Place, YamlDocument};
use crate::template::line_starts;

pub use written::{quoted, written};

/// How much deeper the lines of a new map are than its key.
const INDENT: usize = 2;

/// Which document of a file.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    /// Its `kind`.
    pub kind: &'a str,
    /// Its `metadata.name`.
    pub name: &'a str,
}

/// Why a document is not changed: it is written in a way that this cannot change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Uneditable {
    /// Line and column, counted from 1; zeros where the document is not found.
    pub place: (usize, usize),
    /// A sentence without a full stop.
    pub why: String,
}

impl Uneditable {
    fn new(place: Place, why: impl Into<String>) -> Self {
        Self { place, why: why.into() }
    }
}

/// The text with `value`, which is YAML in one line, at the keys of `path`; maps on the way are made,
/// and what is new stands last. Nothing else that the file says changes.
pub fn set(
    text: &str,
    document: Document<'_>,
    path: &[&str],
    value: &str,
) -> Result<String, Uneditable> {
    let (documents, index) = find(text, document)?;
    let root = &documents[index].root;
    let (entries, rest) = descend(root, path)?;
    let last = entries.last();
    let node = last.map_or(root, |entry| &entry.value);
    let is_nothing = scalar(node) == Some(Scalar::Nothing);
    let replaced = |entry: &Entry, value: &str| {
        let extent = extent(text, root, &entries)?;
        Some((extent.replace(text, value), entry.key_place))
    };
    let edited = match last {
        Some(entry) if rest.is_empty() => replaced(entry, value),
        Some(entry) if is_nothing => replaced(entry, &format!("{{ {} }}", in_flow(rest, value))),
        Some(_) | None => insert(text, node, rest, value).map(|edited| (edited, node.place)),
    };
    let Some((edited, place)) = edited else {
        return Err(by_hand(last.map_or(node.place, |entry| entry.key_place), path));
    };
    verified(text, edited, index, place, path, |meaning| meaning.set(path, value))
}

/// The text without the entry at the keys of `path`, and without the maps below the first key that
/// held nothing else. A comment behind what goes, or within, goes with it.
pub fn remove(text: &str, document: Document<'_>, path: &[&str]) -> Result<String, Uneditable> {
    let (documents, index) = find(text, document)?;
    let root = &documents[index].root;
    let (entries, rest) = descend(root, path)?;
    let Some(last) = entries.last().filter(|_| rest.is_empty()) else {
        return Err(Uneditable::new(root.place, format!("there is no `{}`", path.join("."))));
    };
    let mut edited = Err(by_hand(last.key_place, path));
    // Outwards, as long as nothing else is in the map around it. A map in lines of its own cannot be
    // left empty, and one between brackets can.
    for kept in (0..entries.len()).rev() {
        let attempt = without(text, root, &entries, kept).map(|attempt| {
            let goes = |meaning: &mut Meaning| meaning.remove(&path[..=kept]);
            verified(text, attempt, index, last.key_place, path, goes)
        });
        match attempt {
            Some(Ok(attempt)) => edited = Ok(attempt),
            Some(Err(refusal)) if edited.is_err() => edited = Err(refusal),
            Some(Err(_)) | None => {}
        }
        if kept < 2 || !is_only(map_of(root, &entries, kept)) {
            break;
        }
    }
    edited
}

fn is_only(map: &Node) -> bool {
    matches!(&map.content, Content::Map(entries) if entries.len() == 1)
}

/// The text with an item more in the list at the keys of `path`, which is made when it is missing.
pub fn push(text: &str, document: Document<'_>, path: &[&str], item: &str) -> Option<String> {
    let (documents, index) = find(text, document).ok()?;
    let root = &documents[index].root;
    let (entries, rest) = descend(root, path).ok()?;
    let node = entries.last().map_or(root, |entry| &entry.value);
    if !rest.is_empty() {
        return set(text, document, path, &format!("[{item}]")).ok();
    }
    let Content::List(items) = &node.content else { return None };
    if let Some(at) = opening(text, '[', node.place, items.first().map(|item| item.place)) {
        let separator = if items.is_empty() { "" } else { ", " };
        return Some(format!("{}[{item}{separator}{}", &text[..at], text[at + 1..].trim_start()));
    }
    let first = items.first()?.place;
    let start = offset(text, (first.0, 1))?;
    let dash = text[start..line_end(text, start)].find('-')?;
    Some(insert_line(text, block_end(text, first.0, dash)?, dash, &format!("- {item}")))
}

/// The text with another scalar at a place where `old` stands now.
pub fn replace(text: &str, place: Place, old: &str, new: &str) -> Option<String> {
    let at = offset(text, place)?;
    let rest = &text[at..];
    let line = rest.lines().next().unwrap_or_default();
    let length = match rest.chars().next()? {
        quote @ ('"' | '\'') => {
            let inner = &line[1..];
            let end = inner.char_indices().find(|(end, character)| {
                let is_escaped = quote == '"' && inner[..*end].ends_with('\\');
                *character == quote && !is_escaped
            });
            let length = end?.0 + 2;
            let token = &line[..length];
            let is_old = token[1..length - 1] == *old
                || serde_json::from_str::<String>(token).is_ok_and(|text| text == old);
            is_old.then_some(length)?
        }
        '|' | '>' | '{' | '[' | '&' | '*' | '!' => return None,
        _ => {
            let whole = line.split(" #").next().unwrap_or_default().trim_end();
            let inner = line.split([',', '}', ']']).next().unwrap_or_default().trim_end();
            [whole, inner].into_iter().find(|token| *token == old)?.len()
        }
    };
    Some(format!("{}{new}{}", &text[..at], &rest[length..]))
}

/// The documents of a file, and which of them is meant.
fn find(text: &str, document: Document<'_>) -> Result<(Vec<YamlDocument>, usize), Uneditable> {
    let (documents, error) = yaml::parse(text);
    if let Some(error) = error {
        return Err(Uneditable::new(error.place, error.message));
    }
    let is_meant = |one: &YamlDocument| {
        let kind = one.root.child("kind").and_then(|entry| entry.value.text());
        let name = one.root.child("metadata").and_then(|entry| entry.value.child("name"));
        kind == Some(document.kind)
            && name.and_then(|entry| entry.value.text()) == Some(document.name)
    };
    match documents.iter().position(is_meant) {
        Some(index) => Ok((documents, index)),
        None => {
            let Document { kind, name } = document;
            Err(Uneditable::new((0, 0), format!("there is no {kind} `{name}` in this file")))
        }
    }
}

type Entries<'n> = Vec<&'n Entry>;

/// The entries as far as the keys lead, and the keys that are left.
fn descend<'n, 'p>(
    root: &'n Node,
    path: &'p [&'p str],
) -> Result<(Entries<'n>, &'p [&'p str]), Uneditable> {
    let (mut node, mut entries) = (root, Vec::new());
    for (index, key) in path.iter().enumerate() {
        let Some(entry) = node.child(key) else { return Ok((entries, &path[index..])) };
        // An alias stands for something that was written before its key.
        if entry.value.place < entry.key_place && index + 1 < path.len() {
            let why = format!("`{key}` is an alias: what it stands for is used elsewhere as well");
            return Err(Uneditable::new(entry.key_place, why));
        }
        node = &entry.value;
        entries.push(entry);
    }
    Ok((entries, &[]))
}

/// The map in which the entry number `index` of a path is.
fn map_of<'n>(root: &'n Node, entries: &[&'n Entry], index: usize) -> &'n Node {
    index.checked_sub(1).map_or(root, |before| &entries[before].value)
}

fn first_place(map: &Node) -> Option<Place> {
    let Content::Map(entries) = &map.content else { return None };
    entries.first().map(|entry| entry.key_place)
}

/// How the last of the entries is written.
fn extent(text: &str, root: &Node, entries: &[&Entry]) -> Option<Extent> {
    let map = map_of(root, entries, entries.len().checked_sub(1)?);
    let entry = entries.last()?;
    match opening(text, '{', map.place, first_place(map)) {
        Some(_) => Extent::in_flow(text, entry),
        None => Extent::in_lines(text, entry),
    }
}

fn by_hand(place: Place, path: &[&str]) -> Uneditable {
    let what = path.join(".");
    Uneditable::new(place, format!("`{what}` is written in a way that only a person can change"))
}

/// The edited text, when it says what it should and nothing else changed.
fn verified(
    before: &str,
    after: String,
    index: usize,
    place: Place,
    path: &[&str],
    change: impl FnOnce(&mut Meaning) -> Option<()>,
) -> Result<String, Uneditable> {
    let mut expected = Meaning::of_file(before).ok_or_else(|| by_hand(place, path))?;
    change(&mut expected[index]).ok_or_else(|| by_hand(place, path))?;
    if Meaning::of_file(&after).is_some_and(|meaning| meaning == expected) {
        return Ok(after);
    }
    let is_shared = before.contains('&') && before.contains('*');
    Err(if is_shared {
        let what = path.join(".");
        Uneditable::new(place, format!("an alias uses `{what}` elsewhere, or what is around it"))
    } else {
        by_hand(place, path)
    })
}

/// Where the bracket of a map or list stands that is written with one: at its place, or before the
/// first thing in it.
fn opening(text: &str, bracket: char, place: Place, first: Option<Place>) -> Option<usize> {
    let at = offset(text, place)?;
    if text[at..].starts_with(bracket) {
        return Some(at);
    }
    let mut before = text[..offset(text, first?)?].trim_end();
    loop {
        let line = line_start(before, before.len());
        let is_comment = |at: &usize| before[line..*at].ends_with([' ', '\t']) || *at == line;
        let mut marks = before[line..].match_indices('#').map(|(at, _)| line + at);
        match marks.find(is_comment) {
            Some(comment) => before = before[..comment].trim_end(),
            None => return before.ends_with(bracket).then(|| before.len() - 1),
        }
    }
}

/// An entry between brackets whose value is below further keys: `a: { b: value }`.
fn in_flow(keys: &[&str], value: &str) -> String {
    let Some((key, below)) = keys.split_first() else { return String::new() };
    let key = written(key);
    if below.is_empty() {
        format!("{key}: {value}")
    } else {
        format!("{key}: {{ {} }}", in_flow(below, value))
    }
}

/// The text with an entry more in a map, behind the others; its value is below further keys.
fn insert(text: &str, map: &Node, keys: &[&str], value: &str) -> Option<String> {
    let Content::Map(entries) = &map.content else { return None };
    if let Some(at) = opening(text, '{', map.place, first_place(map)) {
        let entry = in_flow(keys, value);
        return match entries.last() {
            Some(last) => {
                let end = Extent::in_flow(text, last)?.beside.end;
                Some(format!("{}, {entry}{}", &text[..end], &text[end..]))
            }
            None => {
                let end = bracket_end(text, at)?;
                let inner = text[at + 1..end - 1].trim_end();
                let gap = if inner.is_empty() { " " } else { &text[at + 1 + inner.len()..end - 1] };
                Some(format!("{}{{ {entry}{inner}{gap}}}{}", &text[..at], &text[end..]))
            }
        };
    }
    let (first, (last, parents)) = (first_place(map)?, keys.split_last()?);
    let mut indent = first.1 - 1;
    let mut at = block_end(text, first.0, indent)?;
    let mut edited = text.to_owned();
    let lines = parents.iter().map(|key| format!("{}:", written(key)));
    for line in lines.chain([format!("{}: {value}", written(last))]) {
        let before = edited.len();
        edited = insert_line(&edited, at, indent, &line);
        at += edited.len() - before;
        indent += INDENT;
    }
    Some(edited)
}

/// How the lines of a file end.
fn line_break(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

fn insert_line(text: &str, at: usize, indent: usize, line: &str) -> String {
    let ending = line_break(text);
    let (before, after) = text.split_at(at);
    let indent = " ".repeat(indent);
    if before.ends_with('\n') {
        return format!("{before}{indent}{line}{ending}{after}");
    }
    // The file ends without a line break, and goes on to do so.
    format!("{before}{ending}{indent}{line}{after}")
}

/// The text without the entry number `index` of a path.
fn without(text: &str, root: &Node, entries: &[&Entry], index: usize) -> Option<String> {
    let (map, entry) = (map_of(root, entries, index), entries[index]);
    if opening(text, '{', map.place, first_place(map)).is_some() {
        return without_in_flow(text, map, entry);
    }
    let extent = Extent::in_lines(text, entry)?;
    let (start, end) = (line_start(text, extent.key), line_end(text, extent.beside.end));
    let mut kept = String::new();
    if index + 1 < entries.len() {
        let inner = offset(text, entries.last()?.key_place)?;
        if inner < end && text[start..extent.below.end].trim_end().contains('\n') {
            return None;
        }
        // Maps that go with what was in them: comments before it are not about it alone, and stay.
        for line in text[end.min(inner)..inner].lines() {
            if line.trim_start().starts_with('#') {
                kept.push_str(line);
                kept.push_str(line_break(text));
            } else if line.contains(" #") {
                return None;
            }
        }
        let last = map_of(root, entries, entries.len() - 1);
        let is_in_flow = opening(text, '{', last.place, first_place(last)).is_some();
        let behind = line_end(text, inner).min(extent.below.end);
        if is_in_flow && text[behind..extent.below.end].contains('#') {
            return None;
        }
    }
    Some(format!("{}{kept}{}", &text[..start], &text[end.max(extent.below.end)..]))
}

fn without_in_flow(text: &str, map: &Node, entry: &Entry) -> Option<String> {
    let Content::Map(all) = &map.content else { return None };
    let at = all.iter().position(|other| other.key_place == entry.key_place)?;
    let Extent { key, beside, .. } = Extent::in_flow(text, entry)?;
    let key_of = |entry: &Entry| offset(text, entry.key_place);
    let mut gone = key..beside.end;
    match (at.checked_sub(1), all.get(at + 1)) {
        (_, Some(next)) => gone.end = key_of(next)?,
        (Some(before), None) => gone.start = Extent::in_flow(text, &all[before])?.beside.end,
        (None, None) => {
            gone.start = text[..key].rfind('{')? + 1;
            gone.end = bracket_end(text, gone.start - 1)? - 1;
        }
    }
    let is_only = all.len() == 1;
    let goes = |part: &str| !part.contains('#') && (is_only || !part.contains('\n'));
    if goes(&text[gone.start..key]) && goes(&text[beside.end..gone.end]) {
        return Some(format!("{}{}", &text[..gone.start], &text[gone.end..]));
    }
    without_in_lines_of_flow(text, key, beside.end, at.checked_sub(1).map(|before| &all[before]))
}

/// The same over several lines: the entry and its comma go, and the line when only a comment is left.
fn without_in_lines_of_flow(
    text: &str,
    key: usize,
    end: usize,
    previous: Option<&Entry>,
) -> Option<String> {
    let (mut before, mut after) = (text[..key].to_owned(), &text[end..]);
    let behind = after.trim_start();
    if let Some(rest) = behind.strip_prefix(',') {
        after = rest;
    } else if let Some(previous) = previous {
        let end = Extent::in_flow(text, previous)?.beside.end;
        before.remove(end + text[end..key].find(',')?);
    }
    let line = &after[..line_end(after, 0)];
    let is_alone = before[line_start(&before, before.len())..].trim().is_empty();
    if is_alone && (line.trim().is_empty() || line.trim_start().starts_with('#')) {
        before.truncate(line_start(&before, before.len()));
        after = &after[line.len()..];
    }
    Some(format!("{before}{after}"))
}

/// Where the block that begins in a line at this indentation ends: behind its last line with text.
fn block_end(text: &str, line: usize, indent: usize) -> Option<usize> {
    let starts: Vec<usize> = std::iter::once(0).chain(line_starts(text)).collect();
    let mut end = None;
    for (number, start) in starts.iter().enumerate().skip(line - 1) {
        let stop = starts.get(number + 1).copied().unwrap_or(text.len());
        let whole = &text[*start..stop];
        let is_shallow = depth(whole) < indent;
        let is_comment = whole.trim_start().starts_with('#');
        let leaves = is_shallow || whole.starts_with("---") || whole.starts_with("...");
        if whole.trim().is_empty() || is_shallow && is_comment {
            continue;
        }
        if number + 1 > line && leaves {
            break;
        }
        end = Some(stop);
    }
    end
}

#[cfg(test)]
mod tests;
