//! Where one stack stands in the rollout of its service, as its last look shows it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::Digest;
use crate::outcome::CauseClass;

/// Where one stack stands. It is written down with the stack, so that a restart forgets nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// Something is still to be done or to be seen.
    #[default]
    Open,
    /// It was seen in sync at this release.
    Settled(Digest),
    /// Giving it this release failed the last time.
    Troubled {
        /// The release that it was to get.
        release: Digest,
        /// How.
        trouble: Trouble,
    },
    /// It says nothing about a release.
    LeftOut(LeftOut),
}

/// How a stack failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The cause without names and ids: equal ones have one cause.
    pub cause: String,
    /// Who it counts against.
    pub class: CauseClass,
    /// How many times in a row.
    pub count: u32,
}

/// So many failures in a row of what AWS may heal count against the release after all.
const LASTING: u32 = 3;

impl Trouble {
    /// Whether this stack alone counts as failed.
    pub fn counts(&self) -> bool {
        match self.class {
            CauseClass::Release => true,
            CauseClass::Transient => self.count >= LASTING,
            CauseClass::Account => false,
        }
    }

    /// Whether it was not over with one more try. AWS fails a few of thousands with the same words.
    pub fn is_repeated(&self) -> bool {
        self.class != CauseClass::Transient || self.count > 1
    }

    /// Whether it may heal without a change to the release.
    pub fn may_heal(&self) -> bool {
        self.class != CauseClass::Release
    }
}

/// Why a stack does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftOut {
    /// Somebody stopped it.
    Suspended,
    /// It is not ours, or a person has to say whose it is.
    NotOurs,
    /// Its target cannot be seen.
    Blind,
    /// What it depends on is not there, so that it could not be tried.
    Dependency,
    /// A freeze window or an approval holds it.
    Held,
}

impl LeftOut {
    /// Whether somebody wants it to be so; the others must not be many.
    pub fn is_wanted(self) -> bool {
        match self {
            Self::Suspended | Self::NotOurs => true,
            Self::Blind | Self::Dependency | Self::Held => false,
        }
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Suspended => "suspended",
            Self::NotOurs => "not ours",
            Self::Blind => "cannot be seen",
            Self::Dependency => "wait for what they depend on",
            Self::Held => "frozen, or waiting for approval",
        })
    }
}
