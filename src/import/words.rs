//! Sentences about what was found, in documents and for people.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::Target;
use crate::import::{Found, Instance, Origin, StackSet};
use crate::template::Template;

/// Comments end here, as other lines do.
const WIDTH: usize = 98;
/// So many places are named of those that have one reason.
const EXAMPLES: usize = 3;

impl Origin {
    /// Such as ``the stack set `scan-api` ``.
    pub fn words(&self) -> String {
        match self {
            Self::StackSet(set) => format!("the stack set `{}`", set.name),
            Self::Stacks(search) => format!("the stacks that fit `{}`", search.pattern),
        }
    }

    /// The command without its flags.
    pub(super) fn command(&self) -> String {
        match self {
            Self::StackSet(StackSet { name, .. }) => format!("driftless import stackset {name}"),
            Self::Stacks(search) => {
                format!("driftless import stacks --match {}", search.pattern)
            }
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

/// Reasons with their places, equal ones on one line, the commonest first: `14 stacks: it is OUTDATED,
/// such as A, B, C`.
pub fn grouped<'a>(all: impl Iterator<Item = (&'a str, String)>, noun: &str) -> Vec<String> {
    let mut groups: BTreeMap<&str, (usize, Vec<String>)> = BTreeMap::new();
    for (why, place) in all {
        let (count, places) = groups.entry(why).or_default();
        *count += 1;
        if places.len() <= EXAMPLES && !places.contains(&place) {
            places.push(place);
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    let line = |(why, (count, places)): (&str, (usize, Vec<String>))| {
        let some = places.iter().take(EXAMPLES).cloned().collect::<Vec<_>>().join(", ");
        match (count, places.len() > EXAMPLES) {
            (1, _) => format!("{some}: {why}"),
            (_, false) => format!("{}: {why}: {some}", counted(count, noun)),
            (_, true) => format!("{}: {why}, such as {some}", counted(count, noun)),
        }
    };
    groups.into_iter().map(line).collect()
}

/// Three of some places, and how many more there are.
pub(super) fn some<'a>(places: impl Iterator<Item = &'a Target>) -> String {
    let mut places = places.map(Target::to_string);
    let first: Vec<String> = places.by_ref().take(EXAMPLES).collect();
    match places.count() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
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
