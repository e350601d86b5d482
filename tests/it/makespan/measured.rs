//! What a simulated cloud saw of the last operation on each stack, and of the looks at it.

use std::collections::BTreeMap;
use std::time::Duration;

use driftless::ids::{StackKey, Target};
use driftless::moment::Moment;
use driftless::sim::{Cloud, Status};

/// One operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) began: Moment,
    pub(crate) ended: Moment,
    /// Looks at its target from its beginning until its end was noticed, that one included.
    pub(crate) looks: usize,
    /// How long after the end that was.
    pub(crate) late: Duration,
}

impl Measured {
    pub(crate) fn length(&self) -> Duration {
        self.ended.since(self.began)
    }

    /// Whether the end was noticed within five seconds or a tenth of its length.
    pub(crate) fn is_in_time(&self) -> bool {
        // An answer takes a moment.
        let bound = Duration::from_secs(5).max(self.length() / 10);
        self.late <= bound + Duration::from_millis(100)
    }
}

/// The last operation on each of these stacks, where the cloud remembers all calls since.
pub(crate) fn operations(cloud: &Cloud, stacks: impl Iterator<Item = StackKey>) -> Vec<Measured> {
    let mut looks: BTreeMap<Target, Vec<Moment>> = BTreeMap::new();
    for call in cloud.calls().into_iter().filter(|call| call.api == "DescribeStacks") {
        let target = Target { account: call.account, region: call.region };
        looks.entry(target).or_default().push(call.at);
    }
    let of = |key: StackKey| {
        let events = cloud.console().events(&key).expect("a history");
        let own: Vec<_> = events.into_iter().filter(|event| event.resource.is_none()).collect();
        let begins = [Status::CREATE_IN_PROGRESS, Status::UPDATE_IN_PROGRESS];
        let began = own.iter().rev().find(|event| begins.contains(&event.status));
        let (began, ended) = (began.expect("begun").at, own.last().expect("ended").at);
        let all = looks.get(&key.target).map_or(&[][..], Vec::as_slice);
        let noticed = all.iter().copied().find(|at| *at >= ended).expect("noticed");
        Measured {
            began,
            ended,
            looks: all.iter().filter(|at| **at > began && **at <= noticed).count(),
            late: noticed.since(ended),
        }
    };
    stacks.map(of).collect()
}
