//! What all workers of one controller share: what is wanted, what people said, which places are
//! taken, what waits to be deleted, how long operations take, and how the fleet stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use crate::desired::Desired;
use crate::drift::Budget;
use crate::fleet::Limits;
use crate::ids::{AccountId, ServiceName, StackKey, StackName, Target, TenantName};
use crate::moment::Moment;
use crate::outcome::{LastWords, LeftOut, Mark};
use crate::plan::deletions::Waiting;
use crate::plan::{
    ApprovalRequest, AtHome, FormerStack, Hold, Learned, Ledger, StackRecord, Steering, may_run,
    ownership,
};
use crate::rollout::{Course, Rollouts};

mod counted;
mod progress;
mod regions;
mod stock;

use counted::{Counted, count};
use stock::Stock;

pub use progress::{Progress, Standing, Tally};
pub use stock::{Begun, Filling, Order, OrderKey, Stocked};

/// Cheap to clone; all clones are the same board.
#[derive(Clone)]
pub struct Board(Arc<Shared>);

/// What one pass is based on.
#[derive(Clone)]
pub struct View {
    /// What git says.
    pub desired: Arc<Desired>,
    /// What people said.
    pub steering: Arc<Steering>,
    /// What services said last of removal.
    pub last_words: Arc<LastWords>,
}

struct Shared {
    view: Mutex<View>,
    ledger: Mutex<Ledger>,
    rollouts: Mutex<Rollouts>,
    learned: Mutex<Learned>,
    drift_budget: Mutex<Budget>,
    stock: Mutex<Stock>,
    places: Mutex<BTreeMap<Target, Place>>,
    /// Of all places; taken while `places` is held.
    counted: Mutex<Counted>,
    homes: Mutex<Homes>,
    unseen: Mutex<BTreeSet<Target>>,
    /// Targets that were tried and never seen: what stands there is not known.
    unsure: Mutex<BTreeSet<Target>>,
    /// Targets that must be looked at because of what was seen in others.
    woken: Mutex<BTreeSet<Target>>,
    /// Targets that a new revision changed and that have not been looked at since.
    stale: Mutex<BTreeSet<Target>>,
    /// No journal remembers what ran before, so nothing is started before all has been seen.
    starts_blindfolded: bool,
    stopped: AtomicBool,
    /// How many times a rollout was stopped or turned.
    halts: AtomicU64,
    /// Whether a pass ended since somebody asked how the fleet stands.
    moved: AtomicBool,
    /// How many times that was.
    moves: AtomicU64,
    news: UnboundedSender<Progress>,
}

/// Where the stacks of each tenant stand.
#[derive(Default)]
struct Homes {
    of: BTreeMap<TenantName, BTreeMap<Target, BTreeSet<FormerStack>>>,
    tenants_in: BTreeMap<Target, BTreeSet<TenantName>>,
}

/// What is known of one target for the sake of the others.
#[derive(Default)]
struct Place {
    waiting: Waiting,
    requests: BTreeMap<String, ApprovalRequest>,
    tallies: BTreeMap<Option<ServiceName>, Tally>,
    /// In a home region, what other regions need of it; `None` while it is not seen.
    at_home: Option<BTreeMap<ServiceName, AtHome>>,
    is_blind: bool,
}

impl Board {
    /// A board for `view`. `unseen` are all targets that will be looked at; `is_fresh` says that
    /// no journal knows what ran before.
    pub fn new(
        view: View,
        unseen: BTreeSet<Target>,
        is_fresh: bool,
        news: UnboundedSender<Progress>,
    ) -> Self {
        let limits = view.desired.fleet.limits.drift_calls;
        Self(Arc::new(Shared {
            view: Mutex::new(view),
            ledger: Mutex::default(),
            rollouts: Mutex::default(),
            learned: Mutex::default(),
            drift_budget: Mutex::new(Budget::new(limits)),
            stock: Mutex::default(),
            places: Mutex::default(),
            counted: Mutex::default(),
            homes: Mutex::default(),
            unseen: Mutex::new(unseen),
            unsure: Mutex::default(),
            woken: Mutex::default(),
            stale: Mutex::default(),
            starts_blindfolded: is_fresh,
            stopped: AtomicBool::new(false),
            halts: AtomicU64::new(0),
            moved: AtomicBool::new(true),
            moves: AtomicU64::new(0),
            news,
        }))
    }

    /// What is wanted and said now.
    pub fn view(&self) -> View {
        lock(&self.0.view).clone()
    }

    /// From now on this is wanted, otherwise than before in the `changed` targets.
    pub fn want(
        &self,
        desired: Arc<Desired>,
        last_words: Arc<LastWords>,
        changed: &BTreeSet<Target>,
    ) {
        lock(&self.0.drift_budget).set(desired.fleet.limits.drift_calls);
        self.note_moved();
        let mut view = lock(&self.0.view);
        lock(&self.0.stale).extend(changed.iter().cloned());
        let mut unseen = lock(&self.0.unseen);
        if !unseen.is_empty() {
            // Nobody has looked at these either, and whoever waits for all waits for them too.
            unseen.extend(changed.iter().cloned());
        }
        drop(unseen);
        (view.desired, view.last_words) = (desired, last_words);
    }

    /// From now on this is what people say.
    pub fn steer(&self, steering: Arc<Steering>) {
        lock(&self.0.view).steering = steering;
    }

    /// The places for operations.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.0.ledger)
    }

    /// The rollouts of all services. Whoever holds them does not ask for the view.
    pub fn rollouts(&self) -> MutexGuard<'_, Rollouts> {
        lock(&self.0.rollouts)
    }

    /// Takes a place for an operation on a stack of a service, or says which limit stands in the way.
    pub fn reserve(
        &self,
        key: &StackKey,
        service: Option<&ServiceName>,
        limits: &Limits,
    ) -> Result<(), Hold> {
        let rollouts = self.rollouts();
        let mut ledger = self.ledger();
        let (fleet, here) = (limits.stacks_in_flight as usize, limits.per_target as usize);
        let course = service.and_then(|name| Some((name, rollouts.course(name)?)));
        let limit = course.and_then(|(_, course)| course.limit(key)).filter(|_| !ledger.holds(key));
        let Some(((service, course), (wave, limit))) = course.zip(limit) else {
            return ledger.reserve(key, fleet, here);
        };
        let wave = (service.clone(), wave);
        let free = free_in(&ledger, course, wave.1, limit);
        if !ledger.has_turn_in(&wave, &key.target, free) {
            return Err(Hold::WaveBusy(limit));
        }
        ledger.reserve(key, fleet, here)?;
        ledger.take_in(&wave, &key.target);
        Ok(())
    }

    /// The targets whose turn it is to take a place that is free.
    pub fn next_in_line(&self) -> Vec<Target> {
        let limit = self.view().desired.fleet.limits.stacks_in_flight;
        let rollouts = self.rollouts();
        let mut ledger = self.ledger();
        let mut called = ledger.call(limit as usize);
        for wave in ledger.waves_waited_for() {
            let course = rollouts.course(&wave.0);
            let limit = course.and_then(|course| course.limit_of(wave.1));
            // Where no limit is any more, all are called.
            let free = course
                .zip(limit)
                .map_or(usize::MAX, |(course, limit)| free_in(&ledger, course, wave.1, limit));
            called.extend(ledger.call_in(&wave, free));
        }
        called
    }

    /// What looking for drift may still cost.
    pub fn drift_budget(&self) -> MutexGuard<'_, Budget> {
        lock(&self.0.drift_budget)
    }

    /// How long operations take.
    pub fn learned(&self) -> MutexGuard<'_, Learned> {
        lock(&self.0.learned)
    }

    /// A rollout was halted, taken back or superseded: what was decided before is decided anew.
    pub fn halt(&self) {
        self.0.halts.fetch_add(1, Ordering::SeqCst);
    }

    /// How many times [`Board::halt`] was called.
    pub fn halts(&self) -> u64 {
        self.0.halts.load(Ordering::SeqCst)
    }

    /// No new call that changes anything is made from now on.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::SeqCst);
    }

    /// Whether [`Board::stop`] was called.
    pub fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::SeqCst)
    }

    /// Whether a step has to wait until every target has been looked at: a deletion always, since
    /// what waits to be deleted is weighed as one set; anything when no journal knows what runs.
    pub fn is_blindfolded(&self, is_deletion: bool) -> bool {
        (is_deletion || self.0.starts_blindfolded) && !lock(&self.0.unseen).is_empty()
    }

    /// All stacks of the fleet that wait to be deleted.
    pub fn waiting(&self) -> Waiting {
        let places = lock(&self.0.places);
        places.values().flat_map(|place| place.waiting.clone()).collect()
    }

    /// The stacks in `target` that wait to be deleted are exactly these.
    /// A pass that began under an earlier revision knows nothing of what waits under this one.
    pub fn replace_waiting(&self, basis: &View, target: &Target, waiting: Waiting) {
        self.while_current(basis, || {
            lock(&self.0.places).entry(target.clone()).or_default().waiting = waiting;
        });
    }

    /// Whether what `basis` says is wanted still is.
    pub fn is_current(&self, basis: &View) -> bool {
        Arc::ptr_eq(&lock(&self.0.view).desired, &basis.desired)
    }

    /// Writes what a pass found, unless another revision is wanted by now. None comes in between:
    /// whatever is locked inside is never held by one who waits for the view.
    fn while_current(&self, basis: &View, write: impl FnOnce()) {
        let view = lock(&self.0.view);
        if Arc::ptr_eq(&view.desired, &basis.desired) {
            write();
        }
    }

    /// What waits for a person, sorted.
    pub fn requests(&self) -> Vec<ApprovalRequest> {
        let places = lock(&self.0.places);
        let all: BTreeMap<&String, &ApprovalRequest> =
            places.values().flat_map(|place| &place.requests).collect();
        all.into_values().cloned().collect()
    }

    /// Stacks of a tenant in other accounts than the one it has now.
    pub fn former_stacks(&self, tenant: &TenantName, account: &AccountId) -> Vec<FormerStack> {
        let homes = lock(&self.0.homes);
        let Some(home) = homes.of.get(tenant) else { return Vec::new() };
        let elsewhere = home.iter().filter(|(target, _)| &target.account != account);
        elsewhere.flat_map(|(_, stacks)| stacks.iter().cloned()).collect()
    }

    /// What the journal remembers of a target that has not been looked at yet.
    pub fn recall(&self, target: &Target, rows: &[StackRecord], desired: &Desired) {
        self.settle_in(target, rows.iter());
        let goes = |row: &&StackRecord| {
            row.seen
                .as_ref()
                .is_some_and(|seen| crate::plan::is_waiting_to_go(desired, seen, &row.memory))
        };
        let waiting = rows.iter().filter(goes).filter_map(|row| {
            let seen = row.seen.as_ref()?;
            Some((seen.id.clone(), ownership::tenant_of(seen)?))
        });
        let waiting = waiting.collect();
        lock(&self.0.places).entry(target.clone()).or_default().waiting = waiting;
    }

    /// What the journal remembers to run in a target that has not been looked at yet. Only at the
    /// start: later the ledger knows of places that no row tells of yet.
    pub fn recall_running(&self, target: &Target, rows: &[StackRecord]) {
        let runs = rows.iter().filter(|row| may_run(row.seen.as_ref(), &row.memory, row.looked_at));
        let names = runs.map(|row| row.key.name.clone()).collect();
        self.ledger().replace(target, names);
    }

    /// A pass over `target` ended with these rows and requests.
    pub fn saw(
        &self,
        basis: &View,
        target: &Target,
        rows: &BTreeMap<StackName, StackRecord>,
        requests: Vec<ApprovalRequest>,
    ) {
        self.tell_regions(basis, target, rows);
        self.settle_in(target, rows.values());
        self.while_current(basis, || self.note_marks(rows));
        let mut tallies: BTreeMap<Option<ServiceName>, Tally> = BTreeMap::new();
        for row in rows.values() {
            tallies.entry(row.memory.service.clone()).or_default().count(row.verdict.weight);
        }
        let mut places = lock(&self.0.places);
        let place = places.entry(target.clone()).or_default();
        let asked = requests.into_iter().map(|request| (request.id.clone(), request));
        let asked: BTreeMap<String, ApprovalRequest> = asked.collect();
        let new = asked.iter().filter(|(id, _)| !place.requests.contains_key(*id));
        let new: Vec<ApprovalRequest> = new.map(|(_, request)| request.clone()).collect();
        place.requests = asked;
        let mut counted = lock(&self.0.counted);
        counted.remove(place);
        (place.tallies, place.is_blind) = (tallies, false);
        counted.add(place);
        drop(counted);
        let known_elsewhere = |request: &ApprovalRequest| {
            let others = places.iter().filter(|(other, _)| *other != target);
            others.map(|(_, place)| place).any(|place| place.requests.contains_key(&request.id))
        };
        let new: Vec<ApprovalRequest> =
            new.into_iter().filter(|request| !known_elsewhere(request)).collect();
        drop(places);
        for request in new {
            self.tell(Progress::Asked(request));
        }
        lock(&self.0.unsure).remove(target);
        self.looked_at(basis, target);
    }

    fn note_marks(&self, rows: &BTreeMap<StackName, StackRecord>) {
        let mut rollouts = self.rollouts();
        for row in rows.values() {
            if let Some(service) = &row.memory.service {
                rollouts.note(service, &row.key, row.memory.mark.clone());
            }
        }
    }

    /// A pass over `target` saw nothing, though an earlier one may have.
    pub fn saw_nothing(&self, basis: &View, target: &Target) {
        for wanted in basis.desired.stacks.get(target).into_iter().flat_map(BTreeMap::values) {
            let mark = Mark::LeftOut(LeftOut::Blind);
            self.rollouts().note(&wanted.service.name, &wanted.key, mark);
        }
        let mut places = lock(&self.0.places);
        let place = places.entry(target.clone()).or_default();
        lock(&self.0.counted).blind += usize::from(!place.is_blind);
        (place.is_blind, place.at_home) = (true, None);
        drop(places);
        self.looked_at(basis, target);
    }

    fn looked_at(&self, basis: &View, target: &Target) {
        self.note_moved();
        // What waits to be deleted under a newer revision is not known yet: it is looked at again.
        self.while_current(basis, || {
            lock(&self.0.unseen).remove(target);
            lock(&self.0.stale).remove(target);
        });
    }

    /// A pass over `target` ended, and there is nothing to say of it.
    pub fn passed(&self, basis: &View, target: &Target) {
        let mut places = lock(&self.0.places);
        if let Some(place) = places.get_mut(target)
            && std::mem::take(&mut place.is_blind)
        {
            // It was out of sight while something was wanted there.
            lock(&self.0.counted).blind -= 1;
        }
        drop(places);
        lock(&self.0.unsure).remove(target);
        self.looked_at(basis, target);
    }

    /// Nobody has ever seen what stands in `target`, and a look at it was in vain.
    pub fn tried(&self, basis: &View, target: &Target) {
        lock(&self.0.unsure).insert(target.clone());
        self.looked_at(basis, target);
    }

    /// Whether every target has been looked at since the start, and seen then or before.
    pub fn knows_all(&self) -> bool {
        self.has_seen_all() && lock(&self.0.unsure).is_empty()
    }

    /// Whether every target has been looked at, or tried to be, since the start.
    pub fn has_seen_all(&self) -> bool {
        lock(&self.0.unseen).is_empty()
    }

    /// Whether stacks of ours stand in `target`, as far as is known.
    pub fn has_stacks(&self, target: &Target) -> bool {
        lock(&self.0.homes).tenants_in.contains_key(target)
    }

    /// How the fleet stands.
    pub fn standing(&self, now: Moment) -> Standing {
        let stages = self.stages(now);
        let places = lock(&self.0.places);
        let counted = lock(&self.0.counted);
        debug_assert_eq!(*counted, count(&places), "the sums are those of the places");
        let name = |service: &Option<ServiceName>| match service {
            Some(service) => service.to_string(),
            None => "(unknown)".to_owned(),
        };
        let services = counted.services.iter();
        Standing {
            at: now,
            services: services.map(|(service, tally)| (name(service), *tally)).collect(),
            blind: counted.blind,
            unseen: lock(&self.0.unseen).union(&lock(&self.0.stale)).count(),
            in_flight: self.ledger().total(),
            filling: self.stock().filling(),
            stages,
        }
    }

    /// Hands news to whoever listens.
    pub fn tell(&self, progress: Progress) {
        // Nobody listening is no reason to stop.
        let _ = self.0.news.send(progress);
    }

    /// Notes which stacks of which tenants stand in `target`.
    fn settle_in<'a>(&self, target: &Target, rows: impl Iterator<Item = &'a StackRecord>) {
        let mut homes = lock(&self.0.homes);
        for tenant in homes.tenants_in.remove(target).unwrap_or_default() {
            homes.of.entry(tenant).or_default().remove(target);
        }
        for seen in rows.filter_map(|row| row.seen.as_ref()) {
            let owner = ownership::tenant_of(seen).zip(ownership::service_of(seen));
            let Some((tenant, service)) = owner else { continue };
            let stack = FormerStack { service, id: seen.id.clone() };
            homes.tenants_in.entry(target.clone()).or_default().insert(tenant.clone());
            homes.of.entry(tenant).or_default().entry(target.clone()).or_default().insert(stack);
        }
    }
}

/// How many places of a wave are free.
fn free_in(ledger: &Ledger, course: &Course, wave: usize, limit: u32) -> usize {
    let running = ledger.count(&|other| course.wave_of(other) == Some(wave));
    (limit as usize).saturating_sub(running)
}

/// A poisoned lock means that a worker panicked between two statements that cannot panic; what it
/// guards is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
