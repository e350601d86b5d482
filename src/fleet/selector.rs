//! Which tenants a service is for: label selectors with the semantics of Kubernetes.

use std::collections::BTreeMap;

use schemars::JsonSchema;

/// All conditions must hold; without any, every tenant is selected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Labels that the tenant has with exactly these values.
    pub match_labels: BTreeMap<String, String>,
    /// Further conditions.
    pub match_expressions: Vec<Requirement>,
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what; empty for `Exists` and `DoesNotExist`.
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum Operator {
    /// The tenant has the label with one of the values.
    In,
    /// The tenant lacks the label, or has it with none of the values.
    NotIn,
    /// The tenant has the label.
    Exists,
    /// The tenant lacks the label.
    DoesNotExist,
}

impl Selector {
    /// Whether a tenant with these labels is selected.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let equal = self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value));
        equal && self.match_expressions.iter().all(|requirement| requirement.holds(labels))
    }
}

impl Requirement {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        let label = labels.get(&self.key);
        match self.operator {
            Operator::In => label.is_some_and(|value| self.values.contains(value)),
            Operator::NotIn => label.is_none_or(|value| !self.values.contains(value)),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    fn requirement(operator: Operator, values: &[&str]) -> Selector {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        let requirement = Requirement { key: "tier".into(), operator, values };
        Selector { match_expressions: vec![requirement], ..Selector::default() }
    }

    #[test]
    fn no_condition_selects_everybody() {
        assert!(Selector::default().matches(&labels(&[])));
    }

    #[test]
    fn all_labels_must_match() {
        let match_labels = labels(&[("tier", "paid"), ("ring", "canary")]);
        let selector = Selector { match_labels, ..Selector::default() };
        assert!(selector.matches(&labels(&[("tier", "paid"), ("ring", "canary"), ("x", "y")])));
        assert!(!selector.matches(&labels(&[("tier", "paid")])));
    }

    #[test]
    fn expressions_mean_what_they_mean_in_kubernetes() {
        let (paid, none) = (labels(&[("tier", "paid")]), labels(&[]));
        for (operator, values, on_paid, on_none) in [
            (Operator::In, &["paid", "trial"][..], true, false),
            (Operator::In, &["trial"], false, false),
            (Operator::NotIn, &["paid"], false, true),
            (Operator::NotIn, &["trial"], true, true),
            (Operator::Exists, &[], true, false),
            (Operator::DoesNotExist, &[], false, true),
        ] {
            let selector = requirement(operator, values);
            assert_eq!(selector.matches(&paid), on_paid, "{operator:?} {values:?}");
            assert_eq!(selector.matches(&none), on_none, "{operator:?} {values:?}");
        }
    }
}
