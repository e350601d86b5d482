//! A content that a bucket must have: a file, a zip of files, or a packaged template. Its name says
//! what is in it, so that it is uploaded once and never changed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::Digest;
use crate::package::built::Built;
use crate::snapshot::ContentId;
use crate::template::Template;

/// One file that is packaged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    /// Where it lies in the fleet folder, behind all links.
    pub path: String,
    /// What is in it.
    #[serde(flatten)]
    pub origin: Origin,
    /// Its size; 0 for a build output, which is not looked at before it is fetched.
    pub bytes: u64,
}

/// Where the bytes of a file come from, which says what they are as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Origin {
    /// It is a file of the snapshot.
    Committed {
        /// What is in it.
        id: ContentId,
    },
    /// A build made it.
    Built(Built),
}

impl Origin {
    /// What tells it from every other content.
    fn parts(&self) -> [&[u8]; 2] {
        match self {
            Self::Committed { id } => [b"file", id.as_bytes()],
            Self::Built(built) => [b"built", built.digest.as_bytes()],
        }
    }
}

/// What is to be in the bucket.
#[derive(Clone, Debug)]
pub enum Blob {
    /// A file as it is.
    File(Packed),
    /// A zip of files by their names in it, each with the mode 0755 and the same time.
    Zip(Arc<BTreeMap<String, Packed>>),
    /// The template of a nested stack, packaged itself.
    Template(Arc<Template>),
}

/// What a content is called in the bucket, below `driftless/`: its hash, and what kind it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlobName {
    digest: Digest,
    ending: &'static str,
}

impl fmt::Display for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.digest, self.ending)
    }
}

impl Blob {
    /// Its name.
    pub fn name(&self) -> BlobName {
        match self {
            Self::File(file) => {
                let digest = Digest::of_parts(file.origin.parts());
                BlobName { digest, ending: "" }
            }
            Self::Zip(files) => {
                // Twenty bytes of a committed file and thirty-two of a built one are never the same.
                let parts =
                    files.iter().flat_map(|(name, file)| [name.as_bytes(), file.origin.parts()[1]]);
                let digest = Digest::of_parts([b"zip".as_slice()].into_iter().chain(parts));
                BlobName { digest, ending: ".zip" }
            }
            Self::Template(template) => {
                let parts = [b"template".as_slice(), template.body().as_bytes()];
                BlobName { digest: Digest::of_parts(parts), ending: ".template" }
            }
        }
    }

    /// Bytes of what is in it, before it is zipped, without build outputs.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::File(file) => file.bytes,
            Self::Zip(files) => files.values().map(|file| file.bytes).sum(),
            Self::Template(template) => template.body().len() as u64,
        }
    }
}
