//! What commands write for programs: one object with a `version` each, and its JSON Schema. Fields are
//! only ever added; anything else moves the version.

mod bootstrapped;
mod cloud;
mod doctor;
mod done;
mod drift;
mod explained;
mod planned;
mod rendered;
mod standing;
mod steering;
mod validated;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::Value;

use crate::moment::Moment;
use crate::report::Edited;
use crate::report::rollouts::ShownRollouts;

pub use bootstrapped::{Bootstrapped, BootstrappedAccount};
pub use cloud::{CloudEvent, CloudEvents, CloudResource, CloudStack, CloudStacks, OneCloudStack};
pub use doctor::{ComplaintOutput, Doctored, ExaminedTargets, SettingsCost, Spread};
pub use done::{Applied, Made, Ordered, TestedChannel, TestedChannels};
pub use drift::{DriftOutput, DriftSignature, DriftTrouble, DriftedStack};
pub use explained::Explained;
pub use planned::{
    CostFinding, NewTenant, NewTenants, PlanOutput, Planned, PlannedCharge, PlannedCost,
    PlannedDeletions, PlannedDrift, PlannedEffect, PlannedFree, PlannedGroup, PlannedLine,
    PlannedRelease, PlannedSample, PlannedStack, PlannedUnknown, PlannedWave, RefusedPlan,
};
pub use rendered::{RenderedStack, RenderedStacks};
pub use standing::StatusOutput;
pub use steering::{Approvals, Given, Requested, Suspended, Suspensions};
pub use validated::{Found, Validated};

/// The `version` field of every output.
pub const FORMAT_VERSION: u32 = 1;

/// An output as it is written: in lines, with sorted keys.
pub fn text(output: &impl Serialize) -> String {
    format!("{:#}\n", value(output))
}

/// An output as a value.
pub fn value(output: &impl Serialize) -> Value {
    serde_json::json!(output)
}

/// The schema of each command's output (JSON Schema draft 2020-12, with a newline at the end) by file
/// name, below the schemas of the documents.
pub fn schemas() -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("output/apply.json", schema::<Applied>("driftless apply --format json")),
        ("output/approve.json", schema::<Approvals>("driftless approve --format json")),
        ("output/bootstrap.json", schema::<Bootstrapped>("driftless bootstrap --format json")),
        ("output/cloud-events.json", schema::<CloudEvents>("driftless cloud events --format json")),
        ("output/cloud-stack.json", schema::<OneCloudStack>("driftless cloud stack --format json")),
        ("output/cloud-stacks.json", schema::<CloudStacks>("driftless cloud stacks --format json")),
        ("output/doctor.json", schema::<Doctored>("driftless doctor --format json")),
        ("output/drift.json", schema::<DriftOutput>("driftless drift report --format json")),
        ("output/explain.json", schema::<Explained>("driftless explain --format json")),
        ("output/init.json", schema::<Made>("driftless init --format json")),
        (
            "output/notify-test.json",
            schema::<TestedChannels>("driftless notify test --format json"),
        ),
        ("output/order.json", schema::<Ordered>("driftless rollout halt --format json")),
        ("output/plan.json", schema::<PlanOutput>("driftless plan --format json")),
        ("output/render.json", schema::<RenderedStacks>("driftless render --format json")),
        (
            "output/rollout.json",
            schema::<ShownRollouts<'_>>("driftless rollout list --format json"),
        ),
        ("output/status.json", schema::<StatusOutput>("driftless status --format json")),
        ("output/suspend.json", schema::<Suspensions>("driftless suspend --format json")),
        ("output/tenant.json", schema::<Edited>("driftless tenant set --format json")),
        ("output/validate.json", schema::<Validated>("driftless validate --format json")),
    ])
}

fn schema<T: JsonSchema>(title: &str) -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".into(), title.into());
    if let Some(version) = schema.pointer_mut("/properties/version") {
        *version = serde_json::json!({
            "const": FORMAT_VERSION,
            "description": "Another one when a field changes its meaning or goes; fields may come.",
        });
    }
    format!("{:#}\n", schema.to_value())
}

/// RFC 3339 in UTC, as all times are written but those in `rollouts`.
fn time(moment: Moment) -> String {
    moment.to_string()
}

fn list<T, O>(items: &[T], of: impl Fn(&T) -> O) -> Vec<O> {
    items.iter().map(of).collect()
}

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}
