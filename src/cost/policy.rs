//! How much one change may add to what the fleet costs while nothing runs.

use crate::fleet::{IdleCost, Money, Severity};

/// The limits of a Fleet document on what one change adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    warn_above: Option<Money>,
    fail_above: Option<Money>,
}

impl Policy {
    /// The limits of a fleet.
    pub fn of(idle_cost: &IdleCost) -> Self {
        Self { warn_above: idle_cost.warn_above, fail_above: idle_cost.fail_above }
    }

    /// What is to be said of a change that adds so much a month to the whole fleet; an error where
    /// it may not.
    pub fn judge(&self, added: Money) -> Option<(Severity, String)> {
        let above = |limit: Option<Money>| limit.filter(|limit| added > *limit);
        let (severity, name, limit) = match (above(self.fail_above), above(self.warn_above)) {
            (Some(limit), _) => (Severity::Error, "failAbove", limit),
            (None, Some(limit)) => (Severity::Warning, "warnAbove", limit),
            (None, None) => return None,
        };
        let text = format!(
            "this change adds {} a month while nothing runs; `idleCost.{name}` is {}",
            added.exact(),
            limit.exact()
        );
        Some((severity, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_judged_by_the_higher_limit_that_it_exceeds() {
        let usd = |text: &str| Money::parse(text).expect("an amount");
        let limits = IdleCost {
            warn_above: Some(usd("100")),
            fail_above: Some(usd("1000")),
            ..IdleCost::default()
        };
        let judge = |text: &str| Policy::of(&limits).judge(usd(text));
        assert_eq!(judge("100"), None);
        assert_eq!(judge("100.01").map(|it| it.0), Some(Severity::Warning));
        assert_eq!(judge("1000").map(|it| it.0), Some(Severity::Warning));
        assert_eq!(judge("1000.01").map(|it| it.0), Some(Severity::Error));
        let said = ["100.01", "6132"].map(|text| judge(text).expect("too much").1);
        let expected = [
            "this change adds 100.01 USD a month while nothing runs; `idleCost.warnAbove` is \
             100.00 USD",
            "this change adds 6,132.00 USD a month while nothing runs; `idleCost.failAbove` is \
             1,000.00 USD",
        ];
        assert_eq!(said, expected);
        assert_eq!(Policy::default().judge(usd("1000000")), None);
        assert_eq!(Policy::of(&limits).judge(Money::ZERO.minus(usd("5000"))), None);
    }
}
