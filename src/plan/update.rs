//! How a complete stack is brought to what is wanted, one look at a time: make a change set, check
//! it, execute the very set that was checked.

use std::collections::BTreeMap;

use crate::desired::Wanted;
use crate::ids::{Digest, ServiceName};
use crate::observed::{ChangeSetStatus, Seen};
use crate::outcome::{OwnChangeSet, StepKind};
use crate::plan::decide::{Case, Decision, Step};
use crate::plan::sync::differences;
use crate::plan::table::held_by_failure;
use crate::plan::{
    ApprovalKind, Hold, Rendered, adoption, elsewhere, inside, ownership, protection, revert,
};

/// The row of the table for a complete stack that is to be there.
pub(super) fn decide_update(
    case: &Case<'_>,
    wanted: &Wanted,
    seen: &Seen,
    rendered: &Rendered,
    no_echo: &BTreeMap<String, Digest>,
) -> Decision {
    let at = |kind, why: String, digest| {
        Decision::Step(Step {
            key: case.key.clone(),
            kind,
            seen: Some(seen.clone()),
            digest,
            why,
            is_deletion: false,
        })
    };
    let step = |kind, why: String| at(kind, why, rendered.digest);
    let differences = differences(seen, rendered, &case.memory, no_echo);
    let own = case.memory.change_set.as_ref();
    if differences.is_empty() {
        let beside = beside_the_template(case, seen, rendered, &step);
        if own.is_none_or(|set| set.reverts) && beside != Decision::InSync {
            return beside;
        }
        if let Some(decision) = revert::decide(case, wanted, seen, rendered, &at) {
            return decision;
        }
        if let Some(set) = own {
            let kind = StepKind::DeleteChangeSet { name: set.name.clone() };
            return step(kind, "nothing is left to change".to_owned());
        }
        return beside;
    }
    if let Some(set) = own {
        let own = Own { rendered, no_echo, set };
        return carry_on(case, wanted, seen, &own, &step);
    }
    if let Some(hold) = unmet_dependency(case, wanted) {
        return Decision::Hold(hold);
    }
    if let Some(hold) = held_by_failure(case, &rendered.digest) {
        return Decision::Hold(hold);
    }
    if let Some(hold) = adoption::unseen_values(case, wanted, seen, rendered) {
        return Decision::Hold(hold);
    }
    let words: Vec<String> = differences.iter().map(ToString::to_string).collect();
    let words = match ownership::is_nobody_s(seen) {
        true => format!("{} is taken over: {}", seen.own_name(), words.join(", ")),
        false => words.join(", "),
    };
    // The name follows from the token, which only the attempt knows.
    step(StepKind::CreateChangeSet { name: String::new() }, words)
}

/// Termination protection and stack policy: steps of their own, once all else is in sync.
fn beside_the_template(
    case: &Case<'_>,
    seen: &Seen,
    rendered: &Rendered,
    step: &dyn Fn(StepKind, String) -> Decision,
) -> Decision {
    if let Some(hold) = held_by_failure(case, &rendered.digest) {
        return Decision::Hold(hold);
    }
    if seen.termination_protection != rendered.termination_protection {
        let kind = StepKind::SetTerminationProtection(rendered.termination_protection);
        return step(kind, "termination protection differs".to_owned());
    }
    if let Some(policy) = &rendered.stack_policy {
        let known = case.memory.known.as_ref().filter(|known| known.version == seen.version());
        if known.is_some_and(|known| known.policy != Some(policy.digest)) {
            return step(StepKind::SetStackPolicy, "the stack policy differs".to_owned());
        }
    }
    Decision::InSync
}

/// A change set that we made, and what it is to bring the stack to.
struct Own<'a> {
    rendered: &'a Rendered,
    no_echo: &'a BTreeMap<String, Digest>,
    set: &'a OwnChangeSet,
}

/// The next step with a change set that we made.
fn carry_on(
    case: &Case<'_>,
    wanted: &Wanted,
    seen: &Seen,
    own: &Own<'_>,
    step: &dyn Fn(StepKind, String) -> Decision,
) -> Decision {
    let Own { rendered, no_echo, set } = *own;
    let drop = |why: &str| step(StepKind::DeleteChangeSet { name: set.name.clone() }, why.into());
    let found = case.insight.change_set.as_ref();
    // AWS removes no set that it is still computing.
    if found.is_some_and(|found| found.status == ChangeSetStatus::Pending) {
        return Decision::Hold(Hold::ChangeSetPending);
    }
    let is_behind = set.version.id == seen.id && seen.updated_at < set.version.updated_at;
    if is_behind {
        // The listing lags: the set was made for what is there now.
        return Decision::Hold(Hold::ChangeSetPending);
    }
    if set.version != seen.version() {
        return drop("somebody updated the stack since it was prepared");
    }
    if set.digest != rendered.digest {
        return drop("something else is wanted now");
    }
    let Some(found) = found else {
        return drop("it is not there any more");
    };
    match &found.status {
        ChangeSetStatus::Pending => Decision::Hold(Hold::ChangeSetPending),
        ChangeSetStatus::Empty => drop("it holds no changes"),
        ChangeSetStatus::Failed(_) => drop("it could not be prepared"),
        ChangeSetStatus::Obsolete => drop("it is obsolete"),
        ChangeSetStatus::Unknown(word) => drop(&format!("its status is {word}")),
        ChangeSetStatus::Ready => {
            if let Some(hold) = unmet_dependency(case, wanted) {
                return Decision::Hold(hold);
            }
            if let Some(hold) = held_by_failure(case, &rendered.digest) {
                return Decision::Hold(hold);
            }
            let protected = &wanted.service.protected;
            inside::work_out(case, set, rendered, no_echo);
            let changes = inside::all_changes(case, &found.changes);
            let beyond_tags = || adoption::objection(case, seen, rendered, no_echo, &changes);
            let unseen = adoption::unseen_values(case, wanted, seen, rendered);
            if let Some(hold) = unseen.or_else(beyond_tags) {
                return Decision::Hold(hold);
            }
            let (digest, debts) = (&set.digest, &case.memory.debts);
            let objection =
                protection::objection(&case.key, &seen.id, digest, &changes, protected, debts);
            // Of one that is taken over all that is not a tag was asked about above.
            match objection.filter(|_| !ownership::is_nobody_s(seen)) {
                Some(request) if !approved(case, &request) => {
                    Decision::Hold(Hold::Protected(Box::new(request)))
                }
                Some(_) | None => {
                    let kind = StepKind::ExecuteChangeSet { name: set.name.clone() };
                    let resources = match changes.len() {
                        1 => "1 resource".to_owned(),
                        count => format!("{count} resources"),
                    };
                    step(kind, format!("its change set of {resources} was checked"))
                }
            }
        }
    }
}

fn approved(case: &Case<'_>, request: &crate::plan::ApprovalRequest) -> bool {
    let now = case.scene.now;
    let approves =
        |member: &String| case.scene.steering.approves(ApprovalKind::Protected, member, now);
    request.members.iter().all(approves)
}

/// The wait for a service that this one needs, that is wanted in this target or in the home region,
/// and that is not complete there as wanted.
pub(super) fn unmet_dependency(case: &Case<'_>, wanted: &Wanted) -> Option<Hold> {
    let beside = unmet_beside(case, wanted).map(Hold::WaitsForService);
    beside.or_else(|| elsewhere::unmet(case, wanted))
}

fn unmet_beside(case: &Case<'_>, wanted: &Wanted) -> Option<ServiceName> {
    let here = case.scene.desired.stacks.get(&case.key.target)?;
    let is_here = |service: &ServiceName| {
        here.values().any(|other| &other.service.name == service && !other.asked_to_go)
    };
    let depends_on = wanted.depends_on.iter();
    depends_on
        .filter(|service| is_here(service) && !case.satisfied.contains(*service))
        .min()
        .cloned()
}
