//! Why a content is not in its bucket. Each message says what, where and what to do about it; AWS's or
//! git's own words follow as the source.

use std::sync::Arc;

use crate::aws::AwsError;
use crate::git::GitError;
use crate::ids::{Digest, Region};
use crate::package::{BuiltAt, MAX_CODE_BYTES};

/// Why a content could not be put into a bucket. The variant says who does something about it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ArtifactError {
    /// There is no such bucket: a person makes it.
    #[error(
        "there is no bucket `{bucket}`: make it in {region}, or correct `artifacts.bucket` of the Fleet"
    )]
    BucketMissing {
        /// The bucket.
        bucket: String,
        /// Where it is needed.
        region: Region,
    },
    /// The bucket is not where the stacks are: a person makes another.
    #[error(
        "the bucket `{bucket}` is in {is_in}, and stacks in {region} need one in {region}: make one \
         there, and name it with ${{region}} in `artifacts.bucket` of the Fleet"
    )]
    OtherRegion {
        /// The bucket.
        bucket: String,
        /// Where it is needed.
        region: Region,
        /// Where it is.
        is_in: String,
    },
    /// It may not be used so: a person allows it.
    #[error(
        "the bucket `{bucket}` in {region} denies {action} to who runs driftless ({}): allow it in \
         the policy of that role and of the bucket", source.text()
    )]
    Denied {
        /// The bucket.
        bucket: String,
        /// Where it is.
        region: Region,
        /// What is denied, as policies name it.
        action: &'static str,
        /// S3's words.
        source: AwsError,
    },
    /// This machine has no credentials: a person gives it some.
    #[error("{}", .0.text())]
    NoCredentials(AwsError),
    /// No answer, or one that asks for a pause: the same again later.
    #[error("the bucket `{bucket}` in {region} cannot be reached: {source}")]
    Unreachable {
        /// The bucket.
        bucket: String,
        /// Where it is.
        region: Region,
        /// What happened.
        source: AwsError,
    },
    /// S3 said no in a way that is not known here.
    #[error("the bucket `{bucket}` in {region} refuses: {source}")]
    Refused {
        /// The bucket.
        bucket: String,
        /// Where it is.
        region: Region,
        /// S3's words.
        source: AwsError,
    },
    /// What arrived is not what was sent: the same again later.
    #[error("s3://{bucket}/{key} arrived with another checksum than it was sent with: try again")]
    Corrupted {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// Somebody else wrote there: a person looks.
    #[error(
        "s3://{bucket}/{key} is not what driftless puts there: delete it, and let nobody else write \
         below `driftless/`"
    )]
    Foreign {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// The bytes of a file could not be read.
    #[error(transparent)]
    Content(Arc<GitError>),
    /// A file stands for one that is not there.
    #[error(
        "`{path}` is a pointer of Git LFS, not the file itself: end its tracking with `git lfs \
         untrack`, and add it again"
    )]
    LfsPointer {
        /// The file.
        path: String,
    },
    /// No zip could be written.
    #[error("no zip can be made for `{path}`: {why}")]
    Zip {
        /// The first of its files.
        path: String,
        /// Why not.
        why: String,
    },
    /// A build output is not where it should be.
    #[error("`{path}`: {why} at {from}: build it, or correct its `from` in `artifacts`")]
    BuiltMissing {
        /// The file that it stands for.
        path: String,
        /// Where it should be.
        from: BuiltAt,
        /// What is wrong there.
        why: String,
    },
    /// A build output is another one.
    #[error(
        "`{path}`: {from} has the digest sha256:{found}, and `artifacts` names sha256:{expected}: \
         correct the digest, or build it again"
    )]
    BuiltOther {
        /// The file that it stands for.
        path: String,
        /// Where it lies.
        from: BuiltAt,
        /// What the document says.
        expected: Digest,
        /// What is there.
        found: Digest,
    },
    /// A build output is larger than Lambda takes.
    #[error("`{path}`: {from} has {bytes} bytes; {MAX_CODE_BYTES} are the most that Lambda takes")]
    BuiltTooLarge {
        /// The file that it stands for.
        path: String,
        /// Where it lies.
        from: BuiltAt,
        /// Its size.
        bytes: u64,
    },
}

impl ArtifactError {
    /// What a call to a bucket came to, which needed the right to this action.
    pub(super) fn of_call(
        (bucket, region): (&str, &Region),
        action: &'static str,
        source: AwsError,
    ) -> Self {
        let (bucket, region) = (bucket.to_owned(), region.clone());
        if let Some(is_in) = source.bucket_region() {
            return Self::OtherRegion { bucket, region, is_in: is_in.to_owned() };
        }
        match source {
            source if source.no_credentials() => Self::NoCredentials(source),
            source if source.no_such_bucket() => Self::BucketMissing { bucket, region },
            AwsError::Denied(_) => Self::Denied { bucket, region, action, source },
            AwsError::Throttled(_)
            | AwsError::Unreachable(_)
            | AwsError::Malformed(_)
            | AwsError::Stopped(_) => Self::Unreachable { bucket, region, source },
            AwsError::WrongAccount(_) | AwsError::Refused(_) => {
                Self::Refused { bucket, region, source }
            }
        }
    }

    /// Whether the same may well succeed in a moment, without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Corrupted { .. } => true,
            Self::BucketMissing { .. }
            | Self::OtherRegion { .. }
            | Self::Denied { .. }
            | Self::NoCredentials(_)
            | Self::Refused { .. }
            | Self::Foreign { .. }
            | Self::Content(_)
            | Self::LfsPointer { .. }
            | Self::Zip { .. }
            | Self::BuiltMissing { .. }
            | Self::BuiltOther { .. }
            | Self::BuiltTooLarge { .. } => false,
        }
    }

    /// Whether it is the bucket that is wrong, and so the same for whatever is put there.
    pub fn is_of_bucket(&self) -> bool {
        match self {
            Self::BucketMissing { .. }
            | Self::OtherRegion { .. }
            | Self::Denied { .. }
            | Self::NoCredentials(_)
            | Self::Unreachable { .. }
            | Self::Refused { .. } => true,
            Self::Corrupted { .. }
            | Self::Foreign { .. }
            | Self::Content(_)
            | Self::LfsPointer { .. }
            | Self::Zip { .. }
            | Self::BuiltMissing { .. }
            | Self::BuiltOther { .. }
            | Self::BuiltTooLarge { .. } => false,
        }
    }
}
