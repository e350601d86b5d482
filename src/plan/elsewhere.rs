//! What the other regions of a tenant mean for one of them: what stands in its home region, and who
//! needs that in others.

use std::collections::BTreeMap;

use crate::desired::{Desired, Wanted};
use crate::ids::{ServiceName, Target};
use crate::observed::{Seen, Standing};
use crate::outcome::OnRemoval;
use crate::plan::decide::Case;
use crate::plan::table::{holds_outputs, may_be_mangled};
use crate::plan::{DRIFTED, Hold, StackRecord, ownership};

/// What is known of one stack in the home region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AtHome {
    /// Those of a stack that stands.
    outputs: BTreeMap<String, String>,
    /// Whether a `?` in an output may stand for another character.
    may_be_mangled: bool,
    /// Whether stacks that need it may go on.
    is_satisfied: bool,
}

/// What is known of the other regions of a target's tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// In the home region, the services that others need there; `None` while that region cannot be
    /// seen, or has not been looked at since something else may be wanted there.
    pub at_home: Option<BTreeMap<ServiceName, AtHome>>,
    /// The stacks that stand in other regions of the account.
    pub others: Vec<(Target, ServiceName)>,
}

impl AtHome {
    /// A stack as it was seen, and whether the decision was that it is in sync.
    pub fn of(desired: &Desired, seen: &Seen, is_in_sync: bool) -> Self {
        let is_ours = ownership::is_ours(seen, &desired.fleet.name);
        if !is_ours || !holds_outputs(seen) {
            return Self::default();
        }
        Self {
            outputs: seen.outputs.clone(),
            may_be_mangled: may_be_mangled(desired, seen),
            is_satisfied: is_in_sync,
        }
    }

    /// What a row of the home region tells those who need it; `None` for a stack that nobody needs.
    pub fn of_record(desired: &Desired, row: &StackRecord) -> Option<(ServiceName, Self)> {
        let wanted = desired.wanted(&row.key).filter(|wanted| !wanted.asked_to_go)?;
        let service = &wanted.service.name;
        if !desired.needed_at_home.contains(service) {
            return None;
        }
        let of_seen = |seen: &Seen| {
            // As beside: whoever suspends a service does not want to stop those that use it as it is,
            // and nobody waits for a release that is not let through.
            // Nor for drift that is brought back, or cannot be.
            let code = row.verdict.code.as_str();
            let is_let_be = ["suspended", "waits-for-wave", "prepare-revert"].contains(&code)
                || code.starts_with("revert");
            let is_complete = seen.status.standing() == Standing::Complete;
            let is_in_sync = ["in-sync", DRIFTED].contains(&code);
            Self::of(desired, seen, is_in_sync || (is_let_be && is_complete))
        };
        Some((service.clone(), row.seen.as_ref().map(of_seen).unwrap_or_default()))
    }

    /// An output, and whether it may be mangled.
    pub(super) fn output(&self, name: &str) -> Option<(&String, bool)> {
        let value = self.outputs.get(name)?;
        Some((value, self.may_be_mangled && value.contains('?')))
    }
}

impl Elsewhere {
    /// What is known of a service in the home region.
    pub(super) fn home(&self, service: &ServiceName) -> Option<&AtHome> {
        self.at_home.as_ref()?.get(service)
    }
}

/// The first service that this stack needs in the home region and that is not complete there.
pub(super) fn unmet(case: &Case<'_>, wanted: &Wanted) -> Option<Hold> {
    wanted.depends_on_home.iter().find_map(|service| awaited(case, wanted, service))
}

/// The hold of a stack that waits for a service in the home region; `None` when that is complete.
pub(super) fn awaited(case: &Case<'_>, wanted: &Wanted, service: &ServiceName) -> Option<Hold> {
    let elsewhere = case.scene.elsewhere;
    if elsewhere.home(service).is_some_and(|home| home.is_satisfied) {
        return None;
    }
    let region = wanted.tenant.home()?.region;
    let is_seen = elsewhere.at_home.is_some();
    Some(Hold::WaitsForHome { service: service.clone(), region, is_seen })
}

/// What stacks in other regions that need this one mean for deleting it: those that go are waited
/// for, and one that stays keeps it.
pub(super) fn held_by_users(case: &Case<'_>, service: &ServiceName) -> Option<Hold> {
    let desired = case.scene.desired;
    // Of a tenant without a document nobody knows which region was its home.
    let home = desired.home_of(&case.key.target.account);
    if home.as_ref().is_some_and(|home| *home != case.key.target) {
        return None;
    }
    let uses = |(target, user): &&(Target, ServiceName)| match wanted_in(desired, target, user) {
        Some(wanted) => wanted.depends_on_home.contains(service),
        None => {
            let user_s = desired.services.get(user);
            (home.is_some() || user != service)
                && user_s.is_some_and(|user| user.depends_on_home.contains(service))
        }
    };
    let stays = |(target, user): &&(Target, ServiceName)| match wanted_in(desired, target, user) {
        Some(wanted) => !wanted.asked_to_go,
        None => {
            let user = desired.services.get(user);
            user.is_some_and(|user| user.on_removal == OnRemoval::Retain)
        }
    };
    let users: Vec<_> = case.scene.elsewhere.others.iter().filter(uses).collect();
    let kept = users.iter().copied().find(stays).map(|(_, user)| user.clone());
    let kept = kept.map(Hold::KeptForDependents);
    kept.or_else(|| users.first().map(|(_, user)| Hold::WaitsForDependents(user.clone())))
}

fn wanted_in<'d>(
    desired: &'d Desired,
    target: &Target,
    service: &ServiceName,
) -> Option<&'d Wanted> {
    desired.stacks.get(target)?.values().find(|wanted| &wanted.service.name == service)
}
