//! What is wrong in a document, where, and how to fix it.

use std::cmp::Ordering;
use std::fmt;

use serde::Serialize;

/// Whether a finding refuses the revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The revision is not acted on.
    Error,
    /// Worth a look; the revision is acted on.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One thing that is wrong. The order is that of a reader: path, line, column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind of finding, such as `unknown-field`: stable, for filters and searches.
    pub code: &'static str,
    /// Whether it refuses the revision.
    pub severity: Severity,
    /// The file, relative to the fleet folder; empty when it is about the folder as a whole.
    pub path: String,
    /// Counted from 1; 0 when it is about the whole file.
    pub line: usize,
    /// Counted from 1 in characters; 0 when it is about the whole line or file.
    pub column: usize,
    /// What is wrong, as one sentence.
    pub message: String,
    /// How to fix it.
    pub help: Option<String>,
}

impl Finding {
    /// Whether it refuses the revision.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl Ord for Finding {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |finding: &Self| (finding.line, finding.column, finding.severity);
        (self.path.as_str(), key(self), self.code, &self.message, &self.help).cmp(&(
            other.path.as_str(),
            key(other),
            other.code,
            &other.message,
            &other.help,
        ))
    }
}

impl PartialOrd for Finding {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
