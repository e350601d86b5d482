//! Equal causes are one line: verdicts are put together by their text without the parts that
//! differ from stack to stack.

use std::collections::BTreeMap;

use crate::ids::StackKey;
use crate::moment::Moment;
use crate::outcome::without_own;
use crate::plan::{StackRecord, Weight};

/// Stacks named in a group.
pub const EXAMPLES: usize = 3;

/// Stacks that wait, or are stuck, for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// How much it matters.
    pub weight: Weight,
    /// The verdict's word for programs.
    pub code: String,
    /// The verdict of the one stack; for several, `…` stands where theirs differ.
    pub text: String,
    /// How many stacks.
    pub count: usize,
    /// Up to [`EXAMPLES`] of them, in the order of their keys.
    pub examples: Vec<StackKey>,
    /// What a person can do, where that is the same for all.
    pub help: Option<String>,
    /// The approval that would let all of them go on.
    pub approval: Option<String>,
    /// Since when the first of them has been so.
    pub since: Moment,
}

/// Groups in the making.
#[derive(Clone, Debug, Default)]
pub(super) struct Grouping(BTreeMap<(Weight, String, String), Group>);

impl Grouping {
    /// Puts a stack into its group. Stacks must come in the order of their keys.
    pub(super) fn add(&mut self, record: &StackRecord) {
        let verdict = &record.verdict;
        // What waits to be deleted waits as one set: the text is of the fleet, not of the stack.
        let of_fleet = verdict.code == "deletion-limit";
        let common = if of_fleet {
            verdict.text.clone()
        } else {
            without_differences(&verdict.text, record)
        };
        let key = (verdict.weight, verdict.code.clone(), common.clone());
        let Some(group) = self.0.get_mut(&key) else {
            self.0.insert(key, alone(record));
            return;
        };
        group.count += 1;
        if group.text != verdict.text {
            group.text = common;
        }
        if group.examples.len() < EXAMPLES {
            group.examples.push(record.key.clone());
        }
        if group.help != verdict.help {
            group.help = None;
        }
        if group.approval != verdict.approval {
            group.approval = None;
        }
        group.since = group.since.min(record.verdict_since);
    }

    /// All groups: the heaviest first, then the largest.
    pub(super) fn groups(self) -> Vec<Group> {
        let mut groups: Vec<Group> = self.0.into_values().collect();
        groups.sort_by(|a, b| b.weight.cmp(&a.weight).then(b.count.cmp(&a.count)));
        groups
    }
}

fn alone(record: &StackRecord) -> Group {
    let verdict = record.verdict.clone();
    Group {
        weight: verdict.weight,
        code: verdict.code,
        text: verdict.text,
        count: 1,
        examples: vec![record.key.clone()],
        help: verdict.help,
        approval: verdict.approval,
        since: record.verdict_since,
    }
}

/// The text with `…` for what is this stack's own.
fn without_differences(text: &str, record: &StackRecord) -> String {
    let tenant = record.memory.tenant.as_ref().map(|tenant| tenant.as_str());
    let text = without_own(text, tenant, Some(record.key.name.as_str()));
    // One that was taken over has another name in AWS.
    match record.seen.as_ref().map(|seen| seen.own_name()).filter(|own| *own != record.key.name) {
        Some(own) => text.replace(own.as_str(), "…"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::record;

    fn groups(texts: &[(&str, &str)]) -> Vec<(usize, String)> {
        let mut grouping = Grouping::default();
        for (tenant, text) in texts {
            grouping.add(&record(tenant, "scan-api", Weight::Stuck, "failed", text));
        }
        grouping.groups().into_iter().map(|group| (group.count, group.text)).collect()
    }

    #[test]
    fn causes_that_differ_only_in_accounts_and_request_ids_are_one() {
        let text = |account: &str, id: &str| {
            format!("failed: role arn:aws:iam::{account}:role/x exists (Request ID: {id})")
        };
        let first = text("111122223333", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0");
        let second = text("444455556666", "1f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f1");
        assert_eq!(
            groups(&[("acme", &first), ("bolt", &second)]),
            [(2, "failed: role … exists (Request ID: …)".to_owned())]
        );
        assert_eq!(groups(&[("acme", &first)]), [(1, first)]);
    }

    #[test]
    fn other_causes_stay_apart() {
        assert_eq!(groups(&[("acme", "failed: a"), ("bolt", "failed: b")]).len(), 2);
    }

    #[test]
    fn the_largest_group_comes_first_and_names_three_stacks() {
        let mut grouping = Grouping::default();
        for tenant in ["alpha", "bravo", "charlie", "delta"] {
            grouping.add(&record(tenant, "scan-api", Weight::Stuck, "failed", "failed: b"));
        }
        grouping.add(&record("echo", "scan-api", Weight::Stuck, "failed", "failed: a"));
        let groups = grouping.groups();
        assert_eq!(groups[0].count, 4);
        assert_eq!(groups[0].examples.len(), EXAMPLES);
    }
}
