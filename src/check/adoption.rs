//! Which stacks services take over: patterns with their variables filled in, and whether two services
//! of a tenant would take the same stack.

use std::collections::BTreeMap;

use crate::check::error;
use crate::desired::{Desired, Hole, Wanted};
use crate::fleet::{Adoption, Gathering, Glob, Service};

/// The patterns of every stack that is to be taken over.
pub(super) fn check(desired: &Desired, findings: &mut Gathering) {
    for stacks in desired.stacks.values() {
        let mut patterns: BTreeMap<String, &Wanted> = BTreeMap::new();
        for wanted in stacks.values() {
            let Some(pattern) = pattern(desired, wanted, findings) else { continue };
            match patterns.get(&pattern.to_string()) {
                Some(other) => ambiguous(&other.service, wanted, &pattern, findings),
                None => {
                    patterns.insert(pattern.to_string(), wanted);
                }
            }
        }
    }
}

const POINTER: [&str; 3] = ["spec", "adopt", "match"];

/// The pattern of one stack; `None` where there is none, or it is wrong.
fn pattern(desired: &Desired, wanted: &Wanted, findings: &mut Gathering) -> Option<Glob> {
    let adoption = wanted.service.adopt.as_ref()?;
    let resolved = desired.scope(wanted).resolve(&adoption.pattern, &|_, _| None);
    let (message, help) = match resolved.map(|text| Adoption::check(&text)) {
        Ok(Ok(pattern)) => return Some(pattern),
        Ok(Err((message, help))) => (message, help.to_owned()),
        Err(Hole::Label(label)) => (
            format!("the tenant has no label `{label}`"),
            format!("add the label `{label}` to the tenant, or use another variable"),
        ),
        // Refused where the document is read.
        Err(Hole::Output { .. } | Hole::OutOfScope(_)) => return None,
    };
    let mut complaint = error(&wanted.service.source, &POINTER, "bad-adopt-pattern");
    complaint.help = Some(help);
    findings.add(complaint, Some(&whom(wanted)), message);
    None
}

fn ambiguous(other: &Service, wanted: &Wanted, pattern: &Glob, findings: &mut Gathering) {
    let mut complaint = error(&wanted.service.source, &POINTER, "ambiguous-adoption");
    complaint.help = Some("make one of them narrower: what fits both belongs to that one".into());
    let message = format!(
        "the services `{}` and `{}` would take over the same stacks: those that fit `{pattern}`",
        other.name, wanted.service.name
    );
    findings.add(complaint, Some(&whom(wanted)), message);
}

fn whom(wanted: &Wanted) -> String {
    format!("tenant `{}`", wanted.tenant.name)
}
