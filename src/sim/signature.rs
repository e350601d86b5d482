//! Signature Version 4 as AWS checks it: which headers were signed, when, and with which secret.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use sha2::{Digest as _, Sha256};

use crate::moment::Moment;
use crate::sim::refusal::{Answer, Refusal};

/// The one algorithm that is known.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far the caller's clock may be from ours, before and after.
const SKEW: Duration = Duration::from_mins(5);

/// What a signature covers.
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a str,
    /// Path and query as they were sent. Of S3 the path is signed as it is; the others have only `/`.
    pub(crate) target: &'a str,
    pub(crate) headers: &'a HeaderMap,
    /// What stands for the body: the hash of it in hexadecimal digits, or a word of S3's.
    pub(crate) hash: String,
}

/// Checks the signature of a request.
pub(crate) fn check(signed: &Signed<'_>, secret: &str, now: Moment) -> Answer<()> {
    let claim = Claim::parse(signed.headers)?;
    claim.is_of_now(now)?;
    let canonical = claim.canonical_request(signed)?;
    let hash = hex::encode(Sha256::digest(canonical));
    let scope = claim.scope.join("/");
    let to_sign = format!("{ALGORITHM}\n{}\n{scope}\n{hash}", claim.signed_at);
    let first = format!("AWS4{secret}").into_bytes();
    let key = claim.scope.iter().fold(first, |key, part| keyed(&key, part.as_bytes()));
    if hex::encode(keyed(&key, to_sign.as_bytes())) == claim.signature {
        return Ok(());
    }
    Err(mismatch(
        "The request signature we calculated does not match the signature you provided. Check your \
         AWS Secret Access Key and signing method. Consult the service documentation for details.",
    ))
}

/// What the headers say about their signature.
struct Claim<'a> {
    signed_at: &'a str,
    /// Date, region, service and the closing word.
    scope: Vec<&'a str>,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Claim<'a> {
    fn parse(headers: &'a HeaderMap) -> Answer<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let authorization = text("authorization").unwrap_or_default();
        let fields = authorization.strip_prefix(ALGORITHM).ok_or_else(|| {
            incomplete(format!("Unsupported AWS 'algorithm', which must be '{ALGORITHM}'."))
        })?;
        let field = |name: &str| {
            let found = fields.split(',').find_map(|field| {
                let (key, value) = field.trim().split_once('=')?;
                (key == name).then_some(value)
            });
            let text = format!("Authorization header requires '{name}' parameter.");
            found.filter(|value| !value.is_empty()).ok_or_else(|| incomplete(text))
        };
        let signed_at = text("x-amz-date").ok_or_else(|| {
            incomplete("Authorization header requires existence of a 'X-Amz-Date' header.")
        })?;
        if !is_basic(signed_at) {
            return Err(incomplete(format!(
                "Date must be in ISO-8601 'basic format'. Got '{signed_at}'."
            )));
        }
        Ok(Self {
            signed_at,
            scope: field("Credential")?.split('/').skip(1).collect(),
            signed_headers: field("SignedHeaders")?,
            signature: field("Signature")?,
        })
    }

    fn is_of_now(&self, now: Moment) -> Answer<()> {
        let signed_at = self.signed_at;
        if self.scope.first() != Some(&&signed_at[..8]) {
            return Err(mismatch(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
                 from HTTP: '{signed_at}'."
            )));
        }
        if self.scope.last() != Some(&"aws4_request") {
            let text = "Credential should be scoped with a valid terminator: 'aws4_request'.";
            return Err(mismatch(text));
        }
        of_another_time(signed_at, now).map_or(Ok(()), |text| Err(mismatch(text)))
    }

    fn canonical_request(&self, signed: &Signed<'_>) -> Answer<String> {
        let names: Vec<&str> = self.signed_headers.split(';').collect();
        if !names.contains(&"host") {
            return Err(mismatch("'Host' must be a 'SignedHeader' in the AWS Authorization."));
        }
        let (path, query) = signed.target.split_once('?').unwrap_or((signed.target, ""));
        let mut canonical = [signed.method, "\n", path, "\n", &sorted(query), "\n"].concat();
        for name in names {
            let values =
                signed.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
            let values: Vec<String> = values.map(single_spaced).collect();
            canonical.extend([name, ":", &values.join(","), "\n"]);
        }
        canonical.extend(["\n", self.signed_headers, "\n", &signed.hash]);
        Ok(canonical)
    }
}

/// What AWS says of what was signed too long before `now`, or after it.
fn of_another_time(signed_at: &str, now: Moment) -> Option<String> {
    let (earliest, latest) = (basic(now - SKEW), basic(now + SKEW));
    let now = basic(now);
    if signed_at < earliest.as_str() {
        let text = format!("{signed_at} is now earlier than {earliest} ({now} - 5 min.)");
        return Some(format!("Signature expired: {text}"));
    }
    (signed_at > latest.as_str()).then(|| {
        let text = format!("{signed_at} is still later than {latest} ({now} + 5 min.)");
        format!("Signature not yet current: {text}")
    })
}

/// The same of what was signed at a moment.
pub(crate) fn outdated(signed_at: Moment, now: Moment) -> Option<String> {
    of_another_time(&basic(signed_at), now)
}

/// A query as it is signed: its fields in order, each with its value.
fn sorted(query: &str) -> String {
    let fields = query.split('&').filter(|field| !field.is_empty());
    let mut fields: Vec<(&str, &str)> =
        fields.map(|field| field.split_once('=').unwrap_or((field, ""))).collect();
    fields.sort_unstable();
    let written = fields.into_iter().map(|(name, value)| format!("{name}={value}"));
    written.collect::<Vec<String>>().join("&")
}

fn single_spaced(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<&str>>().join(" ")
}

/// `20261123T202100Z`, which sorts as the time does.
fn basic(moment: Moment) -> String {
    let text = moment.to_string().replace(['-', ':'], "");
    text.split_once('.').map(|(seconds, _)| format!("{seconds}Z")).unwrap_or_default()
}

fn is_basic(text: &str) -> bool {
    let mut places = text.bytes().enumerate();
    text.len() == 16
        && places.all(|(place, byte)| match place {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        })
}

fn keyed(key: &[u8], text: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length, so this is never empty.
    let mac = Hmac::<Sha256>::new_from_slice(key).ok();
    mac.map(|mac| mac.chain_update(text).finalize().into_bytes().to_vec()).unwrap_or_default()
}

fn incomplete(text: impl Into<String>) -> Refusal {
    Refusal::new("IncompleteSignature", text)
}

fn mismatch(text: impl Into<String>) -> Refusal {
    Refusal::new("SignatureDoesNotMatch", text).with_status(403)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"Action=GetCallerIdentity&Version=2011-06-15";
    const SECRET: &str = "not-a-secret";
    const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=AKIA2OKK0DQ7SIMULATE/20261123/\
        eu-central-1/sts/aws4_request, SignedHeaders=content-type;host;x-amz-date, \
        Signature=47e844d6cc926943bd1c3395b56c02b0ea56bd131b453b621f6b5e701eefefd2";

    /// As botocore 1.43 signed it.
    fn signed() -> HeaderMap {
        let fields = [
            ("host", "127.0.0.1:4666"),
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("x-amz-date", "20261123T202100Z"),
            ("authorization", AUTHORIZATION),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.insert(name, value.parse().expect("a value"));
        }
        headers
    }

    fn refused(headers: &HeaderMap, body: &[u8], secret: &str, seconds: u64) -> Refusal {
        checked(headers, body, secret, at(seconds)).expect_err("refused")
    }

    fn checked(headers: &HeaderMap, body: &[u8], secret: &str, now: Moment) -> Answer<()> {
        let hash = hex::encode(Sha256::digest(body));
        check(&Signed { method: "POST", target: "/", headers, hash }, secret, now)
    }

    /// So many seconds after the request was signed.
    fn at(seconds: u64) -> Moment {
        Moment::from_millis(1_795_465_260_000 + seconds * 1_000)
    }

    #[test]
    fn what_an_sdk_signed_is_accepted_and_nothing_else() {
        assert_eq!(checked(&signed(), BODY, SECRET, at(0)), Ok(()));
        assert_eq!(checked(&signed(), BODY, SECRET, at(300)), Ok(()));
        for refusal in [
            refused(&signed(), BODY, "another", 0),
            refused(&signed(), b"Action=DeleteStack", SECRET, 0),
        ] {
            assert_eq!((refusal.status, refusal.code.as_str()), (403, "SignatureDoesNotMatch"));
            assert!(refusal.message.starts_with("The request signature we calculated"));
        }
        let mut elsewhere = signed();
        elsewhere.insert("host", "127.0.0.1:80".parse().expect("a value"));
        assert_eq!(refused(&elsewhere, BODY, SECRET, 0).code, "SignatureDoesNotMatch");
    }

    #[test]
    fn a_clock_that_is_off_is_told_how_far() {
        let expired = refused(&signed(), BODY, SECRET, 301);
        assert_eq!(
            expired.message,
            "Signature expired: 20261123T202100Z is now earlier than 20261123T202101Z \
             (20261123T202601Z - 5 min.)"
        );
        let early = checked(&signed(), BODY, SECRET, at(0) - Duration::from_secs(301));
        assert!(early.expect_err("refused").message.starts_with("Signature not yet current: "));
    }

    #[test]
    fn a_broken_header_is_told_what_it_lacks() {
        for (name, value, what) in [
            ("authorization", "Basic abc", "algorithm"),
            ("authorization", "AWS4-HMAC-SHA256 Credential=A/1/2/3/4, Signature=0", "SignedHead"),
            ("x-amz-date", "2026-11-23T20:21:00Z", "basic format"),
        ] {
            let mut headers = signed();
            headers.insert(name, value.parse().expect("a value"));
            let refusal = refused(&headers, BODY, SECRET, 0);
            assert_eq!(refusal.code, "IncompleteSignature");
            assert!(refusal.message.contains(what), "{}", refusal.message);
        }
    }
}
