//! Proof that the documents say what was found: stack by stack, value by value, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::{Desired, Wanted};
use crate::ids::{ServiceName, StackKey, Target};
use crate::import::{Draft, Refusal};

/// So many differences are named.
const MAX_NAMED: usize = 20;

/// Whether a fleet with the draft's files gives each stack the very values that it has, and no stack
/// of the service besides. What it gives otherwise is a mistake of this program, and nothing is
/// written.
pub fn prove(draft: &Draft, after: &Desired) -> Result<(), Refusal> {
    let of_service = |wanted: &&Wanted| wanted.service.name == draft.service;
    let wanted: BTreeMap<&Target, &Wanted> =
        after.all_wanted().filter(of_service).map(|one| (&one.key.target, one)).collect();
    let mut wrong = Vec::new();
    for target in wanted.keys().filter(|target| !draft.taken.contains_key(**target)) {
        wrong.push(format!("{target}: a stack too many"));
    }
    for (target, values) in &draft.taken {
        match wanted.get(target) {
            Some(wanted) => differing(after, wanted, values, &mut wrong),
            None => wrong.push(format!("{target}: no stack")),
        }
    }
    if draft.taken.len() + draft.left_out.len() != draft.found {
        wrong.push(format!(
            "{} were found, {} are taken over and {} left out",
            draft.found,
            draft.taken.len(),
            draft.left_out.len()
        ));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    wrong.truncate(MAX_NAMED);
    let what = format!(
        "the documents would not say what was found, so nothing is written\n{}",
        wrong.join("\n")
    );
    Err(Refusal::new(what, "this is a mistake of driftless: please report it"))
}

/// The parameters of which the fleet says something else; names only, values may be long.
fn differing(
    after: &Desired,
    wanted: &Wanted,
    values: &BTreeMap<String, String>,
    wrong: &mut Vec<String>,
) {
    let declared = wanted.service.template.parameters();
    let scope = after.scope(wanted);
    let given = wanted
        .parameters(&after.fleet)
        .filter_map(|(name, _, text)| Some((name, scope.resolve(text, &|_, _| None).ok()?)));
    let given: BTreeMap<&str, String> = given.collect();
    for (name, one) in declared.iter().filter(|(_, one)| !one.no_echo) {
        let is = given.get(name.as_str()).or(one.default.as_ref());
        if is != values.get(name) {
            wrong.push(format!("{}: parameter `{name}`", wanted.key.target));
        }
    }
}

/// Stacks of other services that the draft would give somebody: whoever becomes a tenant gets what all
/// tenants get.
pub fn overtaken(draft: &Draft, before: Option<&Desired>, after: &Desired) -> Result<(), Refusal> {
    let known: BTreeSet<&StackKey> =
        before.into_iter().flat_map(Desired::all_wanted).map(|wanted| &wanted.key).collect();
    let mut counts: BTreeMap<&ServiceName, usize> = BTreeMap::new();
    for wanted in after.all_wanted() {
        if wanted.service.name != draft.service && !known.contains(&wanted.key) {
            *counts.entry(&wanted.service.name).or_default() += 1;
        }
    }
    let Some((first, _)) = counts.iter().next() else { return Ok(()) };
    let said = counts.iter().map(|(service, count)| format!("`{service}`: {count} new"));
    let what = format!(
        "the new tenants would get stacks of other services too, so nothing is written\n{}",
        said.collect::<Vec<_>>().join("\n")
    );
    let help = format!(
        "give them a selector first, such as `selector: {{ matchLabels: {{ gets-{first}: \"yes\" }} }}` \
         with that label at its tenants"
    );
    Err(Refusal::new(what, help))
}
