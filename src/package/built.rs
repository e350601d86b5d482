//! Build outputs that are not in git: a document says where each of them lies and what its digest is,
//! so that they are packaged as if they had been committed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::Digest;

/// Where a build left a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum BuiltAt {
    /// `s3://BUCKET/KEY`
    Object {
        /// The bucket, of any region.
        bucket: String,
        /// The key in it.
        key: String,
    },
    /// `file:PATH`: a path of this machine, from the fleet folder where it is not absolute.
    File(String),
}

impl fmt::Display for BuiltAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object { bucket, key } => write!(f, "s3://{bucket}/{key}"),
            Self::File(path) => write!(f, "file:{path}"),
        }
    }
}

impl FromStr for BuiltAt {
    type Err = String;

    /// The error is a whole sentence with the fix.
    fn from_str(text: &str) -> Result<Self, String> {
        let found = match (text.strip_prefix("s3://"), text.strip_prefix("file:")) {
            (Some(rest), _) => rest
                .split_once('/')
                .filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
                .map(|(bucket, key)| Self::Object {
                    bucket: bucket.to_owned(),
                    key: key.to_owned(),
                }),
            (None, Some(path)) if !path.is_empty() => Some(Self::File(path.to_owned())),
            (None, _) => None,
        };
        found.ok_or_else(|| {
            format!("`{text}` is no place of a build output: write s3://BUCKET/KEY or file:PATH")
        })
    }
}

impl TryFrom<String> for BuiltAt {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<BuiltAt> for String {
    fn from(at: BuiltAt) -> Self {
        at.to_string()
    }
}

/// A build output: where it lies, and what must be in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Built {
    /// Where it lies.
    pub from: BuiltAt,
    /// The SHA-256 of its bytes.
    pub digest: Digest,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::{Origin, Packed};
    use crate::snapshot::ContentId;

    #[test]
    fn a_release_keeps_where_a_build_output_is_and_a_committed_file_by_its_content() {
        let built =
            Built { from: BuiltAt::File("dist/a.zip".to_owned()), digest: Digest::of(b"1") };
        for origin in [Origin::Built(built), Origin::Committed { id: ContentId::of(b"1") }] {
            let file = Packed { path: "s/a.zip".to_owned(), origin, bytes: 7 };
            let kept = serde_json::to_string(&file).expect("json");
            assert_eq!(serde_json::from_str::<Packed>(&kept).ok(), Some(file), "{kept}");
        }
    }

    #[test]
    fn a_place_is_written_as_it_is_read_and_others_are_refused_with_the_fix() {
        for text in ["s3://builds/scan/1.2.zip", "file:dist/scan.zip", "file:/srv/scan.zip"] {
            assert_eq!(text.parse::<BuiltAt>().map(|at| at.to_string()), Ok(text.to_owned()));
        }
        for text in
            ["", "dist/scan.zip", "s3://", "s3://builds", "s3:///key", "file:", "https://x/y"]
        {
            let error = text.parse::<BuiltAt>().expect_err(text);
            assert!(error.contains("write s3://BUCKET/KEY or file:PATH"), "{error}");
        }
    }
}
