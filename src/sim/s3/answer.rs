//! What S3 answers to each operation.

use std::collections::BTreeMap;

use crate::moment::Moment;
use crate::sim::front::{Inner, Reply, Response, Visit, http_date};
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::s3::bucket::{Bucket, object};
use crate::sim::s3::listing::listing;
use crate::sim::s3::payload::received;
use crate::sim::s3::refused::{REGION_HEADER, denied, elsewhere, no_such_key, signed_for_another};
use crate::sim::s3::shelf::{Label, Object};
use crate::sim::s3::wish::{OWN, Operation, Wish};

/// The header that says how an object is encrypted, and what S3 does unless it is told otherwise.
const ENCRYPTION: &str = "x-amz-server-side-encryption";
const BY_DEFAULT: &str = "AES256";
/// Headers of a PUT that come back with the object.
const KEPT: [&str; 3] = ["content-type", ENCRYPTION, "x-amz-server-side-encryption-aws-kms-key-id"];
/// The type of an object of which nobody said one.
const PLAIN: &str = "binary/octet-stream";

impl Inner {
    /// Answers a request to S3.
    pub(crate) fn to_s3(&self, visit: &Visit<'_>, wish: Wish) -> Answer<Reply> {
        let (operation, fields) = (wish.operation, wish.fields());
        let call = (operation.name(), operation == Operation::PutObject);
        self.through(visit, visit.caller.account, call, &fields, |_| {
            let region = visit.region;
            if let Some(endpoint) = wish.endpoint.as_ref().filter(|endpoint| *endpoint != region) {
                return Err(signed_for_another(region, endpoint));
            }
            let resource = wish.resource(region);
            let who = (&visit.caller, region);
            self.permits(who, visit.now, operation.right(), |_| resource.clone())?;
            let response = self.answer(visit, wish)?;
            Ok(response.with_header("x-amz-request-id", &visit.request_id))
        })
    }

    fn answer(&self, visit: &Visit<'_>, wish: Wish) -> Answer<Response> {
        let bucket = self.buckets.existing(&wish.bucket)?;
        if let Some(region) = bucket.region.as_ref().filter(|region| *region != visit.region) {
            return Err(elsewhere(&bucket, region));
        }
        let expected = wish.header("x-amz-expected-bucket-owner");
        let is_foreign = |owner: &str| bucket.owner.is_some_and(|id| id.to_string() != owner);
        if expected.is_some_and(is_foreign) {
            return Err(denied());
        }
        let writes = wish.operation == Operation::PutObject;
        let is_owner = bucket.owner.is_none_or(|owner| owner == visit.caller.account);
        let access = bucket.access;
        if if writes { !(access.writable && is_owner) } else { !access.readable } {
            return Err(denied());
        }
        match wish.operation {
            Operation::HeadBucket => {
                let response = Response::new(200, Vec::new());
                Ok(response.with_header(REGION_HEADER, visit.region.as_str()))
            }
            Operation::ListObjectsV2 => {
                let text = listing(&wish, &self.buckets.labels(&bucket)?)?;
                let response = Response::new(200, text.into_bytes());
                Ok(response.with_header("content-type", "application/xml"))
            }
            Operation::HeadObject => {
                let missing = || no_such_key(&wish.key);
                let label = self.buckets.label(&bucket, &wish.key)?.ok_or_else(missing)?;
                let response = described(&wish, &label, Vec::new())?;
                Ok(Response { length: label.size, ..response })
            }
            Operation::GetObject => {
                let missing = || no_such_key(&wish.key);
                let Object { label, bytes } =
                    self.buckets.object(&bucket, &wish.key)?.ok_or_else(missing)?;
                described(&wish, &label, bytes.to_vec())
            }
            Operation::PutObject => self.put(&bucket, wish, visit.now),
        }
    }

    fn put(&self, bucket: &Bucket, mut wish: Wish, now: Moment) -> Answer<Response> {
        let payload = received(&wish.headers, std::mem::take(&mut wish.body))?;
        let is_kept = |name: &str| KEPT.contains(&name) || name.starts_with(OWN);
        let kept: BTreeMap<String, String> =
            wish.headers.iter().filter(|(name, _)| is_kept(name)).map(owned).collect();
        let encryption = kept.get(ENCRYPTION).map_or(BY_DEFAULT, String::as_str).to_owned();
        let object = object(&wish.key, payload.bytes.into(), now, kept, payload.checksums);
        let mut response = Response::new(200, Vec::new())
            .with_header("etag", &object.label.etag)
            .with_header(ENCRYPTION, &encryption);
        for (name, sum) in &object.label.checksums {
            response = response.with_header(name, sum);
        }
        // Refused before if it is anything but a star.
        let new = wish.header("if-none-match").is_some();
        if self.buckets.put(bucket, object, new)? {
            Ok(response)
        } else {
            Err(unmet("If-None-Match"))
        }
    }
}

fn owned((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

/// An object with what is known of it.
fn described(wish: &Wish, label: &Label, body: Vec<u8>) -> Answer<Response> {
    let bare = |etag: &str| etag.trim_matches('"').to_owned();
    if wish.header("if-match").is_some_and(|etag| bare(etag) != bare(&label.etag)) {
        return Err(unmet("If-Match"));
    }
    let mut response = Response::new(200, body)
        .with_header("etag", &label.etag)
        .with_header("accept-ranges", "bytes")
        .with_header("last-modified", &http_date(label.modified_at));
    for (name, default) in [("content-type", PLAIN), (ENCRYPTION, BY_DEFAULT)] {
        let value = label.headers.get(name).map_or(default, String::as_str);
        response = response.with_header(name, value);
    }
    let told = ["content-type", ENCRYPTION];
    for (name, value) in label.headers.iter().filter(|(name, _)| !told.contains(&name.as_str())) {
        response = response.with_header(name, value);
    }
    if wish.header("x-amz-checksum-mode") == Some("ENABLED") {
        for (name, sum) in &label.checksums {
            response = response.with_header(name, sum);
            response = response.with_header("x-amz-checksum-type", "FULL_OBJECT");
        }
    }
    Ok(response)
}

fn unmet(condition: &str) -> Refusal {
    let text = "At least one of the pre-conditions you specified did not hold";
    let refusal = Refusal::new("PreconditionFailed", text).with_status(412);
    refusal.with_detail("Condition", condition)
}
