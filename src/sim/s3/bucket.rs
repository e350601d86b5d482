//! Buckets: whose they are, in which region, and who may do what with them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, Region};
use crate::moment::Moment;
use crate::sim::folder::CloudError;
use crate::sim::front::locked;
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::s3::checksum::md5;
use crate::sim::s3::refused;
use crate::sim::s3::shelf::{Label, Object, Shelf};

/// S3's limits for the length of a bucket's name.
const NAME: std::ops::RangeInclusive<usize> = 3..=63;

/// What a bucket lets everybody do, beside what their roles permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketAccess {
    /// Whether objects can be read: by every account, CloudFormation and Lambda.
    pub readable: bool,
    /// Whether its owner can put objects into it.
    pub writable: bool,
}

impl Default for BucketAccess {
    fn default() -> Self {
        Self { readable: true, writable: true }
    }
}

/// One bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bucket {
    pub(crate) name: String,
    /// Where it stands; one that a test put something into without making it stands everywhere.
    pub(crate) region: Option<Region>,
    /// `None`: everybody's.
    pub(crate) owner: Option<AccountId>,
    pub(crate) access: BucketAccess,
}

/// Every bucket of a cloud.
#[derive(Debug)]
pub(crate) struct Buckets(Mutex<Shelf>);

impl Buckets {
    /// Buckets in memory, or in `folder` if there is one, which other processes may change too.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self(Mutex::new(folder.map_or_else(|| Shelf::Memory(BTreeMap::new()), Shelf::Folder)))
    }

    /// Makes a bucket; one that is there already must be of this account and region.
    pub(crate) fn make(&self, owner: AccountId, name: &str, region: &Region) -> Answer<()> {
        if !is_well_formed(name) {
            return Err(Refusal::new("InvalidBucketName", "The specified bucket is not valid."));
        }
        let shelf = &mut *locked(&self.0);
        let access = match shelf.bucket(name)? {
            None => BucketAccess::default(),
            Some(old) if old.owner.is_some_and(|other| other != owner) => {
                let text = "The requested bucket name is not available.";
                return Err(Refusal::new("BucketAlreadyExists", text).with_status(409));
            }
            Some(old) if old.region.as_ref().is_some_and(|other| other != region) => {
                let place = old.region.map(|region| region.to_string()).unwrap_or_default();
                let text = format!("Your bucket `{name}` stands in {place}.");
                return Err(Refusal::new("BucketAlreadyOwnedByYou", text).with_status(409));
            }
            Some(old) => old.access,
        };
        let (owner, region) = (Some(owner), Some(region.clone()));
        Ok(shelf.keep(Bucket { name: name.to_owned(), region, owner, access })?)
    }

    /// Says what may be done with a bucket that is there.
    pub(crate) fn restrict(&self, name: &str, access: BucketAccess) -> Answer<()> {
        let bucket = self.existing(name)?;
        Ok(locked(&self.0).keep(Bucket { access, ..bucket })?)
    }

    /// A bucket, if there is one.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Bucket>, CloudError> {
        if is_well_formed(name) { locked(&self.0).bucket(name) } else { Ok(None) }
    }

    /// A bucket that must be there.
    pub(crate) fn existing(&self, name: &str) -> Answer<Bucket> {
        self.find(name)?.ok_or_else(|| refused::no_such_bucket(name))
    }

    /// Puts an object into a bucket that is there. `new`: only where no object is, and it says whether
    /// that was so.
    pub(crate) fn put(&self, bucket: &Bucket, object: Object, new: bool) -> Answer<bool> {
        let shelf = &mut *locked(&self.0);
        if new && shelf.label(&bucket.name, &object.label.key)?.is_some() {
            return Ok(false);
        }
        shelf.put(&bucket.name, object)?;
        Ok(true)
    }

    /// Puts an object where nobody asks who does it, into a bucket that is made should it be missing.
    pub(crate) fn put_by_hand(
        &self,
        name: &str,
        key: &str,
        bytes: &[u8],
        now: Moment,
    ) -> Answer<()> {
        let bucket = match self.find(name)? {
            Some(bucket) => bucket,
            None if is_well_formed(name) => {
                let bucket = Bucket { name: name.to_owned(), ..Bucket::default() };
                locked(&self.0).keep(bucket.clone())?;
                bucket
            }
            None => return Err(refused::no_such_bucket(name)),
        };
        let nothing = BTreeMap::new;
        self.put(&bucket, object(key, bytes.into(), now, nothing(), nothing()), false)?;
        Ok(())
    }

    /// An object of a bucket that is there.
    pub(crate) fn object(&self, bucket: &Bucket, key: &str) -> Answer<Option<Object>> {
        Ok(locked(&self.0).object(&bucket.name, key)?)
    }

    /// What is known of an object of a bucket that is there.
    pub(crate) fn label(&self, bucket: &Bucket, key: &str) -> Answer<Option<Label>> {
        Ok(locked(&self.0).label(&bucket.name, key)?)
    }

    /// What is known of every object of a bucket that is there, by key.
    pub(crate) fn labels(&self, bucket: &Bucket) -> Answer<BTreeMap<String, Label>> {
        Ok(locked(&self.0).labels(&bucket.name)?)
    }

    /// Takes an object out of a bucket that is there.
    pub(crate) fn remove(&self, bucket: &Bucket, key: &str) -> Answer<()> {
        Ok(locked(&self.0).remove(&bucket.name, key)?)
    }
}

/// An object that is put now.
pub(crate) fn object(
    key: &str,
    bytes: Arc<[u8]>,
    now: Moment,
    headers: BTreeMap<String, String>,
    checksums: BTreeMap<String, String>,
) -> Object {
    let label = Label {
        key: key.to_owned(),
        size: bytes.len(),
        etag: format!("\"{}\"", hex::encode(md5(&bytes))),
        modified_at: now,
        headers,
        checksums,
    };
    Object { label, bytes }
}

/// S3's rule for names; nothing else is a folder's name here.
fn is_well_formed(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [name.bytes().next(), name.bytes().next_back()];
    NAME.contains(&name.len())
        && ends.into_iter().all(|end| end.is_some_and(is_plain))
        && name.bytes().all(|byte| is_plain(byte) || byte == b'-' || byte == b'.')
        && !name.contains("..")
}
