//! Findings about many tenants at one place are one finding. Places are looked up at the end, so
//! that a fleet without findings pays nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::fleet::finding::{MAX_FINDINGS, more_findings, shortened};
use crate::fleet::source::Places;
use crate::fleet::{Finding, Severity, Source};

/// Findings that are still being collected.
#[derive(Debug, Default)]
pub struct Gathering {
    found: BTreeMap<Key, Gathered>,
    /// Findings beyond the limit, and whether there is an error among them.
    left_out: Option<(usize, Severity)>,
}

type Key = (Arc<str>, usize, Vec<String>, &'static str, String);

#[derive(Debug)]
struct Gathered {
    source: Source,
    at_key: bool,
    severity: Severity,
    message: String,
    help: Option<String>,
    first: Option<String>,
    others: usize,
}

/// What is wrong, as far as it does not depend on whom it concerns.
#[derive(Debug)]
pub struct Complaint<'a> {
    /// The document to fix.
    pub source: &'a Source,
    /// Keys and indices that lead to the place, such as `["spec", "regions"]`.
    pub pointer: &'a [&'a str],
    /// See [`Finding::code`].
    pub code: &'static str,
    /// Whether it is the key that is wrong, not its value.
    pub at_key: bool,
    /// Tells findings of one code at one place apart; may be empty.
    pub subject: &'a str,
    /// See [`Finding::severity`].
    pub severity: Severity,
    /// See [`Finding::help`].
    pub help: Option<String>,
}

impl Gathering {
    /// Adds a finding; of several at one place, only the first message is kept and the others are
    /// counted. `whom` is shown behind the message.
    pub fn add(&mut self, complaint: Complaint<'_>, whom: Option<&str>, message: String) {
        let Complaint { source, pointer, at_key, code, subject, severity, help } = complaint;
        let pointer = pointer.iter().map(|part| (*part).to_owned()).collect();
        let key = (Arc::clone(&source.path), source.line, pointer, code, subject.to_owned());
        if let Some(gathered) = self.found.get_mut(&key) {
            gathered.others += usize::from(gathered.first.as_deref() != whom);
            return;
        }
        if self.found.len() >= MAX_FINDINGS {
            let (count, worst) = self.left_out.unwrap_or((0, severity));
            self.left_out = Some((count + 1, worst.min(severity)));
            return;
        }
        let (message, help) = (shortened(message), help.map(shortened));
        let first = whom.map(str::to_owned);
        let source = source.clone();
        let gathered = Gathered { source, at_key, severity, message, help, first, others: 0 };
        self.found.insert(key, gathered);
    }

    /// All findings, sorted.
    pub fn into_findings(self) -> Vec<Finding> {
        // Findings in one document come one after the other: it is parsed once for all of them.
        let mut open: Option<(Source, Places)> = None;
        let mut findings: Vec<Finding> = self
            .found
            .into_iter()
            .map(|((path, _, pointer, code, _), gathered)| {
                let is_open = open.as_ref().is_some_and(|(it, _)| it.is_one_with(&gathered.source));
                if !is_open {
                    open = Some((gathered.source.clone(), gathered.source.places()));
                }
                let places = open.as_ref().map(|(_, places)| places);
                let (line, column) =
                    places.map_or((0, 0), |places| places.position(&pointer, gathered.at_key));
                let concerned = match (&gathered.first, gathered.others) {
                    (None, _) => String::new(),
                    (Some(first), 0) => format!(" ({first})"),
                    (Some(first), others) => format!(" ({first} and {others} more)"),
                };
                Finding {
                    code,
                    severity: gathered.severity,
                    path: path.to_string(),
                    line,
                    column,
                    message: gathered.message + &concerned,
                    help: gathered.help,
                }
            })
            .collect();
        findings.extend(self.left_out.map(|(count, worst)| more_findings(count, worst)));
        findings.sort();
        findings
    }
}
