//! Freeze windows against the tenants: a window that holds nobody, tenants that are always held.

use std::collections::BTreeMap;

use crate::check::error;
use crate::desired::Desired;
use crate::fleet::{Freeze, Gathering, Severity, Tenant, never_close};

/// The checks, one line each.
pub(super) fn check(desired: &Desired, findings: &mut Gathering) {
    holds_nobody(desired, findings);
    always_frozen(desired, findings);
}

fn holds_nobody(desired: &Desired, findings: &mut Gathering) {
    for (index, window) in desired.fleet.freeze.iter().enumerate() {
        let is_held = |tenant: &Tenant| window.selector.matches(&tenant.labels);
        if desired.gaps.tenants || desired.tenants.values().any(|tenant| is_held(tenant)) {
            continue;
        }
        let index = index.to_string();
        let pointer = ["spec", "freeze", &index, "selector"];
        let mut complaint = error(&desired.fleet.source, &pointer, "selects-nobody");
        complaint.severity = Severity::Warning;
        complaint.help = Some("correct the selector, or the labels of tenants".into());
        findings.add(complaint, None, format!("the window {window} holds no tenant"));
    }
}

/// Several windows may together leave some tenants no time at all; a single one is refused where it
/// is read.
fn always_frozen(desired: &Desired, findings: &mut Gathering) {
    let windows = &desired.fleet.freeze;
    let mut known: BTreeMap<Vec<usize>, bool> = BTreeMap::new();
    for tenant in desired.tenants.values() {
        let held = |window: &Freeze| window.selector.matches(&tenant.labels);
        let indices = (0..windows.len()).filter(|index| held(&windows[*index])).collect();
        // Most tenants have the same windows, and trying them out takes a while.
        let is_always = *known.entry(indices).or_insert_with_key(|indices| {
            never_close(&indices.iter().map(|index| &windows[*index]).collect::<Vec<_>>())
        });
        if !is_always {
            continue;
        }
        let mut complaint = error(&desired.fleet.source, &["spec", "freeze"], "always-frozen");
        complaint.severity = Severity::Warning;
        complaint.help =
            Some("shorten one of them, or narrow its selector; `suspend: true` has no end".into());
        let whom = format!("tenant `{}`", tenant.name);
        let message = "the windows together leave no time to deploy in".to_owned();
        findings.add(complaint, Some(&whom), message);
    }
}
