//! The decision table as a whole: every status against everything that can be wanted.

use std::collections::BTreeMap;

use driftless::desired::Desired;
use driftless::fleet::load;
use driftless::ids::{Digest, Revision, StackId, StackKey, StackName};
use driftless::moment::Moment;
use driftless::observed::{KnownTemplate, Look, Seen, StackStatus, StackVersion, Standing};
use driftless::outcome::{Memory, StepKind};
use driftless::plan::{
    Decided, Decision, Hold, Insight, LeftBehind, Scene, Steering, decide, render,
};
use driftless::snapshot::{Entry, Snapshot};
use driftless::template::Template;
use proptest::prelude::*;

const TEMPLATE: &str = "Resources:\n  Table:\n    Type: AWS::DynamoDB::Table\n";
const NOW: Moment = Moment::from_millis(2_000_000_000_000);

/// What git says of the one stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Present,
    AskedToGo,
    DroppedDelete,
    DroppedRetain,
}

const WISHES: [Wish; 4] =
    [Wish::Present, Wish::AskedToGo, Wish::DroppedDelete, Wish::DroppedRetain];

fn desired(wish: Wish) -> Desired {
    let (absent, selected, removal) = match wish {
        Wish::Present => ("false", "a", "delete"),
        Wish::AskedToGo => ("true", "a", "retain"),
        Wish::DroppedDelete => ("false", "nobody", "delete"),
        Wish::DroppedRetain => ("false", "nobody", "retain"),
    };
    let documents = format!(
        "apiVersion: driftless.dev/v1
kind: Fleet
metadata: {{ name: test }}
spec:
  cloud: simulated
  access: {{ roleArn: \"arn:aws:iam::${{account.id}}:role/driftless\" }}
  regions: [eu-central-1]
---
apiVersion: driftless.dev/v1
kind: Tenant
metadata: {{ name: acme, labels: {{ group: a }} }}
spec:
  account: \"111122223333\"
  regions: [eu-central-1]
  services: {{ db: {{ absent: {absent} }} }}
---
apiVersion: driftless.dev/v1
kind: Service
metadata: {{ name: db }}
spec:
  template: t.yaml
  selector: {{ matchLabels: {{ group: {selected} }} }}
  onRemoval: {removal}
"
    );
    let file = |text: &str| Entry::File(text.as_bytes().into());
    let entries = [("fleet.yaml", file(&documents)), ("t.yaml", file(TEMPLATE))];
    let entries = entries.map(|(path, entry)| (path.to_owned(), entry));
    let snapshot = Snapshot::of(Revision::of("folder"), None, entries.into());
    let (documents, findings) = load(&snapshot);
    let documents = documents.unwrap_or_else(|| panic!("{findings:#?}"));
    Desired::of(snapshot.revision.clone(), documents).0
}

fn key() -> StackKey {
    "111122223333/eu-central-1/db".parse().expect("a key")
}

fn seen(status: StackStatus, updated: u64, protected: bool) -> Seen {
    let tag = |name: &str, value: &str| (format!("driftless:{name}"), value.to_owned());
    Seen {
        id: StackId::of("arn:db"),
        key: key(),
        status,
        status_reason: None,
        created_at: Moment::from_millis(1),
        updated_at: Some(Moment::from_millis(updated)),
        parameters: BTreeMap::new(),
        tags: [tag("fleet", "test"), tag("tenant", "acme"), tag("service", "db")].into(),
        outputs: BTreeMap::new(),
        termination_protection: protected,
    }
}

/// What is remembered of the stack: nothing, or whether it ever was complete.
fn memory(past: Past, version: StackVersion) -> Memory {
    let template = Template::parse(TEMPLATE).expect("a template").returned_digest();
    let id = version.id.clone();
    let known = Some(KnownTemplate { version, template: Some(template), policy: None });
    match past {
        Past::Forgotten => Memory::default(),
        Past::WasComplete => Memory { known, ever_complete: Some(id), ..Memory::default() },
        Past::NeverComplete => Memory { never_complete: Some(id), ..Memory::default() },
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Past {
    Forgotten,
    WasComplete,
    NeverComplete,
}

fn decided(wish: Wish, seen: Option<&Seen>, memory: &Memory) -> Option<Decided> {
    let name: StackName = key().name;
    let stacks = seen.map(|seen| (name.clone(), seen.clone())).into_iter().collect();
    let look = Look { target: key().target, at: NOW, stacks };
    let left = LeftBehind {
        logical_id: "Table".into(),
        kind: "t".into(),
        failed: true,
        reason: "no".into(),
        ..LeftBehind::default()
    };
    let insight = Insight { left_behind: vec![left], ..Insight::default() };
    let decisions = decide(&Scene {
        drifts: &BTreeMap::new(),
        desired: &desired(wish),
        steering: &Steering::default(),
        look: &look,
        memories: &BTreeMap::from([(name.clone(), memory.clone())]),
        insights: &BTreeMap::from([(name.clone(), insight)]),
        former: &[],
        gates: &BTreeMap::new(),
        elsewhere: &driftless::plan::Elsewhere::default(),
        another_controller: None,
        lacks: &|_, _| None,
        keyed_hash: &|text| Digest::of(text.as_bytes()),
        requires_plan: false,
        now: NOW,
    });
    decisions.get(&name).cloned()
}

fn statuses() -> Vec<StackStatus> {
    let odd =
        ["SOMETHING_NEW", "ROLLBACK_COMPLETE_", "UPDATE_ROLLBACK"].map(|word| word.to_owned());
    StackStatus::KNOWN.iter().cloned().chain(odd.map(StackStatus::from)).collect()
}

fn pasts() -> impl Strategy<Value = Past> {
    prop_oneof![Just(Past::Forgotten), Just(Past::WasComplete), Just(Past::NeverComplete)]
}

proptest! {
    #[test]
    fn every_status_and_wish_has_one_decision_and_it_is_safe(
        status in prop::sample::select(statuses()),
        wish in prop::sample::select(WISHES.to_vec()),
        past in pasts(),
        protected in any::<bool>(),
    ) {
        let seen = seen(status.clone(), 5, protected);
        let standing = status.standing();
        let memory = memory(past, seen.version());
        let first = decided(wish, Some(&seen), &memory).map(|one| one.decision);
        prop_assert_eq!(&first, &decided(wish, Some(&seen), &memory).map(|one| one.decision));
        let Some(decision) = first else {
            return Err(TestCaseError::fail("a stack of ours without a decision"));
        };
        let Decision::Step(step) = &decision else {
            if standing == Standing::Complete && wish == Wish::Present {
                prop_assert!(!matches!(decision, Decision::Nothing));
            }
            return Ok(());
        };
        prop_assert!(standing != Standing::Moving, "{step:?} on a moving stack");
        prop_assert!(standing != Standing::Unclear, "{step:?} on an unclear stack");
        prop_assert!(wish != Wish::DroppedRetain, "{step:?} on a retained stack");
        if matches!(step.kind, StepKind::Delete { .. }) {
            let never = standing == Standing::NeverComplete
                || (standing == Standing::DeleteFailed && past == Past::NeverComplete);
            prop_assert!(never || wish != Wish::Present, "deletes a stack that was complete");
            prop_assert!(!protected, "deletes a protected stack without lifting it first");
            prop_assert!(step.is_deletion || (never && wish == Wish::Present));
        }
        if matches!(step.kind, StepKind::Create) {
            prop_assert!(standing == Standing::Gone);
        }
        if let StepKind::Delete { retain } = &step.kind {
            prop_assert_eq!(!retain.is_empty(), standing == Standing::DeleteFailed);
        }
    }

    #[test]
    fn a_stack_of_somebody_else_is_never_touched(
        status in prop::sample::select(statuses()),
        wish in prop::sample::select(WISHES.to_vec()),
        past in pasts(),
    ) {
        let mut theirs = seen(status, 5, false);
        theirs.tags.insert("driftless:fleet".into(), "another".into());
        let memory = memory(past, theirs.version());
        let decision = decided(wish, Some(&theirs), &memory).map(|one| one.decision);
        let step = matches!(decision, Some(Decision::Step(Step { ref kind, .. }))
            if !matches!(kind, StepKind::Create));
        prop_assert!(!step, "{decision:?}");
    }
}

use driftless::plan::Step;

#[test]
fn the_table_reads_as_designed() {
    let mut table = String::new();
    for status in StackStatus::KNOWN {
        for wish in WISHES {
            let seen = seen(status.clone(), 5, false);
            let memory = Memory::default();
            let word = match decided(wish, Some(&seen), &memory).map(|one| one.decision) {
                Some(Decision::InSync) => "in sync".to_owned(),
                Some(Decision::Nothing) | None => "-".to_owned(),
                Some(Decision::Step(step)) => step.kind.word().to_owned(),
                Some(Decision::Hold(hold)) => format!("hold: {}", hold.code()),
            };
            table.push_str(&format!("{status:45} {:15} {word}\n", format!("{wish:?}")));
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn an_unchanged_complete_stack_is_in_sync_and_a_changed_tag_is_not() {
    let mut stack = seen(StackStatus::UpdateComplete, 5, false);
    let memory = memory(Past::WasComplete, stack.version());
    let decision =
        |stack: &Seen| decided(Wish::Present, Some(stack), &memory).expect("decided").decision;
    assert_eq!(decision(&stack), Decision::InSync);
    stack.tags.insert("extra".into(), "tag".into());
    let Decision::Step(step) = decision(&stack) else { panic!("a step") };
    assert_eq!((step.kind.word(), step.why.as_str()), ("prepare-update", "tag extra"));
}

#[test]
fn a_delete_that_failed_behind_our_back_is_held() {
    let stack = seen(StackStatus::DeleteFailed, 5, false);
    for past in [Past::Forgotten, Past::WasComplete] {
        let decision = decided(Wish::Present, Some(&stack), &memory(past, stack.version()));
        let decision = decision.expect("decided").decision;
        assert_eq!(decision, Decision::Hold(Hold::DeleteFailed), "{past:?}");
    }
}

#[test]
fn what_is_rendered_carries_static_ownership_tags_only() {
    let desired = desired(Wish::Present);
    let wanted = desired.wanted(&key()).expect("wanted");
    let rendered = render(&desired.fleet, wanted, &|_, _| None).expect("no outputs needed");
    let tags: Vec<_> = rendered.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(tags, ["driftless:fleet=test", "driftless:service=db", "driftless:tenant=acme"]);
}
