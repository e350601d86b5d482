//! What a plan allows, as the JSON that is written into a plan and read back when it is approved.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{Digest, ServiceName, StackKey};
use crate::plan::{ResourceAction, ReviewedPlan, ReviewedService};
use crate::report::output::FORMAT_VERSION;

/// What a plan allows. Its digest changes with anything in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reviewed {
    /// Over all that follows.
    #[schemars(with = "String")]
    digest: Digest,
    /// Of every service that anybody gets.
    services: Vec<Allowed>,
    /// Stacks that are deleted: account/region/name.
    deletions: Vec<String>,
}

/// What is allowed of one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct Allowed {
    /// Its name.
    #[schemars(with = "String")]
    service: ServiceName,
    /// Which release of it.
    #[schemars(with = "String")]
    release: Digest,
    /// The release that it changes, where that is another one.
    #[schemars(with = "Option<String>")]
    after: Option<Digest>,
    /// What may be done where a stack takes that release.
    resources: Vec<AllowedResource>,
}

/// What may be done to one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct AllowedResource {
    /// Its logical id.
    logical_id: String,
    /// Its type.
    #[serde(rename = "type")]
    kind: String,
    /// In one stack or another.
    actions: BTreeSet<ResourceAction>,
}

impl Reviewed {
    pub(super) fn of(plan: &ReviewedPlan) -> Self {
        let resource = |((logical_id, kind), actions): (&(String, String), &BTreeSet<_>)| {
            let (logical_id, kind) = (logical_id.clone(), kind.clone());
            AllowedResource { logical_id, kind, actions: actions.clone() }
        };
        let service = |(name, service): (&ServiceName, &ReviewedService)| Allowed {
            service: name.clone(),
            release: service.release,
            after: service.after,
            resources: service.actions.iter().map(resource).collect(),
        };
        Self {
            digest: plan.digest(),
            services: plan.services.iter().map(service).collect(),
            deletions: plan.deletions.iter().map(ToString::to_string).collect(),
        }
    }

    fn plan(self) -> Result<ReviewedPlan, String> {
        let service = |allowed: Allowed| {
            let resource = |one: AllowedResource| ((one.logical_id, one.kind), one.actions);
            let actions: BTreeMap<_, _> = allowed.resources.into_iter().map(resource).collect();
            let Allowed { service, release, after, .. } = allowed;
            (service, ReviewedService { release, after, actions })
        };
        let deletion = |key: String| key.parse::<StackKey>().map_err(|error| error.to_string());
        let deletions = self.deletions.into_iter().map(deletion).collect::<Result<_, _>>()?;
        Ok(ReviewedPlan { services: self.services.into_iter().map(service).collect(), deletions })
    }
}

/// The fields of a plan that are read back.
#[derive(Deserialize)]
struct PlanFile {
    version: u32,
    refused: bool,
    to: Option<String>,
    reviewed: Option<Reviewed>,
}

/// What the output of `driftless plan --format json` allows, and the revision that it is of. The
/// error says what is wrong with the text.
pub fn read_reviewed(text: &str) -> Result<(ReviewedPlan, String), String> {
    let file: PlanFile = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if file.version != FORMAT_VERSION {
        return Err(format!("its version is {}, and {FORMAT_VERSION} is read here", file.version));
    }
    if file.refused {
        return Err("it is of a revision that is refused".to_owned());
    }
    let reviewed = file.reviewed.ok_or(
        "it does not say what is allowed, as a plan against AWS alone has no release to allow: make \
         one between two revisions, with --from",
    )?;
    let digest = reviewed.digest;
    let plan = reviewed.plan()?;
    if plan.digest() != digest {
        return Err(format!(
            "its digest {} is not that of what it allows: somebody edited it",
            digest.short()
        ));
    }
    Ok((plan, file.to.unwrap_or_default()))
}
