//! Where a document is written. Positions inside it are looked up only when something is wrong.

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
        let text = std::str::from_utf8(self.bytes.get(self.offset..).unwrap_or_default());
        let document = yaml::parse_first(text.unwrap_or_default());
        document.map_or((self.line, 1), |document| {
            let (line, column) = find(&document.root);
            (line + self.line - 1, column)
        })
    }
}
