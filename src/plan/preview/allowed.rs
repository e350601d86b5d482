//! What a person approves with a plan: of every service its release, what is done to its resources, and
//! which stacks are deleted.

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::{Desired, Wanted};
use crate::ids::{ServiceName, StackKey};
use crate::plan::preview::consequence::Consequences;
use crate::plan::preview::{Group, Kind, Line, Part};
use crate::plan::{NESTED_STACK, ResourceAction, ReviewedPlan, ReviewedService};
use crate::rollout::reviewed_as;
use crate::template::{Action, Effect, Replaces};

/// Everything that the plan of a change allows; `follows` is what other services' outputs make of
/// services that are not changed themselves.
pub(super) fn allowed(
    old: Option<&Desired>,
    new: &Desired,
    groups: &[Group],
    follows: &BTreeMap<ServiceName, Vec<Effect>>,
) -> ReviewedPlan {
    let standing: BTreeMap<&ServiceName, &Wanted> =
        new.all_standing().map(|wanted| (&wanted.service.name, wanted)).collect();
    let services = standing.into_iter().map(|(name, wanted)| {
        let release = reviewed_as(&new.fleet, &wanted.service);
        let before = old.and_then(|old| Some(reviewed_as(&old.fleet, old.services.get(name)?)));
        let after = before.filter(|before| *before != release);
        let mut service = ReviewedService { release, after, actions: BTreeMap::new() };
        let of_service = groups.iter().filter(|group| group.service.as_ref() == Some(name));
        let effects = of_service.flat_map(|group| &group.effects);
        for effect in effects.chain(follows.get(name).into_iter().flatten()) {
            let place = (effect.logical_id.clone(), effect.kind.clone());
            service.actions.entry(place).or_default().extend(actions(effect));
        }
        // AWS lists a nested stack whenever its parent is updated; what may be done in it is above.
        let is_updated = follows.contains_key(name)
            || groups
                .iter()
                .any(|one| one.service.as_ref() == Some(name) && one.kind == Kind::Update);
        for nested in wanted.service.package.nested.keys().filter(|_| is_updated) {
            let place = (nested.clone(), NESTED_STACK.to_owned());
            service.actions.entry(place).or_default().insert(ResourceAction::Modify);
        }
        (name.clone(), service)
    });
    let gone = groups.iter().filter(|group| group.kind == Kind::Delete);
    let deletions = gone.flat_map(|group| &group.members).filter_map(|member| {
        Some(StackKey { target: member.target.clone(), name: member.name.clone()? })
    });
    ReviewedPlan { services: services.collect(), deletions: deletions.collect() }
}

/// What a change set may do to a resource. Where nobody knows whether it is replaced, only a change in
/// place was reviewed.
fn actions(effect: &Effect) -> &'static [ResourceAction] {
    match (effect.action, effect.replaces) {
        (Action::Add, _) => &[ResourceAction::Add],
        (Action::Remove, _) => &[ResourceAction::Remove],
        (Action::Modify, Replaces::Never | Replaces::Unknown) => &[ResourceAction::Modify],
        (Action::Modify, Replaces::Perhaps | Replaces::Always) => {
            &[ResourceAction::Modify, ResourceAction::Replace]
        }
    }
}

/// Services that read outputs of services that change, and those that read theirs, each with whose
/// outputs it reads.
pub(super) fn readers(
    groups: &[Group],
    new: &Desired,
) -> BTreeMap<ServiceName, BTreeSet<ServiceName>> {
    let in_template = |line: &Line| matches!(line.part, Part::Resource | Part::Output);
    let changes = |group: &&Group| {
        group.kind == Kind::Update
            && (!group.effects.is_empty() || group.lines.iter().any(in_template))
    };
    let mut waiting: BTreeSet<ServiceName> =
        groups.iter().filter(changes).filter_map(|group| group.service.clone()).collect();
    let mut readers: BTreeMap<ServiceName, BTreeSet<ServiceName>> = BTreeMap::new();
    while let Some(used) = waiting.pop_first() {
        for (user, service) in &new.services {
            let texts = service.parameters.values();
            if texts.flat_map(|text| text.services_used()).any(|name| *name == used) {
                let is_new = !readers.contains_key(user);
                readers.entry(user.clone()).or_default().insert(used.clone());
                // What is read of a reader may change as well.
                if is_new {
                    waiting.insert(user.clone());
                }
            }
        }
    }
    readers
}

/// What other values of the outputs that they read make of the stacks of each reader.
pub(super) fn follow<'a>(
    readers: &BTreeMap<ServiceName, BTreeSet<ServiceName>>,
    new: &'a Desired,
    consequences: &mut Consequences<'a>,
) -> BTreeMap<ServiceName, Vec<Effect>> {
    let mut found: BTreeMap<ServiceName, Vec<Effect>> = BTreeMap::new();
    for wanted in new.all_standing() {
        let Some(used) = readers.get(&wanted.service.name) else { continue };
        let all = found.entry(wanted.service.name.clone()).or_default();
        for effect in consequences.with_other_outputs(wanted, used).iter() {
            if !all.contains(effect) {
                all.push(effect.clone());
            }
        }
    }
    found
}

/// A sentence for each service whose outputs are read.
pub(super) fn notices(readers: &BTreeMap<ServiceName, BTreeSet<ServiceName>>) -> Vec<String> {
    let mut users: BTreeMap<&ServiceName, Vec<&str>> = BTreeMap::new();
    for (user, used) in readers {
        for used in used {
            users.entry(used).or_default().push(user.as_str());
        }
    }
    let sentence = |(used, users): (&ServiceName, Vec<&str>)| {
        let (users, verb) = (users.join(", "), if users.len() == 1 { "reads" } else { "read" });
        format!("{users} {verb} outputs of {used}: where these change, it is updated too")
    };
    users.into_iter().map(sentence).collect()
}
