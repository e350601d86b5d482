//! The body of a request as it was meant: taken out of the chunks that some clients send, and held
//! against every sum that came with it.

use std::collections::BTreeMap;

use aws_smithy_types::base64;
use sha2::{Digest as _, Sha256};

use crate::sim::refusal::{Answer, Refusal};
use crate::sim::s3::checksum::{Algorithm, md5};

/// The header that says what of the body was signed; every request has it.
pub(crate) const CONTENT_SHA256: &str = "x-amz-content-sha256";
/// Its word for a body in chunks without signatures, with fields after the last one.
const IN_CHUNKS: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
/// Where checksums are in headers and trailing fields.
const CHECKSUM: &str = "x-amz-checksum-";
/// Headers that begin so and are no sums.
const NO_SUMS: [&str; 2] = ["x-amz-checksum-mode", "x-amz-checksum-type"];

/// What was sent.
#[derive(Debug)]
pub(crate) struct Payload {
    pub(crate) bytes: Vec<u8>,
    /// The checksum headers that came with it, and are right.
    pub(crate) checksums: BTreeMap<String, String>,
}

/// What was sent with these headers; refused when a sum is not that of the bytes.
pub(crate) fn received(headers: &BTreeMap<String, String>, body: Vec<u8>) -> Answer<Payload> {
    let missing = || {
        let text = format!("Missing required header for this request: {CONTENT_SHA256}");
        Refusal::new("InvalidRequest", text)
    };
    let mut fields = headers.clone();
    let bytes = match headers.get(CONTENT_SHA256).ok_or_else(missing)?.as_str() {
        "UNSIGNED-PAYLOAD" => body,
        IN_CHUNKS => {
            let (bytes, trailing) = unchunked(&body).ok_or_else(incomplete)?;
            fields.extend(trailing);
            bytes
        }
        other if other.starts_with("STREAMING-") => {
            return Err(Refusal::not_simulated(format!("bodies that are {other}")));
        }
        claimed => {
            is_signed(claimed, &body)?;
            body
        }
    };
    if let Some(length) = headers.get("x-amz-decoded-content-length")
        && length.parse() != Ok(bytes.len())
    {
        return Err(incomplete());
    }
    if let Some(sum) = headers.get("content-md5") {
        is_md5(sum, &bytes)?;
    }
    let checksums = checksums(&fields, &bytes)?;
    Ok(Payload { bytes, checksums })
}

fn is_signed(claimed: &str, body: &[u8]) -> Answer<()> {
    let computed = hex::encode(Sha256::digest(body));
    if claimed.eq_ignore_ascii_case(&computed) {
        return Ok(());
    }
    let text = format!("The provided '{CONTENT_SHA256}' header does not match what was computed.");
    Err(Refusal::new("XAmzContentSHA256Mismatch", text)
        .with_detail("ClientComputedContentSHA256", claimed)
        .with_detail("S3ComputedContentSHA256", &computed))
}

fn is_md5(claimed: &str, bytes: &[u8]) -> Answer<()> {
    let decoded = base64::decode(claimed).ok().filter(|sum| sum.len() == 16);
    let Some(decoded) = decoded else {
        return Err(Refusal::new("InvalidDigest", "The Content-MD5 you specified was invalid."));
    };
    let computed = md5(bytes);
    if decoded == computed {
        return Ok(());
    }
    Err(bad_digest("Content-MD5")
        .with_detail("ExpectedDigest", &hex::encode(decoded))
        .with_detail("CalculatedDigest", &hex::encode(computed)))
}

fn bad_digest(what: &str) -> Refusal {
    let text = match what {
        "Content-MD5" => "The Content-MD5 you specified did not match what we received.".to_owned(),
        other => format!("The {other} you specified did not match the calculated checksum."),
    };
    Refusal::new("BadDigest", text)
}

fn checksums(fields: &BTreeMap<String, String>, bytes: &[u8]) -> Answer<BTreeMap<String, String>> {
    let mut right = BTreeMap::new();
    let named = fields.range(CHECKSUM.to_owned()..);
    let named = named.take_while(|(name, _)| name.starts_with(CHECKSUM));
    for (name, sum) in named.filter(|(name, _)| !NO_SUMS.contains(&name.as_str())) {
        let algorithm = Algorithm::ALL.into_iter().find(|one| one.header() == name);
        let algorithm =
            algorithm.ok_or_else(|| Refusal::not_simulated(format!("the header `{name}`")))?;
        if algorithm.of(bytes) != *sum {
            return Err(bad_digest(algorithm.word()));
        }
        right.insert(name.clone(), sum.clone());
    }
    Ok(right)
}

fn incomplete() -> Refusal {
    let text =
        "You did not provide the number of bytes specified by the Content-Length HTTP header";
    Refusal::new("IncompleteBody", text)
}

/// The bytes of chunks, each after a line with its length, and the fields after the last one; `None`
/// when they break off.
fn unchunked(body: &[u8]) -> Option<(Vec<u8>, BTreeMap<String, String>)> {
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body;
    loop {
        let (line, after) = line_of(rest)?;
        let length = line.split(';').next().unwrap_or_default();
        let length = usize::from_str_radix(length, 16).ok()?;
        rest = after;
        if length == 0 {
            break;
        }
        bytes.extend(rest.get(..length)?);
        rest = rest.get(length..)?.strip_prefix(b"\r\n")?;
    }
    let mut fields = BTreeMap::new();
    while let Some((line, after)) = line_of(rest).filter(|(line, _)| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        fields.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        rest = after;
    }
    Some((bytes, fields))
}

fn line_of(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `abc`.
    const SHA256: &str = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
    const SHA256_HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const MD5: &str = "kAFQmDzST7DWlj99KOF/cg==";

    fn sent(fields: &[(&str, &str)], body: &[u8]) -> Result<Payload, (u16, String)> {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        received(&fields.collect(), body.to_vec()).map_err(|refusal| (refusal.status, refusal.code))
    }

    #[test]
    fn right_sums_are_kept_and_wrong_ones_are_refused_by_their_names() {
        let signed = (CONTENT_SHA256, SHA256_HEX);
        let payload =
            sent(&[signed, ("content-md5", MD5), ("x-amz-checksum-sha256", SHA256)], b"abc");
        let payload = payload.expect("all is right");
        assert_eq!(payload.bytes, b"abc");
        assert_eq!(payload.checksums["x-amz-checksum-sha256"], SHA256);
        let unsigned = (CONTENT_SHA256, "UNSIGNED-PAYLOAD");
        for (fields, code) in [
            (&[][..], "InvalidRequest"),
            (&[signed], "XAmzContentSHA256Mismatch"),
            (&[unsigned, ("content-md5", MD5)], "BadDigest"),
            (&[unsigned, ("content-md5", "no sum")], "InvalidDigest"),
            (&[unsigned, ("x-amz-checksum-sha256", SHA256)], "BadDigest"),
            (&[unsigned, ("x-amz-checksum-crc32", "AAAAAA==")], "BadDigest"),
            (&[unsigned, ("x-amz-checksum-crc64nvme", "AAAAAA==")], "NotSimulated"),
            (&[(CONTENT_SHA256, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")], "NotSimulated"),
        ] {
            let refused = sent(fields, b"abd").expect_err(code);
            assert_eq!(refused, (400, code.to_owned()), "{fields:?}");
        }
    }

    #[test]
    fn chunks_are_put_together_and_the_sum_behind_them_counts() {
        let fields = [(CONTENT_SHA256, IN_CHUNKS), ("x-amz-decoded-content-length", "3")];
        let trailer = format!("x-amz-checksum-sha256:{SHA256}\r\n\r\n");
        let whole = format!("2\r\nab\r\n1\r\nc\r\n0\r\n{trailer}");
        let payload = sent(&fields, whole.as_bytes()).expect("whole");
        assert_eq!(payload.bytes, b"abc");
        assert_eq!(payload.checksums["x-amz-checksum-sha256"], SHA256);
        for (body, code) in [
            (format!("2\r\nab\r\n1\r\nd\r\n0\r\n{trailer}"), "BadDigest"),
            (format!("2\r\nab\r\n0\r\n{trailer}"), "IncompleteBody"),
            ("2\r\nab\r\n9\r\nc".to_owned(), "IncompleteBody"),
            ("abc".to_owned(), "IncompleteBody"),
        ] {
            assert_eq!(sent(&fields, body.as_bytes()).expect_err(code).1, code, "{body}");
        }
    }
}
