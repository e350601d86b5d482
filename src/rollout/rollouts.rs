//! The rollouts of all services.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::desired::Desired;
use crate::fleet::{Service, Tenant, WavePlan};
use crate::ids::{Digest, Revision, ServiceName, StackKey, WaveName};
use crate::moment::Moment;
use crate::outcome::Mark;
use crate::rollout::course::Parts;
use crate::rollout::inputs;
use crate::rollout::{Course, Gate, Order, Release, ReleaseBody, Rollout, Run, WaveIndex};

/// What changed in a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What kind of thing.
    pub kind: ChangeKind,
    /// The release that it is about.
    pub release: Digest,
    /// In words, without service and release.
    pub text: String,
    /// Whether all stacks take the release at once, so that there is little to say.
    pub is_quiet: bool,
}

/// What can happen to a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// A release begins to go out.
    Began,
    /// A wave may take it.
    Opened(WaveIndex),
    /// It went through all waves.
    Completed,
    /// Nothing more takes it.
    Halted,
    /// It goes on.
    Resumed,
    /// Those that have it go back.
    Reverting,
    /// Another goes out instead.
    Superseded,
}

/// Bodies of the releases of each service, the oldest first.
pub type Bodies = BTreeMap<ServiceName, Vec<(Digest, ReleaseBody)>>;

/// Releases of a service that are known besides those in use.
const KEPT: usize = 8;

/// The rollouts of all services.
#[derive(Clone, Debug, Default)]
pub struct Rollouts {
    courses: BTreeMap<ServiceName, Course>,
    /// Of services that git no longer has: should one return, what is good is known.
    parked: BTreeMap<ServiceName, Rollout>,
    bodies: Bodies,
    /// What git says, as it was wanted last.
    revision: Option<Revision>,
}

impl Rollouts {
    /// What a journal kept.
    pub fn recall(kept: BTreeMap<ServiceName, Rollout>, bodies: Bodies) -> Self {
        Self { courses: BTreeMap::new(), parked: kept, bodies, revision: None }
    }

    /// Whether earlier commits may tell what no journal does: which releases there were, or what was
    /// hidden in one.
    pub fn miss_something(&self) -> bool {
        let hides = |name: &ServiceName| {
            let bodies = self.bodies.get(name).into_iter().flatten();
            bodies.into_iter().any(|(_, body)| body.misses_secrets())
        };
        let misses = |(name, state): (&ServiceName, &Rollout)| {
            state.running.is_some() && (state.good.is_none() || hides(name))
        };
        self.parked.is_empty() || self.parked.iter().any(misses)
    }

    /// An earlier commit said this.
    pub fn learn(&mut self, earlier: &Desired) {
        for (name, service) in &earlier.services {
            // Where a release is known to be good, others are known as well.
            let is_lost = self.parked.get(name).is_none_or(|state| state.good.is_none());
            let bodies = self.bodies.entry(name.clone()).or_default();
            let inputs: BTreeSet<Option<Digest>> =
                bodies.iter().map(|(_, body)| body.tenants).chain([None]).collect();
            for inputs in inputs {
                let id = Release::head(earlier, service, inputs).id;
                let body = || ReleaseBody::of(&earlier.fleet, service, inputs);
                match bodies.iter().position(|(known, _)| *known == id) {
                    // It knows what no journal keeps.
                    Some(index) => bodies[index].1 = body(),
                    None if is_lost && inputs.is_none() && bodies.len() < KEPT => {
                        bodies.insert(0, (id, body()));
                    }
                    None => {}
                }
            }
        }
    }

    /// From now on git says this. A new release goes out at once where none does, where the running
    /// one is halted, and where it is the good one again; else it waits. `marks` says how stacks stood
    /// that are new here.
    pub fn want(
        &mut self,
        desired: &Desired,
        now: Moment,
        marks: &dyn Fn(&StackKey) -> Mark,
    ) -> Vec<(ServiceName, Change)> {
        self.revision = Some(desired.revision.clone());
        let default = Arc::new(WavePlan::default());
        let mut members: BTreeMap<&ServiceName, Vec<(StackKey, Arc<Tenant>)>> = BTreeMap::new();
        for wanted in desired.all_standing() {
            let member = (wanted.key.clone(), Arc::clone(&wanted.tenant));
            members.entry(&wanted.service.name).or_default().push(member);
        }
        let before = std::mem::take(&mut self.courses);
        let mut changes = Vec::new();
        for (name, service) in &desired.services {
            let old = before.get(name);
            let state = old.map(|course| course.state().clone());
            let mut state = state.or_else(|| self.parked.remove(name)).unwrap_or_default();
            let plan = service.rollout.as_ref().or(desired.fleet.rollout.as_ref());
            let many = match old.filter(|_| plan.is_some()) {
                Some(course) => changed_together(course, &mut state, desired, service),
                None => None,
            };
            let head = Release::head(desired, service, state.inputs.today());
            let parts = Parts {
                plan: plan.unwrap_or(&default).clone(),
                deployment: service.deployment,
                revision: desired.revision.clone(),
                earlier: self.earlier(desired, service, &head.id, &mut state),
                members: members.remove(name).unwrap_or_default(),
                head,
            };
            let mark = |key: &StackKey| {
                old.and_then(|course| course.mark(key)).cloned().unwrap_or_else(|| marks(key))
            };
            let mut course = Course::of(parts, state, &mark);
            let change = course.follow_head(now).map(|change| match many {
                Some(many) => Change { text: format!("{}, {many}", change.text), ..change },
                None => change,
            });
            changes.extend(change.map(|change| (name.clone(), change)));
            self.courses.insert(name.clone(), course);
        }
        let gone = before.into_iter().filter(|(name, _)| !desired.services.contains_key(name));
        self.parked.extend(gone.map(|(name, course)| (name, course.state().clone())));
        changes
    }

    /// The releases of a service that are known besides the head, whose body is kept from now on.
    fn earlier(
        &mut self,
        desired: &Desired,
        service: &Service,
        head: &Digest,
        state: &mut Rollout,
    ) -> BTreeMap<Digest, Arc<Release>> {
        let bodies = self.bodies.entry(service.name.clone()).or_default();
        let today = state.inputs.today();
        keep(bodies, head, state, || ReleaseBody::of(&desired.fleet, service, today));
        let used = bodies.iter().map(|(_, body)| body.tenants).collect();
        if state.inputs.has_more_than(&used) {
            Arc::make_mut(&mut state.inputs).forget_all_but(&used);
        }
        let earlier = bodies.iter().filter(|(id, _)| id != head).filter_map(|(id, body)| {
            let former = state.inputs.at(body.tenants);
            Some((*id, Arc::new(Release::earlier(*id, body, desired, service, former)?)))
        });
        earlier.collect()
    }

    /// The revision whose releases they are.
    pub fn revision(&self) -> Option<&Revision> {
        self.revision.as_ref()
    }

    /// Whether these are the rollouts of that revision.
    pub fn are_of(&self, revision: &Revision) -> bool {
        self.revision.as_ref() == Some(revision)
    }

    /// A look showed how a stack stands.
    pub fn note(&mut self, service: &ServiceName, key: &StackKey, mark: Mark) {
        if let Some(course) = self.courses.get_mut(service) {
            course.note(key, mark);
        }
    }

    /// Which release a stack may have; of a service that is not known yet none.
    pub fn gate(
        &self,
        service: &ServiceName,
        key: &StackKey,
        has: Option<&Digest>,
        taking: Option<&Digest>,
        is_there: bool,
    ) -> Gate {
        match self.courses.get(service) {
            Some(course) => course.gate(key, has, taking, is_there),
            None => Gate::unknown(),
        }
    }

    /// Lets gates open, rollouts halt and end. `approves`: whether a person let a wave of a service
    /// begin.
    pub fn advance(
        &mut self,
        now: Moment,
        is_ready: bool,
        approves: &dyn Fn(&str) -> bool,
    ) -> Vec<(ServiceName, Change)> {
        let mut changes = Vec::new();
        for (name, course) in &mut self.courses {
            let approves = |member: &str| approves(&format!("{name}: {member}"));
            let happened = course.advance(now, is_ready, &approves);
            changes.extend(happened.into_iter().map(|change| (name.clone(), change)));
        }
        changes
    }

    /// Does what a person said; the error is a sentence.
    pub fn obey(&mut self, order: &Order, now: Moment) -> Result<Change, String> {
        let course = self.courses.get_mut(&order.service);
        course.ok_or_else(|| "there is no such service".to_owned())?.obey(order, now)
    }

    /// The waves that wait for a person only, with what is to be approved.
    pub fn awaiting(
        &self,
        now: Moment,
        approves: &dyn Fn(&str) -> bool,
    ) -> Vec<(ServiceName, WaveName, String)> {
        let asks = self.courses.iter().filter_map(|(name, course)| {
            let approves = |member: &str| approves(&format!("{name}: {member}"));
            let (wave, member) = course.awaits_approval(now, &approves)?;
            Some((name.clone(), wave, format!("{name}: {member}")))
        });
        asks.collect()
    }

    /// Whether time alone brings a rollout on of one of these services; of any where none is named.
    pub fn goes_on(
        &self,
        only: &BTreeSet<ServiceName>,
        now: Moment,
        approves: &dyn Fn(&str) -> bool,
    ) -> bool {
        let courses = self.courses.iter();
        let mut courses = courses.filter(|(name, _)| only.is_empty() || only.contains(*name));
        courses.any(|(name, course)| {
            course.goes_on(now, &|member| approves(&format!("{name}: {member}")))
        })
    }

    /// The stacks that may be decided otherwise after a change.
    pub fn woken(&self, service: &ServiceName, change: &Change) -> BTreeSet<StackKey> {
        let Some(course) = self.courses.get(service) else { return BTreeSet::new() };
        let keys = match change.kind {
            ChangeKind::Opened(wave) => course.members_of(&|one, _| one == wave),
            ChangeKind::Began | ChangeKind::Halted => Vec::new(),
            ChangeKind::Completed | ChangeKind::Resumed => {
                course.members_of(&|_, mark| *mark != Mark::Settled(change.release))
            }
            ChangeKind::Reverting | ChangeKind::Superseded => course.members_of(&|_, _| true),
        };
        keys.into_iter().collect()
    }

    /// The rollouts of one service.
    pub fn course(&self, service: &ServiceName) -> Option<&Course> {
        self.courses.get(service)
    }

    /// The rollouts of all services that git has.
    pub fn courses(&self) -> impl Iterator<Item = (&ServiceName, &Course)> {
        self.courses.iter()
    }

    /// The rollouts that have come further than these, as they are now.
    pub fn moved(&self, than: &BTreeMap<ServiceName, Rollout>) -> BTreeMap<ServiceName, Rollout> {
        let states = self.courses.iter().map(|(name, course)| (name, course.state()));
        let moved = states.filter(|(name, state)| than.get(*name) != Some(*state));
        moved.map(|(name, state)| (name.clone(), state.clone())).collect()
    }

    /// What has to be kept: of each service its state, and the bodies of the releases in it.
    pub fn kept(
        &self,
    ) -> impl Iterator<Item = (&ServiceName, &Rollout, Vec<(&Digest, &ReleaseBody)>)> {
        self.courses.iter().map(|(name, course)| {
            let state = course.state();
            let running = state.running.as_ref().map(|run: &Run| &run.release);
            let used: BTreeSet<&Digest> =
                [state.good.as_ref(), running, Some(course.head())].into_iter().flatten().collect();
            let bodies = self.bodies.get(name).into_iter().flatten();
            let bodies = bodies.filter(|(id, _)| used.contains(id)).map(|(id, body)| (id, body));
            (name, state, bodies.collect())
        })
    }
}

/// Follows what tenants changed in their own documents; says so when it is more than a few, which
/// makes a release of it.
fn changed_together(
    course: &Course,
    state: &mut Rollout,
    desired: &Desired,
    service: &Arc<Service>,
) -> Option<String> {
    let pairs = course.tenants().filter_map(|(key, old)| {
        let wanted = desired.wanted(key).filter(|wanted| wanted.service.name == service.name)?;
        (wanted.tenant.name == old.name).then_some((old, wanted))
    });
    // A stack that waits for its wave may have an input that git no longer has for anybody else.
    let releases = course.releases(Release::head(desired, service, None));
    let changed = inputs::changed(pairs, &releases);
    if changed.is_empty() {
        return None;
    }
    let stacks = desired.all_standing().filter(|wanted| wanted.service.name == service.name);
    let stacks = stacks.map(|wanted| (&wanted.tenant.name, wanted)).collect();
    let is_release = Arc::make_mut(&mut state.inputs).follow(&changed, &stacks, &releases);
    is_release.then(|| format!("as {} tenants changed what they give it", changed.len()))
}

/// Adds the head to the known releases, and drops the oldest that nothing refers to.
fn keep(
    bodies: &mut Vec<(Digest, ReleaseBody)>,
    head: &Digest,
    state: &Rollout,
    body: impl FnOnce() -> ReleaseBody,
) {
    // The body of today knows values that no journal keeps.
    match bodies.iter_mut().find(|(id, _)| id == head) {
        Some((_, known)) => *known = body(),
        None => bodies.push((*head, body())),
    }
    let running = state.running.as_ref().map(|run| run.release);
    let used = [state.good, running, Some(*head)];
    let mut surplus = bodies.len().saturating_sub(KEPT);
    bodies.retain(|(id, _)| {
        let goes = surplus > 0 && !used.contains(&Some(*id));
        surplus -= usize::from(goes);
        !goes
    });
}
