//! How many calls a second AWS takes: a token bucket for each account, region and API.

use std::collections::BTreeMap;

use crate::ids::{AccountId, Region};
use crate::moment::Moment;

/// The one bucket of all of STS.
const STS: &str = "STS";

/// The APIs of STS share one quota; each of CloudFormation has its own.
fn bucket(api: &'static str) -> &'static str {
    match api {
        "AssumeRole" | "GetCallerIdentity" => STS,
        other => other,
    }
}

/// Calls per second and burst of a bucket. AWS publishes those of S3 and of STS, 600 for each
/// account and region; the others are what is observed.
fn rate(bucket: &str) -> (f64, f64) {
    match bucket {
        STS => (600.0, 600.0),
        "DescribeStacks" | "DescribeStackEvents" | "DescribeChangeSet" | "GetTemplate" => {
            (10.0, 20.0)
        }
        // An estimate: nobody has published any. A detection calls the services of all resources.
        "DetectStackDrift" | "DetectStackResourceDrift" => (2.0, 5.0),
        "DescribeStackDriftDetectionStatus" | "DescribeStackResourceDrifts" => (10.0, 20.0),
        "ListStacks" | "ListStackResources" | "DescribeStackResources" | "ListChangeSets" => {
            (10.0, 20.0)
        }
        // AWS's own numbers for each prefix of a bucket.
        "PutObject" => (3_500.0, 3_500.0),
        "HeadBucket" | "HeadObject" | "GetObject" | "ListObjectsV2" => (5_500.0, 5_500.0),
        _ => (5.0, 10.0),
    }
}

/// The buckets that were used.
#[derive(Debug, Default)]
pub(crate) struct Quotas(BTreeMap<(AccountId, Region, &'static str), (Moment, f64)>);

impl Quotas {
    /// Whether the call is within the quota of the account whose keys signed it, which for
    /// AssumeRole is the hub and not the role's account; it counts against it only then.
    pub(crate) fn take(
        &mut self,
        account: AccountId,
        region: &Region,
        api: &'static str,
        now: Moment,
    ) -> bool {
        let name = bucket(api);
        let (per_second, burst) = rate(name);
        let bucket = self.0.entry((account, region.clone(), name)).or_insert((now, burst));
        let (filled_at, tokens) = *bucket;
        let tokens = (tokens + now.since(filled_at).as_secs_f64() * per_second).min(burst);
        let granted = tokens >= 1.0;
        *bucket = (now, if granted { tokens - 1.0 } else { tokens });
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_then_the_rate_holds() {
        let mut quotas = Quotas::default();
        let account = "111122223333".parse().expect("an account");
        let region: Region = "eu-central-1".parse().expect("a region");
        let mut take =
            |millis| quotas.take(account, &region, "DescribeStacks", Moment::from_millis(millis));
        assert!((0..20).all(|_| take(1_000)));
        assert!(!take(1_000));
        assert!(take(1_100));
        assert!(!take(1_100));
    }
}
