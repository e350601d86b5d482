//! A preview for programs. Fields are only ever added; anything else moves the version.

use std::collections::BTreeMap;

use serde_json::{Value, json as object};

use crate::drift::Signature;
use crate::fleet::Finding;
use crate::ids::{AccountId, Revision, TenantName};
use crate::plan::preview::{
    Arrivals, Basis, Group, KINDS, Line, Member, Preview, Sample, SampleFound, WaveAhead, Waves,
};
use crate::report::plan::reviewed::Reviewed;
use crate::template::{Action, Effect, Replaces};

/// The `version` field.
const FORMAT_VERSION: u32 = 1;

/// The whole preview, with every stack by name.
pub fn json(preview: &Preview) -> Value {
    let (basis, from, blind) = match &preview.basis {
        Basis::Nothing => ("nothing", None, 0),
        Basis::Revision(from) => ("revision", Some(from.as_str()), 0),
        Basis::Live { blind, .. } => ("live", None, *blind),
    };
    let found = preview.counts();
    let mut counts: BTreeMap<&str, usize> = KINDS
        .iter()
        .map(|kind| (kind.code(), found.get(kind).copied().unwrap_or_default()))
        .collect();
    counts.insert("unchanged", preview.unchanged);
    object!({
        "version": FORMAT_VERSION,
        "refused": false,
        "fleet": preview.fleet.as_str(),
        "basis": basis,
        "from": from,
        "to": preview.to.as_str(),
        "changes": preview.has_changes(),
        "counts": counts,
        "blindTargets": blind,
        "deletions": preview.deletions.as_ref().map(|deletions| object!({
            "stacks": deletions.stacks,
            "tenants": deletions.tenants,
            "held": deletions.held.is_some(),
            "why": deletions.held,
            "approval": deletions.approval,
        })),
        "newTenants": preview.arrivals.iter().map(arrivals).collect::<Vec<_>>(),
        "releases": preview.releases.iter().map(release).collect::<Vec<_>>(),
        "notices": preview.notices,
        "idleCost": cost(preview),
        "drifted": preview.drifted.iter().map(drifted).collect::<Vec<_>>(),
        "changeSets": preview.samples.iter().map(sample).collect::<Vec<_>>(),
        "reviewed": preview.reviewed.as_ref().map(Reviewed::of),
        "settings": preview.settings.iter().map(line).collect::<Vec<_>>(),
        "groups": preview.groups.iter().map(group).collect::<Vec<_>>(),
    })
}

fn arrivals(row: &Arrivals) -> Value {
    let tenant = |(name, account): &(_, AccountId)| {
        let name: &TenantName = name;
        object!({ "tenant": name, "account": account.to_string() })
    };
    object!({
        "tenants": row.tenants.iter().map(tenant).collect::<Vec<_>>(),
        "order": row.order,
        "regions": row.regions,
        "stacksEach": row.stacks_each,
    })
}

fn release(release: &Waves) -> Value {
    let wave = |wave: &WaveAhead| {
        object!({
            "wave": wave.name,
            "stacks": wave.stacks,
            "accounts": wave.accounts,
            "soakSeconds": wave.soak.as_secs(),
            "needsApproval": wave.needs_approval,
        })
    };
    let waves = release.waves.iter().map(wave).collect::<Vec<_>>();
    object!({ "service": release.service, "waves": waves })
}

/// What is wrong with a revision that is refused.
pub fn refused_json(revision: &Revision, findings: &[Finding]) -> Value {
    object!({
        "version": FORMAT_VERSION,
        "refused": true,
        "to": revision.as_str(),
        "findings": findings,
    })
}

fn group(group: &Group) -> Value {
    object!({
        "action": group.kind.code(),
        "service": group.service.as_ref().map(|service| service.as_str()),
        "stackCount": group.members.len(),
        "tenantCount": group.tenants(),
        "targetCount": group.targets(),
        "lines": group.lines.iter().map(line).collect::<Vec<_>>(),
        "effects": group.effects.iter().map(effect).collect::<Vec<_>>(),
        "notes": group.notes,
        "stacks": group.members.iter().map(member).collect::<Vec<_>>(),
    })
}

fn effect(effect: &Effect) -> Value {
    object!({
        "logicalId": effect.logical_id,
        "type": effect.kind,
        "action": match effect.action {
            Action::Add => "add",
            Action::Remove => "remove",
            Action::Modify => "modify",
        },
        "replaces": match effect.replaces {
            Replaces::Never => "never",
            Replaces::Perhaps => "perhaps",
            Replaces::Always => "always",
            Replaces::Unknown => "unknown",
        },
        "certain": effect.certain,
        "paths": effect.paths,
        "follows": effect.follows,
        "onlyTags": effect.only_tags,
    })
}

/// What the change adds to what the fleet costs while nothing runs.
fn cost(preview: &Preview) -> Value {
    let bill = &preview.bill;
    object!({
        "usdPerMonth": bill.total_added_per_month(),
        "isAtLeast": bill.is_at_least(),
        "lines": bill.lines(),
        "unknown": bill.unknown(),
        "pricedByUse": bill.by_use(),
        "finding": preview.judged.as_ref().map(|(severity, text)| object!({
            "severity": severity.to_string(),
            "message": text,
        })),
    })
}

fn drifted(signature: &Signature) -> Value {
    object!({
        "service": signature.service,
        "resource": signature.place,
        "type": signature.kind,
        "what": signature.what,
        "severity": signature.severity.to_string(),
        "stacks": signature.stacks.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>(),
    })
}

fn sample(sample: &Sample) -> Value {
    let (found, changes, why) = match &sample.found {
        SampleFound::Changes(changes) => ("changes", changes.as_slice(), None),
        SampleFound::Nothing => ("nothing", &[][..], None),
        SampleFound::Failed(why) => ("failed", &[][..], Some(why)),
        SampleFound::NotMade(why) => ("not-made", &[][..], Some(why)),
    };
    object!({
        "stack": sample.key.to_string(),
        "tenant": sample.tenant,
        "service": sample.service,
        "found": found,
        "changes": changes,
        "why": why,
    })
}

fn line(line: &Line) -> Value {
    object!({
        "part": line.part.word(),
        "name": line.name,
        "old": line.old,
        "new": line.new,
        "paths": line.paths,
    })
}

fn member(member: &Member) -> Value {
    object!({
        "account": member.target.account.to_string(),
        "region": member.target.region.as_str(),
        "stack": member.name.as_ref().map(ToString::to_string),
        "tenant": member.tenant.as_ref().map(|tenant| tenant.as_str()),
        "was": member.was,
    })
}
