//! What a live preview says of a stack that is taken over.

use crate::plan::ownership;
use crate::plan::preview::live::{Case, differing};
use crate::plan::preview::{Kind, Line, Part};

/// What is otherwise in a stack that is taken over, without the tags of ownership, which every one of
/// them gets.
pub(super) fn taken_over(case: &Case<'_, '_>) -> (Kind, Vec<Line>, Vec<String>) {
    let is_ownership = |line: &Line| {
        let tags = [ownership::FLEET_TAG, ownership::TENANT_TAG, ownership::SERVICE_TAG];
        line.part == Part::Tag && tags.contains(&line.name.as_str())
    };
    let lines: Vec<Line> = differing(case).into_iter().filter(|line| !is_ownership(line)).collect();
    let is_tag = |line: &Line| line.part == Part::Tag;
    let note = match (lines.is_empty(), lines.iter().all(is_tag)) {
        (true, _) => "taken over as it is, with the tags of ownership",
        (false, true) => "taken over with other tags",
        (false, false) => "not taken over before it is approved what else that changes",
    };
    let notes = std::iter::once(note).chain(protection(case)).map(str::to_owned);
    (Kind::Adopt, lines, notes.collect())
}

/// What becomes of its termination protection, in a step of its own once it is taken over.
fn protection(case: &Case<'_, '_>) -> Option<&'static str> {
    let (seen, rendered) = (case.seen?, case.decided.rendered.as_ref()?);
    match (seen.termination_protection, rendered.termination_protection) {
        (true, false) => Some(
            "loses its termination protection, which git does not ask for: `terminationProtection: \
             true` keeps it",
        ),
        (false, true) => Some("gets termination protection"),
        (true, true) | (false, false) => None,
    }
}
