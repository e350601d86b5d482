//! Idle cost against the templates and the price list: what is forbidden and there all the same, and
//! names that nothing fits.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::error;
use crate::cost::{Prices, charged_types, knows};
use crate::desired::{Desired, Wanted};
use crate::fleet::{Finding, Gathering, Glob, Service, Severity, nearest};
use crate::ids::AccountId;
use crate::template::{Given, Inputs, fill};

/// The names in `spec.idleCost` of the Fleet document.
pub(super) fn check(desired: &Desired, findings: &mut Gathering) {
    let types: BTreeSet<&str> = desired
        .services
        .values()
        .flat_map(|service| service.template.resources().values())
        .map(|resource| resource.kind.as_str())
        .collect();
    prices(desired, &types, findings);
    patterns(desired, &types, findings);
}

fn prices(desired: &Desired, types: &BTreeSet<&str>, findings: &mut Gathering) {
    for key in desired.fleet.idle_cost.prices.keys() {
        let pointer = ["spec", "idleCost", "prices", key];
        let mut complaint = error(&desired.fleet.source, &pointer, "unknown-price");
        complaint.at_key = true;
        match Prices::check_key(key) {
            Ok(None) => {}
            Ok(Some(kind)) if types.contains(kind) => {}
            Ok(Some(kind)) => {
                complaint.severity = Severity::Warning;
                complaint.help = Some(match nearest(kind, charged_types()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "correct the type, or remove the price".to_owned(),
                });
                let message = format!(
                    "neither the price list nor a template of this fleet has the type `{kind}`"
                );
                findings.add(complaint, None, message);
            }
            Err(wrong) => {
                complaint.help = Some(wrong.help);
                findings.add(complaint, None, wrong.message);
            }
        }
    }
}

fn patterns(desired: &Desired, types: &BTreeSet<&str>, findings: &mut Gathering) {
    for (index, pattern) in desired.fleet.idle_cost.forbid.iter().enumerate() {
        let glob = Glob::of(pattern);
        let fits = |kind: &&str| glob.fits(kind);
        if knows(pattern) || types.iter().any(fits) || charged_types().any(|kind| fits(&kind)) {
            continue;
        }
        let index = index.to_string();
        let pointer = ["spec", "idleCost", "forbid", &index];
        let mut complaint = error(&desired.fleet.source, &pointer, "unknown-type");
        complaint.severity = Severity::Warning;
        complaint.help = Some(match nearest(pattern, charged_types()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "check how AWS writes it; it holds all the same".to_owned(),
        });
        let message = format!("`{pattern}` fits no resource type that is known here");
        findings.add(complaint, None, message);
    }
}

/// Where a forbidden resource is there, or may be.
#[derive(Default)]
struct There {
    accounts: BTreeSet<AccountId>,
    /// Those in which nobody can say now.
    perhaps: BTreeSet<AccountId>,
}

/// Resources of forbidden types that somebody gets, at their lines in the templates. Those whose
/// condition is false for all who get the service do not count.
pub(super) fn forbidden(desired: &Desired) -> Vec<Finding> {
    let mut found: BTreeMap<(&str, &str), (&Service, There)> = BTreeMap::new();
    let suspects: BTreeMap<_, _> = desired
        .services
        .iter()
        .map(|(name, service)| (name, suspects(service, desired)))
        .filter(|(_, suspects)| !suspects.is_empty())
        .collect();
    if suspects.is_empty() {
        return Vec::new();
    }
    for wanted in desired.all_wanted().filter(|wanted| !wanted.asked_to_go) {
        let Some(suspects) = suspects.get(&wanted.service.name) else { continue };
        let account = wanted.key.target.account;
        // Without a condition a resource is there, and there is nothing to evaluate.
        let conditional = suspects.iter().any(|(_, has_condition)| *has_condition);
        let inputs = conditional.then(|| inputs(desired, wanted));
        let filled = inputs.map(|inputs| fill(&wanted.service.template, &inputs));
        for (logical_id, _) in suspects {
            let resource = filled.as_ref().and_then(|filled| filled.resources.get(logical_id));
            let is_there = resource.map_or(Some(true), |resource| resource.is_there);
            if is_there == Some(false) {
                continue;
            }
            let place = (wanted.service.template_path.as_str(), *logical_id);
            let (_, there) =
                found.entry(place).or_insert_with(|| (&*wanted.service, There::default()));
            there.accounts.insert(account);
            if is_there.is_none() {
                there.perhaps.insert(account);
            }
        }
    }
    let findings = found.into_iter().filter_map(|((_, logical_id), (service, there))| {
        finding(logical_id, service, &there, desired)
    });
    findings.collect()
}

/// The resources of forbidden types, and whether they have a condition.
fn suspects<'d>(service: &'d Service, desired: &Desired) -> Vec<(&'d str, bool)> {
    let resources = service.template.resources().iter();
    resources
        .filter(|(_, resource)| desired.fleet.idle_cost.forbids(&resource.kind).is_some())
        .map(|(logical_id, resource)| (logical_id.as_str(), resource.condition.is_some()))
        .collect()
}

/// What a stack gives to its template; what an output of another stack goes into is not known.
fn inputs(desired: &Desired, wanted: &Wanted) -> Inputs {
    let scope = desired.scope(wanted);
    let parameters = wanted.parameters(&desired.fleet).map(|(name, _, text)| {
        let given = match scope.resolve(text, &|_, _| None) {
            Ok(value) => Given::Text(value),
            Err(_) => Given::Symbol(text.to_string()),
        };
        (name.to_owned(), given)
    });
    Inputs {
        parameters: parameters.collect(),
        account: wanted.key.target.account,
        region: wanted.key.target.region.clone(),
        stack_name: wanted.key.name.clone(),
    }
}

fn finding(
    logical_id: &str,
    service: &Service,
    there: &There,
    desired: &Desired,
) -> Option<Finding> {
    let kind = &service.template.resources().get(logical_id)?.kind;
    let idle_cost = &desired.fleet.idle_cost;
    let pattern = idle_cost.forbid.get(idle_cost.forbids(kind)?)?;
    let pointer = format!("/Resources/{}", logical_id.replace('~', "~0").replace('/', "~1"));
    let place = service.package.source.position(&pointer);
    let (accounts, perhaps) = (there.accounts.len(), there.perhaps.len());
    let plural = if accounts == 1 { " gets" } else { "s get" };
    let perhaps = match perhaps {
        0 => String::new(),
        all if all == accounts => " perhaps: what its condition depends on is not known".to_owned(),
        some => format!(", {some} of them perhaps"),
    };
    Some(Finding {
        code: "forbidden-type",
        severity: Severity::Error,
        path: service.template_path.clone(),
        line: place.map_or(0, |place| place.line),
        column: place.map_or(0, |place| place.column),
        message: format!(
            "`{logical_id}` is of the type {kind}, which the Fleet document forbids: \
             {accounts} account{plural} it{perhaps}"
        ),
        help: Some(format!(
            "remove it, give it a condition that is false, or take `{pattern}` out of \
             `idleCost.forbid`"
        )),
    })
}

#[cfg(test)]
mod tests;
