//! Sentences about what was found, in documents and for people.

use std::collections::BTreeSet;

use crate::import::{Found, Instance, Origin, StackSet};
use crate::template::Template;

/// Comments end here, as other lines do.
const WIDTH: usize = 98;

impl Origin {
    /// Such as ``the stack set `scan-api` ``.
    pub fn words(&self) -> String {
        match self {
            Self::StackSet(set) => format!("the stack set `{}`", set.name),
            Self::Stacks(pattern) => format!("the stacks that fit `{pattern}`"),
        }
    }

    /// The command without its flags.
    pub(super) fn command(&self) -> String {
        match self {
            Self::StackSet(StackSet { name, .. }) => format!("driftless import stackset {name}"),
            Self::Stacks(pattern) => format!("driftless import stacks --match {pattern}"),
        }
    }

    /// What one of them is called.
    pub(super) fn member(&self) -> &'static str {
        match self {
            Self::StackSet(_) => "instance",
            Self::Stacks(_) => "stack",
        }
    }
}

/// `1 account`, `2 accounts`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Counts of what was found: `80 instances in 40 accounts and 2 regions`.
pub(super) fn extent<'a>(instances: impl Iterator<Item = &'a Instance>, origin: &Origin) -> String {
    let (mut count, mut accounts, mut regions) = (0, BTreeSet::new(), BTreeSet::new());
    for instance in instances {
        count += 1;
        accounts.insert(instance.target.account);
        regions.insert(&instance.target.region);
    }
    format!(
        "{} in {} and {}",
        counted(count, origin.member()),
        counted(accounts.len(), "account"),
        counted(regions.len(), "region")
    )
}

/// A comment in lines that are not too long, each of which begins with `indent`.
pub(super) fn comment(indent: usize, text: &str) -> Vec<String> {
    let start = format!("{}#", " ".repeat(indent));
    let mut lines = Vec::new();
    let mut line = start.clone();
    // Control characters end lines or hide in them.
    for word in text.split(|letter: char| letter.is_whitespace() || letter.is_control()) {
        if word.is_empty() {
            continue;
        }
        if line.len() > start.len() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, start.clone()));
        }
        line.push(' ');
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// What is lost or different once the stacks belong to git.
pub(super) fn losses(found: &Found) -> Vec<String> {
    let mut said = Vec::new();
    if let Origin::StackSet(set) = &found.origin {
        if set.auto_deployment {
            said.push(
                "The stack set gave itself to accounts that joined an organizational unit \
                 (auto-deployment). That is lost: each new account needs a Tenant document."
                    .to_owned(),
            );
        } else if set.is_service_managed {
            said.push(
                "Its targets were organizational units. The accounts are listed as they are now."
                    .to_owned(),
            );
        }
    }
    said
}

/// Names of parameters whose values the template hides.
pub(super) fn hidden(template: &Template) -> impl Iterator<Item = &String> {
    template.parameters().iter().filter(|(_, one)| one.no_echo).map(|(name, _)| name)
}
