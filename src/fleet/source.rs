//! Where a document is written. Positions inside it are looked up only when something is wrong.

use std::sync::Arc;

/// One document in one file.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file, relative to the fleet folder.
    pub path: Arc<str>,
    /// The line on which the document starts, from 1.
    pub line: usize,
}
