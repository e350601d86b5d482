//! What would happen next, decided on what AWS shows now. It decides as a controller would, and
//! looks past waiting for other stacks: a tenant that does not exist yet gets all of its stacks.

use std::collections::{BTreeMap, BTreeSet};

use crate::cost::Bill;
use crate::desired::{Desired, Wanted};
use crate::drift::DriftRecord;
use crate::ids::{AccountId, Digest, StackName, Target, TenantName};
use crate::moment::Moment;
use crate::observed::{Blind, KnownTemplate, Look, Seen};
use crate::outcome::{Memory, StepKind};
use crate::plan::deletions::{self, DeletionBook, Waiting};
use crate::plan::preview::adopted::taken_over;
use crate::plan::preview::compare::{Side, Wording, made_of};
use crate::plan::preview::grouping::{Common, Grouping};
use crate::plan::preview::{Basis, Deletions, HIDDEN, Kind, Line, Member, Part, Preview, template};
use crate::plan::{
    AtHome, Decided, Decision, Difference, Elsewhere, FormerStack, Hold, Insight, Operation,
    Rendered, Scene, StackRecord, Steering, Step, Weight, after_look, decide, differences,
    is_waiting_to_go, ownership,
};

/// One target as it was seen, with what is remembered of it.
#[derive(Clone, Debug)]
pub struct Sighted {
    /// The listing.
    pub look: Look,
    /// Of each stack, as [`memories`] gives it.
    pub memories: BTreeMap<StackName, Memory>,
    /// What was asked beyond the listing.
    pub insights: BTreeMap<StackName, Insight>,
    /// What is known of drift.
    pub drifts: BTreeMap<StackName, DriftRecord>,
    /// Id of another controller that is seen at work.
    pub another_controller: Option<String>,
}

/// Everything that a live preview depends on.
pub struct LiveScene<'a> {
    /// What git says.
    pub desired: &'a Desired,
    /// What people said.
    pub steering: &'a Steering,
    /// Every target, seen or blind.
    pub places: &'a BTreeMap<Target, Result<Sighted, Blind>>,
    /// What deletions are judged by.
    pub book: &'a DeletionBook,
    /// The keyed hash under which NoEcho values are remembered.
    pub keyed_hash: &'a dyn Fn(&str) -> Digest,
    /// When the decisions are made.
    pub now: Moment,
}

/// What is remembered of each stack of a target after a look at it: what its `records` say, and
/// what the look teaches.
pub fn memories(
    desired: &Desired,
    look: &Look,
    records: &BTreeMap<StackName, StackRecord>,
    insights: &BTreeMap<StackName, Insight>,
    operations: &BTreeMap<StackName, Operation>,
    learnt: &BTreeMap<StackName, KnownTemplate>,
) -> BTreeMap<StackName, Memory> {
    let none = BTreeMap::new();
    let wanted = desired.stacks.get(&look.target).unwrap_or(&none);
    let names: BTreeSet<&StackName> =
        wanted.keys().chain(records.keys()).chain(look.stacks.keys()).collect();
    let memory = |name: &StackName| {
        let known = records.get(name).map(|record| record.memory.clone()).unwrap_or_default();
        let change_set = insights.get(name).and_then(|insight| insight.change_set.as_ref());
        let (seen, cause) = (look.stacks.get(name), operations.get(name).cloned());
        let mut memory = after_look(&known, seen, change_set, cause, look.at);
        if let Some(learnt) = learnt.get(name) {
            memory.known = Some(learnt.clone());
        }
        memory
    };
    names.into_iter().map(|name| (name.clone(), memory(name))).collect()
}

/// What a controller would begin to do, and what it would wait for. Nothing is done.
pub fn preview_live(scene: &LiveScene<'_>) -> Preview {
    let mut living = Living {
        scene,
        former: Former::of(scene),
        grouping: Grouping::default(),
        waiting: Waiting::new(),
        unchanged: 0,
        blind: 0,
    };
    for (target, place) in scene.places {
        match place {
            Ok(sighted) => living.target(target, sighted),
            Err(blind) => living.blind(target, blind),
        }
    }
    living.finish()
}

impl LiveScene<'_> {
    /// What a controller would decide about the stacks of a target.
    pub fn decided(&self, target: &Target, sighted: &Sighted) -> BTreeMap<StackName, Decided> {
        let former = Former::of(self).of_account(self.desired, &target.account);
        self.decide(sighted, &former, &self.elsewhere(target))
    }

    fn decide(
        &self,
        sighted: &Sighted,
        former: &[FormerStack],
        elsewhere: &Elsewhere,
    ) -> BTreeMap<StackName, Decided> {
        decide(&Scene {
            desired: self.desired,
            steering: self.steering,
            look: &sighted.look,
            memories: &sighted.memories,
            insights: &sighted.insights,
            former,
            elsewhere,
            drifts: &sighted.drifts,
            gates: &BTreeMap::new(),
            // What is shown here is what a plan would allow.
            requires_plan: false,
            another_controller: sighted.another_controller.as_deref(),
            // What is not there yet is uploaded when it is applied.
            lacks: &|_, _| None,
            keyed_hash: self.keyed_hash,
            now: self.now,
        })
    }

    /// What the other regions of a target's tenant show.
    fn elsewhere(&self, target: &Target) -> Elsewhere {
        let desired = self.desired;
        if desired.needed_at_home.is_empty() {
            return Elsewhere::default();
        }
        let seen_in = |place: &Target| self.places.get(place)?.as_ref().ok();
        let home = desired.home_of(&target.account).filter(|home| home != target);
        let at_home = home.as_ref().and_then(seen_in).map(|sighted| {
            let decided = self.decide(sighted, &[], &Elsewhere::default());
            let known = sighted.look.stacks.iter().filter_map(|(name, seen)| {
                let wanted = desired.wanted(&seen.key).filter(|wanted| !wanted.asked_to_go)?;
                let decision = decided.get(name).map(|one| &one.decision);
                let is_in_sync = decision == Some(&Decision::InSync);
                let known = AtHome::of(desired, seen, is_in_sync);
                Some((wanted.service.name.clone(), known))
            });
            known.collect()
        });
        let others =
            self.places.iter().filter_map(|(other, place)| Some((other, place.as_ref().ok()?)));
        let others =
            others.filter(|(other, _)| other.account == target.account && *other != target);
        let others = others.flat_map(|(other, sighted)| {
            let ours = sighted.look.stacks.values();
            let ours = ours.filter(|seen| ownership::is_ours(seen, &desired.fleet.name));
            ours.filter_map(|seen| Some((other.clone(), ownership::service_of(seen)?)))
        });
        Elsewhere { at_home, others: others.collect() }
    }
}

/// Where the stacks of each tenant stand.
struct Former(BTreeMap<TenantName, Vec<(AccountId, FormerStack)>>);

impl Former {
    fn of(scene: &LiveScene<'_>) -> Self {
        let mut homes: BTreeMap<TenantName, Vec<(AccountId, FormerStack)>> = BTreeMap::new();
        for sighted in scene.places.values().flatten() {
            for seen in sighted.look.stacks.values() {
                let owner = ownership::tenant_of(seen).zip(ownership::service_of(seen));
                let Some((tenant, service)) = owner else { continue };
                let account = sighted.look.target.account;
                let moved =
                    scene.desired.tenants.get(&tenant).is_some_and(|t| t.account != account);
                if moved && ownership::is_ours(seen, &scene.desired.fleet.name) {
                    let stack = FormerStack { service, id: seen.id.clone() };
                    homes.entry(tenant).or_default().push((account, stack));
                }
            }
        }
        Self(homes)
    }

    /// Stacks of the tenant of `account` in other accounts.
    fn of_account(&self, desired: &Desired, account: &AccountId) -> Vec<FormerStack> {
        let tenant = desired.tenant_of(account).map(|tenant| &tenant.name);
        let stacks = tenant.and_then(|tenant| self.0.get(tenant)).into_iter().flatten();
        stacks.filter(|(home, _)| home != account).map(|(_, stack)| stack.clone()).collect()
    }
}

/// The first stack of a group.
#[derive(Clone, Copy)]
struct First<'a>(Option<&'a Wanted>, Option<&'a str>);

struct Living<'a> {
    scene: &'a LiveScene<'a>,
    former: Former,
    grouping: Grouping<First<'a>>,
    waiting: Waiting,
    unchanged: usize,
    blind: usize,
}

/// One stack, what was seen and what was decided.
pub(super) struct Case<'c, 'a> {
    pub(super) wanted: Option<&'a Wanted>,
    pub(super) seen: Option<&'a Seen>,
    memory: &'c Memory,
    pub(super) decided: &'c Decided,
}

impl<'a> Living<'a> {
    fn target(&mut self, target: &'a Target, sighted: &'a Sighted) {
        let desired = self.scene.desired;
        let former = self.former.of_account(desired, &target.account);
        let elsewhere = self.scene.elsewhere(target);
        let decided = self.scene.decide(sighted, &former, &elsewhere);
        let none = Memory::default();
        for seen in sighted.look.stacks.values() {
            let memory = sighted.memories.get(&seen.key.name).unwrap_or(&none);
            let stays = decided.get(&seen.key.name).is_some_and(|one| one.decision.lets_stand());
            if is_waiting_to_go(desired, seen, memory)
                && !stays
                && let Some(tenant) = ownership::tenant_of(seen)
            {
                self.waiting.insert(seen.id.clone(), tenant);
            }
        }
        for (name, decided) in &decided {
            let wanted = desired.stacks.get(target).and_then(|stacks| stacks.get(name));
            let seen = sighted.look.stacks.get(name);
            let memory = sighted.memories.get(name).unwrap_or(&none);
            self.stack(target, name, &Case { wanted, seen, memory, decided });
        }
    }

    fn stack(&mut self, target: &Target, name: &StackName, case: &Case<'_, 'a>) {
        let Some((kind, lines, notes)) = self.what_happens(case) else { return };
        let tenant = case.wanted.map(|wanted| wanted.tenant.name.clone());
        let service = case.wanted.map(|wanted| wanted.service.name.clone());
        let common = Common {
            kind,
            service: service.or_else(|| case.seen.and_then(ownership::service_of)),
            lines,
            templates: None,
            variant: 0,
            notes,
        };
        let member = Member {
            target: target.clone(),
            name: Some(name.clone()),
            tenant: tenant.or_else(|| case.seen.and_then(ownership::tenant_of)),
            was: None,
            own_name: case.seen.map(Seen::own_name).filter(|own| own != name),
        };
        self.grouping.add(common, First(case.wanted, None), member);
    }

    /// Kind, lines and notes; `None` for a stack to which nothing happens.
    fn what_happens(&mut self, case: &Case<'_, 'a>) -> Option<(Kind, Vec<Line>, Vec<String>)> {
        match &case.decided.decision {
            Decision::InSync => {
                self.unchanged += 1;
                None
            }
            Decision::Nothing => None,
            Decision::Step(step) => Some(self.step(step, case)),
            Decision::Hold(hold) => Some(self.hold(hold, case)),
        }
    }

    fn step(&self, step: &Step, case: &Case<'_, 'a>) -> (Kind, Vec<Line>, Vec<String>) {
        if case.seen.is_some_and(ownership::is_nobody_s) {
            return taken_over(self.scene.desired, case);
        }
        match (&step.kind, case.wanted) {
            (StepKind::Create, Some(wanted)) => {
                let again = (case.memory.ever_complete.is_some()).then(|| step.why.clone());
                (Kind::Create, self.made_of(wanted, Wording::Symbolic), again.into_iter().collect())
            }
            (StepKind::Delete { .. } | StepKind::SetTerminationProtection(false), wanted)
                if wanted.is_none_or(|wanted| wanted.asked_to_go) =>
            {
                (Kind::Delete, Vec::new(), vec![step.why.clone()])
            }
            (StepKind::Delete { .. }, _) => {
                let note = format!("deleted first: {}", step.why);
                (Kind::Create, Vec::new(), vec![note])
            }
            (
                StepKind::ExecuteChangeSet { .. }
                | StepKind::PrepareRevert { .. }
                | StepKind::Revert { .. }
                | StepKind::DeleteChangeSet { .. }
                | StepKind::ContinueRollback { .. }
                | StepKind::RollBack,
                _,
            ) => {
                let note = format!("{}: {}", step.kind.word(), step.why);
                (Kind::Update, differing(case), vec![note])
            }
            (
                StepKind::Create
                | StepKind::CreateChangeSet { .. }
                | StepKind::SetTerminationProtection(_)
                | StepKind::SetStackPolicy,
                _,
            ) => {
                let lines = differing(case);
                let notes = if lines.is_empty() { vec![step.why.clone()] } else { Vec::new() };
                (Kind::Update, lines, notes)
            }
        }
    }

    fn hold(&self, hold: &Hold, case: &Case<'_, 'a>) -> (Kind, Vec<Line>, Vec<String>) {
        let waits = matches!(
            hold,
            Hold::WaitsForService(_)
                | Hold::WaitsForHome { .. }
                | Hold::WaitsForOutput { .. }
                | Hold::Frozen { .. }
        );
        let wanted = case.wanted.filter(|wanted| !wanted.asked_to_go);
        // What waits for another stack of the same plan, or for a window to close, is part of it.
        if let (true, Some(wanted)) = (waits, wanted) {
            let note = vec![hold.to_string()];
            return match case.seen {
                Some(seen) if ownership::is_nobody_s(seen) => {
                    let (kind, lines, notes) = taken_over(self.scene.desired, case);
                    (kind, lines, [note, notes].concat())
                }
                None => (Kind::Create, self.made_of(wanted, Wording::Symbolic), note),
                Some(_) => (Kind::Update, differing(case), note),
            };
        }
        if let Hold::WaitsForDependents(_) | Hold::Frozen { .. } = hold {
            return (Kind::Delete, Vec::new(), vec![hold.to_string()]);
        }
        let kind = match (hold, hold.weight()) {
            (Hold::Renamed(_), _) => Kind::Rename,
            (_, Weight::Stuck) => Kind::Stuck,
            (_, Weight::Waiting | Weight::Settled) => Kind::Wait,
            (_, Weight::LeftAlone) => Kind::LeaveAlone,
        };
        // What an approval lets go on says so already.
        let help = hold.help().filter(|_| kind == Kind::Stuck && hold.request().is_none());
        let help = help.map(|help| format!("what to do: {help}"));
        (kind, Vec::new(), std::iter::once(said(hold)).chain(help).collect())
    }

    fn made_of(&self, wanted: &Wanted, wording: Wording) -> Vec<Line> {
        made_of(Side { desired: self.scene.desired, wanted }, wording)
    }

    fn blind(&mut self, target: &Target, blind: &'a Blind) {
        self.blind += 1;
        let common = Common {
            kind: Kind::Blind,
            service: None,
            lines: Vec::new(),
            templates: None,
            variant: 0,
            notes: vec![blind.reason.to_string()],
        };
        let tenant = self.scene.desired.tenant_of(&target.account);
        let member = Member {
            target: target.clone(),
            name: None,
            tenant: tenant.map(|tenant| tenant.name.clone()),
            was: None,
            own_name: None,
        };
        self.grouping.add(common, First(None, Some(&blind.message)), member);
    }

    fn finish(mut self) -> Preview {
        let grouping = std::mem::take(&mut self.grouping);
        let groups = grouping.finish(|_, First(wanted, message), group| {
            match (group.kind, *wanted) {
                (Kind::Create, Some(wanted)) if group.members.len() == 1 => {
                    group.lines = self.made_of(wanted, Wording::Resolved);
                }
                (Kind::Delete, Some(wanted)) => {
                    group.notes.extend(template::lost_note(&wanted.service));
                }
                _ => {}
            }
            group.notes.extend(message.map(|text| format!("the first of them: {text}")));
        });
        Preview {
            fleet: self.scene.desired.fleet.name.clone(),
            basis: Basis::Live { targets: self.scene.places.len(), blind: self.blind },
            to: self.scene.desired.revision.clone(),
            settings: Vec::new(),
            groups,
            seen: Vec::new(),
            arrivals: Vec::new(),
            releases: Vec::new(),
            bill: Bill::default(),
            judged: None,
            drifted: Vec::new(),
            samples: Vec::new(),
            reviewed: None,
            requires_plan: self.scene.desired.fleet.requires_plan,
            unchanged: self.unchanged,
            deletions: self.deletions(),
            notices: Vec::new(),
        }
    }

    fn deletions(&self) -> Option<Deletions> {
        let scene = self.scene;
        let refusal = |stack| {
            deletions::allow(
                stack,
                scene.book,
                &self.waiting,
                &scene.desired.fleet.limits.deletes,
                scene.desired.stack_count(),
                scene.now,
            )
            .err()
        };
        let tenants: BTreeSet<&TenantName> = self.waiting.values().collect();
        let held = self.waiting.keys().find_map(refusal);
        (!self.waiting.is_empty()).then(|| Deletions {
            stacks: self.waiting.len(),
            tenants: tenants.len(),
            approval: held.as_ref().and_then(Hold::request).map(|request| request.id.clone()),
            held: held.map(|hold| hold.to_string()),
        })
    }
}

/// A hold in words that are the same for every stack that is held for it.
fn said(hold: &Hold) -> String {
    if let Hold::Cooldown { cause, .. } = hold {
        // The time is another one for every stack.
        return format!("tried again later: {cause}");
    }
    let why = if let Hold::Renamed(_) = hold {
        "a stack of the same service and tenant stands elsewhere, or this one was made as another's"
    } else if let Hold::Protected(_) = hold {
        "its change set removes or replaces protected resources"
    } else if let Hold::Adoption(_) = hold
        && let Some(request) = hold.request()
    {
        // Questions about hidden values are the same for all stacks of a release.
        return format!("{}: held until approved", request.summary);
    } else if let Hold::Unplanned(_) = hold {
        "no approved plan allows what it would do"
    } else {
        return hold.to_string();
    };
    format!("{why}: held until approved")
}

/// What is seen otherwise than it is wanted; values as AWS shows them.
pub(super) fn differing(case: &Case<'_, '_>) -> Vec<Line> {
    let (Some(seen), Some(rendered)) = (case.seen, &case.decided.rendered) else {
        return Vec::new();
    };
    let found = differences(seen, rendered, case.memory, &case.decided.no_echo);
    found.into_iter().map(|difference| line(difference, seen, rendered)).collect()
}

fn line(difference: Difference, seen: &Seen, rendered: &Rendered) -> Line {
    let some = |text: &str| Some(text.to_owned());
    match difference {
        Difference::Template => Line::of(Part::Template, "", some("another"), some("as in git")),
        Difference::TemplateUnknown => {
            Line::of(Part::Template, "", some("unknown after a rollback"), some("as in git"))
        }
        Difference::Parameter(name) => {
            let declared = rendered.template.parameters().get(&name);
            let default = declared.and_then(|parameter| parameter.default.as_ref());
            let new = rendered.parameters.get(&name).or(default).cloned();
            let old = seen.parameters.get(&name).cloned();
            if declared.is_some_and(|parameter| parameter.no_echo) {
                let veil = |value: Option<String>| value.map(|_| HIDDEN.to_owned());
                return Line::of(Part::Parameter, &name, veil(old), veil(new));
            }
            Line::of(Part::Parameter, &name, old, new)
        }
        Difference::Tag(name) => {
            let (old, new) = (seen.tags.get(&name).cloned(), rendered.tags.get(&name).cloned());
            Line::of(Part::Tag, &name, old, new)
        }
    }
}
