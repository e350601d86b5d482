//! What holds now, in words for people who know nothing of driftless: one condition for each cause,
//! however many stacks it has.

use std::collections::{BTreeMap, BTreeSet};

use crate::drift::{Severity as DriftSeverity, Signature};
use crate::ids::{Digest, Revision, ServiceName, StackKey};
use crate::moment::Moment;
use crate::observed::BlindReason;
use crate::outcome::without_own;
use crate::plan::{ApprovalKind, ApprovalRequest, StackRecord, Steering, TargetRecord, Weight};
use crate::report::announcements::{Condition, Happening, Severity, Topic};
use crate::report::status::blind;
use crate::report::words::{counted, cut};
use crate::report::{BlindGroup, HaltedRollout, RefusedRevision};
use crate::rollout::{Change, ChangeKind, WaveIndex};

/// Stacks or accounts that are named.
const EXAMPLES: usize = 5;
/// Lines of findings that are shown.
const FINDINGS: usize = 5;
/// Characters of a title: the start of the cause, which the details have in full.
const TITLE: usize = 100;
/// A cause is critical when it holds this part of the fleet, and as many as that.
const CRITICAL_PERCENT: usize = 10;
const CRITICAL_LEAST: usize = 10;

/// A stack that waits for a person or a change in git, without what no announcement needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    key: StackKey,
    who: String,
    code: String,
    text: String,
    /// The text without what is this stack's own: stacks that share it share their cause.
    cause: String,
    help: Option<String>,
    since: Moment,
}

impl Stuck {
    /// A stack that is stuck; `None` for one that is not, and for one that waits for an approval:
    /// that is told as a question.
    pub fn of(record: &StackRecord) -> Option<Self> {
        let verdict = &record.verdict;
        if verdict.weight != Weight::Stuck || verdict.approval.is_some() {
            return None;
        }
        let (tenant, service) = (record.memory.tenant.as_ref(), record.memory.service.as_ref());
        let whose = tenant.zip(service).map(|(tenant, service)| format!("{tenant} {service}"));
        let (tenant, name) = (tenant.map(|tenant| tenant.as_str()), record.key.name.as_str());
        Some(Self {
            key: record.key.clone(),
            who: whose.map_or_else(
                || record.key.to_string(),
                |whose| format!("{whose} ({})", record.key.target),
            ),
            code: verdict.code.clone(),
            cause: without_own(&verdict.text, tenant, Some(name)),
            text: verdict.text.clone(),
            help: verdict.help.clone(),
            since: record.verdict_since,
        })
    }
}

/// Stacks that are stuck, put together by their cause; `total` is how many stacks the fleet has.
pub fn of_failures(stuck: &[Stuck], total: usize) -> Vec<Condition> {
    let mut causes: BTreeMap<(&str, &str), Vec<&Stuck>> = BTreeMap::new();
    for one in stuck {
        causes.entry((&one.code, &one.cause)).or_default().push(one);
    }
    causes.into_iter().map(|((code, cause), all)| failure(code, cause, &all, total)).collect()
}

fn failure(code: &str, cause: &str, all: &[&Stuck], total: usize) -> Condition {
    let first = all[0];
    let text = if all.iter().all(|one| one.text == first.text) { &first.text } else { cause };
    let count = all.len();
    let need = if count == 1 { "needs" } else { "need" };
    let of = match total {
        0 => counted(count, "stack"),
        total => format!("{count} of {}", counted(total.max(count), "stack")),
    };
    let title = match text.strip_prefix("failed: ") {
        Some(cause) => format!("{of} failed: {cause}"),
        None => format!("{of} {need} a person: {text}"),
    };
    let severity = severity(count, total);
    let mut details = Vec::new();
    if title.chars().count() > TITLE {
        details.push(format!("cause: {text}"));
    }
    let help =
        first.help.as_ref().filter(|help| all.iter().all(|one| one.help.as_ref() == Some(help)));
    details.extend(help.map(|help| format!("what to do: {help}")));
    details.push(examples(all.iter().map(|one| one.who.clone()), count));
    Condition {
        key: format!("failure/{code}/{}", Digest::of(cause.as_bytes()).short()),
        topic: Topic::Failure,
        severity,
        is_urgent: severity == Severity::Critical,
        title: cut(&title, TITLE),
        details,
        count,
        see: match all {
            [only] => format!("driftless explain {}", only.key),
            _ => "driftless status".to_owned(),
        },
        since: all.iter().map(|one| one.since).min().unwrap_or_default(),
    }
}

fn severity(count: usize, total: usize) -> Severity {
    let is_wide = count >= CRITICAL_LEAST && count * 100 >= total * CRITICAL_PERCENT;
    if is_wide { Severity::Critical } else { Severity::Warning }
}

/// `for example: a, b, c and 9 more`, or `which: a`
fn examples(all: impl Iterator<Item = String>, count: usize) -> String {
    let named: Vec<String> = all.take(EXAMPLES).collect();
    let (word, more) = match count.saturating_sub(named.len()) {
        0 => ("which", String::new()),
        more => ("for example", format!(" and {more} more")),
    };
    format!("{word}: {}{more}", named.join(", "))
}

/// Accounts that cannot be looked at, by reason; `total` is how many the fleet has.
pub fn of_blind(targets: &[TargetRecord], total: usize) -> Vec<Condition> {
    blind(targets).into_iter().map(|group| unseen(&group, total)).collect()
}

fn unseen(group: &BlindGroup, total: usize) -> Condition {
    let accounts: BTreeSet<_> = group.targets.iter().map(|target| target.account).collect();
    let count = accounts.len();
    let severity = severity(count, total);
    let (of, reason) = (counted(total.max(count), "account"), group.reason.to_string());
    let why = match group.reason {
        BlindReason::AccessDenied => "access is denied".to_owned(),
        BlindReason::WrongAccount => "the role leads into another account".to_owned(),
        BlindReason::Unreachable => "AWS does not answer".to_owned(),
        BlindReason::Throttled => "AWS asks to slow down".to_owned(),
        BlindReason::BaseCredentials => "driftless has no valid credentials of its own".to_owned(),
        BlindReason::ClockSkew => "the clock of driftless's machine is off".to_owned(),
        BlindReason::RoleRefused => "the role cannot be assumed".to_owned(),
        BlindReason::AccessNotReady => "access is not ready".to_owned(),
        BlindReason::RegionOff => "the region is not switched on".to_owned(),
        BlindReason::AccountSuspended => "AWS has suspended the account".to_owned(),
        BlindReason::Malformed | BlindReason::StacksMissing => reason.clone(),
    };
    let mut details = vec![format!("AWS says: {}", group.message)];
    details.extend(group.reason.help().map(|help| format!("what to do: {help}")));
    details.push("nothing is changed there until it can be seen again".to_owned());
    details.push(examples(group.targets.iter().map(ToString::to_string), group.targets.len()));
    Condition {
        key: format!("blind/{}", reason.replace(' ', "-")),
        topic: Topic::Failure,
        severity,
        is_urgent: severity == Severity::Critical,
        title: cut(&format!("{count} of {of} cannot be looked at: {why}"), TITLE),
        details,
        count,
        see: "driftless status".to_owned(),
        since: group.since,
    }
}

/// Releases that no further stack takes. What a person halted is not urgent: somebody knows.
pub fn of_rollouts(halted: &[HaltedRollout]) -> Vec<Condition> {
    let condition = |one: &HaltedRollout| {
        let HaltedRollout { service, release, halt } = one;
        let (what, cause) = halt.why.split_once(": ").unwrap_or((&halt.why, ""));
        let title = match &halt.by {
            Some(by) => format!("{by} halted the rollout of {service}: {}", halt.why),
            None => format!("The rollout of {service} is halted: {what}"),
        };
        let mut details = Vec::new();
        if halt.by.is_none() && !cause.is_empty() {
            details.push(format!("cause: {cause}"));
        }
        details.push(match halt.reverting {
            true => "the stacks that have the release go back to the last good one".to_owned(),
            false => "no further stack takes the release; those that have it keep it".to_owned(),
        });
        if halt.by.is_none() {
            details.push("what to do: correct it in git, and the new release goes out".to_owned());
        }
        details.push(format!("to let it go on as it is: `driftless rollout resume {service}`"));
        let is_urgent = halt.by.is_none();
        Condition {
            key: format!("rollout/{service}#{}", release.short()),
            topic: Topic::Rollout,
            severity: if is_urgent { Severity::Critical } else { Severity::Warning },
            is_urgent,
            title: cut(&title, TITLE),
            details,
            count: 1,
            see: format!("driftless rollout show {service}"),
            since: halt.at,
        }
    };
    halted.iter().map(condition).collect()
}

/// The newest revision, when it is refused.
pub fn of_revision(refused: Option<&RefusedRevision>) -> Option<Condition> {
    let refused = refused?;
    let revision = refused.revision.short();
    // One that goes away by itself is told when it has not.
    let is_unreadable = refused.count == 0 && refused.revision.as_str() == "unreadable";
    let (title, see) = match refused.count {
        0 if is_unreadable => {
            ("The repository of the fleet cannot be read".to_owned(), "driftless status")
        }
        0 => (format!("Revision {revision} is refused"), "driftless status"),
        count => (
            format!("Revision {revision} is refused: it has {}", counted(count, "error")),
            "driftless validate",
        ),
    };
    let lines: Vec<&str> = refused.findings.lines().collect();
    let mut details: Vec<String> =
        lines.iter().take(FINDINGS).map(|line| (*line).to_owned()).collect();
    let more = lines.len().saturating_sub(FINDINGS);
    details.extend((more > 0).then(|| format!("and {more} more lines")));
    details.push("nothing of it is applied: the fleet stays at the last good revision".to_owned());
    Some(Condition {
        key: format!("revision#{revision}"),
        topic: Topic::Revision,
        severity: Severity::Critical,
        is_urgent: !is_unreadable,
        title: cut(&title, TITLE),
        details,
        count: refused.count.max(1),
        see: see.to_owned(),
        since: refused.at,
    })
}

/// What waits for a person's word and has not got it.
pub fn of_requests(
    requests: &[(ApprovalRequest, Moment)],
    steering: &Steering,
    now: Moment,
) -> Vec<Condition> {
    let is_given =
        |id: &str| steering.approvals.iter().any(|given| given.id == id && now < given.expires_at);
    let open = requests.iter().filter(|(request, _)| !is_given(&request.id));
    let mut kinds: BTreeMap<ApprovalKind, Vec<(&ApprovalRequest, Moment)>> = BTreeMap::new();
    for (request, since) in open {
        kinds.entry(request.kind).or_default().push((request, *since));
    }
    let of = |(kind, all): (ApprovalKind, Vec<(&ApprovalRequest, Moment)>)| match all.len() {
        0..=SEPARATE => all.iter().map(|(request, since)| question(request, *since)).collect(),
        _ => vec![questions(kind, &all)],
    };
    kinds.into_iter().flat_map(of).collect()
}

/// More questions of one kind than this are one: nobody reads a hundred.
const SEPARATE: usize = 10;

fn questions(kind: ApprovalKind, all: &[(&ApprovalRequest, Moment)]) -> Condition {
    let named = all.iter().map(|(request, _)| request.summary.clone());
    let mut details = vec![examples(named, all.len())];
    if kind == ApprovalKind::Revert {
        details.push(
            "to say yes to all of one kind: `driftless drift revert --service S --resource R`"
                .to_owned(),
        );
    }
    Condition {
        key: format!("approval/{kind}/many").replace(' ', "-"),
        topic: Topic::Approval,
        severity: Severity::Warning,
        is_urgent: true,
        title: format!("{} of one kind wait for a person: {kind}", counted(all.len(), "question")),
        details,
        count: all.len(),
        see: "driftless approve".to_owned(),
        since: all.iter().map(|(_, since)| *since).min().unwrap_or_default(),
    }
}

fn question(request: &ApprovalRequest, since: Moment) -> Condition {
    let ApprovalRequest { id, kind, members, summary } = request;
    let (key, title) = match kind {
        ApprovalKind::Deletions => {
            (format!("approval/deletions#{id}"), format!("May this be deleted? {summary}"))
        }
        ApprovalKind::Revision => {
            (format!("approval/revision#{id}"), format!("May history be rewritten? {summary}"))
        }
        ApprovalKind::Protected => {
            (format!("approval/protected/{id}"), format!("May this be replaced? {summary}"))
        }
        ApprovalKind::Rename => {
            (format!("approval/rename/{id}"), format!("Is this meant? {summary}"))
        }
        ApprovalKind::Revert => {
            (format!("approval/revert/{id}"), format!("May this be brought back? {summary}"))
        }
        ApprovalKind::Plan => {
            (format!("approval/plan/{id}"), format!("Was this reviewed? {summary}"))
        }
        ApprovalKind::Adoption => {
            (format!("approval/adoption/{id}"), format!("May this be taken over? {summary}"))
        }
        ApprovalKind::Wave => {
            (format!("approval/wave/{id}"), format!("May the next wave begin? {summary}"))
        }
    };
    let mut details = Vec::new();
    if title.chars().count() > TITLE {
        details.push(summary.clone());
    }
    if *kind == ApprovalKind::Deletions {
        details.push(examples(members.iter().cloned(), members.len()));
    }
    details.push(format!("to say yes to exactly this: `driftless approve {id}`"));
    Condition {
        key,
        topic: Topic::Approval,
        severity: Severity::Warning,
        is_urgent: true,
        title: cut(&title, TITLE),
        details,
        // A larger set is another question, not a worse one.
        count: 1,
        see: "driftless approve".to_owned(),
        since,
    }
}

/// Drift, one condition for each signature; `total` is how many stacks the fleet has. None is urgent:
/// each stack is looked into once in a day or so, and a digest comes soon after that.
pub fn of_drift(signatures: &[Signature], total: usize) -> Vec<Condition> {
    signatures.iter().map(|signature| drift(signature, total)).collect()
}

fn drift(signature: &Signature, total: usize) -> Condition {
    let count = signature.stacks.len();
    let service = signature.service.as_ref().map_or("", |service| service.as_str());
    let of = counted(total.max(count), "stack");
    let line = signature.line();
    let title = match signature.place.as_str() {
        "" => format!("{count} of {of} updated by somebody else: {service}"),
        _ => format!("{count} of {of} drifted: {service}: {line}"),
    };
    let (rank, severity, bad) = match signature.severity {
        DriftSeverity::Security => {
            let bad = "security: who may do what, who can reach it, what is encrypted";
            (0, Severity::Critical, bad)
        }
        DriftSeverity::DataLoss => {
            (1, Severity::Critical, "data: gone, or gone sooner than it should be")
        }
        DriftSeverity::Behaviour => {
            (2, Severity::Warning, "behaviour: it works otherwise than git says")
        }
        DriftSeverity::Cosmetic => (3, Severity::Info, "cosmetic: it only looks otherwise"),
    };
    let mut details = vec![format!("how bad: {bad}")];
    if title.chars().count() > TITLE {
        details.push(format!("what: {line}"));
    }
    details.extend(signature.notes.iter().cloned());
    let who = signature.stacks.iter().map(|(key, tenant)| match tenant {
        Some(tenant) => format!("{tenant} ({})", key.target),
        None => key.to_string(),
    });
    details.push(examples(who, count));
    if signature.place.is_empty() {
        details.push("it is brought back to what git says by itself".to_owned());
    } else {
        let property = signature.what.split(' ').next().filter(|path| path.starts_with('/'));
        // A pointer in which places in lists are left open is shortened to what is certain.
        let property = property.map(|path| path.split("/*").next().unwrap_or_default().to_owned());
        let property = property.map(|path| format!(" --property {path}")).unwrap_or_default();
        let which = format!("--service {service} --resource {}{property}", signature.place);
        details.push(format!("to bring it back: `driftless drift revert {which}`"));
        if signature.severity < DriftSeverity::DataLoss {
            details.push(format!("to keep it: `driftless drift accept {which}`"));
        }
    }
    Condition {
        // What is equally urgent stands in the order of its key: the worse first.
        key: format!("drift/{rank}/{}", Digest::of(signature.key().as_bytes()).short()),
        topic: Topic::Drift,
        severity,
        is_urgent: false,
        title: cut(&title, TITLE),
        details,
        count,
        see: "driftless drift report".to_owned(),
        since: signature.since,
    }
}

/// What is told of a change in a rollout: that it began, reached its last wave, or is complete. All
/// else that can happen is a condition. `last` is its last wave; a rollout of one wave is silent.
pub fn of_change(
    service: &ServiceName,
    change: &Change,
    revision: Option<&Revision>,
    last: WaveIndex,
    now: Moment,
) -> Option<Happening> {
    let (word, what) = match change.kind {
        ChangeKind::Began => ("began", "goes out"),
        ChangeKind::Opened(wave) if wave == last => ("last-wave", "reached its last wave"),
        ChangeKind::Completed => ("completed", "is everywhere"),
        ChangeKind::Opened(_)
        | ChangeKind::Halted
        | ChangeKind::Resumed
        | ChangeKind::Reverting
        | ChangeKind::Superseded => return None,
    };
    if change.is_quiet {
        return None;
    }
    let release = change.release.short();
    let at = revision.map_or("", Revision::short);
    let of = revision.map(|revision| format!(" of revision {}", revision.short()));
    Some(Happening {
        key: format!("rollout/{service}/{release}/{at}/{word}"),
        topic: Topic::Rollout,
        title: cut(&format!("A new release of {service} {what}: {}", change.text), TITLE),
        details: vec![format!("release {release}{}", of.unwrap_or_default())],
        see: format!("driftless rollout show {service}"),
        at: now,
    })
}
