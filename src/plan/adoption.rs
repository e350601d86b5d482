//! Taking over stacks that exist already: which one is meant, what it is called here, and that it
//! changes nothing but tags. A stack keeps its own name in AWS; all else here uses the wanted one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::desired::{Desired, Wanted};
use crate::fleet::Glob;
use crate::ids::{Digest, ServiceName, StackKey, StackName, Target};
use crate::observed::{NO_ECHO_MASK, PlannedChange, Seen, Standing};
use crate::outcome::Memory;
use crate::plan::decide::Case;
use crate::plan::reviewed::ResourceAction;
use crate::plan::sync::{Difference, differences};
use crate::plan::table::{twin, unless_approved};
use crate::plan::{
    ApprovalKind, ApprovalRequest, Hold, Obstacle, Rendered, StackRecord, ownership,
};
use crate::rollout::reviewed_as;

/// More changes than this are counted, not named, in one line.
const NAMED: usize = 5;

/// The stacks of a target by the names that they have.
type Stacks = BTreeMap<StackName, Seen>;

/// A stack that could be taken over.
struct Fit<'a> {
    seen: &'a Seen,
    /// Other services that could take it as well.
    others: Vec<ServiceName>,
}

/// The stacks of a target by the names that are wanted of them: one that was taken over, or is to
/// be, goes by the wanted name from here on. `records` are the target's rows in the journal.
pub fn presented(
    desired: &Desired,
    target: &Target,
    mut stacks: Stacks,
    records: &BTreeMap<StackName, StackRecord>,
) -> Stacks {
    let none = BTreeMap::new();
    let wanted = desired.stacks.get(target).unwrap_or(&none);
    for (name, record) in records {
        if let Some(own) = taken_over(desired, wanted, &stacks, record) {
            rename(&mut stacks, &own, name);
        }
    }
    for wanted in wanted.values().filter(|wanted| wanted.service.adopt.is_some()) {
        let there = stacks.get(&wanted.key.name);
        if there.is_some_and(|seen| seen.status.standing() != Standing::Gone) {
            continue;
        }
        let own = marked(desired, &stacks, wanted)
            .or_else(|| meant(desired, &stacks, wanted).filter(|_| !wanted.asked_to_go));
        if let Some(own) = own {
            rename(&mut stacks, &own, &wanted.key.name);
        }
    }
    stacks
}

fn rename(stacks: &mut Stacks, own: &StackName, name: &StackName) {
    if let Some(mut seen) = stacks.remove(own) {
        seen.key.name = name.clone();
        stacks.insert(name.clone(), seen);
    }
}

/// The stack that the journal knows to have been taken over as this one, whatever its tags say now.
fn taken_over(
    desired: &Desired,
    wanted: &BTreeMap<StackName, Wanted>,
    stacks: &Stacks,
    record: &StackRecord,
) -> Option<StackName> {
    let id = record.memory.adopted.as_ref()?;
    let own = id.stack_name().filter(|own| *own != record.key.name)?;
    let stands = stacks.get(&own).is_some_and(|seen| seen.id == *id);
    // Whoever asks for it by its own name means that, and what we made ourselves goes first.
    let is_asked_for = wanted.contains_key(&own);
    let is_taken = stacks
        .get(&record.key.name)
        .is_some_and(|other| ownership::is_ours(other, &desired.fleet.name));
    (stands && !is_asked_for && !is_taken).then_some(own)
}

/// The stack that was taken over as this one, by its tags: the journal was lost.
fn marked(desired: &Desired, stacks: &Stacks, wanted: &Wanted) -> Option<StackName> {
    let (pattern, _) = wanted.adoption(&desired.fleet)?;
    let here = desired.stacks.get(&wanted.key.target)?;
    let mut marked = siblings(desired, stacks, wanted).filter(|seen| {
        let own = seen.own_name();
        own == seen.key.name && pattern.fits(own.as_str()) && !here.contains_key(&own)
    });
    let first = marked.next()?;
    marked.next().is_none().then(|| first.key.name.clone())
}

/// The one stack that nobody owns and that fits. Where one of ours stands already, none is meant.
fn meant(desired: &Desired, stacks: &Stacks, wanted: &Wanted) -> Option<StackName> {
    let here = desired.stacks.get(&wanted.key.target)?;
    // One that stands where another is wanted is no twin, but in its way.
    if siblings(desired, stacks, wanted).any(|seen| !here.contains_key(&seen.key.name)) {
        return None;
    }
    match fitting(desired, stacks, wanted).as_slice() {
        [Fit { seen, others }] if others.is_empty() => Some(seen.key.name.clone()),
        _ => None,
    }
}

/// Stacks of ours for the same tenant and service.
fn siblings<'a>(
    desired: &'a Desired,
    stacks: &'a Stacks,
    wanted: &'a Wanted,
) -> impl Iterator<Item = &'a Seen> {
    stacks.values().filter(|seen| {
        ownership::is_ours(seen, &desired.fleet.name)
            && seen.status.standing() != Standing::Gone
            && ownership::tenant_of(seen).as_ref() == Some(&wanted.tenant.name)
            && ownership::service_of(seen).as_ref() == Some(&wanted.service.name)
    })
}

/// The stacks that belong to nobody and fit what a service would take over. One that fits the
/// narrower pattern of another service belongs to that.
fn fitting<'a>(desired: &Desired, stacks: &'a Stacks, wanted: &Wanted) -> Vec<Fit<'a>> {
    let Some((pattern, _)) = wanted.adoption(&desired.fleet) else { return Vec::new() };
    let Some(here) = desired.stacks.get(&wanted.key.target) else { return Vec::new() };
    let others = here.values().filter(|other| other.key != wanted.key);
    let others: Vec<(Glob, &ServiceName)> = others
        .filter_map(|other| Some((other.adoption(&desired.fleet)?.0, &other.service.name)))
        .collect();
    let is_free = |seen: &&Seen| {
        let is_here = seen.key.name == wanted.key.name || !here.contains_key(&seen.key.name);
        is_here && ownership::is_nobody_s(seen) && seen.status.standing() != Standing::Gone
    };
    let fit = |seen: &'a Seen| {
        let own = seen.own_name();
        let rivals = others.iter().filter(|(other, _)| other.fits(own.as_str()));
        let rivals: Vec<&(Glob, &ServiceName)> =
            rivals.filter(|(other, _)| !pattern.is_narrower_than(other)).collect();
        let is_another_s = rivals.iter().any(|(other, _)| other.is_narrower_than(&pattern));
        let others = rivals.into_iter().map(|(_, service)| (*service).clone()).collect();
        (pattern.fits(own.as_str()) && !is_another_s).then_some(Fit { seen, others })
    };
    stacks.values().filter(is_free).filter_map(fit).collect()
}

/// Whether a stack belongs to nobody, stands whole, and is what its service would take over: more is
/// asked about it than about strangers' stacks.
pub fn is_candidate(desired: &Desired, seen: &Seen) -> bool {
    let wanted = desired.wanted(&seen.key).filter(|wanted| !wanted.asked_to_go);
    let pattern = wanted.and_then(|wanted| wanted.adoption(&desired.fleet));
    ownership::is_nobody_s(seen)
        && seen.status.standing() == Standing::Complete
        && pattern.is_some_and(|(pattern, _)| pattern.fits(seen.own_name().as_str()))
}

/// Notes that a stack of ours was not made as what it is wanted as. `before` is the stack at the
/// look before.
pub fn note_adopted(desired: &Desired, memory: &mut Memory, before: Option<&Seen>, seen: &Seen) {
    if !ownership::is_ours(seen, &desired.fleet.name) {
        return;
    }
    let was_nobody_s =
        before.is_some_and(|before| before.id == seen.id && ownership::is_nobody_s(before));
    if was_nobody_s || seen.own_name() != seen.key.name {
        memory.adopted = Some(seen.id.clone());
    }
}

/// Why a stack that stands and belongs to nobody, or to another fleet, is left alone; `None` when it
/// is to be taken over.
pub(super) fn held(case: &Case<'_>, wanted: &Wanted, seen: &Seen) -> Option<Hold> {
    let scene = case.scene;
    let fits = fitting(scene.desired, &scene.look.stacks, wanted);
    let (own, others): (Vec<&Fit<'_>>, Vec<&Fit<'_>>) =
        fits.iter().partition(|fit| fit.seen.id == seen.id);
    let names = || {
        let others = others.iter().map(|fit| fit.seen.own_name());
        Obstacle::Several(std::iter::once(seen.own_name()).chain(others).collect())
    };
    let Some(own) = own.first() else {
        return Some(match seen.status.standing() {
            _ if ownership::is_nobody_s(seen) && !others.is_empty() => adoption(names()),
            Standing::InReview => Hold::InReview,
            Standing::Complete
            | Standing::Moving
            | Standing::NeverComplete
            | Standing::UpdateFailed
            | Standing::RollbackFailed
            | Standing::DeleteFailed
            | Standing::Gone
            | Standing::Unclear => Hold::NotOurs { fleet: ownership::owner_of(seen) },
        });
    };
    let is_named = wanted.exception().is_some_and(|one| one.stack_name.is_some())
        && seen.own_name() == wanted.key.name;
    if !others.is_empty() && !is_named {
        return Some(adoption(names()));
    }
    if !own.others.is_empty() {
        let (name, others) = (seen.own_name(), own.others.clone());
        return Some(adoption(Obstacle::Contested { name, others }));
    }
    if let Some(request) = twin(case, wanted) {
        return Some(Hold::Renamed(Box::new(request)));
    }
    match seen.status.standing() {
        Standing::Complete => None,
        Standing::Moving => Some(Hold::Moving(seen.status.clone())),
        Standing::InReview
        | Standing::NeverComplete
        | Standing::UpdateFailed
        | Standing::RollbackFailed
        | Standing::DeleteFailed
        | Standing::Gone
        | Standing::Unclear => {
            let (name, status) = (seen.own_name(), seen.status.clone());
            Some(adoption(Obstacle::Unfit { name, status }))
        }
    }
}

/// Why a stack is not made, though none stands under its name: one that exists is to be taken over.
pub(super) fn instead_of_making(case: &Case<'_>, wanted: &Wanted) -> Option<Hold> {
    let scene = case.scene;
    let (pattern, settings) = wanted.adoption(&scene.desired.fleet)?;
    let fits = fitting(scene.desired, &scene.look.stacks, wanted);
    Some(adoption(match fits.as_slice() {
        [] if settings.or_create => return None,
        [] => Obstacle::Nothing { pattern: pattern.to_string() },
        [Fit { seen, others }] if !others.is_empty() => {
            Obstacle::Contested { name: seen.own_name(), others: others.clone() }
        }
        // Had nothing of ours stood in its way, it would go by the wanted name.
        several => {
            let ours = siblings(scene.desired, &scene.look.stacks, wanted).map(Seen::own_name);
            let fits = several.iter().map(|fit| fit.seen.own_name());
            Obstacle::Several(fits.chain(ours).collect())
        }
    }))
}

fn adoption(obstacle: Obstacle) -> Hold {
    Hold::Adoption(Box::new(obstacle))
}

/// Hidden parameters that keep the values that the stack has: git gives none, and what was made by
/// another was perhaps given one.
pub(super) fn kept(case: &Case<'_>, seen: &Seen, rendered: &Rendered) -> BTreeSet<String> {
    let is_adopted = ownership::is_nobody_s(seen)
        || case.memory.adopted.as_ref() == Some(&seen.id)
        || seen.own_name() != seen.key.name;
    let hidden = rendered.template.parameters().iter().filter(|(_, one)| one.no_echo);
    let names = hidden.map(|(name, _)| name).filter(|_| is_adopted);
    let is_kept =
        |name: &&String| !rendered.parameters.contains_key(*name) && is_masked(seen, name);
    names.filter(is_kept).cloned().collect()
}

fn is_masked(seen: &Seen, name: &str) -> bool {
    seen.parameters.get(name).is_some_and(|value| value == NO_ECHO_MASK)
}

/// What a person has to vouch for before a stack is taken over: that the hidden values that git gives
/// are those that the stacks have. Nobody can see that, and it is the same question for all stacks of
/// a release.
pub(super) fn unseen_values(
    case: &Case<'_>,
    wanted: &Wanted,
    seen: &Seen,
    rendered: &Rendered,
) -> Option<Hold> {
    if !ownership::is_nobody_s(seen) {
        return None;
    }
    let hidden = rendered.template.parameters().iter().filter(|(_, one)| one.no_echo);
    let given = hidden
        .map(|(name, _)| name.as_str())
        .filter(|name| rendered.parameters.contains_key(*name) && is_masked(seen, name));
    let given: Vec<&str> = given.collect();
    if given.is_empty() {
        return None;
    }
    let (service, release) = (&wanted.service.name, reviewed_as(case.fleet, &wanted.service));
    let member = |name: &&str| format!("{service} at {release}: {name} is what git gives");
    let members = given.iter().map(member).collect();
    let summary = format!(
        "{service} is taken over with values of NoEcho parameters that git gives and nobody can \
         compare: {}",
        given.join(", ")
    );
    held_until(case, ApprovalRequest::of(ApprovalKind::Adoption, members, summary))
}

/// What a person has to approve before a change set that takes a stack over is executed: all that it
/// changes besides tags.
pub(super) fn objection(
    case: &Case<'_>,
    seen: &Seen,
    rendered: &Rendered,
    no_echo: &BTreeMap<String, Digest>,
    changes: &[PlannedChange],
) -> Option<Hold> {
    if !ownership::is_nobody_s(seen) {
        return None;
    }
    let found = differences(seen, rendered, &case.memory, no_echo);
    let inputs = found.iter().filter(|one| is_beyond_tags(one)).map(ToString::to_string);
    let beyond = changes.iter().filter(|change| !change.only_tags);
    let mut beyond: Vec<(ResourceAction, &PlannedChange)> =
        beyond.map(|change| (ResourceAction::of(change), change)).collect();
    // What goes is named before what is only changed or comes.
    beyond.sort_by_key(|(action, change)| (Reverse(*action), change.place()));
    let resource = |(action, change): (ResourceAction, &PlannedChange)| {
        format!("{} {} ({})", action.word(), change.place(), change.kind)
    };
    let inputs: Vec<String> = inputs.collect();
    let resources: Vec<String> = beyond.into_iter().map(resource).collect();
    if inputs.is_empty() && resources.is_empty() {
        return None;
    }
    let parts = [seen.id.as_str().as_bytes(), rendered.digest.as_bytes()];
    let subject = parts.into_iter().chain(inputs.iter().chain(&resources).map(String::as_bytes));
    let member = Digest::of_parts(subject).to_string();
    let inputs = (!inputs.is_empty()).then(|| format!("change {}", named(&inputs)));
    let resources = (!resources.is_empty()).then(|| named(&resources));
    let what: Vec<String> = inputs.into_iter().chain(resources).collect();
    let StackKey { target, .. } = &case.key;
    let summary = format!("taking over {target}/{} would {}", seen.own_name(), what.join(" and "));
    held_until(case, ApprovalRequest::of(ApprovalKind::Adoption, [member].into(), summary))
}

/// Whether an input is another than tags, as far as anybody can see: what a rollback left is known
/// by what the change set does.
fn is_beyond_tags(difference: &Difference) -> bool {
    match difference {
        Difference::Template | Difference::Parameter(_) => true,
        Difference::TemplateUnknown | Difference::Tag(_) => false,
    }
}

fn held_until(case: &Case<'_>, request: ApprovalRequest) -> Option<Hold> {
    unless_approved(case, request).map(|request| adoption(Obstacle::Changes(request)))
}

fn named(all: &[String]) -> String {
    let shown = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
