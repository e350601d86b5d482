//! How new releases go out: the waves of a document, with the findings that it shows alone.

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;

use crate::fleet::build::selector;
use crate::fleet::document::{FailuresSpec, RolloutSpec, WaveSpec};
use crate::fleet::reader::Reader;
use crate::fleet::yaml::Node;
use crate::fleet::{Deployment, Selector};
use crate::ids::WaveName;

/// The share of a wave's stacks that must be well before the next wave begins: a wave most of which
/// nobody can see has shown nothing.
pub const MUST_SETTLE_PERCENT: u32 = 90;

/// What becomes of the stacks that have a release which failed too often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum OnHalt {
    /// They keep it.
    #[default]
    Stay,
    /// They go back to the last good release.
    Revert,
}

/// The waves in which a release goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WavePlan {
    /// In order; never empty.
    pub waves: Vec<Wave>,
    /// What happens when too many stacks fail.
    pub on_halt: OnHalt,
    /// Whether percentages choose other tenants at each release.
    pub shuffle: bool,
}

/// Tenants that take a release together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wave {
    /// Unique among the waves of a plan.
    pub name: WaveName,
    /// Whom it takes, of those that no earlier wave takes.
    pub share: Share,
    /// Operations running at once for its stacks.
    pub max_in_flight: Option<u32>,
    /// How many of its stacks may fail.
    pub failures: FailureBudget,
    /// How long all must have been well before the next wave begins.
    pub soak: Duration,
    /// Whether a person has to say yes before it begins.
    pub needs_approval: bool,
    /// How its stacks take a release, if not as the service says.
    pub deployment: Option<Deployment>,
}

/// Whom a wave takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Share {
    /// Tenants with these labels.
    Selected(Selector),
    /// This part of all tenants of the service, from 1 to 100.
    Percent(u32),
    /// All that are left.
    Rest,
}

/// How many stacks of a wave may fail. Of two limits the lower one counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailureBudget {
    /// Stacks.
    pub count: Option<u32>,
    /// Percent of the wave's stacks, rounded down.
    pub percent: Option<u32>,
}

impl FailureBudget {
    /// How many of so many stacks may fail.
    pub fn of(&self, stacks: usize) -> usize {
        let part = |percent: u32| stacks * percent as usize / 100;
        let count = self.count.map(|count| count as usize);
        match (count, self.percent.map(part)) {
            (Some(count), Some(part)) => count.min(part),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => part(100 - MUST_SETTLE_PERCENT),
        }
    }
}

impl Default for WavePlan {
    fn default() -> Self {
        let wave = Wave {
            name: WaveName::all(),
            share: Share::Rest,
            max_in_flight: None,
            failures: FailureBudget::default(),
            soak: Duration::ZERO,
            needs_approval: false,
            deployment: None,
        };
        Self { waves: vec![wave], on_halt: OnHalt::default(), shuffle: false }
    }
}

/// Reads `spec.rollout` of a document; errors are recorded.
pub(super) fn plan(spec: RolloutSpec, node: &Node, reader: &mut Reader<'_>) -> WavePlan {
    let mut plan = WavePlan {
        on_halt: spec.on_halt.unwrap_or_default(),
        shuffle: spec.shuffle.unwrap_or(false),
        ..WavePlan::default()
    };
    if let Some(waves) = spec.waves {
        if waves.is_empty() {
            let place = node.find(&["spec", "rollout", "waves"]);
            let help = "write at least one, such as `- { name: all }`, or remove `waves`";
            reader.error(place, "no-waves", "there is no wave", Some(help.into()));
        }
        check_order(&waves, node, reader);
        let read = waves.into_iter().enumerate();
        plan.waves = read.map(|(index, spec)| wave(spec, index, node, reader)).collect();
    }
    for (index, name) in spec.approval.unwrap_or_default().into_iter().enumerate() {
        match plan.waves.iter_mut().find(|wave| wave.name == name) {
            Some(wave) => wave.needs_approval = true,
            None => {
                let place = node.find(&["spec", "rollout", "approval", &index.to_string()]);
                let names: Vec<String> =
                    plan.waves.iter().map(|wave| format!("`{}`", wave.name)).collect();
                let help = format!("there are {}", names.join(", "));
                let message = format!("there is no wave `{name}`");
                reader.error(place, "unknown-wave", message, Some(help));
            }
        }
    }
    plan
}

/// Names are unique, shares add up, and no wave stands behind one that takes all that are left.
fn check_order(waves: &[WaveSpec], node: &Node, reader: &mut Reader<'_>) {
    let mut names = BTreeSet::new();
    let mut percent = 0_u32;
    let mut rest: Option<&WaveName> = None;
    for (index, wave) in waves.iter().enumerate() {
        let index = index.to_string();
        let at = |field: &str| node.find(&["spec", "rollout", "waves", &index, field]);
        if !names.insert(&wave.name) {
            let message = format!("two waves are called `{}`", wave.name);
            reader.error(at("name"), "duplicate-wave", message, Some("rename one".into()));
        }
        if let Some(rest) = rest {
            let message = format!("nobody is left for `{}` after `{rest}`", wave.name);
            let help = format!("move `{rest}` to the end, or give it a selector or a percentage");
            reader.error(at("name"), "wave-without-tenants", message, Some(help));
        }
        percent = percent.saturating_add(wave.percent.unwrap_or(0));
        if wave.percent.is_some() && percent > 100 {
            let message = format!("up to `{}` the waves take {percent} percent", wave.name);
            let help = "of all tenants there are 100 percent: lower it, or remove `percent` from \
                        the last wave, which then takes all that are left";
            reader.error(at("percent"), "bad-percent", message, Some(help.into()));
        }
        if wave.selector.is_none() && wave.percent.is_none() {
            rest = Some(&wave.name);
        }
    }
}

fn wave(spec: WaveSpec, index: usize, node: &Node, reader: &mut Reader<'_>) -> Wave {
    let index = index.to_string();
    let pointer = ["spec", "rollout", "waves", index.as_str()];
    let at = |field: &str| node.find(&[&pointer[..], &[field]].concat());
    let share = match (spec.selector, spec.percent) {
        (Some(found), percent) => {
            if percent.is_some() {
                let help = "remove one of them: a wave takes tenants by label or by percentage";
                let message = "a wave has `selector` or `percent`, not both";
                reader.error(at("percent"), "bad-wave", message, Some(help.into()));
            }
            let pointer = [&pointer[..], &["selector"]].concat();
            Share::Selected(selector(found, &pointer, node, reader))
        }
        (None, Some(percent)) => {
            if !(1..=100).contains(&percent) {
                let message = format!("`percent` is {percent}: out of range");
                reader.error(at("percent"), "bad-percent", message, Some("write 1 to 100".into()));
            }
            Share::Percent(percent)
        }
        (None, None) => Share::Rest,
    };
    if spec.max_in_flight == Some(0) {
        let help = "write 1 or more, or `suspend: true` to stop the service".to_owned();
        let message = "with `maxInFlight: 0` nothing would ever start";
        reader.error(at("maxInFlight"), "bad-limit", message, Some(help));
    }
    Wave {
        name: spec.name,
        share,
        max_in_flight: spec.max_in_flight,
        failures: failures(spec.failures, &pointer, node, reader),
        soak: spec.soak.map_or(Duration::ZERO, |length| length.0),
        needs_approval: false,
        deployment: spec.deployment,
    }
}

fn failures(
    spec: Option<FailuresSpec>,
    pointer: &[&str],
    node: &Node,
    reader: &mut Reader<'_>,
) -> FailureBudget {
    let Some(spec) = spec else { return FailureBudget::default() };
    let most = 100 - MUST_SETTLE_PERCENT;
    if let Some(percent) = spec.percent.filter(|percent| *percent > most) {
        let place = node.find(&[pointer, &["failures", "percent"]].concat());
        let message = format!("a budget of {percent} percent can never be used up");
        let help = format!(
            "write {most} or less: the next wave begins only when {MUST_SETTLE_PERCENT} percent of \
             the stacks are well"
        );
        reader.error(place, "bad-budget", message, Some(help));
    }
    FailureBudget { count: spec.count, percent: spec.percent }
}
