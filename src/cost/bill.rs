//! What a change adds to, and removes from, the idle cost of all stacks: equal differences of many
//! stacks are one line.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cost::free::{Free, free};
use crate::cost::price::Unit;
use crate::cost::standing::{Charge, Standing, what};
use crate::fleet::{Money, Quantity};
use crate::ids::AccountId;

/// Of one unit so many different quantities have lines of their own; more are one line.
const MOST_QUANTITIES: usize = 3;

/// Which way a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// It costs more.
    Adds,
    /// It costs less.
    Removes,
    /// The resource leaves its stack and is kept in its account: it costs what it did.
    Leaves,
}

/// The differences of the stacks that were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    charges: BTreeMap<Key, Places>,
    unknown: BTreeMap<(Direction, String), Places>,
    by_use: BTreeMap<String, (usize, Places)>,
}

/// What one stack's difference is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    what: Charged,
    /// In one stack; never negative.
    quantity: Quantity,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Charged {
    direction: Direction,
    kind: String,
    unit: Arc<Unit>,
    at_least: bool,
    maybe: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Places {
    stacks: usize,
    accounts: BTreeSet<AccountId>,
}

impl Places {
    fn add(&mut self, account: AccountId) {
        self.stacks += 1;
        self.accounts.insert(account);
    }
}

/// One thing that becomes more or less, and in how many stacks. Its text is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillLine {
    /// Which way it goes.
    pub direction: Direction,
    /// The resource's type.
    pub kind: String,
    /// What it is: in each stack where they are alike, otherwise in all of them together.
    pub what: String,
    /// The name of its price in the Fleet document.
    pub price: String,
    /// USD a month for one unit.
    pub usd_per_unit: Money,
    /// AWS's page with that price; none where it is the fleet's own.
    pub source: Option<&'static str>,
    /// Units in each stack; none where stacks differ.
    pub quantity: Option<Quantity>,
    /// How many stacks.
    pub stacks: usize,
    /// In how many accounts they are.
    pub accounts: usize,
    /// USD a month in all of them; never negative.
    pub usd_per_month: Money,
    /// Whether it may be more: a property is not known now.
    pub at_least: bool,
    /// Whether nobody can say now if the resources will be there.
    pub maybe: bool,
}

/// Something that costs or may cost, and nobody knows how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLine {
    /// Which way it goes.
    pub direction: Direction,
    /// The type, or a variant of it.
    pub what: String,
    /// How many stacks.
    pub stacks: usize,
    /// In how many accounts they are.
    pub accounts: usize,
}

/// Resources that are added and cost nothing while nobody uses them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeLine {
    /// The resources' type.
    pub kind: String,
    /// How many of them, in all stacks.
    pub resources: usize,
    /// What they are charged by.
    pub charged_by: &'static str,
    /// How many stacks.
    pub stacks: usize,
    /// In how many accounts they are.
    pub accounts: usize,
}

impl Bill {
    /// Adds one stack of an account: what it costs as it is, and as it will be; `None` where there
    /// is none. Both by the same prices. A stack that git drops and that is retained costs what it
    /// did: it is not added.
    pub fn add(&mut self, account: AccountId, old: Option<&Standing>, new: Option<&Standing>) {
        let nothing = Standing::default();
        let (old, new) = (old.unwrap_or(&nothing), new.unwrap_or(&nothing));
        if old == new {
            return;
        }
        for (charged, quantity) in difference(old, new) {
            if quantity != Quantity::ZERO {
                let key = Key { what: charged, quantity };
                self.charges.entry(key).or_default().add(account);
            }
        }
        for what in old.unknown.keys().chain(new.unknown.keys()).collect::<BTreeSet<_>>() {
            let direction = match old.unknown.get(what).cmp(&new.unknown.get(what)) {
                Ordering::Less => Direction::Adds,
                Ordering::Greater => Direction::Removes,
                Ordering::Equal => continue,
            };
            self.unknown.entry((direction, what.clone())).or_default().add(account);
        }
        for (kind, count) in &new.by_use {
            let more = count.saturating_sub(old.by_use.get(kind).copied().unwrap_or(0));
            if more > 0 {
                let (resources, places) = self.by_use.entry(kind.clone()).or_default();
                *resources += more;
                places.add(account);
            }
        }
    }

    /// What becomes more, then less, then is left behind; of each the dearest first.
    pub fn lines(&self) -> Vec<BillLine> {
        let mut units: BTreeMap<&Charged, Vec<(Quantity, &Places)>> = BTreeMap::new();
        for (key, places) in &self.charges {
            units.entry(&key.what).or_default().push((key.quantity, places));
        }
        let mut lines = Vec::new();
        for (charged, quantities) in units {
            if quantities.len() > MOST_QUANTITIES {
                lines.push(together(charged, &quantities));
            } else {
                let alike =
                    quantities.into_iter().map(|(each, places)| alike(charged, each, places));
                lines.extend(alike);
            }
        }
        // The order of before holds among equals.
        lines.sort_by_key(|line| (line.direction, Reverse(line.usd_per_month)));
        lines
    }

    /// What has no price, additions first.
    pub fn unknown(&self) -> Vec<UnknownLine> {
        let lines = self.unknown.iter().map(|((direction, what), places)| UnknownLine {
            direction: *direction,
            what: what.clone(),
            stacks: places.stacks,
            accounts: places.accounts.len(),
        });
        lines.collect()
    }

    /// What is added and costs nothing while idle.
    pub fn by_use(&self) -> Vec<FreeLine> {
        let lines = self.by_use.iter().filter_map(|(kind, (resources, places))| {
            let Some(Free::ByUse(charged_by)) = free(kind) else { return None };
            Some(FreeLine {
                kind: kind.clone(),
                resources: *resources,
                charged_by,
                stacks: places.stacks,
                accounts: places.accounts.len(),
            })
        });
        lines.collect()
    }

    /// Whether nothing differs that costs or may cost.
    pub fn is_empty(&self) -> bool {
        self.charges.is_empty() && self.unknown.is_empty()
    }

    /// USD a month that all stacks together cost more; negative when they cost less. What may be
    /// there counts as added, and what may have been there not as removed.
    pub fn total_added_per_month(&self) -> Money {
        self.charges.iter().fold(Money::ZERO, |sum, (key, places)| {
            let usd = key.what.unit.usd.times(key.quantity).times_whole(places.stacks);
            match key.what.direction {
                Direction::Adds => sum.plus(usd),
                Direction::Removes if !key.what.maybe => sum.minus(usd),
                Direction::Removes | Direction::Leaves => sum,
            }
        })
    }

    /// Whether the total may be more: something has no price, or is not wholly known.
    pub fn is_at_least(&self) -> bool {
        self.unknown.keys().any(|(direction, _)| *direction == Direction::Adds)
            || self
                .charges
                .keys()
                .any(|key| key.what.at_least && key.what.direction == Direction::Adds)
    }

    /// `adds at least 6,132 USD a month while nothing runs`; none when nothing differs.
    pub fn summary(&self) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let (total, open) = (self.total_added_per_month(), self.is_at_least());
        let saved = Money::ZERO.minus(total);
        let amount = match (total.cmp(&Money::ZERO), open) {
            (Ordering::Less, false) => format!("saves {saved}"),
            (Ordering::Less, true) => format!("saves at most {saved}"),
            (Ordering::Greater, false) => format!("adds {total}"),
            (Ordering::Greater, true) => format!("adds at least {total}"),
            (Ordering::Equal, false) => return Some("costs while nothing runs what it did".into()),
            (Ordering::Equal, true) => {
                return Some("adds what nobody knows the price of while nothing runs".into());
            }
        };
        Some(format!("{amount} a month while nothing runs"))
    }
}

/// What one stack has more or less of.
fn difference(old: &Standing, new: &Standing) -> BTreeMap<Charged, Quantity> {
    let mut sums: BTreeMap<Charged, (Quantity, Quantity)> = BTreeMap::new();
    let mut difference = BTreeMap::new();
    for charge in &old.charges {
        let resource = (charge.logical_id.clone(), charge.kind.clone());
        if charge.stays && !new.resources.contains(&resource) {
            let left = difference.entry(charged(charge, Direction::Leaves)).or_default();
            *left = charge.quantity.plus(*left);
        } else {
            let (before, _) = sums.entry(charged(charge, Direction::Adds)).or_default();
            *before = before.plus(charge.quantity);
        }
    }
    for charge in &new.charges {
        let (_, after) = sums.entry(charged(charge, Direction::Adds)).or_default();
        *after = after.plus(charge.quantity);
    }
    for (mut charged, (before, after)) in sums {
        if before > after {
            charged.direction = Direction::Removes;
        }
        difference.insert(charged, after.max(before).minus(after.min(before)));
    }
    difference
}

fn charged(charge: &Charge, direction: Direction) -> Charged {
    Charged {
        direction,
        kind: charge.kind.clone(),
        unit: Arc::clone(&charge.unit),
        at_least: charge.at_least,
        maybe: charge.maybe,
    }
}

fn alike(charged: &Charged, quantity: Quantity, places: &Places) -> BillLine {
    BillLine {
        what: what(&charged.unit, quantity),
        quantity: Some(quantity),
        usd_per_month: charged.unit.usd.times(quantity).times_whole(places.stacks),
        ..line(charged, places)
    }
}

fn together(charged: &Charged, quantities: &[(Quantity, &Places)]) -> BillLine {
    let mut all = Places::default();
    let mut sum = Quantity::ZERO;
    for (quantity, places) in quantities {
        all.stacks += places.stacks;
        all.accounts.extend(&places.accounts);
        sum = sum.plus(quantity.times(Quantity::whole(places.stacks)));
    }
    BillLine {
        what: format!("{} in all", what(&charged.unit, sum)),
        usd_per_month: charged.unit.usd.times(sum),
        ..line(charged, &all)
    }
}

fn line(charged: &Charged, places: &Places) -> BillLine {
    let Charged { direction, kind, unit, at_least, maybe } = charged;
    BillLine {
        direction: *direction,
        kind: kind.clone(),
        what: String::new(),
        price: unit.key.clone(),
        usd_per_unit: unit.usd,
        source: unit.source,
        quantity: None,
        stacks: places.stacks,
        accounts: places.accounts.len(),
        usd_per_month: Money::ZERO,
        at_least: *at_least,
        maybe: *maybe,
    }
}

/// `adds a KMS key (AWS::KMS::Key): 1.00 USD x 2,000 accounts = 2,000 USD a month`
impl fmt::Display for BillLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let perhaps = if self.maybe { "perhaps " } else { "" };
        let least = if self.at_least { "at least " } else { "" };
        let (verb, after) = match self.direction {
            Direction::Adds => ("adds", ""),
            Direction::Removes => ("removes", ""),
            Direction::Leaves => ("leaves behind", ", as before"),
        };
        let price = self.usd_per_unit.exact();
        let places = places(self.stacks, self.accounts);
        write!(f, "{perhaps}{verb} {least}{} ({}): ", self.what, self.kind)?;
        match self.quantity {
            Some(Quantity::ONE) => write!(f, "{price} x {places}")?,
            Some(quantity) => write!(f, "{quantity} x {price} x {places}")?,
            None => write!(f, "{price} each, in {places}")?,
        }
        write!(f, " = {} a month{after}", self.usd_per_month)
    }
}

/// `adds AWS::EMR::Cluster in 3 accounts: what it costs is not known`
impl fmt::Display for UnknownLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.direction {
            Direction::Adds => "adds",
            Direction::Removes => "removes",
            Direction::Leaves => "leaves behind",
        };
        let places = places(self.stacks, self.accounts);
        write!(f, "{verb} {} in {places}: what it costs is not known", self.what)
    }
}

/// `adds 2,000 AWS::SQS::Queue in 2,000 accounts: priced by use (requests), free while idle`
impl fmt::Display for FreeLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = places(self.stacks, self.accounts);
        write!(
            f,
            "adds {} {} in {places}: priced by use ({}), free while idle",
            Quantity::whole(self.resources),
            self.kind,
            self.charged_by
        )
    }
}

/// `2,000 accounts` where each has one stack, otherwise `4,000 stacks in 2,000 accounts`.
fn places(stacks: usize, accounts: usize) -> String {
    let counted = |count: usize, noun: &str| {
        let plural = if count == 1 { "" } else { "s" };
        format!("{} {noun}{plural}", Quantity::whole(count))
    };
    if stacks == accounts {
        return counted(accounts, "account");
    }
    format!("{} in {}", counted(stacks, "stack"), counted(accounts, "account"))
}
