//! One run of one seed: a fleet, a cloud, a repository and a process, things that happen to them,
//! and the healing at the end, after which all must be as git says.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use driftless::clock::Clock;
use driftless::moment::Moment;
use driftless::sim::{Cloud, CloudSettings};
use git2::Oid;
use tempfile::TempDir;

use crate::swarm::dice::Dice;
use crate::swarm::happening::Menu;
use crate::swarm::hearing::Hearing;
use crate::swarm::life::Life;
use crate::swarm::model::Model;
use crate::swarm::repository::Repository;
use crate::swarm::witness::{Death, Watch};

/// Some day in 2026.
const START: Moment = Moment::from_millis(1_795_100_000_000);
/// A supervisor starts a process again after so long.
const RESTART: Duration = Duration::from_secs(10);

/// What one run came to.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) violations: Vec<String>,
    pub(crate) trace: Vec<String>,
    pub(crate) virtual_s: u64,
    pub(crate) calls: u64,
    pub(crate) stacks: usize,
    pub(crate) lives: u64,
    pub(crate) faults: BTreeMap<&'static str, u64>,
    pub(crate) happenings: BTreeMap<&'static str, u64>,
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

/// The world of one run.
pub(crate) struct Play {
    pub(crate) seed: u64,
    pub(crate) dice: Dice,
    folder: TempDir,
    pub(crate) cloud: Cloud,
    pub(crate) clock: Clock,
    pub(crate) watch: Arc<Watch>,
    pub(crate) repository: Repository,
    /// Every commit that nothing speaks against, oldest first, and what it says.
    pub(crate) history: Vec<(Oid, Arc<Model>)>,
    /// The last commit that the next one is made on.
    pub(crate) parent: Option<Oid>,
    pub(crate) life: Option<Life>,
    pub(crate) twin: Option<Life>,
    pub(crate) start_at: Moment,
    clocks_are_right: bool,
    lives: u64,
    pub(crate) pages: Option<u32>,
    /// How the first process dies.
    pub(crate) kill_at_start: Option<Death>,
    pub(crate) happened: BTreeMap<&'static str, u64>,
    /// The requests to which people said yes, and when.
    pub(crate) answered: BTreeMap<String, Moment>,
    pub(crate) hearing: Hearing,
}

impl Play {
    /// A world in which nothing has happened yet.
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::of(seed);
        let settings = CloudSettings {
            speed: f64::from(1 + dice.below(20)),
            seed: dice.seed(),
            quotas: Some(dice.chance(0.3)),
            stacks_per_page: 1 + dice.below(4) as usize,
            ..CloudSettings::default()
        };
        let model = Model::of(&mut dice);
        Self::with(seed, dice, settings, model)
    }

    /// A world with this fleet in which no machine's clock is wrong.
    pub(crate) fn calm(seed: u64, model: Model) -> Self {
        let settings =
            CloudSettings { speed: 10.0, seed, stacks_per_page: 2, ..CloudSettings::default() };
        let mut play = Self::with(seed, Dice::of(seed), settings, model);
        play.clocks_are_right = true;
        play
    }

    fn with(seed: u64, dice: Dice, settings: CloudSettings, model: Model) -> Self {
        let clock = Clock::starting_at(START);
        let settings = CloudSettings { remembers: true, ..settings };
        let cloud = Cloud::in_memory(settings, clock.clone());
        let folder = tempfile::tempdir().expect("a folder");
        let repository = Repository::make(&folder.path().join("fleet.git"));
        let watch = Watch::of(&cloud);
        let mut play = Self {
            seed,
            dice,
            folder,
            cloud,
            watch,
            repository,
            history: Vec::new(),
            parent: None,
            life: None,
            twin: None,
            start_at: clock.now(),
            clock,
            clocks_are_right: false,
            lives: 0,
            pages: None,
            kill_at_start: None,
            happened: BTreeMap::new(),
            answered: BTreeMap::new(),
            hearing: Hearing::default(),
        };
        play.commit(model);
        play
    }

    /// Commits a fleet that validates.
    pub(crate) fn commit(&mut self, model: Model) {
        let id = self.push(&model.files(), self.parent);
        self.parent = Some(id);
        self.follow(id, Arc::new(model));
    }

    /// Commits these files, whatever they say.
    pub(crate) fn push(&mut self, files: &BTreeMap<String, String>, parent: Option<Oid>) -> Oid {
        let id = self.repository.commit(files, parent);
        let parent = parent.map(|parent| parent.to_string());
        self.watch.pushed(&id.to_string(), parent);
        id
    }

    pub(crate) fn follow(&mut self, id: Oid, model: Arc<Model>) {
        self.watch.truth(|truth| truth.committed(&id.to_string(), &model, false));
        self.history.push((id, model));
    }

    /// What the last good commit says.
    pub(crate) fn model(&self) -> Arc<Model> {
        self.history.last().expect("a first commit").1.clone()
    }

    pub(crate) fn state(&self, which: &str) -> PathBuf {
        self.folder.path().join(which)
    }

    fn repository_path(&self) -> PathBuf {
        self.folder.path().join("fleet.git")
    }

    /// Lets time pass until `until`; the process is started and started again as a supervisor would.
    pub(crate) async fn pass_until(&mut self, until: Moment) {
        loop {
            let now = self.clock.now();
            if self.life.is_none() && now >= self.start_at {
                self.start();
            }
            let wake =
                if self.life.is_none() && now < until { self.start_at.min(until) } else { until };
            let watch = self.watch.clone();
            tokio::select! {
                biased;
                () = watch.died.notified() => self.bury().await,
                ended = end_of(&mut self.life) => {
                    self.watch.note(self.clock.now(), &format!("the process ended: {ended}"));
                    self.bury().await;
                }
                ended = end_of(&mut self.twin) => {
                    self.watch.note(self.clock.now(), &format!("the twin ended: {ended}"));
                    self.twin = None;
                }
                () = self.clock.sleep_until(wake) => {
                    if self.clock.now() >= until {
                        return;
                    }
                }
            }
        }
    }

    pub(crate) async fn pass(&mut self, length: Duration) {
        let until = self.clock.now() + length;
        self.pass_until(until).await;
    }

    /// A clock of the machine, which may be two minutes wrong.
    pub(crate) fn machine_clock(&mut self) -> Clock {
        if self.clocks_are_right {
            return self.clock.clone();
        }
        let wrong = Duration::from_secs(u64::from(self.dice.below(240)));
        Clock::starting_at(self.clock.now() + wrong - Duration::from_secs(120))
    }

    fn start(&mut self) {
        self.lives += 1;
        let clock = self.machine_clock();
        let seed = self.seed.wrapping_mul(1_000).wrapping_add(self.lives);
        let (repository, state) = (self.repository_path(), self.state("state"));
        match Life::start(&self.cloud, clock, &repository, &state, seed) {
            Ok(life) => {
                self.watch.revive();
                if let Some(death) = self.kill_at_start.take() {
                    self.watch.kill_at(death);
                }
                if let Some(pages) = self.pages {
                    life.journal.limit_pages(pages).expect("limited");
                }
                self.watch.truth(|truth| truth.born(&life.journal));
                self.life = Some(life);
            }
            Err(error) => {
                self.watch.note(self.clock.now(), &format!("not started: {}", word_of(&error)));
                self.start_at = self.clock.now() + RESTART;
            }
        }
    }

    /// A second controller with a journal of its own.
    pub(crate) fn start_twin(&mut self) {
        let clock = self.machine_clock();
        let (repository, state) = (self.repository_path(), self.state("twin"));
        if let Ok(twin) = Life::start(&self.cloud, clock, &repository, &state, self.seed ^ 77) {
            self.watch.truth(|truth| truth.twin(&twin.journal));
            self.twin = Some(twin);
        }
    }

    /// The process is dead: nothing of it is left but what it wrote.
    pub(crate) async fn bury(&mut self) {
        self.watch.kill();
        self.hear();
        self.life = None;
        self.hearing.forget();
        self.watch.truth(|truth| truth.died());
        // What it had spawned is dropped when the runtime gets to it.
        tokio::task::yield_now().await;
        self.start_at = self.clock.now() + RESTART;
    }

    /// Plays the whole run.
    pub(crate) async fn run(mut self) -> Report {
        let menu = Menu::of(&mut self.dice);
        let steps = 6 + self.dice.below(30);
        for _ in 0..steps {
            let pause =
                1 + u64::from(self.dice.below(4)).pow(4) * u64::from(1 + self.dice.below(10));
            self.pass(Duration::from_secs(pause)).await;
            self.happen(&menu).await;
            self.hear();
            if !self.watch.violations().is_empty() {
                break;
            }
        }
        if self.watch.violations().is_empty() {
            self.heal().await;
        }
        self.end().await
    }

    pub(crate) async fn end(mut self) -> Report {
        self.hear();
        self.watch.kill();
        self.life = None;
        self.twin = None;
        tokio::task::yield_now().await;
        self.search_journals();
        let running = self.cloud.console().accounts().expect("accounts");
        let console = self.cloud.console();
        let stacks = running.iter().flat_map(|account| {
            let regions = console.regions(*account).expect("regions");
            let console = &console;
            regions
                .into_iter()
                .map(move |region| console.stacks(*account, &region).expect("stacks").len())
        });
        let stacks = stacks.sum();
        self.cloud.set_witness(None);
        for text in self.cloud.refused() {
            self.watch.violate(format!("a call that nobody should make: {text}"));
        }
        Report {
            violations: self.watch.violations(),
            trace: self.watch.trace(),
            virtual_s: self.clock.now().since(START).as_secs(),
            calls: self.cloud.call_counts().values().sum(),
            stacks,
            lives: self.lives,
            faults: self.cloud.script().met(),
            happenings: std::mem::take(&mut self.happened),
            counts: self.watch.counts(),
        }
    }
}

/// Resolves when the process ends by itself.
async fn end_of(life: &mut Option<Life>) -> String {
    match life {
        None => std::future::pending().await,
        Some(life) => match (&mut life.running).await {
            Ok(_) => "well".to_owned(),
            Err(error) => word_of(&error),
        },
    }
}

/// An error without paths, which differ from run to run.
fn word_of(error: &impl std::fmt::Debug) -> String {
    let text = format!("{error:?}");
    text.split('{').next().unwrap_or_default().to_owned()
}
