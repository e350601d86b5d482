//! Fleet, Tenant and Service as everything after parsing sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::fleet::{
    Adoption, Bootstrap, Bucket, BuildOutput, Channel, DriftPolicy, DriftSettings, Freeze,
    HostProject, IdleCost, Protection, Selector, Source, Text, WavePlan,
};
use crate::ids::{AccountId, Digest, DocumentName, Region, ServiceName, Target, TenantName};
use crate::outcome::OnRemoval;
use crate::package::{Package, Packaged};
use crate::template::{Template, canonical_digest};

/// All documents of one snapshot.
#[derive(Clone, Debug)]
pub struct Documents {
    /// The one Fleet document.
    pub fleet: Fleet,
    /// Tenants that could be read.
    pub tenants: BTreeMap<TenantName, Arc<Tenant>>,
    /// Services that could be read.
    pub services: BTreeMap<ServiceName, Arc<Service>>,
    /// What is missing because of errors that were reported.
    pub gaps: Gaps,
    /// What was packaged, so that the next revision packages only what changed.
    pub packaged: Arc<Packaged>,
}

/// What could not be read, so that nobody calls it unknown or counts without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Services whose documents have errors.
    pub services: BTreeSet<ServiceName>,
    /// Whether there may be further services.
    pub any_service: bool,
    /// Whether tenants are missing.
    pub tenants: bool,
}

impl Gaps {
    /// Whether a service may exist though it is not among those that were read.
    pub fn may_have(&self, service: &ServiceName) -> bool {
        self.any_service || self.services.contains(service)
    }
}

/// Which cloud a fleet lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Cloud {
    /// The simulated cloud of this program.
    Simulated,
    /// AWS.
    Aws,
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Simulated => "simulated",
            Self::Aws => "aws",
        })
    }
}

/// The Fleet document.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// metadata.name: the value of the ownership tag.
    pub name: DocumentName,
    /// Where the fleet lives.
    pub cloud: Cloud,
    /// How its accounts are entered.
    pub access: Access,
    /// The only regions ever touched; `true` for a retired one: look and delete only.
    pub regions: BTreeMap<Region, bool>,
    /// For every service that declares them.
    pub parameters: BTreeMap<String, Text>,
    /// On every stack.
    pub tags: BTreeMap<String, Text>,
    /// Numbers that stop us.
    pub limits: Limits,
    /// Each target is looked at at least this often.
    pub resync: Duration,
    /// How new releases go out, for services that do not say it.
    pub rollout: Option<Arc<WavePlan>>,
    /// What is done about drift, for services that do not say it.
    pub drift: Arc<DriftSettings>,
    /// Whether new steps are stopped everywhere.
    pub suspend: bool,
    /// Whether resources are touched as approved plans allow only.
    pub requires_plan: bool,
    /// When new steps are stopped, in the order in which they are written.
    pub freeze: Vec<Freeze>,
    /// Who is told what happens, in the order in which they are written.
    pub notify: Vec<Channel>,
    /// Where the commits that are converged are told how they fare.
    pub commit_status: Option<HostProject>,
    /// What may stand idle and what that may cost.
    pub idle_cost: IdleCost,
    /// The bucket of each region for what templates point to.
    pub artifacts: Option<Bucket>,
    /// Where it is written.
    pub source: Source,
}

/// How the accounts of a fleet are entered.
#[derive(Clone, Debug)]
pub struct Access {
    /// The role to assume, with account, region, partition and fleet name interpolated.
    pub role_arn: Text,
    /// The external id to assume it with.
    pub external_id: Option<String>,
    /// How the role is made in accounts that lack it.
    pub bootstrap: Option<Arc<Bootstrap>>,
}

/// Numbers that stop us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Operations running in AWS at once, in the whole fleet.
    pub stacks_in_flight: u32,
    /// Operations running in AWS at once, in one target.
    pub per_target: u32,
    /// Deletions per rolling 24 hours.
    pub deletes: DeleteLimits,
    /// Calls that looking for drift may cost.
    pub drift_calls: DriftCalls,
}

/// Calls that looking for drift may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriftCalls {
    /// In any 24 hours, in one account.
    pub per_account: u32,
    /// In any second, in the whole fleet.
    pub per_second: u32,
}

/// Twenty stacks looked into once a day take about 60 calls; nested ones and what was touched come
/// on top. The fleet's rate lets 6,000 such accounts be looked into five times as often.
impl Default for DriftCalls {
    fn default() -> Self {
        Self { per_account: 500, per_second: 20 }
    }
}

/// Deletions per rolling 24 hours, above which an approval is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeleteLimits {
    /// Tenants whose stacks are deleted.
    pub tenants: u32,
    /// Stacks.
    pub stacks: u32,
    /// Percent of the fleet's stacks; only ever lowers `stacks`.
    pub percent: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let deletes = DeleteLimits { tenants: 1, stacks: 25, percent: 1 };
        let drift_calls = DriftCalls::default();
        Self { stacks_in_flight: 3_000, per_target: 5, deletes, drift_calls }
    }
}

/// Where a tenant is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Lifecycle {
    /// In use.
    #[default]
    Active,
    /// Not in use; a label for cost and reports: its stacks are still converged.
    Inactive,
    /// Asked to go: its stacks are deleted.
    Offboarded,
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Offboarded => "offboarded",
        })
    }
}

/// A Tenant document.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// metadata.name.
    pub name: TenantName,
    /// metadata.labels: what selectors see.
    pub labels: BTreeMap<String, String>,
    /// The account that it owns.
    pub account: AccountId,
    /// Never empty; the first one is the home region.
    pub regions: Vec<Region>,
    /// Where it is in its life.
    pub lifecycle: Lifecycle,
    /// For every service that declares them.
    pub parameters: BTreeMap<String, Text>,
    /// Exceptions by service.
    pub services: BTreeMap<ServiceName, Exception>,
    /// Whether new steps are stopped in its account.
    pub suspend: bool,
    /// Where it is written.
    pub source: Source,
}

impl Tenant {
    /// Its home: the first of its regions.
    pub fn home(&self) -> Option<Target> {
        Some(Target { account: self.account, region: self.regions.first()?.clone() })
    }
}

/// What one tenant has otherwise than the Service document says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exception {
    /// Values that win over all others, but for those of one region.
    pub parameters: BTreeMap<String, Text>,
    /// Values that win over all others in one region.
    pub per_region: BTreeMap<Region, BTreeMap<String, Text>>,
    /// Instead of the service's regions.
    pub regions: Option<Vec<Region>>,
    /// Whether new steps are stopped.
    pub suspend: bool,
    /// Instead of the service's stack name.
    pub stack_name: Option<Text>,
    /// Asked to go: the stack is deleted.
    pub absent: bool,
    /// What is done about drift.
    pub drift: Option<DriftPolicy>,
}

impl Exception {
    /// The values of parameters wherever they are written, with the region for which alone they are.
    pub fn all_parameters(&self) -> impl Iterator<Item = (Option<&Region>, &str, &Text)> {
        let everywhere = self.parameters.iter().map(|(name, text)| (None, name.as_str(), text));
        let regional = self.per_region.iter().flat_map(|(region, values)| {
            values.iter().map(move |(name, text)| (Some(region), name.as_str(), text))
        });
        everywhere.chain(regional)
    }

    /// The keys below `spec` of the tenant that lead to such a value for this service.
    pub fn pointer_to<'a>(
        service: &'a ServiceName,
        region: Option<&'a Region>,
        name: &'a str,
    ) -> Vec<&'a str> {
        let mut pointer = vec!["spec", "services", service.as_str()];
        pointer.extend(region.into_iter().flat_map(|region| ["perRegion", region.as_str()]));
        pointer.extend(["parameters", name]);
        pointer
    }
}

/// Where a service stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceRegions {
    /// In all regions of the tenant.
    Tenant,
    /// In the tenant's home region.
    Home,
    /// In these, whatever regions the tenant has.
    Listed(Vec<Region>),
}

/// When CloudFormation calls an operation on a stack complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Deployment {
    /// When every resource is ready.
    #[default]
    Standard,
    /// When every resource has accepted what it is to be; it gets ready afterwards.
    Express,
}

/// A Service document with its template.
#[derive(Clone, Debug)]
pub struct Service {
    /// metadata.name.
    pub name: ServiceName,
    /// The template as CloudFormation gets it, but for the buckets.
    pub template: Arc<Template>,
    /// The same with all that it points to; services of one file share it.
    pub package: Arc<Package>,
    /// What templates point to and is not in git.
    pub build_outputs: Vec<BuildOutput>,
    /// Its path, relative to the fleet folder.
    pub template_path: String,
    /// The stack's name, with variables still in it.
    pub stack_name: Text,
    /// Which tenants get it.
    pub selector: Selector,
    /// In which regions.
    pub regions: ServiceRegions,
    /// What must be complete before in the same target: `dependsOn` and the services whose outputs
    /// this document uses. [`crate::desired::Wanted`] has those that a tenant adds as well.
    pub depends_on: Arc<BTreeSet<ServiceName>>,
    /// What must be complete before in the tenant's home region, for stacks in other regions.
    pub depends_on_home: Arc<BTreeSet<ServiceName>>,
    /// Both: what must be complete before in the home region, for the stack there.
    pub home_depends_on: Arc<BTreeSet<ServiceName>>,
    /// Values of the template's parameters.
    pub parameters: BTreeMap<String, Text>,
    /// CloudFormation capabilities that are acknowledged, sorted.
    pub capabilities: Vec<String>,
    /// On its stacks, over those of the fleet.
    pub tags: BTreeMap<String, Text>,
    /// Whether its stacks refuse to be deleted.
    pub termination_protection: bool,
    /// The stack policy.
    pub stack_policy: Option<Arc<StackPolicy>>,
    /// How its stacks are made and updated. No part of what a stack is: a change of it alone changes
    /// no stack.
    pub deployment: Deployment,
    /// Resource types that an update may never remove or replace unapproved.
    pub protected: Protection,
    /// What happens when a stack is dropped.
    pub on_removal: OnRemoval,
    /// The stacks that exist already and are taken over. No part of what a stack is.
    pub adopt: Option<Arc<Adoption>>,
    /// How its releases go out, where it says so.
    pub rollout: Option<Arc<WavePlan>>,
    /// What is done about drift, where it says so. No part of what a stack is.
    pub drift: Arc<DriftSettings>,
    /// Whether new steps are stopped.
    pub suspend: bool,
    /// Where it is written.
    pub source: Source,
}

/// A stack policy in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackPolicy {
    /// JSON with sorted keys and no blanks.
    pub body: String,
    /// [`canonical_digest`] of the body.
    pub digest: Digest,
}

impl StackPolicy {
    /// The canonical form of a policy, as it is in git or as AWS gives it back. The error is a
    /// sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let policy: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|error| error.to_string())?;
        let body = serde_json::Value::Object(policy).to_string();
        let digest = canonical_digest(&body).map_err(|error| error.to_string())?;
        Ok(Self { body, digest })
    }
}
