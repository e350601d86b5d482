//! Whether the waves of each service take all of its tenants, and each of them once.

use std::sync::Arc;

use crate::check::error;
use crate::desired::Desired;
use crate::fleet::{Complaint, Gathering, Lifecycle, Service, Severity, Share, Source, WavePlan};
use crate::ids::Digest;
use crate::rollout::Membership;

/// Names of tenants in a sentence: there may be thousands.
const MOST_NAMED: usize = 5;

pub(super) fn check(desired: &Desired, findings: &mut Gathering) {
    // Without all tenants nobody can say whom the waves leave out.
    if desired.gaps.tenants {
        return;
    }
    for service in desired.services.values() {
        let own = service.rollout.as_ref().map(|plan| (plan, &service.source));
        let fleet = desired.fleet.rollout.as_ref().map(|plan| (plan, &desired.fleet.source));
        if let Some((plan, source)) = own.or(fleet) {
            waves(service, plan, source, desired, findings);
        }
    }
}

fn waves(
    service: &Service,
    plan: &Arc<WavePlan>,
    source: &Source,
    desired: &Desired,
    findings: &mut Gathering,
) {
    let gets = desired.tenants.values().filter(|tenant| {
        tenant.lifecycle != Lifecycle::Offboarded && service.selector.matches(&tenant.labels)
    });
    let found = Membership::of(plan, &Digest::of(&[]), gets.map(|tenant| &**tenant));
    if !found.left_over.is_empty() {
        let mut complaint = error(source, &["spec", "rollout", "waves"], "waves-incomplete");
        let help = "add a last wave without `selector` and `percent`: it takes all that are left";
        complaint.help = Some(help.to_owned());
        let names = some(found.left_over.iter().map(|name| name.as_str()));
        let message = format!("no wave of `{}` takes {names}", service.name);
        findings.add(complaint, None, message);
    }
    for (index, wave) in plan.waves.iter().enumerate() {
        let twice: Vec<&str> = found
            .twice
            .iter()
            .filter(|(.., second)| *second == index)
            .map(|(name, ..)| name.as_str())
            .collect();
        let place = index.to_string();
        let pointer = ["spec", "rollout", "waves", place.as_str()];
        if let Some((_, first, _)) = found.twice.iter().find(|(.., second)| *second == index) {
            let complaint =
                warning(source, &pointer, "waves-overlap", "narrow one of the selectors");
            let first = &plan.waves[*first].name;
            let names = some(twice.into_iter());
            let message =
                format!("`{first}` takes tenants of wave `{}` before it: {names}", wave.name);
            findings.add(complaint, None, message);
        } else if found.count(index) == 0 && !matches!(wave.share, Share::Rest) {
            let help = "correct its selector or the labels of tenants; it is passed over";
            let complaint = warning(source, &pointer, "wave-without-tenants", help);
            let message = format!("wave `{}` takes no tenant of `{}`", wave.name, service.name);
            findings.add(complaint, None, message);
        }
    }
}

fn warning<'a>(
    source: &'a Source,
    pointer: &'a [&'a str],
    code: &'static str,
    help: &str,
) -> Complaint<'a> {
    let help = Some(help.to_owned());
    Complaint { severity: Severity::Warning, help, ..error(source, pointer, code) }
}

/// Some names, and how many more there are.
fn some<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut names = names.map(|name| format!("`{name}`"));
    let first: Vec<String> = names.by_ref().take(MOST_NAMED).collect();
    let more = match names.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", first.join(", "))
}
