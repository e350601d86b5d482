//! Where contents are: placeholders for the bucket, which each region has its own of, and the way
//! back. A stack's template is the same whatever the bucket is called.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use crate::ids::{Digest, Region};
use crate::package::blob::BlobName;
use crate::package::row::Form;
use crate::template::{Template, canonical_digest, mangle};

/// Stands for the bucket until a call is made.
const BUCKET: &str = "<driftless:bucket>";
/// Stands for the host of S3.
const HOST: &str = "<driftless:s3>";
/// S3's limit on names of buckets.
const MAX_BUCKET_CHARS: usize = 63;
/// As `s3.us-gov-west-1.amazonaws.com.cn`, with room.
const MAX_HOST_CHARS: usize = 48;
/// What all our keys begin with.
const PREFIX: &str = "driftless/";

/// A bucket and a key of ours in it, as `s3://`.
#[allow(clippy::unwrap_used, reason = "a test reads the pattern")]
static OF_S3: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^s3://[^/]+/(driftless/[0-9a-f]{64}(\.[a-z]+)?)$").unwrap());
/// The same over https, in the form that has the bucket in the path.
#[allow(clippy::unwrap_used, reason = "a test reads the pattern")]
static OF_HTTPS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^https://[^/]+/[^/]+/(driftless/[0-9a-f]{64}(\.[a-z]+)?)$").unwrap()
});
/// A key of ours.
#[allow(clippy::unwrap_used, reason = "a test reads the pattern")]
static KEY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^driftless/[0-9a-f]{64}(\.[a-z]+)?$").unwrap());

/// The names of buckets and keys in properties, which all services have taken from these.
const PARTS: [(&str, &str); 2] = [("S3Bucket", "S3Key"), ("Bucket", "Key")];

impl BlobName {
    /// Its key in every bucket.
    pub fn key(&self) -> String {
        format!("{PREFIX}{self}")
    }
}

/// The place of a name in the bucket that stands for all.
pub(super) fn place(form: Form, name: &str) -> Value {
    let key = format!("{PREFIX}{name}");
    match form {
        Form::Url => format!("s3://{BUCKET}/{key}").into(),
        Form::Template => format!("https://{HOST}/{BUCKET}/{key}").into(),
        Form::Parts { bucket, key: named, .. } => {
            let parts = [(bucket.to_owned(), BUCKET.into()), (named.to_owned(), key.into())];
            Value::Object(Map::from_iter(parts))
        }
    }
}

/// What a template says itself of a place: `None` where it stays as it is. An error is what is wrong, and
/// the fix.
pub(super) fn given(form: Form, text: &str) -> Result<Option<Value>, (String, String)> {
    let malformed = || {
        let message = format!("`{text}` names no object in S3");
        (message, "write s3://BUCKET/KEY".to_owned())
    };
    let url = text.strip_prefix("s3://").unwrap_or(text);
    let (bucket, rest) = url.split_once('/').ok_or_else(malformed)?;
    let (key, query) = rest.split_once('?').unwrap_or((rest, ""));
    let key = key.trim_start_matches('/');
    if bucket.is_empty() || key.is_empty() {
        return Err(malformed());
    }
    let Form::Parts { bucket: of_bucket, key: of_key, version } = form else { return Ok(None) };
    let mut parts =
        Map::from_iter([(of_bucket.to_owned(), bucket.into()), (of_key.to_owned(), key.into())]);
    let id = query.split('&').find_map(|pair| pair.strip_prefix("versionId="));
    if let (Some(name), Some(id)) = (version, id.filter(|id| !id.is_empty())) {
        parts.insert(name.to_owned(), id.into());
    }
    Ok(Some(Value::Object(parts)))
}

/// Whether a text is a path, and no address.
pub(super) fn is_local(text: &str) -> bool {
    !["s3://", "https://", "http://"].iter().any(|scheme| text.starts_with(scheme))
}

/// The text of a template for one region, in whose `bucket` everything is.
pub fn filled(body: &str, bucket: &str, region: &Region) -> String {
    let suffix = if region.partition() == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    body.replace(BUCKET, bucket).replace(HOST, &format!("s3.{region}.{suffix}"))
}

/// The most bytes that a template can have when it is filled in.
pub(super) fn longest(body: &str) -> usize {
    let buckets = body.matches(BUCKET).count() * MAX_BUCKET_CHARS;
    let hosts = body.matches(HOST).count() * MAX_HOST_CHARS;
    body.len() + buckets + hosts
}

/// The address of a template in a bucket.
pub fn address(name: &BlobName, bucket: &str, region: &Region) -> String {
    match place(Form::Template, &name.to_string()) {
        Value::String(text) => filled(&text, bucket, region),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            String::new()
        }
    }
}

/// The digest of a template that AWS gave back, whatever bucket our contents are in there: equal to
/// [`Package::returned_digest`](crate::package::Package::returned_digest) of the package that it was made
/// from. A text that is no template has the digest of its bytes, which is that of no template.
pub fn digest_of_seen(text: &str) -> Digest {
    let Ok(seen) = Template::parse(text) else { return Digest::of(text.as_bytes()) };
    if !text.contains(PREFIX) {
        return seen.digest();
    }
    let mut value = seen.value().clone();
    without_buckets(&mut value);
    if value == *seen.value() {
        return seen.digest();
    }
    canonical_digest(&value.to_string()).unwrap_or_else(|_| seen.digest())
}

/// What [`digest_of_seen`] makes of a template when AWS gives it back. Places that somebody wrote out are
/// compared without their buckets too: their keys say what is there.
pub(super) fn returned_digest(template: &Template) -> Digest {
    if !template.body().contains(PREFIX) {
        return template.returned_digest();
    }
    let mut value = template.value().clone();
    without_buckets(&mut value);
    if value == *template.value() {
        return template.returned_digest();
    }
    canonical_digest(&mangle(&value.to_string())).unwrap_or_else(|_| template.returned_digest())
}

/// A template with the placeholders instead of whatever bucket our contents are in, so that two that
/// differ in nothing else are equal.
pub fn without_buckets(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(found) = OF_S3.captures(text) {
                *text = format!("s3://{BUCKET}/{}", &found[1]);
            } else if let Some(found) = OF_HTTPS.captures(text) {
                *text = format!("https://{HOST}/{BUCKET}/{}", &found[1]);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_buckets),
        Value::Object(map) => {
            for (bucket, key) in PARTS {
                let is_ours =
                    map.get(key).and_then(Value::as_str).is_some_and(|key| KEY.is_match(key));
                if is_ours && map.get(bucket).is_some_and(Value::is_string) {
                    map.insert(bucket.to_owned(), BUCKET.into());
                }
            }
            map.values_mut().for_each(without_buckets);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_filled_in_is_taken_out_again() {
        let name = format!("{}.zip", "a1".repeat(32));
        let parts = Form::Parts { bucket: "S3Bucket", key: "S3Key", version: None };
        let packed = json!({
            "Code": place(parts, &name),
            "Uri": place(Form::Url, &name),
            "Nested": [place(Form::Template, &name)],
            "Theirs": { "S3Bucket": "other", "S3Key": "driftless/readme" },
            "Fun": "s3://other/driftless/x.zip",
        });
        let body = packed.to_string();
        for (bucket, region, host) in [
            ("a", "eu-central-1", "s3.eu-central-1.amazonaws.com"),
            ("b.c", "cn-north-1", "s3.cn-north-1.amazonaws.com.cn"),
        ] {
            let region = region.parse().expect("a region");
            let full = filled(&body, bucket, &region);
            assert!(
                !full.contains('<')
                    && full.contains(&format!("https://{host}/{bucket}/driftless/"))
            );
            let mut back = serde_json::from_str(&full).expect("json");
            without_buckets(&mut back);
            assert_eq!(back, packed);
        }
    }

    #[test]
    fn a_template_that_comes_back_has_the_digest_that_it_was_given_with() {
        let name = format!("{}.template", "a1".repeat(32));
        let url = place(Form::Template, &name);
        let body = json!({ "Resources": { "Nested": { "Type": "AWS::CloudFormation::Stack",
            "Properties": { "TemplateURL": url, "Parameters": { "Note": "\u{e4}" } } } } });
        let packed = Template::parse(&body.to_string()).expect("a template");
        let region = "eu-central-1".parse().expect("a region");
        for bucket in ["one", "another"] {
            let back = crate::template::mangle(&filled(packed.body(), bucket, &region));
            assert_eq!(digest_of_seen(&back), packed.returned_digest(), "{bucket}");
        }
        let plain = "Resources: { A: { Type: t, Properties: { P: driftless/x, N: 010 } } }";
        let plain = Template::parse(plain).expect("a template");
        assert_eq!(digest_of_seen(plain.body()), plain.returned_digest());
        assert_eq!(digest_of_seen("a: ["), Digest::of(b"a: ["));
    }

    #[test]
    fn a_template_with_one_of_our_places_written_out_comes_back_equal() {
        let name = "a1".repeat(32);
        for note in ["plain", "\u{e4}"] {
            let text = json!({ "Resources": { "F": { "Type": "AWS::Lambda::Function", "Properties": {
                "Code": { "S3Bucket": "theirs", "S3Key": format!("driftless/{name}.zip") },
                "Description": note,
            } } } });
            let template = Template::parse(&text.to_string()).expect("a template");
            let back = digest_of_seen(&mangle(template.body()));
            assert_eq!(back, returned_digest(&template), "{note}");
            assert_ne!(back, template.returned_digest(), "the bucket is no part of it");
        }
    }

    #[test]
    fn what_names_no_object_is_told_and_versions_are_found_among_other_questions() {
        let parts = Form::Parts { bucket: "B", key: "K", version: Some("V") };
        for (query, version) in [
            ("?a=1&versionId=v", Some("v")),
            ("?versionId=v&a=1", Some("v")),
            ("?a=1", None),
            ("", None),
        ] {
            let found = given(parts, &format!("s3://b/k{query}")).expect("sound").expect("parts");
            assert_eq!(found.get("V").and_then(Value::as_str), version, "{query}");
            assert_eq!((&found["B"], &found["K"]), (&json!("b"), &json!("k")));
        }
        for text in ["s3://", "s3://b", "s3://b/", "s3:///k", "s3://b/?versionId=v"] {
            for form in [parts, Form::Url, Form::Template] {
                let (message, _) = given(form, text).expect_err(text);
                assert_eq!(message, format!("`{text}` names no object in S3"));
            }
        }
    }
}
