//! The decision table: one stack, its status against what is wanted of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::{Desired, Wanted};
use crate::fleet::Deployment;
use crate::ids::{Digest, ServiceName, StackId, TenantName};
use crate::observed::{Seen, StackStatus, Standing};
use crate::outcome::{Failure, Memory, OnRemoval, StepKind};
use crate::plan::decide::{Case, Decided, Decision, Step};
use crate::plan::removal::{delete, delete_rest, held_after_refused_delete, unwanted_stack};
use crate::plan::render::{Missing, render};
use crate::plan::reviewed::unless_unplanned;
use crate::plan::{
    ApprovalKind, ApprovalRequest, Hold, Rendered, RevertHold, Scope, adoption, cooldown,
    elsewhere, lack, may_run, ownership, repair, update,
};

/// What git and people want of one stack.
enum Demand<'a> {
    /// It is to be there.
    Present(&'a Wanted),
    /// It is to be deleted.
    Gone(&'static str),
    /// It is to be left as it is.
    Retained,
}

/// Decides about one stack.
pub(super) fn decide_stack(case: &Case<'_>) -> Decided {
    let demand = demand(case);
    let present = match demand {
        Demand::Present(wanted) => Some(wanted),
        Demand::Gone(_) | Demand::Retained => None,
    };
    let mut rendered = present.map(|wanted| rendered(case, wanted));
    if let Some(Ok(rendered)) = &mut rendered {
        rendered.deployment = case.deployment.unwrap_or(rendered.deployment);
        if let Some(seen) = case.seen {
            let mut kept = kept(case, seen);
            kept.extend(adoption::kept(case, seen, rendered));
            rendered.keep(kept);
        }
    }
    let no_echo = match &rendered {
        Some(Ok(rendered)) => no_echo(case, rendered),
        Some(Err(_)) | None => BTreeMap::new(),
    };
    let decision = match untouchable(case, &demand) {
        Some(decision) => decision,
        None => match (&demand, &rendered) {
            (Demand::Present(wanted), Some(rendered)) => {
                wanted_stack(case, wanted, rendered.as_ref(), &no_echo)
            }
            (Demand::Gone(why), _) => unwanted_stack(case, why),
            (Demand::Retained | Demand::Present(_), _) => Decision::Hold(Hold::Retained),
        },
    };
    let decision = lack::unless_lacking(case, rendered.as_ref(), decision);
    let decision = unless_suspended(case, unless_one_may_run(case, decision));
    let decision = unless_frozen(case, unless_unplanned(case, decision));
    let mut rendered = rendered.and_then(Result::ok);
    if let Some(rendered) = &mut rendered
        && case.memory.never_complete.is_some()
        && matches!(&decision, Decision::Step(step) if step.kind == StepKind::Create)
    {
        // It failed and was deleted to be made again, which is not what to hurry with.
        rendered.deployment = Deployment::Standard;
    }
    let wanted = present.is_some();
    let inside = case.inside.get().cloned();
    Decided { decision, rendered, no_echo, wanted, release: None, behind: None, inside }
}

fn demand<'a>(case: &'a Case<'_>) -> Demand<'a> {
    match case.wanted.as_deref() {
        Some(wanted) if wanted.asked_to_go => Demand::Gone("git asks it to go"),
        Some(wanted) => Demand::Present(wanted),
        None => {
            let service = case.seen.and_then(ownership::service_of);
            match on_removal(case.scene.desired, service.as_ref(), &case.memory) {
                OnRemoval::Delete => Demand::Gone("git no longer gives it, and says `delete`"),
                OnRemoval::Retain => Demand::Retained,
            }
        }
    }
}

/// What happens to a dropped stack: as its service says now, or said last.
fn on_removal(desired: &Desired, service: Option<&ServiceName>, memory: &Memory) -> OnRemoval {
    let service = service.and_then(|name| desired.services.get(name));
    service.map_or(memory.on_removal, |service| service.on_removal)
}

/// Whether a stack of ours waits to be deleted, as far as can be known from its last look.
pub fn is_waiting_to_go(desired: &Desired, seen: &Seen, memory: &Memory) -> bool {
    if !ownership::is_ours(seen, &desired.fleet.name) {
        return false;
    }
    match desired.wanted(&seen.key) {
        Some(wanted) => wanted.asked_to_go,
        None => {
            let service = ownership::service_of(seen);
            on_removal(desired, service.as_ref(), memory) == OnRemoval::Delete
        }
    }
}

/// What comes before any row of the table: whose it is, and whether something is at work.
fn untouchable(case: &Case<'_>, demand: &Demand<'_>) -> Option<Decision> {
    let Some(seen) = case.seen else {
        if !matches!(demand, Demand::Present(_)) {
            return Some(Decision::Nothing);
        }
        return pending(case);
    };
    if !ownership::is_ours(seen, &case.scene.desired.fleet.name) {
        // What is only meant to be taken over goes with nobody.
        let Demand::Present(wanted) = demand else { return Some(Decision::Nothing) };
        return adoption::held(case, wanted, seen).map(Decision::Hold).or_else(|| pending(case));
    }
    if let Some(request) = case.wanted.as_deref().and_then(|wanted| another_s(case, wanted, seen)) {
        return Some(Decision::Hold(Hold::Renamed(Box::new(request))));
    }
    if seen.status.is_moving() {
        return Some(Decision::Hold(match case.scene.another_controller {
            Some(id) => Hold::AnotherController { id: id.to_owned() },
            None => Hold::Moving(seen.status.clone()),
        }));
    }
    pending(case)
}

/// A call of ours whose effect has not been seen, or another controller at work in this target.
fn pending(case: &Case<'_>) -> Option<Decision> {
    if let Some(attempt) = case.memory.attempt.as_ref().filter(|attempt| !attempt.settled) {
        return Some(Decision::Hold(Hold::EffectPending { step: attempt.kind.word() }));
    }
    let id = case.scene.another_controller?.to_owned();
    Some(Decision::Hold(Hold::AnotherController { id }))
}

/// While a call whose answer was lost may have started something, nothing but that very call is
/// made: another step would make us forget it.
fn unless_one_may_run(case: &Case<'_>, decision: Decision) -> Decision {
    let (Decision::Step(step), Some(last)) = (&decision, &case.memory.attempt) else {
        return decision;
    };
    let is_repeated = last.kind.word() == step.kind.word() && last.digest == step.digest;
    if is_repeated || !may_run(case.seen, &case.memory, case.scene.look.at) {
        return decision;
    }
    Decision::Hold(Hold::EffectPending { step: last.kind.word() })
}

/// The rename that a person has to approve because this stack was made for another.
fn another_s(case: &Case<'_>, wanted: &Wanted, seen: &Seen) -> Option<ApprovalRequest> {
    let tenant = ownership::tenant_of(seen);
    let service = ownership::service_of(seen);
    if tenant.as_ref() == Some(&wanted.tenant.name)
        && service.as_ref() == Some(&wanted.service.name)
    {
        return None;
    }
    let was = |name: Option<ServiceName>| name.map_or("nobody".to_owned(), |name| name.to_string());
    let summary = format!(
        "{} was made as {} of {} and is now wanted as {} of {}",
        case.key,
        was(service),
        was(tenant),
        wanted.service.name,
        wanted.tenant.name
    );
    let member = format!("{} -> {}/{}", seen.id, wanted.tenant.name, wanted.service.name);
    unless_approved(case, ApprovalRequest::of(ApprovalKind::Rename, [member].into(), summary))
}

/// The rename that a person has to approve because stacks for the same tenant and service stand
/// elsewhere: under another name here, or in an account that the tenant had before.
pub(super) fn twin(case: &Case<'_>, wanted: &Wanted) -> Option<ApprovalRequest> {
    let service = &wanted.service.name;
    let here = case.siblings().filter(|(name, seen)| {
        name == service && ownership::tenant_of(seen).as_ref() == Some(&wanted.tenant.name)
    });
    let former = case.scene.former.iter().filter(|stack| &stack.service == service);
    let elsewhere: BTreeSet<StackId> = here
        .filter(|(_, seen)| seen.key != case.key)
        .filter(|(_, seen)| case.scene.desired.wanted(&seen.key).is_none())
        .map(|(_, seen)| seen.id.clone())
        .chain(former.map(|stack| stack.id.clone()))
        .collect();
    if elsewhere.is_empty() {
        return None;
    }
    let ids: Vec<String> = elsewhere.iter().map(StackId::to_string).collect();
    let summary = format!(
        "{service} of {} would be made again as {}, while it stands as {}",
        wanted.tenant.name,
        case.key,
        ids.join(", ")
    );
    let member = format!("{} <- {}", case.key, ids.join(" "));
    unless_approved(case, ApprovalRequest::of(ApprovalKind::Rename, [member].into(), summary))
}

pub(super) fn unless_approved(
    case: &Case<'_>,
    request: ApprovalRequest,
) -> Option<ApprovalRequest> {
    let approves =
        |member: &String| case.scene.steering.approves(request.kind, member, case.scene.now);
    if request.members.iter().all(approves) { None } else { Some(request) }
}

/// An output of the stack beside, and whether it may be mangled.
fn output_beside<'a>(
    case: &Case<'a>,
    wanted: &Wanted,
    service: &ServiceName,
    output: &str,
) -> Option<(&'a String, bool)> {
    let mut found = case.siblings().filter(|(name, seen)| {
        name == service && ownership::tenant_of(seen).as_ref() == Some(&wanted.tenant.name)
    });
    let first = found.next()?.1;
    // Of two, the one that git gives; the other is on its way out.
    let desired = case.scene.desired;
    let is_given = |seen: &&Seen| desired.wanted(&seen.key).is_some();
    let given = Some(first).filter(is_given);
    let seen = given.or_else(|| found.map(|(_, seen)| seen).find(is_given)).unwrap_or(first);
    if !holds_outputs(seen) {
        return None;
    }
    let value = seen.outputs.get(output)?;
    Some((value, value.contains('?') && may_be_mangled(desired, seen)))
}

/// What a stack is to be made of now, with the outputs of the stacks beside it and at home.
fn rendered(case: &Case<'_>, wanted: &Wanted) -> Result<Rendered, Hold> {
    if let Some(closed) = &case.closed {
        return Err(closed.clone());
    }
    let mangled = std::cell::RefCell::new(None);
    let output = |service: &ServiceName, output: &str| {
        let (value, is_mangled) = if wanted.depends_on_home.contains(service) {
            case.scene.elsewhere.home(service)?.output(output)?
        } else {
            output_beside(case, wanted, service, output)?
        };
        if is_mangled {
            *mangled.borrow_mut() =
                Some(Hold::MangledOutput { service: service.clone(), output: output.to_owned() });
        }
        Some(value.clone())
    };
    let outcome = render(case.fleet, wanted, &output);
    match (mangled.into_inner(), outcome) {
        (Some(hold), _) => Err(hold),
        (None, Ok(rendered)) => Ok(rendered),
        (None, Err(Missing::Output { service, output })) => {
            Err(waits_for_output(case, wanted, service, output))
        }
        (None, Err(Missing::Variable { variable, .. })) => Err(Hold::VariableMissing(variable)),
    }
}

/// Whether an output that is not there may still come.
fn waits_for_output(
    case: &Case<'_>,
    wanted: &Wanted,
    service: ServiceName,
    output: String,
) -> Hold {
    if wanted.depends_on_home.contains(&service) {
        let awaited = elsewhere::awaited(case, wanted, &service);
        return awaited.unwrap_or(Hold::NoSuchOutput { service, output });
    }
    // One that is kept back may bring the output with the release that it waits for.
    let is_kept = case.kept_back.is_some_and(|kept| kept.contains(&service));
    if case.satisfied.contains(&service) && !is_kept {
        return Hold::NoSuchOutput { service, output };
    }
    Hold::WaitsForOutput { service, output }
}

/// Whether a stack's outputs are those of a stack that stands: not of one that is being made,
/// undone or removed.
pub(super) fn holds_outputs(seen: &Seen) -> bool {
    match seen.status.standing() {
        Standing::Complete | Standing::UpdateFailed | Standing::RollbackFailed => true,
        Standing::Moving => {
            seen.updated_at.is_some() && seen.status != StackStatus::DeleteInProgress
        }
        Standing::InReview
        | Standing::NeverComplete
        | Standing::DeleteFailed
        | Standing::Gone
        | Standing::Unclear => false,
    }
}

/// Whether a `?` in an output may stand for a character that AWS mangled: only when the stack was
/// given any. A `?` in an all-ASCII stack is a real one, as in a URL.
pub(super) fn may_be_mangled(desired: &Desired, seen: &Seen) -> bool {
    desired.wanted(&seen.key).is_none_or(|wanted| {
        let body_is_ascii = wanted.service.template.body().is_ascii();
        !body_is_ascii || seen.parameters.values().any(|value| value.contains('?'))
    })
}

/// Parameters that keep the value that the stack has: nobody knows any more what they were at the
/// release that it may have, and what they are today is part of another.
fn kept(case: &Case<'_>, seen: &Seen) -> BTreeSet<String> {
    let Some((release, wanted)) = case.release.zip(case.wanted.as_deref()) else {
        return BTreeSet::new();
    };
    // One that is made anew gets what is given today.
    if !holds_outputs(seen) {
        return BTreeSet::new();
    }
    let names = release.service().template.parameters().keys();
    let guessed = names.filter(|name| release.is_guessed(&wanted.tenant, name));
    guessed.filter(|name| seen.parameters.contains_key(*name)).cloned().collect()
}

/// What the hidden parameters shall be, as keyed hashes: one that is kept is what it was.
fn no_echo(case: &Case<'_>, rendered: &Rendered) -> BTreeMap<String, Digest> {
    let hidden = rendered.template.parameters().iter().filter(|(_, parameter)| parameter.no_echo);
    let hash = |name: &String| match rendered.kept.contains(name) {
        true => case.memory.no_echo.get(name).copied(),
        false => Some((case.scene.keyed_hash)(rendered.parameters.get(name)?)),
    };
    hidden.filter_map(|(name, _)| Some((name.clone(), hash(name)?))).collect()
}

/// The rows of the table for a stack that is to be there.
fn wanted_stack(
    case: &Case<'_>,
    wanted: &Wanted,
    rendered: Result<&Rendered, &Hold>,
    no_echo: &BTreeMap<String, Digest>,
) -> Decision {
    let Some(seen) = case.seen else { return create(case, wanted, rendered) };
    match seen.status.standing() {
        Standing::Complete => match rendered {
            Ok(rendered) => update::decide_update(case, wanted, seen, rendered, no_echo),
            Err(hold) => Decision::Hold(hold.clone()),
        },
        Standing::NeverComplete => start_again(case, seen, rendered),
        Standing::DeleteFailed if case.memory.never_complete.as_ref() == Some(&seen.id) => {
            delete_rest(case, seen, "it never was complete", false)
        }
        Standing::DeleteFailed => Decision::Hold(Hold::DeleteFailed),
        Standing::UpdateFailed => repair::roll_back(case, seen),
        Standing::RollbackFailed => repair::continue_rollback(case, wanted, seen),
        Standing::InReview => Decision::Hold(Hold::InReview),
        Standing::Moving => Decision::Hold(Hold::Moving(seen.status.clone())),
        Standing::Gone | Standing::Unclear => needs_person(case, seen, "describe-stack-events"),
    }
}

fn create(case: &Case<'_>, wanted: &Wanted, rendered: Result<&Rendered, &Hold>) -> Decision {
    if let Some(request) = twin(case, wanted) {
        return Decision::Hold(Hold::Renamed(Box::new(request)));
    }
    if let Some(hold) = adoption::instead_of_making(case, wanted) {
        return Decision::Hold(hold);
    }
    if let Some(hold) = update::unmet_dependency(case, wanted) {
        return Decision::Hold(hold);
    }
    let rendered = match rendered {
        Ok(rendered) => rendered,
        Err(hold) => return Decision::Hold(hold.clone()),
    };
    if let Some(hold) = held_by_failure(case, &rendered.digest) {
        return Decision::Hold(hold);
    }
    Decision::Step(Step {
        key: case.key.clone(),
        kind: StepKind::Create,
        seen: None,
        digest: rendered.digest,
        why: match &case.memory.ever_complete {
            Some(_) => "somebody deleted it".to_owned(),
            None => "git wants it".to_owned(),
        },
        is_deletion: false,
    })
}

/// Deletes what never was complete, so that it can be made again: not before there is a reason to
/// believe that it would go better now.
fn start_again(case: &Case<'_>, seen: &Seen, rendered: Result<&Rendered, &Hold>) -> Decision {
    if case.memory.ever_complete.as_ref() == Some(&seen.id) {
        return needs_person(case, seen, "describe-stack-events");
    }
    let rendered = match rendered {
        Ok(rendered) => rendered,
        Err(hold) => return Decision::Hold(hold.clone()),
    };
    if let Some(hold) =
        held_by_failure(case, &rendered.digest).or_else(|| held_after_refused_delete(case))
    {
        return Decision::Hold(hold);
    }
    // A failed create that was not rolled back may have left resources with data.
    let is_deletion = seen.status == StackStatus::CreateFailed;
    delete(case, seen, Vec::new(), "it never was complete, and is made again", is_deletion)
}

/// What the last failure says about trying for `digest` again.
pub(super) fn held_by_failure(case: &Case<'_>, digest: &Digest) -> Option<Hold> {
    let failure: &Failure = case.memory.failure.as_ref()?;
    if failure.digest.as_ref() != Some(digest) {
        return None;
    }
    match cooldown::retry_at(&case.key, failure) {
        None => Some(Hold::Failed(failure.cause.clone())),
        Some(until) if case.scene.now < until => {
            Some(Hold::Cooldown { until, cause: failure.cause.clone() })
        }
        Some(_) => None,
    }
}

pub(super) fn needs_person(case: &Case<'_>, seen: &Seen, command: &str) -> Decision {
    Decision::Hold(Hold::NeedsPerson {
        status: seen.status.clone(),
        cause: case.memory.failure.as_ref().map(|failure| failure.cause.clone()),
        command: format!(
            "aws cloudformation {command} --stack-name {} --region {}",
            seen.id, case.key.target.region
        ),
    })
}

/// The document that stops steps on a stack that git no longer gives.
fn suspending_document(
    desired: &Desired,
    tenant: &TenantName,
    service: &ServiceName,
) -> Option<String> {
    let owner = desired.tenants.get(tenant);
    let exception = owner.and_then(|owner| owner.services.get(service));
    let by_tenant = owner.is_some_and(|owner| owner.suspend)
        || exception.is_some_and(|exception| exception.suspend);
    if by_tenant {
        return Some(format!("Tenant {tenant}"));
    }
    let by_service = desired.services.get(service).is_some_and(|service| service.suspend);
    by_service.then(|| format!("Service {service}"))
}

/// A freeze window stops steps of every kind and nothing else, until it closes.
fn unless_frozen(case: &Case<'_>, decision: Decision) -> Decision {
    let Decision::Step(step) = &decision else { return decision };
    match case.scene.desired.frozen(&case.key.target.account, case.scene.now) {
        Some((window, until)) => stopped(step, Hold::Frozen { window: window.to_string(), until }),
        None => decision,
    }
}

/// A suspension stops steps and nothing else: what is in sync stays in sync.
fn unless_suspended(case: &Case<'_>, decision: Decision) -> Decision {
    let Decision::Step(step) = &decision else { return decision };
    let by_document = case.wanted.as_ref().and_then(|wanted| wanted.suspended.clone());
    let by_fleet = case.scene.desired.fleet.suspend.then(|| "the Fleet document".to_owned());
    let names = match (case.wanted.as_deref(), &step.seen) {
        (Some(wanted), _) => Some((wanted.tenant.name.clone(), wanted.service.name.clone())),
        (None, Some(seen)) => ownership::tenant_of(seen).zip(ownership::service_of(seen)),
        (None, None) => None,
    };
    let by_document = by_document.or_else(|| {
        let (tenant, service) = names.as_ref().filter(|_| case.wanted.is_none())?;
        suspending_document(case.scene.desired, tenant, service)
    });
    let steering = case.scene.steering;
    let suspension = match &names {
        Some((tenant, service)) => steering.suspended(tenant, service),
        // Somebody took the tags away; what stops the whole fleet stops this too.
        None => steering.suspensions.iter().find(|one| one.scope == Scope::Fleet),
    };
    let by_person = suspension.map(|suspension| {
        format!("{} ({}: {})", suspension.by, suspension.scope, suspension.reason)
    });
    match by_document.or(by_fleet).or(by_person) {
        Some(by) => stopped(step, Hold::Suspended { by }),
        None => decision,
    }
}

/// A step that is not made now. Of a stack that is as git says, no release waits for it.
pub(super) fn stopped(step: &Step, hold: Hold) -> Decision {
    let hold = match step.kind.reverts() {
        true => Hold::Revert(Box::new(RevertHold::Stopped { by: hold.to_string() })),
        false => hold,
    };
    Decision::Hold(hold)
}
