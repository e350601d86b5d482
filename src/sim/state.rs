//! What an account of the simulated cloud holds. All of it is data: it is written to a file as it is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ids::{AccountId, Region};
use crate::moment::Moment;
use crate::sim::drift::{Drift, Verdict};
use crate::sim::reality::Live;
use crate::sim::status::Status;

/// AWS keeps the events of ninety days; this many of the newest are enough for every reader.
const EVENTS_KEPT: usize = 500;

/// One AWS account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    /// Raised by every change, so that the next identifier is never one that was used before.
    pub(crate) counter: u64,
    pub(crate) seed: u64,
    /// What a caller must say to assume a role here.
    pub(crate) external_id: Option<String>,
    pub(crate) regions: BTreeMap<Region, Place>,
}

/// One region of an account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    /// By name.
    pub(crate) stacks: BTreeMap<String, Stack>,
    /// By ARN.
    pub(crate) deleted: BTreeMap<String, Stack>,
    /// What `stacks` was after each change, the oldest first; empty unless the cloud remembers.
    #[serde(skip)]
    pub(crate) past: VecDeque<(Moment, BTreeMap<String, Stack>)>,
}

/// One stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stack {
    pub(crate) id: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) status: Status,
    pub(crate) reason: Option<String>,
    pub(crate) created_at: Moment,
    pub(crate) updated_at: Option<Moment>,
    pub(crate) deleted_at: Option<Moment>,
    pub(crate) definition: Definition,
    pub(crate) outputs: BTreeMap<String, Output>,
    /// Names of the exports that it imports.
    pub(crate) imports: Vec<String>,
    pub(crate) resources: BTreeMap<String, Resource>,
    /// Oldest first.
    pub(crate) events: VecDeque<Event>,
    /// By name.
    pub(crate) change_sets: BTreeMap<String, ChangeSet>,
    pub(crate) protected: bool,
    pub(crate) policy: Option<String>,
    pub(crate) disable_rollback: bool,
    /// Token and request of every operation.
    pub(crate) tokens: Vec<(String, String)>,
    pub(crate) operation: Option<Operation>,
    /// What an update rolls back to.
    pub(crate) previous: Option<Box<Previous>>,
    /// Whose nested stack it is.
    #[serde(default)]
    pub(crate) nested: Option<Descent>,
    /// What drift detections found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) drift: Option<Box<Drift>>,
}

/// The ancestors of a nested stack, by ARN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Descent {
    pub(crate) parent: Arc<str>,
    pub(crate) root: Arc<str>,
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Definition {
    /// Key of the template's text in the library.
    pub(crate) template: Arc<str>,
    pub(crate) description: Option<String>,
    pub(crate) parameters: BTreeMap<String, ParameterValue>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) capabilities: Vec<String>,
}

/// The value of one template parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ParameterValue {
    pub(crate) value: String,
    /// For a parameter of an SSM type: what the named SSM parameter holds.
    pub(crate) resolved: Option<String>,
    pub(crate) no_echo: bool,
}

/// One output of a stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Output {
    pub(crate) value: String,
    pub(crate) description: Option<String>,
    pub(crate) export: Option<String>,
}

/// One resource of a stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Resource {
    pub(crate) kind: Arc<str>,
    pub(crate) physical_id: Arc<str>,
    /// Evaluated, as JSON.
    pub(crate) properties: Arc<str>,
    /// The resource's `Metadata`, as JSON.
    pub(crate) metadata: Arc<str>,
    /// Logical ids.
    pub(crate) depends_on: Vec<String>,
    pub(crate) deletion: DeletionPolicy,
    /// Whether a replaced one stays.
    pub(crate) keep_replaced: bool,
    pub(crate) status: Status,
    pub(crate) reason: Option<String>,
    pub(crate) changed_at: Moment,
    /// What it really is, where that is not what it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) live: Option<Box<Live>>,
    /// Whether a rollback has left it as it was, so that detections do not look at it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) skipped: bool,
}

/// What becomes of a resource that leaves its stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DeletionPolicy {
    Delete,
    Retain,
    RetainExceptOnCreate,
}

/// One line of a stack's history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) number: u64,
    pub(crate) at: Moment,
    /// `None` for the stack itself.
    pub(crate) resource: Option<EventResource>,
    pub(crate) status: Status,
    pub(crate) reason: Option<String>,
    pub(crate) token: Option<Arc<str>>,
}

/// The resource that an event is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EventResource {
    pub(crate) logical_id: Arc<str>,
    pub(crate) kind: Arc<str>,
    pub(crate) physical_id: Option<Arc<str>>,
}

/// What runs on a stack: everything that will happen to it, in order of time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Operation {
    pub(crate) token: Option<Arc<str>>,
    pub(crate) steps: VecDeque<Step>,
}

/// One thing that will happen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) at: Moment,
    pub(crate) effect: Effect,
}

/// What happens in a step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Effect {
    /// The stack takes a status.
    Stack { status: Status, reason: Option<String> },
    /// A resource takes a status; an old one that is being replaced only leaves an event.
    Resource { resource: EventResource, status: Status, reason: Option<String>, becomes: Becomes },
    /// An update or creation has succeeded.
    Succeed { outputs: BTreeMap<String, Output>, imports: Vec<String> },
    /// A rollback has given up the new definition.
    Restore,
    /// A rollback has ended: there is nothing left to go back to.
    Forget,
    /// The effect is on another stack of this name, a nested one of the stack whose operation runs.
    Of { stack: Arc<str>, effect: Box<Effect> },
    /// A nested stack comes into being.
    Begin(Box<Stack>),
    /// A drift-aware update of a nested stack is about to begin: it goes back to what really was.
    Remember,
    /// An update of a nested stack begins.
    Redefine(Box<Definition>),
    /// An update of a nested stack has succeeded, and may still be taken back with its root.
    Settle { outputs: BTreeMap<String, Output>, imports: Vec<String> },
}

/// What becomes of the record of a resource.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Becomes {
    Same,
    /// The record; of a resource that was there, only the properties that differ are written.
    Record(Box<Resource>),
    /// The record, and what it says of reality too.
    Real(Box<Resource>),
    Gone,
    /// Nothing: the event is about something that the stack no longer counts.
    Other,
}

/// What an update started from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Previous {
    pub(crate) definition: Definition,
    pub(crate) resources: BTreeMap<String, Resource>,
    /// Outputs and imports of a nested stack: its update may be taken back after it has succeeded.
    #[serde(default)]
    pub(crate) outputs: Option<(BTreeMap<String, Output>, Vec<String>)>,
}

/// One change set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ChangeSet {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) creates: bool,
    pub(crate) created_at: Moment,
    pub(crate) ready_at: Moment,
    /// `None`: it can be executed; else why it failed.
    pub(crate) failure: Option<String>,
    pub(crate) obsolete: bool,
    pub(crate) executed: bool,
    pub(crate) definition: Definition,
    pub(crate) changes: Vec<Change>,
    pub(crate) token: Option<String>,
    pub(crate) on_failure: Option<String>,
    pub(crate) express: bool,
    pub(crate) disable_rollback: Option<bool>,
    /// Of a drift-aware change set: whether the stack has drifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reverts: Option<Verdict>,
    /// Whether it looks into nested stacks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) nested: bool,
    /// Of a nested stack: the change sets that it was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) above: Option<SetDescent>,
}

/// The ancestors of the change set of a nested stack, by ARN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SetDescent {
    pub(crate) parent: String,
    pub(crate) root: String,
}

/// One change of a change set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Change {
    /// `Add`, `Modify` or `Remove`.
    pub(crate) action: String,
    pub(crate) logical_id: String,
    pub(crate) physical_id: Option<String>,
    pub(crate) kind: String,
    /// `True`, `False` or `Conditional`; only for `Modify`.
    pub(crate) replacement: Option<String>,
    pub(crate) scope: Vec<String>,
    pub(crate) details: Vec<ChangeDetail>,
    /// What becomes of the old resource: `Delete`, `Retain`, ...
    pub(crate) policy_action: Option<String>,
    /// Only in a drift-aware change set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) drift: Option<ChangeDrift>,
    /// ARN of the change set of a nested stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) change_set: Option<String>,
}

/// What a drift-aware change set says of a resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChangeDrift {
    /// AWS's word, such as `MODIFIED`.
    pub(crate) status: String,
    /// Paths of properties that it leaves as they are, with the reasons.
    pub(crate) ignored: Vec<(String, String)>,
}

/// Why one property changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChangeDetail {
    pub(crate) attribute: String,
    pub(crate) name: Option<String>,
    pub(crate) recreation: String,
    pub(crate) evaluation: String,
    pub(crate) source: String,
    pub(crate) cause: Option<String>,
    /// Of a property whose values are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) values: Option<Box<ChangeValues>>,
}

/// What a property is before and after a change, as it may be shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChangeValues {
    /// A JSON pointer.
    pub(crate) path: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    /// Whether nothing is written, since the template follows what really is.
    pub(crate) follows: bool,
    /// In a drift-aware change set: the value of the last deployment and the real one, where they
    /// differ.
    pub(crate) drift: Option<(Option<String>, Option<String>)>,
}

impl Account {
    /// An account in which nothing was ever done.
    pub(crate) fn new(id: AccountId, seed: u64) -> Self {
        Self { id, counter: 0, seed, external_id: None, regions: BTreeMap::new() }
    }

    /// A UUID that is used nowhere else, the same in every run of the same seed.
    pub(crate) fn next_uuid(&mut self) -> String {
        let digest = self.next_digest("uuid");
        let hex = hex::encode(&digest[..16]);
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }

    /// The random part of a generated physical id: twelve letters and digits.
    pub(crate) fn next_suffix(&mut self) -> String {
        const LETTERS: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        let digest = self.next_digest("suffix");
        digest[..12].iter().map(|byte| char::from(LETTERS[usize::from(*byte) % 36])).collect()
    }

    fn next_digest(&mut self, purpose: &str) -> [u8; 32] {
        self.counter += 1;
        Sha256::digest(format!("{}/{}/{purpose}/{}", self.seed, self.id, self.counter)).into()
    }
}

impl Place {
    /// A stack by name or ARN, deleted ones by ARN only.
    pub(crate) fn find(&self, name_or_id: &str) -> Option<&Stack> {
        if !name_or_id.starts_with("arn:") {
            return self.stacks.get(name_or_id);
        }
        let name = name_of_arn(name_or_id)?;
        let live = self.stacks.get(name).filter(|stack| &*stack.id == name_or_id);
        live.or_else(|| self.deleted.get(name_or_id))
    }

    /// A stack that is not deleted, by name or ARN.
    pub(crate) fn live_mut(&mut self, name_or_id: &str) -> Option<&mut Stack> {
        if !name_or_id.starts_with("arn:") {
            return self.stacks.get_mut(name_or_id);
        }
        let name = name_of_arn(name_or_id)?;
        self.stacks.get_mut(name).filter(|stack| &*stack.id == name_or_id)
    }

    /// Every export: its name, the exporting stack, the value.
    pub(crate) fn exports(&self) -> BTreeMap<String, (Arc<str>, String)> {
        let outputs = self
            .stacks
            .values()
            .flat_map(|stack| stack.outputs.values().map(move |output| (stack, output)));
        outputs
            .filter_map(|(stack, output)| {
                let export = output.export.clone()?;
                Some((export, (stack.name.clone(), output.value.clone())))
            })
            .collect()
    }

    /// Which stack imports an export of `stack`, if any does: the export and the importer.
    pub(crate) fn import_of(&self, stack: &Stack) -> Option<(String, Arc<str>)> {
        stack.outputs.values().filter_map(|output| output.export.as_ref()).find_map(|export| {
            let importer = self.stacks.values().find(|other| other.imports.contains(export))?;
            Some((export.clone(), importer.name.clone()))
        })
    }
}

/// `arn:aws:cloudformation:eu-central-1:111122223333:stack/NAME/UUID` -> `NAME`
fn name_of_arn(arn: &str) -> Option<&str> {
    arn.split(":stack/").nth(1)?.split('/').next()
}

impl Stack {
    /// A stack in which nothing has happened yet.
    pub(crate) fn new(id: Arc<str>, name: Arc<str>, now: Moment) -> Self {
        Self {
            id,
            name,
            status: Status::REVIEW_IN_PROGRESS,
            reason: None,
            created_at: now,
            updated_at: None,
            deleted_at: None,
            definition: Definition::default(),
            outputs: BTreeMap::new(),
            imports: Vec::new(),
            resources: BTreeMap::new(),
            events: VecDeque::new(),
            change_sets: BTreeMap::new(),
            protected: false,
            policy: None,
            disable_rollback: false,
            tokens: Vec::new(),
            operation: None,
            previous: None,
            nested: None,
            drift: None,
        }
    }

    /// Adds a line to the history.
    pub(crate) fn record(
        &mut self,
        at: Moment,
        resource: Option<EventResource>,
        status: Status,
        reason: Option<String>,
    ) {
        let number = self.events.back().map_or(1, |event| event.number + 1);
        let token = self.operation.as_ref().and_then(|operation| operation.token.clone());
        self.events.push_back(Event { number, at, resource, status, reason, token });
        if self.events.len() > EVENTS_KEPT {
            self.events.pop_front();
        }
    }

    /// Takes a status and says so in the history.
    pub(crate) fn enter(&mut self, at: Moment, status: Status, reason: Option<String>) {
        self.status = status.clone();
        self.reason = reason.clone();
        self.record(at, None, status, reason);
    }

    /// Which request a token was used for before.
    pub(crate) fn request_of(&self, token: &str) -> Option<&str> {
        self.tokens.iter().find(|(known, _)| known == token).map(|(_, request)| request.as_str())
    }
}
