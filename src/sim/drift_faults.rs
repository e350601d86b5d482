//! What a test orders to go wrong in drift detections and in drift-aware change sets.

use std::collections::BTreeSet;

use crate::ids::{AccountId, Region, StackName};

/// Trouble with the drift of stacks; what is not said is any.
#[derive(Clone, Debug)]
pub struct DriftFault {
    /// In this account.
    pub account: Option<AccountId>,
    /// In this region.
    pub region: Option<Region>,
    /// In stacks of this name, nested ones too.
    pub stack: Option<StackName>,
    /// What goes wrong.
    pub trouble: DriftTrouble,
    /// In how many detections, or change sets for a phantom; `None` is always.
    pub times: Option<u32>,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriftTrouble {
    /// Resources cannot be read: the detection fails and names them, and their status is unknown.
    Unreadable {
        /// Empty: all of the stack.
        logical_ids: BTreeSet<String>,
        /// AWS's reason, such as `Rate exceeded`.
        text: String,
    },
    /// A detection never ends, and AWS takes no other of the stack meanwhile.
    Endless,
    /// A property is reported as it is not, so that the resource seems to have drifted.
    Misread {
        /// Of resources of this type.
        kind: String,
        /// A JSON pointer, such as `/PolicyDocument`.
        path: String,
        /// As what it is reported.
        shown: Shown,
    },
    /// A drift-aware change set has changes of these resources although nothing differs.
    Phantom {
        /// Resources; it meets stacks that have one of them.
        logical_ids: BTreeSet<String>,
    },
}

/// As what a misread property is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Lists in it the other way round, or an object as its text.
    Reordered,
    /// A number as a text, a text as a number, and the same of booleans.
    Retyped,
    /// As if it were not set, like a property that nobody can read back.
    Missing,
    /// This JSON, such as what AWS sets by itself.
    Value(String),
}

impl DriftTrouble {
    /// The kind of trouble in words, for counting.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "unreadable resources",
            Self::Endless => "endless detection",
            Self::Misread { .. } => "misread property",
            Self::Phantom { .. } => "phantom change",
        }
    }

    /// Whether it is about change sets.
    pub(crate) fn is_phantom(&self) -> bool {
        matches!(self, Self::Phantom { .. })
    }
}

impl DriftFault {
    /// Whether it meets a stack, and if so uses it up.
    pub(crate) fn meets(&mut self, (account, region): (AccountId, &Region), stack: &str) -> bool {
        let fits = self.account.is_none_or(|wanted| wanted == account)
            && self.region.as_ref().is_none_or(|wanted| wanted == region)
            && self.stack.as_ref().is_none_or(|wanted| wanted.as_str() == stack)
            && self.times.is_none_or(|times| times > 0);
        if fits {
            self.times = self.times.map(|times| times - 1);
        }
        fits
    }
}
