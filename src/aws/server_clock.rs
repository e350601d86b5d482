//! How far AWS's clock is from ours: each answer says when it was written. AWS refuses what was signed
//! more than five minutes before or after.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;

/// How far the clock of this machine is from AWS's, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClockSkew {
    /// It is later here.
    Ahead(Duration),
    /// It is earlier here.
    Behind(Duration),
}

impl ClockSkew {
    fn between(here: SystemTime, there: SystemTime) -> Self {
        match here.duration_since(there) {
            Ok(ahead) => Self::Ahead(ahead),
            Err(error) => Self::Behind(error.duration()),
        }
    }

    /// How far, in either direction.
    pub fn length(self) -> Duration {
        match self {
            Self::Ahead(length) | Self::Behind(length) => length,
        }
    }
}

/// Reads the time of answers. A clone reads into the same place.
#[derive(Clone, Debug)]
pub(super) struct ServerClock {
    /// The clock that requests are signed by.
    ours: SharedTimeSource,
    latest: Arc<Mutex<Option<ClockSkew>>>,
}

impl ServerClock {
    pub(super) fn new(ours: SharedTimeSource) -> Self {
        Self { ours, latest: Arc::default() }
    }

    /// What the latest answer told, if any came that told the time.
    pub(super) fn latest(&self) -> Option<ClockSkew> {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, date: &str) {
        let there = DateTime::from_str(date, Format::HttpDate).ok();
        let Some(there) = there.and_then(|there| SystemTime::try_from(there).ok()) else { return };
        let skew = ClockSkew::between(self.ours.now(), there);
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(skew);
    }
}

#[dyn_dispatch_hint]
impl Intercept for ServerClock {
    fn name(&self) -> &'static str {
        "ServerClock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.read(date);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_async::time::TimeSource;

    use super::*;

    #[derive(Debug)]
    struct Fixed(u64);

    impl TimeSource for Fixed {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + Duration::from_secs(self.0)
        }
    }

    #[test]
    fn the_time_of_an_answer_tells_how_far_the_clocks_are_apart() {
        let seconds: u64 = 1_795_465_260;
        let clock = |seconds| ServerClock::new(SharedTimeSource::new(Fixed(seconds)));
        let told = |seconds, date| {
            let clock = clock(seconds);
            clock.read(date);
            clock.latest()
        };
        let date = "Mon, 23 Nov 2026 20:21:00 GMT";
        let minutes = |count: u64| Duration::from_secs(60 * count);
        assert_eq!(told(seconds + 120, date), Some(ClockSkew::Ahead(minutes(2))));
        assert_eq!(told(seconds - 240, date), Some(ClockSkew::Behind(minutes(4))));
        assert_eq!(told(seconds, "yesterday"), None);
    }
}
