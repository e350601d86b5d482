//! What a decision shows of the rollout that a stack takes part in.

use crate::ids::Digest;
use crate::outcome::{CauseClass, Failure, LeftOut, Mark, Memory, Trouble, normalised};
use crate::plan::{Decided, Hold, Obstacle};

/// What only a person can mend counts as a failure that lasts.
const FOR_A_PERSON: u32 = u32::MAX;

/// What a hold says of the rollout.
enum Said {
    /// Nothing: it goes on, or the failure that is remembered tells all.
    Nothing,
    /// The stack shows nothing of the release.
    LeftOut(LeftOut),
    /// It stands still until somebody acts: whoever wrote the release, or somebody at AWS's console.
    Stands(CauseClass),
}

/// Writes down where the stack stands in the rollout of its service. `hold` is why nothing is done,
/// where the limits held the decision too.
pub fn note_mark(memory: &mut Memory, decided: &Decided, hold: Option<&Hold>) {
    let found = mark(memory, decided, hold);
    let says_other = |release: &Digest| match &found {
        Mark::Open => decided.behind == Some(*release),
        Mark::Settled(at) | Mark::Troubled { release: at, .. } => {
            decided.behind == Some(*release) && at != release
        }
        // What is frozen now, or cannot be tried, has not healed.
        Mark::LeftOut(why) => !why.is_wanted(),
    };
    // What failed at a release failed, though the stack is kept at another one meanwhile.
    if let Mark::Troubled { release, .. } = &memory.mark
        && says_other(release)
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
    let mut said = hold.map_or(Said::Nothing, said);
    // Bringing back what drifted says nothing of a release, however it ends.
    let was_revert = memory.failure.as_ref().is_some_and(|failure| failure.step == "revert")
        || memory.attempt.as_ref().is_some_and(|attempt| attempt.kind.reverts());
    if let (Said::Stands(_), true) = (&said, was_revert) {
        said = Said::LeftOut(LeftOut::Held);
    }
    let Some(release) = decided.release else {
        return if let Said::LeftOut(why) = said { Mark::LeftOut(why) } else { Mark::Open };
    };
    if decided.decision.is_in_sync() {
        return Mark::Settled(release);
    }
    let digest = decided.rendered.as_ref().map(|rendered| rendered.digest);
    let failed = memory.failure.as_ref().filter(|one| one.digest.is_some() && one.digest == digest);
    let trouble = match (said, failed) {
        (Said::LeftOut(why), _) => return Mark::LeftOut(why),
        (Said::Nothing, None) => return Mark::Open,
        (Said::Nothing, Some(failure)) => trouble(memory, failure),
        (Said::Stands(_), Some(failure)) => {
            Trouble { count: FOR_A_PERSON, ..trouble(memory, failure) }
        }
        (Said::Stands(class), None) => {
            let cause = hold.map_or(String::new(), |hold| hold.code().to_owned());
            Trouble { cause, class, count: FOR_A_PERSON }
        }
    };
    Mark::Troubled { release, trouble }
}

fn trouble(memory: &Memory, failure: &Failure) -> Trouble {
    let tenant = memory.tenant.as_ref().map(|name| name.as_str());
    let Failure { cause, count, .. } = failure;
    Trouble { cause: normalised(cause, tenant), class: cause.class, count: *count }
}

fn said(hold: &Hold) -> Said {
    match hold {
        Hold::Suspended { .. } => Said::LeftOut(LeftOut::Suspended),
        Hold::Adoption(obstacle) => Said::LeftOut(match **obstacle {
            Obstacle::Changes(_) => LeftOut::Held,
            Obstacle::Several(_)
            | Obstacle::Contested { .. }
            | Obstacle::Unfit { .. }
            | Obstacle::Nothing { .. } => LeftOut::NotOurs,
        }),
        Hold::NotOurs { .. } | Hold::Renamed(_) | Hold::InReview => Said::LeftOut(LeftOut::NotOurs),
        Hold::WaitsForService(_) | Hold::WaitsForHome { .. } | Hold::WaitsForOutput { .. } => {
            Said::LeftOut(LeftOut::Dependency)
        }
        Hold::Frozen { .. }
        | Hold::Protected(_)
        | Hold::Unplanned(_)
        | Hold::AnotherController { .. } => Said::LeftOut(LeftOut::Held),
        Hold::NoSuchOutput { .. }
        | Hold::MangledOutput { .. }
        | Hold::VariableMissing(_)
        | Hold::Failed(_) => Said::Stands(CauseClass::Release),
        Hold::NeedsPerson { .. } | Hold::DeleteFailed => Said::Stands(CauseClass::Transient),
        Hold::Moving(_)
        | Hold::EffectPending { .. }
        | Hold::ChangeSetPending
        | Hold::WaitsForWave { .. }
        | Hold::WaveBusy(_)
        | Hold::WaitsForDependents(_)
        | Hold::KeptForDependents(_)
        | Hold::Cooldown { .. }
        | Hold::Retained
        | Hold::DeletionLimit(_)
        | Hold::FleetBusy(_)
        | Hold::TargetBusy(_)
        | Hold::FleetNotSeenYet
        | Hold::NotAskedFor
        // A wave waits for what is uploaded: it says nothing against the release.
        | Hold::Artifacts(_)
        | Hold::Revert(_)
        | Hold::ShuttingDown => Said::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Decision;

    const AT: &[u8] = b"a release";

    fn failed() -> Memory {
        let trouble = Trouble { cause: "no".into(), class: CauseClass::Release, count: 1 };
        let mark = Mark::Troubled { release: Digest::of(AT), trouble };
        Memory { mark, ..Memory::default() }
    }

    fn decided(hold: &Hold, release: &[u8], behind: Option<&[u8]>) -> Decided {
        Decided {
            decision: Decision::Hold(hold.clone()),
            rendered: None,
            no_echo: Default::default(),
            wanted: true,
            release: Some(Digest::of(release)),
            behind: behind.map(Digest::of),
            inside: None,
        }
    }

    fn marked(hold: &Hold, release: &[u8], behind: Option<&[u8]>) -> Mark {
        let mut memory = failed();
        note_mark(&mut memory, &decided(hold, release, behind), Some(hold));
        memory.mark
    }

    #[test]
    fn what_is_held_or_cannot_be_tried_has_not_healed_and_what_is_suspended_does_not_count() {
        let busy = Hold::AnotherController { id: "other".into() };
        let waits = Hold::WaitsForService("network".parse().expect("a name"));
        for hold in [busy, waits] {
            assert_eq!(marked(&hold, AT, None), failed().mark, "{hold}");
        }
        let suspended = Hold::Suspended { by: "ann".into() };
        assert_eq!(marked(&suspended, AT, None), Mark::LeftOut(LeftOut::Suspended));
    }

    #[test]
    fn what_failed_at_a_release_stays_failed_while_the_stack_is_kept_at_another() {
        let pending = Hold::ChangeSetPending;
        assert_eq!(marked(&pending, b"the one before", Some(AT)), failed().mark);
        assert_eq!(marked(&pending, b"another", Some(b"another")), Mark::Open);
    }
}
