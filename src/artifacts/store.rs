//! One content in one bucket: asked for, uploaded where it is missing, verified, and remembered. However
//! many ask at the same time, it is uploaded once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OnceCell, Semaphore};

use crate::artifacts::contents::Contents;
use crate::artifacts::error::ArtifactError;
use crate::artifacts::making::Making;
use crate::aws::{Aws, AwsError, Objects, Stored};
use crate::ids::{Digest, Region};
use crate::package::{Blob, BlobName, Origin, filled};

/// Questions under way: more than S3 answers in a round trip are of no use, and each has a connection.
const ASKED_AT_ONCE: usize = 64;
/// Uploads under way: enough to fill a line with the usual code of some megabytes.
const UPLOADS_AT_ONCE: usize = 16;
/// Memory for files and zips of uploads under way, in KiB: half a GiB is one of the largest that
/// Lambda takes with its zip, or a hundred usual ones.
const ROOM_KIB: u32 = 512 * 1_024;
/// What is known to be there. Once there are more, all is forgotten and asked for again: 7,500
/// functions in ten regions, with room.
const MAX_KNOWN: usize = 100_000;

/// How a content came to be in its bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It was there, or somebody else uploaded it meanwhile.
    WasThere,
    /// It was uploaded for this question.
    Uploaded {
        /// Bytes that were sent.
        bytes: u64,
    },
}

/// A content in a bucket of a region.
type Place = (Region, String, BlobName);
type Flight = Arc<OnceCell<Result<Put, ArtifactError>>>;

/// The buckets. Cheap to clone; clones share what is known and what is under way.
#[derive(Clone)]
pub struct Artifacts(Arc<Shared>);

struct Shared {
    aws: Aws,
    flights: Mutex<Flights>,
    questions: Semaphore,
    uploads: Semaphore,
    room: Semaphore,
}

#[derive(Default)]
struct Flights {
    under_way: BTreeMap<Place, Flight>,
    there: BTreeSet<Place>,
}

impl fmt::Debug for Artifacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Artifacts")
    }
}

impl Artifacts {
    /// The buckets as the credentials of this program reach them. Nothing is called yet.
    pub fn of(aws: Aws) -> Self {
        Self(Arc::new(Shared {
            aws,
            flights: Mutex::default(),
            questions: Semaphore::new(ASKED_AT_ONCE),
            uploads: Semaphore::new(UPLOADS_AT_ONCE),
            room: Semaphore::new(ROOM_KIB as usize),
        }))
    }

    /// Whether a bucket is there, in its region, and may be listed.
    pub async fn look(&self, region: &Region, bucket: &str) -> Result<(), ArtifactError> {
        let looked = self.0.aws.objects(region, bucket).look().await;
        looked.map_err(|error| ArtifactError::of_call((bucket, region), "s3:ListBucket", error))
    }

    /// Sees to it that a content is in a bucket. A failure is that of all who ask at the same time, and
    /// who asks later tries again.
    pub async fn ensure(
        &self,
        region: &Region,
        bucket: &str,
        (name, blob): (&BlobName, &Blob),
        contents: &Arc<dyn Contents>,
    ) -> Result<Put, ArtifactError> {
        let place = (region.clone(), bucket.to_owned(), *name);
        let Some(flight) = self.flights().join(&place) else { return Ok(Put::WasThere) };
        let is_own = AtomicBool::new(false);
        let upload = || {
            is_own.store(true, Ordering::Relaxed);
            let making = Making { aws: &self.0.aws, region, bucket, contents };
            self.put(name, blob, making)
        };
        let put = flight.get_or_init(upload).await.clone();
        self.flights().land(&place, &flight, put.is_ok());
        if is_own.load(Ordering::Relaxed) { put } else { put.map(|_| Put::WasThere) }
    }

    fn flights(&self) -> MutexGuard<'_, Flights> {
        self.0.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn put(
        &self,
        name: &BlobName,
        blob: &Blob,
        making: Making<'_>,
    ) -> Result<Put, ArtifactError> {
        let shared = &self.0;
        let at = At::of(&making, name, blob);
        {
            let _question = shared.questions.acquire().await;
            match at.objects.head(&at.key).await {
                Ok(Some(stored)) => return at.was_there(stored),
                Ok(None) => {}
                // The upload shows whether it is there, and says why not.
                Err(error) if error.is_unsaid() => {}
                Err(error) => return Err(at.failed("s3:GetObject", error)),
            }
        }
        let _upload = shared.uploads.acquire().await;
        // Its files, and as much again for what is made of them.
        let kib = making.bytes(blob).await?.saturating_mul(2) / 1_024;
        let kib = u32::try_from(kib).unwrap_or(u32::MAX).clamp(1, ROOM_KIB);
        let _room = shared.room.acquire_many(kib).await;
        let body = making.body(blob).await?;
        at.upload(body).await
    }
}

impl Flights {
    /// The flight of a content, of others or a new one; `None` where it is known to be there.
    fn join(&mut self, place: &Place) -> Option<Flight> {
        if self.there.contains(place) {
            return None;
        }
        Some(Arc::clone(self.under_way.entry(place.clone()).or_default()))
    }

    /// Every passenger comes here, and only the first finds something to do.
    fn land(&mut self, place: &Place, flight: &Flight, is_there: bool) {
        if !self.under_way.get(place).is_some_and(|current| Arc::ptr_eq(current, flight)) {
            return;
        }
        self.under_way.remove(place);
        if is_there {
            if self.there.len() >= MAX_KNOWN {
                self.there.clear();
            }
            self.there.insert(place.clone());
        }
    }
}

/// The place of one content.
struct At<'a> {
    objects: Objects,
    region: &'a Region,
    bucket: &'a str,
    key: String,
    blob: &'a Blob,
}

impl<'a> At<'a> {
    fn of(making: &Making<'a>, name: &BlobName, blob: &'a Blob) -> Self {
        let Making { aws, region, bucket, .. } = *making;
        Self { objects: aws.objects(region, bucket), region, bucket, key: name.key(), blob }
    }

    async fn upload(&self, body: Vec<u8>) -> Result<Put, ArtifactError> {
        let (sha256, bytes) = (Digest::of(&body), body.len() as u64);
        let verified = match self.objects.put(&self.key, body).await {
            Ok(Some(found)) => found == sha256,
            Ok(None) => {
                let stored = self.stored().await?;
                stored.sha256.map_or(stored.bytes == bytes, |found| found == sha256)
            }
            // Another upload was faster, or an earlier try of this one whose answer was lost.
            Err(error) if error.object_exists() => return self.was_there(self.stored().await?),
            Err(error) => return Err(self.failed("s3:PutObject", error)),
        };
        if verified { Ok(Put::Uploaded { bytes }) } else { Err(self.corrupted()) }
    }

    /// What is there after an upload.
    async fn stored(&self) -> Result<Stored, ArtifactError> {
        let found = self.objects.head(&self.key).await;
        let found = found.map_err(|error| self.failed("s3:GetObject", error))?;
        found.ok_or_else(|| self.corrupted())
    }

    /// Of what was there before, as much is verified as can be without making it again: a zip that
    /// another version wrote has other bytes.
    fn was_there(&self, stored: Stored) -> Result<Put, ArtifactError> {
        let has = |expected: Digest| stored.sha256.is_none_or(|found| found == expected);
        let is_ours = match self.blob {
            Blob::File(file) => match &file.origin {
                Origin::Committed { .. } => stored.bytes == file.bytes,
                Origin::Built(built) => has(built.digest),
            },
            Blob::Zip(_) => stored.bytes > 0,
            Blob::Template(template) => {
                let body = filled(template.body(), self.bucket, self.region);
                stored.bytes == body.len() as u64 && has(Digest::of(body.as_bytes()))
            }
        };
        if is_ours {
            return Ok(Put::WasThere);
        }
        Err(ArtifactError::Foreign { bucket: self.bucket.to_owned(), key: self.key.clone() })
    }

    fn corrupted(&self) -> ArtifactError {
        ArtifactError::Corrupted { bucket: self.bucket.to_owned(), key: self.key.clone() }
    }

    fn failed(&self, action: &'static str, error: AwsError) -> ArtifactError {
        if error.checksum_refused() {
            return self.corrupted();
        }
        ArtifactError::of_call((self.bucket, self.region), action, error)
    }
}

#[cfg(test)]
mod tests;
