//! The repair ladder: an update that did not end well is taken back, rung by rung, each bounded in
//! tries and time; the last rung is a person.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::desired::Wanted;
use crate::ids::{Digest, StackKey};
use crate::moment::Moment;
use crate::observed::{Seen, StackStatus};
use crate::outcome::{Attempt, Cause, CauseClass, StepKind};
use crate::plan::decide::{Case, Decision, LeftBehind, Step};
use crate::plan::protection::NESTED_STACK;
use crate::plan::{Hold, cooldown};

/// A rollback that failed by AWS's own trouble is continued as it is so many times; other trouble
/// hardly ever passes by itself.
const PLAIN_TRIES: u32 = 3;
/// Tries in all: skipping one resource may show the next that fails.
const MOST_TRIES: u32 = 6;
/// The pause after the first try; doubles with each. Six tries take a quarter of an hour.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// A repair that AWS refuses for want of a right is asked for again once an hour.
const REFUSED_PAUSE: Duration = Duration::from_secs(60 * 60);

/// The row of the table for a wanted stack in UPDATE_ROLLBACK_FAILED: the rollback is continued, at
/// last without the resources that cannot be rolled back, unless one of them is protected. A nested
/// stack among them is one in which nothing was found that could be skipped.
pub(super) fn continue_rollback(case: &Case<'_>, wanted: &Wanted, seen: &Seen) -> Decision {
    let stuck: Vec<&LeftBehind> =
        case.insight.left_behind.iter().filter(|resource| resource.failed).collect();
    let cause = stuck.first().map(|resource| resource.cause()).or_else(|| of_the_stack(seen));
    let last = last_try(case, seen, "continue-rollback");
    let skip: BTreeMap<String, String> =
        stuck.iter().map(|resource| (resource.skipped_as(), resource.kind.clone())).collect();
    if let Some(hold) = held(case, seen, last, cause.clone(), &skip) {
        return Decision::Hold(hold);
    }
    let plain = |why: &str| step(case, seen, StepKind::ContinueRollback { skip: [].into() }, why);
    let Some(last) = last else { return plain("its rollback failed") };
    let StepKind::ContinueRollback { skip: skipped } = &last.kind else {
        return plain("its rollback failed");
    };
    let is_transient = cause.as_ref().is_some_and(|one| one.class == CauseClass::Transient);
    if skipped.is_empty() && (last.refused.is_some() || (is_transient && last.tries < PLAIN_TRIES))
    {
        return plain("its rollback failed by AWS's own trouble");
    }
    let kept = |kind: &String| kind == NESTED_STACK || wanted.service.protected.covers(kind);
    if skip.is_empty() || skip.values().any(kept) {
        return person(case, seen, cause, &command(seen, &skip));
    }
    let names: Vec<&str> = skip.keys().map(String::as_str).collect();
    let why = format!("what cannot be rolled back is left as it is: {}", names.join(", "));
    step(case, seen, StepKind::ContinueRollback { skip }, &why)
}

/// The row of the table for a wanted stack in UPDATE_FAILED: somebody updated it and kept what had
/// failed. It is rolled back, and then updated to what git says.
pub(super) fn roll_back(case: &Case<'_>, seen: &Seen) -> Decision {
    let cause = case.memory.failure.as_ref().map(|failure| failure.cause.clone());
    let last = last_try(case, seen, "roll-back");
    if let Some(hold) = held(case, seen, last, cause, &BTreeMap::new()) {
        return Decision::Hold(hold);
    }
    step(case, seen, StepKind::RollBack, "an update failed and was not rolled back")
}

/// What the stack itself says: some rollbacks fail before any resource does, as for want of a role.
fn of_the_stack(seen: &Seen) -> Option<Cause> {
    let (status, name) = (seen.status.as_str(), seen.key.name.as_str());
    let reason = seen.status_reason.as_deref()?.trim_end_matches('.');
    if reason.is_empty() {
        return None;
    }
    Some(Cause::of_event(status, reason, name, "AWS::CloudFormation::Stack"))
}

/// When a repair that was tried is tried again.
pub fn next_try(key: &StackKey, last: &Attempt) -> Moment {
    let refused = last.refused.as_ref();
    let pause = match refused.map(|cause| cause.class) {
        None | Some(CauseClass::Transient) => {
            FIRST_PAUSE.saturating_mul(1 << last.tries.saturating_sub(1).min(10))
        }
        Some(CauseClass::Account | CauseClass::Release) => REFUSED_PAUSE,
    };
    last.at + cooldown::spread(&format!("{key}~{}", last.tries), pause)
}

/// The last try of this repair on the stack as it is.
fn last_try<'a>(case: &'a Case<'_>, seen: &Seen, word: &str) -> Option<&'a Attempt> {
    let last = case.memory.attempt.as_ref()?;
    (last.kind.word() == word && last.version.as_ref() == Some(&seen.version())).then_some(last)
}

/// Why the next try has to wait, or is not made at all.
fn held(
    case: &Case<'_>,
    seen: &Seen,
    last: Option<&Attempt>,
    cause: Option<Cause>,
    skip: &BTreeMap<String, String>,
) -> Option<Hold> {
    let last = last?;
    let cause = last.refused.clone().or(cause);
    // What AWS calls impossible is not possible an hour later.
    let is_refused = last.refused.as_ref().is_some_and(|one| one.class == CauseClass::Release);
    if last.tries >= MOST_TRIES || is_refused {
        let Decision::Hold(hold) = person(case, seen, cause, &command(seen, skip)) else {
            return None;
        };
        return Some(hold);
    }
    let until = next_try(&case.key, last);
    let cause = cause.unwrap_or_else(|| Cause::of_call("Unknown", "AWS gave no reason"));
    (case.scene.now < until).then_some(Hold::Cooldown { until, cause })
}

fn step(case: &Case<'_>, seen: &Seen, kind: StepKind, why: &str) -> Decision {
    // Two lists of what is skipped are two wishes.
    let skipped = if let StepKind::ContinueRollback { skip } = &kind {
        skip.keys().map(String::as_str).collect::<Vec<_>>().join(" ")
    } else {
        String::new()
    };
    Decision::Step(Step {
        key: case.key.clone(),
        digest: Digest::of_parts([kind.word().as_bytes(), skipped.as_bytes()]),
        kind,
        seen: Some(seen.clone()),
        why: why.to_owned(),
        is_deletion: false,
    })
}

fn person(case: &Case<'_>, seen: &Seen, cause: Option<Cause>, command: &str) -> Decision {
    Decision::Hold(Hold::NeedsPerson {
        status: seen.status.clone(),
        cause,
        command: format!("aws cloudformation {command} --region {}", case.key.target.region),
    })
}

/// What a person would run.
fn command(seen: &Seen, skip: &BTreeMap<String, String>) -> String {
    let verb = if seen.status == StackStatus::UpdateFailed {
        "rollback-stack"
    } else {
        "continue-update-rollback"
    };
    let names: Vec<&str> = skip.keys().map(String::as_str).collect();
    let skipped = if names.is_empty() {
        String::new()
    } else {
        format!(" --resources-to-skip {}", names.join(" "))
    };
    format!("{verb} --stack-name {}{skipped}", seen.id)
}
