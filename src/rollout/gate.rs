//! Which release one stack may have now.

use std::fmt;
use std::sync::Arc;

use crate::fleet::Deployment;
use crate::ids::Digest;
use crate::rollout::Release;

/// Which release one stack may have now.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// A stack that is in sync with one of these has that one, the first that fits.
    pub has: Vec<Arc<Release>>,
    /// What it is brought to otherwise; `None`: nothing may be given to it.
    pub take: Option<Arc<Release>>,
    /// How it is brought there, if not as the service says.
    pub deployment: Option<Deployment>,
    /// The release that it may not take yet.
    pub behind: Option<Behind>,
    /// Whether the release that it is behind is taken back.
    pub goes_back: bool,
    /// Whether a halt lets nothing new start: what is tried again then.
    pub halted: Option<Halted>,
}

/// What goes on with a stack that has begun to take a halted release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halted {
    /// What AWS broke, and what git has changed since.
    TriesAgain,
    /// Only what an earlier operation left is mended: a person said stop.
    Mends,
}

/// A release that a stack may not take yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// Which.
    pub release: Digest,
    /// Why not, a sentence without its full stop.
    pub why: String,
}

/// `release 3f2a9c01 waits for wave tenth`
impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "release {} {}", self.release.short(), self.why)
    }
}

impl Gate {
    /// Nothing is known of the service yet.
    pub fn unknown() -> Self {
        let behind = Behind { release: Digest::of(&[]), why: "is not known yet".to_owned() };
        Self { behind: Some(behind), ..Self::default() }
    }

    /// The one release that there is.
    pub(super) fn take(release: &Arc<Release>) -> Self {
        Self { take: Some(Arc::clone(release)), ..Self::default() }
    }
}
