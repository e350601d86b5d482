//! Which of the stacks that were found are taken over, and why the others are not. None is lost: what
//! is found is either.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::fleet::{Documents, Glob, Lifecycle, Tenant};
use crate::ids::{AccountId, Target};
use crate::import::lift::Places;
use crate::import::words::{counted, grouped};
use crate::import::{Found, Instance, LeftOut, Origin, Refusal, Wish};

/// So many reasons are named where something is refused, and so many more are counted.
const MAX_NAMED: usize = 20;

/// The instances by account and region, and those that are not taken over.
pub(super) fn sorted<'a>(
    found: &'a Found,
    documents: &Documents,
    tenants: &BTreeMap<AccountId, Arc<Tenant>>,
) -> (Places<'a>, Vec<LeftOut>) {
    let mut by_target: BTreeMap<&Target, Vec<&Instance>> = BTreeMap::new();
    for instance in &found.instances {
        by_target.entry(&instance.target).or_default().push(instance);
    }
    let pattern = Glob::of(&found.pattern);
    let (mut places, mut left_out) = (Places::new(), Vec::new());
    for (target, here) in by_target {
        let twins = (here.len() > 1).then(|| {
            let names = here.iter().map(|one| one.stack.as_deref().unwrap_or("one without a name"));
            (format!("{} fit in one place", here.len()), Some(names.collect::<Vec<_>>().join(", ")))
        });
        for instance in here {
            let unfit = || {
                let name = instance.stack.as_ref().filter(|name| !pattern.fits(name))?;
                let why = format!("the name of its stack does not fit `{}`", found.pattern);
                Some((why, Some(format!("`{name}`"))))
            };
            let alone = |why: String| (why, None);
            let why = instance.trouble.clone().map(alone).or_else(|| twins.clone());
            let why = why.or_else(unfit);
            match why.or_else(|| unwanted(target, documents, tenants).map(alone)) {
                Some((why, detail)) => {
                    let (target, stack) = (target.clone(), instance.stack.clone());
                    left_out.push(LeftOut { target, stack, why, detail });
                }
                None => {
                    let regions = places.entry(target.account).or_default();
                    regions.insert(target.region.clone(), instance);
                }
            }
        }
    }
    (places, left_out)
}

/// Why the fleet would not have a stack there.
fn unwanted(
    target: &Target,
    documents: &Documents,
    tenants: &BTreeMap<AccountId, Arc<Tenant>>,
) -> Option<String> {
    let owner = tenants.get(&target.account);
    if let Some(owner) = owner.filter(|owner| owner.lifecycle == Lifecycle::Offboarded) {
        return Some(format!("its tenant `{}` is offboarded", owner.name));
    }
    let is_retired = documents.fleet.regions.get(&target.region) == Some(&true);
    is_retired.then(|| "its region is retired in the Fleet document".to_owned())
}

/// Refuses all unless what is left out may be, and something is left to take over.
pub(super) fn refuse_left_out(
    found: &Found,
    left_out: &[LeftOut],
    wish: &Wish,
) -> Result<(), Refusal> {
    let member = found.origin.member();
    let all = found.instances.len();
    if all == 0 {
        return Err(nothing(found));
    }
    if left_out.is_empty() || (wish.skips && left_out.len() < all) {
        return Ok(());
    }
    let mut lines = grouped(left_out.iter().map(|one| (one.why.as_str(), one.place())), member);
    if lines.len() > MAX_NAMED {
        let more = lines.split_off(MAX_NAMED).len();
        lines.push(format!("and {}", counted(more, "more reason")));
    }
    let is_all = left_out.len() == all;
    let what = match &found.origin {
        Origin::Stacks(_) if is_all => {
            format!("no stack that fits {} can be taken over", looked_in(found))
        }
        Origin::StackSet(_) | Origin::Stacks(_) => {
            format!("{} of {all} cannot be taken over", counted(left_out.len(), member))
        }
    };
    let what = format!("{what}, so nothing is written\n{}", lines.join("\n"));
    // Names are what differs from place to place.
    let is_of_names = left_out.iter().any(|one| one.detail.is_some());
    Err(Refusal::new(what, advice(is_of_names, is_all)))
}

/// What to do about stacks that cannot be taken over: `--skip-unadoptable` helps only where some can.
fn advice(is_of_names: bool, is_all: bool) -> &'static str {
    match (is_of_names, is_all) {
        (true, true) => "give another pattern with --match: one that fits one stack in each place",
        (true, false) => {
            "give another pattern with --match: one that fits one stack in each place; or leave them out with \
             --skip-unadoptable: they stay as they are"
        }
        (false, true) => "mend them first, or name other stacks: of these none can be left out",
        (false, false) => {
            "mend them first, or leave them out with --skip-unadoptable: they stay as they are"
        }
    }
}

/// Such as `` `scan-*` in the 24 targets of 11 tenants ``.
fn looked_in(found: &Found) -> String {
    let place = match &found.origin {
        Origin::StackSet(set) => format!("the stack set `{}`", set.name),
        Origin::Stacks(search) => format!(
            "the {} of {}",
            counted(search.targets, "target"),
            counted(search.tenants, "tenant")
        ),
    };
    format!("`{}` in {place}", found.pattern)
}

fn nothing(found: &Found) -> Refusal {
    match &found.origin {
        Origin::StackSet(_) => Refusal::new(
            format!("there is nothing to take over: {} has no instance", found.origin.words()),
            "see that the name and the region are right",
        ),
        Origin::Stacks(search) => {
            let unseen = match search.unseen.len() {
                0 => String::new(),
                count => format!(
                    "; {} in regions that their tenants do not list cannot be seen",
                    counted(count, "target")
                ),
            };
            Refusal::new(
                format!("no stack fits {}{unseen}", looked_in(found)),
                "see that the pattern is right: * stands for anything, and capital letters count",
            )
        }
    }
}
