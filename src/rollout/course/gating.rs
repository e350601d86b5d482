//! Which release each stack may have.

use std::sync::Arc;

use crate::ids::{Digest, StackKey};
use crate::rollout::course::Course;
use crate::rollout::{Behind, Gate, Halted, Run, WaveIndex};

impl Course {
    /// Which release a stack may have. `has` is the one that it was last seen in sync with, `taking`
    /// the one that was last given to it, `is_there` whether it stands.
    pub(in crate::rollout) fn gate(
        &self,
        key: &StackKey,
        has: Option<&Digest>,
        taking: Option<&Digest>,
        is_there: bool,
    ) -> Gate {
        let known = |id: Option<&Digest>| {
            let kept = id.filter(|id| !self.state.taken_back.contains(*id));
            kept.and_then(|id| self.known.get(id))
        };
        let good = known(self.state.good.as_ref());
        let Some(run) = &self.state.running else { return Gate::take(good.unwrap_or(&self.head)) };
        let Some(release) = self.known.get(&run.release) else {
            // Its body is lost: `want` begins with the head instead.
            return Gate::take(&self.head);
        };
        let last = self.plan.waves.len() - 1;
        let wave = self.wave_of(key).unwrap_or(last);
        let behind = Some(Behind { release: run.release, why: self.why_not(run, wave) });
        let is_reverting = run.halt.as_ref().is_some_and(|halt| halt.reverting);
        let other = |id: &&Digest| **id != run.release;
        // What was given last may be a bad one of before: whoever goes back goes to the good one.
        let given = || known(taking.filter(other)).filter(|_| !is_reverting || good.is_none());
        let had = known(has.filter(|id| !is_reverting || other(id))).or_else(given);
        if !is_reverting && (has == Some(&run.release) || self.may_take(run, wave)) {
            let deployment = self.plan.waves[wave].deployment;
            return Gate { deployment, ..Gate::take(release) };
        }
        if let Some(halt) =
            run.halt.as_ref().filter(|_| !is_reverting && taking == Some(&run.release))
        {
            let halted = if halt.by.is_some() { Halted::Mends } else { Halted::TriesAgain };
            let take = Some(Arc::clone(release));
            let deployment = self.plan.waves[wave].deployment;
            return Gate { take, deployment, behind, halted: Some(halted), ..Gate::default() };
        }
        if is_there && had.is_none() && !(is_reverting && good.is_some()) {
            // Nobody remembers which release it has: what it is in sync with shows it.
            let first = [Some(release), good].into_iter().flatten().cloned();
            let is_other = |id: &&Digest| {
                **id != run.release
                    && Some(*id) != self.state.good.as_ref()
                    && !self.state.taken_back.contains(*id)
            };
            let others = self.known.keys().filter(is_other).filter_map(|id| self.known.get(id));
            let has = first.chain(others.cloned()).collect();
            return Gate { has, behind, goes_back: is_reverting, ..Gate::default() };
        }
        let halfway = known(taking.filter(|id| is_there && !is_reverting && other(id)));
        let take = had.or(good).cloned();
        let has = halfway.into_iter().cloned().collect();
        Gate { has, take, behind, goes_back: is_reverting, ..Gate::default() }
    }

    pub(super) fn may_take(&self, run: &Run, wave: WaveIndex) -> bool {
        self.is_opened(run, wave) && run.halt.is_none()
    }

    pub(super) fn why_not(&self, run: &Run, wave: WaveIndex) -> String {
        match &run.halt {
            Some(halt) if halt.reverting => format!("was taken back: {}", halt.why),
            Some(halt) => format!("is halted: {}", halt.why),
            None => format!("waits for wave {}", self.plan.waves[wave].name),
        }
    }
}
