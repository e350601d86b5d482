//! Where a document is written. Positions inside it are looked up only when something is wrong.

use std::rc::Rc;
use std::sync::Arc;

use crate::fleet::yaml::{self, Node, Place};

/// One document in one file.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file, relative to the fleet folder.
    pub path: Arc<str>,
    /// The line on which the document starts, from 1.
    pub line: usize,
    /// The bytes of the whole file.
    bytes: Arc<[u8]>,
    /// Where the line above starts in them.
    offset: usize,
}

impl Source {
    pub(super) fn new(path: Arc<str>, bytes: Arc<[u8]>, line: usize, offset: usize) -> Self {
        Self { path, line, bytes, offset }
    }

    /// Whether the text is the same from this document to the end of its file.
    pub fn is_same(&self, other: &Self) -> bool {
        self.path == other.path && self.bytes.get(self.offset..) == other.bytes.get(other.offset..)
    }

    /// Line and column (from 1) of the value at a path of keys and indices, such as
    /// `["spec", "regions", "0"]`; of the nearest thing around it when it is not written. The
    /// document is parsed again for it, which is meant for findings.
    pub fn position(&self, pointer: &[impl AsRef<str>]) -> (usize, usize) {
        self.place(|root| root.find(pointer))
    }

    /// The same for the last key of the path instead of its value.
    pub fn key_position(&self, pointer: &[impl AsRef<str>]) -> (usize, usize) {
        self.place(|root| root.find_key(pointer))
    }

    fn place(&self, find: impl FnOnce(&Node) -> Place) -> (usize, usize) {
        self.places().place(find)
    }

    /// The document parsed again, for many lookups.
    pub(super) fn places(&self) -> Places {
        let text = std::str::from_utf8(self.bytes.get(self.offset..).unwrap_or_default());
        let document = yaml::parse_first(text.unwrap_or_default());
        Places { root: document.map(|document| document.root), line: self.line }
    }

    /// Whether this is the same document of the same files.
    pub(super) fn is_one_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bytes, &other.bytes) && self.offset == other.offset
    }
}

/// The places of one document.
#[derive(Debug)]
pub(super) struct Places {
    root: Option<Rc<Node>>,
    line: usize,
}

impl Places {
    /// See [`Source::position`] and [`Source::key_position`].
    pub(super) fn position(&self, pointer: &[impl AsRef<str>], at_key: bool) -> Place {
        self.place(|root| if at_key { root.find_key(pointer) } else { root.find(pointer) })
    }

    fn place(&self, find: impl FnOnce(&Node) -> Place) -> Place {
        self.root.as_ref().map_or((self.line, 1), |root| {
            let (line, column) = find(root);
            (line + self.line - 1, column)
        })
    }
}
