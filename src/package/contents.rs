//! Files and folders as contents of a bucket, each path looked up once in a revision: many functions
//! share one folder.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::package::blob::{Blob, BlobName};
use crate::package::files::{Files, Found};

/// What was looked up.
#[derive(Default)]
pub(super) struct Contents {
    /// By path, and whether a single file is zipped.
    known: BTreeMap<(String, bool), Known>,
}

struct Known {
    found: Result<(BlobName, Blob), String>,
    /// The paths that it depends on.
    trail: BTreeSet<String>,
}

impl Contents {
    /// The file or folder at a path; a file is zipped if `is_zipped`, unless it is an archive. An error is
    /// a whole sentence.
    pub(super) fn content(
        &mut self,
        files: &Files<'_>,
        path: &str,
        is_zipped: bool,
    ) -> Result<(BlobName, Blob), String> {
        let known = self.known.entry((path.to_owned(), is_zipped)).or_insert_with(|| {
            let around = files.trail.take();
            let found = found(files, path, is_zipped).map(|blob| (blob.name(), blob));
            Known { found, trail: files.trail.replace(around) }
        });
        files.trail.borrow_mut().extend(known.trail.iter().cloned());
        known.found.clone()
    }
}

fn found(files: &Files<'_>, path: &str, is_zipped: bool) -> Result<Blob, String> {
    Ok(match files.find(path)? {
        Found::File(file) if is_zipped && !is_zip(&file.path) => {
            let name = path.rsplit('/').next().unwrap_or(path).to_owned();
            Blob::Zip(Arc::new(BTreeMap::from([(name, file)])))
        }
        Found::File(file) => Blob::File(file),
        Found::Folder(folder) => Blob::Zip(Arc::new(files.folder(&folder)?)),
    })
}

/// Whether a file is an archive already. Its name says so: what is in it is not read.
fn is_zip(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    [".zip", ".jar", ".war", ".whl"].iter().any(|ending| path.ends_with(ending))
}
