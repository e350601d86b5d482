//! The one way in which AWS is called: wait for a turn, send, translate, and make the call again
//! while that is worth it.

use std::error::Error;
use std::sync::Arc;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::aws::count::Counting;
use crate::aws::error::{AwsError, translate};
use crate::aws::pace::{BucketKey, Pace};
use crate::aws::places::Places;
use crate::aws::retry::{Delays, Patience};
use crate::clock::Clock;

/// Says whether a changing call may still be made; asked right before each try of one.
pub type Permission = Arc<dyn Fn() -> bool + Send + Sync>;

/// What all calls share.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) clock: Clock,
    pub(super) pace: Pace,
    places: Places,
    pub(super) counting: Counting,
    pub(super) patience: Patience,
}

impl Caller {
    pub(super) fn new(clock: Clock, patience: Patience) -> Self {
        let pace = Pace::new(clock.clone());
        let (places, counting) = (Places::default(), Counting::default());
        Self { clock, pace, places, counting, patience }
    }

    /// Makes a call until it is answered, refused, or patience ends. All calls of this program may
    /// be repeated: they read, carry a token, or ask for a state that may be there already.
    pub(super) async fn call<T, E, F, Fut>(
        &self,
        key: &BucketKey,
        permission: Option<&Permission>,
        send: F,
    ) -> Result<T, AwsError>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let mut lost = false;
        self.counting.waited(key.api, self.pace.turn(key).await);
        let mut delays = Delays::of(key, self.patience, self.clock.now());
        loop {
            // Waiting for one must not count as waiting for AWS, nor make the signature old.
            let place = self.places.place(key).await;
            if key.api.changes() && permission.is_some_and(|allowed| !allowed()) {
                return Err(AwsError::stopped(key.api).after(lost));
            }
            let result = send().await.map_err(|error| translate(key.api, &error));
            drop(place);
            self.note(key, result.as_ref());
            let error = match result {
                Ok(output) => return Ok(output),
                Err(error) => error.after(lost),
            };
            lost = error.may_have_happened();
            match delays.after(&error, self.clock.now()) {
                Some(delay) => self.clock.sleep(delay).await,
                None => return Err(error),
            }
            self.counting.waited(key.api, self.pace.turn(key).await);
        }
    }

    fn note<T>(&self, key: &BucketKey, result: Result<&T, &AwsError>) {
        self.counting.ended(key.api, result);
        match result {
            Ok(_) => self.pace.went_well(key),
            Err(error @ AwsError::Throttled(_)) => {
                self.pace.throttled(key, error.answer().retry_after);
            }
            // Neither says how much AWS would bear.
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::aws::AwsError;
    use crate::aws::fake::{Reply, Server, refusal, session, stacks};

    const SATURATED: usize = 3;

    /// Sessions carry the number of their account; the first accounts throttle for ever.
    fn server() -> Server {
        let number = |text: &str| text.parse::<usize>().expect("a number");
        Server::of(move |asked| match asked.action.as_str() {
            "AssumeRole" => {
                let account = asked.field("RoleArn").split(':').nth(4).expect("an account");
                session(account, number(account), asked.at + Duration::from_secs(3_600))
            }
            _ if number(asked.key.trim_start_matches("SESSION")) < SATURATED => {
                refusal(400, "Throttling", "Rate exceeded")
            }
            "DescribeStacks" => stacks("", None),
            _ => Reply::Usual,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn free_accounts_are_asked_at_once_beside_hundreds_of_calls_to_saturated_ones() {
        let server = server();
        let call = |account: usize| {
            let (api, clock) = (server.api_of(&format!("{account:012}")), server.clock.clone());
            tokio::spawn(async move {
                let began = clock.now();
                let result = api.list().await;
                (result, clock.now().since(began))
            })
        };
        let stuck: Vec<_> = (0..300).map(|number| call(number % SATURATED)).collect();
        for round in 0..5 {
            // Fewer than STS gives sessions to at once.
            let free: Vec<_> = (0..50).map(|number| call(SATURATED + number)).collect();
            for task in free {
                let (result, took) = task.await.expect("no panic");
                result.expect("a listing");
                assert!(took <= Duration::from_millis(100), "round {round}: {took:?}");
            }
            server.clock.sleep(Duration::from_secs(7)).await;
        }
        for task in stuck {
            assert!(!task.is_finished() || task.await.expect("no panic").0.is_err());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_to_a_saturated_account_holds_its_caller_little_longer_than_patience() {
        let server = server();
        let error = server.api_of("000000000000").list().await.expect_err("throttled");
        assert!(matches!(error, AwsError::Throttled(_)), "{error:?}");
        let took = server.clock.now().since(server.asked("AssumeRole")[0].at);
        // The last try may wait for its turn, which comes every five seconds at the least.
        assert!(took <= Duration::from_secs(70), "{took:?}");
    }
}
