//! A change beside what AWS shows of the stacks that it touches: which of them will not take it, and
//! what drifted of what it touches.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::drift::{DriftRecord, signatures};
use crate::ids::StackKey;
use crate::plan::preview::{Group, Kind, LiveScene, Member, Preview, preview_live};

/// The stacks that a change touches.
pub fn touched(preview: &Preview) -> BTreeSet<StackKey> {
    let groups = preview.groups.iter().filter(|group| touches(group.kind));
    groups.flat_map(|group| &group.members).filter_map(key).collect()
}

fn touches(kind: Kind) -> bool {
    match kind {
        Kind::Delete | Kind::Rename | Kind::Update | Kind::Adopt | Kind::Create => true,
        Kind::Retain | Kind::Stuck | Kind::Blind | Kind::Wait | Kind::LeaveAlone | Kind::Rules => {
            false
        }
    }
}

fn key(member: &Member) -> Option<StackKey> {
    Some(StackKey { target: member.target.clone(), name: member.name.clone()? })
}

/// The change with what AWS shows of what it touches: places that nobody looked at are not there.
pub fn beside(mut preview: Preview, scene: &LiveScene<'_>) -> Preview {
    let touched = touched(&preview);
    let live = preview_live(scene);
    let blind = scene.places.values().filter(|place| place.is_err()).count();
    let places = scene.places.len();
    let targets = if places == 1 { "target" } else { "targets" };
    let blind =
        if blind == 0 { String::new() } else { format!(", {blind} of which cannot be seen") };
    preview.notices.push(format!(
        "looked at {places} {targets}{blind}; drift is known as far as it was looked for before (`driftless \
         drift detect` looks now)"
    ));
    let updated: BTreeSet<StackKey> = preview
        .groups
        .iter()
        .filter(|group| group.kind == Kind::Update)
        .flat_map(|group| &group.members)
        .filter_map(key)
        .collect();
    let is_touched = |member: &Member| match key(member) {
        Some(key) => touched.contains(&key),
        None => touched.iter().any(|key| key.target == member.target),
    };
    for group in live.groups {
        // One that is to be updated, and is not there.
        let is_missing = group.kind == Kind::Create;
        let tells = match group.kind {
            Kind::Create | Kind::Adopt => true,
            Kind::Stuck | Kind::Blind | Kind::Wait | Kind::LeaveAlone => true,
            Kind::Rename | Kind::Delete | Kind::Retain | Kind::Update | Kind::Rules => false,
        };
        let expected =
            |member: &Member| !is_missing || key(member).is_some_and(|it| updated.contains(&it));
        let members: Vec<Member> =
            group.members.into_iter().filter(is_touched).filter(expected).collect();
        if tells && !members.is_empty() {
            let notes = if is_missing {
                vec!["it is not there: it will be made, and not updated".to_owned()]
            } else {
                group.notes
            };
            let lines = if is_missing { Vec::new() } else { group.lines };
            preview.seen.push(Group { members, notes, lines, ..group });
        }
    }
    let order = |group: &Group| (group.kind, group.service.clone(), Reverse(group.members.len()));
    preview.seen.sort_by_key(order);
    note_drift(&mut preview, scene);
    preview
}

/// Drift of resources that the change touches: it writes them anew, or fails because of it.
fn note_drift(preview: &mut Preview, scene: &LiveScene<'_>) {
    let mut changed: BTreeMap<StackKey, BTreeSet<&str>> = BTreeMap::new();
    for group in preview.groups.iter().filter(|group| group.kind == Kind::Update) {
        let ids: BTreeSet<&str> =
            group.effects.iter().map(|effect| effect.logical_id.as_str()).collect();
        changed.extend(group.members.iter().filter_map(key).map(|key| (key, ids.clone())));
    }
    let known = scene.places.values().flatten().flat_map(|sighted| sighted.drifts.values());
    let known: Vec<&DriftRecord> =
        known.filter(|record| changed.contains_key(&record.key)).collect();
    let unknown = known.iter().filter(|record| record.trouble.is_some()).count();
    let records: Vec<DriftRecord> = known
        .into_iter()
        .map(|record| {
            let ids = &changed[&record.key];
            let mut record = record.clone();
            record.foreign_at = None;
            record.findings.retain(|finding| {
                let top = finding.within.split('/').next().filter(|top| !top.is_empty());
                ids.contains(top.unwrap_or(&finding.logical_id))
            });
            record
        })
        .collect();
    preview.drifted = signatures(records.iter());
    if unknown > 0 {
        let notice = format!("of {unknown} stacks nobody could tell whether they drifted");
        preview.notices.push(notice);
    }
}
