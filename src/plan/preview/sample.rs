//! Which stacks stand for the others when real change sets are made to look at, and what was found.

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::Desired;
use crate::fleet::Tenant;
use crate::ids::{ServiceName, StackKey, StackName, Target, TenantName};
use crate::observed::PlannedChange;
use crate::plan::preview::{Kind, Preview};
use crate::rollout::{Membership, Release};

/// What a real change set of one stack showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Which stack.
    pub key: StackKey,
    /// Whose it is.
    pub tenant: TenantName,
    /// What it is.
    pub service: ServiceName,
    /// What was found.
    pub found: SampleFound,
}

/// What came of a change set that was made to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SampleFound {
    /// It would do this, in the words of [`words`]; and nothing where it changes outputs only.
    Changes(Vec<String>),
    /// It would change nothing.
    Nothing,
    /// AWS could not compute it.
    Failed(String),
    /// It was not made, for this reason.
    NotMade(String),
}

/// A stack that would be updated.
struct Candidate<'a> {
    group: usize,
    wave: usize,
    name: &'a StackName,
}

/// At most `count` targets with the stacks in them that would be updated: each next one shows a change
/// that no other showed, if there is one left, and of these the one of the earliest wave.
pub fn representatives(
    preview: &Preview,
    desired: &Desired,
    count: usize,
) -> BTreeMap<Target, BTreeSet<StackName>> {
    let mut candidates: BTreeMap<&Target, Vec<Candidate<'_>>> = BTreeMap::new();
    for (group, found) in preview.groups.iter().enumerate() {
        if found.kind != Kind::Update {
            continue;
        }
        let wave_of = waves(desired, found.service.as_ref());
        for member in &found.members {
            let (Some(name), Some(tenant)) = (&member.name, &member.tenant) else { continue };
            let wave = wave_of(tenant);
            candidates.entry(&member.target).or_default().push(Candidate { group, wave, name });
        }
    }
    let mut chosen = BTreeMap::new();
    let mut shown = BTreeSet::new();
    while chosen.len() < count {
        let worth = |stacks: &[Candidate<'_>]| {
            let new = stacks.iter().filter(|one| !shown.contains(&one.group)).count();
            let wave = stacks.iter().map(|one| one.wave).min().unwrap_or(usize::MAX);
            (new == 0, wave, std::cmp::Reverse(new))
        };
        let open = candidates.iter().filter(|(target, _)| !chosen.contains_key(**target));
        let Some((target, stacks)) = open.min_by_key(|(_, stacks)| worth(stacks)) else { break };
        shown.extend(stacks.iter().map(|one| one.group));
        let names: BTreeSet<StackName> = stacks.iter().map(|one| one.name.clone()).collect();
        chosen.insert((*target).clone(), names);
    }
    chosen
}

/// The wave in which a tenant takes the release of a service.
fn waves<'a>(
    desired: &'a Desired,
    service: Option<&ServiceName>,
) -> impl Fn(&TenantName) -> usize + use<'a> {
    let service = service.and_then(|name| desired.services.get(name));
    let membership = service.and_then(|service| {
        let plan = service.rollout.as_ref().or(desired.fleet.rollout.as_ref())?;
        let head = Release::head(desired, service, None);
        let stacks = desired.all_standing().filter(|one| one.service.name == service.name);
        let tenants: BTreeMap<&TenantName, &Tenant> =
            stacks.map(|one| (&one.tenant.name, &*one.tenant)).collect();
        Some(Membership::of(plan, &head.id, tenants.into_values()))
    });
    move |tenant| membership.as_ref().and_then(|waves| waves.wave_of(tenant)).unwrap_or(0)
}

/// `replace Table (AWS::DynamoDB::Table): TableName`, a change each, sorted.
pub fn words(changes: &[PlannedChange]) -> Vec<String> {
    use crate::observed::{ChangeAction, Replacement};
    let verb = |change: &PlannedChange| match (&change.action, &change.replacement) {
        (ChangeAction::Add, _) => "add",
        (ChangeAction::Import, _) => "import",
        (ChangeAction::Remove, _) => "remove",
        (ChangeAction::Modify, Replacement::Never) => "modify",
        (ChangeAction::Modify, Replacement::Always) => "replace",
        (ChangeAction::Modify, Replacement::Conditional) => "perhaps replace",
        (ChangeAction::Dynamic | ChangeAction::SyncWithActual | ChangeAction::Unknown(_), _) => {
            "do something unknown to"
        }
    };
    let mut lines: Vec<String> = changes
        .iter()
        .map(|change| {
            let touched: Vec<&str> = change.touches.iter().map(String::as_str).collect();
            let touched = match touched.as_slice() {
                [] => String::new(),
                touched => format!(": {}", touched.join(", ")),
            };
            let within = match change.within.as_str() {
                "" => String::new(),
                within => format!("{within}/"),
            };
            let (id, kind) = (&change.logical_id, &change.kind);
            format!("{} {within}{id} ({kind}){touched}", verb(change))
        })
        .collect();
    lines.sort();
    lines
}
