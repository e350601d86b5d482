//! One story told again and again, each time with one thing otherwise that must not matter: a crash
//! before or after one call, a listing that still shows what was before a call, a pair of happenings
//! that cancel out. The end and the number of operations must be those of the first telling.

use std::collections::BTreeMap;
use std::time::Duration;

use driftless::ids::StackKey;
use driftless::plan::{Scope, Suspension};
use driftless::sim::{CallFault, Calls};

use crate::swarm::dice::Dice;
use crate::swarm::model::{Kind, Model};
use crate::swarm::play::Play;
use crate::swarm::witness::{Death, Done};

const SEED: u64 = 4_711;
/// Long enough for every step of the story at the cloud's speed, crash and restart included.
const CHAPTER: Duration = Duration::from_secs(15 * 60);
/// How long a listing lies behind.
const BEHIND: Duration = Duration::from_secs(60);

/// What is otherwise in one telling.
#[derive(Clone, Debug)]
enum Twist {
    Nothing,
    /// The process dies at the how manieth changing call.
    Crash(Death),
    /// After this call, listings of its target show for a while what was before it.
    Behind(Done),
    /// The pair of this chapter is left out.
    WithoutPair(usize),
}

type Texts = BTreeMap<String, String>;

/// How a telling ended.
#[derive(Debug, PartialEq, Eq)]
struct End {
    /// Template, parameters and tags.
    stacks: BTreeMap<StackKey, (String, Texts, Texts)>,
    started: BTreeMap<(StackKey, &'static str), usize>,
}

/// The fleet of each chapter: made, updated everywhere, one tenant more, one service dropped and
/// deleted, a table replaced with a person's consent.
fn chapters() -> Vec<Model> {
    let mut dice = Dice::of(SEED);
    let mut fleet = Model::of(&mut dice);
    fleet.tenants.retain(|number, _| *number == 1);
    fleet.tenants.values_mut().for_each(|tenant| tenant.regions = 1);
    (fleet.in_flight, fleet.per_target) = (50, 5);
    (fleet.deletes, fleet.percent) = (4, 100);
    for service in fleet.services.values_mut() {
        (service.deletes, service.protected, service.policy) = (true, false, false);
    }
    let mut chapters = vec![fleet];
    let mut next = |change: fn(&mut Model)| {
        let mut fleet = chapters[chapters.len() - 1].clone();
        change(&mut fleet);
        chapters.push(fleet);
    };
    next(|fleet| fleet.services.values_mut().for_each(|service| service.generation += 1));
    next(|fleet| {
        let tenant = fleet.tenants[&1].clone();
        fleet.tenants.insert(2, tenant);
    });
    next(|fleet| {
        fleet.services.remove(&Kind::Job);
        let store = fleet.services.get_mut(&Kind::Store).expect("a store");
        (store.key, store.policy, store.protected) = (1, true, true);
    });
    chapters
}

/// Things that cancel out at once. Nobody has time to act on the first of a pair.
fn pair(play: &mut Play, chapter: usize) {
    let fleet = Model::clone(&play.model());
    let account = "200000000001".parse().expect("an account");
    let script = play.cloud.script();
    match chapter {
        0 => {
            let scope = Scope::Fleet;
            let life = play.life.as_ref().expect("a process");
            let at = life.clock.now();
            let (by, reason) = ("ann".to_owned(), "a slip".to_owned());
            life.journal
                .suspend(&Suspension { scope: scope.clone(), by, reason, at })
                .expect("said");
            life.journal.resume(&scope).expect("said");
        }
        1 => {
            let mut other = fleet.clone();
            other.services.values_mut().for_each(|service| service.generation += 7);
            play.commit(other);
            play.commit(fleet);
        }
        2 => {
            script.deny_role(account);
            script.allow_role(account);
        }
        _ => {
            let mut emptier = fleet.clone();
            emptier.services.remove(&Kind::Store);
            play.commit(emptier);
            play.commit(fleet);
        }
    }
}

/// Tells the story. Returns how it ended, and which calls had an effect.
async fn tell(twist: Twist) -> (End, Vec<Done>) {
    let chapters = chapters();
    let mut play = Play::calm(SEED, chapters[0].clone());
    let mut behind = match &twist {
        Twist::Behind(done) => Some(done.clone()),
        Twist::Nothing | Twist::Crash(_) | Twist::WithoutPair(_) => None,
    };
    if let Twist::Crash(death) = twist {
        play.kill_at_start = Some(death);
    }
    for (number, fleet) in chapters.into_iter().enumerate() {
        if number > 0 {
            play.commit(fleet);
        }
        let end = play.clock.now() + CHAPTER;
        // Whoever waits for a person is given an answer in the middle of the chapter.
        play.pass_behind(&mut behind, end - CHAPTER / 2).await;
        play.approve_all();
        play.pass_behind(&mut behind, end).await;
        play.approve_all();
        if !matches!(&twist, Twist::WithoutPair(left_out) if *left_out == number) {
            pair(&mut play, number);
        }
        play.pass(CHAPTER).await;
    }
    let left = play.unconverged();
    assert!(left.is_empty(), "{twist:?}: {left:#?}");
    let stacks = play.stacks().into_iter();
    let end = End {
        stacks: stacks.map(|(key, one)| (key, (one.template, one.parameters, one.tags))).collect(),
        started: play.watch.started(),
    };
    let deeds = play.watch.deeds();
    let report = play.end().await;
    assert_eq!(report.violations, Vec::<String>::new(), "{twist:?}");
    (end, deeds)
}

impl Play {
    /// Lets time pass, and makes listings lie behind right after a call.
    async fn pass_behind(&mut self, behind: &mut Option<Done>, until: driftless::moment::Moment) {
        if let Some(done) = behind.take_if(|done| done.at < until) {
            let instant = Duration::from_millis(1);
            self.pass_until(done.at + instant).await;
            let calls = Calls {
                account: Some(done.target.account),
                region: Some(done.target.region.clone()),
                api: Some("DescribeStacks".to_owned()),
            };
            self.cloud.script().calls(calls.clone(), CallFault::AsOf(done.at - instant), None);
            self.pass(BEHIND).await;
            self.cloud.script().restore(&calls);
        }
        if self.clock.now() < until {
            self.pass_until(until).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_call_changes_nothing_in_the_end() {
    let (first, deeds) = tell(Twist::Nothing).await;
    assert!(deeds.len() > 20, "{}", deeds.len());
    for call in 0..u32::try_from(deeds.len()).expect("few") {
        for before in [true, false] {
            let twist = Twist::Crash(Death { call, before });
            assert_eq!(tell(twist.clone()).await.0, first, "{twist:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_from_before_any_call_repeats_nothing() {
    let (first, deeds) = tell(Twist::Nothing).await;
    let destructive = ["CreateStack", "DeleteStack", "ExecuteChangeSet"];
    let deeds = deeds.into_iter().filter(|done| destructive.contains(&done.api));
    let mut points = 0;
    for done in deeds {
        let twist = Twist::Behind(done);
        assert_eq!(tell(twist.clone()).await.0, first, "{twist:?}");
        points += 1;
    }
    assert!(points > 10, "{points}");
}

#[tokio::test(start_paused = true)]
async fn what_cancels_out_leaves_no_trace() {
    let (first, _) = tell(Twist::Nothing).await;
    for number in 0..chapters().len() {
        let twist = Twist::WithoutPair(number);
        assert_eq!(tell(twist.clone()).await.0, first, "{twist:?}");
    }
}
