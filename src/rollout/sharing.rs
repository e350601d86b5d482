//! What all stacks that failed have in common and no healthy one has.

use std::collections::BTreeMap;
use std::fmt;

use crate::ids::Region;

/// What may set stacks apart; the regions first, then labels by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trait<'a> {
    /// It stands there.
    Region(&'a Region),
    /// Its tenant has the label with this value.
    Label(&'a str, &'a str),
}

/// `in us-east-1` or `with tier=free`
impl fmt::Display for Trait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Region(region) => write!(f, "in {region}"),
            Self::Label(label, value) => write!(f, "with {label}={value}"),
        }
    }
}

/// The first trait that every failed stack has and no healthy one. Each stack is a list of its
/// traits, each once.
pub fn shared_by_all<'a>(
    failed: &[Vec<Trait<'a>>],
    healthy: &[Vec<Trait<'a>>],
) -> Option<Trait<'a>> {
    let first = failed.first()?;
    // One that failed alone shares everything with itself, and shows nothing.
    if failed.len() < 2 || healthy.is_empty() {
        return None;
    }
    let mut counts: BTreeMap<&Trait<'_>, usize> = BTreeMap::new();
    failed.iter().flatten().for_each(|one| *counts.entry(one).or_default() += 1);
    let everywhere = |one: &&Trait<'_>| counts.get(*one) == Some(&failed.len());
    let nowhere = |one: &&Trait<'_>| !healthy.iter().any(|stack| stack.contains(*one));
    first.iter().filter(everywhere).find(nowhere).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regions() -> [Region; 2] {
        ["eu-central-1", "us-east-1"].map(|name| name.parse().expect("a region"))
    }

    fn stacks<'a>(lists: &[[&Trait<'a>; 2]]) -> Vec<Vec<Trait<'a>>> {
        lists.iter().map(|one| one.iter().map(|one| (*one).clone()).collect()).collect()
    }

    fn named(failed: &[[&Trait<'_>; 2]], healthy: &[[&Trait<'_>; 2]]) -> Option<String> {
        shared_by_all(&stacks(failed), &stacks(healthy)).map(|one| one.to_string())
    }

    #[test]
    fn what_only_the_failed_ones_have_is_named() {
        let [here, there] = &regions();
        let [here, there] = [Trait::Region(here), Trait::Region(there)];
        let (free, paid) = (Trait::Label("tier", "free"), Trait::Label("tier", "paid"));
        let by_region = named(&[[&there, &free], [&there, &paid]], &[[&here, &free]]);
        assert_eq!(by_region.as_deref(), Some("in us-east-1"));
        let by_label = named(&[[&there, &free], [&here, &free]], &[[&there, &paid]]);
        assert_eq!(by_label.as_deref(), Some("with tier=free"));
        // One failure, or nobody to compare with, shows nothing.
        assert_eq!(named(&[[&there, &free]], &[[&here, &free]]), None);
        assert_eq!(named(&[[&there, &free], [&there, &free]], &[]), None);
        assert_eq!(named(&[[&there, &free], [&there, &free]], &[[&there, &free]]), None);
    }
}
