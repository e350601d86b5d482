//! Why a stack that exists already is not taken over, in words.

use std::fmt;

use crate::ids::{ServiceName, StackName};
use crate::observed::StackStatus;
use crate::plan::ApprovalRequest;

/// Stacks named in one line; further ones are counted.
const NAMED: usize = 5;

/// Why a stack is not taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Several stacks that belong to nobody could be meant.
    Several(Vec<StackName>),
    /// Another service would take the same stack.
    Contested {
        /// Which stack.
        name: StackName,
        /// The other services.
        others: Vec<ServiceName>,
    },
    /// It is in a status in which nothing can be taken over.
    Unfit {
        /// Which stack.
        name: StackName,
        /// The status.
        status: StackStatus,
    },
    /// No stack fits, and none may be made.
    Nothing {
        /// What none fits.
        pattern: String,
    },
    /// It would change more than tags, or nobody can see whether it would.
    Changes(ApprovalRequest),
}

impl Obstacle {
    /// A stable word for programs.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Several(_) => "several-to-adopt",
            Self::Contested { .. } => "contested-adoption",
            Self::Unfit { .. } => "not-adoptable",
            Self::Nothing { .. } => "nothing-to-adopt",
            Self::Changes(_) => "adoption-changes",
        }
    }

    /// The request that a person could approve.
    pub(super) fn request(&self) -> Option<&ApprovalRequest> {
        match self {
            Self::Changes(request) => Some(request),
            Self::Several(_)
            | Self::Contested { .. }
            | Self::Unfit { .. }
            | Self::Nothing { .. } => None,
        }
    }

    /// What a person can do about it, besides an approval.
    pub(super) fn help(&self) -> Option<&'static str> {
        match self {
            Self::Several(_) => Some(
                "make `adopt.match` of the service narrower, or name the right one as `stackName` of \
                 this service in the tenant's document",
            ),
            Self::Contested { .. } => Some("make `adopt.match` of one of these services narrower"),
            Self::Unfit { .. } => {
                Some("bring the stack to a complete status first, or delete it if nobody needs it")
            }
            Self::Nothing { .. } => Some(
                "correct `adopt.match` of the service, or write `orCreate: true` beside it to have the \
                 stack made",
            ),
            Self::Changes(_) => None,
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Several(names) => {
                let shown: Vec<&str> = names.iter().take(NAMED).map(StackName::as_str).collect();
                write!(f, "{} stacks could be the one to take over: ", names.len())?;
                f.write_str(&shown.join(", "))?;
                match names.len().saturating_sub(NAMED) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::Contested { name, others } => {
                let others: Vec<&str> = others.iter().map(ServiceName::as_str).collect();
                write!(f, "{name} fits what {} would take over too", others.join(" and "))
            }
            Self::Unfit { name, status } => {
                write!(f, "{name} is to be taken over, which cannot be done in {status}")
            }
            Self::Nothing { pattern } => {
                write!(
                    f,
                    "no stack fits `{pattern}`, and none is made as long as one is to be taken over"
                )
            }
            Self::Changes(request) => f.write_str(&request.summary),
        }
    }
}
