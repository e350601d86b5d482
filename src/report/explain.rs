//! All that is known of one stack, put together from the journal.

use schemars::JsonSchema;
use serde::Serialize;

use crate::drift::DriftRecord;
use crate::ids::{StackKey, WaveName};
use crate::moment::Moment;
use crate::observed::Blind;
use crate::plan::{ApprovalRequest, StackRecord, Suspension, TargetRecord};
use crate::report::{AcceptedRevision, Event, NestedStack};
use crate::rollout::Course;

/// One stack at one moment, with what explains where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// When this was so.
    pub now: Moment,
    /// The stack itself.
    pub record: StackRecord,
    /// Its target, once that was looked at.
    pub target: Option<TargetRecord>,
    /// The revision that is followed.
    pub accepted: Option<AcceptedRevision>,
    /// The request that holds it.
    pub request: Option<ApprovalRequest>,
    /// The suspension that stops it.
    pub suspension: Option<Suspension>,
    /// What is known of its drift, where it is looked into.
    pub drift: Option<DriftRecord>,
    /// How it goes with the releases of its service, where the fleet's documents can be read.
    pub wave: Option<InWave>,
    /// The stacks that are nested in it, by the release that it has.
    pub nested: Vec<NestedStack>,
    /// What happened to it, newest first.
    pub history: Vec<Event>,
}

/// The wave of one stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InWave {
    /// Its name.
    pub wave: WaveName,
    /// Its place among the waves of the service, from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
    /// The release that goes out; `None` when none does.
    pub release: Option<String>,
    /// When the wave began to take it, in milliseconds since 1970.
    #[schemars(with = "Option<u64>")]
    pub began_at: Option<Moment>,
    /// Why no further stack takes it.
    pub halted: Option<String>,
    /// What the rollout waits for.
    pub waits_for: Option<String>,
}

impl InWave {
    /// The wave of a stack of this service. `approves`: whether a person let a wave of it begin.
    pub fn of(
        course: &Course,
        key: &StackKey,
        now: Moment,
        approves: &dyn Fn(&str) -> bool,
    ) -> Option<Self> {
        let (index, view) = course.wave_with(key)?;
        let run = course.state().running.as_ref();
        let halt = run.and_then(|run| run.halt.as_ref());
        Some(Self {
            wave: view.name,
            number: index + 1,
            of: course.waves().len(),
            release: run.map(|run| run.release.short()),
            began_at: view.opened_at,
            halted: halt.map(|halt| halt.why.clone()),
            waits_for: course.waits_for(now, approves).filter(|_| halt.is_none()),
        })
    }
}

impl Explanation {
    /// When it was last looked at. Records that a look did not change keep their time; the
    /// target's is then the later one.
    pub fn looked_at(&self) -> Moment {
        let target = self.target.as_ref().and_then(|target| target.looked_at);
        target.map_or(self.record.looked_at, |at| at.max(self.record.looked_at))
    }

    /// Why its target cannot be seen now, and since when.
    pub fn blind(&self) -> Option<&(Blind, Moment)> {
        self.target.as_ref().and_then(|target| target.blind.as_ref())
    }
}
