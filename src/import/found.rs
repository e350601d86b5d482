//! What is found before documents are written: a stack set with its instances, or stacks in accounts.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::Target;

/// A service in the making, as it was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where the stacks come from.
    pub origin: Origin,
    /// The pattern of the stacks' names, with `*` for anything.
    pub pattern: String,
    /// The template, byte for byte.
    pub template_body: String,
    /// Values that hold wherever an instance has none of its own. Empty for stacks that lie in
    /// accounts: each shows all of its values.
    pub parameters: BTreeMap<String, String>,
    /// Acknowledged capabilities.
    pub capabilities: Vec<String>,
    /// Tags that all stacks have.
    pub tags: BTreeMap<String, String>,
    /// Whether all stacks refuse to be deleted.
    pub termination_protection: bool,
    /// The stacks, in any order.
    pub instances: Vec<Instance>,
    /// What people should know, a sentence each.
    pub notes: Vec<String>,
}

/// Where stacks come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A stack set.
    StackSet(StackSet),
    /// Stacks in the accounts of tenants.
    Stacks(Search),
}

/// Where stacks were looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// The pattern of their names.
    pub pattern: String,
    /// In the accounts of how many tenants.
    pub tenants: usize,
    /// In how many targets: those that were seen.
    pub targets: usize,
    /// Those of them in regions that their tenants do not list.
    pub outside: BTreeSet<Target>,
    /// Targets in such regions that nobody could look into.
    pub unseen: BTreeSet<Target>,
}

/// A stack set without its instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackSet {
    /// Its name.
    pub name: String,
    /// What its author wrote about it.
    pub description: Option<String>,
    /// Whether it has service-managed permissions: its targets are organizational units.
    pub is_service_managed: bool,
    /// Whether accounts that join an organizational unit get it by themselves.
    pub auto_deployment: bool,
    /// The template.
    pub template_body: String,
    /// Values of parameters; `****` for those that the template hides.
    pub parameters: BTreeMap<String, String>,
    /// Acknowledged capabilities.
    pub capabilities: Vec<String>,
    /// Tags of its stacks.
    pub tags: BTreeMap<String, String>,
}

/// One stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Where it stands.
    pub target: Target,
    /// Its name, if it is known.
    pub stack: Option<String>,
    /// Values of its own; `****` for those that the template hides.
    pub values: BTreeMap<String, String>,
    /// Why it cannot be taken over, a sentence without a full stop.
    pub trouble: Option<String>,
}

/// An instance as a listing of its stack set shows it, in AWS's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceSeen {
    /// Where it is to stand.
    pub target: Target,
    /// The ARN of its stack, if there is one.
    pub stack_id: Option<String>,
    /// `CURRENT`, `OUTDATED` or `INOPERABLE`.
    pub status: String,
    /// How the last operation on it went, if AWS says so: `SUCCEEDED`, `FAILED` and so on.
    pub operation: Option<String>,
    /// Why it is so.
    pub reason: Option<String>,
}

/// The name in the ARN of a stack.
pub fn stack_name(id: &str) -> Option<&str> {
    let (_, rest) = id.split_once(":stack/")?;
    rest.split('/').next().filter(|name| !name.is_empty())
}

/// Why an instance cannot be taken over as it stands; `None` when it can.
pub fn trouble(seen: &InstanceSeen) -> Option<String> {
    let operation = seen.operation.as_deref().unwrap_or("SUCCEEDED");
    let why = match (seen.status.as_str(), operation) {
        (_, "SKIPPED_SUSPENDED_ACCOUNT") => "its account is suspended".to_owned(),
        (_, "PENDING" | "RUNNING") => "an operation of the stack set is under way on it".to_owned(),
        ("INOPERABLE", _) | (_, "INOPERABLE") => {
            "it is INOPERABLE: deleting it failed, and the stack set does not touch it any more"
                .to_owned()
        }
        ("OUTDATED", "SUCCEEDED") => {
            "it is OUTDATED: its template or parameters are not those of the stack set".to_owned()
        }
        ("OUTDATED", operation) => format!(
            "it is OUTDATED, as its last operation ended as {operation}: its template or parameters \
             are not those of the stack set"
        ),
        ("CURRENT", "SUCCEEDED") if seen.stack_id.is_none() => "it has no stack".to_owned(),
        ("CURRENT", "SUCCEEDED") => return place_trouble(seen),
        ("CURRENT", operation) => format!("its last operation ended as {operation}"),
        (status, _) => format!("it is in a state that is not known here: {status}"),
    };
    let reason = seen.reason.as_deref().filter(|reason| !reason.trim().is_empty());
    Some(match reason {
        Some(reason) => format!("{why} ({})", reason.trim()),
        None => why,
    })
}

/// A stack of another account or region is no stack of this instance.
fn place_trouble(seen: &InstanceSeen) -> Option<String> {
    let id = seen.stack_id.as_deref()?;
    let mut parts = id.split(':').skip(3);
    let place = (parts.next(), parts.next());
    let account = seen.target.account.to_string();
    let is_there = place == (Some(seen.target.region.as_str()), Some(account.as_str()));
    (!is_there).then(|| format!("its stack `{id}` stands elsewhere"))
}
