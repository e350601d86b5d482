//! How a change to a service goes out: as a release, wave by wave, with gates that open when the
//! waves before have been seen well at this very release.

mod course;
mod gate;
mod inputs;
mod membership;
mod release;
mod rollouts;
mod run;
mod sharing;

pub use course::{Course, Stage, Upcoming, WaveView, soak};
pub use gate::{Behind, Gate, Halted};
pub use inputs::{TenantInputs, change_together};
pub use membership::{Membership, WaveIndex};
pub use release::{Release, ReleaseBody, reviewed_as};
pub use rollouts::{Bodies, Change, ChangeKind, Rollouts};
pub use run::{Halt, Order, OrderWord, Rollout, Run};
pub use sharing::{Trait, shared_by_all};

#[cfg(test)]
mod tests;
