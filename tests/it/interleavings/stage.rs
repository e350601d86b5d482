//! Workers that go through the passes of the controller step by step, beside a cloud that is a few
//! flags. What a worker does under one lock is one step; between two steps anybody else may act.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use driftless::controller::Queue;
use driftless::ids::{Digest, StackId, StackKey, StackName, Target};
use driftless::moment::Moment;
use driftless::observed::{Seen, StackStatus, StackVersion};
use driftless::outcome::{Memory, StepKind};
use driftless::plan::{EFFECT_PATIENCE, Hold, Ledger, may_run};
use driftless::reconcile::{Class, Next};

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Whoever waits for a place of the fleet looks by itself only so late.
const RESYNC: Duration = Duration::from_secs(24 * 60 * 60);
const LONGEST_LAG: Duration = Duration::from_secs(100);
const NEVER: Next = Next { at: Moment::from_millis(u64::MAX), class: Class::Resync };

/// Numbers that look random and are the same every time.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// A number from 0 up to and without `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).expect("small")
    }
}

/// What can happen next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// This worker does its next step.
    Work(usize),
    /// The next thing that happens outside: see [`Event`].
    Event,
}

/// What comes from outside.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// The operation on this stack ends.
    Settle(usize),
    /// Git or a person asks for this target.
    Wake(usize),
    /// The limits are others from now on.
    Limit { fleet: usize, per_target: usize },
    /// Time passes.
    Pass(Duration),
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Started,
    Failed,
    /// The answer is lost; the operation runs. The same call goes out again.
    LostAfter,
    /// The answer is lost, and so was the call.
    LostBefore,
}

/// What a look shows of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown {
    runs: bool,
    /// Operations so far.
    version: u32,
}

/// A stack in the cloud, and what the journal remembers of it.
#[derive(Clone, Debug)]
struct Stack {
    key: StackKey,
    now: Shown,
    /// What a listing that lags shows. That listings neither go back behind what they showed nor
    /// lag longer than our patience is taken for granted: see [`Stack::show`].
    before: Shown,
    changed_at: Moment,
    /// The latest version that was shown.
    shown: u32,
    /// The last call.
    attempt: Option<Attempt>,
    /// The version that is wanted.
    wanted: u32,
}

/// What the journal remembers of a call.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    /// What was shown of the stack when it was decided; the token follows from it.
    version: u32,
    at: Moment,
    answered: bool,
    settled: bool,
}

impl Attempt {
    /// As the product remembers it: a version is the time of the last update.
    fn memory(&self, id: &StackId) -> Memory {
        let attempt = driftless::outcome::Attempt {
            kind: StepKind::ExecuteChangeSet { name: String::new() },
            version: Some(StackVersion { id: id.clone(), updated_at: updated_at(self.version) }),
            digest: Digest::of(b""),
            number: 1,
            token: String::new(),
            at: self.at,
            doubtful: false,
            answered: self.answered,
            settled: self.settled,
            no_echo: BTreeMap::new(),
            tries: 1,
            refused: None,
        };
        Memory { attempt: Some(attempt), ..Memory::default() }
    }
}

/// When the stack was updated last.
fn updated_at(version: u32) -> Option<Moment> {
    Some(Moment::from_millis(u64::from(version)))
}

impl Stack {
    /// What the product says of it after a look.
    fn may_run(&self, shown: Shown, now: Moment) -> bool {
        let id = StackId::of(self.key.name.as_str());
        let status =
            if shown.runs { StackStatus::UpdateInProgress } else { StackStatus::UpdateComplete };
        let memory = self.attempt.map(|attempt| attempt.memory(&id)).unwrap_or_default();
        let seen = Seen {
            id,
            key: self.key.clone(),
            status,
            status_reason: None,
            created_at: Moment::default(),
            updated_at: updated_at(shown.version),
            parameters: BTreeMap::new(),
            tags: BTreeMap::new(),
            outputs: BTreeMap::new(),
            termination_protection: false,
        };
        may_run(Some(&seen), &memory, now)
    }

    fn change(&mut self, now: Shown, at: Moment) {
        (self.before, self.now, self.changed_at) = (self.now, now, at);
    }

    fn show(&mut self, lags: bool, now: Moment) -> Shown {
        let may_lag = self.before.version >= self.shown && now.since(self.changed_at) < LONGEST_LAG;
        let shown = if lags && may_lag { self.before } else { self.now };
        self.shown = shown.version;
        shown
    }
}

/// A listing, and when it was taken.
#[derive(Clone, Debug)]
struct Look {
    at: Moment,
    stacks: Vec<Shown>,
}

/// Where a worker is in its pass.
#[derive(Clone, Debug)]
enum Pass {
    Idle,
    Taken(Target),
    Looked(Target, Look),
    Counted(Target, Look),
    /// With the stack and the version that was shown of it.
    Granted(Target, usize, u32),
    Done(Target),
    /// The ledger knows that it is over, the queue does not.
    Over(Target),
}

/// A worker that begins so many passes.
#[derive(Clone, Debug)]
struct Worker {
    passes: usize,
    pass: Pass,
    /// What becomes of its calls.
    fate: Fate,
    /// Whether its listings lag.
    lags: bool,
}

/// Everything there is.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    queue: Queue,
    ledger: Ledger,
    now: Moment,
    fleet: usize,
    per_target: usize,
    targets: Vec<Target>,
    stacks: Vec<Stack>,
    workers: Vec<Worker>,
    /// Events to come; the last one is the next.
    events: Vec<Event>,
    /// Targets that were asked for and not taken since.
    asked: BTreeSet<Target>,
    /// Targets whose last pass found no place in the fleet.
    refused: BTreeSet<Target>,
}

impl Stage {
    /// Three workers over two targets of two stacks; three things happen meanwhile.
    pub(crate) fn small(seed: u64) -> Self {
        Self::of(&mut Random::of(seed), 3, 2, 1, 3)
    }

    /// Five workers over four targets; something happens at every turn.
    pub(crate) fn large(seed: u64) -> Self {
        Self::of(&mut Random::of(seed), 5, 4, usize::MAX, 200)
    }

    fn of(
        random: &mut Random,
        workers: usize,
        targets: usize,
        passes: usize,
        events: usize,
    ) -> Self {
        let target = |number| format!("{number:012}/eu-central-1").parse().expect("a target");
        let targets: Vec<Target> = (0..targets).map(target).collect();
        let mut stage = Self {
            queue: Queue::default(),
            ledger: Ledger::default(),
            now: Moment::from_millis(1_000_000),
            fleet: 1 + random.below(3),
            per_target: 1 + random.below(2),
            stacks: Vec::new(),
            workers: Vec::new(),
            events: Vec::new(),
            asked: targets.iter().cloned().collect(),
            refused: BTreeSet::new(),
            targets,
        };
        for target in stage.targets.clone() {
            let class = [Class::Changed, Class::Failed, Class::Resync][random.below(3)];
            stage.queue.add(&target, Next { at: stage.now, class });
            for name in ["a", "b"] {
                let name: StackName = name.parse().expect("a name");
                let now = Shown { runs: false, version: 0 };
                let key = StackKey { target: target.clone(), name };
                let wanted = 1 + u32::try_from(random.below(2)).expect("small");
                stage.stacks.push(Stack {
                    key,
                    now,
                    before: now,
                    changed_at: stage.now,
                    shown: 0,
                    attempt: None,
                    wanted,
                });
            }
        }
        for _ in 0..workers {
            let fates = [Fate::Started, Fate::Started, Fate::Failed];
            let fates = [&fates[..], &[Fate::LostAfter, Fate::LostBefore]].concat();
            let (fate, lags) = (fates[random.below(fates.len())], random.below(3) == 0);
            stage.workers.push(Worker { passes, pass: Pass::Idle, fate, lags });
        }
        stage.events = (0..events).map(|_| stage.event(random)).collect();
        stage
    }

    fn event(&self, random: &mut Random) -> Event {
        match random.below(8) {
            0..3 => Event::Settle(random.below(self.stacks.len())),
            3 | 4 => Event::Wake(random.below(self.targets.len())),
            5 => Event::Limit { fleet: random.below(5), per_target: random.below(3) },
            6 => Event::Pass(LOOK_EVERY),
            _ => Event::Pass(Duration::from_secs(70)),
        }
    }

    /// Everything that can happen next.
    pub(crate) fn possible(&self) -> Vec<Act> {
        let due = self.queue.next_due().is_some_and(|at| at <= self.now);
        let can_work = |worker: &Worker| match worker.pass {
            Pass::Idle => due && worker.passes > 0,
            _ => true,
        };
        let workers = self.workers.iter().enumerate();
        let working = workers.filter(|(_, worker)| can_work(worker)).map(|(n, _)| Act::Work(n));
        let event = (!self.events.is_empty()).then_some(Act::Event);
        working.chain(event).collect()
    }

    /// Lets it happen, or says what went wrong.
    pub(crate) fn act(&mut self, act: Act) -> Result<(), String> {
        match act {
            Act::Work(number) => self.work(number)?,
            Act::Event => {
                self.happen();
                self.call_the_next();
            }
        }
        let granted = self.granted();
        let runs = self.stacks.iter().filter(|stack| stack.now.runs);
        for key in runs.map(|stack| &stack.key).chain(&granted) {
            if !self.ledger.holds(key) {
                return Err(format!("{key} runs without a place"));
            }
        }
        Ok(())
    }

    /// What the loop of the controller does at every turn.
    fn call_the_next(&mut self) {
        for target in self.ledger.call(self.fleet) {
            self.queue.add(&target, Next { at: self.now, class: Class::InFlight });
        }
    }

    fn happen(&mut self) {
        match self.events.pop() {
            Some(Event::Settle(number)) => {
                let stack = &mut self.stacks[number];
                stack.change(Shown { runs: false, ..stack.now }, self.now);
            }
            Some(Event::Wake(number)) => {
                let target = self.targets[number].clone();
                self.queue.add(&target, Next { at: self.now, class: Class::Changed });
                self.asked.insert(target);
            }
            Some(Event::Limit { fleet, per_target }) => {
                (self.fleet, self.per_target) = (fleet, per_target);
            }
            Some(Event::Pass(length)) => self.now = self.now + length,
            None => {}
        }
    }

    fn work(&mut self, number: usize) -> Result<(), String> {
        let Worker { pass, fate, lags, .. } = self.workers[number].clone();
        let pass = match pass {
            Pass::Idle => self.take(number)?,
            Pass::Taken(target) => {
                let look = self.look(&target, lags);
                Pass::Looked(target, look)
            }
            Pass::Looked(target, look) => {
                self.count(&target, &look);
                Pass::Counted(target, look)
            }
            Pass::Counted(target, look) => self.reserve(target, &look)?,
            Pass::Granted(target, stack, version) => {
                self.call(stack, version, fate);
                Pass::Done(target)
            }
            Pass::Done(target) => {
                self.ledger.passed(&target);
                Pass::Over(target)
            }
            Pass::Over(target) => {
                let next = self.next(&target);
                self.queue.finish(&target, next);
                self.call_the_next();
                Pass::Idle
            }
        };
        self.workers[number].pass = pass;
        Ok(())
    }

    fn take(&mut self, number: usize) -> Result<Pass, String> {
        let target = self.queue.take(self.now).ok_or("what is due is not handed out")?;
        let held = |worker: &Worker| worker.target() == Some(&target);
        if self.workers.iter().any(held) {
            return Err(format!("{target} is handled twice at once"));
        }
        self.asked.remove(&target);
        self.refused.remove(&target);
        self.workers[number].passes -= 1;
        Ok(Pass::Taken(target))
    }

    fn stacks_in(&self, target: &Target) -> impl Iterator<Item = (usize, &Stack)> {
        self.stacks.iter().enumerate().filter(move |(_, stack)| &stack.key.target == target)
    }

    fn look(&mut self, target: &Target, lags: bool) -> Look {
        let at = self.now;
        let here = self.stacks.iter_mut().filter(|stack| &stack.key.target == target);
        Look { at, stacks: here.map(|stack| stack.show(lags, at)).collect() }
    }

    /// What a look shows, and what was asked for and not seen yet, has a place.
    fn count(&mut self, target: &Target, look: &Look) {
        let here = self.stacks.iter_mut().filter(|stack| &stack.key.target == target);
        let mut names = BTreeSet::new();
        for (stack, shown) in here.zip(&look.stacks) {
            if let Some(attempt) = &mut stack.attempt {
                let shows_effect = shown.version > attempt.version;
                let is_old = look.at.since(attempt.at) >= EFFECT_PATIENCE;
                let is_over = shows_effect || is_old || !attempt.answered;
                attempt.settled |= !shown.runs && is_over;
            }
            if stack.may_run(*shown, look.at) {
                names.insert(stack.key.name.clone());
            }
        }
        self.ledger.replace(target, names);
    }

    /// The first stack that rests and is not as it is wanted, with the version that was shown.
    fn wanting(&self, target: &Target, look: &Look) -> Option<(usize, StackKey, u32)> {
        let mut here = self.stacks_in(target).zip(&look.stacks);
        here.find_map(|((number, stack), shown)| {
            let rests = !shown.runs && stack.attempt.is_none_or(|attempt| attempt.settled);
            let wants = rests && shown.version < stack.wanted;
            wants.then(|| (number, stack.key.clone(), shown.version))
        })
    }

    /// Takes a place for it.
    fn reserve(&mut self, target: Target, look: &Look) -> Result<Pass, String> {
        let Some((number, key, version)) = self.wanting(&target, look) else {
            return Ok(Pass::Done(target));
        };
        let is_new = !self.ledger.holds(&key);
        match self.ledger.reserve(&key, self.fleet, self.per_target) {
            Ok(()) => {}
            Err(hold) => {
                if matches!(hold, Hold::FleetBusy(_)) {
                    self.refused.insert(target.clone());
                }
                return Ok(Pass::Done(target));
            }
        }
        let mut taken = self.granted();
        taken.extend(self.stacks.iter().filter(|one| one.now.runs).map(|one| one.key.clone()));
        taken.insert(key);
        let here = taken.iter().filter(|key| key.target == target).count();
        // What may run already keeps its place, whatever the limits are by now.
        if is_new && (taken.len() > self.fleet || here > self.per_target) {
            return Err(format!("{taken:?} where {} and {}", self.fleet, self.per_target));
        }
        Ok(Pass::Granted(target, number, version))
    }

    /// What may be started at any moment.
    fn granted(&self) -> BTreeSet<StackKey> {
        let granted = self.workers.iter().filter_map(|worker| match &worker.pass {
            Pass::Granted(_, number, _) => Some(self.stacks[*number].key.clone()),
            _ => None,
        });
        granted.collect()
    }

    fn call(&mut self, number: usize, version: u32, fate: Fate) {
        let stack = &mut self.stacks[number];
        // A call that came before under the same token has no second effect, and is no failure.
        let comes_first = stack.now.version == version;
        let fails = comes_first && matches!(fate, Fate::Failed);
        let may_run = stack.may_run(Shown { runs: false, version }, self.now);
        if fails && !may_run {
            self.ledger.release(&stack.key);
        }
        let answered = matches!(fate, Fate::Started | Fate::Failed);
        stack.attempt = Some(Attempt { version, at: self.now, answered, settled: fails });
        if comes_first && matches!(fate, Fate::Started | Fate::LostAfter) {
            stack.change(Shown { runs: true, version: version + 1 }, self.now);
        }
    }

    fn next(&self, target: &Target) -> Next {
        let moves = self.stacks_in(target).any(|(_, stack)| self.ledger.holds(&stack.key));
        let wants = self.stacks_in(target).any(|(_, stack)| stack.shown < stack.wanted);
        // Whoever waits for a place of the fleet is called.
        let waits = self.refused.contains(target) && !moves;
        let pause = if waits { RESYNC } else { LOOK_EVERY };
        let soon = Next { at: self.now + pause, class: Class::InFlight };
        if moves || wants { soon } else { NEVER }
    }

    /// Everything ends, and every target is looked at: nothing may be left then.
    pub(crate) fn wind_up(&mut self) -> Result<(), String> {
        self.events.clear();
        for number in 0..self.workers.len() {
            while self.workers[number].target().is_some() {
                self.act(Act::Work(number))?;
            }
            self.workers[number] =
                Worker { passes: usize::MAX, lags: false, fate: Fate::Started, pass: Pass::Idle };
        }
        let mut queue = self.queue.clone();
        let due: BTreeSet<Target> = std::iter::from_fn(|| queue.take(self.now)).collect();
        if !self.asked.is_subset(&due) {
            return Err(format!("{:?} were asked for, and only {due:?} are due", self.asked));
        }
        (self.fleet, self.per_target) = (3, 2);
        // Each round ends what runs; a lost call is forgotten after a while.
        for _ in 0..12 {
            for stack in &mut self.stacks {
                stack.change(Shown { runs: false, ..stack.now }, self.now);
            }
            self.now = self.now + EFFECT_PATIENCE;
            self.call_the_next();
            while self.queue.next_due().is_some_and(|at| at <= self.now) {
                self.act(Act::Work(0))?;
                while self.workers[0].target().is_some() {
                    self.act(Act::Work(0))?;
                }
            }
        }
        let is_left = |stack: &&Stack| stack.now.version < stack.wanted;
        let left: Vec<&Stack> = self.stacks.iter().filter(is_left).collect();
        if self.asked.is_empty()
            && self.ledger.total() == 0
            && left.is_empty()
            && self.queue.is_at_rest()
        {
            return Ok(());
        }
        Err(format!("{:?} and {:?} wait, {:?}", self.asked, left, self.ledger))
    }
}

impl Worker {
    fn target(&self) -> Option<&Target> {
        match &self.pass {
            Pass::Idle => None,
            Pass::Taken(target)
            | Pass::Looked(target, _)
            | Pass::Counted(target, _)
            | Pass::Granted(target, _, _)
            | Pass::Done(target)
            | Pass::Over(target) => Some(target),
        }
    }
}
