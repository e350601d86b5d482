//! All contents of a package in one bucket: in parallel, with how far it is, and with every failure.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::artifacts::contents::Contents;
use crate::artifacts::error::ArtifactError;
use crate::artifacts::store::{Artifacts, Put};
use crate::ids::Region;
use crate::package::{Blob, BlobName};

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Contents in all.
    pub all: usize,
    /// Of these, those that are in the bucket.
    pub there: usize,
    /// Those that failed.
    pub failed: usize,
    /// Bytes of all contents before they are zipped, without build outputs, whose sizes nobody knows.
    pub bytes_of_all: u64,
    /// Bytes of those that are there or failed.
    pub bytes_done: u64,
}

/// What came of all.
#[derive(Clone, Debug, Default)]
pub struct Uploads {
    /// Contents that were there.
    pub were_there: usize,
    /// Contents that were uploaded.
    pub uploaded: usize,
    /// Bytes that were sent.
    pub bytes: u64,
    /// Why others are not there.
    pub failures: BTreeMap<BlobName, ArtifactError>,
}

impl Artifacts {
    /// Sees to it that all these contents are in a bucket, and tells `progress` of each that is done. To
    /// stop, drop it: what is under way is broken off, and nothing is left half there.
    pub async fn ensure_all(
        &self,
        region: &Region,
        bucket: &str,
        blobs: &BTreeMap<BlobName, Blob>,
        contents: &Arc<dyn Contents>,
        progress: impl Fn(Progress) + Send,
    ) -> Uploads {
        let bytes_of_all = blobs.values().map(Blob::bytes).sum();
        let mut so_far = Progress { all: blobs.len(), bytes_of_all, ..Progress::default() };
        let mut uploads = Uploads::default();
        let mut under_way = JoinSet::new();
        for (name, blob) in blobs {
            let (artifacts, region, bucket) = (self.clone(), region.clone(), bucket.to_owned());
            let (name, blob, contents) = (*name, blob.clone(), Arc::clone(contents));
            under_way.spawn(async move {
                let put = artifacts.ensure(&region, &bucket, (&name, &blob), &contents).await;
                (name, blob.bytes(), put)
            });
        }
        while let Some(joined) = under_way.join_next().await {
            let (name, bytes, put) = match joined {
                Ok(done) => done,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            };
            so_far.bytes_done += bytes;
            match put {
                Ok(put) => {
                    so_far.there += 1;
                    uploads.count(put);
                }
                Err(error) => {
                    so_far.failed += 1;
                    uploads.failures.insert(name, error);
                }
            }
            progress(so_far);
        }
        uploads
    }
}

impl Uploads {
    fn count(&mut self, put: Put) {
        match put {
            Put::WasThere => self.were_there += 1,
            Put::Uploaded { bytes } => {
                self.uploaded += 1;
                self.bytes += bytes;
            }
        }
    }
}
