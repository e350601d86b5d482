//! How a rollout is shown to people, and what it asks of them.

use std::collections::BTreeMap;

use crate::fleet::Deployment;
use crate::ids::{StackKey, WaveName};
use crate::moment::Moment;
use crate::outcome::LeftOut;
use crate::rollout::{Course, WaveIndex};

/// One wave as reports show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveView {
    /// Its name.
    pub name: WaveName,
    /// Stacks.
    pub total: usize,
    /// Those that were seen well at the release.
    pub settled: usize,
    /// Those that failed and count.
    pub failed: usize,
    /// Those that do not count, by reason.
    pub left_out: BTreeMap<LeftOut, usize>,
    /// Since when it may take the release.
    pub opened_at: Option<Moment>,
    /// How its stacks take a release.
    pub deployment: Deployment,
}

/// How far the release that goes out has come: the last wave that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Its name.
    pub wave: WaveName,
    /// Its stacks that count.
    pub total: usize,
    /// Those that were seen well at the release.
    pub settled: usize,
    /// Those that failed and count.
    pub failed: usize,
    /// What comes next.
    pub next: Upcoming,
}

/// What a rollout waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upcoming {
    /// The stacks of the wave.
    Stacks,
    /// The end of a soak.
    Soak(Moment),
    /// A person who lets this wave begin.
    Approval(WaveName),
    /// A person or a change in git: it is halted.
    Halted,
    /// The stacks that had it: it is taken back.
    Reverting,
}

impl Course {
    /// How far the running release has come; `None` where none runs, and where all stacks take it at
    /// once.
    pub fn stage(&self, now: Moment, approves: &dyn Fn(&str) -> bool) -> Option<Stage> {
        let run = self.state.running.as_ref().filter(|_| self.plan.waves.len() > 1)?;
        let begun = (0..self.plan.waves.len()).rev().find(|wave| self.is_opened(run, *wave))?;
        let tally = &self.tallies[begun];
        let soaked = run.well_since.map(|since| since + self.soak(begun));
        let next = match (&run.halt, self.awaits_approval(now, approves), soaked) {
            (Some(halt), ..) if halt.reverting => Upcoming::Reverting,
            (Some(_), ..) => Upcoming::Halted,
            (None, Some((wave, _)), _) => Upcoming::Approval(wave),
            (None, None, Some(until)) if until > now => Upcoming::Soak(until),
            (None, None, _) => Upcoming::Stacks,
        };
        Some(Stage {
            wave: self.plan.waves[begun].name.clone(),
            total: tally.total - tally.left_out.values().sum::<usize>(),
            settled: tally.settled,
            failed: self.failed(run).filter(|(wave, ..)| *wave == begun).count(),
            next,
        })
    }

    /// What the next wave waits for, for people; `None` when no release goes out.
    pub fn waits_for(&self, now: Moment, approves: &dyn Fn(&str) -> bool) -> Option<String> {
        let run = self.state.running.as_ref()?;
        if let Some(halt) = &run.halt {
            return Some(self.why_not(run, 0)).filter(|_| !halt.why.is_empty());
        }
        let all = 0..self.plan.waves.len();
        for wave in all.clone().filter(|wave| self.is_opened(run, *wave)) {
            if !self.is_well(run, wave) {
                let tally = &self.tallies[wave];
                let name = &self.plan.waves[wave].name;
                return Some(format!("{} of {} well in wave {name}", tally.settled, tally.total));
            }
        }
        let next = all.clone().find(|wave| !self.is_opened(run, *wave));
        let before = next.map_or(all.end - 1, |next| next.saturating_sub(1));
        let soak = self.soak(before);
        let ends = run.well_since.map(|since| since + soak).filter(|ends| *ends > now);
        if let Some(ends) = ends {
            return Some(format!("wave {} soaks until {ends}", self.plan.waves[before].name));
        }
        let next = next?;
        let name = &self.plan.waves[next].name;
        let waits = self.needs_approval(run, next, approves);
        waits.then(|| format!("wave {name} waits for approval"))
    }

    /// The wave that waits only for a person, with what is to be approved.
    pub(in crate::rollout) fn awaits_approval(
        &self,
        now: Moment,
        approves: &dyn Fn(&str) -> bool,
    ) -> Option<(WaveName, String)> {
        let run = self.state.running.as_ref().filter(|run| run.halt.is_none())?;
        let next = (0..self.plan.waves.len()).find(|wave| !self.is_opened(run, *wave))?;
        let soak = self.soak(next.saturating_sub(1));
        let has_soaked = run.well_since.is_some_and(|since| now.since(since) >= soak);
        let is_next = next == 0 || has_soaked;
        let asks = is_next && self.needs_approval(run, next, approves);
        asks.then(|| (self.plan.waves[next].name.clone(), self.approval(run, next)))
    }

    /// Whether time alone brings the rollout on: all are well, and no person is waited for.
    pub(in crate::rollout) fn goes_on(&self, now: Moment, approves: &dyn Fn(&str) -> bool) -> bool {
        let run = self.state.running.as_ref().filter(|run| run.halt.is_none());
        run.is_some_and(|run| run.well_since.is_some())
            && self.awaits_approval(now, approves).is_none()
    }

    /// The wave that a stack goes with: its place in the plan, from 0, and how it stands.
    pub fn wave_with(&self, key: &StackKey) -> Option<(WaveIndex, WaveView)> {
        let index = self.wave_of(key)?;
        Some((index, self.waves().swap_remove(index)))
    }

    /// The waves in order, as they stand at the running release, or at the good one.
    pub fn waves(&self) -> Vec<WaveView> {
        let run = self.state.running.as_ref();
        let failed: Vec<WaveIndex> = match run {
            Some(run) => self.failed(run).map(|(wave, ..)| wave).collect(),
            None => {
                let all = self.tallies.iter().enumerate();
                all.flat_map(|(wave, tally)| tally.troubled.keys().map(move |_| wave)).collect()
            }
        };
        let waves = self.plan.waves.iter().zip(&self.tallies).enumerate();
        waves
            .map(|(index, (wave, tally))| WaveView {
                name: wave.name.clone(),
                total: tally.total,
                settled: tally.settled,
                failed: failed.iter().filter(|one| **one == index).count(),
                left_out: tally.left_out.clone(),
                opened_at: run.and_then(|run| run.opened.get(&wave.name)).copied(),
                deployment: wave.deployment.unwrap_or(self.deployment),
            })
            .collect()
    }
}
