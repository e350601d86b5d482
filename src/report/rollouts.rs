//! How releases go out, for people and for programs.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use crate::fleet::Deployment;
use crate::ids::{ServiceName, WaveName};
use crate::moment::Moment;
use crate::report::output::{FORMAT_VERSION, text};
use crate::report::{ago, brief, counted};
use crate::rollout::{Course, Halt, Rollouts, Stage, Upcoming, WaveView};

/// Rollouts, for programs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownRollouts<'a> {
    /// Moves when a field changes its meaning or goes; fields may come.
    pub version: u32,
    /// One for each service that was asked for.
    pub rollouts: &'a [Shown],
}

/// The rollouts of one service.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// Which service.
    pub service: ServiceName,
    /// The last release that went through all waves.
    pub good: Option<String>,
    /// The release that goes out.
    pub running: Option<String>,
    /// The revision that brought it.
    pub revision: Option<String>,
    /// When it began, in milliseconds since 1970.
    #[schemars(with = "Option<u64>")]
    pub began_at: Option<Moment>,
    /// The release that waits until it ends.
    pub waiting: Option<String>,
    /// Why it stands still.
    pub halted: Option<String>,
    /// Whether the stacks that have it go back to the good one.
    pub taken_back: bool,
    /// What a person may do about a halted one.
    pub to_do: Option<String>,
    /// What it waits for.
    pub waits_for: Option<String>,
    /// Its waves, in order.
    pub waves: Vec<Wave>,
}

/// One wave.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Wave {
    /// Its name.
    pub name: WaveName,
    /// When it began, in milliseconds since 1970; unknown where no release goes out.
    #[schemars(with = "Option<u64>")]
    pub began_at: Option<Moment>,
    /// Stacks.
    pub stacks: usize,
    /// Those that are well at the release.
    pub well: usize,
    /// Those that failed.
    pub failed: usize,
    /// Those that do not count, by reason.
    pub left_out: Vec<(String, usize)>,
    /// How its stacks take a release: `standard` or `express`.
    pub deployment: &'static str,
}

/// The rollouts of one service or of all, sorted.
pub fn shown(
    rollouts: &Rollouts,
    only: Option<&ServiceName>,
    now: Moment,
    approves: &dyn Fn(&str) -> bool,
) -> Vec<Shown> {
    let courses = rollouts.courses().filter(|(name, _)| only.is_none_or(|only| only == *name));
    courses
        .map(|(name, course)| {
            let approves = |member: &str| approves(&format!("{name}: {member}"));
            one(name, course, now, &approves)
        })
        .collect()
}

fn one(
    service: &ServiceName,
    course: &Course,
    now: Moment,
    approves: &dyn Fn(&str) -> bool,
) -> Shown {
    let state = course.state();
    let run = state.running.as_ref();
    let halt = run.and_then(|run| run.halt.as_ref());
    Shown {
        service: service.clone(),
        good: state.good.map(|release| release.short()),
        running: run.map(|run| run.release.short()),
        revision: run.map(|run| run.revision.short().to_owned()),
        began_at: run.map(|run| run.began_at),
        waiting: course.waiting().map(|release| release.short()),
        halted: halt.map(|halt| match &halt.by {
            Some(by) => format!("by {by}: {}", halt.why),
            None => halt.why.clone(),
        }),
        taken_back: halt.is_some_and(|halt| halt.reverting),
        to_do: halt.map(|halt| to_do(service, halt, course.waiting().is_some())),
        waits_for: course.waits_for(now, approves),
        waves: course.waves().into_iter().map(wave).collect(),
    }
}

/// What brings a halted rollout on.
fn to_do(service: &ServiceName, halt: &Halt, waits: bool) -> String {
    let command = |word: &str| format!("`driftless rollout {word} {service}`");
    let resume = format!("{} lets it go on", command("resume"));
    match (&halt.by, waits) {
        // A person decides what comes after what a person said.
        (Some(_), true) => {
            format!("{} lets the release go out that waits; {resume}", command("supersede"))
        }
        (Some(_), false) => {
            format!("{resume}; another release waits until {} is said", command("supersede"))
        }
        (None, _) => format!("change it in git, and the new release goes out instead; {resume}"),
    }
}

fn wave(view: WaveView) -> Wave {
    let WaveView { name, total, settled, failed, left_out, opened_at, deployment } = view;
    let left_out = left_out.into_iter().map(|(why, count)| (why.to_string(), count));
    Wave {
        name,
        began_at: opened_at,
        stacks: total,
        well: settled,
        failed,
        left_out: left_out.collect(),
        deployment: match deployment {
            Deployment::Standard => "standard",
            Deployment::Express => "express",
        },
    }
}

/// A line for each service.
pub fn list(shown: &[Shown]) -> String {
    let mut text = String::new();
    let width = shown.iter().map(|one| one.service.as_str().len()).max().unwrap_or(0);
    for one in shown {
        let waiting = one.waiting.as_ref().map(|id| format!("; release {id} waits"));
        let waiting = waiting.unwrap_or_default();
        let line = match (&one.running, &one.good) {
            (Some(running), _) => {
                let begun = one.waves.iter().filter(|wave| wave.began_at.is_some()).count();
                let how = match (&one.halted, &one.waits_for) {
                    (Some(why), _) => why.clone(),
                    (None, Some(what)) => what.clone(),
                    (None, None) => "all waves have begun".to_owned(),
                };
                let (does, waves) = (does(one), one.waves.len());
                format!("release {running} {does}, wave {begun} of {waves}: {how}{waiting}")
            }
            (None, Some(good)) => format!("release {good}{}", everywhere(one)),
            (None, None) => "nothing is known yet".to_owned(),
        };
        let _ = writeln!(text, "{:width$}  {line}", one.service.as_str());
    }
    if shown.is_empty() {
        text.push_str("the fleet has no services\n");
    }
    text
}

/// What becomes of a release.
fn does(one: &Shown) -> &'static str {
    match (&one.halted, one.taken_back) {
        (Some(_), true) => "is taken back",
        (Some(_), false) => "is halted",
        (None, _) => "goes out",
    }
}

/// Whether all that count have the good release.
fn everywhere(one: &Shown) -> String {
    let stacks: usize = one.waves.iter().map(|wave| wave.stacks).sum();
    match one.waves.iter().map(|wave| wave.failed).sum() {
        0 => " everywhere".to_owned(),
        failed => {
            format!(" went through all waves; {failed} of {} failed", counted(stacks, "stack"))
        }
    }
}

/// All about each service.
pub fn details(shown: &[Shown], now: Moment) -> String {
    let mut text = String::new();
    for one in shown {
        let begun = one.began_at.map(|at| format!(", began {}", ago(now, at))).unwrap_or_default();
        let _ = match (&one.running, &one.good) {
            (Some(running), _) => {
                let revision = one.revision.as_deref().unwrap_or_default();
                let does = does(one);
                writeln!(text, "{}: release {running} of {revision} {does}{begun}", one.service)
            }
            (None, Some(good)) => {
                writeln!(text, "{}: release {good}{}", one.service, everywhere(one))
            }
            (None, None) => writeln!(text, "{}: nothing is known yet", one.service),
        };
        let width = one.waves.iter().map(|wave| wave.name.as_str().len()).max().unwrap_or(0);
        for wave in &one.waves {
            let _ = writeln!(text, "  {:width$}  {}", wave.name.as_str(), standing(wave, one, now));
        }
        let lines = [
            ("halted", &one.halted),
            ("waits for", &one.waits_for.clone().filter(|_| one.halted.is_none())),
            ("last good", &one.good.clone().filter(|_| one.running.is_some())),
            ("next", &one.waiting),
            ("to do", &one.to_do),
        ];
        for (what, value) in lines {
            if let Some(value) = value {
                let _ = writeln!(text, "  {what}: {value}");
            }
        }
    }
    text
}

fn standing(wave: &Wave, of: &Shown, now: Moment) -> String {
    let mut text = format!("{} of {} well", wave.well, counted(wave.stacks, "stack"));
    if wave.failed > 0 {
        let _ = write!(text, ", {} failed", wave.failed);
    }
    for (why, count) in &wave.left_out {
        let _ = write!(text, ", {count} {why}");
    }
    match wave.began_at {
        Some(at) => {
            let _ = write!(text, "; began {}", ago(now, at));
        }
        None if of.running.is_some() => text.push_str("; not begun"),
        None => {}
    }
    if wave.deployment == "express" {
        text.push_str("; express");
    }
    text
}

/// `wave canary 2/3 settled, soaking 4 min`
pub fn stage(stage: &Stage, now: Moment) -> String {
    let Stage { wave, total, settled, failed, next } = stage;
    let mut text = format!("wave {wave} {settled}/{total} settled");
    if *failed > 0 {
        let _ = write!(text, ", {failed} failed");
    }
    match next {
        Upcoming::Stacks => {}
        // One that is over is news in a moment.
        Upcoming::Soak(until) if *until <= now => {}
        Upcoming::Soak(until) => {
            let _ = write!(text, ", soaking {}", brief(until.since(now)));
        }
        Upcoming::Approval(wave) => {
            let _ = write!(text, ", wave {wave} waits for approval");
        }
        Upcoming::Halted => text.push_str(", halted"),
        Upcoming::Reverting => text.push_str(", going back"),
    }
    text
}

/// One object with a version.
pub fn json(shown: &[Shown]) -> String {
    text(&ShownRollouts { version: FORMAT_VERSION, rollouts: shown })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn shown(halt: Option<Halt>, waits: bool) -> Shown {
        let service: ServiceName = "scan-api".parse().expect("a name");
        let wave = |name: &str, well, failed, deployment| Wave {
            name: name.parse().expect("a name"),
            began_at: (name == "canary").then_some(Moment::from_millis(900_000)),
            stacks: 3,
            well,
            failed,
            left_out: Vec::new(),
            deployment,
        };
        Shown {
            to_do: halt.as_ref().map(|halt| to_do(&service, halt, waits)),
            taken_back: halt.as_ref().is_some_and(|halt| halt.reverting),
            halted: halt.map(|halt| halt.why),
            service,
            good: Some("aaaa".to_owned()),
            running: Some("bbbb".to_owned()),
            revision: Some("cccc".to_owned()),
            began_at: Some(Moment::from_millis(900_000)),
            waiting: waits.then(|| "dddd".to_owned()),
            waits_for: None,
            waves: vec![wave("canary", 1, 2, "standard"), wave("all", 0, 0, "express")],
        }
    }

    #[test]
    fn a_halted_release_says_what_a_person_may_do() {
        let halt = |by: Option<&str>, reverting| Halt {
            at: Moment::from_millis(950_000),
            why: "2 of 3 failed in wave canary: no".to_owned(),
            by: by.map(str::to_owned),
            reverting,
            shared: None,
        };
        let all = [
            shown(Some(halt(None, false)), false),
            shown(Some(halt(None, true)), false),
            shown(Some(halt(Some("ann"), false)), true),
            shown(Some(halt(Some("ann"), true)), false),
        ];
        let now = Moment::from_millis(1_000_000);
        let text: String = all.iter().map(|one| details(std::slice::from_ref(one), now)).collect();
        insta::assert_snapshot!(format!("{text}{}", list(&all)));
    }

    #[test]
    fn a_stage_is_a_few_words() {
        let now = Moment::from_millis(1_000_000);
        let at = |settled, failed, next| {
            let wave = "canary".parse().expect("a name");
            stage(&Stage { wave, total: 3, settled, failed, next }, now)
        };
        let soak = |seconds| Upcoming::Soak(now + Duration::from_secs(seconds));
        let all = Upcoming::Approval("all".parse().expect("a name"));
        let stages = [
            at(2, 0, Upcoming::Stacks),
            at(3, 0, soak(200)),
            at(2, 1, soak(9)),
            at(3, 0, soak(7_300)),
            at(3, 0, all),
            at(1, 2, Upcoming::Halted),
            at(1, 2, Upcoming::Reverting),
        ];
        insta::assert_snapshot!(stages.join("\n"), @r"
        wave canary 2/3 settled
        wave canary 3/3 settled, soaking 4 min
        wave canary 2/3 settled, 1 failed, soaking 9 s
        wave canary 3/3 settled, soaking 3 h
        wave canary 3/3 settled, wave all waits for approval
        wave canary 1/3 settled, 2 failed, halted
        wave canary 1/3 settled, 2 failed, going back
        ");
    }
}
