//! What a pass leaves behind in words: events for the history, and the verdict on a failed call.

use crate::drift::DriftRecord;
use crate::moment::Moment;
use crate::outcome::{Cause, Outcome};
use crate::plan::{Hold, StackRecord, Step, Verdict, Weight, cooldown, ownership, repair};
use crate::report::{Event, Subject};

/// What the history keeps of a step.
pub(super) fn event_of_step(
    record: &StackRecord,
    step: &Step,
    outcome: &Outcome,
    at: Moment,
) -> Event {
    let text = match outcome {
        Outcome::Started | Outcome::Done => step.why.clone(),
        Outcome::LookAgain(why) => format!("{}; not done: {why}", step.why),
        Outcome::Overtaken(why) => format!("{}; overtaken: {why}", step.why),
        Outcome::Failed(cause) => format!("{}; refused: {cause}", step.why),
        Outcome::Unknown(cause) => format!("{}; no answer: {cause}", step.why),
    };
    let about = Subject::Stack(record.key.clone());
    Event { at, about, kind: step.kind.word().to_owned(), text }
}

/// What the history keeps of a decision: that all is well again, or that somebody has to act.
pub(super) fn event_of_verdict(record: &StackRecord, at: Moment) -> Option<Event> {
    let Verdict { weight, code, text, .. } = record.verdict.clone();
    let about = Subject::Stack(record.key.clone());
    matches!(weight, Weight::Settled | Weight::Stuck).then_some(Event {
        at,
        about,
        kind: code,
        text,
    })
}

/// The verdict about a step whose call failed.
pub(super) fn failed(record: &StackRecord, step: &Step, cause: &Cause) -> Verdict {
    if let Some(attempt) = record.memory.attempt.as_ref().filter(|one| one.refused.is_some()) {
        let until = repair::next_try(&record.key, attempt);
        return Hold::Cooldown { until, cause: cause.clone() }.verdict();
    }
    let hold = match record.memory.failure.as_ref().filter(|failure| &failure.cause == cause) {
        Some(failure) => match cooldown::retry_at(&record.key, failure) {
            Some(until) => Hold::Cooldown { until, cause: cause.clone() },
            None => Hold::Failed(cause.clone()),
        },
        None => Hold::EffectPending { step: step.kind.word() },
    };
    hold.verdict()
}

/// What a stack still owes, and what is to become of one that belongs to nobody yet, as the end of a
/// sentence.
pub(super) fn owed(record: &StackRecord, hold: Option<&Hold>) -> String {
    let adopted = to_be_adopted(record, hold);
    let debts = record.memory.debts.iter();
    let debts: Vec<String> = debts.map(|(id, debt)| format!("{id} ({})", debt.kind)).collect();
    if debts.is_empty() {
        return adopted.to_owned();
    }
    let debts = debts.join(", ");
    format!("{adopted}; not as AWS believes since a rollback skipped it: {debts}")
}

fn to_be_adopted(record: &StackRecord, hold: Option<&Hold>) -> &'static str {
    let is_nobody_s = record.seen.as_ref().is_some_and(ownership::is_nobody_s);
    match hold {
        // These say it themselves, or that it is not.
        None
        | Some(Hold::Adoption(_) | Hold::NotOurs { .. } | Hold::InReview | Hold::Renamed(_)) => "",
        Some(_) if is_nobody_s && record.wanted => "; it is to be taken over",
        Some(_) => "",
    }
}

/// How a stack is not as its template made it, as the end of a sentence.
pub(super) fn drifted(record: Option<&DriftRecord>) -> String {
    let findings = record.map_or(&[] as &[_], |record| &record.findings);
    match findings {
        [] => String::new(),
        [one] => format!("; drifted: {} {}", one.place(), one.what),
        [one, more @ ..] => {
            format!("; drifted: {} {} and {} more", one.place(), one.what, more.len())
        }
    }
}

/// Whether two rows of one stack differ in nothing but when they were looked at.
pub(super) fn is_same(old: &StackRecord, new: &StackRecord) -> bool {
    let StackRecord { key, seen, looked_at: _, wanted, verdict, verdict_since, memory } = new;
    old.key == *key
        && old.seen == *seen
        && old.wanted == *wanted
        && old.verdict == *verdict
        && old.verdict_since == *verdict_since
        && old.memory == *memory
}
