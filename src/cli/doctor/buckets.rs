//! The buckets for what templates point to: whether each region has its own, as this program may use it.

use std::collections::BTreeSet;

use crate::artifacts::{ArtifactError, Artifacts};
use crate::aws::Aws;
use crate::desired::Desired;
use crate::ids::Region;
use crate::report::doctor::{Complaint, Gravity};

/// What is wrong with the buckets of these regions. A fleet without buckets needs none.
pub(super) async fn complaints(
    desired: &Desired,
    aws: &Aws,
    regions: BTreeSet<Region>,
) -> Vec<Complaint> {
    let artifacts = Artifacts::of(aws.clone());
    let mut complaints = Vec::new();
    for region in regions {
        let Some(bucket) = desired.fleet.bucket(&region) else { continue };
        if let Err(error) = artifacts.look(&region, &bucket).await {
            complaints.push(complaint(&error));
        }
    }
    complaints
}

fn complaint(error: &ArtifactError) -> Complaint {
    let (gravity, code) = match error {
        ArtifactError::BucketMissing { .. } => (Gravity::Wrong, "bucket-missing"),
        ArtifactError::OtherRegion { .. } => (Gravity::Wrong, "bucket-in-another-region"),
        // Who may not list a bucket may still be allowed to write into it.
        ArtifactError::Denied { .. } => (Gravity::Warning, "bucket-denied"),
        ArtifactError::NoCredentials(_)
        | ArtifactError::Unreachable { .. }
        | ArtifactError::Refused { .. }
        | ArtifactError::Corrupted { .. }
        | ArtifactError::Foreign { .. }
        | ArtifactError::Content(_)
        | ArtifactError::LfsPointer { .. }
        | ArtifactError::Zip { .. }
        | ArtifactError::BuiltMissing { .. }
        | ArtifactError::BuiltOther { .. }
        | ArtifactError::BuiltTooLarge { .. } => (Gravity::Wrong, "bucket-unreachable"),
    };
    Complaint { gravity, code: code.to_owned(), cause: error.to_string(), detail: None, help: None }
}
