//! What a person does with buckets of S3 and their objects.

use std::sync::Arc;

use crate::ids::{AccountId, Region};
use crate::sim::HUB_ACCOUNT;
use crate::sim::console::{Console, ConsoleError};
use crate::sim::refusal::Refusal;
use crate::sim::s3::BucketAccess;

impl Console {
    /// Makes a bucket of the hub account, which everybody may read. Nothing happens when it has one of
    /// that name in that region; refused when the name is taken otherwise.
    pub fn make_bucket(&self, name: &str, region: &Region) -> Result<(), ConsoleError> {
        let owner = HUB_ACCOUNT.parse();
        let owner = owner.map_err(|error| Refusal::validation(format!("{error}")))?;
        self.make_bucket_of(owner, name, region)
    }

    /// Makes a bucket of another account: only that one puts objects into it.
    pub fn make_bucket_of(
        &self,
        owner: AccountId,
        name: &str,
        region: &Region,
    ) -> Result<(), ConsoleError> {
        Ok(self.0.buckets.make(owner, name, region)?)
    }

    /// Lets objects of a bucket be read or put, or not.
    pub fn restrict_bucket(&self, name: &str, access: BucketAccess) -> Result<(), ConsoleError> {
        Ok(self.0.buckets.restrict(name, access)?)
    }

    /// Puts an object into a bucket. One that is missing is made: it belongs to everybody and stands in
    /// every region.
    pub fn put_object(&self, bucket: &str, key: &str, bytes: &[u8]) -> Result<(), ConsoleError> {
        Ok(self.0.buckets.put_by_hand(bucket, key, bytes, self.0.clock.now())?)
    }

    /// Takes an object out of a bucket; refused when there is no such bucket.
    pub fn remove_object(&self, bucket: &str, key: &str) -> Result<(), ConsoleError> {
        let bucket = self.0.buckets.existing(bucket)?;
        Ok(self.0.buckets.remove(&bucket, key)?)
    }

    /// An object of a bucket, if both are there.
    pub fn object(&self, bucket: &str, key: &str) -> Result<Option<Arc<[u8]>>, ConsoleError> {
        let Some(bucket) = self.0.buckets.find(bucket)? else { return Ok(None) };
        Ok(self.0.buckets.object(&bucket, key)?.map(|object| object.bytes))
    }

    /// The keys of all objects of a bucket, sorted; refused when there is no such bucket.
    pub fn keys(&self, bucket: &str) -> Result<Vec<String>, ConsoleError> {
        let bucket = self.0.buckets.existing(bucket)?;
        Ok(self.0.buckets.labels(&bucket)?.into_keys().collect())
    }
}
