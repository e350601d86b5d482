//! What an import wrote, for people and for scripts that open pull requests.

use schemars::JsonSchema;
use serde::Serialize;

use crate::import::grouped;
use crate::report::output::{FORMAT_VERSION, value};
use crate::report::words::counted;

/// More lines of one kind than these are counted.
const MAX_LINES: usize = 20;

/// Documents that were written from stacks that exist already.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Imported {
    /// Moves when a field changes its meaning or goes; fields may come.
    pub version: u32,
    /// Where the stacks come from, in words.
    pub from: String,
    /// The service that they make.
    pub service: String,
    /// How many stacks were found: those that are taken over and those that are left out.
    pub found: usize,
    /// How many of them the service takes over.
    pub taken_over: usize,
    /// Those that are left as they are.
    pub left_out: Vec<LeftAlone>,
    /// The files that were written.
    pub files: Vec<WrittenFile>,
    /// Tenants that are new, each with its account.
    pub new_tenants: Vec<TenantOfAccount>,
    /// Tenants whose documents say something else now.
    pub edited_tenants: Vec<String>,
    /// Regions that the Fleet document has got.
    pub new_regions: Vec<String>,
    /// What became of each parameter.
    pub parameters: Vec<ImportedParameter>,
    /// What people should know, a sentence each.
    pub notes: Vec<String>,
    /// What to do next, a sentence each.
    pub next: Vec<String>,
}

/// A stack that is left as it is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LeftAlone {
    /// The twelve digits of its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Its name, if it is known.
    pub stack: Option<String>,
    /// Why it is, in words that hold for others too.
    pub why: String,
    /// What is so only here: the names of the stacks that fit, say.
    pub detail: Option<String>,
}

/// A file that was written.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WrittenFile {
    /// The file, as it is seen from where the command ran.
    pub path: String,
    /// Whether it was not there before.
    pub new: bool,
}

/// A tenant with its account.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TenantOfAccount {
    /// Its name.
    pub tenant: String,
    /// The twelve digits of its account.
    pub account: String,
}

/// What became of a parameter.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportedParameter {
    /// Its name.
    pub name: String,
    /// The value of the service with its variables; null where it has none, or the template hides it.
    pub value: Option<String>,
    /// Of how many stacks it is the value.
    pub holds_for: usize,
    /// How many tenants have an exception.
    pub exceptions: usize,
    /// Whether the template hides it (NoEcho), so that nobody can read its values.
    pub hidden: bool,
}

impl Imported {
    /// The same for people.
    pub fn text(&self) -> String {
        let Self { from, service, found, taken_over, .. } = self;
        let mut lines = vec![format!(
            "service {service} from {from}: {found} found, {taken_over} taken over, {} left out",
            self.left_out.len()
        )];
        let reasons =
            grouped(self.left_out.iter().map(|one| (one.why.as_str(), one.place())), "stack");
        listed(&mut lines, reasons.iter().map(|reason| format!("  left out {reason}")));
        let file = |one: &WrittenFile| {
            format!("{} {}", if one.new { "wrote" } else { "edited" }, one.path)
        };
        listed(&mut lines, self.files.iter().map(file));
        if !self.new_tenants.is_empty() || !self.edited_tenants.is_empty() {
            lines.push(format!(
                "tenants: {} new, {} edited",
                self.new_tenants.len(),
                self.edited_tenants.len()
            ));
        }
        if !self.new_regions.is_empty() {
            lines.push(format!("regions added to the fleet: {}", self.new_regions.join(", ")));
        }
        let told = self
            .parameters
            .iter()
            .filter(|one| one.value.is_some() || one.exceptions > 0 || one.hidden);
        lines.extend(told.map(|one| one.line(*taken_over)));
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        lines.extend(self.next.iter().map(|next| format!("next: {next}")));
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// One object with a `version`.
    pub fn json(&self) -> serde_json::Value {
        value(self)
    }

    /// The version of what this program writes.
    pub const VERSION: u32 = FORMAT_VERSION;
}

impl LeftAlone {
    fn place(&self) -> String {
        let Self { account, region, .. } = self;
        match &self.detail {
            Some(detail) => format!("{account}/{region} ({detail})"),
            None => format!("{account}/{region}"),
        }
    }
}

impl ImportedParameter {
    fn line(&self, all: usize) -> String {
        let Self { name, value, holds_for, exceptions, hidden } = self;
        if *hidden {
            return format!("  {name}: hidden (NoEcho), what the stacks have cannot be read");
        }
        let exceptions = match exceptions {
            0 => String::new(),
            count => format!(", {} with exceptions", counted(*count, "tenant")),
        };
        match value {
            Some(value) => format!("  {name}: {value} ({holds_for} of {all}{exceptions})"),
            None => format!("  {name}: as the template says{exceptions}"),
        }
    }
}

fn listed(lines: &mut Vec<String>, mut all: impl Iterator<Item = String>) {
    lines.extend(all.by_ref().take(MAX_LINES));
    match all.count() {
        0 => {}
        more => lines.push(format!("  and {more} more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_counts_what_was_found_and_names_what_is_left_out() {
        let left = |number: usize| LeftAlone {
            account: format!("{number:012}"),
            region: "eu-central-1".to_owned(),
            stack: None,
            why: if number < 22 { "it has no stack" } else { "2 fit in one place" }.to_owned(),
            detail: (number == 22).then(|| "one, other".to_owned()),
        };
        let parameter = |name: &str, value: Option<&str>, exceptions, hidden| ImportedParameter {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            holds_for: 58,
            exceptions,
            hidden,
        };
        let imported = Imported {
            version: Imported::VERSION,
            from: "the stack set `scan-api`".to_owned(),
            service: "scan-api".to_owned(),
            found: 82,
            taken_over: 60,
            left_out: (1..=22).map(left).collect(),
            files: vec![WrittenFile { path: "fleet/services/a.yaml".to_owned(), new: true }],
            new_tenants: Vec::new(),
            edited_tenants: vec!["acme".to_owned()],
            new_regions: vec!["us-east-1".to_owned()],
            parameters: vec![
                parameter("Level", Some("info"), 1, false),
                parameter("Mode", None, 0, false),
                parameter("Password", None, 0, true),
                parameter("Size", None, 2, false),
            ],
            notes: Vec::new(),
            next: vec!["commit it".to_owned()],
        };
        let text = imported.text();
        let lines: Vec<&str> = text.lines().collect();
        let first =
            "service scan-api from the stack set `scan-api`: 82 found, 60 taken over, 22 left out";
        assert_eq!(lines[0], first);
        assert_eq!(
            lines[1..],
            [
                "  left out 21 stacks: it has no stack, such as 000000000001/eu-central-1, \
                 000000000002/eu-central-1, 000000000003/eu-central-1",
                "  left out 000000000022/eu-central-1 (one, other): 2 fit in one place",
                "wrote fleet/services/a.yaml",
                "tenants: 0 new, 1 edited",
                "regions added to the fleet: us-east-1",
                "  Level: info (58 of 60, 1 tenant with exceptions)",
                "  Password: hidden (NoEcho), what the stacks have cannot be read",
                "  Size: as the template says, 2 tenants with exceptions",
                "next: commit it",
            ]
        );
    }
}
