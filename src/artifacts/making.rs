//! Makes the bytes of a content, when a bucket lacks it: files are read, build outputs fetched, zips
//! written.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crate::artifacts::contents::Contents;
use crate::artifacts::error::ArtifactError;
use crate::artifacts::on_disk::place;
use crate::aws::{Aws, AwsError, Objects, Stored};
use crate::ids::{Digest, Region};
use crate::package::{Blob, Built, BuiltAt, MAX_CODE_BYTES, Origin, Packed, archive, filled};

/// How pointers of Git LFS begin, in every version of it.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Makes contents for one bucket.
pub(super) struct Making<'a> {
    pub(super) aws: &'a Aws,
    pub(super) region: &'a Region,
    pub(super) bucket: &'a str,
    pub(super) contents: &'a Arc<dyn Contents>,
}

impl Making<'_> {
    /// How many bytes a content has before it is zipped, build outputs and all.
    pub(super) async fn bytes(&self, blob: &Blob) -> Result<u64, ArtifactError> {
        let mut bytes = blob.bytes();
        for file in files(blob) {
            if let Origin::Built(built) = &file.origin {
                bytes += self.built(&file.path, built).bytes().await?;
            }
        }
        Ok(bytes)
    }

    /// The bytes of a content as they are put into the bucket.
    pub(super) async fn body(&self, blob: &Blob) -> Result<Vec<u8>, ArtifactError> {
        match blob {
            Blob::Template(template) => {
                Ok(filled(template.body(), self.bucket, self.region).into_bytes())
            }
            Blob::File(file) => {
                let named = BTreeMap::from([(String::new(), file.clone())]);
                let read = self.read(named).await?;
                Ok(read.values().next().map_or_else(Vec::new, |bytes| bytes.to_vec()))
            }
            Blob::Zip(files) => {
                let read = self.read(BTreeMap::clone(files)).await?;
                let path = files.values().next().map_or_else(String::new, |file| file.path.clone());
                let zip = blocking(move || archive(&read)).await;
                zip.map_err(|error| ArtifactError::Zip { path, why: error.to_string() })
            }
        }
    }

    /// The bytes of files by their names.
    async fn read(
        &self,
        files: BTreeMap<String, Packed>,
    ) -> Result<BTreeMap<String, Arc<[u8]>>, ArtifactError> {
        let mut read = BTreeMap::new();
        for (name, file) in &files {
            if let Origin::Built(built) = &file.origin {
                read.insert(name.clone(), self.built(&file.path, built).fetch().await?);
            }
        }
        let contents = Arc::clone(self.contents);
        let committed = blocking(move || {
            let committed = files.into_iter().filter_map(|(name, file)| match file.origin {
                Origin::Committed { id } => Some((name, file.path, id)),
                Origin::Built(_) => None,
            });
            let read = committed.map(|(name, path, id)| {
                let bytes = contents.content(&path, &id).map_err(Arc::new);
                let bytes = bytes.map_err(ArtifactError::Content)?;
                if bytes.starts_with(LFS_POINTER) {
                    return Err(ArtifactError::LfsPointer { path });
                }
                Ok((name, bytes))
            });
            read.collect::<Result<Vec<_>, _>>()
        });
        read.extend(committed.await?);
        Ok(read)
    }

    fn built<'b>(&'b self, path: &'b str, built: &'b Built) -> Output<'b> {
        Output { making: self, path, built }
    }
}

fn files(blob: &Blob) -> Vec<&Packed> {
    match blob {
        Blob::File(file) => vec![file],
        Blob::Zip(files) => files.values().collect(),
        Blob::Template(_) => Vec::new(),
    }
}

/// A build output.
struct Output<'a> {
    making: &'a Making<'a>,
    path: &'a str,
    built: &'a Built,
}

impl Output<'_> {
    async fn bytes(&self) -> Result<u64, ArtifactError> {
        match &self.built.from {
            BuiltAt::File(path) => {
                let at = self.on_disk(path)?;
                let bytes = blocking(move || fs::metadata(at).map(|found| found.len())).await;
                self.fitting(bytes.map_err(|error| self.unreadable(&error))?)
            }
            BuiltAt::Object { bucket, key } => {
                self.stored(bucket, key).await.map(|(_, stored)| stored.bytes)
            }
        }
    }

    async fn fetch(&self) -> Result<Arc<[u8]>, ArtifactError> {
        let bytes: Arc<[u8]> = match &self.built.from {
            BuiltAt::File(path) => {
                let at = self.on_disk(path)?;
                let read = blocking(move || fs::read(at)).await;
                read.map_err(|error| self.unreadable(&error))?.into()
            }
            BuiltAt::Object { bucket, key } => {
                let (objects, stored) = self.stored(bucket, key).await?;
                let fetched = objects.fetch(key, stored.bytes).await;
                fetched.map_err(|error| self.failed((bucket, objects.region()), error))?
            }
        };
        self.fitting(bytes.len() as u64)?;
        let found = Digest::of(&bytes);
        if found != self.built.digest {
            return Err(ArtifactError::BuiltOther {
                path: self.path.to_owned(),
                from: self.built.from.clone(),
                expected: self.built.digest,
                found,
            });
        }
        Ok(bytes)
    }

    fn on_disk(&self, path: &str) -> Result<PathBuf, ArtifactError> {
        let folder = self.making.contents.folder();
        place(folder.as_deref(), path).map_err(|why| self.missing(why))
    }

    /// Where an object is, and what S3 says of it. Builds may lie in a bucket of any region.
    async fn stored(&self, bucket: &str, key: &str) -> Result<(Objects, Stored), ArtifactError> {
        let mut objects = self.making.aws.objects(self.making.region, bucket);
        let mut found = objects.head(key).await;
        let elsewhere = found.as_ref().err().and_then(AwsError::bucket_region);
        if let Some(Ok(region)) = elsewhere.map(str::parse) {
            objects = self.making.aws.objects(&region, bucket);
            found = objects.head(key).await;
        }
        match found {
            Ok(Some(stored)) => {
                self.fitting(stored.bytes)?;
                Ok((objects, stored))
            }
            Ok(None) => Err(self.missing("there is nothing")),
            Err(error) => Err(self.failed((bucket, objects.region()), error)),
        }
    }

    fn fitting(&self, bytes: u64) -> Result<u64, ArtifactError> {
        if bytes <= MAX_CODE_BYTES {
            return Ok(bytes);
        }
        let (path, from) = (self.path.to_owned(), self.built.from.clone());
        Err(ArtifactError::BuiltTooLarge { path, from, bytes })
    }

    fn missing(&self, why: &str) -> ArtifactError {
        let (path, from) = (self.path.to_owned(), self.built.from.clone());
        ArtifactError::BuiltMissing { path, from, why: why.to_owned() }
    }

    fn unreadable(&self, error: &std::io::Error) -> ArtifactError {
        if error.kind() == std::io::ErrorKind::NotFound {
            return self.missing("there is no file");
        }
        self.missing(&format!("no file can be read ({error})"))
    }

    fn failed(&self, place: (&str, &Region), error: AwsError) -> ArtifactError {
        if error.no_such_object() || error.no_such_bucket() {
            return self.missing("there is nothing");
        }
        ArtifactError::of_call(place, "s3:GetObject", error)
    }
}

/// Runs what waits for the disk, or works long, where that holds up nobody.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
