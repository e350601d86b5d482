//! What to do with the stacks of one target now: wanted x seen x memory, in order of dependency.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::desired::{Desired, Wanted};
use crate::drift::DriftRecord;
use crate::fleet::{Deployment, Fleet, Protection};
use crate::ids::{Digest, ServiceName, StackId, StackKey, StackName};
use crate::moment::Moment;
use crate::observed::{ChangeSetSeen, ChangesInside, Look, Seen, Standing};
use crate::outcome::{Cause, Memory, StepKind};
use crate::package::Tree;
use crate::plan::protection::NESTED_STACK;
use crate::plan::{
    Elsewhere, Hold, Inside, Lacks, Rendered, Steering, Verdict, Weight, gated, ownership, table,
};
use crate::rollout::{Gate, Release};

/// What was found out about one stack beyond the listing.
#[derive(Clone, Debug, Default)]
pub struct Insight {
    /// Our pending change set as it is now; `None` when it is not there.
    pub change_set: Option<ChangeSetSeen>,
    /// Resources that a failed delete or rollback left behind.
    pub left_behind: Vec<LeftBehind>,
    /// The templates that the stack and its nested stacks have now, where the change set touches nested
    /// stacks and nobody has compared these yet.
    pub live: Option<Tree>,
}

/// A resource that is still there after a failed delete, or as it was before a failed rollback.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftBehind {
    /// Its logical id.
    pub logical_id: String,
    /// Its type.
    pub kind: String,
    /// Whether deleting or rolling back failed; otherwise it was not tried.
    pub failed: bool,
    /// AWS's text about it.
    pub reason: String,
    /// The nested stack that it stands in; `None` for a resource of the stack itself.
    pub within: Option<Within>,
    /// The types of what a nested stack holds; `None` when it could not be looked into, and for
    /// anything else.
    pub holds: Option<BTreeSet<String>>,
}

/// The nested stack that a resource stands in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Within {
    /// Its logical id, below those of the nested stacks that it stands in: `Child/Inner`.
    pub path: String,
    /// Its own name, which is not its logical id.
    pub stack: StackName,
}

impl Within {
    /// Inside a nested stack.
    pub fn of(inside: &Inside) -> Option<Self> {
        let name = inside.stack.as_str().split(":stack/").nth(1)?.split('/').next()?;
        Some(Self { path: inside.path.clone(), stack: name.parse().ok()? })
    }
}

impl LeftBehind {
    /// Its logical id, below those of the nested stacks that it stands in.
    pub fn path(&self) -> String {
        match &self.within {
            Some(within) => format!("{}/{}", within.path, self.logical_id),
            None => self.logical_id.clone(),
        }
    }

    /// What AWS calls it in the list of what a rollback skips.
    pub(super) fn skipped_as(&self) -> String {
        match &self.within {
            Some(within) => format!("{}.{}", within.stack, self.logical_id),
            None => self.logical_id.clone(),
        }
    }

    /// Why it could not be rolled back.
    pub(super) fn cause(&self) -> Cause {
        Cause::of_event("UPDATE_FAILED", &self.reason, &self.path(), &self.kind)
    }

    /// Whether it or anything in it is protected. A nested stack that hides what it holds is.
    pub(super) fn is_protected(&self, protection: &Protection) -> bool {
        let hides = self.kind == NESTED_STACK && self.holds.is_none();
        let holds = self.holds.iter().flatten().any(|kind| protection.covers(kind));
        hides || holds || protection.covers(&self.kind)
    }
}

/// A stack of a tenant in an account that the tenant no longer has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FormerStack {
    /// The service it belongs to.
    pub service: ServiceName,
    /// Its ARN.
    pub id: StackId,
}

/// Everything that the decisions about one target depend on.
pub struct Scene<'a> {
    /// What git says.
    pub desired: &'a Desired,
    /// What people said.
    pub steering: &'a Steering,
    /// What is there.
    pub look: &'a Look,
    /// What was before.
    pub memories: &'a BTreeMap<StackName, Memory>,
    /// What was asked beyond the listing.
    pub insights: &'a BTreeMap<StackName, Insight>,
    /// Stacks of this target's tenant in accounts that it had before.
    pub former: &'a [FormerStack],
    /// What is known of the other regions of this target's tenant.
    pub elsewhere: &'a Elsewhere,
    /// What is known of the drift of stacks here.
    pub drifts: &'a BTreeMap<StackName, DriftRecord>,
    /// Id of another controller that is seen at work here.
    pub another_controller: Option<&'a str>,
    /// Which release each wanted stack may have; one without a gate gets what git says.
    pub gates: &'a BTreeMap<StackName, Gate>,
    /// What the bucket of the target's region lacks for a stack.
    pub lacks: &'a Lacks<'a>,
    /// The keyed hash under which NoEcho values are remembered.
    pub keyed_hash: &'a dyn Fn(&str) -> Digest,
    /// Whether resources are touched as approved plans allow only.
    pub requires_plan: bool,
    /// When the decisions are made.
    pub now: Moment,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// To which stack.
    pub key: StackKey,
    /// What.
    pub kind: StepKind,
    /// The stack as it was seen; `None` for a create.
    pub seen: Option<Seen>,
    /// Digest of what is wanted; of nothing for a delete.
    pub digest: Digest,
    /// Why, as the end of a sentence that starts with the step.
    pub why: String,
    /// Whether the limit on deletions applies.
    pub is_deletion: bool,
}

/// What becomes of one stack now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is as git says.
    InSync,
    /// It is neither wanted nor there.
    Nothing,
    /// One thing is to be done.
    Step(Step),
    /// Nothing is done, for this reason.
    Hold(Hold),
}

/// A decision, and what was wanted when it was made.
#[derive(Clone, Debug)]
pub struct Decided {
    /// What to do.
    pub decision: Decision,
    /// The stack's inputs; `None` for a delete, or when an output is missing.
    pub rendered: Option<Rendered>,
    /// Keyed hashes of the wanted NoEcho values.
    pub no_echo: BTreeMap<String, Digest>,
    /// What is remembered of the stack.
    pub wanted: bool,
    /// The release at which it was decided, where the service has releases.
    pub release: Option<Digest>,
    /// The release that it may not have yet.
    pub behind: Option<Digest>,
    /// What its change set does inside nested stacks, where that was looked into.
    pub inside: Option<ChangesInside>,
}

impl Decision {
    /// Whether a stack that git asks to go, or no longer gives, stays for now: it is not weighed with
    /// those that wait to be deleted.
    pub fn lets_stand(&self) -> bool {
        matches!(self, Self::Hold(Hold::KeptForDependents(_) | Hold::Renamed(_)))
    }

    /// Whether the stack is as it may be now, though a release may wait.
    pub fn is_in_sync(&self) -> bool {
        match self {
            Self::InSync
            | Self::Hold(Hold::WaitsForWave { in_sync: true, .. } | Hold::Revert(_)) => true,
            // What drifted is brought back at the release that the stack has.
            Self::Step(step) => step.kind.reverts(),
            Self::Nothing | Self::Hold(_) => false,
        }
    }

    /// The row that reports show.
    pub fn verdict(&self) -> Verdict {
        let plain = |weight, code: &str, text: String| Verdict {
            weight,
            code: code.to_owned(),
            text,
            help: None,
            approval: None,
            until: None,
        };
        match self {
            Self::InSync => plain(Weight::Settled, "in-sync", "in sync".to_owned()),
            Self::Nothing => {
                let text = "nothing is wanted, and nothing of ours is there".to_owned();
                plain(Weight::Settled, "nothing", text)
            }
            Self::Step(step) => {
                let text = format!("{}: {}", step.kind.word(), step.why);
                plain(Weight::Waiting, step.kind.word(), text)
            }
            Self::Hold(hold) => hold.verdict(),
        }
    }
}

/// Decides about every stack of the target that is wanted or ours. The same scene gives the same
/// decisions.
pub fn decide(scene: &Scene<'_>) -> BTreeMap<StackName, Decided> {
    let none = BTreeMap::new();
    let wanted = scene.desired.stacks.get(&scene.look.target).unwrap_or(&none);
    let mut decided = BTreeMap::new();
    let mut satisfied = BTreeSet::new();
    let mut kept_back = BTreeSet::new();
    for name in in_order_of_dependency(wanted) {
        let outcome = gated::decide(scene, &name, &satisfied, &kept_back);
        if outcome.behind.is_some() {
            kept_back.extend(wanted.get(&name).map(|wanted| wanted.service.name.clone()));
        }
        if is_satisfied(scene.look.stacks.get(&name), &outcome.decision) {
            satisfied.extend(wanted.get(&name).map(|wanted| wanted.service.name.clone()));
        }
        decided.insert(name, outcome);
    }
    for (name, seen) in &scene.look.stacks {
        if !wanted.contains_key(name) && ownership::is_ours(seen, &scene.desired.fleet.name) {
            let case = Case::of(scene, name.clone(), &satisfied, None);
            decided.insert(name.clone(), table::decide_stack(&case));
        }
    }
    decided
}

/// Whether stacks that depend on this one may go on.
fn is_satisfied(seen: Option<&Seen>, decision: &Decision) -> bool {
    let complete = seen.is_some_and(|seen| seen.status.standing() == Standing::Complete);
    match decision {
        Decision::InSync => true,
        // Bringing back what drifted is nobody's dependency.
        Decision::Step(step) if step.kind.reverts() => complete,
        Decision::Hold(Hold::Revert(_)) => complete,
        // Complete at the release that it may have now: nobody waits for one that is not let through.
        Decision::Hold(Hold::WaitsForWave { .. }) => complete,
        // Whoever suspends a service does not want to stop the services that use it as it is.
        Decision::Hold(Hold::Suspended { .. }) => complete,
        Decision::Nothing | Decision::Step(_) | Decision::Hold(_) => false,
    }
}

/// The wanted names, each after the ones that it depends on. `check` refuses cycles; should there
/// be one, its members come last, in order of name.
fn in_order_of_dependency(wanted: &BTreeMap<StackName, Wanted>) -> Vec<StackName> {
    let mut open: Vec<&Wanted> = wanted.values().collect();
    let mut order = Vec::with_capacity(open.len());
    while !open.is_empty() {
        let names: BTreeSet<&ServiceName> =
            open.iter().map(|wanted| &wanted.service.name).collect();
        let blocked =
            |wanted: &Wanted| wanted.depends_on.iter().any(|service| names.contains(service));
        let (later, now): (Vec<&Wanted>, Vec<&Wanted>) =
            open.iter().partition(|wanted| blocked(wanted));
        if now.is_empty() {
            order.extend(later.iter().map(|wanted| wanted.key.name.clone()));
            break;
        }
        order.extend(now.iter().map(|wanted| wanted.key.name.clone()));
        open = later;
    }
    order
}

/// One stack in its scene.
pub(super) struct Case<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) key: StackKey,
    pub(super) wanted: Option<Cow<'a, Wanted>>,
    /// The fleet as the release of the stack has it.
    pub(super) fleet: &'a Fleet,
    /// The release at which it is looked at, where it is not simply as git says.
    pub(super) release: Option<&'a Release>,
    /// Services here that do not have all that git says of them yet.
    pub(super) kept_back: Option<&'a BTreeSet<ServiceName>>,
    /// How the stack is made or updated, if not as its service says.
    pub(super) deployment: Option<Deployment>,
    /// Whether the release after this one was halted, and is taken back.
    pub(super) goes_back: bool,
    /// Why no release may be given to it, where none may.
    pub(super) closed: Option<Hold>,
    pub(super) seen: Option<&'a Seen>,
    pub(super) memory: Memory,
    pub(super) insight: Insight,
    /// What the change set does inside nested stacks, as far as that was worked out.
    pub(super) inside: OnceCell<ChangesInside>,
    /// The services that are complete in this target as far as has been decided.
    pub(super) satisfied: &'a BTreeSet<ServiceName>,
}

impl<'a> Case<'a> {
    /// The stack at a release; without one, as git says.
    pub(super) fn of(
        scene: &'a Scene<'a>,
        name: StackName,
        satisfied: &'a BTreeSet<ServiceName>,
        release: Option<&'a Release>,
    ) -> Self {
        let key = StackKey { target: scene.look.target.clone(), name };
        let wanted = scene.desired.wanted(&key).map(|wanted| match release {
            Some(release) => release.wanted(wanted),
            None => Cow::Borrowed(wanted),
        });
        Self {
            scene,
            wanted,
            fleet: release.map_or(&scene.desired.fleet, |release| release.fleet()),
            release,
            kept_back: None,
            deployment: None,
            goes_back: false,
            closed: None,
            seen: scene.look.stacks.get(&key.name).filter(|seen| {
                // A stack that is gone is as good as one that was never there.
                seen.status.standing() != Standing::Gone
            }),
            memory: scene.memories.get(&key.name).cloned().unwrap_or_default(),
            insight: scene.insights.get(&key.name).cloned().unwrap_or_default(),
            inside: OnceCell::new(),
            satisfied,
            key,
        }
    }

    /// Stacks of ours in this target with their service.
    pub(super) fn siblings(&self) -> impl Iterator<Item = (ServiceName, &'a Seen)> {
        let scene = self.scene;
        scene
            .look
            .stacks
            .values()
            .filter(|seen| ownership::is_ours(seen, &scene.desired.fleet.name))
            .filter(|seen| seen.status.standing() != Standing::Gone)
            .filter_map(|seen| Some((ownership::service_of(seen)?, seen)))
    }
}
