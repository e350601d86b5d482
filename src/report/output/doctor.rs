//! What `driftless doctor` found and what the settings cost, for programs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::plan::toll::{AccountToll, DAYS_A_MONTH, Toll};
use crate::report::doctor::{Complaints, DoctorReport, Gravity};
use crate::report::output::FORMAT_VERSION;

/// Whether every target can be worked in, and what the settings cost.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Doctored {
    /// Moves when a field changes its meaning or goes; fields may come.
    pub version: u32,
    /// Whether nothing is wrong; warnings do not count.
    pub well: bool,
    /// What was looked at; null where AWS was not asked.
    pub examined: Option<ExaminedTargets>,
    /// What is wrong or may become so, the gravest first.
    pub complaints: Vec<ComplaintOutput>,
    /// What the settings cost while nothing changes.
    pub cost: SettingsCost,
}

/// What was looked at.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExaminedTargets {
    /// How many targets: accounts x regions.
    pub targets: usize,
    /// How many accounts these are in.
    pub accounts: usize,
    /// In how many of the targets nothing is wrong.
    pub well_targets: usize,
    /// Whether the rights of the role were probed.
    pub rights_probed: bool,
    /// How many seconds the clock of this machine is ahead of AWS's; negative where it is behind, null
    /// where no answer told.
    pub clock_ahead_seconds: Option<i64>,
}

/// The same complaint of all targets that have it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ComplaintOutput {
    /// How much it matters.
    pub gravity: Gravity,
    /// A stable word for the kind of complaint.
    pub code: String,
    /// What it is.
    pub text: String,
    /// What AWS says, or the numbers, of the first target.
    pub detail: Option<String>,
    /// How to mend it.
    pub help: Option<String>,
    /// How many accounts have it.
    pub accounts: usize,
    /// Which targets, ACCOUNT/REGION; none for what concerns the machine that this ran on.
    pub targets: Vec<String>,
}

/// What the settings cost while nothing changes. Calls are means, and so have fractions.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettingsCost {
    /// Targets that are looked at once in `resync`.
    pub targets: usize,
    /// Targets without stacks, which are looked at once a day.
    pub swept_targets: usize,
    /// Stacks, without nested ones.
    pub stacks: usize,
    /// Stacks that are nested in these, to any depth where their templates are in git.
    pub nested_stacks: usize,
    /// Resources that the templates of the stacks declare.
    pub resources: usize,
    /// Calls a day, by AWS's name of the API.
    pub calls_per_day: BTreeMap<&'static str, f64>,
    /// All calls in a month of 30 days.
    pub calls_per_month: f64,
    /// Read events that our calls leave in an account in a day.
    pub events_per_account_and_day: Option<Spread>,
    /// Read events that CloudFormation leaves there in a day while it looks for drift, about.
    pub cloudformation_events_per_account_and_day: Option<Spread>,
    /// Accounts in which `limits.driftCalls` is too little for `drift.every`.
    pub accounts_short_of_drift_calls: usize,
}

/// A number of accounts.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Spread {
    /// That of the account with the least.
    pub least: f64,
    /// That of the account in the middle.
    pub middle: f64,
    /// That of the account with the most.
    pub most: f64,
}

impl Doctored {
    /// Of a report.
    pub fn of(report: &DoctorReport) -> Self {
        Self {
            version: FORMAT_VERSION,
            well: report.is_well(),
            examined: report.examined.map(|examined| ExaminedTargets {
                targets: report.targets,
                accounts: report.accounts,
                well_targets: report.well,
                rights_probed: examined.rights,
                clock_ahead_seconds: examined.clock_ahead_s,
            }),
            complaints: report.complaints.iter().map(ComplaintOutput::of).collect(),
            cost: SettingsCost::of(&report.toll),
        }
    }
}

impl ComplaintOutput {
    fn of(one: &Complaints) -> Self {
        let complaint = &one.complaint;
        Self {
            gravity: complaint.gravity,
            code: complaint.code.clone(),
            text: complaint.cause.clone(),
            detail: complaint.detail.clone(),
            help: complaint.help.clone(),
            accounts: one.accounts(),
            targets: one.targets.iter().map(|(target, _)| target.to_string()).collect(),
        }
    }
}

impl SettingsCost {
    fn of(toll: &Toll) -> Self {
        let spread = |of: fn(&AccountToll) -> f64| {
            let (least, middle, most) = toll.spread(of)?;
            let [least, middle, most] = [least, middle, most].map(tenths);
            Some(Spread { least, middle, most })
        };
        let calls = toll.calls.iter().map(|(api, calls)| (*api, tenths(*calls)));
        Self {
            targets: toll.targets,
            swept_targets: toll.swept,
            stacks: toll.stacks,
            nested_stacks: toll.nested,
            resources: toll.resources,
            calls_per_day: calls.collect(),
            calls_per_month: tenths(toll.a_day() * DAYS_A_MONTH),
            events_per_account_and_day: spread(|account| account.reads),
            cloudformation_events_per_account_and_day: spread(|account| account.by_cloudformation),
            accounts_short_of_drift_calls: toll.short,
        }
    }
}

/// More places than one tell nothing.
fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
