//! What a plan shows besides the stacks: what it costs while idle, what drifted of what it touches, and
//! what real change sets said.

use std::collections::BTreeMap;

use crate::cost::Direction;
use crate::drift::Signature;
use crate::plan::preview::{Preview, Sample, SampleFound};
use crate::report::plan::{EXAMPLES, Row, Section, Sign, clean};
use crate::report::{counted, number};

/// What the change costs while nothing runs, and what the policy says to it.
pub(super) fn cost(preview: &Preview) -> Option<Section> {
    let bill = &preview.bill;
    let free = bill.by_use();
    let Some(summary) = bill.summary() else {
        // What is only priced by use costs nothing while idle, which is worth a word.
        let rows: Vec<Row> = free.iter().map(|line| row(Sign::Plain, line)).collect();
        let title = "costs nothing more while nothing runs".to_owned();
        return (!rows.is_empty()).then_some(Section { sign: Sign::Plain, title, rows });
    };
    let mut rows = Vec::new();
    let sign = |direction| match direction {
        Direction::Adds => Sign::Attention,
        Direction::Removes => Sign::Plus,
        Direction::Leaves => Sign::Plain,
    };
    rows.extend(bill.lines().iter().map(|line| row(sign(line.direction), line)));
    rows.extend(bill.unknown().iter().map(|line| row(Sign::Attention, line)));
    rows.extend(free.iter().map(|line| row(Sign::Plain, line)));
    let sign = if preview.judged.is_some() { Sign::Attention } else { Sign::Plain };
    Some(Section { sign, title: summary, rows })
}

fn row(sign: Sign, line: &impl ToString) -> Row {
    Row { sign, depth: 0, text: clean(&line.to_string()) }
}

/// Drift of resources that the change touches.
pub(super) fn drift(preview: &Preview) -> Option<Section> {
    let first = preview.drifted.first()?;
    let rows = preview.drifted.iter().map(|signature: &Signature| {
        let service = signature.service.as_ref().map(|name| format!("{name}: "));
        let stacks = counted(signature.stacks.len(), "stack");
        let text = format!("{}{}, in {stacks}", service.unwrap_or_default(), signature.line());
        Row { sign: Sign::Attention, depth: 0, text: clean(&text) }
    });
    let title = if preview.drifted.len() == 1 && first.stacks.len() == 1 {
        "touches a resource that drifted"
    } else {
        "touches resources that drifted"
    };
    Some(Section { sign: Sign::Attention, title: title.to_owned(), rows: rows.collect() })
}

/// What real change sets said, equal answers together.
pub(super) fn samples(preview: &Preview) -> Option<Section> {
    if preview.samples.is_empty() {
        return None;
    }
    let mut alike: BTreeMap<_, Vec<&Sample>> = BTreeMap::new();
    for sample in &preview.samples {
        alike.entry((&sample.service, &sample.found)).or_default().push(sample);
    }
    let mut rows = Vec::new();
    for ((service, found), samples) in alike {
        let places = samples.iter().take(EXAMPLES).map(|sample| sample.key.target.to_string());
        let places = places.collect::<Vec<_>>().join(", ");
        let more = match samples.len().saturating_sub(EXAMPLES) {
            0 => String::new(),
            more => format!(" and {} more", number(more)),
        };
        let mut add = |sign, depth, text: &str| rows.push(Row { sign, depth, text: clean(text) });
        let place = format!("{service} in {places}{more}");
        match found {
            SampleFound::Changes(lines) if lines.is_empty() => {
                add(Sign::Change, 0, &format!("{place}: outputs only"));
            }
            SampleFound::Changes(lines) => {
                add(Sign::Plain, 0, &format!("{place}:"));
                for line in lines {
                    let harms = ["remove", "replace", "perhaps"];
                    let sign = if line.starts_with("add ") {
                        Sign::Plus
                    } else if harms.iter().any(|verb| line.starts_with(verb)) {
                        Sign::Minus
                    } else {
                        Sign::Change
                    };
                    add(sign, 1, line);
                }
            }
            SampleFound::Nothing => add(Sign::Plain, 0, &format!("{place}: nothing to do")),
            SampleFound::Failed(why) => {
                add(Sign::Attention, 0, &format!("{place}: CloudFormation refuses it: {why}"));
            }
            SampleFound::NotMade(why) => {
                add(Sign::Attention, 0, &format!("{place}: no change set was made: {why}"));
            }
        }
    }
    let made = preview.samples.iter().filter(|one| !matches!(one.found, SampleFound::NotMade(_)));
    let title =
        format!("{} made to look at, and removed", counted(made.count(), "real change set"));
    Some(Section { sign: Sign::Plain, title, rows })
}
