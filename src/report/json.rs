//! Reports as JSON for programs. Fields are only ever added; anything else moves the version.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::drift::Signature;
use crate::moment::Moment;
use crate::plan::{ApprovalRequest, Suspension, Weight};
use crate::report::status::{HaltedRollout, StackLine};
use crate::report::{BlindGroup, Event, Explanation, Group, SilentChannel, Status};

/// The `version` field of every JSON report.
pub const FORMAT_VERSION: u32 = 1;

/// All weights, so that a program finds a count for each.
const WEIGHTS: [Weight; 4] = [Weight::Settled, Weight::LeftAlone, Weight::Waiting, Weight::Stuck];

impl Status {
    /// The whole status for programs. Times are RFC 3339 in UTC.
    pub fn json(&self) -> Value {
        let counts: BTreeMap<Weight, usize> =
            WEIGHTS.into_iter().map(|weight| (weight, self.count(weight))).collect();
        json!({
            "version": FORMAT_VERSION,
            "at": time(self.now),
            "headline": self.headline(),
            "needsAttention": self.needs_attention(),
            "stackCount": self.total,
            "tenantCount": self.tenants,
            "counts": counts,
            "revision": self.around.accepted.as_ref().map(|accepted| json!({
                "revision": accepted.revision,
                "committedAt": accepted.committed_at.map(time),
                "acceptedAt": time(accepted.at),
            })),
            "refused": self.around.refused.as_ref().map(|refused| json!({
                "revision": refused.revision,
                "errors": refused.count,
                "findings": refused.findings,
                "at": time(refused.at),
            })),
            "groups": list(&self.groups, group),
            "blind": list(&self.blind, blind),
            "suspensions": list(&self.around.steering.suspensions, suspension),
            "requests": list(&self.around.requests, |(asked, since)| request(asked, Some(*since))),
            "halted": list(&self.around.halted, halted),
            "drifted": list(&self.around.drifted, drifted),
            "silentChannels": list(&self.around.silent, silent),
            "stacks": self.stacks.as_ref().map(|stacks| list(stacks, stack)),
        })
    }
}

impl Explanation {
    /// The whole explanation for programs. Times are RFC 3339 in UTC.
    pub fn json(&self) -> Value {
        let record = &self.record;
        json!({
            "version": FORMAT_VERSION,
            "at": time(self.now),
            "headline": self.headline(),
            "stack": record.key.to_string(),
            "tenant": record.memory.tenant,
            "service": record.memory.service,
            "wanted": record.wanted,
            "onRemoval": record.memory.on_removal,
            "revision": self.accepted.as_ref().map(|accepted| &accepted.revision),
            "verdict": {
                "weight": record.verdict.weight,
                "code": record.verdict.code,
                "text": record.verdict.text,
                "help": record.verdict.help,
                "approval": record.verdict.approval,
                "since": time(record.verdict_since),
            },
            "lookedAt": time(self.looked_at()),
            "blind": self.blind().map(|(blind, since)| json!({
                "reason": blind.reason.to_string(),
                "message": blind.message,
                "since": time(*since),
            })),
            "seen": self.seen_json(),
            "lastStep": self.last_step_json(),
            "lastFailure": self.last_failure_json(),
            "changeSet": record.memory.change_set.as_ref().map(|set| &set.name),
            "suspension": self.suspension.as_ref().map(suspension),
            "request": self.request.as_ref().map(|asked| request(asked, None)),
            "wave": self.wave,
            "history": list(&self.history, event),
        })
    }

    fn seen_json(&self) -> Option<Value> {
        let seen = self.record.seen.as_ref()?;
        Some(json!({
            "id": seen.id,
            "status": seen.status,
            "statusReason": seen.status_reason,
            "createdAt": time(seen.created_at),
            "updatedAt": seen.updated_at.map(time),
            "parameters": seen.parameters,
            "tags": seen.tags,
            "outputs": seen.outputs,
            "terminationProtection": seen.termination_protection,
        }))
    }

    fn last_step_json(&self) -> Option<Value> {
        let attempt = self.record.memory.attempt.as_ref()?;
        Some(json!({
            "step": attempt.kind.word(),
            "attempt": attempt.number,
            "at": time(attempt.at),
            "settled": attempt.settled,
        }))
    }

    fn last_failure_json(&self) -> Option<Value> {
        let failure = self.record.memory.failure.as_ref()?;
        let resource = failure.cause.resource.as_ref();
        Some(json!({
            "step": failure.step,
            "class": failure.cause.class,
            "code": failure.cause.code,
            "text": failure.cause.text,
            "resource": resource.map(|(id, kind)| json!({ "logicalId": id, "type": kind })),
            "count": failure.count,
            "at": time(failure.at),
        }))
    }
}

fn drifted(one: &Signature) -> Value {
    json!({
        "severity": one.severity,
        "service": one.service,
        "resource": one.place,
        "type": one.kind,
        "what": one.what,
        "count": one.stacks.len(),
        "since": time(one.since),
    })
}

fn halted(one: &HaltedRollout) -> Value {
    let HaltedRollout { service, release, halt } = one;
    json!({
        "service": service,
        "release": release.short(),
        "since": time(halt.at),
        "why": halt.why,
        "shared": halt.shared,
        "by": halt.by,
        "reverting": halt.reverting,
    })
}

fn silent(channel: &SilentChannel) -> Value {
    let SilentChannel { name, trouble, waiting } = channel;
    json!({
        "name": name,
        "why": trouble.text,
        "since": time(trouble.since),
        "needsPerson": trouble.needs_person,
        "waiting": waiting,
    })
}

fn time(moment: Moment) -> String {
    moment.to_string()
}

fn list<T>(items: &[T], of: impl Fn(&T) -> Value) -> Vec<Value> {
    items.iter().map(of).collect()
}

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

fn group(group: &Group) -> Value {
    json!({
        "weight": group.weight,
        "code": group.code,
        "text": group.text,
        "count": group.count,
        "examples": texts(&group.examples),
        "help": group.help,
        "approval": group.approval,
        "since": time(group.since),
    })
}

fn blind(group: &BlindGroup) -> Value {
    json!({
        "reason": group.reason.to_string(),
        "message": group.message,
        "targets": texts(&group.targets),
        "since": time(group.since),
    })
}

fn suspension(suspension: &Suspension) -> Value {
    json!({
        "scope": suspension.scope,
        "by": suspension.by,
        "reason": suspension.reason,
        "at": time(suspension.at),
    })
}

fn request(request: &ApprovalRequest, since: Option<Moment>) -> Value {
    json!({
        "id": request.id,
        "kind": request.kind,
        "members": request.members,
        "summary": request.summary,
        "since": since.map(time),
    })
}

fn stack(line: &StackLine) -> Value {
    json!({
        "stack": line.key.to_string(),
        "tenant": line.tenant,
        "service": line.service,
        "status": line.status,
        "wanted": line.wanted,
        "weight": line.verdict.weight,
        "code": line.verdict.code,
        "text": line.verdict.text,
        "help": line.verdict.help,
        "approval": line.verdict.approval,
        "since": time(line.since),
    })
}

fn event(event: &Event) -> Value {
    json!({
        "at": time(event.at),
        "about": event.about.to_string(),
        "kind": event.kind,
        "text": event.text,
    })
}
