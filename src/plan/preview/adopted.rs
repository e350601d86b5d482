//! What a live preview says of a stack that is taken over.

use crate::desired::Desired;
use crate::plan::ownership;
use crate::plan::preview::live::{Case, differing};
use crate::plan::preview::{Group, Kind, Line, Part};

/// The tags of ownership, which every stack that is taken over gets.
const OWNERSHIP: [&str; 3] = [ownership::FLEET_TAG, ownership::TENANT_TAG, ownership::SERVICE_TAG];
/// Changes that are named in a note; the lines have all of them.
const NAMED: usize = 5;

/// What is otherwise in a stack that is taken over, without the tags of ownership. Which values tags
/// have is no reason to show a stack apart from others: they stand as git writes them.
pub(super) fn taken_over(desired: &Desired, case: &Case<'_, '_>) -> (Kind, Vec<Line>, Vec<String>) {
    let is_ownership =
        |line: &Line| line.part == Part::Tag && OWNERSHIP.contains(&line.name.as_str());
    let lines = differing(case).into_iter().filter(|line| !is_ownership(line));
    let lines: Vec<Line> = lines.map(|line| as_written(desired, case, line)).collect();
    let beyond: Vec<String> = lines.iter().filter(|line| is_beyond_tags(line)).map(named).collect();
    let tags = lines.iter().filter(|line| !is_beyond_tags(line)).map(|line| line.name.clone());
    let note = if !beyond.is_empty() {
        let what = some(beyond, " and ");
        format!("held: more than tags would change ({what}); needs an approval")
    } else if lines.is_empty() {
        "only tags change: the three of ownership".to_owned()
    } else {
        format!("only tags change: {} and the three of ownership", some(tags.collect(), ", "))
    };
    let notes = std::iter::once(note).chain(protection(case).map(str::to_owned));
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

fn is_beyond_tags(line: &Line) -> bool {
    line.part != Part::Tag
}

fn named(line: &Line) -> String {
    match line.name.as_str() {
        "" => line.part.word().to_owned(),
        name => format!("{} {name}", line.part.word()),
    }
}

/// The first few; `last` stands before the count of the others.
fn some(all: Vec<String>, last: &str) -> String {
    let shown = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown}{last}{more} more"),
    }
}

/// A tag as the document writes it, whatever it stands for in this one stack.
fn as_written(desired: &Desired, case: &Case<'_, '_>, line: Line) -> Line {
    if is_beyond_tags(&line) {
        return line;
    }
    let mut tags = case.wanted.into_iter().flat_map(|wanted| wanted.tags(&desired.fleet));
    let written = tags
        .find(|(name, _)| *name == line.name)
        .map(|(_, text)| text.as_literal().map_or_else(|| text.to_string(), str::to_owned));
    let old = line.old.map(|_| "the value that it has".to_owned());
    Line { old, new: line.new.map(|new| written.unwrap_or(new)), ..line }
}

impl Group {
    /// Whether the stacks would be taken over, but not before a person approves it: more than tags
    /// would change.
    pub fn is_held(&self) -> bool {
        self.kind == Kind::Adopt && self.lines.iter().any(is_beyond_tags)
    }
}
