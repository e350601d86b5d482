//! How other services read from S3: CloudFormation templates, and Lambda the code of functions and
//! layers. Both give S3's own errors on.

use serde_json::{Map, Value};

use crate::ids::Region;
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::s3::bucket::{Bucket, Buckets};
use crate::sim::s3::place::place_of;
use crate::sim::s3::refused::{denied, elsewhere, no_such_key};

/// CloudFormation's limit for a template in S3, in bytes.
const MAX_TEMPLATE_BYTES: usize = 1_000_000;
/// Where AWS sends readers of its errors.
const MORE: &str = "For more information check \
                    http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html";

/// The property that names the code of a resource type, if Lambda fetches any for it.
pub(crate) fn code_property(kind: &str) -> Option<&'static str> {
    match kind {
        "AWS::Lambda::Function" => Some("Code"),
        "AWS::Lambda::LayerVersion" => Some("Content"),
        _ => None,
    }
}

impl Buckets {
    /// The text of the template at a URL, as CloudFormation reads it. The bucket may stand in any
    /// region, but the URL has to say the right one if it says any.
    pub(crate) fn template(&self, url: &str) -> Answer<String> {
        let unsupported = || Refusal::validation("TemplateURL must be a supported URL.");
        let place = place_of(url).ok_or_else(unsupported)?;
        let found = self.existing(&place.bucket).and_then(|bucket| {
            let region = place.region.as_ref().or(bucket.region.as_ref()).cloned();
            self.read(&bucket, &place.key, region.as_ref())
        });
        let bytes = found.map_err(|refusal| match refusal.status {
            500.. => refusal,
            _ => Refusal::validation(format!("S3 error: {}\n{MORE}", refusal.message)),
        })?;
        if bytes.len() > MAX_TEMPLATE_BYTES {
            let text = format!("Template may not exceed {MAX_TEMPLATE_BYTES} bytes in size.");
            return Err(Refusal::validation(text));
        }
        let unreadable = |_| Refusal::validation("Template format error: it is not UTF-8");
        String::from_utf8(bytes.to_vec()).map_err(unreadable)
    }

    /// Why Lambda cannot fetch the code that a resource names; `None` when it can, or when the resource
    /// names none in S3.
    pub(crate) fn code_trouble(
        &self,
        kind: &str,
        properties: &Map<String, Value>,
        region: &Region,
    ) -> Answer<Option<String>> {
        let Some(property) = code_property(kind) else { return Ok(None) };
        let text = |name: &str| properties.get(property)?.get(name)?.as_str();
        let (Some(bucket), Some(key)) = (text("S3Bucket"), text("S3Key")) else { return Ok(None) };
        let found = self.existing(bucket).and_then(|bucket| {
            let label = self.label(&bucket, key)?;
            readable(&bucket, Some(region))?;
            label.ok_or_else(|| no_such_key(key))
        });
        match found {
            Ok(_) => Ok(None),
            Err(refusal) if refusal.status >= 500 => Err(refusal),
            Err(refusal) => Ok(Some(in_words_of_lambda(&refusal, (bucket, key)))),
        }
    }

    fn read(
        &self,
        bucket: &Bucket,
        key: &str,
        region: Option<&Region>,
    ) -> Answer<std::sync::Arc<[u8]>> {
        readable(bucket, region)?;
        let object = self.object(bucket, key)?.ok_or_else(|| no_such_key(key))?;
        Ok(object.bytes)
    }
}

/// Refuses who looks for a bucket in another region than its own, and everybody where it is closed.
fn readable(bucket: &Bucket, region: Option<&Region>) -> Answer<()> {
    match bucket.region.as_ref().filter(|own| region.is_some_and(|region| region != *own)) {
        Some(own) => Err(elsewhere(bucket, own)),
        None if bucket.access.readable => Ok(()),
        None => Err(denied()),
    }
}

fn in_words_of_lambda(refusal: &Refusal, (bucket, key): (&str, &str)) -> String {
    let Refusal { code, message, details, .. } = refusal;
    let region = details.iter().find(|(name, _)| *name == "BucketRegion");
    let message = match (code.as_str(), region) {
        ("PermanentRedirect", Some((_, region))) => format!(
            "The bucket is in this region: {region}. Please use this region to retry the request"
        ),
        _ => message.clone(),
    };
    let (before, status, word) = match code.as_str() {
        "AccessDenied" => {
            let text = format!(
                "Your access has been denied by S3, please make sure your request credentials have \
                 permission to GetObject for {bucket}/{key}."
            );
            (text, 403, "AccessDenied")
        }
        _ => ("Error occurred while GetObject.".to_owned(), 400, "InvalidRequest"),
    };
    format!(
        "Resource handler returned message: \"{before} S3 Error Code: {code}. S3 Error Message: \
         {message} (Service: Lambda, Status Code: {status})\" (HandlerErrorCode: {word})"
    )
}
