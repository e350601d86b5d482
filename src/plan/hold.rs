//! Why nothing is done with a stack now. Every reason has a word, a sentence and a weight.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{Region, ServiceName};
use crate::moment::Moment;
use crate::observed::StackStatus;
use crate::outcome::Cause;
use crate::plan::{ApprovalRequest, Lack, Obstacle, Verdict};
use crate::rollout::Behind;

/// How much a verdict matters to somebody who looks at the fleet.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// As git says.
    Settled,
    /// Left alone on purpose.
    LeftAlone,
    /// Being worked on, or waiting for something that comes by itself.
    Waiting,
    /// Waits for a person or for a change in git.
    Stuck,
}

/// Why nothing is done with a stack now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// A stack of the wanted name exists without our ownership tag.
    NotOurs {
        /// The fleet that it belongs to, as its tag says; `None` when it belongs to nobody.
        fleet: Option<String>,
    },
    /// A stack that exists already is to be taken over, and cannot be.
    Adoption(Box<Obstacle>),
    /// A stack for the same tenant and service stands elsewhere, or this one is another's.
    Renamed(Box<ApprovalRequest>),
    /// The fleet's documents or a person suspended it.
    Suspended {
        /// Who or what says so.
        by: String,
    },
    /// A freeze window is open.
    Frozen {
        /// Which, as people know it.
        window: String,
        /// When it closes.
        until: Moment,
    },
    /// An operation runs.
    Moving(StackStatus),
    /// Another controller of the same fleet works in this target.
    AnotherController {
        /// Its id, as it stands in the tokens.
        id: String,
    },
    /// Our last call has not shown its effect yet.
    EffectPending {
        /// What was asked for.
        step: &'static str,
    },
    /// Our change set is being prepared.
    ChangeSetPending,
    /// Somebody else's change set made this shell.
    InReview,
    /// A service that this one needs is not complete here.
    WaitsForService(ServiceName),
    /// A release goes out that this stack may not have yet.
    WaitsForWave {
        /// Which, and why not.
        behind: Behind,
        /// Whether the stack is as the release says that it may have.
        in_sync: bool,
    },
    /// As many operations run as the wave allows.
    WaveBusy(u32),
    /// A service that this one needs is not complete in the tenant's home region.
    WaitsForHome {
        /// Which.
        service: ServiceName,
        /// The home region.
        region: Region,
        /// Whether that region has been seen as it is wanted now.
        is_seen: bool,
    },
    /// An output that a parameter needs is not there yet.
    WaitsForOutput {
        /// Whose output.
        service: ServiceName,
        /// Its logical id.
        output: String,
    },
    /// An output that a parameter needs does not come: its stack is complete, and lacks it.
    NoSuchOutput {
        /// Whose output.
        service: ServiceName,
        /// Its logical id.
        output: String,
    },
    /// An output that a parameter needs lost its non-ASCII characters on the way.
    MangledOutput {
        /// Whose output.
        service: ServiceName,
        /// Its logical id.
        output: String,
    },
    /// A variable in a parameter, a tag or a name has no value for the tenant.
    VariableMissing(String),
    /// What its template points to is not in the bucket of its region.
    Artifacts(Box<Lack>),
    /// Stacks that use this one are still there.
    WaitsForDependents(ServiceName),
    /// A stack that uses this one stays, and so this one does.
    KeptForDependents(ServiceName),
    /// The update would remove or replace what is protected.
    Protected(Box<ApprovalRequest>),
    /// It would touch resources otherwise than an approved plan of its release allows.
    Unplanned(Box<ApprovalRequest>),
    /// It failed, and is left alone for a while.
    Cooldown {
        /// Until then.
        until: Moment,
        /// Why it failed.
        cause: Cause,
    },
    /// It failed for a reason that only a change in git removes.
    Failed(Cause),
    /// Its status asks for a person.
    NeedsPerson {
        /// The status.
        status: StackStatus,
        /// The first thing that failed.
        cause: Option<Cause>,
        /// What that person would run.
        command: String,
    },
    /// Somebody tried to delete a stack that is wanted.
    DeleteFailed,
    /// Git no longer gives it, and it is to be retained.
    Retained,
    /// As many operations run in the fleet as may.
    FleetBusy(usize),
    /// As many operations run in the target as may.
    TargetBusy(usize),
    /// More deletions than the limit allows in a day.
    DeletionLimit(Box<ApprovalRequest>),
    /// Deletions wait until every target has been looked at once; with a new journal everything does.
    FleetNotSeenYet,
    /// Only a part of the fleet is converged this time, and this stack is not in it.
    NotAskedFor,
    /// The controller is stopping.
    ShuttingDown,
    /// It is as git says, and what drifted is not brought back now.
    Revert(Box<RevertHold>),
}

/// Why what drifted is not brought back now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevertHold {
    /// Its change set is being prepared.
    Pending,
    /// The change set would touch resources that our own detection did not list.
    Phantom(Vec<String>),
    /// It would touch what is protected.
    Protected(ApprovalRequest),
    /// It failed, and is left alone for a while.
    Cooldown {
        /// Until then.
        until: Moment,
        /// Why it failed.
        cause: Cause,
    },
    /// It failed for a reason that does not go by itself.
    Failed(Cause),
    /// Nothing new is started now.
    Stopped {
        /// By whom or what, as the end of a sentence.
        by: String,
    },
}

impl Hold {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotOurs { .. } => "not-ours",
            Self::Adoption(obstacle) => obstacle.code(),
            Self::Renamed(_) => "renamed",
            Self::Suspended { .. } => "suspended",
            Self::Frozen { .. } => "frozen",
            Self::Moving(_) => "moving",
            Self::AnotherController { .. } => "another-controller",
            Self::EffectPending { .. } => "effect-pending",
            Self::ChangeSetPending => "change-set-pending",
            Self::InReview => "in-review",
            Self::WaitsForService(_) => "waits-for-service",
            Self::WaitsForWave { .. } => "waits-for-wave",
            Self::WaveBusy(_) => "wave-busy",
            Self::WaitsForHome { .. } => "waits-for-home",
            Self::WaitsForOutput { .. } => "waits-for-output",
            Self::NoSuchOutput { .. } => "no-such-output",
            Self::MangledOutput { .. } => "mangled-output",
            Self::VariableMissing(_) => "variable-missing",
            Self::Artifacts(_) => "artifacts",
            Self::WaitsForDependents(_) => "waits-for-dependents",
            Self::KeptForDependents(_) => "kept-for-dependents",
            Self::Protected(_) => "protected",
            Self::Unplanned(_) => "unplanned",
            Self::Cooldown { .. } => "cooldown",
            Self::Failed(_) => "failed",
            Self::NeedsPerson { .. } => "needs-person",
            Self::DeleteFailed => "delete-failed",
            Self::Retained => "retained",
            Self::FleetBusy(_) => "fleet-busy",
            Self::TargetBusy(_) => "target-busy",
            Self::DeletionLimit(_) => "deletion-limit",
            Self::FleetNotSeenYet => "fleet-not-seen-yet",
            Self::NotAskedFor => "not-asked-for",
            Self::ShuttingDown => "shutting-down",
            Self::Revert(why) => match &**why {
                RevertHold::Pending => "revert-pending",
                RevertHold::Phantom(_) => "revert-phantom",
                RevertHold::Protected(_) => "revert-protected",
                RevertHold::Cooldown { .. } => "revert-cooldown",
                RevertHold::Failed(_) => "revert-failed",
                RevertHold::Stopped { .. } => "revert-stopped",
            },
        }
    }

    /// How much it matters.
    pub fn weight(&self) -> Weight {
        match self {
            Self::Revert(why) if why.needs_person() => Weight::Stuck,
            // The stack is as git says, and what stops it is said elsewhere.
            Self::Revert(why) if matches!(**why, RevertHold::Stopped { .. }) => Weight::Settled,
            Self::Revert(_) => Weight::Waiting,
            Self::Artifacts(lack) => lack.weight(),
            Self::Retained
            | Self::KeptForDependents(_)
            | Self::NotAskedFor
            | Self::Suspended { .. } => Weight::LeftAlone,
            Self::Frozen { .. }
            | Self::Moving(_)
            | Self::AnotherController { .. }
            | Self::EffectPending { .. }
            | Self::ChangeSetPending
            | Self::WaitsForService(_)
            | Self::WaitsForWave { .. }
            | Self::WaveBusy(_)
            | Self::WaitsForHome { .. }
            | Self::WaitsForOutput { .. }
            | Self::WaitsForDependents(_)
            | Self::Cooldown { .. }
            | Self::FleetBusy(_)
            | Self::TargetBusy(_)
            | Self::FleetNotSeenYet
            | Self::ShuttingDown => Weight::Waiting,
            Self::NotOurs { .. }
            | Self::Adoption(_)
            | Self::Renamed(_)
            | Self::InReview
            | Self::NoSuchOutput { .. }
            | Self::MangledOutput { .. }
            | Self::VariableMissing(_)
            | Self::Protected(_)
            | Self::Unplanned(_)
            | Self::Failed(_)
            | Self::NeedsPerson { .. }
            | Self::DeleteFailed
            | Self::DeletionLimit(_) => Weight::Stuck,
        }
    }

    /// The request that a person could approve.
    pub fn request(&self) -> Option<&ApprovalRequest> {
        if let Self::Renamed(request)
        | Self::Protected(request)
        | Self::Unplanned(request)
        | Self::DeletionLimit(request) = self
        {
            return Some(request);
        }
        if let Self::Adoption(obstacle) = self {
            return obstacle.request();
        }
        if let Self::Revert(why) = self
            && let RevertHold::Protected(request) = &**why
        {
            return Some(request);
        }
        None
    }

    /// What a person can do about it.
    pub fn help(&self) -> Option<String> {
        if let Some(request) = self.request() {
            return Some(format!("driftless approve {}", request.id));
        }
        match self {
            // No name in it: what is to be done is the same for all stacks of a group.
            Self::NotOurs { fleet: Some(_) } => Some(
                "give the service another `stackName` for this tenant, or see why two fleets want \
                 the same stack"
                    .to_owned(),
            ),
            Self::NotOurs { fleet: None } => Some(
                "take it over with `adopt: { match: NAME }` in the service, see `driftless import \
                 stacks --help`; or give the service another `stackName` for this tenant"
                    .to_owned(),
            ),
            Self::Adoption(obstacle) => obstacle.help().map(str::to_owned),
            Self::Artifacts(lack) => lack.help().map(str::to_owned),
            Self::InReview => {
                Some("execute or delete that change set and its stack in the console".to_owned())
            }
            Self::Failed(_) => Some("change the template or a parameter in git".to_owned()),
            Self::NeedsPerson { command, .. } => Some(command.clone()),
            Self::Revert(why) if why.needs_person() => Some(
                "look at it with `driftless drift report`; revert by hand or accept".to_owned(),
            ),
            Self::DeleteFailed => Some(
                "find out who tried to delete it; then finish the delete or say `absent: true`"
                    .to_owned(),
            ),
            Self::NoSuchOutput { service, .. } => Some(format!(
                "see why the template of {service} leaves the output out for this tenant (a \
                 condition?), or give the parameter in git"
            )),
            Self::MangledOutput { .. } => {
                Some("use ASCII in that output, or give the parameter in git".to_owned())
            }
            Self::Suspended { .. } => Some("driftless resume, or change the document".to_owned()),
            Self::Frozen { .. } => {
                Some("wait until it closes, or change the window in git".to_owned())
            }
            Self::Renamed(_)
            | Self::Protected(_)
            | Self::Unplanned(_)
            | Self::DeletionLimit(_)
            | Self::VariableMissing(_)
            | Self::Moving(_)
            | Self::AnotherController { .. }
            | Self::EffectPending { .. }
            | Self::ChangeSetPending
            | Self::WaitsForService(_)
            | Self::WaitsForWave { .. }
            | Self::WaveBusy(_)
            | Self::WaitsForHome { .. }
            | Self::WaitsForOutput { .. }
            | Self::WaitsForDependents(_)
            | Self::KeptForDependents(_)
            | Self::Cooldown { .. }
            | Self::Retained
            | Self::FleetBusy(_)
            | Self::TargetBusy(_)
            | Self::FleetNotSeenYet
            | Self::NotAskedFor
            | Self::Revert(_)
            | Self::ShuttingDown => None,
        }
    }

    /// When it is decided anew though nothing else happens.
    fn until(&self) -> Option<Moment> {
        if let Self::Cooldown { until, .. } | Self::Frozen { until, .. } = self {
            return Some(*until);
        }
        if let Self::Revert(why) = self
            && let RevertHold::Cooldown { until, .. } = &**why
        {
            return Some(*until);
        }
        None
    }

    /// The row that reports show.
    pub fn verdict(&self) -> Verdict {
        Verdict {
            weight: self.weight(),
            code: self.code().to_owned(),
            text: self.to_string(),
            help: self.help(),
            approval: self.request().map(|request| request.id.clone()),
            until: self.until(),
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs { fleet } => f.write_str(&belongs_to(fleet.as_deref())),
            Self::Adoption(obstacle) => obstacle.fmt(f),
            Self::Artifacts(lack) => lack.fmt(f),
            Self::Renamed(request)
            | Self::Protected(request)
            | Self::Unplanned(request)
            | Self::DeletionLimit(request) => f.write_str(&request.summary),
            Self::Suspended { by } => write!(f, "suspended by {by}"),
            Self::Frozen { window, until } => write!(f, "frozen until {until}: {window}"),
            Self::Moving(status) => write!(f, "an operation runs: {status}"),
            Self::AnotherController { id } => {
                write!(f, "another controller ({id}) works in this target")
            }
            Self::EffectPending { step } => write!(f, "waiting to see the effect of `{step}`"),
            Self::ChangeSetPending => f.write_str("its change set is being prepared"),
            Self::InReview => f.write_str("somebody's change set for a new stack is in review"),
            Self::WaitsForService(service) => {
                write!(f, "waits until {service} is complete in this target")
            }
            Self::WaitsForWave { behind, in_sync: true } => write!(f, "in sync; {behind}"),
            Self::WaitsForWave { behind, in_sync: false } => write!(f, "{behind}"),
            Self::WaveBusy(limit) => f.write_str(&waits_for_place(limit, "its wave")),
            Self::WaitsForHome { service, region, is_seen } => {
                f.write_str(&waits_for_home(service, region, *is_seen))
            }
            Self::WaitsForOutput { service, output } => {
                write!(f, "waits for output {output} of {service}")
            }
            Self::NoSuchOutput { service, output } => {
                write!(f, "{service} is complete and has no output {output} here")
            }
            Self::MangledOutput { service, output } => write!(
                f,
                "output {output} of {service} lost its non-ASCII characters in AWS's answer"
            ),
            Self::VariableMissing(variable) => {
                write!(f, "${{{variable}}} has no value for this tenant")
            }
            Self::WaitsForDependents(service) => {
                write!(f, "waits until {service}, which uses it, is gone")
            }
            Self::KeptForDependents(service) => {
                write!(f, "kept while {service}, which uses it, stays")
            }
            Self::Cooldown { until, cause } => write!(f, "tried again at {until}: {cause}"),
            Self::Failed(cause) => write!(f, "failed: {cause}"),
            Self::NeedsPerson { status, cause, .. } => {
                let why = cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
                write!(f, "{status} needs a person{why}")
            }
            Self::DeleteFailed => {
                f.write_str("somebody tried to delete this stack, and the delete failed")
            }
            Self::Retained => f.write_str("git no longer gives it; retained"),
            Self::FleetBusy(limit) => f.write_str(&waits_for_place(limit, "the fleet")),
            Self::TargetBusy(limit) => f.write_str(&waits_for_place(limit, "this target")),
            Self::FleetNotSeenYet => {
                f.write_str("waits until every target has been looked at since the start")
            }
            Self::NotAskedFor => f.write_str("it differs, and only other services were asked for"),
            Self::ShuttingDown => {
                f.write_str("the controller was stopping: it goes on when one runs again")
            }
            Self::Revert(why) => why.fmt(f),
        }
    }
}

impl fmt::Display for RevertHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("the change set that reverts its drift is being prepared"),
            Self::Phantom(names) => write!(
                f,
                "drifted, and not reverted: CloudFormation would also touch {}, which is not to be reverted",
                names.join(", ")
            ),
            Self::Protected(request) => f.write_str(&request.summary),
            Self::Cooldown { until, cause } => {
                write!(f, "drifted; reverting is tried again at {until}: {cause}")
            }
            Self::Failed(cause) => write!(f, "drifted, and reverting failed: {cause}"),
            Self::Stopped { by } => write!(f, "in sync; reverting its drift waits: {by}"),
        }
    }
}

fn belongs_to(fleet: Option<&str>) -> String {
    let whose = fleet.map_or("nobody".to_owned(), |fleet| format!("the fleet `{fleet}`"));
    format!("a stack of this name exists and belongs to {whose}")
}

fn waits_for_place(limit: &impl fmt::Display, within: &str) -> String {
    format!("waits for a place: {limit} operations run in {within}")
}

fn waits_for_home(service: &ServiceName, region: &Region, is_seen: bool) -> String {
    if is_seen {
        return format!("waits until {service} is complete in the home region {region}");
    }
    format!("waits for a look at the home region {region}, where it needs {service}")
}
