//! Listens to all that a process says: no secret, nothing for gone that stands, and no call repeated
//! under another token.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use driftless::board::Progress;
use driftless::ids::{Digest, StackKey, StackName, Target};
use driftless::moment::Moment;
use driftless::observed::{StackStatus, StackVersion};
use driftless::outcome::Outcome;
use driftless::plan::{StackRecord, Step};
use driftless::sim::StackView;

use crate::swarm::invariants::controller_of;
use crate::swarm::life::Life;
use crate::swarm::model::SECRET;
use crate::swarm::play::Play;

/// A listing shows what was a minute ago at most, and a machine's clock is two minutes wrong.
const LONG_STANDING: Duration = Duration::from_secs(5 * 60);

/// What was heard so far.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    /// When the process was listened to last.
    at: Moment,
    /// The last call for each stack of a controller, where no answer to it came.
    unanswered: BTreeMap<(String, StackKey), Unanswered>,
}

#[derive(Debug)]
struct Unanswered {
    what: (&'static str, Digest, Option<(StackVersion, StackStatus)>),
    token: String,
}

impl Hearing {
    /// The process is dead, and may have called once more without saying so.
    pub(crate) fn forget(&mut self) {
        self.unanswered.clear();
    }

    /// A call whose answer was lost is repeated under its token, or AWS takes it for another.
    fn step(&mut self, record: &StackRecord, step: &Step, outcome: &Outcome) -> Option<String> {
        let attempt = record.memory.attempt.as_ref()?;
        let controller = controller_of(&attempt.token)?.to_owned();
        let key = (controller, record.key.clone());
        if matches!(outcome, Outcome::LookAgain(_)) {
            // Whether a call was made is not said.
            if attempt.answered {
                self.unanswered.remove(&key);
            }
            return None;
        }
        // Another status is the effect of the call: what is asked then is asked anew.
        let seen = step.seen.as_ref().map(|seen| (seen.version(), seen.status.clone()));
        let what = (step.kind.word(), attempt.digest, seen);
        let before = self.unanswered.remove(&key);
        let other = before.filter(|one| one.what == what && one.token != attempt.token);
        let token = attempt.token.clone();
        if matches!(outcome, Outcome::Unknown(_)) {
            self.unanswered.insert(key, Unanswered { what, token });
        }
        other.map(|one| format!("{} repeats {} as {}", record.key, one.token, attempt.token))
    }
}

impl Play {
    /// Reads all that the process has said, for secrets.
    pub(crate) fn hear(&mut self) {
        self.watch.learn(self.clock.now());
        let secrets = self.watch.secrets();
        let lives = [&mut self.life, &mut self.twin];
        let said: Vec<_> = lives.into_iter().flatten().flat_map(Life::said).collect();
        for news in &said {
            let text = format!("{news:?}");
            if secrets.iter().any(|secret| text.contains(secret)) || text.contains(SECRET) {
                self.watch.violate(format!("a secret was said: {text}"));
            }
        }
        self.look_for_lost(&said);
        self.look_for_gone(&said);
        for news in &said {
            let Progress::Step { record, step, outcome } = news else { continue };
            if let Some(why) = self.hearing.step(record, step, outcome) {
                let is_touched = self.watch.truth(|truth| truth.touched.contains_key(&record.key));
                if !is_touched {
                    self.watch.violate(why);
                }
            }
        }
        self.hearing.at = self.clock.now();
    }

    /// Nothing is said to be gone that stood all the while.
    fn look_for_gone(&self, said: &[Progress]) {
        for news in said {
            let Progress::Gone { target, name } = news else { continue };
            let key = StackKey { target: target.clone(), name: name.clone() };
            let stack = self.cloud.console().stack(&key).expect("the cloud answers");
            let stood = |one: &StackView| one.created_at + LONG_STANDING < self.hearing.at;
            if stack.as_ref().is_some_and(stood) {
                self.watch.violate(format!("{} {key} is said to be gone", self.clock.now()));
            }
        }
    }

    /// A listing may miss stacks. Whoever takes one for absent that stands has not asked for it.
    fn look_for_lost(&self, said: &[Progress]) {
        let mut lost: BTreeMap<(&Target, Moment), BTreeSet<&StackName>> = BTreeMap::new();
        for news in said {
            let Progress::Verdict { record, earlier: Some(_) } = news else { continue };
            let stack = self.cloud.console().stack(&record.key).expect("the cloud answers");
            let stands = stack.is_some_and(|one| one.created_at + LONG_STANDING < record.looked_at);
            // A journal that never saw it has nothing to compare a short listing with.
            let was_known = record.memory.ever_complete.is_some();
            if record.seen.is_none() && was_known && stands {
                let look = (&record.key.target, record.looked_at);
                lost.entry(look).or_default().insert(&record.key.name);
            }
        }
        for ((target, at), names) in lost {
            self.watch.violate(format!("{at} {target}: {names:?} are taken for absent"));
        }
    }

    /// No secret is in any file that the process wrote.
    pub(crate) fn search_journals(&self) {
        let mut secrets = self.watch.secrets();
        secrets.insert(SECRET.to_owned());
        for state in ["state", "twin"] {
            let Ok(files) = std::fs::read_dir(self.state(state)) else { continue };
            for file in files.flatten() {
                let bytes = std::fs::read(file.path()).unwrap_or_default();
                let text = String::from_utf8_lossy(&bytes);
                if let Some(secret) = secrets.iter().find(|secret| text.contains(secret.as_str())) {
                    self.watch.violate(format!("{:?} is in {:?}", secret, file.path()));
                }
            }
        }
    }
}
