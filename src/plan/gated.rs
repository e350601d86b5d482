//! One stack at the release that it may have: what is not let through yet is not given to it.

use std::collections::BTreeSet;

use crate::ids::{ServiceName, StackName};
use crate::outcome::{CauseClass, StepKind};
use crate::plan::decide::{Case, Decided, Decision, Scene, Step};
use crate::plan::{Hold, table};
use crate::rollout::{Behind, Gate, Release};

/// Decides about one wanted stack through its gate.
pub(super) fn decide(
    scene: &Scene<'_>,
    name: &StackName,
    satisfied: &BTreeSet<ServiceName>,
) -> Decided {
    let Some(gate) = scene.gates.get(name) else {
        return table::decide_stack(&Case::of(scene, name.clone(), satisfied, None));
    };
    let at = |release: &Release| {
        let case = Case::of(scene, name.clone(), satisfied, Some(release));
        let decided = table::decide_stack(&case);
        Decided { release: decided.wanted.then_some(release.id), ..decided }
    };
    let has = gate.has.iter().map(|release| at(release));
    let has = has.into_iter().find(|decided| decided.decision == Decision::InSync);
    let decided = match (has, &gate.take) {
        (Some(decided), _) => decided,
        (None, Some(release)) => at(release),
        (None, None) => {
            let mut case = Case::of(scene, name.clone(), satisfied, None);
            case.closed = gate.behind.clone().map(|behind| waits(behind, false));
            table::decide_stack(&case)
        }
    };
    let decision = held_back(scene, name, gate, &decided).unwrap_or(decided.decision);
    let behind = gate.behind.as_ref().map(|behind| behind.release);
    Decided { decision, behind, ..decided }
}

/// What becomes of a decision because of the release that waits.
fn held_back(
    scene: &Scene<'_>,
    name: &StackName,
    gate: &Gate,
    decided: &Decided,
) -> Option<Decision> {
    let behind = gate.behind.clone()?;
    match &decided.decision {
        // What has the release already, though others may not take it, is simply in sync.
        Decision::InSync if decided.release == Some(behind.release) => None,
        Decision::InSync => Some(Decision::Hold(waits(behind, true))),
        Decision::Step(step) if gate.heals_only && !heals(scene, name, step) => {
            Some(Decision::Hold(waits(behind, false)))
        }
        Decision::Step(_) | Decision::Hold(_) | Decision::Nothing => None,
    }
}

/// Whether a step only mends, tries again what AWS broke, or tries what git has changed since it
/// failed.
fn heals(scene: &Scene<'_>, name: &StackName, step: &Step) -> bool {
    if step.kind.is_repair() || matches!(step.kind, StepKind::DeleteChangeSet { .. }) {
        return true;
    }
    let failure = scene.memories.get(name).and_then(|memory| memory.failure.as_ref());
    failure.is_some_and(|failure| {
        failure.cause.class != CauseClass::Release || failure.digest != Some(step.digest)
    })
}

fn waits(behind: Behind, in_sync: bool) -> Hold {
    Hold::WaitsForWave { behind, in_sync }
}
