//! What all stacks that failed have in common and no healthy one has.

use std::collections::BTreeMap;

/// A region or a label with its value that every failed stack has and no healthy one, such as
/// `region us-east-1` or `tier=free`; the regions first, then labels by name. Each stack is a list of
/// such traits.
pub fn shared_by_all(failed: &[Vec<String>], healthy: &[Vec<String>]) -> Option<String> {
    let first = failed.first()?;
    // One that failed alone shares everything with itself, and shows nothing.
    if failed.len() < 2 || healthy.is_empty() {
        return None;
    }
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    failed.iter().flatten().for_each(|one| *counts.entry(one).or_default() += 1);
    let everywhere = |one: &&String| counts.get(*one) == Some(&failed.len());
    let nowhere = |one: &&String| !healthy.iter().any(|stack| stack.contains(*one));
    first.iter().filter(everywhere).find(nowhere).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stacks(lists: &[&[&str]]) -> Vec<Vec<String>> {
        let owned = |list: &&[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        lists.iter().map(owned).collect()
    }

    #[test]
    fn what_only_the_failed_ones_have_is_named() {
        let failed = stacks(&[&["region a", "tier=free"], &["region a", "tier=paid"]]);
        let healthy = stacks(&[&["region b", "tier=free"]]);
        assert_eq!(shared_by_all(&failed, &healthy).as_deref(), Some("region a"));
        let failed = stacks(&[&["region a", "tier=free"], &["region b", "tier=free"]]);
        let healthy = stacks(&[&["region a", "tier=paid"]]);
        assert_eq!(shared_by_all(&failed, &healthy).as_deref(), Some("tier=free"));
    }

    #[test]
    fn one_failure_or_nobody_to_compare_with_shows_nothing() {
        let (one, two) = (stacks(&[&["region a"]]), stacks(&[&["region a"], &["region a"]]));
        assert_eq!(shared_by_all(&one, &stacks(&[&["region b"]])), None);
        assert_eq!(shared_by_all(&two, &[]), None);
        assert_eq!(shared_by_all(&two, &one), None);
    }
}
