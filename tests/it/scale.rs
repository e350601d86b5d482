//! 6,000 accounts in two regions behind one set of credentials: how often STS is asked, and that it
//! never has to say no.

use std::collections::BTreeMap;
use std::time::Duration;

use driftless::aws::{Access, Aws, CallEnd};
use driftless::clock::Clock;
use driftless::ids::Target;
use driftless::moment::Moment;
use driftless::sim::{Cloud, CloudSettings, HUB_ACCOUNT};
use tokio::task::JoinSet;

use crate::world::START;

const ACCOUNTS: usize = 6_000;
/// Enough to be spread over five minutes.
const FEW: usize = 300;
/// What AWS takes of the caller in a second and region.
const QUOTA: usize = 600;

struct Scale {
    cloud: Cloud,
    clock: Clock,
    aws: Aws,
}

impl Scale {
    fn new() -> Self {
        let clock = Clock::starting_at(START);
        let settings = CloudSettings { quotas: Some(true), ..CloudSettings::default() };
        let cloud = Cloud::in_memory(settings, clock.clone());
        let (http, keys) = (cloud.http_client(), cloud.credentials());
        let home = "eu-central-1".parse().expect("a region");
        let aws = Aws::simulated(http, keys, clock.clone(), "one", home);
        Self { cloud, clock, aws }
    }

    /// Looks at so many accounts in both regions, all at once, as if every target were due.
    async fn look(&self, accounts: usize) {
        self.look_in(accounts, &["eu-central-1", "us-east-1"]).await;
    }

    async fn look_in(&self, accounts: usize, regions: &[&str]) {
        let mut looks = JoinSet::new();
        for number in 0..accounts {
            for region in regions {
                let account = 100_000_000_000 + number;
                let target: Target = format!("{account}/{region}").parse().expect("a target");
                let role_arn = format!("arn:aws:iam::{account}:role/driftless-execution");
                let api = self.aws.target(&target, &Access { role_arn, external_id: None });
                looks.spawn(async move { api.list().await });
            }
        }
        while let Some(look) = looks.join_next().await {
            look.expect("no panic").expect("a listing");
        }
    }

    /// When sessions were begun since this was asked last, by API; all of them were granted.
    fn asked(&self, api: &str) -> Vec<Moment> {
        let ends = self.aws.counters().calls;
        let is_good = ends.keys().all(|(_, end)| *end == CallEnd::Done);
        assert!(is_good, "a call was throttled or refused: {ends:?}");
        let calls = self.cloud.calls();
        let asked = calls.iter().filter(|call| call.api == api).map(|call| call.at).collect();
        self.cloud.clear_calls();
        asked
    }
}

/// The most of these moments that lie within one second, wherever it begins.
fn most_in_a_second(moments: &[Moment]) -> usize {
    let second = Duration::from_secs(1);
    let within = |(place, first): (usize, &Moment)| {
        moments[place..].partition_point(|at| at.since(*first) < second)
    };
    moments.iter().enumerate().map(within).max().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn sts_is_asked_once_an_account_and_hour_and_never_more_than_it_takes() {
    let scale = Scale::new();
    let hub = HUB_ACCOUNT.parse().expect("an account");
    let began = scale.clock.now();
    scale.look(ACCOUNTS).await;
    let took = scale.clock.now().since(began);
    let counts: BTreeMap<_, _> = scale.cloud.call_counts();
    let of_hub = counts.iter().filter(|((account, _, _), _)| *account == hub);
    assert_eq!(of_hub.map(|(_, count)| *count).sum::<u64>(), ACCOUNTS as u64);
    let asked = scale.asked("AssumeRole");
    assert_eq!(asked.len(), ACCOUNTS, "two targets of an account share a session");
    assert!(most_in_a_second(&asked) <= QUOTA, "{}", most_in_a_second(&asked));
    assert!(took <= Duration::from_secs(20), "400 a second are 15 seconds, not {took:?}");

    // Every session is due, and all targets are at once: the most that can be asked of STS.
    scale.clock.sleep(Duration::from_secs(56 * 60)).await;
    scale.look(ACCOUNTS).await;
    let asked = scale.asked("AssumeRole");
    assert_eq!(asked.len(), ACCOUNTS, "renewed before they end");
    assert!(most_in_a_second(&asked) <= QUOTA, "{}", most_in_a_second(&asked));
    assert!(most_in_a_second(&asked) >= QUOTA / 2, "{}: or it tests nothing", asked.len());
}

#[tokio::test(start_paused = true)]
async fn sessions_that_began_together_are_not_renewed_together() {
    let scale = Scale::new();
    scale.look_in(FEW, &["eu-central-1"]).await;
    scale.asked("AssumeRole");
    // Looked at all the time when they are due, as while a release goes out.
    scale.clock.sleep(Duration::from_secs(49 * 60)).await;
    let mut renewed = Vec::new();
    for _ in 0..14 {
        scale.clock.sleep(Duration::from_secs(30)).await;
        scale.look_in(FEW, &["eu-central-1"]).await;
        renewed.extend(scale.asked("AssumeRole"));
    }
    assert_eq!(renewed.len(), FEW, "once each");
    assert!(most_in_a_second(&renewed) <= QUOTA, "{}", most_in_a_second(&renewed));
    let first = renewed.iter().min().expect("some");
    let last = renewed.iter().max().expect("some");
    assert!(last.since(*first) >= Duration::from_secs(240), "{:?}", last.since(*first));
}
