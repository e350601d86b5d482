//! Collects the entries of one snapshot within its limits.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::git::error::GitError;
use crate::snapshot::{
    ContentId, Entry, MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES, Unread, is_text,
};

/// Folders in folders. git bounds neither this nor how often one folder lies in another, and forty
/// objects are enough for a trillion of them.
const MAX_DEPTH: usize = 64;

/// Folders that are no part of a fleet, committed or not, by their paths in it: hidden ones at its top,
/// which belong to tools and editors, and those of git and of our own state anywhere. Hidden ones below
/// may be code. The same rule everywhere keeps `--worktree` and the commit alike.
pub(crate) fn is_left_out(folder: &str) -> bool {
    match folder.rsplit_once('/') {
        None => folder.starts_with('.'),
        Some((_, name)) => matches!(name, ".git" | ".driftless"),
    }
}

/// The entries found so far.
pub(crate) struct Tally<'a> {
    folder: &'a Path,
    entries: BTreeMap<String, Entry>,
    bytes: u64,
    folders: usize,
}

impl<'a> Tally<'a> {
    /// Nothing found yet below `folder`, which errors name.
    pub(crate) fn of(folder: &'a Path) -> Self {
        Self { folder, entries: BTreeMap::new(), bytes: 0, folders: 0 }
    }

    /// One more folder that is read: as many as files, and not too deep.
    pub(crate) fn enter(&mut self, path: &str) -> Result<(), GitError> {
        self.folders += 1;
        if self.folders > MAX_FILES {
            return Err(GitError::TooManyFiles { folder: self.folder.to_owned() });
        }
        if path.matches('/').count() >= MAX_DEPTH {
            let top = path.split('/').next().unwrap_or(path).to_owned();
            return Err(GitError::TooDeep { folder: self.folder.join(top), most: MAX_DEPTH });
        }
        Ok(())
    }

    /// One more entry that has no bytes of its own to read.
    pub(crate) fn add(&mut self, path: String, entry: Entry) -> Result<(), GitError> {
        if self.entries.len() >= MAX_FILES {
            return Err(GitError::TooManyFiles { folder: self.folder.to_owned() });
        }
        self.entries.insert(path, entry);
        Ok(())
    }

    /// One more file of `size` bytes, which `read` reads if it is a text that is not too large; of
    /// any other `identify` says what is in it.
    pub(crate) fn add_file(
        &mut self,
        path: String,
        size: u64,
        identify: impl FnOnce() -> Result<ContentId, GitError>,
        read: impl FnOnce() -> Result<Arc<[u8]>, GitError>,
    ) -> Result<(), GitError> {
        if !is_text(&path) || exceeds(size, MAX_FILE_BYTES) {
            return self.add(path, Entry::Unread(Unread { id: identify()?, bytes: size }));
        }
        if exceeds(self.bytes + size, MAX_TOTAL_BYTES) {
            if !may_be_document(&path) {
                // Data of somebody's code; a template that is not read says so itself.
                return self.add(path, Entry::Unread(Unread { id: identify()?, bytes: size }));
            }
            return Err(GitError::TooManyBytes { folder: self.folder.to_owned() });
        }
        self.bytes += size;
        self.add(path, Entry::File(read()?))
    }

    /// All entries; none at all is an error, because an empty fleet is never what was meant.
    pub(crate) fn finish(self, revision: &str) -> Result<BTreeMap<String, Entry>, GitError> {
        if self.entries.is_empty() {
            return Err(GitError::Empty {
                folder: self.folder.to_owned(),
                revision: revision.to_owned(),
            });
        }
        Ok(self.entries)
    }
}

/// Whether a text may be a document that nobody may miss.
fn may_be_document(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.ends_with(".yaml") || path.ends_with(".yml")
}

fn exceeds(bytes: u64, most: usize) -> bool {
    usize::try_from(bytes).map_or(true, |bytes| bytes > most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_files_beyond_the_limit_are_noted_and_not_read() {
        let id = ContentId::of(b"x");
        for (path, bytes) in [("big.yaml", 1_000_001), ("app.py", 5), ("a/.b/c.json", 5)] {
            let mut tally = Tally::of(Path::new("fleet"));
            let read = || unreachable!("it must not be read");
            tally.add_file(path.into(), bytes, || Ok(id), read).unwrap();
            assert_eq!(tally.finish("x").unwrap()[path], Entry::Unread(Unread { id, bytes }));
        }
    }

    #[test]
    fn more_files_than_the_limit_are_an_error_and_not_a_part() {
        let mut tally = Tally::of(Path::new("fleet"));
        for number in 0..MAX_FILES {
            tally.add(number.to_string(), Entry::Submodule).unwrap();
        }
        let error = tally.add("one more".into(), Entry::Submodule).expect_err("too many");
        assert!(error.to_string().starts_with("`fleet` has more than 200000 files"), "{error}");
    }

    #[test]
    fn more_bytes_than_the_limit_are_an_error_and_not_a_part() {
        let mut tally = Tally::of(Path::new("fleet"));
        let bytes: Arc<[u8]> = Arc::from([]);
        let identify = || unreachable!("it is read");
        for number in 0..200 {
            let path = format!("{number}.yaml");
            tally.add_file(path, 1_000_000, identify, || Ok(bytes.clone())).unwrap();
        }
        let error =
            tally.add_file("x.yaml".into(), 1, identify, || Ok(bytes)).expect_err("too many");
        assert!(error.to_string().contains("more than 200000000 bytes"), "{error}");
        let id = ContentId::of(b"x");
        let read = || unreachable!("it must not be read");
        tally.add_file("x.json".into(), 1, || Ok(id), read).unwrap();
        assert_eq!(tally.finish("x").unwrap()["x.json"], Entry::Unread(Unread { id, bytes: 1 }));
    }

    #[test]
    fn nothing_found_is_an_error() {
        let error = Tally::of(Path::new("fleet")).finish("HEAD").expect_err("empty");
        assert!(error.to_string().starts_with("the fleet folder `fleet` is empty at HEAD"));
    }
}
