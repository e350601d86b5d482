//! Which of the stacks that were found are taken over, and why the others are not. None is lost: what
//! is found is either.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::fleet::{Documents, Glob, Lifecycle, Tenant};
use crate::ids::{AccountId, Target};
use crate::import::lift::Places;
use crate::import::words::counted;
use crate::import::{Found, Instance, LeftOut, Refusal, Wish};

/// So many are named where something is refused, and so many more are counted.
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
            format!("{} fit here: {}", here.len(), names.collect::<Vec<_>>().join(", "))
        });
        for instance in here {
            let unfit = || {
                let name = instance.stack.as_ref().filter(|name| !pattern.fits(name))?;
                Some(format!("the name of its stack, `{name}`, does not fit `{}`", found.pattern))
            };
            let why = instance.trouble.clone().or_else(|| twins.clone()).or_else(unfit);
            match why.or_else(|| unwanted(target, documents, tenants)) {
                Some(why) => {
                    let (target, stack) = (target.clone(), instance.stack.clone());
                    left_out.push(LeftOut { target, stack, why });
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
        let what =
            format!("there is nothing to take over: {} has no {member}", found.origin.words());
        return Err(Refusal::new(what, "see that the name and the region are right"));
    }
    if left_out.is_empty() || (wish.skips && left_out.len() < all) {
        return Ok(());
    }
    let one = |one: &LeftOut| format!("{}: {}", one.target, one.why);
    let mut lines: Vec<String> = left_out.iter().take(MAX_NAMED).map(one).collect();
    if left_out.len() > MAX_NAMED {
        lines.push(format!("and {} more", left_out.len() - MAX_NAMED));
    }
    let what = format!(
        "{} of {all} cannot be taken over, so nothing is written\n{}",
        counted(left_out.len(), member),
        lines.join("\n")
    );
    Err(Refusal::new(
        what,
        "mend them first, or leave them out with --skip-unadoptable: they stay as they are",
    ))
}
