//! What a request asks of S3: the operation, the bucket and the key. What is not known is refused,
//! parameters and headers too, since leaving them out would be another answer than AWS's.

use std::collections::BTreeMap;

use crate::ids::Region;
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::s3::place::{Endpoint, parameters, percent_decoded};
use crate::sim::wire::Message;

/// S3's limit for a key, in bytes.
const MAX_KEY: usize = 1_024;
/// The parameter that some clients send to say what they ask.
const NAME_OF_OPERATION: &str = "x-id";
/// Parameters of a listing.
const OF_LISTINGS: [&str; 8] = [
    "list-type",
    "prefix",
    "delimiter",
    "max-keys",
    "start-after",
    "continuation-token",
    "encoding-type",
    "fetch-owner",
];
/// Headers that mean something to S3 and are understood here; others that begin like one of
/// [`MEANINGFUL`] are refused.
const UNDERSTOOD: [&str; 16] = [
    "if-match",
    "if-none-match",
    "x-amz-checksum-crc32",
    "x-amz-checksum-mode",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-expected-bucket-owner",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-security-token",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-trailer",
    "x-amz-user-agent",
];
/// Where people's own fields of an object begin.
pub(crate) const OWN: &str = "x-amz-meta-";
const MEANINGFUL: [&str; 4] = ["x-amz-", "if-", "range", "expires"];

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    HeadBucket,
    ListObjectsV2,
    HeadObject,
    GetObject,
    PutObject,
}

impl Operation {
    /// All of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::HeadBucket, Self::ListObjectsV2, Self::HeadObject, Self::GetObject, Self::PutObject];

    /// AWS's name of it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HeadBucket => "HeadBucket",
            Self::ListObjectsV2 => "ListObjectsV2",
            Self::HeadObject => "HeadObject",
            Self::GetObject => "GetObject",
            Self::PutObject => "PutObject",
        }
    }

    /// The right that it takes.
    pub(crate) fn right(self) -> &'static str {
        match self {
            Self::HeadBucket | Self::ListObjectsV2 => "s3:ListBucket",
            Self::HeadObject | Self::GetObject => "s3:GetObject",
            Self::PutObject => "s3:PutObject",
        }
    }
}

/// One request.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) operation: Operation,
    pub(crate) bucket: String,
    /// Empty where the bucket itself is meant.
    pub(crate) key: String,
    /// The region that the host stands for; `None` for hosts that are none of AWS's.
    pub(crate) endpoint: Option<Region>,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Wish {
    /// Takes a message apart.
    pub(crate) fn parse(message: Message<'_>) -> Answer<Self> {
        let invalid = || Refusal::new("InvalidURI", "Couldn't parse the specified URI.");
        let (path, query) = message.target.split_once('?').unwrap_or((message.target, ""));
        let path = percent_decoded(path).ok_or_else(invalid)?;
        let path = path.strip_prefix('/').unwrap_or(&path);
        let query = parameters(query).ok_or_else(invalid)?;
        let host = message.host.split(':').next().unwrap_or_default();
        let (in_host, endpoint) = named_by(host)?;
        let (bucket, key) = match &in_host {
            Some(bucket) => (bucket.as_str(), path),
            None => path.split_once('/').unwrap_or((path, "")),
        };
        let operation = operation(message.method, (bucket, key), &query)?;
        if key.len() > MAX_KEY {
            return Err(Refusal::new("KeyTooLongError", "Your key is too long"));
        }
        let fields = message.headers.iter();
        let headers: BTreeMap<String, String> =
            fields.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        understood(operation, &query, &headers)?;
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        Ok(Self { operation, bucket, key, endpoint, query, headers, body: message.body })
    }

    /// What it is about, as policies see it.
    pub(crate) fn resource(&self, region: &Region) -> String {
        let (partition, bucket) = (region.partition(), &self.bucket);
        let tail = if self.key.is_empty() { String::new() } else { format!("/{}", self.key) };
        format!("arn:{partition}:s3:::{bucket}{tail}")
    }

    /// A header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// What a witness sees of it.
    pub(crate) fn fields(&self) -> BTreeMap<String, String> {
        let mut fields = self.query.clone();
        fields.insert("Bucket".to_owned(), self.bucket.clone());
        if !self.key.is_empty() {
            fields.insert("Key".to_owned(), self.key.clone());
        }
        fields
    }
}

/// Bucket and region that a host names. Hosts that are none of AWS's are this simulation's own.
fn named_by(host: &str) -> Answer<(Option<String>, Option<Region>)> {
    match Endpoint::of(host) {
        Some(endpoint) => {
            let region = endpoint.signs_for();
            Ok((endpoint.bucket, region))
        }
        None if host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn") => {
            Err(Refusal::not_simulated(format!("the host `{host}` of S3")))
        }
        None => Ok((None, None)),
    }
}

fn operation(
    method: &str,
    (bucket, key): (&str, &str),
    query: &BTreeMap<String, String>,
) -> Answer<Operation> {
    let lists = query.get("list-type").is_some_and(|kind| kind == "2");
    let operation = match (method, bucket.is_empty(), key.is_empty()) {
        ("HEAD", false, true) => Some(Operation::HeadBucket),
        ("GET", false, true) if lists => Some(Operation::ListObjectsV2),
        ("HEAD", false, false) => Some(Operation::HeadObject),
        ("GET", false, false) => Some(Operation::GetObject),
        ("PUT", false, false) => Some(Operation::PutObject),
        _ => None,
    };
    let known: Vec<&str> = Operation::ALL.into_iter().map(Operation::name).collect();
    operation.ok_or_else(|| {
        let about = match (bucket, key) {
            ("", _) => "the service".to_owned(),
            (bucket, "") => format!("the bucket `{bucket}`"),
            (_, key) => format!("the object `{key}`"),
        };
        let asked: Vec<&str> = query.keys().map(String::as_str).collect();
        let with = if asked.is_empty() { String::new() } else { format!(" with {asked:?}") };
        Refusal::not_simulated(format!(
            "{method} of {about}{with} in S3: it answers {}",
            known.join(", ")
        ))
    })
}

/// Refuses what would change the answer and is not known.
fn understood(
    operation: Operation,
    query: &BTreeMap<String, String>,
    headers: &BTreeMap<String, String>,
) -> Answer<()> {
    let unknown = |kind: &str, name: &str| {
        let what = format!("the {kind} `{name}` of {} in S3", operation.name());
        Err(Refusal::not_simulated(what))
    };
    let of_listing =
        |name: &str| operation == Operation::ListObjectsV2 && OF_LISTINGS.contains(&name);
    let known = |name: &&String| name.as_str() == NAME_OF_OPERATION || of_listing(name);
    if let Some(name) = query.keys().find(|name| !known(name)) {
        return unknown("parameter", name);
    }
    let means = |name: &&String| MEANINGFUL.iter().any(|start| name.starts_with(start));
    let mut meaningful = headers.keys().filter(means);
    let is_known = |name: &str| UNDERSTOOD.contains(&name) || name.starts_with(OWN);
    if let Some(name) = meaningful.find(|name| !is_known(name)) {
        return unknown("header", name);
    }
    let writes = operation == Operation::PutObject;
    let misplaced = match (writes, headers.get("if-none-match").map(String::as_str)) {
        (true, Some("*")) | (_, None) => writes.then_some("if-match"),
        (true | false, Some(_)) => Some("if-none-match"),
    };
    match misplaced.filter(|name| headers.contains_key(*name)) {
        Some(name) => unknown("header", name),
        None => Ok(()),
    }
}
