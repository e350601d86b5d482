//! What the resources of one stack cost while nothing runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::cost::free::{Free, free};
use crate::cost::price::{Prices, Unit, row};
use crate::cost::sheet::Sheet;
use crate::cost::tally::{Tally, label};
use crate::fleet::{Money, Quantity};
use crate::template::{Filled, FilledResource};

/// What is said in place of resources that macros make.
const GENERATED: &str = "resources that macros make";

/// One thing that a resource is charged for every month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The resource's name in the template.
    pub logical_id: String,
    /// Its type.
    pub kind: String,
    /// How many units.
    pub quantity: Quantity,
    /// Whether there may be more of them, or dearer ones: a property is not known now.
    pub at_least: bool,
    /// Whether nobody can say now if the resource will be there.
    pub maybe: bool,
    /// Whether the resource stays, and goes on costing, when it leaves its stack.
    pub stays: bool,
    pub(super) unit: Arc<Unit>,
}

impl Charge {
    /// `a KMS key`, `2 shards`
    pub fn what(&self) -> String {
        what(&self.unit, self.quantity)
    }

    /// USD a month for one unit.
    pub fn unit_price(&self) -> Money {
        self.unit.usd
    }

    /// AWS's page with the price; none where it is the fleet's own.
    pub fn source(&self) -> Option<&'static str> {
        self.unit.source
    }

    /// USD a month for all of them.
    pub fn usd_per_month(&self) -> Money {
        self.unit.usd.times(self.quantity)
    }
}

pub(super) fn what(unit: &Unit, quantity: Quantity) -> String {
    if quantity == Quantity::ONE {
        unit.one.to_string()
    } else {
        format!("{quantity} {}", unit.many)
    }
}

/// What one stack costs a month while nothing runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// In the order of the logical ids.
    pub charges: Vec<Charge>,
    /// Types, or variants such as `AWS::EC2::Instance/u7i.large`, that cost something or may, and
    /// nobody knows how much; with how many there are.
    pub unknown: BTreeMap<String, usize>,
    /// Types that are priced by use only, with how many there are.
    pub by_use: BTreeMap<String, usize>,
    /// Logical ids of everything that is there, or may be, with their types.
    pub(super) resources: BTreeSet<(String, String)>,
}

impl Standing {
    /// USD a month for all that has a price.
    pub fn usd_per_month(&self) -> Money {
        self.charges.iter().map(Charge::usd_per_month).sum()
    }
}

/// What a stack costs a month while nothing runs. Resources whose condition is false do not count;
/// nested stacks are not looked into here and so are of unknown price.
pub fn charges(filled: &Filled<'_>, prices: &Prices) -> Standing {
    let mut standing = Standing::default();
    for (logical_id, resource) in &filled.resources {
        if resource.is_there == Some(false) {
            continue;
        }
        standing.resources.insert(((*logical_id).to_owned(), resource.kind.to_owned()));
        one_resource(logical_id, resource, filled, prices, &mut standing);
    }
    if filled.is_partial {
        standing.unknown.insert(GENERATED.to_owned(), 1);
    }
    standing
}

fn one_resource(
    logical_id: &str,
    resource: &FilledResource<'_>,
    filled: &Filled<'_>,
    prices: &Prices,
    standing: &mut Standing,
) {
    let kind = resource.kind;
    let charge = |unit: Arc<Unit>, quantity: Quantity, at_least: bool| Charge {
        logical_id: logical_id.to_owned(),
        kind: kind.to_owned(),
        quantity,
        at_least,
        maybe: resource.is_there.is_none(),
        stays: matches!(resource.deletion_policy(), Some("Retain" | "RetainExceptOnCreate")),
        unit,
    };
    let Some(row) = row(kind) else {
        if let Some(unit) = prices.whole(kind) {
            standing.charges.push(charge(unit, Quantity::ONE, false));
        } else {
            standing.no_row(kind);
        }
        return;
    };
    let mut tally = Tally::of(row.kind);
    (row.count)(&Sheet::of(resource.properties(), &filled.resources), &mut tally);
    if tally.items.is_empty() && tally.unknown.is_empty() {
        return standing.no_charge(kind);
    }
    for item in tally.items {
        match prices.unit(item.kind, &item.variant) {
            Some(unit) => standing.charges.push(charge(unit, item.quantity, item.at_least)),
            None => standing.count_unknown(label(item.kind, &item.variant)),
        }
    }
    for unknown in tally.unknown {
        standing.count_unknown(unknown);
    }
}

impl Standing {
    /// The same without the charges of these logical ids.
    pub fn without(mut self, logical_ids: &BTreeSet<&str>) -> Self {
        self.charges.retain(|charge| !logical_ids.contains(charge.logical_id.as_str()));
        self
    }

    fn count_unknown(&mut self, what: String) {
        *self.unknown.entry(what).or_default() += 1;
    }

    /// Of a type that the list does not have.
    fn no_row(&mut self, kind: &str) {
        match free(kind) {
            Some(Free::ByUse(_)) => self.no_charge(kind),
            Some(Free::NeverCharged) => {}
            None => self.count_unknown(kind.to_owned()),
        }
    }

    /// Of a type that is free as these properties have it.
    fn no_charge(&mut self, kind: &str) {
        if let Some(Free::ByUse(_)) = free(kind) {
            *self.by_use.entry(kind.to_owned()).or_default() += 1;
        }
    }
}
