//! What differs between two Fleet documents, as far as it changes how the fleet is worked on.

use crate::fleet::{Fleet, Money};
use crate::plan::preview::compare::drift_rules;
use crate::plan::preview::{Line, Part};

/// How a field is written.
type Field = fn(&Fleet) -> String;

fn limit(of: Option<Money>) -> String {
    of.map_or_else(|| "none".to_owned(), Money::exact)
}

/// Lines about settings that differ. Parameters and tags show at the stacks.
pub(super) fn settings(old: &Fleet, new: &Fleet) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut add = |name: &str, old: Option<String>, new: Option<String>| {
        if old != new {
            lines.push(Line::of(Part::Setting, name, old, new));
        }
    };
    let fields: [(&str, Field); 15] = [
        ("metadata.name", |fleet| fleet.name.to_string()),
        ("cloud", |fleet| fleet.cloud.to_string()),
        ("access.roleArn", |fleet| fleet.access.role_arn.to_string()),
        ("limits.stacksInFlight", |fleet| fleet.limits.stacks_in_flight.to_string()),
        ("limits.perTarget", |fleet| fleet.limits.per_target.to_string()),
        ("limits.deletes.tenants", |fleet| fleet.limits.deletes.tenants.to_string()),
        ("limits.deletes.stacks", |fleet| fleet.limits.deletes.stacks.to_string()),
        ("limits.deletes.percent", |fleet| fleet.limits.deletes.percent.to_string()),
        ("resync", |fleet| format!("{} s", fleet.resync.as_secs())),
        ("suspend", |fleet| fleet.suspend.to_string()),
        ("requirePlan", |fleet| fleet.requires_plan.to_string()),
        ("idleCost.warnAbove", |fleet| limit(fleet.idle_cost.warn_above)),
        ("idleCost.failAbove", |fleet| limit(fleet.idle_cost.fail_above)),
        ("idleCost.forbid", |fleet| match fleet.idle_cost.forbid.as_slice() {
            [] => "nothing".to_owned(),
            patterns => patterns.join(", "),
        }),
        ("freeze", |fleet| {
            let windows: Vec<String> = fleet.freeze.iter().map(ToString::to_string).collect();
            if windows.is_empty() { "none".to_owned() } else { windows.join("; ") }
        }),
    ];
    for (name, of) in fields {
        add(name, Some(of(old)), Some(of(new)));
    }
    let (before, after) = (&old.access.external_id, &new.access.external_id);
    if before != after {
        let veil = |id: &Option<String>, text: &str| id.as_ref().map(|_| text.to_owned());
        add("access.externalId", veil(before, "one"), veil(after, "another"));
    }
    for (name, before, after) in drift_rules(&old.drift, &new.drift) {
        add(&format!("drift.{name}"), Some(before), Some(after));
    }
    let whole: [(&str, bool); 4] = [
        ("rollout", old.rollout != new.rollout),
        ("notify", old.notify != new.notify),
        ("idleCost.prices", old.idle_cost.prices != new.idle_cost.prices),
        ("limits.driftCalls", old.limits.drift_calls != new.limits.drift_calls),
    ];
    for (name, _) in whole.into_iter().filter(|(_, differs)| *differs) {
        add(name, Some("as it was".to_owned()), Some("otherwise".to_owned()));
    }
    let mut regions: Vec<_> = old.regions.keys().chain(new.regions.keys()).collect();
    regions.sort();
    regions.dedup();
    for region in regions {
        let word = |fleet: &Fleet| {
            let retired = fleet.regions.get(region)?;
            Some(if *retired { "retired" } else { "in use" }.to_owned())
        };
        add(&format!("region {region}"), word(old), word(new));
    }
    lines
}
