//! What a change does to resources, beyond the lines that differ: what is replaced first, then what
//! follows from parameters and conditions, then what may be touched besides.

use std::collections::BTreeSet;

use crate::package::content_of;
use crate::plan::preview::{Group, Kind, Line, Part};
use crate::report::counted;
use crate::report::plan::{PATHS, Row, Sign, clean};
use crate::template::{Action, Effect, Replaces, replacement};

/// Resources named in one row.
const NAMED: usize = 5;

/// What is lost or may be, before anything else of a group that is updated.
pub(super) fn warnings(group: &Group, depth: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |sign: Sign, text: String| rows.push(Row { sign, depth, text });
    let modified = || certain(group).filter(|effect| effect.action == Action::Modify);
    for effect in modified() {
        let is_fixed = |path: &&String| replacement(&effect.kind, path) == Replaces::Always;
        let fixed: Vec<String> = effect.paths.iter().filter(is_fixed).cloned().collect();
        let at = if fixed.is_empty() { &effect.paths } else { &fixed };
        let (name, paths) = (name(effect), paths(&effect.kind, at));
        match effect.replaces {
            Replaces::Always => {
                let what = "which cannot be changed in place";
                add(Sign::Minus, format!("REPLACES {name}{paths}, {what}"));
            }
            Replaces::Perhaps => add(Sign::Attention, format!("may replace {name}{paths}")),
            Replaces::Never | Replaces::Unknown => {}
        }
    }
    let unknown = modified().filter(|effect| effect.replaces == Replaces::Unknown);
    if let Some(named) = named(unknown.map(name)) {
        let why = "the list of schemas does not have its type";
        add(Sign::Attention, format!("it is not known here whether this replaces {named}: {why}"));
    }
    rows
}

fn certain(group: &Group) -> impl Iterator<Item = &Effect> {
    let is_updated = group.kind == Kind::Update;
    group.effects.iter().filter(move |effect| is_updated && effect.certain)
}

/// What else happens to the resources of a group that is updated.
pub(super) fn rows(group: &Group, depth: usize) -> Vec<Row> {
    if group.kind != Kind::Update {
        return Vec::new();
    }
    let mut rows = Vec::new();
    let mut add = |sign: Sign, text: String| rows.push(Row { sign, depth, text });
    let shown: BTreeSet<&str> = group
        .lines
        .iter()
        .filter(|line| line.part == Part::Resource)
        .map(|line| line.name.as_str())
        .collect();
    for effect in certain(group).filter(|effect| !shown.contains(effect.logical_id.as_str())) {
        let name = name(effect);
        match effect.action {
            Action::Remove => {
                add(Sign::Minus, format!("resource {name}: its condition does not hold any more"))
            }
            Action::Add => add(Sign::Plus, format!("resource {name}: its condition holds now")),
            Action::Modify if effect.only_tags || effect.replaces == Replaces::Always => {}
            Action::Modify => {
                let own = |path: &&String| !effect.followed.contains(path);
                let own: Vec<String> = effect.paths.iter().filter(own).cloned().collect();
                add(Sign::Change, format!("resource {name}{}", paths(&effect.kind, &own)));
            }
        }
    }
    let possible = || group.effects.iter().filter(|effect| !effect.certain);
    if let Some(named) = named(possible().filter(|effect| !effect.only_tags).map(name)) {
        add(Sign::Plain, format!("may also touch {named}, for what they refer to"));
    }
    let tagged = group.effects.iter().filter(|effect| effect.only_tags).count();
    if tagged > 0 {
        add(Sign::Plain, format!("and the tags of {}", counted(tagged, "resource")));
    }
    rows
}

/// The paths of what differs in a resource of a type. Of code and the like only that it is another is
/// said: its place in the bucket tells nobody anything.
pub(super) fn paths(kind: &str, paths: &[String]) -> String {
    if paths.is_empty() {
        return String::new();
    }
    let mut all: Vec<String> = Vec::new();
    for path in paths {
        let content = content_of(kind, path).map(|property| format!("{property} (content)"));
        let text = content.unwrap_or_else(|| path.clone());
        if !all.contains(&text) {
            all.push(text);
        }
    }
    let named: Vec<String> = all.iter().take(PATHS).map(|path| clean(path)).collect();
    let more = match all.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(": {}{more}", named.join(", "))
}

fn name(effect: &Effect) -> String {
    format!("{} ({})", clean(&effect.logical_id), clean(&effect.kind))
}

fn named(names: impl Iterator<Item = String>) -> Option<String> {
    let all: Vec<String> = names.collect();
    if all.is_empty() {
        return None;
    }
    let more = all.len().saturating_sub(NAMED);
    let text = all.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
    Some(if more == 0 { text } else { format!("{text} and {more} more") })
}

/// What a line about a resource of the template has to say beside it, where its condition has a say:
/// templates are compared as they are written.
pub(super) fn beside(group: &Group, line: &Line) -> &'static str {
    let is_whole = line.part == Part::Resource && (line.old.is_none() || line.new.is_none());
    if group.kind != Kind::Update || !is_whole {
        return "";
    }
    match group.effects.iter().find(|effect| effect.logical_id == line.name) {
        None => ": not here, as its condition does not hold",
        Some(effect) if !effect.certain => ": perhaps, as nobody can tell its condition",
        Some(_) => "",
    }
}
