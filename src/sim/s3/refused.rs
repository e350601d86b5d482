//! How S3 says no: errors of its own, in XML of its own, and none at all to a HEAD.

use crate::ids::Region;
use crate::sim::front::Response;
use crate::sim::refusal::Refusal;
use crate::sim::s3::bucket::Bucket;
use crate::sim::xml::Xml;

/// The element of a refusal that says in which region a bucket is, and the header of the same.
const REGION: &str = "BucketRegion";
pub(crate) const REGION_HEADER: &str = "x-amz-bucket-region";

/// There is no bucket of this name.
pub(crate) fn no_such_bucket(name: &str) -> Refusal {
    Refusal::new("NoSuchBucket", "The specified bucket does not exist")
        .with_status(404)
        .with_detail("BucketName", name)
}

/// There is no object of this key.
pub(crate) fn no_such_key(key: &str) -> Refusal {
    Refusal::new("NoSuchKey", "The specified key does not exist.")
        .with_status(404)
        .with_detail("Key", key)
}

/// The bucket does not let the caller.
pub(crate) fn denied() -> Refusal {
    Refusal::new("AccessDenied", "Access Denied").with_status(403)
}

/// The bucket stands elsewhere.
pub(crate) fn elsewhere(bucket: &Bucket, region: &Region) -> Refusal {
    let tail = if region.partition() == "aws-cn" { ".cn" } else { "" };
    let text = "The bucket you are attempting to access must be addressed using the specified \
                endpoint. Please send all future requests to this endpoint.";
    Refusal::new("PermanentRedirect", text)
        .with_status(301)
        .with_detail("Endpoint", &format!("{}.s3.{region}.amazonaws.com{tail}", bucket.name))
        .with_detail("Bucket", &bucket.name)
        .with_detail(REGION, region.as_str())
}

/// The request was signed for another region than that of the endpoint.
pub(crate) fn signed_for_another(signed: &Region, expected: &Region) -> Refusal {
    let text = format!(
        "The authorization header is malformed; the region '{signed}' is wrong; expecting \
         '{expected}'"
    );
    Refusal::new("AuthorizationHeaderMalformed", text)
        .with_detail("Region", expected.as_str())
        .with_detail(REGION, expected.as_str())
}

/// Status, code and text that S3 has for what is refused before it is asked, or by a fault: the other
/// services have words of their own for the same.
fn in_its_words(refusal: &Refusal) -> (u16, &str, &str) {
    let Refusal { status, code, message, .. } = refusal;
    match code.as_str() {
        "NotSimulated" => (501, "NotImplemented", message),
        "Throttling" => (503, "SlowDown", "Please reduce your request rate."),
        "InternalFailure" => {
            (*status, "InternalError", "We encountered an internal error. Please try again.")
        }
        "InvalidClientTokenId" => {
            let text = "The AWS Access Key Id you provided does not exist in our records.";
            (403, "InvalidAccessKeyId", text)
        }
        "ExpiredToken" => (400, "ExpiredToken", "The provided token has expired."),
        "RequestEntityTooLarge" => (400, "EntityTooLarge", message),
        "IncompleteSignature" => (400, "AuthorizationHeaderMalformed", message),
        "SignatureDoesNotMatch" if is_about_time(message) => {
            let text = "The difference between the request time and the current time is too large.";
            (403, "RequestTimeTooSkewed", text)
        }
        other => (*status, other, message),
    }
}

fn is_about_time(message: &str) -> bool {
    message.starts_with("Signature expired") || message.starts_with("Signature not yet current")
}

/// The answer that a refusal is. `head`: without the body, as every answer to HEAD.
pub(crate) fn spoken(refusal: &Refusal, request_id: &str, head: bool) -> Response {
    let (status, code, message) = in_its_words(refusal);
    let mut xml = Xml::default();
    xml.element("Error", |xml| {
        xml.text("Code", code);
        xml.text("Message", message);
        refusal.details.iter().filter(|(name, _)| *name != REGION).for_each(|(name, value)| {
            xml.text(name, value);
        });
        xml.text("RequestId", request_id);
    });
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", xml.into_string());
    let body = if head { Vec::new() } else { body.into_bytes() };
    let mut response = Response::new(status, body)
        .with_header("content-type", "application/xml")
        .with_header("x-amz-request-id", request_id);
    let region = refusal.details.iter().find(|(name, _)| *name == REGION);
    if let Some((_, region)) = region {
        response = response.with_header(REGION_HEADER, region);
    }
    response
}
