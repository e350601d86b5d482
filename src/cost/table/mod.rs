//! The price list: resource types with a standing charge, where AWS publishes what they cost, and
//! how the properties of a resource say how many units it has.

mod compute;
mod databases;
mod network;
mod operations;
mod search;
mod streams;

use crate::cost::sheet::Sheet;
use crate::cost::tally::Tally;
use crate::fleet::Money;

/// Everything that AWS charges for one resource type.
pub(super) struct Row {
    /// AWS's `Type`.
    pub(super) kind: &'static str,
    /// AWS's page with the prices.
    pub(super) source: &'static str,
    pub(super) prices: &'static [Price],
    pub(super) classes: Option<Classes>,
    /// Counts the units of one resource.
    pub(super) count: fn(&Sheet<'_>, &mut Tally),
}

/// What one unit costs.
pub(super) struct Price {
    /// Tells the prices of one type apart; empty where it has one.
    pub(super) variant: &'static str,
    /// A month.
    pub(super) usd: Money,
    /// One unit in words, such as `a KMS key`.
    pub(super) one: &'static str,
    /// Several, without their number.
    pub(super) many: &'static str,
}

/// Machines by class, of which nobody lists all: further ones may be priced by the fleet.
pub(super) struct Classes {
    /// Class and price of a month.
    pub(super) prices: &'static [(&'static str, Money)],
    /// Families whose larger sizes cost in proportion to `large`, which is given.
    pub(super) families: &'static [(&'static str, Money)],
    /// One of them, with `{}` for the class.
    pub(super) one: &'static str,
    pub(super) many: &'static str,
}

pub(super) use compute::DESCRIBING;

/// All rows, by the part of AWS that they belong to.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    [compute::ROWS, network::ROWS, databases::ROWS, search::ROWS, streams::ROWS, operations::ROWS]
        .into_iter()
        .flatten()
}

impl Row {
    /// A row without machines of classes.
    const fn plain(
        kind: &'static str,
        source: &'static str,
        prices: &'static [Price],
        count: fn(&Sheet<'_>, &mut Tally),
    ) -> Self {
        Self { kind, source, prices, classes: None, count }
    }
}

impl Classes {
    /// The price of a class: as listed, or as many times that of its family's `large` as it is
    /// larger, which is how AWS lists these families.
    pub(super) fn price(&self, class: &str) -> Option<Money> {
        if let Some((_, usd)) = self.prices.iter().find(|(listed, _)| *listed == class) {
            return Some(*usd);
        }
        let (family, size) = class.rsplit_once('.')?;
        let (_, large) = self.families.iter().find(|(listed, _)| *listed == family)?;
        let larges = match size {
            "large" => 1,
            "xlarge" => 2,
            size => 2 * size.strip_suffix("xlarge")?.parse::<u8>().ok().filter(|n| *n > 1)?,
        };
        Some(large.times_whole(usize::from(larges)))
    }
}

/// A price per month.
const fn monthly(variant: &'static str, usd: &str, one: &'static str, many: &'static str) -> Price {
    Price { variant, usd: Money::usd(usd), one, many }
}

/// A price per hour, for a month of 730 hours.
const fn hourly(variant: &'static str, usd: &str, one: &'static str, many: &'static str) -> Price {
    Price { variant, usd: Money::usd_an_hour(usd), one, many }
}

/// A class and its price per hour.
const fn class(name: &'static str, usd: &str) -> (&'static str, Money) {
    (name, Money::usd_an_hour(usd))
}

/// One of the only price of the type, whatever the properties say.
fn one(_: &Sheet<'_>, tally: &mut Tally) {
    tally.one("");
}
