//! Objects of S3, as far as CloudFormation reads templates from there. All buckets are readable.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::ids::Digest;
use crate::sim::folder::{CloudError, write_whole};
use crate::sim::front::locked;
use crate::sim::refusal::{Answer, Refusal};

/// CloudFormation's limit for a template in S3, in bytes.
const MAX_TEMPLATE_BYTES: usize = 1_000_000;
/// Where AWS sends readers of its errors.
const MORE: &str = "For more information check \
                    http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html";

/// Bucket and key.
type ObjectKey = (String, String);

/// Every object of a cloud.
#[derive(Debug)]
pub(crate) struct Objects {
    folder: Option<PathBuf>,
    known: Mutex<BTreeMap<ObjectKey, Arc<[u8]>>>,
}

impl Objects {
    /// Objects in memory, or in `folder` if there is one, which other processes may change too.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, known: Mutex::default() }
    }

    /// Puts an object in the place of any that was there.
    pub(crate) fn put(&self, bucket: &str, key: &str, bytes: &[u8]) -> Result<(), CloudError> {
        match self.path(bucket, key) {
            Some(path) => write_whole(&path, bytes),
            None => {
                let place = (bucket.to_owned(), key.to_owned());
                locked(&self.known).insert(place, bytes.into());
                Ok(())
            }
        }
    }

    /// An object, if there is one.
    pub(crate) fn read(&self, bucket: &str, key: &str) -> Result<Option<Arc<[u8]>>, CloudError> {
        let Some(path) = self.path(bucket, key) else {
            return Ok(locked(&self.known).get(&(bucket.to_owned(), key.to_owned())).cloned());
        };
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(CloudError::Unreadable { path, source }),
        }
    }

    /// The text of the template at a URL, as CloudFormation reads it.
    pub(crate) fn template(&self, url: &str) -> Answer<String> {
        let unsupported = || Refusal::validation("TemplateURL must be a supported URL.");
        let (bucket, key) = place_of(url).ok_or_else(unsupported)?;
        let found = self
            .read(&bucket, &key)
            .map_err(|error| Refusal::new("InternalFailure", error.to_string()).with_status(500))?;
        let missing =
            || Refusal::validation(format!("S3 error: The specified key does not exist.\n{MORE}"));
        let bytes = found.ok_or_else(missing)?;
        if bytes.len() > MAX_TEMPLATE_BYTES {
            let text = format!("Template may not exceed {MAX_TEMPLATE_BYTES} bytes in size.");
            return Err(Refusal::validation(text));
        }
        let unreadable = |_| Refusal::validation("Template format error: it is not UTF-8");
        String::from_utf8(bytes.to_vec()).map_err(unreadable)
    }

    fn path(&self, bucket: &str, key: &str) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?;
        let name = Digest::of_parts([bucket.as_bytes(), key.as_bytes()]);
        Some(folder.join(format!("{name}.object")))
    }
}

/// Bucket and key of a URL of S3, in any of the forms that CloudFormation takes.
fn place_of(url: &str) -> Option<ObjectKey> {
    let (host, path) = url.strip_prefix("https://")?.split_once('/')?;
    let path = path.split(['?', '#']).next()?;
    let path = percent_decoded(path)?;
    let host = host.strip_suffix(".cn").unwrap_or(host).strip_suffix(".amazonaws.com")?;
    let is_s3 = |host: &str| {
        let region = host.strip_prefix("s3").map(|rest| rest.trim_start_matches(['.', '-']));
        region.is_some_and(|region| !region.contains('.'))
    };
    let (bucket, key) = if is_s3(host) {
        let (bucket, key) = path.split_once('/')?;
        (bucket.to_owned(), key.to_owned())
    } else {
        let labels = host.match_indices(".s3").map(|(index, _)| index);
        let split = labels.filter(|index| is_s3(&host[index + 1..])).last()?;
        (host[..split].to_owned(), path)
    };
    (!bucket.is_empty() && !key.is_empty()).then_some((bucket, key))
}

/// The text that a path of a URL stands for.
fn percent_decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok())?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_s3_url_names_bucket_and_key() {
        let place = Some(("my.bucket".to_owned(), "a b/c.yaml".to_owned()));
        for url in [
            "https://my.bucket.s3.eu-central-1.amazonaws.com/a%20b/c.yaml",
            "https://my.bucket.s3.amazonaws.com/a%20b/c.yaml",
            "https://my.bucket.s3-eu-west-1.amazonaws.com/a%20b/c.yaml",
            "https://my.bucket.s3.cn-north-1.amazonaws.com.cn/a%20b/c.yaml",
            "https://s3.eu-central-1.amazonaws.com/my.bucket/a%20b/c.yaml",
            "https://s3-eu-west-1.amazonaws.com/my.bucket/a%20b/c.yaml",
            "https://s3.amazonaws.com/my.bucket/a%20b/c.yaml?versionId=1",
        ] {
            assert_eq!(place_of(url), place, "{url}");
        }
        for url in [
            "http://s3.amazonaws.com/bucket/key",
            "https://example.com/bucket/key",
            "https://raw.githubusercontent.com/a/b",
            "https://s3.amazonaws.com/bucket",
            "https://bucket.s3.amazonaws.com/",
            "https://evil-amazonaws.com/bucket/key",
            "s3://bucket/key",
            "",
        ] {
            assert_eq!(place_of(url), None, "{url}");
        }
    }
}
