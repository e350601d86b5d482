//! What a decision shows of the rollout that a stack takes part in.

use crate::outcome::{CauseClass, Failure, LeftOut, Mark, Memory, Trouble, normalised};
use crate::plan::{Decided, Hold};

/// What only a person can mend counts as a failure that lasts.
const FOR_A_PERSON: u32 = u32::MAX;

/// Writes down where the stack stands in the rollout of its service. `hold` is why nothing is done,
/// where the limits held the decision too.
pub fn note_mark(memory: &mut Memory, decided: &Decided, hold: Option<&Hold>) {
    let found = mark(memory, decided, hold);
    let about_other = match &found {
        Mark::Open => true,
        Mark::Settled(release) | Mark::Troubled { release, .. } => decided.behind != Some(*release),
        Mark::LeftOut(_) => false,
    };
    // What failed at a release failed, though the stack is kept at another one meanwhile.
    if let Mark::Troubled { release, .. } = &memory.mark
        && about_other
        && decided.behind == Some(*release)
    {
        return;
    }
    // Events tell of an operation that was begun; a call that was refused gave nothing of the release.
    let begun = memory.failure.as_ref().is_some_and(|failure| {
        ["create", "update"].contains(&failure.step.as_str()) && failure.cause.resource.is_some()
    });
    if let Mark::Troubled { release, .. } = &found
        && begun
    {
        memory.taking = Some(*release);
    }
    memory.mark = found;
}

fn mark(memory: &Memory, decided: &Decided, hold: Option<&Hold>) -> Mark {
    let Some(release) = decided.release else { return left_out(hold).unwrap_or_default() };
    if decided.decision.is_in_sync() {
        return Mark::Settled(release);
    }
    if let Some(mark) = left_out(hold) {
        return mark;
    }
    let digest = decided.rendered.as_ref().map(|rendered| rendered.digest);
    let failed = memory.failure.as_ref().filter(|one| one.digest.is_some() && one.digest == digest);
    let for_a_person = hold.and_then(|hold| Some((hold, for_a_person(hold)?)));
    let trouble = match (failed, for_a_person) {
        (Some(failure), None) => trouble(memory, failure),
        (Some(failure), Some(_)) => Trouble { count: FOR_A_PERSON, ..trouble(memory, failure) },
        (None, Some((hold, class))) => {
            Trouble { cause: hold.code().to_owned(), class, count: FOR_A_PERSON }
        }
        (None, None) => return Mark::Open,
    };
    Mark::Troubled { release, trouble }
}

fn trouble(memory: &Memory, failure: &Failure) -> Trouble {
    let tenant = memory.tenant.as_ref().map(|name| name.as_str());
    let Failure { cause, count, .. } = failure;
    Trouble { cause: normalised(cause, tenant), class: cause.class, count: *count }
}

/// Whether a stack is held for a reason that has nothing to do with a release.
fn left_out(hold: Option<&Hold>) -> Option<Mark> {
    let why = match hold? {
        Hold::Suspended { .. } => LeftOut::Suspended,
        Hold::NotOurs | Hold::Renamed(_) | Hold::InReview => LeftOut::NotOurs,
        Hold::WaitsForService(_) | Hold::WaitsForHome { .. } | Hold::WaitsForOutput { .. } => {
            LeftOut::Dependency
        }
        Hold::Frozen { .. } | Hold::Protected(_) | Hold::AnotherController { .. } => LeftOut::Held,
        Hold::Moving(_)
        | Hold::EffectPending { .. }
        | Hold::ChangeSetPending
        | Hold::WaitsForWave { .. }
        | Hold::WaveBusy(_)
        | Hold::NoSuchOutput { .. }
        | Hold::MangledOutput { .. }
        | Hold::VariableMissing(_)
        | Hold::WaitsForDependents(_)
        | Hold::KeptForDependents(_)
        | Hold::Cooldown { .. }
        | Hold::Failed(_)
        | Hold::NeedsPerson { .. }
        | Hold::DeleteFailed
        | Hold::Retained
        | Hold::DeletionLimit(_)
        | Hold::FleetBusy(_)
        | Hold::TargetBusy(_)
        | Hold::FleetNotSeenYet
        | Hold::NotAskedFor
        | Hold::ShuttingDown => return None,
    };
    Some(Mark::LeftOut(why))
}

/// Who has to act on a stack that stands still: whoever wrote the release, or somebody at AWS's
/// console.
fn for_a_person(hold: &Hold) -> Option<CauseClass> {
    match hold {
        Hold::NoSuchOutput { .. }
        | Hold::MangledOutput { .. }
        | Hold::VariableMissing(_)
        | Hold::Failed(_) => Some(CauseClass::Release),
        Hold::NeedsPerson { .. } | Hold::DeleteFailed => Some(CauseClass::Transient),
        Hold::Suspended { .. }
        | Hold::NotOurs
        | Hold::Renamed(_)
        | Hold::InReview
        | Hold::Frozen { .. }
        | Hold::Moving(_)
        | Hold::AnotherController { .. }
        | Hold::EffectPending { .. }
        | Hold::ChangeSetPending
        | Hold::WaitsForService(_)
        | Hold::WaitsForHome { .. }
        | Hold::WaitsForWave { .. }
        | Hold::WaveBusy(_)
        | Hold::WaitsForOutput { .. }
        | Hold::WaitsForDependents(_)
        | Hold::KeptForDependents(_)
        | Hold::Protected(_)
        | Hold::Cooldown { .. }
        | Hold::Retained
        | Hold::DeletionLimit(_)
        | Hold::FleetBusy(_)
        | Hold::TargetBusy(_)
        | Hold::FleetNotSeenYet
        | Hold::NotAskedFor
        | Hold::ShuttingDown => None,
    }
}
