//! Where buckets and keys stand in hosts, paths and queries, in every form that AWS takes.

use std::collections::BTreeMap;

use crate::ids::Region;

/// The region of the endpoint that has none in its name.
const OF_THE_WORLD: &str = "us-east-1";

/// Hosts of this machine.
const HERE: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// A host of S3.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The bucket that the host names.
    pub(crate) bucket: Option<String>,
    /// The region that the host names; `None` for the endpoint without one.
    pub(crate) region: Option<Region>,
}

/// An object that a URL names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) bucket: String,
    pub(crate) key: String,
    /// Where the URL looks for the bucket; `None` where it does not say.
    pub(crate) region: Option<Region>,
}

impl Endpoint {
    /// What a host without its port names; `None` when it is none of AWS's for S3.
    pub(crate) fn of(host: &str) -> Option<Self> {
        let host = host.strip_suffix(".cn").unwrap_or(host).strip_suffix(".amazonaws.com")?;
        if let Some(region) = region_of(host) {
            return Some(Self { bucket: None, region: region.ok()? });
        }
        let labels = host.match_indices(".s3").map(|(index, _)| index);
        let (bucket, region) = labels
            .filter_map(|index| Some((&host[..index], region_of(&host[index + 1..])?)))
            .last()?;
        Some(Self { bucket: Some(bucket.to_owned()), region: region.ok()? })
    }

    /// The region that requests to it have to be signed for.
    pub(crate) fn signs_for(&self) -> Option<Region> {
        self.region.clone().or_else(|| OF_THE_WORLD.parse().ok())
    }
}

/// The region of `s3.REGION`, `s3-REGION` or `s3`; `None` when the host is none of these, an error when
/// it names something that is no region.
fn region_of(host: &str) -> Option<Result<Option<Region>, ()>> {
    let rest = host.strip_prefix("s3")?;
    if rest.is_empty() {
        return Some(Ok(None));
    }
    let name = rest.strip_prefix(['.', '-'])?;
    (!name.contains('.')).then(|| name.parse().map(Some).map_err(|_| ()))
}

/// Bucket and key of a URL of S3, in any of the forms that CloudFormation takes; and of this machine,
/// as the AWS CLI writes them that was told to find the cloud there.
pub(crate) fn place_of(url: &str) -> Option<Place> {
    let (scheme, rest) = url.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    let path = percent_decoded(path.split(['?', '#']).next()?)?;
    let here = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let Endpoint { bucket, region } = match scheme {
        "https" => Endpoint::of(host)?,
        "http" if HERE.contains(&here) => Endpoint { bucket: None, region: None },
        _ => return None,
    };
    let (bucket, key) = match bucket {
        Some(bucket) => (bucket, path),
        None => {
            let (bucket, key) = path.split_once('/')?;
            (bucket.to_owned(), key.to_owned())
        }
    };
    (!bucket.is_empty() && !key.is_empty()).then_some(Place { bucket, key, region })
}

/// The parameters of a query, decoded; `None` when it is not UTF-8.
pub(crate) fn parameters(query: &str) -> Option<BTreeMap<String, String>> {
    let fields = query.split('&').filter(|field| !field.is_empty());
    let decoded = fields.map(|field| {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        // Clients write a space as `+` here, never in a path.
        let decoded = |text: &str| percent_decoded(&text.replace('+', "%20"));
        Some((decoded(name)?, decoded(value)?))
    });
    decoded.collect()
}

/// The text that a path of a URL stands for.
pub(crate) fn percent_decoded(path: &str) -> Option<String> {
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
    fn every_form_of_an_s3_url_names_bucket_key_and_region() {
        for (url, region) in [
            ("https://my.bucket.s3.eu-central-1.amazonaws.com/a%20b/c.yaml", Some("eu-central-1")),
            ("https://my.bucket.s3.amazonaws.com/a%20b/c.yaml", None),
            ("https://my.bucket.s3-eu-west-1.amazonaws.com/a%20b/c.yaml", Some("eu-west-1")),
            ("https://my.bucket.s3.cn-north-1.amazonaws.com.cn/a%20b/c.yaml", Some("cn-north-1")),
            ("https://s3.eu-central-1.amazonaws.com/my.bucket/a%20b/c.yaml", Some("eu-central-1")),
            ("https://s3-eu-west-1.amazonaws.com/my.bucket/a%20b/c.yaml", Some("eu-west-1")),
            ("https://s3.amazonaws.com/my.bucket/a%20b/c.yaml?versionId=1", None),
            ("http://127.0.0.1:4666/my.bucket/a%20b/c.yaml", None),
        ] {
            let place = Place {
                bucket: "my.bucket".to_owned(),
                key: "a b/c.yaml".to_owned(),
                region: region.map(|region| region.parse().expect("a region")),
            };
            assert_eq!(place_of(url), Some(place), "{url}");
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

    #[test]
    fn a_query_is_read_as_clients_write_it() {
        let read = parameters("list-type=2&prefix=a%2Fb+c&location").expect("text");
        let wanted = [("list-type", "2"), ("prefix", "a/b c"), ("location", "")];
        assert_eq!(read, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert_eq!(parameters("prefix=%FF"), None);
    }
}
