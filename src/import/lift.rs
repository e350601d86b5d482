//! Which value of a parameter goes to the service, and what is left over for exceptions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::desired::Scope;
use crate::fleet::{Documents, Tenant, Text};
use crate::ids::{AccountId, Region, ServiceName, Target};
use crate::import::{Found, Instance, Origin};
use crate::template::Template;

/// The instances that are taken over, by account and region.
pub(super) type Places<'a> = BTreeMap<AccountId, BTreeMap<Region, &'a Instance>>;

/// What is known besides the instances.
pub(super) struct Around<'a> {
    pub(super) found: &'a Found,
    pub(super) template: &'a Template,
    pub(super) documents: &'a Documents,
    pub(super) service: &'a ServiceName,
    /// Values of hidden parameters, as a document says them.
    pub(super) secrets: &'a BTreeMap<String, String>,
    /// The tenants that there are already.
    pub(super) tenants: BTreeMap<AccountId, Arc<Tenant>>,
}

/// A value of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shared {
    /// As a document says it, with variables.
    pub(super) text: String,
    /// Of how many instances it is the value.
    pub(super) holds_for: usize,
    /// Whether variables stand for what differs.
    pub(super) is_inferred: bool,
}

/// What an account has otherwise, as a document says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) everywhere: BTreeMap<String, String>,
    pub(super) per_region: BTreeMap<Region, BTreeMap<String, String>>,
}

/// All values in their places.
#[derive(Debug, Default)]
pub(super) struct Lifted {
    pub(super) shared: BTreeMap<String, Shared>,
    pub(super) own: BTreeMap<AccountId, Own>,
}

impl Around<'_> {
    /// The value that an instance has, its template's default too.
    pub(super) fn effective<'v>(&'v self, instance: &'v Instance, name: &str) -> Option<&'v str> {
        let given = instance.values.get(name).or_else(|| self.found.parameters.get(name));
        let default = || self.template.parameters().get(name)?.default.as_ref();
        given.or_else(default).map(String::as_str)
    }

    /// Whether somebody gave it: what only the template says stays there.
    fn is_given(&self, instance: &Instance, name: &str) -> bool {
        match &self.found.origin {
            Origin::StackSet(_) => {
                instance.values.contains_key(name) || self.found.parameters.contains_key(name)
            }
            // A stack shows its template's defaults as if somebody had given them.
            Origin::Stacks(_) => {
                let declared = self.template.parameters().get(name);
                let default = declared.and_then(|one| one.default.as_ref());
                instance.values.get(name).is_some_and(|value| Some(value) != default)
            }
        }
    }

    /// What a text stands for in one place; `None` when that is not known yet.
    fn resolve(&self, text: &Text, target: &Target) -> Option<String> {
        let tenant = self.tenants.get(&target.account).map(|tenant| &**tenant);
        let fleet = &self.documents.fleet;
        let scope = Scope { fleet, target, tenant, service: Some(self.service) };
        scope.resolve(text, &|_, _| None).ok()
    }

    /// The value that a stack would get without an exception.
    fn expected(&self, shared: Option<&Shared>, name: &str, target: &Target) -> Option<String> {
        let of_tenant =
            self.tenants.get(&target.account).and_then(|tenant| tenant.parameters.get(name));
        let of_service = shared.and_then(|shared| shared.text.parse::<Text>().ok());
        let of_fleet = self.documents.fleet.parameters.get(name);
        match of_tenant.or(of_service.as_ref()).or(of_fleet) {
            Some(text) => self.resolve(text, target),
            None => self.template.parameters().get(name)?.default.clone(),
        }
    }
}

/// Gives every parameter its place.
pub(super) fn lift(around: &Around<'_>, places: &Places<'_>) -> Lifted {
    let mut lifted = Lifted::default();
    for (name, declared) in around.template.parameters() {
        if declared.no_echo {
            if let Some(text) = around.secrets.get(name) {
                let shared = Shared { text: text.clone(), holds_for: 0, is_inferred: false };
                lifted.shared.insert(name.clone(), shared);
            }
            continue;
        }
        let shared = shared(around, places, name);
        for (account, regions) in places {
            exceptions(around, shared.as_ref(), name, *account, regions, &mut lifted.own);
        }
        lifted.shared.extend(shared.map(|shared| (name.clone(), shared)));
    }
    lifted
}

/// The value that most instances have; with variables where that fits more of them.
fn shared(around: &Around<'_>, places: &Places<'_>, name: &str) -> Option<Shared> {
    let all = || places.values().flat_map(BTreeMap::values);
    let mut literal: BTreeMap<String, usize> = BTreeMap::new();
    let mut inferred: BTreeMap<String, (usize, BTreeSet<&str>)> = BTreeMap::new();
    for instance in all() {
        let Some(value) = around.effective(instance, name) else { continue };
        *literal.entry(Text::literal(value).to_string()).or_default() += 1;
        if let Some(text) = generalised(around, value, &instance.target) {
            let known = inferred.entry(text).or_default();
            known.0 += 1;
            known.1.insert(value);
        }
    }
    let most = |count: usize, text: String, is_inferred: bool| Shared {
        text,
        holds_for: count,
        is_inferred,
    };
    let (text, count) = commonest(literal)?;
    // One value alone says nothing about where it comes from.
    let several = inferred.into_iter().filter(|(_, (_, values))| values.len() > 1);
    let several = several.map(|(text, (count, _))| (text, count)).collect();
    match commonest(several) {
        Some((general, fits)) if fits > count => return Some(most(fits, general, true)),
        Some(_) | None => {}
    }
    // What only the template says stays there, unless the fleet's value would win over it.
    let says_it = |one: &&Instance| {
        let value = around.effective(one, name).map(Text::literal);
        around.is_given(one, name) && value.is_some_and(|value| value.to_string() == text)
    };
    let is_needed = all().any(says_it) || around.documents.fleet.parameters.contains_key(name);
    is_needed.then(|| most(count, text, false))
}

/// What is there most often; of several the first in order.
pub(super) fn commonest<T: Ord>(counts: BTreeMap<T, usize>) -> Option<(T, usize)> {
    let most = counts.values().max().copied()?;
    counts.into_iter().find(|(_, count)| *count == most)
}

/// A value with variables for the account and the region that stand in it.
fn generalised(around: &Around<'_>, value: &str, target: &Target) -> Option<String> {
    let account = target.account.to_string();
    if !value.contains(&account) && !value.contains(target.region.as_str()) {
        return None;
    }
    let literal = |text: &str| Text::literal(text).to_string();
    let in_regions = |text: &str| {
        text.split(target.region.as_str()).map(literal).collect::<Vec<_>>().join("${region}")
    };
    let pieces: Vec<String> = value.split(&*account).map(in_regions).collect();
    let text = pieces.join("${account.id}");
    // A dollar before a variable would make it plain text.
    let read = text.parse::<Text>().ok()?;
    (around.resolve(&read, target).as_deref() == Some(value)).then_some(text)
}

/// What the stacks of one account have otherwise.
fn exceptions(
    around: &Around<'_>,
    shared: Option<&Shared>,
    name: &str,
    account: AccountId,
    regions: &BTreeMap<Region, &Instance>,
    own: &mut BTreeMap<AccountId, Own>,
) {
    let differs = |(region, instance): (&Region, &&Instance)| {
        let value = around.effective(instance, name)?;
        let is_so = around.expected(shared, name, &instance.target).as_deref() == Some(value);
        (!is_so).then(|| (region.clone(), Text::literal(value).to_string()))
    };
    let differing: BTreeMap<Region, String> = regions.iter().filter_map(differs).collect();
    if differing.is_empty() {
        return;
    }
    let own = own.entry(account).or_default();
    let mut everywhere = None;
    if differing.len() == regions.len() {
        let mut counts = BTreeMap::new();
        differing.values().for_each(|text| *counts.entry(text.clone()).or_default() += 1);
        everywhere = commonest(counts).map(|(text, _)| text);
    }
    for (region, text) in
        differing.into_iter().filter(|(_, text)| Some(text) != everywhere.as_ref())
    {
        own.per_region.entry(region).or_default().insert(name.to_owned(), text);
    }
    own.everywhere.extend(everywhere.map(|text| (name.to_owned(), text)));
}
