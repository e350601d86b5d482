//! ListObjectsV2: the keys of a bucket in order, page by page.

use std::collections::{BTreeMap, BTreeSet};

use aws_smithy_types::base64;

use crate::sim::refusal::{Answer, Refusal};
use crate::sim::s3::shelf::Label;
use crate::sim::s3::wish::Wish;
use crate::sim::xml::Xml;

/// The namespace of S3's answers.
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
/// S3's limit for one page.
const MAX_KEYS: usize = 1_000;

/// What stands on a page: an object, or all keys that begin alike up to the delimiter.
enum Line<'a> {
    Object(&'a Label),
    Prefix(&'a str),
}

/// The answer to a listing of what is known of a bucket's objects.
pub(crate) fn listing(wish: &Wish, labels: &BTreeMap<String, Label>) -> Answer<String> {
    let asked = |name: &str| wish.query.get(name).map(String::as_str);
    let invalid = |what: &str| Refusal::new("InvalidArgument", format!("{what} is not valid"));
    let most = match asked("max-keys").map(str::parse::<usize>) {
        None => MAX_KEYS,
        Some(number) => number.map_err(|_| invalid("max-keys"))?.min(MAX_KEYS),
    };
    let encodes = match asked("encoding-type") {
        None => false,
        Some("url") => true,
        Some(_) => return Err(invalid("encoding-type")),
    };
    let token = asked("continuation-token").map(|token| {
        let bytes = base64::decode(token).ok();
        let incorrect = || {
            let text = "The continuation token provided is incorrect";
            Refusal::new("InvalidArgument", text)
        };
        bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(incorrect)
    });
    let token = token.transpose()?;
    let after = token.as_deref().or_else(|| asked("start-after"));
    let (prefix, delimiter) = (asked("prefix").unwrap_or_default(), asked("delimiter"));
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
    let (lines, next) = page(labels, (prefix, delimiter), after, most);

    let shown = |text: &str| if encodes { encoded(text) } else { text.to_owned() };
    let mut xml = Xml::default();
    xml.text("Name", &wish.bucket);
    xml.text("Prefix", &shown(prefix));
    xml.optional("Delimiter", delimiter.map(shown).as_deref());
    xml.text("MaxKeys", &most.to_string());
    xml.optional("EncodingType", asked("encoding-type"));
    xml.text("KeyCount", &lines.len().to_string());
    xml.boolean("IsTruncated", next.is_some());
    xml.optional("ContinuationToken", asked("continuation-token"));
    xml.optional("NextContinuationToken", next.map(base64::encode).as_deref());
    xml.optional("StartAfter", asked("start-after").map(shown).as_deref());
    for line in lines {
        match line {
            Line::Object(label) => xml.element("Contents", |xml| {
                xml.text("Key", &shown(&label.key));
                xml.text("LastModified", &label.modified_at.to_string());
                xml.text("ETag", &label.etag);
                xml.text("Size", &label.size.to_string());
                xml.text("StorageClass", "STANDARD");
            }),
            Line::Prefix(prefix) => xml.element("CommonPrefixes", |xml| {
                xml.text("Prefix", &shown(prefix));
            }),
        }
    }
    let result = xml.into_string();
    Ok(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"{NAMESPACE}\">\
         {result}</ListBucketResult>"
    ))
}

/// The lines of a page, and the last key of it when there is more.
fn page<'a>(
    labels: &'a BTreeMap<String, Label>,
    (prefix, delimiter): (&str, Option<&str>),
    after: Option<&str>,
    most: usize,
) -> (Vec<Line<'a>>, Option<&'a str>) {
    let common = |key: &'a str| {
        let (delimiter, rest) = (delimiter?, key.get(prefix.len()..)?);
        let end = prefix.len() + rest.find(delimiter)? + delimiter.len();
        key.get(..end)
    };
    let mut lines = Vec::new();
    let mut prefixes = BTreeSet::new();
    let mut last = None;
    let within = labels.iter().filter(|(key, _)| key.starts_with(prefix));
    for (key, label) in within.filter(|(key, _)| after.is_none_or(|after| key.as_str() > after)) {
        let common = common(key);
        let told = common.is_some_and(|common| {
            prefixes.contains(common) || after.is_some_and(|after| after.starts_with(common))
        });
        if told {
            last = Some(key.as_str());
            continue;
        }
        if lines.len() == most {
            return (lines, last);
        }
        last = Some(key.as_str());
        prefixes.extend(common);
        lines.push(common.map_or(Line::Object(label), Line::Prefix));
    }
    (lines, None)
}

/// A key as a URL has it, so that XML can carry every one.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
