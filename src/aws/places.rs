//! How many calls are under way to one endpoint. Each has a connection of its own, with its buffers
//! and a file of the process, so there must not be as many as there are targets.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::aws::pace::{Api, BucketKey};
use crate::ids::Region;

/// Calls under way to one endpoint. Answers that take half a second make 500 a second of them, more
/// than there are sessions for; three endpoints stay within the 1,024 files that a process may have
/// open on most machines.
const AT_ONCE: usize = 256;

/// Services have endpoints of their own in each region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Service {
    Sts,
    S3,
    CloudFormation,
}

impl Service {
    fn of(api: Api) -> Self {
        if matches!(api, Api::AssumeRole | Api::GetCallerIdentity) {
            return Self::Sts;
        }
        let of_s3 = [Api::HeadBucket, Api::HeadObject, Api::GetObject, Api::PutObject];
        if of_s3.contains(&api) { Self::S3 } else { Self::CloudFormation }
    }
}

/// The endpoints that were called. One that answers nobody holds up no other.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<BTreeMap<(Service, Region), Arc<Semaphore>>>);

impl Places {
    /// Returns when the call may be made; its place is free again when the answer is dropped.
    pub(super) async fn place(&self, key: &BucketKey) -> Option<OwnedSemaphorePermit> {
        let places = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let endpoint = all.entry((Service::of(key.api), key.region.clone()));
            Arc::clone(endpoint.or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))))
        };
        // Nobody closes it, so there always is a place in the end.
        places.acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::aws::fake::{Reply, Server, stacks};

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_that_answers_nobody_has_so_many_connections_and_holds_up_no_other() {
        let server = Server::of(|asked| match asked.action.as_str() {
            "DescribeStacks" if asked.host.contains("eu-central-1") => Reply::Silent,
            "DescribeStacks" => stacks("", None),
            _ => Reply::Usual,
        });
        for number in 0..1_000 {
            let api = server.api_of(&format!("{number:012}"));
            tokio::spawn(async move { api.list().await });
        }
        // Long enough for a thousand sessions, and too short for one of these calls to give up.
        server.clock.sleep(Duration::from_secs(20)).await;
        assert_eq!(server.count("AssumeRole"), 1_000);
        assert_eq!(server.count("DescribeStacks"), AT_ONCE);
        let access = crate::aws::Access {
            role_arn: "arn:aws:iam::000000000001:role/r".into(),
            external_id: None,
        };
        let target = "000000000001/us-east-1".parse().expect("a target");
        let before = server.clock.now();
        server.aws.target(&target, &access).list().await.expect("a listing");
        assert!(server.clock.now().since(before) < Duration::from_secs(1));
    }
}
