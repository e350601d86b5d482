//! What an edit of a document changed, for people and for scripts that write pull requests.

use schemars::JsonSchema;
use serde::Serialize;

use crate::ids::TenantName;
use crate::report::output::{FORMAT_VERSION, value};

/// What `tenant add`, `set` and `offboard` did to a file.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Edited {
    /// Moves when a field changes its meaning or goes; fields may come.
    pub version: u32,
    /// The tenant whose document it is.
    pub tenant: TenantName,
    /// The file, as it is seen from where the command ran.
    pub path: String,
    /// Whether the file was written; not when it says all of it already.
    pub written: bool,
    /// The fields that changed.
    pub changes: Vec<FieldChange>,
    /// The stacks that the tenant has according to the files as they lie now.
    pub stack_count: usize,
    /// What to do next, a sentence each.
    pub next: Vec<String>,
}

/// A field with another value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FieldChange {
    /// Its keys with dots between them, such as `spec.parameters.Seats`.
    pub field: String,
    /// What it was; null when it was not there.
    pub before: Option<String>,
    /// What it is; null when it was removed.
    pub after: Option<String>,
}

impl Edited {
    /// One that has not been written.
    pub fn nothing(tenant: TenantName, path: String) -> Self {
        let (changes, next) = (Vec::new(), Vec::new());
        let version = FORMAT_VERSION;
        Self { version, tenant, path, written: false, changes, stack_count: 0, next }
    }

    /// The file, a line for each field, and what is next.
    pub fn text(&self) -> String {
        let Self { tenant, path, .. } = self;
        let mut lines = match self.written {
            true => vec![format!("wrote {path}")],
            false => vec![format!("nothing to change: tenant {tenant} is so already, in {path}")],
        };
        lines.extend(self.changes.iter().map(FieldChange::line));
        lines.extend(self.next.iter().map(|next| format!("next: {next}")));
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// One object with a `version`.
    pub fn json(&self) -> serde_json::Value {
        value(self)
    }
}

impl FieldChange {
    fn line(&self) -> String {
        let Self { field, before, after } = self;
        match (before, after) {
            (None, Some(after)) => format!("  {field}: {after}"),
            (Some(before), Some(after)) => format!("  {field}: {before} -> {after}"),
            (before, None) => format!("  {field}: {} -> removed", before.as_deref().unwrap_or("")),
        }
    }
}
