//! A preview for programs. Fields are only ever added; anything else moves the version.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cost::{BillLine, FreeLine, UnknownLine};
use crate::drift::Signature;
use crate::fleet::Finding;
use crate::ids::Revision;
use crate::plan::preview::{
    Arrivals, Basis, Deletions, Group, KINDS, Line, Member, Preview, Sample, SampleFound,
    WaveAhead, Waves,
};
use crate::report::output::{
    CostFinding, FORMAT_VERSION, Found, NewTenant, NewTenants, PlanOutput, Planned, PlannedCharge,
    PlannedCost, PlannedDeletions, PlannedDrift, PlannedEffect, PlannedFree, PlannedGroup,
    PlannedLine, PlannedRelease, PlannedSample, PlannedStack, PlannedUnknown, PlannedWave,
    RefusedPlan, value,
};
use crate::report::plan::in_folder;
use crate::report::plan::reviewed::Reviewed;
use crate::template::{Action, Effect, Replaces};

/// The whole preview, with every stack by name.
pub fn json(preview: &Preview) -> Value {
    value(&PlanOutput::Planned(Box::new(planned(preview))))
}

/// What is wrong with a revision that is refused; `folder` is that of the fleet.
pub fn refused_json(revision: &Revision, findings: &[Finding], folder: &str) -> Value {
    value(&PlanOutput::Refused(RefusedPlan {
        version: FORMAT_VERSION,
        refused: true,
        to: revision.as_str().to_owned(),
        findings: list(findings, |finding| found(finding, folder)),
    }))
}

fn list<T, O>(items: &[T], of: impl Fn(&T) -> O) -> Vec<O> {
    items.iter().map(of).collect()
}

fn text(name: Option<&impl ToString>) -> Option<String> {
    name.map(ToString::to_string)
}

fn planned(preview: &Preview) -> Planned {
    let (basis, from, blind_targets) = match &preview.basis {
        Basis::Nothing => ("nothing", None, 0),
        Basis::Revision(from) => ("revision", Some(from.as_str().to_owned()), 0),
        Basis::Live { blind, .. } => ("live", None, *blind),
    };
    let found = preview.counts();
    let mut counts: BTreeMap<&str, usize> = KINDS
        .iter()
        .map(|kind| (kind.code(), found.get(kind).copied().unwrap_or_default()))
        .collect();
    counts.insert("unchanged", preview.unchanged);
    Planned {
        version: FORMAT_VERSION,
        refused: false,
        fleet: preview.fleet.to_string(),
        basis,
        from,
        to: preview.to.as_str().to_owned(),
        changes: preview.has_changes(),
        counts,
        blind_targets,
        deletions: preview.deletions.as_ref().map(deletions),
        new_tenants: list(&preview.arrivals, arrivals),
        releases: list(&preview.releases, release),
        notices: preview.notices.clone(),
        idle_cost: cost(preview),
        drifted: list(&preview.drifted, drifted),
        change_sets: list(&preview.samples, sample),
        reviewed: preview.reviewed.as_ref().map(Reviewed::of),
        settings: list(&preview.settings, line),
        groups: list(&preview.groups, group),
        seen: list(&preview.seen, group),
    }
}

fn found(finding: &Finding, folder: &str) -> Found {
    Found {
        code: finding.code.to_owned(),
        severity: finding.severity,
        path: in_folder(folder, &finding.path),
        line: finding.line,
        column: finding.column,
        message: finding.message.clone(),
        help: finding.help.clone(),
    }
}

fn deletions(deletions: &Deletions) -> PlannedDeletions {
    PlannedDeletions {
        stacks: deletions.stacks,
        tenants: deletions.tenants,
        held: deletions.held.is_some(),
        why: deletions.held.clone(),
        approval: deletions.approval.clone(),
    }
}

fn arrivals(row: &Arrivals) -> NewTenants {
    NewTenants {
        tenants: list(&row.tenants, |(name, account)| NewTenant {
            tenant: name.to_string(),
            account: account.to_string(),
        }),
        order: list(&row.order, |step| list(step, ToString::to_string)),
        regions: list(&row.regions, |region| region.as_str().to_owned()),
        stacks_each: row.stacks_each,
    }
}

fn release(release: &Waves) -> PlannedRelease {
    let wave = |wave: &WaveAhead| PlannedWave {
        wave: wave.name.to_string(),
        stacks: wave.stacks,
        accounts: wave.accounts,
        soak_seconds: wave.soak.as_secs(),
        needs_approval: wave.needs_approval,
    };
    PlannedRelease { service: release.service.to_string(), waves: list(&release.waves, wave) }
}

fn cost(preview: &Preview) -> PlannedCost {
    let bill = &preview.bill;
    PlannedCost {
        usd_per_month: bill.total_added_per_month().as_usd(),
        is_at_least: bill.is_at_least(),
        lines: list(&bill.lines(), charge),
        unknown: list(&bill.unknown(), |line: &UnknownLine| PlannedUnknown {
            direction: line.direction,
            what: line.what.clone(),
            stacks: line.stacks,
            accounts: line.accounts,
        }),
        priced_by_use: list(&bill.by_use(), |line: &FreeLine| PlannedFree {
            r#type: line.kind.clone(),
            resources: line.resources,
            charged_by: line.charged_by,
            stacks: line.stacks,
            accounts: line.accounts,
        }),
        finding: preview.judged.as_ref().map(|(severity, message)| CostFinding {
            severity: severity.to_string(),
            message: message.clone(),
        }),
    }
}

fn charge(line: &BillLine) -> PlannedCharge {
    PlannedCharge {
        direction: line.direction,
        r#type: line.kind.clone(),
        what: line.what.clone(),
        price: line.price.clone(),
        usd_per_unit: line.usd_per_unit.as_usd(),
        source: line.source,
        quantity: line.quantity.map(|quantity| quantity.as_number()),
        stacks: line.stacks,
        accounts: line.accounts,
        usd_per_month: line.usd_per_month.as_usd(),
        at_least: line.at_least,
        maybe: line.maybe,
    }
}

fn drifted(signature: &Signature) -> PlannedDrift {
    PlannedDrift {
        service: text(signature.service.as_ref()),
        resource: signature.place.clone(),
        r#type: signature.kind.clone(),
        what: signature.what.clone(),
        severity: signature.severity.to_string(),
        stacks: list(&signature.stacks, |(key, _)| key.to_string()),
    }
}

fn sample(sample: &Sample) -> PlannedSample {
    let (found, changes, why) = match &sample.found {
        SampleFound::Changes(changes) => ("changes", changes.clone(), None),
        SampleFound::Nothing => ("nothing", Vec::new(), None),
        SampleFound::Failed(why) => ("failed", Vec::new(), Some(why.clone())),
        SampleFound::NotMade(why) => ("not-made", Vec::new(), Some(why.clone())),
    };
    PlannedSample {
        stack: sample.key.to_string(),
        tenant: sample.tenant.to_string(),
        service: sample.service.to_string(),
        found,
        changes,
        why,
    }
}

fn group(group: &Group) -> PlannedGroup {
    PlannedGroup {
        action: group.kind.code(),
        held: group.is_held(),
        service: text(group.service.as_ref()),
        stack_count: group.members.len(),
        tenant_count: group.tenants(),
        target_count: group.targets(),
        lines: list(&group.lines, line),
        effects: list(&group.effects, effect),
        notes: group.notes.clone(),
        stacks: list(&group.members, member),
    }
}

fn effect(effect: &Effect) -> PlannedEffect {
    PlannedEffect {
        logical_id: effect.logical_id.clone(),
        r#type: effect.kind.clone(),
        action: match effect.action {
            Action::Add => "add",
            Action::Remove => "remove",
            Action::Modify => "modify",
        },
        replaces: match effect.replaces {
            Replaces::Never => "never",
            Replaces::Perhaps => "perhaps",
            Replaces::Always => "always",
            Replaces::Unknown => "unknown",
        },
        certain: effect.certain,
        paths: effect.paths.clone(),
        follows: effect.follows.clone(),
        followed: effect.followed.clone(),
        only_tags: effect.only_tags,
    }
}

fn line(line: &Line) -> PlannedLine {
    PlannedLine {
        part: line.part.word(),
        name: line.name.clone(),
        old: line.old.clone(),
        new: line.new.clone(),
        paths: line.paths.clone(),
    }
}

fn member(member: &Member) -> PlannedStack {
    PlannedStack {
        account: member.target.account.to_string(),
        region: member.target.region.as_str().to_owned(),
        stack: text(member.name.as_ref()),
        tenant: text(member.tenant.as_ref()),
        was: member.was.clone(),
        own_name: member.own_name.as_ref().map(ToString::to_string),
    }
}
