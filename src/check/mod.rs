//! Findings on the joined fleet.

use crate::desired::Desired;
use crate::fleet::Finding;

/// Everything that can be known without AWS.
pub fn check(desired: &Desired) -> Vec<Finding> {
    let _ = desired;
    Vec::new()
}
