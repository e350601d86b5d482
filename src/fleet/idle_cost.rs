//! What documents say about idle cost: what may not be there, how much a change may add, and prices
//! other than those of the list.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::fleet::document::IdleCostSpec;
use crate::fleet::reader::{Read, Reader, Scalar, scalar};
use crate::fleet::yaml::Node;
use crate::fleet::{Glob, Money};

/// `spec.idleCost` of the Fleet document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdleCost {
    /// Patterns of resource types that no stack may have, in the order in which they are written.
    pub forbid: Vec<String>,
    /// USD a month that one change may add to the whole fleet before it is warned of.
    pub warn_above: Option<Money>,
    /// USD a month that one change may add to the whole fleet at all.
    pub fail_above: Option<Money>,
    /// USD a month for one unit, by `TYPE` or `TYPE/VARIANT`.
    pub prices: BTreeMap<String, Money>,
}

impl IdleCost {
    /// The index of the first pattern that forbids a resource type.
    pub fn forbids(&self, kind: &str) -> Option<usize> {
        self.forbid.iter().position(|pattern| Glob::of(pattern).fits(kind))
    }
}

impl Read for Money {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let help = "write an amount such as `100` or `0.8`, with six decimal places at most";
        let help = Some(help.to_owned());
        let Some(Scalar::Number(text)) = scalar(node) else {
            return reader.expected(node, "an amount of USD", help);
        };
        let amount = Self::parse(text);
        if amount.is_none() {
            let wrong = if text.starts_with('-') {
                "is negative"
            } else {
                "is no amount of USD that can be counted with"
            };
            reader.error(node.place, "bad-amount", format!("`{text}` {wrong}"), help);
        }
        amount
    }
}

/// Reads `spec.idleCost`; errors are recorded.
pub(super) fn settings(
    spec: Option<IdleCostSpec>,
    node: &Node,
    reader: &mut Reader<'_>,
) -> IdleCost {
    let Some(spec) = spec else { return IdleCost::default() };
    let pointer = ["spec", "idleCost"];
    let forbid = spec.forbid.unwrap_or_default();
    for (index, pattern) in forbid.iter().enumerate() {
        if !pattern.contains("::") {
            let index = index.to_string();
            let place = node.find(&[&pointer[..], &["forbid", &index]].concat());
            let help = "write one such as `AWS::EC2::NatGateway` or `AWS::RDS::*`".to_owned();
            let message = format!("`{pattern}` is not a resource type");
            reader.error(place, "bad-resource-type", message, Some(help));
        }
    }
    let (warn_above, fail_above) = (spec.warn_above, spec.fail_above);
    if let (Some(warn), Some(fail)) = (warn_above, fail_above)
        && warn > fail
    {
        let place = node.find(&[&pointer[..], &["warnAbove"]].concat());
        let message = format!(
            "`warnAbove` is {} and `failAbove` {}: nothing would ever be warned of",
            warn.exact(),
            fail.exact()
        );
        let help = "make `warnAbove` the lower one, or remove it".to_owned();
        reader.error(place, "bad-amount", message, Some(help));
    }
    IdleCost { forbid, warn_above, fail_above, prices: spec.prices.unwrap_or_default() }
}
