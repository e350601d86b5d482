//! One stack at the release that it may have: what is not let through yet is not given to it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ids::{ServiceName, StackName};
use crate::outcome::{CauseClass, Mark, StepKind};
use crate::plan::decide::{Case, Decided, Decision, Scene, Step};
use crate::plan::{Hold, table};
use crate::rollout::{Behind, Gate, Halted, Release};

/// Decides about one wanted stack through its gate.
pub(super) fn decide(
    scene: &Scene<'_>,
    name: &StackName,
    satisfied: &BTreeSet<ServiceName>,
    kept_back: &BTreeSet<ServiceName>,
) -> Decided {
    let Some(gate) = scene.gates.get(name) else {
        return table::decide_stack(&Case::of(scene, name.clone(), satisfied, None));
    };
    let at = |release: &Release| {
        let mut case = Case::of(scene, name.clone(), satisfied, Some(release));
        case.kept_back = Some(kept_back);
        case.deployment = gate.deployment;
        case.goes_back = gate.goes_back;
        let decided = table::decide_stack(&case);
        Decided { release: decided.wanted.then_some(release.id), ..decided }
    };
    let has = gate.has.iter().map(|release| at(release));
    let has = has.into_iter().find(|decided| is_as_given(scene, name, &decided.decision));
    let is_there = scene.look.stacks.contains_key(name);
    let here = scene.desired.stacks.get(&scene.look.target);
    let tenant = here.and_then(|here| here.get(name));
    let may_give = |release: &&Arc<Release>| {
        is_there || !tenant.is_some_and(|wanted| release.lacks_something(&wanted.tenant))
    };
    let decided = match (has, gate.take.as_ref().filter(may_give)) {
        (Some(decided), _) => decided,
        (None, Some(release)) => at(release),
        (None, None) => {
            let mut case = Case::of(scene, name.clone(), satisfied, None);
            // One of the two says why; without a word the head would be given.
            let lacking = gate.take.as_ref().map(|release| Behind {
                release: release.id,
                why: "had an input that nobody knows any more".to_owned(),
            });
            let behind = gate.behind.clone().or(lacking);
            case.closed = behind.map(|behind| waits(behind, false));
            table::decide_stack(&case)
        }
    };
    let decision = held_back(scene, name, gate, &decided).unwrap_or(decided.decision);
    let behind = gate.behind.as_ref().map(|behind| behind.release);
    Decided { decision, behind, ..decided }
}

/// Whether the stack is as the release that it has says, whatever becomes of what drifted.
fn is_as_given(scene: &Scene<'_>, name: &StackName, decision: &Decision) -> bool {
    let own = scene.memories.get(name).and_then(|memory| memory.change_set.as_ref());
    // An ordinary update that drops the set for its own sake decided otherwise than this release says.
    let clears = |step: &Step| {
        let is_drop = matches!(step.kind, StepKind::DeleteChangeSet { .. });
        is_drop && own.is_some_and(|set| set.reverts && set.digest == step.digest)
    };
    match decision {
        Decision::Step(step) => step.kind.reverts() || clears(step),
        Decision::InSync | Decision::Nothing | Decision::Hold(_) => decision.is_in_sync(),
    }
}

/// What becomes of a decision because of the release that waits.
fn held_back(
    scene: &Scene<'_>,
    name: &StackName,
    gate: &Gate,
    decided: &Decided,
) -> Option<Decision> {
    // What is asked to go takes no release.
    let behind = gate.behind.clone().filter(|_| decided.wanted)?;
    match &decided.decision {
        // What has the release already, though others may not take it, is simply in sync.
        Decision::InSync if decided.release == Some(behind.release) => None,
        Decision::InSync => Some(Decision::Hold(waits(behind, true))),
        Decision::Step(step)
            if decided.release == Some(behind.release)
                && gate.halted.is_some_and(|halted| !goes_on(halted, scene, name, step)) =>
        {
            Some(Decision::Hold(waits(behind, false)))
        }
        Decision::Step(_) | Decision::Hold(_) | Decision::Nothing => None,
    }
}

/// Whether a step only mends, or, where AWS or git stopped the release, tries again what AWS broke or
/// what is another since it failed.
fn goes_on(halted: Halted, scene: &Scene<'_>, name: &StackName, step: &Step) -> bool {
    if step.kind.is_repair()
        || step.kind.reverts()
        || matches!(step.kind, StepKind::DeleteChangeSet { .. })
    {
        return true;
    }
    let Some(memory) = scene.memories.get(name).filter(|_| halted == Halted::TriesAgain) else {
        return false;
    };
    match &memory.failure {
        Some(failure) => {
            failure.cause.class != CauseClass::Release || failure.digest != Some(step.digest)
        }
        // It was held, and is not any more.
        None => matches!(memory.mark, Mark::Troubled { .. }),
    }
}

fn waits(behind: Behind, in_sync: bool) -> Hold {
    Hold::WaitsForWave { behind, in_sync }
}
