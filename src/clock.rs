//! The only source of time. It follows tokio's clock, so that a paused runtime owns all of it.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::moment::Moment;

/// Wall time, counted on from the moment it was made by tokio's monotonic clock.
#[derive(Clone, Debug)]
pub struct Clock {
    started_at: Moment,
    started: Instant,
}

impl Clock {
    /// A clock that shows the machine's time.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the time")]
    pub fn of_this_machine() -> Self {
        Self::starting_at(Moment::from(SystemTime::now()))
    }

    /// A clock that shows `moment` now.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the time")]
    pub fn starting_at(moment: Moment) -> Self {
        Self { started_at: moment, started: Instant::now() }
    }

    /// What time it is.
    pub fn now(&self) -> Moment {
        self.started_at + self.started.elapsed()
    }

    /// Returns once the clock shows `moment`, at once if it has passed.
    pub async fn sleep_until(&self, moment: Moment) {
        tokio::time::sleep_until(self.started + moment.since(self.started_at)).await;
    }

    /// Returns after `length`.
    pub async fn sleep(&self, length: Duration) {
        tokio::time::sleep(length).await;
    }
}
