//! Puts stacks with the very same change together.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::ids::{Digest, ServiceName};
use crate::plan::preview::{Group, Kind, Line, Member};

/// What the stacks of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Common {
    pub(super) kind: Kind,
    pub(super) service: Option<ServiceName>,
    /// What changes besides the template.
    pub(super) lines: Vec<Line>,
    /// Two templates that differ: what differs is written down once a group, not once a stack.
    pub(super) templates: Option<(Digest, Digest)>,
    /// Which of several things happens to their resources.
    pub(super) variant: usize,
    pub(super) notes: Vec<String>,
}

/// Groups in the making; `T` is kept of the first stack of each.
pub(super) struct Grouping<T>(BTreeMap<Common, (T, Vec<Member>)>);

impl<T> Default for Grouping<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Grouping<T> {
    pub(super) fn add(&mut self, common: Common, first: T, member: Member) {
        self.0.entry(common).or_insert_with(|| (first, Vec::new())).1.push(member);
    }

    /// The groups in the order of reports; `finish` completes each from its first stack.
    pub(super) fn finish(self, finish: impl Fn(&Common, &T, &mut Group)) -> Vec<Group> {
        let mut groups: Vec<Group> = self
            .0
            .into_iter()
            .map(|(common, (first, mut members))| {
                members.sort();
                let mut group = Group {
                    kind: common.kind,
                    service: common.service.clone(),
                    lines: common.lines.clone(),
                    effects: Vec::new(),
                    notes: common.notes.clone(),
                    members,
                };
                finish(&common, &first, &mut group);
                group
            })
            .collect();
        let key = |group: &Group| {
            // What a person has to approve comes before what just goes.
            let (held, size) = (Reverse(group.is_held()), Reverse(group.members.len()));
            (group.kind, group.service.clone(), held, size)
        };
        groups.sort_by(|a, b| {
            let rest = || (&a.lines, &a.notes, &a.members).cmp(&(&b.lines, &b.notes, &b.members));
            key(a).cmp(&key(b)).then_with(rest)
        });
        groups
    }
}
