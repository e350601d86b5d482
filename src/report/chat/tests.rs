//! What messages look like. After an intended change:
//! `INSTA_UPDATE=always cargo test --lib chat`.

use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::ids::{Digest, Revision};
use crate::observed::{Blind, BlindReason};
use crate::plan::{ApprovalKind, ApprovalRequest, Steering, TargetRecord, Weight};
use crate::report::announcements::conditions::{self, Stuck};
use crate::report::announcements::tests::channel;
use crate::report::announcements::{
    Condition, Facts, Happening, Message, Told, Topic, due, test_message,
};
use crate::report::sample::{NOW, minutes_ago, record, target};
use crate::report::{HaltedRollout, RefusedRevision};
use crate::rollout::Halt;

const CAUSE: &str =
    "failed: Queue (AWS::SQS::Queue): CREATE_FAILED: scans already exists in stack x";

/// The one message about what holds.
fn told(conditions: &[Condition]) -> Message {
    let mut told = Told::default();
    let facts = Facts { fleet: "gloves-prod", conditions, happenings: &[], now: NOW };
    let mut messages = due(&channel(), &mut told, &facts);
    assert_eq!(messages.len(), 1, "{messages:#?}");
    messages.remove(0)
}

/// A payload as a person sees it: its texts from above, a line each.
fn seen(payload: &str) -> String {
    let payload: Value = serde_json::from_str(payload).expect("JSON");
    let mut text = String::new();
    for part in ["blocks", "attachments"] {
        payload.get(part).into_iter().for_each(|part| texts(part, &mut text));
    }
    text
}

fn texts(value: &Value, out: &mut String) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| texts(one, out)),
        Value::Object(fields) => match fields.get("text") {
            Some(Value::String(text)) => {
                out.push_str(text);
                out.push('\n');
            }
            Some(other) => texts(other, out),
            None => {
                let inner = ["elements", "content", "body", "items", "inlines"];
                inner.iter().filter_map(|key| fields.get(*key)).for_each(|one| texts(one, out));
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn failures(tenants: usize) -> Vec<Condition> {
    let stuck = (0..tenants).filter_map(|number| {
        let mut record =
            record(&format!("tenant-{number:02}"), "queues", Weight::Stuck, "failed", CAUSE);
        record.verdict.help = Some("change the template or a parameter in git".to_owned());
        record.verdict_since = minutes_ago(20);
        Stuck::of(&record)
    });
    conditions::of_failures(&stuck.collect::<Vec<_>>(), 240)
}

fn halted() -> Vec<Condition> {
    let halt = |why: &str, by: Option<&str>, reverting| HaltedRollout {
        service: if reverting { "queues" } else { "scan-api" }.parse().expect("a name"),
        release: Digest::of(why.as_bytes()),
        halt: Halt {
            at: minutes_ago(7),
            why: why.to_owned(),
            shared: None,
            by: by.map(str::to_owned),
            reverting,
        },
    };
    let why = "4 of 20 failed in wave all, all in us-east-1: Queue (AWS::SQS::Queue): CREATE_FAILED: \
               scans already exists";
    conditions::of_rollouts(&[halt(why, None, true)])
}

fn refused() -> Option<Condition> {
    conditions::of_revision(Some(&RefusedRevision {
        revision: Revision::of("fedcba9876543210fedcba9876543210fedcba98"),
        findings:
            "tenants/acme.yaml:3:9: `acmé` is not a name\nservices/api/service.yaml:7:3: the \
                   template has no parameter `Sice`\n"
                .to_owned(),
        count: 2,
        at: minutes_ago(2),
    }))
}

fn questions() -> Vec<Condition> {
    let deletions = ApprovalRequest::of(
        ApprovalKind::Deletions,
        ["arn:aws:cloudformation:eu-central-1:111122223333:stack/scan-api/0f1e".to_owned()].into(),
        "1 stack of 1 tenant would be deleted; 0 tenants a day may be".to_owned(),
    );
    let wave = ApprovalRequest::of(
        ApprovalKind::Wave,
        ["scan-api: all of 0123".to_owned()].into(),
        "wave all of scan-api may begin".to_owned(),
    );
    let requests = [(deletions, minutes_ago(1)), (wave, minutes_ago(3))];
    conditions::of_requests(&requests, &Steering::default(), NOW)
}

fn blind() -> Vec<Condition> {
    let records: Vec<TargetRecord> = (0..30)
        .map(|number| TargetRecord {
            target: target(&format!("tenant-{number}")),
            looked_at: None,
            blind: Some((
                Blind {
                    reason: BlindReason::AccessDenied,
                    message:
                        "User: arn:aws:iam::999988887777:user/x is not authorized to perform: \
                              sts:AssumeRole"
                            .to_owned(),
                },
                minutes_ago(300),
            )),
            blind_looks: 4,
        })
        .collect();
    conditions::of_blind(&records, 60)
}

#[test]
fn each_kind_of_news_reads_well_in_slack() {
    let all = [
        told(&failures(12)),
        told(&failures(1)),
        told(&halted()),
        told(&refused().into_iter().collect::<Vec<_>>()),
        told(&questions()),
        told(&blind()),
    ];
    let drawn: Vec<String> = all.iter().map(|message| seen(&slack(message))).collect();
    insta::assert_snapshot!(drawn.join("\n-----\n\n"));
}

/// Many things of all kinds and transitions.
fn everything() -> Message {
    let (mut told, day) = (Told::default(), Duration::from_secs(86_400));
    let at = |conditions: &[Condition], told: &mut Told, now| {
        due(&channel(), told, &Facts { fleet: "gloves-prod", conditions, happenings: &[], now })
    };
    let before: Vec<Condition> = failures(3)
        .into_iter()
        .chain(blind())
        .map(|one| Condition { since: one.since - day, is_urgent: false, ..one })
        .collect();
    at(&before, &mut told, NOW - day);
    let mut now: Vec<Condition> = failures(12);
    now.extend(halted().into_iter().map(|one| Condition { is_urgent: false, ..one }));
    now.extend(questions().into_iter().map(|one| Condition { is_urgent: false, ..one }));
    now.iter_mut().for_each(|one| one.since = minutes_ago(30));
    let happening = Happening {
        key: "rollout/scan-api/0123/began".to_owned(),
        topic: Topic::Rollout,
        title: "A new release of scan-api goes out: 240 stacks get it".to_owned(),
        details: vec!["release 0123456789ab of revision fedcba9876".to_owned()],
        see: "driftless rollout show scan-api".to_owned(),
        at: minutes_ago(9),
    };
    at(&now, &mut told, NOW - Duration::from_secs(1_800));
    let facts =
        Facts { fleet: "gloves-prod", conditions: &now, happenings: &[(1, happening)], now: NOW };
    let mut messages = due(&channel(), &mut told, &facts);
    messages.remove(0)
}

#[test]
fn a_digest_of_everything_has_the_worst_first() {
    let message = everything();
    insta::assert_snapshot!(format!(
        "{}\n-----\n\n{}",
        seen(&slack(&message)),
        seen(&teams(&message))
    ));
}

#[test]
fn an_event_for_programs_has_stable_fields() {
    let event: Value = serde_json::from_str(&cloudevent(&told(&halted()))).expect("JSON");
    insta::assert_snapshot!(format!("{event:#}"));
}

#[test]
fn a_test_message_says_what_it_is() {
    let message = test_message("gloves-prod", &channel(), "anna", NOW);
    insta::assert_snapshot!(seen(&teams(&message)));
}

#[test]
fn nobody_is_called_and_nothing_is_linked_by_what_aws_says() {
    let text = "failed: <!channel> <@U1> <https://evil|here> *bold* `code` ``` & done";
    let record = record("acme", "queues", Weight::Stuck, "failed", text);
    let stuck: Vec<Stuck> = Stuck::of(&record).into_iter().collect();
    let mut conditions = conditions::of_failures(&stuck, 10);
    conditions[0].since = minutes_ago(60);
    let payload = slack(&told(&conditions));
    assert!(!payload.contains("<!") && !payload.contains("<@") && !payload.contains("<http"));
    assert!(payload.contains("&lt;!channel&gt;"), "{payload}");
}
