//! What `driftless doctor` found: equal complaints are one, with how many targets and accounts have them.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use crate::ids::{AccountId, Target, TenantName};
use crate::plan::toll::Toll;

/// How much a complaint matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename_all = "lowercase")]
pub enum Gravity {
    /// driftless cannot do its work there.
    Wrong,
    /// It can, for now or as far as could be found out.
    Warning,
}

/// What is wrong with one target, or with all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// How much it matters.
    pub gravity: Gravity,
    /// A stable word for the kind of complaint.
    pub code: String,
    /// What it is, without what is this target's own: equal ones are put together.
    pub cause: String,
    /// What AWS says, or the numbers, of this target.
    pub detail: Option<String>,
    /// How to mend it.
    pub help: Option<String>,
}

/// What was found out about one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkup {
    /// Which.
    pub target: Target,
    /// Whose it is.
    pub tenant: Option<TenantName>,
    /// What is wrong there; empty where all is well.
    pub complaints: Vec<Complaint>,
}

/// The same complaint of all targets that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaints {
    /// What it is; the detail is that of the first target.
    pub complaint: Complaint,
    /// Which targets, with their tenants; empty for what concerns the machine that this runs on.
    pub targets: Vec<(Target, Option<TenantName>)>,
}

impl Complaints {
    /// How many accounts have it.
    pub fn accounts(&self) -> usize {
        self.targets.iter().map(|(target, _)| target.account).collect::<BTreeSet<_>>().len()
    }
}

/// How targets were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Examined {
    /// Whether rights were probed.
    pub rights: bool,
    /// How many seconds the clock of this machine is ahead of AWS's, below 0 if it is behind; `None`
    /// where no answer told the time.
    pub clock_ahead_s: Option<i64>,
}

/// What `driftless doctor` tells.
#[derive(Clone, Debug, PartialEq)]
pub struct DoctorReport {
    /// How it was found out; `None` where AWS was not asked.
    pub examined: Option<Examined>,
    /// How many targets were looked at.
    pub targets: usize,
    /// How many accounts these are in.
    pub accounts: usize,
    /// How many of the targets nothing is wrong with; warnings do not count.
    pub well: usize,
    /// The gravest first, then those that most targets have.
    pub complaints: Vec<Complaints>,
    /// What the settings cost.
    pub toll: Toll,
}

impl DoctorReport {
    /// What the settings cost, and nothing else.
    pub fn offline(toll: Toll) -> Self {
        let complaints = Vec::new();
        Self { examined: None, targets: 0, accounts: 0, well: 0, complaints, toll }
    }

    /// Of what was found out about each target, in their order, and about this machine.
    pub fn of(
        examined: Examined,
        checkups: &[Checkup],
        general: Vec<Complaint>,
        toll: Toll,
    ) -> Self {
        let mut groups: BTreeMap<(Gravity, &str, &str), Complaints> = BTreeMap::new();
        for checkup in checkups {
            for complaint in &checkup.complaints {
                let key = (complaint.gravity, complaint.code.as_str(), complaint.cause.as_str());
                let group = groups.entry(key).or_insert_with(|| Complaints {
                    complaint: complaint.clone(),
                    targets: Vec::new(),
                });
                group.targets.push((checkup.target.clone(), checkup.tenant.clone()));
            }
        }
        let of_machine = general.into_iter();
        let of_machine = of_machine.map(|complaint| Complaints { complaint, targets: Vec::new() });
        let mut complaints: Vec<Complaints> = of_machine.chain(groups.into_values()).collect();
        complaints.sort_by(|a, b| {
            let is_of_targets = |one: &Complaints| !one.targets.is_empty();
            let gravity = a.complaint.gravity.cmp(&b.complaint.gravity);
            gravity
                .then(is_of_targets(a).cmp(&is_of_targets(b)))
                .then(b.targets.len().cmp(&a.targets.len()))
        });
        let is_well = |checkup: &&Checkup| {
            checkup.complaints.iter().all(|complaint| complaint.gravity != Gravity::Wrong)
        };
        let accounts: BTreeSet<AccountId> =
            checkups.iter().map(|checkup| checkup.target.account).collect();
        Self {
            examined: Some(examined),
            targets: checkups.len(),
            accounts: accounts.len(),
            well: checkups.iter().filter(is_well).count(),
            complaints,
            toll,
        }
    }

    /// Whether driftless can do its work everywhere.
    pub fn is_well(&self) -> bool {
        self.complaints.iter().all(|one| one.complaint.gravity != Gravity::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkup(number: usize, complaints: &[(&str, Gravity)]) -> Checkup {
        let complaint = |(code, gravity): &(&str, Gravity)| Complaint {
            gravity: *gravity,
            code: (*code).to_owned(),
            cause: format!("it is {code}"),
            detail: Some(format!("of {number}")),
            help: None,
        };
        Checkup {
            target: format!("{number:012}/eu-central-1").parse().expect("a target"),
            tenant: format!("t{number}").parse().ok(),
            complaints: complaints.iter().map(complaint).collect(),
        }
    }

    #[test]
    fn thousands_of_equal_complaints_are_one_and_the_gravest_come_first() {
        let mut checkups: Vec<Checkup> =
            (1..=6_000).map(|number| checkup(number, &[("near", Gravity::Warning)])).collect();
        checkups.push(checkup(7_000, &[("shut", Gravity::Wrong)]));
        checkups.push(checkup(7_001, &[("off", Gravity::Wrong)]));
        checkups.push(checkup(7_002, &[("off", Gravity::Wrong)]));
        let examined = Examined { rights: true, clock_ahead_s: Some(0) };
        let report = DoctorReport::of(examined, &checkups, Vec::new(), Toll::default());
        let told: Vec<(&str, usize, Option<&str>)> = report
            .complaints
            .iter()
            .map(|one| {
                let Complaint { code, detail, .. } = &one.complaint;
                (code.as_str(), one.targets.len(), detail.as_deref())
            })
            .collect();
        let expected = [
            ("off", 2, Some("of 7001")),
            ("shut", 1, Some("of 7000")),
            ("near", 6_000, Some("of 1")),
        ];
        assert_eq!(told, expected);
        assert_eq!((report.targets, report.well, report.is_well()), (6_003, 6_000, false));
        assert!(report.text().lines().count() < 40, "{}", report.text());
    }

    #[test]
    fn warnings_alone_are_a_clean_ending() {
        let examined = Examined { rights: true, clock_ahead_s: None };
        let checkups = [checkup(1, &[("near", Gravity::Warning)])];
        let report = DoctorReport::of(examined, &checkups, Vec::new(), Toll::default());
        assert!(report.is_well());
        assert!(DoctorReport::offline(Toll::default()).is_well());
    }
}
