//! The rows of the decision table for stacks that go, and deletes in general.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::desired::Wanted;
use crate::fleet::Protection;
use crate::ids::{Digest, ServiceName, TenantName};
use crate::observed::{Seen, Standing};
use crate::outcome::{Memory, StepKind};
use crate::plan::decide::{Case, Decision, Step};
use crate::plan::table::{is_waiting_to_go, needs_person, unless_approved};
use crate::plan::{ApprovalKind, ApprovalRequest, Hold, cooldown, elsewhere, ownership};

/// How often a delete that failed is tried before a person has to look.
const DELETE_TRIES: u32 = 3;
/// A delete that AWS refuses, as for want of a right, is tried again once an hour.
const REFUSED_DELETE: Duration = Duration::from_secs(60 * 60);

/// The rows of the table for a stack that is to be deleted.
pub(super) fn unwanted_stack(case: &Case<'_>, why: &str) -> Decision {
    let Some(seen) = case.seen else { return Decision::Nothing };
    if let Some(request) = replaced(case, seen) {
        return Decision::Hold(Hold::Renamed(Box::new(request)));
    }
    if let Some(hold) = held_by_dependents(case, seen).or_else(|| held_for_successor(case, seen)) {
        return Decision::Hold(hold);
    }
    match seen.status.standing() {
        Standing::Complete
        | Standing::NeverComplete
        | Standing::UpdateFailed
        | Standing::RollbackFailed => {
            if let Some(hold) = held_after_refused_delete(case) {
                return Decision::Hold(hold);
            }
            delete(case, seen, Vec::new(), why, true)
        }
        Standing::DeleteFailed => delete_rest(case, seen, why, true),
        Standing::InReview => Decision::Hold(Hold::InReview),
        Standing::Moving => Decision::Hold(Hold::Moving(seen.status.clone())),
        Standing::Gone => Decision::Nothing,
        Standing::Unclear => needs_person(case, seen, "describe-stack-events"),
    }
}

/// The rename that a person has to approve before this stack goes: the same service of the same
/// tenant is wanted under another name or in another account, and deleting this one first would
/// make the move a silent one.
fn replaced(case: &Case<'_>, seen: &Seen) -> Option<ApprovalRequest> {
    if case.wanted.is_some() {
        return None;
    }
    let (tenant, service) = ownership::tenant_of(seen).zip(ownership::service_of(seen))?;
    let desired = case.scene.desired;
    let account = desired.tenants.get(&tenant)?.account;
    let successor = if account == case.key.target.account {
        successor(case, &tenant, &service)?.key.to_string()
    } else {
        account.to_string()
    };
    let summary =
        format!("{service} of {tenant} would be deleted as {} and made as {successor}", case.key);
    let member = format!("{} goes, {successor} takes its place", seen.id);
    unless_approved(case, ApprovalRequest::of(ApprovalKind::Rename, [member].into(), summary))
}

/// A stack whose move was approved stays until the one that takes its place here is complete.
fn held_for_successor(case: &Case<'_>, seen: &Seen) -> Option<Hold> {
    let (tenant, service) = ownership::tenant_of(seen).zip(ownership::service_of(seen))?;
    let wanted = successor(case, &tenant, &service)?;
    (case.wanted.is_none() && !is_complete(case, wanted)).then_some(Hold::WaitsForService(service))
}

/// The stack that is wanted in this target for the same tenant and service under another name.
fn successor<'a>(
    case: &Case<'a>,
    tenant: &TenantName,
    service: &ServiceName,
) -> Option<&'a Wanted> {
    let here = case.scene.desired.stacks.get(&case.key.target)?;
    here.values().find(|wanted| {
        !wanted.asked_to_go
            && wanted.key != case.key
            && &wanted.tenant.name == tenant
            && &wanted.service.name == service
    })
}

/// What the stacks that use this one, in this target or in other regions, mean for deleting it: those that go are waited
/// for, and one that stays keeps it.
fn held_by_dependents(case: &Case<'_>, seen: &Seen) -> Option<Hold> {
    let service = ownership::service_of(seen)?;
    let desired = case.scene.desired;
    let tenant = ownership::tenant_of(seen);
    // Once its successor is complete, whoever uses the service uses that one.
    if tenant.is_some_and(|tenant| {
        successor(case, &tenant, &service).is_some_and(|wanted| is_complete(case, wanted))
    }) {
        return None;
    }
    // What a stack uses follows from its tenant's values too.
    let uses = |name: &ServiceName, sibling: &Seen| {
        desired.wanted(&sibling.key).map_or_else(
            || desired.services.get(name).is_some_and(|user| user.depends_on.contains(&service)),
            |wanted| wanted.depends_on.contains(&service),
        )
    };
    let users =
        case.siblings().filter(|(name, sibling)| sibling.id != seen.id && uses(name, sibling));
    let none = Memory::default();
    let stays = |sibling: &Seen| {
        let memory = case.scene.memories.get(&sibling.key.name).unwrap_or(&none);
        !is_waiting_to_go(desired, sibling, memory)
    };
    let (staying, going): (Vec<_>, Vec<_>) = users.partition(|(_, sibling)| stays(sibling));
    let first = |users: Vec<(ServiceName, &Seen)>| users.into_iter().map(|(name, _)| name).next();
    let kept = first(staying).map(Hold::KeptForDependents);
    let beside = kept.or_else(|| first(going).map(Hold::WaitsForDependents));
    beside.or_else(|| elsewhere::held_by_users(case, &service))
}

fn is_complete(case: &Case<'_>, wanted: &Wanted) -> bool {
    let seen = case.scene.look.stacks.get(&wanted.key.name);
    seen.is_some_and(|seen| seen.status.standing() == Standing::Complete)
}

/// How long a delete that was refused is left alone. Git has no say in it, so even what would
/// otherwise wait for git is tried again.
pub(super) fn held_after_refused_delete(case: &Case<'_>) -> Option<Hold> {
    let failure = case.memory.failure.as_ref()?;
    if failure.digest != Some(nothing()) {
        return None;
    }
    let until = cooldown::retry_at(&case.key, failure).unwrap_or(failure.at + REFUSED_DELETE);
    (case.scene.now < until).then(|| Hold::Cooldown { until, cause: failure.cause.clone() })
}

/// A delete that failed once: everything that failed, and everything protected, is left behind.
pub(super) fn delete_rest(case: &Case<'_>, seen: &Seen, why: &str, is_deletion: bool) -> Decision {
    // How something else failed says nothing of deletes.
    let failure = case.memory.failure.as_ref().filter(|failure| failure.digest == Some(nothing()));
    // A delete that fails again leaves no trace in the stack but the number of our tries.
    let tries = case.memory.attempt.as_ref().filter(|attempt| {
        matches!(attempt.kind, StepKind::Delete { .. })
            && attempt.version.as_ref() == Some(&seen.version())
    });
    let tries = tries.map_or(0, |attempt| attempt.number);
    if tries.max(failure.map_or(0, |failure| failure.count)) >= DELETE_TRIES {
        return needs_person(case, seen, "delete-stack --deletion-mode FORCE_DELETE_STACK");
    }
    if let Some(failure) = failure.filter(|failure| failure.count > 1)
        && let Some(until) = cooldown::retry_at(&case.key, failure)
        && case.scene.now < until
    {
        return Decision::Hold(Hold::Cooldown { until, cause: failure.cause.clone() });
    }
    let service = ownership::service_of(seen);
    let service = service.and_then(|name| case.scene.desired.services.get(&name));
    let default = Protection::default();
    let protection = service.map_or(&default, |service| &service.protected);
    let never_complete = case.memory.never_complete.as_ref() == Some(&seen.id);
    let kept = case.insight.left_behind.iter().filter(|resource| {
        resource.failed || (!never_complete && resource.is_protected(protection))
    });
    let retain: BTreeSet<String> = kept.map(|resource| resource.logical_id.clone()).collect();
    if retain.is_empty() {
        return needs_person(case, seen, "delete-stack");
    }
    delete(case, seen, retain.into_iter().collect(), why, is_deletion)
}

pub(super) fn delete(
    case: &Case<'_>,
    seen: &Seen,
    retain: Vec<String>,
    why: &str,
    is_deletion: bool,
) -> Decision {
    let kind = if seen.termination_protection {
        StepKind::SetTerminationProtection(false)
    } else {
        StepKind::Delete { retain }
    };
    Decision::Step(Step {
        key: case.key.clone(),
        kind,
        seen: Some(seen.clone()),
        digest: nothing(),
        why: why.to_owned(),
        is_deletion,
    })
}

/// The digest of "no stack".
fn nothing() -> Digest {
    Digest::of(b"")
}
