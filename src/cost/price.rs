//! Prices of single units: those of the list, and over them those of the Fleet document.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use crate::cost::free::{free, is_unpriced};
use crate::cost::table::{DESCRIBING, Row, rows};
use crate::cost::tally::{is_class, label};
use crate::fleet::{IdleCost, Money};

/// The region of the list; others cost up to twice as much.
pub const LIST_REGION: &str = "us-east-1";
/// The month of the list.
pub const LIST_DATE: &str = "2025-12";

static ROWS: LazyLock<BTreeMap<&str, &Row>> =
    LazyLock::new(|| rows().map(|row| (row.kind, row)).collect());

/// What units cost in one fleet: the list's prices unless the fleet has its own.
#[derive(Clone, Debug, Default)]
pub struct Prices(BTreeMap<String, Money>);

/// One priced unit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unit {
    /// `TYPE` or `TYPE/VARIANT`, as the Fleet document names it.
    pub(super) key: String,
    /// One in words, such as `a KMS key`.
    pub(super) one: Cow<'static, str>,
    /// Several, without their number.
    pub(super) many: Cow<'static, str>,
    /// A month.
    pub(super) usd: Money,
    /// AWS's page with the price; none where it is the fleet's own.
    pub(super) source: Option<&'static str>,
}

/// What is wrong with the name of a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// A sentence.
    pub message: String,
    /// How to fix it.
    pub help: String,
}

impl Prices {
    /// The list, and over it the prices of a fleet.
    pub fn of(idle_cost: &IdleCost) -> Self {
        Self(idle_cost.prices.clone())
    }

    pub(super) fn unit(&self, kind: &str, variant: &str) -> Option<Arc<Unit>> {
        let row = ROWS.get(kind)?;
        let key = label(kind, variant);
        let own = self.0.get(&key).copied();
        let source = own.is_none().then_some(row.source);
        if let Some(price) = row.prices.iter().find(|price| price.variant == variant) {
            let usd = own.unwrap_or(price.usd);
            let (one, many) = (price.one.into(), price.many.into());
            return Some(Arc::new(Unit { key, one, many, usd, source }));
        }
        let classes = row.classes.as_ref()?;
        let usd = own.or_else(|| classes.price(variant))?;
        let named = |noun: &str| noun.replace("{}", &variant.replace('/', " ")).into();
        let (one, many) = (named(classes.one), named(classes.many));
        Some(Arc::new(Unit { key, one, many, usd, source }))
    }

    /// What the fleet says a resource costs of which the list knows no charge.
    pub(super) fn whole(&self, kind: &str) -> Option<Arc<Unit>> {
        let usd = *self.0.get(kind)?;
        let (one, many) = (format!("1 {kind}").into(), kind.to_owned().into());
        Some(Arc::new(Unit { key: kind.to_owned(), one, many, usd, source: None }))
    }

    /// Looks at the name of a price of a Fleet document. `Ok` has the type when the list does not
    /// have it: a price of each resource of that type.
    pub fn check_key(key: &str) -> Result<Option<&str>, Wrong> {
        let (kind, variant) = key.split_once('/').unwrap_or((key, ""));
        let Some(row) = ROWS.get(kind) else {
            if is_type(kind) && variant.is_empty() {
                return Ok(Some(kind));
            }
            let message = format!("`{key}` is not the name of a price");
            let help = if is_type(kind) {
                format!("the list has no `{kind}`: leave out what follows the `/`")
            } else {
                "write one such as `AWS::KMS::Key` or `AWS::EC2::Instance/t4g.nano`".to_owned()
            };
            return Err(Wrong { message, help });
        };
        let listed = row.prices.iter().any(|price| price.variant == variant);
        let class = |classes: &[(&str, Money)]| {
            let prefix = variant.split_once('/').map(|(prefix, _)| prefix);
            let prefixed = classes.iter().map(|(name, _)| name.split_once('/').map(|it| it.0));
            is_class(variant.rsplit('/').next().unwrap_or_default())
                && prefixed.into_iter().any(|known| known == prefix)
        };
        if listed || row.classes.as_ref().is_some_and(|classes| class(classes.prices)) {
            return Ok(None);
        }
        let message = format!("the list has no price `{key}`");
        Err(Wrong { message, help: listed_keys(row) })
    }
}

/// The prices that a row has; one without its own is counted by those of others.
fn listed_keys(row: &Row) -> String {
    let classes = row.classes.iter().flat_map(|classes| classes.prices.first());
    let mut keys: Vec<String> =
        classes.map(|(name, _)| format!("one such as `{}`", label(row.kind, name))).collect();
    let prices = row.prices.iter();
    keys.extend(prices.map(|price| format!("`{}`", label(row.kind, price.variant))));
    match keys.as_slice() {
        [] => format!("`{}` is counted by the prices of other types", row.kind),
        keys => format!("there is {}", keys.join(", ")),
    }
}

/// Whether a text looks like a resource type.
fn is_type(text: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    text.contains("::") && text.split("::").all(word)
}

/// Whether a resource type is in one of the lists: with a price, free while idle, or without a price.
pub fn knows(kind: &str) -> bool {
    row(kind).is_some() || free(kind).is_some() || is_unpriced(kind)
}

/// Every type with a standing charge, sorted, for patterns that are to fit some of them.
pub fn charged_types() -> impl Iterator<Item = &'static str> {
    ROWS.keys().copied()
}

/// Whether what a stack costs may depend on the properties of resources of this type: those with a
/// charge, and those that describe the machines or functions of others.
pub fn decides(kind: &str) -> bool {
    row(kind).is_some() || DESCRIBING.contains(&kind)
}

pub(super) fn row(kind: &str) -> Option<&'static Row> {
    ROWS.get(kind).copied()
}
