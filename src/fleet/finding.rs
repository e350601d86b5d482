//! What is wrong in a document, where, and how to fix it.

use std::cmp::Ordering;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// More findings than this are counted only: one for each tenant and service of the largest fleet.
pub(super) const MAX_FINDINGS: usize = 10_000;
/// Bytes of a message or fix: a whole template may stand where a name should.
const MAX_TEXT_BYTES: usize = 1_000;

/// What is read of a text that may be very long.
pub(super) fn shortened(mut text: String) -> String {
    if text.len() > MAX_TEXT_BYTES {
        let end = (0..=MAX_TEXT_BYTES).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push_str(" ...");
    }
    text
}

/// That `count` findings are not shown.
pub(super) fn more_findings(count: usize, severity: Severity) -> Finding {
    Finding {
        code: "more-findings",
        severity,
        path: String::new(),
        line: 0,
        column: 0,
        message: format!("there are {count} more findings, which are not shown"),
        help: Some("correct those that are shown first".to_owned()),
    }
}

/// Whether a finding refuses the revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
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
