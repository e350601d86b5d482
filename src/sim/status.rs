//! Statuses of stacks and resources: AWS's own words, and any other word that a test forces.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One status word.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Status(Cow<'static, str>);

macro_rules! words {
    ($($name:ident)*) => {
        #[allow(missing_docs, reason = "the names are AWS's own")]
        impl Status {
            $(pub const $name: Self = Self(Cow::Borrowed(stringify!($name)));)*
        }
    };
}

words! {
    CREATE_IN_PROGRESS CREATE_FAILED CREATE_COMPLETE
    ROLLBACK_IN_PROGRESS ROLLBACK_FAILED ROLLBACK_COMPLETE
    DELETE_IN_PROGRESS DELETE_FAILED DELETE_COMPLETE DELETE_SKIPPED
    UPDATE_IN_PROGRESS UPDATE_COMPLETE_CLEANUP_IN_PROGRESS UPDATE_COMPLETE UPDATE_FAILED
    UPDATE_ROLLBACK_IN_PROGRESS UPDATE_ROLLBACK_FAILED
    UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS UPDATE_ROLLBACK_COMPLETE
    REVIEW_IN_PROGRESS IMPORT_COMPLETE IMPORT_ROLLBACK_COMPLETE
}

impl Status {
    /// Any word, known to AWS or not.
    pub fn of(word: &str) -> Self {
        Self(Cow::Owned(word.to_owned()))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
