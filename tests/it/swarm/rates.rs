//! How fast the program may call: no bucket of AWS's is ever asked for more than was promised.

use std::collections::BTreeMap;

use driftless::ids::{AccountId, Region};
use driftless::moment::Moment;
use driftless::sim::Call;

use crate::swarm::witness::State;

/// Calls per second that are never exceeded, and as many at once. AWS publishes 600 for all of STS;
/// 10 looks and 8 changes of one kind are what CloudFormation is seen to take.
fn promised(api: &str) -> f64 {
    match api {
        "AssumeRole" => 400.0,
        "GetCallerIdentity" => 50.0,
        "DescribeStacks"
        | "DescribeStackEvents"
        | "ListStackResources"
        | "DescribeChangeSet"
        | "GetTemplate"
        | "GetStackPolicy" => 10.0,
        _ => 8.0,
    }
}

/// A bucket of tokens for each account, region and call.
#[derive(Debug, Default)]
pub(super) struct Rates(BTreeMap<(AccountId, Region, &'static str), (Moment, f64)>);

impl Rates {
    /// Whether this call is within the promise of so many processes.
    fn take(&mut self, call: &Call, processes: f64) -> bool {
        let most = promised(call.api) * processes;
        let key = (call.account, call.region.clone(), call.api);
        let (filled_at, tokens) = *self.0.entry(key.clone()).or_insert((call.at, most));
        let gained = call.at.since(filled_at).as_secs_f64() * most;
        let tokens = (tokens + gained).min(most) - 1.0;
        // A clock of milliseconds rounds a thousandth of a token away.
        let is_within = tokens > -0.01;
        self.0.insert(key, (call.at, tokens.max(0.0)));
        is_within
    }
}

impl State {
    pub(super) fn check_rate(&mut self, call: &Call) {
        let processes = if self.truth.has_twin() { 2.0 } else { 1.0 };
        if !self.rates.take(call, processes) {
            let Call { at, account, region, api, .. } = call;
            self.violations.push(format!("{at} {account} {region}: {api} comes too often"));
        }
    }
}

#[test]
fn more_than_the_promise_is_noticed() {
    let call = |millis| Call {
        at: Moment::from_millis(millis),
        account: "200000000001".parse().expect("an account"),
        region: "eu-central-1".parse().expect("a region"),
        api: "CreateStack",
        mutating: true,
    };
    let mut rates = Rates::default();
    assert!((0..8).all(|_| rates.take(&call(1_000), 1.0)));
    assert!(!rates.take(&call(1_000), 1.0));
    assert!(rates.take(&call(1_125), 1.0));
    assert!(!rates.take(&call(1_200), 1.0));
}
