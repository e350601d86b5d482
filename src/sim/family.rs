//! The nested stacks below the stack whose operation is worked out, as they will be meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::sim::state::{Place, Resource};
use crate::sim::status::Status;

/// The type of a nested stack in its parent's template.
pub(crate) const NESTED_STACK: &str = "AWS::CloudFormation::Stack";

/// One nested stack.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: Arc<str>,
    pub(crate) status: Status,
    pub(crate) records: BTreeMap<String, Resource>,
    /// What it goes back to, from the beginning of an update to its very end.
    pub(crate) previous: Option<BTreeMap<String, Resource>>,
    pub(crate) cleanup: Option<Cleanup>,
}

/// What a nested stack still has to delete: it does so with its root, when all have succeeded.
#[derive(Clone, Debug)]
pub(crate) struct Cleanup {
    pub(crate) before: BTreeMap<String, Resource>,
    /// Logical ids.
    pub(crate) wanted: BTreeSet<String>,
}

/// Nested stacks of all levels by ARN.
pub(crate) type Family = BTreeMap<Arc<str>, Member>;

/// The nested stacks that stand below a stack with these resources.
pub(crate) fn family(place: Option<&Place>, records: &BTreeMap<String, Resource>) -> Family {
    let mut family = Family::new();
    if let Some(place) = place {
        gather(place, records, &mut family);
    }
    family
}

fn gather(place: &Place, records: &BTreeMap<String, Resource>, family: &mut Family) {
    for record in records.values().filter(|record| &*record.kind == NESTED_STACK) {
        let found = place.find(&record.physical_id);
        let Some(stack) = found.filter(|stack| stack.status != Status::DELETE_COMPLETE) else {
            continue;
        };
        let previous = stack.previous.as_ref().map(|previous| previous.resources.clone());
        // One that went back while another could not has not cleaned up yet.
        let went_back = stack.status == Status::UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS;
        let cleanup = previous.as_ref().filter(|_| went_back).map(|previous| Cleanup {
            before: stack.resources.clone(),
            wanted: previous.keys().cloned().collect(),
        });
        let member = Member {
            name: stack.name.clone(),
            status: stack.status.clone(),
            records: stack.resources.clone(),
            previous,
            cleanup,
        };
        family.insert(stack.id.clone(), member);
        gather(place, &stack.resources, family);
    }
}
