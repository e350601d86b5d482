//! A preview as people and programs read it. The layout is decided once here: sections of rows,
//! which text and markdown only dress.

mod besides;
mod effects;
#[cfg(test)]
mod golden;
mod json;
mod markdown;
mod parts;
mod reviewed;
mod status;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use crate::fleet::{Finding, Severity};
use crate::ids::{Region, ServiceName};
use crate::plan::preview::{
    Arrivals, Basis, Group, KINDS, Kind, Line, Part, Preview, WaveAhead, Waves,
};
use crate::report::{brief, counted, number};
use crate::template::Replaces;

pub use json::{json, refused_json};
pub use markdown::{MARKER, MAX_COMMENT, comments, markdown, refused_comments, refused_markdown};
pub use parts::part_of;
pub use reviewed::{Reviewed, read_reviewed};
pub use status::{refused_status, status};
pub use text::text;

/// Stacks named as examples of a group.
pub(super) const EXAMPLES: usize = 3;
/// Characters of a value; longer ones are cut, and json has all of them.
const VALUE_WIDTH: usize = 200;
/// Ways in which the stacks of a service change that are shown; nobody reads a hundred.
const MOST_GROUPS: usize = 12;
/// Pointers named of one changed resource.
const PATHS: usize = 4;

/// How a row is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Something goes.
    Minus,
    /// Something comes.
    Plus,
    /// Something changes.
    Change,
    /// Somebody should look.
    Attention,
    /// Nothing of these.
    Plain,
}

/// One line of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) sign: Sign,
    /// Steps of indentation.
    pub(super) depth: usize,
    pub(super) text: String,
}

/// What happens in one way to the stacks of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) sign: Sign,
    pub(super) title: String,
    pub(super) rows: Vec<Row>,
}

/// What is compared with what.
fn headline(preview: &Preview) -> String {
    let (fleet, to) = (&preview.fleet, preview.to.short());
    match &preview.basis {
        Basis::Nothing => format!("Plan for {fleet}: {to}, from nothing"),
        Basis::Revision(from) => format!("Plan for {fleet}: {to} compared with {}", from.short()),
        Basis::Live { targets, .. } => {
            format!("Plan for {fleet}: {to} compared with {}", counted(*targets, "target"))
        }
    }
}

/// The counts, deletions first: `5 to delete, 2 to update, 110 unchanged`.
fn counts(preview: &Preview) -> String {
    let counts = preview.counts();
    let mut words: Vec<String> = KINDS
        .iter()
        .filter_map(|kind| {
            let count = *counts.get(kind)?;
            let number = number(count);
            Some(match kind {
                Kind::Delete => format!("{number} to delete"),
                Kind::Retain => format!("{number} no longer given, to be retained"),
                Kind::Rename => format!("{number} renamed"),
                Kind::Stuck => format!("{number} stuck"),
                Kind::Blind => format!("{} that cannot be seen", counted(count, "target")),
                Kind::Update => format!("{number} to update"),
                Kind::Adopt => adopted(preview, count),
                Kind::Create => format!("{number} to create"),
                Kind::Wait => format!("{number} waiting"),
                Kind::LeaveAlone => format!("{number} left alone"),
                Kind::Rules => format!("{number} under other rules"),
            })
        })
        .collect();
    if words.is_empty() && !preview.has_changes() {
        return format!("No changes: {} unchanged", counted(preview.unchanged, "stack"));
    }
    if !preview.settings.is_empty() {
        words.push(counted(preview.settings.len(), "setting") + " of the fleet");
    }
    words.push(format!("{} unchanged", number(preview.unchanged)));
    format!("Stacks: {}; in {}", words.join(", "), counted(preview.tenants(), "tenant"))
}

/// `79 to adopt, 21 held until approved`
fn adopted(preview: &Preview, count: usize) -> String {
    let held = preview.groups.iter().filter(|group| group.is_held());
    let held: usize = held.map(|group| group.members.len()).sum();
    match (count - held, held) {
        (free, 0) => format!("{} to adopt", number(free)),
        (0, held) => format!("{} to adopt and held until approved", number(held)),
        (free, held) => {
            format!("{} to adopt, {} held until approved", number(free), number(held))
        }
    }
}

/// What the limit on deletions says, loudly; the bool is whether they are held.
fn deletions(preview: &Preview) -> Option<(bool, String)> {
    let deletions = preview.deletions.as_ref()?;
    let what = format!(
        "{} of {}",
        counted(deletions.stacks, "stack"),
        counted(deletions.tenants, "tenant")
    );
    Some(match (&deletions.held, &deletions.approval) {
        // What went today counts too, and only the controller that deletes knows all of that.
        (None, _) => (
            false,
            format!("DELETES {what}; they go unasked if they fit into the limit of that day"),
        ),
        (Some(why), _) => (true, format!("DELETES {what}, which is held until approved: {why}")),
    })
}

/// What a person approves, where anybody has to.
fn digest(preview: &Preview) -> Option<String> {
    let wanted = preview.requires_plan && preview.has_changes();
    let digest = preview.reviewed.as_ref().filter(|_| wanted)?.digest();
    let from = match &preview.basis {
        Basis::Revision(from) => format!(" --from {}", from.short()),
        Basis::Nothing | Basis::Live { .. } => String::new(),
    };
    let (digest, to) = (digest.short(), preview.to.short());
    Some(format!(
        "Resources are touched, and stacks made, as approved plans of their releases allow only. What this \
         one allows has the digest {digest}; to approve it: `driftless plan{from} --to {to} --format json > \
         plan.json`, then `driftless approve --plan plan.json`"
    ))
}

/// What nobody may overlook, above everything else: deletions, replacements, and what the policy says to
/// the cost. The bool is whether it stops something.
fn loud(preview: &Preview) -> Vec<(bool, String)> {
    let mut lines: Vec<(bool, String)> = deletions(preview).into_iter().collect();
    let mut replaced: BTreeMap<(Option<&ServiceName>, &str, &str), usize> = BTreeMap::new();
    for group in preview.groups.iter().filter(|group| group.kind == Kind::Update) {
        for effect in &group.effects {
            if effect.certain && effect.replaces == Replaces::Always {
                let place = (group.service.as_ref(), &*effect.logical_id, &*effect.kind);
                *replaced.entry(place).or_default() += group.members.len();
            }
        }
    }
    if !replaced.is_empty() {
        let named = replaced.iter().take(EXAMPLES).map(|((service, id, kind), stacks)| {
            let of = service.map(|service| format!(" of {service}")).unwrap_or_default();
            format!("{} ({}){of} in {}", clean(id), clean(kind), counted(*stacks, "stack"))
        });
        let named = named.collect::<Vec<_>>().join(", ");
        let more = match replaced.len().saturating_sub(EXAMPLES) {
            0 => String::new(),
            more => format!(" and {} more", number(more)),
        };
        lines.push((false, format!("REPLACES {named}{more}")));
    }
    lines.extend(
        preview
            .judged
            .iter()
            .map(|(severity, text)| (*severity == Severity::Error, format!("COST: {text}"))),
    );
    lines
}

/// All sections in the order of the report: what goes, what the fleet's own document changes, what
/// comes, how it goes out, what it costs, then every other change, and what AWS showed.
fn sections(preview: &Preview) -> Vec<Section> {
    let alike = preview.groups.chunk_by(|a, b| (a.kind, &a.service) == (b.kind, &b.service));
    let (deleted, others): (Vec<&[Group]>, Vec<&[Group]>) =
        alike.partition(|groups| groups.iter().any(|group| group.kind == Kind::Delete));
    let mut sections: Vec<Section> = deleted.into_iter().filter_map(section).collect();
    if !preview.settings.is_empty() {
        let rows = preview.settings.iter().map(|line| row(line, 0)).collect();
        let title = "Fleet document".to_owned();
        sections.push(Section { sign: Sign::Attention, title, rows });
    }
    if !preview.arrivals.is_empty() {
        let rows = preview.arrivals.iter().map(arrivals).collect();
        let count = preview.arrivals.iter().map(|row| row.tenants.len()).sum();
        let title = format!("{}, in this order", counted(count, "new tenant"));
        sections.push(Section { sign: Sign::Plus, title, rows });
    }
    if !preview.releases.is_empty() {
        let rows = preview.releases.iter().flat_map(waves).collect();
        let title = "goes out in waves".to_owned();
        sections.push(Section { sign: Sign::Plain, title, rows });
    }
    sections.extend(besides::cost(preview));
    sections.extend(others.into_iter().filter_map(section));
    let seen = preview.seen.chunk_by(|a, b| (a.kind, &a.service) == (b.kind, &b.service));
    sections.extend(seen.filter_map(section));
    sections.extend(besides::drift(preview));
    sections.extend(besides::samples(preview));
    sections
}

/// `newco (account 210000000099, eu-central-1): baseline, then scan-api (2 stacks)`
fn arrivals(row: &Arrivals) -> Row {
    let named = row.tenants.iter().take(EXAMPLES).map(|(name, account)| match row.tenants.len() {
        1 => format!("{name} (account {account})"),
        _ => name.to_string(),
    });
    let named = named.collect::<Vec<_>>().join(", ");
    let more = match row.tenants.len().saturating_sub(EXAMPLES) {
        0 => String::new(),
        more => format!(" and {} more", number(more)),
    };
    let steps: Vec<String> = row
        .order
        .iter()
        .map(|step| step.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(" and "))
        .collect();
    let regions: Vec<&str> = row.regions.iter().map(Region::as_str).collect();
    let each = if row.tenants.len() == 1 { "" } else { " each" };
    let text = format!(
        "{named}{more}: {}; {}{each} in {}",
        steps.join(", then "),
        counted(row.stacks_each, "stack"),
        regions.join(", ")
    );
    Row { sign: Sign::Plus, depth: 0, text }
}

/// `scan-api:`, `canary: 2 stacks in 2 accounts (soak 30 min)`, `then all: ... (waits for approval)`
fn waves(release: &Waves) -> Vec<Row> {
    let wave = |(index, wave): (usize, &WaveAhead)| {
        let mut notes = Vec::new();
        if wave.needs_approval {
            notes.push("waits for approval".to_owned());
        }
        if !wave.soak.is_zero() {
            notes.push(format!("soak {}", brief(wave.soak)));
        }
        let notes =
            if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
        let (then, stacks) = (if index == 0 { "" } else { "then " }, counted(wave.stacks, "stack"));
        let accounts = counted(wave.accounts, "account");
        let text = format!("{then}{}: {stacks} in {accounts}{notes}", wave.name);
        Row { sign: Sign::Plain, depth: 1, text }
    };
    let head = Row { sign: Sign::Plain, depth: 0, text: format!("{}:", release.service) };
    let waves = release.waves.iter().enumerate().map(wave);
    std::iter::once(head).chain(waves).collect()
}

/// The groups of one kind and service: the largest first, then in what the others differ.
fn section(groups: &[Group]) -> Option<Section> {
    let first = groups.first()?;
    let count: usize = groups.iter().map(|group| group.members.len()).sum();
    let noun = if first.kind == Kind::Blind { "target" } else { "stack" };
    let place = if groups.len() == 1 && first.kind != Kind::Blind {
        let (tenants, targets) = (first.tenants(), first.targets());
        format!(" in {}, {}", counted(tenants, "tenant"), counted(targets, "target"))
    } else {
        String::new()
    };
    let service = first.service.as_ref().map(|service| format!(" {service}")).unwrap_or_default();
    let what = the_one_value(groups).unwrap_or_else(|| format!("{}{place}", counted(count, noun)));
    let title = format!("{}{service}: {what}", verb(first.kind));
    let mut rows = Vec::new();
    // What waits for a person stands first and is never cut.
    let held = groups.iter().filter(|group| group.is_held()).count();
    let shown = held + MOST_GROUPS;
    for (index, group) in groups.iter().take(shown).enumerate() {
        if groups.len() > 1 {
            let members = number(group.members.len());
            let text = match (group.is_held(), index) {
                (true, _) => format!("held in {members}:"),
                (false, index) if index == held => format!("alike in {members}:"),
                (false, _) => format!("different in {members}:"),
            };
            rows.push(Row { sign: Sign::Plain, depth: 0, text });
        }
        let depth = usize::from(groups.len() > 1);
        rows.extend(effects::warnings(group, depth));
        rows.extend(group.lines.iter().map(|line| {
            let Row { sign, text, .. } = row(line, depth);
            Row { sign, depth, text: text + effects::beside(group, line) }
        }));
        rows.extend(effects::rows(group, depth));
        let sign = if group.kind == Kind::Delete { Sign::Minus } else { Sign::Attention };
        rows.extend(group.notes.iter().map(|note| Row { sign, depth, text: clean(note) }));
        rows.push(Row { sign: Sign::Plain, depth, text: examples(group) });
    }
    if let Some(others) = groups.get(shown..).filter(|others| !others.is_empty()) {
        let stacks: usize = others.iter().map(|group| group.members.len()).sum();
        let text = format!(
            "and {} other ways in {}: --format json has all of them",
            number(others.len()),
            counted(stacks, "stack")
        );
        rows.push(Row { sign: Sign::Plain, depth: 0, text });
    }
    Some(Section { sign: sign_of(first.kind), title, rows })
}

/// `MemorySize 512 -> 1024 in 1,998 tenants; different in 2 stacks`, where one value is all that most of
/// the stacks change; `Seats changes in 600 tenants` where each changes it in its own way.
fn the_one_value(groups: &[Group]) -> Option<String> {
    let (first, others) = groups.split_first()?;
    let line = only_value(first)?;
    let name = clean(&line.name);
    let rest: usize = others.iter().map(|group| group.members.len()).sum();
    if rest >= first.members.len() {
        let alike =
            others.iter().all(|group| only_value(group).is_some_and(|it| it.name == line.name));
        let tenants: BTreeSet<_> = groups
            .iter()
            .flat_map(|group| &group.members)
            .filter_map(|member| member.tenant.as_ref())
            .collect();
        return alike.then(|| format!("{name} changes in {}", counted(tenants.len(), "tenant")));
    }
    let others = match rest {
        0 => String::new(),
        count => format!("; different in {}", counted(count, "stack")),
    };
    let (old, new) = (line.old.as_ref()?, line.new.as_ref()?);
    let values = if old == new {
        format!("{old} changes")
    } else {
        format!("{} -> {}", quoted(old), quoted(new))
    };
    Some(format!("{name} {values} in {}{others}", counted(first.tenants(), "tenant")))
}

/// The one value that the stacks of a group change, if that is all.
fn only_value(group: &Group) -> Option<&Line> {
    let [line] = group.lines.as_slice() else { return None };
    let is_value = matches!(line.part, Part::Parameter | Part::Tag) && group.kind == Kind::Update;
    (is_value && line.old.is_some() && line.new.is_some()).then_some(line)
}

fn verb(kind: Kind) -> &'static str {
    match kind {
        Kind::Delete => "delete",
        Kind::Retain => "retain",
        Kind::Rename => "rename",
        Kind::Stuck => "stuck",
        Kind::Blind => "cannot be seen",
        Kind::Update => "update",
        Kind::Adopt => "adopt",
        Kind::Create => "create",
        Kind::Wait => "waiting",
        Kind::LeaveAlone => "left alone",
        Kind::Rules => "other rules for",
    }
}

fn sign_of(kind: Kind) -> Sign {
    match kind {
        Kind::Delete => Sign::Minus,
        Kind::Create => Sign::Plus,
        Kind::Update | Kind::Adopt | Kind::Rules => Sign::Change,
        Kind::Retain | Kind::Rename | Kind::Stuck | Kind::Blind => Sign::Attention,
        Kind::Wait | Kind::LeaveAlone => Sign::Plain,
    }
}

fn examples(group: &Group) -> String {
    let named: Vec<String> =
        group.members.iter().take(EXAMPLES).map(|member| clean(&member.to_string())).collect();
    match group.members.len() - named.len() {
        0 => format!("in {}", named.join(", ")),
        more => format!("in {} and {} more", named.join(", "), number(more)),
    }
}

fn row(line: &Line, depth: usize) -> Row {
    let name = match (line.part, line.name.as_str()) {
        (part, "") => part.word().to_owned(),
        (part, name) => format!("{} {}", part.word(), clean(name)),
    };
    let sign = match (&line.old, &line.new) {
        (None, Some(_)) => Sign::Plus,
        (Some(_), None) => Sign::Minus,
        (Some(_) | None, _) => Sign::Change,
    };
    let text = format!("{name}{}", values(line));
    Row { sign, depth, text }
}

fn quoted(text: &str) -> String {
    if text.is_empty() { "\"\"".to_owned() } else { clean(text) }
}

fn values(line: &Line) -> String {
    match (line.part, &line.old, &line.new) {
        (Part::Resource, old, new) => {
            let kind = new.as_ref().or(old.as_ref()).map(|kind| format!(" ({})", clean(kind)));
            let of = new.as_ref().or(old.as_ref()).map_or("", String::as_str);
            format!("{}{}", kind.unwrap_or_default(), effects::paths(of, &line.paths))
        }
        (Part::Output | Part::Section | Part::Declaration, ..) => String::new(),
        (Part::Template, Some(old), Some(new)) if old == new => " differs".to_owned(),
        (Part::StackPolicy, Some(_), None) => ": none in git; AWS keeps the old one".to_owned(),
        (Part::StackPolicy, ..) => String::new(),
        (_, Some(old), Some(new)) if old == new => format!(": {old} changes"),
        (_, Some(old), Some(new)) => format!(": {} -> {}", quoted(old), quoted(new)),
        (_, Some(value), None) | (_, None, Some(value)) => format!(": {}", quoted(value)),
        (_, None, None) => String::new(),
    }
}

/// A path of the fleet as it is seen from where the command ran.
fn in_folder(folder: &str, path: &str) -> String {
    match folder.trim_end_matches('/') {
        "" | "." => path.to_owned(),
        folder => format!("{folder}/{path}"),
    }
}

/// Text of others on one line: without control characters, which could rewrite a terminal, and
/// without what could end a fence.
fn clean(text: &str) -> String {
    let mut line = String::new();
    for (index, character) in text.trim_end().chars().enumerate() {
        if index == VALUE_WIDTH {
            line.push('…');
            break;
        }
        match character {
            '\n' => line.push('⏎'),
            character if character.is_control() => line.push('?'),
            // Directions of writing can be turned around invisibly.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => line.push('?'),
            character => line.push(character),
        }
    }
    line.replace("```", "'''").replace("~~~", "'''")
}

/// `error: fleet/tenants/acme.yaml:3:1: what (fix)` for each finding; `folder` is that of the fleet.
fn complaint(finding: &Finding, folder: &str) -> String {
    let mut place = clean(&in_folder(folder, &finding.path));
    if finding.line > 0 {
        place.push_str(&format!(":{}", finding.line));
    }
    if finding.column > 0 {
        place.push_str(&format!(":{}", finding.column));
    }
    let help = finding.help.as_ref().map(|help| format!(" ({})", clean(help)));
    let (severity, message) = (finding.severity, clean(&finding.message));
    format!("{severity}: {place}: {message}{}", help.unwrap_or_default())
}
