//! Whatever stacks do and people say, no gate opens before its time.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use crate::check;
use crate::desired::Desired;
use crate::ids::{Digest, Revision, ServiceName, StackKey};
use crate::moment::Moment;
use crate::outcome::{CauseClass, LeftOut, Mark, Trouble};
use crate::rollout::{ChangeKind, Order, OrderWord, Rollouts, Run};
use crate::snapshot::{Entry, Snapshot};

const HEAD: &str = "apiVersion: driftless.dev/v1\nkind: ";

/// One service whose parameter has this value, with the waves that are written so, and so many
/// tenants, every third of which is a canary.
pub(super) fn fleet(waves: &str, tenants: usize, value: &str) -> Desired {
    fleet_of(waves, tenants, value, &|_| String::new())
}

/// The same, and more in the documents of tenants.
pub(super) fn fleet_of(
    waves: &str,
    tenants: usize,
    value: &str,
    own: &dyn Fn(usize) -> String,
) -> Desired {
    let inputs = format!(", parameters: {{ V: \"{value}\" }}");
    let template =
        "Parameters: { V: { Type: String } }\nResources: { Q: { Type: AWS::SQS::Queue } }";
    written(value, (waves, &inputs, template), tenants, own)
}

/// A revision with these waves, inputs of the service and template.
fn written(
    revision: &str,
    (waves, inputs, template): (&str, &str, &str),
    tenants: usize,
    own: &dyn Fn(usize) -> String,
) -> Desired {
    let fleet = format!(
        "{HEAD}Fleet\nmetadata: {{ name: f }}\nspec:\n  cloud: simulated\n  regions: \
         [eu-central-1]\n  rollout: {{ {waves} }}\n"
    );
    let service =
        format!("{HEAD}Service\nmetadata: {{ name: api }}\nspec: {{ template: t.yaml{inputs} }}\n");
    let mut files = vec![
        ("fleet.yaml".to_owned(), fleet),
        ("s.yaml".to_owned(), service),
        ("t.yaml".to_owned(), template.to_owned()),
    ];
    files.extend((1..=tenants).map(|number| {
        let ring = if number % 3 == 0 { "canary" } else { "other" };
        let text = format!(
            "{HEAD}Tenant\nmetadata: {{ name: t{number}, labels: {{ ring: {ring} }} }}\nspec: \
             {{ account: \"{number:012}\", regions: [eu-central-1]{} }}\n",
            own(number)
        );
        (format!("t{number}.yaml"), text)
    }));
    let entries =
        files.into_iter().map(|(path, text)| (path, Entry::File(text.into_bytes().into())));
    let snapshot = Snapshot::of(Revision::of(revision), None, entries.collect());
    check::read(&snapshot).unwrap_or_else(|all| panic!("{all:#?}")).0
}

const WAVES: &str = "waves: [{ name: canary, selector: { matchLabels: { ring: canary } }, soak: 60s }, \
                     { name: some, percent: 20 }, { name: all }]";
const TENANTS: usize = 12;

/// What happens next.
#[derive(Clone, Debug)]
enum Event {
    /// A look shows how a stack stands at the release that goes out.
    Settles(usize),
    Fails(usize, CauseClass, u32),
    LeftOut(usize, bool),
    Opens(usize),
    Passes(u64),
    Says(OrderWord),
    Commits(u8),
    Restarts,
}

fn event() -> impl Strategy<Value = Event> {
    let stack = || 0..TENANTS;
    let classes = [CauseClass::Transient, CauseClass::Release];
    let class = prop::sample::select(classes.to_vec());
    let words = [OrderWord::Halt, OrderWord::Resume, OrderWord::Revert, OrderWord::Supersede];
    prop_oneof![
        12 => stack().prop_map(Event::Settles),
        2 => (stack(), class, 1_u32..5).prop_map(|(one, class, count)| Event::Fails(one, class, count)),
        1 => (stack(), any::<bool>()).prop_map(|(one, wanted)| Event::LeftOut(one, wanted)),
        2 => stack().prop_map(Event::Opens),
        6 => (1_u64..90).prop_map(Event::Passes),
        1 => prop::sample::select(words.to_vec()).prop_map(Event::Says),
        1 => (1_u8..4).prop_map(Event::Commits),
        1 => Just(Event::Restarts),
    ]
}

struct World {
    rollouts: Rollouts,
    desired: Desired,
    keys: Vec<StackKey>,
    marks: BTreeMap<StackKey, Mark>,
    now: Moment,
}

impl World {
    fn new() -> Self {
        Self::of(WAVES)
    }

    fn of(waves: &str) -> Self {
        let desired = fleet(waves, TENANTS, "1");
        let keys = desired.all_standing().map(|wanted| wanted.key.clone()).collect();
        let now = Moment::from_millis(1_000_000);
        let mut rollouts = Rollouts::default();
        rollouts.want(&desired, now, &|_| Mark::Open);
        Self { rollouts, desired, keys, marks: BTreeMap::new(), now }
    }

    fn service() -> ServiceName {
        "api".parse().expect("a name")
    }

    fn run(&self) -> Option<Run> {
        self.rollouts.course(&Self::service()).expect("there").state().running.clone()
    }

    fn good(&self) -> Option<Digest> {
        self.rollouts.course(&Self::service()).expect("there").state().good
    }

    fn note(&mut self, stack: usize, mark: Mark) {
        let key = self.keys[stack].clone();
        self.rollouts.note(&Self::service(), &key, mark.clone());
        self.marks.insert(key, mark);
    }

    fn happens(&mut self, event: &Event) {
        let release = self.run().map(|run| run.release).or(self.good());
        let Some(release) = release else { return };
        match event {
            Event::Settles(one) => self.note(*one, Mark::Settled(release)),
            Event::Fails(one, class, count) => {
                let trouble = Trouble { cause: "no".into(), class: *class, count: *count };
                self.note(*one, Mark::Troubled { release, trouble });
            }
            Event::LeftOut(one, true) => self.note(*one, Mark::LeftOut(LeftOut::Suspended)),
            Event::LeftOut(one, false) => self.note(*one, Mark::LeftOut(LeftOut::Blind)),
            Event::Opens(one) => self.note(*one, Mark::Open),
            Event::Passes(seconds) => self.now = self.now + Duration::from_secs(*seconds),
            Event::Says(word) => {
                let (by, reason) = ("ann".to_owned(), String::new());
                let order = Order {
                    service: Self::service(),
                    release: None,
                    word: *word,
                    by,
                    reason,
                    at: self.now,
                };
                let _ = self.rollouts.obey(&order, self.now);
            }
            Event::Commits(value) => {
                self.desired = fleet(WAVES, TENANTS, &value.to_string());
                self.want();
            }
            Event::Restarts => {
                let kept = self.rollouts.kept();
                let kept: BTreeMap<_, _> =
                    kept.map(|(name, state, _)| (name.clone(), state.clone())).collect();
                let bodies = self.rollouts.kept().map(|(name, _, bodies)| {
                    let owned = bodies.into_iter().map(|(id, body)| (*id, body.clone()));
                    (name.clone(), owned.collect())
                });
                self.rollouts = Rollouts::recall(kept, bodies.collect());
                self.want();
            }
        }
    }

    fn want(&mut self) {
        let marks = self.marks.clone();
        let mark = |key: &StackKey| marks.get(key).cloned().unwrap_or_default();
        self.rollouts.want(&self.desired, self.now, &mark);
    }

    /// Stacks of waves that have begun, by how they stand at the release that goes out.
    fn are_well(&self, run: &Run, waves: usize) -> bool {
        let course = self.rollouts.course(&World::service()).expect("there");
        let of_waves = |key: &&StackKey| course.wave_of(key).is_some_and(|wave| wave < waves);
        self.keys.iter().filter(of_waves).all(|key| match self.marks.get(key) {
            Some(Mark::Settled(release)) => *release == run.release,
            Some(Mark::LeftOut(_)) => true,
            Some(Mark::Troubled { release, trouble }) => {
                *release == run.release && trouble.counts() || run.pardoned.contains(key)
            }
            Some(Mark::Open) | None => false,
        })
    }
}

#[test]
fn a_halt_is_told_once_more_when_what_failed_turns_out_to_have_something_in_common() {
    let mut world = World::of("waves: [{ name: all, failures: { count: 1 } }]");
    world.rollouts.advance(world.now, true, &|_| true);
    // Every third tenant is a canary.
    let mut texts = |events: &[Event]| -> Vec<String> {
        events.iter().for_each(|event| world.happens(event));
        let changes = world.rollouts.advance(world.now, true, &|_| true);
        assert!(changes.iter().all(|(_, change)| change.kind == ChangeKind::Halted));
        changes.into_iter().map(|(_, change)| change.text).collect()
    };
    let fails = |one| Event::Fails(one, CauseClass::Release, 1);
    assert_eq!(texts(&[fails(2), fails(5)]), ["2 of 12 failed in wave all: no"]);
    let named = "3 of 12 failed in wave all, all with ring=canary: no";
    assert_eq!(texts(&[fails(8), Event::Settles(0)]), [named]);
    assert_eq!(texts(&[fails(11), Event::Settles(1)]), [""; 0], "the same, of one more");
    assert_eq!(texts(&[fails(3)]), ["5 of 12 failed in wave all: no"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn no_gate_opens_before_its_time(events in prop::collection::vec(event(), 1..120)) {
        let mut world = World::new();
        for event in events {
            world.happens(&event);
            let before = world.run();
            let changes = world.rollouts.advance(world.now, true, &|_| true);
            for (_, change) in &changes {
                let Some(run) = before.clone().filter(|run| run.release == change.release) else { continue };
                match change.kind {
                    ChangeKind::Opened(0) => prop_assert!(run.opened.is_empty()),
                    ChangeKind::Opened(wave) => prop_assert!(world.are_well(&run, wave), "{change:?}"),
                    ChangeKind::Completed => prop_assert!(world.are_well(&run, 3), "{change:?}"),
                    ChangeKind::Began | ChangeKind::Halted | ChangeKind::Resumed
                    | ChangeKind::Reverting | ChangeKind::Superseded => {}
                }
            }
            // The waves that have begun are the first ones.
            if let Some(run) = world.run() {
                let begun: Vec<bool> = ["canary", "some", "all"]
                    .iter()
                    .map(|name| run.opened.keys().any(|one| one.as_str() == *name))
                    .collect();
                prop_assert!(begun.windows(2).all(|pair| pair[0] || !pair[1]), "{begun:?}");
                let service = World::service();
                for key in &world.keys {
                    let wave = world.rollouts.course(&service).and_then(|one| one.wave_of(key)).expect("one");
                    let gate = world.rollouts.gate(&service, key, None, None, true);
                    let takes = gate.take.is_some_and(|release| release.id == run.release);
                    let is_good = world.good() == Some(run.release);
                    prop_assert!(!takes || begun[wave] || is_good, "{key} takes it in wave {wave}");
                }
            }
        }
    }
}

#[test]
fn what_goes_back_goes_to_the_good_release_and_not_to_a_bad_one_of_before() {
    let (service, mut now) = (World::service(), Moment::from_millis(1_000_000));
    let waves = "waves: [{ name: all }], onHalt: revert";
    let mut rollouts = Rollouts::default();
    let mut head = |rollouts: &mut Rollouts, value: &str| {
        let desired = fleet(waves, 3, value);
        now = now + Duration::from_secs(60);
        rollouts.want(&desired, now, &|_| Mark::Open);
        rollouts.advance(now, true, &|_| true);
        let keys: Vec<StackKey> = desired.all_standing().map(|one| one.key.clone()).collect();
        (*rollouts.course(&service).expect("there").head(), keys, now)
    };
    let note = |rollouts: &mut Rollouts, keys: &[StackKey], mark: &Mark| {
        keys.iter().for_each(|key| rollouts.note(&World::service(), key, mark.clone()));
    };
    let (good, keys, now) = head(&mut rollouts, "good");
    note(&mut rollouts, &keys, &Mark::Settled(good));
    rollouts.advance(now, true, &|_| true);
    let (bad, _, now) = head(&mut rollouts, "bad");
    let trouble = |release| Mark::Troubled {
        release,
        trouble: Trouble { cause: "no".into(), class: CauseClass::Release, count: 1 },
    };
    note(&mut rollouts, &keys, &trouble(bad));
    rollouts.advance(now, true, &|_| true);
    // Git goes back, and brings another one, which is bad as well.
    let (_, _, now) = head(&mut rollouts, "good");
    rollouts.advance(now, true, &|_| true);
    let (other, _, now) = head(&mut rollouts, "other");
    note(&mut rollouts, &keys[1..], &trouble(other));
    let changes = rollouts.advance(now, true, &|_| true);
    assert_eq!(changes.last().map(|(_, change)| change.kind), Some(ChangeKind::Reverting));
    for has in [Some(&other), None, Some(&bad)] {
        let gate = rollouts.gate(&World::service(), &keys[0], has, Some(&bad), true);
        assert_eq!(gate.take.map(|one| one.id), Some(good), "{has:?}");
        assert!(gate.has.iter().all(|one| one.id != bad), "{has:?}");
    }
}

/// What stacks keep that wait for their wave while many tenants change what they give.
mod together {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use crate::desired::Desired;
    use crate::ids::{Digest, ServiceName};
    use crate::moment::Moment;
    use crate::outcome::Mark;
    use crate::rollout::{ReleaseBody, Rollout, Rollouts};

    const QUEUE: &str = "Resources: { Q: { Type: AWS::SQS::Queue } }";
    const WAVES: &str =
        "waves: [{ name: canary, selector: { matchLabels: { ring: canary } } }, { name: all }]";

    fn service() -> ServiceName {
        "api".parse().expect("a name")
    }

    fn made(name: &str, template: &str, own: &dyn Fn(usize) -> String) -> Desired {
        super::written(name, (WAVES, "", template), super::TENANTS, own)
    }

    fn settled(desired: &Desired) -> (Rollouts, Moment, Digest) {
        let mut now = Moment::from_millis(1_000_000);
        let mut rollouts = Rollouts::default();
        rollouts.want(desired, now, &|_| Mark::Open);
        let service = service();
        let release = *rollouts.course(&service).expect("there").head();
        for _ in 0..6 {
            rollouts.advance(now, true, &|_| true);
            for wanted in desired.all_standing() {
                rollouts.note(&service, &wanted.key, Mark::Settled(release));
            }
            now = now + Duration::from_secs(120);
        }
        rollouts.advance(now, true, &|_| true);
        let state = rollouts.course(&service).expect("there").state();
        assert_eq!((state.good, state.running.is_none()), (Some(release), true));
        (rollouts, now, release)
    }

    fn want(rollouts: &mut Rollouts, desired: &Desired, now: Moment) {
        rollouts.want(desired, now, &|_| Mark::Open);
        rollouts.advance(now, true, &|_| true);
    }

    /// What a stack of the last wave that has `has` is brought to now.
    fn shown(rollouts: &Rollouts, desired: &Desired, has: &Digest, tenant: &str) -> String {
        let service = service();
        let wanted =
            desired.all_standing().find(|one| one.tenant.name.as_str() == tenant).expect("one");
        let gate = rollouts.gate(&service, &wanted.key, Some(has), Some(has), true);
        let release = gate.take.expect("one");
        let stack = release.wanted(wanted);
        let given: Vec<String> = stack
            .parameters(release.fleet())
            .map(|(name, _, text)| format!("{name}={text}"))
            .collect();
        assert_eq!(release.id, *has, "it waits");
        given.join(" ")
    }

    fn last(rollouts: &Rollouts, desired: &Desired) -> String {
        let course = rollouts.course(&service()).expect("there");
        let found = desired.all_standing().find(|one| course.wave_of(&one.key) == Some(1));
        found.expect("one").tenant.name.to_string()
    }

    /// The same rollouts in a new process, with what the journal kept.
    fn restarted(rollouts: &Rollouts, desired: &Desired, now: Moment) -> Rollouts {
        let (mut states, mut bodies) = (BTreeMap::new(), BTreeMap::new());
        for (name, state, used) in rollouts.kept() {
            let text = serde_json::to_string(state).expect("text");
            assert!(!text.contains("secret"), "{text}");
            let state: Rollout = serde_json::from_str(&text).expect("a state");
            states.insert(name.clone(), state);
            let used = used.into_iter().map(|(id, body)| {
                let text = serde_json::to_string(body).expect("text");
                let body: ReleaseBody = serde_json::from_str(&text).expect("a body");
                (*id, body)
            });
            bodies.insert(name.clone(), used.collect::<Vec<_>>());
        }
        let mut again = Rollouts::recall(states, bodies);
        again.want(desired, now, &|_| Mark::Open);
        again
    }

    fn all_give(value: &'static str) -> impl Fn(usize) -> String {
        move |_| format!(", parameters: {{ P: {value} }}")
    }

    fn plain() -> String {
        format!("Parameters: {{ P: {{ Type: String, Default: d }} }}\n{QUEUE}")
    }

    fn hidden() -> String {
        format!("Parameters: {{ P: {{ Type: String, NoEcho: true }} }}\n{QUEUE}")
    }

    #[test]
    fn an_input_that_the_new_template_no_longer_has_stays_until_the_wave() {
        let before = made("1", &plain(), &all_give("own"));
        let (mut rollouts, now, good) = settled(&before);
        let after = made("2", QUEUE, &|_| String::new());
        want(&mut rollouts, &after, now);
        assert_eq!(shown(&rollouts, &after, &good, &last(&rollouts, &after)), "P=own");
        // The template first, and the tenants while that goes out.
        let (mut rollouts, now, good) = settled(&before);
        want(&mut rollouts, &made("2", QUEUE, &all_give("own")), now);
        want(&mut rollouts, &made("3", QUEUE, &|_| String::new()), now);
        assert_eq!(shown(&rollouts, &after, &good, &last(&rollouts, &after)), "P=own");
    }

    #[test]
    fn a_new_process_gives_no_secret_to_a_template_that_does_not_hide_it() {
        let before = made("1", &plain(), &all_give("old"));
        let (mut rollouts, now, good) = settled(&before);
        let after = made("2", &hidden(), &all_give("secret"));
        want(&mut rollouts, &after, now);
        let who = last(&rollouts, &after);
        assert_eq!(shown(&rollouts, &after, &good, &who), "P=old");
        let again = restarted(&rollouts, &after, now);
        let wanted = after.all_standing().find(|one| one.tenant.name.as_str() == who).expect("one");
        let gate = again.gate(&service(), &wanted.key, Some(&good), Some(&good), true);
        let release = gate.take.expect("one");
        assert!(release.is_guessed(&wanted.tenant, "P"), "a stack that stands keeps what it has");
        assert!(release.lacks_something(&wanted.tenant), "nothing is made of it");
    }

    #[test]
    fn whoever_changes_something_else_alone_does_not_take_what_waits() {
        let two = format!(
            "Parameters: {{ P: {{ Type: String }}, Q: {{ Type: String, Default: q }} }}\n{QUEUE}"
        );
        let before = made("1", &two, &all_give("a"));
        let (mut rollouts, now, good) = settled(&before);
        let after = made("2", &two, &all_give("b"));
        want(&mut rollouts, &after, now);
        let who = last(&rollouts, &after);
        assert_eq!(shown(&rollouts, &after, &good, &who), "P=a");
        let number: usize = who[1..].parse().expect("a number");
        let own = |one: usize| {
            let q = if one == number { ", Q: own" } else { "" };
            format!(", parameters: {{ P: b{q} }}")
        };
        let after = made("3", &two, &own);
        want(&mut rollouts, &after, now);
        assert_eq!(shown(&rollouts, &after, &good, &who), "P=a Q=own");
        let own = |one: usize| {
            let p = if one == number { "c" } else { "b" };
            format!(", parameters: {{ P: {p} }}")
        };
        let after = made("4", &two, &own);
        want(&mut rollouts, &after, now);
        assert_eq!(shown(&rollouts, &after, &good, &who), "P=c");
    }

    #[test]
    fn what_was_plain_first_stays_known_when_it_is_hidden_later() {
        let before = made("1", &plain(), &all_give("a"));
        let (mut rollouts, now, good) = settled(&before);
        want(&mut rollouts, &made("2", &plain(), &all_give("b")), now);
        let after = made("3", &hidden(), &all_give("c"));
        want(&mut rollouts, &after, now);
        assert_eq!(shown(&rollouts, &after, &good, &last(&rollouts, &after)), "P=a");
    }
}
