//! Idle cost against the templates and the price list: what is forbidden and there all the same, and
//! names that nothing fits.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::error;
use crate::cost::{Prices, charged_types, knows};
use crate::desired::{Desired, Wanted};
use crate::fleet::{Finding, Gathering, Glob, Service, Severity, nearest};
use crate::ids::AccountId;
use crate::template::{Given, Inputs, Processed, fill};

/// The names in `spec.idleCost` of the Fleet document.
pub(super) fn check(desired: &Desired, findings: &mut Gathering) {
    let types: BTreeSet<String> =
        desired.services.values().flat_map(|service| kinds(service)).collect();
    let types: BTreeSet<&str> = types.iter().map(String::as_str).collect();
    prices(desired, &types, findings);
    patterns(desired, &types, findings);
}

/// The types in a template, before and after macros.
fn kinds(service: &Service) -> Vec<String> {
    let made = service.template.processed(&BTreeMap::new());
    let all = service.template.resources().values().chain(made.template().resources().values());
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

/// Resources of forbidden types that somebody gets, at their lines in the templates. Those whose
/// condition is false for all who get the service do not count.
pub(super) fn forbidden(desired: &Desired) -> Vec<Finding> {
    let mut found: BTreeMap<(&str, String), Forbidden<'_>> = BTreeMap::new();
    let suspicions = desired.services.iter().map(|(name, service)| {
        let made = service.template.processed(&BTreeMap::new());
        (name, Suspicion { suspects: suspects(&made, desired), made })
    });
    let suspicions: BTreeMap<_, _> =
        suspicions.filter(|(_, suspicion)| suspicion.may_be()).collect();
    for wanted in desired.all_wanted().filter(|wanted| !wanted.asked_to_go) {
        let Some(suspicion) = suspicions.get(&wanted.service.name) else { continue };
        suspicion.look(desired, wanted, &mut found);
    }
    found.into_values().filter_map(|forbidden| finding(&forbidden, desired)).collect()
}

/// A resource of a forbidden type.
struct Forbidden<'d> {
    service: &'d Service,
    suspect: Suspect,
    there: There,
}

/// A resource of a forbidden type in a template.
#[derive(Clone)]
struct Suspect {
    logical_id: String,
    kind: String,
    /// The key in the template as written that it is made of.
    origin: String,
    has_condition: bool,
}

/// What is forbidden in the template of a service.
struct Suspicion<'d> {
    made: Processed<'d>,
    suspects: Vec<Suspect>,
}

impl Suspicion<'_> {
    fn may_be(&self) -> bool {
        !self.suspects.is_empty() || self.made.hangs_on_parameters()
    }

    /// What of it one stack has, or may have.
    fn look<'d>(
        &self,
        desired: &Desired,
        wanted: &'d Wanted,
        found: &mut BTreeMap<(&'d str, String), Forbidden<'d>>,
    ) {
        let account = wanted.key.target.account;
        // Without a condition a resource is there, and there is nothing to evaluate.
        let conditional = self.suspects.iter().any(|suspect| suspect.has_condition);
        let hangs = self.made.hangs_on_parameters();
        let inputs = (conditional || hangs).then(|| inputs(desired, wanted));
        let own = inputs.as_ref().filter(|_| hangs);
        let own = own.map(|inputs| wanted.service.template.processed(&inputs.parameters));
        let own_suspects = own.as_ref().map(|made| suspects(made, desired));
        let made = own.as_ref().unwrap_or(&self.made);
        let filled = inputs.as_ref().map(|inputs| fill(made.template(), inputs));
        for suspect in own_suspects.as_ref().unwrap_or(&self.suspects) {
            let resources = filled.as_ref().map(|filled| &filled.resources);
            let resource = resources.and_then(|all| all.get(suspect.logical_id.as_str()));
            let is_there = resource.map_or(Some(true), |resource| resource.is_there);
            if is_there == Some(false) {
                continue;
            }
            let place = (wanted.service.template_path.as_str(), suspect.logical_id.clone());
            let forbidden = found.entry(place).or_insert_with(|| Forbidden {
                service: &wanted.service,
                suspect: suspect.clone(),
                there: There::default(),
            });
            forbidden.there.accounts.insert(account);
            if is_there.is_none() {
                forbidden.there.perhaps.insert(account);
            }
        }
    }
}

/// The resources of forbidden types.
fn suspects(made: &Processed<'_>, desired: &Desired) -> Vec<Suspect> {
    let resources = made.template().resources().iter();
    resources
        .filter(|(_, resource)| desired.fleet.idle_cost.forbids(&resource.kind).is_some())
        .map(|(logical_id, resource)| Suspect {
            logical_id: logical_id.clone(),
            kind: resource.kind.clone(),
            origin: made.origin(logical_id).to_owned(),
            has_condition: resource.condition.is_some(),
        })
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

fn finding(forbidden: &Forbidden<'_>, desired: &Desired) -> Option<Finding> {
    let Forbidden { service, suspect, there } = forbidden;
    let Suspect { logical_id, kind, origin, .. } = suspect;
    let idle_cost = &desired.fleet.idle_cost;
    let pattern = idle_cost.forbid.get(idle_cost.forbids(kind)?)?;
    let pointer = format!("/Resources/{}", origin.replace('~', "~0").replace('/', "~1"));
    let place = service.package.source.position(&pointer);
    let (accounts, perhaps) = (there.accounts.len(), there.perhaps.len());
    let plural = if accounts == 1 { " gets" } else { "s get" };
    let perhaps = match perhaps {
        0 => String::new(),
        all if all == accounts => " perhaps: what its condition depends on is not known".to_owned(),
        some => format!(", {some} of them perhaps"),
    };
    let made_of = match logical_id == origin {
        true => String::new(),
        false => format!("a macro makes it of `{origin}`: "),
    };
    Some(Finding {
        code: "forbidden-type",
        severity: Severity::Error,
        path: service.template_path.clone(),
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
