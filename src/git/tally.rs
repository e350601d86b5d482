//! Collects the entries of one snapshot within its limits.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::git::error::GitError;
use crate::snapshot::{Entry, MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES};

/// Folders in folders. git bounds neither this nor how often one folder lies in another, and forty
/// objects are enough for a trillion of them.
const MAX_DEPTH: usize = 64;

/// Folders that are no part of a fleet, committed or not: a hidden one belongs to a tool (`.git`,
/// `.driftless`, `.github`). The same rule everywhere keeps `--worktree` and the commit alike.
pub(crate) fn is_left_out(folder: &str) -> bool {
    folder.starts_with('.')
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

    /// One more file of `size` bytes, which `read` reads if it is not too large.
    pub(crate) fn add_file(
        &mut self,
        path: String,
        size: u64,
        read: impl FnOnce() -> Result<Arc<[u8]>, GitError>,
    ) -> Result<(), GitError> {
        if exceeds(size, MAX_FILE_BYTES) {
            return self.add(path, Entry::TooLarge(size));
        }
        self.bytes += size;
        if exceeds(self.bytes, MAX_TOTAL_BYTES) {
            return Err(GitError::TooManyBytes { folder: self.folder.to_owned() });
        }
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

fn exceeds(bytes: u64, most: usize) -> bool {
    usize::try_from(bytes).map_or(true, |bytes| bytes > most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_beyond_the_limit_is_noted_and_not_read() {
        let mut tally = Tally::of(Path::new("fleet"));
        tally.add_file("big".into(), 1_000_001, || unreachable!("it must not be read")).unwrap();
        assert_eq!(tally.finish("x").unwrap()["big"], Entry::TooLarge(1_000_001));
    }

    #[test]
    fn more_files_than_the_limit_are_an_error_and_not_a_part() {
        let mut tally = Tally::of(Path::new("fleet"));
        for number in 0..MAX_FILES {
            tally.add(number.to_string(), Entry::Submodule).unwrap();
        }
        let error = tally.add("one more".into(), Entry::Submodule).expect_err("too many");
        assert!(error.to_string().starts_with("`fleet` has more than 20000 files"), "{error}");
    }

    #[test]
    fn more_bytes_than_the_limit_are_an_error_and_not_a_part() {
        let mut tally = Tally::of(Path::new("fleet"));
        let bytes: Arc<[u8]> = Arc::from([]);
        for number in 0..200 {
            tally.add_file(number.to_string(), 1_000_000, || Ok(bytes.clone())).unwrap();
        }
        let error = tally.add_file("x".into(), 1, || Ok(bytes.clone())).expect_err("too many");
        assert!(error.to_string().contains("more than 200000000 bytes"), "{error}");
    }

    #[test]
    fn nothing_found_is_an_error() {
        let error = Tally::of(Path::new("fleet")).finish("HEAD").expect_err("empty");
        assert!(error.to_string().starts_with("the fleet folder `fleet` is empty at HEAD"));
    }
}
