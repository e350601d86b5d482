//! How fast AWS is called: a token bucket per (account, region, API) whose rate adapts to
//! throttling. The bucket is a value that is handed the time; the queue in front of it is fair.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::ids::{AccountId, Region};
use crate::moment::Moment;

/// A bucket that nobody used for so long is forgotten: AWS's own buckets are full again by then.
const IDLE_FOR: Duration = Duration::from_secs(600);
/// So many buckets are kept: 6,000 targets looked at, and a fourth of them changed, with room.
/// One takes about 200 bytes.
const MAX_BUCKETS: usize = 50_000;
/// Throttled answers that arrive within this time are one signal: the calls were under way together.
const ONE_SIGNAL: Duration = Duration::from_secs(1);
/// One call in five seconds goes through even to the busiest account, so that it is noticed when
/// AWS has room again.
const FLOOR_PER_SECOND: f64 = 0.2;
/// Sessions that are asked for at once after a while without any. STS takes 600 calls a second, and in
/// its first second a bucket gives what it holds and what comes in.
const SESSIONS_AT_ONCE: f64 = 150.0;

macro_rules! apis {
    ($($variant:ident,)*) => {
        /// A call to AWS; each has its own rate.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the names are AWS's own")]
        pub enum Api { $($variant,)* }

        impl Api {
            /// Every call that is made.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// AWS's own word.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant),)* }
            }
        }
    };
}

apis! {
    AssumeRole,
    GetCallerIdentity,
    DescribeStacks,
    DescribeStackEvents,
    ListStackResources,
    DescribeChangeSet,
    GetTemplate,
    GetStackPolicy,
    DescribeAccountLimits,
    DescribeStackSet,
    ListStackSets,
    ListStackInstances,
    DescribeStackInstance,
    DetectStackDrift,
    DescribeStackDriftDetectionStatus,
    DescribeStackResourceDrifts,
    CreateStack,
    CreateChangeSet,
    ExecuteChangeSet,
    DeleteChangeSet,
    DeleteStack,
    ContinueUpdateRollback,
    RollbackStack,
    UpdateTerminationProtection,
    SetStackPolicy,
    HeadBucket,
    HeadObject,
    GetObject,
    PutObject,
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Api {
    /// Whether the call changes anything in an account.
    pub fn changes(self) -> bool {
        match self {
            Self::CreateStack
            | Self::CreateChangeSet
            | Self::ExecuteChangeSet
            | Self::DeleteChangeSet
            | Self::DeleteStack
            | Self::ContinueUpdateRollback
            | Self::RollbackStack
            | Self::UpdateTerminationProtection
            | Self::SetStackPolicy
            | Self::PutObject => true,
            Self::AssumeRole
            | Self::GetCallerIdentity
            | Self::DescribeStacks
            | Self::DescribeStackEvents
            | Self::ListStackResources
            | Self::DescribeChangeSet
            | Self::GetTemplate
            | Self::GetStackPolicy
            | Self::DescribeAccountLimits
            | Self::DescribeStackSet
            | Self::ListStackSets
            | Self::ListStackInstances
            | Self::DescribeStackInstance
            | Self::DetectStackDrift
            | Self::DescribeStackDriftDetectionStatus
            | Self::DescribeStackResourceDrifts
            | Self::HeadBucket
            | Self::HeadObject
            | Self::GetObject => false,
        }
    }

    /// The rates to begin with and never to exceed, calls per second. AWS publishes 600 a second
    /// for AssumeRole, charged to the caller, of which others need a part; it publishes none for
    /// CloudFormation, where about 5 looks a second pass and 10 changes at once are throttled.
    fn rates(self) -> Rates {
        match self {
            Self::AssumeRole => Rates { initial: 100.0, ceiling: 400.0 },
            Self::GetCallerIdentity => Rates { initial: 10.0, ceiling: 50.0 },
            Self::DescribeStacks
            | Self::DescribeStackEvents
            | Self::ListStackResources
            | Self::DescribeChangeSet
            | Self::GetTemplate
            | Self::GetStackPolicy
            | Self::DescribeAccountLimits
            | Self::DescribeStackSet
            | Self::ListStackSets
            | Self::ListStackInstances
            | Self::DescribeStackInstance
            | Self::DescribeStackDriftDetectionStatus
            | Self::DescribeStackResourceDrifts => Rates { initial: 5.0, ceiling: 10.0 },
            // One look into a stack is many calls of AWS's own to other services.
            Self::DetectStackDrift => Rates { initial: 1.0, ceiling: 2.0 },
            Self::CreateStack
            | Self::CreateChangeSet
            | Self::ExecuteChangeSet
            | Self::DeleteChangeSet
            | Self::DeleteStack
            | Self::ContinueUpdateRollback
            | Self::RollbackStack
            | Self::UpdateTerminationProtection
            | Self::SetStackPolicy => Rates { initial: 4.0, ceiling: 8.0 },
            // S3 takes 3,500 writes and 5,500 reads a second of one prefix, once it has seen that many.
            Self::HeadBucket | Self::HeadObject | Self::GetObject | Self::PutObject => {
                Rates { initial: 200.0, ceiling: 1_000.0 }
            }
        }
    }
}

/// Calls per second.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rates {
    initial: f64,
    ceiling: f64,
}

/// Tokens of one (account, region, API): each call takes one, they come back at `rate`.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    ceiling: f64,
    burst: f64,
    rate: f64,
    tokens: f64,
    filled_at: Moment,
    slowed_at: Option<Moment>,
    closed_until: Moment,
}

impl Bucket {
    /// A full bucket: one second's worth of calls may go at once.
    pub fn full(api: Api, now: Moment) -> Self {
        let Rates { initial, ceiling } = api.rates();
        Self {
            ceiling,
            burst: if api == Api::AssumeRole { SESSIONS_AT_ONCE } else { ceiling },
            rate: initial,
            tokens: initial,
            filled_at: now,
            slowed_at: None,
            closed_until: Moment::default(),
        }
    }

    /// Takes a token, or says when to ask again (always later than `now`).
    pub fn take(&mut self, now: Moment) -> Result<(), Moment> {
        self.fill(now);
        if now < self.closed_until {
            return Err(self.closed_until);
        }
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(now + Duration::from_secs_f64((1.0 - self.tokens) / self.rate).max(MILLISECOND))
    }

    fn fill(&mut self, now: Moment) {
        let gained = now.since(self.filled_at).as_secs_f64() * self.rate;
        self.tokens = (self.tokens + gained).min(self.capacity());
        self.filled_at = self.filled_at.max(now);
    }

    fn capacity(&self) -> f64 {
        self.rate.max(1.0).min(self.burst)
    }

    /// A call was answered: a little faster. From the floor to the ceiling of CloudFormation's
    /// calls it takes about a hundred good answers.
    pub fn went_well(&mut self, now: Moment) {
        self.fill(now);
        self.rate = (self.rate + self.ceiling / 100.0).min(self.ceiling);
    }

    /// AWS asked us to slow down, for `pause` if it said so: half as fast.
    pub fn throttled(&mut self, now: Moment, pause: Option<Duration>) {
        self.fill(now);
        self.tokens = 0.0;
        self.closed_until = self.closed_until.max(now + pause.unwrap_or_default());
        if self.slowed_at.is_none_or(|at| now.since(at) >= ONE_SIGNAL) {
            self.rate = (self.rate / 2.0).max(FLOOR_PER_SECOND);
            self.slowed_at = Some(now);
        }
    }

    /// Calls per second at present.
    pub fn rate(&self) -> f64 {
        self.rate
    }
}

/// Moments have no finer grain, so a shorter wait would ask again at once.
const MILLISECOND: Duration = Duration::from_millis(1);

/// Whose bucket: AWS counts per account of the credentials, region and call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BucketKey {
    /// `None` for the credentials that this program was started with.
    pub(super) account: Option<AccountId>,
    pub(super) region: Region,
    pub(super) api: Api,
}

/// One bucket with its waiting line. Tokio's mutex is first come, first served.
#[derive(Debug)]
struct Line {
    first: tokio::sync::Mutex<()>,
    bucket: Mutex<Bucket>,
}

impl Line {
    fn bucket<T>(&self, change: impl FnOnce(&mut Bucket) -> T) -> T {
        change(&mut self.bucket.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Debug)]
struct Entry {
    line: Arc<Line>,
    used_at: Moment,
}

/// All buckets.
#[derive(Debug)]
pub(super) struct Pace {
    clock: Clock,
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    by_key: BTreeMap<BucketKey, Entry>,
    swept_at: Moment,
}

impl Pace {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, lines: Mutex::default() }
    }

    /// Returns when it is this call's turn, and how long that took. Calls of one bucket go in the
    /// order in which they came; one that is dropped while it waits takes nothing.
    pub(super) async fn turn(&self, key: &BucketKey) -> Duration {
        let line = self.line(key);
        let came_at = self.clock.now();
        let _first = line.first.lock().await;
        loop {
            match line.bucket(|bucket| bucket.take(self.clock.now())) {
                Ok(()) => return self.clock.now().since(came_at),
                Err(later) => self.clock.sleep_until(later).await,
            }
        }
    }

    pub(super) fn went_well(&self, key: &BucketKey) {
        self.line(key).bucket(|bucket| bucket.went_well(self.clock.now()));
    }

    pub(super) fn throttled(&self, key: &BucketKey, pause: Option<Duration>) {
        self.line(key).bucket(|bucket| bucket.throttled(self.clock.now(), pause));
    }

    fn line(&self, key: &BucketKey) -> Arc<Line> {
        let now = self.clock.now();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.sweep(now);
        let entry = lines.by_key.entry(key.clone()).or_insert_with(|| {
            let bucket = Mutex::new(Bucket::full(key.api, now));
            let line = Arc::new(Line { first: tokio::sync::Mutex::default(), bucket });
            Entry { line, used_at: now }
        });
        entry.used_at = now;
        Arc::clone(&entry.line)
    }
}

impl Lines {
    /// Forgets what is idle, and all that is not in use when even that leaves too many: a learnt
    /// rate costs one throttled call to learn again.
    fn sweep(&mut self, now: Moment) {
        let due = now.since(self.swept_at) >= IDLE_FOR;
        let full = self.by_key.len() >= MAX_BUCKETS;
        if !due && !full {
            return;
        }
        self.swept_at = now;
        let in_use = |entry: &Entry| Arc::strong_count(&entry.line) > 1;
        self.by_key.retain(|_, entry| in_use(entry) || now.since(entry.used_at) < IDLE_FOR);
        if self.by_key.len() >= MAX_BUCKETS {
            self.by_key.retain(|_, entry| in_use(entry));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Moment = Moment::from_millis(1_000_000);

    /// Moments at which calls go when callers ask as often as they may.
    fn greedy(bucket: &mut Bucket, from: Moment, until: Moment) -> Vec<Moment> {
        let (mut now, mut gone) = (from, Vec::new());
        while now < until {
            match bucket.take(now) {
                Ok(()) => gone.push(now),
                Err(later) => {
                    assert!(later > now, "a wait that does not end");
                    now = later;
                }
            }
        }
        gone
    }

    proptest! {
        #[test]
        fn no_window_sees_more_calls_than_the_ceiling_and_one_burst(
            events in proptest::collection::vec((0_u64..3_000, 0_u8..4), 1..200),
        ) {
            let mut bucket = Bucket::full(Api::DescribeStacks, START);
            let (mut now, mut gone) = (START, Vec::new());
            for (pause, event) in events {
                now = now + Duration::from_millis(pause);
                match event {
                    0 => bucket.throttled(now, None),
                    1 => bucket.went_well(now),
                    _ => while bucket.take(now).is_ok() { gone.push(now) },
                }
            }
            for (first, begin) in gone.iter().enumerate() {
                for (last, end) in gone.iter().enumerate().skip(first) {
                    let most = 10.0 * end.since(*begin).as_secs_f64() + 10.0;
                    let calls = u32::try_from(last - first + 1).unwrap();
                    prop_assert!(f64::from(calls) <= most + 0.001, "{calls} calls, {most} allowed");
                }
            }
        }

        #[test]
        fn however_throttled_a_call_goes_within_five_seconds(
            pauses in proptest::collection::vec(0_u64..5_000, 0..50),
        ) {
            let mut bucket = Bucket::full(Api::CreateStack, START);
            let mut now = START;
            for pause in pauses {
                now = now + Duration::from_millis(pause);
                bucket.throttled(now, None);
            }
            let gone = greedy(&mut bucket, now, now + Duration::from_secs(6));
            prop_assert!(gone[0].since(now) <= Duration::from_millis(5_001), "{gone:?}");
        }
    }

    #[test]
    fn throttling_halves_the_rate_once_a_second_and_good_answers_restore_it() {
        let mut bucket = Bucket::full(Api::DescribeStacks, START);
        for _ in 0..10 {
            bucket.throttled(START, None);
        }
        assert!((bucket.rate() - 2.5).abs() < 1e-9, "{bucket:?}");
        bucket.throttled(START + Duration::from_secs(1), None);
        assert!((bucket.rate() - 1.25).abs() < 1e-9, "{bucket:?}");
        for second in 1..100 {
            bucket.went_well(START + Duration::from_secs(second));
        }
        assert!((bucket.rate() - 10.0).abs() < 1e-9, "{bucket:?}");
    }

    #[test]
    fn nothing_goes_before_the_pause_that_the_server_asked_for() {
        let mut bucket = Bucket::full(Api::DescribeStacks, START);
        bucket.throttled(START, Some(Duration::from_secs(7)));
        let gone = greedy(&mut bucket, START, START + Duration::from_secs(8));
        assert!(gone[0] >= START + Duration::from_secs(7), "{gone:?}");
    }

    fn key(account: u64, api: Api) -> BucketKey {
        let account = format!("{account:012}").parse().unwrap();
        BucketKey { account: Some(account), region: "eu-central-1".parse().unwrap(), api }
    }

    #[tokio::test(start_paused = true)]
    async fn one_bucket_does_not_hold_up_another_and_is_first_come_first_served() {
        let clock = Clock::starting_at(START);
        let pace = Arc::new(Pace::new(clock.clone()));
        let busy = key(1, Api::DescribeStacks);
        pace.throttled(&busy, Some(Duration::from_secs(60)));
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for number in 0..20 {
            let (pace, busy, order) = (Arc::clone(&pace), busy.clone(), Arc::clone(&order));
            waiting.push(tokio::spawn(async move {
                pace.turn(&busy).await;
                order.lock().unwrap().push(number);
            }));
            tokio::task::yield_now().await;
        }
        for free in [key(2, Api::DescribeStacks), key(1, Api::GetTemplate)] {
            assert_eq!(pace.turn(&free).await, Duration::ZERO);
        }
        assert_eq!(clock.now(), START);
        for task in waiting {
            task.await.unwrap();
        }
        assert!(clock.now().since(START) >= Duration::from_secs(60));
        assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_goes_away_while_waiting_takes_nothing() {
        let pace = Pace::new(Clock::starting_at(START));
        let busy = key(1, Api::DescribeStacks);
        pace.throttled(&busy, Some(Duration::from_secs(5)));
        for _ in 0..50 {
            let turn = tokio::time::timeout(Duration::from_millis(10), pace.turn(&busy));
            turn.await.expect_err("closed");
        }
        assert!(pace.turn(&busy).await <= Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn idle_buckets_are_forgotten_and_their_number_is_bounded() {
        let clock = Clock::starting_at(START);
        let pace = Pace::new(clock.clone());
        let count = || pace.lines.lock().unwrap().by_key.len();
        for account in 0..1_000 {
            pace.turn(&key(account, Api::DescribeStacks)).await;
        }
        assert_eq!(count(), 1_000);
        clock.sleep(IDLE_FOR).await;
        pace.turn(&key(1, Api::DescribeStacks)).await;
        assert_eq!(count(), 1);
        let most = u64::try_from(MAX_BUCKETS).unwrap() + 10;
        for account in 0..most {
            pace.line(&key(account, Api::DescribeStacks));
        }
        assert!(count() <= MAX_BUCKETS, "{}", count());
    }
}
