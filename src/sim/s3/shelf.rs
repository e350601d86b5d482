//! Where buckets and their objects are: in memory, or in a folder that other processes use too. A file
//! of an object is a line of JSON about it, and then its bytes: both are there or neither is.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::Digest;
use crate::moment::Moment;
use crate::sim::folder::{CloudError, write_whole};
use crate::sim::s3::bucket::Bucket;

/// What is known of an object beside its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Label {
    pub(crate) key: String,
    /// In bytes.
    pub(crate) size: usize,
    /// The MD5 in quotes.
    pub(crate) etag: String,
    pub(crate) modified_at: Moment,
    /// Headers that came with it and go out with it, by their names.
    pub(crate) headers: BTreeMap<String, String>,
    /// The checksum headers that came with it.
    pub(crate) checksums: BTreeMap<String, String>,
}

/// An object.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) label: Label,
    pub(crate) bytes: Arc<[u8]>,
}

/// A bucket with its objects by key.
type Full = (Bucket, BTreeMap<String, Object>);

/// Every bucket of a cloud, by name. Names are well formed, so that they are names of folders.
#[derive(Debug)]
pub(crate) enum Shelf {
    Memory(BTreeMap<String, Full>),
    Folder(PathBuf),
}

impl Shelf {
    /// A bucket, if there is one.
    pub(crate) fn bucket(&self, name: &str) -> Result<Option<Bucket>, CloudError> {
        match self {
            Self::Memory(all) => Ok(all.get(name).map(|(bucket, _)| bucket.clone())),
            Self::Folder(folder) => {
                let path = folder.join(name).join("bucket.json");
                let Some(bytes) = missing_is_none(fs::read(&path), &path)? else { return Ok(None) };
                parsed(&bytes, &path).map(Some)
            }
        }
    }

    /// Makes a bucket, or writes what has changed about it.
    pub(crate) fn keep(&mut self, bucket: Bucket) -> Result<(), CloudError> {
        match self {
            Self::Memory(all) => {
                let name = bucket.name.clone();
                all.entry(name).or_default().0 = bucket;
                Ok(())
            }
            Self::Folder(folder) => {
                let folder = folder.join(&bucket.name);
                fs::create_dir_all(&folder)
                    .map_err(|source| CloudError::Unwritable { path: folder.clone(), source })?;
                let path = folder.join("bucket.json");
                write_whole(&path, &json(&bucket, &path)?)
            }
        }
    }

    /// What is known of an object of a bucket.
    pub(crate) fn label(&self, bucket: &str, key: &str) -> Result<Option<Label>, CloudError> {
        match self {
            Self::Memory(all) => Ok(in_memory(all, bucket, key).map(|one| one.label.clone())),
            Self::Folder(folder) => label_in(&path_of(folder, bucket, key)),
        }
    }

    /// An object of a bucket.
    pub(crate) fn object(&self, bucket: &str, key: &str) -> Result<Option<Object>, CloudError> {
        let path = match self {
            Self::Memory(all) => return Ok(in_memory(all, bucket, key).cloned()),
            Self::Folder(folder) => path_of(folder, bucket, key),
        };
        let Some((label, mut file)) = opened(&path)? else { return Ok(None) };
        let mut bytes = Vec::with_capacity(label.size);
        file.read_to_end(&mut bytes)
            .map_err(|source| CloudError::Unreadable { path: path.clone(), source })?;
        Ok(Some(Object { label, bytes: bytes.into() }))
    }

    /// Puts an object into a bucket, in the place of any that was there.
    pub(crate) fn put(&mut self, bucket: &str, object: Object) -> Result<(), CloudError> {
        match self {
            Self::Memory(all) => {
                let objects = &mut all.entry(bucket.to_owned()).or_default().1;
                objects.insert(object.label.key.clone(), object);
                Ok(())
            }
            Self::Folder(folder) => {
                let path = path_of(folder, bucket, &object.label.key);
                let mut bytes = json(&object.label, &path)?;
                bytes.push(b'\n');
                bytes.extend(&*object.bytes);
                write_whole(&path, &bytes)
            }
        }
    }

    /// Takes an object out of a bucket, if it is there.
    pub(crate) fn remove(&mut self, bucket: &str, key: &str) -> Result<(), CloudError> {
        match self {
            Self::Memory(all) => {
                if let Some((_, objects)) = all.get_mut(bucket) {
                    objects.remove(key);
                }
                Ok(())
            }
            Self::Folder(folder) => {
                let path = path_of(folder, bucket, key);
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        Err(CloudError::Unwritable { path, source: error })
                    }
                    Ok(()) | Err(_) => Ok(()),
                }
            }
        }
    }

    /// What is known of every object of a bucket, by key.
    pub(crate) fn labels(&self, bucket: &str) -> Result<BTreeMap<String, Label>, CloudError> {
        let folder = match self {
            Self::Memory(all) => {
                let objects = all.get(bucket).into_iter().flat_map(|(_, objects)| objects);
                return Ok(objects.map(|(key, one)| (key.clone(), one.label.clone())).collect());
            }
            Self::Folder(folder) => folder.join(bucket),
        };
        let unreadable = |source| CloudError::Unreadable { path: folder.clone(), source };
        let mut labels = BTreeMap::new();
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let is_object = path.extension().is_some_and(|extension| extension == "object");
            // Another process may have removed it since.
            if let Some(label) = is_object.then(|| label_in(&path)).transpose()?.flatten() {
                labels.insert(label.key.clone(), label);
            }
        }
        Ok(labels)
    }
}

fn in_memory<'a>(all: &'a BTreeMap<String, Full>, bucket: &str, key: &str) -> Option<&'a Object> {
    all.get(bucket).and_then(|(_, objects)| objects.get(key))
}

/// Keys are longer than names of files may be, and of other letters.
fn path_of(folder: &Path, bucket: &str, key: &str) -> PathBuf {
    folder.join(bucket).join(format!("{}.object", Digest::of(key.as_bytes())))
}

fn label_in(path: &Path) -> Result<Option<Label>, CloudError> {
    Ok(opened(path)?.map(|(label, _)| label))
}

/// The line about an object, and the file where its bytes begin.
fn opened(path: &Path) -> Result<Option<(Label, BufReader<File>)>, CloudError> {
    let Some(file) = missing_is_none(File::open(path), path)? else { return Ok(None) };
    let mut file = BufReader::new(file);
    let mut line = Vec::new();
    file.read_until(b'\n', &mut line)
        .map_err(|source| CloudError::Unreadable { path: path.to_owned(), source })?;
    Ok(Some((parsed(&line, path)?, file)))
}

fn missing_is_none<T>(read: io::Result<T>, path: &Path) -> Result<Option<T>, CloudError> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(CloudError::Unreadable { path: path.to_owned(), source }),
    }
}

fn parsed<T: serde::de::DeserializeOwned>(bytes: &[u8], path: &Path) -> Result<T, CloudError> {
    let corrupt = |error: serde_json::Error| CloudError::Corrupt {
        path: path.to_owned(),
        problem: error.to_string(),
    };
    serde_json::from_slice(bytes).map_err(corrupt)
}

fn json(value: &impl Serialize, path: &Path) -> Result<Vec<u8>, CloudError> {
    let unwritable = |error: serde_json::Error| CloudError::Unwritable {
        path: path.to_owned(),
        source: error.into(),
    };
    serde_json::to_vec(value).map_err(unwritable)
}
