//! Idle cost against the templates and the price list: what is forbidden and there all the same, and
//! names that nothing fits.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::error;
use crate::cost::{Prices, charged_types, knows};
use crate::desired::{Desired, Wanted};
use crate::fleet::{Finding, Gathering, Glob, Service, Severity, nearest};
use crate::ids::AccountId;
use crate::package::{Package, below};
use crate::template::{Given, Inputs, Processed, fill};

/// The names in `spec.idleCost` of the Fleet document.
pub(super) fn check(desired: &Desired, findings: &mut Gathering) {
    let packages = desired.services.values().flat_map(|service| service.package.all());
    let types: BTreeSet<String> = packages.flat_map(|(_, package)| kinds(package)).collect();
    let types: BTreeSet<&str> = types.iter().map(String::as_str).collect();
    prices(desired, &types, findings);
    patterns(desired, &types, findings);
}

/// The types in a template, before and after macros.
fn kinds(package: &Package) -> Vec<String> {
    let made = package.template.processed_by_default();
    let all = package.template.resources().values().chain(made.template().resources().values());
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
    logical_id: String,
    kind: String,
    /// The key in the template as written that it is made of.
    origin: String,
}

/// The template and the logical id of a resource.
type Place<'d> = (&'d str, String);

/// What is forbidden in the templates of a service.
struct Suspicion<'d> {
    suspects: Vec<Suspect<'d>>,
    /// Whether parameters decide which of them are there.
    depends: bool,
}

/// Resources of forbidden types that somebody gets, at their lines in the templates. Those whose
/// condition is false for all who get the service do not count.
pub(super) fn forbidden(desired: &Desired) -> Vec<Finding> {
    if desired.fleet.idle_cost.forbid.is_empty() {
        return Vec::new();
    }
    let mut found: BTreeMap<Place<'_>, (Suspect<'_>, There)> = BTreeMap::new();
    let suspicions = desired.services.iter();
    let suspicions: BTreeMap<_, _> = suspicions
        .map(|(name, service)| (name, suspicion(service, desired)))
        .filter(|(_, suspicion)| suspicion.depends || !suspicion.suspects.is_empty())
        .collect();
    for wanted in desired.all_wanted().filter(|wanted| !wanted.asked_to_go) {
        let Some(suspicion) = suspicions.get(&wanted.service.name) else { continue };
        let account = wanted.key.target.account;
        // Without a condition a resource is there, and there is nothing to evaluate.
        let all = match suspicion.depends {
            true => looked_at(&wanted.service.package, &inputs(desired, wanted), desired),
            false => suspicion.suspects.iter().map(|one| (one.clone(), true)).collect(),
        };
        for (suspect, is_certain) in all {
            let path = path_of(suspect.package, &wanted.service);
            let place = (path, suspect.logical_id.clone());
            let (_, there) = found.entry(place).or_insert_with(|| (suspect, There::default()));
            there.accounts.insert(account);
            if !is_certain {
                there.perhaps.insert(account);
            }
        }
    }
    let findings = found.into_iter();
    findings
        .filter_map(|((path, _), (suspect, there))| finding(path, &suspect, &there, desired))
        .collect()
}

/// Where a template lies.
fn path_of<'d>(package: &'d Package, service: &'d Service) -> &'d str {
    if package.path.is_empty() { &service.template_path } else { &package.path }
}

/// The resources of forbidden types in all templates of a service.
fn suspicion<'d>(service: &'d Service, desired: &Desired) -> Suspicion<'d> {
    let mut found = Suspicion { suspects: Vec::new(), depends: false };
    for (way, package) in service.package.all() {
        let made = package.template.processed_by_default();
        let here = suspects(package, &made, desired);
        let is_conditional = |one: &Suspect<'_>| {
            let resource = made.template().resources().get(&one.logical_id);
            resource.is_some_and(|resource| resource.condition.is_some())
        };
        found.depends |= made.hangs_on_parameters()
            || here.iter().any(is_conditional)
            || (!here.is_empty() && has_condition(&service.package, &way));
        found.suspects.extend(here);
    }
    found
}

/// Those in one template.
fn suspects<'d>(package: &'d Package, made: &Processed<'_>, desired: &Desired) -> Vec<Suspect<'d>> {
    let resources = made.template().resources().iter();
    resources
        .filter(|(_, resource)| desired.fleet.idle_cost.forbids(&resource.kind).is_some())
        .map(|(logical_id, resource)| Suspect {
            package,
            logical_id: logical_id.clone(),
            kind: resource.kind.clone(),
            origin: made.origin(logical_id).to_owned(),
        })
        .collect()
}

/// Whether a nested stack on the way has a condition.
fn has_condition(package: &Package, way: &[&str]) -> bool {
    let Some((name, rest)) = way.split_first() else { return false };
    let made = package.template.processed_by_default();
    let entry = made.template().resources().get(*name);
    let nested = package.nested.get(*name);
    entry.is_some_and(|entry| entry.condition.is_some())
        || nested.is_some_and(|nested| has_condition(nested, rest))
}

/// Those that a stack has with what it gives to its template, in nested stacks too, each with whether
/// it surely is there.
fn looked_at<'d>(
    package: &'d Package,
    inputs: &Inputs,
    desired: &Desired,
) -> Vec<(Suspect<'d>, bool)> {
    let made = package.template.processed(&inputs.parameters);
    let filled = fill(made.template(), inputs);
    let is_there =
        |name: &str| filled.resources.get(name).map_or(Some(true), |resource| resource.is_there);
    let here = suspects(package, &made, desired).into_iter();
    let mut found: Vec<(Suspect<'d>, bool)> = here
        .filter_map(|one| match is_there(&one.logical_id) {
            Some(false) => None,
            known => Some((one, known.is_some())),
        })
        .collect();
    for (name, nested) in &package.nested {
        let entry = filled.resources.get(name.as_str());
        if entry.is_some_and(|entry| entry.is_there == Some(false)) {
            continue;
        }
        let is_certain = entry.is_some_and(|entry| entry.is_there.is_some());
        let given = match entry {
            Some(entry) => below(name, entry, inputs),
            // A loop makes it, or does not.
            None => Inputs { parameters: BTreeMap::new(), ..inputs.clone() },
        };
        let inside = looked_at(nested, &given, desired).into_iter();
        found.extend(inside.map(|(one, certain)| (one, certain && is_certain)));
    }
    found
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
    let Suspect { package, logical_id, kind, origin } = suspect;
    let idle_cost = &desired.fleet.idle_cost;
    let pattern = idle_cost.forbid.get(idle_cost.forbids(kind)?)?;
    let pointer = format!("/Resources/{}", origin.replace('~', "~0").replace('/', "~1"));
    let place = package.source.position(&pointer);
    let made_of = match logical_id == origin {
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
