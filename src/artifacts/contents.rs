//! Where the bytes of files come from: the object database of git, or the disk.

use std::path::PathBuf;
use std::sync::Arc;

use crate::git::{GitError, Source};
use crate::snapshot::ContentId;

/// The files that packages name. Asked from threads that may block.
pub trait Contents: Send + Sync {
    /// The bytes of a file of the fleet, by its path in it and by what must be in it.
    fn content(&self, path: &str, id: &ContentId) -> Result<Arc<[u8]>, GitError>;

    /// Where the fleet folder lies on this machine, if it does.
    fn folder(&self) -> Option<PathBuf>;
}

impl Contents for Source {
    fn content(&self, path: &str, id: &ContentId) -> Result<Arc<[u8]>, GitError> {
        Self::content(self, path, id)
    }

    fn folder(&self) -> Option<PathBuf> {
        self.on_disk()
    }
}
