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
use crate::aws::retry::{Delays, Patience};
use crate::clock::Clock;

/// Says whether a changing call may still be made; asked right before each try of one.
pub type Permission = Arc<dyn Fn() -> bool + Send + Sync>;

/// What all calls share.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) clock: Clock,
    pub(super) pace: Pace,
    pub(super) counting: Counting,
    pub(super) patience: Patience,
}

impl Caller {
    pub(super) fn new(clock: Clock, patience: Patience) -> Self {
        let pace = Pace::new(clock.clone());
        Self { clock, pace, counting: Counting::default(), patience }
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
            if key.api.changes() && permission.is_some_and(|allowed| !allowed()) {
                return Err(AwsError::stopped(key.api).after(lost));
            }
            let result = send().await.map_err(|error| translate(key.api, &error));
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
