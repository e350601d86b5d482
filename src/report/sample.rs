//! Records to test reports with.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::{StackId, StackKey, Target};
use crate::moment::Moment;
use crate::observed::{Seen, StackStatus};
use crate::outcome::Memory;
use crate::plan::{StackRecord, Verdict, Weight};

/// The moment at which the samples are read: 2026-11-23T20:21:00Z.
pub(crate) const NOW: Moment = Moment::from_millis(1_795_465_260_000);

/// A moment before [`NOW`].
pub(crate) fn minutes_ago(minutes: u64) -> Moment {
    NOW - Duration::from_secs(60 * minutes)
}

/// The home target of a tenant; its account follows from the name.
pub(crate) fn target(tenant: &str) -> Target {
    let number =
        tenant.bytes().fold(0, |number, byte| (number * 31 + u64::from(byte)) % 99_999_989);
    format!("1111{number:08}/eu-central-1").parse().expect("a target")
}

/// The record of a tenant's stack, with this verdict since four minutes.
pub(crate) fn record(
    tenant: &str,
    service: &str,
    weight: Weight,
    code: &str,
    text: &str,
) -> StackRecord {
    let key = StackKey { target: target(tenant), name: service.parse().expect("a name") };
    StackRecord {
        seen: Some(seen(&key)),
        key,
        looked_at: minutes_ago(1),
        wanted: true,
        verdict: Verdict {
            weight,
            code: code.to_owned(),
            text: text.to_owned(),
            help: None,
            approval: None,
            until: None,
        },
        verdict_since: minutes_ago(4),
        memory: Memory {
            tenant: Some(tenant.parse().expect("a tenant")),
            service: Some(service.parse().expect("a service")),
            ..Memory::default()
        },
    }
}

/// A stack that was created two days ago and updated three hours ago.
pub(crate) fn seen(key: &StackKey) -> Seen {
    let arn = format!(
        "arn:aws:cloudformation:{}:{}:stack/{}/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
        key.target.region, key.target.account, key.name
    );
    Seen {
        id: StackId::of(&arn),
        key: key.clone(),
        status: StackStatus::UpdateComplete,
        status_reason: None,
        created_at: minutes_ago(2 * 24 * 60),
        updated_at: Some(minutes_ago(180)),
        parameters: BTreeMap::new(),
        tags: BTreeMap::new(),
        outputs: BTreeMap::new(),
        termination_protection: true,
    }
}
