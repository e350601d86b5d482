//! Random walks over what can be wanted, through revisions that are refused, and back: wherever a
//! fleet comes from, it ends as one that was never anything else.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::swarm::dice::Dice;
use crate::swarm::model::Model;
use crate::swarm::play::Play;

/// What `cargo test` walks.
const WALKS: u64 = 12;
const STEPS: usize = 5;
const ROUND: Duration = Duration::from_secs(20 * 60);

type Texts = BTreeMap<String, String>;
/// Template, parameters, tags and protection of each stack that is wanted.
type State = BTreeMap<String, (String, Texts, Texts, bool)>;

/// Converges on what git says, with people saying yes to everything.
async fn settle(play: &mut Play) -> State {
    for _ in 0..8 {
        let before = play.watch.mutating();
        play.pass(ROUND).await;
        let answered = play.approve_all();
        if answered == 0 && play.unconverged().is_empty() && play.watch.mutating() == before {
            break;
        }
    }
    assert_eq!(play.unconverged(), Vec::<String>::new());
    let wanted = play.model().wanted();
    let stacks = play.stacks().into_iter().filter(|(key, _)| wanted.contains_key(key));
    stacks
        .map(|(key, one)| {
            assert_eq!(one.change_sets, Vec::<String>::new(), "{key}");
            (key.to_string(), (one.template, one.parameters, one.tags, one.protected))
        })
        .collect()
}

/// With nobody suspended and without waves, which stop at who is: where all that is wanted comes.
fn at_once(model: &Model) -> Model {
    Model { waves: false, ..model.resumed() }
}

async fn walk(seed: u64) {
    let mut dice = Dice::of(seed);
    let first = at_once(&Model::of(&mut dice));
    let mut play = Play::calm(seed, first.clone());
    let at_first = settle(&mut play).await;
    for _ in 0..STEPS {
        if dice.chance(0.4) {
            play.bad_commit();
            let before = play.watch.deeds().len();
            play.pass(ROUND).await;
            let deeds = play.watch.deeds().split_off(before);
            assert!(
                deeds.is_empty(),
                "walk {seed}: a refused revision changes nothing: {deeds:#?}"
            );
        }
        let next = at_once(&play.model().changed(&mut dice));
        play.commit(next.clone());
        let here = settle(&mut play).await;
        if dice.chance(0.3) {
            let mut fresh = Play::calm(seed, next);
            assert_eq!(settle(&mut fresh).await, here, "as if it never had been anything else");
            fresh.end().await;
        }
    }
    play.commit(first);
    assert_eq!(settle(&mut play).await, at_first, "as it was in the beginning");
    let report = play.end().await;
    assert_eq!(report.violations, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn wherever_a_fleet_comes_from_it_ends_as_git_says() {
    for seed in 0..WALKS {
        walk(seed).await;
    }
}
