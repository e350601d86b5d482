//! YAML as a tree in which everything knows its place, within limits on depth and aliases.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use crate::snapshot::MAX_FILE_BYTES;
use crate::template::Position;

/// Deeper than this is no document of ours: the kinds end at 8, and recursion must end somewhere.
const MAX_DEPTH: usize = 32;
/// How many nodes aliases may add to a document; a handful of shared lists needs a hundred.
const MAX_ALIASED_NODES: usize = 10_000;
/// How many bytes of text aliases may add to a document: as many as a file may have.
const MAX_ALIASED_BYTES: usize = MAX_FILE_BYTES;
/// Entries of one map or items of one list: five times the stacks that an account can have.
const MAX_CHILDREN: usize = 10_000;
/// Nothing of ours or AWS's that is a key is longer than 255 characters.
const MAX_KEY_BYTES: usize = 1_024;

/// A place in a file: line and column, counted from 1.
pub(super) type Place = (usize, usize);

/// What is wrong with the YAML itself.
#[derive(Clone, Debug)]
pub(super) struct YamlError {
    pub(super) place: Place,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) help: String,
}

impl YamlError {
    fn new(place: Place, code: &'static str, message: impl Into<String>, help: &str) -> Self {
        Self { place, code, message: message.into(), help: help.to_owned() }
    }
}

/// One value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) content: Content,
    /// Nodes at and below this one, aliases expanded.
    weight: usize,
    /// Bytes of text at and below this one, aliases expanded.
    bytes: usize,
    /// Levels below this one.
    height: usize,
}

#[derive(Debug)]
pub(super) enum Content {
    Scalar {
        text: String,
        /// Without quotes, so that it may be a number, a boolean or nothing.
        plain: bool,
    },
    List(Vec<Rc<Node>>),
    /// In the order of the file; keys that are not text have been complained about.
    Map(Vec<Entry>),
}

/// One key of a map with its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_place: Place,
    pub(super) value: Rc<Node>,
}

impl Node {
    /// The value of a key, when this is a map that has it.
    pub(super) fn child(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|entry| entry.key == key),
            Content::Scalar { .. } | Content::List(_) => None,
        }
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } => Some(text),
            Content::List(_) | Content::Map(_) => None,
        }
    }

    /// Where the last key of `pointer` stands, or the nearest thing around it.
    pub(super) fn find_key(&self, pointer: &[impl AsRef<str>]) -> Place {
        let Some((last, parents)) = pointer.split_last() else { return self.place };
        let parent =
            parents.iter().try_fold(self, |node, part| Some(&*node.child(part.as_ref())?.value));
        let entry = parent.and_then(|parent| parent.child(last.as_ref()));
        entry.map_or_else(|| self.find(pointer), |entry| entry.key_place)
    }

    /// Where the value at `pointer` stands: a scalar or list item at itself, a map or list at its
    /// key; the nearest thing around it when it is not written.
    pub(super) fn find(&self, pointer: &[impl AsRef<str>]) -> Place {
        let (mut at, mut place) = (self, self.place);
        for part in pointer {
            let part = part.as_ref();
            match &at.content {
                Content::Scalar { .. } => return place,
                Content::List(items) => match part.parse().ok().and_then(|i: usize| items.get(i)) {
                    Some(item) => (at, place) = (item, item.place),
                    None => return place,
                },
                Content::Map(_) => match at.child(part) {
                    Some(entry) => {
                        at = &entry.value;
                        let own = matches!(at.content, Content::Scalar { .. });
                        place = if own { at.place } else { entry.key_place };
                    }
                    None => return place,
                },
            }
        }
        place
    }
}

/// One document of a file.
#[derive(Debug)]
pub(super) struct YamlDocument {
    /// The line on which it starts.
    pub(super) line: usize,
    pub(super) root: Rc<Node>,
    /// What is wrong though it could be read: keys that stand twice, tags.
    pub(super) flaws: Vec<YamlError>,
}

/// The documents of a file up to the first syntax error, and that error.
pub(super) fn parse(text: &str) -> (Vec<YamlDocument>, Option<YamlError>) {
    let mut documents = Vec::new();
    let mut events = Events::of(text);
    loop {
        match events.next() {
            Ok((Event::DocumentStart(_), span)) => match read_document(&mut events, span) {
                Ok(document) => documents.push(document),
                Err(error) => return (documents, Some(error)),
            },
            Ok((Event::StreamEnd, _)) => return (documents, None),
            Ok(_) => {}
            Err(error) => return (documents, Some(error)),
        }
    }
}

/// The first document of a text.
pub(super) fn parse_first(text: &str) -> Option<YamlDocument> {
    let mut events = Events::of(text);
    loop {
        match events.next().ok()? {
            (Event::DocumentStart(_), span) => return read_document(&mut events, span).ok(),
            (Event::StreamEnd, _) => return None,
            _ => {}
        }
    }
}

struct Events<'t> {
    parser: Parser<'t, StrInput<'t>>,
    end: Place,
}

impl<'t> Events<'t> {
    fn of(text: &'t str) -> Self {
        let Position { line, column } = Position::end_of(text);
        Self { parser: Parser::new_from_str(text), end: (line, column) }
    }

    /// The parser puts what is missing at the end onto a line that is not there.
    fn place(&self, marker: &Marker) -> Place {
        (marker.line().max(1), marker.col() + 1).min(self.end)
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), YamlError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(syntax_error(&error, self.place(error.marker()))),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }
}

fn syntax_error(error: &ScanError, place: Place) -> YamlError {
    let help = if error.info().contains("tab") {
        "indent with spaces"
    } else {
        "look here and just above: indentation, quotes and brackets must match"
    };
    YamlError::new(place, "yaml-syntax", format!("this is not YAML: {}", error.info()), help)
}

fn read_document(events: &mut Events<'_>, start: Span) -> Result<YamlDocument, YamlError> {
    let mut builder = Builder {
        events,
        anchors: BTreeMap::new(),
        flaws: Vec::new(),
        aliased: 0,
        aliased_bytes: 0,
    };
    let (event, span) = builder.events.next()?;
    let root = builder.node(event, span, 0)?;
    let line = builder.events.place(&start.start).0;
    Ok(YamlDocument { line, root, flaws: builder.flaws })
}

struct Builder<'e, 't> {
    events: &'e mut Events<'t>,
    anchors: BTreeMap<usize, Rc<Node>>,
    flaws: Vec<YamlError>,
    aliased: usize,
    aliased_bytes: usize,
}

impl<'t> Builder<'_, 't> {
    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Rc<Node>, YamlError> {
        let place = self.events.place(&span.start);
        if depth > MAX_DEPTH {
            return Err(too_deep(place));
        }
        let (content, anchor) = match event {
            Event::Alias(anchor) => return self.alias(anchor, place, depth),
            Event::Scalar(text, style, anchor, tag) => {
                let text_tag = self.check_tag(tag.as_deref(), place);
                let plain = style == ScalarStyle::Plain && !text_tag;
                (Content::Scalar { text: text.into_owned(), plain }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), place);
                (self.list(depth)?, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), place);
                (self.map(depth)?, anchor)
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => (Content::Scalar { text: String::new(), plain: true }, 0),
        };
        let node = Rc::new(Node::of(place, content));
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, place: Place, depth: usize) -> Result<Rc<Node>, YamlError> {
        let Some(node) = self.anchors.get(&anchor) else {
            let message = "this alias stands inside the value that it names";
            return Err(YamlError::new(place, "yaml-syntax", message, "write the value out"));
        };
        self.aliased = self.aliased.saturating_add(node.weight);
        self.aliased_bytes = self.aliased_bytes.saturating_add(node.bytes);
        if self.aliased > MAX_ALIASED_NODES || self.aliased_bytes > MAX_ALIASED_BYTES {
            let message = format!(
                "aliases make this document larger by more than {MAX_ALIASED_NODES} values or \
                 {MAX_ALIASED_BYTES} bytes"
            );
            return Err(YamlError::new(place, "too-many-aliases", message, "write the values out"));
        }
        if depth + node.height > MAX_DEPTH {
            return Err(too_deep(place));
        }
        Ok(Rc::clone(node))
    }

    fn list(&mut self, depth: usize) -> Result<Content, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.events.next()? {
                (Event::SequenceEnd, _) => return Ok(Content::List(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
            if items.len() > MAX_CHILDREN {
                return Err(too_many(items[0].place));
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Content, YamlError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut keys = BTreeSet::new();
        loop {
            let key = match self.events.next()? {
                (Event::MappingEnd, _) => return Ok(Content::Map(entries)),
                (event, span) => self.node(event, span, depth + 1)?,
            };
            let (event, span) = self.events.next()?;
            let value = self.node(event, span, depth + 1)?;
            let Some(text) = key.text() else {
                let message = "a key must be text";
                let help = "write a word in front of the colon";
                self.flaws.push(YamlError::new(key.place, "wrong-type", message, help));
                continue;
            };
            if text.len() > MAX_KEY_BYTES {
                let message = format!("the key has {} bytes", text.len());
                let help = format!("shorten it to {MAX_KEY_BYTES} at most");
                self.flaws.push(YamlError::new(key.place, "too-long", message, &help));
                continue;
            }
            if entries.len() + self.flaws.len() > MAX_CHILDREN {
                return Err(too_many(key.place));
            }
            if !keys.insert(text.to_owned()) {
                self.flaws.push(duplicate_key(text, key.place));
                continue;
            }
            entries.push(Entry { key: text.to_owned(), key_place: key.place, value });
        }
    }

    /// Whether the tag says that a plain scalar is text. Other tags mean nothing here.
    fn check_tag(&mut self, tag: Option<&Tag>, place: Place) -> bool {
        let Some(tag) = tag else { return false };
        if tag.is_yaml_core_schema() {
            return tag.suffix == "str";
        }
        let message = format!("the tag `{}{}` has no meaning here", tag.handle, tag.suffix);
        let help = "remove it: CloudFormation's functions work in templates only";
        self.flaws.push(YamlError::new(place, "unexpected-tag", message, help));
        false
    }
}

fn too_many(place: Place) -> YamlError {
    let message = format!("more than {MAX_CHILDREN} values stand here together");
    YamlError::new(place, "too-large", message, "no document needs that: split it")
}

fn too_deep(place: Place) -> YamlError {
    let message = format!("values are nested more than {MAX_DEPTH} levels deep");
    YamlError::new(place, "too-deep", message, "no kind of document needs that: flatten it")
}

fn duplicate_key(key: &str, place: Place) -> YamlError {
    let message = format!("the key `{key}` stands here twice");
    YamlError::new(place, "duplicate-key", message, "remove one of them")
}

impl Node {
    fn of(place: Place, content: Content) -> Self {
        let (weight, bytes, height) = match &content {
            Content::Scalar { text, .. } => (1, text.len(), 0),
            Content::List(items) => size(items.iter()),
            Content::Map(entries) => {
                let (weight, bytes, height) = size(entries.iter().map(|entry| &entry.value));
                let keys = entries.iter().map(|entry| entry.key.len()).sum::<usize>();
                (weight, bytes.saturating_add(keys), height)
            }
        };
        // A map stands where its first key does.
        let place = match &content {
            Content::Map(entries) => entries.first().map_or(place, |entry| entry.key_place),
            Content::Scalar { .. } | Content::List(_) => place,
        };
        Self { place, content, weight, bytes, height }
    }
}

/// Nodes, bytes and levels of a list or map.
fn size<'n>(children: impl Iterator<Item = &'n Rc<Node>>) -> (usize, usize, usize) {
    children.fold((1, 0, 1), |(weight, bytes, height), child| {
        let weight = weight.saturating_add(child.weight);
        (weight, bytes.saturating_add(child.bytes), height.max(child.height + 1))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn only(text: &str) -> YamlDocument {
        let (mut documents, error) = parse(text);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(documents.len(), 1);
        documents.remove(0)
    }

    #[test]
    fn everything_knows_its_place_in_the_file() {
        let (documents, error) = parse("a: 1\n---\n# note\nb:\n  - ü: x\n    c: [y, zz]\n");
        assert!(error.is_none());
        assert_eq!(documents.iter().map(|document| document.line).collect::<Vec<_>>(), [1, 2]);
        let root = &documents[1].root;
        assert_eq!(root.place, (4, 1));
        assert_eq!(root.find(&["b", "0", "ü"]), (5, 8));
        assert_eq!(root.find(&["b", "0", "c", "1"]), (6, 12));
        assert_eq!(root.find(&["b", "0", "missing"]), (5, 5));
    }

    #[test]
    fn aliases_are_expanded_within_a_limit() {
        let document = only("a: &x [1, 2]\nb: *x\n");
        assert!(matches!(&document.root.child("b").expect("b").value.content, Content::List(_)));
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..8 {
            let below = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        assert_eq!(parse(&bomb).1.expect("too many").code, "too-many-aliases");
    }

    #[test]
    fn depth_is_limited_before_the_stack_is() {
        let nested = format!("{}{}", "[".repeat(40), "]".repeat(40));
        assert_eq!(parse(&nested).1.expect("too deep").code, "too-deep");
        assert!(parse(&"[".repeat(100_000)).1.is_some());
    }

    #[test]
    fn no_place_is_behind_the_end_of_the_file() {
        for (text, end) in
            [("a: {", (1, 5)), ("a: {\n", (2, 1)), ("a:\r\nb: [", (2, 5)), ("a: 1\rb: {", (2, 5))]
        {
            let (_, error) = parse(text);
            assert_eq!(error.expect(text).place, end, "{text:?}");
        }
        let document = only("a: 1\rb: 2\rc:");
        assert_eq!(document.root.find(&["c"]), (3, 2));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in r"([\[\]{}:,&*!'\x22|>#\n\t -]|[a-c]|---|<<|\PC){0,60}") {
            let _ = parse(&text);
        }
    }
}
