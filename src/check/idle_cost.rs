//! Idle cost against the templates and the price list: what is forbidden and there all the same, and
//! names that nothing fits.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::error;
use crate::cost::{Prices, charged_types, knows};
use crate::desired::{Desired, Wanted};
use crate::fleet::{Finding, Gathering, Glob, Service, Severity, nearest};
use crate::ids::AccountId;
use crate::package::{Package, below};
use crate::template::{Given, Inputs, fill};

/// The names in `spec.idleCost` of the Fleet document.
pub(super) fn check(desired: &Desired, findings: &mut Gathering) {
    let all = desired.services.values().flat_map(|service| service.package.all());
    let types: BTreeSet<String> = all.flat_map(|(_, package)| kinds(package)).collect();
    let types: BTreeSet<&str> = types.iter().map(String::as_str).collect();
    prices(desired, &types, findings);
    patterns(desired, &types, findings);
}

/// The types of a template, as they are written and as macros leave them.
fn kinds(package: &Package) -> Vec<String> {
    let made = package.template.processed(&BTreeMap::new());
    let all = made.template().resources().values().chain(package.template.resources().values());
    all.map(|resource| resource.kind.clone()).collect()
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

/// A resource of a forbidden type in a service's template, or in one that is nested in it.
#[derive(Clone)]
struct Suspect<'d> {
    package: &'d Package,
    /// The nested stacks on the way to it.
    way: Vec<&'d str>,
    logical_id: String,
    kind: String,
    /// What the template has that a macro makes it of; itself where none does.
    origin: String,
    /// Whether it has a condition, or a nested stack on the way to it has one.
    has_condition: bool,
}

/// The template and the logical id of a resource.
type Place<'d> = (&'d str, String);

/// Resources of forbidden types that somebody gets, at their lines in the templates. Those whose
/// condition is false for all who get the service do not count.
pub(super) fn forbidden(desired: &Desired) -> Vec<Finding> {
    let mut found: BTreeMap<Place<'_>, (Suspect<'_>, There)> = BTreeMap::new();
    let suspects: BTreeMap<_, _> = desired
        .services
        .iter()
        .map(|(name, service)| {
            let none = BTreeMap::new();
            let hangs = service.package.template.processed(&none).hangs_on_parameters();
            (name, (suspects(service, &none, desired), hangs))
        })
        .filter(|(_, (suspects, hangs))| !suspects.is_empty() || *hangs)
        .collect();
    if suspects.is_empty() {
        return Vec::new();
    }
    for wanted in desired.all_wanted().filter(|wanted| !wanted.asked_to_go) {
        let Some((suspects, hangs)) = suspects.get(&wanted.service.name) else { continue };
        let account = wanted.key.target.account;
        // Without a condition a resource is there, and there is nothing to evaluate.
        let conditional = suspects.iter().any(|suspect| suspect.has_condition);
        let inputs = (conditional || *hangs).then(|| inputs(desired, wanted));
        // What loops make of a stack's own parameters is there for this stack alone.
        let own = inputs.as_ref().filter(|_| *hangs);
        let own = own.map(|inputs| self::suspects(&wanted.service, &inputs.parameters, desired));
        for suspect in own.as_ref().unwrap_or(suspects) {
            let inputs = inputs.as_ref().filter(|_| suspect.has_condition);
            let package = &wanted.service.package;
            let is_there = inputs.map_or(Some(true), |inputs| {
                is_there(package, inputs, &suspect.way, &suspect.logical_id)
            });
            if is_there == Some(false) {
                continue;
            }
            let path = path_of(suspect.package, &wanted.service);
            let place = (path, suspect.logical_id.clone());
            let (_, there) =
                found.entry(place).or_insert_with(|| (suspect.clone(), There::default()));
            there.accounts.insert(account);
            if is_there.is_none() {
                there.perhaps.insert(account);
            }
        }
    }
    let findings = found
        .into_iter()
        .filter_map(|((path, _), (suspect, there))| finding(path, &suspect, &there, desired));
    findings.collect()
}

/// Where a template lies.
fn path_of<'d>(package: &'d Package, service: &'d Service) -> &'d str {
    if package.path.is_empty() { &service.template_path } else { &package.path }
}

/// The resources of forbidden types in all templates of a service.
fn suspects<'d>(
    service: &'d Service,
    parameters: &BTreeMap<String, Given>,
    desired: &Desired,
) -> Vec<Suspect<'d>> {
    let none = BTreeMap::new();
    let of = |(way, package): (Vec<&'d str>, &'d Package)| {
        let nested_conditionally = has_condition(&service.package, &way);
        let made = package.template.processed(if way.is_empty() { parameters } else { &none });
        let resources = made.template().resources().iter();
        resources
            .filter(|(_, resource)| desired.fleet.idle_cost.forbids(&resource.kind).is_some())
            .map(|(logical_id, resource)| Suspect {
                package,
                way: way.clone(),
                logical_id: logical_id.clone(),
                kind: resource.kind.clone(),
                origin: made.origin(logical_id).to_owned(),
                has_condition: nested_conditionally || resource.condition.is_some(),
            })
            .collect::<Vec<_>>()
    };
    service.package.all().into_iter().flat_map(of).collect()
}

/// Whether a nested stack on the way has a condition.
fn has_condition(package: &Package, way: &[&str]) -> bool {
    let Some((name, rest)) = way.split_first() else { return false };
    let entry = package.template.resources().get(*name);
    let nested = package.nested.get(*name);
    entry.is_some_and(|entry| entry.condition.is_some())
        || nested.is_some_and(|nested| has_condition(nested, rest))
}

/// Whether a resource is there, and all nested stacks on the way to it; `None` where nobody can say.
fn is_there(package: &Package, inputs: &Inputs, way: &[&str], logical_id: &str) -> Option<bool> {
    let made = package.template.processed(&inputs.parameters);
    let filled = fill(made.template(), inputs);
    let Some((name, rest)) = way.split_first() else {
        return filled.resources.get(logical_id).map_or(Some(true), |resource| resource.is_there);
    };
    let (Some(entry), Some(nested)) = (filled.resources.get(*name), package.nested.get(*name))
    else {
        return Some(true);
    };
    let inside = is_there(nested, &below(name, entry, inputs), rest, logical_id);
    match (entry.is_there, inside) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        (None, _) | (_, None) => None,
    }
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

fn finding(path: &str, suspect: &Suspect<'_>, there: &There, desired: &Desired) -> Option<Finding> {
    let Suspect { package, logical_id, kind, origin, .. } = suspect;
    let idle_cost = &desired.fleet.idle_cost;
    let pattern = idle_cost.forbid.get(idle_cost.forbids(kind)?)?;
    let pointer = format!("/Resources/{}", origin.replace('~', "~0").replace('/', "~1"));
    let place = package.source.position(&pointer);
    let made_of = match origin == logical_id {
        true => String::new(),
        false => format!("a macro makes it of `{origin}`: "),
    };
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
        path: path.to_owned(),
        line: place.map_or(0, |place| place.line),
        column: place.map_or(0, |place| place.column),
        message: format!(
            "{made_of}`{logical_id}` is of the type {kind}, which the Fleet document forbids: \
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
